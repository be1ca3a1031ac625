//! Carries requests out step by step, strictly in order: a write beat by beat, a read in pieces that end at 128-byte boundaries, each
//! with the completion it will make.
//!
//! The order that the host relies on: a register is not touched, and no memory is read, before all earlier writes to memory have been
//! granted (`drained`); so a message frame that was written through BAR2 is there when its address is posted. A write to memory may
//! pass earlier reads, as PCIe demands of posted requests (2.4.1).
//!
//! | port             | dir | width | meaning                                                         |
//! |------------------|-----|-------|-----------------------------------------------------------------|
//! | `job_valid`      | in  | 1     | a beat is present                                               |
//! | `job_ready`      | out | 1     | it is taken; reset value 1                                      |
//! | `job_data`       | in  | W     | payload                                                         |
//! | `job_first`      | in  | 1     | first beat of the request                                       |
//! | `job_last`       | in  | 1     | last beat of the request                                        |
//! | `job_void`       | in  | 1     | the TLP ended before this beat                                  |
//! | `job`            | in  | 95    | the request's [`crate::request_decode::Job`]                    |
//! | `drained`        | in  | 1     | all writes to memory that were handed over have been granted    |
//! | `access_valid`   | out | 1     | access registers; reset value 0                                 |
//! | `access_ready`   | in  | 1     | the access is taken                                             |
//! | `access_write`   | out | 1     | write them                                                      |
//! | `access_address` | out | 18    | DW of the first one in BAR0                                     |
//! | `access_count`   | out | 6     | how many, 1 to 32                                               |
//! | `access_head`    | out | 4     | byte enables of the first one                                   |
//! | `access_tail`    | out | 4     | byte enables of the last one; a lone one has both               |
//! | `access_data`    | out | W     | what to write                                                   |
//! | `write_valid`    | out | 1     | write to memory; reset value 0                                  |
//! | `write_ready`    | in  | 1     | the beat is taken                                               |
//! | `write_first`    | out | 1     | first beat of a request                                         |
//! | `write_last`     | out | 1     | last beat of a request                                          |
//! | `write_void`     | out | 1     | the TLP ended before this beat                                  |
//! | `write_address`  | out | 26    | at the first beat: card address of its first DW, in DWs         |
//! | `write_dws`      | out | 11    | DWs of the request from this beat on                            |
//! | `write_data`     | out | W     | payload                                                         |
//! | `write_head`     | out | 4     | byte enables of the request's first DW                          |
//! | `write_tail`     | out | 4     | byte enables of its last DW; all set if it is the first one too |
//! | `read_valid`     | out | 1     | read from memory; reset value 0                                 |
//! | `read_ready`     | in  | 1     | the piece is taken                                              |
//! | `read_address`   | out | 26    | card address of its first DW, in DWs                            |
//! | `read_dws`       | out | 6     | DWs of the piece, 1 to 32                                       |
//! | `answer_valid`   | out | 1     | a completion is to be sent; reset value 0                       |
//! | `answer_ready`   | in  | 1     | it is taken                                                     |
//! | `answer`         | out | 61    | its [`Answer`]                                                  |
//! | `unsupported`    | out | 1     | pulse: a request was refused                                    |
//!
//! Latency: [`LATENCY`] cycle. Throughput: one beat or one piece per cycle. Stalls when the part that a request is for does, or when no
//! completion can be taken. Not reset: data registers.

use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

use crate::request_decode::{
    ANSWER, ECHO_BITS, JOB_BITS, READ_MEMORY, READ_REGISTERS, REFUSE, WRITE_MEMORY, WRITE_REGISTERS,
};

/// Cycles from `job_valid` to the first step.
pub const LATENCY: usize = 1;

/// `source` of an answer: none; its one DW is of no account.
pub const FROM_NOWHERE: u64 = 0;
/// `source` of an answer: registers.
pub const FROM_REGISTERS: u64 = 1;
/// `source` of an answer: a processor's memory.
pub const FROM_MEMORY: u64 = 2;

/// A completion that is to be sent.
#[derive(LogicStruct, Debug, Copy, Clone, PartialEq, Default)]
pub struct Answer {
    /// Where its payload comes from.
    pub source: Bits<2>,
    /// The request is not supported: no payload.
    pub refused: Bit,
    /// DWs of payload, 1 to 32.
    pub dws: Bits<6>,
    /// Bytes that this completion and those behind it have, with 4096 as 0.
    pub bytes: Bits<12>,
    /// Low bits of the address of its first byte.
    pub lower: Bits<7>,
    /// See [`crate::request_decode::Echo`].
    pub echo: Bits<ECHO_BITS>,
}

/// Bits of an [`Answer`].
pub const ANSWER_BITS: usize = 61;

/// Bits 6:0 of an address.
#[derive(LogicStruct, Debug, Copy, Clone, PartialEq, Default)]
struct Lower {
    offset: Bits<2>,
    dw: Bits<5>,
}

/// See the module's page.
#[derive(LogicBlock)]
pub struct RequestSteps<const W: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub job_valid: Signal<In, Bit>,
    pub job_ready: Signal<Out, Bit>,
    pub job_data: Signal<In, Bits<W>>,
    pub job_first: Signal<In, Bit>,
    pub job_last: Signal<In, Bit>,
    pub job_void: Signal<In, Bit>,
    pub job: Signal<In, Bits<JOB_BITS>>,
    pub drained: Signal<In, Bit>,
    pub access_valid: Signal<Out, Bit>,
    pub access_ready: Signal<In, Bit>,
    pub access_write: Signal<Out, Bit>,
    pub access_address: Signal<Out, Bits<18>>,
    pub access_count: Signal<Out, Bits<6>>,
    pub access_head: Signal<Out, Bits<4>>,
    pub access_tail: Signal<Out, Bits<4>>,
    pub access_data: Signal<Out, Bits<W>>,
    pub write_valid: Signal<Out, Bit>,
    pub write_ready: Signal<In, Bit>,
    pub write_first: Signal<Out, Bit>,
    pub write_last: Signal<Out, Bit>,
    pub write_void: Signal<Out, Bit>,
    pub write_address: Signal<Out, Bits<26>>,
    pub write_dws: Signal<Out, Bits<11>>,
    pub write_data: Signal<Out, Bits<W>>,
    pub write_head: Signal<Out, Bits<4>>,
    pub write_tail: Signal<Out, Bits<4>>,
    pub read_valid: Signal<Out, Bit>,
    pub read_ready: Signal<In, Bit>,
    pub read_address: Signal<Out, Bits<26>>,
    pub read_dws: Signal<Out, Bits<6>>,
    pub answer_valid: Signal<Out, Bit>,
    pub answer_ready: Signal<In, Bit>,
    pub answer: Signal<Out, Bits<ANSWER_BITS>>,
    pub unsupported: Signal<Out, Bit>,
    // The request under way, and the beat or piece of it that is next.
    busy: DFF<Bit>,
    action: DFF<Bits<3>>,
    action_now: Signal<Local, Bits<3>>,
    // What is done with it, if there is one.
    writes_registers: DFF<Bit>,
    reads_registers: DFF<Bit>,
    writes_memory: DFF<Bit>,
    reads_memory: DFF<Bit>,
    answers: DFF<Bit>,
    refuses: DFF<Bit>,
    address: DFF<Bits<26>>,
    left: DFF<Bits<11>>,
    offset: DFF<Bits<2>>,
    bytes: DFF<Bits<12>>,
    head: DFF<Bits<4>>,
    tail: DFF<Bits<4>>,
    echo: DFF<Bits<33>>,
    data: DFF<Bits<W>>,
    first: DFF<Bit>,
    last: DFF<Bit>,
    is_void: DFF<Bit>,
    refusals: DFF<Bit>,
    arriving: Signal<Local, Bits<JOB_BITS>>,
    accesses: Signal<Local, Bit>,
    reads: Signal<Local, Bit>,
    /// DWs up to the next 128-byte boundary.
    room: Signal<Local, Bits<6>>,
    /// All that is left lies before it.
    fits: DFF<Bit>,
    span: Signal<Local, Bits<12>>,
    arriving_span: Signal<Local, Bits<12>>,
    dws: Signal<Local, Bits<6>>,
    beat_dws: Signal<Local, Bits<6>>,
    step: Signal<Local, Bits<6>>,
    head_now: Signal<Local, Bits<4>>,
    tail_now: Signal<Local, Bits<4>>,
    lower: Signal<Local, Lower>,
    lower_bits: Signal<Local, Bits<7>>,
    made: Signal<Local, Answer>,
    done: Signal<Local, Bit>,
    finished: Signal<Local, Bit>,
    write_registers: Constant<Bits<3>>,
    read_registers: Constant<Bits<3>>,
    write_memory: Constant<Bits<3>>,
    read_memory: Constant<Bits<3>>,
    just_answer: Constant<Bits<3>>,
    refuse: Constant<Bits<3>>,
    from_nowhere: Constant<Bits<2>>,
    from_registers: Constant<Bits<2>>,
    from_memory: Constant<Bits<2>>,
    beat: Constant<Bits<6>>,
    boundary: Constant<Bits<6>>,
}

impl<const W: usize> Default for RequestSteps<W> {
    fn default() -> Self {
        let action = |value: u64| Constant::new(value.to_bits());
        let source = |value: u64| Constant::new(value.to_bits());
        block! {
            Self {
                write_registers: action(WRITE_REGISTERS),
                read_registers: action(READ_REGISTERS),
                write_memory: action(WRITE_MEMORY),
                read_memory: action(READ_MEMORY),
                just_answer: action(ANSWER),
                refuse: action(REFUSE),
                from_nowhere: source(FROM_NOWHERE),
                from_registers: source(FROM_REGISTERS),
                from_memory: source(FROM_MEMORY),
                beat: Constant::new((W as u64 / 32).to_bits()),
                // Everybody but the root complex ends completions at multiples of 128 bytes (PCIe 2.3.1.1).
                boundary: Constant::new((128u64 / 4).to_bits()),
            },
            clock, reset, job_valid, job_ready, job_data, job_first, job_last, job_void, job, drained, access_valid,
            access_ready, access_write, access_address, access_count, access_head, access_tail, access_data,
            write_valid, write_ready, write_first, write_last, write_void, write_address, write_dws, write_data,
            write_head, write_tail, read_valid, read_ready, read_address, read_dws, answer_valid, answer_ready, answer,
            unsupported, busy, action, action_now, address, left, offset, bytes, head, tail, echo, data, first, last,
            is_void, refusals, arriving, accesses, writes_registers, reads_registers, writes_memory, reads_memory,
            answers, refuses, reads, room, fits, span, arriving_span, dws, beat_dws, step, head_now, tail_now, lower,
            lower_bits, made, done, finished
        }
    }
}

impl<const W: usize> Logic for RequestSteps<W> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, busy, action, address, left, offset, bytes, head, tail, echo);
        dff_setup!(self, clock, data, first, last, is_void, refusals);
        dff_setup!(self, clock, writes_registers, reads_registers, writes_memory, reads_memory, answers, refuses, fits);

        self.reads.next = self.reads_registers.q.val() | self.reads_memory.q.val();
        self.accesses.next = self.reads_registers.q.val() | self.writes_registers.q.val();

        // How much of it: what is left, but not beyond the boundary, or beyond the beat.
        self.room.next = self.boundary.val() - bit_cast::<6, 26>(self.address.q.val() & 31);
        self.dws.next = self.room.val();
        if self.fits.q.val() {
            self.dws.next = bit_cast::<6, 11>(self.left.q.val());
        }
        self.beat_dws.next = self.beat.val();
        if self.left.q.val() <= bit_cast::<11, 6>(self.beat.val()) {
            self.beat_dws.next = bit_cast::<6, 11>(self.left.q.val());
        }
        self.head_now.next = 15.into();
        if self.first.q.val() {
            self.head_now.next = self.head.q.val();
        }
        self.tail_now.next = 15.into();
        if self.last.q.val() {
            self.tail_now.next = self.tail.q.val();
        }

        // Registers. A void beat writes nothing.
        self.access_valid.next =
            self.accesses.val() & self.drained.val() & (self.answer_ready.val() | self.writes_registers.q.val());
        self.access_write.next = self.writes_registers.q.val();
        self.access_address.next = bit_cast::<18, 26>(self.address.q.val());
        self.access_count.next = self.dws.val();
        self.access_head.next = 15.into();
        self.access_tail.next = 15.into();
        if self.writes_registers.q.val() {
            self.access_count.next = self.beat_dws.val();
            self.access_head.next = self.head_now.val();
            self.access_tail.next = self.tail_now.val();
            if self.is_void.q.val() {
                self.access_count.next = 1.into();
                self.access_head.next = 0.into();
            }
        }
        self.access_data.next = self.data.q.val();

        // Writes to memory.
        self.write_valid.next = self.writes_memory.q.val();
        self.write_first.next = self.first.q.val();
        self.write_last.next = self.last.q.val();
        self.write_void.next = self.is_void.q.val();
        self.write_address.next = self.address.q.val();
        self.write_dws.next = self.left.q.val();
        self.write_data.next = self.data.q.val();
        self.write_head.next = self.head.q.val();
        self.write_tail.next = self.tail.q.val();

        // Reads from memory.
        self.read_valid.next = self.reads_memory.q.val() & self.drained.val() & self.answer_ready.val();
        self.read_address.next = self.address.q.val();
        self.read_dws.next = self.dws.val();

        // Completions.
        self.lower.next.offset = self.offset.q.val();
        self.lower.next.dw = self.address.q.val().get_bits::<5>(0);
        self.lower_bits.next = self.lower.val().into();
        self.made.next.source = self.from_nowhere.val();
        self.made.next.refused = self.refuses.q.val();
        self.made.next.dws = 1.into();
        if self.reads_registers.q.val() {
            self.made.next.source = self.from_registers.val();
            self.made.next.dws = self.dws.val();
        }
        if self.reads_memory.q.val() {
            self.made.next.source = self.from_memory.val();
            self.made.next.dws = self.dws.val();
        }
        self.made.next.bytes = self.bytes.q.val();
        self.made.next.lower = self.lower_bits.val();
        self.made.next.echo = self.echo.q.val();
        self.answer.next = self.made.val().into();
        self.answer_valid.next = self.drained.val()
            & (self.answers.q.val()
                | (self.refuses.q.val() & self.last.q.val())
                | (self.reads_registers.q.val() & self.access_ready.val())
                | (self.reads_memory.q.val() & self.read_ready.val()));

        // Done with the beat or the piece.
        self.done.next = self.busy.q.val();
        if self.writes_registers.q.val() {
            self.done.next = self.drained.val() & self.access_ready.val();
        }
        if self.writes_memory.q.val() {
            self.done.next = self.write_ready.val();
        }
        if self.reads_registers.q.val() {
            self.done.next = self.drained.val() & self.access_ready.val() & self.answer_ready.val();
        }
        if self.reads_memory.q.val() {
            self.done.next = self.drained.val() & self.read_ready.val() & self.answer_ready.val();
        }
        if self.answers.q.val() | (self.refuses.q.val() & self.last.q.val()) {
            self.done.next = self.drained.val() & self.answer_ready.val();
        }
        self.finished.next = self.done.val() & (!self.reads.val() | self.fits.q.val());
        self.refusals.d.next = self.done.val() & self.refuses.q.val() & self.last.q.val() & !self.reset.val();
        self.unsupported.next = self.refusals.q.val();

        // On to the next one.
        self.step.next = self.room.val();
        if !self.reads.val() {
            self.step.next = self.beat.val();
        }
        self.arriving.next = self.job.val();
        self.span.next =
            bit_cast::<12, 11>(self.left.q.val()) + bit_cast::<12, 5>(self.address.q.val().get_bits::<5>(0));
        self.arriving_span.next = bit_cast::<12, 11>(self.arriving.val().get_bits::<11>(29))
            + bit_cast::<12, 5>(self.arriving.val().get_bits::<5>(3));
        // A refusal waits for the request's last beat, and says what the first one said.
        if self.done.val() & !self.refuses.q.val() {
            // A request lies within one memory, whatever its length.
            self.address.d.next = (self.address.q.val() & 0x3c0_0000)
                | ((self.address.q.val() + bit_cast::<26, 6>(self.step.val())) & 0x3f_ffff);
            self.left.d.next = self.left.q.val() - bit_cast::<11, 6>(self.step.val());
            self.bytes.d.next = self.bytes.q.val() - (bit_cast::<12, 7>(!self.lower_bits.val()) + 1);
            self.offset.d.next = 0.into();
            self.fits.d.next = self.span.val() <= 64;
        }
        self.job_ready.next = self.finished.val() | !self.busy.q.val();
        self.action_now.next = self.action.q.val();
        if self.job_first.val() {
            self.action_now.next = self.arriving.val().get_bits::<3>(0);
        }
        if self.finished.val() | !self.busy.q.val() {
            self.action.d.next = self.action_now.val();
            self.writes_registers.d.next = self.job_valid.val() & (self.action_now.val() == self.write_registers.val());
            self.reads_registers.d.next = self.job_valid.val() & (self.action_now.val() == self.read_registers.val());
            self.writes_memory.d.next = self.job_valid.val() & (self.action_now.val() == self.write_memory.val());
            self.reads_memory.d.next = self.job_valid.val() & (self.action_now.val() == self.read_memory.val());
            self.refuses.d.next = self.job_valid.val() & (self.action_now.val() == self.refuse.val());
            self.answers.d.next = self.job_valid.val() & (self.action_now.val() == self.just_answer.val());
            self.busy.d.next = self.job_valid.val();
            self.data.d.next = self.job_data.val();
            self.first.d.next = self.job_first.val();
            self.last.d.next = self.job_last.val();
            self.is_void.d.next = self.job_void.val();
            if self.job_first.val() {
                self.address.d.next = self.arriving.val().get_bits::<26>(3);
                self.left.d.next = self.arriving.val().get_bits::<11>(29);
                self.fits.d.next = self.arriving_span.val() <= 32;
                self.head.d.next = self.arriving.val().get_bits::<4>(40);
                self.tail.d.next = self.arriving.val().get_bits::<4>(44);
                self.offset.d.next = self.arriving.val().get_bits::<2>(48);
                self.bytes.d.next = self.arriving.val().get_bits::<12>(50);
                self.echo.d.next = self.arriving.val().get_bits::<33>(62);
            }
        }

        if self.reset.val() {
            self.busy.d.next = false;
            self.writes_registers.d.next = false;
            self.reads_registers.d.next = false;
            self.writes_memory.d.next = false;
            self.reads_memory.d.next = false;
            self.refuses.d.next = false;
            self.answers.d.next = false;
        }
    }
}
