//! The comparison itself is tested: with a lie told to the model it must fail, and say where.

use std::fs;

use abi::params::NicParams;
use cosim::mutate::Mutator;
use cosim::reference::DispatchConfig;
use cosim::replay::{Replay, Trace};

fn frames() -> Vec<(Vec<u8>, bool)> {
    Mutator::new(3).take(300).map(|bytes| (bytes, false)).collect()
}

fn lying(lie: impl Fn(&mut DispatchConfig)) -> Replay {
    let mut replay = Replay::new("n4w64".parse::<NicParams>().unwrap());
    let mut belief = replay.config.clone();
    lie(&mut belief);
    replay.belief = Some(belief);
    replay
}

#[test]
fn a_wrong_belief_about_any_register_is_noticed() {
    type Lie = (&'static str, fn(&mut DispatchConfig));
    let lies: [Lie; 7] = [
        ("a table entry", |c| c.reta[1] = 2),
        ("the chunk width", |c| c.hash.chunk_bits = 3),
        ("the fields", |c| c.hash.fields.0 = 0b0111),
        ("the fragment mode", |c| c.hash.fragment_addresses = true),
        ("the default processor", |c| c.default_processor = 1),
        ("a flood bit", |c| c.flood_nd = false),
        ("the longest frame", |c| c.max_frame = 1000),
    ];
    assert_eq!(Replay::new("n4w64".parse().unwrap()).run(&frames(), &mut |_| ()).unwrap().mismatches, []);
    for (what, lie) in lies {
        let outcome = lying(lie).run(&frames(), &mut |_| ()).unwrap();
        assert!(!outcome.mismatches.is_empty(), "a lie about {what} went unnoticed");
    }
}

#[test]
fn a_failing_run_leaves_the_waveform_of_its_last_cycles() {
    let folder = tempfile::tempdir().unwrap();
    let [short, whole] = ["short.fst", "whole.fst"].map(|name| folder.path().join(name));
    // The lie shows only at the last of many frames.
    let mut arp = vec![0; 12];
    arp.extend([0x08, 0x06]);
    let late: Vec<_> = [vec![vec![0; 900]; 50], vec![arp]].concat().into_iter().map(|bytes| (bytes, false)).collect();
    let replay = lying(|c| c.flood_arp = false);
    let outcome = replay.run_and_explain(&late, short.clone(), &mut |_| ()).unwrap();
    assert!(!outcome.mismatches.is_empty());
    let replay = Replay { trace: Some(Trace { file: whole.clone(), from: 0 }), ..replay };
    replay.run(&late, &mut |_| ()).unwrap();
    let [short, whole] = [short, whole].map(|file| fs::metadata(file).unwrap().len());
    assert!(short > 10_000 && whole > short * 3 / 2, "waveforms of {short} and {whole} bytes");
}

#[test]
fn a_run_without_failure_leaves_no_waveform() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("none.fst");
    let replay = Replay::new("n4w64".parse::<NicParams>().unwrap());
    replay.run_and_explain(&frames(), file.clone(), &mut |_| ()).unwrap();
    assert!(!file.exists());
}
