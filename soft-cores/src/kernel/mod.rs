//! The net kernel's operating system part (¶66): what runs when, on one processor.
//!
//! | module | does |
//! |---|---|
//! | [`startup`] | looks at what the processor finds, and refuses what is wrong |
//! | [`thread`], [`scheduler`] | threads of three priorities: made, entered, blocked, ended; who runs |
//! | [`sync`] | mutexes and counting semaphores, with timeouts |
//! | [`timer`], `deadlines` | timers on the one compare register |
//! | [`pool`] | blocks of the processor's memory |
//! | [`interrupt`], `service` | causes to their handlers; interrupts or polling, at interrupt level or in a thread |
//! | [`message`], [`busy`] | messages between processors, and which of them to ask |
//! | [`mac`], [`dma`] | the drivers of the Ethernet port and of the DMA channel |
//! | [`account`] | what was counted, and where the time went |
//!
//! # Rules
//! - **Two levels** (66.4): interrupts and threads. An interrupt handler runs with interrupts disabled, so none interrupts
//!   another; at its end the most urgent thread goes on.
//! - **One lock.** All state of the kernel is touched within [`Kernel::critical`], that is with interrupts disabled. A borrow
//!   of it never spans a switch of threads or a call of somebody's function.
//! - **Preemption** happens in one place: where interrupts would be enabled again, at the end of a critical section or of an
//!   interrupt.
//! - **What cannot wait gets an error**: high priority threads, interrupt handlers, critical sections.
//! - **No register is believed.** Addresses and contexts that come back are looked up among those given out; every loop over
//!   a queue of the card is bounded.

pub mod account;
pub mod busy;
mod deadlines;
pub mod dma;
mod handler;
pub mod interrupt;
pub mod mac;
pub mod message;
pub mod pool;
pub mod scheduler;
mod service;
pub mod startup;
pub mod sync;
pub mod thread;
pub mod timer;

use alloc::boxed::Box;
use alloc::rc::{Rc, Weak};
use core::cell::{Cell, RefCell};

use crate::platform::{Context, Event, Platform};
use account::{Account, Counters, Level};
use deadlines::Deadlines;
use dma::Dma;
use interrupt::Sources;
use mac::Mac;
use message::Messages;
use pool::Pools;
use scheduler::Scheduler;
use service::Services;
use startup::{Config, Found, StartError};
use sync::Objects;
use timer::Timers;

/// One processor's kernel. See the module's page for its rules.
pub struct Kernel<P: Platform> {
    platform: P,
    /// For what outlives a call: threads and the interrupt handler.
    me: Weak<Self>,
    config: Config,
    found: Found,
    at_interrupt: Cell<bool>,
    account: RefCell<Account>,
    scheduler: RefCell<Scheduler>,
    deadlines: RefCell<Deadlines>,
    timers: RefCell<Timers<P>>,
    objects: RefCell<Objects>,
    pools: RefCell<Pools>,
    sources: RefCell<Sources>,
    services: Services<P>,
    messages: RefCell<Messages>,
    mac: RefCell<Mac>,
    dma: RefCell<Dma<P>>,
}

/// Something that needs a thread which can wait was asked of a high priority thread (66.5), at interrupt level, or within a
/// critical section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CannotWait;

/// How long to wait. Times are absolute, in cycles, so that retries do not add up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Not at all.
    No,
    /// Until this cycle.
    Until(u64),
    /// Forever.
    Forever,
}

impl<P: Platform + 'static> Kernel<P> {
    /// Checks the processor and makes its kernel, all interrupts enabled that have a handler. Threads start to run with
    /// [`run`](Self::run).
    ///
    /// # Errors
    /// The processor is not what it should be; the error names what is wrong.
    pub fn start(platform: P, config: Config) -> Result<Rc<Self>, StartError> {
        platform.interrupts(false);
        let found = startup::examine(&platform, &config)?;
        let now = platform.now();
        let kernel = Rc::new_cyclic(|me| Self {
            me: me.clone(),
            found,
            at_interrupt: Cell::new(false),
            account: RefCell::new(Account::new(now)),
            scheduler: RefCell::default(),
            deadlines: RefCell::default(),
            timers: RefCell::default(),
            objects: RefCell::default(),
            pools: RefCell::new(Pools::new(found.memory())),
            sources: RefCell::new(Sources::new(&config)),
            services: Services::default(),
            messages: RefCell::new(Messages::new(&found, &config)),
            mac: RefCell::new(Mac::new(&found)),
            dma: RefCell::new(Dma::new(&found)),
            config,
            platform,
        });
        startup::quiet(&kernel.platform);
        let me = kernel.me.clone();
        kernel.platform.on_interrupt(Box::new(move || {
            if let Some(kernel) = me.upgrade() {
                kernel.interrupt();
            }
        }));
        kernel.start_services()?;
        Ok(kernel)
    }

    /// Runs threads, and idles when there is none to run. Called once, on the context that the processor started on.
    pub fn run(&self) -> ! {
        self.platform.interrupts(true);
        // The threads that were made before.
        self.critical(|| ());
        loop {
            self.critical(|| {
                // Nobody is ready, and only an interrupt or a poll changes that. An interrupt that comes here ends the wait, and
                // is taken at the end of the critical section.
                if self.is_polling() {
                    self.poll();
                } else {
                    self.platform.wait_for_interrupt();
                }
            });
        }
    }

    /// What it runs on.
    pub fn platform(&self) -> &P {
        &self.platform
    }

    /// What start-up found.
    pub fn found(&self) -> &Found {
        &self.found
    }

    /// Does `work` with interrupts disabled. What became ready by it runs when they are enabled again.
    pub fn critical<R>(&self, work: impl FnOnce() -> R) -> R {
        self.exclusive(|_| work())
    }

    /// As [`critical`](Self::critical); `work` learns whether interrupts were enabled, without which nobody may wait.
    fn exclusive<R>(&self, work: impl FnOnce(bool) -> R) -> R {
        let were_enabled = self.platform.interrupts(false);
        let result = work(were_enabled);
        if were_enabled {
            self.preempt();
            self.platform.interrupts(true);
        }
        result
    }

    /// Lets a more urgent thread go first, if there is one. Interrupts are disabled, and nothing is borrowed.
    fn preempt(&self) {
        let mut scheduler = self.scheduler.borrow_mut();
        if !scheduler.wants_preemption() {
            return;
        }
        let from = scheduler.current_context();
        if scheduler.current().is_some() {
            self.account.borrow_mut().counters.preemptions += 1;
        }
        scheduler.put_back(true);
        drop(scheduler);
        self.go_on(from);
    }

    /// Leaves the context `from` for that of whoever is to run next; returns when it is this one's turn again.
    fn go_on(&self, from: Context) {
        let to = self.pick();
        if to != from {
            self.count_switch();
            self.platform.switch(to);
        }
    }

    fn pick(&self) -> Context {
        let to = self.scheduler.borrow_mut().pick();
        self.enter_level(self.level());
        to
    }

    fn count_switch(&self) {
        self.account.borrow_mut().counters.context_switches += 1;
        self.platform.charge(Event::ContextSwitch);
    }

    /// The level of what runs when no interrupt does.
    fn level(&self) -> Level {
        self.scheduler.borrow().running_at().map_or(Level::Idle, Level::Thread)
    }

    /// Says what it was before.
    fn enter_level(&self, level: Level) -> Level {
        let now = self.platform.now();
        self.account.borrow_mut().enter(level, now)
    }

    /// What was counted, up to now.
    pub fn counters(&self) -> Counters {
        self.critical(|| {
            let now = self.platform.now();
            let mut account = self.account.borrow_mut();
            account.settle(now);
            account.counters
        })
    }
}
