//! One module: which signals it needs, how each is driven, and its text.

use super::design::{Enums, Instance};
use super::expression::{ConstantName, Expr, SignalId};
use super::lower::Lowering;
use super::names::{Scope, is_reserved};
use super::path::shown;
use super::print::{Assign, Names, Text, number, range};
use super::process::{self, Fault, Process, Statement};
use super::signals::{FlipFlop, Kind, Signals};
use super::wire::as_wire;
use super::{Direction, Port};
use num_bigint::BigUint;
use rust_hdl_core::ast::VerilogBlock;
use std::collections::{BTreeMap, BTreeSet};

/// A child that is a module of its own.
pub struct Child {
    /// Field name in the parent.
    pub name: String,
    /// What to write for the module's name.
    pub module: String,
    /// Path and identifier of every port.
    pub ports: Vec<(String, String)>,
}

/// A finished module: everything after its name.
pub struct Body {
    pub text: String,
    pub ports: Vec<(String, Port)>,
}

struct Module<'a> {
    signals: Signals,
    flip_flops: Vec<FlipFlop>,
    children: &'a [Child],
    parts: Vec<(SignalId, Expr)>,
    statements: Vec<Statement>,
    processes: Vec<Process>,
    live: BTreeSet<SignalId>,
    /// Inputs of children that are nothing but wiring, and need no signal of their own.
    direct: BTreeMap<SignalId, Expr>,
    names: Names,
    /// Identifiers of the children, in order.
    instances: Vec<String>,
    /// Identifier of the wire that reads what nothing else does.
    unused: String,
}

/// Gives every port its identifier, ahead of all else so that ports keep their names.
pub fn claim_ports(instance: &Instance, signals: &Signals, scope: &mut Scope) -> Result<Vec<(SignalId, Port)>, String> {
    let mut ports = vec![];
    for (id, signal) in signals.iter() {
        let direction = match signal.kind {
            Kind::Input => Direction::Input,
            Kind::Output => Direction::Output,
            _ => continue,
        };
        ports.push((id, Port { name: claim(scope, &signal.path)?, width: signal.width, direction }));
    }
    if ports.is_empty() {
        return Err(format!("`{}` has no ports", instance.name));
    }
    Ok(ports)
}

/// An identifier for `path`, or why it cannot have one.
pub fn claim(scope: &mut Scope, path: &str) -> Result<String, String> {
    let name = scope.claim(path);
    if is_reserved(&name) || is_reserved(path) {
        return Err(format!("`{}` is a reserved word of Verilog; rename the field", shown(path)));
    }
    Ok(name)
}

/// The module that `block` describes.
pub fn build(instance: &Instance, block: &VerilogBlock, enums: &Enums, children: &[Child]) -> Result<Body, String> {
    let (mut signals, flip_flops) = Signals::of(instance)?;
    let mut lowering = Lowering::new(&mut signals, enums);
    let statements = lowering.block(block)?;
    let parts = lowering.parts;
    let reads = process::part_reads(&parts);
    let processes = process::split(&statements, &signals, &reads).map_err(|fault| explain(&fault, &signals))?;
    let mut module = Module {
        signals,
        flip_flops,
        children,
        parts,
        statements,
        processes,
        live: BTreeSet::new(),
        direct: BTreeMap::new(),
        names: Names::default(),
        instances: vec![],
        unused: String::new(),
    };
    module.find_live()?;
    module.find_direct();
    let mut scope = Scope::default();
    let ports = claim_ports(instance, &module.signals, &mut scope)?;
    let text = module.print(&ports, &mut scope)?;
    let ports = ports.into_iter().map(|(id, port)| (module.signals[id].path.clone(), port)).collect();
    Ok(Body { text, ports })
}

fn explain(fault: &Fault, signals: &Signals) -> String {
    let name = |id: &SignalId| format!("`{}`", shown(&signals[*id].path));
    match fault {
        Fault::Latch(id) => format!(
            "{} is not assigned on every path, which makes it a latch; assign a default at the top of `update`",
            name(id)
        ),
        Fault::Loop(path) => format!(
            "{} depends on itself without a flip-flop between, or is read before it is assigned",
            path.iter().map(name).collect::<Vec<_>>().join(" → ")
        ),
        Fault::PartOfIntermediate(id) => format!(
            "bits of an expression are selected while {} is still to be assigned again; split it into two signals",
            name(id)
        ),
    }
}

impl Module<'_> {
    /// What the outputs and the children depend on. Nothing else is printed.
    fn find_live(&mut self) -> Result<(), String> {
        let registers: BTreeMap<SignalId, (SignalId, SignalId)> =
            self.flip_flops.iter().map(|f| (f.q, (f.d, f.clock))).collect();
        let of_flip_flops: BTreeSet<SignalId> = self.flip_flops.iter().flat_map(|f| [f.d, f.clock]).collect();
        let mut open: Vec<SignalId> = self
            .signals
            .iter()
            .filter(|(id, s)| match s.kind {
                Kind::Output => true,
                Kind::ChildInput => !of_flip_flops.contains(id),
                _ => false,
            })
            .map(|(id, _)| id)
            .collect();
        while let Some(id) = open.pop() {
            if !self.live.insert(id) {
                continue;
            }
            match self.signals[id].kind {
                Kind::State => open.extend(registers.get(&id).into_iter().flat_map(|(d, clock)| [*d, *clock])),
                Kind::Output | Kind::Local | Kind::ChildInput => {
                    let process = self.processes.iter().find(|p| p.targets.contains(&id)).ok_or_else(|| {
                        format!(
                            "nothing in `update` assigns `{}`, or its block has no hardware description",
                            shown(&self.signals[id].path)
                        )
                    })?;
                    for statement in process::slice(&process.statements, &|t| t == id) {
                        statement.expressions(&mut |e| e.reads(&mut |signal, _| open.push(signal)));
                    }
                }
                Kind::Part => {
                    let value = self.parts.iter().find(|(part, _)| *part == id).map(|(_, value)| value);
                    value.into_iter().for_each(|e| e.reads(&mut |signal, _| open.push(signal)));
                }
                Kind::Input | Kind::Constant | Kind::ChildOutput => {}
            }
        }
        for process in &mut self.processes {
            process.statements = process::slice(&process.statements, &|t| self.live.contains(&t));
            process.targets.retain(|t| self.live.contains(t));
        }
        self.processes.retain(|p| !p.targets.is_empty());
        self.flip_flops.retain(|f| self.live.contains(&f.q));
        self.parts.retain(|(id, _)| self.live.contains(id));
        Ok(())
    }

    /// Signals that some expression reads, beyond the ports and flip-flops that they are made for.
    fn read_somewhere(&self) -> BTreeSet<SignalId> {
        let mut read = BTreeSet::new();
        let mut note = |e: &Expr| {
            e.reads(&mut |signal, _| {
                read.insert(signal);
            })
        };
        self.parts.iter().for_each(|(_, e)| note(e));
        self.processes.iter().flat_map(|p| &p.statements).for_each(|s| s.expressions(&mut note));
        read
    }

    fn find_direct(&mut self) {
        let read = self.read_somewhere();
        for process in &self.processes {
            if let [Statement::Assign { target, offset: 0, width, value }] = &process.statements[..] {
                let signal = &self.signals[*target];
                let wiring = signal.kind == Kind::ChildInput && signal.width == *width && value.is_wiring();
                let clock = self.flip_flops.iter().any(|f| f.clock == *target);
                let plain = matches!(value, Expr::Slice { signal, width: 1, .. } if self.signals[*signal].width == 1);
                let d = self.flip_flops.iter().any(|f| f.d == *target);
                if wiring && !read.contains(target) && (!clock || plain) && !d {
                    self.direct.insert(*target, value.clone());
                }
            }
        }
    }

    /// Flip-flops whose next value is only theirs, so that its statements can stand in the clocked block.
    fn folded(&self) -> BTreeSet<SignalId> {
        let read = self.read_somewhere();
        self.flip_flops
            .iter()
            .filter(|f| !read.contains(&f.d))
            .filter(|f| self.processes.iter().any(|p| p.targets.len() == 1 && p.targets.contains(&f.d)))
            .map(|f| f.d)
            .collect()
    }

    fn clock_of(&self, flip_flop: &FlipFlop) -> SignalId {
        match self.direct.get(&flip_flop.clock) {
            Some(Expr::Slice { signal, .. }) => *signal,
            _ => flip_flop.clock,
        }
    }

    /// Statements of the clocked block of `clock`, assigning the flip-flops themselves.
    fn clocked(&self, clock: SignalId, folded: &BTreeSet<SignalId>) -> Vec<Statement> {
        let here: Vec<&FlipFlop> = self.flip_flops.iter().filter(|f| self.clock_of(f) == clock).collect();
        let inside: BTreeSet<SignalId> = here.iter().map(|f| f.d).filter(|d| folded.contains(d)).collect();
        let mut statements = process::slice(&self.statements, &|t| inside.contains(&t));
        for flip_flop in here.iter().filter(|f| inside.contains(&f.d)) {
            let width = self.signals[flip_flop.d].width;
            statements = process::trim(statements, flip_flop.d, width);
            // Without an assignment a flip-flop holds, so the default `d = q` says nothing.
            let first = statements.iter().position(|s| {
                let mut targets = BTreeSet::new();
                s.targets(&mut targets);
                targets.contains(&flip_flop.d)
            });
            let hold = Expr::Slice { signal: flip_flop.q, offset: 0, width };
            if let Some(at) = first {
                let holds = matches!(&statements[at], Statement::Assign { offset: 0, width: w, value, .. } if *w == width && *value == hold);
                if holds {
                    statements.remove(at);
                }
            }
        }
        let state: BTreeMap<SignalId, SignalId> = here.iter().map(|f| (f.d, f.q)).collect();
        let mut statements = retarget(statements, &state);
        for flip_flop in here.iter().filter(|f| !folded.contains(&f.d)) {
            let width = self.signals[flip_flop.d].width;
            statements.push(Statement::Assign {
                target: flip_flop.q,
                offset: 0,
                width,
                value: Expr::Slice { signal: flip_flop.d, offset: 0, width },
            });
        }
        statements
    }

    fn print(&mut self, ports: &[(SignalId, Port)], scope: &mut Scope) -> Result<String, String> {
        let folded = self.folded();
        self.claim_names(ports, scope, &folded)?;
        let mut clocks: Vec<SignalId> = vec![];
        for flip_flop in &self.flip_flops {
            let clock = self.clock_of(flip_flop);
            if !clocks.contains(&clock) {
                clocks.push(clock);
            }
        }
        let clocked: Vec<(SignalId, Vec<Statement>)> = clocks.iter().map(|c| (*c, self.clocked(*c, &folded))).collect();
        let processes = std::mem::take(&mut self.processes);
        let wires: Vec<(SignalId, Option<Expr>, &Process)> = processes
            .iter()
            .filter(|p| !p.targets.iter().any(|t| folded.contains(t) || self.direct.contains_key(t)))
            .flat_map(|p| p.targets.iter().map(move |t| (*t, p)))
            .map(|(t, p)| (t, as_wire(p, self.signals[t].width), p))
            .collect();

        let mut used: BTreeMap<SignalId, Vec<bool>> = BTreeMap::new();
        let mut constants: BTreeMap<ConstantName, (BigUint, usize)> = BTreeMap::new();
        {
            let mut note = |e: &Expr| {
                e.reads(&mut |signal, bits| {
                    let width = self.signals[signal].width;
                    let mask = used.entry(signal).or_insert_with(|| vec![false; width]);
                    let (offset, width) = bits.unwrap_or((0, width));
                    mask[offset..offset + width].fill(true);
                });
                e.constants(&mut |name, value, width| {
                    constants.insert(name.clone(), (value.clone(), width));
                });
            };
            clocked.iter().flat_map(|(_, s)| s).for_each(|s| s.expressions(&mut note));
            self.parts.iter().for_each(|(_, e)| note(e));
            self.direct.iter().filter(|(id, _)| self.live.contains(id)).for_each(|(_, e)| note(e));
            for (_, wire, process) in &wires {
                match wire {
                    Some(value) => note(value),
                    None => process.statements.iter().for_each(|s| s.expressions(&mut note)),
                }
            }
        }
        for clock in &clocks {
            used.insert(*clock, vec![true]);
        }
        self.name_constants(&constants, scope)?;

        let mut out = Text::default();
        out.line(" (");
        out.indented(|out| {
            for (at, (id, port)) in ports.iter().enumerate() {
                let procedural = wires.iter().any(|(t, wire, _)| t == id && wire.is_none());
                let kind = match (port.direction, procedural) {
                    (Direction::Input, _) => "input wire",
                    (Direction::Output, true) => "output reg",
                    (Direction::Output, false) => "output wire",
                };
                let comma = if at + 1 < ports.len() { "," } else { "" };
                out.line(format!("{kind} {}{}{comma}", range(port.width), port.name));
            }
        });
        out.line(");");
        out.indented(|out| {
            self.print_declarations(out, &constants, &wires);
            self.print_children(out);
            self.print_processes(out, &wires);
            self.print_clocked(out, &clocked);
            self.print_unused(out, &used);
        });
        out.line("endmodule");
        Ok(out.lines)
    }

    fn claim_names(
        &mut self,
        ports: &[(SignalId, Port)],
        scope: &mut Scope,
        folded: &BTreeSet<SignalId>,
    ) -> Result<(), String> {
        for (id, port) in ports {
            self.names.signals.insert(*id, port.name.clone());
        }
        for child in self.children {
            self.instances.push(claim(scope, &child.name)?);
        }
        for flip_flop in &self.flip_flops {
            self.names.signals.insert(flip_flop.q, claim(scope, &flip_flop.name)?);
        }
        let declared: Vec<SignalId> = self
            .signals
            .iter()
            .filter(|(id, s)| match s.kind {
                Kind::Local | Kind::Part => self.live.contains(id),
                Kind::ChildInput => self.live.contains(id) && !folded.contains(id) && !self.direct.contains_key(id),
                Kind::ChildOutput => true,
                _ => false,
            })
            .map(|(id, _)| id)
            .collect();
        for id in declared {
            let name = claim(scope, &self.signals[id].path)?;
            self.names.signals.insert(id, name);
        }
        // Linters know by this name that nothing is meant to read it.
        self.unused = scope.claim("unused");
        self.names.widths = self.signals.iter().map(|(id, s)| (id, s.width)).collect();
        Ok(())
    }

    fn name_constants(
        &mut self,
        constants: &BTreeMap<ConstantName, (BigUint, usize)>,
        scope: &mut Scope,
    ) -> Result<(), String> {
        for name in constants.keys() {
            let identifier = match name {
                ConstantName::Field(id) => claim(scope, &self.signals[*id].path)?,
                ConstantName::Variant(kind, _, variant) => claim(scope, &format!("{kind}${variant}"))?,
            };
            self.names.constants.insert(name.clone(), identifier);
        }
        Ok(())
    }

    fn print_declarations(
        &self,
        out: &mut Text,
        constants: &BTreeMap<ConstantName, (BigUint, usize)>,
        wires: &[(SignalId, Option<Expr>, &Process)],
    ) {
        for (name, (value, width)) in constants {
            let identifier = &self.names.constants[name];
            out.line(format!("localparam {}{identifier} = {};", range(*width), number(value, *width)));
        }
        if !constants.is_empty() {
            out.gap();
        }
        let before = out.lines.len();
        for (id, signal) in self.signals.iter() {
            let Some(name) = self.names.signals.get(&id) else { continue };
            let procedural = wires.iter().any(|(t, wire, _)| *t == id && wire.is_none());
            match signal.kind {
                Kind::State => out.line(format!("reg {}{name};", range(signal.width))),
                Kind::Local | Kind::ChildInput if procedural => out.line(format!("reg {}{name};", range(signal.width))),
                Kind::Local | Kind::ChildInput | Kind::ChildOutput => {
                    out.line(format!("wire {}{name};", range(signal.width)))
                }
                _ => {}
            }
        }
        for (id, value) in &self.parts {
            let name = &self.names.signals[id];
            out.line(format!("wire {}{name} = {};", range(value.width()), self.names.expr(value)));
        }
        if out.lines.len() > before {
            out.gap();
        }
    }

    fn print_children(&self, out: &mut Text) {
        for (child, instance) in self.children.iter().zip(&self.instances) {
            out.line(format!("{} {instance} (", child.module));
            out.indented(|out| {
                for (at, (path, port)) in child.ports.iter().enumerate() {
                    let id = self.signals.find(&format!("{}${path}", child.name));
                    let connection = id.map_or_else(String::new, |id| match self.direct.get(&id) {
                        Some(value) => self.names.expr(value),
                        None => self.names.signals[&id].clone(),
                    });
                    let comma = if at + 1 < child.ports.len() { "," } else { "" };
                    out.line(format!(".{port}({connection}){comma}"));
                }
            });
            out.line(");");
            out.gap();
        }
    }

    fn print_processes(&self, out: &mut Text, wires: &[(SignalId, Option<Expr>, &Process)]) {
        let mut assigned = false;
        for (target, wire, _) in wires {
            if let Some(value) = wire {
                self.names.assign(out, &self.names.signals[target], value);
                assigned = true;
            }
        }
        if assigned {
            out.gap();
        }
        let mut done = BTreeSet::new();
        for (_, wire, process) in wires {
            if wire.is_none() && done.insert(process.targets.first()) {
                out.line("always @(*) begin");
                out.indented(|out| self.names.statements(&process.statements, Assign::Blocking, out));
                out.line("end");
                out.gap();
            }
        }
    }

    fn print_clocked(&self, out: &mut Text, clocked: &[(SignalId, Vec<Statement>)]) {
        if !self.flip_flops.is_empty() {
            out.line("initial begin");
            out.indented(|out| {
                for flip_flop in &self.flip_flops {
                    let width = self.signals[flip_flop.q].width;
                    out.line(format!("{} = {};", self.names.signals[&flip_flop.q], number(&flip_flop.power_up, width)));
                }
            });
            out.line("end");
            out.gap();
        }
        for (clock, statements) in clocked {
            if statements.is_empty() {
                continue;
            }
            out.line(format!("always @(posedge {}) begin", self.names.signals[clock]));
            out.indented(|out| self.names.statements(statements, Assign::NonBlocking, out));
            out.line("end");
            out.gap();
        }
    }

    /// Reads what nothing else reads, so that linters know it is meant.
    fn print_unused(&self, out: &mut Text, used: &BTreeMap<SignalId, Vec<bool>>) {
        let mut idle = vec![];
        for (id, signal) in self.signals.iter() {
            let readable =
                matches!(signal.kind, Kind::Input | Kind::Local | Kind::ChildOutput | Kind::State | Kind::Part);
            if !readable || !self.names.signals.contains_key(&id) {
                continue;
            }
            let mut high = signal.width;
            let is_used = |bit: usize| used.get(&id).is_some_and(|mask| mask[bit]);
            while high > 0 {
                let low = (0..high).rev().take_while(|bit| !is_used(*bit)).last();
                match low {
                    Some(low) => {
                        idle.push(self.names.bits(id, low, high - low));
                        high = low;
                    }
                    None => high -= 1,
                }
            }
        }
        if !idle.is_empty() {
            out.line(format!("wire {} = &{{1'b0, {}}};", self.unused, idle.join(", ")));
        }
    }
}

fn retarget(statements: Vec<Statement>, map: &BTreeMap<SignalId, SignalId>) -> Vec<Statement> {
    let all = |body: Vec<Statement>| retarget(body, map);
    statements
        .into_iter()
        .map(|statement| match statement {
            Statement::Assign { target, offset, width, value } => {
                Statement::Assign { target: map.get(&target).copied().unwrap_or(target), offset, width, value }
            }
            Statement::If { test, then, otherwise } => {
                Statement::If { test, then: all(then), otherwise: all(otherwise) }
            }
            Statement::Case { test, arms, label, default } => Statement::Case {
                test,
                arms: arms.into_iter().map(|(label, body)| (label, all(body))).collect(),
                label,
                default: all(default),
            },
        })
        .collect()
}
