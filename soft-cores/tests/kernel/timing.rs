//! Timers, sleep and timeouts on the one compare register (66.3).

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use soft_cores::kernel::Wait;
use soft_cores::kernel::scheduler::Priority;
use soft_cores::kernel::startup::Config;
use soft_cores::kernel::sync::SyncError;
use soft_cores::kernel::timer::{Action, TimerError};
use soft_cores::platform::Platform;

use crate::card::Card;
use crate::machine::{End, FREE, Machine, Setup};
use crate::{K, Log, free_machine, machine, on_host, ring, seeds};

#[test]
fn row_66_3_timeouts_and_sleeps_end_at_their_cycle() {
    let setup = Setup { costs: FREE, limit: u64::MAX, ..Setup::new(1) };
    let mut machine = Machine::new(Card::new(0, 4), setup, Config::default()).unwrap();
    let semaphore = machine.kernel.semaphore(0, 1);
    let log = Log::default();
    let sleeps = log.clone();
    machine
        .kernel
        .spawn(Priority::Normal, move |kernel| {
            for cycles in [1, 2, 3, 1000, 0x1_0000_0000, 7] {
                let from = kernel.platform().now();
                if cycles % 2 == 0 {
                    kernel.sleep(cycles).unwrap();
                } else {
                    let wait = Wait::Until(from + cycles);
                    assert_eq!(kernel.take(semaphore, wait), Err(SyncError::TimedOut));
                }
                sleeps.note(format!("{}", kernel.platform().now() - from));
            }
        })
        .unwrap();
    assert_eq!(machine.run(), End::Asleep);
    assert_eq!(log.text(), "1, 2, 3, 1000, 4294967296, 7");
}

#[test]
fn row_66_3_a_deadline_across_the_words_of_compare_is_not_due_early() {
    let setup = Setup { costs: FREE, limit: u64::MAX, ..Setup::new(1) };
    let mut machine = Machine::new(Card::new(0, 4), setup, Config::default()).unwrap();
    let log = Log::default();
    let ticks = log.clone();
    for cycle in [0xFFFF_FFFF, 0x1_0000_0000, 0x1_0000_0001, 0x2_0000_0005, 10] {
        let ticks = ticks.clone();
        machine.kernel.call_at(cycle, move |kernel, _| ticks.note(format!("{:x}", kernel.platform().now()))).unwrap();
    }
    assert_eq!(machine.run(), End::Asleep);
    assert_eq!(log.text(), "a, ffffffff, 100000000, 100000001, 200000005");
    assert_eq!(machine.kernel.counters().interrupts, 5, "none was early");
    machine.native.card(|card| {
        let mut passed = card.compares.iter().filter(|&&compare| compare < 10);
        assert_eq!(passed.next(), None, "COMPARE held a time that had passed");
    });
}

#[test]
fn row_66_3_a_periodic_timer_does_not_drift_and_each_tick_is_handled_once() {
    for seed in seeds(10) {
        let mut machine = machine(seed, Config::default());
        let (calls, ticks) = (Rc::new(RefCell::new(Vec::new())), Rc::new(Cell::new(0)));
        let (log, count) = (calls.clone(), ticks.clone());
        let timer = machine
            .kernel
            .call_every(10_000, 1000, move |kernel, due| {
                log.borrow_mut().push(kernel.platform().now());
                count.set(count.get() + due);
            })
            .unwrap();
        machine
            .kernel
            .spawn(Priority::Normal, move |kernel| {
                for _ in 0..50 {
                    // Interrupts are held up, now and then for several periods.
                    let cycles = kernel.platform().draw(3500);
                    kernel.critical(|| kernel.platform().work(cycles));
                    kernel.platform().work(500);
                }
                let from = kernel.platform().now();
                kernel.sleep_until(10_000 + 1000 * ((from - 10_000) / 1000) + 20_500).unwrap();
                assert!(kernel.cancel(timer) && !kernel.cancel(timer));
            })
            .unwrap();
        assert_eq!(machine.run(), End::Asleep, "seed {seed}");
        let calls = calls.borrow();
        // As many as periods have passed, however late some were.
        let passed = (calls[calls.len() - 1] - 10_000) / 1000 + 1;
        assert_eq!(ticks.get(), passed, "seed {seed}");
        assert!((calls.len() as u64) < passed, "some ticks came together");
        // Undisturbed, it is as early in its period at the end as at the start: no drift.
        let late: Vec<_> = calls[calls.len() - 15..].iter().map(|at| (at - 10_000) % 1000).collect();
        assert!(late.iter().all(|&late| late < 60), "seed {seed}: {late:?}");
    }
}

#[test]
fn row_66_3_timers_wake_threads_and_semaphores_and_are_bounded() {
    let config = Config { timers: 3, ..Config::default() };
    let setup = Setup { costs: FREE, ..Setup::new(1) };
    let mut machine = Machine::new(Card::new(0, 4), setup, config).unwrap();
    let semaphore = machine.kernel.semaphore(0, 2);
    let log = Log::default();
    let (resumed, given) = (log.clone(), log.clone());
    let thread = machine
        .kernel
        .spawn(Priority::High, move |kernel| resumed.note(format!("high at {}", kernel.platform().now())))
        .unwrap();
    machine
        .kernel
        .spawn(Priority::Normal, move |kernel| {
            while kernel.take(semaphore, Wait::Until(100)).is_ok() {
                given.note(format!("unit at {}", kernel.platform().now()));
            }
            given.note(format!("none until {}", kernel.platform().now()));
        })
        .unwrap();
    machine.kernel.at(30, Action::Resume(thread)).unwrap();
    let ticks = machine.kernel.every(20, 30, Action::Give(semaphore)).unwrap();
    machine.kernel.call_at(90, move |kernel, _| assert!(kernel.cancel(ticks))).unwrap();
    assert_eq!(machine.kernel.at(1, Action::Resume(thread)), Err(TimerError::TooManyTimers));
    assert_eq!(machine.kernel.every(1, 0, Action::Resume(thread)), Err(TimerError::NoPeriod));
    assert_eq!(machine.run(), End::Asleep);
    // Those that were due once make room.
    for _ in 0..3 {
        assert!(machine.kernel.at(300, Action::Resume(thread)).is_ok());
    }
    assert_eq!(log.text(), "high at 0, unit at 20, high at 30, unit at 50, unit at 80, none until 100");
}

#[test]
fn timers_of_one_cycle_go_in_their_order_and_may_cancel_each_other() {
    let mut machine = free_machine();
    let log = Log::default();
    let victim = Rc::new(Cell::new(None));
    let (first, doomed, itself) = (log.clone(), log.clone(), log.clone());
    let target = victim.clone();
    machine
        .kernel
        .call_at(50, move |kernel: &K, _| {
            first.note("first");
            assert!(kernel.cancel(target.get().unwrap()));
            // Due at once.
            let again = first.clone();
            kernel.call_at(50, move |_, _| again.note("again")).unwrap();
        })
        .unwrap();
    victim.set(Some(machine.kernel.call_at(50, move |_, _| doomed.note("doomed")).unwrap()));
    let own = Rc::new(Cell::new(None));
    let me = own.clone();
    let periodic = move |kernel: &K, _| {
        itself.note("periodic");
        assert!(kernel.cancel(me.get().unwrap()));
    };
    own.set(Some(machine.kernel.call_every(50, 10, periodic).unwrap()));
    assert_eq!(machine.run(), End::Asleep);
    assert_eq!(log.text(), "first, periodic, again");
    // One for all of it, and none for what was cancelled.
    assert_eq!(machine.kernel.counters().interrupts, 1);
}

#[test]
fn row_66_3_ticks_that_come_together_are_as_many_units() {
    let mut machine = free_machine();
    let semaphore = machine.kernel.semaphore(0, 3);
    let units = Rc::new(Cell::new(0));
    let count = units.clone();
    let ticks = machine.kernel.every(100, 100, Action::Give(semaphore)).unwrap();
    machine
        .kernel
        .spawn(Priority::Normal, move |kernel| {
            for held_up in [350, 1000] {
                kernel.critical(|| kernel.platform().work(held_up));
                while kernel.take(semaphore, Wait::No).is_ok() {
                    count.set(count.get() + 1);
                }
            }
            assert!(kernel.cancel(ticks) && !kernel.cancel(ticks));
        })
        .unwrap();
    assert_eq!(machine.run(), End::Asleep);
    // Three of three, and of ten as many as the semaphore takes.
    assert_eq!(units.get(), 3 + 3);
}

#[test]
fn a_timer_that_starts_another_one_at_once_forever_leaves_time_for_other_causes() {
    fn again(kernel: &K, _: u64) {
        kernel.call_at(0, again).unwrap();
    }
    let setup = Setup { limit: 20_000, ..Setup::new(1) };
    let mut machine = Machine::new(Card::new(0, 4), setup, Config::default()).unwrap();
    machine.kernel.call_at(1_000, again).unwrap();
    let log = Log::default();
    let rings = log.clone();
    on_host(&machine, move |_, number| rings.note(format!("{number}")));
    for number in 0..3 {
        ring(&machine, 5_000 * u64::from(number), number);
    }
    machine.run();
    assert_eq!(log.text(), "0, 1, 2");
}
