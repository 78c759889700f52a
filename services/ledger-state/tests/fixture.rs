//! A ledger of two members in a temporary folder.

use std::{path::PathBuf, sync::Arc};

use ledger_state::{BlockInput, ExecutedBlock, Origin, Reader, Rows, State};
use ledger_types::{
    Digest, Endorsement, Genesis, LedgerId, Member, NodeId, Outcome, Payload, Policy, Reason,
    Signature, SigningKey, Statement, Suite, Transaction, TransactionBody, Validator, Value,
    genesis::Charter,
};

pub(crate) const LEDGER: LedgerId = LedgerId([4; 16]);
pub(crate) const START_MS: u64 = 1_700_000_000_000;

pub(crate) fn key(n: u8) -> SigningKey {
    SigningKey::from_seed(&[n; 32])
}

/// Administrators are keys 1 (alpha) and 2 (beta); the validators' keys are 10 to 13; 3 anchors.
pub(crate) fn genesis() -> Genesis {
    let member = |name: &str, n| Member { name: name.into(), administrator: key(n).public_key() };
    let charter = Charter {
        ledger: LEDGER,
        name: "demo".into(),
        suite: Suite::Ed25519Sha256,
        policy: Policy::Bft,
        development: false,
        members: vec![member("alpha", 1), member("beta", 2)],
        threshold: 2,
        anchor: Some(key(3).public_key()),
        ca_certificate: "none".into(),
    };
    let validators = (0..4)
        .map(|n| Validator {
            identity: Endorsement {
                node: NodeId([n; 16]),
                name: format!("n{n}"),
                member: 0,
                consensus_key: key(10 + n).public_key(),
                tls_key: Digest([n; 32]),
            },
            p2p: "none".into(),
            endorsed: Signature([0; 64]),
        })
        .collect();
    Genesis { charter, charter_signatures: vec![], validators, created_at_ms: START_MS }
}

pub(crate) struct Ledger {
    pub(crate) state: State,
    pub(crate) nonce: u64,
    directory: Option<tempfile::TempDir>,
}

impl Ledger {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let state = State::open(&directory.path().join("state.db"), origin()).unwrap();
        Self { state, nonce: 0, directory: Some(directory) }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.state.path().to_owned()
    }

    /// Closes the file and opens it again.
    pub(crate) fn reopen(self) -> Self {
        let Self { state, nonce, directory } = self;
        let path = state.path().to_owned();
        drop(state);
        Self { state: State::open(&path, origin()).unwrap(), nonce, directory }
    }

    /// Closes the file as evidence; the folder stays until the answer is dropped.
    pub(crate) fn abandon(self) -> Option<tempfile::TempDir> {
        let Self { state, directory, .. } = self;
        state.abandon().unwrap();
        directory
    }

    pub(crate) fn now_ms(&self) -> u64 {
        START_MS + 1_000 * (self.state.executed().height + 1)
    }

    pub(crate) fn sign(&mut self, signer: u8, payload: Payload) -> Arc<Transaction> {
        self.nonce += 1;
        let body = TransactionBody {
            ledger: LEDGER,
            signer: key(signer).public_key(),
            nonce: self.nonce,
            valid_from_ms: START_MS,
            valid_until_ms: START_MS + 600_000,
            payload,
        };
        Arc::new(body.sign(&key(signer)))
    }

    pub(crate) fn block(&mut self, transactions: &[Arc<Transaction>]) -> ExecutedBlock {
        let (height, time_ms) = (self.state.executed().height + 1, self.now_ms());
        self.state.execute(&BlockInput { height, time_ms, transactions }).unwrap()
    }

    /// One block with one transaction of alpha's administrator.
    pub(crate) fn run(&mut self, statements: &[(&str, Vec<Value>)]) -> Outcome {
        let payload = sql(statements);
        let transaction = self.sign(1, payload);
        self.block(&[transaction]).outcomes.remove(0)
    }

    pub(crate) fn apply(&mut self, text: &str) {
        let outcome = self.run(&[(text, vec![])]);
        assert!(outcome.is_applied(), "{text}: {outcome:?}");
    }

    pub(crate) fn query(&self, text: &str) -> Rows {
        let mut reader = Reader::open(self.state.path()).unwrap();
        reader.query(text, &[], Default::default()).unwrap()
    }

    /// Live, reopened and rebuilt-from-rows roots must be the same.
    pub(crate) fn assert_roots(self) -> Self {
        let live = self.state.state_root();
        assert_eq!(self.state.root_from_rows().unwrap(), live, "rebuilt from rows");
        let reopened = self.reopen();
        assert_eq!(reopened.state.state_root(), live, "reopened");
        reopened
    }
}

pub(crate) fn origin() -> Origin {
    Origin::new(&genesis())
}

pub(crate) fn sql(statements: &[(&str, Vec<Value>)]) -> Payload {
    let statement = |(sql, parameters): &(&str, Vec<Value>)| Statement {
        sql: (*sql).to_owned(),
        parameters: parameters.clone(),
    };
    Payload::Sql(statements.iter().map(statement).collect())
}

pub(crate) fn reason(outcome: &Outcome) -> Option<Reason> {
    match outcome {
        Outcome::Applied { .. } => None,
        Outcome::Refused { reason, .. } => Some(*reason),
    }
}
