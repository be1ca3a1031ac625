//! Who runs: threads, their priorities and states, and the queues of those that are ready. Knows no platform.
//!
//! - The ready thread of the highest priority runs; among equals the one that has been ready longest (FIFO, no time slices).
//! - A thread that is preempted keeps its turn: it goes to the front of its queue. One that yields or was woken goes to the
//!   back.
//! - High priority threads are never preempted by threads (66.5), so their queue has only threads that wait for their
//!   entry.
//! - A thread that holds a mutex runs at [`CEILING`] at least. High priority threads never wait, so no waiter is above that,
//!   and no thread between a holder and its waiter can run: priority inversion has no room.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use super::deadlines::Deadline;
use super::sync::{MutexId, SemaphoreId};
use crate::platform::Context;

/// A thread. Numbers are not used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ThreadId(pub(super) u32);

/// How urgent a thread is (66.5, 66.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// Runs when nobody else wants to; ends when its function returns.
    Low,
    /// Ends when its function returns.
    Normal,
    /// Preempted by interrupts only; never waits; its function is entered again whenever it is resumed.
    High,
}

impl Priority {
    /// All of them, lowest first.
    pub const ALL: [Priority; 3] = [Priority::Low, Priority::Normal, Priority::High];
}

/// The least priority of a thread that holds a mutex: that of the most urgent thread that may wait for one.
pub const CEILING: Priority = Priority::Normal;

/// Why a thread does not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// High priority: its function has returned.
    Returned,
    /// It suspended itself.
    Suspended,
    Sleeping,
    Mutex(MutexId),
    Semaphore(SemaphoreId),
    Joining(ThreadId),
    /// For the report of a DMA list.
    Dma,
}

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wake {
    /// What it waited for happened.
    Granted,
    TimedOut,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Ready,
    Running,
    Blocked(Reason),
}

#[derive(Debug)]
pub(super) struct Thread {
    pub context: Context,
    pub priority: Priority,
    pub state: State,
    /// Mutexes that it holds.
    pub held: u32,
    /// It was resumed when it was not blocked for that: its next wait for it ends at once.
    pub resumed: bool,
    pub wake: Wake,
    /// When its wait ends by itself.
    pub deadline: Option<Deadline>,
    pub joiners: Vec<ThreadId>,
}

impl Thread {
    /// What it runs at.
    pub fn effective(&self) -> Priority {
        if self.held > 0 { self.priority.max(CEILING) } else { self.priority }
    }
}

/// See the module's page.
#[derive(Debug, Default)]
pub(super) struct Scheduler {
    threads: BTreeMap<ThreadId, Thread>,
    ready: [VecDeque<ThreadId>; 3],
    current: Option<ThreadId>,
    made: u32,
}

impl Scheduler {
    /// A new thread, ready at the back of its queue.
    pub fn add(&mut self, context: Context, priority: Priority) -> ThreadId {
        let id = ThreadId(self.made);
        self.made += 1;
        let thread = Thread {
            context,
            priority,
            state: State::Ready,
            held: 0,
            resumed: false,
            wake: Wake::Granted,
            deadline: None,
            joiners: Vec::new(),
        };
        self.threads.insert(id, thread);
        self.ready[priority as usize].push_back(id);
        id
    }

    pub fn len(&self) -> usize {
        self.threads.len()
    }

    pub fn iter(&self) -> impl Iterator<Item = (ThreadId, &Thread)> {
        self.threads.iter().map(|(&id, thread)| (id, thread))
    }

    pub fn thread(&self, id: ThreadId) -> Option<&Thread> {
        self.threads.get(&id)
    }

    pub fn thread_mut(&mut self, id: ThreadId) -> Option<&mut Thread> {
        self.threads.get_mut(&id)
    }

    /// The number was given to a thread at some time.
    pub fn was_made(&self, id: ThreadId) -> bool {
        id.0 < self.made
    }

    /// Who runs; `None` is the idle loop.
    pub fn current(&self) -> Option<ThreadId> {
        self.current
    }

    pub fn current_thread(&self) -> Option<&Thread> {
        self.threads.get(&self.current?)
    }

    pub fn current_context(&self) -> Context {
        self.current_thread().map_or(Context::BOOT, |thread| thread.context)
    }

    /// What runs now runs at.
    pub fn running_at(&self) -> Option<Priority> {
        self.current_thread().map(Thread::effective)
    }

    /// The highest priority that has somebody ready.
    fn top(&self) -> Option<Priority> {
        Priority::ALL.into_iter().rev().find(|&priority| !self.ready[priority as usize].is_empty())
    }

    /// Somebody who is ready goes before who runs.
    pub fn wants_preemption(&self) -> bool {
        // `None` is less than any priority: whoever is ready goes before the idle loop.
        self.top() > self.running_at()
    }

    /// Who runs is ready from now on: in front of its equals if it was preempted, behind them if it gives way.
    pub fn put_back(&mut self, preempted: bool) {
        let Some(id) = self.current.take() else { return };
        let Some(thread) = self.threads.get_mut(&id) else { return };
        thread.state = State::Ready;
        let queue = &mut self.ready[thread.effective() as usize];
        if preempted { queue.push_front(id) } else { queue.push_back(id) }
    }

    /// Who runs waits from now on.
    pub fn block(&mut self, reason: Reason) {
        let Some(id) = self.current.take() else { return };
        if let Some(thread) = self.threads.get_mut(&id) {
            thread.state = State::Blocked(reason);
        }
    }

    /// The wait of a thread is over. Says what it waited for, and when that would have ended by itself.
    pub fn wake(&mut self, id: ThreadId, wake: Wake) -> Option<(Reason, Option<Deadline>)> {
        let thread = self.threads.get_mut(&id)?;
        let State::Blocked(reason) = thread.state else { return None };
        thread.state = State::Ready;
        thread.wake = wake;
        self.ready[thread.effective() as usize].push_back(id);
        Some((reason, thread.deadline.take()))
    }

    /// Remembers that a thread was resumed, and says whether it is to be woken for that.
    pub fn resume(&mut self, id: ThreadId) -> bool {
        let Some(thread) = self.threads.get_mut(&id) else { return false };
        match thread.state {
            State::Blocked(Reason::Suspended | Reason::Returned) => return true,
            // It is about to be entered, and will see what it was resumed for.
            State::Ready if thread.priority == Priority::High => {}
            _ => thread.resumed = true,
        }
        false
    }

    /// Who runs has been resumed since it last waited for that; forgets it.
    pub fn take_resumed(&mut self) -> bool {
        let Some(thread) = self.current.and_then(|id| self.threads.get_mut(&id)) else { return false };
        core::mem::take(&mut thread.resumed)
    }

    /// Who runs is no more.
    pub fn remove_current(&mut self) -> Option<(ThreadId, Thread)> {
        let id = self.current.take()?;
        Some((id, self.threads.remove(&id)?))
    }

    /// The next thread runs; without one the idle loop.
    pub fn pick(&mut self) -> Context {
        let next = self.top().and_then(|priority| self.ready[priority as usize].pop_front());
        self.current = next;
        match next.and_then(|id| self.threads.get_mut(&id)) {
            Some(thread) => {
                thread.state = State::Running;
                thread.context
            }
            None => Context::BOOT,
        }
    }
}
