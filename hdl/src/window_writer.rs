//! Writes what the host sends to BAR2 into a processor's memory: moves the payload to the lanes of the memory's lines, and asks for each
//! line until it is granted.
//!
//! | port               | dir | width | meaning                                                         |
//! |--------------------|-----|-------|-----------------------------------------------------------------|
//! | `write_valid`      | in  | 1     | a beat to write                                                 |
//! | `write_ready`      | out | 1     | it is taken; a register; reset value 1                          |
//! | `write_first`      | in  | 1     | first beat of a request                                         |
//! | `write_last`       | in  | 1     | last beat of a request                                          |
//! | `write_void`       | in  | 1     | the TLP ended before this beat: nothing of it is written        |
//! | `write_address`    | in  | 26    | at the first beat: card address of its first DW, in DWs         |
//! | `write_dws`        | in  | 11    | DWs of the request from this beat on, 1 to 1024                 |
//! | `write_data`       | in  | W     | payload, first DW in the lowest lanes of the first beat         |
//! | `write_head`       | in  | 4     | byte enables of the request's first DW                          |
//! | `write_tail`       | in  | 4     | byte enables of its last DW; all set if it is the first one too |
//! | `drained`          | out | 1     | all that was taken has been granted, a cycle ago; reset value 1 |
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

/// Where a beat goes.
#[derive(LogicStruct, Debug, Copy, Clone, PartialEq, Default)]
struct Place {
    address: Bits<26>,
    dws: Bits<11>,
    head: Bits<4>,
    tail: Bits<4>,
    first: Bit,
    is_void: Bit,
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
    arriving: Signal<Local, Place>,
    stage: SkidBuffer<W, 47>,
    place: Signal<Local, Bits<47>>,
    first: Signal<Local, Bit>,
    address: Signal<Local, Bits<26>>,
    dws: Signal<Local, Bits<11>>,
    head: Signal<Local, Bits<4>>,
    tail: Signal<Local, Bits<4>>,
    enables: Vec<Signal<Local, Bits<4>>>,
    lanes: Concat<KEEP>,
    aligner: Aligner<W, KEEP>,
    // The beat that goes into the aligner next. Its job went in before it.
    waiting: DFF<Bit>,
    data: DFF<Bits<W>>,
    keep: DFF<Bits<KEEP>>,
    offset: Signal<Local, Bits<11>>,
    takes: Signal<Local, Bit>,
    starts: Signal<Local, Bit>,
    free: Signal<Local, Bit>,
    /// Card addresses of the next line of each request under way, in a ring.
    line: Vec<DFF<Bits<28>>>,
    oldest: DFF<Bits<2>>,
    newest: DFF<Bits<2>>,
    requests: DFF<Bits<3>>,
    is_drained: DFF<Bit>,
    here: Signal<Local, Bits<28>>,
    behind: Signal<Local, Bits<28>>,
    moves: Signal<Local, Bit>,
    ends: Signal<Local, Bit>,
    new_line: Signal<Local, Bits<28>>,
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
            memory_strobe, memory_grant, arriving, stage, place, first, address, dws, head, tail, lanes, aligner,
            waiting, data, keep, offset, takes, starts, free, oldest, newest, requests, is_drained, here, behind, moves, ends,
            new_line
        }
    }
}

impl<const W: usize, const KEEP: usize> Logic for WindowWriter<W, KEEP> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, waiting, data, keep, oldest, newest, requests, is_drained);
        for i in 0..self._requests {
            self.line[i].clock.next = self.clock.val();
        }
        self.aligner.clock.next = self.clock.val();
        self.aligner.reset.next = self.reset.val();

        self.stage.clock.next = self.clock.val();
        self.stage.reset.next = self.reset.val();
        self.arriving.next.address = self.write_address.val();
        self.arriving.next.dws = self.write_dws.val();
        self.arriving.next.head = self.write_head.val();
        self.arriving.next.tail = self.write_tail.val();
        self.arriving.next.first = self.write_first.val();
        self.arriving.next.is_void = self.write_void.val();
        self.stage.source_valid.next = self.write_valid.val();
        self.stage.source_last.next = self.write_last.val();
        self.stage.source_side.next = self.arriving.val().into();
        self.stage.source_data.next = self.write_data.val();
        self.write_ready.next = self.stage.source_ready.val();

        // Which of its bytes are written.
        self.place.next = self.stage.sink_side.val();
        self.address.next = self.place.val().get_bits::<26>(0);
        self.dws.next = self.place.val().get_bits::<11>(26);
        self.first.next = self.place.val().get_bit(45);
        self.head.next = 15.into();
        if self.first.val() {
            self.head.next = self.place.val().get_bits::<4>(37);
        }
        self.tail.next = 15.into();
        if self.stage.sink_last.val() {
            self.tail.next = self.place.val().get_bits::<4>(41);
        }
        for d in 0..self._lanes {
            self.enables[d].next = 15.into();
            if self.dws.val() <= d.to_bits() {
                self.enables[d].next = 0.into();
            }
            if self.dws.val() == (d + 1).to_bits() {
                self.enables[d].next = self.tail.val();
            }
        }
        self.enables[0].next = self.enables[0].val() & self.head.val();
        for d in 0..self._lanes {
            if self.place.val().get_bit(46) {
                self.enables[d].next = 0.into();
            }
            self.lanes.element[d * 4].next = self.enables[d].val().get_bit(0);
            self.lanes.element[d * 4 + 1].next = self.enables[d].val().get_bit(1);
            self.lanes.element[d * 4 + 2].next = self.enables[d].val().get_bit(2);
            self.lanes.element[d * 4 + 3].next = self.enables[d].val().get_bit(3);
        }

        // In: the job at the first beat, the beat one cycle later.
        self.free.next = (self.aligner.line_ready.val() | !self.waiting.q.val())
            & (!self.first.val() | (self.aligner.job_ready.val() & (self.requests.q.val() != self.most.val())));
        self.stage.sink_ready.next = self.free.val();
        self.takes.next = self.stage.sink_valid.val() & self.free.val();
        self.starts.next = self.takes.val() & self.first.val();
        if self.aligner.line_ready.val() | !self.waiting.q.val() {
            self.waiting.d.next = self.takes.val();
            self.data.d.next = self.stage.sink_data.val();
            self.keep.d.next = self.lanes.value.val();
        }
        self.offset.next = bit_cast::<11, 26>(self.address.val() & self.in_line.val());
        self.aligner.job_valid.next = self.starts.val();
        self.aligner.job_shift.next = bit_cast::<6, 11>(self.offset.val()) << 2;
        self.aligner.job_lines.next = bit_cast::<14, 11>((self.dws.val() + self.more.val()) >> self.lane_bits.val());
        self.aligner.job_beats.next =
            bit_cast::<14, 11>((self.dws.val() + (self.offset.val() + self.more.val())) >> self.lane_bits.val());
        self.aligner.job_late.next = false;
        self.aligner.line_valid.next = self.waiting.q.val();
        self.aligner.line_data.next = self.data.q.val();
        self.aligner.line_keep.next = self.keep.q.val();

        // Out: lines of one request follow each other within 16 MiB.
        self.aligner.beat_ready.next = self.memory_grant.val();
        self.memory_valid.next = self.aligner.beat_valid.val();
        self.memory_data.next = self.aligner.beat_data.val();
        self.memory_strobe.next = self.aligner.beat_keep.val();
        self.here.next = 0.into();
        for i in 0..self._requests {
            if self.oldest.q.val() == i.to_bits() {
                self.here.next = self.line[i].q.val();
            }
        }
        self.memory_processor.next = self.here.val().get_bits::<4>(24);
        self.memory_address.next = self.here.val().get_bits::<24>(0);
        self.moves.next = self.memory_grant.val() & self.aligner.beat_valid.val();
        self.ends.next = self.moves.val() & self.aligner.beat_last.val();
        self.behind.next = (self.here.val() & 0xf00_0000) | ((self.here.val() + self.beat_bytes.val()) & 0xff_ffff);
        self.new_line.next = bit_cast::<28, 26>((self.address.val() | self.in_line.val()) ^ self.in_line.val()) << 2;
        for i in 0..self._requests {
            self.line[i].d.next = self.line[i].q.val();
            if self.moves.val() & (self.oldest.q.val() == i.to_bits()) {
                self.line[i].d.next = self.behind.val();
            }
            if self.starts.val() & (self.newest.q.val() == i.to_bits()) {
                self.line[i].d.next = self.new_line.val();
            }
        }
        self.oldest.d.next = self.oldest.q.val() + self.ends.val();
        self.newest.d.next = self.newest.q.val() + self.starts.val();
        if self.starts.val() & !self.ends.val() {
            self.requests.d.next = self.requests.q.val() + 1;
        }
        if self.ends.val() & !self.starts.val() {
            self.requests.d.next = self.requests.q.val() - 1;
        }
        self.is_drained.d.next = (self.requests.q.val() == 0) & !self.stage.sink_valid.val() & !self.write_valid.val();
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
