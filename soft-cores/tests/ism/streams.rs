//! Calls of streams, their states and ends.

use abi::socket::{Answer, Call, Family, Opt, Protocol, State, Status, Tag, ready};

use super::bench::Setup;
use super::hand::{BUFFERS, Hand, address, buffers, config, tag};
use super::seeds;
use soft_cores::ism::Config;

const TCP: Call = Call::Create { protocol: Protocol::Tcp, family: Family::V4 };

fn receive(at: u64, length: u32) -> Call {
    Call::Receive { list: buffers(&[(at, length)]) }
}

fn send(at: u64, length: u32) -> Call {
    Call::Send { remote: None, list: buffers(&[(at, length)]) }
}

#[test]
fn row_67_2_a_connection_is_accepted_by_any_processor_and_its_tag_names_it() {
    let mut hand = Hand::new(Setup::new(1, 4));
    let here = address("10.0.0.1:80");
    let mut waiting = Vec::new();
    for processor in 0..4 {
        let listener = Tag::new(processor, 1, 0);
        hand.listener(listener, here);
        for index in 0..4 {
            let tag = Tag::new(processor, 10 + index, 7);
            waiting.push((processor, tag, hand.ask(listener, Call::Accept { tag })));
        }
    }
    for port in 0..8 {
        let from = address(&format!("192.0.2.1:{}", 5000 + port));
        hand.network.dial(from, here).expect("somebody listens");
    }
    hand.run(500);
    let (mut accepted, mut processors) = (0, [0; 4]);
    for (processor, tag, transaction) in waiting {
        let Some(reply) = hand.answers.get(&transaction) else { continue };
        let Answer::Accepted { tag: told, processor: owner, remote, local } = reply.answer else { panic!("{reply:?}") };
        assert_eq!((told, owner, told.processor(), local), (tag, processor, processor, here));
        assert!((5000..5008).contains(&remote.port()));
        processors[owner] += 1;
        accepted += 1;
    }
    assert_eq!((accepted, processors), (8, [2; 4]));
    hand.assert_nothing_leaks();
}

#[test]
fn row_69_1_bytes_go_both_ways_in_order_whatever_the_order_of_copies() {
    for seed in seeds(40) {
        let setup = Setup { outbound: 3 + seed as u32 % 6, inbound: 2 + seed as u32 % 7, ..Setup::new(seed, 1) };
        let mut hand = Hand::new(setup);
        let peer = hand.stream(tag(1));
        let out: Vec<u8> = (0..40_000u32).map(|i| (i * 7 + i / 251) as u8).collect();
        hand.bench.write(BUFFERS, &out);
        // Eight sends of 5,000 bytes, each in two pieces; the buffers of what comes back behind them.
        let half = |i: u64| buffers(&[(BUFFERS + i * 5000, 1), (BUFFERS + i * 5000 + 1, 4999)]);
        let sends: Vec<_> = (0..4).map(|i| hand.ask(tag(1), Call::Send { remote: None, list: half(i) })).collect();
        let (mut echoed, mut received, mut receives, mut sent) = (Vec::new(), Vec::new(), Vec::new(), 4);
        let (mut back, mut number) = (0, 0);
        for step in 0..30_000 {
            echoed.extend(hand.network.peer_reads(peer));
            back += hand.network.peer_writes(peer, &echoed[back..]);
            if step % 9 == 0 && receives.len() < 3 {
                let at = BUFFERS + 0x10_0000 + (number % 4) * 0x1000;
                number += 1;
                receives.push((at, hand.ask(tag(1), receive(at, 700 + step as u32 % 900))));
            }
            if let Some((at, reply)) = receives.first().and_then(|&(at, t)| Some((at, *hand.answers.get(&t)?))) {
                let Answer::Received { length, end: false, .. } = reply.answer else {
                    panic!("seed {seed}: {reply:?}")
                };
                received.extend(hand.bench.read(at, length as usize));
                receives.remove(0);
            }
            if sent < 8 && hand.answers.contains_key(&sends[sent - 4]) {
                hand.ask(tag(1), Call::Send { remote: None, list: half(sent as u64) });
                sent += 1;
            }
            if received.len() == out.len() {
                break;
            }
            hand.step();
        }
        assert!(received == out, "seed {seed}: {} of {} bytes came back", received.len(), out.len());
        for transaction in sends {
            let reply = hand.answer(transaction);
            assert_eq!((reply.status, reply.answer), (Status::Ok, Answer::Sent { length: 5000 }), "seed {seed}");
        }
        hand.assert_nothing_leaks();
    }
}

#[test]
fn what_was_asked_before_a_shutdown_is_sent_and_the_other_direction_goes_on() {
    let mut hand = Hand::new(Setup::new(3, 1));
    let peer = hand.stream(tag(1));
    hand.bench.write(BUFFERS, &[0x5A; 9000]);
    let sent = hand.ask(tag(1), send(BUFFERS, 9000));
    let shut = hand.ask(tag(1), Call::Shutdown { receive: false, send: true });
    let late = hand.ask(tag(1), send(BUFFERS, 1));
    assert_eq!(hand.answer(late).status, Status::ShutDown);
    let mut bytes = Vec::new();
    for _ in 0..2000 {
        bytes.extend(hand.network.peer_reads(peer));
        hand.step();
    }
    assert_eq!((bytes.len(), hand.network.peer_end(peer)), (9000, Some(Ok(()))));
    assert_eq!((hand.answer(sent).status, hand.answer(shut).status), (Status::Ok, Status::Ok));
    hand.network.peer_writes(peer, b"still here");
    hand.run(200);
    let Answer::Received { length: 10, end: false, .. } = hand.must(tag(1), receive(BUFFERS, 100)) else { panic!() };
    assert_eq!(hand.bench.read(BUFFERS, 10), b"still here");
    hand.network.peer_shuts(peer);
    for _ in 0..2 {
        let end = Answer::Received { length: 0, end: true, truncated: false, remote: None };
        assert_eq!(hand.must(tag(1), receive(BUFFERS, 100)), end);
    }
    hand.assert_nothing_leaks();
}

#[test]
fn a_close_sends_first_and_an_abort_does_not() {
    for abort in [false, true] {
        let mut hand = Hand::new(Setup::new(4, 1));
        let peer = hand.stream(tag(1));
        let sends: Vec<_> = (0..3).map(|_| hand.ask(tag(1), send(BUFFERS, 4096))).collect();
        let waiting = hand.ask(tag(1), receive(BUFFERS + 0x8000, 10));
        let close = hand.ask(tag(1), Call::Close { abort });
        let late = hand.ask(tag(1), receive(BUFFERS, 10));
        hand.run(100);
        assert_eq!(hand.answers[&waiting].status, Status::Closed);
        assert!(matches!(hand.answers[&late].status, Status::Closed | Status::NoSession));
        assert_eq!(hand.answers.contains_key(&close), abort);
        let mut length = 0;
        for _ in 0..2000 {
            length += hand.network.peer_reads(peer).len();
            hand.step();
        }
        assert_eq!(hand.answers[&close].status, Status::Ok);
        let last = hand.answers[&sends[2]];
        if abort {
            assert_eq!((last.status, last.answer), (Status::Closed, Answer::Sent { length: 0 }));
            assert_eq!(hand.network.peer_end(peer), Some(Err(Status::Reset)));
        } else {
            assert_eq!((last.status, length), (Status::Ok, 3 * 4096));
            assert_eq!(hand.network.peer_end(peer), Some(Ok(())));
        }
        assert_eq!(hand.call(tag(1), Call::Status), (Status::NoSession, Answer::None));
        hand.network.peer_leaves(peer);
        hand.assert_nothing_leaks();
    }
}

#[test]
fn a_close_that_the_other_end_holds_up_can_be_turned_into_an_abort() {
    let mut hand = Hand::new(Setup::new(5, 1));
    let _ = hand.stream(tag(1));
    let stuck = [0, 1, 2].map(|_| hand.ask(tag(1), send(BUFFERS, 4096)));
    let close = hand.ask(tag(1), Call::Close { abort: false });
    hand.run(500);
    assert!(!hand.answers.contains_key(&close));
    let abort = hand.ask(tag(1), Call::Close { abort: true });
    assert_eq!((hand.answer(close).status, hand.answer(abort).status), (Status::Ok, Status::Ok));
    assert_eq!(stuck.map(|t| hand.answer(t).status), [Status::Ok, Status::Ok, Status::Closed]);
    hand.assert_nothing_leaks();
}

#[test]
fn a_reset_ends_what_waits_with_its_status() {
    let mut hand = Hand::new(Setup::new(6, 1));
    let peer = hand.stream(tag(1));
    let waiting = hand.ask(tag(1), receive(BUFFERS, 10));
    let stuck = hand.ask(tag(1), send(BUFFERS, 10_000));
    let shut = hand.ask(tag(1), Call::Shutdown { receive: false, send: true });
    let watch = hand.ask(tag(1), Call::Watch { mask: 0 });
    hand.run(200);
    hand.network.peer_resets(peer);
    for transaction in [waiting, stuck, shut] {
        assert_eq!(hand.answer(transaction).status, Status::Reset);
    }
    // A buffer of the card's and one of the peer's were filled.
    assert_eq!(hand.answer(stuck).answer, Answer::Sent { length: 8192 });
    assert_eq!(hand.answer(watch).answer, Answer::Ready { ready: ready::ERROR });
    assert_eq!(hand.call(tag(1), send(BUFFERS, 1)).0, Status::Reset);
    let Answer::Status { state, .. } = hand.must(tag(1), Call::Status) else { panic!() };
    assert_eq!(state, State::Over);
    hand.must(tag(1), Call::Close { abort: false });
    hand.assert_nothing_leaks();
}

#[test]
fn calls_that_a_socket_cannot_do_have_a_defined_status() {
    let mut hand = Hand::new(Setup::new(7, 2));
    let (here, there) = (address("10.0.0.1:80"), address("192.0.2.1:1"));
    let status = |hand: &mut Hand, index, call| hand.call(tag(index), call).0;
    let udp = Call::Create { protocol: Protocol::Udp, family: Family::V4 };
    assert_eq!(status(&mut hand, 1, Call::Status), Status::NoSession);
    for (index, call) in [(1, TCP), (2, TCP), (3, udp), (4, TCP)] {
        hand.must(tag(index), call);
    }
    assert_eq!(status(&mut hand, 1, TCP), Status::TagInUse);
    assert_eq!(status(&mut hand, 1, Call::Listen { backlog: 1 }), Status::WrongState);
    assert_eq!(status(&mut hand, 1, Call::Accept { tag: tag(9) }), Status::WrongState);
    assert_eq!(status(&mut hand, 1, receive(BUFFERS, 1)), Status::NotConnected);
    hand.must(tag(1), Call::Bind { local: here });
    assert_eq!(status(&mut hand, 1, Call::Bind { local: here }), Status::WrongState);
    assert_eq!(status(&mut hand, 2, Call::Bind { local: here }), Status::AddressInUse);
    hand.must(tag(1), Call::Listen { backlog: 1 });
    assert_eq!(status(&mut hand, 1, Call::Accept { tag: tag(2) }), Status::TagInUse);
    assert_eq!(status(&mut hand, 1, Call::Accept { tag: Tag::new(1, 9, 0) }), Status::WrongProcessor);
    assert_eq!(status(&mut hand, 1, Call::Connect { remote: there }), Status::WrongState);
    assert_eq!(status(&mut hand, 2, Call::Connect { remote: there }), Status::Refused);
    assert_eq!(status(&mut hand, 3, Call::Listen { backlog: 1 }), Status::Unsupported);
    let group = Some("224.0.0.251".parse().unwrap());
    let join = Call::SetOption { option: Opt::Join, value: 0, group };
    assert_eq!(status(&mut hand, 1, join), Status::Unsupported);
    let silent = hand.ask(tag(4), Call::Connect { remote: address("192.0.2.1:9999") });
    hand.run(200);
    assert!(!hand.answers.contains_key(&silent));
    assert_eq!(hand.must(tag(4), Call::Cancel { transaction: silent }), Answer::Cancelled { found: true });
    assert_eq!(hand.must(tag(4), Call::Cancel { transaction: silent }), Answer::Cancelled { found: false });
    assert_eq!(hand.answer(silent).status, Status::Cancelled);
    assert_eq!(status(&mut hand, 4, receive(BUFFERS, 1)), Status::Cancelled);
    assert_eq!(hand.ism().counters().refused.of(Status::WrongState), 4);
    hand.assert_nothing_leaks();
}

#[test]
fn options_are_kept_and_events_come_when_they_happen() {
    let mut hand = Hand::new(Setup::new(8, 1));
    let peer = hand.stream(tag(1));
    let keep_alive = Call::SetOption { option: Opt::KeepAlive, value: 30, group: None };
    assert_eq!(hand.must(tag(1), keep_alive), Answer::None);
    assert_eq!(hand.must(tag(1), Call::GetOption { option: Opt::KeepAlive }), Answer::Value { value: 30 });
    assert_eq!(hand.call(tag(1), Call::GetOption { option: Opt::Join }).0, Status::Unsupported);
    let write = Answer::Ready { ready: ready::WRITE };
    assert_eq!(hand.must(tag(1), Call::Watch { mask: ready::WRITE | ready::READ }), write);
    let watch = hand.ask(tag(1), Call::Watch { mask: ready::READ });
    hand.run(100);
    assert!(!hand.answers.contains_key(&watch));
    hand.network.peer_writes(peer, b"x");
    assert_eq!(hand.answer(watch).answer, Answer::Ready { ready: ready::READ });
    let Answer::Status { state, readable, writable, local, remote } = hand.must(tag(1), Call::Status) else { panic!() };
    assert_eq!((state, readable, writable), (State::Connected, 1, 4096));
    assert_eq!(remote, Some(address("192.0.2.9:7001")));
    assert!(local.is_some());
    hand.listener(tag(2), address("10.0.0.1:80"));
    let watch = hand.ask(tag(2), Call::Watch { mask: ready::ACCEPT });
    hand.run(50);
    assert!(!hand.answers.contains_key(&watch));
    hand.network.dial(address("192.0.2.1:5"), address("10.0.0.1:80")).unwrap();
    assert_eq!(hand.answer(watch).answer, Answer::Ready { ready: ready::ACCEPT });
    hand.assert_nothing_leaks();
}

#[test]
fn credits_count_what_is_under_way_and_beyond_them_is_refused() {
    let mut hand = Hand::new(Setup::new(9, 1));
    let peer = hand.stream(tag(1));
    let waiting: Vec<_> = (0..8).map(|_| hand.ask(tag(1), receive(BUFFERS, 1))).collect();
    let beyond = hand.ask(tag(1), receive(BUFFERS, 1));
    let reply = hand.answer(beyond);
    assert_eq!((reply.status, reply.credits), (Status::NoCredit, 0));
    hand.network.peer_writes(peer, b"abc");
    let credits = [0, 1, 2].map(|i| hand.answer(waiting[i]).credits);
    assert_eq!(credits, [1, 2, 3]);
    // What needs no credit is done all the same.
    assert_eq!(hand.must(tag(1), Call::Cancel { transaction: waiting[7] }), Answer::Cancelled { found: true });
    hand.assert_nothing_leaks();
}

#[test]
fn sessions_are_limited_those_included_that_a_connection_is_awaited_for() {
    let mut hand = Hand::new(Setup::new(10, 1));
    hand.listener(tag(0), address("10.0.0.1:80"));
    let accept = hand.ask(tag(0), Call::Accept { tag: tag(50) });
    (1..11).for_each(|index| assert_eq!(hand.must(tag(index), TCP), Answer::None));
    assert_eq!(hand.call(tag(11), TCP).0, Status::NoRoom);
    assert_eq!(hand.call(tag(0), Call::Accept { tag: tag(51) }).0, Status::NoRoom);
    assert_eq!(hand.call(tag(50), TCP).0, Status::TagInUse);
    hand.must(tag(0), Call::Cancel { transaction: accept });
    assert_eq!(hand.call(tag(50), TCP).0, Status::Ok);
    hand.must(tag(1), Call::Close { abort: false });
    assert_eq!(hand.call(tag(12), TCP).0, Status::Ok);
    assert_eq!(hand.ism().sessions(), 12);
    hand.assert_nothing_leaks();
}

#[test]
fn a_cancelled_send_says_how_much_of_it_was_sent() {
    let mut hand = Hand::with(Setup::new(11, 1), |p| Config { credits: 3, ..config(p) });
    let peer = hand.stream(tag(1));
    let long = hand.ask(tag(1), send(BUFFERS, 60_000));
    let behind = hand.ask(tag(1), send(BUFFERS, 10));
    hand.run(300);
    assert_eq!(hand.must(tag(1), Call::Cancel { transaction: behind }), Answer::Cancelled { found: true });
    assert_eq!(hand.must(tag(1), Call::Cancel { transaction: long }), Answer::Cancelled { found: true });
    let reply = hand.answer(long);
    assert_eq!((reply.status, reply.answer), (Status::Cancelled, Answer::Sent { length: 8192 }));
    assert_eq!(hand.answer(behind).answer, Answer::Sent { length: 0 });
    let after = hand.ask(tag(1), send(BUFFERS, 5));
    let mut length = 0;
    for _ in 0..500 {
        length += hand.network.peer_reads(peer).len();
        hand.step();
    }
    assert_eq!((hand.answer(after).status, length), (Status::Ok, 8197));
    hand.assert_nothing_leaks();
}
