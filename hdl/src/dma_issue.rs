//! Cuts the copies of all channels into requests, some requests of one and then some of the next.
//!
//! A request ends where the far address reaches a multiple of its limit: the maximum read request size, the maximum payload size, or 512
//! bytes between cores. So none passes 4 KiB. When a channel has issued [`QUANTUM`] requests, or the unit they are for is busy, another
//! channel that can go on takes its place; a short copy does not wait for a long one.
//!
//! | port                | dir | width | meaning                                                                            |
//! |---------------------|-----|-------|------------------------------------------------------------------------------------|
//! | `max_read`          | in  | 3     | maximum read request size: 128 bytes << it; 6 and 7 as 5                           |
//! | `max_payload`       | in  | 2     | maximum payload size: 128 bytes << it; 3 as 2                                      |
//! | `prepare_valid`     | in  | 1     | a copy is handed over                                                              |
//! | `prepare_ready`     | out | 1     | it is taken                                                                        |
//! | `prepare_channel`   | in  | 5     | its channel                                                                        |
//! | `prepare_entry`     | in  | 115   | it, see [`crate::dma_start::Prepared`]                                             |
//! | `prepared_c`        | in  | 1     | channel c has a copy that has been handed over and not issued whole                |
//! | `prepared_copies_c` | in  | 1     | it copies out of a core's memory                                                   |
//! | `prepared_slot_c`   | in  | 1     | lowest bit of its position                                                         |
//! | `issue_c`           | out | 1     | it is issued whole                                                                 |
//! | `issued`            | out | 1     | some channel's is                                                                  |
//! | `issued_channel`    | out | 5     | that channel                                                                       |
//! | `read_valid`        | out | 1     | a request to read from the host; may be withdrawn                                  |
//! | `read_ready`        | in  | 1     | it is taken                                                                        |
//! | `copy_valid`        | out | 1     | a request to copy out of a core's memory; may be withdrawn                         |
//! | `copy_ready`        | in  | 1     | it is taken                                                                        |
//! | `request_to_host`   | out | 1     | of a copy: to the host, else to a core                                             |
//! | `request_far`       | out | 64    | the host's address, or the destination of a copy from core to core                 |
//! | `request_near`      | out | 28    | the other one, a card address                                                      |
//! | `request_length`    | out | 13    | bytes: 1 to 4,096                                                                  |
//! | `request_id`        | out | 9     | the descriptor: position, then channel                                             |
//!
//! Latency: [`LATENCY`] cycles from `prepare_ready` to the first request. Throughput: one request per two cycles.
//! Neither limit should change while copies are under way: the copy at hand goes on with the old one for a while.

use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

use crate::arbiter::Arbiter;
use crate::dma_start::{PREPARED_BITS, Prepared};
use crate::many;
use crate::memory::{Collision, Memory};

/// Cycles from `prepare_ready` to a request: count, candidate, choose, address, read, take, cut, offer.
pub const LATENCY: usize = 8;

/// Requests of a channel in one turn, as long as another one waits.
pub const QUANTUM: usize = 4;

/// How far the next copy has come from the memory to where it is issued.
#[derive(LogicState, Debug, Copy, Clone, PartialEq)]
enum LoadStep {
    Choose,
    Address,
    Fetch,
    Loaded,
}

/// What happens to the copy at hand.
#[derive(LogicState, Debug, Copy, Clone, PartialEq)]
enum WorkStep {
    Idle,
    Cut,
    Offer,
}

/// See the module's page.
#[derive(LogicBlock)]
pub struct DmaIssue {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub max_read: Signal<In, Bits<3>>,
    pub max_payload: Signal<In, Bits<2>>,
    pub prepare_valid: Signal<In, Bit>,
    pub prepare_ready: Signal<Out, Bit>,
    pub prepare_channel: Signal<In, Bits<5>>,
    pub prepare_entry: Signal<In, Bits<PREPARED_BITS>>,
    pub prepared: Vec<Signal<In, Bit>>,
    pub prepared_copies: Vec<Signal<In, Bit>>,
    pub prepared_slot: Vec<Signal<In, Bit>>,
    pub issue: Vec<Signal<Out, Bit>>,
    pub issued: Signal<Out, Bit>,
    pub issued_channel: Signal<Out, Bits<5>>,
    pub read_valid: Signal<Out, Bit>,
    pub read_ready: Signal<In, Bit>,
    pub copy_valid: Signal<Out, Bit>,
    pub copy_ready: Signal<In, Bit>,
    pub request_to_host: Signal<Out, Bit>,
    pub request_far: Signal<Out, Bits<64>>,
    pub request_near: Signal<Out, Bits<28>>,
    pub request_length: Signal<Out, Bits<13>>,
    pub request_id: Signal<Out, Bits<9>>,
    /// Two copies of each channel.
    copies: Memory<PREPARED_BITS, 6>,
    turns: Arbiter,
    read_was_ready: DFF<Bit>,
    copy_was_ready: DFF<Bit>,
    /// Channels that can go on. A cycle old, but a channel is looked at only long after it changed.
    candidate: Vec<DFF<Bit>>,
    /// The channel's copy is being loaded or worked on.
    held: Vec<DFF<Bit>>,
    // The next copy.
    load: DFF<LoadStep>,
    chooses: Signal<Local, Bit>,
    load_channel: DFF<Bits<5>>,
    load_slot: Signal<Local, Bit>,
    loaded: DFF<Bits<PREPARED_BITS>>,
    loaded_place: Signal<Local, Bits<12>>,
    loaded_to_host: Signal<Local, Bit>,
    loaded_to_core: Signal<Local, Bit>,
    is_loaded: Signal<Local, Bit>,
    limit_log2: Signal<Local, Bits<4>>,
    load_limit: Signal<Local, Bits<13>>,
    load_place: Signal<Local, Bits<13>>,
    // The copy at hand.
    work: DFF<WorkStep>,
    channel: DFF<Bits<5>>,
    position: DFF<Bits<4>>,
    to_host: DFF<Bit>,
    to_core: DFF<Bit>,
    far_page: DFF<Bits<52>>,
    far_place: DFF<Bits<12>>,
    /// The next request begins on the next page.
    far_carry: DFF<Bit>,
    near: DFF<Bits<28>>,
    remaining: DFF<Bits<17>>,
    limit: DFF<Bits<13>>,
    /// Bytes up to the next multiple of the limit.
    boundary: DFF<Bits<13>>,
    length: DFF<Bits<13>>,
    ends: DFF<Bit>,
    // What was handed over and is not stored yet.
    arrived: DFF<Bit>,
    arrived_place: DFF<Bits<6>>,
    arrived_entry: DFF<Bits<PREPARED_BITS>>,
    turn_left: DFF<Bits<2>>,
    /// None are.
    turn_over: DFF<Bit>,
    is_short: Signal<Local, Bit>,
    offers: Signal<Local, Bit>,
    /// It was offered in vain.
    blocked: DFF<Bit>,
    accepted: Signal<Local, Bit>,
    finishes: Signal<Local, Bit>,
    /// The copy at hand goes back into the memory.
    puts_back: Signal<Local, Bit>,
    takes: Signal<Local, Bit>,
    far_sum: Signal<Local, Bits<13>>,
    back: Signal<Local, Prepared>,
    _channels: usize,
}

impl DmaIssue {
    /// For `channels` channels.
    pub fn new(channels: usize) -> Self {
        assert_eq!(QUANTUM, 4);
        block! {
            Self {
                prepared: many(channels),
                prepared_copies: many(channels),
                prepared_slot: many(channels),
                issue: many(channels),
                // A copy is chosen only after it was stored.
                copies: Memory::new(2 * channels, Collision::Discarded),
                turns: Arbiter::new(channels),
                candidate: many(channels),
                held: many(channels),
                _channels: channels,
            },
            clock, reset, max_read, max_payload, prepare_valid, prepare_ready, prepare_channel, prepare_entry, issued,
            issued_channel, read_valid, read_ready, copy_valid, copy_ready, request_to_host, request_far, request_near,
            request_length, request_id, read_was_ready, copy_was_ready, load, chooses, load_channel, load_slot, loaded,
            loaded_place, loaded_to_host, loaded_to_core, is_loaded, limit_log2, load_limit, load_place, work, channel,
            position, to_host, to_core, far_page, far_place, far_carry, near, remaining, limit, boundary, length, ends,
            arrived, arrived_place, arrived_entry, turn_left, turn_over, is_short, offers, blocked, accepted, finishes,
            puts_back, takes, far_sum, back
        }
    }
}

impl Logic for DmaIssue {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, read_was_ready, copy_was_ready, load, load_channel, loaded, work, channel, position);
        dff_setup!(self, clock, to_host, to_core, far_page, far_place, far_carry, near, remaining, limit, boundary);
        dff_setup!(self, clock, length, ends, turn_left, turn_over, blocked, arrived, arrived_place, arrived_entry);
        self.copies.clock.next = self.clock.val();
        self.turns.clock.next = self.clock.val();
        self.turns.reset.next = self.reset.val();

        // Load the next copy that can go on.
        self.read_was_ready.d.next = self.read_ready.val();
        self.copy_was_ready.d.next = self.copy_ready.val();
        self.chooses.next = self.load.q.val() == LoadStep::Choose;
        self.turns.advance.next = self.chooses.val() & self.turns.any.val();
        self.load_slot.next = false;
        for c in 0..self._channels {
            self.candidate[c].clock.next = self.clock.val();
            self.candidate[c].d.next = self.prepared[c].val()
                & !self.held[c].q.val()
                & ((self.prepared_copies[c].val() & self.copy_was_ready.q.val())
                    | (!self.prepared_copies[c].val() & self.read_was_ready.q.val()))
                & !self.reset.val();
            self.turns.request[c].next = self.candidate[c].q.val();
            if self.load_channel.q.val() == c.to_bits() {
                self.load_slot.next = self.prepared_slot[c].val();
            }
        }
        if self.chooses.val() {
            self.load_channel.d.next = self.turns.granted.val();
        }
        self.copies.read_address.next = (bit_cast::<6, 5>(self.load_channel.q.val()) << 1) + self.load_slot.val();
        if self.load.q.val() == LoadStep::Fetch {
            self.loaded.d.next = self.copies.read_data.val();
        }
        self.is_loaded.next = self.load.q.val() == LoadStep::Loaded;

        // Its limit.
        self.loaded_place.next = self.loaded.q.val().get_bits::<12>(0);
        self.loaded_to_host.next = self.loaded.q.val().get_bit(109);
        self.loaded_to_core.next = self.loaded.q.val().get_bit(110);
        self.limit_log2.next = bit_cast::<4, 3>(self.max_read.val());
        if self.max_read.val() > 5 {
            self.limit_log2.next = 5.into();
        }
        if self.loaded_to_host.val() {
            self.limit_log2.next = bit_cast::<4, 2>(self.max_payload.val());
        }
        if (self.loaded_to_host.val() & (self.max_payload.val() == 3)) | self.loaded_to_core.val() {
            self.limit_log2.next = 2.into();
        }
        self.load_limit.next = bits::<13>(128) << self.limit_log2.val();
        self.load_place.next = bit_cast::<13, 12>(self.loaded_place.val()) & (self.load_limit.val() - 1);

        // Cut a request off the copy at hand, offer it.
        self.is_short.next = self.remaining.q.val() <= bit_cast::<17, 13>(self.boundary.q.val());
        // The next copy has its turn when this one's is over or nobody took its request.
        self.puts_back.next = (self.work.q.val() == WorkStep::Offer)
            & self.is_loaded.val()
            & (self.turn_over.q.val() | self.blocked.q.val());
        self.offers.next = (self.work.q.val() == WorkStep::Offer) & !self.puts_back.val();
        self.read_valid.next = self.offers.val() & !self.to_host.q.val() & !self.to_core.q.val();
        self.copy_valid.next = self.offers.val() & (self.to_host.q.val() | self.to_core.q.val());
        self.accepted.next =
            (self.read_valid.val() & self.read_ready.val()) | (self.copy_valid.val() & self.copy_ready.val());
        self.finishes.next = (self.accepted.val() & self.ends.q.val())
            | ((self.work.q.val() == WorkStep::Cut) & !self.remaining.q.val().any());
        self.blocked.d.next = self.offers.val() & !self.accepted.val();
        self.takes.next = self.is_loaded.val() & ((self.work.q.val() == WorkStep::Idle) | self.puts_back.val());
        self.far_sum.next = bit_cast::<13, 12>(self.far_place.q.val()) + self.length.q.val();
        if self.work.q.val() == WorkStep::Cut {
            self.far_page.d.next = self.far_page.q.val() + self.far_carry.q.val();
            self.far_carry.d.next = false;
            self.length.d.next = self.boundary.q.val();
            self.ends.d.next = self.is_short.val();
            if self.is_short.val() {
                self.length.d.next = self.remaining.q.val().get_bits::<13>(0);
            }
            self.work.d.next = WorkStep::Offer;
        }
        if self.accepted.val() {
            self.far_place.d.next = self.far_sum.val().get_bits::<12>(0);
            self.far_carry.d.next = self.far_sum.val().get_bit(12);
            self.near.d.next = self.near.q.val() + bit_cast::<28, 13>(self.length.q.val());
            self.remaining.d.next = self.remaining.q.val() - bit_cast::<17, 13>(self.length.q.val());
            self.boundary.d.next = self.limit.q.val();
            if !self.turn_over.q.val() {
                self.turn_left.d.next = self.turn_left.q.val() - 1;
                self.turn_over.d.next = self.turn_left.q.val() == 1;
            }
            self.work.d.next = WorkStep::Cut;
        }
        if self.finishes.val() {
            self.work.d.next = WorkStep::Idle;
        }

        // Change places.
        if self.takes.val() {
            self.work.d.next = WorkStep::Cut;
            self.channel.d.next = self.load_channel.q.val();
            self.position.d.next = self.loaded.q.val().get_bits::<4>(111);
            self.to_host.d.next = self.loaded_to_host.val();
            self.to_core.d.next = self.loaded_to_core.val();
            self.far_page.d.next = self.loaded.q.val().get_bits::<52>(12);
            self.far_place.d.next = self.loaded_place.val();
            self.far_carry.d.next = false;
            self.near.d.next = self.loaded.q.val().get_bits::<28>(64);
            self.remaining.d.next = self.loaded.q.val().get_bits::<17>(92);
            self.limit.d.next = self.load_limit.val();
            self.boundary.d.next = self.load_limit.val() - self.load_place.val();
            self.turn_left.d.next = 3.into();
            self.turn_over.d.next = false;
        }
        match self.load.q.val() {
            LoadStep::Choose => {
                if self.turns.any.val() {
                    self.load.d.next = LoadStep::Address;
                }
            }
            LoadStep::Address => self.load.d.next = LoadStep::Fetch,
            LoadStep::Fetch => self.load.d.next = LoadStep::Loaded,
            LoadStep::Loaded => {
                if self.takes.val() {
                    self.load.d.next = LoadStep::Choose;
                }
            }
        }
        for c in 0..self._channels {
            self.held[c].clock.next = self.clock.val();
            self.held[c].d.next = self.held[c].q.val();
            self.issue[c].next = false;
            if self.channel.q.val() == c.to_bits() {
                self.issue[c].next = self.finishes.val();
                if self.finishes.val() | self.puts_back.val() {
                    self.held[c].d.next = false;
                }
            }
            if self.chooses.val() & self.turns.grant[c].val() {
                self.held[c].d.next = true;
            }
            if self.reset.val() {
                self.held[c].d.next = false;
            }
        }
        self.issued.next = self.finishes.val();
        self.issued_channel.next = self.channel.q.val();

        // Store what is handed over or put back.
        self.back.next.far =
            (bit_cast::<64, 52>(self.far_page.q.val()) << 12) | bit_cast::<64, 12>(self.far_place.q.val());
        self.back.next.near = self.near.q.val();
        self.back.next.remaining = self.remaining.q.val();
        self.back.next.to_host = self.to_host.q.val();
        self.back.next.to_core = self.to_core.q.val();
        self.back.next.position = self.position.q.val();
        // Nothing is put back twice in a row, so what arrives is stored long before it is chosen.
        self.prepare_ready.next = !self.arrived.q.val();
        if !self.puts_back.val() {
            self.arrived.d.next = false;
        }
        if self.prepare_valid.val() & !self.arrived.q.val() {
            self.arrived.d.next = true;
            self.arrived_place.d.next =
                (bit_cast::<6, 5>(self.prepare_channel.val()) << 1) + self.prepare_entry.val().get_bit(111);
            self.arrived_entry.d.next = self.prepare_entry.val();
        }
        self.copies.write_enable.next = self.arrived.q.val() | self.puts_back.val();
        self.copies.write_address.next = self.arrived_place.q.val();
        self.copies.write_data.next = self.arrived_entry.q.val();
        if self.puts_back.val() {
            self.copies.write_address.next =
                (bit_cast::<6, 5>(self.channel.q.val()) << 1) + self.position.q.val().get_bit(0);
            self.copies.write_data.next = self.back.val().into();
        }

        self.request_to_host.next = self.to_host.q.val();
        self.request_far.next = self.back.val().far;
        self.request_near.next = self.near.q.val();
        self.request_length.next = self.length.q.val();
        self.request_id.next = (bit_cast::<9, 5>(self.channel.q.val()) << 4) | bit_cast::<9, 4>(self.position.q.val());

        if self.reset.val() {
            self.load.d.next = LoadStep::Choose;
            self.work.d.next = WorkStep::Idle;
            self.arrived.d.next = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emit::emit;
    use crate::random::Random;
    use std::collections::VecDeque;

    const CHANNELS: usize = 3;

    /// A copy: far, near, bytes, to the host, to a core.
    type Copy = (u64, u64, u64, bool, bool);

    /// A request: channel, position, far, near, bytes, cycle.
    type Request = (usize, u64, u64, u64, u64, usize);

    fn edge(dut: &mut DmaIssue) {
        for level in [true, false] {
            dut.clock.next = level.into();
            assert!(simulate(dut, 10));
        }
    }

    /// Issues all the copies of all the channels; the chance in 4 that a unit is ready.
    fn issue(copies: [Vec<Copy>; CHANNELS], ready: (u64, u64), limits: (u64, u64)) -> Vec<Request> {
        let mut dut = DmaIssue::new(CHANNELS);
        dut.connect_all();
        dut.max_read.next = limits.0.to_bits();
        dut.max_payload.next = limits.1.to_bits();
        dut.reset.next = true;
        edge(&mut dut);
        dut.reset.next = false;
        let mut random = Random::seeded(13);
        let mut waiting = copies.map(VecDeque::from);
        let total: usize = waiting.iter().map(|w| w.len()).sum();
        // Handed over and not issued whole: position, is a copy.
        let mut prepared: [VecDeque<(u64, bool)>; CHANNELS] = Default::default();
        let mut handed = [0u64; CHANNELS];
        let (mut requests, mut issued) = (vec![], 0);
        for cycle in 0..20_000 {
            let channel = (0..CHANNELS).find(|c| prepared[*c].len() < 2 && !waiting[*c].is_empty());
            dut.prepare_valid.next = channel.is_some();
            let entry = channel.map(|c| {
                let (far, near, remaining, to_host, to_core) = waiting[c][0];
                let bit = |b: bool, at: u32| (b as u128) << at;
                let high = u128::from(near)
                    | u128::from(remaining) << 28
                    | bit(to_host, 45)
                    | bit(to_core, 46)
                    | u128::from(handed[c] % 16) << 47;
                (c, far, high, to_host || to_core)
            });
            if let Some((c, far, high, _)) = entry {
                dut.prepare_channel.next = (c as u64).to_bits();
                let high = bit_cast::<PREPARED_BITS, 64>((high as u64).to_bits());
                dut.prepare_entry.next = (high << 64) | bit_cast::<PREPARED_BITS, 64>(far.to_bits());
            }
            for (c, prepared) in prepared.iter().enumerate() {
                dut.prepared[c].next = !prepared.is_empty();
                let (position, copies) = prepared.front().copied().unwrap_or_default();
                dut.prepared_copies[c].next = copies;
                dut.prepared_slot[c].next = position % 2 == 1;
            }
            let (read_ready, copy_ready) = (random.below(4) < ready.0, random.below(4) < ready.1);
            dut.read_ready.next = read_ready;
            dut.copy_ready.next = copy_ready;
            assert!(simulate(&mut dut, 10));
            if let Some((c, _, _, copies)) = entry.filter(|_| dut.prepare_ready.val()) {
                prepared[c].push_back((handed[c] % 16, copies));
                handed[c] += 1;
                waiting[c].pop_front();
            }
            if (dut.read_valid.val() && read_ready) || (dut.copy_valid.val() && copy_ready) {
                let id = dut.request_id.val().to_u64();
                requests.push((
                    (id >> 4) as usize,
                    id & 15,
                    dut.request_far.val().to_u64(),
                    dut.request_near.val().to_u64(),
                    dut.request_length.val().to_u64(),
                    cycle,
                ));
            }
            for (c, prepared) in prepared.iter_mut().enumerate() {
                if dut.issue[c].val() {
                    assert!(dut.issued.val() && dut.issued_channel.val().index() == c);
                    prepared.pop_front().expect("something to issue");
                    issued += 1;
                }
            }
            edge(&mut dut);
            if issued == total {
                return requests;
            }
        }
        panic!("{issued} of {total}");
    }

    #[test]
    fn requests_cover_each_copy_once_and_end_at_the_limits() {
        let mut random = Random::seeded(17);
        for (max_read, max_payload, ready) in [(0, 0, (4, 4)), (2, 1, (2, 3)), (5, 2, (1, 4)), (7, 3, (4, 1))] {
            let mut copies: [Vec<Copy>; CHANNELS] = Default::default();
            for copy in 0..24 {
                let kind = random.below(3);
                let far =
                    if kind == 2 { random.below(1 << 28) } else { random.below(1 << 30) << random.below(30) | 0xF77 };
                let bytes = [0, 1 + random.below(40), 1 + random.below(3000), 4096][random.below(4) as usize];
                copies[copy % CHANNELS].push((far, random.below(1 << 20), bytes, kind == 1, kind == 2));
            }
            let requests = issue(copies.clone(), ready, (max_read, max_payload));
            let mut covered = 0;
            for (channel, copies) in copies.iter().enumerate() {
                let mut mine = requests.iter().filter(|r| r.0 == channel);
                for (number, (far, near, bytes, to_host, to_core)) in copies.iter().enumerate() {
                    let limit = match (to_host, to_core) {
                        (true, _) => 128 << max_payload.min(2),
                        (_, true) => 512,
                        _ => 128 << max_read.min(5),
                    };
                    let mut done = 0;
                    while done < *bytes {
                        let (_, position, at, card, length, _) = *mine.next().expect("a request");
                        assert_eq!((position, at, card), (number as u64, far + done, near + done));
                        assert_eq!(at / limit, (at + length - 1) / limit);
                        assert!((at + length) % limit == 0 || done + length == *bytes);
                        done += length;
                        covered += 1;
                    }
                    assert_eq!(done, *bytes);
                }
                assert!(mine.next().is_none());
            }
            assert!(covered > 20, "{covered}");
        }
    }

    #[test]
    fn channels_change_places_after_a_few_requests_and_one_alone_goes_on_without_a_break() {
        let long = |far: u64| vec![(far, 0, 8192, false, false)];
        let requests = issue([long(0), long(0x10000), vec![]], (4, 4), (0, 0));
        let mut turns = vec![];
        for request in &requests {
            match turns.last_mut() {
                Some((channel, count)) if *channel == request.0 => *count += 1,
                _ => turns.push((request.0, 1)),
            }
        }
        assert_eq!(requests.len(), 128);
        assert!(turns.len() >= 24 && turns.iter().all(|(_, count)| *count <= 8), "{turns:?}");
        let alone = issue([long(0), vec![], vec![]], (4, 4), (0, 0));
        assert_eq!(alone[63].5 - alone[0].5, 126, "one request per two cycles");
    }

    #[test]
    fn a_unit_that_is_busy_holds_nobody_else_up() {
        // Reads never get through; the copy of another channel does.
        let mut dut_copies: [Vec<Copy>; CHANNELS] = Default::default();
        dut_copies[0].push((0, 0, 4096, false, false));
        dut_copies[1].push((0x1000, 0, 4096, true, false));
        let requests = issue(dut_copies, (1, 4), (0, 0));
        let last = |channel: usize| requests.iter().rposition(|r| r.0 == channel).expect("requests");
        assert!(last(1) < last(0));
    }

    #[test]
    fn it_can_be_printed() {
        emit(&mut DmaIssue::new(3), "dma_issue").expect("3");
        emit(&mut DmaIssue::new(17), "dma_issue").expect("17");
    }
}
