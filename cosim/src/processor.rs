//! A soft processor as the packet path sees it: memory, buffers handed in, frames taken out, and sent back if it echoes.
//!
//! It is awake while it has something to do: it hands its buffers in, and from the first write to its memory on it looks for posted frames
//! until none has come for a while, so that an idle port costs the simulation nothing.

use std::collections::{BTreeMap, VecDeque};

use abi::csr::core as csr;
use abi::receive::{EMPTY, Status};

use crate::bridge::{Inputs, Outputs};
use crate::core_memory::{Access, CoreMemory, Stray, UNTOUCHED};
use crate::register_port::RegisterPort;

/// Cycles without a write to memory after which a processor that finds nothing goes to sleep; longer than from the last write of a
/// frame to its entry in the post queue.
const WAKEFULNESS: u64 = 16;

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
    /// A buffer that comes back from sending is not the oldest that was given, or its frame was refused.
    #[error("processor {processor}, cycle {cycle}: TX_DONE reads {entry:#010x}, which is not the buffer due")]
    Sent {
        /// The processor.
        processor: usize,
        /// The cycle.
        cycle: u64,
        /// What TX_DONE read.
        entry: u32,
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
            Self::Stray { cycle, .. }
            | Self::Unowned { cycle, .. }
            | Self::Sent { cycle, .. }
            | Self::Length { cycle, .. } => *cycle,
        }
    }
}

/// A processor.
#[derive(Debug)]
pub struct Processor {
    number: usize,
    beat_bytes: usize,
    buffer_bytes: usize,
    memory: CoreMemory,
    port: RegisterPort,
    to_hand_in: VecDeque<u32>,
    /// Buffers the card holds, with the cycle of their first write.
    handed_in: BTreeMap<u32, Option<u64>>,
    taking: Option<u32>,
    taking_status: Status,
    /// Sends every frame back.
    echoes: bool,
    to_send: VecDeque<(u32, usize)>,
    /// Buffers given to the card to send, oldest first.
    sending: VecDeque<u32>,
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
    pub fn new(number: usize, beat_bytes: usize, buffers: usize, buffer_bytes: usize, work: u64, echoes: bool) -> Self {
        Self {
            number,
            beat_bytes,
            buffer_bytes,
            memory: CoreMemory::new(number, beat_bytes, buffers * buffer_bytes),
            port: RegisterPort::new(number),
            to_hand_in: (0..buffers).map(|b| (b * buffer_bytes) as u32).collect(),
            handed_in: BTreeMap::new(),
            taking: None,
            taking_status: Status(0),
            echoes,
            to_send: VecDeque::new(),
            sending: VecDeque::new(),
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

    /// Sets what this cycle has for the card.
    pub fn drive(&mut self, cycle: u64, inputs: &mut Inputs) {
        self.memory.drive(inputs);
        if self.awake && cycle >= self.busy_until && self.port.waiting() == 0 {
            self.decide(cycle);
        }
        self.port.drive(inputs);
    }

    /// What to ask of the card next.
    fn decide(&mut self, cycle: u64) {
        if let Some(buffer) = self.to_hand_in.pop_front() {
            self.handed_in.insert(buffer, None);
            self.memory.open(buffer, self.buffer_bytes);
            self.port.write(csr::RX_FREE.offset, buffer);
        } else if self.sending.len() < abi::limits::SEND_QUEUE_DEPTH
            && let Some((buffer, length)) = self.to_send.pop_front()
        {
            self.sending.push_back(buffer);
            self.port.write(csr::TX_LENGTH.offset, length as u32);
            self.port.write(csr::TX_POST.offset, buffer);
        } else if self.port.idle() {
            let quiet = self.last_write.is_none_or(|last| cycle > last + WAKEFULNESS);
            if self.found_nothing && quiet && self.sending.is_empty() {
                self.awake = false;
                return;
            }
            if !self.sending.is_empty() {
                self.port.read(csr::TX_DONE.offset);
            }
            // Three questions in a row; if the first finds the queue empty, the others mean nothing.
            for register in [csr::RX_POST, csr::RX_STATUS, csr::RX_HASH] {
                self.port.read(register.offset);
            }
        }
    }

    /// Takes this cycle's outputs in; returns a frame when one was taken whole.
    ///
    /// # Errors
    /// The card broke a law.
    pub fn sample(&mut self, cycle: u64, outputs: &Outputs) -> Result<Option<Received>, Violation> {
        let stray = |Stray { address }| Violation::Stray { processor: self.number, cycle, address };
        if let Some(Access::Write(address)) = self.memory.sample(outputs).map_err(stray)? {
            let buffer = address - address % self.buffer_bytes as u32;
            // A buffer that a bad frame leaves is written from its start again.
            if address == buffer {
                self.handed_in.insert(buffer, Some(cycle));
            }
            self.last_write = Some(cycle);
            self.awake = true;
        }
        let Some(answer) = self.port.sample(outputs) else { return Ok(None) };
        match (answer.offset, answer.value) {
            (offset, value) if offset == csr::RX_POST.offset => {
                self.found_nothing = value == EMPTY;
                self.taking = (value != EMPTY).then_some(value);
            }
            (offset, value) if offset == csr::RX_STATUS.offset => self.taking_status = Status(value),
            (offset, hash) if offset == csr::RX_HASH.offset => {
                return self.taking.take().map(|address| self.take(cycle, address, hash)).transpose();
            }
            (_, EMPTY) => {}
            (_, sent) => {
                if self.sending.pop_front() != Some(sent) {
                    return Err(Violation::Sent { processor: self.number, cycle, entry: sent });
                }
                self.to_hand_in.push_back(sent);
            }
        }
        Ok(None)
    }

    fn take(&mut self, cycle: u64, address: u32, hash: u32) -> Result<Received, Violation> {
        let processor = self.number;
        let Some(first_write) = self.handed_in.remove(&address) else {
            return Err(Violation::Unowned { processor, cycle, address });
        };
        self.memory.close(address);
        let (length, buffer) = (self.taking_status.length(), self.buffer_bytes);
        if length > buffer {
            return Err(Violation::Length { processor, cycle, length, buffer });
        }
        let start = address as usize;
        let memory = self.memory.bytes_mut();
        let bytes = memory[start..start + length].to_vec();
        // What the next frame does not write must not pass for its own.
        let touched = length.next_multiple_of(self.beat_bytes).min(buffer);
        if self.echoes {
            memory[start + length..start + touched].fill(UNTOUCHED);
            self.to_send.push_back((address, length));
        } else {
            memory[start..start + touched].fill(UNTOUCHED);
            self.to_hand_in.push_back(address);
        }
        self.busy_until = cycle + self.work;
        Ok(Received { bytes, status: self.taking_status, hash, first_write: first_write.unwrap_or(cycle) })
    }
}
