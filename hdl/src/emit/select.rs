//! Bits of expressions. Verilog selects bits of names only, so what cannot be pushed down to names gets one.

use super::expression::*;
use super::lower::{Lowering, Outcome};
use num_bigint::{BigInt, BigUint, Sign};
use rust_hdl_core::ast::VerilogExpression as Ast;

impl Lowering<'_> {
    /// The signal that carries `e`, made if there is none.
    fn part(&mut self, e: Expr) -> SignalId {
        if let Expr::Slice { signal, offset: 0, width } = e
            && self.signals[signal].width == width
        {
            return signal;
        }
        if let Some(known) = self.named.get(&e) {
            return *known;
        }
        let id = self.signals.add_part(format!("part_{}", self.parts.len()), e.width());
        self.parts.push((id, e.clone()));
        self.named.insert(e, id);
        id
    }

    /// Bits `offset .. offset + width`; beyond the end they are zero.
    pub(super) fn slice(&mut self, e: Expr, offset: usize, width: usize) -> Outcome<Expr> {
        let total = e.width();
        if offset >= total {
            return Ok(constant(0u8, width));
        }
        if offset + width > total {
            let inner = self.slice(e, offset, total - offset)?;
            return Ok(concat(vec![constant(0u8, width - (total - offset)), inner]));
        }
        if width == total {
            return Ok(e);
        }
        Ok(match e {
            Expr::Constant { value, .. } => constant(value >> offset, width),
            Expr::Slice { signal, offset: start, .. } => Expr::Slice { signal, offset: start + offset, width },
            Expr::Concat(parts) => {
                let mut low = total;
                let mut kept = vec![];
                for part in parts {
                    let size = part.width();
                    low -= size;
                    let (from, to) = (offset.max(low), (offset + width).min(low + size));
                    if from < to {
                        kept.push(self.slice(part, from - low, to - from)?);
                    }
                }
                concat(kept)
            }
            Expr::Repeat(_, bit) if bit.width() == 1 => match width {
                1 => *bit,
                _ => Expr::Repeat(width, bit),
            },
            Expr::Binary(op @ (Op::And | Op::Or | Op::Xor), l, r) => {
                let (l, r) = (self.slice(*l, offset, width)?, self.slice(*r, offset, width)?);
                binary(op, l, r)
            }
            // The low bits of a sum do not depend on the high ones.
            Expr::Binary(op @ (Op::Add | Op::Sub | Op::Mul), l, r) if offset == 0 => {
                let (l, r) = (self.slice(*l, 0, width)?, self.slice(*r, 0, width)?);
                binary(op, l, r)
            }
            Expr::Binary(op @ (Op::Shl | Op::Shr), l, amount) if amount.value().is_some() => {
                let shifted = self.shift(op, *l, &amount)?;
                self.slice(shifted, offset, width)?
            }
            Expr::Unary(UnaryOp::Not, inner) => unary(UnaryOp::Not, self.slice(*inner, offset, width)?),
            Expr::Unary(UnaryOp::Neg, inner) if offset == 0 => unary(UnaryOp::Neg, self.slice(*inner, 0, width)?),
            other => Expr::Slice { signal: self.part(other), offset, width },
        })
    }

    /// A shift by a known amount as wiring.
    pub(super) fn shift(&mut self, op: Op, e: Expr, amount: &Expr) -> Outcome<Expr> {
        let total = e.width();
        let amount = amount.value().and_then(|k| usize::try_from(k).ok()).unwrap_or(total).min(total);
        if amount == total {
            return Ok(constant(0u8, total));
        }
        Ok(match op {
            Op::Shl => concat(vec![self.slice(e, 0, total - amount)?, constant(0u8, amount)]),
            _ => concat(vec![constant(0u8, amount), self.slice(e, amount, total - amount)?]),
        })
    }

    /// `e` with its sign bit repeated up to `width`, or its low bits.
    pub(super) fn sign_resize(&mut self, e: Expr, width: usize) -> Outcome<Expr> {
        let own = e.width();
        if width <= own {
            return self.slice(e, 0, width);
        }
        let e = match e {
            simple @ (Expr::Slice { .. } | Expr::Constant { .. }) => simple,
            other => Expr::Slice { signal: self.part(other), offset: 0, width: own },
        };
        let sign = self.slice(e.clone(), own - 1, 1)?;
        let extension = match sign.value() {
            Some(bit) => constant(if bit.bits() > 0 { ones(width - own) } else { BigUint::default() }, width - own),
            None => Expr::Repeat(width - own, Box::new(sign)),
        };
        Ok(concat(vec![extension, e]))
    }

    /// An index, by its value where that is known.
    fn index(&mut self, index: &Ast) -> Outcome<Result<usize, Expr>> {
        if let (None, Some(number)) = (self.infer(index)?.width, self.number(index)) {
            return number_to_index(&number).map(Ok).ok_or_else(|| format!("bit {number} does not exist"));
        }
        let index = self.lower_known(index)?;
        Ok(index.value().and_then(|v| usize::try_from(v).ok()).ok_or(index))
    }

    /// `width` bits of `base` from `offset` on.
    pub(super) fn select(&mut self, base: Expr, offset: &Ast, width: usize) -> Outcome<Expr> {
        let total = base.width();
        let offset = match self.index(offset)? {
            Ok(offset) if offset + usize::from(width == 1) <= total => return self.slice(base, offset, width),
            Ok(offset) => return Err(format!("bit {offset} of a {total}-bit value")),
            Err(computed) => computed,
        };
        // The simulator panics on a single bit beyond the end, and shifts zeros in for several.
        if width > 1 && offset.maximum() + BigUint::from(width) > BigUint::from(total) {
            let shifted = binary(Op::Shr, base, offset);
            return self.slice(shifted, 0, width);
        }
        if total == 1 {
            return Ok(base);
        }
        let offset = self.slice(offset, 0, rust_hdl_core::bits::clog2(total))?;
        Ok(Expr::Select { signal: self.part(base), offset: Box::new(offset), width })
    }

    /// `base` with one bit replaced.
    pub(super) fn replace(&mut self, base: Expr, index: &Ast, value: Expr) -> Outcome<Expr> {
        let total = base.width();
        match self.index(index)? {
            Ok(at) if at >= total => Err(format!("bit {at} of a {total}-bit value")),
            Ok(at) => {
                let base = match base {
                    simple @ (Expr::Slice { .. } | Expr::Constant { .. } | Expr::Concat(_)) => simple,
                    other => Expr::Slice { signal: self.part(other), offset: 0, width: total },
                };
                let mut parts = vec![];
                if at + 1 < total {
                    parts.push(self.slice(base.clone(), at + 1, total - at - 1)?);
                }
                parts.push(value);
                if at > 0 {
                    parts.push(self.slice(base, 0, at)?);
                }
                Ok(concat(parts))
            }
            Err(index) => {
                let bit = binary(Op::Shl, constant(1u8, total), index.clone());
                let value = self.slice(value, 0, total)?;
                let kept = binary(Op::And, base, unary(UnaryOp::Not, bit));
                Ok(binary(Op::Or, kept, binary(Op::Shl, value, index)))
            }
        }
    }
}

/// The number of a bit or an element.
pub(super) fn number_to_index(number: &BigInt) -> Option<usize> {
    (number.sign() != Sign::Minus).then(|| usize::try_from(number).ok()).flatten()
}
