//! One processor's view of the network port (¶66): from a received frame to what its transport is to do, and back to
//! frames.
//!
//! The modules beside this one know nothing of each other's states; here they are put together. A call returns
//! everything that is to be done. Every frame is counted once, as [taken](Counters::taken) or as
//! [dropped](Counters::dropped).

use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use abi::limits::MAX_PROCESSORS;
use abi::receive::{Check, Status};
use smoltcp::wire::{EthernetProtocol, IpProtocol, Ipv4Packet, Ipv6Cidr};

use super::Micros;
use super::addresses::{Addresses, solicited_node};
use super::ethernet::{self, Frame, Station};
use super::icmp::{self, ErrorKind, Errors, Problem, Quoted, RateLimit, Received};
use super::ip::{self, Arrival, Delivery, Host, Input, Outcome};
use super::multicast::{self, Memberships, TooManyGroups};
use super::neighbour::{self, Neighbours, Output, Turn, cache};
use super::outgoing::Outgoing;
use super::random::Random;
use super::reassembly;
use super::route::Routes;
use super::tally::Tally;

#[cfg(test)]
mod tests;

/// What a port is made with.
#[derive(Clone, Debug)]
pub struct Config {
    /// The card's Ethernet address and VLAN.
    pub station: Station,
    /// The card's addresses. IPv6 ones that are not sure yet go through [`NetworkPort::try_address`].
    pub addresses: Addresses,
    /// IPv4's default routers.
    pub gateways: Vec<Ipv4Addr>,
    /// This processor, among those that are alive.
    pub turn: Turn,
    /// Longest IP packet that is sent.
    pub mtu: usize,
    /// What delays are drawn from.
    pub seed: u64,
    /// Limits of reassembly.
    pub reassembly: reassembly::Limits,
    /// Limits of the neighbour cache.
    pub neighbours: cache::Limits,
    /// Groups at most.
    pub groups: usize,
    /// ICMP errors at most.
    pub errors: RateLimit,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// Send this frame.
    Transmit(Vec<u8>),
    /// A TCP segment or UDP datagram for the transport decision (¶67).
    Deliver {
        /// The IP packet: in the frame as it was received, padding behind it, or reassembled.
        packet: Cow<'a, [u8]>,
        /// What is known of it.
        delivery: Delivery,
        /// What the hardware found of the transport's checksum; never [`Check::Bad`].
        transport_check: Check,
    },
    /// The answer to an echo request of this host, whole as an ICMP message.
    EchoReply {
        /// Who answered.
        source: IpAddr,
        /// The message.
        message: Vec<u8>,
    },
    /// Something that this card sent does not arrive; the processor that owns the connection wants to know (¶67).
    Error {
        /// Why.
        kind: ErrorKind,
        /// What it was.
        quoted: Quoted,
    },
    /// The address is this card's from now on.
    AddressAdded(Ipv6Addr),
    /// Somebody else has the address, or too many are being tried.
    AddressRefused(Ipv6Addr),
}

/// Whose a frame was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Taken {
    /// ARP's.
    Arp,
    /// Neighbour discovery's.
    Discovery,
    /// IGMP's or MLD's.
    Group,
    /// ICMP's: an echo, or an error about something sent.
    Icmp,
    /// A transport's.
    Transport,
    /// A fragment that waits; [`ip::Counters`] say what becomes of it.
    Fragment,
}

/// Why a frame was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// As a frame.
    Ethernet(ethernet::Cause),
    /// Neither ARP nor IP.
    EtherType,
    /// As ARP or neighbour discovery.
    Neighbour(neighbour::Cause),
    /// As an IP packet.
    Ip(ip::Cause),
    /// As an ICMP message.
    Icmp(icmp::Cause),
    /// As IGMP or MLD.
    Group(multicast::Cause),
    /// Nobody here speaks its protocol.
    Protocol,
    /// The hardware found the transport's checksum wrong.
    TransportChecksum,
}

/// Frames: `received = taken + dropped`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// All.
    pub received: u64,
    /// Those that somebody wanted.
    pub taken: Tally<Taken>,
    /// Those that nobody wanted.
    pub dropped: Tally<Cause>,
}

/// What became of a frame, and what is to be done because of it.
type Fate<'a> = (Result<Taken, Cause>, Vec<Event<'a>>);

/// The network as one processor sees it.
#[derive(Clone, Debug)]
pub struct NetworkPort {
    station: Station,
    addresses: Addresses,
    turn: Turn,
    mtu: usize,
    /// Of the next packet that is sent in fragments. Processors count by [`MAX_PROCESSORS`], each from its own number,
    /// because they share their addresses.
    identification: u32,
    input: Input,
    errors: Errors,
    groups: Memberships,
    neighbours: Neighbours,
    counters: Counters,
}

impl NetworkPort {
    /// A port that has seen nothing. It is in the solicited-node groups of its addresses, as all other processors are.
    ///
    /// # Errors
    /// There are more addresses than groups.
    pub fn new(config: Config) -> Result<Self, TooManyGroups> {
        let mut random = Random::new(config.seed);
        let mut draw = || Random::new(random.within(Micros::MAX));
        let mut groups = Memberships::new(config.groups, draw());
        for own in &config.addresses.ipv6 {
            groups.mirror(solicited_node(own.address()).into())?;
        }
        let routes = Routes::new(config.gateways);
        Ok(Self {
            station: config.station,
            turn: config.turn,
            mtu: config.mtu,
            identification: config.turn.me() as u32,
            input: Input::new(config.reassembly),
            errors: Errors::new(config.errors),
            groups,
            neighbours: Neighbours::new(config.station.address, config.turn, config.neighbours, routes, draw()),
            addresses: config.addresses,
            counters: Counters::default(),
        })
    }

    /// What the card says when it starts: its addresses, its groups, a question for routers. One processor says it for
    /// all.
    pub fn start(&mut self, now: Micros) -> Vec<Event<'static>> {
        if !self.turn.is_mine(self.station.address) {
            return Vec::new();
        }
        let mut outputs: Vec<_> =
            self.addresses.ipv4.iter().map(|own| self.neighbours.announcement(own.address())).collect();
        outputs.extend(self.neighbours.router_solicitation(&self.addresses));
        let mut events = self.carry_out(outputs);
        let groups: Vec<_> = self.groups.groups().collect();
        for group in groups {
            let report = self.groups.announce(now, group, &self.addresses);
            events.extend(self.send_all(now, report));
        }
        events
    }

    /// Takes a received frame, with what the hardware says of it. Its class is not needed, only its checksums are. What is
    /// due at `now` is to be done before: [`poll`](Self::poll).
    pub fn receive<'a>(&mut self, now: Micros, frame: &'a [u8], status: Status) -> Vec<Event<'a>> {
        self.counters.received += 1;
        let (fate, events) = self.fate_of(now, frame, status);
        match fate {
            Ok(taken) => self.counters.taken.count(taken),
            Err(cause) => self.counters.dropped.count(cause),
        }
        events
    }

    fn fate_of<'a>(&mut self, now: Micros, frame: &'a [u8], status: Status) -> Fate<'a> {
        let accepted = Frame::parse(frame).and_then(|frame| self.station.accept(&frame).map(|cast| (frame, cast)));
        let (frame, cast) = match accepted {
            Ok(accepted) => accepted,
            Err(cause) => return (Err(Cause::Ethernet(cause)), Vec::new()),
        };
        let arrival = Arrival { cast, header_check: status.ip_check() };
        let host = Host { addresses: &self.addresses, groups: &self.groups };
        match frame.ether_type {
            EthernetProtocol::Arp => {
                let outputs = self.neighbours.receive_arp(now, frame.payload, &self.addresses);
                self.conclude(Taken::Arp, outputs)
            }
            EthernetProtocol::Ipv4 => {
                let outcome = self.input.receive_ipv4(now, frame.payload, arrival, host);
                self.after_ip(now, &frame, outcome, status.transport_check())
            }
            EthernetProtocol::Ipv6 => {
                let outcome = self.input.receive_ipv6(now, frame.payload, arrival, host);
                self.after_ip(now, &frame, outcome, status.transport_check())
            }
            EthernetProtocol::Unknown(_) => (Err(Cause::EtherType), Vec::new()),
        }
    }

    fn conclude(&mut self, taken: Taken, outputs: Result<Vec<Output>, neighbour::Cause>) -> Fate<'static> {
        match outputs {
            Ok(outputs) => (Ok(taken), self.carry_out(outputs)),
            Err(cause) => (Err(Cause::Neighbour(cause)), Vec::new()),
        }
    }

    fn after_ip<'a>(&mut self, now: Micros, frame: &Frame<'a>, outcome: Outcome, check: Check) -> Fate<'a> {
        match outcome {
            Outcome::Held => (Ok(Taken::Fragment), Vec::new()),
            Outcome::Deliver(delivery) => self.deliver(now, frame, Cow::Borrowed(frame.payload), delivery, check),
            Outcome::Reassembled { packet, delivery } => {
                // What the hardware says is about the last fragment.
                self.deliver(now, frame, Cow::Owned(packet), delivery, Check::None)
            }
            Outcome::Drop(refusal) => {
                let events = match refusal.problem {
                    Some(problem) => self.report(now, frame.payload, problem),
                    None => Vec::new(),
                };
                (Err(Cause::Ip(refusal.cause)), events)
            }
        }
    }

    fn deliver<'a>(
        &mut self,
        now: Micros,
        frame: &Frame,
        packet: Cow<'a, [u8]>,
        delivery: Delivery,
        transport_check: Check,
    ) -> Fate<'a> {
        match (delivery.protocol, delivery.source) {
            (IpProtocol::Tcp | IpProtocol::Udp, _) if transport_check == Check::Bad => {
                (Err(Cause::TransportChecksum), Vec::new())
            }
            (IpProtocol::Tcp | IpProtocol::Udp, _) => {
                (Ok(Taken::Transport), [Event::Deliver { packet, delivery, transport_check }].into())
            }
            (IpProtocol::Icmp, IpAddr::V4(_)) | (IpProtocol::Icmpv6, IpAddr::V6(_)) => {
                self.after_icmp(now, frame, &packet, &delivery)
            }
            (IpProtocol::Igmp, IpAddr::V4(_)) => {
                let heard = self.groups.receive_igmp(now, delivery.payload_of(&packet));
                (heard.map(|()| Taken::Group).map_err(Cause::Group), Vec::new())
            }
            _ => {
                let problem = Problem::ProtocolUnreachable { at: delivery.protocol_at };
                (Err(Cause::Protocol), self.report(now, &packet, problem))
            }
        }
    }

    fn after_icmp(&mut self, now: Micros, frame: &Frame, packet: &[u8], delivery: &Delivery) -> Fate<'static> {
        let message = delivery.payload_of(packet);
        let received = match icmp::receive(&self.addresses, delivery, message) {
            Ok(received) => received,
            Err(cause) => return (Err(Cause::Icmp(cause)), Vec::new()),
        };
        match received {
            Received::Answer(reply) => (Ok(Taken::Icmp), self.send_message(now, &reply)),
            Received::EchoReply { .. } => {
                let event = Event::EchoReply { source: delivery.source, message: message.to_vec() };
                (Ok(Taken::Icmp), [event].into())
            }
            Received::Error { kind, quoted } => (Ok(Taken::Icmp), [Event::Error { kind, quoted }].into()),
            Received::ListenerDiscovery => {
                let heard = listener_envelope(delivery).and_then(|it| self.groups.receive_mld(now, &it, message));
                (heard.map(|()| Taken::Group).map_err(Cause::Group), Vec::new())
            }
            Received::NeighbourDiscovery => {
                let outputs = neighbour_envelope(frame, delivery)
                    .and_then(|it| self.neighbours.receive_discovery(now, &it, message, &self.addresses));
                self.conclude(Taken::Discovery, outputs)
            }
        }
    }

    /// Reports a problem with a received packet to its sender, if the rules allow it.
    pub fn report(&mut self, now: Micros, packet: &[u8], problem: Problem) -> Vec<Event<'static>> {
        match self.errors.report(now, &self.addresses, packet, problem) {
            Some(message) => self.send_message(now, &message),
            None => Vec::new(),
        }
    }

    /// Sends an IP packet that is no longer than the link takes.
    pub fn send(&mut self, now: Micros, packet: Vec<u8>) -> Vec<Event<'static>> {
        let Some(destination) = destination_of(&packet) else { return Vec::new() };
        let outputs = self.neighbours.send(now, destination, packet, &self.addresses);
        self.carry_out(outputs)
    }

    /// Sends a datagram of a transport, in fragments if it is longer than its path takes. One that is not may not be cut on
    /// its way (RFC 1191, 3): a router that cannot pass it on says so.
    pub fn send_datagram(&mut self, now: Micros, datagram: &Outgoing, path_mtu: usize) -> Vec<Event<'static>> {
        let mut packets = self.packets_of(datagram, path_mtu.min(self.mtu));
        if let [whole] = &mut packets[..]
            && datagram.path.destination().is_ipv4()
        {
            let mut header = Ipv4Packet::new_unchecked(whole);
            header.set_dont_frag(true);
            header.fill_checksum();
        }
        packets.into_iter().flat_map(|packet| self.send(now, packet)).collect()
    }

    fn packets_of(&mut self, message: &Outgoing, mtu: usize) -> Vec<Vec<u8>> {
        let packets = message.packets(mtu, self.identification);
        if packets.len() > 1 {
            self.identification = self.identification.wrapping_add(MAX_PROCESSORS as u32);
        }
        packets
    }

    fn send_message(&mut self, now: Micros, message: &Outgoing) -> Vec<Event<'static>> {
        let packets = self.packets_of(message, self.mtu);
        packets.into_iter().flat_map(|packet| self.send(now, packet)).collect()
    }

    fn send_all(&mut self, now: Micros, messages: impl IntoIterator<Item = Outgoing>) -> Vec<Event<'static>> {
        messages.into_iter().flat_map(|message| self.send_message(now, &message)).collect()
    }

    fn carry_out(&mut self, outputs: Vec<Output>) -> Vec<Event<'static>> {
        outputs.into_iter().filter_map(|output| self.event_of(output)).collect()
    }

    fn event_of(&mut self, output: Output) -> Option<Event<'static>> {
        Some(match output {
            Output::Transmit { destination, ether_type, payload } => {
                Event::Transmit(self.station.frame(destination, ether_type, &payload))
            }
            Output::Unreachable { packet } => {
                Event::Error { kind: ErrorKind::HostUnreachable, quoted: icmp::quote(&packet)? }
            }
            Output::Unique { address } => {
                // RFC 4291, 2.5.1: the interface's part of an address has 64 bits.
                self.addresses.ipv6.push(Ipv6Cidr::new(address, 64));
                Event::AddressAdded(address)
            }
            Output::Duplicate { address } => {
                self.groups.forget(solicited_node(address).into());
                Event::AddressRefused(address)
            }
        })
    }

    /// Does what is due: asks neighbours again, reports groups, gives up datagrams.
    pub fn poll(&mut self, now: Micros) -> Vec<Event<'static>> {
        let outputs = self.neighbours.poll(now, &self.addresses);
        let mut events = self.carry_out(outputs);
        let reports = self.groups.poll(now, &self.addresses);
        events.extend(self.send_all(now, reports));
        for first_fragment in self.input.expire(now) {
            events.extend(self.report(now, &first_fragment, Problem::ReassemblyTime));
        }
        events
    }

    /// When [`poll`](Self::poll) has something to do next.
    pub fn next_deadline(&self) -> Option<Micros> {
        let deadlines = [self.neighbours.next_deadline(), self.groups.next_deadline(), self.input.next_deadline()];
        deadlines.into_iter().flatten().min()
    }

    /// Whether the card is in a group.
    pub fn is_member(&self, group: IpAddr) -> bool {
        self.groups.is_member(group)
    }

    /// Joins a group. The other processors are to [`mirror`](Self::mirror) it.
    ///
    /// # Errors
    /// There are too many groups.
    pub fn join(&mut self, now: Micros, group: IpAddr) -> Result<Vec<Event<'static>>, TooManyGroups> {
        let report = self.groups.join(now, group, &self.addresses)?;
        Ok(self.send_all(now, report))
    }

    /// Joins a group that another processor has joined.
    ///
    /// # Errors
    /// There are too many groups.
    pub fn mirror(&mut self, group: IpAddr) -> Result<(), TooManyGroups> {
        self.groups.mirror(group)
    }

    /// Leaves a group. The other processors are to [`forget`](Self::forget) it.
    pub fn leave(&mut self, now: Micros, group: IpAddr) -> Vec<Event<'static>> {
        let message = self.groups.leave(now, group, &self.addresses);
        self.send_all(now, message)
    }

    /// Leaves a group that another processor has left.
    pub fn forget(&mut self, group: IpAddr) {
        self.groups.forget(group);
    }

    /// Tries whether an IPv6 address is free; every processor is to be told to. [`Event::AddressAdded`] or
    /// [`Event::AddressRefused`] says how it ended.
    ///
    /// # Errors
    /// There are too many groups, of which the address needs one.
    pub fn try_address(&mut self, now: Micros, address: Ipv6Addr) -> Result<Vec<Event<'static>>, TooManyGroups> {
        let group = solicited_node(address).into();
        // RFC 4862, 5.4.2: who asks is in the group already. One processor reports it for all.
        let events = if self.turn.is_mine(self.station.address) {
            self.join(now, group)?
        } else {
            self.mirror(group)?;
            Vec::new()
        };
        if !self.neighbours.try_address(now, address) {
            self.forget(group);
            return Ok([Event::AddressRefused(address)].into());
        }
        Ok(events)
    }

    /// A transport has made progress with a peer.
    pub fn confirm(&mut self, now: Micros, peer: IpAddr) {
        self.neighbours.confirm(now, peer, &self.addresses);
    }

    /// Other processors are alive from now on.
    pub const fn set_turn(&mut self, turn: Turn) {
        self.turn = turn;
        self.neighbours.set_turn(turn);
    }

    /// The card's addresses.
    pub const fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Frames by what became of them.
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The IP layer, to look at.
    pub const fn input(&self) -> &Input {
        &self.input
    }

    /// The groups, to look at.
    pub const fn memberships(&self) -> &Memberships {
        &self.groups
    }

    /// The neighbours, to look at.
    pub const fn neighbours(&self) -> &Neighbours {
        &self.neighbours
    }

    /// ICMP errors that were sent or not, to look at.
    pub const fn errors(&self) -> &Errors {
        &self.errors
    }
}

fn listener_envelope(delivery: &Delivery) -> Result<multicast::Envelope, multicast::Cause> {
    match delivery.source {
        IpAddr::V6(source) => {
            let (hop_limit, router_alert) = (delivery.hop_limit, delivery.router_alert);
            Ok(multicast::Envelope { source, hop_limit, router_alert })
        }
        IpAddr::V4(_) => Err(multicast::Cause::Envelope),
    }
}

fn neighbour_envelope(frame: &Frame, delivery: &Delivery) -> Result<neighbour::Envelope, neighbour::Cause> {
    match (delivery.source, delivery.destination) {
        _ if delivery.was_fragmented => Err(neighbour::Cause::Fragmented),
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            let (frame_source, hop_limit) = (frame.source, delivery.hop_limit);
            Ok(neighbour::Envelope { frame_source, source, destination, hop_limit })
        }
        _ => Err(neighbour::Cause::Malformed),
    }
}

/// Where an IP packet is to go.
fn destination_of(packet: &[u8]) -> Option<IpAddr> {
    match packet.first()? >> 4 {
        4 => packet.get(16..20)?.first_chunk::<4>().map(|&octets| IpAddr::from(octets)),
        6 => packet.get(24..40)?.first_chunk::<16>().map(|&octets| IpAddr::from(octets)),
        _ => None,
    }
}
