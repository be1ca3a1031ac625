//! The network link between the card and the clients, with whatever goes wrong on it, out of one seed.
//!
//! Each direction is a queue in front of a wire: frames go out one after the other at the wire's rate, and arrive whole after its delay.
//! Of every frame it is drawn once what becomes of it, when it enters the wire.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

use crate::CLOCK_HZ;
use crate::source::WIRE_OVERHEAD;

/// Chances are counted in so many.
pub const CHANCES: u32 = 10_000;

/// Parts of a cycle in which the wire's time is counted, so that frames follow each other as closely as the rate says.
const FINE: u64 = 1 << 16;

/// One direction.
#[derive(Clone, Debug)]
pub struct Conditions {
    /// Rate in megabits a second.
    pub megabits: u64,
    /// Cycles from one end to the other.
    pub delay: u64,
    /// Bytes that may wait for the wire; a frame that finds no room is dropped.
    pub queue: usize,
    /// Frames of [`CHANCES`] that vanish.
    pub loss: u32,
    /// That arrive twice.
    pub duplication: u32,
    /// That are overtaken.
    pub reordering: u32,
    /// Cycles by which those, and second copies, come later.
    pub late: RangeInclusive<u64>,
    /// With a wrong bit that the frame check sequence shows.
    pub corruption: u32,
    /// With a wrong bit that it does not show.
    pub garbling: u32,
}

impl Default for Conditions {
    /// A gigabit a second over a microsecond of cable and switch, on which nothing goes wrong.
    fn default() -> Self {
        Self {
            megabits: 1000,
            delay: 125,
            queue: 1 << 20,
            loss: 0,
            duplication: 0,
            reordering: 0,
            late: 1_000..=20_000,
            corruption: 0,
            garbling: 0,
        }
    }
}

/// Frames: `offered + duplicated = delivered + lost + overflowed + under way`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Given to the link.
    pub offered: u64,
    /// Come out at its end; bytes of them.
    pub delivered: u64,
    /// Bytes that came out.
    pub bytes: u64,
    /// Vanished.
    pub lost: u64,
    /// Found no room in the queue.
    pub overflowed: u64,
    /// Second copies.
    pub duplicated: u64,
    /// Made late.
    pub reordered: u64,
    /// Spoiled so that the MAC sees it.
    pub corrupted: u64,
    /// Spoiled so that it does not.
    pub garbled: u64,
}

/// A frame at the end of the link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Its bytes, without FCS.
    pub bytes: Vec<u8>,
    /// The FCS is wrong.
    pub bad: bool,
}

/// One direction of the link.
pub struct OneWay {
    conditions: Conditions,
    random: ChaCha8Rng,
    /// When the wire is free, in parts of a cycle.
    free: u64,
    under_way: BTreeMap<(u64, u64), Arrival>,
    sent: u64,
    counters: Counters,
}

impl OneWay {
    /// A link on which nothing is under way.
    pub fn new(conditions: Conditions, seed: u64) -> Self {
        Self {
            conditions,
            random: ChaCha8Rng::seed_from_u64(seed),
            free: 0,
            under_way: BTreeMap::new(),
            sent: 0,
            counters: Counters::default(),
        }
    }

    /// How the link behaves, to change it in the middle of a run.
    pub fn conditions_mut(&mut self) -> &mut Conditions {
        &mut self.conditions
    }

    /// Frames, counted.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Frames under way.
    pub fn under_way(&self) -> usize {
        self.under_way.len()
    }

    /// The cycle in which the next frame arrives.
    pub fn next(&self) -> Option<u64> {
        self.under_way.first_key_value().map(|((cycle, _), _)| *cycle)
    }

    /// Takes the next frame if it has arrived by this cycle.
    pub fn arrive(&mut self, cycle: u64) -> Option<Arrival> {
        let entry = self.under_way.first_entry().filter(|entry| entry.key().0 <= cycle)?;
        let arrival = entry.remove();
        self.counters.delivered += 1;
        self.counters.bytes += arrival.bytes.len() as u64;
        Some(arrival)
    }

    /// A frame enters the link.
    pub fn send(&mut self, cycle: u64, bytes: Vec<u8>) {
        self.counters.offered += 1;
        let now = cycle * FINE;
        let wait = self.free.saturating_sub(now);
        if self.bytes_in(wait) + bytes.len() as u64 > self.conditions.queue as u64 {
            self.counters.overflowed += 1;
            return;
        }
        self.free = self.free.max(now) + self.time_of(bytes.len() as u64 + WIRE_OVERHEAD);
        let due = self.free.div_ceil(FINE) + self.conditions.delay;
        self.fate(due, bytes);
    }

    /// Parts of a cycle for so many bytes.
    fn time_of(&self, bytes: u64) -> u64 {
        (u128::from(8 * bytes * FINE) * u128::from(CLOCK_HZ) / u128::from(self.conditions.megabits.max(1) * 1_000_000))
            as u64
    }

    /// Bytes that go over the wire in this time.
    fn bytes_in(&self, time: u64) -> u64 {
        let bits = u128::from(time) * u128::from(self.conditions.megabits * 1_000_000) / u128::from(CLOCK_HZ);
        (bits / u128::from(8 * FINE)) as u64
    }

    fn fate(&mut self, due: u64, mut bytes: Vec<u8>) {
        // All are drawn for every frame, so that one chance does not change what another one does.
        let Conditions { loss, duplication, reordering, corruption, garbling, .. } = self.conditions;
        let [lost, twice, late, corrupt, garble] = [loss, duplication, reordering, corruption, garbling]
            .map(|chance| self.random.next_u32() % CHANCES < chance);
        let place = self.random.next_u32() as usize;
        let [lateness, second] = [(), ()].map(|()| self.draw_lateness());
        if lost {
            self.counters.lost += 1;
            return;
        }
        if corrupt || garble {
            let bit = place % (8 * bytes.len()).max(1);
            if let Some(byte) = bytes.get_mut(bit / 8) {
                *byte ^= 1 << (bit % 8);
            }
            self.counters.corrupted += u64::from(corrupt);
            self.counters.garbled += u64::from(!corrupt);
        }
        let arrival = Arrival { bytes, bad: corrupt };
        if twice {
            self.counters.duplicated += 1;
            self.put(due + second, arrival.clone());
        }
        self.counters.reordered += u64::from(late);
        self.put(if late { due + lateness } else { due }, arrival);
    }

    fn draw_lateness(&mut self) -> u64 {
        let (first, last) = (*self.conditions.late.start(), *self.conditions.late.end());
        first + self.random.next_u64() % (last.saturating_sub(first) + 1)
    }

    fn put(&mut self, due: u64, arrival: Arrival) {
        self.sent += 1;
        self.under_way.insert((due, self.sent), arrival);
    }
}

/// Both directions.
pub struct Link {
    /// From the clients to the card.
    pub to_card: OneWay,
    /// From the card to the clients.
    pub from_card: OneWay,
}

/// What a link is made with.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// From the clients to the card.
    pub to_card: Conditions,
    /// From the card to the clients.
    pub from_card: Conditions,
}

impl Config {
    /// The same conditions in both directions.
    pub fn both(conditions: Conditions) -> Self {
        Self { to_card: conditions.clone(), from_card: conditions }
    }
}

impl Link {
    /// A link on which nothing is under way.
    pub fn new(config: Config, seed: u64) -> Self {
        Self {
            to_card: OneWay::new(config.to_card, seed ^ 0x746f_5f63_6172),
            from_card: OneWay::new(config.from_card, seed ^ 0x6672_6f6d_5f63),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame that is its number, again and again.
    fn frame(number: u32, length: usize) -> Vec<u8> {
        number.to_be_bytes().into_iter().cycle().take(length).collect()
    }

    /// Sends frames every `pace` cycles and takes all that arrives: cycle, number, whether it is bad, whether it is whole.
    fn run(way: &mut OneWay, frames: u32, pace: u64) -> Vec<(u64, u32, bool, bool)> {
        let mut seen = Vec::new();
        let mut cycle = 0;
        while cycle <= u64::from(frames) * pace || way.under_way() > 0 {
            if cycle % pace == 0 && cycle / pace < frames.into() {
                way.send(cycle, frame((cycle / pace) as u32, 100));
            }
            while let Some(arrival) = way.arrive(cycle) {
                let number = u32::from_be_bytes(arrival.bytes[..4].try_into().unwrap());
                seen.push((cycle, number, arrival.bad, arrival.bytes == frame(number, 100)));
            }
            cycle += 1;
        }
        seen
    }

    fn way(conditions: Conditions) -> OneWay {
        OneWay::new(conditions, 11)
    }

    #[test]
    fn frames_arrive_in_order_at_the_rate_of_the_wire() {
        // 100 + 24 bytes at 1 Gb/s are 992 ns: 124 cycles of 8 ns; and 125 cycles of delay.
        let mut way = way(Conditions::default());
        let seen = run(&mut way, 4, 10);
        assert_eq!(seen.iter().map(|s| (s.0, s.1)).collect::<Vec<_>>(), [(249, 0), (373, 1), (497, 2), (621, 3)]);
        assert!(seen.iter().all(|s| !s.2 && s.3));
        let counters = Counters { offered: 4, delivered: 4, bytes: 400, ..Counters::default() };
        assert_eq!(way.counters(), counters);
    }

    #[test]
    fn a_frame_that_finds_no_room_is_dropped() {
        // The first is on the wire; of the others, two fit into 300 bytes with what is left of it.
        let mut way = way(Conditions { queue: 300, ..Conditions::default() });
        (0..5).for_each(|number| way.send(0, frame(number, 100)));
        assert_eq!((way.under_way(), way.counters().overflowed), (2, 3));
        way.send(248, frame(9, 100));
        assert_eq!((way.under_way(), way.counters().overflowed), (3, 3));
    }

    #[test]
    fn each_fault_comes_as_often_as_its_chance_says_and_the_books_balance() {
        let conditions = Conditions {
            loss: 1_000,
            duplication: 500,
            reordering: 800,
            corruption: 300,
            garbling: 200,
            late: 500..=5_000,
            ..Conditions::default()
        };
        let mut way = way(conditions.clone());
        let seen = run(&mut way, 10_000, 200);
        let c = way.counters();
        assert_eq!(c.offered + c.duplicated, c.delivered + c.lost + c.overflowed);
        assert_eq!((c.offered, c.delivered), (10_000, seen.len() as u64));
        // Five standard deviations of a binomial are below these.
        for (count, expected, most) in [
            (c.lost, 1_000, 150),
            (c.duplicated, 450, 110),
            (c.reordered, 720, 130),
            (c.corrupted, 270, 85),
            (c.garbled, 175, 75),
        ] {
            assert!(count.abs_diff(expected) < most, "{count} instead of {expected}");
        }
        let (bad, wrong) = (seen.iter().filter(|s| s.2).count(), seen.iter().filter(|s| !s.3).count());
        let overtaken = seen.windows(2).filter(|pair| pair[1].1 < pair[0].1).count();
        assert!(bad as u64 >= c.corrupted && wrong as u64 >= c.corrupted + c.garbled && overtaken > 500);
        assert!(seen.iter().all(|s| !s.2 || !s.3), "a frame that is marked bad is bad");
        // The same seed does the same; another one does not.
        assert_eq!(
            run(&mut OneWay::new(conditions.clone(), 11), 500, 200),
            run(&mut OneWay::new(conditions.clone(), 11), 500, 200)
        );
        assert_ne!(
            run(&mut OneWay::new(conditions.clone(), 11), 500, 200),
            run(&mut OneWay::new(conditions, 12), 500, 200)
        );
    }
}
