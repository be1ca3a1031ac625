//! Every rule of the header walk against frames written byte by byte.

use super::*;

const SOURCE: [u8; 4] = [192, 0, 2, 1];
const DESTINATION: [u8; 4] = [198, 51, 100, 7];
const PORTS: [u8; 4] = [0x12, 0x34, 0x00, 0x50];

/// MAC addresses, then tags, then the EtherType.
fn ethernet(tags: &[u16], ether_type: u16) -> Vec<u8> {
    let mut frame = vec![0x02; 12];
    for tag in tags {
        frame.extend(tag.to_be_bytes());
        frame.extend([0x20, 0x05]);
    }
    frame.extend(ether_type.to_be_bytes());
    frame
}

/// An IPv4 header; `flags` is the word of flags and fragment offset.
fn v4(ihl: u8, total_length: u16, flags: u16, protocol: u8) -> Vec<u8> {
    let mut header = vec![0x40 | ihl, 0];
    header.extend(total_length.to_be_bytes());
    header.extend([0xbe, 0xef]);
    header.extend(flags.to_be_bytes());
    header.extend([64, protocol, 0, 0]);
    header.extend(SOURCE);
    header.extend(DESTINATION);
    header.resize(usize::from(ihl).max(5) * 4, 0x01);
    header
}

fn v6(payload_length: u16, next: u8) -> Vec<u8> {
    let mut header = vec![0x60, 0, 0, 0];
    header.extend(payload_length.to_be_bytes());
    header.extend([next, 64]);
    header.extend([0x20; 16]);
    header.extend([0xfe; 16]);
    header
}

/// An extension header of `(length_field + 1) * 8` bytes.
fn extension(next: u8, length_field: u8) -> Vec<u8> {
    let mut header = vec![0; (usize::from(length_field) + 1) * 8];
    header[..2].copy_from_slice(&[next, length_field]);
    header
}

fn frame(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

fn class(frame: &[u8]) -> Class {
    parse(frame).map_or(Class::Malformed, |packet| packet.class())
}

fn upper(frame: &[u8]) -> Upper {
    match parse(frame) {
        Ok(Packet::Flow(flow)) => flow.upper,
        other => panic!("no flow but {other:?}"),
    }
}

#[test]
fn ethernet_needs_fourteen_bytes() {
    let whole = ethernet(&[], 0x88cc);
    assert_eq!(parse(&whole), Ok(Packet::Other));
    for length in 0..14 {
        assert_eq!(parse(&whole[..length]), Err(Malformed::EthernetCut));
    }
}

#[test]
fn ether_types_that_are_not_ip_need_nothing_more() {
    assert_eq!(parse(&ethernet(&[], 0x0806)), Ok(Packet::Arp));
    // A length field of IEEE 802.3, and the EtherTypes around the ones we know.
    for ether_type in [0x0000, 0x0026, 0x05dc, 0x07ff, 0x0801, 0x0805, 0x86dc, 0x86de, 0xffff] {
        assert_eq!(parse(&ethernet(&[], ether_type)), Ok(Packet::Other));
    }
}

#[test]
fn up_to_two_tags_of_either_kind_are_skipped() {
    let packet = frame(&[&v4(5, 24, 0, 6), &PORTS]);
    for tags in
        [&[][..], &[0x8100], &[0x88a8], &[0x8100, 0x8100], &[0x88a8, 0x8100], &[0x8100, 0x88a8], &[0x88a8, 0x88a8]]
    {
        let tagged = frame(&[&ethernet(tags, 0x0800), &packet]);
        assert_eq!(class(&tagged), Class::Tcp, "{tags:x?}");
        assert_eq!(class(&ethernet(tags, 0x0806)), Class::Arp, "{tags:x?}");
        assert_eq!(class(&ethernet(tags, 0x0600)), Class::Other, "{tags:x?}");
        // The innermost EtherType is part of the last tag.
        let cut = ethernet(tags, 0x0800);
        let reason = if tags.is_empty() { Malformed::EthernetCut } else { Malformed::TagCut };
        assert_eq!(parse(&cut[..cut.len() - 1]), Err(reason), "{tags:x?}");
    }
}

#[test]
fn a_third_tag_and_other_tag_types_are_unknown_ether_types() {
    let packet = frame(&[&v4(5, 24, 0, 6), &PORTS]);
    for tags in [&[0x8100, 0x8100, 0x8100][..], &[0x88a8, 0x8100, 0x88a8], &[0x9100]] {
        let tagged = frame(&[&ethernet(tags, 0x0800), &packet]);
        assert_eq!(parse(&tagged), Ok(Packet::Other), "{tags:x?}");
    }
}

#[test]
fn ipv4_fields_are_read_from_their_places() {
    let tcp = frame(&[&ethernet(&[], 0x0800), &v4(5, 24, 0, 6), &PORTS]);
    let addresses = Addresses::V4 { source: SOURCE.into(), destination: DESTINATION.into() };
    let ports = Upper::Tcp { source: 0x1234, destination: 80 };
    assert_eq!(parse(&tcp), Ok(Packet::Flow(Flow { addresses, upper: ports })));
    let udp = frame(&[&ethernet(&[], 0x0800), &v4(5, 24, 0, 17), &PORTS]);
    assert_eq!(upper(&udp), Upper::Udp { source: 0x1234, destination: 80 });
}

#[test]
fn ipv4_protocols_without_ports_are_plain_ip() {
    // ICMPv6 has no meaning over IPv4; 43, 44 and 60 are extension headers of IPv6 only.
    for protocol in (0..=255).filter(|protocol| ![6, 17].contains(protocol)) {
        let packet = frame(&[&ethernet(&[], 0x0800), &v4(5, 20, 0, protocol), &[135, 0, 0, 0]]);
        assert_eq!(upper(&packet), Upper::Other, "{protocol}");
    }
}

#[test]
fn ipv4_versions_and_header_lengths_are_checked() {
    let mut packet = frame(&[&ethernet(&[], 0x0800), &v4(5, 24, 0, 6), &PORTS]);
    for version in (0..16).filter(|version| *version != 4) {
        packet[14] = version << 4 | 5;
        assert_eq!(parse(&packet), Err(Malformed::Ipv4Content), "version {version}");
    }
    for ihl in 0..5 {
        packet[14] = 0x40 | ihl;
        assert_eq!(parse(&packet), Err(Malformed::Ipv4Content), "IHL {ihl}");
    }
}

#[test]
fn ipv4_options_move_the_ports_by_their_length() {
    for ihl in 5..=15 {
        let length = u16::from(ihl) * 4 + 4;
        let packet = frame(&[&ethernet(&[], 0x0800), &v4(ihl, length, 0, 17), &PORTS]);
        assert_eq!(upper(&packet), Upper::Udp { source: 0x1234, destination: 80 });
        // One byte less, and the last port is cut; four less, and the header is whole.
        let end = packet.len();
        assert_eq!(parse(&packet[..end - 1]), Err(Malformed::UpperCut), "IHL {ihl}");
        assert_eq!(parse(&packet[..end - 4]), Err(Malformed::UpperCut), "IHL {ihl}");
        assert_eq!(parse(&packet[..end - 5]), Err(Malformed::Ipv4Cut), "IHL {ihl}");
    }
}

#[test]
fn two_tags_and_the_longest_options_are_within_reach() {
    let packet = frame(&[&ethernet(&[0x88a8, 0x8100], 0x0800), &v4(15, 64, 0, 6), &PORTS, &[0; 1000]]);
    assert_eq!(upper(&packet), Upper::Tcp { source: 0x1234, destination: 80 });
    assert_eq!(parse(&packet[..22 + 59]), Err(Malformed::Ipv4Cut));
    assert_eq!(parse(&packet[..22 + 60]), Err(Malformed::UpperCut));
}

#[test]
fn the_ipv4_total_length_must_hold_the_header() {
    for ihl in 5..=15 {
        let header = u16::from(ihl) * 4;
        for total_length in 0..header {
            let packet = frame(&[&ethernet(&[], 0x0800), &v4(ihl, total_length, 0, 1)]);
            assert_eq!(parse(&packet), Err(Malformed::Ipv4TotalLength), "{ihl} {total_length}");
        }
        let packet = frame(&[&ethernet(&[], 0x0800), &v4(ihl, header, 0, 1)]);
        assert_eq!(class(&packet), Class::Ip);
    }
}

#[test]
fn the_ipv4_total_length_must_hold_the_ports() {
    for (total_length, expected) in [
        (20, Class::Malformed),
        (21, Class::Malformed),
        (23, Class::Malformed),
        (24, Class::Tcp),
        (25, Class::Tcp),
        (0xffff, Class::Tcp),
    ] {
        let packet = frame(&[&ethernet(&[], 0x0800), &v4(5, total_length, 0, 6), &PORTS]);
        assert_eq!(class(&packet), expected, "{total_length}");
    }
}

#[test]
fn ipv4_fragments_are_told_by_flag_or_offset() {
    for (flags, fragment) in [
        (0x0000, false),
        (0x4000, false), // don't fragment
        (0x8000, false), // reserved
        (0xc000, false),
        (0x2000, true), // more fragments
        (0x0001, true), // the smallest offset
        (0x1fff, true), // the largest
        (0x1000, true),
        (0x6000, true),
    ] {
        let packet = frame(&[&ethernet(&[], 0x0800), &v4(5, 24, flags, 17), &PORTS]);
        let expected = if fragment { Class::Fragment } else { Class::Udp };
        assert_eq!(class(&packet), expected, "{flags:04x}");
        if fragment {
            assert_eq!(upper(&packet), Upper::Fragment { identification: 0xbeef });
        }
    }
}

#[test]
fn ipv4_fragments_need_no_ports_but_a_sound_header() {
    let packet = frame(&[&ethernet(&[], 0x0800), &v4(5, 20, 0x2000, 6)]);
    assert_eq!(class(&packet), Class::Fragment);
    assert_eq!(parse(&packet[..33]), Err(Malformed::Ipv4Cut));
    let short = frame(&[&ethernet(&[], 0x0800), &v4(5, 19, 0x2000, 6)]);
    assert_eq!(parse(&short), Err(Malformed::Ipv4TotalLength));
}

#[test]
fn ipv6_fields_are_read_from_their_places() {
    let packet = frame(&[&ethernet(&[], 0x86dd), &v6(4, 17), &PORTS]);
    let addresses = Addresses::V6 { source: [0x20; 16].into(), destination: [0xfe; 16].into() };
    let ports = Upper::Udp { source: 0x1234, destination: 80 };
    assert_eq!(parse(&packet), Ok(Packet::Flow(Flow { addresses, upper: ports })));
    assert_eq!(parse(&packet[..57]), Err(Malformed::UpperCut));
    assert_eq!(parse(&packet[..54]), Err(Malformed::UpperCut));
    assert_eq!(parse(&packet[..53]), Err(Malformed::Ipv6Cut));
}

#[test]
fn ipv6_versions_are_checked() {
    let mut packet = frame(&[&ethernet(&[], 0x86dd), &v6(4, 6), &PORTS]);
    for version in (0..16).filter(|version| *version != 6) {
        packet[14] = version << 4;
        assert_eq!(parse(&packet), Err(Malformed::Ipv6Content), "version {version}");
    }
}

#[test]
fn ipv6_next_headers_we_do_not_know_end_the_walk() {
    let known = [0, 6, 17, 43, 44, 58, 60];
    for next in (0..=255).filter(|next| !known.contains(next)) {
        // No payload at all: nothing is read beyond the fixed header.
        let packet = frame(&[&ethernet(&[], 0x86dd), &v6(0, next)]);
        assert_eq!(upper(&packet), Upper::Other, "{next}");
    }
}

#[test]
fn ipv6_chains_are_walked_in_any_order() {
    let chain = frame(&[&extension(43, 0), &extension(0, 2), &extension(60, 1), &extension(60, 0), &extension(6, 3)]);
    let length = chain.len() as u16 + 4;
    let packet = frame(&[&ethernet(&[], 0x86dd), &v6(length, 60), &chain, &PORTS]);
    assert_eq!(upper(&packet), Upper::Tcp { source: 0x1234, destination: 80 });
}

#[test]
fn ipv6_extensions_must_lie_within_frame_and_payload_length() {
    for kind in [0, 43, 60] {
        let packet = |payload_length| frame(&[&ethernet(&[], 0x86dd), &v6(payload_length, kind), &extension(59, 1)]);
        assert_eq!(class(&packet(16)), Class::Ip);
        assert_eq!(class(&packet(0xffff)), Class::Ip);
        for payload_length in [0, 1, 7, 8, 12, 15] {
            assert_eq!(parse(&packet(payload_length)), Err(Malformed::ExtensionCut));
        }
        let whole = packet(16);
        assert_eq!(parse(&whole[..whole.len() - 1]), Err(Malformed::ExtensionCut));
    }
}

#[test]
fn the_ipv6_payload_length_counts_in_whole_words() {
    for (payload_length, expected) in
        [(0, Class::Malformed), (3, Class::Malformed), (4, Class::Udp), (7, Class::Udp), (0xffff, Class::Udp)]
    {
        let packet = frame(&[&ethernet(&[], 0x86dd), &v6(payload_length, 17), &PORTS]);
        assert_eq!(class(&packet), expected, "{payload_length}");
    }
    for (payload_length, expected) in [(8, false), (11, false), (12, true), (15, true)] {
        let extension = extension(6, 0);
        let packet = frame(&[&ethernet(&[], 0x86dd), &v6(payload_length, 60), &extension, &PORTS]);
        assert_eq!(class(&packet) == Class::Tcp, expected, "{payload_length}");
    }
}

#[test]
fn chains_may_end_exactly_at_the_header_depth() {
    // 14 + 40 + 136 + 4 = 194: extensions of 16 * 8 and 8 bytes, then the ports.
    let packet = |first: u8, last: u8, tags: &[u16]| {
        let chain = frame(&[&extension(60, first), &extension(last, 0)]);
        frame(&[&ethernet(tags, 0x86dd), &v6(1400, 0), &chain, &PORTS, &[0; 1400]])
    };
    assert_eq!(upper(&packet(15, 6, &[])), Upper::Tcp { source: 0x1234, destination: 80 });
    assert_eq!(class(&packet(15, 6, &[])[..194]), Class::Tcp);
    assert_eq!(parse(&packet(15, 6, &[])[..193]), Err(Malformed::UpperCut));
    // With a tag the extensions end at 194 and the ports lie beyond it.
    assert_eq!(parse(&packet(15, 6, &[0x8100])), Err(Malformed::UpperCut));
    assert_eq!(class(&packet(15, 59, &[0x8100])), Class::Ip);
    // Eight bytes more, and the last extension itself lies beyond it.
    assert_eq!(parse(&packet(16, 59, &[0x8100])), Err(Malformed::ExtensionCut));
    assert_eq!(parse(&packet(16, 6, &[])), Err(Malformed::ExtensionCut));
}

#[test]
fn fragment_headers_may_end_exactly_at_the_header_depth() {
    // 18 + 40 + 128 + 8 = 194.
    let fragment = [6, 0, 0, 0, 0xde, 0xad, 0xbe, 0xef];
    let packet = |first: u8| {
        let headers = frame(&[&extension(44, first), &fragment]);
        frame(&[&ethernet(&[0x8100], 0x86dd), &v6(1400, 0), &headers, &[0; 1400]])
    };
    assert_eq!(upper(&packet(15)), Upper::Fragment { identification: 0xdead_beef });
    assert_eq!(class(&packet(15)[..194]), Class::Fragment);
    assert_eq!(parse(&packet(15)[..193]), Err(Malformed::ExtensionCut));
    assert_eq!(parse(&packet(16)), Err(Malformed::ExtensionCut));
}

#[test]
fn endless_chains_end_at_the_header_depth() {
    let endless: Vec<u8> = extension(60, 0).repeat(100);
    let packet = frame(&[&ethernet(&[], 0x86dd), &v6(800, 60), &endless]);
    assert_eq!(parse(&packet), Err(Malformed::ExtensionCut));
    let longest = frame(&[&ethernet(&[], 0x86dd), &v6(2048, 0), &extension(6, 255), &PORTS]);
    assert_eq!(parse(&longest), Err(Malformed::ExtensionCut));
}

#[test]
fn ipv6_fragments_are_told_by_the_header_alone() {
    // Offset and flag: first, middle, last, and atomic (RFC 6946).
    for offset_and_flag in [[0x00, 0x01], [0x05, 0xa9], [0x0b, 0x50], [0x00, 0x00]] {
        for next in [6, 17, 58, 59, 0, 44] {
            let mut header = vec![next, 0];
            header.extend(offset_and_flag);
            header.extend([1, 2, 3, 4]);
            let packet = frame(&[&ethernet(&[], 0x86dd), &v6(8, 44), &header]);
            assert_eq!(upper(&packet), Upper::Fragment { identification: 0x0102_0304 });
            assert_eq!(parse(&packet[..packet.len() - 1]), Err(Malformed::ExtensionCut));
            let mut lying = packet.clone();
            lying[19] = 7;
            assert_eq!(parse(&lying), Err(Malformed::ExtensionCut));
        }
    }
}

#[test]
fn neighbour_discovery_is_icmpv6_of_types_133_to_137() {
    for kind in 0..=255 {
        let message = [kind, 0, 0, 0];
        let packet = frame(&[&ethernet(&[], 0x86dd), &v6(4, 58), &message]);
        let expected = if (133..=137).contains(&kind) { Class::Nd } else { Class::Ip };
        assert_eq!(class(&packet), expected, "type {kind}");
        let extended = frame(&[&ethernet(&[], 0x86dd), &v6(12, 0), &extension(58, 0), &message]);
        assert_eq!(class(&extended), expected, "type {kind}");
    }
}

#[test]
fn icmpv6_needs_its_first_word() {
    let packet = frame(&[&ethernet(&[], 0x86dd), &v6(4, 58), &[128, 0, 0, 0]]);
    assert_eq!(class(&packet), Class::Ip);
    assert_eq!(parse(&packet[..57]), Err(Malformed::UpperCut));
    let short = frame(&[&ethernet(&[], 0x86dd), &v6(3, 58), &[128, 0, 0, 0]]);
    assert_eq!(parse(&short), Err(Malformed::UpperCut));
}

#[test]
fn bytes_beyond_the_header_depth_change_nothing() {
    for packet in [
        frame(&[&ethernet(&[], 0x0800), &v4(5, 1500, 0, 6), &PORTS, &[0; 1476]]),
        frame(&[&ethernet(&[], 0x86dd), &v6(1400, 60), &extension(60, 0).repeat(175)]),
    ] {
        let mut other = packet.clone();
        other[HEADER_DEPTH..].fill(0xff);
        assert_eq!(parse(&packet), parse(&other));
        assert_eq!(parse(&packet), parse(&packet[..HEADER_DEPTH]));
    }
}
