//! Emits every built-in preset as Verilog, has Verilator turn it into C++, compiles that and links it in.
//!
//! Needs Verilator (`make setup` installs it) and a C++ compiler; never touches the network.

#[path = "build/fixture.rs"]
mod fixture;
#[path = "build/parallel.rs"]
mod parallel;
#[path = "build/ports.rs"]
mod ports;
#[path = "build/store.rs"]
mod store;

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use abi::params::{NicParams, ParamsError};
use hdl::emit::Emitted;
use hdl::nic::emit_nic;

use fixture::fixture;
use ports::Size;
use store::{Archive, Compiler, Effort, Source, Store, checksum};

/// Cards of the bridge's own tests, at either end of what the bridge has room for.
const FIXTURES: [(&str, Size); 2] =
    [("fixture_n2w64", Size { processors: 2, width: 64 }), ("fixture_n16w512", Size { processors: 16, width: 512 })];

/// Verilator's options. Warnings are errors; all modules of a card stand in one file.
const VERILATE: [&str; 14] = [
    "--cc",
    "-O3",
    "-Wall",
    "-Wno-DECLFILENAME",
    "--trace-fst",
    "--x-assign",
    "fast",
    "--x-initial",
    "fast",
    "--timescale-override",
    "1ns/1ns",
    "--no-assert",
    // One function for each thousand nodes: a third of the compilation time, and a model that is 10 % faster.
    "--output-split-cfuncs",
    "1000",
];

/// Verilator's run-time library, as far as the models use it.
const RUNTIME: [(&str, Effort); 3] = [
    ("verilated.cpp", Effort::Cycle),
    ("verilated_fst_c.cpp", Effort::Trace),
    ("verilated_threads.cpp", Effort::Start),
];

fn main() -> ExitCode {
    match build() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            for line in message.lines() {
                println!("cargo::error={line}");
            }
            ExitCode::FAILURE
        }
    }
}

fn build() -> Result<(), String> {
    for path in ["build.rs", "build", "src/bridge.rs", "src/bridge"] {
        println!("cargo::rerun-if-changed={path}");
    }
    let out = PathBuf::from(variable("OUT_DIR")?);
    let threads = variable("NUM_JOBS")?.parse().unwrap_or(1);
    let verilator = Verilator::find()?;
    let designs = designs()?;
    write_presets(&out, &designs)?;
    let bridge = compile_bridge(&out, &designs)?;

    // OUT_DIR is <target>/<profile>/build/cosim-<hash>/out.
    let store = Store::open(out.ancestors().nth(4).unwrap_or(&out).join("verilated"))?;
    let compiler = Compiler::find(options)?;
    let work = Workshop { out, verilator, compiler, store, bridge };

    let models = parallel::map(threads, designs.iter().collect(), |design| work.prepare(design))?;
    let cards = work.prepare_cards(&designs, &models)?;
    let runtime = work.prepare_runtime()?;
    let archives: Vec<Archive> = [cards].into_iter().chain(models).chain([runtime]).collect();
    work.store.finish(threads, &work.compiler, &archives)
}

fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|e| format!("{name}: {e}"))
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|e| format!("{}: {e}", path.display()))
}

/// A card to build in.
struct Design {
    name: String,
    size: Size,
    emit: fn(&str, Size) -> Result<Emitted, String>,
}

fn designs() -> Result<Vec<Design>, String> {
    let card = |name: &str| -> Result<Design, String> {
        let params: NicParams = name.parse().map_err(|e: ParamsError| e.to_string())?;
        Ok(Design {
            name: name.into(),
            size: Size { processors: params.processors(), width: params.width() },
            emit: |_, size| {
                let params = NicParams::new(size.processors, size.width).map_err(|e| e.to_string())?;
                emit_nic(params).map_err(|e| e.to_string())
            },
        })
    };
    let fixture =
        |&(name, size): &(&str, Size)| Design { name: name.into(), size, emit: |name, size| Ok(fixture(name, size)) };
    // For a quick look at one card while the gateware changes; tests that want another one say so and fail.
    println!("cargo::rerun-if-env-changed=POINTSMAN_PRESETS");
    let wanted = env::var("POINTSMAN_PRESETS").ok();
    let cards: Result<Vec<Design>, String> = match &wanted {
        Some(names) => names.split(',').map(card).collect(),
        None => NicParams::PRESETS.into_iter().map(card).collect(),
    };
    Ok(cards?.into_iter().chain(FIXTURES.iter().map(fixture)).collect())
}

/// The list of presets for `bridge.rs`.
fn write_presets(out: &Path, designs: &[Design]) -> Result<(), String> {
    let mut text = String::from("[\n");
    for Design { name, size, .. } in designs {
        let _ =
            writeln!(text, "    Preset {{ name: {name:?}, processors: {}, width: {} }},", size.processors, size.width);
    }
    text.push_str("]\n");
    write(&out.join("presets.rs"), &text)
}

/// Options of the C++ compiler. The debug information and the optimisation level of the Cargo profile do not reach it: a
/// model is slow without optimisation, and nobody steps through it.
fn options(level: u32) -> cc::Build {
    let mut options = cc::Build::new();
    options.cpp(true).std("c++17").opt_level(level).debug(false).warnings(false);
    // Nothing replaces a model's functions when the program is loaded, so that they may be inlined into each other.
    options.flag_if_supported("-fno-semantic-interposition").flag_if_supported("-fcf-protection=none");
    for (name, value) in [("VM_SC", "0"), ("VM_TRACE", "1"), ("VM_TRACE_FST", "1"), ("VM_TRACE_VCD", "0")] {
        options.define(name, value);
    }
    options.define("VL_USER_FATAL", None);
    options
}

/// Compiles what `cxx` writes from `bridge.rs`, with the function that finds a model by name. Gives the folders with the headers.
fn compile_bridge(out: &Path, designs: &[Design]) -> Result<Vec<PathBuf>, String> {
    let factory = out.join("factory.cc");
    write(&factory, &ports::factory(designs.iter().map(|d| d.name.as_str())))?;
    let mut build = cxx_build::bridge("src/bridge.rs");
    build.std("c++17").opt_level(2).debug(false).file(factory).file("src/bridge/trace/compression.cc");
    build.try_compile("pointsman_bridge").map_err(|e| format!("the bridge does not compile: {e}"))?;
    Ok(vec![out.join("cxxbridge/include"), out.join("cxxbridge/crate")])
}

/// Verilator, as installed.
struct Verilator {
    root: PathBuf,
    identity: u64,
}

impl Verilator {
    fn find() -> Result<Self, String> {
        println!("cargo::rerun-if-env-changed=VERILATOR_ROOT");
        let root = match env::var_os("VERILATOR_ROOT") {
            Some(root) => PathBuf::from(root),
            None => Self::in_tools()?,
        };
        let binary = root.join("bin/verilator_bin");
        println!("cargo::rerun-if-changed={}", binary.display());
        let size = fs::metadata(&binary)
            .map_err(|e| {
                format!("no Verilator: {}: {e}; run `make setup`, or correct VERILATOR_ROOT", binary.display())
            })?
            .len();
        let version = read(&root.join("include/verilated_config.h"))?;
        Ok(Self { identity: checksum(&[&size.to_string(), &version]), root })
    }

    /// Where `make setup` puts it.
    fn in_tools() -> Result<PathBuf, String> {
        let lib = Path::new(&variable("CARGO_MANIFEST_DIR")?).join("../.tools/venv/lib");
        fs::read_dir(&lib)
            .into_iter()
            .flatten()
            .flatten()
            .map(|python| python.path().join("site-packages/verilator"))
            .find(|root| root.join("bin/verilator_bin").exists())
            .ok_or_else(|| format!("no Verilator in {}: run `make setup`, or set VERILATOR_ROOT", lib.display()))
    }

    fn include(&self) -> PathBuf {
        self.root.join("include")
    }

    fn run(&self, design: &Design, top: &str, verilog: &Path, folder: &Path) -> Result<(), String> {
        let mut command = Command::new(self.root.join("bin/verilator_bin"));
        command.env("VERILATOR_ROOT", &self.root).args(VERILATE);
        command.args(["--prefix", &format!("V{}", design.name), "--top-module", top, "--Mdir"]);
        command.arg(folder).arg(verilog);
        store::run(&mut command)
    }
}

/// What the steps of the build share.
struct Workshop {
    out: PathBuf,
    verilator: Verilator,
    compiler: Compiler,
    store: Store,
    bridge: Vec<PathBuf>,
}

impl Workshop {
    /// Emits and verilates one card.
    fn prepare(&self, design: &Design) -> Result<Archive, String> {
        let Design { name, size, emit } = design;
        let card = emit(name, *size).map_err(|e| format!("{name} cannot be emitted: {e}"))?;
        ports::check(&card, *size).map_err(|e| format!("{name}: {e}"))?;
        let verilog = self.out.join(format!("{name}.v"));
        write(&verilog, &card.verilog)?;

        let made_from = self.checksum(&[&card.verilog, &card.top, &VERILATE.join(" ")]);
        let mut model = self.store.archive(name, made_from)?;
        if !model.is_finished() {
            self.verilator
                .run(design, &card.top, &verilog, model.folder())
                .map_err(|e| format!("Verilator refuses {}: {e}", verilog.display()))?;
            model.compile_from(sources(model.folder())?, vec![self.verilator.include()]);
        }
        Ok(model)
    }

    /// The C++ that joins the models to the bridge.
    fn prepare_cards(&self, designs: &[Design], models: &[Archive]) -> Result<Archive, String> {
        let text = ports::glue(designs.iter().map(|design| (design.name.as_str(), design.size)));
        let mut texts = vec![text.clone()];
        for path in ["src/bridge/model.h", "src/bridge/interface.h", "src/bridge.rs"] {
            texts.push(read(Path::new(path))?);
        }
        texts.extend(models.iter().map(|model| model.made_from().to_string()));
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let mut cards = self.store.archive("cards", self.checksum(&texts))?;
        if !cards.is_finished() {
            let path = cards.folder().join("cards.cc");
            write(&path, &text)?;
            let models = models.iter().map(|model| model.folder().to_path_buf());
            let includes = models.chain([self.verilator.include()]).chain(self.bridge.iter().cloned()).collect();
            cards.compile_from(vec![Source { path, effort: Effort::Cycle }], includes);
        }
        Ok(cards)
    }

    /// A checksum of these texts and of the tools.
    fn checksum(&self, texts: &[&str]) -> u64 {
        checksum(&[
            &checksum(texts).to_string(),
            &self.verilator.identity.to_string(),
            &self.compiler.identity.to_string(),
        ])
    }

    fn prepare_runtime(&self) -> Result<Archive, String> {
        let fatal = Path::new("src/bridge/fatal.cc");
        let headers = ["lz4.h", "zlib.h"].map(|name| read(&Path::new("src/bridge/trace").join(name)));
        let [lz4, zlib] = headers;
        let identity = [self.verilator.identity, self.compiler.identity].map(|i| i.to_string());
        let mut runtime =
            self.store.archive("verilated", checksum(&[&read(fatal)?, &lz4?, &zlib?, &identity[0], &identity[1]]))?;
        if !runtime.is_finished() {
            let include = self.verilator.include();
            let files = RUNTIME.iter().map(|&(name, effort)| Source { path: include.join(name), effort });
            let files = files.chain([Source { path: fatal.into(), effort: Effort::Start }]).collect();
            // The headers of the two compression libraries.
            let trace = PathBuf::from("src/bridge/trace");
            runtime.compile_from(files, vec![include, trace]);
        }
        Ok(runtime)
    }
}

/// The C++ that Verilator wrote, joined to one file for each effort: most of the time would go into reading the same
/// headers again. The names say what runs only at the start, and what only while a trace is written.
fn sources(folder: &Path) -> Result<Vec<Source>, String> {
    let entries = fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut names: Vec<String> = entries.flatten().map(|e| e.file_name().to_string_lossy().into_owned()).collect();
    names.retain(|name| name.ends_with(".cpp"));
    names.sort();
    let effort = |name: &str| match name {
        _ if name.contains("__Slow") || name.contains("__Syms") => Effort::Start,
        _ if name.contains("__Trace") => Effort::Trace,
        _ => Effort::Cycle,
    };
    [("cycle.cc", Effort::Cycle), ("trace.cc", Effort::Trace), ("start.cc", Effort::Start)]
        .into_iter()
        .map(|(file, kind)| {
            let members = names.iter().filter(|name| effort(name) == kind);
            let path = folder.join(file);
            write(&path, &members.map(|name| format!("#include \"{name}\"\n")).collect::<String>())?;
            Ok(Source { path, effort: kind })
        })
        .collect()
}
