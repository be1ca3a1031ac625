//! The model network as the transport of one processor.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

use abi::socket::{Family, Opt, Protocol, Status};
use soft_cores::ism::transport::{Accepted, Condition, Datagram, Socket, Span, Spans, Transport};

use super::{BUFFER, Below, INBOX, Kind, Listener, Ring, Stream};

/// The part of a ring that starts so far behind its head.
fn spans(ring: &Ring, from: u32, length: u32) -> Spans {
    let Some((_, address)) = ring.place else { return Spans::default() };
    let start = (ring.head + from) % BUFFER;
    let first = length.min(BUFFER - start);
    Spans([Span { address: address + start, length: first }, Span { address, length: length - first }])
}

impl Below {
    fn with<R: Default>(&self, socket: Socket, look: impl FnOnce(&Stream) -> R) -> R {
        self.network.inside().stream(socket.0).map(look).unwrap_or_default()
    }
}

impl Transport for Below {
    fn open(&mut self, protocol: Protocol, _: Family) -> Result<Socket, Status> {
        let mut inside = self.network.inside();
        if inside.sockets_of(Some(self.processor)) >= inside.limit {
            return Err(Status::NoRoom);
        }
        Ok(Socket(inside.add(Some(self.processor), Kind::New(protocol, None))))
    }

    fn bind(&mut self, socket: Socket, local: SocketAddr) -> Result<SocketAddr, Status> {
        self.network.inside().bind(socket.0, self.processor, local)
    }

    fn listen(&mut self, socket: Socket, backlog: u16) -> Result<(), Status> {
        let mut inside = self.network.inside();
        let kind = &mut inside.entries.get_mut(&socket.0).ok_or(Status::NoSession)?.kind;
        let Kind::New(_, Some(local)) = *kind else { return Err(Status::WrongState) };
        *kind = Kind::Listener(Listener { local, backlog: backlog.into(), waiting: VecDeque::new() });
        Ok(())
    }

    fn accept(&mut self, socket: Socket) -> Option<Accepted> {
        let mut inside = self.network.inside();
        let Kind::Listener(listener) = &mut inside.entries.get_mut(&socket.0)?.kind else { return None };
        let id = listener.waiting.pop_front()?;
        let stream = inside.stream(id)?;
        Some(Accepted { socket: Socket(id), local: stream.local?, remote: stream.remote? })
    }

    fn waiting(&self, socket: Socket) -> u32 {
        match self.network.inside().entries.get(&socket.0).map(|entry| &entry.kind) {
            Some(Kind::Listener(listener)) => listener.waiting.len() as u32,
            _ => 0,
        }
    }

    fn connect(&mut self, socket: Socket, remote: SocketAddr) -> Result<(), Status> {
        let mut inside = self.network.inside();
        let bound = match inside.entries.get(&socket.0).map(|entry| &entry.kind) {
            Some(Kind::New(_, bound)) => *bound,
            _ => return Err(Status::WrongState),
        };
        let ip: IpAddr = "10.0.0.1".parse().map_err(|_| Status::NoAddress)?;
        let port = inside.port();
        let local = SocketAddr::new(ip, bound.map_or(port, |local| local.port()));
        let stream = inside.new_stream(Some(self.processor)).ok_or(Status::NoRoom)?;
        let stream = Stream { local: Some(local), remote: Some(remote), ..stream };
        if let Some(entry) = inside.entries.get_mut(&socket.0) {
            entry.kind = Kind::Stream(stream);
        }
        // One port outside answers nothing.
        if remote.port() != 9999 && !inside.join(socket.0, local, remote) {
            if let Some(stream) = inside.stream_mut(socket.0) {
                stream.over = Some(Status::Refused);
            }
            inside.note(socket.0);
        }
        Ok(())
    }

    fn condition(&self, socket: Socket) -> Condition {
        let inside = self.network.inside();
        let Some(stream) = inside.stream(socket.0) else { return Condition::Idle };
        match stream.over {
            Some(status) => Condition::Over(status),
            None if stream.connected => Condition::Connected,
            None => Condition::Connecting,
        }
    }

    fn local(&self, socket: Socket) -> Option<SocketAddr> {
        match &self.network.inside().entries.get(&socket.0)?.kind {
            Kind::New(_, local) => *local,
            Kind::Stream(stream) => stream.local,
            Kind::Listener(listener) => Some(listener.local),
            Kind::Datagram(mailbox) => mailbox.local,
        }
    }

    fn remote(&self, socket: Socket) -> Option<SocketAddr> {
        self.with(socket, |stream| stream.remote)
    }

    fn readable(&self, socket: Socket, skip: u32) -> Spans {
        self.with(socket, |stream| {
            let ring = &stream.receive;
            spans(ring, skip, ring.length.checked_sub(skip).expect("more is copied than there was"))
        })
    }

    fn consume(&mut self, socket: Socket, bytes: u32) {
        let mut inside = self.network.inside();
        let stream = inside.stream_mut(socket.0).expect("the socket is there");
        stream.receive.head = (stream.receive.head + bytes) % BUFFER;
        stream.receive.length -= bytes;
    }

    fn at_end(&self, socket: Socket) -> bool {
        self.with(socket, |stream| stream.end_received && stream.receive.length == 0)
    }

    fn writable(&self, socket: Socket, skip: u32) -> Spans {
        self.with(socket, |stream| {
            let ring = &stream.send;
            let from = ring.length + skip;
            spans(ring, from, BUFFER.checked_sub(from).expect("more is copied than there was room for"))
        })
    }

    fn commit(&mut self, socket: Socket, bytes: u32) {
        let mut inside = self.network.inside();
        let stream = inside.stream_mut(socket.0).expect("the socket is there");
        assert!(!stream.shut, "bytes behind the end");
        stream.send.length += bytes;
        assert!(stream.send.length <= BUFFER);
    }

    fn shut_down(&mut self, socket: Socket) {
        if let Some(stream) = self.network.inside().stream_mut(socket.0) {
            stream.shut = true;
        }
    }

    fn datagram(&self, socket: Socket, index: usize) -> Option<Datagram> {
        let mut inside = self.network.inside();
        let &(remote, address, length) = inside.mailbox(socket.0)?.inbox.get(index)?;
        Some(Datagram { bytes: Spans([Span { address, length }, Span::default()]), remote })
    }

    fn drop_datagram(&mut self, socket: Socket) {
        let mut inside = self.network.inside();
        let dropped = inside.mailbox(socket.0).and_then(|mailbox| mailbox.inbox.pop_front());
        let (_, address, _) = dropped.expect("there was one");
        inside.kill_buffer(self.processor, address);
        inside.free_buffer(self.processor, address);
    }

    fn reserve(&mut self, socket: Socket, length: u32) -> Result<Option<Spans>, Status> {
        let mut inside = self.network.inside();
        if length > BUFFER {
            return Err(Status::TooLong);
        }
        match inside.mailbox(socket.0) {
            None => return Err(Status::WrongState),
            Some(mailbox) if mailbox.reserved.len() >= INBOX => return Ok(None),
            Some(_) => {}
        }
        let Some(address) = inside.take_buffer(self.processor) else { return Ok(None) };
        if let Some(mailbox) = inside.mailbox(socket.0) {
            mailbox.reserved.push_back((address, length));
        }
        Ok(Some(Spans([Span { address, length }, Span::default()])))
    }

    fn send(&mut self, socket: Socket, remote: SocketAddr) -> Result<(), Status> {
        let mut inside = self.network.inside();
        let mailbox = inside.mailbox(socket.0).ok_or(Status::WrongState)?;
        let ((address, length), local) = (mailbox.reserved.pop_front().expect("one is reserved"), mailbox.local);
        let bytes = inside.bench.peek(self.processor, address, length as usize);
        inside.kill_buffer(self.processor, address);
        inside.free_buffer(self.processor, address);
        if remote.port() == 0 {
            return Err(Status::NoAddress);
        }
        inside.deliver(local.ok_or(Status::WrongState)?, remote, &bytes);
        Ok(())
    }

    fn release(&mut self, socket: Socket) {
        let mut inside = self.network.inside();
        let released = inside.mailbox(socket.0).and_then(|mailbox| mailbox.reserved.pop_front());
        let (address, _) = released.expect("one is reserved");
        inside.kill_buffer(self.processor, address);
        inside.free_buffer(self.processor, address);
    }

    fn set_option(&mut self, socket: Socket, option: Opt, value: u32) -> Result<(), Status> {
        let mut inside = self.network.inside();
        let stream = inside.stream_mut(socket.0).ok_or(Status::Unsupported)?;
        stream.options.insert(option, value);
        Ok(())
    }

    fn option(&self, socket: Socket, option: Opt) -> Result<u32, Status> {
        let inside = self.network.inside();
        let stream = inside.stream(socket.0).ok_or(Status::Unsupported)?;
        Ok(stream.options.get(&option).copied().unwrap_or(0))
    }

    fn membership(&mut self, socket: Socket, group: IpAddr, join: bool) -> Result<(), Status> {
        let mut inside = self.network.inside();
        let mailbox = inside.mailbox(socket.0).ok_or(Status::WrongState)?;
        let is_done = if join { mailbox.groups.insert(group) } else { mailbox.groups.remove(&group) };
        if is_done { Ok(()) } else { Err(Status::NoAddress) }
    }

    fn close(&mut self, socket: Socket) {
        self.network.inside().end(socket.0, false);
    }

    fn abort(&mut self, socket: Socket) {
        self.network.inside().end(socket.0, true);
    }

    fn changed(&mut self) -> Option<Socket> {
        self.network.inside().changed[self.processor].pop_front().map(Socket)
    }
}
