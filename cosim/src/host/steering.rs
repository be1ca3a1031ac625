//! Which processor the packets of a connection will reach: the card's hash and table, read back from its registers (¶67, ¶68).

use std::net::{IpAddr, SocketAddr};

use abi::csr::host as csr;
use abi::limits::{KEY_BYTES, RETA_ENTRIES};

use super::port::Port;

/// How the processor of a session is chosen that the host opens (67.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// The one that its replies hash to: nothing is forwarded.
    #[default]
    Replies,
    /// The one with the fewest sessions; replies are forwarded to it.
    LeastLoaded,
}

/// The registers of the hash, and the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Steering {
    control: u32,
    fields: u32,
    key: [u8; KEY_BYTES],
    table: Vec<u8>,
}

impl Steering {
    /// Reads them.
    pub fn read(port: &dyn Port) -> Self {
        let mut key = [0; KEY_BYTES];
        for (index, four) in key.chunks_exact_mut(4).enumerate() {
            four.copy_from_slice(&port.read(csr::HASH_KEY.at(index)).to_be_bytes());
        }
        let entry = |index| csr::reta::PROCESSOR.get(port.read(csr::RETA.at(index))) as u8;
        Self {
            control: port.read(csr::HASH_CONTROL.offset),
            fields: port.read(csr::HASH_FIELDS.offset),
            key,
            table: (0..RETA_ENTRIES).map(entry).collect(),
        }
    }

    /// The processor that TCP segments from `source` to `destination` reach.
    pub fn processor(&self, source: SocketAddr, destination: SocketAddr) -> usize {
        let hash = if csr::hash_control::FUNCTION.get(self.control) == csr::FUNCTION_TOEPLITZ {
            self.toeplitz(source, destination)
        } else {
            self.xor(source, destination)
        };
        self.table[hash as usize % RETA_ENTRIES].into()
    }

    /// This end decides too, so that choosing its port chooses the processor.
    pub fn takes_in_destination_port(&self) -> bool {
        if csr::hash_control::FUNCTION.get(self.control) == csr::FUNCTION_TOEPLITZ {
            csr::hash_fields::TOEPLITZ_TCP.get(self.fields) == 1
        } else {
            csr::hash_fields::DESTINATION_PORT.get(self.fields) == 1
        }
    }

    fn xor(&self, source: SocketAddr, destination: SocketAddr) -> u32 {
        use csr::hash_fields as fields;
        let parts = [
            (fields::SOURCE_ADDRESS, folded(source.ip())),
            (fields::DESTINATION_ADDRESS, folded(destination.ip())),
            (fields::SOURCE_PORT, source.port().into()),
            (fields::DESTINATION_PORT, destination.port().into()),
        ];
        let chosen = parts.into_iter().filter(|(field, _)| field.get(self.fields) == 1);
        let mut x = chosen.fold(0, |x, (_, part)| x ^ part);
        let bits = csr::hash_control::CHUNK_BITS.get(self.control);
        let mut hash = 0;
        // No chunk has no bits, or this would not end.
        while x != 0 && bits != 0 {
            hash ^= x & ((1 << bits) - 1);
            x >>= bits;
        }
        hash
    }

    fn toeplitz(&self, source: SocketAddr, destination: SocketAddr) -> u32 {
        let mut input = Vec::new();
        for address in [source.ip(), destination.ip()] {
            match address {
                IpAddr::V4(ip) => input.extend(ip.octets()),
                IpAddr::V6(ip) => input.extend(ip.octets()),
            }
        }
        if csr::hash_fields::TOEPLITZ_TCP.get(self.fields) == 1 {
            input.extend(source.port().to_be_bytes());
            input.extend(destination.port().to_be_bytes());
        }
        let mut window = u32::from_be_bytes([self.key[0], self.key[1], self.key[2], self.key[3]]);
        let mut hash = 0;
        for (index, byte) in input.into_iter().enumerate() {
            let next = self.key.get(index + 4).copied().unwrap_or(0);
            for bit in (0..8).rev() {
                if byte >> bit & 1 == 1 {
                    hash ^= window;
                }
                window = window << 1 | u32::from(next >> bit & 1);
            }
        }
        hash
    }
}

fn folded(address: IpAddr) -> u32 {
    match address {
        IpAddr::V4(ip) => ip.to_bits(),
        IpAddr::V6(ip) => {
            let bits = ip.to_bits();
            (bits ^ bits >> 32 ^ bits >> 64 ^ bits >> 96) as u32
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::{
        Addresses, Flow, HashConfig, HashFields, HashFunction, HashTypes, MICROSOFT_KEY, Upper, hash,
    };

    /// The model's registers, and the same ones as the card has them.
    fn both(function: HashFunction, fields: u8, types: u8, bits: u8) -> (HashConfig, Steering) {
        let config = HashConfig {
            function,
            fields: HashFields(fields),
            types: HashTypes(types),
            chunk_bits: bits,
            ..HashConfig::reset(4)
        };
        let toeplitz = u32::from(function == HashFunction::Toeplitz);
        let steering = Steering {
            control: toeplitz | u32::from(bits) << 8,
            fields: u32::from(fields) | u32::from(types) << 4,
            key: MICROSOFT_KEY,
            table: (0..RETA_ENTRIES as u8).map(|entry| entry % 16).collect(),
        };
        (config, steering)
    }

    #[test]
    fn row_67_2_replies_reach_the_processor_that_the_reference_says() {
        let ends = [
            ("192.0.2.1:80", "10.0.0.1:50000"),
            ("203.0.113.77:443", "10.0.0.1:49152"),
            ("[2001:db8::1]:443", "[2001:db8:1::9]:65535"),
            ("[fe80::1:2:3]:1", "[fe80::9]:2"),
        ];
        let mut compared = 0;
        for (remote, local) in ends.map(|(r, l)| (r.parse::<SocketAddr>().unwrap(), l.parse::<SocketAddr>().unwrap())) {
            for function in [HashFunction::Xor, HashFunction::Toeplitz] {
                for fields in 0..16 {
                    for (types, bits) in [(0, 2), (1, 3), (3, 7), (2, 0)] {
                        let (config, steering) = both(function, fields, types, bits);
                        let addresses = Addresses::new(remote.ip(), local.ip()).unwrap();
                        let upper = Upper::Tcp { source: remote.port(), destination: local.port() };
                        let expected = hash(&Flow { addresses, upper }, &config) as usize % RETA_ENTRIES % 16;
                        assert_eq!(steering.processor(remote, local), expected, "{remote} {local} {config:?}");
                        compared += 1;
                    }
                }
            }
        }
        assert_eq!(compared, 4 * 2 * 16 * 4);
    }
}
