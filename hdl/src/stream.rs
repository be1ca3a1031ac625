//! Takes the MAC's frame stream in: one register stage, frame boundaries, running length, and whether the frame must be discarded.
//!
//! | port           | dir | width | meaning                                                                            |
//! |----------------|-----|-------|------------------------------------------------------------------------------------|
//! | `frame_tdata`  | in  | W     | frame bytes, first byte in the lowest lane                                         |
//! | `frame_tkeep`  | in  | W/8   | lanes in use: all but at `tlast`, there the lowest ones                            |
//! | `frame_tvalid` | in  | 1     | a beat is present; there is no `tready`, receive never stalls                      |
//! | `frame_tlast`  | in  | 1     | last beat of a frame                                                               |
//! | `frame_tuser`  | in  | 1     | at `tlast`: the frame is bad (FCS, coding error)                                   |
//! | `max_frame`    | in  | 14    | longest frame accepted, in bytes                                                   |
//! | `beat_valid`   | out | 1     | a beat is present; reset value 0                                                   |
//! | `beat_data`    | out | W     | its bytes                                                                          |
//! | `beat_keep`    | out | W/8   | its lanes                                                                          |
//! | `beat_bytes`   | out | 7     | how many bytes it holds: its highest lane in use plus one                          |
//! | `beat_first`   | out | 1     | first beat of a frame                                                              |
//! | `beat_last`    | out | 1     | last beat of a frame                                                               |
//! | `beat_length`  | out | 14    | bytes of the frame up to here; stays at 12,288 or above once it is there           |
//! | `beat_discard` | out | 2     | 0 keep; 1 runt, 2 oversize, 3 bad: known at `beat_last`, oversize from where it is |
//!
//! Latency: [`LATENCY`] cycle. Throughput: one beat per cycle. Only the valid bit and the frame boundary are reset.

use abi::limits::MIN_FRAME;
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

/// Cycles from `frame_tvalid` to `beat_valid`.
pub const LATENCY: usize = 1;

/// `beat_discard`: shorter than an Ethernet header.
pub const DISCARD_RUNT: u64 = 1;
/// `beat_discard`: longer than `max_frame`.
pub const DISCARD_OVERSIZE: u64 = 2;
/// `beat_discard`: marked bad by the MAC, and not oversize.
pub const DISCARD_BAD: u64 = 3;

/// See the module's page.
#[derive(LogicBlock)]
pub struct FrameIngress<const W: usize, const KEEP: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub frame_tdata: Signal<In, Bits<W>>,
    pub frame_tkeep: Signal<In, Bits<KEEP>>,
    pub frame_tvalid: Signal<In, Bit>,
    pub frame_tlast: Signal<In, Bit>,
    pub frame_tuser: Signal<In, Bit>,
    pub max_frame: Signal<In, Bits<14>>,
    pub beat_valid: Signal<Out, Bit>,
    pub beat_data: Signal<Out, Bits<W>>,
    pub beat_keep: Signal<Out, Bits<KEEP>>,
    pub beat_bytes: Signal<Out, Bits<7>>,
    pub beat_first: Signal<Out, Bit>,
    pub beat_last: Signal<Out, Bit>,
    pub beat_length: Signal<Out, Bits<14>>,
    pub beat_discard: Signal<Out, Bits<2>>,
    valid: DFF<Bit>,
    data: DFF<Bits<W>>,
    keep: DFF<Bits<KEEP>>,
    bytes: DFF<Bits<7>>,
    first: DFF<Bit>,
    last: DFF<Bit>,
    length: DFF<Bits<14>>,
    discard: DFF<Bits<2>>,
    /// The next beat belongs to the frame of the last one.
    in_frame: DFF<Bit>,
    arriving: Signal<Local, Bits<7>>,
    so_far: Signal<Local, Bits<14>>,
    total: Signal<Local, Bits<14>>,
    lane_count: Vec<Constant<Bits<7>>>,
    min_frame: Constant<Bits<14>>,
    runt: Constant<Bits<2>>,
    oversize: Constant<Bits<2>>,
    bad: Constant<Bits<2>>,
}

impl<const W: usize, const KEEP: usize> Default for FrameIngress<W, KEEP> {
    fn default() -> Self {
        assert_eq!(KEEP * 8, W);
        block! {
            Self {
                lane_count: (1..=KEEP as u64).map(|n| Constant::new(n.to_bits())).collect(),
                min_frame: Constant::new((MIN_FRAME as u64).to_bits()),
                runt: Constant::new(DISCARD_RUNT.to_bits()),
                oversize: Constant::new(DISCARD_OVERSIZE.to_bits()),
                bad: Constant::new(DISCARD_BAD.to_bits()),
            },
            clock, reset, frame_tdata, frame_tkeep, frame_tvalid, frame_tlast, frame_tuser, max_frame, beat_valid,
            beat_data, beat_keep, beat_bytes, beat_first, beat_last, beat_length, beat_discard, valid, data, keep,
            bytes, first, last, length, discard, in_frame, arriving, so_far, total
        }
    }
}

impl<const W: usize, const KEEP: usize> Logic for FrameIngress<W, KEEP> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, valid, data, keep, bytes, first, last, length, discard, in_frame);

        self.arriving.next = 0.into();
        for i in 0..KEEP {
            if self.frame_tkeep.val().get_bit(i) {
                self.arriving.next = self.lane_count[i].val();
            }
        }
        self.so_far.next = 0.into();
        if self.in_frame.q.val() {
            self.so_far.next = self.length.q.val();
        }
        self.total.next = self.so_far.val() + bit_cast::<14, 7>(self.arriving.val());
        // An endless frame must not wrap into an acceptable length.
        if self.so_far.val() >= 12288 {
            self.total.next = self.so_far.val();
        }

        self.valid.d.next = self.frame_tvalid.val() & !self.reset.val();
        if self.frame_tvalid.val() {
            self.data.d.next = self.frame_tdata.val();
            self.keep.d.next = self.frame_tkeep.val();
            self.bytes.d.next = self.arriving.val();
            self.first.d.next = !self.in_frame.q.val();
            self.last.d.next = self.frame_tlast.val();
            self.length.d.next = self.total.val();
            self.in_frame.d.next = !self.frame_tlast.val();
            self.discard.d.next = 0.into();
            if self.frame_tlast.val() & (self.total.val() < self.min_frame.val()) {
                self.discard.d.next = self.runt.val();
            }
            if self.frame_tlast.val() & self.frame_tuser.val() {
                self.discard.d.next = self.bad.val();
            }
            // Last, so that it wins: from here on there may be no buffer under the frame, whatever else is wrong with it.
            if self.total.val() > self.max_frame.val() {
                self.discard.d.next = self.oversize.val();
            }
        }
        if self.reset.val() {
            self.in_frame.d.next = false;
        }

        self.beat_valid.next = self.valid.q.val();
        self.beat_data.next = self.data.q.val();
        self.beat_keep.next = self.keep.q.val();
        self.beat_bytes.next = self.bytes.q.val();
        self.beat_first.next = self.first.q.val();
        self.beat_last.next = self.last.q.val();
        self.beat_length.next = self.length.q.val();
        self.beat_discard.next = self.discard.q.val();
    }
}
