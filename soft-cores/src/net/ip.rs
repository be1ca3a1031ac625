//! IP input: what a received packet is, for whom, and whether it may go on.
//!
//! [`Input`] checks IPv4 (RFC 791, 1122) and IPv6 (RFC 8200) headers, reassembles fragments, and says what to do:
//! deliver, wait, or drop with a cause and perhaps with a [`Problem`] that [`super::icmp`] may report. A host forwards
//! nothing, so neither TTL nor hop limit is looked at.
//!
//! Lengths in headers are believed only where they shorten: what a frame holds behind the packet is padding.
//!
//! Policies: packets with a source route are dropped (RFC 7126, 4.3), and so is a unicast packet in a group frame (RFC
//! 1122, 3.3.6). At most [`ipv6::MAX_EXTENSIONS`] extension headers are walked.

use alloc::vec::Vec;
use core::net::IpAddr;
use core::ops::Range;

use abi::receive::Check;
use smoltcp::wire::IpProtocol;

use super::Micros;
use super::addresses::Addresses;
use super::ethernet::Cast;
use super::icmp::{Parameter, Problem};
use super::multicast::Memberships;
use super::reassembly::{self, Fragment, Limits, Reassembly, Taken};
use super::tally::Tally;

pub mod ipv4;
pub mod ipv6;
#[cfg(test)]
mod tests;

/// Why a packet is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// Its version is not the one that its frame promises.
    Version,
    /// It ends within a header.
    Truncated,
    /// Its header length is impossible.
    HeaderLength,
    /// It is shorter than it says.
    Length,
    /// Its header checksum is wrong.
    Checksum,
    /// Nobody can have sent from there.
    MartianSource,
    /// Nothing may come over a network to there.
    MartianDestination,
    /// For another host.
    NotOurs,
    /// To this host alone, in a frame to many.
    UnicastInGroupFrame,
    /// It has a source route.
    SourceRoute,
    /// An option is malformed, or unknown and not to be skipped.
    Option,
    /// A routing header that would send it on.
    RoutingHeader,
    /// A hop-by-hop header that is not the first.
    NextHeader,
    /// More extension headers than are walked.
    Extensions,
    /// It ends with "no next header": there is nothing to deliver.
    NoNextHeader,
    /// The first fragment does not have all headers (RFC 7112).
    IncompleteChain,
    /// A fragment within a reassembled datagram.
    NestedFragment,
    /// A fragment that is not kept, or whose datagram is not.
    Fragment(reassembly::Cause),
}

/// A packet that is dropped, and what its sender may be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub cause: Cause,
    /// What is wrong with it, if that is to be reported.
    pub problem: Option<Problem>,
}

impl From<Cause> for Refusal {
    fn from(cause: Cause) -> Self {
        Self { cause, problem: None }
    }
}

impl Cause {
    /// A refusal that points at a byte of the packet.
    const fn at(self, at: usize, what: Parameter) -> Refusal {
        Refusal { cause: self, problem: Some(Problem::Parameter { at, what }) }
    }
}

/// What is known of a packet that goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Who sent it.
    pub source: IpAddr,
    /// To whom.
    pub destination: IpAddr,
    /// What kind of address that is. Not unicast if the frame was to a group.
    pub cast: Cast,
    /// What the payload is.
    pub protocol: IpProtocol,
    /// Where in the packet that number stands, for those who do not know the protocol.
    pub protocol_at: usize,
    /// TTL or hop limit as received.
    pub hop_limit: u8,
    /// It has the router alert option (RFC 2113, RFC 2711).
    pub router_alert: bool,
    /// It came in fragments, or in one that was called a fragment.
    pub was_fragmented: bool,
    /// Where in the packet the payload stands.
    pub payload: Range<usize>,
}

impl Delivery {
    /// The payload's bytes in the packet this was found in.
    pub fn payload_of<'a>(&self, packet: &'a [u8]) -> &'a [u8] {
        packet.get(self.payload.clone()).unwrap_or_default()
    }

    /// The packet without IPv6 extension headers, as a transport that knows none of them wants it.
    pub fn without_extensions(&self, packet: &[u8]) -> Vec<u8> {
        match self.source {
            IpAddr::V4(_) => packet.get(..self.payload.end).unwrap_or_default().to_vec(),
            IpAddr::V6(_) => ipv6::without_extensions(self, packet),
        }
    }
}

/// What a single packet is found to be.
#[derive(Debug)]
enum Parsed<'a> {
    Whole(Delivery),
    Fragment(Fragment<'a>),
}

/// What to do with a received packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Its transport may have it.
    Deliver(Delivery),
    /// It was the last fragment of this datagram, which its transport may have.
    Reassembled {
        /// The datagram.
        packet: Vec<u8>,
        /// What is known of it.
        delivery: Delivery,
    },
    /// It is a fragment and waits for the others.
    Held,
    /// It goes no further.
    Drop(Refusal),
}

/// How a packet arrived: what is known of it before its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// To whom its frame was addressed.
    pub cast: Cast,
    /// What the hardware found of the IPv4 header's checksum.
    pub header_check: Check,
}

/// What the host is: its addresses, and the groups it is in.
#[derive(Clone, Copy, Debug)]
pub struct Host<'a> {
    /// Unicast addresses.
    pub addresses: &'a Addresses,
    /// Groups.
    pub groups: &'a Memberships,
}

impl Host<'_> {
    /// What kind of address of this host a destination is.
    fn cast_of(&self, destination: IpAddr, arrival: Arrival) -> Result<Cast, Cause> {
        let cast = match destination {
            own if self.addresses.is_own(own) => Cast::Unicast,
            group if self.groups.is_member(group) => Cast::Multicast,
            IpAddr::V4(all) if self.addresses.is_broadcast(all) => Cast::Broadcast,
            _ => return Err(Cause::NotOurs),
        };
        match (cast, arrival.cast) {
            (Cast::Unicast, Cast::Multicast | Cast::Broadcast) => Err(Cause::UnicastInGroupFrame),
            _ => Ok(cast),
        }
    }
}

/// How many packets came, and what became of them: `received = delivered + merged + dropped + waiting`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// All packets.
    pub received: u64,
    /// Packets and reassembled datagrams that went on.
    pub delivered: u64,
    /// Fragments of datagrams that went on, but for the one that completed each.
    pub merged: u64,
    /// Dropped packets by cause; [`Reassembly::drops`] has those with [`Cause::Fragment`].
    pub drops: Tally<Cause>,
}

/// The IP layer's receiving side.
#[derive(Clone, Debug)]
pub struct Input {
    reassembly: Reassembly,
    counters: Counters,
}

impl Input {
    /// Nothing was received.
    pub fn new(limits: Limits) -> Self {
        Self { reassembly: Reassembly::new(limits), counters: Counters::default() }
    }

    /// Takes the payload of a frame, of which the EtherType said that it is IPv4.
    pub fn receive_ipv4(&mut self, now: Micros, packet: &[u8], arrival: Arrival, host: Host) -> Outcome {
        self.counters.received += 1;
        match ipv4::parse(packet, arrival, host) {
            Ok(parsed) => self.go_on(now, parsed, host),
            Err(refusal) => self.refuse(refusal),
        }
    }

    /// Takes the payload of a frame, of which the EtherType said that it is IPv6.
    pub fn receive_ipv6(&mut self, now: Micros, packet: &[u8], arrival: Arrival, host: Host) -> Outcome {
        self.counters.received += 1;
        match ipv6::parse(packet, arrival, host) {
            Ok(parsed) => self.go_on(now, parsed, host),
            Err(refusal) => self.refuse(refusal),
        }
    }

    fn refuse(&mut self, refusal: Refusal) -> Outcome {
        self.counters.drops.count(refusal.cause);
        Outcome::Drop(refusal)
    }

    fn go_on(&mut self, now: Micros, parsed: Parsed, host: Host) -> Outcome {
        match parsed {
            Parsed::Whole(delivery) => {
                self.counters.delivered += 1;
                Outcome::Deliver(delivery)
            }
            Parsed::Fragment(fragment) => match self.reassembly.accept(now, &fragment) {
                Taken::Held => Outcome::Held,
                Taken::Dropped(cause) => Outcome::Drop(refusal_of(&fragment, cause)),
                Taken::Complete { packet, fragments } => self.complete(packet, fragments as u64, host),
            },
        }
    }

    fn complete(&mut self, packet: Vec<u8>, fragments: u64, host: Host) -> Outcome {
        // Reassembly made the header checksum itself, and a unicast datagram's fragments came in frames of their own.
        let arrival = Arrival { cast: Cast::Unicast, header_check: Check::Good };
        let parsed = match packet.first().map(|first| first >> 4) {
            Some(4) => ipv4::parse(&packet, arrival, host),
            _ => ipv6::parse(&packet, arrival, host),
        };
        match parsed {
            Ok(Parsed::Whole(delivery)) => {
                self.counters.delivered += 1;
                self.counters.merged += fragments - 1;
                Outcome::Reassembled { packet, delivery: Delivery { was_fragmented: true, ..delivery } }
            }
            Ok(Parsed::Fragment(_)) => self.refuse_datagram(Cause::NestedFragment, fragments),
            Err(refusal) => self.refuse_datagram(refusal.cause, fragments),
        }
    }

    /// Without a report: what can be reported was found in the fragments, all of whose headers were checked as they
    /// came.
    fn refuse_datagram(&mut self, cause: Cause, fragments: u64) -> Outcome {
        self.counters.drops.add(cause, fragments);
        Outcome::Drop(cause.into())
    }

    /// Gives up datagrams whose time is over; returns the packets whose senders are to be told
    /// [`Problem::ReassemblyTime`].
    pub fn expire(&mut self, now: Micros) -> Vec<Vec<u8>> {
        self.reassembly.expire(now)
    }

    /// When [`expire`](Self::expire) has something to do next.
    pub fn next_deadline(&self) -> Option<Micros> {
        self.reassembly.next_deadline()
    }

    /// What was counted.
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The datagrams that are not yet whole.
    pub const fn reassembly(&self) -> &Reassembly {
        &self.reassembly
    }
}

/// What is reported of a fragment: RFC 8200, 4.5 wants two of the causes pointed at; RFC 791 wants none.
fn refusal_of(fragment: &Fragment, cause: reassembly::Cause) -> Refusal {
    let why = Cause::Fragment(cause);
    match (fragment.key.source, cause) {
        (IpAddr::V6(_), reassembly::Cause::Unaligned) => why.at(ipv6::PAYLOAD_LENGTH_AT, Parameter::Header),
        (IpAddr::V6(_), reassembly::Cause::TooLong) => {
            why.at(fragment.head.len() - reassembly::FRAGMENT_HEADER + ipv6::FRAGMENT_OFFSET_AT, Parameter::Header)
        }
        _ => why.into(),
    }
}
