//! The verilated card with its processors, its network and its host's register port: one clock.

use std::path::Path;

use abi::csr;
use abi::limits::{BUFFER_ALIGNMENT, RESET_CYCLES};
use abi::params::NicParams;

use crate::bridge::{BridgeError, Inputs, Nic, Outputs, RegisterRequest};
use crate::processor::{Processor, Received, Violation};
use crate::reference::{DispatchConfig, HashFunction};
use crate::source::{FrameSource, Outgoing, Pace};

/// Cycles after which a beat that was sent has been written, whatever the card's width.
const SETTLING: u64 = 128;

/// What stands around the card in a run. One seed decides everything.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// How fast frames arrive.
    pub pace: Pace,
    /// Seed of whatever is random.
    pub seed: u64,
    /// Receive buffers of each processor, at most 256.
    pub buffers: usize,
    /// Cycles each processor works on a frame.
    pub work: u64,
}

impl Default for Surroundings {
    fn default() -> Self {
        Self { pace: Pace::BackToBack, seed: 1, buffers: 128, work: 0 }
    }
}

/// What happened in a cycle.
#[derive(Debug, Default)]
pub struct Events {
    /// The frame whose first beat was offered.
    pub started: Option<usize>,
    /// Frames taken by processors, with the processor's number.
    pub received: Vec<(usize, Received)>,
    /// The host's read was answered.
    pub host_read: Option<u32>,
    /// Some processor's memory was written.
    pub wrote: bool,
}

/// A run in progress.
pub struct Card {
    nic: Nic,
    params: NicParams,
    source: FrameSource,
    processors: Vec<Processor>,
    inputs: Inputs,
    outputs: Outputs,
    cycle: u64,
    last_activity: u64,
}

impl Card {
    /// Resets a card and sets its registers to `config` through the host's port; processors hand their buffers in.
    ///
    /// # Errors
    /// The preset is not built in, or the card breaks a law during set-up.
    pub fn new(params: NicParams, config: &DispatchConfig, around: &Surroundings) -> Result<Self, CardError> {
        let buffer_bytes = config.max_frame.next_multiple_of(BUFFER_ALIGNMENT);
        let processor = |p| Processor::new(p, params.beat_bytes(), around.buffers, buffer_bytes, around.work);
        let mut card = Self {
            nic: Nic::new(&params.to_string())?,
            params,
            source: FrameSource::new(params.beat_bytes(), around.pace, around.seed),
            processors: (0..params.processors()).map(processor).collect(),
            inputs: Inputs::default(),
            outputs: Outputs::default(),
            cycle: 0,
            last_activity: 0,
        };
        card.inputs.reset = true;
        for _ in 0..RESET_CYCLES {
            card.tick()?;
        }
        card.inputs.reset = false;
        card.configure(config)?;
        while card.processors.iter().any(|p| !p.asleep()) {
            card.cycle()?;
        }
        Ok(card)
    }

    /// The card's parameters.
    pub fn params(&self) -> NicParams {
        self.params
    }

    /// Cycles since reset began.
    pub fn cycles(&self) -> u64 {
        self.cycle
    }

    /// What drives the card's inputs in the cycle that was last.
    pub fn inputs(&self) -> &Inputs {
        &self.inputs
    }

    /// Writes a waveform from now on.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn trace_to(&mut self, file: &Path) -> Result<(), CardError> {
        Ok(self.nic.trace_to(file)?)
    }

    /// Queues a frame for the receive stream.
    pub fn send(&mut self, frame: Outgoing) {
        self.source.push(frame);
    }

    /// Frames that were queued and are not sent whole.
    pub fn unsent(&self) -> usize {
        self.source.waiting()
    }

    /// Whether all frames were sent and the last of them has come to rest.
    pub fn quiet(&self) -> bool {
        let settled = self.cycle > self.last_activity + SETTLING;
        self.source.waiting() == 0 && settled && self.processors.iter().all(Processor::asleep)
    }

    /// One clock cycle.
    ///
    /// # Errors
    /// The card broke a law.
    pub fn cycle(&mut self) -> Result<Events, CardError> {
        let started = self.source.drive(self.cycle, &mut self.inputs);
        for processor in &mut self.processors {
            processor.drive(self.cycle, &mut self.inputs);
        }
        let cycle = self.cycle;
        self.tick()?;
        if self.inputs.rx_tvalid || self.outputs.mem_wvalid != 0 {
            self.last_activity = cycle;
        }
        let mut events = Events { started, ..Events::default() };
        for (number, processor) in self.processors.iter_mut().enumerate() {
            if let Some(received) = processor.sample(cycle, &self.outputs)? {
                events.received.push((number, received));
            }
        }
        events.wrote = self.outputs.mem_wvalid != 0;
        events.host_read = self.outputs.host_rvalid.then_some(self.outputs.host_rdata);
        Ok(events)
    }

    /// Writes a register of the host's space.
    ///
    /// # Errors
    /// The card broke a law meanwhile.
    pub fn host_write(&mut self, offset: u32, value: u32) -> Result<(), CardError> {
        self.host(RegisterRequest { write: true, address: offset, data: value }).map(|_| ())
    }

    /// Reads a register of the host's space; no frame may arrive meanwhile.
    ///
    /// # Errors
    /// The card broke a law, or did not answer in time.
    pub fn host_read(&mut self, offset: u32) -> Result<u32, CardError> {
        self.host(RegisterRequest { write: false, address: offset, data: 0 })?;
        for _ in 0..csr::HOST.read_latency {
            if let Some(value) = self.cycle()?.host_read {
                return Ok(value);
            }
        }
        Err(CardError::NoAnswer { offset, cycle: self.cycle })
    }

    /// Reads a 64-bit counter, low word first.
    ///
    /// # Errors
    /// As [`Card::host_read`].
    pub fn counter(&mut self, index: usize) -> Result<u64, CardError> {
        let offset = csr::STATISTICS + 8 * index as u32;
        let low = self.host_read(offset)?;
        let high = self.host_read(offset + 4)?;
        Ok(u64::from(high) << 32 | u64::from(low))
    }

    fn host(&mut self, request: RegisterRequest) -> Result<Events, CardError> {
        self.inputs.host_valid = true;
        self.inputs.host = request;
        let events = self.cycle();
        self.inputs.host_valid = false;
        events
    }

    fn configure(&mut self, config: &DispatchConfig) -> Result<(), CardError> {
        let hash = &config.hash;
        let control = match hash.function {
            HashFunction::Xor => csr::FUNCTION_XOR,
            HashFunction::Toeplitz => csr::FUNCTION_TOEPLITZ,
        } | u32::from(hash.fragment_addresses) << csr::FRAGMENT_ADDRESSES_LSB
            | u32::from(hash.chunk_bits) << csr::CHUNK_BITS_LSB;
        self.host_write(csr::HASH_CONTROL, control)?;
        self.host_write(csr::HASH_FIELDS, u32::from(hash.fields.0) | u32::from(hash.types.0) << 4)?;
        self.host_write(csr::FLOOD, u32::from(config.flood_arp) | u32::from(config.flood_nd) << 1)?;
        self.host_write(csr::DEFAULT_PROCESSOR, config.default_processor.into())?;
        self.host_write(csr::MAX_FRAME_LENGTH, config.max_frame as u32)?;
        for (k, word) in hash.key.chunks_exact(4).enumerate() {
            let word = u32::from_be_bytes(word.try_into().expect("four bytes"));
            self.host_write(csr::HASH_KEY + 4 * k as u32, word)?;
        }
        for (entry, processor) in config.reta.iter().enumerate() {
            self.host_write(csr::RETA + 4 * entry as u32, (*processor).into())?;
        }
        Ok(())
    }

    fn tick(&mut self) -> Result<(), CardError> {
        self.nic.tick(&self.inputs, &mut self.outputs)?;
        self.cycle += 1;
        Ok(())
    }
}

/// Why a run cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum CardError {
    /// The verilated model.
    #[error(transparent)]
    Bridge(#[from] BridgeError),
    /// The card broke a law of its queues or wrote where it must not.
    #[error(transparent)]
    Violation(#[from] Violation),
    /// A read of a register got no answer.
    #[error("cycle {cycle}: the read of host register {offset:#07x} was not answered within {} cycles", csr::HOST.read_latency)]
    NoAnswer {
        /// The register.
        offset: u32,
        /// The cycle.
        cycle: u64,
    },
}
