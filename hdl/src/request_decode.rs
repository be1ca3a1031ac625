//! Decides what becomes of a request from the host: which part of the card it is for, and how many bytes its answer has.
//!
//! | port              | dir | width | meaning                                                               |
//! |-------------------|-----|-------|-----------------------------------------------------------------------|
//! | `open`            | in  | 16    | processors whose memory the host may reach through BAR2               |
//! | `request_tdata`   | in  | W     | payload, first DW in the lowest lanes of the first beat               |
//! | `request_theader` | in  | 128   | the request's header, the same on all beats                           |
//! | `request_bar`     | in  | 3     | the BAR it hit: 0 registers, 2 memory                                 |
//! | `request_kind`    | in  | 2     | see [`crate::tlp_ingress`]                                            |
//! | `request_first`   | in  | 1     | first beat of the request                                             |
//! | `request_void`    | in  | 1     | the TLP ended before this beat                                        |
//! | `request_tvalid`  | in  | 1     | a beat is present                                                     |
//! | `request_tlast`   | in  | 1     | last beat of the request                                              |
//! | `request_tready`  | out | 1     | it is taken; reset value 1                                            |
//! | `job_valid`       | out | 1     | a beat is present; reset value 0                                      |
//! | `job_ready`       | in  | 1     | it is taken                                                           |
//! | `job_data`        | out | W     | payload                                                               |
//! | `job_first`       | out | 1     | first beat of the request                                             |
//! | `job_last`        | out | 1     | last beat of the request                                              |
//! | `job_void`        | out | 1     | the TLP ended before this beat                                        |
//! | `job`             | out | 95    | the request's [`Job`], the same on all beats                          |
//! | `dropped`         | out | 1     | pulse: a write to where nothing is, or to a closed memory, is dropped |
//! | `poisoned`        | out | 1     | pulse: a poisoned write is dropped                                    |
//!
//! Latency: [`LATENCY`] cycle. Throughput: one beat per cycle. Stalls when `job_ready` is low. Not reset: data registers.

use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

use crate::skid_buffer::SkidBuffer;
use crate::tlp_ingress::{READ, WRITE};

/// Cycles from `request_tvalid` to `job_valid`.
pub const LATENCY: usize = 1;

/// `action`: take the beats away.
pub const DROP: u64 = 0;
/// `action`: write registers.
pub const WRITE_REGISTERS: u64 = 1;
/// `action`: read registers.
pub const READ_REGISTERS: u64 = 2;
/// `action`: write to a processor's memory.
pub const WRITE_MEMORY: u64 = 3;
/// `action`: read from a processor's memory.
pub const READ_MEMORY: u64 = 4;
/// `action`: answer a read of no bytes, and touch nothing.
pub const ANSWER: u64 = 5;
/// `action`: answer that the request is not supported.
pub const REFUSE: u64 = 6;

/// What every completion of a request repeats.
#[derive(LogicStruct, Debug, Copy, Clone, PartialEq, Default)]
pub struct Echo {
    /// Requester ID in bits 23:8, tag in 7:0.
    pub transaction: Bits<24>,
    /// Bits 23:18 of the header's first DW: tag bits 9 and 8, traffic class, attribute bit 2.
    pub class: Bits<6>,
    /// Attribute bits 1 and 0.
    pub attributes: Bits<2>,
    /// A locked read asked.
    pub locked: Bit,
}

/// Bits of an [`Echo`].
pub const ECHO_BITS: usize = 33;

/// What to do for a request.
#[derive(LogicStruct, Debug, Copy, Clone, PartialEq, Default)]
pub struct Job {
    pub action: Bits<3>,
    /// Offset within the BAR in DWs.
    pub address: Bits<26>,
    /// 1 to 1024.
    pub dws: Bits<11>,
    /// Byte enables of the first DW.
    pub head: Bits<4>,
    /// Byte enables of the last DW; all set if it is the first one too.
    pub tail: Bits<4>,
    /// First byte that is read, within the first DW.
    pub offset: Bits<2>,
    /// Bytes of the answer, 1 to 4096, with 4096 as 0.
    pub bytes: Bits<12>,
    pub echo: Echo,
}

/// Bits of a [`Job`].
pub const JOB_BITS: usize = 95;

/// A job, and which beat of it.
#[derive(LogicStruct, Debug, Copy, Clone, PartialEq, Default)]
struct Marked {
    job: Job,
    first: Bit,
    is_void: Bit,
}

/// See the module's page.
#[derive(LogicBlock)]
pub struct RequestDecode<const W: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub open: Signal<In, Bits<16>>,
    pub request_tdata: Signal<In, Bits<W>>,
    pub request_theader: Signal<In, Bits<128>>,
    pub request_bar: Signal<In, Bits<3>>,
    pub request_kind: Signal<In, Bits<2>>,
    pub request_first: Signal<In, Bit>,
    pub request_void: Signal<In, Bit>,
    pub request_tvalid: Signal<In, Bit>,
    pub request_tlast: Signal<In, Bit>,
    pub request_tready: Signal<Out, Bit>,
    pub job_valid: Signal<Out, Bit>,
    pub job_ready: Signal<In, Bit>,
    pub job_data: Signal<Out, Bits<W>>,
    pub job_first: Signal<Out, Bit>,
    pub job_last: Signal<Out, Bit>,
    pub job_void: Signal<Out, Bit>,
    pub job: Signal<Out, Bits<JOB_BITS>>,
    pub dropped: Signal<Out, Bit>,
    pub poisoned: Signal<Out, Bit>,
    dw0: Signal<Local, Bits<32>>,
    dw1: Signal<Local, Bits<32>>,
    /// The address's low DW.
    low: Signal<Local, Bits<32>>,
    reads: Signal<Local, Bit>,
    writes: Signal<Local, Bit>,
    is_memory: Signal<Local, Bit>,
    is_poisoned: Signal<Local, Bit>,
    exists: Signal<Local, Bit>,
    registers: Signal<Local, Bit>,
    window: Signal<Local, Bit>,
    action: Signal<Local, Bits<3>>,
    // Lengths.
    length_less_one: Signal<Local, Bits<10>>,
    single: Signal<Local, Bit>,
    head: Signal<Local, Bits<4>>,
    tail: Signal<Local, Bits<4>>,
    end_enables: Signal<Local, Bits<4>>,
    skipped: Signal<Local, Bits<2>>,
    used: Signal<Local, Bits<3>>,
    bytes: Signal<Local, Bits<12>>,
    address: Signal<Local, Bits<26>>,
    made: Signal<Local, Job>,
    takes: Signal<Local, Bit>,
    marked: Signal<Local, Marked>,
    stage: SkidBuffer<W, 97>,
    drops: DFF<Bit>,
    poisons: DFF<Bit>,
    kind_read: Constant<Bits<2>>,
    kind_write: Constant<Bits<2>>,
    drop: Constant<Bits<3>>,
    write_registers: Constant<Bits<3>>,
    read_registers: Constant<Bits<3>>,
    write_memory: Constant<Bits<3>>,
    read_memory: Constant<Bits<3>>,
    answer: Constant<Bits<3>>,
    refuse: Constant<Bits<3>>,
    processors: Constant<Bits<16>>,
}

impl<const W: usize> RequestDecode<W> {
    /// For a card with `processors` processors.
    pub fn new(processors: usize) -> Self {
        let kind = |value: u64| Constant::new(value.to_bits());
        let action = |value: u64| Constant::new(value.to_bits());
        block! {
            Self {
                kind_read: kind(READ),
                kind_write: kind(WRITE),
                drop: action(DROP),
                write_registers: action(WRITE_REGISTERS),
                read_registers: action(READ_REGISTERS),
                write_memory: action(WRITE_MEMORY),
                read_memory: action(READ_MEMORY),
                answer: action(ANSWER),
                refuse: action(REFUSE),
                processors: Constant::new(((1u64 << processors) - 1).to_bits()),
            },
            clock, reset, open, request_tdata, request_theader, request_bar, request_kind, request_first, request_void,
            request_tvalid, request_tlast, request_tready, job_valid, job_ready, job_data, job_first, job_last,
            job_void, job, dropped, poisoned, dw0, dw1, low, reads, writes, is_memory, is_poisoned, exists, registers,
            window, action, length_less_one, single, head, tail, end_enables, skipped, used, bytes, address, made,
            takes, marked, stage, drops, poisons
        }
    }
}

impl<const W: usize> Logic for RequestDecode<W> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, drops, poisons);
        self.stage.clock.next = self.clock.val();
        self.stage.reset.next = self.reset.val();

        self.dw0.next = self.request_theader.val().get_bits::<32>(0);
        self.dw1.next = self.request_theader.val().get_bits::<32>(32);
        self.low.next = self.request_theader.val().get_bits::<32>(64);
        if self.dw0.val().get_bit(29) {
            self.low.next = self.request_theader.val().get_bits::<32>(96);
        }
        self.reads.next = self.request_kind.val() == self.kind_read.val();
        self.writes.next = self.request_kind.val() == self.kind_write.val();
        // Memory reads, locked ones too: their refusals count bytes.
        self.is_memory.next = self.dw0.val().get_bits::<4>(25) == 0;
        self.is_poisoned.next = self.dw0.val().get_bit(14);

        // Where to.
        self.exists.next = false;
        for i in 0..16 {
            if self.low.val().get_bits::<4>(24) == i.to_bits() {
                self.exists.next = (self.open.val() & self.processors.val()).get_bit(i);
            }
        }
        self.registers.next = self.request_bar.val() == 0;
        self.window.next = (self.request_bar.val() == 2) & self.exists.val();
        self.length_less_one.next = self.dw0.val().get_bits::<10>(0) - 1;
        self.single.next = self.length_less_one.val() == 0;
        self.head.next = self.dw1.val().get_bits::<4>(0);
        self.tail.next = self.dw1.val().get_bits::<4>(4);
        self.end_enables.next = self.tail.val();
        if self.single.val() {
            self.end_enables.next = self.head.val();
            self.tail.next = 15.into();
        }
        self.action.next = self.refuse.val();
        if self.writes.val() {
            self.action.next = self.drop.val();
            if self.registers.val() & !self.is_poisoned.val() {
                self.action.next = self.write_registers.val();
            }
            if self.window.val() & !self.is_poisoned.val() {
                self.action.next = self.write_memory.val();
            }
        }
        if self.reads.val() {
            if self.registers.val() {
                self.action.next = self.read_registers.val();
            }
            if self.window.val() {
                self.action.next = self.read_memory.val();
            }
            if (self.registers.val() | self.window.val()) & self.single.val() & (self.head.val() == 0) {
                self.action.next = self.answer.val();
            }
        }

        // Byte count and lower address of the whole answer (PCIe 2.2.9).
        self.skipped.next = 0.into();
        if self.head.val().get_bits::<3>(0) == 0b100 {
            self.skipped.next = 2.into();
        }
        if self.head.val().get_bits::<2>(0) == 0b10 {
            self.skipped.next = 1.into();
        }
        if self.head.val() == 0b1000 {
            self.skipped.next = 3.into();
        }
        self.used.next = 1.into();
        if self.end_enables.val().get_bit(1) {
            self.used.next = 2.into();
        }
        if self.end_enables.val().get_bit(2) {
            self.used.next = 3.into();
        }
        if self.end_enables.val().get_bit(3) {
            self.used.next = 4.into();
        }
        self.bytes.next = (bit_cast::<12, 10>(self.length_less_one.val()) << 2)
            + (bit_cast::<12, 3>(self.used.val()) - bit_cast::<12, 2>(self.skipped.val()));
        self.address.next = self.low.val().get_bits::<26>(2);
        if !self.is_memory.val() {
            self.address.next = 0.into();
            self.skipped.next = 0.into();
            self.bytes.next = 4.into();
            // An atomic operation answers with one operand: all of its payload, or half of it in a compare-and-swap.
            if self.dw0.val().get_bits::<3>(26) == 0b011 {
                self.bytes.next = bit_cast::<12, 10>(self.dw0.val().get_bits::<10>(0)) << 2;
                if self.dw0.val().get_bit(25) {
                    self.bytes.next = bit_cast::<12, 10>(self.dw0.val().get_bits::<10>(0)) << 1;
                }
            }
        }

        self.made.next.action = self.action.val();
        self.made.next.address = self.address.val();
        self.made.next.dws = bit_cast::<11, 10>(self.length_less_one.val()) + 1;
        self.made.next.head = self.head.val();
        self.made.next.tail = self.tail.val();
        self.made.next.offset = self.skipped.val();
        self.made.next.bytes = self.bytes.val();
        self.made.next.echo.transaction = self.dw1.val().get_bits::<24>(8);
        self.made.next.echo.class = self.dw0.val().get_bits::<6>(18);
        self.made.next.echo.attributes = self.dw0.val().get_bits::<2>(12);
        self.made.next.echo.locked = self.is_memory.val() & self.dw0.val().get_bit(24);

        self.marked.next.job = self.made.val();
        self.marked.next.first = self.request_first.val();
        self.marked.next.is_void = self.request_void.val();
        self.stage.source_data.next = self.request_tdata.val();
        self.stage.source_side.next = self.marked.val().into();
        self.stage.source_valid.next = self.request_tvalid.val();
        self.stage.source_last.next = self.request_tlast.val();
        self.request_tready.next = self.stage.source_ready.val();
        self.takes.next = self.stage.source_ready.val() & self.request_tvalid.val() & self.request_first.val();
        self.drops.d.next =
            self.takes.val() & self.writes.val() & !self.is_poisoned.val() & !self.registers.val() & !self.window.val();
        self.poisons.d.next = self.takes.val() & self.writes.val() & self.is_poisoned.val();

        self.job_valid.next = self.stage.sink_valid.val();
        self.job_data.next = self.stage.sink_data.val();
        self.job_first.next = self.stage.sink_side.val().get_bit(95);
        self.job_last.next = self.stage.sink_last.val();
        self.job_void.next = self.stage.sink_side.val().get_bit(96);
        self.job.next = self.stage.sink_side.val().get_bits::<JOB_BITS>(0);
        self.stage.sink_ready.next = self.job_ready.val();
        self.dropped.next = self.drops.q.val();
        self.poisoned.next = self.poisons.q.val();

        if self.reset.val() {
            self.drops.d.next = false;
            self.poisons.d.next = false;
        }
    }
}
