//! The arrows between crates are those of ARCHITECTURE.md, and no more.

use std::process::Command;

use serde_json::Value;

/// Who may depend on whom, and how.
const ARROWS: [(&str, &str, &str); 10] = [
    ("pointsman", "abi", "normal"),
    ("pointsman", "cosim", "normal"),
    ("pointsman", "hdl", "normal"),
    ("pointsman", "soft-cores", "dev"),
    ("cosim", "abi", "normal"),
    ("cosim", "abi", "build"),
    ("cosim", "hdl", "build"),
    ("cosim", "soft-cores", "normal"),
    ("hdl", "abi", "normal"),
    ("soft-cores", "abi", "normal"),
];

#[test]
fn crates_depend_on_each_other_as_drawn() {
    let cargo = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&cargo.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let names: Vec<_> = packages.iter().map(|p| p["name"].as_str().unwrap()).collect();
    let mut arrows = Vec::new();
    for package in packages {
        for dependency in package["dependencies"].as_array().unwrap() {
            let to = dependency["name"].as_str().unwrap();
            if names.contains(&to) {
                let kind = dependency["kind"].as_str().unwrap_or("normal");
                arrows.push((package["name"].as_str().unwrap(), to, kind));
            }
        }
    }
    for arrow in &arrows {
        assert!(ARROWS.contains(arrow), "{} must not depend on {} ({})", arrow.0, arrow.1, arrow.2);
    }
    assert_eq!((names.len(), arrows.len()), (5, ARROWS.len()), "an arrow that is drawn is not there");
}

#[test]
fn what_firmware_will_share_depends_on_nothing() {
    let manifest = include_str!("../hdl/abi/Cargo.toml");
    assert!(!manifest.contains("dependencies"));
    assert!(include_str!("../hdl/abi/src/lib.rs").contains("#![no_std]"));
}

#[test]
fn only_the_bridge_and_what_leaves_a_stack_have_unsafe_code() {
    fn rust_files(folder: &std::path::Path, files: &mut Vec<std::path::PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                rust_files(&path, files);
            } else if path.extension().is_some_and(|e| e == "rs") {
                files.push(path);
            }
        }
    }
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["src", "hdl", "cosim", "soft-cores", "tests"] {
        rust_files(&root.join(folder), &mut files);
    }
    assert!(files.len() > 40, "{} files", files.len());
    // In two pieces, or this file would be one of them.
    let keyword = ["uns", "afe "].concat();
    let with: Vec<_> = files
        .iter()
        .filter(|f| {
            std::fs::read_to_string(f)
                .unwrap()
                .lines()
                .any(|l| !l.trim_start().starts_with("//") && l.contains(&keyword))
        })
        .collect();
    // C++, and a stack that is left from anywhere on it.
    let allowed = ["cosim/src/bridge.rs", "cosim/src/fiber.rs", "soft-cores/tests/kernel/machine.rs"];
    let allowed = allowed.map(|file| root.join(file));
    let mut with = with;
    with.sort();
    assert_eq!(with, allowed.iter().collect::<Vec<_>>());
}
