//! Compiled archives, each under a name that holds a checksum of everything it was made from.
//!
//! They stand beside the profiles' own folders, so that a debug and a release build, which call the C++ compiler with
//! the same options, share them; and an edit that leaves a preset's Verilog as it was compiles nothing.

use std::ffi::OsString;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use crate::parallel;

/// Versions of one archive that are kept: enough to go back and forth between a few branches.
const KEPT: usize = 4;

/// When code runs, which decides how hard the compiler tries.
#[derive(Clone, Copy, PartialEq)]
pub enum Effort {
    /// Every cycle.
    Cycle,
    /// Every cycle of which a trace is written.
    Trace,
    /// When a simulation starts.
    Start,
}

impl Effort {
    const ALL: [Self; 3] = [Self::Cycle, Self::Trace, Self::Start];

    /// The compiler's optimisation level.
    fn level(self) -> u32 {
        match self {
            Self::Cycle => 2,
            Self::Trace => 1,
            Self::Start => 0,
        }
    }
}

/// The C++ compiler, with its options.
pub struct Compiler {
    /// For each [`Effort`].
    lines: Vec<Vec<OsString>>,
    /// Tells this compiler with these options from any other.
    pub identity: u64,
}

impl Compiler {
    /// The compiler that the crate `cc` finds (so that CXX and CXXFLAGS count), with the options for each optimisation level.
    pub fn find(options: impl Fn(u32) -> cc::Build) -> Result<Self, String> {
        let mut lines = Vec::new();
        for effort in Effort::ALL {
            let tool = options(effort.level())
                .try_get_compiler()
                .map_err(|e| format!("no C++ compiler: {e}; run `make setup`"))?;
            let program = tool.path().as_os_str().to_owned();
            lines.push([program].into_iter().chain(tool.args().iter().cloned()).collect::<Vec<_>>());
        }
        let version = Command::new(&lines[0][0]).arg("--version").output().map_err(|e| e.to_string())?.stdout;
        let identity = checksum(&[&format!("{lines:?}"), &String::from_utf8_lossy(&version)]);
        Ok(Self { lines, identity })
    }

    fn compile(&self, job: &Job) -> Result<(), String> {
        let line = &self.lines[job.effort as usize];
        let mut command = Command::new(&line[0]);
        command.args(&line[1..]).arg("-c").arg(&job.source).arg("-o").arg(&job.object);
        command.args(job.includes.iter().flat_map(|path| [OsString::from("-I"), path.clone().into()]));
        run(&mut command).map_err(|e| format!("{} does not compile: {e}", job.source.display()))
    }
}

/// Runs a tool to its end; what it said is shown only where it failed.
pub fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|e| format!("{}: {e}", command.get_program().to_string_lossy()))?;
    if output.status.success() {
        return Ok(());
    }
    eprint!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    Err(format!("{} ended with {}", command.get_program().to_string_lossy(), output.status))
}

/// A checksum that tells texts apart; the same for the same texts as long as the Rust toolchain is.
pub fn checksum(texts: &[&str]) -> u64 {
    let mut hasher = DefaultHasher::new();
    texts.hash(&mut hasher);
    hasher.finish()
}

/// One C++ file of an archive.
pub struct Source {
    pub path: PathBuf,
    pub effort: Effort,
}

struct Job {
    source: PathBuf,
    object: PathBuf,
    includes: Vec<PathBuf>,
    effort: Effort,
    /// Bytes of all the sources in its folder: how long it will take, roughly.
    weight: u64,
}

/// The folder of all archives.
pub struct Store {
    root: PathBuf,
}

/// An archive, made already or being made.
pub struct Archive {
    name: String,
    made_from: u64,
    finished: PathBuf,
    /// Where it is being made, unless it is there.
    working: Option<PathBuf>,
    sources: Vec<Source>,
    includes: Vec<PathBuf>,
}

impl Archive {
    /// Its folder: sources, headers and, in the end, the archive.
    pub fn folder(&self) -> &Path {
        self.working.as_deref().unwrap_or(&self.finished)
    }

    /// The checksum of what it is made from.
    pub fn made_from(&self) -> u64 {
        self.made_from
    }

    /// There is nothing left to do for it.
    pub fn is_finished(&self) -> bool {
        self.working.is_none()
    }

    /// Says what it is compiled from, and where headers are found besides its own folder.
    pub fn compile_from(&mut self, sources: Vec<Source>, includes: Vec<PathBuf>) {
        self.sources = sources;
        self.includes = includes;
    }

    fn jobs(&self) -> impl Iterator<Item = Job> {
        let files = fs::read_dir(self.folder()).into_iter().flatten().flatten();
        let weight = files.filter_map(|file| file.metadata().ok()).map(|data| data.len()).sum();
        self.sources.iter().map(move |source| Job {
            source: source.path.clone(),
            object: self.folder().join(source.path.file_name().unwrap_or_default()).with_extension("o"),
            includes: [self.folder().to_path_buf()].into_iter().chain(self.includes.iter().cloned()).collect(),
            effort: source.effort,
            weight,
        })
    }
}

impl Store {
    /// The store in that folder.
    pub fn open(root: PathBuf) -> Result<Self, String> {
        fs::create_dir_all(&root).map_err(|e| format!("{}: {e}", root.display()))?;
        Ok(Self { root })
    }

    /// The archive of that name, made from what has that checksum.
    pub fn archive(&self, name: &str, made_from: u64) -> Result<Archive, String> {
        let finished = self.root.join(format!("{name}-{made_from:016x}"));
        let working = (!finished.exists())
            .then(|| {
                let working = finished.with_extension(format!("part{}", std::process::id()));
                fs::create_dir_all(&working).map(|()| working)
            })
            .transpose()
            .map_err(|e| format!("{}: {e}", finished.display()))?;
        Ok(Archive { name: name.to_string(), made_from, finished, working, sources: Vec::new(), includes: Vec::new() })
    }

    /// Compiles what is missing of all these archives, and has Cargo link them in this order.
    pub fn finish(&self, threads: usize, compiler: &Compiler, archives: &[Archive]) -> Result<(), String> {
        let mut jobs: Vec<Job> = archives.iter().filter(|a| !a.is_finished()).flat_map(Archive::jobs).collect();
        // The longest first, or the last one would run alone.
        jobs.sort_by_key(|job| (job.effort as usize, std::cmp::Reverse(job.weight)));
        parallel::map(threads, jobs, |job| compiler.compile(&job))?;
        for archive in archives {
            self.publish(archive).map_err(|e| format!("{}: {e}", archive.finished.display()))?;
            println!("cargo::rustc-link-search=native={}", archive.finished.display());
            println!("cargo::rustc-link-lib=static={}", archive.name);
            println!("cargo::rerun-if-changed={}", archive.finished.join(format!("lib{}.a", archive.name)).display());
        }
        self.prune().map_err(|e| format!("{}: {e}", self.root.display()))
    }

    fn publish(&self, archive: &Archive) -> io::Result<()> {
        if let Some(working) = &archive.working {
            let objects: Vec<PathBuf> = archive.jobs().map(|job| job.object).collect();
            cc::Build::new().cargo_metadata(false).out_dir(working).objects(&objects).compile(&archive.name);
            objects.iter().try_for_each(fs::remove_file)?;
            // Another build that runs at the same time may have been first: then its archive is as good.
            if fs::rename(working, &archive.finished).is_err() {
                fs::remove_dir_all(working)?;
            }
        }
        fs::write(archive.finished.join("used"), "")
    }

    /// Removes old versions, and what interrupted builds left.
    fn prune(&self) -> io::Result<()> {
        let mut versions: Vec<(String, SystemTime, PathBuf)> = Vec::new();
        for entry in fs::read_dir(&self.root)? {
            let path = entry?.path();
            let file_name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let (name, _) = file_name.rsplit_once('-').unwrap_or((&file_name, ""));
            let used = fs::metadata(path.join("used")).or_else(|_| fs::metadata(&path))?.modified()?;
            versions.push((name.to_string(), used, path));
        }
        versions.sort();
        versions.reverse();
        for same_name in versions.chunk_by(|a, b| a.0 == b.0) {
            for (_, _, path) in same_name.iter().skip(KEPT) {
                fs::remove_dir_all(path)?;
            }
        }
        Ok(())
    }
}
