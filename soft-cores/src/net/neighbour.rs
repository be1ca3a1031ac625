//! Neighbours on the link: ARP (RFC 826), neighbour discovery (RFC 4861), next hop, duplicate address detection.
//!
//! ARP and neighbour discovery are flooded to all processors, so every cache learns from every message; a request is
//! answered by the one processor whose [`Turn`] it is. Each processor asks for the neighbours that it needs itself.
//!
//! Policies: a message about an address creates an entry only if it asks or answers this card; a gratuitous one only
//! changes an entry that is there. Who claims one of this card's own addresses is counted as a conflict, not learned
//! and not fought. IPv4 senders that are not on the link are answered, but not learned.

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv6Addr};

use smoltcp::wire::{EthernetAddress, EthernetProtocol};

use super::Micros;
use super::addresses::Addresses;
use super::random::Random;
use super::route::{Hop, Routes};

mod arp;
pub mod cache;
mod discovery;
mod tentative;
#[cfg(test)]
mod tests;
mod turn;

use cache::{Action, Cache, Limits};
pub use discovery::Envelope;
pub use tentative::MAX_TENTATIVE;
use tentative::{Due, Tentative};
pub use turn::Turn;

/// Why a message is not heeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// Cut, or against its protocol's rules.
    Malformed,
    /// It came in fragments (RFC 6980, 5).
    Fragmented,
    /// It may have come from beyond the link.
    HopLimit,
    /// Nobody can have sent it from there.
    Sender,
    /// Somebody claims an address of this card.
    Conflict,
    /// It asks for another host.
    OtherTarget,
    /// It is for routers, or a redirect.
    NotForHosts,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send a frame.
    Transmit {
        /// To this address.
        destination: EthernetAddress,
        /// What the payload is.
        ether_type: EthernetProtocol,
        /// ARP message or IP packet.
        payload: Vec<u8>,
    },
    /// The neighbour that this packet should go to does not answer, or there is no way to its destination.
    Unreachable {
        /// The IP packet.
        packet: Vec<u8>,
    },
    /// Nobody else has the address: it is this card's from now on.
    Unique {
        /// The address.
        address: Ipv6Addr,
    },
    /// Somebody else has the address: it must not be used (RFC 4862, 5.4.5).
    Duplicate {
        /// The address.
        address: Ipv6Addr,
    },
}

/// All that is known of the link.
#[derive(Clone, Debug)]
pub struct Neighbours {
    own: EthernetAddress,
    turn: Turn,
    cache: Cache,
    routes: Routes,
    tentative: Tentative,
}

impl Neighbours {
    /// Knows nobody. `own` is the card's Ethernet address.
    pub fn new(own: EthernetAddress, turn: Turn, limits: Limits, routes: Routes, random: Random) -> Self {
        Self { own, turn, cache: Cache::new(limits, random), routes, tentative: Tentative::default() }
    }

    /// Another set of processors is alive from now on.
    pub const fn set_turn(&mut self, turn: Turn) {
        self.turn = turn;
    }

    /// Sends an IP packet to its next hop.
    pub fn send(&mut self, now: Micros, destination: IpAddr, packet: Vec<u8>, addresses: &Addresses) -> Vec<Output> {
        let is_reachable = |router| self.cache.address(router).is_some();
        match self.routes.next_hop(now, destination, addresses, is_reachable) {
            Some(Hop::Group(to)) => [ip_frame(to, packet)].into(),
            Some(Hop::Neighbour(neighbour)) => {
                let actions = self.cache.send(now, neighbour, packet);
                self.carry_out(actions, addresses)
            }
            None => [Output::Unreachable { packet }].into(),
        }
    }

    /// Wants an IPv6 address. Until [`Output::Unique`] it is not this card's; its solicited-node group must be joined
    /// before.
    ///
    /// Says whether it is being tried: at most [`MAX_TENTATIVE`] are at a time.
    pub fn try_address(&mut self, at: Micros, address: Ipv6Addr) -> bool {
        self.tentative.begin(at, address)
    }

    /// A transport has made progress with a peer: the next hop to it is there (RFC 4861, 7.3.1).
    pub fn confirm(&mut self, now: Micros, peer: IpAddr, addresses: &Addresses) {
        let is_reachable = |router| self.cache.address(router).is_some();
        if let Some(Hop::Neighbour(neighbour)) = self.routes.next_hop(now, peer, addresses, is_reachable) {
            self.cache.confirm(now, neighbour);
        }
    }

    /// What is due.
    pub fn poll(&mut self, now: Micros, addresses: &Addresses) -> Vec<Output> {
        let actions = self.cache.poll(now);
        let mut outputs = self.carry_out(actions, addresses);
        for due in self.tentative.poll(now) {
            match due {
                // One processor asks for all, by the same rule by which one answers.
                Due::Probe(address) if self.turn.is_mine(self.own) => outputs.extend(self.probe(address)),
                Due::Probe(_) => {}
                Due::Unique(address) => outputs.push(Output::Unique { address }),
            }
        }
        outputs
    }

    /// When [`poll`](Self::poll) has something to do next.
    pub fn next_deadline(&self) -> Option<Micros> {
        [self.cache.next_deadline(), self.tentative.next_deadline()].into_iter().flatten().min()
    }

    /// The cache, to look at.
    pub const fn cache(&self) -> &Cache {
        &self.cache
    }

    /// The routes, to look at.
    pub const fn routes(&self) -> &Routes {
        &self.routes
    }

    fn carry_out(&self, actions: Vec<Action>, addresses: &Addresses) -> Vec<Output> {
        let output = |action| match action {
            Action::Send { to, packet } => Some(ip_frame(to, packet)),
            Action::Unreachable { packet } => Some(Output::Unreachable { packet }),
            Action::Solicit { target: IpAddr::V4(target), to } => self.arp_request(target, to, addresses),
            Action::Solicit { target: IpAddr::V6(target), to } => self.solicitation(target, to, addresses),
        };
        actions.into_iter().filter_map(output).collect()
    }
}

fn ip_frame(destination: EthernetAddress, payload: Vec<u8>) -> Output {
    let ether_type = match payload.first().map(|first| first >> 4) {
        Some(6) => EthernetProtocol::Ipv6,
        _ => EthernetProtocol::Ipv4,
    };
    Output::Transmit { destination, ether_type, payload }
}
