//! Says of each beat of a frame which of its pairs of bytes lie at or behind a place.
//!
//! | port         | dir | width | meaning                                                          |
//! |--------------|-----|-------|------------------------------------------------------------------|
//! | `beat_valid` | in  | 1     | a beat is present                                                |
//! | `beat_first` | in  | 1     | first of a frame                                                 |
//! | `place`      | in  | 8     | with `beat_first`: pairs of the frame before the place           |
//! | `lanes`      | out | W/8   | lanes at or behind the place, two by two                         |
//!
//! Combinational, but for the place counted down from beat to beat.

use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

/// See the module's page. `KEEP` is W / 8.
#[derive(LogicBlock)]
pub struct PairsFrom<const KEEP: usize> {
    pub clock: Signal<In, Clock>,
    pub beat_valid: Signal<In, Bit>,
    pub beat_first: Signal<In, Bit>,
    pub place: Signal<In, Bits<8>>,
    pub lanes: Signal<Out, Bits<KEEP>>,
    ahead: DFF<Bits<8>>,
    now: Signal<Local, Bits<8>>,
    found: Signal<Local, Bits<KEEP>>,
    pairs: Constant<Bits<8>>,
    _pairs: usize,
}

impl<const KEEP: usize> Default for PairsFrom<KEEP> {
    fn default() -> Self {
        block! {
            Self {
                pairs: Constant::new((KEEP as u64 / 2).to_bits()),
                _pairs: KEEP / 2,
            },
            clock, beat_valid, beat_first, place, lanes, ahead, now, found
        }
    }
}

impl<const KEEP: usize> Logic for PairsFrom<KEEP> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, ahead);
        self.now.next = self.ahead.q.val();
        if self.beat_first.val() {
            self.now.next = self.place.val();
        }
        if self.beat_valid.val() {
            self.ahead.d.next = 0.into();
            if self.now.val() >= self.pairs.val() {
                self.ahead.d.next = self.now.val() - self.pairs.val();
            }
        }
        self.found.next = 0.into();
        for h in 0..self._pairs {
            if self.now.val() <= h.to_bits() {
                self.found.next = self.found.val().replace_bit(2 * h, true).replace_bit(2 * h + 1, true);
            }
        }
        self.lanes.next = self.found.val();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_begin_at_the_place_and_stay() {
        let mut dut = PairsFrom::<8>::default();
        dut.connect_all();
        for place in 0..20u64 {
            for beat in 0..6 {
                dut.beat_valid.next = true;
                dut.beat_first.next = beat == 0;
                dut.place.next = if beat == 0 { place.to_bits() } else { 99.into() };
                dut.clock.next = false.into();
                assert!(simulate(&mut dut, 10));
                let expected = (0..8u64).filter(|i| beat * 8 + i >= 2 * place).fold(0, |lanes, i| lanes | 1 << i);
                assert_eq!(dut.lanes.val().to_u64(), expected, "place {place}, beat {beat}");
                dut.clock.next = true.into();
                assert!(simulate(&mut dut, 10));
            }
        }
    }
}
