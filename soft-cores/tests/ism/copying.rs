//! Copies that fail, frames that do not come, memory that must stay.

use abi::socket::{Answer, Call, Status};

use super::bench::Setup;
use super::hand::{BUFFERS, Hand, buffers, tag};
use super::seeds;

fn receive(at: u64, length: u32) -> Call {
    Call::Receive { list: buffers(&[(at, length)]) }
}

fn send(at: u64, length: u32) -> Call {
    Call::Send { remote: None, list: buffers(&[(at, length)]) }
}

/// Beyond the host's memory.
const NOWHERE: u64 = 0xFFFF_0000_0000;

#[test]
fn a_send_that_cannot_be_read_ends_the_connection_for_its_stream_has_a_hole() {
    let mut hand = Hand::new(Setup::new(1, 1));
    let peer = hand.stream(tag(1));
    hand.bench.write(BUFFERS, b"first");
    let first = hand.ask(tag(1), send(BUFFERS, 5));
    let bad = hand.ask(tag(1), send(NOWHERE, 5));
    let last = hand.ask(tag(1), send(BUFFERS, 5));
    assert_eq!(hand.answer(first).status, Status::Ok);
    assert_eq!((hand.answer(bad).status, hand.answer(last).status), (Status::Copy, Status::Copy));
    hand.run(50);
    assert_eq!(hand.network.peer_end(peer), Some(Err(Status::Reset)));
    assert_eq!(hand.call(tag(1), send(BUFFERS, 5)).0, Status::Copy);
    assert_eq!(hand.ism().counters().copies_failed, 1);
    hand.must(tag(1), Call::Close { abort: false });
    hand.assert_nothing_leaks();
}

#[test]
fn a_receive_that_cannot_be_written_loses_nothing_and_nothing_overtakes_it() {
    for seed in seeds(30) {
        let mut hand = Hand::new(Setup::new(seed, 1));
        let peer = hand.stream(tag(1));
        hand.network.peer_writes(peer, b"abcdefghij");
        hand.run(100);
        // The three are under way at once; the second goes nowhere.
        let asked = [BUFFERS, NOWHERE, BUFFERS + 100].map(|at| hand.ask(tag(1), receive(at, 2)));
        let status = asked.map(|transaction| hand.answer(transaction).status);
        assert_eq!((status[0], status[1]), (Status::Ok, Status::Copy), "seed {seed}");
        assert_eq!(hand.bench.read(BUFFERS, 2), b"ab");
        let from = if status[2] == Status::Ok { 4 } else { 2 };
        assert!(matches!(status[2], Status::Ok | Status::Copy));
        let mut rest = Vec::new();
        if from == 4 {
            rest.extend(hand.bench.read(BUFFERS + 100, 2));
        }
        while rest.len() < 8 {
            let Answer::Received { length, .. } = hand.must(tag(1), receive(BUFFERS, 3)) else { panic!() };
            rest.extend(hand.bench.read(BUFFERS, length as usize));
        }
        assert_eq!(rest, b"cdefghij", "seed {seed}");
        hand.assert_nothing_leaks();
    }
}

#[test]
fn row_69_6_without_outbound_frames_answers_wait_and_requests_are_taken_no_more() {
    let mut hand = Hand::new(Setup { inbound: 16, outbound: 2, ..Setup::new(2, 1) });
    let peer = hand.stream(tag(1));
    hand.listens = false;
    let asked: Vec<_> = (0..16).map(|_| hand.ask(tag(1), Call::Status)).collect();
    hand.run(500);
    // Two are posted, six are queued, and then the module listens no more.
    let taken = hand.ism().counters().messages;
    hand.run(500);
    assert_eq!(hand.ism().counters().messages, taken);
    assert!(taken < 18 + 2 + 2, "{taken}");
    hand.listens = true;
    for transaction in asked {
        assert_eq!(hand.answer(transaction).status, Status::Ok);
    }
    hand.network.peer_leaves(peer);
    hand.assert_nothing_leaks();
}

#[test]
fn row_69_6_a_frame_that_cannot_be_written_is_kept_for_the_next_answer() {
    let mut hand = Hand::new(Setup { outbound: 1, ..Setup::new(3, 1) });
    let _ = hand.stream(tag(1));
    hand.bench.inside().closed.push(super::bench::HOST_BASE..BUFFERS);
    let lost = hand.ask(tag(1), Call::Status);
    hand.run(500);
    assert_eq!((hand.ism().replies().lost, hand.ism().replies().retried, hand.ism().frames_in_hand()), (1, 3, 1));
    hand.bench.inside().closed.clear();
    let (status, _) = hand.call(tag(1), Call::Status);
    assert_eq!((status, hand.ism().frames_in_hand()), (Status::Ok, 0));
    assert!(!hand.answers.contains_key(&lost));
    hand.assert_nothing_leaks();
}

#[test]
fn copies_that_fail_now_and_then_are_made_again() {
    let mut without = 0;
    for seed in seeds(20) {
        let mut hand = Hand::new(Setup { faults: 100, ..Setup::new(seed, 1) });
        let peer = hand.stream(tag(1));
        for _ in 0..200 {
            let transaction = hand.ask(tag(1), Call::Status);
            let told = move |hand: &Hand| hand.answers.contains_key(&transaction);
            hand.run_until("an answer", |hand| told(hand) || hand.ism().replies().lost > 0);
            if hand.ism().replies().lost > 0 {
                // Four in a row fail once in 10,000.
                break;
            }
        }
        without += u32::from(hand.ism().replies().lost == 0);
        assert!(hand.ism().replies().retried > 0, "seed {seed}");
        hand.network.peer_leaves(peer);
        hand.bench.inside().setup.faults = 0;
        hand.assert_nothing_leaks();
    }
    assert!(without > 0);
}

#[test]
fn a_socket_stays_until_its_last_copy_has_ended_however_it_ends() {
    let mut aborted = 0;
    for seed in seeds(200) {
        // The bench holds every copy against the buffers that are alive.
        let mut hand = Hand::new(Setup { slow: 60, ..Setup::new(seed, 1) });
        let peer = hand.stream(tag(1));
        hand.network.peer_writes(peer, &[7; 3000]);
        hand.run(seed as usize % 40);
        let under_way = [
            hand.ask(tag(1), send(BUFFERS, 2000)),
            hand.ask(tag(1), receive(BUFFERS + 0x1000, 1000)),
            hand.ask(tag(1), send(BUFFERS, 2000)),
            hand.ask(tag(1), receive(BUFFERS + 0x2000, 1000)),
        ];
        hand.run(seed as usize % 23);
        let close = match seed % 4 {
            0 => hand.ask(tag(1), Call::Close { abort: true }),
            1 => hand.ask(tag(0), Call::Reset),
            2 => {
                hand.network.peer_resets(peer);
                hand.ask(tag(1), Call::Close { abort: false })
            }
            _ => {
                hand.network.peer_leaves(peer);
                hand.ask(tag(1), Call::Close { abort: false })
            }
        };
        assert_eq!(hand.answer(close).status, Status::Ok, "seed {seed}");
        for transaction in under_way {
            aborted += u32::from(hand.answer(transaction).status != Status::Ok);
        }
        hand.assert_nothing_leaks();
    }
    assert!(aborted > 0);
}
