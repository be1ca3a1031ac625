//! Writes the payloads of completions into the processors' memories, and says when a request has settled.
//!
//! Payloads and ends of requests come in the order in which they were judged, see [`crate::dma_judge`], and are done in that order: what
//! settles has all its bytes in memory. A payload that is shorter or longer than its header says gives the bytes that are there, none
//! beyond the request, and an error.
//!
//! | port              | dir | width | meaning                                                                            |
//! |-------------------|-----|-------|------------------------------------------------------------------------------------|
//! | `fill_valid`      | in  | 1     | a payload, or the end of a request                                                 |
//! | `fill_ready`      | out | 1     | it is taken; reset value 1                                                         |
//! | `todo`            | in  | 64    | what to do, see [`crate::dma_judge::Fill`]                                          |
//! | `payload_valid`   | in  | 1     | a beat of payload                                                                  |
//! | `payload_data`    | in  | W     | it                                                                                 |
//! | `payload_last`    | in  | 1     | last of its completion                                                             |
//! | `payload_take`    | out | 1     | take it                                                                            |
//! | `write_valid`     | out | 1     | a line to write; stays until it is granted; reset value 0                          |
//! | `write_processor` | out | 4     | into whose memory                                                                  |
//! | `write_address`   | out | 24    | byte address, a multiple of W/8                                                    |
//! | `write_data`      | out | W     | bytes                                                                              |
//! | `write_strobe`    | out | W/8   | lanes to write                                                                     |
//! | `write_grant`     | in  | 1     | it is written                                                                      |
//! | `error_valid`     | out | 1     | something is wrong; stays until it is taken; reset value 0                         |
//! | `error_ready`     | in  | 1     | it is taken                                                                        |
//! | `error_id`        | out | 9     | the descriptor                                                                     |
//! | `error_status`    | out | 4     | what, see [`abi::dma::Status`]                                                     |
//! | `settle_valid`    | out | 1     | a request that ended has settled, its errors were taken                            |
//! | `settle_tag`      | out | 5     | its tag                                                                            |
//! | `settle_lost`     | out | 1     | more completions may come                                                          |
//! | `settle_channel`  | out | 5     | its channel                                                                        |
//!
//! Latency: from `payload_valid` to `write_valid` the aligner's. Throughput: one beat per cycle; payloads follow each other without a gap, one
//! cycle is lost if the first byte's lane in memory is below that in the payload or the payload goes over one line more.

use abi::dma::Status;
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

use crate::aligner::Aligner;
use crate::dma_judge::FILL_BITS;
use crate::queue::Queue;
use crate::skid_buffer::SkidBuffer;

/// A payload's place, and what comes behind it.
#[derive(LogicStruct, Debug, Copy, Clone, PartialEq, Default)]
struct Behind {
    writes: Bit,
    ends: Bit,
    lost: Bit,
    processor: Bits<4>,
    /// Of the first line.
    address: Bits<24>,
    status: Bits<4>,
    tag: Bits<5>,
    id: Bits<9>,
}

/// See the module's page. `KEEP` is W / 8.
#[derive(LogicBlock)]
pub struct DmaFill<const W: usize, const KEEP: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub fill_valid: Signal<In, Bit>,
    pub fill_ready: Signal<Out, Bit>,
    pub todo: Signal<In, Bits<FILL_BITS>>,
    pub payload_valid: Signal<In, Bit>,
    pub payload_data: Signal<In, Bits<W>>,
    pub payload_last: Signal<In, Bit>,
    pub payload_take: Signal<Out, Bit>,
    pub write_valid: Signal<Out, Bit>,
    pub write_processor: Signal<Out, Bits<4>>,
    pub write_address: Signal<Out, Bits<24>>,
    pub write_data: Signal<Out, Bits<W>>,
    pub write_strobe: Signal<Out, Bits<KEEP>>,
    pub write_grant: Signal<In, Bit>,
    pub error_valid: Signal<Out, Bit>,
    pub error_ready: Signal<In, Bit>,
    pub error_id: Signal<Out, Bits<9>>,
    pub error_status: Signal<Out, Bits<4>>,
    pub settle_valid: Signal<Out, Bit>,
    pub settle_tag: Signal<Out, Bits<5>>,
    pub settle_lost: Signal<Out, Bit>,
    pub settle_channel: Signal<Out, Bits<5>>,
    // The next one: what it means for the aligner.
    waits: DFF<Bit>,
    waiting: DFF<Bits<FILL_BITS>>,
    takes: Signal<Local, Bit>,
    next_lane: Signal<Local, Bits<6>>,
    next_place: Signal<Local, Bits<6>>,
    line_end: Signal<Local, Bits<14>>,
    beat_end: Signal<Local, Bits<14>>,
    plan_lines: Signal<Local, Bits<14>>,
    behind: Signal<Local, Behind>,
    starts: Signal<Local, Bit>,
    // The one whose payload comes.
    active: DFF<Bit>,
    drops: DFF<Bit>,
    lines_left: DFF<Bits<14>>,
    at_first: DFF<Bit>,
    first_keep: DFF<Bits<KEEP>>,
    last_keep: DFF<Bits<KEEP>>,
    first_lanes: Signal<Local, Bits<KEEP>>,
    last_lanes: Signal<Local, Bits<KEEP>>,
    last_lane: Signal<Local, Bits<6>>,
    active_id: DFF<Bits<9>>,
    /// Its payload has ended before all its lines were there.
    is_short: DFF<Bit>,
    has_line: Signal<Local, Bit>,
    line_keep: Signal<Local, Bits<KEEP>>,
    line_taken: Signal<Local, Bit>,
    at_last: Signal<Local, Bit>,
    ends_line: Signal<Local, Bit>,
    goes_wrong: Signal<Local, Bit>,
    ready_to_start: Signal<Local, Bit>,
    aligner: Aligner<W, KEEP>,
    // Writing.
    order: Queue<49, 4, 5>,
    heads: SkidBuffer<24, 25>,
    head: Signal<Local, Bits<49>>,
    at_start: DFF<Bit>,
    address: DFF<Bits<24>>,
    address_now: Signal<Local, Bits<24>>,
    written: Signal<Local, Bit>,
    done: Signal<Local, Bit>,
    // Settling.
    settles: DFF<Bit>,
    settle_ends: DFF<Bit>,
    settles_lost: DFF<Bit>,
    /// Status, tag, descriptor.
    settling: DFF<Bits<18>>,
    status: Signal<Local, Bits<4>>,
    error_told: DFF<Bit>,
    tells: DFF<Bit>,
    told_id: DFF<Bits<9>>,
    told_status: DFF<Bits<4>>,
    wrong: DFF<Bit>,
    wrong_id: DFF<Bits<9>>,
    settled: Signal<Local, Bit>,
    /// Something else than a settling may be under way: nothing is done meanwhile.
    stuck: DFF<Bit>,
    lane_mask: Constant<Bits<6>>,
    lane_bits: Constant<Bits<24>>,
    line_bytes: Constant<Bits<24>>,
    /// log2(W / 8).
    scale: Constant<Bits<3>>,
    wrong_length: Constant<Bits<4>>,
    _lanes: usize,
}

impl<const W: usize, const KEEP: usize> Default for DmaFill<W, KEEP> {
    fn default() -> Self {
        assert!(KEEP * 8 == W);
        let keep = KEEP as u64;
        block! {
            Self {
                // A request reads at most 4,096 bytes.
                aligner: Aligner::new(1, 4096 / KEEP + 1),
                lane_mask: Constant::new((keep - 1).to_bits()),
                lane_bits: Constant::new((keep - 1).to_bits()),
                line_bytes: Constant::new(keep.to_bits()),
                scale: Constant::new((clog2(KEEP) as u64).to_bits()),
                wrong_length: Constant::new((Status::Length as u64).to_bits()),
                _lanes: KEEP,
            },
            clock, reset, fill_valid, fill_ready, todo, payload_valid, payload_data, payload_last, payload_take,
            write_valid, write_processor, write_address, write_data, write_strobe, write_grant, error_valid,
            error_ready, error_id, error_status, settle_valid, settle_tag, settle_lost, settle_channel, waits, waiting,
            takes, next_lane, next_place, line_end, beat_end, plan_lines, behind, starts, active, drops, lines_left,
            at_first, first_keep, last_keep, first_lanes, last_lanes, last_lane, active_id, is_short, has_line,
            line_keep, line_taken, at_last, ends_line, goes_wrong, ready_to_start, order, heads, head, at_start,
            address, address_now, written, done, settles, settle_ends, settles_lost, settling, status, error_told,
            tells, told_id, told_status, wrong, wrong_id, settled, stuck
        }
    }
}

impl<const W: usize, const KEEP: usize> Logic for DmaFill<W, KEEP> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, waits, waiting, active, drops, lines_left, at_first, first_keep, last_keep, active_id);
        dff_setup!(self, clock, is_short, at_start, address, settles, settle_ends, settles_lost, settling);
        dff_setup!(self, clock, error_told, tells, told_id, told_status, wrong, wrong_id, stuck);
        self.aligner.clock.next = self.clock.val();
        self.aligner.reset.next = self.reset.val();
        self.order.clock.next = self.clock.val();
        self.order.reset.next = self.reset.val();

        // The next one.
        self.next_lane.next = bit_cast::<6, 2>(self.waiting.q.val().get_bits::<2>(32));
        self.next_place.next = self.waiting.q.val().get_bits::<6>(4) & self.lane_mask.val();
        self.line_end.next =
            bit_cast::<14, 12>(self.waiting.q.val().get_bits::<12>(34)) + bit_cast::<14, 6>(self.next_lane.val());
        self.beat_end.next =
            bit_cast::<14, 12>(self.waiting.q.val().get_bits::<12>(34)) + bit_cast::<14, 6>(self.next_place.val());
        self.plan_lines.next = (self.line_end.val() >> self.scale.val()) + 1;
        self.last_lane.next = self.line_end.val().get_bits::<6>(0) & self.lane_mask.val();
        self.aligner.job_shift.next = (self.next_place.val() - self.next_lane.val()) & self.lane_mask.val();
        self.aligner.job_lines.next = self.plan_lines.val();
        self.aligner.job_beats.next = (self.beat_end.val() >> self.scale.val()) + 1;
        self.aligner.job_late.next = self.next_place.val() < self.next_lane.val();
        self.first_lanes.next = 0.into();
        self.last_lanes.next = 0.into();
        for i in 0..self._lanes {
            self.first_lanes.next = self.first_lanes.val().replace_bit(i, self.next_lane.val() <= i.to_bits());
            self.last_lanes.next = self.last_lanes.val().replace_bit(i, self.last_lane.val() >= i.to_bits());
        }
        // The payload of the one before: lines for the aligner, or beats to throw away.
        self.at_last.next = self.lines_left.q.val() == 1;
        self.has_line.next = self.active.q.val()
            & !self.drops.q.val()
            & !self.wrong.q.val()
            & (self.payload_valid.val() | self.is_short.q.val());
        self.line_keep.next = !bits::<KEEP>(0);
        if self.at_first.q.val() {
            self.line_keep.next = self.first_keep.q.val();
        }
        if self.at_last.val() {
            self.line_keep.next = self.line_keep.val() & self.last_keep.q.val();
        }
        if self.is_short.q.val() {
            self.line_keep.next = 0.into();
        }
        self.aligner.line_valid.next = self.has_line.val();
        self.aligner.line_data.next = self.payload_data.val();
        self.aligner.line_keep.next = self.line_keep.val();
        self.line_taken.next = self.has_line.val() & self.aligner.line_ready.val();
        self.ends_line.next = self.payload_last.val() | self.is_short.q.val();
        self.goes_wrong.next =
            self.line_taken.val() & !self.is_short.q.val() & (self.payload_last.val() != self.at_last.val());
        self.payload_take.next = (self.line_taken.val() & !self.is_short.q.val())
            | (self.active.q.val() & self.drops.q.val() & self.payload_valid.val());
        self.ready_to_start.next = !self.active.q.val();
        if self.line_taken.val() {
            self.at_first.d.next = false;
            self.lines_left.d.next = self.lines_left.q.val() - 1;
            self.is_short.d.next = self.ends_line.val();
            if self.at_last.val() {
                self.active.d.next = !self.ends_line.val();
                self.drops.d.next = true;
                self.ready_to_start.next = self.ends_line.val();
            }
        }
        if self.active.q.val() & self.drops.q.val() & self.payload_valid.val() & self.payload_last.val() {
            self.active.d.next = false;
            self.ready_to_start.next = true;
        }

        // Start the next one.
        self.aligner.job_valid.next = self.waits.q.val() & self.waiting.q.val().get_bit(1) & self.ready_to_start.val();
        self.starts.next = self.waits.q.val()
            & self.ready_to_start.val()
            & (self.aligner.job_ready.val() | !self.waiting.q.val().get_bit(1));
        if self.starts.val() {
            self.active.d.next = self.waiting.q.val().get_bit(0);
            self.drops.d.next = !self.waiting.q.val().get_bit(1);
            self.lines_left.d.next = self.plan_lines.val();
            self.at_first.d.next = true;
            self.first_keep.d.next = self.first_lanes.val();
            self.last_keep.d.next = self.last_lanes.val();
            self.active_id.d.next = self.waiting.q.val().get_bits::<9>(55);
            self.is_short.d.next = false;
        }
        // What is judged comes so seldom that a register may say whether there is room.
        self.fill_ready.next = !self.waits.q.val() & !self.order.full.val();
        self.takes.next = self.fill_valid.val() & self.fill_ready.val();
        // What ends behind its payload goes ahead at once, to be at the other end before the first line.
        self.behind.next.writes = self.todo.val().get_bit(1);
        self.behind.next.ends = self.todo.val().get_bit(2);
        self.behind.next.lost = self.todo.val().get_bit(3);
        self.behind.next.processor = self.todo.val().get_bits::<4>(28);
        self.behind.next.address = self.todo.val().get_bits::<24>(4) & !self.lane_bits.val();
        self.behind.next.status = self.todo.val().get_bits::<4>(46);
        self.behind.next.tag = self.todo.val().get_bits::<5>(50);
        self.behind.next.id = self.todo.val().get_bits::<9>(55);
        self.order.push.next = self.takes.val();
        self.order.push_data.next = self.behind.val().into();
        if self.starts.val() {
            self.waits.d.next = false;
        }
        if self.takes.val() {
            self.waits.d.next = true;
            self.waiting.d.next = self.todo.val();
        }

        // Write what comes out of the aligner; behind the last line of a payload comes what ends there.
        self.heads.clock.next = self.clock.val();
        self.heads.reset.next = self.reset.val();
        self.heads.source_valid.next = self.order.head_valid.val();
        self.heads.source_data.next = self.order.head_data.val().get_bits::<24>(0);
        self.heads.source_side.next = self.order.head_data.val().get_bits::<25>(24);
        self.heads.source_last.next = true;
        self.order.pop.next = self.heads.source_ready.val();
        self.head.next =
            bit_cast::<49, 24>(self.heads.sink_data.val()) | (bit_cast::<49, 25>(self.heads.sink_side.val()) << 24);
        self.address_now.next = self.address.q.val();
        if self.at_start.q.val() {
            self.address_now.next = self.head.val().get_bits::<24>(7);
        }
        self.status.next = self.settling.q.val().get_bits::<4>(0);
        self.settled.next = self.settles.q.val()
            & !self.wrong.q.val()
            & !self.tells.q.val()
            & (!self.status.val().any() | self.error_told.q.val());
        self.write_valid.next = self.aligner.beat_valid.val()
            & self.heads.sink_valid.val()
            & self.head.val().get_bit(0)
            & !self.stuck.q.val();
        self.write_processor.next = self.head.val().get_bits::<4>(3);
        self.write_address.next = self.address_now.val();
        self.write_data.next = self.aligner.beat_data.val();
        self.write_strobe.next = self.aligner.beat_keep.val();
        self.written.next = self.write_valid.val() & self.write_grant.val();
        self.aligner.beat_ready.next = self.written.val();
        if self.written.val() {
            self.address.d.next = self.address_now.val() + self.line_bytes.val();
            self.at_start.d.next = self.aligner.beat_last.val();
        }
        self.done.next = (self.written.val() & self.aligner.beat_last.val())
            | (self.heads.sink_valid.val() & !self.head.val().get_bit(0) & !self.stuck.q.val());
        self.heads.sink_ready.next = self.done.val();

        // Settle: first the errors, those of payloads before that of the request.
        if self.settled.val() {
            self.settles.d.next = false;
            self.error_told.d.next = false;
        }
        if self.done.val() {
            self.settles.d.next = self.head.val().get_bit(1) | self.head.val().get_bits::<4>(31).any();
            self.settle_ends.d.next = self.head.val().get_bit(1);
            self.settles_lost.d.next = self.head.val().get_bit(2);
            self.settling.d.next = self.head.val().get_bits::<18>(31);
        }
        // One error at a time is told, and does not change until it is taken.
        if self.error_ready.val() {
            self.tells.d.next = false;
        }
        if !self.tells.q.val() {
            self.told_id.d.next = self.settling.q.val().get_bits::<9>(9);
            self.told_status.d.next = self.status.val();
            if self.wrong.q.val() {
                self.told_id.d.next = self.wrong_id.q.val();
                self.told_status.d.next = self.wrong_length.val();
                self.tells.d.next = true;
                self.wrong.d.next = false;
            } else if self.settles.q.val() & self.status.val().any() & !self.error_told.q.val() {
                self.tells.d.next = true;
                self.error_told.d.next = true;
            }
        }
        self.error_valid.next = self.tells.q.val();
        self.error_id.next = self.told_id.q.val();
        self.error_status.next = self.told_status.q.val();
        self.stuck.d.next = self.goes_wrong.val()
            | self.wrong.q.val()
            | self.tells.q.val()
            | (self.done.val() & self.head.val().get_bits::<4>(31).any())
            | (self.settles.q.val() & self.status.val().any());
        if self.goes_wrong.val() {
            self.wrong.d.next = true;
            self.wrong_id.d.next = self.active_id.q.val();
        }
        self.settle_valid.next = self.settled.val() & self.settle_ends.q.val();
        self.settle_tag.next = self.settling.q.val().get_bits::<5>(4);
        self.settle_lost.next = self.settles_lost.q.val();
        self.settle_channel.next = self.settling.q.val().get_bits::<5>(13);

        if self.reset.val() {
            self.waits.d.next = false;
            self.active.d.next = false;
            self.drops.d.next = false;
            self.is_short.d.next = false;
            self.at_start.d.next = true;
            self.settles.d.next = false;
            self.error_told.d.next = false;
            self.tells.d.next = false;
            self.wrong.d.next = false;
            self.stuck.d.next = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dma_judge::Fill;
    use crate::emit::emit;
    use crate::random::Random;
    use std::collections::{BTreeMap, VecDeque};

    /// Payloads of every start, length and place, some shorter or longer than they should be, ends among them.
    fn run<const W: usize, const KEEP: usize>(seed: u64, count: u64, stutter: bool) -> usize {
        let mut dut = DmaFill::<W, KEEP>::default();
        dut.connect_all();
        let mut random = Random::seeded(seed);
        let mut fills = VecDeque::new();
        // Data, keep of the bytes that count, last.
        let mut beats: VecDeque<(Vec<u8>, bool)> = VecDeque::new();
        let mut memory = BTreeMap::new();
        // The ends in order: tag, whether lost, descriptor; and the errors of each descriptor.
        let mut ends = VecDeque::new();
        let mut errors: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        for number in 0..count {
            let kind = random.below(8);
            let (lane, bytes) = (random.below(4), 1 + random.below(100));
            let near = random.below(3) << 24 | (number * 300 + random.below(64) + 0x1000);
            let mut data: Vec<u8> = (0..bytes).map(|_| random.below(256) as u8).collect();
            let fill = Fill {
                has_data: kind != 0,
                writes: kind > 1,
                ends: kind == 0 || random.below(2) == 0,
                lost: random.below(2) == 0,
                near: near.to_bits(),
                lane: lane.to_bits(),
                last_byte: (bytes - 1).to_bits(),
                status: if kind < 2 { (1 + number % 5).to_bits() } else { 0.into() },
                tag: (number % 32).to_bits(),
                id: number.to_bits(),
            };
            let mut payload = vec![0xEE; lane as usize];
            payload.append(&mut data.clone());
            let mut lines: Vec<Vec<u8>> = payload.chunks(KEEP).map(|l| l.to_vec()).collect();
            let mut wrong = false;
            match kind {
                2 if lines.len() > 1 => {
                    lines.pop();
                    data.truncate(lines.len() * KEEP - lane as usize);
                    wrong = true;
                }
                3 => {
                    lines.extend(vec![vec![0x77; KEEP]; 1 + random.below(3) as usize]);
                    wrong = true;
                }
                _ => {}
            }
            let last = lines.len() - 1;
            if fill.has_data {
                beats.extend(lines.into_iter().enumerate().map(|(at, line)| (line, at == last)));
            }
            if fill.writes {
                memory.extend(data.into_iter().enumerate().map(|(at, byte)| (near + at as u64, byte)));
            }
            let status = fill.status.to_u64();
            errors
                .insert(number, [wrong.then_some(4), (status != 0).then_some(status)].into_iter().flatten().collect());
            if fill.ends {
                ends.push_back((number % 32, fill.lost, number));
            }
            fills.push_back(fill);
        }
        let (mut written, mut told, mut settled) = (BTreeMap::new(), BTreeMap::<u64, Vec<u64>>::new(), 0);
        let mut quiet = 0;
        for cycle in 0..5_000 {
            dut.reset.next = cycle == 0;
            let may = |random: &mut Random| !stutter || random.below(2) == 0;
            dut.fill_valid.next = !fills.is_empty() && cycle > 0;
            dut.todo.next = fills.front().copied().unwrap_or_default().into();
            dut.payload_valid.next = !beats.is_empty() && may(&mut random);
            if let Some((line, last)) = beats.front() {
                dut.payload_data.next = line
                    .iter()
                    .rev()
                    .fold(Bits::<W>::default(), |all, byte| (all << 8) | bit_cast::<W, 8>((*byte as u64).to_bits()));
                dut.payload_last.next = *last;
            }
            let error_ready = may(&mut random);
            dut.error_ready.next = false;
            dut.write_grant.next = false;
            assert!(simulate(&mut dut, 10));
            dut.error_ready.next = error_ready && dut.error_valid.val();
            dut.write_grant.next = dut.write_valid.val() && may(&mut random);
            assert!(simulate(&mut dut, 10));
            if cycle > 0 {
                if dut.write_grant.val() {
                    let processor = dut.write_processor.val().to_u64() << 24;
                    let address = dut.write_address.val().to_u64();
                    assert_eq!(address % KEEP as u64, 0);
                    for lane in (0..KEEP).filter(|lane| dut.write_strobe.val().get_bit(*lane)) {
                        let byte = dut.write_data.val().get_bits::<8>(8 * lane).to_u64() as u8;
                        let at = processor | (address + lane as u64);
                        assert_eq!(memory.get(&at), Some(&byte), "seed {seed}, cycle {cycle}: {at:#x}");
                        written.insert(at, byte);
                    }
                }
                if dut.error_ready.val() {
                    told.entry(dut.error_id.val().to_u64()).or_default().push(dut.error_status.val().to_u64());
                }
                if dut.settle_valid.val() {
                    let (tag, lost, number) = ends.pop_front().expect("something to settle");
                    assert_eq!((dut.settle_tag.val().to_u64(), dut.settle_lost.val()), (tag, lost), "seed {seed}");
                    assert_eq!(dut.settle_channel.val().to_u64(), number >> 4);
                    assert_eq!(told.get(&number).cloned().unwrap_or_default(), errors[&number], "errors come first");
                    settled += 1;
                }
                if dut.fill_valid.val() && dut.fill_ready.val() {
                    fills.pop_front();
                }
                if dut.payload_take.val() {
                    beats.pop_front().expect("nothing is taken that is not there");
                }
            }
            for level in [true, false] {
                dut.clock.next = level.into();
                assert!(simulate(&mut dut, 10));
            }
            if fills.is_empty() && beats.is_empty() && ends.is_empty() {
                quiet += 1;
            }
            if quiet == 30 {
                break;
            }
        }
        assert!(fills.is_empty() && beats.is_empty() && ends.is_empty(), "seed {seed}");
        assert_eq!(written, memory, "seed {seed}");
        errors.retain(|_, errors| !errors.is_empty());
        assert_eq!(told, errors, "seed {seed}");
        settled
    }

    #[test]
    fn payloads_are_written_in_place_and_settle_in_order() {
        let mut settled = 0;
        for stutter in [false, true] {
            settled += run::<64, 8>(1, 100, stutter);
        }
        settled += run::<128, 16>(2, 40, true);
        settled += run::<512, 64>(3, 16, true);
        assert!(settled > 100, "{settled}");
    }

    #[test]
    fn it_can_be_printed() {
        emit(&mut DmaFill::<64, 8>::default(), "dma_fill").expect("64");
        emit(&mut DmaFill::<512, 64>::default(), "dma_fill").expect("512");
    }
}
