//! XOR of all w-bit chunks of a 32-bit value: the dispatch hash of ¶68.
//!
//! The lowest chunk starts at bit 0, the top chunk is padded with zeros.
//!
//! | port         | dir | width | meaning                                 |
//! |--------------|-----|-------|-----------------------------------------|
//! | `value`      | in  | 32    | what is folded                          |
//! | `chunk_bits` | in  | 3     | w, 1 to 7; 0 gives 0                    |
//! | `hash`       | out | 7     | the fold, in the low w bits             |
//!
//! Combinational.
//! Implements: ¶68.

use rust_hdl_core::prelude::*;

/// See the module's page.
#[derive(LogicBlock, Default)]
pub struct Fold {
    pub value: Signal<In, Bits<32>>,
    pub chunk_bits: Signal<In, Bits<3>>,
    pub hash: Signal<Out, Bits<7>>,
    /// Zero-padded to a whole number of chunks of 3, 5, 6 and 7 bits.
    padded: Signal<Local, Bits<36>>,
    by_16: Signal<Local, Bits<16>>,
    by_8: Signal<Local, Bits<8>>,
    by_4: Signal<Local, Bits<4>>,
    by_2: Signal<Local, Bits<2>>,
    by_1: Signal<Local, Bits<1>>,
    by_6: Signal<Local, Bits<6>>,
    by_3: Signal<Local, Bits<3>>,
    by_5: Signal<Local, Bits<5>>,
    by_7: Signal<Local, Bits<7>>,
}

impl Logic for Fold {
    #[hdl_gen]
    fn update(&mut self) {
        self.padded.next = bit_cast::<36, 32>(self.value.val());
        // Chunks of 2w bits hold two chunks of w bits, so one fold feeds the next.
        self.by_16.next = self.value.val().get_bits::<16>(0) ^ self.value.val().get_bits::<16>(16);
        self.by_8.next = self.by_16.val().get_bits::<8>(0) ^ self.by_16.val().get_bits::<8>(8);
        self.by_4.next = self.by_8.val().get_bits::<4>(0) ^ self.by_8.val().get_bits::<4>(4);
        self.by_2.next = self.by_4.val().get_bits::<2>(0) ^ self.by_4.val().get_bits::<2>(2);
        self.by_1.next = self.by_2.val().get_bits::<1>(0) ^ self.by_2.val().get_bits::<1>(1);
        self.by_6.next = self.padded.val().get_bits::<6>(0)
            ^ self.padded.val().get_bits::<6>(6)
            ^ self.padded.val().get_bits::<6>(12)
            ^ self.padded.val().get_bits::<6>(18)
            ^ self.padded.val().get_bits::<6>(24)
            ^ self.padded.val().get_bits::<6>(30);
        self.by_3.next = self.by_6.val().get_bits::<3>(0) ^ self.by_6.val().get_bits::<3>(3);
        self.by_5.next = self.padded.val().get_bits::<5>(0)
            ^ self.padded.val().get_bits::<5>(5)
            ^ self.padded.val().get_bits::<5>(10)
            ^ self.padded.val().get_bits::<5>(15)
            ^ self.padded.val().get_bits::<5>(20)
            ^ self.padded.val().get_bits::<5>(25)
            ^ self.padded.val().get_bits::<5>(30);
        self.by_7.next = self.padded.val().get_bits::<7>(0)
            ^ self.padded.val().get_bits::<7>(7)
            ^ self.padded.val().get_bits::<7>(14)
            ^ self.padded.val().get_bits::<7>(21)
            ^ self.padded.val().get_bits::<7>(28);

        self.hash.next = 0.into();
        if self.chunk_bits.val() == 1 {
            self.hash.next = bit_cast::<7, 1>(self.by_1.val());
        }
        if self.chunk_bits.val() == 2 {
            self.hash.next = bit_cast::<7, 2>(self.by_2.val());
        }
        if self.chunk_bits.val() == 3 {
            self.hash.next = bit_cast::<7, 3>(self.by_3.val());
        }
        if self.chunk_bits.val() == 4 {
            self.hash.next = bit_cast::<7, 4>(self.by_4.val());
        }
        if self.chunk_bits.val() == 5 {
            self.hash.next = bit_cast::<7, 5>(self.by_5.val());
        }
        if self.chunk_bits.val() == 6 {
            self.hash.next = bit_cast::<7, 6>(self.by_6.val());
        }
        if self.chunk_bits.val() == 7 {
            self.hash.next = self.by_7.val();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_chunk_width_folds_to_the_xor_of_its_chunks() {
        for (value, w) in [0xC0A8_0107u64, 0xFFFF_FFFF, 0x8000_0001, 0xDEAD_BEEF]
            .into_iter()
            .flat_map(|v| (0..=7).map(move |w| (v, w)))
        {
            let mut x = Fold::default();
            x.value.next = value.to_bits();
            x.chunk_bits.next = (w as u64).to_bits();
            x.connect_all();
            simulate(&mut x, 10);
            let (mut expected, mut rest) = (0, if w == 0 { 0 } else { value });
            while rest != 0 {
                expected ^= rest & ((1 << w) - 1);
                rest >>= w;
            }
            assert_eq!(x.hash.val().to_u64(), expected, "value {value:#x}, w = {w}");
        }
    }
}
