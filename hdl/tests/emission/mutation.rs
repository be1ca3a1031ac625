//! Deliberate bugs in the emitted text, each of which the comparison must find.

use super::subject::*;
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::dff::DFF;
use rust_hdl_widgets::dff_setup;

/// One output for each bug.
#[derive(LogicBlock, Default)]
pub struct Mutable {
    clock: Signal<In, Clock>,
    a: Signal<In, Bits<8>>,
    b: Signal<In, Bits<8>>,
    m: Signal<In, Bits<8>>,
    w: Signal<In, Bits<16>>,
    s: Signal<In, Signed<8>>,
    t: Signal<In, Signed<8>>,
    masked: Signal<Out, Bit>,
    wrapped: Signal<Out, Bit>,
    halved: Signal<Out, Bits<8>>,
    difference: Signal<Out, Bits<8>>,
    less: Signal<Out, Bit>,
    extended: Signal<Out, Signed<16>>,
    inverted: Signal<Out, Bits<16>>,
    middle: Signal<Out, Bits<8>>,
    chosen: Signal<Out, Bits<8>>,
    held: Signal<Out, Bits<8>>,
    word: DFF<Bits<8>>,
}

impl Logic for Mutable {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, word);
        self.masked.next = self.a.val() & self.m.val() == self.b.val();
        self.wrapped.next = self.a.val() + 1 == self.b.val();
        self.halved.next = (self.a.val() + self.m.val()) >> 1;
        self.difference.next = self.a.val() - self.b.val();
        self.less.next = self.s.val() < self.t.val();
        self.extended.next = signed_bit_cast::<16, 8>(self.t.val());
        self.inverted.next = bit_cast::<16, 8>(!self.b.val());
        self.middle.next = self.w.val().get_bits::<8>(4);
        match self.m.val().index() {
            0 => self.chosen.next = self.a.val(),
            1 => self.chosen.next = self.b.val(),
            _ => self.chosen.next = self.m.val(),
        }
        self.word.d.next = self.a.val() ^ self.b.val();
        self.held.next = self.word.q.val();
    }
}
subject!(
    Mutable,
    clocked,
    [a, b, m, w, s, t],
    [masked, wrapped, halved, difference, less, extended, inverted, middle, chosen, held]
);

/// What is wrong, and the replacements that make it so.
pub const MUTATIONS: &[(&str, &[(&str, &str)])] = &[
    ("nothing", &[]),
    ("a parenthesis dropped", &[("(a & m) == b", "a & m == b")]),
    ("a literal widened", &[("(a + 8'd1) == b", "(a + 32'd1) == b")]),
    ("a carry kept", &[("(a + m) >> 1", "({1'b0, a} + m) >> 1")]),
    ("operands swapped", &[("= a - b;", "= b - a;")]),
    ("a signed comparison made unsigned", &[("$signed(s) < $signed(t)", "s < t")]),
    ("a comparison that includes equality", &[("$signed(s) < $signed(t)", "$signed(s) <= $signed(t)")]),
    ("zeros instead of the sign", &[("{{8{t[7]}}, t}", "{8'd0, t}")]),
    ("a complement after widening", &[("{8'd0, ~b}", "~{8'd0, b}")]),
    ("a slice one bit too high", &[("w[11:4]", "w[12:5]")]),
    ("two arms exchanged", &[("8'd0: chosen", "8'd9: chosen"), ("8'd1: chosen", "8'd0: chosen")]),
    ("a register one cycle early", &[("assign held = word;", "assign held = a ^ b;")]),
    (
        "a register one cycle late",
        &[("reg [7:0] word;", "reg [7:0] word; reg [7:0] late;"), ("word <= a ^ b;", "late <= a ^ b; word <= late;")],
    ),
    ("another value at power-up", &[("word = 8'd0;", "word = 8'd1;")]),
];
