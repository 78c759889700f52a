-- What reconcilers may do: see everything, change what they drive, never touch credentials.

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY[
        'tenant', 'consortium', 'consortium_access', 'member', 'invitation', 'ledger', 'node',
        'enrolment_token', 'incident', 'operation', 'idempotency', 'event', 'audit_chain',
        'audit_event'
    ] LOOP
        EXECUTE format(
            'CREATE POLICY %I ON %I TO hansa_controller USING (true) WITH CHECK (true)',
            name || '_controller', name
        );
    END LOOP;
END
$$;

GRANT SELECT ON
    tenant, consortium, consortium_access, member, invitation, ledger, node, enrolment_token,
    incident, operation, idempotency, event, event_horizon, audit_chain, audit_event
    TO hansa_controller;
GRANT UPDATE (phase, revision, deleted_at) ON consortium TO hansa_controller;
GRANT DELETE ON consortium_access TO hansa_controller;
GRANT UPDATE (phase, revision, answered_at) ON invitation TO hansa_controller;
GRANT UPDATE (phase, reason, genesis, observed_generation, revision) ON ledger TO hansa_controller;
GRANT UPDATE (
    desired, phase, reason, p2p_address, http_address, observation, placement, observed_generation,
    generation, revision
) ON node TO hansa_controller;
GRANT INSERT, UPDATE, DELETE ON enrolment_token TO hansa_controller;
GRANT INSERT, UPDATE ON incident, operation, audit_chain TO hansa_controller;
GRANT INSERT ON audit_event TO hansa_controller;
GRANT INSERT, DELETE ON event TO hansa_controller;
GRANT UPDATE ON event_horizon TO hansa_controller;
GRANT DELETE ON idempotency TO hansa_controller;
