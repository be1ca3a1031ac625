//! A processor's register port: its registers, its receive queues, its interrupts; everything else it writes is passed on.
//!
//! | port             | dir | width | meaning |
//! |------------------|-----|-------|---------|
//! | `index`              | in  | 32    | INDEX: the processor's number and N |
//! | `core_valid`         | in  | 1     | the processor asks for a register |
//! | `core_ready`         | out | 1     | the request is taken; low while an earlier one waits for a shared queue |
//! | `core_write`         | in  | 1     | to write it |
//! | `core_addr`          | in  | 12    | byte offset, see [`mod@abi::csr::core`]; the low two bits are ignored |
//! | `core_wdata`         | in  | 32    | what to write |
//! | `core_rvalid`        | out | 1     | answer to a read; reset value 0 |
//! | `core_rdata`         | out | 32    | what it reads; 0 where there is no register |
//! | `core_irq`           | out | 1     | level interrupt; reset value 0 |
//! | `clock_time`         | in  | 64    | TIME |
//! | `buffer_valid`       | out | 1     | a free receive buffer is at hand; reset value 0 |
//! | `buffer_address`     | out | 32    | its address, 64-byte aligned |
//! | `post_room`          | out | 1     | the receive post queue has room for a frame; reset value 1 |
//! | `buffer_take`        | in  | 1     | the buffer at hand is filled: go on to the next |
//! | `post`               | in  | 1     | a cycle later: post it |
//! | `post_status`        | in  | 32    | its RX_STATUS |
//! | `post_hash`          | in  | 32    | its RX_HASH |
//! | `send_push`          | out | 1     | a frame to send |
//! | `send_entry`         | out | 61    | its two words, see [`abi::transmit`] |
//! | `send_room`          | in  | 7     | TX_POST |
//! | `sent_valid`         | in  | 1     | a buffer comes back |
//! | `sent`               | in  | 32    | TX_DONE |
//! | `sent_take`          | out | 1     | it is taken |
//! | `in_base`            | out | 18    | bits 23:6 of IN_BASE |
//! | `in_size`            | out | 5     | IN_FRAME_SIZE |
//! | `in_frames`          | out | 11    | IN_FRAMES |
//! | `free_inbound`       | out | 1     | `mfa` is an empty frame for the host, until it is taken |
//! | `free_inbound_done`  | in  | 1     | it is taken |
//! | `take_inbound`       | out | 1     | the message on show is taken |
//! | `inbound_head`       | in  | 32    | IN_POST: the message on show, or all ones |
//! | `in_free_level`      | in  | 11    | IN_LEVELS.FREE |
//! | `in_post_level`      | in  | 11    | IN_LEVELS.POSTED |
//! | `command_waits`      | in  | 1     | a message with a command waits |
//! | `data_waits`         | in  | 1     | a message with data waits |
//! | `take_outbound`      | out | 1     | wants an empty outbound frame, until it is given |
//! | `take_outbound_done` | in  | 1     | it is given |
//! | `outbound_mfa`       | in  | 32    | it, or all ones |
//! | `post_outbound`      | out | 1     | `mfa` is a message for the host, until it is taken |
//! | `post_outbound_done` | in  | 1     | it is taken |
//! | `mfa`                | out | 32    | the MFA that is handed in or posted |
//! | `out_free_level`     | in  | 11    | OUT_LEVELS.FREE |
//! | `out_post_level`     | in  | 11    | OUT_LEVELS.POSTED |
//! | `out_base_high`      | in  | 32    | OUT_BASE_HIGH |
//! | `out_size`           | in  | 5     | OUT_FRAME_SIZE |
//! | `mfa_refused`        | in  | 1     | an MFA of this processor is refused |
//! | `refused_mfa`        | in  | 32    | it |
//! | `ring`               | out | 1     | rings the host |
//! | `dma_push`           | out | 1     | a descriptor, see [`crate::descriptor_port`] |
//! | `dma_take`           | in  | 1     | a word of it is fetched |
//! | `dma_word`           | in  | 3     | which one |
//! | `dma_word_data`      | out | 32    | one cycle later: the word |
//! | `dma_grant`          | in  | 1     | the descriptor is taken |
//! | `dma_room`           | in  | 5     | descriptors that the channel may push |
//! | `dma_done_valid`     | in  | 1     | a report is on show |
//! | `dma_done`           | in  | 64    | it |
//! | `dma_done_take`      | out | 1     | it is taken |
//! | `busy`               | out | 1     | BUSY |
//! | `busy_all`           | in  | 16    | BUSY_ALL |
//! | `sends`              | out | 1     | wants to send `message`, until it is done |
//! | `send_to`            | out | 16    | bit j: to processor j |
//! | `send_done`          | in  | 1     | it is done |
//! | `send_refused`       | in  | 1     | a cycle later: it was refused, the queue was full |
//! | `fetch_word`         | in  | 2     | a word of it: address, length, context, kind |
//! | `message_word`       | out | 32    | one cycle later: it |
//! | `sent_level_j`       | in  | 5     | messages from this processor that wait for processor j |
//! | `take`               | out | 1     | takes the oldest message from processor `take_ring` |
//! | `take_ring`          | out | 4     | from whom |
//! | `taken_valid`        | in  | 1     | [`crate::message_queue::TAKE_LATENCY`] cycles later: there was one |
//! | `read_word`          | out | 2     | which word of the message taken last is read |
//! | `taken_word`         | in  | 32    | it, as many cycles later |
//! | `pending`            | in  | 16    | MESSAGE_PENDING |
//! | `message_level_j`    | in  | 5     | messages from processor j that wait |
//! | `refused`            | out | 1     | something that this processor wrote is refused |
//!
//! Latency: reads answer [`abi::csr::Space::read_latency`] cycles after they were taken. Throughput: one request per cycle. What goes
//! through a queue that others use too (IN_FREE, OUT_FREE, OUT_POST, MESSAGE_SEND, MESSAGE_TAKE) waits for its turn, a word of the message
//! taken last for the memory it is in, a word of a descriptor until that of the last one is fetched; and the requests behind them wait too.
//! Reset values: the register table's.
//! Implements: ¶66 (what a processor sees of the card), ¶68 (messages, the busy flag), ¶69 (the processor's side of the MFA queues).

use abi::csr::{self, Hardware};
use abi::limits::{MESSAGE_QUEUE_DEPTH, RECEIVE_QUEUE_DEPTH};
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

use crate::concat::Concat;
use crate::descriptor_port::DescriptorPort;
use crate::interrupt_controller::InterruptController;
use crate::levels::Levels;
use crate::many;
use crate::memory::{Collision, Memory};
use crate::message_queue::TAKE_LATENCY;
use crate::queue::Queue;
use crate::register_file::RegisterFile;

/// An entry of the receive post queue.
#[derive(LogicStruct, Debug, Copy, Clone, PartialEq, Default)]
struct Posted {
    address: Bits<32>,
    status: Bits<32>,
    hash: Bits<32>,
}

/// Two words, low one first.
#[derive(LogicStruct, Debug, Copy, Clone, PartialEq, Default)]
struct Wide {
    low: Bits<32>,
    high: Bits<32>,
}

/// A frame to send, as [`abi::transmit`] lays it out.
#[derive(LogicStruct, Debug, Copy, Clone, PartialEq, Default)]
struct SendWords {
    post: Bits<32>,
    length: Bits<29>,
}

/// IRQ_STATUS from bit 1 up.
#[derive(LogicStruct, Debug, Copy, Clone, PartialEq, Default)]
struct Causes {
    command: Bit,
    data: Bit,
    message: Bit,
    receive: Bit,
    transmit: Bit,
    dma: Bit,
    error: Bit,
}

/// See the module's page.
#[derive(LogicBlock)]
pub struct CorePort {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub index: Signal<In, Bits<32>>,
    pub core_valid: Signal<In, Bit>,
    pub core_ready: Signal<Out, Bit>,
    pub core_write: Signal<In, Bit>,
    pub core_addr: Signal<In, Bits<12>>,
    pub core_wdata: Signal<In, Bits<32>>,
    pub core_rvalid: Signal<Out, Bit>,
    pub core_rdata: Signal<Out, Bits<32>>,
    pub core_irq: Signal<Out, Bit>,
    pub clock_time: Signal<In, Bits<64>>,
    pub buffer_valid: Signal<Out, Bit>,
    pub buffer_address: Signal<Out, Bits<32>>,
    pub post_room: Signal<Out, Bit>,
    pub buffer_take: Signal<In, Bit>,
    pub post: Signal<In, Bit>,
    pub post_status: Signal<In, Bits<32>>,
    pub post_hash: Signal<In, Bits<32>>,
    pub send_push: Signal<Out, Bit>,
    pub send_entry: Signal<Out, Bits<61>>,
    pub send_room: Signal<In, Bits<7>>,
    pub sent_valid: Signal<In, Bit>,
    pub sent: Signal<In, Bits<32>>,
    pub sent_take: Signal<Out, Bit>,
    pub in_base: Signal<Out, Bits<18>>,
    pub in_size: Signal<Out, Bits<5>>,
    pub in_frames: Signal<Out, Bits<11>>,
    pub free_inbound: Signal<Out, Bit>,
    pub free_inbound_done: Signal<In, Bit>,
    pub take_inbound: Signal<Out, Bit>,
    pub inbound_head: Signal<In, Bits<32>>,
    pub in_free_level: Signal<In, Bits<11>>,
    pub in_post_level: Signal<In, Bits<11>>,
    pub command_waits: Signal<In, Bit>,
    pub data_waits: Signal<In, Bit>,
    pub take_outbound: Signal<Out, Bit>,
    pub take_outbound_done: Signal<In, Bit>,
    pub outbound_mfa: Signal<In, Bits<32>>,
    pub post_outbound: Signal<Out, Bit>,
    pub post_outbound_done: Signal<In, Bit>,
    pub mfa: Signal<Out, Bits<32>>,
    pub out_free_level: Signal<In, Bits<11>>,
    pub out_post_level: Signal<In, Bits<11>>,
    pub out_base_high: Signal<In, Bits<32>>,
    pub out_size: Signal<In, Bits<5>>,
    pub mfa_refused: Signal<In, Bit>,
    pub refused_mfa: Signal<In, Bits<32>>,
    pub ring: Signal<Out, Bit>,
    pub dma_push: Signal<Out, Bit>,
    pub dma_take: Signal<In, Bit>,
    pub dma_word: Signal<In, Bits<3>>,
    pub dma_word_data: Signal<Out, Bits<32>>,
    pub dma_grant: Signal<In, Bit>,
    pub dma_room: Signal<In, Bits<5>>,
    pub dma_done_valid: Signal<In, Bit>,
    pub dma_done: Signal<In, Bits<64>>,
    pub dma_done_take: Signal<Out, Bit>,
    pub busy: Signal<Out, Bit>,
    pub busy_all: Signal<In, Bits<16>>,
    pub sends: Signal<Out, Bit>,
    pub send_to: Signal<Out, Bits<16>>,
    pub send_done: Signal<In, Bit>,
    pub send_refused: Signal<In, Bit>,
    pub fetch_word: Signal<In, Bits<2>>,
    pub message_word: Signal<Out, Bits<32>>,
    pub sent_level: Vec<Signal<In, Bits<5>>>,
    pub take: Signal<Out, Bit>,
    pub take_ring: Signal<Out, Bits<4>>,
    pub taken_valid: Signal<In, Bit>,
    pub read_word: Signal<Out, Bits<2>>,
    pub taken_word: Signal<In, Bits<32>>,
    pub pending: Signal<In, Bits<16>>,
    pub message_level: Vec<Signal<In, Bits<5>>>,
    pub refused: Signal<Out, Bit>,
    registers: RegisterFile<12>,
    free: Queue<32, 8, 9>,
    posted: Queue<96, 8, 9>,
    interrupts: InterruptController,
    held: Signal<Local, Bit>,
    timer_word: Signal<Local, Wide>,
    entry: Signal<Local, Posted>,
    /// The buffer that was at hand in the last cycle.
    filled: DFF<Bits<32>>,
    /// The post queue has room for another frame, those on their way to it counted.
    post_fits: DFF<Bit>,
    one_left: Signal<Local, Bit>,
    two_left: Signal<Local, Bit>,
    descriptor: DescriptorPort<12>,
    // The words of the next message to send.
    message_words: Memory<32, 2>,
    message_here: DFF<Bit>,
    clearing: DFF<Bits<2>>,
    writes_word: Signal<Local, Bit>,
    targets: Concat<16>,
    send_words: Signal<Local, SendWords>,
    in_levels: Levels,
    out_levels: Levels,
    /// A message was handed over or refused in the last cycle.
    was_sent: DFF<Bit>,
    /// Something was refused in the last cycle.
    error: DFF<Bit>,
    causes: Signal<Local, Causes>,
    takes: Signal<Local, Bit>,
    ring_index: Vec<Constant<Bits<4>>>,
    /// A message, or a word of the one taken last, is on its way.
    taking: Vec<DFF<Bit>>,
    taken_now: Signal<Local, Bit>,
    reads_taken: Signal<Local, Bit>,
    asks_now: Signal<Local, Bit>,
    has_taken: DFF<Bit>,
    ring_depth: Constant<Bits<5>>,
    room: Vec<Signal<Local, Bits<5>>>,
    room_word: Vec<Concat<32>>,
    level_word: Vec<Concat<32>>,
    taken_status: DFF<Bits<32>>,
    taken_hash: DFF<Bits<32>>,
    time_high: DFF<Bits<32>>,
    report_context: DFF<Bits<32>>,
    last_refused: DFF<Bits<32>>,
    rx_refused: DFF<Bits<16>>,
    tx_refused: DFF<Bits<16>>,
    mfas_refused: DFF<Bits<16>>,
    dma_refused: DFF<Bits<16>>,
    messages_refused: DFF<Bits<16>>,
    rx_error: Signal<Local, Bit>,
    tx_error: Signal<Local, Bit>,
    dma_error: Signal<Local, Bit>,
    message_error: Signal<Local, Bit>,
    message_block: Constant<Bits<12>>,
    aligned: Constant<Bits<32>>,
    empty: Constant<Bits<32>>,
    depth: Constant<Bits<9>>,
    _processors: usize,
}

impl CorePort {
    /// The port of one of `processors` processors.
    pub fn new(processors: usize) -> Self {
        assert_eq!((RECEIVE_QUEUE_DEPTH, TAKE_LATENCY), (1 << 8, 3));
        assert_eq!([csr::core::MESSAGE_ADDRESS.offset & 15, csr::core::TAKEN_ADDRESS.offset & 15], [0, 0]);
        // Registers are taken by number below, as the HDL has no named indices.
        let names = |kind| RegisterFile::<12>::names(&csr::CORE, 1, kind);
        let stored =
            ["TX_LENGTH", "IRQ_MASK", "COMPARE", "COMPARE high", "IN_BASE", "IN_FRAME_SIZE", "IN_FRAMES", "BUSY"];
        assert_eq!(names(Hardware::Reads), stored);
        let driven = [
            "INDEX",
            "RX_FREE",
            "RX_POST",
            "RX_STATUS",
            "RX_HASH",
            "RX_LEVEL",
            "RX_REFUSED",
            "TX_POST",
            "TX_DONE",
            "TX_REFUSED",
            "IRQ_STATUS",
            "TIME",
            "TIME high",
            "IN_FREE",
            "IN_POST",
            "IN_LEVELS",
            "MFA_REFUSED",
            "REFUSED_MFA",
            "OUT_FREE",
            "OUT_POST",
            "OUT_LEVELS",
            "OUT_BASE_HIGH",
            "OUT_FRAME_SIZE",
            "HOST_RING",
            "DMA_PUSH",
            "DMA_DONE",
            "DMA_CONTEXT",
            "DMA_REFUSED",
            "BUSY_ALL",
            "MESSAGE_PENDING",
            "TAKEN_ADDRESS",
            "TAKEN_LENGTH",
            "TAKEN_CONTEXT",
            "MESSAGE_REFUSED",
            "MESSAGE_SEND 0",
            "MESSAGE_TAKE 0",
            "MESSAGE_LEVEL 0",
        ];
        assert_eq!(names(Hardware::Drives), driven);
        let word = |value: u32| Constant::new((value as u64).to_bits());
        block! {
            Self {
                sent_level: many(processors),
                message_level: many(processors),
                free: Queue::with_late_pop(RECEIVE_QUEUE_DEPTH),
                registers: RegisterFile::new(&csr::CORE, processors, &[]),
                descriptor: DescriptorPort::new(csr::core::DMA_SOURCE.offset),
                ring_index: (0..processors as u64).map(|j| Constant::new(j.to_bits())).collect(),
                taking: many(TAKE_LATENCY),
                ring_depth: Constant::new((MESSAGE_QUEUE_DEPTH as u64).to_bits()),
                message_words: Memory::new(4, Collision::OldData),
                message_block: Constant::new((u64::from(csr::core::MESSAGE_ADDRESS.offset) >> 4).to_bits()),
                room: many(processors),
                room_word: many(processors),
                level_word: many(processors),
                aligned: word(!(abi::limits::BUFFER_ALIGNMENT as u32 - 1)),
                empty: word(abi::receive::EMPTY),
                depth: Constant::new((RECEIVE_QUEUE_DEPTH as u64).to_bits()),
                _processors: processors,
            },
            clock, reset, index, core_valid, core_ready, core_write, core_addr, core_wdata, core_rvalid, core_rdata,
            core_irq, clock_time, buffer_valid, buffer_address, post_room, buffer_take, post, post_status, post_hash,
            send_push, send_entry, send_room, sent_valid, sent, sent_take, in_base, in_size, in_frames, free_inbound,
            free_inbound_done, take_inbound, inbound_head, in_free_level, in_post_level, command_waits, data_waits,
            take_outbound, take_outbound_done, outbound_mfa, post_outbound, post_outbound_done, mfa, out_free_level,
            out_post_level, out_base_high, out_size, mfa_refused, refused_mfa, ring, dma_push, dma_take, dma_word,
            dma_word_data, dma_grant, dma_room, dma_done_valid, dma_done, dma_done_take, busy, busy_all, sends, send_to,
            send_done, send_refused, fetch_word, message_word, take, take_ring, taken_valid, read_word, taken_word,
            pending, refused, message_here, clearing, writes_word, reads_taken, asks_now, has_taken, posted, interrupts,
            held, timer_word, entry, filled, post_fits, one_left, two_left, targets, send_words, in_levels, out_levels,
            error, causes, takes, taken_now, taken_status, taken_hash, time_high, report_context, last_refused,
            rx_refused, tx_refused, mfas_refused, dma_refused, messages_refused, was_sent, rx_error, tx_error,
            dma_error, message_error
        }
    }
}

impl Logic for CorePort {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self,
            clock,
            taken_status,
            taken_hash,
            time_high,
            report_context,
            message_here,
            clearing,
            has_taken,
            last_refused,
            rx_refused,
            tx_refused,
            mfas_refused,
            dma_refused,
            messages_refused,
            was_sent,
            error,
            filled,
            post_fits
        );
        self.registers.clock.next = self.clock.val();
        self.registers.reset.next = self.reset.val();
        self.registers.valid.next = self.core_valid.val();
        self.registers.write.next = self.core_write.val();
        self.registers.addr.next = self.core_addr.val();
        self.registers.wdata.next = self.core_wdata.val();
        self.core_ready.next = self.registers.ready.val();
        self.core_rvalid.next = self.registers.rvalid.val();
        self.core_rdata.next = self.registers.rdata.val();
        self.registers.driven[0].next = self.index.val();

        // Receive: free buffers come in, filled ones go out.
        self.free.clock.next = self.clock.val();
        self.free.reset.next = self.reset.val();
        self.posted.clock.next = self.clock.val();
        self.posted.reset.next = self.reset.val();
        self.free.push.next = self.registers.wrote[1].val();
        self.free.push_data.next = self.registers.data.val() & self.aligned.val();
        self.rx_error.next = self.registers.wrote[1].val() & self.free.full.val();
        self.free.pop.next = self.buffer_take.val();
        self.buffer_valid.next = self.free.head_valid.val();
        self.buffer_address.next = self.free.head_data.val();
        self.filled.d.next = self.free.head_data.val();
        self.entry.next.address = self.filled.q.val();
        self.entry.next.status = self.post_status.val();
        self.entry.next.hash = self.post_hash.val();
        self.posted.push.next = self.post.val();
        self.posted.push_data.next = self.entry.val().into();
        self.one_left.next = self.posted.level.val() == 255;
        self.two_left.next = self.posted.level.val() == 254;
        self.post_fits.d.next = !self.posted.full.val()
            & !(self.one_left.val() & (self.post.val() | self.buffer_take.val()))
            & !(self.two_left.val() & self.post.val() & self.buffer_take.val());
        self.post_room.next = self.post_fits.q.val();
        self.posted.pop.next = self.registers.read[2].val();
        self.registers.driven[1].next = bit_cast::<32, 9>(self.depth.val() - self.free.level.val());
        self.registers.driven[2].next = self.empty.val();
        if self.posted.head_valid.val() {
            self.registers.driven[2].next = self.posted.head_data.val().get_bits::<32>(0);
        }
        if self.registers.read[2].val() & self.posted.head_valid.val() {
            self.taken_status.d.next = self.posted.head_data.val().get_bits::<32>(32);
            self.taken_hash.d.next = self.posted.head_data.val().get_bits::<32>(64);
        }
        self.registers.driven[3].next = self.taken_status.q.val();
        self.registers.driven[4].next = self.taken_hash.q.val();
        self.registers.driven[5].next = bit_cast::<32, 9>(self.posted.level.val());
        self.registers.driven[6].next = bit_cast::<32, 16>(self.rx_refused.q.val());

        // Transmit.
        self.send_words.next.post = self.registers.data.val();
        self.send_words.next.length = self.registers.value[0].val().get_bits::<29>(0);
        self.send_entry.next = self.send_words.val().into();
        self.send_push.next = self.registers.wrote[7].val();
        self.tx_error.next = self.registers.wrote[7].val() & !self.send_room.val().any();
        self.sent_take.next = self.registers.read[8].val();
        self.registers.driven[7].next = bit_cast::<32, 7>(self.send_room.val());
        self.registers.driven[8].next = self.empty.val();
        if self.sent_valid.val() {
            self.registers.driven[8].next = self.sent.val();
        }
        self.registers.driven[9].next = bit_cast::<32, 16>(self.tx_refused.q.val());

        // Time. The high word is held by the read of the low one.
        self.registers.driven[11].next = self.clock_time.val().get_bits::<32>(0);
        if self.registers.read[11].val() {
            self.time_high.d.next = self.clock_time.val().get_bits::<32>(32);
        }
        self.registers.driven[12].next = self.time_high.q.val();

        // MFA queues.
        self.in_base.next = self.registers.value[4].val().get_bits::<18>(6);
        self.in_size.next = self.registers.value[5].val().get_bits::<5>(0);
        self.in_frames.next = self.registers.value[6].val().get_bits::<11>(0);
        self.mfa.next = self.registers.data.val();
        self.free_inbound.next = self.registers.wrote[13].val();
        self.take_inbound.next = self.registers.read[14].val();
        self.take_outbound.next = self.registers.read[18].val();
        self.post_outbound.next = self.registers.wrote[19].val();
        self.ring.next = self.registers.wrote[23].val();
        self.in_levels.free.next = self.in_free_level.val();
        self.in_levels.posted.next = self.in_post_level.val();
        self.out_levels.free.next = self.out_free_level.val();
        self.out_levels.posted.next = self.out_post_level.val();
        if self.mfa_refused.val() {
            self.last_refused.d.next = self.refused_mfa.val();
        }
        self.registers.driven[13].next = 0.into();
        self.registers.driven[14].next = self.inbound_head.val();
        self.registers.driven[15].next = self.in_levels.value.val();
        self.registers.driven[16].next = bit_cast::<32, 16>(self.mfas_refused.q.val());
        self.registers.driven[17].next = self.last_refused.q.val();
        self.registers.driven[18].next = self.outbound_mfa.val();
        self.registers.driven[19].next = 0.into();
        self.registers.driven[20].next = self.out_levels.value.val();
        self.registers.driven[21].next = self.out_base_high.val();
        self.registers.driven[22].next = bit_cast::<32, 5>(self.out_size.val());
        self.registers.driven[23].next = 0.into();

        // DMA.
        self.descriptor.clock.next = self.clock.val();
        self.descriptor.reset.next = self.reset.val();
        self.descriptor.valid.next = self.core_valid.val();
        self.descriptor.write.next = self.core_write.val();
        self.descriptor.addr.next = self.core_addr.val();
        self.descriptor.asked.next = self.registers.asked.val();
        self.descriptor.writes.next = self.registers.writes.val();
        self.descriptor.place.next = self.registers.place.val();
        self.descriptor.data.next = self.registers.data.val();
        self.descriptor.room.next = self.dma_room.val();
        self.descriptor.take.next = self.dma_take.val();
        self.descriptor.word.next = self.dma_word.val();
        self.descriptor.grant.next = self.dma_grant.val();
        self.dma_push.next = self.descriptor.push.val();
        self.dma_word_data.next = self.descriptor.word_data.val();
        self.dma_error.next = self.descriptor.refused.val();
        self.dma_done_take.next = self.registers.read[25].val();
        if self.registers.read[25].val() & self.dma_done_valid.val() {
            self.report_context.d.next = self.dma_done.val().get_bits::<32>(32);
        }
        self.registers.driven[24].next = bit_cast::<32, 5>(self.descriptor.room_left.val());
        self.registers.driven[25].next = self.empty.val();
        if self.dma_done_valid.val() {
            self.registers.driven[25].next = self.dma_done.val().get_bits::<32>(0);
        }
        self.registers.driven[26].next = self.report_context.q.val();
        self.registers.driven[27].next = bit_cast::<32, 16>(self.dma_refused.q.val());

        // Messages.
        self.busy.next = self.registers.value[7].val().get_bit(0);
        self.registers.driven[28].next = bit_cast::<32, 16>(self.busy_all.val());
        self.message_error.next = self.was_sent.q.val() & self.send_refused.val();
        self.held.next = (self.registers.wrote[13].val() & !self.free_inbound_done.val())
            | (self.registers.read[18].val() & !self.take_outbound_done.val())
            | (self.registers.wrote[19].val() & !self.post_outbound_done.val())
            | self.descriptor.hold.val();
        for j in 0..16 {
            self.targets.element[j].next = false;
        }
        self.takes.next = false;
        self.take_ring.next = 0.into();
        self.taken_now.next = self.taking[2].q.val();
        for j in 0..self._processors {
            self.targets.element[j].next = self.registers.wrote[3 * j + 34].val();
            // All of them read the one message that was taken.
            self.registers.driven[3 * j + 35].next = 0.into();
            if self.registers.read[3 * j + 35].val() {
                self.takes.next = true;
                self.take_ring.next = self.ring_index[j].val();
            }
            self.room[j].next = self.ring_depth.val() - self.sent_level[j].val();
            for b in 0..32 {
                self.room_word[j].element[b].next = false;
                self.level_word[j].element[b].next = false;
            }
            for b in 0..5 {
                self.room_word[j].element[b].next = self.room[j].val().get_bit(b);
                self.level_word[j].element[b].next = self.message_level[j].val().get_bit(b);
            }
            self.registers.driven[3 * j + 34].next = self.room_word[j].value.val();
            self.registers.driven[3 * j + 36].next = self.level_word[j].value.val();
        }
        self.send_to.next = self.targets.value.val();
        self.sends.next = self.targets.value.val().any();
        self.was_sent.d.next = self.sends.val() & self.send_done.val();
        if self.sends.val() & !self.send_done.val() {
            self.held.next = true;
        }
        // A take goes out once. It is answered some cycles later, and so are reads of what was taken.
        self.reads_taken.next =
            self.registers.read[30].val() | self.registers.read[31].val() | self.registers.read[32].val();
        self.read_word.next = self.registers.place.val().get_bits::<2>(2);
        self.registers.also.next = 0.into();
        if self.reads_taken.val() & self.has_taken.q.val() {
            self.registers.also.next = self.taken_word.val();
        }
        if self.takes.val() {
            self.read_word.next = 3.into();
            self.registers.also.next = self.empty.val();
            if self.taken_valid.val() {
                self.registers.also.next = self.taken_word.val();
            }
        }
        self.asks_now.next = (self.takes.val() | self.reads_taken.val())
            & !self.taking[0].q.val()
            & !self.taking[1].q.val()
            & !self.taking[2].q.val();
        self.take.next = self.takes.val() & self.asks_now.val();
        for t in 0..3 {
            self.taking[t].clock.next = self.clock.val();
        }
        self.taking[0].d.next = self.asks_now.val() & !self.reset.val();
        self.taking[1].d.next = self.taking[0].q.val() & !self.reset.val();
        self.taking[2].d.next = self.taking[1].q.val() & !self.reset.val();
        if self.taken_now.val() & self.taken_valid.val() {
            self.has_taken.d.next = true;
        }
        if (self.takes.val() | self.reads_taken.val()) & !self.taken_now.val() {
            self.held.next = true;
        }
        self.registers.driven[29].next = bit_cast::<32, 16>(self.pending.val());
        self.registers.driven[30].next = 0.into();
        self.registers.driven[31].next = 0.into();
        self.registers.driven[32].next = 0.into();
        self.registers.driven[33].next = bit_cast::<32, 16>(self.messages_refused.q.val());
        self.registers.hold.next = self.held.val();
        self.descriptor.held.next = self.held.val();

        // The words of the next message.
        if !self.held.val() {
            self.message_here.d.next = (self.core_addr.val() >> 4) == self.message_block.val();
        }
        self.writes_word.next = self.registers.asked.val() & self.registers.writes.val() & self.message_here.q.val();
        self.clearing.d.next = self.clearing.q.val() + 1;
        self.message_words.clock.next = self.clock.val();
        self.message_words.write_enable.next = self.writes_word.val() | self.sends.val() | self.reset.val();
        self.message_words.write_address.next = self.registers.place.val().get_bits::<2>(2);
        self.message_words.write_data.next = self.registers.data.val();
        // The kind comes last, and sends it.
        if self.sends.val() {
            self.message_words.write_address.next = 3.into();
        }
        if self.reset.val() {
            self.message_words.write_address.next = self.clearing.q.val();
            self.message_words.write_data.next = 0.into();
        }
        self.message_words.read_address.next = self.fetch_word.val();
        self.message_word.next = self.message_words.read_data.val();

        // What is refused is counted.
        if self.rx_error.val() {
            self.rx_refused.d.next = self.rx_refused.q.val() + 1;
        }
        if self.tx_error.val() {
            self.tx_refused.d.next = self.tx_refused.q.val() + 1;
        }
        if self.mfa_refused.val() {
            self.mfas_refused.d.next = self.mfas_refused.q.val() + 1;
        }
        if self.dma_error.val() {
            self.dma_refused.d.next = self.dma_refused.q.val() + 1;
        }
        if self.message_error.val() {
            self.messages_refused.d.next = self.messages_refused.q.val() + 1;
        }
        self.error.d.next = self.rx_error.val()
            | self.tx_error.val()
            | self.mfa_refused.val()
            | self.dma_error.val()
            | self.message_error.val();
        self.refused.next = self.error.q.val();

        // Interrupts.
        self.interrupts.clock.next = self.clock.val();
        self.interrupts.reset.next = self.reset.val();
        self.timer_word.next.low = self.registers.value[2].val();
        self.timer_word.next.high = self.registers.value[3].val();
        self.interrupts.now.next = self.clock_time.val();
        self.interrupts.compare.next = self.timer_word.val().into();
        self.interrupts.rearm.next = self.registers.changing[2].val() | self.registers.changing[3].val();
        self.interrupts.mask.next = self.registers.value[1].val().get_bits::<8>(0);
        self.interrupts.ack.next = 0.into();
        if self.registers.wrote[10].val() {
            self.interrupts.ack.next = self.registers.data.val().get_bits::<8>(0);
        }
        self.causes.next.command = self.command_waits.val();
        self.causes.next.data = self.data_waits.val();
        self.causes.next.message = self.pending.val().any();
        self.causes.next.receive = self.posted.head_valid.val();
        self.causes.next.transmit = self.sent_valid.val();
        self.causes.next.dma = self.dma_done_valid.val();
        self.causes.next.error = self.error.q.val();
        self.interrupts.cause.next = self.causes.val().into();
        self.registers.driven[10].next = bit_cast::<32, 8>(self.interrupts.status.val());
        self.core_irq.next = self.interrupts.irq.val();

        if self.reset.val() {
            self.taken_status.d.next = 0.into();
            self.taken_hash.d.next = 0.into();
            self.time_high.d.next = 0.into();
            self.report_context.d.next = 0.into();
            self.has_taken.d.next = false;
            self.last_refused.d.next = 0.into();
            self.rx_refused.d.next = 0.into();
            self.tx_refused.d.next = 0.into();
            self.mfas_refused.d.next = 0.into();
            self.dma_refused.d.next = 0.into();
            self.messages_refused.d.next = 0.into();
            self.was_sent.d.next = false;
            self.error.d.next = false;
            self.post_fits.d.next = true;
        }
    }
}
