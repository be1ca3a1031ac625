//! The signals one module sees: its own, and the ports of its children.

use super::design::{AtomInfo, Instance, to_bits};
use super::expression::SignalId;
use num_bigint::BigUint;
use rust_hdl_core::atom::AtomKind;
use rust_hdl_core::type_descriptor::{TypeDescriptor, TypeKind};
use std::collections::BTreeMap;
use std::ops::Index;

/// What a signal is to the module.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Input,
    Output,
    Local,
    Constant,
    /// Driven here, read by a child: also `d` and `clock` of a flip-flop.
    ChildInput,
    ChildOutput,
    /// What a flip-flop holds.
    State,
    /// Names an expression whose bits are selected.
    Part,
}

/// One row of the table.
pub struct Signal {
    pub path: String,
    pub width: usize,
    pub kind: Kind,
    pub descriptor: TypeDescriptor,
    /// The value of a `Constant` field.
    pub constant: Option<BigUint>,
}

/// A flip-flop child and its three signals.
pub struct FlipFlop {
    pub name: String,
    pub d: SignalId,
    pub q: SignalId,
    pub clock: SignalId,
    pub power_up: BigUint,
}

/// The table, searchable by path.
#[derive(Default)]
pub struct Signals {
    rows: Vec<Signal>,
    by_path: BTreeMap<String, SignalId>,
}

impl Index<SignalId> for Signals {
    type Output = Signal;

    fn index(&self, id: SignalId) -> &Signal {
        &self.rows[id]
    }
}

impl Signals {
    /// The table of `instance`, and its flip-flops.
    pub fn of(instance: &Instance) -> Result<(Signals, Vec<FlipFlop>), String> {
        let mut table = Signals::default();
        let mut flip_flops = vec![];
        for atom in &instance.atoms {
            let kind = match atom.kind {
                AtomKind::InputParameter => Kind::Input,
                AtomKind::OutputParameter => Kind::Output,
                AtomKind::LocalSignal => Kind::Local,
                AtomKind::Constant => Kind::Constant,
                _ => return Err(format!("`{}` is an `InOut` signal, which is not supported", atom.path)),
            };
            table.add_atom(atom.path.clone(), kind, atom)?;
        }
        for child in &instance.children {
            let power_up = child.flip_flop();
            let mut port = |name: &str, kind: Kind| -> Result<SignalId, String> {
                let atom = child.atoms.iter().find(|a| a.path == name).ok_or("a port is missing")?;
                table.add_atom(format!("{}${}", child.name, atom.path), kind, atom)
            };
            if let Some(power_up) = power_up {
                let (q, d, clock) =
                    (port("q", Kind::State)?, port("d", Kind::ChildInput)?, port("clock", Kind::ChildInput)?);
                flip_flops.push(FlipFlop { name: child.name.clone(), d, q, clock, power_up });
                continue;
            }
            for atom in &child.atoms {
                match atom.kind {
                    AtomKind::InputParameter => port(&atom.path, Kind::ChildInput)?,
                    AtomKind::OutputParameter => port(&atom.path, Kind::ChildOutput)?,
                    AtomKind::InOutParameter => {
                        return Err(format!(
                            "`{}.{}` is an `InOut` signal, which is not supported",
                            child.name, atom.path
                        ));
                    }
                    _ => continue,
                };
            }
        }
        Ok((table, flip_flops))
    }

    fn add_atom(&mut self, path: String, kind: Kind, atom: &AtomInfo) -> Result<SignalId, String> {
        if atom.width == 0 {
            return Err(format!("`{path}` has no bits"));
        }
        // The macro turns `self.` into nothing wherever it stands, so such a name would lose its end.
        if path.split('$').any(|part| part.ends_with("self")) {
            return Err(format!("`{path}`: a name that ends in `self` is garbled by rust-hdl"));
        }
        let constant = match kind {
            Kind::Constant => Some(
                to_bits(&atom.value, atom.width)
                    .ok_or_else(|| format!("the value of `{path}` does not fit its type"))?,
            ),
            _ => None,
        };
        Ok(self.add(Signal { path, width: atom.width, kind, descriptor: atom.descriptor.clone(), constant }))
    }

    fn add(&mut self, signal: Signal) -> SignalId {
        self.by_path.insert(signal.path.clone(), self.rows.len());
        self.rows.push(signal);
        self.rows.len() - 1
    }

    /// Adds the signal for a part of an expression.
    pub fn add_part(&mut self, name: String, width: usize) -> SignalId {
        let descriptor = TypeDescriptor { name: name.clone(), kind: TypeKind::Bits(width) };
        // A path that no Rust field can have keeps the part out of reach of name resolution.
        self.rows.push(Signal { path: name, width, kind: Kind::Part, descriptor, constant: None });
        self.rows.len() - 1
    }

    /// The signal at `path`, parts joined by `$`.
    pub fn find(&self, path: &str) -> Option<SignalId> {
        self.by_path.get(path).copied()
    }

    /// All rows in order.
    pub fn iter(&self) -> impl Iterator<Item = (SignalId, &Signal)> {
        self.rows.iter().enumerate()
    }

    /// Whether `.val()` gives the value assigned so far rather than the settled one.
    pub fn reads_at_once(&self, id: SignalId) -> bool {
        matches!(self.rows[id].kind, Kind::Local | Kind::Output)
    }
}
