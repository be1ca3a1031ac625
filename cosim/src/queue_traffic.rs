//! Random traffic on all queues of message frames and messages at once, every access held against the laws ([`crate::scoreboard`]).
//!
//! Host and processors take and hand in frames as fast as their ports go, some of them no frames of theirs: handed in twice, never handed
//! out, not aligned, outside, another processor's. The host has some of its frames posted by the DMA. Processors send messages to each other, faster at times than they are taken. At the
//! end everything is drained, and levels and counts must be what they should.

use std::collections::VecDeque;

use abi::csr::{core, host};
use abi::dma::{DEPTH, Descriptor, control};
use abi::params::NicParams;
use abi::receive::EMPTY;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use crate::cores::{Frames, Machine, MachineError};
use crate::rig::REGISTERS;
use crate::root_complex::{Config, Ticket};
use crate::scoreboard::{Law, QueueBoard, RingBoard, Window};

/// Reads of the host that are under way at most.
const HOST_READS: usize = 32;
/// Accesses of the host that are under way at most.
const HOST_ACCESSES: u64 = 64;
/// Accesses of a processor that wait at most.
const CORE_ACCESSES: usize = 4;
/// Bytes that the DMA copies into a frame that it posts.
const COPIED: u32 = 12;
/// Cycles after which everything has come to rest, the counters' sweep included.
const REST: usize = 600;

/// A run's settings. One seed decides everything.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Seed.
    pub seed: u64,
    /// Frames of each region, at least 2; one of them is never handed out.
    pub frames: usize,
    /// log2 of their bytes.
    pub log2: u32,
    /// Queue operations after which the traffic ends.
    pub operations: u64,
    /// Chance in a hundred that a hand-in is garbage.
    pub garbage: u32,
    /// Chance in a hundred that the host pauses in a cycle, in either direction.
    pub pauses: u32,
    /// A lie that the scoreboard is told.
    pub lie: Option<Lie>,
}

/// What the scoreboard is told instead of the truth about a message that the host took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// Another frame.
    Value,
    /// The one before, again.
    Twice,
    /// Nothing at all.
    Lost,
    /// That the queue was empty.
    Empty,
    /// That it was taken before it was posted.
    Early,
}

/// What happened in a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Takes, hand-ins and messages, all in all.
    pub operations: u64,
    /// Cycles of the traffic, without what comes before and behind it.
    pub cycles: u64,
    /// Takes that got something.
    pub taken: u64,
    /// Takes that found nothing.
    pub empty: u64,
    /// Hand-ins that were refused.
    pub refused: u64,
    /// Messages that were taken.
    pub messages: u64,
    /// Messages that were refused.
    pub messages_refused: u64,
    /// Frames that the DMA posted.
    pub copies: u64,
}

/// Where frames wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A processor's inbound free queue.
    InFree(usize),
    /// A processor's inbound post queue.
    InPost(usize),
    /// The outbound free queue.
    OutFree,
    /// The outbound post queue.
    OutPost,
    /// The messages from the first to the second processor.
    Ring(usize, usize),
    /// The reports of the host's DMA channel.
    Reports,
}

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
pub enum TrafficError {
    /// The card broke another law, or stopped.
    #[error(transparent)]
    Machine(#[from] MachineError),
    /// A law was broken.
    #[error("cycle {cycle}, {place:?}: {law:?}")]
    Broken {
        /// When it was noticed.
        cycle: u64,
        /// The queue.
        place: Place,
        /// The law.
        law: Law,
    },
    /// A register is not what it should be when all is at rest.
    #[error("{register} is {found}, not {expected}")]
    Register {
        /// Its name.
        register: String,
        /// What it reads.
        found: u64,
        /// What it should.
        expected: u64,
    },
    /// An answer came that nobody waits for.
    #[error("cycle {cycle}: an answer out of order")]
    Answer {
        /// When.
        cycle: u64,
    },
}

/// A read whose answer is awaited.
#[derive(Clone, Copy, Debug)]
struct Asked {
    place: Place,
    number: u64,
    from: u64,
}

/// What the host knows.
#[derive(Debug, Default)]
struct HostSide {
    /// Free inbound frames that it took, of each processor.
    inbound: Vec<Vec<u32>>,
    /// Outbound frames that it may hand in.
    outbound: Vec<u32>,
    reads: VecDeque<(Ticket, Asked)>,
    number: u64,
    /// Number of the last access that is known to be done.
    done: u64,
    /// Descriptors that were pushed, and those whose report was taken.
    pushed: u64,
    reported: u64,
    refused: u64,
    last: u32,
}

/// What a processor knows.
#[derive(Debug, Default)]
struct CoreSide {
    /// Inbound frames that it may hand in.
    inbound: Vec<u32>,
    reads: VecDeque<Asked>,
    number: u64,
    refused: u32,
    messages: u32,
    /// Words of the message that is being taken: those that have come.
    words: Vec<u32>,
}

struct Traffic {
    machine: Machine,
    settings: Settings,
    rng: ChaCha8Rng,
    inbound: Frames,
    outbound: Frames,
    host: HostSide,
    cores: Vec<CoreSide>,
    /// Free outbound frames that processors took.
    taken: Vec<u32>,
    in_free: Vec<QueueBoard>,
    in_post: Vec<QueueBoard>,
    out_free: QueueBoard,
    out_post: QueueBoard,
    rings: Vec<Vec<RingBoard>>,
    outcome: Outcome,
}

/// One run.
///
/// # Errors
/// See [`TrafficError`].
pub fn run(params: NicParams, settings: &Settings) -> Result<Outcome, TrafficError> {
    let mut traffic = Traffic::new(params, settings.clone())?;
    let start = traffic.machine.rig.cycles();
    while traffic.outcome.operations < settings.operations {
        traffic.host_acts();
        (0..params.processors()).for_each(|p| traffic.core_acts(p));
        traffic.tick()?;
    }
    traffic.outcome.cycles = traffic.machine.rig.cycles() - start;
    traffic.rest()?;
    traffic.check_registers()?;
    traffic.drain()?;
    Ok(traffic.outcome)
}

impl Traffic {
    fn new(params: NicParams, settings: Settings) -> Result<Self, MachineError> {
        let processors = params.processors();
        let pause = settings.pauses;
        let config =
            Config { seed: settings.seed, rx_pause: pause, tx_pause: pause, host_tags: 256, ..Config::default() };
        let inbound = Frames { base: 0x4_0000, log2: settings.log2, count: settings.frames };
        let outbound = Frames { base: 0x9_fff0_0000, ..inbound };
        let bytes = settings.frames << settings.log2;
        let mut machine = Machine::new(params, config, inbound.base as usize + bytes)?;
        machine.cores.iter_mut().for_each(|core| core.memory.open(inbound.base as u32, bytes));
        (0..processors).try_for_each(|p| machine.set_inbound(p, inbound))?;
        machine.set_outbound(outbound)?;
        // The last frame of each region is never handed in.
        let host = HostSide {
            inbound: vec![Vec::new(); processors],
            outbound: (0..settings.frames - 1).map(|k| outbound.mfa(None, k)).collect(),
            ..HostSide::default()
        };
        let core = |p| CoreSide {
            inbound: (0..inbound.count - 1).map(|k| inbound.mfa(Some(p), k)).collect(),
            ..CoreSide::default()
        };
        Ok(Self {
            machine,
            rng: ChaCha8Rng::seed_from_u64(settings.seed),
            settings,
            inbound,
            outbound,
            host,
            cores: (0..processors).map(core).collect(),
            taken: Vec::new(),
            in_free: vec![QueueBoard::new(1); processors],
            // The host, and the DMA in its name.
            in_post: vec![QueueBoard::new(2); processors],
            out_free: QueueBoard::new(1),
            out_post: QueueBoard::new(processors),
            rings: vec![vec![RingBoard::default(); processors]; processors],
            outcome: Outcome::default(),
        })
    }

    fn below(&mut self, limit: usize) -> usize {
        self.rng.next_u32() as usize % limit
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.rng.next_u32() % 100 < percent
    }

    fn processors(&self) -> usize {
        self.cores.len()
    }

    // The host.

    fn host_acts(&mut self) {
        if self.host.number - self.host.done > HOST_ACCESSES {
            // Only an answer tells that writes are done.
            if self.host.reads.is_empty() {
                self.host_reads(Place::OutPost, 0);
            }
            return;
        }
        let (page, what) = (self.below(self.processors()), self.below(100));
        match what {
            0..5 if self.host.pushed > self.host.reported => self.host_reads(Place::Reports, 0),
            0..55 if self.host.reads.len() < HOST_READS => {
                self.host_reads(if what < 35 { Place::InFree(page) } else { Place::OutPost }, page);
            }
            55..80 if !self.host.inbound[page].is_empty() => {
                let k = self.below(self.host.inbound[page].len());
                let mfa = self.host.inbound[page].swap_remove(k) | self.below(4) as u32;
                self.host_posts(page, mfa);
            }
            80..85 if !self.host.inbound[page].is_empty() && self.host.pushed - self.host.reported < DEPTH as u64 => {
                let mfa = self.host.inbound[page].swap_remove(0) | self.below(4) as u32;
                self.host_pushes(page, mfa);
            }
            85..100 if !self.host.outbound.is_empty() => {
                let k = self.below(self.host.outbound.len());
                let mfa = self.host.outbound.swap_remove(k);
                self.host_frees(page, mfa);
            }
            _ => {}
        }
    }

    fn host_reads(&mut self, place: Place, page: usize) {
        let offset = match place {
            Place::Reports => host::DMA_DONE.offset,
            Place::OutPost => host::I2O_OUTBOUND.at(page),
            _ => host::I2O_INBOUND.at(page),
        };
        let from = self.machine.rig.cycles();
        let ticket = self.machine.rig.host.read(from, REGISTERS, offset.into(), 4);
        self.host.reads.push_back((ticket, Asked { place, number: self.host.number, from }));
        self.host.number += 1;
    }

    fn host_writes(&mut self, offset: u32, value: u32) {
        self.machine.rig.host.write_word(REGISTERS, offset.into(), value);
        self.host.number += 1;
        self.outcome.operations += 1;
    }

    fn host_posts(&mut self, page: usize, mfa: u32) {
        let (number, from) = (self.host.number, self.machine.rig.cycles());
        self.in_post[page].push(0, mfa, number, from);
        self.host_writes(host::I2O_INBOUND.at(page), mfa);
        if self.chance(self.settings.garbage) {
            let mfa = self.garbage(true, Some(page), mfa);
            self.host_writes(host::I2O_INBOUND.at(page), mfa);
            self.host.refused += 1;
        }
    }

    /// Has the DMA copy into a frame and post it.
    fn host_pushes(&mut self, page: usize, mfa: u32) {
        self.in_post[page].push(1, mfa, self.host.pushed, self.machine.rig.cycles());
        let descriptor = Descriptor {
            source: self.rng.next_u32().into(),
            destination: (mfa & !3).into(),
            length: COPIED,
            flags: control::SOURCE_HOST | control::POST,
            mfa,
            context: self.host.pushed as u32,
        };
        let bytes: Vec<u8> = descriptor.words().iter().flat_map(|word| word.to_le_bytes()).collect();
        self.machine.rig.host.write(REGISTERS, host::DMA_SOURCE.offset.into(), &bytes);
        self.host.pushed += 1;
        self.host.number += 1;
        self.outcome.operations += 1;
    }

    /// A report of the DMA was read.
    fn reported(&mut self, item: Option<u32>, cycle: u64) -> Result<(), TrafficError> {
        let Some(found) = item else { return Ok(()) };
        if found != COPIED {
            let register = format!("report {}", self.host.reported);
            return Err(TrafficError::Register { register, found: found.into(), expected: COPIED.into() });
        }
        self.host.reported += 1;
        self.outcome.copies += 1;
        (0..self.processors()).for_each(|p| self.in_post[p].settle(1, self.host.reported, cycle));
        Ok(())
    }

    fn host_frees(&mut self, page: usize, mfa: u32) {
        let (number, from) = (self.host.number, self.machine.rig.cycles());
        self.out_free.push(0, mfa, number, from);
        self.host_writes(host::I2O_OUTBOUND.at(page), mfa);
        if self.chance(self.settings.garbage) {
            let mfa = self.garbage(false, None, mfa);
            self.host_writes(host::I2O_OUTBOUND.at(page), mfa);
            self.host.refused += 1;
        }
    }

    /// Something that is refused if it is posted, or handed in, right behind `mfa`: inbound, of a processor, or outbound.
    fn garbage(&mut self, posts: bool, processor: Option<usize>, mfa: u32) -> u32 {
        let frames = if processor.is_some() { self.inbound } else { self.outbound };
        // An inbound MFA's low two bits are its kind.
        let low: u32 = if processor.is_some() { 0x3c } else { 0x3f };
        match self.below(5) {
            0 => mfa,
            1 if posts => frames.mfa(processor, frames.count - 1),
            1 => EMPTY,
            2 => mfa ^ low & (1 << (self.below(4) + low.trailing_zeros() as usize)),
            3 => frames.mfa(processor, frames.count + self.below(5000)),
            _ => mfa ^ (1 + self.below(255) as u32) << 24,
        }
    }

    fn host_answers(&mut self) -> Result<(), TrafficError> {
        while let Some(answer) = self.machine.answers.pop_front() {
            let (ticket, asked) = self.host.reads.pop_front().ok_or(TrafficError::Answer { cycle: answer.cycle })?;
            let Some(value) = answer.result.ok().filter(|_| ticket == answer.ticket) else {
                return Err(TrafficError::Answer { cycle: answer.cycle });
            };
            let value = value.iter().rev().fold(0, |word, byte| word << 8 | u32::from(*byte));
            let window = Window { from: answer.sent, to: answer.cycle };
            self.host.done = asked.number;
            (0..self.processors()).for_each(|p| self.in_post[p].settle(0, asked.number, answer.cycle));
            self.out_free.settle(0, asked.number, answer.cycle);
            let item = Some(value).filter(|value| *value != EMPTY);
            if asked.place == Place::Reports {
                self.reported(item, answer.cycle)?;
                continue;
            }
            let told = if asked.place == Place::OutPost { self.told(item, window) } else { Some((item, window)) };
            if let Some((item, window)) = told {
                self.take(asked.place, item, window)?;
            }
            self.count(item);
            match (asked.place, item) {
                (Place::InFree(page), Some(mfa)) => self.host.inbound[page].push(mfa),
                (Place::OutPost, Some(mfa)) => self.host.outbound.push(mfa),
                _ => {}
            }
        }
        Ok(())
    }

    /// What the scoreboard is told of a take of the host.
    fn told(&mut self, item: Option<u32>, window: Window) -> Option<(Option<u32>, Window)> {
        let Some(mfa) = item else { return Some((item, window)) };
        let last = std::mem::replace(&mut self.host.last, mfa);
        // In the middle of the run.
        if self.outcome.operations < self.settings.operations / 2 {
            return Some((item, window));
        }
        match self.settings.lie.take() {
            None => Some((item, window)),
            Some(Lie::Value) => Some((Some(mfa ^ 64), window)),
            Some(Lie::Twice) => Some((Some(last), window)),
            Some(Lie::Lost) => None,
            Some(Lie::Empty) => Some((None, Window { from: window.to + 1000, to: window.to + 1000 })),
            Some(Lie::Early) => Some((item, Window { from: 0, to: 0 })),
        }
    }

    fn count(&mut self, item: Option<u32>) {
        self.outcome.operations += 1;
        match item {
            Some(_) => self.outcome.taken += 1,
            None => self.outcome.empty += 1,
        }
    }

    fn take(&mut self, place: Place, item: Option<u32>, window: Window) -> Result<(), TrafficError> {
        let board = match place {
            Place::InFree(p) => &mut self.in_free[p],
            Place::InPost(p) => &mut self.in_post[p],
            Place::OutFree => &mut self.out_free,
            _ => &mut self.out_post,
        };
        board.take(item, window).map_err(|law| TrafficError::Broken { cycle: window.to, place, law })
    }

    // The processors.

    fn core_acts(&mut self, p: usize) {
        if self.machine.cores[p].port.waiting() >= CORE_ACCESSES {
            return;
        }
        match self.below(100) {
            0..25 => self.core_reads(p, Place::InPost(p)),
            25..45 => self.core_reads(p, Place::OutFree),
            45..65 if !self.cores[p].inbound.is_empty() => {
                let k = self.below(self.cores[p].inbound.len());
                let mfa = self.cores[p].inbound.swap_remove(k);
                self.core_frees(p, mfa);
            }
            65..85 if !self.taken.is_empty() => {
                let k = self.below(self.taken.len());
                let mfa = self.taken.swap_remove(k);
                self.core_posts(p, mfa);
            }
            85..92 => {
                let to = self.below(self.processors());
                self.core_sends(p, to);
            }
            92..97 => {
                let from = self.below(self.processors());
                self.core_reads(p, Place::Ring(from, p));
            }
            _ => {}
        }
    }

    fn core_reads(&mut self, p: usize, place: Place) {
        let registers = match place {
            Place::InPost(_) => vec![core::IN_POST.offset],
            Place::OutFree => vec![core::OUT_FREE.offset],
            Place::Ring(from, _) => vec![
                core::MESSAGE_TAKE.at(from),
                core::TAKEN_ADDRESS.offset,
                core::TAKEN_LENGTH.offset,
                core::TAKEN_CONTEXT.offset,
            ],
            _ => Vec::new(),
        };
        let from = self.machine.rig.cycles();
        for offset in registers {
            self.machine.cores[p].port.read(offset);
            let number = self.cores[p].number;
            self.cores[p].reads.push_back(Asked { place, number, from });
            self.cores[p].number += 1;
        }
    }

    fn core_writes(&mut self, p: usize, offset: u32, value: u32) {
        self.machine.cores[p].port.write(offset, value);
        self.cores[p].number += 1;
    }

    fn core_frees(&mut self, p: usize, mfa: u32) {
        let (number, from) = (self.cores[p].number, self.machine.rig.cycles());
        self.in_free[p].push(0, mfa, number, from);
        // The kind is the host's; what the processor writes there does not count.
        let written = mfa | self.below(4) as u32;
        self.core_writes(p, core::IN_FREE.offset, written);
        self.outcome.operations += 1;
        if self.chance(self.settings.garbage) {
            let mfa = self.garbage(false, Some(p), mfa);
            self.core_writes(p, core::IN_FREE.offset, mfa);
            self.core_refused(p);
        }
    }

    fn core_posts(&mut self, p: usize, mfa: u32) {
        let (number, from) = (self.cores[p].number, self.machine.rig.cycles());
        self.out_post.push(p, mfa, number, from);
        self.core_writes(p, core::OUT_POST.offset, mfa);
        self.outcome.operations += 1;
        if self.chance(self.settings.garbage) {
            let mfa = self.garbage(true, None, mfa);
            self.core_writes(p, core::OUT_POST.offset, mfa);
            self.core_refused(p);
        }
    }

    fn core_refused(&mut self, p: usize) {
        self.cores[p].refused += 1;
        self.outcome.refused += 1;
        self.outcome.operations += 1;
    }

    fn core_sends(&mut self, p: usize, to: usize) {
        let tag = self.cores[p].messages;
        self.cores[p].messages += 1;
        let message = [tag, tag ^ self.rng.next_u32() << 20, self.rng.next_u32(), (p << 8 | to) as u32];
        let (number, from) = (self.cores[p].number + 3, self.machine.rig.cycles());
        for (register, word) in
            [core::MESSAGE_ADDRESS, core::MESSAGE_LENGTH, core::MESSAGE_CONTEXT].into_iter().zip(&message[1..])
        {
            self.core_writes(p, register.offset, *word);
        }
        self.rings[p][to].send(message, number, from);
        self.core_writes(p, core::MESSAGE_SEND.at(to), message[0]);
        self.outcome.operations += 1;
    }

    fn core_answers(&mut self, p: usize) -> Result<(), TrafficError> {
        let cycle = self.machine.rig.cycles() - 1;
        while let Some(answer) = self.machine.cores[p].answers.pop_front() {
            let asked = self.cores[p].reads.pop_front().ok_or(TrafficError::Answer { cycle })?;
            self.in_free[p].settle(0, asked.number, cycle);
            self.out_post.settle(p, asked.number, cycle);
            (0..self.processors()).for_each(|to| self.rings[p][to].settle(asked.number, cycle));
            let window = Window { from: asked.from, to: cycle };
            let item = Some(answer.value).filter(|value| *value != EMPTY);
            let place = asked.place;
            if let Place::Ring(from, to) = place {
                let words = &mut self.cores[p].words;
                words.push(answer.value);
                if let &[kind, address, length, context] = words.as_slice() {
                    words.clear();
                    let item = Some(kind).filter(|kind| *kind != EMPTY);
                    let message = item.map(|kind| [kind, address, length, context]);
                    let broken = |law| TrafficError::Broken { cycle, place, law };
                    self.rings[from][to].take(message, window).map_err(broken)?;
                    self.count(item);
                    self.outcome.messages += u64::from(item.is_some());
                }
                continue;
            }
            self.take(place, item, window)?;
            self.count(item);
            match (place, item) {
                (Place::InPost(_), Some(mfa)) => self.cores[p].inbound.push(mfa & !3),
                (Place::OutFree, Some(mfa)) => self.taken.push(mfa),
                _ => {}
            }
        }
        Ok(())
    }

    fn tick(&mut self) -> Result<(), TrafficError> {
        self.machine.tick()?;
        (0..self.processors()).try_for_each(|p| self.core_answers(p))?;
        self.host_answers()
    }

    // The end.

    /// Waits until nothing is under way.
    fn rest(&mut self) -> Result<(), TrafficError> {
        while self.host.pushed > self.host.reported {
            self.host_reads(Place::Reports, 0);
            self.rest_briefly()?;
        }
        let busy = |traffic: &Self| {
            !traffic.machine.rig.host.quiet() || !traffic.machine.cores.iter().all(|core| core.port.idle())
        };
        while busy(self) {
            self.tick()?;
        }
        (0..REST).try_for_each(|_| self.tick())
    }

    /// Levels and counts are what they should be.
    fn check_registers(&mut self) -> Result<(), TrafficError> {
        let expect = |register: String, found: u64, expected: u64| {
            if found == expected { Ok(()) } else { Err(TrafficError::Register { register, found, expected }) }
        };
        let levels = |free: usize, posted: usize| (posted << 16 | free) as u64;
        let out = levels(self.out_free.level(), self.out_post.level());
        expect("OUT_LEVELS".into(), self.machine.host_read(host::OUT_LEVELS.offset)?.into(), out)?;
        let counter = host::counters::offset(host::counters::MFA_REFUSED);
        expect("MFA_REFUSED".into(), self.machine.host_read_wide(counter)?, self.host.refused)?;
        for p in 0..self.processors() {
            let inbound = levels(self.in_free[p].level(), self.in_post[p].level());
            let read = [
                (format!("IN_LEVELS {p}"), self.machine.host_read(host::IN_LEVELS.at(p))?, inbound),
                (format!("processor {p}'s IN_LEVELS"), self.machine.core_read(p, core::IN_LEVELS.offset)?, inbound),
                (format!("processor {p}'s OUT_LEVELS"), self.machine.core_read(p, core::OUT_LEVELS.offset)?, out),
                (
                    format!("processor {p}'s MFA_REFUSED"),
                    self.machine.core_read(p, core::MFA_REFUSED.offset)?,
                    self.cores[p].refused.into(),
                ),
            ];
            read.into_iter().try_for_each(|(name, found, expected)| expect(name, found.into(), expected))?;
        }
        self.outcome.refused += self.host.refused;
        Ok(())
    }

    /// Takes all there is, in the order in which it must be there.
    fn drain(&mut self) -> Result<(), TrafficError> {
        // Each queue once more than it can hold, so that all are seen empty.
        for _ in 0..=self.settings.frames {
            for p in 0..self.processors() {
                self.host_reads(Place::InFree(p), p);
                self.core_reads(p, Place::InPost(p));
            }
            self.host_reads(Place::OutPost, 0);
            self.core_reads(0, Place::OutFree);
            self.rest_briefly()?;
        }
        for _ in 0..=abi::limits::MESSAGE_QUEUE_DEPTH {
            let processors = self.processors();
            for pair in 0..processors * processors {
                let (from, to) = (pair / processors, pair % processors);
                self.core_reads(to, Place::Ring(from, to));
            }
            self.rest_briefly()?;
        }
        let cycle = self.machine.rig.cycles();
        let broken = |place| move |law| TrafficError::Broken { cycle, place, law };
        for p in 0..self.processors() {
            self.in_free[p].end().map_err(broken(Place::InFree(p)))?;
            self.in_post[p].end().map_err(broken(Place::InPost(p)))?;
            let mut refused = 0;
            for to in 0..self.processors() {
                self.rings[p][to].end().map_err(broken(Place::Ring(p, to)))?;
                refused += self.rings[p][to].refused();
            }
            let found = self.machine.core_read(p, core::MESSAGE_REFUSED.offset)?.into();
            if found != refused {
                let register = format!("processor {p}'s MESSAGE_REFUSED");
                return Err(TrafficError::Register { register, found, expected: refused });
            }
            self.outcome.messages_refused += refused;
        }
        self.out_free.end().map_err(broken(Place::OutFree))?;
        self.out_post.end().map_err(broken(Place::OutPost))
    }

    fn rest_briefly(&mut self) -> Result<(), TrafficError> {
        while !self.host.reads.is_empty() || self.cores.iter().any(|core| !core.reads.is_empty()) {
            self.tick()?;
        }
        Ok(())
    }
}
