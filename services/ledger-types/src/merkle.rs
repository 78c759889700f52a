//! Binary Merkle trees over a list, with the shape of RFC 9162 §2.1: leaves and nodes are hashed
//! under different prefixes, and the left half is the largest power of two below the count.

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::digest::Digest;

/// The way from one leaf to the root: sibling digests from the leaf upwards.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MerklePath {
    /// The leaf's place, from 0.
    pub index: u32,
    /// How many leaves the list has.
    pub count: u32,
    /// Siblings from the leaf upwards.
    pub siblings: Vec<Digest>,
}

fn leaf(item: &Digest) -> Digest {
    Digest(Sha256::new().chain_update([0]).chain_update(item.0).finalize().into())
}

fn node(left: &Digest, right: &Digest) -> Digest {
    Digest(
        Sha256::new()
            .chain_update([1])
            .chain_update(left.0)
            .chain_update(right.0)
            .finalize()
            .into(),
    )
}

/// The root over a list of digests; [`Digest::ZERO`] for an empty list.
pub fn merkle_root(items: impl IntoIterator<Item = Digest>) -> Digest {
    let mut level: Vec<Digest> = items.into_iter().map(|i| leaf(&i)).collect();
    while level.len() > 1 {
        level = fold(&level);
    }
    level.pop().unwrap_or(Digest::ZERO)
}

/// Pairs neighbours; an odd last digest moves up unchanged, which gives RFC 9162's shape.
fn fold(level: &[Digest]) -> Vec<Digest> {
    level
        .chunks(2)
        .map(|pair| match pair {
            [left, right] => node(left, right),
            [last] => *last,
            _ => unreachable!("chunks(2) gives one or two"),
        })
        .collect()
}

impl MerklePath {
    /// The path of item `index`; `None` when there is no such item.
    pub fn new(items: impl IntoIterator<Item = Digest>, index: usize) -> Option<Self> {
        let mut level: Vec<Digest> = items.into_iter().map(|i| leaf(&i)).collect();
        let count = u32::try_from(level.len()).ok()?;
        if index >= level.len() {
            return None;
        }
        let (mut at, mut siblings) = (index, Vec::new());
        while level.len() > 1 {
            siblings.extend(level.get(at ^ 1));
            level = fold(&level);
            at /= 2;
        }
        Some(Self { index: u32::try_from(index).ok()?, count, siblings })
    }

    /// The root that this path and `item` lead to; `None` when the path cannot belong to a list of
    /// its stated length.
    #[must_use]
    pub fn root(&self, item: &Digest) -> Option<Digest> {
        if self.index >= self.count {
            return None;
        }
        let (mut at, mut width) = (self.index, self.count);
        let mut digest = leaf(item);
        let mut siblings = self.siblings.iter();
        while width > 1 {
            if at % 2 == 1 {
                digest = node(siblings.next()?, &digest);
            } else if at + 1 < width {
                digest = node(&digest, siblings.next()?);
            }
            at /= 2;
            width = width.div_ceil(2);
        }
        siblings.next().is_none().then_some(digest)
    }
}
