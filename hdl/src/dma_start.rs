//! Takes the next descriptor of a channel, checks it, and hands it to the issuer; a bad one as a copy of no bytes with its status.
//!
//! Channels take turns by descriptors. `FENCE` sends a descriptor back until all earlier ones of its channel are retired.
//!
//! | port               | dir | width | meaning                                                                              |
//! |--------------------|-----|-------|--------------------------------------------------------------------------------------|
//! | `waiting_c`        | in  | 1     | channel c has a descriptor to start, and room for it with the issuer                 |
//! | `quiet_c`          | in  | 1     | all it has started are retired                                                       |
//! | `position_c`       | in  | 4     | position of the one to start                                                         |
//! | `start_c`          | out | 1     | work on it begins                                                                    |
//! | `fetch_channel`    | out | 5     | descriptor to read: channel                                                          |
//! | `fetch_position`   | out | 4     | and position                                                                         |
//! | `source`           | in  | 64    | one cycle later: its source                                                          |
//! | `destination`      | in  | 64    | its destination                                                                      |
//! | `control`          | in  | 32    | its control word                                                                     |
//! | `check`            | out | 1     | see [`crate::dma_windows`]                                                           |
//! | `check_processor`  | out | 4     | whose windows                                                                        |
//! | `check_write`      | out | 1     | the host's memory will be written                                                    |
//! | `check_first`      | out | 52    | first page                                                                           |
//! | `check_last`       | out | 52    | last page                                                                            |
//! | `checked`          | in  | 1     | the answer is there                                                                  |
//! | `allowed`          | in  | 1     | the range may be touched                                                             |
//! | `prepare_valid`    | out | 1     | a descriptor has been checked; stays until it is taken; reset value 0                |
//! | `prepare_ready`    | in  | 1     | it is taken                                                                          |
//! | `prepare_c`        | out | 1     | it is taken, and of channel c                                                        |
//! | `prepare_channel`  | out | 5     | its channel                                                                          |
//! | `prepare_copies`   | out | 1     | it copies out of a core's memory                                                     |
//! | `prepare_entry`    | out | 115   | it, see [`Prepared`]                                                                 |
//! | `prepare_id`       | out | 9     | its position, then its channel                                                       |
//! | `prepare_status`   | out | 4     | 0, `REFUSED` or `INVALID` of [`abi::dma::Status`]                                    |
//!
//! Latency: 11 cycles from `waiting_c` to `prepare_valid`, 7 for the host's channel, which has no windows. Throughput: one
//! descriptor in as many cycles.
//! Checks: see [`abi::dma`]; besides, a range must not run over the end of the host's 64-bit addresses or of the processor's 16 MiB.

use abi::dma::{Status, control};
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

use crate::arbiter::Arbiter;
use crate::many;

/// A descriptor that is being issued.
#[derive(LogicStruct, Debug, Copy, Clone, PartialEq, Default)]
pub struct Prepared {
    /// The host's address, or the destination of a copy from core to core.
    pub far: Bits<64>,
    /// The other one, a card address.
    pub near: Bits<28>,
    /// Bytes to go.
    pub remaining: Bits<17>,
    /// From core to host.
    pub to_host: Bit,
    /// From core to core.
    pub to_core: Bit,
    /// Where its channel keeps it.
    pub position: Bits<4>,
}

/// Bits of a [`Prepared`].
pub const PREPARED_BITS: usize = 115;

/// What the starter does.
#[derive(LogicState, Debug, Copy, Clone, PartialEq)]
enum StartStep {
    Choose,
    Address,
    Fetch,
    Length,
    Low,
    High,
    Wait,
    Offer,
}

/// See the module's page.
#[derive(LogicBlock)]
pub struct DmaStart {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub waiting: Vec<Signal<In, Bit>>,
    pub quiet: Vec<Signal<In, Bit>>,
    pub position: Vec<Signal<In, Bits<4>>>,
    pub start: Vec<Signal<Out, Bit>>,
    pub fetch_channel: Signal<Out, Bits<5>>,
    pub fetch_position: Signal<Out, Bits<4>>,
    pub source: Signal<In, Bits<64>>,
    pub destination: Signal<In, Bits<64>>,
    pub control: Signal<In, Bits<32>>,
    pub check: Signal<Out, Bit>,
    pub check_processor: Signal<Out, Bits<4>>,
    pub check_write: Signal<Out, Bit>,
    pub check_first: Signal<Out, Bits<52>>,
    pub check_last: Signal<Out, Bits<52>>,
    pub checked: Signal<In, Bit>,
    pub allowed: Signal<In, Bit>,
    pub prepare_valid: Signal<Out, Bit>,
    pub prepare_ready: Signal<In, Bit>,
    pub prepare: Vec<Signal<Out, Bit>>,
    pub prepare_channel: Signal<Out, Bits<5>>,
    pub prepare_copies: Signal<Out, Bit>,
    pub prepare_entry: Signal<Out, Bits<PREPARED_BITS>>,
    pub prepare_id: Signal<Out, Bits<9>>,
    pub prepare_status: Signal<Out, Bits<4>>,
    turns: Arbiter,
    /// Channels whose next descriptor may start. A cycle old, but that of a channel is looked at only long after it changed.
    candidate: Vec<DFF<Bit>>,
    /// The channel's next descriptor has a fence.
    fenced: Vec<DFF<Bit>>,
    step: DFF<StartStep>,
    channel: DFF<Bits<5>>,
    of_host: DFF<Bit>,
    /// The channel to go on with, chosen while the descriptor before it is checked.
    chosen: DFF<Bit>,
    chosen_channel: DFF<Bits<5>>,
    chooses: Signal<Local, Bit>,
    position_now: Signal<Local, Bits<4>>,
    quiet_now: Signal<Local, Bit>,
    // The descriptor.
    place: DFF<Bits<4>>,
    is_quiet: DFF<Bit>,
    far: DFF<Bits<64>>,
    near: DFF<Bits<64>>,
    word: DFF<Bits<32>>,
    reads_host: Signal<Local, Bit>,
    writes_host: Signal<Local, Bit>,
    more: Signal<Local, Bit>,
    posts: Signal<Local, Bit>,
    fence: Signal<Local, Bit>,
    length: Signal<Local, Bits<17>>,
    passes: Signal<Local, Bit>,
    // What is wrong with it.
    distance: DFF<Bits<17>>,
    bad_word: DFF<Bit>,
    bad_near: DFF<Bit>,
    bad_far: DFF<Bit>,
    near_last: Signal<Local, Bits<25>>,
    far_sum: Signal<Local, Bits<33>>,
    far_low: DFF<Bits<33>>,
    far_runs_over: DFF<Bit>,
    near_runs_over: DFF<Bit>,
    far_high_sum: Signal<Local, Bits<33>>,
    far_high: DFF<Bits<33>>,
    invalid: Signal<Local, Bit>,
    refused: DFF<Bit>,
    entry: Signal<Local, Prepared>,
    host: Constant<Bits<5>>,
    processors: Constant<Bits<5>>,
    status_refused: Constant<Bits<4>>,
    status_invalid: Constant<Bits<4>>,
    _channels: usize,
}

impl DmaStart {
    /// For the channels of `processors` processors and the host.
    pub fn new(processors: usize) -> Self {
        // The places of the flags are literals below, as the HDL has no named indices.
        assert_eq!(control::LENGTH_BITS, 17);
        assert_eq!([control::SOURCE_HOST, control::DESTINATION_HOST], [1 << 20, 1 << 21]);
        assert_eq!([control::MORE, control::POST, control::FENCE], [1 << 22, 1 << 23, 1 << 24]);
        let channels = processors + 1;
        let number = |status: Status| Constant::new((status as u64).to_bits());
        block! {
            Self {
                waiting: many(channels),
                quiet: many(channels),
                position: many(channels),
                start: many(channels),
                prepare: many(channels),
                turns: Arbiter::new(channels),
                candidate: many(channels),
                fenced: many(channels),
                host: Constant::new((processors as u64).to_bits()),
                processors: Constant::new((processors as u64).to_bits()),
                status_refused: number(Status::Refused),
                status_invalid: number(Status::Invalid),
                _channels: channels,
            },
            clock, reset, fetch_channel, fetch_position, source, destination, control, check, check_processor,
            check_write, check_first, check_last, checked, allowed, prepare_valid, prepare_ready, prepare_channel,
            prepare_copies, prepare_entry, prepare_id, prepare_status, step, channel, of_host, chosen, chosen_channel,
            chooses, position_now, quiet_now, place, is_quiet, far, near, word, reads_host, writes_host, more, posts,
            fence, length, passes, distance, bad_word, bad_near, bad_far, near_last, far_sum, far_low, far_runs_over,
            near_runs_over, far_high_sum, far_high, invalid, refused, entry
        }
    }
}

impl Logic for DmaStart {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, step, channel, of_host, chosen, chosen_channel, place, is_quiet, far, near, word);
        dff_setup!(self, clock, distance, bad_word, bad_near, bad_far, far_low, far_runs_over, near_runs_over);
        dff_setup!(self, clock, far_high, refused);
        self.turns.clock.next = self.clock.val();
        self.turns.reset.next = self.reset.val();

        // Whose turn it is. While one is checked, the next is chosen.
        self.chooses.next = !self.chosen.q.val()
            & ((self.step.q.val() == StartStep::Choose)
                | (self.step.q.val() == StartStep::Wait)
                | (self.step.q.val() == StartStep::Offer));
        self.turns.advance.next = self.chooses.val() & self.turns.any.val();
        for c in 0..self._channels {
            self.candidate[c].clock.next = self.clock.val();
            self.candidate[c].d.next =
                self.waiting[c].val() & (!self.fenced[c].q.val() | self.quiet[c].val()) & !self.reset.val();
            self.turns.request[c].next = self.candidate[c].q.val();
        }
        if self.chooses.val() {
            self.chosen.d.next = self.turns.any.val();
            self.chosen_channel.d.next = self.turns.granted.val();
        }

        // Its descriptor.
        self.fetch_channel.next = self.channel.q.val();
        self.position_now.next = 0.into();
        self.quiet_now.next = false;
        for c in 0..self._channels {
            if self.channel.q.val() == c.to_bits() {
                self.position_now.next = self.position[c].val();
                self.quiet_now.next = self.quiet[c].val();
            }
        }
        self.fetch_position.next = self.position_now.val();
        if self.step.q.val() == StartStep::Fetch {
            self.place.d.next = self.position_now.val();
            self.is_quiet.d.next = self.quiet_now.val();
            self.of_host.d.next = self.channel.q.val() == self.host.val();
            self.far.d.next = self.destination.val();
            self.near.d.next = self.source.val();
            if self.control.val().get_bit(20) {
                self.far.d.next = self.source.val();
                self.near.d.next = self.destination.val();
            }
            self.word.d.next = self.control.val();
        }
        self.length.next = self.word.q.val().get_bits::<17>(0);
        self.reads_host.next = self.word.q.val().get_bit(20);
        self.writes_host.next = self.word.q.val().get_bit(21);
        self.more.next = self.word.q.val().get_bit(22);
        self.posts.next = self.word.q.val().get_bit(23);
        self.fence.next = self.word.q.val().get_bit(24);

        // Is it sound?
        self.distance.d.next = self.length.val() - 1;
        self.bad_word.d.next = (self.reads_host.val() & self.writes_host.val())
            | !self.length.val().any()
            | (self.length.val().get_bit(16) & self.length.val().get_bits::<16>(0).any())
            | (self.posts.val()
                & (self.more.val()
                    | (self.of_host.q.val() & !self.reads_host.val())
                    | (!self.of_host.q.val() & !self.writes_host.val())));
        self.bad_near.d.next = self.near.q.val().get_bits::<36>(28).any()
            | (bit_cast::<5, 4>(self.near.q.val().get_bits::<4>(24)) >= self.processors.val());
        self.bad_far.d.next = (self.far.q.val().get_bits::<36>(28).any()
            | (bit_cast::<5, 4>(self.far.q.val().get_bits::<4>(24)) >= self.processors.val()))
            & !self.reads_host.val()
            & !self.writes_host.val();
        self.near_last.next =
            bit_cast::<25, 24>(self.near.q.val().get_bits::<24>(0)) + bit_cast::<25, 17>(self.distance.q.val());
        self.far_sum.next =
            bit_cast::<33, 32>(self.far.q.val().get_bits::<32>(0)) + bit_cast::<33, 17>(self.distance.q.val());
        self.near_runs_over.d.next = self.near_last.val().get_bit(24);
        self.far_low.d.next = self.far_sum.val();
        // The distance is shorter than 16 MiB: it changes bit 24 if and only if it runs over.
        self.far_runs_over.d.next = (self.far_sum.val().get_bit(24) != self.far.q.val().get_bit(24))
            & !self.reads_host.val()
            & !self.writes_host.val();
        self.far_high_sum.next =
            bit_cast::<33, 32>(self.far.q.val().get_bits::<32>(32)) + self.far_low.q.val().get_bit(32);
        self.far_high.d.next = self.far_high_sum.val();
        self.invalid.next = self.bad_word.q.val()
            | self.bad_near.q.val()
            | self.bad_far.q.val()
            | self.near_runs_over.q.val()
            | self.far_runs_over.q.val()
            | self.far_high.q.val().get_bit(32);

        // May the channel touch it? What does not touch the host, or is of the host, passes.
        self.check.next = self.step.q.val() == StartStep::Low;
        self.check_processor.next = bit_cast::<4, 5>(self.channel.q.val());
        self.check_write.next = self.writes_host.val();
        self.check_first.next = self.far.q.val().get_bits::<52>(12);
        self.check_last.next = (bit_cast::<52, 32>(self.far_high.q.val().get_bits::<32>(0)) << 20)
            | bit_cast::<52, 20>(self.far_low.q.val().get_bits::<20>(12));
        self.passes.next = self.of_host.q.val() | (!self.reads_host.val() & !self.writes_host.val());

        match self.step.q.val() {
            StartStep::Choose => {}
            StartStep::Address => self.step.d.next = StartStep::Fetch,
            StartStep::Fetch => self.step.d.next = StartStep::Length,
            StartStep::Length => self.step.d.next = StartStep::Low,
            StartStep::Low => self.step.d.next = StartStep::High,
            StartStep::High => {
                self.step.d.next = StartStep::Wait;
                self.refused.d.next = false;
                if self.passes.val() {
                    self.step.d.next = StartStep::Offer;
                }
            }
            StartStep::Wait => {
                if self.checked.val() {
                    self.step.d.next = StartStep::Offer;
                    self.refused.d.next = !self.allowed.val();
                }
            }
            StartStep::Offer => {}
        }
        for c in 0..self._channels {
            self.fenced[c].clock.next = self.clock.val();
            self.fenced[c].d.next = self.fenced[c].q.val();
            self.start[c].next = false;
            if (self.step.q.val() == StartStep::Length) & (self.channel.q.val() == c.to_bits()) {
                self.fenced[c].d.next = self.fence.val() & !self.is_quiet.q.val();
                self.start[c].next = !self.fence.val() | self.is_quiet.q.val();
            }
            if self.reset.val() {
                self.fenced[c].d.next = false;
            }
        }
        if (self.step.q.val() == StartStep::Length) & self.fence.val() & !self.is_quiet.q.val() {
            self.step.d.next = StartStep::Choose;
        }

        // Hand it over and go on.
        self.prepare_valid.next = self.step.q.val() == StartStep::Offer;
        self.prepare_channel.next = self.channel.q.val();
        self.prepare_copies.next = !self.reads_host.val();
        self.prepare_id.next = (bit_cast::<9, 5>(self.channel.q.val()) << 4) | bit_cast::<9, 4>(self.place.q.val());
        self.prepare_status.next = 0.into();
        if self.refused.q.val() {
            self.prepare_status.next = self.status_refused.val();
        }
        if self.invalid.val() {
            self.prepare_status.next = self.status_invalid.val();
        }
        self.entry.next.far = self.far.q.val();
        self.entry.next.near = self.near.q.val().get_bits::<28>(0);
        self.entry.next.remaining = self.length.val();
        if self.invalid.val() | self.refused.q.val() {
            self.entry.next.remaining = 0.into();
        }
        self.entry.next.to_host = self.writes_host.val();
        self.entry.next.to_core = !self.writes_host.val() & !self.reads_host.val();
        self.entry.next.position = self.place.q.val();
        self.prepare_entry.next = self.entry.val().into();
        for c in 0..self._channels {
            self.prepare[c].next = (self.step.q.val() == StartStep::Offer)
                & self.prepare_ready.val()
                & (self.channel.q.val() == c.to_bits());
        }
        if (self.step.q.val() == StartStep::Offer) & self.prepare_ready.val() {
            self.step.d.next = StartStep::Choose;
        }
        if self.chosen.q.val()
            & ((self.step.q.val() == StartStep::Choose)
                | ((self.step.q.val() == StartStep::Offer) & self.prepare_ready.val()))
        {
            self.step.d.next = StartStep::Address;
            self.channel.d.next = self.chosen_channel.q.val();
            self.chosen.d.next = false;
        }

        if self.reset.val() {
            self.step.d.next = StartStep::Choose;
            self.chosen.d.next = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emit::emit;
    use crate::random::Random;

    const PROCESSORS: usize = 3;
    const CHANNELS: usize = PROCESSORS + 1;

    /// What the channels hold, and what became of it.
    struct Bench {
        dut: DmaStart,
        queues: [Vec<[u64; 3]>; CHANNELS],
        started: [usize; CHANNELS],
        quiet: [bool; CHANNELS],
        allowed: bool,
        /// Cycles since the check was asked for.
        checking: Option<usize>,
        asked: Option<(u64, bool, u64, u64)>,
        fetched: [u64; 3],
        /// Channel, entry, status.
        prepared: Vec<(u64, Bits<PREPARED_BITS>, u64)>,
        cycles: usize,
    }

    impl Bench {
        fn new() -> Self {
            let mut dut = DmaStart::new(PROCESSORS);
            dut.connect_all();
            let mut bench = Self {
                dut,
                queues: Default::default(),
                started: [0; CHANNELS],
                quiet: [true; CHANNELS],
                allowed: true,
                checking: None,
                asked: None,
                fetched: [0; 3],
                prepared: vec![],
                cycles: 0,
            };
            bench.dut.reset.next = true;
            bench.cycle(false);
            bench.dut.reset.next = false;
            bench
        }

        fn cycle(&mut self, ready: bool) {
            let dut = &mut self.dut;
            for c in 0..CHANNELS {
                dut.waiting[c].next = self.started[c] < self.queues[c].len();
                dut.quiet[c].next = self.quiet[c];
                dut.position[c].next = (self.started[c] as u64 % 16).to_bits();
            }
            dut.source.next = self.fetched[0].to_bits();
            dut.destination.next = self.fetched[1].to_bits();
            dut.control.next = self.fetched[2].to_bits();
            self.checking = self.checking.map(|cycles| cycles + 1);
            dut.checked.next = self.checking == Some(6);
            dut.allowed.next = self.allowed;
            dut.prepare_ready.next = ready;
            assert!(simulate(dut, 10));
            if dut.check.val() {
                self.checking = Some(0);
            }
            if self.checking == Some(2) {
                self.asked = Some((
                    dut.check_processor.val().to_u64(),
                    dut.check_write.val(),
                    dut.check_first.val().to_u64(),
                    dut.check_last.val().to_u64(),
                ));
            }
            let channel = dut.fetch_channel.val().index();
            let position = dut.fetch_position.val().index();
            let at = if self.started[channel] % 16 == position { self.started[channel] } else { 0 };
            self.fetched = self.queues[channel].get(at).copied().unwrap_or_default();
            for c in 0..CHANNELS {
                self.started[c] += usize::from(dut.start[c].val());
                assert_eq!(
                    dut.prepare[c].val(),
                    dut.prepare_valid.val() && ready && dut.prepare_channel.val().index() == c
                );
            }
            if dut.prepare_valid.val() && ready && !dut.reset.val() {
                let channel = dut.prepare_channel.val().to_u64();
                self.prepared.push((channel, dut.prepare_entry.val(), dut.prepare_status.val().to_u64()));
            }
            for level in [true, false] {
                dut.clock.next = level.into();
                assert!(simulate(dut, 10));
            }
            self.cycles += 1;
        }
    }

    /// 7 for what makes no sense, in words of its own.
    fn judge(host_channel: bool, source: u64, destination: u64, control: u64) -> u64 {
        let flag = |bit: u32| control >> bit & 1 == 1;
        let (length, from_host, to_host, more, post) = (control & 0x1_FFFF, flag(20), flag(21), flag(22), flag(23));
        let card = |at: u64| at >> 28 == 0 && at >> 24 < PROCESSORS as u64 && (at & 0xFF_FFFF) + length <= 1 << 24;
        let host = |at: u64| u128::from(at) + u128::from(length) <= 1 << 64;
        let sound = (1..=65536).contains(&length)
            && !(from_host && to_host)
            && (if from_host { host(source) } else { card(source) })
            && (if to_host { host(destination) } else { card(destination) })
            && !(post && (more || if host_channel { !from_host } else { !to_host }));
        if sound { 0 } else { 7 }
    }

    #[test]
    fn sound_descriptors_are_prepared_and_others_named() {
        let mut random = Random::seeded(11);
        let mut bench = Bench::new();
        let (mut sound, mut refused) = (0, 0);
        for round in 0..250 {
            let channel = random.below(CHANNELS as u64) as usize;
            let host_channel = channel == PROCESSORS;
            let near_end = |random: &mut Random, end: u64| end.wrapping_sub(random.below(100_000));
            let place = |random: &mut Random, host: bool| match (host, random.below(8)) {
                (true, 0) => near_end(random, 0),
                (true, _) => random.below(1 << 31) << random.below(34),
                (false, 0) => random.below(16) << 24 | near_end(random, 1 << 24) & 0xFF_FFFF,
                (false, 1) => 1 << (28 + random.below(36)),
                (false, _) => random.below(PROCESSORS as u64) << 24 | random.below(1 << 24),
            };
            let direction = random.below(4) + if random.below(8) == 0 { 0 } else { 4 };
            let direction = [0, 1, 2, 3, 0, 1, 2, 1][direction as usize];
            let length = [random.below(70_000), 65_536, 0, 1 + random.below(64)][random.below(4) as usize];
            let mut control = length | direction << 20;
            for (bit, chance) in [(22, 4), (23, 3), (17, 40), (18, 40), (19, 40), (25, 40), (31, 40)] {
                control |= u64::from(random.below(chance) == 0) << bit;
            }
            let (source, destination) =
                (place(&mut random, direction & 1 == 1), place(&mut random, direction & 2 == 2));
            bench.allowed = random.below(4) != 0;
            bench.queues[channel].push([source, destination, control]);
            bench.asked = None;
            let before = bench.cycles;
            while bench.prepared.len() == round {
                bench.cycle(random.below(4) != 0);
                assert!(bench.cycles - before < 40, "{source:x} {destination:x} {control:x}");
            }
            let (of, entry, status) = bench.prepared[round];
            let mut expected = judge(host_channel, source, destination, control);
            if expected == 0 && direction != 0 && !host_channel {
                let at = if direction == 1 { source } else { destination };
                let last = (at + (control & 0x1_FFFF) - 1) >> 12;
                assert_eq!(bench.asked, Some((channel as u64, direction == 2, at >> 12, last)));
                expected = if bench.allowed { 0 } else { 6 };
            }
            assert_eq!((of, status), (channel as u64, expected), "{source:x} {destination:x} {control:x}");
            let (far, near) = if direction & 1 == 1 { (source, destination) } else { (destination, source) };
            assert_eq!(entry.get_bits::<17>(92).to_u64(), if expected == 0 { control & 0x1_FFFF } else { 0 });
            if expected == 0 {
                assert_eq!((entry.get_bits::<64>(0).to_u64(), entry.get_bits::<28>(64).to_u64()), (far, near));
                assert_eq!((entry.get_bit(109), entry.get_bit(110)), (direction == 2, direction == 0));
                sound += 1;
            }
            assert_eq!(entry.get_bits::<4>(111).to_u64(), (bench.started[channel] as u64 - 1) % 16);
            refused += u64::from(expected == 6);
        }
        assert!(sound > 60 && refused > 10 && sound + refused < 220, "{sound} {refused}");
    }

    #[test]
    fn a_fence_holds_its_channel_until_it_is_quiet_and_no_other() {
        let mut bench = Bench::new();
        bench.quiet[1] = false;
        bench.queues[1].push([0x100, 0x200, 4 | u64::from(control::FENCE)]);
        for _ in 0..3 {
            bench.queues[2].push([0x300, 0x400, 4]);
        }
        for _ in 0..200 {
            bench.cycle(true);
        }
        assert!(bench.prepared.iter().map(|p| p.0).eq([2, 2, 2]));
        bench.quiet[1] = true;
        for _ in 0..40 {
            bench.cycle(true);
        }
        assert!(bench.prepared.iter().map(|p| p.0).eq([2, 2, 2, 1]));
    }

    #[test]
    fn channels_take_turns() {
        let mut bench = Bench::new();
        for _ in 0..5 {
            for c in 0..CHANNELS {
                bench.queues[c].push([0x100, 0x200, 4]);
            }
        }
        for _ in 0..20 * 12 {
            bench.cycle(true);
        }
        let order: Vec<u64> = bench.prepared.iter().map(|p| p.0).collect();
        assert_eq!(order.len(), 20);
        for turn in order.chunks(CHANNELS) {
            let mut turn = turn.to_vec();
            turn.sort();
            assert_eq!(turn, [0, 1, 2, 3]);
        }
    }

    #[test]
    fn it_can_be_printed() {
        emit(&mut DmaStart::new(2), "dma_start").expect("2");
        emit(&mut DmaStart::new(16), "dma_start").expect("16");
    }
}
