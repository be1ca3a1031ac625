//! Turns class and table entry into the set of processors a frame is for, and keeps the verdicts until their frames come up.
//!
//! Unicast: the processor the table names. Flood: every processor (ARP, neighbour discovery; each if its bit says so). Other and
//! malformed frames, and ARP that is not flooded: the default processor. A number that does not exist gives the empty set.
//!
//! | port                | dir | width | meaning                                              |
//! |---------------------|-----|-------|------------------------------------------------------|
//! | `lookup_tvalid`     | in  | 1     | a verdict to be                                      |
//! | `lookup_processor`  | in  | 4     | what the table says                                  |
//! | `lookup_hash`       | in  | 32    | the hash                                             |
//! | `lookup_class`      | in  | 3     | the class                                            |
//! | `flood_arp`         | in  | 1     | FLOOD.ARP                                            |
//! | `flood_nd`          | in  | 1     | FLOOD.ND                                             |
//! | `default_processor` | in  | 4     | DEFAULT_PROCESSOR                                    |
//! | `verdict_valid`     | out | 1     | the oldest verdict is on show; reset value 0         |
//! | `verdict`           | out | 52    | it, see [`Verdict`]                                  |
//! | `verdict_take`      | in  | 1     | take it                                              |
//!
//! Latency: [`LATENCY`] cycles. Throughput: one verdict per cycle. It holds more verdicts than the frame buffer holds frames, so it
//! is never full.
//! Implements: ¶68; ARP and neighbour discovery reach every net kernel, as each has its own network port view (¶66).

use abi::receive::Class;
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

use crate::concat::Concat;
use crate::queue::{self, Queue};

/// Cycles from `lookup_tvalid` to `verdict_valid`.
pub const LATENCY: usize = 1 + queue::LATENCY;

/// Where a frame goes, and what its post entry will say.
#[derive(LogicStruct, Debug, Copy, Clone, PartialEq, Default)]
pub struct Verdict {
    pub targets: Bits<16>,
    pub class: Bits<3>,
    pub flooded: Bit,
    pub hash: Bits<32>,
}

/// Bits of a [`Verdict`].
pub const VERDICT_BITS: usize = 52;

/// See the module's page.
#[derive(LogicBlock)]
pub struct VerdictQueue {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub lookup_tvalid: Signal<In, Bit>,
    pub lookup_processor: Signal<In, Bits<4>>,
    pub lookup_hash: Signal<In, Bits<32>>,
    pub lookup_class: Signal<In, Bits<3>>,
    pub flood_arp: Signal<In, Bit>,
    pub flood_nd: Signal<In, Bit>,
    pub default_processor: Signal<In, Bits<4>>,
    pub verdict_valid: Signal<Out, Bit>,
    pub verdict: Signal<Out, Bits<VERDICT_BITS>>,
    pub verdict_take: Signal<In, Bit>,
    is_arp: Signal<Local, Bit>,
    flood: Signal<Local, Bit>,
    unicast: Signal<Local, Bits<4>>,
    targets: Concat<16>,
    valid: DFF<Bit>,
    made: DFF<Verdict>,
    waiting: Queue<VERDICT_BITS, 7, 8>,
    arp: Constant<Bits<3>>,
    neighbour_discovery: Constant<Bits<3>>,
    malformed: Constant<Bits<3>>,
    other: Constant<Bits<3>>,
    _processors: usize,
}

impl VerdictQueue {
    /// Verdicts for `processors` processors.
    pub fn new(processors: usize) -> Self {
        let class = |c: Class| Constant::new((c as u64).to_bits());
        block! {
            Self {
                arp: class(Class::Arp),
                neighbour_discovery: class(Class::NeighbourDiscovery),
                malformed: class(Class::Malformed),
                other: class(Class::Other),
                _processors: processors,
            },
            clock, reset, lookup_tvalid, lookup_processor, lookup_hash, lookup_class, flood_arp, flood_nd,
            default_processor, verdict_valid, verdict, verdict_take, is_arp, flood, unicast, targets, valid, made,
            waiting
        }
    }
}

impl Logic for VerdictQueue {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, valid, made);
        self.waiting.clock.next = self.clock.val();
        self.waiting.reset.next = self.reset.val();

        self.is_arp.next = self.lookup_class.val() == self.arp.val();
        self.flood.next = (self.is_arp.val() & self.flood_arp.val())
            | ((self.lookup_class.val() == self.neighbour_discovery.val()) & self.flood_nd.val());
        self.unicast.next = self.lookup_processor.val();
        if self.is_arp.val()
            | (self.lookup_class.val() == self.malformed.val())
            | (self.lookup_class.val() == self.other.val())
        {
            self.unicast.next = self.default_processor.val();
        }
        for i in 0..16 {
            self.targets.element[i].next = false;
        }
        for i in 0..self._processors {
            self.targets.element[i].next = self.flood.val() | (self.unicast.val() == i.to_bits());
        }

        self.valid.d.next = self.lookup_tvalid.val() & !self.reset.val();
        self.made.d.next.targets = self.targets.value.val();
        self.made.d.next.class = self.lookup_class.val();
        self.made.d.next.flooded = self.flood.val();
        self.made.d.next.hash = self.lookup_hash.val();
        self.waiting.push.next = self.valid.q.val();
        self.waiting.push_data.next = self.made.q.val().into();
        self.waiting.pop.next = self.verdict_take.val();
        self.verdict_valid.next = self.waiting.head_valid.val();
        self.verdict.next = self.waiting.head_data.val();
    }
}
