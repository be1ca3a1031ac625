//! Causes and who handles them (66.2), where they are handled (66.7), and polling instead (66.8).

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use soft_cores::kernel::account::Counters;
use soft_cores::kernel::interrupt::{Mode, Place, Policy, PolicyError, Source};
use soft_cores::kernel::message::Kind;
use soft_cores::kernel::pool::{PoolId, Shape};
use soft_cores::kernel::scheduler::Priority;
use soft_cores::kernel::startup::Config;
use soft_cores::kernel::{Wait, dma};
use soft_cores::platform::Platform;

use crate::card::{Card, Delays, World};
use crate::machine::{End, Machine, Setup};
use crate::{K, Log, free_machine, machine, on_host, seeds};

pub fn receive_pool(machine: &Machine, buffers: u32) -> PoolId {
    let shape = Shape { bytes: abi::limits::MAX_FRAME as u32, blocks: buffers, alignment: 64 };
    let pool = machine.kernel.pool(shape).unwrap();
    assert_eq!(machine.kernel.receive_into(pool, buffers as usize), buffers as usize);
    pool
}

fn copy(length: u32) -> dma::Copy {
    let (source, destination) = (dma::Endpoint::Host(0x1234), dma::Endpoint::Card(0x2000));
    dma::Copy { source, destination, length, fence: false }
}

const POLICY: Policy = Policy { mode: Mode::Interrupt, place: Place::Interrupt, budget: 16 };

fn config(policy: Policy) -> Config {
    Config { policy, ..Config::default() }
}

#[test]
fn row_66_2_each_cause_reaches_its_handler_and_is_acknowledged() {
    let mut machine = free_machine();
    let log = Log::default();
    let note = |what: &'static str| {
        let log = log.clone();
        move |kernel: &K| log.note(format!("{what} at {}", kernel.platform().now()))
    };
    let (timer, host, message) = (note("timer"), note("host"), note("message"));
    let (frame, sent, report) = (note("frame"), note("sent"), note("report"));
    receive_pool(&machine, 4);
    machine.kernel.call_at(10, move |kernel, _| timer(kernel)).unwrap();
    on_host(&machine, move |kernel, _| host(kernel));
    machine.kernel.on_message(Kind::Notice, move |kernel, _| message(kernel));
    machine.kernel.on_frame(move |kernel, _| frame(kernel));
    machine.kernel.on_sent(move |kernel, _| sent(kernel));
    machine.kernel.push(&[copy(64)], None, dma::Then::Call(Box::new(move |kernel, _| report(kernel)))).unwrap();
    let frame = abi::transmit::Send { address: 0x2000, length: 60, ..Default::default() };
    machine.kernel.transmit(frame, 0).unwrap();
    machine.native.card(|card| {
        // A command, then data: each has a cause of its own.
        card.plan(20, World::Host(4 | 1));
        card.plan(25, World::Host(8 | 2));
        card.plan(30, World::Message(2, Kind::Notice as u32, 0));
        card.plan(40, World::Frame(60, 0));
        card.plan(50, World::Sent);
        card.plan(60, World::Copied(0));
        card.refuse_message();
    });
    assert_eq!(machine.run(), End::Asleep);
    let expected = "timer at 10, host at 20, host at 25, message at 30, frame at 40, sent at 50, report at 60";
    assert_eq!(log.text(), expected);
    machine.native.card(|card| {
        // The error first, for it was there from the start.
        assert_eq!(card.acknowledged[1..], [0x80, 1, 6, 6, 8, 0x30, 0x30, 0x40]);
        assert!(!card.line() && card.left_over() == 0);
    });
    assert_eq!(machine.kernel.refused().messages, 1);
    assert_eq!((machine.kernel.counters().interrupts, machine.kernel.counters().spurious), (8, 0));
}

#[test]
fn row_66_2_what_is_refused_is_counted_over_the_wrap_of_its_counter() {
    let mut machine = machine(1, Config::default());
    machine.native.card(|card| card.refused = [0xFFFE, 0, 7, 0, 0]);
    machine.native.card(|card| card.refuse_message());
    machine.run();
    machine.native.card(|card| {
        card.refused[0] = 3;
        card.refuse_message();
    });
    machine.native.card(|card| card.plan(100_000, World::Busy(0)));
    machine.run();
    let refused = machine.kernel.refused();
    assert_eq!((refused.buffers, refused.mfas, refused.messages), (0xFFFE + 5, 7, 2));
}

/// What a processor had to do, and what it did.
#[derive(Default)]
struct Books {
    frames: RefCell<Vec<u32>>,
    messages: RefCell<BTreeMap<usize, Vec<u32>>>,
    host: RefCell<Vec<u32>>,
    sent: RefCell<Vec<u32>>,
    reports: RefCell<Vec<u32>>,
    copies: Cell<u32>,
    ticks: Cell<u64>,
}

const ROUNDS: u32 = 120;
const PERIOD: u64 = 1_100;

fn users(machine: &Machine, books: &Rc<Books>) {
    let kernel = &machine.kernel;
    let shape = Shape { bytes: 2048, blocks: 12, alignment: 64 };
    let pool = kernel.pool(shape).unwrap();
    let (frames, messages, host, sent) = (books.clone(), books.clone(), books.clone(), books.clone());
    kernel.on_frame(move |kernel, frame| {
        frames.frames.borrow_mut().push(frame.hash);
        kernel.platform().work(20);
        kernel.release(frame.address).unwrap();
    });
    kernel.on_message(Kind::Notice, move |_, incoming| {
        messages.messages.borrow_mut().entry(incoming.from).or_default().push(incoming.message.address);
    });
    on_host(machine, move |_, number| host.host.borrow_mut().push(number));
    kernel.on_sent(move |kernel, frame| {
        sent.sent.borrow_mut().push(frame.context);
        kernel.free(frame.address).unwrap();
    });
    let ticks = books.clone();
    kernel.call_every(5_000, PERIOD, move |_, due| ticks.ticks.set(ticks.ticks.get() + due)).unwrap();
    let (reports, copies) = (books.clone(), books.clone());
    let sender = move |kernel: &K| {
        for number in 0..ROUNDS {
            let address = loop {
                match kernel.alloc(pool) {
                    Ok(address) => break address,
                    Err(_) => kernel.sleep(100).unwrap(),
                }
            };
            kernel.transmit(abi::transmit::Send { address, length: 60, ..Default::default() }, number).unwrap();
            kernel.platform().work(kernel.platform().draw(300));
        }
    };
    let pusher = move |kernel: &K| {
        for number in 0..ROUNDS {
            let list = [copy(100); 3];
            let books = reports.clone();
            let report = move |_: &K, outcome: dma::Outcome| {
                assert_eq!(outcome.bytes, 100 * (1 + number % 3));
                books.reports.borrow_mut().push(number);
            };
            while kernel
                .push(&list[..1 + number as usize % 3], None, dma::Then::Call(Box::new(report.clone())))
                .is_err()
            {
                kernel.sleep(100).unwrap();
            }
            kernel.platform().work(kernel.platform().draw(300));
        }
    };
    let copier = move |kernel: &K| {
        for length in 1..=ROUNDS {
            match kernel.copy(&[copy(length)], Wait::Forever) {
                Ok(bytes) => {
                    assert_eq!(bytes, length);
                    copies.copies.set(copies.copies.get() + 1);
                }
                Err(error) => assert_eq!(error, dma::DmaError::Full),
            }
            kernel.sleep(200).unwrap();
        }
    };
    kernel.spawn(Priority::Normal, sender).unwrap();
    kernel.spawn(Priority::Low, pusher).unwrap();
    kernel.spawn(Priority::Normal, copier).unwrap();
}

#[test]
fn row_66_2_and_66_8_nothing_is_lost_and_nothing_is_done_twice_in_any_mode() {
    let mut handled = BTreeMap::new();
    let mut changes = 0;
    let adaptive = Mode::Adaptive { full: 2, empty: 3 };
    for seed in seeds(36) {
        let mode = [Mode::Interrupt, Mode::Poll, adaptive][seed as usize % 3];
        let place = [Place::Interrupt, Place::Thread][seed as usize / 3 % 2];
        let budget = [1, 3, 16][seed as usize / 6 % 3];
        let setup = Setup { limit: 300_000, ..Setup::new(seed) };
        let mut machine = Machine::new(Card::new(0, 4), setup, config(Policy { mode, place, budget })).unwrap();
        receive_pool(&machine, 20);
        let books = Rc::new(Books::default());
        users(&machine, &books);
        let mut planned = BTreeMap::<usize, Vec<u32>>::new();
        let native = machine.native.clone();
        native.card(|card| card.delays = Delays { send: 80, copy: 120, take: 0 });
        let (mut frame, mut rest) = (0, 0);
        for number in 0..600 {
            // In bursts, so that queues fill.
            frame += native.draw(if number / 50 % 2 == 0 { 80 } else { 600 });
            rest += native.draw(500);
            let from = 1 + native.draw(3) as usize;
            planned.entry(from).or_default().push(number);
            native.card(|card| {
                card.plan(frame, World::Frame(60, number));
                card.plan(rest, World::Message(from, Kind::Notice as u32, number));
                card.plan(rest + 7, World::Host(number << 2 | (1 + number % 2)));
            });
        }
        machine.run();
        let context = format!("seed {seed}, {mode:?}, {place:?}, budget {budget}");
        let dropped = machine.native.card(|card| card.dropped.clone());
        let frames: Vec<_> = (0..600).filter(|number| !dropped.contains(number)).collect();
        assert_eq!(*books.frames.borrow(), frames, "{context}");
        assert!(frames.len() > if budget == 1 { 100 } else { 300 }, "{context}: {} frames", frames.len());
        assert_eq!(*books.messages.borrow(), planned, "{context}");
        assert_eq!(*books.host.borrow(), (0..600).collect::<Vec<_>>(), "{context}");
        assert_eq!(*books.sent.borrow(), (0..ROUNDS).collect::<Vec<_>>(), "{context}");
        assert_eq!(*books.reports.borrow(), (0..ROUNDS).collect::<Vec<_>>(), "{context}");
        assert!(books.copies.get() > ROUNDS / 2, "{context}: {} copies", books.copies.get());
        let ticks = (machine.time() - 5_000) / PERIOD + 1;
        assert!((ticks - 1..=ticks).contains(&books.ticks.get()), "{context}: {ticks}");
        assert_eq!(machine.native.card(|card| card.left_over()), 0, "{context}");
        assert_eq!(machine.native.card(|card| card.free_buffers()), 20, "{context}");
        assert_eq!(machine.kernel.mac_counters().foreign + machine.kernel.dma_counters().foreign, 0, "{context}");
        let served = machine.kernel.served(Source::Mac);
        assert!(served.items >= frames.len() as u64, "{context}: {served:?}");
        assert!(served.full > 0 || budget == 16, "{context}: {served:?}");
        changes += served.to_polling + served.to_interrupts;
        *handled.entry(format!("{mode:?} {place:?} {budget}")).or_insert(0) += frames.len();
    }
    assert!(std::env::var("POINTSMAN_SEED").is_ok() || (handled.len() == 18 && changes > 20), "{handled:?}, {changes}");
}

/// A number of frames, some cycles apart, to a processor that does nothing else.
fn frames_apart(policy: Policy, frames: u32, apart: u64) -> (Machine, Counters) {
    let setup = Setup { limit: 200_000, ..Setup::new(5) };
    let mut machine = Machine::new(Card::new(0, 4), setup, config(policy)).unwrap();
    receive_pool(&machine, 64);
    let count = Rc::new(Cell::new(0));
    let counts = count.clone();
    machine.kernel.on_frame(move |kernel, frame| {
        counts.set(counts.get() + 1);
        kernel.platform().work(50);
        kernel.release(frame.address).unwrap();
    });
    machine.native.card(|card| {
        for number in 0..frames {
            card.plan(10_000 + u64::from(number) * apart, World::Frame(60, number));
        }
    });
    machine.run();
    assert_eq!(count.get(), frames, "{policy:?}");
    let counters = machine.kernel.counters();
    (machine, counters)
}

#[test]
fn row_66_7_protocol_processing_at_interrupt_level_saves_the_context_switches() {
    let (_, at_interrupt) = frames_apart(POLICY, 100, 1000);
    let (machine, in_thread) = frames_apart(Policy { place: Place::Thread, ..POLICY }, 100, 1000);
    assert_eq!((at_interrupt.context_switches, at_interrupt.entries), (0, 0));
    // To the service thread and back to the idle loop, for each frame; and once at the start.
    assert_eq!((in_thread.context_switches, in_thread.entries), (202, 101));
    assert_eq!((at_interrupt.interrupts, in_thread.interrupts), (100, 100));
    assert_eq!(machine.native.switches(), (202, 202));
}

#[test]
fn row_66_7_the_place_is_a_choice_of_the_running_kernel() {
    let mut machine = machine(2, config(POLICY));
    receive_pool(&machine, 8);
    let log = Log::default();
    let seen = log.clone();
    machine.kernel.on_frame(move |kernel, frame| {
        seen.note(if kernel.current().is_some() { "thread" } else { "interrupt" });
        let place = if frame.hash % 2 == 0 { Place::Thread } else { Place::Interrupt };
        kernel.set_policy(Source::Mac, Policy { place, ..POLICY }).unwrap();
        kernel.release(frame.address).unwrap();
    });
    machine.native.card(|card| {
        for (number, cycle) in [2000, 4000, 4001, 4002, 9000, 12_000].into_iter().enumerate() {
            card.plan(cycle, World::Frame(60, number as u32));
        }
    });
    assert_eq!(machine.run(), End::Asleep);
    // What is under way ends where it began.
    assert_eq!(log.text(), "interrupt, thread, thread, thread, interrupt, thread");
    let refused = machine.kernel.set_policy(Source::Timer, Policy { place: Place::Thread, ..POLICY });
    assert_eq!(refused, Err(PolicyError::TimerInThread));
    assert_eq!(machine.kernel.set_policy(Source::Mac, Policy { budget: 0, ..POLICY }), Err(PolicyError::Zero));
}

#[test]
fn row_66_8_mac_and_dma_can_be_polled_and_then_never_interrupt() {
    for place in [Place::Interrupt, Place::Thread] {
        let policy = Policy { mode: Mode::Poll, place, ..POLICY };
        let (machine, counters) = frames_apart(policy, 100, 1000);
        machine.native.card(|card| assert_eq!(card.mask() & 0x70, 0x70));
        // The timer that looks in case the processor does not idle is all that interrupts.
        let looks = machine.time() / Config::default().poll_period;
        assert!((looks - 5..=looks).contains(&counters.interrupts), "{} interrupts", counters.interrupts);
        assert_eq!(counters.context_switches, if place == Place::Thread { 202 } else { 0 });
    }
}

#[test]
fn row_66_8_a_processor_that_does_not_idle_still_looks_every_poll_period() {
    let policy = Policy { mode: Mode::Poll, ..POLICY };
    let setup = Setup { limit: 100_000, ..Setup::new(5) };
    let mut machine = Machine::new(Card::new(0, 4), setup, config(policy)).unwrap();
    receive_pool(&machine, 8);
    let (late, count) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let (latest, counts) = (late.clone(), count.clone());
    machine.kernel.on_frame(move |kernel, frame| {
        latest.set(latest.get().max(kernel.platform().now() - u64::from(frame.hash)));
        counts.set(counts.get() + 1);
        kernel.release(frame.address).unwrap();
    });
    machine.kernel.spawn(Priority::Low, |kernel| kernel.platform().work(1_000_000)).unwrap();
    machine.native.card(|card| {
        for number in 1..90 {
            let cycle = number * 1013;
            card.plan(cycle, World::Frame(60, cycle as u32));
        }
    });
    machine.run();
    assert_eq!(count.get(), 89);
    let period = Config::default().poll_period;
    assert!((period / 2..period + 200).contains(&late.get()), "{} cycles late", late.get());
}

#[test]
fn row_66_8_a_thread_can_look_by_itself() {
    let policy = Policy { mode: Mode::Poll, ..POLICY };
    let config = Config { poll_period: 1 << 40, ..config(policy) };
    let mut machine = Machine::new(Card::new(0, 4), Setup { limit: 50_000, ..Setup::new(5) }, config).unwrap();
    receive_pool(&machine, 8);
    let log = Log::default();
    let frames = log.clone();
    machine.kernel.on_frame(move |kernel, frame| {
        frames.note(format!("frame {}", frame.hash));
        kernel.poll();
        kernel.release(frame.address).unwrap();
    });
    let looks = log.clone();
    machine
        .kernel
        .spawn(Priority::Normal, move |kernel| {
            for _ in 0..3 {
                kernel.platform().work(10_000);
                looks.note("look");
                kernel.poll();
            }
        })
        .unwrap();
    machine.native.card(|card| {
        for (number, cycle) in [5_000, 5_001, 25_000].into_iter().enumerate() {
            card.plan(cycle, World::Frame(60, number as u32));
        }
    });
    machine.run();
    assert_eq!(log.text(), "look, frame 0, frame 1, look, look, frame 2");
}

#[test]
fn row_66_8_an_adaptive_source_polls_under_load_and_interrupts_again_when_it_is_over() {
    let adaptive = Policy { mode: Mode::Adaptive { full: 3, empty: 4 }, place: Place::Interrupt, budget: 4 };
    // Faster than they are handled, and slower.
    let (loaded, under_load) = frames_apart(adaptive, 60, 20);
    let (quiet, at_rest) = frames_apart(adaptive, 60, 2000);
    let served = loaded.kernel.served(Source::Mac);
    assert_eq!((served.to_polling, served.to_interrupts), (1, 1));
    assert!(!loaded.kernel.is_polled(Source::Mac));
    let resting = quiet.kernel.served(Source::Mac);
    assert_eq!((resting.to_polling, resting.to_interrupts, resting.rounds), (0, 0, 60));
    assert_eq!(at_rest.interrupts, 60);
    assert!(under_load.interrupts < 10, "{} interrupts", under_load.interrupts);
}

#[test]
fn row_66_8_full_rounds_count_only_in_a_row() {
    // Eight frames at once are two full rounds. A pause, and again.
    let adaptive = Policy { mode: Mode::Adaptive { full: 3, empty: 4 }, place: Place::Interrupt, budget: 4 };
    let mut machine = machine(9, config(adaptive));
    receive_pool(&machine, 16);
    machine.kernel.on_frame(|kernel, frame| kernel.release(frame.address).unwrap());
    machine.native.card(|card| {
        for number in 0..80 {
            card.plan(5000 + u64::from(number / 8) * 3000, World::Frame(60, number));
        }
    });
    machine.run();
    let served = machine.kernel.served(Source::Mac);
    assert_eq!((served.items, served.full, served.to_polling), (80, 20, 0));
}
