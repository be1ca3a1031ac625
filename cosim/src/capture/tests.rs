//! Captures written byte by byte, whole, cut and damaged.

use std::io::Cursor;

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use super::*;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Order {
    Little,
    Big,
}

use Order::{Big, Little};

fn word(order: Order, value: u32) -> [u8; 4] {
    match order {
        Little => value.to_le_bytes(),
        Big => value.to_be_bytes(),
    }
}

fn half(order: Order, value: u16) -> [u8; 2] {
    match order {
        Little => value.to_le_bytes(),
        Big => value.to_be_bytes(),
    }
}

fn pcap_header(order: Order, magic: u32, network: u32) -> Vec<u8> {
    let mut file = word(order, magic).to_vec();
    file.extend(half(order, 2));
    file.extend(half(order, 4));
    for value in [0, 0, 262_144, network] {
        file.extend(word(order, value));
    }
    file
}

fn record(order: Order, seconds: u32, fraction: u32, original: u32, bytes: &[u8]) -> Vec<u8> {
    let mut record = Vec::new();
    for value in [seconds, fraction, bytes.len() as u32, original] {
        record.extend(word(order, value));
    }
    record.extend(bytes);
    record
}

/// Three records: whole, cut, and without bytes.
fn pcap(order: Order, magic: u32) -> Vec<u8> {
    let mut file = pcap_header(order, magic, ETHERNET);
    file.extend(record(order, 1, 2, 20, &[0xaa; 20]));
    file.extend(record(order, 3, 999_999, 1500, &[0xbb; 60]));
    file.extend(record(order, 4, 0, 0, &[]));
    file
}

fn block(order: Order, kind: u32, body: &[u8]) -> Vec<u8> {
    let padding = body.len().next_multiple_of(4) - body.len();
    let length = 12 + (body.len() + padding) as u32;
    let mut block = [word(order, kind), word(order, length)].concat();
    block.extend(body);
    block.resize(block.len() + padding, 0);
    block.extend(word(order, length));
    block
}

fn section(order: Order) -> Vec<u8> {
    let mut body = word(order, 0x1a2b_3c4d).to_vec();
    body.extend(half(order, 1));
    body.extend(half(order, 0));
    body.extend([0xff; 8]);
    block(order, SECTION_HEADER, &body)
}

fn option(order: Order, code: u16, value: &[u8]) -> Vec<u8> {
    let mut option = half(order, code).to_vec();
    option.extend(half(order, value.len() as u16));
    option.extend(value);
    option.resize(option.len().next_multiple_of(4), 0);
    option
}

fn description(order: Order, link_type: u16, snap_length: u32, options: &[u8]) -> Vec<u8> {
    let mut body = half(order, link_type).to_vec();
    body.extend([0, 0]);
    body.extend(word(order, snap_length));
    body.extend(options);
    block(order, INTERFACE_DESCRIPTION, &body)
}

fn enhanced(order: Order, interface: u32, time: u64, original: u32, bytes: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    for value in [interface, (time >> 32) as u32, time as u32, bytes.len() as u32, original] {
        body.extend(word(order, value));
    }
    body.extend(bytes);
    body.resize(body.len().next_multiple_of(4), 0);
    body.extend(option(order, 1, b"a comment"));
    body.extend(option(order, 0, &[]));
    block(order, ENHANCED_PACKET, &body)
}

/// Two interfaces, enhanced and simple packets, and blocks that are no packets.
fn pcapng(order: Order) -> Vec<u8> {
    let nanoseconds = [option(order, 9, &[9]), option(order, 0, &[])].concat();
    [
        section(order),
        block(order, 4, b"names of hosts"),
        description(order, 1, 64, &[]),
        description(order, 1, 0, &nanoseconds),
        enhanced(order, 0, 5_000_001, 17, &[0xaa; 17]),
        block(order, 0x0bad, &[7; 33]),
        enhanced(order, 1, 6_000_000_001, 1500, &[0xbb; 60]),
        block(order, SIMPLE_PACKET, &[&word(order, 70)[..], &[0xcc; 64]].concat()),
        block(order, 5, &[0; 12]),
    ]
    .concat()
}

fn read(bytes: &[u8]) -> Result<Vec<Frame>, CaptureError> {
    Capture::from_reader("t.pcap", Cursor::new(bytes.to_vec()))?.collect()
}

fn problem(bytes: &[u8]) -> Problem {
    read(bytes).expect_err("the capture should be refused").problem
}

fn message(bytes: &[u8]) -> String {
    read(bytes).expect_err("the capture should be refused").to_string()
}

fn frame(timestamp: u64, original_length: u32, bytes: &[u8]) -> Frame {
    Frame { timestamp, original_length, bytes: bytes.to_vec() }
}

#[test]
fn pcap_is_read_in_both_byte_orders_and_resolutions() {
    for order in [Little, Big] {
        for (magic, fraction) in [(0xa1b2_c3d4, 1000), (0xa1b2_3c4d, 1)] {
            let expected = [
                frame(1_000_000_000 + 2 * fraction, 20, &[0xaa; 20]),
                frame(3_000_000_000 + 999_999 * fraction, 1500, &[0xbb; 60]),
                frame(4_000_000_000, 0, &[]),
            ];
            assert_eq!(read(&pcap(order, magic)).unwrap(), expected, "{order:?} {magic:x}");
        }
    }
}

#[test]
fn pcapng_is_read_in_both_byte_orders() {
    for order in [Little, Big] {
        let expected =
            [frame(5_000_001_000, 17, &[0xaa; 17]), frame(6_000_000_001, 1500, &[0xbb; 60]), frame(0, 70, &[0xcc; 64])];
        assert_eq!(read(&pcapng(order)).unwrap(), expected, "{order:?}");
    }
}

#[test]
fn every_section_of_pcapng_has_its_own_byte_order_and_interfaces() {
    let file = [pcapng(Little), pcapng(Big), pcapng(Little)].concat();
    let frames = read(&file).unwrap();
    assert_eq!(frames.len(), 9);
    assert_eq!(frames[3..6], frames[..3]);
    let orphan = [pcapng(Little), section(Big), enhanced(Big, 0, 0, 20, &[0; 20])].concat();
    let refused = problem(&orphan);
    assert!(matches!(refused, Problem::Damaged { frames: 3, .. }), "{refused:?}");
}

#[test]
fn frames_that_the_capture_cut_are_counted() {
    let mut capture = Capture::from_reader("t.pcapng", Cursor::new(pcapng(Little))).unwrap();
    let cut: Vec<bool> = capture.by_ref().map(|frame| frame.unwrap().is_cut()).collect();
    assert_eq!(cut, [false, true, true]);
    assert_eq!((capture.frames(), capture.cut_frames()), (3, 2));
}

#[test]
fn clocks_of_any_resolution_and_offset_are_understood() {
    let clock = |resolution, offset, units| Clock { resolution, offset }.nanoseconds(units);
    assert_eq!(clock(6, 0, 1_500_000), 1_500_000_000);
    assert_eq!(clock(0, 0, 3), 3_000_000_000);
    assert_eq!(clock(9, 0, 7), 7);
    assert_eq!(clock(12, 0, 7_999), 7);
    // 2^-10 seconds: 1536 units are one and a half.
    assert_eq!(clock(0x80 | 10, 0, 1536), 1_500_000_000);
    assert_eq!(clock(6, 10, 1), 10_000_001_000);
    assert_eq!(clock(6, -10, 1), 0);
    // What no clock can count ends at the limits and goes no further.
    for resolution in 0..=255 {
        for offset in [i64::MIN, -1, 0, i64::MAX] {
            clock(resolution, offset, u64::MAX);
        }
    }
    assert_eq!(clock(0, 0, u64::MAX), u64::MAX);
}

#[test]
fn pcapng_time_offsets_follow_the_byte_order() {
    for (order, bytes) in [(Little, 2i64.to_le_bytes()), (Big, 2i64.to_be_bytes())] {
        let options = [option(order, 14, &bytes), option(order, 9, &[0x80 | 1])].concat();
        let interface = description(order, 1, 0, &options);
        let file = [section(order), interface, enhanced(order, 0, 3, 20, &[0; 20])].concat();
        // Three half seconds and two seconds.
        assert_eq!(read(&file).unwrap(), [frame(3_500_000_000, 20, &[0; 20])], "{order:?}");
    }
}

#[test]
fn a_checksum_in_the_capture_is_no_part_of_the_frame() {
    let mut file = pcap_header(Little, 0xa1b2_c3d4, 2 << 28 | 1 << 26 | ETHERNET);
    file.extend(record(Little, 0, 0, 64, &[1; 64]));
    file.extend(record(Little, 0, 0, 64, &[2; 62]));
    file.extend(record(Little, 0, 0, 64, &[3; 20]));
    let expected = [frame(0, 60, &[1; 60]), frame(0, 60, &[2; 60]), frame(0, 60, &[3; 20])];
    assert_eq!(read(&file).unwrap(), expected);
    for length in [4, 32] {
        let interface = description(Little, 1, 0, &option(Little, 13, &[length]));
        let file = [section(Little), interface, enhanced(Little, 0, 0, 64, &[1; 64])].concat();
        assert_eq!(read(&file).unwrap(), [frame(0, 60, &[1; 60])]);
    }
}

#[test]
fn files_that_are_no_captures_are_named_as_such() {
    assert_eq!(message(b""), "t.pcap: the file is empty; give a pcap or pcapng capture");
    assert_eq!(
        message(b"#!/bin/sh\necho this is a script\n"),
        "t.pcap: not a capture: it starts with 23 21 2f 62; give a pcap or pcapng file"
    );
    assert_eq!(message(&[0xd4]), "t.pcap: not a capture: it starts with d4; give a pcap or pcapng file");
}

#[test]
fn compressed_captures_say_how_to_unpack_them() {
    let gzip = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xed, 0xbd];
    assert_eq!(message(&gzip), "t.pcap: compressed with gzip; unpack it first, with `gunzip --keep FILE`");
    for (start, name) in [
        (&b"\x28\xb5\x2f\xfd\x04"[..], "zstd"),
        (b"\xfd7zXZ\0", "xz"),
        (b"BZh91AY", "bzip2"),
        (b"\x04\x22\x4d\x18", "lz4"),
    ] {
        assert!(matches!(problem(start), Problem::Compressed { format, .. } if format == name));
    }
}

#[test]
fn other_link_types_are_named() {
    let file = pcap_header(Big, 0xa1b2_c3d4, 113);
    assert_eq!(
        message(&file),
        "t.pcap: frame 1 has link type 113 (Linux cooked capture, from the `any` interface), not Ethernet; \
         capture on an Ethernet interface"
    );
    // In pcapng an interface may be of any type as long as no frame is its.
    let mut file = [pcapng(Little), description(Little, 147, 0, &[])].concat();
    assert_eq!(read(&file).unwrap().len(), 3);
    file.extend(enhanced(Little, 2, 0, 20, &[0; 20]));
    assert_eq!(message(&file), "t.pcap: frame 4 has link type 147, not Ethernet; capture on an Ethernet interface");
}

#[test]
fn captures_without_frames_are_refused() {
    for file in [
        pcap_header(Little, 0xa1b2_c3d4, ETHERNET),
        section(Big),
        [section(Little), description(Little, 1, 0, &[]), block(Little, 5, &[0; 12])].concat(),
    ] {
        assert_eq!(message(&file), "t.pcap: the capture holds no frames; give one with at least one frame");
    }
}

#[test]
fn obsolete_packet_blocks_are_not_passed_over() {
    let file = [pcapng(Little), block(Little, OBSOLETE_PACKET, &[0; 40])].concat();
    assert!(matches!(problem(&file), Problem::Obsolete));
}

#[test]
fn unreadable_files_name_the_reason() {
    let error = Capture::open("/nowhere/at/all.pcap").err().unwrap().to_string();
    assert_eq!(
        error,
        "/nowhere/at/all.pcap: cannot be read: No such file or directory (os error 2); check the path and its permissions"
    );
    // A directory opens and then cannot be read.
    let error = Capture::open(env!("CARGO_MANIFEST_DIR")).err().unwrap();
    assert!(matches!(error.problem, Problem::Unreadable(_)), "{error}");
}

#[test]
fn a_truncated_capture_gives_its_whole_frames_and_then_says_where_it_ends() {
    // Where records and blocks end: cut there, a capture is merely shorter.
    let mut checked = 0;
    for (file, first_frame) in [
        (pcap(Little, 0xa1b2_c3d4), PCAP_HEADER),
        (pcap(Big, 0xa1b2_3c4d), PCAP_HEADER),
        (pcapng(Little), 124),
        (pcapng(Big), 124),
    ] {
        let whole = read(&file).unwrap();
        for end in 4..file.len() {
            let mut frames = Vec::new();
            let mut last = None;
            match Capture::from_reader("t", Cursor::new(file[..end].to_vec())) {
                Err(error) => last = Some(error.problem),
                Ok(capture) => {
                    for frame in capture.take(whole.len() + 1) {
                        match frame {
                            Ok(frame) => frames.push(frame),
                            Err(error) => last = Some(error.problem),
                        }
                    }
                }
            }
            assert_eq!(frames, whole[..frames.len()], "cut at {end}");
            match last {
                Some(Problem::Truncated { frames: before, offset, end: at }) => {
                    assert_eq!((before, at), (frames.len() as u64, end as u64));
                    assert!(offset < at);
                }
                Some(Problem::NoFrames) => assert!(frames.is_empty() && end <= first_frame),
                Some(other) => panic!("cut at {end}: {other:?}"),
                None => assert!(!frames.is_empty()),
            }
            checked += 1;
        }
    }
    assert!(checked > 1000, "{checked}");
    assert_eq!(
        message(&pcap(Little, 0xa1b2_c3d4)[..80]),
        "t.pcap: truncated after frame 1: the file ends at byte 80, inside the record that starts at byte 60; \
         capture it again, or keep the whole frames with `tcpdump -r FILE -w NEW`"
    );
}

#[test]
fn records_that_claim_too_much_are_damage_not_memory() {
    let mut file = pcap(Little, 0xa1b2_c3d4);
    file[PCAP_HEADER + 8..PCAP_HEADER + 12].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(
        message(&file),
        "t.pcap: damaged after frame 0, at byte 24: a record claims more bytes than any frame has; capture it again"
    );
    let start = section(Little).len();
    for kind in [INTERFACE_DESCRIPTION, ENHANCED_PACKET, SIMPLE_PACKET] {
        let mut file = [section(Little), block(Little, kind, &[0; 32])].concat();
        file[start + 4..start + 8].copy_from_slice(&0xffff_fff0u32.to_le_bytes());
        let refused = problem(&file);
        assert!(matches!(refused, Problem::Damaged { offset: 28, .. }), "{refused:?}");
    }
    // What is passed over may claim what it likes: it costs nothing.
    let mut file = [section(Little), block(Little, 0x0bad, &[0; 32])].concat();
    file[start + 4..start + 8].copy_from_slice(&0xffff_fff0u32.to_le_bytes());
    let refused = problem(&file);
    assert!(matches!(refused, Problem::Truncated { offset: 28, end: 72, .. }), "{refused:?}");
}

#[test]
fn blocks_that_contradict_themselves_are_damage() {
    let interface = description(Little, 1, 0, &[]);
    // A packet that claims more bytes than its block holds.
    let mut lying = enhanced(Little, 0, 0, 20, &[0; 20]);
    lying[20..24].copy_from_slice(&4000u32.to_le_bytes());
    let simple = block(Little, SIMPLE_PACKET, &[&word(Little, 400)[..], &[0xcc; 64]].concat());
    let mut short = block(Little, 0x0bad, &[]);
    short[4..8].copy_from_slice(&8u32.to_le_bytes());
    let mut unordered = section(Little);
    unordered[8] ^= 1;
    for (name, tail) in [("caplen", lying), ("simple", simple), ("short", short), ("order", unordered)] {
        // More blocks follow, so that nothing is truncated.
        let file = [section(Little), interface.clone(), tail, pcapng(Little), pcapng(Little)].concat();
        let refused = problem(&file);
        assert!(matches!(refused, Problem::Damaged { offset: 48, frames: 0, .. }), "{name}: {refused:?}");
    }
}

#[test]
fn nothing_follows_an_error() {
    let file = pcap(Little, 0xa1b2_c3d4);
    let mut capture = Capture::from_reader("t", Cursor::new(file[..80].to_vec())).unwrap();
    assert!(capture.next().unwrap().is_ok());
    assert!(capture.next().unwrap().is_err());
    assert!(capture.next().is_none());
}

#[test]
fn records_longer_than_what_is_fetched_at_once_are_whole() {
    let mut file = pcap_header(Little, 0xa1b2_c3d4, ETHERNET);
    let lengths = [1, 65_535, 65_536, 65_537, 262_144, 3, 9_216];
    for (index, length) in lengths.into_iter().enumerate() {
        file.extend(record(Little, 0, 0, length as u32, &vec![index as u8; length]));
    }
    let frames = read(&file).unwrap();
    assert_eq!(frames.len(), lengths.len());
    for (index, (frame, length)) in frames.iter().zip(lengths).enumerate() {
        assert_eq!(frame.bytes, vec![index as u8; length]);
    }
}

#[test]
fn the_shipped_capture_holds_what_its_description_says() {
    use crate::reference::{Class, parse};

    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/mixed.pcapng");
    let frames: Vec<Frame> = Capture::open(path).unwrap().collect::<Result<_, _>>().unwrap();
    assert_eq!(frames.len(), 336);
    assert!(frames.iter().all(|frame| !frame.is_cut() && frame.bytes.len() <= 1514));
    assert!(frames.windows(2).all(|pair| pair[0].timestamp <= pair[1].timestamp));
    // Counted with Wireshark's dissectors, see the description beside the capture.
    let count =
        |class| frames.iter().filter(|frame| parse(&frame.bytes).map(|packet| packet.class()) == Ok(class)).count();
    let counts = [Class::Tcp, Class::Udp, Class::Fragment, Class::Ip, Class::Nd, Class::Arp, Class::Other].map(count);
    assert_eq!(counts, [167, 72, 51, 18, 14, 12, 2]);
}

#[test]
fn hostile_bytes_give_frames_or_an_error() {
    let mut random = ChaCha8Rng::seed_from_u64(crate::mutate::seed(0xca97).unwrap());
    let files = [pcap(Little, 0xa1b2_c3d4), pcap(Big, 0xa1b2_3c4d), pcapng(Little), pcapng(Big)];
    let (mut sound, mut refused) = (0, 0);
    for round in 0..40_000 {
        let mut file = files[round % files.len()].clone();
        for _ in 0..=random.next_u32() % 4 {
            let place = random.next_u32() as usize % file.len();
            file[place] = match random.next_u32() % 4 {
                0 => 0xff,
                1 => 0,
                2 => file[place].wrapping_add(1),
                _ => random.next_u32() as u8,
            };
        }
        match read(&file) {
            Ok(frames) => {
                assert!(!frames.is_empty() && frames.iter().all(|frame| frame.bytes.len() < file.len()));
                sound += 1;
            }
            Err(error) => {
                assert!(error.to_string().starts_with("t.pcap: "));
                refused += 1;
            }
        }
    }
    assert!(sound > 5_000 && refused > 5_000, "{sound} sound, {refused} refused");
}
