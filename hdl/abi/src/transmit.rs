//! Frames to send: what a processor hands in, and what it gets back.
//!
//! A processor writes the two words of a [`Send`]; the write of word 0 hands the frame in. Its buffer must not be touched until the
//! frame's entry comes back through the done queue, see [`Done`].

/// Frames of one processor that may be handed in and not yet taken back.
pub const QUEUE_DEPTH: usize = 64;

/// Shortest frame on the wire, in bytes, without FCS (IEEE 802.3: 64 with FCS). Shorter ones are filled up with zeros.
pub const MIN_WIRE_FRAME: usize = 60;

/// Bytes a processor may send per turn: the quantum of the deficit round robin (Shreedhar and Varghese, 1996).
pub const QUANTUM: usize = 1536;

/// Places counted from the start of the frame lie below this many bytes.
pub const PLACE_LIMIT: usize = 256;

/// A frame to send. All places are even; Ethernet headers with any number of tags make them so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Send {
    /// Where the frame starts in the processor's memory, 24 bits, any alignment.
    pub address: u32,
    /// Bytes of the frame without FCS: [`crate::limits::MIN_FRAME`] to [`crate::limits::MAX_FRAME`].
    pub length: u16,
    /// Insert the header checksum of the IPv4 header that starts here. The field must hold 0.
    pub ip: Option<u8>,
    /// Insert the checksum of TCP, UDP or the like.
    pub transport: Option<Transport>,
}

/// A checksum from a place to the end of the frame. The field must hold the sum of the pseudo header (not inverted), as virtio wants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Transport {
    /// Where the sum starts: the first byte of the TCP or UDP header.
    pub start: u8,
    /// Where the checksum stands, counted from `start`: 16 in TCP, 6 in UDP. With 6 a checksum of 0 is sent as 0xFFFF (RFC 768).
    pub field: u8,
}

impl Send {
    /// Bits of word 1 that mean something.
    pub const WORD_1_BITS: usize = 29;
    /// Bit position in word 0 of half the place of the IPv4 header.
    pub const IP_LSB: u32 = 24;
    /// Bit in word 0: insert the IPv4 header checksum.
    pub const IP_INSERT: u32 = 31;
    /// Bit position in word 1 of half of [`Transport::start`].
    pub const START_LSB: u32 = 14;
    /// Bit position in word 1 of half of [`Transport::field`].
    pub const FIELD_LSB: u32 = 21;
    /// Bit in word 1: insert the transport checksum.
    pub const TRANSPORT_INSERT: u32 = 28;

    /// Words 0 and 1.
    pub const fn words(self) -> [u32; 2] {
        let (mut zero, mut one) = (self.address & 0xFF_FFFF, self.length as u32 & 0x3FFF);
        if let Some(place) = self.ip {
            zero |= 1 << Self::IP_INSERT | (place as u32 / 2) << Self::IP_LSB;
        }
        if let Some(Transport { start, field }) = self.transport {
            one |= 1 << Self::TRANSPORT_INSERT;
            one |= (start as u32 / 2) << Self::START_LSB | (field as u32 / 2) << Self::FIELD_LSB;
        }
        [zero, one]
    }
}

/// An entry of the done queue: a buffer that may be used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done(pub u32);

impl Done {
    /// Bit of [`Done::refused`].
    pub const REFUSED: u32 = 31;

    /// The address that was handed in.
    pub const fn address(self) -> u32 {
        self.0 & 0xFF_FFFF
    }

    /// The frame was not sent: its length is not that of a frame.
    pub const fn refused(self) -> bool {
        self.0 >> Self::REFUSED & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_laid_out_as_documented() {
        // Written by hand. IPv4 at 14: 7 << 24. TCP at 34: 17 << 14 = 0x44000; field 16: 8 << 21 = 0x1000000; 1514 = 0x5EA.
        let send = Send {
            address: 0xAB_CDEF,
            length: 1514,
            ip: Some(14),
            transport: Some(Transport { start: 34, field: 16 }),
        };
        assert_eq!(send.words(), [0x87AB_CDEF, 0x1104_45EA]);
        assert_eq!(Send { ip: None, transport: None, ..send }.words(), [0x00AB_CDEF, 0x0000_05EA]);
    }

    #[test]
    fn a_done_entry_is_an_address_and_a_flag() {
        let done = Done(0x8012_3456);
        assert_eq!((done.address(), done.refused()), (0x12_3456, true));
        assert!(!Done(0x0012_3456).refused());
    }
}
