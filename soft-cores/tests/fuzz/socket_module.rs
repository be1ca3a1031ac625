//! The socket modules of two processors, on a model of the card and of the network: a host that writes anything into message
//! frames, peers that do as they like. Every message is answered once, and in the end nothing is missing.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use abi::socket::Function;
use abi::socket::frame::{Header, UTIL_NOP};

use crate::bench::{FRAME, Setup};
use crate::corpus::Corpus;
use crate::draw::{Draw, Hex};
use crate::engine::{self, Kinds};
use crate::hand::{BUFFERS, Hand, address};
use crate::messages;

const PROCESSORS: usize = 2;
/// The host's own requests, at the end.
const OWN: u32 = 0x4000_0000;
const LISTENING: &str = "10.0.0.1:80";
const OUTSIDE: &str = "192.0.2.9:7000";

#[derive(Clone, Debug)]
pub enum Step {
    /// A message to a processor; its transaction is made one that no other has.
    Post {
        processor: usize,
        bytes: Hex,
    },
    Run(usize),
    Dial(u16),
    Datagram(usize),
    Write(usize, usize),
    Read(usize),
    Shut(usize),
    Leave(usize),
    Reset(usize),
}

pub struct Target;

impl engine::Target for Target {
    type Step = Step;
    const NAME: &'static str = "socket_module";
    const CASES: u64 = 60;
    const KINDS: usize = 45;

    fn draw(draw: &mut Draw, _: &Corpus) -> Vec<Step> {
        let mut next = 1024;
        let mut step = || match draw.below(20) {
            0 | 1 => Step::Run(draw.below(60)),
            2 => {
                next += 1;
                Step::Dial(next)
            }
            3 => Step::Datagram(draw.below(1400)),
            4 => Step::Write(draw.below(8), draw.below(4000)),
            5 => Step::Read(draw.below(8)),
            6 if draw.once_in(6) => Step::Shut(draw.below(8)),
            6 if draw.once_in(6) => Step::Leave(draw.below(8)),
            6 if draw.once_in(6) => Step::Reset(draw.below(8)),
            _ => post(draw),
        };
        (0..200).map(|_| step()).collect()
    }

    fn run(steps: &[Step], kinds: &mut Kinds) {
        let mut bench = Bench::new();
        for step in steps {
            bench.step(step);
        }
        bench.rest();
        let replies = bench.hand.answers.values();
        kinds.extend(replies.map(|reply| format!("{:?} {:?}", Function::of(reply.function), reply.status)));
    }
}

/// A message with what the models know in it, or any.
fn post(draw: &mut Draw) -> Step {
    let is_request = !draw.once_in(12);
    let mut bytes = messages::message(draw, is_request);
    bytes.resize(FRAME as usize, 0);
    let mut set = |word: usize, value: u32| bytes[4 * word..4 * word + 4].copy_from_slice(&value.to_le_bytes());
    let mut processor = draw.below(PROCESSORS);
    if !draw.once_in(10) {
        // A request that goes where it says.
        processor = draw.below(PROCESSORS);
        set(1, 0xff00_1010 + processor as u32);
        set(2, (processor as u32) << 28 | draw.below(5) as u32);
    }
    let function = u16::from_le_bytes([bytes[16], bytes[17]]);
    let place = |text: &str| {
        let address = address(text);
        let SocketAddr::V4(v4) = address else { unreachable!("it is an IPv4 address") };
        (4 << 16 | u32::from(v4.port()), u32::from_le_bytes(v4.ip().octets()))
    };
    let mut set = |word: usize, value: u32| bytes[4 * word..4 * word + 4].copy_from_slice(&value.to_le_bytes());
    let (port, ip) = place(draw.pick::<&str>(&[LISTENING, "10.0.0.1:53", OUTSIDE, "192.0.2.9:9999", "0.0.0.0:0"]));
    match Function::of(function) {
        Some(Function::Bind | Function::Connect) if !draw.once_in(4) => {
            set(5, port);
            set(6, ip);
        }
        Some(Function::Create) if !draw.once_in(4) => set(5, 4 << 8 | if draw.once_in(2) { 6 } else { 17 }),
        Some(Function::Send) if draw.once_in(2) => set(5, 0),
        Some(Function::Accept) => set(5, (processor as u32) << 28 | draw.below(5) as u32),
        Some(Function::Close) => set(5, u32::from(draw.once_in(2))),
        // It would end everything too often.
        Some(Function::Reset) if !draw.once_in(8) => set(4, 0x504e_0000 | Function::Status as u32),
        _ => {}
    }
    Step::Post { processor, bytes: Hex(bytes) }
}

/// Has list elements, or what looks like them, name buffers that the host has.
fn place_buffers(message: &mut [u8]) {
    let mut at = 20;
    while at + 12 <= message.len() {
        if matches!(message[at + 3] & 0x3f, 0x12 | 0x16) {
            let offset = u32::from_le_bytes([message[at + 4], message[at + 5], message[at + 6], 0]) % 0x10_0000;
            message[at + 4..at + 12].copy_from_slice(&(BUFFERS + u64::from(offset)).to_le_bytes());
            at += 8;
        }
        at += 4;
    }
}

struct Bench {
    hand: Hand,
    posted: u32,
    /// Transactions that are to be answered.
    asked: BTreeSet<u32>,
    peers: Vec<u32>,
}

impl Bench {
    fn new() -> Self {
        let mut hand = Hand::new(Setup { inbound: 4, outbound: 4, slow: 6, ..Setup::new(1, PROCESSORS) });
        hand.network.peer_listens(address(OUTSIDE));
        hand.asked = OWN;
        Self { hand, posted: 0, asked: BTreeSet::new(), peers: Vec::new() }
    }

    fn peer(&self, number: usize) -> Option<u32> {
        self.peers.get(number % self.peers.len().max(1)).copied()
    }

    fn step(&mut self, step: &Step) {
        while let Some(peer) = self.hand.network.peer_accepts(address(OUTSIDE)) {
            self.peers.push(peer);
        }
        let network = &self.hand.network;
        match step {
            Step::Post { processor, bytes } => self.post(*processor, &bytes.0),
            Step::Run(steps) => self.hand.run(*steps),
            Step::Dial(port) => {
                let from = SocketAddr::new("192.0.2.8".parse().expect("an address"), *port);
                let peer = network.dial(from, address(LISTENING));
                self.peers.extend(peer);
            }
            Step::Datagram(length) => {
                network.peer_sends_to(address("192.0.2.8:5"), address("10.0.0.1:53"), &vec![1; *length]);
            }
            Step::Write(peer, length) => {
                if let Some(peer) = self.peer(*peer) {
                    network.peer_writes(peer, &vec![0x42; *length]);
                }
            }
            Step::Read(peer) => {
                if let Some(peer) = self.peer(*peer) {
                    network.peer_reads(peer);
                }
            }
            Step::Shut(peer) => {
                if let Some(peer) = self.peer(*peer) {
                    network.peer_shuts(peer);
                }
            }
            Step::Leave(peer) => self.end(*peer, false),
            Step::Reset(peer) => self.end(*peer, true),
        }
    }

    fn end(&mut self, number: usize, by_reset: bool) {
        let Some(peer) = self.peer(number) else { return };
        self.peers.retain(|&other| other != peer);
        if by_reset { self.hand.network.peer_resets(peer) } else { self.hand.network.peer_leaves(peer) }
    }

    fn post(&mut self, processor: usize, bytes: &[u8]) {
        self.posted += 1;
        let mut bytes = bytes.to_vec();
        bytes[12..16].copy_from_slice(&self.posted.to_le_bytes());
        if Header::read(&bytes).function != UTIL_NOP {
            self.asked.insert(self.posted);
        }
        place_buffers(&mut bytes);
        self.hand.post(processor, &bytes);
        self.hand.step();
    }

    fn rest(&mut self) {
        for &peer in &self.peers {
            self.hand.network.peer_leaves(peer);
        }
        while let Some(peer) = self.hand.network.peer_accepts(address(OUTSIDE)) {
            self.hand.network.peer_leaves(peer);
        }
        self.hand.run(100);
        self.hand.assert_nothing_leaks();
        let answered: BTreeSet<_> =
            self.hand.answers.keys().copied().filter(|&transaction| transaction < OWN).collect();
        assert_eq!(answered, self.asked);
        let messages: u64 = self.hand.modules.iter().map(|(module, ..)| module.counters().messages).sum();
        assert_eq!(messages, u64::from(self.posted + self.hand.asked - OWN));
        for (module, ..) in &self.hand.modules {
            let counters = module.counters();
            assert_eq!((counters.unreadable, module.foreign_reports(), module.replies().lost), (0, 0, 0));
            assert!(counters.messages <= counters.unused + counters.refused.total() + counters.requests.total());
        }
    }
}
