//! Processes that one expression says as well.

use super::expression::{Expr, SignalId, concat, multiplex};
use super::process::{Process, Statement};

/// Choices in one expression up to which it is easier to read than a procedural block.
const CHOICES: usize = 4;

/// The value of a process with one target, where it is simple enough for an `assign`.
pub fn as_wire(process: &Process, width: usize) -> Option<Expr> {
    let [target] = process.targets.iter().collect::<Vec<_>>()[..] else { return None };
    if process.statements.iter().any(|s| reads(s, *target)) {
        return None;
    }
    pieces(&process.statements, width)
        .or_else(|| evaluate(&process.statements, width, None)?.filter(|value| choices(value) <= CHOICES))
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

/// What the target holds after `statements`, given what it holds before.
fn evaluate(statements: &[Statement], total: usize, before: Option<Expr>) -> Option<Option<Expr>> {
    let mut now = before;
    for statement in statements {
        now = match statement {
            Statement::Assign { offset: 0, width, value, .. } if *width == total => Some(value.clone()),
            Statement::If { test, then, otherwise } => {
                let then = evaluate(then, total, now.clone())?;
                let otherwise = evaluate(otherwise, total, now)?;
                Some(multiplex(test.clone(), then?, otherwise?))
            }
            Statement::Assign { .. } | Statement::Case { .. } => return None,
        };
        if now.as_ref().is_some_and(|value| choices(value) > 2 * CHOICES) {
            return None;
        }
    }
    Some(now)
}

/// Conditional operators in an expression that [`evaluate`] has put together.
fn choices(value: &Expr) -> usize {
    match value {
        Expr::Multiplex(_, then, otherwise) => 1 + choices(then) + choices(otherwise),
        _ => 0,
    }
}
