//! A processor's side of the receive path: its free and post queues behind its register port.
//!
//! | port             | dir | width | meaning                                                                          |
//! |------------------|-----|-------|----------------------------------------------------------------------------------|
//! | `index`          | in  | 32    | INDEX: the processor's number and N                                              |
//! | `core_valid`     | in  | 1     | the processor asks for a register                                                |
//! | `core_write`     | in  | 1     | to write it                                                                      |
//! | `core_addr`      | in  | 12    | byte offset, see [`abi::csr::CORE`]; the low two bits are ignored                |
//! | `core_wdata`     | in  | 32    | what to write                                                                    |
//! | `core_rvalid`    | out | 1     | answer to a read; reset value 0                                                  |
//! | `core_rdata`     | out | 32    | what it reads; 0 where there is no register                                      |
//! | `buffer_valid`   | out | 1     | a free buffer is at hand; reset value 0                                          |
//! | `buffer_address` | out | 32    | its address, 64-byte aligned                                                     |
//! | `post_room`      | out | 1     | the post queue has room for a frame; reset value 1                               |
//! | `post`           | in  | 1     | the buffer at hand is filled: post it, go on to the next                         |
//! | `post_status`    | in  | 32    | its RX_STATUS                                                                    |
//! | `post_hash`      | in  | 32    | its RX_HASH                                                                      |
//!
//! Latency: reads answer after [`abi::csr::Space::read_latency`] cycles. Throughput: one request and one post per cycle. Never stalls.
//! Implements: ¶66 (packets reach the processor from the dispatch logic).

use abi::csr;
use abi::limits::RECEIVE_QUEUE_DEPTH;
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

use crate::queue::Queue;

/// An entry of the receive post queue.
#[derive(LogicStruct, Debug, Copy, Clone, PartialEq, Default)]
struct Posted {
    address: Bits<32>,
    status: Bits<32>,
    hash: Bits<32>,
}

/// See the module's page.
#[derive(LogicBlock)]
pub struct CorePort {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub index: Signal<In, Bits<32>>,
    pub core_valid: Signal<In, Bit>,
    pub core_write: Signal<In, Bit>,
    pub core_addr: Signal<In, Bits<12>>,
    pub core_wdata: Signal<In, Bits<32>>,
    pub core_rvalid: Signal<Out, Bit>,
    pub core_rdata: Signal<Out, Bits<32>>,
    pub buffer_valid: Signal<Out, Bit>,
    pub buffer_address: Signal<Out, Bits<32>>,
    pub post_room: Signal<Out, Bit>,
    pub post: Signal<In, Bit>,
    pub post_status: Signal<In, Bits<32>>,
    pub post_hash: Signal<In, Bits<32>>,
    free: Queue<32, 8, 9>,
    posted: Queue<96, 8, 9>,
    asked: DFF<Bit>,
    writes: DFF<Bit>,
    place: DFF<Bits<12>>,
    wdata: DFF<Bits<32>>,
    reads: Signal<Local, Bit>,
    reads_post: Signal<Local, Bit>,
    writes_free: Signal<Local, Bit>,
    entry: Signal<Local, Posted>,
    taken_status: DFF<Bits<32>>,
    taken_hash: DFF<Bits<32>>,
    refused: DFF<Bits<32>>,
    rvalid: DFF<Bit>,
    rdata: DFF<Bits<32>>,
    aligned: Constant<Bits<32>>,
    empty: Constant<Bits<32>>,
    depth: Constant<Bits<9>>,
    id: Constant<Bits<32>>,
    id_place: Constant<Bits<12>>,
    index_place: Constant<Bits<12>>,
    free_place: Constant<Bits<12>>,
    post_place: Constant<Bits<12>>,
    status_place: Constant<Bits<12>>,
    hash_place: Constant<Bits<12>>,
    level_place: Constant<Bits<12>>,
    refused_place: Constant<Bits<12>>,
}

impl Default for CorePort {
    fn default() -> Self {
        assert_eq!(RECEIVE_QUEUE_DEPTH, 1 << 8);
        let word = |value: u32| Constant::new((value as u64).to_bits());
        let place = |offset: u32| Constant::new((offset as u64).to_bits());
        Self {
            clock: Default::default(),
            reset: Default::default(),
            index: Default::default(),
            core_valid: Default::default(),
            core_write: Default::default(),
            core_addr: Default::default(),
            core_wdata: Default::default(),
            core_rvalid: Default::default(),
            core_rdata: Default::default(),
            buffer_valid: Default::default(),
            buffer_address: Default::default(),
            post_room: Default::default(),
            post: Default::default(),
            post_status: Default::default(),
            post_hash: Default::default(),
            free: Default::default(),
            posted: Default::default(),
            asked: Default::default(),
            writes: Default::default(),
            place: Default::default(),
            wdata: Default::default(),
            reads: Default::default(),
            reads_post: Default::default(),
            writes_free: Default::default(),
            entry: Default::default(),
            taken_status: Default::default(),
            taken_hash: Default::default(),
            refused: Default::default(),
            rvalid: Default::default(),
            rdata: Default::default(),
            aligned: word(!(abi::limits::BUFFER_ALIGNMENT as u32 - 1)),
            empty: word(abi::receive::EMPTY),
            depth: Constant::new((RECEIVE_QUEUE_DEPTH as u64).to_bits()),
            id: word(csr::CORE_ID),
            id_place: place(csr::CORE_ID_OFFSET),
            index_place: place(csr::CORE_INDEX),
            free_place: place(csr::RX_FREE),
            post_place: place(csr::RX_POST),
            status_place: place(csr::RX_STATUS),
            hash_place: place(csr::RX_HASH),
            level_place: place(csr::RX_LEVEL),
            refused_place: place(csr::RX_REFUSED),
        }
    }
}

impl Logic for CorePort {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, asked, writes, place, wdata, taken_status, taken_hash, refused, rvalid, rdata);
        self.free.clock.next = self.clock.val();
        self.free.reset.next = self.reset.val();
        self.posted.clock.next = self.clock.val();
        self.posted.reset.next = self.reset.val();

        // Request.
        self.asked.d.next = self.core_valid.val() & !self.reset.val();
        self.writes.d.next = self.core_write.val();
        self.place.d.next = self.core_addr.val() & 0xffc;
        self.wdata.d.next = self.core_wdata.val();
        self.reads.next = self.asked.q.val() & !self.writes.q.val();
        self.reads_post.next = self.reads.val() & (self.place.q.val() == self.post_place.val());
        self.writes_free.next =
            self.asked.q.val() & self.writes.q.val() & (self.place.q.val() == self.free_place.val());

        // Free buffers come in, filled ones go out.
        self.free.push.next = self.writes_free.val();
        self.free.push_data.next = self.wdata.q.val() & self.aligned.val();
        if self.writes_free.val() & self.free.full.val() {
            self.refused.d.next = self.refused.q.val() + 1;
        }
        self.free.pop.next = self.post.val();
        self.buffer_valid.next = self.free.head_valid.val();
        self.buffer_address.next = self.free.head_data.val();
        self.entry.next.address = self.free.head_data.val();
        self.entry.next.status = self.post_status.val();
        self.entry.next.hash = self.post_hash.val();
        self.posted.push.next = self.post.val();
        self.posted.push_data.next = self.entry.val().into();
        self.post_room.next = !self.posted.full.val();
        self.posted.pop.next = self.reads_post.val();
        if self.reads_post.val() & self.posted.head_valid.val() {
            self.taken_status.d.next = self.posted.head_data.val().get_bits::<32>(32);
            self.taken_hash.d.next = self.posted.head_data.val().get_bits::<32>(64);
        }

        // Answer.
        self.rvalid.d.next = self.reads.val() & !self.reset.val();
        self.rdata.d.next = 0.into();
        if self.place.q.val() == self.id_place.val() {
            self.rdata.d.next = self.id.val();
        }
        if self.place.q.val() == self.index_place.val() {
            self.rdata.d.next = self.index.val();
        }
        if self.place.q.val() == self.free_place.val() {
            self.rdata.d.next = bit_cast::<32, 9>(self.depth.val() - self.free.level.val());
        }
        if self.place.q.val() == self.post_place.val() {
            self.rdata.d.next = self.empty.val();
            if self.posted.head_valid.val() {
                self.rdata.d.next = self.posted.head_data.val().get_bits::<32>(0);
            }
        }
        if self.place.q.val() == self.status_place.val() {
            self.rdata.d.next = self.taken_status.q.val();
        }
        if self.place.q.val() == self.hash_place.val() {
            self.rdata.d.next = self.taken_hash.q.val();
        }
        if self.place.q.val() == self.level_place.val() {
            self.rdata.d.next = bit_cast::<32, 9>(self.posted.level.val());
        }
        if self.place.q.val() == self.refused_place.val() {
            self.rdata.d.next = self.refused.q.val();
        }
        self.core_rvalid.next = self.rvalid.q.val();
        self.core_rdata.next = self.rdata.q.val();

        if self.reset.val() {
            self.taken_status.d.next = 0.into();
            self.taken_hash.d.next = 0.into();
            self.refused.d.next = 0.into();
        }
    }
}
