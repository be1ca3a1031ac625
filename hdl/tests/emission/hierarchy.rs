//! Blocks inside blocks, flip-flops and memories.

use super::subject::*;
use hdl::memory::{Collision, Memory};
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::dff::DFF;
use rust_hdl_widgets::dff_setup;
use rust_hdl_widgets::dff_with_init::DFFWithInit;
use rust_hdl_widgets::prelude::SynchronousFIFO;

/// Adds a constant, one cycle later.
#[derive(LogicBlock)]
struct Stage {
    clock: Signal<In, Clock>,
    data: Signal<In, Bits<8>>,
    result: Signal<Out, Bits<8>>,
    pass: Signal<Out, Bits<8>>,
    held: DFF<Bits<8>>,
    step: Constant<Bits<8>>,
}

impl Stage {
    fn new(step: u64) -> Stage {
        Stage {
            clock: Default::default(),
            data: Default::default(),
            result: Default::default(),
            pass: Default::default(),
            held: Default::default(),
            step: Constant::new(step.into()),
        }
    }
}

impl Logic for Stage {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, held);
        self.held.d.next = self.data.val() + self.step.val();
        self.result.next = self.held.q.val();
        self.pass.next = !self.data.val();
    }
}

/// A chain of children, with a combinational path that goes in and out of each of them.
#[derive(LogicBlock)]
pub struct Chain {
    clock: Signal<In, Clock>,
    data: Signal<In, Bits<8>>,
    result: Signal<Out, Bits<8>>,
    passed: Signal<Out, Bits<8>>,
    stages: Vec<Stage>,
    twins: [Stage; 2],
    _count: usize,
}

impl Chain {
    fn new() -> Chain {
        Chain {
            clock: Default::default(),
            data: Default::default(),
            result: Default::default(),
            passed: Default::default(),
            stages: (0..5).map(|n| Stage::new(n * 7)).collect(),
            twins: [Stage::new(1), Stage::new(1)],
            _count: 5,
        }
    }
}

impl Logic for Chain {
    #[hdl_gen]
    fn update(&mut self) {
        for i in 0..self._count {
            self.stages[i].clock.next = self.clock.val();
        }
        self.stages[0].data.next = self.data.val();
        for i in 1..self._count {
            self.stages[i].data.next = self.stages[i - 1].pass.val();
        }
        for i in 0..2 {
            self.twins[i].clock.next = self.clock.val();
        }
        self.twins[0].data.next = self.stages[4].pass.val() ^ self.stages[3].result.val();
        self.twins[1].data.next = self.twins[0].result.val();
        self.result.next = self.stages[4].result.val() + self.twins[1].result.val();
        self.passed.next = self.stages[4].pass.val();
    }
}
subject!(Chain, clocked, [data], [result, passed], Chain::new());

/// Flip-flops: held, enabled, in arrays, with their next value read, and swapped.
#[derive(LogicBlock, Default)]
pub struct Registers {
    clock: Signal<In, Clock>,
    reset: Signal<In, Bit>,
    enable: Signal<In, Bit>,
    data: Signal<In, Bits<8>>,
    held: Signal<Out, Bits<8>>,
    upcoming: Signal<Out, Bits<8>>,
    oldest: Signal<Out, Bits<8>>,
    left: Signal<Out, Bits<8>>,
    right: Signal<Out, Bits<8>>,
    delayed: Signal<Out, Bits<8>>,
    based: Signal<Out, Bits<8>>,
    word: DFF<Bits<8>>,
    peeked: DFF<Bits<8>>,
    line: [DFF<Bits<8>>; 4],
    a: DFF<Bits<8>>,
    b: DFF<Bits<8>>,
    unread: DFF<Bits<8>>,
    preset: WithInit,
}

/// The widget has no `Default`.
type WithInit = Preset;

/// A flip-flop that powers up with a value.
#[derive(LogicBlock)]
pub struct Preset {
    clock: Signal<In, Clock>,
    d: Signal<In, Bits<8>>,
    value: Signal<Out, Bits<8>>,
    inner: DFFWithInit<Bits<8>>,
}

impl Default for Preset {
    fn default() -> Self {
        Preset {
            clock: Default::default(),
            d: Default::default(),
            value: Default::default(),
            inner: DFFWithInit::new(0x5A.into()),
        }
    }
}

impl Logic for Preset {
    #[hdl_gen]
    fn update(&mut self) {
        self.inner.clock.next = self.clock.val();
        self.inner.d.next = self.d.val();
        self.value.next = self.inner.q.val();
    }
}

impl Logic for Registers {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, word, peeked, a, b, unread);
        clock!(self, clock, preset);
        for i in 0..4 {
            self.line[i].clock.next = self.clock.val();
            self.line[i].d.next = self.line[i].q.val();
        }
        if self.enable.val() {
            self.word.d.next = self.data.val();
            self.peeked.d.next = self.peeked.q.val() + self.data.val();
            self.line[0].d.next = self.data.val();
            for i in 1..4 {
                self.line[i].d.next = self.line[i - 1].q.val();
            }
        }
        self.a.d.next = self.b.q.val() + 1;
        self.b.d.next = self.a.q.val() ^ self.data.val();
        self.unread.d.next = self.data.val();
        if self.reset.val() {
            self.word.d.next = 0.into();
        }
        self.preset.d.next = self.word.q.val();
        self.held.next = self.word.q.val();
        self.upcoming.next = self.peeked.d.val();
        self.oldest.next = self.line[3].q.val();
        self.left.next = self.a.q.val();
        self.right.next = self.b.q.val();
        self.delayed.next = self.peeked.q.val();
        self.based.next = self.preset.value.val();
    }
}
subject!(Registers, clocked, [reset, enable, data], [held, upcoming, oldest, left, right, delayed, based]);

/// Memories of both kinds, one shorter than its address reaches.
#[derive(LogicBlock)]
pub struct Memories {
    clock: Signal<In, Clock>,
    write: Signal<In, Bit>,
    to: Signal<In, Bits<5>>,
    from: Signal<In, Bits<5>>,
    data: Signal<In, Bits<40>>,
    old: Signal<Out, Bits<40>>,
    short: Signal<Out, Bits<40>>,
    full: Memory<40, 5>,
    half: Memory<40, 5>,
}

impl Memories {
    fn new() -> Memories {
        Memories {
            clock: Default::default(),
            write: Default::default(),
            to: Default::default(),
            from: Default::default(),
            data: Default::default(),
            old: Default::default(),
            short: Default::default(),
            full: Memory::new(32, Collision::OldData),
            half: Memory::new(16, Collision::Discarded),
        }
    }
}

impl Logic for Memories {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, full, half);
        self.full.write_enable.next = self.write.val();
        self.full.write_address.next = self.to.val();
        self.full.write_data.next = self.data.val();
        self.full.read_address.next = self.from.val();
        self.old.next = self.full.read_data.val();
        self.half.write_enable.next = self.write.val();
        self.half.write_address.next = self.to.val();
        self.half.write_data.next = self.data.val();
        self.half.read_address.next = self.from.val();
        self.short.next = self.half.read_data.val();
    }
}
subject!(Memories, clocked, [write, to, from, data], [old, short], Memories::new());

/// What a source of words drives.
#[derive(LogicInterface, Default)]
#[join = "WordSink"]
struct WordSource {
    data: Signal<Out, Bits<8>>,
    valid: Signal<Out, Bit>,
    ready: Signal<In, Bit>,
}

/// What a sink of words drives.
#[derive(LogicInterface, Default)]
#[join = "WordSource"]
struct WordSink {
    data: Signal<In, Bits<8>>,
    valid: Signal<In, Bit>,
    ready: Signal<Out, Bit>,
}

/// Passes words on, inverted.
#[derive(LogicBlock, Default)]
struct Inverter {
    sink: WordSink,
    source: WordSource,
}

impl Logic for Inverter {
    #[hdl_gen]
    fn update(&mut self) {
        self.source.data.next = !self.sink.data.val();
        self.source.valid.next = self.sink.valid.val();
        self.sink.ready.next = self.source.ready.val();
    }
}

/// Two inverters in a row behind links.
#[derive(LogicBlock, Default)]
struct Pair {
    sink: WordSink,
    source: WordSource,
    inverters: [Inverter; 2],
}

impl Logic for Pair {
    #[hdl_gen]
    fn update(&mut self) {
        WordSink::link(&mut self.sink, &mut self.inverters[0].sink);
        WordSource::join(&mut self.inverters[0].source, &mut self.inverters[1].sink);
        WordSource::link(&mut self.source, &mut self.inverters[1].source);
    }
}

/// Interfaces, links and joins.
#[derive(LogicBlock, Default)]
pub struct Links {
    data: Signal<In, Bits<8>>,
    valid: Signal<In, Bit>,
    ready: Signal<In, Bit>,
    result: Signal<Out, Bits<8>>,
    result_valid: Signal<Out, Bit>,
    accepted: Signal<Out, Bit>,
    pair: Pair,
    single: Inverter,
}

impl Logic for Links {
    #[hdl_gen]
    fn update(&mut self) {
        self.pair.sink.data.next = self.data.val();
        self.pair.sink.valid.next = self.valid.val();
        WordSource::join(&mut self.pair.source, &mut self.single.sink);
        self.single.source.ready.next = self.ready.val();
        self.result.next = self.single.source.data.val();
        self.result_valid.next = self.single.source.valid.val();
        self.accepted.next = self.pair.sink.ready.val();
    }
}
subject!(Links, [data, valid, ready], [result, result_valid, accepted]);

/// A population count in its own Verilog, with ports that are elements of a vector.
#[derive(LogicBlock)]
struct Custom {
    bits: Vec<Signal<In, Bit>>,
    count: Signal<Out, Bits<2>>,
}

impl Logic for Custom {
    fn update(&mut self) {
        let set = self.bits.iter().filter(|b| b.val()).count() as u64;
        self.count.next = set.into();
    }
    fn connect(&mut self) {
        self.count.connect();
    }
    fn hdl(&self) -> Verilog {
        Verilog::Custom("always @(*) count = {1'b0, bits$0} + {1'b0, bits$1} + {1'b0, bits$2};".into())
    }
}

/// An exclusive-or that is a core of someone else's.
#[derive(LogicBlock, Default)]
struct Wrapped {
    left: Signal<In, Bits<4>>,
    right: Signal<In, Bits<4>>,
    result: Signal<Out, Bits<4>>,
}

impl Logic for Wrapped {
    fn update(&mut self) {
        self.result.next = self.left.val() ^ self.right.val();
    }
    fn connect(&mut self) {
        self.result.connect();
    }
    fn hdl(&self) -> Verilog {
        Verilog::Wrapper(Wrapper {
            code: "foreign_xor core (.l(left), .r(right), .x(result));".into(),
            cores: "module foreign_xor (input wire [3:0] l, input wire [3:0] r, output wire [3:0] x);\n    assign x = l ^ r;\nendmodule".into(),
        })
    }
}

/// An adder that is declared elsewhere.
#[derive(LogicBlock, Default)]
struct Foreign {
    l: Signal<In, Bits<4>>,
    r: Signal<In, Bits<4>>,
    x: Signal<Out, Bits<4>>,
}

impl Logic for Foreign {
    fn update(&mut self) {
        self.x.next = self.l.val() + self.r.val();
    }
    fn connect(&mut self) {
        self.x.connect();
    }
    fn hdl(&self) -> Verilog {
        Verilog::Blackbox(BlackBox {
            code: "module foreign_add (input wire [3:0] l, input wire [3:0] r, output wire [3:0] x);\n    assign x = l + r;\nendmodule".into(),
            name: "foreign_add".into(),
        })
    }
}

/// Blocks that bring their own Verilog.
#[derive(LogicBlock)]
pub struct OwnVerilog {
    a: Signal<In, Bits<4>>,
    b: Signal<In, Bits<4>>,
    count: Signal<Out, Bits<2>>,
    parity: Signal<Out, Bits<4>>,
    sum: Signal<Out, Bits<4>>,
    custom: Custom,
    wrapped: Wrapped,
    foreign: Foreign,
}

impl OwnVerilog {
    fn new() -> OwnVerilog {
        OwnVerilog {
            a: Default::default(),
            b: Default::default(),
            count: Default::default(),
            parity: Default::default(),
            sum: Default::default(),
            custom: Custom { bits: (0..3).map(|_| Default::default()).collect(), count: Default::default() },
            wrapped: Default::default(),
            foreign: Default::default(),
        }
    }
}

impl Logic for OwnVerilog {
    #[hdl_gen]
    fn update(&mut self) {
        for i in 0..3 {
            self.custom.bits[i].next = self.a.val().get_bit(i);
        }
        self.wrapped.left.next = self.a.val();
        self.wrapped.right.next = self.b.val();
        self.foreign.l.next = self.a.val();
        self.foreign.r.next = self.b.val() - 1;
        self.count.next = self.custom.count.val();
        self.parity.next = self.wrapped.result.val();
        self.sum.next = self.foreign.x.val();
    }
}
subject!(@impl OwnVerilog, [a, b], [count, parity, sum], (), OwnVerilog::new());

/// A block from rust-hdl's own library, three levels deep.
#[derive(LogicBlock, Default)]
pub struct Fifo {
    clock: Signal<In, Clock>,
    data: Signal<In, Bits<12>>,
    push: Signal<In, Bit>,
    pop: Signal<In, Bit>,
    head: Signal<Out, Bits<12>>,
    is_empty: Signal<Out, Bit>,
    is_full: Signal<Out, Bit>,
    overflow: Signal<Out, Bit>,
    queue: SynchronousFIFO<Bits<12>, 3, 4, 1>,
}

impl Logic for Fifo {
    #[hdl_gen]
    fn update(&mut self) {
        self.queue.clock.next = self.clock.val();
        self.queue.data_in.next = self.data.val();
        self.queue.write.next = self.push.val() & !self.queue.full.val();
        self.queue.read.next = self.pop.val() & !self.queue.empty.val();
        self.head.next = self.queue.data_out.val();
        self.is_empty.next = self.queue.empty.val();
        self.is_full.next = self.queue.full.val();
        self.overflow.next = self.queue.overflow.val();
    }
}
subject!(Fifo, clocked, [data, push, pop], [head, is_empty, is_full, overflow]);

/// Adds every block of this file to the bench.
pub fn add_all(bench: &mut Bench) {
    bench.add::<Chain>();
    bench.add::<Registers>();
    bench.add::<Memories>();
    bench.add::<Links>();
    bench.add::<OwnVerilog>();
    bench.add::<Fifo>();
}
