//! Which addresses are this card's, and which of them it sends from.
//!
//! All processors have the same ones. Groups are kept by [`super::multicast`], which reports them.

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use smoltcp::wire::{Ipv4Cidr, Ipv6Cidr};

/// Every node of the link (RFC 4291, 2.7.1).
pub const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
/// Every router of the link (RFC 4291, 2.7.1).
pub const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);

/// The card's unicast addresses with their prefixes. The first that serves is the one that is sent from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addresses {
    /// IPv4 addresses.
    pub ipv4: Vec<Ipv4Cidr>,
    /// IPv6 addresses, the link-local one among them.
    pub ipv6: Vec<Ipv6Cidr>,
}

impl Addresses {
    /// The address is one of this card's.
    pub fn is_own(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(address) => self.ipv4.iter().any(|own| own.address() == address),
            IpAddr::V6(address) => self.ipv6.iter().any(|own| own.address() == address),
        }
    }

    /// Limited broadcast, or that of a network this card is in. Networks of one or two addresses have none (RFC 3021).
    pub fn is_broadcast(&self, address: Ipv4Addr) -> bool {
        address.is_broadcast() || self.ipv4.iter().any(|own| own.broadcast() == Some(address))
    }

    /// No host can have sent from here (RFC 1122, 3.2.1.3; RFC 4291, 2.5.2, 2.5.3, 2.7): groups, loopback, broadcasts,
    /// class E, and this card itself, for nothing it sends comes back to it. The unspecified address is left to the
    /// caller.
    pub fn is_martian_source(&self, address: IpAddr) -> bool {
        let impossible = match address {
            IpAddr::V4(v4) if v4.is_unspecified() => false,
            IpAddr::V4(v4) => {
                let [first, ..] = v4.octets();
                first == 0 || first == 127 || first >= 224 || self.is_broadcast(v4)
            }
            IpAddr::V6(v6) => v6.is_multicast() || v6.is_loopback() || v6.to_ipv4_mapped().is_some(),
        };
        impossible || self.is_own(address)
    }

    /// The address to send from: one in the destination's network, else one that reaches as far, else the first.
    pub fn source_for(&self, destination: IpAddr) -> Option<IpAddr> {
        match destination {
            IpAddr::V4(to) => self.ipv4_source_for(to).map(IpAddr::V4),
            IpAddr::V6(to) => self.ipv6_source_for(to).map(IpAddr::V6),
        }
    }

    fn ipv4_source_for(&self, to: Ipv4Addr) -> Option<Ipv4Addr> {
        let near = self.ipv4.iter().find(|own| own.contains_addr(&to));
        near.or(self.ipv4.first()).map(Ipv4Cidr::address)
    }

    /// RFC 6724, 5: the same address, then appropriate scope, then the longest common prefix, of which the network
    /// stands for all.
    pub fn ipv6_source_for(&self, to: Ipv6Addr) -> Option<Ipv6Addr> {
        let local = is_link_scope(to);
        let near = self.ipv6.iter().find(|own| own.contains_addr(&to));
        let reaches = self.ipv6.iter().find(|own| own.address().is_unicast_link_local() == local);
        near.or(reaches).or(self.ipv6.first()).map(Ipv6Cidr::address)
    }

    /// The link-local address, which discovery of neighbours and listeners is sent from.
    pub fn link_local(&self) -> Option<Ipv6Addr> {
        self.ipv6.iter().map(Ipv6Cidr::address).find(Ipv6Addr::is_unicast_link_local)
    }
}

/// Nothing beyond the link is meant by the address.
fn is_link_scope(address: Ipv6Addr) -> bool {
    match address.octets() {
        [0xff, flags_and_scope, ..] => flags_and_scope & 0x0f <= 2,
        _ => address.is_unicast_link_local(),
    }
}

/// The group that everybody is in who might have this address (RFC 4291, 2.7.1).
pub fn solicited_node(address: Ipv6Addr) -> Ipv6Addr {
    let [.., low_1, low_2] = address.segments();
    Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00 | low_1 & 0xff, low_2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses() -> Addresses {
        Addresses {
            ipv4: [Ipv4Cidr::new(Ipv4Addr::new(10, 0, 0, 1), 24), Ipv4Cidr::new(Ipv4Addr::new(192, 168, 5, 9), 31)]
                .into(),
            ipv6: [
                Ipv6Cidr::new(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1), 64),
                Ipv6Cidr::new(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1), 64),
            ]
            .into(),
        }
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn broadcasts_are_those_of_the_networks_that_have_one() {
        let addresses = addresses();
        assert!(addresses.is_broadcast(Ipv4Addr::new(10, 0, 0, 255)));
        assert!(addresses.is_broadcast(Ipv4Addr::BROADCAST));
        assert!(!addresses.is_broadcast(Ipv4Addr::new(10, 0, 1, 255)));
        assert!(!addresses.is_broadcast(Ipv4Addr::new(192, 168, 5, 9)));
    }

    #[test]
    fn martians_are_named() {
        let addresses = addresses();
        let martians = ["127.0.0.1", "0.1.2.3", "224.0.0.1", "240.0.0.1", "255.255.255.255", "10.0.0.255", "10.0.0.1"];
        let martians_6 = ["ff02::1", "::1", "::ffff:10.0.0.2", "fe80::1"];
        for source in martians.into_iter().chain(martians_6) {
            assert!(addresses.is_martian_source(ip(source)), "{source}");
        }
        for source in ["0.0.0.0", "10.0.0.2", "8.8.8.8", "::", "fe80::2", "2001:db8::2"] {
            assert!(!addresses.is_martian_source(ip(source)), "{source}");
        }
    }

    #[test]
    fn the_source_is_as_near_as_the_destination() {
        let addresses = addresses();
        for (to, from) in [
            ("10.0.0.7", "10.0.0.1"),
            ("192.168.5.8", "192.168.5.9"),
            ("8.8.8.8", "10.0.0.1"),
            ("fe80::2", "fe80::1"),
            ("ff02::1", "fe80::1"),
            ("ff0e::1", "2001:db8::1"),
            ("2600::1", "2001:db8::1"),
        ] {
            assert_eq!(addresses.source_for(ip(to)), Some(ip(from)), "to {to}");
        }
        assert_eq!(Addresses::default().source_for(ip("8.8.8.8")), None);
    }

    #[test]
    fn the_solicited_node_address_is_that_of_rfc_4291() {
        // RFC 4291, 2.7.1: 4037::01:800:200E:8C6C gives FF02::1:FF0E:8C6C.
        let address = "4037::01:800:200E:8C6C".parse().unwrap();
        assert_eq!(IpAddr::V6(solicited_node(address)), ip("FF02::1:FF0E:8C6C"));
    }
}
