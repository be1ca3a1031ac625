//! Makes the header of a memory request: MRd or MWr, 3 or 4 DW, with the byte enables of any start and length.
//!
//! | port        | dir | width | meaning                                                                              |
//! |-------------|-----|-------|--------------------------------------------------------------------------------------|
//! | `writes`    | in  | 1     | MWr, else MRd                                                                        |
//! | `address`   | in  | 64    | of the first byte                                                                    |
//! | `length`    | in  | 13    | bytes, 1 to 4,096; the range does not pass a multiple of 4,096                       |
//! | `requester` | in  | 16    | requester ID                                                                         |
//! | `tag`       | in  | 8     | tag                                                                                  |
//! | `header`    | out | 128   | DW0 in bits 31:0; bits 31:24 of a DW are its first byte                              |
//!
//! Combinational. Implements: PCI Express Base 3.0, 2.2.5 (first and last DW byte enables), 2.2.7 (3 DW below 4 GiB).

use rust_hdl_core::prelude::*;

/// A memory request's header. A 3 DW header leaves DW3 zero.
#[derive(LogicStruct, Debug, Copy, Clone, PartialEq, Default)]
struct MemoryRequest {
    length: Bits<10>,
    attributes: Bits<19>,
    long_address: Bit,
    has_data: Bit,
    prefix: Bit,
    first_enables: Bits<4>,
    last_enables: Bits<4>,
    tag: Bits<8>,
    requester: Bits<16>,
    dw2: Bits<32>,
    dw3: Bits<32>,
}

/// See the module's page.
#[derive(LogicBlock, Default)]
pub struct DmaHeader {
    pub writes: Signal<In, Bit>,
    pub address: Signal<In, Bits<64>>,
    pub length: Signal<In, Bits<13>>,
    pub requester: Signal<In, Bits<16>>,
    pub tag: Signal<In, Bits<8>>,
    pub header: Signal<Out, Bits<128>>,
    /// First byte after the range, counted from the first DW's start.
    end_byte: Signal<Local, Bits<13>>,
    last_dw: Signal<Local, Bits<13>>,
    first: Signal<Local, Bits<4>>,
    last: Signal<Local, Bits<4>>,
    request: Signal<Local, MemoryRequest>,
}

impl Logic for DmaHeader {
    #[hdl_gen]
    fn update(&mut self) {
        self.end_byte.next = self.length.val() + bit_cast::<13, 2>(self.address.val().get_bits::<2>(0));
        self.last_dw.next = self.end_byte.val() - 1;
        match self.address.val().get_bits::<2>(0).index() {
            0 => self.first.next = 0xF.into(),
            1 => self.first.next = 0xE.into(),
            2 => self.first.next = 0xC.into(),
            _ => self.first.next = 0x8.into(),
        }
        match self.end_byte.val().get_bits::<2>(0).index() {
            1 => self.last.next = 0x1.into(),
            2 => self.last.next = 0x3.into(),
            3 => self.last.next = 0x7.into(),
            _ => self.last.next = 0xF.into(),
        }

        self.request.next.length = self.last_dw.val().get_bits::<10>(2) + 1;
        self.request.next.attributes = 0.into();
        self.request.next.long_address = self.address.val().get_bits::<32>(32).any();
        self.request.next.has_data = self.writes.val();
        self.request.next.prefix = false;
        self.request.next.first_enables = self.first.val();
        self.request.next.last_enables = self.last.val();
        if !self.last_dw.val().get_bits::<11>(2).any() {
            self.request.next.first_enables = self.first.val() & self.last.val();
            self.request.next.last_enables = 0.into();
        }
        self.request.next.tag = self.tag.val();
        self.request.next.requester = self.requester.val();
        self.request.next.dw2 = self.address.val().get_bits::<32>(0) & 0xFFFF_FFFC_u64;
        self.request.next.dw3 = 0.into();
        if self.address.val().get_bits::<32>(32).any() {
            self.request.next.dw2 = self.address.val().get_bits::<32>(32);
            self.request.next.dw3 = self.address.val().get_bits::<32>(0) & 0xFFFF_FFFC_u64;
        }
        self.header.next = self.request.val().into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emit::emit;

    fn header(dut: &mut DmaHeader, writes: bool, address: u64, length: u64) -> [u32; 4] {
        dut.writes.next = writes;
        dut.address.next = address.to_bits();
        dut.length.next = length.to_bits();
        dut.requester.next = 0x0123.into();
        dut.tag.next = 0x1E.into();
        assert!(simulate(dut, 10));
        [0, 32, 64, 96].map(|dw| dut.header.val().get_bits::<32>(dw).to_u64() as u32)
    }

    #[test]
    fn headers_are_those_of_the_standard() {
        let mut dut = DmaHeader::default();
        dut.connect_all();
        // By hand.
        assert_eq!(header(&mut dut, false, 0x1000, 64), [0x0000_0010, 0x0123_1EFF, 0x0000_1000, 0]);
        assert_eq!(header(&mut dut, true, 0x1_0000_0FFF, 1), [0x6000_0001, 0x0123_1E08, 1, 0x0000_0FFC]);
        assert_eq!(header(&mut dut, true, 0x2001, 2), [0x4000_0001, 0x0123_1E06, 0x2000, 0]);
        assert_eq!(header(&mut dut, false, 0xF_FFFF_0003, 2), [0x2000_0002, 0x0123_1E18, 0xF, 0xFFFF_0000]);
        assert_eq!(header(&mut dut, false, 0, 4096), [0x0000_0000, 0x0123_1EFF, 0, 0]);
        assert_eq!(header(&mut dut, false, 3, 4090), [0x0000_0000, 0x0123_1E18, 0, 0]);
    }

    #[test]
    fn the_enabled_bytes_are_the_range() {
        let mut dut = DmaHeader::default();
        dut.connect_all();
        let mut compared = 0;
        for start in 0..4u64 {
            for length in (1..40).chain([511, 512, 2000, 4079, 4088]) {
                let [dw0, dw1, dw2, _] = header(&mut dut, true, 0x5000 + start, length);
                let dws = u64::from(dw0 & 0x3FF);
                let (first, last) = (u64::from(dw1 & 0xF), u64::from(dw1 >> 4 & 0xF));
                assert_eq!(last == 0, dws == 1);
                let mut enabled = vec![];
                for dw in 0..dws {
                    let enables = if dw == 0 {
                        first
                    } else if dw == dws - 1 {
                        last
                    } else {
                        0xF
                    };
                    enabled.extend((0..4).filter(|b| enables >> b & 1 == 1).map(|b| u64::from(dw2) + 4 * dw + b));
                }
                assert!(enabled.into_iter().eq(0x5000 + start..0x5000 + start + length), "{start} {length}");
                compared += 1;
            }
        }
        assert_eq!(compared, 4 * 44);
    }

    #[test]
    fn it_can_be_printed() {
        emit(&mut DmaHeader::default(), "dma_header").expect("printed");
    }
}
