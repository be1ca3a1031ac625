//! One side's dealings with the frames of a pair of queues: says of each frame it hands in whether it may, notes each frame it takes.
//!
//! The filler's ledger says which frames it has given away: handing in sets the bit, taking clears it. The poster's ledger says which
//! frames it holds: taking sets the bit, handing in clears it. What finds its bit as it should be is accepted, the rest is refused.
//! Takes wait as long as [`crate::frame_region`] works on an MFA, so a side's operations reach its ledger in the order in which it did them.
//!
//! | port         | dir | width | meaning                                                                       |
//! |--------------|-----|-------|-------------------------------------------------------------------------------|
//! | `hand`       | in  | 1     | an MFA is handed in                                                           |
//! | `kind`       | in  | 2     | its low two bits                                                              |
//! | `good`       | in  | 1     | [`frame_region::LATENCY`] cycles later: it is the start of a frame            |
//! | `frame`      | in  | 10    | with it: of this one                                                          |
//! | `take`       | in  | 1     | `take_index` is taken; not in a cycle with `hand`                             |
//! | `take_index` | in  | 10    | the frame                                                                     |
//! | `accepted`   | out | 1     | what was handed in [`LATENCY`] cycles ago is good: `index` goes into the queue |
//! | `refused`    | out | 1     | it is not                                                                     |
//! | `index`      | out | 10    | its frame                                                                     |
//! | `index_kind` | out | 2     | its kind                                                                      |
//!
//! Latency: [`LATENCY`] cycles. Throughput: one operation per cycle. Never stalls. `accepted` and `refused` are low after a reset of
//! `depth` / 4 cycles, and of at least [`LATENCY`].
//! Implements: ¶69.4.

use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

use crate::frame_ledger::{self, FrameLedger};
use crate::frame_region;
use crate::many;

/// Cycles from `hand` to the verdict: region, ledger.
pub const LATENCY: usize = frame_region::LATENCY + frame_ledger::LATENCY;

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
    pub hand: Signal<In, Bit>,
    pub kind: Signal<In, Bits<2>>,
    pub good: Signal<In, Bit>,
    pub frame: Signal<In, Bits<10>>,
    pub take: Signal<In, Bit>,
    pub take_index: Signal<In, Bits<10>>,
    pub accepted: Signal<Out, Bit>,
    pub refused: Signal<Out, Bit>,
    pub index: Signal<Out, Bits<10>>,
    pub index_kind: Signal<Out, Bits<2>>,
    ledger: FrameLedger,
    handed: Vec<DFF<Bit>>,
    handed_kind: Vec<DFF<Bits<2>>>,
    taken: Vec<DFF<Bit>>,
    taken_index: Vec<DFF<Bits<10>>>,
    hand_sets: Constant<Bit>,
    _latency: usize,
    _to_ledger: usize,
}

impl FrameGate {
    /// The gate of `side` for at most `depth` frames.
    pub fn new(depth: usize, side: Side) -> Self {
        block! {
            Self {
                ledger: FrameLedger::new(depth),
                handed: many(LATENCY),
                handed_kind: many(LATENCY),
                taken: many(frame_region::LATENCY),
                taken_index: many(frame_region::LATENCY),
                hand_sets: Constant::new(side == Side::Filler),
                _latency: LATENCY,
                _to_ledger: frame_region::LATENCY,
            },
            clock, reset, hand, kind, good, frame, take, take_index, accepted, refused, index, index_kind
        }
    }
}

impl Logic for FrameGate {
    #[hdl_gen]
    fn update(&mut self) {
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
        self.handed_kind[0].d.next = self.kind.val();
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

        // Indices are literals in the HDL: 3 is frame_region::LATENCY - 1, 6 is LATENCY - 1.
        self.ledger.operate.next = (self.handed[3].q.val() & self.good.val()) | self.taken[3].q.val();
        self.ledger.set.next = self.taken[3].q.val() ^ self.hand_sets.val();
        self.ledger.index.next = self.frame.val();
        if self.taken[3].q.val() {
            self.ledger.index.next = self.taken_index[3].q.val();
        }

        self.accepted.next = self.handed[6].q.val() & self.ledger.changed.val();
        self.refused.next = self.handed[6].q.val() & !self.ledger.changed.val();
        self.index.next = self.ledger.answer_index.val();
        self.index_kind.next = self.handed_kind[6].q.val();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy)]
    enum Act {
        /// A frame, or none, and its kind.
        Hand(Option<u64>, u64),
        Take(u64),
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
    fn verdicts(side: Side, acts: &[Act]) -> Vec<Option<Option<(u64, u64)>>> {
        let mut dut = FrameGate::new(16, side);
        dut.connect_all();
        dut.reset.next = true;
        for _ in 0..LATENCY {
            clock(&mut dut);
        }
        dut.reset.next = false;
        let mut found = vec![];
        let mut answers = std::collections::VecDeque::from([None; frame_region::LATENCY]);
        for act in acts.iter().copied().chain([Rest; LATENCY]) {
            dut.hand.next = matches!(act, Hand(..));
            dut.take.next = matches!(act, Take(_));
            let answer = answers.pop_front().flatten();
            dut.good.next = answer.is_some();
            dut.frame.next = answer.unwrap_or(3u64).to_bits();
            answers.push_back(match act {
                Hand(frame, kind) => {
                    dut.kind.next = kind.to_bits();
                    frame
                }
                Take(index) => {
                    dut.take_index.next = index.to_bits();
                    None
                }
                Rest => None,
            });
            clock(&mut dut);
            assert!(!(dut.accepted.val() && dut.refused.val()));
            found.push(match (dut.accepted.val(), dut.refused.val()) {
                (true, _) => Some(Some((dut.index.val().to_u64(), dut.index_kind.val().to_u64()))),
                (_, true) => Some(None),
                _ => None,
            });
        }
        found[LATENCY - 1..found.len() - 1].to_vec()
    }

    #[test]
    fn a_filler_gives_a_frame_once_until_it_has_taken_it() {
        let acts = [
            Hand(Some(1), 0),
            Hand(Some(1), 0),
            Take(1),
            Hand(Some(1), 0),
            Hand(None, 0),
            Hand(Some(0), 0),
            Hand(None, 0),
        ];
        let good = |n| Some(Some((n, 0)));
        assert_eq!(
            verdicts(Side::Filler, &acts),
            [good(1), Some(None), None, good(1), Some(None), good(0), Some(None)]
        );
    }

    #[test]
    fn a_poster_posts_only_what_it_has_taken_and_only_once() {
        let acts =
            [Hand(Some(0), 0), Take(0), Hand(Some(0), 2), Hand(Some(0), 0), Take(9), Take(3), Hand(Some(9), 3), Rest];
        assert_eq!(
            verdicts(Side::Poster, &acts),
            [Some(None), None, Some(Some((0, 2))), Some(None), None, None, Some(Some((9, 3))), None]
        );
    }
}
