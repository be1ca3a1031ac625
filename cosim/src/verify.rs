//! Golden vectors against the verilated card: each vector's frame goes in at the receive stream, what the card posts is compared.

use abi::params::NicParams;

use crate::card::CardError;
use crate::reference::{Class, DispatchConfig, Processors};
use crate::replay::Replay;
use crate::vectors::Vector;

/// What the card said about a vector's frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The class.
    pub class: Class,
    /// The hash.
    pub hash: u32,
    /// The processors that got the frame, bit-exact.
    pub processors: Processors,
}

impl Verdict {
    /// Whether the vector expects just this.
    pub fn agrees_with(&self, vector: &Vector) -> bool {
        (self.class, self.hash, self.processors) == (vector.class, vector.hash, vector.processors)
    }
}

/// Sends each vector's frame through a card of 64 bits and returns what it said, in order.
///
/// A number of processors that has no preset of its own runs on the card with 16, its table spread over the first N; only flooded
/// frames would tell the difference, and they are masked to the first N.
///
/// # Errors
/// The card broke a law.
pub fn verify(vectors: &[Vector]) -> Result<Vec<Verdict>, CardError> {
    // Vectors of one configuration share a run.
    let mut configs: Vec<&DispatchConfig> = Vec::new();
    for vector in vectors {
        if !configs.contains(&&vector.config) {
            configs.push(&vector.config);
        }
    }
    let mut verdicts = vec![None; vectors.len()];
    for config in configs {
        let group: Vec<_> = (0..vectors.len()).filter(|&v| vectors[v].config == *config).collect();
        let frames: Vec<_> = group.iter().map(|&v| (vectors[v].frame.clone(), false)).collect();
        let outcome = on_a_card(config).run(&frames, &mut |_| ())?;
        for (&v, frame) in group.iter().zip(&outcome.frames) {
            let mask = Processors::first(config.processors).bits();
            let processors = Processors::from_bits(frame.processors.bits() & mask);
            verdicts[v] = Some(Verdict { class: frame.class, hash: frame.hash, processors });
        }
    }
    Ok(verdicts.into_iter().map(|v| v.expect("every vector is in the group of its configuration")).collect())
}

/// A run on the card for this configuration.
fn on_a_card(config: &DispatchConfig) -> Replay {
    let name = format!("n{}w64", config.processors);
    let (params, processors) = match name.parse::<NicParams>() {
        Ok(params) if NicParams::PRESETS.contains(&name.as_str()) => (params, config.processors),
        _ => ("n16w64".parse().expect("a preset"), 16),
    };
    let config = DispatchConfig { processors, ..config.clone() };
    Replay { config, ..Replay::new(params) }
}
