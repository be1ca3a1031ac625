use std::cell::RefCell;
use std::collections::BTreeMap;

use soft_cores::platform::{Context, Event, Platform};

use super::costs::PerWord;
use super::*;
use crate::bridge::{Inputs, Outputs};

const IRQ_STATUS: u32 = 0x50;
const TIME: u32 = 0x58;

/// A register port by hand: requests taken at once, reads answered two cycles later, an interrupt until it is acknowledged.
struct Card {
    clock: Clock,
    inputs: Inputs,
    outputs: Outputs,
    answers: BTreeMap<u64, u32>,
    /// Cycles at which an interrupt comes.
    interrupts: Vec<u64>,
    writes: Vec<(u64, u32, u32)>,
    takes: bool,
    high: u32,
}

impl Card {
    fn new() -> Self {
        Self {
            clock: Clock::default(),
            inputs: Inputs::default(),
            outputs: Outputs::default(),
            answers: BTreeMap::new(),
            interrupts: Vec::new(),
            writes: Vec::new(),
            takes: true,
            high: 0,
        }
    }

    fn boot(&self, setup: &Setup, boot: impl FnOnce(Native) + 'static) -> Processor {
        let boot = Box::new(|native| {
            boot(native);
            String::from("over")
        });
        Processor::new(2, 8, setup, &self.clock, boot).unwrap()
    }

    fn tick(&mut self, processor: &mut Processor) -> Result<(), Fault> {
        let cycle = self.clock.cycle() + 1;
        self.clock.set(cycle);
        if processor.wants_drive(&self.inputs) {
            processor.drive(&mut self.inputs);
        }
        assert_eq!(self.inputs.core_valid & !4, 0);
        self.outputs.core_ready = if self.takes { 4 } else { 0 };
        if self.interrupts.contains(&cycle) {
            self.outputs.core_irq = 4;
        }
        if self.inputs.core_valid == 4 && self.takes {
            let request = self.inputs.core[2];
            if request.write {
                self.writes.push((cycle, request.address, request.data));
                if request.address == IRQ_STATUS {
                    self.outputs.core_irq = 0;
                }
            } else {
                let answer = match request.address {
                    TIME => cycle as u32 + 1000,
                    0x5C => self.high,
                    offset => offset + 1,
                };
                self.answers.insert(cycle + 2, answer);
            }
        }
        self.outputs.core_rvalid = 0;
        if let Some(answer) = self.answers.remove(&cycle) {
            self.outputs.core_rvalid = 4;
            self.outputs.core_rdata[2] = answer;
        }
        if processor.wants_sample(cycle, &self.outputs) {
            processor.sample(cycle, &self.outputs)?;
        }
        Ok(())
    }

    /// Runs until the processor comes to a stop, and says why.
    fn run(&mut self, processor: &mut Processor, cycles: u64) -> Option<Fault> {
        (0..cycles).find_map(|_| self.tick(processor).err())
    }
}

type Log = Rc<RefCell<Vec<(&'static str, u64)>>>;

/// A handler that notes when it is called, and acknowledges.
fn acknowledge(native: &Native, log: &Log) {
    let (inside, log) = (native.clone(), log.clone());
    native.on_interrupt(Box::new(move || {
        log.borrow_mut().push(("interrupt", inside.now()));
        inside.write(IRQ_STATUS, 1);
    }));
}

#[test]
fn an_access_takes_its_bus_cycle_and_time_is_what_the_card_says() {
    let mut card = Card::new();
    card.high = 3;
    let log = Log::default();
    let inside = log.clone();
    let mut processor = card.boot(&Setup::default(), move |native| {
        let note = |what| inside.borrow_mut().push((what, native.now()));
        note("start");
        assert_eq!(native.read(0x10), 0x11);
        note("read");
        native.write(0x20, 5);
        note("written");
        let read = u64::from(native.read(TIME));
        assert_eq!(native.now(), 3 << 32 | read);
        note("time");
    });
    let fault = card.run(&mut processor, 100).unwrap();
    assert_eq!(fault.what, FaultKind::Refused("over".into()));
    let times: Vec<_> = log.borrow().iter().map(|(_, time)| time - (3 << 32 | 1000)).collect();
    // TIME is two cycles old when it is known: from taken to answered. Two reads of 3 cycles set the clock.
    let start = times[0];
    assert_eq!(times, [start, start + 3, start + 3 + 4, start + 3 + 4 + 3]);
    assert_eq!(card.writes.iter().map(|w| (w.1, w.2)).collect::<Vec<_>>(), [(0x20, 5)]);
}

#[test]
fn an_interrupt_is_taken_at_the_end_of_a_call_and_only_if_it_is_enabled() {
    let mut card = Card::new();
    card.interrupts = vec![20, 60, 100];
    let log = Log::default();
    let inside = log.clone();
    let setup = Setup { costs: Costs { packet: 30, ..Costs::FREE }, ..Setup::default() };
    let mut processor = card.boot(&setup, move |native| {
        acknowledge(&native, &inside);
        let note = |what| inside.borrow_mut().push((what, native.now()));
        // Disabled: it waits, and comes when they are enabled, before the call returns.
        native.charge(Event::Packet(0));
        note("disabled");
        assert!(!native.interrupts(true));
        note("enabled");
        // Enabled, in the middle of 30 cycles, which take as long as without it, and the handler's time.
        native.charge(Event::Packet(0));
        note("charged");
        assert!(native.interrupts(false));
        native.wait_for_interrupt();
        note("awake");
        assert!(!native.interrupts(false));
    });
    assert!(card.run(&mut processor, 200).is_some());
    let log = log.borrow();
    let names: Vec<_> = log.iter().map(|(what, _)| *what).collect();
    assert_eq!(names, ["disabled", "interrupt", "enabled", "interrupt", "charged", "awake"]);
    let times: Vec<_> = log.iter().map(|(_, time)| time - 1000).collect();
    assert_eq!((times[1], times[2]), (times[0], times[0] + 4));
    // TIME is known two cycles late.
    assert_eq!((times[3], times[5]), (60 - 2, 100 - 2));
    assert_eq!(times[4], times[2] + 30 + 4);
}

#[test]
fn contexts_go_on_where_they_were_and_their_stacks_are_used_again() {
    let mut card = Card::new();
    let log = Log::default();
    let inside = log.clone();
    let setup = Setup { stacks: 1, ..Setup::default() };
    let mut processor = card.boot(&setup, move |native| {
        for _ in 0..50 {
            let (other, note) = (native.clone(), inside.clone());
            let made = native.spawn(Box::new(move || {
                note.borrow_mut().push(("first", 0));
                other.read(0x10);
                other.switch(Context::BOOT);
                note.borrow_mut().push(("second", 0));
                Context::BOOT
            }));
            let made = made.unwrap();
            assert_eq!(native.spawn(Box::new(|| Context::BOOT)), None, "no room for another stack");
            native.switch(made);
            inside.borrow_mut().push(("boot", 0));
            native.switch(made);
        }
    });
    assert!(card.run(&mut processor, 1000).is_some());
    assert_eq!(log.borrow().len(), 150);
    assert!(log.borrow().chunks(3).all(|c| c == [("first", 0), ("boot", 0), ("second", 0)]));
    assert_eq!(processor.stacks_made(), 2);
}

#[test]
fn row_66_1_a_kernel_that_panics_or_makes_no_progress_is_an_error_that_names_it() {
    let setup = Setup { patience: 500, ..Setup::default() };
    let what = |setup: &Setup, interrupts: &[u64], boot: fn(Native)| {
        let mut card = Card::new();
        card.interrupts = interrupts.to_vec();
        let mut processor = card.boot(setup, boot);
        let fault = card.run(&mut processor, 5_000).unwrap();
        assert_eq!((fault.processor, fault.cycle), (2, card.clock.cycle()));
        fault.what
    };
    assert_eq!(what(&setup, &[], |_| panic!("at the {}", "disco")), FaultKind::Panic("at the disco".into()));
    assert_eq!(what(&setup, &[], |n| while n.now() < u64::MAX {}), FaultKind::Wedged(Wedge::Livelock));
    let deaf = |n: Native| while n.read(0x10) < u32::MAX {};
    assert_eq!(what(&setup, &[20], deaf), FaultKind::Wedged(Wedge::Deaf));
    assert_eq!(what(&setup, &[], |n| n.switch(Context(77))), FaultKind::NoContext(77));
    let hears = |n: Native| {
        n.interrupts(true);
        // A handler that does nothing about it.
        n.on_interrupt(Box::new(|| ()));
        n.wait_for_interrupt();
    };
    assert_eq!(what(&setup, &[20], hears), FaultKind::Wedged(Wedge::Livelock));
}

#[test]
fn an_access_that_the_card_does_not_take_is_an_error() {
    let mut card = Card::new();
    let setup = Setup { patience: 500, ..Setup::default() };
    let mut processor = card.boot(&setup, |native| {
        loop {
            native.write(0x34, 0);
        }
    });
    assert_eq!(card.run(&mut processor, 100), None);
    card.takes = false;
    let fault = card.run(&mut processor, 1000).unwrap();
    assert_eq!(fault.what, FaultKind::Wedged(Wedge::Bus(0x34)));
    assert_eq!(fault.to_string(), "processor 2, cycle 604: the kernel makes no progress: Bus(52)");
}

#[test]
fn a_processor_that_idles_is_left_alone_and_does_what_it_is_asked_where_an_interrupt_might_come() {
    let mut card = Card::new();
    let log = Log::default();
    let (inside, outside) = (log.clone(), log.clone());
    let mut processor = card.boot(&Setup::default(), move |native| {
        acknowledge(&native, &inside);
        loop {
            native.wait_for_interrupt();
            native.interrupts(true);
            native.interrupts(false);
        }
    });
    assert_eq!(card.run(&mut processor, 3_000_000), None);
    assert!(processor.is_idle() && processor.idle_cycles() > 2_999_900);
    processor.probe(Box::new(move || outside.borrow_mut().push(("probe", 0))));
    assert_eq!(card.run(&mut processor, 1), None);
    assert_eq!(*log.borrow(), [("probe", 0)]);
    assert!(processor.is_idle());
    card.interrupts = vec![card.clock.cycle() + 10];
    assert_eq!(card.run(&mut processor, 100), None);
    assert_eq!((log.borrow().len(), card.writes.len(), processor.is_idle()), (2, 1, true));
}

#[test]
fn a_kernel_is_not_called_from_outside_by_accident() {
    let mut card = Card::new();
    let slot = Rc::new(RefCell::new(None));
    let inside = slot.clone();
    let mut processor = card.boot(&Setup::default(), move |native| {
        *inside.borrow_mut() = Some(native.clone());
        native.wait_for_interrupt();
    });
    assert_eq!(card.run(&mut processor, 100), None);
    let native = slot.take().unwrap();
    let outside = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| native.read(0x10)));
    assert!(outside.is_err());
}

#[test]
fn what_is_charged_passes() {
    let mut card = Card::new();
    let log = Log::default();
    let inside = log.clone();
    let costs = Costs {
        interrupt: 11,
        context_switch: 13,
        copy: PerWord { call: 2, word: 3 },
        checksum: PerWord { call: 5, word: 1 },
        packet: 17,
        access: 4,
        time: 1,
        interrupts: 6,
    };
    let mut processor = card.boot(&Setup { costs, ..Setup::default() }, move |native| {
        let mut last = native.now();
        let mut note = |what| {
            let now = native.now();
            inside.borrow_mut().push((what, now - last));
            last = now;
        };
        note("time");
        native.charge(Event::Interrupt);
        note("interrupt");
        native.charge(Event::ContextSwitch);
        note("switch");
        native.charge(Event::Copy(9));
        note("copy");
        native.charge(Event::Checksum(9));
        note("checksum");
        native.charge(Event::Packet(9));
        note("packet");
        native.read(0x10);
        note("read");
        native.interrupts(true);
        note("enable");
    });
    assert!(card.run(&mut processor, 1000).is_some());
    let passed: Vec<_> = log.borrow().iter().map(|(_, cycles)| cycles - 1).collect();
    assert_eq!(passed, [0, 11, 13, 2 + 9, 5 + 3, 17, 4 + 3, 6]);
}
