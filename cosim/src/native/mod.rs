//! A net kernel that runs natively on one of the card's processors, in lock step with the card.
//!
//! Its code is straight-line Rust on [fibers](crate::fiber), one for each of its contexts. A call of its platform ([`Native`]) suspends it
//! until the bus cycle is done, the interrupt line is high, or the [charged](costs) time is over; all else takes no simulated time.
//! [`Processor`] is the outside: register port, memory port, interrupt line.

pub mod costs;
mod platform;
mod processor;
#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::ops::Range;
use std::rc::Rc;

use costs::Costs;
pub use platform::{Native, Step};
pub use processor::Processor;

use crate::core_memory::Stray;

/// The cycle that is simulated, for everybody who wants to know.
#[derive(Clone, Debug, Default)]
pub struct Clock(Rc<Cell<u64>>);

impl Clock {
    /// The cycle.
    pub fn cycle(&self) -> u64 {
        self.0.get()
    }

    /// Another cycle begins.
    pub fn set(&self, cycle: u64) {
        self.0.set(cycle);
    }
}

/// What a processor is made with.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Bytes of its memory that the kernel may give to the card; what lies below is the program's.
    pub memory: Range<u32>,
    /// Bytes of memory that are really there.
    pub memory_bytes: usize,
    /// What its software takes of its time.
    pub costs: Costs,
    /// Stacks it has room for beside the first one.
    pub stacks: usize,
    /// Cycles that a bus cycle may take, or an interrupt may wait, before the kernel counts as wedged.
    pub patience: u64,
}

impl Default for Setup {
    /// Half a megabyte, as much as a processor of a large FPGA might have; software takes no time.
    fn default() -> Self {
        Self { memory: 0x1000..0x8_0000, memory_bytes: 0x8_0000, costs: Costs::FREE, stacks: 64, patience: 1_000_000 }
    }
}

/// The first program of a processor. It comes back only if it cannot start, and says why.
pub type Boot = Box<dyn FnOnce(Native) -> String>;

/// How a kernel came to a stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wedge {
    /// It asks its platform again and again and lets no time pass.
    Livelock,
    /// An interrupt waits, and interrupts are not enabled.
    Deaf,
    /// The card does not take, or does not answer, an access to this register.
    Bus(u32),
}

/// Why a processor cannot go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("processor {processor}, cycle {cycle}: {what}")]
pub struct Fault {
    /// The processor.
    pub processor: usize,
    /// When.
    pub cycle: u64,
    /// What happened.
    pub what: FaultKind,
}

/// What can happen to a processor.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FaultKind {
    /// Its code panicked.
    #[error("the kernel panicked: {0}")]
    Panic(String),
    /// Its program did not start.
    #[error("the program does not start: {0}")]
    Refused(String),
    /// It makes no progress.
    #[error("the kernel makes no progress: {0:?}")]
    Wedged(Wedge),
    /// It went on with a context that there is not.
    #[error("the kernel went on with context {0}, which there is not")]
    NoContext(u32),
    /// There is no memory for a stack.
    #[error("no memory for a stack")]
    NoStack,
    /// The card wrote to its memory where nothing is open to it.
    #[error("the card wrote to {address:#x}, which is not open to it", address = .0.address)]
    Stray(Stray),
}
