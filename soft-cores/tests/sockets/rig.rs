//! A card whose processors have sockets: the world of the stacks, the memories and frames of the bench, and the module between.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;

use abi::socket::{Family, Protocol, Status};
use smoltcp::iface::SocketHandle;
use smoltcp::socket::tcp;
use soft_cores::ism::Ism;
use soft_cores::ism::sockets::{Below, Config, Memory, Share, Sockets};
use soft_cores::ism::transport::{Accepted, Condition, Socket, Span, Spans, Transport};
use soft_cores::net::transport::Options;
use soft_cores::net::{Micros, SECOND};
use soft_cores::platform::OutsideMemory;

use crate::bench::{Bench, FRAME, HOST_BASE, MEMORY, ModelCard, SLOTS, SLOTS_AT, SOCKETS_AT, Setup};
use crate::world::{CARD, World};

/// No test takes longer.
const STEPS: usize = 300_000;
/// Bytes of a ring, and of each buffer of the stack below it. They do not divide what the tests send.
pub const RING: u32 = 3001;
pub const INSIDE: usize = 2500;

/// Blocks of a processor's memory.
#[derive(Default)]
struct Blocks {
    free: Vec<(Share, u32, u32)>,
    /// Address: its share, bytes of the block, and those that were asked for.
    taken: BTreeMap<u32, (Share, u32, u32)>,
}

/// A processor's memory, which knows what of it is taken.
#[derive(Clone)]
pub struct BenchMemory {
    bench: Bench,
    processor: usize,
    blocks: Rc<RefCell<Blocks>>,
}

impl BenchMemory {
    fn new(bench: &Bench, processor: usize, shares: &[(Share, u32, u32)]) -> Self {
        let mut blocks = Blocks::default();
        let mut next = SOCKETS_AT;
        for &(share, bytes, count) in shares {
            for _ in 0..count {
                blocks.free.push((share, bytes, next));
                // Apart, so that who runs over an end is found.
                next += bytes + 64;
            }
        }
        assert!(next as usize <= MEMORY);
        Self { bench: bench.clone(), processor, blocks: Rc::new(RefCell::new(blocks)) }
    }

    /// Blocks that are taken.
    pub fn taken(&self) -> usize {
        self.blocks.borrow().taken.len()
    }

    pub fn taken_of(&self, share: Share) -> usize {
        self.blocks.borrow().taken.values().filter(|(whose, ..)| *whose == share).count()
    }

    fn assert_taken(&self, address: u32, length: usize) {
        let blocks = self.blocks.borrow();
        let around = blocks.taken.range(..=address).next_back();
        let is_inside =
            around.is_some_and(|(&start, &(.., bytes))| address as usize + length <= (start + bytes) as usize);
        assert!(length == 0 || is_inside, "{length} bytes at {address:#x}, which nobody has");
    }

    /// So that nobody lives on what was there before.
    fn spoil(&self, address: u32, length: u32) {
        self.bench.poke(self.processor, address, &vec![0xEE; length as usize]);
    }
}

impl Memory for BenchMemory {
    fn take(&mut self, share: Share, bytes: u32) -> Option<u32> {
        let mut blocks = self.blocks.borrow_mut();
        let found = blocks.free.iter().position(|&(whose, size, _)| whose == share && size >= bytes)?;
        let (share, size, address) = blocks.free.remove(found);
        assert!(blocks.taken.insert(address, (share, size, bytes)).is_none());
        drop(blocks);
        self.spoil(address, size);
        self.bench.set_live(self.processor, address, bytes, true);
        Some(address)
    }

    fn give_back(&mut self, address: u32) {
        let mut blocks = self.blocks.borrow_mut();
        let (share, size, bytes) = blocks.taken.remove(&address).expect("what is given back was taken");
        blocks.free.push((share, size, address));
        drop(blocks);
        self.spoil(address, size);
        self.bench.set_live(self.processor, address, bytes, false);
    }

    fn load(&self, address: u32, bytes: &mut [u8]) -> Result<(), OutsideMemory> {
        self.assert_taken(address, bytes.len());
        bytes.copy_from_slice(&self.bench.peek(self.processor, address, bytes.len()));
        Ok(())
    }

    fn store(&mut self, address: u32, bytes: &[u8]) -> Result<(), OutsideMemory> {
        self.assert_taken(address, bytes.len());
        self.bench.poke(self.processor, address, bytes);
        Ok(())
    }
}

pub struct Rig {
    pub world: World,
    pub bench: Bench,
    pub isms: Vec<Ism>,
    pub cards: Vec<ModelCard>,
    pub sockets: Vec<Sockets>,
    pub memories: Vec<BenchMemory>,
}

/// What a test wants different.
pub struct Wish {
    pub processors: usize,
    pub sockets: Config,
    pub shares: Vec<(Share, u32, u32)>,
}

impl Default for Wish {
    fn default() -> Self {
        let streams = Options { receive_buffer: INSIDE, send_buffer: INSIDE, ..Options::default() };
        let datagrams = Options { receive_buffer: 100_000, ..Options::default() };
        let (datagram, linger) = (65_507, 5 * SECOND);
        let shares = [(Share::Ring, RING, 24), (Share::Received, 65_507, 6), (Share::ToSend, 65_507, 3)];
        Self {
            processors: 1,
            sockets: Config { sockets: 20, ring: RING, datagram, waiting: 4, linger, streams, datagrams },
            shares: shares.to_vec(),
        }
    }
}

pub fn local(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(CARD), port)
}

pub fn at_host(port: u16) -> SocketAddr {
    SocketAddr::new("10.0.0.2".parse().unwrap(), port)
}

/// Byte number `at` of a stream.
pub fn byte(at: usize) -> u8 {
    (at.wrapping_mul(31) >> 3) as u8 ^ at as u8
}

pub fn bytes(range: std::ops::Range<usize>) -> Vec<u8> {
    range.map(byte).collect()
}

impl Rig {
    /// One host, and processors with sockets.
    pub fn new(seed: u64) -> Self {
        Self::with(seed, Wish::default())
    }

    pub fn with(seed: u64, wish: Wish) -> Self {
        let processors = wish.processors;
        let bench = Bench::new(Setup { inbound: 16, outbound: 16, ..Setup::new(seed, processors) });
        (0..16).for_each(|frame| bench.give_outbound(HOST_BASE as u32 + frame * FRAME));
        let ism = |processor| {
            let slots = SLOTS_AT..SLOTS_AT + SLOTS * FRAME;
            Ism::new(soft_cores::ism::Config { processor, sessions: 12, credits: 8, copies: 12, answers: 6, slots })
        };
        Self {
            world: World::new(processors, 1, seed),
            isms: (0..processors).map(ism).collect(),
            cards: (0..processors).map(|processor| bench.card(processor)).collect(),
            sockets: (0..processors).map(|_| Sockets::new(wish.sockets)).collect(),
            memories: (0..processors).map(|processor| BenchMemory::new(&bench, processor, &wish.shares)).collect(),
            bench,
        }
    }

    pub fn on(&mut self, processor: usize) -> Below<'_, BenchMemory> {
        let Self { world, sockets, memories, .. } = self;
        sockets[processor].on(&mut world.stacks[processor], &mut memories[processor], world.now)
    }

    /// Has all modules do what they can; that ends.
    pub fn serve(&mut self) {
        for processor in 0..self.isms.len() {
            let Self { world, sockets, memories, isms, cards, .. } = self;
            let mut below = sockets[processor].on(&mut world.stacks[processor], &mut memories[processor], world.now);
            let turns = (0..1000).position(|_| !below.serve(&mut isms[processor], &mut cards[processor], 4));
            assert!(turns.is_some(), "there is always more to do");
        }
        self.world.settle();
    }

    /// Does what happens next, not after `until`; says whether anything did.
    pub fn step(&mut self, until: Micros) -> bool {
        self.serve();
        self.bench.tick();
        let due = self.sockets.iter().filter_map(Sockets::next_deadline).min();
        // The bench has no clock of its own.
        let copied = (!self.bench.is_quiet()).then_some(self.world.now + 10);
        let next = [due, copied].into_iter().flatten().min().filter(|&next| next <= until);
        let happened = self.world.step(next.unwrap_or(until).max(self.world.now));
        happened || next.is_some()
    }

    /// Goes on until `done`.
    pub fn run(&mut self, what: &str, mut done: impl FnMut(&mut Self) -> bool) {
        let until = self.world.now + 300 * SECOND;
        for _ in 0..STEPS {
            self.serve();
            if done(self) {
                return self.serve();
            }
            let happened = self.step(until);
            assert!(happened || done(self), "never: {what}");
        }
        panic!("not in {STEPS} steps: {what}");
    }

    /// Lets time pass.
    pub fn pass(&mut self, time: Micros) {
        let until = self.world.now + time;
        for _ in 0..STEPS {
            if !self.step(until) {
                return self.serve();
            }
        }
        panic!("{STEPS} steps in {time} microseconds");
    }

    pub fn tcp(&mut self, processor: usize) -> Socket {
        self.on(processor).open(Protocol::Tcp, Family::V4).unwrap()
    }

    /// A listener on every processor.
    pub fn listen(&mut self, port: u16, backlog: u16) -> Vec<Socket> {
        let any = SocketAddr::new("0.0.0.0".parse().unwrap(), port);
        (0..self.isms.len())
            .map(|processor| {
                let socket = self.tcp(processor);
                assert_eq!(self.on(processor).bind(socket, any), Ok(any));
                assert_eq!(self.on(processor).listen(socket, backlog), Ok(()));
                socket
            })
            .collect()
    }

    /// A stream of the host that connects to the card, not accepted.
    pub fn dial(&mut self, port: u16, from: u16) -> SocketHandle {
        let socket = self.world.hosts[0].tcp(4096);
        self.world.hosts[0].connect(socket, CARD, port, from);
        socket
    }

    /// A connection that the host opens to processor 0: both its ends, and nobody listens any more.
    pub fn accepted(&mut self) -> (SocketHandle, Socket) {
        let listeners = self.listen(80, 4);
        let peer = self.dial(80, 40_000);
        let mut found = None;
        self.run("a connection", |rig| {
            found = rig.on(0).accept(listeners[0]);
            found.is_some()
        });
        let Accepted { socket, local: here, remote } = found.unwrap();
        assert_eq!((here, remote), (local(80), at_host(40_000)));
        self.on(0).close(listeners[0]);
        (peer, socket)
    }

    pub fn host(&mut self, socket: SocketHandle) -> &mut tcp::Socket<'static> {
        self.world.hosts[0].stream(socket)
    }

    pub fn condition(&mut self, socket: Socket) -> Condition {
        self.on(0).condition(socket)
    }

    /// Puts bytes where the module would have them copied, in one piece that goes around the ring, and commits them.
    pub fn write(&mut self, socket: Socket, bytes: &[u8]) -> usize {
        let spans = self.on(0).writable(socket, 0);
        let length = (spans.length() as usize).min(bytes.len());
        self.fill(spans, &bytes[..length]);
        if length > 0 {
            self.on(0).commit(socket, length as u32);
        }
        length
    }

    /// As a copy would do it.
    pub fn fill(&mut self, spans: Spans, bytes: &[u8]) {
        let mut rest = bytes;
        for Span { address, length } in spans.0 {
            let (piece, behind) = rest.split_at(rest.len().min(length as usize));
            self.memories[0].assert_taken(address, piece.len());
            self.bench.poke(0, address, piece);
            rest = behind;
        }
        assert!(rest.is_empty());
    }

    pub fn look(&self, spans: Spans) -> Vec<u8> {
        let piece = |span: Span| {
            self.memories[0].assert_taken(span.address, span.length as usize);
            self.bench.peek(0, span.address, span.length as usize)
        };
        spans.0.into_iter().flat_map(piece).collect()
    }

    /// Takes at most so many bytes of what was received.
    pub fn read(&mut self, socket: Socket, most: usize) -> Vec<u8> {
        let spans = self.on(0).readable(socket, 0);
        let mut bytes = self.look(spans);
        bytes.truncate(most);
        if !bytes.is_empty() {
            self.on(0).consume(socket, bytes.len() as u32);
        }
        bytes
    }

    /// What the host has received.
    pub fn host_reads(&mut self, socket: SocketHandle, most: usize) -> Vec<u8> {
        let mut bytes = vec![0; most];
        let length = self.host(socket).recv_slice(&mut bytes).unwrap_or(0);
        bytes.truncate(length);
        bytes
    }

    /// The host sends until it cannot, or all is sent; how many bytes.
    pub fn host_writes(&mut self, socket: SocketHandle, bytes: &[u8]) -> usize {
        self.host(socket).send_slice(bytes).unwrap_or(0)
    }

    pub fn assert_over(&mut self, socket: Socket, status: Status) {
        assert_eq!(self.condition(socket), Condition::Over(status));
    }

    /// After all that lingers, nothing is left: no socket, no block, nothing in the stacks, no frame missing.
    pub fn assert_clean(&mut self) {
        self.pass(100 * SECOND);
        for (processor, sockets) in self.sockets.iter().enumerate() {
            assert!(sockets.is_empty(), "sockets of {processor}: {sockets:?}");
            assert_eq!((self.memories[processor].taken(), sockets.counters().outside), (0, 0));
            assert_eq!(sockets.next_deadline(), None);
        }
        self.world.assert_clean(0, 0);
        let in_hand = self.isms.iter().map(Ism::frames_in_hand).sum();
        self.bench.assert_no_frame_is_missing(in_hand);
    }
}
