//! Fragments at the IP input, beside a model that keeps all that came and looks through it each time.

use std::collections::BTreeMap;
use std::net::IpAddr;

use abi::receive::Check;
use soft_cores::net::addresses::Addresses;
use soft_cores::net::ethernet::Cast;
use soft_cores::net::ip::{self, Arrival, Host, Input, Outcome};
use soft_cores::net::multicast::Memberships;
use soft_cores::net::random::Random;
use soft_cores::net::reassembly::{Cause, IPV4_TIMEOUT, IPV6_TIMEOUT, Limits};
use soft_cores::net::{Micros, SECOND};

use crate::bytes::{CARD, CARD_6, TCP, internet_checksum};
use crate::corpus::Corpus;
use crate::draw::Draw;
use crate::engine::{self, Kinds};
use crate::ip_input::addresses;

/// A protocol without headers that would have to be in a first fragment.
const OPAQUE: u8 = 253;
const ROOMY: Limits = Limits { bytes: 64 << 20, source_bytes: 64 << 20, datagrams: 10_000, fragments: 10_000 };
const NARROW: Limits = Limits { bytes: 20_000, source_bytes: 6_000, datagrams: 10, fragments: 12 };

/// A fragment, its content by a pattern.
#[derive(Clone, Copy, Debug)]
pub struct Piece {
    key: Key,
    wait: u64,
    offset: usize,
    length: usize,
    more: bool,
    salt: u8,
    /// Words of options in its IPv4 header.
    options: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    is_v6: bool,
    source: u8,
    number: u8,
}

#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// At the beginning: there is little room. Then the model does not know what goes.
    Narrow,
    Fragment(Piece),
}

impl Key {
    const fn protocol(self) -> u8 {
        if self.number.is_multiple_of(3) && !self.is_v6 { TCP } else { OPAQUE }
    }

    fn source(self) -> IpAddr {
        if self.is_v6 {
            let mut address = CARD_6;
            address[15] = 10 + self.source;
            address.into()
        } else {
            [CARD[0], CARD[1], CARD[2], 10 + self.source].into()
        }
    }

    const fn timeout(self) -> Micros {
        if self.is_v6 { 60 * SECOND } else { 30 * SECOND }
    }
}

impl Piece {
    const fn end(&self) -> usize {
        self.offset + self.length
    }

    const fn head(&self) -> usize {
        if self.key.is_v6 { 48 } else { 20 + 4 * self.options }
    }

    fn payload(&self) -> Vec<u8> {
        (self.offset..self.end()).map(|at| (at * 7 + at / 251) as u8 ^ self.salt).collect()
    }

    /// The packet, by RFC 791 and RFC 8200, 4.5.
    fn packet(&self) -> Vec<u8> {
        let number = self.key.number;
        let mut packet = match self.key.source() {
            IpAddr::V6(source) => {
                let length = (8 + self.length) as u16;
                let fixed =
                    [&[0x60, 0, 0, 0][..], &length.to_be_bytes(), &[44, 64], &source.octets(), &CARD_6].concat();
                let offset = self.offset as u16 | u16::from(self.more);
                [&fixed[..], &[OPAQUE, 0], &offset.to_be_bytes(), &[0, 0, 0, number]].concat()
            }
            IpAddr::V4(source) => {
                let length = (self.head() + self.length) as u16;
                let offset = (self.offset / 8) as u16 | if self.more { 0x2000 } else { 0 };
                let first = [&[0x45 + self.options as u8, 0][..], &length.to_be_bytes(), &[0, number]].concat();
                let then = [&offset.to_be_bytes()[..], &[64, self.key.protocol(), 0, 0]].concat();
                let mut header = [&first[..], &then, &source.octets(), &CARD, &vec![1; 4 * self.options]].concat();
                let sum = internet_checksum(&[&header]);
                header[10..12].copy_from_slice(&sum);
                header
            }
        };
        packet.extend(self.payload());
        packet
    }
}

pub struct Target;

impl engine::Target for Target {
    type Step = Step;
    const NAME: &'static str = "reassembly";
    const CASES: u64 = 2000;
    const KINDS: usize = 15;

    fn draw(draw: &mut Draw, _: &Corpus) -> Vec<Step> {
        let mut steps = Vec::new();
        for _ in 0..1 + draw.below(8) {
            let pieces = datagram(draw);
            for piece in pieces {
                let at = draw.below(steps.len() + 1);
                // In their order, or among the others.
                if draw.once_in(2) { steps.push(piece) } else { steps.insert(at, piece) }
            }
        }
        let narrow = draw.once_in(3).then_some(Step::Narrow);
        narrow.into_iter().chain(steps.into_iter().map(Step::Fragment)).collect()
    }

    fn run(steps: &[Step], kinds: &mut Kinds) {
        let mut bench = Bench::new(matches!(steps.first(), Some(Step::Narrow)));
        for step in steps {
            if let Step::Fragment(piece) = step {
                bench.take(piece);
                bench.assert_laws(piece.key.source());
            }
        }
        bench.rest();
        let input = &bench.input;
        kinds.extend(input.reassembly().drops().iter().map(|(cause, _)| format!("{cause:?}")));
        kinds.extend((input.counters().merged > 0).then(|| "whole".to_owned()));
        kinds.extend((input.counters().delivered > 0).then(|| "delivered".to_owned()));
        kinds.extend((bench.longest > 65_000).then(|| "longest".to_owned()));
    }
}

/// A datagram in fragments, some of them twice, some bent.
fn datagram(draw: &mut Draw) -> Vec<Piece> {
    let key = Key { is_v6: draw.once_in(2), source: draw.below(3) as u8, number: draw.below(4) as u8 };
    let length = match draw.below(12) {
        0 => 65_400 + draw.below(150),
        1..4 => draw.below(9000),
        _ => draw.below(300),
    };
    let salt = if draw.once_in(4) { draw.byte() } else { 0 };
    let size = if length > 9000 { 1480 + 8 * draw.below(800) } else { 8 * (1 + draw.below(length / 8 + 1)) };
    let mut pieces = Vec::new();
    for offset in (0..length).step_by(size) {
        let (length, more) = (size.min(length - offset), offset + size < length);
        let options = if draw.once_in(12) { draw.below(11) } else { 0 };
        let piece = Piece { key, wait: draw.wait(), offset, length, more, salt, options };
        pieces.push(piece);
        if draw.once_in(6) {
            pieces.push(piece);
        }
        if draw.once_in(10) {
            pieces.push(bent(draw, piece));
        }
    }
    pieces
}

fn bent(draw: &mut Draw, piece: Piece) -> Piece {
    let mut bent = piece;
    match draw.below(7) {
        0 => bent.more = !bent.more,
        1 => bent.offset += 8 * draw.below(4),
        2 => bent.offset = bent.offset.saturating_sub(8 * draw.below(4)),
        3 => bent.length = draw.below(2 * bent.length + 8),
        4 => bent.salt ^= 1,
        5 => bent.offset = 8 * draw.below(8192),
        _ => bent.length = 8 * draw.below(3),
    }
    bent.offset = bent.offset.min(65_528);
    bent.length = bent.length.min(65_000);
    bent
}

/// What becomes of a fragment.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    /// It is no fragment.
    Whole,
    Held,
    Complete(Vec<u8>),
    Dropped(Cause),
}

#[derive(Default)]
struct Pending {
    began: Micros,
    came: Vec<Piece>,
    is_discarded: bool,
}

#[derive(Default)]
struct Model(BTreeMap<Key, Pending>);

impl Model {
    fn expire(&mut self, now: Micros) {
        self.0.retain(|key, pending| now < pending.began + key.timeout());
    }

    fn take(&mut self, now: Micros, new: &Piece) -> Fate {
        let is_v4_tcp = new.key.protocol() == TCP;
        let total = if new.key.is_v6 { new.end() } else { new.head() + new.end() };
        if new.offset == 0 && !new.more {
            return Fate::Whole;
        } else if new.length == 0 {
            return Fate::Dropped(Cause::Empty);
        } else if new.more && !new.length.is_multiple_of(8) {
            return Fate::Dropped(Cause::Unaligned);
        } else if total > 65_535 {
            return Fate::Dropped(Cause::TooLong);
        } else if is_v4_tcp && (new.offset == 8 || new.offset == 0 && new.length < 16) {
            return Fate::Dropped(Cause::Tiny);
        }
        let pending = self.0.entry(new.key).or_insert_with(|| Pending { began: now, ..Pending::default() });
        let came = &mut pending.came;
        let is_same = |old: &Piece| {
            (old.offset, old.length, old.more) == (new.offset, new.length, new.more) && old.salt == new.salt
        };
        if pending.is_discarded {
            return Fate::Dropped(Cause::Discarded);
        } else if came.iter().any(is_same) {
            return Fate::Dropped(Cause::Duplicate);
        }
        let overlaps = came.iter().any(|old| old.offset < new.end() && new.offset < old.end());
        came.push(*new);
        let ends: Vec<_> = came.iter().filter(|piece| !piece.more).map(Piece::end).collect();
        let is_beyond = ends.iter().any(|&end| came.iter().any(|piece| piece.end() > end));
        if overlaps || is_beyond || ends.len() > 1 {
            // RFC 5722: in IPv6 no later fragment of it is taken either.
            if new.key.is_v6 {
                *pending = Pending { began: pending.began, is_discarded: true, ..Pending::default() };
            } else {
                self.0.remove(&new.key);
            }
            return Fate::Dropped(if overlaps { Cause::Overlap } else { Cause::Inconsistent });
        }
        let received: usize = came.iter().map(|piece| piece.length).sum();
        if ends != [received] {
            return Fate::Held;
        }
        came.sort_by_key(|piece| piece.offset);
        let is_too_long = !new.key.is_v6 && came[0].head() + received > 65_535;
        let payload = came.iter().flat_map(Piece::payload).collect();
        self.0.remove(&new.key);
        if is_too_long { Fate::Dropped(Cause::TooLong) } else { Fate::Complete(payload) }
    }
}

struct Bench {
    input: Input,
    limits: Limits,
    addresses: Addresses,
    groups: Memberships,
    model: Model,
    /// All that came, for what is put together of it.
    came: Vec<Piece>,
    now: Micros,
    longest: usize,
}

impl Bench {
    fn new(is_narrow: bool) -> Self {
        let limits = if is_narrow { NARROW } else { ROOMY };
        Self {
            input: Input::new(limits),
            limits,
            addresses: addresses(),
            groups: Memberships::new(8, Random::new(7)),
            model: Model::default(),
            came: Vec::new(),
            now: 0,
            longest: 0,
        }
    }

    fn take(&mut self, piece: &Piece) {
        self.now += piece.wait;
        self.input.expire(self.now);
        self.model.expire(self.now);
        // What is too long for a packet's own length field cannot be sent.
        if piece.head() + piece.length > 65_535 {
            return;
        }
        self.came.push(*piece);
        let host = Host { addresses: &self.addresses, groups: &self.groups };
        let arrival = Arrival { cast: Cast::Unicast, header_check: Check::None };
        let packet = piece.packet();
        let outcome = if piece.key.is_v6 {
            self.input.receive_ipv6(self.now, &packet, arrival, host)
        } else {
            self.input.receive_ipv4(self.now, &packet, arrival, host)
        };
        let fate = match outcome {
            Outcome::Deliver(_) => Fate::Whole,
            Outcome::Held => Fate::Held,
            Outcome::Reassembled { packet, delivery } => {
                self.longest = self.longest.max(packet.len());
                assert_whole(piece, &packet);
                Fate::Complete(delivery.payload_of(&packet).to_vec())
            }
            Outcome::Drop(refusal) => match refusal.cause {
                ip::Cause::Fragment(cause) => Fate::Dropped(cause),
                other => panic!("{other:?}"),
            },
        };
        if self.limits == ROOMY {
            let expected = self.model.take(self.now, piece);
            assert!(fate == expected, "{:?} and not {:?}", brief(&fate), brief(&expected));
        } else if let Fate::Complete(payload) = &fate {
            self.assert_came(piece.key, payload);
        }
    }

    /// Every byte of a datagram came in one of its fragments, at its place.
    fn assert_came(&self, key: Key, payload: &[u8]) {
        let mut is_there = vec![false; payload.len()];
        for piece in self.came.iter().filter(|piece| piece.key == key) {
            let places = is_there.iter_mut().zip(payload).skip(piece.offset);
            for ((is_there, byte), sent) in places.zip(piece.payload()) {
                *is_there |= *byte == sent;
            }
        }
        assert!(is_there.iter().all(|&is_there| is_there), "bytes that nobody sent");
    }

    fn assert_laws(&self, source: IpAddr) {
        let (counters, reassembly) = (self.input.counters(), self.input.reassembly());
        let dropped = counters.drops.total() + reassembly.drops().total();
        assert_eq!(counters.received, counters.delivered + counters.merged + dropped + reassembly.held());
        assert!(reassembly.bytes() <= self.limits.bytes && reassembly.bytes_of(source) <= self.limits.source_bytes);
        assert!(reassembly.held() <= (self.limits.datagrams * self.limits.fragments) as u64);
        let deadline = self.input.next_deadline();
        assert!(deadline.is_none_or(|at| at > self.now && at <= self.now + IPV4_TIMEOUT.max(IPV6_TIMEOUT)));
        if self.limits == ROOMY {
            let model = self.model.0.iter().map(|(key, pending)| pending.began + key.timeout()).min();
            assert_eq!(deadline, model);
        }
    }

    fn rest(&mut self) {
        self.input.expire(self.now + IPV6_TIMEOUT);
        let reassembly = self.input.reassembly();
        assert_eq!((reassembly.held(), reassembly.bytes(), reassembly.next_deadline()), (0, 0, None));
    }
}

/// The headers of a datagram as if it had never been cut.
fn assert_whole(piece: &Piece, packet: &[u8]) {
    if piece.key.is_v6 {
        assert_eq!(usize::from(u16::from_be_bytes([packet[4], packet[5]])), packet.len() - 40);
        assert_eq!(packet[6], OPAQUE);
    } else {
        let header = usize::from(packet[0] & 15) * 4;
        assert_eq!(usize::from(u16::from_be_bytes([packet[2], packet[3]])), packet.len());
        assert_eq!((packet[6] & 0x3f, packet[7]), (0, 0));
        assert_eq!(internet_checksum(&[&packet[..header]]), [0, 0]);
    }
}

/// Without a datagram of many bytes.
fn brief(fate: &Fate) -> String {
    match fate {
        Fate::Complete(payload) => format!("Complete({} bytes)", payload.len()),
        other => format!("{other:?}"),
    }
}
