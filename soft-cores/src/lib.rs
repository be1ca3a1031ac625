//! The net kernel: what runs on each of the card's soft processors.
//!
//! - [`platform`]: what it runs on, natively or on RV32.
//! - [`kernel`]: the operating system part (¶66): threads, interrupts, timers, memory, messages, drivers.
//! - [`ism`]: the socket module (¶69): the host's socket calls, from message frames to the sockets of this processor.
//! - [`net`]: everything between an Ethernet frame and a socket (¶67), as state machines without input or output.
//! - [`net_kernel`]: both together: the program of a processor.
//!
//! # Invariants
//! - No wire, no file and no clock of a simulator is seen here. [`kernel`] sees its platform; in [`net`] bytes, a time in
//!   microseconds and a seed go in, what to do comes out.
//! - No bytes make it panic, and whatever it keeps is bounded by a limit that stands in its `Limits`.
//! - Every frame is counted once: delivered, or dropped by cause.
//! - The same inputs give the same outputs: nothing depends on an address in memory or on the order of a hash table.
//!
//! `no_std` with `alloc`, no `unsafe`.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod ism;
pub mod kernel;
pub mod net;
pub mod net_kernel;
pub mod platform;
