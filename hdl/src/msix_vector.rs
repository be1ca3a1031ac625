//! One MSI-X vector: whether a message is due, held back by moderation, or pending behind a mask.
//!
//! A message becomes due when `level` rises, and is sent once for that rise. Rises that come while one is due share its message. Behind
//! the mask a due message stays pending, and is forgotten when `level` falls, as the PCI specification demands; it is sent when the mask
//! goes while `level` is still high.
//!
//! Moderation holds a due message back until `hold_count` events have come or it is `deadline` as it was when the message became due,
//! whichever is first; without both it is not held, without one of them only the other counts.
//!
//! | port         | dir | width | meaning                                                               |
//! |--------------|-----|-------|-----------------------------------------------------------------------|
//! | `level`      | in  | 1     | the condition that the vector reports                                 |
//! | `happens`    | in  | 1     | something that counts has happened, with the rise of `level` or later |
//! | `blocked`    | in  | 1     | masked, or MSI-X is off                                               |
//! | `hold_count` | in  | 8     | events to wait for; 0: do not wait for events                         |
//! | `hold_time`  | in  | 1     | wait for time                                                         |
//! | `ticks`      | in  | 16    | time in ticks                                                         |
//! | `deadline`   | in  | 16    | what it will be when a message that becomes due now has been held     |
//! | `sent`       | in  | 1     | the message of the rises before this cycle is on its way              |
//! | `request`    | out | 1     | send a message now; reset value 0                                     |
//! | `pending`    | out | 1     | a message is due but blocked; reset value 0                           |
//!
//! Latency: [`LATENCY`] cycles from `level` to `request`. Time is counted in whole ticks, so a message may go up to one tick early.
//! Implements: PCI Local Bus Specification 3.0, 6.8.2.9 and 6.8.3.5 (mask and pending bits).

use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

/// Cycles from `level` to `request`: register, due, decide.
pub const LATENCY: usize = 3;

/// See the module's page.
#[derive(LogicBlock, Default)]
pub struct MsixVector {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub level: Signal<In, Bit>,
    pub happens: Signal<In, Bit>,
    pub blocked: Signal<In, Bit>,
    pub hold_count: Signal<In, Bits<8>>,
    pub hold_time: Signal<In, Bit>,
    pub ticks: Signal<In, Bits<16>>,
    pub deadline: Signal<In, Bits<16>>,
    pub sent: Signal<In, Bit>,
    pub request: Signal<Out, Bit>,
    pub pending: Signal<Out, Bit>,
    now: DFF<Bit>,
    before_now: DFF<Bit>,
    happened: DFF<Bit>,
    rises: Signal<Local, Bit>,
    due: DFF<Bit>,
    events: DFF<Bits<8>>,
    own_deadline: DFF<Bits<16>>,
    over: DFF<Bit>,
    ripe: DFF<Bit>,
    waits: DFF<Bit>,
}

impl Logic for MsixVector {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, now, before_now, happened, due, events, own_deadline, over, ripe, waits);

        self.now.d.next = self.level.val();
        self.before_now.d.next = self.now.q.val();
        self.happened.d.next = self.happens.val();
        self.rises.next = self.now.q.val() & !self.before_now.q.val();

        // A rise in the cycle of `sent` is a new one.
        if self.sent.val() | (self.blocked.val() & !self.now.q.val()) {
            self.due.d.next = false;
        }
        if self.rises.val() {
            self.due.d.next = true;
        }

        if self.happened.q.val() & (self.events.q.val() != 255) {
            self.events.d.next = self.events.q.val() + 1;
        }
        self.over.d.next = self.over.q.val() | (self.ticks.val() == self.own_deadline.q.val());
        if !self.due.q.val() | self.sent.val() {
            self.events.d.next = 0.into();
            if self.happened.q.val() {
                self.events.d.next = 1.into();
            }
            self.own_deadline.d.next = self.deadline.val();
            self.over.d.next = false;
        }
        self.waits.d.next = self.hold_count.val().any() | self.hold_time.val();
        self.ripe.d.next = self.due.q.val()
            & !self.sent.val()
            & (!self.waits.q.val()
                | (self.hold_count.val().any() & (self.events.q.val() >= self.hold_count.val()))
                | (self.hold_time.val() & self.over.q.val()));

        self.request.next = self.ripe.q.val() & self.due.q.val() & !self.blocked.val();
        self.pending.next = self.due.q.val() & self.blocked.val();

        if self.reset.val() {
            self.now.d.next = false;
            self.before_now.d.next = false;
            self.due.d.next = false;
            self.ripe.d.next = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Dut = MsixVector;

    /// One clock cycle; request and pending before its edge.
    fn cycle(dut: &mut Dut, level: bool, event: bool) -> (bool, bool) {
        dut.level.next = level;
        dut.happens.next = event;
        dut.clock.next = false.into();
        assert!(simulate(dut, 10));
        let seen = (dut.request.val(), dut.pending.val());
        dut.clock.next = true.into();
        assert!(simulate(dut, 10));
        seen
    }

    /// Time in ticks when the message becomes due: it will soon begin again at 0.
    const NOW: u64 = 0xFFFE;

    /// Cycles until the message is requested, with `level` high, an event in each of the first ones, and ticks from when it is due.
    fn cycles_to_request(dut: &mut Dut, events: usize, ticks: usize) -> Option<usize> {
        (0..40usize).find(|n| {
            let passed = n.saturating_sub(LATENCY).min(ticks) as u64;
            dut.ticks.next = ((NOW + passed) & 0xFFFF).to_bits();
            if passed > 0 {
                dut.deadline.next = 0x1234.into();
            }
            cycle(dut, true, *n < events).0
        })
    }

    fn held(count: u64, time: u64) -> Dut {
        let mut dut = Dut::default();
        dut.hold_count.next = count.to_bits();
        dut.hold_time.next = time > 0;
        dut.ticks.next = NOW.to_bits();
        dut.deadline.next = ((NOW + time) & 0xFFFF).to_bits();
        cycle(&mut dut, false, false);
        cycle(&mut dut, false, false);
        dut
    }

    #[test]
    fn one_rise_is_one_message() {
        let mut dut = held(0, 0);
        assert_eq!(cycles_to_request(&mut dut, 0, 0), Some(LATENCY));
        dut.sent.next = true;
        cycle(&mut dut, true, false);
        dut.sent.next = false;
        for _ in 0..20 {
            assert_eq!(cycle(&mut dut, true, true), (false, false), "the level is still the old one");
        }
        cycle(&mut dut, false, false);
        assert_eq!(cycles_to_request(&mut dut, 0, 0), Some(LATENCY));
    }

    #[test]
    fn a_message_waits_for_its_events_or_its_time() {
        assert_eq!(cycles_to_request(&mut held(4, 0), 4, 0), Some(LATENCY + 3));
        assert_eq!(cycles_to_request(&mut held(4, 0), 3, 20), None);
        assert_eq!(cycles_to_request(&mut held(0, 6), 30, 6), Some(LATENCY + 6 + 2));
        assert_eq!(cycles_to_request(&mut held(0, 6), 30, 5), None);
        assert_eq!(cycles_to_request(&mut held(4, 2), 4, 20), Some(LATENCY + 3));
        assert_eq!(cycles_to_request(&mut held(30, 2), 4, 20), Some(LATENCY + 2 + 2));
    }

    #[test]
    fn behind_the_mask_a_message_is_pending_as_long_as_its_reason() {
        let mut dut = held(0, 0);
        dut.blocked.next = true;
        for n in 0..6 {
            assert_eq!(cycle(&mut dut, true, false), (false, n >= 2));
        }
        dut.blocked.next = false;
        assert_eq!(cycle(&mut dut, true, false), (true, false), "sent when the mask goes");
        dut.blocked.next = true;
        for n in 0..6 {
            assert_eq!(cycle(&mut dut, false, false), (false, n < 2));
        }
        dut.blocked.next = false;
        for _ in 0..6 {
            assert_eq!(cycle(&mut dut, false, false), (false, false), "forgotten with its reason");
        }
    }

    #[test]
    fn a_rise_in_the_cycle_of_the_message_is_a_new_one() {
        for gap in 0..6 {
            let mut dut = held(0, 0);
            assert_eq!(cycles_to_request(&mut dut, 0, 0), Some(LATENCY));
            // Fall and rise again; `sent` comes at some time around.
            let mut sent = 0;
            for n in 0..20 {
                dut.sent.next = n == gap || n > gap + 3 && dut.request.val();
                sent += u32::from(dut.sent.next);
                cycle(&mut dut, n != 0, false);
            }
            // The new rise is seen inside in cycle 2.
            assert_eq!(sent, if gap <= 2 { 2 } else { 1 }, "sent in cycle {gap}");
        }
    }
}
