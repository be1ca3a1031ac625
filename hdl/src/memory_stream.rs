//! Reads a range of bytes of a processor's memory as a stream whose first byte stands in any lane.
//!
//! Lines are asked for as long as there is room for them, so that a memory that grants every cycle gives a beat every cycle; an [`Aligner`]
//! moves their bytes to the lanes where they are wanted.
//!
//! | port             | dir | width | meaning                                                                      |
//! |------------------|-----|-------|------------------------------------------------------------------------------|
//! | `job_valid`      | in  | 1     | a range to read is present                                                   |
//! | `job_ready`      | out | 1     | it is taken in this cycle; reset value 1                                     |
//! | `job_processor`  | in  | 4     | whose memory                                                                 |
//! | `job_address`    | in  | 24    | byte address of the first byte, any; a range that passes 16 MiB wraps        |
//! | `job_bytes`      | in  | 17    | number of bytes: 1 to 65,536                                                 |
//! | `job_lane`       | in  | 6     | lane of the first byte in the first beat, below W/8                          |
//! | `read_valid`     | out | 1     | wants a line; goes on until it is granted; reset value 0                     |
//! | `read_processor` | out | 4     | of which processor                                                           |
//! | `read_address`   | out | 24    | byte address, a multiple of W/8                                              |
//! | `read_grant`     | in  | 1     | with `read_valid`: the line will come                                        |
//! | `read_data`      | in  | W     | the line granted [`READ_LATENCY`] cycles ago                                 |
//! | `beat_valid`     | out | 1     | a beat is present; it stays until it is taken; reset value 0                 |
//! | `beat_ready`     | in  | 1     | it is taken in this cycle                                                    |
//! | `beat_data`      | out | W     | its bytes; those of lanes not in use are arbitrary; not reset                |
//! | `beat_keep`      | out | W/8   | lanes in use                                                                 |
//! | `beat_last`      | out | 1     | last beat of its range                                                       |
//!
//! Latency: [`LATENCY`] cycles from `job_valid` to the first beat if the memory grants at once; one more if `job_lane` is below the first
//! byte's lane in memory. Throughput: one line per cycle and one beat per cycle; ranges follow each other without a gap, one cycle is lost
//! if `job_lane` is below the lane in memory. Stalls while the memory does not grant or a beat waits.

use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

use crate::aligner::{self, Aligner};
use crate::memory_arbiter::READ_LATENCY;
use crate::queue::{self, Queue};
use crate::skid_buffer::{self, SkidBuffer};

/// Cycles from `job_valid` to the first beat: job, range, request, memory, queue, aligner.
pub const LATENCY: usize = 2 + skid_buffer::LATENCY + READ_LATENCY + queue::LATENCY + aligner::LATENCY;

/// Lines that may be asked for, under way or waiting; more than a line needs from there to its place in the aligner.
const LINES: usize = 16;
const _: () = assert!(skid_buffer::LATENCY + READ_LATENCY + queue::LATENCY + 2 <= LINES);

/// What belongs to the address of a range of memory.
#[derive(LogicStruct, Debug, Copy, Clone, PartialEq, Default)]
struct Range {
    processor: Bits<4>,
    bytes: Bits<17>,
    lane: Bits<6>,
}

/// The range seen by the aligner.
#[derive(LogicStruct, Debug, Copy, Clone, PartialEq, Default)]
struct Move {
    /// Lane of the first byte in its line, and of the last byte in its.
    first_lane: Bits<6>,
    last_lane: Bits<6>,
    shift: Bits<6>,
    lines: Bits<14>,
    beats: Bits<14>,
    late: Bit,
}

/// See the module's page. `KEEP` is W / 8.
#[derive(LogicBlock)]
pub struct MemoryStream<const W: usize, const KEEP: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub job_valid: Signal<In, Bit>,
    pub job_ready: Signal<Out, Bit>,
    pub job_processor: Signal<In, Bits<4>>,
    pub job_address: Signal<In, Bits<24>>,
    pub job_bytes: Signal<In, Bits<17>>,
    pub job_lane: Signal<In, Bits<6>>,
    pub read_valid: Signal<Out, Bit>,
    pub read_processor: Signal<Out, Bits<4>>,
    pub read_address: Signal<Out, Bits<24>>,
    pub read_grant: Signal<In, Bit>,
    pub read_data: Signal<In, Bits<W>>,
    pub beat_valid: Signal<Out, Bit>,
    pub beat_ready: Signal<In, Bit>,
    pub beat_data: Signal<Out, Bits<W>>,
    pub beat_keep: Signal<Out, Bits<KEEP>>,
    pub beat_last: Signal<Out, Bit>,
    // Jobs that wait: address and range.
    arriving: Signal<Local, Range>,
    jobs: SkidBuffer<24, 27>,
    waiting_address: Signal<Local, Bits<24>>,
    waiting_bytes: Signal<Local, Bits<17>>,
    waiting_lane: Signal<Local, Bits<6>>,
    /// The aligner's queue has the waiting job already.
    planned: DFF<Bit>,
    plans: Signal<Local, Bit>,
    starts: Signal<Local, Bit>,
    // Where the job's bytes lie and where they go.
    line_lane: Signal<Local, Bits<6>>,
    line_end: Signal<Local, Bits<17>>,
    beat_end: Signal<Local, Bits<17>>,
    beat_end_lane: Signal<Local, Bits<6>>,
    plan: Signal<Local, Move>,
    // Asking for lines.
    active: DFF<Bit>,
    processor: DFF<Bits<4>>,
    address: DFF<Bits<24>>,
    lines_left: DFF<Bits<14>>,
    /// Address and processor of the lines that wait for their grant.
    asked: SkidBuffer<24, 4>,
    asks: Signal<Local, Bit>,
    last_asked: Signal<Local, Bit>,
    /// Lines asked for, under way or waiting.
    held: DFF<Bits<5>>,
    coming: DFF<Bits<READ_LATENCY>>,
    lines: Queue<W, 4, 5>,
    // Into the aligner.
    moves: Queue<47, 4, 5>,
    first_lane: Signal<Local, Bits<6>>,
    last_lane: Signal<Local, Bits<6>>,
    takes_move: Signal<Local, Bit>,
    takes_line: Signal<Local, Bit>,
    first_lanes: Signal<Local, Bits<KEEP>>,
    last_lanes: Signal<Local, Bits<KEEP>>,
    head_keep: DFF<Bits<KEEP>>,
    tail_keep: DFF<Bits<KEEP>>,
    at_head: DFF<Bit>,
    lines_to_move: DFF<Bits<14>>,
    line_keep: Signal<Local, Bits<KEEP>>,
    aligner: Aligner<W, KEEP>,
    /// The bits that a count of lines can have.
    counts: Constant<Bits<14>>,
    lane_mask: Constant<Bits<6>>,
    lane_bits: Constant<Bits<24>>,
    line_bytes: Constant<Bits<24>>,
    all_but_one: Constant<Bits<17>>,
    all_lanes: Constant<Bits<KEEP>>,
    /// log2(W / 8) - 3.
    scale: Constant<Bits<2>>,
    _lanes: usize,
}

impl<const W: usize, const KEEP: usize> MemoryStream<W, KEEP> {
    /// For ranges of at most `bytes` bytes that move by multiples of `grain`, a power of two.
    pub fn new(grain: usize, bytes: usize) -> Self {
        // One line more than the bytes fill, if they do not begin with a line.
        let lines = bytes.div_ceil(KEEP) + 1;
        assert!(KEEP * 8 == W && clog2(KEEP) >= 3);
        assert_eq!(READ_LATENCY, 5, "the last bit of `coming` is a literal below");
        let keep = KEEP as u64;
        block! {
            Self {
                aligner: Aligner::new(grain, lines),
                counts: Constant::new(((lines as u64 + 1).next_power_of_two() - 1).to_bits()),
                lane_mask: Constant::new((keep - 1).to_bits()),
                lane_bits: Constant::new((keep - 1).to_bits()),
                line_bytes: Constant::new(keep.to_bits()),
                all_but_one: Constant::new((keep - 1).to_bits()),
                all_lanes: Constant::new(Bits::<KEEP>::mask()),
                scale: Constant::new((clog2(KEEP) as u64 - 3).to_bits()),
                _lanes: KEEP,
            },
            clock, reset, job_valid, job_ready, job_processor, job_address, job_bytes, job_lane, read_valid,
            read_processor, read_address, read_grant, read_data, beat_valid, beat_ready, beat_data, beat_keep,
            beat_last, arriving, jobs, waiting_address, waiting_bytes, waiting_lane, planned, plans, starts, line_lane,
            line_end, beat_end, beat_end_lane, plan, active, processor, address, lines_left, asked, asks, last_asked,
            held, coming, lines, moves, first_lane, last_lane, takes_move, takes_line, first_lanes, last_lanes,
            head_keep, tail_keep, at_head, lines_to_move, line_keep
        }
    }
}

impl<const W: usize, const KEEP: usize> Logic for MemoryStream<W, KEEP> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, planned, active, processor, address, lines_left, held, coming);
        dff_setup!(self, clock, head_keep, tail_keep, at_head, lines_to_move);
        self.lines.clock.next = self.clock.val();
        self.lines.reset.next = self.reset.val();
        self.moves.clock.next = self.clock.val();
        self.moves.reset.next = self.reset.val();
        self.jobs.clock.next = self.clock.val();
        self.jobs.reset.next = self.reset.val();
        self.asked.clock.next = self.clock.val();
        self.asked.reset.next = self.reset.val();
        self.aligner.clock.next = self.clock.val();
        self.aligner.reset.next = self.reset.val();

        // Where the bytes lie and where they go.
        self.waiting_address.next = self.jobs.sink_data.val();
        self.waiting_bytes.next = self.jobs.sink_side.val().get_bits::<17>(4);
        self.waiting_lane.next = self.jobs.sink_side.val().get_bits::<6>(21);
        self.line_lane.next = self.waiting_address.val().get_bits::<6>(0) & self.lane_mask.val();
        self.line_end.next =
            self.waiting_bytes.val() + (bit_cast::<17, 6>(self.line_lane.val()) + self.all_but_one.val());
        self.beat_end.next = self.waiting_bytes.val() + bit_cast::<17, 6>(self.waiting_lane.val());
        self.beat_end_lane.next = self.beat_end.val().get_bits::<6>(0) & self.lane_mask.val();
        self.plan.next.first_lane = self.line_lane.val();
        self.plan.next.last_lane = self.line_end.val().get_bits::<6>(0) & self.lane_mask.val();
        self.plan.next.shift = (self.waiting_lane.val() - self.line_lane.val()) & self.lane_mask.val();
        self.plan.next.lines = (self.line_end.val().get_bits::<14>(3) >> self.scale.val()) & self.counts.val();
        self.plan.next.beats = ((self.beat_end.val().get_bits::<14>(3) >> self.scale.val())
            + self.beat_end_lane.val().any())
            & self.counts.val();
        self.plan.next.late = self.waiting_lane.val() < self.line_lane.val();

        // Ask for its lines.
        self.asked.source_valid.next = self.active.q.val() & !self.held.q.val().get_bit(4);
        self.asked.source_data.next = self.address.q.val();
        self.asked.source_side.next = self.processor.q.val();
        self.asked.source_last.next = true;
        self.asks.next = self.asked.source_valid.val() & self.asked.source_ready.val();
        self.last_asked.next = self.asks.val() & (self.lines_left.q.val() == 1);
        self.plans.next = self.jobs.sink_valid.val() & !self.planned.q.val() & !self.moves.full.val();
        self.starts.next = self.jobs.sink_valid.val()
            & (self.planned.q.val() | self.plans.val())
            & (!self.active.q.val() | self.last_asked.val());
        self.planned.d.next = (self.planned.q.val() | self.plans.val()) & !self.starts.val();
        if self.asks.val() {
            self.address.d.next = self.address.q.val() + self.line_bytes.val();
            self.lines_left.d.next = (self.lines_left.q.val() - 1) & self.counts.val();
        }
        if self.last_asked.val() {
            self.active.d.next = false;
        }
        if self.starts.val() {
            self.active.d.next = true;
            self.processor.d.next = self.jobs.sink_side.val().get_bits::<4>(0);
            self.address.d.next = self.waiting_address.val() & !self.lane_bits.val();
            self.lines_left.d.next = self.plan.val().lines;
        }
        self.asked.sink_ready.next = self.read_grant.val();
        self.read_valid.next = self.asked.sink_valid.val();
        self.read_processor.next = self.asked.sink_side.val();
        self.read_address.next = self.asked.sink_data.val();

        // Take jobs.
        self.arriving.next.processor = self.job_processor.val();
        self.arriving.next.bytes = self.job_bytes.val();
        self.arriving.next.lane = self.job_lane.val();
        self.jobs.source_valid.next = self.job_valid.val();
        self.jobs.source_data.next = self.job_address.val();
        self.jobs.source_side.next = self.arriving.val().into();
        self.jobs.source_last.next = true;
        self.jobs.sink_ready.next = self.starts.val();
        self.job_ready.next = self.jobs.source_ready.val();

        // Lines come in.
        self.coming.d.next = self.coming.q.val() << 1;
        if self.asked.sink_valid.val() & self.read_grant.val() {
            self.coming.d.next = (self.coming.q.val() << 1) | 1;
        }
        self.lines.push.next = self.coming.q.val().get_bit(4);
        self.lines.push_data.next = self.read_data.val();
        if self.asks.val() & !self.takes_line.val() {
            self.held.d.next = self.held.q.val() + 1;
        }
        if self.takes_line.val() & !self.asks.val() {
            self.held.d.next = self.held.q.val() - 1;
        }

        // Into the aligner.
        self.moves.push.next = self.plans.val();
        self.moves.push_data.next = self.plan.val().into();
        self.aligner.job_valid.next = self.moves.head_valid.val();
        self.takes_move.next = self.moves.head_valid.val() & self.aligner.job_ready.val();
        self.moves.pop.next = self.takes_move.val();
        self.first_lane.next = self.moves.head_data.val().get_bits::<6>(0);
        self.last_lane.next = self.moves.head_data.val().get_bits::<6>(6);
        self.aligner.job_shift.next = self.moves.head_data.val().get_bits::<6>(12);
        self.aligner.job_lines.next = self.moves.head_data.val().get_bits::<14>(18);
        self.aligner.job_beats.next = self.moves.head_data.val().get_bits::<14>(32);
        self.aligner.job_late.next = self.moves.head_data.val().get_bit(46);
        self.takes_line.next = self.lines.head_valid.val() & self.aligner.line_ready.val();
        self.lines.pop.next = self.takes_line.val();
        if self.takes_line.val() {
            self.at_head.d.next = false;
            self.lines_to_move.d.next = (self.lines_to_move.q.val() - 1) & self.counts.val();
        }
        self.first_lanes.next = 0.into();
        self.last_lanes.next = 0.into();
        for i in 0..self._lanes {
            self.first_lanes.next = self.first_lanes.val().replace_bit(i, self.first_lane.val() <= i.to_bits());
            self.last_lanes.next = self.last_lanes.val().replace_bit(i, self.last_lane.val() >= i.to_bits());
        }
        if self.takes_move.val() {
            self.head_keep.d.next = self.first_lanes.val();
            self.tail_keep.d.next = self.last_lanes.val();
            self.at_head.d.next = true;
            self.lines_to_move.d.next = self.moves.head_data.val().get_bits::<14>(18);
        }
        self.line_keep.next = self.all_lanes.val();
        if self.at_head.q.val() {
            self.line_keep.next = self.head_keep.q.val();
        }
        if self.lines_to_move.q.val() == 1 {
            self.line_keep.next = self.line_keep.val() & self.tail_keep.q.val();
        }
        self.aligner.line_valid.next = self.lines.head_valid.val();
        self.aligner.line_data.next = self.lines.head_data.val();
        self.aligner.line_keep.next = self.line_keep.val();
        self.aligner.beat_ready.next = self.beat_ready.val();
        self.beat_valid.next = self.aligner.beat_valid.val();
        self.beat_data.next = self.aligner.beat_data.val();
        self.beat_keep.next = self.aligner.beat_keep.val();
        self.beat_last.next = self.aligner.beat_last.val();

        if self.reset.val() {
            self.planned.d.next = false;
            self.active.d.next = false;
            self.held.d.next = 0.into();
            self.coming.d.next = 0.into();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emit::emit;
    use crate::random::Random;
    use std::collections::VecDeque;

    /// Processor, address, number of bytes, lane.
    type Range = (u64, u64, usize, usize);
    /// A byte in each lane that is in use, and whether the beat is the last.
    type Beat = (Vec<Option<u8>>, bool);

    /// What every byte of every memory holds.
    fn content(processor: u64, address: u64) -> u8 {
        let mixed = (processor << 24 | address & 0xFF_FFFF).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        (mixed >> 56) as u8
    }

    fn expected(range: &Range, keep: usize) -> Vec<Beat> {
        let (processor, address, bytes, lane) = *range;
        let mut lanes = vec![None; lane];
        lanes.extend((0..bytes as u64).map(|i| Some(content(processor, address + i))));
        lanes.resize(lanes.len().next_multiple_of(keep), None);
        let beats = lanes.len() / keep;
        lanes.chunks(keep).enumerate().map(|(at, beat)| (beat.to_vec(), at + 1 == beats)).collect()
    }

    /// What a run took, in cycles.
    struct Taken {
        to_the_first_beat: usize,
        from_first_to_last: usize,
        beats: usize,
        reads: usize,
    }

    /// Streams the ranges; jobs, grants and beats are each held back in `idle` of 8 cycles.
    fn run<const W: usize, const KEEP: usize>(ranges: &[Range], idle: [u64; 3], random: &mut Random) -> Taken {
        let mut dut = MemoryStream::<W, KEEP>::new(1, 1 << 16);
        dut.connect_all();
        let beats: Vec<Beat> = ranges.iter().flat_map(|range| expected(range, KEEP)).collect();
        let mut lines: VecDeque<Bits<W>> = vec![Bits::<W>::default(); READ_LATENCY - 1].into();
        let (mut at_range, mut at_beat, mut reads, mut cycle) = (0, 0, 0, 0);
        let (mut first, mut last, mut offered) = (0, 0, false);
        while at_beat < beats.len() {
            assert!(cycle < 200_000, "stuck at beat {at_beat}");
            dut.reset.next = cycle == 0;
            offered |= cycle > 0 && random.below(8) >= idle[0];
            dut.job_valid.next = offered && at_range < ranges.len();
            let (processor, address, bytes, lane) = ranges.get(at_range).copied().unwrap_or_default();
            dut.job_processor.next = processor.to_bits();
            dut.job_address.next = address.to_bits();
            dut.job_bytes.next = (bytes as u64).to_bits();
            dut.job_lane.next = (lane as u64).to_bits();
            dut.beat_ready.next = random.below(8) >= idle[2];
            let grants = random.below(8) >= idle[1];
            dut.read_grant.next = grants;
            dut.clock.next = false.into();
            assert!(simulate(&mut dut, 30));

            if dut.job_valid.val() && dut.job_ready.val() {
                at_range += 1;
                offered = false;
            }
            let mut line = Bits::<W>::default();
            if cycle > 0 && grants && dut.read_valid.val() {
                let (processor, address) = (dut.read_processor.val().to_u64(), dut.read_address.val().to_u64());
                assert_eq!(address % KEEP as u64, 0);
                let byte = |i: u64| bit_cast::<W, 8>((content(processor, address + i) as u64).to_bits());
                line = (0..KEEP as u64).rev().fold(line, |line, i| (line << 8) | byte(i));
                reads += 1;
            }
            lines.push_back(line);
            if cycle > 0 && dut.beat_valid.val() && dut.beat_ready.val() {
                let (data, keep) = (dut.beat_data.val(), dut.beat_keep.val());
                let lane = |i| keep.get_bit(i).then(|| data.get_bits::<8>(8 * i).to_u64() as u8);
                assert_eq!(((0..KEEP).map(lane).collect(), dut.beat_last.val()), beats[at_beat], "beat {at_beat}");
                if at_beat == 0 {
                    first = cycle;
                }
                (last, at_beat) = (cycle, at_beat + 1);
            }
            dut.clock.next = true.into();
            assert!(simulate(&mut dut, 30));
            dut.read_data.next = lines.pop_front().expect("a line is under way");
            cycle += 1;
        }
        // The first job is offered in cycle 1.
        Taken { to_the_first_beat: first - 1, from_first_to_last: last - first + 1, beats: beats.len(), reads }
    }

    fn random_ranges(count: usize, keep: usize, random: &mut Random) -> Vec<Range> {
        let mut below = |n: usize| random.below(n as u64) as usize;
        let range = |_| {
            let most = [3, keep + 1, 6 * keep][below(3)];
            let address = if below(10) == 0 { (1 << 24) - below(8 * keep) - 1 } else { below(1 << 24) };
            (below(16) as u64, address as u64, 1 + below(most), below(keep))
        };
        (0..count).map(range).collect()
    }

    #[test]
    fn every_byte_comes_once_in_its_lane_at_every_width_whatever_waits() {
        let mut random = Random::seeded(0x57);
        let mut beats = 0;
        for idle in [[0, 0, 0], [6, 0, 0], [0, 6, 0], [0, 0, 6], [3, 3, 3]] {
            let ranges = random_ranges(120, 8, &mut random);
            beats += run::<64, 8>(&ranges, idle, &mut random).beats;
        }
        beats += run::<128, 16>(&random_ranges(60, 16, &mut random), [1, 2, 1], &mut random).beats;
        beats += run::<256, 32>(&random_ranges(40, 32, &mut random), [1, 2, 1], &mut random).beats;
        beats += run::<512, 64>(&random_ranges(30, 64, &mut random), [1, 2, 1], &mut random).beats;
        assert!(beats > 1000, "{beats}");
    }

    #[test]
    fn the_longest_range_is_65_536_bytes() {
        let taken = run::<64, 8>(&[(2, 7, 65_536, 7)], [0; 3], &mut Random::seeded(4));
        assert_eq!((taken.beats, taken.reads, taken.from_first_to_last), (8193, 8193, 8193));
    }

    #[test]
    fn the_first_beat_comes_after_the_stated_latency_and_ranges_follow_without_a_gap() {
        let mut random = Random::seeded(5);
        for (bytes, lane, address, lost) in [(64, 0, 0, 0), (8, 0, 0, 0), (61, 5, 3, 0), (64, 0, 1, 1)] {
            let ranges: Vec<Range> = (0..40).map(|i| (i % 16, 4096 * i + address, bytes, lane)).collect();
            let taken = run::<64, 8>(&ranges, [0; 3], &mut random);
            assert_eq!(taken.to_the_first_beat, LATENCY + lost, "{bytes} bytes from {address}");
            assert_eq!(taken.from_first_to_last, taken.beats + 39 * lost, "{bytes} bytes from {address}");
        }
    }

    #[test]
    fn it_can_be_printed_at_every_width() {
        emit(&mut MemoryStream::<64, 8>::new(1, 1 << 16), "memory_stream").expect("64");
        emit(&mut MemoryStream::<128, 16>::new(1, 1 << 16), "memory_stream").expect("128");
        emit(&mut MemoryStream::<256, 32>::new(1, 1 << 16), "memory_stream").expect("256");
        emit(&mut MemoryStream::<512, 64>::new(1, 1 << 16), "memory_stream").expect("512");
    }
}
