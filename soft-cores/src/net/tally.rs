//! Counters by cause.

use alloc::collections::BTreeMap;

/// How often each cause was met. Its size is bounded by the number of causes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally<C>(BTreeMap<C, u64>);

impl<C> Default for Tally<C> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<C: Copy + Ord> Tally<C> {
    /// Counts one.
    pub fn count(&mut self, cause: C) {
        self.add(cause, 1);
    }

    /// Counts `number` at once.
    pub fn add(&mut self, cause: C, number: u64) {
        if number > 0 {
            *self.0.entry(cause).or_default() += number;
        }
    }

    /// How often `cause` was counted.
    pub fn of(&self, cause: C) -> u64 {
        self.0.get(&cause).copied().unwrap_or(0)
    }

    /// The sum over all causes.
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }

    /// The causes that were met, in their order, with their counts.
    pub fn iter(&self) -> impl Iterator<Item = (C, u64)> + '_ {
        self.0.iter().map(|(&cause, &count)| (cause, count))
    }
}
