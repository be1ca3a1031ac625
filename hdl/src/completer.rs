//! Answers the host: registers behind BAR0, the processors' memories behind BAR2, and a refusal for everything else.
//!
//! Requests are carried out strictly in their order, see [`crate::request_steps`]: a register is never touched before the memory writes
//! in front of it are done. BAR2's offset is a card address: bits 27:24 the processor, bits 23:0 the byte in its memory.
//!
//! | port              | dir | width | meaning                                                                       |
//! |-------------------|-----|-------|-------------------------------------------------------------------------------|
//! | `completer_id`    | in  | 16    | the card's bus, device and function number                                    |
//! | `open`            | in  | 16    | processors whose memory the host may reach; bits from N up are ignored        |
//! | `request_tdata`   | in  | W     | payload, first DW in the lowest lanes of the first beat                       |
//! | `request_theader` | in  | 128   | the request's header, the same on all beats                                   |
//! | `request_bar`     | in  | 3     | the BAR it hit: 0 registers, 2 memory                                         |
//! | `request_kind`    | in  | 2     | see [`crate::tlp_ingress`]                                                    |
//! | `request_first`   | in  | 1     | first beat of the request                                                     |
//! | `request_void`    | in  | 1     | the TLP ended before this beat                                                |
//! | `request_tvalid`  | in  | 1     | a beat is present                                                             |
//! | `request_tlast`   | in  | 1     | last beat of the request; a request has as many as its header says            |
//! | `request_tready`  | out | 1     | it is taken; a register; reset value 1                                        |
//! | `tlp_tdata`       | out | W     | completions: payload                                                          |
//! | `tlp_theader`     | out | 128   | header                                                                        |
//! | `tlp_tvalid`      | out | 1     | a beat is present; reset value 0                                              |
//! | `tlp_tlast`       | out | 1     | last beat of the TLP                                                          |
//! | `tlp_tready`      | in  | 1     | it is taken                                                                   |
//! | `reg_valid`       | out | 1     | a register request; reset value 0                                             |
//! | `reg_write`       | out | 1     | to write                                                                      |
//! | `reg_addr`        | out | 20    | byte offset, a multiple of 4                                                  |
//! | `reg_wdata`       | out | 32    | what to write                                                                 |
//! | `reg_ready`       | in  | 1     | the request is taken                                                          |
//! | `reg_rvalid`      | in  | 1     | answer to the read [`crate::register_master::READ_LATENCY`] cycles ago        |
//! | `reg_rdata`       | in  | 32    | what it read                                                                  |
//! | `write_valid`     | out | 1     | write a line to a memory; goes on until it is granted; reset value 0          |
//! | `write_processor` | out | 4     | to which processor                                                            |
//! | `write_address`   | out | 24    | byte address, a multiple of W/8                                               |
//! | `write_data`      | out | W     | bytes                                                                         |
//! | `write_strobe`    | out | W/8   | lanes to write                                                                |
//! | `write_grant`     | in  | 1     | it is written: a read that is granted later sees it                           |
//! | `read_valid`      | out | 1     | read a line of a memory; goes on until it is granted; reset value 0           |
//! | `read_processor`  | out | 4     | of which processor                                                            |
//! | `read_address`    | out | 24    | byte address, a multiple of W/8                                               |
//! | `read_grant`      | in  | 1     | the line will come                                                            |
//! | `read_data`       | in  | W     | the line granted [`crate::memory_arbiter::READ_LATENCY`] cycles ago           |
//! | `unsupported`     | out | 1     | pulse: a request was refused                                                  |
//! | `dropped`         | out | 1     | pulse: a write to where nothing is, or to a closed memory, was dropped        |
//! | `poisoned`        | out | 1     | pulse: a poisoned write was dropped                                           |
//! | `partial`         | out | 1     | pulse: a DW of BAR0 was not written, as only some of its byte enables are set |
//!
//! Latency: [`REGISTER_LATENCY`] cycles from a read of one register to its completion, [`WRITE_LATENCY`] from a write to `write_valid`.
//! Throughput: one beat of a write per cycle, one register or one line of memory per cycle, one request per cycle. Stalls when the host
//! does not take completions or a memory does not grant. Not reset: data registers.
//! Implements: ¶69 (the host reads and writes the card's registers and its processors' memories).

use rust_hdl_core::prelude::*;

use crate::completion_sender::CompletionSender;
use crate::memory_stream::MemoryStream;
use crate::register_master::{self, RegisterMaster};
use crate::request_decode::{self, RequestDecode};
use crate::request_steps::{self, RequestSteps};
use crate::window_writer::{self, WindowWriter};

/// Cycles from `request_tvalid` of a read of one register to `tlp_tvalid` of its completion.
pub const REGISTER_LATENCY: usize = request_decode::LATENCY
    + request_steps::LATENCY
    + register_master::LATENCY
    + register_master::READ_LATENCY
    + register_master::BEAT_LATENCY
    + 1;

/// Cycles from `request_tvalid` of a write to memory to `write_valid` of its first line.
pub const WRITE_LATENCY: usize = request_decode::LATENCY + request_steps::LATENCY + window_writer::LATENCY;

/// See the module's page.
#[derive(LogicBlock)]
pub struct Completer<const W: usize, const KEEP: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub completer_id: Signal<In, Bits<16>>,
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
    pub tlp_tdata: Signal<Out, Bits<W>>,
    pub tlp_theader: Signal<Out, Bits<128>>,
    pub tlp_tvalid: Signal<Out, Bit>,
    pub tlp_tlast: Signal<Out, Bit>,
    pub tlp_tready: Signal<In, Bit>,
    pub reg_valid: Signal<Out, Bit>,
    pub reg_write: Signal<Out, Bit>,
    pub reg_addr: Signal<Out, Bits<20>>,
    pub reg_wdata: Signal<Out, Bits<32>>,
    pub reg_ready: Signal<In, Bit>,
    pub reg_rvalid: Signal<In, Bit>,
    pub reg_rdata: Signal<In, Bits<32>>,
    pub write_valid: Signal<Out, Bit>,
    pub write_processor: Signal<Out, Bits<4>>,
    pub write_address: Signal<Out, Bits<24>>,
    pub write_data: Signal<Out, Bits<W>>,
    pub write_strobe: Signal<Out, Bits<KEEP>>,
    pub write_grant: Signal<In, Bit>,
    pub read_valid: Signal<Out, Bit>,
    pub read_processor: Signal<Out, Bits<4>>,
    pub read_address: Signal<Out, Bits<24>>,
    pub read_grant: Signal<In, Bit>,
    pub read_data: Signal<In, Bits<W>>,
    pub unsupported: Signal<Out, Bit>,
    pub dropped: Signal<Out, Bit>,
    pub poisoned: Signal<Out, Bit>,
    pub partial: Signal<Out, Bit>,
    decode: RequestDecode<W>,
    steps: RequestSteps<W>,
    registers: RegisterMaster<W>,
    writer: WindowWriter<W, KEEP>,
    reader: MemoryStream<W, KEEP>,
    sender: CompletionSender<W>,
}

impl<const W: usize, const KEEP: usize> Completer<W, KEEP> {
    /// For a card with `processors` processors.
    pub fn new(processors: usize) -> Self {
        block! {
            Self {
                // A piece of a request ends at a multiple of 128 bytes, and moves by DWs.
                reader: MemoryStream::new(4, 128),
                decode: RequestDecode::new(processors),
            },
            clock, reset, completer_id, open, request_tdata, request_theader, request_bar, request_kind, request_first,
            request_void, request_tvalid, request_tlast, request_tready, tlp_tdata, tlp_theader, tlp_tvalid, tlp_tlast,
            tlp_tready, reg_valid, reg_write, reg_addr, reg_wdata, reg_ready, reg_rvalid, reg_rdata, write_valid,
            write_processor, write_address, write_data, write_strobe, write_grant, read_valid, read_processor,
            read_address, read_grant, read_data, unsupported, dropped, poisoned, partial, steps, registers, writer,
            sender
        }
    }
}

impl<const W: usize, const KEEP: usize> Logic for Completer<W, KEEP> {
    #[hdl_gen]
    fn update(&mut self) {
        self.decode.clock.next = self.clock.val();
        self.decode.reset.next = self.reset.val();
        self.steps.clock.next = self.clock.val();
        self.steps.reset.next = self.reset.val();
        self.registers.clock.next = self.clock.val();
        self.registers.reset.next = self.reset.val();
        self.writer.clock.next = self.clock.val();
        self.writer.reset.next = self.reset.val();
        self.reader.clock.next = self.clock.val();
        self.reader.reset.next = self.reset.val();
        self.sender.clock.next = self.clock.val();
        self.sender.reset.next = self.reset.val();

        self.decode.open.next = self.open.val();
        self.decode.request_tdata.next = self.request_tdata.val();
        self.decode.request_theader.next = self.request_theader.val();
        self.decode.request_bar.next = self.request_bar.val();
        self.decode.request_kind.next = self.request_kind.val();
        self.decode.request_first.next = self.request_first.val();
        self.decode.request_void.next = self.request_void.val();
        self.decode.request_tvalid.next = self.request_tvalid.val();
        self.decode.request_tlast.next = self.request_tlast.val();
        self.request_tready.next = self.decode.request_tready.val();
        self.dropped.next = self.decode.dropped.val();
        self.poisoned.next = self.decode.poisoned.val();

        self.steps.job_valid.next = self.decode.job_valid.val();
        self.steps.job_data.next = self.decode.job_data.val();
        self.steps.job_first.next = self.decode.job_first.val();
        self.steps.job_last.next = self.decode.job_last.val();
        self.steps.job_void.next = self.decode.job_void.val();
        self.steps.job.next = self.decode.job.val();
        self.decode.job_ready.next = self.steps.job_ready.val();
        self.unsupported.next = self.steps.unsupported.val();

        self.registers.access_valid.next = self.steps.access_valid.val();
        self.registers.access_write.next = self.steps.access_write.val();
        self.registers.access_address.next = self.steps.access_address.val();
        self.registers.access_count.next = self.steps.access_count.val();
        self.registers.access_head.next = self.steps.access_head.val();
        self.registers.access_tail.next = self.steps.access_tail.val();
        self.registers.access_data.next = self.steps.access_data.val();
        self.steps.access_ready.next = self.registers.access_ready.val();
        self.reg_valid.next = self.registers.reg_valid.val();
        self.reg_write.next = self.registers.reg_write.val();
        self.reg_addr.next = self.registers.reg_addr.val();
        self.reg_wdata.next = self.registers.reg_wdata.val();
        self.registers.reg_ready.next = self.reg_ready.val();
        self.registers.reg_rvalid.next = self.reg_rvalid.val();
        self.registers.reg_rdata.next = self.reg_rdata.val();
        self.partial.next = self.registers.partial.val();

        self.writer.write_valid.next = self.steps.write_valid.val();
        self.writer.write_first.next = self.steps.write_first.val();
        self.writer.write_address.next = self.steps.write_address.val();
        self.writer.write_dws.next = self.steps.write_dws.val();
        self.writer.write_data.next = self.steps.write_data.val();
        self.writer.write_head.next = self.steps.write_head.val();
        self.writer.write_tail.next = self.steps.write_tail.val();
        self.writer.write_last.next = self.steps.write_last.val();
        self.writer.write_void.next = self.steps.write_void.val();
        self.steps.write_ready.next = self.writer.write_ready.val();
        self.steps.drained.next = self.writer.drained.val();
        self.write_valid.next = self.writer.memory_valid.val();
        self.write_processor.next = self.writer.memory_processor.val();
        self.write_address.next = self.writer.memory_address.val();
        self.write_data.next = self.writer.memory_data.val();
        self.write_strobe.next = self.writer.memory_strobe.val();
        self.writer.memory_grant.next = self.write_grant.val();

        self.reader.job_valid.next = self.steps.read_valid.val();
        self.reader.job_processor.next = self.steps.read_address.val().get_bits::<4>(22);
        self.reader.job_address.next = bit_cast::<24, 22>(self.steps.read_address.val().get_bits::<22>(0)) << 2;
        self.reader.job_bytes.next = bit_cast::<17, 6>(self.steps.read_dws.val()) << 2;
        self.reader.job_lane.next = 0.into();
        self.steps.read_ready.next = self.reader.job_ready.val();
        self.read_valid.next = self.reader.read_valid.val();
        self.read_processor.next = self.reader.read_processor.val();
        self.read_address.next = self.reader.read_address.val();
        self.reader.read_grant.next = self.read_grant.val();
        self.reader.read_data.next = self.read_data.val();

        self.sender.completer_id.next = self.completer_id.val();
        self.sender.answer_valid.next = self.steps.answer_valid.val();
        self.sender.answer.next = self.steps.answer.val();
        self.steps.answer_ready.next = self.sender.answer_ready.val();
        self.sender.register_valid.next = self.registers.beat_valid.val();
        self.sender.register_data.next = self.registers.beat_data.val();
        self.registers.beat_take.next = self.sender.register_take.val();
        self.sender.memory_valid.next = self.reader.beat_valid.val();
        self.sender.memory_data.next = self.reader.beat_data.val();
        self.reader.beat_ready.next = self.sender.memory_ready.val();
        self.tlp_tdata.next = self.sender.tlp_tdata.val();
        self.tlp_theader.next = self.sender.tlp_theader.val();
        self.tlp_tvalid.next = self.sender.tlp_tvalid.val();
        self.tlp_tlast.next = self.sender.tlp_tlast.val();
        self.sender.tlp_tready.next = self.tlp_tready.val();
    }
}

#[cfg(test)]
mod tests;
