//! Frames that are bent a little, and made right again in part, so that what is wrong is found further in.

use crate::draw::Draw;

/// The card's Ethernet address.
pub const OWN: [u8; 6] = [2, 0, 0, 0, 0, 1];
pub const CARD: [u8; 4] = [10, 0, 0, 1];
pub const CARD_6: [u8; 16] = [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
pub const CARD_LOCAL: [u8; 16] = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

pub const TCP: u8 = 6;
pub const UDP: u8 = 17;
const ICMP: u8 = 1;
const IGMP: u8 = 2;
const ICMPV6: u8 = 58;

/// Values where code changes its mind.
const EDGES: [u16; 14] = [0, 1, 5, 7, 8, 0x14, 0x28, 0x3f, 0x7fff, 0x8000, 0xfff8, 0xfffe, 0xffff, 0x2000];

/// The one's complement sum of RFC 1071.
pub fn internet_checksum(parts: &[&[u8]]) -> [u8; 2] {
    let mut sum = 0_u64;
    for part in parts {
        for pair in part.chunks(2) {
            sum += u64::from(pair[0]) << 8 | u64::from(pair.get(1).copied().unwrap_or(0));
        }
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    (!(sum as u16)).to_be_bytes()
}

/// Where the EtherType stands that is not a tag's.
fn type_at(frame: &[u8]) -> usize {
    let is_tag = |at: usize| matches!(frame.get(at..at + 2), Some([0x81, 0x00] | [0x88, 0xa8]));
    (12..).step_by(4).find(|&at| !is_tag(at)).unwrap_or(12)
}

/// A frame such as the card may get: one of the corpus, for this card, bent or not.
pub fn frame(draw: &mut Draw, corpus: &[Vec<u8>]) -> Vec<u8> {
    if draw.once_in(60) {
        let length = draw.below(300);
        return draw.bytes(length);
    }
    let mut frame = draw.pick(corpus).clone();
    if !draw.once_in(8) {
        address(&mut frame);
    }
    for _ in 0..draw.below(4) {
        bend(draw, &mut frame, corpus);
    }
    if !draw.once_in(4) {
        mend(&mut frame);
    }
    frame.truncate(1600);
    frame
}

/// Makes a captured frame one for this card, unless it is for a group.
fn address(frame: &mut [u8]) {
    let at = type_at(frame);
    let is_group = frame.first().is_some_and(|first| first & 1 == 1);
    let Some((ethernet, packet)) = frame.split_at_mut_checked(at + 2).filter(|_| !is_group) else { return };
    ethernet[..6].copy_from_slice(&OWN);
    match ethernet[at..] {
        [0x08, 0x00] if packet.len() >= 20 => packet[16..20].copy_from_slice(&CARD),
        [0x86, 0xdd] if packet.len() >= 40 && packet[24] != 0xfe => packet[24..40].copy_from_slice(&CARD_6),
        [0x86, 0xdd] if packet.len() >= 40 => packet[24..40].copy_from_slice(&CARD_LOCAL),
        _ => {}
    }
}

fn bend(draw: &mut Draw, frame: &mut Vec<u8>, corpus: &[Vec<u8>]) {
    if frame.is_empty() {
        return;
    }
    let at = draw.below(frame.len());
    // The headers are where it matters.
    let in_header = draw.below(90).min(frame.len() - 1);
    match draw.below(9) {
        0 => frame[at] ^= 1 << draw.below(8),
        1 | 2 => frame[in_header] ^= 1 << draw.below(8),
        3 => frame[in_header] = draw.byte(),
        4 | 5 => {
            let edge = draw.pick(&EDGES).to_be_bytes();
            let in_header = in_header & !1;
            frame.iter_mut().skip(in_header).zip(edge).for_each(|(byte, edge)| *byte = edge);
        }
        6 => frame.truncate(at),
        7 => {
            let longer = draw.below(80);
            let more = draw.bytes(longer);
            frame.extend(more);
        }
        _ => {
            let other = draw.pick(corpus);
            let from = draw.below(other.len());
            frame.truncate(at);
            frame.extend_from_slice(&other[from..]);
        }
    }
}

/// Fills in the checksums of headers as far as they can be found.
pub fn mend(frame: &mut [u8]) {
    let at = type_at(frame);
    let Some((ethernet, packet)) = frame.split_at_mut_checked(at + 2) else { return };
    match ethernet[at..] {
        [0x08, 0x00] => mend_ipv4(packet),
        [0x86, 0xdd] => mend_ipv6(packet),
        _ => {}
    }
}

fn mend_ipv4(packet: &mut [u8]) {
    if packet.len() < 20 {
        return;
    }
    let header = usize::from(packet[0] & 15) * 4;
    let end = usize::from(u16::from_be_bytes([packet[2], packet[3]])).min(packet.len());
    if !(20..=end).contains(&header) {
        return;
    }
    packet[10..12].fill(0);
    let sum = internet_checksum(&[&packet[..header]]);
    packet[10..12].copy_from_slice(&sum);
    let is_fragment = u16::from_be_bytes([packet[6], packet[7]]) & 0x3fff != 0;
    if !is_fragment {
        let (head, payload) = packet[..end].split_at_mut(header);
        mend_payload(head[9], &head[12..20], payload);
    }
}

fn mend_ipv6(packet: &mut [u8]) {
    if packet.len() < 40 {
        return;
    }
    let end = (40 + usize::from(u16::from_be_bytes([packet[4], packet[5]]))).min(packet.len());
    let (head, mut payload) = packet[..end].split_at_mut(40);
    let mut next = head[6];
    // Hop-by-hop, routing and destination options.
    while matches!(next, 0 | 43 | 60) && payload.len() >= 8 {
        let length = 8 + 8 * usize::from(payload[1]);
        let Some((extension, rest)) = payload.split_at_mut_checked(length) else { return };
        (next, payload) = (extension[0], rest);
    }
    mend_payload(next, &head[8..40], payload);
}

fn mend_payload(protocol: u8, addresses: &[u8], payload: &mut [u8]) {
    let at = match protocol {
        ICMP | IGMP | ICMPV6 => 2,
        TCP => 16,
        UDP => 6,
        _ => return,
    };
    if payload.len() < at + 2 {
        return;
    }
    payload[at..at + 2].fill(0);
    let length = (payload.len() as u32).to_be_bytes();
    let pseudo: [&[u8]; 3] =
        if matches!(protocol, ICMP | IGMP) { [&[]; 3] } else { [addresses, &length, &[0, protocol]] };
    let mut sum = internet_checksum(&[pseudo[0], pseudo[1], pseudo[2], payload]);
    if protocol == UDP && sum == [0, 0] {
        sum = [0xff; 2];
    }
    payload[at..at + 2].copy_from_slice(&sum);
}

#[test]
fn mending_changes_no_sound_frame_and_repairs_a_bent_one() {
    let frames = crate::corpus::by_hand();
    let mut bent = 0;
    for frame in frames.iter().filter(|frame| !frame.is_empty()) {
        let mut mended = frame.clone();
        mend(&mut mended);
        // One has no checksum, which is allowed.
        if mended != *frame {
            bent += 1;
            assert_eq!(frame[40..42], [0, 0], "{frame:02x?}");
        }
    }
    assert_eq!(bent, 1);
    let mut echo = frames.iter().find(|frame| frame.len() > 40 && frame[23] == ICMP).unwrap().clone();
    let sound = echo.clone();
    (echo[24], echo[36]) = (0x55, 0x55);
    mend(&mut echo);
    assert_eq!(echo, sound);
}
