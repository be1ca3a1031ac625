//! A scheduler as the paragraphs have it, to compare the kernel with: one list of threads that is searched from the start each
//! time, one unit of work at a time. It shares no code with the kernel and knows no stacks.
//!
//! ¶66: interrupts first; high priority threads run to their end and are entered again when resumed; the others are preempted
//! by what is more urgent, and end.

use std::collections::BTreeMap;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    Low,
    Normal,
    High,
}

/// Waiting: not at all, for so many cycles, forever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    None,
    Cycles(u64),
    Endless,
}

/// What a thread or an interrupt does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    Work(u64),
    Yield,
    Sleep(u64),
    Suspend,
    Resume(usize),
    Lock(usize, Patience),
    Unlock(usize),
    Take(usize, Patience),
    Give(usize),
    Join(usize, Patience),
}

/// When, who (`None`: an interrupt), and what came of it.
pub type Trace = Vec<(u64, Option<usize>, String)>;

pub struct Script {
    pub urgency: Urgency,
    pub ops: Vec<Op>,
}

/// A program for a processor.
pub struct Program {
    pub threads: Vec<Script>,
    pub interrupts: Vec<(u64, Vec<Op>)>,
    pub mutexes: usize,
    /// Units and limits.
    pub semaphores: Vec<(u32, u32)>,
    pub limit: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Ready,
    Waiting(Op),
    /// High: not entered.
    Out,
    Over,
}

struct Thread {
    base: Urgency,
    state: State,
    /// Less goes first.
    turn: i64,
    at: usize,
    entered: bool,
    working: u64,
    resumed: bool,
    deadline: Option<(u64, u64)>,
    /// What came of the wait.
    result: Option<(Op, &'static str)>,
    arrived: u64,
}

pub struct Model<'a> {
    program: &'a Program,
    threads: Vec<Thread>,
    owners: Vec<Option<usize>>,
    units: Vec<u32>,
    pending: BTreeMap<(u64, usize), &'a [Op]>,
    running: Option<usize>,
    time: u64,
    back: i64,
    front: i64,
    serial: u64,
    trace: Trace,
}

const DONE: &str = "Ok(())";
const LATE: &str = "Err(TimedOut)";
const NO: &str = "Err(CannotWait)";

impl<'a> Model<'a> {
    pub fn run(program: &'a Program) -> Trace {
        let mut model = Self {
            program,
            threads: Vec::new(),
            owners: vec![None; program.mutexes],
            units: program.semaphores.iter().map(|&(units, _)| units).collect(),
            pending: program.interrupts.iter().enumerate().map(|(i, (at, ops))| ((*at, i), &ops[..])).collect(),
            running: None,
            time: 0,
            back: 0,
            front: 0,
            serial: 0,
            trace: Vec::new(),
        };
        for script in &program.threads {
            model.back += 1;
            model.threads.push(Thread {
                base: script.urgency,
                state: State::Ready,
                turn: model.back,
                at: 0,
                entered: false,
                working: 0,
                resumed: false,
                deadline: None,
                result: None,
                arrived: 0,
            });
        }
        while model.time <= program.limit && model.step() {}
        model.trace
    }

    fn urgency(&self, thread: usize) -> Urgency {
        let holds = self.owners.contains(&Some(thread));
        // Priority ceiling.
        if holds { self.threads[thread].base.max(Urgency::Normal) } else { self.threads[thread].base }
    }

    /// False: nothing will ever happen.
    fn step(&mut self) -> bool {
        self.choose();
        if self.interrupt() {
            return true;
        }
        match self.running {
            Some(thread) => {
                self.advance(thread);
                true
            }
            None => {
                let timeouts = self.threads.iter().filter_map(|t| t.deadline).map(|(at, _)| at);
                let next = timeouts.chain(self.pending.keys().map(|key| key.0)).min();
                self.time = self.time.max(next.unwrap_or(0));
                next.is_some()
            }
        }
    }

    fn choose(&mut self) {
        let ready = |&i: &usize| self.threads[i].state == State::Ready && self.running != Some(i);
        let best = (0..self.threads.len())
            .filter(ready)
            .max_by_key(|&i| (self.urgency(i), std::cmp::Reverse(self.threads[i].turn)));
        let Some(best) = best else { return };
        match self.running {
            Some(running) if self.urgency(best) <= self.urgency(running) => {}
            Some(running) => {
                self.front -= 1;
                self.threads[running].turn = self.front;
                self.running = Some(best);
            }
            None => self.running = Some(best),
        }
    }

    fn interrupt(&mut self) -> bool {
        let mut late: Vec<_> = (0..self.threads.len())
            .filter_map(|i| self.threads[i].deadline.map(|deadline| (deadline, i)))
            .filter(|((at, _), _)| *at <= self.time)
            .collect();
        late.sort();
        let any = !late.is_empty();
        for (_, thread) in late {
            let slept = matches!(self.threads[thread].state, State::Waiting(Op::Sleep(_)));
            self.wake(thread, if slept { DONE } else { LATE });
        }
        let mut asked = false;
        while let Some(entry) = self.pending.first_entry().filter(|entry| entry.key().0 <= self.time) {
            asked = true;
            for &op in entry.remove() {
                let result = self.at_once(None, op).unwrap_or(NO);
                self.trace.push((self.time, None, format!("{op:?} {result}")));
            }
        }
        any || asked
    }

    fn wake(&mut self, thread: usize, result: &'static str) {
        let t = &mut self.threads[thread];
        match t.state {
            State::Waiting(op) => t.result = Some((op, result)),
            State::Out => {}
            _ => unreachable!("{:?} is not asleep", t.state),
        }
        self.back += 1;
        t.turn = self.back;
        t.state = State::Ready;
        t.deadline = None;
    }

    fn leave(&mut self, state: State) {
        if let Some(thread) = self.running.take() {
            self.threads[thread].state = state;
        }
    }

    fn advance(&mut self, thread: usize) {
        let script = &self.program.threads[thread];
        let t = &mut self.threads[thread];
        if t.working > 0 {
            t.working -= 1;
            self.time += 1;
            return;
        }
        if !t.entered {
            t.entered = true;
            t.at = 0;
            return self.note(thread, "entered".into());
        }
        if let Some((op, result)) = t.result.take() {
            return self.note(thread, format!("{op:?} {result}"));
        }
        let Some(&op) = script.ops.get(t.at) else { return self.leave_function(thread) };
        t.at += 1;
        match op {
            Op::Work(cycles) => t.working = cycles,
            Op::Yield => {
                self.note(thread, "yields".into());
                if self.threads[thread].base != Urgency::High {
                    self.back += 1;
                    self.threads[thread].turn = self.back;
                    self.running = None;
                }
            }
            _ => match self.at_once(Some(thread), op) {
                // Told when it runs on: whom it woke may go first.
                Some(result) => self.threads[thread].result = Some((op, result)),
                None => self.wait(thread, op),
            },
        }
    }

    fn note(&mut self, thread: usize, what: String) {
        self.trace.push((self.time, Some(thread), what));
    }

    fn leave_function(&mut self, thread: usize) {
        self.note(thread, "leaves".into());
        self.threads[thread].entered = false;
        if self.threads[thread].base == Urgency::High {
            if !std::mem::take(&mut self.threads[thread].resumed) {
                self.leave(State::Out);
            }
            return;
        }
        self.leave(State::Over);
        for joiner in self.in_order(|op| matches!(op, Op::Join(of, _) if of == thread), false) {
            self.wake(joiner, DONE);
        }
        for mutex in 0..self.owners.len() {
            if self.owners[mutex] == Some(thread) {
                self.pass_on(mutex);
            }
        }
    }

    /// Who waits for something: in order of arrival, the more urgent first if that counts.
    fn in_order(&self, what: impl Fn(Op) -> bool, urgent_first: bool) -> Vec<usize> {
        let waits = |&i: &usize| matches!(self.threads[i].state, State::Waiting(op) if what(op));
        let mut found: Vec<_> = (0..self.threads.len()).filter(waits).collect();
        found.sort_by_key(|&i| {
            let urgency = if urgent_first { self.urgency(i) } else { Urgency::Low };
            (std::cmp::Reverse(urgency), self.threads[i].arrived)
        });
        found
    }

    fn pass_on(&mut self, mutex: usize) {
        let next = self.in_order(|op| matches!(op, Op::Lock(m, _) if m == mutex), true).first().copied();
        self.owners[mutex] = next;
        if let Some(next) = next {
            self.wake(next, DONE);
        }
    }

    /// What comes of it without waiting; `None` if it waits.
    fn at_once(&mut self, who: Option<usize>, op: Op) -> Option<&'static str> {
        let may_wait = who.is_some_and(|i| self.threads[i].base != Urgency::High);
        let patience = match op {
            Op::Lock(mutex, patience) => match self.owners[mutex] {
                None => {
                    self.owners[mutex] = who;
                    return Some(DONE);
                }
                Some(owner) if Some(owner) == who => return Some("Err(AlreadyOwner)"),
                Some(_) => patience,
            },
            Op::Take(semaphore, _) if self.units[semaphore] > 0 => {
                self.units[semaphore] -= 1;
                return Some(DONE);
            }
            Op::Take(_, patience) => patience,
            Op::Join(of, _) if self.threads[of].state == State::Over => return Some(DONE),
            Op::Join(of, _) if self.threads[of].base == Urgency::High || who == Some(of) => {
                return Some("Err(Endless)");
            }
            Op::Join(_, patience) => patience,
            Op::Unlock(mutex) => {
                if self.owners[mutex] != who {
                    return Some("Err(NotOwner)");
                }
                self.pass_on(mutex);
                return Some(DONE);
            }
            Op::Give(semaphore) => return Some(self.give(semaphore)),
            Op::Resume(thread) => {
                self.resume(thread);
                return Some("()");
            }
            Op::Suspend => {
                let at_once = may_wait && std::mem::take(&mut self.threads[who?].resumed);
                return if at_once { Some(DONE) } else { (!may_wait).then_some(NO) };
            }
            _ => Patience::Endless,
        };
        match patience {
            Patience::None => Some(LATE),
            _ if !may_wait => Some(NO),
            _ => None,
        }
    }

    fn give(&mut self, semaphore: usize) -> &'static str {
        match self.in_order(|op| matches!(op, Op::Take(s, _) if s == semaphore), true).first() {
            Some(&next) => self.wake(next, DONE),
            None if self.units[semaphore] == self.program.semaphores[semaphore].1 => return "Err(Full)",
            None => self.units[semaphore] += 1,
        }
        DONE
    }

    fn resume(&mut self, thread: usize) {
        let t = &mut self.threads[thread];
        match t.state {
            State::Out | State::Waiting(Op::Suspend) => self.wake(thread, DONE),
            State::Over => {}
            State::Ready if t.base == Urgency::High && self.running != Some(thread) => {}
            _ => t.resumed = true,
        }
    }

    fn wait(&mut self, thread: usize, op: Op) {
        let cycles = match op {
            Op::Sleep(cycles) => Some(cycles),
            Op::Lock(_, patience) | Op::Take(_, patience) | Op::Join(_, patience) => match patience {
                Patience::Cycles(cycles) => Some(cycles),
                _ => None,
            },
            _ => None,
        };
        self.serial += 1;
        self.threads[thread].arrived = self.serial;
        self.threads[thread].deadline = cycles.map(|cycles| (self.time + cycles, self.serial));
        self.leave(State::Waiting(op));
    }
}
