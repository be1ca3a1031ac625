//! An address with its port, in five words: port in bits 15:0 and family in bits 23:16 of the first, then the address in network
//! byte order, an IPv4 one in the first four of sixteen bytes. Family 0 is no address.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Words of an address.
pub const WORDS: usize = 5;

/// The family is neither 0 nor 4 nor 6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoSuchFamily;

/// The address as words.
pub fn words(address: Option<SocketAddr>) -> [u32; WORDS] {
    let Some(address) = address else { return [0; WORDS] };
    let mut octets = [0; 16];
    let family: u32 = match address.ip() {
        IpAddr::V4(ip) => {
            octets[..4].copy_from_slice(&ip.octets());
            4
        }
        IpAddr::V6(ip) => {
            octets = ip.octets();
            6
        }
    };
    let mut words = [family << 16 | u32::from(address.port()), 0, 0, 0, 0];
    for (word, four) in words[1..].iter_mut().zip(octets.chunks_exact(4)) {
        *word = u32::from_le_bytes([four[0], four[1], four[2], four[3]]);
    }
    words
}

/// The address that words are.
///
/// # Errors
/// It is of no family that there is.
pub fn read(words: [u32; WORDS]) -> Result<Option<SocketAddr>, NoSuchFamily> {
    let mut octets = [0; 16];
    for (four, word) in octets.chunks_exact_mut(4).zip(&words[1..]) {
        four.copy_from_slice(&word.to_le_bytes());
    }
    let ip = match words[0] >> 16 & 0xFF {
        0 => return Ok(None),
        4 => IpAddr::V4(Ipv4Addr::new(octets[0], octets[1], octets[2], octets[3])),
        6 => IpAddr::V6(Ipv6Addr::from(octets)),
        _ => return Err(NoSuchFamily),
    };
    Ok(Some(SocketAddr::new(ip, words[0] as u16)))
}
