//! What the tests share: packets made byte by byte, without the parsers under test, and seeds.

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::{env, println};

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use smoltcp::wire::{Ipv4Cidr, Ipv6Cidr};

use super::addresses::{Addresses, solicited_node};
use super::multicast::Memberships;
use super::random::Random;

pub const CARD: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
pub const PEER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
pub const CARD_6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
pub const PEER_6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2);
pub const CARD_LOCAL: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
pub const PEER_LOCAL: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2);

pub const ICMP: u8 = 1;
pub const TCP: u8 = 6;
pub const UDP: u8 = 17;
pub const ICMPV6: u8 = 58;

/// The generator of a random test: `POINTSMAN_SEED` if it is set, else `default`. Says which, where a failing test
/// shows it.
pub fn seeded(default: u64) -> ChaCha8Rng {
    let seed = env::var("POINTSMAN_SEED").map_or(default, |text| text.parse().expect("POINTSMAN_SEED is a number"));
    println!("seed {seed}; repeat with POINTSMAN_SEED={seed}");
    ChaCha8Rng::seed_from_u64(seed)
}

/// A number below `limit`.
pub fn below(rng: &mut ChaCha8Rng, limit: usize) -> usize {
    rng.next_u64() as usize % limit
}

/// `length` random bytes.
pub fn random_bytes(rng: &mut ChaCha8Rng, length: usize) -> Vec<u8> {
    let mut bytes = alloc::vec![0; length];
    rng.fill_bytes(&mut bytes);
    bytes
}

pub fn addresses() -> Addresses {
    Addresses {
        ipv4: [Ipv4Cidr::new(CARD, 24)].into(),
        ipv6: [Ipv6Cidr::new(CARD_LOCAL, 64), Ipv6Cidr::new(CARD_6, 64)].into(),
    }
}

/// The groups of a host without applications: solicited-node ones.
pub fn groups() -> Memberships {
    let mut groups = Memberships::new(8, Random::new(7));
    groups.mirror(solicited_node(CARD_6).into()).unwrap();
    groups
}

/// RFC 1071 as it is told there: the complement of the one's complement sum of 16-bit words.
pub fn internet_checksum(parts: &[&[u8]]) -> [u8; 2] {
    let bytes: Vec<u8> = parts.concat();
    let mut sum: u64 =
        bytes.chunks(2).map(|pair| u64::from(pair[0]) << 8 | pair.get(1).map_or(0, |&low| u64::from(low))).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    (!(sum as u16)).to_be_bytes()
}

/// An IPv4 packet with options, identification 0x1234, and this field of flags and offset.
pub fn ipv4_with(
    source: Ipv4Addr,
    destination: Ipv4Addr,
    protocol: u8,
    fragment: u16,
    options: &[u8],
    payload: &[u8],
) -> Vec<u8> {
    let header = 20 + options.len();
    let mut packet = Vec::new();
    packet.extend_from_slice(&[0x40 | (header / 4) as u8, 0]);
    packet.extend_from_slice(&((header + payload.len()) as u16).to_be_bytes());
    packet.extend_from_slice(&[0x12, 0x34]);
    packet.extend_from_slice(&fragment.to_be_bytes());
    packet.extend_from_slice(&[64, protocol, 0, 0]);
    packet.extend_from_slice(&source.octets());
    packet.extend_from_slice(&destination.octets());
    packet.extend_from_slice(options);
    let checksum = internet_checksum(&[&packet]);
    packet[10..12].copy_from_slice(&checksum);
    packet.extend_from_slice(payload);
    packet
}

pub fn ipv4(source: Ipv4Addr, destination: Ipv4Addr, protocol: u8, payload: &[u8]) -> Vec<u8> {
    ipv4_with(source, destination, protocol, 0, &[], payload)
}

/// An IPv6 packet; `payload` begins with what `next_header` says.
pub fn ipv6(source: Ipv6Addr, destination: Ipv6Addr, next_header: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = alloc::vec![0x60, 0, 0, 0];
    packet.extend_from_slice(&(payload.len() as u16).to_be_bytes());
    packet.extend_from_slice(&[next_header, 255]);
    packet.extend_from_slice(&source.octets());
    packet.extend_from_slice(&destination.octets());
    packet.extend_from_slice(payload);
    packet
}

/// A fragment header (RFC 8200, 4.5) and what follows it.
pub fn fragment_6(next_header: u8, offset: u16, more: bool, identification: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = alloc::vec![next_header, 0];
    bytes.extend_from_slice(&(offset | u16::from(more)).to_be_bytes());
    bytes.extend_from_slice(&identification.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// Fills in the checksum of an ICMP message.
pub fn icmp(mut message: Vec<u8>) -> Vec<u8> {
    message[2..4].fill(0);
    let checksum = internet_checksum(&[&message]);
    message[2..4].copy_from_slice(&checksum);
    message
}

/// Fills in the checksum of an ICMPv6 message (RFC 8200, 8.1).
pub fn icmp_6(source: Ipv6Addr, destination: Ipv6Addr, mut message: Vec<u8>) -> Vec<u8> {
    message[2..4].fill(0);
    let length = (message.len() as u32).to_be_bytes();
    let checksum = internet_checksum(&[&source.octets(), &destination.octets(), &length, &[0, 0, 0, ICMPV6], &message]);
    message[2..4].copy_from_slice(&checksum);
    message
}

/// A UDP datagram (RFC 768) between these addresses.
pub fn udp(source: IpAddr, destination: IpAddr, from: u16, to: u16, payload: &[u8]) -> Vec<u8> {
    let length = (8 + payload.len()) as u16;
    let mut datagram = [from, to, length, 0].map(u16::to_be_bytes).concat();
    datagram.extend_from_slice(payload);
    let octets = |address| match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    };
    let checksum =
        internet_checksum(&[&octets(source), &octets(destination), &[0, UDP], &length.to_be_bytes(), &datagram]);
    datagram[6..8].copy_from_slice(if checksum == [0, 0] { &[0xff, 0xff] } else { &checksum });
    datagram
}
