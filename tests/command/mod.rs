//! The command line, run as a user runs it.

use std::path::Path;
use std::process::{Command, Output};

/// Runs the command in a folder.
pub fn pointsman(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_pointsman")).args(arguments).current_dir(folder).output().unwrap()
}

/// What it printed.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Runs a command that must be refused: exit code 2, one line that has `hint` in it, nothing on standard output.
pub fn refused(folder: &Path, arguments: &[&str], hint: &str) {
    let output = pointsman(folder, arguments);
    let line = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {line}");
    assert_eq!(line.lines().count(), 1, "{arguments:?}: {line}");
    assert!(line.starts_with("pointsman: ") && line.contains(hint), "{arguments:?}: {line}");
    assert!(output.stdout.is_empty());
}
