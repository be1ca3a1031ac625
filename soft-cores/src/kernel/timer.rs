//! Timers: once or periodic, many on the one compare register (66.2, 66.3).
//!
//! A period is counted from the time a tick was due, not from when it was handled, so periodic timers do not drift. Ticks
//! that were due together are handled in one call that says how many they are: each exactly once, and no processor falls
//! behind a short period forever.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;

use super::Kernel;
use super::deadlines::{Deadline, Target};
use super::handler::Function;
use super::scheduler::{ThreadId, Wake};
use super::sync::SemaphoreId;
use crate::platform::Platform;

/// A timer. Numbers are not used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimerId(u64);

/// What a timer does when it is due.
pub enum Action<P: Platform> {
    /// Calls a function at interrupt level, with the number of ticks that are due.
    Call(Function<P, u64, ()>),
    /// [Resumes](Kernel::resume) a thread.
    Resume(ThreadId),
    /// [Gives](Kernel::give) a unit; one that the semaphore has no room for is left out.
    Give(SemaphoreId),
}

/// Why there is no new timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimerError {
    /// As many as the configuration allows are running.
    TooManyTimers,
    /// A period of no cycles.
    NoPeriod,
}

struct Timer<P: Platform> {
    deadline: Deadline,
    period: Option<u64>,
    /// Not here while it is called.
    action: Option<Action<P>>,
}

/// All timers that run.
pub(super) struct Timers<P: Platform> {
    running: BTreeMap<TimerId, Timer<P>>,
    made: u64,
}

impl<P: Platform> Default for Timers<P> {
    fn default() -> Self {
        Self { running: BTreeMap::new(), made: 0 }
    }
}

impl<P: Platform + 'static> Kernel<P> {
    /// A timer that is due at a cycle, once. Due already: at the next timer interrupt.
    ///
    /// # Errors
    /// There are too many.
    pub fn at(&self, cycle: u64, action: Action<P>) -> Result<TimerId, TimerError> {
        self.start_timer(cycle, None, action)
    }

    /// A timer that is due at a cycle, and every `period` cycles after it.
    ///
    /// # Errors
    /// There are too many, or the period is 0.
    pub fn every(&self, first: u64, period: u64, action: Action<P>) -> Result<TimerId, TimerError> {
        if period == 0 { Err(TimerError::NoPeriod) } else { self.start_timer(first, Some(period), action) }
    }

    /// [`at`](Self::at), with a function.
    ///
    /// # Errors
    /// There are too many.
    pub fn call_at(&self, cycle: u64, function: impl FnMut(&Self, u64) + 'static) -> Result<TimerId, TimerError> {
        self.at(cycle, Action::Call(Box::new(function)))
    }

    /// [`every`](Self::every), with a function.
    ///
    /// # Errors
    /// There are too many, or the period is 0.
    pub fn call_every(
        &self,
        first: u64,
        period: u64,
        function: impl FnMut(&Self, u64) + 'static,
    ) -> Result<TimerId, TimerError> {
        self.every(first, period, Action::Call(Box::new(function)))
    }

    fn start_timer(&self, cycle: u64, period: Option<u64>, action: Action<P>) -> Result<TimerId, TimerError> {
        self.critical(|| {
            let mut timers = self.timers.borrow_mut();
            if timers.running.len() >= self.config.timers {
                return Err(TimerError::TooManyTimers);
            }
            let id = TimerId(timers.made);
            timers.made += 1;
            let deadline = self.set_deadline(cycle, Target::Timer(id));
            timers.running.insert(id, Timer { deadline, period, action: Some(action) });
            Ok(id)
        })
    }

    /// Ends a timer; says whether it was still to be due.
    pub fn cancel(&self, id: TimerId) -> bool {
        self.critical(|| {
            let Some(timer) = self.timers.borrow_mut().running.remove(&id) else { return false };
            self.clear_deadline(timer.deadline);
            true
        })
    }

    pub(super) fn set_deadline(&self, cycle: u64, target: Target) -> Deadline {
        let mut deadlines = self.deadlines.borrow_mut();
        let deadline = deadlines.insert(cycle, target);
        deadlines.arm(&self.platform);
        deadline
    }

    pub(super) fn clear_deadline(&self, deadline: Deadline) {
        let mut deadlines = self.deadlines.borrow_mut();
        deadlines.remove(deadline);
        deadlines.arm(&self.platform);
    }

    /// Does what is due, but no more than there was at the start, so that a timer that starts another one at once leaves time
    /// for the other causes. Says how much it was.
    pub(super) fn serve_deadlines(&self) -> u32 {
        let now = self.platform.now();
        let mut handled = 0;
        let most = self.deadlines.borrow().len();
        while handled < most {
            let due = self.deadlines.borrow_mut().take_due(now);
            let Some((deadline, target)) = due else { break };
            handled += 1;
            match target {
                Target::Thread(id) => self.wake(id, Wake::TimedOut),
                Target::Timer(id) => self.fire(id, deadline, now),
                Target::Poll => self.poll_by_timer(deadline.cycle, now),
                Target::Backlog => self.retry_backlog(),
            }
        }
        // COMPARE before the acknowledge, or the old time would raise the cause again.
        self.deadlines.borrow_mut().arm(&self.platform);
        handled as u32
    }

    fn fire(&self, id: TimerId, deadline: Deadline, now: u64) {
        let mut timers = self.timers.borrow_mut();
        let Some(timer) = timers.running.get_mut(&id) else { return };
        let action = timer.action.take();
        let ticks = match timer.period {
            Some(period) => {
                let (ticks, next) = next_tick(deadline.cycle, period, now);
                timer.deadline = self.deadlines.borrow_mut().insert(next, Target::Timer(id));
                ticks
            }
            None => {
                timers.running.remove(&id);
                1
            }
        };
        drop(timers);
        let Some(mut action) = action else { return };
        self.act(&mut action, ticks);
        // Unless it was cancelled, by itself perhaps.
        if let Some(timer) = self.timers.borrow_mut().running.get_mut(&id) {
            timer.action = Some(action);
        }
    }

    fn act(&self, action: &mut Action<P>, ticks: u64) {
        match action {
            Action::Call(function) => function(self, ticks),
            Action::Resume(id) => self.resume(*id),
            Action::Give(id) => {
                for _ in 0..ticks {
                    if self.give(*id).is_err() {
                        break;
                    }
                }
            }
        }
    }
}

/// Ticks that are due at `now`, the first of them at `due`; and when the next one is.
pub(super) fn next_tick(due: u64, period: u64, now: u64) -> (u64, u64) {
    let ticks = (now.saturating_sub(due) / period).saturating_add(1);
    (ticks, due.saturating_add(ticks.saturating_mul(period)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_counted_from_when_a_tick_was_due() {
        assert_eq!(next_tick(100, 10, 100), (1, 110));
        assert_eq!(next_tick(100, 10, 109), (1, 110));
        assert_eq!(next_tick(100, 10, 110), (2, 120));
        assert_eq!(next_tick(100, 10, 135), (4, 140));
        assert_eq!(next_tick(0, 1, u64::MAX), (u64::MAX, u64::MAX));
        assert_eq!(next_tick(u64::MAX, u64::MAX, u64::MAX), (1, u64::MAX));
    }
}
