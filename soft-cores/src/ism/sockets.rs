//! The sockets of a processor's network stack, with buffers in its memory: what the socket module works on.
//!
//! A stream has two rings in blocks of the processor's [`Memory`], a datagram that waits one block. Bytes go between
//! them and the stack's own buffers when something happened to a socket, and when the module has consumed or committed some. A full
//! ring leaves bytes in the stack's buffer, so the peer's window closes.
//!
//! # How it is used
//! Who owns the [`Stack`] also owns one [`Ism`], one [`Sockets`], one [`Memory`] ([`KernelMemory`]) and one [`Card`]
//! ([`KernelCard`](super::kernel_card::KernelCard)). It does this after every call into the stack (a frame, a parcel, its poll), after a
//! message of the host, after a report of the DMA channel, and when [`Sockets::next_deadline`] says so:
//!
//! ```
//! use soft_cores::ism::{Ism, card::Card, sockets::{Memory, Sockets}};
//! use soft_cores::net::{Micros, stack::{Action, Stack}};
//!
//! fn serve(ism: &mut Ism, card: &mut impl Card, sockets: &mut Sockets, memory: &mut impl Memory, stack: &mut Stack, now: Micros) {
//!     while sockets.on(stack, memory, now).serve(ism, card, 16) {
//!         stack.take_actions().into_iter().for_each(carry_out);
//!     }
//!     stack.take_actions().into_iter().for_each(carry_out);
//! }
//! # fn carry_out(_: Action) {}
//! ```
//!
//! Nothing else may take the stack's events. `serve` ends: it is false when only the network, the host or the channel can bring more.
//! A memory or a card of a kernel may run its handlers, which must not touch what is borrowed here; with interrupts disabled
//! they do not run.
//!
//! # Limits
//! **When there is no memory**, opening and connecting are [`Status::NoRoom`], and a datagram to send waits. A connection stays in its
//! listener's backlog and a datagram in its socket's queue; who waits is looked at again, in turn, when a block is given back.
//!
//! A stream that is closed stays until what was committed is in the stack's buffer, at most [`Config::linger`]. What comes for
//! it meanwhile ends it with a reset (RFC 1122, 4.2.2.13), and so does what was not consumed before.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use core::net::{IpAddr, SocketAddr};

use abi::socket::{Family, Protocol, Status};

use super::Ism;
use super::card::Card;
use super::transport::{Socket, Span};
use crate::net::Micros;
use crate::net::session::End;
use crate::net::stack::Stack;
use crate::net::transport::{Failure, OpenError, Options, SocketId, UseError};

mod calls;
mod memory;
mod queue;
mod ring;

pub use memory::{KernelMemory, Memory, Share};
use queue::Queue;
use ring::Ring;

/// What the sockets are made with.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Sockets at most, closed ones that linger among them.
    pub sockets: usize,
    /// Bytes of each of a stream's two rings, unless the host wants less. At least 1.
    pub ring: u32,
    /// Bytes of the longest datagram.
    pub datagram: u32,
    /// Datagrams of one socket that wait in memory, each way.
    pub waiting: usize,
    /// How long a closed stream may take to hand on what was committed.
    pub linger: Micros,
    /// What the stack's streams are made with.
    pub streams: Options,
    /// What its datagram sockets are made with. Their receive buffer is to hold the longest datagram.
    pub datagrams: Options,
}

/// What happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Requests for a block that found none.
    pub exhausted: u64,
    /// Received datagrams that were longer than any may be, and were dropped.
    pub too_long: u64,
    /// Closed streams that took too long.
    pub abandoned: u64,
    /// Blocks that the memory gave out and does not have.
    pub outside: u64,
}

/// Bytes that may wait, each way.
#[derive(Clone, Copy, Debug)]
struct Buffers {
    receive: u32,
    send: u32,
}

#[derive(Debug)]
struct Stream {
    id: SocketId,
    local: SocketAddr,
    remote: SocketAddr,
    receive: Ring,
    send: Ring,
    connected: bool,
    over: Option<Status>,
    /// The peer sends no more.
    ended: bool,
    shutting: bool,
    /// Closed: until when it may go on.
    until: Option<Micros>,
}

impl Stream {
    fn new(id: SocketId, local: SocketAddr, remote: SocketAddr, (receive, send): (Ring, Ring)) -> Self {
        let (connected, over, ended, shutting, until) = Default::default();
        Self { id, local, remote, receive, send, connected, over, ended, shutting, until }
    }
}

#[derive(Debug)]
struct Mailbox {
    id: SocketId,
    local: SocketAddr,
    inbox: VecDeque<(SocketAddr, Span)>,
    reserved: VecDeque<Span>,
    groups: BTreeSet<IpAddr>,
}

/// One more datagram may wait. One always may.
fn has_room(most: usize, buffer: u32, waiting: impl Iterator<Item = Span> + Clone, length: u32) -> bool {
    let bytes = waiting.clone().fold(length, |sum, span| sum.saturating_add(span.length));
    let count = waiting.count();
    count == 0 || (count < most && bytes <= buffer)
}

#[derive(Debug)]
enum Kind {
    /// Its own address, if it was bound.
    New(Option<SocketAddr>),
    Listener(SocketId, SocketAddr),
    Stream(Stream),
    Mailbox(Mailbox),
}

#[derive(Debug)]
struct Entry {
    protocol: Protocol,
    family: Family,
    options: Options,
    buffers: Buffers,
    kind: Kind,
}

/// See the module's page.
#[derive(Debug)]
pub struct Sockets {
    config: Config,
    entries: BTreeMap<Socket, Entry>,
    names: BTreeMap<SocketId, Socket>,
    last: u32,
    port: u16,
    changed: Queue,
    /// Sockets that found no memory.
    starved: Queue,
    /// Closed streams, and until when they may go on.
    lingering: BTreeSet<(Micros, Socket)>,
    counters: Counters,
}

/// The sockets with what they are on, for one call of the module.
#[derive(Debug)]
pub struct Below<'a, M> {
    sockets: &'a mut Sockets,
    stack: &'a mut Stack,
    memory: &'a mut M,
    now: Micros,
}

impl Sockets {
    /// Without sockets.
    pub fn new(config: Config) -> Self {
        let (entries, names, changed, starved, lingering, counters) = Default::default();
        let config = Config { ring: config.ring.max(1), ..config };
        Self { config, entries, names, last: 0, port: 0, changed, starved, lingering, counters }
    }

    /// The sockets with the stack and the memory that they are on, which are always the same. What the stack wants done is the
    /// caller's to look after.
    pub const fn on<'a, M: Memory>(&'a mut self, stack: &'a mut Stack, memory: &'a mut M, now: Micros) -> Below<'a, M> {
        Below { sockets: self, stack, memory, now }
    }

    /// When [`Below::serve`] has something to do.
    pub fn next_deadline(&self) -> Option<Micros> {
        self.lingering.first().map(|&(at, _)| at)
    }

    /// Sockets, closed ones that linger among them.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// There is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What happened.
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    fn add(&mut self, entry: Entry) -> Socket {
        loop {
            self.last = self.last.wrapping_add(1);
            if !self.entries.contains_key(&Socket(self.last)) {
                break;
            }
        }
        self.entries.insert(Socket(self.last), entry);
        Socket(self.last)
    }

    fn is_full(&self) -> bool {
        self.entries.len() >= self.config.sockets
    }

    fn stream(&self, socket: Socket) -> Option<&Stream> {
        match &self.entries.get(&socket)?.kind {
            Kind::Stream(stream) => Some(stream),
            _ => None,
        }
    }

    fn stream_mut(&mut self, socket: Socket) -> Option<&mut Stream> {
        match &mut self.entries.get_mut(&socket)?.kind {
            Kind::Stream(stream) => Some(stream),
            _ => None,
        }
    }

    fn mailbox(&mut self, socket: Socket) -> Option<(&mut Mailbox, Buffers)> {
        let entry = self.entries.get_mut(&socket)?;
        match &mut entry.kind {
            Kind::Mailbox(mailbox) => Some((mailbox, entry.buffers)),
            _ => None,
        }
    }
}

impl<M: Memory> Below<'_, M> {
    /// Does what is due, and has the module do what can be done; says whether there was anything.
    pub fn serve<C: Card>(&mut self, ism: &mut Ism, card: &mut C, budget: u32) -> bool {
        self.poll();
        ism.poll(card, self, budget)
    }

    /// Ends what has lingered for too long.
    fn poll(&mut self) {
        while let Some(&(at, socket)) = self.sockets.lingering.first()
            && at <= self.now
        {
            self.sockets.lingering.pop_first();
            self.sockets.counters.abandoned += 1;
            self.end(socket);
        }
    }

    fn take(&mut self, share: Share, bytes: u32) -> Option<u32> {
        let block = self.memory.take(share, bytes);
        self.sockets.counters.exhausted += u64::from(block.is_none());
        block
    }

    fn take_rings(&mut self, buffers: Buffers) -> Option<(Ring, Ring)> {
        let receive = self.take(Share::Ring, buffers.receive)?;
        let Some(send) = self.take(Share::Ring, buffers.send) else {
            self.memory.give_back(receive);
            return None;
        };
        Some((Ring::new(receive, buffers.receive), Ring::new(send, buffers.send)))
    }

    /// Gives a block back.
    fn give_back(&mut self, address: u32) {
        self.memory.give_back(address);
        self.wake();
    }

    /// There is room: who has waited for some is looked at again.
    fn wake(&mut self) {
        while let Some(socket) = self.sockets.starved.pop() {
            self.sockets.changed.push(socket);
        }
    }

    /// Looks at all sockets of the stack to which something happened. Those that the module has closed are not here any more.
    fn take_events(&mut self) {
        while let Some(event) = self.stack.next_event() {
            if let Some(&socket) = self.sockets.names.get(&event.socket) {
                self.sockets.changed.push(socket);
            }
        }
    }

    /// Moves what can be moved.
    fn drive(&mut self, socket: Socket) {
        match self.sockets.entries.get(&socket).map(|entry| &entry.kind) {
            Some(Kind::Stream(_)) => self.drive_stream(socket),
            Some(Kind::Mailbox(_)) => self.drive_mailbox(socket),
            _ => {}
        }
    }

    fn drive_stream(&mut self, socket: Socket) {
        let Below { sockets, stack, memory, now } = self;
        let now = *now;
        let Sockets { entries, counters, .. } = &mut **sockets;
        let Some(Kind::Stream(stream)) = entries.get_mut(&socket).map(|entry| &mut entry.kind) else { return };
        stack.sockets(now, |transport| {
            if let Ok(status) = transport.status(stream.id) {
                stream.connected |= status.readiness.connected;
                stream.over = stream.over.or(status.failure.map(status_of));
            }
            while !stream.ended && stream.until.is_none() {
                let place = stream.receive.free(0).0[0];
                if place.length == 0 {
                    break;
                }
                let mut is_outside = false;
                let taken = transport.receive_with(now, stream.id, |bytes| {
                    let length = bytes.len().min(place.length as usize);
                    is_outside = memory.store(place.address, &bytes[..length]).is_err();
                    length
                });
                counters.outside += u64::from(is_outside);
                match taken {
                    Ok(0) => stream.ended = true,
                    Ok(taken) => stream.receive.fill(taken as u32),
                    Err(_) => break,
                }
            }
            loop {
                let span = stream.send.filled(0).0[0];
                if span.length == 0 {
                    break;
                }
                let mut is_outside = false;
                let sent = transport.send_with(now, stream.id, |room| {
                    let length = room.len().min(span.length as usize);
                    is_outside = memory.load(span.address, &mut room[..length]).is_err();
                    length
                });
                counters.outside += u64::from(is_outside);
                match sent {
                    Ok(sent) if sent > 0 => stream.send.drop_first(sent as u32),
                    _ => break,
                }
            }
            if stream.shutting && stream.send.length == 0 && transport.shutdown(now, stream.id).is_ok() {
                stream.shutting = false;
            }
        });
        if stream.until.is_some() {
            let id = stream.id;
            let is_sent = stream.send.length == 0;
            let unwanted = stack.transport().status(id).map_or(true, |it| it.readable > 0 || it.failure.is_some());
            if unwanted {
                self.end(socket);
            } else if is_sent {
                self.forget(socket);
                // It is there: its status was.
                let _ = self.stack.sockets(now, |transport| transport.close(now, id));
            }
        }
    }

    fn drive_mailbox(&mut self, socket: Socket) {
        loop {
            let Config { waiting, datagram: longest, .. } = self.sockets.config;
            let Some((mailbox, buffers)) = self.sockets.mailbox(socket) else { return };
            let id = mailbox.id;
            let Some(length) = self.stack.transport().next_length(id) else { return };
            let length = u32::try_from(length).unwrap_or(u32::MAX);
            let is_long = length > longest;
            let spans = mailbox.inbox.iter().map(|&(_, span)| span);
            if !is_long && !has_room(waiting, buffers.receive, spans, length) {
                return;
            }
            let block = if is_long { None } else { self.take(Share::Received, length) };
            if block.is_none() && !is_long {
                self.sockets.starved.push(socket);
                return;
            }
            let Ok(datagram) = self.stack.sockets(self.now, |transport| transport.receive_from(id)) else { return };
            let Some(address) = block else {
                self.sockets.counters.too_long += 1;
                continue;
            };
            self.sockets.counters.outside += u64::from(self.memory.store(address, &datagram.payload).is_err());
            let remote = SocketAddr::new(datagram.from.address, datagram.from.port);
            if let Some((mailbox, _)) = self.sockets.mailbox(socket) {
                mailbox.inbox.push_back((remote, Span { address, length }));
            }
            // The next one behind those of other sockets, who may wait for the same memory.
            return self.sockets.changed.push(socket);
        }
    }

    /// Gives up a socket's name and its memory; the stack's socket is the caller's. Says which it was.
    fn forget(&mut self, socket: Socket) -> Option<SocketId> {
        let entry = self.sockets.entries.remove(&socket)?;
        self.sockets.starved.forget(socket);
        self.sockets.changed.forget(socket);
        let id = match entry.kind {
            Kind::New(_) => None,
            Kind::Listener(id, _) => Some(id),
            Kind::Stream(stream) => {
                match stream.until {
                    Some(until) => {
                        self.sockets.lingering.remove(&(until, socket));
                    }
                    None => self.memory.give_back(stream.receive.address),
                }
                self.memory.give_back(stream.send.address);
                Some(stream.id)
            }
            Kind::Mailbox(mailbox) => {
                for span in mailbox.inbox.into_iter().map(|(_, span)| span).chain(mailbox.reserved) {
                    self.memory.give_back(span.address);
                }
                for group in mailbox.groups {
                    self.stack.leave(self.now, group);
                }
                Some(mailbox.id)
            }
        };
        if let Some(id) = id {
            self.sockets.names.remove(&id);
        }
        self.wake();
        id
    }

    /// Ends a socket at once.
    fn end(&mut self, socket: Socket) {
        let Some(id) = self.forget(socket) else { return };
        let now = self.now;
        self.stack.sockets(now, |transport| {
            if transport.abort(now, id).is_err() {
                // No connection; or one that the stack has ended already.
                let _ = transport.close(now, id);
            }
        });
    }
}

fn end_of(address: SocketAddr) -> End {
    End::new(address.ip(), address.port())
}

fn address_of(end: End) -> SocketAddr {
    SocketAddr::new(end.address, end.port)
}

const fn status_of(failure: Failure) -> Status {
    match failure {
        Failure::Refused => Status::Refused,
        Failure::Reset => Status::Reset,
        Failure::TimedOut => Status::TimedOut,
        Failure::Unreachable(_) => Status::Unreachable,
        Failure::Unknown => Status::AddressInUse,
    }
}

const fn open_status(error: OpenError) -> Status {
    match error {
        OpenError::InUse | OpenError::PortsExhausted => Status::AddressInUse,
        OpenError::NotOurs | OpenError::InvalidEnd => Status::NoAddress,
        OpenError::TooManySockets | OpenError::OutOfMemory => Status::NoRoom,
    }
}

const fn use_status(error: UseError) -> Status {
    match error {
        UseError::TooLong => Status::TooLong,
        UseError::InvalidEnd => Status::NoAddress,
        UseError::Closed => Status::Closed,
        UseError::Failed(failure) => status_of(failure),
        UseError::NoSuchSocket | UseError::WrongKind | UseError::WouldBlock => Status::WrongState,
    }
}
