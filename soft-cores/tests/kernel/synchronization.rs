//! Mutexes and semaphores (66.3), where the random programs of [`crate::scheduling`] do not say it.

use std::cell::Cell;
use std::rc::Rc;

use soft_cores::kernel::scheduler::Priority;
use soft_cores::kernel::sync::SyncError;
use soft_cores::kernel::{Kernel, Wait};
use soft_cores::platform::Platform;

use crate::machine::End;
use crate::{K, Log, free_machine, machine, on_host, ring, seeds};

#[test]
fn row_66_3_who_holds_a_mutex_is_not_held_up_by_who_is_less_urgent_than_its_waiter() {
    let mut machine = free_machine();
    let log = Log::default();
    let mutex = machine.kernel.mutex();
    let (low, normal, other) = (log.clone(), log.clone(), log.clone());
    let waiter = machine
        .kernel
        .spawn(Priority::Normal, move |kernel| {
            kernel.suspend().unwrap();
            kernel.lock(mutex, Wait::Forever).unwrap();
            normal.note(format!("waiter has it at {}", kernel.platform().now()));
            kernel.unlock(mutex).unwrap();
        })
        .unwrap();
    let hog = machine
        .kernel
        .spawn(Priority::Normal, move |kernel| {
            kernel.suspend().unwrap();
            kernel.platform().work(1000);
            other.note("hog");
        })
        .unwrap();
    machine
        .kernel
        .spawn(Priority::Low, move |kernel| {
            kernel.lock(mutex, Wait::Forever).unwrap();
            kernel.platform().work(20);
            let me = kernel.current().unwrap();
            assert_eq!(kernel.priority_of(me), Some(Priority::Normal));
            kernel.unlock(mutex).unwrap();
            low.note("low goes on");
            assert_eq!(kernel.priority_of(me), Some(Priority::Low));
        })
        .unwrap();
    on_host(&machine, move |kernel, _| {
        kernel.resume(waiter);
        kernel.resume(hog);
    });
    ring(&machine, 10, 0);
    assert_eq!(machine.run(), End::Asleep);
    // Without a ceiling the hog would run before the holder, and the waiter at 1020.
    assert_eq!(log.text(), "waiter has it at 20, hog, low goes on");
}

#[test]
fn row_66_3_a_mutex_is_passed_on_when_its_owner_ends() {
    let mut machine = free_machine();
    let log = Log::default();
    let (mutex, second) = (machine.kernel.mutex(), machine.kernel.mutex());
    machine
        .kernel
        .spawn(Priority::Normal, move |kernel| {
            kernel.lock(mutex, Wait::Forever).unwrap();
            kernel.lock(second, Wait::Forever).unwrap();
            kernel.sleep(10).unwrap();
        })
        .unwrap();
    for name in ["low", "normal"] {
        let log = log.clone();
        let priority = if name == "low" { Priority::Low } else { Priority::Normal };
        let thread = move |kernel: &K| {
            kernel.lock(mutex, Wait::Until(100)).unwrap();
            log.note(format!("{name} at {}", kernel.platform().now()));
            kernel.unlock(mutex).unwrap();
        };
        machine.kernel.spawn(priority, thread).unwrap();
    }
    machine.run();
    assert_eq!(log.text(), "normal at 10, low at 10");
    assert_eq!(machine.kernel.counters().abandoned_mutexes, 2);
}

#[test]
fn a_semaphore_that_keeps_no_units_hands_them_to_who_waits() {
    let mut machine = free_machine();
    let semaphore = machine.kernel.semaphore(7, 0);
    let log = Log::default();
    let waits = log.clone();
    machine
        .kernel
        .spawn(Priority::Normal, move |kernel| {
            for until in [10, 50] {
                let result = kernel.take(semaphore, Wait::Until(until));
                waits.note(format!("{result:?} at {}", kernel.platform().now()));
            }
        })
        .unwrap();
    let gives = log.clone();
    on_host(&machine, move |kernel, _| gives.note(format!("{:?}", kernel.give(semaphore))));
    for cycle in [20, 60] {
        ring(&machine, cycle, 0);
    }
    assert_eq!(machine.run(), End::Asleep);
    assert_eq!(log.text(), "Err(TimedOut) at 10, Ok(()), Ok(()) at 20, Err(Full)");
}

#[test]
fn what_another_kernel_made_is_no_object() {
    let (one, mut other) = (machine(1, Default::default()), machine(1, Default::default()));
    let (mutex, semaphore) = (one.kernel.mutex(), one.kernel.semaphore(1, 1));
    let checked = Rc::new(Cell::new(false));
    let checks = checked.clone();
    other
        .kernel
        .spawn(Priority::Normal, move |kernel| {
            assert_eq!(kernel.lock(mutex, Wait::Forever), Err(SyncError::NoSuchObject));
            assert_eq!(kernel.unlock(mutex), Err(SyncError::NoSuchObject));
            assert_eq!(kernel.take(semaphore, Wait::Forever), Err(SyncError::NoSuchObject));
            assert_eq!(kernel.give(semaphore), Err(SyncError::NoSuchObject));
            checks.set(true);
        })
        .unwrap();
    other.run();
    assert!(checked.get());
}

#[test]
fn row_66_3_no_unit_and_no_wake_up_is_lost_under_random_interrupts() {
    let (mut given, mut taken) = (0, 0);
    for seed in seeds(20) {
        let mut machine = machine(seed, Default::default());
        let semaphore = machine.kernel.semaphore(0, u32::MAX);
        let got = Rc::new(Cell::new(0u64));
        let events = Rc::new(Cell::new(0u64));
        for priority in [Priority::Low, Priority::Normal, Priority::Normal] {
            let got = got.clone();
            let thread = move |kernel: &K| {
                loop {
                    kernel.take(semaphore, Wait::Forever).unwrap();
                    got.set(got.get() + 1);
                    kernel.platform().work(5);
                }
            };
            machine.kernel.spawn(priority, thread).unwrap();
        }
        // A suspended thread that is told of work through a flag: it may not sleep while there is some.
        let (flag, seen) = (events.clone(), Rc::new(Cell::new(0u64)));
        let sees = seen.clone();
        let sleeper = machine
            .kernel
            .spawn(Priority::Low, move |kernel| {
                loop {
                    while flag.get() > sees.get() {
                        kernel.platform().work(3);
                        sees.set(sees.get() + 1);
                    }
                    kernel.platform().work(1);
                    kernel.suspend().unwrap();
                }
            })
            .unwrap();
        let happens = events.clone();
        on_host(&machine, move |kernel: &Kernel<_>, _| {
            kernel.give(semaphore).unwrap();
            happens.set(happens.get() + 1);
            kernel.resume(sleeper);
        });
        let mut cycle = 0;
        for number in 0..500 {
            cycle += machine.native.draw(250);
            ring(&machine, cycle, number);
        }
        assert_eq!(machine.run(), End::Asleep, "seed {seed}");
        assert_eq!((got.get(), seen.get(), events.get()), (500, 500, 500), "seed {seed}");
        given += events.get();
        taken += got.get();
    }
    assert!(given > 0 && given == taken);
}
