//! Takes the TLPs that arrive apart: requests to the completer, completions to the DMA engine, and nothing else passes.
//!
//! A request is passed on as exactly as many beats as its header says, so that nothing behind has to count: beats too many are
//! taken away, beats too few are made up and marked void. A completion passes as it came, for the DMA engine must know that it lied.
//!
//! | port                 | dir | width | meaning                                                                      |
//! |----------------------|-----|-------|------------------------------------------------------------------------------|
//! | `tlp_tdata`          | in  | W     | payload, first DW in the lowest lanes of the first beat                      |
//! | `tlp_theader`        | in  | 128   | DW0 in the lowest bits; bits 31:24 of a DW are its byte 0; same on all beats |
//! | `tlp_tbar`           | in  | 3     | the BAR a request hit                                                        |
//! | `tlp_tvalid`         | in  | 1     | a beat is present; a TLP without payload is one beat                         |
//! | `tlp_tlast`          | in  | 1     | last beat of the TLP                                                         |
//! | `tlp_tready`         | out | 1     | it is taken; a register; reset value 1                                       |
//! | `request_tdata`      | out | W     | payload                                                                      |
//! | `request_theader`    | out | 128   | the request's header                                                         |
//! | `request_bar`        | out | 3     | the BAR it hit                                                               |
//! | `request_kind`       | out | 2     | [`READ`], [`WRITE`], or [`UNSUPPORTED`]: wants a completion that refuses it  |
//! | `request_first`      | out | 1     | first beat of the request                                                    |
//! | `request_void`       | out | 1     | the TLP ended before this beat                                               |
//! | `request_tvalid`     | out | 1     | a beat is present; reset value 0                                             |
//! | `request_tlast`      | out | 1     | last beat of the request                                                     |
//! | `request_tready`     | in  | 1     | it is taken                                                                  |
//! | `completion_tdata`   | out | W     | payload                                                                      |
//! | `completion_theader` | out | 128   | the completion's header                                                      |
//! | `completion_tvalid`  | out | 1     | a beat is present; reset value 0                                             |
//! | `completion_tlast`   | out | 1     | last beat of the completion, as it came                                      |
//! | `completion_tready`  | in  | 1     | it is taken                                                                  |
//! | `malformed`          | out | 1     | pulse: a TLP was shorter or longer than its header says, or of no known type |
//!
//! Latency: [`LATENCY`] cycle. Throughput: one beat per cycle. Stalls when the one that a TLP is for does. Not reset: data registers.
//!
//! Messages are dropped (a root port sends some to every device). Locked reads, I/O and configuration requests, atomic operations and
//! deferrable writes are non-posted and must be answered: they are passed on as unsupported (PCIe 2.2.1, 2.3.1).

use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

use crate::skid_buffer::SkidBuffer;

/// Cycles from `tlp_tvalid` to `request_tvalid` or `completion_tvalid`.
pub const LATENCY: usize = 1;

/// `request_kind`: memory read.
pub const READ: u64 = 0;
/// `request_kind`: memory write.
pub const WRITE: u64 = 1;
/// `request_kind`: any other non-posted request.
pub const UNSUPPORTED: u64 = 2;

/// A header, the BAR it hit, and what that means.
#[derive(LogicStruct, Debug, Copy, Clone, PartialEq, Default)]
struct Tagged {
    header: Bits<128>,
    bar: Bits<3>,
    /// Of a request: see [`READ`] and those behind it.
    kind: Bits<2>,
    is_request: Bit,
    is_completion: Bit,
    /// Something that is dropped without a word.
    is_known: Bit,
    /// By its header it has one beat.
    is_short: Bit,
}

/// Bits of a [`Tagged`].
const TAGGED_BITS: usize = 137;

/// See the module's page.
#[derive(LogicBlock)]
pub struct TlpIngress<const W: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub tlp_tdata: Signal<In, Bits<W>>,
    pub tlp_theader: Signal<In, Bits<128>>,
    pub tlp_tbar: Signal<In, Bits<3>>,
    pub tlp_tvalid: Signal<In, Bit>,
    pub tlp_tlast: Signal<In, Bit>,
    pub tlp_tready: Signal<Out, Bit>,
    pub request_tdata: Signal<Out, Bits<W>>,
    pub request_theader: Signal<Out, Bits<128>>,
    pub request_bar: Signal<Out, Bits<3>>,
    pub request_kind: Signal<Out, Bits<2>>,
    pub request_first: Signal<Out, Bit>,
    pub request_void: Signal<Out, Bit>,
    pub request_tvalid: Signal<Out, Bit>,
    pub request_tlast: Signal<Out, Bit>,
    pub request_tready: Signal<In, Bit>,
    pub completion_tdata: Signal<Out, Bits<W>>,
    pub completion_theader: Signal<Out, Bits<128>>,
    pub completion_tvalid: Signal<Out, Bit>,
    pub completion_tlast: Signal<Out, Bit>,
    pub completion_tready: Signal<In, Bit>,
    pub malformed: Signal<Out, Bit>,
    // As it arrives.
    has_data: Signal<Local, Bit>,
    kind_of: Signal<Local, Bits<5>>,
    arriving_length: Signal<Local, Bits<10>>,
    arriving: Signal<Local, Tagged>,
    stage: SkidBuffer<W, TAGGED_BITS>,
    // A cycle later.
    shown: Signal<Local, Bits<TAGGED_BITS>>,
    header: Signal<Local, Bits<128>>,
    to_request: Signal<Local, Bit>,
    to_completion: Signal<Local, Bit>,
    known: Signal<Local, Bit>,
    // Beats.
    in_tlp: DFF<Bit>,
    /// Beats of this TLP that follow the one on show, by its header.
    left: DFF<Bits<10>>,
    left_now: Signal<Local, Bits<10>>,
    /// No beat is left behind the next one.
    last: DFF<Bit>,
    length_less_one: Signal<Local, Bits<10>>,
    expected_last: Signal<Local, Bit>,
    /// The TLP's last beat has been passed on, and void ones follow.
    ended: DFF<Bit>,
    /// All the TLP should have has been passed on, and there is more.
    excess: DFF<Bit>,
    padding: Signal<Local, Bit>,
    moves: Signal<Local, Bit>,
    taken: Signal<Local, Bit>,
    lies: Signal<Local, Bit>,
    bad: DFF<Bit>,
    lanes: Constant<Bits<10>>,
    lane_bits: Constant<Bits<4>>,
    read: Constant<Bits<2>>,
    write: Constant<Bits<2>>,
    unsupported: Constant<Bits<2>>,
}

impl<const W: usize> Default for TlpIngress<W> {
    fn default() -> Self {
        assert!(W.is_power_of_two() && (64..=512).contains(&W));
        let kind = |value: u64| Constant::new(value.to_bits());
        block! {
            Self {
                lanes: Constant::new((W as u64 / 32).to_bits()),
                lane_bits: Constant::new(((W / 32).ilog2() as u64).to_bits()),
                read: kind(READ),
                write: kind(WRITE),
                unsupported: kind(UNSUPPORTED),
            },
            clock, reset, tlp_tdata, tlp_theader, tlp_tbar, tlp_tvalid, tlp_tlast, tlp_tready, request_tdata,
            request_theader, request_bar, request_kind, request_first, request_void, request_tvalid, request_tlast,
            request_tready, completion_tdata, completion_theader, completion_tvalid, completion_tlast,
            completion_tready, malformed, has_data, kind_of, arriving_length, arriving, stage, shown, header,
            to_request, to_completion, known, in_tlp, left, left_now, last, length_less_one, expected_last, ended,
            excess, padding, moves, taken, lies, bad
        }
    }
}

impl<const W: usize> Logic for TlpIngress<W> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, in_tlp, left, last, ended, excess, bad);
        self.stage.clock.next = self.clock.val();
        self.stage.reset.next = self.reset.val();

        // What it is: fmt in bits 31:29, type in 28:24.
        self.has_data.next = self.tlp_theader.val().get_bit(30);
        self.kind_of.next = self.tlp_theader.val().get_bits::<5>(24);
        self.arriving_length.next = self.tlp_theader.val().get_bits::<10>(0);
        self.arriving.next.header = self.tlp_theader.val();
        self.arriving.next.bar = self.tlp_tbar.val();
        self.arriving.next.kind = self.unsupported.val();
        self.arriving.next.is_request = false;
        self.arriving.next.is_completion = false;
        self.arriving.next.is_known = false;
        // Memory.
        if self.kind_of.val() == 0b00000 {
            self.arriving.next.is_request = true;
            self.arriving.next.kind = self.read.val();
            if self.has_data.val() {
                self.arriving.next.kind = self.write.val();
            }
        }
        // Locked reads have no data.
        if (self.kind_of.val() == 0b00001) & !self.has_data.val() {
            self.arriving.next.is_request = true;
        }
        // I/O, configuration of type 0 and 1, fetch-and-add, swap, compare-and-swap, deferrable write (trusted configuration once).
        if (self.kind_of.val() == 0b00010)
            | (self.kind_of.val() == 0b00100)
            | (self.kind_of.val() == 0b00101)
            | (self.kind_of.val() == 0b11011)
            | (((self.kind_of.val() == 0b01100) | (self.kind_of.val() == 0b01101) | (self.kind_of.val() == 0b01110))
                & self.has_data.val())
        {
            self.arriving.next.is_request = true;
        }
        // Completions; those of locked reads answer nothing of ours.
        if (self.kind_of.val() == 0b01010) | (self.kind_of.val() == 0b01011) {
            self.arriving.next.is_known = true;
            self.arriving.next.is_completion = !self.kind_of.val().get_bit(0);
        }
        // Messages.
        if self.kind_of.val().get_bits::<2>(3) == 0b10 {
            self.arriving.next.is_known = true;
        }
        // A prefix.
        if self.tlp_theader.val().get_bit(31) {
            self.arriving.next.is_request = false;
            self.arriving.next.is_completion = false;
            self.arriving.next.is_known = false;
        }
        // A length of 0 means 1024 DWs.
        self.arriving.next.is_short = !self.has_data.val()
            | (self.arriving_length.val().any() & (self.arriving_length.val() <= self.lanes.val()));
        self.stage.source_data.next = self.tlp_tdata.val();
        self.stage.source_side.next = self.arriving.val().into();
        self.stage.source_valid.next = self.tlp_tvalid.val();
        self.stage.source_last.next = self.tlp_tlast.val();
        self.tlp_tready.next = self.stage.source_ready.val();

        self.shown.next = self.stage.sink_side.val();
        self.header.next = self.shown.val().get_bits::<128>(0);
        self.request_kind.next = self.shown.val().get_bits::<2>(131);
        self.to_request.next = self.shown.val().get_bit(133);
        self.to_completion.next = self.shown.val().get_bit(134);
        self.known.next = self.shown.val().get_bit(135);

        // Which of its beats.
        self.length_less_one.next = self.header.val().get_bits::<10>(0) - 1;
        self.left_now.next = self.left.q.val();
        if !self.in_tlp.q.val() {
            self.left_now.next = 0.into();
            if self.header.val().get_bit(30) {
                self.left_now.next = self.length_less_one.val() >> self.lane_bits.val();
            }
        }
        self.expected_last.next = self.last.q.val();
        if !self.in_tlp.q.val() {
            self.expected_last.next = self.shown.val().get_bit(136);
        }
        self.padding.next = self.to_request.val() & self.stage.sink_last.val() & !self.expected_last.val();

        self.request_tvalid.next = self.stage.sink_valid.val() & self.to_request.val() & !self.excess.q.val();
        self.request_tdata.next = self.stage.sink_data.val();
        self.request_theader.next = self.header.val();
        self.request_bar.next = self.shown.val().get_bits::<3>(128);
        self.request_first.next = !self.in_tlp.q.val();
        self.request_void.next = self.ended.q.val();
        self.request_tlast.next = self.expected_last.val();
        self.completion_tvalid.next = self.stage.sink_valid.val() & self.to_completion.val();
        self.completion_tdata.next = self.stage.sink_data.val();
        self.completion_theader.next = self.header.val();
        self.completion_tlast.next = self.stage.sink_last.val();

        self.moves.next = true;
        if self.to_request.val() & !self.excess.q.val() {
            self.moves.next = self.request_tready.val();
        }
        if self.to_completion.val() {
            self.moves.next = self.completion_tready.val();
        }
        self.stage.sink_ready.next = self.moves.val() & !self.padding.val();
        self.taken.next = self.stage.sink_valid.val() & self.moves.val();

        // A lie is found once: at the last beat that came, or at the last that should have come.
        self.lies.next =
            (self.stage.sink_last.val() != self.expected_last.val()) & !self.ended.q.val() & !self.excess.q.val();
        if self.taken.val() {
            self.in_tlp.d.next = !self.stage.sink_last.val() | self.padding.val();
            self.left.d.next = self.left_now.val() - 1;
            self.last.d.next = self.left_now.val() == 1;
            self.ended.d.next = self.padding.val();
            if self.expected_last.val() {
                self.excess.d.next = true;
                // What comes behind it is too much.
                self.last.d.next = true;
            }
            if self.stage.sink_last.val() & !self.padding.val() {
                self.excess.d.next = false;
            }
        }
        self.bad.d.next = self.taken.val() & self.lies.val();
        if !self.known.val() & !self.to_request.val() {
            self.bad.d.next = self.taken.val() & self.stage.sink_last.val();
        }
        self.malformed.next = self.bad.q.val();

        if self.reset.val() {
            self.in_tlp.d.next = false;
            self.ended.d.next = false;
            self.excess.d.next = false;
            self.bad.d.next = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const W: usize = 64;
    type Dut = TlpIngress<W>;

    /// One beat: header DW0, BAR, payload, last.
    #[derive(Clone, Copy, Debug, PartialEq)]
    struct Beat(u32, u64, u64, bool);

    /// What the block passed on: to the completer {DW0, BAR, kind, payload, first, void, last}, to the DMA engine {DW0, payload, last}.
    #[derive(Default, Debug)]
    struct Passed {
        requests: Vec<(u32, u64, u64, u64, bool, bool, bool)>,
        completions: Vec<(u32, u64, bool)>,
        malformed: usize,
        cycles: usize,
    }

    /// Feeds the beats; each side is ready in a share of the cycles (of 8).
    fn run(beats: &[Beat], ready: u32) -> Passed {
        let mut dut = Dut::default();
        dut.connect_all();
        let (mut passed, mut state, mut at, mut idle) = (Passed::default(), 0x9e37_79b9u32, 0, 0);
        dut.reset.next = true;
        edge(&mut dut);
        dut.reset.next = false;
        while at < beats.len() || idle < 24 {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            let beat = beats.get(at).copied();
            let Beat(dw0, bar, payload, last) = beat.unwrap_or(Beat(0, 0, 0, false));
            dut.tlp_tvalid.next = beat.is_some();
            dut.tlp_theader.next = (dw0 as u64).to_bits();
            dut.tlp_tbar.next = bar.to_bits();
            dut.tlp_tdata.next = payload.to_bits();
            dut.tlp_tlast.next = last;
            dut.request_tready.next = state >> 8 & 7 < ready;
            dut.completion_tready.next = state >> 16 & 7 < ready;
            dut.clock.next = false.into();
            assert!(simulate(&mut dut, 20));
            let header = dut.request_theader.val().get_bits::<32>(0).to_u64() as u32;
            if dut.request_tvalid.val() & dut.request_tready.val() {
                let (bar, kind) = (dut.request_bar.val().to_u64(), dut.request_kind.val().to_u64());
                let (first, void, last) = (dut.request_first.val(), dut.request_void.val(), dut.request_tlast.val());
                passed.requests.push((header, bar, kind, dut.request_tdata.val().to_u64(), first, void, last));
            }
            if dut.completion_tvalid.val() & dut.completion_tready.val() {
                passed.completions.push((header, dut.completion_tdata.val().to_u64(), dut.completion_tlast.val()));
            }
            passed.malformed += usize::from(dut.malformed.val());
            at += usize::from(beat.is_some() && dut.tlp_tready.val());
            idle = if beat.is_some() { 0 } else { idle + 1 };
            passed.cycles += 1;
            assert!(passed.cycles < 10_000, "wedged at beat {at}");
            edge(&mut dut);
        }
        passed
    }

    fn edge(dut: &mut Dut) {
        for level in [false, true] {
            dut.clock.next = level.into();
            assert!(simulate(dut, 20));
        }
    }

    /// A TLP of `beats` beats that holds its DW0 and its number in each payload.
    fn tlp(dw0: u32, bar: u64, beats: usize) -> Vec<Beat> {
        (0..beats).map(|b| Beat(dw0, bar, u64::from(dw0) << 16 | b as u64, b + 1 == beats)).collect()
    }

    const MRD32: u32 = 0x0000_0001;
    const MRD64: u32 = 0x2000_0010;
    const MWR32: u32 = 0x4000_0003;
    const MWR64: u32 = 0x6000_0002;
    const CPL: u32 = 0x0a00_0000;
    const CPLD: u32 = 0x4a00_0004;
    const MSG: u32 = 0x3400_0000;
    const MSGD: u32 = 0x7400_0001;

    #[test]
    fn tlps_go_where_their_type_says() {
        let beats = [
            tlp(MRD32, 0, 1),
            tlp(CPLD, 0, 2),
            tlp(MWR32, 2, 2),
            tlp(MSG, 0, 1),
            tlp(MSGD, 0, 1),
            tlp(MRD64, 2, 1),
            tlp(CPL, 0, 1),
            tlp(MWR64, 0, 1),
        ]
        .concat();
        for ready in [8, 3] {
            let passed = run(&beats, ready);
            let seen: Vec<_> = passed.requests.iter().map(|r| (r.0, r.1, r.2, r.4, r.5, r.6)).collect();
            assert_eq!(
                seen,
                [
                    (MRD32, 0, READ, true, false, true),
                    (MWR32, 2, WRITE, true, false, false),
                    (MWR32, 2, WRITE, false, false, true),
                    (MRD64, 2, READ, true, false, true),
                    (MWR64, 0, WRITE, true, false, true),
                ]
            );
            assert_eq!(passed.requests[2].3, u64::from(MWR32) << 16 | 1);
            let completion = u64::from(CPLD) << 16;
            assert_eq!(
                passed.completions,
                [(CPLD, completion, false), (CPLD, completion | 1, true), (CPL, u64::from(CPL) << 16, true)]
            );
            assert_eq!(passed.malformed, 0);
        }
    }

    #[test]
    fn every_other_non_posted_request_is_passed_on_as_unsupported() {
        // MRdLk (3 and 4 DW), IORd, IOWr, CfgRd0, CfgWr0, CfgRd1, CfgWr1, FetchAdd, Swap, CAS, DMWr.
        let requests = [0x01, 0x21, 0x02, 0x42, 0x04, 0x44, 0x05, 0x45, 0x4c, 0x6d, 0x4e, 0x5b];
        let mut unsupported = 0;
        for request in requests {
            let passed = run(&tlp(request << 24 | 1, 0, 1), 8);
            let kinds: Vec<_> = passed.requests.iter().map(|r| r.2).collect();
            assert_eq!((&kinds[..], passed.malformed), (&[UNSUPPORTED][..], 0), "type {request:#x}");
            unsupported += 1;
        }
        assert_eq!(unsupported, 12);
    }

    #[test]
    fn what_has_no_known_type_is_dropped_and_counted() {
        // A prefix, a completion of a locked read, an atomic operation without operand, a type that PCIe reserves.
        for (first_byte, malformed) in [(0x80u32, 1), (0x4b, 0), (0x0c, 1), (0x1f, 1)] {
            let passed = run(&[tlp(first_byte << 24 | 1, 0, 1), tlp(MRD32, 0, 1)].concat(), 8);
            assert_eq!((passed.requests.len(), passed.completions.len()), (1, 0), "{first_byte:#x}");
            assert_eq!(passed.malformed, malformed, "{first_byte:#x}");
        }
    }

    #[test]
    fn a_request_that_lies_has_as_many_beats_as_it_says_and_the_next_one_is_whole() {
        let mut compared = 0;
        for (says, has) in [(1u32, 1usize), (1, 2), (1, 5), (2, 1), (5, 1), (5, 4), (5, 5), (5, 6)] {
            for ready in [8, 4] {
                let write = MWR32 & !0x3ff | (2 * says - 1);
                let passed = run(&[tlp(write, 2, has), tlp(MWR64, 2, 1)].concat(), ready);
                assert_eq!(passed.requests.len(), says as usize + 1, "says {says}, has {has}");
                for (b, request) in passed.requests[..says as usize].iter().enumerate() {
                    assert_eq!((request.0, request.4, request.6), (write, b == 0, b + 1 == says as usize));
                    assert_eq!(request.5, b >= has, "void from beat {has} on");
                    assert!(request.5 || request.3 == u64::from(write) << 16 | b as u64);
                    compared += 1;
                }
                assert_eq!(passed.requests[says as usize].0, MWR64);
                assert_eq!(passed.malformed, usize::from(says as usize != has), "says {says}, has {has}");
            }
        }
        assert_eq!(compared, 2 * (1 + 1 + 1 + 2 + 5 + 5 + 5 + 5));
    }

    #[test]
    fn a_completion_that_lies_passes_as_it_came() {
        for (says, has) in [(4u32, 1usize), (4, 3), (1, 2)] {
            let passed = run(&[tlp(CPLD & !0x3ff | says, 0, has), tlp(CPL, 0, 1), tlp(MWR64, 0, 1)].concat(), 5);
            assert_eq!((passed.completions.len(), passed.requests.len(), passed.malformed), (has + 1, 1, 1));
            assert!(passed.completions[has - 1].2);
        }
    }

    #[test]
    fn a_length_of_zero_means_1024_dws_and_beats_pass_one_a_cycle() {
        let passed = run(&tlp(0x4000_0000, 2, 512), 8);
        assert_eq!((passed.requests.len(), passed.malformed), (512, 0));
        assert!(passed.cycles <= 512 + 24 + LATENCY, "{} cycles", passed.cycles);
    }
}
