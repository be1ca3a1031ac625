//! A host, memories and owners of the channels around the DMA engine, for its tests. Every byte that the engine moves is checked here.

use super::random::Random;
use super::verilated::{Bug, Compiled, Verilated, with_bugs};
use abi::dma::{Completion, Descriptor, Window, control};
use hdl::dma::{Dma, RESET_CYCLES};
use hdl::emit::emit;
use hdl::memory_arbiter::READ_LATENCY;
use std::collections::{BTreeMap, VecDeque};

/// The card's requester ID.
const REQUESTER: u32 = 0x0142;
/// Stands for the tag of a completion that no request waits for.
const STRAY: u32 = 99;
/// Cycles without a sign of life after which a test fails.
const PATIENCE: u64 = 50_000;

/// What the host does wrong with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    None,
    UnsupportedRequest,
    CompleterAbort,
    ReservedStatus,
    Poisoned,
    /// The payload of one completion is shorter than its header says.
    Short,
    /// The payload of one completion is longer than its header says.
    Long,
    ByteCount,
    LowerAddress,
    /// A completion without data that says success.
    NoData,
    /// A completion with more DWs than are missing.
    TooMuch,
    /// Nothing comes.
    Silence,
    /// Everything comes, but too late.
    Late,
}

impl Fault {
    pub const ALL: [Fault; 13] = [
        Fault::None,
        Fault::UnsupportedRequest,
        Fault::CompleterAbort,
        Fault::ReservedStatus,
        Fault::Poisoned,
        Fault::Short,
        Fault::Long,
        Fault::ByteCount,
        Fault::LowerAddress,
        Fault::NoData,
        Fault::TooMuch,
        Fault::Silence,
        Fault::Late,
    ];

    /// The status that it gives, by the descriptor's documentation.
    pub fn status(self) -> u32 {
        match self {
            Fault::None => 0,
            Fault::UnsupportedRequest | Fault::ReservedStatus => 1,
            Fault::CompleterAbort => 2,
            Fault::Poisoned => 3,
            Fault::Short | Fault::Long | Fault::ByteCount | Fault::LowerAddress | Fault::NoData | Fault::TooMuch => 4,
            Fault::Silence | Fault::Late => 5,
        }
    }
}

/// How the surroundings behave. Chances are in 256.
#[derive(Clone, Debug)]
pub struct Surroundings {
    pub max_payload: u32,
    pub max_read: u32,
    pub timeout: u64,
    /// Cycles from a read to its first completion.
    pub latency: (u64, u64),
    /// Completions are not longer than this, and end at multiples of 64 if they are not the last.
    pub split: u64,
    /// Completions of different tags overtake each other.
    pub reorders: bool,
    pub mrd_ready: u64,
    pub mwr_ready: u64,
    pub cpl_valid: u64,
    pub grant: u64,
    pub push: u64,
    pub take: u64,
    /// Chance that a read goes wrong, in 256, and how it may.
    pub fault: u64,
    pub faults: Vec<Fault>,
    /// Chance of a completion that nobody waits for.
    pub stray: u64,
    /// The host reads windows meanwhile.
    pub window_reads: u64,
}

impl Surroundings {
    /// Nothing is ever in the way.
    pub fn ideal() -> Self {
        Self {
            max_payload: 256,
            max_read: 512,
            timeout: 0,
            latency: (63, 63),
            split: 256,
            reorders: false,
            mrd_ready: 256,
            mwr_ready: 256,
            cpl_valid: 256,
            grant: 256,
            push: 256,
            take: 256,
            fault: 0,
            faults: vec![],
            stray: 0,
            window_reads: 0,
        }
    }

    /// Everything stutters.
    pub fn rough(random: &mut Random) -> Self {
        let mut chance = || [40, 128, 230, 256][random.below(4) as usize];
        let (mrd_ready, mwr_ready, cpl_valid, grant, push, take) =
            (chance(), chance(), chance(), chance(), chance(), chance());
        Self {
            max_payload: 128 << random.below(3),
            max_read: 128 << random.below(6),
            timeout: 0,
            latency: (1, [3, 40, 300][random.below(3) as usize]),
            split: 64 << random.below(5),
            reorders: random.below(3) != 0,
            mrd_ready,
            mwr_ready,
            cpl_valid,
            grant,
            push,
            take,
            fault: 0,
            faults: vec![],
            stray: 0,
            window_reads: random.below(2) * 60,
        }
    }
}

/// A completion on its way to the card.
struct Cpl {
    header: [u32; 4],
    payload: Vec<u8>,
    due: u64,
    tag: u32,
}

/// A descriptor that was handed to the engine.
pub struct Job {
    pub channel: usize,
    pub descriptor: Descriptor,
    /// Faults of its reads so far.
    pub faults: Vec<Fault>,
    /// Status without faults: refused or invalid.
    pub bad: u32,
    pub posts: Option<bool>,
}

/// What a byte may be written to: by which job, and the value.
struct Place {
    job: usize,
    value: u8,
}

fn pattern(space: u64, address: u64) -> u8 {
    let mixed = (address ^ space << 56).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed >> 40) as u8 ^ (mixed >> 56) as u8
}

/// The engine of one width for a number of processors.
pub struct Engine {
    compiled: Compiled,
    pub width: usize,
    pub processors: usize,
    pub bug: usize,
}

impl Engine {
    pub fn new(width: usize, processors: usize) -> Self {
        let emitted = match width {
            64 => emit(&mut Dma::<64, 8>::new(processors), "dma"),
            128 => emit(&mut Dma::<128, 16>::new(processors), "dma"),
            256 => emit(&mut Dma::<256, 32>::new(processors), "dma"),
            _ => emit(&mut Dma::<512, 64>::new(processors), "dma"),
        };
        let name = format!("dma_n{processors}w{width}");
        let compiled = Compiled::new(&emitted.expect("the engine can be printed"), &name);
        Self { compiled, width, processors, bug: 0 }
    }

    /// A narrow engine for two processors, with bugs to choose from.
    pub fn with_bugs(bugs: &[Bug]) -> Self {
        let mut emitted = emit(&mut Dma::<64, 8>::new(2), "dma").expect("the engine can be printed");
        emitted.verilog = with_bugs(&emitted.verilog, bugs);
        Self { compiled: Compiled::new(&emitted, "dma_bugs"), width: 64, processors: 2, bug: 0 }
    }
}

/// The engine with everything around it. Space 16 is the host's memory, 0 to 15 are the processors'.
pub struct Bench<'a> {
    dut: Verilated<'a>,
    /// Bytes of a line.
    keep: usize,
    pub random: Random,
    pub around: Surroundings,
    pub processors: usize,
    pub cycle: u64,
    last_event: u64,
    /// Written bytes.
    memory: BTreeMap<(u64, u64), u8>,
    places: BTreeMap<(u64, u64), Place>,
    pub jobs: Vec<Job>,
    waiting: Vec<VecDeque<usize>>,
    running: Vec<VecDeque<usize>>,
    pushing: Vec<Option<usize>>,
    taking: Vec<bool>,
    lines: VecDeque<Vec<u8>>,
    tags: BTreeMap<u32, u64>,
    /// No read is taken before this cycle.
    reads_from: u64,
    cpls: VecDeque<Cpl>,
    sending: Option<(Cpl, usize)>,
    /// A beat that was offered stays.
    offering: bool,
    mwr: Vec<u8>,
    mwr_header: Option<[u32; 4]>,
    held_mrd: Option<[u32; 4]>,
    held_mwr: Option<([u32; 4], Vec<u8>, bool)>,
    posting: Option<(u64, bool)>,
    pub reports: Vec<(usize, Completion, u64)>,
    pub retired: usize,
    pub posted: Vec<(bool, u32, u32)>,
    pub moved: BTreeMap<&'static str, u64>,
    /// First and last cycle of each.
    pub active: BTreeMap<&'static str, (u64, u64)>,
}

fn header_of(bytes: &[u8]) -> [u32; 4] {
    [0, 4, 8, 12].map(|at| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]))
}

/// Address, enabled bytes as (offset of the first, count), DWs; panics if the header is not legal.
fn decode(header: [u32; 4], writes: bool) -> (u64, u64, u64) {
    let [dw0, dw1, dw2, dw3] = header;
    let long = dw0 >> 29 & 1 == 1;
    assert_eq!(dw0 & 0x9FFF_FC00, 0, "type, class, attributes of {header:08x?}");
    assert_eq!(dw0 >> 30 & 1 == 1, writes);
    assert_eq!(dw1 >> 16, REQUESTER);
    let address = if long { u64::from(dw2) << 32 | u64::from(dw3) } else { u64::from(dw2) };
    assert!(!long || dw2 != 0, "4 DW below 4 GiB");
    assert!(long || dw3 == 0);
    assert_eq!(address % 4, 0);
    let dws = if dw0 & 0x3FF == 0 { 1024 } else { u64::from(dw0 & 0x3FF) };
    let (first, last) = (dw1 & 0xF, dw1 >> 4 & 0xF);
    assert!(first != 0 && (last == 0) == (dws == 1), "{header:08x?}");
    let start = u64::from(first.trailing_zeros());
    let end = if dws == 1 {
        32 - u64::from(first.leading_zeros())
    } else {
        4 * dws - 4 + 32 - u64::from(last.leading_zeros())
    };
    // Contiguous.
    if dws == 1 {
        assert_eq!(u64::from(first), ((1 << end) - 1) & !((1 << start) - 1));
    } else {
        assert_eq!(first, 0xF << start & 0xF);
        assert_eq!(u64::from(last), (1 << (end - (4 * dws - 4))) - 1);
    }
    (address + start, end - start, dws)
}

impl<'a> Bench<'a> {
    /// An engine that has been reset.
    pub fn new(engine: &'a Engine, seed: u64, around: Surroundings) -> Self {
        let (dut, processors) = (engine.compiled.start(engine.bug), engine.processors);
        let channels = processors + 1;
        let mut bench = Self {
            dut,
            keep: engine.width / 8,
            random: Random::seeded(seed),
            around,
            processors,
            cycle: 0,
            last_event: 0,
            memory: BTreeMap::new(),
            places: BTreeMap::new(),
            jobs: vec![],
            waiting: vec![VecDeque::new(); channels],
            running: vec![VecDeque::new(); channels],
            pushing: vec![None; channels],
            taking: vec![false; channels],
            lines: VecDeque::from(vec![vec![0; engine.width / 8]; READ_LATENCY]),
            tags: BTreeMap::new(),
            reads_from: 0,
            cpls: VecDeque::new(),
            sending: None,
            offering: false,
            mwr: vec![],
            mwr_header: None,
            held_mrd: None,
            held_mwr: None,
            posting: None,
            reports: vec![],
            retired: 0,
            posted: vec![],
            moved: BTreeMap::new(),
            active: BTreeMap::new(),
        };
        bench.configure();
        bench.dut.set("reset", 1);
        for _ in 0..RESET_CYCLES {
            bench.dut.cycle();
        }
        bench.dut.set("reset", 0);
        bench
    }

    /// Sends the limits and the timeout to the engine.
    pub fn configure(&mut self) {
        let log2 = |size: u32| u64::from((size / 128).trailing_zeros());
        self.dut.set("requester", (REQUESTER) as u64);
        self.dut.set("max_payload", log2(self.around.max_payload));
        self.dut.set("max_read", log2(self.around.max_read));
        self.dut.set("timeout", self.around.timeout);
    }

    pub fn open_window(&mut self, processor: usize, number: usize, window: Window) {
        for (word, value) in window.words().into_iter().enumerate() {
            self.dut.set("window_write", 1);
            self.dut.set("window_index", (processor << 4 | number << 2 | word) as u64);
            self.dut.set("window_wdata", u64::from(value));
            self.dut.cycle();
        }
        self.dut.set("window_write", 0);
    }

    fn read(&self, space: u64, address: u64) -> u8 {
        self.memory.get(&(space, address)).copied().unwrap_or_else(|| pattern(space, address))
    }

    /// A byte has been written: it must be one of a job's, with the job's value.
    fn write(&mut self, space: u64, address: u64, value: u8) {
        let place = self.places.get(&(space, address));
        let place = place.unwrap_or_else(|| panic!("cycle {}: guard byte {address:#x} of {space} written", self.cycle));
        let job = &self.jobs[place.job];
        let (cycle, faults) = (self.cycle, &job.faults);
        assert_eq!(value, place.value, "cycle {cycle}: {space}:{address:#x} of {:x?}, {faults:?}", job.descriptor);
        self.memory.insert((space, address), value);
    }

    /// Queues a descriptor for a channel. Places that a good copy may write are noted.
    pub fn submit(&mut self, channel: usize, descriptor: Descriptor, bad: u32, posts: Option<bool>) -> usize {
        let job = self.jobs.len();
        if bad == 0 {
            let space = |host: u32, address: u64| match descriptor.flags & host {
                0 => (address >> 24, address & 0xFF_FFFF),
                _ => (16, address),
            };
            let (source, from) = space(control::SOURCE_HOST, descriptor.source);
            let (destination, to) = space(control::DESTINATION_HOST, descriptor.destination);
            for byte in 0..u64::from(descriptor.length) {
                // What an earlier job will have written there, if one does.
                let at = (source, from + byte);
                let value = self.places.get(&at).map_or_else(|| self.read(source, from + byte), |place| place.value);
                let old = self.places.insert((destination, to + byte), Place { job, value });
                assert!(old.is_none(), "two jobs write the same byte");
            }
        }
        self.jobs.push(Job { channel, descriptor, faults: vec![], bad, posts });
        self.waiting[channel].push_back(job);
        job
    }

    fn chance(&mut self, of_256: u64) -> bool {
        self.random.below(256) < of_256
    }

    fn live(&mut self) {
        self.last_event = self.cycle;
    }

    fn count(&mut self, what: &'static str, by: u64) {
        *self.moved.entry(what).or_default() += by;
        if by > 0 {
            self.active.entry(what).or_insert((self.cycle, 0)).1 = self.cycle;
        }
    }

    /// The host answers a read.
    fn answer(&mut self, header: [u32; 4]) {
        let (address, bytes, dws) = decode(header, false);
        let tag = header[1] >> 8 & 0xFF;
        assert!(tag < 32);
        assert!(4 * dws <= u64::from(self.around.max_read), "longer than the maximum read request: {header:08x?}");
        assert_eq!(address >> 12, (address + bytes - 1) >> 12, "over 4 KiB: {header:08x?}");
        assert!(
            self.tags.get(&tag).is_none_or(|until| *until <= self.cycle),
            "cycle {}: tag {tag} is in use",
            self.cycle
        );
        let job = self.jobs.iter().position(|job| {
            let (start, length) = (job.descriptor.source, u64::from(job.descriptor.length));
            job.bad == 0
                && job.descriptor.flags & control::SOURCE_HOST != 0
                && start <= address
                && address + bytes <= start + length
        });
        let job = job.unwrap_or_else(|| panic!("nobody asked for {address:#x}"));
        self.count("reads", 1);
        let fault = if self.chance(self.around.fault) {
            self.around.faults[self.random.below(self.around.faults.len() as u64) as usize]
        } else {
            Fault::None
        };
        let (low, high) = self.around.latency;
        let mut due = self.cycle + low + self.random.below(high - low + 1);
        // Whether the tag is free again is known when the last completion has been sent.
        self.tags.insert(tag, u64::MAX);
        let answer = |status: u32, count: u64, lower: u64, payload: Vec<u8>, poisoned: bool| {
            let dws = payload.len() as u32 / 4;
            let with_data = u32::from(dws > 0) << 30;
            let dw0 = with_data | 0x0A00_0000 | u32::from(poisoned) << 14 | (dws & 0x3FF);
            let dw1 = 0x0100_0000 | status << 13 | (count as u32 & 0xFFF);
            let dw2 = REQUESTER << 16 | tag << 8 | (lower as u32 & 0x7F);
            Cpl { header: [dw0, dw1, dw2, 0], payload, due: 0, tag }
        };
        if std::env::var("DMA_TRACE").is_ok() {
            println!("{} read {address:x} {bytes} tag {tag} job {job} {fault:?}", self.cycle);
        }
        if fault == Fault::Silence {
            // Not used again before its time was up, and as long again.
            self.tags.insert(tag, self.cycle + 2 * self.around.timeout);
            self.jobs[job].faults.push(fault);
            return;
        }
        if fault == Fault::Late {
            due = self.cycle + self.around.timeout * 8 / 5;
        }
        let end = address + bytes;
        let mut at = address;
        let mut list = vec![];
        while at < end {
            // Up to the end, or to a multiple of 64.
            let furthest = (at & !63).saturating_add(self.around.split);
            let mut stop = end;
            if end > furthest {
                stop = furthest;
                while self.random.below(2) == 0 && stop - 64 > at && self.around.reorders {
                    stop -= 64;
                }
            }
            let first = at & !3;
            let after = (stop + 3) & !3;
            let payload: Vec<u8> =
                (first..after).map(|a| if (at..stop).contains(&a) { self.read(16, a) } else { 0xEE }).collect();
            list.push(answer(0, end - at, at, payload, false));
            at = stop;
        }
        let spoilt = self.random.below(list.len() as u64) as usize;
        let mut told = fault;
        match fault {
            Fault::None | Fault::Late => {}
            Fault::UnsupportedRequest | Fault::CompleterAbort | Fault::ReservedStatus => {
                let status = match fault {
                    Fault::UnsupportedRequest => 1,
                    Fault::CompleterAbort => 4,
                    _ => [2, 3, 5, 6, 7][self.random.below(5) as usize],
                };
                let count = u64::from(list[spoilt].header[1] & 0xFFF);
                list.truncate(spoilt);
                let payload = if self.random.below(4) == 0 { vec![0x99; 8] } else { vec![] };
                list.push(answer(status, count, 0, payload, false));
            }
            Fault::Poisoned => {
                list[spoilt].header[0] |= 1 << 14;
                list[spoilt].payload.fill(0x66);
            }
            Fault::Short => {
                let length = list[spoilt].payload.len();
                // A TLP with data has at least one beat, and lengths within a beat cannot be told apart.
                let beats = length.div_ceil(self.keep);
                if beats > 1 {
                    let keep = 1 + self.random.below(beats as u64 - 1) as usize;
                    list[spoilt].payload.truncate(keep * self.keep);
                } else {
                    told = Fault::None;
                }
            }
            Fault::Long => {
                let more = self.keep * (1 + self.random.below(3) as usize);
                let length = list[spoilt].payload.len().next_multiple_of(self.keep);
                list[spoilt].payload.resize(length, 0x55);
                list[spoilt].payload.extend(vec![0x77; more]);
            }
            Fault::ByteCount => {
                let wrong = 1 + self.random.below(0xFFF) as u32;
                let count = list[spoilt].header[1] & 0xFFF;
                list[spoilt].header[1] = list[spoilt].header[1] & !0xFFF | (count + wrong) & 0xFFF;
                Self::spoil(&mut list, spoilt);
            }
            Fault::LowerAddress => {
                list[spoilt].header[2] ^= 1 + self.random.below(0x7F) as u32;
                Self::spoil(&mut list, spoilt);
            }
            Fault::NoData => {
                list[spoilt].header[0] &= !(1 << 30);
                list[spoilt].payload.clear();
            }
            Fault::TooMuch => {
                let last = list.len() - 1;
                let length = list[last].header[0] & 0x3FF;
                list[last].header[0] = list[last].header[0] & !0x3FF | (length + 1) & 0x3FF;
                list[last].payload.extend([0x44; 4]);
                Self::spoil(&mut list, last);
            }
            Fault::Silence => unreachable!(),
        }
        if told != Fault::None {
            self.jobs[job].faults.push(told);
        }
        for mut cpl in list {
            cpl.due = due;
            if self.around.reorders {
                due += self.random.below(20);
            }
            self.cpls.push_back(cpl);
        }
    }

    /// From this completion on nothing of the list may be written; if it claims to be the last, none follows.
    fn spoil(list: &mut Vec<Cpl>, from: usize) {
        let [dw0, dw1, dw2, _] = list[from].header;
        let full = |count: u32, whole: u32| if count == 0 { whole } else { count };
        if 4 * full(dw0 & 0x3FF, 1024) - (dw2 & 3) >= full(dw1 & 0xFFF, 4096) {
            list.truncate(from + 1);
        }
        for cpl in &mut list[from..] {
            cpl.payload.fill(0x33);
        }
    }

    /// A completion that no request waits for.
    fn stray(&mut self) {
        let busy: Vec<u32> = self.tags.iter().filter(|(_, until)| **until > self.cycle).map(|(tag, _)| *tag).collect();
        let mut tag = self.random.below(32) as u32;
        let mut requester = REQUESTER;
        match self.random.below(3) {
            0 => requester ^= 1 << self.random.below(16),
            1 => tag |= 32 << self.random.below(3),
            _ if busy.contains(&tag) => return,
            _ => {}
        }
        let dws = self.random.below(20) as u32;
        let dw0 = u32::from(dws > 0) << 30 | 0x0A00_0000 | dws;
        let header =
            [dw0, self.random.below(1 << 12) as u32, requester << 16 | tag << 8 | self.random.below(128) as u32, 0];
        self.cpls.push_front(Cpl { header, payload: vec![0x88; 4 * dws as usize], due: 0, tag: STRAY });
        self.count("strays", 1);
    }

    /// The host has a whole memory write.
    fn store(&mut self, header: [u32; 4], payload: &[u8]) {
        let (address, bytes, dws) = decode(header, true);
        assert!(4 * dws <= u64::from(self.around.max_payload), "longer than the maximum payload: {header:08x?}");
        assert_eq!(address >> 12, (address + bytes - 1) >> 12, "over 4 KiB: {header:08x?}");
        assert_eq!(payload.len(), (4 * dws as usize).div_ceil(self.keep) * self.keep);
        for (offset, value) in payload.iter().enumerate() {
            let at = (address & !3) + offset as u64;
            if (address..address + bytes).contains(&at) {
                self.write(16, at, *value);
            } else {
                assert_eq!(*value, 0, "bytes that are not written leave the card");
            }
        }
        self.count("writes", 1);
    }

    /// One clock cycle.
    pub fn step(&mut self) {
        self.cycle += 1;
        assert!(self.cycle - self.last_event < PATIENCE, "cycle {}: nothing moves any more", self.cycle);

        // Owners of the channels.
        for c in 0..=self.processors {
            // What `room` shows is a cycle old.
            let may = self.running[c].len() < 16 || self.dut.get(&format!("room_{c}")) > 1;
            if self.pushing[c].is_none() && !self.waiting[c].is_empty() && may && self.chance(self.around.push) {
                self.pushing[c] = self.waiting[c].pop_front();
            }
            self.dut.set(&format!("push_{c}"), u64::from(self.pushing[c].is_some()));
            if let Some(job) = self.pushing[c] {
                let words = self.jobs[job].descriptor.words();
                let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
                self.dut.set_bytes(&format!("push_data_{c}"), &bytes);
            }
            self.taking[c] = self.chance(self.around.take);
            self.dut.set(&format!("done_take_{c}"), u64::from(self.taking[c]));
        }
        let reads = self.chance(self.around.window_reads);
        self.dut.set("window_read", u64::from(reads));
        if self.chance(self.around.stray) {
            self.stray();
        }
        // Its tag must stay unused until it has come, and all headers before it have been judged.
        let strays = self.cpls.iter().chain(self.sending.iter().map(|(cpl, _)| cpl)).any(|cpl| cpl.tag == STRAY);
        if strays {
            self.reads_from = self.cycle + 100;
        }
        let mrd_ready = self.chance(self.around.mrd_ready) && self.cycle >= self.reads_from;
        let mwr_ready = self.chance(self.around.mwr_ready);
        self.dut.set("mrd_tready", u64::from(mrd_ready));
        self.dut.set("mwr_tready", u64::from(mwr_ready));

        // Completions.
        if self.sending.is_none() {
            let mut ready: Vec<usize> = vec![];
            let mut blocked: Vec<u32> = vec![];
            for (at, cpl) in self.cpls.iter().enumerate() {
                if cpl.due <= self.cycle && !blocked.contains(&cpl.tag) {
                    ready.push(at);
                }
                blocked.push(cpl.tag);
                if !self.around.reorders && !ready.is_empty() {
                    break;
                }
            }
            if !ready.is_empty() {
                let pick = ready[self.random.below(ready.len() as u64) as usize];
                self.sending = self.cpls.remove(pick).map(|cpl| (cpl, 0));
            }
        }
        self.offering |= self.sending.is_some() && self.chance(self.around.cpl_valid);
        self.dut.set("cpl_tvalid", u64::from(self.offering));
        if let Some((cpl, at)) = &self.sending {
            let beat: Vec<u8> = cpl.payload.iter().skip(*at).take(self.keep).copied().collect();
            self.dut.set_bytes("cpl_tdata", &beat);
            let header: Vec<u8> = cpl.header.iter().flat_map(|dw| dw.to_le_bytes()).collect();
            self.dut.set_bytes("cpl_theader", &header);
            self.dut.set("cpl_tlast", u64::from(at + self.keep >= cpl.payload.len()));
        }

        // MFA posts.
        let post_ready = self.posting.is_none() && self.random.below(2) == 0;
        self.dut.set("post_ready", u64::from(post_ready));
        self.dut.set("post_done", 0);
        if let Some((due, refused)) = self.posting
            && due <= self.cycle
        {
            self.dut.set("post_done", 1);
            self.dut.set("post_refused", u64::from(refused));
            self.posting = None;
        }

        // Memories.
        let line = self.lines.pop_front().unwrap_or_default();
        self.dut.set_bytes("read_data", &line);
        let grants = [0; 3].map(|_: i32| self.chance(self.around.grant));
        self.dut.set("read_grant", 0);
        self.dut.set("fill_grant", 0);
        self.dut.set("copy_grant", 0);
        self.dut.settle();
        let read = self.dut.is("read_valid") && grants[0];
        let fill = self.dut.is("fill_valid") && grants[1];
        let copy = self.dut.is("copy_valid") && grants[2];
        self.dut.set("read_grant", u64::from(read));
        self.dut.set("fill_grant", u64::from(fill));
        self.dut.set("copy_grant", u64::from(copy));
        self.dut.cycle();

        let mut line = vec![0xDD; self.keep];
        if read {
            let (processor, address) = (self.dut.get("read_processor"), self.dut.get("read_address"));
            assert_eq!(address % self.keep as u64, 0);
            line = (0..self.keep as u64).map(|lane| self.read(processor, address + lane)).collect();
            self.count("lines read", 1);
            self.live();
        }
        self.lines.push_back(line);
        for (written, port) in [(fill, "fill"), (copy, "copy")] {
            if !written {
                continue;
            }
            let (processor, address) =
                (self.dut.get(&format!("{port}_processor")), self.dut.get(&format!("{port}_address")));
            let (data, strobe) =
                (self.dut.get_bytes(&format!("{port}_data")).to_vec(), self.dut.get(&format!("{port}_strobe")));
            assert_eq!(address % self.keep as u64, 0);
            assert!(processor < self.processors as u64);
            for (lane, value) in data.into_iter().enumerate() {
                if strobe >> lane & 1 == 1 {
                    self.write(processor, address + lane as u64, value);
                }
            }
            self.count(port, 1);
            self.live();
        }

        // Requests.
        let mrd = self.dut.is("mrd_tvalid").then(|| header_of(self.dut.get_bytes("mrd_theader")));
        assert!(self.held_mrd.is_none() || self.held_mrd == mrd, "a request changes while it waits");
        self.held_mrd = mrd.filter(|_| !mrd_ready);
        if let Some(header) = mrd.filter(|_| mrd_ready) {
            self.answer(header);
            self.live();
        }
        let mwr = self.dut.is("mwr_tvalid").then(|| {
            let dut = &self.dut;
            (header_of(dut.get_bytes("mwr_theader")), dut.get_bytes("mwr_tdata").to_vec(), dut.is("mwr_tlast"))
        });
        assert!(self.held_mwr.is_none() || self.held_mwr == mwr, "a write changes while it waits");
        self.held_mwr = mwr.clone().filter(|_| !mwr_ready);
        if let Some((header, data, last)) = mwr.filter(|_| mwr_ready) {
            assert!(self.mwr_header.is_none_or(|first| first == header));
            self.mwr_header = Some(header);
            self.mwr.extend(data);
            self.count("write beats", 1);
            if last {
                let payload = std::mem::take(&mut self.mwr);
                self.store(header, &payload);
                self.mwr_header = None;
            }
            self.live();
        }
        if self.offering && self.dut.is("cpl_tready") {
            self.offering = false;
            self.live();
            if let Some((cpl, at)) = &mut self.sending {
                if *at == 0 && std::env::var("DMA_TRACE").is_ok() {
                    println!("{} completion {:x?}", self.cycle, cpl.header);
                }
                let (tag, first) = (cpl.tag, *at == 0);
                *at += self.keep;
                if *at >= cpl.payload.len() {
                    self.sending = None;
                }
                // With the header of the last completion the card knows that no more will come.
                if first && !self.cpls.iter().any(|cpl| cpl.tag == tag) {
                    self.tags.insert(tag, 0);
                }
            }
        }
        if self.dut.is("post_valid") && post_ready {
            let (outbound, page, mfa) =
                (self.dut.is("post_outbound"), self.dut.get("post_page"), self.dut.get("post_mfa"));
            self.posted.push((outbound, page as u32, mfa as u32));
            self.check_posted(outbound, page, mfa as u32);
            self.posting = Some((self.cycle + 1 + self.random.below(5), mfa & 1 == 1));
        }
        for (pulse, what) in [
            (self.dut.is("unexpected"), "unexpected"),
            (self.dut.is("timed_out"), "timed out"),
            (self.dut.is("failed"), "failed"),
        ] {
            if pulse && std::env::var("DMA_TRACE").is_ok() {
                println!("{} {what}", self.cycle);
            }
            self.count(what, u64::from(pulse));
        }
        for c in 0..=self.processors {
            // Elements of a list give their credit back when they are retired, which only `room` shows.
            let silent = |job: &&usize| self.jobs[**job].descriptor.flags & control::MORE != 0;
            let (running, silent) = (self.running[c].len(), self.running[c].iter().filter(silent).count());
            let (least, most) = (16usize.saturating_sub(running), (16 + silent - running.min(16 + silent)).min(16));
            let room = self.dut.get(&format!("room_{c}")) as usize;
            assert!((least..=most).contains(&room), "cycle {}: channel {c} has room for {room}", self.cycle);
            assert!(!self.dut.is(&format!("push_refused_{c}")));
            if self.dut.is(&format!("push_grant_{c}")) {
                let job = self.pushing[c].take().expect("a push was granted that nobody made");
                self.running[c].push_back(job);
                self.live();
            }
        }
        self.take_reports();
    }

    /// The data of a posted frame must be in place.
    fn check_posted(&mut self, outbound: bool, page: u64, mfa: u32) {
        let job =
            self.jobs.iter().position(|job| job.descriptor.mfa == mfa && job.descriptor.flags & control::POST != 0);
        let job = &self.jobs[job.unwrap_or_else(|| panic!("nobody wanted {mfa:#x} posted"))];
        assert_eq!(outbound, job.channel != self.processors);
        assert_eq!(page, if outbound { job.channel as u64 } else { u64::from(mfa >> 24 & 0xF) });
        assert!(job.faults.is_empty() && job.bad == 0, "posted in spite of {:?}", job.faults);
        assert_eq!(job.posts, Some(mfa & 1 == 0));
        self.check_copied(&job.descriptor);
    }

    /// Every byte of a good copy is where it belongs.
    fn check_copied(&self, descriptor: &Descriptor) {
        let (space, to) = match descriptor.flags & control::DESTINATION_HOST {
            0 => (descriptor.destination >> 24, descriptor.destination & 0xFF_FFFF),
            _ => (16, descriptor.destination),
        };
        for byte in 0..u64::from(descriptor.length) {
            let expected = self.places[&(space, to + byte)].value;
            let found = self.memory.get(&(space, to + byte));
            assert_eq!(found, Some(&expected), "byte {byte} of {descriptor:x?} is missing");
        }
    }

    fn take_reports(&mut self) {
        for c in 0..=self.processors {
            if !(self.dut.is(&format!("done_valid_{c}")) && self.taking[c]) {
                continue;
            }
            let completion = Completion(self.dut.get(&format!("done_data_{c}")));
            self.live();
            let (mut bytes, mut statuses): (u64, Vec<Vec<u32>>) = (0, vec![]);
            loop {
                let number = self.running[c].pop_front().expect("a report that nobody waits for");
                let job = &self.jobs[number];
                let own: Vec<u32> = match (job.bad, job.posts) {
                    (0, _) if !job.faults.is_empty() => job.faults.iter().map(|f| f.status()).collect(),
                    (0, _) => vec![0],
                    (bad, _) => vec![bad],
                };
                if own == [0] {
                    bytes += u64::from(job.descriptor.length);
                    self.check_copied(&job.descriptor);
                }
                self.retired += 1;
                let (more, refused) = (job.descriptor.flags & control::MORE != 0, job.posts == Some(false));
                let context = job.descriptor.context;
                if std::env::var("DMA_TRACE").is_ok() {
                    println!("{} {c} job {number} {:x?} {:?} {own:?}", self.cycle, job.descriptor, job.faults);
                }
                statuses.push(own);
                if !more {
                    let first = statuses
                        .iter()
                        .find(|own| **own != [0])
                        .cloned()
                        .unwrap_or_else(|| vec![if refused { 8 } else { 0 }]);
                    let status = completion.status().map_or(15, |s| s as u32);
                    let cycle = self.cycle;
                    assert_eq!(completion.context(), context, "cycle {cycle}, channel {c}");
                    assert!(
                        first.contains(&status),
                        "cycle {cycle}, channel {c}: {status}, not {first:?}: {:x?} {:?}",
                        job.descriptor,
                        job.faults
                    );
                    assert_eq!(u64::from(completion.bytes()), bytes.min(0xF_FFFF), "cycle {cycle}, channel {c}");
                    break;
                }
            }
            self.reports.push((c, completion, self.cycle));
        }
    }

    /// Whether a push is refused now; it must not be taken either.
    pub fn refuses(&mut self, channel: usize) -> bool {
        self.dut.set(&format!("push_{channel}"), 1);
        self.dut.settle();
        let answer = self.dut.is(&format!("push_refused_{channel}"));
        assert!(!answer || !self.dut.is(&format!("push_grant_{channel}")));
        self.dut.set(&format!("push_{channel}"), 0);
        self.dut.settle();
        answer
    }

    /// Until all jobs are reported.
    pub fn run(&mut self) {
        while self.running.iter().any(|r| !r.is_empty())
            || self.waiting.iter().any(|w| !w.is_empty())
            || self.pushing.iter().any(|p| p.is_some())
        {
            self.step();
        }
    }
}
