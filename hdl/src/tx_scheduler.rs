//! Picks whose frame is sent next: deficit round robin by bytes (Shreedhar and Varghese, 1996), so that every processor that has frames
//! gets the same share of the line, whatever their sizes.
//!
//! Processors with frames take turns. A turn adds [`QUANTUM`] bytes to the processor's credit and lasts while the credit covers its next
//! frame; what is left is kept for its next turn, unless its queue has run empty. A frame whose length is not that of a frame is handed
//! back unsent.
//!
//! | port            | dir | width | meaning                                                                       |
//! |-----------------|-----|-------|-------------------------------------------------------------------------------|
//! | `entry_valid_i` | in  | 1     | processor i has a frame to send                                               |
//! | `entry_i`       | in  | 61    | its words, see [`abi::transmit::Send`]: word 0, then 29 bits of word 1        |
//! | `take_i`        | out | 1     | the entry is taken                                                            |
//! | `job_valid`     | out | 1     | send this frame; it stays until it is taken; reset value 0                    |
//! | `job_ready`     | in  | 1     | it is taken in this cycle                                                     |
//! | `bad_valid`     | out | 1     | hand this one back unsent; it stays until it is taken; reset value 0          |
//! | `bad_ready`     | in  | 1     | it is taken in this cycle                                                     |
//! | `job_processor` | out | 4     | whose frame, of either                                                        |
//! | `job_entry`     | out | 61    | its words                                                                     |
//!
//! Throughput: a frame every 2 cycles within a turn, [`TURN_CYCLES`] more for every turn. A frame of 9,216 bytes takes 6 turns to save up
//! for. Stalls while neither of `job_ready` and `bad_ready` comes.

use abi::limits::{MAX_FRAME, MIN_FRAME};
use abi::transmit::QUANTUM;
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

use crate::arbiter::Arbiter;
use crate::many;

/// Cycles that a turn costs beside its frames: one to choose the processor, two to see that it cannot send more.
pub const TURN_CYCLES: usize = 3;

/// See the module's page.
#[derive(LogicBlock)]
pub struct TxScheduler {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub entry_valid: Vec<Signal<In, Bit>>,
    pub entry: Vec<Signal<In, Bits<61>>>,
    pub take: Vec<Signal<Out, Bit>>,
    pub job_valid: Signal<Out, Bit>,
    pub job_ready: Signal<In, Bit>,
    pub bad_valid: Signal<Out, Bit>,
    pub bad_ready: Signal<In, Bit>,
    pub job_processor: Signal<Out, Bits<4>>,
    pub job_entry: Signal<Out, Bits<61>>,
    turns: Arbiter,
    // What the block does in this cycle: choose whose turn it is, look at the next entry, or decide.
    looking: DFF<Bit>,
    deciding: DFF<Bit>,
    choosing: Signal<Local, Bit>,
    /// The turn has just begun.
    fresh: DFF<Bit>,
    current: DFF<Bits<5>>,
    // The entry looked at.
    entry_here: Vec<Signal<Local, Bits<61>>>,
    valid_here: Signal<Local, Bit>,
    next_entry: Signal<Local, Bits<61>>,
    found: DFF<Bit>,
    looked_at: DFF<Bits<61>>,
    length: Signal<Local, Bits<14>>,
    bad: Signal<Local, Bit>,
    covered: Signal<Local, Bit>,
    taken: Signal<Local, Bit>,
    sent: Signal<Local, Bit>,
    turn_ends: Signal<Local, Bit>,
    // Credits in bytes: of the current processor, and what the others have kept.
    kept: Vec<DFF<Bits<14>>>,
    kept_here: Vec<Signal<Local, Bits<14>>>,
    own: Signal<Local, Bits<14>>,
    credit: DFF<Bits<14>>,
    shortest: Constant<Bits<14>>,
    longest: Constant<Bits<14>>,
    quantum: Constant<Bits<14>>,
    _processors: usize,
}

impl TxScheduler {
    /// Between `processors` processors.
    pub fn new(processors: usize) -> Self {
        assert!(MAX_FRAME + QUANTUM < 1 << 14 && processors <= 16);
        block! {
            Self {
                entry_valid: many(processors),
                entry: many(processors),
                take: many(processors),
                turns: Arbiter::new(processors),
                entry_here: many(processors),
                kept: many(processors),
                kept_here: many(processors),
                shortest: Constant::new((MIN_FRAME as u64).to_bits()),
                longest: Constant::new((MAX_FRAME as u64).to_bits()),
                quantum: Constant::new((QUANTUM as u64).to_bits()),
                _processors: processors,
            },
            clock, reset, job_valid, job_ready, bad_valid, bad_ready, job_processor, job_entry, looking, deciding,
            choosing, fresh, current, valid_here, next_entry, found, looked_at, length, bad, covered, taken, sent,
            turn_ends, own, credit
        }
    }
}

impl Logic for TxScheduler {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, looking, deciding, fresh, current, found, looked_at, credit);
        self.turns.clock.next = self.clock.val();
        self.turns.reset.next = self.reset.val();

        // Choose whose turn it is.
        self.choosing.next = !self.looking.q.val() & !self.deciding.q.val();
        for i in 0..self._processors {
            self.turns.request[i].next = self.entry_valid[i].val();
        }
        self.turns.advance.next = self.choosing.val() & self.turns.any.val();
        if self.choosing.val() {
            self.looking.d.next = self.turns.any.val();
            self.fresh.d.next = true;
            self.current.d.next = self.turns.granted.val();
        }

        // Look at its next entry.
        self.valid_here.next = false;
        self.next_entry.next = 0.into();
        self.own.next = 0.into();
        for i in 0..self._processors {
            self.entry_here[i].next = 0.into();
            self.kept_here[i].next = 0.into();
            if self.current.q.val() == i.to_bits() {
                self.valid_here.next = self.entry_valid[i].val();
                self.entry_here[i].next = self.entry[i].val();
                self.kept_here[i].next = self.kept[i].q.val();
            }
            self.next_entry.next = self.next_entry.val() | self.entry_here[i].val();
            self.own.next = self.own.val() | self.kept_here[i].val();
        }
        if self.looking.q.val() {
            self.looking.d.next = false;
            self.deciding.d.next = true;
            self.found.d.next = self.valid_here.val();
            self.looked_at.d.next = self.next_entry.val();
            if self.fresh.q.val() {
                self.credit.d.next = self.own.val() + self.quantum.val();
            }
            self.fresh.d.next = false;
        }

        // Decide.
        self.length.next = self.looked_at.q.val().get_bits::<14>(32);
        self.bad.next = (self.length.val() < self.shortest.val()) | (self.length.val() > self.longest.val());
        self.covered.next = self.length.val() <= self.credit.q.val();
        self.job_valid.next = self.deciding.q.val() & self.found.q.val() & !self.bad.val() & self.covered.val();
        self.bad_valid.next = self.deciding.q.val() & self.found.q.val() & self.bad.val();
        self.job_processor.next = self.current.q.val().get_bits::<4>(0);
        self.job_entry.next = self.looked_at.q.val();
        self.sent.next = self.job_valid.val() & self.job_ready.val();
        self.taken.next = self.sent.val() | (self.bad_valid.val() & self.bad_ready.val());
        self.turn_ends.next = self.deciding.q.val() & (!self.found.q.val() | (!self.bad.val() & !self.covered.val()));
        if self.sent.val() {
            self.credit.d.next = self.credit.q.val() - self.length.val();
        }
        if self.taken.val() {
            self.deciding.d.next = false;
            self.looking.d.next = true;
        }
        if self.turn_ends.val() {
            self.deciding.d.next = false;
        }
        for i in 0..self._processors {
            self.kept[i].clock.next = self.clock.val();
            self.kept[i].d.next = self.kept[i].q.val();
            self.take[i].next = false;
            if self.current.q.val() == i.to_bits() {
                self.take[i].next = self.taken.val();
                if self.turn_ends.val() {
                    self.kept[i].d.next = self.credit.q.val();
                    if !self.found.q.val() {
                        self.kept[i].d.next = 0.into();
                    }
                }
            }
            if self.reset.val() {
                self.kept[i].d.next = 0.into();
            }
        }

        if self.reset.val() {
            self.looking.d.next = false;
            self.deciding.d.next = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;
    use abi::transmit::Send;
    use std::collections::VecDeque;

    /// Processor and length.
    type Frame = (usize, u64);

    struct Bench {
        dut: TxScheduler,
        queues: Vec<VecDeque<u64>>,
        sent: Vec<Frame>,
        handed_back: Vec<Frame>,
        cycles: usize,
    }

    impl Bench {
        fn new(processors: usize) -> Self {
            let mut dut = TxScheduler::new(processors);
            dut.connect_all();
            dut.reset.next = true;
            let queues = vec![VecDeque::new(); processors];
            let mut bench = Bench { dut, queues, sent: vec![], handed_back: vec![], cycles: 0 };
            bench.cycle(false);
            bench.dut.reset.next = false;
            bench
        }

        fn cycle(&mut self, ready: bool) {
            let dut = &mut self.dut;
            for (i, queue) in self.queues.iter().enumerate() {
                dut.entry_valid[i].next = !queue.is_empty();
                let length = queue.front().copied().unwrap_or(5);
                let [zero, one] = Send { address: i as u32, length: length as u16, ..Send::default() }.words();
                dut.entry[i].next = ((one as u64) << 32 | zero as u64).to_bits();
            }
            dut.job_ready.next = ready;
            dut.bad_ready.next = ready;
            dut.clock.next = false.into();
            assert!(simulate(dut, 20));
            let processor = dut.job_processor.val().to_u64() as usize;
            let entry = dut.job_entry.val().to_u64();
            let frame = (processor, entry >> 32 & 0x3FFF);
            let offers = [dut.job_valid.val(), dut.bad_valid.val()];
            assert_ne!(offers, [true; 2]);
            for (i, queue) in self.queues.iter_mut().enumerate() {
                let taken = dut.take[i].val() && !dut.reset.val();
                assert_eq!(taken, ready && offers != [false; 2] && i == processor && !dut.reset.val());
                if taken {
                    assert_eq!((queue.pop_front(), entry & 0xFF_FFFF), (Some(frame.1), i as u64));
                    if offers[0] { &mut self.sent } else { &mut self.handed_back }.push(frame);
                }
            }
            dut.clock.next = true.into();
            assert!(simulate(dut, 20));
            self.cycles += 1;
        }

        fn bytes(&self, processor: usize) -> u64 {
            self.sent.iter().filter(|f| f.0 == processor).map(|f| f.1).sum()
        }
    }

    #[test]
    fn processors_with_frames_get_the_same_bytes_whatever_their_sizes() {
        let mut random = Random::seeded(11);
        let mut bench = Bench::new(5);
        // Minimum frames, full ones, jumbo ones, any; the last has none.
        let mut refill = |queues: &mut Vec<VecDeque<u64>>| {
            for (i, queue) in queues.iter_mut().take(4).enumerate() {
                while queue.len() < 4 {
                    queue.push_back([60, 1514, 9216, 14 + random.below(9203)][i]);
                }
            }
        };
        while bench.cycles < 10_000 {
            refill(&mut bench.queues);
            bench.cycle(!bench.cycles.is_multiple_of(3));
            let bytes: Vec<u64> = (0..4).map(|i| bench.bytes(i)).collect();
            let (most, least) = (bytes.iter().max().unwrap_or(&0), bytes.iter().min().unwrap_or(&0));
            // One turn's quantum and what the largest frame has saved up.
            assert!(most - least <= (QUANTUM + MAX_FRAME) as u64, "{bytes:?}");
        }
        assert!((0..4).all(|i| bench.bytes(i) > 60_000), "{} frames", bench.sent.len());
    }

    #[test]
    fn frames_leave_in_order_and_those_of_impossible_length_are_handed_back() {
        let mut random = Random::seeded(12);
        let mut bench = Bench::new(3);
        let mut posted = vec![vec![]; 3];
        let lengths = [0, 13, 14, 15, 60, 1514, 9215, 9216, 9217, 16383];
        for _ in 0..4000 {
            let i = random.below(3) as usize;
            if random.below(4) == 0 && posted[i].len() < 150 {
                let length = lengths[random.below(10) as usize];
                posted[i].push((i, length));
                bench.queues[i].push_back(length);
            }
            bench.cycle(random.below(3) > 0);
        }
        while bench.queues.iter().any(|q| !q.is_empty()) {
            assert!(bench.cycles < 30_000);
            bench.cycle(true);
        }
        for (i, posted) in posted.iter().enumerate() {
            let of = |frames: &[Frame]| frames.iter().filter(|f| f.0 == i).copied().collect::<Vec<_>>();
            let (good, bad) = posted.iter().copied().partition::<Vec<_>, _>(|f| (14..=9216).contains(&f.1));
            assert_eq!((of(&bench.sent), of(&bench.handed_back)), (good, bad));
            assert!(posted.len() > 100);
        }
    }

    #[test]
    fn a_turn_and_a_frame_take_the_stated_cycles() {
        let mut bench = Bench::new(2);
        bench.queues[1].extend([60; 24]);
        let start = bench.cycles;
        while bench.sent.len() < 24 {
            bench.cycle(true);
        }
        // 24 frames of 60 bytes fit one turn; the cycle that chooses comes first.
        assert_eq!(bench.cycles - start, 1 + 2 * 24);
        // Alone, a frame of 9,216 bytes saves up for six turns; the turn before it ends first.
        bench.queues[1].push_back(9216);
        for _ in 0..4 {
            bench.cycle(true);
        }
        bench.queues[1].push_back(9216);
        let start = bench.cycles;
        while bench.sent.len() < 26 {
            bench.cycle(true);
        }
        assert!(bench.cycles - start <= 2 * 6 * (TURN_CYCLES + 2));
    }
}
