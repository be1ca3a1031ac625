//! The network port: frames that lie, time that passes, packets of its own.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use abi::receive::{Check, Status};
use smoltcp::wire::{EthernetAddress, IpProtocol, Ipv4Cidr, Ipv6Cidr};
use soft_cores::net::Micros;
use soft_cores::net::addresses::Addresses;
use soft_cores::net::ethernet::{Frame, Station, Tags};
use soft_cores::net::icmp::RateLimit;
use soft_cores::net::neighbour::{Turn, cache};
use soft_cores::net::outgoing::{Outgoing, Path};
use soft_cores::net::port::{Config, Counters, Event, NetworkPort, Taken};
use soft_cores::net::reassembly::Limits;
use soft_cores::net::route::MAX_ROUTERS;

use crate::bytes::{self, CARD, CARD_6, CARD_LOCAL, OWN};
use crate::corpus::Corpus;
use crate::draw::{Draw, Hex};
use crate::engine::{self, Kinds};
use crate::outgoing::{MTU, assert_sound};

const REASSEMBLY: Limits = Limits { bytes: 16_000, source_bytes: 9_000, datagrams: 8, fragments: 8 };
const NEIGHBOURS: cache::Limits = cache::Limits { entries: 8, waiting: 2, waiting_bytes: 4000 };
/// The longest that anything waits: MLDv2's longest response time, 2.3 hours (RFC 3810, 5.1.3).
const LONGEST_WAIT: Micros = 3 * 3_600_000_000;
/// Deadlines that a port may have from its last frame to rest.
const MOST_DEADLINES: usize = 2000;
const GROUPS: [IpAddr; 3] = [
    IpAddr::V4(Ipv4Addr::new(239, 1, 1, 1)),
    IpAddr::V4(Ipv4Addr::new(224, 0, 0, 251)),
    IpAddr::V6(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x99)),
];
const PEERS: [IpAddr; 5] = [
    IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 2, 9)),
    IpAddr::V4(Ipv4Addr::new(10, 0, 0, 255)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2)),
    IpAddr::V6(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x99)),
];

#[derive(Clone, Debug)]
pub enum Step {
    Frame { wait: u64, status: u32, bytes: Hex },
    Pass(u64),
    Send { peer: usize, length: usize, path_mtu: usize },
    Join(usize),
    Leave(usize),
    Try(u8),
}

pub struct Target;

impl engine::Target for Target {
    type Step = Step;
    const NAME: &'static str = "ip_input";
    const CASES: u64 = 300;
    const KINDS: usize = 55;

    fn draw(draw: &mut Draw, corpus: &Corpus) -> Vec<Step> {
        let mut step = || match draw.below(40) {
            0 => Step::Pass(draw.wait()),
            1 | 2 => Step::Send {
                peer: draw.below(PEERS.len()),
                length: draw.below(4000),
                path_mtu: *draw.pick(&[68, 576, 1280, 1500]),
            },
            3 => Step::Join(draw.below(GROUPS.len())),
            4 if draw.once_in(2) => Step::Leave(draw.below(GROUPS.len())),
            4 => Step::Try(draw.below(4) as u8),
            _ => {
                Step::Frame { wait: draw.wait(), status: status(draw), bytes: Hex(bytes::frame(draw, &corpus.frames)) }
            }
        };
        (0..150).map(|_| step()).collect()
    }

    fn run(steps: &[Step], kinds: &mut Kinds) {
        let mut bench = Bench::new();
        for step in steps {
            bench.step(step);
            bench.assert_laws();
        }
        bench.rest();
        let Counters { taken, dropped, .. } = bench.port.counters();
        kinds.extend(taken.iter().map(|(taken, _)| format!("{taken:?}")));
        kinds.extend(dropped.iter().map(|(cause, _)| format!("{cause:?}")));
        let reassembly = bench.port.input().reassembly();
        kinds.extend(reassembly.drops().iter().map(|(cause, _)| format!("{cause:?}")));
    }
}

/// What the hardware found of the checksums: mostly nothing.
pub fn status(draw: &mut Draw) -> u32 {
    let mut check = |lsb: u32| if draw.once_in(2) { 0 } else { *draw.pick(&[1, 1, 1, 1, 2, 3]) << lsb };
    check(Status::IP_CHECK_LSB) | check(Status::TRANSPORT_CHECK_LSB)
}

pub fn addresses() -> Addresses {
    let v6 = |octets: [u8; 16]| Ipv6Cidr::new(octets.into(), 64);
    Addresses { ipv4: vec![Ipv4Cidr::new(CARD.into(), 24)], ipv6: vec![v6(CARD_LOCAL), v6(CARD_6)] }
}

struct Bench {
    port: NetworkPort,
    now: Micros,
    frames: u64,
    delivered: u64,
}

impl Bench {
    fn new() -> Self {
        let config = Config {
            station: Station { address: EthernetAddress(OWN), tags: Tags::default() },
            addresses: addresses(),
            gateways: vec![Ipv4Addr::new(10, 0, 0, 254)],
            turn: Turn::new(0, 1),
            mtu: MTU,
            seed: 9,
            reassembly: REASSEMBLY,
            neighbours: NEIGHBOURS,
            groups: 8,
            errors: RateLimit::default(),
        };
        let port = NetworkPort::new(config).expect("there are few addresses");
        let mut bench = Self { port, now: 0, frames: 0, delivered: 0 };
        let events = bench.port.start(0);
        bench.look(&events);
        bench
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Frame { wait, status, bytes } => {
                self.pass(*wait);
                self.frames += 1;
                let events = self.port.receive(self.now, &bytes.0, Status(*status));
                look(&events, &mut self.delivered);
                assert_read_as_written(&bytes.0);
            }
            Step::Pass(wait) => self.pass(*wait),
            Step::Send { peer, length, path_mtu } => self.send(PEERS[*peer], *length, *path_mtu),
            Step::Join(group) => {
                let events = self.port.join(self.now, GROUPS[*group]).unwrap_or_default();
                self.look(&events);
            }
            Step::Leave(group) => {
                let events = self.port.leave(self.now, GROUPS[*group]);
                self.look(&events);
            }
            Step::Try(low) => {
                let address = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x100 + u16::from(*low));
                let events = self.port.try_address(self.now, address).unwrap_or_default();
                self.look(&events);
            }
        }
    }

    fn send(&mut self, peer: IpAddr, length: usize, path_mtu: usize) {
        let Some(source) = self.port.addresses().source_for(peer) else { return };
        let Some(path) = Path::new(source, peer) else { return };
        // IPv6 has no path that is narrower (RFC 8200, 5).
        let path_mtu = if peer.is_ipv6() { path_mtu.max(1280) } else { path_mtu };
        let datagram = Outgoing::new(path, IpProtocol::Unknown(253), vec![0x5a; length]);
        let events = self.port.send_datagram(self.now, &datagram, path_mtu);
        self.look(&events);
    }

    fn look(&mut self, events: &[Event]) {
        look(events, &mut self.delivered);
    }

    /// Does what is due until then, each thing when it is.
    fn pass(&mut self, wait: Micros) {
        let until = self.now + wait;
        for _ in 0..MOST_DEADLINES {
            let Some(at) = self.port.next_deadline().filter(|&at| at <= until) else { break };
            self.now = self.now.max(at);
            let events = self.port.poll(self.now);
            self.look(&events);
            assert!(self.port.next_deadline().is_none_or(|next| next > self.now), "what was due at {at} still is");
        }
        assert!(self.port.next_deadline().is_none_or(|at| at > until), "deadlines without end");
        self.now = until;
    }

    fn assert_laws(&self) {
        let counters = self.port.counters();
        assert_eq!(counters.received, self.frames);
        assert_eq!(counters.taken.total() + counters.dropped.total(), self.frames);
        assert_eq!(counters.taken.of(Taken::Transport), self.delivered);
        let (ip, reassembly) = (self.port.input().counters(), self.port.input().reassembly());
        let dropped = ip.drops.total() + reassembly.drops().total();
        assert_eq!(ip.received, ip.delivered + ip.merged + dropped + reassembly.held());
        assert!(reassembly.bytes() <= REASSEMBLY.bytes);
        assert!(reassembly.held() <= (REASSEMBLY.datagrams * REASSEMBLY.fragments) as u64);
        let (cache, routes) = (self.port.neighbours().cache(), self.port.neighbours().routes());
        assert!(cache.len() <= NEIGHBOURS.entries && cache.waiting_bytes() <= NEIGHBOURS.waiting_bytes);
        assert!(routes.routers(self.now).count() <= MAX_ROUTERS);
        let deadline = self.port.next_deadline();
        assert!(deadline.is_none_or(|at| at <= self.now + LONGEST_WAIT), "{deadline:?} at {}", self.now);
    }

    /// When nothing more comes, all that waits ends.
    fn rest(&mut self) {
        self.pass(2 * LONGEST_WAIT);
        self.assert_laws();
        assert_eq!(self.port.next_deadline(), None);
        let reassembly = self.port.input().reassembly();
        assert_eq!((reassembly.held(), reassembly.bytes()), (0, 0));
        assert_eq!(self.port.neighbours().cache().waiting_bytes(), 0);
    }
}

fn look(events: &[Event], delivered: &mut u64) {
    for event in events {
        match event {
            Event::Transmit(frame) => assert_sound(frame),
            Event::Deliver { packet, delivery, transport_check } => {
                *delivered += 1;
                assert_ne!(*transport_check, Check::Bad);
                assert!(delivery.payload.start <= delivery.payload.end && delivery.payload.end <= packet.len());
                assert!(delivery.without_extensions(packet).ends_with(delivery.payload_of(packet)));
                assert!(delivery.protocol_at < delivery.payload.start);
                assert_eq!(packet[delivery.protocol_at], u8::from(delivery.protocol));
            }
            _ => {}
        }
    }
}

/// A frame that is read is the frame that would be written.
fn assert_read_as_written(bytes: &[u8]) {
    if let Ok(frame) = Frame::parse(bytes) {
        assert_eq!(frame.emit(), bytes);
    }
}
