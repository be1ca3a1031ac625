//! Segments that were overtaken on their way.
//!
//! RFC 9293, 3.10.7.4 has an old acknowledgement ignored, and the rest of its segment taken; `smoltcp` drops the segment. Segments of one
//! connection come through several processors when they were fragments, and overtake each other often. So an old acknowledgement is
//! replaced by the newest one, with the window that came with it, before `smoltcp` sees the segment. It must not be older than what
//! may have been under way (RFC 5961, 5.2).

use alloc::vec::Vec;

use smoltcp::wire::{TcpPacket, TcpSeqNumber};

use super::packet::Packet;

/// An acknowledgement, and the window beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acknowledgement {
    number: TcpSeqNumber,
    window: u16,
}

impl Acknowledgement {
    /// That of a packet's segment, if it has one.
    pub fn of(packet: &Packet) -> Option<Self> {
        let tcp = TcpPacket::new_checked(packet.segment_bytes()).ok()?;
        tcp.ack().then(|| Self { number: tcp.ack_number(), window: tcp.window_len() })
    }

    /// The packet with this acknowledgement, if its own is older by no more than `reach`. Its checksum is not right any more.
    pub fn renew(self, packet: &Packet, reach: usize) -> Option<Vec<u8>> {
        let old = Self::of(packet)?;
        if old.number >= self.number || self.number - old.number > reach {
            return None;
        }
        let mut bytes = packet.bytes().to_vec();
        let start = bytes.len() - packet.segment_bytes().len();
        let mut tcp = TcpPacket::new_checked(bytes.get_mut(start..)?).ok()?;
        if tcp.rst() || tcp.syn() {
            return None;
        }
        tcp.set_ack_number(self.number);
        tcp.set_window_len(self.window);
        Some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::ethernet::Cast;
    use crate::net::specimens::{CARD, PEER, TCP, ipv4};

    /// A segment (RFC 9293, 3.1) with data.
    fn packet(acknowledgement: u32, flags: u8, window: u16) -> Packet {
        let mut segment = alloc::vec![0x10, 0, 0, 80, 0, 0, 0, 9];
        segment.extend_from_slice(&acknowledgement.to_be_bytes());
        segment.extend_from_slice(&[0x50, flags]);
        segment.extend_from_slice(&window.to_be_bytes());
        segment.extend_from_slice(&[0, 0, 0, 0, 7, 7]);
        Packet::parse(ipv4(PEER, CARD, TCP, &segment), Cast::Unicast, true).unwrap()
    }

    const ACK: u8 = 0x10;

    #[test]
    fn an_old_acknowledgement_becomes_the_newest_one_and_nothing_else_changes() {
        let newest = Acknowledgement::of(&packet(5, ACK, 0x0102)).unwrap();
        let old = packet(0xffff_fffe, ACK, 9);
        let renewed = newest.renew(&old, 7).unwrap();
        let mut expected = old.bytes().to_vec();
        expected[28..32].copy_from_slice(&[0, 0, 0, 5]);
        expected[34..36].copy_from_slice(&[1, 2]);
        assert_eq!(renewed, expected);
    }

    #[test]
    fn what_is_not_old_too_old_or_no_data_stays() {
        let newest = Acknowledgement::of(&packet(1000, ACK, 1)).unwrap();
        assert_eq!(newest.renew(&packet(1000, ACK, 9), 500), None);
        assert_eq!(newest.renew(&packet(1001, ACK, 9), 500), None);
        assert!(newest.renew(&packet(500, ACK, 9), 500).is_some());
        assert_eq!(newest.renew(&packet(499, ACK, 9), 500), None);
        // RST, SYN, and no acknowledgement.
        for flags in [ACK | 4, ACK | 2, 0] {
            assert_eq!(newest.renew(&packet(999, flags, 9), 500), None);
        }
        assert_eq!(Acknowledgement::of(&packet(1, 0, 1)), None);
    }
}
