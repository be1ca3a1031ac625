//! A queue on block RAM whose head is always on show: the one mechanism behind every free and post queue.
//!
//! Order is kept, nothing is taken twice, a full queue refuses and never overwrites, an entry that is on show stays until it is taken.
//! Same-cycle push and pop are independent. A pop of an empty queue does nothing.
//!
//! | port         | dir | width   | meaning                                                                |
//! |--------------|-----|---------|------------------------------------------------------------------------|
//! | `push`       | in  | 1       | append `push_data`                                                     |
//! | `push_data`  | in  | WIDTH   | the new entry                                                          |
//! | `full`       | out | 1       | no room; a push now is refused; reset value 0                          |
//! | `pop`        | in  | 1       | take the head                                                          |
//! | `head_valid` | out | 1       | an entry is on show; reset value 0                                     |
//! | `head_data`  | out | WIDTH   | the oldest entry; not reset                                            |
//! | `level`      | out | ADDRESS + 1 | entries held, those not yet on show included; reset value 0        |
//!
//! Latency: [`LATENCY`] cycles from a push into an empty queue to `head_valid`. Throughput: one push and one pop per cycle.
//! Holds 2^ADDRESS entries, or as many as [`Queue::new`] was told.

use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

use crate::memory::{Collision, Memory};

/// Cycles from `push` into an empty queue to `head_valid`: write, read, register.
pub const LATENCY: usize = 3;

/// See the module's page. `LEVEL` is `ADDRESS` + 1.
#[derive(LogicBlock)]
pub struct Queue<const WIDTH: usize, const ADDRESS: usize, const LEVEL: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub push: Signal<In, Bit>,
    pub push_data: Signal<In, Bits<WIDTH>>,
    pub full: Signal<Out, Bit>,
    pub pop: Signal<In, Bit>,
    pub head_valid: Signal<Out, Bit>,
    pub head_data: Signal<Out, Bits<WIDTH>>,
    pub level: Signal<Out, Bits<LEVEL>>,
    entries: Memory<WIDTH, ADDRESS>,
    // Counters with one bit more than an address: equal means empty.
    write_count: DFF<Bits<LEVEL>>,
    read_count: DFF<Bits<LEVEL>>,
    held: DFF<Bits<LEVEL>>,
    /// The memory's output is the entry `read_count` counts.
    fetched: DFF<Bit>,
    shown: DFF<Bit>,
    head: DFF<Bits<WIDTH>>,
    is_full: DFF<Bit>,
    accepted: Signal<Local, Bit>,
    held_change: Signal<Local, Bits<LEVEL>>,
    leaves: Signal<Local, Bit>,
    taken: Signal<Local, Bit>,
    was_taken: DFF<Bit>,
    /// A late pop is carried out.
    late: Signal<Local, Bit>,
    advance: Signal<Local, Bit>,
    read_next: Signal<Local, Bits<LEVEL>>,
    depth_less_one: Constant<Bits<LEVEL>>,
    less: Constant<Bits<LEVEL>>,
    late_pop: Constant<Bit>,
}

impl<const WIDTH: usize, const ADDRESS: usize, const LEVEL: usize> Default for Queue<WIDTH, ADDRESS, LEVEL> {
    fn default() -> Self {
        Self::new(1 << ADDRESS)
    }
}

impl<const WIDTH: usize, const ADDRESS: usize, const LEVEL: usize> Queue<WIDTH, ADDRESS, LEVEL> {
    /// A queue of `depth` entries: a power of two from 4 to 2^ADDRESS.
    pub fn new(depth: usize) -> Self {
        Self::timed(depth, false)
    }

    /// The same for a `pop` that comes late in its cycle: it reaches the memory, `level` and `full` a cycle later. What is on show comes
    /// through a multiplexer then.
    pub fn with_late_pop(depth: usize) -> Self {
        Self::timed(depth, true)
    }

    fn timed(depth: usize, late_pop: bool) -> Self {
        assert_eq!(ADDRESS + 1, LEVEL);
        assert!(depth.is_power_of_two() && (4..=1 << ADDRESS).contains(&depth), "a queue of {depth} entries");
        block! {
            Self {
                // A read that meets the write of its own address is not believed: `fetched` goes by the count before the write.
                entries: Memory::new(depth, Collision::Discarded),
                depth_less_one: Constant::new((depth as u64 - 1).to_bits()),
                late_pop: Constant::new(late_pop),
                less: Constant::new(!Bits::<LEVEL>::default()),
            },
            clock, reset, push, push_data, full, pop, head_valid, head_data, level, write_count, read_count, held,
            fetched, shown, head, is_full, accepted, held_change, leaves, taken, was_taken, late, advance, read_next
        }
    }
}

impl<const WIDTH: usize, const ADDRESS: usize, const LEVEL: usize> Logic for Queue<WIDTH, ADDRESS, LEVEL> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, write_count, read_count, held, fetched, shown, head, is_full, was_taken);
        self.entries.clock.next = self.clock.val();

        // On show: while a late pop is carried out, what will be the head.
        self.late.next = self.late_pop.val() & self.was_taken.q.val();
        self.head_valid.next = self.shown.q.val();
        self.head_data.next = self.head.q.val();
        if self.late.val() {
            self.head_valid.next = self.fetched.q.val();
            self.head_data.next = self.entries.read_data.val();
        }

        self.full.next = self.is_full.q.val();
        self.accepted.next = self.push.val() & !self.full.val();
        self.leaves.next = self.pop.val() & self.head_valid.val();
        self.was_taken.d.next = self.leaves.val() & !self.reset.val();
        self.taken.next = self.leaves.val();
        if self.late_pop.val() {
            self.taken.next = self.late.val();
        }

        self.entries.write_enable.next = self.accepted.val();
        self.entries.write_address.next = bit_cast::<ADDRESS, LEVEL>(self.write_count.q.val());
        self.entries.write_data.next = self.push_data.val();
        if self.accepted.val() {
            self.write_count.d.next = self.write_count.q.val() + 1;
        }

        // The entry at the memory's output moves up when the head is empty or being taken.
        self.advance.next = self.fetched.q.val() & (!self.shown.q.val() | self.taken.val());
        // `advance` is the last signal to settle: both outcomes are ready before it chooses.
        self.read_next.next = self.read_count.q.val() + 1;
        self.entries.read_address.next = bit_cast::<ADDRESS, LEVEL>(self.read_count.q.val());
        self.fetched.d.next = self.read_count.q.val() != self.write_count.q.val();
        if self.advance.val() {
            self.read_count.d.next = self.read_next.val();
            self.entries.read_address.next = bit_cast::<ADDRESS, LEVEL>(self.read_next.val());
            self.fetched.d.next = self.read_next.val() != self.write_count.q.val();
        }
        if self.taken.val() {
            self.shown.d.next = false;
        }
        if self.advance.val() {
            self.shown.d.next = true;
            self.head.d.next = self.entries.read_data.val();
        }

        self.held_change.next = 0.into();
        if self.accepted.val() & !self.taken.val() {
            self.held_change.next = 1.into();
            self.is_full.d.next = self.held.q.val() == self.depth_less_one.val();
        }
        if self.taken.val() & !self.accepted.val() {
            self.held_change.next = self.less.val();
            self.is_full.d.next = false;
        }
        self.held.d.next = self.held.q.val() + self.held_change.val();

        self.level.next = self.held.q.val();

        if self.reset.val() {
            self.write_count.d.next = 0.into();
            self.read_count.d.next = 0.into();
            self.held.d.next = 0.into();
            self.is_full.d.next = false;
            self.fetched.d.next = false;
            self.shown.d.next = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    type Dut = Queue<8, 4, 5>;

    /// One clock cycle; what was on show and whether the queue was full before its edge.
    fn cycle(dut: &mut Dut, push: Option<u64>, pop: bool) -> (Option<u64>, bool) {
        dut.push.next = push.is_some();
        dut.push_data.next = push.unwrap_or_default().to_bits();
        dut.pop.next = pop;
        dut.clock.next = false.into();
        assert!(simulate(dut, 10));
        let shown = dut.head_valid.val().then(|| dut.head_data.val().to_u64());
        let full = dut.full.val();
        dut.clock.next = true.into();
        assert!(simulate(dut, 10));
        (shown, full)
    }

    #[test]
    fn an_entry_is_on_show_after_the_latency_and_stays() {
        let mut dut = Dut::new(4);
        assert_eq!(cycle(&mut dut, Some(0x5a), false), (None, false));
        for _ in 1..LATENCY {
            assert_eq!(cycle(&mut dut, None, true), (None, false), "a pop of what is not on show does nothing");
        }
        assert_eq!(cycle(&mut dut, None, false), (Some(0x5a), false));
        assert_eq!(cycle(&mut dut, None, true), (Some(0x5a), false));
        assert_eq!(cycle(&mut dut, None, false), (None, false));
    }

    #[test]
    fn what_waits_is_taken_every_cycle() {
        for late_pop in [false, true] {
            let mut dut = Dut::timed(16, late_pop);
            for n in 0..8 {
                cycle(&mut dut, Some(n), false);
            }
            for _ in 0..LATENCY {
                cycle(&mut dut, None, false);
            }
            let taken: Vec<_> = (0..9).map(|_| cycle(&mut dut, None, true).0).collect();
            assert_eq!(taken, [0, 1, 2, 3, 4, 5, 6, 7].map(Some).into_iter().chain([None]).collect::<Vec<_>>());
        }
    }

    #[test]
    fn any_depth_keeps_order_and_refuses_what_does_not_fit() {
        for (depth, late_pop) in [(4, false), (8, false), (16, false), (4, true), (16, true)] {
            let mut dut = Dut::timed(depth, late_pop);
            let (mut model, mut seed, mut taken, mut refused, mut late) = (VecDeque::new(), 0x9e37_79b9u32, 0, 0, 0);
            for n in 0..2000u32 {
                // xorshift32
                seed ^= seed << 13;
                seed ^= seed >> 17;
                seed ^= seed << 5;
                // Phases that fill and phases that drain.
                let (often, seldom) = (seed & 3 != 0, seed >> 8 & 3 == 0);
                let (push, pop) = if n / 50 % 2 == 0 { (often, seldom) } else { (seldom, often) };
                let data = u64::from(seed >> 24);
                assert_eq!(dut.level.val().to_u64() as usize, model.len() + late);
                let (shown, full) = cycle(&mut dut, push.then_some(data), pop);
                assert_eq!(full, model.len() + late == depth);
                late = 0;
                if pop && let Some(shown) = shown {
                    assert_eq!(model.pop_front(), Some(shown));
                    taken += 1;
                    late = usize::from(late_pop);
                }
                if push && !full {
                    model.push_back(data);
                }
                refused += u32::from(push && full);
            }
            assert!(taken > 400 && refused > 100, "depth {depth}: {taken} taken, {refused} refused");
        }
    }
}
