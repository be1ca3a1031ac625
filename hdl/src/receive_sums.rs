//! Checks the IPv4 header checksum and the TCP or UDP checksum of each frame on its way from the frame buffer to the dispatch.
//!
//! Good means that the sum over all that the checksum covers is 0xFFFF. TCP and UDP are summed to the end that IP states, with the pseudo
//! header (RFC 9293 §3.1, RFC 768, RFC 8200 §8.1). Not checked: what the plan excludes; a packet that does not end within the frame; UDP
//! whose own length is not IP's; UDP over IPv4 whose checksum is 0. UDP over IPv6 without a checksum is bad.
//!
//! | port           | dir | width | meaning                                                                   |
//! |----------------|-----|-------|---------------------------------------------------------------------------|
//! | `beat_valid`   | in  | 1     | a beat arrives                                                            |
//! | `beat_data`    | in  | W     | its bytes                                                                 |
//! | `beat_keep`    | in  | W/8   | its lanes                                                                 |
//! | `beat_first`   | in  | 1     | first of a frame                                                          |
//! | `beat_last`    | in  | 1     | last of a frame                                                           |
//! | `beat_length`  | in  | 14    | bytes of the frame up to here                                             |
//! | `beat_discard` | in  | 2     | 0 keep, 1 runt, 2 oversize, 3 bad                                         |
//! | `beat_plan`    | in  | 72    | the frame's [`crate::checksum_plan::Plan`]                                |
//! | `out_valid`    | out | 1     | the beat leaves; reset value 0                                            |
//! | `out_data`     | out | W     | its bytes                                                                 |
//! | `out_keep`     | out | W/8   | its lanes                                                                 |
//! | `out_first`    | out | 1     | first of a frame                                                          |
//! | `out_last`     | out | 1     | last of a frame                                                           |
//! | `out_length`   | out | 14    | bytes of the frame up to here                                             |
//! | `out_discard`  | out | 2     | 0 keep, 1 runt, 2 oversize, 3 bad                                         |
//! | `out_checks`   | out | 4     | with `out_last`: IP in bits 1:0, TCP or UDP in 3:2; [`abi::receive::Check`] |
//! | `verdict_take` | out | 1     | the frame's verdict has been used: `out_valid` and `out_last`             |
//!
//! Latency: [`LATENCY`] cycles. Throughput: one beat per cycle. Never stalls.

use abi::receive::Check;
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

use crate::checksum::{self, Checksum};
use crate::checksum_plan::PLAN_BITS;
use crate::delay::Delay;
use crate::lane_mask::LaneMask;
use crate::many;
use crate::pairs_from::PairsFrom;

/// Cycles from `beat_valid` to `out_valid`: choose the lanes, sum, judge.
pub const LATENCY: usize = 1 + checksum::LATENCY + 1;

/// Stages behind the first in which what a frame's plan says travels beside its sums.
const STAGES: usize = checksum::LATENCY;

/// What the judgement of a frame needs beside its sums.
#[derive(LogicStruct, Debug, Copy, Clone, PartialEq, Default)]
struct Case {
    ip_check: Bit,
    /// Apart from what UDP's own fields say.
    transport_check: Bit,
    udp: Bit,
    ipv6: Bit,
}

/// What travels with a beat's bytes.
#[derive(LogicStruct, Debug, Copy, Clone, PartialEq, Default)]
struct Marks {
    first: Bit,
    last: Bit,
    length: Bits<14>,
    discard: Bits<2>,
}

/// See the module's page. `KEEP` is W / 8.
#[derive(LogicBlock)]
pub struct ReceiveSums<const W: usize, const KEEP: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub beat_valid: Signal<In, Bit>,
    pub beat_data: Signal<In, Bits<W>>,
    pub beat_keep: Signal<In, Bits<KEEP>>,
    pub beat_first: Signal<In, Bit>,
    pub beat_last: Signal<In, Bit>,
    pub beat_length: Signal<In, Bits<14>>,
    pub beat_discard: Signal<In, Bits<2>>,
    pub beat_plan: Signal<In, Bits<PLAN_BITS>>,
    pub out_valid: Signal<Out, Bit>,
    pub out_data: Signal<Out, Bits<W>>,
    pub out_keep: Signal<Out, Bits<KEEP>>,
    pub out_first: Signal<Out, Bit>,
    pub out_last: Signal<Out, Bit>,
    pub out_length: Signal<Out, Bits<14>>,
    pub out_discard: Signal<Out, Bits<2>>,
    pub out_checks: Signal<Out, Bits<4>>,
    pub verdict_take: Signal<Out, Bit>,
    // Lanes from a place on: 0 IP header, 1 behind it, 2 addresses, 3 behind them, 4 TCP or UDP, 5 UDP's length, 6 its checksum, 7 behind.
    places: Vec<PairsFrom<KEEP>>,
    behind: Signal<Local, Bits<14>>,
    end_ahead: DFF<Bits<14>>,
    end_now: Signal<Local, Bits<14>>,
    before_end: Signal<Local, Bits<KEEP>>,
    length: Signal<Local, Bits<16>>,
    addend: Signal<Local, Bits<17>>,
    // The beat with its lanes chosen.
    valid: DFF<Bit>,
    first: DFF<Bit>,
    last: DFF<Bit>,
    data: DFF<Bits<W>>,
    ip_lanes: DFF<Bits<KEEP>>,
    transport_lanes: DFF<Bits<KEEP>>,
    pseudo: DFF<Bits<17>>,
    length_lanes: DFF<Bits<KEEP>>,
    checksum_lanes: DFF<Bits<KEEP>>,
    swapped_length: DFF<Bits<16>>,
    ip: Checksum<W, KEEP>,
    transport: Checksum<W, KEEP>,
    // UDP's own fields, found in one beat or another.
    length_mask: LaneMask<W, KEEP>,
    checksum_mask: LaneMask<W, KEEP>,
    length_bytes: Signal<Local, Bits<W>>,
    checksum_bytes: Signal<Local, Bits<W>>,
    length_field: Signal<Local, Bits<16>>,
    checksum_field: Signal<Local, Bits<16>>,
    found_first: DFF<Bit>,
    found_length_here: DFF<Bit>,
    found_checksum_here: DFF<Bit>,
    found_length: DFF<Bits<16>>,
    found_checksum: DFF<Bits<16>>,
    expected_length: DFF<Bits<16>>,
    agrees: DFF<Bit>,
    has_checksum: DFF<Bit>,
    // The case travels beside the sums; element s is stage s + 1.
    case_now: Signal<Local, Case>,
    cases: Vec<DFF<Case>>,
    // From stage 3 on.
    agreements: Vec<DFF<Bit>>,
    checksums: Vec<DFF<Bit>>,
    judged: Signal<Local, Case>,
    agreed: Signal<Local, Bit>,
    had_checksum: Signal<Local, Bit>,
    ip_good: Signal<Local, Bit>,
    transport_good: Signal<Local, Bit>,
    transport_judged: Signal<Local, Bit>,
    ip_check: DFF<Bits<2>>,
    transport_check: DFF<Bits<2>>,
    // The beats in the meantime.
    valids: Vec<DFF<Bit>>,
    late_valid: Signal<Local, Bit>,
    late_data: Delay<W>,
    late_keep: Delay<KEEP>,
    marks: Signal<Local, Marks>,
    late_marks: Delay<18>,
    beat_bytes: Constant<Bits<14>>,
    all_ones: Constant<Bits<16>>,
    tcp_number: Constant<Bits<17>>,
    udp_number: Constant<Bits<17>>,
    good: Constant<Bits<2>>,
    bad: Constant<Bits<2>>,
    _lanes: usize,
    _pairs: usize,
    _cases: usize,
    _fields: usize,
    _latency: usize,
}

impl<const W: usize, const KEEP: usize> Default for ReceiveSums<W, KEEP> {
    fn default() -> Self {
        assert_eq!(KEEP * 8, W);
        block! {
            Self {
                places: many(8),
                cases: many(STAGES + 1),
                agreements: many(STAGES - 2),
                checksums: many(STAGES - 2),
                valids: many(LATENCY),
                late_data: Delay::new(LATENCY),
                late_keep: Delay::new(LATENCY),
                late_marks: Delay::new(LATENCY),
                beat_bytes: Constant::new((KEEP as u64).to_bits()),
                all_ones: Constant::new(Bits::<16>::mask()),
                tcp_number: Constant::new(0x0600u64.to_bits()),
                udp_number: Constant::new(0x1100u64.to_bits()),
                good: Constant::new((Check::Good as u64).to_bits()),
                bad: Constant::new((Check::Bad as u64).to_bits()),
                _lanes: KEEP,
                _pairs: KEEP / 2,
                _cases: STAGES + 1,
                _fields: STAGES - 2,
                _latency: LATENCY,
            },
            clock, reset, beat_valid, beat_data, beat_keep, beat_first, beat_last, beat_length, beat_discard, beat_plan,
            out_valid, out_data, out_keep, out_first, out_last, out_length, out_discard, out_checks, verdict_take,
            behind, end_ahead, end_now, before_end, length, addend, valid, first, last, data, ip_lanes, transport_lanes,
            pseudo, length_lanes, checksum_lanes, swapped_length, ip, transport, length_mask, checksum_mask,
            length_bytes, checksum_bytes, length_field, checksum_field, found_first, found_length_here,
            found_checksum_here, found_length, found_checksum, expected_length, agrees, has_checksum, case_now, judged,
            agreed, had_checksum, ip_good, transport_good, transport_judged, ip_check, transport_check, late_valid,
            marks
        }
    }
}

impl<const W: usize, const KEEP: usize> Logic for ReceiveSums<W, KEEP> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, end_ahead, valid, first, last, data, ip_lanes, transport_lanes, pseudo);
        dff_setup!(self, clock, length_lanes, checksum_lanes, swapped_length);
        dff_setup!(self, clock, found_first, found_length_here, found_checksum_here, found_length, found_checksum);
        dff_setup!(self, clock, expected_length, agrees, has_checksum, ip_check, transport_check);
        self.ip.clock.next = self.clock.val();
        self.ip.reset.next = self.reset.val();
        self.transport.clock.next = self.clock.val();
        self.transport.reset.next = self.reset.val();

        // Where the places are in this beat.
        for k in 0..8 {
            self.places[k].clock.next = self.clock.val();
            self.places[k].beat_valid.next = self.beat_valid.val();
            self.places[k].beat_first.next = self.beat_first.val();
        }
        self.places[0].place.next = self.beat_plan.val().get_bits::<8>(4);
        self.places[1].place.next = self.beat_plan.val().get_bits::<8>(12);
        self.places[2].place.next = self.beat_plan.val().get_bits::<8>(20);
        self.places[3].place.next = self.beat_plan.val().get_bits::<8>(28);
        self.places[4].place.next = self.beat_plan.val().get_bits::<8>(36);
        self.places[5].place.next = self.beat_plan.val().get_bits::<8>(36) + 2;
        self.places[6].place.next = self.beat_plan.val().get_bits::<8>(36) + 3;
        self.places[7].place.next = self.beat_plan.val().get_bits::<8>(36) + 4;
        self.behind.next = self.beat_plan.val().get_bits::<14>(44);
        self.end_now.next = self.end_ahead.q.val();
        if self.beat_first.val() {
            self.end_now.next = self.behind.val();
        }
        if self.beat_valid.val() {
            self.end_ahead.d.next = 0.into();
            if self.end_now.val() >= self.beat_bytes.val() {
                self.end_ahead.d.next = self.end_now.val() - self.beat_bytes.val();
            }
        }
        self.before_end.next = 0.into();
        for i in 0..self._lanes {
            self.before_end.next = self.before_end.val().replace_bit(i, self.end_now.val() > i.to_bits());
        }
        self.ip_lanes.d.next = self.places[0].lanes.val() & !self.places[1].lanes.val();
        self.transport_lanes.d.next = (self.places[2].lanes.val() & !self.places[3].lanes.val())
            | (self.places[4].lanes.val() & self.before_end.val());
        self.length_lanes.d.next = self.places[5].lanes.val() & !self.places[6].lanes.val();
        self.checksum_lanes.d.next = self.places[6].lanes.val() & !self.places[7].lanes.val();
        self.valid.d.next = self.beat_valid.val();
        self.first.d.next = self.beat_first.val();
        self.last.d.next = self.beat_last.val();
        self.data.d.next = self.beat_data.val();

        // The pseudo header's length and protocol, in the order of the lanes.
        self.length.next = bit_cast::<16, 14>(self.beat_plan.val().get_bits::<14>(58));
        self.swapped_length.d.next = (self.length.val() << 8) | (self.length.val() >> 8);
        self.addend.next = self.tcp_number.val();
        if self.beat_plan.val().get_bit(2) {
            self.addend.next = self.udp_number.val();
        }
        self.pseudo.d.next =
            bit_cast::<17, 16>((self.length.val() << 8) | (self.length.val() >> 8)) + self.addend.val();

        // Sum.
        self.ip.beat_valid.next = self.valid.q.val();
        self.ip.beat_first.next = self.first.q.val();
        self.ip.beat_last.next = self.last.q.val();
        self.ip.beat_data.next = self.data.q.val();
        self.ip.beat_lanes.next = self.ip_lanes.q.val();
        self.ip.beat_addend.next = 0.into();
        self.transport.beat_valid.next = self.valid.q.val();
        self.transport.beat_first.next = self.first.q.val();
        self.transport.beat_last.next = self.last.q.val();
        self.transport.beat_data.next = self.data.q.val();
        self.transport.beat_lanes.next = self.transport_lanes.q.val();
        self.transport.beat_addend.next = self.pseudo.q.val();

        // UDP's own fields.
        self.length_mask.lane.next = self.length_lanes.q.val();
        self.checksum_mask.lane.next = self.checksum_lanes.q.val();
        self.length_bytes.next = self.data.q.val() & self.length_mask.mask.val();
        self.checksum_bytes.next = self.data.q.val() & self.checksum_mask.mask.val();
        self.length_field.next = 0.into();
        self.checksum_field.next = 0.into();
        for h in 0..self._pairs {
            self.length_field.next = self.length_field.val() | self.length_bytes.val().get_bits::<16>(16 * h);
            self.checksum_field.next = self.checksum_field.val() | self.checksum_bytes.val().get_bits::<16>(16 * h);
        }
        self.found_first.d.next = self.valid.q.val() & self.first.q.val();
        self.found_length_here.d.next = self.valid.q.val() & self.length_lanes.q.val().any();
        self.found_checksum_here.d.next = self.valid.q.val() & self.checksum_lanes.q.val().any();
        self.found_length.d.next = self.length_field.val();
        self.found_checksum.d.next = self.checksum_field.val();
        self.expected_length.d.next = self.swapped_length.q.val();
        if self.found_first.q.val() {
            self.agrees.d.next = false;
            self.has_checksum.d.next = false;
        }
        if self.found_length_here.q.val() {
            self.agrees.d.next = self.found_length.q.val() == self.expected_length.q.val();
        }
        if self.found_checksum_here.q.val() {
            self.has_checksum.d.next = self.found_checksum.q.val().any();
        }

        // Beside the sums.
        self.case_now.next.ip_check = self.beat_plan.val().get_bit(0);
        self.case_now.next.transport_check =
            self.beat_plan.val().get_bit(1) & (self.behind.val() <= self.beat_length.val());
        self.case_now.next.udp = self.beat_plan.val().get_bit(2);
        self.case_now.next.ipv6 = self.beat_plan.val().get_bit(3);
        for s in 0..self._cases {
            self.cases[s].clock.next = self.clock.val();
        }
        self.cases[0].d.next = self.case_now.val();
        for s in 1..self._cases {
            self.cases[s].d.next = self.cases[s - 1].q.val();
        }
        for s in 0..self._fields {
            self.agreements[s].clock.next = self.clock.val();
            self.checksums[s].clock.next = self.clock.val();
        }
        self.agreements[0].d.next = self.agrees.q.val();
        self.checksums[0].d.next = self.has_checksum.q.val();
        for s in 1..self._fields {
            self.agreements[s].d.next = self.agreements[s - 1].q.val();
            self.checksums[s].d.next = self.checksums[s - 1].q.val();
        }

        // Judge. The last stage of each pipe has the last word.
        self.judged.next = self.case_now.val();
        for s in 0..self._cases {
            self.judged.next = self.cases[s].q.val();
        }
        self.agreed.next = false;
        self.had_checksum.next = false;
        for s in 0..self._fields {
            self.agreed.next = self.agreements[s].q.val();
            self.had_checksum.next = self.checksums[s].q.val();
        }
        self.ip_good.next = self.ip.sum.val() == self.all_ones.val();
        self.transport_good.next =
            (self.transport.sum.val() == self.all_ones.val()) & (!self.judged.val().udp | self.had_checksum.val());
        self.transport_judged.next = self.judged.val().transport_check
            & (!self.judged.val().udp | (self.agreed.val() & (self.had_checksum.val() | self.judged.val().ipv6)));
        self.ip_check.d.next = 0.into();
        if self.judged.val().ip_check & self.ip.sum_valid.val() {
            self.ip_check.d.next = self.bad.val();
            if self.ip_good.val() {
                self.ip_check.d.next = self.good.val();
            }
        }
        self.transport_check.d.next = 0.into();
        if self.transport_judged.val() & self.transport.sum_valid.val() {
            self.transport_check.d.next = self.bad.val();
            if self.transport_good.val() {
                self.transport_check.d.next = self.good.val();
            }
        }

        // The beats in the meantime.
        for s in 0..self._latency {
            self.valids[s].clock.next = self.clock.val();
        }
        self.valids[0].d.next = self.beat_valid.val() & !self.reset.val();
        for s in 1..self._latency {
            self.valids[s].d.next = self.valids[s - 1].q.val() & !self.reset.val();
        }
        self.late_valid.next = false;
        for s in 0..self._latency {
            self.late_valid.next = self.valids[s].q.val();
        }
        self.late_data.clock.next = self.clock.val();
        self.late_data.source.next = self.beat_data.val();
        self.late_keep.clock.next = self.clock.val();
        self.late_keep.source.next = self.beat_keep.val();
        self.late_marks.clock.next = self.clock.val();
        self.marks.next.first = self.beat_first.val();
        self.marks.next.last = self.beat_last.val();
        self.marks.next.length = self.beat_length.val();
        self.marks.next.discard = self.beat_discard.val();
        self.late_marks.source.next = self.marks.val().into();
        self.out_valid.next = self.late_valid.val();
        self.out_data.next = self.late_data.sink.val();
        self.out_keep.next = self.late_keep.sink.val();
        self.out_first.next = self.late_marks.sink.val().get_bit(0);
        self.out_last.next = self.late_marks.sink.val().get_bit(1);
        self.out_length.next = self.late_marks.sink.val().get_bits::<14>(2);
        self.out_discard.next = self.late_marks.sink.val().get_bits::<2>(16);
        self.out_checks.next =
            bit_cast::<4, 2>(self.ip_check.q.val()) | (bit_cast::<4, 2>(self.transport_check.q.val()) << 2);
        self.verdict_take.next = self.late_valid.val() & self.late_marks.sink.val().get_bit(1);

        if self.reset.val() {
            self.valid.d.next = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checksum_plan::Plan;

    /// UDP over IPv4, 9 bytes of payload, from 192.0.2.1 to 198.51.100.2, ports 7 and 9; checksums worked out by another program.
    const UDP: [u8; 51] = [
        0x04, 0x04, 0x04, 0x04, 0x04, 0x04, 0x02, 0x02, 0x02, 0x02, 0x02, 0x02, 0x08, 0x00, 0x45, 0x00, 0x00, 0x25,
        0x00, 0x00, 0x40, 0x00, 0x40, 0x11, 0x4E, 0x91, 0xC0, 0x00, 0x02, 0x01, 0xC6, 0x33, 0x64, 0x02, 0x00, 0x07,
        0x00, 0x09, 0x00, 0x11, 0xF7, 0x06, 0x0B, 0x30, 0x55, 0x7A, 0x9F, 0xC4, 0xE9, 0x0E, 0x33,
    ];

    fn plan() -> Bits<PLAN_BITS> {
        let plan = Plan {
            ip_check: true,
            transport_check: true,
            udp: true,
            ipv6: false,
            ip_from: 7.into(),
            ip_to: 17.into(),
            addresses_from: 13.into(),
            addresses_to: 17.into(),
            start: 17.into(),
            end: 51.into(),
            length: 17.into(),
        };
        plan.into()
    }

    /// Sends frames back to back; what is said of each, and whether all beats came back after the stated latency.
    fn run(frames: &[Vec<u8>]) -> Vec<u64> {
        let mut dut = ReceiveSums::<64, 8>::default();
        dut.connect_all();
        let beats: Vec<(Vec<u8>, bool, bool, usize)> = frames
            .iter()
            .flat_map(|frame| {
                let count = frame.len().div_ceil(8);
                let beat =
                    move |(at, bytes): (usize, &[u8])| (bytes.to_vec(), at == 0, at + 1 == count, 8 * at + bytes.len());
                frame.chunks(8).enumerate().map(beat)
            })
            .collect();
        let (mut said, mut returned) = (vec![], 0);
        for cycle in 0..beats.len() + LATENCY {
            dut.beat_valid.next = cycle < beats.len();
            if let Some((bytes, first, last, length)) = beats.get(cycle) {
                let mut lanes = [0xA5; 8];
                lanes[..bytes.len()].copy_from_slice(bytes);
                dut.beat_data.next = u64::from_le_bytes(lanes).to_bits();
                dut.beat_keep.next = ((1u64 << bytes.len()) - 1).to_bits();
                dut.beat_first.next = *first;
                dut.beat_last.next = *last;
                dut.beat_length.next = (*length as u64).to_bits();
                dut.beat_plan.next = plan();
            }
            dut.clock.next = false.into();
            assert!(simulate(&mut dut, 10));
            assert_eq!(dut.out_valid.val(), cycle >= LATENCY);
            if dut.out_valid.val() {
                let (bytes, first, last, length) = &beats[cycle - LATENCY];
                let data = dut.out_data.val().to_u64().to_le_bytes();
                assert_eq!(&data[..bytes.len()], bytes);
                assert_eq!((dut.out_first.val(), dut.out_last.val()), (*first, *last));
                assert_eq!(dut.out_length.val().to_u64(), *length as u64);
                assert_eq!(dut.verdict_take.val(), *last);
                if *last {
                    said.push(dut.out_checks.val().to_u64());
                }
                returned += 1;
            }
            dut.clock.next = true.into();
            assert!(simulate(&mut dut, 10));
        }
        assert_eq!(returned, beats.len());
        said
    }

    #[test]
    fn frames_back_to_back_are_judged_each_by_itself() {
        let change = |at: usize, to: u8| {
            let mut frame = UDP.to_vec();
            frame[at] = to;
            frame
        };
        let mut padded = UDP.to_vec();
        padded.extend([0xA5; 9]);
        let mut without = UDP.to_vec();
        without[40..42].fill(0);
        let frames = [
            UDP.to_vec(),
            change(50, 0x34), // payload
            change(22, 0x3F), // time to live
            padded,
            change(29, 0x03), // source address
            change(39, 0x12), // UDP's length
            without,
            UDP[..50].to_vec(), // cut
            UDP.to_vec(),
        ];
        // UDP in the high two bits, IP in the low two: 0 none, 1 good, 2 bad.
        assert_eq!(run(&frames), [0b0101, 0b1001, 0b0110, 0b0101, 0b1010, 0b0001, 0b0001, 0b0001, 0b0101]);
    }
}
