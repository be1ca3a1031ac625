//! The emitted classifier against the hand-written one: the same results, and how fast each runs in Verilator.
//!
//! Both are verilated with the same options and linked into one program (`benches/race.cpp`), which plays a [`stimulus`] to
//! them. [`compare`] must pass before a [`race`] means anything.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

/// The hand-written classifier, for 64 bits and four processors.
pub const HAND_WRITTEN: &str = include_str!("../../benches/classifier.v");

const HARNESS: &str = include_str!("../../benches/race.cpp");

/// Verilator's options; warnings are errors. All modules of the emitted classifier stand in one file.
const VERILATE: [&str; 8] = ["--cc", "-O3", "-Wall", "-Wno-DECLFILENAME", "--x-assign", "fast", "--x-initial", "fast"];

/// What the generated C++ expects to be defined.
const COMPILE: [&str; 8] = [
    "-O2",
    "-std=c++17",
    "-DVM_SC=0",
    "-DVM_COVERAGE=0",
    "-DVM_TRACE=0",
    "-DVM_TRACE_FST=0",
    "-DVM_TRACE_VCD=0",
    "-DVM_TRACE_SAIF=0",
];

/// Bytes of a beat.
const BEAT: usize = 8;

/// Cycles of one timed run: so short that what else the machine does hits both classifiers alike.
const CYCLES: u64 = 100_000;

/// Timed runs of each classifier; the median counts.
const ROUNDS: u64 = 61;

/// What [`compare`] went through without finding a difference.
#[derive(Debug, Clone, Copy)]
pub struct Compared {
    /// Clock cycles.
    pub cycles: u64,
    /// Frames for which both gave the same result in the same cycle.
    pub results: u64,
}

/// Speeds in Verilator.
#[derive(Debug, Clone, Copy)]
pub struct Race {
    /// Median cycles per second of the emitted classifier.
    pub emitted: f64,
    /// Median cycles per second of the hand-written one.
    pub hand_written: f64,
    /// Median of emitted by hand-written, each taken from two runs side by side.
    pub ratio: f64,
    /// Clock cycles that each was timed for.
    pub cycles: u64,
}

/// Runs the emitted classifier `verilog` and `hand_written` in lockstep. `work` is a folder to build in; what an earlier call
/// left there and still fits is used again.
///
/// # Errors
/// The first cycles in which they differ; or which tool failed, and what it said.
pub fn compare(work: &Path, verilog: &str, hand_written: &str, stimulus: &[u8]) -> Result<Compared, String> {
    let report = run(work, verilog, hand_written, stimulus, &["compare"], &[])?;
    Ok(Compared { cycles: count(&report, "cycles")?, results: count(&report, "results")? })
}

/// Times the emitted classifier `verilog` and the hand-written one, in turns. `work` as in [`compare`].
///
/// # Errors
/// Which tool failed, and what it said.
pub fn race(work: &Path, verilog: &str, stimulus: &[u8]) -> Result<Race, String> {
    let (cycles, rounds) = (CYCLES.to_string(), ROUNDS.to_string());
    let report = run(work, verilog, HAND_WRITTEN, stimulus, &["race"], &[&cycles, &rounds])?;
    Ok(Race {
        emitted: number(&report, "emitted")?,
        hand_written: number(&report, "hand_written")?,
        ratio: number(&report, "ratio")?,
        cycles: count(&report, "cycles")?,
    })
}

/// Plays `frames`, none of them empty, the way they reach the classifier in the card: back to back or with gaps, under
/// configurations that change while results are under way, with writes to the indirection table and a few resets. Each frame
/// gives one result. The same for the same seed.
pub fn stimulus(frames: impl Iterator<Item = Vec<u8>>, seed: u64) -> Vec<u8> {
    let mut player = Player { random: ChaCha8Rng::seed_from_u64(seed), records: Vec::new(), reconfigure: true };
    player.reset();
    for frame in frames {
        if player.once_in(16) {
            player.reconfigure = true;
        }
        if player.once_in(2048) {
            player.interrupt(&frame);
        }
        let gaps = player.once_in(4);
        for (i, bytes) in frame.chunks(BEAT).enumerate() {
            while gaps && player.once_in(3) {
                player.idle();
            }
            player.beat(bytes, i == 0, (i + 1) * BEAT >= frame.len());
        }
    }
    player.drain();
    player.records
}

// Flags of a record, as `benches/race.cpp` reads them.
const VALID: u8 = 1;
const FIRST: u8 = 2;
const LAST: u8 = 4;
const RETA_WRITE: u8 = 8;
const CONFIGURE: u8 = 16;
const RESET: u8 = 32;

/// Cycles in which every result under way comes out: the latency is 13 (`hdl::classifier::latency`).
const DRAIN: usize = 16;

/// Cycles of a reset: as long as the table takes to fill itself.
const RESET_CYCLES: usize = 128;

struct Player {
    random: ChaCha8Rng,
    records: Vec<u8>,
    reconfigure: bool,
}

impl Player {
    fn once_in(&mut self, times: u32) -> bool {
        self.random.next_u32().is_multiple_of(times)
    }

    fn record(&mut self, flags: u8, bytes: u8, data: [u8; BEAT]) {
        let [index, entry, read, write] = self.random.next_u32().to_le_bytes();
        let mut flags = flags | if write < 16 { RETA_WRITE } else { 0 };
        if self.reconfigure {
            flags |= CONFIGURE;
        }
        self.records.extend([flags, bytes, index & 0x7f, entry & 0xf, read & 0x7f, 0, 0, 0]);
        self.records.extend(data);
        if std::mem::take(&mut self.reconfigure) {
            let [function, addresses, chunk, fields] = self.random.next_u32().to_le_bytes();
            let mut key = [0; 40];
            self.random.fill_bytes(&mut key);
            self.records.extend([function & 1, addresses & 1, chunk & 7, fields & 0x3f]);
            self.records.extend(key);
        }
    }

    /// A beat; what lies behind its bytes means nothing.
    fn beat(&mut self, bytes: &[u8], first: bool, last: bool) {
        let mut data = self.random.next_u64().to_le_bytes();
        data[..bytes.len()].copy_from_slice(bytes);
        let flags = VALID | if first { FIRST } else { 0 } | if last { LAST } else { 0 };
        self.record(flags, bytes.len() as u8, data);
    }

    /// A cycle without a beat, in which nothing else of the beat means anything.
    fn idle(&mut self) {
        let data = self.random.next_u64().to_le_bytes();
        let flags = self.random.next_u32() as u8 & (FIRST | LAST);
        self.record(flags, data[0] & 0x7f, data);
    }

    fn drain(&mut self) {
        for _ in 0..DRAIN {
            self.idle();
        }
    }

    fn reset(&mut self) {
        for _ in 0..RESET_CYCLES {
            self.record(RESET, 0, [0; BEAT]);
        }
    }

    /// Begins `frame` and resets before it can have a result.
    fn interrupt(&mut self, frame: &[u8]) {
        self.drain();
        let beats = frame.len().div_ceil(BEAT).min(12);
        for (i, bytes) in frame.chunks(BEAT).take(beats - 1).enumerate() {
            self.beat(bytes, i == 0, false);
        }
        self.reset();
    }
}

/// Builds the program and runs it; gives what it printed.
fn run(
    work: &Path,
    verilog: &str,
    hand_written: &str,
    stimulus: &[u8],
    before: &[&str],
    behind: &[&str],
) -> Result<serde_json::Value, String> {
    let program = build(work, verilog, hand_written)?;
    let file = work.join("stimulus");
    fs::write(&file, stimulus).map_err(|e| format!("{}: {e}", file.display()))?;
    let printed = output(Command::new(program).args(before).arg(&file).args(behind))?;
    serde_json::from_str(&printed).map_err(|e| format!("the race printed `{}`: {e}", printed.trim()))
}

fn number(report: &serde_json::Value, name: &str) -> Result<f64, String> {
    report[name].as_f64().ok_or_else(|| format!("the race printed no {name}"))
}

fn count(report: &serde_json::Value, name: &str) -> Result<u64, String> {
    report[name].as_u64().ok_or_else(|| format!("the race printed no {name}"))
}

/// The program that runs both classifiers.
fn build(work: &Path, verilog: &str, hand_written: &str) -> Result<PathBuf, String> {
    let tools = Tools::find(work)?;
    thread::scope(|scope| {
        let models = [("emitted", verilog), ("handwritten", hand_written)].map(|(name, text)| {
            let tools = &tools;
            scope.spawn(move || tools.model(name, text))
        });
        let runtime = tools.runtime("verilated").and_then(|()| tools.runtime("verilated_threads"));
        let models = models.map(|job| job.join().unwrap_or_else(|_| Err("a compilation panicked".to_owned())));
        models.into_iter().chain([runtime]).collect::<Result<(), _>>()
    })?;
    tools.harness(&[verilog, hand_written])?;
    let program = work.join("race");
    let objects = ["race", "emitted", "handwritten", "verilated", "verilated_threads"].map(|name| tools.object(name));
    output(compiler().args(objects).arg("-pthread").arg("-o").arg(&program))?;
    Ok(program)
}

/// Verilator, and the folder where everything is built.
struct Tools<'a> {
    root: PathBuf,
    work: &'a Path,
}

impl<'a> Tools<'a> {
    fn find(work: &'a Path) -> Result<Self, String> {
        let root = match env::var_os("VERILATOR_ROOT") {
            Some(root) => Some(PathBuf::from(root)),
            None => [env!("CARGO_MANIFEST_DIR"), "."].iter().find_map(|workspace| in_tools(Path::new(workspace))),
        };
        let root = root.filter(|root| root.join("bin/verilator_bin").exists());
        let root = root.ok_or("no Verilator: run `make setup`, or set or correct VERILATOR_ROOT")?;
        fs::create_dir_all(work).map_err(|e| format!("{}: {e}", work.display()))?;
        Ok(Self { root, work })
    }

    fn object(&self, name: &str) -> PathBuf {
        self.work.join(name).with_extension("o")
    }

    /// Verilates and compiles one classifier.
    fn model(&self, name: &str, verilog: &str) -> Result<(), String> {
        self.make(name, verilog, || {
            let (folder, file) = (self.work.join(name), self.work.join(name).with_extension("v"));
            write(&file, verilog)?;
            if folder.exists() {
                fs::remove_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
            }
            let mut verilator = Command::new(self.root.join("bin/verilator_bin"));
            verilator.env("VERILATOR_ROOT", &self.root).args(VERILATE).args(["--prefix", &format!("V{name}")]);
            output(verilator.args(["--top-module", "classifier", "--Mdir"]).arg(&folder).arg(&file))?;
            include_all(&folder)
        })
    }

    fn runtime(&self, name: &str) -> Result<(), String> {
        self.make(name, &self.root.display().to_string(), || Ok(format!("#include <{name}.cpp>\n")))
    }

    fn harness(&self, models: &[&str]) -> Result<(), String> {
        self.make("race", &format!("{HARNESS}{}", models.concat()), || Ok(HARNESS.to_owned()))
    }

    /// Compiles the C++ that `source` gives, unless that was done before from the same text.
    fn make(&self, name: &str, made_from: &str, source: impl FnOnce() -> Result<String, String>) -> Result<(), String> {
        let (object, record) = (self.object(name), self.work.join(name).with_extension("from"));
        if object.exists() && fs::read_to_string(&record).is_ok_and(|text| text == made_from) {
            return Ok(());
        }
        // The record is empty while the object is not whole.
        write(&record, "")?;
        let file = self.work.join(name).with_extension("cpp");
        write(&file, &source()?)?;
        let mut compiler = compiler();
        compiler.args(COMPILE);
        for folder in [self.work.join("emitted"), self.work.join("handwritten"), self.root.join("include")] {
            compiler.arg("-I").arg(folder);
        }
        output(compiler.arg("-c").arg(file).arg("-o").arg(object))?;
        write(&record, made_from)
    }
}

fn compiler() -> Command {
    Command::new(env::var_os("CXX").unwrap_or_else(|| "g++".into()))
}

/// Where `make setup` puts Verilator.
fn in_tools(workspace: &Path) -> Option<PathBuf> {
    let versions = fs::read_dir(workspace.join(".tools/venv/lib")).ok()?;
    versions.flatten().map(|python| python.path().join("site-packages/verilator")).find(|root| root.exists())
}

/// C++ that holds all files of a folder on the compiler's path.
fn include_all(folder: &Path) -> Result<String, String> {
    let entries = fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut files: Vec<_> = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    files.retain(|file| file.ends_with(".cpp"));
    files.sort();
    Ok(files.iter().map(|file| format!("#include \"{file}\"\n")).collect())
}

fn write(file: &Path, text: &str) -> Result<(), String> {
    fs::write(file, text).map_err(|e| format!("{}: {e}", file.display()))
}

/// What a program prints, if it ends well.
fn output(command: &mut Command) -> Result<String, String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|e| format!("{program}: {e}"))?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(printed);
    }
    Err(format!("{program}, {}:\n{}{printed}", output.status, String::from_utf8_lossy(&output.stderr)))
}
