//! What each of the five relations to a consortium sees: owner, co-member, invitee, removed member,
//! stranger (architecture, settled point 1).

use hansa_core::{ConsortiumId, InvitationId, LedgerId, NodeId, PageRequest};
use hansa_types::{MemberPhase, Relation};
use sqlx::PgConnection;

use crate::fixture::{Tenant, World};

struct Scene {
    world: World,
    owner: Tenant,
    member: Tenant,
    invitee: Tenant,
    removed: Tenant,
    stranger: Tenant,
    consortium: ConsortiumId,
    ledger: LedgerId,
    owners_node: NodeId,
    open: InvitationId,
}

async fn scene() -> Scene {
    let world = World::new().await;
    let owner = world.tenant("owner").await;
    let member = world.tenant("member").await;
    let invitee = world.tenant("invitee").await;
    let removed = world.tenant("removed").await;
    let stranger = world.tenant("stranger").await;
    let consortium = world.consortium(&owner, "demo").await;
    for guest in [&member, &removed] {
        let invitation = world.invite(&owner, consortium, guest).await;
        world.accept(guest, consortium, invitation).await;
    }
    let open = world.invite(&owner, consortium, &invitee).await;
    let ledger = world.ledger(&owner, consortium).await;
    let owners_node = world.node(&owner, ledger, "one").await;
    world.node(&member, ledger, "two").await;
    remove(&world, &owner, consortium, &removed).await;
    Scene {
        world,
        owner,
        member,
        invitee,
        removed,
        stranger,
        consortium,
        ledger,
        owners_node,
        open,
    }
}

async fn remove(world: &World, owner: &Tenant, consortium: ConsortiumId, guest: &Tenant) {
    let mut tx = world.tx(owner).await;
    let seats = tx.member_list(consortium, PageRequest::default()).await.expect("seats").items;
    let seat = seats.iter().find(|seat| seat.tenant_id == guest.id).expect("it has a seat");
    assert_eq!(seat.phase, MemberPhase::Active);
    tx.member_remove(seat.id, seat.revision).await.expect("the owner removes members");
    tx.access_delete(consortium, guest.id).await.expect("and their sight of it");
    tx.commit().await.expect("committed");
}

/// How many (consortiums, members, open invitations, ledgers, nodes, incidents) a tenant sees.
async fn sees(scene: &Scene, tenant: &Tenant) -> [usize; 6] {
    let page = PageRequest::default();
    let mut tx = scene.world.tx(tenant).await;
    let members = tx.member_list(scene.consortium, page).await.expect("a list").items.len();
    let invitations = tx.invitation_list(Some(scene.consortium), page).await.expect("a list");
    let open = invitations.items.iter().filter(|i| i.id == scene.open).count();
    [
        tx.consortium_list(page).await.expect("a list").items.len(),
        members,
        open,
        tx.ledger_list(scene.consortium, page).await.expect("a list").items.len(),
        tx.node_list(scene.ledger, page).await.expect("a list").items.len(),
        tx.incident_list(scene.ledger, page).await.expect("a list").items.len(),
    ]
}

async fn plant_incident(connection: &mut PgConnection, scene: &Scene) {
    sqlx::query(
        "INSERT INTO incident (id, consortium_id, ledger_id, kind, summary, opened_at) \
         VALUES (gen_random_uuid(), $1, $2, 'block_corrupt', 'planted', now())",
    )
    .bind(scene.consortium.uuid())
    .bind(scene.ledger.uuid())
    .execute(connection)
    .await
    .expect("planted");
}

/// Each relation sees exactly its part, by query and by id.
#[tokio::test]
async fn each_relation_sees_its_part() {
    let scene = scene().await;
    plant_incident(&mut scene.world.superuser().await, &scene).await;
    assert_eq!(sees(&scene, &scene.owner).await, [1, 2, 1, 1, 2, 1], "the owner sees everything");
    assert_eq!(sees(&scene, &scene.member).await, [1, 2, 1, 1, 2, 1], "so does a co-member");
    assert_eq!(
        sees(&scene, &scene.invitee).await,
        [1, 2, 1, 0, 0, 0],
        "an invitee sees whom it would join, and no ledger"
    );
    assert_eq!(sees(&scene, &scene.removed).await, [0; 6], "a removed member is a stranger");
    assert_eq!(sees(&scene, &scene.stranger).await, [0; 6], "a stranger sees nothing");

    for (tenant, ledger_seen) in [
        (&scene.owner, true),
        (&scene.member, true),
        (&scene.invitee, false),
        (&scene.removed, false),
        (&scene.stranger, false),
    ] {
        let mut tx = scene.world.tx(tenant).await;
        assert_eq!(tx.ledger_find(scene.ledger).await.is_ok(), ledger_seen);
        assert_eq!(tx.node_find(scene.owners_node).await.is_ok(), ledger_seen);
    }
    let (handle, _) = scene
        .world
        .tx(&scene.member)
        .await
        .consortium_find(scene.consortium)
        .await
        .expect("it is seen");
    assert_eq!(handle.relation(), Relation::Member);
    assert!(handle.seat().is_some(), "a member has a seat");
}

/// Co-members see that a node is there and how it does, not where it runs.
#[tokio::test]
async fn a_node_shows_its_private_part_to_its_own_member_only() {
    let scene = scene().await;
    let of = |tenant: Tenant| {
        let world = &scene.world;
        let node = scene.owners_node;
        async move { world.tx(&tenant).await.node_find(node).await.expect("it is seen") }
    };
    let (handle, node) = of(scene.owner).await;
    assert!(handle.own() && node.private.is_some(), "the owner of the node sees all of it");
    let (handle, node) = of(scene.member).await;
    assert!(!handle.own() && node.private.is_none(), "a co-member must not see where it runs");
}

/// A co-member can neither change another's node, nor the ledger, nor remove the owner.
#[tokio::test]
async fn a_member_changes_only_its_own() {
    let scene = scene().await;
    let mut tx = scene.world.tx(&scene.member).await;
    let (_, node) = tx.node_find(scene.owners_node).await.expect("it is seen");
    let stopped = tx.node_set_desired(node.id, node.revision, hansa_types::RunState::Stopped).await;
    assert!(stopped.is_err(), "a co-member must not stop another's node");
    let (_, ledger) = tx.ledger_find(scene.ledger).await.expect("it is seen");
    let changed = tx.ledger_update(ledger.id, ledger.revision, None, Some(false)).await;
    assert!(changed.is_err(), "only the owner's tenant changes a ledger");
    let seats =
        tx.member_list(scene.consortium, PageRequest::default()).await.expect("seats").items;
    let owners = seats.iter().find(|s| s.tenant_id == scene.owner.id).expect("the owner's seat");
    assert!(tx.member_remove(owners.id, owners.revision).await.is_err());
    tx.access_delete(scene.consortium, scene.owner.id).await.expect("runs, and matches nothing");
    tx.commit().await.expect("committed");
    assert_eq!(sees(&scene, &scene.owner).await[0], 1, "the owner still sees its consortium");
}

/// An invitee cannot make itself a member of anything but the consortium that it was invited to,
/// nor an owner of that one.
#[tokio::test]
async fn an_invitee_cannot_become_more_than_a_member() {
    let scene = scene().await;
    let mut connection = scene.world.raw(hansa_store::testing::API).await;
    for statement in [
        "UPDATE consortium_access SET relation = 'owner' WHERE tenant_id = hansa_tenant()",
        "UPDATE consortium_access SET owner_tenant_id = hansa_tenant()",
        "UPDATE consortium_access SET consortium_id = gen_random_uuid()",
    ] {
        let mut tx = sqlx::Connection::begin(&mut connection).await.expect("a transaction");
        sqlx::query("SELECT set_config('hansa.tenant_id', $1, true)")
            .bind(scene.invitee.id.to_string())
            .execute(&mut *tx)
            .await
            .expect("a setting");
        sqlx::query(statement).execute(&mut *tx).await.expect_err("it must be refused");
    }
}
