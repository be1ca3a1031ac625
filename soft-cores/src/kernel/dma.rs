//! The driver of the processor's DMA channel: lists of copies against the channel's credit, reports matched by their context.
//!
//! A report whose context is not under way is counted and left alone. A list is refused whole or pushed whole.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;

use abi::csr::core as csr;
use abi::dma::{Completion, DEPTH, Descriptor, MAX_LENGTH, Status, control};
use abi::receive::EMPTY;

use super::scheduler::{Reason, ThreadId, Wake};
use super::startup::Found;
use super::sync::SemaphoreId;
use super::{CannotWait, Kernel, Wait};
use crate::platform::Platform;

/// Where bytes are.
#[derive(Clone, core::marker::Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// In the host's memory.
    Host(u64),
    /// In a processor's memory: processor in bits 27:24, byte in 23:0.
    Card(u32),
}

impl Endpoint {
    fn address(self) -> u64 {
        match self {
            Endpoint::Host(address) => address,
            Endpoint::Card(address) => u64::from(address),
        }
    }

    const fn is_host(self) -> bool {
        matches!(self, Endpoint::Host(_))
    }
}

/// A copy.
#[derive(Clone, core::marker::Copy, Debug, PartialEq, Eq)]
pub struct Copy {
    /// From where.
    pub source: Endpoint,
    /// To where; not both are the host.
    pub destination: Endpoint,
    /// Bytes: 1 to [`MAX_LENGTH`].
    pub length: u32,
    /// Starts only when all that was pushed before it has been reported.
    pub fence: bool,
}

/// How a list of copies ended.
#[derive(Clone, core::marker::Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Bytes of the copies that were made whole.
    pub bytes: u32,
    /// The first error of the list; `None` is a status that there is not.
    pub status: Option<Status>,
}

impl Outcome {
    /// Every byte is where it belongs.
    pub fn is_ok(&self) -> bool {
        self.status == Some(Status::Ok)
    }
}

/// A function that is told how a list ended.
pub type Report<P> = Box<dyn FnOnce(&Kernel<P>, Outcome)>;

/// What follows the end of a list.
pub enum Then<P: Platform> {
    /// Nothing.
    Nothing,
    /// Calls a function, where the DMA is served.
    Call(Report<P>),
    /// Resumes a thread.
    Resume(ThreadId),
    /// Gives a unit.
    Give(SemaphoreId),
}

/// Why a list was not pushed, or did not succeed.
#[derive(Clone, core::marker::Copy, Debug, PartialEq, Eq)]
pub enum DmaError {
    /// The channel has no room for the whole list; reports make room.
    Full,
    /// It is empty or longer than the channel is deep, or one of its copies makes no sense.
    Invalid,
    /// The caller cannot wait.
    CannotWait,
    /// It has not ended in time. It goes on, and its end is not heard of.
    TimedOut,
    /// The card reported an error; `None` is a status that there is not.
    Failed(Option<Status>),
}

impl From<CannotWait> for DmaError {
    fn from(_: CannotWait) -> Self {
        Self::CannotWait
    }
}

/// Lists, counted.
#[derive(Clone, core::marker::Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Pushed.
    pub pushed: u64,
    /// Reported.
    pub reported: u64,
    /// Of these, how many with an error.
    pub failed: u64,
    /// Refused to the caller, for want of room.
    pub refused: u64,
    /// Reports of nothing that is under way.
    pub foreign: u64,
}

/// Who waits for a report.
enum Waiter<P: Platform> {
    Then(Then<P>),
    /// A thread, in [`Kernel::copy`].
    Thread(ThreadId),
}

/// The channel's state.
pub(super) struct Dma<P: Platform> {
    /// Descriptors that fit, at least: reports only make it more.
    credit: u32,
    depth: u32,
    /// Lists that are under way, by their contexts.
    pending: BTreeMap<u32, Waiter<P>>,
    /// Reports for threads that have not run since.
    outcomes: BTreeMap<ThreadId, Outcome>,
    next_context: u32,
    counters: Counters,
}

impl<P: Platform> Dma<P> {
    pub fn new(found: &Found) -> Self {
        Self {
            credit: found.dma_depth,
            depth: found.dma_depth,
            pending: BTreeMap::new(),
            outcomes: BTreeMap::new(),
            next_context: 0,
            counters: Counters::default(),
        }
    }

    fn has_room(&mut self, platform: &P, descriptors: u32) -> bool {
        if self.credit < descriptors {
            self.credit = platform.read(csr::DMA_PUSH.offset).min(self.depth);
        }
        // Each list that is under way has a place of its own in the channel, whatever the card says.
        self.credit >= descriptors && self.pending.len() < self.depth as usize
    }

    /// A context that no list under way has.
    fn context(&mut self) -> u32 {
        while self.pending.contains_key(&self.next_context) {
            self.next_context = self.next_context.wrapping_add(1);
        }
        let context = self.next_context;
        self.next_context = context.wrapping_add(1);
        context
    }

    /// Pushes a list that makes sense; gives its context.
    fn push(&mut self, platform: &P, list: &[Copy], post: Option<u32>, waiter: Waiter<P>) -> Result<u32, DmaError> {
        if !self.has_room(platform, list.len() as u32) {
            self.counters.refused += 1;
            return Err(DmaError::Full);
        }
        let context = self.context();
        self.pending.insert(context, waiter);
        for (index, copy) in list.iter().enumerate() {
            let last = index + 1 == list.len();
            write(platform, &copy.descriptor(last, post.filter(|_| last), context));
        }
        self.credit -= list.len() as u32;
        self.counters.pushed += 1;
        Ok(context)
    }

    /// The oldest report; `Some(None)` is one of nothing that is under way.
    fn take(&mut self, platform: &P) -> Option<Option<(Waiter<P>, Outcome)>> {
        let word = platform.read(csr::DMA_DONE.offset);
        if word == EMPTY {
            return None;
        }
        let context = platform.read(csr::DMA_CONTEXT.offset);
        let completion = Completion(u64::from(context) << Completion::CONTEXT_LSB | u64::from(word));
        let outcome = Outcome { bytes: completion.bytes(), status: completion.status() };
        let Some(waiter) = self.pending.remove(&context) else {
            self.counters.foreign += 1;
            return Some(None);
        };
        self.counters.reported += 1;
        self.counters.failed += u64::from(!outcome.is_ok());
        Some(Some((waiter, outcome)))
    }
}

impl Copy {
    fn makes_sense(&self) -> bool {
        (1..=MAX_LENGTH).contains(&self.length) && !(self.source.is_host() && self.destination.is_host())
    }

    fn descriptor(&self, last: bool, post: Option<u32>, context: u32) -> Descriptor {
        let flag = |set: bool, bit: u32| if set { bit } else { 0 };
        Descriptor {
            source: self.source.address(),
            destination: self.destination.address(),
            length: self.length,
            flags: flag(self.source.is_host(), control::SOURCE_HOST)
                | flag(self.destination.is_host(), control::DESTINATION_HOST)
                | flag(!last, control::MORE)
                | flag(post.is_some(), control::POST)
                | flag(self.fence, control::FENCE),
            mfa: post.unwrap_or(0),
            context,
        }
    }
}

/// The push, which is the context's, comes last.
fn write(platform: &impl Platform, descriptor: &Descriptor) {
    for (offset, word) in (csr::DMA_SOURCE.offset..).step_by(4).zip(descriptor.words()) {
        platform.write(offset, word);
    }
}

impl<P: Platform + 'static> Kernel<P> {
    /// Pushes a list of copies, and a message frame to post when all of it succeeded, if the last copy goes to the host. It is
    /// reported once. At any level.
    ///
    /// # Errors
    /// It is not pushed.
    pub fn push(&self, list: &[Copy], post: Option<u32>, then: Then<P>) -> Result<(), DmaError> {
        check_list(list, post)?;
        self.critical(|| self.dma.borrow_mut().push(&self.platform, list, post, Waiter::Then(then)).map(|_| ()))
    }

    /// Makes copies and waits for their end; says how many bytes it was.
    ///
    /// # Errors
    /// The list is not pushed, is not reported in time, or is reported with an error.
    pub fn copy(&self, list: &[Copy], wait: Wait) -> Result<u32, DmaError> {
        check_list(list, None)?;
        self.exclusive(|were_enabled| {
            let me = self.who_may_wait(were_enabled)?;
            let context = self.dma.borrow_mut().push(&self.platform, list, None, Waiter::Thread(me))?;
            if wait == Wait::No || self.block(Reason::Dma, wait) == Wake::TimedOut {
                if let Some(waiter) = self.dma.borrow_mut().pending.get_mut(&context) {
                    *waiter = Waiter::Then(Then::Nothing);
                }
                return Err(DmaError::TimedOut);
            }
            match self.dma.borrow_mut().outcomes.remove(&me) {
                Some(outcome) if outcome.is_ok() => Ok(outcome.bytes),
                outcome => Err(DmaError::Failed(outcome.and_then(|outcome| outcome.status))),
            }
        })
    }

    /// Handles the oldest report; says whether there was one. At any level; who has the DMA served needs it not.
    pub fn handle_report(&self) -> bool {
        let taken = self.critical(|| self.dma.borrow_mut().take(&self.platform));
        let there_was_one = taken.is_some();
        if let Some(Some((waiter, outcome))) = taken {
            self.conclude(waiter, outcome);
        }
        there_was_one
    }

    fn conclude(&self, waiter: Waiter<P>, outcome: Outcome) {
        match waiter {
            Waiter::Then(Then::Nothing) => {}
            Waiter::Then(Then::Call(function)) => function(self, outcome),
            Waiter::Then(Then::Resume(id)) => self.resume(id),
            Waiter::Then(Then::Give(id)) => {
                // A semaphore that is full has been told before.
                let _ = self.give(id);
            }
            Waiter::Thread(id) => self.critical(|| {
                self.dma.borrow_mut().outcomes.insert(id, outcome);
                self.wake(id, Wake::Granted);
            }),
        }
    }

    /// Handles reports up to the budget.
    pub(super) fn serve_dma(&self, budget: u32) -> u32 {
        (0..budget).take_while(|_| self.handle_report()).count() as u32
    }

    /// Lists that are under way.
    pub fn lists_under_way(&self) -> usize {
        self.critical(|| self.dma.borrow().pending.len())
    }

    /// Lists, counted.
    pub fn dma_counters(&self) -> Counters {
        self.critical(|| self.dma.borrow().counters)
    }
}

fn check_list(list: &[Copy], post: Option<u32>) -> Result<(), DmaError> {
    let makes_sense = (1..=DEPTH).contains(&list.len()) && list.iter().all(Copy::makes_sense);
    // What a processor's channel posts is outbound, so the copy goes to the host.
    let may_post = post.is_none() || list.last().is_some_and(|copy| copy.destination.is_host());
    if makes_sense && may_post { Ok(()) } else { Err(DmaError::Invalid) }
}
