//! Who holds which frame: one bit per frame, so that nothing is handed in twice and nothing that was not handed out comes back.
//!
//! | port           | dir | width | meaning                                                                            |
//! |----------------|-----|-------|------------------------------------------------------------------------------------|
//! | `operate`      | in  | 1     | change the bit of `index`                                                          |
//! | `set`          | in  | 1     | to this                                                                            |
//! | `index`        | in  | 10    | the frame                                                                          |
//! | `changed`      | out | 1     | the bit was another before: the frame was where it should have been; reset value 0 |
//! | `answer_index` | out | 10    | the frame that was asked for, whether it changed or not; not reset                 |
//!
//! Latency: [`LATENCY`] cycles. Throughput: one operation per cycle, each sees those before it. Never stalls.
//! All bits are cleared while `reset` is high, 4 a cycle, so reset must last `depth` / 4 cycles.
//! Implements: ¶69 (nothing is taken twice, nothing is lost).

use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

use crate::memory::{Collision, Memory};

/// Cycles from `operate` to `changed`: read, keep, change.
pub const LATENCY: usize = 3;

/// See the module's page.
#[derive(LogicBlock)]
pub struct FrameLedger {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub operate: Signal<In, Bit>,
    pub set: Signal<In, Bit>,
    pub index: Signal<In, Bits<10>>,
    pub changed: Signal<Out, Bit>,
    pub answer_index: Signal<Out, Bits<10>>,
    marks: Memory<4, 8>,
    // Stage 1: the memory reads.
    reading: DFF<Bit>,
    reading_set: DFF<Bit>,
    reading_index: DFF<Bits<10>>,
    // Stage 2: the word is here.
    held: DFF<Bit>,
    held_set: DFF<Bit>,
    held_index: DFF<Bits<10>>,
    word: DFF<Bits<4>>,
    new_word: Signal<Local, Bits<4>>,
    // Stage 3: the word has just been written; a read at the same edge missed it.
    written: DFF<Bit>,
    written_index: DFF<Bits<10>>,
    written_word: DFF<Bits<4>>,
    answer: DFF<Bit>,
    bit_mask: Signal<Local, Bits<4>>,
    clear_address: DFF<Bits<8>>,
}

impl FrameLedger {
    /// For `depth` frames: a power of two, 4 to 1024.
    pub fn new(depth: usize) -> Self {
        assert!(depth.is_power_of_two() && (4..=1024).contains(&depth), "a ledger of {depth} frames");
        block! {
            Self {
                // A word that is read while it is written is taken from the stage that writes it.
                marks: Memory::new(depth / 4, Collision::Discarded),
            },
            clock, reset, operate, set, index, changed, answer_index, reading, reading_set, reading_index, held,
            held_set, held_index, word, new_word, written, written_index, written_word, answer, bit_mask, clear_address
        }
    }
}

impl Logic for FrameLedger {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, reading, reading_set, reading_index, held, held_set, held_index, word);
        dff_setup!(self, clock, written, written_index, written_word, answer, clear_address);
        self.marks.clock.next = self.clock.val();

        self.marks.read_address.next = self.index.val().get_bits::<8>(2);
        self.reading.d.next = self.operate.val();
        self.reading_set.d.next = self.set.val();
        self.reading_index.d.next = self.index.val();

        // The bit ends up as asked for whatever it was: a refused operation changes nothing.
        self.bit_mask.next = bits::<4>(1) << self.held_index.q.val().get_bits::<2>(0);
        self.new_word.next = self.word.q.val() & !self.bit_mask.val();
        if self.held_set.q.val() {
            self.new_word.next = self.word.q.val() | self.bit_mask.val();
        }

        self.held.d.next = self.reading.q.val();
        self.held_set.d.next = self.reading_set.q.val();
        self.held_index.d.next = self.reading_index.q.val();
        self.word.d.next = self.marks.read_data.val();
        if self.written.q.val()
            & (self.written_index.q.val().get_bits::<8>(2) == self.reading_index.q.val().get_bits::<8>(2))
        {
            self.word.d.next = self.written_word.q.val();
        }
        if self.held.q.val() & (self.held_index.q.val().get_bits::<8>(2) == self.reading_index.q.val().get_bits::<8>(2))
        {
            self.word.d.next = self.new_word.val();
        }

        self.written.d.next = self.held.q.val();
        self.written_index.d.next = self.held_index.q.val();
        self.written_word.d.next = self.new_word.val();
        self.answer.d.next =
            self.held.q.val() & ((self.word.q.val() & self.bit_mask.val()).any() != self.held_set.q.val());
        self.changed.next = self.answer.q.val();
        self.answer_index.next = self.written_index.q.val();

        self.marks.write_enable.next = self.held.q.val();
        self.marks.write_address.next = self.held_index.q.val().get_bits::<8>(2);
        self.marks.write_data.next = self.new_word.val();
        self.clear_address.d.next = self.clear_address.q.val() + 1;
        if self.reset.val() {
            self.marks.write_enable.next = true;
            self.marks.write_address.next = self.clear_address.q.val();
            self.marks.write_data.next = 0.into();
            self.reading.d.next = false;
            self.held.d.next = false;
            self.written.d.next = false;
            self.answer.d.next = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn clock(dut: &mut FrameLedger) {
        for level in [false, true] {
            dut.clock.next = level.into();
            assert!(simulate(dut, 10));
        }
    }

    fn after_reset(depth: usize) -> FrameLedger {
        let mut dut = FrameLedger::new(depth);
        dut.reset.next = true;
        for _ in 0..depth / 4 {
            clock(&mut dut);
        }
        dut.reset.next = false;
        dut
    }

    #[test]
    fn every_operation_sees_those_before_it() {
        let mut seed = 0x1234_5671u32;
        for depth in [16, 32, 1024] {
            let mut dut = after_reset(depth);
            let (mut model, mut expected, mut good, mut bad) = (BTreeSet::new(), vec![], 0, 0);
            for n in 0..3000 {
                // xorshift32
                seed ^= seed << 13;
                seed ^= seed >> 17;
                seed ^= seed << 5;
                // Few frames, so that operations meet, in a few words.
                let index = (seed >> 8 & 3 | (seed >> 10 & 3) << 4) as usize * 5 % depth;
                let (operate, set) = (seed & 3 != 0, seed >> 4 & 1 == 1);
                dut.operate.next = operate;
                dut.set.next = set;
                dut.index.next = (index as u64).to_bits();
                clock(&mut dut);
                let changes = operate && if set { model.insert(index) } else { model.remove(&index) };
                expected.push((changes, operate.then_some(index)));
                let Some(due) = (n + 1usize).checked_sub(LATENCY) else { continue };
                let (changes, operated) = expected[due];
                assert_eq!(dut.changed.val(), changes, "operation {due} with {depth} frames");
                if let Some(index) = operated {
                    assert_eq!(dut.answer_index.val().to_u64() as usize, index);
                    *if changes { &mut good } else { &mut bad } += 1;
                }
            }
            assert!(good > 500 && bad > 500, "{good} changes, {bad} refusals");
        }
    }

    #[test]
    fn reset_forgets_every_frame() {
        let mut dut = after_reset(64);
        dut.operate.next = true;
        dut.set.next = true;
        for index in 0..64u64 {
            dut.index.next = index.to_bits();
            clock(&mut dut);
        }
        dut.operate.next = false;
        dut.reset.next = true;
        for _ in 0..64 / 4 {
            clock(&mut dut);
        }
        dut.reset.next = false;
        dut.operate.next = true;
        let mut changes = 0;
        for n in 0..64 + LATENCY as u64 {
            dut.operate.next = n < 64;
            dut.index.next = (n & 63).to_bits();
            clock(&mut dut);
            changes += u32::from(dut.changed.val());
        }
        assert_eq!(changes, 64);
    }
}
