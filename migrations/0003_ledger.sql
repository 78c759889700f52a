-- Ledgers, their nodes, the nodes' permissions to enrol, and what was found wrong.

CREATE TABLE ledger (
    id                  uuid PRIMARY KEY,
    consortium_id       uuid NOT NULL REFERENCES consortium (id) ON DELETE CASCADE,
    name                text NOT NULL,
    policy              text NOT NULL,
    development         boolean NOT NULL DEFAULT false,
    suite               text NOT NULL,
    phase               text NOT NULL DEFAULT 'draft',
    reason              text,
    -- The genesis document once it is published, in its canonical JSON form.
    genesis             jsonb,
    generation          bigint NOT NULL DEFAULT 1,
    observed_generation bigint NOT NULL DEFAULT 0,
    revision            bigint NOT NULL DEFAULT 1,
    created_at          timestamptz NOT NULL,
    CONSTRAINT ledger_name_key UNIQUE (consortium_id, name),
    CONSTRAINT ledger_id_consortium_key UNIQUE (id, consortium_id),
    CONSTRAINT ledger_name_form CHECK (name ~ '^[a-z][a-z0-9-]{0,62}$'),
    CONSTRAINT ledger_policy_word CHECK (policy IN ('bft', 'cft', 'adaptive')),
    CONSTRAINT ledger_development CHECK (NOT development OR policy = 'cft'),
    CONSTRAINT ledger_suite_word CHECK (suite IN ('ed25519-sha256')),
    CONSTRAINT ledger_phase_word
        CHECK (phase IN ('draft', 'launching', 'running', 'failed', 'deleting', 'deleted')),
    CONSTRAINT ledger_failed_has_reason CHECK (phase <> 'failed' OR reason IS NOT NULL),
    CONSTRAINT ledger_running_has_genesis CHECK (phase <> 'running' OR genesis IS NOT NULL)
);

CREATE TABLE node (
    id                  uuid PRIMARY KEY,
    tenant_id           uuid NOT NULL,
    consortium_id       uuid NOT NULL,
    ledger_id           uuid NOT NULL,
    member_id           uuid NOT NULL,
    name                text NOT NULL,
    runtime             text NOT NULL,
    desired             text NOT NULL,
    phase               text NOT NULL DEFAULT 'pending',
    reason              text,
    p2p_address         text,
    http_address        text,
    -- Height, root, root_height, peers, at: shown to co-members.
    observation         jsonb,
    -- Process id, folder, metrics address: shown to the own member only.
    placement           jsonb,
    generation          bigint NOT NULL DEFAULT 1,
    observed_generation bigint NOT NULL DEFAULT 0,
    revision            bigint NOT NULL DEFAULT 1,
    created_at          timestamptz NOT NULL,
    CONSTRAINT node_name_key UNIQUE (ledger_id, name),
    CONSTRAINT node_id_tenant_key UNIQUE (id, tenant_id),
    CONSTRAINT node_ledger_fk FOREIGN KEY (ledger_id, consortium_id)
        REFERENCES ledger (id, consortium_id) ON DELETE CASCADE,
    CONSTRAINT node_member_fk FOREIGN KEY (member_id, consortium_id, tenant_id)
        REFERENCES member (id, consortium_id, tenant_id),
    CONSTRAINT node_name_form CHECK (name ~ '^[a-z][a-z0-9-]{0,62}$'),
    CONSTRAINT node_runtime_word CHECK (runtime IN ('process')),
    CONSTRAINT node_desired_word CHECK (desired IN ('running', 'stopped', 'deleted')),
    CONSTRAINT node_phase_word CHECK (
        phase IN (
            'pending', 'provisioning', 'enrolled', 'running', 'stopped', 'failed', 'deleting',
            'deleted'
        )
    ),
    CONSTRAINT node_failed_has_reason CHECK (phase <> 'failed' OR reason IS NOT NULL)
);
CREATE INDEX node_of_consortium ON node (consortium_id);
CREATE INDEX node_of_member ON node (member_id);

CREATE TABLE enrolment_token (
    id          uuid PRIMARY KEY,
    tenant_id   uuid NOT NULL,
    node_id     uuid NOT NULL,
    -- HMAC-SHA-256 of the secret part.
    secret_hash bytea NOT NULL,
    created_at  timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    used_at     timestamptz,
    CONSTRAINT enrolment_token_node_fk
        FOREIGN KEY (node_id, tenant_id) REFERENCES node (id, tenant_id) ON DELETE CASCADE,
    CONSTRAINT enrolment_token_secret_hash_len CHECK (octet_length(secret_hash) = 32)
);
CREATE INDEX enrolment_token_node ON enrolment_token (node_id);

CREATE TABLE incident (
    id            uuid PRIMARY KEY,
    consortium_id uuid NOT NULL,
    ledger_id     uuid NOT NULL,
    node_id       uuid REFERENCES node (id) ON DELETE CASCADE,
    kind          text NOT NULL,
    summary       text NOT NULL,
    opened_at     timestamptz NOT NULL,
    resolved_at   timestamptz,
    CONSTRAINT incident_ledger_fk FOREIGN KEY (ledger_id, consortium_id)
        REFERENCES ledger (id, consortium_id) ON DELETE CASCADE,
    CONSTRAINT incident_kind_word CHECK (kind IN ('block_corrupt', 'state_corrupt', 'equivocation'))
);
CREATE INDEX incident_ledger ON incident (ledger_id, id);

ALTER TABLE ledger ENABLE ROW LEVEL SECURITY;
ALTER TABLE ledger FORCE ROW LEVEL SECURITY;
ALTER TABLE node ENABLE ROW LEVEL SECURITY;
ALTER TABLE node FORCE ROW LEVEL SECURITY;
ALTER TABLE enrolment_token ENABLE ROW LEVEL SECURITY;
ALTER TABLE enrolment_token FORCE ROW LEVEL SECURITY;
ALTER TABLE incident ENABLE ROW LEVEL SECURITY;
ALTER TABLE incident FORCE ROW LEVEL SECURITY;

CREATE POLICY ledger_see ON ledger FOR SELECT TO hansa_api
    USING (
        EXISTS (
            SELECT FROM consortium_access a
            WHERE a.consortium_id = ledger.consortium_id AND a.tenant_id = hansa_tenant()
                AND a.relation IN ('owner', 'member')
        )
    );
CREATE POLICY ledger_make ON ledger FOR INSERT TO hansa_api
    WITH CHECK (
        EXISTS (
            SELECT FROM consortium_access a
            WHERE a.consortium_id = ledger.consortium_id AND a.tenant_id = hansa_tenant()
                AND a.relation = 'owner'
        )
    );
CREATE POLICY ledger_change ON ledger FOR UPDATE TO hansa_api
    USING (
        EXISTS (
            SELECT FROM consortium_access a
            WHERE a.consortium_id = ledger.consortium_id AND a.tenant_id = hansa_tenant()
                AND a.relation = 'owner'
        )
    )
    WITH CHECK (
        EXISTS (
            SELECT FROM consortium_access a
            WHERE a.consortium_id = ledger.consortium_id AND a.tenant_id = hansa_tenant()
                AND a.relation = 'owner'
        )
    );

-- The columns that only the own member may see are left out by the query (store/src/node.rs).
CREATE POLICY node_see ON node FOR SELECT TO hansa_api
    USING (
        EXISTS (
            SELECT FROM consortium_access a
            WHERE a.consortium_id = node.consortium_id AND a.tenant_id = hansa_tenant()
                AND a.relation IN ('owner', 'member')
        )
    );
CREATE POLICY node_make ON node FOR INSERT TO hansa_api
    WITH CHECK (
        tenant_id = hansa_tenant()
        AND EXISTS (
            SELECT FROM consortium_access a
            WHERE a.consortium_id = node.consortium_id AND a.tenant_id = hansa_tenant()
                AND a.relation IN ('owner', 'member')
        )
    );
CREATE POLICY node_change ON node FOR UPDATE TO hansa_api
    USING (tenant_id = hansa_tenant()) WITH CHECK (tenant_id = hansa_tenant());

CREATE POLICY enrolment_token_own ON enrolment_token TO hansa_api
    USING (tenant_id = hansa_tenant()) WITH CHECK (tenant_id = hansa_tenant());

CREATE POLICY incident_see ON incident FOR SELECT TO hansa_api
    USING (
        EXISTS (
            SELECT FROM consortium_access a
            WHERE a.consortium_id = incident.consortium_id AND a.tenant_id = hansa_tenant()
                AND a.relation IN ('owner', 'member')
        )
    );

GRANT SELECT, INSERT ON ledger, node, enrolment_token TO hansa_api;
GRANT UPDATE (policy, development, phase, reason, generation, revision) ON ledger TO hansa_api;
GRANT UPDATE (desired, phase, reason, generation, revision) ON node TO hansa_api;
GRANT SELECT ON incident TO hansa_api;
