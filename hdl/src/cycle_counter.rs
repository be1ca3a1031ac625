//! Counts the card's cycles: the time of every processor.
//!
//! | port    | dir | width | meaning                             |
//! |---------|-----|-------|-------------------------------------|
//! | `count` | out | 64    | cycles since reset; reset value 0   |
//!
//! The low half counts every cycle; the high half follows where the low half is about to turn over, so that no carry runs through 64 bits.
//! Implements: ¶66 (timing services).

use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

/// Both halves, low one first.
#[derive(LogicStruct, Debug, Copy, Clone, PartialEq, Default)]
struct Wide {
    low: Bits<32>,
    high: Bits<32>,
}

/// See the module's page.
#[derive(LogicBlock)]
pub struct CycleCounter {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub count: Signal<Out, Bits<64>>,
    low: DFF<Bits<32>>,
    high: DFF<Bits<32>>,
    /// The low half is all ones in the next cycle.
    turning: DFF<Bit>,
    both: Signal<Local, Wide>,
    last_but_one: Constant<Bits<32>>,
}

impl Default for CycleCounter {
    fn default() -> Self {
        block! {
            Self {
                last_but_one: Constant::new(0xffff_fffeu64.to_bits()),
            },
            clock, reset, count, low, high, turning, both
        }
    }
}

impl Logic for CycleCounter {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, low, high, turning);
        self.low.d.next = self.low.q.val() + 1;
        self.turning.d.next = self.low.q.val() == self.last_but_one.val();
        if self.turning.q.val() {
            self.high.d.next = self.high.q.val() + 1;
        }
        if self.reset.val() {
            self.low.d.next = 0.into();
            self.high.d.next = 0.into();
            self.turning.d.next = false;
        }
        self.both.next.low = self.low.q.val();
        self.both.next.high = self.high.q.val();
        self.count.next = self.both.val().into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_high_half_counts_when_the_low_half_turns_over() {
        let mut dut = CycleCounter::default();
        dut.low.q.next = 0xffff_fffdu64.to_bits();
        let mut counts = Vec::new();
        for _ in 0..5 {
            dut.clock.next = false.into();
            assert!(simulate(&mut dut, 10));
            counts.push(dut.count.val().to_u64());
            dut.clock.next = true.into();
            assert!(simulate(&mut dut, 10));
        }
        assert_eq!(counts, [0xffff_fffd, 0xffff_fffe, 0xffff_ffff, 0x1_0000_0000, 0x1_0000_0001]);
    }
}
