//! Packets described by their fields, and the frames they make.

use std::net::IpAddr;

use etherparse::{
    EtherType, Ethernet2Header, Icmpv6Header, Icmpv6Type, IpFragOffset, IpNumber, Ipv4Header, Ipv4Options,
    Ipv6FlowLabel, Ipv6FragmentHeader, Ipv6Header, Ipv6RawExtHeader, SingleVlanHeader, TcpHeader, UdpHeader, VlanId,
    VlanPcp,
};
use serde::Deserialize;

use crate::reference::{Addresses, MixedFamilies};

use super::hex::{HexError, parse_hex};

/// The shortest frame on a wire, in bytes, without FCS (IEEE 802.3, 4A.4.2: 64 with it).
const MIN_WIRE_FRAME: usize = 60;

const HOP_LIMIT: u8 = 64;

/// A packet by its fields. Lengths and checksums follow from them and are always right.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Packet {
    /// VLAN tags, outermost first.
    #[serde(default)]
    pub tags: Vec<Tag>,
    /// Source address.
    pub source: IpAddr,
    /// Destination address, of the same family.
    pub destination: IpAddr,
    /// IPv4 options in hexadecimal: whole words, at most ten.
    #[serde(default)]
    pub options: String,
    /// IPv6 extension headers, in order.
    #[serde(default)]
    pub extensions: Vec<Extension>,
    /// What IP carries.
    pub protocol: Protocol,
    /// Bytes that the protocol carries.
    #[serde(default)]
    pub payload: usize,
    /// Which piece of the datagram the frame holds; the whole of it if absent.
    pub fragment: Option<Fragment>,
}

/// A VLAN tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tag {
    /// Its EtherType.
    #[serde(rename = "type")]
    pub kind: TagKind,
    /// The VLAN, 0 to 4095.
    pub id: u16,
}

/// The two EtherTypes of tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum TagKind {
    /// 0x8100, of a customer's VLAN.
    #[serde(rename = "802.1Q")]
    Customer,
    /// 0x88A8, of a provider's VLAN.
    #[serde(rename = "802.1ad")]
    Provider,
}

/// An IPv6 extension header without content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extension {
    /// Which one.
    pub header: ExtensionKind,
    /// Its length: a multiple of 8, at most 2048.
    pub bytes: usize,
}

/// The extension headers that are walked through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExtensionKind {
    /// Next header 0.
    HopByHop,
    /// Next header 43.
    Routing,
    /// Next header 60.
    DestinationOptions,
}

/// What IP carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// TCP, with a header of 20 bytes.
    Tcp(Ports),
    /// UDP.
    Udp(Ports),
    /// ICMPv6, by its type.
    Icmpv6(u8),
    /// Another protocol, by its number; its first byte follows IP at once.
    Other(u8),
}

/// The ports of TCP and UDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ports {
    /// Source port.
    pub source: u16,
    /// Destination port.
    pub destination: u16,
}

/// A piece of a datagram. Whether more follow is plain from the datagram's length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fragment {
    /// The datagram's identification: 16 bits in IPv4, 32 bits in IPv6.
    pub identification: u32,
    /// Where in the datagram the piece starts, in bytes: a multiple of 8.
    pub offset: usize,
    /// The most bytes it holds: a multiple of 8.
    pub bytes: usize,
}

/// A description that no frame fits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PacketError {
    /// The addresses are of two families.
    #[error(transparent)]
    Families(#[from] MixedFamilies),
    /// The options are not hexadecimal.
    #[error("options: {0}")]
    Hex(#[from] HexError),
    /// The options are no whole words, too long, or of an IPv6 packet.
    #[error("options: {0} bytes; IPv4 has 0 to 40 in steps of 4, IPv6 has none")]
    Options(usize),
    /// An extension header of such a length, or in IPv4.
    #[error("extensions: a header of {0} bytes; IPv6 has 8 to 2048 in steps of 8, IPv4 has none")]
    Extension(usize),
    /// A VLAN that cannot be.
    #[error("tags: VLAN {0} is beyond 4095")]
    Vlan(u16),
    /// ICMPv6 over IPv4.
    #[error("protocol: ICMPv6 needs IPv6")]
    Icmpv6,
    /// A fragment that the datagram does not have.
    #[error(
        "fragment: offset {offset} and length {bytes} must be multiples of 8 within the datagram of {datagram} bytes"
    )]
    Fragment {
        /// The offset.
        offset: usize,
        /// The length.
        bytes: usize,
        /// The datagram's length.
        datagram: usize,
    },
    /// An identification wider than its field.
    #[error("fragment: identification {0:#x} does not fit the 16 bits of IPv4")]
    Identification(u32),
    /// More bytes than IP can carry.
    #[error("payload: {0} bytes of IP payload; at most 65,475 fit")]
    Length(usize),
}

impl Packet {
    /// The Ethernet frame without FCS, padded to the shortest length on a wire.
    ///
    /// # Errors
    /// No frame fits the description.
    pub fn to_frame(&self) -> Result<Vec<u8>, PacketError> {
        let addresses = Addresses::new(self.source, self.destination)?;
        let upper = self.upper(&addresses)?;
        let piece = self.piece(&upper)?;
        let (ether_type, ip) = match addresses {
            Addresses::V4 { source, destination } => {
                (EtherType::IPV4, self.ipv4(source.octets(), destination.octets(), upper.len(), piece)?)
            }
            Addresses::V6 { source, destination } => {
                (EtherType::IPV6, self.ipv6(source.octets(), destination.octets(), upper.len(), piece)?)
            }
        };
        let mut frame = self.link(ether_type)?;
        frame.extend(ip);
        frame.resize(frame.len().max(MIN_WIRE_FRAME), 0);
        Ok(frame)
    }

    /// The whole datagram, as one packet would carry it.
    fn upper(&self, addresses: &Addresses) -> Result<Vec<u8>, PacketError> {
        const MAX: usize = u16::MAX as usize - Ipv4Header::MAX_LEN;
        let header_bytes = match self.protocol {
            Protocol::Tcp(_) => TcpHeader::MIN_LEN,
            Protocol::Udp(_) => UdpHeader::LEN,
            Protocol::Icmpv6(_) => Icmpv6Header::MIN_LEN,
            Protocol::Other(_) => 0,
        };
        let length = self.payload.saturating_add(header_bytes);
        if length > MAX {
            return Err(PacketError::Length(length));
        }
        let payload: Vec<u8> = (0..self.payload).map(|index| index as u8).collect();
        let too_long = |_| PacketError::Length(length);
        let mut upper = match self.protocol {
            Protocol::Tcp(ports) => {
                let mut tcp = TcpHeader::new(ports.source, ports.destination, 1, 0xffff);
                tcp.ack = true;
                tcp.checksum = match addresses {
                    Addresses::V4 { source, destination } => {
                        tcp.calc_checksum_ipv4_raw(source.octets(), destination.octets(), &payload)
                    }
                    Addresses::V6 { source, destination } => {
                        tcp.calc_checksum_ipv6_raw(source.octets(), destination.octets(), &payload)
                    }
                }
                .map_err(too_long)?;
                tcp.to_bytes().to_vec()
            }
            Protocol::Udp(ports) => {
                let length = length as u16;
                let (source_port, destination_port) = (ports.source, ports.destination);
                let mut udp = UdpHeader { source_port, destination_port, length, checksum: 0 };
                udp.checksum = match addresses {
                    Addresses::V4 { source, destination } => {
                        udp.calc_checksum_ipv4_raw(source.octets(), destination.octets(), &payload)
                    }
                    Addresses::V6 { source, destination } => {
                        udp.calc_checksum_ipv6_raw(source.octets(), destination.octets(), &payload)
                    }
                }
                .map_err(too_long)?;
                udp.to_bytes().to_vec()
            }
            Protocol::Icmpv6(type_u8) => {
                let Addresses::V6 { source, destination } = addresses else { return Err(PacketError::Icmpv6) };
                let message = Icmpv6Type::Unknown { type_u8, code_u8: 0, bytes5to8: [0; 4] };
                Icmpv6Header::with_checksum(message, source.octets(), destination.octets(), &payload)
                    .map_err(too_long)?
                    .to_bytes()
                    .to_vec()
            }
            Protocol::Other(_) => Vec::new(),
        };
        upper.extend(payload);
        Ok(upper)
    }

    /// The bytes of the datagram that this frame carries.
    fn piece<'a>(&self, datagram: &'a [u8]) -> Result<&'a [u8], PacketError> {
        let Some(Fragment { offset, bytes, .. }) = self.fragment else { return Ok(datagram) };
        let whole_units = offset.is_multiple_of(8) && bytes.is_multiple_of(8) && bytes > 0;
        let Some(rest) = datagram.get(offset..).filter(|_| whole_units) else {
            return Err(PacketError::Fragment { offset, bytes, datagram: datagram.len() });
        };
        Ok(&rest[..rest.len().min(bytes)])
    }

    fn number(&self) -> IpNumber {
        match self.protocol {
            Protocol::Tcp(_) => IpNumber::TCP,
            Protocol::Udp(_) => IpNumber::UDP,
            Protocol::Icmpv6(_) => IpNumber::IPV6_ICMP,
            Protocol::Other(number) => IpNumber(number),
        }
    }

    /// The offset and more-fragments fields of a piece of a datagram of `length` bytes.
    fn position(&self, fragment: Fragment, length: usize) -> Result<(IpFragOffset, bool), PacketError> {
        let Fragment { offset, bytes, .. } = fragment;
        let units = u16::try_from(offset / 8).ok().and_then(|units| IpFragOffset::try_new(units).ok());
        let units = units.ok_or(PacketError::Fragment { offset, bytes, datagram: length })?;
        Ok((units, offset + bytes < length))
    }

    fn ipv4(
        &self,
        source: [u8; 4],
        destination: [u8; 4],
        datagram: usize,
        piece: &[u8],
    ) -> Result<Vec<u8>, PacketError> {
        if let Some(extension) = self.extensions.first() {
            return Err(PacketError::Extension(extension.bytes));
        }
        let options = parse_hex(&self.options)?;
        let too_long = || PacketError::Length(piece.len());
        let payload = u16::try_from(piece.len()).map_err(|_| too_long())?;
        let mut header =
            Ipv4Header::new(payload, HOP_LIMIT, self.number(), source, destination).map_err(|_| too_long())?;
        header.options = Ipv4Options::try_from(&options[..]).map_err(|_| PacketError::Options(options.len()))?;
        header.set_payload_len(piece.len()).map_err(|_| too_long())?;
        if let Some(fragment) = self.fragment {
            let identification = fragment.identification;
            header.identification =
                u16::try_from(identification).map_err(|_| PacketError::Identification(identification))?;
            (header.fragment_offset, header.more_fragments) = self.position(fragment, datagram)?;
            header.dont_fragment = false;
        }
        header.header_checksum = header.calc_header_checksum();
        let mut bytes = header.to_bytes().to_vec();
        bytes.extend(piece);
        Ok(bytes)
    }

    fn ipv6(
        &self,
        source: [u8; 16],
        destination: [u8; 16],
        datagram: usize,
        piece: &[u8],
    ) -> Result<Vec<u8>, PacketError> {
        if !self.options.is_empty() {
            return Err(PacketError::Options(parse_hex(&self.options)?.len()));
        }
        // Built from the back: every header names the one behind it.
        let mut next = self.number();
        let mut payload = piece.to_vec();
        if let Some(fragment) = self.fragment {
            let (offset, more) = self.position(fragment, datagram)?;
            let header = Ipv6FragmentHeader::new(next, offset, more, fragment.identification);
            payload.splice(..0, header.to_bytes());
            next = IpNumber::IPV6_FRAGMENTATION_HEADER;
        }
        for Extension { header: kind, bytes } in self.extensions.iter().rev() {
            let content = vec![0; bytes.saturating_sub(2)];
            let header = Ipv6RawExtHeader::new_raw(next, &content).map_err(|_| PacketError::Extension(*bytes))?;
            payload.splice(..0, header.to_bytes());
            next = match kind {
                ExtensionKind::HopByHop => IpNumber::IPV6_HEADER_HOP_BY_HOP,
                ExtensionKind::Routing => IpNumber::IPV6_ROUTE_HEADER,
                ExtensionKind::DestinationOptions => IpNumber::IPV6_DESTINATION_OPTIONS,
            };
        }
        let header = Ipv6Header {
            traffic_class: 0,
            flow_label: Ipv6FlowLabel::ZERO,
            payload_length: u16::try_from(payload.len()).map_err(|_| PacketError::Length(payload.len()))?,
            next_header: next,
            hop_limit: HOP_LIMIT,
            source,
            destination,
        };
        let mut bytes = header.to_bytes().to_vec();
        bytes.extend(payload);
        Ok(bytes)
    }

    /// The Ethernet header and the tags.
    fn link(&self, ether_type: EtherType) -> Result<Vec<u8>, PacketError> {
        let kind = |tag: &Tag| match tag.kind {
            TagKind::Customer => EtherType::VLAN_TAGGED_FRAME,
            TagKind::Provider => EtherType::PROVIDER_BRIDGING,
        };
        let types: Vec<EtherType> = self.tags.iter().map(kind).chain([ether_type]).collect();
        // Locally administered addresses.
        let (destination, source) = ([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
        let mut bytes = Ethernet2Header { source, destination, ether_type: types[0] }.to_bytes().to_vec();
        for (tag, ether_type) in self.tags.iter().zip(&types[1..]) {
            let header = SingleVlanHeader {
                pcp: VlanPcp::ZERO,
                drop_eligible_indicator: false,
                vlan_id: VlanId::try_new(tag.id).map_err(|_| PacketError::Vlan(tag.id))?,
                ether_type: *ether_type,
            };
            bytes.extend(header.to_bytes());
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PORTS: Ports = Ports { source: 0x1234, destination: 80 };

    fn packet(source: &str, destination: &str, protocol: Protocol, payload: usize) -> Packet {
        Packet {
            tags: vec![],
            source: source.parse().unwrap(),
            destination: destination.parse().unwrap(),
            options: String::new(),
            extensions: vec![],
            protocol,
            payload,
            fragment: None,
        }
    }

    fn v4(protocol: Protocol, payload: usize) -> Packet {
        packet("192.0.2.1", "198.51.100.7", protocol, payload)
    }

    fn v6(protocol: Protocol, payload: usize) -> Packet {
        packet("2001:db8::1", "2001:db8::2", protocol, payload)
    }

    fn frame(packet: &Packet) -> Vec<u8> {
        packet.to_frame().unwrap()
    }

    #[test]
    fn udp_over_ipv4_is_these_bytes() {
        // Header: 4500 + 001f + 4000 + 4011 + c000 + 0201 + c633 + 6407 = 2b16b, folded b16d,
        // complement 4e92. UDP: c000 + 0201 + c633 + 6407 + 0011 + 000b (pseudo header) + 1234 +
        // 0050 + 000b + 0001 + 0200 = 200e7, folded 00e9, complement ff16.
        let mut expected = parse_hex(
            "020000000001 020000000002 0800
             4500001f 00004000 40114e92 c0000201 c6336407
             12340050 000bff16 000102",
        )
        .unwrap();
        expected.resize(60, 0);
        assert_eq!(frame(&v4(Protocol::Udp(PORTS), 3)), expected);
    }

    #[test]
    fn icmpv6_behind_an_extension_is_these_bytes() {
        // Pseudo header: 2001 + 0db8 + 0001 + 2001 + 0db8 + 0002 + 0008 + 003a = 5bb7; with 8700
        // e2b7, complement 1d48.
        let expected = parse_hex(
            "020000000001 020000000002 86dd
             60000000 0010 3c 40
             20010db8000000000000000000000001 20010db8000000000000000000000002
             3a00000000000000
             87001d48 00000000",
        )
        .unwrap();
        let mut packet = v6(Protocol::Icmpv6(135), 0);
        packet.extensions = vec![Extension { header: ExtensionKind::DestinationOptions, bytes: 8 }];
        assert_eq!(frame(&packet), expected);
    }

    #[test]
    fn tags_stand_outermost_first() {
        let mut packet = v4(Protocol::Other(253), 46);
        let plain = frame(&packet);
        packet.tags = vec![Tag { kind: TagKind::Provider, id: 4095 }, Tag { kind: TagKind::Customer, id: 5 }];
        let tagged = frame(&packet);
        assert_eq!(tagged[12..22], parse_hex("88a8 0fff 8100 0005 0800").unwrap());
        assert_eq!(tagged[22..], plain[14..]);
    }

    #[test]
    fn extensions_name_one_another_and_hold_their_length() {
        let mut packet = v6(Protocol::Tcp(PORTS), 0);
        packet.extensions = vec![
            Extension { header: ExtensionKind::HopByHop, bytes: 16 },
            Extension { header: ExtensionKind::Routing, bytes: 8 },
        ];
        let frame = frame(&packet);
        // Fixed header at 14, extensions at 54 and 70, TCP at 78.
        assert_eq!((frame[20], frame[54], frame[55], frame[70], frame[71]), (0, 43, 1, 6, 0));
        assert_eq!(frame[18..20], [0, 16 + 8 + 20]);
        assert_eq!(frame[78..82], [0x12, 0x34, 0, 80]);
    }

    #[test]
    fn pieces_of_an_ipv4_datagram_join_to_the_whole() {
        // 2400 bytes with the UDP header: the last piece is full, and still the last.
        let whole = frame(&v4(Protocol::Udp(PORTS), 2392));
        let mut joined: Vec<u8> = Vec::new();
        for (offset, bytes, flags) in [(0, 800, 0x2000), (800, 800, 0x2064), (1600, 800, 0x00c8)] {
            let mut packet = v4(Protocol::Udp(PORTS), 2392);
            packet.fragment = Some(Fragment { identification: 0xbeef, offset, bytes });
            let frame = frame(&packet);
            assert_eq!(frame[18..20], [0xbe, 0xef]);
            assert_eq!(frame[20..22], u16::to_be_bytes(flags));
            joined.extend(&frame[34..]);
        }
        assert_eq!(joined, whole[34..]);
    }

    #[test]
    fn pieces_of_an_ipv6_datagram_join_to_the_whole() {
        let whole = frame(&v6(Protocol::Tcp(PORTS), 1000));
        let mut joined: Vec<u8> = Vec::new();
        for (offset, position) in [(0, [0x00, 0x01]), (600, [0x02, 0x58])] {
            let mut packet = v6(Protocol::Tcp(PORTS), 1000);
            packet.fragment = Some(Fragment { identification: 0x0102_0304, offset, bytes: 600 });
            let frame = frame(&packet);
            assert_eq!(frame[20], 44);
            assert_eq!(frame[54..62], [6, 0, position[0], position[1], 1, 2, 3, 4]);
            joined.extend(&frame[62..]);
        }
        assert_eq!(joined, whole[54..]);
    }

    #[test]
    fn descriptions_that_no_frame_fits_are_refused() {
        let refused = |change: &dyn Fn(&mut Packet)| {
            let [mut v4, mut v6] = [v4(Protocol::Udp(PORTS), 100), v6(Protocol::Udp(PORTS), 100)];
            change(&mut v4);
            change(&mut v6);
            [v4.to_frame().err(), v6.to_frame().err()]
        };
        let extension = |bytes| vec![Extension { header: ExtensionKind::Routing, bytes }];
        let fragment = |identification, offset, bytes| Some(Fragment { identification, offset, bytes });
        let out = |offset, bytes| Some(PacketError::Fragment { offset, bytes, datagram: 108 });

        assert!(matches!(
            refused(&|p| p.source = if p.source.is_ipv4() { "::1".parse().unwrap() } else { [1, 2, 3, 4].into() }),
            [Some(PacketError::Families(_)), Some(PacketError::Families(_))]
        ));
        assert_eq!(refused(&|p| p.options = "01010101".into()), [None, Some(PacketError::Options(4))]);
        assert_eq!(refused(&|p| p.options = "0101".into())[0], Some(PacketError::Options(2)));
        assert_eq!(refused(&|p| p.options = "01".repeat(44))[0], Some(PacketError::Options(44)));
        assert!(matches!(refused(&|p| p.options = "0x".into())[0], Some(PacketError::Hex(_))));
        assert_eq!(refused(&|p| p.extensions = extension(8)), [Some(PacketError::Extension(8)), None]);
        for bytes in [0, 1, 12, 2056] {
            assert_eq!(refused(&|p| p.extensions = extension(bytes))[1], Some(PacketError::Extension(bytes)));
        }
        let vlan = vec![Tag { kind: TagKind::Customer, id: 4096 }];
        assert_eq!(refused(&|p| p.tags = vlan.clone()), [const { Some(PacketError::Vlan(4096)) }; 2]);
        assert_eq!(refused(&|p| p.protocol = Protocol::Icmpv6(128)), [Some(PacketError::Icmpv6), None]);
        for (offset, bytes) in [(4, 8), (8, 4), (0, 0), (112, 8)] {
            assert_eq!(refused(&|p| p.fragment = fragment(1, offset, bytes)), [out(offset, bytes), out(offset, bytes)]);
        }
        let wide = Some(PacketError::Identification(0x1_0000));
        assert_eq!(refused(&|p| p.fragment = fragment(0x1_0000, 0, 8)), [wide, None]);
        assert_eq!(refused(&|p| p.payload = 65_468), [const { Some(PacketError::Length(65_476)) }; 2]);
        assert!(matches!(refused(&|p| p.payload = usize::MAX), [Some(PacketError::Length(_)), Some(_)]));
    }
}
