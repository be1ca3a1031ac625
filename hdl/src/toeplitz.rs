//! The share of some consecutive input bits in a Toeplitz hash.
//!
//! Input bit i, if set, adds the 32 key bits from i on. Seen from hash bit o this is the parity of the data AND the key shifted by o:
//! 32 flat XOR rows.
//!
//! | port     | dir | width    | meaning                                                         |
//! |----------|-----|----------|-----------------------------------------------------------------|
//! | `data`   | in  | CHUNK    | input bits, the first in the highest bit                        |
//! | `window` | in  | WINDOW   | CHUNK + 31 key bits from the first input bit's on, first highest |
//! | `hash`   | out | 32       | their share                                                     |
//!
//! Combinational.

use rust_hdl_core::prelude::*;

use crate::concat::Concat;
use crate::many;

/// See the module's page.
#[derive(LogicBlock)]
pub struct Toeplitz<const CHUNK: usize, const WINDOW: usize> {
    pub data: Signal<In, Bits<CHUNK>>,
    pub window: Signal<In, Bits<WINDOW>>,
    pub hash: Signal<Out, Bits<32>>,
    row: Vec<Signal<Local, Bits<CHUNK>>>,
    rows: Concat<32>,
}

impl<const CHUNK: usize, const WINDOW: usize> Default for Toeplitz<CHUNK, WINDOW> {
    fn default() -> Self {
        assert_eq!(CHUNK + 31, WINDOW);
        block! {
            Self {
                row: many(32),
            },
            data, window, hash, rows
        }
    }
}

impl<const CHUNK: usize, const WINDOW: usize> Logic for Toeplitz<CHUNK, WINDOW> {
    #[hdl_gen]
    fn update(&mut self) {
        for o in 0..32 {
            self.row[o].next = self.data.val() & self.window.val().get_bits::<CHUNK>(o);
            self.rows.element[o].next = self.row[o].val().xor();
        }
        self.hash.next = self.rows.value.val();
    }
}
