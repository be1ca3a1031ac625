//! The network behind the card's transmit stream: takes frames in, holds the card up now and then, and insists on the stream's rules.

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use crate::bridge::{Inputs, Outputs};

/// What a card must never do on its transmit stream.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StreamViolation {
    /// A beat that was offered and not taken was changed or taken back.
    #[error("cycle {cycle}: a beat of the transmit stream did not stay until it was taken")]
    Unsteady {
        /// The cycle.
        cycle: u64,
    },
    /// Lanes in use are not the lowest ones, or a beat before the last is not full.
    #[error("cycle {cycle}: lanes {keep:#x} of a transmitted beat are in use")]
    Lanes {
        /// The cycle.
        cycle: u64,
        /// `tx_tkeep`.
        keep: u64,
    },
    /// A gap within a frame: a MAC would run dry.
    #[error("cycle {cycle}: no beat within a frame")]
    Gap {
        /// The cycle.
        cycle: u64,
    },
}

impl StreamViolation {
    /// The cycle in which it happened.
    pub fn cycle(&self) -> u64 {
        match self {
            Self::Unsteady { cycle } | Self::Lanes { cycle, .. } | Self::Gap { cycle } => *cycle,
        }
    }
}

/// See the module's page.
#[derive(Debug)]
pub struct FrameSink {
    beat_bytes: usize,
    /// Per cent of the cycles in which no beat is taken.
    pauses: u32,
    random: ChaCha8Rng,
    ready: bool,
    /// The frame that is arriving.
    frame: Vec<u8>,
    in_frame: bool,
    held: Option<(u64, [u64; 8], bool)>,
    beats: u64,
}

impl FrameSink {
    /// Takes beats of `beat_bytes` bytes and pauses in `pauses` per cent of the cycles.
    pub fn new(beat_bytes: usize, pauses: u32, seed: u64) -> Self {
        Self {
            beat_bytes,
            pauses,
            random: ChaCha8Rng::seed_from_u64(seed ^ 0x7478),
            ready: false,
            frame: Vec::new(),
            in_frame: false,
            held: None,
            beats: 0,
        }
    }

    /// Beats taken so far.
    pub fn beats(&self) -> u64 {
        self.beats
    }

    /// Decides whether a beat is taken in this cycle.
    pub fn drive(&mut self, inputs: &mut Inputs) {
        self.ready = self.pauses == 0 || self.random.next_u32() % 100 >= self.pauses;
        inputs.tx_tready = self.ready;
    }

    /// Takes this cycle's beat; returns a frame with its last one.
    ///
    /// # Errors
    /// The card broke a rule of the stream.
    pub fn sample(&mut self, cycle: u64, outputs: &Outputs) -> Result<Option<Vec<u8>>, StreamViolation> {
        let words = self.beat_bytes / 8;
        if !outputs.tx_tvalid {
            if self.held.is_some() {
                return Err(StreamViolation::Unsteady { cycle });
            }
            return if self.in_frame { Err(StreamViolation::Gap { cycle }) } else { Ok(None) };
        }
        let mut data = [0; 8];
        data[..words].copy_from_slice(&outputs.tx_tdata[..words]);
        let beat = (outputs.tx_tkeep, data, outputs.tx_tlast);
        if self.held.is_some_and(|held| held != beat) {
            return Err(StreamViolation::Unsteady { cycle });
        }
        if !self.ready {
            self.held = Some(beat);
            return Ok(None);
        }
        self.held = None;
        self.beats += 1;
        let keep = outputs.tx_tkeep;
        let bytes = keep.trailing_ones() as usize;
        let full = bytes == self.beat_bytes;
        let lowest = if bytes == 64 { keep == u64::MAX } else { keep >> bytes == 0 };
        if bytes == 0 || bytes > self.beat_bytes || !lowest || !(full || outputs.tx_tlast) {
            return Err(StreamViolation::Lanes { cycle, keep });
        }
        self.frame.extend(data.iter().flat_map(|word| word.to_le_bytes()).take(bytes));
        self.in_frame = !outputs.tx_tlast;
        Ok(outputs.tx_tlast.then(|| std::mem::take(&mut self.frame)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn beat(keep: u64, word: u64, last: bool) -> Outputs {
        let mut outputs = Outputs { tx_tvalid: true, tx_tkeep: keep, tx_tlast: last, ..Outputs::default() };
        outputs.tx_tdata[0] = word;
        outputs
    }

    fn sink() -> FrameSink {
        let mut sink = FrameSink::new(8, 0, 1);
        sink.drive(&mut Inputs::default());
        sink
    }

    #[test]
    fn beats_become_a_frame() {
        let mut sink = sink();
        assert_eq!(sink.sample(0, &beat(0xff, 0x0807_0605_0403_0201, false)), Ok(None));
        assert_eq!(sink.sample(1, &beat(0x3, 0xffff_0a09, true)), Ok(Some((1..=10).collect())));
        assert_eq!((sink.sample(2, &Outputs::default()), sink.beats()), (Ok(None), 2));
    }

    #[test]
    fn a_stream_that_breaks_its_rules_is_a_violation() {
        assert_eq!(sink().sample(5, &beat(0x7, 0, false)), Err(StreamViolation::Lanes { cycle: 5, keep: 7 }));
        assert_eq!(sink().sample(5, &beat(0x5, 0, true)), Err(StreamViolation::Lanes { cycle: 5, keep: 5 }));
        assert_eq!(sink().sample(5, &beat(0, 0, true)), Err(StreamViolation::Lanes { cycle: 5, keep: 0 }));
        let mut gap = sink();
        gap.sample(0, &beat(0xff, 1, false)).unwrap();
        assert_eq!(gap.sample(1, &Outputs::default()), Err(StreamViolation::Gap { cycle: 1 }));
        let mut held = FrameSink::new(8, 100, 1);
        held.drive(&mut Inputs::default());
        assert_eq!(held.sample(0, &beat(0xff, 1, true)), Ok(None));
        assert_eq!(held.sample(1, &beat(0xff, 1, true)), Ok(None));
        assert_eq!(held.sample(2, &beat(0xff, 2, true)), Err(StreamViolation::Unsteady { cycle: 2 }));
    }
}
