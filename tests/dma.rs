//! The DMA engine of the whole card: random copies on all channels at once, with a host that does what it likes.

use abi::params::NicParams;
use cosim::dma_traffic::{Outcome, Plan, run};
use cosim::mutate::seed;

const PRESETS: [&str; 1] = ["n4w64"];

fn plan(seed: u64, descriptors: usize) -> Plan {
    Plan { seed, descriptors, bad: 0, faults: Vec::new(), rough: false, lie: None }
}

fn play(preset: &str, plan: &Plan) -> Outcome {
    let params = preset.parse::<NicParams>().unwrap();
    run(params, plan).unwrap_or_else(|error| panic!("{preset}, seed {:#x}: {error}", plan.seed))
}

#[test]
fn copies_of_all_channels_in_all_directions_arrive_byte_for_byte() {
    let seed = seed(0x695).unwrap();
    for preset in PRESETS {
        let outcome = play(preset, &plan(seed, 3000));
        println!("{preset}: {outcome:?}");
        assert!(outcome.tally.descriptors > 2900, "{outcome:?}");
    }
}
