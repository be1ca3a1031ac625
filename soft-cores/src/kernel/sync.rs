//! Mutexes and counting semaphores (66.3).
//!
//! Who waits is served by priority, then in the order of arrival. A release hands the mutex or the unit to whom it wakes, so
//! nobody who comes in between can take it. High priority threads never wait (66.5): for them, and in interrupts, what is
//! not free is an error. Priority inversion: see [`super::scheduler`].

use alloc::vec::Vec;

use super::scheduler::{Priority, Reason, Scheduler, ThreadId, Wake};
use super::{CannotWait, Kernel, Wait};
use crate::platform::Platform;

/// A mutex.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MutexId(usize);

/// A semaphore.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SemaphoreId(usize);

/// Why a mutex or a semaphore did not do as it was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyncError {
    /// It is another kernel's.
    NoSuchObject,
    /// Only a thread can own a mutex.
    NotAThread,
    /// The caller owns the mutex already.
    AlreadyOwner,
    /// The caller does not own the mutex.
    NotOwner,
    /// It is not free, and the caller cannot wait.
    CannotWait,
    /// It has not become free in time; with [`Wait::No`], it is not free.
    TimedOut,
    /// The semaphore is at its limit.
    Full,
}

impl From<CannotWait> for SyncError {
    fn from(_: CannotWait) -> Self {
        Self::CannotWait
    }
}

#[derive(Debug, Default)]
struct Mutex {
    owner: Option<ThreadId>,
    waiters: Vec<ThreadId>,
}

#[derive(Debug)]
struct Semaphore {
    units: u32,
    limit: u32,
    waiters: Vec<ThreadId>,
}

/// All mutexes and semaphores.
#[derive(Debug, Default)]
pub(super) struct Objects {
    mutexes: Vec<Mutex>,
    semaphores: Vec<Semaphore>,
}

impl Objects {
    fn mutex(&mut self, id: MutexId) -> Result<&mut Mutex, SyncError> {
        self.mutexes.get_mut(id.0).ok_or(SyncError::NoSuchObject)
    }

    fn semaphore(&mut self, id: SemaphoreId) -> Result<&mut Semaphore, SyncError> {
        self.semaphores.get_mut(id.0).ok_or(SyncError::NoSuchObject)
    }

    pub fn forget_waiter(&mut self, id: ThreadId, reason: Reason) {
        let waiters = match reason {
            Reason::Mutex(mutex) => self.mutex(mutex).map(|mutex| &mut mutex.waiters),
            Reason::Semaphore(semaphore) => self.semaphore(semaphore).map(|semaphore| &mut semaphore.waiters),
            _ => return,
        };
        if let Ok(waiters) = waiters {
            waiters.retain(|&waiter| waiter != id);
        }
    }
}

/// Takes out the first of the most urgent waiters.
fn next_waiter(waiters: &mut Vec<ThreadId>, scheduler: &Scheduler) -> Option<ThreadId> {
    let urgency = |id: &ThreadId| scheduler.thread(*id).map(|thread| thread.effective());
    let most = waiters.iter().map(urgency).max()?;
    let first = waiters.iter().position(|waiter| urgency(waiter) == most)?;
    Some(waiters.remove(first))
}

impl<P: Platform + 'static> Kernel<P> {
    /// Makes a mutex that nobody owns.
    pub fn mutex(&self) -> MutexId {
        self.critical(|| {
            let mutexes = &mut self.objects.borrow_mut().mutexes;
            mutexes.push(Mutex::default());
            MutexId(mutexes.len() - 1)
        })
    }

    /// Makes a semaphore that has some units, and never more than `limit`.
    pub fn semaphore(&self, units: u32, limit: u32) -> SemaphoreId {
        self.critical(|| {
            let semaphores = &mut self.objects.borrow_mut().semaphores;
            semaphores.push(Semaphore { units: units.min(limit), limit, waiters: Vec::new() });
            SemaphoreId(semaphores.len() - 1)
        })
    }

    /// Takes a mutex. A high priority thread gets it if it is free, and keeps it beyond its return if it does not give it back.
    ///
    /// # Errors
    /// The caller did not get it.
    pub fn lock(&self, id: MutexId, wait: Wait) -> Result<(), SyncError> {
        self.exclusive(|were_enabled| {
            let me = self.current().ok_or(SyncError::NotAThread)?;
            let mut objects = self.objects.borrow_mut();
            let mutex = objects.mutex(id)?;
            match mutex.owner {
                None => {
                    mutex.owner = Some(me);
                    drop(objects);
                    self.count_held(me, true);
                    return Ok(());
                }
                Some(owner) if owner == me => return Err(SyncError::AlreadyOwner),
                Some(_) if wait == Wait::No => return Err(SyncError::TimedOut),
                Some(_) => {}
            }
            self.who_may_wait(were_enabled)?;
            mutex.waiters.push(me);
            drop(objects);
            self.wait_for_grant(Reason::Mutex(id), wait)
        })
    }

    fn wait_for_grant(&self, reason: Reason, wait: Wait) -> Result<(), SyncError> {
        match self.block(reason, wait) {
            Wake::Granted => Ok(()),
            Wake::TimedOut => Err(SyncError::TimedOut),
        }
    }

    fn count_held(&self, id: ThreadId, more: bool) {
        if let Some(thread) = self.scheduler.borrow_mut().thread_mut(id) {
            thread.held = if more { thread.held.saturating_add(1) } else { thread.held.saturating_sub(1) };
        }
    }

    /// Gives a mutex back, or on to the next who waits for it.
    ///
    /// # Errors
    /// It is not the caller's to give.
    pub fn unlock(&self, id: MutexId) -> Result<(), SyncError> {
        self.critical(|| {
            let me = self.current().ok_or(SyncError::NotAThread)?;
            if self.objects.borrow_mut().mutex(id)?.owner != Some(me) {
                return Err(SyncError::NotOwner);
            }
            self.count_held(me, false);
            self.pass_on(id)
        })
    }

    fn pass_on(&self, id: MutexId) -> Result<(), SyncError> {
        let next = {
            let mut objects = self.objects.borrow_mut();
            let mutex = objects.mutex(id)?;
            mutex.owner = next_waiter(&mut mutex.waiters, &self.scheduler.borrow());
            mutex.owner
        };
        if let Some(next) = next {
            // Before it is ready, so that it is ready at the ceiling.
            self.count_held(next, true);
            self.wake(next, Wake::Granted);
        }
        Ok(())
    }

    /// A thread is over that held mutexes.
    pub(super) fn abandon_mutexes(&self, of: ThreadId) {
        let held: Vec<_> = {
            let objects = self.objects.borrow();
            let all = objects.mutexes.iter().enumerate();
            all.filter(|(_, mutex)| mutex.owner == Some(of)).map(|(index, _)| MutexId(index)).collect()
        };
        self.account.borrow_mut().counters.abandoned_mutexes += held.len() as u64;
        for id in held {
            // Its number is one of ours, so that nothing can fail.
            let _ = self.pass_on(id);
        }
    }

    /// Takes a unit. At interrupt level and in high priority threads if there is one.
    ///
    /// # Errors
    /// The caller did not get it.
    pub fn take(&self, id: SemaphoreId, wait: Wait) -> Result<(), SyncError> {
        self.exclusive(|were_enabled| {
            let mut objects = self.objects.borrow_mut();
            let semaphore = objects.semaphore(id)?;
            if semaphore.units > 0 {
                semaphore.units -= 1;
                return Ok(());
            }
            if wait == Wait::No {
                return Err(SyncError::TimedOut);
            }
            semaphore.waiters.push(self.who_may_wait(were_enabled)?);
            drop(objects);
            self.wait_for_grant(Reason::Semaphore(id), wait)
        })
    }

    /// Gives a unit, to who waits for it if somebody does. At any level.
    ///
    /// # Errors
    /// There are as many as the semaphore may have.
    pub fn give(&self, id: SemaphoreId) -> Result<(), SyncError> {
        self.critical(|| {
            let next = {
                let mut objects = self.objects.borrow_mut();
                let semaphore = objects.semaphore(id)?;
                let next = next_waiter(&mut semaphore.waiters, &self.scheduler.borrow());
                if next.is_none() && semaphore.units == semaphore.limit {
                    return Err(SyncError::Full);
                }
                semaphore.units += u32::from(next.is_none());
                next
            };
            if let Some(next) = next {
                self.wake(next, Wake::Granted);
            }
            Ok(())
        })
    }

    /// What a thread runs at: its own priority, or the ceiling while it holds a mutex.
    pub fn priority_of(&self, id: ThreadId) -> Option<Priority> {
        self.critical(|| self.scheduler.borrow().thread(id).map(|thread| thread.effective()))
    }
}
