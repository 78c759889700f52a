-- Clusters that nodes can run in, and what the vault keeps for them.

CREATE TABLE cluster (
    id          uuid PRIMARY KEY,
    name        text NOT NULL,
    -- How it is reached; a kubeconfig itself is in the vault only.
    access      text NOT NULL,
    -- Image, storage class, spread, ways in: for whoever drives nodes.
    settings    jsonb NOT NULL,
    phase       text NOT NULL DEFAULT 'pending',
    -- What the controller found in it.
    report      jsonb,
    reported_at timestamptz,
    revision    bigint NOT NULL DEFAULT 1,
    created_at  timestamptz NOT NULL,
    -- Nodes that were in it refer to it for ever; its name is free again.
    ended_at    timestamptz,
    CONSTRAINT cluster_name_form CHECK (name ~ '^[a-z][a-z0-9-]{0,62}$'),
    CONSTRAINT cluster_name_is_no_runtime CHECK (name <> 'process'),
    CONSTRAINT cluster_access_word CHECK (access IN ('kubeconfig', 'in_cluster')),
    CONSTRAINT cluster_phase_word CHECK (phase IN ('pending', 'ready', 'unreachable'))
);
CREATE UNIQUE INDEX cluster_name_key ON cluster (name) WHERE ended_at IS NULL;

ALTER TABLE cluster ENABLE ROW LEVEL SECURITY;
ALTER TABLE cluster FORCE ROW LEVEL SECURITY;
-- Every tenant may choose among them, and sees no more than that needs.
CREATE POLICY cluster_choose ON cluster FOR SELECT TO hansa_api USING (ended_at IS NULL);
CREATE POLICY cluster_identity ON cluster TO hansa_identity USING (true) WITH CHECK (true);
CREATE POLICY cluster_controller ON cluster TO hansa_controller USING (true) WITH CHECK (true);
GRANT SELECT (id, name, phase, revision, created_at, ended_at) ON cluster TO hansa_api;
GRANT SELECT, INSERT ON cluster TO hansa_identity;
GRANT UPDATE (access, settings, phase, revision, ended_at) ON cluster TO hansa_identity;
GRANT SELECT ON cluster TO hansa_controller;
GRANT UPDATE (phase, report, reported_at) ON cluster TO hansa_controller;

-- `runtime` is `process` or the name of the cluster.
ALTER TABLE node
    DROP CONSTRAINT node_runtime_word,
    ADD cluster_id uuid REFERENCES cluster (id),
    -- What went wrong, in the words of whoever saw it: shown to the own member only.
    ADD detail text,
    ADD CONSTRAINT node_runtime_of_cluster CHECK ((runtime = 'process') = (cluster_id IS NULL));
CREATE INDEX node_of_cluster ON node (cluster_id) WHERE cluster_id IS NOT NULL;
GRANT UPDATE (detail) ON node TO hansa_controller;
-- Whether a cluster still has nodes, and nothing else about them.
CREATE POLICY node_in_cluster ON node FOR SELECT TO hansa_identity USING (cluster_id IS NOT NULL);
GRANT SELECT (cluster_id, phase) ON node TO hansa_identity;

CREATE TABLE vault.secret (
    -- Whose it is.
    id         uuid PRIMARY KEY,
    -- Sealed under the root key; bound to the id.
    sealed     bytea NOT NULL,
    created_at timestamptz NOT NULL
);
GRANT SELECT, INSERT, UPDATE, DELETE ON vault.secret TO hansa_vault;
