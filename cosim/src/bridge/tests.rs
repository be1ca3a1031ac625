//! The bridge against designs whose outputs are known: `build/fixture.rs` writes them.

use std::collections::BTreeMap;
use std::fs;
use std::io::BufReader;
use std::thread;

use fst_reader::{FstFilter, FstHierarchyEntry, FstReader, FstSignalValue};

use super::*;

const FIXTURES: [&str; 2] = ["fixture_n2w64", "fixture_n16w512"];

/// What the fixture must answer, from the inputs of this cycle and the one before.
#[derive(Default)]
struct Expectation {
    before: Inputs,
    /// Beats since the reset, as the fixture counted them before the edge that ended the last cycle.
    beats: u32,
    /// What ports that are idle now held when they were last valid.
    held_tdata: u64,
    held_address: u32,
    held_header: u32,
    held_lines: [Line; 16],
}

impl Expectation {
    fn outputs(&mut self, now: &Inputs, last: &Outputs, preset: &Preset) -> Outputs {
        let mut expected = *last;
        let before = self.before;
        if now.rx_tvalid {
            self.held_tdata = now.rx_tdata[0];
        }
        if now.core_valid & 1 != 0 {
            self.held_address = now.core[0].address;
        }
        if now.tlp_rx_tvalid {
            self.held_header = now.tlp_rx_theader[3];
        }
        expected.host_irq =
            (self.held_tdata >> 3 ^ u64::from(self.held_address) >> 5 ^ u64::from(self.held_header) >> 31) & 1 == 1;
        expected.tlp_rx_tready = now.tlp_rx_tvalid && now.tlp_rx_tdata[0] & 1 == 1;
        let words = preset.width / 64;
        expected.tx_tvalid = before.rx_tvalid && before.tx_tready;
        if expected.tx_tvalid {
            expected.tx_tlast = before.rx_tlast;
            expected.tx_tkeep = !before.rx_tkeep & (u64::MAX >> (64 - preset.width / 8));
            expected.tx_tdata[..words].copy_from_slice(&before.rx_tdata[..words]);
        }
        expected.tlp_tx_tvalid = before.tlp_rx_tvalid && before.tlp_tx_tready;
        if expected.tlp_tx_tvalid {
            expected.tlp_tx_tlast = before.tlp_rx_tlast;
            let [d0, d1, d2, d3] = before.tlp_rx_theader;
            expected.tlp_tx_theader = [d3 ^ u32::from(before.tlp_rx_tbar), d0, d1, d2];
            for word in 0..words {
                expected.tlp_tx_tdata[word] = !before.tlp_rx_tdata[word];
            }
        }
        (expected.core_rvalid, expected.core_ready, expected.core_irq, expected.mem_valid) = (0, 0, 0, 0);
        let mut writes = 0;
        for i in 0..preset.processors {
            let request = before.core[i];
            if before.core_valid >> i & 1 != 0 {
                expected.core_ready |= 1 << i;
            }
            if before.core_valid >> i & 1 != 0 && !request.write {
                expected.core_rvalid |= 1 << i;
                expected.core_rdata[i] = request.data.wrapping_add(request.address);
            }
            // Lines that were given in the cycle before, or held since.
            if before.mem_rvalid >> i & 1 != 0 {
                self.held_lines[i] = before.mem_rdata[i];
            }
            expected.core_irq |= ((self.held_lines[i].data[0] & 1) as u16) << i;
            if before.rx_tvalid && before.rx_tdata[0] >> i & 1 != 0 {
                expected.mem_valid |= 1 << i;
                let flags = u32::from(before.rx_tlast) << 1 | u32::from(before.rx_tuser);
                expected.mem[i].address = (self.beats << 8 | (i as u32) << 2 | flags) & 0xff_ffff;
                if before.rx_tlast {
                    expected.mem[i].strobe = before.rx_tkeep;
                    for word in 0..words {
                        expected.mem[i].data[word] = !self.held_lines[i].data[word];
                    }
                }
            }
            if before.rx_tlast {
                writes |= 1 << i;
            }
        }
        if expected.mem_valid != 0 {
            expected.mem_write = writes;
        }
        self.beats = if before.reset { 0 } else { (self.beats + u32::from(before.rx_tvalid)) & 0xffff };
        self.before = *now;
        expected
    }
}

/// Pseudo-random numbers (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn flag(&mut self) -> bool {
        self.next() & 1 != 0
    }

    fn inputs(&mut self, preset: &Preset) -> Inputs {
        let request = |random: &mut Self, bits: u32| RegisterRequest {
            write: random.flag(),
            address: (random.next() as u32) & ((1 << bits) - 1),
            data: random.next() as u32,
        };
        Inputs {
            reset: self.next().is_multiple_of(64),
            rx_tvalid: self.flag(),
            rx_tlast: self.flag(),
            rx_tuser: self.flag(),
            rx_tkeep: self.next() >> (64 - preset.width / 8),
            rx_tdata: std::array::from_fn(|_| self.next()),
            tx_tready: self.flag(),
            tlp_rx_tvalid: self.flag(),
            tlp_rx_tlast: self.flag(),
            tlp_rx_tbar: (self.next() & 7) as u8,
            // Never the header that stops the fixture.
            tlp_rx_theader: [
                self.next() as u32 & 0x7fff_ffff,
                self.next() as u32,
                self.next() as u32,
                self.next() as u32,
            ],
            tlp_rx_tdata: std::array::from_fn(|_| self.next()),
            tlp_tx_tready: self.flag(),
            core_valid: (self.next() & self.next()) as u16,
            core: std::array::from_fn(|_| request(self, 12)),
            mem_rvalid: self.next() as u16,
            mem_rdata: std::array::from_fn(|_| Line { data: std::array::from_fn(|_| self.next()) }),
        }
    }
}

/// Random inputs that begin with a reset, so that what a run before left does not count.
fn recording(seed: u64, cycles: usize, preset: &Preset) -> Vec<Inputs> {
    let mut random = Random(seed);
    let reset = Inputs { reset: true, ..Inputs::default() };
    [reset, reset].into_iter().chain((2..cycles).map(|_| random.inputs(preset))).collect()
}

#[test]
fn every_field_of_every_valid_port_arrives_in_its_cycle_and_idle_ports_hold() {
    for name in FIXTURES {
        let mut nic = Nic::new(name).unwrap();
        let mut expectation = Expectation::default();
        let mut outputs = Outputs::default();
        let mut compared = 0;
        for inputs in recording(1, 4_000, nic.preset()) {
            let expected = expectation.outputs(&inputs, &outputs, nic.preset());
            nic.tick(&inputs, &mut outputs).unwrap();
            assert_eq!(outputs, expected, "{name}, cycle {}", nic.cycles() - 1);
            compared += outputs.mem_valid.count_ones() + outputs.core_rvalid.count_ones();
        }
        assert_eq!(nic.cycles(), 4_000);
        // A beat is there every other cycle, and half the processors take it; a quarter of the requests is valid, half of
        // them read.
        let expected = 4_000 * nic.processors() as u32 * (2 + 1) / 8;
        assert!((expected * 9 / 10..expected * 11 / 10).contains(&compared), "{name}: {compared} of {expected}");
    }
}

#[test]
fn an_answer_that_depends_on_this_cycles_request_is_in_this_cycles_outputs() {
    let mut nic = Nic::new("fixture_n2w64").unwrap();
    let mut outputs = Outputs::default();
    for answer in [true, false] {
        let tlp_rx_tdata = [u64::from(answer), 0, 0, 0, 0, 0, 0, 0];
        nic.tick(&Inputs { tlp_rx_tvalid: true, tlp_rx_tdata, ..Default::default() }, &mut outputs).unwrap();
        assert_eq!(outputs.tlp_rx_tready, answer);
    }
}

#[test]
fn a_replay_gives_the_digest_of_the_same_ticks() {
    for name in FIXTURES {
        let mut ticked = Nic::new(name).unwrap();
        let inputs = recording(2, 500, ticked.preset());
        let (mut outputs, mut digest) = (Outputs::default(), Digest::default());
        for inputs in inputs.iter().cycle().take(1_234) {
            ticked.tick(inputs, &mut outputs).unwrap();
            digest.add(&outputs, ticked.width());
        }
        let mut replayed = Nic::new(name).unwrap();
        assert_eq!(replayed.replay(&inputs, 1_234).unwrap(), digest);
        assert_eq!(replayed.cycles(), 1_234);

        // One cycle more, one cycle less, and one bit of one cycle are all seen.
        assert_ne!(Nic::new(name).unwrap().replay(&inputs, 1_233).unwrap(), digest);
        let mut other = inputs;
        let beat = other.iter_mut().find(|i| i.rx_tvalid && i.tx_tready).unwrap();
        beat.rx_tdata[ticked.width() / 64 - 1] ^= 1 << 63;
        assert_ne!(Nic::new(name).unwrap().replay(&other, 1_234).unwrap(), digest);
    }
}

#[test]
fn models_in_several_threads_do_not_disturb_each_other() {
    let name = "fixture_n16w512";
    let alone: Vec<Digest> = (0..4)
        .map(|seed| {
            let mut nic = Nic::new(name).unwrap();
            let inputs = recording(seed, 300, nic.preset());
            nic.replay(&inputs, 3_000).unwrap()
        })
        .collect();
    let threads: Vec<_> = (0..4)
        .map(|seed| {
            // Made here, used there.
            let mut nic = Nic::new(name).unwrap();
            thread::spawn(move || {
                let inputs = recording(seed, 300, nic.preset());
                nic.replay(&inputs, 3_000).unwrap()
            })
        })
        .collect();
    let together: Vec<Digest> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    assert_eq!(together, alone);
    assert!(alone.windows(2).all(|pair| pair[0] != pair[1]));
}

#[test]
fn a_model_that_stops_is_an_error_and_not_the_end_of_the_process() {
    let stop = Inputs { tlp_rx_tvalid: true, tlp_rx_theader: [0xdead_dead, 0, 0, 0], ..Inputs::default() };
    let mut nic = Nic::new("fixture_n2w64").unwrap();
    let mut outputs = Outputs::default();
    nic.tick(&Inputs::default(), &mut outputs).unwrap();
    let error = nic.tick(&stop, &mut outputs).unwrap_err().to_string();
    assert!(error.starts_with("the simulation of fixture_n2w64 stopped in cycle 1: Verilog $stop"), "{error}");
    let mut nic = Nic::new("fixture_n2w64").unwrap();
    assert!(matches!(nic.replay(&[stop], 1), Err(BridgeError::Fatal { cycle: 0, .. })));
    assert!(matches!(nic.replay(&[], 1), Err(BridgeError::Fatal { .. })));
}

#[test]
fn an_unknown_preset_is_named() {
    let error = Nic::new("n3w65").err().unwrap().to_string();
    assert!(error.starts_with("unknown preset `n3w65`: choose "), "{error}");
}

/// A folder of the test's own, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("pointsman-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The changes of a signal of 64 bits or less in a trace, by time in ns, and the trace's first and last time.
fn changes(trace: &Path, signal: &str) -> (BTreeMap<u64, u64>, (u64, u64)) {
    let mut reader = FstReader::open(BufReader::new(File::open(trace).unwrap())).unwrap();
    let mut handle = None;
    let find = |entry| match entry {
        FstHierarchyEntry::Var { name, handle: found, .. } if name.split(' ').next() == Some(signal) => {
            handle = Some(found);
        }
        _ => {}
    };
    reader.read_hierarchy(find).unwrap();
    let mut changes = BTreeMap::new();
    let filter = FstFilter::filter_signals(vec![handle.unwrap()]);
    let read = reader.read_signals(&filter, |time, _, value| {
        let FstSignalValue::String(bits) = value else { panic!("{signal} is a real number") };
        let bits = std::str::from_utf8(bits).unwrap();
        changes.insert(time, u64::from_str_radix(bits, 2).unwrap());
        Ok::<(), ()>(())
    });
    assert!(read.is_ok());
    let header = reader.get_header();
    assert_eq!(header.timescale_exponent, -9);
    (changes, (header.start_time, header.end_time))
}

#[test]
fn a_trace_may_start_at_any_cycle_holds_what_the_ports_did_and_changes_nothing() {
    let folder = Folder::new("trace");
    let paths = ["first.fst", "second.fst"].map(|name| folder.0.join(name));
    let mut nic = Nic::new("fixture_n2w64").unwrap();
    let inputs = recording(3, 3_000, nic.preset());
    let untraced = Nic::new("fixture_n2w64").unwrap().replay(&inputs, 3_000).unwrap();

    let (mut outputs, mut digest) = (Outputs::default(), Digest::default());
    let mut held = Vec::new();
    for (cycle, inputs) in inputs.iter().enumerate() {
        match cycle {
            100 => nic.trace_to(&paths[0]).unwrap(),
            1_100 => nic.trace_to(&paths[1]).unwrap(),
            2_100 => nic.stop_trace(),
            _ => {}
        }
        nic.tick(inputs, &mut outputs).unwrap();
        digest.add(&outputs, nic.width());
        held.push(if inputs.rx_tvalid { inputs.rx_tdata[0] } else { held.last().copied().unwrap_or(0) });
    }
    assert_eq!(digest, untraced);
    for (path, first) in paths.iter().zip([100, 1_100]) {
        let (data, times) = changes(path, "rx_tdata");
        assert_eq!(times, (first * 10, (first + 999) * 10 + 5));
        assert!(data.len() > 400, "{} changes", data.len());
        for cycle in first..first + 1_000 {
            let (_, &value) = data.range(..=cycle * 10).next_back().unwrap();
            assert_eq!(value, held[cycle as usize], "cycle {cycle}");
        }
        let (clock, _) = changes(path, "clock");
        assert!(clock.iter().all(|(time, &level)| time % 10 == 5 * level) && clock.len() == 2_000);
    }
}

#[test]
fn a_trace_that_cannot_be_written_says_why() {
    let mut nic = Nic::new("fixture_n2w64").unwrap();
    let error = nic.trace_to(Path::new("/nonexistent/trace.fst")).unwrap_err().to_string();
    assert_eq!(error, "cannot write the trace /nonexistent/trace.fst: No such file or directory (os error 2)");
    nic.tick(&Inputs::default(), &mut Outputs::default()).unwrap();
}
