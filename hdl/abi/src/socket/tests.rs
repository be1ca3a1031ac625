//! Against bytes that were written by hand from I2O's header and the table.

extern crate std;
use std::net::{IpAddr, SocketAddr};
use std::vec::Vec;

use super::frame::{Header, REPLY_WORDS, REQUEST_WORDS, View, flags};
use super::*;

fn words(bytes: &[u8]) -> Vec<u32> {
    bytes.chunks(4).map(|four| u32::from_le_bytes(four.try_into().unwrap())).collect()
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn list(elements: &[(u64, u32)]) -> List {
    let mut list = List::default();
    for &(address, length) in elements {
        list.push(Element { address, length }).unwrap();
    }
    list
}

fn every_call() -> Vec<Call> {
    let v4 = address("192.0.2.1:80");
    let v6 = address("[2001:db8::1]:443");
    let seven: Vec<_> = (0..7).map(|i| (0x1_0000_0000 * i + 0x1000, 65_536)).collect();
    [
        Call::Create { protocol: Protocol::Tcp, family: Family::V4 },
        Call::Create { protocol: Protocol::Udp, family: Family::V6 },
        Call::Bind { local: v4 },
        Call::Bind { local: v6 },
        Call::Listen { backlog: 0xFFFF },
        Call::Accept { tag: Tag(0x3123_4567) },
        Call::Connect { remote: v6 },
        Call::Send { remote: None, list: list(&seven) },
        Call::Send { remote: Some(v4), list: List::default() },
        Call::Receive { list: list(&[(u64::MAX - 9, 10)]) },
        Call::Shutdown { receive: true, send: false },
        Call::Shutdown { receive: false, send: true },
        Call::Close { abort: true },
        Call::SetOption { option: Opt::KeepAlive, value: 7200, group: None },
        Call::SetOption { option: Opt::Join, value: 0, group: Some("ff02::fb".parse::<IpAddr>().unwrap()) },
        Call::GetOption { option: Opt::NoDelay },
        Call::Status,
        Call::Watch { mask: ready::ALL },
        Call::Cancel { transaction: 0xDEAD_BEEF },
        Call::Reset,
    ]
    .into()
}

fn every_answer() -> Vec<(Function, Answer)> {
    let (local, remote) = (address("10.0.0.2:80"), address("[2001:db8::2]:65535"));
    let state = State::Connected;
    [
        (Function::Create, Answer::None),
        (Function::Bind, Answer::Bound { local }),
        (Function::Accept, Answer::Accepted { tag: Tag(0x3000_0007), processor: 3, remote, local }),
        (Function::Connect, Answer::Connected { local: remote }),
        (Function::Send, Answer::Sent { length: 65_535 }),
        (Function::Receive, Answer::Received { length: 9, end: true, truncated: false, remote: None }),
        (Function::Receive, Answer::Received { length: 9, end: false, truncated: true, remote: Some(remote) }),
        (Function::GetOption, Answer::Value { value: 0x8000_0001 }),
        (Function::Status, Answer::Status { state, readable: 1, writable: 2, local: Some(local), remote: None }),
        (Function::Watch, Answer::Ready { ready: ready::READ | ready::ERROR }),
        (Function::Cancel, Answer::Cancelled { found: true }),
        (Function::Reset, Answer::Reset { sessions: 256 }),
    ]
    .into()
}

#[test]
fn row_69_7_a_send_with_two_buffers_is_laid_out_as_documented() {
    let request = Request {
        tag: Tag::new(3, 0x0102, 0x456),
        transaction: 0xCAFE_0001,
        call: Call::Send {
            remote: Some(address("192.0.2.1:53")),
            list: list(&[(0x1_2345_6000, 0x1000), (0x9_0000_0010, 0x0034)]),
        },
    };
    let by_hand = [
        0x0010_00A1, // 16 words; no flags; the list at word 10; version 1
        0xFF00_1013, // private; from the host, 1; to processor 3, 0x13
        0x3456_0102, // the tag: processor 3, use 0x456, session 0x102
        0xCAFE_0001,
        0x504E_0006, // "PN", send
        0x0004_0035, // IPv4, port 53
        0x0102_00C0, // 192, 0, 2, 1 in the order of the network
        0,
        0,
        0,
        0x1600_1000, // simple, out, 64 bits
        0x2345_6000,
        0x1,
        0xD600_0034, // the last one, and the end of its buffer
        0x10,
        0x9,
    ];
    assert_eq!(words(request.encode().bytes()), by_hand);
}

#[test]
fn row_69_7_a_reply_to_accept_is_laid_out_as_documented() {
    let reply = Reply {
        processor: 2,
        tag: Tag(0x2000_0001),
        transaction: 5,
        function: Function::Accept as u16,
        status: Status::Ok,
        credits: 7,
        answer: Answer::Accepted {
            tag: Tag(0x2000_0009),
            processor: 2,
            remote: address("[2001:db8::ff]:4096"),
            local: address("10.1.2.3:80"),
        },
    };
    let by_hand = [
        0x0012_C001, // 18 words; reply, last; version 1
        0xFF00_1012,
        0x2000_0001,
        5,
        0x0000_0000, // success
        0x0007_0004, // seven more; accept
        0x2000_0009,
        2,
        0x0006_1000,
        0xB80D_0120,
        0,
        0,
        0xFF00_0000,
        0x0004_0050,
        0x0302_010A,
        0,
        0,
        0,
    ];
    assert_eq!(words(reply.encode().bytes()), by_hand);
}

#[test]
fn a_refusal_is_a_failure_of_the_transport_and_an_error_of_the_socket_is_not() {
    let mut reply = Reply {
        processor: 0,
        tag: Tag(1),
        transaction: 2,
        function: 0x99,
        status: Status::UnknownFunction,
        credits: 0,
        answer: Answer::None,
    };
    assert_eq!(words(reply.encode().bytes()), [0x0006_E001, 0xFF00_1010, 1, 2, 0x0500_0002, 0x99]);
    reply.function = Function::Send as u16;
    reply.status = Status::Reset;
    reply.answer = Answer::Sent { length: 10 };
    assert_eq!(words(reply.encode().bytes()), [0x0007_C001, 0xFF00_1010, 1, 2, 0x0600_000D, 6, 10]);
    reply.status = Status::Cancelled;
    reply.answer = Answer::Sent { length: 0 };
    assert_eq!(words(reply.encode().bytes())[4], 0x0200_0014);
}

#[test]
fn every_request_comes_back_as_it_was_encoded() {
    let calls = every_call();
    let mut functions: Vec<_> = calls.iter().map(|call| call.function()).collect();
    functions.dedup();
    assert_eq!(functions.len(), FUNCTIONS.len());
    for call in calls {
        let request = Request { tag: Tag::new(5, 77, 0), transaction: 9, call };
        let frame = request.encode();
        assert_eq!(Request::decode(frame.bytes(), 5), Ok(Decoded::Request(request)));
        assert!(frame.bytes().len() <= MAX_WORDS * 4);
        let of_another = Request::decode(frame.bytes(), 4).unwrap_err();
        assert_eq!(
            (of_another.status, of_another.tag, of_another.transaction),
            (Status::WrongProcessor, request.tag, 9)
        );
    }
}

#[test]
fn every_reply_comes_back_as_it_was_encoded() {
    for (function, answer) in every_answer() {
        let (tag, status) = (Tag(0x4000_0001), Status::Ok);
        let reply = Reply { processor: 4, tag, transaction: 1, function: function as u16, status, credits: 3, answer };
        assert_eq!(Reply::decode(reply.encode().bytes()), Ok(reply));
        let failed = Reply { status: Status::Reset, answer: Answer::None, ..reply };
        assert_eq!(Reply::decode(failed.encode().bytes()), Ok(failed));
    }
}

#[test]
fn a_message_cut_anywhere_is_refused() {
    let mut compared = 0;
    for call in every_call() {
        let whole = Request { tag: Tag(0), transaction: 1, call }.encode();
        for length in 0..whole.bytes().len() {
            let cut = Request::decode(&whole.bytes()[..length], 0);
            // Without its second word it looks like a frame that is given back: function 0.
            let expected_nop = length < 8;
            match cut {
                Ok(Decoded::Nop) => assert!(expected_nop, "{call:?} cut to {length}"),
                other => assert_eq!(other.unwrap_err().status, Status::Malformed, "{call:?} cut to {length}"),
            }
            compared += 1;
        }
    }
    for (function, answer) in every_answer() {
        let (tag, status) = (Tag(0), Status::Ok);
        let reply = Reply { processor: 0, tag, transaction: 1, function: function as u16, status, credits: 0, answer };
        for length in 0..reply.encode().bytes().len() {
            assert_eq!(Reply::decode(&reply.encode().bytes()[..length]), Err(reply::NoReply));
            compared += 1;
        }
    }
    assert!(compared > 1000, "{compared}");
}

/// A request as words, one of them changed.
fn changed(call: Call, word: usize, value: u32) -> Result<Decoded, Refused> {
    let mut frame = Request { tag: Tag(0), transaction: 1, call }.encode();
    frame.set_word(word, value);
    Request::decode(frame.bytes(), 0)
}

#[test]
fn what_is_wrong_with_a_request_is_said() {
    let send = Call::Send { remote: None, list: list(&[(0x1000, 16)]) };
    let status = |result: Result<Decoded, Refused>| result.unwrap_err().status;
    for (word, value, expected) in [
        (0, 0x000D_00A2, Status::Malformed),       // version 2
        (0, 0x000D_80A1, Status::Malformed),       // a reply
        (0, 0x000D_02A1, Status::Malformed),       // 64-bit contexts
        (0, 0x000E_00A1, Status::Malformed),       // longer than the frame
        (0, 0x000C_00A1, Status::Malformed),       // the list is cut
        (0, 0x000D_0091, Status::Malformed),       // the list starts within the address
        (0, 0x000D_00B1, Status::Malformed),       // and ends behind the message
        (1, 0xFE00_1010, Status::UnknownFunction), // not private
        (1, 0xFF00_1011, Status::WrongProcessor),
        (2, 0x1000_0000, Status::WrongProcessor),
        (4, 0x504F_0006, Status::UnknownFunction), // of somebody else
        (4, 0x504E_0010, Status::UnknownFunction),
        (4, 0x504E_0000, Status::UnknownFunction),
        (4, 0x504E_0007, Status::Malformed), // to receive into a buffer that the card is to read
        (5, 0x0005_0000, Status::Malformed), // there is no family 5
        (10, 0xD600_0000, Status::Malformed), // no bytes
        (10, 0xD601_0001, Status::Malformed), // more than a descriptor copies
        (10, 0x5600_0010, Status::Malformed), // not the last, but there is none behind it
        (10, 0xC600_0010, Status::Malformed), // not simple
        (12, 0xFFFF_FFFF, Status::Ok),
    ] {
        let result = changed(send, word, value);
        if expected == Status::Ok {
            assert!(result.is_ok());
        } else {
            assert_eq!(status(result), expected, "word {word} = {value:#x}");
        }
    }
    let end = Call::Send { remote: None, list: list(&[(u64::MAX - 15, 16)]) };
    assert_eq!(status(changed(end, 11, 0xFFFF_FFF1)), Status::Malformed);
    assert_eq!(status(changed(Call::Status, 0, 0x0005_0051)), Status::Malformed);
    let create = Call::Create { protocol: Protocol::Tcp, family: Family::V4 };
    assert_eq!(status(changed(create, 5, 0x0000_0407)), Status::Malformed);
    assert_eq!(status(changed(create, 5, 0x0000_0506)), Status::Malformed);
    let option = Call::SetOption { option: Opt::NoDelay, value: 1, group: None };
    assert_eq!(status(changed(option, 5, 8)), Status::Malformed);
    assert_eq!(status(changed(option, 5, 6)), Status::Malformed);
    assert_eq!(changed(Call::Status, 1, 0x0000_1010), Ok(Decoded::Nop));
}

#[test]
fn any_words_decode_to_something_that_encodes_to_itself() {
    let mut state = 0x1234_5678_9ABC_DEFFu64;
    let mut draw = move || {
        // xorshift64*.
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        (state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32) as u32
    };
    let (calls, answers) = (every_call(), every_answer());
    let (mut requests, mut replies) = (0, 0);
    for round in 0..300_000 {
        let mut frame = if round % 2 == 0 {
            let call = calls[draw() as usize % calls.len()];
            Request { tag: Tag(draw() & 0x0FFF_FFFF), transaction: draw(), call }.encode()
        } else {
            let (function, answer) = answers[draw() as usize % answers.len()];
            let (tag, status) = (Tag(draw()), Status::Ok);
            Reply { processor: 0, tag, transaction: 0, function: function as u16, status, credits: 1, answer }.encode()
        };
        for _ in 0..draw() % 4 {
            let word = View(frame.bytes()).word(draw() as usize % MAX_WORDS);
            frame.set_word(draw() as usize % MAX_WORDS, word ^ 1 << (draw() % 32));
        }
        let length = if draw().is_multiple_of(8) { draw() as usize % (MAX_WORDS * 4) } else { MAX_WORDS * 4 };
        let bytes = &frame.bytes()[..length.min(frame.bytes().len())];
        if let Ok(Decoded::Request(request)) = Request::decode(bytes, 0) {
            assert_eq!(Request::decode(request.encode().bytes(), 0), Ok(Decoded::Request(request)));
            requests += 1;
        }
        if let Ok(reply) = Reply::decode(bytes) {
            assert_eq!(Reply::decode(reply.encode().bytes()), Ok(reply));
            replies += 1;
        }
    }
    assert!(requests > 30_000 && replies > 30_000, "{requests} requests, {replies} replies");
}

#[test]
fn the_table_has_room_for_all_that_it_places_and_nothing_overlaps() {
    let mut places = 0;
    for (number, message) in FUNCTIONS.iter().enumerate() {
        assert_eq!(message.function as usize, number + 1);
        assert_eq!(Function::of(number as u16 + 1), Some(message.function));
        for (fields, header) in [(message.request, REQUEST_WORDS), (message.reply, REPLY_WORDS)] {
            let mut taken = [0u32; MAX_WORDS];
            for place in fields {
                assert!(place.word >= header && place.end() <= MAX_WORDS, "{}", place.name);
                for bit in 0..place.width {
                    let (word, bit) = (place.word + (place.lsb + bit) as usize / 32, (place.lsb + bit) % 32);
                    assert_eq!(taken[word] >> bit & 1, 0, "{:?} {}", message.function, place.name);
                    taken[word] |= 1 << bit;
                }
                places += 1;
            }
        }
        if message.has_list {
            // The offset of the list has four bits.
            assert!(message.request_words() <= 15);
            assert!(message.request_words() + MAX_ELEMENTS * list::ELEMENT_WORDS <= MAX_WORDS);
        }
    }
    assert!(places > 30);
    assert_eq!((Function::of(0), Function::of(FUNCTIONS.len() as u16 + 1)), (None, None));
}

#[test]
fn row_67_2_a_tag_names_its_processor() {
    let tag = Tag::new(13, 0xBEEF, 0xABC);
    assert_eq!(tag, Tag(0xDABC_BEEF));
    assert_eq!((tag.processor(), tag.index(), tag.generation()), (13, 0xBEEF, 0xABC));
    assert_eq!(Tag::new(0, 1, 0x1000), Tag(1));
}

#[test]
fn a_frame_that_is_given_back_is_a_nop() {
    let nop = Frame::nop(target(1));
    assert_eq!(words(nop.bytes()), [0x0004_0001, 0x0000_1011, 0, 0]);
    assert_eq!(Request::decode(nop.bytes(), 1), Ok(Decoded::Nop));
    let header = Header { flags: flags::REPLY, words: 9, list_offset: 7, ..Header::read(nop.bytes()) };
    assert_eq!(Header::of(header.to_words()), header);
}

#[test]
fn status_numbers_index_the_list() {
    for (number, status) in Status::ALL.into_iter().enumerate() {
        assert_eq!(status as usize, number);
        assert_eq!(Status::of(number as u16), Some(status));
    }
    assert_eq!(Status::of(Status::ALL.len() as u16), None);
}
