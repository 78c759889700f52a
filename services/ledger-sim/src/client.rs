//! Clients that count: what they know must be what the ledger says.

use std::sync::Arc;

use ledger_types::{LedgerId, Payload, SigningKey, Statement, Transaction, TransactionBody};

use crate::luck::Luck;

/// Rows of the counter table.
const COUNTERS: u64 = 16;

/// Makes transactions of one administrator.
#[derive(Debug)]
pub(crate) struct Client {
    ledger: LedgerId,
    key: SigningKey,
    nonce: u64,
}

impl Client {
    pub(crate) fn new(ledger: LedgerId, key: SigningKey) -> Self {
        Self { ledger, key, nonce: 0 }
    }

    fn sign(&mut self, now_ms: u64, statements: Vec<String>) -> Arc<Transaction> {
        self.nonce += 1;
        let statements =
            statements.into_iter().map(|sql| Statement { sql, parameters: vec![] }).collect();
        let body = TransactionBody {
            ledger: self.ledger,
            signer: self.key.public_key(),
            nonce: self.nonce,
            valid_from_ms: now_ms.saturating_sub(60_000),
            valid_until_ms: now_ms + 300_000,
            payload: Payload::Sql(statements),
        };
        Arc::new(body.sign(&self.key))
    }

    /// The first transaction: the table in which increments are counted.
    pub(crate) fn schema(&mut self, now_ms: u64) -> Arc<Transaction> {
        let rows: Vec<String> = (0..COUNTERS).map(|id| format!("({id}, 0)")).collect();
        let table = "CREATE TABLE counter (id INTEGER PRIMARY KEY, n INTEGER NOT NULL)".to_owned();
        self.sign(now_ms, vec![table, format!("INSERT INTO counter VALUES {}", rows.join(", "))])
    }

    /// One increment, sometimes in a transaction that is refused as a whole.
    pub(crate) fn increment(&mut self, luck: &mut Luck, now_ms: u64) -> Arc<Transaction> {
        let id = luck.below(COUNTERS);
        let mut statements = vec![format!("UPDATE counter SET n = n + 1 WHERE id = {id}")];
        match luck.below(10) {
            0 => statements.push("INSERT INTO counter VALUES (0, 0)".into()),
            1 => statements.push("UPDATE counter SET n = random()".into()),
            _ => {}
        }
        self.sign(now_ms, statements)
    }
}
