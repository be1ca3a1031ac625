//! Repeats each lane's bit eight times, so that whole bytes can be picked by AND: the repetition that the HDL has no operator for.
//!
//! | port   | dir | width | meaning                                      |
//! |--------|-----|-------|----------------------------------------------|
//! | `lane` | in  | W/8   | one bit per byte                             |
//! | `mask` | out | W     | bits 8 i to 8 i + 7 are bit i of `lane`      |
//!
//! Combinational.

use rust_hdl_core::prelude::*;

/// See the module's page. `KEEP` is W / 8.
#[derive(LogicBlock, Default)]
pub struct LaneMask<const W: usize, const KEEP: usize> {
    pub lane: Signal<In, Bits<KEEP>>,
    pub mask: Signal<Out, Bits<W>>,
}

impl<const W: usize, const KEEP: usize> Logic for LaneMask<W, KEEP> {
    fn update(&mut self) {
        let lane = self.lane.val();
        let byte = |i: usize| bit_cast::<W, 8>(if lane.get_bit(i) { 0xFFu64 } else { 0 }.to_bits());
        self.mask.next = (0..KEEP).rev().fold(Bits::<W>::default(), |mask, i| (mask << 8) | byte(i));
    }

    fn connect(&mut self) {
        self.mask.connect();
    }

    fn hdl(&self) -> Verilog {
        let bytes: Vec<_> = (0..KEEP).rev().map(|i| format!("{{8{{lane[{i}]}}}}")).collect();
        Verilog::Custom(format!("assign mask = {{{}}};\n", bytes.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bit_covers_its_byte() {
        let mut dut = LaneMask::<64, 8>::default();
        dut.lane.next = 0b1000_0101.into();
        dut.connect_all();
        simulate(&mut dut, 10);
        assert_eq!(dut.mask.val().to_u64(), 0xFF00_0000_00FF_00FF);
    }
}
