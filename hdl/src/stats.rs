//! 64-bit counters on block RAM.
//!
//! Each counter has a small accumulator of its own; a sweep visits one counter a cycle and adds its accumulator to the total in RAM. A
//! total is read in one piece and lags its events by at most one sweep. While `reset` is high the totals are cleared, one a cycle, so
//! reset must last [`RESET_CYCLES`] cycles. Most counters count events; a few, named to [`Stats::new`], count bytes.
//!
//! | port         | dir | width | meaning                                                      |
//! |--------------|-----|-------|--------------------------------------------------------------|
//! | `pulse_c`    | in  | 1     | one more of what counter c counts; 0 for a counter of bytes  |
//! | `bytes_k`    | in  | 15    | what the k-th counter of bytes grows by in this cycle        |
//! | `read_index` | in  | 8     | counter to read                                              |
//! | `read_total` | out | 64    | its total, one cycle later; 0 for one that does not exist    |
//!
//! Throughput: an event per cycle and counter; of bytes 64 per cycle, and 9,216 more once a sweep.

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
    pub pulse: Vec<Signal<In, Bit>>,
    pub bytes: Vec<Signal<In, Bits<15>>>,
    pub read_index: Signal<In, Bits<8>>,
    pub read_total: Signal<Out, Bits<64>>,
    // Two copies: one port sweeps, the other answers the host.
    totals: Memory<64, 8>,
    shadow: Memory<64, 8>,
    /// Events of the last cycle: whence they come is far away.
    happened: Vec<DFF<Bit>>,
    events: Vec<DFF<Bits<8>>>,
    pending: Vec<DFF<Bits<15>>>,
    sweep: DFF<Bits<8>>,
    picked_events: Signal<Local, Bits<8>>,
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
    /// As many bits as the events of one sweep need.
    most_events: Constant<Bits<8>>,
    places: Vec<Constant<Bits<8>>>,
    _counters: usize,
    _of_bytes: usize,
}

impl Stats {
    /// `counters` counters, at most 160; those numbered in `of_bytes` count bytes.
    pub fn new(counters: usize, of_bytes: &[usize]) -> Self {
        // Between two visits of a counter: as many cycles as there are counters at 64 bytes a cycle, and the frame that ends then.
        assert!(counters <= 160 && 160 * 64 + abi::limits::MAX_FRAME < 1 << 15);
        block! {
            Self {
                pulse: many(counters),
                bytes: many(of_bytes.len()),
                // A sum is written long before its counter is visited again; the host may as well see the old total.
                totals: Memory::new(256, Collision::Discarded),
                shadow: Memory::new(256, Collision::OldData),
                happened: many(counters),
                events: many(counters),
                pending: many(of_bytes.len()),
                last: Constant::new((counters as u64 - 1).to_bits()),
                most_events: Constant::new(((counters as u64 + 1).next_power_of_two() - 1).to_bits()),
                places: of_bytes.iter().map(|place| Constant::new((*place as u64).to_bits())).collect(),
                _counters: counters,
                _of_bytes: of_bytes.len(),
            },
            clock, reset, read_index, read_total, sweep, picked_events, picked, picked_index, old, addend, addend_index,
            sum, sum_index, write, write_index, write_total, filled
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
        self.picked_events.next = 0.into();
        self.picked_index.d.next = self.sweep.q.val();
        for c in 0..self._counters {
            self.events[c].clock.next = self.clock.val();
            self.happened[c].clock.next = self.clock.val();
            self.happened[c].d.next = self.pulse[c].val() & !self.reset.val();
            self.events[c].d.next = (self.events[c].q.val() + self.happened[c].q.val()) & self.most_events.val();
            if self.sweep.q.val() == c.to_bits() {
                self.picked_events.next = self.events[c].q.val();
                self.events[c].d.next = 0.into();
                if self.happened[c].q.val() {
                    self.events[c].d.next = 1.into();
                }
            }
            if self.reset.val() {
                self.events[c].d.next = 0.into();
            }
        }
        self.picked.d.next = bit_cast::<15, 8>(self.picked_events.val());
        for k in 0..self._of_bytes {
            self.pending[k].clock.next = self.clock.val();
            self.pending[k].d.next = self.pending[k].q.val() + self.bytes[k].val();
            if self.sweep.q.val() == self.places[k].val() {
                self.picked.d.next = self.pending[k].q.val();
                self.pending[k].d.next = self.bytes[k].val();
            }
            if self.reset.val() {
                self.pending[k].d.next = 0.into();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emit::emit;
    use crate::random::Random;

    const COUNTERS: usize = 11;
    const OF_BYTES: [usize; 2] = [1, 7];

    fn edge(dut: &mut Stats) {
        for level in [true, false] {
            dut.clock.next = level.into();
            assert!(simulate(dut, 10));
        }
    }

    fn total(dut: &mut Stats, counter: usize) -> u64 {
        dut.read_index.next = (counter as u64).to_bits();
        edge(dut);
        dut.read_total.val().to_u64()
    }

    #[test]
    fn every_event_and_every_byte_is_counted() {
        let mut dut = Stats::new(COUNTERS, &OF_BYTES);
        dut.connect_all();
        let mut random = Random::seeded(3);
        for _ in 0..2 {
            dut.reset.next = true;
            (0..RESET_CYCLES).for_each(|_| edge(&mut dut));
            dut.reset.next = false;
            let mut expected = [0; COUNTERS];
            for cycle in 0..3000 {
                for (c, expected) in expected.iter_mut().enumerate() {
                    let pulse = !OF_BYTES.contains(&c) && (c == 0 || random.below(3) == 0);
                    dut.pulse[c].next = pulse;
                    *expected += u64::from(pulse);
                }
                for (k, place) in OF_BYTES.into_iter().enumerate() {
                    let bytes = if cycle % 160 == 0 { 9216 } else { 64 - k as u64 * random.below(64) };
                    dut.bytes[k].next = bytes.to_bits();
                    expected[place] += bytes;
                }
                edge(&mut dut);
            }
            dut.pulse.iter_mut().for_each(|pulse| pulse.next = false);
            dut.bytes.iter_mut().for_each(|bytes| bytes.next = 0.into());
            (0..2 * COUNTERS + 4).for_each(|_| edge(&mut dut));
            for (counter, count) in expected.into_iter().enumerate() {
                assert_eq!(total(&mut dut, counter), count, "counter {counter}");
            }
            assert_eq!(total(&mut dut, COUNTERS), 0, "none");
        }
    }

    #[test]
    fn it_can_be_printed() {
        emit(&mut Stats::new(160, &[1, 33]), "stats").expect("printed");
    }
}
