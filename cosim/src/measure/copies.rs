//! How fast DMA copies 4 KiB.

use std::fmt;

use abi::csr::{core, host};
use abi::dma::{DEPTH, Descriptor, Window, control};
use abi::params::NicParams;
use abi::receive::EMPTY;

use crate::cores::{Machine, MachineError};
use crate::root_complex::Config;

/// Bytes of a copy.
const COPY: u64 = 4096;

/// Copies before the measurement begins.
const WARM_UP: u64 = 32;

/// Copies that are measured.
const COPIES: u64 = 96;

/// Where the copies lie in the host's memory.
const HOST: u64 = 0x1_0000_0000;

/// Where they go in a processor's memory, behind those that come from there.
const DESTINATION: u64 = 0x2_0000;

/// From where to where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the host's memory to a processor's.
    HostToCore,
    /// From a processor's memory to the host's.
    CoreToHost,
    /// From a processor's memory to another's.
    CoreToCore,
}

impl Direction {
    /// All of them.
    pub const ALL: [Direction; 3] = [Direction::HostToCore, Direction::CoreToHost, Direction::CoreToCore];
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Direction::HostToCore => "host to core",
            Direction::CoreToHost => "core to host",
            Direction::CoreToCore => "core to core",
        })
    }
}

/// Payload bytes per cycle of DMA copies of 4 KiB on one channel, over the limit of W / 8. The host is 63 cycles away, its maximum payload
/// 256 bytes, its maximum read request 512.
///
/// # Errors
/// The card broke a law.
pub fn throughput(params: NicParams, direction: Direction) -> Result<f64, MachineError> {
    let config = Config { latency: 63..=63, max_payload: 256, max_read: 512, ..Config::default() };
    let mut machine = Machine::new(params, config, 1 << 18)?;
    let window =
        Window { first_page: HOST, last_page: HOST + (DEPTH as u64 - 1) * COPY, readable: true, writable: true };
    for (k, word) in window.words().into_iter().enumerate() {
        machine.host_write(host::DMA_WINDOW.at(k), word)?;
    }
    machine.rig.host.memory_mut().open(HOST..HOST + DEPTH as u64 * COPY);
    machine.cores[1].memory.open(DESTINATION as u32, DEPTH * COPY as usize);
    let (mut pushed, mut reported, mut start) = (0, 0, 0);
    while reported < WARM_UP + COPIES {
        let core = &mut machine.cores[0];
        if core.port.waiting() == 0 && pushed < WARM_UP + COPIES && pushed < reported + DEPTH as u64 {
            for (k, word) in copy(direction, pushed).words().into_iter().enumerate() {
                core.port.write(core::DMA_SOURCE.offset + 4 * k as u32, word);
            }
            pushed += 1;
        } else if core.port.idle() {
            core.port.read(core::DMA_DONE.offset);
        }
        machine.tick()?;
        while let Some(answer) = machine.cores[0].answers.pop_front() {
            if answer.value == EMPTY {
                continue;
            }
            // A report without error says the length, and nothing else.
            if u64::from(answer.value) != COPY {
                return Err(MachineError::Late { cycle: machine.rig.cycles() });
            }
            reported += 1;
            if reported == WARM_UP {
                start = machine.rig.cycles();
            }
        }
    }
    let cycles = machine.rig.cycles() - start;
    Ok((COPIES * COPY) as f64 / cycles as f64 / params.beat_bytes() as f64)
}

/// The copy with this number.
fn copy(direction: Direction, number: u64) -> Descriptor {
    let place = number % DEPTH as u64 * COPY;
    let (to, from) = (1 << 24 | (DESTINATION + place), place);
    let (source, destination, flags) = match direction {
        Direction::HostToCore => (HOST + place, to, control::SOURCE_HOST),
        Direction::CoreToHost => (from, HOST + place, control::DESTINATION_HOST),
        Direction::CoreToCore => (from, to, 0),
    };
    Descriptor { source, destination, length: COPY as u32, flags, mfa: 0, context: number as u32 }
}
