//! A card whose processors have stacks, hosts, and what lies between them: a card that dispatches by hash, messages that take
//! their time and keep their order per pair, and a link that delays, loses, reorders and cuts.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use abi::limits::RETA_ENTRIES;
use abi::receive::Status;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use smoltcp::wire::{EthernetAddress, Ipv4Cidr, Ipv6Cidr};
use soft_cores::net::addresses::Addresses;
use soft_cores::net::ethernet::{Station, Tags};
use soft_cores::net::icmp::RateLimit;
use soft_cores::net::neighbour::{Turn, cache};
use soft_cores::net::parcel::{Encoded, Parcel};
use soft_cores::net::reassembly;
use soft_cores::net::session::End;
use soft_cores::net::stack::{Action, Config, Stack};
use soft_cores::net::steering::Help;
use soft_cores::net::steering::table::Table;
use soft_cores::net::transport;
use soft_cores::net::{Micros, port};

use crate::host::Host;

pub const CARD: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
pub const CARD_6: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
const STATION: EthernetAddress = EthernetAddress([2, 0, 0, 0, 0, 1]);
/// No test takes longer.
const STEPS: usize = 3_000_000;

/// What happens to frames on their way to the card, and to messages; all by chances in a thousand.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    pub lost: u32,
    /// These take up to ten times as long.
    pub late: u32,
    /// IP packets to the card are cut into fragments with so many bytes of payload.
    pub cut: Option<usize>,
    /// How long a message takes at most.
    pub message: Micros,
}

/// Something on its way.
enum Flight {
    ToCard(Vec<u8>),
    ToHost(usize, Vec<u8>),
    Message { from: usize, to: usize, encoded: Encoded },
}

pub struct World {
    pub now: Micros,
    pub stacks: Vec<Stack>,
    pub hosts: Vec<Host>,
    /// The card's registers, which software need not know yet.
    pub hardware: Table,
    pub faults: Faults,
    /// Which processors are too busy for datagrams.
    pub busy: Vec<bool>,
    /// Frames that each processor got from the card.
    pub dispatched: Vec<u64>,
    /// Frames that the card sent.
    pub sent: Vec<Vec<u8>>,
    pub keep_sent: bool,
    /// Frames that came to the card.
    pub arrived: Vec<Vec<u8>>,
    pub keep_arrived: bool,
    /// Messages that are held back, by receiver.
    pub blocked: Option<usize>,
    waiting: Vec<(Micros, Flight)>,
    flights: BTreeMap<(Micros, u64), Flight>,
    number: u64,
    /// When the last message of each pair arrives.
    order: BTreeMap<(usize, usize), Micros>,
    rng: ChaCha8Rng,
}

/// A card of so many processors, and what a test wants different.
pub fn config(me: usize, processors: usize, seed: u64) -> Config {
    let live = ((1_u32 << processors) - 1) as u16;
    Config {
        port: port::Config {
            station: Station { address: STATION, tags: Tags::default() },
            addresses: Addresses { ipv4: vec![Ipv4Cidr::new(CARD, 24)], ipv6: vec![Ipv6Cidr::new(CARD_6, 64)] },
            gateways: vec![Ipv4Addr::new(10, 0, 0, 254)],
            turn: Turn::new(me, live),
            mtu: 1500,
            seed: seed ^ me as u64,
            reassembly: reassembly::Limits::default(),
            neighbours: cache::Limits { waiting: 64, waiting_bytes: 128 << 10, ..cache::Limits::default() },
            groups: 8,
            errors: RateLimit::default(),
        },
        live,
        transport: transport::Config {
            mtu: 1500,
            seed: seed.wrapping_mul(31) ^ me as u64,
            sockets: 512,
            memory: 32 << 20,
            times: transport::Times::default(),
        },
        directory: soft_cores::net::directory::Limits::default(),
        table: Table::reset(processors),
        held: 64,
    }
}

impl World {
    pub fn new(processors: usize, hosts: u8, seed: u64) -> Self {
        Self::with(processors, hosts, seed, |_| ())
    }

    pub fn with(processors: usize, hosts: u8, seed: u64, change: impl Fn(&mut Config)) -> Self {
        println!("seed {seed}");
        let stack = |me| {
            let mut config = config(me, processors, seed);
            change(&mut config);
            Stack::new(config).unwrap()
        };
        Self {
            now: 0,
            stacks: (0..processors).map(stack).collect(),
            hosts: (0..hosts).map(|number| Host::new(number + 2, seed ^ u64::from(number) << 32)).collect(),
            hardware: Table::reset(processors),
            faults: Faults { message: 5, ..Faults::default() },
            busy: vec![false; processors],
            dispatched: vec![0; processors],
            sent: Vec::new(),
            keep_sent: false,
            arrived: Vec::new(),
            keep_arrived: false,
            blocked: None,
            waiting: Vec::new(),
            flights: BTreeMap::new(),
            number: 0,
            order: BTreeMap::new(),
            rng: ChaCha8Rng::seed_from_u64(seed),
        }
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        self.rng.next_u64() % limit.max(1)
    }

    fn happens(&mut self, thousandths: u32) -> bool {
        self.below(1000) < u64::from(thousandths)
    }

    fn launch(&mut self, at: Micros, flight: Flight) {
        self.number += 1;
        self.flights.insert((at, self.number), flight);
    }

    /// A frame on the link towards the card.
    pub fn throw(&mut self, frame: Vec<u8>) {
        let pieces = match self.faults.cut {
            Some(size) => cut(&frame, size, self.number as u16),
            None => vec![frame],
        };
        for piece in pieces {
            if !self.happens(self.faults.lost) {
                let at = self.now + self.delay();
                self.launch(at, Flight::ToCard(piece));
            }
        }
    }

    fn delay(&mut self) -> Micros {
        50 + if self.happens(self.faults.late) { self.below(500) } else { 0 }
    }

    /// Carries out what the stacks want, and what the hosts send.
    pub fn settle(&mut self) {
        for host in 0..self.hosts.len() {
            for frame in self.hosts[host].poll(self.now) {
                self.throw(frame);
            }
        }
        for from in 0..self.stacks.len() {
            for action in self.stacks[from].take_actions() {
                match action {
                    Action::Transmit(frame) => self.transmit(frame),
                    Action::Message { to, parcel } => self.send_message(from, to, &parcel),
                    Action::EchoReply { .. } | Action::AddressAdded(_) | Action::AddressRefused(_) => (),
                }
            }
        }
    }

    fn transmit(&mut self, frame: Vec<u8>) {
        if self.keep_sent {
            self.sent.push(frame.clone());
        }
        let to = |host: &Host| frame[0] & 1 == 1 || frame[..6] == host.hardware.0;
        let hearing: Vec<_> = (0..self.hosts.len()).filter(|&host| to(&self.hosts[host])).collect();
        for host in hearing {
            if !self.happens(self.faults.lost) {
                let at = self.now + self.delay();
                self.launch(at, Flight::ToHost(host, frame.clone()));
            }
        }
    }

    fn send_message(&mut self, from: usize, to: usize, parcel: &Parcel) {
        assert!(to != from && to < self.stacks.len(), "{from} to {to}: {parcel:?}");
        let encoded = parcel.encode();
        let delay = 1 + self.below(self.faults.message);
        let last = self.order.get(&(from, to)).copied().unwrap_or(0);
        let at = (self.now + delay).max(last);
        self.order.insert((from, to), at);
        self.launch(at, Flight::Message { from, to, encoded });
    }

    /// The processors that the card gives a frame to.
    fn targets(&self, frame: &[u8]) -> Vec<usize> {
        let is_discovery = frame[12..14] == [0x86, 0xdd] && frame[20] == 58;
        if frame[12..14] == [8, 6] || is_discovery {
            return (0..self.stacks.len()).collect();
        }
        let word = |at: usize| u32::from_be_bytes(frame[at..at + 4].try_into().unwrap());
        let half = |at: usize| u32::from(u16::from_be_bytes(frame[at..at + 2].try_into().unwrap()));
        if frame[12..14] == [0x86, 0xdd] {
            let source = (22..38).step_by(4).fold(0, |sum, at| sum ^ word(at));
            let ports = if matches!(frame[20], 6 | 17) { half(54) } else { 0 };
            return self.entry(source ^ ports);
        }
        let is_fragment = half(20) & 0x3fff != 0;
        let ports = 14 + usize::from(frame[14] & 15) * 4;
        let input = match frame[23] {
            _ if is_fragment => half(18),
            6 | 17 if self.hardware.registers.reads_destination_port() => word(26) ^ half(ports) ^ half(ports + 2),
            6 | 17 => word(26) ^ half(ports),
            _ => word(26),
        };
        self.entry(input)
    }

    fn entry(&self, input: u32) -> Vec<usize> {
        // Bit by bit: bit i goes into bit i mod w.
        let width = u32::from(self.hardware.registers.chunk_bits);
        let hash = (0..32).filter(|bit| input >> bit & 1 == 1).fold(0, |hash, bit| hash ^ 1 << (bit % width));
        vec![usize::from(self.hardware.entries[hash % RETA_ENTRIES])]
    }

    fn arrive(&mut self, flight: Flight) {
        match flight {
            Flight::ToCard(frame) => {
                if self.keep_arrived {
                    self.arrived.push(frame.clone());
                }
                for to in self.targets(&frame) {
                    self.dispatched[to] += 1;
                    let busy = self.busy.clone();
                    let mut help = || match (busy[to], (0..busy.len()).find(|&other| !busy[other])) {
                        (false, _) => Help::NotNeeded,
                        (true, Some(other)) => Help::From(other),
                        (true, None) => Help::Nobody,
                    };
                    self.stacks[to].receive(self.now, &frame, Status(0), &mut help);
                }
            }
            Flight::ToHost(host, frame) => self.hosts[host].receive(frame),
            Flight::Message { to, .. } if self.blocked == Some(to) => self.waiting.push((self.now, flight)),
            Flight::Message { from, to, encoded } => {
                let parcel = Parcel::decode(encoded.kind, encoded.context, encoded.body).expect("a parcel");
                self.stacks[to].message(self.now, from, parcel);
            }
        }
    }

    /// Lets messages to all processors through again.
    pub fn unblock(&mut self) {
        self.blocked = None;
        for (_, flight) in std::mem::take(&mut self.waiting) {
            self.arrive(flight);
        }
    }

    /// Does what happens next, not after `until`. Says whether anything did.
    pub fn step(&mut self, until: Micros) -> bool {
        self.settle();
        let now = self.now;
        let flight = self.flights.keys().next().map(|&(at, _)| at);
        let stack = self.stacks.iter().filter_map(Stack::next_deadline).min();
        let host = self.hosts.iter_mut().filter_map(|host| host.next_deadline(now)).min();
        let Some(next) = [flight, stack, host].into_iter().flatten().min().filter(|&next| next <= until) else {
            self.now = until;
            return false;
        };
        self.now = next.max(now);
        for stack in &mut self.stacks {
            if stack.next_deadline().is_some_and(|at| at <= self.now) {
                stack.poll(self.now);
            }
        }
        while let Some(entry) = self.flights.first_entry() {
            if entry.key().0 > self.now {
                break;
            }
            let flight = entry.remove();
            self.arrive(flight);
        }
        true
    }

    /// Goes on until `done`, calling `act` after every step; fails after `limit`.
    pub fn run(&mut self, limit: Micros, mut act: impl FnMut(&mut Self) -> bool) {
        let until = self.now + limit;
        for _ in 0..STEPS {
            if act(self) {
                self.settle();
                return;
            }
            assert!(self.step(until) || act(self), "not done after {limit} microseconds");
        }
        panic!("not done after {STEPS} steps");
    }

    /// Lets time pass.
    pub fn pass(&mut self, time: Micros) {
        let until = self.now + time;
        for _ in 0..STEPS {
            if !self.step(until) {
                return;
            }
        }
        panic!("{STEPS} steps in {time} microseconds");
    }

    /// The host writes a table into the card's registers and tells the first processor.
    pub fn change_table(&mut self, change: impl FnOnce(&mut Table)) {
        let mut table = self.hardware.clone();
        table.generation += 1;
        change(&mut table);
        self.hardware = table.clone();
        self.stacks[0].set_table(self.now, table);
    }

    /// Nothing is left of any session: no connection, no memory, no entry in a directory.
    pub fn assert_clean(&self, sockets: usize, memory: usize) {
        for (number, stack) in self.stacks.iter().enumerate() {
            let transport = stack.transport();
            assert_eq!(transport.usage(), (sockets, memory), "processor {number}: {:?}", transport.counters());
            assert_eq!(transport.sessions(), 0, "processor {number}");
            assert_eq!(stack.directory().sessions(), (0, 0), "processor {number}");
            assert_eq!(stack.held(), 0, "processor {number}");
        }
    }
}

pub fn end(address: impl Into<IpAddr>, port: u16) -> End {
    End::new(address.into(), port)
}

/// Any address of IPv4.
pub fn any(port: u16) -> End {
    end(Ipv4Addr::UNSPECIFIED, port)
}

fn checksum(header: &[u8]) -> [u8; 2] {
    let mut sum: u32 = header.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    (!(sum as u16)).to_be_bytes()
}

/// Cuts an IPv4 frame into fragments with at most `size` bytes each, a multiple of eight.
pub fn cut(frame: &[u8], size: usize, identification: u16) -> Vec<Vec<u8>> {
    if frame[12..14] != [8, 0] {
        return vec![frame.to_vec()];
    }
    let length = usize::from(u16::from_be_bytes([frame[16], frame[17]]));
    let payload = &frame[34..14 + length];
    let pieces = payload.chunks(size).enumerate();
    pieces
        .map(|(number, piece)| {
            let mut header = frame[..34].to_vec();
            header[16..18].copy_from_slice(&((20 + piece.len()) as u16).to_be_bytes());
            header[18..20].copy_from_slice(&identification.to_be_bytes());
            let more = (number + 1) * size < payload.len();
            let offset = (number * size / 8) as u16 | if more { 0x2000 } else { 0 };
            header[20..22].copy_from_slice(&offset.to_be_bytes());
            header[24..26].fill(0);
            let sum = checksum(&header[14..34]);
            header[24..26].copy_from_slice(&sum);
            [&header, piece].concat()
        })
        .collect()
}
