//! Net kernels on a card, and what makes them go on.

use std::cell::RefCell;
use std::net::Ipv4Addr;
use std::rc::Rc;

use smoltcp::wire::{EthernetAddress, Ipv4Cidr};
use soft_cores::kernel::startup;
use soft_cores::net::addresses::Addresses;
use soft_cores::net::ethernet::{Station, Tags};
use soft_cores::net::icmp::RateLimit;
use soft_cores::net::neighbour::{Turn, cache};
use soft_cores::net::{directory, port, reassembly, transport};
use soft_cores::net_kernel::{Config, NetKernel, mail};

use crate::card::{Card, Port};

pub const CARD: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
pub const PEER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const CARD_ETHERNET: [u8; 6] = [2, 0, 0, 0, 0, 1];
/// What a run may take.
const STEPS: usize = 200_000;

pub type Net = Rc<NetKernel<Port>>;

pub struct World {
    pub card: Rc<RefCell<Card>>,
    pub nets: Vec<Net>,
    /// Who takes no interrupts now, a bit each.
    pub stalled: u32,
}

pub fn config() -> Config {
    Config {
        kernel: startup::Config::default(),
        port: port::Config {
            station: Station { address: EthernetAddress(CARD_ETHERNET), tags: Tags::default() },
            addresses: Addresses { ipv4: vec![Ipv4Cidr::new(CARD, 24)], ipv6: Vec::new() },
            gateways: Vec::new(),
            turn: Turn::new(0, 1),
            mtu: 1500,
            seed: 1,
            reassembly: reassembly::Limits::default(),
            neighbours: cache::Limits::default(),
            groups: 64,
            errors: RateLimit::default(),
        },
        transport: transport::Config {
            mtu: 1500,
            seed: 1,
            sockets: 64,
            memory: 1 << 20,
            times: transport::Times::default(),
        },
        directory: directory::Limits::default(),
        table: None,
        held: 64,
        mail: mail::Config::default(),
        module: None,
        cycles_per_micro: 125,
        frame_bytes: 1536,
        receive_buffers: 128,
        send_buffers: 16,
    }
}

impl World {
    pub fn new(processors: usize) -> Self {
        Self::with(processors, config())
    }

    pub fn with(processors: usize, config: Config) -> Self {
        let card = Card::new(processors);
        let start = |number| NetKernel::start(Port { number, card: card.clone() }, config.clone()).expect("it starts");
        Self { nets: (0..processors).map(start).collect(), card, stalled: 0 }
    }

    fn awake(&self) -> impl Iterator<Item = usize> + use<> {
        let stalled = self.stalled;
        (0..self.nets.len()).filter(move |processor| stalled >> processor & 1 == 0)
    }

    /// An interrupt of everybody who has one; says whether anybody did.
    pub fn interrupt(&self) -> bool {
        let mut any = false;
        for processor in self.awake() {
            if self.card.borrow().line(processor) {
                let handler = self.card.borrow().handler(processor);
                handler();
                any = true;
            }
        }
        any
    }

    /// A copy of each channel; says whether there was any.
    pub fn copy(&self) -> bool {
        let (card, processors) = (&mut self.card.borrow_mut(), 0..self.nets.len());
        processors.map(|processor| card.copy(processor)).filter(|&was_one| was_one).count() > 0
    }

    /// Goes on for so many cycles.
    pub fn pass(&self, cycles: u64) {
        let end = self.card.borrow().time + cycles;
        for _ in 0..STEPS {
            while self.copy() {}
            let moved = self.interrupt();
            let time = self.card.borrow().time;
            let next = self.card.borrow().next(self.awake()).clamp(time + 1, end.max(time + 1));
            match (moved, time >= end) {
                (true, _) => self.card.borrow_mut().time += 10,
                (false, true) => return,
                (false, false) => self.card.borrow_mut().time = next,
            }
        }
        panic!("{STEPS} steps in {cycles} cycles");
    }

    /// Everything that was taken is back, and nothing waits.
    pub fn assert_clean(&self) {
        for (number, net) in self.nets.iter().enumerate() {
            let (blocks, landing) = net.mail_pools();
            let (receive, send) = net.pools();
            let used = [blocks, landing, receive, send].map(|pool| net.kernel().usage(pool).unwrap().used);
            assert_eq!(used, [0, 0, 128, 0], "processor {number}");
            assert_eq!(net.mail_under_way(), (0, 0, 0), "processor {number}");
            assert_eq!((net.kernel().backlog(), net.kernel().lists_under_way()), (0, 0), "processor {number}");
            assert_eq!(net.kernel().foreign_frees(), 0, "processor {number}");
        }
        assert_eq!(self.card.borrow().refused, 0, "nobody writes to a queue that is full");
    }
}

/// The frame of an IPv4 packet of UDP for the card: identification 7, this field of flags and offset.
fn frame(fragment: u16, bytes: &[u8]) -> Vec<u8> {
    let mut header = [0x45, 0, 0, 0, 0, 7, 0, 0, 64, 17, 0, 0].to_vec();
    header.extend([PEER.octets(), CARD.octets()].concat());
    header[2..4].copy_from_slice(&(20 + bytes.len() as u16).to_be_bytes());
    header[6..8].copy_from_slice(&fragment.to_be_bytes());
    let sum: u32 = header.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1])).sum();
    header[10..12].copy_from_slice(&(!(((sum & 0xffff) + (sum >> 16)) as u16)).to_be_bytes());
    let mut frame = [&CARD_ETHERNET[..], &[2, 0, 0, 0, 0, 2, 8, 0], &header, bytes].concat();
    frame.resize(frame.len().max(60), 0);
    frame
}

/// A UDP datagram (RFC 768), without a checksum.
fn datagram(port: u16, payload: &[u8]) -> Vec<u8> {
    let header = [4000, port, 8 + payload.len() as u16, 0].map(u16::to_be_bytes).concat();
    [&header, payload].concat()
}

/// A datagram in an Ethernet frame for the card.
pub fn datagram_frame(port: u16, payload: &[u8]) -> Vec<u8> {
    frame(0, &datagram(port, payload))
}

/// A datagram in two fragments, the first of so many bytes.
pub fn fragment_frames(port: u16, payload: &[u8], first: usize) -> [Vec<u8>; 2] {
    let datagram = datagram(port, payload);
    let (head, tail) = datagram.split_at(first);
    [frame(0x2000, head), frame((first / 8) as u16, tail)]
}
