//! Sealing: AES-256-GCM (NIST SP 800-38D) with a fresh key for each object, itself sealed under the
//! root key. Both layers are bound to the object's place, so that a row that was moved or renamed
//! does not open.
//!
//! Layout, version 1: `1 | nonce 12 | sealed object key 32 | tag 16 | nonce 12 | sealed bytes | tag 16`.

use hansa_core::Secret;
use openssl::symm::{Cipher, decrypt_aead, encrypt_aead};

use crate::{error::VaultError, root_key::RootKey};

const VERSION: u8 = 1;
const KEY_LEN: usize = 32;
const NONCE_LEN: usize = 12;
const TAG_LEN: usize = 16;
const WRAPPED_LEN: usize = NONCE_LEN + KEY_LEN + TAG_LEN;

/// Seals `secret` for one place.
pub(crate) fn seal(root: &RootKey, place: &str, secret: &Secret) -> Result<Vec<u8>, VaultError> {
    let object_key = Secret::random(KEY_LEN).map_err(|_| VaultError::Sealed)?;
    let mut sealed = vec![VERSION];
    sealed.extend(layer(root.secret(), &context("key", place), object_key.expose())?);
    sealed.extend(layer(&object_key, &context("object", place), secret.expose())?);
    Ok(sealed)
}

/// Opens what was sealed for this place.
pub(crate) fn open(root: &RootKey, place: &str, sealed: &[u8]) -> Result<Secret, VaultError> {
    let (version, rest) = sealed.split_first().ok_or(VaultError::Sealed)?;
    if *version != VERSION {
        return Err(VaultError::Sealed);
    }
    let (wrapped, object) = rest.split_at_checked(WRAPPED_LEN).ok_or(VaultError::Sealed)?;
    let object_key = unlayer(root.secret(), &context("key", place), wrapped)?;
    unlayer(&object_key, &context("object", place), object)
}

/// What a layer is bound to.
fn context(layer: &str, place: &str) -> Vec<u8> {
    format!("hansa/vault-seal/v1 {layer} {place}").into_bytes()
}

fn layer(key: &Secret, context: &[u8], plain: &[u8]) -> Result<Vec<u8>, VaultError> {
    let nonce = Secret::random(NONCE_LEN).map_err(|_| VaultError::Sealed)?;
    let mut tag = [0; TAG_LEN];
    let cipher = Cipher::aes_256_gcm();
    let sealed =
        encrypt_aead(cipher, key.expose(), Some(nonce.expose()), context, plain, &mut tag)?;
    Ok([nonce.expose(), &sealed, &tag].concat())
}

fn unlayer(key: &Secret, context: &[u8], layer: &[u8]) -> Result<Secret, VaultError> {
    let (nonce, rest) = layer.split_at_checked(NONCE_LEN).ok_or(VaultError::Sealed)?;
    let at = rest.len().checked_sub(TAG_LEN).ok_or(VaultError::Sealed)?;
    let (sealed, tag) = rest.split_at(at);
    decrypt_aead(Cipher::aes_256_gcm(), key.expose(), Some(nonce), context, sealed, tag)
        .map(Secret::from)
        .map_err(|_| VaultError::Sealed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> RootKey {
        let folder = tempfile::tempdir().unwrap();
        RootKey::read_or_create(&folder.path().join("root.key")).unwrap()
    }

    #[test]
    fn what_was_sealed_for_one_place_opens_there_only() {
        // Whoever can write rows must not be able to put one ledger's key in another's place.
        let root = root();
        let sealed = seal(&root, "key 1", &Secret::from(vec![7; 32])).unwrap();
        assert_eq!(open(&root, "key 1", &sealed).unwrap().expose(), [7; 32]);
        assert!(open(&root, "key 2", &sealed).is_err(), "it opened in another place");
        assert!(open(&self::root(), "key 1", &sealed).is_err(), "another root key opened it");
    }

    #[test]
    fn every_changed_byte_is_noticed() {
        // A sealed key that opens to something else would sign in nobody's name.
        let root = root();
        let sealed = seal(&root, "key", &Secret::from(vec![7; 32])).unwrap();
        for place in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[place] ^= 1;
            assert!(open(&root, "key", &changed).is_err(), "byte {place} is not protected");
        }
        for length in 0..sealed.len() {
            assert!(open(&root, "key", &sealed[..length]).is_err(), "cut to {length} bytes");
        }
    }
}
