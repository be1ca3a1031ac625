//! Sends the completions of the host's requests, in the order of the requests: header from what is to be answered, payload from where
//! it was read.
//!
//! | port             | dir | width | meaning                                                                      |
//! |------------------|-----|-------|------------------------------------------------------------------------------|
//! | `completer_id`   | in  | 16    | the card's bus, device and function number                                   |
//! | `answer_valid`   | in  | 1     | a completion is to be sent                                                   |
//! | `answer_ready`   | out | 1     | it is taken; reset value 1                                                   |
//! | `answer`         | in  | 61    | its [`Answer`]                                                               |
//! | `register_valid` | in  | 1     | a beat that was read from registers is on show                               |
//! | `register_data`  | in  | W     | it                                                                           |
//! | `register_take`  | out | 1     | take it                                                                      |
//! | `memory_valid`   | in  | 1     | a beat that was read from a memory is present                                |
//! | `memory_data`    | in  | W     | it                                                                           |
//! | `memory_ready`   | out | 1     | it is taken                                                                  |
//! | `tlp_tdata`      | out | W     | payload, first DW in the lowest lanes of the first beat                      |
//! | `tlp_theader`    | out | 128   | DW0 in the lowest bits; bits 31:24 of a DW are its byte 0; same on all beats |
//! | `tlp_tvalid`     | out | 1     | a beat is present; a TLP without payload is one beat; reset value 0          |
//! | `tlp_tlast`      | out | 1     | last beat of the TLP                                                         |
//! | `tlp_tready`     | in  | 1     | it is taken                                                                  |
//!
//! Latency: [`LATENCY`] cycles from `answer_valid` to `tlp_tvalid` if the payload is there. Throughput: one beat per cycle, completions
//! follow each other without a gap. Holds 16 answers. Stalls when the host does. Not reset: data registers.

use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

use crate::queue::{self, Queue};
use crate::request_decode::ECHO_BITS;
#[cfg(doc)]
use crate::request_steps::Answer;
use crate::request_steps::{ANSWER_BITS, FROM_MEMORY, FROM_REGISTERS};
use crate::skid_buffer::{self, SkidBuffer};

/// Cycles from `answer_valid` to `tlp_tvalid`: queue, register.
pub const LATENCY: usize = queue::LATENCY + skid_buffer::LATENCY;

/// Header of a completion (PCIe 2.2.9); lowest field first.
#[derive(LogicStruct, Debug, Copy, Clone, PartialEq, Default)]
struct Header {
    length: Bits<10>,
    translation: Bits<2>,
    attributes: Bits<2>,
    poisoned_and_digest: Bits<2>,
    hints: Bits<2>,
    class: Bits<6>,
    locked: Bit,
    kind: Bits<5>,
    has_data: Bits<2>,
    bytes: Bits<12>,
    modified: Bit,
    status: Bits<3>,
    completer: Bits<16>,
    lower: Bits<8>,
    transaction: Bits<24>,
    unused: Bits<32>,
}

/// See the module's page.
#[derive(LogicBlock)]
pub struct CompletionSender<const W: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub completer_id: Signal<In, Bits<16>>,
    pub answer_valid: Signal<In, Bit>,
    pub answer_ready: Signal<Out, Bit>,
    pub answer: Signal<In, Bits<ANSWER_BITS>>,
    pub register_valid: Signal<In, Bit>,
    pub register_data: Signal<In, Bits<W>>,
    pub register_take: Signal<Out, Bit>,
    pub memory_valid: Signal<In, Bit>,
    pub memory_data: Signal<In, Bits<W>>,
    pub memory_ready: Signal<Out, Bit>,
    pub tlp_tdata: Signal<Out, Bits<W>>,
    pub tlp_theader: Signal<Out, Bits<128>>,
    pub tlp_tvalid: Signal<Out, Bit>,
    pub tlp_tlast: Signal<Out, Bit>,
    pub tlp_tready: Signal<In, Bit>,
    waiting: Queue<ANSWER_BITS, 4, 5>,
    // The answer on show.
    head: Signal<Local, Bits<ANSWER_BITS>>,
    echo: Signal<Local, Bits<ECHO_BITS>>,
    refused: Signal<Local, Bit>,
    from_registers: Signal<Local, Bit>,
    from_memory: Signal<Local, Bit>,
    dws_less_one: Signal<Local, Bits<6>>,
    available: Signal<Local, Bit>,
    moves: Signal<Local, Bit>,
    go: Signal<Local, Bit>,
    in_tlp: DFF<Bit>,
    left: DFF<Bits<6>>,
    left_now: Signal<Local, Bits<6>>,
    /// One beat is left.
    last: DFF<Bit>,
    ends: Signal<Local, Bit>,
    made: Signal<Local, Header>,
    payload: Signal<Local, Bits<W>>,
    stage: SkidBuffer<W, 128>,
    registers: Constant<Bits<2>>,
    memory: Constant<Bits<2>>,
    lane_bits: Constant<Bits<4>>,
    lanes: Constant<Bits<6>>,
    cpl: Constant<Bits<5>>,
    unsupported: Constant<Bits<3>>,
}

impl<const W: usize> Default for CompletionSender<W> {
    fn default() -> Self {
        block! {
            Self {
                registers: Constant::new(FROM_REGISTERS.to_bits()),
                memory: Constant::new(FROM_MEMORY.to_bits()),
                lanes: Constant::new((W as u64 / 32).to_bits()),
                lane_bits: Constant::new(((W / 32).ilog2() as u64).to_bits()),
                // Bits 4:1 of the type, and bit 0 of fmt, which is 0: three DWs.
                cpl: Constant::new(0b0_0101u64.to_bits()),
                unsupported: Constant::new(1u64.to_bits()),
            },
            clock, reset, completer_id, answer_valid, answer_ready, answer, register_valid, register_data,
            register_take, memory_valid, memory_data, memory_ready, tlp_tdata, tlp_theader, tlp_tvalid, tlp_tlast,
            tlp_tready, waiting, head, echo, refused, from_registers, from_memory, dws_less_one, available, moves, go,
            in_tlp, left, left_now, last, ends, made, payload, stage
        }
    }
}

impl<const W: usize> Logic for CompletionSender<W> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, in_tlp, left, last);
        self.stage.clock.next = self.clock.val();
        self.stage.reset.next = self.reset.val();
        self.waiting.clock.next = self.clock.val();
        self.waiting.reset.next = self.reset.val();
        self.waiting.push.next = self.answer_valid.val();
        self.waiting.push_data.next = self.answer.val();
        self.answer_ready.next = !self.waiting.full.val();

        self.head.next = self.waiting.head_data.val();
        self.from_registers.next = self.head.val().get_bits::<2>(0) == self.registers.val();
        self.from_memory.next = self.head.val().get_bits::<2>(0) == self.memory.val();
        self.refused.next = self.head.val().get_bit(2);
        self.dws_less_one.next = self.head.val().get_bits::<6>(3) - 1;
        self.echo.next = self.head.val().get_bits::<ECHO_BITS>(28);

        // One beat.
        self.available.next = self.waiting.head_valid.val()
            & (self.register_valid.val() | !self.from_registers.val())
            & (self.memory_valid.val() | !self.from_memory.val());
        self.moves.next = self.stage.source_ready.val();
        self.go.next = self.available.val() & self.moves.val();
        self.left_now.next = self.left.q.val();
        self.ends.next = self.last.q.val();
        if !self.in_tlp.q.val() {
            self.left_now.next = self.dws_less_one.val() >> self.lane_bits.val();
            self.ends.next = self.head.val().get_bits::<6>(3) <= self.lanes.val();
        }
        self.waiting.pop.next = self.go.val() & self.ends.val();
        self.register_take.next = self.go.val() & self.from_registers.val();
        self.memory_ready.next = self.waiting.head_valid.val() & self.moves.val() & self.from_memory.val();
        if self.go.val() {
            self.in_tlp.d.next = !self.ends.val();
            self.left.d.next = self.left_now.val() - 1;
            self.last.d.next = self.left_now.val() == 1;
        }

        self.made.next.length = bit_cast::<10, 6>(self.head.val().get_bits::<6>(3));
        self.made.next.translation = 0.into();
        self.made.next.attributes = self.echo.val().get_bits::<2>(30);
        self.made.next.poisoned_and_digest = 0.into();
        self.made.next.hints = 0.into();
        self.made.next.class = self.echo.val().get_bits::<6>(24);
        self.made.next.locked = self.echo.val().get_bit(32);
        self.made.next.kind = self.cpl.val();
        self.made.next.has_data = 0b01.into();
        self.made.next.bytes = self.head.val().get_bits::<12>(9);
        self.made.next.modified = false;
        self.made.next.status = 0.into();
        self.made.next.completer = self.completer_id.val();
        self.made.next.lower = bit_cast::<8, 7>(self.head.val().get_bits::<7>(21));
        self.made.next.transaction = self.echo.val().get_bits::<24>(0);
        self.made.next.unused = 0.into();
        if self.refused.val() {
            self.made.next.length = 0.into();
            self.made.next.has_data = 0.into();
            self.made.next.status = self.unsupported.val();
        }

        self.payload.next = 0.into();
        if self.from_registers.val() {
            self.payload.next = self.register_data.val();
        }
        if self.from_memory.val() {
            self.payload.next = self.memory_data.val();
        }
        self.stage.source_valid.next = self.available.val();
        self.stage.source_last.next = self.ends.val();
        self.stage.source_side.next = self.made.val().into();
        self.stage.source_data.next = self.payload.val();
        self.tlp_tvalid.next = self.stage.sink_valid.val();
        self.tlp_tlast.next = self.stage.sink_last.val();
        self.tlp_tdata.next = self.stage.sink_data.val();
        self.tlp_theader.next = self.stage.sink_side.val();
        self.stage.sink_ready.next = self.tlp_tready.val();

        if self.reset.val() {
            self.in_tlp.d.next = false;
        }
    }
}
