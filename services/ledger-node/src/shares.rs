//! How much of what waits on this node one key, and one member, may hold: whoever floods a node
//! keeps nobody else out.

use std::{collections::HashMap, hash::Hash, sync::Arc};

use ledger_types::{Digest, PublicKey, Transaction};

/// One key's part of what may wait: a tenth.
const KEY_PART: usize = 10;
/// The parts that the keys of one member may hold together: three quarters.
const MEMBER_PARTS: (usize, usize) = (3, 4);
/// What keys that the ledger does not know may hold together: a twentieth. A key that is just being
/// granted its role is one of them for a moment.
const STRANGERS_PART: usize = 20;
/// What this node's own clients may have waiting although other nodes' transactions fill
/// everything: a flood elsewhere does not shut this door.
const OWN_RESERVE: usize = 2_000;

/// Whose share is used up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum OverShare {
    Key { key: PublicKey, limit: usize },
    Member { member: Option<u32>, limit: usize },
}

/// Why transactions are not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NoRoom {
    /// Everybody's room is used up.
    All,
    Share(OverShare),
}

/// The transactions that clients have given to this node and that are not committed.
#[derive(Debug, Default)]
pub(crate) struct Shares {
    waiting: HashMap<Digest, (PublicKey, Option<u32>)>,
    of_key: HashMap<PublicKey, usize>,
    of_member: HashMap<Option<u32>, usize>,
}

impl Shares {
    /// Takes all of `transactions`, each with its signer's member, or none. `waiting_max` is what
    /// may wait; `is_full` says whether it does already, mostly by other nodes.
    pub(crate) fn take(
        &mut self,
        transactions: &[Arc<Transaction>],
        members: &[Option<u32>],
        waiting_max: usize,
        is_full: bool,
    ) -> Result<(), NoRoom> {
        let total = if is_full { OWN_RESERVE.min(waiting_max) } else { waiting_max };
        if self.waiting.len() + transactions.len() > total {
            return Err(NoRoom::All);
        }
        let mut added = Vec::with_capacity(transactions.len());
        for (transaction, member) in transactions.iter().zip(members) {
            let (id, key) = (transaction.id(), transaction.body().signer);
            // A repetition takes no more room.
            if self.waiting.contains_key(&id) {
                continue;
            }
            if let Some(over) = self.over_share(key, *member, total) {
                added.iter().for_each(|id| self.remove(id));
                return Err(NoRoom::Share(over));
            }
            self.waiting.insert(id, (key, *member));
            *self.of_key.entry(key).or_default() += 1;
            *self.of_member.entry(*member).or_default() += 1;
            added.push(id);
        }
        Ok(())
    }

    fn over_share(&self, key: PublicKey, member: Option<u32>, total: usize) -> Option<OverShare> {
        let limit = total / KEY_PART;
        if self.of_key.get(&key).is_some_and(|held| *held >= limit) {
            return Some(OverShare::Key { key, limit });
        }
        let limit = match member {
            Some(_) => total / MEMBER_PARTS.1 * MEMBER_PARTS.0,
            None => total / STRANGERS_PART,
        };
        let is_over = self.of_member.get(&member).is_some_and(|held| *held >= limit);
        is_over.then_some(OverShare::Member { member, limit })
    }

    /// Whether a transaction waits here.
    pub(crate) fn holds(&self, id: &Digest) -> bool {
        self.waiting.contains_key(id)
    }

    /// A transaction is committed, by whichever node.
    pub(crate) fn remove(&mut self, id: &Digest) {
        if let Some((key, member)) = self.waiting.remove(id) {
            less(&mut self.of_key, key);
            less(&mut self.of_member, member);
        }
    }
}

fn less<K: Hash + Eq>(counts: &mut HashMap<K, usize>, key: K) {
    if let Some(count) = counts.get_mut(&key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use ledger_types::{LedgerId, Payload, SigningKey, TransactionBody};

    use super::*;

    const MAX: usize = 1_000;

    fn transactions(key: u8, from: u64, count: u64) -> Vec<Arc<Transaction>> {
        let key = SigningKey::from_seed(&[key; 32]);
        let one = |nonce| {
            let body = TransactionBody {
                ledger: LedgerId([1; 16]),
                signer: key.public_key(),
                nonce,
                valid_from_ms: 1,
                valid_until_ms: 2,
                payload: Payload::Sql(vec![]),
            };
            Arc::new(body.sign(&key))
        };
        (from..from + count).map(one).collect()
    }

    fn take(
        shares: &mut Shares,
        transactions: &[Arc<Transaction>],
        member: Option<u32>,
    ) -> Result<(), NoRoom> {
        shares.take(transactions, &vec![member; transactions.len()], MAX, false)
    }

    /// One key that floods is stopped at a tenth, by name, and another key still gets in.
    #[test]
    fn a_key_holds_a_tenth_and_others_get_in() {
        let mut shares = Shares::default();
        assert_eq!(take(&mut shares, &transactions(1, 0, 100), Some(0)), Ok(()));
        let key = SigningKey::from_seed(&[1; 32]).public_key();
        let over = NoRoom::Share(OverShare::Key { key, limit: 100 });
        assert_eq!(take(&mut shares, &transactions(1, 100, 1), Some(0)), Err(over));
        assert_eq!(take(&mut shares, &transactions(1, 0, 100), Some(0)), Ok(()), "a repetition");
        assert_eq!(take(&mut shares, &transactions(2, 0, 1), Some(0)), Ok(()));
    }

    /// A member with many keys is stopped at three quarters; the next member is not.
    #[test]
    fn a_member_holds_three_quarters_and_others_get_in() {
        let mut shares = Shares::default();
        for key in 0..10 {
            let _ = take(&mut shares, &transactions(key, 0, 75), Some(0));
        }
        let more = take(&mut shares, &transactions(20, 0, 1), Some(0));
        assert_eq!(more, Err(NoRoom::Share(OverShare::Member { member: Some(0), limit: 750 })));
        assert_eq!(take(&mut shares, &transactions(21, 0, 100), Some(1)), Ok(()));
    }

    /// Keys that nobody granted anything share little: they could be made without end.
    #[test]
    fn strangers_share_a_twentieth() {
        let mut shares = Shares::default();
        for key in 0..5 {
            assert_eq!(take(&mut shares, &transactions(key, 0, 10), None), Ok(()));
        }
        let more = take(&mut shares, &transactions(9, 0, 1), None);
        assert_eq!(more, Err(NoRoom::Share(OverShare::Member { member: None, limit: 50 })));
    }

    /// A refused submission leaves nothing behind, and committed transactions make room.
    #[test]
    fn room_comes_back() {
        let mut shares = Shares::default();
        let first = transactions(1, 0, 60);
        assert_eq!(take(&mut shares, &first, Some(0)), Ok(()));
        assert!(take(&mut shares, &transactions(1, 60, 60), Some(0)).is_err());
        assert_eq!(take(&mut shares, &transactions(1, 60, 40), Some(0)), Ok(()));
        first.iter().for_each(|t| shares.remove(&t.id()));
        assert!(!shares.holds(&first[0].id()));
        assert_eq!(take(&mut shares, &transactions(1, 200, 60), Some(0)), Ok(()));
        assert_eq!(shares.of_member[&Some(0)], 100);
    }

    /// Other nodes' floods leave this node's clients a reserve.
    #[test]
    fn a_full_ledger_leaves_a_reserve() {
        let mut shares = Shares::default();
        let some = transactions(1, 0, 100);
        let all = shares.take(&some, &[Some(0); 100], 20_000, true);
        assert_eq!(all, Ok(()));
        let many: Vec<_> = (2..22).flat_map(|key| transactions(key, 0, 100)).collect();
        let more = shares.take(&many, &[Some(1); 2_000], 20_000, true);
        assert_eq!(more, Err(NoRoom::All));
    }
}
