//! Frames that lie: sound packets of every kind, then bent, cut, stretched and nested.
//!
//! A [`Mutator`] is an endless iterator; one seed gives the same frames in every release of the
//! project and on every machine. Frames have 1 to [`MAX_LENGTH`] bytes, most of them under 200.

use std::env;
use std::net::{Ipv4Addr, Ipv6Addr};

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use crate::reference::{HEADER_DEPTH, MAX_FRAME};
use crate::vectors::{Extension, ExtensionKind, Fragment, Packet, Ports, Protocol, Tag, TagKind};

/// The longest frame that is made: longer than any that is delivered.
pub const MAX_LENGTH: usize = 10_000;

/// The environment variable that repeats a random test.
pub const SEED_VARIABLE: &str = "POINTSMAN_SEED";

const TAG: [[u8; 2]; 2] = [[0x81, 0x00], [0x88, 0xa8]];
const IPV4: [u8; 2] = [0x08, 0x00];
const IPV6: [u8; 2] = [0x86, 0xdd];

/// Where the EtherType of an untagged frame stands.
const ETHER_TYPE: usize = 12;

/// Bytes of a fixed IPv6 header.
const IPV6_HEADER: usize = 40;

/// A seed that is no number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{SEED_VARIABLE}=`{0}` is no seed; give a number of 64 bits, such as 42 or 0x2a")]
pub struct InvalidSeed(pub String);

/// The seed of a random test: `POINTSMAN_SEED` if it is set, else `default`. Says which on standard
/// output, where a failing test shows it.
///
/// # Errors
/// The variable is set to something else than a number.
pub fn seed(default: u64) -> Result<u64, InvalidSeed> {
    let seed = match env::var(SEED_VARIABLE) {
        Ok(text) => parse_seed(&text)?,
        Err(env::VarError::NotPresent) => default,
        Err(env::VarError::NotUnicode(text)) => return Err(InvalidSeed(text.to_string_lossy().into_owned())),
    };
    println!("seed {seed:#x}; repeat with {SEED_VARIABLE}={seed:#x}");
    Ok(seed)
}

fn parse_seed(text: &str) -> Result<u64, InvalidSeed> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    }
    .map_err(|_| InvalidSeed(text.to_owned()))
}

/// An endless source of frames, most of them wrong in some way.
pub struct Mutator {
    random: ChaCha8Rng,
}

impl Iterator for Mutator {
    type Item = Vec<u8>;

    /// The next frame; there is always one.
    fn next(&mut self) -> Option<Vec<u8>> {
        let mut frame = if self.once_in(40) { self.noise() } else { self.sound() };
        // One frame in five stays sound, so that what is wrong stands between what is right.
        let mutations = [0, 1, 1, 2, 3][self.below(5)];
        for _ in 0..mutations {
            self.mutate(&mut frame);
        }
        frame.truncate(MAX_LENGTH);
        if frame.is_empty() {
            frame.push(self.byte());
        }
        Some(frame)
    }
}

impl Mutator {
    /// The frames of one seed.
    pub fn new(seed: u64) -> Self {
        Self { random: ChaCha8Rng::seed_from_u64(seed) }
    }

    /// A number below `bound`, which is not 0.
    fn below(&mut self, bound: usize) -> usize {
        // Bounds are small: the bias of 2^-40 does not matter.
        ((u64::from(self.random.next_u32()) * bound as u64) >> 32) as usize
    }

    fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    fn byte(&mut self) -> u8 {
        self.random.next_u32() as u8
    }

    fn half(&mut self) -> u16 {
        self.random.next_u32() as u16
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.random.fill_bytes(&mut bytes);
        bytes
    }

    /// A length such as frames have: short, rarely long, very rarely longer than is delivered.
    fn length(&mut self) -> usize {
        match self.below(200) {
            0 => self.below(MAX_LENGTH),
            1..10 => self.below(1500),
            10..40 => self.below(300),
            _ => self.below(64),
        }
    }

    fn noise(&mut self) -> Vec<u8> {
        let length = 1 + self.length();
        self.bytes(length)
    }

    /// A frame without a flaw.
    fn sound(&mut self) -> Vec<u8> {
        let mut frame = match self.packet().to_frame() {
            Ok(frame) => frame,
            // Descriptions made here are sound; a test holds that.
            Err(_) => self.noise(),
        };
        match self.below(20) {
            0 => frame[ETHER_TYPE..ETHER_TYPE + 2].copy_from_slice(&[0x08, 0x06]),
            1 => {
                let other = self.half();
                frame[ETHER_TYPE..ETHER_TYPE + 2].copy_from_slice(&other.to_be_bytes());
            }
            _ => {}
        }
        frame
    }

    fn packet(&mut self) -> Packet {
        let v6 = self.once_in(2);
        let tags = match self.below(8) {
            0 | 1 => 1,
            2 | 3 => 2,
            _ => 0,
        };
        let protocol = self.protocol(v6);
        let payload = self.length().min(9000);
        let upper = payload
            + match protocol {
                Protocol::Tcp(_) => 20,
                Protocol::Udp(_) | Protocol::Icmpv6(_) => 8,
                Protocol::Other(_) => 0,
            };
        let (source, destination) =
            if v6 { (self.ipv6().into(), self.ipv6().into()) } else { (self.ipv4().into(), self.ipv4().into()) };
        Packet {
            tags: (0..tags).map(|_| self.tag()).collect(),
            source,
            destination,
            options: if v6 || !self.once_in(3) { String::new() } else { "01".repeat(4 * (1 + self.below(10))) },
            extensions: if v6 && self.once_in(2) { self.extensions(tags) } else { Vec::new() },
            protocol,
            payload,
            fragment: self.once_in(8).then(|| self.fragment(v6, upper)),
        }
    }

    fn ipv4(&mut self) -> Ipv4Addr {
        self.random.next_u32().into()
    }

    fn ipv6(&mut self) -> Ipv6Addr {
        let high = u128::from(self.random.next_u64()) << 64;
        (high | u128::from(self.random.next_u64())).into()
    }

    fn tag(&mut self) -> Tag {
        let kind = if self.once_in(2) { TagKind::Customer } else { TagKind::Provider };
        Tag { kind, id: self.half() & 0xfff }
    }

    fn protocol(&mut self, v6: bool) -> Protocol {
        let ports = Ports { source: self.half(), destination: self.half() };
        match self.below(8) {
            0..3 => Protocol::Tcp(ports),
            3..5 => Protocol::Udp(ports),
            // Neighbour discovery is 133 to 137.
            5 | 6 if v6 => Protocol::Icmpv6(130 + self.below(11) as u8),
            _ => Protocol::Other([1, 2, 41, 47, 50, 51, 58, 59, 132, 253, 255][self.below(11)]),
        }
    }

    /// A chain of extensions; often one that ends within a few words of the header depth.
    fn extensions(&mut self, tags: usize) -> Vec<Extension> {
        let mut left = if self.once_in(2) {
            let room = HEADER_DEPTH - ETHER_TYPE - 2 - 4 * tags - IPV6_HEADER;
            (room / 8 + 1).saturating_sub(self.below(4)) * 8
        } else {
            8 * (1 + self.below(8))
        };
        let mut chain = Vec::new();
        while left > 0 {
            let bytes = 8 * (1 + self.below(left / 8));
            let header =
                [ExtensionKind::HopByHop, ExtensionKind::Routing, ExtensionKind::DestinationOptions][self.below(3)];
            chain.push(Extension { header, bytes });
            left -= bytes;
        }
        chain
    }

    /// A piece of a datagram of `length` bytes.
    fn fragment(&mut self, v6: bool, length: usize) -> Fragment {
        let identification = self.random.next_u32() & if v6 { u32::MAX } else { 0xffff };
        let offset = 8 * self.below(length / 8 + 1);
        Fragment { identification, offset, bytes: 8 * (1 + self.below(180)) }
    }

    fn mutate(&mut self, frame: &mut Vec<u8>) {
        match self.below(16) {
            0 | 1 => self.flip(frame),
            2 => self.lie_about_header_length(frame),
            3 | 4 => self.lie_about_ip_length(frame),
            5 | 6 => self.cut(frame),
            7 => self.extend(frame),
            8 => self.endless_chain(frame),
            9 => self.lie_about_extension_length(frame),
            10 => self.nest_tags(frame),
            11 => self.change_ether_type(frame),
            12 => self.change_protocol(frame),
            13 => self.mark_as_fragment(frame),
            14 => self.end_near_the_header_depth(frame),
            _ => self.overwrite(frame),
        }
    }

    /// Where IP would start: behind all tags.
    fn network(frame: &[u8]) -> usize {
        let mut at = ETHER_TYPE;
        while frame.get(at..at + 2).is_some_and(|kind| TAG.iter().any(|tag| tag == kind)) {
            at += 4;
        }
        at + 2
    }

    /// Replaces bytes, as far as the frame reaches.
    fn put(frame: &mut [u8], at: usize, bytes: &[u8]) {
        for (old, new) in frame.iter_mut().skip(at).zip(bytes) {
            *old = *new;
        }
    }

    fn is_ipv6(frame: &[u8]) -> bool {
        let network = Self::network(frame);
        frame.get(network - 2..network) == Some(&IPV6)
    }

    /// Flips a few bits where headers are.
    fn flip(&mut self, frame: &mut [u8]) {
        if frame.is_empty() {
            return;
        }
        for _ in 0..=self.below(4) {
            let at = self.below(frame.len().min(HEADER_DEPTH));
            frame[at] ^= 1 << self.below(8);
        }
    }

    /// A stretch of noise anywhere.
    fn overwrite(&mut self, frame: &mut [u8]) {
        let at = self.below(frame.len() + 1);
        let count = 1 + self.below(16);
        let noise = self.bytes(count);
        Self::put(frame, at, &noise);
    }

    /// Version and IHL in IPv4; the version in IPv6.
    fn lie_about_header_length(&mut self, frame: &mut [u8]) {
        let at = Self::network(frame);
        let version = if Self::is_ipv6(frame) { 6 } else { 4 };
        let version = if self.once_in(4) { self.byte() & 0xf } else { version };
        let ihl = self.byte() & 0xf;
        Self::put(frame, at, &[version << 4 | ihl]);
    }

    fn lie_about_ip_length(&mut self, frame: &mut [u8]) {
        let network = Self::network(frame);
        let at = network + if Self::is_ipv6(frame) { 4 } else { 2 };
        let there = frame.get(at..at + 2).map_or(0, |field| u16::from_be_bytes([field[0], field[1]]));
        let lie = match self.below(6) {
            0 => self.below(9) as u16,
            // Around the end of an IPv4 header and its ports, of any length.
            1 => 16 + self.below(52) as u16,
            2 => there.wrapping_add(self.below(17) as u16).wrapping_sub(8),
            3 => 8 * self.below(20) as u16 + self.below(8) as u16,
            4 => 0xffff,
            _ => self.half(),
        };
        Self::put(frame, at, &lie.to_be_bytes());
    }

    fn cut(&mut self, frame: &mut Vec<u8>) {
        let length = match self.below(4) {
            // Around the ends of beats of every width.
            0 => (8 * self.below(26) + self.below(3)).saturating_sub(1),
            1 => self.below(20),
            // Within the IP header or what follows it.
            2 => Self::network(frame) + self.below(70),
            _ => self.below(frame.len() + 1),
        };
        frame.truncate(length.max(1));
    }

    fn extend(&mut self, frame: &mut Vec<u8>) {
        let more = if self.once_in(8) {
            // Around the longest frame that is delivered.
            (MAX_FRAME - 8 + self.below(17)).saturating_sub(frame.len())
        } else {
            self.length()
        };
        let more = self.bytes(more);
        frame.extend(more);
    }

    /// An IPv6 packet whose extension headers follow one another to the end of the frame.
    fn endless_chain(&mut self, frame: &mut Vec<u8>) {
        let network = Self::network(frame);
        frame.resize(network + IPV6_HEADER, 0);
        Self::put(frame, network - 2, &IPV6);
        let kinds = [0, 43, 60];
        let first = kinds[self.below(3)];
        let end = network + IPV6_HEADER + 8 * (1 + self.below(60));
        let long = self.once_in(2);
        while frame.len() < end {
            let next = kinds[self.below(3)];
            let length = if long { self.below(4) } else { 0 };
            let mut header = self.bytes(8 * (length + 1));
            header[..2].copy_from_slice(&[next, length as u8]);
            frame.extend(header);
        }
        let payload = if self.once_in(4) { 0xffff } else { (frame.len() - network - IPV6_HEADER) as u16 };
        let [high, low] = payload.to_be_bytes();
        Self::put(frame, network, &[0x60, 0, 0, 0, high, low, first, 64]);
    }

    /// The length field of the first extension header, or whatever stands there.
    fn lie_about_extension_length(&mut self, frame: &mut [u8]) {
        let at = Self::network(frame) + IPV6_HEADER;
        let next = [0, 43, 44, 60, 6, 17, 58, 59][self.below(8)];
        let length = if self.once_in(3) { self.byte() } else { self.below(20) as u8 };
        Self::put(frame, at, &[next, length]);
    }

    fn nest_tags(&mut self, frame: &mut Vec<u8>) {
        if frame.len() < ETHER_TYPE {
            return;
        }
        let count = if self.once_in(20) { 60 } else { 1 + self.below(4) };
        for _ in 0..count {
            let kind = TAG[self.below(2)];
            let [high, low] = self.half().to_be_bytes();
            frame.splice(ETHER_TYPE..ETHER_TYPE, [kind[0], kind[1], high, low]);
        }
    }

    fn change_ether_type(&mut self, frame: &mut [u8]) {
        let at = Self::network(frame) - 2;
        let kind = match self.below(8) {
            0 => TAG[0],
            1 => TAG[1],
            2 => [0x08, 0x06],
            3 => [0x91, 0x00],
            4 | 5 => IPV4,
            6 => IPV6,
            _ => self.half().to_be_bytes(),
        };
        Self::put(frame, at, &kind);
    }

    fn change_protocol(&mut self, frame: &mut [u8]) {
        let at = Self::network(frame) + if Self::is_ipv6(frame) { 6 } else { 9 };
        let protocol = match self.below(10) {
            9 => self.byte(),
            known => [0, 6, 17, 43, 44, 58, 59, 60, 1][known],
        };
        Self::put(frame, at, &[protocol]);
    }

    /// Flags and offset in IPv4; next header 44 in IPv6.
    fn mark_as_fragment(&mut self, frame: &mut [u8]) {
        let network = Self::network(frame);
        if Self::is_ipv6(frame) {
            Self::put(frame, network + 6, &[44]);
        } else {
            let field = if self.once_in(2) { self.half() } else { 1 << self.below(16) };
            Self::put(frame, network + 6, &field.to_be_bytes());
        }
    }

    /// A frame that ends about where headers must, at the latest.
    fn end_near_the_header_depth(&mut self, frame: &mut Vec<u8>) {
        let end = HEADER_DEPTH - 8 + self.below(17);
        if frame.len() < end {
            let more = self.bytes(end - frame.len());
            frame.extend(more);
        }
        frame.truncate(end);
    }
}

#[cfg(test)]
mod tests;
