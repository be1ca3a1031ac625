//! TCP's part of the transport: who gets a segment, and what applications do with connections.

use alloc::vec::Vec;

use smoltcp::iface::SocketSet;
use smoltcp::socket::tcp::State;
use smoltcp::wire::TcpControl;

use super::connection::{self, Connection, Stage, has_handshake};
use super::event::Readiness;
use super::listener::{Admission, Listener};
use super::packet::{Packet, Segment};
use super::{Cause, Change, Failure, OpenError, Options, Output, SocketId, Status, Transport, UseError};
use crate::net::Micros;
use crate::net::ethernet::Cast;
use crate::net::icmp::ErrorKind;
use crate::net::session::{End, Session};

impl Transport {
    /// Opens a listening socket; an unspecified address stands for all of its family.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn listen(&mut self, local: End, backlog: usize, options: Options) -> Result<SocketId, OpenError> {
        if local.port == 0 {
            return Err(OpenError::InvalidEnd);
        }
        if self.listeners.values().any(|listener| listener.local == local) {
            return Err(OpenError::InUse);
        }
        let socket = self.reserve(0)?;
        self.listeners.insert(socket, Listener::new(local, backlog, options.bounded()));
        Ok(socket)
    }

    /// The connection that has waited longest in a listener's backlog.
    ///
    /// # Errors
    /// None waits, or it is no listener.
    pub fn accept(&mut self, listener: SocketId) -> Result<(SocketId, Session), UseError> {
        let no_listener = self.error_for(listener);
        let socket = self.listeners.get_mut(&listener).ok_or(no_listener)?.accept().ok_or(UseError::WouldBlock)?;
        let connection = self.connections.get_mut(&socket).ok_or(UseError::NoSuchSocket)?;
        connection.stage = Stage::Held;
        self.counters.accepted += 1;
        let session = connection.session;
        // What came before is news to who has it now.
        self.events.push(socket);
        Ok((socket, session))
    }

    /// How many connections of a listener are half open, and how many wait to be accepted.
    ///
    /// # Errors
    /// It is no listener.
    pub fn backlog(&self, listener: SocketId) -> Result<(usize, usize), UseError> {
        self.listeners.get(&listener).map(Listener::waiting).ok_or(self.error_for(listener))
    }

    /// Makes a connection that is to be opened from here. Nothing is sent before [`begin`](Self::begin).
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(&mut self, now: Micros, session: Session, options: Options) -> Result<SocketId, OpenError> {
        let Session { local, remote } = session;
        let is_possible = local.address.is_ipv4() == remote.address.is_ipv4()
            && local.port != 0
            && remote.port != 0
            && !remote.address.is_unspecified()
            && !remote.address.is_multicast();
        if !is_possible {
            return Err(OpenError::InvalidEnd);
        }
        if self.has_session(&session) {
            return Err(OpenError::InUse);
        }
        let options = options.bounded();
        let socket = self.reserve(options.memory())?;
        let mtu = self.paths.mtu(now, remote.address);
        let mut connection = Connection::new(session, Stage::Waiting, mtu, options);
        connection.wait(now, &self.config.times);
        self.connections.insert(socket, connection);
        self.sessions.insert(session, socket);
        self.exchange(now, socket, None);
        Ok(socket)
    }

    /// Those who must know of a session do: its SYN may leave.
    pub fn begin(&mut self, now: Micros, session: &Session) {
        let Some(&socket) = self.sessions.get(session) else { return };
        let Some(connection) = self.connections.get_mut(&socket) else { return };
        if connection.stage == Stage::Waiting && connection.connect(now, &mut self.link, &self.config.times) {
            self.counters.connected += 1;
            self.exchange(now, socket, None);
        }
    }

    /// Segments of a session will not find here.
    pub fn refuse(&mut self, now: Micros, session: &Session) {
        let Some(&socket) = self.sessions.get(session) else { return };
        let Some(connection) = self.connections.get_mut(&socket) else { return };
        connection.failure.get_or_insert(Failure::Unknown);
        if connection.stage == Stage::Waiting {
            self.end_quietly(socket);
        } else {
            connection.socket_mut().abort();
            self.exchange(now, socket, None);
        }
    }

    /// Has a connection send bytes that `fill` writes into its buffer, as many as it returns.
    ///
    /// # Errors
    /// There is no room, or nothing can be sent any more.
    pub fn send_with(
        &mut self,
        now: Micros,
        socket: SocketId,
        fill: impl FnOnce(&mut [u8]) -> usize,
    ) -> Result<usize, UseError> {
        let connection = self.held(socket)?;
        let status = (connection.failure, connection.stage, connection.socket().state());
        match status {
            (Some(failure), ..) => return Err(UseError::Failed(failure)),
            (_, Stage::Waiting, _) | (_, _, State::SynSent | State::SynReceived) => return Err(UseError::WouldBlock),
            _ => (),
        }
        let stream = connection.socket_mut();
        if stream.may_send() && !stream.can_send() {
            return Err(UseError::WouldBlock);
        }
        let sent = stream
            .send(|room| {
                let bytes = fill(room).min(room.len());
                (bytes, bytes)
            })
            .map_err(|_| UseError::Closed)?;
        self.exchange(now, socket, None);
        Ok(sent)
    }

    /// Sends as many of these bytes as there is room for.
    ///
    /// # Errors
    /// There is no room, or nothing can be sent any more.
    pub fn send(&mut self, now: Micros, socket: SocketId, bytes: &[u8]) -> Result<usize, UseError> {
        let mut sent = 0;
        // The buffer is a ring: its room is in two pieces.
        for _ in 0..2 {
            let rest = bytes.get(sent..).unwrap_or_default();
            if rest.is_empty() {
                break;
            }
            let fill = |room: &mut [u8]| {
                let length = room.len().min(rest.len());
                room.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
                length
            };
            match self.send_with(now, socket, fill) {
                Ok(more) => sent += more,
                Err(error) if sent == 0 => return Err(error),
                Err(_) => break,
            }
        }
        Ok(sent)
    }

    /// Hands what was received to `take`, in one piece, as much as there is in one; it says how much it took. 0: the peer
    /// sends nothing any more.
    ///
    /// # Errors
    /// Nothing has come, or the connection failed.
    pub fn receive_with(
        &mut self,
        now: Micros,
        socket: SocketId,
        take: impl FnOnce(&[u8]) -> usize,
    ) -> Result<usize, UseError> {
        let connection = self.held(socket)?;
        if !connection.socket().can_recv() {
            let readable = connection.readiness().readable;
            return match connection.failure {
                Some(failure) => Err(UseError::Failed(failure)),
                None if readable => Ok(0),
                None => Err(UseError::WouldBlock),
            };
        }
        let taken = connection.socket_mut().recv(|bytes| {
            let taken = take(bytes).min(bytes.len());
            (taken, taken)
        });
        // The peer may be told of the room.
        self.exchange(now, socket, None);
        taken.map_err(|_| UseError::Closed)
    }

    /// Receives what there is, up to the length of `bytes`. 0: the peer sends nothing any more.
    ///
    /// # Errors
    /// Nothing has come, or the connection failed.
    pub fn receive_into(&mut self, now: Micros, socket: SocketId, bytes: &mut [u8]) -> Result<usize, UseError> {
        self.receive_with(now, socket, |received| {
            let length = received.len().min(bytes.len());
            bytes.iter_mut().zip(received).for_each(|(to, from)| *to = *from);
            length
        })
    }

    /// Sends nothing any more; what the peer sends still comes.
    ///
    /// # Errors
    /// It is no connection.
    pub fn shutdown(&mut self, now: Micros, socket: SocketId) -> Result<(), UseError> {
        let connection = self.held(socket)?;
        if connection.stage == Stage::Waiting {
            return Err(UseError::WouldBlock);
        }
        connection.socket_mut().close();
        self.exchange(now, socket, None);
        Ok(())
    }

    /// Breaks a connection off, and closes the socket.
    ///
    /// # Errors
    /// It is no connection.
    pub fn abort(&mut self, now: Micros, socket: SocketId) -> Result<(), UseError> {
        self.held(socket)?;
        self.break_off(now, socket);
        Ok(())
    }

    /// How a connection is.
    ///
    /// # Errors
    /// It is no connection.
    pub fn status(&self, socket: SocketId) -> Result<Status, UseError> {
        let connection = self.connections.get(&socket).ok_or(self.error_for(socket))?;
        let stream = connection.socket();
        Ok(Status {
            session: connection.session,
            state: stream.state(),
            readable: stream.recv_queue(),
            room: if stream.may_send() { stream.send_capacity() - stream.send_queue() } else { 0 },
            unacknowledged: stream.send_queue(),
            failure: connection.failure,
            readiness: connection.readiness(),
        })
    }

    /// The options of a connection, to change. Its buffers stay as they are.
    ///
    /// # Errors
    /// It is no connection.
    pub fn change_options(
        &mut self,
        now: Micros,
        socket: SocketId,
        change: impl FnOnce(&mut Options),
    ) -> Result<(), UseError> {
        let connection = self.held(socket)?;
        let Options { receive_buffer, send_buffer, .. } = connection.options;
        change(&mut connection.options);
        connection.options = Options { receive_buffer, send_buffer, ..connection.options };
        connection.apply_options();
        self.exchange(now, socket, None);
        Ok(())
    }

    /// A connection that an application has.
    fn held(&mut self, socket: SocketId) -> Result<&mut Connection, UseError> {
        let none = self.error_for(socket);
        let connection = self.connections.get_mut(&socket).ok_or(none)?;
        matches!(connection.stage, Stage::Held | Stage::Waiting).then_some(connection).ok_or(UseError::NoSuchSocket)
    }

    /// What is wrong with a socket that is not of the kind that was wanted.
    fn error_for(&self, socket: SocketId) -> UseError {
        if self.readiness(socket).is_some() { UseError::WrongKind } else { UseError::NoSuchSocket }
    }

    pub(super) fn close_stream(&mut self, now: Micros, socket: SocketId) -> Result<(), UseError> {
        let times = self.config.times;
        let connection = self.held(socket)?;
        if connection.stage == Stage::Waiting || connection.failure.is_some() {
            self.remove(socket);
            return Ok(());
        }
        connection.release(now, &times);
        self.events.forget(socket);
        self.exchange(now, socket, None);
        Ok(())
    }

    /// Ends a connection at once, and tells the peer.
    pub(super) fn break_off(&mut self, now: Micros, socket: SocketId) {
        let Some(connection) = self.connections.get_mut(&socket) else { return };
        self.events.forget(socket);
        let is_silent = connection.stage == Stage::Waiting || connection.failure.is_some();
        connection.stage = Stage::Released;
        if is_silent {
            self.remove(socket);
        } else {
            connection.socket_mut().abort();
            self.exchange(now, socket, None);
        }
    }

    /// A connection's deadline has come.
    pub(super) fn drive(&mut self, now: Micros, socket: SocketId) {
        let Some(connection) = self.connections.get_mut(&socket) else { return };
        let Some(failure) = connection.is_over(now) else { return self.exchange(now, socket, None) };
        match connection.stage {
            Stage::HalfOpen(_) => {
                self.counters.abandoned += 1;
                self.remove(socket);
            }
            Stage::Waiting => {
                connection.failure = Some(failure);
                self.end_quietly(socket);
            }
            Stage::Backlog(_) | Stage::Held | Stage::Released => {
                connection.failure = Some(failure);
                connection.socket_mut().abort();
                self.exchange(now, socket, None);
            }
        }
    }

    pub(super) fn receive_segment(&mut self, now: Micros, packet: &Packet) -> Result<(), Cause> {
        if packet.cast != Cast::Unicast {
            return Err(Cause::NotUnicast);
        }
        let segment = packet.segment().ok_or(Cause::Malformed)?;
        let session = packet.session();
        let is_opening = segment.control == TcpControl::Syn && !segment.has_ack;
        if let Some(&socket) = self.sessions.get(&session) {
            let gives_way = is_opening
                && self.connections.get(&socket).is_some_and(|connection| {
                    connection.stage == Stage::Released && connection.gives_way_to(segment.sequence)
                });
            if !gives_way {
                self.exchange(now, socket, Some(packet));
                return Ok(());
            }
            self.remove(socket);
        }
        match self.listener_of(&session) {
            Some(listener) if is_opening => self.admit(now, listener, session, packet),
            _ => Err(self.answer_stray(now, packet, segment, is_opening)),
        }
    }

    /// The listener that a session is for, the one with its address before the one with all.
    fn listener_of(&self, session: &Session) -> Option<SocketId> {
        let local = session.local;
        let hears = |listener: &Listener| {
            let address = listener.local.address;
            let any = address.is_unspecified() && address.is_ipv4() == local.address.is_ipv4();
            listener.local.port == local.port && (address == local.address || any)
        };
        let hearing = self.listeners.iter().filter(|(_, listener)| hears(listener));
        hearing.min_by_key(|(_, listener)| listener.local.address.is_unspecified()).map(|(&socket, _)| socket)
    }

    fn admit(&mut self, now: Micros, id: SocketId, session: Session, packet: &Packet) -> Result<(), Cause> {
        let Some(listener) = self.listeners.get(&id) else { return Err(Cause::NoListener) };
        let options = listener.options;
        match listener.admission() {
            Admission::Full => return Err(Cause::BacklogFull),
            Admission::Replace(oldest) => {
                self.counters.replaced += 1;
                self.remove(oldest);
            }
            Admission::Admit => (),
        }
        let socket = self.reserve(options.memory()).map_err(|_| Cause::NoRoom)?;
        let mtu = self.paths.mtu(now, session.remote.address);
        let mut connection = Connection::new(session, Stage::HalfOpen(id), mtu, options);
        connection.listen(now, &self.config.times);
        self.connections.insert(socket, connection);
        self.sessions.insert(session, socket);
        if let Some(listener) = self.listeners.get_mut(&id) {
            listener.begin(socket);
        }
        self.changes.push(Change::Opened(session));
        self.exchange(now, socket, Some(packet));
        if self.has_session(&session) { Ok(()) } else { Err(Cause::Malformed) }
    }

    /// RFC 9293, 3.10.7.1: what belongs to no connection is answered by a reset.
    fn answer_stray(&mut self, now: Micros, packet: &Packet, segment: Segment, is_opening: bool) -> Cause {
        if segment.control == TcpControl::Rst {
            return Cause::StrayReset;
        }
        let mut outward = Vec::new();
        let mut none = SocketSet::new(Vec::new());
        self.link.exchange(now, self.config.mtu, Some(packet.bytes()), &mut none, &mut outward);
        self.outputs.extend(outward.into_iter().map(Output::Packet));
        if is_opening { Cause::NoListener } else { Cause::NoSession }
    }

    /// Gives a connection a segment, if there is one, and sees to what follows.
    fn exchange(&mut self, now: Micros, socket: SocketId, packet: Option<&Packet>) {
        let Some(connection) = self.connections.get_mut(&socket) else { return };
        if let Some(at) = connection.deadline {
            self.deadlines.remove(&(at, socket));
        }
        let mut outward = Vec::new();
        let change = connection.exchange(now, packet, &mut self.link, &mut outward);
        self.outputs.extend(outward.into_iter().map(Output::Packet));
        if let Some(at) = connection.deadline {
            self.deadlines.insert((at, socket));
        }
        self.follow(socket, change, packet.is_some());
    }

    fn follow(&mut self, socket: SocketId, change: connection::Change, was_received: bool) {
        let Some(connection) = self.connections.get_mut(&socket) else { return };
        let is_gone = change.after == State::Closed;
        match connection.stage {
            // A reset sends a connection that a peer opened back to where it came from.
            Stage::HalfOpen(_) if is_gone || change.after == State::Listen => self.remove(socket),
            Stage::HalfOpen(listener) if has_handshake(change.after) => {
                connection.enter_backlog(listener);
                self.backlog_grows(listener, socket);
            }
            Stage::Backlog(_) | Stage::Released if is_gone => self.remove(socket),
            Stage::Held if is_gone && self.sessions.get(&connection.session) != Some(&socket) => {
                self.tell(socket, false)
            }
            Stage::Held if is_gone => {
                let is_broken = !matches!(change.before, State::Closed | State::LastAck | State::TimeWait);
                if is_broken && was_received {
                    let failure = if change.before == State::SynSent { Failure::Refused } else { Failure::Reset };
                    connection.failure.get_or_insert(failure);
                }
                self.end_quietly(socket);
            }
            Stage::Held => self.tell(socket, change.more),
            Stage::HalfOpen(_) | Stage::Backlog(_) | Stage::Waiting | Stage::Released => (),
        }
    }

    fn backlog_grows(&mut self, listener: SocketId, socket: SocketId) {
        if let Some(listening) = self.listeners.get_mut(&listener) {
            listening.complete(socket);
            self.events.push(listener);
        }
    }

    /// An event, if there is more that can be done than the application knows.
    fn tell(&mut self, socket: SocketId, more: bool) {
        let Some(connection) = self.connections.get_mut(&socket) else { return };
        let (now, told) = (connection.readiness(), connection.told);
        let list = |it: Readiness| [it.readable, it.writable, it.connected, it.closed];
        let is_news = list(now).into_iter().zip(list(told)).any(|(now, told)| now && !told);
        connection.told = now;
        if is_news || more {
            self.events.push(socket);
        }
    }

    /// A connection is over; its socket stays until it is closed.
    fn end_quietly(&mut self, socket: SocketId) {
        let Some(connection) = self.connections.get_mut(&socket) else { return };
        if let Some(at) = connection.deadline.take() {
            self.deadlines.remove(&(at, socket));
        }
        let session = connection.session;
        self.unbind(&session, socket);
        self.tell(socket, true);
    }

    fn unbind(&mut self, session: &Session, socket: SocketId) {
        if self.sessions.get(session) == Some(&socket) {
            self.sessions.remove(session);
            self.changes.push(Change::Closed(*session));
        }
    }

    /// Forgets a connection, whatever it was.
    pub(super) fn remove(&mut self, socket: SocketId) {
        let Some(connection) = self.connections.remove(&socket) else { return };
        if let Some(at) = connection.deadline {
            self.deadlines.remove(&(at, socket));
        }
        if let Stage::HalfOpen(listener) | Stage::Backlog(listener) = connection.stage
            && let Some(listener) = self.listeners.get_mut(&listener)
        {
            listener.forget(socket);
        }
        self.memory -= connection.memory();
        self.events.forget(socket);
        self.unbind(&connection.session, socket);
    }

    /// RFC 1122, 4.2.3.9 and RFC 5461: what may pass does not end a connection that was there; one that is being opened
    /// fails. Only a report of what may be on its way is believed (RFC 5927, 4.1).
    pub(super) fn stream_trouble(&mut self, now: Micros, kind: ErrorKind, session: &Session, sequence: Option<u32>) {
        let Some(&socket) = self.sessions.get(session) else { return };
        let Some(connection) = self.connections.get_mut(&socket) else { return };
        if !connection.may_have_sent(sequence) {
            return;
        }
        match kind {
            ErrorKind::TooBig { mtu } => {
                if let Some(mtu) = self.narrow(now, session, mtu)
                    && let Some(connection) = self.connections.get_mut(&socket)
                {
                    connection.mtu = mtu;
                    self.exchange(now, socket, None);
                }
            }
            ErrorKind::TimeExceeded | ErrorKind::ReassemblyTime | ErrorKind::ParameterProblem => (),
            _ if connection.stage == Stage::Held && connection.socket().state() == State::SynSent => {
                connection.failure = Some(Failure::Unreachable(kind));
                self.end_quietly(socket);
            }
            _ => (),
        }
    }

    /// Where a listener listens.
    ///
    /// # Errors
    /// It is no listener.
    pub fn listens_at(&self, listener: SocketId) -> Result<End, UseError> {
        self.listeners.get(&listener).map(|it| it.local).ok_or(self.error_for(listener))
    }
}
