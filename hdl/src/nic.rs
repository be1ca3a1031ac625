//! The card: everything between the network, the processors and the host. Wiring only, no logic.
//!
//! | port            | dir | width | meaning                                                                                  |
//! |-----------------|-----|-------|------------------------------------------------------------------------------------------|
//! | `rx_tdata`      | in  | W     | received frames, AXI4-Stream without `tready`: receive never stalls                      |
//! | `rx_tkeep`      | in  | W/8   | lanes in use                                                                             |
//! | `rx_tvalid`     | in  | 1     | a beat is present                                                                        |
//! | `rx_tlast`      | in  | 1     | last beat of a frame                                                                     |
//! | `rx_tuser`      | in  | 1     | at `rx_tlast`: the frame is bad                                                          |
//! | `host_valid`    | in  | 1     | register request of the host                                                             |
//! | `host_write`    | in  | 1     | to write                                                                                 |
//! | `host_addr`     | in  | 20    | byte offset, see [`abi::csr::HOST`]                                                      |
//! | `host_wdata`    | in  | 32    | what to write                                                                            |
//! | `host_rvalid`   | out | 1     | answer to a read; reset value 0                                                          |
//! | `host_rdata`    | out | 32    | what it reads                                                                            |
//! | `core_valid_i`  | in  | 1     | register request of processor i, i in 0..N                                               |
//! | `core_write_i`  | in  | 1     | to write                                                                                 |
//! | `core_addr_i`   | in  | 12    | byte offset, see [`abi::csr::CORE`]                                                      |
//! | `core_wdata_i`  | in  | 32    | what to write                                                                            |
//! | `core_rvalid_i` | out | 1     | answer to a read; reset value 0                                                          |
//! | `core_rdata_i`  | out | 32    | what it reads                                                                            |
//! | `mem_wvalid_i`  | out | 1     | write to the memory of processor i; reset value 0                                        |
//! | `mem_waddr_i`   | out | 32    | byte address, a multiple of W/8                                                          |
//! | `mem_wdata_i`   | out | W     | bytes                                                                                    |
//! | `mem_wstrb_i`   | out | W/8   | lanes to write                                                                           |
//!
//! Reset is synchronous and must last [`RESET_CYCLES`] cycles, in which the tables fill. Latency: [`latency`] cycles from `rx_tvalid`
//! of a frame's first beat to its first `mem_wvalid`, the same for every frame whose first [`abi::limits::HEADER_DEPTH`] bytes arrive
//! without gaps. Throughput: one beat per cycle, for ever.

use abi::limits::RESET_CYCLES;
use abi::params::NicParams;
use rust_hdl_core::prelude::*;

use crate::checksum_plan::{self, ChecksumPlan};
use crate::classifier::{self, Classifier};
use crate::core_port::CorePort;
use crate::csr::Csr;
use crate::dispatch::{self, Dispatch};
use crate::emit::{EmitError, Emitted, emit};
use crate::flow_hash::FlowHash;
use crate::frame_buffer::{self, FrameBuffer};
use crate::many;
use crate::parser;
use crate::receive_sums::{self, ReceiveSums};
use crate::reta;
use crate::stats::{self, Stats};
use crate::stream::{self, FrameIngress};
use crate::verdict_queue::{self, VerdictQueue};

/// Every block that fills or clears a memory in reset has the time for it.
const _: () = assert!(RESET_CYCLES >= reta::RESET_CYCLES && RESET_CYCLES >= stats::RESET_CYCLES);

/// Bits of Toeplitz input taken a cycle: a flow's headers need at least 34 bytes, so at W = 64 flows come at most every 5 cycles.
const fn chunk(width: usize) -> usize {
    match width {
        64 => 64,
        128 => 96,
        256 => 160,
        _ => 288,
    }
}

/// Cycles from `rx_tvalid` of a frame's first beat to its first `mem_wvalid`.
pub fn latency(params: NicParams) -> usize {
    stream::LATENCY + frame_buffer::latency(params.beat_bytes()) + receive_sums::LATENCY + dispatch::LATENCY
}

/// A frame's verdict is on show when the frame comes to the dispatch: both start with its headers.
const fn verdict_is_in_time(width: usize) -> bool {
    classifier::latency(chunk(width)) - parser::LATENCY + verdict_queue::LATENCY
        <= checksum_plan::LATENCY + frame_buffer::READ + receive_sums::LATENCY
}
const _: () =
    assert!(verdict_is_in_time(64) && verdict_is_in_time(128) && verdict_is_in_time(256) && verdict_is_in_time(512));

/// The card's Verilog; its top module is called `nic`.
pub fn emit_nic(params: NicParams) -> Result<Emitted, EmitError> {
    match params.width() {
        64 => emit(&mut Nic::<64, 8, 64, 95>::new(params), "nic"),
        128 => emit(&mut Nic::<128, 16, 96, 127>::new(params), "nic"),
        256 => emit(&mut Nic::<256, 32, 160, 191>::new(params), "nic"),
        _ => emit(&mut Nic::<512, 64, 288, 319>::new(params), "nic"),
    }
}

/// The classifier's Verilog, for measuring it alone; its top module is called `classifier`.
pub fn emit_classifier(params: NicParams) -> Result<Emitted, EmitError> {
    let n = params.processors();
    match params.width() {
        64 => emit(&mut Classifier::<64, 64, 95>::new(n), "classifier"),
        128 => emit(&mut Classifier::<128, 96, 127>::new(n), "classifier"),
        256 => emit(&mut Classifier::<256, 160, 191>::new(n), "classifier"),
        _ => emit(&mut Classifier::<512, 288, 319>::new(n), "classifier"),
    }
}

/// The hash block's Verilog, for measuring it alone; its top module is called `flow_hash`.
pub fn emit_flow_hash(params: NicParams) -> Result<Emitted, EmitError> {
    match params.width() {
        64 => emit(&mut FlowHash::<64, 95>::default(), "flow_hash"),
        128 => emit(&mut FlowHash::<96, 127>::default(), "flow_hash"),
        256 => emit(&mut FlowHash::<160, 191>::default(), "flow_hash"),
        _ => emit(&mut FlowHash::<288, 319>::default(), "flow_hash"),
    }
}

/// See the module's page. `KEEP` is W / 8, `WINDOW` is `CHUNK` + 31.
#[derive(LogicBlock)]
pub struct Nic<const W: usize, const KEEP: usize, const CHUNK: usize, const WINDOW: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub rx_tdata: Signal<In, Bits<W>>,
    pub rx_tkeep: Signal<In, Bits<KEEP>>,
    pub rx_tvalid: Signal<In, Bit>,
    pub rx_tlast: Signal<In, Bit>,
    pub rx_tuser: Signal<In, Bit>,
    pub host_valid: Signal<In, Bit>,
    pub host_write: Signal<In, Bit>,
    pub host_addr: Signal<In, Bits<20>>,
    pub host_wdata: Signal<In, Bits<32>>,
    pub host_rvalid: Signal<Out, Bit>,
    pub host_rdata: Signal<Out, Bits<32>>,
    pub core_valid: Vec<Signal<In, Bit>>,
    pub core_write: Vec<Signal<In, Bit>>,
    pub core_addr: Vec<Signal<In, Bits<12>>>,
    pub core_wdata: Vec<Signal<In, Bits<32>>>,
    pub core_rvalid: Vec<Signal<Out, Bit>>,
    pub core_rdata: Vec<Signal<Out, Bits<32>>>,
    pub mem_wvalid: Vec<Signal<Out, Bit>>,
    pub mem_waddr: Vec<Signal<Out, Bits<32>>>,
    pub mem_wdata: Vec<Signal<Out, Bits<W>>>,
    pub mem_wstrb: Vec<Signal<Out, Bits<KEEP>>>,
    ingress: FrameIngress<W, KEEP>,
    classifier: Classifier<W, CHUNK, WINDOW>,
    verdicts: VerdictQueue,
    plans: ChecksumPlan,
    frame_buffer: FrameBuffer<W, KEEP>,
    sums: ReceiveSums<W, KEEP>,
    dispatch: Dispatch<W, KEEP>,
    core_port: Vec<CorePort>,
    csr: Csr,
    stats: Stats,
    index: Vec<Constant<Bits<32>>>,
    _processors: usize,
    _counters: usize,
}

impl<const W: usize, const KEEP: usize, const CHUNK: usize, const WINDOW: usize> Nic<W, KEEP, CHUNK, WINDOW> {
    /// A card with these parameters, whose width is W.
    pub fn new(params: NicParams) -> Self {
        assert!(W == params.width() && CHUNK == chunk(W));
        let n = params.processors();
        let counters = dispatch::num_counters(n);
        Self {
            clock: Default::default(),
            reset: Default::default(),
            rx_tdata: Default::default(),
            rx_tkeep: Default::default(),
            rx_tvalid: Default::default(),
            rx_tlast: Default::default(),
            rx_tuser: Default::default(),
            host_valid: Default::default(),
            host_write: Default::default(),
            host_addr: Default::default(),
            host_wdata: Default::default(),
            host_rvalid: Default::default(),
            host_rdata: Default::default(),
            core_valid: many(n),
            core_write: many(n),
            core_addr: many(n),
            core_wdata: many(n),
            core_rvalid: many(n),
            core_rdata: many(n),
            mem_wvalid: many(n),
            mem_waddr: many(n),
            mem_wdata: many(n),
            mem_wstrb: many(n),
            ingress: Default::default(),
            classifier: Classifier::new(n),
            verdicts: VerdictQueue::new(n),
            plans: Default::default(),
            frame_buffer: Default::default(),
            sums: Default::default(),
            dispatch: Dispatch::new(n),
            core_port: many(n),
            index: (0..n).map(|i| Constant::new(((n << 8 | i) as u64).to_bits())).collect(),
            csr: Csr::new(params),
            stats: Stats::new(counters),
            _processors: n,
            _counters: counters,
        }
    }
}

impl<const W: usize, const KEEP: usize, const CHUNK: usize, const WINDOW: usize> Logic for Nic<W, KEEP, CHUNK, WINDOW> {
    #[hdl_gen]
    fn update(&mut self) {
        self.ingress.clock.next = self.clock.val();
        self.ingress.reset.next = self.reset.val();
        self.ingress.frame_tdata.next = self.rx_tdata.val();
        self.ingress.frame_tkeep.next = self.rx_tkeep.val();
        self.ingress.frame_tvalid.next = self.rx_tvalid.val();
        self.ingress.frame_tlast.next = self.rx_tlast.val();
        self.ingress.frame_tuser.next = self.rx_tuser.val();
        self.ingress.max_frame.next = self.csr.max_frame.val();

        self.classifier.clock.next = self.clock.val();
        self.classifier.reset.next = self.reset.val();
        self.classifier.beat_valid.next = self.ingress.beat_valid.val();
        self.classifier.beat_data.next = self.ingress.beat_data.val();
        self.classifier.beat_bytes.next = self.ingress.beat_bytes.val();
        self.classifier.beat_first.next = self.ingress.beat_first.val();
        self.classifier.beat_last.next = self.ingress.beat_last.val();
        self.classifier.use_toeplitz.next = self.csr.use_toeplitz.val();
        self.classifier.fragment_addresses.next = self.csr.fragment_addresses.val();
        self.classifier.chunk_bits.next = self.csr.chunk_bits.val();
        self.classifier.hash_fields.next = self.csr.hash_fields.val();
        self.classifier.key.next = self.csr.key.val();
        self.classifier.reta_write.next = self.csr.reta_write.val();
        self.classifier.reta_write_index.next = self.csr.reta_index.val();
        self.classifier.reta_write_entry.next = self.csr.reta_wdata.val();
        self.classifier.reta_read_index.next = self.csr.reta_index.val();

        self.verdicts.clock.next = self.clock.val();
        self.verdicts.reset.next = self.reset.val();
        self.verdicts.lookup_tvalid.next = self.classifier.lookup_tvalid.val();
        self.verdicts.lookup_processor.next = self.classifier.lookup_processor.val();
        self.verdicts.lookup_hash.next = self.classifier.lookup_hash.val();
        self.verdicts.lookup_class.next = self.classifier.lookup_class.val();
        self.verdicts.flood_arp.next = self.csr.flood_arp.val();
        self.verdicts.flood_nd.next = self.csr.flood_nd.val();
        self.verdicts.default_processor.next = self.csr.default_processor.val();
        self.verdicts.verdict_take.next = self.sums.verdict_take.val();

        self.plans.clock.next = self.clock.val();
        self.plans.reset.next = self.reset.val();
        self.plans.headers_tvalid.next = self.classifier.headers_tvalid.val();
        self.plans.headers_class.next = self.classifier.headers_class.val();
        self.plans.headers_ipv6.next = self.classifier.headers_ipv6.val();
        self.plans.headers_places.next = self.classifier.headers_places.val();
        self.plans.plan_take.next = self.frame_buffer.plan_take.val();

        self.frame_buffer.clock.next = self.clock.val();
        self.frame_buffer.reset.next = self.reset.val();
        self.frame_buffer.beat_valid.next = self.ingress.beat_valid.val();
        self.frame_buffer.beat_data.next = self.ingress.beat_data.val();
        self.frame_buffer.beat_keep.next = self.ingress.beat_keep.val();
        self.frame_buffer.beat_first.next = self.ingress.beat_first.val();
        self.frame_buffer.beat_last.next = self.ingress.beat_last.val();
        self.frame_buffer.beat_length.next = self.ingress.beat_length.val();
        self.frame_buffer.beat_discard.next = self.ingress.beat_discard.val();
        self.frame_buffer.plan_valid.next = self.plans.plan_valid.val();
        self.frame_buffer.plan.next = self.plans.plan.val();

        self.sums.clock.next = self.clock.val();
        self.sums.reset.next = self.reset.val();
        self.sums.beat_valid.next = self.frame_buffer.out_valid.val();
        self.sums.beat_data.next = self.frame_buffer.out_data.val();
        self.sums.beat_keep.next = self.frame_buffer.out_keep.val();
        self.sums.beat_first.next = self.frame_buffer.out_first.val();
        self.sums.beat_last.next = self.frame_buffer.out_last.val();
        self.sums.beat_length.next = self.frame_buffer.out_length.val();
        self.sums.beat_discard.next = self.frame_buffer.out_discard.val();
        self.sums.beat_plan.next = self.frame_buffer.out_plan.val();

        self.dispatch.clock.next = self.clock.val();
        self.dispatch.reset.next = self.reset.val();
        self.dispatch.beat_valid.next = self.sums.out_valid.val();
        self.dispatch.beat_data.next = self.sums.out_data.val();
        self.dispatch.beat_keep.next = self.sums.out_keep.val();
        self.dispatch.beat_first.next = self.sums.out_first.val();
        self.dispatch.beat_last.next = self.sums.out_last.val();
        self.dispatch.beat_length.next = self.sums.out_length.val();
        self.dispatch.beat_discard.next = self.sums.out_discard.val();
        self.dispatch.beat_verdict.next = self.verdicts.verdict.val();
        self.dispatch.beat_checks.next = self.sums.out_checks.val();

        for i in 0..self._processors {
            self.core_port[i].clock.next = self.clock.val();
            self.core_port[i].reset.next = self.reset.val();
            self.core_port[i].index.next = self.index[i].val();
            self.core_port[i].core_valid.next = self.core_valid[i].val();
            self.core_port[i].core_write.next = self.core_write[i].val();
            self.core_port[i].core_addr.next = self.core_addr[i].val();
            self.core_port[i].core_wdata.next = self.core_wdata[i].val();
            self.core_port[i].post.next = self.dispatch.post[i].val();
            self.core_port[i].post_status.next = self.dispatch.post_status.val();
            self.core_port[i].post_hash.next = self.dispatch.post_hash.val();
            self.core_rvalid[i].next = self.core_port[i].core_rvalid.val();
            self.core_rdata[i].next = self.core_port[i].core_rdata.val();
            self.dispatch.buffer_valid[i].next = self.core_port[i].buffer_valid.val();
            self.dispatch.buffer_address[i].next = self.core_port[i].buffer_address.val();
            self.dispatch.post_room[i].next = self.core_port[i].post_room.val();
            self.mem_wvalid[i].next = self.dispatch.mem_wvalid[i].val();
            self.mem_waddr[i].next = self.dispatch.mem_waddr[i].val();
            self.mem_wdata[i].next = self.dispatch.mem_wdata.val();
            self.mem_wstrb[i].next = self.dispatch.mem_wstrb.val();
        }

        self.csr.clock.next = self.clock.val();
        self.csr.reset.next = self.reset.val();
        self.csr.host_valid.next = self.host_valid.val();
        self.csr.host_write.next = self.host_write.val();
        self.csr.host_addr.next = self.host_addr.val();
        self.csr.host_wdata.next = self.host_wdata.val();
        self.csr.reta_rdata.next = self.classifier.reta_read_entry.val();
        self.csr.total.next = self.stats.read_total.val();
        self.host_rvalid.next = self.csr.host_rvalid.val();
        self.host_rdata.next = self.csr.host_rdata.val();

        self.stats.clock.next = self.clock.val();
        self.stats.reset.next = self.reset.val();
        self.stats.read_index.next = self.csr.total_index.val();
        for c in 0..self._counters {
            self.stats.grow[c].next = self.dispatch.count[c].val();
        }
    }
}
