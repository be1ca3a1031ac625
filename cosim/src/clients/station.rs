//! A host on `smoltcp`, with an Ethernet address, its IP addresses, and things to do.
//!
//! `smoltcp` asks for no second neighbour within a second after it has asked for one, of either version of IP, and does not ask again
//! before: a station that is to talk at once talks to one address, and its first question should not get lost.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;

use smoltcp::iface::{Config, Interface, SocketSet};
use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::time::Instant;
use smoltcp::wire::{EthernetAddress, IpCidr};

use super::ping::{Ping, PingScript};
use super::tcp::{Connection, Script};
use super::udp::{DatagramScript, Datagrams};
use super::{Client, Micros};

#[cfg(test)]
mod tests;

/// Rounds of the stack in one call: each handles every frame that has come.
const MOST_ROUNDS: usize = 64;

/// Who a station is.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Its Ethernet address.
    pub ethernet: [u8; 6],
    /// Its addresses and their networks, two at most.
    pub addresses: Vec<(IpAddr, u8)>,
    /// Its IPv4 router.
    pub gateway: Option<Ipv4Addr>,
    /// What its sequence numbers are drawn from.
    pub seed: u64,
}

/// The frames on both sides of the stack.
#[derive(Default)]
struct Wire {
    incoming: VecDeque<Vec<u8>>,
    outgoing: VecDeque<Vec<u8>>,
}

struct Received(Vec<u8>);
struct Sender<'a>(&'a mut VecDeque<Vec<u8>>);

impl RxToken for Received {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, work: F) -> R {
        work(&self.0)
    }
}

impl TxToken for Sender<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, work: F) -> R {
        let mut frame = vec![0; length];
        let result = work(&mut frame);
        self.0.push_back(frame);
        result
    }
}

impl Device for Wire {
    type RxToken<'a> = Received;
    type TxToken<'a> = Sender<'a>;

    fn receive(&mut self, _: Instant) -> Option<(Received, Sender<'_>)> {
        let frame = self.incoming.pop_front()?;
        Some((Received(frame), Sender(&mut self.outgoing)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Sender<'_>> {
        Some(Sender(&mut self.outgoing))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        // IP's 1500 bytes and the Ethernet header.
        capabilities.max_transmission_unit = 1514;
        capabilities
    }
}

/// See the module's page.
pub struct Station {
    identity: Identity,
    interface: Interface,
    sockets: SocketSet<'static>,
    wire: Wire,
    pings: Vec<Ping>,
    connections: Vec<Connection>,
    datagrams: Vec<Datagrams>,
}

/// A station that somebody keeps an eye on while it is a client.
pub type SharedStation = Rc<RefCell<Station>>;

impl Station {
    /// A station with nothing to do.
    pub fn new(identity: Identity) -> Self {
        let mut config = Config::new(EthernetAddress(identity.ethernet).into());
        config.random_seed = identity.seed;
        let mut wire = Wire::default();
        let mut interface = Interface::new(config, &mut wire, Instant::ZERO);
        interface.update_ip_addrs(|own| {
            let _ = identity
                .addresses
                .iter()
                .try_for_each(|(address, bits)| own.push(IpCidr::new((*address).into(), *bits)));
        });
        if let Some(gateway) = identity.gateway {
            // A table that is empty has room.
            let _ = interface.routes_mut().add_default_ipv4_route(gateway);
        }
        Self {
            identity,
            interface,
            sockets: SocketSet::new(Vec::new()),
            wire,
            pings: Vec::new(),
            connections: Vec::new(),
            datagrams: Vec::new(),
        }
    }

    /// To be shared between a system and whoever looks at it.
    pub fn shared(self) -> SharedStation {
        Rc::new(RefCell::new(self))
    }

    /// Has it ping.
    pub fn ping(&mut self, script: PingScript) {
        let ping = Ping::new(script, self.pings.len() as u16, &mut self.sockets);
        self.pings.push(ping);
    }

    /// Has it open a connection.
    pub fn connect(&mut self, script: Script) {
        self.connections.push(Connection::new(script, &mut self.sockets));
    }

    /// Has it wait for a connection, and then do the same.
    pub fn listen(&mut self, script: Script) {
        self.connections.push(Connection::awaited(script, &mut self.sockets));
    }

    /// Has it send datagrams.
    pub fn send_datagrams(&mut self, script: DatagramScript) {
        self.datagrams.push(Datagrams::new(script, &mut self.sockets));
    }

    /// Its pings.
    pub fn pings(&self) -> &[Ping] {
        &self.pings
    }

    /// Its connections.
    pub fn connections(&self) -> &[Connection] {
        &self.connections
    }

    /// Its senders of datagrams.
    pub fn datagrams(&self) -> &[Datagrams] {
        &self.datagrams
    }

    /// Whether all that it had to do is done or has failed.
    pub fn is_done(&self) -> bool {
        self.pings.iter().all(Ping::is_done)
            && self.connections.iter().all(Connection::is_done)
            && self.datagrams.iter().all(Datagrams::is_done)
    }

    /// Lets everything go on as far as it comes; says whether anything did.
    fn step(&mut self, now: Micros) -> bool {
        let mut moved = false;
        for ping in &mut self.pings {
            moved |= ping.step(now, &mut self.sockets, &self.interface);
        }
        for connection in &mut self.connections {
            moved |= connection.step(now, &mut self.sockets, &mut self.interface);
        }
        for datagrams in &mut self.datagrams {
            moved |= datagrams.step(now, &mut self.sockets);
        }
        moved
    }
}

impl Client for SharedStation {
    fn address(&self) -> [u8; 6] {
        self.borrow().identity.ethernet
    }

    fn receive(&mut self, _: Micros, frame: &[u8]) {
        self.borrow_mut().wire.incoming.push_back(frame.to_vec());
    }

    fn poll(&mut self, now: Micros, out: &mut Vec<Vec<u8>>) -> Option<Micros> {
        let station = &mut *self.borrow_mut();
        let time = Instant::from_micros(now as i64);
        for _ in 0..MOST_ROUNDS {
            station.interface.poll(time, &mut station.wire, &mut station.sockets);
            if !station.step(now) && station.wire.incoming.is_empty() {
                break;
            }
        }
        out.extend(station.wire.outgoing.drain(..));
        let stack = station.interface.poll_at(time, &station.sockets).map(|at| at.total_micros().max(0) as u64);
        let pings = station.pings.iter().filter_map(Ping::due);
        let connections = station.connections.iter().filter_map(Connection::due);
        let datagrams = station.datagrams.iter().filter_map(Datagrams::due);
        pings.chain(connections).chain(datagrams).chain(stack).min()
    }
}
