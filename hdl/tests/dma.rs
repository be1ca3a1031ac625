//! The DMA engine, as Verilator compiles it, among a host, memories and owners of channels that do what they may, and some what they may not.
//!
//! `DMA_SEED=7` or `DMA_SEED=7..90` chooses other seeds than the tests' own; `DMA_TRACE=1` prints what happens (`--nocapture`).

#[path = "dma/bench.rs"]
mod bench;
mod tools;
mod verilated;

use abi::dma::{Descriptor, Window, control};
use bench::{Bench, Engine, Fault, Surroundings};
use random::Random;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::LazyLock;
use verilated::Bug;

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

/// Random copies of all channels in surroundings that stutter; with faults if any are given. Those that happened.
fn torture(engine: &Engine, seed: u64, jobs: usize, longest: u64, faults: &[Fault]) -> Vec<Fault> {
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
    bench.run();
    assert!(bench.reports.len() >= jobs);
    for _ in 0..50 {
        bench.step();
    }
    let wrong = bench.jobs.iter().filter(|job| job.bad != 0 || !job.faults.is_empty()).count() as u64;
    let refused = bench.posted.iter().filter(|(_, _, mfa)| mfa & 1 == 1).count() as u64;
    assert_eq!(bench.moved["failed"], wrong + refused);
    if wrong == 0 {
        assert_eq!(bench.moved["unexpected"], bench.moved.get("strays").copied().unwrap_or_default());
        assert_eq!(bench.moved["timed out"], 0);
    }
    bench.jobs.into_iter().flat_map(|job| job.faults).collect()
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
static N2W512: LazyLock<Engine> = LazyLock::new(|| Engine::new(512, 2));

#[test]
fn every_byte_arrives_whatever_stutters() {
    for seed in seeds(0..8) {
        torture(&N4W64, seed, 60, 9000, &[]);
    }
}

#[test]
fn nothing_that_the_host_does_wrong_touches_anything_else() {
    let happened: Vec<Fault> =
        seeds(100..110).into_iter().flat_map(|s| torture(&N4W64, s, 60, 4000, &Fault::ALL)).collect();
    for fault in Fault::ALL.into_iter().skip(1) {
        assert!(happened.contains(&fault), "{fault:?} was never tried");
    }
}

#[test]
fn every_width_moves_every_byte() {
    let others = [Engine::new(128, 16), Engine::new(256, 3)];
    for engine in others.iter().chain([&*N2W512]) {
        for seed in seeds(200..202) {
            torture(engine, seed, 60, 9000, &[]);
            torture(engine, seed, 60, 4000, &Fault::ALL);
        }
    }
}

/// Beats per cycle between the first and the last byte, for blocks of one size that are copied one after the other.
fn throughput(engine: &Engine, direction: u32, bytes: u64, blocks: u32, port: &str) -> f64 {
    let mut around = Surroundings::ideal();
    around.max_payload = 256;
    let mut bench = Bench::new(engine, 1, around);
    open_all(&mut bench);
    for number in 0..blocks {
        let place = u64::from(number) * bytes;
        let (host, card) = (0xFF00_0000 + place, place);
        let (source, destination) = match direction {
            HOST => (host, card),
            TO_HOST => (card, host),
            _ => (card, 1 << 24 | card),
        };
        let descriptor =
            Descriptor { source, destination, length: bytes as u32, flags: direction, mfa: 0, context: number };
        bench.submit(1, descriptor, 0, None);
    }
    bench.run();
    let (first, last) = bench.active[port];
    bench.moved[port] as f64 / (last - first + 1) as f64
}

#[test]
fn blocks_of_4_kib_move_at_a_beat_per_cycle_in_every_direction() {
    for engine in [&*N4W64, &*N2W512] {
        for (direction, port) in [(HOST, "fill"), (TO_HOST, "write beats"), (0, "copy")] {
            let reached = throughput(engine, direction, 4096, 40, port);
            assert!(reached > 0.95, "{} {port}: {reached:.3}", engine.width);
        }
    }
}

#[test]
fn copies_of_64_bytes_take_at_most_12_cycles_each() {
    for (direction, port) in [(HOST, "fill"), (TO_HOST, "write beats"), (0, "copy")] {
        let cycles = 8. / throughput(&N4W64, direction, 64, 100, port);
        assert!(cycles < 12., "{port}: {cycles:.2}");
    }
}

/// A descriptor with a context that tells it apart.
fn descriptor(source: u64, destination: u64, length: u32, flags: u32) -> Descriptor {
    Descriptor { source, destination, length, flags, mfa: 0x0200_0040, context: source as u32 ^ length }
}

#[test]
fn bad_descriptors_are_reported_in_their_turn_and_touch_nothing() {
    const INVALID: u32 = 7;
    const REFUSED: u32 = 6;
    const OPEN: u64 = 0x5_0000_0000;
    let mut around = Surroundings::ideal();
    around.push = 128;
    let mut bench = Bench::new(&N4W64, 1, around);
    let window = |pages: u64, readable, writable| Window {
        first_page: OPEN + 0x10_0000 * pages,
        last_page: OPEN + 0x10_0000 * pages + 0x3000,
        readable,
        writable,
    };
    bench.open_window(1, 0, window(0, true, true));
    bench.open_window(1, 1, window(1, true, false));
    bench.open_window(1, 2, window(2, false, true));
    bench.open_window(2, 3, window(3, true, true));
    let (host, core) = (bench.processors, 1);
    let (post, more) = (control::POST, control::MORE);
    let far = |pages: u64| OPEN + 0x10_0000 * pages;
    let end = u64::MAX;
    let cases = [
        (core, descriptor(far(0), 0x100, 0, HOST), INVALID),
        (core, descriptor(far(0), 0x100, 0x1_0001, HOST), INVALID),
        (core, descriptor(far(0), 0x100, 0x1_FFFF, HOST), INVALID),
        (core, descriptor(far(0), 0x100, 1, HOST | 1 << 17), INVALID),
        (core, descriptor(far(0), 0x100, 1, HOST | 1 << 19), INVALID),
        (core, descriptor(far(0), 0x100, 1, HOST | 1 << 25), INVALID),
        (core, descriptor(far(0), 0x100, 1, HOST | 1 << 31), INVALID),
        (core, descriptor(far(0), far(0), 1, HOST | TO_HOST), INVALID),
        (host, descriptor(far(0), far(1), 1, HOST | TO_HOST), INVALID),
        (core, descriptor(far(0), 0x1000_0100, 1, HOST), INVALID),
        (core, descriptor(far(0), 0x1_0000_0100, 1, HOST), INVALID),
        (core, descriptor(1 << 63, far(0), 1, TO_HOST), INVALID),
        (core, descriptor(0x0400_0000, far(0), 1, TO_HOST), INVALID),
        (core, descriptor(0x100, 0x0F00_0000, 1, 0), INVALID),
        (core, descriptor(0x100, 0x1000_0000, 1, 0), INVALID),
        (core, descriptor(0x100, 0x8000_0000_0000_0000, 1, 0), INVALID),
        (host, descriptor(0xFF_FFF0, far(5), 17, TO_HOST), INVALID),
        (host, descriptor(0x100, 0x01FF_0001, 0x1_0000, 0), INVALID),
        (host, descriptor(end - 14, 0x100, 16, HOST), INVALID),
        (host, descriptor(0x100, end, 2, TO_HOST), INVALID),
        (core, descriptor(0x100, far(0), 1, TO_HOST | post | more), INVALID),
        (core, descriptor(far(0), 0x100, 1, HOST | post), INVALID),
        (core, descriptor(0x100, 0x200, 1, post), INVALID),
        (host, descriptor(0x100, far(0), 1, TO_HOST | post), INVALID),
        (host, descriptor(0x100, 0x200, 1, post), INVALID),
        (core, descriptor(far(7), 0x1000_0100, 1, HOST), INVALID),
        (core, descriptor(far(7), 0x100, 1, HOST), REFUSED),
        (core, descriptor(far(0) - 1, 0x100, 1, HOST), REFUSED),
        (core, descriptor(far(0) - 1, 0x100, 2, HOST), REFUSED),
        (core, descriptor(far(0) + 0x3FFF, 0x100, 2, HOST), REFUSED),
        (core, descriptor(far(0), 0x100, 0x4001, HOST), REFUSED),
        (core, descriptor(far(0) & 0xFFFF_FFFF, 0x100, 1, HOST), REFUSED),
        (core, descriptor(0x100, far(1), 1, TO_HOST), REFUSED),
        (core, descriptor(far(2), 0x100, 1, HOST), REFUSED),
        (core, descriptor(far(3), 0x100, 1, HOST), REFUSED),
        (2, descriptor(far(0), 0x100, 1, HOST), REFUSED),
        (0, descriptor(far(0), 0x100, 1, HOST), REFUSED),
        (core, descriptor(end - 3, 0x100, 4, HOST), REFUSED),
        // At the edge, but good.
        (core, descriptor(far(0), 0x00_1000, 0x4000, HOST), 0),
        (core, descriptor(far(0) + 0x3FFF, 0x00_8000, 1, HOST), 0),
        (core, descriptor(far(1), 0x00_9000, 1, HOST), 0),
        (core, descriptor(0x00_D000, far(2) + 0x3000, 0x1000, TO_HOST), 0),
        (host, descriptor(0xFF_FFF0, far(5), 16, TO_HOST), 0),
        (host, descriptor(0x00_A000, 0x01FF_0000, 0x1_0000, 0), 0),
        (host, descriptor(end - 20, 0x03FF_FFF0, 16, HOST), 0),
        (host, descriptor(0x00_B000, end - 7, 3, TO_HOST), 0),
    ];
    for (channel, descriptor, bad) in cases {
        bench.submit(channel, descriptor, bad, None);
    }
    bench.run();
    // One is an element of a list.
    assert_eq!(bench.reports.len(), cases.len() - 1);
    for _ in 0..50 {
        bench.step();
    }
    assert_eq!(bench.moved["failed"], cases.iter().filter(|(.., bad)| *bad != 0).count() as u64);
}

#[test]
fn a_fence_lets_a_copy_use_what_earlier_ones_have_written() {
    for seed in 0..3 {
        let mut around = Surroundings::rough(&mut Random::seeded(seed));
        around.latency = (100, 400);
        let mut bench = Bench::new(&N4W64, seed, around);
        open_all(&mut bench);
        for channel in 0..4u64 {
            for link in 0..6u64 {
                let (there, card) =
                    (0xFFF0_0000 + channel * 0x1_0000 + link * 0x1000, (channel << 24) | (link * 0x1000));
                // Out of the host's memory, through two memories, and back into the host's.
                let fence = control::FENCE;
                let (a, b) = (card + 5, (((channel + 1) % 4) << 24) | (0x10_0000 + link * 0x1000));
                bench.submit(channel as usize, descriptor(there, a, 700, HOST), 0, None);
                bench.submit(channel as usize, descriptor(a, b, 700, fence), 0, None);
                bench.submit(channel as usize, descriptor(b, there + 0x80_0003, 700, TO_HOST | fence), 0, None);
                bench.submit(channel as usize, descriptor(there + 0x80_0003, a + 0x800, 700, HOST | fence), 0, None);
            }
        }
        bench.run();
        assert_eq!(bench.reports.len(), 96);
    }
}

#[test]
fn a_short_copy_does_not_wait_for_long_ones() {
    for direction in [HOST, TO_HOST] {
        let mut bench = Bench::new(&N4W64, 1, Surroundings::ideal());
        open_all(&mut bench);
        for channel in 0..3u64 {
            let (host, card) = (0xFFE0_0000 + channel * 0x10_0000, channel << 24);
            let (source, destination) = if direction == HOST { (host, card) } else { (card, host) };
            bench.submit(channel as usize, descriptor(source, destination, 0x1_0000, direction), 0, None);
        }
        for _ in 0..500 {
            bench.step();
        }
        let (host, card) = (0xF100_0000, 0x0300_0000);
        let (source, destination) = if direction == HOST { (host, card) } else { (card, host) };
        bench.submit(3, descriptor(source, destination, 64, direction), 0, None);
        bench.run();
        let (channel, _, done) = bench.reports[0];
        assert_eq!(channel, 3, "the last to start is the first to end");
        // All 32 tags are used for 512 bytes each before it gets one.
        let most = if direction == HOST { 32 * 64 + 400 } else { 8 * 32 + 300 };
        assert!(done - 500 < most, "{}", done - 500);
    }
}

#[test]
fn a_list_is_reported_once_and_counts_its_bytes_as_far_as_there_is_room() {
    let mut bench = Bench::new(&N2W512, 1, Surroundings::ideal());
    for element in 0..17u64 {
        let more = if element < 16 { control::MORE } else { 0 };
        bench.submit(2, descriptor(element << 16, 1 << 24 | element << 16, 0x1_0000, more), 0, None);
    }
    bench.run();
    let [(channel, completion, _)] = bench.reports[..] else { panic!("{} reports", bench.reports.len()) };
    assert_eq!((channel, completion.bytes()), (2, 0xF_FFFF));
    assert_eq!(completion.status(), Some(abi::dma::Status::Ok));
}

#[test]
fn without_room_a_push_is_refused_until_a_report_is_taken() {
    let mut around = Surroundings::ideal();
    around.take = 0;
    let mut bench = Bench::new(&N4W64, 1, around);
    for channel in [1, 4] {
        for number in 0..17u64 {
            assert!(number < 16 || bench.refuses(channel), "the 17th");
            let card = (channel as u64) << 16 | number << 8;
            if number < 16 {
                bench.submit(channel, descriptor(card, 0x0200_0000 | card, 1 + number as u32, 0), 0, None);
            }
            for _ in 0..100 {
                bench.step();
            }
        }
    }
    assert!(bench.reports.is_empty());
    bench.around.take = 256;
    bench.run();
    assert_eq!(bench.reports.len(), 32);
    assert!(!bench.refuses(1) && !bench.refuses(4));
}

#[test]
fn a_read_times_out_no_earlier_than_told_and_not_much_later_and_its_tag_rests() {
    let mut around = Surroundings::ideal();
    around.timeout = 700;
    around.fault = 256;
    around.faults = vec![Fault::Silence];
    let mut bench = Bench::new(&N4W64, 1, around);
    for number in 0..80u64 {
        bench.submit(4, descriptor(number << 12, number << 8, 8, HOST), 0, None);
    }
    bench.run();
    assert_eq!(bench.moved["timed out"], 80);
    let (first, last) = (bench.reports[0].2, bench.reports[79].2);
    assert!((700..1200).contains(&first), "{first}");
    // Two rounds of 32 tags must rest before the last sixteen go.
    assert!((2 * 1400 + 700..2 * 2300 + 1200).contains(&last), "{last}");
}

#[test]
fn the_bench_finds_deliberate_bugs() {
    let bug = |module, good, bad| Bug { module, good, bad };
    let bugs = [
        // Bytes behind the end of a payload.
        bug("fill", "line_keep & last_keep", "line_keep"),
        // A lane too low.
        bug("fill", "(next_place - next_lane) & lane_mask", "(next_place - next_lane - 6'd1) & lane_mask"),
        // A report before all data is there.
        bug("tags", "(state != TagState_Free) & (state != TagState_Lost) & (id == probe)", "1'b0"),
        // The same for copies.
        bug("copy", "|any_match_value", "1'b0"),
        // A lost tag is used again at once.
        bug("tags", "forget | (age == 2'd3)", "1'b1"),
        // Completions out of place are taken.
        bug("judge", "(left == missing) & (lower_address == awaited_address) & !bad_length & has_data", "has_data"),
        // Bad data is written.
        bug("judge", "!poisoned", "1'b1"),
        // Requests over 4 KiB.
        bug("issue", "load_limit - load_place", "load_limit"),
    ];
    let mut engine = Engine::with_bugs(&bugs);
    for seed in 0..3 {
        torture(&engine, seed, 40, 2000, &Fault::ALL);
    }
    for number in 1..=bugs.len() {
        engine.bug = number;
        let Bug { module, good, .. } = bugs[number - 1];
        let runs = |engine: &Engine| {
            for seed in 0..3 {
                torture(engine, seed, 40, 2000, &[]);
                torture(engine, seed, 40, 2000, &Fault::ALL);
            }
        };
        let found = catch_unwind(AssertUnwindSafe(|| runs(&engine))).is_err();
        assert!(found, "`{good}` in {module}");
    }
}
