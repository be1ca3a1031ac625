//! The network's side: puts frames on the receive stream, beat by beat.

use std::collections::VecDeque;

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use crate::bridge::Inputs;

/// Bytes of every frame on the wire that the stream does not carry: preamble, FCS and the gap between frames (IEEE 802.3).
pub const WIRE_OVERHEAD: u64 = 8 + 4 + 12;

/// How fast frames follow each other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// Without a bubble: each frame's first beat right behind the last one's end.
    BackToBack,
    /// As on a link of so many Gb/s, at the card's clock of [`crate::CLOCK_HZ`].
    Gbps(f64),
    /// Each cycle is idle with a chance of `percent` in a hundred, within frames too.
    Pauses {
        /// Chance of an idle cycle, 0 to 99.
        percent: u32,
    },
}

/// A frame to send.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// Its number, for whoever looks at the times.
    pub index: usize,
    /// Its bytes, without FCS; a frame of none is a lone last beat.
    pub bytes: Vec<u8>,
    /// Whether the MAC marks it bad at its last beat.
    pub bad: bool,
}

/// Feeds `rx_*`. Deterministic in its seed.
pub struct FrameSource {
    beat_bytes: usize,
    pace: Pace,
    rng: ChaCha8Rng,
    waiting: VecDeque<Outgoing>,
    /// Byte of the first waiting frame that goes next.
    offset: usize,
    /// Time at which the next frame may start, in cycles; counts fractions.
    next_start: f64,
}

impl FrameSource {
    /// A source for a stream of `beat_bytes` bytes a beat.
    pub fn new(beat_bytes: usize, pace: Pace, seed: u64) -> Self {
        let rng = ChaCha8Rng::seed_from_u64(seed);
        Self { beat_bytes, pace, rng, waiting: VecDeque::new(), offset: 0, next_start: 0.0 }
    }

    /// Queues a frame.
    pub fn push(&mut self, frame: Outgoing) {
        self.waiting.push_back(frame);
    }

    /// Frames not yet sent whole.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Sets the stream's inputs for this cycle; returns the number of the frame that starts in it.
    pub fn drive(&mut self, cycle: u64, inputs: &mut Inputs) -> Option<usize> {
        inputs.rx_tvalid = false;
        let starts = self.offset == 0;
        let frame = self.waiting.front()?;
        let idle = match self.pace {
            Pace::BackToBack => false,
            Pace::Gbps(_) => starts && (cycle as f64) < self.next_start,
            Pace::Pauses { percent } => self.rng.next_u32() % 100 < percent,
        };
        if idle {
            return None;
        }
        if let (Pace::Gbps(rate), true) = (self.pace, starts) {
            let bits = 8 * (frame.bytes.len() as u64 + WIRE_OVERHEAD);
            let cycles = bits as f64 / (rate * 1e9) * crate::CLOCK_HZ as f64;
            // A link that was idle does not save time up.
            self.next_start = self.next_start.max(cycle as f64) + cycles;
        }

        let index = frame.index;
        let beat = &frame.bytes[self.offset..frame.bytes.len().min(self.offset + self.beat_bytes)];
        let mut lanes = [0u8; 64];
        lanes[..beat.len()].copy_from_slice(beat);
        for (word, bytes) in inputs.rx_tdata.iter_mut().zip(lanes.chunks_exact(8)).take(self.beat_bytes / 8) {
            *word = u64::from_le_bytes(bytes.try_into().expect("eight bytes"));
        }
        inputs.rx_tvalid = true;
        inputs.rx_tkeep = u64::MAX.checked_shr(64 - beat.len() as u32).unwrap_or(0);
        inputs.rx_tlast = self.offset + beat.len() == frame.bytes.len();
        inputs.rx_tuser = inputs.rx_tlast && frame.bad;
        self.offset += beat.len();
        if inputs.rx_tlast {
            self.offset = 0;
            self.waiting.pop_front();
        }
        starts.then_some(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outgoing(index: usize, length: usize) -> Outgoing {
        Outgoing { index, bytes: (0..length).map(|b| b as u8).collect(), bad: index == 1 }
    }

    #[test]
    fn frames_follow_without_a_bubble_and_keep_marks_the_last_lanes() {
        let mut source = FrameSource::new(8, Pace::BackToBack, 0);
        source.push(outgoing(0, 17));
        source.push(outgoing(1, 8));
        let mut inputs = Inputs::default();
        let mut seen = Vec::new();
        for cycle in 0..5 {
            let start = source.drive(cycle, &mut inputs);
            seen.push((start, inputs.rx_tvalid, inputs.rx_tlast, inputs.rx_tuser, inputs.rx_tkeep, inputs.rx_tdata[0]));
        }
        assert_eq!(
            seen[..4],
            [
                (Some(0), true, false, false, 0xff, 0x0706_0504_0302_0100),
                (None, true, false, false, 0xff, 0x0f0e_0d0c_0b0a_0908),
                (None, true, true, false, 0x01, 0x10),
                (Some(1), true, true, true, 0xff, 0x0706_0504_0302_0100),
            ]
        );
        assert!(!seen[4].1);
    }

    #[test]
    fn a_gigabit_link_spaces_minimum_frames_by_84_byte_times() {
        // 60 + 24 bytes at 1 Gb/s are 672 ns, 84 cycles of 8 ns.
        let mut source = FrameSource::new(8, Pace::Gbps(1.0), 0);
        (0..3).for_each(|i| source.push(outgoing(i, 60)));
        let mut inputs = Inputs::default();
        let starts: Vec<_> = (0..300).filter(|&cycle| source.drive(cycle, &mut inputs).is_some()).collect();
        assert_eq!(starts, [0, 84, 168]);
    }
}
