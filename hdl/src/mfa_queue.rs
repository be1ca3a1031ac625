//! A free or post queue of message frames: shows the oldest one as an MFA.
//!
//! The head needs no time between takes. `level`, `commands` and `datas` count an entry from the cycle in which it can be taken: as long
//! as `level` is not 0, a take returns an MFA. (An old I2O chip seemed empty when it was not, so hosts still read twice.)
//!
//! There is room for every frame of a region, and a frame is in at most one queue, so this queue is never full.
//!
//! | port         | dir | width | meaning                                                                                |
//! |--------------|-----|-------|----------------------------------------------------------------------------------------|
//! | `push`       | in  | 1     | append a frame                                                                         |
//! | `push_index` | in  | 10    | its number, less than the depth                                                        |
//! | `push_block` | in  | 26    | bits 31:6 of its address                                                               |
//! | `push_kind`  | in  | 2     | the low two bits of its MFA: bit 0 a command, bit 1 data                               |
//! | `take`       | in  | 1     | take the head                                                                          |
//! | `head`       | out | 32    | what a take returns: an MFA, or 0xFFFFFFFF if there is none; reset value 0xFFFFFFFF    |
//! | `taken`      | out | 1     | an entry is taken in this cycle                                                        |
//! | `head_index` | out | 10    | its frame                                                                              |
//! | `level`      | out | 11    | entries that can be taken; reset value 0                                               |
//! | `arrived`    | out | 1     | `level` has just grown by an entry; reset value 0                                      |
//! | `commands`   | out | 1     | there is one that carries a command (kind 1, 3, or 0: an I2O host that knows no kinds) |
//! | `datas`      | out | 1     | there is one that carries data (kind 2 or 3)                                           |
//!
//! Latency: [`LATENCY`] cycles from `push` to `head` and `level`. Throughput: one push and one take per cycle. Never stalls.
//! Implements: ¶69.2 to ¶69.4, ¶69.7.

use abi::receive::EMPTY;
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

use crate::many;
use crate::queue::{self, Queue};

/// Cycles from `push` to `head`.
pub const LATENCY: usize = queue::LATENCY;

/// See the module's page.
#[derive(LogicBlock)]
pub struct MfaQueue {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub push: Signal<In, Bit>,
    pub push_index: Signal<In, Bits<10>>,
    pub push_block: Signal<In, Bits<26>>,
    pub push_kind: Signal<In, Bits<2>>,
    pub take: Signal<In, Bit>,
    pub head: Signal<Out, Bits<32>>,
    pub taken: Signal<Out, Bit>,
    pub head_index: Signal<Out, Bits<10>>,
    pub level: Signal<Out, Bits<11>>,
    pub arrived: Signal<Out, Bit>,
    pub commands: Signal<Out, Bit>,
    pub datas: Signal<Out, Bit>,
    entries: Queue<38, 10, 11>,
    entry: Signal<Local, Entry>,
    kind: Signal<Local, Bits<2>>,
    address: Signal<Local, Address>,
    takes: Signal<Local, Bit>,
    // An entry counts when it is on show or right behind one that is.
    coming: Vec<DFF<Bit>>,
    coming_command: Vec<DFF<Bit>>,
    coming_data: Vec<DFF<Bit>>,
    takes_command: Signal<Local, Bit>,
    takes_data: Signal<Local, Bit>,
    waiting: DFF<Bits<11>>,
    waiting_commands: DFF<Bits<11>>,
    waiting_datas: DFF<Bits<11>>,
    waiting_change: Signal<Local, Bits<11>>,
    waiting_commands_change: Signal<Local, Bits<11>>,
    waiting_datas_change: Signal<Local, Bits<11>>,
    less: Constant<Bits<11>>,
    empty: Constant<Bits<32>>,
    /// Bits of a frame's number that are always 0: the queue's RAM has no room for them.
    spare: Constant<Bits<4>>,
    only_data: Constant<Bits<2>>,
    _latency: usize,
    _kind_stages: usize,
}

/// What the queue stores.
#[derive(LogicStruct, Debug, Copy, Clone, PartialEq, Default)]
struct Entry {
    index: Bits<10>,
    kind: Bits<2>,
    block: Bits<26>,
}

/// An MFA.
#[derive(LogicStruct, Debug, Copy, Clone, PartialEq, Default)]
struct Address {
    kind: Bits<2>,
    zero: Bits<4>,
    block: Bits<26>,
}

impl MfaQueue {
    /// A queue for at most `depth` frames: a power of two, 16 to 1024.
    pub fn new(depth: usize) -> Self {
        block! {
            Self {
                entries: Queue::new(depth),
                coming: many(LATENCY),
                coming_command: many(LATENCY - 1),
                coming_data: many(LATENCY - 1),
                less: Constant::new(!Bits::<11>::default()),
                empty: Constant::new(u64::from(EMPTY).to_bits()),
                spare: Constant::new((10 - clog2(depth) as u64).to_bits()),
                only_data: Constant::new(2u64.to_bits()),
                _latency: LATENCY,
                _kind_stages: LATENCY - 1,
            },
            clock, reset, push, push_index, push_block, push_kind, take, head, taken, head_index, level, arrived,
            commands, datas, entry, kind, address, takes, takes_command, takes_data, waiting, waiting_commands, waiting_datas, waiting_change,
            waiting_commands_change, waiting_datas_change
        }
    }
}

impl Logic for MfaQueue {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, waiting, waiting_commands, waiting_datas);
        self.entries.clock.next = self.clock.val();
        self.entries.reset.next = self.reset.val();

        self.entry.next.index = (self.push_index.val() << self.spare.val()) >> self.spare.val();
        self.entry.next.kind = self.push_kind.val();
        self.entry.next.block = self.push_block.val();
        self.entries.push.next = self.push.val();
        self.entries.push_data.next = self.entry.val().into();

        self.takes.next = self.take.val() & self.entries.head_valid.val();
        self.entries.pop.next = self.take.val();
        self.kind.next = self.entries.head_data.val().get_bits::<2>(10);
        self.address.next.kind = self.kind.val();
        self.address.next.zero = 0.into();
        self.address.next.block = self.entries.head_data.val().get_bits::<26>(12);
        self.head.next = self.empty.val();
        if self.entries.head_valid.val() {
            self.head.next = self.address.val().into();
        }
        self.taken.next = self.takes.val();
        self.head_index.next = self.entries.head_data.val().get_bits::<10>(0);

        // Levels.
        for s in 0..self._latency {
            self.coming[s].clock.next = self.clock.val();
        }
        for s in 0..self._kind_stages {
            self.coming_command[s].clock.next = self.clock.val();
            self.coming_data[s].clock.next = self.clock.val();
        }
        self.coming[0].d.next = self.push.val() & !self.entries.full.val();
        self.coming_command[0].d.next =
            self.push.val() & !self.entries.full.val() & (self.push_kind.val() != self.only_data.val());
        self.coming_data[0].d.next = self.push.val() & !self.entries.full.val() & self.push_kind.val().get_bit(1);
        for s in 1..self._latency {
            self.coming[s].d.next = self.coming[s - 1].q.val();
        }
        for s in 1..self._kind_stages {
            self.coming_command[s].d.next = self.coming_command[s - 1].q.val();
            self.coming_data[s].d.next = self.coming_data[s - 1].q.val();
        }
        self.takes_command.next = self.takes.val() & (self.kind.val() != self.only_data.val());
        self.takes_data.next = self.takes.val() & self.kind.val().get_bit(1);

        // Indices are literals in the HDL: 1 is LATENCY - 2.
        self.waiting_change.next = 0.into();
        if self.coming[1].q.val() & !self.takes.val() {
            self.waiting_change.next = 1.into();
        }
        if self.takes.val() & !self.coming[1].q.val() {
            self.waiting_change.next = self.less.val();
        }
        self.waiting.d.next = self.waiting.q.val() + self.waiting_change.val();
        self.waiting_commands_change.next = 0.into();
        if self.coming_command[1].q.val() & !self.takes_command.val() {
            self.waiting_commands_change.next = 1.into();
        }
        if self.takes_command.val() & !self.coming_command[1].q.val() {
            self.waiting_commands_change.next = self.less.val();
        }
        self.waiting_commands.d.next = self.waiting_commands.q.val() + self.waiting_commands_change.val();
        self.waiting_datas_change.next = 0.into();
        if self.coming_data[1].q.val() & !self.takes_data.val() {
            self.waiting_datas_change.next = 1.into();
        }
        if self.takes_data.val() & !self.coming_data[1].q.val() {
            self.waiting_datas_change.next = self.less.val();
        }
        self.waiting_datas.d.next = self.waiting_datas.q.val() + self.waiting_datas_change.val();
        self.level.next = self.waiting.q.val();
        self.arrived.next = self.coming[2].q.val();
        self.commands.next = self.waiting_commands.q.val().any();
        self.datas.next = self.waiting_datas.q.val().any();

        if self.reset.val() {
            self.waiting.d.next = 0.into();
            self.waiting_commands.d.next = 0.into();
            self.waiting_datas.d.next = 0.into();
            for s in 0..self._latency {
                self.coming[s].d.next = false;
            }
            for s in 0..self._kind_stages {
                self.coming_command[s].d.next = false;
                self.coming_data[s].d.next = false;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    /// The address of a frame: what the queue shows of it, it was told.
    fn address(index: u64) -> u64 {
        (0x0300_0040 + 0x0123_4580 * index) & 0xffff_ffc0
    }

    fn new(depth: usize) -> MfaQueue {
        let mut dut = MfaQueue::new(depth);
        cycle(&mut dut, None, false);
        cycle(&mut dut, None, false);
        dut
    }

    /// One clock cycle; what a take returns.
    fn cycle(dut: &mut MfaQueue, push: Option<(u64, u64)>, take: bool) -> u64 {
        let (index, kind) = push.unwrap_or_default();
        dut.push.next = push.is_some();
        dut.push_index.next = index.to_bits();
        dut.push_block.next = (address(index) >> 6).to_bits();
        dut.push_kind.next = kind.to_bits();
        dut.take.next = take;
        dut.clock.next = false.into();
        assert!(simulate(dut, 10));
        let head = dut.head.val().to_u64();
        assert_eq!(dut.taken.val(), take && head != u64::from(EMPTY));
        if dut.taken.val() {
            assert_eq!(head & !3, address(dut.head_index.val().to_u64()));
        }
        dut.clock.next = true.into();
        assert!(simulate(dut, 10));
        head
    }

    #[test]
    fn an_entry_is_counted_in_the_cycle_in_which_it_can_be_taken() {
        let mut dut = new(16);
        cycle(&mut dut, Some((5, 2)), false);
        for _ in 1..LATENCY {
            assert!(!dut.arrived.val() && !dut.datas.val());
            assert_eq!((dut.level.val().to_u64(), cycle(&mut dut, None, false)), (0, u64::from(EMPTY)));
        }
        assert!(dut.arrived.val() && dut.datas.val() && !dut.commands.val());
        assert_eq!((dut.level.val().to_u64(), cycle(&mut dut, None, true)), (1, address(5) + 2));
        assert!(!dut.arrived.val() && !dut.datas.val());
        assert_eq!((dut.level.val().to_u64(), cycle(&mut dut, None, true)), (0, u64::from(EMPTY)));
    }

    #[test]
    fn entries_that_wait_are_taken_one_a_cycle() {
        let mut dut = new(16);
        for n in 0..16 {
            cycle(&mut dut, Some((15 - n, n & 3)), false);
        }
        for _ in 0..LATENCY {
            cycle(&mut dut, None, false);
        }
        for n in 0..16 {
            assert_eq!(cycle(&mut dut, None, true), address(15 - n) + (n & 3));
        }
        assert_eq!(cycle(&mut dut, None, true), u64::from(EMPTY));
    }

    #[test]
    fn a_queue_that_counts_an_entry_is_never_empty() {
        let mut dut = new(16);
        let (mut waiting, mut coming) = (VecDeque::<(u64, u64)>::new(), VecDeque::from(vec![None; LATENCY]));
        let (mut seed, mut taken, mut empty) = (0x0bad_cafeu32, 0, 0);
        for n in 0..4000u32 {
            // xorshift32
            seed ^= seed << 13;
            seed ^= seed >> 17;
            seed ^= seed << 5;
            let often = n / 64 % 2 == 0;
            let room = waiting.len() + coming.iter().flatten().count() < 16;
            let push =
                (room && (seed & 1 == 0) | often).then_some((u64::from(seed >> 8 & 15), u64::from(seed >> 12 & 3)));
            let take = seed >> 4 & 1 == 0 || !often;

            waiting.extend(coming.pop_front().flatten());
            coming.push_back(push);
            assert_eq!(dut.level.val().to_u64() as usize, waiting.len());
            assert_eq!(dut.commands.val(), waiting.iter().any(|(_, kind)| *kind != 2));
            assert_eq!(dut.datas.val(), waiting.iter().any(|(_, kind)| kind & 2 == 2));
            let head = cycle(&mut dut, push, take);
            match waiting.front() {
                Some((index, kind)) => assert_eq!(head, address(*index) + kind),
                None => assert_eq!(head, u64::from(EMPTY)),
            }
            if take {
                *if waiting.pop_front().is_some() { &mut taken } else { &mut empty } += 1;
            }
        }
        assert!(taken > 1000 && empty > 500, "{taken} taken, {empty} times empty");
    }
}
