//! The message queue manager and the busy flag (66.1, 68.3, 68.4, 68.5).

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use soft_cores::kernel::interrupt::{Policy, Source};
use soft_cores::kernel::message::{Kind, Message, SendError};
use soft_cores::kernel::scheduler::Priority;
use soft_cores::kernel::startup::Config;
use soft_cores::platform::Platform;

use crate::card::{Card, Delays, World};
use crate::machine::{End, Machine, Setup};
use crate::{Log, free_machine, machine, seeds};

fn message(number: u32) -> Message {
    Message { kind: Kind::Notice, address: number, length: number + 1, context: number + 2 }
}

#[test]
fn kinds_are_numbers_that_both_sides_know() {
    let numbers: Vec<_> = Kind::ALL.into_iter().map(|kind| kind as u32).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
    for (number, kind) in (1..).zip(Kind::ALL) {
        assert_eq!(Kind::of(number), Some(kind));
    }
    assert_eq!((Kind::of(0), Kind::of(6), Kind::of(u32::MAX), Kind::of(0x101)), (None, None, None, None));
}

#[test]
fn row_68_4_a_message_goes_to_its_processor_word_by_word_and_a_full_queue_is_the_senders_to_see() {
    let machine = free_machine();
    for number in 0..16 {
        assert_eq!(machine.kernel.send(2, message(number)), Ok(()));
    }
    assert_eq!(machine.kernel.send(2, message(16)), Err(SendError::Full));
    assert_eq!(machine.kernel.send(3, message(17)), Ok(()));
    for nobody in [0, 4, usize::MAX] {
        assert_eq!(machine.kernel.send(nobody, message(0)), Err(SendError::NoSuchProcessor));
        assert_eq!(machine.kernel.post(nobody, message(0)), Err(SendError::NoSuchProcessor));
    }
    machine.native.card(|card| {
        assert_eq!(card.messages_sent.len(), 17);
        assert_eq!(card.messages_sent[5], (2, [4, 5, 6, 7]));
        assert_eq!(card.messages_sent[16], (3, [4, 17, 18, 19]));
        assert_eq!(card.refused[4], 0, "the card was not asked to refuse");
        // Room is read when the known room is used up, not before every message.
        assert_eq!((card.reads[&0x160], card.reads[&0x170]), (1 + 2, 1 + 1));
    });
    let counters = machine.kernel.message_counters();
    assert_eq!((counters.sent, counters.refused, counters.deferred), (17, 1, 0));
}

#[test]
fn row_68_4_posted_messages_wait_in_order_within_a_bound_and_go_when_there_is_room() {
    let config = Config { backlog: 5, ..Config::default() };
    let mut machine = Machine::new(Card::new(0, 4), Setup::new(1), config).unwrap();
    for number in 0..21 {
        assert_eq!(machine.kernel.post(1, message(number)), Ok(()));
    }
    assert_eq!(machine.kernel.post(1, message(21)), Err(SendError::Full));
    assert_eq!(machine.kernel.backlog(), 5);
    // To another processor there is room.
    assert_eq!(machine.kernel.post(2, message(50)), Ok(()));
    machine.native.card(|card| {
        card.plan(5_000, World::Taken(1));
        card.plan(5_000, World::Taken(1));
        for _ in 0..3 {
            card.plan(20_000, World::Taken(1));
        }
    });
    // One that is sent while others wait must not go before them.
    machine
        .kernel
        .spawn(Priority::Normal, |kernel| {
            kernel.platform().work(5_400 - kernel.platform().now());
            while kernel.send(1, message(22)).is_err() {
                kernel.sleep(1_000).unwrap();
            }
        })
        .unwrap();
    machine.native.card(|card| card.plan(40_000, World::Taken(1)));
    assert_eq!(machine.run(), End::Asleep);
    let to_1: Vec<_> = machine
        .native
        .card(|card| card.messages_sent.iter().filter(|(to, _)| *to == 1).map(|(_, words)| words[1]).collect());
    assert_eq!(to_1, (0..21).chain([22]).collect::<Vec<_>>());
    assert_eq!((machine.kernel.backlog(), machine.kernel.message_counters().deferred), (0, 5));
}

#[test]
fn row_68_4_messages_are_received_once_in_order_and_senders_take_turns() {
    let mut machine = Machine::new(Card::new(3, 16), Setup::new(1), Config::default()).unwrap();
    let order = Rc::new(RefCell::new(Vec::new()));
    let taken = order.clone();
    machine.kernel.on_message(Kind::Notice, move |_, incoming| {
        let Message { address, length, context, .. } = incoming.message;
        assert_eq!((length, context), (address ^ 0x5555_5555, !address));
        taken.borrow_mut().push((incoming.from, address));
    });
    machine.native.card(|card| {
        for number in 0..12 {
            card.plan(1_000, World::Message(1, 4, number));
        }
        for number in 0..3 {
            card.plan(1_000, World::Message(7, 4, number));
            card.plan(1_000, World::Message(15, 4, number));
        }
    });
    machine.run();
    let lap = |number| [(7, number), (15, number), (1, number)];
    let expected: Vec<_> = (0..3).flat_map(lap).chain((3..12).map(|number| (1, number))).collect();
    assert_eq!(*order.borrow(), expected);
}

#[test]
fn kinds_that_nobody_knows_or_handles_are_counted_and_do_no_harm() {
    let mut machine = machine(1, Config::default());
    let log = Log::default();
    let notes = log.clone();
    machine.kernel.on_message(Kind::Notice, move |_, incoming| notes.note(format!("{}", incoming.message.address)));
    machine.native.card(|card| {
        for (number, kind) in [0, 6, 4, 0xFFFF_FFFE, 1, 4].into_iter().enumerate() {
            card.plan(1_000, World::Message(1, kind, number as u32));
        }
    });
    machine.run();
    assert_eq!(log.text(), "2, 5");
    let counters = machine.kernel.message_counters();
    assert_eq!((counters.received, counters.unknown, counters.unclaimed), (6, 3, 1));
    assert_eq!(machine.kernel.served(Source::Messages).items, 6);
}

#[test]
fn row_68_5_a_processor_says_that_it_is_busy_with_hysteresis() {
    let machine = free_machine();
    let thresholds = Config::default().busy;
    for load in [0, thresholds.high - 1, thresholds.high, thresholds.low + 1, thresholds.high, thresholds.low, 0] {
        machine.kernel.set_load(load);
    }
    // One write for each change, and one at the start.
    assert_eq!(machine.native.card(|card| card.busy_writes.clone()), [0, 1, 0]);
    assert_eq!(machine.kernel.busy_changes(), 2);
    assert!(machine.kernel.set_load(thresholds.high) && !machine.kernel.set_load(0));
}

#[test]
fn row_68_3_work_goes_to_a_processor_that_is_not_busy_and_owes_the_least() {
    let mut machine = Machine::new(Card::new(1, 4), Setup::new(1), Config::default()).unwrap();
    let work = |number| Message { kind: Kind::Packet, ..message(number) };
    let kernel = machine.kernel.clone();
    // In turn from the next one on.
    assert_eq!(kernel.least_busy(), Some(2));
    kernel.send(2, work(0)).unwrap();
    assert_eq!(kernel.least_busy(), Some(3));
    kernel.post(3, Message { kind: Kind::Transport, ..message(0) }).unwrap();
    kernel.send(0, message(0)).unwrap();
    assert_eq!(kernel.least_busy(), Some(0), "a notice is no work");
    kernel.send(0, work(0)).unwrap();
    kernel.send(2, work(0)).unwrap();
    assert_eq!(kernel.least_busy(), Some(3));
    // Returned work counts no more.
    machine.native.card(|card| {
        card.plan(1_000, World::Message(2, 3, 0));
        card.plan(1_000, World::Message(2, 3, 0));
        card.plan(1_000, World::Message(2, 3, 0));
    });
    machine.run();
    assert_eq!(kernel.least_busy(), Some(2));
    // Who says that it is busy is left alone, itself included.
    for (busy, expected) in
        [(0b0100, Some(3)), (0b1100, Some(0)), (0b1101, None), (0b0010, Some(2)), (0b1_0000, Some(2))]
    {
        machine.native.card(|card| card.plan(card.time() + 1, World::Busy(busy)));
        machine.native.card(|card| card.advance(1));
        let reads = machine.native.card(|card| card.reads.get(&0x104).copied());
        assert_eq!(kernel.least_busy(), expected, "{busy:#b}");
        assert_eq!(machine.native.card(|card| card.reads.get(&0x104).copied()), reads.map(|reads| reads + 1));
    }
}

#[test]
fn who_has_a_backlog_is_not_asked_for_help() {
    let machine = free_machine();
    for number in 0..17 {
        machine.kernel.post(1, message(number)).unwrap();
    }
    assert_eq!((machine.kernel.backlog(), machine.kernel.least_busy()), (1, Some(2)));
}

#[test]
fn row_68_4_no_message_is_lost_between_any_pair_under_random_interrupts() {
    let mut messages = 0;
    for seed in seeds(20) {
        let budget = [1, 4, 16][seed as usize % 3];
        let config = Config { policy: Policy { budget, ..Policy::default() }, ..Config::default() };
        let mut machine = Machine::new(Card::new(2, 8), Setup::new(seed), config).unwrap();
        machine.native.card(|card| card.delays = Delays { take: 1500, ..Delays::default() });
        let received = Rc::new(RefCell::new(BTreeMap::<usize, Vec<u32>>::new()));
        let posted = Rc::new(RefCell::new(BTreeMap::<usize, Vec<u32>>::new()));
        let (takes, echoes) = (received.clone(), posted.clone());
        // Some are answered from the handler, while a thread sends too.
        machine.kernel.on_message(Kind::Notice, move |kernel, incoming| {
            takes.borrow_mut().entry(incoming.from).or_default().push(incoming.message.address);
            if incoming.message.address % 4 == 0 && kernel.post(incoming.from, incoming.message).is_ok() {
                echoes.borrow_mut().entry(incoming.from).or_default().push(incoming.message.address);
            }
        });
        let (posts, refused) = (posted.clone(), Rc::new(Cell::new(0)));
        let refusals = refused.clone();
        machine
            .kernel
            .spawn(Priority::Low, move |kernel| {
                for number in 0..400 {
                    let to = [0, 1, 3, 4, 5, 6, 7][kernel.platform().draw(7) as usize];
                    // Between the answer and the book nobody else posts.
                    kernel.critical(|| match kernel.post(to, message(number)) {
                        Ok(()) => posts.borrow_mut().entry(to).or_default().push(number),
                        Err(_) => refusals.set(refusals.get() + 1),
                    });
                    kernel.platform().work(kernel.platform().draw(100));
                }
            })
            .unwrap();
        let (mut cycle, mut planned) = (0, BTreeMap::<usize, Vec<u32>>::new());
        for number in 0..400 {
            cycle += machine.native.draw(150);
            let from = [0, 1, 3, 4, 5, 6, 7][machine.native.draw(7) as usize];
            planned.entry(from).or_default().push(number);
            machine.native.card(|card| card.plan(cycle, World::Message(from, 4, number)));
        }
        assert_eq!(machine.run(), End::Asleep, "seed {seed}");
        assert_eq!(*received.borrow(), planned, "seed {seed}");
        let mut sent = BTreeMap::<usize, Vec<u32>>::new();
        machine.native.card(|card| {
            for (to, words) in &card.messages_sent {
                sent.entry(*to).or_default().push(words[1]);
            }
            assert_eq!(card.refused[4], 0);
        });
        assert_eq!(sent, *posted.borrow(), "seed {seed}");
        let counters = machine.kernel.message_counters();
        assert!(refused.get() <= counters.refused);
        assert_eq!((counters.received, machine.kernel.backlog()), (400, 0));
        messages += counters.sent + counters.received;
    }
    assert!(messages > 700 || std::env::var("POINTSMAN_SEED").is_ok(), "{messages}");
}
