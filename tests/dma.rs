//! The DMA engine of the whole card: random copies on all channels at once, with a host that does what it likes.

use abi::dma::Status;
use abi::params::NicParams;
use cosim::cores::MachineError;
use cosim::dma_traffic::score::Tally;
use cosim::dma_traffic::{About, Lie, Outcome, Plan, TrafficError, run};
use cosim::measure::copies::{Direction, throughput};
use cosim::mutate::seed;
use cosim::root_complex::Fault;

/// Cards, and descriptors for each in the long test; more than 50,000 together.
const PRESETS: [(&str, usize); 7] = [
    ("n4w64", 12_000),
    ("n2w64", 9000),
    ("n8w64", 9000),
    ("n16w64", 6000),
    ("n4w128", 6000),
    ("n4w256", 6000),
    ("n16w512", 4500),
];

/// Descriptors of a round.
const ROUND: usize = 1500;

fn plan(seed: u64) -> Plan {
    Plan { seed, descriptors: ROUND, bad: 0, faults: Vec::new(), rough: false, lie: None }
}

/// Every fault by chance; those that a timeout ends seldom, as it is long.
fn hostile(seed: u64) -> Plan {
    let seldom = |fault| matches!(fault, Fault::Dropped | Fault::Delayed);
    let faults = Fault::ALL.into_iter().map(|fault| (fault, if seldom(fault) { 20 } else { 60 })).collect();
    Plan { bad: 8, faults, rough: true, ..plan(seed) }
}

fn card(preset: &str) -> NicParams {
    preset.parse().unwrap()
}

fn play(preset: &str, plan: &Plan) -> Outcome {
    run(card(preset), plan).unwrap_or_else(|error| panic!("{preset}, seed {:#x}: {error}", plan.seed))
}

#[test]
fn row_69_5_and_69_6_copies_of_all_channels_arrive_byte_for_byte() {
    let seed = seed(0x695).unwrap();
    for (preset, _) in PRESETS {
        let Tally { descriptors, directions, posted, failed, bytes, .. } = play(preset, &plan(seed)).tally;
        assert!(
            descriptors as usize > ROUND - 20 && bytes > 100 * descriptors,
            "{preset}: {descriptors}, {bytes} bytes"
        );
        assert!(directions.len() == 3 && directions.values().all(|copies| *copies > 100), "{preset}: {directions:?}");
        // MFAs that are not the poster's are all that fails.
        assert!(posted > 50 && failed < 50, "{preset}: {posted} posted, {failed} failed");
    }
}

#[test]
fn with_every_fault_nothing_is_lost_doubled_out_of_order_or_written_elsewhere() {
    let seed = seed(0x696).unwrap();
    let mut all = Tally::default();
    for (k, (preset, descriptors)) in PRESETS.into_iter().enumerate() {
        for round in 0..descriptors.div_ceil(ROUND) {
            all.add(&play(preset, &hostile(seed + (k << 8 | round) as u64)).tally);
        }
    }
    println!("{all:?}");
    let planned: usize = PRESETS.into_iter().map(|(_, descriptors)| descriptors).sum();
    assert!(planned >= 52_000 && all.descriptors as usize > planned * 98 / 100, "{} descriptors", all.descriptors);
    assert!(all.guards > 20 * all.descriptors, "{} guard bytes", all.guards);
    let few = planned as u64 / 5000;
    for status in Status::ALL {
        let reports = all.statuses.get(&(status as u8)).copied().unwrap_or(0);
        assert!(reports > few, "{status:?}: {reports} reports");
    }
    for fault in Fault::ALL {
        let reads = all.faults.get(&fault).copied().unwrap_or(0);
        assert!(reads > few, "{fault:?}: {reads} reads");
    }
    assert!(all.posted > 200 * few && all.chained > 50 * few, "{} posted, {} chained", all.posted, all.chained);
}

#[test]
fn the_same_seed_gives_the_same_cycles_and_another_does_not() {
    let plan = Plan { descriptors: 300, ..hostile(0x77) };
    let first = play(PRESETS[0].0, &plan);
    assert_eq!(first, play(PRESETS[0].0, &plan));
    assert_ne!(first.cycles, play(PRESETS[0].0, &Plan { seed: 0x78, ..plan }).cycles);
}

#[test]
fn a_lie_about_a_report_or_a_byte_is_noticed() {
    let with = |report, about| Plan { descriptors: 600, lie: Some(Lie { report, about }), ..plan(0x99) };
    let mut noticed = 0;
    for report in [20, 120] {
        play(PRESETS[0].0, &with(report, About::OnTime));
        for about in About::LIES {
            match (about, run(card(PRESETS[0].0), &with(report, about))) {
                (About::Late, Err(TrafficError::Machine(MachineError::Stray { .. }))) => noticed += 1,
                (_, Err(TrafficError::Wrong(_))) => noticed += 1,
                (_, outcome) => panic!("a lie about {about:?} of report {report} went unnoticed: {outcome:?}"),
            }
        }
    }
    assert_eq!(noticed, 18);
}

#[test]
fn long_copies_take_nearly_every_cycle() {
    for (preset, _) in PRESETS {
        for direction in Direction::ALL {
            let share = throughput(card(preset), direction).unwrap();
            println!("{preset}, {direction}: {share:.3} of one beat per cycle");
            // The first report may have been read some cycles later behind its copy than the last one.
            assert!((0.95..1.002).contains(&share), "{preset}, {direction}: {share:.4}");
        }
    }
}
