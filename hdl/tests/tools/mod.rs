//! Verilator, as the tests find and run it.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Verilator's installation: `VERILATOR_ROOT`, or the one that `make setup` puts into the workspace.
pub fn verilator_root() -> PathBuf {
    if let Some(root) = std::env::var_os("VERILATOR_ROOT") {
        return root.into();
    }
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies inside the workspace");
    let libraries = workspace.join(".tools/venv/lib");
    std::fs::read_dir(&libraries)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("site-packages/verilator"))
        .find(|path| path.join("bin/verilator_bin").is_file())
        .unwrap_or_else(|| panic!("no Verilator below {}: run `make setup`", libraries.display()))
}

/// Runs a tool; a failure shows what it printed.
pub fn run_tool(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
