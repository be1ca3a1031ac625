//! Sorts an IPv6 next-header number by how the walk goes on.
//!
//! | port      | dir | width | meaning                                   |
//! |-----------|-----|-------|-------------------------------------------|
//! | `number`  | in  | 8     | next-header number (RFC 8200 §4)          |
//! | `meaning` | out | 3     | see [`NextHeader`]                        |
//!
//! Combinational.

use rust_hdl_core::prelude::*;

/// What an IP next-header or protocol number announces.
#[derive(LogicState, Debug, Copy, Clone, PartialEq)]
pub enum NextHeader {
    Other,
    Extension,
    Fragment,
    Tcp,
    Udp,
    Icmp,
}

/// See the module's page.
#[derive(LogicBlock, Default)]
pub struct NextHeaderDecode {
    pub number: Signal<In, Bits<8>>,
    pub meaning: Signal<Out, NextHeader>,
}

impl Logic for NextHeaderDecode {
    #[hdl_gen]
    fn update(&mut self) {
        self.meaning.next = NextHeader::Other;
        // Hop-by-hop, routing, destination options: same layout, walked through in any order.
        if (self.number.val() == 0) | (self.number.val() == 43) | (self.number.val() == 60) {
            self.meaning.next = NextHeader::Extension;
        }
        if self.number.val() == 44 {
            self.meaning.next = NextHeader::Fragment;
        }
        if self.number.val() == 6 {
            self.meaning.next = NextHeader::Tcp;
        }
        if self.number.val() == 17 {
            self.meaning.next = NextHeader::Udp;
        }
        if self.number.val() == 58 {
            self.meaning.next = NextHeader::Icmp;
        }
    }
}
