//! A design with a card's ports whose every output is known from its inputs, for the bridge's own tests: each field of
//! each struct has a visible way through it, one output is combinational, and one request stops the simulation.

use std::fmt::Write as _;

use hdl::emit::{Direction, Emitted};

use crate::ports::{Size, expected};

/// The fixture in that size. `tests` in `bridge.rs` states what it does.
pub fn fixture(name: &str, size: Size) -> Emitted {
    let ports = expected(size);
    let mut text = format!("module {name}(\n");
    for (i, port) in ports.iter().enumerate() {
        let kind = match port.direction {
            Direction::Input => "input wire",
            Direction::Output if port.name.starts_with("host_r") => "output wire",
            Direction::Output => "output reg",
        };
        let comma = if i + 1 < ports.len() { "," } else { "" };
        let _ = writeln!(text, "  {kind} [{}:0] {}{comma}", port.width - 1, port.name);
    }
    text.push_str(
        ");\n  // Combinational: the answer belongs to the cycle of the request, and shows what idle ports hold.\n  \
         assign host_rvalid = host_valid & ~host_write;\n  \
         assign host_rdata = {rx_tdata[11:0] ^ core_addr_0, host_addr};\n  \
         reg [23:0] beats;\n  always @(posedge clock) begin\n    beats <= reset ? 24'd0 : beats + {23'd0, rx_tvalid};\n    \
         if (host_valid & host_write & (host_wdata == 32'hDEAD_DEAD)) $stop;\n",
    );
    for i in 0..size.processors {
        let _ = write!(
            text,
            "    core_rvalid_{i} <= core_valid_{i} & ~core_write_{i};\n    \
             core_rdata_{i} <= core_wdata_{i} + {{20'd0, core_addr_{i}}};\n    \
             mem_wvalid_{i} <= rx_tvalid & rx_tdata[{i}];\n    mem_wdata_{i} <= ~rx_tdata;\n    \
             mem_wstrb_{i} <= rx_tkeep;\n    mem_waddr_{i} <= {{beats, 6'd{i}, rx_tlast, rx_tuser}};\n"
        );
    }
    text.push_str("  end\nendmodule\n");
    Emitted { top: name.to_string(), ports, verilog: text }
}
