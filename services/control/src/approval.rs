//! A ledger's founding document, and the members' agreement to it.

use hansa_authz::{Action, LedgerHandle, OpContext};
use hansa_core::{Error, Kind, LedgerId, NodeId, Refusal, Result, Rule, limits};
use hansa_store::{Approval, DrivenMember, NewEvent, NodeEndorsement, TenantTx};
use hansa_types::{
    ApprovalCreate, Charter, CharterMember, EndorsementDraft, EventKind, Ledger, LedgerPhase,
    Target,
};
use ledger_types::{Digest, Endorsement, PublicKey, Signature, genesis};
use serde_json::Value;

use crate::{
    act::{Repeat, act},
    control_plane::ControlPlane,
};

/// What is to be signed, as it is and as it is shown.
struct Draft {
    charter: genesis::Charter,
    members: Vec<DrivenMember>,
    endorsements: Vec<(NodeId, Endorsement)>,
}

impl ControlPlane {
    /// What the members of a ledger sign, with what the caller's own member has to.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Forbidden`], [`Refusal::WrongPhase`] before all founding nodes
    /// have enrolled.
    pub async fn ledger_charter(&self, context: &OpContext, id: LedgerId) -> Result<Charter> {
        let mut tx = self.reading(context).await?;
        let (handle, ledger) = tx.ledger_find(id).await?;
        context.authorize(Action::Read, handle.subject())?;
        let draft = draft(&mut tx, &handle, &ledger).await?;
        let approvals = tx.approval_list(id).await?;
        let member = |m: &DrivenMember| CharterMember {
            member_id: m.id,
            name: m.name.clone(),
            administrator_key: m.administrator_key,
            approved: approvals.iter().any(|a| a.member == m.id),
        };
        let shown = |(node_id, endorsement): &(NodeId, Endorsement)| {
            Ok(EndorsementDraft {
                node_id: *node_id,
                endorsement: json(endorsement)?,
                digest: endorsement.digest(&draft.charter).to_string(),
            })
        };
        Ok(Charter {
            charter: json(&draft.charter)?,
            digest: draft.charter.digest().to_string(),
            members: draft.members.iter().map(member).collect(),
            endorsements: draft.endorsements.iter().map(shown).collect::<Result<_>>()?,
        })
    }

    /// Records that the caller's member agrees: its administrator key's signatures over the charter
    /// and over each of its nodes.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Forbidden`], [`Refusal::WrongPhase`],
    /// [`Refusal::SignatureInvalid`], [`Error::Invalid`] when a node's signature is missing.
    pub async fn ledger_approve(
        &self,
        context: &OpContext,
        id: LedgerId,
        request: &ApprovalCreate,
        repeat: Option<Repeat>,
    ) -> Result<Ledger> {
        act!(self, context, "ledger_approve", Some(id.uuid()), repeat, |act| {
            let (handle, ledger) = act.tx.ledger_find(id).await?;
            context.authorize(Action::Answer, handle.subject())?;
            let seat = handle.seat().ok_or(Error::Forbidden)?;
            let draft = draft(&mut act.tx, &handle, &ledger).await?;
            let own = draft.members.iter().find(|m| m.id == seat).ok_or(Error::Forbidden)?;
            check(&draft, own, request)?;
            let endorsements = request.endorsements.iter();
            let approval = Approval {
                member: seat,
                signature: request.charter_signature,
                endorsements: endorsements
                    .map(|e| NodeEndorsement { node_id: e.node_id, signature: e.signature })
                    .collect(),
            };
            act.tx.approval_put(handle, &approval, act.now).await?;
            let target = Target {
                consortium_id: Some(handle.consortium()),
                ledger_id: Some(id),
                node_id: None,
            };
            let (kind, subject_id) = (EventKind::Ledger, id.uuid());
            let event = NewEvent { tenant: None, kind, subject_id, target, at: act.now };
            act.tx.event_insert(&event).await?;
            Ok(ledger)
        })
    }

    /// What the nodes of a ledger start from.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Forbidden`], [`Refusal::WrongPhase`] before it is published.
    pub async fn ledger_genesis(&self, context: &OpContext, id: LedgerId) -> Result<Value> {
        let mut tx = self.reading(context).await?;
        let (handle, ledger) = tx.ledger_find(id).await?;
        context.authorize(Action::Read, handle.subject())?;
        tx.ledger_genesis(id).await?.ok_or_else(|| wrong_phase(&ledger))
    }
}

fn wrong_phase(ledger: &Ledger) -> Error {
    Refusal::WrongPhase { kind: Kind::Ledger, phase: ledger.phase.as_str() }.into()
}

fn json(document: &impl serde::Serialize) -> Result<Value> {
    serde_json::to_value(document).map_err(Error::internal)
}

/// The charter as it was composed, with the own member's nodes as they enrolled.
async fn draft(tx: &mut TenantTx, handle: &LedgerHandle, ledger: &Ledger) -> Result<Draft> {
    if ledger.phase != LedgerPhase::Launching {
        return Err(wrong_phase(ledger));
    }
    let charter = tx.ledger_charter(ledger.id).await?.ok_or_else(|| wrong_phase(ledger))?;
    let charter: genesis::Charter = serde_json::from_value(charter).map_err(Error::internal)?;
    let mut members = tx.member_all(handle.consortium()).await?;
    let place = |m: &DrivenMember| {
        let key = PublicKey(*m.administrator_key.bytes());
        charter.members.iter().position(|member| member.administrator == key)
    };
    members.retain(|member| place(member).is_some());
    members.sort_by_key(place);
    let mut endorsements = Vec::new();
    let own = handle.seat().and_then(|seat| members.iter().find(|member| member.id == seat));
    if let Some((own, index)) = own.and_then(|own| place(own).map(|index| (own, index))) {
        for (id, name, identity) in tx.node_identities(ledger.id, own.id).await? {
            let endorsement = Endorsement {
                node: ledger_types::NodeId(*id.uuid().as_bytes()),
                name: name.to_string(),
                member: u16::try_from(index).map_err(Error::internal)?,
                consensus_key: PublicKey(identity.consensus_key),
                tls_key: Digest(identity.tls_key),
            };
            endorsements.push((id, endorsement));
        }
    }
    Ok(Draft { charter, members, endorsements })
}

/// Every signature is there and holds.
fn check(draft: &Draft, own: &DrivenMember, request: &ApprovalCreate) -> Result<()> {
    let key = PublicKey(*own.administrator_key.bytes());
    let holds = |digest: &Digest, signature: hansa_types::Signature| {
        if key.verify(digest, &Signature(*signature.bytes())) {
            Ok(())
        } else {
            Err(Error::from(Refusal::SignatureInvalid))
        }
    };
    holds(&draft.charter.digest(), request.charter_signature)?;
    if request.endorsements.len() > limits::ENDORSEMENTS_MAX {
        let detail = "has more signatures than a ledger has nodes";
        return Err(Error::invalid("/endorsements", Rule::Range, detail));
    }
    for (node, endorsement) in &draft.endorsements {
        let signed = request.endorsements.iter().find(|e| e.node_id == *node);
        let signed = signed.ok_or_else(|| {
            let detail = format!("the signature over node {} is missing", endorsement.name);
            Error::invalid("/endorsements", Rule::Required, detail)
        })?;
        holds(&endorsement.digest(&draft.charter), signed.signature)?;
    }
    Ok(())
}
