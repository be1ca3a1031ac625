//! Keeps the completion entries of all channels of the DMA engine in one memory and brings each channel's oldest on show.
//!
//! | port              | dir | width | meaning                                                                         |
//! |-------------------|-----|-------|---------------------------------------------------------------------------------|
//! | `store`           | in  | 1     | store a completion entry                                                        |
//! | `store_channel`   | in  | 5     | of this channel                                                                 |
//! | `store_position`  | in  | 4     | in this position                                                                |
//! | `store_data`      | in  | 64    | the entry                                                                       |
//! | `reported_c`      | in  | 1     | channel c has stored entries that are not on show                               |
//! | `show_position_c` | in  | 4     | position of the oldest of these                                                 |
//! | `show_c`          | out | 1     | it is being brought on show                                                     |
//! | `done_valid_c`    | out | 1     | an entry is on show; reset value 0                                              |
//! | `done_data_c`     | out | 64    | the oldest entry                                                                |
//! | `done_take_c`     | in  | 1     | take it; without an entry on show it does nothing                               |
//! | `taken_c`         | out | 1     | it is taken                                                                     |
//!
//! Latency: [`LATENCY`] cycles from `store` to `done_valid_c` if no other channel waits. Throughput: one entry per three cycles.

use abi::dma::DEPTH;
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

use crate::arbiter::Arbiter;
use crate::many;
use crate::memory::{Collision, Memory};

/// Cycles from `store` to `done_valid_c`: count, choose, read, show.
pub const LATENCY: usize = 4;

/// See the module's page.
#[derive(LogicBlock)]
pub struct DmaReports {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub store: Signal<In, Bit>,
    pub store_channel: Signal<In, Bits<5>>,
    pub store_position: Signal<In, Bits<4>>,
    pub store_data: Signal<In, Bits<64>>,
    pub reported: Vec<Signal<In, Bit>>,
    pub show_position: Vec<Signal<In, Bits<4>>>,
    pub show: Vec<Signal<Out, Bit>>,
    pub done_valid: Vec<Signal<Out, Bit>>,
    pub done_data: Vec<Signal<Out, Bits<64>>>,
    pub done_take: Vec<Signal<In, Bit>>,
    pub taken: Vec<Signal<Out, Bit>>,
    entries: Memory<64, 9>,
    turns: Arbiter,
    channel: Signal<Local, Bits<5>>,
    position: Signal<Local, Bits<4>>,
    /// The channel whose entry is being fetched: at most one.
    fetches: Vec<DFF<Bit>>,
    fetched: Vec<DFF<Bit>>,
    busy: Signal<Local, Bit>,
    valid: Vec<DFF<Bit>>,
    data: Vec<DFF<Bits<64>>>,
    _channels: usize,
}

impl DmaReports {
    /// Entries of `channels` channels.
    pub fn new(channels: usize) -> Self {
        block! {
            Self {
                reported: many(channels),
                show_position: many(channels),
                show: many(channels),
                done_valid: many(channels),
                done_data: many(channels),
                done_take: many(channels),
                taken: many(channels),
                // An entry is counted when it is stored, and fetched later.
                entries: Memory::new(DEPTH * channels, Collision::Discarded),
                turns: Arbiter::new(channels),
                fetches: many(channels),
                fetched: many(channels),
                valid: many(channels),
                data: many(channels),
                _channels: channels,
            },
            clock, reset, store, store_channel, store_position, store_data, channel, position, busy
        }
    }
}

impl Logic for DmaReports {
    #[hdl_gen]
    fn update(&mut self) {
        self.entries.clock.next = self.clock.val();
        self.turns.clock.next = self.clock.val();
        self.turns.reset.next = self.reset.val();

        self.entries.write_enable.next = self.store.val();
        self.entries.write_address.next =
            (bit_cast::<9, 5>(self.store_channel.val()) << 4) | bit_cast::<9, 4>(self.store_position.val());
        self.entries.write_data.next = self.store_data.val();

        // Choose, read, show: one at a time.
        self.busy.next = false;
        self.channel.next = 0.into();
        self.position.next = 0.into();
        for c in 0..self._channels {
            self.fetches[c].clock.next = self.clock.val();
            self.fetched[c].clock.next = self.clock.val();
            self.valid[c].clock.next = self.clock.val();
            self.data[c].clock.next = self.clock.val();
            if self.fetches[c].q.val() {
                self.busy.next = true;
                self.channel.next = c.to_bits();
                self.position.next = self.show_position[c].val();
            }
            if self.fetched[c].q.val() {
                self.busy.next = true;
            }
        }
        self.entries.read_address.next =
            (bit_cast::<9, 5>(self.channel.val()) << 4) | bit_cast::<9, 4>(self.position.val());
        self.turns.advance.next = self.turns.any.val() & !self.busy.val();
        for c in 0..self._channels {
            self.turns.request[c].next = self.reported[c].val() & !self.valid[c].q.val();
            self.fetches[c].d.next = self.turns.grant[c].val() & !self.busy.val() & !self.reset.val();
            self.fetched[c].d.next = self.fetches[c].q.val() & !self.reset.val();
            self.show[c].next = self.fetched[c].q.val();
            self.taken[c].next = self.valid[c].q.val() & self.done_take[c].val();
            self.valid[c].d.next = self.fetched[c].q.val() | (self.valid[c].q.val() & !self.done_take[c].val());
            self.data[c].d.next = self.data[c].q.val();
            if self.fetched[c].q.val() {
                self.data[c].d.next = self.entries.read_data.val();
            }
            if self.reset.val() {
                self.valid[c].d.next = false;
            }
            self.done_valid[c].next = self.valid[c].q.val();
            self.done_data[c].next = self.data[c].q.val();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emit::emit;
    use crate::random::Random;
    use std::collections::VecDeque;

    const CHANNELS: usize = 5;

    #[test]
    fn every_channel_sees_its_entries_once_and_in_order() {
        let mut dut = DmaReports::new(CHANNELS);
        dut.connect_all();
        let mut random = Random::seeded(3);
        let mut stored: [VecDeque<u64>; CHANNELS] = Default::default();
        let (mut written, mut shown) = ([0u64; CHANNELS], [0u64; CHANNELS]);
        let mut compared = 0;
        for cycle in 0..3000u64 {
            dut.reset.next = cycle == 0;
            let channel = random.below(CHANNELS as u64) as usize;
            let store = cycle > 0 && written[channel] - shown[channel] < 15 && random.below(3) == 0;
            dut.store.next = store;
            dut.store_channel.next = (channel as u64).to_bits();
            dut.store_position.next = (written[channel] % 16).to_bits();
            let entry = random.below(1 << 31) << 32 | cycle;
            dut.store_data.next = entry.to_bits();
            for c in 0..CHANNELS {
                dut.reported[c].next = written[c] > shown[c];
                dut.show_position[c].next = (shown[c] % 16).to_bits();
                dut.done_take[c].next = random.below(2) == 0;
            }
            assert!(simulate(&mut dut, 10));
            for c in 0..CHANNELS {
                let taken = dut.done_valid[c].val() && dut.done_take[c].val() && cycle > 0;
                assert_eq!(dut.taken[c].val() && cycle > 0, taken);
                if taken {
                    assert_eq!(Some(dut.done_data[c].val().to_u64()), stored[c].pop_front(), "channel {c}");
                    compared += 1;
                }
                shown[c] += u64::from(dut.show[c].val());
            }
            if store {
                written[channel] += 1;
                stored[channel].push_back(entry);
            }
            for level in [true, false] {
                dut.clock.next = level.into();
                assert!(simulate(&mut dut, 10));
            }
        }
        assert!(compared > 700, "{compared}");
    }

    #[test]
    fn it_can_be_printed() {
        emit(&mut DmaReports::new(17), "dma_reports").expect("printed");
    }
}
