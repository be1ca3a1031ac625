//! Next hop: which neighbour a packet goes to first (RFC 1122, 3.3.1; RFC 4861, 5.2).
//!
//! The prefixes of the card's own addresses are on the link. IPv4's gateways are configured; IPv6's default routers and
//! further prefixes come from router advertisements, which every processor hears. Redirects are not heeded: any
//! neighbour can forge them.

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use smoltcp::wire::{EthernetAddress, Ipv6Cidr};

use super::addresses::Addresses;
use super::{Micros, SECOND};

/// Default routers that are remembered. RFC 4861, 6.3.4 wants at least two.
pub const MAX_ROUTERS: usize = 4;
/// Prefixes that are remembered beside the card's own.
pub const MAX_PREFIXES: usize = 8;
/// A lifetime without end (RFC 4861, 4.6.2).
const FOREVER: u32 = u32::MAX;

/// What a packet is sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hop {
    /// The neighbour with this address, its destination or a router.
    Neighbour(IpAddr),
    /// A group or everybody, whose Ethernet address needs no asking.
    Group(EthernetAddress),
}

/// A router or a prefix, until it is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Lease<T> {
    what: T,
    until: Micros,
}

/// The ways out of the link.
#[derive(Clone, Debug, Default)]
pub struct Routes {
    gateways: Vec<Ipv4Addr>,
    routers: Vec<Lease<Ipv6Addr>>,
    prefixes: Vec<Lease<Ipv6Cidr>>,
}

impl Routes {
    /// With these gateways for IPv4, the preferred one first.
    pub const fn new(gateways: Vec<Ipv4Addr>) -> Self {
        Self { gateways, routers: Vec::new(), prefixes: Vec::new() }
    }

    /// Where a packet to `destination` goes first, or nothing if there is no way. Among several routers the first of
    /// which `is_reachable` holds is taken, else the first (RFC 4861, 6.3.6).
    pub fn next_hop(
        &self,
        now: Micros,
        destination: IpAddr,
        addresses: &Addresses,
        is_reachable: impl Fn(IpAddr) -> bool,
    ) -> Option<Hop> {
        if let Some(group) = group_address(destination, addresses) {
            return Some(Hop::Group(group));
        }
        let routers: Vec<IpAddr> = match destination {
            on_link if self.is_on_link(now, on_link, addresses) => return Some(Hop::Neighbour(on_link)),
            IpAddr::V4(_) => self.gateways.iter().copied().map(IpAddr::V4).collect(),
            IpAddr::V6(_) => self.routers(now).map(IpAddr::V6).collect(),
        };
        let best = routers.iter().find(|&&router| is_reachable(router));
        best.or(routers.first()).copied().map(Hop::Neighbour)
    }

    fn is_on_link(&self, now: Micros, address: IpAddr, addresses: &Addresses) -> bool {
        match address {
            IpAddr::V4(v4) => addresses.ipv4.iter().any(|own| own.contains_addr(&v4)),
            IpAddr::V6(v6) => {
                let learned = self.prefixes.iter().filter(|lease| lease.until > now).map(|lease| &lease.what);
                v6.is_unicast_link_local() || addresses.ipv6.iter().chain(learned).any(|own| own.contains_addr(&v6))
            }
        }
    }

    /// The default routers of IPv6, in the order in which they were first heard.
    pub fn routers(&self, now: Micros) -> impl Iterator<Item = Ipv6Addr> + '_ {
        self.routers.iter().filter(move |lease| lease.until > now).map(|lease| lease.what)
    }

    /// A router says that it can be a default router for so many seconds, or with 0 that it cannot (RFC 4861, 6.3.4).
    pub fn learn_router(&mut self, now: Micros, router: Ipv6Addr, seconds: u16) {
        learn(&mut self.routers, MAX_ROUTERS, now, router, u32::from(seconds));
    }

    /// A router says that a prefix is on the link. The link-local one always is (RFC 4861, 6.3.4).
    pub fn learn_prefix(&mut self, now: Micros, prefix: Ipv6Cidr, seconds: u32) {
        if !prefix.address().is_unicast_link_local() && !prefix.address().is_multicast() {
            learn(&mut self.prefixes, MAX_PREFIXES, now, network(prefix), seconds);
        }
    }

    /// A neighbour is not a router any more (RFC 4861, 7.2.5).
    pub fn forget_router(&mut self, router: Ipv6Addr) {
        self.routers.retain(|lease| lease.what != router);
    }
}

/// The prefix without what a router left in the bits behind it.
fn network(prefix: Ipv6Cidr) -> Ipv6Cidr {
    let mask = u128::MAX.checked_shl(128 - u32::from(prefix.prefix_len())).unwrap_or(0);
    Ipv6Cidr::new(Ipv6Addr::from_bits(prefix.address().to_bits() & mask), prefix.prefix_len())
}

/// Renews, adds or ends a lease. A full list takes nothing new until one is over: what works is not pushed out by what
/// is claimed.
fn learn<T: PartialEq>(leases: &mut Vec<Lease<T>>, most: usize, now: Micros, what: T, seconds: u32) {
    let until = if seconds == FOREVER { Micros::MAX } else { now + Micros::from(seconds) * SECOND };
    leases.retain(|lease| lease.until > now);
    if let Some(lease) = leases.iter_mut().find(|lease| lease.what == what) {
        lease.until = until;
    } else if leases.len() < most {
        leases.push(Lease { what, until });
    }
    leases.retain(|lease| lease.until > now);
}

/// The Ethernet address of a group: RFC 1112, 6.4 for IPv4, RFC 2464, 7 for IPv6.
pub fn group_address(destination: IpAddr, addresses: &Addresses) -> Option<EthernetAddress> {
    match destination {
        IpAddr::V4(all) if addresses.is_broadcast(all) => Some(EthernetAddress::BROADCAST),
        IpAddr::V4(group) if group.is_multicast() => {
            let [_, b, c, d] = group.octets();
            Some(EthernetAddress([0x01, 0x00, 0x5e, b & 0x7f, c, d]))
        }
        IpAddr::V6(group) if group.is_multicast() => {
            let [.., a, b, c, d] = group.octets();
            Some(EthernetAddress([0x33, 0x33, a, b, c, d]))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::specimens::addresses;

    const ROUTER: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0xa);
    const SECOND_ROUTER: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0xb);

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn hop(routes: &Routes, now: Micros, to: &str) -> Option<Hop> {
        routes.next_hop(now, ip(to), &addresses(), |_| true)
    }

    fn neighbour(address: impl Into<IpAddr>) -> Option<Hop> {
        Some(Hop::Neighbour(address.into()))
    }

    #[test]
    fn groups_have_ethernet_addresses_of_their_own() {
        let of = |to| group_address(ip(to), &addresses()).map(|address| address.0);
        // RFC 1112, 6.4: the low 23 bits. RFC 2464, 7: the low 32 bits.
        assert_eq!(of("239.129.2.3"), Some([0x01, 0, 0x5e, 1, 2, 3]));
        assert_eq!(of("ff02::1:ff0e:8c6c"), Some([0x33, 0x33, 0xff, 0x0e, 0x8c, 0x6c]));
        assert_eq!(of("10.0.0.255"), Some([0xff; 6]));
        assert_eq!([of("10.0.0.2"), of("fe80::2")], [None, None]);
    }

    #[test]
    fn what_is_on_the_link_is_its_own_next_hop() {
        let routes = Routes::new([Ipv4Addr::new(10, 0, 0, 254)].into());
        for to in ["10.0.0.9", "fe80::9", "2001:db8::9"] {
            assert_eq!(hop(&routes, 0, to), neighbour(ip(to)));
        }
        assert_eq!(hop(&routes, 0, "8.8.8.8"), neighbour(ip("10.0.0.254")));
        assert_eq!(hop(&routes, 0, "2600::1"), None);
    }

    #[test]
    fn default_routers_last_as_long_as_they_say() {
        let mut routes = Routes::default();
        routes.learn_router(0, ROUTER, 1800);
        routes.learn_router(0, SECOND_ROUTER, 9000);
        assert_eq!(hop(&routes, 0, "2600::1"), neighbour(ROUTER));
        assert_eq!(hop(&routes, 1800 * SECOND, "2600::1"), neighbour(SECOND_ROUTER));
        routes.learn_router(SECOND, ROUTER, 0);
        assert_eq!(hop(&routes, SECOND, "2600::1"), neighbour(SECOND_ROUTER));
        routes.forget_router(SECOND_ROUTER);
        assert_eq!(hop(&routes, SECOND, "2600::1"), None);
    }

    #[test]
    fn a_router_that_answers_is_preferred() {
        let mut routes = Routes::default();
        routes.learn_router(0, ROUTER, 1800);
        routes.learn_router(0, SECOND_ROUTER, 1800);
        let choose = |reachable: &dyn Fn(IpAddr) -> bool| routes.next_hop(0, ip("2600::1"), &addresses(), reachable);
        assert_eq!(choose(&|router| router == SECOND_ROUTER), neighbour(SECOND_ROUTER));
        assert_eq!(choose(&|_| false), neighbour(ROUTER));
    }

    #[test]
    fn learned_prefixes_are_on_the_link_while_they_are_valid() {
        let mut routes = Routes::default();
        routes.learn_router(0, ROUTER, 1800);
        let prefix = Ipv6Cidr::new("2001:db8:5::77".parse().unwrap(), 64);
        routes.learn_prefix(0, prefix, 10);
        assert_eq!(hop(&routes, 0, "2001:db8:5::1"), neighbour(ip("2001:db8:5::1")));
        assert_eq!(hop(&routes, 10 * SECOND, "2001:db8:5::1"), neighbour(ROUTER));
        routes.learn_prefix(0, prefix, FOREVER);
        assert_eq!(hop(&routes, 1700 * SECOND, "2001:db8:5::1"), neighbour(ip("2001:db8:5::1")));
    }

    #[test]
    fn lists_are_bounded_and_keep_what_they_have() {
        let mut routes = Routes::default();
        for low in 0..20 {
            routes.learn_router(0, Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 1, low), 100);
            routes.learn_prefix(0, Ipv6Cidr::new(Ipv6Addr::new(0x2002, low, 0, 0, 0, 0, 0, 0), 64), 100);
        }
        assert_eq!((routes.routers.len(), routes.prefixes.len()), (MAX_ROUTERS, MAX_PREFIXES));
        assert_eq!(routes.routers(0).next(), Some(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 1, 0)));
        routes.learn_router(100 * SECOND, ROUTER, 100);
        assert_eq!(routes.routers(100 * SECOND).collect::<Vec<_>>(), [ROUTER]);
    }
}
