//! Reads one 32-bit header word every way it could be meant, before anyone knows which way it is.
//!
//! The header walk has to handle several words a cycle one behind the other, so all comparisons and sums are done here, a cycle
//! earlier and for all words side by side; the walk then only picks among the results.
//!
//! | port       | dir | width | meaning                                                 |
//! |------------|-----|-------|---------------------------------------------------------|
//! | `word`     | in  | 32    | header word, first byte highest                         |
//! | `position` | in  | 7     | its number; word 4 is the first behind Ethernet         |
//! | `info`     | out | 74    | the readings, see [`WordInfo`]                          |
//!
//! Combinational.

use rust_hdl_core::prelude::*;

use crate::next_header::{NextHeader, NextHeaderDecode};

/// What an EtherType announces.
#[derive(LogicState, Debug, Copy, Clone, PartialEq)]
pub enum EtherType {
    Other,
    Ipv4,
    Ipv6,
    Arp,
    Tag,
}

/// One header word, read in every way. Places are word numbers; lengths are cut off at 64 words, beyond the parser's reach anyway.
#[derive(LogicStruct, Debug, Copy, Clone, PartialEq, Default)]
pub struct WordInfo {
    pub position: Bits<7>,
    /// The next word.
    pub following: Bits<7>,
    /// Low half: EtherType.
    pub ether_type: EtherType,
    /// First word of IPv4: version 4, IHL at least 5, total length at least the header's.
    pub ipv4_valid: Bit,
    /// First word of IPv4: last word of the header.
    pub ipv4_last: Bits<7>,
    /// First word of IPv4: first word behind the datagram.
    pub ipv4_limit: Bits<7>,
    /// Second word of IPv4: more fragments set or fragment offset not zero (RFC 791).
    pub ipv4_fragment: Bit,
    /// Third word of IPv4: protocol.
    pub ipv4_next: NextHeader,
    /// First word of IPv6: version 6.
    pub ipv6_valid: Bit,
    /// Second word of IPv6: last word of the header.
    pub ipv6_last: Bits<7>,
    /// Second word of IPv6: first word behind the datagram.
    pub ipv6_limit: Bits<7>,
    /// Second word of IPv6: next header.
    pub ipv6_next: NextHeader,
    /// Second word of IPv6: a routing header follows.
    pub ipv6_routing: Bit,
    /// First word of an IPv6 extension header: next header.
    pub extension_next: NextHeader,
    /// First word of an IPv6 extension header: a routing header follows.
    pub extension_routing: Bit,
    /// First word of an IPv6 extension header: its last word.
    pub extension_last: Bits<7>,
    /// Last word ahead of an IPv6 fragment header: the header's second word, with the identification.
    pub identification: Bits<7>,
    /// First word of ICMPv6: a neighbour discovery type, 133 to 137 (RFC 4861).
    pub neighbour_discovery: Bit,
}

/// See the module's page.
#[derive(LogicBlock, Default)]
pub struct WordDecode {
    pub word: Signal<In, Bits<32>>,
    pub position: Signal<In, Bits<7>>,
    pub info: Signal<Out, WordInfo>,
    ether_type: Signal<Local, Bits<16>>,
    version: Signal<Local, Bits<4>>,
    ihl: Signal<Local, Bits<4>>,
    length: Signal<Local, Bits<16>>,
    payload: Signal<Local, Bits<16>>,
    ipv4_protocol: Signal<Local, Bits<8>>,
    ipv6_next: NextHeaderDecode,
    extension_next: NextHeaderDecode,
    first_byte: Signal<Local, Bits<8>>,
    extension_length: Signal<Local, Bits<8>>,
    length_words: Signal<Local, Bits<7>>,
    payload_words: Signal<Local, Bits<7>>,
    extension_words: Signal<Local, Bits<7>>,
}

impl Logic for WordDecode {
    #[hdl_gen]
    fn update(&mut self) {
        self.ether_type.next = self.word.val().get_bits::<16>(0);
        self.version.next = self.word.val().get_bits::<4>(28);
        self.ihl.next = self.word.val().get_bits::<4>(24);
        self.length.next = self.word.val().get_bits::<16>(0);
        self.payload.next = self.word.val().get_bits::<16>(16);
        self.ipv4_protocol.next = self.word.val().get_bits::<8>(16);
        self.first_byte.next = self.word.val().get_bits::<8>(24);
        self.extension_length.next = self.word.val().get_bits::<8>(16);

        self.info.next.position = self.position.val();
        self.info.next.following = self.position.val() + 1;
        self.info.next.ether_type = EtherType::Other;
        if self.ether_type.val() == 0x0800 {
            self.info.next.ether_type = EtherType::Ipv4;
        }
        if self.ether_type.val() == 0x86dd {
            self.info.next.ether_type = EtherType::Ipv6;
        }
        if self.ether_type.val() == 0x0806 {
            self.info.next.ether_type = EtherType::Arp;
        }
        // 802.1Q and 802.1ad, in either order.
        if (self.ether_type.val() == 0x8100) | (self.ether_type.val() == 0x88a8) {
            self.info.next.ether_type = EtherType::Tag;
        }

        // Total length in bytes against IHL in words; the sum's carry is kept.
        self.info.next.ipv4_valid = (self.version.val() == 4)
            & (self.ihl.val() >= 5)
            & (self.length.val() >= (bit_cast::<16, 4>(self.ihl.val()) << 2));
        self.info.next.ipv4_last = self.position.val() + bit_cast::<7, 4>(self.ihl.val()) - 1;
        self.length_words.next = bit_cast::<7, 16>(self.length.val() >> 2);
        if self.length.val() >= 256 {
            self.length_words.next = 64.into();
        }
        self.info.next.ipv4_limit = self.position.val() + self.length_words.val();
        self.info.next.ipv4_fragment = (self.length.val() & 0x3fff) != 0;
        self.info.next.ipv4_next = NextHeader::Other;
        if self.ipv4_protocol.val() == 6 {
            self.info.next.ipv4_next = NextHeader::Tcp;
        }
        if self.ipv4_protocol.val() == 17 {
            self.info.next.ipv4_next = NextHeader::Udp;
        }

        self.info.next.ipv6_valid = self.version.val() == 6;
        // Seen from the second of ten words.
        self.info.next.ipv6_last = self.position.val() + 8;
        self.payload_words.next = bit_cast::<7, 16>(self.payload.val() >> 2);
        if self.payload.val() >= 256 {
            self.payload_words.next = 64.into();
        }
        self.info.next.ipv6_limit = self.position.val() + self.payload_words.val() + 9;
        self.ipv6_next.number.next = self.word.val().get_bits::<8>(8);
        self.info.next.ipv6_next = self.ipv6_next.meaning.val();
        self.info.next.ipv6_routing = self.word.val().get_bits::<8>(8) == 43;

        self.extension_next.number.next = self.word.val().get_bits::<8>(24);
        self.info.next.extension_next = self.extension_next.meaning.val();
        self.info.next.extension_routing = self.word.val().get_bits::<8>(24) == 43;
        // (length + 1) × 8 bytes (RFC 8200 §4), so 2 × length + 1 words behind the first.
        self.extension_words.next = (bit_cast::<7, 8>(self.extension_length.val()) << 1) | 1;
        if self.extension_length.val() >= 32 {
            self.extension_words.next = 64.into();
        }
        self.info.next.extension_last = self.position.val() + self.extension_words.val();
        self.info.next.identification = self.position.val() + 2;
        self.info.next.neighbour_discovery = (self.first_byte.val() >= 133) & (self.first_byte.val() <= 137);
    }
}
