//! Gives back a value a fixed number of cycles later.
//!
//! | port      | dir | width | meaning                                     |
//! |-----------|-----|-------|---------------------------------------------|
//! | `value`   | in  | WIDTH | the value of this cycle                     |
//! | `delayed` | out | WIDTH | the value of `stages` cycles ago; not reset |
//!
//! Latency: as many cycles as [`DelayLine::new`] was told. Throughput: one value per cycle.

use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

use crate::many;

/// See the module's page.
#[derive(LogicBlock)]
pub struct DelayLine<const WIDTH: usize> {
    pub clock: Signal<In, Clock>,
    pub value: Signal<In, Bits<WIDTH>>,
    pub delayed: Signal<Out, Bits<WIDTH>>,
    stage: Vec<DFF<Bits<WIDTH>>>,
    last: Signal<Local, Bits<WIDTH>>,
    _stages: usize,
}

impl<const WIDTH: usize> DelayLine<WIDTH> {
    /// A delay of `stages` cycles, at least 1.
    pub fn new(stages: usize) -> Self {
        assert!(stages > 0);
        block! {
            Self {
                stage: many(stages),
                _stages: stages,
            },
            clock, value, delayed, last
        }
    }
}

impl<const WIDTH: usize> Logic for DelayLine<WIDTH> {
    #[hdl_gen]
    fn update(&mut self) {
        self.stage[0].clock.next = self.clock.val();
        self.stage[0].d.next = self.value.val();
        self.last.next = self.stage[0].q.val();
        for s in 1..self._stages {
            self.stage[s].clock.next = self.clock.val();
            self.stage[s].d.next = self.stage[s - 1].q.val();
            self.last.next = self.stage[s].q.val();
        }
        self.delayed.next = self.last.val();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_comes_back_after_as_many_cycles_as_there_are_stages() {
        for stages in [1, 2, 7] {
            let mut dut = DelayLine::<8>::new(stages);
            for n in 1..40u64 {
                dut.value.next = n.to_bits();
                dut.clock.next = false.into();
                assert!(simulate(&mut dut, 10));
                assert_eq!(dut.delayed.val().to_u64(), n.saturating_sub(stages as u64));
                dut.clock.next = true.into();
                assert!(simulate(&mut dut, 10));
            }
        }
    }
}
