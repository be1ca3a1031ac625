//! Writes each frame into a free buffer of every processor it is for, and posts it once its last beat has proved good.
//!
//! Frames are cut through: the first beat decides who gets the frame (those that have a free buffer and room in their post queue), the
//! last beat whether it is posted or its buffers are used again. A frame that nobody gets is dropped whole and counted by cause.
//!
//! | port               | dir | width | meaning                                                                    |
//! |--------------------|-----|-------|----------------------------------------------------------------------------|
//! | `beat_valid`       | in  | 1     | a beat is present                                                          |
//! | `beat_data`        | in  | W     | its bytes                                                                  |
//! | `beat_keep`        | in  | W/8   | its lanes                                                                  |
//! | `beat_first`       | in  | 1     | first of a frame                                                           |
//! | `beat_last`        | in  | 1     | last of a frame                                                            |
//! | `beat_length`      | in  | 14    | bytes of the frame up to here                                              |
//! | `beat_discard`     | in  | 2     | 0 keep, 1 runt, 2 oversize, 3 bad                                          |
//! | `beat_verdict`     | in  | 52    | the frame's [`crate::verdict_queue::Verdict`]                              |
//! | `beat_checks`      | in  | 4     | at the last beat: IP and transport check, each an [`abi::receive::Check`]  |
//! | `buffer_valid_i`   | in  | 1     | processor i has a free buffer                                              |
//! | `buffer_address_i` | in  | 32    | its address                                                                |
//! | `post_room_i`      | in  | 1     | its post queue has room                                                    |
//! | `take_i`           | out | 1     | the buffer is filled: on to the next                                       |
//! | `post_i`           | out | 1     | a cycle later: post it; reset value 0                                      |
//! | `post_status`      | out | 32    | RX_STATUS of the frame that is posted                                      |
//! | `post_hash`        | out | 32    | RX_HASH of it                                                              |
//! | `mem_wvalid_i`     | out | 1     | write to the memory of processor i; reset value 0                          |
//! | `mem_waddr_i`      | out | 32    | byte address, a multiple of W/8                                            |
//! | `mem_wdata`        | out | W     | bytes, for all processors alike                                            |
//! | `mem_wstrb`        | out | W/8   | lanes to write                                                             |
//! | `count_c`          | out | 1     | counter c grows by one; reset value 0                                      |
//! | `bytes_k`          | out | 15    | what the counter of all bytes (k = 0) or of those of processor k - 1 grows by |
//!
//! Latency: [`LATENCY`] cycle to the memory ports; a frame is posted in the cycle in which its last beat is written. Throughput:
//! one beat per cycle, one frame per cycle if frames are one beat long. Never stalls.
//! Implements: ¶66 (the dispatch logic hands packets to processors), ¶67, ¶68.

use abi::csr::host::counters;
use abi::receive::Status;
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

use crate::concat::Concat;
use crate::many;
use crate::stream::{DISCARD_BAD, DISCARD_OVERSIZE, DISCARD_RUNT};
use crate::verdict_queue::VERDICT_BITS;

/// Cycles from `beat_valid` to `mem_wvalid`.
pub const LATENCY: usize = 1;

/// Counters of each processor that count what dispatch does.
const PER_PROCESSOR: usize = 4;

/// Counters that dispatch feeds: those of the whole card, then four of each processor.
pub const fn num_counters(processors: usize) -> usize {
    counters::FIRST_PROCESSOR + PER_PROCESSOR * processors
}

/// See the module's page.
#[derive(LogicBlock)]
pub struct Dispatch<const W: usize, const KEEP: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub beat_valid: Signal<In, Bit>,
    pub beat_data: Signal<In, Bits<W>>,
    pub beat_keep: Signal<In, Bits<KEEP>>,
    pub beat_first: Signal<In, Bit>,
    pub beat_last: Signal<In, Bit>,
    pub beat_length: Signal<In, Bits<14>>,
    pub beat_discard: Signal<In, Bits<2>>,
    pub beat_verdict: Signal<In, Bits<VERDICT_BITS>>,
    pub beat_checks: Signal<In, Bits<4>>,
    pub buffer_valid: Vec<Signal<In, Bit>>,
    pub buffer_address: Vec<Signal<In, Bits<32>>>,
    pub post_room: Vec<Signal<In, Bit>>,
    pub take: Vec<Signal<Out, Bit>>,
    pub post: Vec<Signal<Out, Bit>>,
    pub post_status: Signal<Out, Bits<32>>,
    pub post_hash: Signal<Out, Bits<32>>,
    pub mem_wvalid: Vec<Signal<Out, Bit>>,
    pub mem_waddr: Vec<Signal<Out, Bits<32>>>,
    pub mem_wdata: Signal<Out, Bits<W>>,
    pub mem_wstrb: Signal<Out, Bits<KEEP>>,
    pub count: Vec<Signal<Out, Bit>>,
    pub bytes: Vec<Signal<Out, Bits<15>>>,
    // What the frame's verdict says.
    targets: Signal<Local, Bits<16>>,
    frame_class: Signal<Local, Bits<3>>,
    status: Signal<Local, StatusWord>,
    // Who gets the frame: decided at the first beat, kept to the last.
    target: Vec<Signal<Local, Bit>>,
    gets: Vec<Signal<Local, Bit>>,
    gets_kept: Vec<DFF<Bit>>,
    no_buffer: Vec<Signal<Local, Bit>>,
    no_buffer_kept: Vec<DFF<Bit>>,
    post_full: Vec<Signal<Local, Bit>>,
    post_full_kept: Vec<DFF<Bit>>,
    all_gets: Concat<16>,
    all_post_full: Concat<16>,
    // Writing.
    offset: Signal<Local, Bits<32>>,
    next_offset: DFF<Bits<32>>,
    writes: Signal<Local, Bit>,
    wvalid: Vec<DFF<Bit>>,
    waddr: Vec<DFF<Bits<32>>>,
    wdata: DFF<Bits<W>>,
    wstrb: DFF<Bits<KEEP>>,
    // The end of a frame.
    ends: Signal<Local, Bit>,
    good: Signal<Local, Bit>,
    dropped: Vec<Signal<Local, Bit>>,
    ended: DFF<Bit>,
    ended_length: DFF<Bits<14>>,
    ended_class: DFF<Bits<3>>,
    ended_delivered: DFF<Bit>,
    ended_dropped: Vec<DFF<Bit>>,
    ended_status: DFF<Bits<32>>,
    ended_hash: DFF<Bits<32>>,
    posts: Vec<DFF<Bit>>,
    ended_gets: Vec<DFF<Bit>>,
    ended_no_buffer: Vec<DFF<Bit>>,
    ended_post_full: Vec<DFF<Bit>>,
    beat_bytes: Constant<Bits<32>>,
    runt: Constant<Bits<2>>,
    oversize: Constant<Bits<2>>,
    bad: Constant<Bits<2>>,
    _processors: usize,
    _counters: usize,
}

/// [`Status`] in hardware.
#[derive(LogicStruct, Debug, Copy, Clone, PartialEq, Default)]
struct StatusWord {
    length: Bits<14>,
    reserved: Bits<2>,
    frame_class: Bits<3>,
    flooded: Bit,
    checks: Bits<4>,
    unused: Bits<8>,
}

impl<const W: usize, const KEEP: usize> Dispatch<W, KEEP> {
    /// Dispatch to `processors` processors.
    pub fn new(processors: usize) -> Self {
        // The places of the counters are literals below, as the HDL has no named indices.
        assert_eq!((counters::FRAMES, counters::BYTES, counters::DELIVERED, counters::FIRST_DROP), (0, 1, 2, 3));
        assert_eq!(counters::DROP_NAMES, ["runt", "oversize", "bad", "no_processor", "no_buffer", "post_full"]);
        assert_eq!((counters::FIRST_CLASS, counters::FIRST_PROCESSOR), (16, 32));
        assert_eq!((counters::PROCESSOR_FRAMES, counters::PROCESSOR_BYTES), (0, 1));
        assert_eq!((counters::PROCESSOR_NO_BUFFER, counters::PROCESSOR_POST_FULL), (2, 3));
        assert_eq!((Status::CLASS_LSB, Status::FLOODED_LSB), (16, 19));
        assert_eq!((Status::IP_CHECK_LSB, Status::TRANSPORT_CHECK_LSB), (20, 22));
        let discard = |cause: u64| Constant::new(cause.to_bits());
        block! {
            Self {
                buffer_valid: many(processors),
                buffer_address: many(processors),
                post_room: many(processors),
                take: many(processors),
                post: many(processors),
                posts: many(processors),
                mem_wvalid: many(processors),
                mem_waddr: many(processors),
                count: many(num_counters(processors)),
                bytes: many(processors + 1),
                target: many(processors),
                gets: many(processors),
                gets_kept: many(processors),
                no_buffer: many(processors),
                no_buffer_kept: many(processors),
                post_full: many(processors),
                post_full_kept: many(processors),
                wvalid: many(processors),
                waddr: many(processors),
                dropped: many(6),
                ended_dropped: many(6),
                ended_gets: many(processors),
                ended_no_buffer: many(processors),
                ended_post_full: many(processors),
                beat_bytes: Constant::new((KEEP as u64).to_bits()),
                runt: discard(DISCARD_RUNT),
                oversize: discard(DISCARD_OVERSIZE),
                bad: discard(DISCARD_BAD),
                _processors: processors,
                _counters: num_counters(processors),
            },
            clock, reset, beat_valid, beat_data, beat_keep, beat_first, beat_last, beat_length, beat_discard,
            beat_verdict, beat_checks, post_status, post_hash, mem_wdata, mem_wstrb, targets, frame_class, status,
            all_gets, all_post_full, offset, next_offset, writes, wdata, wstrb, ends, good, ended, ended_length,
            ended_class, ended_delivered, ended_status, ended_hash
        }
    }
}

impl<const W: usize, const KEEP: usize> Logic for Dispatch<W, KEEP> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, next_offset, wdata, wstrb, ended, ended_length, ended_class, ended_delivered);
        dff_setup!(self, clock, ended_status, ended_hash);
        for i in 0..self._processors {
            self.gets_kept[i].clock.next = self.clock.val();
            self.no_buffer_kept[i].clock.next = self.clock.val();
            self.post_full_kept[i].clock.next = self.clock.val();
            self.wvalid[i].clock.next = self.clock.val();
            self.waddr[i].clock.next = self.clock.val();
            self.posts[i].clock.next = self.clock.val();
            self.ended_gets[i].clock.next = self.clock.val();
            self.ended_no_buffer[i].clock.next = self.clock.val();
            self.ended_post_full[i].clock.next = self.clock.val();
        }
        for d in 0..6 {
            self.ended_dropped[d].clock.next = self.clock.val();
        }

        self.targets.next = self.beat_verdict.val().get_bits::<16>(0);
        self.frame_class.next = self.beat_verdict.val().get_bits::<3>(16);
        self.status.next.length = self.beat_length.val();
        self.status.next.reserved = 0.into();
        self.status.next.frame_class = self.beat_verdict.val().get_bits::<3>(16);
        self.status.next.flooded = self.beat_verdict.val().get_bit(19);
        self.status.next.checks = self.beat_checks.val();
        self.status.next.unused = 0.into();
        self.ended_status.d.next = self.status.val().into();
        self.ended_hash.d.next = self.beat_verdict.val().get_bits::<32>(20);
        self.post_status.next = self.ended_status.q.val();
        self.post_hash.next = self.ended_hash.q.val();

        // Who gets the frame.
        for i in 0..16 {
            self.all_gets.element[i].next = false;
            self.all_post_full.element[i].next = false;
        }
        for i in 0..self._processors {
            self.target[i].next = self.targets.val().get_bit(i);
            self.gets[i].next = self.gets_kept[i].q.val();
            self.no_buffer[i].next = self.no_buffer_kept[i].q.val();
            self.post_full[i].next = self.post_full_kept[i].q.val();
            if self.beat_first.val() {
                self.gets[i].next = self.target[i].val() & self.buffer_valid[i].val() & self.post_room[i].val();
                self.no_buffer[i].next = self.target[i].val() & !self.buffer_valid[i].val();
                self.post_full[i].next = self.target[i].val() & self.buffer_valid[i].val() & !self.post_room[i].val();
            }
            self.gets_kept[i].d.next = self.gets_kept[i].q.val();
            self.no_buffer_kept[i].d.next = self.no_buffer_kept[i].q.val();
            self.post_full_kept[i].d.next = self.post_full_kept[i].q.val();
            if self.beat_valid.val() {
                self.gets_kept[i].d.next = self.gets[i].val();
                self.no_buffer_kept[i].d.next = self.no_buffer[i].val();
                self.post_full_kept[i].d.next = self.post_full[i].val();
            }
            self.all_gets.element[i].next = self.gets[i].val();
            self.all_post_full.element[i].next = self.post_full[i].val();
        }

        // Write. A beat that makes the frame too long is not written: it might lie behind the buffer.
        self.offset.next = self.next_offset.q.val();
        if self.beat_first.val() {
            self.offset.next = 0.into();
        }
        if self.beat_valid.val() {
            self.next_offset.d.next = self.offset.val() + self.beat_bytes.val();
        }
        self.writes.next = self.beat_valid.val() & (self.beat_discard.val() != self.oversize.val());
        self.wdata.d.next = self.beat_data.val();
        self.wstrb.d.next = self.beat_keep.val();
        for i in 0..self._processors {
            self.wvalid[i].d.next = self.writes.val() & self.gets[i].val();
            self.waddr[i].d.next = self.buffer_address[i].val() + self.offset.val();
            self.mem_wvalid[i].next = self.wvalid[i].q.val();
            self.mem_waddr[i].next = self.waddr[i].q.val();
        }
        self.mem_wdata.next = self.wdata.q.val();
        self.mem_wstrb.next = self.wstrb.q.val();

        // Post, or use the buffer again.
        self.ends.next = self.beat_valid.val() & self.beat_last.val();
        self.good.next = self.beat_discard.val() == 0;
        for i in 0..self._processors {
            self.take[i].next = self.ends.val() & self.good.val() & self.gets[i].val();
            self.posts[i].d.next = self.take[i].val() & !self.reset.val();
            self.post[i].next = self.posts[i].q.val();
        }

        // Account for the frame, a cycle later: every frame is delivered or dropped for one cause.
        self.dropped[0].next = self.beat_discard.val() == self.runt.val();
        self.dropped[1].next = self.beat_discard.val() == self.oversize.val();
        self.dropped[2].next = self.beat_discard.val() == self.bad.val();
        self.dropped[3].next = self.good.val() & !self.targets.val().any();
        self.dropped[4].next = self.good.val()
            & self.targets.val().any()
            & !self.all_gets.value.val().any()
            & !self.all_post_full.value.val().any();
        self.dropped[5].next =
            self.good.val() & !self.all_gets.value.val().any() & self.all_post_full.value.val().any();
        self.ended.d.next = self.ends.val();
        self.ended_length.d.next = self.beat_length.val();
        self.ended_class.d.next = self.frame_class.val();
        self.ended_delivered.d.next = self.good.val() & self.all_gets.value.val().any();
        for d in 0..6 {
            self.ended_dropped[d].d.next = self.dropped[d].val();
        }
        for i in 0..self._processors {
            self.ended_gets[i].d.next = self.good.val() & self.gets[i].val();
            self.ended_no_buffer[i].d.next = self.good.val() & self.no_buffer[i].val();
            self.ended_post_full[i].d.next = self.good.val() & self.post_full[i].val();
        }
        for c in 0..self._counters {
            self.count[c].next = false;
        }
        self.count[0].next = self.ended.q.val();
        self.bytes[0].next = 0.into();
        if self.ended.q.val() {
            self.bytes[0].next = bit_cast::<15, 14>(self.ended_length.q.val());
        }
        self.count[2].next = self.ended.q.val() & self.ended_delivered.q.val();
        for d in 0..6 {
            self.count[d + 3].next = self.ended.q.val() & self.ended_dropped[d].q.val();
        }
        for c in 0..8 {
            self.count[c + 16].next = self.ended.q.val() & (self.ended_class.q.val() == c.to_bits());
        }
        for i in 0..self._processors {
            self.count[4 * i + 32].next = self.ended.q.val() & self.ended_gets[i].q.val();
            self.count[4 * i + 34].next = self.ended.q.val() & self.ended_no_buffer[i].q.val();
            self.count[4 * i + 35].next = self.ended.q.val() & self.ended_post_full[i].q.val();
            self.bytes[i + 1].next = 0.into();
            if self.ended.q.val() & self.ended_gets[i].q.val() {
                self.bytes[i + 1].next = bit_cast::<15, 14>(self.ended_length.q.val());
            }
        }

        if self.reset.val() {
            self.ended.d.next = false;
            for i in 0..self._processors {
                self.wvalid[i].d.next = false;
            }
        }
    }
}
