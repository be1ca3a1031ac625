//! Repeats a half word over the width of a beat: the repetition that the HDL has no operator for.
//!
//! | port    | dir | width | meaning                                      |
//! |---------|-----|-------|----------------------------------------------|
//! | `value` | in  | 16    | a half word                                  |
//! | `beat`  | out | W     | it, in every pair of lanes                   |
//!
//! Combinational.

use rust_hdl_core::prelude::*;

/// See the module's page.
#[derive(LogicBlock, Default)]
pub struct Repeat<const W: usize> {
    pub value: Signal<In, Bits<16>>,
    pub beat: Signal<Out, Bits<W>>,
}

impl<const W: usize> Logic for Repeat<W> {
    fn update(&mut self) {
        let value = bit_cast::<W, 16>(self.value.val());
        self.beat.next = (0..W / 16).fold(Bits::<W>::default(), |beat, _| (beat << 16) | value);
    }

    fn connect(&mut self) {
        self.beat.connect();
    }

    fn hdl(&self) -> Verilog {
        Verilog::Custom(format!("assign beat = {{{}{{value}}}};\n", W / 16))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_of_lanes_has_the_value() {
        let mut dut = Repeat::<64>::default();
        dut.value.next = 0xA1B2.into();
        dut.connect_all();
        simulate(&mut dut, 10);
        assert_eq!(dut.beat.val().to_u64(), 0xA1B2_A1B2_A1B2_A1B2);
    }
}
