//! Reads a block's hierarchy: every scope with its signals, children and hardware description.

use super::path::shown;
use num_bigint::{BigInt, BigUint};
use rust_hdl_core::ast::{Verilog, VerilogLiteral};
use rust_hdl_core::atom::{Atom, AtomKind};
use rust_hdl_core::block::Block;
use rust_hdl_core::probe::Probe;
use rust_hdl_core::type_descriptor::{TypeDescriptor, TypeKind};
use std::collections::BTreeMap;

/// One signal or constant of a scope.
pub struct AtomInfo {
    /// Flattened name: interface and element parts joined by `$`.
    pub path: String,
    pub kind: AtomKind,
    pub width: usize,
    pub descriptor: TypeDescriptor,
    /// Present value: meaningful for constants.
    pub value: BigInt,
    pub connected: bool,
}

/// One instance of a block.
pub struct Instance {
    /// Field name in the parent; elements of a `Vec` or array end in `$index`.
    pub name: String,
    /// Names from the top down to this instance.
    pub path: Vec<String>,
    pub hdl: Verilog,
    pub atoms: Vec<AtomInfo>,
    pub children: Vec<Instance>,
}

/// The variants of an enum in order; the value of a variant is its position.
pub type Enums = BTreeMap<String, Vec<Vec<String>>>;

/// The value inside a literal; `BigInt` has no public way out but its text.
pub fn literal_value(literal: &VerilogLiteral) -> BigInt {
    let text = format!("{literal:x}");
    let digits = text.split_once("'h").map_or(text.as_str(), |(_, digits)| digits);
    BigInt::parse_bytes(digits.as_bytes(), 16).unwrap_or_default()
}

/// `value` as the bits of a `width`-bit number in two's complement, or `None` where it does not fit.
pub fn to_bits(value: &BigInt, width: usize) -> Option<BigUint> {
    let bits = if value.sign() == num_bigint::Sign::Minus { value + (BigInt::from(1) << width) } else { value.clone() };
    bits.to_biguint().filter(|b| b.bits() <= width as u64)
}

struct Collector {
    open: Vec<(Instance, Vec<String>)>,
    top: Option<Instance>,
}

/// The hierarchy below `block`, which is called `name`.
pub fn collect(block: &dyn Block, name: &str) -> Option<Instance> {
    let mut collector = Collector { open: vec![], top: None };
    block.accept(name, &mut collector);
    collector.top
}

impl Probe for Collector {
    fn visit_start_scope(&mut self, name: &str, node: &dyn Block) {
        let mut path = self.open.last().map_or(vec![], |(parent, _)| parent.path.clone());
        path.push(name.to_string());
        let instance = Instance { name: name.to_string(), path, hdl: node.hdl(), atoms: vec![], children: vec![] };
        self.open.push((instance, vec![]));
    }

    fn visit_start_namespace(&mut self, name: &str, _node: &dyn Block) {
        if let Some((_, namespace)) = self.open.last_mut() {
            namespace.push(name.to_string());
        }
    }

    fn visit_atom(&mut self, name: &str, atom: &dyn Atom) {
        if let Some((instance, namespace)) = self.open.last_mut() {
            let path = namespace.iter().map(String::as_str).chain([name]).collect::<Vec<_>>().join("$");
            instance.atoms.push(AtomInfo {
                path,
                kind: atom.kind(),
                width: atom.bits(),
                descriptor: atom.descriptor(),
                value: literal_value(&atom.verilog()),
                connected: atom.connected(),
            });
        }
    }

    fn visit_end_namespace(&mut self, _name: &str, _node: &dyn Block) {
        if let Some((_, namespace)) = self.open.last_mut() {
            namespace.pop();
        }
    }

    fn visit_end_scope(&mut self, _name: &str, _node: &dyn Block) {
        if let Some((done, _)) = self.open.pop() {
            match self.open.last_mut() {
                Some((parent, _)) => parent.children.push(done),
                None => self.top = Some(done),
            }
        }
    }
}

impl Instance {
    /// Adds every enum that a signal below here carries. Two types may share a name; both are kept.
    pub fn gather_enums(&self, enums: &mut Enums) {
        for atom in &self.atoms {
            gather(&atom.descriptor, enums);
        }
        for child in &self.children {
            child.gather_enums(enums);
        }
    }

    /// Signals that nothing drives; the top's own inputs are driven from outside.
    pub fn unconnected(&self, top: bool, found: &mut Vec<String>) {
        for atom in &self.atoms {
            let outside = top && matches!(atom.kind, AtomKind::InputParameter | AtomKind::InOutParameter);
            if !atom.connected && !outside {
                found.push(shown(&format!("{}${}", self.path.join("$"), atom.path)));
            }
        }
        for child in &self.children {
            child.unconnected(false, found);
        }
    }

    /// The power-up value, if this is a plain flip-flop: ports `d`, `q`, `clock` and nothing but `q <= d`.
    pub fn flip_flop(&self) -> Option<BigUint> {
        let Verilog::Custom(code) = &self.hdl else { return None };
        let width =
            |name: &str, kind: AtomKind| self.atoms.iter().find(|a| a.path == name && a.kind == kind).map(|a| a.width);
        let d = width("d", AtomKind::InputParameter)?;
        let q = width("q", AtomKind::OutputParameter)?;
        let clock = width("clock", AtomKind::InputParameter)?;
        if self.atoms.len() != 3 || !self.children.is_empty() || d != q || clock != 1 {
            return None;
        }
        let words = code.split_whitespace().collect::<Vec<_>>().join(" ");
        let literal = words
            .strip_prefix("initial begin q = ")?
            .strip_suffix("; end always @(posedge clock) begin q <= d; end")?;
        let (_, digits) = literal.split_once("'h")?;
        to_bits(&BigInt::parse_bytes(digits.as_bytes(), 16)?, q)
    }
}

fn gather(descriptor: &TypeDescriptor, enums: &mut Enums) {
    match &descriptor.kind {
        TypeKind::Enum(labels) => {
            let variants: Vec<String> = labels.iter().map(|l| l.rsplit("::").next().unwrap_or(l).to_string()).collect();
            let known = enums.entry(descriptor.name.clone()).or_default();
            if !known.contains(&variants) {
                known.push(variants);
            }
        }
        TypeKind::Composite(fields) => fields.iter().for_each(|f| gather(&f.kind, enums)),
        TypeKind::Bits(_) | TypeKind::Signed(_) => {}
    }
}

/// Width in bits of a value of this type.
pub fn width_of(descriptor: &TypeDescriptor) -> usize {
    match &descriptor.kind {
        TypeKind::Bits(n) | TypeKind::Signed(n) => *n,
        TypeKind::Enum(variants) => rust_hdl_core::bits::clog2(variants.len()),
        TypeKind::Composite(fields) => fields.iter().map(|f| width_of(&f.kind)).sum(),
    }
}

/// Offset, width and type of a nested field; the first field is at bit 0.
pub fn field<'a>(mut descriptor: &'a TypeDescriptor, fields: &[&str]) -> Option<(usize, &'a TypeDescriptor)> {
    let mut offset = 0;
    for name in fields {
        let TypeKind::Composite(members) = &descriptor.kind else { return None };
        let at = members.iter().position(|m| m.fieldname == *name)?;
        offset += members[..at].iter().map(|m| width_of(&m.kind)).sum::<usize>();
        descriptor = &members[at].kind;
    }
    Some((offset, descriptor))
}
