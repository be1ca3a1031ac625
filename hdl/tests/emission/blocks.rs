//! One block for each construct of the language.

use super::subject::*;
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::dff::DFF;
use rust_hdl_widgets::dff_setup;

/// Every operator on `Bits<N>`.
#[derive(LogicBlock, Default)]
pub struct Operators<const N: usize> {
    a: Signal<In, Bits<N>>,
    b: Signal<In, Bits<N>>,
    s: Signal<In, Bits<8>>,
    c: Signal<In, Bit>,
    sum: Signal<Out, Bits<N>>,
    difference: Signal<Out, Bits<N>>,
    conjunction: Signal<Out, Bits<N>>,
    disjunction: Signal<Out, Bits<N>>,
    parity: Signal<Out, Bits<N>>,
    inverse: Signal<Out, Bits<N>>,
    left: Signal<Out, Bits<N>>,
    right: Signal<Out, Bits<N>>,
    left_by: Signal<Out, Bits<N>>,
    right_by: Signal<Out, Bits<N>>,
    carried: Signal<Out, Bits<N>>,
    increment: Signal<Out, Bits<N>>,
    decrement: Signal<Out, Bits<N>>,
    equal: Signal<Out, Bit>,
    different: Signal<Out, Bit>,
    less: Signal<Out, Bit>,
    at_most: Signal<Out, Bit>,
    more: Signal<Out, Bit>,
    at_least: Signal<Out, Bit>,
    all_set: Signal<Out, Bit>,
    any_set: Signal<Out, Bit>,
    odd: Signal<Out, Bit>,
    lowest: Signal<Out, Bit>,
    lifted: Signal<Out, Bits<N>>,
    both: Signal<Out, Bit>,
    either: Signal<Out, Bit>,
    neither: Signal<Out, Bit>,
}

impl<const N: usize> Logic for Operators<N> {
    #[hdl_gen]
    fn update(&mut self) {
        self.sum.next = self.a.val() + self.b.val();
        self.difference.next = self.a.val() - self.b.val();
        self.conjunction.next = self.a.val() & self.b.val();
        self.disjunction.next = self.a.val() | self.b.val();
        self.parity.next = self.a.val() ^ self.b.val();
        self.inverse.next = !self.a.val();
        self.left.next = self.a.val() << 3;
        self.right.next = self.a.val() >> 3;
        self.left_by.next = self.a.val() << self.s.val();
        self.right_by.next = self.a.val() >> self.s.val();
        self.carried.next = self.a.val() + self.c.val();
        self.increment.next = self.a.val() + 1;
        self.decrement.next = self.a.val() - 1;
        self.equal.next = self.a.val() == self.b.val();
        self.different.next = self.a.val() != self.b.val();
        self.less.next = self.a.val() < self.b.val();
        self.at_most.next = self.a.val() <= self.b.val();
        self.more.next = self.a.val() > self.b.val();
        self.at_least.next = self.a.val() >= self.b.val();
        self.all_set.next = self.a.val().all();
        self.any_set.next = self.a.val().any();
        self.odd.next = self.a.val().xor();
        self.lowest.next = self.a.val().get_bit(0);
        self.lifted.next = self.a.val().replace_bit(0, self.c.val());
        self.both.next = self.c.val() && (self.a.val() + 1 == self.b.val());
        self.either.next = self.c.val() || self.a.val() + 1 > self.b.val();
        self.neither.next = !(self.c.val() | (self.a.val() - self.b.val() < 1));
    }
}

macro_rules! operators {
    ($($width:literal)*) => {
        $(subject!(
            Operators<$width>,
            [a, b, s, c],
            [
                sum, difference, conjunction, disjunction, parity, inverse, left, right, left_by, right_by, carried,
                increment, decrement, equal, different, less, at_most, more, at_least, all_set, any_set, odd, lowest,
                lifted, both, either, neither
            ]
        );)*
        fn add_operators(bench: &mut Bench) {
            $(bench.add::<Operators<$width>>();)*
        }
    };
}
operators!(1 2 8 31 32 33 64 128);

/// Every operator on `Signed<N>`.
#[derive(LogicBlock, Default)]
pub struct SignedOperators<const N: usize> {
    a: Signal<In, Signed<N>>,
    b: Signal<In, Signed<N>>,
    u: Signal<In, Bits<N>>,
    sum: Signal<Out, Signed<N>>,
    difference: Signal<Out, Signed<N>>,
    negative: Signal<Out, Signed<N>>,
    mixed: Signal<Out, Bits<N>>,
    from_bits: Signal<Out, Signed<N>>,
    equal: Signal<Out, Bit>,
    different: Signal<Out, Bit>,
    less: Signal<Out, Bit>,
    at_most: Signal<Out, Bit>,
    more: Signal<Out, Bit>,
    at_least: Signal<Out, Bit>,
    sign: Signal<Out, Bit>,
    below_number: Signal<Out, Bit>,
}

impl<const N: usize> Logic for SignedOperators<N> {
    #[hdl_gen]
    fn update(&mut self) {
        self.sum.next = self.a.val() + self.b.val();
        self.difference.next = self.a.val() - self.b.val();
        self.negative.next = -self.a.val();
        self.mixed.next = unsigned_cast(self.a.val() - self.b.val()) ^ self.u.val();
        self.from_bits.next = signed_cast(self.u.val()) + self.a.val();
        self.equal.next = self.a.val() == self.b.val();
        self.different.next = self.a.val() != self.b.val();
        self.less.next = self.a.val() < self.b.val();
        self.at_most.next = self.a.val() <= self.b.val();
        self.more.next = self.a.val() > self.b.val();
        self.at_least.next = self.a.val() >= self.b.val();
        self.sign.next = self.a.val().get_bit(1);
        self.below_number.next = self.a.val() < (-2).to_signed_bits();
    }
}

macro_rules! signed_operators {
    ($($width:literal)*) => {
        $(subject!(
            SignedOperators<$width>,
            [a, b, u],
            [
                sum, difference, negative, mixed, from_bits, equal, different, less, at_most, more, at_least, sign,
                below_number
            ]
        );)*
        fn add_signed_operators(bench: &mut Bench) {
            $(bench.add::<SignedOperators<$width>>();)*
        }
    };
}
signed_operators!(3 8 31 32);

/// Products, and casts that change the width.
#[derive(LogicBlock, Default)]
pub struct Casts {
    a: Signal<In, Bits<16>>,
    b: Signal<In, Bits<16>>,
    wide: Signal<In, Bits<70>>,
    s: Signal<In, Signed<16>>,
    t: Signal<In, Signed<16>>,
    c: Signal<In, Bit>,
    product: Signal<Out, Bits<32>>,
    signed_product: Signal<Out, Signed<32>>,
    longer: Signal<Out, Signed<40>>,
    shorter: Signal<Out, Signed<7>>,
    widened: Signal<Out, Bits<100>>,
    narrowed: Signal<Out, Bits<9>>,
    narrowed_sum: Signal<Out, Bits<8>>,
    narrowed_shift: Signal<Out, Bits<8>>,
    middle: Signal<Out, Bits<40>>,
    beyond: Signal<Out, Bits<40>>,
    one: Signal<Out, Bits<1>>,
    literal: Signal<Out, Bits<12>>,
}

impl Logic for Casts {
    #[hdl_gen]
    fn update(&mut self) {
        self.product.next = self.a.val() * self.b.val();
        self.signed_product.next = self.s.val() * self.t.val();
        self.longer.next = signed_bit_cast::<40, 16>(self.s.val());
        self.shorter.next = signed_bit_cast::<7, 16>(self.s.val());
        self.widened.next = bit_cast::<100, 16>(!(self.a.val() - self.b.val()));
        self.narrowed.next = bit_cast::<9, 70>(self.wide.val());
        self.narrowed_sum.next = bit_cast::<8, 70>(self.wide.val() + self.wide.val());
        self.narrowed_shift.next = bit_cast::<8, 70>(self.wide.val() >> self.a.val());
        self.middle.next = (self.wide.val() + 1).get_bits::<40>(17);
        self.beyond.next = self.wide.val().get_bits::<40>(60);
        self.one.next = self.c.val().into();
        self.literal.next = bits::<12>(0xABC) ^ 0x10_u64;
    }
}
subject!(
    Casts,
    [a, b, wide, s, t, c],
    [
        product,
        signed_product,
        longer,
        shorter,
        widened,
        narrowed,
        narrowed_sum,
        narrowed_shift,
        middle,
        beyond,
        one,
        literal
    ]
);

/// Bits at computed places.
#[derive(LogicBlock, Default)]
pub struct Selects {
    a: Signal<In, Bits<32>>,
    wide: Signal<In, Bits<512>>,
    i: Signal<In, Bits<5>>,
    j: Signal<In, Bits<6>>,
    v: Signal<In, Bit>,
    chosen: Signal<Out, Bit>,
    of_sum: Signal<Out, Bit>,
    octet: Signal<Out, Bits<8>>,
    word: Signal<Out, Bits<64>>,
    unaligned: Signal<Out, Bits<24>>,
    replaced: Signal<Out, Bits<32>>,
    replaced_twice: Signal<Out, Bits<32>>,
    fixed: Signal<Out, Bits<32>>,
    offset: Signal<Local, Bits<9>>,
}

impl Logic for Selects {
    #[hdl_gen]
    fn update(&mut self) {
        self.offset.next = bit_cast::<9, 6>(self.j.val()) << 3;
        self.chosen.next = self.a.val().get_bit(self.i.val().index());
        self.of_sum.next = (self.a.val() + 3).get_bit(self.i.val().index());
        self.octet.next = self.wide.val().get_bits::<8>(self.offset.val().index());
        self.word.next = self.wide.val().get_bits::<64>((bit_cast::<9, 6>(self.j.val()) << 3).index());
        self.unaligned.next = self.a.val().get_bits::<24>(self.i.val().index());
        self.replaced.next = self.a.val().replace_bit(self.i.val().index(), self.v.val());
        self.replaced_twice.next = (self.a.val() + 1).replace_bit(31, self.v.val()).replace_bit(4, !self.v.val());
        self.fixed.next = self.a.val().replace_bit(0, self.v.val());
    }
}
subject!(Selects, [a, wide, i, j, v], [chosen, of_sum, octet, word, unaligned, replaced, replaced_twice, fixed]);

#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
enum Phase {
    Idle,
    Head,
    Body,
}

#[derive(Copy, Clone, PartialEq, Debug, Default, LogicStruct)]
struct Inner {
    low: Bits<3>,
    phase: Phase,
}

#[derive(Copy, Clone, PartialEq, Debug, Default, LogicStruct)]
struct Outer {
    valid: Bit,
    inner: Inner,
    data: Bits<9>,
}

/// Fields of structs, nested ones too, read and assigned.
#[derive(LogicBlock, Default)]
pub struct Fields {
    clock: Signal<In, Clock>,
    a: Signal<In, Bits<9>>,
    v: Signal<In, Bit>,
    record: Signal<Local, Outer>,
    copy: Signal<Local, Outer>,
    flat: Signal<Out, Bits<15>>,
    of_copy: Signal<Out, Bits<15>>,
    data: Signal<Out, Bits<9>>,
    low: Signal<Out, Bits<3>>,
    is_head: Signal<Out, Bit>,
    held: Signal<Out, Bits<15>>,
    register: DFF<Outer>,
}

impl Logic for Fields {
    #[hdl_gen]
    fn update(&mut self) {
        self.record.next.valid = self.v.val();
        self.record.next.data = self.a.val() + 1;
        self.record.next.inner.low = self.a.val().get_bits::<3>(4);
        self.record.next.inner.phase = Phase::Idle;
        if self.v.val() {
            self.record.next.inner.phase = Phase::Head;
        } else if self.a.val().any() {
            self.record.next.inner.phase = Phase::Body;
        }
        self.copy.next = self.record.val();
        if self.a.val().get_bit(8) {
            self.copy.next.data = 0x155.into();
        }
        self.flat.next = self.record.val().into();
        self.of_copy.next = self.copy.val().into();
        self.data.next = self.copy.val().data ^ 1;
        self.low.next = self.record.val().inner.low;
        self.is_head.next = self.record.val().inner.phase == Phase::Head;
        dff_setup!(self, clock, register);
        self.register.d.next.data = self.register.q.val().data + self.a.val();
        if self.v.val() {
            self.register.d.next.inner.low = self.a.val().get_bits::<3>(0);
        }
        self.held.next = self.register.q.val().into();
    }
}
subject!(Fields, clocked, [a, v], [flat, of_copy, data, low, is_head, held]);

/// A state machine over an enum, and matches of every kind.
#[derive(LogicBlock, Default)]
pub struct Matches {
    clock: Signal<In, Clock>,
    reset: Signal<In, Bit>,
    go: Signal<In, Bit>,
    n: Signal<In, Bits<3>>,
    count: Signal<Out, Bits<4>>,
    code: Signal<Out, Bits<2>>,
    table_of_n: Signal<Out, Bits<8>>,
    gray: Signal<Out, Bits<3>>,
    chain: Signal<Out, Bits<4>>,
    state: DFF<Phase>,
    counter: DFF<Bits<4>>,
}

impl Logic for Matches {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, state, counter);
        match self.state.q.val() {
            Phase::Idle => {
                self.counter.d.next = 0.into();
                if self.go.val() {
                    self.state.d.next = Phase::Head;
                }
            }
            Phase::Head => self.state.d.next = Phase::Body,
            Phase::Body => {
                self.counter.d.next = self.counter.q.val() + 1;
                if self.counter.q.val() == 9 {
                    self.state.d.next = Phase::Idle;
                } else {
                    if !self.go.val() {
                        self.state.d.next = Phase::Head;
                    }
                }
            }
        }
        if self.reset.val() {
            self.state.d.next = Phase::Idle;
        }
        self.code.next = 3.into();
        match self.state.q.val() {
            Phase::Idle => self.code.next = 0.into(),
            Phase::Body => self.code.next = 1.into(),
            _ => {}
        }
        self.count.next = self.counter.q.val();
        match self.n.val().index() {
            0 => self.table_of_n.next = 0x11.into(),
            0x1 => self.table_of_n.next = 0x22.into(),
            0b11 => {
                self.table_of_n.next = 0x33.into();
            }
            7_usize => {
                self.table_of_n.next = 0x44.into();
            }
            _ => {
                self.table_of_n.next = bit_cast::<8, 3>(self.n.val());
            }
        }
        match self.go.val() {
            true => self.gray.next = self.n.val(),
            false => self.gray.next = self.n.val() ^ (self.n.val() >> 1),
        }
        self.chain.next = 0.into();
        if self.n.val() < 2 {
            self.chain.next = 1.into();
        } else if self.n.val() < 4 && self.go.val() {
            self.chain.next = 2.into();
        } else if self.n.val() == 5 {
            if self.go.val() {
            } else {
                self.chain.next = 3.into();
            }
        } else {
            self.chain.next = 4.into();
        }
    }
}
subject!(Matches, clocked, [reset, go, n], [count, code, table_of_n, gray, chain]);

/// Loops over arrays, vectors and bits, with constants and index arithmetic.
#[derive(LogicBlock)]
pub struct Loops {
    a: Signal<In, Bits<64>>,
    pick: Signal<In, Bits<3>>,
    reversed: Signal<Out, Bits<64>>,
    mixed: Signal<Out, Bits<8>>,
    picked: Signal<Out, Bits<8>>,
    grid_sum: Signal<Out, Bits<8>>,
    hits: Signal<Out, Bits<8>>,
    wide_match: Signal<Out, Bit>,
    shifted: Signal<Out, Bits<64>>,
    wrapped: Signal<Out, Bits<8>>,
    last: Constant<Bits<3>>,
    bytes: [Signal<Local, Bits<8>>; 8],
    lanes: [Signal<Local, Bits<64>>; 8],
    grid: Vec<Vec<Signal<Local, Bits<8>>>>,
    keys: Vec<Constant<Bits<8>>>,
    wide_key: Constant<Bits<320>>,
    doubled: Signal<Local, Bits<320>>,
    enabled: Constant<Bit>,
    _rows: usize,
}

impl Loops {
    fn new() -> Self {
        let wide: num_bigint::BigUint = (num_bigint::BigUint::from(0xdead_beef_u32) << 256) + 0x1234_u32;
        Loops {
            a: Default::default(),
            pick: Default::default(),
            reversed: Default::default(),
            mixed: Default::default(),
            picked: Default::default(),
            grid_sum: Default::default(),
            hits: Default::default(),
            wide_match: Default::default(),
            shifted: Default::default(),
            wrapped: Default::default(),
            last: Constant::new(7.into()),
            bytes: Default::default(),
            lanes: Default::default(),
            grid: (0..3).map(|_| (0..2).map(|_| Default::default()).collect()).collect(),
            keys: (0..8).map(|k| Constant::new((k * 37 % 256u64).into())).collect(),
            wide_key: Constant::new(wide.into()),
            doubled: Default::default(),
            enabled: Constant::new(true),
            _rows: 3,
        }
    }
}

impl Logic for Loops {
    #[hdl_gen]
    fn update(&mut self) {
        for i in 0..8 {
            self.bytes[i].next = self.a.val().get_bits::<8>(i * 8);
        }
        self.reversed.next = 0.into();
        for i in 0..8 {
            self.lanes[i].next = (self.a.val() >> (i * 8).to_bits::<6>()) & 0xFF;
            self.reversed.next = (self.reversed.val() << 8) | self.lanes[i].val();
        }
        self.mixed.next = 0.into();
        for i in 0..7 {
            if self.bytes[i].val() > self.bytes[i + 1].val() {
                self.mixed.next = self.mixed.val() + self.bytes[(i + 1) % 8].val();
            }
        }
        self.picked.next = 0.into();
        for i in 0..8 {
            if self.pick.val() == i.to_bits() {
                self.picked.next = self.bytes[i].val();
            }
        }
        for i in 0..self._rows {
            for j in 0..2 {
                self.grid[i][j].next = self.bytes[i * 2 + j].val() ^ self.keys[j].val();
            }
        }
        self.grid_sum.next = 0.into();
        if self.enabled.val() {
            for i in 0..self._rows {
                self.grid_sum.next = self.grid_sum.val() + self.grid[i][0].val() - self.grid[2 - i][1].val();
            }
        }
        self.hits.next = 0.into();
        for i in 0..8 {
            self.hits.next = self.hits.val().replace_bit(i, self.bytes[i].val() == self.keys[i].val());
        }
        self.shifted.next = self.a.val() >> self.last.val();
        self.wrapped.next = self.a.val().get_bits::<8>((self.last.val() + 3).index());
        self.doubled.next = bit_cast::<320, 64>(self.a.val()) << 192;
        self.wide_match.next = self.doubled.val() + self.wide_key.val() > self.wide_key.val() << 1;
    }
}
subject!(
    @impl Loops,
    [a, pick],
    [reversed, mixed, picked, grid_sum, hits, wide_match, shifted, wrapped],
    (),
    Loops::new()
);

/// Values read between two assignments, which Rust HDL takes as they are at that point.
#[derive(LogicBlock, Default)]
pub struct Intermediate {
    a: Signal<In, Bits<8>>,
    b: Signal<In, Bits<8>>,
    c: Signal<In, Bit>,
    running: Signal<Local, Bits<8>>,
    later: Signal<Local, Bits<8>>,
    first: Signal<Out, Bits<8>>,
    second: Signal<Out, Bits<8>>,
    third: Signal<Out, Bits<8>>,
    total: Signal<Out, Bits<8>>,
    guarded: Signal<Out, Bits<8>>,
    overwritten: Signal<Out, Bits<8>>,
}

impl Logic for Intermediate {
    #[hdl_gen]
    fn update(&mut self) {
        self.running.next = self.a.val();
        self.first.next = self.running.val();
        self.running.next = self.running.val() + self.b.val();
        self.second.next = self.running.val();
        if self.running.val() > 100 {
            self.running.next = self.running.val() >> 1;
            self.second.next = self.second.val() ^ self.running.val();
        }
        self.third.next = self.running.val();
        self.later.next = self.running.val() + 1;
        self.total.next = 0.into();
        if self.c.val() {
            self.total.next = self.later.val();
            self.guarded.next = self.total.val() + 1;
        } else {
            self.total.next = self.a.val();
            self.guarded.next = self.b.val();
        }
        self.overwritten.next = self.a.val();
        self.overwritten.next = self.b.val();
    }
}
subject!(Intermediate, [a, b, c], [first, second, third, total, guarded, overwritten]);

/// Adds every block of this file to the bench.
pub fn add_all(bench: &mut Bench) {
    add_operators(bench);
    add_signed_operators(bench);
    bench.add::<Casts>();
    bench.add::<Selects>();
    bench.add::<Fields>();
    bench.add::<Matches>();
    bench.add::<Loops>();
    bench.add::<Intermediate>();
}
