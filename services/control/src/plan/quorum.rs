//! How many nodes of a ledger must stay in each cluster when machines are emptied.

use std::collections::BTreeMap;

use hansa_core::ClusterId;
use hansa_types::ConsensusPolicy;

use super::health::needed;

/// One validator, as far as this asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validator {
    /// Where it runs; none for a process.
    pub cluster: Option<ClusterId>,
    /// It takes part in the agreement now.
    pub agrees: bool,
}

/// For each cluster what the agreement needs of it: the votes that decide, without those that agree
/// elsewhere. A cluster cannot keep more than it has. `total` is the genesis's number of validators, of
/// which some may be gone.
#[must_use]
pub fn stay(
    policy: ConsensusPolicy,
    total: u32,
    validators: &[Validator],
) -> BTreeMap<ClusterId, u16> {
    let count = |holds: &dyn Fn(&Validator) -> bool| {
        u32::try_from(validators.iter().filter(|validator| holds(validator)).count())
            .unwrap_or(u32::MAX)
    };
    let needed = needed(policy, total);
    let clusters = validators.iter().filter_map(|validator| validator.cluster);
    let stay = |cluster: ClusterId| {
        let elsewhere = count(&|v| v.agrees && v.cluster != Some(cluster));
        let here = count(&|v| v.cluster == Some(cluster));
        u16::try_from(needed.saturating_sub(elsewhere).min(here)).unwrap_or(u16::MAX)
    };
    clusters.map(|cluster| (cluster, stay(cluster))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(cluster: Option<ClusterId>, agrees: bool) -> Validator {
        Validator { cluster, agrees }
    }

    /// A budget that is too small lets a drain halt the ledger, one that is too large lets no
    /// machine be emptied.
    #[test]
    fn a_cluster_keeps_what_the_others_cannot_give() {
        let (one, two) = (ClusterId::new(), ClusterId::new());
        let bft = |validators: &[Validator]| stay(ConsensusPolicy::Bft, 4, validators);
        let four = [at(Some(one), true); 4];
        assert_eq!(bft(&four), BTreeMap::from([(one, 3)]), "of four one may go");
        assert_eq!(bft(&four[..3])[&one], 3, "one is gone already");
        let halves =
            [at(Some(one), true), at(Some(one), true), at(Some(two), true), at(None, true)];
        assert_eq!(bft(&halves), BTreeMap::from([(one, 1), (two, 0)]));
        let ill = [at(Some(one), true), at(Some(one), true), at(Some(two), false), at(None, true)];
        assert_eq!(bft(&ill)[&one], 2, "one that is down elsewhere is no vote");
        let down = [at(Some(one), true), at(None, false), at(None, false), at(None, false)];
        assert_eq!(bft(&down)[&one], 1, "a cluster cannot keep more than it has");
    }
}
