//! What the socket module asks of the sockets.

use alloc::collections::{BTreeSet, VecDeque};
use core::net::{IpAddr, SocketAddr};

use abi::socket::{Family, Opt, Protocol, Status};

use super::super::transport::{Accepted, Condition, Datagram, Socket, Span, Spans, Transport};
use super::{
    Below, Buffers, Entry, Kind, Mailbox, Memory, Share, Stream, address_of, end_of, has_room, open_status, use_status,
};
use crate::net::SECOND;
use crate::net::session::Session;
use crate::net::stack::LocalPort;
use crate::net::transport::{Options, SocketId};

/// RFC 6335, 6: the first dynamic port, and how many there are.
const DYNAMIC: (u16, u16) = (49_152, 16_384);
/// A stream's ring has at least so many bytes: more than a segment.
const LEAST_RING: u32 = 2048;

impl<M: Memory> Below<'_, M> {
    fn entry(&mut self, socket: Socket) -> Result<&mut Entry, Status> {
        self.sockets.entries.get_mut(&socket).ok_or(Status::NoSession)
    }

    fn name(&mut self, socket: Socket, id: SocketId, kind: Kind) {
        self.sockets.names.insert(id, socket);
        if let Some(entry) = self.sockets.entries.get_mut(&socket) {
            entry.kind = kind;
        }
    }

    /// Whether a socket of this processor has a TCP address, or one that overlaps it.
    fn is_bound(&self, local: SocketAddr) -> bool {
        let overlaps = |other: SocketAddr| {
            let same = other.ip() == local.ip() || other.ip().is_unspecified() || local.ip().is_unspecified();
            other.port() == local.port() && other.is_ipv4() == local.is_ipv4() && same
        };
        self.sockets.entries.values().any(|entry| match entry.kind {
            Kind::New(Some(other)) | Kind::Listener(_, other) => overlaps(other),
            _ => false,
        })
    }

    /// The address with a port that is free, if it has none.
    fn with_port(&mut self, protocol: Protocol, local: SocketAddr) -> Result<SocketAddr, Status> {
        if local.port() != 0 {
            return Ok(local);
        }
        let (first, count) = DYNAMIC;
        for _ in 0..count {
            self.sockets.port = (self.sockets.port + 1) % count;
            let local = SocketAddr::new(local.ip(), first + self.sockets.port);
            let is_taken = match protocol {
                Protocol::Tcp => self.is_bound(local),
                Protocol::Udp => self.stack.transport().is_bound(local.port()),
            };
            if !is_taken {
                return Ok(local);
            }
        }
        Err(Status::AddressInUse)
    }

    fn open_stream(
        &mut self,
        bound: Option<SocketAddr>,
        remote: SocketAddr,
        options: Options,
    ) -> Result<(SocketId, Session), Status> {
        let from = bound.map(|local| local.ip()).filter(|address| !address.is_unspecified());
        let port = bound.map_or(LocalPort::Any, |local| LocalPort::Given(local.port()));
        let id = self.stack.connect(self.now, from, port, end_of(remote), options).map_err(open_status)?;
        let status = self.stack.transport().status(id).map_err(use_status)?;
        Ok((id, status.session))
    }

    /// Hands options on to the stack's socket, if it has any of its own.
    fn apply_options(&mut self, socket: Socket) -> Result<(), Status> {
        let now = self.now;
        let entry = self.entry(socket)?;
        let (Kind::Stream(stream), options) = (&entry.kind, entry.options) else { return Ok(()) };
        let id = stream.id;
        let change = |to: &mut Options| *to = options;
        self.stack.sockets(now, |transport| transport.change_options(now, id, change)).map_err(use_status)
    }

    fn set_buffer(&mut self, socket: Socket, option: Opt, value: u32) -> Result<(), Status> {
        let most = self.sockets.config.ring.max(LEAST_RING);
        let entry = self.entry(socket)?;
        let is_receive = option == Opt::ReceiveBuffer;
        let Entry { buffers, options, .. } = entry;
        let buffer = if is_receive { &mut buffers.receive } else { &mut buffers.send };
        match (entry.protocol, &entry.kind) {
            (Protocol::Udp, _) => *buffer = value,
            (Protocol::Tcp, Kind::New(_)) => {
                *buffer = value.clamp(LEAST_RING, most);
                let inside = if is_receive { &mut options.receive_buffer } else { &mut options.send_buffer };
                *inside = (*inside).min(*buffer as usize);
            }
            // Its rings are there.
            _ => return Err(Status::WrongState),
        }
        // More may be received now.
        self.drive(socket);
        Ok(())
    }
}

impl<M: Memory> Transport for Below<'_, M> {
    fn open(&mut self, protocol: Protocol, family: Family) -> Result<Socket, Status> {
        if self.sockets.is_full() {
            return Err(Status::NoRoom);
        }
        let config = self.sockets.config;
        let (options, bytes) = match protocol {
            Protocol::Tcp => (config.streams, config.ring),
            Protocol::Udp => {
                (config.datagrams, config.datagram.saturating_mul(u32::try_from(config.waiting).unwrap_or(u32::MAX)))
            }
        };
        let buffers = Buffers { receive: bytes, send: bytes };
        Ok(self.sockets.add(Entry { protocol, family, options, buffers, kind: Kind::New(None) }))
    }

    fn bind(&mut self, socket: Socket, local: SocketAddr) -> Result<SocketAddr, Status> {
        let entry = self.entry(socket)?;
        let (protocol, family, options) = (entry.protocol, entry.family, entry.options);
        if !matches!(entry.kind, Kind::New(None)) {
            return Err(Status::WrongState);
        }
        let is_ours = local.ip().is_unspecified() || self.stack.port().addresses().is_own(local.ip());
        let is_group = protocol == Protocol::Udp && local.ip().is_multicast();
        if family != Family::of(local.ip()) || !(is_ours || is_group) {
            return Err(Status::NoAddress);
        }
        let local = self.with_port(protocol, local)?;
        if protocol == Protocol::Tcp {
            if self.is_bound(local) {
                return Err(Status::AddressInUse);
            }
            self.entry(socket)?.kind = Kind::New(Some(local));
        } else {
            let id = self.stack.bind(end_of(local), options).map_err(open_status)?;
            let (inbox, reserved, groups) = (VecDeque::new(), VecDeque::new(), BTreeSet::new());
            self.name(socket, id, Kind::Mailbox(Mailbox { id, local, inbox, reserved, groups }));
        }
        Ok(local)
    }

    fn listen(&mut self, socket: Socket, backlog: u16) -> Result<(), Status> {
        let entry = self.entry(socket)?;
        let (Kind::New(Some(local)), options) = (&entry.kind, entry.options) else { return Err(Status::WrongState) };
        let local = *local;
        let id = self.stack.listen(end_of(local), backlog.into(), options).map_err(open_status)?;
        self.name(socket, id, Kind::Listener(id, local));
        Ok(())
    }

    fn accept(&mut self, socket: Socket) -> Option<Accepted> {
        let &Entry { protocol, family, options, buffers, ref kind } = self.sockets.entries.get(&socket)?;
        let &Kind::Listener(listener, _) = kind else { return None };
        if self.waiting(socket) == 0 {
            return None;
        }
        let rings = if self.sockets.is_full() { None } else { self.take_rings(buffers) };
        let Some(rings) = rings else {
            self.sockets.starved.push(socket);
            return None;
        };
        let Ok((id, ends)) = self.stack.sockets(self.now, |transport| transport.accept(listener)) else {
            self.memory.give_back(rings.0.address);
            self.memory.give_back(rings.1.address);
            return None;
        };
        let (local, remote) = (address_of(ends.local), address_of(ends.remote));
        let stream = Stream { connected: true, ..Stream::new(id, local, remote, rings) };
        let socket = self.sockets.add(Entry { protocol, family, options, buffers, kind: Kind::Stream(stream) });
        self.sockets.names.insert(id, socket);
        // It has them from the listener as they were when that began to listen. It is there: it was accepted.
        let _ = self.apply_options(socket);
        Some(Accepted { socket, local, remote })
    }

    fn waiting(&self, socket: Socket) -> u32 {
        match self.sockets.entries.get(&socket).map(|entry| &entry.kind) {
            Some(Kind::Listener(id, _)) => self.stack.transport().backlog(*id).map_or(0, |(_, ready)| ready as u32),
            _ => 0,
        }
    }

    fn connect(&mut self, socket: Socket, remote: SocketAddr) -> Result<(), Status> {
        let &mut Entry { protocol, family, options, buffers, ref kind } = self.entry(socket)?;
        let (Protocol::Tcp, &Kind::New(bound)) = (protocol, kind) else { return Err(Status::WrongState) };
        if family != Family::of(remote.ip()) {
            return Err(Status::NoAddress);
        }
        let rings = self.take_rings(buffers).ok_or(Status::NoRoom)?;
        match self.open_stream(bound, remote, options) {
            Ok((id, ends)) => {
                let stream = Stream::new(id, address_of(ends.local), address_of(ends.remote), rings);
                self.name(socket, id, Kind::Stream(stream));
                Ok(())
            }
            Err(status) => {
                self.memory.give_back(rings.0.address);
                self.memory.give_back(rings.1.address);
                Err(status)
            }
        }
    }

    fn condition(&self, socket: Socket) -> Condition {
        match self.sockets.stream(socket) {
            None => Condition::Idle,
            Some(Stream { over: Some(status), .. }) => Condition::Over(*status),
            Some(stream) if stream.connected => Condition::Connected,
            Some(_) => Condition::Connecting,
        }
    }

    fn local(&self, socket: Socket) -> Option<SocketAddr> {
        match &self.sockets.entries.get(&socket)?.kind {
            Kind::New(local) => *local,
            Kind::Listener(_, local) => Some(*local),
            Kind::Stream(stream) => Some(stream.local),
            Kind::Mailbox(mailbox) => Some(mailbox.local),
        }
    }

    fn remote(&self, socket: Socket) -> Option<SocketAddr> {
        self.sockets.stream(socket).map(|stream| stream.remote)
    }

    fn readable(&self, socket: Socket, skip: u32) -> Spans {
        self.sockets.stream(socket).map(|stream| stream.receive.filled(skip)).unwrap_or_default()
    }

    fn consume(&mut self, socket: Socket, bytes: u32) {
        if let Some(stream) = self.sockets.stream_mut(socket) {
            stream.receive.drop_first(bytes);
            self.drive(socket);
            self.sockets.changed.push(socket);
        }
    }

    fn at_end(&self, socket: Socket) -> bool {
        self.sockets.stream(socket).is_some_and(|stream| stream.ended && stream.receive.length == 0)
    }

    fn writable(&self, socket: Socket, skip: u32) -> Spans {
        self.sockets.stream(socket).map(|stream| stream.send.free(skip)).unwrap_or_default()
    }

    fn commit(&mut self, socket: Socket, bytes: u32) {
        if let Some(stream) = self.sockets.stream_mut(socket) {
            stream.send.fill(bytes);
            self.drive(socket);
            self.sockets.changed.push(socket);
        }
    }

    fn shut_down(&mut self, socket: Socket) {
        if let Some(stream) = self.sockets.stream_mut(socket) {
            stream.shutting = true;
            self.drive(socket);
        }
    }

    fn datagram(&self, socket: Socket, index: usize) -> Option<Datagram> {
        let Kind::Mailbox(mailbox) = &self.sockets.entries.get(&socket)?.kind else { return None };
        let &(remote, span) = mailbox.inbox.get(index)?;
        Some(Datagram { bytes: Spans([span, Span::default()]), remote })
    }

    fn drop_datagram(&mut self, socket: Socket) {
        let dropped = self.sockets.mailbox(socket).and_then(|(mailbox, _)| mailbox.inbox.pop_front());
        let Some((_, span)) = dropped else { return };
        self.give_back(span.address);
        self.drive(socket);
        self.sockets.changed.push(socket);
    }

    fn reserve(&mut self, socket: Socket, length: u32) -> Result<Option<Spans>, Status> {
        let config = self.sockets.config;
        if length > config.datagram {
            return Err(Status::TooLong);
        }
        let (mailbox, buffers) = self.sockets.mailbox(socket).ok_or(Status::WrongState)?;
        if !has_room(config.waiting, buffers.send, mailbox.reserved.iter().copied(), length) {
            return Ok(None);
        }
        let Some(address) = self.take(Share::ToSend, length) else {
            self.sockets.starved.push(socket);
            return Ok(None);
        };
        let span = Span { address, length };
        if let Some((mailbox, _)) = self.sockets.mailbox(socket) {
            mailbox.reserved.push_back(span);
        }
        Ok(Some(Spans([span, Span::default()])))
    }

    fn send(&mut self, socket: Socket, remote: SocketAddr) -> Result<(), Status> {
        let (mailbox, _) = self.sockets.mailbox(socket).ok_or(Status::WrongState)?;
        let (id, span) = (mailbox.id, mailbox.reserved.pop_front().ok_or(Status::WrongState)?);
        let mut payload = alloc::vec![0; span.length as usize];
        self.sockets.counters.outside += u64::from(self.memory.load(span.address, &mut payload).is_err());
        self.give_back(span.address);
        self.stack.send_to(self.now, id, end_of(remote), &payload).map_err(use_status)
    }

    fn release(&mut self, socket: Socket) {
        let span = self.sockets.mailbox(socket).and_then(|(mailbox, _)| mailbox.reserved.pop_front());
        if let Some(span) = span {
            self.give_back(span.address);
        }
    }

    fn set_option(&mut self, socket: Socket, option: Opt, value: u32) -> Result<(), Status> {
        let entry = self.entry(socket)?;
        let (protocol, is_new) = (entry.protocol, matches!(entry.kind, Kind::New(_)));
        match (option, protocol) {
            (Opt::NoDelay, Protocol::Tcp) => entry.options.no_delay = value != 0,
            (Opt::KeepAlive, Protocol::Tcp) => {
                entry.options.keep_alive = (value != 0).then_some(u64::from(value) * SECOND);
            }
            (Opt::ReuseAddress, _) if is_new => entry.options.reuse = value != 0,
            (Opt::ReuseAddress, _) => return Err(Status::WrongState),
            (Opt::ReceiveBuffer | Opt::SendBuffer, _) => return self.set_buffer(socket, option, value),
            _ => return Err(Status::Unsupported),
        }
        self.apply_options(socket)
    }

    fn option(&self, socket: Socket, option: Opt) -> Result<u32, Status> {
        let Entry { protocol, options, buffers, .. } = self.sockets.entries.get(&socket).ok_or(Status::NoSession)?;
        match (option, protocol) {
            (Opt::NoDelay, Protocol::Tcp) => Ok(options.no_delay.into()),
            (Opt::KeepAlive, Protocol::Tcp) => Ok((options.keep_alive.unwrap_or(0) / SECOND) as u32),
            (Opt::ReceiveBuffer, _) => Ok(buffers.receive),
            (Opt::SendBuffer, _) => Ok(buffers.send),
            (Opt::ReuseAddress, _) => Ok(options.reuse.into()),
            _ => Err(Status::Unsupported),
        }
    }

    fn membership(&mut self, socket: Socket, group: IpAddr, join: bool) -> Result<(), Status> {
        let now = self.now;
        let family = self.entry(socket)?.family;
        let (mailbox, _) = self.sockets.mailbox(socket).ok_or(Status::WrongState)?;
        if !group.is_multicast() || family != Family::of(group) {
            return Err(Status::NoAddress);
        }
        match (join, mailbox.groups.contains(&group)) {
            (true, true) => return Err(Status::AddressInUse),
            (false, false) => return Err(Status::NoAddress),
            (true, false) => {
                self.stack.join(now, group).map_err(|_| Status::NoRoom)?;
                mailbox.groups.insert(group);
            }
            (false, true) => {
                mailbox.groups.remove(&group);
                self.stack.leave(now, group);
            }
        }
        Ok(())
    }

    fn close(&mut self, socket: Socket) {
        let until = self.now.saturating_add(self.sockets.config.linger);
        let unread = self.sockets.stream(socket).map(|stream| stream.receive.length > 0 || !stream.connected);
        let Some(stream) = self.sockets.stream_mut(socket).filter(|_| unread == Some(false)) else {
            return self.end(socket);
        };
        stream.until = Some(until);
        let receive = stream.receive.address;
        self.give_back(receive);
        self.drive(socket);
    }

    fn abort(&mut self, socket: Socket) {
        self.end(socket);
    }

    fn changed(&mut self) -> Option<Socket> {
        self.take_events();
        let socket = self.sockets.changed.pop()?;
        self.drive(socket);
        Some(socket)
    }
}
