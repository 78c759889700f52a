//! Row level security as a tenant's connection meets it (S-12, the rows of behaviour).

use hansa_core::{Error, PageRequest};
use hansa_store::testing::{API, IDENTITY};
use sqlx::{Connection, PgConnection};

use crate::fixture::{Tenant, World, name, now, seat};

/// Runs statements as the API's role for one tenant, and rolls them back.
async fn as_tenant(
    connection: &mut PgConnection,
    tenant: &Tenant,
    statement: &'static str,
    parameter: Option<hansa_core::Uuid>,
) -> Result<u64, String> {
    let mut tx = connection.begin().await.expect("a transaction");
    sqlx::query("SELECT set_config('hansa.tenant_id', $1, true)")
        .bind(tenant.id.to_string())
        .execute(&mut *tx)
        .await
        .expect("a setting");
    let query = sqlx::query(statement);
    let query = if let Some(id) = parameter { query.bind(id) } else { query };
    let result = query.execute(&mut *tx).await.map(|done| done.rows_affected());
    result.map_err(|error| error.to_string())
}

/// S-12, row 3: a transaction that names no tenant sees nothing.
#[tokio::test]
async fn s12_03_without_a_tenant_there_are_no_rows() {
    let world = World::new().await;
    let alpha = world.tenant("alpha").await;
    world.consortium(&alpha, "demo").await;
    let mut connection = world.raw(API).await;
    for query in [
        "SELECT count(*) FROM tenant",
        "SELECT count(*) FROM app_user",
        "SELECT count(*) FROM consortium",
        "SELECT count(*) FROM consortium_access",
        "SELECT count(*) FROM member",
    ] {
        let seen: i64 = sqlx::query_scalar(query).fetch_one(&mut connection).await.expect("runs");
        assert_eq!(seen, 0, "{query} must show nothing without a tenant");
    }
}

/// S-12, rows 6 and 7: a connection that comes back to the pool belongs to nobody, and the empty
/// setting that is left behind is no error.
#[tokio::test]
async fn s12_06_07_a_returned_connection_has_no_tenant() {
    let world = World::new().await;
    let alpha = world.tenant("alpha").await;
    let mut connection = world.raw(API).await;
    as_tenant(&mut connection, &alpha, "SELECT 1", None).await.expect("runs");
    let setting: String = sqlx::query_scalar("SELECT current_setting('hansa.tenant_id', true)")
        .fetch_one(&mut connection)
        .await
        .expect("it was set once");
    assert_eq!(setting, "", "PostgreSQL leaves the empty string: policies must use nullif");
    let seen: i64 = sqlx::query_scalar("SELECT count(*) FROM tenant")
        .fetch_one(&mut connection)
        .await
        .expect("a query after a transaction must not fail on the empty setting");
    assert_eq!(seen, 0);
}

/// S-12, row 6: no query of ours sets a tenant for longer than its transaction.
#[test]
fn s12_06_no_setting_outlives_its_transaction() {
    let mut folders = vec![std::path::PathBuf::from("src")];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("our own sources") {
            let path = entry.expect("readable").path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    assert!(files.len() > 20, "too few sources were found: {files:?}");
    for path in files {
        let text = std::fs::read_to_string(&path).expect("our own source");
        for (place, _) in text.match_indices("set_config(") {
            let end = text[place..].find(')').expect("a closed call") + place;
            let call = &text[place..end];
            assert!(call.ends_with("true"), "{}: {call}) must be local", path.display());
        }
        assert!(!text.contains("SET hansa."), "{}: use set_config(…, true)", path.display());
    }
}

/// S-12, row 8: a tenant can neither insert for another nor give its rows away.
#[tokio::test]
async fn s12_08_rows_cannot_be_written_for_another_tenant() {
    let world = World::new().await;
    let (alpha, beta) = (world.tenant("alpha").await, world.tenant("beta").await);
    let mut connection = world.raw(API).await;
    for statement in [
        "INSERT INTO consortium (id, owner_tenant_id, name, display_name, threshold_percentage, \
         comparator, proposal_duration_hours, created_at) \
         VALUES (gen_random_uuid(), $1, 'x', 'x', 50, 'greater_than', 24, now())",
        "INSERT INTO operation (id, tenant_id, kind, steps, actor, request_id, created_at, \
         deadline_at) VALUES (gen_random_uuid(), $1, 'node_stop', '[]', 'x', gen_random_uuid(), \
         now(), now())",
        "UPDATE app_user SET tenant_id = $1",
    ] {
        let refused = as_tenant(&mut connection, &alpha, statement, Some(beta.id.uuid())).await;
        let why = refused.expect_err("it must be refused");
        assert!(why.contains("row-level security"), "{statement}: {why}");
    }
}

/// S-12, row 9: two tenants may use the same names, and neither learns of the other.
#[tokio::test]
async fn s12_09_names_are_free_in_every_tenant() {
    let world = World::new().await;
    let (alpha, beta) = (world.tenant("alpha").await, world.tenant("beta").await);
    world.consortium(&alpha, "demo").await;
    world.consortium(&beta, "demo").await;
    let page = PageRequest::default();
    let seen = world.tx(&beta).await.consortium_list(page).await.expect("a list");
    assert_eq!(seen.items.len(), 1, "beta sees its own consortium and no other");
}

/// S-12, row 10: PostgreSQL checks foreign keys without row level security, so they carry the
/// tenant: a row cannot point into another's.
#[tokio::test]
async fn s12_10_foreign_keys_do_not_reach_into_another_tenant() {
    let world = World::new().await;
    let (alpha, beta) = (world.tenant("alpha").await, world.tenant("beta").await);
    let mut connection = world.raw(API).await;
    let statement = "INSERT INTO session \
                     (id, tenant_id, user_id, secret_hash, created_at, expires_at) \
                     VALUES (gen_random_uuid(), hansa_tenant(), $1, decode(repeat('00', 32), 'hex'), \
                     now(), now())";
    let refused = as_tenant(&mut connection, &alpha, statement, Some(beta.user.uuid())).await;
    assert!(
        refused.expect_err("refused").contains("session_user_fk"),
        "the key must carry the tenant"
    );

    // A tenant that pretends to own another's consortium cannot let itself in.
    let foreign = world.consortium(&beta, "demo").await;
    let statement = "INSERT INTO consortium_access \
                     (consortium_id, tenant_id, owner_tenant_id, relation) \
                     VALUES ($1, hansa_tenant(), hansa_tenant(), 'owner')";
    let refused = as_tenant(&mut connection, &alpha, statement, Some(foreign.uuid())).await;
    assert!(refused.expect_err("refused").contains("consortium_access_owner_fk"));
    let statement = "INSERT INTO member \
                     (id, consortium_id, tenant_id, name, administrator_key, signature, joined_at) \
                     VALUES (gen_random_uuid(), $1, hansa_tenant(), 'x', \
                     decode(repeat('00', 32), 'hex'), decode(repeat('00', 64), 'hex'), now())";
    let refused = as_tenant(&mut connection, &alpha, statement, Some(foreign.uuid())).await;
    assert!(refused.expect_err("refused").contains("row-level security"));
}

/// S-12, row 12: an upsert on another tenant's row changes nothing.
#[tokio::test]
async fn s12_12_an_upsert_does_not_reach_another_tenants_row() {
    let world = World::new().await;
    let (alpha, beta) = (world.tenant("alpha").await, world.tenant("beta").await);
    let mut connection = world.raw(API).await;
    let statement = "INSERT INTO app_user (id, tenant_id, tenant_kind, email, display_name, role, \
                     password_hash, created_at) VALUES ($1, hansa_tenant(), 'customer', 'x@x', 'x', \
                     'viewer', 'x', now()) ON CONFLICT (id) DO UPDATE SET password_hash = 'stolen'";
    let refused = as_tenant(&mut connection, &alpha, statement, Some(beta.user.uuid())).await;
    refused.expect_err("an id that another tenant has must not be taken over");
    let hash: String = sqlx::query_scalar("SELECT password_hash FROM app_user WHERE id = $1")
        .bind(beta.user.uuid())
        .fetch_one(&mut world.raw(IDENTITY).await)
        .await
        .expect("the identity role sees users");
    assert_eq!(hash, "unusable");
}

/// Updates and deletes without a WHERE touch the own rows only: a forgotten condition is harmless.
#[tokio::test]
async fn a_forgotten_where_reaches_no_other_tenant() {
    let world = World::new().await;
    let (alpha, beta) = (world.tenant("alpha").await, world.tenant("beta").await);
    let mut connection = world.raw(API).await;
    for statement in ["UPDATE app_user SET failures = 9", "DELETE FROM app_user"] {
        let touched = as_tenant(&mut connection, &alpha, statement, None).await.expect("runs");
        assert_eq!(touched, 1, "{statement} must touch the own user only");
    }
    world.tx(&beta).await.user_get(beta.user).await.expect("beta's user is untouched");
    let foreign = world.tx(&alpha).await.user_get(beta.user).await;
    assert!(matches!(foreign, Err(Error::NotFound(_))), "a foreign id is not found");
}

/// A handle that leaked to another tenant matches no row there: the tenant comes from the actor.
#[tokio::test]
async fn a_leaked_handle_is_worth_nothing() {
    let world = World::new().await;
    let (alpha, beta) = (world.tenant("alpha").await, world.tenant("beta").await);
    let consortium = world.consortium(&alpha, "demo").await;
    let ledger = world.ledger(&alpha, consortium).await;
    let (leaked, _) = world.tx(&alpha).await.ledger_find(ledger).await.expect("alpha's own");
    let mut tx = world.tx(&beta).await;
    let node = hansa_store::NewNode {
        id: hansa_core::NodeId::new(),
        ledger: leaked,
        member: leaked.seat().expect("alpha's seat"),
        name: name("spy"),
        runtime: "process".parse().unwrap(),
        cluster: None,
        size: hansa_types::NodeSize::Small,
        volume_gib: 10,
        now: now(),
    };
    tx.node_insert(&node).await.expect_err("beta must not add a node to alpha's ledger");
    let mut tx = world.tx(&beta).await;
    tx.member_insert(&seat(consortium, &beta)).await.expect_err("beta has no seat there");
}

/// What a node wrote is its member's alone: neither a co-member of the consortium nor a stranger reads or
/// takes the answer, and nobody asks for another's node.
#[tokio::test]
async fn a_log_is_read_by_its_own_tenant_only() {
    let world = World::new().await;
    let (alpha, beta) = (world.tenant("alpha").await, world.tenant("beta").await);
    let consortium = world.consortium(&alpha, "demo").await;
    let invitation = world.invite(&alpha, consortium, &beta).await;
    world.accept(&beta, consortium, invitation).await;
    let ledger = world.ledger(&alpha, consortium).await;
    let node = world.node(&alpha, ledger, "a1").await;
    let ask = |tenant: &Tenant| hansa_store::NewLogRequest {
        id: hansa_core::Uuid::now_v7(),
        tenant: tenant.id,
        node,
        lines: 10,
        now: now(),
    };
    let own = ask(&alpha);
    let mut tx = world.tx(&alpha).await;
    tx.log_request_insert(&own).await.expect("its own node");
    tx.commit().await.expect("committed");
    let refused = world.tx(&beta).await.log_request_insert(&ask(&beta)).await;
    refused.expect_err("the node is alpha's");
    let refused = world.tx(&beta).await.log_request_insert(&ask(&alpha)).await;
    refused.expect_err("beta must not ask in alpha's name");
    let mut tx = world.controller_tx().await;
    let open = tx.log_request_open().await.expect("the controller sees it");
    assert_eq!(open.iter().map(|open| open.id).collect::<Vec<_>>(), [own.id]);
    tx.log_request_answer(own.id, &Ok("secret".to_owned())).await.expect("answered");
    tx.commit().await.expect("committed");
    let stolen = world.tx(&beta).await.log_request_take(own.id).await.expect("a look");
    assert_eq!(stolen, None);
    let taken = world.tx(&alpha).await.log_request_take(own.id).await.expect("a look");
    assert_eq!(taken, Some(Ok("secret".to_owned())));
}
