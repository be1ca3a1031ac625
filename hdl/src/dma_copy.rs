//! Copies out of the cores' memories: to the host as memory writes, or into a core's memory.
//!
//! Requests are done in order. A copy to the host has settled when its TLP has been taken, one to a core when its last line has been written.
//!
//! | port              | dir | width | meaning                                                                           |
//! |-------------------|-----|-------|-----------------------------------------------------------------------------------|
//! | `requester`       | in  | 16    | the card's requester ID                                                           |
//! | `copy_valid`      | in  | 1     | a request                                                                         |
//! | `copy_ready`      | out | 1     | it is taken; reset value 1                                                        |
//! | `copy_to_host`    | in  | 1     | to the host, else to a core                                                       |
//! | `copy_far`        | in  | 64    | destination: a host address or, in the low 28 bits, a card address                |
//! | `copy_near`       | in  | 28    | source: a card address                                                            |
//! | `copy_length`     | in  | 10    | bytes: 1 to 512                                                                   |
//! | `copy_id`         | in  | 9     | the descriptor                                                                    |
//! | `read_valid`      | out | 1     | a line to read, see [`crate::memory_arbiter`]; reset value 0                      |
//! | `read_processor`  | out | 4     | from whose memory                                                                 |
//! | `read_address`    | out | 24    | byte address, a multiple of W/8                                                   |
//! | `read_grant`      | in  | 1     | it will come                                                                      |
//! | `read_data`       | in  | W     | the line granted [`crate::memory_arbiter::READ_LATENCY`] cycles ago               |
//! | `tlp_tdata`       | out | W     | payload of a memory write to the host; bytes that are not written are 0           |
//! | `tlp_theader`     | out | 128   | its header, the same on all beats                                                 |
//! | `tlp_tvalid`      | out | 1     | a beat is present; stays until it is taken; reset value 0                         |
//! | `tlp_tlast`       | out | 1     | last of its TLP                                                                   |
//! | `tlp_tready`      | in  | 1     | it is taken                                                                       |
//! | `write_valid`     | out | 1     | a line to write; stays until it is granted; reset value 0                         |
//! | `write_processor` | out | 4     | into whose memory                                                                 |
//! | `write_address`   | out | 24    | byte address, a multiple of W/8                                                   |
//! | `write_data`      | out | W     | bytes                                                                             |
//! | `write_strobe`    | out | W/8   | lanes to write                                                                    |
//! | `write_grant`     | in  | 1     | it is written                                                                     |
//! | `probe`           | in  | 9     | a descriptor                                                                      |
//! | `busy`            | out | 1     | two cycles later: requests of it have not settled                                 |
//! | `settle_valid`    | out | 1     | a request has settled; reset value 0                                              |
//! | `settle_channel`  | out | 5     | of this channel                                                                   |
//!
//! Latency: that of [`crate::memory_stream`] from `copy_valid` to the first beat. Throughput: one beat per cycle; requests follow each
//! other without a gap, one cycle is lost if the first byte's lane is lower than in the source. At most 8 requests are under way.

use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

use crate::concat::Concat;
use crate::dma_header::DmaHeader;
use crate::lane_mask::LaneMask;
use crate::many;
use crate::memory_stream::MemoryStream;
use crate::queue::Queue;
use crate::skid_buffer::SkidBuffer;

/// Requests under way.
const REQUESTS: usize = 8;

/// See the module's page. `KEEP` is W / 8.
#[derive(LogicBlock)]
pub struct DmaCopy<const W: usize, const KEEP: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub requester: Signal<In, Bits<16>>,
    pub copy_valid: Signal<In, Bit>,
    pub copy_ready: Signal<Out, Bit>,
    pub copy_to_host: Signal<In, Bit>,
    pub copy_far: Signal<In, Bits<64>>,
    pub copy_near: Signal<In, Bits<28>>,
    pub copy_length: Signal<In, Bits<10>>,
    pub copy_id: Signal<In, Bits<9>>,
    pub read_valid: Signal<Out, Bit>,
    pub read_processor: Signal<Out, Bits<4>>,
    pub read_address: Signal<Out, Bits<24>>,
    pub read_grant: Signal<In, Bit>,
    pub read_data: Signal<In, Bits<W>>,
    pub tlp_tdata: Signal<Out, Bits<W>>,
    pub tlp_theader: Signal<Out, Bits<128>>,
    pub tlp_tvalid: Signal<Out, Bit>,
    pub tlp_tlast: Signal<Out, Bit>,
    pub tlp_tready: Signal<In, Bit>,
    pub write_valid: Signal<Out, Bit>,
    pub write_processor: Signal<Out, Bits<4>>,
    pub write_address: Signal<Out, Bits<24>>,
    pub write_data: Signal<Out, Bits<W>>,
    pub write_strobe: Signal<Out, Bits<KEEP>>,
    pub write_grant: Signal<In, Bit>,
    pub probe: Signal<In, Bits<9>>,
    pub busy: Signal<Out, Bit>,
    pub settle_valid: Signal<Out, Bit>,
    pub settle_channel: Signal<Out, Bits<5>>,
    // Requests under way, in a ring.
    live: Vec<DFF<Bit>>,
    id: Vec<DFF<Bits<9>>>,
    matches: Vec<DFF<Bit>>,
    any_match: Concat<REQUESTS>,
    is_busy: DFF<Bit>,
    newest: DFF<Bits<3>>,
    oldest: DFF<Bits<3>>,
    place_free: Signal<Local, Bit>,
    /// There is room for a request: known a cycle after the one before was taken.
    may_take: DFF<Bit>,
    oldest_id: Signal<Local, Bits<9>>,
    accepted: Signal<Local, Bit>,
    stream: MemoryStream<W, KEEP>,
    /// Where the bytes go: to the host, address, length.
    order: Queue<75, 3, 4>,
    head: Signal<Local, Bits<75>>,
    maker: DmaHeader,
    // The request whose bytes come.
    active: DFF<Bit>,
    to_host: DFF<Bit>,
    header: DFF<Bits<128>>,
    processor: DFF<Bits<4>>,
    address: DFF<Bits<24>>,
    writes_line: Signal<Local, Bit>,
    moved: Signal<Local, Bit>,
    done: Signal<Local, Bit>,
    /// Lines to write and where, until they are granted.
    lines: SkidBuffer<W, KEEP>,
    places: SkidBuffer<24, 4>,
    sent: Signal<Local, Bit>,
    written: Signal<Local, Bit>,
    settles: DFF<Bit>,
    settled: DFF<Bit>,
    settled_channel: DFF<Bits<5>>,
    beat_mask: LaneMask<W, KEEP>,
    lane_bits: Constant<Bits<6>>,
    line_bits: Constant<Bits<24>>,
    line_bytes: Constant<Bits<24>>,
}

impl<const W: usize, const KEEP: usize> Default for DmaCopy<W, KEEP> {
    fn default() -> Self {
        assert!(KEEP * 8 == W);
        let keep = KEEP as u64;
        block! {
            Self {
                stream: MemoryStream::new(1, 512),
                order: Queue::with_late_pop(REQUESTS),
                live: many(REQUESTS),
                id: many(REQUESTS),
                matches: many(REQUESTS),
                lane_bits: Constant::new((keep - 1).to_bits()),
                line_bits: Constant::new((keep - 1).to_bits()),
                line_bytes: Constant::new(keep.to_bits()),
            },
            clock, reset, requester, copy_valid, copy_ready, copy_to_host, copy_far, copy_near, copy_length, copy_id,
            read_valid, read_processor, read_address, read_grant, read_data, tlp_tdata, tlp_theader, tlp_tvalid,
            tlp_tlast, tlp_tready, write_valid, write_processor, write_address, write_data, write_strobe, write_grant,
            probe, busy, settle_valid, settle_channel, any_match, is_busy, newest, oldest, place_free, may_take,
            oldest_id, accepted, head, maker, active, to_host, header, processor, address, writes_line, moved, done,
            lines, places, sent, written, settles, settled, settled_channel, beat_mask
        }
    }
}

impl<const W: usize, const KEEP: usize> Logic for DmaCopy<W, KEEP> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, is_busy, newest, oldest, active, to_host, header, processor, address, may_take);
        dff_setup!(self, clock, settles, settled, settled_channel);
        self.lines.clock.next = self.clock.val();
        self.lines.reset.next = self.reset.val();
        self.places.clock.next = self.clock.val();
        self.places.reset.next = self.reset.val();
        self.stream.clock.next = self.clock.val();
        self.stream.reset.next = self.reset.val();
        self.order.clock.next = self.clock.val();
        self.order.reset.next = self.reset.val();

        // Take a request.
        self.place_free.next = false;
        for r in 0..8 {
            if self.newest.q.val() == r.to_bits() {
                self.place_free.next = !self.live[r].q.val();
            }
        }
        self.copy_ready.next = self.may_take.q.val();
        self.accepted.next = self.copy_valid.val() & self.copy_ready.val();
        self.may_take.d.next =
            self.place_free.val() & self.stream.job_ready.val() & !self.order.full.val() & !self.accepted.val();
        self.newest.d.next = self.newest.q.val() + self.accepted.val();
        self.stream.job_valid.next = self.accepted.val();
        self.stream.job_processor.next = self.copy_near.val().get_bits::<4>(24);
        self.stream.job_address.next = self.copy_near.val().get_bits::<24>(0);
        self.stream.job_bytes.next = bit_cast::<17, 10>(self.copy_length.val());
        self.stream.job_lane.next = self.copy_far.val().get_bits::<6>(0) & self.lane_bits.val();
        if self.copy_to_host.val() {
            self.stream.job_lane.next = self.copy_far.val().get_bits::<6>(0) & 3;
        }
        self.order.push.next = self.accepted.val();
        self.order.push_data.next = (bit_cast::<75, 10>(self.copy_length.val()) << 65)
            | ((bit_cast::<75, 64>(self.copy_far.val()) << 1) + self.copy_to_host.val());

        // Its lines.
        self.read_valid.next = self.stream.read_valid.val();
        self.read_processor.next = self.stream.read_processor.val();
        self.read_address.next = self.stream.read_address.val();
        self.stream.read_grant.next = self.read_grant.val();
        self.stream.read_data.next = self.read_data.val();

        // Where they go.
        self.head.next = self.order.head_data.val();
        self.maker.writes.next = true;
        self.maker.address.next = self.head.val().get_bits::<64>(1);
        self.maker.length.next = bit_cast::<13, 10>(self.head.val().get_bits::<10>(65));
        self.maker.requester.next = self.requester.val();
        self.maker.tag.next = 0.into();
        self.beat_mask.lane.next = self.stream.beat_keep.val();
        // A TLP waits until the lines before it are written, so that requests settle in order.
        self.tlp_tvalid.next =
            self.active.q.val() & self.to_host.q.val() & self.stream.beat_valid.val() & !self.lines.sink_valid.val();
        self.tlp_tdata.next = self.stream.beat_data.val() & self.beat_mask.mask.val();
        self.tlp_theader.next = self.header.q.val();
        self.tlp_tlast.next = self.stream.beat_last.val();
        self.writes_line.next = self.active.q.val() & !self.to_host.q.val() & self.stream.beat_valid.val();
        self.lines.source_valid.next = self.writes_line.val();
        self.lines.source_data.next = self.stream.beat_data.val();
        self.lines.source_side.next = self.stream.beat_keep.val();
        self.lines.source_last.next = self.stream.beat_last.val();
        self.places.source_valid.next = self.writes_line.val();
        self.places.source_data.next = self.address.q.val();
        self.places.source_side.next = self.processor.q.val();
        self.places.source_last.next = true;
        self.moved.next =
            (self.tlp_tvalid.val() & self.tlp_tready.val()) | (self.writes_line.val() & self.lines.source_ready.val());
        self.stream.beat_ready.next = self.moved.val();
        self.done.next = self.moved.val() & self.stream.beat_last.val();
        if self.moved.val() {
            self.address.d.next = self.address.q.val() + self.line_bytes.val();
        }
        self.order.pop.next = self.done.val() | !self.active.q.val();
        if self.done.val() | !self.active.q.val() {
            self.active.d.next = self.order.head_valid.val();
            self.to_host.d.next = self.head.val().get_bit(0);
            self.header.d.next = self.maker.header.val();
            self.processor.d.next = self.head.val().get_bits::<4>(25);
            self.address.d.next = self.head.val().get_bits::<24>(1) & !self.line_bits.val();
        }

        // Write.
        self.write_valid.next = self.lines.sink_valid.val();
        self.write_processor.next = self.places.sink_side.val();
        self.write_address.next = self.places.sink_data.val();
        self.write_data.next = self.lines.sink_data.val();
        self.write_strobe.next = self.lines.sink_side.val();
        self.lines.sink_ready.next = self.write_grant.val();
        self.places.sink_ready.next = self.write_grant.val();

        // Which descriptors have something under way.
        self.sent.next = self.tlp_tvalid.val() & self.tlp_tready.val() & self.stream.beat_last.val();
        self.written.next = self.lines.sink_valid.val() & self.write_grant.val() & self.lines.sink_last.val();
        self.settles.d.next = (self.sent.val() | self.written.val()) & !self.reset.val();
        self.oldest.d.next = self.oldest.q.val() + self.settles.q.val();
        self.oldest_id.next = 0.into();
        for r in 0..8 {
            self.live[r].clock.next = self.clock.val();
            self.live[r].d.next = self.live[r].q.val();
            self.id[r].clock.next = self.clock.val();
            self.id[r].d.next = self.id[r].q.val();
            if self.oldest.q.val() == r.to_bits() {
                self.oldest_id.next = self.id[r].q.val();
                if self.settles.q.val() {
                    self.live[r].d.next = false;
                }
            }
            if self.accepted.val() & (self.newest.q.val() == r.to_bits()) {
                self.live[r].d.next = true;
                self.id[r].d.next = self.copy_id.val();
            }
            if self.reset.val() {
                self.live[r].d.next = false;
            }
            self.matches[r].clock.next = self.clock.val();
            self.matches[r].d.next = self.live[r].q.val() & (self.id[r].q.val() == self.probe.val());
            self.any_match.element[r].next = self.matches[r].q.val();
        }
        self.is_busy.d.next = self.any_match.value.val().any();
        self.busy.next = self.is_busy.q.val();
        self.settled.d.next = self.settles.q.val() & !self.reset.val();
        self.settled_channel.d.next = self.oldest_id.val().get_bits::<5>(4);
        self.settle_valid.next = self.settled.q.val();
        self.settle_channel.next = self.settled_channel.q.val();

        if self.reset.val() {
            self.newest.d.next = 0.into();
            self.oldest.d.next = 0.into();
            self.active.d.next = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emit::emit;
    use crate::memory_arbiter::READ_LATENCY;
    use crate::random::Random;
    use std::collections::{BTreeMap, VecDeque};

    /// What stands in the cores' memories.
    fn byte(at: u64) -> u8 {
        (at.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 44) as u8
    }

    /// Requests of every start and length to the host and to cores; the number of beats and of cycles it took.
    fn run<const W: usize, const KEEP: usize>(requests: &[(u64, u64, u64, bool)], stutter: bool) -> (u64, u64) {
        let mut dut = DmaCopy::<W, KEEP>::default();
        dut.connect_all();
        dut.requester.next = 0x0142.into();
        let mut random = Random::seeded(requests.len() as u64);
        let mut lines = VecDeque::from(vec![Bits::<W>::default(); READ_LATENCY]);
        let (mut taken, mut settled, mut beats, mut tlp) = (0, 0, 0, vec![]);
        let mut written: BTreeMap<(bool, u64), u8> = BTreeMap::new();
        let mut tlps = requests.iter().copied().filter(|(_, _, _, to_host)| *to_host);
        for cycle in 0..20_000u64 {
            dut.reset.next = cycle == 0;
            let may = |random: &mut Random| !stutter || random.below(2) == 0;
            dut.copy_valid.next = cycle > 0 && taken < requests.len();
            if let Some((near, far, length, to_host)) = requests.get(taken) {
                dut.copy_near.next = near.to_bits();
                dut.copy_far.next = far.to_bits();
                dut.copy_length.next = length.to_bits();
                dut.copy_to_host.next = *to_host;
                dut.copy_id.next = (taken as u64 % 512).to_bits();
            }
            dut.read_data.next = lines.pop_front().unwrap_or_default();
            let tlp_ready = may(&mut random);
            dut.tlp_tready.next = tlp_ready;
            dut.read_grant.next = false;
            dut.write_grant.next = false;
            dut.probe.next = (settled as u64 % 512).to_bits();
            assert!(simulate(&mut dut, 30));
            dut.read_grant.next = dut.read_valid.val() && may(&mut random);
            dut.write_grant.next = dut.write_valid.val() && may(&mut random);
            assert!(simulate(&mut dut, 30));
            let mut line = Bits::<W>::default();
            if dut.read_grant.val() {
                let at = dut.read_processor.val().to_u64() << 24 | dut.read_address.val().to_u64();
                line = (0..KEEP as u64)
                    .rev()
                    .fold(line, |all, lane| (all << 8) | bit_cast::<W, 8>(u64::from(byte(at + lane)).to_bits()));
            }
            lines.push_back(line);
            let lane_of = |data: Bits<W>, lane: usize| data.get_bits::<8>(8 * lane).to_u64() as u8;
            // What has settled is there.
            if cycle > 0 && dut.settle_valid.val() {
                let (near, far, length, to_host) = requests[settled];
                assert!(settled < taken);
                for offset in 0..length {
                    assert_eq!(
                        written.remove(&(to_host, far + offset)),
                        Some(byte(near + offset)),
                        "request {settled}"
                    );
                }
                settled += 1;
            }
            if cycle > 0 && dut.write_grant.val() {
                let at = dut.write_processor.val().to_u64() << 24 | dut.write_address.val().to_u64();
                assert_eq!(at % KEEP as u64, 0);
                for lane in (0..KEEP).filter(|lane| dut.write_strobe.val().get_bit(*lane)) {
                    written.insert((false, at + lane as u64), lane_of(dut.write_data.val(), lane));
                }
                beats += 1;
            }
            if cycle > 0 && dut.tlp_tvalid.val() && tlp_ready {
                tlp.extend((0..KEEP).map(|lane| lane_of(dut.tlp_tdata.val(), lane)));
                beats += 1;
                if dut.tlp_tlast.val() {
                    let (_, far, length, _) = tlps.next().expect("a request to the host");
                    let dws = (far % 4 + length).div_ceil(4);
                    assert_eq!(dut.tlp_theader.val().get_bits::<10>(0).to_u64(), dws);
                    assert_eq!(tlp.len(), (4 * dws as usize).next_multiple_of(KEEP));
                    for (offset, value) in tlp.drain(..).enumerate() {
                        let at = (far & !3) + offset as u64;
                        if (far..far + length).contains(&at) {
                            written.insert((true, at), value);
                        } else {
                            assert_eq!(value, 0, "what is not written does not leave the card");
                        }
                    }
                }
            }
            taken += usize::from(cycle > 0 && dut.copy_valid.val() && dut.copy_ready.val());
            for level in [true, false] {
                dut.clock.next = level.into();
                assert!(simulate(&mut dut, 30));
            }
            if settled == requests.len() {
                assert!(written.is_empty(), "more than was asked for");
                return (beats, cycle);
            }
        }
        panic!("{settled} of {} settled", requests.len());
    }

    fn some(count: usize, seed: u64) -> Vec<(u64, u64, u64, bool)> {
        let mut random = Random::seeded(seed);
        (0..count)
            .map(|_| {
                let to_host = random.below(2) == 0;
                let most = 1 + random.below(300);
                let (near, length) = (random.below(16) << 24 | random.below(1 << 20), 1 + random.below(most));
                let far = if to_host { random.below(1 << 30) << random.below(20) } else { random.below(1 << 24) };
                (near, far & !0xFFF | random.below(0x800), length, to_host)
            })
            .collect()
    }

    #[test]
    fn every_byte_goes_where_it_should_and_nothing_else_does() {
        for stutter in [false, true] {
            run::<64, 8>(&some(40, 1), stutter);
        }
        run::<128, 16>(&some(20, 2), true);
        run::<512, 64>(&some(8, 3), true);
    }

    #[test]
    fn requests_follow_each_other_without_a_gap() {
        for to_host in [false, true] {
            let requests: Vec<_> = (0..8).map(|n| (256 * n, 0x10_0000 + 256 * n, 256, to_host)).collect();
            let (beats, cycles) = run::<64, 8>(&requests, false);
            assert_eq!(beats, 8 * 32);
            assert!(cycles < beats + 20, "{cycles}");
        }
    }

    #[test]
    fn it_can_be_printed() {
        emit(&mut DmaCopy::<64, 8>::default(), "dma_copy").expect("64");
        emit(&mut DmaCopy::<512, 64>::default(), "dma_copy").expect("512");
    }
}
