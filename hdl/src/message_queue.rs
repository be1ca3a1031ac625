//! The messages to one processor: a ring of 16 for each sender, so that the order of a pair is kept and no sender fills another's ring.
//!
//! A message to a full ring is refused; nothing is ever overwritten. The processor takes from the ring it names.
//!
//! | port           | dir | width | meaning                                                                    |
//! |----------------|-----|-------|----------------------------------------------------------------------------|
//! | `put`          | in  | 1     | `message` comes from processor `sender`                                    |
//! | `sender`       | in  | 4     | below the number of processors                                             |
//! | `message`      | in  | 128   | {kind, address, length, context}, 32 bits each, kind lowest                |
//! | `refused`      | out | 1     | with `put`: the ring is full                                               |
//! | `take`         | in  | 1     | take the oldest message of `take_ring`                                     |
//! | `take_ring`    | in  | 4     | its sender                                                                 |
//! | `taken`        | out | 128   | the message, [`TAKE_LATENCY`] cycles later                                 |
//! | `taken_valid`  | out | 1     | it is one: the ring was not empty                                          |
//! | `level_i`      | out | 5     | messages of processor i; reset value 0                                     |
//! | `pending`      | out | 16    | bit i: ring i is not empty; reset value 0                                  |
//!
//! Latency: a message counts and can be taken in the cycle behind its `put`. Throughput: one put and one take per cycle. A take that finds
//! a message counted gets it.
//! Reset empties all rings.
//! Implements: ¶66.2 (messages from other processors), the message queue manager of ¶66.1.

use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

use crate::concat::Concat;
use crate::many;
use crate::memory::{Collision, Memory};

/// Cycles from `take` to `taken`: register, read, register.
pub const TAKE_LATENCY: usize = 3;

/// See the module's page.
#[derive(LogicBlock)]
pub struct MessageQueue {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub put: Signal<In, Bit>,
    pub sender: Signal<In, Bits<4>>,
    pub message: Signal<In, Bits<128>>,
    pub refused: Signal<Out, Bit>,
    pub take: Signal<In, Bit>,
    pub take_ring: Signal<In, Bits<4>>,
    pub taken: Signal<Out, Bits<128>>,
    pub taken_valid: Signal<Out, Bit>,
    pub level: Vec<Signal<Out, Bits<5>>>,
    pub pending: Signal<Out, Bits<16>>,
    rings: Memory<128, 8>,
    accepts: Vec<Signal<Local, Bit>>,
    enters: Signal<Local, Bit>,
    full: Signal<Local, Bit>,
    write_part: Vec<Signal<Local, Bits<8>>>,
    write_address: Signal<Local, Bits<8>>,
    // The rings.
    write_place: Vec<DFF<Bits<4>>>,
    read_place: Vec<DFF<Bits<4>>>,
    held: Vec<DFF<Bits<5>>>,
    not_empty: Concat<16>,
    // Leaving.
    asked: DFF<Bit>,
    asked_ring: DFF<Bits<4>>,
    takes: Vec<Signal<Local, Bit>>,
    found: Signal<Local, Bit>,
    read_part: Vec<Signal<Local, Bits<8>>>,
    read_address: Signal<Local, Bits<8>>,
    reading: DFF<Bit>,
    valid: DFF<Bit>,
    out: DFF<Bits<128>>,
    /// The first place of each ring.
    ring_start: Vec<Constant<Bits<8>>>,
    _processors: usize,
}

impl MessageQueue {
    /// The messages of `processors` processors to one of them.
    pub fn new(processors: usize) -> Self {
        block! {
            Self {
                level: many(processors),
                // A place is read at the earliest in the cycle behind its write.
                rings: Memory::new(16 * processors, Collision::Discarded),
                accepts: many(processors),
                write_part: many(processors),
                write_place: many(processors),
                read_place: many(processors),
                held: many(processors),
                takes: many(processors),
                read_part: many(processors),
                ring_start: (0..processors as u64).map(|i| Constant::new((16 * i).to_bits())).collect(),
                _processors: processors,
            },
            clock, reset, put, sender, message, refused, take, take_ring, taken, taken_valid, pending, enters, full,
            write_address, not_empty, asked, asked_ring, found, read_address, reading, valid, out
        }
    }
}

impl Logic for MessageQueue {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, asked, asked_ring, reading, valid, out);
        self.rings.clock.next = self.clock.val();

        self.asked.d.next = self.take.val() & !self.reset.val();
        self.asked_ring.d.next = self.take_ring.val();
        self.full.next = false;
        self.enters.next = false;
        self.write_address.next = 0.into();
        self.found.next = false;
        self.read_address.next = 0.into();
        for i in 0..16 {
            self.not_empty.element[i].next = false;
        }
        for i in 0..self._processors {
            self.write_place[i].clock.next = self.clock.val();
            self.read_place[i].clock.next = self.clock.val();
            self.held[i].clock.next = self.clock.val();

            // Enter.
            self.accepts[i].next = false;
            self.write_part[i].next = 0.into();
            self.write_place[i].d.next = self.write_place[i].q.val();
            if self.sender.val() == i.to_bits() {
                self.accepts[i].next = self.put.val() & !self.held[i].q.val().get_bit(4);
                self.full.next = self.put.val() & self.held[i].q.val().get_bit(4);
                self.write_part[i].next = self.ring_start[i].val() | self.write_place[i].q.val().get_bits::<8>(0);
            }
            self.enters.next = self.enters.val() | self.accepts[i].val();
            self.write_address.next = self.write_address.val() | self.write_part[i].val();
            if self.accepts[i].val() {
                self.write_place[i].d.next = self.write_place[i].q.val() + 1;
            }

            // Leave.
            self.takes[i].next =
                self.asked.q.val() & (self.asked_ring.q.val() == i.to_bits()) & self.held[i].q.val().any();
            self.found.next = self.found.val() | self.takes[i].val();
            self.read_place[i].d.next = self.read_place[i].q.val();
            self.read_part[i].next = 0.into();
            if self.asked_ring.q.val() == i.to_bits() {
                self.read_part[i].next = self.ring_start[i].val() | self.read_place[i].q.val().get_bits::<8>(0);
            }
            self.read_address.next = self.read_address.val() | self.read_part[i].val();
            if self.takes[i].val() {
                self.read_place[i].d.next = self.read_place[i].q.val() + 1;
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
                self.write_place[i].d.next = 0.into();
                self.read_place[i].d.next = 0.into();
                self.held[i].d.next = 0.into();
            }
        }
        self.refused.next = self.full.val();
        self.pending.next = self.not_empty.value.val();

        self.rings.write_enable.next = self.enters.val();
        self.rings.write_address.next = self.write_address.val();
        self.rings.write_data.next = self.message.val();
        self.rings.read_address.next = self.read_address.val();
        self.reading.d.next = self.found.val() & !self.reset.val();
        self.valid.d.next = self.reading.q.val() & !self.reset.val();
        self.out.d.next = self.rings.read_data.val();
        self.taken.next = self.out.q.val();
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

    #[test]
    fn the_four_words_of_a_message_come_out_as_they_went_in_and_an_empty_ring_gives_none() {
        let mut dut = Dut::new(2);
        let words: [u64; 4] = [0x1111_2222, 0x3333_4444, 0x5555_6666, 0x7777_8888];
        let message = words.iter().rev().fold(Bits::<128>::default(), |all, word| (all << 32) | bits::<128>(*word));
        dut.message.next = message;
        dut.sender.next = 1.into();
        dut.put.next = true;
        edge(&mut dut, false);
        assert!(!dut.refused.val() && dut.level[1].val() == 0);
        edge(&mut dut, true);
        dut.put.next = false;
        edge(&mut dut, false);
        assert_eq!((dut.level[1].val().to_u64(), dut.pending.val().to_u64()), (1, 2));
        for (ring, found) in [(0, false), (1, true), (1, false), (7, false)] {
            dut.take.next = true;
            dut.take_ring.next = u64::to_bits(ring);
            for _ in 0..TAKE_LATENCY {
                edge(&mut dut, true);
                dut.take.next = false;
                edge(&mut dut, false);
            }
            assert_eq!(dut.taken_valid.val(), found);
            assert!(!found || dut.taken.val() == message);
        }
    }

    #[test]
    fn each_pair_keeps_its_order_and_a_full_ring_refuses_without_loss() {
        const N: usize = 5;
        let mut dut = Dut::new(N);
        let mut rings = [(); N].map(|()| VecDeque::<u64>::new());
        let (mut number, mut coming) = (0u64, VecDeque::from(vec![None; TAKE_LATENCY]));
        let (mut seed, mut sent, mut refused, mut taken, mut empty) = (0x600d_f00du32, [0; N], 0, 0, 0);
        let mut asked: Option<usize> = None;
        for now in 0..3000u32 {
            // xorshift32
            seed ^= seed << 13;
            seed ^= seed >> 17;
            seed ^= seed << 5;
            let put = seed & 7 != 0;
            let sender = (seed >> 3) as usize % N;
            number += u64::from(put);
            dut.put.next = put;
            dut.sender.next = (sender as u64).to_bits();
            // The number stands in the kind and, inverted, in the context.
            dut.message.next = bits::<128>(number) | (!bits::<128>(number) << 96);
            // Phases in which nobody takes, so that rings fill.
            let take = now / 200 % 2 == 1 && seed >> 8 & 7 != 0;
            let ring = (seed >> 12) as usize % (N + 1);
            dut.take.next = take;
            dut.take_ring.next = (ring as u64).to_bits();
            edge(&mut dut, false);

            // The answer to an earlier take.
            let expected: Option<Option<u64>> = coming.pop_front().unwrap();
            assert_eq!(dut.taken_valid.val(), matches!(expected, Some(Some(_))), "cycle {now}");
            if let Some(Some(number)) = expected {
                let number = bits::<128>(number);
                assert_eq!(dut.taken.val(), number | (!number << 96));
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
            assert_eq!(dut.refused.val(), put && full);
            if put && full {
                refused += 1;
            } else if put {
                rings[sender].push_back(number);
                sent[sender] += 1;
            }
            edge(&mut dut, true);
        }
        assert!(sent.iter().all(|n| *n > 150), "{sent:?}");
        assert!(refused > 500 && taken > 800 && empty > 100, "{refused} refused, {taken} taken, {empty} empty");
    }
}
