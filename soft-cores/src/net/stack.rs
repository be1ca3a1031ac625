//! The network stack of one processor: port, transport decision, directory and transport put together.
//!
//! Frames, parcels and a time go in; frames to send, parcels for other processors and events of sockets come out. What is to be
//! done waits in [`Stack::take_actions`], for which the caller looks after every call; what happened to sockets in
//! [`Transport::next_event`]. [`Stack::poll`] is to be called when [`Stack::next_deadline`] says.
//!
//! Parcels of one processor to another keep their order, and those that are [vital](Parcel::is_vital) must arrive.
//!
//! Applications' calls go through [`Stack::sockets`], but for those that concern more than this processor: to listen, bind,
//! connect, and send datagrams, where the address must be the card's; and groups, which all processors are in.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv6Addr};

use abi::receive::{Check, Status};
use smoltcp::wire::IpProtocol;

use super::Micros;
use super::directory::{self, Directory, Note, Opening};
use super::icmp::{ErrorKind, Problem, Quoted};
use super::ip::Delivery;
use super::multicast::TooManyGroups;
use super::parcel::{self, Parcel};
use super::port::{self, Event, NetworkPort};
use super::session::{End, Session};
use super::steering::table::Table;
use super::steering::{self, Help, Step, Verdict};
use super::tally::Tally;
use super::transport::packet::Packet;
use super::transport::{self, Cause, Change, OpenError, Options, Output, SocketId, Transport, UseError};

mod ports;

pub use ports::LocalPort;

/// What a stack is made with.
#[derive(Clone, Debug)]
pub struct Config {
    /// The network port. Its turn says which processor this is, and which are alive.
    pub port: port::Config,
    /// Bit i: processor i is alive.
    pub live: u16,
    /// The sockets.
    pub transport: transport::Config,
    /// The directory.
    pub directory: directory::Limits,
    /// The card's table when the stack starts; all processors start with one.
    pub table: Table,
    /// Segments that wait for a decision, at most.
    pub held: usize,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send this frame.
    Transmit(Vec<u8>),
    /// Send this to another processor.
    Message {
        /// To which.
        to: usize,
        /// What.
        parcel: Parcel,
    },
    /// Somebody answered an echo request.
    EchoReply {
        /// Who.
        source: IpAddr,
        /// The ICMP message.
        message: Vec<u8>,
    },
    /// The address is this card's from now on.
    AddressAdded(Ipv6Addr),
    /// It is not going to be.
    AddressRefused(Ipv6Addr),
}

/// Something that waits for a decision.
#[derive(Clone, Debug)]
struct Held {
    until: Micros,
    step: Option<Step>,
    what: Waiting,
}

#[derive(Clone, Debug)]
enum Waiting {
    Segment(Packet),
    Trouble(ErrorKind, Quoted),
}

/// What was decided.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Segments, by why they went where they went. One that is held is counted when it is, and again when it is decided.
    pub segments: Tally<steering::Cause>,
    /// Datagrams.
    pub datagrams: Tally<steering::Cause>,
    /// Reports of errors.
    pub troubles: Tally<steering::Cause>,
    /// Sent to each processor: segments, datagrams and reports.
    pub handed_over: Tally<usize>,
    /// Received from each processor.
    pub taken_over: Tally<usize>,
    /// Segments that found no place to wait.
    pub not_held: u64,
    /// Packets that the IP layer delivered and no transport can read.
    pub unreadable: u64,
}

/// One processor's stack.
#[derive(Debug)]
pub struct Stack {
    port: NetworkPort,
    transport: Transport,
    directory: Directory,
    patience: Micros,
    held: VecDeque<Held>,
    room: usize,
    /// Where the search for an ephemeral port goes on.
    cursor: u16,
    actions: Vec<Action>,
    counters: Counters,
}

impl Stack {
    /// A stack that has seen nothing.
    ///
    /// # Errors
    /// There are more addresses than groups.
    pub fn new(config: Config) -> Result<Self, TooManyGroups> {
        let me = config.port.turn.me();
        Ok(Self {
            cursor: config.port.seed as u16,
            port: NetworkPort::new(config.port)?,
            transport: Transport::new(config.transport),
            directory: Directory::new(me, config.live, config.directory, config.table),
            patience: config.directory.patience,
            held: VecDeque::new(),
            room: config.held,
            actions: Vec::new(),
            counters: Counters::default(),
        })
    }

    /// What is said when the card starts.
    pub fn start(&mut self, now: Micros) {
        let events = self.port.start(now);
        self.follow(now, events);
    }

    /// Takes a received frame. `help` says whether another processor is to take a datagram instead of this one.
    pub fn receive(&mut self, now: Micros, frame: &[u8], status: Status, help: &mut dyn FnMut() -> Help) {
        for event in self.port.receive(now, frame, status) {
            match event {
                Event::Deliver { packet, delivery, transport_check } => {
                    self.deliver(now, &packet, &delivery, transport_check, help);
                }
                Event::Error { kind, quoted } => self.hear_trouble(now, kind, quoted),
                other => self.follow_one(now, other),
            }
        }
        self.flush(now);
    }

    fn deliver(
        &mut self,
        now: Micros,
        packet: &[u8],
        delivery: &Delivery,
        check: Check,
        help: &mut dyn FnMut() -> Help,
    ) {
        let Some(packet) = Packet::of_delivery(packet, delivery, check) else {
            self.counters.unreadable += 1;
            return;
        };
        if packet.protocol() == IpProtocol::Tcp {
            self.steer_segment(now, packet, None, now.saturating_add(self.patience));
        } else {
            self.steer_datagram(now, packet, false, help);
        }
    }

    /// Takes what another processor sent.
    pub fn message(&mut self, now: Micros, from: usize, parcel: Parcel) {
        let until = now.saturating_add(self.patience);
        if !parcel.is_vital() {
            self.counters.taken_over.count(from);
        }
        match parcel {
            Parcel::Datagram(packet) => self.steer_datagram(now, packet, true, &mut || Help::NotNeeded),
            Parcel::Segment(packet, step) => self.steer_segment(now, packet, Some(step), until),
            Parcel::Trouble(kind, quoted, step) => self.steer_trouble(now, kind, quoted, Some(step), until),
            Parcel::Note(note) => self.hear_note(now, from, &note),
            Parcel::Table(table) => self.adopt(now, table),
            // All processors have room for as many groups.
            Parcel::Group(group, true) => drop(self.port.mirror(group)),
            Parcel::Group(group, false) => self.port.forget(group),
        }
        self.flush(now);
    }

    fn steer_segment(&mut self, now: Micros, packet: Packet, step: Option<Step>, until: Micros) {
        let session = packet.session();
        let is_own = self.transport.has_session(&session);
        let (verdict, cause) = self.decide(now, &session, is_own, step, until);
        self.counters.segments.count(cause);
        match verdict {
            Verdict::Here => {
                if self.transport.receive(now, &packet).is_ok() && is_own {
                    self.port.confirm(now, session.remote.address);
                }
            }
            Verdict::To(to) => {
                let parcel = Parcel::Segment(packet, self.next_step(step));
                self.hand_over(to, parcel);
            }
            Verdict::Hold => self.hold(Held { until, step, what: Waiting::Segment(packet) }),
        }
        self.settle_sockets();
    }

    fn decide(
        &mut self,
        now: Micros,
        session: &Session,
        is_own: bool,
        step: Option<Step>,
        until: Micros,
    ) -> (Verdict, steering::Cause) {
        match steering::segment(&self.directory, session, is_own, step) {
            (Verdict::Hold, _) if until <= now => (Verdict::Here, steering::Cause::Patience),
            decided => decided,
        }
    }

    /// A report from the network. What is about a path concerns all that may send datagrams on it.
    fn hear_trouble(&mut self, now: Micros, kind: ErrorKind, quoted: Quoted) {
        if quoted.protocol == IpProtocol::Udp && matches!(kind, ErrorKind::TooBig { .. }) {
            let step = self.next_step(None);
            for other in self.directory.others() {
                self.hand_over(other, Parcel::Trouble(kind, quoted, step));
            }
        }
        self.steer_trouble(now, kind, quoted, None, now.saturating_add(self.patience));
    }

    /// Errors about a session go where its segments go.
    fn steer_trouble(&mut self, now: Micros, kind: ErrorKind, quoted: Quoted, step: Option<Step>, until: Micros) {
        let Some(session) = parcel::session_of(&quoted) else { return };
        if quoted.protocol == IpProtocol::Udp {
            self.counters.troubles.count(steering::Cause::Connectionless);
            self.transport.trouble(now, kind, &quoted);
            return;
        }
        let is_own = self.transport.has_session(&session);
        let (verdict, cause) = self.decide(now, &session, is_own, step, until);
        self.counters.troubles.count(cause);
        match verdict {
            Verdict::Here => self.transport.trouble(now, kind, &quoted),
            Verdict::To(to) => {
                let parcel = Parcel::Trouble(kind, quoted, self.next_step(step));
                self.hand_over(to, parcel);
            }
            Verdict::Hold => self.hold(Held { until, step, what: Waiting::Trouble(kind, quoted) }),
        }
    }

    fn next_step(&self, step: Option<Step>) -> Step {
        let hops = step.map_or(0, |step| step.hops).saturating_add(1);
        Step { generation: self.directory.table().generation, hops }
    }

    fn steer_datagram(&mut self, now: Micros, packet: Packet, handed_over: bool, help: &mut dyn FnMut() -> Help) {
        let (verdict, cause) = steering::datagram(handed_over, help);
        self.counters.datagrams.count(cause);
        match verdict {
            Verdict::To(to) => self.hand_over(to, Parcel::Datagram(packet)),
            Verdict::Here | Verdict::Hold => {
                if self.transport.receive(now, &packet) == Err(Cause::NoSocket) {
                    let events = self.port.report(now, packet.bytes(), Problem::PortUnreachable);
                    self.follow(now, events);
                }
            }
        }
    }

    fn hand_over(&mut self, to: usize, parcel: Parcel) {
        self.counters.handed_over.count(to);
        self.actions.push(Action::Message { to, parcel });
    }

    fn hold(&mut self, held: Held) {
        if self.held.len() < self.room {
            self.held.push_back(held);
        } else {
            self.counters.not_held += 1;
        }
    }

    /// Decides again about all that waited.
    fn release(&mut self, now: Micros) {
        for Held { until, step, what } in core::mem::take(&mut self.held) {
            match what {
                Waiting::Segment(packet) => self.steer_segment(now, packet, step, until),
                Waiting::Trouble(kind, quoted) => self.steer_trouble(now, kind, quoted, step, until),
            }
        }
    }

    fn hear_note(&mut self, now: Micros, from: usize, note: &Note) {
        let outcome = self.directory.receive(from, note);
        self.post(outcome.posts);
        for session in &outcome.ready {
            self.transport.begin(now, session);
        }
        for session in &outcome.refused {
            self.transport.refuse(now, session);
        }
        if outcome.settled {
            self.release(now);
        }
    }

    fn post(&mut self, posts: impl IntoIterator<Item = directory::Post>) {
        let message = |(to, note)| Action::Message { to, parcel: Parcel::Note(note) };
        self.actions.extend(posts.into_iter().map(message));
    }

    /// The host has changed the card's table, or is about to. One processor is told, and tells the others.
    pub fn set_table(&mut self, now: Micros, table: Table) {
        for to in self.directory.others() {
            self.actions.push(Action::Message { to, parcel: Parcel::Table(table.clone()) });
        }
        self.adopt(now, table);
        self.flush(now);
    }

    fn adopt(&mut self, now: Micros, table: Table) {
        let posts = self.directory.set_table(now, table);
        self.post(posts);
        self.release(now);
    }

    /// Does what is due.
    pub fn poll(&mut self, now: Micros) {
        let events = self.port.poll(now);
        self.follow(now, events);
        self.transport.poll(now);
        if self.directory.poll(now) || self.held.iter().any(|held| held.until <= now) {
            self.release(now);
        }
        self.flush(now);
    }

    /// When [`poll`](Self::poll) has something to do.
    pub fn next_deadline(&self) -> Option<Micros> {
        let held = self.held.iter().map(|held| held.until).min();
        let parts = [self.port.next_deadline(), self.transport.next_deadline(), self.directory.next_deadline(), held];
        parts.into_iter().flatten().min()
    }

    fn follow(&mut self, now: Micros, events: Vec<Event>) {
        for event in events {
            self.follow_one(now, event);
        }
    }

    fn follow_one(&mut self, now: Micros, event: Event) {
        match event {
            Event::Transmit(frame) => self.actions.push(Action::Transmit(frame)),
            Event::EchoReply { source, message } => self.actions.push(Action::EchoReply { source, message }),
            Event::AddressAdded(address) => self.actions.push(Action::AddressAdded(address)),
            Event::AddressRefused(address) => self.actions.push(Action::AddressRefused(address)),
            Event::Error { kind, quoted } => {
                self.steer_trouble(now, kind, quoted, None, now.saturating_add(self.patience))
            }
            // A port delivers what it receives, and nothing when it is asked to send.
            Event::Deliver { .. } => self.counters.unreadable += 1,
        }
    }

    /// Tells the directory what came and went.
    fn settle_sockets(&mut self) {
        for change in self.transport.take_changes() {
            match change {
                Change::Opened(session) => {
                    let (_, post) = self.directory.open(session);
                    self.post(post);
                }
                Change::Closed(session) => {
                    let posts = self.directory.close(&session);
                    self.post(posts);
                }
            }
        }
    }

    /// Sends what the transport has to send.
    fn flush(&mut self, now: Micros) {
        self.settle_sockets();
        for output in self.transport.take_outputs() {
            let events = match output {
                Output::Packet(packet) => self.port.send(now, packet),
                Output::Datagram(datagram, mtu) => self.port.send_datagram(now, &datagram, mtu),
            };
            self.follow(now, events);
        }
        // A packet that cannot be sent may end a session.
        self.settle_sockets();
    }

    /// What is to be done, in order.
    pub fn take_actions(&mut self) -> Vec<Action> {
        core::mem::take(&mut self.actions)
    }

    /// Does something with the sockets.
    pub fn sockets<R>(&mut self, now: Micros, act: impl FnOnce(&mut Transport) -> R) -> R {
        let result = act(&mut self.transport);
        self.flush(now);
        result
    }

    fn check_local(&self, address: IpAddr) -> Result<(), OpenError> {
        if address.is_unspecified() || self.port.addresses().is_own(address) { Ok(()) } else { Err(OpenError::NotOurs) }
    }

    /// Opens a listening socket. So must all other processors, for each takes the connections that the table gives it.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn listen(&mut self, local: End, backlog: usize, options: Options) -> Result<SocketId, OpenError> {
        self.check_local(local.address)?;
        self.transport.listen(local, backlog, options)
    }

    /// Opens a UDP socket, at an address of this card, of a group, or at all. So must all other processors, for a datagram
    /// may come to any.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn bind(&mut self, local: End, options: Options) -> Result<SocketId, OpenError> {
        if !local.address.is_multicast() {
            self.check_local(local.address)?;
        }
        self.transport.bind(local, options)
    }

    /// Opens a connection, from an address that goes with the peer's if none is given. If its answers come to another
    /// processor the SYN leaves when that one knows.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn connect(
        &mut self,
        now: Micros,
        from: Option<IpAddr>,
        port: LocalPort,
        remote: End,
        options: Options,
    ) -> Result<SocketId, OpenError> {
        let address = from.or_else(|| self.port.addresses().source_for(remote.address)).ok_or(OpenError::NotOurs)?;
        self.check_local(address)?;
        if address.is_unspecified() {
            return Err(OpenError::NotOurs);
        }
        let session = self.choose_port(address, remote, port)?;
        let socket = self.transport.open(now, session, options)?;
        let (opening, post) = self.directory.open(session);
        self.post(post);
        if opening == Opening::Ready {
            self.transport.begin(now, &session);
        }
        self.flush(now);
        Ok(socket)
    }

    /// Sends a datagram, from the socket's address, or from one that goes with the peer's.
    ///
    /// # Errors
    /// See [`Transport::send_to`].
    pub fn send_to(&mut self, now: Micros, socket: SocketId, remote: End, payload: &[u8]) -> Result<(), UseError> {
        let bound = self.transport.bound_to(socket)?;
        let fits = !bound.address.is_unspecified() && !bound.address.is_multicast();
        let source = if fits { Some(bound.address) } else { self.port.addresses().source_for(remote.address) };
        let local = End::new(source.ok_or(UseError::InvalidEnd)?, bound.port);
        self.sockets(now, |transport| transport.send_to(now, socket, &Session { local, remote }, payload))
    }

    /// Joins a group, for all processors.
    ///
    /// # Errors
    /// There are too many groups.
    pub fn join(&mut self, now: Micros, group: IpAddr) -> Result<(), TooManyGroups> {
        let events = self.port.join(now, group)?;
        self.follow(now, events);
        self.spread(Parcel::Group(group, true));
        Ok(())
    }

    /// Leaves a group, for all processors.
    pub fn leave(&mut self, now: Micros, group: IpAddr) {
        let events = self.port.leave(now, group);
        self.follow(now, events);
        self.spread(Parcel::Group(group, false));
    }

    fn spread(&mut self, parcel: Parcel) {
        let message = |to| Action::Message { to, parcel: parcel.clone() };
        self.actions.extend(self.directory.others().map(message));
    }

    /// The sockets, to look at.
    pub const fn transport(&self) -> &Transport {
        &self.transport
    }

    /// What happened to a socket.
    pub fn next_event(&mut self) -> Option<transport::event::Event> {
        self.transport.next_event()
    }

    /// The network port, to look at.
    pub const fn port(&self) -> &NetworkPort {
        &self.port
    }

    /// The network port, for what is no socket's.
    pub const fn port_mut(&mut self) -> &mut NetworkPort {
        &mut self.port
    }

    /// The directory, to look at.
    pub const fn directory(&self) -> &Directory {
        &self.directory
    }

    /// Segments that wait for a decision.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// What was decided.
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }
}
