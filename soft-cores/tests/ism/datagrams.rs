//! Datagrams.

use abi::socket::{Answer, Call, Family, List, Opt, Protocol, Status, ready};

use super::bench::Setup;
use super::hand::{BUFFERS, Hand, address, buffers, tag};
use super::seeds;

const UDP: Call = Call::Create { protocol: Protocol::Udp, family: Family::V4 };

fn bound(seed: u64) -> Hand {
    let mut hand = Hand::new(Setup::new(seed, 1));
    hand.must(tag(1), UDP);
    let local = address("10.0.0.1:53");
    assert_eq!(hand.must(tag(1), Call::Bind { local }), Answer::Bound { local });
    hand
}

#[test]
fn row_69_1_datagrams_keep_their_bounds_and_their_order() {
    for seed in seeds(20) {
        let mut hand = bound(seed);
        let there = address("192.0.2.1:4000");
        hand.network.peer_has_box(there);
        // Of 0, 1, 2.. times 111 bytes, each with its number.
        let lengths: Vec<u32> = (0..6).map(|i| i * 111).collect();
        let mut asked = Vec::new();
        for (number, &length) in lengths.iter().enumerate() {
            let at = BUFFERS + number as u64 * 0x1000;
            hand.bench.write(at, &vec![number as u8 + 1; length as usize]);
            let list = if length == 0 { List::default() } else { buffers(&[(at, length)]) };
            asked.push(hand.ask(tag(1), Call::Send { remote: Some(there), list }));
        }
        for (transaction, &length) in asked.iter().zip(&lengths) {
            let reply = hand.answer(*transaction);
            assert_eq!((reply.status, reply.answer), (Status::Ok, Answer::Sent { length }), "seed {seed}");
        }
        for (number, &length) in lengths.iter().enumerate() {
            let (from, bytes) = hand.network.peer_datagram(there).unwrap();
            assert_eq!(from, address("10.0.0.1:53"));
            assert_eq!(bytes, vec![number as u8 + 1; length as usize], "seed {seed}");
            assert!(hand.network.peer_sends_to(there, from, &bytes));
        }
        let at = |number: u64| BUFFERS + 0x10_0000 + number * 0x1000;
        let asked: Vec<_> = (0..6)
            .map(|n| hand.ask(tag(1), Call::Receive { list: buffers(&[(at(n), 3), (at(n) + 3, 400)]) }))
            .collect();
        for (number, &length) in lengths.iter().enumerate() {
            let (kept, truncated) = (length.min(403), length > 403);
            let expected = Answer::Received { length: kept, end: false, truncated, remote: Some(there) };
            assert_eq!(hand.answer(asked[number]).answer, expected, "seed {seed}");
            assert_eq!(hand.bench.read(at(number as u64), kept as usize), vec![number as u8 + 1; kept as usize]);
        }
        hand.assert_nothing_leaks();
    }
}

#[test]
fn a_datagram_that_cannot_be_sent_fails_alone() {
    let mut hand = bound(1);
    let there = address("192.0.2.1:4000");
    hand.network.peer_has_box(there);
    hand.bench.write(BUFFERS, b"good");
    let mut asked = Vec::new();
    for (remote, at, length) in [
        (Some(there), BUFFERS, 4),
        (None, BUFFERS, 4),
        (Some(there), 0xFFFF_0000_0000, 4),
        (Some(there), BUFFERS, 5000),
        (Some(address("192.0.2.1:0")), BUFFERS, 4),
        (Some(there), BUFFERS, 4),
    ] {
        asked.push(hand.ask(tag(1), Call::Send { remote, list: buffers(&[(at, length)]) }));
    }
    let status: Vec<_> = asked.into_iter().map(|transaction| hand.answer(transaction).status).collect();
    let expected = [Status::Ok, Status::NotConnected, Status::Copy, Status::TooLong, Status::NoAddress, Status::Ok];
    assert_eq!(status, expected);
    assert_eq!(hand.network.peer_datagram(there).unwrap().1, b"good");
    assert_eq!(hand.network.peer_datagram(there).unwrap().1, b"good");
    assert_eq!(hand.network.peer_datagram(there), None);
    // With a peer of its own it needs no address.
    assert_eq!(hand.must(tag(1), Call::Connect { remote: there }), Answer::Connected { local: address("10.0.0.1:53") });
    hand.must(tag(1), Call::Send { remote: None, list: buffers(&[(BUFFERS, 4)]) });
    assert_eq!(hand.network.peer_datagram(there).unwrap().1, b"good");
    hand.assert_nothing_leaks();
}

#[test]
fn groups_are_joined_and_left_and_what_is_shut_down_is_dropped() {
    let mut hand = bound(2);
    let group = Some("224.0.0.251".parse().unwrap());
    let option = |option| Call::SetOption { option, value: 0, group };
    hand.must(tag(1), option(Opt::Join));
    assert_eq!(hand.network.groups(), 1);
    assert_eq!(hand.call(tag(1), option(Opt::Join)).0, Status::NoAddress);
    hand.must(tag(1), option(Opt::Leave));
    assert_eq!(hand.network.groups(), 0);
    let (there, here) = (address("192.0.2.1:4000"), address("10.0.0.1:53"));
    let watch = hand.ask(tag(1), Call::Watch { mask: ready::READ });
    hand.run(100);
    assert!(!hand.answers.contains_key(&watch));
    assert!(hand.network.peer_sends_to(there, here, b"x"));
    assert_eq!(hand.answer(watch).answer, Answer::Ready { ready: ready::READ });
    hand.must(tag(1), Call::Shutdown { receive: true, send: false });
    let end = Answer::Received { length: 0, end: true, truncated: false, remote: None };
    assert_eq!(hand.must(tag(1), Call::Receive { list: buffers(&[(BUFFERS, 9)]) }), end);
    for _ in 0..30 {
        assert!(hand.network.peer_sends_to(there, here, b"x"));
        hand.run(20);
    }
    hand.assert_nothing_leaks();
}
