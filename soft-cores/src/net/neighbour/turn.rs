//! Which processor answers a request that all of them hear.
//!
//! Requests are flooded, so that all caches learn; answers are not wanted N times. The asker's Ethernet address, which
//! unlike its IP address is never unspecified, is hashed (FNV-1a, 32 bits, halves folded); the remainder by the number
//! of live processors counts off the one that answers. All compute alike. While they disagree on who is alive a request
//! may be answered twice or not at all; askers ask again.

use abi::limits::MAX_PROCESSORS;
use smoltcp::wire::EthernetAddress;

/// This processor's place among the live ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    me: usize,
    live: u16,
}

const _: () = assert!(MAX_PROCESSORS <= u16::BITS as usize);

impl Turn {
    /// Processor `me`, where bit i of `live` says that processor i is alive.
    pub const fn new(me: usize, live: u16) -> Self {
        Self { me, live }
    }

    /// This processor.
    pub const fn me(&self) -> usize {
        self.me
    }

    /// Whether it is this processor that answers.
    pub fn is_mine(&self, asker: EthernetAddress) -> bool {
        let places = (0..MAX_PROCESSORS).filter(|&place| self.live >> place & 1 == 1);
        let Some(number) = fold(asker).checked_rem(self.live.count_ones()) else { return false };
        places.into_iter().nth(number as usize) == Some(self.me)
    }
}

fn fold(address: EthernetAddress) -> u32 {
    let step = |hash: u32, &byte: &u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    let hash = address.0.iter().fold(0x811c_9dc5, step);
    hash >> 16 ^ hash & 0xffff
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asker(number: u32) -> EthernetAddress {
        let [a, b, c, d] = number.to_be_bytes();
        EthernetAddress([2, 0, a, b, c, d])
    }

    #[test]
    fn every_asker_is_answered_by_exactly_one_live_processor() {
        let mut asked = 0;
        for live in [0b11, 0b1111, 0xffff, 0b1010_0000_0001_0010, 0x8000, 1] {
            for number in 0..500 {
                let who: alloc::vec::Vec<_> =
                    (0..16).filter(|&me| Turn::new(me, live).is_mine(asker(number))).collect();
                assert_eq!(who.len(), 1, "{live:b} {number}");
                assert_eq!(live >> who[0] & 1, 1);
                asked += 1;
            }
        }
        assert_eq!(asked, 3000);
    }

    #[test]
    fn neighbouring_askers_are_shared_out() {
        for place in 0..16 {
            let share = (0..1600).filter(|&number| Turn::new(place, 0xffff).is_mine(asker(number))).count();
            assert!((50..=200).contains(&share), "processor {place} answers {share} of 1600");
        }
    }

    #[test]
    fn nobody_answers_where_nobody_lives() {
        assert!((0..16).all(|me| !Turn::new(me, 0).is_mine(asker(1))));
    }
}
