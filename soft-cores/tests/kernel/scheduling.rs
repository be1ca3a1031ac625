//! Threads and interrupts: who runs when (66.4, 66.5, 66.6).

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use soft_cores::kernel::account::Level;
use soft_cores::kernel::scheduler::{Priority, ThreadId};
use soft_cores::kernel::startup::Config;
use soft_cores::kernel::sync::{MutexId, SemaphoreId, SyncError};
use soft_cores::kernel::thread::{JoinError, SpawnError};
use soft_cores::kernel::{CannotWait, Wait};
use soft_cores::platform::Platform;

use crate::card::Card;
use crate::machine::{End, FREE, Machine, Setup};
use crate::model::{Model, Op, Patience, Program, Script, Trace, Urgency};
use crate::{K, Log, free_machine, machine, on_host, ring, seeds};

#[test]
fn row_66_4_interrupts_go_first_unless_they_are_disabled() {
    let mut machine = free_machine();
    let log = Log::default();
    let (interrupts, thread) = (log.clone(), log.clone());
    on_host(&machine, move |kernel, number| interrupts.note(format!("{number} at {}", kernel.platform().now())));
    for (cycle, number) in [(10, 1), (30, 2), (35, 3), (60, 4)] {
        ring(&machine, cycle, number);
    }
    machine
        .kernel
        .spawn(Priority::High, move |kernel| {
            kernel.platform().work(20);
            kernel.critical(|| kernel.platform().work(20));
            thread.note("enabled");
            kernel.platform().work(10);
            thread.note("done");
        })
        .unwrap();
    assert_eq!(machine.run(), End::Asleep);
    assert_eq!(log.text(), "1 at 10, 2 at 40, 3 at 40, enabled, done, 4 at 60");
}

#[test]
fn row_66_5_a_high_priority_thread_blocks_on_return_and_is_entered_again_when_resumed() {
    let mut machine = free_machine();
    let log = Log::default();
    let entries = log.clone();
    let count = Cell::new(0);
    let high = machine
        .kernel
        .spawn(Priority::High, move |kernel| {
            count.set(count.get() + 1);
            entries.note(format!("entry {} at {}", count.get(), kernel.platform().now()));
            kernel.platform().work(10);
        })
        .unwrap();
    on_host(&machine, move |kernel, _| kernel.resume(high));
    // One while it is blocked; two while it runs, which are one; one while it is blocked again.
    for cycle in [20, 23, 26, 100] {
        ring(&machine, cycle, 0);
    }
    assert_eq!(machine.run(), End::Asleep);
    assert_eq!(log.text(), "entry 1 at 0, entry 2 at 20, entry 3 at 30, entry 4 at 100");
    assert_eq!(machine.kernel.counters().entries, 4);
    assert_eq!(machine.kernel.threads(), [(high, Priority::High, true)]);
}

#[test]
fn row_66_5_a_high_priority_thread_runs_to_its_end_before_any_other() {
    let mut machine = free_machine();
    let log = Log::default();
    let (first, second) = (log.clone(), log.clone());
    let other = machine.kernel.spawn(Priority::High, move |_| second.note("second")).unwrap();
    machine
        .kernel
        .spawn(Priority::High, move |kernel| {
            kernel.resume(other);
            assert_eq!(kernel.yield_now(), Ok(()));
            kernel.platform().work(10);
            first.note("first");
        })
        .unwrap();
    machine.run();
    assert_eq!(log.text(), "second, first, second");
    assert_eq!(machine.kernel.counters().preemptions, 0);
}

#[test]
fn row_66_5_a_high_priority_thread_that_would_wait_gets_an_error() {
    let mut machine = free_machine();
    let (mutex, semaphore) = (machine.kernel.mutex(), machine.kernel.semaphore(0, 1));
    let low = machine
        .kernel
        .spawn(Priority::Low, move |kernel| {
            kernel.lock(mutex, Wait::Forever).unwrap();
            kernel.suspend().unwrap();
        })
        .unwrap();
    let checked = Rc::new(Cell::new(0));
    let checks = checked.clone();
    machine
        .kernel
        .spawn(Priority::High, move |kernel| {
            if kernel.threads().len() == 1 || kernel.priority_of(low) != Some(Priority::Normal) {
                // The low priority thread has not run yet.
                return;
            }
            assert_eq!(kernel.lock(mutex, Wait::Forever), Err(SyncError::CannotWait));
            assert_eq!(kernel.lock(mutex, Wait::No), Err(SyncError::TimedOut));
            assert_eq!(kernel.take(semaphore, Wait::Until(1000)), Err(SyncError::CannotWait));
            assert_eq!(kernel.join(low, Wait::Forever), Err(JoinError::CannotWait));
            assert_eq!(kernel.sleep(1), Err(CannotWait));
            assert_eq!(kernel.suspend(), Err(CannotWait));
            checks.set(checks.get() + 1);
        })
        .unwrap();
    let high = machine.kernel.threads()[1].0;
    on_host(&machine, move |kernel, _| {
        assert_eq!(kernel.sleep(1), Err(CannotWait));
        assert_eq!(kernel.yield_now(), Err(CannotWait));
        assert_eq!(kernel.lock(mutex, Wait::No), Err(SyncError::NotAThread));
        assert_eq!(kernel.unlock(mutex), Err(SyncError::NotAThread));
        assert_eq!(kernel.current(), None);
        kernel.resume(high);
    });
    ring(&machine, 50, 0);
    machine.run();
    assert_eq!(checked.get(), 1);
}

#[test]
fn a_critical_section_is_no_place_to_wait() {
    let mut machine = free_machine();
    let checked = Rc::new(Cell::new(0));
    let checks = checked.clone();
    machine
        .kernel
        .spawn(Priority::Normal, move |kernel| {
            kernel.critical(|| {
                assert_eq!(kernel.sleep(1), Err(CannotWait));
                assert_eq!(kernel.suspend(), Err(CannotWait));
                assert_eq!(kernel.yield_now(), Err(CannotWait));
            });
            assert_eq!(kernel.sleep(1), Ok(()));
            checks.set(1);
        })
        .unwrap();
    assert_eq!(machine.run(), End::Asleep);
    assert_eq!(checked.get(), 1);
}

#[test]
fn row_66_6_normal_and_low_priority_threads_end_with_their_function() {
    let mut machine = free_machine();
    let log = Log::default();
    let mut made = Vec::new();
    for (name, priority) in [("low", Priority::Low), ("normal", Priority::Normal), ("also normal", Priority::Normal)] {
        let log = log.clone();
        made.push(machine.kernel.spawn(priority, move |_| log.note(name)).unwrap());
    }
    assert_eq!(machine.stacks(), 4);
    assert_eq!(machine.run(), End::Asleep);
    assert_eq!(log.text(), "normal, also normal, low");
    assert_eq!((machine.kernel.threads().len(), machine.stacks()), (0, 1));
    for id in made {
        assert_eq!(machine.kernel.priority_of(id), None);
        machine.kernel.resume(id);
    }
}

#[test]
fn row_66_6_what_is_more_urgent_preempts_and_the_preempted_thread_keeps_its_turn() {
    let mut machine = free_machine();
    let log = Log::default();
    let mut ids = Vec::new();
    for (name, priority) in [("high", Priority::High), ("normal", Priority::Normal)] {
        let log = log.clone();
        let thread = move |kernel: &K| {
            loop {
                log.note(format!("{name} at {}", kernel.platform().now()));
                kernel.platform().work(5);
                if kernel.suspend().is_err() {
                    return;
                }
            }
        };
        ids.push(machine.kernel.spawn(priority, thread).unwrap());
    }
    for name in ["low", "also low"] {
        let log = log.clone();
        let thread = move |kernel: &K| {
            kernel.platform().work(30);
            log.note(format!("{name} ends at {}", kernel.platform().now()));
        };
        machine.kernel.spawn(Priority::Low, thread).unwrap();
    }
    on_host(&machine, move |kernel, number| kernel.resume(ids[number as usize]));
    // Normal in low, high in normal, high in low, both at once.
    for (cycle, number) in [(20, 1), (22, 0), (40, 0), (60, 1), (60, 0)] {
        ring(&machine, cycle, number);
    }
    machine.run();
    let expected = "high at 0, normal at 5, normal at 20, high at 22, high at 40, low ends at 55, high at 60, \
                    normal at 65, also low ends at 95";
    assert_eq!(log.text(), expected);
    assert_eq!(machine.kernel.counters().preemptions, 4);
}

#[test]
fn threads_and_stacks_are_bounded() {
    let config = Config { threads: 3, ..Config::default() };
    let machine = Machine::new(Card::new(0, 4), Setup { stacks: 2, ..Setup::new(1) }, config).unwrap();
    let spawn = |machine: &Machine| machine.kernel.spawn(Priority::Normal, |_| ());
    assert!(spawn(&machine).is_ok() && spawn(&machine).is_ok());
    assert_eq!(spawn(&machine), Err(SpawnError::NoStack));
    let config = Config { threads: 1, ..Config::default() };
    let mut machine = Machine::new(Card::new(0, 4), Setup::new(1), config).unwrap();
    assert!(spawn(&machine).is_ok());
    assert_eq!(spawn(&machine), Err(SpawnError::TooManyThreads));
    machine.run();
    assert!(spawn(&machine).is_ok(), "the first is over");
}

#[test]
fn every_cycle_is_somebodys() {
    let mut machine = machine(7, Config::default());
    on_host(&machine, |kernel, _| kernel.platform().work(100));
    for (priority, cycles) in [(Priority::High, 1000), (Priority::Normal, 2000), (Priority::Low, 3000)] {
        machine.kernel.spawn(priority, move |kernel| kernel.platform().work(cycles)).unwrap();
    }
    for cycle in [500, 1500, 2500, 50_000] {
        ring(&machine, cycle, 0);
    }
    machine.run();
    let (counters, time) = (machine.kernel.counters(), machine.time());
    assert_eq!(counters.total_cycles(), time - machine.kernel.found().started);
    for (level, least) in [
        (Level::Thread(Priority::High), 1000),
        (Level::Thread(Priority::Normal), 2000),
        (Level::Thread(Priority::Low), 3000),
        (Level::Interrupt, 520),
        (Level::Idle, 43_000),
    ] {
        let cycles = counters.cycles(level);
        assert!((least..least + 700).contains(&cycles), "{cycles} cycles of {level:?}");
    }
    let (switches, charged) = machine.native.switches();
    // Stacks that end are left without a call of `switch`, but not without its time.
    assert_eq!((counters.context_switches, charged), (charged, switches + 2));
    assert_eq!((counters.interrupts, counters.spurious), (4, 0));
}

fn wait(kernel: &K, patience: Patience) -> Wait {
    match patience {
        Patience::None => Wait::No,
        Patience::Cycles(cycles) => Wait::Until(kernel.platform().now() + cycles),
        Patience::Endless => Wait::Forever,
    }
}

/// What the scripts name by numbers.
struct Names {
    threads: RefCell<Vec<ThreadId>>,
    mutexes: Vec<MutexId>,
    semaphores: Vec<SemaphoreId>,
    trace: RefCell<Trace>,
}

impl Names {
    fn note(&self, kernel: &K, who: Option<usize>, what: String) {
        self.trace.borrow_mut().push((kernel.platform().now(), who, what));
    }

    fn carry_out(&self, kernel: &K, who: Option<usize>, op: Op) {
        let thread = |number: usize| self.threads.borrow()[number];
        let result = match op {
            Op::Work(cycles) => return kernel.platform().work(cycles),
            Op::Yield => {
                self.note(kernel, who, "yields".into());
                return kernel.yield_now().unwrap();
            }
            Op::Sleep(cycles) => format!("{:?}", kernel.sleep(cycles)),
            Op::Suspend => format!("{:?}", kernel.suspend()),
            Op::Resume(number) => format!("{:?}", kernel.resume(thread(number))),
            Op::Lock(mutex, patience) => format!("{:?}", kernel.lock(self.mutexes[mutex], wait(kernel, patience))),
            Op::Unlock(mutex) => format!("{:?}", kernel.unlock(self.mutexes[mutex])),
            Op::Take(number, patience) => format!("{:?}", kernel.take(self.semaphores[number], wait(kernel, patience))),
            Op::Give(number) => format!("{:?}", kernel.give(self.semaphores[number])),
            Op::Join(number, patience) => format!("{:?}", kernel.join(thread(number), wait(kernel, patience))),
        };
        self.note(kernel, who, format!("{op:?} {result}"));
    }
}

/// What the kernel makes of a program.
fn trace_of(program: &Program) -> Trace {
    let setup = Setup { costs: FREE, limit: program.limit, ..Setup::new(1) };
    let mut machine = Machine::new(Card::new(0, 4), setup, Config::default()).unwrap();
    let names = Rc::new(Names {
        threads: RefCell::default(),
        mutexes: (0..program.mutexes).map(|_| machine.kernel.mutex()).collect(),
        semaphores: program.semaphores.iter().map(|&(units, limit)| machine.kernel.semaphore(units, limit)).collect(),
        trace: RefCell::default(),
    });
    for (number, script) in program.threads.iter().enumerate() {
        let (mine, ops) = (names.clone(), script.ops.clone());
        let thread = move |kernel: &K| {
            mine.note(kernel, Some(number), "entered".into());
            for &op in &ops {
                mine.carry_out(kernel, Some(number), op);
            }
            mine.note(kernel, Some(number), "leaves".into());
        };
        let priority = match script.urgency {
            Urgency::Low => Priority::Low,
            Urgency::Normal => Priority::Normal,
            Urgency::High => Priority::High,
        };
        let id = machine.kernel.spawn(priority, thread).unwrap();
        names.threads.borrow_mut().push(id);
    }
    let scripts: Vec<_> = program.interrupts.iter().map(|(_, ops)| ops.clone()).collect();
    for (number, (cycle, _)) in program.interrupts.iter().enumerate() {
        ring(&machine, *cycle, number as u32);
    }
    let handler = names.clone();
    on_host(&machine, move |kernel, number| {
        for &op in &scripts[number as usize] {
            handler.carry_out(kernel, None, op);
        }
    });
    machine.run();
    names.trace.take()
}

fn random_patience(rng: &mut ChaCha8Rng) -> Patience {
    match rng.next_u32() % 4 {
        0 => Patience::None,
        1 => Patience::Endless,
        _ => Patience::Cycles(1 + u64::from(rng.next_u32() % 60)),
    }
}

fn random_op(rng: &mut ChaCha8Rng, urgency: Urgency, me: usize, threads: usize) -> Op {
    let draw = rng.next_u32() as usize;
    let (two, cycles) = (draw / 16 % 2, 1 + draw as u64 / 256 % 30);
    match draw % 12 {
        0..3 => Op::Work(cycles),
        3 if urgency != Urgency::High => Op::Sleep(cycles),
        3 | 4 => Op::Yield,
        5 => Op::Suspend,
        // A high priority thread that resumes itself without end leaves no time for the others.
        6 => match draw / 4096 % threads {
            thread if thread == me && urgency == Urgency::High => Op::Work(1),
            thread => Op::Resume(thread),
        },
        7 => Op::Lock(two, random_patience(rng)),
        8 => Op::Unlock(two),
        9 => Op::Take(two, random_patience(rng)),
        10 => Op::Give(two),
        _ => Op::Join(draw / 4096 % threads, random_patience(rng)),
    }
}

fn random_interrupt(rng: &mut ChaCha8Rng, limit: u64, threads: usize) -> (u64, Vec<Op>) {
    let cycle = 1 + u64::from(rng.next_u32()) % limit;
    let ops = (0..1 + rng.next_u32() % 3).map(|_| match rng.next_u32() as usize {
        draw if draw % 3 == 0 => Op::Give(draw / 16 % 2),
        draw if draw % 7 == 1 => Op::Take(draw / 16 % 2, Patience::None),
        draw => Op::Resume(draw / 16 % threads),
    });
    (cycle, ops.collect())
}

fn random_program(seed: u64) -> Program {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let limit = 1500;
    let threads = 3 + rng.next_u32() as usize % 6;
    let script = |me: usize, rng: &mut ChaCha8Rng| {
        let urgency = [Urgency::Low, Urgency::Normal, Urgency::Normal, Urgency::High][rng.next_u32() as usize % 4];
        // Every entry takes time, so that threads that resume each other get somewhere.
        let ops = 4 + rng.next_u32() % 16;
        let rest = (0..ops).map(|_| random_op(rng, urgency, me, threads));
        Script { urgency, ops: [Op::Work(1)].into_iter().chain(rest).collect() }
    };
    Program {
        threads: (0..threads).map(|me| script(me, &mut rng)).collect(),
        interrupts: (0..60).map(|_| random_interrupt(&mut rng, limit, threads)).collect(),
        mutexes: 2,
        semaphores: vec![(1, 2), (0, 1)],
        limit,
    }
}

#[test]
fn row_66_5_and_66_6_random_programs_run_as_the_model_says() {
    let (mut compared, mut programs) = (0, 0);
    let mut seen = std::collections::BTreeMap::<String, usize>::new();
    for seed in seeds(400) {
        let program = random_program(seed);
        let until_limit =
            |trace: Trace| -> Trace { trace.into_iter().filter(|event| event.0 < program.limit).collect() };
        let (expected, found) = (until_limit(Model::run(&program)), until_limit(trace_of(&program)));
        for (number, (expected, found)) in expected.iter().zip(&found).enumerate() {
            assert_eq!(expected, found, "seed {seed}, event {number}");
            let name: String = found.2.chars().filter(|c| c.is_alphabetic() || *c == ' ').collect();
            *seen.entry(name).or_default() += 1;
        }
        assert_eq!(expected.len(), found.len(), "seed {seed}");
        compared += found.len();
        programs += 1;
    }
    assert!(compared > 60 * programs, "{compared} events");
    // Everything that can come of an operation came of it.
    for what in [
        "Lock Cycles ErrTimedOut",
        "Lock Cycles Ok",
        "Lock Endless Ok",
        "Lock Endless ErrCannotWait",
        "Lock None ErrTimedOut",
        "Lock None ErrAlreadyOwner",
        "Unlock ErrNotOwner",
        "Unlock Ok",
        "Take Cycles ErrTimedOut",
        "Take Cycles Ok",
        "Take Endless Ok",
        "Take Endless ErrCannotWait",
        "Give ErrFull",
        "Join Cycles ErrTimedOut",
        "Join Endless Ok",
        "Join Endless ErrEndless",
        "Suspend Ok",
        "Suspend ErrCannotWait",
        "Sleep Ok",
        "leaves",
        "yields",
    ] {
        let count = seen.get(what).copied().unwrap_or(0);
        assert!(count >= 20, "{what}: {count} times; {seen:?}");
    }
}
