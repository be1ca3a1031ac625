//! Joins everything the card sends to the host into one stream of TLPs, round robin by TLP.
//!
//! What was taken first leaves first: a completion that tells of something never overtakes the write it tells of, nor does an
//! interrupt. A TLP stays whole. Whose turn is next is known a cycle before it comes: where somebody waits the next TLP follows without a
//! bubble, and the one who had the last turn keeps it as long as nobody else asks.
//!
//! | port                 | dir | width | meaning                                                                      |
//! |----------------------|-----|-------|------------------------------------------------------------------------------|
//! | `requester_id`       | in  | 16    | the card's bus, device and function number                                   |
//! | `completion_tdata`   | in  | W     | completions of the host's requests: payload                                  |
//! | `completion_theader` | in  | 128   | header                                                                       |
//! | `completion_tvalid`  | in  | 1     | a beat is present                                                            |
//! | `completion_tlast`   | in  | 1     | last beat of the TLP                                                         |
//! | `completion_tready`  | out | 1     | it is taken; reset value 1                                                   |
//! | `message_valid`      | in  | 1     | an interrupt is due                                                          |
//! | `message_address`    | in  | 64    | where MSI-X writes to, a multiple of 4                                       |
//! | `message_data`       | in  | 32    | what it writes                                                               |
//! | `message_ready`      | out | 1     | it is taken; reset value 0                                                   |
//! | `read_valid`         | in  | 1     | the DMA engine wants to read                                                 |
//! | `read_header`        | in  | 128   | header of its request                                                        |
//! | `read_ready`         | out | 1     | it is taken; reset value 0                                                   |
//! | `write_tdata`        | in  | W     | the DMA engine's writes: payload                                             |
//! | `write_theader`      | in  | 128   | header                                                                       |
//! | `write_tvalid`       | in  | 1     | a beat is present                                                            |
//! | `write_tlast`        | in  | 1     | last beat of the TLP                                                         |
//! | `write_tready`       | out | 1     | it is taken; reset value 0                                                   |
//! | `tlp_tdata`          | out | W     | payload, first DW in the lowest lanes of the first beat                      |
//! | `tlp_theader`        | out | 128   | DW0 in the lowest bits; bits 31:24 of a DW are its byte 0; same on all beats |
//! | `tlp_tvalid`         | out | 1     | a beat is present; a TLP without payload is one beat; reset value 0          |
//! | `tlp_tlast`          | out | 1     | last beat of the TLP                                                         |
//! | `tlp_tready`         | in  | 1     | it is taken                                                                  |
//!
//! Latency: [`LATENCY`] cycles, one less for the one who had the last turn. Throughput: one beat per cycle. Stalls when the host does, or
//! while another's TLP passes; every ready output is two registers and a gate. Not reset: data registers.
//! Implements: ¶69 (the hardware's side of the host interface).

use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

use crate::many;
use crate::skid_buffer::SkidBuffer;

/// Cycles from a source's valid to `tlp_tvalid`.
pub const LATENCY: usize = 2;

/// Header of a memory write, see PCIe 2.2.7.
#[derive(LogicStruct, Debug, Copy, Clone, PartialEq, Default)]
struct MessageHeader {
    first: Bits<32>,
    byte_enables: Bits<16>,
    requester: Bits<16>,
    third: Bits<32>,
    fourth: Bits<32>,
}

/// See the module's page.
#[derive(LogicBlock)]
pub struct TlpEgress<const W: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub requester_id: Signal<In, Bits<16>>,
    pub completion_tdata: Signal<In, Bits<W>>,
    pub completion_theader: Signal<In, Bits<128>>,
    pub completion_tvalid: Signal<In, Bit>,
    pub completion_tlast: Signal<In, Bit>,
    pub completion_tready: Signal<Out, Bit>,
    pub message_valid: Signal<In, Bit>,
    pub message_address: Signal<In, Bits<64>>,
    pub message_data: Signal<In, Bits<32>>,
    pub message_ready: Signal<Out, Bit>,
    pub read_valid: Signal<In, Bit>,
    pub read_header: Signal<In, Bits<128>>,
    pub read_ready: Signal<Out, Bit>,
    pub write_tdata: Signal<In, Bits<W>>,
    pub write_theader: Signal<In, Bits<128>>,
    pub write_tvalid: Signal<In, Bit>,
    pub write_tlast: Signal<In, Bit>,
    pub write_tready: Signal<Out, Bit>,
    pub tlp_tdata: Signal<Out, Bits<W>>,
    pub tlp_theader: Signal<Out, Bits<128>>,
    pub tlp_tvalid: Signal<Out, Bit>,
    pub tlp_tlast: Signal<Out, Bit>,
    pub tlp_tready: Signal<In, Bit>,
    stage: SkidBuffer<W, 128>,
    /// Completion, message, read, write.
    valid: Vec<Signal<Local, Bit>>,
    /// Whose turn it is: one of them.
    turn: Vec<DFF<Bit>>,
    /// Its TLP has begun and not ended.
    in_tlp: DFF<Bit>,
    free_to_turn: Signal<Local, Bit>,
    next_turn: Vec<Signal<Local, Bit>>,
    /// Element 4 i + d: it is i's turn, and none of the next d behind i asks.
    silent: Vec<Signal<Local, Bit>>,
    message: Signal<Local, MessageHeader>,
    high: Signal<Local, Bits<32>>,
    low: Signal<Local, Bits<32>>,
    tvalid: Signal<Local, Bit>,
    tlast: Signal<Local, Bit>,
    tdata: Signal<Local, Bits<W>>,
    theader: Signal<Local, Bits<128>>,
    write_3dw: Constant<Bits<32>>,
    write_4dw: Constant<Bits<32>>,
    whole_dw: Constant<Bits<16>>,
}

impl<const W: usize> Default for TlpEgress<W> {
    fn default() -> Self {
        let dw = |value: u64| Constant::new(value.to_bits());
        block! {
            Self {
                valid: many(4),
                turn: many(4),
                next_turn: many(4),
                silent: many(16),
                // fmt 2 or 3, type 0, one DW.
                write_3dw: dw(0x4000_0001),
                write_4dw: dw(0x6000_0001),
                whole_dw: Constant::new(0x000fu64.to_bits()),
            },
            clock, reset, requester_id, completion_tdata, completion_theader, completion_tvalid, completion_tlast,
            completion_tready, message_valid, message_address, message_data, message_ready, read_valid, read_header,
            read_ready, write_tdata, write_theader, write_tvalid, write_tlast, write_tready, tlp_tdata, tlp_theader,
            tlp_tvalid, tlp_tlast, tlp_tready, stage, in_tlp, free_to_turn, message, high, low, tvalid, tlast, tdata,
            theader
        }
    }
}

impl<const W: usize> Logic for TlpEgress<W> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, in_tlp);
        for i in 0..4 {
            self.turn[i].clock.next = self.clock.val();
        }
        self.stage.clock.next = self.clock.val();
        self.stage.reset.next = self.reset.val();

        self.valid[0].next = self.completion_tvalid.val();
        self.valid[1].next = self.message_valid.val();
        self.valid[2].next = self.read_valid.val();
        self.valid[3].next = self.write_tvalid.val();

        // An interrupt is a memory write of one DW; addresses below 4 GiB must be sent in 3 DWs (PCIe 2.2.4.1).
        self.high.next = self.message_address.val().get_bits::<32>(32);
        self.low.next = self.message_address.val().get_bits::<32>(0);
        self.message.next.first = self.write_3dw.val();
        self.message.next.byte_enables = self.whole_dw.val();
        self.message.next.requester = self.requester_id.val();
        self.message.next.third = self.low.val();
        self.message.next.fourth = 0.into();
        if self.high.val().any() {
            self.message.next.first = self.write_4dw.val();
            self.message.next.third = self.high.val();
            self.message.next.fourth = self.low.val();
        }

        self.tvalid.next = false;
        self.tlast.next = true;
        self.tdata.next = bit_cast::<W, 32>(self.message_data.val());
        self.theader.next = self.read_header.val();
        for i in 0..4 {
            if self.turn[i].q.val() {
                self.tvalid.next = self.valid[i].val();
            }
        }
        if self.turn[0].q.val() {
            self.tlast.next = self.completion_tlast.val();
            self.tdata.next = self.completion_tdata.val();
            self.theader.next = self.completion_theader.val();
        }
        if self.turn[1].q.val() {
            self.theader.next = self.message.val().into();
        }
        if self.turn[3].q.val() {
            self.tlast.next = self.write_tlast.val();
            self.tdata.next = self.write_tdata.val();
            self.theader.next = self.write_theader.val();
        }
        self.stage.source_valid.next = self.tvalid.val();
        self.stage.source_last.next = self.tlast.val();
        self.stage.source_data.next = self.tdata.val();
        self.stage.source_side.next = self.theader.val();
        self.completion_tready.next = self.turn[0].q.val() & self.stage.source_ready.val();
        self.message_ready.next = self.turn[1].q.val() & self.stage.source_ready.val();
        self.read_ready.next = self.turn[2].q.val() & self.stage.source_ready.val();
        self.write_tready.next = self.turn[3].q.val() & self.stage.source_ready.val();

        // Whose turn is next: when a TLP ends, or while none has begun, the first behind the one whose turn it is that asks.
        self.in_tlp.d.next = self.in_tlp.q.val();
        if self.tvalid.val() & self.stage.source_ready.val() {
            self.in_tlp.d.next = !self.tlast.val();
        }
        self.free_to_turn.next = !self.in_tlp.q.val() & !self.tvalid.val();
        if self.stage.source_ready.val() & self.tvalid.val() & self.tlast.val() {
            self.free_to_turn.next = true;
        }
        for i in 0..4 {
            self.next_turn[i].next = false;
        }
        for i in 0..4 {
            self.silent[4 * i].next = self.turn[i].q.val();
            for d in 1..4 {
                self.next_turn[i + d - 4 * ((i + d) / 4)].next = self.next_turn[i + d - 4 * ((i + d) / 4)].val()
                    | (self.silent[4 * i + d - 1].val() & self.valid[i + d - 4 * ((i + d) / 4)].val());
                self.silent[4 * i + d].next =
                    self.silent[4 * i + d - 1].val() & !self.valid[i + d - 4 * ((i + d) / 4)].val();
            }
        }
        for i in 0..4 {
            self.turn[i].d.next = self.turn[i].q.val();
            if self.free_to_turn.val() {
                self.turn[i].d.next = self.next_turn[i].val() | self.silent[4 * i + 3].val();
            }
        }
        if self.reset.val() {
            self.in_tlp.d.next = false;
            self.turn[0].d.next = true;
            for i in 1..4 {
                self.turn[i].d.next = false;
            }
        }

        self.tlp_tvalid.next = self.stage.sink_valid.val();
        self.tlp_tlast.next = self.stage.sink_last.val();
        self.tlp_tdata.next = self.stage.sink_data.val();
        self.tlp_theader.next = self.stage.sink_side.val();
        self.stage.sink_ready.next = self.tlp_tready.val();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    const W: usize = 64;

    /// A beat: header, payload, last.
    type Beat = (u64, u64, bool);

    /// A TLP of source `from`, number `n`.
    fn tlp(from: u64, n: u64, beats: u64) -> Vec<Beat> {
        (0..beats).map(|b| (from << 16 | n, from << 32 | n << 8 | b, b + 1 == beats)).collect()
    }

    /// The low 64 bits of a 128-bit header tell the beats of a test apart.
    fn header(low: u64) -> Bits<128> {
        bit_cast::<128, 64>(low.to_bits())
    }

    struct Bench {
        dut: TlpEgress<W>,
        /// Beats that wait in each source: completion, message, read, write.
        waiting: [VecDeque<Beat>; 4],
        sent: Vec<Beat>,
        /// The source of each TLP in the order in which they were taken.
        taken: Vec<u64>,
        cycles: usize,
        random: u32,
    }

    impl Bench {
        fn new() -> Self {
            let mut dut = TlpEgress::default();
            dut.connect_all();
            dut.requester_id.next = 0x0100u64.to_bits();
            dut.reset.next = true;
            for level in [false, true] {
                dut.clock.next = level.into();
                assert!(simulate(&mut dut, 20));
            }
            dut.reset.next = false;
            Self { dut, waiting: Default::default(), sent: vec![], taken: vec![], cycles: 0, random: 0x1234_5678 }
        }

        fn chance(&mut self, of_eight: u32) -> bool {
            self.random ^= self.random << 13;
            self.random ^= self.random >> 17;
            self.random ^= self.random << 5;
            self.random >> 9 & 7 < of_eight
        }

        /// One cycle; sources and host are there in a share of the cycles. A source that showed a beat goes on showing it.
        fn cycle(&mut self, shown: &mut [bool; 4], valid: u32, ready: u32) {
            for (i, shown) in shown.iter_mut().enumerate() {
                *shown = !self.waiting[i].is_empty() && (*shown || self.chance(valid));
            }
            let front = |i: usize| self.waiting[i].front().copied().unwrap_or_default();
            let (completion, message, read, write) = (front(0), front(1), front(2), front(3));
            self.dut.tlp_tready.next = self.chance(ready);
            let dut = &mut self.dut;
            dut.completion_tvalid.next = shown[0];
            dut.completion_theader.next = header(completion.0);
            dut.completion_tdata.next = completion.1.to_bits();
            dut.completion_tlast.next = completion.2;
            dut.message_valid.next = shown[1];
            dut.message_address.next = message.0.to_bits();
            dut.message_data.next = (message.1 & 0xffff_ffff).to_bits();
            dut.read_valid.next = shown[2];
            dut.read_header.next = header(read.0);
            dut.write_tvalid.next = shown[3];
            dut.write_theader.next = header(write.0);
            dut.write_tdata.next = write.1.to_bits();
            dut.write_tlast.next = write.2;
            dut.clock.next = false.into();
            assert!(simulate(dut, 20));
            let readies =
                [dut.completion_tready.val(), dut.message_ready.val(), dut.read_ready.val(), dut.write_tready.val()];
            if dut.tlp_tvalid.val() & dut.tlp_tready.val() {
                let header = dut.tlp_theader.val();
                let header = match header.get_bits::<32>(0).to_u64() {
                    0x4000_0001 => header.get_bits::<32>(64).to_u64(),
                    _ => header.get_bits::<64>(0).to_u64(),
                };
                self.sent.push((header, dut.tlp_tdata.val().to_u64(), dut.tlp_tlast.val()));
            }
            for i in 0..4 {
                if shown[i] && readies[i] {
                    let beat = self.waiting[i].pop_front().expect("it was shown");
                    if beat.2 {
                        self.taken.push(i as u64);
                    }
                    shown[i] = false;
                }
            }
            dut.clock.next = true.into();
            assert!(simulate(dut, 20));
            self.cycles += 1;
        }

        fn run(&mut self, valid: u32, ready: u32) {
            let mut shown = [false; 4];
            let mut idle = 0;
            while idle < 10 {
                self.cycle(&mut shown, valid, ready);
                idle = if self.waiting.iter().all(VecDeque::is_empty) { idle + usize::from(ready > 0) } else { 0 };
                assert!(self.cycles < 20_000, "wedged");
            }
        }
    }

    #[test]
    fn every_tlp_leaves_whole_in_the_order_in_which_they_were_taken() {
        for (valid, ready) in [(8, 8), (3, 8), (8, 3), (5, 5)] {
            let mut bench = Bench::new();
            let mut expected: [VecDeque<Vec<Beat>>; 4] = Default::default();
            for n in 0..40 {
                for from in 0..4 {
                    let beats = if from == 0 || from == 3 { n % 5 + 1 } else { 1 };
                    let tlp = tlp(from, n, beats);
                    bench.waiting[from as usize].extend(&tlp);
                    expected[from as usize].push_back(tlp);
                }
            }
            bench.run(valid, ready);
            let (mut rest, mut tlps) = (&bench.sent[..], 0);
            for &from in &bench.taken {
                let mut tlp = expected[from as usize].pop_front().expect("a TLP that was sent");
                for beat in &mut tlp {
                    // A message's data are 32 bits wide; a read has no payload.
                    beat.1 = if from == 1 { beat.1 & 0xffff_ffff } else { beat.1 };
                }
                let (found, after) = rest.split_at(tlp.len());
                for (found, expected) in found.iter().zip(&tlp) {
                    assert_eq!((found.0, found.2), (expected.0, expected.2));
                    assert!(from == 2 || found.1 == expected.1, "source {from}: {found:x?}, not {expected:x?}");
                }
                rest = after;
                tlps += 1;
            }
            assert_eq!((tlps, rest.len()), (160, 0));
            if (valid, ready) == (8, 8) {
                let beats: usize = bench.sent.len();
                assert!(bench.cycles <= beats + LATENCY + 10, "{beats} beats took {} cycles", bench.cycles);
                assert_eq!(bench.taken[..8], [0, 1, 2, 3, 0, 1, 2, 3], "in turn");
            }
        }
    }

    #[test]
    fn a_source_that_pauses_within_its_tlp_is_waited_for() {
        let mut bench = Bench::new();
        bench.waiting[3].push_back((3 << 16, 7, false));
        bench.waiting[0].extend(tlp(0, 1, 1));
        let mut shown = [false, false, false, true];
        bench.taken.push(9);
        // The write's first beat is taken alone, then only the completion asks.
        let completion = std::mem::take(&mut bench.waiting[0]);
        for _ in 0..LATENCY {
            bench.cycle(&mut shown, 8, 8);
        }
        bench.waiting[0] = completion;
        for _ in 0..5 {
            bench.cycle(&mut shown, 8, 8);
        }
        assert_eq!(bench.sent, [(3 << 16, 7, false)]);
        bench.waiting[3].push_back((3 << 16, 8, true));
        bench.run(8, 8);
        assert_eq!(bench.sent[1..], [(3 << 16, 8, true), tlp(0, 1, 1)[0]]);
    }

    #[test]
    fn an_interrupt_is_a_memory_write_of_one_dw_written_by_hand() {
        for (address, dws) in [
            (0xfee0_1004, [0x4000_0001u32, 0x0100_000f, 0xfee0_1004, 0]),
            (0x12_3456_7890, [0x6000_0001, 0x0100_000f, 0x12, 0x3456_7890]),
        ] {
            let mut bench = Bench::new();
            bench.dut.message_address.next = u64::to_bits(address);
            bench.dut.message_data.next = 0x0000_4021u64.to_bits();
            bench.dut.message_valid.next = true;
            for level in [false, true].repeat(LATENCY) {
                bench.dut.clock.next = level.into();
                assert!(simulate(&mut bench.dut, 20));
            }
            let header = bench.dut.tlp_theader.val();
            let found = [0, 32, 64, 96].map(|low| header.get_bits::<32>(low).to_u64());
            assert_eq!(found, dws.map(u64::from), "{address:#x}");
            assert_eq!(bench.dut.tlp_tdata.val().to_u64(), 0x4021);
            assert!(bench.dut.tlp_tvalid.val() & bench.dut.tlp_tlast.val());
        }
    }
}
