//! The host as a computer on the simulated bus: driver, socket module and applications, as one [`Host`] of a [`System`].
//!
//! ```no_run
//! use abi::params::NicParams;
//! use cosim::host::{Computer, ComputerConfig, applications};
//! use cosim::programs::{self, NetKernels};
//! use cosim::system::{Config, System, SystemError};
//!
//! fn run(params: NicParams, config: &Config) -> Result<(), SystemError> {
//!     let kernels = NetKernels::default();
//!     let mut system = System::new(params, config, |_| kernels.boot(programs::config(1)))?;
//!     let computer = Computer::new(ComputerConfig::new([programs::CARD_IPV4.into()]));
//!     system.set_host(computer.host());
//!     let server = computer.spawn(|task| {
//!         applications::serve(task, "10.0.0.1:7".parse().unwrap(), 16, applications::echo).unwrap();
//!     });
//!     system.run_until(2_000_000, |_| computer.is_ready())?;
//!     // Peers are served.
//!     computer.kill(server);
//!     system.run_until(2_000_000, |_| computer.is_at_rest())
//! }
//! ```
//!
//! A [`Computer`] is a handle: one copy goes to the system, another stays with who wants to start, kill or look. Applications may be
//! started at any time; they run when the module is set up, and their calls wait until the processors have answered a Reset
//! ([`start`](super::start)). The host's software takes no simulated time but for the registers that its driver reads.
//!
//! - [`Mode::Interrupts`]: the driver looks where an MSI-X message says, and when applications want something.
//! - [`Mode::Polling`]: it looks at everything every so many cycles, as long as there is something that the card has to answer.
//!
//! What cannot go on ends the run as [`SystemError::Host`](crate::system::SystemError::Host) with a [`ComputerError`]: a register that is
//! not answered, a processor that is not there, an application that panics.
//!
//! [`System`]: crate::system::System

use std::cell::{Cell, RefCell};
use std::net::IpAddr;
use std::ops::Range;
use std::rc::Rc;

use super::bus::{Bus, BusError, Step};
use super::executor::{Executor, ExecutorError, Spawner, Task};
use super::interrupts::Moderation;
use super::osm::{Config, Osm};
use super::start::{Layout, StartError};
use super::steering::Policy;
use crate::fiber::{Fiber, Panicked, Progress, Stacks};
use crate::rig::REGISTERS;
use crate::root_complex::{RootComplex, Ticket};
use crate::system::{Host, HostError};

/// Times that driver and applications may take turns in one cycle.
const MOST_TURNS: u32 = 100_000;

/// How the host learns that the card has something for it (69.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The card interrupts.
    Interrupts(Moderation),
    /// The host looks.
    Polling {
        /// Cycles from one look to the next.
        period: u64,
    },
}

/// What a computer is made with.
#[derive(Clone, Debug)]
pub struct ComputerConfig {
    /// Its socket module.
    pub osm: Config,
    /// Interrupts or polling.
    pub mode: Mode,
    /// What the card writes interrupts to.
    pub interrupts: Range<u64>,
    /// Cycles that a read of a register may take, and that processors may take to answer their Reset.
    pub patience: u64,
}

impl ComputerConfig {
    /// A computer for a card with these addresses: interrupts without moderation, memory from 4 GiB on, room for some hundred connections.
    pub fn new(addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        let osm = Config {
            memory: 0x1_0000_0000,
            frames: 128,
            buffer_bytes: 16_384,
            buffers: 2048,
            sessions: 2048,
            accepts: 4,
            receives: 2,
            policy: Policy::Replies,
            addresses: addresses.into_iter().collect(),
        };
        let mode = Mode::Interrupts(Moderation::default());
        // Where x86 has them.
        Self { osm, mode, interrupts: 0xfee0_0000..0xfef0_0000, patience: 1_000_000 }
    }
}

/// Why the host's software cannot go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ComputerError {
    /// A register.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// The socket module does not start.
    #[error("the socket module does not start: {0}")]
    Start(#[from] StartError),
    /// The mode makes no sense.
    #[error("{0:?} would never look")]
    Mode(Mode),
    /// Processors have not answered their Reset in time.
    #[error("processors {0:?} have not answered within {1} cycles")]
    Missing(Vec<usize>, u64),
    /// The card wrote to the interrupts' addresses what is none.
    #[error("an interrupt that is none: {data:#x} at {address:#x}")]
    Interrupt {
        /// Where.
        address: u64,
        /// What.
        data: u32,
    },
    /// The driver panicked.
    #[error("the driver panicked: {0}")]
    Driver(Panicked),
    /// There is no memory for the driver's stack.
    #[error("no memory for the driver's stack")]
    NoStack,
    /// An application.
    #[error(transparent)]
    Application(#[from] ExecutorError),
    /// Applications wake each other again and again and let no time pass.
    #[error("applications wake each other and let no time pass")]
    Livelock,
}

/// What the driver waits for.
#[derive(Clone, Copy, Debug)]
enum Waiting {
    /// It has not begun.
    Begin,
    Answer {
        ticket: Ticket,
        offset: u32,
        since: u64,
    },
    Work(Option<u64>),
    /// It is over: it could not start.
    Over,
}

struct Driver {
    fiber: Option<Fiber<Step, ComputerError>>,
    stacks: Stacks,
    waiting: Waiting,
    executor: Executor,
}

struct Inside {
    config: ComputerConfig,
    bus: Rc<Bus>,
    osm: Osm,
    spawner: Spawner,
    is_started: Rc<Cell<bool>>,
    /// Applications that somebody wants to end.
    condemned: RefCell<Vec<usize>>,
    driver: RefCell<Driver>,
    /// When it was first called, and that the processors were there.
    begun: Cell<Option<u64>>,
    was_ready: Cell<bool>,
}

/// See the module's page.
#[derive(Clone)]
pub struct Computer(Rc<Inside>);

impl std::fmt::Debug for Computer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Computer").field("osm", &self.0.osm).finish_non_exhaustive()
    }
}

impl Computer {
    /// A computer that is switched on when a system calls it first.
    pub fn new(config: ComputerConfig) -> Self {
        let bus = Rc::new(Bus::new());
        let osm = Osm::new(bus.clone(), config.osm.clone());
        let executor = Executor::new(&osm);
        let spawner = executor.spawner().clone();
        let driver = Driver { fiber: None, stacks: Stacks::default(), waiting: Waiting::Begin, executor };
        Self(Rc::new(Inside {
            config,
            bus,
            osm,
            spawner,
            is_started: Rc::default(),
            condemned: RefCell::default(),
            driver: RefCell::new(driver),
            begun: Cell::new(None),
            was_ready: Cell::new(false),
        }))
    }

    /// What a system is given.
    pub fn host(&self) -> Box<dyn Host> {
        Box::new(self.clone())
    }

    /// Its socket module, to look at.
    pub fn osm(&self) -> &Osm {
        &self.0.osm
    }

    /// Starts an application; its number. One that panics ends the run.
    pub fn spawn(&self, body: impl FnOnce(&Task) + 'static) -> usize {
        self.0.spawner.spawn(body)
    }

    /// Has an application ended where it stands, with all that it has started: its sockets are closed, or reset if something of them is not
    /// read, and what it had comes back as the card answers. Done when the system calls next.
    pub fn kill(&self, number: usize) {
        self.0.condemned.borrow_mut().push(number);
    }

    /// It has not ended.
    pub fn is_alive(&self, number: usize) -> bool {
        self.0.spawner.is_alive(number)
    }

    /// Applications, and what they have started, that have not ended.
    pub fn alive(&self) -> usize {
        self.0.spawner.alive()
    }

    /// All processors have answered: what applications ask reaches them.
    pub fn is_ready(&self) -> bool {
        self.0.osm.is_ready()
    }

    /// No application is left, no session, no buffer is missing, and nothing is under way.
    pub fn is_at_rest(&self) -> bool {
        let osm = self.osm();
        self.is_ready()
            && self.alive() == 0
            && osm.sessions() == 0
            && osm.is_idle()
            && !osm.awaits_answers()
            && osm.free_buffers() == self.0.config.osm.buffers as usize
    }
}

impl Host for Computer {
    fn tick(&mut self, cycle: u64, complex: &mut RootComplex) -> Result<Option<u64>, HostError> {
        let inside = self.0.clone();
        let mut driver = inside.driver.borrow_mut();
        let result = inside.bus.lend(cycle, complex, || inside.tick(&mut driver, cycle));
        result.map_err(HostError::from)
    }

    fn wants_tick(&self) -> bool {
        self.0.spawner.has_born() && self.0.is_started.get() || !self.0.condemned.borrow().is_empty()
    }
}

impl Inside {
    fn tick(&self, driver: &mut Driver, cycle: u64) -> Result<Option<u64>, ComputerError> {
        if self.begun.get().is_none() {
            self.begun.set(Some(cycle));
            self.switch_on(driver)?;
        }
        self.take_interrupts()?;
        for number in self.condemned.take() {
            driver.executor.kill(number);
        }
        for _ in 0..MOST_TURNS {
            let mut worked = self.drive(driver, cycle)?;
            if self.is_started.get() {
                worked |= driver.executor.run()?;
            }
            if let Some(error) = self.bus.failure() {
                return Err(error.into());
            }
            if !worked {
                return self.next_due(driver, cycle);
            }
        }
        Err(ComputerError::Livelock)
    }

    /// Opens memory and interrupts to the card, and gives the driver its stack.
    fn switch_on(&self, driver: &mut Driver) -> Result<(), ComputerError> {
        let (config, mode) = (&self.config, self.config.mode);
        if mode == (Mode::Polling { period: 0 }) {
            return Err(ComputerError::Mode(mode));
        }
        let end = config.osm.memory.saturating_add(Layout::of(&config.osm).bytes());
        self.bus.with(|complex| {
            complex.memory_mut().open(config.osm.memory..end);
            complex.set_interrupt_range(config.interrupts.clone());
        });
        let (osm, is_started, address) = (self.osm.clone(), self.is_started.clone(), config.interrupts.start);
        let bus = self.bus.clone();
        let code = move |handle: &crate::fiber::Handle<Step>| {
            if let Err(error) = osm.start() {
                return error.into();
            }
            if let Mode::Interrupts(moderation) = mode
                && !osm.enable_interrupts(address, moderation)
            {
                return ComputerError::Mode(mode);
            }
            is_started.set(true);
            loop {
                let until = work(&osm, mode);
                if handle.suspend(Step::Work(until)).is_err() {
                    return bus.failure().unwrap_or(BusError::Away).into();
                }
            }
        };
        let fiber = Fiber::with_handle(&mut driver.stacks, code).map_err(|_| ComputerError::NoStack)?;
        self.bus.set_driver(Some(fiber.handle().clone()));
        driver.fiber = Some(fiber);
        Ok(())
    }

    fn take_interrupts(&self) -> Result<(), ComputerError> {
        let interrupts = self.bus.with(RootComplex::take_interrupts);
        // Before it has started, they are for a host that was there before; and it looks everywhere first.
        for interrupt in interrupts.into_iter().filter(|_| self.is_started.get()) {
            let is_ours = interrupt.address == self.config.interrupts.start && self.osm.interrupted(interrupt.data);
            if !is_ours {
                return Err(ComputerError::Interrupt { address: interrupt.address, data: interrupt.data });
            }
        }
        Ok(())
    }

    /// Lets the driver go on if what it waits for is there; says whether it was.
    fn drive(&self, driver: &mut Driver, cycle: u64) -> Result<bool, ComputerError> {
        let is_due = match driver.waiting {
            Waiting::Begin => true,
            Waiting::Answer { ticket, offset, since } => self.take_answer(ticket, offset, cycle - since),
            Waiting::Work(until) => until.is_some_and(|until| until <= cycle) || self.osm.has_work(),
            Waiting::Over => false,
        };
        let Some(fiber) = driver.fiber.as_mut().filter(|_| is_due) else { return Ok(false) };
        match fiber.resume().map_err(ComputerError::Driver)? {
            Progress::Suspended(Step::Read(offset)) => {
                let ticket = self.bus.with(|complex| complex.read(cycle, REGISTERS, offset.into(), 4));
                driver.waiting = Waiting::Answer { ticket, offset, since: cycle };
            }
            Progress::Suspended(Step::Work(until)) => driver.waiting = Waiting::Work(until),
            Progress::Done(error) => {
                driver.waiting = Waiting::Over;
                return Err(self.bus.failure().map_or(error, ComputerError::Bus));
            }
        }
        Ok(true)
    }

    /// Hands the answer over; says whether there was one, or will be none.
    fn take_answer(&self, ticket: Ticket, offset: u32, waited: u64) -> bool {
        let patience = self.config.patience;
        // Those that are not the driver's are to a driver that there was before.
        let answers = self.bus.with(RootComplex::take_answers);
        let value = match answers.into_iter().find(|answer| answer.ticket == ticket) {
            Some(answer) => match answer.result {
                Ok(bytes) => {
                    let word: Result<[u8; 4], _> = bytes.try_into();
                    word.map(u32::from_le_bytes).map_err(|_| BusError::Refused { offset, status: None })
                }
                Err(status) => Err(BusError::Refused { offset, status: Some(status) }),
            },
            None if waited >= patience => Err(BusError::Unanswered { offset, cycles: patience }),
            None => return false,
        };
        self.bus.answer(value);
        true
    }

    /// When something is to be done if nothing happens.
    fn next_due(&self, driver: &Driver, cycle: u64) -> Result<Option<u64>, ComputerError> {
        let patience = self.config.patience;
        let by_driver = match driver.waiting {
            Waiting::Answer { since, .. } => Some(since.saturating_add(patience)),
            Waiting::Work(until) => until,
            Waiting::Begin | Waiting::Over => None,
        };
        let by_processors = match self.begun.get() {
            _ if self.was_ready.get() => None,
            _ if self.osm.is_ready() => {
                self.was_ready.set(true);
                None
            }
            Some(begun) if self.is_started.get() && cycle >= begun.saturating_add(patience) => {
                return Err(ComputerError::Missing(self.osm.missing(), patience));
            }
            begun => begun.map(|begun| begun.saturating_add(patience).max(cycle + 1)),
        };
        Ok([by_driver, by_processors, driver.executor.next_due()].into_iter().flatten().min())
    }
}

/// What the driver does when it is called; says when it wants to be called again if nothing happens.
fn work(osm: &Osm, mode: Mode) -> Option<u64> {
    match mode {
        Mode::Interrupts(_) => {
            while osm.serve() {}
            None
        }
        Mode::Polling { period } => {
            while osm.service() {}
            osm.awaits_answers().then(|| osm.now().saturating_add(period))
        }
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        // Applications go first, then the driver; what they drop may look at the bus.
        self.bus.set_driver(None);
    }
}
