//! Writes what the host sends to BAR2 into a processor's memory: moves the payload to the lanes of the memory's lines, and asks for each
//! line until it is granted.
//!
//! | port               | dir | width | meaning                                                         |
//! |--------------------|-----|-------|-----------------------------------------------------------------|
//! | `write_valid`      | in  | 1     | a beat to write                                                 |
//! | `write_ready`      | out | 1     | it is taken; of what comes in, depends on `write_first` alone   |
//! | `write_first`      | in  | 1     | first beat of a request                                         |
//! | `write_last`       | in  | 1     | last beat of a request                                          |
//! | `write_void`       | in  | 1     | the TLP ended before this beat: nothing of it is written        |
//! | `write_address`    | in  | 26    | at the first beat: card address of its first DW, in DWs         |
//! | `write_dws`        | in  | 11    | DWs of the request from this beat on, 1 to 1024                 |
//! | `write_data`       | in  | W     | payload, first DW in the lowest lanes of the first beat         |
//! | `write_head`       | in  | 4     | byte enables of the request's first DW                          |
//! | `write_tail`       | in  | 4     | byte enables of its last DW; all set if it is the first one too |
//! | `drained`          | out | 1     | a cycle ago, all that was taken had been granted; reset value 1 |
//! | `memory_valid`     | out | 1     | write a line; goes on until it is granted; reset value 0        |
//! | `memory_processor` | out | 4     | to which processor                                              |
//! | `memory_address`   | out | 24    | byte address, a multiple of W/8                                 |
//! | `memory_data`      | out | W     | bytes                                                           |
//! | `memory_strobe`    | out | W/8   | lanes to write                                                  |
//! | `memory_grant`     | in  | 1     | it is written; only with `memory_valid`                         |
//!
//! Latency: [`LATENCY`] cycles from `write_valid` to `memory_valid`. Throughput: one beat per cycle; a request whose bytes touch one line
//! more than it has beats costs one cycle more. Stalls while the memory does not grant. Not reset: data registers.

use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

use crate::aligner::{self, Aligner};
use crate::concat::Concat;
use crate::many;
use crate::skid_buffer::{self, SkidBuffer};

/// Cycles from `write_valid` to `memory_valid`.
pub const LATENCY: usize = skid_buffer::LATENCY + 1 + aligner::LATENCY;

/// Requests under way: one in each stage of the aligner, and the one that is just beginning.
const REQUESTS: usize = 4;

/// What the aligner does for a request.
#[derive(LogicStruct, Debug, Copy, Clone, PartialEq, Default)]
struct Plan {
    shift: Bits<6>,
    lines: Bits<14>,
    beats: Bits<14>,
}

/// See the module's page.
#[derive(LogicBlock)]
pub struct WindowWriter<const W: usize, const KEEP: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub write_valid: Signal<In, Bit>,
    pub write_ready: Signal<Out, Bit>,
    pub write_first: Signal<In, Bit>,
    pub write_last: Signal<In, Bit>,
    pub write_void: Signal<In, Bit>,
    pub write_address: Signal<In, Bits<26>>,
    pub write_dws: Signal<In, Bits<11>>,
    pub write_data: Signal<In, Bits<W>>,
    pub write_head: Signal<In, Bits<4>>,
    pub write_tail: Signal<In, Bits<4>>,
    pub drained: Signal<Out, Bit>,
    pub memory_valid: Signal<Out, Bit>,
    pub memory_processor: Signal<Out, Bits<4>>,
    pub memory_address: Signal<Out, Bits<24>>,
    pub memory_data: Signal<Out, Bits<W>>,
    pub memory_strobe: Signal<Out, Bits<KEEP>>,
    pub memory_grant: Signal<In, Bit>,
    accepted: Signal<Local, Bit>,
    head: Signal<Local, Bits<4>>,
    tail: Signal<Local, Bits<4>>,
    enables: Vec<Signal<Local, Bits<4>>>,
    lanes: Concat<KEEP>,
    plan: Signal<Local, Plan>,
    /// Requests on their way to the aligner: address of the first line, plan.
    jobs: SkidBuffer<28, 34>,
    stage: SkidBuffer<W, KEEP>,
    /// The beat that goes into the aligner next: its request must be there before it.
    waiting: DFF<Bit>,
    data: DFF<Bits<W>>,
    keep: DFF<Bits<KEEP>>,
    free: Signal<Local, Bit>,
    aligner: Aligner<W, KEEP>,
    offset: Signal<Local, Bits<11>>,
    may_start: Signal<Local, Bit>,
    starts: Signal<Local, Bit>,
    /// Card address of the next line.
    here: DFF<Bits<28>>,
    /// Those of the first lines of the requests behind, in a ring.
    line: Vec<DFF<Bits<28>>>,
    oldest: DFF<Bits<2>>,
    newest: DFF<Bits<2>>,
    requests: DFF<Bits<3>>,
    is_drained: DFF<Bit>,
    waiting_line: Signal<Local, Bits<28>>,
    waits: Signal<Local, Bit>,
    turns: Signal<Local, Bit>,
    enters: Signal<Local, Bit>,
    behind: Signal<Local, Bits<28>>,
    moves: Signal<Local, Bit>,
    ends: Signal<Local, Bit>,
    most: Constant<Bits<3>>,
    lane_bits: Constant<Bits<4>>,
    in_line: Constant<Bits<26>>,
    more: Constant<Bits<11>>,
    beat_bytes: Constant<Bits<28>>,
    _requests: usize,
    _lanes: usize,
}

impl<const W: usize, const KEEP: usize> Default for WindowWriter<W, KEEP> {
    fn default() -> Self {
        assert_eq!(KEEP * 8, W);
        let lanes = KEEP as u64 / 4;
        block! {
            Self {
                // A request has at most 1,024 DWs, and moves by DWs.
                aligner: Aligner::new(4, 4096 / KEEP + 1),
                enables: many(KEEP / 4),
                line: many(REQUESTS),
                most: Constant::new((REQUESTS as u64).to_bits()),
                lane_bits: Constant::new((lanes.ilog2() as u64).to_bits()),
                in_line: Constant::new((lanes - 1).to_bits()),
                more: Constant::new((lanes - 1).to_bits()),
                beat_bytes: Constant::new((KEEP as u64).to_bits()),
                _requests: REQUESTS,
                _lanes: KEEP / 4,
            },
            clock, reset, write_valid, write_ready, write_first, write_last, write_void, write_address, write_dws,
            write_data, write_head, write_tail, drained, memory_valid, memory_processor, memory_address, memory_data,
            memory_strobe, memory_grant, accepted, head, tail, lanes, plan, jobs, stage, waiting, data, keep, free,
            offset, may_start, starts, oldest, newest, requests, is_drained, here, waiting_line, waits, turns, enters,
            behind, moves, ends
        }
    }
}

impl<const W: usize, const KEEP: usize> Logic for WindowWriter<W, KEEP> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, waiting, data, keep, oldest, newest, requests, is_drained, here);
        for i in 0..self._requests {
            self.line[i].clock.next = self.clock.val();
        }
        self.aligner.clock.next = self.clock.val();
        self.aligner.reset.next = self.reset.val();

        self.jobs.clock.next = self.clock.val();
        self.jobs.reset.next = self.reset.val();
        self.stage.clock.next = self.clock.val();
        self.stage.reset.next = self.reset.val();

        // Which bytes of a beat are written.
        self.head.next = 15.into();
        if self.write_first.val() {
            self.head.next = self.write_head.val();
        }
        self.tail.next = 15.into();
        if self.write_last.val() {
            self.tail.next = self.write_tail.val();
        }
        for d in 0..self._lanes {
            self.enables[d].next = 15.into();
            if self.write_dws.val() <= d.to_bits() {
                self.enables[d].next = 0.into();
            }
            if self.write_dws.val() == (d + 1).to_bits() {
                self.enables[d].next = self.tail.val();
            }
        }
        self.enables[0].next = self.enables[0].val() & self.head.val();
        for d in 0..self._lanes {
            if self.write_void.val() {
                self.enables[d].next = 0.into();
            }
            self.lanes.element[d * 4].next = self.enables[d].val().get_bit(0);
            self.lanes.element[d * 4 + 1].next = self.enables[d].val().get_bit(1);
            self.lanes.element[d * 4 + 2].next = self.enables[d].val().get_bit(2);
            self.lanes.element[d * 4 + 3].next = self.enables[d].val().get_bit(3);
        }

        // Take it, and what its request is before it.
        self.write_ready.next =
            self.stage.source_ready.val() & (!self.write_first.val() | self.jobs.source_ready.val());
        self.accepted.next = self.write_valid.val() & self.write_ready.val();
        self.offset.next = bit_cast::<11, 26>(self.write_address.val() & self.in_line.val());
        self.plan.next.shift = bit_cast::<6, 11>(self.offset.val()) << 2;
        self.plan.next.lines = bit_cast::<14, 11>((self.write_dws.val() + self.more.val()) >> self.lane_bits.val());
        self.plan.next.beats =
            bit_cast::<14, 11>((self.write_dws.val() + (self.offset.val() + self.more.val())) >> self.lane_bits.val());
        self.jobs.source_valid.next = self.accepted.val() & self.write_first.val();
        self.jobs.source_data.next =
            bit_cast::<28, 26>((self.write_address.val() | self.in_line.val()) ^ self.in_line.val()) << 2;
        self.jobs.source_side.next = self.plan.val().into();
        self.jobs.source_last.next = true;
        self.stage.source_valid.next = self.accepted.val();
        self.stage.source_data.next = self.write_data.val();
        self.stage.source_side.next = self.lanes.value.val();
        self.stage.source_last.next = true;

        // Move it.
        self.may_start.next = self.requests.q.val() != self.most.val();
        self.aligner.job_valid.next = self.jobs.sink_valid.val() & self.may_start.val();
        self.aligner.job_shift.next = self.jobs.sink_side.val().get_bits::<6>(0);
        self.aligner.job_lines.next = self.jobs.sink_side.val().get_bits::<14>(6);
        self.aligner.job_beats.next = self.jobs.sink_side.val().get_bits::<14>(20);
        self.aligner.job_late.next = false;
        self.jobs.sink_ready.next = self.aligner.job_ready.val() & self.may_start.val();
        self.starts.next = self.aligner.job_valid.val() & self.aligner.job_ready.val();
        self.free.next = self.aligner.line_ready.val() | !self.waiting.q.val();
        self.stage.sink_ready.next = self.free.val();
        if self.free.val() {
            self.waiting.d.next = self.stage.sink_valid.val();
            self.data.d.next = self.stage.sink_data.val();
            self.keep.d.next = self.stage.sink_side.val();
        }
        self.aligner.line_valid.next = self.waiting.q.val();
        self.aligner.line_data.next = self.data.q.val();
        self.aligner.line_keep.next = self.keep.q.val();

        // Out: lines of one request follow each other within 16 MiB.
        self.aligner.beat_ready.next = self.memory_grant.val();
        self.memory_valid.next = self.aligner.beat_valid.val();
        self.memory_data.next = self.aligner.beat_data.val();
        self.memory_strobe.next = self.aligner.beat_keep.val();
        self.memory_processor.next = self.here.q.val().get_bits::<4>(24);
        self.memory_address.next = self.here.q.val().get_bits::<24>(0);
        self.moves.next = self.memory_grant.val() & self.aligner.beat_valid.val();
        self.ends.next = self.moves.val() & self.aligner.beat_last.val();
        self.behind.next = (self.here.q.val() & 0xf00_0000) | ((self.here.q.val() + self.beat_bytes.val()) & 0xff_ffff);
        if self.moves.val() {
            self.here.d.next = self.behind.val();
        }
        // The next request's first line: of the oldest that waits, or of one that starts just now.
        self.waits.next = self.requests.q.val() > 1;
        self.turns.next = self.ends.val() | !self.requests.q.val().any();
        self.enters.next = self.starts.val() & (self.waits.val() | !self.turns.val());
        self.waiting_line.next = 0.into();
        for i in 0..self._requests {
            if self.oldest.q.val() == i.to_bits() {
                self.waiting_line.next = self.line[i].q.val();
            }
            self.line[i].d.next = self.line[i].q.val();
            if self.enters.val() & (self.newest.q.val() == i.to_bits()) {
                self.line[i].d.next = self.jobs.sink_data.val();
            }
        }
        if self.turns.val() {
            self.here.d.next = self.jobs.sink_data.val();
            if self.waits.val() {
                self.here.d.next = self.waiting_line.val();
            }
        }
        self.oldest.d.next = self.oldest.q.val() + (self.ends.val() & self.waits.val());
        self.newest.d.next = self.newest.q.val() + self.enters.val();
        if self.starts.val() & !self.ends.val() {
            self.requests.d.next = self.requests.q.val() + 1;
        }
        if self.ends.val() & !self.starts.val() {
            self.requests.d.next = self.requests.q.val() - 1;
        }
        self.is_drained.d.next = (self.requests.q.val() == 0) & !self.jobs.sink_valid.val() & !self.write_valid.val();
        self.drained.next = self.is_drained.q.val();

        if self.reset.val() {
            self.waiting.d.next = false;
            self.oldest.d.next = 0.into();
            self.newest.d.next = 0.into();
            self.requests.d.next = 0.into();
            self.is_drained.d.next = true;
        }
    }
}
