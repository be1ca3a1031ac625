//! Threads: how they are made, how they wait, how they end (66.5, 66.6).

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::deadlines::Target;
use super::scheduler::{Priority, Reason, State, Thread, ThreadId, Wake};
use super::{CannotWait, Kernel, Wait};
use crate::platform::{Context, Platform};

/// Why there is no new thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpawnError {
    /// As many as the configuration allows have not ended.
    TooManyThreads,
    /// The platform has no room for another stack.
    NoStack,
}

/// Why a thread could not be waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinError {
    /// The caller cannot wait.
    CannotWait,
    /// A high priority thread does not end (66.5), and who waits for itself waits forever.
    Endless,
    /// No thread ever had this number.
    NoSuchThread,
    /// It had not ended in time.
    TimedOut,
}

impl From<CannotWait> for JoinError {
    fn from(_: CannotWait) -> Self {
        Self::CannotWait
    }
}

impl<P: Platform + 'static> Kernel<P> {
    /// Makes a thread. It is ready at once.
    ///
    /// `function` of a normal or low priority thread runs once, and the thread ends with it (66.6). That of a high priority
    /// thread runs to its end undisturbed by other threads, and again each time the thread is [resumed](Self::resume); it must
    /// not wait for anything (66.5).
    ///
    /// # Errors
    /// There is no room for it.
    pub fn spawn(
        &self,
        priority: Priority,
        function: impl FnMut(&Kernel<P>) + 'static,
    ) -> Result<ThreadId, SpawnError> {
        self.critical(|| {
            if self.scheduler.borrow().len() >= self.config.threads {
                return Err(SpawnError::TooManyThreads);
            }
            let kernel = self.me.upgrade().ok_or(SpawnError::NoStack)?;
            let entry = Box::new(move || kernel.live(priority, function));
            let context = self.platform.spawn(entry).ok_or(SpawnError::NoStack)?;
            Ok(self.scheduler.borrow_mut().add(context, priority))
        })
    }

    /// A thread's life, from the first switch to it until it is over. Says who is next.
    fn live(&self, priority: Priority, mut function: impl FnMut(&Kernel<P>)) -> Context {
        loop {
            self.account.borrow_mut().counters.entries += 1;
            self.platform.interrupts(true);
            function(self);
            self.platform.interrupts(false);
            if priority != Priority::High {
                return self.end();
            }
            // ¶66: blocked on return, and entered again when resumed.
            if !self.scheduler.borrow_mut().take_resumed() {
                self.block(Reason::Returned, Wait::Forever);
            }
        }
    }

    /// Who runs is over. Says who is next.
    fn end(&self) -> Context {
        let ended = self.scheduler.borrow_mut().remove_current();
        if let Some((id, Thread { joiners, held, .. })) = ended {
            for joiner in joiners {
                self.wake(joiner, Wake::Granted);
            }
            if held > 0 {
                self.abandon_mutexes(id);
            }
        }
        let next = self.pick();
        self.count_switch();
        next
    }

    /// Whoever runs waits. Interrupts are disabled and were enabled before; nothing is borrowed.
    pub(super) fn block(&self, reason: Reason, wait: Wait) -> Wake {
        let from = self.scheduler.borrow().current_context();
        let id = self.scheduler.borrow().current();
        if let (Some(id), Wait::Until(cycle)) = (id, wait) {
            let deadline = self.set_deadline(cycle, Target::Thread(id));
            if let Some(thread) = self.scheduler.borrow_mut().thread_mut(id) {
                thread.deadline = Some(deadline);
            }
        }
        self.scheduler.borrow_mut().block(reason);
        self.go_on(from);
        self.scheduler.borrow().current_thread().map_or(Wake::Granted, |thread| thread.wake)
    }

    /// The wait of a thread is over, if it waits.
    pub(super) fn wake(&self, id: ThreadId, wake: Wake) {
        let woken = self.scheduler.borrow_mut().wake(id, wake);
        let Some((reason, deadline)) = woken else { return };
        if let Some(deadline) = deadline {
            self.clear_deadline(deadline);
        }
        if wake == Wake::TimedOut {
            self.give_up(id, reason);
        }
    }

    /// A thread waits no longer for what it has not got.
    fn give_up(&self, id: ThreadId, reason: Reason) {
        match reason {
            Reason::Mutex(_) | Reason::Semaphore(_) => self.objects.borrow_mut().forget_waiter(id, reason),
            Reason::Joining(of) => {
                if let Some(thread) = self.scheduler.borrow_mut().thread_mut(of) {
                    thread.joiners.retain(|&joiner| joiner != id);
                }
            }
            Reason::Returned | Reason::Suspended | Reason::Sleeping | Reason::Dma => {}
        }
    }

    /// Who runs, if it is a thread that may wait here.
    pub(super) fn who_may_wait(&self, interrupts_were_enabled: bool) -> Result<ThreadId, CannotWait> {
        let scheduler = self.scheduler.borrow();
        let Some(thread) = scheduler.current_thread() else { return Err(CannotWait) };
        if !interrupts_were_enabled || thread.priority == Priority::High {
            return Err(CannotWait);
        }
        scheduler.current().ok_or(CannotWait)
    }

    /// The thread that runs; `None` in an interrupt, in what is polled, and before [`run`](Self::run).
    pub fn current(&self) -> Option<ThreadId> {
        self.critical(|| if self.at_interrupt.get() { None } else { self.scheduler.borrow().current() })
    }

    /// Lets the other ready threads of the same priority run first. Has no effect in a high priority thread: it runs to its
    /// end (66.5).
    ///
    /// # Errors
    /// The caller is no thread, or in a critical section.
    pub fn yield_now(&self) -> Result<(), CannotWait> {
        self.exclusive(|were_enabled| {
            let priority = self.scheduler.borrow().current_thread().map(|thread| thread.priority);
            if were_enabled && priority == Some(Priority::High) {
                return Ok(());
            }
            self.who_may_wait(were_enabled)?;
            let from = self.scheduler.borrow().current_context();
            self.scheduler.borrow_mut().put_back(false);
            self.go_on(from);
            Ok(())
        })
    }

    /// Sleeps until a cycle. One that has passed ends at the next timer interrupt.
    ///
    /// # Errors
    /// The caller cannot wait.
    pub fn sleep_until(&self, cycle: u64) -> Result<(), CannotWait> {
        self.exclusive(|were_enabled| {
            self.who_may_wait(were_enabled)?;
            self.block(Reason::Sleeping, Wait::Until(cycle));
            Ok(())
        })
    }

    /// Sleeps for some cycles.
    ///
    /// # Errors
    /// The caller cannot wait.
    pub fn sleep(&self, cycles: u64) -> Result<(), CannotWait> {
        self.sleep_until(self.platform.now().saturating_add(cycles))
    }

    /// Waits until somebody [resumes](Self::resume) this thread, or returns at once if somebody has since it was resumed last.
    /// Only a thread itself suspends it: another one might stop it where it holds what others need.
    ///
    /// # Errors
    /// The caller cannot wait. A high priority thread returns instead.
    pub fn suspend(&self) -> Result<(), CannotWait> {
        self.exclusive(|were_enabled| {
            self.who_may_wait(were_enabled)?;
            if !self.scheduler.borrow_mut().take_resumed() {
                self.block(Reason::Suspended, Wait::Forever);
            }
            Ok(())
        })
    }

    /// Ends the suspension of a thread, or has a high priority thread entered again. Where a thread is not suspended, its
    /// next suspension ends at once; several resumptions are one. One of a thread that is over has no effect. At any level.
    pub fn resume(&self, id: ThreadId) {
        self.critical(|| {
            let waits_for_it = self.scheduler.borrow_mut().resume(id);
            if waits_for_it {
                self.wake(id, Wake::Granted);
            }
        });
    }

    /// Waits for the end of a thread.
    ///
    /// # Errors
    /// It does not end, or not in time; or the caller cannot wait.
    pub fn join(&self, id: ThreadId, wait: Wait) -> Result<(), JoinError> {
        self.exclusive(|were_enabled| {
            let mut scheduler = self.scheduler.borrow_mut();
            if !scheduler.was_made(id) {
                return Err(JoinError::NoSuchThread);
            }
            let me = scheduler.current();
            let Some(thread) = scheduler.thread_mut(id) else { return Ok(()) };
            if thread.priority == Priority::High || me == Some(id) {
                return Err(JoinError::Endless);
            }
            if wait == Wait::No {
                return Err(JoinError::TimedOut);
            }
            drop(scheduler);
            let me = self.who_may_wait(were_enabled)?;
            if let Some(thread) = self.scheduler.borrow_mut().thread_mut(id) {
                thread.joiners.push(me);
            }
            match self.block(Reason::Joining(id), wait) {
                Wake::Granted => Ok(()),
                Wake::TimedOut => Err(JoinError::TimedOut),
            }
        })
    }

    /// Threads that are not over, and whether each waits.
    pub fn threads(&self) -> Vec<(ThreadId, Priority, bool)> {
        self.critical(|| {
            let scheduler = self.scheduler.borrow();
            scheduler
                .iter()
                .map(|(id, thread)| (id, thread.priority, matches!(thread.state, State::Blocked(_))))
                .collect()
        })
    }
}
