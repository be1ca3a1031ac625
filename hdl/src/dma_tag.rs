//! What became of one tag: free, taken for a request, open for its completions, closed, or lost.
//!
//! A lost tag is not used again until its last completion has come after all, or as long again as a request may take has passed: a late
//! completion must not be taken for the answer to another request.
//!
//! | port        | dir | width | meaning                                                                                   |
//! |-------------|-----|-------|-------------------------------------------------------------------------------------------|
//! | `take`      | in  | 1     | a request takes the tag; only when free                                                   |
//! | `take_id`   | in  | 9     | the request's descriptor                                                                  |
//! | `send`      | in  | 1     | the request is on its way: completions may come, time runs                                |
//! | `close`     | in  | 1     | no more completions: the last one has come, an error, or time is up                       |
//! | `settle`    | in  | 1     | all that came before `close` is in memory                                                 |
//! | `lose`      | in  | 1     | with `settle`: completions may yet come                                                  |
//! | `forget`    | in  | 1     | the last of them has come; only when lost                                                 |
//! | `tick`      | in  | 1     | half of the time a request may take has passed since the last tick                        |
//! | `free`      | out | 1     | may be taken; reset value 1                                                               |
//! | `open`      | out | 1     | completions are expected; reset value 0                                                   |
//! | `lost`      | out | 1     | completions are to be thrown away; reset value 0                                          |
//! | `expired`   | out | 1     | open for longer than a request may take, and at most for half as long again; reset value 0 |
//! | `probe`     | in  | 9     | a descriptor                                                                              |
//! | `busy`      | out | 1     | a cycle later: the tag is taken and not released by a request of that descriptor          |
//!
//! Latency: one cycle. Throughput: one step per cycle.

use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

/// See the module's page.
#[derive(LogicState, Debug, Copy, Clone, PartialEq)]
enum TagState {
    Free,
    Taken,
    Open,
    Closed,
    Lost,
}

/// See the module's page.
#[derive(LogicBlock, Default)]
pub struct DmaTag {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub take: Signal<In, Bit>,
    pub take_id: Signal<In, Bits<9>>,
    pub send: Signal<In, Bit>,
    pub close: Signal<In, Bit>,
    pub settle: Signal<In, Bit>,
    pub lose: Signal<In, Bit>,
    pub forget: Signal<In, Bit>,
    pub tick: Signal<In, Bit>,
    pub free: Signal<Out, Bit>,
    pub open: Signal<Out, Bit>,
    pub lost: Signal<Out, Bit>,
    pub expired: Signal<Out, Bit>,
    pub probe: Signal<In, Bits<9>>,
    pub busy: Signal<Out, Bit>,
    state: DFF<TagState>,
    id: DFF<Bits<9>>,
    /// Ticks since it was sent or lost: after three, at least two halves have passed.
    age: DFF<Bits<2>>,
    is_busy: DFF<Bit>,
}

impl Logic for DmaTag {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, state, id, age, is_busy);
        if self.tick.val() & (self.age.q.val() != 3) {
            self.age.d.next = self.age.q.val() + 1;
        }
        match self.state.q.val() {
            TagState::Free => {
                if self.take.val() {
                    self.state.d.next = TagState::Taken;
                    self.id.d.next = self.take_id.val();
                }
            }
            TagState::Taken => {
                if self.send.val() {
                    self.state.d.next = TagState::Open;
                    self.age.d.next = 0.into();
                }
            }
            TagState::Open => {
                if self.close.val() {
                    self.state.d.next = TagState::Closed;
                }
            }
            TagState::Closed => {
                if self.settle.val() {
                    self.state.d.next = TagState::Free;
                    self.age.d.next = 0.into();
                    if self.lose.val() {
                        self.state.d.next = TagState::Lost;
                    }
                }
            }
            TagState::Lost => {
                if self.forget.val() | (self.age.q.val() == 3) {
                    self.state.d.next = TagState::Free;
                }
            }
        }
        self.free.next = self.state.q.val() == TagState::Free;
        self.open.next = self.state.q.val() == TagState::Open;
        self.lost.next = self.state.q.val() == TagState::Lost;
        self.expired.next = (self.state.q.val() == TagState::Open) & (self.age.q.val() == 3);
        self.is_busy.d.next = (self.state.q.val() != TagState::Free)
            & (self.state.q.val() != TagState::Lost)
            & (self.id.q.val() == self.probe.val());
        self.busy.next = self.is_busy.q.val();
        if self.reset.val() {
            self.state.d.next = TagState::Free;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emit::emit;

    /// One clock cycle with some of the steps; then what the tag is: free, open, lost, expired.
    fn cycle(dut: &mut DmaTag, steps: &[&str]) -> [bool; 4] {
        dut.take.next = steps.contains(&"take");
        dut.send.next = steps.contains(&"send");
        dut.close.next = steps.contains(&"close");
        dut.settle.next = steps.contains(&"settle") || steps.contains(&"lose");
        dut.lose.next = steps.contains(&"lose");
        dut.forget.next = steps.contains(&"forget");
        dut.tick.next = steps.contains(&"tick");
        for level in [true, false] {
            dut.clock.next = level.into();
            assert!(simulate(dut, 10));
        }
        [dut.free.val(), dut.open.val(), dut.lost.val(), dut.expired.val()]
    }

    const FREE: [bool; 4] = [true, false, false, false];
    const OPEN: [bool; 4] = [false, true, false, false];
    const LOST: [bool; 4] = [false, false, true, false];
    const EXPIRED: [bool; 4] = [false, true, false, true];
    const NEITHER: [bool; 4] = [false; 4];

    fn new() -> DmaTag {
        let mut dut = DmaTag::default();
        dut.connect_all();
        dut.reset.next = true;
        cycle(&mut dut, &[]);
        dut.reset.next = false;
        dut
    }

    #[test]
    fn a_request_keeps_its_tag_until_its_data_is_in_memory() {
        let mut dut = new();
        dut.take_id.next = 0x155.into();
        dut.probe.next = 0x155.into();
        assert_eq!(cycle(&mut dut, &["take"]), NEITHER);
        for (step, is) in [("", NEITHER), ("send", OPEN), ("", OPEN), ("close", NEITHER), ("", NEITHER)] {
            assert_eq!(cycle(&mut dut, &[step]), is);
            assert!(dut.busy.val());
        }
        assert_eq!(cycle(&mut dut, &["settle"]), FREE);
        cycle(&mut dut, &[]);
        assert!(!dut.busy.val());
        cycle(&mut dut, &["take"]);
        dut.probe.next = 0x154.into();
        cycle(&mut dut, &[]);
        assert!(!dut.busy.val(), "of another descriptor");
    }

    #[test]
    fn time_runs_from_the_request_and_again_from_the_loss() {
        let mut dut = new();
        for ticks in 0..4 {
            assert_eq!(cycle(&mut dut, &["take", "tick"]), NEITHER);
            for _ in 0..ticks {
                assert_eq!(cycle(&mut dut, &["tick"]), NEITHER, "not sent");
            }
            cycle(&mut dut, &["send"]);
            for _ in 0..2 {
                assert_eq!(cycle(&mut dut, &["tick"]), OPEN);
            }
            assert_eq!(cycle(&mut dut, &["tick"]), EXPIRED);
            assert_eq!(cycle(&mut dut, &["tick"]), EXPIRED);
            cycle(&mut dut, &["close"]);
            assert_eq!(cycle(&mut dut, &["lose"]), LOST);
            for _ in 0..3 {
                assert_eq!(cycle(&mut dut, &["tick"]), LOST);
            }
            assert_eq!(cycle(&mut dut, &[]), FREE);
        }
    }

    #[test]
    fn a_late_completion_frees_a_lost_tag() {
        let mut dut = new();
        for step in ["take", "send", "close", "lose"] {
            cycle(&mut dut, &[step]);
        }
        dut.probe.next = 0.into();
        cycle(&mut dut, &[]);
        assert!(!dut.busy.val(), "its descriptor may be reported");
        assert_eq!(cycle(&mut dut, &["forget"]), FREE);
    }

    #[test]
    fn it_can_be_printed() {
        emit(&mut DmaTag::default(), "dma_tag").expect("printed");
    }
}
