-- What users can end: ledgers, tenants, people with their keys. Names of what is gone are free again.

ALTER TABLE tenant
    DROP CONSTRAINT tenant_phase_word,
    -- A tenant that is gone stays as a row: trails and ended consortiums refer to it.
    ADD CONSTRAINT tenant_phase_word CHECK (phase IN ('active', 'suspended', 'deleted')),
    DROP CONSTRAINT tenant_name_key;
CREATE UNIQUE INDEX tenant_name_key ON tenant (name) WHERE phase <> 'deleted';

ALTER TABLE ledger DROP CONSTRAINT ledger_name_key;
CREATE UNIQUE INDEX ledger_name_key ON ledger (consortium_id, name) WHERE phase <> 'deleted';

ALTER TABLE node DROP CONSTRAINT node_name_key;
CREATE UNIQUE INDEX node_name_key ON node (ledger_id, name) WHERE phase <> 'deleted';

ALTER TABLE operation
    DROP CONSTRAINT operation_kind_word,
    ADD CONSTRAINT operation_kind_word CHECK (
        kind IN (
            'node_create', 'node_start', 'node_stop', 'node_restart', 'node_delete',
            'ledger_launch', 'ledger_delete', 'consortium_delete'
        )
    );

-- Who made a key: it ends with its maker's account. Keys that other keys made have none.
ALTER TABLE api_key ADD created_by uuid;
CREATE INDEX api_key_created_by ON api_key (tenant_id, created_by) WHERE ended_at IS NULL;
