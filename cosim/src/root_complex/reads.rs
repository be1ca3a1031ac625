//! The host as completer: what the card reads, answered late, in pieces, in any order, and wrongly when asked to.

use std::collections::BTreeMap;

use rand_chacha::ChaCha8Rng;
use rand_core::Rng;

use super::config::{Config, Fault};
use super::{Fated, Outgoing, percent};
use crate::memory::Memory;
use crate::tlp::{Attributes, Completion, DW, Kind, Request, Status, Tlp};

/// A read by the card that is not answered whole.
#[derive(Clone, Debug)]
struct Pending {
    request: Request,
    attributes: Attributes,
    due: u64,
    /// Writes of the host that must reach the card first (2.4.1: completions do not pass posted requests).
    behind: u64,
    /// Bytes that were answered.
    answered: usize,
    fault: Option<Fault>,
    /// The fault has shown.
    showed: bool,
}

/// All reads by the card.
#[derive(Debug, Default)]
pub struct Reads {
    /// By number, the oldest first.
    pending: BTreeMap<u64, Pending>,
    /// Tags in use: from the request to the header of the last completion.
    tags: BTreeMap<u16, u64>,
    count: u64,
    again: Option<Outgoing>,
}

impl Reads {
    /// Whether a read uses this tag.
    pub fn uses(&self, tag: u16) -> bool {
        self.tags.contains_key(&tag)
    }

    /// Whether all reads are answered.
    pub fn quiet(&self) -> bool {
        self.pending.is_empty() && self.tags.is_empty() && self.again.is_none()
    }

    /// Whether a completion must follow the one that was sent last.
    pub fn insists(&self) -> bool {
        self.again.is_some()
    }

    /// The header of a last completion was taken: what is asked next with this tag is answered behind it.
    pub fn free(&mut self, tag: u16, number: u64) {
        if self.tags.get(&tag) == Some(&number) {
            self.tags.remove(&tag);
        }
    }

    /// Takes a read; tells what will go wrong with it.
    pub fn ask(
        &mut self,
        cycle: u64,
        request: Request,
        attributes: Attributes,
        behind: u64,
        config: &Config,
        rng: &mut ChaCha8Rng,
    ) -> Option<Fated> {
        let fault = draw_fault(&request, config, rng);
        let fated = fault.map(|fault| Fated { cycle, request, fault });
        self.count += 1;
        if fault == Some(Fault::Dropped) {
            return fated;
        }
        let span = config.latency.end().saturating_sub(*config.latency.start()) + 1;
        let late = if fault == Some(Fault::Delayed) { config.faults.delay } else { 0 };
        let due = cycle + config.latency.start() + rng.next_u64() % span + late;
        // A late answer's tag may have been given up by the card.
        if fault != Some(Fault::Delayed) {
            self.tags.insert(request.tag, self.count);
        }
        let pending = Pending { request, attributes, due, behind, answered: 0, fault, showed: false };
        self.pending.insert(self.count, pending);
        fated
    }

    /// The next completion that may be sent.
    pub fn next(
        &mut self,
        cycle: u64,
        posted: u64,
        memory: &Memory,
        config: &Config,
        rng: &mut ChaCha8Rng,
    ) -> Option<Outgoing> {
        if let Some(again) = self.again.take() {
            return Some(again);
        }
        let ready = |p: &Pending| p.due <= cycle && p.behind <= posted;
        let number = if config.reorder {
            let ready: Vec<u64> = self.pending.iter().filter(|(_, p)| ready(p)).map(|(n, _)| *n).collect();
            *ready.get(rng.next_u64() as usize % ready.len().max(1))?
        } else {
            // One that is late on purpose holds nothing else up.
            let mut waiting = self.pending.iter().filter(|(_, p)| p.fault != Some(Fault::Delayed) || p.due <= cycle);
            waiting.next().filter(|(_, p)| ready(p)).map(|(n, _)| *n)?
        };
        let pending = self.pending.get_mut(&number)?;
        let (outgoing, ends) = pending.piece(number, memory, config, rng);
        if ends && pending.fault == Some(Fault::Duplicated) {
            self.again = Some(Outgoing { frees: None, ..outgoing.clone() });
        }
        if pending.fault == Some(Fault::Stray) && !pending.showed {
            pending.showed = true;
            let mut stray = outgoing.clone();
            stray.frees = None;
            match rng.next_u32() % 2 {
                0 => stray.header[2] ^= 0x5a00 | u32::from(config.card_tags) << 8,
                _ => stray.header[2] ^= 0x0008_0000,
            }
            if ends {
                self.pending.remove(&number);
            }
            self.again = Some(outgoing);
            return Some(stray);
        }
        if ends {
            self.pending.remove(&number);
        }
        Some(outgoing)
    }
}

impl Pending {
    /// The next completion, and whether it is the last one.
    fn piece(&mut self, number: u64, memory: &Memory, config: &Config, rng: &mut ChaCha8Rng) -> (Outgoing, bool) {
        let request = self.request;
        let total = request.bytes();
        let left = total - self.answered;
        let start = request.address + (request.skipped() + self.answered) as u64;
        let end = start + left as u64;
        let upto = piece_end(start, end, config, rng);
        let completion = Completion {
            completer: config.host_id,
            requester: request.requester,
            tag: request.tag,
            status: Status::Successful,
            bytes: left,
            lower: (start & 0x7f) as u8,
            locked: false,
            data: memory.bytes(start & !3, (upto.next_multiple_of(4) - (start & !3)) as usize),
        };
        let mut tlp = Tlp { attributes: self.attributes, kind: Kind::Completion(completion) };
        self.answered += (upto - start) as usize;
        let mut ends = upto == end;
        let mut lies = false;
        // A fault of one completion among several comes at any of them.
        let shows = !self.showed && (ends || percent(rng, 50));
        if let (Some(fault), true, Kind::Completion(c)) = (self.fault, shows, &mut tlp.kind) {
            // Never so few that it would be the end: the tag would be the card's again.
            let wrong = |by| if left + by > 4096 { left - by } else { left + by };
            let refuse = |c: &mut Completion, status| {
                c.status = status;
                c.data.clear();
            };
            match fault {
                Fault::Unsupported => {
                    refuse(c, Status::Unsupported);
                    ends = true;
                }
                Fault::Aborted => {
                    refuse(c, Status::Aborted);
                    ends = true;
                }
                Fault::Poisoned => tlp.attributes.poisoned = true,
                Fault::WrongLength => lies = true,
                Fault::WrongCount => match rng.next_u32() % 3 {
                    0 => c.bytes = wrong(1),
                    1 => c.lower ^= 0x24,
                    _ if c.data.len() > DW => c.data.truncate(c.data.len() - DW),
                    _ => c.bytes = wrong(4),
                },
                Fault::Stray | Fault::Dropped | Fault::Delayed | Fault::Duplicated => {}
            }
            self.showed |= fault != Fault::Stray;
        }
        let (header, mut payload) = tlp.encode();
        if lies {
            // By a whole beat, for a part of one cannot be seen.
            let shorter = payload.len() > config.beat_bytes && percent(rng, 50);
            let length = payload.len() + config.beat_bytes - if shorter { 2 * config.beat_bytes } else { 0 };
            payload.resize(length, 0xee);
        }
        let frees = ends.then_some((request.tag, number));
        (Outgoing { header, payload, bar: 0, frees, asks: None, posted: false }, ends)
    }
}

/// Where a completion of what is left ends: at the end, or at a boundary before it (2.3.1.1).
fn piece_end(start: u64, end: u64, config: &Config, rng: &mut ChaCha8Rng) -> u64 {
    let boundary = config.boundary as u64;
    // The last boundary is the end of the address space.
    let limit = (start & !3).saturating_add(config.max_payload as u64);
    let mut upto = (start / boundary + 1).saturating_mul(boundary);
    while upto < end && upto.saturating_add(boundary) <= limit && !percent(rng, config.split) {
        upto = upto.saturating_add(boundary);
    }
    upto.min(end)
}

fn draw_fault(request: &Request, config: &Config, rng: &mut ChaCha8Rng) -> Option<Fault> {
    let (start, end) = (request.address, request.address.saturating_add((request.dws * DW) as u64));
    let placed = config.faults.places.iter().find(|(range, _)| range.start < end && start < range.end);
    if let Some((_, fault)) = placed {
        return Some(*fault);
    }
    let mut drawn = rng.next_u32() % 10_000;
    for (fault, rate) in &config.faults.rates {
        if drawn < *rate {
            return Some(*fault);
        }
        drawn -= rate;
    }
    None
}
