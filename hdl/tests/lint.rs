//! Cards that cosimulation does not build in are clean under Verilator's `-Wall` too; those that it does are, or it would not build.

mod tools;

use std::path::Path;
use std::process::Command;

use abi::params::NicParams;

/// Processors, width, depth of the MFA queues: the ends of each, and numbers of processors that are no power of two.
const CARDS: [(usize, usize, usize); 5] = [(2, 512, 16), (3, 128, 1024), (5, 64, 32), (7, 256, 256), (16, 64, 1024)];

#[test]
fn cards_of_any_size_have_no_warnings() {
    let root = tools::verilator_root();
    for (processors, width, depth) in CARDS {
        let params = NicParams::new(processors, width).and_then(|p| p.with_mfa_depth(depth)).unwrap();
        let card = hdl::nic::emit_nic(params).unwrap_or_else(|error| panic!("{params}: {error}"));
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("lint_{params}_{depth}.v"));
        std::fs::write(&path, &card.verilog).expect("the target folder is writable");
        let mut verilator = Command::new(root.join("bin/verilator_bin"));
        verilator.env("VERILATOR_ROOT", &root).args(["--lint-only", "-Wall", "-Wno-DECLFILENAME"]);
        tools::run_tool(verilator.args(["--top-module", &card.top]).arg(&path));
    }
}
