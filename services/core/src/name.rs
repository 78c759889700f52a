//! Names that people choose for things.

use std::{borrow::Cow, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::limits::NAME_LEN_MAX;

/// A lower-case name, `^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`: safe in addresses, file names, DNS labels and logs.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(
    feature = "openapi",
    schema(value_type = String, pattern = "^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$", max_length = 63, example = "demo")
)]
#[serde(try_from = "Cow<'_, str>", into = "String")]
pub struct Name(String);

/// Text that is no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a name begins with a letter a to z, continues with a to z, 0 to 9 or -, does not end with -, and has at most 63 characters"
)]
pub struct NameError;

impl Name {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<Cow<'_, str>> for Name {
    type Error = NameError;

    fn try_from(text: Cow<'_, str>) -> Result<Self, NameError> {
        let mut bytes = text.bytes();
        let begins = bytes.next().is_some_and(|b| b.is_ascii_lowercase());
        let continues = bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        let ends = !text.ends_with('-');
        if begins && continues && ends && text.len() <= NAME_LEN_MAX {
            Ok(Self(text.into_owned()))
        } else {
            Err(NameError)
        }
    }
}

impl TryFrom<String> for Name {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        Cow::<str>::Owned(text).try_into()
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Cow::Borrowed(text).try_into()
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// S-07, S-11: names reach addresses, files, SQL and logs, so only the plain alphabet may pass.
    #[test]
    fn only_the_plain_alphabet_is_accepted() {
        for good in ["a", "demo", "bank-7", &"a".repeat(63)] {
            assert!(good.parse::<Name>().is_ok(), "{good} is a name");
        }
        let long = "a".repeat(64);
        for bad in [
            "", "-a", "a-", "7up", "Demo", "demo ", " demo", "de_mo", "a/b", "a*", "a+b", "a,b",
            "a\0", "a\n", "a.b", "%2e", "ä", "ａ", &long,
        ] {
            assert!(bad.parse::<Name>().is_err(), "{bad:?} must be refused");
            let json = serde_json::to_string(bad).expect("text is JSON");
            assert!(
                serde_json::from_str::<Name>(&json).is_err(),
                "{bad:?} must be refused in JSON"
            );
        }
    }
}
