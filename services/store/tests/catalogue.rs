//! What can be read off the catalogue: the rules that hold for every table, also for tomorrow's.

use sqlx::{PgConnection, Row};

use crate::fixture::World;

/// Tables without a tenant's data, each with its reason.
const WITHOUT_ROW_SECURITY: [&str; 2] = [
    "_sqlx_migrations", // the migrations' own record; only the owner may read it
    "event_horizon",    // one row that says up to where events were removed
];

async fn names(connection: &mut PgConnection, query: &'static str) -> Vec<String> {
    let rows = sqlx::query(query).fetch_all(connection).await.expect("the catalogue is readable");
    rows.iter().map(|row| row.get(0)).collect()
}

/// S-12, row 1: a role that passes by row level security would make every policy void.
#[tokio::test]
async fn s12_01_no_role_of_ours_passes_by_row_security() {
    let mut connection = World::new().await.superuser().await;
    let query = "SELECT rolname::text FROM pg_roles WHERE (rolsuper OR rolbypassrls OR rolcreaterole) \
                 AND (rolname LIKE 'hansa_%' OR rolname LIKE '%_login') AND rolname <> 'hansa_super'";
    let privileged = names(&mut connection, query).await;
    assert!(privileged.is_empty(), "these roles pass by row level security: {privileged:?}");
}

/// S-12, row 2: without FORCE a table's owner sees all rows; and no service owns a table.
#[tokio::test]
async fn s12_02_every_table_forces_row_security_and_belongs_to_the_owner() {
    let mut connection = World::new().await.superuser().await;
    let query = "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace \
                 AND relkind IN ('r', 'p') AND NOT (relrowsecurity AND relforcerowsecurity)";
    let mut open = names(&mut connection, query).await;
    open.retain(|table| !WITHOUT_ROW_SECURITY.contains(&table.as_str()));
    assert!(open.is_empty(), "add ENABLE and FORCE ROW LEVEL SECURITY to {open:?}");

    let query = "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace \
                 AND pg_get_userbyid(relowner) <> 'hansa_owner'";
    let strays = names(&mut connection, query).await;
    assert!(strays.is_empty(), "migrations must act as hansa_owner: {strays:?}");
}

/// S-12, row 4: a materialised view holds all tenants' rows and knows no policy.
#[tokio::test]
async fn s12_04_there_is_no_materialised_view() {
    let mut connection = World::new().await.superuser().await;
    let views = names(&mut connection, "SELECT matviewname::text FROM pg_matviews").await;
    assert!(views.is_empty(), "materialised views know no row level security: {views:?}");
}

/// S-12, row 5: a view runs with its owner's rights unless it says otherwise.
#[tokio::test]
async fn s12_05_every_view_runs_with_its_callers_rights() {
    let mut connection = World::new().await.superuser().await;
    let query = "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace \
                 AND relkind = 'v' AND NOT coalesce(reloptions @> '{security_invoker=true}', false)";
    let views = names(&mut connection, query).await;
    assert!(views.is_empty(), "create these views WITH (security_invoker = true): {views:?}");
}

/// S-12, row 9: a unique key without the tenant tells whether another tenant has a value. Ids are
/// random and tell nothing; the exceptions are names that are public by design.
#[tokio::test]
async fn s12_09_unique_keys_name_the_tenant_or_their_parent() {
    const PUBLIC: [&str; 3] = [
        "cluster_name_key",    // every tenant is offered all of them
        "tenant_name_key",     // only the operator of the installation makes tenants
        "tenant_platform_key", // at most one
    ];
    let mut connection = World::new().await.superuser().await;
    // The first column must be the tenant, the parent that the tenant must see, or an id.
    let query = "SELECT i.relname::text FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid \
                 JOIN pg_class t ON t.oid = x.indrelid \
                 JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = x.indkey[0] \
                 WHERE x.indisunique AND t.relnamespace = 'public'::regnamespace \
                 AND t.relname NOT IN ('_sqlx_migrations', 'event_horizon', 'event') \
                 AND a.attname NOT IN ('tenant_id', 'owner_tenant_id', 'consortium_id', \
                 'ledger_id', 'node_id', 'id')";
    let mut keys = names(&mut connection, query).await;
    keys.retain(|key| !PUBLIC.contains(&key.as_str()));
    assert!(keys.is_empty(), "begin these unique keys with the tenant: {keys:?}");
}

/// S-12, row 11: TRUNCATE ignores row level security.
#[tokio::test]
async fn s12_11_nobody_may_truncate() {
    let mut connection = World::new().await.superuser().await;
    let query = "SELECT grantee || ' on ' || table_name FROM information_schema.table_privileges \
                 WHERE table_schema = 'public' AND grantee <> 'hansa_owner' \
                 AND privilege_type IN ('TRUNCATE', 'REFERENCES', 'TRIGGER')";
    let granted = names(&mut connection, query).await;
    assert!(granted.is_empty(), "revoke: {granted:?}");
}

/// S-12, row 13: a SECURITY DEFINER function sees what its owner sees.
#[tokio::test]
async fn s12_13_no_function_runs_with_its_owners_rights() {
    let mut connection = World::new().await.superuser().await;
    let query = "SELECT proname::text FROM pg_proc WHERE prosecdef \
                 AND pronamespace = 'public'::regnamespace";
    let functions = names(&mut connection, query).await;
    assert!(functions.is_empty(), "these functions pass by row level security: {functions:?}");
}

/// Credentials are the identity role's; the audit trail can be read and appended to, not changed.
#[tokio::test]
async fn roles_have_no_more_rights_than_they_need() {
    let mut connection = World::new().await.superuser().await;
    let query = "SELECT grantee || ' ' || privilege_type || ' on ' || table_name \
                 FROM information_schema.table_privileges WHERE table_schema = 'public' AND ( \
                 (grantee = 'hansa_controller' AND table_name IN ('app_user', 'session', 'api_key')) \
                 OR (grantee = 'hansa_identity' AND table_name IN ('consortium', \
                 'consortium_access', 'member', 'invitation', 'ledger', 'node', 'operation', \
                 'enrolment_token', 'incident', 'event')) \
                 OR (table_name = 'audit_event' AND privilege_type IN ('UPDATE', 'DELETE') \
                 AND grantee <> 'hansa_owner') \
                 OR grantee = 'PUBLIC')";
    let granted = names(&mut connection, query).await;
    assert!(granted.is_empty(), "revoke: {granted:?}");
}
