//! The host's register port: configuration of the hash and the dispatch, the indirection table, the counters.
//!
//! | port                 | dir | width | meaning                                                                       |
//! |----------------------|-----|-------|-------------------------------------------------------------------------------|
//! | `host_valid`         | in  | 1     | the host asks for a register                                                  |
//! | `host_write`         | in  | 1     | to write it                                                                   |
//! | `host_addr`          | in  | 20    | byte offset, see [`abi::csr::HOST`]; the low two bits are ignored             |
//! | `host_wdata`         | in  | 32    | what to write                                                                 |
//! | `host_rvalid`        | out | 1     | answer to a read; reset value 0                                               |
//! | `host_rdata`         | out | 32    | what it reads; 0 where there is no register                                   |
//! | `use_toeplitz`       | out | 1     | HASH_CONTROL.FUNCTION; reset value 0                                          |
//! | `fragment_addresses` | out | 1     | HASH_CONTROL.FRAGMENT_ADDRESSES; reset value 0                                |
//! | `chunk_bits`         | out | 3     | HASH_CONTROL.CHUNK_BITS; reset value ceil(log2 N)                             |
//! | `hash_fields`        | out | 6     | HASH_FIELDS; reset value 0b110101                                             |
//! | `key`                | out | 320   | HASH_KEY, word 0 highest; reset value the verification suite's                |
//! | `flood_arp`          | out | 1     | FLOOD.ARP; reset value 1                                                      |
//! | `flood_nd`           | out | 1     | FLOOD.ND; reset value 1                                                       |
//! | `default_processor`  | out | 4     | DEFAULT_PROCESSOR; reset value 0                                              |
//! | `max_frame`          | out | 14    | MAX_FRAME_LENGTH; reset value 9216                                            |
//! | `reta_write`         | out | 1     | write an entry of the table                                                   |
//! | `reta_index`         | out | 7     | which entry is written or read                                                |
//! | `reta_wdata`         | out | 4     | its new value                                                                 |
//! | `reta_rdata`         | in  | 4     | the entry `reta_index` named a cycle ago                                      |
//! | `total_index`        | out | 7     | which counter is read                                                         |
//! | `total`              | in  | 64    | the counter `total_index` named a cycle ago                                   |
//!
//! Latency: reads answer after [`abi::csr::Space::read_latency`] cycles, in order. Throughput: one request per cycle. Never stalls.
//! The read of a counter's low word keeps its high word for the next read of a high word.
//! Implements: ¶67 (the hash logic is programmable).

use abi::csr;
use abi::limits::MAX_FRAME;
use abi::params::NicParams;
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

use crate::many;

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

/// HASH_CONTROL.
#[derive(LogicStruct, Debug, Copy, Clone, PartialEq, Default)]
struct HashControl {
    use_toeplitz: Bit,
    fragment_addresses: Bit,
    reserved: Bits<6>,
    chunk_bits: Bits<3>,
    unused: Bits<21>,
}

/// See the module's page. Registers are compared by word address, 18 bits.
#[derive(LogicBlock)]
pub struct Csr {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub host_valid: Signal<In, Bit>,
    pub host_write: Signal<In, Bit>,
    pub host_addr: Signal<In, Bits<20>>,
    pub host_wdata: Signal<In, Bits<32>>,
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
    pub reta_write: Signal<Out, Bit>,
    pub reta_index: Signal<Out, Bits<7>>,
    pub reta_wdata: Signal<Out, Bits<4>>,
    pub reta_rdata: Signal<In, Bits<4>>,
    pub total_index: Signal<Out, Bits<7>>,
    pub total: Signal<In, Bits<64>>,
    // The request.
    asked: DFF<Bit>,
    writes: DFF<Bit>,
    place: DFF<Bits<18>>,
    wdata: DFF<Bits<32>>,
    write: Signal<Local, Bit>,
    in_reta: Signal<Local, Bit>,
    in_totals: Signal<Local, Bit>,
    // The registers.
    hash_use_toeplitz: DFF<Bit>,
    hash_fragment_addresses: DFF<Bit>,
    hash_chunk_bits: DFF<Bits<3>>,
    hash_control: Signal<Local, HashControl>,
    fields: DFF<Bits<6>>,
    key_word: Vec<DFF<Bits<32>>>,
    key_words: Signal<Local, Key>,
    flood: DFF<Bits<2>>,
    default_number: DFF<Bits<4>>,
    longest: DFF<Bits<14>>,
    // Reads: registers wait for the memories' answers.
    plain: Signal<Local, Bits<32>>,
    read: Vec<DFF<Bit>>,
    from_reta: Vec<DFF<Bit>>,
    from_totals: Vec<DFF<Bit>>,
    high_word: Vec<DFF<Bit>>,
    plain_kept: Vec<DFF<Bits<32>>>,
    reta_kept: DFF<Bits<4>>,
    total_kept: DFF<Bits<64>>,
    high_kept: DFF<Bits<32>>,
    rvalid: DFF<Bit>,
    rdata: DFF<Bits<32>>,
    id: Constant<Bits<32>>,
    version: Constant<Bits<32>>,
    parameters: Constant<Bits<32>>,
    largest_frame: Constant<Bits<14>>,
    chunk_bits_reset: Constant<Bits<3>>,
    fields_reset: Constant<Bits<6>>,
    flood_reset: Constant<Bits<2>>,
    key_reset: Vec<Constant<Bits<32>>>,
    id_place: Constant<Bits<18>>,
    version_place: Constant<Bits<18>>,
    parameters_place: Constant<Bits<18>>,
    hash_control_place: Constant<Bits<18>>,
    hash_fields_place: Constant<Bits<18>>,
    flood_place: Constant<Bits<18>>,
    default_processor_place: Constant<Bits<18>>,
    max_frame_place: Constant<Bits<18>>,
    key_place: Vec<Constant<Bits<18>>>,
    /// The 128 words of RETA share their upper 11 bits.
    reta_page: Constant<Bits<11>>,
    /// The 256 words of the counters share their upper 10 bits.
    totals_page: Constant<Bits<10>>,
}

impl Csr {
    /// The registers of a card with these parameters.
    pub fn new(params: NicParams) -> Self {
        let word = |value: u32| Constant::new((value as u64).to_bits());
        let place = |offset: u32| Constant::new((offset as u64 / 4).to_bits());
        assert!(csr::RETA.is_multiple_of(128 * 4) && csr::STATISTICS.is_multiple_of(256 * 4));
        assert_eq!((csr::FRAGMENT_ADDRESSES_LSB, csr::CHUNK_BITS_LSB), (1, 8));
        Self {
            clock: Default::default(),
            reset: Default::default(),
            host_valid: Default::default(),
            host_write: Default::default(),
            host_addr: Default::default(),
            host_wdata: Default::default(),
            host_rvalid: Default::default(),
            host_rdata: Default::default(),
            use_toeplitz: Default::default(),
            fragment_addresses: Default::default(),
            chunk_bits: Default::default(),
            hash_fields: Default::default(),
            key: Default::default(),
            flood_arp: Default::default(),
            flood_nd: Default::default(),
            default_processor: Default::default(),
            max_frame: Default::default(),
            reta_write: Default::default(),
            reta_index: Default::default(),
            reta_wdata: Default::default(),
            reta_rdata: Default::default(),
            total_index: Default::default(),
            total: Default::default(),
            asked: Default::default(),
            writes: Default::default(),
            place: Default::default(),
            wdata: Default::default(),
            write: Default::default(),
            in_reta: Default::default(),
            in_totals: Default::default(),
            hash_use_toeplitz: Default::default(),
            hash_fragment_addresses: Default::default(),
            hash_chunk_bits: Default::default(),
            hash_control: Default::default(),
            fields: Default::default(),
            key_word: many(10),
            key_words: Default::default(),
            flood: Default::default(),
            default_number: Default::default(),
            longest: Default::default(),
            plain: Default::default(),
            read: many(2),
            from_reta: many(2),
            from_totals: many(2),
            high_word: many(2),
            plain_kept: many(2),
            reta_kept: Default::default(),
            total_kept: Default::default(),
            high_kept: Default::default(),
            rvalid: Default::default(),
            rdata: Default::default(),
            id: word(csr::HOST_ID),
            version: word(csr::VERSION),
            parameters: word((params.width() << 16 | params.processors()) as u32),
            largest_frame: Constant::new((MAX_FRAME as u64).to_bits()),
            chunk_bits_reset: Constant::new((params.processor_bits() as u64).to_bits()),
            fields_reset: Constant::new((csr::HASH_FIELDS_RESET as u64).to_bits()),
            flood_reset: Constant::new((csr::FLOOD_RESET as u64).to_bits()),
            key_reset: csr::HASH_KEY_RESET.into_iter().map(word).collect(),
            id_place: place(csr::ID),
            version_place: place(csr::HOST_VERSION),
            parameters_place: place(csr::PARAMETERS),
            hash_control_place: place(csr::HASH_CONTROL),
            hash_fields_place: place(csr::HASH_FIELDS),
            flood_place: place(csr::FLOOD),
            default_processor_place: place(csr::DEFAULT_PROCESSOR),
            max_frame_place: place(csr::MAX_FRAME_LENGTH),
            key_place: (0..10).map(|k| place(csr::HASH_KEY + 4 * k)).collect(),
            reta_page: Constant::new((csr::RETA as u64 >> 9).to_bits()),
            totals_page: Constant::new((csr::STATISTICS as u64 >> 10).to_bits()),
        }
    }
}

impl Logic for Csr {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, asked, writes, place, wdata, reta_kept, total_kept, high_kept, rvalid, rdata);
        dff_setup!(
            self,
            clock,
            hash_use_toeplitz,
            hash_fragment_addresses,
            hash_chunk_bits,
            fields,
            flood,
            default_number,
            longest
        );
        for s in 0..2 {
            self.read[s].clock.next = self.clock.val();
            self.from_reta[s].clock.next = self.clock.val();
            self.from_totals[s].clock.next = self.clock.val();
            self.high_word[s].clock.next = self.clock.val();
            self.plain_kept[s].clock.next = self.clock.val();
        }

        // Request.
        self.asked.d.next = self.host_valid.val() & !self.reset.val();
        self.writes.d.next = self.host_write.val();
        self.place.d.next = self.host_addr.val().get_bits::<18>(2);
        self.wdata.d.next = self.host_wdata.val();
        self.write.next = self.asked.q.val() & self.writes.q.val();
        self.in_reta.next = self.place.q.val().get_bits::<11>(7) == self.reta_page.val();
        self.in_totals.next = self.place.q.val().get_bits::<10>(8) == self.totals_page.val();
        self.reta_write.next = self.write.val() & self.in_reta.val();
        self.reta_index.next = self.place.q.val().get_bits::<7>(0);
        self.reta_wdata.next = self.wdata.q.val().get_bits::<4>(0);
        self.total_index.next = self.place.q.val().get_bits::<7>(1);

        // Registers.
        self.hash_control.next.use_toeplitz = self.hash_use_toeplitz.q.val();
        self.hash_control.next.fragment_addresses = self.hash_fragment_addresses.q.val();
        self.hash_control.next.reserved = 0.into();
        self.hash_control.next.chunk_bits = self.hash_chunk_bits.q.val();
        self.hash_control.next.unused = 0.into();
        self.plain.next = 0.into();
        if self.place.q.val() == self.id_place.val() {
            self.plain.next = self.id.val();
        }
        if self.place.q.val() == self.version_place.val() {
            self.plain.next = self.version.val();
        }
        if self.place.q.val() == self.parameters_place.val() {
            self.plain.next = self.parameters.val();
        }
        if self.place.q.val() == self.hash_control_place.val() {
            self.plain.next = self.hash_control.val().into();
            if self.write.val() {
                self.hash_use_toeplitz.d.next = self.wdata.q.val().get_bit(0);
                self.hash_fragment_addresses.d.next = self.wdata.q.val().get_bit(1);
                self.hash_chunk_bits.d.next = self.wdata.q.val().get_bits::<3>(8);
            }
        }
        if self.place.q.val() == self.hash_fields_place.val() {
            self.plain.next = bit_cast::<32, 6>(self.fields.q.val());
            if self.write.val() {
                self.fields.d.next = self.wdata.q.val().get_bits::<6>(0);
            }
        }
        if self.place.q.val() == self.flood_place.val() {
            self.plain.next = bit_cast::<32, 2>(self.flood.q.val());
            if self.write.val() {
                self.flood.d.next = self.wdata.q.val().get_bits::<2>(0);
            }
        }
        if self.place.q.val() == self.default_processor_place.val() {
            self.plain.next = bit_cast::<32, 4>(self.default_number.q.val());
            if self.write.val() {
                self.default_number.d.next = self.wdata.q.val().get_bits::<4>(0);
            }
        }
        if self.place.q.val() == self.max_frame_place.val() {
            self.plain.next = bit_cast::<32, 14>(self.longest.q.val());
            if self.write.val() {
                self.longest.d.next = self.wdata.q.val().get_bits::<14>(0);
                if self.wdata.q.val() > bit_cast::<32, 14>(self.largest_frame.val()) {
                    self.longest.d.next = self.largest_frame.val();
                }
            }
        }
        for k in 0..10 {
            self.key_word[k].clock.next = self.clock.val();
            self.key_word[k].d.next = self.key_word[k].q.val();
            if self.place.q.val() == self.key_place[k].val() {
                self.plain.next = self.key_word[k].q.val();
                if self.write.val() {
                    self.key_word[k].d.next = self.wdata.q.val();
                }
            }
            if self.reset.val() {
                self.key_word[k].d.next = self.key_reset[k].val();
            }
        }
        if self.reset.val() {
            self.hash_use_toeplitz.d.next = false;
            self.hash_fragment_addresses.d.next = false;
            self.hash_chunk_bits.d.next = self.chunk_bits_reset.val();
            self.fields.d.next = self.fields_reset.val();
            self.flood.d.next = self.flood_reset.val();
            self.default_number.d.next = 0.into();
            self.longest.d.next = self.largest_frame.val();
        }
        self.key_words.next.word_0 = self.key_word[0].q.val();
        self.key_words.next.word_1 = self.key_word[1].q.val();
        self.key_words.next.word_2 = self.key_word[2].q.val();
        self.key_words.next.word_3 = self.key_word[3].q.val();
        self.key_words.next.word_4 = self.key_word[4].q.val();
        self.key_words.next.word_5 = self.key_word[5].q.val();
        self.key_words.next.word_6 = self.key_word[6].q.val();
        self.key_words.next.word_7 = self.key_word[7].q.val();
        self.key_words.next.word_8 = self.key_word[8].q.val();
        self.key_words.next.word_9 = self.key_word[9].q.val();
        self.use_toeplitz.next = self.hash_use_toeplitz.q.val();
        self.fragment_addresses.next = self.hash_fragment_addresses.q.val();
        self.chunk_bits.next = self.hash_chunk_bits.q.val();
        self.hash_fields.next = self.fields.q.val();
        self.key.next = self.key_words.val().into();
        self.flood_arp.next = self.flood.q.val().get_bit(0);
        self.flood_nd.next = self.flood.q.val().get_bit(1);
        self.default_processor.next = self.default_number.q.val();
        self.max_frame.next = self.longest.q.val();

        // Answer: the memories take a cycle, their outputs go straight into registers.
        self.read[0].d.next = self.asked.q.val() & !self.writes.q.val() & !self.reset.val();
        self.from_reta[0].d.next = self.in_reta.val();
        self.from_totals[0].d.next = self.in_totals.val();
        self.high_word[0].d.next = self.place.q.val().get_bit(0);
        self.plain_kept[0].d.next = self.plain.val();
        self.read[1].d.next = self.read[0].q.val() & !self.reset.val();
        self.from_reta[1].d.next = self.from_reta[0].q.val();
        self.from_totals[1].d.next = self.from_totals[0].q.val();
        self.high_word[1].d.next = self.high_word[0].q.val();
        self.plain_kept[1].d.next = self.plain_kept[0].q.val();
        self.reta_kept.d.next = self.reta_rdata.val();
        self.total_kept.d.next = self.total.val();
        self.rvalid.d.next = self.read[1].q.val() & !self.reset.val();
        self.rdata.d.next = self.plain_kept[1].q.val();
        if self.from_reta[1].q.val() {
            self.rdata.d.next = bit_cast::<32, 4>(self.reta_kept.q.val());
        }
        if self.from_totals[1].q.val() {
            self.rdata.d.next = self.total_kept.q.val().get_bits::<32>(0);
            if self.high_word[1].q.val() {
                self.rdata.d.next = self.high_kept.q.val();
            }
            if self.read[1].q.val() & !self.high_word[1].q.val() {
                self.high_kept.d.next = self.total_kept.q.val().get_bits::<32>(32);
            }
        }
        self.host_rvalid.next = self.rvalid.q.val();
        self.host_rdata.next = self.rdata.q.val();
    }
}
