//! ICMP (RFC 792, 1122) and ICMPv6 (RFC 4443): echo, errors received, errors to send.
//!
//! An error that comes back quotes the packet it is about, and by the quoted ports the caller finds the processor that
//! owns the connection (¶67): [`receive`] takes the [`Quoted`] out. Errors to send are [`Problem`]s, which [`Errors`]
//! turns into messages, or not, as the rules want.
//!
//! Policies: an echo request to an IPv4 group is not answered (RFC 1122, 3.2.2.6 allows it; it would amplify), one to
//! an IPv6 group is (RFC 4443, 4.2). Redirects and source quenches are not heeded (RFC 6633; routes are the routers'
//! business), nor are timestamps.

use core::net::IpAddr;

use alloc::vec::Vec;
use smoltcp::wire::{Icmpv6Packet, IpProtocol, checksum};

use super::addresses::Addresses;
use super::ethernet::Cast;
use super::ip::Delivery;
use super::outgoing::{Outgoing, Path};

mod errors;
mod quoted;
#[cfg(test)]
mod tests;

pub use errors::{Errors, RateLimit, Withheld};
pub use quoted::{ErrorKind, Quoted};

/// Bytes of every ICMP header that is used here.
const HEADER: usize = 8;

/// Message types (RFC 792).
mod v4 {
    pub const ECHO_REPLY: u8 = 0;
    pub const UNREACHABLE: u8 = 3;
    pub const SOURCE_QUENCH: u8 = 4;
    pub const REDIRECT: u8 = 5;
    pub const ECHO_REQUEST: u8 = 8;
    pub const TIME_EXCEEDED: u8 = 11;
    pub const PARAMETER_PROBLEM: u8 = 12;
}

/// Message types (RFC 4443, 2.1; RFC 3810, 5; RFC 4861, 4).
mod v6 {
    pub const UNREACHABLE: u8 = 1;
    pub const TOO_BIG: u8 = 2;
    pub const TIME_EXCEEDED: u8 = 3;
    pub const PARAMETER_PROBLEM: u8 = 4;
    /// Types from here on are no errors.
    pub const FIRST_INFORMATIONAL: u8 = 128;
    pub const ECHO_REQUEST: u8 = 128;
    pub const ECHO_REPLY: u8 = 129;
    pub const FIRST_LISTENER: u8 = 130;
    pub const LAST_LISTENER: u8 = 132;
    pub const FIRST_NEIGHBOUR: u8 = 133;
    pub const REDIRECT: u8 = 137;
    pub const LISTENER_REPORT_V2: u8 = 143;
}

/// What is wrong with a packet that was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// Nobody has opened its port.
    PortUnreachable,
    /// Nobody here speaks its protocol, whose number stands at this byte of the packet.
    ProtocolUnreachable {
        /// [`Delivery::protocol_at`].
        at: usize,
    },
    /// The rest of its datagram did not come.
    ReassemblyTime,
    /// A field of its headers.
    Parameter {
        /// Which byte of the packet.
        at: usize,
        /// What about it.
        what: Parameter,
    },
}

/// What is wrong with a header field. Only [`Parameter::Header`] exists in IPv4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parameter {
    /// It has an impossible value.
    Header,
    /// It names a header that may not stand here.
    NextHeader,
    /// An unknown option that forbids to go on.
    Option {
        /// It wants the report also if the packet was to a group.
        even_to_group: bool,
    },
    /// The first fragment does not have all headers (RFC 7112).
    IncompleteChain,
}

/// Why an ICMP message is not heeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// It is shorter than its header.
    Truncated,
    /// Its checksum is wrong.
    Checksum,
    /// An echo request or an error to a group.
    ToGroup,
    /// An error about a packet that this host cannot have sent, or that cannot be read.
    Quote,
    /// A type or code that is not heeded here.
    Ignored,
}

/// What a message is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received<'a> {
    /// An echo request; this answers it.
    Answer(Outgoing),
    /// The answer to an echo request of this host.
    EchoReply {
        /// Which of those who ask.
        identifier: u16,
        /// Which request.
        sequence: u16,
        /// What it carried.
        payload: &'a [u8],
    },
    /// Something this host sent did not arrive.
    Error {
        /// Why.
        kind: ErrorKind,
        /// What it was.
        quoted: Quoted,
    },
    /// For [`super::multicast`].
    ListenerDiscovery,
    /// For [`super::neighbour`].
    NeighbourDiscovery,
}

/// Takes an ICMP or ICMPv6 message, the payload of a packet that is for this host.
///
/// # Errors
/// It is not heeded.
pub fn receive<'a>(addresses: &Addresses, delivery: &Delivery, message: &'a [u8]) -> Result<Received<'a>, Cause> {
    let header = message.get(..HEADER).and_then(|bytes| bytes.try_into().ok()).ok_or(Cause::Truncated)?;
    match (delivery.source, delivery.destination) {
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            if !Icmpv6Packet::new_unchecked(message).verify_checksum(&source, &destination) {
                return Err(Cause::Checksum);
            }
            receive_v6(addresses, delivery, header, message)
        }
        _ => {
            if checksum::data(message) != !0 {
                return Err(Cause::Checksum);
            }
            receive_v4(addresses, delivery, header, message)
        }
    }
}

fn receive_v4<'a>(
    addresses: &Addresses,
    delivery: &Delivery,
    header: [u8; HEADER],
    message: &'a [u8],
) -> Result<Received<'a>, Cause> {
    let [kind, code, ..] = header;
    match (kind, code) {
        (v4::ECHO_REQUEST, 0) if delivery.cast != Cast::Unicast => Err(Cause::ToGroup),
        (v4::ECHO_REQUEST, 0) => answer(addresses, delivery, v4::ECHO_REPLY, message),
        (v4::ECHO_REPLY, 0) => Ok(echo_reply(header, message)),
        (v4::UNREACHABLE | v4::TIME_EXCEEDED | v4::PARAMETER_PROBLEM, _) => {
            let kind = ErrorKind::of_v4(header).ok_or(Cause::Ignored)?;
            error(addresses, delivery, kind, message.get(HEADER..).and_then(quoted::of_v4))
        }
        _ => Err(Cause::Ignored),
    }
}

fn receive_v6<'a>(
    addresses: &Addresses,
    delivery: &Delivery,
    header: [u8; HEADER],
    message: &'a [u8],
) -> Result<Received<'a>, Cause> {
    let [kind, code, ..] = header;
    match (kind, code) {
        (v6::ECHO_REQUEST, 0) => answer(addresses, delivery, v6::ECHO_REPLY, message),
        (v6::ECHO_REPLY, 0) => Ok(echo_reply(header, message)),
        (v6::FIRST_LISTENER..=v6::LAST_LISTENER | v6::LISTENER_REPORT_V2, _) => Ok(Received::ListenerDiscovery),
        (v6::FIRST_NEIGHBOUR..=v6::REDIRECT, _) => Ok(Received::NeighbourDiscovery),
        (v6::UNREACHABLE..=v6::PARAMETER_PROBLEM, _) => {
            let kind = ErrorKind::of_v6(header).ok_or(Cause::Ignored)?;
            error(addresses, delivery, kind, message.get(HEADER..).and_then(quoted::of_v6))
        }
        _ => Err(Cause::Ignored),
    }
}

/// The same message with another type, back to where it came from (RFC 792; RFC 4443, 4.2).
fn answer(addresses: &Addresses, delivery: &Delivery, kind: u8, message: &[u8]) -> Result<Received<'static>, Cause> {
    let own = match delivery.cast {
        Cast::Unicast => Some(delivery.destination),
        Cast::Multicast | Cast::Broadcast => addresses.source_for(delivery.source),
    };
    if delivery.source.is_unspecified() {
        return Err(Cause::ToGroup);
    }
    let path = own.and_then(|own| Path::new(own, delivery.source)).ok_or(Cause::ToGroup)?;
    let mut reply = message.to_vec();
    if let Some(first) = reply.first_mut() {
        *first = kind;
    }
    Ok(Received::Answer(sealed(path, reply)))
}

fn echo_reply(header: [u8; HEADER], message: &[u8]) -> Received<'_> {
    let [_, _, _, _, i0, i1, s0, s1] = header;
    Received::EchoReply {
        identifier: u16::from_be_bytes([i0, i1]),
        sequence: u16::from_be_bytes([s0, s1]),
        payload: message.get(HEADER..).unwrap_or_default(),
    }
}

/// An error is believed if it quotes a packet that this host can have sent (RFC 5927, 4 has more for TCP:
/// [`Quoted::sequence`]).
fn error(
    addresses: &Addresses,
    delivery: &Delivery,
    kind: ErrorKind,
    quoted: Option<Quoted>,
) -> Result<Received<'static>, Cause> {
    if delivery.cast != Cast::Unicast {
        return Err(Cause::ToGroup);
    }
    match quoted {
        Some(quoted) if addresses.is_own(quoted.local) => Ok(Received::Error { kind, quoted }),
        _ => Err(Cause::Quote),
    }
}

/// What a packet of this host is about, whole or cut: enough to find the socket that sent it.
pub fn quote(packet: &[u8]) -> Option<Quoted> {
    match packet.first()? >> 4 {
        4 => quoted::of_v4(packet),
        6 => quoted::of_v6(packet),
        _ => None,
    }
}

/// A message to send, with its checksum.
fn sealed(path: Path, mut message: Vec<u8>) -> Outgoing {
    if let Some(field) = message.get_mut(2..4) {
        field.fill(0);
    }
    match path {
        Path::V4 { .. } => {
            let sum = !checksum::data(&message);
            if let Some(field) = message.get_mut(2..4) {
                field.copy_from_slice(&sum.to_be_bytes());
            }
            Outgoing::new(path, IpProtocol::Icmp, message)
        }
        Path::V6 { source, destination } => {
            Icmpv6Packet::new_unchecked(&mut message[..]).fill_checksum(&source, &destination);
            Outgoing::new(path, IpProtocol::Icmpv6, message)
        }
    }
}
