//! Expressions in which every operand has exactly the width its operator needs.
//!
//! Verilog widens operands to their context; Rust HDL does not. When all widths agree there is nothing to widen, so
//! the text means what the simulator computes: widening is a concatenation, narrowing selects bits of a named signal.

use num_bigint::BigUint;

/// Position in the module's table of signals.
pub type SignalId = usize;

/// Operators of two operands. The comparisons give one bit; the others give the width of their left operand.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Op {
    Add,
    Sub,
    Mul,
    And,
    Or,
    Xor,
    LogicalAnd,
    LogicalOr,
    Shl,
    Shr,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    SignedLt,
    SignedLe,
    SignedGt,
    SignedGe,
}

/// Operators of one operand. The reductions give one bit.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum UnaryOp {
    Not,
    Neg,
    All,
    Any,
    Parity,
}

/// An expression of known width.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Expr {
    /// A number; printed by name where it is a constant or an enum variant that has one.
    Constant {
        value: BigUint,
        width: usize,
        name: Option<ConstantName>,
    },
    /// Bits `offset .. offset + width` of a signal.
    Slice {
        signal: SignalId,
        offset: usize,
        width: usize,
    },
    /// Bits at a computed offset, never beyond the end of the signal.
    Select {
        signal: SignalId,
        offset: Box<Expr>,
        width: usize,
    },
    /// Most significant part first.
    Concat(Vec<Expr>),
    /// One bit, `0` times or more.
    Repeat(usize, Box<Expr>),
    Binary(Op, Box<Expr>, Box<Expr>),
    Unary(UnaryOp, Box<Expr>),
    /// Condition, value where it holds, value where it does not.
    Multiplex(Box<Expr>, Box<Expr>, Box<Expr>),
}

/// Where a constant has its name from.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum ConstantName {
    /// A `Constant` field.
    Field(SignalId),
    /// A variant of an enum: type, position and variant.
    Variant(String, usize, String),
}

/// `2^width - 1`.
pub fn ones(width: usize) -> BigUint {
    (BigUint::from(1u8) << width) - 1u8
}

/// An unnamed number.
pub fn constant(value: impl Into<BigUint>, width: usize) -> Expr {
    Expr::Constant { value: value.into() & ones(width), width, name: None }
}

impl Expr {
    /// Width in bits.
    pub fn width(&self) -> usize {
        match self {
            Expr::Constant { width, .. } | Expr::Slice { width, .. } | Expr::Select { width, .. } => *width,
            Expr::Concat(parts) => parts.iter().map(Expr::width).sum(),
            Expr::Repeat(count, bit) => count * bit.width(),
            Expr::Binary(op, left, _) => match op {
                Op::Add | Op::Sub | Op::Mul | Op::And | Op::Or | Op::Xor | Op::Shl | Op::Shr => left.width(),
                _ => 1,
            },
            Expr::Unary(UnaryOp::Not | UnaryOp::Neg, operand) => operand.width(),
            Expr::Unary(..) => 1,
            Expr::Multiplex(_, then, _) => then.width(),
        }
    }

    /// The number, if this is one.
    pub fn value(&self) -> Option<&BigUint> {
        match self {
            Expr::Constant { value, .. } => Some(value),
            _ => None,
        }
    }

    /// A bound that the value never exceeds.
    pub fn maximum(&self) -> BigUint {
        let all = ones(self.width());
        let bound = match self {
            Expr::Constant { value, .. } => value.clone(),
            Expr::Concat(parts) => parts.iter().fold(BigUint::default(), |sum, p| (sum << p.width()) + p.maximum()),
            Expr::Binary(Op::And, l, r) => l.maximum().min(r.maximum()),
            Expr::Binary(Op::Or | Op::Xor, l, r) => ones(l.maximum().max(r.maximum()).bits() as usize),
            Expr::Binary(Op::Add, l, r) => l.maximum() + r.maximum(),
            Expr::Binary(Op::Shl, l, r) => match r.value().and_then(|k| usize::try_from(k).ok()) {
                Some(k) if k <= l.width() => l.maximum() << k,
                _ => all.clone(),
            },
            Expr::Binary(Op::Shr, l, r) => match r.value().and_then(|k| usize::try_from(k).ok()) {
                Some(k) => l.maximum() >> k,
                None => l.maximum(),
            },
            _ => all.clone(),
        };
        bound.min(all)
    }

    /// Calls `visit` for every signal read, with the bits read.
    pub fn reads(&self, visit: &mut impl FnMut(SignalId, Option<(usize, usize)>)) {
        match self {
            Expr::Constant { .. } => {}
            Expr::Slice { signal, offset, width } => visit(*signal, Some((*offset, *width))),
            Expr::Select { signal, offset, .. } => {
                visit(*signal, None);
                offset.reads(visit);
            }
            Expr::Concat(parts) => parts.iter().for_each(|p| p.reads(visit)),
            Expr::Repeat(_, operand) | Expr::Unary(_, operand) => operand.reads(visit),
            Expr::Binary(_, l, r) => {
                l.reads(visit);
                r.reads(visit);
            }
            Expr::Multiplex(test, then, otherwise) => [test, then, otherwise].iter().for_each(|e| e.reads(visit)),
        }
    }

    /// Calls `visit` for every named constant.
    pub fn constants(&self, visit: &mut impl FnMut(&ConstantName, &BigUint, usize)) {
        match self {
            Expr::Constant { value, width, name: Some(name) } => visit(name, value, *width),
            Expr::Constant { .. } | Expr::Slice { .. } => {}
            Expr::Select { offset: operand, .. } | Expr::Repeat(_, operand) | Expr::Unary(_, operand) => {
                operand.constants(visit)
            }
            Expr::Concat(parts) => parts.iter().for_each(|p| p.constants(visit)),
            Expr::Binary(_, l, r) => {
                l.constants(visit);
                r.constants(visit);
            }
            Expr::Multiplex(test, then, otherwise) => [test, then, otherwise].iter().for_each(|e| e.constants(visit)),
        }
    }

    /// Whether this may stand in a port connection: wires only, no logic.
    pub fn is_wiring(&self) -> bool {
        match self {
            Expr::Constant { .. } | Expr::Slice { .. } => true,
            Expr::Concat(parts) => parts.iter().all(Expr::is_wiring),
            Expr::Repeat(_, bit) => bit.is_wiring(),
            _ => false,
        }
    }
}

/// Joins parts, most significant first, merging neighbours where that is plainly the same.
pub fn concat(parts: Vec<Expr>) -> Expr {
    let mut flat: Vec<Expr> = vec![];
    for part in parts {
        let inner = match part {
            Expr::Concat(inner) => inner,
            other => vec![other],
        };
        for part in inner.into_iter().filter(|p| p.width() > 0) {
            match (flat.last_mut(), &part) {
                (
                    Some(Expr::Slice { signal, offset, width }),
                    Expr::Slice { signal: next, offset: low, width: more },
                ) if signal == next && *offset == low + more => {
                    *offset = *low;
                    *width += more;
                }
                (Some(Expr::Constant { value, width, name }), Expr::Constant { value: next, width: more, .. }) => {
                    *value = (std::mem::take(value) << *more) + next;
                    *width += more;
                    *name = None;
                }
                _ => flat.push(part),
            }
        }
    }
    match flat.len() {
        1 => flat.remove(0),
        _ => Expr::Concat(flat),
    }
}

fn compute(op: Op, l: &BigUint, r: &BigUint, width: usize) -> BigUint {
    let bit = |b: bool| BigUint::from(b);
    // Flipping the sign bit maps two's complement order onto the order of unsigned numbers.
    let sign = |x: &BigUint| x ^ (BigUint::from(1u8) << (width - 1));
    let shift = |r: &BigUint| usize::try_from(r).ok().filter(|k| *k < width);
    let value = match op {
        Op::Add => l + r,
        Op::Sub => l + (BigUint::from(1u8) << width) - r,
        Op::Mul => l * r,
        Op::And | Op::LogicalAnd => l & r,
        Op::Or | Op::LogicalOr => l | r,
        Op::Xor => l ^ r,
        Op::Shl => shift(r).map_or_else(BigUint::default, |k| l << k),
        Op::Shr => shift(r).map_or_else(BigUint::default, |k| l >> k),
        Op::Eq => bit(l == r),
        Op::Ne => bit(l != r),
        Op::Lt => bit(l < r),
        Op::Le => bit(l <= r),
        Op::Gt => bit(l > r),
        Op::Ge => bit(l >= r),
        Op::SignedLt => bit(sign(l) < sign(r)),
        Op::SignedLe => bit(sign(l) <= sign(r)),
        Op::SignedGt => bit(sign(l) > sign(r)),
        Op::SignedGe => bit(sign(l) >= sign(r)),
    };
    value & ones(width)
}

/// An operation, folded where the outcome is known. Linters reject comparisons that are always true.
pub fn binary(op: Op, left: Expr, right: Expr) -> Expr {
    let width = left.width();
    let result = match op {
        Op::Add | Op::Sub | Op::Mul | Op::And | Op::Or | Op::Xor | Op::Shl | Op::Shr => width,
        _ => 1,
    };
    if let (Some(l), Some(r)) = (left.value(), right.value()) {
        return constant(compute(op, l, r, width), result);
    }
    if left == right {
        match op {
            Op::And | Op::Or | Op::LogicalAnd | Op::LogicalOr => return left,
            Op::Xor | Op::Sub => return constant(0u8, width),
            Op::Eq | Op::Le | Op::Ge | Op::SignedLe | Op::SignedGe => return constant(1u8, 1),
            Op::Ne | Op::Lt | Op::Gt | Op::SignedLt | Op::SignedGt => return constant(0u8, 1),
            Op::Add | Op::Mul | Op::Shl | Op::Shr => {}
        }
    }
    let is = |e: &Expr, v: &BigUint| e.value() == Some(v);
    let (zero, top) = (BigUint::default(), ones(width));
    let known = match op {
        Op::Lt if is(&right, &zero) || is(&left, &top) => Some(false),
        Op::Gt if is(&left, &zero) || is(&right, &top) => Some(false),
        Op::Ge if is(&right, &zero) || is(&left, &top) => Some(true),
        Op::Le if is(&left, &zero) || is(&right, &top) => Some(true),
        Op::LogicalAnd if is(&left, &zero) || is(&right, &zero) => Some(false),
        Op::LogicalOr if is(&left, &top) || is(&right, &top) => Some(true),
        _ => None,
    };
    if let Some(known) = known {
        return constant(known as u8, 1);
    }
    match op {
        Op::LogicalAnd | Op::And if is(&left, &top) => return right,
        Op::LogicalAnd | Op::And if is(&right, &top) => return left,
        Op::LogicalOr | Op::Or | Op::Xor | Op::Add if is(&left, &zero) => return right,
        Op::LogicalOr | Op::Or | Op::Xor | Op::Add | Op::Sub | Op::Shl | Op::Shr if right.value() == Some(&zero) => {
            return left;
        }
        Op::And if is(&left, &zero) || is(&right, &zero) => return constant(0u8, width),
        Op::Shl | Op::Shr if right.value().is_some_and(|k| *k >= BigUint::from(width)) => {
            return constant(0u8, width);
        }
        _ => {}
    }
    Expr::Binary(op, Box::new(left), Box::new(right))
}

/// An operation, folded where the operand is a number.
pub fn unary(op: UnaryOp, operand: Expr) -> Expr {
    let width = operand.width();
    let Some(value) = operand.value() else { return Expr::Unary(op, Box::new(operand)) };
    match op {
        UnaryOp::Not => constant(ones(width) ^ value, width),
        UnaryOp::Neg => constant((BigUint::from(1u8) << width) - value, width),
        UnaryOp::All => constant((*value == ones(width)) as u8, 1),
        UnaryOp::Any => constant((value.bits() > 0) as u8, 1),
        UnaryOp::Parity => constant((value.count_ones() % 2) as u8, 1),
    }
}

/// `then` where `test` holds, else `otherwise`, in the plainest form.
pub fn multiplex(test: Expr, then: Expr, otherwise: Expr) -> Expr {
    if then == otherwise {
        return then;
    }
    let bit = |e: &Expr| e.value().filter(|_| e.width() == 1).map(|v| v.bits() > 0);
    match (bit(&then), bit(&otherwise)) {
        (Some(true), _) => return binary(Op::LogicalOr, test, otherwise),
        (_, Some(false)) => return binary(Op::LogicalAnd, test, then),
        (Some(false), _) => return binary(Op::LogicalAnd, unary(UnaryOp::Not, test), otherwise),
        (_, Some(true)) => return binary(Op::LogicalOr, unary(UnaryOp::Not, test), then),
        _ => {}
    }
    match then {
        Expr::Multiplex(inner, value, other) if *other == otherwise => {
            Expr::Multiplex(Box::new(binary(Op::LogicalAnd, test, *inner)), value, other)
        }
        then => Expr::Multiplex(Box::new(test), Box::new(then), Box::new(otherwise)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_wrap_at_their_width() {
        let number = |v: u32| constant(v, 8);
        let of = |op, l, r| binary(op, number(l), number(r)).value().cloned().unwrap();
        assert_eq!(of(Op::Add, 200, 100), BigUint::from(44u8));
        assert_eq!(of(Op::Sub, 1, 2), BigUint::from(255u8));
        assert_eq!(of(Op::Shl, 0x81, 1), BigUint::from(2u8));
        assert_eq!(of(Op::Shr, 0x81, 9), BigUint::from(0u8));
        assert_eq!(of(Op::SignedLt, 0xFF, 0), BigUint::from(1u8));
        assert_eq!(of(Op::Lt, 0xFF, 0), BigUint::from(0u8));
        assert_eq!(unary(UnaryOp::Neg, number(1)).value(), Some(&BigUint::from(255u8)));
    }

    #[test]
    fn neighbouring_slices_become_one() {
        let slice = |offset, width| Expr::Slice { signal: 3, offset, width };
        assert_eq!(concat(vec![slice(8, 4), slice(4, 4), constant(0u8, 2)]).width(), 10);
        assert_eq!(concat(vec![slice(8, 4), slice(4, 4)]), slice(4, 8));
    }
}
