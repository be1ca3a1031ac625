//! `pointsman cosim --scenario`: plays a scenario, tells what happened, and writes its page and its capture.

use std::cell::RefCell;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::str::FromStr;
use std::time::{Duration, Instant};

use ::cosim::CLOCK_HZ;
use ::cosim::capture::writer::CaptureWriter;
use ::cosim::report::{self, Head};
use ::cosim::scenario::{self, Mode, Outcome, Scenario, SharedCapture, Stage};
use clap::Args;
use serde::Serialize;

use super::{Arguments, built_in, to_json};
use crate::failure::Failure;
use crate::output::{self, NewFile, NewForeignFile};

/// What is no scenario.
const WITHOUT_SCENARIO: [&str; 2] = ["pcap", "list"];

/// Options that only scenarios have.
#[derive(Args)]
pub struct Options {
    /// With --scenario: how kernels learn of their work: interrupt (default), polling or adaptive.
    #[arg(long, value_name = "MODE", requires = "scenario", conflicts_with_all = WITHOUT_SCENARIO)]
    mode: Option<String>,
    /// With --scenario: write a page with charts of the run (HTML, self-contained).
    #[arg(long, value_name = "FILE", requires = "scenario", conflicts_with_all = WITHOUT_SCENARIO)]
    report: Option<PathBuf>,
    /// With --scenario: write what passes at the card's MAC (pcapng, nanoseconds).
    #[arg(long, value_name = "FILE", requires = "scenario", conflicts_with_all = WITHOUT_SCENARIO)]
    pcap_out: Option<PathBuf>,
}

/// `--list --json`.
#[derive(Serialize)]
struct Listed {
    name: &'static str,
    about: &'static str,
    takes_mode: bool,
}

/// Prints the scenarios.
pub fn list(json: bool) {
    if json {
        let listed = |&Scenario { name, about, takes_mode, .. }: &Scenario| Listed { name, about, takes_mode };
        let all: Vec<_> = scenario::ALL.iter().map(listed).collect();
        return output::print(&format!("{}\n", to_json(&all)));
    }
    let width = scenario::ALL.iter().map(|scenario| scenario.name.len()).max().unwrap_or(0);
    for Scenario { name, about, .. } in scenario::ALL {
        output::print(&format!("{name:<width$}  {about}\n"));
    }
}

/// `--json`.
#[derive(Serialize)]
struct Summary<'a> {
    scenario: &'a str,
    preset: &'a str,
    seed: u64,
    mode: Option<String>,
    #[serde(flatten)]
    outcome: &'a Outcome,
}

fn named(name: &str) -> Result<&'static Scenario, Failure> {
    scenario::named(name).ok_or_else(|| {
        let known: Vec<_> = scenario::ALL.iter().map(|scenario| scenario.name).collect();
        let problem = format!("there is no such scenario; choose one of {}", known.join(", "));
        Failure::Option { option: "--scenario", value: name.to_string(), problem }
    })
}

fn mode(scenario: &Scenario, asked: Option<&str>) -> Result<Mode, Failure> {
    let wrong = |value: &str, problem: String| Failure::Option { option: "--mode", value: value.to_string(), problem };
    match asked {
        None => Ok(Mode::default()),
        Some(asked) if !scenario.takes_mode => {
            Err(wrong(asked, format!("{} compares the modes itself; leave --mode out", scenario.name)))
        }
        Some(asked) => Mode::from_str(asked).map_err(|problem| wrong(asked, problem.to_string())),
    }
}

/// Plays the scenario.
pub fn run(name: &str, arguments: &Arguments) -> Result<(), Failure> {
    let Options { mode: asked, report, pcap_out } = &arguments.play;
    let scenario = named(name)?;
    let mode = mode(scenario, asked.as_deref())?;
    let options = scenario::Options { params: built_in(&arguments.preset)?, seed: arguments.seed, mode };

    // Whatever cannot be written is known before the work starts.
    let report = report.as_deref().map(NewFile::create).transpose()?;
    let capture_file = pcap_out.as_deref().map(NewForeignFile::create).transpose()?;
    let capture = match (&capture_file, pcap_out) {
        (Some(file), Some(named)) => Some(capture_to(file, named)?),
        _ => None,
    };

    let json = arguments.json;
    if !json {
        let mode = if scenario.takes_mode { format!(", {mode}") } else { String::new() };
        output::print(&format!("{} on {}, seed {}{mode}\n\n", scenario.name, options.params, options.seed));
    }
    let start = Instant::now();
    let teller = |line: &str| {
        if !json {
            output::print(&format!("{line}\n"));
        }
    };
    let mut stage = Stage::new(options, teller, capture.clone());
    let result = (scenario.run)(&mut stage);
    let outcome = stage.finish(&result);
    let elapsed = start.elapsed();

    if let Some(report) = report {
        report.finish(&report::page(Head { name: scenario.name, about: scenario.about }, &outcome)?)?;
    }
    if let (Some(file), Some(capture), Some(path)) = (capture_file, capture, pcap_out) {
        capture.borrow_mut().flush().map_err(|problem| Failure::Unwritable { file: path.clone(), problem })?;
        file.finish()?;
    }
    if json {
        let mode = scenario.takes_mode.then(|| mode.to_string());
        let summary =
            Summary { scenario: scenario.name, preset: &arguments.preset, seed: options.seed, mode, outcome: &outcome };
        output::print(&format!("{}\n", to_json(&summary)));
    } else if result.is_ok() {
        output::print(&closing(&outcome, elapsed));
    }
    result.map_err(|problem| Failure::Scenario { name: scenario.name, problem })
}

fn capture_to(file: &NewForeignFile, named: &Path) -> Result<SharedCapture, Failure> {
    let unwritable = |problem| Failure::Unwritable { file: named.to_path_buf(), problem };
    let writer: Box<dyn Write> = Box::new(BufWriter::new(File::create(file.path()).map_err(unwritable)?));
    Ok(Rc::new(RefCell::new(CaptureWriter::new(writer).map_err(unwritable)?)))
}

fn closing(outcome: &Outcome, elapsed: Duration) -> String {
    let simulated = outcome.cycles as f64 / CLOCK_HZ as f64;
    let rate = outcome.cycles as f64 / elapsed.as_secs_f64().max(1e-9);
    format!(
        "\nchecks     {} hold\ncycles     {}, {:.3} ms at {} MHz; {:.1} Mb/s on the link, both ways\nspeed      {rate:.0} cycles/s\n",
        outcome.held.len(),
        outcome.cycles,
        1e3 * simulated,
        CLOCK_HZ / 1_000_000,
        8e-6 * outcome.bytes as f64 / simulated.max(1e-9),
    )
}
