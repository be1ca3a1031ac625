//! Errors to send: when not to (RFC 1122, 3.2.2; RFC 1812, 4.3.2.7; RFC 4443, 2.4), how often at most, and what they
//! look like.

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use smoltcp::wire::{IPV4_HEADER_LEN, IPV4_MIN_MTU, IPV6_HEADER_LEN, IPV6_MIN_MTU, IpProtocol, Ipv4Packet, Ipv6Packet};

use super::{HEADER, Parameter, Problem, sealed, v4, v6};
use crate::net::addresses::Addresses;
use crate::net::ip::ipv6;
use crate::net::outgoing::{Outgoing, Path};
use crate::net::tally::Tally;
use crate::net::{Micros, SECOND};

/// Bytes of the packet that are quoted at most: the message stays within what every host takes (RFC 1812, 4.3.2.3; RFC
/// 4443, 2.4 c).
const QUOTE_V4: usize = IPV4_MIN_MTU - IPV4_HEADER_LEN - HEADER;
const QUOTE_V6: usize = IPV6_MIN_MTU - IPV6_HEADER_LEN - HEADER;

/// Why a problem is not reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Withheld {
    /// The packet was to a group.
    ToGroup,
    /// It came from no single host.
    Source,
    /// It is an IPv4 fragment, not the first one.
    LaterFragment,
    /// It is an error itself, or cannot be told from one.
    AboutError,
    /// Too many were sent.
    Rate,
    /// It has no header that could be answered.
    Unreadable,
}

/// A token bucket (RFC 4443, 2.4 f).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// One message in this time, on average.
    pub interval: Micros,
    /// Messages that may follow each other without a pause.
    pub burst: u32,
}

impl Default for RateLimit {
    /// 100 a second: with 16 processors still little beside a gigabit, and more than any traceroute needs.
    fn default() -> Self {
        Self { interval: SECOND / 100, burst: 16 }
    }
}

/// Turns problems into messages.
#[derive(Clone, Debug)]
pub struct Errors {
    limit: RateLimit,
    /// Time that was saved up, at most `burst` intervals; each message costs one.
    credit: Micros,
    updated: Micros,
    sent: u64,
    withheld: Tally<Withheld>,
}

impl Errors {
    /// With a full bucket.
    pub fn new(limit: RateLimit) -> Self {
        let credit = limit.interval * Micros::from(limit.burst);
        Self { limit, credit, updated: 0, sent: 0, withheld: Tally::default() }
    }

    /// The message to send about a packet that has a problem, if one is to be sent. The packet is as it was received;
    /// padding behind it does not matter.
    pub fn report(&mut self, now: Micros, addresses: &Addresses, packet: &[u8], problem: Problem) -> Option<Outgoing> {
        let message = match packet.first().map(|first| first >> 4) {
            Some(4) => report_v4(addresses, packet, problem),
            Some(6) => report_v6(addresses, packet, problem),
            _ => Err(Withheld::Unreadable),
        };
        match message.and_then(|message| self.pay(now).map(|()| message)) {
            Ok(message) => {
                self.sent += 1;
                Some(message)
            }
            Err(why) => {
                self.withheld.count(why);
                None
            }
        }
    }

    fn pay(&mut self, now: Micros) -> Result<(), Withheld> {
        let most = self.limit.interval * Micros::from(self.limit.burst);
        self.credit = most.min(self.credit.saturating_add(now.saturating_sub(self.updated)));
        self.updated = self.updated.max(now);
        self.credit = self.credit.checked_sub(self.limit.interval).ok_or(Withheld::Rate)?;
        Ok(())
    }

    /// Messages that were sent.
    pub const fn sent(&self) -> u64 {
        self.sent
    }

    /// Problems that were not reported.
    pub const fn withheld(&self) -> &Tally<Withheld> {
        &self.withheld
    }
}

fn report_v4(addresses: &Addresses, packet: &[u8], problem: Problem) -> Result<Outgoing, Withheld> {
    if packet.len() < IPV4_HEADER_LEN {
        return Err(Withheld::Unreadable);
    }
    let header = Ipv4Packet::new_unchecked(packet);
    let packet = packet.get(..header.total_len() as usize).unwrap_or(packet);
    let (source, destination): (Ipv4Addr, Ipv4Addr) = (header.src_addr(), header.dst_addr());
    check_source(addresses, source.into())?;
    if !addresses.is_own(destination.into()) {
        return Err(Withheld::ToGroup);
    }
    if header.frag_offset() != 0 {
        return Err(Withheld::LaterFragment);
    }
    if header.next_header() == IpProtocol::Icmp {
        match packet.get(header.header_len() as usize) {
            // RFC 1122, 3.2.2: no error about an error.
            None | Some(&(v4::UNREACHABLE | v4::SOURCE_QUENCH | v4::REDIRECT)) => return Err(Withheld::AboutError),
            Some(&(v4::TIME_EXCEEDED | v4::PARAMETER_PROBLEM)) => return Err(Withheld::AboutError),
            _ => {}
        }
    }
    let (kind, code, at) = match problem {
        Problem::ProtocolUnreachable { .. } => (v4::UNREACHABLE, 2, 0),
        Problem::PortUnreachable => (v4::UNREACHABLE, 3, 0),
        Problem::ReassemblyTime => (v4::TIME_EXCEEDED, 1, 0),
        // RFC 792: the pointer is one byte, and the header ends before its 60th.
        Problem::Parameter { at, .. } => (v4::PARAMETER_PROBLEM, 0, at as u8),
    };
    let path = Path::V4 { source: destination, destination: source };
    Ok(message(path, [kind, code, 0, 0, at, 0, 0, 0], packet, QUOTE_V4))
}

fn report_v6(addresses: &Addresses, packet: &[u8], problem: Problem) -> Result<Outgoing, Withheld> {
    if packet.len() < IPV6_HEADER_LEN {
        return Err(Withheld::Unreadable);
    }
    let header = Ipv6Packet::new_unchecked(packet);
    let packet = packet.get(..header.total_len()).unwrap_or(packet);
    let (source, destination): (Ipv6Addr, Ipv6Addr) = (header.src_addr(), header.dst_addr());
    check_source(addresses, source.into())?;
    let own = match problem {
        _ if addresses.is_own(destination.into()) => Some(destination),
        // RFC 4443, 2.4 e.3: the one exception that a host meets.
        Problem::Parameter { what: Parameter::Option { even_to_group: true }, .. } => addresses.ipv6_source_for(source),
        _ => None,
    };
    if is_icmpv6_error(packet) {
        return Err(Withheld::AboutError);
    }
    let (kind, code, at) = match problem {
        Problem::PortUnreachable => (v6::UNREACHABLE, 4, 0),
        Problem::ReassemblyTime => (v6::TIME_EXCEEDED, 1, 0),
        // RFC 8200, 4: an unknown protocol is an unknown next header.
        Problem::ProtocolUnreachable { at } => (v6::PARAMETER_PROBLEM, 1, at),
        Problem::Parameter { at, what } => (v6::PARAMETER_PROBLEM, parameter_code(what), at),
    };
    let [a, b, c, d] = (at as u32).to_be_bytes();
    let path = Path::V6 { source: own.ok_or(Withheld::ToGroup)?, destination: source };
    Ok(message(path, [kind, code, 0, 0, a, b, c, d], packet, QUOTE_V6))
}

/// RFC 4443, 3.4; RFC 7112, 6.
const fn parameter_code(what: Parameter) -> u8 {
    match what {
        Parameter::Header => 0,
        Parameter::NextHeader => 1,
        Parameter::Option { .. } => 2,
        Parameter::IncompleteChain => 3,
    }
}

fn check_source(addresses: &Addresses, source: IpAddr) -> Result<(), Withheld> {
    if source.is_unspecified() || addresses.is_martian_source(source) { Err(Withheld::Source) } else { Ok(()) }
}

/// RFC 4443, 2.4 e.1 and e.2: an error, or a redirect.
fn is_icmpv6_error(packet: &[u8]) -> bool {
    match ipv6::skim(packet) {
        Some(upper) if upper.protocol == IpProtocol::Icmpv6 && !upper.is_later_fragment => {
            packet.get(upper.at).is_none_or(|&kind| kind < v6::FIRST_INFORMATIONAL || kind == v6::REDIRECT)
        }
        _ => false,
    }
}

fn message(path: Path, header: [u8; HEADER], packet: &[u8], most: usize) -> Outgoing {
    let quote = packet.get(..most).unwrap_or(packet);
    let mut message = Vec::with_capacity(HEADER + quote.len());
    message.extend_from_slice(&header);
    message.extend_from_slice(quote);
    sealed(path, message)
}
