//! A processor's interrupts: eight causes in one status register, its mask, its timer, one line to the processor.
//!
//! A cause that is high in any cycle sets its status bit, and the bit stays until it is acknowledged. An acknowledge never beats a cause of
//! the same cycle, so a cause is never lost; one that is still high after the acknowledge sets its bit again.
//!
//! | port      | dir | width | meaning                                                                                      |
//! |-----------|-----|-------|----------------------------------------------------------------------------------------------|
//! | `cause`   | in  | 7     | levels or pulses: bits 7:1 of the status, see [`Cause`]; bit 0 is the timer's                |
//! | `ack`     | in  | 8     | clear these status bits                                                                      |
//! | `mask`    | in  | 8     | these causes do not interrupt; their status is kept all the same                             |
//! | `now`     | in  | 64    | the card's cycle counter                                                                     |
//! | `compare` | in  | 64    | the timer's cause is high while `now` >= `compare`                                           |
//! | `rearm`   | in  | 1     | `compare` is about to change: the timer's cause is low for the next [`TIMER_LATENCY`] cycles |
//! | `status`  | out | 8     | causes not yet acknowledged; reset value 0                                                   |
//! | `irq`     | out | 1     | one of them is not masked; reset value 0                                                     |
//!
//! Latency: one cycle from `cause` to `status`, one more to `irq`; [`TIMER_LATENCY`] cycles from `now` to the timer's cause.
//! Implements: ¶66.2 (interrupt controller; status, mask and acknowledge are registers), the timer of ¶66.3.

use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

/// Cycles from `now` and `compare` to the timer's cause: compare the halves, join them.
pub const TIMER_LATENCY: usize = 2;

/// Bits of `cause`, `status`, `mask` and `ack`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Cause {
    /// `now` has reached `compare`.
    Timer = 0,
    /// A command of the host waits: a socket call.
    Command = 1,
    /// Data of the host waits: an outgoing packet.
    Data = 2,
    /// A message of another processor waits.
    Message = 3,
    /// A received frame waits.
    Receive = 4,
    /// A sent frame's buffer waits.
    TransmitDone = 5,
    /// A report of the DMA waits.
    DmaDone = 6,
    /// Something went wrong.
    Error = 7,
}

/// See the module's page.
#[derive(LogicBlock, Default)]
pub struct InterruptController {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub cause: Signal<In, Bits<7>>,
    pub ack: Signal<In, Bits<8>>,
    pub mask: Signal<In, Bits<8>>,
    pub now: Signal<In, Bits<64>>,
    pub compare: Signal<In, Bits<64>>,
    pub rearm: Signal<In, Bit>,
    pub status: Signal<Out, Bits<8>>,
    pub irq: Signal<Out, Bit>,
    // The timer.
    high_above: DFF<Bit>,
    high_equal: DFF<Bit>,
    low_reached: DFF<Bit>,
    halves_stale: DFF<Bit>,
    due: DFF<Bit>,
    // The causes.
    all_causes: Signal<Local, Causes>,
    causes: Signal<Local, Bits<8>>,
    pending: DFF<Bits<8>>,
    line: DFF<Bit>,
}

/// All eight causes, the timer's lowest.
#[derive(LogicStruct, Debug, Copy, Clone, PartialEq, Default)]
struct Causes {
    timer: Bit,
    others: Bits<7>,
}

impl Logic for InterruptController {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, high_above, high_equal, low_reached, halves_stale, due, pending, line);

        // A comparison that began before `compare` changed must not end behind the acknowledge that follows the change.
        self.high_above.d.next = self.now.val().get_bits::<32>(32) > self.compare.val().get_bits::<32>(32);
        self.high_equal.d.next = self.now.val().get_bits::<32>(32) == self.compare.val().get_bits::<32>(32);
        self.low_reached.d.next = self.now.val().get_bits::<32>(0) >= self.compare.val().get_bits::<32>(0);
        self.halves_stale.d.next = self.rearm.val() | self.reset.val();
        self.due.d.next = !self.rearm.val()
            & !self.halves_stale.q.val()
            & (self.high_above.q.val() | (self.high_equal.q.val() & self.low_reached.q.val()));

        self.all_causes.next.timer = self.due.q.val();
        self.all_causes.next.others = self.cause.val();
        self.causes.next = self.all_causes.val().into();
        self.pending.d.next = (self.pending.q.val() & !self.ack.val()) | self.causes.val();
        self.line.d.next = (self.pending.q.val() & !self.mask.val()).any();
        self.status.next = self.pending.q.val();
        self.irq.next = self.line.q.val();

        if self.reset.val() {
            self.due.d.next = false;
            self.pending.d.next = 0.into();
            self.line.d.next = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Dut = InterruptController;

    /// One clock cycle; status and interrupt before its edge.
    fn cycle(dut: &mut Dut, cause: u64, ack: u64) -> (u64, bool) {
        dut.cause.next = cause.to_bits();
        dut.ack.next = ack.to_bits();
        dut.clock.next = false.into();
        assert!(simulate(dut, 10));
        let seen = (dut.status.val().to_u64(), dut.irq.val());
        dut.clock.next = true.into();
        assert!(simulate(dut, 10));
        seen
    }

    fn new() -> Dut {
        let mut dut = Dut::default();
        dut.compare.next = u64::MAX.to_bits();
        dut
    }

    #[test]
    fn a_pulse_stays_until_it_is_acknowledged() {
        let mut dut = new();
        // Receive is bit 4 of the status, bit 3 of the causes beside the timer.
        let receive = 1 << Cause::Receive as u8;
        assert_eq!(cycle(&mut dut, receive >> 1, 0), (0, false));
        assert_eq!(cycle(&mut dut, 0, 0xff ^ receive), (receive, false));
        assert_eq!(cycle(&mut dut, 0, receive), (receive, true));
        assert_eq!(cycle(&mut dut, 0, 0), (0, true));
        assert_eq!(cycle(&mut dut, 0, 0), (0, false));
    }

    #[test]
    fn no_cause_is_lost_and_none_appears_from_nowhere() {
        let mut dut = new();
        let (mut status, mut line, mut seed, mut met) = (0u64, false, 0x7654_3211u32, 0);
        for _ in 0..3000 {
            // xorshift32
            seed ^= seed << 13;
            seed ^= seed >> 17;
            seed ^= seed << 5;
            let (cause, ack, mask) =
                (u64::from(seed & seed >> 8 & 0x7f), u64::from(seed >> 16 & 0xff), u64::from(seed >> 24));
            dut.mask.next = mask.to_bits();
            assert_eq!(cycle(&mut dut, cause, ack), (status, line));
            line = status & !mask != 0;
            for bit in 0..8 {
                let (raised, cleared) = (cause << 1 >> bit & 1 == 1, ack >> bit & 1 == 1);
                met += u32::from(raised && cleared);
                if raised {
                    status |= 1 << bit;
                } else if cleared {
                    status &= !(1 << bit);
                }
            }
        }
        assert!(met > 500, "{met} causes met their acknowledge");
    }

    #[test]
    fn the_timer_is_due_from_the_cycle_it_was_set_to() {
        for compare in [5u64, 0x1_0000_0003, 0xffff_ffff, 0x7fff_ffff_0000_0000, u64::MAX] {
            for time in [0, compare - 1, compare, compare.saturating_add(1), compare ^ 1 << 32, compare ^ 1 << 63] {
                let mut dut = new();
                dut.compare.next = compare.to_bits();
                dut.now.next = time.to_bits();
                for _ in 0..TIMER_LATENCY + 1 {
                    assert_eq!(cycle(&mut dut, 0, 0), (0, false));
                }
                let expected = u64::from(time >= compare);
                assert_eq!(cycle(&mut dut, 0, 0), (expected, false), "{time:#x} against {compare:#x}");
                assert_eq!(cycle(&mut dut, 0, 0), (expected, time >= compare));
            }
        }
    }

    #[test]
    fn a_new_compare_and_an_acknowledge_leave_nothing_of_the_old_one() {
        for gap in 0..4 {
            let mut dut = new();
            dut.now.next = 100.into();
            dut.compare.next = 100.into();
            for _ in 0..5 {
                cycle(&mut dut, 0, 0);
            }
            // The register takes its new value at the edge of the cycle in which it is written.
            dut.rearm.next = true;
            assert_eq!(cycle(&mut dut, 0, 0).0, 1);
            dut.rearm.next = false;
            dut.compare.next = 200.into();
            for _ in 0..gap {
                cycle(&mut dut, 0, 0);
            }
            cycle(&mut dut, 0, 1);
            for _ in 0..5 {
                assert_eq!(cycle(&mut dut, 0, 0).0, 0, "{gap} cycles between");
            }
            dut.now.next = 200.into();
            for _ in 0..=TIMER_LATENCY {
                assert_eq!(cycle(&mut dut, 0, 0).0, 0);
            }
            assert_eq!(cycle(&mut dut, 0, 0).0, 1);
        }
    }
}
