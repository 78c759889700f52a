//! Rows of keys, and the keys behind them.

use hansa_core::{LedgerId, Secret, Timestamp, Uuid};
use openssl::pkey::{Id, PKey, Private};
use sqlx::{PgPool, Row, postgres::PgRow};

use crate::{error::VaultError, root_key::RootKey, seal};

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    AccessToken,
    LedgerAuthority,
}

impl Kind {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::AccessToken => "access_token",
            Self::LedgerAuthority => "ledger_authority",
        }
    }
}

/// A row, still sealed.
pub(crate) struct KeyRow {
    pub(crate) id: Uuid,
    pub(crate) kind: Kind,
    pub(crate) ledger: Option<LedgerId>,
    pub(crate) public_key: [u8; 32],
    pub(crate) sealed: Vec<u8>,
    pub(crate) certificate: Option<String>,
    pub(crate) retired_at: Option<Timestamp>,
}

/// A new key with its sealed private half.
pub(crate) struct NewKey {
    pub(crate) row: KeyRow,
    pub(crate) private: PKey<Private>,
}

fn place(id: Uuid, kind: Kind, ledger: Option<LedgerId>) -> String {
    let ledger = ledger.map_or("-".to_owned(), |ledger| ledger.to_string());
    format!("{} {id} {ledger}", kind.as_str())
}

impl NewKey {
    /// Makes one; its certificate, if it needs one, is added by whoever asks.
    pub(crate) fn make(
        root: &RootKey,
        kind: Kind,
        ledger: Option<LedgerId>,
    ) -> Result<Self, VaultError> {
        let id = Uuid::now_v7();
        let private = PKey::generate_ed25519()?;
        let secret = Secret::from(private.raw_private_key()?);
        let public_key = private.raw_public_key()?.try_into().map_err(|_| VaultError::Sealed)?;
        let sealed = seal::seal(root, &place(id, kind, ledger), &secret)?;
        let row =
            KeyRow { id, kind, ledger, public_key, sealed, certificate: None, retired_at: None };
        Ok(Self { row, private })
    }
}

impl KeyRow {
    /// The private half, for one signature.
    pub(crate) fn open(&self, root: &RootKey) -> Result<PKey<Private>, VaultError> {
        let place = place(self.id, self.kind, self.ledger);
        let secret = seal::open(root, &place, &self.sealed)?;
        let private = PKey::private_key_from_raw_bytes(secret.expose(), Id::ED25519)?;
        // The public half is not sealed: it must be this key's.
        let same = private.raw_public_key()? == self.public_key;
        if same { Ok(private) } else { Err(VaultError::Sealed) }
    }

    /// Stores it, unless another of its kind was first.
    pub(crate) async fn insert(&self, pool: &PgPool, now: Timestamp) -> Result<(), VaultError> {
        sqlx::query(
            "INSERT INTO vault.key (id, kind, ledger_id, public_key, sealed, certificate, \
             created_at) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
        )
        .bind(self.id)
        .bind(self.kind.as_str())
        .bind(self.ledger.map(LedgerId::uuid))
        .bind(&self.public_key[..])
        .bind(&self.sealed)
        .bind(&self.certificate)
        .bind(now.to_offset())
        .execute(pool)
        .await?;
        Ok(())
    }
}

const COLUMNS: &str = "id, ledger_id, public_key, sealed, certificate, retired_at";

/// The keys of access tokens that are in force at a time, the signing one first.
pub(crate) async fn access_tokens(
    pool: &PgPool,
    retired_after: Timestamp,
) -> Result<Vec<KeyRow>, VaultError> {
    let query = format!(
        "SELECT {COLUMNS} FROM vault.key WHERE kind = 'access_token' \
         AND (retired_at IS NULL OR retired_at > $1) ORDER BY retired_at DESC NULLS FIRST"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(query))
        .bind(retired_after.to_offset())
        .fetch_all(pool)
        .await?;
    rows.iter().map(|row| read(row, Kind::AccessToken)).collect()
}

/// A ledger's authority.
pub(crate) async fn authority(
    pool: &PgPool,
    ledger: LedgerId,
) -> Result<Option<KeyRow>, VaultError> {
    let query = format!(
        "SELECT {COLUMNS} FROM vault.key WHERE kind = 'ledger_authority' AND ledger_id = $1"
    );
    let row =
        sqlx::query(sqlx::AssertSqlSafe(query)).bind(ledger.uuid()).fetch_optional(pool).await?;
    row.as_ref().map(|row| read(row, Kind::LedgerAuthority)).transpose()
}

/// Lets the signing key of access tokens sign no more.
pub(crate) async fn retire(pool: &PgPool, now: Timestamp) -> Result<(), VaultError> {
    sqlx::query(
        "UPDATE vault.key SET retired_at = $1 WHERE kind = 'access_token' AND retired_at IS NULL",
    )
    .bind(now.to_offset())
    .execute(pool)
    .await?;
    Ok(())
}

fn read(row: &PgRow, kind: Kind) -> Result<KeyRow, VaultError> {
    let public_key: Vec<u8> = row.try_get("public_key")?;
    let retired_at: Option<sqlx::types::time::OffsetDateTime> = row.try_get("retired_at")?;
    Ok(KeyRow {
        id: row.try_get("id")?,
        kind,
        ledger: row.try_get::<Option<Uuid>, _>("ledger_id")?.map(LedgerId::from),
        public_key: public_key.try_into().map_err(|_| VaultError::Sealed)?,
        sealed: row.try_get("sealed")?,
        certificate: row.try_get("certificate")?,
        retired_at: retired_at.map(Timestamp::from),
    })
}
