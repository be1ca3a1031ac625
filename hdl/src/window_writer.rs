//! Writes what the host sends to BAR2 into a processor's memory: moves the payload to the lanes of the memory's lines, and asks for each
//! line until it is granted.
//!
//! | port               | dir | width | meaning                                                  |
//! |--------------------|-----|-------|----------------------------------------------------------|
//! | `write_valid`      | in  | 1     | a beat to write                                          |
//! | `write_ready`      | out | 1     | it is taken                                              |
//! | `write_first`      | in  | 1     | first beat of a request                                  |
//! | `write_address`    | in  | 26    | at the first beat: card address of its first DW, in DWs  |
//! | `write_dws`        | in  | 11    | at the first beat: DWs of the request, 1 to 1024         |
//! | `write_data`       | in  | W     | payload, first DW in the lowest lanes of the first beat  |
//! | `write_keep`       | in  | W/8   | bytes to write                                           |
//! | `drained`          | out | 1     | all that was taken has been granted; reset value 1       |
//! | `memory_valid`     | out | 1     | write a line; goes on until it is granted; reset value 0 |
//! | `memory_processor` | out | 4     | to which processor                                       |
//! | `memory_address`   | out | 24    | byte address, a multiple of W/8                          |
//! | `memory_data`      | out | W     | bytes                                                    |
//! | `memory_strobe`    | out | W/8   | lanes to write                                           |
//! | `memory_grant`     | in  | 1     | it is written; only with `memory_valid`                  |
//!
//! Latency: [`LATENCY`] cycles from `write_valid` to `memory_valid`. Throughput: one beat per cycle; a request whose bytes touch one line
//! more than it has beats costs one cycle more. Stalls while the memory does not grant. Not reset: data registers.

use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

use crate::aligner::{self, Aligner};
use crate::many;

/// Cycles from `write_valid` to `memory_valid`.
pub const LATENCY: usize = 1 + aligner::LATENCY;

/// Requests under way: one in each stage of the aligner, and the one that is just beginning.
const REQUESTS: usize = 4;

/// See the module's page.
#[derive(LogicBlock)]
pub struct WindowWriter<const W: usize, const KEEP: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub write_valid: Signal<In, Bit>,
    pub write_ready: Signal<Out, Bit>,
    pub write_first: Signal<In, Bit>,
    pub write_address: Signal<In, Bits<26>>,
    pub write_dws: Signal<In, Bits<11>>,
    pub write_data: Signal<In, Bits<W>>,
    pub write_keep: Signal<In, Bits<KEEP>>,
    pub drained: Signal<Out, Bit>,
    pub memory_valid: Signal<Out, Bit>,
    pub memory_processor: Signal<Out, Bits<4>>,
    pub memory_address: Signal<Out, Bits<24>>,
    pub memory_data: Signal<Out, Bits<W>>,
    pub memory_strobe: Signal<Out, Bits<KEEP>>,
    pub memory_grant: Signal<In, Bit>,
    aligner: Aligner<W, KEEP>,
    // The beat that goes into the aligner next. Its job went in before it.
    waiting: DFF<Bit>,
    data: DFF<Bits<W>>,
    keep: DFF<Bits<KEEP>>,
    offset: Signal<Local, Bits<11>>,
    takes: Signal<Local, Bit>,
    starts: Signal<Local, Bit>,
    free: Signal<Local, Bit>,
    /// Card addresses of the next line of each request under way, the oldest first.
    line: Vec<DFF<Bits<28>>>,
    line_now: Vec<Signal<Local, Bits<28>>>,
    requests: DFF<Bits<3>>,
    requests_now: Signal<Local, Bits<3>>,
    ends: Signal<Local, Bit>,
    new_line: Signal<Local, Bits<28>>,
    most: Constant<Bits<3>>,
    lane_bits: Constant<Bits<4>>,
    in_line: Constant<Bits<26>>,
    more: Constant<Bits<11>>,
    beat_bytes: Constant<Bits<28>>,
    _requests: usize,
}

impl<const W: usize, const KEEP: usize> Default for WindowWriter<W, KEEP> {
    fn default() -> Self {
        assert_eq!(KEEP * 8, W);
        let lanes = KEEP as u64 / 4;
        Self {
            clock: Default::default(),
            reset: Default::default(),
            write_valid: Default::default(),
            write_ready: Default::default(),
            write_first: Default::default(),
            write_address: Default::default(),
            write_dws: Default::default(),
            write_data: Default::default(),
            write_keep: Default::default(),
            drained: Default::default(),
            memory_valid: Default::default(),
            memory_processor: Default::default(),
            memory_address: Default::default(),
            memory_data: Default::default(),
            memory_strobe: Default::default(),
            memory_grant: Default::default(),
            aligner: Default::default(),
            waiting: Default::default(),
            data: Default::default(),
            keep: Default::default(),
            offset: Default::default(),
            takes: Default::default(),
            starts: Default::default(),
            free: Default::default(),
            line: many(REQUESTS),
            line_now: many(REQUESTS),
            requests: Default::default(),
            requests_now: Default::default(),
            ends: Default::default(),
            new_line: Default::default(),
            most: Constant::new((REQUESTS as u64).to_bits()),
            lane_bits: Constant::new((lanes.ilog2() as u64).to_bits()),
            in_line: Constant::new((lanes - 1).to_bits()),
            more: Constant::new((lanes - 1).to_bits()),
            beat_bytes: Constant::new((KEEP as u64).to_bits()),
            _requests: REQUESTS,
        }
    }
}

impl<const W: usize, const KEEP: usize> Logic for WindowWriter<W, KEEP> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, waiting, data, keep, requests);
        for i in 0..self._requests {
            self.line[i].clock.next = self.clock.val();
        }
        self.aligner.clock.next = self.clock.val();
        self.aligner.reset.next = self.reset.val();

        // In: the job at the first beat, the beat one cycle later.
        self.free.next = (self.aligner.line_ready.val() | !self.waiting.q.val())
            & (!self.write_first.val() | (self.aligner.job_ready.val() & (self.requests.q.val() != self.most.val())));
        self.write_ready.next = self.free.val();
        self.takes.next = self.write_valid.val() & self.free.val();
        self.starts.next = self.takes.val() & self.write_first.val();
        if self.aligner.line_ready.val() | !self.waiting.q.val() {
            self.waiting.d.next = self.takes.val();
            self.data.d.next = self.write_data.val();
            self.keep.d.next = self.write_keep.val();
        }
        self.offset.next = bit_cast::<11, 26>(self.write_address.val() & self.in_line.val());
        self.aligner.job_valid.next = self.starts.val();
        self.aligner.job_shift.next = bit_cast::<6, 11>(self.offset.val()) << 2;
        self.aligner.job_lines.next =
            bit_cast::<14, 11>((self.write_dws.val() + self.more.val()) >> self.lane_bits.val());
        self.aligner.job_beats.next =
            bit_cast::<14, 11>((self.write_dws.val() + (self.offset.val() + self.more.val())) >> self.lane_bits.val());
        self.aligner.job_late.next = false;
        self.aligner.line_valid.next = self.waiting.q.val();
        self.aligner.line_data.next = self.data.q.val();
        self.aligner.line_keep.next = self.keep.q.val();

        // Out: lines of one request follow each other within 16 MiB.
        self.aligner.beat_ready.next = self.memory_grant.val();
        self.memory_valid.next = self.aligner.beat_valid.val();
        self.memory_data.next = self.aligner.beat_data.val();
        self.memory_strobe.next = self.aligner.beat_keep.val();
        self.memory_processor.next = self.line[0].q.val().get_bits::<4>(24);
        self.memory_address.next = self.line[0].q.val().get_bits::<24>(0);
        self.ends.next = self.memory_grant.val() & self.aligner.beat_valid.val() & self.aligner.beat_last.val();
        for i in 0..self._requests {
            self.line_now[i].next = self.line[i].q.val();
        }
        self.line_now[0].next = self.line[0].q.val();
        if self.memory_grant.val() & self.aligner.beat_valid.val() {
            self.line_now[0].next =
                (self.line[0].q.val() & 0xf00_0000) | ((self.line[0].q.val() + self.beat_bytes.val()) & 0xff_ffff);
        }
        self.requests_now.next = self.requests.q.val();
        if self.ends.val() {
            self.requests_now.next = self.requests.q.val() - 1;
            for i in 1..self._requests {
                self.line_now[i - 1].next = self.line[i].q.val();
            }
        }
        self.new_line.next =
            bit_cast::<28, 26>((self.write_address.val() | self.in_line.val()) ^ self.in_line.val()) << 2;
        for i in 0..self._requests {
            self.line[i].d.next = self.line_now[i].val();
            if self.starts.val() & (self.requests_now.val() == i.to_bits()) {
                self.line[i].d.next = self.new_line.val();
            }
        }
        self.requests.d.next = self.requests_now.val();
        if self.starts.val() {
            self.requests.d.next = self.requests_now.val() + 1;
        }
        self.drained.next = self.requests.q.val() == 0;

        if self.reset.val() {
            self.waiting.d.next = false;
            self.requests.d.next = 0.into();
        }
    }
}
