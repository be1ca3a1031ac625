//! A host that sends anything: bytes, requests bent a little, requests at the wrong time. Whatever it sends is answered once, and in
//! the end nothing is missing.

use abi::socket::frame::{Header, UTIL_NOP};
use abi::socket::{Call, Element, Family, Function, List, Opt, Protocol, Request, Status, Tag};

use super::bench::{Bench, FRAME, HOST_BASE, Setup};
use super::hand::{BUFFERS, Hand, address};
use super::seeds;

struct Draw<'a>(&'a Bench);

impl Draw<'_> {
    fn below(&self, limit: u64) -> u64 {
        self.0.draw(limit)
    }

    fn list(&self) -> List {
        let mut list = List::default();
        for _ in 0..self.below(4) {
            let address = match self.below(16) {
                0 => self.below(u64::MAX),
                _ => BUFFERS + self.below(0x10_0000),
            };
            let length = if self.below(8) == 0 { 1 + self.below(65_536) } else { 1 + self.below(3000) };
            // What cannot be copied is left out.
            let _ = list.push(Element { address, length: length as u32 });
        }
        list
    }

    fn tag(&self) -> Tag {
        Tag::new(self.below(3) as usize, self.below(6) as u16, 0)
    }

    fn remote(&self) -> std::net::SocketAddr {
        let places = ["10.0.0.1:80", "192.0.2.9:7000", "192.0.2.9:9999", "192.0.2.9:1", "10.0.0.1:53"];
        address(places[self.below(places.len() as u64) as usize])
    }

    fn call(&self, asked: u32) -> Call {
        let protocol = if self.below(2) == 0 { Protocol::Tcp } else { Protocol::Udp };
        let option = Opt::ALL[self.below(Opt::ALL.len() as u64) as usize];
        let flag = self.below(2) == 0;
        match self.below(40) {
            0..4 => Call::Create { protocol, family: Family::V4 },
            4..6 => Call::Bind { local: address(["10.0.0.1:80", "10.0.0.1:53", "0.0.0.0:0"][self.below(3) as usize]) },
            6..8 => Call::Listen { backlog: 1 + self.below(4) as u16 },
            8..11 => Call::Accept { tag: self.tag() },
            11..14 => Call::Connect { remote: self.remote() },
            14..21 => Call::Send { remote: (self.below(3) == 0).then(|| self.remote()), list: self.list() },
            21..28 => Call::Receive { list: self.list() },
            28 => Call::Shutdown { receive: flag, send: !flag },
            29..31 => Call::Close { abort: flag },
            31 => {
                let group = option.is_group().then(|| "224.1.1.1".parse().unwrap());
                Call::SetOption { option, value: self.below(9) as u32, group }
            }
            32 => Call::GetOption { option },
            33..35 => Call::Status,
            35..37 => Call::Watch { mask: self.below(32) as u32 },
            37..39 => Call::Cancel { transaction: asked.saturating_sub(self.below(12) as u32) },
            _ if self.below(20) == 0 => Call::Reset,
            _ => Call::Status,
        }
    }
}

/// Peers that connect, send, reset and leave.
fn stir(hand: &mut Hand, peers: &mut Vec<u32>, next: &mut u16) {
    let bench = hand.bench.clone();
    let draw = Draw(&bench);
    while let Some(peer) = hand.network.peer_accepts(address("192.0.2.9:7000")) {
        peers.push(peer);
    }
    match draw.below(12) {
        0 => {
            *next = next.wrapping_add(1).max(1024);
            let from = std::net::SocketAddr::new("192.0.2.8".parse().unwrap(), *next);
            peers.extend(hand.network.dial(from, address("10.0.0.1:80")));
        }
        1 => {
            hand.network.peer_sends_to(address("192.0.2.8:5"), address("10.0.0.1:53"), &[1; 200]);
        }
        _ if peers.is_empty() => {}
        what => {
            let index = draw.below(peers.len() as u64) as usize;
            let peer = peers[index];
            match what {
                2 if draw.below(4) == 0 => {
                    hand.network.peer_resets(peer);
                    peers.swap_remove(index);
                }
                3 if draw.below(4) == 0 => {
                    hand.network.peer_leaves(peer);
                    peers.swap_remove(index);
                }
                4 if draw.below(4) == 0 => hand.network.peer_shuts(peer),
                5..8 => {
                    hand.network.peer_writes(peer, &[0x42; 3000]);
                }
                _ => {
                    hand.network.peer_reads(peer);
                }
            }
        }
    }
}

/// All that was asked is answered once; of bent messages it is counted only.
fn leave(hand: &mut Hand, peers: Vec<u32>) {
    hand.bench.inside().setup.faults = 0;
    for peer in peers {
        hand.network.peer_leaves(peer);
    }
    while let Some(peer) = hand.network.peer_accepts(address("192.0.2.9:7000")) {
        hand.network.peer_leaves(peer);
    }
    hand.run(300);
    hand.assert_nothing_leaks();
}

#[test]
fn row_69_7_requests_at_any_time_are_each_answered_once_and_nothing_leaks() {
    let mut answered = std::collections::BTreeMap::new();
    for seed in seeds(60) {
        let faults = if seed % 3 == 0 { 20 } else { 0 };
        let mut hand = Hand::new(Setup { faults, slow: 1 + seed % 30, ..Setup::new(seed, 3) });
        hand.network.peer_listens(address("192.0.2.9:7000"));
        let (mut peers, mut next) = (Vec::new(), 0);
        for _ in 0..1500 {
            let bench = hand.bench.clone();
            let draw = Draw(&bench);
            let call = draw.call(hand.asked);
            hand.ask(draw.tag(), call);
            let steps = draw.below(4);
            hand.run(steps as usize);
            stir(&mut hand, &mut peers, &mut next);
        }
        leave(&mut hand, peers);
        let lost: u64 = hand.modules.iter().map(|(module, ..)| module.replies().lost).sum();
        let missing = (1..=hand.asked).filter(|transaction| !hand.answers.contains_key(transaction)).count();
        assert_eq!(missing as u64, lost, "seed {seed}");
        for reply in hand.answers.values() {
            *answered.entry((Function::of(reply.function), reply.status)).or_insert(0u32) += 1;
        }
    }
    // The run met most of what there is: every function done and refused.
    let done = answered.keys().filter(|(_, status)| *status == Status::Ok).count();
    assert!(done >= 14, "{answered:?}");
    let mut statuses: Vec<_> = answered.keys().map(|(_, status)| *status).collect();
    statuses.sort();
    statuses.dedup();
    assert!(statuses.len() >= 15, "{statuses:?}");
}

#[test]
fn any_bytes_are_refused_with_a_status_and_counted() {
    let count: u64 = std::env::var("POINTSMAN_HOSTILE").map_or(30_000, |n| n.parse().expect("a number"));
    for seed in seeds(3) {
        let mut hand = Hand::new(Setup { outbound: 16, inbound: 16, slow: 2, ..Setup::new(seed, 3) });
        hand.network.peer_listens(address("192.0.2.9:7000"));
        let (mut peers, mut next, mut answers) = (Vec::new(), 0, 0);
        for _ in 0..count {
            let bench = hand.bench.clone();
            let draw = Draw(&bench);
            let tag = draw.tag();
            let mut bytes = Request { tag, transaction: 0, call: draw.call(0) }.encode().bytes().to_vec();
            bytes.resize(FRAME as usize, 0);
            match draw.below(4) {
                0 => bytes.iter_mut().for_each(|byte| *byte = draw.below(256) as u8),
                1 => {}
                _ => {
                    for _ in 0..1 + draw.below(4) {
                        bytes[draw.below(u64::from(FRAME)) as usize] ^= 1 << draw.below(8);
                    }
                }
            }
            hand.post(tag.processor(), &bytes);
            hand.listens = false;
            hand.step();
            // Transactions mean nothing here, so answers are only counted.
            while let Some(mfa) = hand.bench.take_outbound() {
                let frame = hand.bench.read(HOST_BASE & !0xFFFF_FFFF | u64::from(mfa), FRAME as usize);
                assert!(abi::socket::Reply::decode(&frame).is_ok(), "seed {seed}");
                assert_ne!(Header::read(&frame).function, UTIL_NOP);
                hand.bench.give_outbound(mfa);
                answers += 1;
            }
            if draw.below(8) == 0 {
                stir(&mut hand, &mut peers, &mut next);
            }
        }
        // No bent message has one like that.
        (hand.asked, hand.first) = (0x4000_0000, 0x4000_0000);
        let counters: Vec<_> = hand.modules.iter().map(|(module, ..)| module.counters().clone()).collect();
        let messages: u64 = counters.iter().map(|c| c.messages).sum();
        let refused: u64 = counters.iter().map(|c| c.refused.total()).sum();
        let unused: u64 = counters.iter().map(|c| c.unused).sum();
        assert!(messages >= count - 100 && refused > count / 3 && unused > 0, "seed {seed}: {counters:?}");
        assert!(answers > count / 2, "seed {seed}: {answers}");
        leave(&mut hand, peers);
    }
}
