//! What the card must say of a frame's checksums.
//!
//! A checksum is good if everything it covers, itself included, adds up to 0xFFFF (RFC 1071). The card says nothing about what it does not
//! class as IP, TCP or UDP, about packets that do not end within their frame, and about TCP and UDP that are shorter than their own
//! header, behind an IPv6 routing header, of another UDP length than IP says, or UDP over IPv4 without a checksum.

use etherparse::{IpNumber, Ipv4HeaderSlice, Ipv6HeaderSlice, Ipv6RawExtHeaderSlice, SingleVlanHeaderSlice};

use super::parse::{Class, MAX_TAGS, parse};

/// What the card says of one checksum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Check {
    /// Nothing: software must check.
    #[default]
    None,
    /// It is right.
    Good,
    /// It is wrong.
    Bad,
}

/// What the card says of a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checks {
    /// The IPv4 header's.
    pub ip: Check,
    /// That of TCP or UDP.
    pub transport: Check,
}

/// Checks a frame without FCS. Any bytes give an answer.
pub fn checks(frame: &[u8]) -> Checks {
    let Ok(packet) = parse(frame) else { return Checks::default() };
    let class = packet.class();
    if !matches!(class, Class::Ip | Class::Tcp | Class::Udp | Class::Fragment) {
        return Checks::default();
    }
    let network = behind_tags(frame);
    // The class says that what is sliced here is there.
    match frame[network] >> 4 {
        4 => Checks { ip: ipv4_header(&frame[network..]), transport: over_ipv4(&frame[network..], class) },
        _ => Checks { ip: Check::None, transport: over_ipv6(&frame[network..], class) },
    }
}

fn behind_tags(frame: &[u8]) -> usize {
    let mut at = 14;
    for _ in 0..MAX_TAGS {
        if matches!(frame[at - 2..at], [0x81, 0x00] | [0x88, 0xa8]) {
            at += SingleVlanHeaderSlice::from_slice(&frame[at..]).map_or(0, |tag| tag.slice().len());
        }
    }
    at
}

/// The ones' complement sum of big-endian pairs.
fn sum<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> u16 {
    let words = parts.into_iter().flat_map(|part| part.chunks(2));
    words.fold(0u16, |sum, pair| {
        let (sum, carry) = sum.overflowing_add(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]));
        sum + u16::from(carry)
    })
}

fn judge(sum: u16) -> Check {
    if sum == 0xffff { Check::Good } else { Check::Bad }
}

fn ipv4_header(packet: &[u8]) -> Check {
    Ipv4HeaderSlice::from_slice(packet).map_or(Check::None, |header| judge(sum([header.slice()])))
}

fn over_ipv4(packet: &[u8], class: Class) -> Check {
    let Ok(header) = Ipv4HeaderSlice::from_slice(packet) else { return Check::None };
    let Some(segment) = packet.get(header.slice().len()..usize::from(header.total_len())) else { return Check::None };
    let zero_counts = class == Class::Udp && segment.get(6..8) == Some(&[0, 0]);
    if zero_counts { Check::None } else { segment_check(segment, class, &packet[12..20]) }
}

fn over_ipv6(packet: &[u8], class: Class) -> Check {
    let Ok(header) = Ipv6HeaderSlice::from_slice(packet) else { return Check::None };
    let end = header.slice().len() + usize::from(header.payload_length());
    let Some(mut rest) = packet.get(header.slice().len()..end) else { return Check::None };
    let mut next = header.next_header();
    while !matches!(next, IpNumber::TCP | IpNumber::UDP) {
        let extension = match next {
            IpNumber::IPV6_HEADER_HOP_BY_HOP | IpNumber::IPV6_DESTINATION_OPTIONS => {
                Ipv6RawExtHeaderSlice::from_slice(rest)
            }
            _ => return Check::None,
        };
        let Ok(extension) = extension else { return Check::None };
        next = extension.next_header();
        rest = &rest[extension.slice().len()..];
    }
    match class {
        // A sum that leaves no room for a checksum of 0 (RFC 8200, 8.1).
        Class::Udp if rest.len() >= 8 && rest[6..8] == [0, 0] && udp_length_agrees(rest) => Check::Bad,
        _ => segment_check(rest, class, &packet[8..40]),
    }
}

fn udp_length_agrees(segment: &[u8]) -> bool {
    segment.get(4..6).is_some_and(|field| usize::from(u16::from_be_bytes([field[0], field[1]])) == segment.len())
}

/// `addresses` are those of the pseudo header.
fn segment_check(segment: &[u8], class: Class, addresses: &[u8]) -> Check {
    let (number, sound) = match class {
        Class::Tcp => (6, segment.len() >= 20),
        Class::Udp => (17, segment.len() >= 8 && udp_length_agrees(segment)),
        _ => return Check::None,
    };
    let length = (segment.len() as u32).to_be_bytes();
    if sound { judge(sum([addresses, &length, &[0, number], segment])) } else { Check::None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use etherparse::PacketBuilder;

    /// A packet that `etherparse` has checksummed.
    fn frames() -> Vec<(Vec<u8>, Checks)> {
        let mut frames = vec![];
        let ethernet = || PacketBuilder::ethernet2([2; 6], [4; 6]);
        for length in [0, 1, 2, 63, 700, 1001] {
            let payload: Vec<u8> = (0..length).map(|i| (i * 37 + 11) as u8).collect();
            let v4 = || ethernet().ipv4([192, 0, 2, 1], [198, 51, 100, 2], 64);
            let v6 = || ethernet().ipv6([0x20; 16], [0x3f; 16], 64);
            let both = Checks { ip: Check::Good, transport: Check::Good };
            let transport = Checks { ip: Check::None, transport: Check::Good };
            let mut push = |frame: Vec<u8>, checks| frames.push((frame, checks));
            let mut bytes = vec![];
            v4().udp(7, 9).write(&mut bytes, &payload).unwrap();
            push(std::mem::take(&mut bytes), both);
            v4().tcp(7, 9, 1, 1000).write(&mut bytes, &payload).unwrap();
            push(std::mem::take(&mut bytes), both);
            v6().udp(7, 9).write(&mut bytes, &payload).unwrap();
            push(std::mem::take(&mut bytes), transport);
            v6().tcp(7, 9, 1, 1000).write(&mut bytes, &payload).unwrap();
            push(std::mem::take(&mut bytes), transport);
        }
        frames
    }

    #[test]
    fn packets_that_others_have_checksummed_are_good_and_padding_does_not_count() {
        let mut compared = 0;
        for (mut frame, expected) in frames() {
            assert_eq!(checks(&frame), expected, "{frame:02x?}");
            frame.extend([0xA5; 7]);
            assert_eq!(checks(&frame), expected, "padded: {frame:02x?}");
            compared += 1;
        }
        assert_eq!(compared, 24);
    }

    #[test]
    fn any_flipped_bit_that_a_checksum_covers_is_bad_or_makes_it_unchecked() {
        let mut bad = 0;
        for (frame, expected) in frames() {
            for bit in 8 * 14..8 * frame.len() {
                let mut frame = frame.clone();
                frame[bit / 8] ^= 1 << (bit % 8);
                let found = checks(&frame);
                let unlike = (found.ip != Check::Good, found.transport != Check::Good);
                // IPv4's identification, type of service, time to live and checksum are not in the pseudo header.
                let header_only = expected.ip == Check::Good && matches!(bit / 8, 15 | 18..20 | 22 | 24..26);
                let covered = if bit / 8 < 34 && expected.ip == Check::Good { unlike.0 } else { unlike.1 };
                let not_covered = expected.ip == Check::None && matches!(bit / 8, 14..18 | 21);
                assert!(covered || header_only && unlike.0 || not_covered, "bit {bit} of {frame:02x?}: {found:?}");
                bad += usize::from(found.ip == Check::Bad || found.transport == Check::Bad);
            }
        }
        assert!(bad > 50_000, "{bad}");
    }

    #[test]
    fn udp_without_a_checksum_is_unchecked_over_ipv4_and_bad_over_ipv6() {
        let [v4, _, v6, _]: [_; 4] = frames()[8..12].to_vec().try_into().unwrap();
        for (mut frame, at, expected) in [(v4.0, 34, Check::None), (v6.0, 54, Check::Bad)] {
            frame[at + 6..at + 8].fill(0);
            assert_eq!(checks(&frame).transport, expected);
            // Another length of UDP's own: nobody knows how far it goes.
            frame[at + 5] ^= 1;
            assert_eq!(checks(&frame).transport, Check::None);
        }
    }
}
