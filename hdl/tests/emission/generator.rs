//! Writes `cases.rs`: blocks whose outputs are random expressions.
//!
//! Rust HDL's expressions exist at compile time only, so random ones have to be source text.

use std::fmt::Write;

/// Decides every expression in `cases.rs`.
pub const SEED: u64 = 0x9e37_79b9_7f4a_7c15;
/// Random blocks, and outputs of each.
pub const BLOCKS: usize = 26;
/// Outputs of each block.
pub const OUTPUTS: usize = 8;

const WIDTHS: &[usize] = &[1, 2, 3, 5, 8, 13, 16, 31, 32, 33, 48, 64, 65, 128];

/// The splitmix64 sequence: small, and the same for ever.
pub struct Random(pub u64);

impl Random {
    /// The next 64 bits.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}

/// Rust source of an expression and how tightly its outermost operator binds.
struct Source {
    text: String,
    binds: u8,
}

const PRIMARY: u8 = 12;
const UNARY: u8 = 11;

struct Block<'a> {
    random: &'a mut Random,
    /// Widths of the inputs `u0..`, and of the signed inputs `s0..`.
    unsigned: Vec<usize>,
    signed: Vec<usize>,
}

fn primary(text: String) -> Source {
    Source { text, binds: PRIMARY }
}

impl Block<'_> {
    /// `source` as an operand of something that binds as tightly as `binds`.
    fn operand(&mut self, source: Source, binds: u8) -> String {
        // Superfluous parentheses now and then: they reach the AST as nodes of their own.
        match source.binds < binds || self.random.below(8) == 0 {
            true => format!("({})", source.text),
            false => source.text,
        }
    }

    fn infix(&mut self, left: Source, symbol: &str, right: Source, binds: u8) -> Source {
        let chains = !matches!(symbol, "==" | "!=" | "<" | "<=" | ">" | ">=");
        let left = self.operand(left, if chains { binds } else { binds + 1 });
        let right = self.operand(right, binds + 1);
        Source { text: format!("{left} {symbol} {right}"), binds }
    }

    fn method(&mut self, receiver: Source, call: String) -> Source {
        let receiver = self.operand(receiver, PRIMARY);
        primary(format!("{receiver}.{call}"))
    }

    fn pick_width(&mut self) -> usize {
        match self.random.below(3) {
            0 => WIDTHS[self.random.below(WIDTHS.len())],
            _ => self.unsigned[self.random.below(self.unsigned.len())],
        }
    }

    fn literal(&mut self, width: usize) -> String {
        let value = match self.random.below(4) {
            0 => self.random.below(2) as u64,
            1 => u64::MAX,
            _ => self.random.next(),
        };
        let value = if width >= 63 { value >> 1 } else { value & ((1 << width) - 1) };
        // Without a suffix a literal is an `i32` to the macro.
        if value < 1 << 31 { value.to_string() } else { format!("{value:#x}_u64") }
    }

    fn leaf(&mut self, width: usize) -> Source {
        let inputs: Vec<usize> = (0..self.unsigned.len()).filter(|at| self.unsigned[*at] == width).collect();
        match inputs.len() {
            0 if self.random.below(3) == 0 => {
                let literal = self.literal(width);
                primary(format!("bits::<{width}>({literal})"))
            }
            0 => {
                let at = self.random.below(self.unsigned.len());
                primary(format!("bit_cast::<{width}, {}>(self.u{at}.val())", self.unsigned[at]))
            }
            count => primary(format!("self.u{}.val()", inputs[self.random.below(count)])),
        }
    }

    /// An index that stays below `bound`: the simulator panics beyond it.
    fn index(&mut self, bound: usize) -> Option<String> {
        let fits: Vec<usize> = (0..self.unsigned.len())
            .filter(|at| self.unsigned[*at] < 8 && (1 << self.unsigned[*at]) <= bound)
            .collect();
        match fits.len() {
            0 => None,
            count => Some(format!("self.u{}.val().index()", fits[self.random.below(count)])),
        }
    }

    fn bits(&mut self, width: usize, depth: usize) -> Source {
        if depth == 0 {
            return self.leaf(width);
        }
        let depth = depth - 1;
        match self.random.below(16) {
            op @ 0..=5 => {
                let (symbol, binds) = [("+", 9), ("-", 9), ("&", 7), ("|", 5), ("^", 6), ("+", 9)][op];
                let left = self.bits(width, depth);
                let right = match self.random.below(4) {
                    0 => primary(self.literal(width)),
                    _ => self.bits(width, depth),
                };
                self.infix(left, symbol, right, binds)
            }
            6 => {
                let inner = self.bits(width, depth);
                let inner = self.operand(inner, UNARY);
                Source { text: format!("!{inner}"), binds: UNARY }
            }
            7 | 8 => {
                let left = self.bits(width, depth);
                let amount = match self.random.below(3) {
                    0 => {
                        let most = width + 2;
                        primary(self.random.below(most).to_string())
                    }
                    _ => {
                        let size = 1 + self.random.below(8);
                        self.bits(size, depth.min(1))
                    }
                };
                let symbol = if self.random.below(2) == 0 { "<<" } else { ">>" };
                self.infix(left, symbol, amount, 8)
            }
            9 | 10 => {
                let own = self.pick_width();
                let inner = self.bits(own, depth);
                primary(format!("bit_cast::<{width}, {own}>({})", inner.text))
            }
            11 => {
                let own = self.pick_width();
                let inner = self.bits(own, depth);
                let offset = match self.random.below(2) {
                    0 => self.index(own),
                    _ => None,
                };
                let offset = offset.unwrap_or_else(|| self.random.below(own).to_string());
                self.method(inner, format!("get_bits::<{width}>({offset})"))
            }
            12 => {
                let inner = self.bits(width, depth);
                let index = match self.random.below(2) {
                    0 => self.index(width),
                    _ => None,
                };
                let index = index.unwrap_or_else(|| self.random.below(width).to_string());
                let value = self.boolean(depth.min(1));
                self.method(inner, format!("replace_bit({index}, {})", value.text))
            }
            13 => {
                let left = self.bits(width, depth);
                let right = self.boolean(depth.min(1));
                self.infix(left, "+", right, 9)
            }
            14 if width == 32 => {
                let (left, right) = (self.bits(16, depth), self.bits(16, depth));
                self.infix(left, "*", right, 10)
            }
            15 if self.signed.contains(&width) => {
                let inner = self.signed_bits(width, depth);
                primary(format!("unsigned_cast({})", inner.text))
            }
            _ => self.leaf(width),
        }
    }

    fn boolean(&mut self, depth: usize) -> Source {
        if depth == 0 {
            return primary(format!("self.b{}.val()", self.random.below(2)));
        }
        let depth = depth - 1;
        match self.random.below(14) {
            0..=5 => {
                let width = self.pick_width();
                let left = self.bits(width, depth);
                let right = match self.random.below(3) {
                    0 => primary(self.literal(width)),
                    _ => self.bits(width, depth),
                };
                let symbol = ["==", "!=", "<", "<=", ">", ">="][self.random.below(6)];
                self.infix(left, symbol, right, 4)
            }
            6 => {
                let width = self.pick_width();
                let inner = self.bits(width, depth);
                let index = match self.random.below(2) {
                    0 => self.index(width),
                    _ => None,
                };
                let index = index.unwrap_or_else(|| self.random.below(width).to_string());
                self.method(inner, format!("get_bit({index})"))
            }
            7 | 8 => {
                let width = self.pick_width();
                let inner = self.bits(width, depth);
                let reduction = ["all()", "any()", "xor()"][self.random.below(3)];
                self.method(inner, reduction.to_string())
            }
            9 => {
                let (left, right) = (self.boolean(depth), self.boolean(depth));
                self.infix(left, "&&", right, 3)
            }
            10 => {
                let (left, right) = (self.boolean(depth), self.boolean(depth));
                self.infix(left, "||", right, 2)
            }
            11 => {
                let (left, right) = (self.boolean(depth), self.boolean(depth));
                let (symbol, binds) = [("&", 7), ("|", 5), ("^", 6)][self.random.below(3)];
                self.infix(left, symbol, right, binds)
            }
            12 => {
                let inner = self.boolean(depth);
                let inner = self.operand(inner, UNARY);
                Source { text: format!("!{inner}"), binds: UNARY }
            }
            _ => {
                let width = self.signed[self.random.below(self.signed.len())];
                let left = self.signed_bits(width, depth);
                let right = self.signed_context(width, depth);
                let symbol = ["==", "!=", "<", "<=", ">", ">="][self.random.below(6)];
                self.infix(left, symbol, right, 4)
            }
        }
    }

    /// A signed expression whose width can be seen without its context.
    fn signed_bits(&mut self, width: usize, depth: usize) -> Source {
        let at = self.signed.iter().position(|w| *w == width).unwrap_or(0);
        if depth == 0 {
            return primary(format!("self.s{at}.val()"));
        }
        let depth = depth - 1;
        match self.random.below(5) {
            op @ 0..=1 => {
                let (symbol, binds) = [("+", 9), ("-", 9)][op];
                let left = self.signed_bits(width, depth);
                let right = self.signed_context(width, depth);
                self.infix(left, symbol, right, binds)
            }
            2 => {
                let inner = self.signed_bits(width, depth);
                let inner = self.operand(inner, UNARY);
                Source { text: format!("-{inner}"), binds: UNARY }
            }
            3 if width == 32 && self.signed.contains(&16) => {
                let (left, right) = (self.signed_bits(16, depth), self.signed_bits(16, depth));
                self.infix(left, "*", right, 10)
            }
            _ => primary(format!("self.s{at}.val()")),
        }
    }

    /// A signed expression beside another: casts take their width from that one.
    fn signed_context(&mut self, width: usize, depth: usize) -> Source {
        match self.random.below(4) {
            0 => {
                let inner = self.bits(width, depth);
                primary(format!("signed_cast::<{width}>({})", inner.text))
            }
            // The simulator recurses for ever on the most negative value, which signed inputs therefore never have.
            1 => {
                let at = self.random.below(self.signed.len());
                primary(format!("signed_bit_cast::<{width}, {}>(self.s{at}.val())", self.signed[at]))
            }
            _ => self.signed_bits(width, depth),
        }
    }
}

/// The whole of `cases.rs`.
pub fn cases() -> String {
    let mut random = Random(SEED);
    let mut out = String::from(
        "// Written by `generator.rs`; `UPDATE_CASES=1 cargo test -p hdl --test emission` writes it again.\n\n\
         use super::subject::*;\nuse rust_hdl_core::prelude::*;\n",
    );
    for number in 0..BLOCKS {
        block(number, &mut random, &mut out).expect("writing to a string");
    }
    let list = (0..BLOCKS).map(|n| format!("    check::<Random{n}>(bench);\n")).collect::<String>();
    write!(out, "\n/// Adds every random block to the bench.\npub fn add_all(bench: &mut Bench) {{\n{list}}}\n")
        .expect("writing to a string");
    out.replace("check::<", "bench.add::<").replace(">(bench);", ">();")
}

fn block(number: usize, random: &mut Random, out: &mut String) -> std::fmt::Result {
    let small = 2 + random.below(4);
    let mut unsigned = vec![small, WIDTHS[random.below(WIDTHS.len())], 16];
    for _ in 0..3 {
        unsigned.push(WIDTHS[random.below(WIDTHS.len())]);
    }
    let signed = match number % 2 {
        0 => vec![16, 32, [2, 5, 9, 17][random.below(4)]],
        _ => vec![[3, 24, 31, 64, 100][random.below(5)], 8],
    };
    let mut block = Block { random, unsigned: unsigned.clone(), signed: signed.clone() };

    let mut fields: Vec<(String, String)> = vec![];
    let inputs = [("u", &unsigned, "Bits"), ("s", &signed, "Signed")];
    for (letter, widths, kind) in inputs {
        for (at, width) in widths.iter().enumerate() {
            fields.push((format!("{letter}{at}"), format!("Signal<In, {kind}<{width}>>")));
        }
    }
    fields.extend([0, 1].map(|at| (format!("b{at}"), "Signal<In, Bit>".to_string())));
    let names: Vec<String> = fields.iter().map(|(name, _)| name.clone()).collect();

    let mut body = String::new();
    let mut results = vec![];
    for at in 0..OUTPUTS {
        let depth = 2 + at % 3;
        let name = format!("y{at}");
        let (kind, source) = match block.random.below(10) {
            0..=1 => ("Bit".to_string(), block.boolean(depth)),
            2 => {
                let width = signed[block.random.below(signed.len())];
                (format!("Signed<{width}>"), block.signed_bits(width, depth))
            }
            _ => {
                let width = block.pick_width();
                (format!("Bits<{width}>"), block.bits(width, depth))
            }
        };
        writeln!(body, "        self.{name}.next = {};", source.text)?;
        fields.push((name.clone(), format!("Signal<Out, {kind}>")));
        results.push(name);
    }

    writeln!(out, "\n#[derive(LogicBlock, Default)]\npub struct Random{number} {{")?;
    for (name, kind) in &fields {
        writeln!(out, "    {name}: {kind},")?;
    }
    writeln!(
        out,
        "}}\n\nimpl Logic for Random{number} {{\n    #[hdl_gen]\n    #[rustfmt::skip]\n    fn update(&mut self) {{\n{body}    }}\n}}\n"
    )?;
    writeln!(out, "subject!(Random{number}, [{}], [{}]);", names.join(", "), results.join(", "))
}
