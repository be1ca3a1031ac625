//! From rust-hdl's AST to statements over expressions of known width.
//!
//! The AST has dropped the Rust types, so the width of a literal, of a loop variable and of a signed cast comes from
//! the operand beside it or from the assignment's target.

use super::design::{self, Enums, literal_value, to_bits};
use super::expression::*;
use super::path::{self, flatten, shown};
use super::process::Statement;
use super::select::number_to_index;
use super::signals::{Kind, Signals};
use num_bigint::BigInt;
use rust_hdl_core::ast::{
    VerilogBlock, VerilogBlockOrConditional, VerilogConditional, VerilogExpression as Ast, VerilogLink,
    VerilogLinkDetails, VerilogMatch, VerilogOp, VerilogOpUnary, VerilogStatement,
};
use rust_hdl_core::type_descriptor::{TypeDescriptor, TypeKind};
use std::collections::BTreeMap;

pub(super) type Outcome<T> = Result<T, String>;

/// What is known of an expression's type before its context is looked at.
#[derive(Clone, Copy)]
pub(super) struct Type {
    pub(super) width: Option<usize>,
    signed: bool,
}

/// Lowers one module.
pub struct Lowering<'a> {
    pub signals: &'a mut Signals,
    pub enums: &'a Enums,
    loops: Vec<(String, usize)>,
    /// Signals made to name an expression whose bits are selected, with their values, in order.
    pub parts: Vec<(SignalId, Expr)>,
    pub(super) named: BTreeMap<Expr, SignalId>,
}

/// What a name in the AST stands for.
enum Meaning {
    Number(usize),
    Signal(SignalId, usize, TypeDescriptor),
    Variant { value: usize, width: usize, name: ConstantName },
}

impl<'a> Lowering<'a> {
    /// Starts on a module with these signals.
    pub fn new(signals: &'a mut Signals, enums: &'a Enums) -> Self {
        Lowering { signals, enums, loops: vec![], parts: vec![], named: BTreeMap::new() }
    }

    /// Lowers a block of statements; loops are unrolled and branches on constants decided.
    pub fn block(&mut self, block: &VerilogBlock) -> Outcome<Vec<Statement>> {
        let mut out = vec![];
        for statement in block {
            self.statement(statement, &mut out)?;
        }
        Ok(out)
    }

    fn statement(&mut self, statement: &VerilogStatement, out: &mut Vec<Statement>) -> Outcome<()> {
        match statement {
            VerilogStatement::Assignment(target, value) => {
                let Ast::Signal(raw) = target else { return Err("an assignment to something without a name".into()) };
                let (target, offset, descriptor) = self.target(raw)?;
                out.push(self.assignment(target, offset, design::width_of(&descriptor), value)?);
            }
            VerilogStatement::SliceAssignment { base, width, offset, replacement } => {
                let Ast::Signal(raw) = base else { return Err("an assignment to something without a name".into()) };
                let (target, start, _) = self.target(raw)?;
                let offset = self
                    .number(offset)
                    .and_then(|n| usize::try_from(n).ok())
                    .ok_or_else(|| format!("assigning to computed bits of `{raw}`; use `replace_bit` or a mask"))?;
                out.push(self.assignment(target, start + offset, *width, replacement)?);
            }
            VerilogStatement::If(conditional) => self.conditional(conditional, out)?,
            VerilogStatement::Match(choice) => self.choice(choice, out)?,
            VerilogStatement::Loop(l) => {
                if self.signals.find(&l.index).is_some() {
                    return Err(format!("the loop variable `{}` has the name of a signal", l.index));
                }
                let bound = |literal| number_to_index(&literal_value(literal)).ok_or("a loop bound below zero");
                for value in bound(&l.from)?..bound(&l.to)? {
                    self.loops.push((l.index.clone(), value));
                    let body = self.block(&l.block);
                    self.loops.pop();
                    out.extend(body?);
                }
            }
            VerilogStatement::Macro(block) => out.extend(self.block(block)?),
            VerilogStatement::Link(links) => {
                for link in links {
                    out.push(self.link(link)?);
                }
            }
            VerilogStatement::Comment(_) => {}
        }
        Ok(())
    }

    fn assignment(&mut self, target: SignalId, offset: usize, width: usize, value: &Ast) -> Outcome<Statement> {
        let value = self
            .lower(value, Some(width))
            .map_err(|why| format!("in the assignment to `{}`: {why}", shown(&self.signals[target].path)))?;
        Ok(Statement::Assign { target, offset, width, value })
    }

    fn target(&self, raw: &str) -> Outcome<(SignalId, usize, TypeDescriptor)> {
        let flat = flatten(raw, &self.loops)?;
        let (base, fields) = match flat.split_once("$next$") {
            Some((base, fields)) => (base, fields.split('$').collect()),
            None => (flat.strip_suffix("$next").unwrap_or(&flat), vec![]),
        };
        let id = self.signals.find(base).ok_or_else(|| format!("`{}` is not a signal here", shown(base)))?;
        match self.signals[id].kind {
            Kind::Input | Kind::Constant | Kind::ChildOutput | Kind::Part | Kind::State => {
                Err(format!("`{}` cannot be assigned here", shown(base)))
            }
            Kind::Output | Kind::Local | Kind::ChildInput => {
                let (offset, descriptor) = design::field(&self.signals[id].descriptor, &fields)
                    .ok_or_else(|| format!("`{}` names no field", shown(&flat)))?;
                Ok((id, offset, descriptor.clone()))
            }
        }
    }

    fn link(&mut self, link: &VerilogLink) -> Outcome<Statement> {
        let ends = |d: &VerilogLinkDetails| {
            (format!("{}{}", d.owner_name, d.my_name), format!("{}{}", d.other_name, d.my_name))
        };
        let (target, source) = match link {
            VerilogLink::Forward(d) => {
                let (owner, other) = ends(d);
                (other, owner)
            }
            VerilogLink::Backward(d) => ends(d),
            VerilogLink::Bidirectional(_) => return Err("links of `InOut` signals are not supported".into()),
        };
        let (target, offset, descriptor) = self.target(&target)?;
        self.assignment(target, offset, design::width_of(&descriptor), &Ast::Signal(source))
    }

    fn conditional(&mut self, conditional: &VerilogConditional, out: &mut Vec<Statement>) -> Outcome<()> {
        let test = self.lower(&conditional.test, Some(1)).map_err(|why| format!("in the test of an `if`: {why}"))?;
        let then = self.block(&conditional.then)?;
        let mut otherwise = vec![];
        match &conditional.otherwise {
            VerilogBlockOrConditional::Block(block) => otherwise = self.block(block)?,
            VerilogBlockOrConditional::Conditional(next) => self.statement(next, &mut otherwise)?,
            VerilogBlockOrConditional::None => {}
        }
        match test.value() {
            Some(value) => out.extend(if value.bits() > 0 { then } else { otherwise }),
            None => out.push(Statement::If { test, then, otherwise }),
        }
        Ok(())
    }

    fn choice(&mut self, choice: &VerilogMatch, out: &mut Vec<Statement>) -> Outcome<()> {
        let place = |why: String| format!("in a `match`: {why}");
        let kind = self.infer(&choice.test).map_err(place)?;
        let width = kind.width.ok_or_else(|| place("the width of the matched value is unknown".into()))?;
        let test = self.lower(&choice.test, Some(width)).map_err(place)?;
        let mut arms: Vec<(Expr, Vec<Statement>)> = vec![];
        let mut default = None;
        for case in &choice.cases {
            let body = self.block(&case.block)?;
            if case.condition == "default" {
                default = Some(body);
                break;
            }
            let label = self.pattern(&case.condition, width).map_err(place)?;
            if arms.iter().all(|(known, _)| known.value() != label.value()) {
                arms.push((label, body));
            }
        }
        // Rust has made sure that the arms are exhaustive, so the last one covers all that is left.
        let (label, default) = match default {
            Some(body) => (None, body),
            None => arms.pop().map_or((None, vec![]), |(label, body)| (Some(label), body)),
        };
        if let Some(value) = test.value() {
            let taken = arms.into_iter().find(|(label, _)| label.value() == Some(value));
            out.extend(taken.map_or(default, |(_, body)| body));
            return Ok(());
        }
        out.push(Statement::Case { test, arms, label, default });
        Ok(())
    }

    fn pattern(&self, condition: &str, width: usize) -> Outcome<Expr> {
        match condition {
            "true" => return Ok(constant(1u8, width)),
            "false" => return Ok(constant(0u8, width)),
            _ => {}
        }
        if let Some(value) = path::integer(condition) {
            return to_bits(&BigInt::from(value), width)
                .map(|v| constant(v, width))
                .ok_or_else(|| format!("the pattern {condition} does not fit {width} bits"));
        }
        match self.meaning(condition)? {
            Meaning::Variant { value, width: own, name } if own == width => {
                Ok(Expr::Constant { value: value.into(), width, name: Some(name) })
            }
            _ => Err(format!("`{condition}` is neither a literal nor an enum variant written `Type::Variant`")),
        }
    }

    fn meaning(&self, raw: &str) -> Outcome<Meaning> {
        if let Some((_, value)) = self.loops.iter().rev().find(|(name, _)| name == raw) {
            return Ok(Meaning::Number(*value));
        }
        let flat = flatten(raw, &self.loops)?;
        let (base, fields) = match flat.split_once("$val()") {
            Some((base, fields)) => (base, fields.split('$').filter(|f| !f.is_empty()).collect()),
            None => (flat.as_str(), vec![]),
        };
        if let Some(id) = self.signals.find(base) {
            let (offset, descriptor) = design::field(&self.signals[id].descriptor, &fields)
                .ok_or_else(|| format!("`{}` names no field", shown(raw)))?;
            return Ok(Meaning::Signal(id, offset, descriptor.clone()));
        }
        let parts: Vec<&str> = flat.split('$').collect();
        if let [.., kind, variant] = parts[..] {
            let known = self.enums.get(kind).map_or(&[][..], Vec::as_slice);
            let places: Vec<(usize, usize)> = known
                .iter()
                .filter_map(|variants| variants.iter().position(|v| v == variant).map(|at| (at, variants.len())))
                .collect();
            if let Some((value, count)) = places.first() {
                if places.iter().any(|p| p != &places[0]) {
                    return Err(format!(
                        "two enums are called `{kind}`, and `{variant}` has a different value in each"
                    ));
                }
                let name = ConstantName::Variant(kind.to_string(), *value, variant.to_string());
                return Ok(Meaning::Variant { value: *value, width: rust_hdl_core::bits::clog2(*count), name });
            }
        }
        Err(format!(
            "`{}` is no signal, loop variable or enum variant here; put a constant into a `Constant<_>`",
            shown(raw)
        ))
    }

    /// The value of arithmetic over literals and loop variables, which Rust computes in integers.
    pub(super) fn number(&self, e: &Ast) -> Option<BigInt> {
        match e {
            Ast::Literal(l) => Some(literal_value(l)),
            Ast::Signal(raw) => match self.meaning(raw) {
                Ok(Meaning::Number(value)) => Some(value.into()),
                _ => None,
            },
            Ast::Paren(inner) | Ast::Signed(inner) => self.number(inner),
            Ast::Unary(VerilogOpUnary::Neg, inner) => Some(-self.number(inner)?),
            Ast::Binary(l, op, r) => {
                let (l, r) = (self.number(l)?, self.number(r)?);
                Some(match op {
                    VerilogOp::Add => l + r,
                    VerilogOp::Sub => l - r,
                    VerilogOp::Mul => l * r,
                    VerilogOp::Shl => l << usize::try_from(r).ok().filter(|k| *k < 4096)?,
                    VerilogOp::Shr => l >> usize::try_from(r).ok()?,
                    VerilogOp::BitAnd => l & r,
                    VerilogOp::BitOr => l | r,
                    VerilogOp::BitXor => l ^ r,
                    _ => return None,
                })
            }
            _ => None,
        }
    }

    pub(super) fn infer(&self, e: &Ast) -> Outcome<Type> {
        let bit = Type { width: Some(1), signed: false };
        Ok(match e {
            Ast::Signal(raw) => match self.meaning(raw)? {
                Meaning::Number(_) => Type { width: None, signed: false },
                Meaning::Signal(_, _, descriptor) => Type {
                    width: Some(design::width_of(&descriptor)),
                    signed: matches!(descriptor.kind, TypeKind::Signed(_)),
                },
                Meaning::Variant { width, .. } => Type { width: Some(width), signed: false },
            },
            // Of all Rust literals only `bool` is one bit wide.
            Ast::Literal(l) => Type { width: l.to_string().starts_with("1'").then_some(1), signed: false },
            Ast::Paren(inner) => self.infer(inner)?,
            Ast::Cast(_, width) => Type { width: Some(*width), signed: false },
            Ast::Signed(inner) => {
                self.infer(inner)?;
                Type { width: None, signed: true }
            }
            Ast::Unsigned(inner) => Type { signed: false, ..self.infer(inner)? },
            Ast::Index(..) => bit,
            Ast::Slice(base, width, _) => Type { width: Some(*width), signed: self.infer(base)?.signed },
            Ast::IndexReplace(base, _, _) => self.infer(base)?,
            Ast::Unary(VerilogOpUnary::Not | VerilogOpUnary::Neg, inner) => self.infer(inner)?,
            Ast::Unary(..) => bit,
            Ast::Binary(l, op, r) => {
                let (l, r) = (self.infer(l)?, self.infer(r)?);
                let signed = l.signed || r.signed;
                match op {
                    VerilogOp::Mul => Type { width: l.width.or(r.width).map(|w| 2 * w), signed },
                    VerilogOp::Add | VerilogOp::Sub | VerilogOp::BitAnd | VerilogOp::BitOr | VerilogOp::BitXor => {
                        Type { width: l.width.or(r.width), signed }
                    }
                    // An integer shifted by a signal is rust-hdl's 64-bit literal type.
                    VerilogOp::Shl | VerilogOp::Shr => Type { width: l.width.or(r.width.map(|_| 64)), ..l },
                    _ => bit,
                }
            }
        })
    }

    fn lower(&mut self, e: &Ast, want: Option<usize>) -> Outcome<Expr> {
        let expr = self.lower_unchecked(e, want)?;
        match want {
            Some(width) if width != expr.width() => Err(format!("{} bits where {width} are needed", expr.width())),
            _ => Ok(expr),
        }
    }

    fn known(&self, e: &Ast) -> Outcome<usize> {
        self.infer(e)?
            .width
            .ok_or_else(|| "the width of an operand is unknown; assign it to a `Signal<Local, _>` first".to_string())
    }

    fn lower_unchecked(&mut self, e: &Ast, want: Option<usize>) -> Outcome<Expr> {
        if self.infer(e)?.width.is_none()
            && let Some(number) = self.number(e)
        {
            let width = want.ok_or("the width of a number is unknown here; write `bits::<N>(..)`")?;
            return to_bits(&number, width)
                .map(|v| constant(v, width))
                .ok_or_else(|| format!("{number} does not fit {width} bits"));
        }
        match e {
            Ast::Signal(raw) => match self.meaning(raw)? {
                Meaning::Number(n) => Err(format!("the width of {n} is unknown here")),
                Meaning::Signal(id, offset, descriptor) => {
                    let (width, signal) = (design::width_of(&descriptor), &self.signals[id]);
                    Ok(match &signal.constant {
                        Some(value) if offset == 0 && width == signal.width => {
                            Expr::Constant { value: value.clone(), width, name: Some(ConstantName::Field(id)) }
                        }
                        Some(value) => constant(value >> offset, width),
                        None => Expr::Slice { signal: id, offset, width },
                    })
                }
                Meaning::Variant { value, width, name } => {
                    Ok(Expr::Constant { value: value.into(), width, name: Some(name) })
                }
            },
            Ast::Literal(l) => to_bits(&literal_value(l), 1)
                .map(|v| constant(v, 1))
                .ok_or_else(|| format!("the width of {l} is unknown here")),
            Ast::Paren(inner) => self.lower(inner, want),
            Ast::Cast(inner, width) => match self.infer(inner)?.width {
                Some(own) => {
                    let inner = self.lower(inner, Some(own))?;
                    self.slice(inner, 0, *width)
                }
                None => {
                    let number = self.number(inner).ok_or("the width of a cast's operand is unknown")?;
                    let modulus = BigInt::from(1) << *width;
                    let value = ((number % &modulus) + &modulus) % &modulus;
                    Ok(constant(value.to_biguint().unwrap_or_default(), *width))
                }
            },
            Ast::Signed(inner) => {
                let width = want.ok_or(
                    "the width of a signed cast is unknown here; assign it to a `Signal<Local, Signed<N>>` first",
                )?;
                let own = self.infer(inner)?.width.unwrap_or(width);
                let inner = self.lower(inner, Some(own))?;
                self.sign_resize(inner, width)
            }
            Ast::Unsigned(inner) => self.lower(inner, want),
            Ast::Binary(l, op, r) => self.binary(l, op, r, want),
            Ast::Unary(op, inner) => {
                let (op, width) = match op {
                    VerilogOpUnary::Not => (UnaryOp::Not, self.infer(inner)?.width.or(want)),
                    VerilogOpUnary::Neg => (UnaryOp::Neg, self.infer(inner)?.width.or(want)),
                    VerilogOpUnary::All => (UnaryOp::All, Some(self.known(inner)?)),
                    VerilogOpUnary::Any => (UnaryOp::Any, Some(self.known(inner)?)),
                    VerilogOpUnary::Xor => (UnaryOp::Parity, Some(self.known(inner)?)),
                };
                Ok(unary(op, self.lower(inner, width)?))
            }
            Ast::Index(base, index) => {
                let base = self.lower_known(base)?;
                self.select(base, index, 1)
            }
            Ast::Slice(base, width, offset) => {
                let base = self.lower_known(base)?;
                self.select(base, offset, *width)
            }
            Ast::IndexReplace(base, index, value) => {
                let width = self.infer(base)?.width.or(want);
                let base = self.lower(base, width)?;
                let value = self.lower(value, Some(1))?;
                self.replace(base, index, value)
            }
        }
    }

    pub(super) fn lower_known(&mut self, e: &Ast) -> Outcome<Expr> {
        let width = self.known(e)?;
        self.lower(e, Some(width))
    }

    fn binary(&mut self, l: &Ast, op: &VerilogOp, r: &Ast, want: Option<usize>) -> Outcome<Expr> {
        let (left, right) = (self.infer(l)?, self.infer(r)?);
        let signed = left.signed || right.signed;
        let common = left.width.or(right.width);
        let unknown = || "the width of neither operand is known; assign one to a `Signal<Local, _>` first".to_string();
        let op = match op {
            VerilogOp::Add => Op::Add,
            VerilogOp::Sub => Op::Sub,
            VerilogOp::BitAnd => Op::And,
            VerilogOp::BitOr => Op::Or,
            VerilogOp::BitXor => Op::Xor,
            VerilogOp::LogicalAnd | VerilogOp::LogicalOr => {
                let op = if matches!(op, VerilogOp::LogicalAnd) { Op::LogicalAnd } else { Op::LogicalOr };
                return Ok(binary(op, self.lower(l, Some(1))?, self.lower(r, Some(1))?));
            }
            VerilogOp::Mul => {
                let width = common.ok_or_else(unknown)?;
                let (l, r) = (self.lower(l, Some(width))?, self.lower(r, Some(width))?);
                let (l, r) = match signed {
                    true => (self.sign_resize(l, 2 * width)?, self.sign_resize(r, 2 * width)?),
                    false => (self.slice(l, 0, 2 * width)?, self.slice(r, 0, 2 * width)?),
                };
                return Ok(binary(Op::Mul, l, r));
            }
            VerilogOp::Shl | VerilogOp::Shr => {
                let op = if matches!(op, VerilogOp::Shl) { Op::Shl } else { Op::Shr };
                let left = self.lower(l, left.width.or(right.width.map(|_| 64)).or(want))?;
                let amount = match right.width {
                    Some(width) => self.lower(r, Some(width))?,
                    None => {
                        let number =
                            self.number(r).and_then(|n| n.to_biguint()).ok_or("a shift by an unknown amount")?;
                        let width = (number.bits() as usize).max(1);
                        constant(number, width)
                    }
                };
                let Some(known) = amount.value() else { return Ok(binary(op, left, amount)) };
                // Printed as a plain number, so a `Constant` field is not read by its name.
                let amount = constant(known.clone(), amount.width());
                return match left.is_wiring() {
                    true => self.shift(op, left, &amount),
                    false => Ok(binary(op, left, amount)),
                };
            }
            comparison => {
                let op = match (comparison, signed) {
                    (VerilogOp::Eq, _) => Op::Eq,
                    (VerilogOp::Ne, _) => Op::Ne,
                    (VerilogOp::Lt, false) => Op::Lt,
                    (VerilogOp::Le, false) => Op::Le,
                    (VerilogOp::Gt, false) => Op::Gt,
                    (VerilogOp::Ge, false) => Op::Ge,
                    (VerilogOp::Lt, true) => Op::SignedLt,
                    (VerilogOp::Le, true) => Op::SignedLe,
                    (VerilogOp::Gt, true) => Op::SignedGt,
                    _ => Op::SignedGe,
                };
                let width = common.ok_or_else(unknown)?;
                return Ok(binary(op, self.lower(l, Some(width))?, self.lower(r, Some(width))?));
            }
        };
        let width = common.or(want).ok_or_else(unknown)?;
        let lowered = self.lower(l, Some(width))?;
        // `Bits<N> + bool` is the one operator whose operands differ in width.
        let other = match right.width {
            Some(1) if op == Op::Add && width != 1 => {
                let carry = self.lower(r, Some(1))?;
                self.slice(carry, 0, width)?
            }
            _ => self.lower(r, Some(width))?,
        };
        Ok(binary(op, lowered, other))
    }
}
