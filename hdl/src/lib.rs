//! The gateware of the Pointsman card.
//!
//! One block is one file is one struct. The receive path in the order of a frame: [`stream`], [`parser`] (with [`network_words`],
//! [`word_decode`], [`next_header`] and [`header_walk`]), [`flow_hash`] (with [`fold`] and [`toeplitz`]), [`reta`], [`frame_buffer`],
//! [`dispatch`], [`core_port`]. [`nic`] wires them up. [`emit`] prints a block as Verilog.
//!
//! This crate knows no vendor primitive, board or simulator.

// The ports table on each block's page documents its fields.
#![allow(missing_docs)]

pub mod arbiter;
pub mod classifier;
pub mod concat;
pub mod core_port;
pub mod csr;
pub mod delay_line;
pub mod dispatch;
pub mod emit;
pub mod flow_hash;
pub mod fold;
pub mod frame_buffer;
pub mod frame_gate;
pub mod frame_ledger;
pub mod frame_region;
pub mod header_walk;
pub mod interrupt_controller;
pub mod memory;
pub mod message_queue;
pub mod mfa_pair;
pub mod mfa_queue;
pub mod mfa_queues;
pub mod msix;
pub mod msix_vector;
pub mod network_words;
pub mod next_header;
pub mod nic;
pub mod parser;
pub mod queue;
pub mod reta;
pub mod stats;
pub mod stream;
pub mod toeplitz;
pub mod verdict_queue;
pub mod word_decode;

/// An array of signals or blocks, whose length is known only to the constructor.
fn many<T: Default>(n: usize) -> Vec<T> {
    (0..n).map(|_| T::default()).collect()
}
