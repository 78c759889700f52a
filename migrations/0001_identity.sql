-- Tenants, people, and their credentials.
--
-- Rules for every table (docs/howto/add-a-table.md): ENABLE and FORCE row level security; every
-- key that is unique names the tenant, so that it tells nothing of others; every foreign key
-- carries the tenant, since PostgreSQL checks foreign keys without row level security; rights are
-- granted verb by verb, and TRUNCATE never.

-- The tenant of this transaction, or NULL: then no policy matches and nothing is seen. After a
-- transaction the setting is '', not NULL, hence nullif.
CREATE FUNCTION hansa_tenant() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN nullif(current_setting('hansa.tenant_id', true), '')::uuid;

CREATE TABLE tenant (
    id           uuid PRIMARY KEY,
    name         text NOT NULL,
    display_name text NOT NULL,
    kind         text NOT NULL,
    phase        text NOT NULL DEFAULT 'active',
    revision     bigint NOT NULL DEFAULT 1,
    created_at   timestamptz NOT NULL,
    -- Only the operator of the installation makes tenants, and sees all their names.
    CONSTRAINT tenant_name_key UNIQUE (name),
    CONSTRAINT tenant_id_kind_key UNIQUE (id, kind),
    CONSTRAINT tenant_name_form CHECK (name ~ '^[a-z][a-z0-9-]{0,62}$'),
    CONSTRAINT tenant_kind_word CHECK (kind IN ('platform', 'customer')),
    CONSTRAINT tenant_phase_word CHECK (phase IN ('active', 'suspended'))
);
CREATE UNIQUE INDEX tenant_platform_key ON tenant (kind) WHERE kind = 'platform';

CREATE TABLE app_user (
    id              uuid PRIMARY KEY,
    tenant_id       uuid NOT NULL,
    tenant_kind     text NOT NULL,
    email           text NOT NULL,
    display_name    text NOT NULL,
    role            text NOT NULL,
    phase           text NOT NULL DEFAULT 'active',
    -- Argon2id in PHC form.
    password_hash   text NOT NULL,
    failures        integer NOT NULL DEFAULT 0,
    paused_until    timestamptz,
    revision        bigint NOT NULL DEFAULT 1,
    created_at      timestamptz NOT NULL,
    last_sign_in_at timestamptz,
    CONSTRAINT app_user_email_key UNIQUE (tenant_id, email),
    CONSTRAINT app_user_tenant_id_key UNIQUE (tenant_id, id),
    CONSTRAINT app_user_tenant_fk FOREIGN KEY (tenant_id, tenant_kind) REFERENCES tenant (id, kind),
    CONSTRAINT app_user_role_word
        CHECK (role IN ('platform_operator', 'tenant_admin', 'operator', 'viewer')),
    -- Whoever runs the installation is in its own tenant, and nobody else is.
    CONSTRAINT app_user_role_of_kind
        CHECK ((role = 'platform_operator') = (tenant_kind = 'platform')),
    CONSTRAINT app_user_phase_word CHECK (phase IN ('active', 'disabled'))
);

CREATE TABLE session (
    id           uuid PRIMARY KEY,
    tenant_id    uuid NOT NULL,
    user_id      uuid NOT NULL,
    -- HMAC-SHA-256 of the secret in the cookie.
    secret_hash  bytea NOT NULL,
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    last_used_at timestamptz,
    ended_at     timestamptz,
    CONSTRAINT session_user_fk
        FOREIGN KEY (tenant_id, user_id) REFERENCES app_user (tenant_id, id) ON DELETE CASCADE,
    CONSTRAINT session_secret_hash_len CHECK (octet_length(secret_hash) = 32)
);
CREATE INDEX session_of_user ON session (tenant_id, user_id) WHERE ended_at IS NULL;

CREATE TABLE api_key (
    id           uuid PRIMARY KEY,
    tenant_id    uuid NOT NULL,
    tenant_kind  text NOT NULL,
    name         text NOT NULL,
    role         text NOT NULL,
    -- HMAC-SHA-256 of the secret part of the key.
    secret_hash  bytea NOT NULL,
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    last_used_at timestamptz,
    ended_at     timestamptz,
    CONSTRAINT api_key_tenant_fk FOREIGN KEY (tenant_id, tenant_kind) REFERENCES tenant (id, kind),
    CONSTRAINT api_key_name_form CHECK (name ~ '^[a-z][a-z0-9-]{0,62}$'),
    CONSTRAINT api_key_role_word
        CHECK (role IN ('platform_operator', 'tenant_admin', 'operator', 'viewer')),
    CONSTRAINT api_key_role_of_kind
        CHECK ((role = 'platform_operator') = (tenant_kind = 'platform')),
    CONSTRAINT api_key_secret_hash_len CHECK (octet_length(secret_hash) = 32)
);
-- A name can be used again once its key has ended.
CREATE UNIQUE INDEX api_key_name_key ON api_key (tenant_id, name) WHERE ended_at IS NULL;

ALTER TABLE tenant ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenant FORCE ROW LEVEL SECURITY;
ALTER TABLE app_user ENABLE ROW LEVEL SECURITY;
ALTER TABLE app_user FORCE ROW LEVEL SECURITY;
ALTER TABLE session ENABLE ROW LEVEL SECURITY;
ALTER TABLE session FORCE ROW LEVEL SECURITY;
ALTER TABLE api_key ENABLE ROW LEVEL SECURITY;
ALTER TABLE api_key FORCE ROW LEVEL SECURITY;

CREATE POLICY tenant_own ON tenant FOR SELECT TO hansa_api
    USING (id = hansa_tenant());
CREATE POLICY app_user_own ON app_user TO hansa_api
    USING (tenant_id = hansa_tenant()) WITH CHECK (tenant_id = hansa_tenant());
CREATE POLICY session_own ON session TO hansa_api
    USING (tenant_id = hansa_tenant()) WITH CHECK (tenant_id = hansa_tenant());
CREATE POLICY api_key_own ON api_key TO hansa_api
    USING (tenant_id = hansa_tenant()) WITH CHECK (tenant_id = hansa_tenant());

CREATE POLICY tenant_identity ON tenant TO hansa_identity USING (true) WITH CHECK (true);
CREATE POLICY app_user_identity ON app_user TO hansa_identity USING (true) WITH CHECK (true);
CREATE POLICY session_identity ON session TO hansa_identity USING (true) WITH CHECK (true);
CREATE POLICY api_key_identity ON api_key TO hansa_identity USING (true) WITH CHECK (true);

GRANT SELECT ON tenant TO hansa_api;
GRANT SELECT, INSERT, UPDATE, DELETE ON app_user TO hansa_api;
GRANT SELECT, INSERT, UPDATE ON session, api_key TO hansa_api;

GRANT SELECT, INSERT ON tenant TO hansa_identity;
GRANT UPDATE (display_name, phase, revision) ON tenant TO hansa_identity;
GRANT SELECT, INSERT ON app_user, session TO hansa_identity;
GRANT UPDATE (failures, paused_until, last_sign_in_at) ON app_user TO hansa_identity;
GRANT UPDATE (last_used_at, ended_at) ON session TO hansa_identity;
GRANT SELECT, INSERT ON api_key TO hansa_identity;
GRANT UPDATE (last_used_at) ON api_key TO hansa_identity;
