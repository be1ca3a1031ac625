//! Against bytes written by hand from the specification (2.2.7, 2.2.9), and there and back.

use super::*;

/// A header as its bytes on the wire.
fn header(bytes: [u8; 16]) -> Header {
    [0, 4, 8, 12].map(|at| u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]))
}

/// Both ways.
fn same(tlp: &Tlp, bytes: [u8; 16], payload: &[u8]) {
    assert_eq!(tlp.encode(), (header(bytes), payload.to_vec()));
    assert_eq!(Tlp::decode(&header(bytes), payload).as_ref(), Ok(tlp));
}

#[test]
fn a_memory_read_is_laid_out_as_2_2_7_says() {
    // Fmt 000, type 00000; TC 5, attr[2]; attr[1:0] = 01; 16 DWs; requester 03:04.1, tag 0x2a; last 0011, first 1100; address.
    let request = Request { requester: 0x0321, tag: 0x2a, address: 0x89ab_cdec, dws: 16, first: 0b1100, last: 0b0011 };
    let attributes = Attributes { traffic_class: 5, bits: 0b101, poisoned: false };
    same(
        &Tlp { attributes, kind: Kind::Read(request) },
        [0x00, 0x54, 0x10, 0x10, 0x03, 0x21, 0x2a, 0x3c, 0x89, 0xab, 0xcd, 0xec, 0, 0, 0, 0],
        &[],
    );
    // Above 4 GiB: Fmt 001; 1024 DWs are a length of 0; tag bits 9 and 8 in bits 7 and 3 of byte 1.
    let request = Request { tag: 0x32a, address: 0x1_0000_0000, dws: 1024, first: 0xf, last: 0xf, ..request };
    same(
        &Tlp::plain(Kind::Read(request)),
        [0x20, 0x88, 0x00, 0x00, 0x03, 0x21, 0x2a, 0xff, 0, 0, 0, 1, 0, 0, 0, 0],
        &[],
    );
}

#[test]
fn a_memory_write_carries_its_bytes_in_the_order_of_memory() {
    let request = Request { requester: 0x0100, tag: 0, address: 0xfee0_1004, dws: 1, first: 0xf, last: 0 };
    let data = [0x21, 0x40, 0, 0];
    same(
        &Tlp::plain(Kind::Write(request, data.to_vec())),
        [0x40, 0, 0, 1, 0x01, 0x00, 0x00, 0x0f, 0xfe, 0xe0, 0x10, 0x04, 0, 0, 0, 0],
        &data,
    );
    let attributes = Attributes { poisoned: true, ..Attributes::default() };
    let request = Request { address: 0x12_3456_7890, dws: 2, first: 0b1000, last: 0b0001, ..request };
    same(
        &Tlp { attributes, kind: Kind::Write(request, vec![1, 2, 3, 4, 5, 6, 7, 8]) },
        [0x60, 0, 0x40, 2, 0x01, 0x00, 0x00, 0x18, 0, 0, 0, 0x12, 0x34, 0x56, 0x78, 0x90],
        &[1, 2, 3, 4, 5, 6, 7, 8],
    );
}

#[test]
fn a_completion_is_laid_out_as_2_2_9_says() {
    // Completer 00:03.0, status 000, 0x205 bytes to come; requester 01:00.0, tag 7, lower address 0x43.
    let data: Vec<u8> = (0..64).collect();
    let completion = Completion {
        completer: 0x0018,
        requester: 0x0100,
        tag: 7,
        status: Status::Successful,
        bytes: 0x205,
        lower: 0x43,
        locked: false,
        data: data.clone(),
    };
    same(
        &Tlp::plain(Kind::Completion(completion.clone())),
        [0x4a, 0, 0, 16, 0x00, 0x18, 0x02, 0x05, 0x01, 0x00, 0x07, 0x43, 0, 0, 0, 0],
        &data,
    );
    // Without payload: UR in bits 7:5 of byte 6; a count of 4096 is written as 0.
    let completion = Completion { status: Status::Unsupported, bytes: 4096, lower: 0, data: vec![], ..completion };
    same(
        &Tlp::plain(Kind::Completion(completion.clone())),
        [0x0a, 0, 0, 0, 0x00, 0x18, 0x20, 0x00, 0x01, 0x00, 0x07, 0x00, 0, 0, 0, 0],
        &[],
    );
    let completion = Completion { status: Status::Aborted, locked: true, bytes: 4, ..completion };
    same(
        &Tlp::plain(Kind::Completion(completion)),
        [0x0b, 0, 0, 0, 0x00, 0x18, 0x80, 0x04, 0x01, 0x00, 0x07, 0x00, 0, 0, 0, 0],
        &[],
    );
}

#[test]
fn other_types_keep_their_words() {
    // Msg with 4 DWs (a vendor's), IORd, CfgWr0.
    let message = header([0x33, 0, 0, 0, 0x00, 0x18, 0, 0x7f, 0, 0, 0, 0, 1, 2, 3, 4]);
    assert_eq!(Tlp::decode(&message, &[]), Ok(Tlp::plain(Kind::Other(message, vec![]))));
    let read = header([0x02, 0, 0, 1, 0x00, 0x18, 5, 0x0f, 0, 0, 0xcf, 0xc, 0, 0, 0, 0]);
    assert_eq!(Tlp::decode(&read, &[]).map(|t| t.encode()), Ok((read, vec![])));
    let write = header([0x44, 0, 0, 1, 0x00, 0x18, 6, 0x0f, 0x01, 0, 0, 0x10, 0, 0, 0, 0]);
    assert_eq!(Tlp::decode(&write, &[9; 4]).map(|t| t.encode()), Ok((write, vec![9; 4])));
}

#[test]
fn what_is_no_sound_tlp_says_why() {
    let read = [0x0000_0001, 0x0100_000f, 0x1000, 0];
    assert_eq!(Tlp::decode(&[0x8000_0000, 0, 0, 0], &[]), Err(TlpError::Format(0x80)));
    assert_eq!(Tlp::decode(&read, &[0; 4]), Err(TlpError::Length { header: 0, payload: 4 }));
    let write = [0x4000_0002, 0x0100_00ff, 0x1000, 0];
    assert_eq!(Tlp::decode(&write, &[0; 4]), Err(TlpError::Length { header: 2, payload: 4 }));
    let wide = [0x2000_0001, 0x0100_000f, 0, 0x1000];
    assert_eq!(Tlp::decode(&wide, &[]), Err(TlpError::Wide(0x1000)));
    for reserved in [
        [0x0000_0001, 0x0100_000f, 0x1001, 0],
        [0x0000_0001, 0x0100_000f, 0x1000, 1],
        [0x0a00_0001, 0x0018_0004, 0x0100_0000, 0],
        [0x0a00_0000, 0x0018_1004, 0x0100_0000, 0],
        [0x0a00_0000, 0x0018_0004, 0x0100_0080, 0],
    ] {
        assert_eq!(Tlp::decode(&reserved, &[]), Err(TlpError::Reserved(reserved)));
    }
}

#[test]
fn a_request_names_any_range_of_bytes() {
    let mut compared = 0;
    for address in 0x1000..0x1009u64 {
        for length in 1..=40 {
            let request = Request::of(1, 2, address, length);
            let enabled: Vec<u64> = (0..4 * request.dws)
                .filter(|b| request.enables(b / 4) >> (b % 4) & 1 == 1)
                .map(|b| request.address + b as u64)
                .collect();
            assert_eq!(enabled, (address..address + length as u64).collect::<Vec<_>>(), "{request:x?}");
            assert!(request.enables_are_legal(), "{request:x?}");
            assert_eq!(request.bytes(), length, "{request:x?}");
            assert_eq!(request.address + request.skipped() as u64, address);
            compared += 1;
        }
    }
    assert_eq!(compared, 9 * 40);
    let nothing = Request::of(1, 2, 0x1002, 0);
    assert_eq!((nothing.dws, nothing.first, nothing.last, nothing.bytes(), nothing.skipped()), (1, 0, 0, 1, 0));
    assert_eq!(Request::of(1, 2, 0x1002, 9999).dws, 1024);
}

#[test]
fn byte_enables_with_holes_are_legal_only_where_2_2_5_says_so() {
    let request = |address, dws, first, last| Request { requester: 0, tag: 0, address, dws, first, last };
    let mut compared = 0;
    for (legal, r) in [
        (true, request(0x1004, 1, 0b1001, 0)),
        (true, request(0x1004, 1, 0, 0)),
        (false, request(0x1004, 1, 0xf, 1)),
        (true, request(0x1000, 2, 0b0101, 0b1010)),
        (false, request(0x1004, 2, 0b0101, 0b1010)),
        (true, request(0x1004, 2, 0b1000, 0b0001)),
        (false, request(0x1000, 2, 0, 0xf)),
        (false, request(0x1000, 3, 0xf, 0)),
        (false, request(0x1000, 3, 0b1011, 0xf)),
        (false, request(0x1000, 3, 0xf, 0b1110)),
        (true, request(0x1000, 3, 0b1100, 0b0111)),
    ] {
        assert_eq!(r.enables_are_legal(), legal, "{r:x?}");
        compared += 1;
    }
    assert_eq!(compared, 11);
}

#[test]
fn beats_come_together_again_at_every_width() {
    let mut compared = 0;
    for beat_bytes in [8, 16, 32, 64] {
        let mut assembler = Assembler::new(beat_bytes);
        for dws in [0, 1, 2, 3, 15, 16, 17, 1024] {
            let data: Vec<u8> = (0..4 * dws).map(|b| (b * 7 + dws) as u8).collect();
            let request = Request { requester: 1, tag: 2, address: 0x5000, dws: dws.max(1), first: 0xf, last: 0xf };
            let tlp = Tlp::plain(if dws == 0 { Kind::Read(request) } else { Kind::Write(request, data) });
            let (header, payload) = tlp.encode();
            let beats = beats(&header, &payload, 2, beat_bytes);
            assert_eq!(beats.len(), (4 * dws).div_ceil(beat_bytes).max(1));
            let (last, others) = beats.split_last().expect("at least one");
            for beat in others {
                assert_eq!(assembler.push(beat), Ok(None));
                assert!(assembler.in_tlp());
            }
            assert_eq!(assembler.push(last), Ok(Some((header, payload))));
            assert!(!assembler.in_tlp());
            compared += 1;
        }
    }
    assert_eq!(compared, 32);
}

#[test]
fn the_first_byte_stands_in_the_lowest_lane() {
    let beats = beats(&[0x4000_0003, 0, 0, 0], &(1..=12).collect::<Vec<u8>>(), 0, 8);
    let data: Vec<_> = beats.iter().map(|b| (b.data[0], b.last)).collect();
    assert_eq!(data, [(0x0807_0605_0403_0201, false), (0x0c0b_0a09, true)]);
}

#[test]
fn a_tlp_with_beats_too_many_or_too_few_is_found_and_the_next_one_is_whole() {
    let write = [0x4000_0004, 0x0100_00ff, 0x1000, 0];
    for payload in [8, 24, 32] {
        let mut assembler = Assembler::new(8);
        let mut found = None;
        for beat in beats(&write, &vec![7; payload], 0, 8) {
            found = assembler.push(&beat).expect("the header stays").or(found);
        }
        let (header, bytes) = found.expect("it ended");
        assert_eq!(Tlp::decode(&header, &bytes), Err(TlpError::Length { header: 4, payload }));
        let read = [0x0000_0001, 0x0100_000f, 0x1000, 0];
        let beat = beats(&read, &[], 0, 8)[0];
        assert_eq!(assembler.push(&beat), Ok(Some((read, vec![]))));
    }
    let mut assembler = Assembler::new(8);
    let mut beats = beats(&write, &[7; 16], 0, 8);
    assert_eq!(assembler.push(&beats[0]), Ok(None));
    beats[1].header[1] = 0;
    assert_eq!(assembler.push(&beats[1]), Err(TlpError::Changes(write, beats[1].header)));
}
