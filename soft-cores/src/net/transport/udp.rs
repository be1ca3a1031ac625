//! UDP (RFC 768): bound sockets, and datagrams to send. It keeps no state but a queue, so it needs `smoltcp`'s formats only.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::IpAddr;

use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{IpProtocol, UDP_HEADER_LEN, UdpPacket, UdpRepr};

use crate::net::outgoing::{Outgoing, Path};
use crate::net::session::{End, Session};

/// Most bytes of a datagram: what is left of 65,535 beside IPv4's header and UDP's; IPv6 does not count its own.
pub const fn longest(destination: IpAddr) -> usize {
    match destination {
        IpAddr::V4(_) => 65_535 - 20 - UDP_HEADER_LEN,
        // The fragment header counts.
        IpAddr::V6(_) => 65_535 - 8 - UDP_HEADER_LEN,
    }
}

/// A datagram that was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// Who sent it.
    pub from: End,
    /// To which address of this card, or to which group.
    pub to: IpAddr,
    /// What it carries.
    pub payload: Vec<u8>,
}

/// A bound socket.
#[derive(Clone, Debug)]
pub struct UdpSocket {
    /// Where; an unspecified address stands for all.
    pub local: End,
    /// Only from there, if it is connected.
    pub remote: Option<End>,
    /// Others may be bound to the same port.
    pub reuse: bool,
    /// Bytes of payload that wait at most.
    pub room: usize,
    waiting: VecDeque<Datagram>,
    bytes: usize,
}

/// A datagram counts for this much more than its payload, so that empty ones are bounded too.
const OVERHEAD: usize = 64;

impl UdpSocket {
    /// A socket that has received nothing.
    pub const fn new(local: End, reuse: bool, room: usize) -> Self {
        Self { local, remote: None, reuse, room, waiting: VecDeque::new(), bytes: 0 }
    }

    /// Whether a datagram between these ends is for it.
    pub fn accepts(&self, session: &Session) -> bool {
        let address = self.local.address.is_unspecified() || self.local.address == session.local.address;
        address
            && self.local.port == session.local.port
            && self.remote.is_none_or(|remote| remote == session.remote)
            && (!self.local.address.is_unspecified() || self.speaks(session.local.address))
    }

    /// A socket that is bound to all addresses of IPv4 does not hear IPv6, and the other way round.
    const fn speaks(&self, address: IpAddr) -> bool {
        self.local.address.is_ipv4() == address.is_ipv4()
    }

    /// How exactly it was bound: the one that is meant most exactly gets a datagram.
    pub fn precision(&self) -> u8 {
        u8::from(!self.local.address.is_unspecified()) + 2 * u8::from(self.remote.is_some())
    }

    /// Keeps a datagram, if there is room.
    pub fn take(&mut self, datagram: Datagram) -> bool {
        let bytes = self.bytes + datagram.payload.len() + OVERHEAD;
        let fits = bytes <= self.room;
        if fits {
            self.bytes = bytes;
            self.waiting.push_back(datagram);
        }
        fits
    }

    /// The datagram that has waited longest.
    pub fn receive(&mut self) -> Option<Datagram> {
        let datagram = self.waiting.pop_front()?;
        self.bytes -= datagram.payload.len() + OVERHEAD;
        Some(datagram)
    }

    /// Bytes of the datagram that has waited longest.
    pub fn next_length(&self) -> Option<usize> {
        self.waiting.front().map(|datagram| datagram.payload.len())
    }

    /// Datagrams that wait.
    pub fn queued(&self) -> usize {
        self.waiting.len()
    }
}

/// The packet of a datagram between the ends of a session; `None` if they are of different families.
pub fn datagram(session: &Session, payload: &[u8]) -> Option<Outgoing> {
    let Session { local, remote } = *session;
    let path = Path::new(local.address, remote.address)?;
    let header = UdpRepr { src_port: local.port, dst_port: remote.port };
    let mut bytes = alloc::vec![0; UDP_HEADER_LEN + payload.len()];
    header.emit(
        &mut UdpPacket::new_unchecked(&mut bytes),
        &local.address.into(),
        &remote.address.into(),
        payload.len(),
        |buffer| buffer.copy_from_slice(payload),
        &ChecksumCapabilities::default(),
    );
    Some(Outgoing::new(path, IpProtocol::Udp, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::specimens::{CARD, CARD_6, PEER, PEER_6, udp};

    fn end(address: impl Into<IpAddr>, port: u16) -> End {
        End::new(address.into(), port)
    }

    #[test]
    fn a_datagram_is_laid_out_as_rfc_768_says() {
        let session = Session { local: end(CARD, 7), remote: end(PEER, 0x1234) };
        let outgoing = datagram(&session, b"odd").unwrap();
        assert_eq!(outgoing.payload, udp(CARD.into(), PEER.into(), 7, 0x1234, b"odd"));
        let session = Session { local: end(CARD_6, 7), remote: end(PEER_6, 0x1234) };
        let outgoing = datagram(&session, b"even").unwrap();
        assert_eq!(outgoing.payload, udp(CARD_6.into(), PEER_6.into(), 7, 0x1234, b"even"));
        assert!(datagram(&Session { local: end(CARD, 7), remote: end(PEER_6, 7) }, b"").is_none());
    }

    #[test]
    fn the_longest_datagrams_fill_65_535_bytes() {
        assert_eq!((longest(PEER.into()), longest(PEER_6.into())), (65_507, 65_519));
    }

    #[test]
    fn a_socket_hears_what_is_for_it() {
        let session = Session { local: end(CARD, 7), remote: end(PEER, 99) };
        let any: IpAddr = "0.0.0.0".parse().unwrap();
        let any_6: IpAddr = "::".parse().unwrap();
        let heard = |address, port, remote| {
            let mut socket = UdpSocket::new(End::new(address, port), false, 100);
            socket.remote = remote;
            socket.accepts(&session)
        };
        assert!(heard(any, 7, None) && heard(CARD.into(), 7, None) && heard(any, 7, Some(end(PEER, 99))));
        assert!(!heard(any, 8, None) && !heard(PEER.into(), 7, None) && !heard(any_6, 7, None));
        assert!(!heard(any, 7, Some(end(PEER, 98))));
    }

    #[test]
    fn what_waits_is_bounded_empty_datagrams_too() {
        let mut socket = UdpSocket::new(end(CARD, 7), false, 200);
        let of = |length| Datagram { from: end(PEER, 1), to: CARD.into(), payload: alloc::vec![0; length] };
        assert!(!socket.take(of(137)));
        assert!(socket.take(of(0)) && socket.take(of(0)) && socket.take(of(8)));
        assert!(!socket.take(of(0)));
        assert_eq!(socket.receive(), Some(of(0)));
        assert!(socket.take(of(0)));
        assert_eq!(socket.queued(), 3);
    }
}
