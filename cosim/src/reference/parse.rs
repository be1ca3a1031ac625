//! From bytes to a class and the fields of the hash.
//!
//! Headers are read within the first [`HEADER_DEPTH`] bytes of a frame and nowhere else, as the
//! hardware does it. A length field may claim more bytes than the frame has (the hardware cuts
//! frames through and cannot know), but a header must lie within the lengths that are claimed.
//! `etherparse` reads single headers here: its whole-packet parsers refuse frames, such as a TCP
//! header cut after the ports, that the hardware dispatches.

use std::fmt;

use etherparse::{
    EtherType, Ethernet2HeaderSlice, IpNumber, Ipv4HeaderSlice, Ipv6FragmentHeaderSlice, Ipv6HeaderSlice,
    Ipv6RawExtHeaderSlice, SingleVlanHeaderSlice, icmpv6,
};
use serde::{Deserialize, Serialize};

use super::hash::{Addresses, Flow, Upper};

/// Bytes of a frame in which headers are looked for: enough for an IPv6 header, 136 bytes of
/// extensions and the ports behind them (14 + 40 + 136 + 4); each tag takes four bytes of it.
pub const HEADER_DEPTH: usize = 194;

/// Tags that are skipped; a third one is an EtherType like any other.
pub(super) const MAX_TAGS: usize = 2;

/// Lengths of the header fields in IP are trusted in steps of this many bytes.
const LENGTH_STEP: usize = 4;

/// What a frame is, in the order of the hardware's class numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum Class {
    /// Neither IP nor ARP: another EtherType, or a length (LLC).
    Other = 0,
    /// ARP.
    Arp = 1,
    /// IP with a protocol that has no ports we read.
    Ip = 2,
    /// TCP, not fragmented.
    Tcp = 3,
    /// UDP, not fragmented.
    Udp = 4,
    /// A fragment of any protocol.
    #[serde(rename = "frag")]
    Fragment = 5,
    /// Neighbour discovery: ICMPv6 of types 133 to 137.
    Nd = 6,
    /// Headers that are cut or contradict themselves.
    Malformed = 7,
}

impl Class {
    /// Every class, in numeric order.
    pub const ALL: [Self; 8] =
        [Self::Other, Self::Arp, Self::Ip, Self::Tcp, Self::Udp, Self::Fragment, Self::Nd, Self::Malformed];
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Other => "other",
            Self::Arp => "arp",
            Self::Ip => "ip",
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Fragment => "frag",
            Self::Nd => "nd",
            Self::Malformed => "malformed",
        })
    }
}

/// A frame whose headers hold together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packet {
    /// Neither IP nor ARP.
    Other,
    /// ARP.
    Arp,
    /// IP: something to hash.
    Flow(Flow),
}

impl Packet {
    /// The class of the frame.
    pub fn class(&self) -> Class {
        match self {
            Self::Other => Class::Other,
            Self::Arp => Class::Arp,
            Self::Flow(flow) => flow.class(),
        }
    }
}

/// Why a frame is of class [`Class::Malformed`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum Malformed {
    /// Fewer than 14 bytes.
    #[error("the Ethernet header is cut")]
    EthernetCut,
    /// A tag reaches beyond the frame.
    #[error("a VLAN tag is cut")]
    TagCut,
    /// An IPv4 header of another version or of fewer than five words.
    #[error("the IPv4 header has another version or fewer than five words")]
    Ipv4Content,
    /// The IPv4 header reaches beyond the window.
    #[error("the IPv4 header is cut")]
    Ipv4Cut,
    /// The total length is smaller than the IPv4 header.
    #[error("the IPv4 total length is smaller than the header")]
    Ipv4TotalLength,
    /// An IPv6 header of another version.
    #[error("the IPv6 header has another version")]
    Ipv6Content,
    /// The IPv6 header reaches beyond the window.
    #[error("the IPv6 header is cut")]
    Ipv6Cut,
    /// An extension or fragment header reaches beyond the window or the payload length.
    #[error("an IPv6 extension header is cut or longer than the payload")]
    ExtensionCut,
    /// Ports, or the first word of ICMPv6, reach beyond the window or the IP length.
    #[error("the ports are cut or beyond the IP length")]
    UpperCut,
}

/// Reads the headers of an Ethernet II frame without FCS.
///
/// # Errors
/// The headers are cut or contradict themselves. Any bytes give an answer.
pub fn parse(frame: &[u8]) -> Result<Packet, Malformed> {
    let window = &frame[..frame.len().min(HEADER_DEPTH)];
    let ethernet = Ethernet2HeaderSlice::from_slice(window).map_err(|_| Malformed::EthernetCut)?;
    let mut ether_type = ethernet.ether_type();
    let mut rest = &window[ethernet.slice().len()..];
    for _ in 0..MAX_TAGS {
        if !matches!(ether_type, EtherType::VLAN_TAGGED_FRAME | EtherType::PROVIDER_BRIDGING) {
            break;
        }
        let tag = SingleVlanHeaderSlice::from_slice(rest).map_err(|_| Malformed::TagCut)?;
        ether_type = tag.ether_type();
        rest = &rest[tag.slice().len()..];
    }
    match ether_type {
        EtherType::IPV4 => ipv4(rest).map(Packet::Flow),
        EtherType::IPV6 => ipv6(rest).map(Packet::Flow),
        EtherType::ARP => Ok(Packet::Arp),
        _ => Ok(Packet::Other),
    }
}

fn ipv4(window: &[u8]) -> Result<Flow, Malformed> {
    use etherparse::err::ipv4::HeaderSliceError;

    let header = Ipv4HeaderSlice::from_slice(window).map_err(|error| match error {
        HeaderSliceError::Len(_) => Malformed::Ipv4Cut,
        HeaderSliceError::Content(_) => Malformed::Ipv4Content,
    })?;
    let header_bytes = header.slice().len();
    let claimed = trusted(header.total_len());
    if claimed < header_bytes {
        return Err(Malformed::Ipv4TotalLength);
    }
    let upper = if header.is_fragmenting_payload() {
        Upper::Fragment { identification: header.identification().into() }
    } else {
        let payload = &window[header_bytes..claimed.min(window.len())];
        match header.protocol() {
            IpNumber::TCP => tcp(payload)?,
            IpNumber::UDP => udp(payload)?,
            _ => Upper::Other,
        }
    };
    Ok(Flow {
        addresses: Addresses::V4 { source: header.source_addr(), destination: header.destination_addr() },
        upper,
    })
}

fn ipv6(window: &[u8]) -> Result<Flow, Malformed> {
    use etherparse::err::ipv6::HeaderSliceError;

    let header = Ipv6HeaderSlice::from_slice(window).map_err(|error| match error {
        HeaderSliceError::Len(_) => Malformed::Ipv6Cut,
        HeaderSliceError::Content(_) => Malformed::Ipv6Content,
    })?;
    let payload = &window[header.slice().len()..];
    let claimed = trusted(header.payload_length());
    let mut rest = &payload[..claimed.min(payload.len())];
    let mut next = header.next_header();
    let upper = loop {
        match next {
            IpNumber::IPV6_HEADER_HOP_BY_HOP | IpNumber::IPV6_ROUTE_HEADER | IpNumber::IPV6_DESTINATION_OPTIONS => {
                let extension = Ipv6RawExtHeaderSlice::from_slice(rest).map_err(|_| Malformed::ExtensionCut)?;
                next = extension.next_header();
                rest = &rest[extension.slice().len()..];
            }
            // RFC 8200, 4.5: the fragment header is the last one that every fragment has. An
            // atomic fragment (RFC 6946) is a fragment here: the hardware does not tell it apart.
            IpNumber::IPV6_FRAGMENTATION_HEADER => {
                let fragment = Ipv6FragmentHeaderSlice::from_slice(rest).map_err(|_| Malformed::ExtensionCut)?;
                break Upper::Fragment { identification: fragment.identification() };
            }
            IpNumber::TCP => break tcp(rest)?,
            IpNumber::UDP => break udp(rest)?,
            IpNumber::IPV6_ICMP => break icmpv6(rest)?,
            _ => break Upper::Other,
        }
    };
    Ok(Flow {
        addresses: Addresses::V6 { source: header.source_addr(), destination: header.destination_addr() },
        upper,
    })
}

/// The part of a claimed IP length that counts: whole words.
fn trusted(length: u16) -> usize {
    usize::from(length) / LENGTH_STEP * LENGTH_STEP
}

// The first word is read by hand below: `etherparse` wants the whole header, and the hardware
// dispatches a packet that was cut right after its ports.

fn tcp(payload: &[u8]) -> Result<Upper, Malformed> {
    ports(payload).map(|(source, destination)| Upper::Tcp { source, destination })
}

fn udp(payload: &[u8]) -> Result<Upper, Malformed> {
    ports(payload).map(|(source, destination)| Upper::Udp { source, destination })
}

fn ports(payload: &[u8]) -> Result<(u16, u16), Malformed> {
    let [s1, s0, d1, d0] = first_word(payload)?;
    Ok((u16::from_be_bytes([s1, s0]), u16::from_be_bytes([d1, d0])))
}

fn icmpv6(payload: &[u8]) -> Result<Upper, Malformed> {
    let [kind, ..] = first_word(payload)?;
    Ok(match kind {
        // RFC 4861: router and neighbour solicitation and advertisement, redirect.
        icmpv6::TYPE_ROUTER_SOLICITATION..=icmpv6::TYPE_REDIRECT_MESSAGE => Upper::NeighbourDiscovery,
        _ => Upper::Other,
    })
}

fn first_word(payload: &[u8]) -> Result<[u8; 4], Malformed> {
    payload.first_chunk().copied().ok_or(Malformed::UpperCut)
}

#[cfg(test)]
mod tests;
