//! The verilated card with its processors, its network and its host, as the packet path needs them: one clock.

use std::path::Path;

use abi::csr::host as csr;
use abi::limits::BUFFER_ALIGNMENT;
use abi::params::NicParams;

use crate::bridge::Inputs;
use crate::processor::{Processor, Received, Violation};
use crate::reference::{DispatchConfig, HashFunction};
use crate::rig::{REGISTERS, Rig, RigError};
use crate::root_complex::{Config, Ticket};
use crate::sink::{FrameSink, StreamViolation};
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
    /// Processors send every frame back.
    pub echo: bool,
    /// Per cent of the cycles in which the network takes nothing.
    pub tx_pauses: u32,
}

impl Default for Surroundings {
    fn default() -> Self {
        Self { pace: Pace::BackToBack, seed: 1, buffers: 128, work: 0, echo: false, tx_pauses: 0 }
    }
}

/// What happened in a cycle.
#[derive(Debug, Default)]
pub struct Events {
    /// The frame whose first beat was offered.
    pub started: Option<usize>,
    /// Frames taken by processors, with the processor's number.
    pub received: Vec<(usize, Received)>,
    /// A frame the card sent.
    pub sent: Option<Vec<u8>>,
    /// Some processor's memory was written.
    pub wrote: bool,
}

/// A run in progress.
pub struct Card {
    rig: Rig,
    source: FrameSource,
    sink: FrameSink,
    processors: Vec<Processor>,
    last_activity: u64,
}

impl Card {
    /// Resets a card and sets its registers to `config` as the host; processors hand their buffers in.
    ///
    /// # Errors
    /// The preset is not built in, or the card breaks a law during set-up.
    pub fn new(params: NicParams, config: &DispatchConfig, around: &Surroundings) -> Result<Self, CardError> {
        let (bytes, echo) = (params.beat_bytes(), around.echo);
        let buffer_bytes = config.max_frame.next_multiple_of(BUFFER_ALIGNMENT);
        let processor = |p| Processor::new(p, bytes, around.buffers, buffer_bytes, around.work, echo);
        let mut card = Self {
            rig: Rig::new(params, Config::default())?,
            source: FrameSource::new(bytes, around.pace, around.seed),
            sink: FrameSink::new(bytes, around.tx_pauses, around.seed),
            processors: (0..params.processors()).map(processor).collect(),
            last_activity: 0,
        };
        card.configure(config)?;
        while card.processors.iter().any(|p| !p.asleep()) {
            card.cycle()?;
        }
        Ok(card)
    }

    /// The card's parameters.
    pub fn params(&self) -> NicParams {
        self.rig.params()
    }

    /// Cycles since reset began.
    pub fn cycles(&self) -> u64 {
        self.rig.cycles()
    }

    /// What drives the card's inputs in the cycle that was last.
    pub fn inputs(&self) -> &Inputs {
        &self.rig.inputs
    }

    /// Writes a waveform from now on.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn trace_to(&mut self, file: &Path) -> Result<(), CardError> {
        Ok(self.rig.trace_to(file)?)
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
        let settled = self.cycles() > self.last_activity + SETTLING;
        self.source.waiting() == 0 && settled && self.processors.iter().all(Processor::asleep)
    }

    /// One clock cycle.
    ///
    /// # Errors
    /// The card broke a law.
    pub fn cycle(&mut self) -> Result<Events, CardError> {
        let cycle = self.rig.cycles();
        let started = self.source.drive(cycle, &mut self.rig.inputs);
        self.sink.drive(&mut self.rig.inputs);
        for processor in &mut self.processors {
            processor.drive(cycle, &mut self.rig.inputs);
        }
        self.rig.tick()?;
        let (inputs, outputs) = (&self.rig.inputs, &self.rig.outputs);
        let wrote = outputs.mem_valid & outputs.mem_write != 0;
        if inputs.rx_tvalid || outputs.mem_valid != 0 || outputs.tx_tvalid {
            self.last_activity = cycle;
        }
        let mut events = Events { started, wrote, sent: self.sink.sample(cycle, outputs)?, ..Events::default() };
        for (number, processor) in self.processors.iter_mut().enumerate() {
            if let Some(received) = processor.sample(cycle, outputs)? {
                events.received.push((number, received));
            }
        }
        Ok(events)
    }

    /// Writes a register of the host's space; it takes effect some cycles later, before any read that follows.
    ///
    /// # Errors
    /// The card broke a law meanwhile.
    pub fn host_write(&mut self, offset: u32, value: u32) -> Result<(), CardError> {
        self.rig.host.write_word(REGISTERS, offset.into(), value);
        while !self.rig.host.quiet() {
            self.cycle()?;
        }
        Ok(())
    }

    /// Reads a register of the host's space; no frame may arrive meanwhile.
    ///
    /// # Errors
    /// The card broke a law, or did not answer with a word.
    pub fn host_read(&mut self, offset: u32) -> Result<u32, CardError> {
        let asked: Ticket = self.rig.host.read(self.cycles(), REGISTERS, offset.into(), 4);
        loop {
            self.cycle()?;
            if let Some(answer) = self.rig.host.take_answers().into_iter().find(|a| a.ticket == asked) {
                let word = answer.result.ok().and_then(|bytes| bytes.try_into().ok());
                return word.map(u32::from_le_bytes).ok_or(CardError::NoAnswer { offset, cycle: self.cycles() });
            }
        }
    }

    /// Reads a 64-bit counter, low word first.
    ///
    /// # Errors
    /// As [`Card::host_read`].
    pub fn counter(&mut self, index: usize) -> Result<u64, CardError> {
        let offset = csr::counters::offset(index);
        let low = self.host_read(offset)?;
        let high = self.host_read(offset + 4)?;
        Ok(u64::from(high) << 32 | u64::from(low))
    }

    fn configure(&mut self, config: &DispatchConfig) -> Result<(), CardError> {
        self.host_write(csr::PCIE_ID.offset, self.rig.host.config().card_id.into())?;
        dispatch_registers(config).into_iter().try_for_each(|(offset, value)| self.host_write(offset, value))
    }
}

/// The host's registers that make the card dispatch as `config` says, with their values.
pub fn dispatch_registers(config: &DispatchConfig) -> Vec<(u32, u32)> {
    let hash = &config.hash;
    let control = csr::hash_control::FUNCTION.put(match hash.function {
        HashFunction::Xor => csr::FUNCTION_XOR,
        HashFunction::Toeplitz => csr::FUNCTION_TOEPLITZ,
    }) | csr::hash_control::FRAGMENT_ADDRESSES.put(hash.fragment_addresses.into())
        | csr::hash_control::CHUNK_BITS.put(hash.chunk_bits.into());
    let single = [
        (csr::HASH_CONTROL.offset, control),
        (csr::HASH_FIELDS.offset, u32::from(hash.fields.0) | u32::from(hash.types.0) << 4),
        (csr::FLOOD.offset, u32::from(config.flood_arp) | u32::from(config.flood_nd) << 1),
        (csr::DEFAULT_PROCESSOR.offset, config.default_processor.into()),
        (csr::MAX_FRAME_LENGTH.offset, config.max_frame as u32),
    ];
    let (words, _) = hash.key.as_chunks::<4>();
    let key = words.iter().enumerate().map(|(k, word)| (csr::HASH_KEY.at(k), u32::from_be_bytes(*word)));
    let table = config.reta.iter().enumerate().map(|(entry, p)| (csr::RETA.at(entry), u32::from(*p)));
    single.into_iter().chain(key).chain(table).collect()
}

/// Why a run cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum CardError {
    /// The model, or the card towards the host.
    #[error(transparent)]
    Rig(#[from] RigError),
    /// The card broke a law of its queues or wrote where it must not.
    #[error(transparent)]
    Violation(#[from] Violation),
    /// The card broke a rule of its transmit stream.
    #[error(transparent)]
    Stream(#[from] StreamViolation),
    /// A read of a register was not answered with a word.
    #[error("cycle {cycle}: the read of host register {offset:#07x} was refused")]
    NoAnswer {
        /// The register.
        offset: u32,
        /// The cycle.
        cycle: u64,
    },
}

impl CardError {
    /// The cycle in which the card did something wrong, if that is what happened.
    pub fn cycle(&self) -> Option<u64> {
        match self {
            Self::Violation(violation) => Some(violation.cycle()),
            Self::Stream(violation) => Some(violation.cycle()),
            Self::Rig(RigError::Host(violation)) => Some(violation.cycle),
            Self::NoAnswer { cycle, .. } => Some(*cycle),
            Self::Rig(RigError::Bridge(_)) => None,
        }
    }
}
