//! The host's side of PCIe: sends requests to the card and answers those of the card, in simulated time and out of one seed.
//!
//! In every cycle [`RootComplex::drive`] says what goes to the card, and [`RootComplex::sample`] takes what the card did in it. Whatever
//! the card sends is held against the rules; the first one it breaks is a [`Violation`]. Writes by the card land in [`RootComplex::memory`],
//! those to the interrupt range are interrupts.

mod breach;
mod config;
mod host;
mod reads;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::ops::Range;

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

pub use breach::{Breach, Violation};
pub use config::{AnswerFault, Config, Fault, Faults};
pub use host::{Answer, Ticket};

use crate::memory::Memory;
use crate::tlp::{Assembler, Attributes, Beat, DW, Header, Kind, Request, Tlp, beats};
use host::{Host, Queued};
use reads::Reads;

/// Bytes that a request must not cross.
const PAGE: usize = 4096;

/// What drives the card in a cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drive {
    /// The beat on `tlp_rx`, if `tlp_rx_tvalid`.
    pub rx: Option<Beat>,
    /// `tlp_tx_tready`.
    pub tx_ready: bool,
}

/// A write to the interrupt range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interrupt {
    /// When its last beat was taken.
    pub cycle: u64,
    /// Where to.
    pub address: u64,
    /// What it says.
    pub data: u32,
}

/// A read by the card with which something goes wrong on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fated {
    /// When it came.
    pub cycle: u64,
    /// The read.
    pub request: Request,
    /// What goes wrong.
    pub fault: Fault,
}

/// What the card sent, and how much of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Reads.
    pub reads: u64,
    /// DWs they ask for.
    pub read_dws: u64,
    /// Writes, interrupts not counted.
    pub writes: u64,
    /// DWs they carry.
    pub written_dws: u64,
    /// Completions.
    pub completions: u64,
    /// Interrupts.
    pub interrupts: u64,
}

impl Traffic {
    /// All of them.
    pub fn tlps(&self) -> u64 {
        self.reads + self.writes + self.completions + self.interrupts
    }
}

/// A TLP on its way to the card.
#[derive(Clone, Debug)]
struct Outgoing {
    header: Header,
    payload: Vec<u8>,
    bar: u8,
    /// It is the last completion of a read: its tag, its number.
    frees: Option<(u16, u64)>,
    /// It is a read of the host with this tag.
    asks: Option<u16>,
    posted: bool,
}

/// The host.
#[derive(Debug)]
pub struct RootComplex {
    config: Config,
    rng: ChaCha8Rng,
    memory: Memory,
    interrupt_range: Range<u64>,
    interrupts: Vec<Interrupt>,
    fated: Vec<Fated>,
    /// What the card read, if somebody wants to know.
    seen: Option<Vec<Request>>,
    traffic: Traffic,
    host: Host,
    reads: Reads,
    /// The TLP that is being sent.
    sending: Option<Outgoing>,
    beats: VecDeque<Beat>,
    /// Its next beat was offered and must stay.
    shown: bool,
    assembler: Assembler,
    ready: bool,
    /// The beat that the card offered and nobody took.
    held: Option<Beat>,
}

impl RootComplex {
    /// A host with empty memory, none of it open to the card.
    pub fn new(config: Config) -> Self {
        Self {
            rng: ChaCha8Rng::seed_from_u64(config.seed),
            memory: Memory::default(),
            interrupt_range: 0..0,
            interrupts: Vec::new(),
            fated: Vec::new(),
            seen: None,
            traffic: Traffic::default(),
            host: Host::default(),
            reads: Reads::default(),
            sending: None,
            beats: VecDeque::new(),
            shown: false,
            assembler: Assembler::new(config.beat_bytes),
            ready: false,
            held: None,
            config,
        }
    }

    /// The host's memory.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// The host's memory, to write it or to open it to the card.
    pub fn memory_mut(&mut self) -> &mut Memory {
        &mut self.memory
    }

    /// How the host behaves.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// How the host behaves, to change it in the middle of a run; widths, IDs and BARs stay.
    pub fn config_mut(&mut self) -> &mut Config {
        &mut self.config
    }

    /// Takes writes to this range as interrupts from now on.
    pub fn set_interrupt_range(&mut self, range: Range<u64>) {
        self.interrupt_range = range;
    }

    /// Queues a write of `bytes` to a BAR: as many TLPs as it takes.
    pub fn write(&mut self, bar: u8, offset: u64, bytes: &[u8]) {
        self.host.write(bar, offset, bytes, &self.config);
    }

    /// Queues a write of one register.
    pub fn write_word(&mut self, bar: u8, offset: u64, word: u32) {
        self.write(bar, offset, &word.to_le_bytes());
    }

    /// Queues a read of `length` bytes of a BAR: as many TLPs as it takes. A read of none is a zero-length read.
    pub fn read(&mut self, cycle: u64, bar: u8, offset: u64, length: usize) -> Ticket {
        self.host.read(cycle, bar, offset, length, &self.config)
    }

    /// Queues a TLP as it is, whether it is sound or not. It must be posted: nothing waits for an answer.
    pub fn post_raw(&mut self, header: Header, payload: Vec<u8>, bar: u8) {
        self.host.post_raw(header, payload, bar);
    }

    /// Queues a non-posted request as it is but for requester and tag, which must be answered without payload.
    pub fn ask_raw(&mut self, cycle: u64, header: Header, payload: Vec<u8>, bar: u8) -> Ticket {
        self.host.ask_raw(cycle, header, payload, bar)
    }

    /// Answers to the host's reads since the last call, in the order in which they came.
    pub fn take_answers(&mut self) -> Vec<Answer> {
        self.host.take_answers()
    }

    /// The answer to one of the host's reads, if it has come.
    pub fn take_answer(&mut self, ticket: Ticket) -> Option<Answer> {
        self.host.take_answer(ticket)
    }

    /// Whether there are answers or interrupts that nobody has taken.
    pub fn has_news(&self) -> bool {
        self.host.has_answers() || !self.interrupts.is_empty()
    }

    /// Interrupts since the last call, the oldest first.
    pub fn take_interrupts(&mut self) -> Vec<Interrupt> {
        std::mem::take(&mut self.interrupts)
    }

    /// Reads with which something went wrong on purpose since the last call.
    pub fn take_fated(&mut self) -> Vec<Fated> {
        std::mem::take(&mut self.fated)
    }

    /// Reads by the card since the last call, the oldest first; they are kept from the first call on.
    pub fn take_reads(&mut self) -> Vec<Request> {
        self.seen.replace(Vec::new()).unwrap_or_default()
    }

    /// What the card sent so far.
    pub fn traffic(&self) -> Traffic {
        self.traffic
    }

    /// Whether nothing is queued, under way or unanswered.
    pub fn quiet(&self) -> bool {
        self.sending.is_none()
            && self.host.quiet()
            && self.reads.quiet()
            && !self.assembler.in_tlp()
            && self.held.is_none()
    }

    /// What goes to the card in this cycle; call it once per cycle, before [`RootComplex::sample`].
    pub fn drive(&mut self, cycle: u64) -> Drive {
        self.ready = !percent(&mut self.rng, self.config.tx_pause);
        if !self.shown && !percent(&mut self.rng, self.config.rx_pause) {
            if self.sending.is_none() {
                self.start(cycle);
            }
            self.shown = self.sending.is_some();
        }
        Drive { rx: if self.shown { self.beats.front().copied() } else { None }, tx_ready: self.ready }
    }

    /// What the card did in this cycle: whether it took the beat, and the beat on `tlp_tx`, if `tlp_tx_tvalid`.
    ///
    /// # Errors
    /// The card broke a rule.
    pub fn sample(&mut self, cycle: u64, rx_ready: bool, tx: Option<&Beat>) -> Result<(), Violation> {
        if self.shown && rx_ready {
            self.shown = false;
            if let Some((tag, number)) = self.sending.as_mut().and_then(|outgoing| outgoing.frees.take()) {
                self.reads.free(tag, number);
            }
            if self.beats.pop_front().is_some_and(|beat| beat.last) {
                self.sent(cycle);
            }
        }
        self.take(cycle, tx).map_err(|breach| Violation { cycle, breach })
    }

    /// Chooses the TLP that goes next: a request of the host, in their order, or a completion.
    fn start(&mut self, cycle: u64) {
        // What comes twice comes back to back: later, the tag might rightly be in use again.
        let host_first = percent(&mut self.rng, 50) && !self.reads.insists();
        let mut next = if host_first { self.host.next(&self.config) } else { None };
        if next.is_none() {
            next = self.reads.next(cycle, self.host.posted(), &self.memory, &self.config, &mut self.rng);
        }
        if next.is_none() {
            next = self.host.next(&self.config);
        }
        if let Some(outgoing) = next {
            self.beats = beats(&outgoing.header, &outgoing.payload, outgoing.bar, self.config.beat_bytes).into();
            self.sending = Some(outgoing);
        }
    }

    /// The TLP's last beat was taken.
    fn sent(&mut self, cycle: u64) {
        let Some(outgoing) = self.sending.take() else { return };
        self.host.sent(cycle, &Queued { asks: outgoing.asks, posted: outgoing.posted });
    }

    fn take(&mut self, cycle: u64, tx: Option<&Beat>) -> Result<(), Breach> {
        if self.held.is_some() && self.held.as_ref() != tx {
            return Err(Breach::Unstable);
        }
        self.held = tx.filter(|_| !self.ready).copied();
        self.host.check_patience(cycle, self.config.patience)?;
        let Some(beat) = tx.filter(|_| self.ready) else { return Ok(()) };
        let Some((header, payload)) = self.assembler.push(beat)? else { return Ok(()) };
        let tlp = Tlp::decode(&header, &payload)?;
        match tlp.kind {
            Kind::Write(request, data) => {
                self.check(&request, &tlp.attributes)?;
                self.written(cycle, &request, &data)
            }
            Kind::Read(request) => {
                self.check(&request, &tlp.attributes)?;
                self.asked(cycle, request, tlp.attributes)
            }
            Kind::Completion(completion) => {
                self.traffic.completions += 1;
                self.host.answer(cycle, &completion, &tlp.attributes, &self.config)
            }
            Kind::Other(header, _) => Err(Breach::Type(header)),
        }
    }

    /// The rules for every request.
    fn check(&self, request: &Request, attributes: &Attributes) -> Result<(), Breach> {
        let card = self.config.card_id;
        if request.requester != card {
            return Err(Breach::Requester { found: request.requester, card });
        }
        if attributes.traffic_class != 0 {
            return Err(Breach::TrafficClass(attributes.traffic_class));
        }
        if attributes.poisoned {
            return Err(Breach::Poisoned);
        }
        if request.address as usize % PAGE + request.dws * DW > PAGE {
            return Err(Breach::Page(*request));
        }
        if !request.enables_are_legal() {
            return Err(Breach::Enables(*request));
        }
        Ok(())
    }

    fn written(&mut self, cycle: u64, request: &Request, data: &[u8]) -> Result<(), Breach> {
        if data.len() > self.config.max_payload {
            return Err(Breach::Payload { length: data.len(), most: self.config.max_payload });
        }
        if self.interrupt_range.contains(&request.address) {
            let whole: Result<[u8; DW], _> = data.try_into();
            let (Ok(word), 0xf) = (whole, request.first) else { return Err(Breach::Interrupt(*request)) };
            self.traffic.interrupts += 1;
            let interrupt = Interrupt { cycle, address: request.address, data: u32::from_le_bytes(word) };
            self.interrupts.push(interrupt);
            return Ok(());
        }
        self.traffic.writes += 1;
        self.traffic.written_dws += request.dws as u64;
        // Runs of enabled bytes.
        let mut start = None;
        for b in 0..=data.len() {
            let enabled = b < data.len() && request.enables(b / DW) >> (b % DW) & 1 == 1;
            match (start, enabled) {
                (None, true) => start = Some(b),
                (Some(first), false) => {
                    self.memory.device_write(cycle, request.address + first as u64, &data[first..b])?;
                    start = None;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn asked(&mut self, cycle: u64, request: Request, attributes: Attributes) -> Result<(), Breach> {
        let (length, most) = (request.dws * DW, self.config.max_read);
        if length > most {
            return Err(Breach::Read { length, most, request });
        }
        if request.tag >= self.config.card_tags || self.reads.uses(request.tag) {
            return Err(Breach::Tag(request.tag));
        }
        self.traffic.reads += 1;
        self.traffic.read_dws += request.dws as u64;
        if let Some(seen) = &mut self.seen {
            seen.push(request);
        }
        let behind = self.host.queued_posts();
        self.fated.extend(self.reads.ask(cycle, request, attributes, behind, &self.config, &mut self.rng));
        Ok(())
    }
}

/// True with a chance of `chance` in a hundred.
fn percent(rng: &mut ChaCha8Rng, chance: u32) -> bool {
    rng.next_u32() % 100 < chance
}
