//! The gateware of the Pointsman card.
//!
//! One block is one file is one struct. The receive path in the order of a frame: [`stream`], [`parser`] (with [`network_words`],
//! [`word_decode`], [`next_header`] and [`header_walk`]), [`flow_hash`] (with [`fold`] and [`toeplitz`]), [`reta`], [`frame_buffer`],
//! [`receive_sums`] (with [`checksum_plan`] and [`checksum`]), [`dispatch`], [`core_port`]. The transmit path, [`transmit`]:
//! [`tx_scheduler`], [`memory_stream`] (with [`aligner`]), [`transmit_sums`], [`tx_drain`]. [`memory_arbiter`] stands before the
//! processors' memories. [`nic`] wires them up. [`emit`] prints a block as Verilog.
//!
//! This crate knows no vendor primitive, board or simulator.

// The ports table on each block's page documents its fields.
#![allow(missing_docs)]

/// A block as it starts: the fields in braces as given, those named behind them by default.
macro_rules! block {
    (Self { $($given:ident: $value:expr),* $(,)? }, $($default:ident),*) => {
        Self { $($given: $value,)* $($default: Default::default(),)* }
    };
}

pub mod aligner;
pub mod arbiter;
pub mod checksum;
pub mod checksum_plan;
pub mod classifier;
pub mod completer;
pub mod completion_sender;
pub mod concat;
pub mod core_port;
pub mod csr;
pub mod cycle_counter;
pub mod delay;
pub mod delay_line;
pub mod descriptor_port;
pub mod dispatch;
pub mod dma;
pub mod dma_channel;
pub mod dma_completion;
pub mod dma_copy;
pub mod dma_descriptors;
pub mod dma_fill;
pub mod dma_header;
pub mod dma_issue;
pub mod dma_judge;
pub mod dma_read;
pub mod dma_reports;
pub mod dma_retire;
pub mod dma_start;
pub mod dma_tag;
pub mod dma_windows;
pub mod emit;
pub mod flow_hash;
pub mod fold;
pub mod frame_buffer;
pub mod frame_gate;
pub mod frame_ledger;
pub mod frame_region;
pub mod header_walk;
pub mod interrupt_controller;
pub mod lane_mask;
pub mod levels;
pub mod memory;
pub mod memory_arbiter;
pub mod memory_stream;
pub mod message_bus;
pub mod message_queue;
pub mod mfa_pair;
pub mod mfa_queue;
pub mod mfa_queues;
pub mod msix;
pub mod msix_vector;
pub mod network_words;
pub mod next_header;
pub mod nic;
pub mod pairs_from;
pub mod parser;
pub mod queue;
pub mod receive_sums;
pub mod register_file;
pub mod register_master;
pub mod repeat;
pub mod request_decode;
pub mod request_steps;
pub mod reta;
pub mod skid_buffer;
pub mod stats;
pub mod stream;
pub mod tlp_egress;
pub mod tlp_ingress;
pub mod toeplitz;
pub mod transmit;
pub mod transmit_sums;
pub mod tx_drain;
pub mod tx_scheduler;
pub mod verdict_queue;
pub mod window_writer;
pub mod word_decode;

/// An array of signals or blocks, whose length is known only to the constructor.
fn many<T: Default>(n: usize) -> Vec<T> {
    (0..n).map(|_| T::default()).collect()
}

/// Seeded numbers for the unit tests.
#[cfg(test)]
mod random {
    /// xorshift64*.
    pub struct Random(u64);

    impl Random {
        pub fn seeded(seed: u64) -> Self {
            Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
        }

        pub fn below(&mut self, n: u64) -> u64 {
            self.0 ^= self.0 >> 12;
            self.0 ^= self.0 << 25;
            self.0 ^= self.0 >> 27;
            (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % n
        }
    }
}
