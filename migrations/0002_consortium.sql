-- Consortiums, who stands how to them, seats, and offers of seats.

CREATE TABLE consortium (
    id                      uuid PRIMARY KEY,
    owner_tenant_id         uuid NOT NULL REFERENCES tenant (id),
    name                    text NOT NULL,
    display_name            text NOT NULL,
    threshold_percentage    smallint NOT NULL,
    comparator              text NOT NULL,
    proposal_duration_hours smallint NOT NULL,
    phase                   text NOT NULL DEFAULT 'active',
    revision                bigint NOT NULL DEFAULT 1,
    created_at              timestamptz NOT NULL,
    deleted_at              timestamptz,
    CONSTRAINT consortium_id_owner_key UNIQUE (id, owner_tenant_id),
    CONSTRAINT consortium_name_form CHECK (name ~ '^[a-z][a-z0-9-]{0,62}$'),
    CONSTRAINT consortium_threshold CHECK (threshold_percentage BETWEEN 0 AND 100),
    CONSTRAINT consortium_comparator_word
        CHECK (comparator IN ('greater_than', 'greater_than_or_equal_to')),
    CONSTRAINT consortium_duration CHECK (proposal_duration_hours BETWEEN 1 AND 168),
    CONSTRAINT consortium_phase_word CHECK (phase IN ('active', 'deleting', 'deleted')),
    CONSTRAINT consortium_deleted CHECK ((phase = 'deleted') = (deleted_at IS NOT NULL))
);
CREATE UNIQUE INDEX consortium_name_key ON consortium (owner_tenant_id, name)
    WHERE phase <> 'deleted';

-- Who stands how to which consortium. Every other policy asks this table; its own policy asks
-- nothing else, so there is no recursion. The owner is repeated here, tied to the truth by a
-- foreign key, so that the owner can admit others without asking the table of consortiums.
CREATE TABLE consortium_access (
    consortium_id   uuid NOT NULL,
    tenant_id       uuid NOT NULL REFERENCES tenant (id),
    owner_tenant_id uuid NOT NULL,
    relation        text NOT NULL,
    PRIMARY KEY (tenant_id, consortium_id),
    CONSTRAINT consortium_access_owner_fk FOREIGN KEY (consortium_id, owner_tenant_id)
        REFERENCES consortium (id, owner_tenant_id) ON DELETE CASCADE,
    CONSTRAINT consortium_access_relation_word CHECK (relation IN ('owner', 'member', 'invitee')),
    CONSTRAINT consortium_access_owner CHECK ((relation = 'owner') = (tenant_id = owner_tenant_id))
);
CREATE INDEX consortium_access_of ON consortium_access (consortium_id, tenant_id);

CREATE TABLE member (
    id                uuid PRIMARY KEY,
    consortium_id     uuid NOT NULL REFERENCES consortium (id) ON DELETE CASCADE,
    tenant_id         uuid NOT NULL REFERENCES tenant (id),
    name              text NOT NULL,
    -- Ed25519, the member's authority over the consortium's ledgers.
    administrator_key bytea NOT NULL,
    -- Its signature over the statement of taking the seat, kept as proof.
    signature         bytea NOT NULL,
    phase             text NOT NULL DEFAULT 'active',
    revision          bigint NOT NULL DEFAULT 1,
    joined_at         timestamptz NOT NULL,
    CONSTRAINT member_name_key UNIQUE (consortium_id, name),
    CONSTRAINT member_key_key UNIQUE (consortium_id, administrator_key),
    CONSTRAINT member_id_key UNIQUE (id, consortium_id, tenant_id),
    CONSTRAINT member_name_form CHECK (name ~ '^[a-z][a-z0-9-]{0,62}$'),
    CONSTRAINT member_administrator_key_len CHECK (octet_length(administrator_key) = 32),
    CONSTRAINT member_signature_len CHECK (octet_length(signature) = 64),
    CONSTRAINT member_phase_word CHECK (phase IN ('active', 'removed'))
);
CREATE UNIQUE INDEX member_tenant_key ON member (consortium_id, tenant_id) WHERE phase = 'active';

CREATE TABLE invitation (
    id              uuid PRIMARY KEY,
    consortium_id   uuid NOT NULL,
    owner_tenant_id uuid NOT NULL,
    tenant_id       uuid NOT NULL REFERENCES tenant (id),
    phase           text NOT NULL DEFAULT 'pending',
    revision        bigint NOT NULL DEFAULT 1,
    created_at      timestamptz NOT NULL,
    expires_at      timestamptz NOT NULL,
    answered_at     timestamptz,
    CONSTRAINT invitation_consortium_fk FOREIGN KEY (consortium_id, owner_tenant_id)
        REFERENCES consortium (id, owner_tenant_id) ON DELETE CASCADE,
    CONSTRAINT invitation_phase_word
        CHECK (phase IN ('pending', 'accepted', 'declined', 'withdrawn', 'expired')),
    CONSTRAINT invitation_other CHECK (tenant_id <> owner_tenant_id)
);
CREATE UNIQUE INDEX invitation_pending_key ON invitation (consortium_id, tenant_id)
    WHERE phase = 'pending';
CREATE INDEX invitation_tenant ON invitation (tenant_id, id);

ALTER TABLE consortium ENABLE ROW LEVEL SECURITY;
ALTER TABLE consortium FORCE ROW LEVEL SECURITY;
ALTER TABLE consortium_access ENABLE ROW LEVEL SECURITY;
ALTER TABLE consortium_access FORCE ROW LEVEL SECURITY;
ALTER TABLE member ENABLE ROW LEVEL SECURITY;
ALTER TABLE member FORCE ROW LEVEL SECURITY;
ALTER TABLE invitation ENABLE ROW LEVEL SECURITY;
ALTER TABLE invitation FORCE ROW LEVEL SECURITY;

CREATE POLICY consortium_access_see ON consortium_access FOR SELECT TO hansa_api
    USING (tenant_id = hansa_tenant() OR owner_tenant_id = hansa_tenant());
CREATE POLICY consortium_access_admit ON consortium_access FOR INSERT TO hansa_api
    WITH CHECK (owner_tenant_id = hansa_tenant());
-- An invitee becomes a member by accepting; only the column `relation` may be changed.
CREATE POLICY consortium_access_accept ON consortium_access FOR UPDATE TO hansa_api
    USING (tenant_id = hansa_tenant() AND relation = 'invitee')
    WITH CHECK (tenant_id = hansa_tenant() AND relation = 'member');
CREATE POLICY consortium_access_end ON consortium_access FOR DELETE TO hansa_api
    USING (relation <> 'owner' AND (tenant_id = hansa_tenant() OR owner_tenant_id = hansa_tenant()));

CREATE POLICY consortium_see ON consortium FOR SELECT TO hansa_api
    USING (
        owner_tenant_id = hansa_tenant()
        OR EXISTS (
            SELECT FROM consortium_access a
            WHERE a.consortium_id = consortium.id AND a.tenant_id = hansa_tenant()
        )
    );
CREATE POLICY consortium_found ON consortium FOR INSERT TO hansa_api
    WITH CHECK (owner_tenant_id = hansa_tenant());
CREATE POLICY consortium_change ON consortium FOR UPDATE TO hansa_api
    USING (owner_tenant_id = hansa_tenant()) WITH CHECK (owner_tenant_id = hansa_tenant());

CREATE POLICY member_see ON member FOR SELECT TO hansa_api
    USING (
        EXISTS (
            SELECT FROM consortium_access a
            WHERE a.consortium_id = member.consortium_id AND a.tenant_id = hansa_tenant()
        )
    );
CREATE POLICY member_join ON member FOR INSERT TO hansa_api
    WITH CHECK (
        tenant_id = hansa_tenant()
        AND EXISTS (
            SELECT FROM consortium_access a
            WHERE a.consortium_id = member.consortium_id AND a.tenant_id = hansa_tenant()
                AND a.relation IN ('owner', 'member')
        )
    );
-- A member leaves its own seat; the owner removes others.
CREATE POLICY member_change ON member FOR UPDATE TO hansa_api
    USING (
        EXISTS (
            SELECT FROM consortium_access a
            WHERE a.consortium_id = member.consortium_id AND a.tenant_id = hansa_tenant()
                AND (a.relation = 'owner' OR member.tenant_id = hansa_tenant())
        )
    )
    WITH CHECK (
        EXISTS (
            SELECT FROM consortium_access a
            WHERE a.consortium_id = member.consortium_id AND a.tenant_id = hansa_tenant()
                AND (a.relation = 'owner' OR member.tenant_id = hansa_tenant())
        )
    );

CREATE POLICY invitation_see ON invitation FOR SELECT TO hansa_api
    USING (
        tenant_id = hansa_tenant()
        OR owner_tenant_id = hansa_tenant()
        OR EXISTS (
            SELECT FROM consortium_access a
            WHERE a.consortium_id = invitation.consortium_id AND a.tenant_id = hansa_tenant()
                AND a.relation = 'member'
        )
    );
CREATE POLICY invitation_make ON invitation FOR INSERT TO hansa_api
    WITH CHECK (owner_tenant_id = hansa_tenant());
CREATE POLICY invitation_answer ON invitation FOR UPDATE TO hansa_api
    USING (tenant_id = hansa_tenant() OR owner_tenant_id = hansa_tenant())
    WITH CHECK (tenant_id = hansa_tenant() OR owner_tenant_id = hansa_tenant());

GRANT SELECT, INSERT ON consortium, consortium_access, member, invitation TO hansa_api;
GRANT UPDATE (display_name, phase, revision, deleted_at) ON consortium TO hansa_api;
GRANT UPDATE (relation), DELETE ON consortium_access TO hansa_api;
GRANT UPDATE (phase, revision) ON member TO hansa_api;
GRANT UPDATE (phase, revision, answered_at) ON invitation TO hansa_api;
