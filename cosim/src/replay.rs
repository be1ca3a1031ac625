//! Sends frames through the card and holds everything it does with them against the reference model.

use std::collections::VecDeque;
use std::path::PathBuf;

use abi::csr::host::counters;
use abi::params::NicParams;
use serde::Serialize;

use crate::card::{Card, CardError, Surroundings};
use crate::processor::Received;
use crate::reference::{Check, Checks, Class, DispatchConfig, DropCause, Prediction, Processors, predict};
use crate::source::Outgoing;

/// Cycles that a run goes on without a frame being sent, taken or dropped before it counts as hung.
const PATIENCE: u64 = 100_000;

/// Cycles before a failure that its waveform shows.
const WAVEFORM_BEFORE_FAILURE: u64 = 2_000;

/// A waveform to write.
#[derive(Clone, Debug)]
pub struct Trace {
    /// The file, in FST.
    pub file: PathBuf,
    /// First cycle it shows.
    pub from: u64,
}

/// What became of one frame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FrameOutcome {
    /// Its number in the run, from 0.
    pub index: usize,
    /// Its class: the card's if it was delivered, the model's if it was dropped.
    pub class: Class,
    /// Its hash, likewise.
    pub hash: u32,
    /// The processors that got it.
    pub processors: Processors,
    /// Its length in bytes, without FCS.
    pub length: usize,
    /// Whether any processor got it.
    pub delivered: bool,
}

/// Something the card did that the model forbids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The cycle in which it showed.
    pub cycle: u64,
    /// One line.
    pub what: String,
}

/// A share of the traffic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Load {
    /// Frames.
    pub frames: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Cycles from a frame's first beat to its first write into a processor's memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Latency {
    /// The shortest.
    pub min: u64,
    /// The median.
    pub median: u64,
    /// The longest.
    pub max: u64,
}

/// The outcome of a run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Frame by frame.
    pub frames: Vec<FrameOutcome>,
    /// Frames that at least one processor got.
    pub delivered: u64,
    /// Delivered frames whose every copy was bit-exact, at the right processor, with the right class and hash.
    pub identical: u64,
    /// Dropped frames by cause, from the card's counters.
    pub dropped: Vec<(DropCause, u64)>,
    /// Cycles from the first beat to rest.
    pub cycles: u64,
    /// What each processor got.
    pub processors: Vec<Load>,
    /// First beat to first write.
    pub latency: Latency,
    /// Frames that came back through transmit, if processors echo; each was compared with what its processor got.
    pub sent_back: Option<u64>,
    /// Bytes of all frames sent.
    pub bytes: u64,
    /// What went wrong; empty if nothing did.
    pub mismatches: Vec<Mismatch>,
}

impl Outcome {
    /// Frames dropped, all causes.
    pub fn dropped_total(&self) -> u64 {
        self.dropped.iter().map(|(_, count)| count).sum()
    }

    /// Simulated throughput in Gb/s, at [`crate::CLOCK_HZ`].
    pub fn gbps(&self) -> f64 {
        let seconds = self.cycles.max(1) as f64 / crate::CLOCK_HZ as f64;
        self.bytes as f64 * 8.0 / seconds / 1e9
    }
}

/// What to send, and around what.
#[derive(Clone, Debug)]
pub struct Replay {
    /// The card.
    pub params: NicParams,
    /// Its registers.
    pub config: DispatchConfig,
    /// Pace, seed, buffers.
    pub around: Surroundings,
    /// A waveform, if wanted.
    pub trace: Option<Trace>,
    /// What the model believes the registers to be, if not `config`: a lie on which the comparison must fail.
    pub belief: Option<DispatchConfig>,
}

impl Replay {
    /// A card of these parameters in its reset state.
    pub fn new(params: NicParams) -> Self {
        let config = DispatchConfig::reset(params.processors() as u8);
        Self { params, config, around: Surroundings::default(), trace: None, belief: None }
    }

    /// Sends the frames (bytes, marked bad) in order. `progress` is called with the number of frames that came to an end.
    ///
    /// # Errors
    /// The preset is not built in, or the card broke a law that leaves no way to go on.
    pub fn run(&self, frames: &[(Vec<u8>, bool)], progress: &mut dyn FnMut(u64)) -> Result<Outcome, CardError> {
        Run::new(self, frames)?.finish(progress)
    }

    /// [`Replay::run`]; if something went wrong, once more with a waveform of the last cycles in `file`.
    ///
    /// # Errors
    /// As [`Replay::run`].
    pub fn run_and_explain(
        &self,
        frames: &[(Vec<u8>, bool)],
        file: PathBuf,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Outcome, CardError> {
        let outcome = self.run(frames, progress);
        let failed_at = match &outcome {
            Ok(outcome) => outcome.mismatches.first().map(|m| m.cycle),
            Err(error) => error.cycle(),
        };
        if let (Some(cycle), None) = (failed_at, &self.trace) {
            let trace = Some(Trace { file, from: cycle.saturating_sub(WAVEFORM_BEFORE_FAILURE) });
            // The same seed fails in the same cycle; the first outcome stands.
            let _ = Replay { trace, ..self.clone() }.run(frames, &mut |_| ());
        }
        outcome
    }
}

/// One frame of the run.
struct Sent<'a> {
    bytes: &'a [u8],
    bad: bool,
    prediction: Prediction,
    started: u64,
    got: Processors,
    /// Class and hash as the card posted them.
    posted: Option<(Class, u32)>,
    identical: bool,
}

fn reported(check: abi::receive::Check) -> Check {
    match check {
        abi::receive::Check::None => Check::None,
        abi::receive::Check::Good => Check::Good,
        abi::receive::Check::Bad => Check::Bad,
    }
}

struct Run<'a> {
    card: Card,
    replay: &'a Replay,
    sent: Vec<Sent<'a>>,
    /// For each processor the frames it should get and has not, in order.
    due: Vec<VecDeque<usize>>,
    loads: Vec<Load>,
    latencies: Vec<u64>,
    /// For each processor the frames it should send back, in order, as they leave the card.
    echoes: Vec<VecDeque<Vec<u8>>>,
    sent_back: u64,
    mismatches: Vec<Mismatch>,
}

impl<'a> Run<'a> {
    fn new(replay: &'a Replay, frames: &'a [(Vec<u8>, bool)]) -> Result<Self, CardError> {
        let card = Card::new(replay.params, &replay.config, &replay.around)?;
        let n = replay.params.processors();
        let belief = replay.belief.as_ref().unwrap_or(&replay.config);
        let sent = frames.iter().map(|(bytes, bad)| Sent {
            bytes,
            bad: *bad,
            prediction: predict(bytes, belief),
            started: 0,
            got: Processors::NONE,
            posted: None,
            identical: true,
        });
        Ok(Self {
            card,
            replay,
            sent: sent.collect(),
            due: vec![VecDeque::new(); n],
            loads: vec![Load::default(); n],
            latencies: Vec::new(),
            echoes: vec![VecDeque::new(); n],
            sent_back: 0,
            mismatches: Vec::new(),
        })
    }

    fn finish(mut self, progress: &mut dyn FnMut(u64)) -> Result<Outcome, CardError> {
        let first_cycle = self.card.cycles();
        let mut tracing = false;
        let mut next = 0;
        let mut active = first_cycle;
        while next < self.sent.len() || !self.card.quiet() {
            // A short lead keeps memory small.
            while next < self.sent.len() && self.card.unsent() < 4 {
                let Sent { bytes, bad, .. } = self.sent[next];
                self.card.send(Outgoing { index: next, bytes: bytes.to_vec(), bad });
                next += 1;
            }
            if let Some(trace) = &self.replay.trace
                && !tracing
                && self.card.cycles() >= trace.from
            {
                self.card.trace_to(&trace.file)?;
                tracing = true;
            }
            let cycle = self.card.cycles();
            let events = self.card.cycle()?;
            if let Some(index) = events.started {
                self.start(index, cycle);
                active = cycle;
                progress(index as u64);
            }
            for (processor, received) in events.received {
                self.receive(processor, &received, cycle);
                active = cycle;
            }
            if let Some(frame) = events.sent {
                self.take_echo(&frame, cycle);
                active = cycle;
            }
            if cycle > active + PATIENCE {
                self.mismatch(cycle, format!("nothing happened for {PATIENCE} cycles, {} frames sent", next));
                break;
            }
        }
        progress(self.sent.len() as u64);
        let cycles = self.card.cycles() - first_cycle;
        self.outcome(cycles)
    }

    fn start(&mut self, index: usize, cycle: u64) {
        let sent = &mut self.sent[index];
        sent.started = cycle;
        if !sent.bad {
            for processor in sent.prediction.processors.iter() {
                self.due[usize::from(processor)].push_back(index);
            }
        }
    }

    /// A processor took a frame: it must be the oldest one due there, or a later one if the ones between were dropped.
    fn receive(&mut self, processor: usize, received: &Received, cycle: u64) {
        if self.replay.around.echo {
            let mut echo = received.bytes.clone();
            // Ethernet's shortest frame, without FCS (IEEE 802.3).
            echo.resize(echo.len().max(60), 0);
            self.echoes[processor].push_back(echo);
        }
        let load = &mut self.loads[processor];
        load.frames += 1;
        load.bytes += received.bytes.len() as u64;
        let due = &self.due[processor];
        let Some(place) = due.iter().position(|&index| self.sent[index].bytes == received.bytes) else {
            let due = due.front().map_or("none".to_string(), |index| format!("frame {index}"));
            let what = format!(
                "processor {processor} got {} bytes that are no frame due there (next: {due})",
                received.bytes.len()
            );
            return self.mismatch(cycle, what);
        };
        let index = self.due[processor].drain(..=place).next_back().expect("at least the place itself");
        let sent = &mut self.sent[index];
        let first_copy = sent.got.is_empty();
        sent.got = Processors::from_bits(sent.got.bits() | Processors::one(processor as u8).bits());
        if first_copy {
            self.latencies.push(received.first_write - sent.started);
        }

        let expected = sent.prediction;
        let class = Class::ALL[received.status.class() as usize];
        sent.posted.get_or_insert((class, received.hash));
        let flooded = expected.processors.len() > 1;
        if (class, received.hash, received.status.flooded()) != (expected.class, expected.hash, flooded) {
            sent.identical = false;
            let what = format!(
                "frame {index} at processor {processor}: class {class}, hash {:#x}, flooded {}; the model says class {}, hash {:#x}, flooded {flooded}",
                received.hash,
                received.status.flooded(),
                expected.class,
                expected.hash,
            );
            self.mismatch(cycle, what);
        }
        let checks =
            Checks { ip: reported(received.status.ip_check()), transport: reported(received.status.transport_check()) };
        if checks != expected.checks {
            self.sent[index].identical = false;
            let what = format!(
                "frame {index} at processor {processor}: checksums {checks:?}; the model says {:?}",
                expected.checks
            );
            self.mismatch(cycle, what);
        }
    }

    /// A frame left the card: some processor must have been about to send it.
    fn take_echo(&mut self, frame: &[u8], cycle: u64) {
        match self.echoes.iter_mut().find(|due| due.front().is_some_and(|due| due == frame)) {
            Some(due) => {
                due.pop_front();
                self.sent_back += 1;
            }
            None => {
                self.mismatch(cycle, format!("{} bytes were sent that no processor was about to send", frame.len()))
            }
        }
    }

    fn mismatch(&mut self, cycle: u64, what: String) {
        self.mismatches.push(Mismatch { cycle, what });
    }

    /// Reads the counters and balances the books.
    fn outcome(mut self, cycles: u64) -> Result<Outcome, CardError> {
        // The counters lag by a sweep.
        for _ in 0..256 {
            self.card.cycle()?;
        }
        let frames = self.card.counter(counters::FRAMES)?;
        let bytes = self.card.counter(counters::BYTES)?;
        let delivered_counted = self.card.counter(counters::DELIVERED)?;
        let mut dropped = Vec::new();
        for (k, cause) in DropCause::ALL.into_iter().enumerate() {
            dropped.push((cause, self.card.counter(counters::FIRST_DROP + k)?));
        }
        let mut classes = Vec::new();
        for k in 0..8 {
            classes.push(self.card.counter(counters::FIRST_CLASS + k)?);
        }
        let mut loads = Vec::new();
        let (mut sent_counted, mut sent_bytes) = (0, 0);
        let mut missed = 0;
        for p in 0..self.loads.len() {
            let first = counters::FIRST_PROCESSOR + counters::PER_PROCESSOR * p;
            let frames = self.card.counter(first + counters::PROCESSOR_FRAMES)?;
            let bytes = self.card.counter(first + counters::PROCESSOR_BYTES)?;
            sent_counted += self.card.counter(first + counters::PROCESSOR_SENT)?;
            sent_bytes += self.card.counter(first + counters::PROCESSOR_SENT_BYTES)?;
            missed += self.card.counter(first + counters::PROCESSOR_NO_BUFFER)?;
            missed += self.card.counter(first + counters::PROCESSOR_POST_FULL)?;
            loads.push(Load { frames, bytes });
        }

        let cycle = self.card.cycles();
        let delivered = self.sent.iter().filter(|s| !s.got.is_empty()).count() as u64;
        let identical = self.sent.iter().filter(|s| !s.got.is_empty() && s.identical).count() as u64;
        // Of a frame that is both, only its length decides where it is written.
        let cause = |s: &Sent| match s.prediction.drop {
            Some(DropCause::Oversize) => Some(DropCause::Oversize),
            _ if s.bad => Some(DropCause::Bad),
            foreseen => foreseen,
        };
        let count = |drop: DropCause| self.sent.iter().filter(|s| cause(s) == Some(drop)).count() as u64;
        let copies: u64 = self.sent.iter().filter(|s| !s.bad).map(|s| s.prediction.processors.len() as u64).sum();
        let total: u64 = self.sent.iter().map(|s| s.bytes.len() as u64).sum();
        let mut checks = vec![
            ("frames that arrived", frames, self.sent.len() as u64),
            ("frames delivered", delivered_counted, delivered),
            ("frames delivered and dropped", delivered_counted + dropped.iter().map(|(_, n)| n).sum::<u64>(), frames),
            ("frames of all classes", classes.iter().sum(), frames),
            ("copies taken and missed", loads.iter().map(|l| l.frames).sum::<u64>() + missed, copies),
        ];
        for cause in [DropCause::Runt, DropCause::Oversize, DropCause::Bad, DropCause::NoProcessor] {
            let counted = dropped.iter().find(|(c, _)| *c == cause).map_or(0, |(_, n)| *n);
            checks.push(("drops by a cause that the model foresees", counted, count(cause)));
        }
        if self.replay.around.echo {
            let taken = self.loads.iter().fold(Load::default(), |sum, load| Load {
                frames: sum.frames + load.frames,
                bytes: sum.bytes + load.bytes,
            });
            checks.push(("frames sent back, as they came", self.sent_back, taken.frames));
            checks.push(("frames sent back", sent_counted, taken.frames));
            checks.push(("bytes sent back", sent_bytes, taken.bytes));
        }
        // The length of a frame far beyond the limit is not kept exactly.
        if count(DropCause::Oversize) == 0 {
            checks.push(("bytes that arrived", bytes, total));
        }
        for (counted, taken) in loads.iter().zip(&self.loads) {
            checks.push(("frames of a processor", counted.frames, taken.frames));
            checks.push(("bytes of a processor", counted.bytes, taken.bytes));
        }
        let wrong: Vec<_> = checks
            .into_iter()
            .filter(|(_, counted, expected)| counted != expected)
            .map(|(what, counted, expected)| format!("{what}: the card counts {counted}, it should be {expected}"))
            .collect();
        wrong.into_iter().for_each(|what| self.mismatch(cycle, what));

        let frames = self.sent.iter().enumerate().map(|(index, sent)| {
            let (class, hash) = sent.posted.unwrap_or((sent.prediction.class, sent.prediction.hash));
            let delivered = !sent.got.is_empty();
            FrameOutcome { index, class, hash, processors: sent.got, length: sent.bytes.len(), delivered }
        });
        self.latencies.sort_unstable();
        let at = |place: usize| self.latencies.get(place).copied().unwrap_or_default();
        let last = self.latencies.len().saturating_sub(1);
        let latency = Latency { min: at(0), median: at(last / 2), max: at(last) };
        Ok(Outcome {
            frames: frames.collect(),
            delivered,
            identical,
            dropped,
            cycles,
            processors: self.loads,
            latency,
            bytes: total,
            sent_back: self.replay.around.echo.then_some(self.sent_back),
            mismatches: self.mismatches,
        })
    }
}
