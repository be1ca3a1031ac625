//! What the emitted Verilog computes, against rust-hdl's own simulator.

mod tools;

#[path = "emission/blocks.rs"]
mod blocks;
// Generated, and odd on purpose: obvious expressions would leave precedence and folding untested.
#[allow(clippy::all, unused_parens)]
#[path = "emission/cases.rs"]
#[rustfmt::skip]
mod cases;
#[path = "emission/generator.rs"]
mod generator;
#[path = "emission/hierarchy.rs"]
mod hierarchy;
#[path = "emission/mutation.rs"]
mod mutation;
#[path = "emission/subject.rs"]
mod subject;
#[path = "emission/verilator.rs"]
mod verilator;

use hdl::emit::Emitted;
use subject::{Bench, Run, VECTORS};

#[test]
fn the_random_cases_are_what_the_generator_writes() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/emission/cases.rs");
    if std::env::var_os("UPDATE_CASES").is_some() {
        std::fs::write(path, generator::cases()).expect("cases.rs is writable");
    }
    let found = std::fs::read_to_string(path).expect("cases.rs is there");
    assert!(found == generator::cases(), "cases.rs is out of date: run once with UPDATE_CASES=1");
}

#[test]
fn random_expressions_mean_the_same_in_verilator() {
    let mut bench = Bench::new();
    cases::add_all(&mut bench);
    let results = bench.compare();
    assert_eq!(results.len(), generator::BLOCKS);
    let expressions: usize = bench.runs.iter().map(|run| run.outputs[0].len()).sum();
    assert_eq!(expressions, generator::BLOCKS * generator::OUTPUTS);
    assert!(expressions >= 200 && VECTORS >= 4096);
    assert!(results.iter().all(|(_, compared)| *compared == VECTORS));
    assert_eq!(results.iter().map(|(wrong, _)| wrong).sum::<usize>(), 0, "cycles that differ");
}

#[test]
fn every_operator_and_construct_means_the_same_in_verilator() {
    let mut bench = Bench::new();
    blocks::add_all(&mut bench);
    hierarchy::add_all(&mut bench);
    let results = bench.compare();
    assert_eq!(results.len(), 24);
    assert!(results.iter().all(|(_, compared)| *compared == VECTORS));
    assert_eq!(results.iter().map(|(wrong, _)| wrong).sum::<usize>(), 0, "cycles that differ");
}

#[test]
fn the_comparison_finds_every_deliberate_bug() {
    let mut bench = Bench::new();
    bench.lint = false;
    bench.add::<mutation::Mutable>();
    let sound = bench.runs.remove(0);
    for (at, (bug, replacements)) in mutation::MUTATIONS.iter().enumerate() {
        let top = format!("mutant_{at}");
        let mut verilog = sound.emitted.verilog.replace(&sound.emitted.top, &top);
        for (from, to) in *replacements {
            assert_eq!(verilog.matches(from).count(), 1, "`{from}` in\n{verilog}");
            verilog = verilog.replace(from, to);
        }
        let emitted = Emitted { top, verilog, ports: sound.emitted.ports.clone() };
        bench.runs.push(Run { name: bug.to_string(), emitted, ..sound.clone() });
    }
    let results = bench.compare();
    assert_eq!(results.len(), mutation::MUTATIONS.len());
    for ((bug, replacements), (wrong, compared)) in mutation::MUTATIONS.iter().zip(results) {
        assert_eq!(compared, VECTORS);
        assert_eq!(wrong > 0, !replacements.is_empty(), "{bug}: {wrong} cycles differ");
    }
}
