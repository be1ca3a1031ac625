//! Both register ports of the verilated card, bus cycle by bus cycle, against the published map.

use abi::csr;
use abi::limits::{RECEIVE_QUEUE_DEPTH, RESET_CYCLES};
use abi::receive::{Class, EMPTY, Status};
use cosim::bridge::{Inputs, Nic, Outputs, RegisterRequest};

struct Bus {
    nic: Nic,
    inputs: Inputs,
    outputs: Outputs,
}

impl Bus {
    fn new(preset: &str) -> Self {
        let mut bus = Self { nic: Nic::new(preset).unwrap(), inputs: Inputs::default(), outputs: Outputs::default() };
        bus.reset();
        bus
    }

    fn reset(&mut self) {
        self.inputs.reset = true;
        (0..RESET_CYCLES).for_each(|_| self.cycle());
        self.inputs.reset = false;
    }

    fn cycle(&mut self) {
        self.nic.tick(&self.inputs, &mut self.outputs).unwrap();
    }

    fn host(&mut self, write: bool, address: u32, data: u32) {
        self.inputs.host_valid = true;
        self.inputs.host = RegisterRequest { write, address, data };
        self.cycle();
        self.inputs.host_valid = false;
    }

    /// Reads, and insists on the documented latency.
    fn host_read(&mut self, address: u32) -> u32 {
        self.host(false, address, 0);
        for cycle in 1..=csr::HOST.read_latency {
            self.cycle();
            assert_eq!(self.outputs.host_rvalid, cycle == csr::HOST.read_latency, "cycle {cycle} after the request");
        }
        self.outputs.host_rdata
    }

    fn core(&mut self, processor: usize, write: bool, address: u32, data: u32) {
        self.inputs.core_valid = 1 << processor;
        self.inputs.core[processor] = RegisterRequest { write, address, data };
        self.cycle();
        self.inputs.core_valid = 0;
    }

    fn core_read(&mut self, processor: usize, address: u32) -> u32 {
        self.core(processor, false, address, 0);
        for cycle in 1..=csr::CORE.read_latency {
            self.cycle();
            let expected = if cycle == csr::CORE.read_latency { 1 << processor } else { 0 };
            assert_eq!(self.outputs.core_rvalid, expected, "cycle {cycle} after the request");
        }
        self.outputs.core_rdata[processor]
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
            self.inputs.rx_tvalid = true;
            self.inputs.rx_tdata[0] = u64::from_le_bytes(lanes);
            self.inputs.rx_tkeep = 0xff >> (8 - beat.len());
            self.inputs.rx_tlast = last;
            self.cycle();
        }
        self.inputs.rx_tvalid = false;
        (0..100).for_each(|_| self.cycle());
    }
}

#[test]
fn host_registers_reset_hold_what_is_written_and_mask_what_they_lack() {
    let mut bus = Bus::new("n8w64");
    // Offset, value after reset, value after all ones were written; by hand from the published map.
    let registers = [
        (0x1_0000, 0x504E_5448, 0x504E_5448),
        (0x1_0004, 0x0000_0001, 0x0000_0001),
        (0x1_0008, 0x0040_0008, 0x0040_0008),
        (0x1_0020, 0x0000_0300, 0x0000_0703),
        (0x1_0024, 0x0000_0035, 0x0000_003F),
        (0x1_0028, 0x0000_0003, 0x0000_0003),
        (0x1_002C, 0x0000_0000, 0x0000_000F),
        (0x1_0030, 0x0000_2400, 0x0000_2400),
        (0x1_0040, 0x6D5A_56DA, 0xFFFF_FFFF),
        (0x1_0064, 0xBEAC_01FA, 0xFFFF_FFFF),
        // No register.
        (0x1_0068, 0, 0),
        (0x0_0040, 0, 0),
        (0xF_FFFC, 0, 0),
    ];
    for (offset, reset, ones) in registers {
        assert_eq!(bus.host_read(offset), reset, "{offset:#x} after reset");
        bus.host(true, offset, u32::MAX);
        assert_eq!(bus.host_read(offset), ones, "{offset:#x} after all ones");
        bus.host(true, offset, 0);
        let read_only = offset < 0x1_0020 || reset == ones && ones == 0;
        assert_eq!(bus.host_read(offset), if read_only { reset } else { 0 }, "{offset:#x} after zero");
    }
    bus.reset();
    for (offset, reset, _) in registers {
        assert_eq!(bus.host_read(offset), reset, "{offset:#x} after a second reset");
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
            bus.host(true, 0x1_0200 + 4 * i, (i * 7) & 15);
        }
        for i in 0..128 {
            assert_eq!(bus.host_read(0x1_0200 + 4 * i), (i * 7) & 15, "{preset}, entry {i}");
        }
        bus.reset();
        assert_eq!((bus.host_read(0x1_0200 + 4 * 127), bus.host_read(0x1_0204)), (127 % n, 1), "{preset}");
    }
}

#[test]
fn reads_may_follow_each_other_every_cycle() {
    let mut bus = Bus::new("n4w64");
    let offsets: Vec<u32> = (0..10).map(|k| 0x1_0040 + 4 * k).collect();
    let mut answers = Vec::new();
    for &offset in &offsets {
        bus.host(false, offset, 0);
        answers.extend(bus.outputs.host_rvalid.then_some(bus.outputs.host_rdata));
    }
    for _ in 0..8 {
        bus.cycle();
        answers.extend(bus.outputs.host_rvalid.then_some(bus.outputs.host_rdata));
    }
    assert_eq!(answers, csr::HASH_KEY_RESET);
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
    assert_eq!(bus.core_read(1, csr::RX_FREE), depth);
    for b in 0..depth + 3 {
        bus.core(1, true, csr::RX_FREE, b * 0x4000);
    }
    assert_eq!(bus.core_read(1, csr::RX_FREE), 0);
    assert_eq!(bus.core_read(1, csr::RX_REFUSED), 3);
    assert_eq!(
        (bus.core_read(0, csr::RX_FREE), bus.core_read(0, csr::RX_REFUSED)),
        (depth, 0),
        "its neighbour has room"
    );
    // All of them are used, in order: frames of no known type go to processor 1.
    bus.host(true, csr::DEFAULT_PROCESSOR, 1);
    for b in 0..depth {
        bus.send(20, 0x1234);
        assert_eq!(bus.core_read(1, csr::RX_POST), b * 0x4000);
    }
    bus.send(20, 0x1234);
    assert_eq!(bus.core_read(1, csr::RX_POST), EMPTY);
}

#[test]
fn a_full_post_queue_drops_whole_frames_by_that_cause_and_keeps_its_entries() {
    let mut bus = Bus::new("n4w64");
    let depth = RECEIVE_QUEUE_DEPTH as u32;
    // Nobody takes frames; buffers are handed in all the same, three more than entries fit.
    for b in 0..depth + 3 {
        bus.core(0, true, csr::RX_FREE, b * 0x4000);
        bus.send(20, 0x88cc);
    }
    assert_eq!((bus.core_read(0, csr::RX_LEVEL), bus.core_read(0, csr::RX_FREE)), (depth, depth - 3));
    (0..200).for_each(|_| bus.cycle());
    // Delivered, no_buffer, post_full; processor 0's own two causes.
    for (index, count) in [(2, depth), (7, 0), (8, 3), (34, 0), (35, 3)] {
        assert_eq!(bus.host_read(csr::STATISTICS + 8 * index), count, "counter {index}");
    }
    for b in 0..depth {
        assert_eq!(bus.core_read(0, csr::RX_POST), b * 0x4000);
    }
    assert_eq!(bus.core_read(0, csr::RX_POST), EMPTY);
    // There is room again, and the buffer that was not used is.
    bus.send(20, 0x88cc);
    assert_eq!(bus.core_read(0, csr::RX_POST), depth * 0x4000);
}

#[test]
fn posted_frames_are_taken_in_order_and_described() {
    let mut bus = Bus::new("n4w64");
    // The low six bits of an address are ignored.
    for b in 1..=4 {
        bus.core(0, true, csr::RX_FREE, b * 0x1000 + 0x3f);
    }
    for (bytes, ether_type) in [(14, 0x88cc), (100, 0x0806), (1500, 0x88cc)] {
        bus.send(bytes, ether_type);
    }
    assert_eq!(bus.core_read(0, csr::RX_LEVEL), 3);
    let expected =
        [(0x1000, 14, Class::Other, false), (0x2000, 100, Class::Arp, true), (0x3000, 1500, Class::Other, false)];
    for (address, length, class, flooded) in expected {
        assert_eq!(bus.core_read(0, csr::RX_POST), address);
        let status = Status(bus.core_read(0, csr::RX_STATUS));
        assert_eq!((status.length(), status.class(), status.flooded()), (length, class, flooded));
        assert_eq!(bus.core_read(0, csr::RX_HASH), 0);
    }
    assert_eq!(bus.core_read(0, csr::RX_POST), EMPTY);
    // What was taken last is still described.
    assert_eq!(Status(bus.core_read(0, csr::RX_STATUS)).length(), 1500);
}

#[test]
fn counters_start_at_zero_count_and_ignore_writes() {
    let mut bus = Bus::new("n4w64");
    bus.core(0, true, csr::RX_FREE, 0);
    let counter = |bus: &mut Bus, index: u32| {
        (bus.host_read(csr::STATISTICS + 8 * index), bus.host_read(csr::STATISTICS + 8 * index + 4))
    };
    for index in 0..48 {
        assert_eq!(counter(&mut bus, index), (0, 0), "counter {index}");
    }
    bus.send(64, 0x88cc);
    bus.send(64, 0x88cc);
    bus.send(9, 0);
    bus.host(true, csr::STATISTICS, 77);
    (0..200).for_each(|_| bus.cycle());
    // Frames, bytes, delivered, runt, no_buffer; class other and malformed; processor 0.
    for (index, count) in
        [(0, 3), (1, 137), (2, 1), (3, 1), (7, 1), (16, 2), (23, 1), (32, 1), (33, 64), (34, 1), (36, 0)]
    {
        assert_eq!(counter(&mut bus, index), (count, 0), "counter {index}");
    }
}
