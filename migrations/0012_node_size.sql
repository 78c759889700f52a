-- What a node in a cluster may use: its member chooses.

ALTER TABLE node
    ADD size text NOT NULL DEFAULT 'small',
    ADD volume_gib integer NOT NULL DEFAULT 10,
    ADD CONSTRAINT node_size_word CHECK (size IN ('small', 'medium', 'large')),
    ADD CONSTRAINT node_volume_bounds CHECK (volume_gib BETWEEN 1 AND 4096);
GRANT UPDATE (size, volume_gib) ON node TO hansa_api;

ALTER TABLE operation
    DROP CONSTRAINT operation_kind_word,
    ADD CONSTRAINT operation_kind_word CHECK (
        kind IN (
            'node_create', 'node_start', 'node_stop', 'node_restart', 'node_resize', 'node_delete',
            'ledger_launch', 'ledger_delete', 'consortium_delete'
        )
    );
