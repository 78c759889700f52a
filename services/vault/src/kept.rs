//! What the vault keeps for the control plane: other systems' credentials, which cannot stay unread as
//! private keys do, because the control plane itself signs in with them.

use hansa_core::{Secret, Timestamp, Uuid};
use sqlx::{PgPool, Row as _};

use crate::{error::VaultError, root_key::RootKey, seal};

fn place(id: Uuid) -> String {
    format!("secret {id}")
}

/// Keeps a secret, in place of the one that was there.
pub(crate) async fn put(
    pool: &PgPool,
    root: &RootKey,
    id: Uuid,
    secret: &Secret,
    now: Timestamp,
) -> Result<(), VaultError> {
    sqlx::query(
        "INSERT INTO vault.secret (id, sealed, created_at) VALUES ($1, $2, $3) \
         ON CONFLICT (id) DO UPDATE SET sealed = excluded.sealed, created_at = excluded.created_at",
    )
    .bind(id)
    .bind(seal::seal(root, &place(id), secret)?)
    .bind(now.to_offset())
    .execute(pool)
    .await?;
    Ok(())
}

/// A secret that is kept.
pub(crate) async fn get(pool: &PgPool, root: &RootKey, id: Uuid) -> Result<Secret, VaultError> {
    let row = sqlx::query("SELECT sealed FROM vault.secret WHERE id = $1")
        .bind(id)
        .fetch_optional(pool)
        .await?
        .ok_or(VaultError::NotFound)?;
    let sealed: Vec<u8> = row.try_get("sealed")?;
    seal::open(root, &place(id), &sealed)
}

/// Keeps it no more.
pub(crate) async fn delete(pool: &PgPool, id: Uuid) -> Result<(), VaultError> {
    sqlx::query("DELETE FROM vault.secret WHERE id = $1").bind(id).execute(pool).await?;
    Ok(())
}
