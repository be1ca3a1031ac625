//! The DMA engine, as Verilator compiles it, among a host, memories and owners of channels that do what they may, and some what they may not.

#[path = "dma/bench.rs"]
mod bench;
mod tools;
mod verilated;

use abi::dma::{Descriptor, Window, control};
use bench::{Bench, Engine, Fault, Surroundings};
use random::Random;
use std::sync::LazyLock;

mod random {
    /// xorshift64*.
    pub struct Random(u64);

    impl Random {
        pub fn seeded(seed: u64) -> Self {
            Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
        }

        pub fn below(&mut self, n: u64) -> u64 {
            self.0 ^= self.0 >> 12;
            self.0 ^= self.0 << 25;
            self.0 ^= self.0 >> 27;
            (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % n
        }
    }
}

const HOST: u32 = control::SOURCE_HOST;
const TO_HOST: u32 = control::DESTINATION_HOST;

/// Gives out places that nobody else gets, with room between them.
struct Places {
    host: u64,
    cards: Vec<u64>,
}

impl Places {
    fn new(processors: usize) -> Self {
        // The host's cross 4 GiB.
        Self { host: 0xFFFC_0000, cards: vec![0; processors] }
    }

    fn host(&mut self, random: &mut Random, length: u64) -> u64 {
        let widest = [2, 80, 5000][random.below(3) as usize];
        let gap = 1 + random.below(widest);
        let place = self.host + gap;
        self.host = place + length;
        place
    }

    fn card(&mut self, random: &mut Random, length: u64) -> u64 {
        let processor = random.below(self.cards.len() as u64);
        let next = &mut self.cards[processor as usize];
        let place = *next + 1 + random.below(150);
        *next = place + length;
        assert!(*next < 1 << 24);
        processor << 24 | place
    }
}

fn length(random: &mut Random, longest: u64) -> u64 {
    let most = [8, 64, 600, longest][random.below(4) as usize].min(longest);
    1 + random.below(most)
}

/// Submits one random good copy; gives its job number.
fn good_copy(
    bench: &mut Bench,
    random: &mut Random,
    places: &mut Places,
    longest: u64,
    channel: usize,
    flags: u32,
) -> usize {
    let bytes = length(random, longest);
    let near = places.card(random, bytes);
    let (source, destination, direction) = match random.below(3) {
        0 => (places.host(random, bytes), near, HOST),
        1 => (near, places.host(random, bytes), TO_HOST),
        _ => (near, places.card(random, bytes), 0),
    };
    let number = bench.jobs.len() as u32;
    let host_channel = channel == bench.processors;
    let (mut flags, mut posts) = (flags | direction, None);
    let may_post = if host_channel { direction == HOST } else { direction == TO_HOST };
    if may_post && flags & control::MORE == 0 && random.below(2) == 0 {
        flags |= control::POST;
        posts = Some(number % 4 != 1);
    }
    // The bench's queues refuse odd MFAs.
    let mfa = (random.below(16) as u32) << 24 | number << 1 | u32::from(posts == Some(false));
    let context = number.wrapping_mul(0x9E37_79B9);
    let descriptor = Descriptor { source, destination, length: bytes as u32, flags, mfa, context };
    bench.submit(channel, descriptor, 0, posts)
}

fn open_all(bench: &mut Bench) {
    for processor in 0..bench.processors {
        let window = Window { first_page: 0xFFF0_0000, last_page: 0xFFFF_F000, readable: true, writable: false };
        bench.open_window(processor, 0, window);
        let window = Window { first_page: 0xF000_0000, last_page: 0x1_FFFF_F000, readable: true, writable: true };
        bench.open_window(processor, 3, window);
    }
}

/// Random copies of all channels in surroundings that stutter; with faults if any are given.
fn torture(engine: &Engine, seed: u64, jobs: usize, longest: u64, faults: &[Fault]) {
    let processors = engine.processors;
    println!("seed {seed}, {processors} processors, width {}", engine.width);
    let mut random = Random::seeded(seed);
    let mut around = Surroundings::rough(&mut random);
    if !faults.is_empty() {
        // Longer than an honest answer takes even if all 32 tags wait behind each other.
        around.timeout = 10_000;
        around.max_read = around.max_read.min(512);
        around.grant = around.grant.max(128);
        around.cpl_valid = around.cpl_valid.max(128);
        around.fault = [10, 60, 256][random.below(3) as usize];
        around.faults = faults.to_vec();
        around.stray = random.below(2);
    }
    let mut bench = Bench::new(engine, seed, around);
    open_all(&mut bench);
    let mut places = Places::new(processors);
    for _ in 0..jobs {
        let channel = random.below(processors as u64 + 1) as usize;
        let fence = if random.below(4) == 0 { control::FENCE } else { 0 };
        if random.below(5) == 0 {
            for _ in 0..1 + random.below(4) {
                good_copy(&mut bench, &mut random, &mut places, longest, channel, control::MORE | fence);
            }
        }
        good_copy(&mut bench, &mut random, &mut places, longest, channel, fence);
    }
    let start = std::time::Instant::now();
    bench.run();
    println!("{} cycles in {:?}", bench.cycle, start.elapsed());
    assert!(bench.reports.len() >= jobs);
    for _ in 0..50 {
        bench.step();
    }
    if around_is_clean(&bench) {
        assert_eq!(bench.moved["unexpected"], bench.moved.get("strays").copied().unwrap_or_default());
        assert_eq!(bench.moved["timed out"], 0);
    }
}

fn around_is_clean(bench: &Bench) -> bool {
    bench.jobs.iter().all(|job| job.faults.is_empty())
}

/// One seed from outside, or those that the test has.
fn seeds(own: std::ops::Range<u64>) -> Vec<u64> {
    match std::env::var("DMA_SEED") {
        Ok(seed) => {
            let (first, last) = seed.split_once("..").unwrap_or((&seed, ""));
            let first: u64 = first.parse().expect("DMA_SEED is a number, or two with .. between them");
            (first..last.parse().unwrap_or(first + 1)).collect()
        }
        Err(_) => own.collect(),
    }
}

static N4W64: LazyLock<Engine> = LazyLock::new(|| Engine::new(64, 4));

#[test]
fn every_byte_arrives_whatever_stutters() {
    for seed in seeds(0..20) {
        torture(&N4W64, seed, 60, 9000, &[]);
    }
}

#[test]
fn nothing_that_the_host_does_wrong_touches_anything_else() {
    for seed in seeds(100..120) {
        torture(&N4W64, seed, 60, 4000, &Fault::ALL);
    }
}

#[test]
fn every_width_moves_every_byte() {
    for (width, processors) in [(128, 16), (256, 3), (512, 2)] {
        let engine = Engine::new(width, processors);
        for seed in seeds(200..204) {
            torture(&engine, seed, 60, 9000, &[]);
            torture(&engine, seed, 60, 4000, &Fault::ALL);
        }
    }
}
