//! The messages to one processor: a ring of 16 for each sender, so that the order of a pair is kept and no sender fills another's ring.
//!
//! A message comes word by word, and counts when its last word comes; to a full ring it is refused, and nothing is ever overwritten. The
//! processor takes from the ring it names, and can read the words of the message it took last until it takes another.
//!
//! | port           | dir | width | meaning                                                                    |
//! |----------------|-----|-------|----------------------------------------------------------------------------|
//! | `put`          | in  | 1     | `put_data` is a word of a message from processor `sender`                  |
//! | `sender`       | in  | 4     | below the number of processors; stays for all words of a message           |
//! | `put_word`     | in  | 2     | which one, 0 to 3 in order: address, length, context, kind                 |
//! | `put_data`     | in  | 32    | the word                                                                   |
//! | `refused`      | out | 1     | with `put` of the last word: the ring is full                              |
//! | `take`         | in  | 1     | take the oldest message of `take_ring`                                     |
//! | `take_ring`    | in  | 4     | its sender                                                                 |
//! | `taken_valid`  | out | 1     | [`TAKE_LATENCY`] cycles later: there was one                               |
//! | `word`         | in  | 2     | which word of the message taken last is read                               |
//! | `word_data`    | out | 32    | [`TAKE_LATENCY`] cycles after `take` or a new `word`: the word             |
//! | `level_i`      | out | 5     | messages of processor i; reset value 0                                     |
//! | `pending`      | out | 16    | bit i: ring i is not empty; reset value 0                                  |
//!
//! Latency: a message counts and can be taken in the cycle behind its last word. Throughput: one word and one take per cycle. A take that
//! finds a message counted gets it.
//! Reset empties all rings; the words are not reset.
//! Implements: ¶66.2 (messages from other processors), the message queue manager of ¶66.1.

use abi::limits::MESSAGE_QUEUE_DEPTH;
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

use crate::concat::Concat;
use crate::many;
use crate::memory::{Collision, Memory};

/// Cycles from `take` to the word: register, read, register.
pub const TAKE_LATENCY: usize = 3;

/// See the module's page.
#[derive(LogicBlock)]
pub struct MessageQueue {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub put: Signal<In, Bit>,
    pub sender: Signal<In, Bits<4>>,
    pub put_word: Signal<In, Bits<2>>,
    pub put_data: Signal<In, Bits<32>>,
    pub refused: Signal<Out, Bit>,
    pub take: Signal<In, Bit>,
    pub take_ring: Signal<In, Bits<4>>,
    pub taken_valid: Signal<Out, Bit>,
    pub word: Signal<In, Bits<2>>,
    pub word_data: Signal<Out, Bits<32>>,
    pub level: Vec<Signal<Out, Bits<5>>>,
    pub pending: Signal<Out, Bits<16>>,
    /// 32 places for each ring: those of the messages it holds, of the one that comes, and of the one that was taken last.
    rings: Memory<32, 11>,
    last: Signal<Local, Bit>,
    accepts: Vec<Signal<Local, Bit>>,
    full: Signal<Local, Bit>,
    write_part: Vec<Signal<Local, Bits<5>>>,
    write_place: Signal<Local, Bits<5>>,
    written: Signal<Local, Place>,
    // The rings.
    next_in: Vec<DFF<Bits<5>>>,
    next_out: Vec<DFF<Bits<5>>>,
    held: Vec<DFF<Bits<5>>>,
    not_empty: Concat<16>,
    // Leaving.
    asked: DFF<Bit>,
    asked_ring: DFF<Bits<4>>,
    takes: Vec<Signal<Local, Bit>>,
    found: Signal<Local, Bit>,
    read_part: Vec<Signal<Local, Bits<5>>>,
    read_place: Signal<Local, Bits<5>>,
    /// Ring and place of the message taken last.
    ring_now: Signal<Local, Bits<4>>,
    place_now: Signal<Local, Bits<5>>,
    taken_ring: DFF<Bits<4>>,
    taken_place: DFF<Bits<5>>,
    read: Signal<Local, Place>,
    reading: DFF<Bit>,
    valid: DFF<Bit>,
    out: DFF<Bits<32>>,
    _processors: usize,
}

/// Where a word of a message lies.
#[derive(LogicStruct, Debug, Copy, Clone, PartialEq, Default)]
struct Place {
    word: Bits<2>,
    place: Bits<5>,
    ring: Bits<4>,
}

impl MessageQueue {
    /// The messages of `processors` processors to one of them.
    pub fn new(processors: usize) -> Self {
        assert_eq!(MESSAGE_QUEUE_DEPTH, 16);
        block! {
            Self {
                level: many(processors),
                // A place is read at the earliest in the cycle behind its write.
                rings: Memory::new(128 * processors, Collision::Discarded),
                accepts: many(processors),
                write_part: many(processors),
                next_in: many(processors),
                next_out: many(processors),
                held: many(processors),
                takes: many(processors),
                read_part: many(processors),
                _processors: processors,
            },
            clock, reset, put, sender, put_word, put_data, refused, take, take_ring, taken_valid, word, word_data,
            pending, last, full, write_place, written, not_empty, asked, asked_ring, found, read_place, ring_now,
            place_now, taken_ring, taken_place, read, reading, valid, out
        }
    }
}

impl Logic for MessageQueue {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, asked, asked_ring, taken_ring, taken_place, reading, valid, out);
        self.rings.clock.next = self.clock.val();

        self.last.next = self.put.val() & self.put_word.val().all();
        self.asked.d.next = self.take.val() & !self.reset.val();
        self.asked_ring.d.next = self.take_ring.val();
        self.full.next = false;
        self.write_place.next = 0.into();
        self.found.next = false;
        self.read_place.next = 0.into();
        for i in 0..16 {
            self.not_empty.element[i].next = false;
        }
        for i in 0..self._processors {
            self.next_in[i].clock.next = self.clock.val();
            self.next_out[i].clock.next = self.clock.val();
            self.held[i].clock.next = self.clock.val();

            // Enter.
            self.accepts[i].next = false;
            self.write_part[i].next = 0.into();
            self.next_in[i].d.next = self.next_in[i].q.val();
            if self.sender.val() == i.to_bits() {
                self.accepts[i].next = self.last.val() & !self.held[i].q.val().get_bit(4);
                self.full.next = self.last.val() & self.held[i].q.val().get_bit(4);
                self.write_part[i].next = self.next_in[i].q.val();
            }
            self.write_place.next = self.write_place.val() | self.write_part[i].val();
            if self.accepts[i].val() {
                self.next_in[i].d.next = self.next_in[i].q.val() + 1;
            }

            // Leave.
            self.takes[i].next =
                self.asked.q.val() & (self.asked_ring.q.val() == i.to_bits()) & self.held[i].q.val().any();
            self.found.next = self.found.val() | self.takes[i].val();
            self.next_out[i].d.next = self.next_out[i].q.val();
            self.read_part[i].next = 0.into();
            if self.asked_ring.q.val() == i.to_bits() {
                self.read_part[i].next = self.next_out[i].q.val();
            }
            self.read_place.next = self.read_place.val() | self.read_part[i].val();
            if self.takes[i].val() {
                self.next_out[i].d.next = self.next_out[i].q.val() + 1;
            }

            self.held[i].d.next = self.held[i].q.val();
            if self.accepts[i].val() & !self.takes[i].val() {
                self.held[i].d.next = self.held[i].q.val() + 1;
            }
            if self.takes[i].val() & !self.accepts[i].val() {
                self.held[i].d.next = self.held[i].q.val() - 1;
            }
            self.level[i].next = self.held[i].q.val();
            self.not_empty.element[i].next = self.held[i].q.val().any();
            if self.reset.val() {
                self.next_in[i].d.next = 0.into();
                self.next_out[i].d.next = 0.into();
                self.held[i].d.next = 0.into();
            }
        }
        self.refused.next = self.full.val();
        self.pending.next = self.not_empty.value.val();

        self.ring_now.next = self.taken_ring.q.val();
        self.place_now.next = self.taken_place.q.val();
        if self.found.val() {
            self.ring_now.next = self.asked_ring.q.val();
            self.place_now.next = self.read_place.val();
        }
        self.taken_ring.d.next = self.ring_now.val();
        self.taken_place.d.next = self.place_now.val();

        self.written.next.word = self.put_word.val();
        self.written.next.place = self.write_place.val();
        self.written.next.ring = self.sender.val();
        self.rings.write_enable.next = self.put.val();
        self.rings.write_address.next = self.written.val().into();
        self.rings.write_data.next = self.put_data.val();
        self.read.next.word = self.word.val();
        self.read.next.place = self.place_now.val();
        self.read.next.ring = self.ring_now.val();
        self.rings.read_address.next = self.read.val().into();
        self.reading.d.next = self.found.val() & !self.reset.val();
        self.valid.d.next = self.reading.q.val() & !self.reset.val();
        self.out.d.next = self.rings.read_data.val();
        self.word_data.next = self.out.q.val();
        self.taken_valid.next = self.valid.q.val();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    type Dut = MessageQueue;

    fn edge(dut: &mut Dut, level: bool) {
        dut.clock.next = level.into();
        assert!(simulate(dut, 10));
    }

    /// Whole cycles with nothing changed.
    fn cycles(dut: &mut Dut, n: usize) {
        for _ in 0..n {
            edge(dut, true);
            edge(dut, false);
        }
    }

    /// Puts a message; whether it was refused.
    fn put(dut: &mut Dut, sender: u64, words: [u64; 4]) -> bool {
        let mut refused = false;
        dut.sender.next = sender.to_bits();
        for (k, word) in words.into_iter().enumerate() {
            dut.put.next = true;
            dut.put_word.next = (k as u64).to_bits();
            dut.put_data.next = word.to_bits();
            edge(dut, false);
            refused |= dut.refused.val();
            assert!(k == 3 || !refused);
            edge(dut, true);
        }
        dut.put.next = false;
        edge(dut, false);
        refused
    }

    /// Takes a message; its last word.
    fn take(dut: &mut Dut, ring: u64) -> Option<u64> {
        dut.take.next = true;
        dut.take_ring.next = ring.to_bits();
        dut.word.next = 3.into();
        for _ in 0..TAKE_LATENCY {
            cycles(dut, 1);
            dut.take.next = false;
            edge(dut, false);
        }
        dut.taken_valid.val().then(|| dut.word_data.val().to_u64())
    }

    fn words(dut: &mut Dut) -> [u64; 4] {
        [0, 1, 2, 3].map(|word: u64| {
            dut.word.next = word.to_bits();
            edge(dut, false);
            cycles(dut, TAKE_LATENCY);
            dut.word_data.val().to_u64()
        })
    }

    #[test]
    fn the_four_words_of_a_message_come_out_as_they_went_in_and_an_empty_ring_gives_none() {
        let mut dut = Dut::new(2);
        let message = [0x1111_2222, 0x3333_4444, 0x5555_6666, 0x7777_8888];
        assert!(!put(&mut dut, 1, message));
        assert_eq!((dut.level[1].val().to_u64(), dut.pending.val().to_u64()), (1, 2));
        for (ring, found) in [(0, None), (1, Some(0x7777_8888)), (1, None), (7, None)] {
            assert_eq!(take(&mut dut, ring), found);
        }
        assert_eq!(words(&mut dut), message);
    }

    #[test]
    fn the_message_taken_last_stays_while_its_ring_fills_and_overflows() {
        let mut dut = Dut::new(2);
        let message = |n: u64| [n, n + 100, n + 200, n + 300];
        for n in 0..40 {
            assert!(!put(&mut dut, 1, message(n)));
            assert_eq!(take(&mut dut, 1), Some(n + 300));
            for later in 0..20 {
                assert_eq!(put(&mut dut, 1, message(1000 + later)), later >= 16);
            }
            assert_eq!(words(&mut dut), message(n));
            for later in 0..16 {
                assert_eq!(take(&mut dut, 1), Some(1300 + later));
            }
        }
    }

    #[test]
    fn each_pair_keeps_its_order_and_a_full_ring_refuses_without_loss() {
        const N: usize = 5;
        let mut dut = Dut::new(N);
        dut.word.next = 3.into();
        let mut rings = [(); N].map(|()| VecDeque::<u64>::new());
        let (mut number, mut coming) = (0u64, VecDeque::from(vec![None; TAKE_LATENCY]));
        let (mut seed, mut sent, mut refused, mut taken, mut empty) = (0x600d_f00du32, [0; N], 0, 0, 0);
        let mut asked: Option<usize> = None;
        let (mut sender, mut word) = (0, 0);
        for now in 0..12_000u32 {
            // xorshift32
            seed ^= seed << 13;
            seed ^= seed >> 17;
            seed ^= seed << 5;
            let put = seed & 7 != 0;
            if word == 0 {
                sender = (seed >> 3) as usize % N;
                number += 1;
            }
            dut.put.next = put;
            dut.put_word.next = (word as u64).to_bits();
            dut.sender.next = (sender as u64).to_bits();
            dut.put_data.next = if word == 3 { number } else { !number & 0xFFFF_FFFF }.to_bits();
            // Phases in which nobody takes, so that rings fill.
            let take = now / 800 % 2 == 1 && seed >> 8 & 3 == 0;
            let ring = (seed >> 12) as usize % (N + 1);
            dut.take.next = take;
            dut.take_ring.next = (ring as u64).to_bits();
            edge(&mut dut, false);

            // The answer to an earlier take.
            let expected: Option<Option<u64>> = coming.pop_front().unwrap();
            assert_eq!(dut.taken_valid.val(), matches!(expected, Some(Some(_))), "cycle {now}");
            if let Some(Some(number)) = expected {
                assert_eq!(dut.word_data.val().to_u64(), number);
            }
            for (i, ring) in rings.iter().enumerate() {
                assert_eq!(dut.level[i].val().to_u64() as usize, ring.len());
                assert_eq!(dut.pending.val().get_bit(i), !ring.is_empty());
            }
            // The take of the cycle before meets the rings as they are now.
            let full = rings[sender].len() == 16;
            if let Some(ring) = asked {
                let number = rings.get_mut(ring).and_then(VecDeque::pop_front);
                *if number.is_some() { &mut taken } else { &mut empty } += 1;
                *coming.back_mut().unwrap() = Some(number);
            }
            coming.push_back(None);
            asked = take.then_some(ring);
            let ends = put && word == 3;
            assert_eq!(dut.refused.val(), ends && full);
            if ends && full {
                refused += 1;
            } else if ends {
                rings[sender].push_back(number);
                sent[sender] += 1;
            }
            word = if put { (word + 1) % 4 } else { word };
            edge(&mut dut, true);
        }
        assert!(sent.iter().all(|n| *n > 150), "{sent:?}");
        assert!(refused > 500 && taken > 800 && empty > 100, "{refused} refused, {taken} taken, {empty} empty");
    }
}
