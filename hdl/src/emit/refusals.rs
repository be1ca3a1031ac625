//! Blocks that have no equivalent in hardware, and what their author is told.

use super::emit;
use expect_test::{Expect, expect};
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::dff::DFF;
use rust_hdl_widgets::dff_setup;

fn refused<B: Block>(mut block: B, expected: Expect) {
    let error = emit(&mut block, "top").expect_err("the block must be refused");
    expected.assert_eq(&format!("{error}\n"));
}

/// A block with inputs `a`, `c`, output `y`, local `x`, a flip-flop and the given body.
macro_rules! block {
    ($name:ident, $($update:tt)*) => {
        #[derive(LogicBlock, Default)]
        struct $name {
            clock: Signal<In, Clock>,
            a: Signal<In, Bits<8>>,
            c: Signal<In, Bit>,
            y: Signal<Out, Bits<8>>,
            x: Signal<Local, Bits<8>>,
            held: DFF<Bits<8>>,
        }
        impl Logic for $name {
            $($update)*
        }
    };
}

block!(
    LatchedLocal,
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, held);
        if self.c.val() {
            self.x.next = self.a.val();
        }
        self.y.next = self.x.val();
    }
);

block!(
    LatchedRegister,
    #[hdl_gen]
    fn update(&mut self) {
        self.held.clock.next = self.clock.val();
        self.x.next = self.a.val();
        if self.c.val() {
            self.held.d.next = self.x.val();
        }
        self.y.next = self.held.q.val();
    }
);

block!(
    LatchedArm,
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, held);
        match self.a.val().index() {
            0 => self.x.next = 1.into(),
            1 => {}
            _ => self.x.next = 2.into(),
        }
        self.y.next = self.x.val();
    }
);

#[test]
fn what_is_not_assigned_on_every_path_is_refused() {
    refused(
        LatchedLocal::default(),
        expect![[r#"
        top: `x` is not assigned on every path, which makes it a latch; assign a default at the top of `update`
    "#]],
    );
    refused(
        LatchedRegister::default(),
        expect![[r#"
        top: `held.d` is not assigned on every path, which makes it a latch; assign a default at the top of `update`
    "#]],
    );
    refused(
        LatchedArm::default(),
        expect![[r#"
        top: `x` is not assigned on every path, which makes it a latch; assign a default at the top of `update`
    "#]],
    );
}

block!(
    SelfLoop,
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, held);
        self.x.next = self.x.val() + self.a.val();
        self.y.next = self.x.val();
    }
);

#[derive(LogicBlock, Default)]
struct ArrayLoop {
    a: Signal<In, Bits<8>>,
    y: Signal<Out, Bits<8>>,
    ring: [Signal<Local, Bits<8>>; 3],
}

impl Logic for ArrayLoop {
    #[hdl_gen]
    fn update(&mut self) {
        for i in 0..3 {
            self.ring[i].next = self.ring[(i + 1) % 3].val() ^ self.a.val();
        }
        self.y.next = self.ring[0].val();
    }
}

#[test]
fn loops_without_a_flip_flop_are_refused() {
    refused(
        SelfLoop::default(),
        expect![[r#"
        read before they are assigned: top.x
    "#]],
    );
    refused(
        ArrayLoop::default(),
        expect![[r#"
        top: `ring[0]` → `ring[1]` → `ring[2]` depends on itself without a flip-flop between, or is read before it is assigned
    "#]],
    );
}

#[derive(LogicBlock, Default)]
struct Reserved {
    a: Signal<In, Bits<8>>,
    priority: Signal<Out, Bits<8>>,
}

impl Logic for Reserved {
    #[hdl_gen]
    fn update(&mut self) {
        self.priority.next = self.a.val();
    }
}

#[test]
fn a_field_called_like_a_reserved_word_is_refused() {
    refused(
        Reserved::default(),
        expect![[r#"
        top: `priority` is a reserved word of Verilog; rename the field
    "#]],
    );
}

block!(
    Undriven,
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, held);
        self.x.next = self.a.val();
    }
);

block!(
    InputDriven,
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, held);
        self.x.next = self.a.val();
        self.a.next = self.x.val();
        self.y.next = self.x.val();
    }
);

block!(
    TooLarge,
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, held);
        self.x.next = self.a.val() & 0x1FF;
        self.y.next = self.x.val();
    }
);

const LIMIT: usize = 3;

block!(
    ConstantAsValue,
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, held);
        self.x.next = self.a.val() + LIMIT.to_bits::<8>();
        self.y.next = self.x.val();
    }
);

block!(
    CastWithoutContext,
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, held);
        self.x.next = 0.into();
        if signed_cast(self.a.val()) < signed_cast(self.held.q.val()) {
            self.x.next = 1.into();
        }
        self.y.next = self.x.val();
    }
);

block!(
    PartOfIntermediate,
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, held);
        self.x.next = self.a.val();
        self.y.next = bit_cast::<8, 4>((self.x.val() + self.a.val()).get_bits::<4>(4));
        self.x.next = self.x.val() + 1;
    }
);

#[test]
fn errors_name_the_signal_and_say_what_to_do() {
    refused(
        Undriven::default(),
        expect![[r#"
        not driven: top.y; assign them in `update`
    "#]],
    );
    refused(
        InputDriven::default(),
        expect![[r#"
        inputs assigned by their own block: top.a
    "#]],
    );
    refused(
        TooLarge::default(),
        expect![[r#"
        top: in the assignment to `x`: 511 does not fit 8 bits
    "#]],
    );
    refused(
        ConstantAsValue::default(),
        expect![[r#"
        top: in the assignment to `x`: `LIMIT` is no signal, loop variable or enum variant here; put a constant into a `Constant<_>`
    "#]],
    );
    refused(
        CastWithoutContext::default(),
        expect![[r#"
        top: in the test of an `if`: the width of neither operand is known; assign one to a `Signal<Local, _>` first
    "#]],
    );
    refused(
        PartOfIntermediate::default(),
        expect![[r#"
        top: bits of an expression are selected while `x` is still to be assigned again; split it into two signals
    "#]],
    );
}

#[derive(LogicBlock, Default)]
struct Pad {
    pin: Signal<InOut, Bits<4>>,
    y: Signal<Out, Bits<4>>,
}

impl Logic for Pad {
    #[hdl_gen]
    fn update(&mut self) {
        self.y.next = self.pin.val();
    }
}

#[derive(LogicBlock, Default)]
struct NoHardware {
    a: Signal<In, Bits<8>>,
    y: Signal<Out, Bits<8>>,
}

impl Logic for NoHardware {
    fn update(&mut self) {
        self.y.next = self.a.val();
    }
    fn connect(&mut self) {
        self.y.connect();
    }
}

#[derive(LogicBlock, Default)]
struct SelectedElement {
    a: [Signal<In, Bits<8>>; 4],
    sel: Signal<In, Bits<2>>,
    y: Signal<Out, Bits<8>>,
}

impl Logic for SelectedElement {
    #[hdl_gen]
    fn update(&mut self) {
        self.y.next = self.a[self.sel.val().index()].val();
    }
}

#[test]
fn what_has_no_equivalent_is_refused() {
    refused(
        Pad::default(),
        expect![[r#"
        top: `pin` is an `InOut` signal, which is not supported
    "#]],
    );
    refused(
        NoHardware::default(),
        expect![[r#"
        top: nothing in `update` assigns `y`, or its block has no hardware description
    "#]],
    );
    refused(
        SelectedElement::default(),
        expect![[r#"
        top: in the assignment to `y`: the element index in `a[sel.val().index()]` is not made of literals and loop variables; select with `match`
    "#]],
    );
}
