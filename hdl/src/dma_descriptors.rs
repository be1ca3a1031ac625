//! Stores the descriptors of all channels of the DMA engine in one memory.
//!
//! Processors take turns. The host comes first and is never held up, as its register writes cannot wait; it is announced a cycle ahead, so
//! that the processors' turns are registers. What is not announced, for want of credit, is refused and takes nobody's turn; so the host takes
//! at most 16 turns before the processors had theirs.
//!
//! | port               | dir | width | meaning                                                                               |
//! |--------------------|-----|-------|---------------------------------------------------------------------------------------|
//! | `push_c`           | in  | 1     | channel c hands in a descriptor; held until it is granted or refused                  |
//! | `push_data_c`      | in  | 224   | the descriptor, see [`abi::dma`], stable as long as `push_c`                          |
//! | `push_grant_c`     | out | 1     | it is taken in this cycle; the host's (the last one) in the cycle of its push         |
//! | `push_refused_c`   | out | 1     | it is refused in this cycle, as the channel has no credit                             |
//! | `room_c`           | in  | 5     | the channel's credit; the host's is not looked at                                     |
//! | `host_comes`       | in  | 1     | the host (the last channel) pushes in the next cycle, and has credit for it           |
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
//! Latency: a processor is granted one cycle after its push at the earliest; what is granted can be read (its address given) two cycles
//! later. Throughput: one push per cycle.

use abi::dma::{DEPTH, DESCRIPTOR_WORDS};
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

use crate::arbiter::Arbiter;
use crate::many;
use crate::memory::{Collision, Memory};

/// See the module's page.
#[derive(LogicBlock)]
pub struct DmaDescriptors {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub push: Vec<Signal<In, Bit>>,
    pub push_data: Vec<Signal<In, Bits<224>>>,
    pub push_grant: Vec<Signal<Out, Bit>>,
    pub push_refused: Vec<Signal<Out, Bit>>,
    pub room: Vec<Signal<In, Bits<5>>>,
    pub host_comes: Signal<In, Bit>,
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
    /// The processor whose turn it is: at most one, and none when the host pushes.
    chosen: Vec<DFF<Bit>>,
    host_turn: DFF<Bit>,
    /// Whose descriptor is stored, if it is granted.
    selected: Vec<Signal<Local, Bit>>,
    granted: Vec<Signal<Local, Bit>>,
    any_granted: Signal<Local, Bit>,
    data_of: Vec<Signal<Local, Bits<224>>>,
    position_of: Vec<Signal<Local, Bits<4>>>,
    data: Signal<Local, Bits<224>>,
    store_channel: Signal<Local, Bits<5>>,
    store_position: Signal<Local, Bits<4>>,
    stores: DFF<Bit>,
    store_place: DFF<Bits<9>>,
    stored: DFF<Bits<224>>,
    to_start: Memory<160, 9>,
    to_retire: Memory<96, 9>,
    _processors: usize,
    _channels: usize,
}

impl DmaDescriptors {
    /// Descriptors of `processors` processors and the host.
    pub fn new(processors: usize) -> Self {
        assert_eq!((DEPTH, DESCRIPTOR_WORDS), (16, 7));
        let channels = processors + 1;
        block! {
            Self {
                push: many(channels),
                push_data: many(channels),
                push_grant: many(channels),
                push_refused: many(channels),
                room: many(channels),
                position: many(channels),
                turns: Arbiter::new(processors),
                chosen: many(processors),
                selected: many(channels),
                granted: many(channels),
                data_of: many(channels),
                position_of: many(channels),
                // A descriptor is read long after it was stored.
                to_start: Memory::new(DEPTH * channels, Collision::Discarded),
                to_retire: Memory::new(DEPTH * channels, Collision::Discarded),
                _processors: processors,
                _channels: channels,
            },
            clock, reset, start_channel, start_position, start_source, start_destination, start_control, retire_channel,
            retire_position, retire_control, retire_mfa, retire_context, host_comes, host_turn, any_granted, data, store_channel,
            store_position, stores, store_place, stored
        }
    }
}

impl Logic for DmaDescriptors {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, host_turn, stores, store_place, stored);
        self.turns.clock.next = self.clock.val();
        self.turns.reset.next = self.reset.val();
        self.to_start.clock.next = self.clock.val();
        self.to_retire.clock.next = self.clock.val();

        // The host, else the one chosen a cycle ago.
        self.host_turn.d.next = self.host_comes.val() & !self.reset.val();
        for c in self._processors..self._channels {
            self.selected[c].next = self.host_turn.q.val();
            self.granted[c].next = self.push[c].val() & self.host_turn.q.val();
            self.push_refused[c].next = self.push[c].val() & !self.host_turn.q.val();
        }
        for i in 0..self._processors {
            self.selected[i].next = self.chosen[i].q.val();
            self.granted[i].next = self.chosen[i].q.val() & self.push[i].val();
            self.push_refused[i].next = self.push[i].val() & !self.room[i].val().any();
            self.turns.request[i].next = self.push[i].val() & self.room[i].val().any() & !self.chosen[i].q.val();
            self.chosen[i].clock.next = self.clock.val();
            self.chosen[i].d.next = self.turns.grant[i].val() & !self.host_comes.val() & !self.reset.val();
        }
        self.turns.advance.next = self.turns.any.val() & !self.host_comes.val();

        // Store it.
        self.any_granted.next = false;
        self.data.next = 0.into();
        self.store_channel.next = 0.into();
        self.store_position.next = 0.into();
        for c in 0..self._channels {
            self.push_grant[c].next = self.granted[c].val();
            self.data_of[c].next = 0.into();
            self.position_of[c].next = 0.into();
            self.any_granted.next = self.any_granted.val() | self.granted[c].val();
            if self.selected[c].val() {
                self.data_of[c].next = self.push_data[c].val();
                self.position_of[c].next = self.position[c].val();
                self.store_channel.next = c.to_bits();
            }
            self.data.next = self.data.val() | self.data_of[c].val();
            self.store_position.next = self.store_position.val() | self.position_of[c].val();
        }
        self.stores.d.next = self.any_granted.val() & !self.reset.val();
        self.store_place.d.next =
            (bit_cast::<9, 5>(self.store_channel.val()) << 4) | bit_cast::<9, 4>(self.store_position.val());
        self.stored.d.next = self.data.val();
        self.to_start.write_enable.next = self.stores.q.val();
        self.to_start.write_address.next = self.store_place.q.val();
        self.to_start.write_data.next = self.stored.q.val().get_bits::<160>(0);
        self.to_retire.write_enable.next = self.stores.q.val();
        self.to_retire.write_address.next = self.store_place.q.val();
        self.to_retire.write_data.next = self.stored.q.val().get_bits::<96>(128);

        // Fetch.
        self.to_start.read_address.next =
            (bit_cast::<9, 5>(self.start_channel.val()) << 4) | bit_cast::<9, 4>(self.start_position.val());
        self.start_source.next = self.to_start.read_data.val().get_bits::<64>(0);
        self.start_destination.next = self.to_start.read_data.val().get_bits::<64>(64);
        self.start_control.next = self.to_start.read_data.val().get_bits::<32>(128);
        self.to_retire.read_address.next =
            (bit_cast::<9, 5>(self.retire_channel.val()) << 4) | bit_cast::<9, 4>(self.retire_position.val());
        self.retire_control.next = self.to_retire.read_data.val().get_bits::<32>(0);
        self.retire_mfa.next = self.to_retire.read_data.val().get_bits::<32>(32);
        self.retire_context.next = self.to_retire.read_data.val().get_bits::<32>(64);
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

    /// A descriptor of which every word is different.
    fn descriptor(number: u64) -> Bits<224> {
        (0..7)
            .rev()
            .fold(Bits::<224>::default(), |all, word| (all << 32) | bit_cast::<224, 64>((number << 8 | word).to_bits()))
    }

    #[test]
    fn a_descriptor_is_stored_in_the_cycle_of_its_grant_and_the_host_never_waits() {
        let mut dut = DmaDescriptors::new(PROCESSORS);
        dut.connect_all();
        dut.reset.next = true;
        edge(&mut dut);
        dut.reset.next = false;
        let mut random = Random::seeded(5);
        let mut pushing = [None; CHANNELS];
        let mut waited = [0; CHANNELS];
        let (mut pushes, mut refusals, mut number) = ([0u64; CHANNELS], 0, 0u64);
        let mut places = [[0u64; DEPTH]; CHANNELS];
        // The host's next one, which is announced if there is credit.
        let (mut coming, mut announced) = (None, false);
        for cycle in 0..2000u64 {
            let mut room = [0; CHANNELS];
            pushing[PROCESSORS] = coming.take();
            if random.below(4) == 0 {
                number += 1;
                coming = Some(number);
            }
            let host_granted = std::mem::replace(&mut announced, coming.is_some() && random.below(4) > 0);
            dut.host_comes.next = announced;
            for c in 0..CHANNELS {
                room[c] = if random.below(8) == 0 { 0 } else { 1 + random.below(16) };
                if c < PROCESSORS && pushing[c].is_none() && random.below(4) == 0 {
                    number += 1;
                    pushing[c] = Some(number);
                }
                dut.push[c].next = pushing[c].is_some();
                dut.push_data[c].next = descriptor(pushing[c].unwrap_or_default());
                // The credit of a processor can only grow while it waits.
                room[c] = if waited[c] > 0 { 1 } else { room[c] };
                dut.room[c].next = room[c].to_bits();
                dut.position[c].next = (pushes[c] % 16).to_bits();
            }
            assert!(simulate(&mut dut, 10));
            let mut grants = 0;
            for c in 0..CHANNELS {
                let (granted, refused) = (dut.push_grant[c].val(), dut.push_refused[c].val());
                if c == PROCESSORS {
                    assert_eq!(granted, host_granted, "cycle {cycle}: the host waits");
                    assert_eq!(refused, pushing[c].is_some() && !host_granted);
                } else {
                    assert_eq!(refused, pushing[c].is_some() && room[c] == 0);
                    assert!(!granted || (pushing[c].is_some() && room[c] > 0));
                }
                waited[c] = if granted || refused || pushing[c].is_none() { 0 } else { waited[c] + 1 };
                assert!(waited[c] < 40, "channel {c} starves");
                refusals += u64::from(refused);
                if let (true, Some(number)) = (granted, pushing[c]) {
                    places[c][pushes[c] as usize % DEPTH] = number;
                    pushes[c] += 1;
                    grants += 1;
                }
                if granted || refused {
                    pushing[c] = None;
                }
            }
            assert!(grants <= 1);
            edge(&mut dut);
        }
        assert!(pushes.iter().all(|p| *p > 100) && refusals > 50, "{pushes:?} {refusals}");

        for push in &mut dut.push {
            push.next = false;
        }
        edge(&mut dut);
        edge(&mut dut);
        for (c, places) in places.iter().enumerate() {
            for (position, number) in places.iter().enumerate() {
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
    fn it_can_be_printed() {
        emit(&mut DmaDescriptors::new(16), "dma_descriptors").expect("printed");
    }
}
