//! The three hash functions, bit by bit, as the requirements and Microsoft's RSS pages word them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use bitvec::field::BitField;
use bitvec::order::{Lsb0, Msb0};
use bitvec::view::BitView;
use serde::{Deserialize, Serialize};

use super::parse::Class;

/// Bytes of a Toeplitz key: 288 input bits (two IPv6 addresses and two ports) and one window of 32.
pub const KEY_BYTES: usize = 40;

/// The key of Microsoft's RSS verification suite, and the key after reset.
pub const MICROSOFT_KEY: [u8; KEY_BYTES] = [
    0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0, 0xca, 0x2b,
    0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac,
    0x01, 0xfa,
];

/// The hash function for everything but fragments, which have one of their own (¶68.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HashFunction {
    /// XOR of the chosen fields, folded to a few bits (¶68.1).
    #[default]
    Xor,
    /// Microsoft's RSS hash: 32 bits, runtime key.
    Toeplitz,
}

impl fmt::Display for HashFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Xor => "xor",
            Self::Toeplitz => "toeplitz",
        })
    }
}

/// A name that is no hash function.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no hash function; use `xor` or `toeplitz`")]
pub struct UnknownFunction(pub String);

impl FromStr for HashFunction {
    type Err = UnknownFunction;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "xor" => Ok(Self::Xor),
            "toeplitz" => Ok(Self::Toeplitz),
            _ => Err(UnknownFunction(name.to_owned())),
        }
    }
}

/// Which fields enter the XOR function: one bit a field, as in bits 0 to 3 of the register
/// `HASH_FIELDS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HashFields(pub u8);

impl HashFields {
    /// Bit 0: the source address.
    pub const SOURCE_ADDRESS: Self = Self(1 << 0);
    /// Bit 1: the destination address.
    pub const DESTINATION_ADDRESS: Self = Self(1 << 1);
    /// Bit 2: the source port.
    pub const SOURCE_PORT: Self = Self(1 << 2);
    /// Bit 3: the destination port.
    pub const DESTINATION_PORT: Self = Self(1 << 3);

    /// Whether every field of `other` is chosen.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The fields of both.
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl Default for HashFields {
    /// ¶68.1: source address and source port.
    fn default() -> Self {
        Self::SOURCE_ADDRESS.union(Self::SOURCE_PORT)
    }
}

/// For which classes Toeplitz reads the ports: one bit a class, as in bits 4 and 5 of the
/// register `HASH_FIELDS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HashTypes(pub u8);

impl HashTypes {
    /// Bit 0: TCP is hashed over addresses and ports, else over addresses.
    pub const TCP: Self = Self(1 << 0);
    /// Bit 1: UDP is hashed over addresses and ports, else over addresses.
    pub const UDP: Self = Self(1 << 1);

    /// Whether every type of `other` is chosen.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The types of both.
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl Default for HashTypes {
    fn default() -> Self {
        Self::TCP.union(Self::UDP)
    }
}

/// The hash block's registers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HashConfig {
    /// The function for everything but fragments.
    pub function: HashFunction,
    /// The fields that the XOR function reads.
    pub fields: HashFields,
    /// The classes whose ports Toeplitz reads.
    pub types: HashTypes,
    /// Width of the folded hash, in bits; the hardware takes 1 to 7.
    pub chunk_bits: u8,
    /// Whether the fragment function takes the addresses beside the identification.
    pub fragment_addresses: bool,
    /// The Toeplitz key, most significant byte first.
    pub key: [u8; KEY_BYTES],
}

impl HashConfig {
    /// The registers after reset, for a card of `processors` processors.
    pub fn reset(processors: u8) -> Self {
        // ceil(log2 N): the position of the highest bit of N - 1, counted from one.
        let chunk_bits = u8::BITS - processors.saturating_sub(1).leading_zeros();
        Self {
            function: HashFunction::default(),
            fields: HashFields::default(),
            types: HashTypes::default(),
            chunk_bits: chunk_bits.max(1) as u8,
            fragment_addresses: false,
            key: MICROSOFT_KEY,
        }
    }
}

/// Source and destination address of one packet, so of one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Addresses {
    /// Both of IPv4.
    V4 {
        /// Source address.
        source: Ipv4Addr,
        /// Destination address.
        destination: Ipv4Addr,
    },
    /// Both of IPv6.
    V6 {
        /// Source address.
        source: Ipv6Addr,
        /// Destination address.
        destination: Ipv6Addr,
    },
}

/// Two addresses that no packet can hold together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("source {from} and destination {to} are of different families; give two IPv4 or two IPv6 addresses")]
pub struct MixedFamilies {
    /// The source address.
    pub from: IpAddr,
    /// The destination address.
    pub to: IpAddr,
}

impl Addresses {
    /// Pairs two addresses.
    ///
    /// # Errors
    /// One is of IPv4, the other of IPv6.
    pub fn new(source: IpAddr, destination: IpAddr) -> Result<Self, MixedFamilies> {
        match (source, destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => Ok(Self::V4 { source, destination }),
            (IpAddr::V6(source), IpAddr::V6(destination)) => Ok(Self::V6 { source, destination }),
            (from, to) => Err(MixedFamilies { from, to }),
        }
    }

    /// Source and destination in 32 bits each: IPv4 as it is, IPv6 as the XOR of its four
    /// big-endian words.
    fn folded(&self) -> (u32, u32) {
        let words = |address: Ipv6Addr| {
            let bits = address.to_bits();
            (0..4).fold(0, |x, word| x ^ (bits >> (32 * word)) as u32)
        };
        match *self {
            Self::V4 { source, destination } => (source.to_bits(), destination.to_bits()),
            Self::V6 { source, destination } => (words(source), words(destination)),
        }
    }

    /// Source, then destination, in network byte order.
    fn octets(&self) -> Vec<u8> {
        match self {
            Self::V4 { source, destination } => [source.octets(), destination.octets()].concat(),
            Self::V6 { source, destination } => [source.octets(), destination.octets()].concat(),
        }
    }
}

/// What stands above the addresses, as far as the hash cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Upper {
    /// Nothing the hash reads: another protocol, or none.
    Other,
    /// ICMPv6 of types 133 to 137.
    NeighbourDiscovery,
    /// TCP.
    Tcp {
        /// Source port.
        source: u16,
        /// Destination port.
        destination: u16,
    },
    /// UDP.
    Udp {
        /// Source port.
        source: u16,
        /// Destination port.
        destination: u16,
    },
    /// A fragment of any protocol, the first one too.
    Fragment {
        /// The IP identification: 16 bits in IPv4, 32 bits in IPv6.
        identification: u32,
    },
}

/// Everything of an IP packet that the hash may read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Flow {
    /// The addresses.
    pub addresses: Addresses,
    /// The ports or the identification.
    pub upper: Upper,
}

impl Flow {
    /// The class of a packet with these fields.
    pub fn class(&self) -> Class {
        match self.upper {
            Upper::Other => Class::Ip,
            Upper::NeighbourDiscovery => Class::Nd,
            Upper::Tcp { .. } => Class::Tcp,
            Upper::Udp { .. } => Class::Udp,
            Upper::Fragment { .. } => Class::Fragment,
        }
    }

    /// Source and destination port; zero where there is none.
    fn ports(&self) -> (u16, u16) {
        match self.upper {
            Upper::Tcp { source, destination } | Upper::Udp { source, destination } => (source, destination),
            _ => (0, 0),
        }
    }
}

/// The hash of a packet, in 32 bits.
pub fn hash(flow: &Flow, config: &HashConfig) -> u32 {
    match (flow.upper, config.function) {
        // ¶68.2: fragments leave the chosen function, or they would not meet at one processor.
        (Upper::Fragment { identification }, _) => fragment(flow, identification, config),
        (_, HashFunction::Xor) => xor(flow, config),
        (_, HashFunction::Toeplitz) => rss(flow, config),
    }
}

/// ¶68.1 with a choice of fields.
fn xor(flow: &Flow, config: &HashConfig) -> u32 {
    let (source, destination) = flow.addresses.folded();
    let (source_port, destination_port) = flow.ports();
    let x = [
        (HashFields::SOURCE_ADDRESS, source),
        (HashFields::DESTINATION_ADDRESS, destination),
        (HashFields::SOURCE_PORT, source_port.into()),
        (HashFields::DESTINATION_PORT, destination_port.into()),
    ]
    .into_iter()
    .filter(|(field, _)| config.fields.contains(*field))
    .fold(0, |x, (_, value)| x ^ value);
    fold(x, config.chunk_bits)
}

/// ¶68.2, with the addresses on request.
fn fragment(flow: &Flow, identification: u32, config: &HashConfig) -> u32 {
    let (source, destination) = flow.addresses.folded();
    let x = if config.fragment_addresses { identification ^ source ^ destination } else { identification };
    fold(x, config.chunk_bits)
}

/// Toeplitz over the fields that the RSS types name.
fn rss(flow: &Flow, config: &HashConfig) -> u32 {
    let with_ports = match flow.upper {
        Upper::Tcp { .. } => config.types.contains(HashTypes::TCP),
        Upper::Udp { .. } => config.types.contains(HashTypes::UDP),
        _ => false,
    };
    let mut input = flow.addresses.octets();
    if with_ports {
        let (source, destination) = flow.ports();
        input.extend(source.to_be_bytes());
        input.extend(destination.to_be_bytes());
    }
    toeplitz(&config.key, &input)
}

/// XOR of all `chunk_bits`-bit chunks of `x`, the lowest chunk at bit 0, the top one padded with
/// zeros. Chunks of no bits hold nothing: their XOR is 0.
pub fn fold(x: u32, chunk_bits: u8) -> u32 {
    if chunk_bits == 0 {
        return 0;
    }
    x.view_bits::<Lsb0>().chunks(chunk_bits.into()).fold(0, |sum, chunk| sum ^ chunk.load_le::<u32>())
}

/// The Toeplitz hash, one input bit at a time: every set bit adds the 32 key bits that start at
/// its position. Input beyond 36 bytes has no key left and is ignored.
pub fn toeplitz(key: &[u8; KEY_BYTES], input: &[u8]) -> u32 {
    key.view_bits::<Msb0>()
        .windows(32)
        .zip(input.view_bits::<Msb0>())
        .filter(|(_, set)| **set)
        .fold(0, |sum, (window, _)| sum ^ window.load_be::<u32>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(source: &str, destination: &str, upper: Upper) -> Flow {
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        Flow { addresses: Addresses::new(address(source), address(destination)).unwrap(), upper }
    }

    const PORTS: Upper = Upper::Tcp { source: 0x1234, destination: 0xabcd };

    #[test]
    fn toeplitz_gives_the_sixteen_hashes_microsoft_published() {
        // learn.microsoft.com, "Verifying the RSS Hash Calculation"; source before destination.
        let rows: [(&str, u16, &str, u16, u32, u32); 8] = [
            ("66.9.149.187", 2794, "161.142.100.80", 1766, 0x323e_8fc2, 0x51cc_c178),
            ("199.92.111.2", 14230, "65.69.140.83", 4739, 0xd718_262a, 0xc626_b0ea),
            ("24.19.198.95", 12898, "12.22.207.184", 38024, 0xd2d0_a5de, 0x5c2b_394a),
            ("38.27.205.30", 48228, "209.142.163.6", 2217, 0x8298_9176, 0xafc7_327f),
            ("153.39.163.191", 44251, "202.188.127.2", 1303, 0x5d18_09c5, 0x10e8_28a2),
            ("3ffe:2501:200:1fff::7", 2794, "3ffe:2501:200:3::1", 1766, 0x2cc1_8cd5, 0x4020_7d3d),
            ("3ffe:501:8::260:97ff:fe40:efab", 14230, "ff02::1", 4739, 0x0f0c_461c, 0xdde5_1bbf),
            ("3ffe:1900:4545:3:200:f8ff:fe21:67cf", 44251, "fe80::200:f8ff:fe21:67cf", 38024, 0x4b61_e985, 0x02d1_feef),
        ];
        let config = HashConfig { function: HashFunction::Toeplitz, ..HashConfig::reset(4) };
        let mut compared = 0;
        for (from, source, to, destination, addresses, with_ports) in rows {
            let tcp = Upper::Tcp { source, destination };
            assert_eq!(hash(&flow(from, to, Upper::Other), &config), addresses, "{from}");
            assert_eq!(hash(&flow(from, to, tcp), &config), with_ports, "{from}");
            compared += 2;
        }
        assert_eq!(compared, 16);
    }

    #[test]
    fn toeplitz_reads_the_ports_of_the_chosen_types_only() {
        let (source, destination) = (2794, 1766);
        let tcp = flow("66.9.149.187", "161.142.100.80", Upper::Tcp { source, destination });
        let udp = flow("66.9.149.187", "161.142.100.80", Upper::Udp { source, destination });
        let config = |types| HashConfig { function: HashFunction::Toeplitz, types, ..HashConfig::reset(4) };
        let (two, four) = (0x323e_8fc2, 0x51cc_c178);
        for (types, of_tcp, of_udp) in [
            (HashTypes(0b00), two, two),
            (HashTypes(0b01), four, two),
            (HashTypes(0b10), two, four),
            (HashTypes(0b11), four, four),
        ] {
            assert_eq!(hash(&tcp, &config(types)), of_tcp, "{types:?}");
            assert_eq!(hash(&udp, &config(types)), of_udp, "{types:?}");
        }
    }

    #[test]
    fn toeplitz_of_one_bit_is_the_key_at_its_place() {
        let mut input = [0; 36];
        assert_eq!(toeplitz(&MICROSOFT_KEY, &input), 0);
        input[0] = 0x80;
        assert_eq!(toeplitz(&MICROSOFT_KEY, &input), 0x6d5a_56da);
        // The last bit of all, 287, takes key bits 287 to 318: 0xbeac01fa is bits 288 to 319 and
        // the bit before it is the last of 0x3b, a one.
        input[0] = 0;
        input[35] = 1;
        assert_eq!(toeplitz(&MICROSOFT_KEY, &input), 1 << 31 | 0xbeac_01fa >> 1);
    }

    #[test]
    fn fold_adds_chunks_from_bit_zero_and_pads_the_top_one() {
        // 0xc0000001 in chunks of three: lowest 001, top (bits 30 and 31) 11.
        assert_eq!(fold(0xc000_0001, 3), 0b001 ^ 0b011);
        // In chunks of seven: bits 28 to 31 are 1100, the lowest chunk is 1.
        assert_eq!(fold(0xc000_0001, 7), 0b000_0001 ^ 0b000_1100);
        assert_eq!(fold(0xffff_ffff, 1), 0);
        assert_eq!(fold(0x8000_0000, 1), 1);
        // Eight nibbles: 1 ^ 2 ^ 3 ^ 4 ^ 5 ^ 6 ^ 7 ^ 8 = 8.
        assert_eq!(fold(0x1234_5678, 4), 8);
        assert_eq!(fold(0x1234_5678, 0), 0);
    }

    #[test]
    fn xor_reads_exactly_the_fields_of_its_mask() {
        let flow = flow("1.2.3.4", "10.20.30.40", PORTS);
        let terms = [0x0102_0304, 0x0a14_1e28, 0x1234, 0xabcd];
        for mask in 0..16u8 {
            let config = HashConfig { fields: HashFields(mask), chunk_bits: 7, ..HashConfig::reset(4) };
            let x = (0..4).filter(|bit| mask >> bit & 1 == 1).fold(0, |x, bit| x ^ terms[bit as usize]);
            assert_eq!(hash(&flow, &config), fold(x, 7), "mask {mask:04b}");
        }
    }

    #[test]
    fn xor_folds_ipv6_addresses_word_by_word() {
        let source = "2001:db8:1111:2222:3333:4444:5555:6666";
        // 20010db8 ^ 11112222 = 31102f9a; ^ 33334444 = 02236bde; ^ 55556666 = 57760db8.
        let flow = flow(source, "::", Upper::Udp { source: 0x00ff, destination: 1 });
        let config = HashConfig { chunk_bits: 7, ..HashConfig::reset(16) };
        assert_eq!(hash(&flow, &config), fold(0x5776_0db8 ^ 0x00ff, 7));
    }

    #[test]
    fn fragments_take_their_own_function_whatever_is_chosen() {
        let upper = Upper::Fragment { identification: 0x0001_0003 };
        let flow = flow("1.2.3.4", "10.20.30.40", upper);
        for function in [HashFunction::Xor, HashFunction::Toeplitz] {
            let mut config = HashConfig { function, chunk_bits: 4, ..HashConfig::reset(16) };
            assert_eq!(hash(&flow, &config), 1 ^ 3);
            config.fragment_addresses = true;
            let x = 0x0001_0003 ^ 0x0102_0304 ^ 0x0a14_1e28;
            assert_eq!(hash(&flow, &config), fold(x, 4));
        }
    }

    #[test]
    fn reset_width_is_the_binary_logarithm_rounded_up() {
        let widths: Vec<u8> = (2..=16).map(|n| HashConfig::reset(n).chunk_bits).collect();
        assert_eq!(widths, [1, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 4, 4, 4, 4]);
    }

    #[test]
    fn addresses_of_two_families_are_refused() {
        let refused = Addresses::new(Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into());
        let message = refused.unwrap_err().to_string();
        assert_eq!(
            message,
            "source 127.0.0.1 and destination ::1 are of different families; give two IPv4 or two IPv6 addresses"
        );
    }

    #[test]
    fn function_names_read_back() {
        for function in [HashFunction::Xor, HashFunction::Toeplitz] {
            assert_eq!(function.to_string().parse(), Ok(function));
        }
        assert!("crc32".parse::<HashFunction>().is_err());
    }
}
