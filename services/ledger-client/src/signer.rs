//! Makes signed transactions for one ledger and one key.

use ledger_types::{
    LedgerId, Payload, PublicKey, RequestLine, RequestToken, SigningKey, Statement, Transaction,
    TransactionBody, Value, key::KeyError, limits,
};

/// How long before its making a transaction is valid: nodes' clocks may be behind the client's.
const BACKDATE_MS: u64 = 2 * limits::CLOCK_DRIFT_MS_MAX;

/// A key and the ledger it signs for.
#[derive(Debug)]
pub struct Signer {
    ledger: LedgerId,
    key: SigningKey,
    validity_ms: u64,
}

impl Signer {
    /// Signs for `ledger`; transactions are valid for two minutes unless set otherwise.
    pub fn new(ledger: LedgerId, key: SigningKey) -> Self {
        Self { ledger, key, validity_ms: 120_000 }
    }

    /// Sets how long from now transactions stay valid, at most what the ledger accepts.
    #[must_use]
    pub fn valid_for_ms(mut self, validity_ms: u64) -> Self {
        self.validity_ms = validity_ms.clamp(1, limits::VALIDITY_MS_MAX - BACKDATE_MS);
        self
    }

    /// The public half of the key.
    pub fn public_key(&self) -> PublicKey {
        self.key.public_key()
    }

    /// The ledger that is signed for.
    pub fn ledger(&self) -> LedgerId {
        self.ledger
    }

    /// One statement as a transaction with a random nonce.
    ///
    /// # Errors
    /// When the operating system gives no randomness.
    pub fn statement(
        &self,
        sql: &str,
        parameters: Vec<Value>,
        now_ms: u64,
    ) -> Result<Transaction, KeyError> {
        let statement = Statement { sql: sql.to_owned(), parameters };
        self.transaction(Payload::Sql(vec![statement]), now_ms)
    }

    /// Any payload as a transaction with a random nonce.
    ///
    /// # Errors
    /// When the operating system gives no randomness.
    pub fn transaction(&self, payload: Payload, now_ms: u64) -> Result<Transaction, KeyError> {
        let mut nonce = [0; 8];
        getrandom::fill(&mut nonce).map_err(|_| KeyError::NoRandomness)?;
        Ok(self.transaction_with(payload, u64::from_le_bytes(nonce), now_ms))
    }

    /// A payload with a nonce of the caller's: the same arguments give the same transaction, so a
    /// repeated submission has one effect.
    pub fn transaction_with(&self, payload: Payload, nonce: u64, now_ms: u64) -> Transaction {
        TransactionBody {
            ledger: self.ledger,
            signer: self.key.public_key(),
            nonce,
            valid_from_ms: now_ms.saturating_sub(BACKDATE_MS),
            valid_until_ms: now_ms + self.validity_ms,
            payload,
        }
        .sign(&self.key)
    }

    /// The `Authorization` header for one request to a node.
    pub fn authorize(&self, request: RequestLine<'_>, purpose: &str, now_ms: u64) -> String {
        RequestToken::sign(&self.key, self.ledger, request, purpose, now_ms).to_header()
    }
}
