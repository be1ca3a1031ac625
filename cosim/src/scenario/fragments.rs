//! ¶68.2: fragments go by the hash of their identification, so that all of a datagram meet at one processor, which puts it together.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use etherparse::PacketBuilder;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use soft_cores::net::port::Taken;

use super::{Failed, Play, Scenario, Setting, Stage, Table};
use crate::clients::raw::{Path, RawSender, fragments, udp_datagram};
use crate::clients::{Micros, pattern};
use crate::programs::{CARD_ETHERNET, CARD_IPV4};
use crate::record::Distribution;
use crate::system::Passing;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "fragments",
    about: "Pings and UDP datagrams in fragments, out of order and mixed: each is put together on the one processor that its identification hashes to.",
    takes_mode: true,
    run,
};

/// Who sends: one station with the addresses 10.2.0.1 and following.
const STATION: [u8; 6] = [0x02, 0, 0, 2, 0, 0];
const SOURCES: u8 = 9;
const PINGS: u16 = 24;
const DATAGRAMS: u16 = 8;
/// Bytes of a fragment behind its header: as many as 1,500 hold.
const PIECE: usize = 1480;
/// The longest UDP datagram: 65,535 bytes less the headers of IP and UDP.
const LONGEST: usize = 65_535 - 20 - 8;
/// Datagrams whose fragments are mixed.
const MIXED: usize = 4;
/// From one frame to the next: hardly longer than a full one takes at 1 Gb/s.
const PACE: Micros = 13;
/// Cycles in which all is answered.
const LIMIT: u64 = 3_000_000;
/// Cycles in which what the card still has to send is sent.
const REST: u64 = 10_000;

/// A datagram before it is cut.
struct Datagram {
    source: Ipv4Addr,
    identification: u16,
    is_ping: bool,
    /// Behind the IP header.
    payload: Vec<u8>,
    frames: Vec<Vec<u8>>,
}

fn path(source: Ipv4Addr) -> Path {
    Path { from: (STATION, source), to: (CARD_ETHERNET, CARD_IPV4) }
}

fn source(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 2, 0, 1 + number)
}

/// Who a source is (RFC 826): the card, which hears it, need not ask.
fn introduction(source: Ipv4Addr) -> Vec<u8> {
    let mut frame = [&[0xff; 6][..], &STATION, &[8, 6, 0, 1, 8, 0, 6, 4, 0, 1], &STATION].concat();
    frame.extend(source.octets());
    frame.extend([0; 6]);
    frame.extend(CARD_IPV4.octets());
    frame
}

fn datagrams(random: &mut ChaCha8Rng) -> Vec<Datagram> {
    let mut used = BTreeSet::new();
    let mut all = Vec::new();
    for number in 0..PINGS + DATAGRAMS {
        // The longest one has its source for itself: what is kept of one source is bounded.
        let is_longest = number == PINGS + DATAGRAMS - 1;
        let source = source(if is_longest { SOURCES - 1 } else { (number % u16::from(SOURCES - 1)) as u8 });
        let mut identification = random.next_u32() as u16;
        while !used.insert((source, identification)) {
            identification = identification.wrapping_add(1);
        }
        let bytes = if is_longest { LONGEST } else { 2_000 + random.next_u32() as usize % 4_000 };
        let content: Vec<u8> = (0..bytes as u64).map(|place| pattern(number.into(), place)).collect();
        let is_ping = number < PINGS;
        let packet = if is_ping {
            let ping = PacketBuilder::ipv4(source.octets(), CARD_IPV4.octets(), 64);
            let ping = ping.icmpv4_echo_request(number, 1);
            let mut packet = Vec::with_capacity(ping.size(bytes));
            // A vector takes all that is written to it.
            let _ = ping.write(&mut packet, &content);
            packet
        } else {
            udp_datagram(path(source), (1000 + number, 2000), &content)
        };
        let frames = fragments(path(source), &packet, identification, PIECE);
        all.push(Datagram { source, identification, is_ping, payload: packet[20..].to_vec(), frames });
    }
    all
}

/// The frames in the order in which they are sent: fragments of some datagrams at a time, shuffled.
fn mixed(datagrams: &[Datagram], random: &mut ChaCha8Rng) -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = (0..SOURCES).map(|number| introduction(source(number))).collect();
    for some in datagrams.chunks(MIXED) {
        let mut frames: Vec<_> = some.iter().flat_map(|datagram| datagram.frames.iter().cloned()).collect();
        for last in (1..frames.len()).rev() {
            frames.swap(last, random.next_u32() as usize % (last + 1));
        }
        all.extend(frames);
    }
    all
}

/// Fragments that come out of the card, put together with code that is not the card's.
#[derive(Default)]
struct Answers {
    pieces: BTreeMap<(Ipv4Addr, u16), Answer>,
}

#[derive(Default)]
struct Answer {
    bytes: BTreeMap<usize, Vec<u8>>,
    length: Option<usize>,
    frames: usize,
    /// When its last frame came out.
    last: u64,
}

impl Answer {
    /// What is behind the IP header, if there is no gap.
    fn whole(&self) -> Option<Vec<u8>> {
        let mut whole = Vec::new();
        for (&start, piece) in &self.bytes {
            if start != whole.len() {
                return None;
            }
            whole.extend(piece);
        }
        (Some(whole.len()) == self.length).then_some(whole)
    }
}

impl Answers {
    /// Takes a fragment of an ICMP packet in a frame from the card; all here are without options.
    fn take(&mut self, passing: &Passing) {
        let frame = &passing.bytes;
        if passing.to_card || frame.len() < 34 || frame[12..15] != [8, 0, 0x45] || frame[23] != 1 {
            return;
        }
        let word = |at: usize| u16::from_be_bytes([frame[at], frame[at + 1]]);
        let (length, flags) = (usize::from(word(16)), word(20));
        // What is not cut may have the identification of something else (RFC 6864, 4.1); every ping here is longer than a frame.
        if flags & 0x3fff == 0 {
            return;
        }
        let Some(piece) = frame.get(34..14 + length) else { return };
        let destination = Ipv4Addr::new(frame[30], frame[31], frame[32], frame[33]);
        let start = usize::from(flags & 0x1fff) * 8;
        let answer = self.pieces.entry((destination, word(18))).or_default();
        if flags & 0x2000 == 0 {
            answer.length = Some(start + piece.len());
        }
        answer.bytes.insert(start, piece.to_vec());
        answer.frames += 1;
        answer.last = passing.cycle;
    }

    /// How often, and when last, this ping was answered with its own bytes (RFC 792: all but type and checksum).
    fn to(&self, ping: &Datagram) -> (usize, u64) {
        let is_answer = |whole: &Vec<u8>| whole[..2] == [0, 0] && whole[4..] == ping.payload[4..];
        let answers = self.pieces.iter().filter(|((to, _), _)| *to == ping.source).filter_map(|(_, answer)| {
            let whole = answer.whole()?;
            is_answer(&whole).then_some(answer.last)
        });
        answers.fold((0, 0), |(times, latest), last| (times + 1, latest.max(last)))
    }
}

/// What became of the datagrams.
struct Account {
    table: Table,
    /// By processor: fragments that waited for others, pings and UDP datagrams put together.
    expected: Vec<[u64; 3]>,
    /// Pings that were not answered exactly once.
    unanswered: usize,
    latency: Distribution,
}

impl Account {
    fn new(datagrams: &[Datagram], homes: &[BTreeSet<usize>], passed: &[Passing], processors: usize) -> Self {
        let columns = ["from", "identification", "what", "bytes", "fragments", "processor", "answered"];
        let table = Table::new("Datagrams", columns);
        let latency = Distribution::default();
        let mut account = Self { table, expected: vec![[0; 3]; processors], unanswered: 0, latency };
        let mut answers = Answers::default();
        passed.iter().for_each(|passing| answers.take(passing));
        for (datagram, homes) in datagrams.iter().zip(homes) {
            let home = homes.first().copied().unwrap_or(0);
            // The fragment that comes last counts as what the datagram is.
            account.expected[home][0] += datagram.frames.len() as u64 - 1;
            account.expected[home][if datagram.is_ping { 1 } else { 2 }] += 1;
            let fate = account.fate(datagram, &answers, passed);
            let what = if datagram.is_ping { "ping" } else { "UDP" };
            let identification = format!("{:#06x}", datagram.identification);
            let (bytes, frames) = (datagram.payload.len(), datagram.frames.len());
            account.table.row([&datagram.source, &identification, &what, &bytes, &frames, &home, &fate]);
        }
        account
    }

    fn fate(&mut self, datagram: &Datagram, answers: &Answers, passed: &[Passing]) -> String {
        if !datagram.is_ping {
            return "given to the transport".to_string();
        }
        let (times, answered) = answers.to(datagram);
        if times != 1 {
            self.unanswered += 1;
            return format!("{times} times");
        }
        let is_of_it = |it: &&Passing| it.to_card && datagram.frames.iter().any(|frame| it.bytes.starts_with(frame));
        let last = passed.iter().filter(is_of_it).map(|it| it.cycle).max().unwrap_or(0);
        let cycles = answered.saturating_sub(last);
        self.latency.add(cycles);
        format!("once, {cycles} cycles after its last fragment")
    }
}

fn run(stage: &mut Stage) -> Result<(), Failed> {
    let mut random = ChaCha8Rng::seed_from_u64(stage.options().seed);
    let datagrams = datagrams(&mut random);
    let frames = mixed(&datagrams, &mut random);
    let mut play = stage.open("", Setting::default())?;
    play.keep_frames();
    let fragments: usize = datagrams.iter().map(|datagram| datagram.frames.len()).sum();
    stage.tell(
        &play,
        format_args!(
            "{PINGS} pings and {DATAGRAMS} UDP datagrams come in {fragments} fragments, {MIXED} datagrams mixed at a time"
        ),
    );
    let expected = fragments + usize::from(SOURCES) * play.processors();
    send(&mut play, frames, expected)?;

    let passed = play.take_frames();
    let home = |datagram: &Datagram| datagram.frames.iter().flat_map(|frame| play.hashed(frame)).collect();
    let homes: Vec<BTreeSet<usize>> = datagrams.iter().map(home).collect();
    stage.check(homes.iter().all(|homes| homes.len() == 1), "all fragments of a datagram hash to one processor")?;
    let account = Account::new(&datagrams, &homes, &passed, play.processors());
    play.recording.tables.push(account.table);
    play.recording.latency_of = "from a ping's last fragment in to its answer's last fragment out".to_string();

    let taken = play.look_at_all(|net| {
        let taken = net.look(|stack| stack.port().counters().taken.clone());
        [Taken::Fragment, Taken::Icmp, Taken::Transport].map(|what| taken.of(what))
    })?;
    for (processor, [held, pings, datagrams]) in taken.iter().enumerate() {
        let frames = held + pings + datagrams;
        stage.tell(
            &play,
            format_args!(
                "processor {processor} took {frames} fragments; pings put together: {pings}, UDP datagrams: {datagrams}"
            ),
        );
    }
    stage.check(
        taken == account.expected,
        "every datagram was put together on the processor that its identification hashes to",
    )?;
    stage.check(account.unanswered == 0, "every ping was answered once, byte for byte")?;
    let (median, worst) = (account.latency.at(500), account.latency.most());
    stage.tell(
        &play,
        format_args!("every ping was answered, {median} cycles (median) to {worst} (most) after its last fragment"),
    );
    play.recording.latency = account.latency;
    stage.close(play)
}

/// Sends the frames, and runs until the processors have taken `expected` in all and have nothing more to send.
fn send(play: &mut Play, frames: Vec<Vec<u8>>, expected: usize) -> Result<(), Failed> {
    let timed = frames.into_iter().enumerate().map(|(k, frame)| (100 + PACE * k as u64, frame)).collect();
    let sender = RawSender::new(STATION, timed).shared();
    play.system.add_client(sender.clone());
    play.run_until(LIMIT, |system| {
        let taken: u64 = system.processors().iter().map(|processor| processor.watch().frames_taken()).sum();
        sender.borrow().waiting() == 0 && taken >= expected as u64
    })?;
    let mut sent = Vec::new();
    while sent != play.sent() {
        sent = play.sent();
        play.run(REST)?;
    }
    Ok(())
}
