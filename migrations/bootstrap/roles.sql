-- Run once for a cluster, by a role that may create roles; running it again changes nothing.
--
-- Five group roles, none of which can log in, none of which passes by row level security:
--
--   hansa_owner       owns the schema; migrations act as it, no service does
--   hansa_api         one tenant's rows at a time, chosen by the transaction (row level security)
--   hansa_identity    what must be known before the tenant is: tenants, users, sessions, API keys
--   hansa_controller  all tenants' rows, for reconcilers
--   hansa_vault       the schema of the vault and nothing else
--
-- Processes use login roles, made by whoever runs the installation, one for each use:
--
--   CREATE ROLE hansa_api_login LOGIN PASSWORD '…' IN ROLE hansa_api;
--
-- `hansa api` logs in as a member of hansa_api and as a member of hansa_identity, the controller
-- as members of hansa_api and hansa_controller, `hansa migrate` as a member of hansa_owner.

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY[
        'hansa_owner', 'hansa_api', 'hansa_identity', 'hansa_controller', 'hansa_vault'
    ] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
            EXECUTE format(
                'CREATE ROLE %I NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE', name
            );
        END IF;
    END LOOP;
END
$$;
