//! The two checksums of a frame to send: of its IPv4 header, and from a place to its end.
//!
//! The header's length comes from the header (IHL). Both results are inverted sums, ready for their pair of lanes, see [`Checksum`].
//! A header that runs over the end of the frame is summed up to there.
//!
//! | port           | dir | width | meaning                                                                        |
//! |----------------|-----|-------|--------------------------------------------------------------------------------|
//! | `beat_valid`   | in  | 1     | a beat is present                                                              |
//! | `beat_data`    | in  | W     | its bytes                                                                      |
//! | `beat_keep`    | in  | W/8   | lanes in use                                                                   |
//! | `beat_last`    | in  | 1     | last of a frame                                                                |
//! | `ip_place`     | in  | 7     | pairs of bytes before the IPv4 header of this beat's frame                     |
//! | `start_place`  | in  | 7     | pairs of bytes before the start of the other sum                               |
//! | `sums_valid`   | out | 1     | the checksums of a frame are present; reset value 0                            |
//! | `ip_sum`       | out | 16    | of the IPv4 header; not reset                                                  |
//! | `rest_sum`     | out | 16    | from `start_place` to the end                                                  |
//!
//! Latency: [`LATENCY`] cycles from `beat_last` to `sums_valid`. Throughput: one beat per cycle, one frame per cycle if frames are one beat
//! long. Never stalls.

use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

use crate::checksum::{self, Checksum};
use crate::pairs_from::PairsFrom;

/// Cycles from `beat_last` to `sums_valid`: find the header's length, its end, sum.
pub const LATENCY: usize = 2 + checksum::LATENCY;

/// See the module's page. `KEEP` is W / 8.
#[derive(LogicBlock)]
pub struct TransmitSums<const W: usize, const KEEP: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub beat_valid: Signal<In, Bit>,
    pub beat_data: Signal<In, Bits<W>>,
    pub beat_keep: Signal<In, Bits<KEEP>>,
    pub beat_last: Signal<In, Bit>,
    pub ip_place: Signal<In, Bits<7>>,
    pub start_place: Signal<In, Bits<7>>,
    pub sums_valid: Signal<Out, Bit>,
    pub ip_sum: Signal<Out, Bits<16>>,
    pub rest_sum: Signal<Out, Bits<16>>,
    in_frame: DFF<Bit>,
    // Pairs of bytes still to come before the header, and whether it has come.
    ip_ahead: DFF<Bits<7>>,
    ip_passed: DFF<Bit>,
    ip_ahead_now: Signal<Local, Bits<7>>,
    ip_here: Signal<Local, Bit>,
    nibble: Signal<Local, Bits<4>>,
    behind_start: PairsFrom<KEEP>,
    // The beat with the header's length.
    found_valid: DFF<Bit>,
    found_first: DFF<Bit>,
    found_last: DFF<Bit>,
    found_data: DFF<Bits<W>>,
    found_keep: DFF<Bits<KEEP>>,
    found_rest: DFF<Bits<KEEP>>,
    found_here: DFF<Bit>,
    found_ahead: DFF<Bits<7>>,
    found_nibble: DFF<Bits<4>>,
    /// Pairs of the header that lie in later beats.
    ip_left: DFF<Bits<7>>,
    ip_from: Signal<Local, Bits<7>>,
    ip_to: Signal<Local, Bits<7>>,
    // The beat with the header's pairs: from..to.
    valid: DFF<Bit>,
    first: DFF<Bit>,
    last: DFF<Bit>,
    data: DFF<Bits<W>>,
    keep: DFF<Bits<KEEP>>,
    rest: DFF<Bits<KEEP>>,
    from: DFF<Bits<7>>,
    to: DFF<Bits<7>>,
    ip_lanes: Signal<Local, Bits<KEEP>>,
    ip: Checksum<W, KEEP>,
    other: Checksum<W, KEEP>,
    pairs: Constant<Bits<7>>,
    _pairs: usize,
}

impl<const W: usize, const KEEP: usize> Default for TransmitSums<W, KEEP> {
    fn default() -> Self {
        block! {
            Self {
                pairs: Constant::new((KEEP as u64 / 2).to_bits()),
                _pairs: KEEP / 2,
            },
            clock, reset, beat_valid, beat_data, beat_keep, beat_last, ip_place, start_place, sums_valid, ip_sum,
            rest_sum, in_frame, ip_ahead, ip_passed, ip_ahead_now, ip_here, nibble, behind_start, found_valid,
            found_first, found_last, found_data, found_keep, found_rest, found_here, found_ahead, found_nibble, ip_left,
            ip_from, ip_to, valid, first, last, data, keep, rest, from, to, ip_lanes, ip, other
        }
    }
}

impl<const W: usize, const KEEP: usize> Logic for TransmitSums<W, KEEP> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, in_frame, ip_ahead, ip_passed, ip_left);
        dff_setup!(self, clock, found_valid, found_first, found_last, found_data, found_keep, found_rest);
        dff_setup!(self, clock, found_here, found_ahead, found_nibble);
        dff_setup!(self, clock, valid, first, last, data, keep, rest, from, to);
        self.ip.clock.next = self.clock.val();
        self.ip.reset.next = self.reset.val();
        self.other.clock.next = self.clock.val();
        self.other.reset.next = self.reset.val();

        // Count down to the header.
        self.ip_ahead_now.next = self.ip_ahead.q.val();
        self.ip_here.next = !self.ip_passed.q.val() & (self.ip_ahead.q.val() < self.pairs.val());
        if !self.in_frame.q.val() {
            self.ip_ahead_now.next = self.ip_place.val();
            self.ip_here.next = self.ip_place.val() < self.pairs.val();
        }
        if self.beat_valid.val() {
            self.in_frame.d.next = !self.beat_last.val();
            self.ip_ahead.d.next = self.ip_ahead_now.val() - self.pairs.val();
            self.ip_passed.d.next = self.ip_here.val() | (self.in_frame.q.val() & self.ip_passed.q.val());
        }

        // The header's length stands in its first byte.
        self.nibble.next = 0.into();
        for h in 0..self._pairs {
            if self.ip_ahead_now.val() == h.to_bits() {
                self.nibble.next = self.nibble.val() | self.beat_data.val().get_bits::<4>(16 * h);
            }
        }
        self.behind_start.clock.next = self.clock.val();
        self.behind_start.beat_valid.next = self.beat_valid.val();
        self.behind_start.beat_first.next = !self.in_frame.q.val();
        self.behind_start.place.next = bit_cast::<8, 7>(self.start_place.val());
        self.found_valid.d.next = self.beat_valid.val();
        self.found_first.d.next = !self.in_frame.q.val();
        self.found_last.d.next = self.beat_last.val();
        self.found_data.d.next = self.beat_data.val();
        self.found_keep.d.next = self.beat_keep.val();
        self.found_rest.d.next = self.beat_keep.val() & self.behind_start.lanes.val();
        self.found_here.d.next = self.ip_here.val();
        self.found_ahead.d.next = self.ip_ahead_now.val();
        self.found_nibble.d.next = self.nibble.val();

        // Where the header begins and ends, counted from this beat.
        self.ip_from.next = 0.into();
        self.ip_to.next = self.ip_left.q.val();
        if self.found_first.q.val() {
            self.ip_to.next = 0.into();
        }
        if self.found_here.q.val() {
            self.ip_from.next = self.found_ahead.q.val();
            self.ip_to.next = self.found_ahead.q.val() + (bit_cast::<7, 4>(self.found_nibble.q.val()) << 1);
        }
        if self.found_valid.q.val() {
            self.ip_left.d.next = 0.into();
            if self.ip_to.val() > self.pairs.val() {
                self.ip_left.d.next = self.ip_to.val() - self.pairs.val();
            }
        }
        self.valid.d.next = self.found_valid.q.val();
        self.first.d.next = self.found_first.q.val();
        self.last.d.next = self.found_last.q.val();
        self.data.d.next = self.found_data.q.val();
        self.keep.d.next = self.found_keep.q.val();
        self.rest.d.next = self.found_rest.q.val();
        self.from.d.next = self.ip_from.val();
        self.to.d.next = self.ip_to.val();

        // Sum.
        self.ip_lanes.next = self.keep.q.val();
        for h in 0..self._pairs {
            if (self.from.q.val() > h.to_bits()) | (self.to.q.val() <= h.to_bits()) {
                self.ip_lanes.next = self.ip_lanes.val().replace_bit(2 * h, false).replace_bit(2 * h + 1, false);
            }
        }
        self.ip.beat_valid.next = self.valid.q.val();
        self.ip.beat_first.next = self.first.q.val();
        self.ip.beat_last.next = self.last.q.val();
        self.ip.beat_data.next = self.data.q.val();
        self.ip.beat_lanes.next = self.ip_lanes.val();
        self.ip.beat_addend.next = 0.into();
        self.other.beat_valid.next = self.valid.q.val();
        self.other.beat_first.next = self.first.q.val();
        self.other.beat_last.next = self.last.q.val();
        self.other.beat_data.next = self.data.q.val();
        self.other.beat_lanes.next = self.rest.q.val();
        self.other.beat_addend.next = 0.into();
        self.sums_valid.next = self.ip.sum_valid.val() & self.other.sum_valid.val();
        self.ip_sum.next = !self.ip.sum.val();
        self.rest_sum.next = !self.other.sum.val();

        if self.reset.val() {
            self.in_frame.d.next = false;
            self.found_valid.d.next = false;
            self.valid.d.next = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;
    use std::collections::VecDeque;

    struct Frame {
        bytes: Vec<u8>,
        ip: usize,
        start: usize,
    }

    /// The checksum as it stands on the wire: RFC 1071 over big-endian pairs.
    fn checksum(bytes: &[u8]) -> [u8; 2] {
        let mut sum: u64 = bytes.chunks(2).map(|p| (p[0] as u64) << 8 | *p.get(1).unwrap_or(&0) as u64).sum();
        while sum > 0xFFFF {
            sum = (sum & 0xFFFF) + (sum >> 16);
        }
        (!sum as u16).to_be_bytes()
    }

    fn model(frame: &Frame) -> [[u8; 2]; 2] {
        let from = |place: usize| frame.bytes.get(place..).unwrap_or_default();
        let header = from(frame.ip);
        let words = header.first().map_or(0, |b| (b & 15) as usize);
        [checksum(&header[..header.len().min(4 * words)]), checksum(from(frame.start))]
    }

    fn run<const W: usize, const KEEP: usize>(frames: &[Frame], random: &mut Random) -> usize {
        let mut dut = TransmitSums::<W, KEEP>::default();
        dut.connect_all();
        let mut due = VecDeque::new();
        let (mut compared, mut cycle) = (0, 0usize);
        let mut step = |dut: &mut TransmitSums<W, KEEP>, due: &mut VecDeque<(usize, [[u8; 2]; 2])>| {
            dut.clock.next = false.into();
            assert!(simulate(dut, 20));
            if dut.sums_valid.val() {
                let lanes = |sum: Bits<16>| (sum.to_u64() as u16).to_le_bytes();
                let found = (cycle, [lanes(dut.ip_sum.val()), lanes(dut.rest_sum.val())]);
                assert_eq!(due.pop_front(), Some(found), "frame {compared}");
                compared += 1;
            }
            dut.clock.next = true.into();
            assert!(simulate(dut, 20));
            cycle += 1;
            cycle
        };
        dut.reset.next = true;
        step(&mut dut, &mut due);
        dut.reset.next = false;
        for frame in frames {
            let beats = frame.bytes.chunks(KEEP);
            let count = beats.len();
            for (at, beat) in beats.enumerate() {
                // Lanes not in use hold anything.
                let byte = |i: usize, random: &mut Random| beat.get(i).map_or(random.below(256), |b| *b as u64);
                let data = (0..KEEP)
                    .rev()
                    .fold(Bits::<W>::default(), |all, i| (all << 8) | bit_cast::<W, 8>(byte(i, random).to_bits()));
                dut.beat_valid.next = true;
                dut.beat_data.next = data;
                dut.beat_keep.next = (0..KEEP).fold(Bits::default(), |keep, i| keep.replace_bit(i, i < beat.len()));
                dut.beat_last.next = at + 1 == count;
                dut.ip_place.next = (frame.ip as u64 / 2).to_bits();
                dut.start_place.next = (frame.start as u64 / 2).to_bits();
                let now = step(&mut dut, &mut due);
                if at + 1 == count {
                    due.push_back((now - 1 + LATENCY, model(frame)));
                }
                if random.below(4) == 0 {
                    dut.beat_valid.next = false;
                    step(&mut dut, &mut due);
                }
            }
        }
        dut.beat_valid.next = false;
        for _ in 0..LATENCY {
            step(&mut dut, &mut due);
        }
        assert!(due.is_empty());
        compared
    }

    fn frames(count: usize, random: &mut Random) -> Vec<Frame> {
        let mut below = |n: usize| random.below(n as u64) as usize;
        let mut frame = || {
            let length = if below(3) == 0 { 14 + below(60) } else { 14 + below(400) };
            let ip = if below(2) == 0 { 14 } else { 2 * below(97) };
            let start = if below(2) == 0 { ip + 20 } else { 2 * below(97) };
            Frame { bytes: (0..length).map(|_| below(256) as u8).collect(), ip, start }
        };
        (0..count).map(|_| frame()).collect()
    }

    #[test]
    fn both_checksums_are_right_wherever_they_start_at_every_width() {
        let mut random = Random::seeded(768);
        assert_eq!(run::<64, 8>(&frames(200, &mut random), &mut random), 200);
        assert_eq!(run::<128, 16>(&frames(40, &mut random), &mut random), 40);
        assert_eq!(run::<256, 32>(&frames(25, &mut random), &mut random), 25);
        assert_eq!(run::<512, 64>(&frames(25, &mut random), &mut random), 25);
    }

    #[test]
    fn the_example_header_of_the_standard_texts_gives_its_known_checksum() {
        // 4500 0073 0000 4000 4011 [b861] c0a8 0001 c0a8 00c7, the field set to 0.
        let header = [0x45, 0, 0, 0x73, 0, 0, 0x40, 0, 0x40, 0x11, 0, 0, 0xC0, 0xA8, 0, 1, 0xC0, 0xA8, 0, 0xC7];
        let mut bytes = vec![0xEE; 14];
        bytes.extend(header);
        bytes.extend([0x55; 30]);
        let frame = Frame { bytes, ip: 14, start: 34 };
        assert_eq!(model(&frame)[0], [0xB8, 0x61]);
        assert_eq!(run::<64, 8>(&[frame], &mut Random::seeded(1)), 1);
    }
}
