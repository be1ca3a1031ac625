//! One side's dealings with the frames of a pair of queues: checks each MFA it hands in, notes each frame it takes.
//!
//! The filler's ledger says which frames it has given away: handing in sets the bit, taking clears it. The poster's ledger says which
//! frames it holds: taking sets the bit, handing in clears it. What finds its bit as it should be is accepted, the rest is refused.
//! Takes travel as long as MFAs do, so a side's operations reach its ledger in the order in which it did them.
//!
//! | port         | dir | width | meaning                                                                |
//! |--------------|-----|-------|------------------------------------------------------------------------|
//! | `base`       | in  | 26    | bits 31:6 of the first frame's address                                 |
//! | `size`       | in  | 5     | log2 of the bytes of a frame                                           |
//! | `frames`     | in  | 11    | frames of the region                                                   |
//! | `hand`       | in  | 1     | `mfa` is handed in                                                     |
//! | `mfa`        | in  | 32    | the frame's address                                                    |
//! | `take`       | in  | 1     | `take_index` is taken; not in a cycle with `hand`                      |
//! | `take_index` | in  | 10    | the frame                                                              |
//! | `accepted`   | out | 1     | the MFA of [`LATENCY`] cycles ago is good: `index` goes into the queue |
//! | `refused`    | out | 1     | it is not                                                              |
//! | `index`      | out | 10    | its frame                                                              |
//! | `kind`       | out | 2     | its low two bits                                                       |
//!
//! Latency: [`LATENCY`] cycles. Throughput: one operation per cycle. Never stalls. `accepted` and `refused` are low after a reset of
//! `depth` / 4 cycles, and of at least [`LATENCY`].
//! Implements: ¶69.4.

use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

use crate::frame_ledger::{self, FrameLedger};
use crate::frame_region::{self, FrameRegion};
use crate::many;

/// Cycles from `hand` to the verdict: register, region, ledger.
pub const LATENCY: usize = 1 + frame_region::LATENCY + frame_ledger::LATENCY;

/// Cycles from `hand` or `take` to the ledger.
const TO_LEDGER: usize = 1 + frame_region::LATENCY;

/// Whose gate it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// Hands in empty frames, takes filled ones.
    Filler,
    /// Takes empty frames, hands in filled ones.
    Poster,
}

/// See the module's page.
#[derive(LogicBlock)]
pub struct FrameGate {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub base: Signal<In, Bits<26>>,
    pub size: Signal<In, Bits<5>>,
    pub frames: Signal<In, Bits<11>>,
    pub hand: Signal<In, Bit>,
    pub mfa: Signal<In, Bits<32>>,
    pub take: Signal<In, Bit>,
    pub take_index: Signal<In, Bits<10>>,
    pub accepted: Signal<Out, Bit>,
    pub refused: Signal<Out, Bit>,
    pub index: Signal<Out, Bits<10>>,
    pub kind: Signal<Out, Bits<2>>,
    region: FrameRegion,
    ledger: FrameLedger,
    handed_mfa: DFF<Bits<32>>,
    handed: Vec<DFF<Bit>>,
    handed_kind: Vec<DFF<Bits<2>>>,
    taken: Vec<DFF<Bit>>,
    taken_index: Vec<DFF<Bits<10>>>,
    hand_sets: Constant<Bit>,
    _latency: usize,
    _to_ledger: usize,
}

impl FrameGate {
    /// The gate of `side` for at most `depth` frames of an inbound or an outbound region.
    pub fn new(depth: usize, inbound: bool, side: Side) -> Self {
        block! {
            Self {
                region: FrameRegion::new(depth, inbound),
                ledger: FrameLedger::new(depth),
                handed: many(LATENCY),
                handed_kind: many(LATENCY),
                taken: many(TO_LEDGER),
                taken_index: many(TO_LEDGER),
                hand_sets: Constant::new(side == Side::Filler),
                _latency: LATENCY,
                _to_ledger: TO_LEDGER,
            },
            clock, reset, base, size, frames, hand, mfa, take, take_index, accepted, refused, index, kind, handed_mfa
        }
    }
}

impl Logic for FrameGate {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, handed_mfa);
        self.region.clock.next = self.clock.val();
        self.region.base.next = self.base.val();
        self.region.size.next = self.size.val();
        self.region.frames.next = self.frames.val();
        self.ledger.clock.next = self.clock.val();
        self.ledger.reset.next = self.reset.val();

        for s in 0..self._latency {
            self.handed[s].clock.next = self.clock.val();
            self.handed_kind[s].clock.next = self.clock.val();
        }
        for s in 0..self._to_ledger {
            self.taken[s].clock.next = self.clock.val();
            self.taken_index[s].clock.next = self.clock.val();
        }
        self.handed[0].d.next = self.hand.val() & !self.reset.val();
        self.handed_kind[0].d.next = self.mfa.val().get_bits::<2>(0);
        for s in 1..self._latency {
            self.handed[s].d.next = self.handed[s - 1].q.val();
            self.handed_kind[s].d.next = self.handed_kind[s - 1].q.val();
        }
        self.taken[0].d.next = self.take.val() & !self.reset.val();
        self.taken_index[0].d.next = self.take_index.val();
        for s in 1..self._to_ledger {
            self.taken[s].d.next = self.taken[s - 1].q.val();
            self.taken_index[s].d.next = self.taken_index[s - 1].q.val();
        }

        self.handed_mfa.d.next = self.mfa.val();
        self.region.mfa.next = self.handed_mfa.q.val();

        // Indices are literals in the HDL: 3 is TO_LEDGER - 1, 6 is LATENCY - 1.
        self.ledger.operate.next = (self.handed[3].q.val() & self.region.good.val()) | self.taken[3].q.val();
        self.ledger.set.next = self.taken[3].q.val() ^ self.hand_sets.val();
        self.ledger.index.next = self.region.index.val();
        if self.taken[3].q.val() {
            self.ledger.index.next = self.taken_index[3].q.val();
        }

        self.accepted.next = self.handed[6].q.val() & self.ledger.changed.val();
        self.refused.next = self.handed[6].q.val() & !self.ledger.changed.val();
        self.index.next = self.ledger.answer_index.val();
        self.kind.next = self.handed_kind[6].q.val();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy)]
    enum Act {
        Hand(u32),
        Take(u32),
        Rest,
    }
    use Act::{Hand, Rest, Take};

    fn clock(dut: &mut FrameGate) {
        for level in [false, true] {
            dut.clock.next = level.into();
            assert!(simulate(dut, 10));
        }
    }

    /// The verdict on each act: none, refused, or the frame and its kind.
    fn verdicts(side: Side, inbound: bool, acts: &[Act]) -> Vec<Option<Option<(u64, u64)>>> {
        let mut dut = FrameGate::new(16, inbound, side);
        dut.base.next = (0x0100_0000u64 >> 6).to_bits();
        dut.size.next = 7.into();
        dut.frames.next = 10.into();
        dut.reset.next = true;
        for _ in 0..LATENCY {
            clock(&mut dut);
        }
        dut.reset.next = false;
        let mut found = vec![];
        for act in acts.iter().copied().chain([Rest; LATENCY]) {
            dut.hand.next = matches!(act, Hand(_));
            dut.take.next = matches!(act, Take(_));
            match act {
                Hand(mfa) => dut.mfa.next = u64::from(mfa).to_bits(),
                Take(index) => dut.take_index.next = u64::from(index).to_bits(),
                Rest => {}
            }
            clock(&mut dut);
            assert!(!(dut.accepted.val() && dut.refused.val()));
            found.push(match (dut.accepted.val(), dut.refused.val()) {
                (true, _) => Some(Some((dut.index.val().to_u64(), dut.kind.val().to_u64()))),
                (_, true) => Some(None),
                _ => None,
            });
        }
        found[LATENCY - 1..found.len() - 1].to_vec()
    }

    const BASE: u32 = 0x0100_0000;

    #[test]
    fn a_filler_gives_a_frame_once_until_it_has_taken_it() {
        let acts = [
            Hand(BASE + 128),
            Hand(BASE + 128),
            Take(1),
            Hand(BASE + 128),
            Hand(BASE + 64),
            Hand(BASE),
            Hand(BASE + 1280),
        ];
        let good = |n| Some(Some((n, 0)));
        assert_eq!(
            verdicts(Side::Filler, true, &acts),
            [good(1), Some(None), None, good(1), Some(None), good(0), Some(None)]
        );
    }

    #[test]
    fn a_poster_posts_only_what_it_has_taken_and_only_once() {
        let acts = [Hand(BASE), Take(0), Hand(BASE + 2), Hand(BASE), Take(9), Take(3), Hand(BASE + 9 * 128 + 3), Rest];
        assert_eq!(
            verdicts(Side::Poster, true, &acts),
            [Some(None), None, Some(Some((0, 2))), Some(None), None, None, Some(Some((9, 3))), None]
        );
        let outbound = verdicts(Side::Poster, false, &[Take(0), Hand(BASE + 2), Hand(BASE)]);
        assert_eq!(outbound, [None, Some(None), Some(Some((0, 0)))], "an outbound MFA has no kind");
    }
}
