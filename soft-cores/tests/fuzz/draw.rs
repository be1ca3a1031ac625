//! Random choices: one stream of them for each case.

use std::fmt;

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

/// See the module's page.
pub struct Draw(ChaCha8Rng);

impl Draw {
    /// The choices of a case.
    pub fn new(seed: u64, case: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(case);
        Self(random)
    }

    /// A number below `limit`, which is not 0.
    pub fn below(&mut self, limit: usize) -> usize {
        (self.0.next_u64() % limit as u64) as usize
    }

    pub fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub fn byte(&mut self) -> u8 {
        self.0.next_u32() as u8
    }

    pub fn word(&mut self) -> u32 {
        self.0.next_u32()
    }

    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.0.fill_bytes(&mut bytes);
        bytes
    }

    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len())]
    }

    /// How much time passes: mostly little, sometimes more than anything waits.
    pub fn wait(&mut self) -> u64 {
        match self.below(60) {
            0 => self.below(200_000_000) as u64,
            1..4 => self.below(3_000_000) as u64,
            _ => self.below(2000) as u64,
        }
    }
}

/// Bytes that print as they are written in a corpus.
#[derive(Clone, PartialEq, Eq)]
pub struct Hex(pub Vec<u8>);

impl fmt::Debug for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
