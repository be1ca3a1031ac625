//! Carries the messages of all processors to their receivers, a word a cycle: the senders go round.
//!
//! | port        | dir | width | meaning                                                                    |
//! |-------------|-----|-------|----------------------------------------------------------------------------|
//! | `send_i`    | in  | 1     | processor i sends a message to `target_i`; both stay until it is done      |
//! | `target_i`  | in  | 16    | bit j: to processor j; one bit                                             |
//! | `fetch_word` | out | 2    | the word of it that is fetched, 0 to 3 in order                            |
//! | `word_of_i` | in  | 32    | one cycle later: processor i's word                                        |
//! | `done_i`    | out | 1     | it is handed over, or refused; reset value 0                               |
//! | `refused`   | out | 1     | a cycle later: it was refused; reset value 0                               |
//! | `put`       | out | 16    | bit j: processor j gets `data`; reset value 0                              |
//! | `sender`    | out | 4     | from whom                                                                  |
//! | `word`      | out | 2     | which word it is                                                           |
//! | `data`      | out | 32    | the word                                                                   |
//! | `full_j`    | in  | 1     | with the `put` of the last word: processor j's ring of that sender is full |
//!
//! Latency: a message is handed over [`LATENCY`] cycles behind `send_i` or more. Throughput: one message per four cycles.
//! Implements: ¶66.2 (messages from other processors).

use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

use crate::arbiter::Arbiter;
use crate::many;

/// Cycles from `send_i` to the `put` of the last word: choose, fetch, three more words.
pub const LATENCY: usize = 5;

/// See the module's page.
#[derive(LogicBlock)]
pub struct MessageBus {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub send: Vec<Signal<In, Bit>>,
    pub target: Vec<Signal<In, Bits<16>>>,
    pub fetch_word: Signal<Out, Bits<2>>,
    pub word_of: Vec<Signal<In, Bits<32>>>,
    pub done: Vec<Signal<Out, Bit>>,
    pub refused: Signal<Out, Bit>,
    pub put: Signal<Out, Bits<16>>,
    pub sender: Signal<Out, Bits<4>>,
    pub word: Signal<Out, Bits<2>>,
    pub data: Signal<Out, Bits<32>>,
    pub full: Vec<Signal<In, Bit>>,
    arbiter: Arbiter,
    /// Whose words are fetched.
    chosen: Vec<DFF<Bit>>,
    fetches: DFF<Bit>,
    fetched_word: DFF<Bits<2>>,
    chooses: Signal<Local, Bit>,
    /// Whose word comes, as it was asked for a cycle ago.
    comes_from: Vec<DFF<Bit>>,
    coming_word: DFF<Bits<2>>,
    coming_target: Vec<Signal<Local, Bits<16>>>,
    coming_data: Vec<Signal<Local, Bits<32>>>,
    any_full: Signal<Local, Bit>,
    was_full: DFF<Bit>,
    _processors: usize,
}

impl MessageBus {
    /// Between `processors` processors.
    pub fn new(processors: usize) -> Self {
        block! {
            Self {
                send: many(processors),
                target: many(processors),
                word_of: many(processors),
                done: many(processors),
                full: many(processors),
                arbiter: Arbiter::new(processors),
                chosen: many(processors),
                comes_from: many(processors),
                coming_target: many(processors),
                coming_data: many(processors),
                _processors: processors,
            },
            clock, reset, fetch_word, refused, put, sender, word, data, fetches, fetched_word, chooses, coming_word,
            any_full, was_full
        }
    }
}

impl Logic for MessageBus {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, fetches, fetched_word, coming_word, was_full);
        self.arbiter.clock.next = self.clock.val();
        self.arbiter.reset.next = self.reset.val();
        self.chooses.next = !self.fetches.q.val() | self.fetched_word.q.val().all();
        self.arbiter.advance.next = self.chooses.val() & self.arbiter.any.val();
        self.fetched_word.d.next = self.fetched_word.q.val() + 1;
        if self.chooses.val() {
            self.fetches.d.next = self.arbiter.any.val();
            self.fetched_word.d.next = 0.into();
        }
        if self.reset.val() {
            self.fetches.d.next = false;
        }
        self.fetch_word.next = self.fetched_word.q.val();
        self.coming_word.d.next = self.fetched_word.q.val();
        self.word.next = self.coming_word.q.val();
        self.put.next = 0.into();
        self.sender.next = 0.into();
        self.data.next = 0.into();
        self.any_full.next = false;
        for i in 0..self._processors {
            // Who is done is still asking.
            self.arbiter.request[i].next = self.send[i].val() & !self.chosen[i].q.val() & !self.comes_from[i].q.val();
            self.chosen[i].clock.next = self.clock.val();
            self.chosen[i].d.next = self.chosen[i].q.val();
            if self.chooses.val() {
                self.chosen[i].d.next = self.arbiter.grant[i].val();
            }
            if self.reset.val() {
                self.chosen[i].d.next = false;
            }
            self.comes_from[i].clock.next = self.clock.val();
            self.comes_from[i].d.next = self.chosen[i].q.val() & !self.reset.val();
            self.done[i].next = self.comes_from[i].q.val() & self.coming_word.q.val().all();
            self.coming_target[i].next = 0.into();
            self.coming_data[i].next = 0.into();
            if self.comes_from[i].q.val() {
                self.coming_target[i].next = self.target[i].val();
                self.coming_data[i].next = self.word_of[i].val();
                self.sender.next = i.to_bits();
            }
            self.put.next = self.put.val() | self.coming_target[i].val();
            self.data.next = self.data.val() | self.coming_data[i].val();
            self.any_full.next = self.any_full.val() | self.full[i].val();
        }
        self.was_full.d.next = self.any_full.val() & !self.reset.val();
        self.refused.next = self.was_full.q.val();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emit::emit;
    use crate::random::Random;

    const N: usize = 5;

    #[test]
    fn every_message_goes_once_to_its_receiver_and_nobody_waits_for_more_than_the_others() {
        let mut dut = MessageBus::new(N);
        dut.connect_all();
        let mut random = Random::seeded(11);
        // Target and number of what each sends, and since when.
        let mut sending: [Option<(u64, u64, u64)>; N] = [None; N];
        let (mut sent, mut refused, mut was_full, mut words) = ([0; N], 0, false, vec![]);
        let mut asked = 0;
        for cycle in 0..16_000u64 {
            dut.reset.next = cycle == 0;
            for (i, sending) in sending.iter_mut().enumerate() {
                // At first all of them always.
                if cycle > 0 && sending.is_none() && (cycle < 2000 || random.below(16) == 0) {
                    *sending = Some((random.below(N as u64), random.below(1 << 28), cycle));
                }
                dut.send[i].next = sending.is_some();
                let (target, number, _) = sending.unwrap_or_default();
                dut.target[i].next = (1u64 << target).to_bits();
                dut.word_of[i].next = (number << 2 | asked).to_bits();
            }
            assert!(simulate(&mut dut, 10));
            let full = random.below(4) == 0 && dut.word.val() == 3;
            for (j, port) in dut.full.iter_mut().enumerate() {
                port.next = full && dut.put.val().get_bit(j);
            }
            dut.clock.next = false.into();
            assert!(simulate(&mut dut, 10));
            // A cycle ago a ring was full.
            assert_eq!(dut.refused.val(), was_full);
            was_full = (0..N).any(|j| dut.full[j].val());
            refused += u64::from(dut.refused.val());
            if dut.put.val().any() {
                words.push((dut.put.val().to_u64(), dut.sender.val().index(), dut.data.val().to_u64()));
                assert_eq!(dut.word.val().to_u64(), words.len() as u64 - 1);
            }
            let done: Vec<usize> = (0..N).filter(|i| dut.done[*i].val()).collect();
            assert!(done.len() < 2);
            assert_eq!(!done.is_empty(), words.len() == 4);
            for i in done {
                let (target, number, since) = sending[i].take().expect("a sender that asks");
                let expected: Vec<_> = (0..4).map(|k| (1 << target, i, number << 2 | k)).collect();
                assert_eq!(std::mem::take(&mut words), expected);
                let waited = cycle - since;
                assert!((LATENCY as u64..=4 * N as u64 + 4).contains(&waited), "{i} waited {waited} cycles");
                sent[i] += 1;
            }
            asked = dut.fetch_word.val().to_u64();
            dut.clock.next = true.into();
            assert!(simulate(&mut dut, 10));
        }
        assert!(sent.iter().all(|sent| *sent > 400) && refused > 200, "{sent:?} {refused}");
    }

    #[test]
    fn it_can_be_printed() {
        emit(&mut MessageBus::new(16), "message_bus").expect("printed");
    }
}
