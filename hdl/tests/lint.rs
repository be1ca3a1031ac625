//! Blocks that no card in the cosimulation uses at every width are clean under Verilator's `-Wall` at every width.

use std::path::{Path, PathBuf};
use std::process::Command;

use hdl::aligner::Aligner;
use hdl::checksum::Checksum;
use hdl::emit::{Emitted, emit};
use hdl::memory_arbiter::MemoryArbiter;
use hdl::memory_stream::MemoryStream;
use hdl::transmit::Transmit;

/// Verilator's installation: `VERILATOR_ROOT`, or the one that `make setup` puts into the workspace.
fn root() -> PathBuf {
    if let Some(root) = std::env::var_os("VERILATOR_ROOT") {
        return root.into();
    }
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies inside the workspace");
    let libraries = workspace.join(".tools/venv/lib");
    let entries = std::fs::read_dir(&libraries).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path().join("site-packages/verilator"))
        .find(|path| path.join("bin/verilator_bin").is_file())
        .unwrap_or_else(|| panic!("no Verilator below {}: run `make setup`", libraries.display()))
}

fn lint(name: &str, design: &Emitted) {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("lint_{name}.v"));
    std::fs::write(&path, &design.verilog).expect("the target folder is writable");
    let root = root();
    let output = Command::new(root.join("bin/verilator_bin"))
        .env("VERILATOR_ROOT", &root)
        .args(["--lint-only", "-Wall", "-Wno-DECLFILENAME", "--top-module", &design.top])
        .arg(&path)
        .output()
        .expect("Verilator runs");
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The block at the four widths.
macro_rules! widths {
    ($name:literal, $($block:ident)::+, $new:ident($($argument:expr)?)) => {
        [
            ($name, 64, emit(&mut $($block)::+::<64, 8>::$new($($argument)?), $name)),
            ($name, 128, emit(&mut $($block)::+::<128, 16>::$new($($argument)?), $name)),
            ($name, 256, emit(&mut $($block)::+::<256, 32>::$new($($argument)?), $name)),
            ($name, 512, emit(&mut $($block)::+::<512, 64>::$new($($argument)?), $name)),
        ]
    };
}

#[test]
fn every_width_is_clean_under_wall() {
    let designs = [
        widths!("aligner", Aligner, default()),
        widths!("checksum", Checksum, default()),
        widths!("memory_arbiter", MemoryArbiter, new(3)),
        widths!("memory_arbiter_16", MemoryArbiter, new(16)),
        widths!("memory_stream", MemoryStream, default()),
        widths!("transmit", Transmit, new(2)),
        widths!("transmit_16", Transmit, new(16)),
    ];
    let mut checked = 0;
    for (name, width, design) in designs.into_iter().flatten() {
        lint(&format!("{name}_{width}"), &design.unwrap_or_else(|error| panic!("{name}, {width} bits: {error}")));
        checked += 1;
    }
    assert_eq!(checked, 4 * 7);
}
