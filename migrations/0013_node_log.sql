-- What members ask of their nodes' logs: an API asks, a controller that reaches the node answers, and
-- who has asked takes the answer away. Not in the write-ahead log: no replica and no backup has any of it.

CREATE UNLOGGED TABLE node_log_request (
    id          uuid PRIMARY KEY,
    tenant_id   uuid NOT NULL,
    node_id     uuid NOT NULL,
    lines       integer NOT NULL,
    asked_at    timestamptz NOT NULL,
    -- The last lines, or why there are none.
    log         text,
    problem     text,
    CONSTRAINT node_log_request_node_fk FOREIGN KEY (node_id, tenant_id)
        REFERENCES node (id, tenant_id) ON DELETE CASCADE,
    CONSTRAINT node_log_request_lines CHECK (lines BETWEEN 1 AND 1000),
    CONSTRAINT node_log_request_answered_once CHECK (log IS NULL OR problem IS NULL)
);
CREATE INDEX node_log_request_of_node ON node_log_request (node_id);

ALTER TABLE node_log_request ENABLE ROW LEVEL SECURITY;
ALTER TABLE node_log_request FORCE ROW LEVEL SECURITY;
CREATE POLICY node_log_request_own ON node_log_request TO hansa_api
    USING (tenant_id = hansa_tenant()) WITH CHECK (tenant_id = hansa_tenant());
CREATE POLICY node_log_request_controller ON node_log_request TO hansa_controller
    USING (true) WITH CHECK (true);
GRANT SELECT, DELETE ON node_log_request TO hansa_api;
GRANT INSERT (id, tenant_id, node_id, lines, asked_at) ON node_log_request TO hansa_api;
GRANT SELECT, DELETE ON node_log_request TO hansa_controller;
GRANT UPDATE (log, problem) ON node_log_request TO hansa_controller;
