//! Through the socket module: what a host asks for by messages, on real stacks, with copies that take their time.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use abi::socket::{
    Answer, Call, Element, Family, List, MAX_WORDS, Protocol, Reply, Request, State, Status, Tag, ready,
};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use smoltcp::socket::tcp;
use smoltcp::wire::IpEndpoint;

use crate::bench::{FRAME, HOST_BASE};
use crate::rig::{Rig, at_host, bytes, local};
use crate::world::{CARD, Faults};

/// Where the host's buffers start, behind its outbound frames.
const BUFFERS: u64 = HOST_BASE + 0x10_0000;
const BACK: u64 = BUFFERS + 0x10_0000;
const TCP: Call = Call::Create { protocol: Protocol::Tcp, family: Family::V4 };
const UDP: Call = Call::Create { protocol: Protocol::Udp, family: Family::V4 };

/// A host that is driven by hand.
struct Hand {
    rig: Rig,
    answers: BTreeMap<u32, Reply>,
    asked: u32,
}

fn tag(index: u16) -> Tag {
    Tag::new(0, index, 0)
}

fn any(port: u16) -> SocketAddr {
    SocketAddr::new("0.0.0.0".parse().unwrap(), port)
}

fn buffers(elements: &[(u64, u32)]) -> List {
    let mut list = List::default();
    for &(address, length) in elements {
        list.push(Element { address, length }).unwrap();
    }
    list
}

fn listen(rig: &Rig, answers: &mut BTreeMap<u32, Reply>) {
    while let Some(mfa) = rig.bench.take_outbound() {
        let bytes = rig.bench.read(HOST_BASE & !0xFFFF_FFFF | u64::from(mfa), MAX_WORDS * 4);
        let reply = Reply::decode(&bytes).expect("what a processor posts is a reply");
        rig.bench.give_outbound(mfa);
        let before = answers.insert(reply.transaction, reply);
        assert!(before.is_none(), "a second answer: {before:?} and {reply:?}");
    }
}

impl Hand {
    fn new(seed: u64) -> Self {
        Self { rig: Rig::new(seed), answers: BTreeMap::new(), asked: 0 }
    }

    fn run(&mut self, what: &str, mut done: impl FnMut(&mut Rig, &BTreeMap<u32, Reply>) -> bool) {
        let Self { rig, answers, .. } = self;
        rig.run(what, |rig| {
            listen(rig, answers);
            done(rig, answers)
        });
    }

    /// Asks, and does not wait: the transaction.
    fn ask(&mut self, tag: Tag, call: Call) -> u32 {
        self.asked += 1;
        let frame = Request { tag, transaction: self.asked, call }.encode();
        let mut free = None;
        self.run("an inbound frame", |rig, _| {
            free = rig.bench.take_inbound(0);
            free.is_some()
        });
        let mfa = free.unwrap();
        self.rig.bench.poke(0, mfa & 0xFF_FFFF, &[0; FRAME as usize]);
        self.rig.bench.poke(0, mfa & 0xFF_FFFF, frame.bytes());
        self.rig.bench.post_inbound(mfa | 1);
        self.asked
    }

    fn answer(&mut self, transaction: u32) -> Reply {
        self.run("an answer", |_, answers| answers.contains_key(&transaction));
        self.answers[&transaction]
    }

    fn call(&mut self, tag: Tag, call: Call) -> (Status, Answer) {
        let transaction = self.ask(tag, call);
        let reply = self.answer(transaction);
        (reply.status, reply.answer)
    }

    fn must(&mut self, tag: Tag, call: Call) -> Answer {
        let (status, answer) = self.call(tag, call);
        assert_eq!(status, Status::Ok, "{call:?}");
        answer
    }

    /// All sessions are reset, and nothing is left.
    fn assert_nothing_leaks(mut self) {
        self.must(Tag::new(0, 0xFFFF, 0), Call::Reset);
        self.run("rest", |rig, _| rig.isms[0].is_idle() && rig.isms[0].sessions() == 0 && rig.bench.is_quiet());
        assert_eq!(self.rig.isms[0].foreign_reports(), 0);
        self.rig.assert_clean();
    }
}

#[test]
fn row_69_1_an_application_on_the_host_echoes_what_a_peer_sends() {
    let mut hand = Hand::new(101);
    hand.must(tag(1), TCP);
    assert_eq!(hand.must(tag(1), Call::Bind { local: any(80) }), Answer::Bound { local: any(80) });
    hand.must(tag(1), Call::Listen { backlog: 4 });
    let accept = hand.ask(tag(1), Call::Accept { tag: tag(2) });
    let peer = hand.rig.dial(80, 40_000);
    let (processor, remote) = (0, at_host(40_000));
    let expected = Answer::Accepted { tag: tag(2), processor, remote, local: local(80) };
    assert_eq!(hand.answer(accept).answer, expected);
    let all = bytes(0..30_011);
    let (mut sent, mut back, mut turns) = (0, Vec::new(), 0);
    loop {
        let receive = hand.ask(tag(2), Call::Receive { list: buffers(&[(BUFFERS, 1001), (BUFFERS + 0x2000, 4000)]) });
        hand.run("bytes or their end", |rig, answers| {
            sent += rig.host_writes(peer, &all[sent..]);
            if sent == all.len() {
                rig.host(peer).close();
            }
            back.extend(rig.host_reads(peer, 3000));
            answers.contains_key(&receive)
        });
        let Answer::Received { length, end, .. } = hand.answer(receive).answer else { panic!() };
        if end {
            break;
        }
        turns += 1;
        let pieces = [(BUFFERS, length.min(1001)), (BUFFERS + 0x2000, length.saturating_sub(1001))];
        let list = buffers(&pieces[..if length > 1001 { 2 } else { 1 }]);
        let send = hand.ask(tag(2), Call::Send { remote: None, list });
        hand.run("room", |rig, answers| {
            back.extend(rig.host_reads(peer, 3000));
            answers.contains_key(&send)
        });
        assert_eq!(hand.answer(send).answer, Answer::Sent { length });
    }
    hand.must(tag(2), Call::Close { abort: false });
    hand.run("the end", |rig, _| {
        back.extend(rig.host_reads(peer, 3000));
        !rig.host(peer).may_recv()
    });
    assert!(back == all && turns >= 6, "{} bytes in {turns} turns", back.len());
    hand.assert_nothing_leaks();
}

#[test]
fn row_69_1_a_host_connects_and_one_send_is_longer_than_all_buffers() {
    let mut hand = Hand::new(102);
    let peer = hand.rig.world.hosts[0].tcp(4096);
    hand.rig.host(peer).listen(7000).unwrap();
    hand.must(tag(1), TCP);
    let Answer::Connected { local: here } = hand.must(tag(1), Call::Connect { remote: at_host(7000) }) else {
        panic!()
    };
    let all = bytes(0..60_000);
    hand.rig.bench.write(BUFFERS, &all);
    let send = hand.ask(tag(1), Call::Send { remote: None, list: buffers(&[(BUFFERS, 7), (BUFFERS + 7, 59_993)]) });
    let mut got = Vec::new();
    hand.run("all bytes", |rig, _| {
        got.extend(rig.host_reads(peer, 2000));
        got.len() == all.len()
    });
    assert!(got == all);
    assert_eq!(hand.answer(send).answer, Answer::Sent { length: 60_000 });
    let told = hand.must(tag(1), Call::Status);
    let Answer::Status { state, remote, readable, local, .. } = told else { panic!("{told:?}") };
    assert_eq!((state, readable, local, remote), (State::Connected, 0, Some(here), Some(at_host(7000))));
    // The peer breaks it off while somebody waits.
    let watch = hand.ask(tag(1), Call::Watch { mask: ready::READ });
    let receive = hand.ask(tag(1), Call::Receive { list: buffers(&[(BUFFERS, 10)]) });
    hand.rig.host(peer).abort();
    assert_eq!(hand.answer(receive).status, Status::Reset);
    assert_eq!(hand.answer(watch).answer, Answer::Ready { ready: ready::ERROR });
    hand.assert_nothing_leaks();
}

#[test]
fn row_69_1_a_datagram_longer_than_the_hosts_buffers_is_cut_and_marked() {
    let mut hand = Hand::new(103);
    hand.must(tag(1), UDP);
    hand.must(tag(1), Call::Bind { local: any(7) });
    let peer = hand.rig.world.hosts[0].udp(20_000);
    let to = IpEndpoint::new(IpAddr::V4(CARD).into(), 7);
    for length in [1200, 300, 0] {
        hand.rig.world.hosts[0].datagrams(peer).send_slice(&bytes(0..length), to).unwrap();
    }
    let list = buffers(&[(BUFFERS, 200), (BUFFERS + 0x1000, 100)]);
    for (length, truncated) in [(300, true), (300, false), (0, false)] {
        let answer = hand.must(tag(1), Call::Receive { list });
        let remote = Some(at_host(20_000));
        assert_eq!(answer, Answer::Received { length, end: false, truncated, remote });
        let got = [hand.rig.bench.read(BUFFERS, 200), hand.rig.bench.read(BUFFERS + 0x1000, 100)].concat();
        assert_eq!(got, bytes(0..300));
    }
    hand.must(tag(1), Call::Send { remote: Some(at_host(20_000)), list });
    let mut back = None;
    hand.run("the answer", |rig, _| {
        back = rig.world.hosts[0].datagrams(peer).recv().ok().map(|(payload, _)| payload.to_vec());
        back.is_some()
    });
    assert_eq!(back, Some(bytes(0..300)));
    hand.assert_nothing_leaks();
}

/// A host that does anything, a link that loses, copies that fail, peers that break off.
fn storm(seed: u64) -> u64 {
    let mut hand = Hand::new(seed);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut draw = move |below: u64| rng.next_u64() % below;
    hand.rig.world.faults = Faults { lost: 30, late: 30, ..Faults::default() };
    hand.rig.bench.inside().setup.faults = 10;
    for index in [1, 2] {
        hand.must(tag(index), if index == 1 { TCP } else { UDP });
        hand.must(tag(index), Call::Bind { local: any(79 + index) });
    }
    hand.must(tag(1), Call::Listen { backlog: 3 });
    let mut peers = Vec::new();
    for number in 0..120 {
        if draw(4) == 0 && peers.len() < 12 {
            peers.push(hand.rig.dial(80, 40_000 + number));
        }
        for &peer in &peers {
            match draw(12) {
                0 => hand.rig.host(peer).close(),
                1 if draw(3) == 0 => hand.rig.host(peer).abort(),
                2..6 => drop(hand.rig.host_reads(peer, 4000)),
                _ => drop(hand.rig.host_writes(peer, &[number as u8; 1500])),
            }
        }
        let session = tag(1 + draw(8) as u16);
        let list = buffers(&[(BUFFERS + draw(5000), 1 + draw(3000) as u32), (BACK + draw(9), 1 + draw(2000) as u32)]);
        let call = match draw(12) {
            0 | 1 => Call::Accept { tag: tag(3 + draw(6) as u16) },
            2..6 => Call::Receive { list },
            6..9 => Call::Send { remote: (session == tag(2)).then(|| at_host(20_000)), list },
            9 => Call::Shutdown { receive: draw(2) == 0, send: draw(2) == 0 },
            10 if session != tag(1) && session != tag(2) => Call::Close { abort: draw(2) == 0 },
            _ => Call::Status,
        };
        hand.ask(session, call);
        let until = hand.rig.world.now + draw(200_000);
        for _ in 0..draw(300) {
            hand.rig.step(until.max(hand.rig.world.now));
            listen(&hand.rig, &mut hand.answers);
        }
    }
    let accepted = hand.rig.isms[0].counters().accepted;
    hand.rig.bench.inside().setup.faults = 0;
    hand.rig.world.faults = Faults::default();
    for &peer in &peers {
        if hand.rig.host(peer).state() != tcp::State::Closed {
            hand.rig.host(peer).abort();
        }
    }
    let asked = hand.asked;
    hand.must(Tag::new(0, 0xFFFF, 0), Call::Reset);
    hand.run("every answer", |_, answers| answers.len() == asked as usize + 1);
    hand.assert_nothing_leaks();
    accepted
}

#[test]
fn whatever_a_host_and_its_peers_do_every_request_is_answered_and_every_block_comes_back() {
    let seeds: Vec<u64> = match std::env::var("POINTSMAN_SEED") {
        Ok(seed) => vec![seed.parse().expect("POINTSMAN_SEED is a number")],
        Err(_) => (0..12).collect(),
    };
    let accepted: Vec<_> = seeds.iter().map(|&seed| storm(seed)).collect();
    assert!(accepted.iter().sum::<u64>() >= 2 * seeds.len() as u64, "too little happened: {accepted:?}");
}
