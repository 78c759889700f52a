-- Operations, answers kept for repetition, the event stream.

CREATE TABLE operation (
    id               uuid PRIMARY KEY,
    tenant_id        uuid NOT NULL REFERENCES tenant (id),
    kind             text NOT NULL,
    consortium_id    uuid,
    ledger_id        uuid,
    node_id          uuid,
    state            text NOT NULL DEFAULT 'pending',
    -- [{name, state, started_at, finished_at}], in order.
    steps            jsonb NOT NULL,
    reason           text,
    cancel_requested boolean NOT NULL DEFAULT false,
    actor            text NOT NULL,
    request_id       uuid NOT NULL,
    created_at       timestamptz NOT NULL,
    deadline_at      timestamptz NOT NULL,
    finished_at      timestamptz,
    revision         bigint NOT NULL DEFAULT 1,
    -- Whoever works on it: a lease with a generation that fences an earlier holder.
    generation       bigint NOT NULL DEFAULT 0,
    lease_owner      uuid,
    lease_until      timestamptz,
    attempt          integer NOT NULL DEFAULT 0,
    CONSTRAINT operation_kind_word CHECK (
        kind IN (
            'node_create', 'node_start', 'node_stop', 'node_restart', 'node_delete',
            'ledger_launch', 'consortium_delete'
        )
    ),
    CONSTRAINT operation_state_word
        CHECK (state IN ('pending', 'running', 'succeeded', 'failed', 'cancelled')),
    CONSTRAINT operation_finished
        CHECK ((state IN ('succeeded', 'failed', 'cancelled')) = (finished_at IS NOT NULL)),
    CONSTRAINT operation_failed_has_reason CHECK (state <> 'failed' OR reason IS NOT NULL),
    CONSTRAINT operation_lease CHECK ((lease_owner IS NULL) = (lease_until IS NULL))
);
CREATE INDEX operation_tenant ON operation (tenant_id, id);
CREATE INDEX operation_open ON operation (id) WHERE finished_at IS NULL;
-- One thing at a time: a second launch or restart waits for the first to end.
CREATE UNIQUE INDEX operation_ledger_key ON operation (ledger_id)
    WHERE finished_at IS NULL AND node_id IS NULL AND ledger_id IS NOT NULL;
CREATE UNIQUE INDEX operation_node_key ON operation (node_id)
    WHERE finished_at IS NULL AND node_id IS NOT NULL;

-- Answers to mutating requests, kept so that a repetition has one effect.
CREATE TABLE idempotency (
    tenant_id    uuid NOT NULL REFERENCES tenant (id),
    principal_id uuid NOT NULL,
    key          text NOT NULL,
    -- SHA-256 over method, path and body.
    request_hash bytea NOT NULL,
    -- What was answered, without secrets. Written in the transaction of the effect: a row that
    -- can be seen has an effect that happened.
    answer       jsonb,
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, principal_id, key),
    CONSTRAINT idempotency_key_len CHECK (length(key) BETWEEN 1 AND 128)
);
CREATE INDEX idempotency_expires ON idempotency (expires_at);

-- The event stream. Sequence numbers are given before the commit, so a later number can become
-- visible before an earlier one. A reader therefore goes in the order (xact, sequence) and stops
-- before the oldest transaction that is still open: nothing can appear behind it.
CREATE TABLE event (
    xact          xid8 NOT NULL DEFAULT pg_current_xact_id(),
    sequence      bigint GENERATED ALWAYS AS IDENTITY,
    -- The tenant that it is for, or the consortium whose members it is for.
    tenant_id     uuid REFERENCES tenant (id),
    consortium_id uuid REFERENCES consortium (id) ON DELETE CASCADE,
    kind          text NOT NULL,
    subject_id    uuid NOT NULL,
    ledger_id     uuid,
    node_id       uuid,
    at            timestamptz NOT NULL,
    PRIMARY KEY (xact, sequence),
    CONSTRAINT event_for_somebody CHECK (num_nonnulls(tenant_id, consortium_id) >= 1),
    CONSTRAINT event_kind_word CHECK (
        kind IN (
            'consortium', 'member', 'invitation', 'ledger', 'node', 'operation', 'incident'
        )
    )
);
CREATE INDEX event_at ON event (at);

-- Up to where events were removed: a reader that is behind this must begin anew.
CREATE TABLE event_horizon (
    one      boolean PRIMARY KEY DEFAULT true CHECK (one),
    xact     xid8 NOT NULL,
    sequence bigint NOT NULL
);
INSERT INTO event_horizon (xact, sequence) VALUES ('0', 0);

ALTER TABLE operation ENABLE ROW LEVEL SECURITY;
ALTER TABLE operation FORCE ROW LEVEL SECURITY;
ALTER TABLE idempotency ENABLE ROW LEVEL SECURITY;
ALTER TABLE idempotency FORCE ROW LEVEL SECURITY;
ALTER TABLE event ENABLE ROW LEVEL SECURITY;
ALTER TABLE event FORCE ROW LEVEL SECURITY;

CREATE POLICY operation_own ON operation TO hansa_api
    USING (tenant_id = hansa_tenant()) WITH CHECK (tenant_id = hansa_tenant());
CREATE POLICY idempotency_own ON idempotency TO hansa_api
    USING (tenant_id = hansa_tenant()) WITH CHECK (tenant_id = hansa_tenant());
-- Making a tenant happens before that tenant has a transaction of its own.
CREATE POLICY idempotency_identity ON idempotency TO hansa_identity
    USING (true) WITH CHECK (true);
-- An event with both is for that one tenant alone.
CREATE POLICY event_see ON event FOR SELECT TO hansa_api
    USING (
        tenant_id = hansa_tenant()
        OR (
            tenant_id IS NULL
            AND EXISTS (
                SELECT FROM consortium_access a
                WHERE a.consortium_id = event.consortium_id AND a.tenant_id = hansa_tenant()
            )
        )
    );
-- An event is a hint and holds no data: whoever can write one can at most make others look.
CREATE POLICY event_tell ON event FOR INSERT TO hansa_api
    WITH CHECK (hansa_tenant() IS NOT NULL);

GRANT SELECT, INSERT ON operation TO hansa_api;
GRANT UPDATE (cancel_requested, state, reason, finished_at, steps, revision)
    ON operation TO hansa_api;
GRANT SELECT, INSERT, UPDATE, DELETE ON idempotency TO hansa_api;
GRANT SELECT, INSERT, UPDATE ON idempotency TO hansa_identity;
GRANT SELECT, INSERT ON event TO hansa_api;
GRANT SELECT ON event_horizon TO hansa_api;
