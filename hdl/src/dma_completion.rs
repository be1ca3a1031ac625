//! Takes completions off the link: their headers into one queue, their payloads into another.
//!
//! A completion ends with `tlast`, whatever its header says, so that one that lies about its length does not touch the next.
//!
//! | port            | dir | width | meaning                                                                                 |
//! |-----------------|-----|-------|-----------------------------------------------------------------------------------------|
//! | `requester`     | in  | 16    | the card's requester ID                                                                 |
//! | `cpl_tdata`     | in  | W     | payload of a completion, see the TLP streams                                            |
//! | `cpl_theader`   | in  | 128   | its header, the same on all beats                                                       |
//! | `cpl_tvalid`    | in  | 1     | a beat is present                                                                       |
//! | `cpl_tlast`     | in  | 1     | last of its TLP                                                                         |
//! | `cpl_tready`    | out | 1     | it is taken; reset value 1                                                              |
//! | `head_valid`    | out | 1     | a header is on show; reset value 0                                                      |
//! | `head`          | out | 40    | it, see [`Head`]                                                                        |
//! | `head_take`     | in  | 1     | take it                                                                                 |
//! | `payload_valid` | out | 1     | a beat of payload is on show; reset value 0                                             |
//! | `payload_data`  | out | W     | it                                                                                      |
//! | `payload_last`  | out | 1     | last of its completion                                                                  |
//! | `payload_take`  | in  | 1     | take it                                                                                 |
//!
//! Latency: [`LATENCY`] cycles. Throughput: one beat per cycle. Stalls when 16 headers or 32 beats wait.
//! Implements: PCI Express Base 3.0, 2.2.9 (completion headers).

use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

use crate::queue::{self, Queue};

/// Cycles from `cpl_tvalid` to `head_valid`.
pub const LATENCY: usize = queue::LATENCY;

/// What matters of a completion's header.
#[derive(LogicStruct, Debug, Copy, Clone, PartialEq, Default)]
pub struct Head {
    /// Payload in DW, 0 for 1,024.
    pub length: Bits<10>,
    /// Bytes of the request from here on, 0 for 4,096.
    pub byte_count: Bits<12>,
    /// Low bits of the address of the first byte.
    pub lower_address: Bits<7>,
    /// The request's tag.
    pub tag: Bits<5>,
    /// 0 success, 4 Completer Abort, others Unsupported Request.
    pub status: Bits<3>,
    /// The data is marked as bad.
    pub poisoned: Bit,
    /// There is a payload.
    pub has_data: Bit,
    /// The requester ID and the upper bits of the tag are the card's.
    pub ours: Bit,
}

/// Bits of a [`Head`].
pub const HEAD_BITS: usize = 40;

/// See the module's page.
#[derive(LogicBlock)]
pub struct DmaCompletion<const W: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub requester: Signal<In, Bits<16>>,
    pub cpl_tdata: Signal<In, Bits<W>>,
    pub cpl_theader: Signal<In, Bits<128>>,
    pub cpl_tvalid: Signal<In, Bit>,
    pub cpl_tlast: Signal<In, Bit>,
    pub cpl_tready: Signal<Out, Bit>,
    pub head_valid: Signal<Out, Bit>,
    pub head: Signal<Out, Bits<HEAD_BITS>>,
    pub head_take: Signal<In, Bit>,
    pub payload_valid: Signal<Out, Bit>,
    pub payload_data: Signal<Out, Bits<W>>,
    pub payload_last: Signal<Out, Bit>,
    pub payload_take: Signal<In, Bit>,
    heads: Queue<HEAD_BITS, 4, 5>,
    beats: Queue<W, 5, 6>,
    lasts: Queue<1, 5, 6>,
    in_tlp: DFF<Bit>,
    takes: Signal<Local, Bit>,
    has_data: Signal<Local, Bit>,
    arriving: Signal<Local, Head>,
}

impl<const W: usize> Default for DmaCompletion<W> {
    fn default() -> Self {
        block! {
            Self {
                // Whether a beat leaves is known only when its lanes and its memory are. Both queues show a beat in the same cycle.
                beats: Queue::with_late_pop(32),
                lasts: Queue::with_late_pop(32),
            },
            clock, reset, requester, cpl_tdata, cpl_theader, cpl_tvalid, cpl_tlast, cpl_tready, head_valid, head,
            head_take, payload_valid, payload_data, payload_last, payload_take, heads, in_tlp, takes, has_data, arriving
        }
    }
}

impl<const W: usize> Logic for DmaCompletion<W> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, in_tlp);
        self.heads.clock.next = self.clock.val();
        self.heads.reset.next = self.reset.val();
        self.beats.clock.next = self.clock.val();
        self.beats.reset.next = self.reset.val();
        self.lasts.clock.next = self.clock.val();
        self.lasts.reset.next = self.reset.val();

        self.cpl_tready.next = !self.heads.full.val() & !self.beats.full.val();
        self.takes.next = self.cpl_tvalid.val() & self.cpl_tready.val();
        if self.takes.val() {
            self.in_tlp.d.next = !self.cpl_tlast.val();
        }
        self.has_data.next = self.cpl_theader.val().get_bit(30);
        self.arriving.next.length = self.cpl_theader.val().get_bits::<10>(0);
        self.arriving.next.byte_count = self.cpl_theader.val().get_bits::<12>(32);
        self.arriving.next.lower_address = self.cpl_theader.val().get_bits::<7>(64);
        self.arriving.next.tag = self.cpl_theader.val().get_bits::<5>(72);
        self.arriving.next.status = self.cpl_theader.val().get_bits::<3>(45);
        self.arriving.next.poisoned = self.cpl_theader.val().get_bit(14);
        self.arriving.next.has_data = self.has_data.val();
        self.arriving.next.ours = (self.cpl_theader.val().get_bits::<16>(80) == self.requester.val())
            & !self.cpl_theader.val().get_bits::<3>(77).any();

        self.heads.push.next = self.takes.val() & !self.in_tlp.q.val();
        self.heads.push_data.next = self.arriving.val().into();
        self.beats.push.next = self.takes.val() & self.has_data.val();
        self.beats.push_data.next = self.cpl_tdata.val();
        self.lasts.push.next = self.takes.val() & self.has_data.val();
        self.lasts.push_data.next = self.cpl_tlast.val().into();

        self.head_valid.next = self.heads.head_valid.val();
        self.head.next = self.heads.head_data.val();
        self.heads.pop.next = self.head_take.val();
        self.payload_valid.next = self.beats.head_valid.val();
        self.payload_data.next = self.beats.head_data.val();
        self.payload_last.next = self.lasts.head_data.val().get_bit(0);
        self.beats.pop.next = self.payload_take.val();
        self.lasts.pop.next = self.payload_take.val();

        if self.reset.val() {
            self.in_tlp.d.next = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;
    use crate::emit::emit;
    use crate::random::Random;

    type Dut = DmaCompletion<64>;

    fn edge(dut: &mut Dut) {
        for level in [true, false] {
            dut.clock.next = level.into();
            assert!(simulate(dut, 10));
        }
    }

    /// Sends a beat with this header.
    fn send(dut: &mut Dut, header: [u32; 4], data: u64, last: bool) {
        dut.cpl_tvalid.next = true;
        dut.cpl_theader.next = header
            .iter()
            .rev()
            .fold(Bits::<128>::default(), |all, dw| (all << 32) | bit_cast::<128, 64>((*dw as u64).to_bits()));
        dut.cpl_tdata.next = data.to_bits();
        dut.cpl_tlast.next = last;
        assert!(simulate(dut, 10));
        assert!(dut.cpl_tready.val());
        edge(dut);
        dut.cpl_tvalid.next = false;
    }

    fn new() -> Dut {
        let mut dut = Dut::default();
        dut.connect_all();
        dut.requester.next = 0x0142.into();
        dut.reset.next = true;
        edge(&mut dut);
        dut.reset.next = false;
        dut
    }

    #[test]
    fn headers_are_read_as_the_standard_says() {
        let mut dut = new();
        // By hand: CplD, 5 DW, poisoned; completer 0x0100, success, 0x123 bytes; requester 0x0142, tag 0x1A, lower address 0x47.
        send(&mut dut, [0x4A00_4005, 0x0100_0123, 0x0142_1A47, 0], 1, false);
        // More beats than the header says are one completion all the same.
        for beat in 2..7 {
            send(&mut dut, [0x4A00_4005, 0x0100_0123, 0x0142_1A47, 0], beat, beat == 6);
        }
        // Cpl without data, Unsupported Request, for someone else; Completer Abort for tag 0x21, which is none of ours.
        send(&mut dut, [0x0A00_0000, 0x0100_2004, 0x0143_0300, 0], 99, true);
        send(&mut dut, [0x0A00_0000, 0x0100_8004, 0x0142_2100, 0], 99, true);
        let field = |dut: &Dut, low: usize, width: u32| dut.head.val().to_u64() >> low & ((1 << width) - 1);
        for expected in [[5, 0x123, 0x47, 0x1A, 0, 1, 1, 1], [0, 4, 0, 3, 1, 0, 0, 0], [0, 4, 0, 1, 4, 0, 0, 0]] {
            assert!(dut.head_valid.val());
            let places = [(0, 10), (10, 12), (22, 7), (29, 5), (34, 3), (37, 1), (38, 1), (39, 1)];
            assert_eq!(places.map(|(low, width)| field(&dut, low, width)), expected);
            dut.head_take.next = true;
            edge(&mut dut);
            dut.head_take.next = false;
            edge(&mut dut);
        }
        assert!(!dut.head_valid.val());
        for beat in 1..7 {
            assert!(dut.payload_valid.val());
            assert_eq!((dut.payload_data.val().to_u64(), dut.payload_last.val()), (beat, beat == 6));
            dut.payload_take.next = true;
            edge(&mut dut);
        }
        assert!(!dut.payload_valid.val(), "a completion without data has no payload");
    }

    #[test]
    fn a_beat_and_its_mark_leave_together_whenever_they_are_taken() {
        let (mut dut, mut random) = (new(), Random::seeded(0x2A));
        let (mut sent, mut taken) = (VecDeque::new(), 0);
        for cycle in 0..20_000 {
            let (data, last) = (random.below(1 << 32), random.below(4) == 0);
            dut.cpl_tvalid.next = random.below(8) < 5;
            dut.cpl_theader.next = bits::<128>(1) << 30;
            dut.cpl_tdata.next = data.to_bits();
            dut.cpl_tlast.next = last;
            dut.payload_take.next = random.below(8) < 6;
            dut.head_take.next = true;
            assert!(simulate(&mut dut, 10));
            if dut.payload_valid.val() {
                let shown = (dut.payload_data.val().to_u64(), dut.payload_last.val());
                assert_eq!(Some(&shown), sent.front(), "cycle {cycle}");
                if dut.payload_take.val() {
                    sent.pop_front();
                    taken += 1;
                }
            }
            if dut.cpl_tvalid.val() && dut.cpl_tready.val() {
                sent.push_back((data, last));
            }
            edge(&mut dut);
        }
        assert!(taken > 10_000, "{taken} beats");
    }

    #[test]
    fn it_can_be_printed() {
        emit(&mut Dut::default(), "dma_completion").expect("64");
        emit(&mut DmaCompletion::<512>::default(), "dma_completion").expect("512");
    }
}
