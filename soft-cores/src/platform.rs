//! What the net kernel runs on: the one trait through which it sees the world.
//!
//! Two kinds of platform implement it. Natively a thread is a stackful coroutine, and a register access suspends it until
//! the bus cycle is done; on RV32 a thread has a stack of its own and the compiler's loads and stores are the bus.
//!
//! # What a platform promises
//! - **One thread of control.** Nothing but an interrupt gets between two steps of the code that runs.
//! - **Interrupts.** While the line is high and interrupts are enabled, the handler is called on the stack that runs:
//!   natively at the end of any call of this trait, on RV32 behind any instruction. It is called with interrupts disabled,
//!   and they are enabled again when it returns. [`interrupts`](Platform::interrupts) that enables them takes what is
//!   pending before it returns.
//! - **Contexts.** [`switch`](Platform::switch) is called with interrupts disabled and comes back with interrupts disabled,
//!   whoever switched back. A new context starts with interrupts disabled.
//! - **Time.** [`now`](Platform::now) is one value, also where an interrupt comes between the reads of `TIME`'s two words.
//! - **Allocation.** The global allocator is safe against interrupts: it disables them, or the machine has none.

use alloc::boxed::Box;
use core::ops::Range;

/// A stack and what is on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Context(pub u32);

impl Context {
    /// The stack that the processor started on; the kernel idles on it.
    pub const BOOT: Context = Context(0);
}

/// What software does that takes a processor's time. A native platform looks it up in its cost table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// To save the registers, find the handler and go back.
    Interrupt,
    /// To go from one context to another.
    ContextSwitch,
    /// To copy this many bytes.
    Copy(usize),
    /// To add up this many bytes.
    Checksum(usize),
    /// To take a packet of this many bytes through IP, its bytes not touched.
    Packet(usize),
}

/// An address that is not in the processor's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutsideMemory;

/// A processor. See the module's page for what it promises.
pub trait Platform {
    /// Reads a register of the processor's port, see [`mod@abi::csr::core`].
    fn read(&self, offset: u32) -> u32;

    /// Writes a register.
    fn write(&self, offset: u32, value: u32);

    /// The byte addresses of the processor's own memory that the kernel may give to the card's hardware.
    fn memory(&self) -> Range<u32>;

    /// Reads bytes of the processor's own memory.
    ///
    /// # Errors
    /// Some of them do not exist.
    fn load(&self, address: u32, bytes: &mut [u8]) -> Result<(), OutsideMemory>;

    /// Writes bytes of the processor's own memory.
    ///
    /// # Errors
    /// Some of them do not exist; none is written.
    fn store(&self, address: u32, bytes: &[u8]) -> Result<(), OutsideMemory>;

    /// Cycles since reset: the register `TIME`.
    fn now(&self) -> u64;

    /// Returns when the interrupt line is high, whether interrupts are enabled or not.
    fn wait_for_interrupt(&self);

    /// Enables or disables interrupts, and says what they were.
    fn interrupts(&self, enabled: bool) -> bool;

    /// What is to be called for an interrupt.
    fn on_interrupt(&self, handler: Box<dyn Fn()>);

    /// Takes the time of an event. Nothing where software takes its time by itself.
    fn charge(&self, event: Event);

    /// Makes a context that runs `entry` when it is first switched to. When `entry` returns the context is over, and the
    /// processor goes on with the one that `entry` returned. `None`: there is no room for another stack.
    fn spawn(&self, entry: Box<dyn FnOnce() -> Context>) -> Option<Context>;

    /// Goes on with another context; returns when somebody switches back.
    fn switch(&self, to: Context);
}
