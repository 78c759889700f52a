//! What must never happen, one file each; checked as it could happen.

mod agreement;
mod exactly_once;
mod honest_stay_unaccused;
mod one_vote;

pub(crate) use agreement::Agreement;
pub(crate) use exactly_once::ExactlyOnce;
pub(crate) use honest_stay_unaccused::check_evidence;
pub(crate) use one_vote::OneVote;

/// A broken invariant, in words.
pub(crate) type Broken = String;
