-- The audit trail: one chain for each tenant, appended to and never changed.

-- Where each chain ends. Its row is locked by whoever appends.
CREATE TABLE audit_chain (
    tenant_id uuid PRIMARY KEY REFERENCES tenant (id),
    sequence  bigint NOT NULL,
    hash      bytea NOT NULL,
    CONSTRAINT audit_chain_hash_len CHECK (octet_length(hash) = 32)
);

CREATE TABLE audit_event (
    tenant_id     uuid NOT NULL REFERENCES tenant (id),
    sequence      bigint NOT NULL,
    act_id        uuid NOT NULL,
    phase         text NOT NULL,
    action        text NOT NULL,
    actor         text NOT NULL,
    subject_id    uuid,
    request_id    uuid NOT NULL,
    result        text,
    code          text,
    at            timestamptz NOT NULL,
    previous_hash bytea NOT NULL,
    hash          bytea NOT NULL,
    PRIMARY KEY (tenant_id, sequence),
    CONSTRAINT audit_event_act_key UNIQUE (tenant_id, act_id, phase),
    CONSTRAINT audit_event_phase_word CHECK (phase IN ('intent', 'outcome')),
    CONSTRAINT audit_event_result_word
        CHECK (result IN ('succeeded', 'denied', 'failed', 'unknown')),
    CONSTRAINT audit_event_outcome CHECK ((phase = 'outcome') = (result IS NOT NULL)),
    CONSTRAINT audit_event_sequence CHECK (sequence > 0),
    CONSTRAINT audit_event_hash_len
        CHECK (octet_length(hash) = 32 AND octet_length(previous_hash) = 32)
);

ALTER TABLE audit_chain ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_chain FORCE ROW LEVEL SECURITY;
ALTER TABLE audit_event ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_event FORCE ROW LEVEL SECURITY;

CREATE POLICY audit_chain_own ON audit_chain TO hansa_api
    USING (tenant_id = hansa_tenant()) WITH CHECK (tenant_id = hansa_tenant());
CREATE POLICY audit_event_own ON audit_event TO hansa_api
    USING (tenant_id = hansa_tenant()) WITH CHECK (tenant_id = hansa_tenant());
-- Sign-ins and the making of tenants are audited before a tenant's transaction can begin.
CREATE POLICY audit_chain_identity ON audit_chain TO hansa_identity
    USING (true) WITH CHECK (true);
CREATE POLICY audit_event_identity ON audit_event FOR INSERT TO hansa_identity
    WITH CHECK (true);

GRANT SELECT, INSERT, UPDATE ON audit_chain TO hansa_api, hansa_identity;
GRANT SELECT, INSERT ON audit_event TO hansa_api;
GRANT INSERT ON audit_event TO hansa_identity;
