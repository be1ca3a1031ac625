//! Is this message frame address (MFA) the start of a frame of the region, and of which?
//!
//! A region is `frames` frames of 2^`size` bytes each, one behind the other from `base`. An MFA is good if it lies in the region on the
//! start of a frame. The queues keep the frame's number instead of the MFA: it is short, and it cannot point anywhere else.
//!
//! In an inbound region the low two bits of the MFA say what the message carries (¶69.7) and do not count as address; a frame that does
//! not start in the memory of the region's processor (address bits 31:24) is refused whatever the registers say. In an outbound region
//! addresses are compared modulo 2^32, as I2O's MFA is the low word of a host address.
//!
//! | port      | dir | width | meaning                                                                                     |
//! |-----------|-----|-------|---------------------------------------------------------------------------------------------|
//! | `inbound` | in  | 1     | the region is inbound                                                                       |
//! | `base`    | in  | 26    | bits 31:6 of the first frame's address                                                      |
//! | `size`    | in  | 5     | log2 of the bytes of a frame; below 6 counts as 6 (64 bytes, I2O's minimum), above 16 as 16 |
//! | `frames`  | in  | 11    | frames of the region; those from `depth` on are refused                                     |
//! | `mfa`     | in  | 32    | the address to check                                                                        |
//! | `good`    | out | 1     | it is the start of a frame                                                                  |
//! | `index`   | out | 10    | the frame's number                                                                          |
//!
//! Latency: [`LATENCY`] cycles. Throughput: one MFA per cycle, each in its own region. Never stalls. Nothing is reset.
//! Implements: ¶69.4.

use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

/// Cycles from `mfa` to `good` and `index`: register, subtract, shift, compare.
pub const LATENCY: usize = 4;

/// See the module's page.
#[derive(LogicBlock)]
pub struct FrameRegion {
    pub clock: Signal<In, Clock>,
    pub inbound: Signal<In, Bit>,
    pub base: Signal<In, Bits<26>>,
    pub size: Signal<In, Bits<5>>,
    pub frames: Signal<In, Bits<11>>,
    pub mfa: Signal<In, Bits<32>>,
    pub good: Signal<Out, Bit>,
    pub index: Signal<Out, Bits<10>>,
    // The question.
    is_inbound: DFF<Bit>,
    first: DFF<Bits<26>>,
    log2: DFF<Bits<5>>,
    amount: DFF<Bits<11>>,
    address: DFF<Bits<32>>,
    // Behind the base.
    page_good: DFF<Bit>,
    low_good: DFF<Bit>,
    offset: DFF<Bits<26>>,
    scale: Signal<Local, Bits<4>>,
    shift: DFF<Bits<4>>,
    low_mask: DFF<Bits<10>>,
    high_mask: DFF<Bits<16>>,
    count: DFF<Bits<11>>,
    // In frames.
    start: DFF<Bit>,
    number: DFF<Bits<10>>,
    limit: DFF<Bits<11>>,
    accepted: DFF<Bit>,
    found: DFF<Bits<10>>,
    depth: Constant<Bits<11>>,
}

impl FrameRegion {
    /// For regions of at most `depth` frames: a power of two, 16 to 1024.
    pub fn new(depth: usize) -> Self {
        block! {
            Self {
                depth: Constant::new((depth as u64).to_bits()),
            },
            clock, inbound, base, size, frames, mfa, good, index, is_inbound, first, log2, amount, address, page_good,
            low_good, offset, scale, shift, low_mask, high_mask, count, start, number, limit, accepted, found
        }
    }
}

impl Logic for FrameRegion {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, is_inbound, first, log2, amount, address);
        dff_setup!(self, clock, page_good, low_good, offset, shift, low_mask, high_mask, count);
        dff_setup!(self, clock, start, number, limit, accepted, found);

        self.is_inbound.d.next = self.inbound.val();
        self.first.d.next = self.base.val();
        self.log2.d.next = self.size.val();
        self.amount.d.next = self.frames.val();
        self.address.d.next = self.mfa.val();

        self.scale.next = (self.log2.q.val() - 6).get_bits::<4>(0);
        if self.log2.q.val() < 6 {
            self.scale.next = 0.into();
        }
        if self.log2.q.val() > 16 {
            self.scale.next = 10.into();
        }
        self.shift.d.next = self.scale.val();
        self.low_mask.d.next = (bits::<10>(1) << self.scale.val()) - 1;
        self.high_mask.d.next = !((bits::<16>(1) << self.scale.val()) - 1);
        self.count.d.next = self.amount.q.val();
        if self.amount.q.val() > self.depth.val() {
            self.count.d.next = self.depth.val();
        }
        self.page_good.d.next =
            !self.is_inbound.q.val() | (self.address.q.val().get_bits::<8>(24) == self.first.q.val().get_bits::<8>(18));
        self.low_good.d.next = (self.address.q.val().get_bits::<4>(2) == 0)
            & (self.is_inbound.q.val() | (self.address.q.val().get_bits::<2>(0) == 0));
        self.offset.d.next = self.address.q.val().get_bits::<26>(6) - self.first.q.val();

        self.start.d.next = self.page_good.q.val()
            & self.low_good.q.val()
            & !(self.offset.q.val().get_bits::<10>(0) & self.low_mask.q.val()).any()
            & !(self.offset.q.val().get_bits::<16>(10) & self.high_mask.q.val()).any();
        self.number.d.next = (self.offset.q.val() >> self.shift.q.val()).get_bits::<10>(0);
        self.limit.d.next = self.count.q.val();

        self.accepted.d.next = self.start.q.val() & (bit_cast::<11, 10>(self.number.q.val()) < self.limit.q.val());
        self.found.d.next = self.number.q.val();
        self.good.next = self.accepted.q.val();
        self.index.next = self.found.q.val();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// base, size, frames
    type Region = (u32, u32, u32);

    fn clock(dut: &mut FrameRegion) {
        for level in [false, true] {
            dut.clock.next = level.into();
            assert!(simulate(dut, 10));
        }
    }

    /// The number of the frame that starts at each MFA, one MFA a cycle.
    fn indices(dut: &mut FrameRegion, inbound: bool, (base, size, frames): Region, mfas: &[u32]) -> Vec<Option<u64>> {
        dut.inbound.next = inbound;
        dut.base.next = u64::from(base >> 6).to_bits();
        dut.size.next = u64::from(size).to_bits();
        dut.frames.next = u64::from(frames).to_bits();
        let padded = mfas.iter().copied().chain([0; LATENCY - 1]);
        let answers = padded.map(|mfa| {
            dut.mfa.next = u64::from(mfa).to_bits();
            clock(dut);
            dut.good.val().then(|| dut.index.val().to_u64())
        });
        answers.skip(LATENCY - 1).collect()
    }

    /// By walking through the region.
    fn expected(inbound: bool, depth: u32, (base, size, frames): Region, mfa: u32) -> Option<u64> {
        let size = size.clamp(6, 16);
        let address = if inbound { mfa & !3 } else { mfa };
        (0..frames.min(depth)).map(u64::from).find(|n| {
            let start = u64::from(base) + (n << size);
            start as u32 == address && !(inbound && start >> 24 != u64::from(base >> 24))
        })
    }

    fn compare(inbound: bool, depth: u32, region: Region, mfas: &[u32]) -> usize {
        let mut dut = FrameRegion::new(depth as usize);
        let found = indices(&mut dut, inbound, region, mfas);
        assert_eq!(found.len(), mfas.len());
        for (mfa, found) in mfas.iter().zip(&found) {
            assert_eq!(*found, expected(inbound, depth, region, *mfa), "{mfa:#x} in {region:x?}, inbound {inbound}");
        }
        found.iter().flatten().count()
    }

    #[test]
    fn the_starts_of_frames_are_good_and_nothing_else() {
        let mut good = 0;
        for size in 6..=16 {
            let base = 0x0200_1040;
            let edges = [0u32, 1, 2, 15, 16, 17, 1023, 1024];
            let mut mfas: Vec<u32> = edges.iter().map(|n| base + (n << size)).collect();
            mfas.extend(edges.iter().map(|n| base + (n << size) + 64));
            mfas.extend([1, 2, 3, 4, 32].map(|low| base + (1 << size) + low));
            mfas.extend([0, base - 64, base - (1 << size), 0xffff_ffff, base + 0x1000_0000]);
            for inbound in [true, false] {
                for frames in [0, 1, 16, 17, 1024, 2047] {
                    good += compare(inbound, 16, (base, size, frames), &mfas);
                }
                good += compare(inbound, 1024, (base, size, 1024), &mfas);
            }
        }
        assert!(good > 200, "{good} good ones");
    }

    #[test]
    fn each_question_is_about_its_own_region() {
        let mut dut = FrameRegion::new(16);
        let regions = [(true, (0x0100_0040, 6, 5)), (false, (0x8765_4000, 9, 16)), (true, (0x0200_0000, 12, 16))];
        let (mut due, mut good) = (std::collections::VecDeque::new(), 0);
        for n in 0..300u32 {
            let (inbound, (base, size, frames)) = regions[n as usize % 3];
            let mfa = base + ((n % 17) << size) + 32 * u32::from(n % 7 == 0);
            dut.inbound.next = inbound;
            dut.base.next = u64::from(base >> 6).to_bits();
            dut.size.next = u64::from(size).to_bits();
            dut.frames.next = u64::from(frames).to_bits();
            dut.mfa.next = u64::from(mfa).to_bits();
            due.push_back(expected(inbound, 16, (base, size, frames), mfa));
            clock(&mut dut);
            if due.len() == LATENCY {
                let found = dut.good.val().then(|| dut.index.val().to_u64());
                assert_eq!(found, due.pop_front().expect("a question"), "cycle {n}");
                good += usize::from(found.is_some());
            }
        }
        assert!(good > 150, "{good} good ones");
    }

    #[test]
    fn a_size_beyond_the_limits_counts_as_the_limit() {
        for size in 0..6 {
            assert_eq!(compare(false, 256, (0x1000, size, 256), &[0x1000, 0x1040, 0x1020, 0x5000]), 2);
        }
        for size in 17..32 {
            assert_eq!(compare(false, 256, (0x1000, size, 256), &[0x1000, 0x1_1000, 0x9000, 0x101_1000]), 2);
        }
    }

    #[test]
    fn an_inbound_frame_lies_in_the_memory_of_its_processor_and_an_outbound_one_may_cross_4_gib() {
        let inbound = (0x03ff_0000, 16, 4);
        assert_eq!(compare(true, 256, inbound, &[0x03ff_0000, 0x0400_0000, 0x03ff_0001]), 2);
        let outbound = (0xffff_0000, 16, 4);
        assert_eq!(compare(false, 256, outbound, &[0xffff_0000, 0x0000_0000, 0x0001_0000, 0x0003_0000]), 3);
    }
}
