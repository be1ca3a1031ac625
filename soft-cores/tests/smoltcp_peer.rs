//! A host that is not ours, `smoltcp` on Ethernet, resolves the card, is resolved, and exchanges datagrams with it.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use abi::receive::Status;
use smoltcp::iface::{Config as PeerConfig, Interface, SocketSet};
use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::socket::udp;
use smoltcp::time::Instant;
use smoltcp::wire::{EthernetAddress, IpCidr, IpEndpoint, Ipv4Cidr, Ipv6Cidr};
use soft_cores::net::Micros;
use soft_cores::net::addresses::Addresses;
use soft_cores::net::ethernet::{Station, Tags};
use soft_cores::net::icmp::RateLimit;
use soft_cores::net::neighbour::{Turn, cache};
use soft_cores::net::port::{Config, Event, NetworkPort, Taken};
use soft_cores::net::reassembly::Limits;

const CARD: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2));
const CARD_6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1));
const PEER_6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2));
const PORT: u16 = 7;

/// Two queues of frames, as the peer sees them.
#[derive(Default)]
struct Wire {
    to_peer: VecDeque<Vec<u8>>,
    from_peer: VecDeque<Vec<u8>>,
}

struct Arrived(Vec<u8>);
struct Departing<'a>(&'a mut VecDeque<Vec<u8>>);

impl RxToken for Arrived {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}

impl TxToken for Departing<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, f: F) -> R {
        let mut frame = vec![0; length];
        let result = f(&mut frame);
        self.0.push_back(frame);
        result
    }
}

impl Device for Wire {
    type RxToken<'a> = Arrived;
    type TxToken<'a> = Departing<'a>;

    fn receive(&mut self, _: Instant) -> Option<(Arrived, Departing<'_>)> {
        let frame = self.to_peer.pop_front()?;
        Some((Arrived(frame), Departing(&mut self.from_peer)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Departing<'_>> {
        Some(Departing(&mut self.from_peer))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = 1514;
        capabilities
    }
}

fn card_port(me: usize) -> NetworkPort {
    let IpAddr::V4(ipv4) = CARD else { unreachable!() };
    let IpAddr::V6(ipv6) = CARD_6 else { unreachable!() };
    NetworkPort::new(Config {
        station: Station { address: EthernetAddress([2, 0, 0, 0, 0, 1]), tags: Tags::default() },
        addresses: Addresses { ipv4: vec![Ipv4Cidr::new(ipv4, 24)], ipv6: vec![Ipv6Cidr::new(ipv6, 64)] },
        gateways: Vec::new(),
        turn: Turn::new(me, 0b1111),
        mtu: 1500,
        seed: me as u64,
        reassembly: Limits::default(),
        neighbours: cache::Limits::default(),
        groups: 8,
        errors: RateLimit::default(),
    })
    .unwrap()
}

/// Swaps the ends of a UDP datagram's packet: what an echo server would send.
fn echo(packet: &[u8]) -> Vec<u8> {
    let mut packet = packet.to_vec();
    let (source, length, transport) = if packet[0] >> 4 == 4 { (12, 4, 20) } else { (8, 16, 40) };
    for byte in 0..length {
        packet.swap(source + byte, source + length + byte);
    }
    packet.swap(transport, transport + 2);
    packet.swap(transport + 1, transport + 3);
    packet
}

/// Hands frames to all processors where the hardware floods, else to the first. Returns how many datagrams were echoed.
fn serve(processors: &mut [NetworkPort], now: Micros, wire: &mut Wire) -> usize {
    let mut echoed = 0;
    while let Some(frame) = wire.from_peer.pop_front() {
        let is_flooded = frame[12..14] == [8, 6] || frame[12..14] == [0x86, 0xdd] && frame[20] == 58;
        let count = if is_flooded { processors.len() } else { 1 };
        for processor in &mut processors[..count] {
            let events: Vec<_> = processor.receive(now, &frame, Status(0)).into_iter().collect();
            for event in events {
                match event {
                    Event::Transmit(frame) => wire.to_peer.push_back(frame),
                    Event::Deliver { packet, delivery, .. } => {
                        echoed += 1;
                        let answer = echo(&delivery.without_extensions(&packet));
                        let frames = processor.send(now, answer).into_iter();
                        wire.to_peer.extend(frames.filter_map(|event| match event {
                            Event::Transmit(frame) => Some(frame),
                            _ => None,
                        }));
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
    }
    echoed
}

fn exchange(card: IpAddr, peer: IpAddr) {
    let mut wire = Wire::default();
    let mut config = PeerConfig::new(EthernetAddress([2, 0, 0, 0, 0, 2]).into());
    config.random_seed = 1;
    let mut interface = Interface::new(config, &mut wire, Instant::ZERO);
    interface.update_ip_addrs(|addresses| addresses.push(IpCidr::new(peer.into(), 24)).unwrap());
    let buffer = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 4], vec![0; 4096]);
    let mut sockets = SocketSet::new(vec![]);
    let handle = sockets.add(udp::Socket::new(buffer(), buffer()));
    let socket = sockets.get_mut::<udp::Socket>(handle);
    socket.bind(4660).unwrap();
    let mut processors: Vec<_> = (0..4).map(card_port).collect();
    let (mut echoed, mut answers) = (0, Vec::new());
    for step in 0..400 {
        let now = step * 10_000;
        let socket = sockets.get_mut::<udp::Socket>(handle);
        if step % 100 == 0 {
            socket.send_slice(&[step as u8; 100], IpEndpoint::new(card.into(), PORT)).unwrap();
        }
        if let Ok((payload, from)) = socket.recv() {
            assert_eq!(from.endpoint, IpEndpoint::new(card.into(), PORT));
            answers.push(payload.to_vec());
        }
        interface.poll(Instant::from_micros(now as i64), &mut wire, &mut sockets);
        echoed += serve(&mut processors, now, &mut wire);
    }
    assert_eq!(answers, [0_u8, 100, 200, 44].map(|byte| vec![byte; 100]));
    assert_eq!(echoed, 4);
    for processor in &processors {
        let counters = processor.counters();
        let asked = counters.taken.of(Taken::Arp) + counters.taken.of(Taken::Discovery);
        assert!(asked >= 1, "all processors hear who asks: {counters:?}");
        assert!(processor.neighbours().cache().address(peer).is_some());
    }
}

#[test]
fn a_smoltcp_host_exchanges_datagrams_over_ipv4() {
    exchange(CARD, PEER);
}

#[test]
fn a_smoltcp_host_exchanges_datagrams_over_ipv6() {
    exchange(CARD_6, PEER_6);
}
