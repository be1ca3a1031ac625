//! A block as Verilator compiles it, in a process of its own that is asked cycle by cycle: fast enough for long tests whose surroundings
//! react to what the block does.

use crate::tools::{run_tool, verilator_root};
use hdl::emit::{Direction, Emitted};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// A deliberate bug: in this module, this text is replaced by that one.
pub struct Bug {
    pub module: &'static str,
    pub good: &'static str,
    pub bad: &'static str,
}

/// The text with all these bugs in it, of which a number from 1 on chooses one when the simulation starts.
pub fn with_bugs(verilog: &str, bugs: &[Bug]) -> String {
    let mut modules: Vec<String> = verilog.split_inclusive("endmodule\n").map(String::from).collect();
    for (at, Bug { module, good, bad }) in bugs.iter().enumerate() {
        let start = format!("module {module} (");
        let text = modules.iter_mut().find(|m| m.contains(&start)).unwrap_or_else(|| panic!("no module {module}"));
        assert_eq!(text.matches(good).count(), 1, "`{good}` in {module}");
        *text = text.replacen(good, &format!("((bug == 32'd{}) ? ({bad}) : ({good}))", at + 1), 1);
        if !text.contains("reg [31:0] bug;") {
            let choice = "\n);\n    reg [31:0] bug;\n    initial begin\n        if (!$value$plusargs(\"bug=%d\", bug)) begin\n            \
                          bug = 32'd0;\n        end\n    end\n";
            *text = text.replacen("\n);\n", choice, 1);
        }
    }
    modules.concat()
}

/// Where a port lies in the bytes that go to and fro: first byte, bytes.
type Places = BTreeMap<String, (usize, usize)>;

/// A compiled block.
pub struct Compiled {
    program: PathBuf,
    inputs: Places,
    outputs: Places,
    /// Bytes of all inputs, and of all outputs.
    sizes: (usize, usize),
}

/// A running block.
pub struct Verilated<'a> {
    compiled: &'a Compiled,
    process: Child,
    to: ChildStdin,
    from: ChildStdout,
    sent: Vec<u8>,
    received: Vec<u8>,
}

fn places(emitted: &Emitted, direction: Direction) -> (Places, usize) {
    let mut places = Places::new();
    let mut at = 0;
    for port in emitted.ports.iter().filter(|p| p.direction == direction && p.name != "clock") {
        let bytes = port.width.div_ceil(8);
        places.insert(port.name.clone(), (at, bytes));
        at += bytes;
    }
    (places, at)
}

/// A top with one wide input and one wide output, every port in whole bytes.
fn bench_text(emitted: &Emitted, inputs: &Places, ins: usize, outputs: &Places, outs: usize) -> String {
    let mut body = String::new();
    let mut connections = vec![".clock(clock)".to_string()];
    let mut pads = vec!["1'b0".to_string()];
    for port in emitted.ports.iter().filter(|p| p.name != "clock") {
        let (name, width) = (&port.name, port.width);
        let input = port.direction == Direction::Input;
        let (at, bytes) = if input { inputs[name] } else { outputs[name] };
        let low = 8 * at;
        let bus = if input { "in" } else { "out" };
        connections.push(format!(".{name}({bus}[{}:{low}])", low + width - 1));
        if width % 8 != 0 {
            let pad = format!("{bus}[{}:{}]", low + 8 * bytes - 1, low + width);
            if input {
                pads.push(pad);
            } else {
                writeln!(body, "    assign {pad} = {}'d0;", 8 * bytes - width).expect("writing to a string");
            }
        }
    }
    format!(
        "module bench (input wire clock, input wire [{}:0] in, output wire [{}:0] out);\n{body}    \
         wire unused = &{{{}}};\n    {} dut (\n        {}\n    );\nendmodule\n",
        8 * ins - 1,
        8 * outs - 1,
        pads.join(", "),
        emitted.top,
        connections.join(",\n        ")
    )
}

fn harness_text(ins: usize, outs: usize) -> String {
    format!(
        r#"#include "Vbench.h"
#include "verilated.h"
#include <cstdio>
#include <cstring>
#include <memory>
int main(int argc, char** argv) {{
    auto context = std::make_unique<VerilatedContext>();
    context->commandArgs(argc, argv);
    auto model = std::make_unique<Vbench>(context.get());
    static_assert(sizeof(model->in) >= {ins} && sizeof(model->out) >= {outs}, "wide ports");
    for (int command; (command = getchar()) != EOF;) {{
        if (fread((void*)&model->in, 1, {ins}, stdin) != {ins}) return 3;
        model->clock = 0;
        model->eval();
        if (fwrite((const void*)&model->out, 1, {outs}, stdout) != {outs} || fflush(stdout)) return 4;
        if (command == 'c') {{
            model->clock = 1;
            model->eval();
        }}
    }}
    return 0;
}}
"#
    )
}

impl Compiled {
    /// Compiles the block, without a single warning, into a folder of this name; what is there already is used again.
    pub fn new(emitted: &Emitted, name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let ((inputs, ins), (outputs, outs)) = (places(emitted, Direction::Input), places(emitted, Direction::Output));
        let text = bench_text(emitted, &inputs, ins, &outputs, outs) + &emitted.verilog;
        let program = folder.join("bench");
        if std::fs::read_to_string(folder.join("bench.v")).is_ok_and(|old| old == text) && program.is_file() {
            return Self { program, inputs, outputs, sizes: (ins, outs) };
        }
        std::fs::remove_dir_all(&folder).ok();
        std::fs::create_dir_all(&folder).expect("the target folder is writable");
        let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).expect("the folder is writable");
        write("bench.v", &text);
        write("harness.cpp", &harness_text(ins, outs));
        let root = verilator_root();
        run_tool(
            Command::new(root.join("bin/verilator_bin"))
                .env("VERILATOR_ROOT", &root)
                .args(["--cc", "-O3", "--x-assign", "unique", "--x-initial", "unique", "-Wall", "-Wno-DECLFILENAME"])
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
        run_tool(
            Command::new("g++")
                .args(["-std=c++17", "-O1", "-DVM_COVERAGE=0", "-DVM_SC=0", "-DVM_TRACE=0", "-pthread", "-I"])
                .arg(root.join("include"))
                .arg("-I")
                .arg(root.join("include/vltstd"))
                .args(&sources)
                .arg(root.join("include/verilated.cpp"))
                .arg(root.join("include/verilated_threads.cpp"))
                .arg("-o")
                .arg(&program),
        );
        Self { program, inputs, outputs, sizes: (ins, outs) }
    }

    /// A fresh one, not reset; with one of its bugs, or 0.
    pub fn start(&self, bug: usize) -> Verilated<'_> {
        let mut process = Command::new(&self.program)
            .arg(format!("+bug={bug}"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", self.program.display()));
        let to = process.stdin.take().expect("its input is a pipe");
        let from = process.stdout.take().expect("its output is a pipe");
        let (ins, outs) = self.sizes;
        Verilated { compiled: self, process, to, from, sent: vec![0; 1 + ins], received: vec![0; outs] }
    }
}

impl Verilated<'_> {
    fn place(places: &Places, name: &str) -> (usize, usize) {
        *places.get(name).unwrap_or_else(|| panic!("no port `{name}`"))
    }

    /// Drives an input of up to 64 bits.
    pub fn set(&mut self, name: &str, value: u64) {
        let (at, bytes) = Self::place(&self.compiled.inputs, name);
        self.sent[1 + at..][..bytes].copy_from_slice(&value.to_le_bytes()[..bytes]);
    }

    /// Drives an input, lowest byte first; what is missing is 0.
    pub fn set_bytes(&mut self, name: &str, value: &[u8]) {
        let (at, bytes) = Self::place(&self.compiled.inputs, name);
        let field = &mut self.sent[1 + at..][..bytes];
        field.fill(0);
        field[..value.len()].copy_from_slice(value);
    }

    fn ask(&mut self, command: u8) {
        self.sent[0] = command;
        self.to.write_all(&self.sent).and_then(|()| self.to.flush()).expect("the simulation listens");
        self.from.read_exact(&mut self.received).expect("the simulation answers");
    }

    /// Lets the inputs settle: the outputs are those of this cycle.
    pub fn settle(&mut self) {
        self.ask(b'e');
    }

    /// Lets the inputs settle and ends the cycle: the outputs are those before the clock's edge.
    pub fn cycle(&mut self) {
        self.ask(b'c');
    }

    /// An output of up to 64 bits.
    pub fn get(&self, name: &str) -> u64 {
        let bytes = self.get_bytes(name);
        let mut value = [0; 8];
        value[..bytes.len()].copy_from_slice(bytes);
        u64::from_le_bytes(value)
    }

    /// Whether an output of one bit is high.
    pub fn is(&self, name: &str) -> bool {
        self.get(name) == 1
    }

    /// An output, lowest byte first.
    pub fn get_bytes(&self, name: &str) -> &[u8] {
        let (at, bytes) = Self::place(&self.compiled.outputs, name);
        &self.received[at..][..bytes]
    }
}

impl Drop for Verilated<'_> {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}
