//! Holds a frame's beats until its checksum plan is there, and lets it go a constant time after its first beat.
//!
//! A frame leaves when its plan is on show and it is old enough. The age makes the latency the same for every frame whose beats
//! arrive back to back, whatever its headers; gaps within a frame's headers delay that frame only. Beats arrive and leave at most one a
//! cycle, so the buffer never holds more than the longest plan takes: [`occupancy`] of 64 beats.
//!
//! | port            | dir | width | meaning                                                              |
//! |-----------------|-----|-------|----------------------------------------------------------------------|
//! | `beat_valid`    | in  | 1     | a beat arrives                                                       |
//! | `beat_data`     | in  | W     | its bytes                                                            |
//! | `beat_keep`     | in  | W/8   | its lanes                                                            |
//! | `beat_first`    | in  | 1     | first of a frame                                                     |
//! | `beat_last`     | in  | 1     | last of a frame                                                      |
//! | `beat_length`   | in  | 14    | bytes of the frame up to here                                        |
//! | `beat_discard`  | in  | 2     | 0 keep, 1 runt, 2 oversize, 3 bad                                    |
//! | `plan_valid`    | in  | 1     | a plan is on show                                                    |
//! | `plan`          | in  | 72    | it, a [`crate::checksum_plan::Plan`]                                 |
//! | `plan_take`     | out | 1     | its frame leaves                                                     |
//! | `out_valid`     | out | 1     | a beat leaves; reset value 0                                         |
//! | `out_data`      | out | W     | its bytes                                                            |
//! | `out_keep`      | out | W/8   | its lanes                                                            |
//! | `out_first`     | out | 1     | first of a frame                                                     |
//! | `out_last`      | out | 1     | last of a frame                                                      |
//! | `out_length`    | out | 14    | bytes of the frame up to here                                        |
//! | `out_discard`   | out | 2     | 0 keep, 1 runt, 2 oversize, 3 bad                                    |
//! | `out_plan`      | out | 72    | the frame's plan, valid with all its beats                           |
//!
//! Latency: [`latency`] cycles. Throughput: one beat per cycle, the next frame right behind the last. Never stalls.

use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

use crate::checksum_plan::PLAN_BITS;
use crate::many;
use crate::memory::{Collision, Memory};
use crate::{checksum_plan, parser};

/// Cycles from `beat_valid` of a frame's first beat until its plan is on show, at the latest, if its beats arrive back to back.
const fn plan_latency(beat_bytes: usize) -> usize {
    parser::deciding_beats(beat_bytes) - 1 + parser::LATENCY + checksum_plan::LATENCY
}

/// Cycles from `beat_valid` to `out_valid`: the plan's, then read and register.
pub const fn latency(beat_bytes: usize) -> usize {
    plan_latency(beat_bytes) + READ
}

/// Cycles from the plan to its frame: read, register.
pub const READ: usize = 2;

/// Beats the buffer can come to hold, of 64.
pub const fn occupancy(beat_bytes: usize) -> usize {
    plan_latency(beat_bytes) + 1
}

/// See the module's page.
#[derive(LogicBlock)]
pub struct FrameBuffer<const W: usize, const KEEP: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub beat_valid: Signal<In, Bit>,
    pub beat_data: Signal<In, Bits<W>>,
    pub beat_keep: Signal<In, Bits<KEEP>>,
    pub beat_first: Signal<In, Bit>,
    pub beat_last: Signal<In, Bit>,
    pub beat_length: Signal<In, Bits<14>>,
    pub beat_discard: Signal<In, Bits<2>>,
    pub plan_valid: Signal<In, Bit>,
    pub plan: Signal<In, Bits<PLAN_BITS>>,
    pub plan_take: Signal<Out, Bit>,
    pub out_valid: Signal<Out, Bit>,
    pub out_data: Signal<Out, Bits<W>>,
    pub out_keep: Signal<Out, Bits<KEEP>>,
    pub out_first: Signal<Out, Bit>,
    pub out_last: Signal<Out, Bit>,
    pub out_length: Signal<Out, Bits<14>>,
    pub out_discard: Signal<Out, Bits<2>>,
    pub out_plan: Signal<Out, Bits<PLAN_BITS>>,
    data: Memory<W, 6>,
    keep: Memory<KEEP, 6>,
    length: Memory<14, 6>,
    discard: Memory<2, 6>,
    /// Which of the stored beats are last ones; needed before the memories answer.
    last_beats: DFF<Bits<64>>,
    // One bit more than an address: equal means empty.
    write_count: DFF<Bits<7>>,
    read_count: DFF<Bits<7>>,
    write_place: Signal<Local, Bits<6>>,
    read_place: Signal<Local, Bits<6>>,
    aging: Vec<DFF<Bit>>,
    come_of_age: Signal<Local, Bit>,
    /// Frames old enough to leave.
    aged: DFF<Bits<7>>,
    in_frame: DFF<Bit>,
    leaving: Signal<Local, Bit>,
    starting: Signal<Local, Bit>,
    leaving_last: Signal<Local, Bit>,
    fetched: DFF<Bit>,
    fetched_first: DFF<Bit>,
    fetched_last: DFF<Bit>,
    fetched_plan: DFF<Bits<PLAN_BITS>>,
    valid: DFF<Bit>,
    first: DFF<Bit>,
    last: DFF<Bit>,
    data_out: DFF<Bits<W>>,
    keep_out: DFF<Bits<KEEP>>,
    length_out: DFF<Bits<14>>,
    discard_out: DFF<Bits<2>>,
    plan_out: DFF<Bits<PLAN_BITS>>,
    _age: usize,
}

impl<const W: usize, const KEEP: usize> Default for FrameBuffer<W, KEEP> {
    fn default() -> Self {
        assert!(KEEP * 8 == W && occupancy(KEEP) <= 64);
        // `aged` counts from the cycle after the pulse.
        let age = plan_latency(KEEP) - 1;
        block! {
            Self {
                // A beat leaves only in a later cycle than it came.
                data: Memory::new(64, Collision::Discarded),
                keep: Memory::new(64, Collision::Discarded),
                length: Memory::new(64, Collision::Discarded),
                discard: Memory::new(64, Collision::Discarded),
                aging: many(age),
                _age: age,
            },
            clock, reset, beat_valid, beat_data, beat_keep, beat_first, beat_last, beat_length, beat_discard,
            plan_valid, plan, plan_take, out_valid, out_data, out_keep, out_first, out_last, out_length, out_discard,
            out_plan, last_beats, write_count, read_count, write_place, read_place, come_of_age, aged, in_frame,
            leaving, starting, leaving_last, fetched, fetched_first, fetched_last, fetched_plan, valid, first, last,
            data_out, keep_out, length_out, discard_out, plan_out
        }
    }
}

impl<const W: usize, const KEEP: usize> Logic for FrameBuffer<W, KEEP> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, last_beats, write_count, read_count, aged, in_frame);
        dff_setup!(self, clock, fetched, fetched_first, fetched_last, fetched_plan, valid, first, last);
        dff_setup!(self, clock, data_out, keep_out, length_out, discard_out, plan_out);
        self.data.clock.next = self.clock.val();
        self.keep.clock.next = self.clock.val();
        self.length.clock.next = self.clock.val();
        self.discard.clock.next = self.clock.val();
        self.write_place.next = self.write_count.q.val().get_bits::<6>(0);
        self.read_place.next = self.read_count.q.val().get_bits::<6>(0);

        // Arrive.
        self.data.write_enable.next = self.beat_valid.val();
        self.data.write_address.next = self.write_place.val();
        self.data.write_data.next = self.beat_data.val();
        self.keep.write_enable.next = self.beat_valid.val();
        self.keep.write_address.next = self.write_place.val();
        self.keep.write_data.next = self.beat_keep.val();
        self.length.write_enable.next = self.beat_valid.val();
        self.length.write_address.next = self.write_place.val();
        self.length.write_data.next = self.beat_length.val();
        self.discard.write_enable.next = self.beat_valid.val();
        self.discard.write_address.next = self.write_place.val();
        self.discard.write_data.next = self.beat_discard.val();
        if self.beat_valid.val() {
            self.last_beats.d.next =
                self.last_beats.q.val().replace_bit(self.write_place.val().index(), self.beat_last.val());
            self.write_count.d.next = self.write_count.q.val() + 1;
        }

        // Grow old.
        for s in 0..self._age {
            self.aging[s].clock.next = self.clock.val();
        }
        self.aging[0].d.next = self.beat_valid.val() & self.beat_first.val() & !self.reset.val();
        for s in 1..self._age {
            self.aging[s].d.next = self.aging[s - 1].q.val() & !self.reset.val();
        }
        for s in 0..self._age {
            // The last stage has the last word.
            self.come_of_age.next = self.aging[s].q.val();
        }
        if self.come_of_age.val() & !self.starting.val() {
            self.aged.d.next = self.aged.q.val() + 1;
        }
        if self.starting.val() & !self.come_of_age.val() {
            self.aged.d.next = self.aged.q.val() - 1;
        }

        // Leave.
        self.starting.next = !self.in_frame.q.val() & self.plan_valid.val() & (self.aged.q.val() != 0);
        self.leaving.next =
            (self.read_count.q.val() != self.write_count.q.val()) & (self.in_frame.q.val() | self.starting.val());
        self.leaving_last.next = self.last_beats.q.val().get_bit(self.read_place.val().index());
        self.plan_take.next = self.starting.val();
        if self.leaving.val() {
            self.read_count.d.next = self.read_count.q.val() + 1;
            self.in_frame.d.next = !self.leaving_last.val();
        }
        self.data.read_address.next = self.read_place.val();
        self.keep.read_address.next = self.read_place.val();
        self.length.read_address.next = self.read_place.val();
        self.discard.read_address.next = self.read_place.val();
        self.fetched.d.next = self.leaving.val() & !self.reset.val();
        self.fetched_first.d.next = !self.in_frame.q.val();
        self.fetched_last.d.next = self.leaving_last.val();
        if self.starting.val() {
            self.fetched_plan.d.next = self.plan.val();
        }

        self.valid.d.next = self.fetched.q.val() & !self.reset.val();
        self.first.d.next = self.fetched_first.q.val();
        self.last.d.next = self.fetched_last.q.val();
        self.data_out.d.next = self.data.read_data.val();
        self.keep_out.d.next = self.keep.read_data.val();
        self.length_out.d.next = self.length.read_data.val();
        self.discard_out.d.next = self.discard.read_data.val();
        self.plan_out.d.next = self.fetched_plan.q.val();
        self.out_valid.next = self.valid.q.val();
        self.out_data.next = self.data_out.q.val();
        self.out_keep.next = self.keep_out.q.val();
        self.out_first.next = self.first.q.val();
        self.out_last.next = self.last.q.val();
        self.out_length.next = self.length_out.q.val();
        self.out_discard.next = self.discard_out.q.val();
        self.out_plan.next = self.plan_out.q.val();

        if self.reset.val() {
            self.write_count.d.next = 0.into();
            self.read_count.d.next = 0.into();
            self.aged.d.next = 0.into();
            self.in_frame.d.next = false;
        }
    }
}
