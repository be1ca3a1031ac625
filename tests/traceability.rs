//! Every row of the requirements has a test, and what finds the tests finds all of them and no others.

#[path = "../src/requirements/rows.rs"]
mod rows;
#[path = "../src/requirements/sources.rs"]
mod sources;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use rows::{Id, Row, named_by};
use sources::{Test, tests_in};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn kept() -> Vec<Row> {
    rows::rows(include_str!("requirements.md"))
}

fn tests() -> Vec<Test> {
    sources::tests(Path::new(ROOT)).unwrap()
}

fn ids(rows: &[Row]) -> Vec<String> {
    rows.iter().map(|row| row.id.to_string()).collect()
}

/// What is wrong with these rows and tests.
fn faults(rows: &[Row], tests: &[Test]) -> Vec<String> {
    let mut faults = Vec::new();
    for Row { id, outstanding, .. } in rows {
        let has_test = tests.iter().any(|test| test.rows.contains(id));
        match outstanding {
            None if !has_test => faults.push(format!("no test names row {id}")),
            Some(_) if has_test => faults.push(format!("row {id} is outstanding and has a test")),
            _ => {}
        }
    }
    let mut names = BTreeSet::new();
    for Test { file, name, rows: named } in tests {
        if named.is_empty() || !named.iter().all(|id| rows.iter().any(|row| row.id == *id)) {
            faults.push(format!("{file}: {name} names rows that there are not, or not as tests/requirements.md says"));
        }
        if !names.insert(name) {
            faults.push(format!("{file}: another test is called {name}, and results go by name"));
        }
    }
    faults
}

#[test]
fn every_row_has_a_test_or_a_reason() {
    let (rows, tests) = (kept(), tests());
    assert!(rows.len() == 26 && tests.len() > 100, "{} rows, {} tests", rows.len(), tests.len());
    assert_eq!(faults(&rows, &tests), [""; 0]);
}

#[test]
fn the_rows_are_those_of_the_specification() {
    // It lies beside the repository where that is developed, and not elsewhere.
    let Ok(specification) = fs::read_to_string(Path::new(ROOT).join("../shared/spec/requirements.md")) else { return };
    assert_eq!(ids(&kept()), ids(&rows::rows(&specification)));
}

#[test]
fn tables_hold_rows_by_their_number() {
    let document = "# Title\n| id | behaviour |\n|---|---|\n| 66.1 | It does. |\n| 67.12 | It will. | No time. |\n| words | |\n66.2";
    let read = rows::rows(document);
    assert_eq!(ids(&read), ["66.1", "67.12"]);
    assert_eq!((&read[0].behaviour[..], &read[0].outstanding), ("It does.", &None));
    assert_eq!(read[1].outstanding.as_deref(), Some("No time."));
    assert!(kept().iter().all(|row| row.behaviour.ends_with('.')));
}

#[test]
fn a_name_begins_with_its_rows() {
    let named = |name: &str| named_by(name).iter().map(Id::to_string).collect::<Vec<_>>().join(" ");
    assert_eq!(named("row_66_1_it_runs"), "66.1");
    assert_eq!(named("row_69_5_and_69_6_it_copies"), "69.5 69.6");
    assert_eq!(named("row_69_2_to_69_4_and_68_4_it_queues"), "69.2 69.3 69.4 68.4");
    assert_eq!(named("row_66_8_two_in_a_row_and_64_bytes"), "66.8");
    assert_eq!(named("row_68_12"), "68.12");
    for wrong in
        ["rows_66_1_it_runs", "row_66_it_runs", "row_66_1_row_66_2_it_runs", "row_66_3_to_66_1_x", "row_66_1_to_67_2_x"]
    {
        assert_eq!(named(wrong), "", "{wrong}");
    }
}

#[test]
fn only_what_cargo_runs_is_a_test() {
    // Lines of their own here would be found when this file is looked at.
    let runs = "    #[test]\n    #[expect(x)]\n    // why\n    fn row_66_1_a() {\n}\n#[test]\nfn rows_66_2_b() {}\n#[test]\nfn c() {}\n";
    let does_not = "fn row_66_3_d() {}\n#[test]\n#[ignore = \"later\"]\nfn row_66_4_e() {}\n#[test]\nconst X: u8 = 1;\nfn row_66_5_f() {}\n";
    assert_eq!(tests_in(&[runs, does_not].concat()), ["row_66_1_a", "rows_66_2_b"]);
}

#[test]
fn a_row_without_a_test_and_a_test_without_a_row_are_noticed() {
    let (rows, all) = (kept(), tests());
    let id = |text: &str| rows.iter().find(|row| row.id.to_string() == text).unwrap().id;
    let without: Vec<_> = all.iter().filter(|test| !test.rows.contains(&id("68.3"))).cloned().collect();
    assert_eq!(faults(&rows, &without), ["no test names row 68.3"]);
    let mut waiting = rows.clone();
    waiting[3].outstanding = Some("Later.".to_owned());
    assert_eq!(faults(&waiting, &all), ["row 66.4 is outstanding and has a test"]);
    assert_eq!(faults(&rows[1..], &all).len(), all.iter().filter(|test| test.rows.contains(&id("66.1"))).count());
    let twice = [&all[..], &all[..1]].concat();
    assert!(faults(&rows, &twice)[0].contains("results go by name"), "{:?}", faults(&rows, &twice));
}
