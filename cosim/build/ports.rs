//! The ports of a card, as the bridge knows them: one table checks the emitted Verilog and writes the C++ that finds a
//! processor's port by number.

use std::fmt::Write as _;

use hdl::emit::{Direction, Emitted, Port};

/// How wide a port is.
enum Width {
    Bits(usize),
    /// The frame stream's W bits.
    Beat,
    /// One bit for each of the W / 8 bytes of a beat.
    Bytes,
}

/// Whether a port is there once, or for every processor (with the number at the end of its name).
#[derive(PartialEq)]
enum Count {
    One,
    PerProcessor,
}

use Count::{One, PerProcessor};
use Direction::{Input, Output};
use Width::{Beat, Bits, Bytes};

const PORTS: [(&str, Direction, Width, Count); 38] = [
    ("clock", Input, Bits(1), One),
    ("reset", Input, Bits(1), One),
    ("rx_tdata", Input, Beat, One),
    ("rx_tkeep", Input, Bytes, One),
    ("rx_tvalid", Input, Bits(1), One),
    ("rx_tlast", Input, Bits(1), One),
    ("rx_tuser", Input, Bits(1), One),
    ("tx_tready", Input, Bits(1), One),
    ("tlp_rx_tdata", Input, Beat, One),
    ("tlp_rx_theader", Input, Bits(128), One),
    ("tlp_rx_tbar", Input, Bits(3), One),
    ("tlp_rx_tvalid", Input, Bits(1), One),
    ("tlp_rx_tlast", Input, Bits(1), One),
    ("tlp_tx_tready", Input, Bits(1), One),
    ("core_valid", Input, Bits(1), PerProcessor),
    ("core_write", Input, Bits(1), PerProcessor),
    ("core_addr", Input, Bits(12), PerProcessor),
    ("core_wdata", Input, Bits(32), PerProcessor),
    ("mem_rdata", Input, Beat, PerProcessor),
    ("tx_tdata", Output, Beat, One),
    ("tx_tkeep", Output, Bytes, One),
    ("tx_tvalid", Output, Bits(1), One),
    ("tx_tlast", Output, Bits(1), One),
    ("tlp_rx_tready", Output, Bits(1), One),
    ("tlp_tx_tdata", Output, Beat, One),
    ("tlp_tx_theader", Output, Bits(128), One),
    ("tlp_tx_tvalid", Output, Bits(1), One),
    ("tlp_tx_tlast", Output, Bits(1), One),
    ("host_irq", Output, Bits(1), One),
    ("core_ready", Output, Bits(1), PerProcessor),
    ("core_rvalid", Output, Bits(1), PerProcessor),
    ("core_rdata", Output, Bits(32), PerProcessor),
    ("core_irq", Output, Bits(1), PerProcessor),
    ("mem_valid", Output, Bits(1), PerProcessor),
    ("mem_write", Output, Bits(1), PerProcessor),
    ("mem_addr", Output, Bits(24), PerProcessor),
    ("mem_wdata", Output, Beat, PerProcessor),
    ("mem_wstrb", Output, Bytes, PerProcessor),
];

/// The size of a card: all that its ports depend on.
#[derive(Clone, Copy)]
pub struct Size {
    pub processors: usize,
    /// Bits of the frame stream.
    pub width: usize,
}

/// Every port of a card of that size.
pub fn expected(size: Size) -> Vec<Port> {
    let mut ports = Vec::new();
    for (name, direction, width, count) in &PORTS {
        let width = match width {
            Bits(bits) => *bits,
            Beat => size.width,
            Bytes => size.width / 8,
        };
        match count {
            One => ports.push(Port { name: (*name).to_string(), width, direction: *direction }),
            PerProcessor => ports.extend((0..size.processors).map(|i| Port {
                name: format!("{name}_{i}"),
                width,
                direction: *direction,
            })),
        }
    }
    ports
}

/// Refuses a card whose ports are not those that the bridge drives and reads: a port left out would stay idle unseen.
pub fn check(card: &Emitted, size: Size) -> Result<(), String> {
    let describe = |p: &Port| (p.name.clone(), p.width, p.direction == Input);
    let mut want: Vec<_> = expected(size).iter().map(describe).collect();
    let mut have: Vec<_> = card.ports.iter().map(describe).collect();
    want.sort();
    have.sort();
    let list = |from: &[(String, usize, bool)], without: &[(String, usize, bool)]| {
        let ports = from.iter().filter(|p| !without.contains(p));
        ports
            .map(|(name, width, input)| format!("{} {name}[{width}]", if *input { "input" } else { "output" }))
            .collect::<Vec<_>>()
            .join(", ")
    };
    if want == have {
        return Ok(());
    }
    Err(format!(
        "its ports are not those of cosim/build/ports.rs; only the card has: {}; only the bridge has: {}",
        list(&have, &want),
        list(&want, &have)
    ))
}

/// The C++ of the presets: for each, the `Ports` of `model.h`, and the function that makes the model.
pub fn glue<'a>(presets: impl Iterator<Item = (&'a str, Size)>) -> String {
    let mut text = String::from("#include \"cosim/src/bridge/model.h\"\n");
    for (preset, size) in presets {
        let _ = write!(
            text,
            "\n#include \"V{preset}.h\"\n\nnamespace pointsman {{\nnamespace {preset} {{\n\n\
             struct Ports {{\n  using Top = V{preset};\n  static constexpr int processors = {};\n  \
             static constexpr int width = {};\n",
            size.processors, size.width
        );
        for (name, _, _, count) in &PORTS {
            if *count == PerProcessor {
                let _ = write!(text, "\n  template <int I>\n  static auto& {name}(const Top& top) {{\n");
                for i in 0..size.processors {
                    let _ = writeln!(text, "    if constexpr (I == {i}) return top.{name}_{i};");
                }
                text.push_str("  }\n");
            }
        }
        let _ = write!(
            text,
            "}};\n\n}}  // namespace {preset}\n\n\
             std::unique_ptr<Model> make_{preset}() {{ return std::make_unique<Card<{preset}::Ports>>(); }}\n\n\
             }}  // namespace pointsman\n"
        );
    }
    text
}

/// The C++ that finds a preset by name.
pub fn factory<'a>(presets: impl Iterator<Item = &'a str> + Clone) -> String {
    let mut text = String::from(
        "#include <stdexcept>\n#include <string>\n\n#include \"cosim/src/bridge/interface.h\"\n\nnamespace pointsman {\n\n",
    );
    for preset in presets.clone() {
        let _ = writeln!(text, "std::unique_ptr<Model> make_{preset}();");
    }
    text.push_str("\nstd::unique_ptr<Model> make_model(rust::Str preset) {\n  const std::string name(preset);\n");
    for preset in presets {
        let _ = writeln!(text, "  if (name == \"{preset}\") return make_{preset}();");
    }
    text.push_str("  throw std::invalid_argument(\"no such preset: \" + name);\n}\n\n}  // namespace pointsman\n");
    text
}
