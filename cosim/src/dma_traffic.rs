//! Random traffic of the DMA engine, on all channels at once, held against a scoreboard. One seed decides everything.

mod draw;
pub mod places;
pub mod score;

use std::collections::{BTreeMap, VecDeque};

use abi::csr::{core, host};
use abi::dma::{Completion, Status, WINDOW_WORDS, WINDOWS};
use abi::params::NicParams;
use abi::receive::EMPTY;

use crate::core_memory::CoreMemory;
use crate::cores::{Machine, MachineError};
use crate::rig::REGISTERS;
use crate::root_complex::{Config, Fault, Faults, Ticket};
use draw::{Draw, FRAME_BITS, FRAMES, INBOUND, OUTBOUND};
use places::{Dice, Side};
use score::{List, Queue, Scoreboard, Tally, Wrong};

/// Bytes of a processor's memory; the last processor's is as long as one can be.
const MEMORY: usize = 1 << 20;

/// Byte distance of the I2O pages.
const I2O_PAGE: u32 = 0x1000;

/// A run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Of whatever is random.
    pub seed: u64,
    /// Descriptors, list elements counted, about.
    pub descriptors: usize,
    /// Of 100 descriptors, so many make no sense or are not allowed.
    pub bad: u64,
    /// Faults by chance, in so many of 10,000 reads each.
    pub faults: Vec<(Fault, u32)>,
    /// The host pauses, splits, reorders; otherwise it is in good order.
    pub rough: bool,
    /// A lie that must be noticed.
    pub lie: Option<Lie>,
}

/// A lie about the report with this number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lie {
    /// Which report, over all channels.
    pub report: u64,
    /// What about it.
    pub about: About,
}

/// What a lie is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// One byte of the destination.
    Byte,
    /// One guard byte.
    Guard,
    /// The status.
    Status,
    /// The count of bytes.
    Bytes,
    /// The context.
    Context,
    /// It does not come.
    Lost,
    /// It comes twice.
    Twice,
    /// The host's next one comes in the cycle before the last byte.
    Early,
    /// The last byte comes in the cycle behind it.
    Late,
    /// Not a lie: it comes with the last byte.
    OnTime,
}

impl About {
    /// All that are lies.
    pub const LIES: [About; 9] = [
        About::Byte,
        About::Guard,
        About::Status,
        About::Bytes,
        About::Context,
        About::Lost,
        About::Twice,
        About::Early,
        About::Late,
    ];
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Cycles.
    pub cycles: u64,
    /// What was counted.
    pub tally: Tally,
}

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
pub enum TrafficError {
    /// The card broke a law of its ports, or wrote where it must not.
    #[error(transparent)]
    Machine(#[from] MachineError),
    /// The card did not do what it must.
    #[error(transparent)]
    Wrong(#[from] Wrong),
}

/// A read of the host that has not been answered.
#[derive(Clone, Copy, Debug)]
enum Asked {
    Report,
    /// A free inbound frame.
    Frame(usize),
    /// A posted outbound frame, when so many were due.
    Outbound(usize),
}

/// A processor's part.
#[derive(Debug, Default)]
struct Agent {
    /// Reports asked for and not answered.
    reports: usize,
    /// The status word of the report whose context is to come.
    half: Option<u32>,
    /// Posted inbound frames asked for, when so many were due.
    inbound: Option<usize>,
    /// A free outbound frame was asked for.
    outbound: bool,
    /// Outbound frames it holds.
    frames: Vec<u32>,
    /// It does not look for reports until then.
    sleeps: u64,
}

struct Traffic {
    machine: Machine,
    draw: Draw,
    dice: Dice,
    score: Scoreboard,
    /// Descriptors yet to push, by channel.
    quota: Vec<usize>,
    agents: Vec<Agent>,
    asked: BTreeMap<Ticket, Asked>,
    /// Inbound frames that the host holds, by processor.
    frames: Vec<VecDeque<u32>>,
    asks_frame: Vec<bool>,
    asks_outbound: bool,
    lie: Option<Lie>,
    reports: u64,
    last_report: u64,
    host_sleeps: u64,
    /// The host's oldest copy, and its destination a cycle ago.
    watched: Option<(Completion, Vec<u8>)>,
    /// A report that was told before it came.
    told: Option<Completion>,
    /// Reports that processors have heard, whose writes to the host may still be waiting for the link: how many TLPs must have left, who.
    leaving: VecDeque<(u64, usize, Completion)>,
}

/// Beats that the card may have offered to the link and not got rid of.
const OFFERED: u64 = 2;

/// Copies by random descriptors on every channel, and checks all that the card does.
///
/// # Errors
/// It did something wrong.
pub fn run(params: NicParams, plan: &Plan) -> Result<Outcome, TrafficError> {
    let mut traffic = Traffic::new(params, plan)?;
    while !traffic.done() {
        traffic.step()?;
    }
    traffic.finish()
}

impl Traffic {
    fn new(params: NicParams, plan: &Plan) -> Result<Self, TrafficError> {
        let mut dice = Dice::new(plan.seed);
        let mut config = host_config(&mut dice, plan);
        let (timeout, delay) = times(&mut dice, &config, params);
        config.faults = Faults { rates: plan.faults.clone(), delay, ..Faults::default() };
        let mut machine = Machine::new(params, config, MEMORY)?;
        let last = params.processors() - 1;
        machine.cores[last].memory = CoreMemory::new(last, params.beat_bytes(), 1 << 24);
        machine.rig.host.take_reads();
        let draw = Draw::new(&machine, dice.word(), plan.bad);
        let channels = params.processors() + 1;
        let mut traffic = Self {
            draw,
            dice,
            score: Scoreboard::new(channels, timeout, delay),
            quota: vec![plan.descriptors / channels; channels],
            agents: (0..params.processors()).map(|_| Agent::default()).collect(),
            asked: BTreeMap::new(),
            frames: vec![VecDeque::new(); params.processors()],
            asks_frame: vec![false; params.processors()],
            asks_outbound: false,
            lie: plan.lie,
            reports: 0,
            last_report: 0,
            host_sleeps: 0,
            watched: None,
            told: None,
            leaving: VecDeque::new(),
            machine,
        };
        traffic.configure(timeout)?;
        Ok(traffic)
    }

    /// Windows, timeout and message frames.
    fn configure(&mut self, timeout: u64) -> Result<(), TrafficError> {
        let host = &mut self.machine.rig.host;
        host.write_word(REGISTERS, host::DMA_TIMEOUT.offset.into(), timeout as u32);
        for (core, windows) in self.draw.windows.iter().enumerate() {
            for (w, window) in windows.iter().enumerate() {
                for (k, word) in window.words().into_iter().enumerate() {
                    let offset = host::DMA_WINDOW.at((core * WINDOWS + w) * WINDOW_WORDS + k);
                    host.write_word(REGISTERS, offset.into(), word);
                }
            }
        }
        host.write_word(REGISTERS, host::OUT_BASE.offset.into(), OUTBOUND as u32);
        host.write_word(REGISTERS, (host::OUT_BASE.offset + 4).into(), (OUTBOUND >> 32) as u32);
        host.write_word(REGISTERS, host::OUT_FRAME_SIZE.offset.into(), FRAME_BITS);
        host.write_word(REGISTERS, host::OUT_FRAMES.offset.into(), FRAMES as u32);
        for frame in 0..FRAMES {
            host.write_word(REGISTERS, host::I2O_OUTBOUND.offset.into(), (OUTBOUND + (frame << FRAME_BITS)) as u32);
        }
        for (number, core) in self.machine.cores.iter_mut().enumerate() {
            core.port.write(core::IN_BASE.offset, INBOUND as u32);
            core.port.write(core::IN_FRAME_SIZE.offset, FRAME_BITS);
            core.port.write(core::IN_FRAMES.offset, FRAMES as u32);
            for frame in 0..FRAMES {
                let mfa = (number as u64) << 24 | (INBOUND + (frame << FRAME_BITS));
                core.port.write(core::IN_FREE.offset, mfa as u32);
            }
        }
        let quiet =
            |machine: &mut Machine| machine.rig.host.quiet() && machine.cores.iter().all(|core| core.port.idle());
        Ok(self.machine.until(quiet)?)
    }

    fn done(&self) -> bool {
        let channels = 0..self.quota.len();
        self.quota.iter().all(|quota| *quota == 0)
            && channels.into_iter().all(|channel| self.score.outstanding(channel) == 0)
            && self.asked.is_empty()
            && self.machine.cores.iter().all(|core| core.port.idle())
            && !self.score.awaits(Queue::Outbound)
            && !(0..self.agents.len()).any(|core| self.score.awaits(Queue::Inbound(core)))
    }

    fn step(&mut self) -> Result<(), TrafficError> {
        let cycle = self.machine.rig.cycles();
        let patience = 100_000 + 8 * self.score.timeout;
        if cycle - self.last_report > patience {
            let what = format!("no report for {patience} cycles");
            return Err(Wrong { cycle, what }.into());
        }
        self.host_acts(cycle);
        for core in 0..self.agents.len() {
            self.core_acts(core, cycle);
        }
        self.machine.tick()?;
        let cycle = self.machine.rig.cycles();
        for request in self.machine.rig.host.take_reads() {
            self.score.read(cycle, &request)?;
        }
        for fated in self.machine.rig.host.take_fated() {
            self.score.fated(&fated);
        }
        if let Some(lie) = self.lie.filter(|lie| lie.report < self.reports) {
            self.shift(cycle, lie.about)?;
        }
        self.host_hears(cycle)?;
        for core in 0..self.agents.len() {
            self.core_hears(core, cycle)?;
        }
        let left = self.machine.rig.host.traffic().tlps();
        let idle = !self.machine.rig.outputs.tlp_tx_tvalid;
        while let Some((_, channel, report)) = self.leaving.front().copied().filter(|(mark, ..)| idle || left >= *mark)
        {
            self.leaving.pop_front();
            self.report(cycle, channel, report)?;
        }
        Ok(())
    }

    /// A list to push, if it is time.
    fn next_list(&mut self, channel: usize, mfa: Option<(Queue, u32)>) -> Option<List> {
        // A report that came too early still has its credit.
        let told = usize::from(self.told.is_some() && channel == self.agents.len());
        let room = (abi::dma::DEPTH - told - self.score.credit_used(channel)).min(self.quota[channel]);
        if room == 0 {
            return None;
        }
        let list = self.draw.list(&mut self.machine, &self.score, channel, room, mfa);
        self.quota[channel] -= list.elements.len();
        Some(list)
    }

    fn host_acts(&mut self, cycle: u64) {
        let channel = self.agents.len();
        if self.dice.percent(10) {
            let core = self.dice.below(channel as u64) as usize;
            let mfa =
                self.frames[core].front().map(|mfa| (Queue::Inbound(core), *mfa)).filter(|_| self.dice.percent(20));
            if let Some(list) = self.next_list(channel, mfa) {
                if list.posts.is_some() {
                    self.frames[core].pop_front();
                }
                for element in &list.elements {
                    let words = element.descriptor.words();
                    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
                    let start = u64::from(host::DMA_SOURCE.offset);
                    if self.dice.percent(80) {
                        self.machine.rig.host.write(REGISTERS, start, &bytes);
                    } else {
                        for (k, word) in words.into_iter().enumerate() {
                            self.machine.rig.host.write_word(REGISTERS, start + 4 * k as u64, word);
                        }
                    }
                }
                self.score.push(&mut self.machine, channel, list);
            }
        }
        if self.dice.below(4000) == 0 {
            self.host_sleeps = cycle + 2000;
        }
        let reads = self.asked.values().filter(|asked| matches!(asked, Asked::Report)).count();
        if cycle >= self.host_sleeps && reads < 4 && self.score.outstanding(channel) > reads && self.dice.percent(20) {
            // The status and its context.
            self.ask(cycle, host::DMA_DONE.offset, 8, Asked::Report);
        }
        let core = self.dice.below(channel as u64) as usize;
        if self.frames[core].len() < 4 && !self.asks_frame[core] && self.dice.percent(5) {
            self.asks_frame[core] = true;
            self.ask(cycle, host::I2O_INBOUND.offset + core as u32 * I2O_PAGE, 4, Asked::Frame(core));
        }
        let chance = if self.score.due(Queue::Outbound) > 0 { 20 } else { 2 };
        if !self.asks_outbound && self.score.awaits(Queue::Outbound) && self.dice.percent(chance) {
            self.asks_outbound = true;
            let asked = Asked::Outbound(self.score.due(Queue::Outbound));
            self.ask(cycle, host::I2O_OUTBOUND.offset + core as u32 * I2O_PAGE, 4, asked);
        }
    }

    fn ask(&mut self, cycle: u64, offset: u32, length: usize, asked: Asked) {
        let ticket = self.machine.rig.host.read(cycle, REGISTERS, offset.into(), length);
        self.asked.insert(ticket, asked);
    }

    fn host_hears(&mut self, cycle: u64) -> Result<(), TrafficError> {
        while let Some(answer) = self.machine.answers.pop_front() {
            let Some(asked) = self.asked.remove(&answer.ticket) else { continue };
            let bytes = answer.result.map_err(|status| MachineError::Refused { offset: 0, status })?;
            let words: Vec<u32> =
                bytes.chunks_exact(4).map(|word| u32::from_le_bytes(word.try_into().expect("four bytes"))).collect();
            match asked {
                Asked::Report if words[0] != EMPTY => {
                    let report = Completion(u64::from(words[1]) << 32 | u64::from(words[0]));
                    self.report(cycle, self.agents.len(), report)?;
                }
                Asked::Report => {}
                Asked::Frame(core) => {
                    self.asks_frame[core] = false;
                    if words[0] != EMPTY {
                        self.frames[core].push_back(words[0]);
                    }
                }
                Asked::Outbound(due) => {
                    self.asks_outbound = false;
                    if words[0] == EMPTY {
                        self.score.was_empty(cycle, Queue::Outbound, due)?;
                    } else {
                        self.score.arrived(&mut self.machine, cycle, Queue::Outbound, words[0])?;
                        self.machine.rig.host.write_word(REGISTERS, host::I2O_OUTBOUND.offset.into(), words[0]);
                    }
                }
            }
        }
        Ok(())
    }

    fn core_acts(&mut self, number: usize, cycle: u64) {
        if self.machine.cores[number].port.waiting() > 0 {
            return;
        }
        if self.dice.percent(10) {
            let agent = &mut self.agents[number];
            let mfa = agent.frames.last().map(|mfa| (Queue::Outbound, *mfa)).filter(|_| self.dice.percent(20));
            if let Some(list) = self.next_list(number, mfa) {
                if list.posts.is_some() {
                    self.agents[number].frames.pop();
                }
                for element in &list.elements {
                    for (k, word) in element.descriptor.words().into_iter().enumerate() {
                        self.machine.cores[number].port.write(core::DMA_SOURCE.offset + 4 * k as u32, word);
                    }
                }
                self.score.push(&mut self.machine, number, list);
            }
        }
        let due = self.score.due(Queue::Inbound(number));
        let awaits = self.score.awaits(Queue::Inbound(number));
        let asks_report = self.score.outstanding(number) > self.agents[number].reports && self.dice.percent(20);
        let (agent, port) = (&mut self.agents[number], &mut self.machine.cores[number].port);
        if self.dice.below(4000) == 0 {
            agent.sleeps = cycle + 2000;
        }
        if asks_report && cycle >= agent.sleeps {
            agent.reports += 1;
            port.read(core::DMA_DONE.offset);
            port.read(core::DMA_CONTEXT.offset);
        }
        if agent.inbound.is_none() && awaits && self.dice.percent(if due > 0 { 20 } else { 3 }) {
            agent.inbound = Some(due);
            port.read(core::IN_POST.offset);
        }
        if !agent.outbound && agent.frames.len() < 2 && self.dice.percent(2) {
            agent.outbound = true;
            port.read(core::OUT_FREE.offset);
        }
    }

    fn core_hears(&mut self, number: usize, cycle: u64) -> Result<(), TrafficError> {
        while let Some(answer) = self.machine.cores[number].answers.pop_front() {
            let agent = &mut self.agents[number];
            match answer.offset {
                offset if offset == core::DMA_DONE.offset => agent.half = Some(answer.value),
                offset if offset == core::DMA_CONTEXT.offset => {
                    agent.reports -= 1;
                    if let Some(half) = agent.half.take().filter(|half| *half != EMPTY) {
                        let report = Completion(u64::from(answer.value) << 32 | u64::from(half));
                        let left = self.machine.rig.host.traffic().tlps();
                        self.leaving.push_back((left + OFFERED, number, report));
                    }
                }
                offset if offset == core::IN_POST.offset => {
                    let due = agent.inbound.take().unwrap_or(0);
                    if answer.value == EMPTY {
                        self.score.was_empty(cycle, Queue::Inbound(number), due)?;
                    } else {
                        self.score.arrived(&mut self.machine, cycle, Queue::Inbound(number), answer.value)?;
                        self.machine.cores[number].port.write(core::IN_FREE.offset, answer.value & !3);
                    }
                }
                _ => {
                    agent.outbound = false;
                    if answer.value != EMPTY {
                        agent.frames.push(answer.value);
                    }
                }
            }
        }
        Ok(())
    }

    /// A report came, or what the lie makes of it.
    fn report(&mut self, cycle: u64, channel: usize, report: Completion) -> Result<(), TrafficError> {
        self.last_report = cycle;
        if self.told.take_if(|told| *told == report && channel == self.agents.len()).is_some() {
            return Ok(());
        }
        self.reports += 1;
        let lie = self.lie.filter(|lie| lie.report < self.reports).map(|lie| lie.about);
        let mut report = report;
        match lie {
            Some(About::Status) => report.0 ^= 1 << Completion::STATUS_LSB,
            Some(About::Bytes) => report.0 ^= 1,
            Some(About::Context) => report.0 ^= 1 << Completion::CONTEXT_LSB,
            Some(About::Lost) => {
                self.lie = None;
                return Ok(());
            }
            Some(About::Twice) => {
                self.lie = None;
                self.report(cycle, channel, report)?;
            }
            Some(about @ (About::Byte | About::Guard)) => {
                self.score.spoil(&mut self.machine, channel, about == About::Guard)
            }
            Some(About::Early | About::Late | About::OnTime) | None => {}
        }
        let ended = self.score.reported(&mut self.machine, &mut self.draw.places, cycle, channel, report)?;
        // Frames whose copy failed were not posted.
        if let Some((queue, _)) = ended.posts
            && report.status() != Some(Status::Ok)
        {
            match queue {
                Queue::Inbound(core) => self.frames[core].push_back(ended.frame),
                Queue::Outbound => self.agents[channel].frames.push(ended.frame),
            }
        }
        Ok(())
    }

    /// Moves the report of the host's oldest copy to the cycle of its last byte, or one on from there.
    fn shift(&mut self, cycle: u64, about: About) -> Result<(), TrafficError> {
        let channel = self.agents.len();
        let Some((source, destination, report)) = self.score.oldest_copy(channel) else { return Ok(()) };
        if !matches!(about, About::Early | About::Late | About::OnTime) || self.told.is_some() {
            return Ok(());
        }
        let now = destination.bytes(&self.machine);
        let before = self.watched.replace((report, now.clone()));
        let before = before.filter(|(watched, _)| *watched == report).map(|(_, bytes)| bytes);
        let Some(before) = before.filter(|before| *before != now && now == source.bytes(&self.machine)) else {
            return Ok(());
        };
        self.lie = None;
        match (about, destination.side) {
            (About::Late, Side::Core(core)) => {
                // The write of this cycle again, when nothing is open any more.
                destination.close(&mut self.machine);
                let again = self.machine.cores[core].memory.sample(&self.machine.rig.outputs);
                again.map_err(|stray| MachineError::Stray { cycle, processor: core, stray })?;
            }
            (About::Early, _) => destination.put(&mut self.machine, &before),
            _ => {}
        }
        self.report(cycle, channel, report)?;
        self.told = Some(report);
        Ok(())
    }

    /// Nothing comes any more, and all counters say what happened.
    fn finish(mut self) -> Result<Outcome, TrafficError> {
        self.machine.ticks(500)?;
        let cycle = self.machine.rig.cycles();
        let expect = |what: &str, found: u64, expected: u64| {
            if found == expected {
                Ok(())
            } else {
                Err(Wrong { cycle, what: format!("{what} is {found}, not {expected}") })
            }
        };
        let room = u64::from(self.machine.host_read(host::DMA_PUSH.offset)?);
        expect("the host's credit", room, abi::dma::DEPTH as u64)?;
        expect("the host's next report", self.machine.host_read(host::DMA_DONE.offset)?.into(), EMPTY.into())?;
        for core in 0..self.agents.len() {
            let room = self.machine.core_read(core, core::DMA_PUSH.offset)?;
            expect("a processor's credit", room.into(), abi::dma::DEPTH as u64)?;
            let next = self.machine.core_read(core, core::DMA_DONE.offset)?;
            expect("a processor's next report", next.into(), EMPTY.into())?;
            expect("descriptors refused", self.machine.core_read(core, core::DMA_REFUSED.offset)?.into(), 0)?;
        }
        let failures = self.machine.host_read_wide(host::DMA_FAILURES.offset)?;
        expect("DMA_FAILURES", failures, self.score.tally.failed)?;
        Ok(Outcome { cycles: cycle, tally: self.score.tally })
    }
}

/// How the host behaves in this run.
fn host_config(dice: &mut Dice, plan: &Plan) -> Config {
    let good = Config { seed: dice.word(), card_tags: 32, ..Config::default() };
    let start = 5 + dice.below(100);
    let config = Config {
        max_payload: 128 << dice.below(3),
        max_read: 128 << dice.below(6),
        latency: start..=start + dice.below(300),
        reorder: dice.percent(75),
        boundary: dice.pick(&[64, 128]),
        split: dice.pick(&[0, 10, 50, 100]),
        rx_pause: dice.pick(&[0, 0, 10, 30]),
        tx_pause: dice.pick(&[0, 0, 10, 40]),
        ..good.clone()
    };
    if plan.rough { config } else { good }
}

/// After how many cycles a read is given up, longer than any takes that is answered; and how much longer a delayed one takes.
///
/// A read is given up after one to one and a half times the timeout, and its tag used again as long after that at the earliest.
fn times(dice: &mut Dice, config: &Config, params: NicParams) -> (u64, u64) {
    let tags = u64::from(config.card_tags);
    let piece = 64 / params.beat_bytes() as u64 + 5;
    let bytes = tags * piece * (config.max_read as u64 / 64 + 1);
    let longest = config.latency.end() + bytes * 100 / u64::from(100 - config.rx_pause);
    let timeout = 3 * longest + 1000;
    (timeout, dice.pick(&[timeout / 4, timeout * 31 / 20]))
}
