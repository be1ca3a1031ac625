//! Where a channel of the DMA engine stands: how far its descriptors have been pushed, started, prepared, issued, retired and reported.
//!
//! A descriptor keeps the position in which it was pushed, 0 to 15, until it is retired. Every step takes the descriptors in order, so a
//! count per step says all. The credit counts what has been pushed and neither been taken as a report nor retired without one; so no
//! position is given twice, and as many reports as can exist have a place.
//!
//! | port              | dir | width | meaning                                                                              |
//! |-------------------|-----|-------|--------------------------------------------------------------------------------------|
//! | `push`            | in  | 1     | a descriptor is stored in `push_position`; not without room                          |
//! | `room`            | out | 5     | descriptors that may be pushed; reset value 16                                       |
//! | `push_position`   | out | 4     | where the next one is stored                                                         |
//! | `start`           | in  | 1     | work on the next one begins                                                          |
//! | `waiting`         | out | 1     | there is one whose work has not begun, and fewer than two are started and not issued |
//! | `start_position`  | out | 4     | its position                                                                         |
//! | `quiet`           | out | 1     | all that were started are retired; reset value 1                                     |
//! | `prepare`         | in  | 1     | the one started last is ready to be issued                                           |
//! | `prepare_copies`  | in  | 1     | it is a copy out of a core's memory, not a read from the host                        |
//! | `prepared`        | out | 1     | there is one that is ready to be issued                                              |
//! | `prepared_copies` | out | 1     | the oldest of these is a copy                                                        |
//! | `prepared_slot`   | out | 1     | lowest bit of its position                                                           |
//! | `issue`           | in  | 1     | it has been issued whole                                                             |
//! | `issued`          | out | 1     | there is one that is issued and not retired                                          |
//! | `retire_position` | out | 4     | position of the oldest of these                                                      |
//! | `retire`          | in  | 1     | it is retired                                                                        |
//! | `report`          | in  | 1     | with `retire`: and its report stored in `report_position`                            |
//! | `report_position` | out | 4     | where the next report is stored                                                      |
//! | `reported`        | out | 1     | there is a stored report that is not on show                                         |
//! | `show_position`   | out | 4     | position of the oldest of these                                                      |
//! | `show`            | in  | 1     | it is brought on show                                                                |
//! | `take`            | in  | 1     | the report on show is taken                                                          |
//!
//! Latency: one cycle from every step to what it changes. Throughput: every step once per cycle, all at the same time.

use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

/// See the module's page.
#[derive(LogicBlock, Default)]
pub struct DmaChannel {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub push: Signal<In, Bit>,
    pub room: Signal<Out, Bits<5>>,
    pub push_position: Signal<Out, Bits<4>>,
    pub start: Signal<In, Bit>,
    pub waiting: Signal<Out, Bit>,
    pub start_position: Signal<Out, Bits<4>>,
    pub quiet: Signal<Out, Bit>,
    pub prepare: Signal<In, Bit>,
    pub prepare_copies: Signal<In, Bit>,
    pub prepared: Signal<Out, Bit>,
    pub prepared_copies: Signal<Out, Bit>,
    pub prepared_slot: Signal<Out, Bit>,
    pub issue: Signal<In, Bit>,
    pub issued: Signal<Out, Bit>,
    pub retire_position: Signal<Out, Bits<4>>,
    pub retire: Signal<In, Bit>,
    pub report: Signal<In, Bit>,
    pub report_position: Signal<Out, Bits<4>>,
    pub reported: Signal<Out, Bit>,
    pub show_position: Signal<Out, Bits<4>>,
    pub show: Signal<In, Bit>,
    pub take: Signal<In, Bit>,
    // Counts with one bit more than a position: equal means none in between.
    push_count: DFF<Bits<5>>,
    start_count: DFF<Bits<5>>,
    prepare_count: DFF<Bits<5>>,
    issue_count: DFF<Bits<5>>,
    retire_count: DFF<Bits<5>>,
    report_count: DFF<Bits<5>>,
    show_count: DFF<Bits<5>>,
    credit: DFF<Bits<5>>,
    freed: Signal<Local, Bit>,
    /// Minus one if a descriptor is pushed.
    spent: Signal<Local, Bits<5>>,
    // Prepared descriptors in even and in odd positions.
    even_copies: DFF<Bit>,
    odd_copies: DFF<Bit>,
    started_low: Signal<Local, Bits<2>>,
    prepare_odd: Signal<Local, Bit>,
    issue_odd: Signal<Local, Bit>,
}

impl Logic for DmaChannel {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, push_count, start_count, prepare_count, issue_count, retire_count, report_count);
        dff_setup!(self, clock, show_count, credit, even_copies, odd_copies);

        self.push_count.d.next = self.push_count.q.val() + self.push.val();
        self.start_count.d.next = self.start_count.q.val() + self.start.val();
        self.prepare_count.d.next = self.prepare_count.q.val() + self.prepare.val();
        self.issue_count.d.next = self.issue_count.q.val() + self.issue.val();
        self.retire_count.d.next = self.retire_count.q.val() + self.retire.val();
        self.report_count.d.next = self.report_count.q.val() + (self.retire.val() & self.report.val());
        self.show_count.d.next = self.show_count.q.val() + self.show.val();
        self.freed.next = self.retire.val() & !self.report.val();
        self.spent.next = 0.into();
        if self.push.val() {
            self.spent.next = 31.into();
        }
        self.credit.d.next = self.credit.q.val() + self.spent.val() + self.freed.val() + self.take.val();

        self.room.next = self.credit.q.val();
        self.push_position.next = bit_cast::<4, 5>(self.push_count.q.val());
        self.started_low.next = bit_cast::<2, 5>(self.start_count.q.val()) - bit_cast::<2, 5>(self.issue_count.q.val());
        self.waiting.next = (self.push_count.q.val() != self.start_count.q.val()) & (self.started_low.val() != 2);
        self.start_position.next = bit_cast::<4, 5>(self.start_count.q.val());
        self.quiet.next = self.start_count.q.val() == self.retire_count.q.val();

        self.prepare_odd.next = self.prepare_count.q.val().get_bit(0);
        if self.prepare.val() & !self.prepare_odd.val() {
            self.even_copies.d.next = self.prepare_copies.val();
        }
        if self.prepare.val() & self.prepare_odd.val() {
            self.odd_copies.d.next = self.prepare_copies.val();
        }
        self.issue_odd.next = self.issue_count.q.val().get_bit(0);
        self.prepared.next = self.prepare_count.q.val() != self.issue_count.q.val();
        self.prepared_copies.next = self.even_copies.q.val();
        if self.issue_odd.val() {
            self.prepared_copies.next = self.odd_copies.q.val();
        }
        self.prepared_slot.next = self.issue_odd.val();
        self.issued.next = self.issue_count.q.val() != self.retire_count.q.val();
        self.retire_position.next = bit_cast::<4, 5>(self.retire_count.q.val());

        self.report_position.next = bit_cast::<4, 5>(self.report_count.q.val());
        self.reported.next = self.report_count.q.val() != self.show_count.q.val();
        self.show_position.next = bit_cast::<4, 5>(self.show_count.q.val());

        if self.reset.val() {
            self.push_count.d.next = 0.into();
            self.start_count.d.next = 0.into();
            self.prepare_count.d.next = 0.into();
            self.issue_count.d.next = 0.into();
            self.retire_count.d.next = 0.into();
            self.report_count.d.next = 0.into();
            self.show_count.d.next = 0.into();
            self.credit.d.next = 16.into();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emit::emit;
    use crate::random::Random;

    fn edge(dut: &mut DmaChannel) {
        for level in [true, false] {
            dut.clock.next = level.into();
            assert!(simulate(dut, 10));
        }
    }

    #[test]
    fn every_step_follows_the_one_before_and_the_credit_comes_back_once() {
        let mut dut = DmaChannel::default();
        dut.connect_all();
        dut.reset.next = true;
        edge(&mut dut);
        dut.reset.next = false;
        let mut random = Random::seeded(1);
        let (mut pushed, mut started, mut prepared, mut issued, mut retired) = (0u64, 0u64, 0u64, 0u64, 0u64);
        let (mut reported, mut shown, mut taken, mut silent, mut most) = (0u64, 0u64, 0u64, 0u64, 0);
        let copies = |number: u64| number.is_multiple_of(3);
        for _ in 0..3000 {
            let room = 16 - (pushed - taken - silent);
            most = most.max(pushed - taken - silent);
            assert_eq!(dut.room.val().to_u64(), room);
            assert_eq!(dut.push_position.val().to_u64(), pushed % 16);
            assert_eq!(dut.waiting.val(), pushed > started && started - issued < 2);
            assert_eq!(dut.start_position.val().to_u64(), started % 16);
            assert_eq!(dut.quiet.val(), started == retired);
            assert_eq!(dut.prepared.val(), prepared > issued);
            if prepared > issued {
                assert_eq!(dut.prepared_copies.val(), copies(issued));
                assert_eq!(dut.prepared_slot.val(), issued % 2 == 1);
            }
            assert_eq!(dut.issued.val(), issued > retired);
            assert_eq!(dut.retire_position.val().to_u64(), retired % 16);
            assert_eq!(dut.report_position.val().to_u64(), reported % 16);
            assert_eq!(dut.reported.val(), reported > shown);
            assert_eq!(dut.show_position.val().to_u64(), shown % 16);

            // Any mixture of the steps that are allowed now.
            let slow = random.below(2) == 0;
            let mut may = |allowed: bool| allowed && random.below(3) != 0;
            let push = may(room > 0);
            let start = may(dut.waiting.val());
            let prepare = may(started > prepared);
            let issue = may(prepared > issued);
            let retire = may(issued > retired);
            let report = retired % 5 != 4;
            let show = may(reported > shown);
            let take = may(shown > taken) && !slow;
            dut.push.next = push;
            dut.start.next = start;
            dut.prepare.next = prepare;
            dut.prepare_copies.next = copies(prepared);
            dut.issue.next = issue;
            dut.retire.next = retire;
            dut.report.next = report;
            dut.show.next = show;
            dut.take.next = take;
            edge(&mut dut);
            pushed += u64::from(push);
            started += u64::from(start);
            prepared += u64::from(prepare);
            issued += u64::from(issue);
            retired += u64::from(retire);
            reported += u64::from(retire && report);
            silent += u64::from(retire && !report);
            shown += u64::from(show);
            taken += u64::from(take);
        }
        assert!(taken > 500 && silent > 100, "{taken} {silent}");
        assert_eq!(most, 16, "the credit was used up at times");
    }

    #[test]
    fn it_can_be_printed() {
        emit(&mut DmaChannel::default(), "dma_channel").expect("printed");
    }
}
