//! The host's registers: what configures the card, the I2O pages, the host's DMA channel; the tables in RAM are reached through here.
//!
//! | port                 | dir | width | meaning                                                                       |
//! |----------------------|-----|-------|-------------------------------------------------------------------------------|
//! | `host_valid`         | in  | 1     | the host asks for a register                                                  |
//! | `host_write`         | in  | 1     | to write it                                                                   |
//! | `host_addr`          | in  | 20    | byte offset, see [`abi::csr::host`]; the low two bits are ignored             |
//! | `host_wdata`         | in  | 32    | what to write                                                                 |
//! | `host_ready`         | out | 1     | the request is taken; low while a word of a descriptor cannot be written yet  |
//! | `host_rvalid`        | out | 1     | answer to a read; reset value 0                                               |
//! | `host_rdata`         | out | 32    | what it reads; 0 where there is no register                                   |
//! | `use_toeplitz`       | out | 1     | HASH_CONTROL.FUNCTION                                                         |
//! | `fragment_addresses` | out | 1     | HASH_CONTROL.FRAGMENT_ADDRESSES                                               |
//! | `chunk_bits`         | out | 3     | HASH_CONTROL.CHUNK_BITS                                                       |
//! | `hash_fields`        | out | 6     | HASH_FIELDS                                                                   |
//! | `key`                | out | 320   | HASH_KEY, word 0 highest                                                      |
//! | `flood_arp`          | out | 1     | FLOOD.ARP                                                                     |
//! | `flood_nd`           | out | 1     | FLOOD.ND                                                                      |
//! | `default_processor`  | out | 4     | DEFAULT_PROCESSOR                                                             |
//! | `max_frame`          | out | 14    | MAX_FRAME_LENGTH                                                              |
//! | `max_payload`        | out | 2     | PCIE_CONTROL.MAX_PAYLOAD                                                      |
//! | `max_read`           | out | 3     | PCIE_CONTROL.MAX_READ                                                         |
//! | `pcie_id`            | out | 16    | PCIE_ID                                                                       |
//! | `dma_timeout`        | out | 32    | DMA_TIMEOUT                                                                   |
//! | `window_open`        | out | 16    | MEMORY_WINDOW                                                                 |
//! | `out_base`           | out | 26    | bits 31:6 of OUT_BASE                                                         |
//! | `out_base_high`      | out | 32    | its high word                                                                 |
//! | `out_size`           | out | 5     | OUT_FRAME_SIZE                                                                |
//! | `out_frames`         | out | 11    | OUT_FRAMES                                                                    |
//! | `msix_enable`        | out | 1     | MSIX_CONTROL.ENABLE                                                           |
//! | `msix_mask`          | out | 1     | MSIX_CONTROL.FUNCTION_MASK                                                    |
//! | `moderation_time`    | out | 16    | MODERATION.TIME                                                               |
//! | `moderation_count`   | out | 8     | MODERATION.COUNT                                                              |
//! | `reta_write`         | out | 1     | write an entry of the table                                                   |
//! | `reta_index`         | out | 7     | which entry is written or read                                                |
//! | `reta_wdata`         | out | 4     | its new value                                                                 |
//! | `reta_rdata`         | in  | 4     | the entry `reta_index` named a cycle ago                                      |
//! | `total_index`        | out | 8     | which counter is read                                                         |
//! | `total`              | in  | 64    | the counter `total_index` named a cycle ago                                   |
//! | `table_index`        | out | 8     | word of the DMA windows and of the MSI-X table that is written or read        |
//! | `table_wdata`        | out | 32    | its new value                                                                 |
//! | `window_write`       | out | 1     | write that word of the DMA windows                                            |
//! | `window_read`        | out | 1     | read it                                                                       |
//! | `window_rdata`       | in  | 32    | the word of the DMA windows that was read [`ANSWER`] cycles ago               |
//! | `msix_write`         | out | 1     | write that word of the MSI-X table                                            |
//! | `msix_rdata`         | in  | 32    | the word of the MSI-X table that `table_index` named [`ANSWER`] cycles ago    |
//! | `msix_pending`       | in  | 64    | MSIX_PENDING                                                                  |
//! | `take_inbound`       | out | 1     | the host reads an inbound port                                                |
//! | `post_inbound`       | out | 1     | the host writes an inbound port                                               |
//! | `take_outbound`      | out | 1     | the host reads an outbound port                                               |
//! | `free_outbound`      | out | 1     | the host writes an outbound port                                              |
//! | `page`               | out | 4     | in which page                                                                 |
//! | `mfa`                | out | 32    | what it writes there                                                          |
//! | `taken_mfa`          | in  | 32    | what the take of [`ANSWER`] cycles ago gives                                  |
//! | `out_free_level`     | in  | 11    | OUT_LEVELS.FREE                                                               |
//! | `out_post_level`     | in  | 11    | OUT_LEVELS.POSTED                                                             |
//! | `in_free_level_i`    | in  | 11    | IN_LEVELS.FREE of processor i                                                 |
//! | `in_post_level_i`    | in  | 11    | IN_LEVELS.POSTED of processor i                                               |
//! | `out_posted`         | out | 1     | the outbound post queue is not empty                                          |
//! | `in_waits_i`         | out | 1     | the inbound free queue of processor i is not empty                            |
//! | `host_irq`           | out | 1     | I2O's level interrupt: the outbound post queue is not empty, and not masked   |
//! | `error_k`            | in  | 1     | error k of ERROR_STATUS happens, k in 0..10 |
//! | `refused_mfa`        | in  | 32    | the MFA that error 0 is about                                                 |
//! | `error_pending`      | out | 1     | a bit of ERROR_STATUS is set                                                  |
//! | `ring_i`             | in  | 1     | processor i rings                                                             |
//! | `rung_i`             | out | 1     | bit i of RINGS                                                                |
//! | `dma_push`           | out | 1     | a descriptor for the host's channel, see [`crate::descriptor_port`]           |
//! | `dma_take`           | in  | 1     | a word of it is fetched                                                       |
//! | `dma_word`           | in  | 3     | which one                                                                     |
//! | `dma_word_data`      | out | 32    | one cycle later: the word                                                     |
//! | `dma_grant`          | in  | 1     | the descriptor is taken                                                       |
//! | `dma_refused`        | out | 1     | pulse: a descriptor is refused, the channel has no room                       |
//! | `dma_room`           | in  | 5     | descriptors that the channel may push                                         |
//! | `dma_done_valid`     | in  | 1     | a report is on show                                                           |
//! | `dma_done`           | in  | 64    | it                                                                            |
//! | `dma_done_take`      | out | 1     | it is taken                                                                   |
//!
//! Latency: reads answer after [`abi::csr::Space::read_latency`] cycles, in order. Throughput: one request per cycle. Stalls only where
//! a descriptor's word is written before the engine has fetched the last one's, [`crate::dma_descriptors`] says how long.
//! The read of a counter's low word keeps its high word for the next read of a high word. Reset values: the register table's.
//! Implements: ¶67 (the hash logic is programmable), ¶69 (the host's side of the message queues).

use abi::csr::{self, Hardware, host};
use abi::params::NicParams;
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

use crate::concat::Concat;
use crate::descriptor_port::DescriptorPort;
use crate::levels::Levels;
use crate::many;
use crate::register_file::RegisterFile;

/// Cycles from a request to a memory or queue outside to its answer here.
pub const ANSWER: usize = 2;

/// The Toeplitz key, word 0 highest.
#[derive(LogicStruct, Debug, Copy, Clone, PartialEq, Default)]
struct Key {
    word_9: Bits<32>,
    word_8: Bits<32>,
    word_7: Bits<32>,
    word_6: Bits<32>,
    word_5: Bits<32>,
    word_4: Bits<32>,
    word_3: Bits<32>,
    word_2: Bits<32>,
    word_1: Bits<32>,
    word_0: Bits<32>,
}

/// See the module's page.
#[derive(LogicBlock)]
pub struct Csr {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub host_valid: Signal<In, Bit>,
    pub host_write: Signal<In, Bit>,
    pub host_addr: Signal<In, Bits<20>>,
    pub host_wdata: Signal<In, Bits<32>>,
    pub host_ready: Signal<Out, Bit>,
    pub host_rvalid: Signal<Out, Bit>,
    pub host_rdata: Signal<Out, Bits<32>>,
    pub use_toeplitz: Signal<Out, Bit>,
    pub fragment_addresses: Signal<Out, Bit>,
    pub chunk_bits: Signal<Out, Bits<3>>,
    pub hash_fields: Signal<Out, Bits<6>>,
    pub key: Signal<Out, Bits<320>>,
    pub flood_arp: Signal<Out, Bit>,
    pub flood_nd: Signal<Out, Bit>,
    pub default_processor: Signal<Out, Bits<4>>,
    pub max_frame: Signal<Out, Bits<14>>,
    pub max_payload: Signal<Out, Bits<2>>,
    pub max_read: Signal<Out, Bits<3>>,
    pub pcie_id: Signal<Out, Bits<16>>,
    pub dma_timeout: Signal<Out, Bits<32>>,
    pub window_open: Signal<Out, Bits<16>>,
    pub out_base: Signal<Out, Bits<26>>,
    pub out_base_high: Signal<Out, Bits<32>>,
    pub out_size: Signal<Out, Bits<5>>,
    pub out_frames: Signal<Out, Bits<11>>,
    pub msix_enable: Signal<Out, Bit>,
    pub msix_mask: Signal<Out, Bit>,
    pub moderation_time: Signal<Out, Bits<16>>,
    pub moderation_count: Signal<Out, Bits<8>>,
    pub reta_write: Signal<Out, Bit>,
    pub reta_index: Signal<Out, Bits<7>>,
    pub reta_wdata: Signal<Out, Bits<4>>,
    pub reta_rdata: Signal<In, Bits<4>>,
    pub total_index: Signal<Out, Bits<8>>,
    pub total: Signal<In, Bits<64>>,
    pub table_index: Signal<Out, Bits<8>>,
    pub table_wdata: Signal<Out, Bits<32>>,
    pub window_write: Signal<Out, Bit>,
    pub window_read: Signal<Out, Bit>,
    pub window_rdata: Signal<In, Bits<32>>,
    pub msix_write: Signal<Out, Bit>,
    pub msix_rdata: Signal<In, Bits<32>>,
    pub msix_pending: Signal<In, Bits<64>>,
    pub take_inbound: Signal<Out, Bit>,
    pub post_inbound: Signal<Out, Bit>,
    pub take_outbound: Signal<Out, Bit>,
    pub free_outbound: Signal<Out, Bit>,
    pub page: Signal<Out, Bits<4>>,
    pub mfa: Signal<Out, Bits<32>>,
    pub taken_mfa: Signal<In, Bits<32>>,
    pub out_free_level: Signal<In, Bits<11>>,
    pub out_post_level: Signal<In, Bits<11>>,
    pub in_free_level: Vec<Signal<In, Bits<11>>>,
    pub in_post_level: Vec<Signal<In, Bits<11>>>,
    pub out_posted: Signal<Out, Bit>,
    pub in_waits: Vec<Signal<Out, Bit>>,
    pub host_irq: Signal<Out, Bit>,
    pub error: Vec<Signal<In, Bit>>,
    pub refused_mfa: Signal<In, Bits<32>>,
    pub error_pending: Signal<Out, Bit>,
    pub ring: Vec<Signal<In, Bit>>,
    pub rung: Vec<Signal<Out, Bit>>,
    pub dma_push: Signal<Out, Bit>,
    pub dma_take: Signal<In, Bit>,
    pub dma_word: Signal<In, Bits<3>>,
    pub dma_word_data: Signal<Out, Bits<32>>,
    pub dma_grant: Signal<In, Bit>,
    pub dma_refused: Signal<Out, Bit>,
    pub dma_room: Signal<In, Bits<5>>,
    pub dma_done_valid: Signal<In, Bit>,
    pub dma_done: Signal<In, Bits<64>>,
    pub dma_done_take: Signal<Out, Bit>,
    registers: RegisterFile<20>,
    // The request on show, and where it goes if not to a register.
    writing: Signal<Local, Bit>,
    reading: Signal<Local, Bit>,
    word_place: Signal<Local, Bits<18>>,
    in_pages: Signal<Local, Bit>,
    at_mask: Signal<Local, Bit>,
    at_inbound: Signal<Local, Bit>,
    at_outbound: Signal<Local, Bit>,
    in_reta: Signal<Local, Bit>,
    in_totals: Signal<Local, Bit>,
    in_windows: Signal<Local, Bit>,
    in_msix: Signal<Local, Bit>,
    in_pending: Signal<Local, Bit>,
    // What is kept here.
    outbound_mask: DFF<Bits<32>>,
    outbound_posted: Signal<Local, Bit>,
    error_bit: Vec<DFF<Bit>>,
    error_word: Concat<32>,
    refused: DFF<Bits<32>>,
    rung_bit: Vec<DFF<Bit>>,
    rung_word: Concat<32>,
    report_context: DFF<Bits<32>>,
    // Words made of parts.
    key_words: Signal<Local, Key>,
    out_levels: Levels,
    in_levels: Vec<Levels>,
    descriptor: DescriptorPort<20>,
    // Reads: who is asked, and what has answered so far.
    page_word: DFF<Bits<32>>,
    asked_reta: DFF<Bit>,
    asked_totals: DFF<Bit>,
    asked_high: DFF<Bit>,
    asked_windows: DFF<Bit>,
    asked_msix: DFF<Bit>,
    asked_taken: DFF<Bit>,
    fast: DFF<Bits<32>>,
    fast_valid: DFF<Bit>,
    total_kept: DFF<Bits<64>>,
    from_totals: DFF<Bit>,
    from_high: DFF<Bit>,
    from_windows: DFF<Bit>,
    from_msix: DFF<Bit>,
    from_taken: DFF<Bit>,
    high_kept: DFF<Bits<32>>,
    answer_valid: DFF<Bit>,
    answer: DFF<Bits<32>>,
    empty: Constant<Bits<32>>,
    outbound_post_bit: Constant<Bits<32>>,
    status_place: Constant<Bits<10>>,
    mask_place: Constant<Bits<10>>,
    inbound_place: Constant<Bits<10>>,
    outbound_place: Constant<Bits<10>>,
    /// The 128 words of RETA share their upper 11 bits.
    reta_page: Constant<Bits<11>>,
    /// The 512 words of the counters share their upper 9 bits.
    totals_page: Constant<Bits<9>>,
    /// The 256 words of the DMA windows share their upper 10 bits, those of the MSI-X table likewise.
    windows_page: Constant<Bits<10>>,
    msix_page: Constant<Bits<10>>,
    pending_place: Constant<Bits<17>>,
    _processors: usize,
}

impl Csr {
    /// The registers of a card with these parameters.
    pub fn new(params: NicParams) -> Self {
        let n = params.processors();
        // Registers are taken by number below, as the HDL has no named indices.
        let names = |kind| RegisterFile::<20>::names(&csr::HOST, 2, kind);
        let stored = [
            "HASH_CONTROL",
            "HASH_FIELDS",
            "FLOOD",
            "DEFAULT_PROCESSOR",
            "MAX_FRAME_LENGTH",
            "HASH_KEY 0",
            "HASH_KEY 1",
            "HASH_KEY 2",
            "HASH_KEY 3",
            "HASH_KEY 4",
            "HASH_KEY 5",
            "HASH_KEY 6",
            "HASH_KEY 7",
            "HASH_KEY 8",
            "HASH_KEY 9",
            "PCIE_CONTROL",
            "PCIE_ID",
            "DMA_TIMEOUT",
            "MEMORY_WINDOW",
            "OUT_BASE",
            "OUT_BASE high",
            "OUT_FRAME_SIZE",
            "OUT_FRAMES",
            "MSIX_CONTROL",
            "MODERATION",
        ];
        assert_eq!(names(Hardware::Reads), stored);
        let driven = [
            "OUT_LEVELS",
            "ERROR_STATUS",
            "REFUSED_MFA",
            "RINGS",
            "DMA_PUSH",
            "DMA_DONE",
            "DMA_CONTEXT",
            "IN_LEVELS 0",
            "IN_LEVELS 1",
        ];
        assert_eq!(names(Hardware::Drives), driven);
        assert_eq!(host::error_status::WRITE_PARTIAL.lsb, 9);
        let derived = [
            ("PARAMETERS", params.register()),
            ("HASH_CONTROL", host::hash_control::CHUNK_BITS.put(params.processor_bits() as u32)),
        ];
        let in_page = |r: &csr::Register| Constant::new((r.offset as u64 / 4).to_bits());
        assert!(host::RETA.offset.is_multiple_of(128 * 4) && host::FRAMES.offset.is_multiple_of(512 * 4));
        assert!(host::DMA_WINDOW.offset.is_multiple_of(256 * 4) && host::MSIX_TABLE.offset.is_multiple_of(256 * 4));
        block! {
            Self {
                in_free_level: many(n),
                in_post_level: many(n),
                in_waits: many(n),
                error: many(10),
                ring: many(n),
                rung: many(n),
                registers: RegisterFile::new(&csr::HOST, n, &derived),
                descriptor: DescriptorPort::new(host::DMA_SOURCE.offset),
                error_bit: many(10),
                rung_bit: many(n),
                in_levels: many(n),
                empty: Constant::new((abi::receive::EMPTY as u64).to_bits()),
                outbound_post_bit: Constant::new(host::i2o_status::OUTBOUND_POST.mask().to_bits()),
                status_place: in_page(&host::I2O_STATUS),
                mask_place: in_page(&host::I2O_MASK),
                inbound_place: in_page(&host::I2O_INBOUND),
                outbound_place: in_page(&host::I2O_OUTBOUND),
                reta_page: Constant::new((host::RETA.offset as u64 >> 9).to_bits()),
                totals_page: Constant::new((host::FRAMES.offset as u64 >> 11).to_bits()),
                windows_page: Constant::new((host::DMA_WINDOW.offset as u64 >> 10).to_bits()),
                msix_page: Constant::new((host::MSIX_TABLE.offset as u64 >> 10).to_bits()),
                pending_place: Constant::new((host::MSIX_PENDING.offset as u64 >> 3).to_bits()),
                _processors: n,
            },
            clock, reset, host_valid, host_write, host_addr, host_wdata, host_ready, host_rvalid, host_rdata,
            use_toeplitz, fragment_addresses, chunk_bits, hash_fields, key, flood_arp, flood_nd, default_processor,
            max_frame, max_payload, max_read, pcie_id, dma_timeout, window_open, out_base, out_base_high, out_size,
            out_frames, msix_enable, msix_mask, moderation_time, moderation_count, reta_write, reta_index, reta_wdata,
            reta_rdata, total_index, total, table_index, table_wdata, window_write, window_read, window_rdata,
            msix_write, msix_rdata, msix_pending, take_inbound, post_inbound, take_outbound, free_outbound, page, mfa,
            taken_mfa, out_free_level, out_post_level, out_posted, host_irq, refused_mfa, error_pending, dma_push,
            dma_take, dma_word, dma_word_data, dma_grant, dma_refused, dma_room, dma_done_valid, dma_done,
            dma_done_take, writing, reading, word_place, in_pages, at_mask, at_inbound, at_outbound, in_reta, in_totals,
            in_windows, in_msix, in_pending, outbound_mask, outbound_posted, error_word, refused, rung_word,
            report_context, key_words, out_levels, page_word, asked_reta, asked_totals, asked_high, asked_windows,
            asked_msix, asked_taken, fast, fast_valid, total_kept, from_totals, from_high, from_windows, from_msix,
            from_taken, high_kept, answer_valid, answer
        }
    }
}

impl Logic for Csr {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self,
            clock,
            outbound_mask,
            refused,
            report_context,
            page_word,
            asked_reta,
            asked_totals,
            asked_high
        );
        dff_setup!(self, clock, asked_windows, asked_msix, asked_taken, fast, fast_valid, total_kept, from_totals);
        dff_setup!(self, clock, from_high, from_windows, from_msix, from_taken, high_kept, answer_valid, answer);
        self.registers.clock.next = self.clock.val();
        self.registers.reset.next = self.reset.val();
        self.registers.valid.next = self.host_valid.val();
        self.registers.write.next = self.host_write.val();
        self.registers.addr.next = self.host_addr.val();
        self.registers.wdata.next = self.host_wdata.val();
        self.registers.also.next = 0.into();
        self.registers.hold.next = self.descriptor.hold.val();
        self.host_ready.next = self.registers.ready.val();

        // Stored registers.
        self.use_toeplitz.next = self.registers.value[0].val().get_bit(0);
        self.fragment_addresses.next = self.registers.value[0].val().get_bit(1);
        self.chunk_bits.next = self.registers.value[0].val().get_bits::<3>(8);
        self.hash_fields.next = self.registers.value[1].val().get_bits::<6>(0);
        self.flood_arp.next = self.registers.value[2].val().get_bit(0);
        self.flood_nd.next = self.registers.value[2].val().get_bit(1);
        self.default_processor.next = self.registers.value[3].val().get_bits::<4>(0);
        self.max_frame.next = self.registers.value[4].val().get_bits::<14>(0);
        self.key_words.next.word_0 = self.registers.value[5].val();
        self.key_words.next.word_1 = self.registers.value[6].val();
        self.key_words.next.word_2 = self.registers.value[7].val();
        self.key_words.next.word_3 = self.registers.value[8].val();
        self.key_words.next.word_4 = self.registers.value[9].val();
        self.key_words.next.word_5 = self.registers.value[10].val();
        self.key_words.next.word_6 = self.registers.value[11].val();
        self.key_words.next.word_7 = self.registers.value[12].val();
        self.key_words.next.word_8 = self.registers.value[13].val();
        self.key_words.next.word_9 = self.registers.value[14].val();
        self.key.next = self.key_words.val().into();
        self.max_payload.next = self.registers.value[15].val().get_bits::<2>(0);
        self.max_read.next = self.registers.value[15].val().get_bits::<3>(4);
        self.pcie_id.next = self.registers.value[16].val().get_bits::<16>(0);
        self.dma_timeout.next = self.registers.value[17].val();
        self.window_open.next = self.registers.value[18].val().get_bits::<16>(0);
        self.out_base.next = self.registers.value[19].val().get_bits::<26>(6);
        self.out_base_high.next = self.registers.value[20].val();
        self.out_size.next = self.registers.value[21].val().get_bits::<5>(0);
        self.out_frames.next = self.registers.value[22].val().get_bits::<11>(0);
        self.msix_enable.next = self.registers.value[23].val().get_bit(0);
        self.msix_mask.next = self.registers.value[23].val().get_bit(1);
        self.moderation_time.next = self.registers.value[24].val().get_bits::<16>(0);
        self.moderation_count.next = self.registers.value[24].val().get_bits::<8>(16);

        // The host's DMA channel.
        self.descriptor.clock.next = self.clock.val();
        self.descriptor.reset.next = self.reset.val();
        self.descriptor.valid.next = self.host_valid.val();
        self.descriptor.write.next = self.host_write.val();
        self.descriptor.addr.next = self.host_addr.val();
        self.descriptor.held.next = self.descriptor.hold.val();
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
        self.dma_refused.next = self.descriptor.refused.val();
        self.dma_done_take.next = self.registers.read[5].val();
        if self.registers.read[5].val() & self.dma_done_valid.val() {
            self.report_context.d.next = self.dma_done.val().get_bits::<32>(32);
        }
        self.registers.driven[4].next = bit_cast::<32, 5>(self.descriptor.room_left.val());
        self.registers.driven[5].next = self.empty.val();
        if self.dma_done_valid.val() {
            self.registers.driven[5].next = self.dma_done.val().get_bits::<32>(0);
        }
        self.registers.driven[6].next = self.report_context.q.val();

        // Levels.
        self.out_levels.free.next = self.out_free_level.val();
        self.out_levels.posted.next = self.out_post_level.val();
        self.registers.driven[0].next = self.out_levels.value.val();
        for i in 0..self._processors {
            self.in_levels[i].free.next = self.in_free_level[i].val();
            self.in_waits[i].next = self.in_free_level[i].val().any();
            self.in_levels[i].posted.next = self.in_post_level[i].val();
            self.registers.driven[i + 7].next = self.in_levels[i].value.val();
        }

        // Errors and rings stay until a one is written. What happens in that very cycle stays.
        for b in 0..32 {
            self.error_word.element[b].next = false;
            self.rung_word.element[b].next = false;
        }
        self.error_pending.next = false;
        for e in 0..10 {
            self.error_bit[e].clock.next = self.clock.val();
            self.error_bit[e].d.next = !self.reset.val()
                & (self.error[e].val()
                    | (self.error_bit[e].q.val()
                        & !(self.registers.wrote[1].val() & self.registers.data.val().get_bit(e))));
            self.error_word.element[e].next = self.error_bit[e].q.val();
            if self.error_bit[e].q.val() {
                self.error_pending.next = true;
            }
        }
        for i in 0..self._processors {
            self.rung_bit[i].clock.next = self.clock.val();
            self.rung_bit[i].d.next = !self.reset.val()
                & (self.ring[i].val()
                    | (self.rung_bit[i].q.val()
                        & !(self.registers.wrote[3].val() & self.registers.data.val().get_bit(i))));
            self.rung_word.element[i].next = self.rung_bit[i].q.val();
            self.rung[i].next = self.rung_bit[i].q.val();
        }
        if self.error[0].val() {
            self.refused.d.next = self.refused_mfa.val();
        }
        self.registers.driven[1].next = self.error_word.value.val();
        self.registers.driven[2].next = self.refused.q.val();
        self.registers.driven[3].next = self.rung_word.value.val();

        // Memories and queues.
        self.word_place.next = self.registers.place.val().get_bits::<18>(2);
        self.writing.next = self.registers.asked.val() & self.registers.writes.val();
        self.reading.next = self.registers.asked.val() & !self.registers.writes.val();
        self.in_reta.next = self.word_place.val().get_bits::<11>(7) == self.reta_page.val();
        self.in_totals.next = self.word_place.val().get_bits::<9>(9) == self.totals_page.val();
        self.in_windows.next = self.word_place.val().get_bits::<10>(8) == self.windows_page.val();
        self.in_msix.next = self.word_place.val().get_bits::<10>(8) == self.msix_page.val();
        self.in_pending.next = self.word_place.val().get_bits::<17>(1) == self.pending_place.val();
        self.in_pages.next = self.word_place.val().get_bits::<4>(14) == 0;
        self.reta_write.next = self.writing.val() & self.in_reta.val();
        self.reta_index.next = self.word_place.val().get_bits::<7>(0);
        self.reta_wdata.next = self.registers.data.val().get_bits::<4>(0);
        self.total_index.next = self.word_place.val().get_bits::<8>(1);
        self.table_index.next = self.word_place.val().get_bits::<8>(0);
        self.table_wdata.next = self.registers.data.val();
        self.window_write.next = self.writing.val() & self.in_windows.val();
        self.window_read.next = self.reading.val() & self.in_windows.val();
        self.msix_write.next = self.writing.val() & self.in_msix.val();

        // The I2O pages.
        self.page.next = self.word_place.val().get_bits::<4>(10);
        self.mfa.next = self.registers.data.val();
        self.at_inbound.next =
            self.in_pages.val() & (self.word_place.val().get_bits::<10>(0) == self.inbound_place.val());
        self.at_outbound.next =
            self.in_pages.val() & (self.word_place.val().get_bits::<10>(0) == self.outbound_place.val());
        self.at_mask.next = self.in_pages.val() & (self.word_place.val().get_bits::<10>(0) == self.mask_place.val());
        self.take_inbound.next = self.reading.val() & self.at_inbound.val();
        self.post_inbound.next = self.writing.val() & self.at_inbound.val();
        self.take_outbound.next = self.reading.val() & self.at_outbound.val();
        self.free_outbound.next = self.writing.val() & self.at_outbound.val();
        if self.writing.val() & self.at_mask.val() {
            self.outbound_mask.d.next = self.registers.data.val();
        }
        self.outbound_posted.next = self.out_post_level.val().any();
        self.out_posted.next = self.outbound_posted.val();
        self.host_irq.next = self.outbound_posted.val() & !self.outbound_mask.q.val().get_bit(3);

        // Answer. A cycle after the request is on show, the register file, the pages and RAM have answered; a cycle later the queues.
        self.page_word.d.next = 0.into();
        if self.in_pages.val()
            & (self.word_place.val().get_bits::<10>(0) == self.status_place.val())
            & self.outbound_posted.val()
        {
            self.page_word.d.next = self.outbound_post_bit.val();
        }
        if self.at_mask.val() {
            self.page_word.d.next = self.outbound_mask.q.val();
        }
        if self.in_pending.val() {
            self.page_word.d.next = self.msix_pending.val().get_bits::<32>(0);
            if self.word_place.val().get_bit(0) {
                self.page_word.d.next = self.msix_pending.val().get_bits::<32>(32);
            }
        }
        self.asked_reta.d.next = self.in_reta.val();
        self.asked_totals.d.next = self.in_totals.val();
        self.asked_high.d.next = self.word_place.val().get_bit(0);
        self.asked_windows.d.next = self.in_windows.val();
        self.asked_msix.d.next = self.in_msix.val();
        self.asked_taken.d.next = self.at_inbound.val() | self.at_outbound.val();

        self.fast_valid.d.next = self.registers.rvalid.val() & !self.reset.val();
        self.fast.d.next = self.registers.rdata.val() | self.page_word.q.val();
        if self.asked_reta.q.val() {
            self.fast.d.next = bit_cast::<32, 4>(self.reta_rdata.val());
        }
        self.total_kept.d.next = self.total.val();
        self.from_totals.d.next = self.asked_totals.q.val();
        self.from_high.d.next = self.asked_high.q.val();
        self.from_windows.d.next = self.asked_windows.q.val();
        self.from_msix.d.next = self.asked_msix.q.val();
        self.from_taken.d.next = self.asked_taken.q.val();

        self.answer_valid.d.next = self.fast_valid.q.val() & !self.reset.val();
        self.answer.d.next = self.fast.q.val();
        if self.from_totals.q.val() {
            self.answer.d.next = self.total_kept.q.val().get_bits::<32>(0);
            if self.from_high.q.val() {
                self.answer.d.next = self.high_kept.q.val();
            }
            if self.fast_valid.q.val() & !self.from_high.q.val() {
                self.high_kept.d.next = self.total_kept.q.val().get_bits::<32>(32);
            }
        }
        if self.from_windows.q.val() {
            self.answer.d.next = self.window_rdata.val();
        }
        if self.from_msix.q.val() {
            self.answer.d.next = self.msix_rdata.val();
        }
        if self.from_taken.q.val() {
            self.answer.d.next = self.taken_mfa.val();
        }
        self.host_rvalid.next = self.answer_valid.q.val();
        self.host_rdata.next = self.answer.q.val();

        if self.reset.val() {
            self.outbound_mask.d.next = self.empty.val();
            self.refused.d.next = 0.into();
            self.report_context.d.next = 0.into();
            self.high_kept.d.next = 0.into();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::descriptor_port;
    use crate::emit::emit;

    /// One clock cycle with a request: (write, offset, data); the answer on show in it.
    fn cycle(dut: &mut Csr, request: Option<(bool, u32, u32)>) -> Option<u64> {
        let (write, offset, data) = request.unwrap_or_default();
        dut.host_valid.next = request.is_some();
        dut.host_write.next = write;
        dut.host_addr.next = u64::from(offset).to_bits();
        dut.host_wdata.next = u64::from(data).to_bits();
        dut.clock.next = false.into();
        assert!(simulate(dut, 20));
        let answer = dut.host_rvalid.val().then(|| dut.host_rdata.val().to_u64());
        dut.clock.next = true.into();
        assert!(simulate(dut, 20));
        answer
    }

    fn dut() -> Csr {
        let mut dut = Csr::new("n2w64".parse().unwrap());
        dut.reset.next = true;
        for _ in 0..descriptor_port::RESET_CYCLES {
            cycle(&mut dut, None);
        }
        dut.reset.next = false;
        dut
    }

    #[test]
    fn whatever_is_read_answers_in_order_after_the_same_time() {
        let mut dut = dut();
        // What stands outside answers with constants here; their timing is the card's tests' matter.
        dut.reta_rdata.next = 0xBu64.to_bits();
        dut.window_rdata.next = 0x1111u64.to_bits();
        dut.msix_rdata.next = 0x2222u64.to_bits();
        dut.taken_mfa.next = 0x3333u64.to_bits();
        dut.total.next = 0x4444_0000_5555u64.to_bits();
        dut.out_post_level.next = 3u64.to_bits();
        dut.msix_pending.next = (1u64 << 33).to_bits();
        let reads = [
            (0x0_0030, 8),
            (0x0_1034, 0xFFFF_FFFF),
            (0x0_0040, 0x3333),
            (0x1_0000, 0x504E_5448),
            (0x1_0020, 0x100),
            (0x1_00A0, 3 << 16),
            (0x1_03FC, 0xB),
            (0x1_1008, 0x5555),
            (0x1_100C, 0x4444),
            (0x1_23FC, 0x1111),
            (0x1_4010, 0x2222),
            (0x1_4800, 0),
            (0x1_4804, 2),
            (0x1_5000, 0),
        ];
        let latency = csr::HOST.read_latency;
        for c in 0..reads.len() + latency {
            let answer = cycle(&mut dut, reads.get(c).map(|(offset, _)| (false, *offset, 0)));
            let expected = c.checked_sub(latency).map(|r| reads[r].1);
            assert_eq!(answer, expected, "cycle {c}");
        }
    }

    #[test]
    fn an_error_in_the_cycle_in_which_it_is_acknowledged_is_not_lost() {
        let mut dut = dut();
        let status = |dut: &mut Csr| {
            cycle(dut, Some((false, host::ERROR_STATUS.offset, 0)));
            (0..4).find_map(|_| cycle(dut, None)).unwrap()
        };
        dut.error[2].next = true;
        cycle(&mut dut, None);
        dut.error[2].next = false;
        assert_eq!(status(&mut dut), 4);
        cycle(&mut dut, Some((true, host::ERROR_STATUS.offset, 0x3ff)));
        dut.error[2].next = true;
        cycle(&mut dut, None);
        dut.error[2].next = false;
        assert_eq!((status(&mut dut), dut.error_pending.val()), (4, true));
        cycle(&mut dut, Some((true, host::ERROR_STATUS.offset, 4)));
        assert_eq!(status(&mut dut), 0);
    }

    #[test]
    fn a_descriptor_is_pushed_by_one_burst_of_seven_words_and_the_next_waits_for_its_words() {
        let mut dut = dut();
        dut.dma_room.next = 9.into();
        let words = [0x1000, 1, 0x0200_0000, 0, 0x10_0040, 0x80, 0x77];
        for (k, word) in words.into_iter().enumerate() {
            assert!(!dut.dma_push.val());
            cycle(&mut dut, Some((true, host::DMA_SOURCE.offset + 4 * k as u32, word)));
        }
        cycle(&mut dut, Some((false, host::DMA_PUSH.offset, 0)));
        assert!(dut.dma_push.val());
        cycle(&mut dut, Some((true, host::DMA_SOURCE.offset, 0x2000)));
        let room = (0..4).find_map(|_| cycle(&mut dut, None)).expect("an answer");
        assert_eq!(room, 8, "a read right behind the push");
        assert!(!dut.host_ready.val());
        dut.dma_take.next = true;
        for (k, word) in words.into_iter().enumerate() {
            dut.dma_word.next = (k as u64).to_bits();
            dut.dma_grant.next = k == 6;
            cycle(&mut dut, None);
            assert_eq!(dut.dma_word_data.val().to_u64(), u64::from(word));
        }
        dut.dma_take.next = false;
        dut.dma_grant.next = false;
        cycle(&mut dut, None);
        assert!(dut.host_ready.val() && !dut.dma_push.val());
    }

    #[test]
    fn a_descriptor_without_room_is_refused() {
        let mut dut = dut();
        cycle(&mut dut, Some((true, host::DMA_PUSH.offset, 1)));
        assert!(dut.dma_refused.val());
        cycle(&mut dut, None);
        assert!(!dut.dma_refused.val() && !dut.dma_push.val());
    }

    #[test]
    fn it_can_be_printed_for_the_largest_card() {
        emit(&mut Csr::new("n16w512".parse().unwrap()), "csr").unwrap();
    }
}
