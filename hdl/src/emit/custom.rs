//! Blocks that bring their own Verilog.

use super::design::Instance;
use super::expression::SignalId;
use super::module::{Body, claim, claim_ports};
use super::names::Scope;
use super::print::{Text, number, range};
use super::signals::{Kind, Signals};
use super::{Direction, Port};
use std::collections::BTreeMap;

/// The ports of a black box under the names that its own declaration gives them.
pub fn ports(instance: &Instance) -> Result<Vec<(String, Port)>, String> {
    let (signals, _) = Signals::of(instance)?;
    let list = signals.iter().filter_map(|(_, s)| {
        let direction = match s.kind {
            Kind::Input => Direction::Input,
            Kind::Output => Direction::Output,
            _ => return None,
        };
        Some((s.path.clone(), Port { name: s.path.clone(), width: s.width, direction }))
    });
    Ok(list.collect())
}

/// A module around `code`, which calls the signals by their flattened paths.
///
/// Outputs are variables, as in rust-hdl, unless `wires` is set or the code drives them with `assign`.
pub fn build(instance: &Instance, code: &str, wires: bool) -> Result<Body, String> {
    if let Some(child) = instance.children.first() {
        return Err(format!("a block with its own Verilog cannot have the child block `{}`", child.name));
    }
    let (signals, _) = Signals::of(instance)?;
    let mut scope = Scope::default();
    let ports = claim_ports(instance, &signals, &mut scope)?;
    let mut renamed: BTreeMap<String, String> =
        ports.iter().map(|(id, port)| (signals[*id].path.clone(), port.name.clone())).collect();
    for (_, signal) in signals.iter().filter(|(_, s)| matches!(s.kind, Kind::Constant | Kind::Local)) {
        renamed.insert(signal.path.clone(), claim(&mut scope, &signal.path)?);
    }
    let continuous = |id: SignalId| {
        let words: Vec<&str> = code.split(|c: char| !is_identifier(c)).filter(|w| !w.is_empty()).collect();
        words.windows(2).any(|pair| pair[0] == "assign" && pair[1] == signals[id].path)
    };

    let mut out = Text::default();
    out.line(" (");
    out.indented(|out| {
        for (at, (id, port)) in ports.iter().enumerate() {
            let kind = match port.direction {
                Direction::Input => "input wire",
                Direction::Output if wires || continuous(*id) => "output wire",
                Direction::Output => "output reg",
            };
            let comma = if at + 1 < ports.len() { "," } else { "" };
            out.line(format!("{kind} {}{}{comma}", range(port.width), port.name));
        }
    });
    out.line(");");
    out.indented(|out| {
        for (_, signal) in signals.iter() {
            let Some(name) = renamed.get(&signal.path) else { continue };
            match (signal.kind, &signal.constant) {
                (Kind::Constant, Some(value)) => {
                    let width = signal.width;
                    out.line(format!("localparam {}{name} = {};", range(width), number(value, width)));
                }
                (Kind::Local, _) if !wires => out.line(format!("reg {}{name};", range(signal.width))),
                _ => {}
            }
        }
        for line in rename(code, &renamed).trim().lines() {
            out.line(line.trim_end());
        }
    });
    out.line("endmodule");
    let ports = ports.into_iter().map(|(id, port)| (signals[id].path.clone(), port)).collect();
    Ok(Body { text: out.lines, ports })
}

fn is_identifier(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '$'
}

fn rename(code: &str, renamed: &BTreeMap<String, String>) -> String {
    let mut out = String::new();
    let mut rest = code;
    while let Some(start) = rest.find(is_identifier) {
        out.push_str(&rest[..start]);
        let end = rest[start..].find(|c| !is_identifier(c)).map_or(rest.len(), |n| start + n);
        let word = &rest[start..end];
        out.push_str(renamed.get(word).map_or(word, String::as_str));
        rest = &rest[end..];
    }
    out.push_str(rest);
    out
}
