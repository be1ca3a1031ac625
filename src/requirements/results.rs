//! How tests ended: run by cargo, and kept beside what it built.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs, io};

use serde::{Deserialize, Serialize};

use super::sources;
use crate::cosim::to_json;
use crate::failure::Failure;
use crate::output::NewFile;

/// What decides how tests end; and what results are of.
const SOURCES: [&str; 7] = ["rs", "toml", "lock", "h", "cc", "json", "pcapng"];

/// How a test ended that was seen to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It passed.
    Ok,
    /// It did not.
    Failed,
}

/// The outcomes of one run.
#[derive(Debug, Serialize, Deserialize)]
pub struct Results {
    /// A checksum of the sources that were run.
    sources: u64,
    /// By the function's name.
    outcomes: BTreeMap<String, Outcome>,
}

impl Results {
    /// How a test ended; `None` if it did not run.
    pub fn of(&self, test: &str) -> Option<Outcome> {
        self.outcomes.get(test).copied()
    }

    /// Runs the tests that are named for rows. Cargo shows its progress on a terminal.
    pub fn run(root: &Path) -> Result<Self, Failure> {
        let is_terminal = io::stderr().is_terminal();
        let mut build = cargo(root);
        build.arg("--no-run").args((!is_terminal).then_some("--quiet"));
        if !build.stdout(Stdio::null()).status().map_err(no_cargo)?.success() {
            let problem = "the tests cannot be built; `cargo test --workspace --no-run` says why";
            return Err(Failure::Tool(problem.to_owned()));
        }
        // Cargo.lock is there by now.
        let sources = checksum(root)?;
        let mut test = cargo(root);
        test.args(["--no-fail-fast", "--", "row_"]);
        test.stderr(if is_terminal { Stdio::inherit() } else { Stdio::null() });
        let said = test.output().map_err(no_cargo)?.stdout;
        Ok(Self { sources, outcomes: outcomes(&String::from_utf8_lossy(&said)) })
    }

    /// Keeps them for [`last`](Self::last).
    pub fn keep(&self, root: &Path) -> Result<(), Failure> {
        let file = file(root);
        // Cargo may build elsewhere. If this fails, so does what follows, and says it.
        let _ = file.parent().map(fs::create_dir_all);
        NewFile::create(&file)?.finish(&to_json(self))
    }

    /// Those of the last run, if it was of the sources as they are.
    pub fn last(root: &Path) -> Result<Option<Self>, Failure> {
        let kept = fs::read(file(root)).ok().and_then(|text| serde_json::from_slice::<Self>(&text).ok());
        match kept {
            Some(results) if results.sources == checksum(root)? => Ok(Some(results)),
            _ => Ok(None),
        }
    }
}

/// What libtest prints: `test path::of::the_test ... ok`. A name that comes twice has failed if one of them has.
fn outcomes(said: &str) -> BTreeMap<String, Outcome> {
    let mut outcomes = BTreeMap::new();
    for (path, end) in said.lines().filter_map(|line| line.strip_prefix("test ")?.split_once(" ... ")) {
        let name = path.rsplit("::").next().unwrap_or(path).to_owned();
        let outcome = match end {
            "ok" => Outcome::Ok,
            "FAILED" => Outcome::Failed,
            _ => continue,
        };
        let worst = outcomes.entry(name).or_insert(outcome);
        *worst = outcome.max(*worst);
    }
    outcomes
}

fn cargo(root: &Path) -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root).args(["test", "--workspace"]);
    cargo
}

fn no_cargo(problem: io::Error) -> Failure {
    Failure::Tool(format!("cargo cannot be started: {problem}; install Rust, or put it into PATH"))
}

/// Where cargo builds.
fn file(root: &Path) -> PathBuf {
    let target = env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    root.join(target).join("pointsman-requirements.json")
}

fn checksum(root: &Path) -> Result<u64, Failure> {
    let unreadable = |problem| Failure::Unreadable { file: root.to_owned(), problem };
    let mut hasher = DefaultHasher::new();
    for path in sources::files(root, &SOURCES).map_err(unreadable)? {
        path.strip_prefix(root).unwrap_or(&path).hash(&mut hasher);
        fs::read(&path).map_err(|problem| Failure::Unreadable { file: path, problem })?.hash(&mut hasher);
    }
    Ok(hasher.finish())
}
