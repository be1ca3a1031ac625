//! What is to happen at which cycle, and the compare timer that says when the first of it is due (66.3).

use alloc::collections::BTreeMap;

use abi::csr::core as csr;

use super::scheduler::ThreadId;
use super::timer::TimerId;
use crate::platform::Platform;

/// When something is due, and a number that keeps those of one cycle in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Deadline {
    pub cycle: u64,
    number: u64,
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// The end of a thread's wait.
    Thread(ThreadId),
    Timer(TimerId),
    /// To look at what is polled.
    Poll,
    /// To send messages that found their queue full.
    Backlog,
}

/// See the module's page.
#[derive(Debug)]
pub(super) struct Deadlines {
    entries: BTreeMap<Deadline, Target>,
    made: u64,
    /// What COMPARE holds.
    compare: u64,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self { entries: BTreeMap::new(), made: 0, compare: u64::MAX }
    }
}

impl Deadlines {
    pub fn insert(&mut self, cycle: u64, target: Target) -> Deadline {
        let deadline = Deadline { cycle, number: self.made };
        self.made += 1;
        self.entries.insert(deadline, target);
        deadline
    }

    pub fn remove(&mut self, deadline: Deadline) {
        self.entries.remove(&deadline);
    }

    /// Takes out the first that is due at `now`.
    pub fn take_due(&mut self, now: u64) -> Option<(Deadline, Target)> {
        let entry = self.entries.first_entry()?;
        (entry.key().cycle <= now).then(|| entry.remove_entry())
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Sets COMPARE to the first deadline.
    pub fn arm(&mut self, platform: &impl Platform) {
        let first = self.entries.first_key_value().map_or(u64::MAX, |(deadline, _)| deadline.cycle);
        if first == self.compare {
            return;
        }
        let (low, high) = (csr::COMPARE.offset, csr::COMPARE.offset + 4);
        // Between the two writes COMPARE must not be a time that has passed.
        if first >> 32 != self.compare >> 32 {
            platform.write(high, u32::MAX);
        }
        platform.write(low, first as u32);
        if first >> 32 != self.compare >> 32 {
            platform.write(high, (first >> 32) as u32);
        }
        self.compare = first;
    }
}
