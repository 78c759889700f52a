//! Passwords: Argon2id, a bounded number at once.

use std::sync::{Arc, LazyLock};

use argon2::{
    Argon2, PasswordHash, PasswordHasher, PasswordVerifier,
    password_hash::{Error as HashError, SaltString},
};
use hansa_core::{Error, Result, Secret, limits};
use tokio::sync::Semaphore;

const SALT_BYTES: usize = 16;

/// The hash of a password that nobody has: a sign-in of an unknown user costs the same time.
static NOBODY: LazyLock<String> = LazyLock::new(|| {
    let password = Secret::random(32).expect("randomness was there when the process started");
    hash(&password).expect("the parameters are constant")
});

/// Hashes and checks passwords. Each takes a core and 19 MiB, so few run at once, some wait, and
/// the rest are told to come back.
#[derive(Debug)]
pub(crate) struct Passwords {
    running: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

impl Passwords {
    pub(crate) fn new() -> Self {
        Self {
            running: Arc::new(Semaphore::new(limits::PASSWORD_HASHES_MAX)),
            waiting: Arc::new(Semaphore::new(limits::PASSWORD_QUEUE_MAX)),
        }
    }

    /// The hash of a password in PHC form.
    pub(crate) async fn hash(&self, password: &Secret) -> Result<String> {
        let password = password.clone();
        self.run(move || hash(&password)).await?
    }

    /// Whether a password has this hash; without a hash, the same work and "no".
    pub(crate) async fn verify(&self, password: &Secret, known: Option<String>) -> Result<bool> {
        let password = password.clone();
        self.run(move || {
            let against = known.as_deref().unwrap_or(&NOBODY);
            let parsed = PasswordHash::new(against).map_err(fault)?;
            match Argon2::default().verify_password(password.expose(), &parsed) {
                Ok(()) => Ok(known.is_some()),
                Err(HashError::Password) => Ok(false),
                Err(error) => Err(fault(error)),
            }
        })
        .await?
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let queue = Arc::clone(&self.waiting);
        let place = queue
            .try_acquire_owned()
            .map_err(|_| Error::Busy { retry_after: limits::RETRY_AFTER })?;
        let turn = Arc::clone(&self.running).acquire_owned().await.map_err(Error::internal)?;
        let done = tokio::task::spawn_blocking(move || {
            let _held = (place, turn);
            work()
        });
        done.await.map_err(Error::internal)
    }
}

/// Argon2id, 19 MiB, two passes: the crate's default, which is OWASP's first recommendation.
fn hash(password: &Secret) -> Result<String> {
    let salt = Secret::random(SALT_BYTES).map_err(Error::internal)?;
    let salt = SaltString::encode_b64(salt.expose()).map_err(fault)?;
    let hash = Argon2::default().hash_password(password.expose(), &salt).map_err(fault)?;
    Ok(hash.to_string())
}

fn fault(error: HashError) -> Error {
    Error::internal(error.to_string())
}
