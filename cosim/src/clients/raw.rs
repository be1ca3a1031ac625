//! Senders of frames that were made beforehand: floods, fragments, whatever no stack would send.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::rc::Rc;

use etherparse::{IpNumber, Ipv4Header, PacketBuilder};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use super::{Client, Micros};

/// Bytes of an Ethernet header.
const ETHERNET: usize = 14;

/// The number of ICMP (RFC 792).
pub const ICMP: IpNumber = IpNumber::ICMP;

/// Sends frames at their times, and keeps what it is sent.
pub struct RawSender {
    address: [u8; 6],
    frames: VecDeque<(Micros, Vec<u8>)>,
    received: Vec<(Micros, Vec<u8>)>,
}

/// A raw sender that somebody keeps an eye on while it is a client.
pub type SharedRawSender = Rc<RefCell<RawSender>>;

impl RawSender {
    /// A sender with this Ethernet address, and frames in the order of their times.
    pub fn new(address: [u8; 6], frames: Vec<(Micros, Vec<u8>)>) -> Self {
        Self { address, frames: frames.into(), received: Vec::new() }
    }

    /// To be shared between a system and whoever looks at it.
    pub fn shared(self) -> SharedRawSender {
        Rc::new(RefCell::new(self))
    }

    /// Sends one more behind those, as soon as it is [called](crate::system::System::wake_client).
    pub fn send(&mut self, frame: Vec<u8>) {
        self.frames.push_back((0, frame));
    }

    /// Frames that are still to be sent.
    pub fn waiting(&self) -> usize {
        self.frames.len()
    }

    /// Frames that came for it since the last call.
    pub fn take_received(&mut self) -> Vec<(Micros, Vec<u8>)> {
        std::mem::take(&mut self.received)
    }
}

impl Client for SharedRawSender {
    fn address(&self) -> [u8; 6] {
        self.borrow().address
    }

    fn receive(&mut self, now: Micros, frame: &[u8]) {
        self.borrow_mut().received.push((now, frame.to_vec()));
    }

    fn poll(&mut self, now: Micros, out: &mut Vec<Vec<u8>>) -> Option<Micros> {
        let frames = &mut self.borrow_mut().frames;
        while let Some((_, frame)) = frames.pop_front_if(|(due, _)| *due <= now) {
            out.push(frame);
        }
        frames.front().map(|(due, _)| *due)
    }
}

/// The two ends of a path, by Ethernet and IPv4 address.
#[derive(Clone, Copy, Debug)]
pub struct Path {
    /// Who sends.
    pub from: ([u8; 6], Ipv4Addr),
    /// To whom.
    pub to: ([u8; 6], Ipv4Addr),
}

/// A flood of connection requests to one port, from addresses of 10.0.0.0/8 and ports that are drawn from the seed; nobody will answer
/// what they are answered with.
pub fn syn_flood(
    path: Path,
    port: u16,
    count: u32,
    start: Micros,
    interval: Micros,
    seed: u64,
) -> Vec<(Micros, Vec<u8>)> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let syn = |k: u32| {
        let [_, b, c, d] = random.next_u32().to_be_bytes();
        let (source_port, sequence) = (random.next_u32() as u16 | 1024, random.next_u32());
        let builder = PacketBuilder::ethernet2(path.from.0, path.to.0)
            .ipv4([10, b, c, d.max(1)], path.to.1.octets(), 64)
            .tcp(source_port, port, sequence, 65_535)
            .syn();
        let mut frame = Vec::with_capacity(builder.size(0));
        // A vector takes all that is written to it.
        let _ = builder.write(&mut frame, &[]);
        (start + u64::from(k) * interval, frame)
    };
    (0..count).map(syn).collect()
}

/// A UDP datagram as an IPv4 packet.
pub fn udp_datagram(path: Path, ports: (u16, u16), payload: &[u8]) -> Vec<u8> {
    let builder = PacketBuilder::ipv4(path.from.1.octets(), path.to.1.octets(), 64).udp(ports.0, ports.1);
    let mut packet = Vec::with_capacity(builder.size(payload.len()));
    // A vector takes all that is written to it, and the caller's datagram is no longer than IP allows.
    let _ = builder.write(&mut packet, payload);
    packet
}

/// The fragments of an IPv4 packet, as Ethernet frames in their order, each with `bytes` of it (a multiple of 8) but for the last.
pub fn fragments(path: Path, packet: &[u8], identification: u16, bytes: usize) -> Vec<Vec<u8>> {
    let Ok((header, payload)) = Ipv4Header::from_slice(packet) else { return Vec::new() };
    let step = (bytes / 8 * 8).max(8);
    let pieces: Vec<&[u8]> = payload.chunks(step).collect();
    let last = pieces.len().saturating_sub(1);
    let fragment = |(k, piece): (usize, &&[u8])| {
        let offset = (k * step / 8) as u16;
        fragment_frame(path, header.protocol, identification, offset, k < last, piece)
    };
    pieces.iter().enumerate().map(fragment).collect()
}

/// One fragment, as it is told: `offset` in units of 8 bytes.
pub fn fragment_frame(
    path: Path,
    protocol: IpNumber,
    identification: u16,
    offset: u16,
    more: bool,
    piece: &[u8],
) -> Vec<u8> {
    let mut header = [0u8; 20];
    header[0] = 0x45;
    header[2..4].copy_from_slice(&(20 + piece.len() as u16).to_be_bytes());
    header[4..6].copy_from_slice(&identification.to_be_bytes());
    header[6..8].copy_from_slice(&(offset & 0x1fff | u16::from(more) << 13).to_be_bytes());
    header[8] = 64;
    header[9] = protocol.0;
    header[12..16].copy_from_slice(&path.from.1.octets());
    header[16..20].copy_from_slice(&path.to.1.octets());
    let sum: u32 = header.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1])).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    header[10..12].copy_from_slice(&(!(folded as u16)).to_be_bytes());
    let mut frame = Vec::with_capacity(ETHERNET + 20 + piece.len());
    frame.extend(path.to.0);
    frame.extend(path.from.0);
    frame.extend([0x08, 0x00]);
    frame.extend(header);
    frame.extend(piece);
    frame
}

#[cfg(test)]
mod tests {
    use etherparse::{SlicedPacket, TransportSlice};

    use super::*;

    const PATH: Path = Path {
        from: ([2, 0, 0, 0, 0, 9], Ipv4Addr::new(10, 0, 0, 9)),
        to: ([2, 0, 0, 0, 0, 1], Ipv4Addr::new(10, 0, 0, 1)),
    };

    #[test]
    fn fragments_put_together_are_the_datagram() {
        let payload: Vec<u8> = (0..3000u32).map(|b| b as u8).collect();
        let packet = udp_datagram(PATH, (7, 9), &payload);
        let frames = fragments(PATH, &packet, 77, 1001);
        assert_eq!(frames.len(), 4);
        let mut whole: Vec<u8> = Vec::new();
        for (k, frame) in frames.iter().enumerate() {
            let (header, piece) = Ipv4Header::from_slice(&frame[14..]).unwrap();
            assert_eq!(header.header_checksum, header.calc_header_checksum());
            assert_eq!((header.identification, header.more_fragments), (77, k < 3));
            assert_eq!(usize::from(header.fragment_offset.value()) * 8, whole.len());
            whole.extend(piece);
        }
        assert_eq!(whole, packet[20..]);
    }

    #[test]
    fn a_flood_is_of_connection_requests_and_its_seed_decides_it() {
        let flood = syn_flood(PATH, 80, 100, 50, 3, 5);
        assert_eq!(flood, syn_flood(PATH, 80, 100, 50, 3, 5));
        let mut sources = std::collections::BTreeSet::new();
        for (k, (due, frame)) in flood.iter().enumerate() {
            assert_eq!(*due, 50 + 3 * k as u64);
            let packet = SlicedPacket::from_ethernet(frame).unwrap();
            let Some(TransportSlice::Tcp(tcp)) = packet.transport else { panic!("{packet:?}") };
            assert!(tcp.syn() && !tcp.ack() && tcp.destination_port() == 80);
            sources.insert(frame[26..34].to_vec());
        }
        assert_eq!(sources.len(), 100);
    }
}
