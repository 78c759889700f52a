//! What applications rely on when they hold their own keys.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
};

use ledger_client::{KeyFileError, Signer, create_key_file, read_key_file};
use ledger_types::{LedgerId, Payload, SigningKey, Statement, Transaction};

#[test]
fn a_key_file_is_private_from_its_making_and_reads_back() {
    // Protects the key from other users of the machine.
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("admin.key");
    let made = create_key_file(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    assert_eq!(read_key_file(&path).unwrap().public_key(), made.public_key());
    let again = create_key_file(&path).expect_err("an existing key must not be replaced");
    assert!(matches!(again, KeyFileError::Io { .. }));
    assert_eq!(read_key_file(&path).unwrap().public_key(), made.public_key());
}

#[test]
fn a_key_file_that_others_may_read_is_refused_with_the_cure() {
    // A key that leaked through its mode must not go on being used silently.
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("admin.key");
    create_key_file(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let error = read_key_file(&path).expect_err("mode 640").to_string();
    assert!(error.contains("chmod 600"), "the error must say what to do: {error}");
}

#[test]
fn an_error_never_repeats_the_content_of_a_key_file() {
    // Key material in an error message ends up in logs.
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("admin.key");
    create_key_file(&path).unwrap();
    let secret = "c0ffee".repeat(10);
    fs::write(&path, &secret).unwrap();
    let error = read_key_file(&path).expect_err("60 digits are no key");
    assert!(!format!("{error} {error:?}").contains(&secret[..12]), "{error:?}");
}

#[test]
fn the_same_nonce_makes_the_same_transaction_and_another_one_does_not() {
    // A client that repeats a submission after a lost answer must not pay twice.
    let signer = Signer::new(LedgerId([3; 16]), SigningKey::from_seed(&[5; 32]));
    let payload =
        |sql: &str| Payload::Sql(vec![Statement { sql: sql.into(), parameters: vec![1.into()] }]);
    let first = signer.transaction_with(payload("DELETE FROM t WHERE id = ?1"), 1, 1_000_000);
    let again = signer.transaction_with(payload("DELETE FROM t WHERE id = ?1"), 1, 1_000_000);
    let other = signer.transaction_with(payload("DELETE FROM t WHERE id = ?1"), 2, 1_000_000);
    assert_eq!(first.id(), again.id());
    assert_ne!(first.id(), other.id());
    assert!(Transaction::decode(first.raw().clone()).unwrap().verify());
    let random = || signer.statement("SELECT 1", vec![], 1_000_000).unwrap().id();
    assert_ne!(random(), random(), "random nonces make different transactions");
}

#[test]
fn the_longest_validity_is_what_the_ledger_accepts() {
    // A window that nodes refuse would make every transaction of the client fail.
    let signer =
        Signer::new(LedgerId([3; 16]), SigningKey::from_seed(&[5; 32])).valid_for_ms(u64::MAX);
    let made = signer.statement("SELECT 1", vec![], 1_700_000_000_000).unwrap();
    Transaction::decode(made.raw().clone()).expect("within the ledger's limit");
}
