//! TCP and UDP of one processor: sockets without an application, packets without a link.
//!
//! TCP is `smoltcp`'s, one socket and one socket set a connection; who gets a segment, listeners, backlogs, limits and the ends of
//! connections are decided here. Every segment reaches its connection by one look-up, whatever their number.
//!
//! Calls return at once. What is to be sent waits in [`Transport::take_outputs`], what happened to sockets in
//! [`Transport::next_event`], which sessions came and went in [`Transport::take_changes`]: the caller sees to all three after
//! every call, and calls [`Transport::poll`] when it is time.
//!
//! **Limits.** Sockets and the bytes of their buffers are counted. When either is used up the connection that has been in
//! TIME-WAIT for longest goes; if there is none, opening is an error and a SYN is dropped.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::fmt;

use smoltcp::socket::tcp::State;
use smoltcp::wire::IpProtocol;

use super::icmp::{ErrorKind, Quoted};
use super::outgoing::Outgoing;
use super::session::{End, Session};
use super::tally::Tally;
use super::{Micros, SECOND};

mod connection;
pub mod event;
mod link;
pub mod listener;
mod overtaken;
pub mod packet;
pub mod path;
mod streams;
pub mod udp;

mod datagrams;

use connection::{Connection, Stage};
use event::{Event, Queue, Readiness};
use link::Link;
use listener::Listener;
use packet::Packet;
use path::Paths;
use udp::UdpSocket;

/// A socket of this processor. Numbers are not used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SocketId(pub u32);

/// What a socket is made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Bytes that may wait to be received.
    pub receive_buffer: usize,
    /// Bytes that may wait to be sent and acknowledged.
    pub send_buffer: usize,
    /// Small segments are sent at once (no Nagle).
    pub no_delay: bool,
    /// Ask a silent peer so often whether it is still there.
    pub keep_alive: Option<Micros>,
    /// How long a peer may owe an answer.
    pub timeout: Micros,
    /// Others may be bound to the same UDP port.
    pub reuse: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            receive_buffer: 16_384,
            send_buffer: 16_384,
            no_delay: false,
            keep_alive: None,
            // RFC 9293, 3.8.3 wants at least 100 seconds.
            timeout: 120 * SECOND,
            reuse: false,
        }
    }
}

/// Bytes of one buffer, at most and at least.
const BUFFER: core::ops::RangeInclusive<usize> = 256..=1 << 20;

impl Options {
    /// With buffers that exist.
    fn bounded(self) -> Self {
        let bound = |bytes: usize| bytes.clamp(*BUFFER.start(), *BUFFER.end());
        Self { receive_buffer: bound(self.receive_buffer), send_buffer: bound(self.send_buffer), ..self }
    }

    const fn memory(&self) -> usize {
        self.receive_buffer + self.send_buffer
    }
}

/// How long things may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// A connection that is opened from here.
    pub connect: Micros,
    /// A peer's handshake.
    pub half_open: Micros,
    /// The end of a connection that nobody holds any more, TIME-WAIT not counted.
    pub linger: Micros,
}

impl Default for Times {
    fn default() -> Self {
        Self { connect: 30 * SECOND, half_open: 20 * SECOND, linger: 60 * SECOND }
    }
}

/// What a transport is made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Longest IP packet of the link.
    pub mtu: usize,
    /// What initial sequence numbers are drawn from; every processor its own.
    pub seed: u64,
    /// Sockets at most, those that nobody holds any more among them.
    pub sockets: usize,
    /// Bytes of all buffers at most.
    pub memory: usize,
    /// How long things may take.
    pub times: Times,
}

/// Why a socket was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenError {
    /// Somebody has the port, or a session with these ends.
    InUse,
    /// The local address is not this card's.
    NotOurs,
    /// Port 0, an address that nobody has, or two families.
    InvalidEnd,
    /// All ephemeral ports to this peer are in use, or none of them is as wanted.
    PortsExhausted,
    /// There are too many sockets.
    TooManySockets,
    /// The buffers would be too much memory.
    OutOfMemory,
}

/// Why a socket could not be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UseError {
    /// There is no such socket any more.
    NoSuchSocket,
    /// It is a socket of another kind.
    WrongKind,
    /// Nothing to accept or receive, no room to send: later.
    WouldBlock,
    /// This direction is closed.
    Closed,
    /// The datagram is too long.
    TooLong,
    /// The local and the remote address do not go together.
    InvalidEnd,
    /// The connection has failed.
    Failed(Failure),
}

/// Why a connection failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The peer does not want it.
    Refused,
    /// The peer broke it off.
    Reset,
    /// The peer does not answer.
    TimedOut,
    /// The peer cannot be reached.
    Unreachable(ErrorKind),
    /// Another processor has a session with these ends, or no room to know of this one.
    Unknown,
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InUse => "the port or the session is in use",
            Self::NotOurs => "the local address is not this card's",
            Self::InvalidEnd => "these ends cannot be joined",
            Self::PortsExhausted => "no ephemeral port is left",
            Self::TooManySockets => "there are too many sockets",
            Self::OutOfMemory => "there is no memory for the buffers",
        })
    }
}

impl fmt::Display for UseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoSuchSocket => "there is no such socket",
            Self::WrongKind => "the socket is of another kind",
            Self::WouldBlock => "not yet",
            Self::Closed => "this direction is closed",
            Self::TooLong => "the datagram is too long",
            Self::InvalidEnd => "these ends cannot be joined",
            Self::Failed(_) => "the connection has failed",
        })
    }
}

impl core::error::Error for OpenError {}
impl core::error::Error for UseError {}

/// How a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// Its ends.
    pub session: Session,
    /// RFC 9293's state.
    pub state: State,
    /// Bytes that can be received.
    pub readable: usize,
    /// Bytes that can be sent now.
    pub room: usize,
    /// Bytes that are not acknowledged.
    pub unacknowledged: usize,
    /// Why it ended, if not in order.
    pub failure: Option<Failure>,
    /// What can be done with it.
    pub readiness: Readiness,
}

/// What is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// An IP packet that is short enough.
    Packet(Vec<u8>),
    /// A datagram, in fragments if it is longer than this.
    Datagram(Outgoing, usize),
}

/// A session that came or went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A peer opened it.
    Opened(Session),
    /// It is over.
    Closed(Session),
}

/// Why a packet was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// Too short, a wrong checksum, flags that make no sense.
    Malformed,
    /// TCP to a group.
    NotUnicast,
    /// No such session; the peer was told.
    NoSession,
    /// Nobody listens there; the peer was told.
    NoListener,
    /// A reset of a session that there is not.
    StrayReset,
    /// A SYN, and the backlog is full.
    BacklogFull,
    /// A SYN, and there is no room for another connection.
    NoRoom,
    /// Nobody has opened the UDP port.
    NoSocket,
    /// All that have opened the UDP port have no room.
    QueueFull,
}

/// What happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Packets that came.
    pub received: u64,
    /// Packets that were dropped.
    pub dropped: Tally<Cause>,
    /// Connections that peers opened.
    pub accepted: u64,
    /// Connections that were opened from here.
    pub connected: u64,
    /// Half-open connections that made room for newer ones.
    pub replaced: u64,
    /// Half-open connections that took too long.
    pub abandoned: u64,
    /// Connections in TIME-WAIT that made room.
    pub recycled: u64,
    /// Paths that were found narrower.
    pub narrowed: u64,
}

/// The sockets of one processor.
#[derive(Debug)]
pub struct Transport {
    config: Config,
    link: Link,
    paths: Paths,
    last: u32,
    connections: BTreeMap<SocketId, Connection>,
    sessions: BTreeMap<Session, SocketId>,
    listeners: BTreeMap<SocketId, Listener>,
    datagrams: BTreeMap<SocketId, UdpSocket>,
    deadlines: BTreeSet<(Micros, SocketId)>,
    events: Queue,
    memory: usize,
    outputs: Vec<Output>,
    changes: Vec<Change>,
    counters: Counters,
}

impl Transport {
    /// Without sockets.
    pub fn new(config: Config) -> Self {
        Self {
            link: Link::new(config.seed),
            paths: Paths::new(config.mtu),
            config,
            last: 0,
            connections: BTreeMap::new(),
            sessions: BTreeMap::new(),
            listeners: BTreeMap::new(),
            datagrams: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            events: Queue::default(),
            memory: 0,
            outputs: Vec::new(),
            changes: Vec::new(),
            counters: Counters::default(),
        }
    }

    /// Takes a packet that is for this processor.
    ///
    /// # Errors
    /// It was dropped.
    pub fn receive(&mut self, now: Micros, packet: &Packet) -> Result<(), Cause> {
        self.counters.received += 1;
        let taken = match packet.protocol() {
            IpProtocol::Udp => self.receive_datagram(packet),
            _ => self.receive_segment(now, packet),
        };
        if let Err(cause) = taken {
            self.counters.dropped.count(cause);
        }
        taken
    }

    /// Something that was sent from here does not arrive.
    pub fn trouble(&mut self, now: Micros, kind: ErrorKind, quoted: &Quoted) {
        let Some((local, remote)) = quoted.ports else { return };
        let session = Session { local: End::new(quoted.local, local), remote: End::new(quoted.remote, remote) };
        if quoted.protocol == IpProtocol::Tcp {
            self.stream_trouble(now, kind, &session, quoted.sequence);
        } else {
            self.datagram_trouble(now, kind, &session);
        }
    }

    fn narrow(&mut self, now: Micros, session: &Session, mtu: u32) -> Option<usize> {
        let narrowed = self.paths.narrow(now, session.remote.address, mtu);
        self.counters.narrowed += u64::from(narrowed.is_some());
        narrowed
    }

    /// Does what is due.
    pub fn poll(&mut self, now: Micros) {
        while let Some(&(at, socket)) = self.deadlines.first()
            && at <= now
        {
            self.deadlines.remove(&(at, socket));
            self.drive(now, socket);
        }
    }

    /// When [`poll`](Self::poll) has something to do.
    pub fn next_deadline(&self) -> Option<Micros> {
        self.deadlines.first().map(|&(at, _)| at)
    }

    /// What happened to a socket.
    pub fn next_event(&mut self) -> Option<Event> {
        loop {
            let socket = self.events.pop()?;
            if let Some(readiness) = self.readiness(socket) {
                return Some(Event { socket, readiness });
            }
        }
    }

    /// What can be done with a socket; `None` if there is none.
    pub fn readiness(&self, socket: SocketId) -> Option<Readiness> {
        if let Some(connection) = self.connections.get(&socket) {
            return Some(connection.readiness());
        }
        if let Some(listener) = self.listeners.get(&socket) {
            return Some(Readiness { acceptable: listener.is_acceptable(), ..Readiness::default() });
        }
        let datagrams = self.datagrams.get(&socket)?;
        Some(Readiness { readable: datagrams.queued() > 0, writable: true, ..Readiness::default() })
    }

    /// What is to be sent, in order.
    pub fn take_outputs(&mut self) -> Vec<Output> {
        core::mem::take(&mut self.outputs)
    }

    /// Sessions that came and went, in order.
    pub fn take_changes(&mut self) -> Vec<Change> {
        core::mem::take(&mut self.changes)
    }

    /// Whether a session lives here.
    pub fn has_session(&self, session: &Session) -> bool {
        self.sessions.contains_key(session)
    }

    /// Sessions that live here.
    pub fn sessions(&self) -> usize {
        self.sessions.len()
    }

    /// Sockets, and the bytes of their buffers.
    pub fn usage(&self) -> (usize, usize) {
        (self.sockets(), self.memory)
    }

    /// What happened.
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    fn sockets(&self) -> usize {
        self.connections.len() + self.listeners.len() + self.datagrams.len()
    }

    /// Takes memory for another socket. Connections in TIME-WAIT give way.
    fn reserve(&mut self, memory: usize) -> Result<SocketId, OpenError> {
        loop {
            let error = if self.sockets() >= self.config.sockets {
                OpenError::TooManySockets
            } else if memory > self.config.memory.saturating_sub(self.memory) {
                OpenError::OutOfMemory
            } else {
                break;
            };
            if !self.recycle() {
                return Err(error);
            }
        }
        self.memory += memory;
        self.last = self.last.wrapping_add(1);
        // After four thousand million sockets an old one may still be there.
        while self.readiness(SocketId(self.last)).is_some() {
            self.last = self.last.wrapping_add(1);
        }
        Ok(SocketId(self.last))
    }

    /// Ends the connection that would leave TIME-WAIT first.
    fn recycle(&mut self) -> bool {
        let waiting = self.connections.iter().filter(|(_, connection)| {
            connection.stage == Stage::Released && connection.socket().state() == State::TimeWait
        });
        let Some((&first, _)) = waiting.min_by_key(|(_, connection)| connection.deadline) else { return false };
        self.counters.recycled += 1;
        self.remove(first);
        true
    }

    /// Closes a socket: it cannot be used any more. A connection still sends what it was given; a listener's backlog is
    /// broken off.
    ///
    /// # Errors
    /// There is none.
    pub fn close(&mut self, now: Micros, socket: SocketId) -> Result<(), UseError> {
        if let Some(datagrams) = self.datagrams.remove(&socket) {
            self.memory -= datagrams.room;
            self.events.forget(socket);
            return Ok(());
        }
        if let Some(listener) = self.listeners.remove(&socket) {
            self.events.forget(socket);
            let connections: Vec<_> = listener.connections().collect();
            for connection in connections {
                self.break_off(now, connection);
            }
            return Ok(());
        }
        self.close_stream(now, socket)
    }
}
