//! What processors send each other, as bytes: a message's kind and context word, and what lies in memory.
//!
//! Who receives one believes nothing: what cannot have been written here is `None`.

use alloc::vec::Vec;
use core::net::IpAddr;

use smoltcp::wire::IpProtocol;

use super::directory::Note;
use super::ethernet::Cast;
use super::icmp::{ErrorKind, Quoted};
use super::session::{self, End, Session};
use super::steering::Step;
use super::steering::table::Table;
use super::transport::packet::Packet;
use crate::kernel::message::Kind;

/// What one processor has for another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parcel {
    /// A datagram to process, because the sender is too busy (68.3).
    Datagram(Packet),
    /// A segment of a session that is not the sender's (67.5).
    Segment(Packet, Step),
    /// Something that was sent does not arrive; what it was is quoted.
    Trouble(ErrorKind, Quoted, Step),
    /// About sessions.
    Note(Note),
    /// The host has changed the table.
    Table(Table),
    /// A group was joined, or left.
    Group(IpAddr, bool),
}

/// A parcel as it travels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// The message's kind.
    pub kind: Kind,
    /// Its context: what the parcel is in bits 31:24, hops in 18:16, flags from 19 on, the generation of a table in 15:0.
    pub context: u32,
    /// What lies in memory.
    pub body: Vec<u8>,
}

const DATAGRAM: u8 = 1;
const SEGMENT: u8 = 2;
const TROUBLE: u8 = 3;
const OPENED: u8 = 4;
const CLOSED: u8 = 5;
const KNOWN: u8 = 6;
const REFUSED: u8 = 7;
const DECLARED: u8 = 8;
const TABLE: u8 = 9;
const JOINED: u8 = 10;
const LEFT: u8 = 11;

/// The transport's checksum is right.
const CHECKED: u32 = 1 << 19;
/// To whom the packet was, in two bits.
const CAST: u32 = 20;
const HOPS: u32 = 16;

impl Parcel {
    /// Whether it must arrive. The others are packets, and what is lost of those is sent again by who sent it first.
    pub const fn is_vital(&self) -> bool {
        matches!(self, Self::Note(_) | Self::Table(_) | Self::Group(..))
    }

    /// The parcel as bytes.
    pub fn encode(&self) -> Encoded {
        let (kind, what, flags, body) = match self {
            Self::Datagram(packet) => (Kind::Packet, DATAGRAM, flags_of(packet), packet.bytes().to_vec()),
            Self::Segment(packet, step) => {
                (Kind::Transport, SEGMENT, flags_of(packet) | word_of(*step), packet.bytes().to_vec())
            }
            Self::Trouble(kind, quoted, step) => {
                (Kind::Transport, TROUBLE, word_of(*step), trouble(*kind, quoted).unwrap_or_default())
            }
            Self::Note(note) => {
                let (what, flags, body) = note_of(note);
                (Kind::Notice, what, flags, body)
            }
            Self::Table(table) => (Kind::Notice, TABLE, 0, table.encode().to_vec()),
            Self::Group(group, joined) => {
                (Kind::Notice, if *joined { JOINED } else { LEFT }, 0, session::mapped(*group).to_vec())
            }
        };
        Encoded { kind, context: u32::from(what) << 24 | flags, body }
    }

    /// Reads a parcel.
    pub fn decode(kind: Kind, context: u32, body: Vec<u8>) -> Option<Self> {
        let [what, ..] = context.to_be_bytes();
        let step = Step { generation: context as u16, hops: (context >> HOPS & 7) as u8 };
        Some(match (kind, what) {
            (Kind::Packet, DATAGRAM) => {
                Self::Datagram(packet(context, body).filter(|it| it.protocol() == IpProtocol::Udp)?)
            }
            (Kind::Transport, SEGMENT) => {
                Self::Segment(packet(context, body).filter(|it| it.protocol() == IpProtocol::Tcp)?, step)
            }
            (Kind::Transport, TROUBLE) => {
                let (kind, quoted) = read_trouble(&body)?;
                Self::Trouble(kind, quoted, step)
            }
            (Kind::Notice, OPENED) => Self::Note(Note::Opened(sessions(&body)?)),
            (Kind::Notice, CLOSED) => Self::Note(Note::Closed(sessions(&body)?)),
            (Kind::Notice, KNOWN) => Self::Note(Note::Known(sessions(&body)?)),
            (Kind::Notice, REFUSED) => Self::Note(Note::Refused(sessions(&body)?)),
            (Kind::Notice, DECLARED) => Self::Note(Note::Declared(step.generation)),
            (Kind::Notice, TABLE) => Self::Table(Table::decode(&body)?),
            (Kind::Notice, JOINED | LEFT) => Self::Group(session::unmapped(body.try_into().ok()?), what == JOINED),
            _ => return None,
        })
    }
}

const CASTS: [Cast; 3] = [Cast::Unicast, Cast::Multicast, Cast::Broadcast];

fn flags_of(packet: &Packet) -> u32 {
    let checked = if packet.is_checked { CHECKED } else { 0 };
    checked | (packet.cast as u32) << CAST
}

fn packet(context: u32, body: Vec<u8>) -> Option<Packet> {
    let cast = *CASTS.get((context >> CAST & 3) as usize)?;
    Packet::parse(body, cast, context & CHECKED != 0)
}

fn word_of(step: Step) -> u32 {
    u32::from(step.generation) | u32::from(step.hops & 7) << HOPS
}

fn note_of(note: &Note) -> (u8, u32, Vec<u8>) {
    let list = |sessions: &[Session]| sessions.iter().flat_map(Session::encode).collect();
    match note {
        Note::Opened(sessions) => (OPENED, 0, list(sessions)),
        Note::Closed(sessions) => (CLOSED, 0, list(sessions)),
        Note::Known(sessions) => (KNOWN, 0, list(sessions)),
        Note::Refused(sessions) => (REFUSED, 0, list(sessions)),
        Note::Declared(generation) => (DECLARED, u32::from(*generation), Vec::new()),
    }
}

fn sessions(body: &[u8]) -> Option<Vec<Session>> {
    let (sessions, rest) = body.as_chunks::<{ session::ENCODED }>();
    rest.is_empty().then(|| sessions.iter().map(Session::decode).collect())
}

/// Kinds of error by number.
const ERRORS: [ErrorKind; 9] = [
    ErrorKind::NetworkUnreachable,
    ErrorKind::HostUnreachable,
    ErrorKind::ProtocolUnreachable,
    ErrorKind::PortUnreachable,
    ErrorKind::Prohibited,
    ErrorKind::TooBig { mtu: 0 },
    ErrorKind::TimeExceeded,
    ErrorKind::ReassemblyTime,
    ErrorKind::ParameterProblem,
];
/// Bytes of a trouble: number, protocol, whether there is a sequence number, MTU, sequence number, session.
const TROUBLE_BYTES: usize = 3 + 4 + 4 + session::ENCODED;

/// Only errors about ports are sent on.
fn trouble(kind: ErrorKind, quoted: &Quoted) -> Option<Vec<u8>> {
    let session = session_of(quoted)?;
    let mtu = if let ErrorKind::TooBig { mtu } = kind { mtu } else { 0 };
    let is_same = |other: &ErrorKind| core::mem::discriminant(other) == core::mem::discriminant(&kind);
    let number = ERRORS.iter().position(is_same)? as u8;
    let mut body = Vec::with_capacity(TROUBLE_BYTES);
    body.extend_from_slice(&[number, quoted.protocol.into(), u8::from(quoted.sequence.is_some())]);
    body.extend_from_slice(&mtu.to_be_bytes());
    body.extend_from_slice(&quoted.sequence.unwrap_or(0).to_be_bytes());
    body.extend_from_slice(&session.encode());
    Some(body)
}

/// The session that an error is about.
pub fn session_of(quoted: &Quoted) -> Option<Session> {
    let (local, remote) = quoted.ports?;
    Some(Session { local: End::new(quoted.local, local), remote: End::new(quoted.remote, remote) })
}

fn read_trouble(body: &[u8]) -> Option<(ErrorKind, Quoted)> {
    let (&[number, protocol, has_sequence], rest) = body.split_first_chunk::<3>()?;
    let (&mtu, rest) = rest.split_first_chunk::<4>()?;
    let (&sequence, rest) = rest.split_first_chunk::<4>()?;
    let Session { local, remote } = Session::decode(rest.try_into().ok()?);
    let kind = match *ERRORS.get(usize::from(number))? {
        ErrorKind::TooBig { .. } => ErrorKind::TooBig { mtu: u32::from_be_bytes(mtu) },
        kind => kind,
    };
    let quoted = Quoted {
        protocol: IpProtocol::from(protocol),
        local: local.address,
        remote: remote.address,
        ports: Some((local.port, remote.port)),
        sequence: (has_sequence != 0).then_some(u32::from_be_bytes(sequence)),
    };
    Some((kind, quoted))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::specimens::{CARD, CARD_6, PEER, PEER_6, TCP, UDP, below, ipv4, ipv6, random_bytes, seeded, udp};

    fn back(parcel: &Parcel) -> Option<Parcel> {
        let Encoded { kind, context, body } = parcel.encode();
        Parcel::decode(kind, context, body)
    }

    fn session(port: u16) -> Session {
        Session { local: End::new(CARD_6.into(), 80), remote: End::new(PEER_6.into(), port) }
    }

    fn datagram() -> Packet {
        let bytes = ipv4(PEER, CARD, UDP, &udp(PEER.into(), CARD.into(), 1, 2, b"x"));
        Packet::parse(bytes, Cast::Broadcast, true).unwrap()
    }

    fn parcels() -> Vec<Parcel> {
        let segment = Packet::parse(ipv6(PEER_6, CARD_6, TCP, &[7; 20]), Cast::Unicast, false).unwrap();
        let step = Step { generation: 0xfffe, hops: 2 };
        let quoted = Quoted {
            protocol: IpProtocol::Tcp,
            local: CARD.into(),
            remote: PEER.into(),
            ports: Some((80, 9)),
            sequence: Some(0x0102_0304),
        };
        let list: Vec<_> = (1..4).map(session).collect();
        let mut parcels = alloc::vec![
            Parcel::Datagram(datagram()),
            Parcel::Segment(segment, step),
            Parcel::Trouble(ErrorKind::TooBig { mtu: 1400 }, quoted, step),
            Parcel::Trouble(ErrorKind::Prohibited, Quoted { sequence: None, ..quoted }, step),
            Parcel::Note(Note::Opened(list.clone())),
            Parcel::Note(Note::Closed(list.clone())),
            Parcel::Note(Note::Known(list.clone())),
            Parcel::Note(Note::Refused(list)),
            Parcel::Note(Note::Declared(77)),
            Parcel::Table(Table { generation: 9, ..Table::reset(8) }),
            Parcel::Group("224.1.2.3".parse().unwrap(), true),
            Parcel::Group("ff02::99".parse().unwrap(), false),
        ];
        parcels.extend(ERRORS.map(|kind| Parcel::Trouble(kind, quoted, step)));
        parcels
    }

    #[test]
    fn what_was_sent_is_what_arrives() {
        let parcels = parcels();
        for parcel in &parcels {
            assert_eq!(back(parcel).as_ref(), Some(parcel));
        }
        assert_eq!(parcels.iter().filter(|parcel| parcel.is_vital()).count(), 8);
    }

    #[test]
    fn a_context_is_laid_out_as_documented() {
        let step = Step { generation: 0x1234, hops: 5 };
        let segment = Packet::parse(ipv4(PEER, CARD, TCP, &[0; 20]), Cast::Unicast, true).unwrap();
        assert_eq!(Parcel::Segment(segment, step).encode().context, 0x020d_1234);
        assert_eq!(Parcel::Datagram(datagram()).encode().context, 0x0128_0000);
        assert_eq!(Parcel::Note(Note::Declared(5)).encode().context, 0x0800_0005);
    }

    #[test]
    fn a_kind_has_its_own_parcels() {
        let Encoded { context, body, .. } = Parcel::Datagram(datagram()).encode();
        assert_eq!(Parcel::decode(Kind::Transport, context, body.clone()), None);
        assert_eq!(Parcel::decode(Kind::Transport, 0x0200_0000, body), None, "UDP is no segment");
        assert_eq!(Parcel::decode(Kind::Returned, 0, Vec::new()), None);
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let mut rng = seeded(68);
        let parcels = parcels();
        let mut read = 0;
        for _ in 0..20_000 {
            let Encoded { mut kind, mut context, mut body } = parcels[below(&mut rng, parcels.len())].encode();
            match below(&mut rng, 4) {
                0 => kind = Kind::ALL[below(&mut rng, 5)],
                1 => context ^= 1 << below(&mut rng, 32),
                2 => body.truncate(below(&mut rng, body.len() + 1)),
                _ => {
                    let length = below(&mut rng, 200);
                    body = random_bytes(&mut rng, length);
                }
            }
            read += usize::from(Parcel::decode(kind, context, body).is_some());
        }
        assert!((1000..19_000).contains(&read), "{read}");
    }
}
