//! One TCP connection: a `smoltcp` socket, and what it does not do by itself.
//!
//! `smoltcp`'s own timeout also ends connections that have nothing to say, and its FIN-WAIT-2 has no end. So both are kept
//! here: a peer that owes an answer for [`Options::timeout`] is given up, and so is a connection that nobody holds any more
//! and that has not ended within [`Times::linger`].

use alloc::vec::Vec;

use smoltcp::iface::{SocketHandle, SocketSet};
use smoltcp::socket::tcp::{CongestionControl, Socket, SocketBuffer, State};
use smoltcp::time::Duration;
use smoltcp::wire::IpEndpoint;

use super::event::Readiness;
use super::link::Link;
use super::overtaken::Acknowledgement;
use super::packet::Packet;
use super::{Failure, Options, SocketId, Times};
use crate::net::Micros;
use crate::net::session::{End, Session};

impl core::fmt::Debug for Connection {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let state = self.socket().state();
        f.debug_struct("Connection").field("session", &self.session).field("state", &state).finish_non_exhaustive()
    }
}

/// Where a connection stands towards the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Opened by a peer; the handshake is not over. Its listener.
    HalfOpen(SocketId),
    /// Opened by a peer, to be accepted. Its listener.
    Backlog(SocketId),
    /// To be opened from here, when somebody else knows of it.
    Waiting,
    /// An application has it.
    Held,
    /// An application had it.
    Released,
}

/// A connection.
pub struct Connection {
    pub session: Session,
    pub stage: Stage,
    /// Longest packet of its path.
    pub mtu: usize,
    pub options: Options,
    /// Why it ended, if not in order.
    pub failure: Option<Failure>,
    /// When something is to be done.
    pub deadline: Option<Micros>,
    /// What the application was told last.
    pub told: Readiness,
    received: usize,
    sockets: SocketSet<'static>,
    handle: SocketHandle,
    /// Since when the peer owes an answer.
    owed_since: Option<Micros>,
    /// When its stage ends it, whatever it does.
    stage_ends: Option<Micros>,
    /// Sequence number that the peer was last told to send.
    expected: Option<u32>,
    /// That of the last segment that was sent.
    sent: Option<u32>,
    /// What the peer has acknowledged last.
    newest: Option<Acknowledgement>,
}

/// What an exchange changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    pub before: State,
    pub after: State,
    /// There is more to receive than before.
    pub more: bool,
}

impl Connection {
    /// A connection of which nothing has been sent.
    pub fn new(session: Session, stage: Stage, mtu: usize, options: Options) -> Self {
        let buffer = |bytes: usize| SocketBuffer::new(alloc::vec![0; bytes]);
        let mut socket = Socket::new(buffer(options.receive_buffer), buffer(options.send_buffer));
        socket.set_congestion_control(CongestionControl::Reno);
        let mut sockets = SocketSet::new(Vec::new());
        let handle = sockets.add(socket);
        let (failure, deadline, told, owed_since, stage_ends, expected, sent, newest) = Default::default();
        let mut connection = Self {
            session,
            stage,
            mtu,
            options,
            failure,
            deadline,
            told,
            received: 0,
            sockets,
            handle,
            owed_since,
            stage_ends,
            expected,
            sent,
            newest,
        };
        connection.apply_options();
        connection
    }

    /// The socket inside.
    pub fn socket(&self) -> &Socket<'static> {
        self.sockets.get(self.handle)
    }

    /// The socket inside.
    pub fn socket_mut(&mut self) -> &mut Socket<'static> {
        self.sockets.get_mut(self.handle)
    }

    /// Hands the options on to the socket. The buffers stay as they are.
    pub fn apply_options(&mut self) {
        let Options { no_delay, keep_alive, .. } = self.options;
        let socket = self.socket_mut();
        socket.set_nagle_enabled(!no_delay);
        socket.set_keep_alive(keep_alive.map(Duration::from_micros));
    }

    /// Waits for the SYN that is about to be given to it.
    pub fn listen(&mut self, now: Micros, times: &Times) {
        let local = endpoint(self.session.local);
        self.stage_ends = Some(now.saturating_add(times.half_open));
        // The port of a segment that has come is not zero, and the socket is new.
        let _ = self.socket_mut().listen(local);
    }

    /// Opens from here. Says whether it is possible between these ends.
    pub fn connect(&mut self, now: Micros, link: &mut Link, times: &Times) -> bool {
        self.stage = Stage::Held;
        self.stage_ends = Some(now.saturating_add(times.connect));
        let Session { local, remote } = self.session;
        let context = link.interface(self.mtu).context();
        self.sockets.get_mut::<Socket>(self.handle).connect(context, endpoint(remote), endpoint(local)).is_ok()
    }

    /// A peer's handshake is over.
    pub const fn enter_backlog(&mut self, listener: SocketId) {
        self.stage = Stage::Backlog(listener);
        self.stage_ends = None;
    }

    /// An application waits for somebody to know of it.
    pub fn wait(&mut self, now: Micros, times: &Times) {
        self.stage_ends = Some(now.saturating_add(times.connect));
    }

    /// Nobody holds it any more. What has been sent still goes out; what was received and not read is lost, so the peer is
    /// told (RFC 1122, 4.2.2.13).
    pub fn release(&mut self, now: Micros, times: &Times) {
        self.stage = Stage::Released;
        self.stage_ends = Some(now.saturating_add(times.linger));
        let socket = self.socket_mut();
        if socket.recv_queue() > 0 {
            socket.abort();
        } else {
            socket.close();
        }
    }

    /// Gives it a segment, if there is one, and lets it do what is due.
    pub fn exchange(
        &mut self,
        now: Micros,
        segment: Option<&Packet>,
        link: &mut Link,
        outward: &mut Vec<Vec<u8>>,
    ) -> Change {
        let before = self.socket().state();
        if segment.is_some() {
            self.owed_since = None;
        }
        let (first, unacknowledged) = (outward.len(), self.socket().send_queue());
        let newest = self.newest.zip(segment);
        let renewed = newest.and_then(|(newest, segment)| newest.renew(segment, self.options.send_buffer));
        let bytes = renewed.as_deref().or(segment.map(Packet::bytes));
        let polled = link.exchange(now, self.mtu, bytes, &mut self.sockets, outward);
        if self.socket().send_queue() < unacknowledged {
            self.newest = segment.and_then(Acknowledgement::of).or(self.newest);
        }
        for packet in outward.iter().skip(first) {
            let (sent, expected) = numbers(packet);
            (self.sent, self.expected) = (sent.or(self.sent), expected.or(self.expected));
        }
        let after = self.socket().state();
        // A handshake that is over in whatever way, and TIME-WAIT, which ends by itself.
        let is_decided = has_handshake(after) || after == State::Closed;
        if (self.stage == Stage::Held && is_decided) || after == State::TimeWait {
            self.stage_ends = None;
        }
        if !self.is_owed() {
            self.owed_since = None;
        } else if self.owed_since.is_none() {
            self.owed_since = Some(now);
        }
        let deadlines = [polled, self.stage_ends, self.gives_up_at()];
        self.deadline = deadlines.into_iter().flatten().min();
        let queue = self.socket().recv_queue();
        let more = queue > self.received;
        self.received = queue;
        Change { before, after, more }
    }

    /// Something was sent that has to be answered, or is to be.
    fn is_owed(&self) -> bool {
        let socket = self.socket();
        let sent = socket.send_queue() > 0 || self.options.keep_alive.is_some();
        match socket.state() {
            State::Closed | State::Listen | State::TimeWait => false,
            State::SynSent | State::SynReceived | State::FinWait1 | State::Closing | State::LastAck => true,
            State::Established | State::CloseWait | State::FinWait2 => sent,
        }
    }

    fn gives_up_at(&self) -> Option<Micros> {
        let quiet = self.options.keep_alive.unwrap_or(0).saturating_add(self.options.timeout);
        self.owed_since.map(|since| since.saturating_add(quiet))
    }

    /// Whether it is to be given up now, and why.
    pub fn is_over(&self, now: Micros) -> Option<Failure> {
        let ends = [self.stage_ends, self.gives_up_at()].into_iter().flatten().min()?;
        (ends <= now).then_some(Failure::TimedOut)
    }

    /// A SYN with this sequence number may open the connection anew (RFC 1122, 4.2.2.13).
    pub fn gives_way_to(&self, sequence: u32) -> bool {
        let is_later = |expected: u32| sequence.wrapping_sub(expected).cast_signed() > 0;
        self.socket().state() == State::TimeWait && self.expected.is_some_and(is_later)
    }

    /// A segment with this number may be on its way. Without a number nobody can say.
    pub fn may_have_sent(&self, sequence: Option<u32>) -> bool {
        // What is on its way fits the send buffer; the last segment may have been sent again.
        let reach = self.options.send_buffer as u32 + u32::from(u16::MAX);
        let distance = |sent: u32| sequence.map_or(0, |sequence| sent.wrapping_sub(sequence).cast_signed());
        self.sent.is_some_and(|sent| distance(sent).unsigned_abs() <= reach)
    }

    /// What an application can do now.
    pub fn readiness(&self) -> Readiness {
        let socket = self.socket();
        let state = socket.state();
        let begun = !matches!(state, State::Listen | State::SynSent | State::SynReceived);
        let closed = self.failure.is_some() || matches!(state, State::Closed | State::TimeWait);
        let waits = self.stage == Stage::Waiting && self.failure.is_none();
        Readiness {
            acceptable: false,
            readable: socket.can_recv() || (begun && !socket.may_recv() && !waits),
            writable: socket.can_send(),
            connected: has_handshake(state),
            closed: closed && !waits,
        }
    }

    /// Bytes of its buffers.
    pub const fn memory(&self) -> usize {
        self.options.receive_buffer + self.options.send_buffer
    }
}

/// The handshake has been.
pub const fn has_handshake(state: State) -> bool {
    !matches!(state, State::Closed | State::Listen | State::SynSent | State::SynReceived)
}

fn endpoint(end: End) -> IpEndpoint {
    IpEndpoint::new(end.address.into(), end.port)
}

/// Sequence and acknowledgement number of a segment that was sent from here, so without IPv6 extension headers.
fn numbers(packet: &[u8]) -> (Option<u32>, Option<u32>) {
    let header = match packet.first() {
        Some(&first) if first >> 4 == 4 => usize::from(first & 0x0f) * 4,
        _ => 40,
    };
    let tcp = packet.get(header..).unwrap_or_default();
    let word = |at: usize| tcp.get(at..at + 4)?.first_chunk::<4>().map(|&bytes| u32::from_be_bytes(bytes));
    let has_ack = tcp.get(13).is_some_and(|flags| flags & 0x10 != 0);
    (word(4), word(8).filter(|_| has_ack))
}
