//! Names of objects: bounded, and the same for the same node whoever works them out.

use hansa_core::{ConsortiumId, LedgerId, Name, NodeId, Uuid};

/// Characters of a node's own name in its objects': the controller of StatefulSets appends its
/// own to theirs, and labels end at 63.
const NAME_MAX: usize = 30;

/// Who manages our objects; also the field manager.
pub(crate) const MANAGER: &str = "hansa";
pub(crate) const INSTALLATION: &str = "hansa.dev/installation";
pub(crate) const CONSORTIUM: &str = "hansa.dev/consortium";
pub(crate) const LEDGER: &str = "hansa.dev/ledger";
pub(crate) const NODE: &str = "hansa.dev/node";
pub(crate) const TENANT: &str = "hansa.dev/tenant";
/// The wish, without secrets.
pub(crate) const WISH: &str = "hansa.dev/wish";
pub(crate) const GENERATION: &str = "hansa.dev/generation";
/// When a claim's node was removed, in microseconds since 1970.
pub(crate) const RETAINED_SINCE: &str = "hansa.dev/retained-since";
/// A claim whose node was removed.
pub(crate) const RETAINED: &str = "hansa.dev/retained";
/// Which of two pods that try the network one is; on a namespace, that it is theirs.
pub(crate) const PROBE: &str = "hansa.dev/probe";
pub(crate) const NAME: &str = "app.kubernetes.io/name";
pub(crate) const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
pub(crate) const PART_OF: &str = "app.kubernetes.io/part-of";

/// The namespace of a consortium.
pub(crate) fn namespace(consortium: ConsortiumId) -> String {
    format!("hansa-{}", consortium.uuid().simple())
}

/// A namespace for two pods that try what the cluster lets through; each try has its own.
pub(crate) fn probe(of: Uuid) -> String {
    format!("hansa-probe-{}", end(of))
}

/// The name of a node's StatefulSet, services, configuration and secret.
pub(crate) fn node(name: &Name, node: NodeId) -> String {
    let text = name.to_string();
    let own = text[..text.len().min(NAME_MAX)].trim_end_matches('-');
    format!("{own}-{}", end(node.uuid()))
}

/// Its pod.
pub(crate) fn pod(node: &str) -> String {
    format!("{node}-0")
}

/// Its claim.
pub(crate) fn claim(node: &str) -> String {
    format!("{DATA}-{node}-0")
}

/// The service that clients reach it by.
pub(crate) fn client_service(node: &str) -> String {
    format!("{node}-client")
}

/// What belongs to a whole ledger.
pub(crate) fn ledger(ledger: LedgerId) -> String {
    format!("ledger-{}", ledger.uuid().simple())
}

/// The volume of a pod, and the stem of its claim.
pub(crate) const DATA: &str = "data";

/// The last twelve digits of an id: the random ones.
fn end(id: Uuid) -> String {
    id.simple().to_string()[20..].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_and_tell_nodes_apart() {
        // Two nodes of one name in two ledgers of a consortium share a namespace.
        let long: Name = format!("a{}", "-b".repeat(31)).parse().unwrap();
        let (one, two) = (NodeId::new(), NodeId::new());
        assert_ne!(node(&long, one), node(&long, two));
        assert_eq!(node(&long, one), node(&long, one));
        for name in [node(&long, one), claim(&node(&long, one)), client_service(&node(&long, one))]
        {
            assert!(name.len() <= 63 - "-0123456789".len(), "{name}");
            assert!(!name.contains("--"), "{name}");
        }
        assert!(namespace(ConsortiumId::new()).len() <= 63);
        assert!(ledger(LedgerId::new()).len() <= 63);
    }
}
