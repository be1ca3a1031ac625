//! The card and its host ([`Rig`]), with a memory and a register port for every processor: what tests of queues and DMA stand on.
//!
//! Nothing here acts by itself. Accesses are queued ([`Core::port`], [`Rig::host`]) and answered as [`Machine::tick`] goes on, or done one
//! at a time by the calls that wait.

use std::collections::VecDeque;

use abi::csr::{core, host};
use abi::params::NicParams;

use crate::bridge::{Inputs, Outputs};
use crate::core_memory::{Access, CoreMemory, Stray};
use crate::register_port::{Answer, RegisterPort};
use crate::rig::{MEMORIES, REGISTERS, Rig, RigError};
use crate::root_complex::{self, Config, Ticket};
use crate::tlp::Status;

/// Cycles after which an access that waits is given up.
const PATIENCE: u64 = 100_000;

/// Cycles after which what a single write does is seen by everybody.
const SETTLING: usize = 40;

/// What a processor's program would work with.
#[derive(Clone, Debug)]
pub struct Core {
    number: usize,
    /// Its memory.
    pub memory: CoreMemory,
    /// Its register port.
    pub port: RegisterPort,
    /// Answers of the port, the oldest first.
    pub answers: VecDeque<Answer>,
    /// The access that the card made to the memory in the last cycle.
    pub access: Option<Access>,
    /// The level of its interrupt in the last cycle.
    pub irq: bool,
}

impl Core {
    /// Processor `number`, with `size` bytes of memory.
    pub fn new(number: usize, beat_bytes: usize, size: usize) -> Self {
        Self {
            number,
            memory: CoreMemory::new(number, beat_bytes, size),
            port: RegisterPort::new(number),
            answers: VecDeque::new(),
            access: None,
            irq: false,
        }
    }

    /// Sets the inputs of this cycle.
    pub fn drive(&mut self, inputs: &mut Inputs) {
        self.memory.drive(inputs);
        self.port.drive(inputs);
    }

    /// Takes what the card did in it.
    ///
    /// # Errors
    /// The card wrote where it must not.
    pub fn sample(&mut self, outputs: &Outputs) -> Result<(), Stray> {
        self.access = self.memory.sample(outputs)?;
        self.answers.extend(self.port.sample(outputs));
        self.irq = outputs.core_irq >> self.number & 1 == 1;
        Ok(())
    }
}

/// See the module's page.
pub struct Machine {
    /// The card and the host.
    pub rig: Rig,
    /// The processors.
    pub cores: Vec<Core>,
    /// Answers to the host's reads that nobody waited for, the oldest first.
    pub answers: VecDeque<root_complex::Answer>,
}

impl Machine {
    /// A card after reset, its PCIe registers set as the host wants them; processors with memories of `size` bytes, all closed to the card.
    ///
    /// # Errors
    /// The preset is not built in.
    pub fn new(params: NicParams, config: Config, size: usize) -> Result<Self, MachineError> {
        let (id, payload, read) = (config.card_id, config.max_payload, config.max_read);
        let core = |number| Core::new(number, params.beat_bytes(), size);
        let mut machine = Self {
            rig: Rig::new(params, config)?,
            cores: (0..params.processors()).map(core).collect(),
            answers: VecDeque::new(),
        };
        // Both count from 128 bytes in powers of two.
        let steps = |bytes: usize| (bytes / 128).trailing_zeros();
        let control =
            host::pcie_control::MAX_PAYLOAD.put(steps(payload)) | host::pcie_control::MAX_READ.put(steps(read));
        machine.host_write(host::PCIE_ID.offset, id.into())?;
        machine.host_write(host::PCIE_CONTROL.offset, control)?;
        Ok(machine)
    }

    /// One clock cycle.
    ///
    /// # Errors
    /// The card broke a law.
    pub fn tick(&mut self) -> Result<(), MachineError> {
        for core in &mut self.cores {
            core.drive(&mut self.rig.inputs);
        }
        self.rig.tick()?;
        for core in &mut self.cores {
            let cycle = self.rig.cycles() - 1;
            core.sample(&self.rig.outputs).map_err(|stray| MachineError::Stray {
                cycle,
                processor: core.number,
                stray,
            })?;
        }
        self.answers.extend(self.rig.host.take_answers());
        Ok(())
    }

    /// So many clock cycles.
    ///
    /// # Errors
    /// As [`Machine::tick`].
    pub fn ticks(&mut self, cycles: usize) -> Result<(), MachineError> {
        (0..cycles).try_for_each(|_| self.tick())
    }

    /// Clock cycles until `done`.
    ///
    /// # Errors
    /// As [`Machine::tick`], or it took too long.
    pub fn until(&mut self, mut done: impl FnMut(&mut Self) -> bool) -> Result<(), MachineError> {
        let start = self.rig.cycles();
        while !done(self) {
            if self.rig.cycles() - start > PATIENCE {
                return Err(MachineError::Late { cycle: self.rig.cycles() });
            }
            self.tick()?;
        }
        Ok(())
    }

    /// Writes a register as the host, and waits until what it does is seen by the processors too.
    ///
    /// # Errors
    /// As [`Machine::until`].
    pub fn host_write(&mut self, offset: u32, value: u32) -> Result<(), MachineError> {
        self.rig.host.write_word(REGISTERS, offset.into(), value);
        self.until(|machine| machine.rig.host.quiet())?;
        self.ticks(SETTLING)
    }

    /// Writes both words of a wide register as the host.
    ///
    /// # Errors
    /// As [`Machine::until`].
    pub fn host_write_wide(&mut self, offset: u32, value: u64) -> Result<(), MachineError> {
        self.host_write(offset, value as u32)?;
        self.host_write(offset + 4, (value >> 32) as u32)
    }

    /// Reads a register as the host.
    ///
    /// # Errors
    /// As [`Machine::until`], or the card refused.
    pub fn host_read(&mut self, offset: u32) -> Result<u32, MachineError> {
        let ticket = self.rig.host.read(self.rig.cycles(), REGISTERS, offset.into(), 4);
        let bytes = self.answer(ticket)?.map_err(|status| MachineError::Refused { offset, status })?;
        Ok(bytes.iter().rev().fold(0, |word, byte| word << 8 | u32::from(*byte)))
    }

    /// Reads both words of a wide register as the host, low word first.
    ///
    /// # Errors
    /// As [`Machine::host_read`].
    pub fn host_read_wide(&mut self, offset: u32) -> Result<u64, MachineError> {
        let low = self.host_read(offset)?;
        Ok(u64::from(self.host_read(offset + 4)?) << 32 | u64::from(low))
    }

    /// Writes to the processors' memories as the host, and waits until it is done if it is short.
    ///
    /// # Errors
    /// As [`Machine::until`].
    pub fn memory_write(&mut self, place: u32, bytes: &[u8]) -> Result<(), MachineError> {
        self.rig.host.write(MEMORIES, place.into(), bytes);
        self.until(|machine| machine.rig.host.quiet())?;
        self.ticks(SETTLING)
    }

    /// Reads the processors' memories as the host; what the card answers is the inner result.
    ///
    /// # Errors
    /// As [`Machine::until`].
    pub fn memory_read(&mut self, place: u32, length: usize) -> Result<Result<Vec<u8>, Status>, MachineError> {
        let ticket = self.rig.host.read(self.rig.cycles(), MEMORIES, place.into(), length);
        self.answer(ticket)
    }

    /// Waits for the answer to a read of the host.
    ///
    /// # Errors
    /// As [`Machine::until`].
    pub fn answer(&mut self, ticket: Ticket) -> Result<Result<Vec<u8>, Status>, MachineError> {
        self.until(|machine| machine.answers.iter().any(|answer| answer.ticket == ticket))?;
        let place = self.answers.iter().position(|answer| answer.ticket == ticket);
        let answer = place.and_then(|place| self.answers.remove(place));
        Ok(answer.ok_or(MachineError::Late { cycle: self.rig.cycles() })?.result)
    }

    /// Writes a register as a processor, and waits until the card has taken it.
    ///
    /// # Errors
    /// As [`Machine::until`].
    pub fn core_write(&mut self, processor: usize, offset: u32, value: u32) -> Result<(), MachineError> {
        self.cores[processor].port.write(offset, value);
        self.until(|machine| machine.cores[processor].port.idle())
    }

    /// Reads a register as a processor; answers that nobody took before are dropped.
    ///
    /// # Errors
    /// As [`Machine::until`].
    pub fn core_read(&mut self, processor: usize, offset: u32) -> Result<u32, MachineError> {
        let ticket = self.cores[processor].port.read(offset);
        let mut value = None;
        self.until(|machine| {
            while let Some(answer) = machine.cores[processor].answers.pop_front() {
                value = Some(answer.value).filter(|_| answer.ticket == ticket);
            }
            value.is_some()
        })?;
        value.ok_or(MachineError::Late { cycle: self.rig.cycles() })
    }
}

/// Message frames behind one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frames {
    /// Address of the first one: a byte of a processor's memory, or of the host's.
    pub base: u64,
    /// log2 of the bytes of each.
    pub log2: u32,
    /// How many there are.
    pub count: usize,
}

impl Frames {
    /// The MFA of frame `k`, handed in by `processor` or, if there is none, by the host.
    pub fn mfa(&self, processor: Option<usize>, k: usize) -> u32 {
        (processor.unwrap_or(0) as u32) << 24 | self.base.wrapping_add((k as u64) << self.log2) as u32
    }
}

impl Machine {
    /// The processor says where its inbound frames are, and hands in all of them.
    ///
    /// # Errors
    /// As [`Machine::until`].
    pub fn give_inbound(&mut self, processor: usize, frames: Frames) -> Result<(), MachineError> {
        self.set_inbound(processor, frames)?;
        (0..frames.count)
            .try_for_each(|k| self.core_write(processor, core::IN_FREE.offset, frames.mfa(Some(processor), k)))?;
        self.ticks(SETTLING)
    }

    /// The processor says where its inbound frames are.
    ///
    /// # Errors
    /// As [`Machine::until`].
    pub fn set_inbound(&mut self, processor: usize, frames: Frames) -> Result<(), MachineError> {
        self.core_write(processor, core::IN_BASE.offset, frames.base as u32)?;
        self.core_write(processor, core::IN_FRAME_SIZE.offset, frames.log2)?;
        self.core_write(processor, core::IN_FRAMES.offset, frames.count as u32)
    }

    /// The host says where the outbound frames are, and hands in all of them.
    ///
    /// # Errors
    /// As [`Machine::until`].
    pub fn give_outbound(&mut self, frames: Frames) -> Result<(), MachineError> {
        self.set_outbound(frames)?;
        (0..frames.count).try_for_each(|k| self.host_write(host::I2O_OUTBOUND.offset, frames.mfa(None, k)))
    }

    /// The host says where the outbound frames are.
    ///
    /// # Errors
    /// As [`Machine::until`].
    pub fn set_outbound(&mut self, frames: Frames) -> Result<(), MachineError> {
        self.host_write_wide(host::OUT_BASE.offset, frames.base)?;
        self.host_write(host::OUT_FRAME_SIZE.offset, frames.log2)?;
        self.host_write(host::OUT_FRAMES.offset, frames.count as u32)
    }
}

/// Why a run cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum MachineError {
    /// The card or the host.
    #[error(transparent)]
    Rig(#[from] RigError),
    /// The card wrote to a processor's memory where it must not.
    #[error("cycle {cycle}: the card wrote byte {address:#x} of processor {processor}, which is not open to it", address = stray.address)]
    Stray {
        /// When.
        cycle: u64,
        /// Whose memory.
        processor: usize,
        /// Where.
        stray: Stray,
    },
    /// Something that was waited for did not come.
    #[error("cycle {cycle}: waited {PATIENCE} cycles in vain")]
    Late {
        /// When.
        cycle: u64,
    },
    /// The card refused a read of a register.
    #[error("the read of register {offset:#x} was answered with {status:?}")]
    Refused {
        /// Its offset.
        offset: u32,
        /// The answer.
        status: Status,
    },
}
