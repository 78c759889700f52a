//! Keyset pages: a page begins after a position, and the position travels as a sealed token.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    error::{Error, Result, Rule},
    limits::{PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX},
    mac::{Mac, Purpose},
    secret::Secret,
};

/// How many items a page holds, 1 to 200.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(
    feature = "openapi",
    schema(value_type = u16, minimum = 1, maximum = 200, default = 50, example = 50)
)]
#[serde(try_from = "u16", into = "u16")]
pub struct PageSize(u16);

impl PageSize {
    /// The largest page.
    pub const MAX: Self = Self(PAGE_SIZE_MAX);

    /// The number of items.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl Default for PageSize {
    fn default() -> Self {
        Self(PAGE_SIZE_DEFAULT)
    }
}

impl TryFrom<u16> for PageSize {
    type Error = String;

    fn try_from(size: u16) -> Result<Self, String> {
        if (1..=PAGE_SIZE_MAX).contains(&size) {
            Ok(Self(size))
        } else {
            Err(format!("a page holds 1 to {PAGE_SIZE_MAX} items"))
        }
    }
}

impl From<PageSize> for u16 {
    fn from(size: PageSize) -> Self {
        size.0
    }
}

/// The key of the last item that was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position(Uuid);

impl Position {
    /// After the item with this id.
    #[must_use]
    pub const fn after_id(id: Uuid) -> Self {
        Self(id)
    }

    /// After the item with this sequence number.
    #[must_use]
    pub fn after_sequence(sequence: u64) -> Self {
        Self(Uuid::from_u128(u128::from(sequence)))
    }

    /// The id.
    #[must_use]
    pub const fn id(self) -> Uuid {
        self.0
    }

    /// The sequence number; an id from another list is none.
    #[must_use]
    pub fn sequence(self) -> Option<u64> {
        u64::try_from(self.0.as_u128()).ok()
    }
}

/// Which page is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PageRequest {
    /// At most this many items.
    pub size: PageSize,
    /// Items after this position, or from the beginning.
    pub after: Option<Position>,
}

impl PageRequest {
    /// The first page, as long as pages get: for lists that are known to be shorter.
    #[must_use]
    pub const fn whole() -> Self {
        Self { size: PageSize(PAGE_SIZE_MAX), after: None }
    }
}

/// One page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The items in the list's order.
    pub items: Vec<T>,
    /// Where the next page begins; nothing on the last page.
    pub next: Option<Position>,
}

impl<T> Page<T> {
    /// Makes a page of `rows`, of which one more than `size` was asked for: the surplus row only
    /// says that there is a next page.
    pub fn of(mut rows: Vec<T>, size: PageSize, position: impl FnOnce(&T) -> Position) -> Self {
        let size = usize::from(size.get());
        let more = rows.len() > size;
        rows.truncate(size);
        let next = if more { rows.last().map(position) } else { None };
        Self { items: rows, next }
    }

    /// The same page with each item changed.
    pub fn map<U>(self, change: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(change).collect(), next: self.next }
    }
}

/// Seals positions so that a caller can neither read, make nor carry them to another list.
#[derive(Clone, Debug)]
pub struct PageTokens(Mac);

/// Token: version byte, position, the first 16 bytes of the keyed hash; in hexadecimal.
const VERSION: u8 = 1;
const TAG_LEN: usize = 16;

impl PageTokens {
    /// Seals under `key`.
    #[must_use]
    pub const fn new(key: Secret) -> Self {
        Self(Mac::new(key))
    }

    /// The token of a position in the list that `filter` describes. `filter` holds everything that
    /// decides what is in the list: caller's tenant, noun, parents, filters and order.
    #[must_use]
    pub fn seal(&self, filter: &str, position: Position) -> String {
        let tag =
            self.0.tag(Purpose::PageToken, &[&[VERSION], filter.as_bytes(), position.0.as_bytes()]);
        let mut token = vec![VERSION];
        token.extend_from_slice(position.0.as_bytes());
        token.extend_from_slice(&tag[..TAG_LEN]);
        hex::encode(token)
    }

    /// Opens a token of the same list.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a token that was not made here for this list.
    pub fn open(&self, filter: &str, token: &str) -> Result<Position> {
        let foreign = || {
            Error::invalid(
                "page_token",
                Rule::Format,
                "not a token of this list; leave it out to begin",
            )
        };
        let mut bytes = [0; 1 + 16 + TAG_LEN];
        hex::decode_to_slice(token, &mut bytes).map_err(|_| foreign())?;
        let (version, rest) = bytes.split_at(1);
        let (position, tag) = rest.split_at(16);
        let genuine = version == [VERSION]
            && self.0.verify_left(Purpose::PageToken, &[version, filter.as_bytes(), position], tag);
        if genuine {
            Ok(Position(Uuid::from_slice(position).expect("cut at 16 bytes")))
        } else {
            Err(foreign())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens() -> PageTokens {
        PageTokens::new(Secret::from(vec![1; 32]))
    }

    /// S-03: a token of one list, or one with any bit changed, opens nothing.
    #[test]
    fn a_token_opens_only_its_own_list() {
        let position = Position::after_sequence(77);
        let token = tokens().seal("tenant=a nodes", position);
        assert_eq!(tokens().open("tenant=a nodes", &token).ok(), Some(position));
        assert!(tokens().open("tenant=b nodes", &token).is_err(), "another tenant's token opened");
        let bytes = hex::decode(&token).expect("tokens are hexadecimal");
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(
                tokens().open("tenant=a nodes", &hex::encode(changed)).is_err(),
                "bit {bit} of the token is not covered"
            );
        }
        for bad in ["", "00", "zz", &"0".repeat(1_000)] {
            assert!(tokens().open("tenant=a nodes", bad).is_err(), "{bad} opened");
        }
    }

    /// The surplus row decides whether there is a next page and is never shown.
    #[test]
    fn a_page_ends_where_the_next_begins() {
        let size = PageSize::try_from(2).expect("in bounds");
        let at = |n: &u64| Position::after_sequence(*n);
        assert_eq!(Page::of(vec![1, 2], size, at).next, None, "two rows fit: no next page");
        let page = Page::of(vec![1, 2, 3], size, at);
        assert_eq!((page.items, page.next), (vec![1, 2], Some(Position::after_sequence(2))));
    }

    /// S-08: sizes outside 1 to 200 are refused, not silently changed.
    #[test]
    fn page_sizes_have_bounds() {
        for bad in [0, 201, u16::MAX] {
            assert!(PageSize::try_from(bad).is_err(), "{bad} must be refused");
        }
    }
}
