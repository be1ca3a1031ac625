//! A register stage for a stream whose ready does not run through: a place for what is shown and one for what was under way when the sink
//! stopped.
//!
//! | port           | dir | width | meaning                                          |
//! |----------------|-----|-------|--------------------------------------------------|
//! | `source_data`  | in  | W     | a beat                                           |
//! | `source_side`  | in  | SIDE  | what goes with it, as the header with a TLP      |
//! | `source_last`  | in  | 1     | it is the last                                   |
//! | `source_valid` | in  | 1     | it is present                                    |
//! | `source_ready` | out | 1     | it is taken; a register; reset value 1           |
//! | `sink_data`    | out | W     | the same, later                                  |
//! | `sink_side`    | out | SIDE  | the same, later                                  |
//! | `sink_last`    | out | 1     | the same, later                                  |
//! | `sink_valid`   | out | 1     | a beat is present; reset value 0                 |
//! | `sink_ready`   | in  | 1     | it is taken                                      |
//!
//! Latency: [`LATENCY`] cycle. Throughput: one beat per cycle. Stalls only when the sink does. Data registers are not reset.

use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

/// Cycles from `source_valid` to `sink_valid`.
pub const LATENCY: usize = 1;

/// See the module's page.
#[derive(LogicBlock, Default)]
pub struct SkidBuffer<const W: usize, const SIDE: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub source_data: Signal<In, Bits<W>>,
    pub source_side: Signal<In, Bits<SIDE>>,
    pub source_valid: Signal<In, Bit>,
    pub source_last: Signal<In, Bit>,
    pub source_ready: Signal<Out, Bit>,
    pub sink_data: Signal<Out, Bits<W>>,
    pub sink_side: Signal<Out, Bits<SIDE>>,
    pub sink_valid: Signal<Out, Bit>,
    pub sink_last: Signal<Out, Bit>,
    pub sink_ready: Signal<In, Bit>,
    shown: DFF<Bit>,
    data: DFF<Bits<W>>,
    side: DFF<Bits<SIDE>>,
    last: DFF<Bit>,
    spare: DFF<Bit>,
    spare_data: DFF<Bits<W>>,
    spare_side: DFF<Bits<SIDE>>,
    spare_last: DFF<Bit>,
    moves: Signal<Local, Bit>,
}

impl<const W: usize, const SIDE: usize> Logic for SkidBuffer<W, SIDE> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, shown, data, side, last, spare, spare_data, spare_side, spare_last);

        self.source_ready.next = !self.spare.q.val();
        self.moves.next = self.sink_ready.val() | !self.shown.q.val();
        if !self.spare.q.val() {
            self.spare_data.d.next = self.source_data.val();
            self.spare_side.d.next = self.source_side.val();
            self.spare_last.d.next = self.source_last.val();
        }
        self.spare.d.next = !self.moves.val() & (self.spare.q.val() | self.source_valid.val());
        if self.moves.val() {
            self.shown.d.next = self.spare.q.val() | self.source_valid.val();
            self.data.d.next = self.source_data.val();
            self.side.d.next = self.source_side.val();
            self.last.d.next = self.source_last.val();
            if self.spare.q.val() {
                self.data.d.next = self.spare_data.q.val();
                self.side.d.next = self.spare_side.q.val();
                self.last.d.next = self.spare_last.q.val();
            }
        }
        self.sink_valid.next = self.shown.q.val();
        self.sink_data.next = self.data.q.val();
        self.sink_side.next = self.side.q.val();
        self.sink_last.next = self.last.q.val();

        if self.reset.val() {
            self.shown.d.next = false;
            self.spare.d.next = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    /// Beats through a buffer whose source and sink are there in `valid` and `ready` of 8 cycles; how many cycles that took.
    fn cycles(count: u64, valid: u64, ready: u64) -> u64 {
        let mut dut = SkidBuffer::<16, 8>::default();
        dut.connect_all();
        let mut random = Random::seeded(8 * valid + ready);
        let (mut put, mut taken, mut shown) = (0, 0, false);
        for cycle in 0..100 * count {
            dut.reset.next = cycle == 0;
            shown = cycle > 0 && put < count && (shown || random.below(8) < valid);
            dut.source_valid.next = shown;
            dut.source_data.next = ((put * 7) & 0xffff).to_bits();
            dut.source_side.next = (put & 0xff).to_bits();
            dut.source_last.next = put % 5 == 4;
            // Whether there is room does not depend on what the sink does in this cycle.
            dut.sink_ready.next = false;
            assert!(simulate(&mut dut, 10));
            let room = dut.source_ready.val();
            dut.sink_ready.next = cycle > 0 && random.below(8) < ready;
            assert!(simulate(&mut dut, 10));
            assert_eq!(dut.source_ready.val(), room);
            if dut.sink_valid.val() && dut.sink_ready.val() {
                assert_eq!(dut.sink_data.val().to_u64(), (taken * 7) & 0xffff);
                assert_eq!((dut.sink_side.val().to_u64(), dut.sink_last.val()), (taken & 0xff, taken % 5 == 4));
                taken += 1;
            }
            if shown && room {
                put += 1;
                shown = false;
            }
            for level in [true, false] {
                dut.clock.next = level.into();
                assert!(simulate(&mut dut, 10));
            }
            if taken == count {
                return cycle;
            }
        }
        panic!("{taken} of {count} came out");
    }

    #[test]
    fn beats_come_out_once_and_in_order_whatever_the_sides_do() {
        assert_eq!(cycles(300, 8, 8), 300 + LATENCY as u64, "one a cycle");
        for (valid, ready) in [(8, 1), (1, 8), (4, 4), (7, 5), (5, 7)] {
            assert!(cycles(300, valid, ready) >= 300);
        }
    }
}
