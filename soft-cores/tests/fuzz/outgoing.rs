//! What leaves the card, read by the letter of the standards: every frame is whole, no longer than the link takes, and right.

use crate::bytes::{OWN, TCP, UDP, internet_checksum};

/// Longest IP packet that is sent.
pub const MTU: usize = 1500;

fn half(bytes: &[u8], at: usize) -> usize {
    usize::from(u16::from_be_bytes([bytes[at], bytes[at + 1]]))
}

/// Panics if a frame could not be sent, or is no frame that another host would take.
pub fn assert_sound(frame: &[u8]) {
    assert!((14..=14 + MTU).contains(&frame.len()), "a frame of {} bytes", frame.len());
    assert_eq!(frame[6..12], OWN, "its source is another's");
    assert_ne!(frame[..6], OWN, "it is for the card itself");
    let packet = &frame[14..];
    match half(frame, 12) {
        0x0806 => {
            assert_eq!(packet.len(), 28, "ARP for IPv4 has 28 bytes");
            assert!(packet[..6] == [0, 1, 8, 0, 6, 4] && packet[6] == 0 && matches!(packet[7], 1 | 2), "{packet:02x?}");
        }
        0x0800 => assert_ipv4(packet),
        0x86dd => assert_ipv6(packet),
        other => panic!("EtherType {other:#06x}"),
    }
}

/// RFC 791.
fn assert_ipv4(packet: &[u8]) {
    let header = usize::from(packet[0] & 15) * 4;
    assert!(packet[0] >> 4 == 4 && header >= 20 && half(packet, 2) == packet.len(), "{packet:02x?}");
    assert_eq!(internet_checksum(&[&packet[..header]]), [0, 0], "header checksum: {packet:02x?}");
    let (fragment, payload) = (half(packet, 6), &packet[header..]);
    assert!(fragment & 0x1fff == 0 || fragment & 0x4000 == 0, "a fragment that may not be cut");
    if fragment & 0x2000 != 0 {
        assert!(payload.len().is_multiple_of(8), "a fragment of {} bytes", payload.len());
    }
    if fragment & 0x3fff == 0 {
        assert_payload(packet[9], &packet[12..20], payload);
    }
}

/// RFC 8200.
fn assert_ipv6(packet: &[u8]) {
    assert!(packet[0] >> 4 == 6 && half(packet, 4) == packet.len() - 40, "{packet:02x?}");
    let (mut next, mut at) = (packet[6], 40);
    while matches!(next, 0 | 43 | 60) {
        (next, at) = (packet[at], at + 8 + 8 * usize::from(packet[at + 1]));
    }
    if next == 44 {
        let has_more = packet[at + 3] & 1 == 1;
        assert!(!has_more || (packet.len() - at - 8).is_multiple_of(8), "a fragment of {} bytes", packet.len());
        return;
    }
    assert_payload(next, &packet[8..40], &packet[at..]);
}

fn assert_payload(protocol: u8, addresses: &[u8], payload: &[u8]) {
    let length = (payload.len() as u32).to_be_bytes();
    let pseudo: [&[u8]; 3] = [addresses, &length, &[0, protocol]];
    let is_icmp_or_igmp = matches!(protocol, 1 | 2);
    let is_unchecked_udp = protocol == UDP && payload[6..8] == [0, 0];
    let parts = if is_icmp_or_igmp { vec![payload] } else { [&pseudo[..], &[payload]].concat() };
    if is_icmp_or_igmp || matches!(protocol, TCP | 58) || protocol == UDP && !is_unchecked_udp {
        assert_eq!(internet_checksum(&parts), [0, 0], "checksum of protocol {protocol}: {payload:02x?}");
    }
    assert!(!is_unchecked_udp || addresses.len() == 8, "UDP over IPv6 has a checksum");
    if protocol == UDP {
        assert_eq!(half(payload, 4), payload.len());
    }
}
