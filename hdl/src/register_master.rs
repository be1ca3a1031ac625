//! Turns accesses of many DWs into single register requests, one a cycle, and gathers what they read into beats.
//!
//! | port             | dir | width | meaning                                                                 |
//! |------------------|-----|-------|-------------------------------------------------------------------------|
//! | `access_valid`   | in  | 1     | access registers                                                        |
//! | `access_ready`   | out | 1     | it is taken; a register; reset value 1                                  |
//! | `access_write`   | in  | 1     | write them                                                              |
//! | `access_address` | in  | 18    | DW of the first one                                                     |
//! | `access_count`   | in  | 6     | how many: 1 to 32, of a write at most W/32                              |
//! | `access_head`    | in  | 4     | byte enables of the first one                                           |
//! | `access_tail`    | in  | 4     | byte enables of the last one                                            |
//! | `access_data`    | in  | W     | what to write                                                           |
//! | `reg_valid`      | out | 1     | a register request; reset value 0                                       |
//! | `reg_write`      | out | 1     | to write                                                                |
//! | `reg_addr`       | out | 20    | byte offset, a multiple of 4                                            |
//! | `reg_wdata`      | out | 32    | what to write                                                           |
//! | `reg_ready`      | in  | 1     | the request is taken                                                    |
//! | `reg_rvalid`     | in  | 1     | answer to the read that was taken [`READ_LATENCY`] cycles ago           |
//! | `reg_rdata`      | in  | 32    | what it read                                                            |
//! | `beat_valid`     | out | 1     | a beat of an access that read, W/32 DWs but for the last; reset value 0 |
//! | `beat_data`      | out | W     | its DWs, the first in the lowest lanes; zero above the last; not reset  |
//! | `beat_take`      | in  | 1     | take it                                                                 |
//! | `partial`        | out | 1     | pulse: a DW was not written, as only some of its byte enables are set   |
//!
//! Latency: [`LATENCY`] cycles from `access_valid` to `reg_valid`; [`BEAT_LATENCY`] from `reg_rvalid` to `beat_valid`. Throughput: one
//! register per cycle, accesses follow each other without a gap. Stalls reads when beats are not taken. Not reset: data registers.
//!
//! Registers are written whole or not: they have no byte enables, and half a queue entry is none.

use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

use crate::many;
use crate::queue::{self, Queue};

/// Cycles from `access_valid` to `reg_valid`.
pub const LATENCY: usize = 2;

/// Cycles from `reg_rvalid` to `beat_valid`: gather, queue.
pub const BEAT_LATENCY: usize = 1 + queue::LATENCY;

/// Cycles from `reg_valid` to `reg_rvalid`.
pub const READ_LATENCY: usize = abi::csr::HOST.read_latency;

/// Beats that are enough to go on reading when nobody takes them: those read before `space` falls fit into the queue's 16.
const ENOUGH: usize = 8;

// Between a read and its beat in `level`: request, answer, gather, push, `space`.
const _: () = assert!(ENOUGH + (1 + READ_LATENCY + 1 + 1 + 1) <= 16);

/// See the module's page.
#[derive(LogicBlock)]
pub struct RegisterMaster<const W: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub access_valid: Signal<In, Bit>,
    pub access_ready: Signal<Out, Bit>,
    pub access_write: Signal<In, Bit>,
    pub access_address: Signal<In, Bits<18>>,
    pub access_count: Signal<In, Bits<6>>,
    pub access_head: Signal<In, Bits<4>>,
    pub access_tail: Signal<In, Bits<4>>,
    pub access_data: Signal<In, Bits<W>>,
    pub reg_valid: Signal<Out, Bit>,
    pub reg_write: Signal<Out, Bit>,
    pub reg_addr: Signal<Out, Bits<20>>,
    pub reg_wdata: Signal<Out, Bits<32>>,
    pub reg_ready: Signal<In, Bit>,
    pub reg_rvalid: Signal<In, Bit>,
    pub reg_rdata: Signal<In, Bits<32>>,
    pub beat_valid: Signal<Out, Bit>,
    pub beat_data: Signal<Out, Bits<W>>,
    pub beat_take: Signal<In, Bit>,
    pub partial: Signal<Out, Bit>,
    // An access that was taken while the one under way was not done.
    waits: DFF<Bit>,
    next_write: DFF<Bit>,
    next_address: DFF<Bits<18>>,
    next_count: DFF<Bits<6>>,
    next_head: DFF<Bits<4>>,
    next_tail: DFF<Bits<4>>,
    next_data: DFF<Bits<W>>,
    // The access under way.
    left: DFF<Bits<6>>,
    writes: DFF<Bit>,
    address: DFF<Bits<18>>,
    head: DFF<Bits<4>>,
    tail: DFF<Bits<4>>,
    data: DFF<Bits<W>>,
    /// Some are left, and the last is.
    active: DFF<Bit>,
    /// The request is not taken yet.
    stalls: Signal<Local, Bit>,
    issue: Signal<Local, Bit>,
    final_dw: DFF<Bit>,
    takes: Signal<Local, Bit>,
    enables: Signal<Local, Bits<4>>,
    space: DFF<Bit>,
    // The request.
    valid: DFF<Bit>,
    write: DFF<Bit>,
    addr: DFF<Bits<18>>,
    wdata: DFF<Bits<32>>,
    partly: DFF<Bit>,
    /// Whether the read that is s cycles on its way is the last one of its access.
    ends: Vec<DFF<Bit>>,
    ends_here: Signal<Local, Bit>,
    // Gather.
    lane: DFF<Bits<4>>,
    lane_bit: Signal<Local, Bits<10>>,
    gathered: DFF<Bits<W>>,
    below: Signal<Local, Bits<W>>,
    full: DFF<Bit>,
    beats: Queue<W, 4, 5>,
    last_lane: Constant<Bits<4>>,
    enough: Constant<Bits<5>>,
    dw_bits: Constant<Bits<10>>,
    _stages: usize,
}

impl<const W: usize> Default for RegisterMaster<W> {
    fn default() -> Self {
        block! {
            Self {
                ends: many(READ_LATENCY + 1),
                last_lane: Constant::new((W as u64 / 32 - 1).to_bits()),
                enough: Constant::new((ENOUGH as u64).to_bits()),
                dw_bits: Constant::new(32u64.to_bits()),
                _stages: READ_LATENCY + 1,
            },
            clock, reset, access_valid, access_ready, access_write, access_address, access_count, access_head,
            access_tail, access_data, reg_valid, reg_write, reg_addr, reg_wdata, reg_ready, reg_rvalid, reg_rdata,
            beat_valid, beat_data, beat_take, partial, waits, next_write, next_address, next_count, next_head,
            next_tail, next_data, left, writes, address, head, tail, data, active, stalls, issue, final_dw, takes,
            enables, space, valid, write, addr, wdata, partly, ends_here, lane, lane_bit, gathered, below, full, beats
        }
    }
}

impl<const W: usize> Logic for RegisterMaster<W> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, waits, next_write, next_address, next_count, next_head, next_tail, next_data);
        dff_setup!(self, clock, left, active, final_dw, writes, address, head, tail, data, space);
        dff_setup!(self, clock, valid, write, addr, wdata, partly, lane, gathered, full);
        self.beats.clock.next = self.clock.val();
        self.beats.reset.next = self.reset.val();

        // One register.
        self.stalls.next = self.valid.q.val() & !self.reg_ready.val();
        self.issue.next = self.active.q.val() & (self.writes.q.val() | self.space.q.val()) & !self.stalls.val();
        self.takes.next = !self.active.q.val() | (self.issue.val() & self.final_dw.q.val());
        self.access_ready.next = !self.waits.q.val();
        self.waits.d.next = !self.takes.val() & (self.waits.q.val() | self.access_valid.val());
        if !self.waits.q.val() {
            self.next_write.d.next = self.access_write.val();
            self.next_address.d.next = self.access_address.val();
            self.next_count.d.next = self.access_count.val();
            self.next_head.d.next = self.access_head.val();
            self.next_tail.d.next = self.access_tail.val();
            self.next_data.d.next = self.access_data.val();
        }
        self.enables.next = self.head.q.val();
        if self.final_dw.q.val() {
            self.enables.next = self.head.q.val() & self.tail.q.val();
        }
        if self.issue.val() {
            self.left.d.next = self.left.q.val() - 1;
            self.final_dw.d.next = self.left.q.val() == 2;
            self.address.d.next = self.address.q.val() + 1;
            self.head.d.next = 15.into();
            self.data.d.next = self.data.q.val() >> self.dw_bits.val();
        }
        if self.takes.val() {
            self.active.d.next = self.access_valid.val();
            self.left.d.next = self.access_count.val();
            self.final_dw.d.next = self.access_count.val() == 1;
            self.writes.d.next = self.access_write.val();
            self.address.d.next = self.access_address.val();
            self.head.d.next = self.access_head.val();
            self.tail.d.next = self.access_tail.val();
            self.data.d.next = self.access_data.val();
            if self.waits.q.val() {
                self.active.d.next = true;
                self.left.d.next = self.next_count.q.val();
                self.final_dw.d.next = self.next_count.q.val() == 1;
                self.writes.d.next = self.next_write.q.val();
                self.address.d.next = self.next_address.q.val();
                self.head.d.next = self.next_head.q.val();
                self.tail.d.next = self.next_tail.q.val();
                self.data.d.next = self.next_data.q.val();
            }
        }
        self.valid.d.next = self.issue.val() & (!self.writes.q.val() | self.enables.val().all()) & !self.reset.val();
        self.partly.d.next = self.issue.val()
            & self.writes.q.val()
            & self.enables.val().any()
            & !self.enables.val().all()
            & !self.reset.val();
        if self.stalls.val() {
            self.valid.d.next = !self.reset.val();
        } else {
            self.write.d.next = self.writes.q.val();
            self.addr.d.next = self.address.q.val();
            self.wdata.d.next = self.data.q.val().get_bits::<32>(0);
        }
        self.reg_valid.next = self.valid.q.val();
        self.reg_write.next = self.write.q.val();
        self.reg_addr.next = bit_cast::<20, 18>(self.addr.q.val()) << 2;
        self.reg_wdata.next = self.wdata.q.val();
        self.partial.next = self.partly.q.val();

        // What it read.
        for s in 0..self._stages {
            self.ends[s].clock.next = self.clock.val();
        }
        self.ends[0].d.next = self.ends[0].q.val();
        if !self.stalls.val() {
            self.ends[0].d.next = self.final_dw.q.val();
        }
        for s in 1..self._stages {
            self.ends[s].d.next = self.ends[s - 1].q.val();
        }
        for s in 0..self._stages {
            // The last stage has the last word.
            self.ends_here.next = self.ends[s].q.val();
        }
        self.below.next = self.gathered.q.val();
        if self.lane.q.val() == 0 {
            self.below.next = 0.into();
        }
        self.lane_bit.next = bit_cast::<10, 4>(self.lane.q.val()) << 5;
        if self.reg_rvalid.val() {
            self.gathered.d.next = self.below.val() | (bit_cast::<W, 32>(self.reg_rdata.val()) << self.lane_bit.val());
            self.lane.d.next = self.lane.q.val() + 1;
            if self.ends_here.val() | (self.lane.q.val() == self.last_lane.val()) {
                self.lane.d.next = 0.into();
            }
        }
        self.full.d.next = self.reg_rvalid.val()
            & (self.ends_here.val() | (self.lane.q.val() == self.last_lane.val()))
            & !self.reset.val();
        self.beats.push.next = self.full.q.val();
        self.beats.push_data.next = self.gathered.q.val();
        self.space.d.next = self.beats.level.val() < self.enough.val();
        self.beat_valid.next = self.beats.head_valid.val();
        self.beat_data.next = self.beats.head_data.val();
        self.beats.pop.next = self.beat_take.val();

        if self.reset.val() {
            self.waits.d.next = false;
            self.active.d.next = false;
            self.lane.d.next = 0.into();
        }
    }
}
