//! System initialization (66.3): what a kernel is made with, what it finds, and what it does not start with.

use core::ops::Range;

use abi::csr::core as csr;
use abi::limits::{
    BUFFER_ALIGNMENT, MAX_FRAME, MAX_PROCESSORS, MEMORY_BYTES, MESSAGE_QUEUE_DEPTH, MIN_PROCESSORS, RECEIVE_QUEUE_DEPTH,
};
use abi::{dma, transmit};

use super::busy::Thresholds;
use super::interrupt::{ALL_CAUSES, Policy, PolicyError, Source, Sources};
use super::thread::SpawnError;
use crate::platform::Platform;

/// What a kernel is made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Threads at most, the service thread among them.
    pub threads: usize,
    /// Timers at most.
    pub timers: usize,
    /// Messages to each processor that wait at most.
    pub backlog: usize,
    /// Cycles after which it is tried again to send them.
    pub backlog_retry: u64,
    /// Cycles from one look to the next at what is polled, while the processor does not idle.
    pub poll_period: u64,
    /// How every source is served, but for the timer and errors.
    pub policy: Policy,
    /// When the processor says it is busy.
    pub busy: Thresholds,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            threads: 32,
            timers: 64,
            backlog: 64,
            // A receiver takes a message in some hundred cycles.
            backlog_retry: 500,
            // 8 us at 125 MHz: 12 frames of 64 bytes at 1 Gbit/s, a 20th of the receive queue.
            poll_period: 1_000,
            policy: Policy::default(),
            busy: Thresholds { high: 32, low: 8 },
        }
    }
}

/// What start-up found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// This processor's number.
    pub number: usize,
    /// Number of processors.
    pub processors: usize,
    /// First byte of memory.
    pub memory_start: u32,
    /// First byte behind it.
    pub memory_end: u32,
    /// Receive buffers that the card takes.
    pub receive_depth: u32,
    /// Frames to send that it takes.
    pub send_depth: u32,
    /// DMA descriptors that it takes.
    pub dma_depth: u32,
    /// Messages that it takes for each other processor.
    pub message_depth: u32,
    /// The cycle it was.
    pub started: u64,
}

impl Found {
    /// The memory.
    pub const fn memory(&self) -> Range<u32> {
        self.memory_start..self.memory_end
    }
}

/// Why a kernel does not start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartError {
    /// ID does not read "PNTC": this is no port of this card.
    Id {
        /// What it reads.
        read: u32,
    },
    /// INDEX: a number that none of the processors has, or a number of processors that no card has.
    Index {
        /// What it reads.
        read: u32,
    },
    /// The memory does not hold a frame, or goes beyond what the card can address.
    Memory {
        /// First byte.
        start: u32,
        /// First byte behind it.
        end: u32,
    },
    /// What was written to the memory's last line is not read there.
    MemoryFault {
        /// Where.
        address: u32,
    },
    /// A queue that should be empty is not, or is none.
    Depth {
        /// The register that tells.
        register: &'static str,
        /// What it reads.
        read: u32,
        /// What it reads after reset.
        expected: u32,
    },
    /// A configuration without threads, timers, or time between two looks, or with thresholds that are not in order.
    Config,
    /// A policy that makes no sense.
    Policy(PolicyError),
    /// There is no room for the service thread.
    ServiceThread(SpawnError),
}

/// Looks at everything that the kernel relies on.
pub(super) fn examine(platform: &impl Platform, config: &Config) -> Result<Found, StartError> {
    check_config(config)?;
    let read = platform.read(csr::ID.offset);
    if read != csr::CORE_ID {
        return Err(StartError::Id { read });
    }
    let (number, processors) = index(platform)?;
    let memory = check_memory(platform)?;
    Ok(Found {
        number,
        processors,
        memory_start: memory.start,
        memory_end: memory.end,
        receive_depth: depth(platform, "RX_FREE", csr::RX_FREE.offset, RECEIVE_QUEUE_DEPTH)?,
        send_depth: depth(platform, "TX_POST", csr::TX_POST.offset, transmit::QUEUE_DEPTH)?,
        dma_depth: depth(platform, "DMA_PUSH", csr::DMA_PUSH.offset, dma::DEPTH)?,
        message_depth: message_depth(platform, number, processors)?,
        started: platform.now(),
    })
}

fn check_config(config: &Config) -> Result<(), StartError> {
    let nothing = config.threads == 0 || config.timers == 0;
    let no_time = config.backlog_retry == 0 || config.poll_period == 0;
    if nothing || no_time || config.busy.low >= config.busy.high {
        return Err(StartError::Config);
    }
    Sources::check(Source::Mac, config.policy).map_err(StartError::Policy)
}

fn index(platform: &impl Platform) -> Result<(usize, usize), StartError> {
    let read = platform.read(csr::INDEX.offset);
    let (number, processors) = (csr::index::NUMBER.get(read) as usize, csr::index::PROCESSORS.get(read) as usize);
    let is_a_card = (MIN_PROCESSORS..=MAX_PROCESSORS).contains(&processors);
    if is_a_card && number < processors { Ok((number, processors)) } else { Err(StartError::Index { read }) }
}

fn check_memory(platform: &impl Platform) -> Result<Range<u32>, StartError> {
    let memory = platform.memory();
    let (start, end) = (memory.start, memory.end);
    let holds_a_frame = end.saturating_sub(start) as usize >= MAX_FRAME + BUFFER_ALIGNMENT;
    if !holds_a_frame || end as usize > MEMORY_BYTES {
        return Err(StartError::Memory { start, end });
    }
    // A memory that is smaller than it says repeats itself, or reads nothing, at its end.
    for (address, bytes) in [(start, [0x5A, 0xA5, 0x0F, 0xF0]), (end - 4, *b"PNTC")] {
        let stored = platform.store(address, &bytes);
        stored.map_err(|_| StartError::MemoryFault { address })?;
    }
    for (address, bytes) in [(start, [0x5A, 0xA5, 0x0F, 0xF0]), (end - 4, *b"PNTC")] {
        let mut read = [0; 4];
        let loaded = platform.load(address, &mut read);
        if loaded.is_err() || read != bytes {
            return Err(StartError::MemoryFault { address });
        }
    }
    Ok(memory)
}

fn depth(platform: &impl Platform, register: &'static str, offset: u32, expected: usize) -> Result<u32, StartError> {
    let (read, expected) = (platform.read(offset), expected as u32);
    if read == expected { Ok(read) } else { Err(StartError::Depth { register, read, expected }) }
}

fn message_depth(platform: &impl Platform, number: usize, processors: usize) -> Result<u32, StartError> {
    for peer in (0..processors).filter(|&peer| peer != number) {
        depth(platform, "MESSAGE_SEND", csr::MESSAGE_SEND.at(peer), MESSAGE_QUEUE_DEPTH)?;
    }
    Ok(MESSAGE_QUEUE_DEPTH as u32)
}

/// Brings the interrupts and the timer to a known state: nothing due, nothing pending, all masked.
pub(super) fn quiet(platform: &impl Platform) {
    platform.write(csr::IRQ_MASK.offset, ALL_CAUSES);
    platform.write(csr::COMPARE.offset + 4, u32::MAX);
    platform.write(csr::COMPARE.offset, u32::MAX);
    platform.write(csr::IRQ_STATUS.offset, ALL_CAUSES);
    platform.write(csr::BUSY.offset, 0);
}
