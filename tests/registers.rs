//! Both register spaces of the verilated card, bus cycle by bus cycle: against the published map, written out by hand, and against every
//! register and field of the table it is printed from.

use std::collections::BTreeMap;

use abi::csr::{self, Access, CORE, HOST, Hardware, Register, Reset, Space, core, host};
use abi::limits::{MAX_PROCESSORS, RECEIVE_QUEUE_DEPTH};
use abi::params::NicParams;
use abi::receive::{Class, EMPTY, Status};
use cosim::bridge::RegisterRequest;
use cosim::rig::{REGISTERS, Rig};
use cosim::root_complex::Config;

/// Cycles that a read of a host register takes on the way: the TLP in, its steps, the TLP out.
const HOST_ROUND_TRIP: u64 = 15;

struct Bus {
    rig: Rig,
}

impl Bus {
    fn new(preset: &str) -> Self {
        let mut bus = Self { rig: Rig::new(preset.parse().unwrap(), Config::default()).unwrap() };
        bus.identify();
        bus
    }

    /// A host checks who answers.
    fn identify(&mut self) {
        let id = self.rig.host.config().card_id;
        self.host(host::PCIE_ID.offset, id.into());
    }

    fn reset(&mut self) {
        self.rig.reset().unwrap();
    }

    fn cycle(&mut self) {
        self.rig.tick().unwrap();
    }

    fn host(&mut self, address: u32, data: u32) {
        self.rig.host.write_word(REGISTERS, address.into(), data);
        // Until it has taken effect.
        while !self.rig.host.quiet() {
            self.cycle();
        }
        (0..12).for_each(|_| self.cycle());
    }

    /// Reads, and insists on the documented latency.
    fn host_read(&mut self, address: u32) -> u32 {
        let ticket = self.rig.host.read(self.rig.cycles(), REGISTERS, address.into(), 4);
        for _ in 0..100 {
            self.cycle();
            if let Some(answer) = self.rig.host.take_answers().pop() {
                assert_eq!((answer.ticket, answer.cycle - answer.sent), (ticket, HOST_ROUND_TRIP));
                return u32::from_le_bytes(answer.result.unwrap().try_into().unwrap());
            }
        }
        panic!("the read of {address:#x} is not answered");
    }

    fn core(&mut self, processor: usize, write: bool, address: u32, data: u32) {
        self.rig.inputs.core_valid = 1 << processor;
        self.rig.inputs.core[processor] = RegisterRequest { write, address, data };
        for _ in 0..50 {
            self.cycle();
            if self.rig.outputs.core_ready >> processor & 1 == 1 {
                self.rig.inputs.core_valid = 0;
                return;
            }
        }
        panic!("processor {processor}'s request for {address:#x} is not taken");
    }

    /// Reads; what needs no shared queue, and is not of a message, answers after the documented latency.
    fn core_read(&mut self, processor: usize, address: u32) -> u32 {
        self.core(processor, false, address, 0);
        let shared = address == core::OUT_FREE.offset
            || (core::MESSAGE_SEND.offset..0x240).contains(&address)
            || (core::TAKEN_ADDRESS.offset..=core::TAKEN_CONTEXT.offset).contains(&address);
        for cycle in 1..50 {
            self.cycle();
            let answered = self.rig.outputs.core_rvalid == 1 << processor;
            assert!(shared || answered == (cycle == CORE.read_latency), "cycle {cycle} after the request");
            if answered {
                return self.rig.outputs.core_rdata[processor];
            }
        }
        panic!("processor {processor}'s read of {address:#x} is not answered");
    }

    /// A frame of eight-byte beats at W = 64, each byte its number.
    fn send(&mut self, bytes: usize, ether_type: u16) {
        let mut frame: Vec<u8> = (0..bytes).map(|b| b as u8).collect();
        if let Some(place) = frame.get_mut(12..14) {
            place.copy_from_slice(&ether_type.to_be_bytes());
        }
        let beats = frame.len().div_ceil(8);
        for (b, beat) in frame.chunks(8).enumerate() {
            let last = b + 1 == beats;
            let mut lanes = [0; 8];
            lanes[..beat.len()].copy_from_slice(beat);
            self.rig.inputs.rx_tvalid = true;
            self.rig.inputs.rx_tdata[0] = u64::from_le_bytes(lanes);
            self.rig.inputs.rx_tkeep = 0xff >> (8 - beat.len());
            self.rig.inputs.rx_tlast = last;
            self.cycle();
        }
        self.rig.inputs.rx_tvalid = false;
        (0..100).for_each(|_| self.cycle());
    }
}

/// A space on one card, as software reaches it.
trait Side {
    fn read(&mut self, offset: u32) -> u32;
    fn write(&mut self, offset: u32, value: u32);
}

struct Host<'a>(&'a mut Bus);
struct Core<'a>(&'a mut Bus, usize);

impl Side for Host<'_> {
    fn read(&mut self, offset: u32) -> u32 {
        self.0.host_read(offset)
    }
    fn write(&mut self, offset: u32, value: u32) {
        self.0.host(offset, value);
    }
}

impl Side for Core<'_> {
    fn read(&mut self, offset: u32) -> u32 {
        self.0.core_read(self.1, offset)
    }
    fn write(&mut self, offset: u32, value: u32) {
        self.0.core(self.1, true, offset, value);
        // What is refused is noted a few cycles later.
        (0..10).for_each(|_| self.0.cycle());
    }
}

/// A word of the table: register, element, half, offset.
fn words(space: &Space, processors: usize) -> Vec<(&'static Register, usize, u32, u32)> {
    let mut words = Vec::new();
    for r in space.registers {
        // The host's pages and tables are there for all processors; what a processor has towards each other one is not.
        let peers = space.name == "CORE" || r.name == "IN_LEVELS" || r.name.starts_with("PROCESSOR");
        let count = if r.count as usize == MAX_PROCESSORS && peers { processors } else { r.count as usize };
        let vectors = 4 * (4 + 2 * processors);
        let count = if r.name == "MSIX_TABLE" { vectors } else { count };
        let count = if r.name == "DMA_WINDOW" { 16 * processors } else { count };
        for i in 0..count {
            (0..r.width / 32).for_each(|half| words.push((r, i, half, r.at(i) + 4 * half)));
        }
    }
    words
}

/// What a word reads after reset, or nothing where time passes.
fn after_reset(params: NicParams, number: usize, r: &Register, i: usize, half: u32) -> Option<u32> {
    let derived: BTreeMap<&str, u32> = BTreeMap::from([
        ("PARAMETERS", params.register()),
        ("HASH_CONTROL", host::hash_control::CHUNK_BITS.put(params.processor_bits() as u32)),
        ("RETA", (i % params.processors()) as u32),
        // Control words: masked.
        ("MSIX_TABLE", u32::from(i % 4 == 3)),
        ("INDEX", (params.processors() << 8 | number) as u32),
    ]);
    match r.reset {
        Reset::Value(value) => Some((value >> (32 * half)) as u32),
        Reset::Values(values) => Some(values[i]),
        Reset::Derived(_) => derived.get(r.name).copied(),
    }
}

/// Reads, writes and resets every word; the registers whose writes move something are left to tests of their own.
fn every_word(bus: &mut Bus, space: &'static Space, number: Option<usize>) -> usize {
    let params = bus.rig.params();
    let words = words(space, params.processors());
    let read = |bus: &mut Bus, offset| match number {
        Some(p) => Core(bus, p).read(offset),
        None => Host(bus).read(offset),
    };
    let write = |bus: &mut Bus, offset, value| match number {
        Some(p) => Core(bus, p).write(offset, value),
        None => Host(bus).write(offset, value),
    };
    let mut checked = 0;
    for &(r, i, half, offset) in &words {
        let name = format!("{}.{}[{i}] word {half}", space.name, r.name);
        let Some(reset) = after_reset(params, number.unwrap_or(0), r, i, half) else { continue };
        // The host has to be known to the card before it can read at all.
        if r.name == "PCIE_ID" {
            continue;
        }
        assert_eq!(read(bus, offset), reset, "{name} after reset");
        let mask = if r.name == "MSIX_TABLE" && i % 4 == 3 { 1 } else { (r.mask() >> (32 * half)) as u32 };
        // An MSI-X address is a multiple of four; a page of a window has flags in its low bits, the last page has none.
        let kept = match (r.name, i % 4) {
            ("DMA_WINDOW", 0) => vec![(u32::MAX, 0xFFFF_F003), (0, 0)],
            ("DMA_WINDOW", 2) => vec![(u32::MAX, 0xFFFF_F000), (0, 0)],
            _ => [u32::MAX, 0xA5A5_5A58, 0].map(|w| (w, if w > r.at_most { r.at_most } else { w & mask })).to_vec(),
        };
        match (r.access, r.hardware) {
            (Access::ReadWrite, _) => {
                for (written, expected) in kept {
                    write(bus, offset, written);
                    assert_eq!(read(bus, offset), expected, "{name} after {written:#x}");
                }
                write(bus, offset, reset);
            }
            (Access::ReadOnly, _) => {
                write(bus, offset, u32::MAX);
                assert_eq!(read(bus, offset), reset, "{name} is read only");
            }
            (Access::ReadToPop, _) => {
                write(bus, offset, 0);
                assert_eq!(read(bus, offset), EMPTY, "{name}: nothing to take, and a write makes nothing");
            }
            (Access::WriteOneToClear, _) => {
                write(bus, offset, u32::MAX);
                assert_eq!(read(bus, offset), 0, "{name}: ones take nothing back that is not there");
            }
            (Access::WriteOnly, Hardware::Reads) => {
                write(bus, offset, u32::MAX);
                assert_eq!(read(bus, offset), 0, "{name} is write only");
                write(bus, offset, 0);
            }
            (Access::WriteOnly | Access::WriteToPush | Access::PopAndPush, _) => {}
        }
        checked += 1;
    }
    checked
}

#[test]
fn every_field_of_the_hosts_space_reads_writes_and_resets_as_the_table_says() {
    let mut bus = Bus::new("n4w64");
    let checked = every_word(&mut bus, &HOST, None);
    assert_eq!(checked, 460, "words of the host's space");
    // Everything that can be written is written with ones, then reset.
    let stored = |r: &Register| r.access == Access::ReadWrite && r.hardware != Hardware::Constant;
    for &(r, _, _, offset) in words(&HOST, 4).iter().filter(|(r, ..)| stored(r) && r.name != "PCIE_ID") {
        bus.host(offset, r.at_most);
    }
    bus.reset();
    bus.identify();
    for &(r, i, half, offset) in words(&HOST, 4).iter().filter(|(r, ..)| r.name != "PCIE_ID") {
        let reset = after_reset(bus.rig.params(), 0, r, i, half);
        assert_eq!(Some(bus.host_read(offset)), reset, "{}[{i}] after a second reset", r.name);
    }
}

#[test]
fn every_field_of_a_processors_space_reads_writes_and_resets_as_the_table_says() {
    let mut bus = Bus::new("n4w64");
    for p in [0, 3] {
        let checked = every_word(&mut bus, &CORE, Some(p));
        assert_eq!(checked, 62, "words of processor {p}'s space");
    }
    for &(r, _, _, offset) in words(&CORE, 4).iter().filter(|(r, ..)| r.access == Access::ReadWrite) {
        bus.core(3, true, offset, r.at_most);
    }
    bus.reset();
    bus.identify();
    for &(r, i, half, offset) in &words(&CORE, 4) {
        let read = bus.core_read(3, offset);
        if let Some(reset) = after_reset(bus.rig.params(), 3, r, i, half) {
            assert_eq!(read, reset, "{}[{i}] after a second reset", r.name);
        }
    }
}

#[test]
fn host_registers_are_where_drivers_were_promised() {
    let mut bus = Bus::new("n8w64");
    // Offset, value after reset, value after all ones were written; by hand from the published map.
    let registers = [
        (0x1_0000, 0x504E_5448, 0x504E_5448),
        (0x1_0004, 0x0000_0002, 0x0000_0002),
        (0x1_0008, 0x0040_0808, 0x0040_0808),
        (0x1_0020, 0x0000_0300, 0x0000_0703),
        (0x1_0024, 0x0000_0035, 0x0000_003F),
        (0x1_0028, 0x0000_0003, 0x0000_0003),
        (0x1_002C, 0x0000_0000, 0x0000_000F),
        (0x1_0030, 0x0000_2400, 0x0000_2400),
        (0x1_0040, 0x6D5A_56DA, 0xFFFF_FFFF),
        (0x1_0064, 0xBEAC_01FA, 0xFFFF_FFFF),
        (0x0_0034, 0xFFFF_FFFF, 0xFFFF_FFFF),
        (0x1_0090, 0x0000_0000, 0xFFFF_FFC0),
        (0x1_00F4, 0x0000_0000, 0x00FF_FFFF),
        // No register.
        (0x1_0068, 0, 0),
        (0x0_0048, 0, 0),
        (0xF_FFFC, 0, 0),
    ];
    for (offset, reset, ones) in registers {
        assert_eq!(bus.host_read(offset), reset, "{offset:#x} after reset");
        bus.host(offset, u32::MAX);
        assert_eq!(bus.host_read(offset), ones, "{offset:#x} after all ones");
    }
    // An I2O host finds nothing in its queues.
    for page in 0..16 {
        assert_eq!(bus.host_read(page << 12 | 0x30), 0);
        assert_eq!((bus.host_read(page << 12 | 0x40), bus.host_read(page << 12 | 0x44)), (EMPTY, EMPTY));
    }
}

#[test]
fn the_table_resets_to_i_mod_n_and_each_entry_is_its_own() {
    for (preset, n) in [("n2w64", 2), ("n8w64", 8), ("n16w64", 16)] {
        let mut bus = Bus::new(preset);
        for i in 0..128 {
            assert_eq!(bus.host_read(0x1_0200 + 4 * i), i % n, "{preset}, entry {i}");
        }
        for i in 0..128 {
            bus.host(0x1_0200 + 4 * i, (i * 7) & 15);
        }
        for i in 0..128 {
            assert_eq!(bus.host_read(0x1_0200 + 4 * i), (i * 7) & 15, "{preset}, entry {i}");
        }
        bus.reset();
        bus.identify();
        assert_eq!((bus.host_read(0x1_0200 + 4 * 127), bus.host_read(0x1_0204)), (127 % n, 1), "{preset}");
    }
}

#[test]
fn reads_of_the_host_follow_each_other_and_a_long_one_is_many_words() {
    let mut bus = Bus::new("n4w64");
    let first = u64::from(host::HASH_KEY.offset);
    let tickets: Vec<_> = (0..10).map(|k| bus.rig.host.read(bus.rig.cycles(), REGISTERS, first + 4 * k, 4)).collect();
    let whole = bus.rig.host.read(bus.rig.cycles(), REGISTERS, first, 40);
    let mut answers = Vec::new();
    (0..100).for_each(|_| {
        bus.cycle();
        answers.extend(bus.rig.host.take_answers());
    });
    let key: Vec<u8> = host::HASH_KEY_RESET.iter().flat_map(|word| word.to_le_bytes()).collect();
    for (k, ticket) in tickets.into_iter().enumerate() {
        assert_eq!((answers[k].ticket, answers[k].result.as_deref()), (ticket, Ok(&key[4 * k..4 * k + 4])));
        assert_eq!(answers[k].cycle, answers[0].cycle + k as u64, "one read per cycle");
    }
    assert_eq!((answers[10].ticket, answers[10].result.as_ref()), (whole, Ok(&key)));
}

#[test]
fn requests_of_a_processor_may_follow_each_other_every_cycle() {
    let mut bus = Bus::new("n4w64");
    bus.rig.inputs.core_valid = 0b100;
    let mut answers = Vec::new();
    for offset in [0x000, 0x004, 0x054, 0x060, 0x1000_0000] {
        bus.rig.inputs.core[2] = RegisterRequest { write: false, address: offset & 0xfff, data: 0 };
        bus.rig.inputs.core_valid = if offset < 0x1000 { 0b100 } else { 0 };
        bus.cycle();
        assert_eq!(bus.rig.outputs.core_ready & 0b100, 0b100);
        answers.push((bus.rig.outputs.core_rvalid, bus.rig.outputs.core_rdata[2]));
    }
    bus.cycle();
    answers.push((bus.rig.outputs.core_rvalid, bus.rig.outputs.core_rdata[2]));
    assert_eq!(answers[2..], [(4, csr::core::CORE_ID), (4, 0x402), (4, 0xFF), (4, u32::MAX)]);
}

#[test]
fn time_counts_cycles_and_its_two_words_belong_together() {
    let mut bus = Bus::new("n4w64");
    let time = |bus: &mut Bus| {
        let low = bus.core_read(1, core::TIME.offset);
        u64::from(bus.core_read(1, core::TIME.offset + 4)) << 32 | u64::from(low)
    };
    let (first, at) = (time(&mut bus), bus.rig.cycles());
    (0..1000).for_each(|_| bus.cycle());
    let (second, then) = (time(&mut bus), bus.rig.cycles());
    assert_eq!(second - first, then - at);
}

#[test]
fn a_processor_knows_itself_and_an_empty_queue_reads_all_ones() {
    let mut bus = Bus::new("n4w64");
    for p in 0..4 {
        assert_eq!(bus.core_read(p, 0x000), 0x504E_5443);
        assert_eq!(bus.core_read(p, 0x004), 0x0000_0400 | p as u32);
        assert_eq!(bus.core_read(p, 0x014), 0xFFFF_FFFF);
        assert_eq!(bus.core_read(p, 0x020), 0);
        assert_eq!(bus.core_read(p, 0xFFC), 0);
    }
}

#[test]
fn a_full_free_queue_refuses_and_counts_and_keeps_what_it_has() {
    let mut bus = Bus::new("n4w64");
    let depth = RECEIVE_QUEUE_DEPTH as u32;
    assert_eq!(bus.core_read(1, core::RX_FREE.offset), depth);
    for b in 0..depth + 3 {
        bus.core(1, true, core::RX_FREE.offset, b * 0x4000);
    }
    assert_eq!(bus.core_read(1, core::RX_FREE.offset), 0);
    assert_eq!(bus.core_read(1, core::RX_REFUSED.offset), 3);
    assert_eq!(
        (bus.core_read(0, core::RX_FREE.offset), bus.core_read(0, core::RX_REFUSED.offset)),
        (depth, 0),
        "its neighbour has room"
    );
    // All of them are used, in order: frames of no known type go to processor 1.
    bus.host(host::DEFAULT_PROCESSOR.offset, 1);
    for b in 0..depth {
        bus.send(20, 0x1234);
        assert_eq!(bus.core_read(1, core::RX_POST.offset), b * 0x4000);
    }
    bus.send(20, 0x1234);
    assert_eq!(bus.core_read(1, core::RX_POST.offset), EMPTY);
}

#[test]
fn a_full_post_queue_drops_whole_frames_by_that_cause_and_keeps_its_entries() {
    let mut bus = Bus::new("n4w64");
    let depth = RECEIVE_QUEUE_DEPTH as u32;
    // Nobody takes frames; buffers are handed in all the same, three more than entries fit.
    for b in 0..depth + 3 {
        bus.core(0, true, core::RX_FREE.offset, b * 0x4000);
        bus.send(20, 0x88cc);
    }
    assert_eq!((bus.core_read(0, core::RX_LEVEL.offset), bus.core_read(0, core::RX_FREE.offset)), (depth, depth - 3));
    (0..200).for_each(|_| bus.cycle());
    // Delivered, no_buffer, post_full; processor 0's own two causes.
    for (index, count) in [(2, depth), (7, 0), (8, 3), (34, 0), (35, 3)] {
        assert_eq!(bus.host_read(host::counters::offset(index)), count, "counter {index}");
    }
    for b in 0..depth {
        assert_eq!(bus.core_read(0, core::RX_POST.offset), b * 0x4000);
    }
    assert_eq!(bus.core_read(0, core::RX_POST.offset), EMPTY);
    // There is room again, and the buffer that was not used is.
    bus.send(20, 0x88cc);
    assert_eq!(bus.core_read(0, core::RX_POST.offset), depth * 0x4000);
}

#[test]
fn posted_frames_are_taken_in_order_and_described() {
    let mut bus = Bus::new("n4w64");
    // The low six bits of an address are ignored.
    for b in 1..=4 {
        bus.core(0, true, core::RX_FREE.offset, b * 0x1000 + 0x3f);
    }
    for (bytes, ether_type) in [(14, 0x88cc), (100, 0x0806), (1500, 0x88cc)] {
        bus.send(bytes, ether_type);
    }
    assert_eq!(bus.core_read(0, core::RX_LEVEL.offset), 3);
    let expected =
        [(0x1000, 14, Class::Other, false), (0x2000, 100, Class::Arp, true), (0x3000, 1500, Class::Other, false)];
    for (address, length, class, flooded) in expected {
        assert_eq!(bus.core_read(0, core::RX_POST.offset), address);
        let status = Status(bus.core_read(0, core::RX_STATUS.offset));
        assert_eq!((status.length(), status.class(), status.flooded()), (length, class, flooded));
        assert_eq!(bus.core_read(0, core::RX_HASH.offset), 0);
    }
    assert_eq!(bus.core_read(0, core::RX_POST.offset), EMPTY);
    // What was taken last is still described.
    assert_eq!(Status(bus.core_read(0, core::RX_STATUS.offset)).length(), 1500);
}

#[test]
fn counters_start_at_zero_count_and_ignore_writes() {
    let mut bus = Bus::new("n4w64");
    bus.core(0, true, core::RX_FREE.offset, 0);
    let counter = |bus: &mut Bus, index: usize| {
        (bus.host_read(host::counters::offset(index)), bus.host_read(host::counters::offset(index) + 4))
    };
    for index in 0..48 {
        assert_eq!(counter(&mut bus, index), (0, 0), "counter {index}");
    }
    bus.send(64, 0x88cc);
    bus.send(64, 0x88cc);
    bus.send(9, 0);
    bus.host(host::FRAMES.offset, 77);
    (0..200).for_each(|_| bus.cycle());
    // Frames, bytes, delivered, runt, no_buffer; class other and malformed; processor 0.
    for (index, count) in
        [(0, 3), (1, 137), (2, 1), (3, 1), (7, 1), (16, 2), (23, 1), (32, 1), (33, 64), (34, 1), (36, 0)]
    {
        assert_eq!(counter(&mut bus, index), (count, 0), "counter {index}");
    }
}
