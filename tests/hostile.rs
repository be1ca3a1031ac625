//! Whatever bytes come from the wire: every frame is delivered bit-exact or dropped with a count, and nothing wedges.

use abi::params::NicParams;
use cosim::mutate::{Mutator, seed};
use cosim::reference::{Class, DropCause, HashFunction};
use cosim::replay::{Outcome, Replay};
use cosim::source::Pace;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

/// `count` mutated frames, one in `bad_every` marked bad by the MAC.
fn frames(seed: u64, count: usize, bad_every: usize) -> Vec<(Vec<u8>, bool)> {
    Mutator::new(seed).take(count).enumerate().map(|(i, bytes)| (bytes, i % bad_every == bad_every - 1)).collect()
}

fn run(preset: &str, pace: Pace, function: HashFunction, seed: u64, frames: &[(Vec<u8>, bool)]) -> Outcome {
    let mut replay = Replay::new(preset.parse::<NicParams>().unwrap());
    replay.config.hash.function = function;
    replay.config.hash.fragment_addresses = function == HashFunction::Toeplitz;
    replay.around.pace = pace;
    replay.around.seed = seed;
    let outcome = replay.run(frames, &mut |_| ()).unwrap();
    assert_eq!(outcome.mismatches, [], "{preset}, {pace:?}, {function}, seed {seed}");
    assert_eq!(outcome.delivered, outcome.identical);
    assert_eq!(outcome.frames.len() as u64, outcome.delivered + outcome.dropped_total());
    outcome
}

#[test]
fn twenty_thousand_mutated_frames_with_random_pauses_are_delivered_or_dropped_by_cause() {
    let seed = seed(0x68).unwrap();
    let frames = frames(seed, 20_000, 50);
    let outcome = run("n4w64", Pace::Pauses { percent: 30 }, HashFunction::Xor, seed, &frames);
    let count = |cause| outcome.dropped.iter().find(|(c, _)| *c == cause).unwrap().1;
    assert!(outcome.delivered > 15_000, "{} delivered", outcome.delivered);
    for cause in [DropCause::Runt, DropCause::Oversize, DropCause::Bad] {
        assert!(count(cause) > 20, "{cause}: {}", count(cause));
    }
    for class in Class::ALL {
        let frames = outcome.frames.iter().filter(|f| f.delivered && f.class == class).count();
        assert!(frames > 100, "class {class}: {frames} frames delivered");
    }
}

#[test]
fn mutated_frames_survive_every_preset_and_both_functions() {
    let seed = seed(0x69).unwrap();
    for (k, preset) in NicParams::PRESETS.into_iter().enumerate() {
        let seed = seed + k as u64;
        let frames = frames(seed, 4_000, 30);
        run(preset, Pace::Pauses { percent: 10 }, HashFunction::Toeplitz, seed, &frames);
        // Without gaps frames of a single beat follow each other; some find no buffer, and that is counted too.
        run(preset, Pace::BackToBack, HashFunction::Xor, seed, &frames);
    }
}

#[test]
fn processors_that_run_out_of_buffers_lose_whole_frames_and_nothing_else() {
    let seed = seed(0x70).unwrap();
    let frames = frames(seed, 5_000, 40);
    for preset in ["n4w64", "n16w512"] {
        let mut replay = Replay::new(preset.parse::<NicParams>().unwrap());
        replay.around.buffers = 2;
        replay.around.work = 200;
        replay.around.seed = seed;
        let outcome = replay.run(&frames, &mut |_| ()).unwrap();
        assert_eq!(outcome.mismatches, [], "{preset}, seed {seed}");
        let starved = outcome.dropped.iter().find(|(c, _)| *c == DropCause::NoBuffer).unwrap().1;
        assert!(
            starved > 100 && outcome.delivered > 100,
            "{preset}: {starved} starved, {} delivered",
            outcome.delivered
        );
        assert_eq!(outcome.frames.len() as u64, outcome.delivered + outcome.dropped_total());
    }
}

#[test]
fn a_table_entry_without_a_processor_drops_its_flows_by_that_cause() {
    let seed = seed(0x71).unwrap();
    let frames = frames(seed, 2_000, 1_000);
    let mut replay = Replay::new("n4w64".parse::<NicParams>().unwrap());
    replay.config.reta[1] = 9;
    replay.config.default_processor = 15;
    let outcome = replay.run(&frames, &mut |_| ()).unwrap();
    assert_eq!(outcome.mismatches, [], "seed {seed}");
    let lost = outcome.dropped.iter().find(|(c, _)| *c == DropCause::NoProcessor).unwrap().1;
    assert!(lost > 200, "{lost}");
}

#[test]
fn any_setting_of_the_registers_is_followed() {
    let seed = seed(0x72).unwrap();
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    for round in 0..24 {
        let preset = NicParams::PRESETS[round % NicParams::PRESETS.len()];
        let mut replay = Replay::new(preset.parse::<NicParams>().unwrap());
        let config = &mut replay.config;
        config.hash.function = if random.next_u32() & 1 == 0 { HashFunction::Xor } else { HashFunction::Toeplitz };
        config.hash.fields.0 = random.next_u32() as u8 & 0xf;
        config.hash.types.0 = random.next_u32() as u8 & 3;
        config.hash.chunk_bits = 1 + (random.next_u32() % 7) as u8;
        config.hash.fragment_addresses = random.next_u32() & 1 == 1;
        random.fill_bytes(&mut config.hash.key);
        let processors = u32::from(config.processors);
        config.reta.iter_mut().for_each(|entry| *entry = (random.next_u32() % processors) as u8);
        config.default_processor = (random.next_u32() % processors) as u8;
        config.flood_arp = random.next_u32() & 1 == 1;
        config.flood_nd = random.next_u32() & 1 == 1;
        config.max_frame = 64 + (random.next_u32() % 9000) as usize;
        let frames = frames(seed + round as u64, 500, 100);
        let outcome = replay.run(&frames, &mut |_| ()).unwrap();
        assert_eq!(outcome.mismatches, [], "seed {seed:#x}, round {round}: {:?}", replay.config);
        assert!(outcome.identical > 100, "round {round}: {} identical", outcome.identical);
    }
}

#[test]
fn the_same_seed_gives_the_same_run_to_the_cycle() {
    let frames = frames(7, 1_000, 20);
    let [first, second] = [(); 2].map(|()| run("n8w64", Pace::Pauses { percent: 25 }, HashFunction::Xor, 7, &frames));
    assert_eq!((first.cycles, first.frames), (second.cycles, second.frames));
    let other = run("n8w64", Pace::Pauses { percent: 25 }, HashFunction::Xor, 8, &frames);
    assert_ne!(first.cycles, other.cycles);
}
