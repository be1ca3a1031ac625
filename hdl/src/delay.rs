//! Gives everything back a constant number of cycles later, on memory instead of registers.
//!
//! | port     | dir | width | meaning                                                     |
//! |----------|-----|-------|-------------------------------------------------------------|
//! | `source` | in  | WIDTH | what to delay                                               |
//! | `sink`   | out | WIDTH | it, so many cycles later; not reset                         |
//!
//! Latency: what the constructor was told. Throughput: one per cycle. Never stalls.

use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

use crate::memory::{Collision, Memory};

/// See the module's page.
#[derive(LogicBlock)]
pub struct Delay<const WIDTH: usize> {
    pub clock: Signal<In, Clock>,
    pub source: Signal<In, Bits<WIDTH>>,
    pub sink: Signal<Out, Bits<WIDTH>>,
    kept: Memory<WIDTH, 4>,
    place: DFF<Bits<4>>,
    out: DFF<Bits<WIDTH>>,
    behind: Constant<Bits<4>>,
}

impl<const WIDTH: usize> Delay<WIDTH> {
    /// A delay of `cycles`, 3 to 16.
    pub fn new(cycles: usize) -> Self {
        assert!((3..=16).contains(&cycles));
        block! {
            Self {
                kept: Memory::new(16, Collision::Discarded),
                // Writing, and the register behind the memory, take two of the cycles.
                behind: Constant::new((cycles as u64 - 2).to_bits()),
            },
            clock, source, sink, place, out
        }
    }
}

impl<const WIDTH: usize> Logic for Delay<WIDTH> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, place, out);
        self.kept.clock.next = self.clock.val();
        self.place.d.next = self.place.q.val() + 1;
        self.kept.write_enable.next = true;
        self.kept.write_address.next = self.place.q.val();
        self.kept.write_data.next = self.source.val();
        self.kept.read_address.next = self.place.q.val() - self.behind.val();
        self.out.d.next = self.kept.read_data.val();
        self.sink.next = self.out.q.val();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_comes_back_after_the_stated_cycles() {
        for cycles in [3, 8, 16] {
            let mut dut = Delay::<16>::new(cycles);
            dut.connect_all();
            let mut compared = 0;
            for cycle in 0..60 {
                dut.source.next = (cycle as u64 * 77 + 1).to_bits();
                dut.clock.next = false.into();
                assert!(simulate(&mut dut, 10));
                if cycle >= cycles {
                    assert_eq!(dut.sink.val().to_u64(), (cycle - cycles) as u64 * 77 + 1, "{cycles} cycles");
                    compared += 1;
                }
                dut.clock.next = true.into();
                assert!(simulate(&mut dut, 10));
            }
            assert_eq!(compared, 60 - cycles);
        }
    }
}
