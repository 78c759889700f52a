//! A small ledger with fixed keys: two members, four validators, everything signed.

use std::sync::Arc;

use ledger_types::{
    BatchRef, Block, BlockHeader, Certificate, CertificateKind, Digest, Endorsement, Executed,
    Genesis, LedgerId, Member, MerklePath, NodeId, Outcome, Payload, Policy, Receipt, Signature,
    SigningKey, Statement, Suite, Transaction, TransactionBody, Validator, ValidatorIndex, Vote,
    VoteKind, genesis::Charter, merkle_root, outcome::execution_root,
};

pub(crate) const LEDGER: LedgerId = LedgerId([7; 16]);

pub(crate) fn key(n: u8) -> SigningKey {
    SigningKey::from_seed(&[n; 32])
}

/// Administrator keys are seeds 1 and 2, validators' keys 10 to 13.
pub(crate) fn genesis() -> Genesis {
    let charter = Charter {
        ledger: LEDGER,
        name: "demo".into(),
        suite: Suite::Ed25519Sha256,
        policy: Policy::Bft,
        development: false,
        members: vec![
            Member { name: "alpha".into(), administrator: key(1).public_key() },
            Member { name: "beta".into(), administrator: key(2).public_key() },
        ],
        threshold: 2,
        anchor: None,
        ca_certificate: "-----BEGIN CERTIFICATE-----".into(),
    };
    let validators = (0..4u8)
        .map(|n| {
            let member = n / 2;
            let identity = Endorsement {
                node: NodeId([n; 16]),
                name: format!("node-{n}"),
                member: member.into(),
                consensus_key: key(10 + n).public_key(),
                tls_key: Digest([n; 32]),
            };
            let endorsed = identity.sign(&charter, &key(1 + member));
            Validator { identity, p2p: format!("127.0.0.1:{}", 7000 + u16::from(n)), endorsed }
        })
        .collect();
    let charter_signatures = vec![charter.sign(&key(1)), charter.sign(&key(2))];
    Genesis { charter, charter_signatures, validators, created_at_ms: 1_700_000_000_000 }
}

pub(crate) fn transaction(nonce: u64) -> Transaction {
    TransactionBody {
        ledger: LEDGER,
        signer: key(1).public_key(),
        nonce,
        valid_from_ms: 1_700_000_000_000,
        valid_until_ms: 1_700_000_060_000,
        payload: Payload::Sql(vec![Statement {
            sql: "INSERT INTO t (id, note) VALUES (?1, ?2)".into(),
            parameters: vec![1.into(), "first".into()],
        }]),
    }
    .sign(&key(1))
}

pub(crate) fn block() -> Block {
    let transactions: Vec<_> = (0..3).map(|n| Arc::new(transaction(n))).collect();
    let header = BlockHeader {
        height: 1,
        epoch: 0,
        parent: genesis().digest(),
        time_ms: 1_700_000_001_000,
        proposer: ValidatorIndex(0),
        transaction_count: 3,
        transactions_root: Block::transactions_root(&transactions),
        batches: BatchRef::list_digest(&[], LEDGER),
        executed: Executed { height: 0, root: Digest::ZERO },
    };
    Block { header, transactions }
}

pub(crate) fn certificate(
    kind: CertificateKind,
    header: &BlockHeader,
    voters: &[u16],
) -> Certificate {
    let (block, height, round, epoch) = (header.digest(LEDGER), header.height, 0, header.epoch);
    let vote_kind = match kind {
        CertificateKind::Prepare | CertificateKind::Fast => VoteKind::Prepare,
        CertificateKind::Commit => VoteKind::Commit,
    };
    let signatures: Vec<(ValidatorIndex, Signature)> = voters
        .iter()
        .map(|v| {
            let seed = key(10 + u8::try_from(*v).unwrap());
            let voter = ValidatorIndex(*v);
            let vote = Vote::sign(&seed, LEDGER, voter, vote_kind, epoch, height, round, block);
            (voter, vote.signature)
        })
        .collect();
    Certificate { kind, epoch, height, round, block, signatures }
}

/// A receipt for the second transaction of [`block`].
pub(crate) fn receipt() -> Receipt {
    let block = block();
    let outcomes: Vec<_> = (0..3).map(|n| Outcome::Applied { changes: vec![n] }).collect();
    let leaves: Vec<_> =
        block.transactions.iter().zip(&outcomes).map(|(t, o)| o.leaf(LEDGER, t.id())).collect();
    let state_root = Digest([9; 32]);
    let root = execution_root(LEDGER, 1, state_root, merkle_root(leaves.clone()), 3);
    let covering = BlockHeader {
        height: 2,
        parent: block.header.digest(LEDGER),
        transaction_count: 0,
        transactions_root: Digest::ZERO,
        executed: Executed { height: 1, root },
        ..block.header
    };
    let certificate = certificate(CertificateKind::Commit, &covering, &[0, 1, 3]);
    Receipt {
        ledger: LEDGER,
        transaction: block.transactions[1].id(),
        height: 1,
        path: MerklePath::new(leaves, 1).unwrap(),
        outcome: outcomes[1].clone(),
        state_root,
        covering,
        certificate,
    }
}
