//! System initialization (66.3), and a card that says anything at all.

use std::cell::Cell;
use std::rc::Rc;

use soft_cores::kernel::busy::Thresholds;
use soft_cores::kernel::interrupt::{Mode, Place, Policy, PolicyError, Source};
use soft_cores::kernel::message::{Kind, Message};
use soft_cores::kernel::pool::Shape;
use soft_cores::kernel::scheduler::Priority;
use soft_cores::kernel::startup::{Config, StartError};
use soft_cores::kernel::{Wait, dma};
use soft_cores::platform::Platform;

use crate::card::{Card, World};
use crate::machine::{End, Machine, Setup};
use crate::{K, on_host, seeds};

fn refusal(card: Card, setup: Setup, config: Config) -> Option<StartError> {
    Machine::new(card, setup, config).err()
}

fn with(register: u32, value: u32) -> Option<StartError> {
    let mut card = Card::new(1, 4);
    card.overrides.insert(register, value);
    refusal(card, Setup::new(1), Config::default())
}

#[test]
fn row_66_3_start_up_reports_what_it_found() {
    let machine = Machine::new(Card::new(3, 16), Setup::new(1), Config::default()).unwrap();
    let found = machine.kernel.found();
    assert_eq!((found.number, found.processors), (3, 16));
    assert_eq!(found.memory(), 0x1000..0x10_0000);
    let depths = (found.receive_depth, found.send_depth, found.dma_depth, found.message_depth);
    assert_eq!(depths, (256, 64, 16, 16));
    assert!(found.started > 0 && found.started <= machine.time());
    // Host messages have no handler yet, and do not interrupt.
    assert_eq!(machine.native.card(|card| card.mask()), 0b0000_0110);
}

#[test]
fn row_66_3_start_up_names_what_is_wrong() {
    assert_eq!(with(0x000, 0xFFFF_FFFF), Some(StartError::Id { read: 0xFFFF_FFFF }));
    for index in [0x0404, 0x0100, 0x1101, 0x1112, 0] {
        assert_eq!(with(0x004, index), Some(StartError::Index { read: index }), "{index:#x}");
    }
    let depth = |register, read, expected| Some(StartError::Depth { register, read, expected });
    assert_eq!(with(0x010, 255), depth("RX_FREE", 255, 256));
    assert_eq!(with(0x034, 0), depth("TX_POST", 0, 64));
    assert_eq!(with(0x0D8, 17), depth("DMA_PUSH", 17, 16));
    assert_eq!(with(0x160, 15), depth("MESSAGE_SEND", 15, 16));
    // Its own queue is nobody's.
    assert_eq!(with(0x150, 15), None);
}

#[test]
fn row_66_3_start_up_refuses_a_memory_that_is_not_there() {
    let memory = |memory: std::ops::Range<u32>, bytes| {
        refusal(Card::new(0, 4), Setup { memory, bytes, ..Setup::new(1) }, Config::default())
    };
    assert_eq!(memory(0..9280, 9280), None);
    assert_eq!(memory(0..9279, 9279), Some(StartError::Memory { start: 0, end: 9279 }));
    #[allow(clippy::reversed_empty_ranges)]
    let reversed = 20_000..10_000;
    assert_eq!(memory(reversed, 20_000), Some(StartError::Memory { start: 20_000, end: 10_000 }));
    let end = (1 << 24) + 1;
    assert_eq!(memory(0..end, end as usize), Some(StartError::Memory { start: 0, end }));
    assert_eq!(memory(0..20_000, 19_999), Some(StartError::MemoryFault { address: 19_996 }));
}

#[test]
fn row_66_3_start_up_refuses_a_configuration_that_makes_no_sense() {
    let good = Config::default();
    let policy = |policy| Config { policy, ..good };
    for config in [
        Config { threads: 0, ..good },
        Config { timers: 0, ..good },
        Config { poll_period: 0, ..good },
        Config { backlog_retry: 0, ..good },
        Config { busy: Thresholds { high: 5, low: 5 }, ..good },
    ] {
        assert_eq!(refusal(Card::new(0, 4), Setup::new(1), config), Some(StartError::Config), "{config:?}");
    }
    let zero = Some(StartError::Policy(PolicyError::Zero));
    for bad in [
        Policy { budget: 0, ..Policy::default() },
        Policy { mode: Mode::Adaptive { full: 0, empty: 1 }, ..Policy::default() },
        Policy { mode: Mode::Adaptive { full: 1, empty: 0 }, ..Policy::default() },
    ] {
        assert_eq!(refusal(Card::new(0, 4), Setup::new(1), policy(bad)), zero, "{bad:?}");
    }
    let thread = policy(Policy { place: Place::Thread, ..Policy::default() });
    let no_stack = refusal(Card::new(0, 4), Setup { stacks: 0, ..Setup::new(1) }, thread);
    assert!(matches!(no_stack, Some(StartError::ServiceThread(_))), "{no_stack:?}");
}

fn copy(length: u32) -> dma::Copy {
    let (source, destination) = (dma::Endpoint::Host(0x1234), dma::Endpoint::Card(0x2000));
    dma::Copy { source, destination, length, fence: false }
}

/// A thread that uses everything there is, whatever comes of it.
fn use_everything(kernel: &K, pool: soft_cores::kernel::pool::PoolId, number: u32) {
    let soon = || Wait::Until(kernel.platform().now().saturating_add(100));
    let message = Message { kind: Kind::Packet, address: number, length: 1, context: 2 };
    let _ = kernel.send(1, message);
    let _ = kernel.post(2, message);
    if let Ok(address) = kernel.alloc(pool) {
        let frame = abi::transmit::Send { address, length: 60, ..Default::default() };
        if kernel.transmit(frame, number).is_err() {
            let _ = kernel.free(address);
        }
    }
    let _ = kernel.push(&[copy(64), copy(64)], None, dma::Then::Nothing);
    let _ = kernel.copy(&[copy(64)], soon());
    let _ = kernel.sleep(20);
    let _ = kernel.least_busy();
    kernel.set_load(number % 50);
    let _ = kernel.take_frame();
    let _ = kernel.take_sent();
    kernel.poll();
}

#[test]
fn whatever_the_registers_read_nothing_panics_and_nothing_stands_still() {
    let mut turns = 0;
    for seed in seeds(40) {
        let adaptive = Mode::Adaptive { full: 2, empty: 2 };
        let mode = [Mode::Interrupt, Mode::Poll, adaptive][seed as usize % 3];
        let place = [Place::Interrupt, Place::Thread][seed as usize / 3 % 2];
        let config = Config { policy: Policy { mode, place, budget: 4 }, ..Config::default() };
        let mut machine = Machine::new(Card::new(0, 4), Setup { limit: 300_000, ..Setup::new(seed) }, config).unwrap();
        let shape = Shape { bytes: 9216, blocks: 40, alignment: 64 };
        let pool = machine.kernel.pool(shape).unwrap();
        machine.kernel.receive_into(pool, 16);
        on_host(&machine, |_, _| ());
        machine.kernel.on_frame(|kernel, frame| {
            let _ = kernel.release(frame.address);
        });
        let count = Rc::new(Cell::new(0));
        let counts = count.clone();
        let user = move |kernel: &K| {
            loop {
                counts.set(counts.get() + 1);
                use_everything(kernel, pool, counts.get());
            }
        };
        machine.kernel.spawn(Priority::Normal, user).unwrap();
        machine.kernel.call_every(100, 77, |_, _| ()).unwrap();
        machine.native.card(|card| {
            card.delays = crate::card::Delays { send: 50, copy: 70, take: 90 };
            for number in 0..100 {
                card.plan(u64::from(number) * 997, World::Frame(60, number));
                card.plan(u64::from(number) * 1003, World::Message(1 + number as usize % 3, number, number));
            }
            card.turn_hostile(seed);
        });
        assert_eq!(machine.run(), End::OutOfTime, "seed {seed}");
        turns += count.get();
        let usage = machine.kernel.usage(pool).unwrap();
        assert!(usage.used <= 40 && machine.kernel.lists_under_way() <= 16, "seed {seed}: {usage:?}");
        assert!(machine.kernel.backlog() <= 3 * 64);
    }
    assert!(turns > 400, "{turns} turns");
}

#[test]
fn a_cause_that_stands_for_nothing_is_polled_until_it_is_gone() {
    let setup = Setup { limit: 100_000, ..Setup::new(3) };
    let mut machine = Machine::new(Card::new(0, 4), setup, Config::default()).unwrap();
    machine.native.card(|card| card.stuck = 0x40);
    let native = machine.native.clone();
    machine.kernel.call_at(60_000, move |_, _| native.card(|card| card.stuck = 0)).unwrap();
    let done = Rc::new(Cell::new(0));
    let end = done.clone();
    machine
        .kernel
        .spawn(Priority::Low, move |kernel| {
            kernel.platform().work(20_000);
            end.set(kernel.platform().now());
        })
        .unwrap();
    assert_eq!(machine.run(), End::Asleep);
    let served = machine.kernel.served(Source::Dma);
    assert_eq!((served.to_polling, served.to_interrupts, served.items), (1, 1, 0), "{served:?}");
    // A handful of interrupts, then a poll in every period.
    assert!((20_000..24_000).contains(&done.get()), "the thread was done at {}", done.get());
}
