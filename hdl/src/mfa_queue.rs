//! A free or post queue of message frames: holds frame numbers, shows the oldest one as an MFA.
//!
//! The head needs no time between takes: while it is on show the next ones wait behind it, already turned into addresses. `level`,
//! `commands` and `datas` count an entry from the cycle in which it can be taken: as long as `level` is not 0, a take returns an MFA.
//! (An old I2O chip seemed empty when it was not, so hosts still read twice.)
//!
//! There is room for every frame of a region, and a frame is in at most one queue, so this queue is never full.
//!
//! | port         | dir | width | meaning                                                                                |
//! |--------------|-----|-------|----------------------------------------------------------------------------------------|
//! | `base`       | in  | 26    | bits 31:6 of the first frame's address                                                 |
//! | `size`       | in  | 5     | log2 of the bytes of a frame; below 6 counts as 6, above 16 as 16                      |
//! | `push`       | in  | 1     | append `push_index`                                                                    |
//! | `push_index` | in  | 10    | the frame                                                                              |
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

/// Cycles from `push` to `head`: queue, shift, add.
pub const LATENCY: usize = queue::LATENCY + 2;

/// See the module's page.
#[derive(LogicBlock)]
pub struct MfaQueue {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub base: Signal<In, Bits<26>>,
    pub size: Signal<In, Bits<5>>,
    pub push: Signal<In, Bit>,
    pub push_index: Signal<In, Bits<10>>,
    pub push_kind: Signal<In, Bits<2>>,
    pub take: Signal<In, Bit>,
    pub head: Signal<Out, Bits<32>>,
    pub taken: Signal<Out, Bit>,
    pub head_index: Signal<Out, Bits<10>>,
    pub level: Signal<Out, Bits<11>>,
    pub arrived: Signal<Out, Bit>,
    pub commands: Signal<Out, Bit>,
    pub datas: Signal<Out, Bit>,
    entries: Queue<12, 10, 11>,
    entry: Signal<Local, Entry>,
    shift: DFF<Bits<4>>,
    // An entry on its way from the queue to the head: its offset in units of 64 bytes.
    moving: DFF<Bit>,
    moving_index: DFF<Bits<10>>,
    moving_kind: DFF<Bits<2>>,
    offset: DFF<Bits<20>>,
    move_on: Signal<Local, Bit>,
    fetch: Signal<Local, Bit>,
    // The head.
    shown: DFF<Bit>,
    mfa: DFF<Bits<32>>,
    index: DFF<Bits<10>>,
    kind: DFF<Bits<2>>,
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
    only_data: Constant<Bits<2>>,
    _latency: usize,
    _kind_stages: usize,
}

/// What the queue stores.
#[derive(LogicStruct, Debug, Copy, Clone, PartialEq, Default)]
struct Entry {
    index: Bits<10>,
    kind: Bits<2>,
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
                only_data: Constant::new(2u64.to_bits()),
                _latency: LATENCY,
                _kind_stages: LATENCY - 1,
            },
            clock, reset, base, size, push, push_index, push_kind, take, head, taken, head_index, level, arrived,
            commands, datas, entry, shift, moving, moving_index, moving_kind, offset, move_on, fetch, shown, mfa, index,
            kind, address, takes, takes_command, takes_data, waiting, waiting_commands, waiting_datas, waiting_change,
            waiting_commands_change, waiting_datas_change
        }
    }
}

impl Logic for MfaQueue {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, shift, moving, moving_index, moving_kind, offset, shown, mfa, index, kind);
        dff_setup!(self, clock, waiting, waiting_commands, waiting_datas);
        self.entries.clock.next = self.clock.val();
        self.entries.reset.next = self.reset.val();

        self.entry.next.index = self.push_index.val();
        self.entry.next.kind = self.push_kind.val();
        self.entries.push.next = self.push.val();
        self.entries.push_data.next = self.entry.val().into();

        // From the back to the front: a stage moves when the one before it is empty or moves.
        self.takes.next = self.take.val() & self.shown.q.val();
        self.move_on.next = self.take.val() | !self.shown.q.val();
        self.fetch.next = self.move_on.val() | !self.moving.q.val();
        self.entries.pop.next = self.fetch.val();

        self.shift.d.next = (self.size.val() - 6).get_bits::<4>(0);
        if self.size.val() < 6 {
            self.shift.d.next = 0.into();
        }
        if self.size.val() > 16 {
            self.shift.d.next = 10.into();
        }
        if self.fetch.val() {
            self.moving.d.next = self.entries.head_valid.val();
            self.moving_index.d.next = self.entries.head_data.val().get_bits::<10>(0);
            self.moving_kind.d.next = self.entries.head_data.val().get_bits::<2>(10);
            self.offset.d.next = bit_cast::<20, 12>(self.entries.head_data.val() & 0x3ff) << self.shift.q.val();
        }
        self.address.next.kind = self.moving_kind.q.val();
        self.address.next.zero = 0.into();
        self.address.next.block = self.base.val() + bit_cast::<26, 20>(self.offset.q.val());
        if self.move_on.val() {
            self.shown.d.next = self.moving.q.val();
            self.index.d.next = self.moving_index.q.val();
            self.kind.d.next = self.moving_kind.q.val();
            self.mfa.d.next = self.empty.val();
            if self.moving.q.val() {
                self.mfa.d.next = self.address.val().into();
            }
        }
        self.head.next = self.mfa.q.val();
        self.taken.next = self.takes.val();
        self.head_index.next = self.index.q.val();

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
        self.takes_command.next = self.takes.val() & (self.kind.q.val() != self.only_data.val());
        self.takes_data.next = self.takes.val() & self.kind.q.val().get_bit(1);

        // Indices are literals in the HDL: 3 is LATENCY - 2.
        self.waiting_change.next = 0.into();
        if self.coming[3].q.val() & !self.takes.val() {
            self.waiting_change.next = 1.into();
        }
        if self.takes.val() & !self.coming[3].q.val() {
            self.waiting_change.next = self.less.val();
        }
        self.waiting.d.next = self.waiting.q.val() + self.waiting_change.val();
        self.waiting_commands_change.next = 0.into();
        if self.coming_command[3].q.val() & !self.takes_command.val() {
            self.waiting_commands_change.next = 1.into();
        }
        if self.takes_command.val() & !self.coming_command[3].q.val() {
            self.waiting_commands_change.next = self.less.val();
        }
        self.waiting_commands.d.next = self.waiting_commands.q.val() + self.waiting_commands_change.val();
        self.waiting_datas_change.next = 0.into();
        if self.coming_data[3].q.val() & !self.takes_data.val() {
            self.waiting_datas_change.next = 1.into();
        }
        if self.takes_data.val() & !self.coming_data[3].q.val() {
            self.waiting_datas_change.next = self.less.val();
        }
        self.waiting_datas.d.next = self.waiting_datas.q.val() + self.waiting_datas_change.val();
        self.level.next = self.waiting.q.val();
        self.arrived.next = self.coming[4].q.val();
        self.commands.next = self.waiting_commands.q.val().any();
        self.datas.next = self.waiting_datas.q.val().any();

        if self.reset.val() {
            self.moving.d.next = false;
            self.shown.d.next = false;
            self.mfa.d.next = self.empty.val();
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

    const BASE: u64 = 0x0300_0040;

    fn new(depth: usize, size: u64) -> MfaQueue {
        let mut dut = MfaQueue::new(depth);
        dut.base.next = (BASE >> 6).to_bits();
        dut.size.next = size.to_bits();
        cycle(&mut dut, None, false);
        cycle(&mut dut, None, false);
        dut
    }

    /// One clock cycle; what a take returns.
    fn cycle(dut: &mut MfaQueue, push: Option<(u64, u64)>, take: bool) -> u64 {
        let (index, kind) = push.unwrap_or_default();
        dut.push.next = push.is_some();
        dut.push_index.next = index.to_bits();
        dut.push_kind.next = kind.to_bits();
        dut.take.next = take;
        dut.clock.next = false.into();
        assert!(simulate(dut, 10));
        let head = dut.head.val().to_u64();
        assert_eq!(dut.taken.val(), take && head != u64::from(EMPTY));
        dut.clock.next = true.into();
        assert!(simulate(dut, 10));
        head
    }

    #[test]
    fn an_entry_is_counted_in_the_cycle_in_which_it_can_be_taken() {
        let mut dut = new(16, 9);
        cycle(&mut dut, Some((5, 2)), false);
        for _ in 1..LATENCY {
            assert!(!dut.arrived.val() && !dut.datas.val());
            assert_eq!((dut.level.val().to_u64(), cycle(&mut dut, None, false)), (0, u64::from(EMPTY)));
        }
        assert!(dut.arrived.val() && dut.datas.val() && !dut.commands.val());
        assert_eq!((dut.level.val().to_u64(), cycle(&mut dut, None, true)), (1, BASE + 5 * 512 + 2));
        assert!(!dut.arrived.val() && !dut.datas.val());
        assert_eq!((dut.level.val().to_u64(), cycle(&mut dut, None, true)), (0, u64::from(EMPTY)));
    }

    #[test]
    fn entries_that_wait_are_taken_one_a_cycle() {
        for size in 0..32 {
            let mut dut = new(16, size);
            let size = size.clamp(6, 16);
            for n in 0..16 {
                cycle(&mut dut, Some((15 - n, n & 3)), false);
            }
            for _ in 0..LATENCY {
                cycle(&mut dut, None, false);
            }
            for n in 0..16 {
                assert_eq!(cycle(&mut dut, None, true), BASE + ((15 - n) << size) + (n & 3));
            }
            assert_eq!(cycle(&mut dut, None, true), u64::from(EMPTY));
        }
    }

    #[test]
    fn a_queue_that_counts_an_entry_is_never_empty() {
        let mut dut = new(16, 6);
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
                Some((index, kind)) => assert_eq!(head, BASE + (index << 6) + kind),
                None => assert_eq!(head, u64::from(EMPTY)),
            }
            if take {
                *if waiting.pop_front().is_some() { &mut taken } else { &mut empty } += 1;
            }
        }
        assert!(taken > 1000 && empty > 500, "{taken} taken, {empty} times empty");
    }
}
