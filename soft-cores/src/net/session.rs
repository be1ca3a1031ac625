//! What names a TCP session (¶67): its two ends.

use core::net::IpAddr;

/// One end: an address and a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct End {
    /// The address.
    pub address: IpAddr,
    /// The port.
    pub port: u16,
}

impl End {
    /// The port at the address.
    pub const fn new(address: IpAddr, port: u16) -> Self {
        Self { address, port }
    }
}

/// A session, as this card sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Session {
    /// This card's end.
    pub local: End,
    /// The other one.
    pub remote: End,
}

/// Bytes of a session where it is written down: two addresses of 16 and two ports of 2.
pub const ENCODED: usize = 36;

impl Session {
    /// Local address and port, then the remote ones; IPv4 addresses as RFC 4291, 2.5.5.2 maps them.
    pub fn encode(&self) -> [u8; ENCODED] {
        let mut bytes = [0; ENCODED];
        for (half, end) in bytes.chunks_exact_mut(ENCODED / 2).zip([self.local, self.remote]) {
            let (address, port) = half.split_at_mut(16);
            address.copy_from_slice(&mapped(end.address));
            port.copy_from_slice(&end.port.to_be_bytes());
        }
        bytes
    }

    /// Reads what [`encode`](Self::encode) wrote.
    pub fn decode(bytes: &[u8; ENCODED]) -> Self {
        let (local, remote) = bytes.split_at(ENCODED / 2);
        Self { local: end_of(local), remote: end_of(remote) }
    }
}

/// The 16 bytes of an address.
pub fn mapped(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    }
}

/// The address in 16 bytes. Nothing on a link is sent from or to a mapped address, so none is taken for another.
pub fn unmapped(bytes: [u8; 16]) -> IpAddr {
    IpAddr::from(bytes).to_canonical()
}

fn end_of(half: &[u8]) -> End {
    let address = half.first_chunk::<16>().copied().unwrap_or_default();
    let port = half.last_chunk::<2>().copied().unwrap_or_default();
    End::new(unmapped(address), u16::from_be_bytes(port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_are_written_as_documented() {
        let local = End::new("10.0.0.1".parse().unwrap(), 80);
        let remote = End::new("2001:db8::2".parse().unwrap(), 0xabcd);
        let session = Session { local, remote };
        let mut expected = [0; ENCODED];
        expected[10..18].copy_from_slice(&[0xff, 0xff, 10, 0, 0, 1, 0, 80]);
        expected[18..22].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8]);
        expected[33..].copy_from_slice(&[2, 0xab, 0xcd]);
        assert_eq!(session.encode(), expected);
        assert_eq!(Session::decode(&expected), session);
    }
}
