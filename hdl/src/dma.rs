//! The DMA engine: copies between the host's memory and the processors', as descriptors say.
//!
//! A descriptor ([`abi::dma`]) of a channel (one per processor, the last one the host's) goes this way: stored ([`crate::dma_descriptors`]),
//! checked against its own sense and the host's windows ([`crate::dma_start`], [`crate::dma_windows`]), cut into requests in turn with other
//! channels ([`crate::dma_issue`]), carried out ([`crate::dma_read`] with [`crate::dma_completion`], [`crate::dma_judge`] and [`crate::dma_fill`], or
//! [`crate::dma_copy`]), ended and reported in the channel's order ([`crate::dma_retire`], [`crate::dma_reports`]). [`crate::dma_channel`]
//! counts how far each channel has come. Wiring only.
//!
//! | port              | dir | width | meaning                                                                               |
//! |-------------------|-----|-------|---------------------------------------------------------------------------------------|
//! | `requester`       | in  | 16    | the card's requester ID                                                               |
//! | `max_payload`     | in  | 2     | maximum payload size: 128 bytes << it, at most 512                                    |
//! | `max_read`        | in  | 3     | maximum read request size: 128 bytes << it, at most 4,096                             |
//! | `timeout`         | in  | 32    | cycles a read may take, up to about half as many more; 0 for ever                           |
//! | `push_c`          | in  | 1     | channel c has a descriptor, and room for it; until it is granted                      |
//! | `push_take_c`     | out | 1     | a word of it is fetched                                                               |
//! | `push_word`       | out | 3     | which one, in order                                                                   |
//! | `push_data_c`     | in  | 32    | one cycle later: the word                                                             |
//! | `push_grant_c`    | out | 1     | the last word is fetched: the descriptor is taken                                     |
//! | `room_c`          | out | 5     | descriptors that the channel may push; reset value 16                                 |
//! | `done_valid_c`    | out | 1     | a completion entry is on show; reset value 0                                          |
//! | `done_data_c`     | out | 64    | it, see [`abi::dma::Completion`]                                                      |
//! | `done_take_c`     | in  | 1     | take it; without one on show it does nothing                                          |
//! | `window_write`    | in  | 1     | the host writes a word of a window                                                    |
//! | `window_read`     | in  | 1     | the host reads a word of a window                                                     |
//! | `window_index`    | in  | 8     | which: processor, window, word                                                        |
//! | `window_wdata`    | in  | 32    | its new value                                                                         |
//! | `window_rdata`    | out | 32    | [`WINDOW_READ_LATENCY`] cycles after `window_read`: its value                         |
//! | `mrd_theader`     | out | 128   | memory read for the host: its header; DW0 in bits 31:0                                |
//! | `mrd_tvalid`      | out | 1     | it is present; stays until it is taken; reset value 0                                 |
//! | `mrd_tready`      | in  | 1     | it is taken                                                                           |
//! | `mwr_tdata`       | out | W     | memory write for the host: payload                                                    |
//! | `mwr_theader`     | out | 128   | its header, the same on all beats                                                     |
//! | `mwr_tvalid`      | out | 1     | a beat is present; stays until it is taken; reset value 0                             |
//! | `mwr_tlast`       | out | 1     | last of its TLP                                                                       |
//! | `mwr_tready`      | in  | 1     | it is taken                                                                           |
//! | `cpl_tdata`       | in  | W     | completion from the host: payload                                                     |
//! | `cpl_theader`     | in  | 128   | its header, the same on all beats                                                     |
//! | `cpl_tvalid`      | in  | 1     | a beat is present                                                                     |
//! | `cpl_tlast`       | in  | 1     | last of its TLP                                                                       |
//! | `cpl_tready`      | out | 1     | it is taken; reset value 1                                                            |
//! | `read_valid`      | out | 1     | memory reader, see [`crate::memory_arbiter`]: wants a line; reset value 0             |
//! | `read_processor`  | out | 4     | from whose memory                                                                     |
//! | `read_address`    | out | 24    | byte address, a multiple of W/8                                                       |
//! | `read_grant`      | in  | 1     | it will come                                                                          |
//! | `read_data`       | in  | W     | the line granted [`crate::memory_arbiter::READ_LATENCY`] cycles ago                   |
//! | `fill_valid`      | out | 1     | memory writer of what the host sends: wants to write; reset value 0                   |
//! | `fill_processor`  | out | 4     | into whose memory                                                                     |
//! | `fill_address`    | out | 24    | byte address, a multiple of W/8                                                       |
//! | `fill_data`       | out | W     | bytes                                                                                 |
//! | `fill_strobe`     | out | W/8   | lanes to write                                                                        |
//! | `fill_grant`      | in  | 1     | it is written                                                                         |
//! | `copy_valid`      | out | 1     | memory writer of copies from core to core: wants to write; reset value 0              |
//! | `copy_processor`  | out | 4     | into whose memory                                                                     |
//! | `copy_address`    | out | 24    | byte address, a multiple of W/8                                                       |
//! | `copy_data`       | out | W     | bytes                                                                                 |
//! | `copy_strobe`     | out | W/8   | lanes to write                                                                        |
//! | `copy_grant`      | in  | 1     | it is written                                                                         |
//! | `post_valid`      | out | 1     | post an MFA; stays until it is taken; reset value 0                                   |
//! | `post_ready`      | in  | 1     | it is taken                                                                           |
//! | `post_outbound`   | out | 1     | into the outbound post queue, else into an inbound one                                |
//! | `post_page`       | out | 4     | of this processor; for outbound, whose channel posts                                  |
//! | `post_mfa`        | out | 32    | the MFA                                                                               |
//! | `post_done`       | in  | 1     | in a later cycle than it was taken: it is posted or refused                           |
//! | `post_refused`    | in  | 1     | with `post_done`: refused                                                             |
//! | `unexpected`      | out | 1     | pulse: a completion that no request waits for was dropped                             |
//! | `timed_out`       | out | 1     | pulse: a read's time was up                                                           |
//! | `failed`          | out | 1     | pulse: a descriptor ended with an error                                               |
//!
//! Latency: about 35 cycles beside the host's and the memories'. Throughput: one beat of payload per cycle in each of reading from the host
//! and copying out of the cores' memories; a descriptor per 11 cycles. Reset must last [`RESET_CYCLES`] cycles.
//! Completions stall only while the cores' memories are busy, never while something waits to be sent.
//! Implements: ¶66 and ¶69 (data moves between host and processors without the host's or the processors' hands).

use rust_hdl_core::prelude::*;

use crate::dma_channel::DmaChannel;
use crate::dma_completion::DmaCompletion;
use crate::dma_copy::DmaCopy;
use crate::dma_descriptors::DmaDescriptors;
use crate::dma_fill::DmaFill;
use crate::dma_issue::DmaIssue;
use crate::dma_read::DmaRead;
use crate::dma_reports::DmaReports;
use crate::dma_retire::DmaRetire;
use crate::dma_start::DmaStart;
use crate::dma_windows::{self, DmaWindows};
use crate::many;

/// Cycles from `window_read` to `window_rdata`.
pub const WINDOW_READ_LATENCY: usize = dma_windows::READ_LATENCY;

/// Cycles that `reset` must be held.
pub const RESET_CYCLES: usize = dma_windows::RESET_CYCLES;

/// See the module's page. `KEEP` is W / 8.
#[derive(LogicBlock)]
pub struct Dma<const W: usize, const KEEP: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub requester: Signal<In, Bits<16>>,
    pub max_payload: Signal<In, Bits<2>>,
    pub max_read: Signal<In, Bits<3>>,
    pub timeout: Signal<In, Bits<32>>,
    pub push: Vec<Signal<In, Bit>>,
    pub push_take: Vec<Signal<Out, Bit>>,
    pub push_word: Signal<Out, Bits<3>>,
    pub push_data: Vec<Signal<In, Bits<32>>>,
    pub push_grant: Vec<Signal<Out, Bit>>,
    pub room: Vec<Signal<Out, Bits<5>>>,
    pub done_valid: Vec<Signal<Out, Bit>>,
    pub done_data: Vec<Signal<Out, Bits<64>>>,
    pub done_take: Vec<Signal<In, Bit>>,
    pub window_write: Signal<In, Bit>,
    pub window_read: Signal<In, Bit>,
    pub window_index: Signal<In, Bits<8>>,
    pub window_wdata: Signal<In, Bits<32>>,
    pub window_rdata: Signal<Out, Bits<32>>,
    pub mrd_theader: Signal<Out, Bits<128>>,
    pub mrd_tvalid: Signal<Out, Bit>,
    pub mrd_tready: Signal<In, Bit>,
    pub mwr_tdata: Signal<Out, Bits<W>>,
    pub mwr_theader: Signal<Out, Bits<128>>,
    pub mwr_tvalid: Signal<Out, Bit>,
    pub mwr_tlast: Signal<Out, Bit>,
    pub mwr_tready: Signal<In, Bit>,
    pub cpl_tdata: Signal<In, Bits<W>>,
    pub cpl_theader: Signal<In, Bits<128>>,
    pub cpl_tvalid: Signal<In, Bit>,
    pub cpl_tlast: Signal<In, Bit>,
    pub cpl_tready: Signal<Out, Bit>,
    pub read_valid: Signal<Out, Bit>,
    pub read_processor: Signal<Out, Bits<4>>,
    pub read_address: Signal<Out, Bits<24>>,
    pub read_grant: Signal<In, Bit>,
    pub read_data: Signal<In, Bits<W>>,
    pub fill_valid: Signal<Out, Bit>,
    pub fill_processor: Signal<Out, Bits<4>>,
    pub fill_address: Signal<Out, Bits<24>>,
    pub fill_data: Signal<Out, Bits<W>>,
    pub fill_strobe: Signal<Out, Bits<KEEP>>,
    pub fill_grant: Signal<In, Bit>,
    pub copy_valid: Signal<Out, Bit>,
    pub copy_processor: Signal<Out, Bits<4>>,
    pub copy_address: Signal<Out, Bits<24>>,
    pub copy_data: Signal<Out, Bits<W>>,
    pub copy_strobe: Signal<Out, Bits<KEEP>>,
    pub copy_grant: Signal<In, Bit>,
    pub post_valid: Signal<Out, Bit>,
    pub post_ready: Signal<In, Bit>,
    pub post_outbound: Signal<Out, Bit>,
    pub post_page: Signal<Out, Bits<4>>,
    pub post_mfa: Signal<Out, Bits<32>>,
    pub post_done: Signal<In, Bit>,
    pub post_refused: Signal<In, Bit>,
    pub unexpected: Signal<Out, Bit>,
    pub timed_out: Signal<Out, Bit>,
    pub failed: Signal<Out, Bit>,
    channels: Vec<DmaChannel>,
    descriptors: DmaDescriptors,
    windows: DmaWindows,
    start: DmaStart,
    issue: DmaIssue,
    read: DmaRead,
    completion: DmaCompletion<W>,
    fill: DmaFill<W, KEEP>,
    copy: DmaCopy<W, KEEP>,
    retire: DmaRetire,
    reports: DmaReports,
    _channels: usize,
}

impl<const W: usize, const KEEP: usize> Dma<W, KEEP> {
    /// An engine for `processors` processors and the host.
    pub fn new(processors: usize) -> Self {
        assert!(KEEP * 8 == W && (1..=16).contains(&processors));
        let channels = processors + 1;
        block! {
            Self {
                push: many(channels),
                push_take: many(channels),
                push_data: many(channels),
                push_grant: many(channels),
                room: many(channels),
                done_valid: many(channels),
                done_data: many(channels),
                done_take: many(channels),
                channels: many(channels),
                descriptors: DmaDescriptors::new(processors),
                start: DmaStart::new(processors),
                issue: DmaIssue::new(channels),
                retire: DmaRetire::new(processors),
                reports: DmaReports::new(channels),
                _channels: channels,
            },
            clock, reset, push_word, requester, max_payload, max_read, timeout, window_write, window_read, window_index,
            window_wdata, window_rdata, mrd_theader, mrd_tvalid, mrd_tready, mwr_tdata, mwr_theader, mwr_tvalid,
            mwr_tlast, mwr_tready, cpl_tdata, cpl_theader, cpl_tvalid, cpl_tlast, cpl_tready, read_valid,
            read_processor, read_address, read_grant, read_data, fill_valid, fill_processor, fill_address, fill_data,
            fill_strobe, fill_grant, copy_valid, copy_processor, copy_address, copy_data, copy_strobe, copy_grant,
            post_valid, post_ready, post_outbound, post_page, post_mfa, post_done, post_refused, unexpected, timed_out,
            failed, windows, read, completion, fill, copy
        }
    }
}

impl<const W: usize, const KEEP: usize> Logic for Dma<W, KEEP> {
    #[hdl_gen]
    fn update(&mut self) {
        self.descriptors.clock.next = self.clock.val();
        self.descriptors.reset.next = self.reset.val();
        self.push_word.next = self.descriptors.push_word.val();
        self.windows.clock.next = self.clock.val();
        self.windows.reset.next = self.reset.val();
        self.start.clock.next = self.clock.val();
        self.start.reset.next = self.reset.val();
        self.issue.clock.next = self.clock.val();
        self.issue.reset.next = self.reset.val();
        self.read.clock.next = self.clock.val();
        self.read.reset.next = self.reset.val();
        self.completion.clock.next = self.clock.val();
        self.completion.reset.next = self.reset.val();
        self.fill.clock.next = self.clock.val();
        self.fill.reset.next = self.reset.val();
        self.copy.clock.next = self.clock.val();
        self.copy.reset.next = self.reset.val();
        self.retire.clock.next = self.clock.val();
        self.retire.reset.next = self.reset.val();
        self.reports.clock.next = self.clock.val();
        self.reports.reset.next = self.reset.val();

        // Descriptors in, reports out.
        for c in 0..self._channels {
            self.channels[c].clock.next = self.clock.val();
            self.channels[c].reset.next = self.reset.val();
            self.descriptors.push[c].next = self.push[c].val();
            self.descriptors.push_data[c].next = self.push_data[c].val();
            self.descriptors.position[c].next = self.channels[c].push_position.val();
            self.push_grant[c].next = self.descriptors.push_grant[c].val();
            self.push_take[c].next = self.descriptors.push_take[c].val();
            self.room[c].next = self.channels[c].room.val();
            self.channels[c].push.next = self.descriptors.push_grant[c].val();

            self.start.waiting[c].next = self.channels[c].waiting.val();
            self.start.quiet[c].next = self.channels[c].quiet.val();
            self.start.position[c].next = self.channels[c].start_position.val();
            self.channels[c].start.next = self.start.start[c].val();
            self.channels[c].prepare.next = self.start.prepare[c].val();
            self.channels[c].prepare_copies.next = self.start.prepare_copies.val();

            self.issue.prepared[c].next = self.channels[c].prepared.val();
            self.issue.prepared_copies[c].next = self.channels[c].prepared_copies.val();
            self.issue.prepared_slot[c].next = self.channels[c].prepared_slot.val();
            self.channels[c].issue.next = self.issue.issue[c].val();

            self.retire.issued[c].next = self.channels[c].issued.val();
            self.retire.position[c].next = self.channels[c].retire_position.val();
            self.retire.report_position[c].next = self.channels[c].report_position.val();
            self.channels[c].retire.next = self.retire.retire[c].val();
            self.channels[c].report.next = self.retire.reports.val();

            self.reports.reported[c].next = self.channels[c].reported.val();
            self.reports.show_position[c].next = self.channels[c].show_position.val();
            self.channels[c].show.next = self.reports.show[c].val();
            self.done_valid[c].next = self.reports.done_valid[c].val();
            self.done_data[c].next = self.reports.done_data[c].val();
            self.reports.done_take[c].next = self.done_take[c].val();
            self.channels[c].take.next = self.reports.taken[c].val();
        }

        // Check.
        self.descriptors.start_channel.next = self.start.fetch_channel.val();
        self.descriptors.start_position.next = self.start.fetch_position.val();
        self.start.source.next = self.descriptors.start_source.val();
        self.start.destination.next = self.descriptors.start_destination.val();
        self.start.control.next = self.descriptors.start_control.val();
        self.windows.window_write.next = self.window_write.val();
        self.windows.window_read.next = self.window_read.val();
        self.windows.window_index.next = self.window_index.val();
        self.windows.window_wdata.next = self.window_wdata.val();
        self.window_rdata.next = self.windows.window_rdata.val();
        self.windows.check.next = self.start.check.val();
        self.windows.check_processor.next = self.start.check_processor.val();
        self.windows.check_write.next = self.start.check_write.val();
        self.windows.check_first.next = self.start.check_first.val();
        self.windows.check_last.next = self.start.check_last.val();
        self.start.checked.next = self.windows.checked.val();
        self.start.allowed.next = self.windows.allowed.val();

        // Cut.
        self.issue.max_read.next = self.max_read.val();
        self.issue.max_payload.next = self.max_payload.val();
        self.issue.prepare_valid.next = self.start.prepare_valid.val();
        self.issue.prepare_channel.next = self.start.prepare_channel.val();
        self.issue.prepare_entry.next = self.start.prepare_entry.val();
        self.start.prepare_ready.next = self.issue.prepare_ready.val();

        // Read from the host.
        self.read.requester.next = self.requester.val();
        self.read.timeout.next = self.timeout.val();
        self.read.read_valid.next = self.issue.read_valid.val();
        self.issue.read_ready.next = self.read.read_ready.val();
        self.read.read_far.next = self.issue.request_far.val();
        self.read.read_near.next = self.issue.request_near.val();
        self.read.read_length.next = self.issue.request_length.val();
        self.read.read_id.next = self.issue.request_id.val();
        self.mrd_tvalid.next = self.read.request_valid.val();
        self.mrd_theader.next = self.read.request_header.val();
        self.read.request_ready.next = self.mrd_tready.val();
        self.completion.requester.next = self.requester.val();
        self.completion.cpl_tdata.next = self.cpl_tdata.val();
        self.completion.cpl_theader.next = self.cpl_theader.val();
        self.completion.cpl_tvalid.next = self.cpl_tvalid.val();
        self.completion.cpl_tlast.next = self.cpl_tlast.val();
        self.cpl_tready.next = self.completion.cpl_tready.val();
        self.read.head_valid.next = self.completion.head_valid.val();
        self.read.head.next = self.completion.head.val();
        self.completion.head_take.next = self.read.head_take.val();
        self.fill.fill_valid.next = self.read.fill_valid.val();
        self.fill.todo.next = self.read.fill.val();
        self.read.fill_ready.next = self.fill.fill_ready.val();
        self.fill.payload_valid.next = self.completion.payload_valid.val();
        self.fill.payload_data.next = self.completion.payload_data.val();
        self.fill.payload_last.next = self.completion.payload_last.val();
        self.completion.payload_take.next = self.fill.payload_take.val();
        self.fill_valid.next = self.fill.write_valid.val();
        self.fill_processor.next = self.fill.write_processor.val();
        self.fill_address.next = self.fill.write_address.val();
        self.fill_data.next = self.fill.write_data.val();
        self.fill_strobe.next = self.fill.write_strobe.val();
        self.fill.write_grant.next = self.fill_grant.val();
        self.read.settle_valid.next = self.fill.settle_valid.val();
        self.read.settle_tag.next = self.fill.settle_tag.val();
        self.read.settle_lost.next = self.fill.settle_lost.val();
        self.unexpected.next = self.read.unexpected.val();
        self.timed_out.next = self.read.timed_out.val();

        // Copy out of the cores' memories.
        self.copy.requester.next = self.requester.val();
        self.copy.copy_valid.next = self.issue.copy_valid.val();
        self.issue.copy_ready.next = self.copy.copy_ready.val();
        self.copy.copy_to_host.next = self.issue.request_to_host.val();
        self.copy.copy_far.next = self.issue.request_far.val();
        self.copy.copy_near.next = self.issue.request_near.val();
        self.copy.copy_length.next = self.issue.request_length.val().get_bits::<10>(0);
        self.copy.copy_id.next = self.issue.request_id.val();
        self.read_valid.next = self.copy.read_valid.val();
        self.read_processor.next = self.copy.read_processor.val();
        self.read_address.next = self.copy.read_address.val();
        self.copy.read_grant.next = self.read_grant.val();
        self.copy.read_data.next = self.read_data.val();
        self.mwr_tvalid.next = self.copy.tlp_tvalid.val();
        self.mwr_tdata.next = self.copy.tlp_tdata.val();
        self.mwr_theader.next = self.copy.tlp_theader.val();
        self.mwr_tlast.next = self.copy.tlp_tlast.val();
        self.copy.tlp_tready.next = self.mwr_tready.val();
        self.copy_valid.next = self.copy.write_valid.val();
        self.copy_processor.next = self.copy.write_processor.val();
        self.copy_address.next = self.copy.write_address.val();
        self.copy_data.next = self.copy.write_data.val();
        self.copy_strobe.next = self.copy.write_strobe.val();
        self.copy.write_grant.next = self.copy_grant.val();

        // End.
        self.retire.prepare_valid.next = self.start.prepare_valid.val() & self.issue.prepare_ready.val();
        self.retire.prepare_id.next = self.start.prepare_id.val();
        self.retire.prepare_status.next = self.start.prepare_status.val();
        self.retire.error_valid.next = self.fill.error_valid.val();
        self.fill.error_ready.next = self.retire.error_ready.val();
        self.retire.error_id.next = self.fill.error_id.val();
        self.retire.error_status.next = self.fill.error_status.val();
        self.retire.issue_valid.next = self.issue.issued.val();
        self.retire.issue_channel.next = self.issue.issued_channel.val();
        self.retire.read_settle.next = self.fill.settle_valid.val();
        self.retire.read_channel.next = self.fill.settle_channel.val();
        self.retire.copy_settle.next = self.copy.settle_valid.val();
        self.retire.copy_channel.next = self.copy.settle_channel.val();
        self.read.probe.next = self.retire.probe.val();
        self.copy.probe.next = self.retire.probe.val();
        self.retire.busy.next = self.read.busy.val() | self.copy.busy.val();
        self.descriptors.retire_channel.next = self.retire.fetch_channel.val();
        self.descriptors.retire_position.next = self.retire.fetch_position.val();
        self.retire.control.next = self.descriptors.retire_control.val();
        self.retire.mfa.next = self.descriptors.retire_mfa.val();
        self.retire.tag_along.next = self.descriptors.retire_context.val();
        self.post_valid.next = self.retire.post_valid.val();
        self.retire.post_ready.next = self.post_ready.val();
        self.post_outbound.next = self.retire.post_outbound.val();
        self.post_page.next = self.retire.post_page.val();
        self.post_mfa.next = self.retire.post_mfa.val();
        self.retire.post_done.next = self.post_done.val();
        self.retire.post_refused.next = self.post_refused.val();
        self.reports.store.next = self.retire.store.val();
        self.reports.store_channel.next = self.retire.store_channel.val();
        self.reports.store_position.next = self.retire.store_position.val();
        self.reports.store_data.next = self.retire.store_data.val();
        self.failed.next = self.retire.failed.val();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emit::emit;

    #[test]
    fn it_can_be_printed() {
        emit(&mut Dma::<64, 8>::new(2), "dma").expect("64");
        emit(&mut Dma::<64, 8>::new(16), "dma").expect("64");
        emit(&mut Dma::<512, 64>::new(4), "dma").expect("512");
    }
}
