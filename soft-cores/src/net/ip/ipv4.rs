//! One IPv4 packet (RFC 791): its header, its options, whether it is for this host.

use core::net::IpAddr;

use abi::receive::Check;
use smoltcp::wire::{IPV4_HEADER_LEN, Ipv4Packet};

use super::{Arrival, Cause, Delivery, Host, Parsed, Refusal};
use crate::net::ethernet::Cast;
use crate::net::icmp::Parameter;
use crate::net::reassembly::{Fragment, Key};

/// Where the protocol stands in the header.
const PROTOCOL_AT: usize = 9;

/// Option numbers with their flags (RFC 791, 3.1; RFC 2113).
mod option {
    pub const END: u8 = 0;
    pub const NO_OPERATION: u8 = 1;
    pub const LOOSE_SOURCE_ROUTE: u8 = 131;
    pub const STRICT_SOURCE_ROUTE: u8 = 137;
    pub const ROUTER_ALERT: u8 = 148;
}

/// Checks a packet and finds its payload.
pub(super) fn parse<'a>(bytes: &'a [u8], arrival: Arrival, host: Host) -> Result<Parsed<'a>, Refusal> {
    let packet = checked(bytes, arrival.header_check)?;
    let (source, destination) = (IpAddr::V4(packet.src_addr()), IpAddr::V4(packet.dst_addr()));
    if packet.dst_addr().is_loopback() || packet.dst_addr().is_unspecified() {
        return Err(Cause::MartianDestination.into());
    }
    let cast = host.cast_of(destination, arrival)?;
    // Who has no address yet, or queries groups without one (RFC 3376, 4.1; RFC 4541, 2.1.1), speaks to groups.
    let nobody = packet.src_addr().is_unspecified() && cast == Cast::Unicast;
    if nobody || host.addresses.is_martian_source(source) {
        return Err(Cause::MartianSource.into());
    }
    let header = packet.header_len() as usize;
    let (head, payload) = bytes.get(..packet.total_len() as usize).unwrap_or_default().split_at(header);
    let router_alert = walk_options(head)?;
    let protocol = packet.next_header();
    if packet.more_frags() || packet.frag_offset() != 0 {
        let identification = u32::from(packet.ident());
        return Ok(Parsed::Fragment(Fragment {
            key: Key { source, destination, protocol: protocol.into(), identification },
            offset: packet.frag_offset(),
            more: packet.more_frags(),
            head,
            next_header_at: PROTOCOL_AT,
            next_header: protocol.into(),
            payload,
        }));
    }
    Ok(Parsed::Whole(Delivery {
        source,
        destination,
        cast,
        protocol,
        protocol_at: PROTOCOL_AT,
        hop_limit: packet.hop_limit(),
        router_alert,
        was_fragmented: false,
        payload: header..bytes.len().min(packet.total_len() as usize),
    }))
}

/// The fixed header, with `header length <= total length <= what is there`, and a good checksum.
fn checked(bytes: &[u8], header_check: Check) -> Result<Ipv4Packet<&[u8]>, Cause> {
    if bytes.len() < IPV4_HEADER_LEN {
        return Err(Cause::Truncated);
    }
    let packet = Ipv4Packet::new_unchecked(bytes);
    if packet.version() != 4 {
        return Err(Cause::Version);
    }
    let header = packet.header_len() as usize;
    if header < IPV4_HEADER_LEN || header > packet.total_len() as usize {
        return Err(Cause::HeaderLength);
    }
    packet.check_len().map_err(|_| Cause::Length)?;
    // RFC 1122, 3.2.1.2: a wrong checksum is dropped without a word.
    let good = match header_check {
        Check::Good => true,
        Check::Bad => false,
        Check::None => packet.verify_checksum(),
    };
    if good { Ok(packet) } else { Err(Cause::Checksum) }
}

/// Walks the options of a header; says whether there is a router alert. Unknown ones are skipped (RFC 1122, 3.2.1.8).
fn walk_options(head: &[u8]) -> Result<bool, Refusal> {
    let mut router_alert = false;
    let mut at = IPV4_HEADER_LEN;
    while let Some(&kind) = head.get(at) {
        match kind {
            option::END => break,
            option::NO_OPERATION => {
                at += 1;
                continue;
            }
            option::LOOSE_SOURCE_ROUTE | option::STRICT_SOURCE_ROUTE => return Err(Cause::SourceRoute.into()),
            option::ROUTER_ALERT => router_alert = true,
            _ => {}
        }
        match head.get(at + 1) {
            Some(&length) if length >= 2 && at + length as usize <= head.len() => at += length as usize,
            _ => return Err(Cause::Option.at(at, Parameter::Header)),
        }
    }
    Ok(router_alert)
}
