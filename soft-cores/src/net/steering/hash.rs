//! The software hash (¶67.5): what the card's hash gives for a whole packet with these ends, by the same registers.
//!
//! Fragments have another hash in hardware (¶68.2); after reassembly their datagram has this one.

use core::net::IpAddr;

use abi::csr::host;
use abi::limits::KEY_BYTES;

use crate::net::session::{End, mapped};

/// Bits of `HASH_FIELDS`.
pub const SOURCE_ADDRESS: u8 = 1 << 0;
/// See [`SOURCE_ADDRESS`].
pub const DESTINATION_ADDRESS: u8 = 1 << 1;
/// See [`SOURCE_ADDRESS`].
pub const SOURCE_PORT: u8 = 1 << 2;
/// See [`SOURCE_ADDRESS`].
pub const DESTINATION_PORT: u8 = 1 << 3;
/// See [`SOURCE_ADDRESS`].
pub const TOEPLITZ_TCP: u8 = 1 << 4;

/// Which function the card computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// The fold of the chosen fields (68.1).
    Xor,
    /// Microsoft's RSS hash.
    Toeplitz,
}

/// The card's hash registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registers {
    /// `HASH_CONTROL.FUNCTION`.
    pub function: Function,
    /// `HASH_CONTROL.CHUNK_BITS`, 0 to 7.
    pub chunk_bits: u8,
    /// `HASH_FIELDS`.
    pub fields: u8,
    /// `HASH_KEY`, the first byte first.
    pub key: [u8; KEY_BYTES],
}

impl Registers {
    /// What they are after reset, on a card of so many processors.
    pub fn reset(processors: usize) -> Self {
        let mut key = [0; KEY_BYTES];
        for (bytes, word) in key.chunks_exact_mut(4).zip(host::HASH_KEY_RESET) {
            bytes.copy_from_slice(&word.to_be_bytes());
        }
        let chunk_bits = processors.max(2).next_power_of_two().ilog2() as u8;
        let fields = SOURCE_ADDRESS | SOURCE_PORT | TOEPLITZ_TCP | 1 << 5;
        Self { function: Function::Xor, chunk_bits, fields, key }
    }

    /// Whether the port that a segment is sent to changes its hash.
    pub const fn reads_destination_port(&self) -> bool {
        let field = match self.function {
            Function::Xor => DESTINATION_PORT,
            Function::Toeplitz => TOEPLITZ_TCP,
        };
        self.fields & field != 0
    }

    /// The hash of a TCP segment from `source` to `destination`.
    pub fn tcp(&self, source: End, destination: End) -> u32 {
        match self.function {
            Function::Xor => self.xor(source, destination),
            Function::Toeplitz => self.toeplitz(source, destination),
        }
    }

    fn xor(&self, source: End, destination: End) -> u32 {
        let terms = [
            (SOURCE_ADDRESS, word_of(source.address)),
            (DESTINATION_ADDRESS, word_of(destination.address)),
            (SOURCE_PORT, u32::from(source.port)),
            (DESTINATION_PORT, u32::from(destination.port)),
        ];
        let chosen = terms.into_iter().filter(|(field, _)| self.fields & field != 0);
        fold(chosen.fold(0, |sum, (_, term)| sum ^ term), self.chunk_bits)
    }

    /// RSS: the XOR of the 32 bits of the key that start at each set bit of the input.
    fn toeplitz(&self, source: End, destination: End) -> u32 {
        let mut window = Window::new(&self.key);
        window.take_address(source.address);
        window.take_address(destination.address);
        if self.fields & TOEPLITZ_TCP != 0 {
            window.take(&source.port.to_be_bytes());
            window.take(&destination.port.to_be_bytes());
        }
        window.hash
    }
}

/// 32 bits of the key, which move on by one with each bit of input.
struct Window<'a> {
    key: &'a [u8; KEY_BYTES],
    bits: u32,
    /// The byte of the key that moves in next.
    next: usize,
    hash: u32,
}

impl<'a> Window<'a> {
    fn new(key: &'a [u8; KEY_BYTES]) -> Self {
        let bits = u32::from_be_bytes([key[0], key[1], key[2], key[3]]);
        Self { key, bits, next: 4, hash: 0 }
    }

    fn take_address(&mut self, address: IpAddr) {
        match address {
            IpAddr::V4(v4) => self.take(&v4.octets()),
            IpAddr::V6(v6) => self.take(&v6.octets()),
        }
    }

    fn take(&mut self, input: &[u8]) {
        for &byte in input {
            let incoming = self.key.get(self.next).copied().unwrap_or(0);
            self.next += 1;
            for bit in (0..8).rev() {
                if byte >> bit & 1 == 1 {
                    self.hash ^= self.bits;
                }
                self.bits = self.bits << 1 | u32::from(incoming >> bit & 1);
            }
        }
    }
}

/// An address in 32 bits: IPv4 as it is, IPv6 as the XOR of its four words.
fn word_of(address: IpAddr) -> u32 {
    match address {
        IpAddr::V4(v4) => v4.to_bits(),
        IpAddr::V6(_) => mapped(address).as_chunks().0.iter().fold(0, |sum, &word| sum ^ u32::from_be_bytes(word)),
    }
}

/// The XOR of all chunks of so many bits, the top one padded with zeros.
fn fold(mut x: u32, chunk_bits: u8) -> u32 {
    if chunk_bits == 0 {
        return 0;
    }
    let mut sum = 0;
    while x != 0 {
        sum ^= x & ((1 << chunk_bits) - 1);
        x >>= chunk_bits;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(text: &str, port: u16) -> End {
        End::new(text.parse().unwrap(), port)
    }

    /// Worked by hand, see the comments of these vectors in `tests/vectors/xor.json` and `vlan.json`.
    #[test]
    fn row_68_1_the_software_hash_folds_as_the_vectors_say() {
        for (processors, source, port, hash) in
            [(2, "192.0.2.1", 80, 0), (2, "192.0.2.1", 81, 1), (4, "10.1.2.3", 4660, 1), (8, "192.0.2.77", 51515, 6)]
        {
            let registers = Registers::reset(processors);
            assert_eq!(registers.tcp(end(source, port), end("198.51.100.7", 443)), hash, "{source} {port}");
        }
    }

    #[test]
    fn an_ipv6_address_is_folded_to_a_word_first() {
        let registers = Registers::reset(16);
        // 2001:0db8 ^ 0:0 ^ 0:0 ^ 0:2 = 2001_0dba; nibbles 2 0 0 1 0 d b a: 2 ^ 1 ^ d ^ b ^ a = 0x3 ^ 0xd ^ 1 = 0xf; port 0x1203
        // adds 1 ^ 2 ^ 0 ^ 3 = 0.
        assert_eq!(registers.tcp(end("2001:db8::2", 0x1203), end("::1", 9)), 0xf);
    }

    #[test]
    fn the_chosen_fields_and_no_others_are_hashed() {
        let (source, destination) = (end("0.0.0.1", 2), end("0.0.0.4", 8));
        for fields in 0..16 {
            // Each field is the one bit that stands for it, but the address of the destination and the port of the source,
            // which have changed places.
            let expected = fields & 0b1001 | (fields & 0b0010) << 1 | (fields & 0b0100) >> 1;
            let registers = Registers { fields, chunk_bits: 4, ..Registers::reset(2) };
            assert_eq!(registers.tcp(source, destination), u32::from(expected), "{fields:04b}");
            let with_another_port = registers.tcp(source, end("0.0.0.4", 0));
            let toeplitz = Registers { function: Function::Toeplitz, ..registers };
            assert_eq!(registers.reads_destination_port(), with_another_port != registers.tcp(source, destination));
            assert!(!toeplitz.reads_destination_port());
        }
    }

    /// The suite of Microsoft's "Verifying the RSS Hash Calculation", source first.
    #[test]
    fn row_67_5_toeplitz_gives_the_published_hashes() {
        let registers = Registers { function: Function::Toeplitz, ..Registers::reset(16) };
        let without_ports = Registers { fields: 0b0101, ..registers };
        for (source, destination, with, without) in [
            (end("66.9.149.187", 2794), end("161.142.100.80", 1766), 0x51cc_c178, 0x323e_8fc2),
            (end("199.92.111.2", 14230), end("65.69.140.83", 4739), 0xc626_b0ea, 0xd718_262a),
            (end("24.19.198.95", 12898), end("12.22.207.184", 38024), 0x5c2b_394a, 0xd2d0_a5de),
            (end("3ffe:2501:200:1fff::7", 2794), end("3ffe:2501:200:3::1", 1766), 0x4020_7d3d, 0x2cc1_8cd5),
        ] {
            assert_eq!(registers.tcp(source, destination), with);
            assert_eq!(without_ports.tcp(source, destination), without);
        }
    }

    #[test]
    fn chunks_of_no_bits_hold_nothing() {
        let registers = Registers { chunk_bits: 0, ..Registers::reset(4) };
        assert_eq!(registers.tcp(end("10.1.2.3", 4660), end("10.0.0.1", 80)), 0);
    }
}
