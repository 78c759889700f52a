//! How a node gets its identity: a one-time token in, its own keys and a certificate out.

use std::time::Duration;

use hansa_authz::{Actor, OpContext};
use hansa_core::{
    EnrolmentTokenId, Error, Kind, Mac, NodeId, Purpose, Refusal, RequestId, Result, Secret, Tag,
    TenantId, Timestamp, limits,
};
use hansa_store::{NewEnrolmentToken, NewEvent, NodeIdentity};
use hansa_types::{
    Code, EventKind, Role, Target,
    enrolment::{Enrolled, EnrolmentRequest},
    vault::CertificateRequest,
};
use ledger_types::{Digest, RequestLine, RequestToken};
use openssl::x509::X509;
use serde_json::Value;

use crate::{control_plane::ControlPlane, signature};

/// What every enrolment token begins with.
const TOKEN_PREFIX: &str = "hansa-enrol_";

/// A token's parts: whose it is, which it is, its secret.
struct Token {
    tenant: TenantId,
    id: EnrolmentTokenId,
    secret: Secret,
}

impl Token {
    /// `hansa-enrol_<tenant>_<id>_<secret>`, ids without hyphens.
    fn read(text: &Secret) -> Option<Self> {
        let mut parts = text.expose_text()?.strip_prefix(TOKEN_PREFIX)?.splitn(3, '_');
        let (tenant, id) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        Some(Self { tenant, id, secret: Secret::from(parts.next()?.to_owned()) })
    }
}

/// A new token for a node: its text, shown to the node only, and what is stored of it.
pub(crate) fn mint(
    mac: &Mac,
    tenant: TenantId,
    node: NodeId,
    now: Timestamp,
) -> Result<(Secret, NewEnrolmentToken)> {
    let id = EnrolmentTokenId::new();
    let secret = Secret::random(limits::TOKEN_SECRET_BYTES).map_err(Error::internal)?.to_hex();
    let secret_hash = hash(mac, id, &secret);
    let text = secret.expose_text().expect("secrets are made as hexadecimal text");
    let text = format!("{TOKEN_PREFIX}{}_{}_{text}", tenant.uuid().simple(), id.uuid().simple());
    let expires_at = now + limits::ENROLMENT_TOKEN_LIFE;
    let new = NewEnrolmentToken { id, tenant, node, secret_hash, now, expires_at };
    Ok((Secret::from(text), new))
}

fn hash(mac: &Mac, id: EnrolmentTokenId, secret: &Secret) -> Tag {
    mac.tag(Purpose::EnrolmentToken, &[id.uuid().as_bytes(), secret.expose()])
}

impl ControlPlane {
    /// Gives a node its identity. The same request with the same token is answered again, because
    /// an answer can be lost; another request with it is refused.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] for a token that is unknown, expired, used for something else or
    /// another node's; [`Refusal::SignatureInvalid`] when the consensus key is not held;
    /// [`Error::Invalid`] when the TLS key is not.
    pub async fn node_enrol(
        &self,
        request_id: RequestId,
        token: &Secret,
        request: &EnrolmentRequest,
    ) -> Result<Enrolled> {
        let token = Token::read(token).ok_or(Error::Unauthenticated)?;
        // The token itself is the right; the role matters to nobody.
        let actor = Actor::Node(request.node);
        let context = OpContext::authenticated(request_id, actor, token.tenant, Role::Viewer);
        // Whose trail this belongs to is known once the token is proven genuine.
        self.check_token(&context, &token).await?;
        let record = self.intend(&context, "node_enrol", Some(request.node.uuid())).await?;
        let now = self.now();
        let enrolled = self.enrol(&context, &token, request, now).await;
        match enrolled {
            Ok((mut tx, enrolled)) => {
                tx.audit_append(&record.entry(now, Some(&Ok(())))).await?;
                tx.commit().await?;
                Ok(enrolled)
            }
            Err(error) => {
                record.refused(Code::of(&error), now).await;
                Err(error)
            }
        }
    }

    async fn check_token(&self, context: &OpContext, token: &Token) -> Result<()> {
        let mut tx = self.reading(context).await?;
        let found = tx.enrolment_token_find(token.id).await?.ok_or(Error::Unauthenticated)?;
        let id = token.id.uuid();
        let parts: [&[u8]; 2] = [id.as_bytes(), token.secret.expose()];
        if self.mac.verify(Purpose::EnrolmentToken, &parts, &found.secret_hash) {
            Ok(())
        } else {
            Err(Error::Unauthenticated)
        }
    }

    async fn enrol(
        &self,
        context: &OpContext,
        token: &Token,
        request: &EnrolmentRequest,
        now: Timestamp,
    ) -> Result<(hansa_store::TenantTx, Enrolled)> {
        let EnrolmentRequest { node, consensus_key, certificate_request, proof } = request;
        let mut tx = self.reading(context).await?;
        let found = tx.enrolment_token_find(token.id).await?.ok_or(Error::Unauthenticated)?;
        if found.node != *node || found.expires_at <= now {
            return Err(Error::Unauthenticated);
        }
        let statement =
            EnrolmentRequest::statement(token.tenant, *node, consensus_key, certificate_request);
        let request_hash = Digest::of(&statement).0;
        let (_, row) = tx.node_find(*node).await?;
        let ledger = row.ledger_id;
        if let Some(used_for) = found.used_for {
            let identity = tx.node_identity(*node).await?;
            return match identity {
                Some(NodeIdentity { certificate, .. }) if used_for == request_hash => {
                    Ok((tx, Enrolled { ledger, certificate }))
                }
                Some(_) | None => Err(Error::Unauthenticated),
            };
        }
        // The certificate is for them; a load balancer gives a cluster its own late.
        if row.p2p_address.is_none() || row.http_address.is_none() {
            return Err(Error::unavailable("the node's addresses are not known yet"));
        }
        signature::check(*consensus_key, &statement, *proof)?;
        let hosts = hosts(&[row.p2p_address.as_deref(), row.http_address.as_deref()]);
        self.vault.authority(ledger).await?;
        let certificate = self
            .vault
            .issue(&CertificateRequest {
                ledger,
                node: *node,
                name: row.name.to_string(),
                request: certificate_request.clone(),
                hosts,
            })
            .await?
            .certificate;
        let identity = NodeIdentity {
            consensus_key: *consensus_key.bytes(),
            tls_key: tls_key(&certificate)?,
            certificate: certificate.clone(),
        };
        tx.enrolment_token_use(token.id, request_hash, now).await?;
        tx.node_enrol(*node, &identity, now).await.map_err(|error| match error {
            Error::Stale => Error::from(Refusal::WrongPhase {
                kind: Kind::Node,
                phase: hansa_types::NodePhase::Enrolled.as_str(),
            }),
            other => other,
        })?;
        let target = Target {
            consortium_id: Some(row.consortium_id),
            ledger_id: Some(ledger),
            node_id: Some(*node),
        };
        let (kind, subject_id) = (EventKind::Node, node.uuid());
        tx.event_insert(&NewEvent { tenant: None, kind, subject_id, target, at: now }).await?;
        Ok((tx, Enrolled { ledger, certificate }))
    }

    /// The genesis for a node that has enrolled, waiting for it up to `wait`; nothing when it is
    /// not published by then. `authorization` is a request token of the node's consensus key.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], [`Error::Busy`].
    pub async fn node_genesis(
        &self,
        request_id: RequestId,
        tenant: TenantId,
        node: NodeId,
        authorization: &str,
        target: &str,
        wait: Duration,
    ) -> Result<Option<Value>> {
        let context = OpContext::authenticated(request_id, Actor::Node(node), tenant, Role::Viewer);
        let mut tx = self.reading(&context).await?;
        let found = tx.node_find(node).await.map_err(|error| match error {
            Error::NotFound(_) => Error::Unauthenticated,
            other => other,
        });
        let (handle, row) = found?;
        let identity = tx.node_identity(node).await?.filter(|_| row.tenant_id == tenant);
        let identity = identity.ok_or(Error::Unauthenticated)?;
        let ledger = ledger_types::LedgerId(*handle.ledger().uuid().as_bytes());
        let line = RequestLine { method: "GET", target, body: b"" };
        let now_ms = u64::try_from(self.now().unix_micros() / 1_000).unwrap_or_default();
        let genuine = RequestToken::check(authorization, ledger, line, now_ms);
        if genuine.map(|token| token.key.0).ok() != Some(identity.consensus_key) {
            return Err(Error::Unauthenticated);
        }
        drop(tx);
        let _place = self.waiters.take(tenant)?;
        let deadline = tokio::time::Instant::now() + wait.min(limits::WAIT_MAX);
        let mut changes = self.changes.clone();
        loop {
            changes.mark_unchanged();
            let genesis = self.reading(&context).await?.ledger_genesis(row.ledger_id).await?;
            if genesis.is_some() || tokio::time::Instant::now() >= deadline {
                return Ok(genesis);
            }
            let look_again = tokio::time::Instant::now() + limits::NOTIFY_LOST_AFTER;
            // Whatever woke us, we look.
            let _ = tokio::time::timeout_at(deadline.min(look_again), changes.changed()).await;
        }
    }
}

/// Where a node can be reached, without ports, for its certificate.
fn hosts(addresses: &[Option<&str>]) -> Vec<String> {
    let mut hosts: Vec<String> = addresses
        .iter()
        .flatten()
        .filter_map(|address| {
            let address = address.strip_prefix("https://").unwrap_or(address);
            let (host, _port) = address.rsplit_once(':')?;
            Some(host.trim_matches(['[', ']']).to_owned())
        })
        .collect();
    hosts.push("localhost".to_owned());
    hosts.sort_unstable();
    hosts.dedup();
    hosts
}

/// SHA-256 over the DER of a certificate's key.
fn tls_key(certificate: &str) -> Result<[u8; 32]> {
    let certificate = X509::from_pem(certificate.as_bytes()).map_err(Error::internal)?;
    let key = certificate.public_key().map_err(Error::internal)?;
    Ok(Digest::of(&key.public_key_to_der().map_err(Error::internal)?).0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A certificate is good for where the node is, and for nothing that it made up itself.
    #[test]
    fn hosts_come_from_the_addresses_that_the_runtime_gave() {
        let found = hosts(&[Some("127.0.0.1:7001"), Some("https://[::1]:7002"), None]);
        assert_eq!(found, ["127.0.0.1", "::1", "localhost"]);
    }
}
