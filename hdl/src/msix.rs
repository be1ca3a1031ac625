//! MSI-X: the table of vectors, and the messages that are due from it.
//!
//! The vectors take turns. A message's address and data are read from the table when its turn comes; a write to the table in that time, of
//! a mask too, puts it off to its next turn. What is offered on `message_valid` is on its way and stays, whatever is masked then.
//!
//! | port              | dir | width | meaning                                                                           |
//! |-------------------|-----|-------|-----------------------------------------------------------------------------------|
//! | `word`            | in  | 8     | word of the table: 4 × vector, + 0 address low, 1 address high, 2 data, 3 control |
//! | `write`           | in  | 1     | store `wdata` there; there is nothing behind the last vector                      |
//! | `wdata`           | in  | 32    | its new value; of a control word only bit 0, the mask, is kept                    |
//! | `rdata`           | out | 32    | the word that `word` named [`READ_LATENCY`] cycles ago                            |
//! | `enable`          | in  | 1     | MSI-X is on                                                                       |
//! | `function_mask`   | in  | 1     | all vectors are masked                                                            |
//! | `hold_count`      | in  | 8     | hold messages back for as many events; see [`crate::msix_vector`]                 |
//! | `hold_time`       | in  | 16    | hold messages back for this time, in units of 64 cycles                           |
//! | `level_i`         | in  | 1     | the condition that vector i reports; a message for each rise                      |
//! | `happens_i`       | in  | 1     | an event that counts for vector i, with the rise of `level_i` or later            |
//! | `pending`         | out | 64    | the pending bit array; reset value 0                                              |
//! | `message_valid`   | out | 1     | a message is offered; reset value 0                                               |
//! | `message_address` | out | 64    | write to this host address                                                        |
//! | `message_data`    | out | 32    | this word                                                                         |
//! | `message_ready`   | in  | 1     | the message is taken                                                              |
//!
//! Latency: a message is offered at most V + [`FETCH`] cycles after it became due, if no other is. Throughput: a message per [`FETCH`] +
//! 2 cycles or more. Reset masks every vector and forgets what is due; held for [`RESET_CYCLES`] cycles it fills the table with zeros.
//! Implements: PCI Local Bus Specification 3.0, 6.8.2 (table and pending bit array); ¶69.6 (the host is interrupted).

use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

use crate::concat::Concat;
use crate::many;
use crate::memory::{Collision, Memory};
use crate::msix_vector::{self, MsixVector};

/// Cycles from `word` to `rdata`: read, register.
pub const READ_LATENCY: usize = 2;

/// Cycles that `reset` must be held for the table to be all zeros.
pub const RESET_CYCLES: usize = 256;

/// Cycles from the level of a vector whose turn it is to its message.
pub const FETCH: usize = msix_vector::LATENCY + 7;

/// See the module's page.
#[derive(LogicBlock)]
pub struct Msix {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub word: Signal<In, Bits<8>>,
    pub write: Signal<In, Bit>,
    pub wdata: Signal<In, Bits<32>>,
    pub rdata: Signal<Out, Bits<32>>,
    pub enable: Signal<In, Bit>,
    pub function_mask: Signal<In, Bit>,
    pub hold_count: Signal<In, Bits<8>>,
    pub hold_time: Signal<In, Bits<16>>,
    pub level: Vec<Signal<In, Bit>>,
    pub happens: Vec<Signal<In, Bit>>,
    pub pending: Signal<Out, Bits<64>>,
    pub message_valid: Signal<Out, Bit>,
    pub message_address: Signal<Out, Bits<64>>,
    pub message_data: Signal<Out, Bits<32>>,
    pub message_ready: Signal<In, Bit>,
    // Two copies: one port makes messages, the other answers the host.
    entries: Memory<32, 8>,
    shadow: Memory<32, 8>,
    masked: Vec<DFF<Bit>>,
    // What the host does.
    in_table: Signal<Local, Bit>,
    in_control: Signal<Local, Bit>,
    stores: Signal<Local, Bit>,
    clear_place: DFF<Bits<8>>,
    store_place: Signal<Local, Bits<8>>,
    store_data: Signal<Local, Bits<32>>,
    mask_read: Signal<Local, Bit>,
    read_mask: DFF<Bit>,
    read_control: DFF<Bit>,
    read_nothing: DFF<Bit>,
    read: DFF<Bits<32>>,
    // The vectors.
    off: DFF<Bit>,
    /// Time in cycles; vectors count in ticks of 64.
    cycles: DFF<Bits<22>>,
    ticks: Signal<Local, Bits<16>>,
    deadline: DFF<Bits<16>>,
    vectors: Vec<MsixVector>,
    all_pending: Concat<64>,
    // Whose turn it is.
    step: DFF<Bits<3>>,
    index: DFF<Bits<6>>,
    following: Signal<Local, Bits<6>>,
    looked_at: DFF<Bits<6>>,
    requested: DFF<Bit>,
    request: Signal<Local, Bit>,
    stale: DFF<Bit>,
    goes: Signal<Local, Bit>,
    // The message.
    address: Signal<Local, Place>,
    fetched: DFF<Bits<32>>,
    low: DFF<Bits<32>>,
    high: DFF<Bits<32>>,
    both: Signal<Local, HostAddress>,
    data: DFF<Bits<32>>,
    valid: DFF<Bit>,
    last: Constant<Bits<6>>,
    _vectors: usize,
}

/// A word of the table.
#[derive(LogicStruct, Debug, Copy, Clone, PartialEq, Default)]
struct Place {
    word: Bits<2>,
    vector: Bits<6>,
}

/// 64 bits from two words.
#[derive(LogicStruct, Debug, Copy, Clone, PartialEq, Default)]
struct HostAddress {
    low: Bits<32>,
    high: Bits<32>,
}

impl Msix {
    /// A table of `vectors` vectors, at most 64.
    pub fn new(vectors: usize) -> Self {
        assert!((1..=64).contains(&vectors));
        block! {
            Self {
                level: many(vectors),
                happens: many(vectors),
                // A word that is written while it is read is not used: the message is put off.
                entries: Memory::new(256, Collision::Discarded),
                shadow: Memory::new(256, Collision::OldData),
                masked: many(vectors),
                vectors: many(vectors),
                last: Constant::new((vectors as u64 - 1).to_bits()),
                _vectors: vectors,
            },
            clock, reset, word, write, wdata, rdata, enable, function_mask, hold_count, hold_time, pending,
            message_valid, message_address, message_data, message_ready, in_table, in_control, stores, clear_place,
            store_place, store_data, mask_read, read_mask, read_control, read_nothing, read, off, cycles, ticks,
            deadline,
            all_pending, step, index, following, looked_at, requested, request, stale, goes, address, fetched, low,
            high, both, data, valid
        }
    }
}

impl Logic for Msix {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, clear_place, read_mask, read_control, read_nothing, read, off, cycles, deadline);
        dff_setup!(self, clock, step, index, looked_at, requested, stale, fetched, low, high, data, valid);
        self.entries.clock.next = self.clock.val();
        self.shadow.clock.next = self.clock.val();

        // The host.
        self.in_table.next = self.word.val().get_bits::<6>(2) <= self.last.val();
        self.in_control.next = self.word.val().get_bits::<2>(0) == 3;
        self.stores.next = self.write.val() & self.in_table.val();
        // In reset every word becomes 0.
        self.clear_place.d.next = self.clear_place.q.val() + 1;
        self.store_place.next = self.word.val();
        self.store_data.next = self.wdata.val();
        if self.reset.val() {
            self.store_place.next = self.clear_place.q.val();
            self.store_data.next = 0.into();
        }
        self.entries.write_enable.next = self.stores.val() | self.reset.val();
        self.entries.write_address.next = self.store_place.val();
        self.entries.write_data.next = self.store_data.val();
        self.shadow.write_enable.next = self.stores.val() | self.reset.val();
        self.shadow.write_address.next = self.store_place.val();
        self.shadow.write_data.next = self.store_data.val();
        self.shadow.read_address.next = self.word.val();
        self.mask_read.next = false;
        for v in 0..self._vectors {
            self.masked[v].clock.next = self.clock.val();
            self.masked[v].d.next = self.masked[v].q.val();
            if self.word.val().get_bits::<6>(2) == v.to_bits() {
                self.mask_read.next = self.mask_read.val() | self.masked[v].q.val();
                if self.write.val() & self.in_control.val() {
                    self.masked[v].d.next = self.wdata.val().get_bit(0);
                }
            }
            if self.reset.val() {
                self.masked[v].d.next = true;
            }
        }
        self.read_mask.d.next = self.mask_read.val();
        self.read_control.d.next = self.in_control.val();
        self.read_nothing.d.next = !self.in_table.val();
        self.read.d.next = self.shadow.read_data.val();
        if self.read_nothing.q.val() | self.read_control.q.val() {
            self.read.d.next = 0.into();
        }
        if self.read_control.q.val() & self.read_mask.q.val() {
            self.read.d.next = 1.into();
        }
        self.rdata.next = self.read.q.val();

        // The vectors.
        self.off.d.next = !self.enable.val() | self.function_mask.val();
        self.cycles.d.next = self.cycles.q.val() + 1;
        self.ticks.next = self.cycles.q.val().get_bits::<16>(6);
        self.deadline.d.next = self.ticks.val() + self.hold_time.val();
        self.goes.next = (self.step.q.val() == 5) & self.requested.q.val() & !self.stale.q.val() & !self.stores.val();
        self.request.next = false;
        for v in 0..64 {
            self.all_pending.element[v].next = false;
        }
        for v in 0..self._vectors {
            self.vectors[v].clock.next = self.clock.val();
            self.vectors[v].reset.next = self.reset.val();
            self.vectors[v].level.next = self.level[v].val();
            self.vectors[v].happens.next = self.happens[v].val();
            self.vectors[v].blocked.next = self.masked[v].q.val() | self.off.q.val();
            self.vectors[v].hold_count.next = self.hold_count.val();
            self.vectors[v].hold_time.next = self.hold_time.val().any();
            self.vectors[v].ticks.next = self.ticks.val();
            self.vectors[v].deadline.next = self.deadline.q.val();
            self.vectors[v].sent.next = self.goes.val() & (self.index.q.val() == v.to_bits());
            self.request.next =
                self.request.val() | (self.vectors[v].request.val() & (self.index.q.val() == v.to_bits()));
            self.all_pending.element[v].next = self.vectors[v].pending.val();
        }
        self.pending.next = self.all_pending.value.val();

        // Step 0 looks at one vector a cycle, 1 to 5 read the table and decide, 6 offers.
        self.following.next = self.index.q.val() + 1;
        if self.index.q.val() == self.last.val() {
            self.following.next = 0.into();
        }
        self.looked_at.d.next = self.index.q.val();
        self.requested.d.next = self.request.val();
        self.stale.d.next = self.stale.q.val() | self.stores.val();
        self.step.d.next = self.step.q.val() + 1;
        if self.step.q.val() == 0 {
            self.stale.d.next = false;
            self.index.d.next = self.following.val();
            self.step.d.next = 0.into();
            if self.requested.q.val() {
                self.index.d.next = self.looked_at.q.val();
                self.step.d.next = 1.into();
            }
        }
        if self.step.q.val() == 3 {
            self.low.d.next = self.fetched.q.val();
        }
        if self.step.q.val() == 4 {
            self.high.d.next = self.fetched.q.val();
        }
        if self.step.q.val() == 5 {
            self.data.d.next = self.fetched.q.val();
            self.valid.d.next = self.goes.val();
        }
        if self.step.q.val() == 6 {
            self.step.d.next = 6.into();
        }
        if ((self.step.q.val() == 5) & !self.goes.val()) | ((self.step.q.val() == 6) & self.message_ready.val()) {
            self.valid.d.next = false;
            self.step.d.next = 0.into();
            self.index.d.next = self.following.val();
            // What was looked at is the vector that has just had its turn.
            self.requested.d.next = false;
        }

        self.address.next.vector = self.index.q.val();
        self.address.next.word = self.step.q.val().get_bits::<2>(0) - 1;
        self.entries.read_address.next = self.address.val().into();
        self.fetched.d.next = self.entries.read_data.val();
        self.both.next.low = self.low.q.val();
        self.both.next.high = self.high.q.val();
        self.message_valid.next = self.valid.q.val();
        self.message_address.next = self.both.val().into();
        self.message_data.next = self.data.q.val();

        if self.reset.val() {
            self.step.d.next = 0.into();
            self.index.d.next = 0.into();
            self.requested.d.next = false;
            self.valid.d.next = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const V: usize = 5;

    fn edge(dut: &mut Msix, level: bool) {
        dut.clock.next = level.into();
        assert!(simulate(dut, 10));
    }

    struct Bench {
        dut: Msix,
        now: usize,
        levels: [bool; V],
        /// When each level rose and no message covers it.
        rises: [Vec<usize>; V],
        offered: bool,
        messages: [usize; V],
        seed: u32,
    }

    impl Bench {
        fn new() -> Self {
            let mut bench = Self {
                dut: Msix::new(V),
                now: 0,
                levels: [false; V],
                rises: Default::default(),
                offered: false,
                messages: [0; V],
                seed: 0x3141_5927,
            };
            bench.dut.reset.next = true;
            bench.cycle(None);
            bench.dut.reset.next = false;
            for v in 0..V as u32 {
                for (word, value) in [0xfee0_0000 | v << 4, 0x1000 + v, 0x4000 + v].into_iter().enumerate() {
                    bench.cycle(Some((4 * v + word as u32, value)));
                }
            }
            bench
        }

        fn random(&mut self) -> u32 {
            // xorshift32
            self.seed ^= self.seed << 13;
            self.seed ^= self.seed >> 17;
            self.seed ^= self.seed << 5;
            self.seed >> 4
        }

        fn mask(&mut self, v: usize, masked: bool) {
            self.cycle(Some((4 * v as u32 + 3, u32::from(masked))));
        }

        /// One cycle; its message, if one was taken, is that of a vector with a rise that has none yet.
        fn cycle(&mut self, write: Option<(u32, u32)>) {
            let (word, value) = write.unwrap_or_default();
            self.dut.write.next = write.is_some();
            self.dut.word.next = u64::from(word).to_bits();
            self.dut.wdata.next = u64::from(value).to_bits();
            for v in 0..V {
                if self.levels[v] && !self.dut.level[v].val() && !self.dut.reset.next {
                    self.rises[v].push(self.now);
                }
                self.dut.level[v].next = self.levels[v];
            }
            edge(&mut self.dut, false);
            if self.dut.message_valid.val() {
                let v = self.dut.message_data.val().to_u64() - 0x4000;
                assert_eq!(self.dut.message_address.val().to_u64(), (0x1000 + v) << 32 | 0xfee0_0000 | v << 4);
                let v = v as usize;
                if !self.offered {
                    let before = self.rises[v].len();
                    // A rise of the last two cycles came too late for this message.
                    self.rises[v].retain(|rise| rise + 3 > self.now);
                    assert!(self.rises[v].len() < before, "two messages for one rise of vector {v}");
                    self.messages[v] += 1;
                }
                self.offered = !self.dut.message_ready.val();
            } else {
                assert!(!self.offered, "an offer is taken back");
            }
            edge(&mut self.dut, true);
            self.now += 1;
        }

        fn cycles(&mut self, count: usize) {
            for _ in 0..count {
                self.cycle(None);
            }
        }
    }

    #[test]
    fn the_table_reads_back_and_only_the_mask_of_a_control_word_is_kept() {
        let mut bench = Bench::new();
        let mut words: BTreeMap<u32, u32> = (0..4 * V as u32).map(|word| (word, 1)).collect();
        for v in 0..V as u32 {
            words.extend([(4 * v, 0xfee0_0000 | v << 4), (4 * v + 1, 0x1000 + v), (4 * v + 2, 0x4000 + v)]);
        }
        bench.cycle(Some((4 * V as u32, 0xdead_beef)));
        bench.cycle(Some((7, 0xffff_fffe)));
        words.extend([(7, 0), (4 * V as u32, 0), (0xff, 0)]);
        for (word, value) in words {
            bench.dut.word.next = u64::from(word).to_bits();
            bench.dut.write.next = false;
            for _ in 0..READ_LATENCY {
                edge(&mut bench.dut, false);
                edge(&mut bench.dut, true);
                bench.dut.word.next = 1.into();
            }
            assert_eq!(bench.dut.rdata.val().to_u64(), u64::from(value), "word {word}");
        }
    }

    #[test]
    fn masked_vectors_are_pending_and_send_when_unmasked() {
        let mut bench = Bench::new();
        bench.dut.message_ready.next = true;
        bench.levels = [true, false, true, true, false];
        bench.cycles(20);
        bench.dut.enable.next = true;
        bench.cycles(20);
        assert_eq!((bench.dut.pending.val().to_u64(), bench.messages), (0b01101, [0; V]));
        bench.levels[3] = false;
        bench.mask(2, false);
        bench.mask(3, false);
        bench.cycles(40);
        assert_eq!((bench.dut.pending.val().to_u64(), bench.messages), (0b00001, [0, 0, 1, 0, 0]), "3 was forgotten");
        bench.dut.function_mask.next = true;
        bench.mask(0, false);
        bench.cycles(40);
        assert_eq!((bench.dut.pending.val().to_u64(), bench.messages), (0b00001, [0, 0, 1, 0, 0]));
        bench.dut.function_mask.next = false;
        bench.cycles(40);
        assert_eq!((bench.dut.pending.val().to_u64(), bench.messages), (0, [1, 0, 1, 0, 0]));
    }

    #[test]
    fn an_idle_table_offers_a_message_within_its_latency() {
        for v in 0..V {
            let mut bench = Bench::new();
            bench.dut.enable.next = true;
            bench.mask(v, false);
            for start in 0..V {
                bench.cycles(start);
                bench.levels[v] = true;
                let waited = (0..50).find(|_| {
                    bench.cycle(None);
                    bench.dut.message_valid.val()
                });
                assert!(waited.expect("a message") < V + FETCH, "{waited:?}");
                bench.dut.message_ready.next = true;
                bench.levels[v] = false;
                bench.cycles(20);
                bench.dut.message_ready.next = false;
            }
        }
    }

    #[test]
    fn vectors_that_are_always_due_take_turns() {
        let mut bench = Bench::new();
        bench.dut.enable.next = true;
        for v in 0..V {
            bench.mask(v, false);
        }
        let mut order = vec![];
        for n in 0..600 {
            bench.levels = [n % 2 == 0; V];
            // The message waits, so that its own vector is due again.
            bench.dut.message_ready.next = n % 20 == 0;
            let before = bench.messages;
            bench.cycle(None);
            order.extend((0..V).filter(|v| bench.messages[*v] != before[*v]));
        }
        assert!(order.len() > 20, "{order:?}");
        assert!(order.windows(2).all(|pair| pair[1] == (pair[0] + 1) % V), "{order:?}");
    }

    #[test]
    fn a_message_is_of_one_setting_and_none_follows_the_mask() {
        let mut sent = [0; 2];
        let all = [(4, 0xfee0_0abc), (5, 0x2222), (6, 0x5555)];
        for (gap, changes) in (0..20).flat_map(|gap| [(gap, &all[..]), (gap, &all[..1]), (gap, &all[1..2])]) {
            let mut bench = Bench::new();
            bench.dut.enable.next = true;
            bench.dut.message_ready.next = true;
            bench.mask(1, false);
            bench.levels[1] = true;
            bench.cycles(gap);
            // Mask, change, unmask, with nothing between.
            bench.mask(1, true);
            let writes = changes.iter().chain([&(7, 0)]);
            let masked = Vec::from_iter(writes.map(|(word, value)| {
                let (word, value): (u64, u64) = (*word, *value);
                bench.dut.word.next = u64::to_bits(word);
                bench.dut.write.next = true;
                bench.dut.wdata.next = u64::to_bits(value);
                edge(&mut bench.dut, false);
                let message = bench.dut.message_valid.val();
                edge(&mut bench.dut, true);
                message
            }));
            // A message that was on offer when the mask came has just been taken.
            assert!(!masked.contains(&true), "{gap} cycles after the rise: {masked:?}");
            if bench.messages[1] == 1 {
                sent[0] += 1;
                continue;
            }
            bench.dut.write.next = false;
            let offered = (0..30).find(|_| {
                edge(&mut bench.dut, false);
                let message = bench.dut.message_valid.val();
                edge(&mut bench.dut, true);
                message
            });
            assert!(offered.is_some());
            // The table of Bench::new, changed.
            let mut words = [0xfee0_0010, 0x1001, 0x4001];
            changes.iter().for_each(|(word, value)| words[*word as usize - 4] = *value);
            assert_eq!(bench.dut.message_address.val().to_u64(), words[1] << 32 | words[0], "{gap}, {changes:x?}");
            assert_eq!(bench.dut.message_data.val().to_u64(), words[2], "{gap}, {changes:x?}");
            sent[1] += 1;
        }
        assert!(sent.iter().all(|n| *n > 5), "{sent:?}");
    }

    #[test]
    fn every_rise_has_its_message_and_no_rise_has_two() {
        for (hold_count, hold_time, masks) in [(0, 0, false), (5, 1, false), (0, 2, false), (3, 0, false), (0, 0, true)]
        {
            let mut bench = Bench::new();
            bench.dut.enable.next = true;
            bench.dut.hold_count.next = u64::to_bits(hold_count);
            bench.dut.hold_time.next = u64::to_bits(hold_time);
            for v in 0..V {
                bench.mask(v, false);
            }
            for _ in 0..2000 {
                let random = bench.random();
                bench.dut.message_ready.next = random & 3 != 0;
                for v in 0..V {
                    bench.dut.happens[v].next = random >> (v + 16) & 1 == 1;
                    bench.levels[v] ^= random >> (5 * v) & 15 == 0;
                }
                let write = match random >> 8 & 63 {
                    0..4 if masks => Some((4 * (random >> 20 & 3) + 3, random >> 9 & 1)),
                    // A write that changes nothing puts messages off.
                    4..8 => Some((4, 0xfee0_0010)),
                    _ => None,
                };
                bench.cycle(write);
            }
            bench.dut.message_ready.next = true;
            for v in 0..V {
                bench.mask(v, false);
                bench.dut.happens[v].next = true;
            }
            bench.cycles(300);
            for v in 0..V {
                // What falls behind a mask is forgotten.
                let forgotten = masks && !bench.levels[v];
                assert!(forgotten || bench.rises[v].is_empty(), "vector {v} has no message for its last rise");
                assert!(bench.messages[v] > 8, "{:?}", bench.messages);
            }
        }
    }
}
