//! How often which value was seen, in bounded space: values keep their six highest bits, so a percentile is less than 1/32 too high. The
//! smallest, the largest and the mean are exact.

use std::collections::BTreeMap;

use serde::Serialize;

/// Bits of a value that count.
const KEPT_BITS: u32 = 6;

/// See the module's page.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Distribution {
    /// Values by the smallest one that counts as the same.
    buckets: BTreeMap<u64, u64>,
    count: u64,
    sum: u64,
    least: u64,
    most: u64,
}

/// Low bits of a value that do not count.
fn dropped_bits(value: u64) -> u32 {
    (u64::BITS - value.leading_zeros()).saturating_sub(KEPT_BITS)
}

impl Distribution {
    /// One more.
    pub fn add(&mut self, value: u64) {
        let dropped = dropped_bits(value);
        *self.buckets.entry(value >> dropped << dropped).or_default() += 1;
        self.least = if self.count == 0 { value } else { self.least.min(value) };
        self.most = self.most.max(value);
        self.count += 1;
        self.sum = self.sum.saturating_add(value);
    }

    /// How many.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The smallest; 0 if there is none.
    pub fn least(&self) -> u64 {
        self.least
    }

    /// The largest; 0 if there is none.
    pub fn most(&self) -> u64 {
        self.most
    }

    /// The mean; 0 of none.
    pub fn mean(&self) -> u64 {
        self.sum.checked_div(self.count).unwrap_or(0)
    }

    /// A value that `thousandths` of them do not exceed.
    pub fn at(&self, thousandths: u64) -> u64 {
        let rank = (self.count * thousandths).div_ceil(1000).max(1);
        let mut seen = 0;
        for (&start, &times) in &self.buckets {
            seen += times;
            if seen >= rank {
                return (start + (1 << dropped_bits(start)) - 1).min(self.most);
            }
        }
        self.most
    }

    /// How many are in each of `bars` equal ranges from the smallest to the largest, with the ranges' beginnings and their width.
    pub fn bars(&self, bars: usize) -> (Vec<(u64, u64)>, u64) {
        let width = ((self.most - self.least) / bars.max(1) as u64 + 1).max(1);
        let used = if self.count == 0 { 0 } else { (self.most - self.least) / width + 1 };
        let mut counts: Vec<(u64, u64)> = (0..used).map(|bar| (self.least + bar * width, 0)).collect();
        for (&start, &times) in &self.buckets {
            let bar = (start.max(self.least) - self.least) / width;
            counts[bar as usize].1 += times;
        }
        (counts, width)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_values_are_exact_and_large_ones_within_a_thirty_second() {
        let mut small = Distribution::default();
        (1..=60).for_each(|value| small.add(value));
        assert_eq!([500, 950, 1000].map(|part| small.at(part)), [30, 57, 60]);
        assert_eq!((small.least(), small.mean(), small.most(), small.count()), (1, 30, 60, 60));
        let mut large = Distribution::default();
        let values: Vec<u64> = (1..=1000).map(|k| 1_000 * k + k % 7).collect();
        values.iter().for_each(|&value| large.add(value));
        for part in [10, 250, 500, 900, 990, 1000] {
            let exact = values[part as usize - 1];
            assert!(large.at(part) >= exact && large.at(part) <= exact + exact / 32, "{part}: {}", large.at(part));
        }
        assert!(large.buckets.len() < 32 * 12);
    }

    #[test]
    fn bars_hold_every_value_once() {
        let mut some = Distribution::default();
        [100, 100, 140, 199, 100_000].into_iter().for_each(|value| some.add(value));
        let (bars, width) = some.bars(40);
        assert_eq!(bars.len(), 40);
        assert_eq!(bars.iter().map(|bar| bar.1).sum::<u64>(), 5);
        assert!(bars[0].0 == 100 && bars[39].0 <= 100_000 && bars[39].0 + width > 100_000);
        assert_eq!(Distribution::default().bars(40).0, []);
        assert_eq!((Distribution::default().at(500), Distribution::default().mean()), (0, 0));
        let mut one = Distribution::default();
        one.add(7);
        assert_eq!(one.bars(40).0, [(7, 1)]);
    }
}
