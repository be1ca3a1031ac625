//! Two processors' whole stacks with applications: frames that lie, answers to what they sent that are nearly right, messages between
//! processors that lie, tables that change.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr};

use abi::receive::Status;
use smoltcp::wire::EthernetAddress;
use soft_cores::kernel::message::Kind;
use soft_cores::net::directory;
use soft_cores::net::ethernet::{Station, Tags};
use soft_cores::net::icmp::RateLimit;
use soft_cores::net::neighbour::{Turn, cache};
use soft_cores::net::parcel::{Encoded, Parcel};
use soft_cores::net::port::{self, Taken};
use soft_cores::net::reassembly;
use soft_cores::net::session::End;
use soft_cores::net::stack::{Action, Config, LocalPort, Stack};
use soft_cores::net::steering::Help;
use soft_cores::net::steering::table::Table;
use soft_cores::net::transport::{self, Options, SocketId};
use soft_cores::net::{Micros, SECOND};

use crate::bytes::{self, OWN, TCP};
use crate::corpus::Corpus;
use crate::draw::{Draw, Hex};
use crate::engine::{self, Kinds};
use crate::ip_input::{addresses, status};
use crate::outgoing::{MTU, assert_sound};

const STACKS: usize = 2;
const SOCKETS: usize = 24;
const MEMORY: usize = 400_000;
const HELD: usize = 8;
/// Messages that one frame, message or call may lead to.
const MOST_MESSAGES: usize = 2000;
/// Times that stacks may be polled while nothing comes: a timer a second for each socket takes less in an hour.
const MOST_POLLS: usize = 50_000;
/// Sent segments that may be answered.
const REMEMBERED: usize = 12;
/// By then everything is over that was closed.
const REST: Micros = 3600 * SECOND;
/// The hardware found both checksums right.
const BELIEVED: u32 = 1 << Status::IP_CHECK_LSB | 1 << Status::TRANSPORT_CHECK_LSB;
const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2));

#[derive(Clone, Debug)]
pub enum Step {
    Frame {
        to: usize,
        wait: u64,
        status: u32,
        is_busy: bool,
        bytes: Hex,
    },
    /// To a segment that was sent, the last but so many.
    Answer {
        to: usize,
        wait: u64,
        back: usize,
        flags: u8,
        skew: [i32; 2],
        length: usize,
        window: u16,
    },
    Message {
        to: usize,
        from: usize,
        kind: u32,
        context: u32,
        body: Hex,
    },
    Call {
        at: usize,
        call: Call,
        socket: usize,
        length: usize,
    },
    Table {
        of: usize,
        turn: u8,
    },
    Pass(u64),
}

#[derive(Clone, Copy, Debug)]
pub enum Call {
    Accept,
    Receive,
    Send,
    ShutDown,
    Close,
    Abort,
    Connect,
    Datagrams,
    SendTo,
    Join,
    Leave,
}

const CALLS: [Call; 11] = [
    Call::Accept,
    Call::Receive,
    Call::Send,
    Call::ShutDown,
    Call::Close,
    Call::Abort,
    Call::Connect,
    Call::Datagrams,
    Call::SendTo,
    Call::Join,
    Call::Leave,
];

pub struct Target;

impl engine::Target for Target {
    type Step = Step;
    const NAME: &'static str = "stacks";
    const CASES: u64 = 150;
    const KINDS: usize = 60;

    fn draw(draw: &mut Draw, corpus: &Corpus) -> Vec<Step> {
        let mut step = || match draw.below(24) {
            0 => Step::Pass(draw.wait()),
            1 if draw.once_in(3) => Step::Table { of: draw.below(STACKS), turn: draw.below(4) as u8 },
            1 | 2 => message(draw),
            3..9 => Step::Call {
                at: draw.below(STACKS),
                call: *draw.pick(&CALLS),
                socket: draw.below(8),
                length: draw.below(3000),
            },
            9..16 => answer(draw),
            _ => Step::Frame {
                to: draw.below(STACKS),
                wait: draw.wait(),
                status: if draw.once_in(3) { status(draw) } else { BELIEVED },
                is_busy: draw.once_in(8),
                bytes: Hex(bytes::frame(draw, &corpus.frames)),
            },
        };
        let mut steps: Vec<_> = (0..200).map(|_| step()).collect();
        if !draw.once_in(8) {
            // The peer is known, or little would be sent to it.
            let hello =
                |to| Step::Frame { to, wait: 0, status: 0, is_busy: false, bytes: Hex(corpus.frames[0].clone()) };
            steps.splice(0..0, [hello(0), hello(1)]);
        }
        steps
    }

    fn run(steps: &[Step], kinds: &mut Kinds) {
        let mut bench = Bench::new();
        for step in steps {
            bench.step(step);
            bench.assert_laws();
        }
        bench.rest();
        for side in &bench.sides {
            let (stack, transport) = (&side.stack, side.stack.transport().counters());
            let (counters, port) = (stack.counters(), stack.port().counters());
            kinds.extend(port.taken.iter().map(|(taken, _)| format!("{taken:?}")));
            kinds.extend(port.dropped.iter().map(|(cause, _)| format!("{cause:?}")));
            kinds.extend(counters.segments.iter().map(|(cause, _)| format!("segment {cause:?}")));
            kinds.extend(counters.datagrams.iter().map(|(cause, _)| format!("datagram {cause:?}")));
            kinds.extend(counters.troubles.iter().map(|(cause, _)| format!("trouble {cause:?}")));
            kinds.extend(transport.dropped.iter().map(|(cause, _)| format!("transport {cause:?}")));
            kinds.extend((transport.accepted > 0).then(|| "accepted".to_owned()));
            kinds.extend((transport.connected > 0).then(|| "connected".to_owned()));
            kinds.extend((transport.narrowed > 0).then(|| "narrowed".to_owned()));
        }
    }
}

fn answer(draw: &mut Draw) -> Step {
    let mut skew = || match draw.below(10) {
        0 => draw.below(3) as i32 - 1,
        1 => draw.word().cast_signed(),
        _ => 0,
    };
    let skew = [skew(), skew()];
    Step::Answer {
        to: draw.below(STACKS),
        wait: draw.wait(),
        back: if draw.once_in(2) { 0 } else { draw.below(REMEMBERED) },
        // ACK mostly; with data, FIN, SYN, RST.
        flags: *draw.pick(&[0x10, 0x10, 0x10, 0x18, 0x18, 0x12, 0x12, 0x11, 0x19, 0x14, 0x04, 0x02, 0xff]),
        skew,
        length: if draw.once_in(2) { 0 } else { draw.below(1460) },
        window: *draw.pick(&[0, 1, 100, 4096, 65_535]),
    }
}

/// A message that could have been sent, bent or not.
fn message(draw: &mut Draw) -> Step {
    let session = |draw: &mut Draw| {
        let mut bytes = [0; 36];
        bytes[10..16].copy_from_slice(&[0xff, 0xff, 10, 0, 0, 1]);
        bytes[28..34].copy_from_slice(&[0xff, 0xff, 10, 0, 0, 2]);
        let (local, remote) = (*draw.pick(&[80_u16, 7, 49_152]), 40_001 + draw.below(3) as u16);
        bytes[16..18].copy_from_slice(&local.to_be_bytes());
        bytes[34..36].copy_from_slice(&remote.to_be_bytes());
        bytes
    };
    let what = 1 + draw.below(12) as u32;
    let kind = match what {
        1 => 1,
        2 | 3 => 2,
        _ => 4,
    };
    let mut body = match what {
        1 | 2 => {
            let length = draw.below(120);
            draw.bytes(length)
        }
        3 => [&[draw.below(9) as u8, *draw.pick(&[6, 17]), 1, 0, 0, 5, 0, 0, 0, 0, 9][..], &session(draw)].concat(),
        9 => Table { generation: draw.below(6) as u16, ..Table::reset(STACKS) }.encode().to_vec(),
        10 | 11 => [&[0; 10][..], &[0xff, 0xff, 239, 1, 1, draw.below(20) as u8]].concat(),
        _ => (0..draw.below(4)).flat_map(|_| session(draw)).collect(),
    };
    let mut context = what << 24 | draw.below(8) as u32 | (draw.below(8) as u32) << 16;
    match draw.below(6) {
        0 => context ^= 1 << draw.below(32),
        1 if !body.is_empty() => {
            let at = draw.below(body.len());
            body[at] ^= 1 << draw.below(8);
        }
        _ => {}
    }
    let from = if draw.once_in(8) { draw.below(18) } else { draw.below(STACKS) };
    Step::Message { to: draw.below(STACKS), from, kind, context, body: Hex(body) }
}

/// A stack, and what is kept of it beside what it keeps itself.
struct Side {
    stack: Stack,
    listener: SocketId,
    datagrams: SocketId,
    sockets: Vec<SocketId>,
    frames: u64,
    /// Packets that came from others, and went to others.
    taken_over: u64,
    handed_over: u64,
}

struct Bench {
    now: Micros,
    sides: Vec<Side>,
    table: Table,
    /// Segments that were sent, the last one last.
    sent: VecDeque<Vec<u8>>,
}

fn config(me: usize) -> Config {
    Config {
        port: port::Config {
            station: Station { address: EthernetAddress(OWN), tags: Tags::default() },
            addresses: addresses(),
            gateways: vec![Ipv4Addr::new(10, 0, 0, 254)],
            turn: Turn::new(me, 3),
            mtu: MTU,
            seed: 5 + me as u64,
            reassembly: reassembly::Limits::default(),
            neighbours: cache::Limits::default(),
            groups: 8,
            errors: RateLimit::default(),
        },
        live: 3,
        transport: transport::Config {
            mtu: MTU,
            seed: 11 + me as u64,
            sockets: SOCKETS,
            memory: MEMORY,
            times: transport::Times::default(),
        },
        directory: directory::Limits::default(),
        table: Table::reset(STACKS),
        held: HELD,
    }
}

impl Bench {
    fn new() -> Self {
        let any = |port| End::new(Ipv4Addr::UNSPECIFIED.into(), port);
        let side = |me| {
            let mut stack = Stack::new(config(me)).expect("there are few addresses");
            stack.start(0);
            let listener = stack.listen(any(80), 4, Options::default()).expect("the port is free");
            let datagrams = stack.bind(any(7), Options::default()).expect("the port is free");
            Side { stack, listener, datagrams, sockets: Vec::new(), frames: 0, taken_over: 0, handed_over: 0 }
        };
        let mut bench =
            Self { now: 0, sides: (0..STACKS).map(side).collect(), table: Table::reset(STACKS), sent: VecDeque::new() };
        bench.settle();
        bench
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Frame { to, wait, status, is_busy, bytes } => {
                self.pass(*wait);
                self.receive(*to, &bytes.0, *status, *is_busy);
            }
            Step::Answer { to, wait, back, flags, skew, length, window } => {
                self.pass(*wait);
                let index = self.sent.len().wrapping_sub(1 + back);
                if let Some(segment) = self.sent.get(index) {
                    let frame = reply(segment, *flags, *skew, *length, *window);
                    self.receive(*to, &frame, BELIEVED, false);
                }
            }
            Step::Message { to, from, kind, context, body } => {
                let kind = Kind::of(*kind).expect("a kind that there is");
                self.message(*from, *to, kind, *context, body.0.clone());
            }
            Step::Call { at, call, socket, length } => self.call(*at, *call, *socket, *length),
            Step::Table { of, turn } => {
                self.table.generation = self.table.generation.wrapping_add(1);
                let turn = usize::from(*turn);
                self.table.entries = std::array::from_fn(|entry| ((entry + turn) / (1 + turn / 2) % STACKS) as u8);
                let (now, table) = (self.now, self.table.clone());
                self.sides[*of].stack.set_table(now, table);
            }
            Step::Pass(wait) => self.pass(*wait),
        }
        self.settle();
    }

    fn receive(&mut self, to: usize, frame: &[u8], status: u32, is_busy: bool) {
        let side = &mut self.sides[to];
        side.frames += 1;
        let help = if is_busy { Help::From(1 - to) } else { Help::NotNeeded };
        side.stack.receive(self.now, frame, Status(status), &mut || help);
    }

    fn message(&mut self, from: usize, to: usize, kind: Kind, context: u32, body: Vec<u8>) {
        let Some(parcel) = Parcel::decode(kind, context, body) else { return };
        let Encoded { kind, context, body } = parcel.encode();
        assert_eq!(
            Parcel::decode(kind, context, body).as_ref(),
            Some(&parcel),
            "what is read is what would be written"
        );
        let side = &mut self.sides[to];
        side.taken_over += u64::from(is_packet(&parcel));
        side.stack.message(self.now, from, parcel);
    }

    fn call(&mut self, at: usize, call: Call, socket: usize, length: usize) {
        let now = self.now;
        let side = &mut self.sides[at];
        let socket = side.sockets.get(socket % side.sockets.len().max(1)).copied();
        let (stack, remote) = (&mut side.stack, End::new(PEER, 40_000 + length as u16 % 4));
        let group: IpAddr = Ipv4Addr::new(239, 1, 1, length as u8 % 20).into();
        // Errors are answers too; what a call may not do is to take or give more than there is.
        match (call, socket) {
            (Call::Accept, _) => {
                let listener = side.listener;
                let accepted = stack.sockets(now, |it| it.accept(listener));
                side.sockets.extend(accepted.ok().map(|(socket, _)| socket));
            }
            (Call::Connect, _) => {
                let opened = stack.connect(now, None, LocalPort::Any, remote, Options::default());
                side.sockets.extend(opened.ok());
            }
            (Call::Datagrams, _) => while stack.sockets(now, |it| it.receive_from(side.datagrams)).is_ok() {},
            (Call::SendTo, _) => unheeded(stack.send_to(now, side.datagrams, remote, &vec![0xa5; length])),
            (Call::Join, _) => unheeded(stack.join(now, group)),
            (Call::Leave, _) => stack.leave(now, group),
            (Call::Receive, Some(socket)) => {
                let mut bytes = vec![0; length];
                let received = stack.sockets(now, |it| it.receive_into(now, socket, &mut bytes));
                assert!(received.is_ok_and(|received| received <= length) || received.is_err());
            }
            (Call::Send, Some(socket)) => {
                let sent = stack.sockets(now, |it| it.send(now, socket, &vec![0x5a; length]));
                assert!(sent.is_ok_and(|sent| sent <= length) || sent.is_err());
            }
            (Call::ShutDown, Some(socket)) => unheeded(stack.sockets(now, |it| it.shutdown(now, socket))),
            (Call::Close, Some(socket)) => unheeded(stack.sockets(now, |it| it.close(now, socket))),
            (Call::Abort, Some(socket)) => unheeded(stack.sockets(now, |it| it.abort(now, socket))),
            (_, None) => {}
        }
        side.sockets.retain(|&socket| side.stack.transport().status(socket).is_ok());
    }

    /// Carries out what the stacks want, messages in their order.
    fn settle(&mut self) {
        let mut messages = 0;
        loop {
            let mut queue = VecDeque::new();
            for (from, side) in self.sides.iter_mut().enumerate() {
                while side.stack.next_event().is_some() {}
                for action in side.stack.take_actions() {
                    match action {
                        Action::Transmit(frame) => {
                            assert_sound(&frame);
                            if frame[12..15] == [8, 0, 0x45] && frame[23] == TCP {
                                self.sent.push_back(frame);
                            }
                        }
                        Action::Message { to, parcel } => {
                            assert!(to != from && to < 16, "{from} sends to {to}");
                            side.handed_over += u64::from(is_packet(&parcel));
                            queue.push_back((from, to, parcel));
                        }
                        Action::EchoReply { .. } | Action::AddressAdded(_) | Action::AddressRefused(_) => {}
                    }
                }
            }
            let surplus = self.sent.len().saturating_sub(REMEMBERED);
            self.sent.drain(..surplus);
            if queue.is_empty() {
                return;
            }
            messages += queue.len();
            assert!(messages <= MOST_MESSAGES, "messages without end");
            for (from, to, parcel) in queue {
                // A table that lied may name others.
                if to < STACKS {
                    let Encoded { kind, context, body } = parcel.encode();
                    self.message(from, to, kind, context, body);
                }
            }
        }
    }

    /// Does what is due until then, each thing when it is.
    fn pass(&mut self, wait: Micros) {
        let (since, until) = (self.now, self.now + wait);
        let mut polls = 0;
        loop {
            let deadlines = self.sides.iter().filter_map(|side| side.stack.next_deadline());
            let Some(at) = deadlines.min().filter(|&at| at <= until) else { break };
            self.now = self.now.max(at);
            polls += 1;
            assert!(polls <= MOST_POLLS, "polled {polls} times from {since} to {}", self.now);
            for side in &mut self.sides {
                side.stack.poll(self.now);
            }
            self.settle();
        }
        self.now = until;
    }

    fn assert_laws(&self) {
        for side in &self.sides {
            let (stack, counters) = (&side.stack, side.stack.counters());
            let (port, transport) = (stack.port().counters(), stack.transport());
            assert_eq!((port.received, port.taken.total() + port.dropped.total()), (side.frames, side.frames));
            let (sockets, memory) = transport.usage();
            assert!(
                sockets <= SOCKETS && memory <= MEMORY && stack.held() <= HELD,
                "{sockets} {memory} {}",
                stack.held()
            );
            if counters.troubles.total() == 0 {
                // What came is with the transport, with another processor, waits, or is counted as lost.
                let came = port.taken.of(Taken::Transport) + side.taken_over;
                let lost = counters.unreadable + counters.not_held;
                assert_eq!(came, transport.counters().received + side.handed_over + stack.held() as u64 + lost);
            }
            let deadline = stack.next_deadline();
            assert!(deadline.is_none_or(|at| at <= self.now + 2 * REST), "{deadline:?} at {}", self.now);
        }
    }

    /// When all is closed and nothing more comes, nothing is left.
    fn rest(&mut self) {
        let now = self.now;
        for Side { stack, listener, datagrams, sockets, .. } in &mut self.sides {
            for socket in sockets.drain(..).chain([*listener, *datagrams]) {
                // Those that have ended by themselves are gone.
                unheeded(stack.sockets(now, |it| it.close(now, socket)));
            }
        }
        self.settle();
        self.pass(REST);
        self.assert_laws();
        for Side { stack, .. } in &self.sides {
            let transport = stack.transport();
            assert_eq!((transport.usage(), transport.sessions(), stack.held()), ((0, 0), 0, 0));
            assert_eq!(stack.directory().sessions().0, 0);
            assert_eq!(stack.port().input().reassembly().bytes(), 0);
        }
    }
}

/// What a call says makes no difference here.
fn unheeded<E>(_: Result<(), E>) {}

const fn is_packet(parcel: &Parcel) -> bool {
    matches!(parcel, Parcel::Segment(..) | Parcel::Datagram(_))
}

/// What a peer that got this segment might send, more or less.
fn reply(segment: &[u8], flags: u8, skew: [i32; 2], length: usize, window: u16) -> Vec<u8> {
    let word = |at: usize| u32::from_be_bytes([segment[at], segment[at + 1], segment[at + 2], segment[at + 3]]);
    let half = |at: usize| u16::from_be_bytes([segment[at], segment[at + 1]]);
    let header = usize::from(segment[46] >> 4) * 4;
    let payload = usize::from(half(16)) - 20 - header;
    let ends = u32::from(segment[47] & 1) + u32::from(segment[47] >> 1 & 1);
    let sequence = word(42).wrapping_add_signed(skew[0]);
    let acknowledged = word(38).wrapping_add(payload as u32 + ends).wrapping_add_signed(skew[1]);
    let mut frame = [&OWN[..], &segment[..6], &[8, 0, 0x45, 0], &(40 + length as u16).to_be_bytes()].concat();
    frame.extend([&[0, 0, 0, 0, 64, TCP, 0, 0][..], &segment[30..34], &segment[26..30]].concat());
    frame.extend([&segment[36..38], &segment[34..36], &sequence.to_be_bytes(), &acknowledged.to_be_bytes()].concat());
    frame.extend([&[0x50, flags][..], &window.to_be_bytes(), &[0; 4]].concat());
    frame.extend(vec![0x33; length]);
    bytes::mend(&mut frame);
    frame
}
