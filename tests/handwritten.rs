//! The hand-written classifier of `benches/` is the same block as the emitted one, cycle by cycle; and the harness that says so
//! sees a difference when there is one.

#[expect(dead_code, reason = "only `pointsman bench` races")]
#[path = "../src/bench/handwritten.rs"]
mod handwritten;

use cosim::mutate::{Mutator, seed};
use handwritten::{HAND_WRITTEN, compare, stimulus};

const FRAMES: usize = 25_000;

fn emitted() -> String {
    let preset = "n4w64".parse().expect("a preset");
    hdl::nic::emit_classifier(preset).expect("the classifier is emitted").verilog
}

/// The hand-written text with some places changed.
fn with_bug(changes: &[(&str, &str)]) -> String {
    changes.iter().fold(HAND_WRITTEN.to_owned(), |text, (right, wrong)| {
        assert_eq!(text.matches(right).count(), 1, "`{right}` is to be replaced once");
        text.replace(right, wrong)
    })
}

#[test]
fn hand_written_and_emitted_classifier_agree_in_every_cycle() {
    let seed = seed(0x68).expect("a seed");
    let work = tempfile::tempdir().expect("a folder");
    let frames = stimulus(Mutator::new(seed).take(FRAMES), seed);

    let compared = compare(work.path(), &emitted(), HAND_WRITTEN, &frames).unwrap_or_else(|e| panic!("{e}"));

    assert_eq!(compared.results, FRAMES as u64, "one result for each frame");
    assert!(compared.cycles > 13 * compared.results, "{compared:?}: frames are longer than that");
}

#[test]
fn every_bug_put_into_the_hand_written_classifier_is_found() {
    let work = tempfile::tempdir().expect("a folder");
    let emitted = emitted();
    let frames = stimulus(Mutator::new(0x67).take(2_000), 0x67);
    compare(work.path(), &emitted, HAND_WRITTEN, &frames).unwrap_or_else(|e| panic!("without a bug: {e}"));

    let bugs = [
        ("a wrong constant", with_bug(&[("here + 7'd8", "here + 7'd9")])),
        ("hash bits in reverse", with_bug(&[("data[57 - b]", "data[b]")])),
        ("one cycle early", with_bug(&[("valid_pipe[6:0], headers_tvalid}", "valid_pipe[6:0], valid_2 && conclude}")])),
        (
            "one cycle late",
            with_bug(&[
                ("        reading;", "        reading, late;"),
                ("lookup_tvalid    <= reading", "late <= reading && !reset;\n        lookup_tvalid <= late"),
            ]),
        ),
    ];
    for (name, text) in bugs {
        let found = compare(work.path(), &emitted, &text, &frames).expect_err(name);
        // Not because Verilator or the compiler refused it.
        assert!(found.contains("hand-written: valid"), "{name}: {found}");
    }
}
