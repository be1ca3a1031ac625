//! Reads from the host: gives each request a tag, sends it, and says of every completion where its payload goes.
//!
//! Any number of the 32 tags are under way, and completions of different tags come in any order. [`crate::dma_judge`] judges them.
//!
//! | port               | dir | width | meaning                                                                              |
//! |--------------------|-----|-------|--------------------------------------------------------------------------------------|
//! | `requester`        | in  | 16    | the card's requester ID                                                              |
//! | `timeout`          | in  | 32    | cycles a request may take, up to about half as many more; 0 for ever                       |
//! | `read_valid`       | in  | 1     | a request                                                                            |
//! | `read_ready`       | out | 1     | it is taken; a register; reset value 1                                               |
//! | `read_far`         | in  | 64    | the host's address                                                                   |
//! | `read_near`        | in  | 28    | the card address                                                                     |
//! | `read_length`      | in  | 13    | bytes                                                                                |
//! | `read_id`          | in  | 9     | the descriptor                                                                       |
//! | `request_valid`    | out | 1     | MRd to send; stays until it is taken; reset value 0                                  |
//! | `request_ready`    | in  | 1     | it is taken                                                                          |
//! | `request_header`   | out | 128   | its header                                                                           |
//! | `head_valid`       | in  | 1     | a completion                                                                         |
//! | `head`             | in  | 40    | what matters of its header, see [`crate::dma_completion::Head`]                      |
//! | `head_take`        | out | 1     | it is dealt with                                                                     |
//! | `fill_valid`       | out | 1     | a payload, or the end of a request; stays until it is taken; reset value 0           |
//! | `fill_ready`       | in  | 1     | it is taken                                                                          |
//! | `fill`             | out | 64    | what to do, see [`crate::dma_judge::Fill`]                                                             |
//! | `settle_valid`     | in  | 1     | a request that ended has settled: all its bytes are in memory                        |
//! | `settle_tag`       | in  | 5     | its tag                                                                              |
//! | `settle_lost`      | in  | 1     | more completions may come                                                            |
//! | `probe`            | in  | 9     | a descriptor                                                                         |
//! | `busy`             | out | 1     | two cycles later: requests of it have not settled                                    |
//! | `unexpected`       | out | 1     | pulse: a completion that no request waits for was dropped                            |
//! | `timed_out`        | out | 1     | pulse: a request's time was up                                                       |
//!
//! Latency: [`REQUEST_LATENCY`] cycles from `read_valid` to `request_valid`, [`FILL_LATENCY`] from `head_valid` to `fill_valid`.
//! Throughput: one request per two cycles, one completion per four.
//! Implements: PCI Express Base 3.0, 2.3.1.1 (completions: any split, any order between tags), 2.3.2, 2.8 (completion timeout).

use abi::dma::TAGS;
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

use crate::concat::Concat;
use crate::dma_completion::HEAD_BITS;
use crate::dma_header::DmaHeader;
use crate::dma_judge::{self, DmaJudge, FILL_BITS, PROGRESS_BITS, Progress};
use crate::dma_tag::DmaTag;
use crate::many;
use crate::memory::{Collision, Memory};

/// Cycles from `read_valid` to `request_valid`: take, give a tag, build.
pub const REQUEST_LATENCY: usize = 3;

/// Cycles from `head_valid` to `fill_valid`.
pub const FILL_LATENCY: usize = dma_judge::LATENCY;

/// See the module's page.
#[derive(LogicBlock)]
pub struct DmaRead {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub requester: Signal<In, Bits<16>>,
    pub timeout: Signal<In, Bits<32>>,
    pub read_valid: Signal<In, Bit>,
    pub read_ready: Signal<Out, Bit>,
    pub read_far: Signal<In, Bits<64>>,
    pub read_near: Signal<In, Bits<28>>,
    pub read_length: Signal<In, Bits<13>>,
    pub read_id: Signal<In, Bits<9>>,
    pub request_valid: Signal<Out, Bit>,
    pub request_ready: Signal<In, Bit>,
    pub request_header: Signal<Out, Bits<128>>,
    pub head_valid: Signal<In, Bit>,
    pub head: Signal<In, Bits<HEAD_BITS>>,
    pub head_take: Signal<Out, Bit>,
    pub fill_valid: Signal<Out, Bit>,
    pub fill_ready: Signal<In, Bit>,
    pub fill: Signal<Out, Bits<FILL_BITS>>,
    pub settle_valid: Signal<In, Bit>,
    pub settle_tag: Signal<In, Bits<5>>,
    pub settle_lost: Signal<In, Bit>,
    pub probe: Signal<In, Bits<9>>,
    pub busy: Signal<Out, Bit>,
    pub unexpected: Signal<Out, Bit>,
    pub timed_out: Signal<Out, Bit>,
    tags: Vec<DmaTag>,
    // Time.
    elapsed: DFF<Bits<32>>,
    half_over: DFF<Bit>,
    ticks: DFF<Bit>,
    // A tag to give to the next request.
    search: DFF<Bits<5>>,
    search_free: Signal<Local, Bit>,
    has_spare: DFF<Bit>,
    spare: DFF<Bits<5>>,
    // The request that was taken and has no tag yet.
    asks: DFF<Bit>,
    ask_far: DFF<Bits<64>>,
    ask_near: DFF<Bits<28>>,
    ask_length: DFF<Bits<13>>,
    ask_id: DFF<Bits<9>>,
    ask_matches: DFF<Bit>,
    // The request that is built.
    accepted: Signal<Local, Bit>,
    builds: DFF<Bit>,
    build_far: DFF<Bits<64>>,
    build_length: DFF<Bits<13>>,
    build_tag: DFF<Bits<5>>,
    maker: DmaHeader,
    waits: DFF<Bit>,
    wait_header: DFF<Bits<128>>,
    wait_tag: DFF<Bits<5>>,
    sent: Signal<Local, Bit>,
    progress: Memory<PROGRESS_BITS, 5>,
    first_progress: Signal<Local, Progress>,
    // A tag whose time is up.
    watch: DFF<Bits<5>>,
    watch_expired: Signal<Local, Bit>,
    expires: DFF<Bit>,
    expired_tag: DFF<Bits<5>>,
    judge: DmaJudge,
    tag_open: Signal<Local, Bit>,
    tag_lost: Signal<Local, Bit>,
    tag_expired: Signal<Local, Bit>,
    any_busy: Concat<32>,
    is_busy: DFF<Bit>,
}

impl Default for DmaRead {
    fn default() -> Self {
        assert_eq!(TAGS, 32);
        block! {
            Self {
                tags: many(TAGS),
                // A request's progress is read long after it was written.
                progress: Memory::new(TAGS, Collision::Discarded),
            },
            clock, reset, requester, timeout, read_valid, read_ready, read_far, read_near, read_length, read_id,
            request_valid, request_ready, request_header, head_valid, head, head_take, fill_valid, fill_ready, fill,
            settle_valid, settle_tag, settle_lost, probe, busy, unexpected, timed_out, elapsed, half_over, ticks,
            search, search_free, has_spare, spare, asks, ask_far, ask_near, ask_length, ask_id, ask_matches, accepted,
            builds, build_far, build_length, build_tag, maker, waits, wait_header, wait_tag, sent, first_progress,
            watch, watch_expired, expires, expired_tag, judge, tag_open, tag_lost, tag_expired, any_busy, is_busy
        }
    }
}

impl Logic for DmaRead {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, elapsed, half_over, ticks, search, has_spare, spare, builds, build_far, build_length);
        dff_setup!(self, clock, build_tag, waits, wait_header, wait_tag, watch, expires, expired_tag, is_busy);
        dff_setup!(self, clock, asks, ask_far, ask_near, ask_length, ask_id, ask_matches);
        self.judge.clock.next = self.clock.val();
        self.judge.reset.next = self.reset.val();
        self.progress.clock.next = self.clock.val();

        // Halves of the time a request may take.
        self.elapsed.d.next = self.elapsed.q.val() + 1;
        self.half_over.d.next = self.elapsed.q.val() >= bit_cast::<32, 31>(self.timeout.val().get_bits::<31>(1));
        self.ticks.d.next = self.half_over.q.val() & self.timeout.val().any();
        if self.half_over.q.val() {
            self.elapsed.d.next = 0.into();
            self.half_over.d.next = false;
        }

        // Look for a free tag, one a cycle.
        self.search_free.next = false;
        self.watch_expired.next = false;
        self.tag_open.next = false;
        self.tag_lost.next = false;
        self.tag_expired.next = false;
        for t in 0..32 {
            if self.search.q.val() == t.to_bits() {
                self.search_free.next = self.tags[t].free.val();
            }
            if self.watch.q.val() == t.to_bits() {
                self.watch_expired.next = self.tags[t].expired.val();
            }
            if self.judge.tag.val() == t.to_bits() {
                self.tag_open.next = self.tags[t].open.val();
                self.tag_lost.next = self.tags[t].lost.val();
                self.tag_expired.next = self.tags[t].expired.val();
            }
        }

        // Take a request; it gets a tag when there is one and the memory of progress has a cycle for it.
        self.read_ready.next = !self.asks.q.val();
        self.accepted.next =
            self.asks.q.val() & self.has_spare.q.val() & !self.builds.q.val() & !self.judge.judging.val();
        if self.accepted.val() {
            self.asks.d.next = false;
        }
        if !self.asks.q.val() {
            self.asks.d.next = self.read_valid.val();
            self.ask_far.d.next = self.read_far.val();
            self.ask_near.d.next = self.read_near.val();
            self.ask_length.d.next = self.read_length.val();
            self.ask_id.d.next = self.read_id.val();
        }
        if !self.has_spare.q.val() {
            self.search.d.next = self.search.q.val() + 1;
            self.spare.d.next = self.search.q.val();
            self.has_spare.d.next = self.search_free.val();
        }
        if self.accepted.val() {
            self.has_spare.d.next = false;
        }

        // Build the request, send it.
        self.first_progress.next.near = self.ask_near.q.val();
        self.first_progress.next.lower_address = self.ask_far.q.val().get_bits::<7>(0);
        self.first_progress.next.missing = self.ask_length.q.val();
        self.first_progress.next.id = self.ask_id.q.val();
        if self.accepted.val() {
            self.builds.d.next = true;
            self.build_far.d.next = self.ask_far.q.val();
            self.build_length.d.next = self.ask_length.q.val();
            self.build_tag.d.next = self.spare.q.val();
        }
        self.maker.writes.next = false;
        self.maker.address.next = self.build_far.q.val();
        self.maker.length.next = self.build_length.q.val();
        self.maker.requester.next = self.requester.val();
        self.maker.tag.next = bit_cast::<8, 5>(self.build_tag.q.val());
        self.sent.next = self.waits.q.val() & self.request_ready.val();
        if self.sent.val() {
            self.waits.d.next = false;
        }
        if self.builds.q.val() & (self.sent.val() | !self.waits.q.val()) {
            self.builds.d.next = false;
            self.waits.d.next = true;
            self.wait_header.d.next = self.maker.header.val();
            self.wait_tag.d.next = self.build_tag.q.val();
        }
        self.request_valid.next = self.waits.q.val();
        self.request_header.next = self.wait_header.q.val();

        // Look for a tag whose time is up, one a cycle.
        if !self.expires.q.val() {
            self.watch.d.next = self.watch.q.val() + 1;
            self.expires.d.next = self.watch_expired.val();
            self.expired_tag.d.next = self.watch.q.val();
        }

        if self.judge.expires_take.val() {
            self.expires.d.next = false;
        }

        // Completions.
        self.judge.head_valid.next = self.head_valid.val();
        self.judge.head.next = self.head.val();
        self.head_take.next = self.judge.head_take.val();
        self.judge.expires_valid.next = self.expires.q.val();
        self.judge.expires_tag.next = self.expired_tag.q.val();
        self.judge.tag_open.next = self.tag_open.val();
        self.judge.tag_lost.next = self.tag_lost.val();
        self.judge.tag_expired.next = self.tag_expired.val();
        self.fill_valid.next = self.judge.fill_valid.val();
        self.fill.next = self.judge.fill.val();
        self.judge.fill_ready.next = self.fill_ready.val();
        self.unexpected.next = self.judge.unexpected.val();
        self.timed_out.next = self.judge.timed_out.val();

        // How far requests have come: written when one is taken or goes on.
        self.progress.read_address.next = self.judge.tag.val();
        self.judge.progress.next = self.progress.read_data.val();
        self.progress.write_enable.next = self.accepted.val() | self.judge.go_on.val();
        self.progress.write_address.next = self.spare.q.val();
        self.progress.write_data.next = self.first_progress.val().into();
        if self.judge.judging.val() {
            self.progress.write_address.next = self.judge.tag.val();
            self.progress.write_data.next = self.judge.progress_next.val();
        }

        // Tell the tags.
        for t in 0..32 {
            self.tags[t].clock.next = self.clock.val();
            self.tags[t].reset.next = self.reset.val();
            self.tags[t].take.next = self.accepted.val() & (self.spare.q.val() == t.to_bits());
            self.tags[t].take_id.next = self.ask_id.q.val();
            self.tags[t].send.next = self.sent.val() & (self.wait_tag.q.val() == t.to_bits());
            self.tags[t].close.next = self.judge.close.val() & (self.judge.tag.val() == t.to_bits());
            self.tags[t].settle.next = self.settle_valid.val() & (self.settle_tag.val() == t.to_bits());
            self.tags[t].lose.next = self.settle_lost.val();
            self.tags[t].forget.next = self.judge.forget.val() & (self.judge.tag.val() == t.to_bits());
            self.tags[t].tick.next = self.ticks.q.val();
            self.tags[t].probe.next = self.probe.val();
            self.any_busy.element[t].next = self.tags[t].busy.val();
        }
        self.ask_matches.d.next = self.asks.q.val() & (self.ask_id.q.val() == self.probe.val());
        self.is_busy.d.next = self.any_busy.value.val().any() | self.ask_matches.q.val();
        self.busy.next = self.is_busy.q.val();

        if self.reset.val() {
            self.elapsed.d.next = 0.into();
            self.has_spare.d.next = false;
            self.asks.d.next = false;
            self.builds.d.next = false;
            self.waits.d.next = false;
            self.expires.d.next = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dma_completion::Head;
    use crate::emit::emit;

    /// What the judge passed on: has data, writes, ends, lost, card address, lane, last byte, status, tag, descriptor.
    type Verdict = [u64; 10];

    /// A completion: DWs, byte count, lower address, status, with data, poisoned.
    type Answer = (u64, u64, u64, u64, bool, bool);

    struct Bench {
        dut: DmaRead,
        /// Tag and header of each request that was sent.
        sent: Vec<(u32, [u32; 4])>,
        verdicts: Vec<Verdict>,
        unexpected: usize,
        timed_out: usize,
        /// Ends settle at once.
        settles: bool,
    }

    impl Bench {
        fn new(timeout: u64) -> Self {
            let mut dut = DmaRead::default();
            dut.connect_all();
            dut.requester.next = 0x0142.into();
            dut.timeout.next = timeout.to_bits();
            dut.request_ready.next = true;
            dut.fill_ready.next = true;
            let mut bench = Self { dut, sent: vec![], verdicts: vec![], unexpected: 0, timed_out: 0, settles: true };
            bench.dut.reset.next = true;
            bench.cycle();
            bench.dut.reset.next = false;
            bench
        }

        /// One cycle; whether a request was taken, and a completion.
        fn cycle(&mut self) -> (bool, bool) {
            let dut = &mut self.dut;
            assert!(simulate(dut, 10));
            let taken = (dut.read_valid.val() && dut.read_ready.val(), dut.head_take.val());
            if dut.request_valid.val() && dut.request_ready.val() {
                let header = [0, 32, 64, 96].map(|dw| dut.request_header.val().get_bits::<32>(dw).to_u64() as u32);
                self.sent.push((header[1] >> 8 & 0xFF, header));
            }
            let mut settle = None;
            if dut.fill_valid.val() && !dut.reset.val() {
                let places = [(0, 1), (1, 1), (2, 1), (3, 1), (4, 28), (32, 2), (34, 12), (46, 4), (50, 5), (55, 9)];
                let fill = dut.fill.val().to_u64();
                let verdict = places.map(|(low, width)| fill >> low & ((1 << width) - 1));
                self.verdicts.push(verdict);
                settle = (verdict[2] == 1 && self.settles).then_some((verdict[8], verdict[3] == 1));
            }
            self.unexpected += usize::from(dut.unexpected.val());
            self.timed_out += usize::from(dut.timed_out.val());
            for level in [true, false] {
                dut.clock.next = level.into();
                assert!(simulate(dut, 10));
            }
            dut.settle_valid.next = settle.is_some();
            if let Some((tag, lost)) = settle {
                dut.settle_tag.next = tag.to_bits();
                dut.settle_lost.next = lost;
            }
            taken
        }

        fn idle(&mut self, cycles: usize) {
            for _ in 0..cycles {
                self.cycle();
            }
        }

        /// Asks for bytes and gives the tag that the request was sent with.
        fn read(&mut self, far: u64, near: u64, length: u64, id: u64) -> u64 {
            self.dut.read_valid.next = true;
            self.dut.read_far.next = far.to_bits();
            self.dut.read_near.next = near.to_bits();
            self.dut.read_length.next = length.to_bits();
            self.dut.read_id.next = id.to_bits();
            let (mut cycles, sent) = (0, self.sent.len());
            while self.sent.len() == sent {
                self.dut.read_valid.next &= !self.cycle().0;
                cycles += 1;
                assert!(cycles < 100, "no tag");
            }
            self.idle(4);
            assert_eq!(self.sent.len(), sent + 1);
            self.sent[sent].0.into()
        }

        /// A completion comes.
        fn complete(&mut self, tag: u64, (dws, count, lower, status, data, poisoned): Answer) {
            let head = Head {
                length: (dws % 1024).to_bits(),
                byte_count: (count % 4096).to_bits(),
                lower_address: lower.to_bits(),
                tag: tag.to_bits(),
                status: status.to_bits(),
                poisoned,
                has_data: data,
                ours: true,
            };
            self.dut.head.next = head.into();
            self.dut.head_valid.next = true;
            while !self.cycle().1 {}
            self.dut.head_valid.next = false;
            self.idle(8);
        }

        fn is_busy(&mut self, id: u64) -> bool {
            self.dut.probe.next = id.to_bits();
            self.idle(2);
            assert!(simulate(&mut self.dut, 10));
            self.dut.busy.val()
        }
    }

    #[test]
    fn payloads_go_on_where_the_one_before_ended_and_the_last_byte_ends_the_request() {
        let mut bench = Bench::new(0);
        bench.settles = false;
        let tag = bench.read(0x1_0000_103D, 0x0300_0FFE, 200, 0x155);
        assert_eq!(bench.sent[0].1, [0x2000_0033, 0x0142_001E | (tag as u32) << 8, 1, 0x103C]);
        assert!(bench.is_busy(0x155) && !bench.is_busy(0x154));
        // 3 bytes up to 0x40, 64 up to 0x80, 128 up to 0x100, 5 more.
        for (dws, count, lower) in [(1, 200, 0x3D), (16, 197, 0x40), (32, 133, 0x00), (2, 5, 0x00)] {
            bench.complete(tag, (dws, count, lower, 0, true, false));
        }
        let row = |ends, near, lane, bytes: u64| [1, 1, ends, 0, near, lane, bytes - 1, 0, tag, 0x155];
        let (a, b, c) = (0x0300_1001, 0x0300_1041, 0x0300_10C1);
        assert_eq!(bench.verdicts, [row(0, 0x0300_0FFE, 1, 3), row(0, a, 0, 64), row(0, b, 0, 128), row(1, c, 0, 5)]);
        assert!(bench.is_busy(0x155), "it has not settled");
        bench.dut.settle_valid.next = true;
        bench.dut.settle_tag.next = tag.to_bits();
        bench.cycle();
        assert!(!bench.is_busy(0x155));
        assert_eq!(bench.unexpected, 0);
    }

    #[test]
    fn whatever_does_not_fit_ends_the_request_with_its_status() {
        // DWs, byte count, lower address, status, data, poisoned; then writes, ends, lost, status.
        let cases = [
            ((32, 128, 0x10, 0, true, false), [1, 1, 0, 0]),
            ((32, 128, 0x10, 0, true, true), [0, 1, 0, 3]),
            ((12, 128, 0x10, 0, true, true), [0, 0, 0, 3]),
            ((0, 128, 0x00, 1, false, false), [0, 1, 0, 1]),
            ((0, 4, 0x00, 4, false, false), [0, 1, 0, 2]),
            ((0, 4, 0x00, 2, false, false), [0, 1, 0, 1]),
            ((2, 4, 0x00, 7, true, false), [0, 1, 0, 1]),
            ((33, 128, 0x10, 0, true, false), [0, 1, 0, 4]),
            ((31, 124, 0x10, 0, true, false), [0, 1, 0, 4]),
            ((12, 132, 0x10, 0, true, false), [0, 1, 1, 4]),
            ((32, 128, 0x14, 0, true, false), [0, 1, 0, 4]),
            ((12, 128, 0x50, 0, true, false), [0, 1, 1, 4]),
            ((32, 128, 0x10, 0, false, false), [0, 1, 1, 4]),
            ((1024, 4096, 0x10, 0, true, false), [0, 1, 0, 4]),
        ];
        let mut compared = 0;
        for ((dws, count, lower, status, data, poisoned), [writes, ends, lost, wrong]) in cases {
            let mut bench = Bench::new(0);
            let tag = bench.read(0x9010, 0x40, 128, 7);
            bench.complete(tag, (dws, count, lower, status, data, poisoned));
            let [verdict] = bench.verdicts[..] else { panic!("{:?}", bench.verdicts) };
            let expected = [u64::from(data), writes, ends, lost];
            assert_eq!(verdict[..4], expected, "{dws} {count} {lower:#x} {status} {data} {poisoned}");
            assert_eq!(verdict[7], wrong);
            assert_eq!(bench.is_busy(7), ends == 0);
            // It has ended: nothing more is written for it.
            if ends == 1 {
                bench.complete(tag, (20, 80, 0x40, 0, true, false));
                assert_eq!((bench.verdicts[1][..4].to_vec(), bench.unexpected), (vec![1, 0, 0, 0], 1));
            }
            compared += 1;
        }
        assert_eq!(compared, 14);
    }

    #[test]
    fn completions_of_different_tags_come_in_any_order_and_those_of_no_tag_are_dropped() {
        let mut bench = Bench::new(0);
        let tags: Vec<u64> = (0..32).map(|n| bench.read(0x1000 * n, 0x100 * n, 64, n)).collect();
        let mut sorted = tags.clone();
        sorted.sort();
        assert!(sorted.into_iter().eq(0..32), "32 different tags");
        for n in [17, 3, 31, 0] {
            bench.complete(tags[n as usize], (16, 64, 0, 0, true, false));
            assert_eq!(bench.verdicts.last().map(|v| (v[4], v[9])), Some((0x100 * n, n)));
            bench.complete(tags[n as usize], (16, 64, 0, 0, true, false));
            assert_eq!(bench.verdicts.last().map(|v| v[..4].to_vec()), Some(vec![1, 0, 0, 0]));
        }
        assert_eq!(bench.unexpected, 4);
        bench.complete(tags[3], (0, 4, 0, 1, false, false));
        assert_eq!((bench.unexpected, bench.verdicts.len()), (5, 8), "without a payload there is nothing to pass on");
    }

    #[test]
    fn a_request_beyond_the_tags_waits_for_one_and_its_descriptor_is_busy() {
        let mut bench = Bench::new(0);
        let tags: Vec<u64> = (0..32).map(|n| bench.read(0x1000 * n, 0x100 * n, 64, n)).collect();
        bench.dut.read_valid.next = true;
        bench.dut.read_id.next = 77.into();
        assert!(bench.cycle().0);
        for _ in 0..100 {
            assert!(!bench.cycle().0, "there is room for one");
        }
        bench.dut.read_valid.next = false;
        assert_eq!(bench.sent.len(), 32);
        assert!(bench.is_busy(77) && !bench.is_busy(78));
        bench.complete(tags[17], (16, 64, 0, 0, true, false));
        bench.idle(40);
        assert_eq!(bench.sent.len(), 33);
        assert_eq!(u64::from(bench.sent[32].0), tags[17]);
        assert!(bench.is_busy(77));
    }

    #[test]
    fn a_tag_whose_time_is_up_ends_once_and_rests() {
        let mut bench = Bench::new(200);
        let tag = bench.read(0x1000, 0x100, 64, 9);
        bench.idle(180);
        assert!(bench.verdicts.is_empty());
        bench.idle(200);
        assert_eq!(bench.verdicts, [[0, 0, 1, 1, 0x100, bench.verdicts[0][5], bench.verdicts[0][6], 5, tag, 9]]);
        assert_eq!(bench.timed_out, 1);
        assert!(!bench.is_busy(9));
        // All others are free, this one is not before its late completion comes.
        let others: Vec<u64> = (0..31).map(|n| bench.read(0x1000, 0x100, 64, n)).collect();
        assert!(!others.contains(&tag));
        bench.complete(tag, (16, 64, 0, 0, true, false));
        assert_eq!(bench.unexpected, 1);
        assert_eq!(bench.read(0x1000, 0x100, 64, 40), tag);
    }

    #[test]
    fn it_can_be_printed() {
        emit(&mut DmaRead::default(), "dma_read").expect("printed");
    }
}
