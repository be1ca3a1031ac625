//! Receive queue entries: what a processor hands in (an empty buffer) and what it gets back (a filled one).
//!
//! A processor writes buffer addresses to `RX_FREE`. For each frame the hardware posts one entry; the read of `RX_POST` takes it
//! and returns its address, and `RX_STATUS` and `RX_HASH` then describe the entry that was taken last.

/// What a read of an empty queue returns (I2O: an empty list reads all ones).
pub const EMPTY: u32 = 0xFFFF_FFFF;

/// What the parser found a frame to be. The numbers are those of `RX_STATUS.CLASS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Class {
    /// Neither IP nor ARP.
    Other = 0,
    /// ARP (EtherType 0x0806).
    Arp = 1,
    /// IP without ports: another protocol than TCP and UDP.
    Ip = 2,
    /// TCP, not a fragment.
    Tcp = 3,
    /// UDP, not a fragment.
    Udp = 4,
    /// A fragment of an IP datagram, the first one included.
    Fragment = 5,
    /// IPv6 neighbour discovery (ICMPv6 types 133 to 137, RFC 4861).
    NeighbourDiscovery = 6,
    /// Headers that contradict themselves, are cut off, or do not end within [`crate::limits::HEADER_DEPTH`].
    Malformed = 7,
}

impl Class {
    /// All classes, in the order of their numbers.
    pub const ALL: [Class; 8] = [
        Class::Other,
        Class::Arp,
        Class::Ip,
        Class::Tcp,
        Class::Udp,
        Class::Fragment,
        Class::NeighbourDiscovery,
        Class::Malformed,
    ];

    /// The short name used in tables, JSON and file formats.
    pub const fn name(self) -> &'static str {
        match self {
            Class::Other => "other",
            Class::Arp => "arp",
            Class::Ip => "ip",
            Class::Tcp => "tcp",
            Class::Udp => "udp",
            Class::Fragment => "frag",
            Class::NeighbourDiscovery => "nd",
            Class::Malformed => "malformed",
        }
    }
}

/// What the card says of a checksum. The numbers are those of `RX_STATUS.IP_CHECK` and `RX_STATUS.TRANSPORT_CHECK`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Check {
    /// Not checked, for whatever reason: software must do it.
    None = 0,
    /// It is right.
    Good = 1,
    /// It is wrong.
    Bad = 2,
}

impl Check {
    const fn of(bits: u32) -> Self {
        match bits & 3 {
            1 => Check::Good,
            2 => Check::Bad,
            _ => Check::None,
        }
    }
}

/// The word `RX_STATUS`: length, class and flags of a received frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status(pub u32);

impl Status {
    /// Bit position of [`Status::class`].
    pub const CLASS_LSB: u32 = 16;
    /// Bit position of [`Status::flooded`].
    pub const FLOODED_LSB: u32 = 19;

    /// Bit position of [`Status::ip_check`].
    pub const IP_CHECK_LSB: u32 = 20;
    /// Bit position of [`Status::transport_check`].
    pub const TRANSPORT_CHECK_LSB: u32 = 22;

    /// Frame length in bytes, without FCS.
    pub const fn length(self) -> usize {
        (self.0 & 0x3fff) as usize
    }

    /// The frame's class.
    pub const fn class(self) -> Class {
        Class::ALL[(self.0 >> Self::CLASS_LSB & 7) as usize]
    }

    /// The frame went to every processor, not only to this one.
    pub const fn flooded(self) -> bool {
        self.0 >> Self::FLOODED_LSB & 1 == 1
    }

    /// The IPv4 header's checksum.
    pub const fn ip_check(self) -> Check {
        Check::of(self.0 >> Self::IP_CHECK_LSB)
    }

    /// The checksum of TCP or UDP.
    pub const fn transport_check(self) -> Check {
        Check::of(self.0 >> Self::TRANSPORT_CHECK_LSB)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_word_is_laid_out_as_documented() {
        // Written by hand: flooded, class 6, length 86 = 0x56.
        let status = Status(0x000E_0056);
        assert_eq!(status.length(), 86);
        assert_eq!(status.class(), Class::NeighbourDiscovery);
        assert!(status.flooded());
        assert!(!Status(0x0006_0056).flooded());
        assert_eq!((status.ip_check(), status.transport_check()), (Check::None, Check::None));
        // TCP of 1,514 bytes, IPv4 header good, TCP bad: 10 01 0 011.
        let status = Status(0x0093_05EA);
        assert_eq!((status.length(), status.class(), status.flooded()), (1514, Class::Tcp, false));
        assert_eq!((status.ip_check(), status.transport_check()), (Check::Good, Check::Bad));
    }

    #[test]
    fn class_numbers_index_the_list() {
        for (number, class) in Class::ALL.into_iter().enumerate() {
            assert_eq!(class as usize, number);
        }
    }
}
