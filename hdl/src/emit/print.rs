//! The text of expressions and statements.

use super::expression::{ConstantName, Expr, Op, SignalId, UnaryOp};
use super::process::Statement;
use num_bigint::BigUint;
use std::collections::BTreeMap;

/// What identifiers the module has given to its signals and constants.
#[derive(Default)]
pub struct Names {
    pub signals: BTreeMap<SignalId, String>,
    /// One-bit signals are scalars and take no index.
    pub widths: BTreeMap<SignalId, usize>,
    pub constants: BTreeMap<ConstantName, String>,
}

/// How a statement assigns.
#[derive(Clone, Copy, PartialEq)]
pub enum Assign {
    Blocking,
    NonBlocking,
}

/// Lines with indentation.
#[derive(Default)]
pub struct Text {
    pub lines: String,
    depth: usize,
    pending: bool,
}

impl Text {
    /// One line at the present depth.
    pub fn line(&mut self, text: impl AsRef<str>) {
        let text = text.as_ref();
        if std::mem::take(&mut self.pending) {
            self.lines.push('\n');
        }
        if !text.is_empty() {
            self.lines.push_str(&"    ".repeat(self.depth));
            self.lines.push_str(text);
        }
        self.lines.push('\n');
    }

    /// Sets off what follows by an empty line, if anything follows at this depth.
    pub fn gap(&mut self) {
        self.pending = true;
    }

    /// Lines written by `body`, one level deeper.
    pub fn indented(&mut self, body: impl FnOnce(&mut Text)) {
        self.depth += 1;
        body(self);
        self.depth -= 1;
        self.pending = false;
    }
}

/// Characters of a line beyond which an assignment is spread over several.
const LINE: usize = 116;

/// `[7:0] `, or nothing for one bit.
pub fn range(width: usize) -> String {
    match width {
        1 => String::new(),
        _ => format!("[{}:0] ", width - 1),
    }
}

/// A number with its width.
pub fn number(value: &BigUint, width: usize) -> String {
    match (width, value.bits()) {
        (1, _) => format!("1'b{value}"),
        (_, 0..=3) => format!("{width}'d{value}"),
        // Leading zeros show the width at a glance; beyond a word they would hide the digits.
        _ if width <= 32 => format!("{width}'h{value:0digits$x}", digits = width.div_ceil(4)),
        _ => format!("{width}'h{value:x}"),
    }
}

impl Names {
    fn name(&self, id: SignalId) -> &str {
        self.signals.get(&id).map_or("", String::as_str)
    }

    /// A signal or some of its bits.
    pub fn bits(&self, id: SignalId, offset: usize, width: usize) -> String {
        let name = self.name(id);
        match self.widths.get(&id) {
            Some(whole) if *whole == width => name.to_string(),
            _ if width == 1 => format!("{name}[{offset}]"),
            _ => format!("{name}[{}:{offset}]", offset + width - 1),
        }
    }

    /// `assign target = value;`, a part or a choice a line where it is long.
    pub fn assign(&self, out: &mut Text, target: &str, value: &Expr) {
        let text = format!("assign {target} = {};", self.expr(value));
        match value {
            _ if text.len() <= LINE => out.line(text),
            Expr::Concat(parts) => {
                out.line(format!("assign {target} = {{"));
                out.indented(|out| {
                    for (i, part) in parts.iter().enumerate() {
                        let comma = if i + 1 < parts.len() { "," } else { "" };
                        out.line(format!("{}{comma}", self.expr(part)));
                    }
                });
                out.line("};");
            }
            Expr::Multiplex(..) => {
                out.line(format!("assign {target} ="));
                out.indented(|out| {
                    let mut rest = value;
                    let mut colon = "";
                    while let Expr::Multiplex(test, then, otherwise) = rest {
                        out.line(format!("{colon}{} ? {}", self.operand(test), self.operand(then)));
                        colon = ": ";
                        rest = otherwise;
                    }
                    out.line(format!(": {};", self.operand(rest)));
                });
            }
            _ => out.line(text),
        }
    }

    /// An expression as it stands alone: in an assignment, a condition or a list.
    pub fn expr(&self, e: &Expr) -> String {
        match e {
            Expr::Constant { value, width, name } => {
                name.as_ref().and_then(|n| self.constants.get(n).cloned()).unwrap_or_else(|| number(value, *width))
            }
            Expr::Slice { signal, offset, width } => self.bits(*signal, *offset, *width),
            Expr::Select { signal, offset, width: 1 } => format!("{}[{}]", self.name(*signal), self.expr(offset)),
            Expr::Select { signal, offset, width } => {
                format!("{}[{} +: {width}]", self.name(*signal), self.operand(offset))
            }
            Expr::Concat(parts) => {
                format!("{{{}}}", parts.iter().map(|p| self.expr(p)).collect::<Vec<_>>().join(", "))
            }
            Expr::Repeat(count, bit) => format!("{{{count}{{{}}}}}", self.expr(bit)),
            Expr::Unary(op, operand) => {
                let symbol = match op {
                    UnaryOp::Not if operand.width() == 1 => "!",
                    UnaryOp::Not => "~",
                    UnaryOp::Neg => "-",
                    UnaryOp::All => "&",
                    UnaryOp::Any => "|",
                    UnaryOp::Parity => "^",
                };
                format!("{symbol}{}", self.operand(operand))
            }
            Expr::Binary(op, l, r) => self.binary(*op, l, r),
            Expr::Multiplex(test, then, otherwise) => {
                let last = match &**otherwise {
                    chain @ Expr::Multiplex(..) => self.expr(chain),
                    other => self.operand(other),
                };
                format!("{} ? {} : {last}", self.operand(test), self.operand(then))
            }
        }
    }

    fn binary(&self, op: Op, l: &Expr, r: &Expr) -> String {
        let symbol = match op {
            Op::Add => "+",
            Op::Sub => "-",
            Op::Mul => "*",
            Op::And => "&",
            Op::Or => "|",
            Op::Xor => "^",
            Op::LogicalAnd => "&&",
            Op::LogicalOr => "||",
            Op::Shl => "<<",
            Op::Shr => ">>",
            Op::Eq => "==",
            Op::Ne => "!=",
            Op::Lt | Op::SignedLt => "<",
            Op::Le | Op::SignedLe => "<=",
            Op::Gt | Op::SignedGt => ">",
            Op::Ge | Op::SignedGe => ">=",
        };
        if matches!(op, Op::SignedLt | Op::SignedLe | Op::SignedGt | Op::SignedGe) {
            return format!("$signed({}) {symbol} $signed({})", self.expr(l), self.expr(r));
        }
        if matches!(op, Op::Shl | Op::Shr) {
            // The amount has its own width in Verilog as well, so a plain number will do.
            let amount = r.value().map_or_else(|| self.operand(r), BigUint::to_string);
            return format!("{} {symbol} {amount}", self.operand(l));
        }
        // These may be regrouped freely, so a chain of one of them needs no parentheses.
        let chain = |e: &Expr| {
            matches!(op, Op::And | Op::Or | Op::Xor | Op::LogicalAnd | Op::LogicalOr)
                && matches!(e, Expr::Binary(inner, ..) if *inner == op)
        };
        let side = |e: &Expr| if chain(e) { self.expr(e) } else { self.operand(e) };
        format!("{} {symbol} {}", side(l), side(r))
    }

    /// An expression beside an operator: never left to Verilog's precedence.
    fn operand(&self, e: &Expr) -> String {
        match e {
            Expr::Binary(..) | Expr::Multiplex(..) => format!("({})", self.expr(e)),
            // `a & &b` is legal but no one should have to read it.
            Expr::Unary(op, _) if *op != UnaryOp::Not => format!("({})", self.expr(e)),
            _ => self.expr(e),
        }
    }

    /// Statements of a procedural block.
    pub fn statements(&self, statements: &[Statement], kind: Assign, out: &mut Text) {
        for statement in statements {
            match statement {
                Statement::Assign { target, offset, width, value } => {
                    let arrow = if kind == Assign::Blocking { "=" } else { "<=" };
                    out.line(format!("{} {arrow} {};", self.bits(*target, *offset, *width), self.expr(value)));
                }
                Statement::If { test, then, otherwise } => self.conditional("", test, then, otherwise, kind, out),
                Statement::Case { test, arms, label, default } => {
                    out.line(format!("case ({})", self.expr(test)));
                    out.indented(|out| {
                        for (label, body) in arms {
                            self.branch(&format!("{}:", self.expr(label)), body, kind, out);
                        }
                        match label {
                            Some(label) if !default.is_empty() => {
                                self.branch(&format!("default: // {}", self.expr(label)), default, kind, out)
                            }
                            _ => self.branch("default:", default, kind, out),
                        }
                    });
                    out.line("endcase");
                }
            }
        }
    }

    fn branch(&self, head: &str, body: &[Statement], kind: Assign, out: &mut Text) {
        match body {
            [] => out.line(format!("{head} ;")),
            [Statement::Assign { .. }] if !head.contains("//") => {
                let mut line = Text::default();
                self.statements(body, kind, &mut line);
                out.line(format!("{head} {}", line.lines.trim()));
            }
            _ => {
                match head.split_once(" // ") {
                    Some((head, note)) => out.line(format!("{head} begin // {note}")),
                    None => out.line(format!("{head} begin")),
                }
                out.indented(|out| self.statements(body, kind, out));
                out.line("end");
            }
        }
    }

    fn conditional(
        &self,
        lead: &str,
        test: &Expr,
        then: &[Statement],
        otherwise: &[Statement],
        kind: Assign,
        out: &mut Text,
    ) {
        if then.is_empty() {
            let inverse = match test {
                Expr::Unary(UnaryOp::Not, inner) => (**inner).clone(),
                _ => Expr::Unary(UnaryOp::Not, Box::new(test.clone())),
            };
            return self.conditional(lead, &inverse, otherwise, &[], kind, out);
        }
        out.line(format!("{lead}if ({}) begin", self.expr(test)));
        out.indented(|out| self.statements(then, kind, out));
        match otherwise {
            [] => out.line("end"),
            [Statement::If { test, then, otherwise }] if !then.is_empty() => {
                self.conditional("end else ", test, then, otherwise, kind, out)
            }
            _ => {
                out.line("end else begin");
                out.indented(|out| self.statements(otherwise, kind, out));
                out.line("end");
            }
        }
    }
}
