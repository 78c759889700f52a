//! Ed25519 keys and signatures of members, as hexadecimal text.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::text::TextError;

macro_rules! hex_bytes {
    ($(#[$doc:meta])* $name:ident, $len:literal, $error:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(try_from = "Cow<'_, str>", into = "String")]
        pub struct $name([u8; $len]);

        impl $name {
            /// The bytes.
            #[must_use]
            pub const fn bytes(&self) -> &[u8; $len] {
                &self.0
            }
        }

        impl From<[u8; $len]> for $name {
            fn from(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }
        }

        impl TryFrom<Cow<'_, str>> for $name {
            type Error = TextError;

            fn try_from(text: Cow<'_, str>) -> Result<Self, TextError> {
                let mut bytes = [0; $len];
                hex::decode_to_slice(text.as_bytes(), &mut bytes)
                    .map_err(|_| crate::text::error($error))?;
                Ok(Self(bytes))
            }
        }

        impl TryFrom<String> for $name {
            type Error = TextError;

            fn try_from(text: String) -> Result<Self, TextError> {
                Cow::<str>::Owned(text).try_into()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                hex::encode(value.0)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), hex::encode(&self.0[..4]))
            }
        }
    };
}

hex_bytes! {
    /// An Ed25519 public key, 64 hexadecimal digits.
    #[derive(ToSchema)]
    #[schema(
        value_type = String, pattern = "^[0-9a-fA-F]{64}$",
        example = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    )]
    PublicKey, 32, "must be 64 hexadecimal digits"
}
hex_bytes! {
    /// An Ed25519 signature, 128 hexadecimal digits.
    #[derive(ToSchema)]
    #[schema(value_type = String, pattern = "^[0-9a-fA-F]{128}$", example = "00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000")]
    Signature, 64, "must be 128 hexadecimal digits"
}
