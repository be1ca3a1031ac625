//! How fast messages of 64 bytes go from the host to the processors.
//!
//! A round is what row 69.5 says: the host takes an empty frame, the message gets into it, the frame is posted, the processor takes it and
//! hands it in again. Host and processors have as many accesses under way as the card takes. Every message is compared.

use std::collections::VecDeque;

use abi::csr::{core, host};
use abi::dma::{DEPTH, Descriptor, control};
use abi::params::NicParams;
use abi::receive::EMPTY;

use crate::cores::{Frames, Machine, MachineError};
use crate::rig::{MEMORIES, REGISTERS};
use crate::root_complex::{Config, Ticket};

/// Bytes of a message, I2O's smallest frame.
pub const MESSAGE_BYTES: usize = 64;
/// Frames of each processor.
const FRAMES: Frames = Frames { base: 0x1_0000, log2: 6, count: 64 };
/// Messages in host memory, used in turn.
const SLOTS: usize = 256;
const HOST_BASE: u64 = 0x5_0000_0000;
/// Empty frames that the host holds or has asked for.
const TAKEN: usize = 24;
/// Messages of the push model under way.
const PUSHED: usize = 24;
/// Cycles after which a descriptor's report is asked for.
const REPORT_AGE: u64 = 130;
/// Reads of reports under way. More of them find nothing, and the link is full of them.
const REPORTS: usize = 2;
/// Rounds that are not counted, until all is in flow.
const WARM_UP: usize = 100;

/// How a message gets into its frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The card's DMA fetches it and posts the frame: one write of a descriptor.
    Pull,
    /// The host writes it through BAR2, and posts the frame.
    Push,
}

/// What a measurement gave.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rounds {
    /// Cycles of a round, when many are under way.
    pub cycles: f64,
    /// Beats from the host to the card in a round: the limit of the link.
    pub beats: f64,
    /// Cycles of a round in which the card did not take the beat it was offered.
    pub stalls: f64,
    /// Reads of the host that got nothing, per round.
    pub empty: f64,
}

#[derive(Clone, Copy, Debug)]
enum Asked {
    Frame,
    Report,
}

fn message(number: usize) -> [u8; MESSAGE_BYTES] {
    std::array::from_fn(|b| (number * 37 + b * 11 + number / 251) as u8)
}

/// Measures `rounds` rounds, spread over all processors.
///
/// # Errors
/// The card broke a law.
///
/// # Panics
/// A message came out of order, twice or with other bytes.
pub fn inbound_rounds(params: NicParams, way: Way, rounds: usize) -> Result<Rounds, MachineError> {
    let processors = params.processors();
    let mut machine = Machine::new(params, Config { host_tags: 256, ..Config::default() }, 1 << 17)?;
    for slot in 0..SLOTS {
        machine.rig.host.memory_mut().write(HOST_BASE + (MESSAGE_BYTES * slot) as u64, &message(slot));
    }
    for p in 0..processors {
        machine.give_inbound(p, FRAMES)?;
        machine.cores[p].memory.open(FRAMES.base as u32, FRAMES.count << FRAMES.log2);
        machine.core_write(p, core::IRQ_MASK.offset, 0)?;
    }
    let mut asked: VecDeque<(Ticket, Asked)> = VecDeque::new();
    let mut frames: VecDeque<u32> = VecDeque::new();
    let mut reports: VecDeque<u64> = VecDeque::new();
    let (mut frames_asked, mut reports_asked, mut next_page) = (0, 0, 0);
    let (mut sent, mut finished, mut empty) = (0, 0, 0);
    // Numbers of the messages each processor must get, in order.
    let mut due = vec![VecDeque::new(); processors];
    let (mut beats, mut stalls) = (0, 0);
    // Cycle, beats, stalls, empty reads when all is in flow.
    let mut start = (0, 0, 0, 0);
    let total = rounds + WARM_UP;
    while finished < total {
        let now = machine.rig.cycles();
        // The host: an access of each kind in a cycle, as far as there is room.
        if frames.len() + frames_asked < TAKEN {
            let ticket = machine.rig.host.read(now, REGISTERS, host::I2O_INBOUND.at(next_page).into(), 4);
            asked.push_back((ticket, Asked::Frame));
            next_page = (next_page + 1) % processors;
            frames_asked += 1;
        }
        let old = reports.get(reports_asked).is_some_and(|pushed| pushed + REPORT_AGE <= now);
        if old && reports_asked < REPORTS {
            let ticket = machine.rig.host.read(now, REGISTERS, host::DMA_DONE.offset.into(), 4);
            asked.push_back((ticket, Asked::Report));
            reports_asked += 1;
        }
        let room = match way {
            Way::Pull => reports.len() < DEPTH,
            Way::Push => sent - finished < PUSHED,
        };
        if room
            && sent < total
            && let Some(mfa) = frames.pop_front()
        {
            let slot = sent % SLOTS;
            match way {
                Way::Pull => {
                    let descriptor = Descriptor {
                        source: HOST_BASE + (MESSAGE_BYTES * slot) as u64,
                        destination: mfa.into(),
                        length: MESSAGE_BYTES as u32,
                        flags: control::SOURCE_HOST | control::POST,
                        mfa: mfa | 1,
                        context: sent as u32,
                    };
                    let bytes: Vec<u8> = descriptor.words().iter().flat_map(|word| word.to_le_bytes()).collect();
                    machine.rig.host.write(REGISTERS, host::DMA_SOURCE.offset.into(), &bytes);
                    reports.push_back(now);
                }
                Way::Push => {
                    machine.rig.host.write(MEMORIES, mfa.into(), &message(slot));
                    let page = (mfa >> 24) as usize;
                    machine.rig.host.write_word(REGISTERS, host::I2O_INBOUND.at(page).into(), mfa | 1);
                }
            }
            due[(mfa >> 24) as usize].push_back(slot);
            sent += 1;
        }
        // A processor takes a message when it is interrupted, and goes on until there is none.
        for core in &mut machine.cores {
            if core.irq && core.port.idle() {
                core.port.read(core::IN_POST.offset);
            }
        }
        machine.tick()?;
        let (offered, ready) = (machine.rig.inputs.tlp_rx_tvalid, machine.rig.outputs.tlp_rx_tready);
        beats += u64::from(offered && ready);
        stalls += u64::from(offered && !ready);
        for (p, core) in machine.cores.iter_mut().enumerate() {
            while let Some(answer) = core.answers.pop_front() {
                if answer.value == EMPTY {
                    core.port.write(core::IRQ_STATUS.offset, 0xff);
                    continue;
                }
                let place = (answer.value & 0xff_fffc) as usize;
                let slot = due[p].pop_front().expect("a message that was sent");
                assert_eq!(core.memory.bytes()[place..place + MESSAGE_BYTES], message(slot), "message {finished}");
                core.port.write(core::IN_FREE.offset, answer.value);
                core.port.read(core::IN_POST.offset);
                finished += 1;
                if finished == WARM_UP {
                    start = (machine.rig.cycles(), beats, stalls, empty);
                }
            }
        }
        while let Some(answer) = machine.answers.pop_front() {
            let (ticket, what) = asked.pop_front().expect("a question for every answer");
            assert_eq!(ticket, answer.ticket, "answers come in order");
            let value = answer.result.ok().and_then(|bytes| bytes.try_into().ok()).map_or(EMPTY, u32::from_le_bytes);
            empty += u64::from(value == EMPTY);
            match what {
                Asked::Frame => {
                    frames_asked -= 1;
                    frames.extend(Some(value).filter(|value| *value != EMPTY));
                }
                Asked::Report => {
                    reports_asked -= 1;
                    if value != EMPTY {
                        assert_eq!(value, MESSAGE_BYTES as u32, "the report of a copy without error");
                        reports.pop_front();
                    }
                }
            }
        }
    }
    let per_round = |count: u64| count as f64 / rounds as f64;
    Ok(Rounds {
        cycles: per_round(machine.rig.cycles() - start.0),
        beats: per_round(beats - start.1),
        stalls: per_round(stalls - start.2),
        empty: per_round(empty - start.3),
    })
}
