//! `pointsman cosim`: a capture through the verilated card, or a scenario on the whole system.

mod play;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::{Duration, Instant};

use ::cosim::capture::Capture;
use ::cosim::card::CardError;
use ::cosim::reference::{Class, HashFunction};
use ::cosim::replay::{FrameOutcome, Latency, Load, Outcome, Replay, Trace};
use ::cosim::source::Pace;
use abi::params::NicParams;
use clap::{ArgGroup, Args};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use crate::failure::Failure;
use crate::output::{self, NewFile, NewForeignFile};

/// Mismatches that are printed; the rest is counted.
const SHOWN_MISMATCHES: usize = 10;

/// Options of `pointsman cosim`.
#[derive(Args)]
#[command(group = ArgGroup::new("what").required(true).args(["pcap", "scenario", "list"]))]
pub struct Arguments {
    /// Capture to run (pcap or pcapng, Ethernet).
    #[arg(long, value_name = "FILE")]
    pcap: Option<PathBuf>,
    /// Scenario to play on the whole system.
    #[arg(long, value_name = "NAME")]
    scenario: Option<String>,
    /// Print the scenarios there are.
    #[arg(long)]
    list: bool,
    /// One of the built-in cards: n4w64, n2w64, n8w64, n16w64, n4w128, n4w256, n16w512.
    #[arg(long, default_value = NicParams::PRESETS[0])]
    preset: String,
    /// With --pcap: hash function, xor or toeplitz.
    #[arg(long, default_value = "xor", conflicts_with_all = WITHOUT_CAPTURE)]
    hash: String,
    /// With --pcap: rate of the link in Gb/s, or back-to-back.
    #[arg(
        long,
        default_value = "back-to-back",
        value_name = "GBPS",
        allow_hyphen_values = true,
        conflicts_with_all = WITHOUT_CAPTURE
    )]
    rate: String,
    /// Seed of the run.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// With --pcap: write a waveform of the whole run (FST).
    #[arg(long, value_name = "FILE", conflicts_with_all = WITHOUT_CAPTURE)]
    trace: Option<PathBuf>,
    /// With --pcap: processors send every frame back out, which is compared too.
    #[arg(long, conflicts_with_all = WITHOUT_CAPTURE)]
    tx: bool,
    /// Print one JSON object instead of a table or a story.
    #[arg(long)]
    json: bool,
    /// With --pcap: write one line of JSON for each frame.
    #[arg(long, value_name = "FILE", conflicts_with_all = WITHOUT_CAPTURE)]
    frames_out: Option<PathBuf>,
    #[command(flatten)]
    play: play::Options,
}

/// What has no capture to run.
const WITHOUT_CAPTURE: [&str; 2] = ["scenario", "list"];

/// A preset's name as a card that is built in.
pub fn built_in(name: &str) -> Result<NicParams, Failure> {
    let params = name.parse::<NicParams>().map_err(|e| Failure::preset(name, e))?;
    if NicParams::PRESETS.contains(&name) {
        return Ok(params);
    }
    let problem = format!("not built into cosimulation; choose one of {}", NicParams::PRESETS.join(", "));
    Err(Failure::Option { option: "--preset", value: name.to_string(), problem })
}

fn pace(rate: &str) -> Result<Pace, Failure> {
    if rate == "back-to-back" {
        return Ok(Pace::BackToBack);
    }
    match rate.parse::<f64>() {
        Ok(gbps) if (0.001..=1000.0).contains(&gbps) => Ok(Pace::Gbps(gbps)),
        _ => Err(Failure::Option {
            option: "--rate",
            value: rate.to_string(),
            problem: "give Gb/s from 0.001 to 1000, or back-to-back".to_string(),
        }),
    }
}

/// Does what is asked for.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    match (&arguments.scenario, &arguments.pcap) {
        (Some(name), _) => play::run(name, arguments),
        (None, Some(capture)) => replay(capture, arguments),
        (None, None) => {
            play::list(arguments.json);
            Ok(())
        }
    }
}

/// Runs the capture.
fn replay(capture: &Path, arguments: &Arguments) -> Result<(), Failure> {
    let params = built_in(&arguments.preset)?;
    let function = HashFunction::from_str(&arguments.hash).map_err(|e| Failure::Option {
        option: "--hash",
        value: arguments.hash.clone(),
        problem: e.to_string(),
    })?;
    let mut replay = Replay::new(params);
    replay.config.hash.function = function;
    replay.around.pace = pace(&arguments.rate)?;
    replay.around.seed = arguments.seed;
    if arguments.tx {
        // A buffer is away until its frame has left.
        replay.around.echo = true;
        replay.around.buffers = 250;
    }
    let frames = Capture::open(capture)?.map(|frame| frame.map(|f| (f.bytes, false))).collect::<Result<Vec<_>, _>>()?;

    // Whatever cannot be written is known before the work starts.
    let frames_out = arguments.frames_out.as_deref().map(NewFile::create).transpose()?;
    let trace = arguments.trace.as_deref().map(NewForeignFile::create).transpose()?;
    if let Some(trace) = &trace {
        replay.trace = Some(Trace { file: trace.path(), from: 0 });
    }

    let bar = output::progress(frames.len() as u64, "frames");
    let start = Instant::now();
    let explanation = PathBuf::from(format!("pointsman-failure-{params}-seed{}.fst", arguments.seed));
    let outcome = replay.run_and_explain(&frames, explanation.clone(), &mut |done| bar.set_position(done));
    let elapsed = start.elapsed();
    bar.finish_and_clear();
    if let Some(trace) = trace {
        trace.finish()?;
    }
    let explained = |failed: bool| if failed && arguments.trace.is_none() { Some(explanation.as_path()) } else { None };
    let outcome = outcome.map_err(|error| failed(error, explained(true)))?;

    if let Some(file) = frames_out {
        file.finish(&lines(&outcome.frames))?;
    }
    if arguments.json {
        output::print(&format!("{}\n", to_json(&Summary::new(capture, arguments, &outcome))));
    } else {
        output::print(&table(capture, arguments, &outcome, elapsed));
    }
    verdict(&outcome, explained(!outcome.mismatches.is_empty()))
}

/// A card's failure, with the waveform's name if there is one.
fn failed(error: CardError, waveform: Option<&Path>) -> Failure {
    match (&error, waveform) {
        (error, Some(file)) if error.cycle().is_some() && file.exists() => {
            Failure::Check(format!("the card failed: {error}; the last cycles are in {}", file.display()))
        }
        _ => error.into(),
    }
}

fn verdict(outcome: &Outcome, waveform: Option<&Path>) -> Result<(), Failure> {
    if outcome.mismatches.is_empty() {
        return Ok(());
    }
    for mismatch in outcome.mismatches.iter().take(SHOWN_MISMATCHES) {
        eprintln!("cycle {}: {}", mismatch.cycle, mismatch.what);
    }
    let count = outcome.mismatches.len();
    let waveform =
        waveform.map_or(String::new(), |file| format!("; the cycles before the first are in {}", file.display()));
    Err(Failure::Check(format!("{count} differences between the card and the model{waveform}")))
}

/// Pretty or not, serialising our own types cannot fail.
pub fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("plain numbers and names")
}

fn lines(frames: &[FrameOutcome]) -> String {
    frames.iter().map(|frame| to_json(frame) + "\n").collect()
}

/// `--json`.
#[derive(Serialize)]
struct Summary<'a> {
    capture: String,
    preset: &'a str,
    hash: &'a str,
    rate: &'a str,
    seed: u64,
    frames: u64,
    bytes: u64,
    delivered: u64,
    identical: u64,
    dropped: Dropped<'a>,
    sent_back: Option<u64>,
    cycles: u64,
    gbps: f64,
    latency: Latency,
    processors: &'a [Load],
    classes: Classes,
    differences: Vec<&'a str>,
}

impl<'a> Summary<'a> {
    fn new(capture: &Path, arguments: &'a Arguments, outcome: &'a Outcome) -> Self {
        Self {
            capture: capture.display().to_string(),
            preset: &arguments.preset,
            hash: &arguments.hash,
            rate: &arguments.rate,
            seed: arguments.seed,
            frames: outcome.frames.len() as u64,
            bytes: outcome.bytes,
            delivered: outcome.delivered,
            identical: outcome.identical,
            dropped: Dropped(outcome),
            sent_back: outcome.sent_back,
            cycles: outcome.cycles,
            gbps: outcome.gbps(),
            latency: outcome.latency,
            processors: &outcome.processors,
            classes: Classes::of(&outcome.frames),
            differences: outcome.mismatches.iter().map(|m| m.what.as_str()).collect(),
        }
    }
}

/// Drops as an object: cause to count, every cause.
struct Dropped<'a>(&'a Outcome);

impl Serialize for Dropped<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.dropped.iter().map(|(cause, count)| (cause.to_string(), count)))
    }
}

/// Frames by class, in the order of the classes' numbers.
struct Classes([(Class, u64); 8]);

impl Classes {
    fn of(frames: &[FrameOutcome]) -> Self {
        Self(Class::ALL.map(|class| (class, frames.iter().filter(|f| f.class == class).count() as u64)))
    }
}

impl Serialize for Classes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (class, count) in &self.0 {
            map.serialize_entry(&class.to_string(), count)?;
        }
        map.end()
    }
}

fn table(capture: &Path, arguments: &Arguments, outcome: &Outcome, elapsed: Duration) -> String {
    let mut text = String::new();
    let total: u64 = outcome.processors.iter().map(|p| p.frames).sum();
    let _ = writeln!(
        text,
        "{} through {}, hash {}, rate {}, seed {}\n",
        capture.display(),
        arguments.preset,
        arguments.hash,
        arguments.rate,
        arguments.seed
    );
    let _ = writeln!(text, "processor      frames         bytes    share");
    for (p, load) in outcome.processors.iter().enumerate() {
        let share = 100.0 * load.frames as f64 / total.max(1) as f64;
        let _ = writeln!(text, "{p:>9}{:>12}{:>14}{share:>7.1} %", load.frames, load.bytes);
    }
    let classes = Classes::of(&outcome.frames);
    let classes: Vec<_> = classes.0.iter().filter(|(_, n)| *n > 0).map(|(c, n)| format!("{c} {n}")).collect();
    let dropped: Vec<_> = outcome.dropped.iter().filter(|(_, n)| *n > 0).map(|(c, n)| format!("{c} {n}")).collect();
    let dropped = if dropped.is_empty() { String::new() } else { format!(" ({})", dropped.join(", ")) };
    let sent_back =
        outcome.sent_back.map_or(String::new(), |n| format!("sent back  {n}, each as its processor got it\n"));
    let Latency { min, median, max } = outcome.latency;
    let rate = outcome.cycles as f64 / elapsed.as_secs_f64().max(1e-9);
    let _ = write!(
        text,
        "
frames     {}: {}
delivered  {}, {} of them identical to what was sent; floods go to every processor
dropped    {}{dropped}
{sent_back}latency    {min} / {median} / {max} cycles (min / median / max), first beat to first write into a processor's memory
cycles     {}, {:.3} Gb/s simulated at {} MHz
speed      {rate:.0} cycles/s
",
        outcome.frames.len(),
        classes.join(", "),
        outcome.delivered,
        outcome.identical,
        outcome.dropped_total(),
        outcome.cycles,
        outcome.gbps(),
        ::cosim::CLOCK_HZ / 1_000_000,
    );
    text
}
