//! A run, sampled: what its processors, queues and frames did, in bounded space, without disturbing it.
//!
//! [`Recorder::sample`] is called at the cycles that [`Recorder::due`] names. When there are [`MOST_SAMPLES`], every two of them become one
//! and the interval doubles, so that a long run has as many points as a short one.

mod distribution;

use serde::Serialize;
use soft_cores::kernel::message::Kind;

use crate::system::System;
use crate::watch::{self, CoreWatch};

pub use distribution::Distribution;

/// Samples that are kept at most; even.
pub const MOST_SAMPLES: usize = 512;
/// Cycles from one sample to the next, at first.
pub const FIRST_INTERVAL: u64 = 250;

/// A free queue and its post queue: the fewest empty frames and the most messages seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Pair {
    /// Empty frames.
    pub free: u64,
    /// Messages that wait.
    pub posted: u64,
}

impl From<watch::Pair> for Pair {
    fn from(pair: watch::Pair) -> Self {
        Self { free: pair.free, posted: pair.posted }
    }
}

impl Pair {
    fn merge(self, later: Self) -> Self {
        Self { free: self.free.min(later.free), posted: self.posted.max(later.posted) }
    }
}

/// One processor in an interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Point {
    /// Cycles in which it did not wait for an interrupt, since the beginning.
    pub busy: u64,
    /// The most frames that waited in its receive post queue.
    pub receive: u64,
    /// Messages of other processors that waited for it.
    pub messages: u64,
    /// Its inbound MFA queues.
    pub inbound: Pair,
    /// Packets that it forwarded to the owner of their session (67.5), since the beginning.
    pub forwarded: u64,
    /// Packets that it rerouted because it was busy (68.3), since the beginning.
    pub rerouted: u64,
}

impl Point {
    fn merge(self, later: Self) -> Self {
        Self {
            receive: self.receive.max(later.receive),
            messages: self.messages.max(later.messages),
            inbound: self.inbound.merge(later.inbound),
            ..later
        }
    }
}

/// The system in an interval, which ends with this cycle.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Sample {
    /// The cycle.
    pub cycle: u64,
    /// The processors.
    pub processors: Vec<Point>,
    /// The outbound MFA queues that they share.
    pub outbound: Pair,
}

impl Sample {
    fn merge(self, later: Self) -> Self {
        let both = self.processors.into_iter().zip(later.processors);
        Self {
            cycle: later.cycle,
            processors: both.map(|(earlier, later)| earlier.merge(later)).collect(),
            outbound: self.outbound.merge(later.outbound),
        }
    }
}

/// The samples of a run: the first is where it was when recording began.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Samples(pub Vec<Sample>);

impl Samples {
    /// Shares of time in which processor `number` did not wait, with the cycle in which each interval ends.
    pub fn load(&self, number: usize) -> Vec<(u64, f64)> {
        let share = |pair: &[Sample]| {
            let cycles = pair[1].cycle - pair[0].cycle;
            let busy = pair[1].processors[number].busy.saturating_sub(pair[0].processors[number].busy);
            (pair[1].cycle, busy as f64 / cycles.max(1) as f64)
        };
        self.0.windows(2).map(share).collect()
    }

    /// Something of processor `number` over time.
    pub fn of(&self, number: usize, what: impl Fn(&Point) -> u64) -> Vec<(u64, f64)> {
        self.0.iter().map(|sample| (sample.cycle, what(&sample.processors[number]) as f64)).collect()
    }

    /// Something of the whole over time.
    pub fn whole(&self, what: impl Fn(&Sample) -> u64) -> Vec<(u64, f64)> {
        self.0.iter().map(|sample| (sample.cycle, what(sample) as f64)).collect()
    }

    /// Processors that were sampled.
    pub fn processors(&self) -> usize {
        self.0.first().map_or(0, |sample| sample.processors.len())
    }

    /// From when to when.
    pub fn range(&self) -> (u64, u64) {
        let ends = self.0.first().zip(self.0.last());
        ends.map_or((0, 0), |(first, last)| (first.cycle, last.cycle))
    }
}

/// See the module's page.
#[derive(Clone, Debug)]
pub struct Recorder {
    samples: Vec<Sample>,
    interval: u64,
    due: u64,
}

impl Recorder {
    /// A recorder of this system from now on.
    pub fn new(system: &mut System) -> Self {
        let mut recorder = Self { samples: Vec::new(), interval: FIRST_INTERVAL, due: 0 };
        recorder.sample(system);
        recorder
    }

    /// The cycle from which on it wants to be called again.
    pub fn due(&self) -> u64 {
        self.due
    }

    /// Samples the system.
    pub fn sample(&mut self, system: &mut System) {
        self.push(observe(system));
    }

    fn push(&mut self, sample: Sample) {
        if self.samples.last().is_some_and(|last| last.cycle >= sample.cycle) {
            return;
        }
        self.due = sample.cycle + self.interval;
        self.samples.push(sample);
        // The first is not the end of an interval, and stays.
        if self.samples.len() > MOST_SAMPLES {
            let mut rest = self.samples.split_off(1).into_iter();
            while let Some(earlier) = rest.next() {
                let merged = rest.next().map(|later| earlier.clone().merge(later));
                self.samples.push(merged.unwrap_or(earlier));
            }
            self.interval *= 2;
            self.due = self.samples.last().map_or(0, |last| last.cycle) + self.interval;
        }
    }

    /// What was recorded.
    pub fn finish(self) -> Samples {
        Samples(self.samples)
    }
}

fn observe(system: &mut System) -> Sample {
    let cycle = system.cycles();
    let receive: Vec<_> =
        system.processors_mut().iter_mut().map(|processor| processor.watch_mut().take_most_waiting() as u64).collect();
    let host = system.bus().watch().clone();
    let cores: Vec<&CoreWatch> = system.processors().iter().map(|processor| processor.watch()).collect();
    let point = |number: usize| Point {
        busy: cycle - system.processors()[number].idle_cycles().min(cycle),
        receive: receive[number],
        messages: watch::messages_for(number, &cores),
        inbound: watch::inbound(number, cores[number], &host).into(),
        forwarded: cores[number].sent(Kind::Transport),
        rerouted: cores[number].sent(Kind::Packet),
    };
    Sample { cycle, processors: (0..cores.len()).map(point).collect(), outbound: watch::outbound(&cores, &host).into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(cycle: u64, receive: u64, free: u64) -> Sample {
        let inbound = Pair { free, posted: receive };
        let point = Point { busy: cycle / 4, receive, messages: 0, inbound, forwarded: cycle / 10, rerouted: 0 };
        Sample { cycle, processors: vec![point], outbound: Pair::default() }
    }

    fn empty() -> Recorder {
        Recorder { samples: Vec::new(), interval: 10, due: 0 }
    }

    #[test]
    fn load_is_the_share_of_cycles_between_samples_in_which_it_did_not_wait() {
        let mut recorder = empty();
        for (cycle, busy) in [(100, 50), (200, 50), (300, 150), (500, 200)] {
            let mut sample = sample(cycle, 0, 0);
            sample.processors[0].busy = busy;
            recorder.push(sample);
        }
        let samples = recorder.finish();
        assert_eq!(samples.load(0), [(200, 0.0), (300, 1.0), (500, 0.25)]);
        assert_eq!((samples.range(), samples.processors()), ((100, 500), 1));
    }

    #[test]
    fn a_long_run_has_no_more_points_than_a_short_one_and_keeps_its_extremes() {
        let mut recorder = empty();
        let mut cycle = 0;
        let mut pushed = 0u64;
        while pushed < 10 * MOST_SAMPLES as u64 {
            // One interval has a peak, in which the free queue is empty.
            let peak = pushed == 777;
            recorder.push(sample(cycle, if peak { 99 } else { 1 }, if peak { 0 } else { 5 }));
            pushed += 1;
            assert!(recorder.due() > cycle);
            cycle = recorder.due();
        }
        let samples = recorder.finish();
        assert!(samples.0.len() <= MOST_SAMPLES && samples.0.len() >= MOST_SAMPLES / 2);
        assert_eq!(samples.range().0, 0);
        let most = samples.of(0, |point| point.receive).iter().map(|point| point.1).fold(0.0, f64::max);
        let least = samples.0.iter().map(|sample| sample.processors[0].inbound.free).min();
        assert_eq!((most, least), (99.0, Some(0)));
        assert!(samples.0.windows(2).all(|pair| pair[0].cycle < pair[1].cycle));
        assert!(samples.load(0).iter().all(|(_, load)| (load - 0.25).abs() < 0.01));
        // What is counted from the beginning is the later sample's.
        assert!(samples.0.iter().all(|sample| sample.processors[0].forwarded == sample.cycle / 10));
    }

    #[test]
    fn a_cycle_is_sampled_once() {
        let mut recorder = empty();
        recorder.push(sample(7, 1, 1));
        recorder.push(sample(7, 2, 1));
        assert_eq!(recorder.finish().0.len(), 1);
    }
}
