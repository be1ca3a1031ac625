//! The host as requester: reads and writes of the card's BARs, and the card's completions held against them.

use std::collections::{BTreeMap, VecDeque};

use super::config::{AnswerFault, Config};
use super::{Breach, Outgoing, PAGE};
use crate::tlp::{Attributes, Completion, DW, Header, Kind, Request, Status, Tlp};

/// Completions of everybody but the root complex end at multiples of 128 bytes (2.3.1.1).
const CARD_BOUNDARY: u64 = 128;

/// Names a read of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// The answer to a read of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Which read.
    pub ticket: Ticket,
    /// When it was queued.
    pub queued: u64,
    /// When the last beat of its last request was taken by the card.
    pub sent: u64,
    /// When the last beat of its last completion came.
    pub cycle: u64,
    /// What it read, or the first status that was not [`Status::Successful`].
    pub result: Result<Vec<u8>, Status>,
}

/// What is asked.
#[derive(Clone, Copy, Debug)]
enum Asked {
    /// A memory read: its bytes go to this place of the read's.
    Memory { request: Request, place: usize },
    /// Something that has no payload.
    Raw(Header),
}

/// A request in the queue.
#[derive(Clone, Debug)]
struct Waiting {
    header: Header,
    payload: Vec<u8>,
    bar: u8,
    asked: Option<(Ticket, Asked)>,
}

/// A request that was sent and not answered whole.
#[derive(Clone, Debug)]
struct UnderWay {
    ticket: Ticket,
    asked: Asked,
    answered: usize,
    sent: u64,
}

/// A read of the host, of one request or more.
#[derive(Clone, Debug)]
struct Gathering {
    queued: u64,
    sent: u64,
    bytes: Vec<u8>,
    unanswered: usize,
    status: Status,
}

/// What became of a TLP in the queue.
#[derive(Clone, Copy, Debug)]
pub(super) struct Queued {
    pub asks: Option<u16>,
    pub posted: bool,
}

/// All requests of the host.
#[derive(Debug, Default)]
pub(super) struct Host {
    waiting: VecDeque<Waiting>,
    under_way: BTreeMap<u16, UnderWay>,
    gathering: BTreeMap<Ticket, Gathering>,
    answers: Vec<Answer>,
    tickets: u64,
    next_tag: u16,
    /// Posted requests that were queued, and that the card has taken.
    posts: u64,
    posted: u64,
}

impl Host {
    pub fn quiet(&self) -> bool {
        self.waiting.is_empty() && self.under_way.is_empty()
    }

    pub fn queued_posts(&self) -> u64 {
        self.posts
    }

    pub fn posted(&self) -> u64 {
        self.posted
    }

    pub fn take_answers(&mut self) -> Vec<Answer> {
        std::mem::take(&mut self.answers)
    }

    pub fn take_answer(&mut self, ticket: Ticket) -> Option<Answer> {
        let place = self.answers.iter().position(|answer| answer.ticket == ticket)?;
        Some(self.answers.remove(place))
    }

    pub fn has_answers(&self) -> bool {
        !self.answers.is_empty()
    }

    pub fn write(&mut self, bar: u8, offset: u64, bytes: &[u8], config: &Config) {
        let address = base(bar, config).wrapping_add(offset);
        for (at, length) in pieces(address, bytes.len(), config.max_payload) {
            let request = Request::of(config.host_id, 0, address + at as u64, length);
            let mut data = vec![0; request.dws * DW];
            data[request.skipped()..][..length].copy_from_slice(&bytes[at..at + length]);
            let (header, payload) = Tlp::plain(Kind::Write(request, data)).encode();
            self.posts += 1;
            self.waiting.push_back(Waiting { header, payload, bar, asked: None });
        }
    }

    pub fn read(&mut self, cycle: u64, bar: u8, offset: u64, length: usize, config: &Config) -> Ticket {
        let address = base(bar, config).wrapping_add(offset);
        let mut parts: Vec<_> = pieces(address, length, config.max_read).collect();
        if parts.is_empty() {
            parts.push((0, 0));
        }
        let ticket = self.ticket(cycle, length, parts.len());
        for (at, length) in parts {
            let request = Request::of(config.host_id, 0, address + at as u64, length);
            let (header, payload) = Tlp::plain(Kind::Read(request)).encode();
            let asked = Some((ticket, Asked::Memory { request, place: at }));
            self.waiting.push_back(Waiting { header, payload, bar, asked });
        }
        ticket
    }

    pub fn post_raw(&mut self, header: Header, payload: Vec<u8>, bar: u8) {
        self.posts += 1;
        self.waiting.push_back(Waiting { header, payload, bar, asked: None });
    }

    pub fn ask_raw(&mut self, cycle: u64, header: Header, payload: Vec<u8>, bar: u8) -> Ticket {
        let ticket = self.ticket(cycle, 0, 1);
        let asked = Some((ticket, Asked::Raw(header)));
        self.waiting.push_back(Waiting { header, payload, bar, asked });
        ticket
    }

    fn ticket(&mut self, queued: u64, length: usize, unanswered: usize) -> Ticket {
        let ticket = Ticket(self.tickets);
        self.tickets += 1;
        let gathering =
            Gathering { queued, sent: queued, bytes: vec![0; length], unanswered, status: Status::Successful };
        self.gathering.insert(ticket, gathering);
        ticket
    }

    /// The next request, if there is a tag for it.
    pub fn next(&mut self, config: &Config) -> Option<Outgoing> {
        let asks = self.waiting.front()?.asked.is_some();
        let tag = match asks {
            true => Some(
                (0..config.host_tags)
                    .map(|t| (self.next_tag + t) % config.host_tags)
                    .find(|t| !self.under_way.contains_key(t))?,
            ),
            false => None,
        };
        let Waiting { mut header, payload, bar, asked } = self.waiting.pop_front()?;
        if let (Some(tag), Some((ticket, asked))) = (tag, asked) {
            self.next_tag = (tag + 1) % config.host_tags;
            header[1] = header[1] & 0xff | u32::from(config.host_id) << 16 | u32::from(tag & 0xff) << 8;
            header[0] = header[0] & !0x0088_0000 | u32::from(tag >> 8 & 1) << 19 | u32::from(tag >> 9 & 1) << 23;
            self.under_way.insert(tag, UnderWay { ticket, asked, answered: 0, sent: u64::MAX });
        }
        Some(Outgoing { header, payload, bar, frees: None, asks: tag, posted: !asks })
    }

    /// The last beat of a request was taken.
    pub fn sent(&mut self, cycle: u64, queued: &Queued) {
        self.posted += u64::from(queued.posted);
        let Some(under_way) = queued.asks.and_then(|tag| self.under_way.get_mut(&tag)) else { return };
        under_way.sent = cycle;
        if let Some(gathering) = self.gathering.get_mut(&under_way.ticket) {
            gathering.sent = cycle;
        }
    }

    /// Whether every read was answered in time.
    pub fn check_patience(&self, cycle: u64, patience: u64) -> Result<(), Breach> {
        for (tag, under_way) in &self.under_way {
            let late = under_way.sent != u64::MAX && under_way.sent + patience < cycle;
            if let (true, Asked::Memory { request, .. }) = (late, under_way.asked) {
                return Err(Breach::Unanswered { tag: *tag, sent: under_way.sent, request });
            }
            if let (true, Asked::Raw(header)) = (late, under_way.asked) {
                return Err(Breach::Completion {
                    tag: *tag,
                    field: "the answer to the header",
                    found: 0,
                    expected: header[0].into(),
                });
            }
        }
        Ok(())
    }

    /// A completion came.
    pub fn answer(
        &mut self,
        cycle: u64,
        c: &Completion,
        attributes: &Attributes,
        config: &Config,
    ) -> Result<(), Breach> {
        let tag = c.tag;
        let unasked = Breach::Unasked { tag, requester: c.requester };
        let Some(under_way) = self.under_way.get_mut(&tag).filter(|_| c.requester == config.host_id) else {
            return Err(unasked);
        };
        if attributes.poisoned {
            return Err(Breach::Poisoned);
        }
        let expect = |field, found: u64, expected: u64| {
            if found == expected { Ok(()) } else { Err(Breach::Completion { tag, field, found, expected }) }
        };
        expect("completer ID", c.completer.into(), config.card_id.into())?;
        let mut ends = true;
        match under_way.asked {
            Asked::Raw(header) => {
                let asked = [header[0] >> 20 & 7, header[0] >> 18 & 1, header[0] >> 12 & 3].map(u64::from);
                expect("traffic class", attributes.traffic_class.into(), asked[0])?;
                expect("attributes", attributes.bits.into(), asked[1] << 2 | asked[2])?;
                expect("payload", c.data.len() as u64, 0)?;
            }
            Asked::Memory { request, place } => {
                expect("traffic class", attributes.traffic_class.into(), 0)?;
                expect("attributes", attributes.bits.into(), 0)?;
                let left = request.bytes() - under_way.answered;
                let start = request.address + (request.skipped() + under_way.answered) as u64;
                expect("byte count", c.bytes as u64, left as u64)?;
                expect("lower address", c.lower.into(), start & 0x7f)?;
                if c.status == Status::Successful {
                    let end = start + left as u64;
                    let upto = (start & !3) + c.data.len() as u64;
                    ends = upto >= end;
                    if ends {
                        expect("payload", upto, end.next_multiple_of(DW as u64))?;
                    } else {
                        expect("the end of its payload", upto % CARD_BOUNDARY, 0)?;
                    }
                    let most = config.max_payload as u64;
                    expect("payload beyond the most", (c.data.len() as u64).max(most), most)?;
                    let length = (upto.min(end) - start) as usize;
                    if length == 0 {
                        return Err(Breach::Completion { tag, field: "payload", found: 0, expected: left as u64 });
                    }
                    let at = place + under_way.answered;
                    under_way.answered += length;
                    if let Some(gathering) = self.gathering.get_mut(&under_way.ticket) {
                        // A zero-length read has a DW that nobody asked for.
                        let length = length.min(gathering.bytes.len() - at);
                        gathering.bytes[at..at + length].copy_from_slice(&c.data[(start & 3) as usize..][..length]);
                    }
                } else {
                    expect("payload of a refusal", c.data.len() as u64, 0)?;
                }
            }
        }
        let (ticket, asked) = (under_way.ticket, under_way.asked);
        if ends {
            self.under_way.remove(&tag);
            match fault(&asked, config) {
                None => self.finish(cycle, ticket, c.status),
                Some(AnswerFault::Refused) => self.finish(cycle, ticket, Status::Unsupported),
                Some(AnswerFault::Lost) => drop(self.gathering.remove(&ticket)),
            }
        }
        Ok(())
    }

    fn finish(&mut self, cycle: u64, ticket: Ticket, status: Status) {
        let Some(gathering) = self.gathering.get_mut(&ticket) else { return };
        if gathering.status == Status::Successful {
            gathering.status = status;
        }
        gathering.unanswered -= 1;
        if gathering.unanswered > 0 {
            return;
        }
        if let Some(Gathering { queued, sent, bytes, status, .. }) = self.gathering.remove(&ticket) {
            let result = if status == Status::Successful { Ok(bytes) } else { Err(status) };
            self.answers.push(Answer { ticket, queued, sent, cycle, result });
        }
    }
}

/// What goes wrong with the answer on purpose.
fn fault(asked: &Asked, config: &Config) -> Option<AnswerFault> {
    let Asked::Memory { request, .. } = asked else { return None };
    let mut faults = config.faults.answers.iter();
    faults.find(|(range, _)| range.contains(&request.address)).map(|(_, fault)| *fault)
}

fn base(bar: u8, config: &Config) -> u64 {
    config.bars.get(usize::from(bar)).copied().unwrap_or(0)
}

/// Cuts a range at multiples of `most` bytes and of a page; gives offset and length of each piece.
fn pieces(address: u64, length: usize, most: usize) -> impl Iterator<Item = (usize, usize)> {
    let most = most.clamp(DW, PAGE);
    let mut at = 0;
    std::iter::from_fn(move || {
        if at == length {
            return None;
        }
        let room = most - (address.wrapping_add(at as u64) % most as u64) as usize;
        let piece = (at, room.min(length - at));
        at += piece.1;
        Some(piece)
    })
}
