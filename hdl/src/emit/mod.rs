//! Prints a block as Verilog that means what rust-hdl's simulator computes.
//!
//! rust-hdl's own printer drops parentheses and lets Verilog widen operands. This one lowers the AST to expressions of
//! known width (`expression.rs`), gives every target a process of its own (`process.rs`), keeps flip-flops in the module
//! that uses them, merges identical modules, and refuses what has no equivalent in hardware. The output needs no lint
//! exceptions.

mod custom;
mod design;
mod expression;
mod lower;
mod module;
mod names;
mod path;
mod print;
mod process;
#[cfg(test)]
mod refusals;
mod select;
mod signals;
#[cfg(test)]
mod tests;
mod wire;

use design::{Enums, Instance};
use rust_hdl_core::ast::Verilog;
use rust_hdl_core::block::Block;
use rust_hdl_core::check_error::{CheckError, PathedName};
use rust_hdl_core::check_logic_loops::check_logic_loops;
use rust_hdl_core::check_write_inputs::check_inputs_not_written;
use std::collections::BTreeMap;

/// Which way a port points, seen from the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Driven from outside.
    Input,
    /// Driven by the module.
    Output,
}

/// A port of the top module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// Identifier in the Verilog text.
    pub name: String,
    /// Width in bits.
    pub width: usize,
    /// Which way it points.
    pub direction: Direction,
}

/// A design as Verilog.
#[derive(Debug, Clone)]
pub struct Emitted {
    /// Name of the top module.
    pub top: String,
    /// Ports of the top module in the order of the struct's fields.
    pub ports: Vec<Port>,
    /// All modules, the top first.
    pub verilog: String,
}

/// Why a block cannot be printed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EmitError {
    /// Signals that nothing drives.
    #[error("not driven: {}; assign them in `update`", .0.join(", "))]
    NotDriven(Vec<String>),
    /// Signals that rust-hdl finds to be read before they are assigned.
    #[error("read before they are assigned: {}", .0.join(", "))]
    ReadBeforeAssigned(Vec<String>),
    /// Inputs that their own block assigns.
    #[error("inputs assigned by their own block: {}", .0.join(", "))]
    InputAssigned(Vec<String>),
    /// Something in one block that cannot be expressed; the text says what, and what to write instead.
    #[error("{block}: {reason}")]
    Block {
        /// Instance names from the top down, joined by dots.
        block: String,
        /// What is wrong and what to do.
        reason: String,
    },
}

/// Prints `block`, connected and checked here, with `top` as the name of its module.
pub fn emit<B: Block>(block: &mut B, top: &str) -> Result<Emitted, EmitError> {
    emit_any(block, top)
}

/// [`emit`] without the type, so that it is compiled once and not for every block.
fn emit_any(block: &mut dyn Block, top: &str) -> Result<Emitted, EmitError> {
    block.connect_all();
    let in_top = |reason: String| EmitError::Block { block: top.to_string(), reason };
    let tree = design::collect(block, top).ok_or_else(|| in_top("the top is not a block of its own".into()))?;
    let mut open = vec![];
    tree.unconnected(true, &mut open);
    if !open.is_empty() {
        return Err(EmitError::NotDriven(open));
    }
    check_logic_loops(block).and_then(|()| check_inputs_not_written(block)).map_err(|e| translate(e, top))?;

    let mut enums = Enums::new();
    tree.gather_enums(&mut enums);
    let mut design = Design { enums, ..Design::default() };
    let built = design.build(&tree)?;
    let Some(root) = built.module else {
        return Err(in_top("the top is a black box".into()));
    };
    let names = design.name_modules(root, top)?;
    Ok(Emitted {
        top: top.to_string(),
        ports: built.ports.into_iter().map(|(_, port)| port).collect(),
        verilog: design.text(root, &names),
    })
}

fn translate(error: CheckError, top: &str) -> EmitError {
    let list = |names: Vec<PathedName>| {
        names
            .into_iter()
            .map(|n| {
                let path = n.path.replacen("uut", top, 1);
                path::shown(&format!("{path}${}", n.name))
            })
            .collect()
    };
    match error {
        CheckError::OpenSignal(open) => EmitError::NotDriven(list(open.into_values().collect())),
        CheckError::LogicLoops(names) => EmitError::ReadBeforeAssigned(list(names)),
        CheckError::WritesToInputs(names) => EmitError::InputAssigned(list(names)),
    }
}

/// Modules so far. Each text stands once, whatever number of instances has it.
#[derive(Default)]
struct Design {
    enums: Enums,
    bodies: Vec<ModuleText>,
    by_text: BTreeMap<String, usize>,
    /// Black boxes and other text that stands beside the modules.
    extras: Vec<String>,
}

struct ModuleText {
    text: String,
    children: Vec<usize>,
    /// Paths of all instances, in the order of the hierarchy.
    instances: Vec<Vec<String>>,
}

/// What a parent needs to know of an instance.
struct Built {
    /// Index of the module, or `None` for a black box.
    module: Option<usize>,
    /// What stands for the module's name in the parent.
    reference: String,
    ports: Vec<(String, Port)>,
}

/// Stands for the name of module `index` until the names are chosen. No Verilog text contains this character.
fn placeholder(index: usize) -> String {
    format!("\u{1}{index}\u{1}")
}

impl Design {
    fn build(&mut self, instance: &Instance) -> Result<Built, EmitError> {
        let fail = |reason: String| EmitError::Block { block: path::shown(&instance.path.join("$")), reason };
        let mut children = vec![];
        let mut below = vec![];
        for child in instance.children.iter().filter(|c| c.flip_flop().is_none()) {
            let built = self.build(child)?;
            below.extend(built.module);
            children.push(module::Child {
                name: child.name.clone(),
                module: built.reference,
                ports: built.ports.iter().map(|(path, port)| (path.clone(), port.name.clone())).collect(),
            });
        }
        let body = match &instance.hdl {
            Verilog::Combinatorial(block) => module::build(instance, block, &self.enums, &children).map_err(fail)?,
            Verilog::Empty => module::build(instance, &vec![], &self.enums, &children).map_err(fail)?,
            Verilog::Custom(code) => custom::build(instance, code, false).map_err(fail)?,
            Verilog::Wrapper(wrapper) => {
                self.extra(&wrapper.cores);
                custom::build(instance, &wrapper.code, true).map_err(fail)?
            }
            Verilog::Blackbox(black_box) => {
                self.extra(&black_box.code);
                let ports = custom::ports(instance).map_err(fail)?;
                return Ok(Built { module: None, reference: black_box.name.clone(), ports });
            }
        };
        let index = match self.by_text.get(&body.text) {
            Some(index) => *index,
            None => {
                self.by_text.insert(body.text.clone(), self.bodies.len());
                self.bodies.push(ModuleText { text: body.text, children: below, instances: vec![] });
                self.bodies.len() - 1
            }
        };
        self.bodies[index].instances.push(instance.path.clone());
        Ok(Built { module: Some(index), reference: placeholder(index), ports: body.ports })
    }

    fn extra(&mut self, text: &str) {
        let text = text.trim().to_string();
        if !text.is_empty() && !self.extras.contains(&text) {
            self.extras.push(text);
        }
    }

    /// A name per module: the field's, without an element number where all elements share the module.
    fn name_modules(&self, root: usize, top: &str) -> Result<BTreeMap<usize, String>, EmitError> {
        let stem = |path: &[String]| -> String {
            let last = path.last().map_or("", String::as_str);
            let parts: Vec<&str> = last.split('$').take_while(|p| p.parse::<usize>().is_err()).collect();
            parts.join("_")
        };
        let mut sharing: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for index in self.order(root) {
            if index != root {
                sharing.entry(stem(&self.bodies[index].instances[0])).or_default().push(index);
            }
        }
        let mut scope = names::Scope::default();
        let mut chosen = BTreeMap::new();
        chosen.insert(
            root,
            module::claim(&mut scope, top).map_err(|reason| EmitError::Block { block: top.to_string(), reason })?,
        );
        for (stem, members) in sharing {
            for index in &members {
                let path = &self.bodies[*index].instances[0];
                let own = |depth: usize| path[path.len().saturating_sub(depth).max(1)..].join("_").replace('$', "_");
                let plain = members.len() == 1;
                let candidates = std::iter::once(stem.clone()).filter(|_| plain).chain((1..=path.len()).map(own));
                let name = candidates
                    .filter(|c| !names::is_reserved(c))
                    .find(|c| {
                        !chosen.values().any(|n| n == c)
                            && (plain || members.iter().all(|m| m == index || !self.answers_to(*m, c)))
                    })
                    .unwrap_or_else(|| own(1));
                chosen.insert(*index, scope.claim(&name));
            }
        }
        Ok(chosen)
    }

    fn answers_to(&self, index: usize, name: &str) -> bool {
        self.bodies[index].instances.iter().any(|p| p.last().is_some_and(|l| l.replace('$', "_") == name))
    }

    /// Modules from the top down, each where it is first used.
    fn order(&self, root: usize) -> Vec<usize> {
        let mut order = vec![];
        let mut open = vec![root];
        while let Some(index) = open.pop() {
            if !order.contains(&index) {
                order.push(index);
                open.extend(self.bodies[index].children.iter().rev());
            }
        }
        order
    }

    fn text(&self, root: usize, names: &BTreeMap<usize, String>) -> String {
        let mut out = String::from(
            "// Generated by Pointsman from its Rust HDL sources. Edit those instead.\n\n`default_nettype none\n",
        );
        for index in self.order(root) {
            let pieces: Vec<&str> = self.bodies[index].text.split('\u{1}').collect();
            out.push_str(&format!("\nmodule {}", names[&index]));
            for (at, piece) in pieces.iter().enumerate() {
                // Every second piece is the index inside a placeholder.
                match piece.parse::<usize>() {
                    Ok(child) if at % 2 == 1 => out.push_str(&names[&child]),
                    _ => out.push_str(piece),
                }
            }
        }
        out.push_str("\n`default_nettype wire\n");
        for extra in &self.extras {
            out.push_str(&format!("\n{extra}\n"));
        }
        out
    }
}
