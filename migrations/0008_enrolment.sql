-- What a node brings when it enrols, and what members sign before a ledger begins.

ALTER TABLE node
    -- Ed25519, signs votes. Made by the node on its own volume.
    ADD consensus_key bytea,
    -- SHA-256 over the DER of its TLS key.
    ADD tls_key bytea,
    -- PEM, issued for that key.
    ADD certificate text,
    ADD enrolled_at timestamptz,
    ADD CONSTRAINT node_consensus_key_len CHECK (octet_length(consensus_key) = 32),
    ADD CONSTRAINT node_tls_key_len CHECK (octet_length(tls_key) = 32),
    ADD CONSTRAINT node_enrolled
        CHECK (num_nonnulls(consensus_key, tls_key, certificate, enrolled_at) IN (0, 4));

ALTER TABLE enrolment_token
    -- Over what it was used for: the same request again is answered again, another is refused.
    ADD request_hash bytea,
    ADD CONSTRAINT enrolment_token_used CHECK ((used_at IS NULL) = (request_hash IS NULL));

ALTER TABLE ledger
    -- What the members sign, composed when all founding nodes have enrolled.
    ADD charter jsonb;

-- A member's agreement: its signatures over the charter and over each of its nodes.
CREATE TABLE ledger_approval (
    ledger_id     uuid NOT NULL,
    member_id     uuid NOT NULL,
    consortium_id uuid NOT NULL,
    tenant_id     uuid NOT NULL,
    signature     bytea NOT NULL,
    -- [{node_id, signature}]
    endorsements  jsonb NOT NULL,
    approved_at   timestamptz NOT NULL,
    PRIMARY KEY (ledger_id, member_id),
    CONSTRAINT ledger_approval_ledger_fk FOREIGN KEY (ledger_id, consortium_id)
        REFERENCES ledger (id, consortium_id) ON DELETE CASCADE,
    CONSTRAINT ledger_approval_member_fk FOREIGN KEY (member_id, consortium_id, tenant_id)
        REFERENCES member (id, consortium_id, tenant_id),
    CONSTRAINT ledger_approval_signature_len CHECK (octet_length(signature) = 64)
);

ALTER TABLE ledger_approval ENABLE ROW LEVEL SECURITY;
ALTER TABLE ledger_approval FORCE ROW LEVEL SECURITY;

CREATE POLICY ledger_approval_see ON ledger_approval FOR SELECT TO hansa_api
    USING (
        EXISTS (
            SELECT FROM consortium_access a
            WHERE a.consortium_id = ledger_approval.consortium_id AND a.tenant_id = hansa_tenant()
                AND a.relation IN ('owner', 'member')
        )
    );
CREATE POLICY ledger_approval_give ON ledger_approval FOR INSERT TO hansa_api
    WITH CHECK (
        tenant_id = hansa_tenant()
        AND EXISTS (
            SELECT FROM consortium_access a
            WHERE a.consortium_id = ledger_approval.consortium_id AND a.tenant_id = hansa_tenant()
                AND a.relation IN ('owner', 'member')
        )
    );
CREATE POLICY ledger_approval_change ON ledger_approval FOR UPDATE TO hansa_api
    USING (tenant_id = hansa_tenant()) WITH CHECK (tenant_id = hansa_tenant());
CREATE POLICY ledger_approval_controller ON ledger_approval TO hansa_controller
    USING (true) WITH CHECK (true);

GRANT SELECT, INSERT ON ledger_approval TO hansa_api;
GRANT UPDATE (signature, endorsements, approved_at) ON ledger_approval TO hansa_api;
GRANT SELECT, DELETE ON ledger_approval TO hansa_controller;
GRANT UPDATE (consensus_key, tls_key, certificate, enrolled_at) ON node TO hansa_api;
GRANT UPDATE (used_at, request_hash) ON enrolment_token TO hansa_api;
GRANT UPDATE (charter) ON ledger TO hansa_controller;
GRANT UPDATE (deadline_at) ON operation TO hansa_controller;
-- What was found before is told apart from what is new by the node's own name for it.
ALTER TABLE incident
    ADD node_incident text,
    ADD CONSTRAINT incident_node_incident CHECK (node_incident IS NULL OR node_id IS NOT NULL);
CREATE UNIQUE INDEX incident_node_key ON incident (node_id, node_incident);
