//! From a beat of a frame to the processor its hash names: parser, hash and indirection table in a row. Wiring only.
//!
//! The part of the receive path whose speed and size are quoted, and the part that is compared with a hand-written one.
//!
//! | port                 | dir | width | meaning                                                        |
//! |----------------------|-----|-------|----------------------------------------------------------------|
//! | `beat_valid`         | in  | 1     | a beat is present                                              |
//! | `beat_data`          | in  | W     | its bytes                                                      |
//! | `beat_bytes`         | in  | 7     | how many                                                       |
//! | `beat_first`         | in  | 1     | first of a frame                                               |
//! | `beat_last`          | in  | 1     | last of a frame                                                |
//! | `use_toeplitz`       | in  | 1     | HASH_CONTROL.FUNCTION                                          |
//! | `fragment_addresses` | in  | 1     | HASH_CONTROL.FRAGMENT_ADDRESSES                                |
//! | `chunk_bits`         | in  | 3     | HASH_CONTROL.CHUNK_BITS                                        |
//! | `hash_fields`        | in  | 6     | HASH_FIELDS                                                    |
//! | `key`                | in  | 320   | Toeplitz key, first bit highest                                |
//! | `reta_write`         | in  | 1     | change an entry of the table                                   |
//! | `reta_write_index`   | in  | 7     | which                                                          |
//! | `reta_write_entry`   | in  | 4     | its new processor                                              |
//! | `reta_read_index`    | in  | 7     | entry to show                                                  |
//! | `reta_read_entry`    | out | 4     | the entry, one cycle later                                     |
//! | `headers_tvalid`     | out | 1     | a frame's headers, see [`crate::parser`]; reset value 0        |
//! | `headers_class`      | out | 3     | an [`abi::receive::Class`]                                     |
//! | `headers_ipv6`       | out | 1     | the packet is IPv6                                             |
//! | `headers_places`     | out | 31    | where its parts lie, see [`parser::Places`]                    |
//! | `lookup_tvalid`      | out | 1     | a result, one for each frame in order; reset value 0           |
//! | `lookup_processor`   | out | 4     | the processor the table names                                  |
//! | `lookup_hash`        | out | 32    | the hash                                                       |
//! | `lookup_class`       | out | 3     | an [`abi::receive::Class`]                                     |
//!
//! Latency: [`latency`] cycles from the deciding beat. Throughput: one beat per cycle. Never stalls.
//! Implements: ¶67, ¶68.

use rust_hdl_core::prelude::*;

use crate::flow_hash::{self, FlowHash};
use crate::parser::{self, Parser};
use crate::reta::{self, Reta};

/// Cycles from the beat that decides to `lookup_tvalid`, for a hash that takes `chunk` bits a cycle.
pub const fn latency(chunk: usize) -> usize {
    parser::LATENCY + flow_hash::latency(chunk) + reta::LATENCY
}

/// See the module's page.
#[derive(LogicBlock)]
pub struct Classifier<const W: usize, const CHUNK: usize, const WINDOW: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub beat_valid: Signal<In, Bit>,
    pub beat_data: Signal<In, Bits<W>>,
    pub beat_bytes: Signal<In, Bits<7>>,
    pub beat_first: Signal<In, Bit>,
    pub beat_last: Signal<In, Bit>,
    pub use_toeplitz: Signal<In, Bit>,
    pub fragment_addresses: Signal<In, Bit>,
    pub chunk_bits: Signal<In, Bits<3>>,
    pub hash_fields: Signal<In, Bits<6>>,
    pub key: Signal<In, Bits<320>>,
    pub reta_write: Signal<In, Bit>,
    pub reta_write_index: Signal<In, Bits<7>>,
    pub reta_write_entry: Signal<In, Bits<4>>,
    pub reta_read_index: Signal<In, Bits<7>>,
    pub reta_read_entry: Signal<Out, Bits<4>>,
    pub headers_tvalid: Signal<Out, Bit>,
    pub headers_class: Signal<Out, Bits<3>>,
    pub headers_ipv6: Signal<Out, Bit>,
    pub headers_places: Signal<Out, Bits<31>>,
    pub lookup_tvalid: Signal<Out, Bit>,
    pub lookup_processor: Signal<Out, Bits<4>>,
    pub lookup_hash: Signal<Out, Bits<32>>,
    pub lookup_class: Signal<Out, Bits<3>>,
    parser: Parser<W>,
    flow_hash: FlowHash<CHUNK, WINDOW>,
    reta: Reta,
}

impl<const W: usize, const CHUNK: usize, const WINDOW: usize> Classifier<W, CHUNK, WINDOW> {
    /// A classifier for `processors` processors.
    pub fn new(processors: usize) -> Self {
        block! {
            Self {
                reta: Reta::new(processors),
            },
            clock, reset, beat_valid, beat_data, beat_bytes, beat_first, beat_last, use_toeplitz, fragment_addresses,
            chunk_bits, hash_fields, key, reta_write, reta_write_index, reta_write_entry, reta_read_index,
            reta_read_entry, headers_tvalid, headers_class, headers_ipv6, headers_places, lookup_tvalid,
            lookup_processor, lookup_hash, lookup_class, parser, flow_hash
        }
    }
}

impl<const W: usize, const CHUNK: usize, const WINDOW: usize> Logic for Classifier<W, CHUNK, WINDOW> {
    #[hdl_gen]
    fn update(&mut self) {
        self.parser.clock.next = self.clock.val();
        self.parser.reset.next = self.reset.val();
        self.parser.beat_valid.next = self.beat_valid.val();
        self.parser.beat_data.next = self.beat_data.val();
        self.parser.beat_bytes.next = self.beat_bytes.val();
        self.parser.beat_first.next = self.beat_first.val();
        self.parser.beat_last.next = self.beat_last.val();

        self.headers_tvalid.next = self.parser.headers_tvalid.val();
        self.headers_class.next = self.parser.headers_class.val();
        self.headers_ipv6.next = self.parser.headers_ipv6.val();
        self.headers_places.next = self.parser.headers_places.val().into();

        self.flow_hash.clock.next = self.clock.val();
        self.flow_hash.reset.next = self.reset.val();
        self.flow_hash.headers_tvalid.next = self.parser.headers_tvalid.val();
        self.flow_hash.headers_class.next = self.parser.headers_class.val();
        self.flow_hash.headers_ipv6.next = self.parser.headers_ipv6.val();
        for k in 0..8 {
            self.flow_hash.address[k].next = self.parser.address[k].val();
        }
        self.flow_hash.tail.next = self.parser.tail.val();
        self.flow_hash.identification.next = self.parser.identification.val();
        self.flow_hash.use_toeplitz.next = self.use_toeplitz.val();
        self.flow_hash.fragment_addresses.next = self.fragment_addresses.val();
        self.flow_hash.chunk_bits.next = self.chunk_bits.val();
        self.flow_hash.hash_fields.next = self.hash_fields.val();
        self.flow_hash.key.next = self.key.val();

        self.reta.clock.next = self.clock.val();
        self.reta.reset.next = self.reset.val();
        self.reta.hash_tvalid.next = self.flow_hash.hash_tvalid.val();
        self.reta.hash_tdata.next = self.flow_hash.hash_tdata.val();
        self.reta.hash_class.next = self.flow_hash.hash_class.val();
        self.reta.write_enable.next = self.reta_write.val();
        self.reta.write_index.next = self.reta_write_index.val();
        self.reta.write_entry.next = self.reta_write_entry.val();
        self.reta.read_index.next = self.reta_read_index.val();
        self.reta_read_entry.next = self.reta.read_entry.val();

        self.lookup_tvalid.next = self.reta.lookup_tvalid.val();
        self.lookup_processor.next = self.reta.lookup_processor.val();
        self.lookup_hash.next = self.reta.lookup_hash.val();
        self.lookup_class.next = self.reta.lookup_class.val();
    }
}
