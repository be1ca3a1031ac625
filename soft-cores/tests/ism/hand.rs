//! A host that is driven by hand: it writes requests into frames, and keeps the answers.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use abi::socket::{Answer, Call, Element, Family, Frame, List, MAX_WORDS, Protocol, Reply, Request, Status, Tag};
use soft_cores::ism::{Config, Ism};

use super::bench::{Bench, FRAME, HOST_BASE, ModelCard, SLOTS, SLOTS_AT, Setup};
use super::network::{Below, Network};

/// Where the host's buffers start, behind its outbound frames.
pub const BUFFERS: u64 = HOST_BASE + 0x10_0000;

pub struct Hand {
    pub bench: Bench,
    pub network: Network,
    pub modules: Vec<(Ism, ModelCard, Below)>,
    /// By transaction.
    pub answers: BTreeMap<u32, Reply>,
    pub asked: u32,
    /// Answers to transactions below are nobody's.
    pub first: u32,
    /// The host takes answers and gives their frames back.
    pub listens: bool,
}

pub fn config(processor: usize) -> Config {
    let slots = SLOTS_AT..SLOTS_AT + SLOTS * FRAME;
    Config { processor, sessions: 12, credits: 8, copies: 12, answers: 6, slots }
}

pub fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// A tag of processor 0.
pub fn tag(index: u16) -> Tag {
    Tag::new(0, index, 0)
}

pub fn buffers(elements: &[(u64, u32)]) -> List {
    let mut list = List::default();
    for &(address, length) in elements {
        list.push(Element { address, length }).unwrap();
    }
    list
}

impl Hand {
    pub fn new(setup: Setup) -> Self {
        Self::with(setup, config)
    }

    pub fn with(setup: Setup, config: impl Fn(usize) -> Config) -> Self {
        let (processors, outbound) = (setup.processors, setup.outbound);
        let bench = Bench::new(setup);
        let network = Network::new(&bench, processors, 40);
        let modules = (0..processors).map(|p| (Ism::new(config(p)), bench.card(p), network.below(p))).collect();
        (0..outbound).for_each(|frame| bench.give_outbound(HOST_BASE as u32 + frame * FRAME));
        Self { bench, network, modules, answers: BTreeMap::new(), asked: 0, first: 0, listens: true }
    }

    pub fn ism(&self) -> &Ism {
        &self.modules[0].0
    }

    /// One step of everything.
    pub fn step(&mut self) {
        for (module, card, below) in &mut self.modules {
            module.poll(card, below, 4);
        }
        self.bench.tick();
        self.network.tick();
        if self.listens {
            self.listen();
        }
    }

    pub fn listen(&mut self) {
        while let Some(mfa) = self.bench.take_outbound() {
            let bytes = self.bench.read(HOST_BASE & !0xFFFF_FFFF | u64::from(mfa), MAX_WORDS * 4);
            let reply = Reply::decode(&bytes).expect("what a processor posts is a reply");
            self.bench.give_outbound(mfa);
            if reply.transaction >= self.first {
                let before = self.answers.insert(reply.transaction, reply);
                assert!(before.is_none(), "a second answer: {before:?} and {reply:?}");
            }
        }
    }

    pub fn run(&mut self, steps: usize) {
        for _ in 0..steps {
            self.step();
        }
    }

    /// Runs until it is so.
    pub fn run_until(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) {
        for _ in 0..20_000 {
            if is_so(self) {
                return;
            }
            self.step();
        }
        panic!("never: {what}");
    }

    /// Posts a message as it is.
    pub fn post(&mut self, processor: usize, bytes: &[u8]) {
        for _ in 0..20_000 {
            if let Some(mfa) = self.bench.take_inbound(processor) {
                self.bench.poke(processor, mfa & 0xFF_FFFF, &[0; FRAME as usize]);
                self.bench.poke(processor, mfa & 0xFF_FFFF, bytes);
                self.bench.post_inbound(mfa | 1);
                return;
            }
            self.step();
        }
        panic!("no inbound frame comes back");
    }

    pub fn post_frame(&mut self, processor: usize, frame: &Frame) {
        self.post(processor, frame.bytes());
    }

    /// Asks, and does not wait: the transaction.
    pub fn ask(&mut self, tag: Tag, call: Call) -> u32 {
        self.asked += 1;
        let transaction = self.asked;
        self.post_frame(tag.processor(), &Request { tag, transaction, call }.encode());
        transaction
    }

    /// The answer to a request, when it is there.
    pub fn answer(&mut self, transaction: u32) -> Reply {
        self.run_until("an answer", |hand| hand.answers.contains_key(&transaction));
        self.answers[&transaction]
    }

    /// Asks and waits: how it ended, and what was said.
    pub fn call(&mut self, tag: Tag, call: Call) -> (Status, Answer) {
        let transaction = self.ask(tag, call);
        let reply = self.answer(transaction);
        assert_eq!((reply.tag, reply.processor), (tag, tag.processor()));
        (reply.status, reply.answer)
    }

    pub fn must(&mut self, tag: Tag, call: Call) -> Answer {
        let (status, answer) = self.call(tag, call);
        assert_eq!(status, Status::Ok, "{call:?}");
        answer
    }

    /// A listening session.
    pub fn listener(&mut self, tag: Tag, at: SocketAddr) {
        self.must(tag, Call::Create { protocol: Protocol::Tcp, family: Family::of(at.ip()) });
        self.must(tag, Call::Bind { local: at });
        self.must(tag, Call::Listen { backlog: 8 });
    }

    /// A session of a stream to a peer outside, and the peer.
    pub fn stream(&mut self, tag: Tag) -> u32 {
        let there = SocketAddr::new("192.0.2.9".parse().unwrap(), 7000 + tag.index());
        self.network.peer_listens(there);
        self.must(tag, Call::Create { protocol: Protocol::Tcp, family: Family::V4 });
        self.must(tag, Call::Connect { remote: there });
        self.network.peer_accepts(there).expect("the peer is connected")
    }

    /// Ends all sessions and looks that nothing is missing.
    pub fn assert_nothing_leaks(&mut self) {
        self.listens = true;
        for processor in 0..self.modules.len() {
            let (status, _) = self.call(Tag::new(processor, 0xFFFF, 0), Call::Reset);
            assert_eq!(status, Status::Ok);
        }
        let is_over = |hand: &Self| {
            let idle = hand.modules.iter().all(|(module, ..)| module.is_idle() && module.sessions() == 0);
            idle && hand.bench.is_quiet() && hand.network.sockets() == 0
        };
        self.run_until("rest", is_over);
        self.network.assert_no_buffer_is_missing();
        let in_hand = self.modules.iter().map(|(module, ..)| module.frames_in_hand()).sum();
        self.bench.assert_no_frame_is_missing(in_hand);
    }
}
