//! Sends complete frames out of the transmit buffer: fills short ones up with zeros and puts the checksums in.
//!
//! A frame is taken when all of it is in the buffer, so it leaves without a gap however busy the memories are.
//!
//! | port           | dir | width | meaning                                                                     |
//! |----------------|-----|-------|-----------------------------------------------------------------------------|
//! | `frame_valid`  | in  | 1     | a complete frame is in the buffer                                           |
//! | `frame`        | in  | 33    | what it is: a [`Frame`]                                                     |
//! | `ip_sum`       | in  | 16    | its IPv4 header checksum, in the order of the lanes                         |
//! | `rest_sum`     | in  | 16    | its other checksum                                                          |
//! | `frame_take`   | out | 1     | it is taken in this cycle                                                   |
//! | `read_address` | out | 12    | word of the buffer to read                                                  |
//! | `read_data`    | in  | W     | the word at the last edge's `read_address`                                  |
//! | `freed`        | out | 1     | a word of the buffer will not be read again; reset value 0                  |
//! | `tx_tdata`     | out | W     | the frame, zeros in lanes not in use; not reset                             |
//! | `tx_tkeep`     | out | W/8   | lanes in use                                                                |
//! | `tx_tvalid`    | out | 1     | a beat is present; it stays until it is taken; reset value 0                |
//! | `tx_tready`    | in  | 1     | it is taken in this cycle                                                   |
//! | `tx_tlast`     | out | 1     | last beat of a frame                                                        |
//!
//! Latency: [`LATENCY`] cycles from `frame_valid` to `tx_tvalid`. Throughput: one beat per cycle, no gap between frames.
//! Stalls while a beat waits for `tx_tready`, which reaches `frame_take`, `freed` and `read_address` in the same cycle.

use abi::transmit::MIN_WIRE_FRAME;
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

use crate::lane_mask::LaneMask;
use crate::repeat::Repeat;

/// Cycles from `frame_valid` to `tx_tvalid`: take, read, register, insert.
pub const LATENCY: usize = 4;

/// A frame in the buffer.
#[derive(LogicStruct, Debug, Copy, Clone, PartialEq, Default)]
pub struct Frame {
    /// Bytes in the buffer.
    pub length: Bits<14>,
    /// Insert the IPv4 header checksum,
    pub ip_insert: Bit,
    /// behind so many pairs of bytes.
    pub ip_place: Bits<8>,
    /// Insert the other checksum,
    pub rest_insert: Bit,
    /// behind so many pairs of bytes.
    pub rest_place: Bits<8>,
    /// It is UDP's: 0 means that there is none, so it is sent as 0xFFFF (RFC 768).
    pub never_zero: Bit,
}

/// See the module's page. `KEEP` is W / 8.
#[derive(LogicBlock)]
pub struct TxDrain<const W: usize, const KEEP: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub frame_valid: Signal<In, Bit>,
    pub frame: Signal<In, Bits<33>>,
    pub ip_sum: Signal<In, Bits<16>>,
    pub rest_sum: Signal<In, Bits<16>>,
    pub frame_take: Signal<Out, Bit>,
    pub read_address: Signal<Out, Bits<12>>,
    pub read_data: Signal<In, Bits<W>>,
    pub freed: Signal<Out, Bit>,
    pub tx_tdata: Signal<Out, Bits<W>>,
    pub tx_tkeep: Signal<Out, Bits<KEEP>>,
    pub tx_tvalid: Signal<Out, Bit>,
    pub tx_tready: Signal<In, Bit>,
    pub tx_tlast: Signal<Out, Bit>,
    /// Everything moves up by a stage.
    moves: Signal<Local, Bit>,
    takes: Signal<Local, Bit>,
    length: Signal<Local, Bits<14>>,
    // The frame whose beats are being read: bytes in the buffer, bytes on the wire, pairs before the checksums, all from this beat on.
    active: DFF<Bit>,
    stored: DFF<Bits<14>>,
    total: DFF<Bits<14>>,
    /// This beat is the last.
    ends: DFF<Bit>,
    ip_armed: DFF<Bit>,
    ip_ahead: DFF<Bits<8>>,
    ip: DFF<Bits<16>>,
    rest_armed: DFF<Bit>,
    rest_ahead: DFF<Bits<8>>,
    rest: DFF<Bits<16>>,
    /// The next word of the buffer.
    place: DFF<Bits<12>>,
    any_stored: Signal<Local, Bit>,
    stored_lanes: Signal<Local, Bits<KEEP>>,
    total_lanes: Signal<Local, Bits<KEEP>>,
    ip_lanes: Signal<Local, Bits<KEEP>>,
    rest_lanes: Signal<Local, Bits<KEEP>>,
    // The beat whose word the buffer gives.
    asked: DFF<Bit>,
    asked_place: DFF<Bits<12>>,
    asked_stored: DFF<Bit>,
    asked_last: DFF<Bit>,
    asked_keep: DFF<Bits<KEEP>>,
    asked_buffer_lanes: DFF<Bits<KEEP>>,
    asked_ip_lanes: DFF<Bits<KEEP>>,
    asked_rest_lanes: DFF<Bits<KEEP>>,
    asked_ip: DFF<Bits<16>>,
    asked_rest: DFF<Bits<16>>,
    // The beat with its word, as it lies in the buffer.
    got: DFF<Bit>,
    got_data: DFF<Bits<W>>,
    got_last: DFF<Bit>,
    got_keep: DFF<Bits<KEEP>>,
    got_buffer_lanes: DFF<Bits<KEEP>>,
    got_ip_lanes: DFF<Bits<KEEP>>,
    got_rest_lanes: DFF<Bits<KEEP>>,
    got_ip: DFF<Bits<16>>,
    got_rest: DFF<Bits<16>>,
    // The beat on the wire.
    buffer_mask: LaneMask<W, KEEP>,
    ip_mask: LaneMask<W, KEEP>,
    rest_mask: LaneMask<W, KEEP>,
    ip_beat: Repeat<W>,
    rest_beat: Repeat<W>,
    valid: DFF<Bit>,
    data: DFF<Bits<W>>,
    keep: DFF<Bits<KEEP>>,
    last: DFF<Bit>,
    beat_bytes: Constant<Bits<14>>,
    two_beats: Constant<Bits<14>>,
    pairs: Constant<Bits<8>>,
    shortest: Constant<Bits<14>>,
    last_word: Constant<Bits<12>>,
    all_ones: Constant<Bits<16>>,
    _pairs: usize,
    _lanes: usize,
}

impl<const W: usize, const KEEP: usize> TxDrain<W, KEEP> {
    /// From a buffer of `words` words.
    pub fn new(words: usize) -> Self {
        assert!(KEEP * 8 == W && words <= 1 << 12);
        block! {
            Self {
                beat_bytes: Constant::new((KEEP as u64).to_bits()),
                two_beats: Constant::new((2 * KEEP as u64).to_bits()),
                pairs: Constant::new((KEEP as u64 / 2).to_bits()),
                shortest: Constant::new((MIN_WIRE_FRAME as u64).to_bits()),
                last_word: Constant::new((words as u64 - 1).to_bits()),
                all_ones: Constant::new(Bits::<16>::mask()),
                _pairs: KEEP / 2,
                _lanes: KEEP,
            },
            clock, reset, frame_valid, frame, ip_sum, rest_sum, frame_take, read_address, read_data, freed, tx_tdata,
            tx_tkeep, tx_tvalid, tx_tready, tx_tlast, moves, takes, length, active, stored, total, ends, ip_armed,
            ip_ahead, ip, rest_armed, rest_ahead, rest, place, any_stored, stored_lanes, total_lanes, ip_lanes,
            rest_lanes, asked, asked_place, asked_stored, asked_last, asked_keep, asked_buffer_lanes, asked_ip_lanes,
            asked_rest_lanes, asked_ip, asked_rest, got, got_data, got_last, got_keep, got_buffer_lanes, got_ip_lanes,
            got_rest_lanes, got_ip, got_rest, buffer_mask, ip_mask, rest_mask, ip_beat, rest_beat, valid, data, keep,
            last
        }
    }
}

impl<const W: usize, const KEEP: usize> Logic for TxDrain<W, KEEP> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self, clock, active, stored, total, ends, ip_armed, ip_ahead, ip, rest_armed, rest_ahead, rest, place
        );
        dff_setup!(self, clock, asked, asked_place, asked_stored, asked_last, asked_keep, asked_buffer_lanes);
        dff_setup!(self, clock, asked_ip_lanes, asked_rest_lanes, asked_ip, asked_rest);
        dff_setup!(self, clock, got, got_data, got_last, got_keep, got_buffer_lanes, got_ip_lanes, got_rest_lanes);
        dff_setup!(self, clock, got_ip, got_rest, valid, data, keep, last);
        self.moves.next = !self.valid.q.val() | self.tx_tready.val();

        // Which lanes of this beat come from where.
        self.any_stored.next = self.stored.q.val().any();
        self.stored_lanes.next = 0.into();
        self.total_lanes.next = 0.into();
        for i in 0..self._lanes {
            self.stored_lanes.next = self.stored_lanes.val().replace_bit(i, self.stored.q.val() > i.to_bits());
            self.total_lanes.next = self.total_lanes.val().replace_bit(i, self.total.q.val() > i.to_bits());
        }
        self.ip_lanes.next = 0.into();
        self.rest_lanes.next = 0.into();
        for h in 0..self._pairs {
            if self.ip_armed.q.val() & (self.ip_ahead.q.val() == h.to_bits()) {
                self.ip_lanes.next = self.ip_lanes.val().replace_bit(2 * h, true).replace_bit(2 * h + 1, true);
            }
            if self.rest_armed.q.val() & (self.rest_ahead.q.val() == h.to_bits()) {
                self.rest_lanes.next = self.rest_lanes.val().replace_bit(2 * h, true).replace_bit(2 * h + 1, true);
            }
        }

        // Ask the buffer for the beat. While nothing moves it is asked again for the word before, which still waits.
        self.read_address.next = self.asked_place.q.val();
        if self.moves.val() {
            self.read_address.next = self.place.q.val();
            self.asked.d.next = self.active.q.val();
            self.asked_place.d.next = self.place.q.val();
            self.asked_stored.d.next = self.active.q.val() & self.any_stored.val();
            self.asked_last.d.next = self.ends.q.val();
            self.asked_keep.d.next = self.total_lanes.val();
            self.asked_buffer_lanes.d.next = self.stored_lanes.val() & !self.ip_lanes.val() & !self.rest_lanes.val();
            self.asked_ip_lanes.d.next = self.stored_lanes.val() & self.ip_lanes.val();
            self.asked_rest_lanes.d.next = self.stored_lanes.val() & self.rest_lanes.val();
            self.asked_ip.d.next = self.ip.q.val();
            self.asked_rest.d.next = self.rest.q.val();
        }
        if self.moves.val() & self.active.q.val() {
            if self.any_stored.val() {
                self.place.d.next = self.place.q.val() + 1;
                if self.place.q.val() == self.last_word.val() {
                    self.place.d.next = 0.into();
                }
            }
            self.stored.d.next = 0.into();
            if self.stored.q.val() > self.beat_bytes.val() {
                self.stored.d.next = self.stored.q.val() - self.beat_bytes.val();
            }
            self.total.d.next = self.total.q.val() - self.beat_bytes.val();
            self.ends.d.next = self.total.q.val() <= self.two_beats.val();
            self.ip_ahead.d.next = self.ip_ahead.q.val() - self.pairs.val();
            if self.ip_ahead.q.val() < self.pairs.val() {
                self.ip_armed.d.next = false;
            }
            self.rest_ahead.d.next = self.rest_ahead.q.val() - self.pairs.val();
            if self.rest_ahead.q.val() < self.pairs.val() {
                self.rest_armed.d.next = false;
            }
            self.active.d.next = !self.ends.q.val();
        }

        // Take the next frame.
        self.takes.next = self.frame_valid.val() & (!self.active.q.val() | (self.moves.val() & self.ends.q.val()));
        self.frame_take.next = self.takes.val();
        self.length.next = self.frame.val().get_bits::<14>(0);
        if self.takes.val() {
            self.active.d.next = true;
            self.stored.d.next = self.length.val();
            self.total.d.next = self.length.val();
            self.ends.d.next = self.length.val() <= self.beat_bytes.val();
            if self.length.val() < self.shortest.val() {
                self.total.d.next = self.shortest.val();
                self.ends.d.next = self.shortest.val() <= self.beat_bytes.val();
            }
            self.ip_armed.d.next = self.frame.val().get_bit(14);
            self.ip_ahead.d.next = self.frame.val().get_bits::<8>(15);
            self.ip.d.next = self.ip_sum.val();
            self.rest_armed.d.next = self.frame.val().get_bit(23);
            self.rest_ahead.d.next = self.frame.val().get_bits::<8>(24);
            self.rest.d.next = self.rest_sum.val();
            if self.frame.val().get_bit(32) & !self.rest_sum.val().any() {
                self.rest.d.next = self.all_ones.val();
            }
        }

        // Its word comes.
        self.freed.next = self.moves.val() & self.asked_stored.q.val();
        if self.moves.val() {
            self.got.d.next = self.asked.q.val();
            self.got_data.d.next = self.read_data.val();
            self.got_last.d.next = self.asked_last.q.val();
            self.got_keep.d.next = self.asked_keep.q.val();
            self.got_buffer_lanes.d.next = self.asked_buffer_lanes.q.val();
            self.got_ip_lanes.d.next = self.asked_ip_lanes.q.val();
            self.got_rest_lanes.d.next = self.asked_rest_lanes.q.val();
            self.got_ip.d.next = self.asked_ip.q.val();
            self.got_rest.d.next = self.asked_rest.q.val();
        }

        // Insert.
        self.buffer_mask.lane.next = self.got_buffer_lanes.q.val();
        self.ip_mask.lane.next = self.got_ip_lanes.q.val();
        self.rest_mask.lane.next = self.got_rest_lanes.q.val();
        self.ip_beat.value.next = self.got_ip.q.val();
        self.rest_beat.value.next = self.got_rest.q.val();
        if self.moves.val() {
            self.valid.d.next = self.got.q.val();
            self.data.d.next = (self.got_data.q.val() & self.buffer_mask.mask.val())
                | (self.ip_beat.beat.val() & self.ip_mask.mask.val())
                | (self.rest_beat.beat.val() & self.rest_mask.mask.val());
            self.keep.d.next = self.got_keep.q.val();
            self.last.d.next = self.got_last.q.val();
        }
        self.tx_tvalid.next = self.valid.q.val();
        self.tx_tdata.next = self.data.q.val();
        self.tx_tkeep.next = self.keep.q.val();
        self.tx_tlast.next = self.last.q.val();

        if self.reset.val() {
            self.active.d.next = false;
            self.place.d.next = 0.into();
            self.asked.d.next = false;
            self.asked_stored.d.next = false;
            self.got.d.next = false;
            self.valid.d.next = false;
        }
    }
}
