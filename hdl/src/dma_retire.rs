//! Ends descriptors, in the order of their channel: when nothing of one is under way, posts its MFA and reports it.
//!
//! A channel is looked at when something of it has settled or been issued. Elements of a scatter-gather list are added up: the bytes of those
//! that were copied, and the first error.
//!
//! | port                | dir | width | meaning                                                                          |
//! |---------------------|-----|-------|----------------------------------------------------------------------------------|
//! | `issued_c`          | in  | 1     | channel c has a descriptor that is issued whole and not retired                  |
//! | `position_c`        | in  | 4     | position of the oldest of these                                                  |
//! | `report_position_c` | in  | 4     | where its next report is stored                                                  |
//! | `retire_c`          | out | 1     | the oldest is retired                                                            |
//! | `reports`           | out | 1     | with `retire_c`: and its report stored                                           |
//! | `prepare_valid`     | in  | 1     | a descriptor has been checked                                                    |
//! | `prepare_id`        | in  | 9     | it: position, then channel                                                       |
//! | `prepare_status`    | in  | 4     | what is wrong with it, or 0                                                      |
//! | `error_valid`       | in  | 1     | something went wrong                                                             |
//! | `error_ready`       | out | 1     | it is noted, unless something was already                                        |
//! | `error_id`          | in  | 9     | for this descriptor                                                              |
//! | `error_status`      | in  | 4     | what                                                                             |
//! | `issue_valid`       | in  | 1     | a descriptor has been issued whole                                               |
//! | `issue_channel`     | in  | 5     | of this channel                                                                  |
//! | `read_settle`       | in  | 1     | a read from the host has settled                                                 |
//! | `read_channel`      | in  | 5     | of this channel                                                                  |
//! | `copy_settle`       | in  | 1     | a copy out of a core's memory has settled                                        |
//! | `copy_channel`      | in  | 5     | of this channel                                                                  |
//! | `probe`             | out | 9     | a descriptor                                                                     |
//! | `busy`              | in  | 1     | two cycles later: something of it is under way                                   |
//! | `fetch_channel`     | out | 5     | descriptor to read: channel                                                      |
//! | `fetch_position`    | out | 4     | and position                                                                     |
//! | `control`           | in  | 32    | one cycle later: its control word                                                |
//! | `mfa`               | in  | 32    | its MFA                                                                          |
//! | `tag_along`         | in  | 32    | its context                                                                      |
//! | `post_valid`        | out | 1     | post an MFA; stays until it is taken; reset value 0                              |
//! | `post_ready`        | in  | 1     | it is taken                                                                      |
//! | `post_outbound`     | out | 1     | into the outbound post queue, else into an inbound one                           |
//! | `post_page`         | out | 4     | of this processor; for outbound, whose channel posts                             |
//! | `post_mfa`          | out | 32    | the MFA                                                                          |
//! | `post_done`         | in  | 1     | in a later cycle: it is posted or refused                                        |
//! | `post_refused`      | in  | 1     | with `post_done`: refused                                                        |
//! | `store`             | out | 1     | store a completion entry                                                         |
//! | `store_channel`     | out | 5     | of this channel                                                                  |
//! | `store_position`    | out | 4     | in this position                                                                 |
//! | `store_data`        | out | 64    | the entry, see [`abi::dma::Completion`]                                          |
//! | `failed`            | out | 1     | pulse: a descriptor ended with an error                                          |
//!
//! Latency: [`LATENCY`] cycles from a settling to `store`, if nothing else is to be looked at or posted. Throughput: one descriptor per seven
//! cycles and the time its MFA takes.

use abi::dma::{Completion, DEPTH, Status, control};
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

use crate::arbiter::Arbiter;
use crate::many;
use crate::memory::{Collision, Memory};

/// Cycles from a settling to `store`: stir, candidate, choose, locate, look (2), add, store.
pub const LATENCY: usize = 7;

/// What the retirer does.
#[derive(LogicState, Debug, Copy, Clone, PartialEq)]
enum RetireStep {
    Choose,
    Locate,
    Look,
    Compare,
    Decide,
    Post,
    Posting,
    Report,
    Pause,
}

/// What happens to an error.
#[derive(LogicState, Debug, Copy, Clone, PartialEq)]
enum NoteStep {
    Idle,
    Fetch,
    Write,
}

/// See the module's page.
#[derive(LogicBlock)]
pub struct DmaRetire {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub issued: Vec<Signal<In, Bit>>,
    pub position: Vec<Signal<In, Bits<4>>>,
    pub report_position: Vec<Signal<In, Bits<4>>>,
    pub retire: Vec<Signal<Out, Bit>>,
    pub reports: Signal<Out, Bit>,
    pub prepare_valid: Signal<In, Bit>,
    pub prepare_id: Signal<In, Bits<9>>,
    pub prepare_status: Signal<In, Bits<4>>,
    pub error_valid: Signal<In, Bit>,
    pub error_ready: Signal<Out, Bit>,
    pub error_id: Signal<In, Bits<9>>,
    pub error_status: Signal<In, Bits<4>>,
    pub issue_valid: Signal<In, Bit>,
    pub issue_channel: Signal<In, Bits<5>>,
    pub read_settle: Signal<In, Bit>,
    pub read_channel: Signal<In, Bits<5>>,
    pub copy_settle: Signal<In, Bit>,
    pub copy_channel: Signal<In, Bits<5>>,
    pub probe: Signal<Out, Bits<9>>,
    pub busy: Signal<In, Bit>,
    pub fetch_channel: Signal<Out, Bits<5>>,
    pub fetch_position: Signal<Out, Bits<4>>,
    pub control: Signal<In, Bits<32>>,
    pub mfa: Signal<In, Bits<32>>,
    pub tag_along: Signal<In, Bits<32>>,
    pub post_valid: Signal<Out, Bit>,
    pub post_ready: Signal<In, Bit>,
    pub post_outbound: Signal<Out, Bit>,
    pub post_page: Signal<Out, Bits<4>>,
    pub post_mfa: Signal<Out, Bits<32>>,
    pub post_done: Signal<In, Bit>,
    pub post_refused: Signal<In, Bit>,
    pub store: Signal<Out, Bit>,
    pub store_channel: Signal<Out, Bits<5>>,
    pub store_position: Signal<Out, Bits<4>>,
    pub store_data: Signal<Out, Bits<64>>,
    pub failed: Signal<Out, Bit>,
    // What is wrong with every descriptor; twice, to read it in two places.
    statuses: Memory<4, 9>,
    errors: Memory<4, 9>,
    note: DFF<NoteStep>,
    noted: DFF<Bits<4>>,
    notes: Signal<Local, Bit>,
    // Who is looked at.
    stirred: Vec<DFF<Bit>>,
    candidate: Vec<DFF<Bit>>,
    turns: Arbiter,
    step: DFF<RetireStep>,
    channel: DFF<Bits<5>>,
    of_host: DFF<Bit>,
    position_now: Signal<Local, Bits<4>>,
    report_position_now: Signal<Local, Bits<4>>,
    place: DFF<Bits<4>>,
    report_place: DFF<Bits<4>>,
    retires: Signal<Local, Bit>,
    // The descriptor.
    length: DFF<Bits<17>>,
    more: DFF<Bit>,
    posts: DFF<Bit>,
    mfa_now: DFF<Bits<32>>,
    context_now: DFF<Bits<32>>,
    own_status: DFF<Bits<4>>,
    // The list it belongs to, so far: bytes and status. Only what is open counts.
    lists: Memory<24, 5>,
    list: DFF<Bits<24>>,
    open: Vec<DFF<Bit>>,
    is_open: Signal<Local, Bit>,
    sum: Signal<Local, Bits<21>>,
    bytes: DFF<Bits<20>>,
    status: DFF<Bits<4>>,
    fails: DFF<Bit>,
    // The verdict on its MFA has come.
    posted: Signal<Local, Bit>,
    refused: Signal<Local, Bit>,
    outcome: Signal<Local, Bits<4>>,
    pulse_failed: DFF<Bit>,
    host: Constant<Bits<5>>,
    most: Constant<Bits<20>>,
    mfa_refused: Constant<Bits<4>>,
    _channels: usize,
}

impl DmaRetire {
    /// For the channels of `processors` processors and the host.
    pub fn new(processors: usize) -> Self {
        // Literals below, as the HDL has no named indices.
        assert_eq!([control::MORE, control::POST], [1 << 22, 1 << 23]);
        assert_eq!((control::LENGTH_BITS, Completion::STATUS_LSB, Completion::CONTEXT_LSB), (17, 20, 32));
        let channels = processors + 1;
        block! {
            Self {
                issued: many(channels),
                position: many(channels),
                report_position: many(channels),
                retire: many(channels),
                // An error is noted before what it belongs to has settled.
                statuses: Memory::new(DEPTH * channels, Collision::Discarded),
                errors: Memory::new(DEPTH * channels, Collision::Discarded),
                stirred: many(channels),
                candidate: many(channels),
                turns: Arbiter::new(channels),
                lists: Memory::new(channels, Collision::Discarded),
                open: many(channels),
                host: Constant::new((processors as u64).to_bits()),
                most: Constant::new((Completion::MAX_BYTES as u64).to_bits()),
                mfa_refused: Constant::new((Status::MfaRefused as u64).to_bits()),
                _channels: channels,
            },
            clock, reset, reports, prepare_valid, prepare_id, prepare_status, error_valid, error_ready, error_id,
            error_status, issue_valid, issue_channel, read_settle, read_channel, copy_settle, copy_channel, probe, busy,
            fetch_channel, fetch_position, control, mfa, tag_along, post_valid, post_ready, post_outbound, post_page,
            post_mfa, post_done, post_refused, store, store_channel, store_position, store_data, failed, note, noted,
            notes, step, channel, of_host, position_now, report_position_now, place, report_place, retires, length,
            more, posts, mfa_now, context_now, own_status, list, is_open, sum, bytes, status, fails, posted, refused,
            outcome, pulse_failed
        }
    }
}

impl Logic for DmaRetire {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, note, noted, step, channel, of_host, place, report_place, length, more, posts);
        dff_setup!(self, clock, mfa_now, context_now, own_status, list, bytes, status, fails, pulse_failed);
        self.statuses.clock.next = self.clock.val();
        self.errors.clock.next = self.clock.val();
        self.lists.clock.next = self.clock.val();
        self.turns.clock.next = self.clock.val();
        self.turns.reset.next = self.reset.val();

        // Note what is wrong: a checked descriptor's verdict at once, later errors if there is none yet.
        self.errors.read_address.next = self.error_id.val();
        self.noted.d.next = self.errors.read_data.val();
        self.notes.next = (self.note.q.val() == NoteStep::Write) & !self.prepare_valid.val();
        self.error_ready.next = self.notes.val();
        match self.note.q.val() {
            NoteStep::Idle => {
                if self.error_valid.val() {
                    self.note.d.next = NoteStep::Fetch;
                }
            }
            NoteStep::Fetch => self.note.d.next = NoteStep::Write,
            NoteStep::Write => {
                if self.notes.val() {
                    self.note.d.next = NoteStep::Idle;
                }
            }
        }
        self.statuses.write_enable.next = self.prepare_valid.val() | (self.notes.val() & !self.noted.q.val().any());
        self.errors.write_enable.next = self.prepare_valid.val() | (self.notes.val() & !self.noted.q.val().any());
        self.statuses.write_address.next = self.error_id.val();
        self.errors.write_address.next = self.error_id.val();
        self.statuses.write_data.next = self.error_status.val();
        self.errors.write_data.next = self.error_status.val();
        if self.prepare_valid.val() {
            self.statuses.write_address.next = self.prepare_id.val();
            self.errors.write_address.next = self.prepare_id.val();
            self.statuses.write_data.next = self.prepare_status.val();
            self.errors.write_data.next = self.prepare_status.val();
        }

        // Who is looked at. What stirs a channel in the cycle in which it is chosen stirs it again.
        self.posted.next = (self.step.q.val() == RetireStep::Posting) & self.post_done.val();
        self.retires.next = (self.step.q.val() == RetireStep::Report) | self.posted.val();
        self.turns.advance.next = (self.step.q.val() == RetireStep::Choose) & self.turns.any.val();
        self.position_now.next = 0.into();
        self.report_position_now.next = 0.into();
        self.is_open.next = false;
        for c in 0..self._channels {
            self.turns.request[c].next = self.candidate[c].q.val();
            self.candidate[c].clock.next = self.clock.val();
            self.candidate[c].d.next = self.issued[c].val() & self.stirred[c].q.val() & !self.reset.val();
            self.stirred[c].clock.next = self.clock.val();
            self.stirred[c].d.next = self.stirred[c].q.val();
            if (self.step.q.val() == RetireStep::Choose) & self.turns.grant[c].val() {
                self.stirred[c].d.next = false;
            }
            if (self.issue_valid.val() & (self.issue_channel.val() == c.to_bits()))
                | (self.read_settle.val() & (self.read_channel.val() == c.to_bits()))
                | (self.copy_settle.val() & (self.copy_channel.val() == c.to_bits()))
                | (self.retires.val() & (self.channel.q.val() == c.to_bits()))
            {
                self.stirred[c].d.next = true;
            }
            self.retire[c].next = self.retires.val() & (self.channel.q.val() == c.to_bits());
            self.open[c].clock.next = self.clock.val();
            self.open[c].d.next = self.open[c].q.val();
            if self.channel.q.val() == c.to_bits() {
                self.position_now.next = self.position[c].val();
                self.report_position_now.next = self.report_position[c].val();
                self.is_open.next = self.open[c].q.val();
                if self.retires.val() {
                    self.open[c].d.next = self.more.q.val();
                }
            }
            if self.reset.val() {
                self.open[c].d.next = false;
                self.stirred[c].d.next = false;
            }
        }

        // Look at its oldest descriptor.
        self.probe.next = (bit_cast::<9, 5>(self.channel.q.val()) << 4) | bit_cast::<9, 4>(self.place.q.val());
        self.statuses.read_address.next =
            (bit_cast::<9, 5>(self.channel.q.val()) << 4) | bit_cast::<9, 4>(self.place.q.val());
        self.fetch_channel.next = self.channel.q.val();
        self.fetch_position.next = self.place.q.val();
        self.lists.read_address.next = self.channel.q.val();
        if self.step.q.val() == RetireStep::Choose {
            self.channel.d.next = self.turns.granted.val();
        }
        if self.step.q.val() == RetireStep::Locate {
            self.of_host.d.next = self.channel.q.val() == self.host.val();
            self.place.d.next = self.position_now.val();
            self.report_place.d.next = self.report_position_now.val();
        }
        if self.step.q.val() == RetireStep::Compare {
            self.length.d.next = self.control.val().get_bits::<17>(0);
            self.more.d.next = self.control.val().get_bit(22);
            self.posts.d.next = self.control.val().get_bit(23);
            self.mfa_now.d.next = self.mfa.val();
            self.context_now.d.next = self.tag_along.val();
            self.own_status.d.next = self.statuses.read_data.val();
            self.list.d.next = 0.into();
            if self.is_open.val() {
                self.list.d.next = self.lists.read_data.val();
            }
        }

        // Add it up.
        self.sum.next = bit_cast::<21, 20>(self.list.q.val().get_bits::<20>(0));
        if !self.own_status.q.val().any() {
            self.sum.next =
                bit_cast::<21, 20>(self.list.q.val().get_bits::<20>(0)) + bit_cast::<21, 17>(self.length.q.val());
        }
        if self.step.q.val() == RetireStep::Decide {
            self.bytes.d.next = self.sum.val().get_bits::<20>(0);
            if self.sum.val().get_bit(20) {
                self.bytes.d.next = self.most.val();
            }
            self.status.d.next = self.list.q.val().get_bits::<4>(20);
            if !self.list.q.val().get_bits::<4>(20).any() {
                self.status.d.next = self.own_status.q.val();
            }
            self.fails.d.next = self.own_status.q.val().any();
        }

        match self.step.q.val() {
            RetireStep::Choose => {
                if self.turns.any.val() {
                    self.step.d.next = RetireStep::Locate;
                }
            }
            RetireStep::Locate => self.step.d.next = RetireStep::Look,
            RetireStep::Look => self.step.d.next = RetireStep::Compare,
            RetireStep::Compare => self.step.d.next = RetireStep::Decide,
            RetireStep::Decide => {
                self.step.d.next = RetireStep::Report;
                if self.posts.q.val() & !self.own_status.q.val().any() & !self.list.q.val().get_bits::<4>(20).any() {
                    self.step.d.next = RetireStep::Post;
                }
                if self.busy.val() {
                    self.step.d.next = RetireStep::Choose;
                }
            }
            RetireStep::Post => {
                if self.post_ready.val() {
                    self.step.d.next = RetireStep::Posting;
                }
            }
            RetireStep::Posting => {
                if self.post_done.val() {
                    self.step.d.next = RetireStep::Pause;
                }
            }
            RetireStep::Report => self.step.d.next = RetireStep::Pause,
            RetireStep::Pause => self.step.d.next = RetireStep::Choose,
        }

        self.post_valid.next = self.step.q.val() == RetireStep::Post;
        self.post_outbound.next = !self.of_host.q.val();
        self.post_page.next = bit_cast::<4, 5>(self.channel.q.val());
        if self.of_host.q.val() {
            self.post_page.next = self.mfa_now.q.val().get_bits::<4>(24);
        }
        self.post_mfa.next = self.mfa_now.q.val();

        // The verdict on the MFA is noted in the cycle in which it comes.
        self.refused.next = self.posted.val() & self.post_refused.val();
        self.outcome.next = self.status.q.val();
        if self.refused.val() {
            self.outcome.next = self.mfa_refused.val();
        }
        self.reports.next = !self.more.q.val();
        self.lists.write_enable.next = self.retires.val() & self.more.q.val();
        self.lists.write_address.next = self.channel.q.val();
        self.lists.write_data.next =
            (bit_cast::<24, 4>(self.outcome.val()) << 20) | bit_cast::<24, 20>(self.bytes.q.val());
        self.store.next = self.retires.val() & !self.more.q.val();
        self.store_channel.next = self.channel.q.val();
        self.store_position.next = self.report_place.q.val();
        self.store_data.next = (bit_cast::<64, 32>(self.context_now.q.val()) << 32)
            | (bit_cast::<64, 4>(self.outcome.val()) << 20)
            | bit_cast::<64, 20>(self.bytes.q.val());
        self.pulse_failed.d.next = self.retires.val() & (self.fails.q.val() | self.refused.val());
        self.failed.next = self.pulse_failed.q.val();

        if self.reset.val() {
            self.note.d.next = NoteStep::Idle;
            self.step.d.next = RetireStep::Choose;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emit::emit;
    use crate::random::Random;
    use std::collections::VecDeque;

    const PROCESSORS: usize = 2;
    const CHANNELS: usize = PROCESSORS + 1;

    /// A descriptor on its way to its end.
    #[derive(Clone)]
    struct Job {
        control: u64,
        mfa: u64,
        context: u64,
        /// Verdict of its check, then the errors in the order in which they appear.
        start: u64,
        errors: VecDeque<u64>,
        /// Requests under way.
        busy: u64,
        issued: bool,
    }

    /// Status and bytes of the list so far, as the documentation of the completion entry says.
    #[derive(Clone, Copy, Default)]
    struct List {
        status: u64,
        bytes: u64,
    }

    #[test]
    fn descriptors_end_in_order_when_nothing_of_them_is_under_way_and_lists_add_up() {
        let mut dut = DmaRetire::new(PROCESSORS);
        dut.connect_all();
        let mut random = Random::seeded(19);
        let mut jobs: [VecDeque<Job>; CHANNELS] = Default::default();
        let (mut pushed, mut retired, mut reported) = ([0u64; CHANNELS], [0u64; CHANNELS], [0u64; CHANNELS]);
        let mut lists = [List::default(); CHANNELS];
        // Busy or not, of the descriptor probed one and two cycles ago; what was fetched a cycle ago.
        let (mut probed, mut fetched) = ([false; 2], (0, 0));
        let (mut posting, mut refusing): (Option<u64>, bool) = (None, false);
        let (mut error, mut reports, mut failures, mut posts, mut expected_failures) = (None, 0, 0, 0, 0);
        for cycle in 0..12_000u64 {
            dut.reset.next = cycle == 0;
            // A descriptor is checked, or issued whole, or something of one settles.
            let c = random.below(CHANNELS as u64) as usize;
            dut.prepare_valid.next = false;
            dut.issue_valid.next = false;
            dut.read_settle.next = false;
            dut.copy_settle.next = false;
            if cycle > 0 && jobs[c].len() < 6 && cycle < 11_000 && random.below(4) == 0 {
                let start = if random.below(5) == 0 { 6 + random.below(2) } else { 0 };
                let bad = start != 0;
                let job = Job {
                    control: (1 + random.below(65_536)) | (random.below(4) << 22),
                    mfa: random.below(1 << 31),
                    context: random.below(1 << 31),
                    start,
                    errors: (0..if bad { 0 } else { random.below(4) / 2 }).map(|_| 1 + random.below(5)).collect(),
                    busy: if bad { 0 } else { 1 + random.below(3) },
                    issued: false,
                };
                dut.prepare_valid.next = true;
                dut.prepare_id.next = (((c as u64) << 4) | (pushed[c] % 16)).to_bits();
                dut.prepare_status.next = start.to_bits();
                pushed[c] += 1;
                jobs[c].push_back(job);
            }
            let mut settled = None;
            let c = random.below(CHANNELS as u64) as usize;
            if cycle > 0 {
                let at = random.below(8) as usize;
                let issues = jobs[c].iter().take(at).all(|job| job.issued);
                if let Some(job) = jobs[c].get_mut(at) {
                    if !job.issued && issues && !dut.prepare_valid.val() {
                        job.issued = true;
                        dut.issue_valid.next = true;
                        dut.issue_channel.next = (c as u64).to_bits();
                    } else if job.issued && job.busy > 0 && error.is_none() {
                        let id = ((c as u64) << 4) | ((retired[c] + at as u64) % 16);
                        if job.errors.is_empty() {
                            settled = Some((c, at));
                        } else {
                            error = job.errors.front().map(|status| (id, *status, c, retired[c] + at as u64));
                        }
                    }
                }
            }
            if let Some((c, _)) = settled {
                let read = random.below(2) == 0;
                dut.read_settle.next = read;
                dut.copy_settle.next = !read;
                dut.read_channel.next = (c as u64).to_bits();
                dut.copy_channel.next = (c as u64).to_bits();
            }
            dut.error_valid.next = error.is_some();
            if let Some((id, status, ..)) = error {
                dut.error_id.next = id.to_bits();
                dut.error_status.next = status.to_bits();
            }
            for c in 0..CHANNELS {
                // One that was issued in this cycle counts from the next one on; the bench has it in `issued` already.
                let issued = jobs[c].front().is_some_and(|job| job.issued);
                let fresh = dut.issue_valid.val() && dut.issue_channel.val().index() == c;
                dut.issued[c].next = issued && !(fresh && jobs[c].get(1).is_none_or(|job| !job.issued));
                dut.position[c].next = (retired[c] % 16).to_bits();
                dut.report_position[c].next = (reported[c] % 16).to_bits();
            }
            dut.busy.next = probed[1];
            let (channel, position): (usize, u64) = fetched;
            let job = jobs[channel].get(((position + 16 - retired[channel] % 16) % 16) as usize);
            if let Some(job) = job {
                dut.control.next = job.control.to_bits();
                dut.mfa.next = job.mfa.to_bits();
                dut.tag_along.next = job.context.to_bits();
            }
            dut.post_ready.next = posting.is_none();
            dut.post_done.next = posting == Some(cycle);
            dut.post_refused.next = refusing;
            if posting == Some(cycle) {
                posting = None;
            }
            assert!(simulate(&mut dut, 10));

            failures += u64::from(dut.failed.val() && cycle > 1);
            if dut.post_valid.val() && dut.post_ready.val() && cycle > 0 {
                let c = (0..CHANNELS).find(|c| jobs[*c].front().is_some_and(|j| j.mfa == dut.post_mfa.val().to_u64()));
                let c = c.expect("the MFA of an oldest descriptor");
                assert_eq!(dut.post_outbound.val(), c != PROCESSORS);
                let mfa_page = jobs[c][0].mfa >> 24 & 15;
                assert_eq!(dut.post_page.val().to_u64(), if c == PROCESSORS { mfa_page } else { c as u64 });
                refusing = jobs[c][0].mfa.is_multiple_of(3);
                posting = Some(cycle + 2 + random.below(4));
                posts += 1;
            }
            for c in 0..CHANNELS {
                if !dut.retire[c].val() || cycle == 0 {
                    continue;
                }
                let job = jobs[c].pop_front().expect("one to retire");
                assert!(job.issued && job.busy == 0, "cycle {cycle}: something of it is under way");
                let more = job.control >> 22 & 1 == 1;
                let mut list = lists[c];
                let own = job.start;
                if own == 0 {
                    list.bytes = (list.bytes + (job.control & 0x1_FFFF)).min(0xF_FFFF);
                }
                let first = list.status == 0;
                list.status = if first { own } else { list.status };
                let posted = job.control >> 23 & 1 == 1 && list.status == 0;
                let refused = posted && job.mfa.is_multiple_of(3);
                list.status = if refused { 8 } else { list.status };
                expected_failures += u64::from(own != 0 || refused);
                assert_eq!(dut.reports.val(), !more);
                assert_eq!(dut.store.val(), !more);
                if more {
                    lists[c] = list;
                } else {
                    assert_eq!(dut.store_channel.val().index(), c);
                    assert_eq!(dut.store_position.val().to_u64(), reported[c] % 16);
                    let entry = job.context << 32 | list.status << 20 | list.bytes;
                    assert_eq!(dut.store_data.val().to_u64(), entry, "cycle {cycle}, channel {c}");
                    lists[c] = List::default();
                    reported[c] += 1;
                    reports += 1;
                }
                retired[c] += 1;
            }
            if let Some((_, status, c, number)) = error.filter(|_| dut.error_ready.val()) {
                let job = &mut jobs[c][(number - retired[c]) as usize];
                job.errors.pop_front();
                // The first one stays.
                job.start = if job.start == 0 { status } else { job.start };
                error = None;
            }
            fetched = (dut.fetch_channel.val().index(), dut.fetch_position.val().to_u64());
            let id = dut.probe.val().to_u64();
            let (c, position) = ((id >> 4) as usize, id & 15);
            let at = ((position + 16 - retired[c.min(CHANNELS - 1)] % 16) % 16) as usize;
            let busy = jobs.get(c).and_then(|jobs| jobs.get(at)).is_some_and(|job| job.busy > 0);
            probed = [busy, probed[0]];
            if let Some((c, at)) = settled {
                let gone = usize::from((0..CHANNELS).any(|r| r == c && dut.retire[r].val()));
                jobs[c][at - gone].busy -= 1;
            }
            for level in [true, false] {
                dut.clock.next = level.into();
                assert!(simulate(&mut dut, 10));
            }
        }
        assert!(jobs.iter().all(|jobs| jobs.is_empty()), "all have ended");
        assert!(reports > 200 && posts > 50, "{reports} {posts}");
        assert_eq!(failures, expected_failures);
    }

    #[test]
    fn it_can_be_printed() {
        emit(&mut DmaRetire::new(2), "dma_retire").expect("2");
        emit(&mut DmaRetire::new(16), "dma_retire").expect("16");
    }
}
