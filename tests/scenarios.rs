//! `pointsman cosim --scenario` as a user meets it: what it tells, what it checks, what it leaves behind.

mod command;

use std::fs;
use std::path::Path;

use command::{pointsman, text};
use cosim::capture::{Capture, Frame};
use cosim::scenario;
use serde_json::Value;
use tempfile::TempDir;

const CAPTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/mixed.pcapng");

fn played(folder: &Path, arguments: &[&str]) -> String {
    let output = pointsman(folder, &[&["cosim", "--scenario"], arguments].concat());
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

fn summary(folder: &Path, arguments: &[&str]) -> Value {
    serde_json::from_str(&played(folder, &[arguments, &["--json"]].concat())).unwrap()
}

/// A column of the table with this title in a recording, as numbers.
fn column(recording: &Value, title: &str, name: &str) -> Vec<u64> {
    let table = recording["tables"].as_array().unwrap().iter().find(|table| table["title"] == title).unwrap();
    let place = table["columns"].as_array().unwrap().iter().position(|column| column == name).unwrap();
    table["rows"].as_array().unwrap().iter().map(|row| row[place].as_str().unwrap().parse().unwrap()).collect()
}

fn counter(recording: &Value, name: &str) -> u64 {
    let counters = recording["counters"].as_array().unwrap();
    counters.iter().find(|counter| counter[0] == name).unwrap()[1].as_u64().unwrap()
}

/// Whether a frame is a fragment of IPv4 (RFC 791): MF or an offset.
fn is_fragment(frame: &Frame) -> bool {
    frame.bytes[12..14] == [8, 0] && u16::from_be_bytes([frame.bytes[20], frame.bytes[21]]) & 0x3fff != 0
}

#[test]
fn scenarios_are_listed_with_a_sentence_each() {
    let folder = TempDir::new().unwrap();
    let list = text(&pointsman(folder.path(), &["cosim", "--list"]).stdout);
    let names: Vec<_> = list.lines().map(|line| line.split_whitespace().next().unwrap()).collect();
    assert_eq!(names, scenario::ALL.iter().map(|scenario| scenario.name).collect::<Vec<_>>());
    assert!(names.contains(&"fragments") && names.contains(&"igmp") && names.contains(&"interrupt-versus-polling"));
    let json: Value = serde_json::from_slice(&pointsman(folder.path(), &["cosim", "--list", "--json"]).stdout).unwrap();
    assert_eq!(json.as_array().unwrap().len(), names.len());
    assert!(json.as_array().unwrap().iter().all(|entry| list.contains(entry["about"].as_str().unwrap())));
}

#[test]
fn row_68_2_fragments_meet_at_one_processor_and_the_run_leaves_a_page_and_a_capture() {
    let folder = TempDir::new().unwrap();
    let run = |seed: &str, name: &str| {
        let (page, capture) = (format!("{name}.html"), format!("{name}.pcapng"));
        let more = ["--report", &page, "--pcap-out", &capture];
        let summary = summary(folder.path(), &[&["fragments", "--seed", seed], &more[..]].concat());
        (summary, fs::read(folder.path().join(page)).unwrap(), fs::read(folder.path().join(capture)).unwrap())
    };
    let (first, again, other) = (run("3", "first"), run("3", "again"), run("4", "other"));
    assert!(first == again, "the seed decides everything");
    assert!(first.0["story"] != other.0["story"] && first.1 != other.1 && first.2 != other.2);
    let mut left: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|f| f.unwrap().file_name().into_string().unwrap()).collect();
    left.sort();
    assert_eq!(left, ["again.html", "again.pcapng", "first.html", "first.pcapng", "other.html", "other.pcapng"]);

    let (summary, page) = (&first.0, text(&first.1));
    let recording = &summary["recordings"][0];
    assert_eq!(
        (&summary["failure"], &summary["seed"], &summary["mode"]),
        (&Value::Null, &3.into(), &"interrupt".into())
    );
    // What the model hashes to a processor, and what goes to all of them, is what it took.
    let hashed = column(recording, "Processors", "hashed here");
    let flooded = counter(recording, "frames flooded to all processors");
    let taken: Vec<u64> = hashed.iter().map(|frames| frames + flooded).collect();
    assert_eq!(column(recording, "Processors", "frames taken"), taken);
    assert_eq!(counter(recording, "card: frames arrived"), hashed.iter().sum::<u64>() + flooded);
    assert_eq!(counter(recording, "card: frames delivered"), counter(recording, "link to the card: frames delivered"));
    // Samples: time goes on, and every processor worked for some of it.
    let samples = recording["samples"].as_array().unwrap();
    assert!(
        samples.len() > 100 && samples.windows(2).all(|pair| pair[0]["cycle"].as_u64() < pair[1]["cycle"].as_u64())
    );
    let ends = |k: usize| {
        (samples[0]["processors"][k]["busy"].as_u64(), samples[samples.len() - 1]["processors"][k]["busy"].as_u64())
    };
    assert!((0..4).all(|k| ends(k).0 < ends(k).1));
    assert!(samples.iter().any(|sample| (0..4).any(|k| sample["processors"][k]["receive"].as_u64() > Some(0))));

    for expected in
        ["<svg", "Load:", "Receive queues", "Latency,", "Datagrams", "Counters", "What was checked", "65515"]
    {
        assert!(page.contains(expected), "{expected}");
    }
    assert!(!page.contains("<script") && !page.contains("src=") && !page.contains("href="));

    let capture = folder.path().join("first.pcapng");
    let frames: Vec<Frame> = Capture::open(&capture).unwrap().map(Result::unwrap).collect();
    let sent: u64 = column(recording, "Processors", "frames sent").iter().sum();
    assert_eq!(frames.len() as u64, counter(recording, "card: frames arrived") + sent);
    let told = column(recording, "Datagrams", "fragments").iter().sum::<u64>();
    let from_station = |frame: &&Frame| is_fragment(frame) && frame.bytes[6..12] == [2, 0, 0, 2, 0, 0];
    assert_eq!(frames.iter().filter(from_station).count() as u64, told);
    // A cycle is 8 ns.
    assert!(frames.iter().all(|frame| frame.timestamp % 8 == 0 && frame.timestamp > 0));
    // What came to the card, and what left it, may come to a card again.
    let replayed = pointsman(folder.path(), &["cosim", "--pcap", "first.pcapng", "--json"]);
    let replayed: Value = serde_json::from_slice(&replayed.stdout).unwrap();
    assert_eq!(replayed["frames"], frames.len());
}

#[test]
fn row_66_8_kernels_that_poll_put_the_same_fragments_together() {
    let folder = TempDir::new().unwrap();
    let interrupt = summary(folder.path(), &["fragments"]);
    for mode in ["polling", "adaptive"] {
        let other = summary(folder.path(), &["fragments", "--mode", mode]);
        assert_eq!((&other["mode"], &other["held"]), (&mode.into(), &interrupt["held"]));
        let (one, two) = (&interrupt["recordings"][0], &other["recordings"][0]);
        for name in ["hashed here", "frames taken"] {
            assert_eq!(column(one, "Processors", name), column(two, "Processors", name), "{mode}");
        }
        let interrupts = |it: &Value| column(it, "Processors", "interrupts").iter().sum::<u64>();
        assert!(mode != "polling" || interrupts(two) != interrupts(one));
    }
}

#[test]
fn row_67_3_any_processor_handles_igmp_and_the_link_hears_of_a_group_once() {
    let folder = TempDir::new().unwrap();
    let igmp = summary(folder.path(), &["igmp"]);
    let recording = &igmp["recordings"][0];
    assert_eq!(column(recording, "Queries", "hashed to"), [0, 1, 2, 3]);
    assert_eq!(column(recording, "Queries", "reports"), [1, 1, 1, 1]);
}

#[test]
fn row_66_7_work_at_interrupt_level_switches_no_context() {
    let folder = TempDir::new().unwrap();
    let told = played(folder.path(), &["interrupt-versus-polling", "--report", "report.html"]);
    assert!(told.starts_with("interrupt-versus-polling on n4w64, seed 1\n") && told.contains("cycles/s"), "{told}");
    assert_eq!(told.lines().filter(|line| line.contains(" context switches, load ")).count(), 6);
    let page = fs::read_to_string(folder.path().join("report.html")).unwrap();
    assert!(page.contains("<h3>Compared</h3>") && page.matches("<section>").count() == 6);
}

/// As `command::refused`, of `pointsman cosim`.
fn refused(folder: &Path, arguments: &[&str], hint: &str) {
    command::refused(folder, &[&["cosim"], arguments].concat(), hint);
}

#[test]
fn what_makes_no_sense_together_is_refused_in_one_line() {
    let folder = TempDir::new().unwrap();
    refused(folder.path(), &["--scenario", "dance"], "fragments, igmp, interrupt-versus-polling");
    refused(folder.path(), &["--scenario", "igmp", "--mode", "fast"], "polling");
    refused(folder.path(), &["--scenario", "interrupt-versus-polling", "--mode", "polling"], "leave --mode out");
    refused(folder.path(), &["--scenario", "igmp", "--preset", "n3w64"], "choose one of n4w64");
    refused(folder.path(), &["--scenario", "igmp", "--pcap", CAPTURE], "cannot be used with");
    refused(folder.path(), &["--scenario", "igmp", "--list"], "cannot be used with");
    for option in [&["--hash", "toeplitz"][..], &["--rate", "1"], &["--tx"], &["--trace", "t"], &["--frames-out", "f"]]
    {
        refused(folder.path(), &[&["--scenario", "igmp"], option].concat(), option[0]);
    }
    for option in [&["--report", "r.html"][..], &["--pcap-out", "p"], &["--mode", "polling"]] {
        refused(folder.path(), &[&["--pcap", CAPTURE], option].concat(), option[0]);
        refused(folder.path(), &[&["--list"], option].concat(), option[0]);
    }
    refused(folder.path(), &["--scenario", "igmp", "--report", "no/such/folder/r.html"], "cannot be written");
    refused(folder.path(), &["--scenario", "igmp", "--pcap-out", "."], "cannot be written");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}
