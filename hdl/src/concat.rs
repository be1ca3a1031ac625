//! Joins N bits into one vector, bit 0 first: the concatenation that the HDL has no operator for.
//!
//! | port    | dir | width | meaning                         |
//! |---------|-----|-------|---------------------------------|
//! | `element_i` | in | 1     | bit i of the vector, i in 0..N  |
//! | `value` | out | N     | the vector                      |
//!
//! Combinational.

use rust_hdl_core::prelude::*;

use crate::many;

/// See the module's page.
#[derive(LogicBlock)]
pub struct Concat<const N: usize> {
    pub element: Vec<Signal<In, Bit>>,
    pub value: Signal<Out, Bits<N>>,
}

impl<const N: usize> Default for Concat<N> {
    fn default() -> Self {
        Self { element: many(N), value: Default::default() }
    }
}

impl<const N: usize> Logic for Concat<N> {
    fn update(&mut self) {
        let mut value = Bits::<N>::default();
        for (i, bit) in self.element.iter().enumerate() {
            value = value.replace_bit(i, bit.val());
        }
        self.value.next = value;
    }

    fn connect(&mut self) {
        self.value.connect();
    }

    fn hdl(&self) -> Verilog {
        let bits: Vec<_> = (0..N).rev().map(|i| format!("element${i}")).collect();
        Verilog::Custom(format!("assign value = {{{}}};\n", bits.join(", ")))
    }
}
