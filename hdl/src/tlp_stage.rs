//! A register stage for a stream of TLPs whose `tready` does not run through: a place for the beat that is shown and one for the beat
//! that was under way when the sink stopped.
//!
//! | port             | dir | width  | meaning                                                            |
//! |------------------|-----|--------|--------------------------------------------------------------------|
//! | `source_tdata`   | in  | W      | payload, first DW in the lowest lanes of the first beat            |
//! | `source_theader` | in  | HEADER | the TLP's header and what else goes with it, the same on all beats |
//! | `source_tvalid`  | in  | 1      | a beat is present                                                  |
//! | `source_tlast`   | in  | 1      | last beat of the TLP                                               |
//! | `source_tready`  | out | 1      | it is taken; a register; reset value 1                             |
//! | `sink_tdata`     | out | W      | the same, later                                                    |
//! | `sink_theader`   | out | HEADER | the same, later                                                    |
//! | `sink_tvalid`    | out | 1      | a beat is present; reset value 0                                   |
//! | `sink_tlast`     | out | 1      | last beat of the TLP                                               |
//! | `sink_tready`    | in  | 1      | it is taken                                                        |
//!
//! Latency: [`LATENCY`] cycle. Throughput: one beat per cycle. Stalls only when the sink does. Data registers are not reset.

use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

/// Cycles from `source_tvalid` to `sink_tvalid`.
pub const LATENCY: usize = 1;

/// See the module's page.
#[derive(LogicBlock, Default)]
pub struct TlpStage<const W: usize, const HEADER: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub source_tdata: Signal<In, Bits<W>>,
    pub source_theader: Signal<In, Bits<HEADER>>,
    pub source_tvalid: Signal<In, Bit>,
    pub source_tlast: Signal<In, Bit>,
    pub source_tready: Signal<Out, Bit>,
    pub sink_tdata: Signal<Out, Bits<W>>,
    pub sink_theader: Signal<Out, Bits<HEADER>>,
    pub sink_tvalid: Signal<Out, Bit>,
    pub sink_tlast: Signal<Out, Bit>,
    pub sink_tready: Signal<In, Bit>,
    shown: DFF<Bit>,
    data: DFF<Bits<W>>,
    header: DFF<Bits<HEADER>>,
    last: DFF<Bit>,
    spare: DFF<Bit>,
    spare_data: DFF<Bits<W>>,
    spare_header: DFF<Bits<HEADER>>,
    spare_last: DFF<Bit>,
    moves: Signal<Local, Bit>,
}

impl<const W: usize, const HEADER: usize> Logic for TlpStage<W, HEADER> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, shown, data, header, last, spare, spare_data, spare_header, spare_last);

        self.source_tready.next = !self.spare.q.val();
        self.moves.next = self.sink_tready.val() | !self.shown.q.val();
        if !self.spare.q.val() {
            self.spare_data.d.next = self.source_tdata.val();
            self.spare_header.d.next = self.source_theader.val();
            self.spare_last.d.next = self.source_tlast.val();
        }
        self.spare.d.next = !self.moves.val() & (self.spare.q.val() | self.source_tvalid.val());
        if self.moves.val() {
            self.shown.d.next = self.spare.q.val() | self.source_tvalid.val();
            self.data.d.next = self.source_tdata.val();
            self.header.d.next = self.source_theader.val();
            self.last.d.next = self.source_tlast.val();
            if self.spare.q.val() {
                self.data.d.next = self.spare_data.q.val();
                self.header.d.next = self.spare_header.q.val();
                self.last.d.next = self.spare_last.q.val();
            }
        }
        self.sink_tvalid.next = self.shown.q.val();
        self.sink_tdata.next = self.data.q.val();
        self.sink_theader.next = self.header.q.val();
        self.sink_tlast.next = self.last.q.val();

        if self.reset.val() {
            self.shown.d.next = false;
            self.spare.d.next = false;
        }
    }
}
