//! Moves bytes between the lanes of a stream: what stood anywhere in lines of memory comes out anywhere in beats, and the other way round.
//!
//! A job takes a number of lines and gives a number of beats. Step j takes line j, as long as there are lines, turns its bytes left by
//! `job_shift` lanes, and gives a beat: lanes from `job_shift` on are of line j, those below of line j - 1. A job that is `job_late` gives
//! no beat in its first step: its first byte moves to a lower lane, so its first beat needs two lines. Keep bits travel with their bytes,
//! so the lines' keeps decide which bytes there are; the data of a lane without its keep bit is arbitrary.
//!
//! | port         | dir | width | meaning                                                                                |
//! |--------------|-----|-------|----------------------------------------------------------------------------------------|
//! | `job_valid`  | in  | 1     | a job is present                                                                       |
//! | `job_ready`  | out | 1     | it is taken in this cycle                                                              |
//! | `job_shift`  | in  | 6     | lanes to turn left by: (lane in the beat - lane in the line) mod W/8                   |
//! | `job_lines`  | in  | 14    | lines to take: at least 1; beats - 1, beats, or with `job_late` also beats + 1         |
//! | `job_beats`  | in  | 14    | beats to give: at least 1                                                              |
//! | `job_late`   | in  | 1     | lane in the beat < lane in the line                                                    |
//! | `line_valid` | in  | 1     | a line is present                                                                      |
//! | `line_ready` | out | 1     | it is taken in this cycle                                                              |
//! | `line_data`  | in  | W     | its bytes                                                                              |
//! | `line_keep`  | in  | W/8   | lanes that belong to the job                                                           |
//! | `beat_valid` | out | 1     | a beat is present; it stays until it is taken; reset value 0                           |
//! | `beat_ready` | in  | 1     | it is taken in this cycle                                                              |
//! | `beat_data`  | out | W     | its bytes; not reset                                                                   |
//! | `beat_keep`  | out | W/8   | lanes in use                                                                           |
//! | `beat_last`  | out | 1     | last beat of its job                                                                   |
//!
//! Latency: [`LATENCY`] cycles from a line to the first beat that needs nothing later. Throughput: one step per cycle, jobs follow each
//! other without a gap: a job costs as many cycles as it has beats, one more if it is late. Stalls while two beats wait for `beat_ready`,
//! which reaches `line_ready` and `job_ready` a cycle later; `line_valid` reaches `job_ready` in the same cycle.

use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

use crate::lane_mask::LaneMask;
use crate::many;
use crate::skid_buffer::SkidBuffer;

/// Cycles from a line to the beat it completes: turn, merge.
pub const LATENCY: usize = 2;

/// See the module's page. `KEEP` is W / 8.
#[derive(LogicBlock)]
pub struct Aligner<const W: usize, const KEEP: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub job_valid: Signal<In, Bit>,
    pub job_ready: Signal<Out, Bit>,
    pub job_shift: Signal<In, Bits<6>>,
    pub job_lines: Signal<In, Bits<14>>,
    pub job_beats: Signal<In, Bits<14>>,
    pub job_late: Signal<In, Bit>,
    pub line_valid: Signal<In, Bit>,
    pub line_ready: Signal<Out, Bit>,
    pub line_data: Signal<In, Bits<W>>,
    pub line_keep: Signal<In, Bits<KEEP>>,
    pub beat_valid: Signal<Out, Bit>,
    pub beat_ready: Signal<In, Bit>,
    pub beat_data: Signal<Out, Bits<W>>,
    pub beat_keep: Signal<Out, Bits<KEEP>>,
    pub beat_last: Signal<Out, Bit>,
    // The job.
    active: DFF<Bit>,
    shift: DFF<Bits<6>>,
    lines_left: DFF<Bits<14>>,
    beats_left: DFF<Bits<14>>,
    /// Lines are left.
    needs_line: DFF<Bit>,
    /// One beat is left.
    last_beat: DFF<Bit>,
    /// The next step gives no beat.
    late: DFF<Bit>,
    /// The next step is the job's first.
    starts: DFF<Bit>,
    moves: Signal<Local, Bit>,
    step: Signal<Local, Bit>,
    ends: Signal<Local, Bit>,
    takes_job: Signal<Local, Bit>,
    // The turned line. Element s has been turned by the low s bits of `shift`.
    data_by: Vec<Signal<Local, Bits<W>>>,
    keep_by: Vec<Signal<Local, Bits<KEEP>>>,
    turned_data: Signal<Local, Bits<W>>,
    turned_keep: Signal<Local, Bits<KEEP>>,
    /// Lanes that are of the turned line.
    lanes: Signal<Local, Bits<KEEP>>,
    now_valid: DFF<Bit>,
    now_gives: DFF<Bit>,
    now_starts: DFF<Bit>,
    now_ends: DFF<Bit>,
    now_lanes: DFF<Bits<KEEP>>,
    now_data: DFF<Bits<W>>,
    now_keep: DFF<Bits<KEEP>>,
    // The one before it.
    old_data: DFF<Bits<W>>,
    old_keep: DFF<Bits<KEEP>>,
    // The beat.
    now_mask: LaneMask<W, KEEP>,
    merged_data: Signal<Local, Bits<W>>,
    merged_old_keep: Signal<Local, Bits<KEEP>>,
    merged_keep: Signal<Local, Bits<KEEP>>,
    beats: SkidBuffer<W, KEEP>,
    /// The bits that a shift and a count of lines can have.
    shifts: Constant<Bits<6>>,
    counts: Constant<Bits<14>>,
    bits_left: Vec<Constant<Bits<10>>>,
    bits_right: Vec<Constant<Bits<10>>>,
    lanes_left: Vec<Constant<Bits<10>>>,
    lanes_right: Vec<Constant<Bits<10>>>,
    _lanes: usize,
    _turns: usize,
}

impl<const W: usize, const KEEP: usize> Aligner<W, KEEP> {
    /// For jobs of at most `lines` lines, and as many beats, whose bytes move by multiples of `grain`, a power of two.
    pub fn new(grain: usize, lines: usize) -> Self {
        assert!(grain.is_power_of_two() && lines < 1 << 14);
        assert!(KEEP * 8 == W && KEEP.is_power_of_two() && KEEP <= 64);
        let turns = clog2(KEEP);
        let amounts = |amount: &dyn Fn(usize) -> usize| {
            (0..turns).map(|s| Constant::new((amount(1 << s) as u64).to_bits())).collect::<Vec<_>>()
        };
        block! {
            Self {
                data_by: many(turns + 1),
                keep_by: many(turns + 1),
                shifts: Constant::new(((KEEP - 1) as u64 & !(grain as u64 - 1)).to_bits()),
                counts: Constant::new(((lines as u64 + 1).next_power_of_two() - 1).to_bits()),
                bits_left: amounts(&|lanes| 8 * lanes),
                bits_right: amounts(&|lanes| W - 8 * lanes),
                lanes_left: amounts(&|lanes| lanes),
                lanes_right: amounts(&|lanes| KEEP - lanes),
                _lanes: KEEP,
                _turns: turns,
            },
            clock, reset, job_valid, job_ready, job_shift, job_lines, job_beats, job_late, line_valid, line_ready,
            line_data, line_keep, beat_valid, beat_ready, beat_data, beat_keep, beat_last, active, shift, lines_left,
            beats_left, needs_line, last_beat, late, starts, moves, step, ends, takes_job, turned_data, turned_keep,
            lanes, now_valid, now_gives, now_starts, now_ends, now_lanes, now_data, now_keep, old_data, old_keep,
            now_mask, merged_data, merged_old_keep, merged_keep, beats
        }
    }
}

impl<const W: usize, const KEEP: usize> Logic for Aligner<W, KEEP> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, active, shift, lines_left, beats_left, needs_line, last_beat, late, starts);
        dff_setup!(self, clock, now_valid, now_gives, now_starts, now_ends, now_lanes, now_data, now_keep);
        dff_setup!(self, clock, old_data, old_keep);
        self.beats.clock.next = self.clock.val();
        self.beats.reset.next = self.reset.val();

        // One step of the job: everything moves unless there is no room for a beat.
        self.moves.next = self.beats.source_ready.val();
        self.step.next = self.active.q.val() & self.moves.val() & (self.line_valid.val() | !self.needs_line.q.val());
        self.ends.next = self.last_beat.q.val() & !self.late.q.val();
        self.line_ready.next = self.active.q.val() & self.moves.val() & self.needs_line.q.val();
        self.takes_job.next = !self.active.q.val() | (self.step.val() & self.ends.val());
        self.job_ready.next = self.takes_job.val();
        if self.step.val() {
            self.starts.d.next = false;
            self.late.d.next = false;
            if self.needs_line.q.val() {
                self.lines_left.d.next = (self.lines_left.q.val() - 1) & self.counts.val();
                self.needs_line.d.next = self.lines_left.q.val() != 1;
            }
            if !self.late.q.val() {
                self.beats_left.d.next = (self.beats_left.q.val() - 1) & self.counts.val();
                self.last_beat.d.next = self.beats_left.q.val() == 2;
            }
        }
        if self.takes_job.val() {
            self.active.d.next = self.job_valid.val();
            self.shift.d.next = self.job_shift.val() & self.shifts.val();
            self.lines_left.d.next = self.job_lines.val() & self.counts.val();
            self.beats_left.d.next = self.job_beats.val() & self.counts.val();
            self.needs_line.d.next = true;
            self.last_beat.d.next = self.job_beats.val() == 1;
            self.late.d.next = self.job_late.val();
            self.starts.d.next = true;
        }

        // Turn.
        self.data_by[0].next = self.line_data.val();
        self.keep_by[0].next = self.line_keep.val();
        self.turned_data.next = self.line_data.val();
        self.turned_keep.next = self.line_keep.val();
        for s in 0..self._turns {
            self.data_by[s + 1].next = self.data_by[s].val();
            self.keep_by[s + 1].next = self.keep_by[s].val();
            if self.shift.q.val().get_bit(s) {
                self.data_by[s + 1].next = (self.data_by[s].val() << self.bits_left[s].val())
                    | (self.data_by[s].val() >> self.bits_right[s].val());
                self.keep_by[s + 1].next = (self.keep_by[s].val() << self.lanes_left[s].val())
                    | (self.keep_by[s].val() >> self.lanes_right[s].val());
            }
            // The last turn has the last word.
            self.turned_data.next = self.data_by[s + 1].val();
            self.turned_keep.next = self.keep_by[s + 1].val();
        }
        self.lanes.next = 0.into();
        for i in 0..self._lanes {
            self.lanes.next = self.lanes.val().replace_bit(i, self.shift.q.val() <= i.to_bits());
        }
        if self.moves.val() {
            self.now_valid.d.next = self.step.val();
            self.now_gives.d.next = self.step.val() & !self.late.q.val();
            self.now_starts.d.next = self.starts.q.val();
            self.now_ends.d.next = self.ends.val();
            self.now_lanes.d.next = self.lanes.val();
            self.now_data.d.next = self.turned_data.val();
            self.now_keep.d.next = self.turned_keep.val();
            if !self.needs_line.q.val() {
                self.now_keep.d.next = 0.into();
            }
        }

        // Merge with the line before.
        self.now_mask.lane.next = self.now_lanes.q.val();
        self.merged_data.next =
            (self.now_data.q.val() & self.now_mask.mask.val()) | (self.old_data.q.val() & !self.now_mask.mask.val());
        self.merged_old_keep.next = self.old_keep.q.val();
        if self.now_starts.q.val() {
            self.merged_old_keep.next = 0.into();
        }
        if self.moves.val() & self.now_valid.q.val() {
            self.old_data.d.next = self.now_data.q.val();
            self.old_keep.d.next = self.now_keep.q.val();
        }
        self.merged_keep.next =
            (self.now_keep.q.val() & self.now_lanes.q.val()) | (self.merged_old_keep.val() & !self.now_lanes.q.val());
        self.beats.source_valid.next = self.now_gives.q.val();
        self.beats.source_data.next = self.merged_data.val();
        self.beats.source_side.next = self.merged_keep.val();
        self.beats.source_last.next = self.now_ends.q.val();
        self.beats.sink_ready.next = self.beat_ready.val();
        self.beat_valid.next = self.beats.sink_valid.val();
        self.beat_data.next = self.beats.sink_data.val();
        self.beat_keep.next = self.beats.sink_side.val();
        self.beat_last.next = self.beats.sink_last.val();

        if self.reset.val() {
            self.active.d.next = false;
            self.now_valid.d.next = false;
            self.now_gives.d.next = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emit::emit;
    use crate::random::Random;

    /// Bytes that move from lane `from` of their first line to lane `to` of their first beat.
    struct Job {
        bytes: Vec<u8>,
        from: usize,
        to: usize,
    }

    /// A byte in each lane that is in use.
    type Lanes = Vec<Option<u8>>;

    fn spread(job: &Job, lane: usize, keep: usize) -> Vec<Lanes> {
        let mut lanes = vec![None; lane];
        lanes.extend(job.bytes.iter().map(|b| Some(*b)));
        lanes.resize(lanes.len().next_multiple_of(keep), None);
        lanes.chunks(keep).map(<[_]>::to_vec).collect()
    }

    fn bits<const W: usize>(lanes: impl DoubleEndedIterator<Item = u64>, width: u64) -> Bits<W> {
        lanes.rev().fold(Bits::<W>::default(), |all, lane| (all << width) | bit_cast::<W, 8>(lane.to_bits()))
    }

    /// Runs the jobs; line and beat are held back in `idle` of 8 cycles. Gives the cycles from the first beat to the last.
    fn run<const W: usize, const KEEP: usize>(jobs: &[Job], idle: u64, random: &mut Random) -> usize {
        let mut dut = Aligner::<W, KEEP>::new(1, 1 << 13);
        dut.connect_all();
        let mut lines: Vec<Lanes> = jobs.iter().flat_map(|j| spread(j, j.from, KEEP)).rev().collect();
        let mut expected: Vec<(Lanes, bool)> = vec![];
        for job in jobs {
            let beats = spread(job, job.to, KEEP);
            let last = beats.len() - 1;
            expected.extend(beats.into_iter().enumerate().map(|(at, beat)| (beat, at == last)));
        }
        let (mut at_job, mut at_beat, mut first, mut end) = (0, 0, None, 0);
        let (mut line_waits, mut cycle) = (false, 0);
        while at_beat < expected.len() {
            assert!(cycle < 100_000, "stuck at beat {at_beat}");
            dut.reset.next = cycle == 0;
            dut.job_valid.next = at_job < jobs.len() && cycle > 0;
            if let Some(job) = jobs.get(at_job) {
                dut.job_shift.next = (((KEEP + job.to - job.from) % KEEP) as u64).to_bits();
                dut.job_lines.next = (spread(job, job.from, KEEP).len() as u64).to_bits();
                dut.job_beats.next = (spread(job, job.to, KEEP).len() as u64).to_bits();
                dut.job_late.next = job.to < job.from;
            }
            line_waits |= random.below(8) >= idle;
            dut.line_valid.next = line_waits && !lines.is_empty() && cycle > 0;
            if let Some(line) = lines.last() {
                dut.line_data.next = bits::<W>(line.iter().map(|b| b.map_or(random.below(256), u64::from)), 8);
                dut.line_keep.next = bits::<KEEP>(line.iter().map(|b| b.is_some() as u64), 1);
            }
            dut.beat_ready.next = random.below(8) >= idle && cycle > 0;
            dut.clock.next = false.into();
            assert!(simulate(&mut dut, 20));
            if cycle > 0 && dut.job_valid.val() && dut.job_ready.val() {
                at_job += 1;
            }
            if dut.line_valid.val() && dut.line_ready.val() {
                lines.pop();
                line_waits = false;
            }
            if cycle > 0 && dut.beat_valid.val() && dut.beat_ready.val() {
                let (data, keep) = (dut.beat_data.val(), dut.beat_keep.val());
                let found: Lanes =
                    (0..KEEP).map(|i| keep.get_bit(i).then(|| data.get_bits::<8>(8 * i).to_u64() as u8)).collect();
                assert_eq!((found, dut.beat_last.val()), expected[at_beat], "beat {at_beat}");
                at_beat += 1;
                first.get_or_insert(cycle);
                end = cycle;
            }
            dut.clock.next = true.into();
            assert!(simulate(&mut dut, 20));
            cycle += 1;
        }
        assert!(lines.is_empty(), "every line is taken");
        end - first.unwrap_or(0) + 1
    }

    fn random_jobs(count: usize, keep: usize, random: &mut Random) -> Vec<Job> {
        let mut below = |n: usize| random.below(n as u64) as usize;
        let job = |_| {
            let (from, to) = (below(keep), below(keep));
            let bytes = match below(3) {
                0 => 1 + below(4),
                1 => 1 + below(2 * keep),
                _ => 1 + below(5 * keep),
            };
            Job { bytes: (0..bytes).map(|_| below(256) as u8).collect(), from, to }
        };
        (0..count).map(job).collect()
    }

    #[test]
    fn bytes_move_from_any_lane_to_any_lane_at_every_width() {
        let mut random = Random::seeded(0xA11C);
        for idle in [0, 3, 6] {
            let jobs = random_jobs(150, 8, &mut random);
            assert!(run::<64, 8>(&jobs, idle, &mut random) > 150);
        }
        let jobs = random_jobs(80, 16, &mut random);
        assert!(run::<128, 16>(&jobs, 2, &mut random) > 80);
        let jobs = random_jobs(50, 32, &mut random);
        assert!(run::<256, 32>(&jobs, 2, &mut random) > 50);
        let jobs = random_jobs(40, 64, &mut random);
        assert!(run::<512, 64>(&jobs, 2, &mut random) > 40);
    }

    #[test]
    fn every_pair_of_lanes_and_every_length_of_up_to_three_beats() {
        let mut random = Random::seeded(1);
        let mut jobs = vec![];
        for (from, to) in (0..64).map(|pair| (pair / 8, pair % 8)) {
            for length in 1..=24 {
                jobs.push(Job { bytes: (0..length).map(|_| random.below(256) as u8).collect(), from, to });
            }
        }
        assert_eq!(jobs.len(), 1536);
        assert!(run::<64, 8>(&jobs, 0, &mut random) > 1536);
    }

    #[test]
    fn jobs_follow_each_other_without_a_gap_and_a_late_one_costs_one_cycle_more() {
        let mut random = Random::seeded(2);
        // 32 bytes in lanes 3 and on of the first beat: five beats.
        for (from, cycles) in [(3, 200), (0, 200), (5, 200 + 39)] {
            let jobs: Vec<Job> = (0..40).map(|_| Job { bytes: vec![7; 32], from, to: 3 }).collect();
            assert_eq!(run::<64, 8>(&jobs, 0, &mut random), cycles, "from lane {from}");
        }
    }

    #[test]
    fn it_can_be_printed_at_every_width() {
        emit(&mut Aligner::<64, 8>::new(1, 1 << 13), "aligner").expect("64");
        emit(&mut Aligner::<128, 16>::new(1, 1 << 13), "aligner").expect("128");
        emit(&mut Aligner::<256, 32>::new(1, 1 << 13), "aligner").expect("256");
        emit(&mut Aligner::<512, 64>::new(1, 1 << 13), "aligner").expect("512");
    }
}
