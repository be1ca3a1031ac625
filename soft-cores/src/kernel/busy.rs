//! Which processors are busy (68.3, 68.5): this one says so with a register, and reads what all others say in another.

use abi::csr::core as csr;

use super::Kernel;
use crate::platform::Platform;

/// When a processor says that it is busy. Between the two it says what it said last, or the others would send work to and fro.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thresholds {
    /// Busy from this load on. Above `low`.
    pub high: u32,
    /// Not busy from this load down.
    pub low: u32,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Busy {
    thresholds: Thresholds,
    flag: bool,
    /// How often the flag changed.
    changes: u64,
}

impl Busy {
    pub fn new(thresholds: Thresholds) -> Self {
        Self { thresholds, flag: false, changes: 0 }
    }

    /// The flag at this load, if it changes.
    fn change(&mut self, load: u32) -> Option<bool> {
        let flag = if self.flag { load > self.thresholds.low } else { load >= self.thresholds.high };
        let changed = flag != self.flag;
        self.flag = flag;
        self.changes += u64::from(changed);
        changed.then_some(flag)
    }
}

impl<P: Platform + 'static> Kernel<P> {
    /// How long this processor's queue is; what counts as load is the caller's choice. Says whether the processor is busy.
    pub fn set_load(&self, load: u32) -> bool {
        self.critical(|| {
            let mut messages = self.messages.borrow_mut();
            if let Some(flag) = messages.busy.change(load) {
                self.platform.write(csr::BUSY.offset, u32::from(flag));
            }
            messages.busy.flag
        })
    }

    /// How often this processor became busy or not.
    pub fn busy_changes(&self) -> u64 {
        self.critical(|| self.messages.borrow().busy.changes)
    }

    /// The processor to ask to process a packet (68.3): one that does not say it is busy, and among those the one with the
    /// least work from here; `None` if all are busy. One read.
    pub fn least_busy(&self) -> Option<usize> {
        self.least_busy_of(u32::MAX)
    }

    /// [`least_busy`](Self::least_busy) of the processors that have a bit here.
    pub fn least_busy_of(&self, candidates: u32) -> Option<usize> {
        self.critical(|| {
            let busy = self.platform.read(csr::BUSY_ALL.offset);
            self.messages.borrow().least_busy(busy | !candidates)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_changes_at_the_thresholds_and_nowhere_between() {
        let mut busy = Busy::new(Thresholds { high: 8, low: 3 });
        let changes: Vec<_> = [0, 7, 8, 9, 4, 7, 3, 4, 7, 8, 0].into_iter().map(|load| busy.change(load)).collect();
        let mut expected = [None; 11];
        (expected[2], expected[6], expected[9], expected[10]) = (Some(true), Some(false), Some(true), Some(false));
        assert_eq!(changes, expected);
        assert_eq!(busy.changes, 4);
    }

    use std::vec::Vec;
}
