//! The seeded generator that protocol delays are drawn from.
//!
//! Delays only have to differ between hosts; nothing here guards a secret. SplitMix64 (Steele, Lea and Flood, 2014) has
//! one word of state and no bad seeds.

use super::Micros;

/// A stream of numbers that its seed decides.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The stream of `seed`. Processors take different seeds, or they would all answer at the same time.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ x >> 31
    }

    /// A time in `0..=most`. Protocol delays are so far below 2^64 that the remainder favours none of them noticeably.
    pub fn within(&mut self, most: Micros) -> Micros {
        match most.checked_add(1) {
            Some(values) => self.next() % values,
            None => self.next(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_of_seed_zero_is_splitmix64() {
        // The first outputs of the authors' C code for seed 0.
        let mut random = Random::new(0);
        assert_eq!(random.next(), 0xe220_a839_7b1d_cdaf);
        assert_eq!(random.next(), 0x6e78_9e6a_a1b9_65f4);
    }

    #[test]
    fn draws_reach_both_ends_and_stay_inside() {
        let mut random = Random::new(1);
        let draws: alloc::vec::Vec<_> = (0..1000).map(|_| random.within(9)).collect();
        assert!((0..=9).all(|value| draws.contains(&value)));
        assert!(draws.iter().all(|&value| value <= 9));
    }
}
