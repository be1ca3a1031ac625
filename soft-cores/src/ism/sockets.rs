//! The sockets of a processor's network stack, with buffers in its memory: what the socket module works on.
//!
//! A stream has two [rings](ring) in blocks of the processor's [`Memory`], a datagram that waits one block. Bytes go between
//! them and the stack's own buffers when something happened to a socket, and when the module has consumed or committed some. A full
//! ring leaves bytes in the stack's buffer, so the peer's window closes.
//!
//! **When there is no memory**, opening and connecting are [`Status::NoRoom`], and a datagram to send waits. A connection stays in its
//! listener's backlog and a datagram in its socket's queue; both are looked at again when a block is given back.
//!
//! A stream that is closed stays until what was committed is in the stack's buffer, at most [`Config::linger`]. What comes for
//! it meanwhile ends it with a reset (RFC 1122, 4.2.2.13), and so does what was not consumed before.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use abi::socket::{Family, Protocol, Status};

use super::transport::{Socket, Span};
use crate::net::Micros;
use crate::net::session::End;
use crate::net::stack::Stack;
use crate::net::transport::{Failure, OpenError, Options, SocketId, UseError};
use crate::platform::OutsideMemory;

mod calls;
mod ring;

use ring::Ring;

/// The memory that sockets' buffers are in.
pub trait Memory {
    /// A block of at least so many bytes; `None`: there is none now.
    fn take(&mut self, bytes: u32) -> Option<u32>;

    /// Gives back a block that was taken.
    fn give_back(&mut self, address: u32);

    /// Reads.
    ///
    /// # Errors
    /// Some of it does not exist.
    fn load(&self, address: u32, bytes: &mut [u8]) -> Result<(), OutsideMemory>;

    /// Writes.
    ///
    /// # Errors
    /// Some of it does not exist.
    fn store(&mut self, address: u32, bytes: &[u8]) -> Result<(), OutsideMemory>;
}

/// What the sockets are made with.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// Sockets at most, closed ones that linger among them.
    pub sockets: usize,
    /// Bytes of each of a stream's two rings, not 0.
    pub ring: u32,
    /// Bytes of the longest datagram.
    pub datagram: u32,
    /// Datagrams of one socket that wait in memory, each way.
    pub waiting: usize,
    /// How long a closed stream may take to hand on what was committed.
    pub linger: Micros,
    /// What the stack's sockets are made with.
    pub options: Options,
}

/// What happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Requests for a block that found none.
    pub exhausted: u64,
    /// Datagrams that were longer than any may be.
    pub too_long: u64,
    /// Events of sockets that are not the module's.
    pub foreign: u64,
    /// Closed streams that took too long.
    pub abandoned: u64,
    /// Blocks that the memory gave out and does not have.
    pub outside: u64,
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

#[derive(Debug)]
struct Mailbox {
    id: SocketId,
    local: SocketAddr,
    inbox: VecDeque<(SocketAddr, Span)>,
    reserved: VecDeque<Span>,
    groups: BTreeSet<IpAddr>,
}

#[derive(Debug)]
enum Kind {
    New(Protocol, Family, Option<SocketAddr>),
    Listener(SocketId, SocketAddr),
    Stream(Stream),
    Mailbox(Mailbox),
}

#[derive(Debug)]
struct Entry {
    kind: Kind,
    options: Options,
}

/// See the module's page.
#[derive(Debug)]
pub struct Sockets {
    config: Config,
    entries: BTreeMap<Socket, Entry>,
    names: BTreeMap<SocketId, Socket>,
    last: u32,
    port: u16,
    changed: VecDeque<Socket>,
    is_changed: BTreeSet<Socket>,
    /// Sockets that found no memory.
    starved: BTreeSet<Socket>,
    counters: Counters,
}

/// The sockets with what they are on, for one call of the module.
pub struct Below<'a, M> {
    /// They.
    pub sockets: &'a mut Sockets,
    /// The stack. What it wants done is its caller's to look after.
    pub stack: &'a mut Stack,
    /// The memory.
    pub memory: &'a mut M,
    /// When.
    pub now: Micros,
}

impl Sockets {
    /// Without sockets.
    pub fn new(config: Config) -> Self {
        let (entries, names, changed, is_changed, starved, counters) = Default::default();
        Self { config, entries, names, last: 0, port: 0, changed, is_changed, starved, counters }
    }

    /// When [`Below::poll`] has something to do.
    pub fn next_deadline(&self) -> Option<Micros> {
        self.entries.values().filter_map(|entry| if let Kind::Stream(it) = &entry.kind { it.until } else { None }).min()
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

    fn note(&mut self, socket: Socket) {
        if self.is_changed.insert(socket) {
            self.changed.push_back(socket);
        }
    }

    fn add(&mut self, kind: Kind, options: Options) -> Socket {
        loop {
            self.last = self.last.wrapping_add(1);
            if !self.entries.contains_key(&Socket(self.last)) {
                break;
            }
        }
        self.entries.insert(Socket(self.last), Entry { kind, options });
        Socket(self.last)
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

    fn mailbox(&mut self, socket: Socket) -> Option<&mut Mailbox> {
        match &mut self.entries.get_mut(&socket)?.kind {
            Kind::Mailbox(mailbox) => Some(mailbox),
            _ => None,
        }
    }
}

impl<M: Memory> Below<'_, M> {
    /// Does what is due.
    pub fn poll(&mut self) {
        let now = self.now;
        let is_due = |entry: &Entry| matches!(&entry.kind, Kind::Stream(it) if it.until.is_some_and(|at| at <= now));
        let due: Vec<_> = self.sockets.entries.iter().filter(|(_, it)| is_due(it)).map(|(&socket, _)| socket).collect();
        for socket in due {
            self.sockets.counters.abandoned += 1;
            self.end(socket);
        }
    }

    fn take(&mut self, bytes: u32) -> Option<u32> {
        let block = self.memory.take(bytes);
        self.sockets.counters.exhausted += u64::from(block.is_none());
        block
    }

    fn take_rings(&mut self) -> Option<(Ring, Ring)> {
        let size = self.sockets.config.ring;
        let receive = self.take(size)?;
        let Some(send) = self.take(size) else {
            self.memory.give_back(receive);
            return None;
        };
        Some((Ring::new(receive, size), Ring::new(send, size)))
    }

    /// Gives a block back. Who has waited for one is looked at again.
    fn give_back(&mut self, address: u32) {
        self.memory.give_back(address);
        for socket in core::mem::take(&mut self.sockets.starved) {
            self.sockets.note(socket);
        }
    }

    /// Looks at all sockets of the stack to which something happened.
    fn take_events(&mut self) {
        while let Some(event) = self.stack.next_event() {
            match self.sockets.names.get(&event.socket) {
                Some(&socket) => {
                    self.drive(socket);
                    self.sockets.note(socket);
                }
                None => self.sockets.counters.foreign += 1,
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
            let (most, longest) = (self.sockets.config.waiting, self.sockets.config.datagram);
            let Some(mailbox) = self.sockets.mailbox(socket).filter(|it| it.inbox.len() < most) else { return };
            let id = mailbox.id;
            let Some(length) = self.stack.transport().next_length(id) else { return };
            let is_long = length > longest as usize;
            let block = if is_long { None } else { self.take(longest) };
            if block.is_none() && !is_long {
                self.sockets.starved.insert(socket);
                return;
            }
            let Ok(datagram) = self.stack.sockets(self.now, |transport| transport.receive_from(id)) else { return };
            let Some(address) = block else {
                self.sockets.counters.too_long += 1;
                continue;
            };
            self.sockets.counters.outside += u64::from(self.memory.store(address, &datagram.payload).is_err());
            let remote = SocketAddr::new(datagram.from.address, datagram.from.port);
            if let Some(mailbox) = self.sockets.mailbox(socket) {
                mailbox.inbox.push_back((remote, Span { address, length: length as u32 }));
            }
        }
    }

    /// Gives up a socket's name and its memory; the stack's socket is the caller's. Says which it was.
    fn forget(&mut self, socket: Socket) -> Option<SocketId> {
        let entry = self.sockets.entries.remove(&socket)?;
        self.sockets.starved.remove(&socket);
        let id = match entry.kind {
            Kind::New(..) => return None,
            Kind::Listener(id, _) => id,
            Kind::Stream(stream) => {
                if stream.until.is_none() {
                    self.give_back(stream.receive.address);
                }
                self.give_back(stream.send.address);
                stream.id
            }
            Kind::Mailbox(mailbox) => {
                for span in mailbox.inbox.into_iter().map(|(_, span)| span).chain(mailbox.reserved) {
                    self.give_back(span.address);
                }
                for group in mailbox.groups {
                    self.leave(group);
                }
                mailbox.id
            }
        };
        self.sockets.names.remove(&id);
        Some(id)
    }

    /// The last of this processor's sockets in a group leaves it.
    fn leave(&mut self, group: IpAddr) {
        let mut kinds = self.sockets.entries.values().map(|entry| &entry.kind);
        if !kinds.any(|kind| matches!(kind, Kind::Mailbox(it) if it.groups.contains(&group))) {
            self.stack.leave(self.now, group);
        }
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
