//! What the gateware, the processors' firmware and the host must agree on, stated once.
//!
//! - [`csr`]: the register table. The hardware decodes the offsets written here; the register documentation and the C header
//!   are printed from it by [`render`].
//! - [`params`]: what a card is built with, and the names of the presets.
//! - [`receive`]: the entries of the receive free and post queues, and the frame classes.
//! - [`dma`]: descriptors, completion entries and windows of the DMA channels.
//! - [`transmit`]: the entries of the send and done queues.
//! - [`limits`]: the sizes both sides must know.
//! - [`socket`]: the messages between host and processors: sockets over I2O private messages.
//!
//! `no_std`, no dependencies, no `unsafe`.
#![no_std]

pub mod csr;
pub mod dma;
pub mod limits;
pub mod params;
pub mod receive;
pub mod render;
pub mod socket;
pub mod transmit;
