//! Whether the nodes of a ledger find one another.

use std::net::IpAddr;

use hansa_core::ClusterId;

/// Where a node is.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The cluster that it runs in; none for a process.
    pub cluster: Option<ClusterId>,
    /// Where its peers look for it, `host:port`, once that is known.
    pub p2p_address: Option<&'a str>,
}

/// The first node, in a ledger that has nodes in several places, whose address only its own place knows:
/// of this machine alone, or a name of a cluster's own (`….svc`).
#[must_use]
pub fn unreached(places: &[Place<'_>]) -> Option<usize> {
    let first = places.first()?.cluster;
    if places.iter().all(|place| place.cluster == first) {
        return None;
    }
    places.iter().position(|place| place.p2p_address.is_some_and(is_of_its_place))
}

fn is_of_its_place(address: &str) -> bool {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let host = host.trim_matches(['[', ']']);
    host == "localhost"
        || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
        || host.rsplit('.').next() == Some("svc")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Members must not sign a ledger whose nodes would never find one another.
    #[test]
    fn in_several_places_every_address_must_be_known_everywhere() {
        let (here, there) = (Some(ClusterId::new()), Some(ClusterId::new()));
        let at = |cluster, address| Place { cluster, p2p_address: Some(address) };
        let own = "a1.hansa-1.svc:7000";
        assert_eq!(unreached(&[]), None);
        assert_eq!(unreached(&[at(here, own), at(here, own)]), None, "one place knows its names");
        assert_eq!(unreached(&[at(None, "127.0.0.1:1"), at(None, "127.0.0.1:4")]), None);
        let shown = at(here, "10.9.0.1:7000");
        assert_eq!(unreached(&[shown, at(there, own)]), Some(1));
        assert_eq!(unreached(&[shown, at(None, "127.0.0.1:1")]), Some(1));
        assert_eq!(unreached(&[at(None, "[::1]:1"), shown]), Some(0));
        assert_eq!(unreached(&[shown, at(there, "nodes.example:31000")]), None);
        let unknown = Place { cluster: there, p2p_address: None };
        assert_eq!(
            unreached(&[shown, unknown]),
            None,
            "an address that is not there yet may be good"
        );
    }
}
