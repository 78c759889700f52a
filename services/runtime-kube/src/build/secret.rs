//! A node's one-time enrolment token. Its own keys are made on its volume and never come here.

use std::collections::BTreeMap;

use hansa_core::Secret;
use k8s_openapi::{ByteString, api::core::v1::Secret as KubeSecret};

use super::node_metadata;
use crate::{config::KubeConfig, wish::Wish};

/// The key in the secret, and so the file's name.
pub(super) const TOKEN: &str = "token";

pub(super) fn secret(config: &KubeConfig, wish: &Wish, token: &Secret) -> KubeSecret {
    let token = ByteString(token.expose().to_vec());
    KubeSecret {
        metadata: node_metadata(config, wish, wish.object()),
        data: Some(BTreeMap::from([(TOKEN.to_owned(), token)])),
        type_: Some("Opaque".to_owned()),
        ..KubeSecret::default()
    }
}
