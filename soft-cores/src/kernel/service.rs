//! From a cause to the functions that handle it: rounds at interrupt level, in the service thread, and polled.
//!
//! **Acknowledge**: a queue is emptied first, then its cause is acknowledged. The card sets a cause again as long as its reason
//! stands, so what comes between the last look and the acknowledge is not lost; and what was handled does not interrupt once
//! more. Two causes are no queues: the timer's COMPARE is set before its acknowledge, and an error is acknowledged before the
//! counters of what was refused are read.

use alloc::boxed::Box;
use core::cell::{Cell, RefCell};

use abi::csr::core as csr;

use super::Kernel;
use super::account::{Level, Refused};
use super::deadlines::Target;
use super::handler::Handler;
use super::interrupt::{ALL_CAUSES, Place, Policy, PolicyError, Source, Sources};
use super::mac::{Frame, Sent};
use super::message::{Incoming, Kind};
use super::scheduler::{Priority, ThreadId};
use super::startup::StartError;
use super::thread::SpawnError;
use super::timer::next_tick;
use crate::platform::{Event, Platform};

/// Who handles what, and the thread for what is not handled at interrupt level.
pub(super) struct Services<P: Platform> {
    pub frames: Handler<P, Frame>,
    pub sent: Handler<P, Sent>,
    pub host: Handler<P, u32, u32>,
    pub messages: [Handler<P, Incoming>; Kind::ALL.len()],
    thread: Cell<Option<ThreadId>>,
    /// What IRQ_MASK holds.
    mask: Cell<u32>,
    poll_is_due: Cell<bool>,
    refused: RefCell<Refusals>,
}

impl<P: Platform> Default for Services<P> {
    fn default() -> Self {
        Self {
            frames: Handler::default(),
            sent: Handler::default(),
            host: Handler::default(),
            messages: Default::default(),
            thread: Cell::new(None),
            mask: Cell::new(ALL_CAUSES),
            poll_is_due: Cell::new(false),
            refused: RefCell::default(),
        }
    }
}

/// Counters of 16 bits that wrap, and their sums.
#[derive(Debug, Default)]
struct Refusals {
    last: [u16; 5],
    sums: [u64; 5],
}

impl Refusals {
    const REGISTERS: [u32; 5] = [
        csr::RX_REFUSED.offset,
        csr::TX_REFUSED.offset,
        csr::MFA_REFUSED.offset,
        csr::DMA_REFUSED.offset,
        csr::MESSAGE_REFUSED.offset,
    ];

    /// Reads them all; says how many refusals are new.
    fn update(&mut self, platform: &impl Platform) -> u32 {
        let mut new = 0;
        for (index, offset) in Self::REGISTERS.into_iter().enumerate() {
            let count = platform.read(offset) as u16;
            let more = count.wrapping_sub(self.last[index]);
            self.last[index] = count;
            self.sums[index] += u64::from(more);
            new += u32::from(more);
        }
        new
    }
}

impl<P: Platform + 'static> Kernel<P> {
    /// Unmasks what has a handler.
    pub(super) fn start_services(&self) -> Result<(), StartError> {
        if self.config.policy.place == Place::Thread {
            self.start_service_thread().map_err(StartError::ServiceThread)?;
        }
        self.update_mask();
        Ok(())
    }

    fn start_service_thread(&self) -> Result<(), SpawnError> {
        if self.services.thread.get().is_none() {
            let id = self.spawn(Priority::High, |kernel| kernel.serve_in_thread())?;
            self.services.thread.set(Some(id));
        }
        Ok(())
    }

    /// How a source is to be served from now on. The first that is served in the service thread makes it.
    ///
    /// # Errors
    /// The policy makes no sense, or there is no room for the service thread. The old one stays.
    pub fn set_policy(&self, source: Source, policy: Policy) -> Result<(), PolicyError> {
        Sources::check(source, policy)?;
        self.critical(|| {
            if policy.place == Place::Thread {
                self.start_service_thread().map_err(PolicyError::ServiceThread)?;
            }
            self.sources.borrow_mut().set_policy(source, policy);
            self.update_mask();
            Ok(())
        })
    }

    /// Who handles the messages of the host: gets the number of them it may handle, says how many it has. Until there is
    /// somebody, they wait and do not interrupt.
    pub fn on_host(&self, function: impl FnMut(&Self, u32) -> u32 + 'static) {
        self.services.host.set(self, Box::new(function));
        self.critical(|| {
            self.sources.borrow_mut().install(Source::Host);
            self.update_mask();
        });
    }

    /// The interrupt handler. Interrupts are disabled, and stay so: none interrupts another.
    pub(super) fn interrupt(&self) {
        self.at_interrupt_level(|| {
            self.platform.charge(Event::Interrupt);
            let pending = self.platform.read(csr::IRQ_STATUS.offset) & !self.services.mask.get() & ALL_CAUSES;
            {
                let counters = &mut self.account.borrow_mut().counters;
                counters.interrupts += 1;
                counters.spurious += u64::from(pending == 0);
            }
            self.serve_causes(pending);
        });
        self.preempt();
    }

    fn at_interrupt_level(&self, work: impl FnOnce()) {
        let was_at_interrupt = self.at_interrupt.replace(true);
        let level = self.enter_level(Level::Interrupt);
        work();
        self.at_interrupt.set(was_at_interrupt);
        self.enter_level(level);
    }

    /// Looks at everything that is polled, and serves it: one read of IRQ_STATUS if there is nothing (66.8). Without effect at
    /// interrupt level.
    pub fn poll(&self) {
        self.critical(|| {
            if !self.at_interrupt.get() {
                self.poll_sources(&Source::ALL);
            }
        });
    }

    fn poll_sources(&self, sources: &[Source]) {
        if !self.sources.borrow().polls() {
            return;
        }
        let status = self.platform.read(csr::IRQ_STATUS.offset);
        let mut pending = 0;
        for &source in sources {
            let mut state = self.sources.borrow_mut();
            match status & source.causes() {
                _ if !state.may_poll(source) => {}
                0 => state.after_silence(source),
                _ => pending |= source.causes(),
            }
        }
        if pending != 0 {
            self.at_interrupt_level(|| self.serve_causes(pending));
        }
        self.update_mask();
    }

    /// The poll that was due at a cycle.
    pub(super) fn poll_by_timer(&self, due: u64, now: u64) {
        self.services.poll_is_due.set(false);
        if self.sources.borrow().polls() {
            let (_, next) = next_tick(due, self.config.poll_period, now);
            self.poll_at(next);
            // The timer is what is being served.
            self.poll_sources(&Source::ALL[1..]);
        }
    }

    fn poll_at(&self, cycle: u64) {
        self.services.poll_is_due.set(true);
        self.set_deadline(cycle, Target::Poll);
    }

    fn serve_causes(&self, pending: u32) {
        for source in Source::ALL {
            if pending & source.causes() != 0 {
                self.take_up(source);
            }
        }
    }

    /// Serves a source now, or has the service thread do it (66.7).
    fn take_up(&self, source: Source) {
        let place = self.sources.borrow().policy(source).place;
        match self.services.thread.get() {
            Some(thread) if place == Place::Thread => {
                self.sources.borrow_mut().set_in_thread(source, true);
                self.update_mask();
                self.resume(thread);
            }
            _ => {
                self.round(source);
            }
        }
    }

    /// One round of a source; says whether it used up its budget.
    fn round(&self, source: Source) -> bool {
        let budget = self.sources.borrow().policy(source).budget;
        let items = self.serve(source, budget);
        self.critical(|| {
            if source != Source::Error {
                self.platform.write(csr::IRQ_STATUS.offset, source.causes());
            }
            self.sources.borrow_mut().after_round(source, items, self.platform.now());
            self.update_mask();
        });
        items >= budget
    }

    fn serve(&self, source: Source, budget: u32) -> u32 {
        match source {
            Source::Timer => self.serve_deadlines(),
            Source::Host => self.services.host.call(self, budget).unwrap_or(0),
            Source::Messages => self.serve_messages(budget),
            Source::Mac => self.serve_mac(budget),
            Source::Dma => self.serve_dma(budget),
            Source::Error => self.serve_error(),
        }
    }

    fn serve_error(&self) -> u32 {
        self.critical(|| {
            self.platform.write(csr::IRQ_STATUS.offset, Source::Error.causes());
            self.services.refused.borrow_mut().update(&self.platform)
        })
    }

    /// What the service thread does each time it is resumed: a round of each source that waits for it. Who has more gets
    /// another turn behind the other high priority threads.
    fn serve_in_thread(&self) {
        for source in Source::ALL {
            if self.critical(|| self.sources.borrow().in_thread(source)) {
                let full = self.round(source);
                self.critical(|| self.after_thread(source, full));
            }
        }
    }

    fn after_thread(&self, source: Source, full: bool) {
        let mut sources = self.sources.borrow_mut();
        match self.services.thread.get() {
            Some(thread) if full && !sources.is_polled(source) => {
                drop(sources);
                self.resume(thread);
            }
            _ => {
                sources.set_in_thread(source, false);
                drop(sources);
                self.update_mask();
            }
        }
    }

    pub(super) fn is_polling(&self) -> bool {
        self.sources.borrow().polls()
    }

    /// Brings IRQ_MASK up to date, and sees to it that polling goes on while the processor does not idle.
    pub(super) fn update_mask(&self) {
        let mask = self.sources.borrow().mask();
        if self.services.mask.replace(mask) != mask {
            self.platform.write(csr::IRQ_MASK.offset, mask);
        }
        if !self.services.poll_is_due.get() && self.is_polling() {
            self.poll_at(self.platform.now().saturating_add(self.config.poll_period));
        }
    }

    /// What the card has refused since the start.
    pub fn refused(&self) -> Refused {
        let [buffers, frames, mfas, descriptors, messages] = self.critical(|| self.services.refused.borrow().sums);
        Refused { buffers, frames, mfas, descriptors, messages }
    }
}
