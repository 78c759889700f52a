-- The vault's own schema. No other service's role reaches it, and the vault reaches nothing else.

CREATE SCHEMA vault;
GRANT USAGE ON SCHEMA vault TO hansa_vault;

CREATE TABLE vault.key (
    id          uuid PRIMARY KEY,
    -- What it is for: 'access_token' signs access tokens, 'ledger_authority' nodes' certificates.
    kind        text NOT NULL,
    -- The ledger that it belongs to.
    ledger_id   uuid,
    -- Ed25519.
    public_key  bytea NOT NULL,
    -- The private half, sealed under the root key; bound to id, kind and ledger.
    sealed      bytea NOT NULL,
    -- PEM, of an authority.
    certificate text,
    created_at  timestamptz NOT NULL,
    -- Signs no more, and is listed until everything that it signed has ended.
    retired_at  timestamptz,
    CONSTRAINT key_kind_word CHECK (kind IN ('access_token', 'ledger_authority')),
    CONSTRAINT key_public_key_len CHECK (octet_length(public_key) = 32),
    CONSTRAINT key_of_ledger CHECK ((kind = 'ledger_authority') = (ledger_id IS NOT NULL)),
    CONSTRAINT key_certificate CHECK ((kind = 'ledger_authority') = (certificate IS NOT NULL))
);
-- One key at a time signs access tokens, one is a ledger's authority.
CREATE UNIQUE INDEX key_signing_key ON vault.key (kind)
    WHERE kind = 'access_token' AND retired_at IS NULL;
CREATE UNIQUE INDEX key_ledger_key ON vault.key (ledger_id) WHERE kind = 'ledger_authority';

GRANT SELECT, INSERT ON vault.key TO hansa_vault;
GRANT UPDATE (retired_at) ON vault.key TO hansa_vault;
