//! The host's side of the bus as its software has it: a [`Port`] on the simulated root complex.
//!
//! The root complex is the system's, and is lent to the software for the time of a [tick](crate::system::Host::tick). A write is posted
//! and over at once. A read takes its time: the driver's code stops in it until the answer is there, and only the driver's code can, so
//! nobody else may read. What cannot be done is noted, and reads all ones, as on any PCIe host; the software is over then.

use std::cell::{Cell, RefCell};

use crate::fiber::Handle;
use crate::rig::{MEMORIES, REGISTERS};
use crate::root_complex::{Config, RootComplex};
use crate::tlp::Status;

use super::port::Port;

/// What a read gives that is not answered with a word (PCI Express Base Specification 3.0, 2.3.2).
const ALL_ONES: u32 = u32::MAX;

/// What the driver's code waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The answer to a read of this register.
    Read(u32),
    /// Something to do, or this cycle.
    Work(Option<u64>),
}

/// Why the software on the host cannot reach its card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BusError {
    /// The read was answered with an error, or not with a word.
    #[error("the read of register {offset:#07x} was refused: {status:?}")]
    Refused {
        /// The register.
        offset: u32,
        /// The error; none, if it was answered with less or more than a word.
        status: Option<Status>,
    },
    /// The read was not answered in time.
    #[error("the read of register {offset:#07x} was not answered within {cycles} cycles")]
    Unanswered {
        /// The register.
        offset: u32,
        /// How long.
        cycles: u64,
    },
    /// An application wanted to read a register; that is the driver's part.
    #[error("register {0:#07x} was read by something that is not the driver")]
    NotTheDriver(u32),
    /// Somebody used the port while the software did not run.
    #[error("the port was used from outside the host's software")]
    Away,
}

/// See the module's page.
pub(super) struct Bus {
    /// The system's while the software runs, else another one that stands in for it.
    complex: RefCell<RootComplex>,
    is_lent: Cell<bool>,
    cycle: Cell<u64>,
    driver: RefCell<Option<Handle<Step>>>,
    answer: Cell<u32>,
    failure: Cell<Option<BusError>>,
}

impl Bus {
    pub fn new() -> Self {
        Self {
            complex: RefCell::new(RootComplex::new(Config::default())),
            is_lent: Cell::new(false),
            cycle: Cell::new(0),
            driver: RefCell::default(),
            answer: Cell::new(0),
            failure: Cell::new(None),
        }
    }

    /// Whose code may read.
    pub fn set_driver(&self, driver: Option<Handle<Step>>) {
        *self.driver.borrow_mut() = driver;
    }

    /// Has `work` done with this root complex.
    pub fn lend<R>(&self, cycle: u64, complex: &mut RootComplex, work: impl FnOnce() -> R) -> R {
        self.cycle.set(cycle);
        std::mem::swap(&mut *self.complex.borrow_mut(), complex);
        self.is_lent.set(true);
        let result = work();
        self.is_lent.set(false);
        std::mem::swap(&mut *self.complex.borrow_mut(), complex);
        result
    }

    /// Has something done with what is lent.
    pub fn with<R>(&self, work: impl FnOnce(&mut RootComplex) -> R) -> R {
        if !self.is_lent.get() {
            self.fail(BusError::Away);
        }
        work(&mut self.complex.borrow_mut())
    }

    /// What the read that the driver waits for gives.
    pub fn answer(&self, value: Result<u32, BusError>) {
        match value {
            Ok(value) => self.answer.set(value),
            Err(error) => {
                self.answer.set(ALL_ONES);
                self.fail(error);
            }
        }
    }

    fn fail(&self, error: BusError) {
        self.failure.set(self.failure.get().or(Some(error)));
    }

    /// The first thing that could not be done.
    pub fn failure(&self) -> Option<BusError> {
        self.failure.get()
    }
}

impl Port for Bus {
    fn read(&self, offset: u32) -> u32 {
        // Who goes on when one read has failed comes to its end without others.
        if self.failure().is_some() {
            return ALL_ONES;
        }
        let driver = self.driver.borrow().clone();
        match driver.map(|driver| driver.suspend(Step::Read(offset))) {
            Some(Ok(())) => self.answer.get(),
            _ => {
                self.fail(BusError::NotTheDriver(offset));
                ALL_ONES
            }
        }
    }

    fn write(&self, offset: u32, value: u32) {
        self.with(|complex| complex.write_word(REGISTERS, offset.into(), value));
    }

    fn write_card(&self, address: u32, word: u32) {
        self.with(|complex| complex.write_word(MEMORIES, address.into(), word));
    }

    fn load(&self, address: u64, bytes: &mut [u8]) {
        self.with(|complex| complex.memory().read(address, bytes));
    }

    fn store(&self, address: u64, bytes: &[u8]) {
        self.with(|complex| complex.memory_mut().write(address, bytes));
    }

    fn now(&self) -> u64 {
        self.cycle.get()
    }
}
