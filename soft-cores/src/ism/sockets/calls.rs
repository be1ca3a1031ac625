//! What the socket module asks of the sockets.

use alloc::collections::{BTreeSet, VecDeque};
use core::net::{IpAddr, SocketAddr};

use abi::socket::{Family, Opt, Protocol, Status};

use super::super::transport::{Accepted, Condition, Datagram, Socket, Span, Spans, Transport};
use super::{Below, Entry, Kind, Mailbox, Memory, Stream, address_of, end_of, open_status, use_status};
use crate::net::SECOND;
use crate::net::session::Session;
use crate::net::stack::LocalPort;
use crate::net::transport::{Options, SocketId};

/// RFC 6335, 6: the first dynamic port, and how many there are.
const DYNAMIC: (u16, u16) = (49_152, 16_384);

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
            Kind::New(Protocol::Tcp, _, Some(other)) | Kind::Listener(_, other) => overlaps(other),
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

    fn new_stream(&mut self, id: SocketId, ends: Session) -> Option<Stream> {
        let (receive, send) = self.take_rings()?;
        let (local, remote) = (address_of(ends.local), address_of(ends.remote));
        let (connected, ended, shutting) = (false, false, false);
        Some(Stream { id, local, remote, receive, send, connected, over: None, ended, shutting, until: None })
    }
}

impl<M: Memory> Transport for Below<'_, M> {
    fn open(&mut self, protocol: Protocol, family: Family) -> Result<Socket, Status> {
        if self.sockets.len() >= self.sockets.config.sockets {
            return Err(Status::NoRoom);
        }
        let options = self.sockets.config.options;
        Ok(self.sockets.add(Kind::New(protocol, family, None), options))
    }

    fn bind(&mut self, socket: Socket, local: SocketAddr) -> Result<SocketAddr, Status> {
        let entry = self.entry(socket)?;
        let (Kind::New(protocol, family, None), options) = (&entry.kind, entry.options) else {
            return Err(Status::WrongState);
        };
        let (protocol, family) = (*protocol, *family);
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
            self.entry(socket)?.kind = Kind::New(protocol, family, Some(local));
        } else {
            let id = self.stack.bind(end_of(local), options).map_err(open_status)?;
            let (inbox, reserved, groups) = (VecDeque::new(), VecDeque::new(), BTreeSet::new());
            self.name(socket, id, Kind::Mailbox(Mailbox { id, local, inbox, reserved, groups }));
        }
        Ok(local)
    }

    fn listen(&mut self, socket: Socket, backlog: u16) -> Result<(), Status> {
        let entry = self.entry(socket)?;
        let (Kind::New(Protocol::Tcp, _, Some(local)), options) = (&entry.kind, entry.options) else {
            return Err(Status::WrongState);
        };
        let local = *local;
        let id = self.stack.listen(end_of(local), backlog.into(), options).map_err(open_status)?;
        self.name(socket, id, Kind::Listener(id, local));
        Ok(())
    }

    fn accept(&mut self, socket: Socket) -> Option<Accepted> {
        let entry = self.sockets.entries.get(&socket)?;
        let (Kind::Listener(listener, _), options) = (&entry.kind, entry.options) else { return None };
        let listener = *listener;
        if self.waiting(socket) == 0 {
            return None;
        }
        let rings = if self.sockets.len() < self.sockets.config.sockets { self.take_rings() } else { None };
        let Some((receive, send)) = rings else {
            self.sockets.starved.insert(socket);
            return None;
        };
        let Ok((id, ends)) = self.stack.sockets(self.now, |transport| transport.accept(listener)) else {
            self.memory.give_back(receive.address);
            self.memory.give_back(send.address);
            return None;
        };
        let (local, remote) = (address_of(ends.local), address_of(ends.remote));
        let (connected, ended, shutting) = (true, false, false);
        let stream = Stream { id, local, remote, receive, send, connected, over: None, ended, shutting, until: None };
        let socket = self.sockets.add(Kind::Stream(stream), options);
        self.sockets.names.insert(id, socket);
        Some(Accepted { socket, local, remote })
    }

    fn waiting(&self, socket: Socket) -> u32 {
        match self.sockets.entries.get(&socket).map(|entry| &entry.kind) {
            Some(Kind::Listener(id, _)) => self.stack.transport().backlog(*id).map_or(0, |(_, ready)| ready as u32),
            _ => 0,
        }
    }

    fn connect(&mut self, socket: Socket, remote: SocketAddr) -> Result<(), Status> {
        let entry = self.entry(socket)?;
        let (Kind::New(Protocol::Tcp, family, bound), options) = (&entry.kind, entry.options) else {
            return Err(Status::WrongState);
        };
        let (family, bound) = (*family, *bound);
        if family != Family::of(remote.ip()) {
            return Err(Status::NoAddress);
        }
        let from = bound.map(|local| local.ip()).filter(|address| !address.is_unspecified());
        let port = bound.map_or(LocalPort::Any, |local| LocalPort::Given(local.port()));
        let to = end_of(remote);
        let id = self.stack.connect(self.now, from, port, to, options).map_err(open_status)?;
        let ends = self.stack.transport().status(id).map_err(use_status);
        match ends.and_then(|status| self.new_stream(id, status.session).ok_or(Status::NoRoom)) {
            Ok(stream) => {
                self.name(socket, id, Kind::Stream(stream));
                Ok(())
            }
            Err(status) => {
                let now = self.now;
                // If it is gone there is nothing to end.
                let _ = self.stack.sockets(now, |transport| transport.abort(now, id));
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
            Kind::New(_, _, local) => *local,
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
            self.sockets.note(socket);
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
            self.sockets.note(socket);
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
        let Some((_, span)) = self.sockets.mailbox(socket).and_then(|mailbox| mailbox.inbox.pop_front()) else {
            return;
        };
        self.give_back(span.address);
        self.drive(socket);
        self.sockets.note(socket);
    }

    fn reserve(&mut self, socket: Socket, length: u32) -> Result<Option<Spans>, Status> {
        let (most, longest) = (self.sockets.config.waiting, self.sockets.config.datagram);
        if length > longest {
            return Err(Status::TooLong);
        }
        if self.sockets.mailbox(socket).ok_or(Status::WrongState)?.reserved.len() >= most {
            return Ok(None);
        }
        let Some(address) = self.take(longest) else {
            self.sockets.starved.insert(socket);
            return Ok(None);
        };
        let span = Span { address, length };
        if let Some(mailbox) = self.sockets.mailbox(socket) {
            mailbox.reserved.push_back(span);
        }
        Ok(Some(Spans([span, Span::default()])))
    }

    fn send(&mut self, socket: Socket, remote: SocketAddr) -> Result<(), Status> {
        let mailbox = self.sockets.mailbox(socket).ok_or(Status::WrongState)?;
        let (id, span) = (mailbox.id, mailbox.reserved.pop_front().ok_or(Status::WrongState)?);
        let mut payload = alloc::vec![0; span.length as usize];
        self.sockets.counters.outside += u64::from(self.memory.load(span.address, &mut payload).is_err());
        self.give_back(span.address);
        self.stack.send_to(self.now, id, end_of(remote), &payload).map_err(use_status)
    }

    fn release(&mut self, socket: Socket) {
        let span = self.sockets.mailbox(socket).and_then(|mailbox| mailbox.reserved.pop_front());
        if let Some(span) = span {
            self.give_back(span.address);
        }
    }

    fn set_option(&mut self, socket: Socket, option: Opt, value: u32) -> Result<(), Status> {
        let now = self.now;
        let entry = self.sockets.entries.get_mut(&socket).ok_or(Status::NoSession)?;
        let options = &mut entry.options;
        let is_new = matches!(entry.kind, Kind::New(..));
        match option {
            Opt::NoDelay => options.no_delay = value != 0,
            Opt::KeepAlive => options.keep_alive = (value != 0).then_some(u64::from(value) * SECOND),
            Opt::ReuseAddress if is_new => options.reuse = value != 0,
            Opt::ReceiveBuffer | Opt::SendBuffer | Opt::ReuseAddress | Opt::Join | Opt::Leave => {
                return Err(Status::Unsupported);
            }
        }
        let options = *options;
        if let Kind::Stream(stream) = &entry.kind {
            let change = |to: &mut Options| *to = options;
            let id = stream.id;
            self.stack.sockets(now, |transport| transport.change_options(now, id, change)).map_err(use_status)?;
        }
        Ok(())
    }

    fn option(&self, socket: Socket, option: Opt) -> Result<u32, Status> {
        let options = &self.sockets.entries.get(&socket).ok_or(Status::NoSession)?.options;
        match option {
            Opt::NoDelay => Ok(options.no_delay.into()),
            Opt::KeepAlive => Ok((options.keep_alive.unwrap_or(0) / SECOND) as u32),
            Opt::ReceiveBuffer | Opt::SendBuffer => Ok(self.sockets.config.ring),
            Opt::ReuseAddress => Ok(options.reuse.into()),
            Opt::Join | Opt::Leave => Err(Status::Unsupported),
        }
    }

    fn membership(&mut self, socket: Socket, group: IpAddr, join: bool) -> Result<(), Status> {
        let now = self.now;
        let mailbox = self.sockets.mailbox(socket).ok_or(Status::WrongState)?;
        if !group.is_multicast() || mailbox.groups.contains(&group) == join {
            return Err(Status::NoAddress);
        }
        if join {
            self.stack.join(now, group).map_err(|_| Status::NoRoom)?;
            self.sockets.mailbox(socket).ok_or(Status::WrongState)?.groups.insert(group);
        } else {
            mailbox.groups.remove(&group);
            self.leave(group);
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
        let socket = self.sockets.changed.pop_front()?;
        self.sockets.is_changed.remove(&socket);
        // It may have waited for memory.
        self.drive(socket);
        Some(socket)
    }
}
