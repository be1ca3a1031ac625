//! 64-bit counters on block RAM.
//!
//! Each counter has a small accumulator of its own; a sweep visits one counter a cycle and adds its accumulator to the total in RAM. A
//! total is read in one piece and lags its events by at most one sweep. While `reset` is high the totals are cleared, one a cycle, so
//! reset must last [`RESET_CYCLES`] cycles.
//!
//! | port         | dir | width | meaning                                                    |
//! |--------------|-----|-------|------------------------------------------------------------|
//! | `grow_c`     | in  | 15    | what counter c grows by in this cycle                      |
//! | `pulse_c`    | in  | 1     | one more of what counter c counts                          |
//! | `read_index` | in  | 8     | counter to read                                            |
//! | `read_total` | out | 64    | its total, one cycle later; 0 for one that does not exist  |
//!
//! Throughput: every counter may grow every cycle by up to 64, and by 9,216 once a sweep.

use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

use crate::many;
use crate::memory::{Collision, Memory};

/// Cycles that `reset` must be held for the totals to clear.
pub const RESET_CYCLES: usize = 256;

/// See the module's page.
#[derive(LogicBlock)]
pub struct Stats {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub grow: Vec<Signal<In, Bits<15>>>,
    pub pulse: Vec<Signal<In, Bit>>,
    pub read_index: Signal<In, Bits<8>>,
    pub read_total: Signal<Out, Bits<64>>,
    // Two copies: one port sweeps, the other answers the host.
    totals: Memory<64, 8>,
    shadow: Memory<64, 8>,
    more: Vec<Signal<Local, Bits<15>>>,
    pending: Vec<DFF<Bits<15>>>,
    sweep: DFF<Bits<8>>,
    picked: DFF<Bits<15>>,
    picked_index: DFF<Bits<8>>,
    old: DFF<Bits<64>>,
    addend: DFF<Bits<15>>,
    addend_index: DFF<Bits<8>>,
    sum: DFF<Bits<64>>,
    sum_index: DFF<Bits<8>>,
    write: Signal<Local, Bit>,
    write_index: Signal<Local, Bits<8>>,
    write_total: Signal<Local, Bits<64>>,
    /// Which of the three stages between sweep and sum hold something of this run.
    filled: DFF<Bits<3>>,
    last: Constant<Bits<8>>,
    _counters: usize,
}

impl Stats {
    /// `counters` counters, at most 160.
    pub fn new(counters: usize) -> Self {
        // Between two visits of a counter: as many cycles as there are counters at 64 bytes a cycle, and the frame that ends then.
        assert!(counters <= 160 && 160 * 64 + abi::limits::MAX_FRAME < 1 << 15);
        Self {
            clock: Default::default(),
            reset: Default::default(),
            grow: many(counters),
            pulse: many(counters),
            more: many(counters),
            read_index: Default::default(),
            read_total: Default::default(),
            // A sum is written long before its counter is visited again; the host may as well see the old total.
            totals: Memory::new(256, Collision::Discarded),
            shadow: Memory::new(256, Collision::OldData),
            pending: many(counters),
            sweep: Default::default(),
            picked: Default::default(),
            picked_index: Default::default(),
            old: Default::default(),
            addend: Default::default(),
            addend_index: Default::default(),
            sum: Default::default(),
            sum_index: Default::default(),
            write: Default::default(),
            write_index: Default::default(),
            write_total: Default::default(),
            filled: Default::default(),
            last: Constant::new((counters as u64 - 1).to_bits()),
            _counters: counters,
        }
    }
}

impl Logic for Stats {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, sweep, picked, picked_index, old, addend, addend_index, sum, sum_index, filled);
        self.totals.clock.next = self.clock.val();
        self.shadow.clock.next = self.clock.val();

        // Visit one counter.
        self.sweep.d.next = self.sweep.q.val() + 1;
        if (self.sweep.q.val() == self.last.val()) & !self.reset.val() {
            self.sweep.d.next = 0.into();
        }
        self.totals.read_address.next = self.sweep.q.val();
        self.picked.d.next = 0.into();
        self.picked_index.d.next = self.sweep.q.val();
        for c in 0..self._counters {
            self.pending[c].clock.next = self.clock.val();
            self.more[c].next = self.grow[c].val();
            if self.pulse[c].val() {
                self.more[c].next = self.grow[c].val() + 1;
            }
            self.pending[c].d.next = self.pending[c].q.val() + self.more[c].val();
            if self.sweep.q.val() == c.to_bits() {
                self.picked.d.next = self.pending[c].q.val();
                self.pending[c].d.next = self.more[c].val();
            }
            if self.reset.val() {
                self.pending[c].d.next = 0.into();
            }
        }

        // Add.
        self.old.d.next = self.totals.read_data.val();
        self.addend.d.next = self.picked.q.val();
        self.addend_index.d.next = self.picked_index.q.val();
        self.sum.d.next = self.old.q.val() + bit_cast::<64, 15>(self.addend.q.val());
        self.sum_index.d.next = self.addend_index.q.val();
        self.filled.d.next = (self.filled.q.val() << 1) | 1;
        if self.reset.val() {
            self.filled.d.next = 0.into();
        }

        // Write back, or clear. In reset the sweep runs through all 256 addresses.
        self.write.next = self.filled.q.val().get_bit(2) | self.reset.val();
        self.write_index.next = self.sum_index.q.val();
        self.write_total.next = self.sum.q.val();
        if self.reset.val() {
            self.write_index.next = self.sweep.q.val();
            self.write_total.next = 0.into();
        }
        self.totals.write_enable.next = self.write.val();
        self.totals.write_address.next = self.write_index.val();
        self.totals.write_data.next = self.write_total.val();
        self.shadow.write_enable.next = self.write.val();
        self.shadow.write_address.next = self.write_index.val();
        self.shadow.write_data.next = self.write_total.val();

        self.shadow.read_address.next = self.read_index.val();
        self.read_total.next = self.shadow.read_data.val();
    }
}
