//! Thresholds that safety rests on.

use ledger_types::{Policy, Quorum};

#[test]
fn bft_thresholds_are_the_published_ones() {
    // n, f, p, certify, fast, timeout, report (design table of the protocol, n = 3f + 2p + 1).
    for (n, f, p, certify, fast, timeout, report) in [
        (4, 1, 0, 3, 4, 3, 2),
        (6, 1, 1, 4, 5, 5, 3),
        (7, 2, 0, 5, 7, 5, 3),
        (10, 3, 0, 7, 10, 7, 4),
    ] {
        let q = Quorum::new(Policy::Bft, n);
        assert_eq!(
            (q.f, q.p, q.certify, q.fast, q.timeout, q.report),
            (f, p, certify, fast, timeout, report),
            "n = {n}"
        );
    }
}

#[test]
fn quorums_intersect_as_the_safety_argument_needs() {
    for n in 1..=64u16 {
        let q = Quorum::new(Policy::Bft, n);
        assert!(2 * q.certify > n + q.f, "n = {n}: two certificates share an honest node");
        assert!(q.fast + q.certify > n + q.f, "n = {n}: fast and slow share an honest node");
        assert!(q.certify <= n - q.f, "n = {n}: live with f silent nodes");
        assert!(2 * q.report > q.timeout, "n = {n}: two values cannot both be reported enough");
        assert!(q.report > q.f, "n = {n}: a report needs an honest witness");
        let cft = Quorum::new(Policy::Cft, n);
        assert!(2 * cft.certify > n && cft.timeout + cft.fast > n, "n = {n}: majorities meet");
    }
}
