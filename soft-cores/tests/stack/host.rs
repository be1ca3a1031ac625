//! A host that is not ours: `smoltcp` on Ethernet.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::socket::{tcp, udp};
use smoltcp::time::Instant;
use smoltcp::wire::{EthernetAddress, IpCidr, IpEndpoint};
use soft_cores::net::Micros;

/// Two queues of frames.
#[derive(Default)]
struct Wire {
    inward: VecDeque<Vec<u8>>,
    outward: Vec<Vec<u8>>,
}

struct Arrived(Vec<u8>);
struct Departing<'a>(&'a mut Vec<Vec<u8>>);

impl RxToken for Arrived {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}

impl TxToken for Departing<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, f: F) -> R {
        let mut frame = vec![0; length];
        let result = f(&mut frame);
        self.0.push(frame);
        result
    }
}

impl Device for Wire {
    type RxToken<'a> = Arrived;
    type TxToken<'a> = Departing<'a>;

    fn receive(&mut self, _: Instant) -> Option<(Arrived, Departing<'_>)> {
        Some((Arrived(self.inward.pop_front()?), Departing(&mut self.outward)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Departing<'_>> {
        Some(Departing(&mut self.outward))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = 1514;
        capabilities
    }
}

/// A host with its sockets.
pub struct Host {
    pub hardware: EthernetAddress,
    interface: Interface,
    wire: Wire,
    sockets: SocketSet<'static>,
}

pub fn instant(now: Micros) -> Instant {
    Instant::from_micros(now as i64)
}

impl Host {
    /// The host 10.0.0.`number`.
    pub fn new(number: u8, seed: u64) -> Self {
        let (address, hardware) = (Ipv4Addr::new(10, 0, 0, number), EthernetAddress([2, 0, 0, 0, 1, number]));
        let mut config = Config::new(hardware.into());
        config.random_seed = seed;
        let mut wire = Wire::default();
        let mut interface = Interface::new(config, &mut wire, Instant::ZERO);
        let local = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 1, number.into());
        interface.update_ip_addrs(|addresses| {
            addresses.push(IpCidr::new(address.into(), 24)).unwrap();
            addresses.push(IpCidr::new(local.into(), 64)).unwrap();
        });
        Self { hardware, interface, wire, sockets: SocketSet::new(vec![]) }
    }

    /// A TCP socket with buffers of so many bytes.
    pub fn tcp(&mut self, buffer: usize) -> SocketHandle {
        let bytes = || tcp::SocketBuffer::new(vec![0; buffer]);
        self.sockets.add(tcp::Socket::new(bytes(), bytes()))
    }

    pub fn connect(&mut self, socket: SocketHandle, to: impl Into<IpAddr>, remote: u16, port: u16) {
        let to = IpEndpoint::new(to.into().into(), remote);
        self.sockets.get_mut::<tcp::Socket>(socket).connect(self.interface.context(), to, port).unwrap();
    }

    pub fn stream(&mut self, socket: SocketHandle) -> &mut tcp::Socket<'static> {
        self.sockets.get_mut(socket)
    }

    /// A UDP socket bound to this port.
    pub fn udp(&mut self, port: u16) -> SocketHandle {
        let buffer = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 512], vec![0; 200_000]);
        let mut socket = udp::Socket::new(buffer(), buffer());
        socket.bind(port).unwrap();
        self.sockets.add(socket)
    }

    pub fn datagrams(&mut self, socket: SocketHandle) -> &mut udp::Socket<'static> {
        self.sockets.get_mut(socket)
    }

    pub fn receive(&mut self, frame: Vec<u8>) {
        self.wire.inward.push_back(frame);
    }

    /// Frames that it sends.
    pub fn poll(&mut self, now: Micros) -> Vec<Vec<u8>> {
        self.interface.poll(instant(now), &mut self.wire, &mut self.sockets);
        std::mem::take(&mut self.wire.outward)
    }

    pub fn next_deadline(&mut self, now: Micros) -> Option<Micros> {
        self.interface.poll_at(instant(now), &self.sockets).map(|at| (at.total_micros() as Micros).max(now + 1))
    }
}
