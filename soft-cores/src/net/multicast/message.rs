//! The messages of IGMP and MLD, on the wire.
//!
//! `smoltcp` 0.14 reads neither MLDv1 queries, which are four bytes shorter than it wants, nor IGMPv2's linear response
//! times from 128 on, and its MLDv2 report forgets the records in its length. So it only serves to write IGMP.

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use smoltcp::wire::{Icmpv6Packet, IgmpPacket, IgmpRepr, IgmpVersion, IpProtocol, MldRecordType, checksum};

use super::Envelope;
use crate::net::Micros;
use crate::net::addresses::{ALL_ROUTERS, Addresses};
use crate::net::outgoing::{Outgoing, Path};

/// Every router of the link (RFC 2236, 9).
const IPV4_ALL_ROUTERS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 2);
/// Every MLDv2 router of the link (RFC 3810, 5.2.14).
const MLDV2_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x16);

/// Message types (RFC 2236, 2.1; RFC 2710, 3.1; RFC 3810, 5.2).
mod kind {
    pub const IGMP_QUERY: u8 = 0x11;
    pub const IGMP_V1_REPORT: u8 = 0x12;
    pub const IGMP_V2_REPORT: u8 = 0x16;
    pub const MLD_QUERY: u8 = 130;
    pub const MLD_V1_REPORT: u8 = 131;
    pub const MLD_V1_DONE: u8 = 132;
    pub const MLD_V2_REPORT: u8 = 143;
}

/// Why a message is not heeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// Shorter than its type needs, or of a length that no version has.
    Length,
    /// Its checksum is wrong.
    Checksum,
    /// It asks about, or reports, what is no group.
    Group,
    /// It comes from beyond the link, or without the router alert.
    Envelope,
    /// It is for routers, or unknown.
    NotForHosts,
}

/// What a querier or this host speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    IgmpV1,
    IgmpV2,
    MldV1,
    MldV2,
}

/// What a message says to a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// Who is in `group`, or in any if it is unspecified, says so within `most`.
    Query { version: Version, group: IpAddr, most: Micros },
    /// Somebody is.
    Report { group: IpAddr },
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], Cause> {
    bytes.get(at..at + N).and_then(|part| part.try_into().ok()).ok_or(Cause::Length)
}

pub(super) fn parse_igmp(message: &[u8]) -> Result<Heard, Cause> {
    let [kind, code, ..] = array::<8>(message, 0)?;
    if checksum::data(message) != !0 {
        return Err(Cause::Checksum);
    }
    let group = Ipv4Addr::from(array::<4>(message, 4)?);
    let address = IpAddr::V4(group);
    match kind {
        kind::IGMP_QUERY if group.is_unspecified() || group.is_multicast() => igmp_query(message.len(), code, address),
        kind::IGMP_V1_REPORT | kind::IGMP_V2_REPORT if group.is_multicast() => Ok(Heard::Report { group: address }),
        kind::IGMP_QUERY | kind::IGMP_V1_REPORT | kind::IGMP_V2_REPORT => Err(Cause::Group),
        _ => Err(Cause::NotForHosts),
    }
}

/// RFC 3376, 7.1 tells the versions apart by length and code; times are in tenths of a second.
fn igmp_query(length: usize, code: u8, group: IpAddr) -> Result<Heard, Cause> {
    const TENTH: Micros = 100_000;
    let (version, tenths) = match (length, code) {
        (8, 0) => (Version::IgmpV1, 100),
        (8, _) => (Version::IgmpV2, u64::from(code)),
        (12.., ..0x80) => (Version::IgmpV2, u64::from(code)),
        // RFC 3376, 4.1.1: a floating point number.
        (12.., _) => (Version::IgmpV2, u64::from(code & 0x0f | 0x10) << ((code >> 4 & 7) + 3)),
        _ => return Err(Cause::Length),
    };
    Ok(Heard::Query { version, group, most: tenths * TENTH })
}

pub(super) fn parse_mld(envelope: &Envelope, message: &[u8]) -> Result<Heard, Cause> {
    let [kind, ..] = array::<24>(message, 0)?;
    let local = envelope.source.is_unicast_link_local();
    // RFC 3810, 5.2.13: only a report may come from a node that has no address yet.
    let may_speak = local || kind == kind::MLD_V1_REPORT && envelope.source.is_unspecified();
    let group = Ipv6Addr::from(array::<16>(message, 8)?);
    let address = IpAddr::V6(group);
    match kind {
        kind::MLD_QUERY | kind::MLD_V1_REPORT if !may_speak || envelope.hop_limit != 1 || !envelope.router_alert => {
            Err(Cause::Envelope)
        }
        kind::MLD_QUERY if group.is_unspecified() || group.is_multicast() => mld_query(message, address),
        kind::MLD_V1_REPORT if group.is_multicast() => Ok(Heard::Report { group: address }),
        kind::MLD_QUERY | kind::MLD_V1_REPORT => Err(Cause::Group),
        _ => Err(Cause::NotForHosts),
    }
}

/// RFC 3810, 8.1 tells the versions apart by length; times are in milliseconds.
fn mld_query(message: &[u8], group: IpAddr) -> Result<Heard, Cause> {
    const MILLISECOND: Micros = 1_000;
    let code = u16::from_be_bytes(array(message, 4)?);
    let (version, milliseconds) = match (message.len(), code) {
        (24, _) => (Version::MldV1, u64::from(code)),
        (28.., ..0x8000) => (Version::MldV2, u64::from(code)),
        // RFC 3810, 5.1.3: a floating point number.
        (28.., _) => (Version::MldV2, u64::from(code & 0x0fff | 0x1000) << ((code >> 12 & 7) + 3)),
        _ => return Err(Cause::Length),
    };
    Ok(Heard::Query { version, group, most: milliseconds * MILLISECOND })
}

/// The news that this host is in the group.
pub(super) fn joined(version: Version, group: IpAddr, addresses: &Addresses) -> Outgoing {
    report(version, group, addresses, MldRecordType::ChangeToExclude)
}

/// The answer to a query.
pub(super) fn present(version: Version, group: IpAddr, addresses: &Addresses) -> Outgoing {
    report(version, group, addresses, MldRecordType::ModeIsExclude)
}

fn report(version: Version, group: IpAddr, addresses: &Addresses, record: MldRecordType) -> Outgoing {
    match group {
        IpAddr::V4(group_addr) => {
            let version = if version == Version::IgmpV1 { IgmpVersion::Version1 } else { IgmpVersion::Version2 };
            igmp(group_addr, addresses, &IgmpRepr::MembershipReport { group_addr, version })
        }
        IpAddr::V6(group) if version == Version::MldV1 => mld_v1(kind::MLD_V1_REPORT, group, group, addresses),
        IpAddr::V6(group) => mld_v2(group, addresses, record),
    }
}

/// The news that this host is not in the group any more; IGMPv1 has no word for it.
pub(super) fn left(version: Version, group: IpAddr, addresses: &Addresses) -> Option<Outgoing> {
    match group {
        IpAddr::V4(_) if version == Version::IgmpV1 => None,
        IpAddr::V4(group_addr) => Some(igmp(IPV4_ALL_ROUTERS, addresses, &IgmpRepr::LeaveGroup { group_addr })),
        IpAddr::V6(group) if version == Version::MldV1 => {
            Some(mld_v1(kind::MLD_V1_DONE, group, ALL_ROUTERS, addresses))
        }
        IpAddr::V6(group) => Some(mld_v2(group, addresses, MldRecordType::ChangeToInclude)),
    }
}

fn on_link(path: Path, protocol: IpProtocol, payload: Vec<u8>) -> Outgoing {
    Outgoing { path, protocol, hop_limit: 1, router_alert: true, payload }
}

fn igmp(destination: Ipv4Addr, addresses: &Addresses, message: &IgmpRepr) -> Outgoing {
    let mut payload = alloc::vec![0; message.buffer_len()];
    message.emit(&mut IgmpPacket::new_unchecked(&mut payload[..]));
    let source = match addresses.source_for(IpAddr::V4(destination)) {
        Some(IpAddr::V4(own)) => own,
        _ => Ipv4Addr::UNSPECIFIED,
    };
    on_link(Path::V4 { source, destination }, IpProtocol::Igmp, payload)
}

fn mld_v1(kind: u8, group: Ipv6Addr, destination: Ipv6Addr, addresses: &Addresses) -> Outgoing {
    mld(&[kind, 0, 0, 0, 0, 0, 0, 0], group, destination, addresses)
}

/// One record without sources, for one group (RFC 3810, 5.2).
fn mld_v2(group: Ipv6Addr, addresses: &Addresses, record: MldRecordType) -> Outgoing {
    let header = [kind::MLD_V2_REPORT, 0, 0, 0, 0, 0, 0, 1, record.into(), 0, 0, 0];
    mld(&header, group, MLDV2_ROUTERS, addresses)
}

fn mld(header: &[u8], group: Ipv6Addr, destination: Ipv6Addr, addresses: &Addresses) -> Outgoing {
    // RFC 3590, 4: a node without a link-local address sends from the unspecified one.
    let source = addresses.link_local().unwrap_or(Ipv6Addr::UNSPECIFIED);
    let mut payload = [header, &group.octets()].concat();
    Icmpv6Packet::new_unchecked(&mut payload[..]).fill_checksum(&source, &destination);
    on_link(Path::V6 { source, destination }, IpProtocol::Icmpv6, payload)
}
