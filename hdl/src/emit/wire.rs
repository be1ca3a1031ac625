//! Processes that one expression says as well.

use std::collections::BTreeSet;

use super::expression::{Expr, SignalId, concat, multiplex};
use super::process::{Process, Statement};

/// Choices in one expression up to which it is easier to read than a procedural block.
const CHOICES: usize = 4;

/// The same for choices that follow each other, `a ? x : b ? y : z`.
const CHAIN: usize = 8;

/// The value of a process with one target, where it is simple enough for an `assign`.
pub fn as_wire(process: &Process, width: usize) -> Option<Expr> {
    let [target] = process.targets.iter().collect::<Vec<_>>()[..] else { return None };
    if process.statements.iter().any(|s| reads(s, *target)) {
        return None;
    }
    pieces(&process.statements, width).or_else(|| fields(&process.statements, width))
}

/// Fields of which each is a short choice of its own; the whole target is one field, too.
fn fields(statements: &[Statement], total: usize) -> Option<Expr> {
    let mut places = BTreeSet::new();
    statements.iter().for_each(|s| assigned(s, &mut places));
    // Every bit is assigned, so widths that add up to the total cannot overlap.
    if places.iter().map(|(_, width)| width).sum::<usize>() != total {
        return None;
    }
    let values = places.iter().rev().map(|place| evaluate(statements, *place, None)?.filter(is_short));
    values.collect::<Option<Vec<_>>>().map(concat)
}

/// Offsets and widths that a statement assigns.
fn assigned(statement: &Statement, places: &mut BTreeSet<(usize, usize)>) {
    match statement {
        Statement::Assign { offset, width, .. } => {
            places.insert((*offset, *width));
        }
        Statement::If { then, otherwise, .. } => then.iter().chain(otherwise).for_each(|s| assigned(s, places)),
        Statement::Case { arms, default, .. } => {
            arms.iter().flat_map(|(_, body)| body).chain(default).for_each(|s| assigned(s, places));
        }
    }
}

fn reads(statement: &Statement, target: SignalId) -> bool {
    let mut found = false;
    statement.expressions(&mut |e| e.reads(&mut |signal, _| found |= signal == target));
    found
}

/// Unconditional assignments to distinct bits.
fn pieces(statements: &[Statement], total: usize) -> Option<Expr> {
    let mut pieces = vec![];
    for statement in statements {
        let Statement::Assign { offset, width, value, .. } = statement else { return None };
        pieces.push((*offset, *width, value.clone()));
    }
    pieces.sort_by_key(|(offset, ..)| std::cmp::Reverse(*offset));
    // Every bit is assigned, so widths that add up to the total cannot overlap.
    (pieces.iter().map(|(_, width, _)| width).sum::<usize>() == total)
        .then(|| concat(pieces.into_iter().map(|(_, _, value)| value).collect()))
}

/// What the field at `place` holds after `statements`, given what it holds before.
fn evaluate(statements: &[Statement], place: (usize, usize), before: Option<Expr>) -> Option<Option<Expr>> {
    let mut now = before;
    for statement in statements {
        now = match statement {
            Statement::Assign { offset, width, value, .. } if (*offset, *width) == place => Some(value.clone()),
            Statement::Assign { .. } => now,
            Statement::If { test, then, otherwise } => {
                let then = evaluate(then, place, now.clone())?;
                let otherwise = evaluate(otherwise, place, now)?;
                if then == otherwise { then } else { Some(multiplex(test.clone(), then?, otherwise?)) }
            }
            Statement::Case { .. } => return None,
        };
        if now.as_ref().is_some_and(|value| choices(value) > CHAIN) {
            return None;
        }
    }
    Some(now)
}

fn is_short(value: &Expr) -> bool {
    choices(value) <= CHOICES || is_chain(value)
}

fn is_chain(value: &Expr) -> bool {
    match value {
        Expr::Multiplex(_, then, otherwise) => choices(then) == 0 && is_chain(otherwise),
        _ => true,
    }
}

/// Conditional operators in an expression that [`evaluate`] has put together.
fn choices(value: &Expr) -> usize {
    match value {
        Expr::Multiplex(_, then, otherwise) => 1 + choices(then) + choices(otherwise),
        _ => 0,
    }
}
