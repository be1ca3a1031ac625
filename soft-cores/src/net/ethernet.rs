//! Ethernet II frames with up to two VLAN tags (IEEE 802.1Q).
//!
//! The hardware has checked the FCS and cut it off, and pads what is sent. What is behind the payload of a short frame
//! is padding that only the next header's length tells from data.

use alloc::vec::Vec;

use smoltcp::wire::{EthernetAddress, EthernetProtocol as EtherType};

/// Bytes of a header without tags.
pub const HEADER: usize = 14;
/// Bytes of a tag: its EtherType, then the tag control information.
const TAG: usize = 4;
/// Tags a frame may have: a service tag around a customer tag, as the hardware's parser takes them.
pub const MAX_TAGS: usize = 2;
/// Values below this are lengths of IEEE 802.3 frames, not types (IEEE 802.3, 3.2.6).
const FIRST_TYPE: u16 = 0x0600;

/// Which EtherType a tag has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TagKind {
    /// Customer tag, 0x8100 (802.1Q).
    Customer,
    /// Service tag, 0x88A8 (802.1ad).
    Service,
}

impl TagKind {
    const fn of(ether_type: u16) -> Option<Self> {
        match ether_type {
            0x8100 => Some(Self::Customer),
            0x88a8 => Some(Self::Service),
            _ => None,
        }
    }

    const fn ether_type(self) -> u16 {
        match self {
            Self::Customer => 0x8100,
            Self::Service => 0x88a8,
        }
    }
}

/// One VLAN tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag {
    /// Customer or service.
    pub kind: TagKind,
    /// Tag control information: priority in bits 15:13, drop eligible in bit 12, VLAN identifier in bits 11:0.
    pub control: u16,
}

impl Tag {
    /// The VLAN identifier; 0 says that the tag is there for its priority only (802.1Q, 9.6).
    pub const fn vlan(self) -> u16 {
        self.control & 0x0fff
    }
}

/// The tags of a frame, outermost first.
pub type Tags = [Option<Tag>; MAX_TAGS];

/// Why a frame is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// It ends within its header.
    Truncated,
    /// More than two tags.
    Tags,
    /// The type field is a length: not Ethernet II.
    Length,
    /// Its source is a group address, which no station has (802.3, 3.2.3).
    GroupSource,
    /// For another station.
    OtherStation,
    /// For another VLAN.
    OtherVlan,
}

/// To whom a frame or a packet is addressed, of those that are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cast {
    /// To this card alone.
    Unicast,
    /// To a group that this card is in.
    Multicast,
    /// To everybody.
    Broadcast,
}

/// A frame: its header, and its payload as bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Where it goes.
    pub destination: EthernetAddress,
    /// Who sent it.
    pub source: EthernetAddress,
    /// Its tags.
    pub tags: Tags,
    /// What the payload is.
    pub ether_type: EtherType,
    /// What follows the header, padding included.
    pub payload: &'a [u8],
}

fn address(bytes: &[u8], at: usize) -> Option<EthernetAddress> {
    bytes.get(at..at + 6)?.try_into().ok().map(EthernetAddress)
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2)?.try_into().ok().map(u16::from_be_bytes)
}

impl<'a> Frame<'a> {
    /// Takes a received frame apart.
    ///
    /// # Errors
    /// [`Cause::Truncated`], [`Cause::Tags`], [`Cause::Length`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Cause> {
        let destination = address(bytes, 0).ok_or(Cause::Truncated)?;
        let source = address(bytes, 6).ok_or(Cause::Truncated)?;
        let mut tags = Tags::default();
        let mut at = HEADER - 2;
        for slot in &mut tags {
            let Some(kind) = word(bytes, at).and_then(TagKind::of) else { break };
            *slot = Some(Tag { kind, control: word(bytes, at + 2).ok_or(Cause::Truncated)? });
            at += TAG;
        }
        let ether_type = word(bytes, at).ok_or(Cause::Truncated)?;
        if TagKind::of(ether_type).is_some() {
            return Err(Cause::Tags);
        }
        if ether_type < FIRST_TYPE {
            return Err(Cause::Length);
        }
        let payload = bytes.get(at + 2..).ok_or(Cause::Truncated)?;
        Ok(Self { destination, source, tags, ether_type: EtherType::from(ether_type), payload })
    }

    /// Puts the frame together. The hardware pads it to the shortest frame.
    pub fn emit(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER + MAX_TAGS * TAG + self.payload.len());
        bytes.extend_from_slice(&self.destination.0);
        bytes.extend_from_slice(&self.source.0);
        for tag in self.tags.iter().flatten() {
            bytes.extend_from_slice(&tag.kind.ether_type().to_be_bytes());
            bytes.extend_from_slice(&tag.control.to_be_bytes());
        }
        bytes.extend_from_slice(&u16::from(self.ether_type).to_be_bytes());
        bytes.extend_from_slice(self.payload);
        bytes
    }
}

/// The card's place on the network: its address, and the VLAN it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Station {
    /// The card's address.
    pub address: EthernetAddress,
    /// The tags of every frame it sends; received ones must name the same VLANs.
    pub tags: Tags,
}

impl Station {
    /// Whether a frame is for this card, and as what. Groups are told apart by their IP addresses, further in: a hash
    /// of 23 or 32 of their bits (RFC 1112, RFC 2464) says too little here.
    ///
    /// # Errors
    /// [`Cause::GroupSource`], [`Cause::OtherStation`], [`Cause::OtherVlan`].
    pub fn accept(&self, frame: &Frame) -> Result<Cast, Cause> {
        if frame.source.is_multicast() {
            return Err(Cause::GroupSource);
        }
        if !vlans(&frame.tags).eq(vlans(&self.tags)) {
            return Err(Cause::OtherVlan);
        }
        match frame.destination {
            EthernetAddress::BROADCAST => Ok(Cast::Broadcast),
            group if group.is_multicast() => Ok(Cast::Multicast),
            address if address == self.address => Ok(Cast::Unicast),
            _ => Err(Cause::OtherStation),
        }
    }

    /// A frame of this card.
    pub fn frame(&self, destination: EthernetAddress, ether_type: EtherType, payload: &[u8]) -> Vec<u8> {
        Frame { destination, source: self.address, tags: self.tags, ether_type, payload }.emit()
    }
}

/// The VLANs that tags name, without those that only carry a priority.
fn vlans(tags: &Tags) -> impl Iterator<Item = u16> + '_ {
    tags.iter().flatten().map(|tag| tag.vlan()).filter(|&vlan| vlan != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CARD: EthernetAddress = EthernetAddress([2, 0, 0, 0, 0, 1]);
    const PEER: EthernetAddress = EthernetAddress([2, 0, 0, 0, 0, 2]);

    /// Destination, source, service tag of VLAN 100 with priority 5, customer tag of VLAN 7, IPv4, two bytes.
    const DOUBLE_TAGGED: [u8; 24] =
        [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xa8, 0xa0, 0x64, 0x81, 0x00, 0x00, 0x07, 0x08, 0x00, 0xab, 0xcd];

    fn tag(kind: TagKind, control: u16) -> Option<Tag> {
        Some(Tag { kind, control })
    }

    #[test]
    fn a_double_tagged_frame_is_laid_out_as_802_1ad_says() {
        let frame = Frame::parse(&DOUBLE_TAGGED).unwrap();
        assert_eq!((frame.destination, frame.source), (CARD, PEER));
        assert_eq!(frame.tags, [tag(TagKind::Service, 0xa064), tag(TagKind::Customer, 7)]);
        assert_eq!((frame.ether_type, frame.payload), (EtherType::Ipv4, &[0xab, 0xcd][..]));
        assert_eq!(frame.tags[0].unwrap().vlan(), 100);
        assert_eq!(frame.emit(), DOUBLE_TAGGED);
    }

    #[test]
    fn every_cut_within_the_header_is_truncated() {
        for length in 0..22 {
            assert_eq!(Frame::parse(&DOUBLE_TAGGED[..length]), Err(Cause::Truncated), "{length} bytes");
        }
        assert_eq!(Frame::parse(&DOUBLE_TAGGED[..22]).unwrap().payload, []);
    }

    #[test]
    fn a_third_tag_and_a_length_are_refused() {
        let mut frame = DOUBLE_TAGGED.to_vec();
        frame[20..22].copy_from_slice(&[0x81, 0x00]);
        assert_eq!(Frame::parse(&frame), Err(Cause::Tags));
        frame[20..22].copy_from_slice(&[0x05, 0xff]);
        assert_eq!(Frame::parse(&frame), Err(Cause::Length));
        frame[20..22].copy_from_slice(&[0x06, 0x00]);
        assert_eq!(Frame::parse(&frame).unwrap().ether_type, EtherType::Unknown(0x600));
    }

    #[test]
    fn a_station_takes_its_own_its_groups_and_broadcasts() {
        let station = Station { address: CARD, tags: Tags::default() };
        let to = |destination| {
            let tags = Tags::default();
            station.accept(&Frame { destination, source: PEER, tags, ether_type: EtherType::Ipv4, payload: &[] })
        };
        assert_eq!(to(CARD), Ok(Cast::Unicast));
        assert_eq!(to(EthernetAddress::BROADCAST), Ok(Cast::Broadcast));
        assert_eq!(to(EthernetAddress([1, 0, 0x5e, 0, 0, 1])), Ok(Cast::Multicast));
        assert_eq!(to(PEER), Err(Cause::OtherStation));
    }

    #[test]
    fn a_group_sends_nothing() {
        let station = Station { address: CARD, tags: Tags::default() };
        let mut bytes = station.frame(CARD, EtherType::Arp, &[]);
        bytes[6] |= 1;
        assert_eq!(station.accept(&Frame::parse(&bytes).unwrap()), Err(Cause::GroupSource));
    }

    #[test]
    fn a_priority_tag_names_no_vlan() {
        let untagged = Station { address: CARD, tags: Tags::default() };
        let mut frame = Frame::parse(&DOUBLE_TAGGED).unwrap();
        assert_eq!(untagged.accept(&frame), Err(Cause::OtherVlan));
        frame.tags = [tag(TagKind::Customer, 0xe000), None];
        assert_eq!(untagged.accept(&frame), Ok(Cast::Unicast));
        let tagged = Station { address: CARD, tags: [tag(TagKind::Customer, 7), None] };
        assert_eq!(tagged.accept(&frame), Err(Cause::OtherVlan));
        frame.tags = [tag(TagKind::Service, 0xe000), tag(TagKind::Customer, 7)];
        assert_eq!(tagged.accept(&frame), Ok(Cast::Unicast));
        assert_eq!(Frame::parse(&tagged.frame(PEER, EtherType::Ipv6, &[])).unwrap().tags, tagged.tags);
    }
}
