//! TCP for applications, shaped like `std::net`.

use std::cell::Cell;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::time::Duration;

use abi::socket::{Answer, Call, Family, List, Opt, Protocol, Status, Tag, ready};

use super::connection::{Connection, Everywhere, Source};
use super::error;
use super::executor::{Key, Task};
use super::osm::{Pending, State};
use super::steering::{Policy, Steering};

/// Ports that are tried for one that suits.
const PORTS: u16 = 256;

/// A connection, as one application uses it.
pub struct TcpStream<'t> {
    task: &'t Task,
    connection: Connection,
    read_timeout: Cell<Option<Duration>>,
    write_timeout: Cell<Option<Duration>>,
}

impl<'t> TcpStream<'t> {
    /// A connection that another application had.
    pub fn from_connection(task: &'t Task, connection: Connection) -> Self {
        Self { task, connection, read_timeout: Cell::new(None), write_timeout: Cell::new(None) }
    }

    /// Connects, at the processor that the module's policy says.
    ///
    /// # Errors
    /// It is refused, times out, or there is no room for it.
    pub fn connect(task: &'t Task, remote: SocketAddr) -> io::Result<Self> {
        Self::connect_until(task, remote, None)
    }

    /// As [`connect`](Self::connect), not longer than that.
    ///
    /// # Errors
    /// Likewise.
    pub fn connect_timeout(task: &'t Task, remote: SocketAddr, timeout: Duration) -> io::Result<Self> {
        Self::connect_until(task, remote, Some(task.after(timeout)))
    }

    fn connect_until(task: &'t Task, remote: SocketAddr, until: Option<u64>) -> io::Result<Self> {
        let osm = task.osm();
        let tag = {
            let mut state = osm.state();
            let (processor, _) = state.choose(remote, None);
            state.open(processor, None, true).ok_or_else(error::no_room)?
        };
        let stream = Self::from_connection(task, Connection::new(osm, tag));
        task.call(tag, Call::Create { protocol: Protocol::Tcp, family: Family::of(remote.ip()) }, until)?;
        for _ in 0..PORTS {
            // Whoever chooses this end's port chooses the processor too.
            let (_, local) = osm.state().choose(remote, Some(tag.processor()));
            let Some(local) = local else { break };
            match task.call(tag, Call::Bind { local }, until) {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                Err(error) => return Err(error),
                Ok(_) => break,
            }
        }
        let answer = task.call(tag, Call::Connect { remote }, until)?;
        let Answer::Connected { local } = answer else { return Err(error::io(Status::Malformed)) };
        let mut state = osm.state();
        if let Some(session) = state.session(tag) {
            session.addresses = Some((local, remote));
            session.receives = true;
        }
        state.post_receives(tag);
        drop(state);
        Ok(stream)
    }

    /// The connection, for another application.
    pub fn into_connection(self) -> Connection {
        self.connection
    }

    /// Its session (67.2).
    pub fn tag(&self) -> Tag {
        self.connection.tag()
    }

    fn addresses(&self) -> io::Result<(SocketAddr, SocketAddr)> {
        let mut state = self.task.osm().state();
        state.session(self.tag()).and_then(|session| session.addresses).ok_or_else(|| error::io(Status::NotConnected))
    }

    /// This end.
    ///
    /// # Errors
    /// It is over.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.addresses().map(|(local, _)| local)
    }

    /// The other end.
    ///
    /// # Errors
    /// It is over.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.addresses().map(|(_, remote)| remote)
    }

    /// How long a read waits; `None`: forever.
    pub fn set_read_timeout(&self, timeout: Option<Duration>) {
        self.read_timeout.set(timeout);
    }

    /// How long a write waits; `None`: forever.
    pub fn set_write_timeout(&self, timeout: Option<Duration>) {
        self.write_timeout.set(timeout);
    }

    /// Ends one direction, or both; what was written before is sent.
    ///
    /// # Errors
    /// It is over.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        let (receive, send) = (how != Shutdown::Write, how != Shutdown::Read);
        self.task.call(self.tag(), Call::Shutdown { receive, send }, None).map(|_| ())
    }

    /// Sets an option.
    ///
    /// # Errors
    /// The card cannot.
    pub fn set_option(&self, option: Opt, value: u32) -> io::Result<()> {
        self.task.call(self.tag(), Call::SetOption { option, value, group: None }, None).map(|_| ())
    }

    /// Reads an option.
    ///
    /// # Errors
    /// The card cannot.
    pub fn option(&self, option: Opt) -> io::Result<u32> {
        match self.task.call(self.tag(), Call::GetOption { option }, None)? {
            Answer::Value { value } => Ok(value),
            _ => Err(error::io(Status::Malformed)),
        }
    }

    /// Whether small segments do not wait.
    ///
    /// # Errors
    /// The card cannot.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.set_option(Opt::NoDelay, nodelay.into())
    }

    /// Resets the connection: nothing more is sent.
    pub fn abort(self) {
        self.task.osm().state().close(self.tag(), true);
    }

    fn until(&self, timeout: &Cell<Option<Duration>>) -> Option<u64> {
        timeout.get().map(|timeout| self.task.after(timeout))
    }

    /// `None`: there is nothing yet.
    fn try_read(&self, buffer: &mut [u8]) -> Option<io::Result<usize>> {
        let osm = self.task.osm();
        let mut state = osm.state();
        let Some(session) = state.session(self.tag()) else { return Some(Err(error::io(Status::Closed))) };
        let Some(piece) = session.received.front_mut() else {
            return match session.error {
                _ if session.end => Some(Ok(0)),
                Some(status) => Some(Err(error::io(status))),
                None if session.closing => Some(Err(error::io(Status::Closed))),
                None => None,
            };
        };
        let length = buffer.len().min(piece.length as usize);
        osm.port().load(piece.buffer + u64::from(piece.offset), &mut buffer[..length]);
        piece.offset += length as u32;
        piece.length -= length as u32;
        if piece.length == 0 {
            let emptied = piece.buffer;
            session.received.pop_front();
            state.give_back(self.tag(), emptied);
        }
        Some(Ok(length))
    }

    /// `None`: there is no room yet.
    fn try_write(&self, bytes: &[u8]) -> Option<io::Result<usize>> {
        let osm = self.task.osm();
        let mut state = osm.state();
        let Some(session) = state.session(self.tag()) else { return Some(Err(error::io(Status::Closed))) };
        if let Some(status) = session.error.or(session.closing.then_some(Status::Closed)) {
            return Some(Err(error::io(status)));
        }
        if !state.has_room_to_send(self.tag()) {
            return None;
        }
        let buffer = state.buffers.pop()?;
        let length = bytes.len().min(state.config.buffer_bytes as usize);
        osm.port().store(buffer, &bytes[..length]);
        let list = List::single(buffer, length as u32).unwrap_or_default();
        if let Some(session) = state.session(self.tag()) {
            session.sends += 1;
        }
        state.issue(self.tag(), Call::Send { remote: None, list }, Pending::Send(buffer));
        Some(Ok(length))
    }
}

impl Read for TcpStream<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let until = self.until(&self.read_timeout);
        loop {
            if let Some(result) = self.try_read(buffer) {
                return result;
            }
            if !self.task.wait(&[self.key()], until) {
                return Err(error::timed_out());
            }
        }
    }
}

impl Write for TcpStream<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        let until = self.until(&self.write_timeout);
        loop {
            if let Some(result) = self.try_write(bytes) {
                return result;
            }
            if !self.task.wait(&[self.key(), Key::Buffer], until) {
                return Err(error::timed_out());
            }
        }
    }

    /// Waits until the card has all that was written.
    fn flush(&mut self) -> io::Result<()> {
        let until = self.until(&self.write_timeout);
        loop {
            let (sends, error) = match self.task.osm().state().session(self.tag()) {
                Some(session) => (session.sends, session.error),
                None => (0, Some(Status::Closed)),
            };
            match error {
                Some(status) => return Err(error::io(status)),
                None if sends == 0 => return Ok(()),
                None => {}
            }
            if !self.task.wait(&[self.key()], until) {
                return Err(error::timed_out());
            }
        }
    }
}

impl Source for TcpStream<'_> {
    fn key(&self) -> Key {
        Key::Session(self.tag().index())
    }

    fn readiness(&self) -> u32 {
        let mut state = self.task.osm().state();
        let may_write = state.has_room_to_send(self.tag()) && !state.buffers.is_empty();
        let Some(session) = state.session(self.tag()) else { return ready::ERROR };
        let bit = |is: bool, bit: u32| if is { bit } else { 0 };
        bit(!session.received.is_empty() || session.end, ready::READ)
            | bit(may_write && session.error.is_none(), ready::WRITE)
            | bit(session.addresses.is_some(), ready::CONNECTED)
            | bit(session.error.is_some() || session.closing, ready::ERROR)
    }
}

/// A listening socket: it exists on all processors, and accepts from any (69.1).
pub struct TcpListener<'t> {
    task: &'t Task,
    local: SocketAddr,
    everywhere: Everywhere,
    timeout: Cell<Option<Duration>>,
}

impl<'t> TcpListener<'t> {
    /// Listens at an address, on each processor with so many connections that may wait.
    ///
    /// # Errors
    /// The address is taken, or there is no room.
    pub fn bind(task: &'t Task, local: SocketAddr, backlog: u16) -> io::Result<Self> {
        let everywhere = Everywhere::new(task.osm());
        let create = Call::Create { protocol: Protocol::Tcp, family: Family::of(local.ip()) };
        let local = everywhere.bind(task, local, create, false, Some(Call::Listen { backlog }))?;
        let mut state = task.osm().state();
        if let Some(group) = state.groups.get_mut(&everywhere.group) {
            group.listens = true;
        }
        state.post_accepts(everywhere.group);
        drop(state);
        Ok(Self { task, local, everywhere, timeout: Cell::new(None) })
    }

    /// The address that it listens at.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// How long an accept waits; `None`: forever.
    pub fn set_timeout(&self, timeout: Option<Duration>) {
        self.timeout.set(timeout);
    }

    /// The next connection, from whichever processor has it.
    ///
    /// # Errors
    /// None comes in time.
    pub fn accept(&self) -> io::Result<(TcpStream<'t>, SocketAddr)> {
        let until = self.timeout.get().map(|timeout| self.task.after(timeout));
        let osm = self.task.osm();
        loop {
            let mut state = osm.state();
            // There may be room now for what there was none for.
            state.post_accepts(self.everywhere.group);
            let next = state.groups.get_mut(&self.everywhere.group).and_then(|group| group.ready.pop_front());
            let remote = next.and_then(|tag| state.session(tag)?.addresses).map(|(_, remote)| remote);
            drop(state);
            if let (Some(tag), Some(remote)) = (next, remote) {
                return Ok((TcpStream::from_connection(self.task, Connection::new(osm, tag)), remote));
            }
            if !self.task.wait(&[self.key()], until) {
                return Err(error::timed_out());
            }
        }
    }
}

impl Source for TcpListener<'_> {
    fn key(&self) -> Key {
        Key::Group(self.everywhere.group)
    }

    fn readiness(&self) -> u32 {
        let state = self.everywhere.osm.state();
        let waits = state.groups.get(&self.everywhere.group).is_some_and(|group| !group.ready.is_empty());
        if waits { ready::ACCEPT } else { 0 }
    }
}

impl State {
    /// Receives, and the end of sending, must always find a credit; sends may have the others.
    pub(super) fn has_room_to_send(&mut self, tag: Tag) -> bool {
        let credits = self.credits[tag.processor()];
        let most = credits.saturating_sub(self.config.receives + 1).max(1);
        self.session(tag).is_some_and(|session| session.sends < most)
    }

    /// 67.2: where a session that the host opens goes, and this end's address if that decides. With a processor given, an address
    /// for it.
    fn choose(&mut self, remote: SocketAddr, processor: Option<usize>) -> (usize, Option<SocketAddr>) {
        let (policy, processors) = (self.config.policy, self.processors);
        let least = (0..processors).min_by_key(|&processor| self.load(processor)).unwrap_or(0);
        let Some(steering) = self.steering.clone() else { return (processor.unwrap_or(least), None) };
        let existing = |processor: usize| if processor < processors { processor } else { 0 };
        let wanted = processor.or((policy == Policy::LeastLoaded).then_some(least));
        let own = self.config.addresses.iter().find(|own| own.is_ipv4() == remote.is_ipv4()).copied();
        match own.filter(|_| steering.takes_in_destination_port()) {
            Some(own) => self.choose_port(&steering, remote, own, wanted.map(existing)),
            None => {
                let local = SocketAddr::new(own.unwrap_or(remote.ip()), 0);
                (wanted.unwrap_or(existing(steering.processor(remote, local))), None)
            }
        }
    }

    /// The next port whose replies reach the wanted processor, or any that there is.
    fn choose_port(
        &mut self,
        steering: &Steering,
        remote: SocketAddr,
        own: IpAddr,
        wanted: Option<usize>,
    ) -> (usize, Option<SocketAddr>) {
        for _ in 0..PORTS {
            let local = SocketAddr::new(own, self.next_port);
            let reached = steering.processor(remote, local);
            if wanted.is_none_or(|wanted| wanted == reached) && reached < self.processors {
                if wanted.is_some() {
                    self.skip_port();
                }
                return (reached, Some(local));
            }
            self.skip_port();
        }
        (wanted.unwrap_or(0), None)
    }

    /// The ports of RFC 6335, 6 that nobody registers.
    fn skip_port(&mut self) {
        self.next_port = self.next_port.checked_add(1).unwrap_or(49_152);
    }
}
