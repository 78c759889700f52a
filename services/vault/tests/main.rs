//! The vault on a real database.

use std::{os::unix::fs::PermissionsExt as _, sync::Arc, time::Duration};

use hansa_core::{Clock as _, LedgerId, ManualClock, NodeId, Secret, SystemClock, Uuid, limits};
use hansa_postgres::{Login, TestDatabase};
use hansa_types::vault::CertificateRequest;
use hansa_vault::{RootKey, RootKeyError, Vault, VaultConfig, VaultError};
use openssl::{
    hash::MessageDigest,
    pkey::{Id, PKey, Private},
    sign::Verifier,
    stack::Stack,
    x509::{X509, X509ReqBuilder, X509StoreContext, store::X509StoreBuilder},
};
use sqlx::ConnectOptions as _;

const VAULT: Login = hansa_store::testing::VAULT;

struct Fixture {
    database: TestDatabase,
    folder: tempfile::TempDir,
    clock: Arc<ManualClock>,
}

impl Fixture {
    async fn new() -> Self {
        Self {
            database: hansa_store::testing::database().await,
            folder: tempfile::tempdir().unwrap(),
            clock: Arc::new(ManualClock::new(SystemClock.now())),
        }
    }

    fn vault(&self) -> Vault {
        self.vault_under("root.key")
    }

    fn vault_under(&self, root: &str) -> Vault {
        Vault::new(VaultConfig {
            database: self.database.login(VAULT),
            root: RootKey::read_or_create(&self.folder.path().join(root)).unwrap(),
            clock: self.clock.clone(),
        })
    }
}

fn request(ledger: LedgerId, key: &PKey<Private>, signed_by: &PKey<Private>) -> CertificateRequest {
    let mut builder = X509ReqBuilder::new().unwrap();
    builder.set_pubkey(key).unwrap();
    builder.sign(signed_by, MessageDigest::null()).unwrap();
    CertificateRequest {
        ledger,
        node: NodeId::new(),
        name: "one".to_owned(),
        request: String::from_utf8(builder.build().to_pem().unwrap()).unwrap(),
        hosts: vec!["127.0.0.1".to_owned(), "one.example".to_owned()],
    }
}

#[tokio::test]
async fn keys_survive_a_restart_and_sign_by_id() {
    // A restarted vault with other keys would sign everybody out.
    let fixture = Fixture::new().await;
    let before = fixture.vault().jwt_keys().await.unwrap();
    let vault = fixture.vault();
    let keys = vault.jwt_keys().await.unwrap();
    assert_eq!(before.signing, keys.signing, "the key was not kept");
    let signed = vault.jwt_sign(&keys.signing, b"message").await.unwrap();
    let key =
        PKey::public_key_from_raw_bytes(keys.keys[0].public_key.bytes(), Id::ED25519).unwrap();
    let mut verifier = Verifier::new_without_digest(&key).unwrap();
    assert!(verifier.verify_oneshot(signed.signature.bytes(), b"message").unwrap());
    let unknown = vault.jwt_sign("another", b"message").await;
    assert!(matches!(unknown, Err(VaultError::NotFound)), "{unknown:?}");
}

#[tokio::test]
async fn an_exchanged_key_is_listed_until_its_tokens_have_ended_and_signs_no_more() {
    // Exchanging a key must not sign anybody out, and must end the old one.
    let fixture = Fixture::new().await;
    let vault = fixture.vault();
    let old = vault.jwt_keys().await.unwrap().signing;
    let new = vault.jwt_rotate().await.unwrap();
    assert_ne!(new.signing, old);
    assert_eq!(new.keys.len(), 2, "the former key's tokens must still be accepted");
    let signed = vault.jwt_sign(&old, b"message").await;
    assert!(matches!(signed, Err(VaultError::NotFound)), "a retired key signed: {signed:?}");
    fixture.clock.advance(Duration::from_secs(3_600));
    assert_eq!(vault.jwt_keys().await.unwrap().keys.len(), 1, "it is listed for ever");
}

#[tokio::test]
async fn another_root_key_opens_nothing() {
    // A stolen database without the root key must be worthless, and a mix-up must be noticed.
    let fixture = Fixture::new().await;
    let signing = fixture.vault().jwt_keys().await.unwrap().signing;
    let other = fixture.vault_under("other.key");
    let signed = other.jwt_sign(&signing, b"message").await;
    assert!(matches!(signed, Err(VaultError::Sealed)), "{signed:?}");
    assert!(matches!(other.ready().await, Err(VaultError::Sealed)), "readiness must tell");
}

#[tokio::test]
async fn a_nodes_certificate_chains_to_its_ledgers_authority_only() {
    // Peers trust one authority: another ledger's node must not get in.
    let fixture = Fixture::new().await;
    let vault = fixture.vault();
    let ledgers = [LedgerId::new(), LedgerId::new()];
    let mut authorities = Vec::new();
    for ledger in ledgers {
        let made = vault.authority(ledger).await.unwrap().certificate;
        assert_eq!(vault.authority(ledger).await.unwrap().certificate, made, "made twice");
        authorities.push(X509::from_pem(made.as_bytes()).unwrap());
    }
    let key = PKey::generate_ed25519().unwrap();
    let issued = vault.issue(&request(ledgers[0], &key, &key)).await.unwrap();
    let issued = X509::from_pem(issued.certificate.as_bytes()).unwrap();
    assert!(issued.public_key().unwrap().public_eq(&key), "the certificate has another key");
    for (place, authority) in authorities.into_iter().enumerate() {
        let mut store = X509StoreBuilder::new().unwrap();
        store.add_cert(authority).unwrap();
        let mut context = X509StoreContext::new().unwrap();
        let chains = context
            .init(&store.build(), &issued, &Stack::new().unwrap(), |c| c.verify_cert())
            .unwrap();
        assert_eq!(chains, place == 0, "authority {place}");
    }
}

#[tokio::test]
async fn a_request_without_proof_of_its_key_is_refused() {
    // Otherwise a node could be given a certificate for a key that another holds.
    let fixture = Fixture::new().await;
    let vault = fixture.vault();
    let ledger = LedgerId::new();
    let (key, other) = (PKey::generate_ed25519().unwrap(), PKey::generate_ed25519().unwrap());
    let early = vault.issue(&request(ledger, &key, &key)).await;
    assert!(matches!(early, Err(VaultError::NotFound)), "there is no authority yet: {early:?}");
    vault.authority(ledger).await.unwrap();
    let good = request(ledger, &key, &key);
    let cases = [
        ("signed by another key", request(ledger, &key, &other)),
        ("no request", CertificateRequest { request: "hello".to_owned(), ..good.clone() }),
        ("no host", CertificateRequest { hosts: Vec::new(), ..good.clone() }),
        ("a host with a comma", CertificateRequest { hosts: vec!["a,DNS:b".to_owned()], ..good }),
    ];
    for (what, request) in cases {
        let issued = vault.issue(&request).await;
        assert!(matches!(issued, Err(VaultError::Invalid(_))), "{what}: {issued:?}");
    }
}

#[tokio::test]
async fn a_row_that_was_moved_to_another_ledger_does_not_open() {
    // Whoever can write the table must not be able to let one ledger's authority sign for another.
    use sqlx::ConnectOptions as _;
    let fixture = Fixture::new().await;
    let vault = fixture.vault();
    let (mine, other) = (LedgerId::new(), LedgerId::new());
    vault.authority(mine).await.unwrap();
    let mut superuser = fixture.database.superuser().connect().await.unwrap();
    sqlx::query("UPDATE vault.key SET ledger_id = $1 WHERE ledger_id = $2")
        .bind(other.uuid())
        .bind(mine.uuid())
        .execute(&mut superuser)
        .await
        .unwrap();
    let key = PKey::generate_ed25519().unwrap();
    let issued = vault.issue(&request(other, &key, &key)).await;
    assert!(matches!(issued, Err(VaultError::Sealed)), "{issued:?}");
}

#[tokio::test]
async fn no_other_service_reaches_the_vaults_rows_nor_the_vault_theirs() {
    // The API and the controller must not even hold sealed keys.
    use sqlx::ConnectOptions as _;
    let fixture = Fixture::new().await;
    let logins = [hansa_store::testing::API, hansa_store::testing::CONTROLLER];
    for login in logins {
        let mut connection = fixture.database.login(login).connect().await.unwrap();
        let read = sqlx::query("SELECT * FROM vault.key").fetch_all(&mut connection).await;
        assert!(read.is_err(), "{} reads the vault", login.role);
    }
    let mut connection = fixture.database.login(VAULT).connect().await.unwrap();
    for table in ["tenant", "ledger", "api_key", "audit_event"] {
        let query = format!("SELECT 1 FROM {table}");
        let read = sqlx::query(sqlx::AssertSqlSafe(query)).fetch_all(&mut connection).await;
        assert!(read.is_err(), "the vault reads {table}");
    }
}

#[test]
fn a_root_key_that_others_can_read_is_refused() {
    // The file is all that stands between a copy of the database and every key in it.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("root.key");
    RootKey::read_or_create(&path).unwrap();
    let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600, "made with mode {mode:o}");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(RootKey::read_or_create(&path), Err(RootKeyError::Mode { .. })));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::write(&path, "not a key").unwrap();
    assert!(matches!(RootKey::read_or_create(&path), Err(RootKeyError::Content { .. })));
}

/// Other systems' credentials are kept under the root key, each in its place only.
#[tokio::test]
async fn a_kept_secret_comes_back_and_moves_nowhere() {
    let fixture = Fixture::new().await;
    let vault = fixture.vault();
    let (one, other) = (Uuid::now_v7(), Uuid::now_v7());
    vault.secret_put(one, &Secret::from("first".to_owned())).await.unwrap();
    vault.secret_put(one, &Secret::from("second".to_owned())).await.unwrap();
    vault.secret_put(other, &Secret::from("other".to_owned())).await.unwrap();
    assert_eq!(vault.secret_get(one).await.unwrap().expose(), b"second", "the last one counts");
    let mut connection = fixture.database.superuser().connect().await.unwrap();
    let bare: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM vault.secret WHERE position('second'::bytea IN sealed) > 0",
    )
    .fetch_one(&mut connection)
    .await
    .unwrap();
    assert_eq!(bare, 0, "it lies in the database unsealed");
    let moved = "UPDATE vault.secret SET sealed = (SELECT sealed FROM vault.secret WHERE id = $1) \
                 WHERE id = $2";
    sqlx::query(moved).bind(one).bind(other).execute(&mut connection).await.unwrap();
    let refused = vault.secret_get(other).await.map(drop);
    assert!(matches!(refused, Err(VaultError::Sealed)), "a moved row opens: {refused:?}");
    vault.secret_delete(one).await.unwrap();
    vault.secret_delete(one).await.expect("what is gone can be deleted");
    let gone = vault.secret_get(one).await.map(drop);
    assert!(matches!(gone, Err(VaultError::NotFound)), "{gone:?}");
    let long = Secret::from(vec![b'x'; limits::KUBECONFIG_BYTES_MAX + 1]);
    let refused = vault.secret_put(one, &long).await;
    assert!(matches!(refused, Err(VaultError::Invalid(_))), "{refused:?}");
}
