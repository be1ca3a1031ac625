//! Round robin: grants one of those that ask, the one granted last comes last.
//!
//! | port        | dir | width | meaning                                                                    |
//! |-------------|-----|-------|----------------------------------------------------------------------------|
//! | `request_i` | in  | 1     | i asks; it should go on asking until it is granted                         |
//! | `advance`   | in  | 1     | the grant of this cycle is used: the next search starts behind it          |
//! | `grant_i`   | out | 1     | i is granted in this cycle; at most one is                                 |
//! | `granted`   | out | 5     | the number of the one that is granted; 0 if nobody asks                    |
//! | `any`       | out | 1     | somebody is granted                                                        |
//!
//! Latency: none. While `advance` is low the grant follows the requests and may move. Who goes on asking is granted at the latest when the
//! others have been granted once each. Reset: the search starts at 0.

use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

use crate::many;

/// See the module's page.
#[derive(LogicBlock)]
pub struct Arbiter {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub request: Vec<Signal<In, Bit>>,
    pub advance: Signal<In, Bit>,
    pub grant: Vec<Signal<Out, Bit>>,
    pub granted: Signal<Out, Bits<5>>,
    pub any: Signal<Out, Bit>,
    /// Those with this number and above come first.
    first: DFF<Bits<5>>,
    behind: Vec<Signal<Local, Bit>>,
    any_behind: Signal<Local, Bit>,
    candidate: Vec<Signal<Local, Bit>>,
    /// Somebody before i is granted.
    claimed: Vec<Signal<Local, Bit>>,
    winner: Vec<Signal<Local, Bit>>,
    chosen: Signal<Local, Bits<5>>,
    _n: usize,
}

impl Arbiter {
    /// Between `n` that may ask, 1 to 31.
    pub fn new(n: usize) -> Self {
        assert!((1..32).contains(&n));
        block! {
            Self {
                request: many(n),
                grant: many(n),
                behind: many(n),
                candidate: many(n),
                claimed: many(n + 1),
                winner: many(n),
                _n: n,
            },
            clock, reset, advance, granted, any, first, any_behind, chosen
        }
    }
}

impl Logic for Arbiter {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, first);
        self.any_behind.next = false;
        for i in 0..self._n {
            self.behind[i].next = self.request[i].val() & (self.first.q.val() <= i.to_bits());
            if self.behind[i].val() {
                self.any_behind.next = true;
            }
        }
        self.claimed[0].next = false;
        self.chosen.next = 0.into();
        for i in 0..self._n {
            self.candidate[i].next = self.behind[i].val() | (self.request[i].val() & !self.any_behind.val());
            self.winner[i].next = self.candidate[i].val() & !self.claimed[i].val();
            self.claimed[i + 1].next = self.claimed[i].val() | self.candidate[i].val();
            self.grant[i].next = self.winner[i].val();
            if self.winner[i].val() {
                self.chosen.next = i.to_bits();
            }
        }
        self.granted.next = self.chosen.val();
        self.any.next = false;
        for i in 0..self._n {
            if self.request[i].val() {
                self.any.next = true;
            }
        }
        if self.advance.val() {
            self.first.d.next = self.chosen.val() + 1;
        }
        if self.reset.val() {
            self.first.d.next = 0.into();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One clock cycle: who asks, and whether the grant is used; who is granted.
    fn cycle(dut: &mut Arbiter, requests: u32, advance: bool) -> Option<u64> {
        for (i, request) in dut.request.iter_mut().enumerate() {
            request.next = requests >> i & 1 == 1;
        }
        dut.advance.next = advance;
        dut.clock.next = false.into();
        assert!(simulate(dut, 10));
        let granted = dut.granted.val().to_u64();
        let lines: Vec<bool> = dut.grant.iter().map(|g| g.val()).collect();
        assert_eq!(lines.iter().filter(|g| **g).count(), usize::from(dut.any.val()));
        assert_eq!(dut.any.val(), requests != 0);
        assert!(!dut.any.val() || lines[granted as usize]);
        let answer = dut.any.val().then_some(granted);
        dut.clock.next = true.into();
        assert!(simulate(dut, 10));
        answer
    }

    #[test]
    fn all_that_ask_are_granted_in_turn() {
        let mut dut = Arbiter::new(5);
        let order: Vec<_> = (0..7).map(|_| cycle(&mut dut, 0b10111, true).unwrap()).collect();
        assert_eq!(order, [0, 1, 2, 4, 0, 1, 2]);
        assert_eq!(cycle(&mut dut, 0, true), None);
    }

    #[test]
    fn a_grant_that_is_not_used_is_given_again() {
        let mut dut = Arbiter::new(3);
        assert_eq!(cycle(&mut dut, 0b110, false), Some(1));
        assert_eq!(cycle(&mut dut, 0b110, true), Some(1));
        assert_eq!(cycle(&mut dut, 0b110, false), Some(2));
        assert_eq!(cycle(&mut dut, 0b010, false), Some(1));
    }

    #[test]
    fn nobody_waits_for_more_than_the_others() {
        const N: usize = 17;
        let mut dut = Arbiter::new(N);
        let (mut state, mut asks, mut turns, mut grants) = (0x2545_f491u32, 0, [0; N], 0);
        for _ in 0..2000 {
            // xorshift32; a request stays until it is granted.
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            asks |= state & 0x1_ffff;
            let used = state >> 20 & 3 != 0;
            let Some(granted) = cycle(&mut dut, asks, used) else { continue };
            if used {
                for (i, turns) in turns.iter_mut().enumerate().filter(|(i, _)| asks >> i & 1 == 1) {
                    *turns += 1;
                    assert!(*turns <= N, "{i} waits for the {turns}th grant");
                }
                turns[granted as usize] = 0;
                asks &= !(1 << granted);
                grants += 1;
            }
        }
        assert!(grants > 1000, "{grants}");
    }
}
