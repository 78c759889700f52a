//! Addresses of a lab.

use std::net::Ipv4Addr;

/// Labs on one machine: each has a number, and its addresses follow from it.
pub(crate) const LABS_MAX: u8 = 48;

/// A lab's addresses. A pair of interfaces joins it to the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Network {
    number: u8,
}

impl Network {
    /// The lab of a number, if there is one.
    pub(crate) const fn new(number: u8) -> Option<Self> {
        if number < LABS_MAX { Some(Self { number }) } else { None }
    }

    /// The numbers in the order in which they are tried.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        (0..LABS_MAX).map(|number| Self { number })
    }

    pub(crate) const fn number(self) -> u8 {
        self.number
    }

    /// The machine's interface; its name is how two labs agree on different numbers.
    pub(crate) fn interface(self) -> String {
        format!("hansa-lab{}", self.number)
    }

    /// The machine, seen from the lab.
    pub(crate) const fn host(self) -> Ipv4Addr {
        Ipv4Addr::new(10, 87, self.number, 1)
    }

    /// The lab's node and API server, seen from the machine.
    pub(crate) const fn lab(self) -> Ipv4Addr {
        Ipv4Addr::new(10, 87, self.number, 2)
    }

    /// Pods, as a network.
    pub(crate) fn pods(self) -> String {
        format!("10.{}.0.0/16", 144 + 2 * self.number)
    }

    /// The bridge of the pods, and the address of their name server.
    pub(crate) const fn bridge(self) -> Ipv4Addr {
        Ipv4Addr::new(10, 144 + 2 * self.number, 0, 1)
    }

    /// Services, as a network.
    pub(crate) fn services(self) -> String {
        format!("10.{}.0.0/16", 145 + 2 * self.number)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_number_that_no_lab_has_is_none() {
        // It is read from a file.
        assert!(Network::new(LABS_MAX - 1).is_some() && Network::new(LABS_MAX).is_none());
    }

    #[test]
    fn two_labs_share_no_address() {
        // Routes of both stand in one table of the machine.
        let mut seen = BTreeSet::new();
        for network in Network::all() {
            for text in [network.pods(), network.services(), network.host().to_string()] {
                assert!(seen.insert(text.clone()), "{text} twice");
            }
            assert!(network.interface().len() <= 15, "interfaces have short names");
        }
    }
}
