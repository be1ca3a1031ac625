//! A datagram on its way to a transport: a whole IP packet without IPv6 extension headers, and what is known of it.

use alloc::vec::Vec;
use core::net::IpAddr;

use abi::receive::Check;
use smoltcp::wire::{IPV6_HEADER_LEN, IpAddress, IpProtocol, Ipv4Packet, Ipv6Packet, TcpControl, TcpPacket, UdpPacket};

use crate::net::ethernet::Cast;
use crate::net::ip::Delivery;
use crate::net::session::{End, Session};

/// An IP packet that carries TCP or UDP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    bytes: Vec<u8>,
    source: IpAddr,
    destination: IpAddr,
    protocol: IpProtocol,
    /// Where the payload starts; it ends with the bytes.
    payload: usize,
    /// To whom.
    pub cast: Cast,
    /// The hardware found the transport's checksum right.
    pub is_checked: bool,
}

/// What a TCP header says that the demultiplexer wants to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// SYN, RST or neither.
    pub control: TcpControl,
    /// It acknowledges something.
    pub has_ack: bool,
    /// Sequence number.
    pub sequence: u32,
}

impl Packet {
    /// What the IP layer delivered.
    pub fn of_delivery(packet: &[u8], delivery: &Delivery, check: Check) -> Option<Self> {
        Self::parse(delivery.without_extensions(packet), delivery.cast, check == Check::Good)
    }

    /// A packet of which nothing but its bytes is known.
    pub fn parse(mut bytes: Vec<u8>, cast: Cast, is_checked: bool) -> Option<Self> {
        let (source, destination, protocol, payload, end): (IpAddr, IpAddr, _, _, _) = match bytes.first()? >> 4 {
            4 => {
                let ip = Ipv4Packet::new_checked(&bytes[..]).ok()?;
                let ends = (ip.src_addr().into(), ip.dst_addr().into());
                (ends.0, ends.1, ip.next_header(), usize::from(ip.header_len()), usize::from(ip.total_len()))
            }
            6 => {
                let ip = Ipv6Packet::new_checked(&bytes[..]).ok()?;
                let ends = (ip.src_addr().into(), ip.dst_addr().into());
                (ends.0, ends.1, ip.next_header(), IPV6_HEADER_LEN, ip.total_len())
            }
            _ => return None,
        };
        bytes.truncate(end);
        let ports = bytes.get(payload..)?.len() >= 4;
        let is_transport = matches!(protocol, IpProtocol::Tcp | IpProtocol::Udp);
        (ports && is_transport).then_some(Self { bytes, source, destination, protocol, payload, cast, is_checked })
    }

    /// What it carries: TCP or UDP.
    pub const fn protocol(&self) -> IpProtocol {
        self.protocol
    }

    /// The whole packet.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The whole packet, to keep.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// The TCP segment or UDP datagram, header and all.
    pub fn segment_bytes(&self) -> &[u8] {
        self.payload()
    }

    fn payload(&self) -> &[u8] {
        self.bytes.get(self.payload..).unwrap_or_default()
    }

    /// Its ends, this card's as the local one.
    pub fn session(&self) -> Session {
        let port = |at| match self.payload().get(at..at + 2) {
            Some(&[high, low]) => u16::from_be_bytes([high, low]),
            _ => 0,
        };
        Session { local: End::new(self.destination, port(2)), remote: End::new(self.source, port(0)) }
    }

    /// The TCP header; `None` if it is none, or its checksum is wrong.
    pub fn segment(&self) -> Option<Segment> {
        let tcp = TcpPacket::new_checked(self.payload()).ok()?;
        let is_right = self.is_checked || tcp.verify_checksum(&self.source(), &self.destination());
        let control = match (tcp.rst(), tcp.syn()) {
            (true, _) => TcpControl::Rst,
            (false, true) => TcpControl::Syn,
            (false, false) => TcpControl::None,
        };
        is_right.then(|| Segment { control, has_ack: tcp.ack(), sequence: tcp.seq_number().0 as u32 })
    }

    /// The payload of a UDP datagram; `None` if it is none, or its checksum is wrong. A checksum of zero is none, which IPv6
    /// does not allow (RFC 768; RFC 8200, 8.1).
    pub fn datagram(&self) -> Option<&[u8]> {
        let udp = UdpPacket::new_checked(self.payload()).ok()?;
        if udp.checksum() == 0 && self.source.is_ipv6() {
            return None;
        }
        let is_right = self.is_checked || udp.verify_checksum(&self.source(), &self.destination());
        let length = usize::from(udp.len());
        is_right.then(|| self.payload().get(8..length)).flatten()
    }

    fn source(&self) -> IpAddress {
        self.source.into()
    }

    fn destination(&self) -> IpAddress {
        self.destination.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::specimens::{CARD, CARD_6, PEER, PEER_6, TCP, UDP, internet_checksum, ipv4, ipv6, udp};

    fn parse(bytes: Vec<u8>) -> Option<Packet> {
        Packet::parse(bytes, Cast::Unicast, false)
    }

    #[test]
    fn a_datagram_is_found_behind_its_header_and_before_padding() {
        let datagram = udp(PEER.into(), CARD.into(), 0x1122, 0x3344, b"hello");
        let mut bytes = ipv4(PEER, CARD, UDP, &datagram);
        bytes.extend_from_slice(b"padding");
        let packet = parse(bytes.clone()).unwrap();
        assert_eq!(packet.datagram(), Some(&b"hello"[..]));
        assert_eq!(packet.bytes().len(), bytes.len() - 7);
        let session = packet.session();
        assert_eq!((session.remote, session.local), (End::new(PEER.into(), 0x1122), End::new(CARD.into(), 0x3344)));
        bytes[30] ^= 1;
        assert_eq!(parse(bytes.clone()).unwrap().datagram(), None);
        // The hardware has looked at it.
        assert!(Packet::parse(bytes, Cast::Unicast, true).unwrap().datagram().is_some());
    }

    #[test]
    fn a_segment_is_read_if_its_checksum_is_right() {
        // A SYN with sequence number 0x05060708 (RFC 9293, 3.1).
        let mut tcp = [1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0x50, 2, 0, 0, 0, 0, 0, 0];
        let check = internet_checksum(&[&PEER.octets(), &CARD.octets(), &[0, TCP, 0, 20], &tcp]);
        tcp[16..18].copy_from_slice(&check);
        let segment = Some(Segment { control: TcpControl::Syn, has_ack: false, sequence: 0x0506_0708 });
        assert_eq!(parse(ipv4(PEER, CARD, TCP, &tcp)).unwrap().segment(), segment);
        tcp[15] = 1;
        let wrong = ipv4(PEER, CARD, TCP, &tcp);
        assert_eq!(parse(wrong.clone()).unwrap().segment(), None);
        assert_eq!(Packet::parse(wrong, Cast::Unicast, true).unwrap().segment(), segment);
    }

    #[test]
    fn a_checksum_of_zero_is_none_in_ipv4_and_an_error_in_ipv6() {
        let zero = |mut datagram: Vec<u8>| {
            datagram[6..8].fill(0);
            datagram
        };
        let v4 = ipv4(PEER, CARD, UDP, &zero(udp(PEER.into(), CARD.into(), 1, 2, b"a")));
        assert_eq!(parse(v4).unwrap().datagram(), Some(&b"a"[..]));
        let v6 = ipv6(PEER_6, CARD_6, UDP, &zero(udp(PEER_6.into(), CARD_6.into(), 1, 2, b"a")));
        assert_eq!(parse(v6).unwrap().datagram(), None);
    }

    #[test]
    fn what_is_too_short_for_ports_or_no_transport_is_refused() {
        assert!(parse(Vec::new()).is_none());
        assert!(parse(ipv4(PEER, CARD, TCP, &[0; 3])).is_none());
        assert!(parse(ipv4(PEER, CARD, TCP, &[0; 4])).is_some());
        assert!(parse(ipv4(PEER, CARD, 1, &[0; 8])).is_none());
        assert!(parse(ipv4(PEER, CARD, TCP, &[0; 4])).unwrap().segment().is_none());
    }
}
