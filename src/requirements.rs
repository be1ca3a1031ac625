//! `pointsman requirements`: what the specification asks for, the tests that show it, and how they ended.

mod results;
mod rows;
mod sources;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use clap::Args;
use serde::Serialize;

use crate::cosim::to_json;
use crate::failure::Failure;
use crate::output;
use results::{Outcome, Results};
use rows::Row;
use sources::Test;

/// The rows, as they are kept in the repository.
const REQUIREMENTS: &str = include_str!("../tests/requirements.md");

/// Options of `pointsman requirements`.
#[derive(Args)]
pub struct Arguments {
    /// Run the tests first, by `cargo test` (minutes); how they ended is kept until the sources change.
    #[arg(long)]
    run: bool,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

/// One row of the table.
#[derive(Serialize)]
struct Line<'a> {
    row: String,
    behaviour: &'a str,
    result: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    outstanding: Option<&'a str>,
    tests: Vec<Shown>,
}

/// A test of a row.
#[derive(Serialize)]
struct Shown {
    test: String,
    result: &'static str,
}

/// Prints the rows.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let root = checkout()?;
    let tests = sources::tests(&root).map_err(|problem| Failure::Unreadable { file: root.clone(), problem })?;
    let results = if arguments.run {
        let results = Results::run(&root)?;
        results.keep(&root)?;
        Some(results)
    } else {
        Results::last(&root)?
    };
    let rows = rows::rows(REQUIREMENTS);
    let lines: Vec<_> = rows.iter().map(|row| line(row, &tests, results.as_ref())).collect();
    let count = |result: Option<Outcome>| tests.iter().filter(|test| outcome(test, results.as_ref()) == result).count();
    let (failed, not_run) = (count(Some(Outcome::Failed)), count(None));
    if arguments.json {
        output::print(&format!("{}\n", to_json(&lines)));
    } else {
        output::print(&table(&lines));
        output::print(&format!("\n{} rows, {} tests: {failed} failed, {not_run} not run", rows.len(), tests.len()));
        output::print(if results.is_some() { "\n" } else { " with these sources; --run runs them\n" });
    }
    let all = tests.len();
    match (failed, not_run) {
        (0, _) if !arguments.run => Ok(()),
        (0, 0) => Ok(()),
        (0, _) => Err(Failure::Check(format!("{not_run} of {all} tests did not run; `cargo test NAME` says why"))),
        _ => Err(Failure::Check(format!("{failed} of {all} tests failed; `cargo test NAME` says how"))),
    }
}

/// The root of the checkout that the command runs in.
fn checkout() -> Result<PathBuf, Failure> {
    let here = env::current_dir().map_err(|problem| Failure::Unreadable { file: ".".into(), problem })?;
    let is_root = |folder: &&Path| {
        let manifest = fs::read_to_string(folder.join("Cargo.toml"));
        manifest.is_ok_and(|text| text.lines().any(|line| line == "name = \"pointsman\""))
    };
    let problem = || io::Error::other("in no checkout of Pointsman, where the tests are; run it in one");
    let root = here.ancestors().find(is_root).map(Path::to_owned);
    root.ok_or_else(|| Failure::Unreadable { file: here.clone(), problem: problem() })
}

fn outcome(test: &Test, results: Option<&Results>) -> Option<Outcome> {
    results?.of(&test.name)
}

fn line<'a>(row: &'a Row, tests: &[Test], results: Option<&Results>) -> Line<'a> {
    let of_row: Vec<_> = tests.iter().filter(|test| test.rows.contains(&row.id)).collect();
    let outcomes: Vec<_> = of_row.iter().map(|test| outcome(test, results)).collect();
    let result = match &row.outstanding {
        _ if outcomes.contains(&Some(Outcome::Failed)) => name(Some(Outcome::Failed)),
        _ if outcomes.contains(&None) => name(None),
        _ if !outcomes.is_empty() => name(Some(Outcome::Ok)),
        Some(_) => "outstanding",
        None => "no test",
    };
    let shown = of_row.iter().zip(outcomes);
    let tests = shown.map(|(test, end)| Shown { test: format!("{}::{}", test.file, test.name), result: name(end) });
    Line {
        row: row.id.to_string(),
        behaviour: &row.behaviour,
        result,
        outstanding: row.outstanding.as_deref(),
        tests: tests.collect(),
    }
}

const fn name(outcome: Option<Outcome>) -> &'static str {
    match outcome {
        Some(Outcome::Ok) => "ok",
        Some(Outcome::Failed) => "FAILED",
        None => "not run",
    }
}

fn table(lines: &[Line]) -> String {
    let mut text = "row   result       what it asks for, and its tests\n".to_owned();
    for line in lines {
        // Writing to a String does not fail.
        let _ = writeln!(text, "{:<6}{:<13}{}", line.row, line.result, line.behaviour);
        for shown in &line.tests {
            let _ = writeln!(text, "      {:<13}{}", shown.result, shown.test);
        }
        if let Some(reason) = line.outstanding {
            let _ = writeln!(text, "{:19}{reason}", "");
        }
    }
    text
}
