//! From two tenants to a ledger that runs.

use anyhow::{Context as _, Result, ensure};
use hansa_types::statement::{Accept, Found};
use ledger_types::{Digest, Endorsement, SigningKey, genesis::Charter};
use serde_json::{Value, json};

use super::{LEDGER, PATIENCE, Party, Walk, until};

/// Alpha founds, invites; beta accepts. Both prove that they hold their administrator key.
pub(super) async fn consortium(walk: &mut Walk) -> Result<String> {
    let (alpha, beta, name) = (&walk.alpha, &walk.beta, &walk.name);
    let id = match alpha.api.find("/v1/consortiums", name).await? {
        Some(found) => found.text("/id")?,
        None => {
            let (consortium, member) = (name.parse()?, alpha.name.parse()?);
            let statement = Found {
                tenant: alpha.id.parse()?,
                consortium: &consortium,
                member: &member,
                administrator_key: alpha.key.public_key().0.into(),
            };
            let mut body = signed(&alpha.key, &statement.bytes());
            body["name"] = json!(name);
            body["display_name"] = json!("Demo consortium");
            alpha.api.post("/v1/consortiums", &body).await?.text("/id")?
        }
    };
    let members = alpha.api.list(&format!("/v1/consortiums/{id}/members")).await?;
    if !members.iter().any(|member| member.text("/tenant_id").is_ok_and(|t| t == beta.id)) {
        join(alpha, beta, &id).await?;
    }
    walk.consortium = id;
    Ok(format!("{}, two members", walk.name))
}

async fn join(alpha: &Party, beta: &Party, consortium: &str) -> Result<()> {
    let pending = async || {
        let invitations = beta.api.list("/v1/invitations").await?;
        let open = invitations.into_iter().find(|invitation| {
            invitation.text("/phase").is_ok_and(|phase| phase == "pending")
                && invitation.text("/consortium_id").is_ok_and(|id| id == consortium)
        });
        open.map(|invitation| invitation.text("/id")).transpose()
    };
    let invitation = match pending().await? {
        Some(invitation) => invitation,
        None => {
            let path = format!("/v1/consortiums/{consortium}/invitations");
            let made = alpha.api.post(&path, &json!({ "tenant": beta.name })).await?;
            made.text("/id")?
        }
    };
    let member = beta.name.parse()?;
    let statement = Accept {
        invitation: invitation.parse()?,
        consortium: consortium.parse()?,
        tenant: beta.id.parse()?,
        member: &member,
        administrator_key: beta.key.public_key().0.into(),
    };
    let body = signed(&beta.key, &statement.bytes());
    beta.api.post(&format!("/v1/invitations/{invitation}/accept"), &body).await.map(drop)
}

fn signed(key: &SigningKey, statement: &[u8]) -> Value {
    json!({
        "administrator_key": key.public_key().to_string(),
        "signature": key.sign(&Digest::of(statement)).to_string(),
    })
}

/// A ledger, and two nodes of each member that have their identity.
pub(super) async fn nodes(walk: &mut Walk) -> Result<String> {
    let ledgers = format!("/v1/consortiums/{}/ledgers", walk.consortium);
    walk.ledger = match walk.alpha.api.find(&ledgers, LEDGER).await? {
        Some(found) => found.text("/id")?,
        None => {
            let body = json!({ "name": LEDGER, "policy": "bft" });
            walk.alpha.api.post(&ledgers, &body).await?.text("/id")?
        }
    };
    let path = format!("/v1/ledgers/{}/nodes", walk.ledger);
    let mut asked = Vec::new();
    for party in walk.parties() {
        for name in party.nodes {
            if party.api.find(&path, name).await?.is_none() {
                let new = json!({ "name": name, "runtime": walk.runtime });
                let operation = party.api.post(&path, &new).await?;
                asked.push((party, operation));
            }
        }
    }
    for (party, operation) in asked {
        party.api.follow(&operation, PATIENCE).await?;
    }
    Ok("a1, a2 of alpha and b1, b2 of beta have enrolled".to_owned())
}

/// Alpha asks for the launch, both members sign, the nodes agree on their first block.
pub(super) async fn launch(walk: &mut Walk) -> Result<String> {
    let path = format!("/v1/ledgers/{}", walk.ledger);
    let phase = walk.alpha.api.get(&path).await?.text("/phase")?;
    let operation = match phase.as_str() {
        "draft" | "failed" => {
            Some(walk.alpha.api.post(&format!("{path}/launch"), &json!({})).await?)
        }
        _ => None,
    };
    if phase != "running" {
        for party in walk.parties() {
            approve(party, &path).await?;
        }
    }
    if let Some(operation) = operation {
        walk.alpha.api.follow(&operation, PATIENCE).await?;
    }
    until("the ledger runs", async || {
        let now = walk.alpha.api.get(&path).await?.text("/phase")?;
        Ok((now == "running").then_some(()))
    })
    .await?;
    let genesis = walk.alpha.api.get(&format!("{path}/genesis")).await?;
    let genesis: ledger_types::Genesis = serde_json::from_value(genesis.0)?;
    genesis.check().context("the published genesis")?;
    for party in walk.parties() {
        let own = party.key.public_key();
        let listed = genesis.charter.members.iter().any(|m| m.administrator == own);
        ensure!(listed, "the genesis does not have {}'s key", party.name);
    }
    walk.genesis = Some(genesis);
    // After an end of everything they come back by themselves.
    until("all nodes take part", async || {
        walk.look_at_nodes().await?;
        for name in walk.alpha.nodes.iter().chain(&walk.beta.nodes) {
            let status = walk.node(name).await?.status().await?;
            if !(status.may_vote && status.quorum_reachable) {
                return Ok(None);
            }
        }
        Ok(Some(()))
    })
    .await?;
    Ok("block 1 on a ledger of four".to_owned())
}

/// Signs the charter and the own nodes, after computing what is signed from the documents.
pub(super) async fn approve(party: &Party, ledger: &str) -> Result<()> {
    let shown = until("the charter", async || {
        if party.api.get(ledger).await?.text("/phase")? == "running" {
            return Ok(Some(None));
        }
        party.api.get(&format!("{ledger}/charter")).await.map(|shown| Some(Some(shown)))
    });
    let Some(shown) = shown.await? else { return Ok(()) };
    let charter: Charter = serde_json::from_value(shown.0["charter"].clone())?;
    let own = party.key.public_key();
    let mut endorsements = Vec::new();
    for draft in shown.0["endorsements"].as_array().context("a list")? {
        let endorsement: Endorsement = serde_json::from_value(draft["endorsement"].clone())?;
        let member = charter.members.get(usize::from(endorsement.member));
        ensure!(member.is_some_and(|m| m.administrator == own), "not a node of {}", party.name);
        let signature = endorsement.sign(&charter, &party.key).to_string();
        endorsements.push(json!({ "node_id": draft["node_id"], "signature": signature }));
    }
    let charter_signature = charter.sign(&party.key).to_string();
    let body = json!({ "charter_signature": charter_signature, "endorsements": endorsements });
    let approved = party.api.post(&format!("{ledger}/approvals"), &body).await;
    match approved {
        // The other's signature may have been the last one meanwhile.
        Err(_) if party.api.get(ledger).await?.text("/phase")? == "running" => Ok(()),
        approved => approved.map(drop),
    }
}
