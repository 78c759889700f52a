//! Primary keys as bytes whose order is SQLite's.

use ledger_types::Value;
use smallvec::SmallVec;

/// Bytes of an encoded key at most.
pub(crate) const KEY_BYTES_MAX: usize = 255;

/// An encoded primary key: prefix-free, ordered like the values under BINARY collation.
///
/// INTEGER is 8 bytes big-endian with the sign flipped; TEXT and BLOB escape 00 as 00 FF and end
/// with 00 01; columns follow each other. One or two integers need no memory of their own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key(pub(crate) SmallVec<[u8; 16]>);

impl Key {
    /// Encodes key columns; `None` for a NULL or a key that is too long.
    pub(crate) fn encode<'a>(values: impl IntoIterator<Item = &'a Value>) -> Option<Self> {
        let mut bytes = SmallVec::new();
        for value in values {
            match value {
                Value::Null => return None,
                Value::Integer(i) => {
                    bytes.extend_from_slice(&(i.cast_unsigned() ^ (1 << 63)).to_be_bytes());
                }
                Value::Text(text) => escape(&mut bytes, text.as_bytes()),
                Value::Blob { hex } => escape(&mut bytes, hex),
            }
        }
        (bytes.len() <= KEY_BYTES_MAX).then_some(Self(bytes))
    }

    /// Bit `at`, counted from the most significant bit of the first byte; 0 beyond the end.
    pub(crate) fn bit(&self, at: u16) -> bool {
        let byte = self.0.get(usize::from(at / 8)).copied().unwrap_or(0);
        byte & (0x80 >> (at % 8)) != 0
    }

    /// The first bit in which two keys differ; `None` for equal ones.
    pub(crate) fn first_difference(&self, other: &Self) -> Option<u16> {
        let at = self.0.iter().zip(other.0.iter()).position(|(a, b)| a != b)?;
        let bit = (self.0[at] ^ other.0[at]).leading_zeros();
        u16::try_from(at * 8 + bit as usize).ok()
    }
}

fn escape(to: &mut SmallVec<[u8; 16]>, bytes: &[u8]) {
    for byte in bytes {
        to.push(*byte);
        if *byte == 0 {
            to.push(0xff);
        }
    }
    to.extend_from_slice(&[0, 1]);
}

/// The values that a key was made of; `kinds` says which columns are integers.
pub(crate) fn decode(key: &Key, kinds: &[crate::schema::Kind]) -> Option<Vec<Value>> {
    let mut rest = &key.0[..];
    let mut values = Vec::with_capacity(kinds.len());
    for kind in kinds {
        values.push(match kind {
            crate::schema::Kind::Integer => {
                let (number, after) = rest.split_first_chunk::<8>()?;
                rest = after;
                Value::Integer((u64::from_be_bytes(*number) ^ (1 << 63)).cast_signed())
            }
            crate::schema::Kind::Text => Value::Text(String::from_utf8(unescape(&mut rest)?).ok()?),
            crate::schema::Kind::Blob => Value::Blob { hex: unescape(&mut rest)? },
        });
    }
    rest.is_empty().then_some(values)
}

fn unescape(rest: &mut &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        if *byte != 0 {
            bytes.push(*byte);
            continue;
        }
        let (mark, after) = rest.split_first()?;
        *rest = after;
        match mark {
            0xff => bytes.push(0),
            1 => return Some(bytes),
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Kind;

    #[test]
    fn order_and_content_survive_encoding() {
        // The tree's shape is the order of keys; it must be SQLite's.
        let texts = ["", "\0", "\0\0", "\0a", "a", "a\0", "a\0b", "aa", "b", "ü"];
        let numbers = [i64::MIN, -1, 0, 1, 255, 256, i64::MAX];
        let mut values = Vec::new();
        for text in texts {
            for number in numbers {
                values.push(vec![Value::from(text), Value::from(number)]);
            }
        }
        let keys: Vec<Key> = values.iter().map(|v| Key::encode(v).unwrap()).collect();
        assert!(keys.is_sorted(), "keys must be in the order of their values");
        for (key, value) in keys.iter().zip(&values) {
            assert_eq!(&decode(key, &[Kind::Text, Kind::Integer]).unwrap(), value);
        }
        for pair in keys.windows(2) {
            let bit = pair[0].first_difference(&pair[1]).expect("keys are prefix-free");
            assert!(!pair[0].bit(bit) && pair[1].bit(bit));
        }
    }

    #[test]
    fn null_and_oversized_keys_are_refused() {
        assert_eq!(Key::encode([&Value::Null]), None);
        assert!(Key::encode([&Value::from("x".repeat(253).as_str())]).is_some());
        assert_eq!(Key::encode([&Value::from("x".repeat(254).as_str())]), None);
    }
}
