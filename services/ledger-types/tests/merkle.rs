//! Merkle paths prove membership at one place of one list, and nothing else.

use ledger_types::{Digest, MerklePath, merkle_root};

fn items(n: usize) -> Vec<Digest> {
    (0..n).map(|i| Digest::of(&(i as u64).to_le_bytes())).collect()
}

#[test]
fn every_path_leads_to_the_root_and_no_changed_path_does() {
    for n in 1..=33 {
        let list = items(n);
        let root = merkle_root(list.clone());
        for at in 0..n {
            let path = MerklePath::new(list.clone(), at).unwrap();
            assert_eq!(path.root(&list[at]), Some(root), "{at} of {n}");
            for other in (0..n).filter(|o| *o != at) {
                assert_ne!(path.root(&list[other]), Some(root), "{other} passes as {at} of {n}");
            }
            let mut longer = path.clone();
            longer.siblings.push(Digest::ZERO);
            assert_eq!(longer.root(&list[at]), None, "a surplus sibling must be refused");
        }
    }
    assert_eq!(MerklePath::new(items(3), 3), None);
    assert_eq!(merkle_root([]), Digest::ZERO);
}

#[test]
fn a_leaf_is_never_a_node() {
    // Second-preimage protection: an inner digest presented as an item must not reach the root.
    let list = items(4);
    let root = merkle_root(list.clone());
    let left = MerklePath::new(list, 2).unwrap().siblings[1];
    let forged = MerklePath { index: 0, count: 2, siblings: vec![] };
    assert_ne!(forged.root(&left), Some(root));
}
