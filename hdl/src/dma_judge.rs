//! Judges completions from the host: where their payloads go, and what ends a request.
//!
//! A completion must go on where the one before it ended. A request ends with its last byte, with an error, or when its time is up; what ends
//! it is passed on behind the payloads that came before, so that nothing is written for a request that has ended.
//!
//! | port            | dir | width | meaning                                                                                |
//! |-----------------|-----|-------|----------------------------------------------------------------------------------------|
//! | `head_valid`    | in  | 1     | a completion                                                                           |
//! | `head`          | in  | 40    | what matters of its header, see [`crate::dma_completion::Head`]                        |
//! | `head_take`     | out | 1     | it is taken                                                                            |
//! | `expires_valid` | in  | 1     | a tag's time is up: comes before completions                                           |
//! | `expires_tag`   | in  | 5     | the tag                                                                                |
//! | `expires_take`  | out | 1     | it is taken                                                                            |
//! | `tag`           | out | 5     | the tag under judgement                                                                |
//! | `tag_open`      | in  | 1     | completions are expected for it                                                        |
//! | `tag_lost`      | in  | 1     | they are to be thrown away                                                             |
//! | `tag_expired`   | in  | 1     | its time is up                                                                         |
//! | `progress`      | in  | 57    | a cycle after `tag`: how far its request has come, see [`Progress`]                    |
//! | `judging`       | out | 1     | in this cycle the progress may be written                                              |
//! | `go_on`         | out | 1     | the tag's progress is now                                                              |
//! | `progress_next` | out | 57    | this                                                                                   |
//! | `close`         | out | 1     | the tag's request has ended                                                            |
//! | `forget`        | out | 1     | the last completion of a lost tag has come                                             |
//! | `fill_valid`    | out | 1     | a payload, or the end of a request; stays until it is taken; reset value 0             |
//! | `fill_ready`    | in  | 1     | it is taken                                                                            |
//! | `fill`          | out | 64    | what to do, see [`Fill`]                                                               |
//! | `unexpected`    | out | 1     | pulse: a completion that no request waits for was dropped                              |
//! | `timed_out`     | out | 1     | pulse: a request's time was up                                                         |
//!
//! Latency: [`LATENCY`] cycles from `head_valid` to `fill_valid`. Throughput: one completion per four cycles.
//! Implements: PCI Express Base 3.0, 2.3.1.1 (any split, any order between tags), 2.3.2 (what is unexpected), 2.8 (completion timeout).

use abi::dma::Status;
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

use crate::dma_completion::HEAD_BITS;

/// Cycles from `head_valid` to `fill_valid`: read, compare, judge, pass on.
pub const LATENCY: usize = 4;

/// How far a request has come.
#[derive(LogicStruct, Debug, Copy, Clone, PartialEq, Default)]
pub struct Progress {
    /// Card address of the next byte.
    pub near: Bits<28>,
    /// Low bits of its host address.
    pub lower_address: Bits<7>,
    /// Bytes to come.
    pub missing: Bits<13>,
    pub id: Bits<9>,
}

/// Bits of a [`Progress`].
pub const PROGRESS_BITS: usize = 57;

/// A payload, or the end of a request, or both.
#[derive(LogicStruct, Debug, Copy, Clone, PartialEq, Default)]
pub struct Fill {
    /// There is a payload to take.
    pub has_data: Bit,
    /// It is to be written; else it is thrown away.
    pub writes: Bit,
    /// The request ends behind it.
    pub ends: Bit,
    /// More completions may come for it.
    pub lost: Bit,
    /// Card address of the first byte.
    pub near: Bits<28>,
    /// Lane of the first byte.
    pub lane: Bits<2>,
    /// Bytes to write, less one.
    pub last_byte: Bits<12>,
    /// What is wrong, or 0; see [`abi::dma::Status`].
    pub status: Bits<4>,
    pub tag: Bits<5>,
    pub id: Bits<9>,
}

/// Bits of a [`Fill`].
pub const FILL_BITS: usize = 64;

/// Where the judge of completions stands.
#[derive(LogicState, Debug, Copy, Clone, PartialEq)]
enum JudgeStep {
    Wait,
    Fetch,
    Compare,
    Judge,
}

/// See the module's page.
#[derive(LogicBlock)]
pub struct DmaJudge {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub head_valid: Signal<In, Bit>,
    pub head: Signal<In, Bits<HEAD_BITS>>,
    pub head_take: Signal<Out, Bit>,
    pub expires_valid: Signal<In, Bit>,
    pub expires_tag: Signal<In, Bits<5>>,
    pub expires_take: Signal<Out, Bit>,
    pub tag: Signal<Out, Bits<5>>,
    pub tag_open: Signal<In, Bit>,
    pub tag_lost: Signal<In, Bit>,
    pub tag_expired: Signal<In, Bit>,
    pub progress: Signal<In, Bits<PROGRESS_BITS>>,
    pub judging: Signal<Out, Bit>,
    pub go_on: Signal<Out, Bit>,
    pub progress_next: Signal<Out, Bits<PROGRESS_BITS>>,
    pub close: Signal<Out, Bit>,
    pub forget: Signal<Out, Bit>,
    pub fill_valid: Signal<Out, Bit>,
    pub fill_ready: Signal<In, Bit>,
    pub fill: Signal<Out, Bits<FILL_BITS>>,
    pub unexpected: Signal<Out, Bit>,
    pub timed_out: Signal<Out, Bit>,
    step: DFF<JudgeStep>,
    judges_time: DFF<Bit>,
    tag_now: DFF<Bits<5>>,
    head_now: DFF<Bits<HEAD_BITS>>,
    length: Signal<Local, Bits<13>>,
    lower_address: Signal<Local, Bits<7>>,
    byte_count: Signal<Local, Bits<13>>,
    payload: DFF<Bits<13>>,
    left: DFF<Bits<13>>,
    excess: Signal<Local, Bits<14>>,
    bytes: DFF<Bits<13>>,
    claims_end: DFF<Bit>,
    bad_length: DFF<Bit>,
    is_open: DFF<Bit>,
    is_lost: DFF<Bit>,
    is_expired: DFF<Bit>,
    so_far: DFF<Bits<PROGRESS_BITS>>,
    near: Signal<Local, Bits<28>>,
    awaited_address: Signal<Local, Bits<7>>,
    missing: Signal<Local, Bits<13>>,
    id: Signal<Local, Bits<9>>,
    refused: Signal<Local, Bit>,
    fits: Signal<Local, Bit>,
    has_data: Signal<Local, Bit>,
    poisoned: Signal<Local, Bit>,
    ours: Signal<Local, Bit>,
    completion_status: Signal<Local, Bits<3>>,
    judges: Signal<Local, Bit>,
    closes: Signal<Local, Bit>,
    forgets: Signal<Local, Bit>,
    goes_on: Signal<Local, Bit>,
    next_progress: Signal<Local, Progress>,
    verdict: Signal<Local, Fill>,
    passes: Signal<Local, Bit>,
    fills: DFF<Bit>,
    fill_now: DFF<Bits<FILL_BITS>>,
    pulse_unexpected: DFF<Bit>,
    pulse_timed_out: DFF<Bit>,
    unsupported: Constant<Bits<4>>,
    aborted: Constant<Bits<4>>,
    bad_data: Constant<Bits<4>>,
    wrong_length: Constant<Bits<4>>,
    late: Constant<Bits<4>>,
}

impl Default for DmaJudge {
    fn default() -> Self {
        let number = |status: Status| Constant::new((status as u64).to_bits());
        block! {
            Self {
                unsupported: number(Status::UnsupportedRequest),
                aborted: number(Status::CompleterAbort),
                bad_data: number(Status::Poisoned),
                wrong_length: number(Status::Length),
                late: number(Status::Timeout),
            },
            clock, reset, head_valid, head, head_take, expires_valid, expires_tag, expires_take, tag, tag_open,
            tag_lost, tag_expired, progress, judging, go_on, progress_next, close, forget, fill_valid, fill_ready, fill,
            unexpected, timed_out, step, judges_time, tag_now, head_now, length, lower_address, byte_count, payload,
            left, excess, bytes, claims_end, bad_length, is_open, is_lost, is_expired, so_far, near, awaited_address,
            missing, id, refused, fits, has_data, poisoned, ours, completion_status, judges, closes, forgets, goes_on,
            next_progress, verdict, passes, fills, fill_now, pulse_unexpected, pulse_timed_out
        }
    }
}

impl Logic for DmaJudge {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, step, judges_time, tag_now, head_now, payload, left, bytes, claims_end, bad_length);
        dff_setup!(
            self,
            clock,
            is_open,
            is_lost,
            is_expired,
            so_far,
            fills,
            fill_now,
            pulse_unexpected,
            pulse_timed_out
        );

        // The next completion; before it a tag whose time is up.
        self.head_take.next = false;
        self.expires_take.next = false;
        self.length.next = bit_cast::<13, 10>(self.head_now.q.val().get_bits::<10>(0)) << 2;
        if !self.head_now.q.val().get_bits::<10>(0).any() {
            self.length.next = 4096.into();
        }
        self.byte_count.next = bit_cast::<13, 12>(self.head_now.q.val().get_bits::<12>(10));
        if !self.head_now.q.val().get_bits::<12>(10).any() {
            self.byte_count.next = 4096.into();
        }
        self.lower_address.next = self.head_now.q.val().get_bits::<7>(22);
        self.completion_status.next = self.head_now.q.val().get_bits::<3>(34);
        self.poisoned.next = self.head_now.q.val().get_bit(37);
        self.has_data.next = self.head_now.q.val().get_bit(38) & !self.judges_time.q.val();
        self.ours.next = self.head_now.q.val().get_bit(39);
        match self.step.q.val() {
            JudgeStep::Wait => {
                self.head_now.d.next = self.head.val();
                self.judges_time.d.next = self.expires_valid.val();
                self.tag_now.d.next = self.head.val().get_bits::<5>(29);
                if self.expires_valid.val() {
                    self.tag_now.d.next = self.expires_tag.val();
                    self.expires_take.next = true;
                    self.step.d.next = JudgeStep::Fetch;
                } else if self.head_valid.val() {
                    self.head_take.next = true;
                    self.step.d.next = JudgeStep::Fetch;
                }
            }
            JudgeStep::Fetch => self.step.d.next = JudgeStep::Compare,
            JudgeStep::Compare => self.step.d.next = JudgeStep::Judge,
            JudgeStep::Judge => {
                if self.judges.val() {
                    self.step.d.next = JudgeStep::Wait;
                }
            }
        }

        // Fetch: how many bytes its payload has. They begin in the lane of the address's low bits.
        self.payload.d.next = self.length.val() - bit_cast::<13, 2>(self.lower_address.val().get_bits::<2>(0));
        self.left.d.next = self.byte_count.val();

        // Compare: the last completion has all that is left, padded to a DW; the others are full.
        self.excess.next = bit_cast::<14, 13>(self.payload.q.val()) - bit_cast::<14, 13>(self.left.q.val());
        self.claims_end.d.next = !self.excess.val().get_bit(13);
        self.bad_length.d.next = !self.excess.val().get_bit(13) & self.excess.val().get_bits::<11>(2).any();
        self.bytes.d.next = self.left.q.val();
        if self.excess.val().get_bit(13) {
            self.bytes.d.next = self.payload.q.val();
        }
        self.is_open.d.next = self.tag_open.val();
        self.is_lost.d.next = self.tag_lost.val();
        self.is_expired.d.next = self.tag_expired.val();
        self.so_far.d.next = self.progress.val();

        // Judge.
        self.near.next = self.so_far.q.val().get_bits::<28>(0);
        self.awaited_address.next = self.so_far.q.val().get_bits::<7>(28);
        self.missing.next = self.so_far.q.val().get_bits::<13>(35);
        self.id.next = self.so_far.q.val().get_bits::<9>(48);
        self.judges.next = (self.step.q.val() == JudgeStep::Judge) & (!self.fills.q.val() | self.fill_ready.val());
        self.refused.next = self.completion_status.val().any();
        self.fits.next = (self.left.q.val() == self.missing.val())
            & (self.lower_address.val() == self.awaited_address.val())
            & !self.bad_length.q.val()
            & self.has_data.val();
        self.verdict.next.has_data = self.has_data.val();
        self.verdict.next.writes = false;
        self.verdict.next.ends = false;
        self.verdict.next.lost = false;
        self.verdict.next.near = self.near.val();
        self.verdict.next.lane = self.lower_address.val().get_bits::<2>(0);
        self.verdict.next.last_byte = (self.bytes.q.val() - 1).get_bits::<12>(0);
        self.verdict.next.status = 0.into();
        self.verdict.next.tag = self.tag_now.q.val();
        self.verdict.next.id = self.id.val();
        self.closes.next = false;
        self.forgets.next = false;
        self.goes_on.next = false;
        self.pulse_unexpected.d.next = false;
        self.pulse_timed_out.d.next = false;
        if self.judges_time.q.val() {
            // Unless it has ended just now.
            if self.is_open.q.val() & self.is_expired.q.val() {
                self.closes.next = true;
                self.verdict.next.ends = true;
                self.verdict.next.lost = true;
                self.verdict.next.status = self.late.val();
                self.pulse_timed_out.d.next = self.judges.val();
            }
        } else if self.ours.val() & self.is_open.q.val() {
            if self.refused.val() {
                self.closes.next = true;
                self.verdict.next.ends = true;
                self.verdict.next.status = self.unsupported.val();
                if self.completion_status.val() == 4 {
                    self.verdict.next.status = self.aborted.val();
                }
            } else if self.fits.val() {
                self.goes_on.next = true;
                self.closes.next = self.claims_end.q.val();
                self.verdict.next.ends = self.claims_end.q.val();
                self.verdict.next.writes = !self.poisoned.val();
                if self.poisoned.val() {
                    self.verdict.next.status = self.bad_data.val();
                }
            } else {
                self.closes.next = true;
                self.verdict.next.ends = true;
                self.verdict.next.lost = !self.claims_end.q.val() | !self.has_data.val();
                self.verdict.next.status = self.wrong_length.val();
            }
        } else {
            // Nobody waits for it, or not any more.
            self.pulse_unexpected.d.next = self.judges.val();
            self.forgets.next = self.ours.val() & self.is_lost.q.val() & (self.refused.val() | self.claims_end.q.val());
        }
        self.next_progress.next.near = self.near.val() + bit_cast::<28, 13>(self.bytes.q.val());
        self.next_progress.next.lower_address = self.awaited_address.val() + self.bytes.q.val().get_bits::<7>(0);
        self.next_progress.next.missing = self.missing.val() - self.bytes.q.val();
        self.next_progress.next.id = self.id.val();
        self.tag.next = self.tag_now.q.val();
        self.judging.next = self.step.q.val() == JudgeStep::Judge;
        self.go_on.next = self.judges.val() & self.goes_on.val();
        self.progress_next.next = self.next_progress.val().into();
        self.close.next = self.judges.val() & self.closes.val();
        self.forget.next = self.judges.val() & self.forgets.val();

        // Pass it on.
        self.passes.next = self.judges.val() & (self.has_data.val() | self.closes.val());
        if self.fill_ready.val() {
            self.fills.d.next = false;
        }
        if self.passes.val() {
            self.fills.d.next = true;
            self.fill_now.d.next = self.verdict.val().into();
        }
        self.fill_valid.next = self.fills.q.val();
        self.fill.next = self.fill_now.q.val();

        self.unexpected.next = self.pulse_unexpected.q.val();
        self.timed_out.next = self.pulse_timed_out.q.val();

        if self.reset.val() {
            self.step.d.next = JudgeStep::Wait;
            self.fills.d.next = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emit::emit;

    // What it judges is tested with the tags it judges, in `dma_read`.
    #[test]
    fn it_can_be_printed() {
        emit(&mut DmaJudge::default(), "dma_judge").expect("printed");
    }
}
