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
            Direction::Output if ["tlp_rx_tready", "host_irq"].contains(&port.name.as_str()) => "output wire",
            Direction::Output => "output reg",
        };
        let comma = if i + 1 < ports.len() { "," } else { "" };
        let _ = writeln!(text, "  {kind} [{}:0] {}{comma}", port.width - 1, port.name);
    }
    text.push_str(
        ");\n  // Combinational: they belong to the cycle of their inputs, and show what idle ports hold.\n  \
         assign tlp_rx_tready = tlp_rx_tvalid & tlp_rx_tdata[0];\n  \
         assign host_irq = rx_tdata[3] ^ core_addr_0[5] ^ tlp_rx_theader[127];\n  \
         reg [15:0] beats;\n  always @(posedge clock) begin\n    beats <= reset ? 16'd0 : beats + {15'd0, rx_tvalid};\n    \
         tx_tvalid <= rx_tvalid & tx_tready;\n    tx_tdata <= rx_tdata;\n    tx_tkeep <= ~rx_tkeep;\n    \
         tx_tlast <= rx_tlast;\n    tlp_tx_tvalid <= tlp_rx_tvalid & tlp_tx_tready;\n    \
         tlp_tx_tlast <= tlp_rx_tlast;\n    tlp_tx_tdata <= ~tlp_rx_tdata;\n    \
         tlp_tx_theader <= {tlp_rx_theader[95:0], tlp_rx_theader[127:96] ^ {29'd0, tlp_rx_tbar}};\n    \
         if (tlp_rx_tvalid & (tlp_rx_theader[31:0] == 32'hDEAD_DEAD)) $stop;\n",
    );
    for i in 0..size.processors {
        let _ = write!(
            text,
            "    core_rvalid_{i} <= core_valid_{i} & ~core_write_{i};\n    \
             core_rdata_{i} <= core_wdata_{i} + {{20'd0, core_addr_{i}}};\n    \
             core_ready_{i} <= core_valid_{i};\n    core_irq_{i} <= mem_rdata_{i}[0];\n    \
             mem_valid_{i} <= rx_tvalid & rx_tdata[{i}];\n    mem_write_{i} <= rx_tlast;\n    \
             mem_wdata_{i} <= ~mem_rdata_{i};\n    mem_wstrb_{i} <= rx_tkeep;\n    \
             mem_addr_{i} <= {{beats, 6'd{i}, rx_tlast, rx_tuser}};\n"
        );
    }
    text.push_str("  end\nendmodule\n");
    Emitted { top: name.to_string(), ports, verilog: text }
}
