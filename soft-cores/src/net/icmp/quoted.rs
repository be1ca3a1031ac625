//! The packet that an ICMP error quotes: this host sent it, so source and destination change places.
//!
//! A quote is cut wherever the sender liked (RFC 792: after eight bytes of payload), so `smoltcp`'s checks, which want
//! whole packets, are of no use here.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use smoltcp::wire::{IPV4_HEADER_LEN, IPV6_HEADER_LEN, IpProtocol, Ipv4Packet, Ipv6Packet};

use super::{HEADER, v4, v6};
use crate::net::ip::ipv6;

/// Why something did not arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ErrorKind {
    /// No way to its network.
    NetworkUnreachable,
    /// No way to the host.
    HostUnreachable,
    /// The host does not speak the protocol.
    ProtocolUnreachable,
    /// Nobody has opened the port.
    PortUnreachable,
    /// Somebody does not want it to pass.
    Prohibited,
    /// It was too long for a link on the way.
    TooBig {
        /// What that link takes; 0 if the router is too old to say (RFC 1191, 4).
        mtu: u32,
    },
    /// It went in circles, or too far.
    TimeExceeded,
    /// Only some of its fragments came.
    ReassemblyTime,
    /// Its headers were not understood.
    ParameterProblem,
}

impl ErrorKind {
    /// RFC 792; RFC 1122, 3.2.2.1; RFC 1191, 4; RFC 1812, 5.2.7.1.
    pub(super) fn of_v4([kind, code, _, _, _, _, mtu @ ..]: [u8; HEADER]) -> Option<Self> {
        Some(match (kind, code) {
            (v4::UNREACHABLE, 0 | 5 | 6 | 8 | 11) => Self::NetworkUnreachable,
            (v4::UNREACHABLE, 1 | 7 | 12) => Self::HostUnreachable,
            (v4::UNREACHABLE, 2) => Self::ProtocolUnreachable,
            (v4::UNREACHABLE, 3) => Self::PortUnreachable,
            (v4::UNREACHABLE, 4) => Self::TooBig { mtu: u32::from(u16::from_be_bytes(mtu)) },
            (v4::UNREACHABLE, 9 | 10 | 13..=15) => Self::Prohibited,
            (v4::TIME_EXCEEDED, 0) => Self::TimeExceeded,
            (v4::TIME_EXCEEDED, 1) => Self::ReassemblyTime,
            (v4::PARAMETER_PROBLEM, 0..=2) => Self::ParameterProblem,
            _ => return None,
        })
    }

    /// RFC 4443, 3.
    pub(super) fn of_v6([kind, code, _, _, mtu @ ..]: [u8; HEADER]) -> Option<Self> {
        Some(match (kind, code) {
            (v6::UNREACHABLE, 0 | 2) => Self::NetworkUnreachable,
            (v6::UNREACHABLE, 3) => Self::HostUnreachable,
            (v6::UNREACHABLE, 4) => Self::PortUnreachable,
            (v6::UNREACHABLE, 1 | 5 | 6) => Self::Prohibited,
            (v6::TOO_BIG, _) => Self::TooBig { mtu: u32::from_be_bytes(mtu) },
            (v6::TIME_EXCEEDED, 0) => Self::TimeExceeded,
            (v6::TIME_EXCEEDED, 1) => Self::ReassemblyTime,
            (v6::PARAMETER_PROBLEM, 1) => Self::ProtocolUnreachable,
            (v6::PARAMETER_PROBLEM, _) => Self::ParameterProblem,
            _ => return None,
        })
    }
}

/// What an error is about: enough to find the socket that sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quoted {
    /// What the packet carried.
    pub protocol: IpProtocol,
    /// This host.
    pub local: IpAddr,
    /// The host it was sent to, which need not be the one that reports.
    pub remote: IpAddr,
    /// Local and remote port of TCP and UDP.
    pub ports: Option<(u16, u16)>,
    /// TCP's sequence number, by which a forged error is told from a true one (RFC 5927, 4.1).
    pub sequence: Option<u32>,
}

fn quoted(protocol: IpProtocol, local: IpAddr, remote: IpAddr, transport: &[u8]) -> Option<Quoted> {
    let mut quoted = Quoted { protocol, local, remote, ports: None, sequence: None };
    if matches!(protocol, IpProtocol::Tcp | IpProtocol::Udp) {
        // RFC 792: at least eight bytes of it are there.
        let &[l0, l1, r0, r1, s0, s1, s2, s3] = transport.first_chunk::<8>()?;
        quoted.ports = Some((u16::from_be_bytes([l0, l1]), u16::from_be_bytes([r0, r1])));
        quoted.sequence = (protocol == IpProtocol::Tcp).then_some(u32::from_be_bytes([s0, s1, s2, s3]));
    }
    Some(quoted)
}

/// Reads an IPv4 packet. A later fragment has no ports, and is of no use.
pub(super) fn of_v4(quote: &[u8]) -> Option<Quoted> {
    if quote.len() < IPV4_HEADER_LEN {
        return None;
    }
    let packet = Ipv4Packet::new_unchecked(quote);
    let header = packet.header_len() as usize;
    if packet.version() != 4 || header < IPV4_HEADER_LEN || packet.frag_offset() != 0 {
        return None;
    }
    let (local, remote): (Ipv4Addr, Ipv4Addr) = (packet.src_addr(), packet.dst_addr());
    quoted(packet.next_header(), local.into(), remote.into(), quote.get(header..)?)
}

/// Reads an IPv6 packet, behind its extension headers.
pub(super) fn of_v6(quote: &[u8]) -> Option<Quoted> {
    if quote.len() < IPV6_HEADER_LEN {
        return None;
    }
    let packet = Ipv6Packet::new_unchecked(quote);
    let upper = ipv6::skim(quote)?;
    if packet.version() != 6 || upper.is_later_fragment {
        return None;
    }
    let (local, remote): (Ipv6Addr, Ipv6Addr) = (packet.src_addr(), packet.dst_addr());
    quoted(upper.protocol, local.into(), remote.into(), quote.get(upper.at..)?)
}
