//! Receipts in files.

use std::{
    fs,
    path::{Path, PathBuf},
};

use ledger_types::Digest;

use super::session::Session;
use crate::cli::failure::{Failure, Outcome};

/// Waits for the receipt of a transaction, checks it, and writes it.
pub(super) async fn write(session: &Session, id: Digest, path: &Path) -> Outcome<()> {
    let receipt = session.receipt(id).await?;
    let text = serde_json::to_vec_pretty(&receipt).map_err(anyhow::Error::from)?;
    fs::write(path, text)
        .map_err(|error| Failure::failed(format!("writing {}: {error}", path.display())))
}

/// Where the receipt of one of several transactions goes: `r.json` is `r-1.json`, `r-2.json`.
pub(super) fn numbered(path: &Path, place: usize, of: usize) -> PathBuf {
    if of == 1 {
        return path.to_owned();
    }
    let mut name = path.file_stem().unwrap_or_default().to_owned();
    name.push(format!("-{}", place + 1));
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two receipts in one file are none.
    #[test]
    fn each_transaction_has_a_receipt_of_its_own() {
        let name = |path: &str, place, of| numbered(Path::new(path), place, of);
        assert_eq!(name("a/r.json", 0, 1), Path::new("a/r.json"));
        assert_eq!(name("a/r.json", 1, 3), Path::new("a/r-2.json"));
        assert_eq!(name("r", 0, 2), Path::new("r-1"));
    }
}
