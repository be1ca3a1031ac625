//! The text of small blocks.

use super::*;
use expect_test::{Expect, expect};
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::dff::DFF;
use rust_hdl_widgets::dff_setup;

fn text<B: Block>(mut block: B) -> String {
    let emitted = emit(&mut block, "top").expect("the block can be printed");
    let modules = emitted.verilog.split("`default_nettype").nth(1).unwrap_or_default();
    modules.trim_start_matches(" none").trim().to_string() + "\n"
}

fn check<B: Block>(block: B, expected: Expect) {
    expected.assert_eq(&text(block));
}

#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
enum Phase {
    Idle,
    Busy,
    Done,
}

#[derive(LogicBlock, Default)]
struct Counter {
    clock: Signal<In, Clock>,
    reset: Signal<In, Bit>,
    start: Signal<In, Bit>,
    count: Signal<Out, Bits<4>>,
    finished: Signal<Out, Bit>,
    state: DFF<Phase>,
    value: DFF<Bits<4>>,
    unread: DFF<Bits<9>>,
}

impl Logic for Counter {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, state, value, unread);
        match self.state.q.val() {
            Phase::Idle => {
                self.value.d.next = 0.into();
                if self.start.val() {
                    self.state.d.next = Phase::Busy;
                }
            }
            Phase::Busy => {
                self.value.d.next = self.value.q.val() + 1;
                if self.value.q.val().all() {
                    self.state.d.next = Phase::Done;
                }
            }
            Phase::Done => {}
        }
        self.unread.d.next = self.unread.q.val() + 1;
        if self.reset.val() {
            self.state.d.next = Phase::Idle;
        }
        self.count.next = self.value.q.val();
        self.finished.next = self.state.q.val() == Phase::Done;
    }
}

#[test]
fn a_state_machine_reads_like_one_written_by_hand() {
    check(
        Counter::default(),
        expect![[r#"
            module top (
                input wire clock,
                input wire reset,
                input wire start,
                output wire [3:0] count,
                output wire finished
            );
                localparam [1:0] Phase_Idle = 2'd0;
                localparam [1:0] Phase_Busy = 2'd1;
                localparam [1:0] Phase_Done = 2'd2;

                reg [1:0] state;
                reg [3:0] value;

                assign count = value;
                assign finished = state == Phase_Done;

                initial begin
                    state = 2'd0;
                    value = 4'd0;
                end

                always @(posedge clock) begin
                    case (state)
                        Phase_Idle: begin
                            value <= 4'd0;
                            if (start) begin
                                state <= Phase_Busy;
                            end
                        end
                        Phase_Busy: begin
                            value <= value + 4'd1;
                            if (&value) begin
                                state <= Phase_Done;
                            end
                        end
                        default: ;
                    endcase
                    if (reset) begin
                        state <= Phase_Idle;
                    end
                end
            endmodule
        "#]],
    );
}

#[derive(LogicBlock, Default)]
struct Arithmetic {
    a: Signal<In, Bits<8>>,
    b: Signal<In, Bits<8>>,
    sel: Signal<In, Bits<3>>,
    equal: Signal<Out, Bit>,
    average: Signal<Out, Bits<9>>,
    nibble: Signal<Out, Bits<4>>,
    picked: Signal<Out, Bit>,
    sum: Signal<Local, Bits<9>>,
    total: Signal<Out, Bits<8>>,
    maximum: Signal<Out, Bits<8>>,
}

impl Logic for Arithmetic {
    #[hdl_gen]
    fn update(&mut self) {
        self.equal.next = self.a.val() & 0x0F == self.b.val();
        self.sum.next = bit_cast::<9, 8>(self.a.val()) + bit_cast::<9, 8>(self.b.val());
        self.average.next = self.sum.val() >> 1;
        self.nibble.next = (self.a.val() + self.b.val()).get_bits::<4>(4);
        self.picked.next = self.a.val().get_bit(self.sel.val().index());
        self.total.next = bit_cast::<8, 9>(self.sum.val());
        self.maximum.next = self.a.val();
        if self.b.val() > self.a.val() {
            self.maximum.next = self.b.val();
        }
    }
}

#[test]
fn widths_are_made_to_agree_by_concatenation_and_selection() {
    check(
        Arithmetic::default(),
        expect![[r#"
            module top (
                input wire [7:0] a,
                input wire [7:0] b,
                input wire [2:0] sel,
                output wire equal,
                output wire [8:0] average,
                output wire [3:0] nibble,
                output wire picked,
                output wire [7:0] total,
                output wire [7:0] maximum
            );
                wire [8:0] sum;
                wire [7:0] part_0 = a + b;

                assign equal = (a & 8'h0f) == b;
                assign sum = {1'b0, a} + {1'b0, b};
                assign average = {1'b0, sum[8:1]};
                assign nibble = part_0[7:4];
                assign picked = a[sel];
                assign total = sum[7:0];
                assign maximum = (b > a) ? b : a;

                wire unused = &{1'b0, part_0[3:0]};
            endmodule
        "#]],
    );
}

#[derive(LogicBlock)]
struct Half {
    a: Signal<In, Bits<4>>,
    b: Signal<Out, Bits<4>>,
    key: Constant<Bits<4>>,
}

impl Half {
    fn new(key: u64) -> Half {
        Half { a: Default::default(), b: Default::default(), key: Constant::new(key.into()) }
    }
}

impl Logic for Half {
    #[hdl_gen]
    fn update(&mut self) {
        self.b.next = self.a.val() ^ self.key.val();
    }
}

#[derive(LogicBlock)]
struct Halves {
    a: Signal<In, Bits<8>>,
    b: Signal<Out, Bits<8>>,
    same: [Half; 2],
    other: Vec<Half>,
    odd: Half,
}

impl Default for Halves {
    fn default() -> Self {
        Halves {
            a: Default::default(),
            b: Default::default(),
            same: [Half::new(1), Half::new(1)],
            other: vec![Half::new(2), Half::new(3)],
            odd: Half::new(3),
        }
    }
}

impl Logic for Halves {
    #[hdl_gen]
    fn update(&mut self) {
        self.same[0].a.next = self.a.val().get_bits::<4>(0);
        self.same[1].a.next = self.a.val().get_bits::<4>(4);
        for i in 0..2 {
            self.other[i].a.next = self.same[i].b.val();
        }
        self.odd.a.next = self.other[1].b.val();
        self.b.next = bit_cast::<8, 4>(self.other[0].b.val()) << 4 | bit_cast::<8, 4>(self.odd.b.val());
    }
}

#[test]
fn equal_modules_are_printed_once_and_named_after_their_field() {
    let verilog = text(Halves::default());
    let heads: Vec<&str> = verilog.lines().filter(|l| l.starts_with("module ")).collect();
    assert_eq!(heads, ["module top (", "module same (", "module other_0 (", "module other_1 ("]);
    let instances: Vec<&str> =
        verilog.lines().filter(|l| l.starts_with("    ") && l.ends_with(" (")).map(str::trim).collect();
    assert_eq!(
        instances,
        ["same same_0 (", "same same_1 (", "other_0 other_0 (", "other_1 other_1 (", "other_1 odd ("]
    );
}

#[test]
fn the_same_block_gives_the_same_text() {
    assert_eq!(text(Halves::default()), text(Halves::default()));
}

#[test]
fn ports_come_in_the_order_of_the_fields() {
    let emitted = emit(&mut Counter::default(), "top").expect("the block can be printed");
    let ports: Vec<(&str, usize, bool)> =
        emitted.ports.iter().map(|p| (p.name.as_str(), p.width, p.direction == super::Direction::Input)).collect();
    assert_eq!(
        ports,
        [("clock", 1, true), ("reset", 1, true), ("start", 1, true), ("count", 4, false), ("finished", 1, false)]
    );
}

#[derive(LogicBlock, Default)]
struct Colliding {
    a: Signal<In, Bits<8>>,
    part_0: Signal<Local, Bits<8>>,
    y: Signal<Out, Bits<4>>,
}

impl Logic for Colliding {
    #[hdl_gen]
    fn update(&mut self) {
        self.part_0.next = self.a.val();
        self.y.next = (self.part_0.val() + self.a.val()).get_bits::<4>(2);
    }
}

#[test]
fn colliding_names_are_told_apart() {
    check(
        Colliding::default(),
        expect![[r#"
        module top (
            input wire [7:0] a,
            output wire [3:0] y
        );
            wire [7:0] part_0;
            wire [7:0] part_0_2 = part_0 + a;

            assign part_0 = a;
            assign y = part_0_2[5:2];

            wire unused = &{1'b0, part_0_2[7:6], part_0_2[1:0]};
        endmodule
    "#]],
    );
}
