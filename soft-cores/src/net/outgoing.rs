//! A packet that the net kernel itself has to send: a control message, not data of a connection.

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use smoltcp::wire::{IPV4_HEADER_LEN, IPV6_HEADER_LEN, IpProtocol, Ipv4Packet, Ipv6Packet};

/// Hop limit of what may leave the link (RFC 1700's default TTL).
pub const HOP_LIMIT: u8 = 64;

/// IPv4's router alert option (RFC 2113, 2.1).
const ROUTER_ALERT_V4: [u8; 4] = [148, 4, 0, 0];
/// A hop-by-hop header with MLD's router alert (RFC 2711, 2.1), padded by PadN; its first byte is filled in.
const ROUTER_ALERT_V6: [u8; 8] = [0, 0, 5, 2, 0, 0, 1, 0];

/// From where to where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// Over IPv4.
    V4 {
        /// One of the card's addresses, or unspecified.
        source: Ipv4Addr,
        /// To whom.
        destination: Ipv4Addr,
    },
    /// Over IPv6.
    V6 {
        /// One of the card's addresses, or unspecified.
        source: Ipv6Addr,
        /// To whom.
        destination: Ipv6Addr,
    },
}

impl Path {
    /// The path between two addresses of one family.
    pub const fn new(source: IpAddr, destination: IpAddr) -> Option<Self> {
        match (source, destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => Some(Self::V4 { source, destination }),
            (IpAddr::V6(source), IpAddr::V6(destination)) => Some(Self::V6 { source, destination }),
            _ => None,
        }
    }

    /// Where it ends.
    pub const fn destination(&self) -> IpAddr {
        match *self {
            Self::V4 { destination, .. } => IpAddr::V4(destination),
            Self::V6 { destination, .. } => IpAddr::V6(destination),
        }
    }
}

/// Bytes of the IPv6 fragment header.
const FRAGMENT_HEADER: usize = 8;

/// A packet to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Both addresses.
    pub path: Path,
    /// What the payload is.
    pub protocol: IpProtocol,
    /// TTL or hop limit.
    pub hop_limit: u8,
    /// Routers are to look at it.
    pub router_alert: bool,
    /// At most what is left of 65,535 bytes beside the header.
    pub payload: Vec<u8>,
}

impl Outgoing {
    /// A message without options, that may travel.
    pub const fn new(path: Path, protocol: IpProtocol, payload: Vec<u8>) -> Self {
        Self { path, protocol, hop_limit: HOP_LIMIT, router_alert: false, payload }
    }

    /// The whole packet, in one piece.
    pub fn packet(&self) -> Vec<u8> {
        match self.path {
            Path::V4 { source, destination } => self.packet_v4(source, destination),
            Path::V6 { source, destination } => self.packet_v6(source, destination),
        }
    }

    /// The packet, in fragments if it is longer than `mtu` (RFC 791, 3.2; RFC 8200, 4.5). All messages with a router
    /// alert are short.
    ///
    /// `identification` differs from that of every other packet on its way to the same host, whichever processor sends
    /// it.
    pub fn packets(&self, mtu: usize, identification: u32) -> Vec<Vec<u8>> {
        let whole = self.packet();
        if whole.len() <= mtu || self.router_alert {
            return [whole].into();
        }
        let headers = match self.path {
            Path::V4 { .. } => IPV4_HEADER_LEN,
            Path::V6 { .. } => IPV6_HEADER_LEN + FRAGMENT_HEADER,
        };
        let each = (mtu.saturating_sub(headers) / 8 * 8).max(8);
        let pieces = self.payload.chunks(each).enumerate();
        pieces.map(|(number, piece)| self.fragment(number * each, piece, identification)).collect()
    }

    fn fragment(&self, offset: usize, piece: &[u8], identification: u32) -> Vec<u8> {
        let more = offset + piece.len() < self.payload.len();
        match self.path {
            Path::V4 { .. } => {
                let mut bytes = Self { payload: piece.to_vec(), ..self.clone() }.packet();
                let mut packet = Ipv4Packet::new_unchecked(&mut bytes);
                packet.set_ident(identification as u16);
                packet.set_more_frags(more);
                packet.set_frag_offset(offset as u16);
                packet.fill_checksum();
                bytes
            }
            Path::V6 { .. } => {
                let mut payload = alloc::vec![self.protocol.into(), 0];
                payload.extend_from_slice(&(offset as u16 | u16::from(more)).to_be_bytes());
                payload.extend_from_slice(&identification.to_be_bytes());
                payload.extend_from_slice(piece);
                Self { protocol: IpProtocol::Ipv6Frag, payload, ..self.clone() }.packet()
            }
        }
    }

    fn packet_v4(&self, source: Ipv4Addr, destination: Ipv4Addr) -> Vec<u8> {
        let options: &[u8] = if self.router_alert { &ROUTER_ALERT_V4 } else { &[] };
        let header_length = IPV4_HEADER_LEN + options.len();
        let mut bytes = alloc::vec![0; IPV4_HEADER_LEN];
        bytes.extend_from_slice(options);
        bytes.extend_from_slice(&self.payload);
        let total_length = bytes.len() as u16;
        let mut packet = Ipv4Packet::new_unchecked(&mut bytes);
        packet.set_version(4);
        packet.set_header_len(header_length as u8);
        packet.set_total_len(total_length);
        packet.set_hop_limit(self.hop_limit);
        packet.set_next_header(self.protocol);
        packet.set_src_addr(source);
        packet.set_dst_addr(destination);
        packet.fill_checksum();
        bytes
    }

    fn packet_v6(&self, source: Ipv6Addr, destination: Ipv6Addr) -> Vec<u8> {
        let mut bytes = alloc::vec![0; IPV6_HEADER_LEN];
        let mut next_header = self.protocol;
        if self.router_alert {
            let [_, rest @ ..] = ROUTER_ALERT_V6;
            bytes.push(next_header.into());
            bytes.extend_from_slice(&rest);
            next_header = IpProtocol::HopByHop;
        }
        bytes.extend_from_slice(&self.payload);
        let payload_length = (bytes.len() - IPV6_HEADER_LEN) as u16;
        let mut packet = Ipv6Packet::new_unchecked(&mut bytes);
        packet.set_version(6);
        packet.set_payload_len(payload_length);
        packet.set_next_header(next_header);
        packet.set_hop_limit(self.hop_limit);
        packet.set_src_addr(source);
        packet.set_dst_addr(destination);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::specimens::{CARD, CARD_6, PEER, PEER_6, fragment_6, ipv4_with, ipv6};

    #[test]
    fn an_igmp_leave_is_laid_out_as_rfc_791_and_2113_say() {
        let path = Path::V4 { source: Ipv4Addr::new(10, 0, 0, 1), destination: Ipv4Addr::new(224, 0, 0, 2) };
        let payload = alloc::vec![0x17, 0];
        let message = Outgoing { path, protocol: IpProtocol::Igmp, hop_limit: 1, router_alert: true, payload };
        // Sum by hand: 4600 + 001a + 0102 + 0a00 + 0001 + e000 + 0002 + 9404 = 1_c523, folded c524, complement 3adb.
        let expected = [0x46, 0, 0, 26, 0, 0, 0, 0, 1, 2, 0x3a, 0xdb, 10, 0, 0, 1, 224, 0, 0, 2, 148, 4, 0, 0, 0x17, 0];
        assert_eq!(message.packet(), expected);
    }

    #[test]
    fn an_mld_message_is_laid_out_as_rfc_8200_and_2711_say() {
        let path =
            Path::V6 { source: Ipv6Addr::UNSPECIFIED, destination: Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x16) };
        let payload = alloc::vec![143];
        let message = Outgoing { path, protocol: IpProtocol::Icmpv6, hop_limit: 1, router_alert: true, payload };
        let mut expected = alloc::vec![0x60, 0, 0, 0, 0, 9, 0, 1];
        expected.extend_from_slice(&[0; 16]);
        expected.extend_from_slice(&[0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x16]);
        expected.extend_from_slice(&[58, 0, 5, 2, 0, 0, 1, 0, 143]);
        assert_eq!(message.packet(), expected);
    }

    #[test]
    fn a_long_message_is_cut_as_rfc_791_says() {
        let path = Path::V4 { source: CARD, destination: PEER };
        let message = Outgoing::new(path, IpProtocol::Udp, [[1; 8], [2; 8], [3; 8]].concat());
        assert_eq!(message.packets(44, 0x1234), [message.packet()]);
        // 43 bytes hold a header and 16 bytes, for all but the last fragment count in eights.
        let first = ipv4_with(CARD, PEER, 17, 0x2000, &[], &[[1; 8], [2; 8]].concat());
        let last = ipv4_with(CARD, PEER, 17, 2, &[], &[3; 8]);
        assert_eq!(message.packets(43, 0x1234), [first, last]);
    }

    #[test]
    fn a_long_message_is_cut_as_rfc_8200_says() {
        let path = Path::V6 { source: CARD_6, destination: PEER_6 };
        let message = Outgoing { hop_limit: 255, ..Outgoing::new(path, IpProtocol::Udp, [[1; 8], [2; 8]].concat()) };
        let first = ipv6(CARD_6, PEER_6, 44, &fragment_6(17, 0, true, 0x0102_0304, &[1; 8]));
        let last = ipv6(CARD_6, PEER_6, 44, &fragment_6(17, 8, false, 0x0102_0304, &[2; 8]));
        assert_eq!(message.packets(55, 0x0102_0304), [first, last]);
    }
}
