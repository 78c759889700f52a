//! Ports of this machine's nodes.

use std::{collections::BTreeSet, net::TcpListener, ops::Range};

use serde::{Deserialize, Serialize};

/// A node's ports on the loopback interface; they stay its own until it is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ports {
    pub(crate) p2p: u16,
    pub(crate) http: u16,
    pub(crate) metrics: u16,
}

impl Ports {
    pub(crate) const fn all(self) -> [u16; 3] {
        [self.p2p, self.http, self.metrics]
    }

    /// Three ports of `range` that no other node has and nobody listens on now.
    pub(crate) fn allocate(range: Range<u16>, taken: &BTreeSet<u16>) -> Option<Self> {
        let free =
            |port: &u16| !taken.contains(port) && TcpListener::bind(("127.0.0.1", *port)).is_ok();
        let mut ports = range.filter(free);
        Some(Self { p2p: ports.next()?, http: ports.next()?, metrics: ports.next()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taken_and_occupied_ports_are_passed_over() {
        // Two nodes on one port would answer for each other or not start at all.
        let occupied = TcpListener::bind("127.0.0.1:0").unwrap();
        let first = occupied.local_addr().unwrap().port();
        let range = first..first.saturating_add(200);
        let taken = BTreeSet::from([first + 1]);
        let ports = Ports::allocate(range, &taken).expect("200 ports are not all in use");
        assert!(!ports.all().contains(&first), "somebody listens there");
        assert!(!ports.all().contains(&(first + 1)), "another node has it");
        assert_eq!(Ports::allocate(first..first + 1, &taken), None, "none is left");
    }
}
