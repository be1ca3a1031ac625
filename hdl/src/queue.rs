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
//! Holds 2^ADDRESS entries.

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
    accepted: Signal<Local, Bit>,
    taken: Signal<Local, Bit>,
    advance: Signal<Local, Bit>,
    next_read: Signal<Local, Bits<LEVEL>>,
    depth: Constant<Bits<LEVEL>>,
}

impl<const WIDTH: usize, const ADDRESS: usize, const LEVEL: usize> Default for Queue<WIDTH, ADDRESS, LEVEL> {
    fn default() -> Self {
        assert_eq!(ADDRESS + 1, LEVEL);
        Self {
            clock: Default::default(),
            reset: Default::default(),
            push: Default::default(),
            push_data: Default::default(),
            full: Default::default(),
            pop: Default::default(),
            head_valid: Default::default(),
            head_data: Default::default(),
            level: Default::default(),
            // A read that meets the write of its own address is not believed: `fetched` goes by the count before the write.
            entries: Memory::new(1 << ADDRESS, Collision::Discarded),
            write_count: Default::default(),
            read_count: Default::default(),
            held: Default::default(),
            fetched: Default::default(),
            shown: Default::default(),
            head: Default::default(),
            accepted: Default::default(),
            taken: Default::default(),
            advance: Default::default(),
            next_read: Default::default(),
            depth: Constant::new((1u64 << ADDRESS).to_bits()),
        }
    }
}

impl<const WIDTH: usize, const ADDRESS: usize, const LEVEL: usize> Logic for Queue<WIDTH, ADDRESS, LEVEL> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, write_count, read_count, held, fetched, shown, head);
        self.entries.clock.next = self.clock.val();

        self.full.next = self.held.q.val() == self.depth.val();
        self.accepted.next = self.push.val() & !self.full.val();
        self.taken.next = self.pop.val() & self.shown.q.val();

        self.entries.write_enable.next = self.accepted.val();
        self.entries.write_address.next = bit_cast::<ADDRESS, LEVEL>(self.write_count.q.val());
        self.entries.write_data.next = self.push_data.val();
        if self.accepted.val() {
            self.write_count.d.next = self.write_count.q.val() + 1;
        }

        // The entry at the memory's output moves up when the head is empty or being taken.
        self.advance.next = self.fetched.q.val() & (self.taken.val() | !self.shown.q.val());
        self.next_read.next = self.read_count.q.val();
        if self.advance.val() {
            self.next_read.next = self.read_count.q.val() + 1;
        }
        self.read_count.d.next = self.next_read.val();
        self.entries.read_address.next = bit_cast::<ADDRESS, LEVEL>(self.next_read.val());
        self.fetched.d.next = self.next_read.val() != self.write_count.q.val();
        if self.taken.val() {
            self.shown.d.next = false;
        }
        if self.advance.val() {
            self.shown.d.next = true;
            self.head.d.next = self.entries.read_data.val();
        }

        if self.accepted.val() & !self.taken.val() {
            self.held.d.next = self.held.q.val() + 1;
        }
        if self.taken.val() & !self.accepted.val() {
            self.held.d.next = self.held.q.val() - 1;
        }

        self.head_valid.next = self.shown.q.val();
        self.head_data.next = self.head.q.val();
        self.level.next = self.held.q.val();

        if self.reset.val() {
            self.write_count.d.next = 0.into();
            self.read_count.d.next = 0.into();
            self.held.d.next = 0.into();
            self.fetched.d.next = false;
            self.shown.d.next = false;
        }
    }
}
