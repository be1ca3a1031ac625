//! The card: everything between the network, the processors and the host. Wiring only, no logic.
//!
//! | port             | dir | width | meaning                                                                                  |
//! |------------------|-----|-------|------------------------------------------------------------------------------------------|
//! | `rx_tdata`       | in  | W     | received frames, AXI4-Stream without `tready`: receive never stalls                      |
//! | `rx_tkeep`       | in  | W/8   | lanes in use                                                                             |
//! | `rx_tvalid`      | in  | 1     | a beat is present                                                                        |
//! | `rx_tlast`       | in  | 1     | last beat of a frame                                                                     |
//! | `rx_tuser`       | in  | 1     | at `rx_tlast`: the frame is bad                                                          |
//! | `tx_tdata`       | out | W     | frames to send, without FCS; no gap within a frame                                       |
//! | `tx_tkeep`       | out | W/8   | lanes in use                                                                             |
//! | `tx_tvalid`      | out | 1     | a beat is present; reset value 0                                                         |
//! | `tx_tready`      | in  | 1     | it is taken                                                                              |
//! | `tx_tlast`       | out | 1     | last beat of a frame                                                                     |
//! | `tlp_rx_tdata`   | in  | W     | TLPs from the host: payload, first DW in the lowest lanes                                |
//! | `tlp_rx_theader` | in  | 128   | header beside it: DW 0 lowest, bits 31:24 of a DW are its byte 0; the same on all beats  |
//! | `tlp_rx_tbar`    | in  | 3     | which BAR a request hit: 0 registers, 2 the processors' memories                         |
//! | `tlp_rx_tvalid`  | in  | 1     | a beat is present; a TLP without payload is one beat                                     |
//! | `tlp_rx_tready`  | out | 1     | it is taken                                                                              |
//! | `tlp_rx_tlast`   | in  | 1     | last beat of a TLP                                                                       |
//! | `tlp_tx_tdata`   | out | W     | TLPs to the host, likewise                                                               |
//! | `tlp_tx_theader` | out | 128   | their header                                                                             |
//! | `tlp_tx_tvalid`  | out | 1     | a beat is present; reset value 0                                                         |
//! | `tlp_tx_tready`  | in  | 1     | it is taken; must not wait for `tlp_rx`                                                  |
//! | `tlp_tx_tlast`   | out | 1     | last beat of a TLP                                                                       |
//! | `host_irq`       | out | 1     | I2O's level interrupt, for a host without MSI-X                                          |
//! | `core_valid_i`   | in  | 1     | register request of processor i, i in 0..N                                               |
//! | `core_ready_i`   | out | 1     | it is taken                                                                              |
//! | `core_write_i`   | in  | 1     | to write                                                                                 |
//! | `core_addr_i`    | in  | 12    | byte offset, see [`mod@abi::csr::core`]                                                  |
//! | `core_wdata_i`   | in  | 32    | what to write                                                                            |
//! | `core_rvalid_i`  | out | 1     | answer to a read; reset value 0                                                          |
//! | `core_rdata_i`   | out | 32    | what it reads                                                                            |
//! | `core_irq_i`     | out | 1     | level interrupt; reset value 0                                                           |
//! | `mem_valid_i`    | out | 1     | access to the memory of processor i; reset value 0                                       |
//! | `mem_write_i`    | out | 1     | to write                                                                                 |
//! | `mem_addr_i`     | out | 24    | byte address, a multiple of W/8                                                          |
//! | `mem_wdata_i`    | out | W     | bytes                                                                                    |
//! | `mem_wstrb_i`    | out | W/8   | lanes to write                                                                           |
//! | `mem_rdata_i`    | in  | W     | the line asked for [`abi::limits::MEMORY_LATENCY`] cycles ago                            |
//!
//! Reset is synchronous and must last [`RESET_CYCLES`] cycles, in which the tables fill. Latency: [`latency`] cycles from `rx_tvalid`
//! of a frame's first beat to its first write to `mem`, the same for every frame whose first [`abi::limits::HEADER_DEPTH`] bytes arrive
//! without gaps. Throughput: one beat per cycle, for ever.

use std::thread;

use std::iter;

use abi::csr::host::counters;
use abi::limits::RESET_CYCLES;
use abi::params::NicParams;
use rust_hdl_core::prelude::*;

use crate::checksum_plan::{self, ChecksumPlan};
use crate::classifier::{self, Classifier};
use crate::completer::Completer;
use crate::concat::Concat;
use crate::core_port::CorePort;
use crate::csr::{self, Csr};
use crate::cycle_counter::CycleCounter;
use crate::descriptor_port;
use crate::dispatch::{self, Dispatch};
use crate::dma::{self, Dma};
use crate::emit::{EmitError, Emitted, emit};
use crate::flow_hash::FlowHash;
use crate::frame_buffer::{self, FrameBuffer};
use crate::many;
use crate::memory_arbiter::{self, MemoryArbiter};
use crate::message_bus::MessageBus;
use crate::message_queue::MessageQueue;
use crate::mfa_queues::{self, MfaQueues};
use crate::msix::{self, Msix};
use crate::parser;
use crate::receive_sums::{self, ReceiveSums};
use crate::reta;
use crate::stats::{self, Stats};
use crate::stream::{self, FrameIngress};
use crate::tlp_egress::TlpEgress;
use crate::tlp_ingress::TlpIngress;
use crate::transmit::Transmit;
use crate::verdict_queue::{self, VerdictQueue};

/// Every block that fills or clears a memory in reset has the time for it.
const _: () = assert!(RESET_CYCLES >= reta::RESET_CYCLES && RESET_CYCLES >= stats::RESET_CYCLES);
const _: () = assert!(RESET_CYCLES >= dma::RESET_CYCLES && RESET_CYCLES >= msix::RESET_CYCLES);
const _: () = assert!(RESET_CYCLES >= descriptor_port::RESET_CYCLES);

/// The register file waits as long for its answers as those take.
const _: () = assert!(
    csr::ANSWER == mfa_queues::HOST_LATENCY
        && csr::ANSWER == dma::WINDOW_READ_LATENCY
        && csr::ANSWER == msix::READ_LATENCY
);

/// Bits of Toeplitz input taken a cycle: a flow's headers need at least 34 bytes, so at W = 64 flows come at most every 5 cycles.
const fn chunk(width: usize) -> usize {
    match width {
        64 => 58,
        128 => 96,
        256 => 144,
        _ => 288,
    }
}

/// Cycles from `rx_tvalid` of a frame's first beat to its first write to `mem`.
pub fn latency(params: NicParams) -> usize {
    stream::LATENCY
        + frame_buffer::latency(params.beat_bytes())
        + receive_sums::LATENCY
        + dispatch::LATENCY
        + memory_arbiter::RECEIVE_LATENCY
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
    with_room(move || match params.width() {
        64 => emit(&mut Nic::<64, 8, 58, 89>::new(params), "nic"),
        128 => emit(&mut Nic::<128, 16, 96, 127>::new(params), "nic"),
        256 => emit(&mut Nic::<256, 32, 144, 175>::new(params), "nic"),
        _ => emit(&mut Nic::<512, 64, 288, 319>::new(params), "nic"),
    })
}

/// Runs `work` on a stack that holds the whole card by value, several times over: unoptimised code moves it about.
fn with_room<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    const STACK: usize = 256 << 20;
    thread::scope(|scope| {
        let worker = thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work);
        match worker.expect("a thread can be started").join() {
            Ok(value) => value,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// The classifier's Verilog, for measuring it alone; its top module is called `classifier`.
pub fn emit_classifier(params: NicParams) -> Result<Emitted, EmitError> {
    let n = params.processors();
    match params.width() {
        64 => emit(&mut Classifier::<64, 58, 89>::new(n), "classifier"),
        128 => emit(&mut Classifier::<128, 96, 127>::new(n), "classifier"),
        256 => emit(&mut Classifier::<256, 144, 175>::new(n), "classifier"),
        _ => emit(&mut Classifier::<512, 288, 319>::new(n), "classifier"),
    }
}

/// The hash block's Verilog, for measuring it alone; its top module is called `flow_hash`.
pub fn emit_flow_hash(params: NicParams) -> Result<Emitted, EmitError> {
    match params.width() {
        64 => emit(&mut FlowHash::<58, 89>::default(), "flow_hash"),
        128 => emit(&mut FlowHash::<96, 127>::default(), "flow_hash"),
        256 => emit(&mut FlowHash::<144, 175>::default(), "flow_hash"),
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
    pub tx_tdata: Signal<Out, Bits<W>>,
    pub tx_tkeep: Signal<Out, Bits<KEEP>>,
    pub tx_tvalid: Signal<Out, Bit>,
    pub tx_tready: Signal<In, Bit>,
    pub tx_tlast: Signal<Out, Bit>,
    pub tlp_rx_tdata: Signal<In, Bits<W>>,
    pub tlp_rx_theader: Signal<In, Bits<128>>,
    pub tlp_rx_tbar: Signal<In, Bits<3>>,
    pub tlp_rx_tvalid: Signal<In, Bit>,
    pub tlp_rx_tready: Signal<Out, Bit>,
    pub tlp_rx_tlast: Signal<In, Bit>,
    pub tlp_tx_tdata: Signal<Out, Bits<W>>,
    pub tlp_tx_theader: Signal<Out, Bits<128>>,
    pub tlp_tx_tvalid: Signal<Out, Bit>,
    pub tlp_tx_tready: Signal<In, Bit>,
    pub tlp_tx_tlast: Signal<Out, Bit>,
    pub host_irq: Signal<Out, Bit>,
    pub core_valid: Vec<Signal<In, Bit>>,
    pub core_ready: Vec<Signal<Out, Bit>>,
    pub core_write: Vec<Signal<In, Bit>>,
    pub core_addr: Vec<Signal<In, Bits<12>>>,
    pub core_wdata: Vec<Signal<In, Bits<32>>>,
    pub core_rvalid: Vec<Signal<Out, Bit>>,
    pub core_rdata: Vec<Signal<Out, Bits<32>>>,
    pub core_irq: Vec<Signal<Out, Bit>>,
    pub mem_valid: Vec<Signal<Out, Bit>>,
    pub mem_write: Vec<Signal<Out, Bit>>,
    pub mem_addr: Vec<Signal<Out, Bits<24>>>,
    pub mem_wdata: Vec<Signal<Out, Bits<W>>>,
    pub mem_wstrb: Vec<Signal<Out, Bits<KEEP>>>,
    pub mem_rdata: Vec<Signal<In, Bits<W>>>,
    ingress: FrameIngress<W, KEEP>,
    classifier: Classifier<W, CHUNK, WINDOW>,
    verdicts: VerdictQueue,
    plans: ChecksumPlan,
    frame_buffer: FrameBuffer<W, KEEP>,
    sums: ReceiveSums<W, KEEP>,
    dispatch: Dispatch<W, KEEP>,
    memory: MemoryArbiter<W, KEEP>,
    core_port: Vec<CorePort>,
    cycle_counter: CycleCounter,
    busy_all: Concat<16>,
    message_bus: MessageBus,
    message_queue: Vec<MessageQueue>,
    mfa_queues: MfaQueues,
    transmit: Transmit<W, KEEP>,
    dma: Dma<W, KEEP>,
    tlp_ingress: TlpIngress<W>,
    completer: Completer<W, KEEP>,
    msix: Msix,
    tlp_egress: TlpEgress<W>,
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
        let first = |i| counters::FIRST_PROCESSOR + counters::PER_PROCESSOR * i;
        let counters = first(n);
        let of_processor = |i| [first(i) + counters::PROCESSOR_BYTES, first(i) + counters::PROCESSOR_SENT_BYTES];
        let byte_counters: Vec<usize> = iter::once(counters::BYTES).chain((0..n).flat_map(of_processor)).collect();
        block! {
            Self {
                core_valid: many(n),
                core_ready: many(n),
                core_write: many(n),
                core_addr: many(n),
                core_wdata: many(n),
                core_rvalid: many(n),
                core_rdata: many(n),
                core_irq: many(n),
                mem_valid: many(n),
                mem_write: many(n),
                mem_addr: many(n),
                mem_wdata: many(n),
                mem_wstrb: many(n),
                mem_rdata: many(n),
                classifier: Classifier::new(n),
                verdicts: VerdictQueue::new(n),
                dispatch: Dispatch::new(n),
                memory: MemoryArbiter::new(n),
                core_port: (0..n).map(|_| CorePort::new(n)).collect(),
                message_bus: MessageBus::new(n),
                message_queue: (0..n).map(|_| MessageQueue::new(n)).collect(),
                mfa_queues: MfaQueues::new(n, params.mfa_depth()),
                transmit: Transmit::new(n),
                dma: Dma::new(n),
                completer: Completer::new(n),
                msix: Msix::new(4 + 2 * n),
                index: (0..n).map(|i| Constant::new(((n << 8 | i) as u64).to_bits())).collect(),
                csr: Csr::new(params),
                stats: Stats::new(counters, &byte_counters),
                _processors: n,
                _counters: counters,
            },
            clock, reset, rx_tdata, rx_tkeep, rx_tvalid, rx_tlast, rx_tuser, tx_tdata, tx_tkeep, tx_tvalid, tx_tready,
            tx_tlast, tlp_rx_tdata, tlp_rx_theader, tlp_rx_tbar, tlp_rx_tvalid, tlp_rx_tready, tlp_rx_tlast,
            tlp_tx_tdata, tlp_tx_theader, tlp_tx_tvalid, tlp_tx_tready, tlp_tx_tlast, host_irq, ingress, plans,
            frame_buffer, sums, cycle_counter, busy_all, tlp_ingress, tlp_egress
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

        // Processors: frames, messages, memory.
        self.cycle_counter.clock.next = self.clock.val();
        self.cycle_counter.reset.next = self.reset.val();
        self.memory.clock.next = self.clock.val();
        self.memory.reset.next = self.reset.val();
        self.memory.receive_data.next = self.dispatch.mem_wdata.val();
        self.memory.receive_strobe.next = self.dispatch.mem_wstrb.val();
        for b in 0..16 {
            self.busy_all.element[b].next = false;
        }
        self.message_bus.clock.next = self.clock.val();
        self.message_bus.reset.next = self.reset.val();
        for i in 0..self._processors {
            self.core_port[i].clock.next = self.clock.val();
            self.core_port[i].reset.next = self.reset.val();
            self.core_port[i].index.next = self.index[i].val();
            self.core_port[i].core_valid.next = self.core_valid[i].val();
            self.core_port[i].core_write.next = self.core_write[i].val();
            self.core_port[i].core_addr.next = self.core_addr[i].val();
            self.core_port[i].core_wdata.next = self.core_wdata[i].val();
            self.core_port[i].clock_time.next = self.cycle_counter.count.val();
            self.core_ready[i].next = self.core_port[i].core_ready.val();
            self.core_rvalid[i].next = self.core_port[i].core_rvalid.val();
            self.core_rdata[i].next = self.core_port[i].core_rdata.val();
            self.core_irq[i].next = self.core_port[i].core_irq.val();

            self.core_port[i].buffer_take.next = self.dispatch.take[i].val();
            self.core_port[i].post.next = self.dispatch.post[i].val();
            self.core_port[i].post_status.next = self.dispatch.post_status.val();
            self.core_port[i].post_hash.next = self.dispatch.post_hash.val();
            self.dispatch.buffer_valid[i].next = self.core_port[i].buffer_valid.val();
            self.dispatch.buffer_address[i].next = self.core_port[i].buffer_address.val();
            self.dispatch.post_room[i].next = self.core_port[i].post_room.val();

            self.memory.receive_valid[i].next = self.dispatch.mem_wvalid[i].val();
            self.memory.receive_address[i].next = self.dispatch.mem_waddr[i].val().get_bits::<24>(0);
            self.memory.mem_rdata[i].next = self.mem_rdata[i].val();
            self.mem_valid[i].next = self.memory.mem_valid[i].val();
            self.mem_write[i].next = self.memory.mem_write[i].val();
            self.mem_addr[i].next = self.memory.mem_addr[i].val();
            self.mem_wdata[i].next = self.memory.mem_wdata[i].val();
            self.mem_wstrb[i].next = self.memory.mem_wstrb[i].val();

            self.busy_all.element[i].next = self.core_port[i].busy.val();
            self.core_port[i].busy_all.next = self.busy_all.value.val();
            self.message_queue[i].clock.next = self.clock.val();
            self.message_queue[i].reset.next = self.reset.val();
            self.message_queue[i].take.next = self.core_port[i].take.val();
            self.message_queue[i].take_ring.next = self.core_port[i].take_ring.val();
            self.message_queue[i].word.next = self.core_port[i].read_word.val();
            self.core_port[i].taken_word.next = self.message_queue[i].word_data.val();
            self.core_port[i].taken_valid.next = self.message_queue[i].taken_valid.val();
            self.core_port[i].pending.next = self.message_queue[i].pending.val();
            self.message_bus.send[i].next = self.core_port[i].sends.val();
            self.message_bus.target[i].next = self.core_port[i].send_to.val();
            self.core_port[i].fetch_word.next = self.message_bus.fetch_word.val();
            self.message_bus.word_of[i].next = self.core_port[i].message_word.val();
            self.core_port[i].send_done.next = self.message_bus.done[i].val();
            self.core_port[i].send_refused.next = self.message_bus.refused.val();
            self.message_queue[i].put.next = self.message_bus.put.val().get_bit(i);
            self.message_queue[i].sender.next = self.message_bus.sender.val();
            self.message_queue[i].put_word.next = self.message_bus.word.val();
            self.message_queue[i].put_data.next = self.message_bus.data.val();
            self.message_bus.full[i].next = self.message_queue[i].refused.val();
            for j in 0..self._processors {
                self.core_port[j].sent_level[i].next = self.message_queue[i].level[j].val();
                self.core_port[i].message_level[j].next = self.message_queue[i].level[j].val();
            }
        }

        // The message frame queues.
        self.mfa_queues.clock.next = self.clock.val();
        self.mfa_queues.reset.next = self.reset.val();
        self.mfa_queues.out_base.next = self.csr.out_base.val();
        self.mfa_queues.out_size.next = self.csr.out_size.val();
        self.mfa_queues.out_frames.next = self.csr.out_frames.val();
        self.mfa_queues.host_take_inbound.next = self.csr.take_inbound.val();
        self.mfa_queues.host_post_inbound.next = self.csr.post_inbound.val();
        self.mfa_queues.host_take_outbound.next = self.csr.take_outbound.val();
        self.mfa_queues.host_free_outbound.next = self.csr.free_outbound.val();
        self.mfa_queues.host_page.next = self.csr.page.val();
        self.mfa_queues.host_wdata.next = self.csr.mfa.val();
        self.mfa_queues.post_valid.next = self.dma.post_valid.val();
        self.mfa_queues.post_outbound.next = self.dma.post_outbound.val();
        self.mfa_queues.post_page.next = self.dma.post_page.val();
        self.mfa_queues.post_mfa.next = self.dma.post_mfa.val();
        for i in 0..self._processors {
            self.mfa_queues.in_base[i].next = self.core_port[i].in_base.val();
            self.mfa_queues.in_size[i].next = self.core_port[i].in_size.val();
            self.mfa_queues.in_frames[i].next = self.core_port[i].in_frames.val();
            self.mfa_queues.core_wdata[i].next = self.core_port[i].mfa.val();
            self.mfa_queues.core_free_inbound[i].next = self.core_port[i].free_inbound.val();
            self.mfa_queues.core_take_inbound[i].next = self.core_port[i].take_inbound.val();
            self.mfa_queues.core_take_outbound[i].next = self.core_port[i].take_outbound.val();
            self.mfa_queues.core_post_outbound[i].next = self.core_port[i].post_outbound.val();
            self.core_port[i].inbound_head.next = self.mfa_queues.inbound_head[i].val();
            self.core_port[i].take_outbound_done.next = self.mfa_queues.core_outbound_grant[i].val();
            self.core_port[i].outbound_mfa.next = self.mfa_queues.core_outbound_mfa.val();
            self.core_port[i].post_outbound_done.next = self.mfa_queues.core_post_grant[i].val();
            self.core_port[i].free_inbound_done.next = self.mfa_queues.core_free_grant[i].val();
            self.core_port[i].in_free_level.next = self.mfa_queues.in_free_level[i].val();
            self.core_port[i].in_post_level.next = self.mfa_queues.in_post_level[i].val();
            self.core_port[i].command_waits.next = self.mfa_queues.in_commands[i].val();
            self.core_port[i].data_waits.next = self.mfa_queues.in_datas[i].val();
            self.core_port[i].out_free_level.next = self.mfa_queues.out_free_level.val();
            self.core_port[i].out_post_level.next = self.mfa_queues.out_post_level.val();
            self.core_port[i].out_base_high.next = self.csr.out_base_high.val();
            self.core_port[i].out_size.next = self.csr.out_size.val();
            self.core_port[i].mfa_refused.next = self.mfa_queues.core_refused[i].val();
            self.core_port[i].refused_mfa.next = self.mfa_queues.core_refused_mfa[i].val();
            self.csr.in_free_level[i].next = self.mfa_queues.in_free_level[i].val();
            self.csr.in_post_level[i].next = self.mfa_queues.in_post_level[i].val();
        }

        // Transmit.
        self.transmit.clock.next = self.clock.val();
        self.transmit.reset.next = self.reset.val();
        for i in 0..self._processors {
            self.transmit.send_push[i].next = self.core_port[i].send_push.val();
            self.transmit.send_entry[i].next = self.core_port[i].send_entry.val();
            self.transmit.done_take[i].next = self.core_port[i].sent_take.val();
            self.core_port[i].send_room.next = self.transmit.send_room[i].val();
            self.core_port[i].sent_valid.next = self.transmit.done_valid[i].val();
            self.core_port[i].sent.next = self.transmit.done_entry[i].val();
        }
        self.tx_tdata.next = self.transmit.tx_tdata.val();
        self.tx_tkeep.next = self.transmit.tx_tkeep.val();
        self.tx_tvalid.next = self.transmit.tx_tvalid.val();
        self.tx_tlast.next = self.transmit.tx_tlast.val();
        self.transmit.tx_tready.next = self.tx_tready.val();
        self.memory.reader_valid[0].next = self.transmit.read_valid.val();
        self.memory.reader_processor[0].next = self.transmit.read_processor.val();
        self.memory.reader_address[0].next = self.transmit.read_address.val();
        self.transmit.read_grant.next = self.memory.reader_grant[0].val();
        self.transmit.read_data.next = self.memory.reader_data[0].val();

        // DMA.
        self.dma.clock.next = self.clock.val();
        self.dma.reset.next = self.reset.val();
        self.dma.max_payload.next = self.csr.max_payload.val();
        self.dma.max_read.next = self.csr.max_read.val();
        self.dma.requester.next = self.csr.pcie_id.val();
        self.dma.timeout.next = self.csr.dma_timeout.val();
        self.dma.window_write.next = self.csr.window_write.val();
        self.dma.window_read.next = self.csr.window_read.val();
        self.dma.window_index.next = self.csr.table_index.val();
        self.dma.window_wdata.next = self.csr.table_wdata.val();
        self.csr.window_rdata.next = self.dma.window_rdata.val();
        for i in 0..self._processors {
            self.dma.push[i].next = self.core_port[i].dma_push.val();
            self.dma.push_data[i].next = self.core_port[i].dma_word_data.val();
            self.dma.done_take[i].next = self.core_port[i].dma_done_take.val();
            self.core_port[i].dma_grant.next = self.dma.push_grant[i].val();
            self.core_port[i].dma_take.next = self.dma.push_take[i].val();
            self.core_port[i].dma_word.next = self.dma.push_word.val();
            self.core_port[i].dma_room.next = self.dma.room[i].val();
            self.core_port[i].dma_done_valid.next = self.dma.done_valid[i].val();
            self.core_port[i].dma_done.next = self.dma.done_data[i].val();
            // The host's channel is the last one.
            self.dma.push[i + 1].next = self.csr.dma_push.val();
            self.dma.push_data[i + 1].next = self.csr.dma_word_data.val();
            self.dma.done_take[i + 1].next = self.csr.dma_done_take.val();
            self.csr.dma_grant.next = self.dma.push_grant[i + 1].val();
            self.csr.dma_take.next = self.dma.push_take[i + 1].val();
            self.csr.dma_word.next = self.dma.push_word.val();
            self.csr.error[6].next = self.csr.dma_refused.val();
            self.csr.dma_room.next = self.dma.room[i + 1].val();
            self.csr.dma_done_valid.next = self.dma.done_valid[i + 1].val();
            self.csr.dma_done.next = self.dma.done_data[i + 1].val();
        }
        self.dma.post_ready.next = self.mfa_queues.post_ready.val();
        self.dma.post_done.next = self.mfa_queues.post_done.val();
        self.dma.post_refused.next = self.mfa_queues.post_refused.val();
        self.memory.reader_valid[1].next = self.dma.read_valid.val();
        self.memory.reader_processor[1].next = self.dma.read_processor.val();
        self.memory.reader_address[1].next = self.dma.read_address.val();
        self.dma.read_grant.next = self.memory.reader_grant[1].val();
        self.dma.read_data.next = self.memory.reader_data[1].val();
        self.memory.writer_valid[0].next = self.dma.fill_valid.val();
        self.memory.writer_processor[0].next = self.dma.fill_processor.val();
        self.memory.writer_address[0].next = self.dma.fill_address.val();
        self.memory.writer_data[0].next = self.dma.fill_data.val();
        self.memory.writer_strobe[0].next = self.dma.fill_strobe.val();
        self.dma.fill_grant.next = self.memory.writer_grant[0].val();
        self.memory.writer_valid[1].next = self.dma.copy_valid.val();
        self.memory.writer_processor[1].next = self.dma.copy_processor.val();
        self.memory.writer_address[1].next = self.dma.copy_address.val();
        self.memory.writer_data[1].next = self.dma.copy_data.val();
        self.memory.writer_strobe[1].next = self.dma.copy_strobe.val();
        self.dma.copy_grant.next = self.memory.writer_grant[1].val();

        // TLPs from the host.
        self.tlp_ingress.clock.next = self.clock.val();
        self.tlp_ingress.reset.next = self.reset.val();
        self.tlp_ingress.tlp_tdata.next = self.tlp_rx_tdata.val();
        self.tlp_ingress.tlp_theader.next = self.tlp_rx_theader.val();
        self.tlp_ingress.tlp_tbar.next = self.tlp_rx_tbar.val();
        self.tlp_ingress.tlp_tvalid.next = self.tlp_rx_tvalid.val();
        self.tlp_ingress.tlp_tlast.next = self.tlp_rx_tlast.val();
        self.tlp_rx_tready.next = self.tlp_ingress.tlp_tready.val();
        self.dma.cpl_tdata.next = self.tlp_ingress.completion_tdata.val();
        self.dma.cpl_theader.next = self.tlp_ingress.completion_theader.val();
        self.dma.cpl_tvalid.next = self.tlp_ingress.completion_tvalid.val();
        self.dma.cpl_tlast.next = self.tlp_ingress.completion_tlast.val();
        self.tlp_ingress.completion_tready.next = self.dma.cpl_tready.val();

        self.completer.clock.next = self.clock.val();
        self.completer.reset.next = self.reset.val();
        self.completer.completer_id.next = self.csr.pcie_id.val();
        self.completer.open.next = self.csr.window_open.val();
        self.completer.request_tdata.next = self.tlp_ingress.request_tdata.val();
        self.completer.request_theader.next = self.tlp_ingress.request_theader.val();
        self.completer.request_bar.next = self.tlp_ingress.request_bar.val();
        self.completer.request_kind.next = self.tlp_ingress.request_kind.val();
        self.completer.request_first.next = self.tlp_ingress.request_first.val();
        self.completer.request_void.next = self.tlp_ingress.request_void.val();
        self.completer.request_tvalid.next = self.tlp_ingress.request_tvalid.val();
        self.completer.request_tlast.next = self.tlp_ingress.request_tlast.val();
        self.tlp_ingress.request_tready.next = self.completer.request_tready.val();
        self.completer.reg_ready.next = self.csr.host_ready.val();
        self.completer.reg_rvalid.next = self.csr.host_rvalid.val();
        self.completer.reg_rdata.next = self.csr.host_rdata.val();
        self.memory.writer_valid[2].next = self.completer.write_valid.val();
        self.memory.writer_processor[2].next = self.completer.write_processor.val();
        self.memory.writer_address[2].next = self.completer.write_address.val();
        self.memory.writer_data[2].next = self.completer.write_data.val();
        self.memory.writer_strobe[2].next = self.completer.write_strobe.val();
        self.completer.write_grant.next = self.memory.writer_grant[2].val();
        self.memory.reader_valid[2].next = self.completer.read_valid.val();
        self.memory.reader_processor[2].next = self.completer.read_processor.val();
        self.memory.reader_address[2].next = self.completer.read_address.val();
        self.completer.read_grant.next = self.memory.reader_grant[2].val();
        self.completer.read_data.next = self.memory.reader_data[2].val();

        // TLPs to the host.
        self.msix.clock.next = self.clock.val();
        self.msix.reset.next = self.reset.val();
        self.msix.enable.next = self.csr.msix_enable.val();
        self.msix.function_mask.next = self.csr.msix_mask.val();
        self.msix.hold_time.next = self.csr.moderation_time.val();
        self.msix.hold_count.next = self.csr.moderation_count.val();
        self.msix.write.next = self.csr.msix_write.val();
        self.msix.word.next = self.csr.table_index.val();
        self.msix.wdata.next = self.csr.table_wdata.val();
        self.msix.level[0].next = self.csr.out_posted.val();
        self.msix.happens[0].next = self.mfa_queues.out_post_event.val();
        self.msix.level[1].next = self.csr.error_pending.val();
        self.msix.happens[1].next = false;
        self.msix.happens[2].next = false;
        self.msix.level[3].next = false;
        self.msix.happens[3].next = false;
        for i in 0..self._processors {
            // The host's DMA channel is the last one.
            self.msix.level[2].next = self.dma.done_valid[i + 1].val();
            self.msix.level[2 * i + 4].next = self.csr.rung[i].val();
            self.msix.happens[2 * i + 4].next = self.core_port[i].ring.val();
            self.msix.level[2 * i + 5].next = self.csr.in_waits[i].val();
            self.msix.happens[2 * i + 5].next = self.mfa_queues.in_free_event[i].val();
            self.csr.ring[i].next = self.core_port[i].ring.val();
        }
        self.tlp_egress.clock.next = self.clock.val();
        self.tlp_egress.reset.next = self.reset.val();
        self.tlp_egress.requester_id.next = self.csr.pcie_id.val();
        self.tlp_egress.completion_tdata.next = self.completer.tlp_tdata.val();
        self.tlp_egress.completion_theader.next = self.completer.tlp_theader.val();
        self.tlp_egress.completion_tvalid.next = self.completer.tlp_tvalid.val();
        self.tlp_egress.completion_tlast.next = self.completer.tlp_tlast.val();
        self.completer.tlp_tready.next = self.tlp_egress.completion_tready.val();
        self.tlp_egress.message_valid.next = self.msix.message_valid.val();
        self.tlp_egress.message_address.next = self.msix.message_address.val();
        self.tlp_egress.message_data.next = self.msix.message_data.val();
        self.msix.message_ready.next = self.tlp_egress.message_ready.val();
        self.tlp_egress.read_valid.next = self.dma.mrd_tvalid.val();
        self.tlp_egress.read_header.next = self.dma.mrd_theader.val();
        self.dma.mrd_tready.next = self.tlp_egress.read_ready.val();
        self.tlp_egress.write_tdata.next = self.dma.mwr_tdata.val();
        self.tlp_egress.write_theader.next = self.dma.mwr_theader.val();
        self.tlp_egress.write_tvalid.next = self.dma.mwr_tvalid.val();
        self.tlp_egress.write_tlast.next = self.dma.mwr_tlast.val();
        self.dma.mwr_tready.next = self.tlp_egress.write_tready.val();
        self.tlp_tx_tdata.next = self.tlp_egress.tlp_tdata.val();
        self.tlp_tx_theader.next = self.tlp_egress.tlp_theader.val();
        self.tlp_tx_tvalid.next = self.tlp_egress.tlp_tvalid.val();
        self.tlp_tx_tlast.next = self.tlp_egress.tlp_tlast.val();
        self.tlp_egress.tlp_tready.next = self.tlp_tx_tready.val();

        // The host's registers.
        self.csr.clock.next = self.clock.val();
        self.csr.reset.next = self.reset.val();
        self.csr.host_valid.next = self.completer.reg_valid.val();
        self.csr.host_write.next = self.completer.reg_write.val();
        self.csr.host_addr.next = self.completer.reg_addr.val();
        self.csr.host_wdata.next = self.completer.reg_wdata.val();
        self.csr.reta_rdata.next = self.classifier.reta_read_entry.val();
        self.csr.total.next = self.stats.read_total.val();
        self.csr.msix_rdata.next = self.msix.rdata.val();
        self.csr.msix_pending.next = self.msix.pending.val();
        self.csr.taken_mfa.next = self.mfa_queues.host_rdata.val();
        self.csr.out_free_level.next = self.mfa_queues.out_free_level.val();
        self.csr.out_post_level.next = self.mfa_queues.out_post_level.val();
        self.csr.refused_mfa.next = self.mfa_queues.host_refused_mfa.val();
        self.csr.error[0].next = self.mfa_queues.host_refused.val();
        self.csr.error[1].next = self.tlp_ingress.malformed.val();
        self.csr.error[2].next = self.completer.unsupported.val();
        self.csr.error[3].next = self.dma.unexpected.val();
        self.csr.error[4].next = self.dma.timed_out.val();
        self.csr.error[5].next = self.dma.failed.val();
        self.csr.error[7].next = self.completer.dropped.val();
        self.csr.error[8].next = self.completer.poisoned.val();
        self.csr.error[9].next = self.completer.partial.val();
        self.host_irq.next = self.csr.host_irq.val();

        // Counters.
        self.stats.clock.next = self.clock.val();
        self.stats.reset.next = self.reset.val();
        self.stats.read_index.next = self.csr.total_index.val();
        for c in 0..self._counters {
            self.stats.pulse[c].next = false;
        }
        for c in 0..9 {
            self.stats.pulse[c].next = self.dispatch.count[c].val();
        }
        for c in 16..24 {
            self.stats.pulse[c].next = self.dispatch.count[c].val();
        }
        self.stats.bytes[0].next = self.dispatch.bytes[0].val();
        self.stats.pulse[9].next = self.tlp_ingress.malformed.val();
        self.stats.pulse[10].next = self.completer.unsupported.val();
        self.stats.pulse[24].next = self.completer.dropped.val();
        self.stats.pulse[25].next = self.completer.poisoned.val();
        self.stats.pulse[26].next = self.completer.partial.val();
        self.stats.pulse[11].next = self.dma.unexpected.val();
        self.stats.pulse[12].next = self.dma.timed_out.val();
        self.stats.pulse[13].next = self.dma.failed.val();
        self.stats.pulse[14].next = self.mfa_queues.host_refused.val();
        self.stats.pulse[15].next = self.msix.message_valid.val() & self.tlp_egress.message_ready.val();
        for i in 0..self._processors {
            for k in 0..4 {
                self.stats.pulse[8 * i + k + 32].next = self.dispatch.count[4 * i + k + 32].val();
            }
            self.stats.pulse[8 * i + 36].next = self.transmit.sent[i].val();
            self.stats.bytes[2 * i + 1].next = self.dispatch.bytes[i + 1].val();
            self.stats.bytes[2 * i + 2].next = self.transmit.sent_bytes[i].val();
            self.stats.pulse[8 * i + 38].next = self.core_port[i].refused.val();
        }
    }
}
