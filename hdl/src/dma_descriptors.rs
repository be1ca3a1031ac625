//! Stores the descriptors of all channels of the DMA engine in one memory, a word a cycle.
//!
//! Channels take turns by descriptors; while the last word of one is fetched, the next channel is chosen.
//!
//! | port               | dir | width | meaning                                                                               |
//! |--------------------|-----|-------|---------------------------------------------------------------------------------------|
//! | `push_c`           | in  | 1     | channel c has a descriptor, and room for it; until it is granted                      |
//! | `push_take_c`      | out | 1     | a word of it is fetched                                                               |
//! | `push_word`        | out | 3     | which one, in order                                                                   |
//! | `push_data_c`      | in  | 32    | one cycle later: the word                                                             |
//! | `push_grant_c`     | out | 1     | the last word is fetched: the descriptor is taken                                     |
//! | `position_c`       | in  | 4     | where the channel's next descriptor is stored                                         |
//! | `start_channel`    | in  | 5     | descriptor to start: channel                                                          |
//! | `start_position`   | in  | 4     | and position                                                                          |
//! | `start_source`     | out | 64    | one cycle later: its source                                                           |
//! | `start_destination`| out | 64    | its destination                                                                       |
//! | `start_control`    | out | 32    | its control word                                                                      |
//! | `retire_channel`   | in  | 5     | descriptor to retire: channel                                                         |
//! | `retire_position`  | in  | 4     | and position                                                                          |
//! | `retire_control`   | out | 32    | one cycle later: its control word                                                     |
//! | `retire_mfa`       | out | 32    | its MFA                                                                               |
//! | `retire_context`   | out | 32    | its context                                                                           |
//!
//! Latency: a descriptor is granted [`PUSH_CYCLES`] cycles after its push at the earliest; what is granted can be read (its address given)
//! three cycles later. Throughput: one descriptor per seven cycles, as [`crate::dma_start`] takes no fewer.

use abi::dma::{DEPTH, DESCRIPTOR_WORDS};
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

use crate::arbiter::Arbiter;
use crate::many;
use crate::memory::{Collision, Memory};

/// Cycles from a push to its grant: choose, fetch.
pub const PUSH_CYCLES: usize = DESCRIPTOR_WORDS;

/// Two words, low one first.
#[derive(LogicStruct, Debug, Copy, Clone, PartialEq, Default)]
struct Wide {
    low: Bits<32>,
    high: Bits<32>,
}

/// See the module's page.
#[derive(LogicBlock)]
pub struct DmaDescriptors {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub push: Vec<Signal<In, Bit>>,
    pub push_take: Vec<Signal<Out, Bit>>,
    pub push_word: Signal<Out, Bits<3>>,
    pub push_data: Vec<Signal<In, Bits<32>>>,
    pub push_grant: Vec<Signal<Out, Bit>>,
    pub position: Vec<Signal<In, Bits<4>>>,
    pub start_channel: Signal<In, Bits<5>>,
    pub start_position: Signal<In, Bits<4>>,
    pub start_source: Signal<Out, Bits<64>>,
    pub start_destination: Signal<Out, Bits<64>>,
    pub start_control: Signal<Out, Bits<32>>,
    pub retire_channel: Signal<In, Bits<5>>,
    pub retire_position: Signal<In, Bits<4>>,
    pub retire_control: Signal<Out, Bits<32>>,
    pub retire_mfa: Signal<Out, Bits<32>>,
    pub retire_context: Signal<Out, Bits<32>>,
    turns: Arbiter,
    /// Whose words are fetched.
    chosen: Vec<DFF<Bit>>,
    fetches: DFF<Bit>,
    word: DFF<Bits<3>>,
    last: Signal<Local, Bit>,
    chooses: Signal<Local, Bit>,
    // The word asked for a cycle ago, as it comes; its place.
    comes: DFF<Bit>,
    comes_from: Vec<DFF<Bit>>,
    coming_word: DFF<Bits<3>>,
    coming_place: DFF<Bits<9>>,
    data_of: Vec<Signal<Local, Bits<32>>>,
    data: Signal<Local, Bits<32>>,
    position_of: Vec<Signal<Local, Bits<4>>>,
    channel_now: Signal<Local, Bits<5>>,
    position_now: Signal<Local, Bits<4>>,
    // The word that is stored.
    stores: DFF<Bit>,
    stored_word: DFF<Bits<3>>,
    stored_place: DFF<Bits<9>>,
    stored: DFF<Bits<32>>,
    /// A memory per word: source and destination, two each, and control; the other side has control, MFA and context.
    to_start: Vec<Memory<32, 9>>,
    to_retire: Vec<Memory<32, 9>>,
    start_place: Signal<Local, Bits<9>>,
    retire_place: Signal<Local, Bits<9>>,
    source: Signal<Local, Wide>,
    destination: Signal<Local, Wide>,
    last_word: Constant<Bits<3>>,
    _channels: usize,
}

impl DmaDescriptors {
    /// Descriptors of `processors` processors and the host.
    pub fn new(processors: usize) -> Self {
        assert_eq!((DEPTH, DESCRIPTOR_WORDS), (16, 7));
        let channels = processors + 1;
        // A descriptor is read long after it was stored.
        let memories = |words: usize| (0..words).map(|_| Memory::new(DEPTH * channels, Collision::Discarded)).collect();
        block! {
            Self {
                push: many(channels),
                push_take: many(channels),
                push_data: many(channels),
                push_grant: many(channels),
                position: many(channels),
                turns: Arbiter::new(channels),
                chosen: many(channels),
                comes_from: many(channels),
                data_of: many(channels),
                position_of: many(channels),
                to_start: memories(5),
                to_retire: memories(3),
                last_word: Constant::new((DESCRIPTOR_WORDS as u64 - 1).to_bits()),
                _channels: channels,
            },
            clock, reset, push_word, start_channel, start_position, start_source, start_destination, start_control,
            retire_channel, retire_position, retire_control, retire_mfa, retire_context, fetches, word, last, chooses,
            comes, coming_word, coming_place, data, channel_now, position_now, stores, stored_word, stored_place,
            stored, start_place, retire_place, source, destination
        }
    }
}

impl Logic for DmaDescriptors {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, fetches, word, comes, coming_word, coming_place, stores, stored_word, stored_place);
        dff_setup!(self, clock, stored);
        self.turns.clock.next = self.clock.val();
        self.turns.reset.next = self.reset.val();

        // Whose turn it is.
        self.last.next = self.word.q.val() == self.last_word.val();
        self.chooses.next = !self.fetches.q.val() | self.last.val();
        self.turns.advance.next = self.chooses.val() & self.turns.any.val();
        self.word.d.next = self.word.q.val() + 1;
        if self.chooses.val() {
            self.fetches.d.next = self.turns.any.val();
            self.word.d.next = 0.into();
        }
        if self.reset.val() {
            self.fetches.d.next = false;
        }

        // Fetch its words.
        self.push_word.next = self.word.q.val();
        self.channel_now.next = 0.into();
        self.position_now.next = 0.into();
        self.data.next = 0.into();
        for c in 0..self._channels {
            self.turns.request[c].next = self.push[c].val() & !self.chosen[c].q.val();
            self.chosen[c].clock.next = self.clock.val();
            self.chosen[c].d.next = self.chosen[c].q.val();
            if self.chooses.val() {
                self.chosen[c].d.next = self.turns.grant[c].val();
            }
            if self.reset.val() {
                self.chosen[c].d.next = false;
            }
            self.push_take[c].next = self.chosen[c].q.val();
            self.push_grant[c].next = self.chosen[c].q.val() & self.last.val();
            self.comes_from[c].clock.next = self.clock.val();
            self.comes_from[c].d.next = self.chosen[c].q.val();
            self.position_of[c].next = 0.into();
            if self.chosen[c].q.val() {
                self.position_of[c].next = self.position[c].val();
                self.channel_now.next = c.to_bits();
            }
            self.data_of[c].next = 0.into();
            if self.comes_from[c].q.val() {
                self.data_of[c].next = self.push_data[c].val();
            }
            self.position_now.next = self.position_now.val() | self.position_of[c].val();
            self.data.next = self.data.val() | self.data_of[c].val();
        }
        self.comes.d.next = self.fetches.q.val() & !self.reset.val();
        self.coming_word.d.next = self.word.q.val();
        self.coming_place.d.next =
            (bit_cast::<9, 5>(self.channel_now.val()) << 4) | bit_cast::<9, 4>(self.position_now.val());
        self.stores.d.next = self.comes.q.val() & !self.reset.val();
        self.stored_word.d.next = self.coming_word.q.val();
        self.stored_place.d.next = self.coming_place.q.val();
        self.stored.d.next = self.data.val();

        // Store them.
        self.start_place.next =
            (bit_cast::<9, 5>(self.start_channel.val()) << 4) | bit_cast::<9, 4>(self.start_position.val());
        self.retire_place.next =
            (bit_cast::<9, 5>(self.retire_channel.val()) << 4) | bit_cast::<9, 4>(self.retire_position.val());
        for w in 0..5 {
            self.to_start[w].clock.next = self.clock.val();
            self.to_start[w].write_enable.next = self.stores.q.val() & (self.stored_word.q.val() == w.to_bits());
            self.to_start[w].write_address.next = self.stored_place.q.val();
            self.to_start[w].write_data.next = self.stored.q.val();
            self.to_start[w].read_address.next = self.start_place.val();
        }
        for w in 0..3 {
            self.to_retire[w].clock.next = self.clock.val();
            self.to_retire[w].write_enable.next = self.stores.q.val() & (self.stored_word.q.val() == (w + 4).to_bits());
            self.to_retire[w].write_address.next = self.stored_place.q.val();
            self.to_retire[w].write_data.next = self.stored.q.val();
            self.to_retire[w].read_address.next = self.retire_place.val();
        }
        self.source.next.low = self.to_start[0].read_data.val();
        self.source.next.high = self.to_start[1].read_data.val();
        self.destination.next.low = self.to_start[2].read_data.val();
        self.destination.next.high = self.to_start[3].read_data.val();
        self.start_source.next = self.source.val().into();
        self.start_destination.next = self.destination.val().into();
        self.start_control.next = self.to_start[4].read_data.val();
        self.retire_control.next = self.to_retire[0].read_data.val();
        self.retire_mfa.next = self.to_retire[1].read_data.val();
        self.retire_context.next = self.to_retire[2].read_data.val();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emit::emit;
    use crate::random::Random;

    const PROCESSORS: usize = 3;
    const CHANNELS: usize = PROCESSORS + 1;

    /// One clock cycle with nothing changed.
    fn edge(dut: &mut DmaDescriptors) {
        for level in [true, false] {
            dut.clock.next = level.into();
            assert!(simulate(dut, 10));
        }
    }

    fn dut() -> DmaDescriptors {
        let mut dut = DmaDescriptors::new(PROCESSORS);
        dut.connect_all();
        dut.reset.next = true;
        edge(&mut dut);
        dut.reset.next = false;
        dut
    }

    #[test]
    fn descriptors_are_stored_whole_and_every_channel_has_its_turn() {
        let mut dut = dut();
        let mut random = Random::seeded(5);
        let mut pushing = [None; CHANNELS];
        let mut waited = [0; CHANNELS];
        let (mut pushes, mut number) = ([0u64; CHANNELS], 0u64);
        let mut places = [[0u64; DEPTH]; CHANNELS];
        // What comes a cycle after it was asked for.
        let mut asked = None;
        for cycle in 0..10_000u64 {
            for c in 0..CHANNELS {
                if pushing[c].is_none() && random.below(20) == 0 {
                    number += 1;
                    pushing[c] = Some(number);
                }
                dut.push[c].next = pushing[c].is_some();
                let comes = asked.and_then(|(whose, word)| (whose == c).then_some(word));
                dut.push_data[c].next = comes.unwrap_or(0xBAD_0000 + cycle).to_bits();
                dut.position[c].next = (pushes[c] % 16).to_bits();
            }
            assert!(simulate(&mut dut, 10));
            asked = None;
            for c in 0..CHANNELS {
                let (taken, granted) = (dut.push_take[c].val(), dut.push_grant[c].val());
                if taken {
                    assert_eq!(asked, None, "two at a time");
                    let word = dut.push_word.val().to_u64();
                    asked = Some((c, pushing[c].expect("it pushes") << 8 | word));
                    assert_eq!(granted, word == 6);
                }
                waited[c] = if granted || pushing[c].is_none() { 0 } else { waited[c] + 1 };
                assert!(waited[c] <= CHANNELS * PUSH_CYCLES, "channel {c} starves");
                if granted {
                    places[c][pushes[c] as usize % DEPTH] = pushing[c].take().expect("it pushes");
                    pushes[c] += 1;
                }
            }
            edge(&mut dut);
        }
        assert!(pushes.iter().all(|p| *p > 100), "{pushes:?}");
        for c in 0..CHANNELS {
            dut.push[c].next = false;
            // A descriptor that is half fetched is not in a place yet.
            places[c][pushes[c] as usize % DEPTH] = 0;
        }
        for (c, places) in places.iter().enumerate() {
            for (position, number) in places.iter().enumerate().filter(|(_, number)| **number > 0) {
                dut.start_channel.next = (c as u64).to_bits();
                dut.start_position.next = (position as u64).to_bits();
                dut.retire_channel.next = (c as u64).to_bits();
                dut.retire_position.next = (position as u64).to_bits();
                edge(&mut dut);
                let word = |word: u64| number << 8 | word;
                assert_eq!(dut.start_source.val().to_u64(), word(1) << 32 | word(0));
                assert_eq!(dut.start_destination.val().to_u64(), word(3) << 32 | word(2));
                assert_eq!(dut.start_control.val().to_u64(), word(4));
                assert_eq!(dut.retire_control.val().to_u64(), word(4));
                assert_eq!(dut.retire_mfa.val().to_u64(), word(5));
                assert_eq!(dut.retire_context.val().to_u64(), word(6));
            }
        }
    }

    #[test]
    fn one_descriptor_follows_another_without_a_gap_and_is_there_three_cycles_later() {
        let mut dut = dut();
        for c in 0..CHANNELS {
            dut.push[c].next = true;
        }
        assert!(simulate(&mut dut, 10));
        edge(&mut dut);
        let mut grants = vec![];
        for cycle in 1..=3 * PUSH_CYCLES {
            assert!(simulate(&mut dut, 10));
            grants.extend((0..CHANNELS).filter(|c| dut.push_grant[*c].val()).map(|c| (cycle, c)));
            edge(&mut dut);
        }
        assert_eq!(grants, [(PUSH_CYCLES, 0), (2 * PUSH_CYCLES, 1), (3 * PUSH_CYCLES, 2)]);
        for push in &mut dut.push {
            push.next = false;
        }
        // The last word of channel 2 was asked for in the cycle before.
        dut.push_data[2].next = 77.into();
        dut.retire_channel.next = 2.into();
        for expected in [0, 0, 77] {
            edge(&mut dut);
            assert_eq!(dut.retire_context.val().to_u64(), expected);
            dut.push_data[2].next = 88.into();
        }
    }

    #[test]
    fn it_can_be_printed() {
        emit(&mut DmaDescriptors::new(16), "dma_descriptors").expect("printed");
    }
}
