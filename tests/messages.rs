//! Rows 68.4 and 68.5: messages between processors and the busy flag, on the verilated card.

use abi::csr::core;
use abi::limits::MESSAGE_QUEUE_DEPTH;
use abi::receive::EMPTY;
use cosim::cores::Machine;
use cosim::root_complex::Config;

const N: usize = 4;
const MESSAGE_CAUSE: u32 = 8;

fn card() -> Machine {
    Machine::new("n4w64".parse().unwrap(), Config::default(), 4096).unwrap()
}

/// A message: kind, address, length, context.
type Words = [u32; 4];

/// Queues a message without waiting.
fn send(card: &mut Machine, from: usize, to: usize, words: Words) {
    let port = &mut card.cores[from].port;
    port.write(core::MESSAGE_ADDRESS.offset, words[1]);
    port.write(core::MESSAGE_LENGTH.offset, words[2]);
    port.write(core::MESSAGE_CONTEXT.offset, words[3]);
    port.write(core::MESSAGE_SEND.at(to), words[0]);
}

fn sent(card: &mut Machine) {
    card.until(|card| card.cores.iter().all(|core| core.port.idle())).unwrap();
    card.ticks(10).unwrap();
}

fn take(card: &mut Machine, at: usize, from: usize) -> Option<Words> {
    let kind = card.core_read(at, core::MESSAGE_TAKE.at(from)).unwrap();
    let rest = [core::TAKEN_ADDRESS, core::TAKEN_LENGTH, core::TAKEN_CONTEXT];
    let [address, length, context] = rest.map(|register| card.core_read(at, register.offset).unwrap());
    (kind != EMPTY).then_some([kind, address, length, context])
}

fn words(from: usize, to: usize, number: usize) -> Words {
    let tag = (from << 16 | to << 8 | number) as u32;
    [tag, 0x1000_0000 | tag, 0x2000_0000 | tag, 0xffff_ffff - tag]
}

#[test]
fn row_68_4_there_is_a_queue_from_every_processor_to_every_processor() {
    let mut card = card();
    // As many messages as make each pair's count its own, a processor to itself included.
    let count = |from: usize, to: usize| 1 + (3 * from + 5 * to) % 13;
    for number in 0..13 {
        for from in 0..N {
            for to in (0..N).filter(|to| number < count(from, *to)) {
                send(&mut card, from, to, words(from, to, number));
            }
        }
    }
    sent(&mut card);
    let mut compared = 0;
    for to in 0..N {
        assert_eq!(card.core_read(to, core::MESSAGE_PENDING.offset).unwrap(), 0b1111);
        for from in 0..N {
            let expected = count(from, to) as u32;
            assert_eq!(card.core_read(to, core::MESSAGE_LEVEL.at(from)).unwrap(), expected, "{from} to {to}");
            let room = card.core_read(from, core::MESSAGE_SEND.at(to)).unwrap();
            assert_eq!(room, MESSAGE_QUEUE_DEPTH as u32 - expected, "{from} to {to}");
        }
        for from in (0..N).rev() {
            for number in 0..count(from, to) {
                assert_eq!(take(&mut card, to, from), Some(words(from, to, number)), "{from} to {to}");
                compared += 1;
            }
            assert_eq!(take(&mut card, to, from), None);
        }
        assert_eq!(card.core_read(to, core::MESSAGE_PENDING.offset).unwrap(), 0);
    }
    assert_eq!(compared, (0..N).flat_map(|from| (0..N).map(move |to| count(from, to))).sum::<usize>());
}

#[test]
fn row_68_4_the_order_of_a_pair_is_kept_whatever_others_send_and_whoever_takes() {
    let mut card = card();
    let mut compared = 0;
    // Three rings full at a time, all senders at once.
    for round in 0..4 {
        for number in 0..MESSAGE_QUEUE_DEPTH {
            (1..N).for_each(|from| send(&mut card, from, 0, words(from, 0, 16 * round + number)));
        }
        sent(&mut card);
        for number in 0..MESSAGE_QUEUE_DEPTH {
            for from in 1..N {
                assert_eq!(take(&mut card, 0, from), Some(words(from, 0, 16 * round + number)));
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 4 * 3 * MESSAGE_QUEUE_DEPTH);
    assert!((0..N).all(|from| take(&mut card, 0, from).is_none()));
}

#[test]
fn row_68_4_a_full_queue_refuses_counts_and_keeps_what_it_has() {
    let mut card = card();
    for number in 0..MESSAGE_QUEUE_DEPTH + 3 {
        send(&mut card, 2, 1, words(2, 1, number));
    }
    send(&mut card, 2, 3, words(2, 3, 0));
    send(&mut card, 0, 1, words(0, 1, 0));
    sent(&mut card);
    assert_eq!(card.core_read(2, core::MESSAGE_REFUSED.offset).unwrap(), 3);
    assert_eq!(card.core_read(2, core::MESSAGE_SEND.at(1)).unwrap(), 0, "no room");
    assert_eq!(card.core_read(2, core::IRQ_STATUS.offset).unwrap(), 0x80, "the sender is told");
    assert_eq!(card.core_read(0, core::MESSAGE_REFUSED.offset).unwrap(), 0, "another sender has its own room");
    for number in 0..MESSAGE_QUEUE_DEPTH {
        assert_eq!(take(&mut card, 1, 2), Some(words(2, 1, number)));
    }
    assert_eq!(take(&mut card, 1, 2), None);
    assert_eq!(take(&mut card, 1, 0), Some(words(0, 1, 0)));
    assert_eq!(take(&mut card, 3, 2), Some(words(2, 3, 0)));
    // There is room again.
    send(&mut card, 2, 1, words(2, 1, 99));
    sent(&mut card);
    assert_eq!(take(&mut card, 1, 2), Some(words(2, 1, 99)));
}

#[test]
fn row_68_4_a_message_interrupts_its_receiver_until_it_is_taken() {
    let mut card = card();
    (0..N).for_each(|p| card.core_write(p, core::IRQ_MASK.offset, !MESSAGE_CAUSE).unwrap());
    send(&mut card, 0, 3, words(0, 3, 1));
    send(&mut card, 1, 3, words(1, 3, 1));
    card.until(|card| card.cores[3].irq).unwrap();
    sent(&mut card);
    assert_eq!(card.core_read(3, core::MESSAGE_PENDING.offset).unwrap(), 0b0011, "from whom");
    for from in [0, 1] {
        card.core_write(3, core::IRQ_STATUS.offset, MESSAGE_CAUSE).unwrap();
        card.ticks(10).unwrap();
        assert!(card.cores[3].irq, "one is left");
        assert_eq!(take(&mut card, 3, from), Some(words(from, 3, 1)));
    }
    card.core_write(3, core::IRQ_STATUS.offset, MESSAGE_CAUSE).unwrap();
    card.ticks(10).unwrap();
    assert!(card.cores.iter().all(|core| !core.irq));
}

#[test]
fn row_68_4_there_is_no_queue_to_a_processor_that_does_not_exist() {
    let mut card = card();
    send(&mut card, 0, N, words(0, N, 1));
    send(&mut card, 0, 15, words(0, 15, 1));
    sent(&mut card);
    for p in [N, 15] {
        let there = [core::MESSAGE_SEND.at(p), core::MESSAGE_TAKE.at(p), core::MESSAGE_LEVEL.at(p)];
        assert_eq!(there.map(|offset| card.core_read(0, offset).unwrap()), [0; 3]);
    }
    assert!((0..N).all(|p| card.core_read(p, core::MESSAGE_PENDING.offset).unwrap() == 0));
}

#[test]
fn row_68_5_who_says_that_it_is_busy_is_seen_by_all_others_in_one_read() {
    let mut card = card();
    let mut flags = 0;
    for (p, busy) in [(2, 1), (0, 1), (2, 1), (3, 1), (2, 0), (1, 1), (0, 0), (1, 0), (3, 0)] {
        card.core_write(p, core::BUSY.offset, busy).unwrap();
        flags = flags & !(1 << p) | busy << p;
        card.ticks(3).unwrap();
        for reader in 0..N {
            assert_eq!(card.core_read(reader, core::BUSY_ALL.offset).unwrap(), flags, "seen by {reader}");
        }
        assert_eq!(card.core_read(p, core::BUSY.offset).unwrap(), busy);
    }
}

#[test]
fn row_68_5_the_others_pick_a_processor_that_is_not_busy() {
    let mut card = card();
    [1, 2].into_iter().for_each(|p| card.core_write(p, core::BUSY.offset, 1).unwrap());
    card.ticks(3).unwrap();
    // Processor 0 passes its work on by what it reads, as ¶68.3 says.
    let all = card.core_read(0, core::BUSY_ALL.offset).unwrap();
    let idle = (1..N).find(|p| all >> p & 1 == 0).unwrap();
    assert_eq!(idle, 3);
    send(&mut card, 0, idle, words(0, idle, 7));
    sent(&mut card);
    assert_eq!(take(&mut card, idle, 0), Some(words(0, idle, 7)));
}
