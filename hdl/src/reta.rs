//! The indirection table: the hash's low seven bits pick an entry, the entry names the processor.
//!
//! While `reset` is high the table fills itself with i mod N, one entry a cycle, so reset must last [`RESET_CYCLES`] cycles. With the XOR
//! fold and N a power of two this is the plain dispatch of ¶68. An entry may change while traffic flows: a lookup in the same cycle uses
//! the old or the new processor.
//!
//! | port                | dir | width | meaning                                                |
//! |---------------------|-----|-------|--------------------------------------------------------|
//! | `hash_tvalid`       | in  | 1     | a hash is present                                      |
//! | `hash_tdata`        | in  | 32    | the hash                                               |
//! | `hash_class`        | in  | 3     | the frame's class                                      |
//! | `lookup_tvalid`     | out | 1     | a processor number is present; reset value 0           |
//! | `lookup_processor`  | out | 4     | the processor                                          |
//! | `lookup_hash`       | out | 32    | the hash it came from                                  |
//! | `lookup_class`      | out | 3     | the frame's class                                      |
//! | `write_enable`      | in  | 1     | change an entry                                        |
//! | `write_index`       | in  | 7     | which                                                  |
//! | `write_entry`       | in  | 4     | its new processor                                      |
//! | `read_index`        | in  | 7     | entry to show to the host                              |
//! | `read_entry`        | out | 4     | the entry, one cycle later                             |
//!
//! Latency: [`LATENCY`] cycles. Throughput: one hash per cycle. Never stalls.
//! Implements: ¶67, ¶68.

use abi::limits::RETA_ENTRIES;
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

use crate::memory::{Collision, Memory};

/// Cycles from `hash_tvalid` to `lookup_tvalid`: read, register.
pub const LATENCY: usize = 2;

/// Cycles that `reset` must be held for the table to fill.
pub const RESET_CYCLES: usize = RETA_ENTRIES;

/// See the module's page.
#[derive(LogicBlock)]
pub struct Reta {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub hash_tvalid: Signal<In, Bit>,
    pub hash_tdata: Signal<In, Bits<32>>,
    pub hash_class: Signal<In, Bits<3>>,
    pub lookup_tvalid: Signal<Out, Bit>,
    pub lookup_processor: Signal<Out, Bits<4>>,
    pub lookup_hash: Signal<Out, Bits<32>>,
    pub lookup_class: Signal<Out, Bits<3>>,
    pub write_enable: Signal<In, Bit>,
    pub write_index: Signal<In, Bits<7>>,
    pub write_entry: Signal<In, Bits<4>>,
    pub read_index: Signal<In, Bits<7>>,
    pub read_entry: Signal<Out, Bits<4>>,
    // Two copies: one port looks up, the other answers the host.
    entries: Memory<4, 7>,
    shadow: Memory<4, 7>,
    fill_index: DFF<Bits<7>>,
    fill_entry: DFF<Bits<4>>,
    enable: Signal<Local, Bit>,
    index: Signal<Local, Bits<7>>,
    entry: Signal<Local, Bits<4>>,
    reading: DFF<Bit>,
    reading_hash: DFF<Bits<32>>,
    reading_class: DFF<Bits<3>>,
    valid: DFF<Bit>,
    processor: DFF<Bits<4>>,
    hash: DFF<Bits<32>>,
    frame_class: DFF<Bits<3>>,
    last_processor: Constant<Bits<4>>,
}

impl Reta {
    /// A table for `processors` processors.
    pub fn new(processors: usize) -> Self {
        block! {
            Self {
                // The old entry is as good as the new one for a lookup that meets its write.
                entries: Memory::new(RETA_ENTRIES, Collision::OldData),
                shadow: Memory::new(RETA_ENTRIES, Collision::OldData),
                last_processor: Constant::new((processors as u64 - 1).to_bits()),
            },
            clock, reset, hash_tvalid, hash_tdata, hash_class, lookup_tvalid, lookup_processor, lookup_hash,
            lookup_class, write_enable, write_index, write_entry, read_index, read_entry, fill_index, fill_entry,
            enable, index, entry, reading, reading_hash, reading_class, valid, processor, hash, frame_class
        }
    }
}

impl Logic for Reta {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self,
            clock,
            fill_index,
            fill_entry,
            reading,
            reading_hash,
            reading_class,
            valid,
            processor,
            hash,
            frame_class
        );
        self.entries.clock.next = self.clock.val();
        self.shadow.clock.next = self.clock.val();

        // Lookup.
        self.entries.read_address.next = self.hash_tdata.val().get_bits::<7>(0);
        self.reading.d.next = self.hash_tvalid.val() & !self.reset.val();
        self.reading_hash.d.next = self.hash_tdata.val();
        self.reading_class.d.next = self.hash_class.val();
        self.valid.d.next = self.reading.q.val() & !self.reset.val();
        self.processor.d.next = self.entries.read_data.val();
        self.hash.d.next = self.reading_hash.q.val();
        self.frame_class.d.next = self.reading_class.q.val();
        self.lookup_tvalid.next = self.valid.q.val();
        self.lookup_processor.next = self.processor.q.val();
        self.lookup_hash.next = self.hash.q.val();
        self.lookup_class.next = self.frame_class.q.val();

        // Writes: the host's, or i mod N in reset.
        self.enable.next = self.write_enable.val();
        self.index.next = self.write_index.val();
        self.entry.next = self.write_entry.val();
        self.fill_index.d.next = 0.into();
        self.fill_entry.d.next = 0.into();
        if self.reset.val() {
            self.enable.next = true;
            self.index.next = self.fill_index.q.val();
            self.entry.next = self.fill_entry.q.val();
            self.fill_index.d.next = self.fill_index.q.val() + 1;
            // Entry 0 is 0 again when the index wraps, whatever N is.
            if (self.fill_entry.q.val() != self.last_processor.val()) & (self.fill_index.q.val() != 127) {
                self.fill_entry.d.next = self.fill_entry.q.val() + 1;
            }
        }
        self.entries.write_enable.next = self.enable.val();
        self.entries.write_address.next = self.index.val();
        self.entries.write_data.next = self.entry.val();
        self.shadow.write_enable.next = self.enable.val();
        self.shadow.write_address.next = self.index.val();
        self.shadow.write_data.next = self.entry.val();

        self.shadow.read_address.next = self.read_index.val();
        self.read_entry.next = self.shadow.read_data.val();
    }
}
