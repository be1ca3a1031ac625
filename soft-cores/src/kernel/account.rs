//! What the kernel counts, and where the processor's time goes.

use super::scheduler::Priority;

/// What a processor does at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Nothing: no thread is ready.
    Idle,
    /// A thread, at this priority.
    Thread(Priority),
    /// An interrupt, or what is polled instead.
    Interrupt,
}

impl Level {
    const fn index(self) -> usize {
        match self {
            Level::Idle => 0,
            Level::Thread(priority) => 1 + priority as usize,
            Level::Interrupt => 4,
        }
    }
}

/// Counted since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// From one context to another, the idle loop's included (66.7).
    pub context_switches: u64,
    /// Threads that had to make room for a more urgent one.
    pub preemptions: u64,
    /// Interrupts taken.
    pub interrupts: u64,
    /// Of these, how many found no cause that is not masked.
    pub spurious: u64,
    /// Functions of threads entered; a high priority thread's each time (66.5).
    pub entries: u64,
    /// Mutexes that a thread held when it ended, and that were passed on.
    pub abandoned_mutexes: u64,
    cycles: [u64; 5],
}

impl Counters {
    /// Cycles spent at a level.
    pub const fn cycles(&self, level: Level) -> u64 {
        self.cycles[level.index()]
    }

    /// Cycles since the start.
    pub fn total_cycles(&self) -> u64 {
        self.cycles.iter().sum()
    }
}

/// What the card has refused, by the register that counts it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refused {
    /// Receive buffers.
    pub buffers: u64,
    /// Frames to send.
    pub frames: u64,
    /// Message frames towards the host.
    pub mfas: u64,
    /// DMA descriptors.
    pub descriptors: u64,
    /// Messages to other processors.
    pub messages: u64,
}

/// Counters, and the level that the clock runs for.
#[derive(Debug)]
pub(super) struct Account {
    pub counters: Counters,
    level: Level,
    since: u64,
}

impl Account {
    pub fn new(now: u64) -> Self {
        Self { counters: Counters::default(), level: Level::Idle, since: now }
    }

    /// The time from now on is this level's. Says whose it was before.
    pub fn enter(&mut self, level: Level, now: u64) -> Level {
        self.settle(now);
        core::mem::replace(&mut self.level, level)
    }

    pub fn settle(&mut self, now: u64) {
        let passed = now.saturating_sub(self.since);
        let cycles = &mut self.counters.cycles[self.level.index()];
        *cycles = cycles.saturating_add(passed);
        self.since = now;
    }
}
