//! The Internet checksum's sum (RFC 1071): adds chosen bytes of a stream of beats in ones' complement.
//!
//! Bytes are added in pairs of lanes, the low lane as the low byte; the sum has the same order, so that it can be put back into a pair of
//! lanes as it is. A byte that is not chosen counts as 0.
//!
//! | port          | dir | width | meaning                                                                    |
//! |---------------|-----|-------|----------------------------------------------------------------------------|
//! | `beat_valid`  | in  | 1     | a beat is present                                                          |
//! | `beat_first`  | in  | 1     | first of a frame: the sum starts anew                                      |
//! | `beat_last`   | in  | 1     | last of a frame                                                            |
//! | `beat_data`   | in  | W     | its bytes                                                                  |
//! | `beat_lanes`  | in  | W/8   | the bytes to add                                                           |
//! | `beat_addend` | in  | 17    | with `beat_first`: added too                                               |
//! | `sum_valid`   | out | 1     | the sum of a frame is present; reset value 0                               |
//! | `sum`         | out | 16    | the sum, 0 only if everything added was 0; not reset                       |
//!
//! Latency: [`LATENCY`] cycles from `beat_last` to `sum_valid`. Throughput: one beat per cycle, one frame per cycle if frames are one beat
//! long. Never stalls. Frames of at most 2^17 bytes.

use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

use crate::lane_mask::LaneMask;
use crate::many;

/// Cycles from `beat_last` to `sum_valid`: choose, add by fours, add these, accumulate, fold twice.
pub const LATENCY: usize = 6;

/// See the module's page. `KEEP` is W / 8.
#[derive(LogicBlock)]
pub struct Checksum<const W: usize, const KEEP: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub beat_valid: Signal<In, Bit>,
    pub beat_first: Signal<In, Bit>,
    pub beat_last: Signal<In, Bit>,
    pub beat_data: Signal<In, Bits<W>>,
    pub beat_lanes: Signal<In, Bits<KEEP>>,
    pub beat_addend: Signal<In, Bits<17>>,
    pub sum_valid: Signal<Out, Bit>,
    pub sum: Signal<Out, Bits<16>>,
    choice: LaneMask<W, KEEP>,
    // Bit s: the beat in stage s.
    valid: DFF<Bits<3>>,
    first: DFF<Bits<3>>,
    ends: DFF<Bits<5>>,
    chosen: DFF<Bits<W>>,
    half: Vec<Signal<Local, Bits<16>>>,
    wide: Vec<Signal<Local, Bits<22>>>,
    /// Four half words at a time.
    by_four: Vec<DFF<Bits<22>>>,
    all: Signal<Local, Bits<22>>,
    beat_sum: DFF<Bits<22>>,
    /// The addend beside its beat; 0 beside the others.
    addend: Vec<DFF<Bits<17>>>,
    before_beat: Signal<Local, Bits<32>>,
    total: DFF<Bits<32>>,
    folded: DFF<Bits<17>>,
    folded_again: DFF<Bits<16>>,
    ended: DFF<Bit>,
    _halves: usize,
    _fours: usize,
}

impl<const W: usize, const KEEP: usize> Default for Checksum<W, KEEP> {
    fn default() -> Self {
        assert!(KEEP * 8 == W && W.is_multiple_of(64) && W <= 512);
        block! {
            Self {
                half: many(KEEP / 2),
                wide: many(KEEP / 2),
                by_four: many(KEEP / 8),
                addend: many(3),
                _halves: KEEP / 2,
                _fours: KEEP / 8,
            },
            clock, reset, beat_valid, beat_first, beat_last, beat_data, beat_lanes, beat_addend, sum_valid, sum, choice,
            valid, first, ends, chosen, all, beat_sum, before_beat, total, folded, folded_again, ended
        }
    }
}

impl<const W: usize, const KEEP: usize> Logic for Checksum<W, KEEP> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, valid, first, ends, chosen, beat_sum, total, folded, folded_again, ended);
        self.valid.d.next = self.valid.q.val() << 1;
        self.first.d.next = self.first.q.val() << 1;
        self.ends.d.next = self.ends.q.val() << 1;
        if self.beat_valid.val() {
            self.valid.d.next = (self.valid.q.val() << 1) | 1;
        }
        if self.beat_first.val() {
            self.first.d.next = (self.first.q.val() << 1) | 1;
        }
        if self.beat_valid.val() & self.beat_last.val() {
            self.ends.d.next = (self.ends.q.val() << 1) | 1;
        }

        // Choose.
        self.choice.lane.next = self.beat_lanes.val();
        self.chosen.d.next = self.beat_data.val() & self.choice.mask.val();
        for s in 0..3 {
            self.addend[s].clock.next = self.clock.val();
        }
        self.addend[0].d.next = self.beat_addend.val();
        for s in 1..3 {
            self.addend[s].d.next = self.addend[s - 1].q.val();
        }

        // Add what is in one beat.
        for h in 0..self._halves {
            self.half[h].next = self.chosen.q.val().get_bits::<16>(16 * h);
            self.wide[h].next = self.half[h].val().get_bits::<22>(0);
        }
        self.all.next = 0.into();
        for f in 0..self._fours {
            self.by_four[f].clock.next = self.clock.val();
            self.by_four[f].d.next = (self.wide[4 * f].val() + self.wide[4 * f + 1].val())
                + (self.wide[4 * f + 2].val() + self.wide[4 * f + 3].val());
            self.all.next = self.all.val() + self.by_four[f].q.val();
        }
        self.beat_sum.d.next = self.all.val();

        // Add up the beats.
        self.before_beat.next = self.total.q.val();
        if self.first.q.val().get_bit(2) {
            self.before_beat.next = bit_cast::<32, 17>(self.addend[2].q.val());
        }
        if self.valid.q.val().get_bit(2) {
            self.total.d.next = self.before_beat.val() + bit_cast::<32, 22>(self.beat_sum.q.val());
        }

        // The carries come back in at the bottom.
        self.folded.d.next = bit_cast::<17, 16>(self.total.q.val().get_bits::<16>(0))
            + bit_cast::<17, 16>(self.total.q.val().get_bits::<16>(16));
        self.folded_again.d.next = self.folded.q.val().get_bits::<16>(0) + self.folded.q.val().get_bit(16);
        self.ended.d.next = self.ends.q.val().get_bit(4);
        self.sum_valid.next = self.ended.q.val();
        self.sum.next = self.folded_again.q.val();

        if self.reset.val() {
            self.valid.d.next = 0.into();
            self.ends.d.next = 0.into();
            self.ended.d.next = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emit::emit;
    use crate::random::Random;

    /// A frame: its addend, and beats with their lanes to add.
    type Frame = (u64, Vec<(Vec<u8>, u64)>);

    /// RFC 1071, section 4.1, on little-endian pairs.
    fn model(frame: &Frame) -> u64 {
        let mut sum = frame.0;
        for (bytes, lanes) in &frame.1 {
            for (at, pair) in bytes.chunks(2).enumerate() {
                let byte = |i: usize| if lanes >> (2 * at + i) & 1 == 1 { pair[i] as u64 } else { 0 };
                sum += byte(0) | byte(1) << 8;
            }
        }
        while sum > 0xFFFF {
            sum = (sum & 0xFFFF) + (sum >> 16);
        }
        sum
    }

    fn check<const W: usize, const KEEP: usize>(count: usize, random: &mut Random) -> usize {
        let mut dut = Checksum::<W, KEEP>::default();
        dut.connect_all();
        let mut due = std::collections::VecDeque::new();
        let (mut cycle, mut compared) = (0, 0);
        let mut step = |dut: &mut Checksum<W, KEEP>, due: &mut std::collections::VecDeque<(usize, u64)>| {
            dut.clock.next = false.into();
            assert!(simulate(dut, 10));
            if dut.sum_valid.val() {
                assert_eq!(due.pop_front(), Some((cycle, dut.sum.val().to_u64())));
                compared += 1;
            }
            dut.clock.next = true.into();
            assert!(simulate(dut, 10));
            cycle += 1;
            cycle
        };
        for number in 0..count {
            // The longest, of the largest bytes, must not overflow.
            let beats = if number == 0 && KEEP == 8 { 9216 / KEEP } else { 1 + random.below(6) as usize };
            let extreme = number == 0 || random.below(4) == 0;
            let byte = |random: &mut Random| if extreme { 0xFF } else { random.below(256) as u8 };
            let all = if KEEP == 64 { u64::MAX } else { (1 << KEEP) - 1 };
            let some = |random: &mut Random| (random.below(1 << 33) << 31 | random.below(1 << 33)) & all;
            let addend = if extreme { 0x1FFFF } else { random.below(1 << 17) };
            let content: Vec<(Vec<u8>, u64)> = (0..beats)
                .map(|_| ((0..KEEP).map(|_| byte(random)).collect(), if extreme { all } else { some(random) }))
                .collect();
            let frame = (addend, content);
            for (at, (bytes, lanes)) in frame.1.iter().enumerate() {
                dut.beat_valid.next = true;
                dut.beat_first.next = at == 0;
                dut.beat_last.next = at + 1 == beats;
                dut.beat_data.next = bytes
                    .iter()
                    .rev()
                    .fold(Bits::<W>::default(), |all, b| (all << 8) | bit_cast::<W, 8>((*b as u64).to_bits()));
                dut.beat_lanes.next = (*lanes).to_bits();
                dut.beat_addend.next = frame.0.to_bits();
                let now = step(&mut dut, &mut due);
                if at + 1 == beats {
                    due.push_back((now - 1 + LATENCY, model(&frame)));
                }
                while random.below(4) == 0 {
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

    #[test]
    fn the_sum_of_the_chosen_bytes_comes_after_the_stated_latency_at_every_width() {
        let mut random = Random::seeded(1071);
        assert_eq!(check::<64, 8>(200, &mut random), 200);
        assert_eq!(check::<128, 16>(20, &mut random), 20);
        assert_eq!(check::<256, 32>(12, &mut random), 12);
        assert_eq!(check::<512, 64>(8, &mut random), 8);
    }

    #[test]
    fn the_example_of_rfc_1071_is_reproduced() {
        // Section 3: 00 01 f2 03 f4 f5 f6 f7, whose sum is ddf2; pairs are little-endian here.
        let mut dut = Checksum::<64, 8>::default();
        dut.connect_all();
        dut.beat_valid.next = true;
        dut.beat_first.next = true;
        dut.beat_last.next = true;
        dut.beat_data.next = 0xF7F6_F5F4_03F2_0100u64.to_bits();
        dut.beat_lanes.next = 0xFF.into();
        for _ in 0..LATENCY {
            for level in [false, true] {
                dut.clock.next = level.into();
                assert!(simulate(&mut dut, 10));
            }
            dut.beat_valid.next = false;
        }
        assert!(dut.sum_valid.val());
        assert_eq!(dut.sum.val().to_u64(), 0xF2DD);
    }

    #[test]
    fn it_can_be_printed_at_every_width() {
        emit(&mut Checksum::<64, 8>::default(), "checksum").expect("64");
        emit(&mut Checksum::<512, 64>::default(), "checksum").expect("512");
    }
}
