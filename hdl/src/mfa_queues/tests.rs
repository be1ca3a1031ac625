//! All queues at once, against sets of frames and lists of MFAs.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::*;

const N: usize = 3;
const FRAMES: u32 = 12;
const EMPTY: u32 = 0xffff_ffff;

/// A pair of queues as its users see it.
#[derive(Default)]
struct Model {
    first: u32,
    step: u32,
    kinds: u32,
    given: BTreeSet<u32>,
    held: BTreeSet<u32>,
    /// MFAs, and when they can be taken.
    free: VecDeque<(usize, u32)>,
    posted: VecDeque<(usize, u32)>,
}

impl Model {
    fn frame(&self, mfa: u32) -> Option<u32> {
        let frame = mfa & !self.kinds;
        (0..FRAMES).map(|n| self.first + n * self.step).find(|start| *start == frame)
    }
    fn give(&mut self, now: usize, mfa: u32) -> bool {
        let good = self.frame(mfa).is_some_and(|frame| self.given.insert(frame));
        if good {
            self.free.push_back((now + LATENCY, mfa & !self.kinds));
        }
        good
    }
    fn post(&mut self, now: usize, mfa: u32) -> bool {
        let good = self.frame(mfa).is_some_and(|frame| self.held.remove(&frame));
        if good {
            self.posted.push_back((now + LATENCY, mfa));
        }
        good
    }
    fn take(queue: &mut VecDeque<(usize, u32)>, now: usize) -> u32 {
        queue.pop_front_if(|(ready, _)| *ready <= now).map_or(EMPTY, |(_, mfa)| mfa)
    }
    fn take_free(&mut self, now: usize) -> u32 {
        let mfa = Self::take(&mut self.free, now);
        if mfa != EMPTY {
            self.held.insert(mfa);
        }
        mfa
    }
    fn take_posted(&mut self, now: usize) -> u32 {
        let mfa = Self::take(&mut self.posted, now);
        self.given.remove(&(mfa & !self.kinds));
        mfa
    }
    fn level(queue: &VecDeque<(usize, u32)>, now: usize) -> u64 {
        queue.iter().filter(|(ready, _)| *ready <= now).count() as u64
    }
    /// A frame to hand in: mostly one that is in `hands`, sometimes any, sometimes no frame at all.
    fn pick(&self, hands: &BTreeSet<u32>, random: &mut Random) -> u32 {
        let kind = random.below(4) & self.kinds;
        match random.below(8) {
            0 => self.first + self.step * random.below(FRAMES),
            1 => self.first.wrapping_add(64 * random.below(64)).wrapping_sub(64 * 20) + 4 * random.below(4),
            _ => hands.iter().nth(random.below(FRAMES) as usize % hands.len().max(1)).map_or(EMPTY, |mfa| mfa | kind),
        }
    }
    fn not_given(&self) -> BTreeSet<u32> {
        (0..FRAMES).map(|n| self.first + n * self.step).filter(|frame| !self.given.contains(frame)).collect()
    }
}

struct Random(u32);

impl Random {
    fn below(&mut self, limit: u32) -> u32 {
        // xorshift32
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        (self.0 >> 8) % limit
    }
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Host {
    Rest,
    TakeInbound,
    TakeOutbound,
    PostInbound(u32),
    FreeOutbound(u32),
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Core {
    Rest,
    FreeInbound(u32),
    TakeInbound,
    TakeOutbound,
    PostOutbound(u32),
}

fn edge(dut: &mut MfaQueues, level: bool) {
    dut.clock.next = level.into();
    assert!(simulate(dut, 20));
}

fn after_reset() -> (MfaQueues, Vec<Model>, Model) {
    let mut dut = MfaQueues::new(N, 16);
    let mut inbound = vec![];
    for i in 0..N as u32 {
        let (base, size) = (0x1000 * i + 0x40, 6 + i);
        dut.in_base[i as usize].next = u64::from(base >> 6).to_bits();
        dut.in_size[i as usize].next = u64::from(size).to_bits();
        dut.in_frames[i as usize].next = u64::from(FRAMES).to_bits();
        inbound.push(Model { first: i << 24 | base, step: 1 << size, kinds: 3, ..Default::default() });
    }
    dut.out_base.next = (0x8765_4340u64 >> 6).to_bits();
    dut.out_size.next = 9.into();
    dut.out_frames.next = u64::from(FRAMES).to_bits();
    dut.reset.next = true;
    for _ in 0..16 {
        edge(&mut dut, false);
        edge(&mut dut, true);
    }
    dut.reset.next = false;
    (dut, inbound, Model { first: 0x8765_4340, step: 512, kinds: 0, ..Default::default() })
}

#[test]
fn every_frame_is_in_one_place_and_every_queue_keeps_its_order() {
    let (mut dut, mut inbound, mut outbound) = after_reset();
    let mut random = Random(0x51ed_270b);
    let (mut host, mut host_page) = (Host::Rest, 0);
    let mut reads = BTreeMap::new();
    let mut refusals = BTreeMap::new();
    let mut core_refusals = [(); N].map(|()| BTreeMap::new());
    let mut dma_verdicts = BTreeMap::new();
    let mut dma = None;
    let mut cores = [Core::Rest; N];
    let (mut taken, mut refused, mut empty, mut granted) = (0, 0, 0, [0; N + 1]);

    for now in 0..2500 {
        // The host's strobe of the last cycle takes effect in this one.
        let (previous, previous_page) = (host, host_page);

        // What everybody wants in this cycle.
        host_page = random.below(N as u32 + 1);
        let page = host_page as usize % N;
        host = match random.below(6) {
            0 | 1 => Host::TakeInbound,
            2 => Host::TakeOutbound,
            3 => Host::PostInbound(inbound[page].pick(&inbound[page].held, &mut random)),
            4 => Host::FreeOutbound(outbound.pick(&outbound.not_given(), &mut random)),
            _ => Host::Rest,
        };
        dut.host_take_inbound.next = host == Host::TakeInbound;
        dut.host_take_outbound.next = host == Host::TakeOutbound;
        dut.host_post_inbound.next = matches!(host, Host::PostInbound(_));
        dut.host_free_outbound.next = matches!(host, Host::FreeOutbound(_));
        dut.host_page.next = u64::from(host_page).to_bits();
        if let Host::PostInbound(mfa) | Host::FreeOutbound(mfa) = host {
            dut.host_wdata.next = u64::from(mfa).to_bits();
        }
        if dma.is_none() && random.below(3) == 0 {
            let page = random.below(N as u32 + 1);
            let side = inbound.get(page as usize).unwrap_or(&inbound[0]);
            dma = Some(match random.below(2) {
                0 => (false, page, side.pick(&side.held, &mut random)),
                _ => (true, page, outbound.pick(&outbound.held, &mut random)),
            });
        }
        dut.post_valid.next = dma.is_some();
        if let Some((outbound, page, mfa)) = dma {
            dut.post_outbound.next = outbound;
            dut.post_page.next = u64::from(page).to_bits();
            dut.post_mfa.next = u64::from(mfa).to_bits();
        }
        for i in 0..N {
            if cores[i] == Core::Rest {
                cores[i] = match random.below(6) {
                    0 => Core::FreeInbound(inbound[i].pick(&inbound[i].not_given(), &mut random)),
                    1 => Core::TakeInbound,
                    2 | 3 => Core::TakeOutbound,
                    4 => Core::PostOutbound(outbound.pick(&outbound.held, &mut random)),
                    _ => Core::Rest,
                };
            }
            dut.core_free_inbound[i].next = matches!(cores[i], Core::FreeInbound(_));
            dut.core_take_inbound[i].next = cores[i] == Core::TakeInbound;
            dut.core_take_outbound[i].next = cores[i] == Core::TakeOutbound;
            dut.core_post_outbound[i].next = matches!(cores[i], Core::PostOutbound(_));
            if let Core::FreeInbound(mfa) | Core::PostOutbound(mfa) = cores[i] {
                dut.core_wdata[i].next = u64::from(mfa).to_bits();
            }
        }
        edge(&mut dut, false);

        // Levels, then what happens in this cycle.
        for (i, Model { free, posted, .. }) in inbound.iter().enumerate() {
            assert_eq!(dut.in_free_level[i].val().to_u64(), Model::level(free, now));
            assert_eq!(dut.in_post_level[i].val().to_u64(), Model::level(posted, now));
            let kinds: Vec<u32> = posted.iter().filter(|(ready, _)| *ready <= now).map(|(_, mfa)| mfa & 3).collect();
            assert_eq!(dut.in_commands[i].val(), kinds.iter().any(|kind| *kind != 2));
            assert_eq!(dut.in_datas[i].val(), kinds.iter().any(|kind| kind & 2 == 2));
            assert_eq!(dut.in_free_event[i].val(), free.iter().any(|(ready, _)| *ready == now));
        }
        assert_eq!(dut.out_free_level.val().to_u64(), Model::level(&outbound.free, now));
        assert_eq!(dut.out_post_level.val().to_u64(), Model::level(&outbound.posted, now));
        assert_eq!(dut.out_post_event.val(), outbound.posted.iter().any(|(ready, _)| *ready == now));
        if let Some(mfa) = reads.remove(&now) {
            assert_eq!(dut.host_rdata.val().to_u64() as u32, mfa, "host read, cycle {now}");
        }
        let refusal = refusals.remove(&now);
        assert_eq!(dut.host_refused.val(), refusal.is_some(), "cycle {now}");
        if let Some((mfa, page)) = refusal {
            assert_eq!(dut.host_refused_mfa.val().to_u64() as u32, mfa);
            assert_eq!(dut.host_refused_page.val().to_u64() as u32, page);
            refused += 1;
        }
        let verdict: Option<bool> = dma_verdicts.remove(&now);
        assert_eq!(dut.post_done.val(), verdict.is_some());
        assert_eq!(dut.post_done.val() && dut.post_refused.val(), verdict == Some(true), "cycle {now}");
        for (i, refusals) in core_refusals.iter_mut().enumerate() {
            let refusal: Option<u32> = refusals.remove(&now);
            assert_eq!(dut.core_refused[i].val(), refusal.is_some(), "processor {i}, cycle {now}");
            if let Some(mfa) = refusal {
                assert_eq!(dut.core_refused_mfa[i].val().to_u64() as u32, mfa);
                refused += 1;
            }
        }

        let (page, exists) = (previous_page as usize, (previous_page as usize) < N);
        let (read, refusal) = match previous {
            Host::TakeInbound if exists => (Some(inbound[page].take_free(now)), None),
            Host::TakeOutbound if exists => (Some(outbound.take_posted(now)), None),
            Host::TakeInbound | Host::TakeOutbound => (Some(EMPTY), None),
            Host::PostInbound(mfa) => (None, (!exists || !inbound[page].post(now, mfa)).then_some(mfa)),
            Host::FreeOutbound(mfa) => (None, (!exists || !outbound.give(now, mfa)).then_some(mfa)),
            Host::Rest => (None, None),
        };
        if let Some(mfa) = read {
            reads.insert(now + HOST_LATENCY - 1, mfa);
            *if mfa == EMPTY { &mut empty } else { &mut taken } += 1;
        }
        if let Some(mfa) = refusal {
            refusals.insert(now + POST_LATENCY, (mfa, previous_page));
        }
        if let (Some((out, page, mfa)), true) = (dma, dut.post_ready.val()) {
            assert!(out || previous == Host::Rest, "the host goes first");
            let good = match (out, inbound.get_mut(page as usize)) {
                (true, _) => outbound.post(now, mfa),
                (false, Some(pair)) => pair.post(now, mfa),
                (false, None) => false,
            };
            if !good && !out {
                refusals.insert(now + POST_LATENCY, (mfa, page));
            }
            dma_verdicts.insert(now + POST_LATENCY, !good);
            granted[N] += 1;
            dma = None;
        }
        for i in 0..N {
            assert!(!dut.core_outbound_grant[i].val() || cores[i] == Core::TakeOutbound);
            let done = match cores[i] {
                Core::Rest => false,
                Core::FreeInbound(mfa) if dut.core_free_grant[i].val() => {
                    if !inbound[i].give(now, mfa) {
                        core_refusals[i].insert(now + POST_LATENCY, mfa);
                    }
                    granted[i] += 1;
                    true
                }
                Core::TakeInbound => {
                    let mfa = inbound[i].take_posted(now);
                    assert_eq!(dut.inbound_head[i].val().to_u64() as u32, mfa);
                    *if mfa == EMPTY { &mut empty } else { &mut taken } += 1;
                    true
                }
                Core::TakeOutbound if dut.core_outbound_grant[i].val() => {
                    let mfa = outbound.take_free(now);
                    assert_eq!(dut.core_outbound_mfa.val().to_u64() as u32, mfa);
                    *if mfa == EMPTY { &mut empty } else { &mut taken } += 1;
                    granted[i] += 1;
                    true
                }
                Core::PostOutbound(mfa) if dut.core_post_grant[i].val() => {
                    if !outbound.post(now, mfa) {
                        core_refusals[i].insert(now + POST_LATENCY, mfa);
                    }
                    granted[i] += 1;
                    true
                }
                _ => false,
            };
            if done {
                cores[i] = Core::Rest;
            }
        }
        edge(&mut dut, true);
    }
    assert!(taken > 1000 && empty > 200 && refused > 200, "{taken} taken, {empty} empty, {refused} refused");
    assert!(granted.iter().all(|n| *n > 100), "{granted:?}");
}
