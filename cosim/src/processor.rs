//! A soft processor as the receive path sees it: memory, buffers handed in, frames taken out.
//!
//! The model drives one register port. It is awake while it has something to do: it hands its buffers in, and from the first write to
//! its memory on it looks for posted frames until none has come for a while, so that an idle port costs the simulation nothing.

use std::collections::{BTreeMap, VecDeque};

use abi::csr;
use abi::receive::{EMPTY, Status};

use crate::bridge::{Inputs, Outputs, RegisterRequest};

/// Cycles without a write to memory after which a processor that finds nothing goes to sleep; longer than from the last write of a
/// frame to its entry in the post queue.
const WAKEFULNESS: u64 = 16;

/// Everything a write must not touch is filled with this.
const UNTOUCHED: u8 = 0xa5;

/// A frame taken from the post queue.
#[derive(Clone, Debug)]
pub struct Received {
    /// What the memory holds at the posted address, as long as the status says.
    pub bytes: Vec<u8>,
    /// RX_STATUS.
    pub status: Status,
    /// RX_HASH.
    pub hash: u32,
    /// Cycle of the first write to the buffer.
    pub first_write: u64,
}

/// What a card must never do to a processor.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// A write outside every buffer that the card holds.
    #[error(
        "processor {processor}, cycle {cycle}: a write to {address:#010x}, which is in no buffer that was handed in"
    )]
    Stray {
        /// The processor.
        processor: usize,
        /// The cycle.
        cycle: u64,
        /// The byte address.
        address: u32,
    },
    /// A posted address that is no buffer the card holds: posted twice, or never handed in.
    #[error("processor {processor}, cycle {cycle}: {address:#010x} was posted, which is no buffer that was handed in")]
    Unowned {
        /// The processor.
        processor: usize,
        /// The cycle.
        cycle: u64,
        /// The posted address.
        address: u32,
    },
    /// A length that no buffer holds.
    #[error("processor {processor}, cycle {cycle}: {length} bytes were posted in a buffer of {buffer}")]
    Length {
        /// The processor.
        processor: usize,
        /// The cycle.
        cycle: u64,
        /// The posted length.
        length: usize,
        /// Bytes of a buffer.
        buffer: usize,
    },
}

impl Violation {
    /// The cycle in which it happened.
    pub fn cycle(&self) -> u64 {
        match self {
            Self::Stray { cycle, .. } | Self::Unowned { cycle, .. } | Self::Length { cycle, .. } => *cycle,
        }
    }
}

/// What was asked and will be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Post,
    Status,
    Hash,
}

/// One processor.
pub struct Processor {
    number: usize,
    beat_bytes: usize,
    buffer_bytes: usize,
    memory: Vec<u8>,
    /// Buffers that wait to be handed in.
    to_hand_in: VecDeque<u32>,
    /// Buffers the card holds, with the cycle of their first write.
    handed_in: BTreeMap<u32, Option<u64>>,
    to_ask: VecDeque<Asked>,
    asked: VecDeque<Asked>,
    /// Address and status of the frame that is being taken.
    taking: Option<u32>,
    taking_status: Status,
    /// Cycles of software for each frame, before its buffer is handed in again.
    work: u64,
    busy_until: u64,
    last_write: Option<u64>,
    /// The last look at the post queue found it empty.
    found_nothing: bool,
    awake: bool,
}

impl Processor {
    /// Processor `number` with `buffers` receive buffers of `buffer_bytes` (a multiple of 64), that works `work` cycles on a frame.
    pub fn new(number: usize, beat_bytes: usize, buffers: usize, buffer_bytes: usize, work: u64) -> Self {
        Self {
            number,
            beat_bytes,
            buffer_bytes,
            memory: vec![UNTOUCHED; buffers * buffer_bytes],
            to_hand_in: (0..buffers).map(|b| (b * buffer_bytes) as u32).collect(),
            handed_in: BTreeMap::new(),
            to_ask: VecDeque::new(),
            asked: VecDeque::new(),
            taking: None,
            taking_status: Status(0),
            work,
            busy_until: 0,
            last_write: None,
            found_nothing: false,
            awake: true,
        }
    }

    /// Whether nothing is under way: all buffers handed in, no frame expected.
    pub fn asleep(&self) -> bool {
        !self.awake
    }

    /// Sets this cycle's request.
    pub fn drive(&mut self, cycle: u64, inputs: &mut Inputs) {
        let bit = 1u16 << self.number;
        inputs.core_valid &= !bit;
        if !self.awake || cycle < self.busy_until {
            return;
        }
        let request = if let Some(ask) = self.to_ask.pop_front() {
            self.asked.push_back(ask);
            let address = match ask {
                Asked::Post => csr::RX_POST,
                Asked::Status => csr::RX_STATUS,
                Asked::Hash => csr::RX_HASH,
            };
            RegisterRequest { write: false, address, data: 0 }
        } else if let Some(buffer) = self.to_hand_in.pop_front() {
            self.handed_in.insert(buffer, None);
            RegisterRequest { write: true, address: csr::RX_FREE, data: buffer }
        } else if self.asked.is_empty() {
            let quiet = self.last_write.is_none_or(|last| cycle > last + WAKEFULNESS);
            if self.found_nothing && quiet {
                self.awake = false;
                return;
            }
            // Three questions in a row; if the first finds the queue empty, the others mean nothing.
            self.to_ask.extend([Asked::Status, Asked::Hash]);
            self.asked.push_back(Asked::Post);
            RegisterRequest { write: false, address: csr::RX_POST, data: 0 }
        } else {
            return;
        };
        inputs.core_valid |= bit;
        inputs.core[self.number] = request;
    }

    /// Takes this cycle's outputs in; returns a frame when one was taken whole.
    pub fn sample(&mut self, cycle: u64, outputs: &Outputs) -> Result<Option<Received>, Violation> {
        let bit = 1u16 << self.number;
        if outputs.mem_wvalid & bit != 0 {
            self.write(cycle, outputs)?;
        }
        if outputs.core_rvalid & bit == 0 {
            return Ok(None);
        }
        let value = outputs.core_rdata[self.number];
        match self.asked.pop_front() {
            Some(Asked::Post) if value == EMPTY => {
                self.taking = None;
                self.found_nothing = true;
                Ok(None)
            }
            Some(Asked::Post) => {
                self.taking = Some(value);
                self.found_nothing = false;
                Ok(None)
            }
            Some(Asked::Status) => {
                self.taking_status = Status(value);
                Ok(None)
            }
            Some(Asked::Hash) => self.taking.take().map(|address| self.take(cycle, address, value)).transpose(),
            None => Ok(None),
        }
    }

    fn write(&mut self, cycle: u64, outputs: &Outputs) -> Result<(), Violation> {
        let write = &outputs.mem[self.number];
        let address = write.address;
        let buffer = address - address % self.buffer_bytes as u32;
        let Some(first_write) = self.handed_in.get_mut(&buffer) else {
            return Err(Violation::Stray { processor: self.number, cycle, address });
        };
        // A buffer that a bad frame leaves is written from its start again.
        if address == buffer {
            *first_write = Some(cycle);
        }
        let bytes = write.data.iter().flat_map(|word| word.to_le_bytes()).take(self.beat_bytes);
        for (lane, byte) in bytes.enumerate().filter(|(lane, _)| write.strobe >> lane & 1 == 1) {
            self.memory[address as usize + lane] = byte;
        }
        self.last_write = Some(cycle);
        self.awake = true;
        Ok(())
    }

    fn take(&mut self, cycle: u64, address: u32, hash: u32) -> Result<Received, Violation> {
        let processor = self.number;
        let Some(first_write) = self.handed_in.remove(&address) else {
            return Err(Violation::Unowned { processor, cycle, address });
        };
        let (length, buffer) = (self.taking_status.length(), self.buffer_bytes);
        if length > buffer {
            return Err(Violation::Length { processor, cycle, length, buffer });
        }
        let start = address as usize;
        let bytes = self.memory[start..start + length].to_vec();
        // What the next frame does not write must not pass for its own.
        self.memory[start..start + length.next_multiple_of(self.beat_bytes).min(buffer)].fill(UNTOUCHED);
        self.to_hand_in.push_back(address);
        self.busy_until = cycle + self.work;
        Ok(Received { bytes, status: self.taking_status, hash, first_write: first_write.unwrap_or(cycle) })
    }
}
