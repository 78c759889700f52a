//! Text that people write, checked when it is read.

use std::borrow::Cow;

use hansa_core::{Secret, limits};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Text that does not have the required form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextError(&'static str);

pub(crate) const fn error(text: &'static str) -> TextError {
    TextError(text)
}

impl std::fmt::Display for TextError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for TextError {}

/// A title for people, 1 to 120 characters, without control characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(value_type = String, min_length = 1, max_length = 120, example = "First Bank")]
#[serde(try_from = "Cow<'_, str>", into = "String")]
pub struct DisplayName(String);

impl DisplayName {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Characters that turn the order of a line around, end it, or are not seen: two titles must not look
/// alike, nor one look like something else (Unicode Technical Report 36, section 2.5 to 2.7). Joiners,
/// which Persian and Indian scripts need, pass.
fn is_unseen(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

impl TryFrom<Cow<'_, str>> for DisplayName {
    type Error = TextError;

    fn try_from(text: Cow<'_, str>) -> Result<Self, TextError> {
        let trimmed = text.trim();
        let length = trimmed.chars().count();
        if !(1..=limits::DISPLAY_NAME_LEN_MAX).contains(&length) {
            return Err(TextError("must have 1 to 120 characters"));
        }
        if trimmed.chars().any(|c| c.is_control() || is_unseen(c)) {
            return Err(TextError("must not contain control characters or ones that are not seen"));
        }
        Ok(Self(trimmed.to_owned()))
    }
}

impl TryFrom<String> for DisplayName {
    type Error = TextError;

    fn try_from(text: String) -> Result<Self, TextError> {
        Cow::<str>::Owned(text).try_into()
    }
}

impl From<DisplayName> for String {
    fn from(name: DisplayName) -> Self {
        name.0
    }
}

/// An e-mail address in its normal form: trimmed and in lower case, so that two spellings of one
/// address are one account.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[schema(value_type = String, format = Email, max_length = 254, example = "ana@alpha.example")]
#[serde(try_from = "Cow<'_, str>", into = "String")]
pub struct Email(String);

impl Email {
    /// The address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<Cow<'_, str>> for Email {
    type Error = TextError;

    fn try_from(text: Cow<'_, str>) -> Result<Self, TextError> {
        let text = text.trim().to_lowercase();
        let plain = |c: char| c.is_ascii_graphic();
        let well_formed = text.split_once('@').is_some_and(|(user, host)| {
            !user.is_empty() && !host.is_empty() && !host.contains('@') && text.chars().all(plain)
        });
        if well_formed && text.len() <= limits::EMAIL_LEN_MAX {
            Ok(Self(text))
        } else {
            Err(TextError("must be an e-mail address of at most 254 characters"))
        }
    }
}

impl TryFrom<String> for Email {
    type Error = TextError;

    fn try_from(text: String) -> Result<Self, TextError> {
        Cow::<str>::Owned(text).try_into()
    }
}

impl From<Email> for String {
    fn from(email: Email) -> Self {
        email.0
    }
}

/// A password as somebody offers it at sign-in: any text of bounded length.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[schema(value_type = String, format = Password, min_length = 1, max_length = 512)]
#[serde(try_from = "String")]
pub struct Password(Secret);

impl Password {
    /// The secret itself.
    #[must_use]
    pub const fn secret(&self) -> &Secret {
        &self.0
    }
}

impl TryFrom<String> for Password {
    type Error = TextError;

    fn try_from(text: String) -> Result<Self, TextError> {
        let secret = Secret::from(text);
        if (1..=limits::PASSWORD_BYTES_MAX).contains(&secret.expose().len()) {
            Ok(Self(secret))
        } else {
            Err(TextError("must have 1 to 512 bytes"))
        }
    }
}

/// A password that is being set: at least 15 characters, more than one of them distinct.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[schema(value_type = String, format = Password, min_length = 15, max_length = 512)]
#[serde(try_from = "String")]
pub struct NewPassword(Secret);

impl NewPassword {
    /// The secret itself.
    #[must_use]
    pub const fn secret(&self) -> &Secret {
        &self.0
    }
}

impl TryFrom<String> for NewPassword {
    type Error = TextError;

    fn try_from(text: String) -> Result<Self, TextError> {
        let distinct: std::collections::HashSet<char> = text.chars().collect();
        let length = text.chars().count();
        let secret = Secret::from(text);
        if length < limits::PASSWORD_LEN_MIN || secret.expose().len() > limits::PASSWORD_BYTES_MAX {
            return Err(TextError("must have at least 15 characters and at most 512 bytes"));
        }
        if distinct.len() < 5 {
            return Err(TextError("must have at least five different characters"));
        }
        Ok(Self(secret))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// S-27: two spellings of an address are one account.
    #[test]
    fn an_address_has_one_spelling() {
        let parse = |text: &str| Email::try_from(text.to_owned());
        assert_eq!(parse(" Ana@Alpha.Example "), parse("ana@alpha.example"));
        for bad in ["", "ana", "@", "a@", "@b", "a@b@c", "a b@c", "a\n@b", "ａna@b"] {
            assert!(parse(bad).is_err(), "{bad:?} is no address");
        }
    }

    /// S-29: length decides, not a recipe of character classes; long and unusual ones pass whole.
    #[test]
    fn new_passwords_are_long() {
        let parse = |text: &str| NewPassword::try_from(text.to_owned());
        assert!(parse("short but odd!").is_err(), "14 characters must be refused");
        assert!(parse(&"a".repeat(40)).is_err(), "one repeated character must be refused");
        assert!(
            parse(&"correct horse 🐎 ".repeat(8)).is_ok(),
            "128 characters with emoji must pass"
        );
    }

    /// S-69: control characters in titles would forge lines of logs and terminals.
    #[test]
    fn titles_have_no_control_characters() {
        let turned = "bank\u{202e}knab";
        for bad in ["", "  ", "a\nb", "a\u{1b}[2J", turned, "a\u{200b}b", &"x".repeat(121)] {
            assert!(DisplayName::try_from(bad.to_owned()).is_err(), "{bad:?} must be refused");
        }
        for good in ["第一银行", "می\u{200c}خواهم", "שלום"] {
            assert!(DisplayName::try_from(good.to_owned()).is_ok(), "{good:?} is a title");
        }
    }
}
