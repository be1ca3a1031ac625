//! One IPv6 packet (RFC 8200): its header, its extension headers, whether it is for this host.

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv6Addr};

use smoltcp::wire::{IPV6_HEADER_LEN, IpProtocol, Ipv6Packet};

use super::{Arrival, Cause, Delivery, Host, Parsed, Refusal};
use crate::net::icmp::Parameter;
use crate::net::reassembly::{FRAGMENT_HEADER, Fragment, Key};

/// Extension headers that are walked at most. RFC 8504, 5.3 lets a host limit them; honest packets have two or three.
pub const MAX_EXTENSIONS: usize = 8;

/// Where the fixed header has its payload length.
pub(super) const PAYLOAD_LENGTH_AT: usize = 4;
/// Where the fixed header says what follows.
const NEXT_HEADER_AT: usize = 6;
/// Where the fragment header has its offset.
pub(super) const FRAGMENT_OFFSET_AT: usize = 2;

/// Option numbers (RFC 8200, 4.2; RFC 2711).
mod option {
    pub const PAD_1: u8 = 0;
    pub const PAD_N: u8 = 1;
    pub const ROUTER_ALERT: u8 = 5;
}

/// A fragment header that is not atomic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FragmentHeader {
    offset: u16,
    more: bool,
    identification: u32,
    next_header: u8,
}

/// Where the extension headers end, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Chain {
    /// What the headers end in.
    protocol: IpProtocol,
    /// Where that number stands.
    protocol_at: usize,
    /// Where it begins; behind the fragment header if there is one.
    at: usize,
    router_alert: bool,
    has_atomic_fragment: bool,
    fragment: Option<FragmentHeader>,
}

/// Checks a packet and finds its payload.
pub(super) fn parse<'a>(bytes: &'a [u8], arrival: Arrival, host: Host) -> Result<Parsed<'a>, Refusal> {
    let packet = checked(bytes)?;
    let (source, destination) = (IpAddr::V6(packet.src_addr()), IpAddr::V6(packet.dst_addr()));
    if is_martian_destination(packet.dst_addr()) {
        return Err(Cause::MartianDestination.into());
    }
    let cast = host.cast_of(destination, arrival)?;
    // RFC 4291, 2.5.2: who has no address yet asks the others, who are a group.
    let nobody = packet.src_addr().is_unspecified() && !packet.dst_addr().is_multicast();
    if nobody || host.addresses.is_martian_source(source) {
        return Err(Cause::MartianSource.into());
    }
    let bytes = bytes.get(..packet.total_len()).unwrap_or_default();
    let chain = walk(bytes)?;
    if let Some(fragment) = chain.fragment {
        return fragment_of(bytes, &chain, fragment, source, destination);
    }
    if chain.protocol == IpProtocol::Ipv6NoNxt {
        return Err(Cause::NoNextHeader.into());
    }
    Ok(Parsed::Whole(Delivery {
        source,
        destination,
        cast,
        protocol: chain.protocol,
        protocol_at: chain.protocol_at,
        hop_limit: packet.hop_limit(),
        router_alert: chain.router_alert,
        was_fragmented: chain.has_atomic_fragment,
        payload: chain.at..bytes.len(),
    }))
}

fn checked(bytes: &[u8]) -> Result<Ipv6Packet<&[u8]>, Cause> {
    if bytes.len() < IPV6_HEADER_LEN {
        return Err(Cause::Truncated);
    }
    let packet = Ipv6Packet::new_unchecked(bytes);
    if packet.version() != 6 {
        return Err(Cause::Version);
    }
    packet.check_len().map_err(|_| Cause::Length)?;
    Ok(packet)
}

/// RFC 4291, 2.5.2, 2.5.3, 2.7: unspecified, loopback, and groups that do not leave an interface or are reserved.
fn is_martian_destination(address: Ipv6Addr) -> bool {
    let scope_stays = matches!(address.octets(), [0xff, flags_and_scope, ..] if flags_and_scope & 0x0f <= 1);
    address.is_unspecified() || address.is_loopback() || scope_stays
}

fn fragment_of<'a>(
    bytes: &'a [u8],
    chain: &Chain,
    header: FragmentHeader,
    source: IpAddr,
    destination: IpAddr,
) -> Result<Parsed<'a>, Refusal> {
    if header.offset == 0 && !has_all_headers(bytes, chain.at, header.next_header)? {
        // RFC 7112, 5; RFC 8200, 4.5: code 3, pointer 0.
        return Err(Cause::IncompleteChain.at(0, Parameter::IncompleteChain));
    }
    let (head, payload) = bytes.split_at(chain.at);
    Ok(Parsed::Fragment(Fragment {
        key: Key { source, destination, protocol: 0, identification: header.identification },
        offset: header.offset,
        more: header.more,
        head,
        next_header_at: chain.protocol_at,
        next_header: header.next_header,
        payload,
    }))
}

/// A first fragment goes up to and with the upper-layer header.
fn has_all_headers(bytes: &[u8], at: usize, next_header: u8) -> Result<bool, Refusal> {
    // In a first fragment, the number of what follows stands first in its fragment header.
    let rest = match walk_from(bytes, next_header, at - FRAGMENT_HEADER, at) {
        Err(Refusal { cause: Cause::Truncated, .. }) => return Ok(false),
        other => other?,
    };
    if rest.fragment.is_some() {
        return Err(Cause::NestedFragment.into());
    }
    let upper_layer = match rest.protocol {
        IpProtocol::Tcp => 20,
        IpProtocol::Udp => 8,
        IpProtocol::Icmpv6 => 4,
        _ => 0,
    };
    Ok(bytes.len() >= rest.at + upper_layer)
}

/// Walks from the fixed header, of which all bytes are there.
fn walk(bytes: &[u8]) -> Result<Chain, Refusal> {
    let next_header = *bytes.get(NEXT_HEADER_AT).ok_or(Cause::Truncated)?;
    walk_from(bytes, next_header, NEXT_HEADER_AT, IPV6_HEADER_LEN)
}

/// Walks extension headers from `at` on; `next_header` says what stands there, and itself stands at `protocol_at`.
fn walk_from(bytes: &[u8], next_header: u8, protocol_at: usize, at: usize) -> Result<Chain, Refusal> {
    let protocol = IpProtocol::from(next_header);
    let mut chain =
        Chain { protocol, protocol_at, at, router_alert: false, has_atomic_fragment: false, fragment: None };
    for _ in 0..=MAX_EXTENSIONS {
        let here = chain.at;
        match chain.protocol {
            IpProtocol::HopByHop if here != IPV6_HEADER_LEN => {
                // RFC 8200, 4: it comes first or not at all.
                return Err(Cause::NextHeader.at(chain.protocol_at, Parameter::NextHeader));
            }
            IpProtocol::HopByHop | IpProtocol::Ipv6Opts => {
                chain.router_alert |= walk_options(bytes, here)?;
                chain.step(bytes)?;
            }
            IpProtocol::Ipv6Route => {
                check_routing(bytes, here)?;
                chain.step(bytes)?;
            }
            IpProtocol::Ipv6Frag => {
                let header = fragment_header(bytes, here)?;
                if header.offset != 0 || header.more {
                    return Ok(Chain { fragment: Some(header), at: here + FRAGMENT_HEADER, ..chain });
                }
                // RFC 6946: an atomic fragment is whole, and no other fragment has to do with it.
                chain.go(header.next_header, here + FRAGMENT_HEADER);
                chain.has_atomic_fragment = true;
            }
            _ => return Ok(chain),
        }
    }
    Err(Cause::Extensions.into())
}

impl Chain {
    fn go(&mut self, next_header: u8, to: usize) {
        self.protocol_at = self.at;
        self.protocol = IpProtocol::from(next_header);
        self.at = to;
    }

    /// Over a header with a length in units of eight bytes.
    fn step(&mut self, bytes: &[u8]) -> Result<(), Cause> {
        let end = extension_end(bytes, self.at)?;
        let next_header = *bytes.get(self.at).ok_or(Cause::Truncated)?;
        self.go(next_header, end);
        Ok(())
    }
}

/// Where the extension header at `at` ends; all of it is there.
fn extension_end(bytes: &[u8], at: usize) -> Result<usize, Cause> {
    let units = *bytes.get(at + 1).ok_or(Cause::Truncated)?;
    let end = at + 8 + 8 * units as usize;
    if end <= bytes.len() { Ok(end) } else { Err(Cause::Truncated) }
}

fn fragment_header(bytes: &[u8], at: usize) -> Result<FragmentHeader, Cause> {
    let header = bytes.get(at..at + FRAGMENT_HEADER).ok_or(Cause::Truncated)?;
    let &[next_header, _, high, low, i0, i1, i2, i3] = header else { return Err(Cause::Truncated) };
    let offset_and_more = u16::from_be_bytes([high, low]);
    Ok(FragmentHeader {
        offset: offset_and_more & !7,
        more: offset_and_more & 1 == 1,
        identification: u32::from_be_bytes([i0, i1, i2, i3]),
        next_header,
    })
}

/// No routing type is known here: with segments left the packet is refused, else the header is skipped (RFC 8200, 4.4;
/// RFC 5095).
fn check_routing(bytes: &[u8], at: usize) -> Result<(), Refusal> {
    extension_end(bytes, at)?;
    match bytes.get(at + 3) {
        Some(0) => Ok(()),
        Some(_) => Err(Cause::RoutingHeader.at(at + 2, Parameter::Header)),
        None => Err(Cause::Truncated.into()),
    }
}

/// Walks the options of the header at `at`; says whether there is a router alert.
fn walk_options(bytes: &[u8], at: usize) -> Result<bool, Refusal> {
    let end = extension_end(bytes, at)?;
    let bytes = bytes.get(..end).ok_or(Cause::Truncated)?;
    let mut router_alert = false;
    let mut at = at + 2;
    while let Some(&kind) = bytes.get(at) {
        if kind == option::PAD_1 {
            at += 1;
            continue;
        }
        let next = match bytes.get(at + 1) {
            Some(&length) if at + 2 + length as usize <= end => at + 2 + length as usize,
            _ => return Err(Cause::Option.at(at, Parameter::Header)),
        };
        match kind {
            option::PAD_N => {}
            option::ROUTER_ALERT => router_alert = true,
            _ => unknown_option(kind, at)?,
        }
        at = next;
    }
    Ok(router_alert)
}

/// What an unknown option wants is in its two highest bits (RFC 8200, 4.2).
const fn unknown_option(kind: u8, at: usize) -> Result<(), Refusal> {
    match kind >> 6 {
        0 => Ok(()),
        1 => Err(Refusal { cause: Cause::Option, problem: None }),
        2 => Err(Cause::Option.at(at, Parameter::Option { even_to_group: true })),
        _ => Err(Cause::Option.at(at, Parameter::Option { even_to_group: false })),
    }
}

/// What a packet carries, found without judging what is on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::net) struct Upper {
    /// What it is.
    pub protocol: IpProtocol,
    /// Where it begins.
    pub at: usize,
    /// It does not begin there, for this is not the first fragment.
    pub is_later_fragment: bool,
}

/// Walks over extension headers of a packet that may be cut or refused. Finds nothing if it ends within one.
pub(in crate::net) fn skim(bytes: &[u8]) -> Option<Upper> {
    let mut upper = Upper {
        protocol: IpProtocol::from(*bytes.get(NEXT_HEADER_AT)?),
        at: IPV6_HEADER_LEN,
        is_later_fragment: false,
    };
    for _ in 0..=MAX_EXTENSIONS {
        let end = match upper.protocol {
            IpProtocol::HopByHop | IpProtocol::Ipv6Opts | IpProtocol::Ipv6Route => {
                extension_end(bytes, upper.at).ok()?
            }
            IpProtocol::Ipv6Frag => {
                upper.is_later_fragment |= fragment_header(bytes, upper.at).ok()?.offset != 0;
                upper.at + FRAGMENT_HEADER
            }
            _ => return Some(upper),
        };
        upper.protocol = IpProtocol::from(*bytes.get(upper.at)?);
        upper.at = end;
    }
    None
}

/// The fixed header, directly followed by the payload.
pub(super) fn without_extensions(delivery: &Delivery, packet: &[u8]) -> Vec<u8> {
    let payload = delivery.payload_of(packet);
    let mut bare = packet.get(..IPV6_HEADER_LEN).unwrap_or(&[0; IPV6_HEADER_LEN]).to_vec();
    let mut header = Ipv6Packet::new_unchecked(&mut bare);
    header.set_next_header(delivery.protocol);
    header.set_payload_len(payload.len() as u16);
    bare.extend_from_slice(payload);
    bare
}
