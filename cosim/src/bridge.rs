//! The verilated card, one clock cycle at a time.
//!
//! One of two files with `unsafe` (the other is [`crate::fiber`]), and with `bridge/` the only C++. Every preset has the same Rust type,
//! with room for 16 processors and 512 bits, so that nothing above is generic over the card.

mod compression;

use std::fs::File;
use std::path::{Path, PathBuf};

use cxx::UniquePtr;
use thiserror::Error;

use compression::{lz4_bound, lz4_compress, zlib_bound, zlib_compress};

pub use ffi::{Inputs, Line, MemoryAccess, Outputs, RegisterRequest};

/// Processors a card can have: the length of every per-processor array.
pub const MAX_PROCESSORS: usize = 16;

#[cxx::bridge(namespace = "pointsman")]
mod ffi {
    /// A request on a processor's register port.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    struct RegisterRequest {
        /// Write `data`; otherwise read.
        write: bool,
        /// Byte address, 12 bits.
        address: u32,
        /// Data to write.
        data: u32,
    }

    /// A line of a processor's memory.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    struct Line {
        /// The bytes, byte 0 in the lowest bits of word 0.
        data: [u64; 8],
    }

    /// What drives the card's inputs in one cycle. Only what is marked valid reaches the card.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    struct Inputs {
        /// Synchronous reset.
        reset: bool,
        /// There is a beat of a received frame this cycle; the other `rx_` fields count only then.
        rx_tvalid: bool,
        /// The frame's last beat.
        rx_tlast: bool,
        /// With `rx_tlast`: the frame is bad.
        rx_tuser: bool,
        /// One bit for every byte of the beat that belongs to the frame.
        rx_tkeep: u64,
        /// The beat: byte 0, the first on the wire, in the lowest bits of word 0.
        rx_tdata: [u64; 8],
        /// The network takes a beat this cycle.
        tx_tready: bool,
        /// There is a beat of a TLP from the host this cycle; the other `tlp_rx_` fields count only then.
        tlp_rx_tvalid: bool,
        /// The TLP's last beat.
        tlp_rx_tlast: bool,
        /// The base address register that a request hit.
        tlp_rx_tbar: u8,
        /// The TLP's header, DW 0 first, each the number whose highest byte is the first on the link.
        tlp_rx_theader: [u32; 4],
        /// The beat of its payload.
        tlp_rx_tdata: [u64; 8],
        /// The host takes a beat of a TLP this cycle.
        tlp_tx_tready: bool,
        /// Bit i: processor i has a request this cycle, `core[i]`.
        core_valid: u16,
        /// The processors' register ports.
        core: [RegisterRequest; 16],
        /// Bit i: `mem_rdata[i]` answers a read of the memory of processor i.
        mem_rvalid: u16,
        /// What was read from the processors' memories.
        mem_rdata: [Line; 16],
    }

    /// An access to a processor's memory.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    struct MemoryAccess {
        /// Byte address of byte 0 of `data`.
        address: u32,
        /// One bit for every byte of `data` that is written; keeps what it held if the access is a read.
        strobe: u64,
        /// The data, likewise, byte 0 in the lowest bits of word 0; words beyond the card's width keep what they held.
        data: [u64; 8],
    }

    /// The card's outputs in one cycle. What is not marked valid keeps what it held before.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    struct Outputs {
        /// There is a beat of a frame to send; the other `tx_` fields count only then.
        tx_tvalid: bool,
        /// The frame's last beat.
        tx_tlast: bool,
        /// One bit for every byte of the beat that belongs to the frame.
        tx_tkeep: u64,
        /// The beat.
        tx_tdata: [u64; 8],
        /// The card takes a beat of a TLP this cycle.
        tlp_rx_tready: bool,
        /// There is a beat of a TLP to the host; the other `tlp_tx_` fields count only then.
        tlp_tx_tvalid: bool,
        /// The TLP's last beat.
        tlp_tx_tlast: bool,
        /// The TLP's header.
        tlp_tx_theader: [u32; 4],
        /// The beat of its payload.
        tlp_tx_tdata: [u64; 8],
        /// I2O's level interrupt.
        host_irq: bool,
        /// Bit i: processor i's request is taken this cycle.
        core_ready: u16,
        /// Bit i: `core_rdata[i]` answers processor i's read.
        core_rvalid: u16,
        /// Answers to the processors' reads.
        core_rdata: [u32; 16],
        /// Bit i: processor i is interrupted.
        core_irq: u16,
        /// Bit i: the memory of processor i is accessed, `mem[i]`.
        mem_valid: u16,
        /// Bit i: the access is a write; counts only where `mem_valid` has a bit.
        mem_write: u16,
        /// Accesses to the processors' memories.
        mem: [MemoryAccess; 16],
    }

    extern "Rust" {
        fn lz4_bound(length: usize) -> usize;
        fn lz4_compress(source: &[u8], target: &mut [u8]) -> usize;
        fn zlib_bound(length: usize) -> usize;
        fn zlib_compress(source: &[u8], target: &mut [u8], level: i32) -> usize;
    }

    unsafe extern "C++" {
        include!("cosim/src/bridge/interface.h");

        type Model;

        fn make_model(preset: &str) -> Result<UniquePtr<Model>>;
        fn tick(self: Pin<&mut Model>, inputs: &Inputs, outputs: &mut Outputs) -> Result<()>;
        fn replay(self: Pin<&mut Model>, inputs: &[Inputs], cycles: u64) -> Result<u64>;
        fn start_trace(self: Pin<&mut Model>, path: &str) -> Result<()>;
        fn stop_trace(self: Pin<&mut Model>);
        fn cycles(self: &Model) -> u64;
    }
}

// SAFETY: a model reaches nothing but its own memory, its own simulation context and its own trace file, and the run-time
// library keeps what threads share behind locks; so it may move to another thread. It is not `Sync`: `tick` needs `&mut`.
unsafe impl Send for ffi::Model {}

/// A card that is built in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preset {
    /// Its name, `nXwY`.
    pub name: &'static str,
    /// Number of soft processors, X.
    pub processors: usize,
    /// Bits of the frame stream, Y.
    pub width: usize,
}

/// All that the build script built: the cards, and the fixtures of the tests below.
const BUILT: &[Preset] = &include!(concat!(env!("OUT_DIR"), "/presets.rs"));

/// The cards that are built in.
pub fn presets() -> impl Iterator<Item = &'static Preset> {
    BUILT.iter().filter(|preset| !preset.name.starts_with("fixture"))
}

/// Why a card cannot be simulated.
#[derive(Debug, Error)]
pub enum BridgeError {
    /// No such card is built in.
    #[error("unknown preset `{name}`: choose {known}")]
    UnknownPreset {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// The model refuses to go on; it must not be ticked again.
    #[error("the simulation of {preset} stopped in cycle {cycle}: {reason}")]
    Fatal {
        /// The card.
        preset: &'static str,
        /// The cycle that was not finished.
        cycle: u64,
        /// What Verilator said.
        reason: String,
    },
    /// The trace file cannot be written.
    #[error("cannot write the trace {}: {reason}", path.display())]
    Trace {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        reason: String,
    },
}

/// A verilated card.
pub struct Nic {
    model: UniquePtr<ffi::Model>,
    preset: &'static Preset,
}

impl Nic {
    /// The card of that preset, its registers as on power-up; it wants a reset first.
    pub fn new(preset: &str) -> Result<Self, BridgeError> {
        let unknown = || BridgeError::UnknownPreset {
            name: preset.to_string(),
            known: presets().map(|p| p.name).collect::<Vec<_>>().join(", "),
        };
        let preset = BUILT.iter().find(|built| built.name == preset).ok_or_else(unknown)?;
        let model = ffi::make_model(preset.name).map_err(|e| BridgeError::Fatal {
            preset: preset.name,
            cycle: 0,
            reason: e.what().to_string(),
        })?;
        Ok(Self { model, preset })
    }

    /// One clock cycle: applies `inputs`, lets the card settle, copies its outputs as they stand just before the rising
    /// edge, then raises the clock.
    #[inline]
    pub fn tick(&mut self, inputs: &Inputs, outputs: &mut Outputs) -> Result<(), BridgeError> {
        match self.model.pin_mut().tick(inputs, outputs) {
            Ok(()) => Ok(()),
            Err(e) => Err(self.fatal(&e)),
        }
    }

    /// As many cycles over `inputs`, again from its start when it ends, one [`tick`](Self::tick) each; gives the [`Digest`] of all
    /// outputs.
    pub fn play(&mut self, inputs: &[Inputs], cycles: u64) -> Result<Digest, BridgeError> {
        let (mut outputs, mut digest) = (Outputs::default(), Digest::default());
        for cycle in inputs.iter().cycle().take(cycles as usize) {
            self.tick(cycle, &mut outputs)?;
            digest.add(&outputs, self.preset.width);
        }
        Ok(digest)
    }

    /// As many cycles over `inputs`, again from its start when it ends, in one C++ loop without this bridge; gives the
    /// [`Digest`] of all outputs. The yardstick for the speed of [`tick`](Self::tick).
    pub fn replay(&mut self, inputs: &[Inputs], cycles: u64) -> Result<Digest, BridgeError> {
        match self.model.pin_mut().replay(inputs, cycles) {
            Ok(digest) => Ok(Digest(digest)),
            Err(e) => Err(self.fatal(&e)),
        }
    }

    /// Records every signal from the next cycle on, as FST. Cycle c begins at time 10 c ns. Ends a trace that is open.
    pub fn trace_to(&mut self, path: &Path) -> Result<(), BridgeError> {
        let error = |reason: String| BridgeError::Trace { path: path.to_path_buf(), reason };
        // The trace writer does not say why it cannot open a file.
        File::create(path).map_err(|e| error(e.to_string()))?;
        let name = path.to_str().ok_or_else(|| error("the name is not UTF-8".to_string()))?;
        self.model.pin_mut().start_trace(name).map_err(|e| error(e.what().to_string()))
    }

    /// Ends the trace and completes its file; dropping the card does the same.
    pub fn stop_trace(&mut self) {
        self.model.pin_mut().stop_trace();
    }

    /// Cycles since the card was made.
    pub fn cycles(&self) -> u64 {
        self.model.cycles()
    }

    /// The card's preset.
    pub fn preset(&self) -> &'static Preset {
        self.preset
    }

    /// Number of soft processors.
    pub fn processors(&self) -> usize {
        self.preset.processors
    }

    /// Bits of the frame stream.
    pub fn width(&self) -> usize {
        self.preset.width
    }

    #[cold]
    fn fatal(&self, exception: &cxx::Exception) -> BridgeError {
        BridgeError::Fatal { preset: self.preset.name, cycle: self.cycles(), reason: exception.what().to_string() }
    }
}

/// A running checksum of a card's outputs, to compare one run with another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Digest(u64);

impl Digest {
    /// Adds what is valid in the outputs of one cycle of a card of `width` bits.
    pub fn add(&mut self, outputs: &Outputs, width: usize) {
        let words = width / 64;
        self.add_word(
            u64::from(outputs.host_irq) << 33
                | u64::from(outputs.tlp_rx_tready) << 32
                | u64::from(outputs.core_ready) << 16
                | u64::from(outputs.core_irq),
        );
        if outputs.tx_tvalid {
            self.add_word(outputs.tx_tkeep);
            self.add_word(outputs.tx_tlast.into());
            outputs.tx_tdata[..words].iter().for_each(|&word| self.add_word(word));
        }
        if outputs.tlp_tx_tvalid {
            outputs.tlp_tx_theader.iter().for_each(|&word| self.add_word(word.into()));
            self.add_word(outputs.tlp_tx_tlast.into());
            outputs.tlp_tx_tdata[..words].iter().for_each(|&word| self.add_word(word));
        }
        // Most cycles are idle at most ports: visit only the processors that have something, in their order.
        let mut active = outputs.core_rvalid | outputs.mem_valid;
        while active != 0 {
            let i = active.trailing_zeros() as usize;
            active &= active - 1;
            if outputs.core_rvalid >> i & 1 != 0 {
                self.add_word(i as u64);
                self.add_word(outputs.core_rdata[i].into());
            }
            if outputs.mem_valid >> i & 1 != 0 {
                let access = &outputs.mem[i];
                self.add_word((MAX_PROCESSORS + i) as u64);
                self.add_word(access.address.into());
                if outputs.mem_write >> i & 1 != 0 {
                    self.add_word(access.strobe);
                    access.data[..words].iter().for_each(|&word| self.add_word(word));
                }
            }
        }
    }

    fn add_word(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
}

#[cfg(test)]
mod tests;
