//! Statements, and how one `update` function falls apart into processes.
//!
//! Every target gets a process of its own, so that no process depends on more signals than its target does: one large
//! process would look like a combinational loop as soon as a child sits between two of its targets. The exception is a
//! read of a `Local` or `Out` signal between two of its assignments: Rust HDL reads the value so far, so reader and
//! target stay together and in order.

use super::expression::{Expr, SignalId};
use super::signals::Signals;
use std::collections::{BTreeMap, BTreeSet};

/// A statement after unrolling.
#[derive(Clone, PartialEq, Debug)]
pub enum Statement {
    /// Bits `offset .. offset + width` of `target` take `value`.
    Assign {
        target: SignalId,
        offset: usize,
        width: usize,
        value: Expr,
    },
    If {
        test: Expr,
        then: Vec<Statement>,
        otherwise: Vec<Statement>,
    },
    /// `label` names the pattern that `default` stands for, where it has one.
    Case {
        test: Expr,
        arms: Vec<(Expr, Vec<Statement>)>,
        label: Option<Expr>,
        default: Vec<Statement>,
    },
}

/// The targets that must share a process, and the statements that concern them.
pub struct Process {
    pub targets: BTreeSet<SignalId>,
    pub statements: Vec<Statement>,
}

/// Why a block has no equivalent in hardware.
#[derive(Debug, PartialEq)]
pub enum Fault {
    /// Not assigned on every path.
    Latch(SignalId),
    /// Depends on itself.
    Loop(Vec<SignalId>),
    /// Bits of an expression over a value that is assigned again later.
    PartOfIntermediate(SignalId),
}

/// For every part, the signals its value is computed from.
pub type PartReads = BTreeMap<SignalId, BTreeSet<SignalId>>;

/// The signals below each part; parts may use earlier parts.
pub fn part_reads(parts: &[(SignalId, Expr)]) -> PartReads {
    let mut found = PartReads::new();
    for (id, value) in parts {
        let mut below = BTreeSet::new();
        value.reads(&mut |signal, _| match found.get(&signal) {
            Some(deeper) => below.extend(deeper),
            None => {
                below.insert(signal);
            }
        });
        found.insert(*id, below);
    }
    found
}

impl Statement {
    /// Adds every signal assigned in here.
    pub fn targets(&self, found: &mut BTreeSet<SignalId>) {
        match self {
            Statement::Assign { target, .. } => {
                found.insert(*target);
            }
            Statement::If { then, otherwise, .. } => {
                then.iter().chain(otherwise).for_each(|s| s.targets(found));
            }
            Statement::Case { arms, default, .. } => {
                arms.iter().flat_map(|(_, body)| body).chain(default).for_each(|s| s.targets(found));
            }
        }
    }

    /// Calls `visit` for every expression in here.
    pub fn expressions(&self, visit: &mut impl FnMut(&Expr)) {
        match self {
            Statement::Assign { value, .. } => visit(value),
            Statement::If { test, then, otherwise } => {
                visit(test);
                then.iter().chain(otherwise).for_each(|s| s.expressions(visit));
            }
            Statement::Case { test, arms, default, .. } => {
                visit(test);
                for (label, body) in arms {
                    visit(label);
                    body.iter().for_each(|s| s.expressions(visit));
                }
                default.iter().for_each(|s| s.expressions(visit));
            }
        }
    }
}

fn targets_of(statements: &[Statement]) -> BTreeSet<SignalId> {
    let mut found = BTreeSet::new();
    statements.iter().for_each(|s| s.targets(&mut found));
    found
}

/// Only what assigns a signal that `keep` wants.
pub fn slice(statements: &[Statement], keep: &impl Fn(SignalId) -> bool) -> Vec<Statement> {
    let mut kept = vec![];
    for statement in statements {
        match statement {
            Statement::Assign { target, .. } => {
                if keep(*target) {
                    kept.push(statement.clone());
                }
            }
            Statement::If { test, then, otherwise } => {
                let (then, otherwise) = (slice(then, keep), slice(otherwise, keep));
                if !then.is_empty() || !otherwise.is_empty() {
                    kept.push(Statement::If { test: test.clone(), then, otherwise });
                }
            }
            Statement::Case { test, arms, label, default } => {
                let default = slice(default, keep);
                let mut arms: Vec<_> = arms.iter().map(|(label, body)| (label.clone(), slice(body, keep))).collect();
                if default.is_empty() {
                    arms.retain(|(_, body)| !body.is_empty());
                }
                if !arms.is_empty() || !default.is_empty() {
                    kept.push(Statement::Case { test: test.clone(), arms, label: label.clone(), default });
                }
            }
        }
    }
    kept
}

/// Drops what a later unconditional assignment of the whole signal overwrites.
pub fn trim(statements: Vec<Statement>, target: SignalId, width: usize) -> Vec<Statement> {
    let overwrites = |s: &Statement| match s {
        Statement::Assign { target: t, width: w, value, .. } if *t == target && *w == width => {
            let mut own = false;
            value.reads(&mut |signal, _| own |= signal == target);
            !own
        }
        _ => false,
    };
    match statements.iter().rposition(overwrites) {
        Some(last) if last > 0 => {
            let mut kept = slice(&statements[..last], &|t| t != target);
            kept.extend_from_slice(&statements[last..]);
            kept
        }
        _ => statements,
    }
}

/// What is still to be assigned behind a statement, in its block and around it.
struct After<'a> {
    /// For each signal, the block's last statement that assigns it.
    last: &'a BTreeMap<SignalId, usize>,
    statement: usize,
    around: Option<&'a After<'a>>,
}

impl After<'_> {
    fn contains(&self, id: SignalId) -> bool {
        self.last.get(&id).is_some_and(|last| *last > self.statement) || self.around.is_some_and(|a| a.contains(id))
    }
}

struct Grouping<'a> {
    signals: &'a Signals,
    parts: &'a PartReads,
    parent: BTreeMap<SignalId, SignalId>,
}

impl Grouping<'_> {
    fn root(&self, mut id: SignalId) -> SignalId {
        while let Some(up) = self.parent.get(&id).filter(|up| **up != id) {
            id = *up;
        }
        id
    }

    fn join(&mut self, a: SignalId, b: SignalId) {
        let (a, b) = (self.root(a), self.root(b));
        self.parent.insert(a.max(b), a.min(b));
    }

    /// Notes that `expr` is read for the sake of `readers`, which its statement assigns, given what is assigned before and after.
    fn read(
        &mut self,
        expr: &Expr,
        readers: &BTreeSet<SignalId>,
        before: &BTreeSet<SignalId>,
        after: &After,
    ) -> Result<(), Fault> {
        let mut found = BTreeSet::new();
        expr.reads(&mut |signal, _| {
            found.insert(signal);
        });
        let (signals, parts) = (self.signals, self.parts);
        let unfinished = |id: SignalId| {
            signals.reads_at_once(id) && before.contains(&id) && (readers.contains(&id) || after.contains(id))
        };
        for signal in found {
            if let Some(below) = parts.get(&signal) {
                if let Some(id) = below.iter().find(|id| unfinished(**id)) {
                    return Err(Fault::PartOfIntermediate(*id));
                }
            } else if unfinished(signal) {
                readers.iter().for_each(|reader| self.join(signal, *reader));
            }
        }
        Ok(())
    }

    fn block(
        &mut self,
        statements: &[Statement],
        before: &mut BTreeSet<SignalId>,
        around: Option<&After>,
    ) -> Result<(), Fault> {
        let own: Vec<_> = statements.iter().map(|s| targets_of(std::slice::from_ref(s))).collect();
        let last = own.iter().enumerate().flat_map(|(at, targets)| targets.iter().map(move |t| (*t, at))).collect();
        for (at, (statement, own)) in statements.iter().zip(&own).enumerate() {
            let after = After { last: &last, statement: at, around };
            match statement {
                Statement::Assign { value, .. } => {
                    self.read(value, own, before, &after)?;
                    before.extend(own);
                }
                Statement::If { test, then, otherwise } => {
                    self.read(test, own, before, &after)?;
                    if otherwise.is_empty() {
                        self.block(then, before, Some(&after))?;
                    } else {
                        let mut other = before.clone();
                        self.block(then, before, Some(&after))?;
                        self.block(otherwise, &mut other, Some(&after))?;
                        before.extend(&other);
                    }
                }
                Statement::Case { test, arms, default, .. } => {
                    self.read(test, own, before, &after)?;
                    let start = before.clone();
                    for body in arms.iter().map(|(_, body)| body).chain([default]) {
                        let mut branch = start.clone();
                        self.block(body, &mut branch, Some(&after))?;
                        before.extend(&branch);
                    }
                }
            }
        }
        Ok(())
    }
}

/// Which bits of which target are certainly assigned.
#[derive(Clone, Default)]
struct Assigned(BTreeMap<SignalId, Vec<bool>>);

impl Assigned {
    fn covers(&self, id: SignalId, bits: Option<(usize, usize)>) -> bool {
        let mask = &self.0[&id];
        match bits {
            Some((offset, width)) => mask[offset..offset + width].iter().all(|b| *b),
            None => mask.iter().all(|b| *b),
        }
    }

    fn meet(&mut self, other: &Assigned) {
        for (mask, other) in self.0.values_mut().zip(other.0.values()) {
            mask.iter_mut().zip(other).for_each(|(a, b)| *a &= b);
        }
    }
}

struct Coverage<'a> {
    signals: &'a Signals,
    parts: &'a PartReads,
}

impl Coverage<'_> {
    fn read(&self, expr: &Expr, assigned: &Assigned) -> Result<(), Fault> {
        let mut fault = None;
        expr.reads(&mut |signal, bits| {
            let own = |id: &SignalId| assigned.0.contains_key(id);
            if let Some(id) = self.parts.get(&signal).and_then(|below| below.iter().find(|id| own(id))) {
                fault = Some(*id);
            } else if own(&signal) && !(self.signals.reads_at_once(signal) && assigned.covers(signal, bits)) {
                fault = Some(signal);
            }
        });
        fault.map_or(Ok(()), |id| Err(Fault::Loop(vec![id])))
    }

    fn block(&self, statements: &[Statement], assigned: &mut Assigned) -> Result<(), Fault> {
        for statement in statements {
            match statement {
                Statement::Assign { target, offset, width, value } => {
                    self.read(value, assigned)?;
                    if let Some(mask) = assigned.0.get_mut(target) {
                        mask[*offset..offset + width].fill(true);
                    }
                }
                Statement::If { test, then, otherwise } => {
                    self.read(test, assigned)?;
                    let mut other = assigned.clone();
                    self.block(then, assigned)?;
                    self.block(otherwise, &mut other)?;
                    assigned.meet(&other);
                }
                Statement::Case { test, arms, default, .. } => {
                    self.read(test, assigned)?;
                    let start = assigned.clone();
                    self.block(default, assigned)?;
                    for (_, body) in arms {
                        let mut branch = start.clone();
                        self.block(body, &mut branch)?;
                        assigned.meet(&branch);
                    }
                }
            }
        }
        Ok(())
    }
}

/// Splits `statements` into processes, in the order in which their targets are first assigned.
pub fn split(statements: &[Statement], signals: &Signals, parts: &PartReads) -> Result<Vec<Process>, Fault> {
    let mut grouping = Grouping { signals, parts, parent: BTreeMap::new() };
    grouping.block(statements, &mut BTreeSet::new(), None)?;

    let mut order = vec![];
    let mut groups: BTreeMap<SignalId, (BTreeSet<SignalId>, Vec<usize>)> = BTreeMap::new();
    for (at, statement) in statements.iter().enumerate() {
        for target in targets_of(std::slice::from_ref(statement)) {
            let root = grouping.root(target);
            if !groups.contains_key(&root) {
                order.push(root);
            }
            let (targets, places) = groups.entry(root).or_default();
            targets.insert(target);
            if places.last() != Some(&at) {
                places.push(at);
            }
        }
    }

    let mut processes = vec![];
    for root in order {
        let (targets, places) = groups.remove(&root).unwrap_or_default();
        let concerned = places.iter().map(|at| std::slice::from_ref(&statements[*at]));
        let mut statements: Vec<_> = concerned.flat_map(|s| slice(s, &|t| targets.contains(&t))).collect();
        if let Some(only) = targets.first().filter(|_| targets.len() == 1) {
            statements = trim(statements, *only, signals[*only].width);
        }
        let mut assigned = Assigned(targets.iter().map(|t| (*t, vec![false; signals[*t].width])).collect());
        Coverage { signals, parts }.block(&statements, &mut assigned)?;
        if let Some(held) = targets.iter().find(|t| !assigned.covers(**t, None)) {
            return Err(Fault::Latch(*held));
        }
        processes.push(Process { targets, statements });
    }
    find_loop(&processes, parts).map_or(Ok(processes), |path| Err(Fault::Loop(path)))
}

/// A chain of signals, each computed from the next and the last from the first.
fn find_loop(processes: &[Process], parts: &PartReads) -> Option<Vec<SignalId>> {
    let mut driver = BTreeMap::new();
    for (at, process) in processes.iter().enumerate() {
        process.targets.iter().for_each(|t| {
            driver.insert(*t, at);
        });
    }
    let edges: Vec<BTreeSet<usize>> = processes
        .iter()
        .enumerate()
        .map(|(at, process)| {
            let mut read = BTreeSet::new();
            let mut note = |signal: SignalId| {
                // What a process reads of itself it has assigned before.
                read.extend(driver.get(&signal).filter(|from| **from != at));
            };
            for statement in &process.statements {
                statement.expressions(&mut |e| {
                    e.reads(&mut |signal, _| match parts.get(&signal) {
                        Some(below) => below.iter().for_each(|s| note(*s)),
                        None => note(signal),
                    })
                });
            }
            read
        })
        .collect();

    let mut state = vec![0u8; processes.len()];
    let mut path = vec![];
    fn search(at: usize, edges: &[BTreeSet<usize>], state: &mut [u8], path: &mut Vec<usize>) -> bool {
        path.push(at);
        state[at] = 1;
        for next in &edges[at] {
            if state[*next] == 1 {
                let start = path.iter().position(|p| p == next).unwrap_or(0);
                path.drain(..start);
                return true;
            }
            if state[*next] == 0 && search(*next, edges, state, path) {
                return true;
            }
        }
        state[at] = 2;
        path.pop();
        false
    }
    (0..processes.len())
        .any(|at| state[at] == 0 && search(at, &edges, &mut state, &mut path))
        .then(|| path.iter().filter_map(|p| processes[*p].targets.first().copied()).collect())
}
