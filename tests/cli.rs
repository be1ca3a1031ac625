//! The command line as a user meets it: what it prints, what it refuses, what it leaves behind.

mod command;

use std::fs;
use std::path::Path;
use std::process::Command;

use command::{pointsman, refused, text};
use serde_json::Value;
use tempfile::TempDir;

const CAPTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/mixed.pcapng");

#[test]
fn a_capture_gives_a_table_and_the_same_numbers_as_json() {
    let folder = TempDir::new().unwrap();
    let table = text(&pointsman(folder.path(), &["cosim", "--pcap", CAPTURE]).stdout);
    let json = pointsman(folder.path(), &["cosim", "--pcap", CAPTURE, "--json", "--frames-out", "frames.jsonl"]);
    assert_eq!(json.status.code(), Some(0), "{}", text(&json.stderr));
    let summary: Value = serde_json::from_slice(&json.stdout).unwrap();
    let frames = summary["frames"].as_u64().unwrap();
    assert!(frames > 250 && table.contains(&format!("frames     {frames}:")), "{table}");
    assert_eq!(summary["delivered"], summary["frames"]);
    assert_eq!(summary["identical"], summary["frames"]);
    assert_eq!(summary["processors"].as_array().unwrap().len(), 4);
    assert!(summary["dropped"].as_object().unwrap().values().all(|count| count == 0));
    assert!(summary["cycles"].as_u64().unwrap() > frames);

    let lines = fs::read_to_string(folder.path().join("frames.jsonl")).unwrap();
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len() as u64, frames);
    for (index, line) in lines.iter().enumerate() {
        assert_eq!(line["index"], index);
        let to = line["processors"].as_array().unwrap().len();
        let floods = line["class"] == "arp" || line["class"] == "nd";
        assert_eq!(to, if floods { 4 } else { 1 }, "{line}");
        assert!(line["delivered"].as_bool().unwrap() && line["length"].as_u64().unwrap() > 0 && line["hash"].is_u64());
    }
    for class in ["tcp", "udp", "ip", "frag", "arp", "nd"] {
        assert!(lines.iter().any(|line| line["class"] == class), "the capture has no {class}");
    }
}

#[test]
fn the_same_seed_prints_the_same_json() {
    let folder = TempDir::new().unwrap();
    let run =
        || pointsman(folder.path(), &["cosim", "--pcap", CAPTURE, "--seed", "5", "--rate", "2.5", "--json"]).stdout;
    assert_eq!(run(), run());
}

#[test]
fn a_waveform_is_written_on_request() {
    let folder = TempDir::new().unwrap();
    let output = pointsman(folder.path(), &["cosim", "--pcap", CAPTURE, "--trace", "run.fst"]);
    assert_eq!(output.status.code(), Some(0));
    let files: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|f| f.unwrap().file_name()).collect();
    assert_eq!(files, ["run.fst"]);
    assert!(fs::metadata(folder.path().join("run.fst")).unwrap().len() > 10_000);
}

#[test]
fn bad_captures_are_refused_in_one_line() {
    let folder = TempDir::new().unwrap();
    let good = fs::read(CAPTURE).unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
    write("empty", b"");
    write("text", b"this is no capture, whatever its length may be");
    write("cut", &good[..good.len() - 7]);
    // A pcap header of link type 113 (Linux cooked) and nothing else.
    write(
        "cooked",
        &[&0xa1b2_c3d4_u32.to_le_bytes()[..], &[2, 0, 4, 0], &[0; 8], &[0, 0, 4, 0], &113u32.to_le_bytes()].concat(),
    );
    for (name, hint) in [("empty", "empty"), ("text", "capture"), ("cut", "cut"), ("cooked", "113"), ("none", "none")] {
        refused(folder.path(), &["cosim", "--pcap", name, "--frames-out", "frames.jsonl", "--trace", "t.fst"], hint);
    }
    refused(folder.path(), &["cosim", "--pcap", "."], ".");
    let mut left: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|f| f.unwrap().file_name().into_string().unwrap()).collect();
    left.sort();
    assert_eq!(left, ["cooked", "cut", "empty", "text"]);
}

#[test]
fn bad_options_are_refused_in_one_line() {
    let folder = TempDir::new().unwrap();
    let cosim = |option: &'static str, value: &'static str| vec!["cosim", "--pcap", CAPTURE, option, value];
    refused(folder.path(), &cosim("--preset", "big"), "nXwY");
    refused(folder.path(), &cosim("--preset", "n17w64"), "2 to 16");
    refused(folder.path(), &cosim("--preset", "n3w64"), "choose one of n4w64");
    refused(folder.path(), &cosim("--hash", "crc"), "toeplitz");
    refused(folder.path(), &cosim("--rate", "-1"), "back-to-back");
    refused(folder.path(), &cosim("--rate", "NaN"), "back-to-back");
    refused(folder.path(), &cosim("--seed", "x"), "--seed");
    refused(folder.path(), &cosim("--sead", "1"), "--sead");
    refused(folder.path(), &["cosim"], "--pcap");
    refused(folder.path(), &["dance"], "dance");
    refused(folder.path(), &cosim("--frames-out", "no/such/folder/f"), "cannot be written");
    refused(folder.path(), &cosim("--trace", "no/such/folder/f"), "cannot be written");
    refused(folder.path(), &cosim("--trace", "."), "cannot be written");
    refused(folder.path(), &["emit", "--preset", "n4w65", "-o", "out"], "64, 128, 256 or 512");
    fs::write(folder.path().join("file"), "").unwrap();
    refused(folder.path(), &["emit", "-o", "file/out"], "cannot be written");
    assert!(!folder.path().join("out").exists());
}

#[test]
fn vectors_pass_and_bad_vector_files_are_refused() {
    let folder = TempDir::new().unwrap();
    let output = pointsman(folder.path(), &["hash", "verify"]);
    assert_eq!(output.status.code(), Some(0));
    let last = text(&output.stdout);
    let last = last.lines().last().unwrap();
    assert!(last.ends_with("passed, 0 failed"), "{last}");

    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("broken.json", "{ \"vectors\": [ }");
    write("empty.json", "");
    write("none.json", "{ \"vectors\": [] }");
    for (name, hint) in [
        ("broken.json", "broken.json:1:"),
        ("empty.json", "empty.json:"),
        ("none.json", "empty"),
        ("no.json", "no.json"),
    ] {
        refused(folder.path(), &["hash", "verify", "--vectors", name], hint);
    }
}

#[test]
fn a_wrong_vector_is_a_failed_check() {
    let folder = TempDir::new().unwrap();
    let shipped = include_str!("vectors/rss-microsoft.json");
    assert!(shipped.contains("51ccc178"));
    fs::write(folder.path().join("wrong.json"), shipped.replace("51ccc178", "51ccc179")).unwrap();
    let output = pointsman(folder.path(), &["hash", "verify", "--vectors", "wrong.json"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("FAIL"));
    assert!(text(&output.stderr).contains("1 of 16 vectors failed"), "{}", text(&output.stderr));
}

#[test]
fn one_hash_is_computed_by_model_and_card() {
    let folder = TempDir::new().unwrap();
    // Row 1 of Microsoft's suite.
    let tuple = ["--src", "66.9.149.187", "--dst", "161.142.100.80", "--sport", "2794", "--dport", "1766"];
    let arguments =
        [&["hash", "compute"], &tuple[..], &["--function", "toeplitz", "--processors", "16", "--json"]].concat();
    let answer: Value = serde_json::from_slice(&pointsman(folder.path(), &arguments).stdout).unwrap();
    assert_eq!(
        (&answer["agree"], &answer["model"]["hash"], &answer["card"]["hash"]),
        (&true.into(), &"0x51ccc178".into(), &"0x51ccc178".into())
    );
    // 0xABCD over three processors: two bits at a time 01 11 ... the model and the card agree, and the class is frag.
    let arguments = [
        "hash",
        "compute",
        "--src",
        "2001:db8::1",
        "--dst",
        "2001:db8::2",
        "--frag-id",
        "0xabcd1234",
        "--processors",
        "3",
        "--json",
    ];
    let answer: Value = serde_json::from_slice(&pointsman(folder.path(), &arguments).stdout).unwrap();
    assert_eq!((&answer["agree"], &answer["card"]["class"]), (&true.into(), &"frag".into()));

    let compute =
        |more: &[&'static str]| [&["hash", "compute", "--src", "192.0.2.1", "--dst", "192.0.2.2"], more].concat();
    refused(folder.path(), &["hash", "compute", "--src", "here", "--dst", "192.0.2.2"], "no IP address");
    refused(folder.path(), &["hash", "compute", "--src", "192.0.2.1", "--dst", "2001:db8::2"], "different families");
    refused(folder.path(), &compute(&["--processors", "1"]), "2 to 16");
    refused(folder.path(), &compute(&["--key", "6d5a"]), "40");
    refused(folder.path(), &compute(&["--proto", "icmp"]), "tcp, udp");
    refused(folder.path(), &compute(&["--frag-id", "0x123456789"]), "32 bits");
    refused(folder.path(), &compute(&["--function", "md5"]), "toeplitz");
}

#[test]
fn emit_writes_verilog_file_list_and_the_register_map_in_three_languages() {
    let folder = TempDir::new().unwrap();
    let output = pointsman(folder.path(), &["emit", "--preset", "n3w128", "-o", "out/here"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let read = |name: &str| fs::read_to_string(folder.path().join("out/here").join(name)).unwrap();
    assert!(read("nic.v").contains("module nic (") && read("nic.v").contains("[127:0] rx_tdata"));
    assert!(read("nic.f").lines().any(|line| line == "nic.v"));
    assert!(read("registers.md").contains("| 0x10020 | `HASH_CONTROL` | 31:0 | RW | reads |"));
    assert!(read("pointsman_registers.h").contains("#define POINTSMAN_HOST_RETA(i) (0x10200u + 4u * (i))"));
    assert!(read("pointsman.svd").contains("<name>HASH_CONTROL</name>"));
    assert_eq!(fs::read_dir(folder.path().join("out/here")).unwrap().count(), 5);
}

/// A checkout with two tests of row 66.4, of which one fails if it is to.
fn small_checkout(fails: bool) -> TempDir {
    let folder = TempDir::new().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    for name in ["src", "tests"] {
        fs::create_dir(folder.path().join(name)).unwrap();
    }
    write("Cargo.toml", "[package]\nname = \"pointsman\"\nedition = \"2024\"\n\n[workspace]\n");
    let test = |name: &str, body: &str| format!("#[test]\nfn {name}() {{ {body} }}\n");
    write("src/lib.rs", &test("row_66_4_it_goes_first", "println!(\"test row_66_4_it_fails ... ok\")"));
    write("tests/other.rs", &test("row_66_4_it_fails", &format!("assert!(!{fails})")));
    folder
}

/// `pointsman requirements` in a folder, with a build folder of its own.
fn requirements(folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pointsman"));
    command.arg("requirements").args(arguments).current_dir(folder).env("CARGO_TARGET_DIR", "target");
    let output = command.output().unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn requirements_lists_every_row_with_its_tests_and_says_that_they_did_not_run() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = TempDir::new().unwrap();
    for name in ["Cargo.toml", "tests", "hdl", "cosim", "soft-cores"] {
        std::os::unix::fs::symlink(root.join(name), folder.path().join(name)).unwrap();
    }
    // From below the root, too.
    fs::create_dir(folder.path().join("below")).unwrap();
    let (code, table, errors) = requirements(&folder.path().join("below"), &[]);
    assert_eq!((code, &errors[..]), (Some(0), ""));
    let rows: Vec<_> = table.lines().filter(|line| line.starts_with("6")).collect();
    assert_eq!(rows.len(), 26, "{table}");
    assert!(rows.iter().all(|line| line.contains(" not run ") || line.contains(" outstanding ")), "{table}");
    assert!(table.contains("      not run      tests/messages.rs::row_68_4_there_is_a_queue_"), "{table}");
    let (code, json, _) = requirements(folder.path(), &["--json"]);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((code, json.as_array().unwrap().len()), (Some(0), 26));
    assert_eq!((&json[0]["row"], &json[0]["result"]), (&"66.1".into(), &"not run".into()));
    let shown: usize = json.as_array().unwrap().iter().map(|row| row["tests"].as_array().unwrap().len()).sum();
    assert_eq!(shown, table.matches(".rs::").count());
}

#[test]
fn requirements_prints_what_it_has_seen_and_no_more() {
    let folder = small_checkout(true);
    let (code, table, errors) = requirements(folder.path(), &["--run"]);
    assert_eq!(code, Some(1), "{errors}");
    assert_eq!(errors, "pointsman: 1 of 2 tests failed; `cargo test NAME` says how\n");
    for line in [
        "66.4  FAILED       Two execution levels",
        "      ok           src/lib.rs::row_66_4_it_goes_first\n",
        "      FAILED       tests/other.rs::row_66_4_it_fails\n",
        "66.5  no test      High priority",
    ] {
        assert!(table.contains(line), "{table}");
    }
    // What was seen is kept, until it is of something else.
    assert_eq!(requirements(folder.path(), &[]), (code, table, errors));
    let other = folder.path().join("tests/other.rs");
    fs::write(&other, fs::read_to_string(&other).unwrap().replace("!true", "true")).unwrap();
    let (code, table, _) = requirements(folder.path(), &[]);
    assert_eq!((code, table.matches(" ok ").count()), (Some(0), 0), "{table}");
    assert!(table.ends_with("2 tests: 0 failed, 2 not run with these sources; --run runs them\n"), "{table}");
    let (code, table, errors) = requirements(folder.path(), &["--run"]);
    assert_eq!((code, &errors[..], table.matches(" ok ").count()), (Some(0), "", 3), "{table}");
}

#[test]
fn requirements_refuses_what_it_cannot_look_at() {
    let folder = TempDir::new().unwrap();
    refused(folder.path(), &["requirements"], "checkout");
    refused(folder.path(), &["requirements", "--rum"], "--rum");
    let folder = small_checkout(false);
    fs::write(folder.path().join("tests/other.rs"), "#[test]\nfn row_66_4_it_exits() { std::process::exit(0) }\n")
        .unwrap();
    let (code, table, errors) = requirements(folder.path(), &["--run"]);
    assert_eq!((code, table.matches("not run ").count()), (Some(1), 2), "{table}");
    assert!(errors.contains("1 of 2 tests did not run"), "{errors}");
    fs::write(folder.path().join("tests/other.rs"), "fn no").unwrap();
    let (code, table, errors) = requirements(folder.path(), &["--run"]);
    assert_eq!((code, &table[..]), (Some(2), ""));
    assert!(errors.ends_with("pointsman: the tests cannot be built; `cargo test --workspace --no-run` says why\n"));
}

#[test]
fn completions_and_manual_page_are_printed() {
    let folder = TempDir::new().unwrap();
    for (arguments, hint) in [(&["completions", "bash"][..], "_pointsman"), (&["man"], ".TH pointsman")] {
        let output = pointsman(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(0));
        assert!(text(&output.stdout).contains(hint));
    }
}

#[test]
fn every_command_of_the_readme_runs() {
    let folder = TempDir::new().unwrap();
    for name in ["Cargo.toml", "tests"] {
        std::os::unix::fs::symlink(Path::new(env!("CARGO_MANIFEST_DIR")).join(name), folder.path().join(name)).unwrap();
    }
    let readme = include_str!("../README.md");
    // The bench takes half a minute; what it checks, tests/handwritten.rs and tests/sustained.rs check.
    let commands = readme.lines().filter_map(|line| line.strip_prefix("pointsman ")).filter(|c| *c != "bench");
    let mut run = 0;
    for command in commands {
        let arguments: Vec<_> = command.split_whitespace().collect();
        let output = pointsman(folder.path(), &arguments);
        assert_eq!(output.status.code(), Some(0), "{command}: {}", text(&output.stderr));
        run += 1;
    }
    assert_eq!(run, 13);
}
