//! A host that sends requests, registers and memories that log what is done to them, and a model that knows bytes and nothing else.

use std::collections::{BTreeMap, VecDeque};

use super::*;
use crate::memory_arbiter;
use crate::tlp_ingress::{READ, UNSUPPORTED, WRITE};

const COMPLETER: u32 = 0x0208;
const REQUESTER: u32 = 0x0018;

/// xorshift32.
struct Random(u32);

impl Random {
    fn draw(&mut self, below: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        (self.0 >> 3) % below
    }
}

/// A request of the host.
#[derive(Clone, Debug)]
struct Request {
    kind: u64,
    /// First byte of the header.
    dw0: u32,
    bar: u64,
    address: u64,
    dws: u32,
    head: u32,
    tail: u32,
    payload: Vec<u8>,
    tag: u32,
    /// Beats that the TLP really has.
    beats: Option<usize>,
}

impl Request {
    fn read(bar: u64, address: u64, dws: u32, head: u32, tail: u32) -> Self {
        Self { kind: READ, dw0: 0, bar, address, dws, head, tail, payload: vec![], tag: 0, beats: None }
    }

    /// A write of whole DWs.
    fn write(bar: u64, address: u64, payload: Vec<u8>) -> Self {
        let dws = payload.len() as u32 / 4;
        let tail = if dws == 1 { 0 } else { 15 };
        Self { kind: WRITE, dw0: 0x4000_0000, bar, address, dws, head: 15, tail, payload, tag: 0, beats: None }
    }

    fn header(&self) -> [u32; 4] {
        let dw0 = self.dw0 | (self.dws % 1024);
        let dw1 = REQUESTER << 16 | self.tag << 8 | self.tail << 4 | self.head;
        match self.dw0 >> 29 & 1 {
            0 => [dw0, dw1, self.address as u32, 0],
            _ => [dw0, dw1, (self.address >> 32) as u32, self.address as u32],
        }
    }

    /// Byte enables of DW d.
    fn enables(&self, d: u32) -> u32 {
        match (d, self.dws - 1 - d) {
            (0, _) => self.head,
            (_, 0) => self.tail,
            _ => 15,
        }
    }

    /// Offsets of the first and behind the last byte that is enabled.
    fn range(&self) -> (u32, u32) {
        let enabled: Vec<u32> = (0..4 * self.dws).filter(|b| self.enables(b / 4) >> (b % 4) & 1 == 1).collect();
        match (enabled.first(), enabled.last()) {
            (Some(first), Some(last)) => (*first, last + 1),
            _ => (0, 1),
        }
    }
}

/// A completion that was sent.
#[derive(Clone, Debug, PartialEq)]
struct Completion {
    header: [u32; 4],
    payload: Vec<u8>,
    cycle: usize,
}

#[derive(Debug, PartialEq, Clone, Copy)]
enum Access {
    Read(u32),
    Write(u32, u32),
}

/// Chances in eight: a beat is there, a completion or a register request is taken, a memory grants.
#[derive(Clone, Copy)]
struct Pace(u32, u32, u32);

const FLOWING: Pace = Pace(8, 8, 8);

#[derive(Default)]
struct Outcome {
    completions: Vec<Completion>,
    accesses: Vec<(Access, usize)>,
    /// Lines granted to be written before each access of a register.
    lines_before: Vec<usize>,
    lines: Vec<usize>,
    memory: BTreeMap<u32, u8>,
    unsupported: usize,
    dropped: usize,
    poisoned: usize,
    partial: usize,
    cycles: usize,
}

/// What stands in a memory at first.
fn untouched(address: u32) -> u8 {
    (address ^ address >> 8 ^ address >> 19) as u8 | 0x80
}

/// What the n-th read of a register gives.
fn register(address: u32, n: usize) -> u32 {
    address << 12 ^ n as u32
}

fn run<const W: usize, const KEEP: usize>(requests: &[Request], open: u64, pace: Pace) -> Outcome {
    let mut dut = Completer::<W, KEEP>::new(8);
    dut.connect_all();
    let mut random = Random(0x6b84_21f7);
    let mut out = Outcome::default();
    let mut reads = 0;
    let mut registers: VecDeque<Option<u32>> = vec![None; crate::register_master::READ_LATENCY].into();
    let mut lines: VecDeque<Bits<W>> = vec![Default::default(); memory_arbiter::READ_LATENCY].into();
    let (mut at, mut beat, mut shown, mut idle) = (0, 0, false, 0);
    let mut sending: Option<Completion> = None;
    dut.completer_id.next = u64::from(COMPLETER).to_bits();
    dut.open.next = open.to_bits();
    dut.reset.next = true;
    for level in [false, true] {
        dut.clock.next = level.into();
        assert!(simulate(&mut dut, 40));
    }
    dut.reset.next = false;

    while idle < 60 {
        // The host's request.
        let request = requests.get(at);
        shown = request.is_some() && (shown || random.draw(8) < pace.0);
        dut.request_tvalid.next = shown;
        let beats = request.map_or(1, |r| (r.payload.len().div_ceil(KEEP)).max(1));
        if let Some(request) = request {
            let header = request.header();
            dut.request_theader.next = wide(&header);
            dut.request_bar.next = request.bar.to_bits();
            dut.request_kind.next = request.kind.to_bits();
            dut.request_first.next = beat == 0;
            dut.request_tlast.next = beat + 1 == beats;
            dut.request_void.next = request.beats.is_some_and(|real| beat >= real);
            let bytes = request.payload.iter().skip(beat * KEEP).take(KEEP).copied().collect::<Vec<_>>();
            dut.request_tdata.next = from_bytes(&bytes);
        }
        dut.tlp_tready.next = random.draw(8) < pace.1;
        dut.reg_ready.next = random.draw(8) < pace.1;
        let (write_grants, read_grants) = (random.draw(8) < pace.2, random.draw(8) < pace.2);
        let answer = registers.pop_front().flatten();
        dut.reg_rvalid.next = answer.is_some();
        dut.reg_rdata.next = u64::from(answer.unwrap_or(0)).to_bits();
        dut.read_data.next = lines.pop_front().expect("a line");
        // A grant is given only to who asks, and who asks is a register.
        dut.write_grant.next = write_grants & dut.write_valid.val();
        dut.read_grant.next = read_grants & dut.read_valid.val();
        dut.clock.next = false.into();
        assert!(simulate(&mut dut, 40));

        if shown && dut.request_tready.val() {
            shown = false;
            beat += 1;
            if beat == beats {
                (at, beat) = (at + 1, 0);
            }
        }
        let mut given = None;
        if dut.reg_valid.val() && dut.reg_ready.val() {
            let address = dut.reg_addr.val().to_u64() as u32;
            out.lines_before.push(out.lines.len());
            if dut.reg_write.val() {
                out.accesses.push((Access::Write(address, dut.reg_wdata.val().to_u64() as u32), out.cycles));
            } else {
                out.accesses.push((Access::Read(address), out.cycles));
                given = Some(register(address, reads));
                reads += 1;
            }
        }
        registers.push_back(given);
        if dut.write_grant.val() {
            let base = (dut.write_processor.val().to_u64() << 24 | dut.write_address.val().to_u64()) as u32;
            assert_eq!(base % KEEP as u32, 0);
            for (lane, byte) in to_bytes(dut.write_data.val()).into_iter().enumerate() {
                if dut.write_strobe.val().get_bit(lane) {
                    out.memory.insert(base + lane as u32, byte);
                }
            }
            out.lines.push(out.cycles);
        }
        let mut line = Bits::<W>::default();
        if dut.read_grant.val() {
            let base = (dut.read_processor.val().to_u64() << 24 | dut.read_address.val().to_u64()) as u32;
            assert_eq!(base % KEEP as u32, 0);
            let bytes: Vec<u8> = (base..base + KEEP as u32)
                .map(|a| out.memory.get(&a).copied().unwrap_or_else(|| untouched(a)))
                .collect();
            line = from_bytes(&bytes);
        }
        lines.push_back(line);
        if dut.tlp_tvalid.val() & dut.tlp_tready.val() {
            let header = dut.tlp_theader.val();
            let header = [0, 32, 64, 96].map(|low| header.get_bits::<32>(low).to_u64() as u32);
            let new = || Completion { header, payload: vec![], cycle: out.cycles };
            let completion = sending.get_or_insert_with(new);
            assert_eq!(completion.header, header, "the same on all beats");
            completion.payload.extend(to_bytes(dut.tlp_tdata.val()));
            if dut.tlp_tlast.val() {
                out.completions.extend(sending.take());
            }
        }
        out.unsupported += usize::from(dut.unsupported.val());
        out.dropped += usize::from(dut.dropped.val());
        out.poisoned += usize::from(dut.poisoned.val());
        out.partial += usize::from(dut.partial.val());
        idle = if at < requests.len() || dut.tlp_tvalid.val() || dut.write_valid.val() { 0 } else { idle + 1 };
        out.cycles += 1;
        assert!(out.cycles < 8_000, "wedged at request {at}: {:?}", requests.get(at));
        dut.clock.next = true.into();
        assert!(simulate(&mut dut, 40));
    }
    assert!(sending.is_none());
    out
}

fn wide(header: &[u32; 4]) -> Bits<128> {
    let words = header.iter().enumerate();
    words.fold(Bits::default(), |all, (i, dw)| {
        all | (bit_cast::<128, 32>(u64::from(*dw).to_bits()) << (32 * i as u64).to_bits::<8>())
    })
}

fn from_bytes<const W: usize>(bytes: &[u8]) -> Bits<W> {
    let mut all = Bits::default();
    for (i, byte) in bytes.iter().enumerate() {
        for bit in (0..8).filter(|bit| byte >> bit & 1 == 1) {
            all = all.replace_bit(8 * i + bit, true);
        }
    }
    all
}

fn to_bytes<const W: usize>(value: Bits<W>) -> Vec<u8> {
    (0..W / 8).map(|i| value.get_bits::<8>(8 * i).to_u64() as u8).collect()
}

/// Holds the outcome against a model that carries the requests out one after the other; returns how many things it compared.
fn check<const KEEP: usize>(requests: &[Request], open: u32, out: &Outcome) -> usize {
    let mut memory: BTreeMap<u32, u8> = BTreeMap::new();
    let mut completions = out.completions.iter();
    let mut accesses = out.accesses.iter();
    let mut lines_before = out.lines_before.iter();
    let (mut compared, mut reads, mut lines) = (0, 0, 0);
    let (mut unsupported, mut dropped, mut poisoned, mut partial) = (0, 0, 0, 0);
    for request in requests {
        let processor = request.address as u32 >> 24 & 15;
        let reached = match request.bar {
            0 => true,
            2 => processor < 8 && open >> processor & 1 == 1,
            _ => false,
        };
        if request.kind == WRITE && request.dw0 >> 14 & 1 == 1 {
            poisoned += 1;
            continue;
        }
        if request.kind == WRITE && !reached {
            dropped += 1;
            continue;
        }
        let address = request.address as u32 & if request.bar == 0 { 0xf_ffff } else { 0xfff_ffff };
        let there = request.beats.map_or(request.dws, |beats| (beats * KEEP / 4) as u32).min(request.dws);
        if request.kind == WRITE {
            for (d, dw) in request.payload.chunks_exact(4).enumerate().take(there as usize) {
                let (enables, place) = (request.enables(d as u32), address + 4 * d as u32);
                if request.bar == 0 && enables == 15 {
                    let value = u32::from_le_bytes(dw.try_into().unwrap());
                    assert_eq!(accesses.next().map(|a| a.0), Some(Access::Write(place, value)), "{request:x?}");
                    let before = *lines_before.next().expect("as many");
                    assert!(before >= lines, "{request:x?} after {before} of {lines} lines");
                    compared += 1;
                } else if request.bar == 0 {
                    partial += usize::from(enables != 0);
                }
                for b in (0..4).filter(|b| request.bar == 2 && enables >> b & 1 == 1) {
                    memory.insert(place + b, dw[b as usize]);
                }
            }
            if request.bar == 2 {
                lines += (address as usize % KEEP + 4 * request.dws as usize).div_ceil(KEEP);
            }
            continue;
        }

        // Completions.
        let (first, end) = request.range();
        let dw2 = REQUESTER << 16 | request.tag << 8;
        if request.kind == UNSUPPORTED || !reached {
            unsupported += 1;
            let sent = completions.next().unwrap_or_else(|| panic!("{request:x?} was not answered"));
            let (bytes, lower) = match request.dw0 >> 25 & 15 {
                0 => (end - first, (address + first) & 0x7f),
                _ => (4, 0),
            };
            assert_eq!(sent.header[0], 0x0a00_0000 | request.dw0 & 0x01fc_3000);
            assert_eq!(sent.header[1..], [COMPLETER << 16 | 1 << 13 | bytes & 0xfff, dw2 | lower, 0], "{request:x?}");
            compared += 1;
            continue;
        }
        let zero_length = request.dws == 1 && request.head == 0;
        let expected: Vec<u8> = match request.bar {
            _ if zero_length => vec![0; 4],
            0 => (0..request.dws)
                .flat_map(|d| {
                    assert_eq!(accesses.next().map(|a| a.0), Some(Access::Read(address + 4 * d)), "{request:x?}");
                    assert!(*lines_before.next().expect("as many") >= lines);
                    reads += 1;
                    register(address + 4 * d, reads - 1).to_le_bytes()
                })
                .collect(),
            _ => (address..address + 4 * request.dws)
                .map(|a| memory.get(&a).copied().unwrap_or_else(|| untouched(a)))
                .collect(),
        };
        let mut at = first;
        while at < end {
            let sent = completions.next().unwrap_or_else(|| panic!("{request:x?} was not answered"));
            let upto = end.min(((address + at) | 127) + 1 - address);
            let dws = upto.div_ceil(4) - at / 4;
            assert_eq!(sent.header[0], 0x4a00_0000 | request.dw0 & 0x00fc_3000 | dws, "{request:x?}");
            let lower = (address + at) & 0x7f;
            assert_eq!(sent.header[1..], [COMPLETER << 16 | (end - at) & 0xfff, dw2 | lower, 0], "{request:x?}");
            assert_eq!(sent.payload.len(), (4 * dws as usize).next_multiple_of(KEEP));
            let skipped = (at % 4) as usize;
            let found = &sent.payload[skipped..][..(upto - at) as usize];
            assert_eq!(found, &expected[at as usize..upto as usize], "{request:x?} from byte {at}");
            compared += 1;
            at = upto;
        }
    }
    assert_eq!(completions.next(), None);
    assert_eq!(accesses.next(), None);
    assert_eq!(out.memory, memory);
    assert_eq!(out.lines.len(), lines);
    assert_eq!((out.unsupported, out.dropped), (unsupported, dropped));
    assert_eq!((out.poisoned, out.partial), (poisoned, partial));
    compared
}

fn run_and_check<const W: usize, const KEEP: usize>(requests: &[Request], open: u32, pace: Pace) -> (Outcome, usize) {
    let out = run::<W, KEEP>(requests, open.into(), pace);
    let compared = check::<KEEP>(requests, open, &out);
    (out, compared)
}

/// Requests of every kind; what is read is never written later, as a write may pass a read.
fn mixed(seed: u32, count: usize, keep: usize) -> Vec<Request> {
    let mut random = Random(seed);
    let mut frontier = [0x1000u64; 16];
    (0..count)
        .map(|n| {
            let dws = match random.draw(4) {
                0 => 1,
                1 => 1 + random.draw(3),
                2 => 1 + random.draw(24),
                _ => 1 + random.draw(80),
            };
            let head = [15, 14, 12, 8, 15, 15, if dws == 1 { 2 } else { 14 }, if dws == 1 { 0 } else { 12 }]
                [random.draw(8) as usize];
            let tail = if dws == 1 { 0 } else { [15, 15, 7, 3, 1][random.draw(5) as usize] };
            let processor = u64::from(random.draw(10));
            let place = &mut frontier[processor as usize];
            let wide = random.draw(2);
            let mut request = match random.draw(8) {
                0 | 1 => Request::read(0, u64::from(4 * random.draw(0x3000)), dws, head, tail),
                2 => Request::write(0, u64::from(4 * random.draw(0x3000)), vec![0; 4 * dws as usize]),
                3 | 4 => {
                    let back = u64::from(4 * random.draw(64));
                    let dws = (dws as u64).min(back / 4).max(1) as u32;
                    let head = if dws == 1 { 15 } else { head };
                    Request::read(2, processor << 24 | (*place - back - 4), dws, head, if dws == 1 { 0 } else { tail })
                }
                5 | 6 => {
                    *place += u64::from(4 * random.draw(9));
                    let request = Request::write(2, processor << 24 | *place, vec![0; 4 * dws as usize]);
                    *place += u64::from(4 * dws);
                    request
                }
                _ => {
                    let bar = [1, 3, 4, 0][random.draw(4) as usize];
                    let mut request = Request::read(bar, 0x5_6789_abcc, 1, 3, 0);
                    if bar == 0 {
                        // IORd.
                        request.kind = UNSUPPORTED;
                        request.dw0 |= 0x0200_0000;
                    }
                    request
                }
            };
            if request.kind == WRITE {
                request.head = head;
                request.tail = tail;
                for byte in &mut request.payload {
                    *byte = random.draw(256) as u8;
                }
                if random.draw(12) == 0 {
                    request.dw0 |= 1 << 14;
                } else if random.draw(12) == 0 {
                    request.beats = Some(1 + random.draw(request.payload.len().div_ceil(keep) as u32) as usize);
                }
            }
            if wide == 1 && request.kind != UNSUPPORTED {
                request.dw0 |= 1 << 29;
                request.address |= 0x9876_5432 << 32;
            }
            // Tag bits 9 and 8, traffic class, attributes.
            request.dw0 |= random.draw(64) << 18 | random.draw(4) << 12;
            request.tag = n as u32 & 0xff;
            request
        })
        .collect()
}

#[test]
fn requests_of_every_kind_are_carried_out_in_order_at_every_width() {
    const OPEN: u32 = 0b1_1101_1011;
    let mut compared = 0;
    // Wide signals are simulated bit by bit: most of it is tested where they are narrow.
    for (seed, pace) in [(1, FLOWING), (2, Pace(5, 5, 5)), (3, Pace(8, 2, 8)), (4, Pace(8, 8, 2))] {
        compared += run_and_check::<64, 8>(&mixed(seed, 35, 8), OPEN, pace).1;
    }
    compared += run_and_check::<128, 16>(&mixed(11, 12, 16), OPEN, Pace(6, 6, 6)).1;
    compared += run_and_check::<256, 32>(&mixed(21, 8, 32), OPEN, FLOWING).1;
    compared += run_and_check::<512, 64>(&mixed(31, 8, 64), OPEN, Pace(8, 6, 6)).1;
    assert!(compared > 200, "{compared}");
}

#[test]
fn one_register_is_read_in_the_stated_time_and_one_every_second_cycle_or_faster() {
    let (out, _) = run_and_check::<64, 8>(&[Request::read(0, 0x1_0000, 1, 15, 0)], 0, FLOWING);
    assert_eq!(out.completions[0].cycle, REGISTER_LATENCY);
    let many: Vec<_> = (0..100).map(|n| Request { tag: n, ..Request::read(0, 0x40, 1, 15, 0) }).collect();
    let (out, _) = run_and_check::<64, 8>(&many, 0, FLOWING);
    let cycles = out.completions[99].cycle - out.completions[0].cycle;
    assert!(cycles <= 2 * 99, "99 more took {cycles} cycles");
    assert_eq!(cycles, 99);
}

#[test]
fn a_register_is_not_touched_before_the_memory_writes_in_front_of_it_are_granted() {
    let frame: Vec<u8> = (0..64).collect();
    let requests = [
        Request::write(2, 0x1004, frame.clone()),
        Request::write(0, 0x40, vec![1, 2, 3, 4]),
        Request::write(2, 0x100_2000, frame.clone()),
        Request::read(0, 0x44, 1, 15, 0),
        Request::write(2, 0x100_3004, frame),
        Request::read(2, 0x100_3000, 8, 15, 15),
        // One beat: it is still on its way in when the register's turn comes.
        Request::write(2, 0x4000, vec![5, 6, 7, 8]),
        Request::write(0, 0x48, vec![1, 2, 3, 4]),
    ];
    let (out, _) = run_and_check::<64, 8>(&requests, 3, Pace(8, 8, 1));
    assert_eq!(out.lines_before, [9, 17, 17 + 9 + 1]);
    assert!(out.lines[8] < out.accesses[0].1 && out.lines[16] < out.accesses[1].1);
}

#[test]
fn writes_to_a_memory_flow_one_beat_per_cycle() {
    fn rate<const W: usize, const KEEP: usize>(offset: u64, count: u64) -> usize {
        let burst = |n: u64| Request::write(2, 0x2000 + offset + 256 * n, (0..=255).collect());
        let requests: Vec<_> = (0..count).map(burst).collect();
        let (out, _) = run_and_check::<W, KEEP>(&requests, 1, FLOWING);
        assert_eq!(out.lines[0], WRITE_LATENCY);
        out.lines[out.lines.len() - 1] + 1 - out.lines[0]
    }
    assert_eq!(rate::<64, 8>(0, 3), 3 * 32);
    assert_eq!(rate::<64, 8>(4, 3), 3 * 33, "unaligned: one line more than beats");
    assert_eq!(rate::<512, 64>(0, 3), 3 * 4);
}

#[test]
fn reads_of_a_memory_flow_one_beat_per_cycle() {
    fn rate<const W: usize, const KEEP: usize>() -> usize {
        let requests: Vec<_> = (0..2).map(|n| Request::read(2, 0x2000 + 512 * n, 128, 15, 15)).collect();
        let (out, _) = run_and_check::<W, KEEP>(&requests, 1, FLOWING);
        out.completions[7].cycle - out.completions[0].cycle
    }
    // From the first beat of the first to the first beat of the last of 8 completions of 128 bytes.
    assert_eq!(rate::<64, 8>(), 7 * 16);
    assert_eq!(rate::<512, 64>(), 7 * 2);
}

#[test]
fn the_longest_read_is_answered_with_byte_counts_down_from_4096() {
    let (out, compared) = run_and_check::<64, 8>(&[Request::read(2, 0x3000, 1024, 15, 15)], 1, FLOWING);
    assert_eq!((compared, out.completions[0].header[1] & 0xfff, out.completions[31].header[1] & 0xfff), (32, 0, 128));
    let (_, compared) = run_and_check::<64, 8>(&[Request::read(0, 0, 256, 15, 15)], 0, Pace(8, 1, 8));
    assert_eq!(compared, 8);
}

#[test]
fn byte_counts_and_lower_addresses_are_those_of_pcie_2_2_9() {
    // Byte enables, byte count, lower address, for one DW.
    let table = [
        (0b1001, 4, 0),
        (0b1111, 4, 0),
        (0b1101, 4, 0),
        (0b0101, 3, 0),
        (0b0111, 3, 0),
        (0b1010, 3, 1),
        (0b1110, 3, 1),
        (0b0011, 2, 0),
        (0b0110, 2, 1),
        (0b1100, 2, 2),
        (0b0001, 1, 0),
        (0b0010, 1, 1),
        (0b0100, 1, 2),
        (0b1000, 1, 3),
        (0b0000, 1, 0),
    ];
    let requests: Vec<_> = table.iter().map(|(head, _, _)| Request::read(2, 0x174, 1, *head, 0)).collect();
    let (out, _) = run_and_check::<64, 8>(&requests, 1, FLOWING);
    let mut compared = 0;
    for ((head, bytes, lower), sent) in table.iter().zip(&out.completions) {
        assert_eq!(sent.header[1] & 0xfff, *bytes, "{head:04b}");
        assert_eq!(sent.header[2] & 0xff, 0x74 + lower, "{head:04b}");
        compared += 1;
    }
    assert_eq!(compared, 15);
}

#[test]
fn an_atomic_operation_is_refused_with_the_size_of_its_operand() {
    // FetchAdd of 8 bytes, compare-and-swap of 2 times 8 bytes, a locked read of one byte, a deferrable write.
    let of = |dw0: u32, dws: u32, head: u32, payload: usize| Request {
        kind: UNSUPPORTED,
        dw0,
        payload: vec![0; payload],
        ..Request::read(2, 0x13c, dws, head, if dws == 1 { 0 } else { 15 })
    };
    let requests =
        [of(0x4c00_0000, 2, 15, 8), of(0x4e00_0000, 4, 15, 16), of(0x0100_0000, 1, 4, 0), of(0x5b00_0000, 8, 15, 32)];
    let out = run::<64, 8>(&requests, 1, FLOWING);
    let heads: Vec<_> =
        out.completions.iter().map(|c| [c.header[0], c.header[1] & 0xffff, c.header[2] & 0xff]).collect();
    assert_eq!(
        heads,
        [[0x0a00_0000, 0x2008, 0], [0x0a00_0000, 0x2008, 0], [0x0b00_0000, 0x2001, 0x3e], [0x0a00_0000, 0x2004, 0]]
    );
}
