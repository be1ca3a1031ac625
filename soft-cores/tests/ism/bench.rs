//! A card as messages and copies see it: the MFA queues, the DMA channels, the memories, all of it a model that breaks no rule by
//! itself and forgives none. Copies take effect some time after they were pushed, in an order that the seed draws.

use std::cell::{RefCell, RefMut};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use abi::dma::{Descriptor, Status as DmaStatus, control};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use soft_cores::ism::card::Card;
use soft_cores::kernel::dma::{Copy, Endpoint, Outcome};
use soft_cores::platform::OutsideMemory;

/// Where the host's memory starts.
pub const HOST_BASE: u64 = 0x1_0000_0000;
pub const HOST_BYTES: usize = 32 << 20;
/// Bytes of a message frame, both ways.
pub const FRAME: u32 = 128;
/// A processor's memory: inbound frames, then the answers' slots, then what sockets use.
pub const FRAMES_AT: u32 = 0x1_0000;
pub const SLOTS_AT: u32 = 0x4_0000;
pub const SLOTS: u32 = 8;
pub const SOCKETS_AT: u32 = 0x8_0000;
pub const MEMORY: usize = 0x40_0000;

#[derive(Clone)]
pub struct Setup {
    pub seed: u64,
    pub processors: usize,
    pub inbound: u32,
    pub outbound: u32,
    /// Descriptors of a channel.
    pub depth: usize,
    /// Copies are reported in the order they were pushed in, as by the real channel.
    pub in_order: bool,
    /// Longest that a copy takes.
    pub slow: u64,
    /// Of 1,000 copies, how many fail.
    pub faults: u32,
}

impl Setup {
    pub fn new(seed: u64, processors: usize) -> Self {
        Self { seed, processors, inbound: 8, outbound: 8, depth: 16, in_order: false, slow: 20, faults: 0 }
    }
}

/// Who has an outbound frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    Free,
    Processor(usize),
    Posted,
    Host,
}

struct Job {
    copies: Vec<Copy>,
    post: Option<u32>,
    context: u32,
    /// When the bytes move, and when that is reported.
    moves: u64,
    due: u64,
    outcome: Option<Outcome>,
}

#[derive(Default)]
struct Channel {
    jobs: VecDeque<Job>,
    reports: VecDeque<(u32, Outcome)>,
}

struct Side {
    memory: Vec<u8>,
    in_free: VecDeque<u32>,
    in_post: VecDeque<u32>,
    /// What copies may touch besides frames: starts and lengths.
    live: BTreeMap<u32, u32>,
}

pub struct Inside {
    pub setup: Setup,
    pub rng: ChaCha8Rng,
    pub now: u64,
    pub host: Vec<u8>,
    /// Host memory that is closed to the card.
    pub closed: Vec<std::ops::Range<u64>>,
    sides: Vec<Side>,
    /// Of each processor, and the host's last.
    channels: Vec<Channel>,
    out_base: u64,
    pub holders: Vec<Holder>,
    out_free: VecDeque<u32>,
    out_post: VecDeque<u32>,
    /// Bytes that were copied, and lists.
    pub copied: u64,
    pub lists: u64,
}

#[derive(Clone)]
pub struct Bench(Rc<RefCell<Inside>>);

impl Bench {
    pub fn new(setup: Setup) -> Self {
        let side = |processor: usize| Side {
            memory: vec![0; MEMORY],
            in_free: (0..setup.inbound).map(|i| (processor as u32) << 24 | (FRAMES_AT + i * FRAME)).collect(),
            in_post: VecDeque::new(),
            live: [(SLOTS_AT, SLOTS * FRAME)].into(),
        };
        Self(Rc::new(RefCell::new(Inside {
            rng: ChaCha8Rng::seed_from_u64(setup.seed),
            now: 0,
            host: vec![0; HOST_BYTES],
            closed: Vec::new(),
            sides: (0..setup.processors).map(side).collect(),
            channels: (0..=setup.processors).map(|_| Channel::default()).collect(),
            out_base: HOST_BASE,
            holders: vec![Holder::Host; setup.outbound as usize],
            out_free: VecDeque::new(),
            out_post: VecDeque::new(),
            copied: 0,
            lists: 0,
            setup,
        })))
    }

    pub fn inside(&self) -> RefMut<'_, Inside> {
        self.0.borrow_mut()
    }

    pub fn draw(&self, below: u64) -> u64 {
        self.inside().rng.next_u64() % below.max(1)
    }

    pub fn card(&self, processor: usize) -> ModelCard {
        ModelCard { bench: self.clone(), processor }
    }

    /// The host's memory, by its address.
    pub fn write(&self, address: u64, bytes: &[u8]) {
        let at = (address - HOST_BASE) as usize;
        self.inside().host[at..at + bytes.len()].copy_from_slice(bytes);
    }

    pub fn read(&self, address: u64, length: usize) -> Vec<u8> {
        let at = (address - HOST_BASE) as usize;
        self.inside().host[at..at + length].to_vec()
    }

    /// A processor's memory.
    pub fn poke(&self, processor: usize, address: u32, bytes: &[u8]) {
        let at = address as usize;
        self.inside().sides[processor].memory[at..at + bytes.len()].copy_from_slice(bytes);
    }

    pub fn peek(&self, processor: usize, address: u32, length: usize) -> Vec<u8> {
        let at = address as usize;
        self.inside().sides[processor].memory[at..at + length].to_vec()
    }

    /// Copies may touch this from now on, or no more.
    pub fn set_live(&self, processor: usize, address: u32, length: u32, is_live: bool) {
        let live = &mut self.inside().sides[processor].live;
        if is_live {
            assert!(live.insert(address, length).is_none());
        } else {
            assert_eq!(live.remove(&address), Some(length));
        }
    }

    /// The host takes an inbound frame.
    pub fn take_inbound(&self, processor: usize) -> Option<u32> {
        self.inside().sides[processor].in_free.pop_front()
    }

    /// The host posts one, kind bits included.
    pub fn post_inbound(&self, mfa: u32) {
        self.inside().sides[(mfa >> 24) as usize].in_post.push_back(mfa);
    }

    /// Where the host wants the answers; it gives them one by one.
    pub fn set_out_base(&self, base: u64) {
        self.inside().out_base = base;
    }

    pub fn give_outbound(&self, mfa: u32) {
        let mut inside = self.inside();
        let number = inside.frame_number(mfa);
        assert_eq!(std::mem::replace(&mut inside.holders[number], Holder::Free), Holder::Host);
        inside.out_free.push_back(mfa);
    }

    pub fn take_outbound(&self) -> Option<u32> {
        let mut inside = self.inside();
        let mfa = inside.out_post.pop_front()?;
        let number = inside.frame_number(mfa);
        assert_eq!(std::mem::replace(&mut inside.holders[number], Holder::Host), Holder::Posted);
        Some(mfa)
    }

    /// The host's own channel.
    pub fn host_push(&self, descriptor: &Descriptor) {
        let at_host = |address, is_host: bool| {
            if is_host { Endpoint::Host(address) } else { Endpoint::Card(address as u32) }
        };
        let copy = Copy {
            source: at_host(descriptor.source, descriptor.flags & control::SOURCE_HOST != 0),
            destination: at_host(descriptor.destination, descriptor.flags & control::DESTINATION_HOST != 0),
            length: descriptor.length,
            fence: false,
        };
        let post = (descriptor.flags & control::POST != 0).then_some(descriptor.mfa);
        let mut inside = self.inside();
        let host = inside.setup.processors;
        assert!(inside.push(host, &[copy], post, descriptor.context), "the host has overrun its channel");
    }

    pub fn host_report(&self) -> Option<(u32, Outcome)> {
        let mut inside = self.inside();
        let host = inside.setup.processors;
        inside.channels[host].reports.pop_front()
    }

    /// One step of time.
    pub fn tick(&self) {
        let mut inside = self.inside();
        inside.now += 1;
        for channel in 0..inside.channels.len() {
            inside.step(channel);
        }
    }

    /// No copy is under way, no message waits.
    pub fn is_quiet(&self) -> bool {
        let inside = self.inside();
        inside.channels.iter().all(|channel| channel.jobs.is_empty() && channel.reports.is_empty())
            && inside.out_post.is_empty()
            && inside.sides.iter().all(|side| side.in_post.is_empty())
    }

    /// Every frame is where it was at the start: inbound ones free, outbound ones free or in the host's hands.
    pub fn assert_no_frame_is_missing(&self, in_hand: usize) {
        let inside = self.inside();
        for (number, side) in inside.sides.iter().enumerate() {
            assert_eq!(side.in_free.len(), inside.setup.inbound as usize, "inbound frames of processor {number}");
            assert_eq!(side.live.len(), 1, "buffers of sockets of processor {number}");
        }
        let held = inside.holders.iter().filter(|holder| matches!(holder, Holder::Processor(_))).count();
        assert_eq!(held, in_hand);
        assert!(!inside.holders.contains(&Holder::Posted));
    }
}

impl Inside {
    fn frame_number(&self, mfa: u32) -> usize {
        let offset = mfa.wrapping_sub(self.out_base as u32);
        assert_eq!(offset % FRAME, 0, "an outbound MFA that is none: {mfa:#x}");
        let number = (offset / FRAME) as usize;
        assert!(number < self.holders.len(), "an outbound MFA that is none: {mfa:#x}");
        number
    }

    fn room(&self, channel: usize) -> usize {
        let channel = &self.channels[channel];
        let used = channel.jobs.iter().map(|job| job.copies.len()).sum::<usize>() + channel.reports.len();
        self.setup.depth.saturating_sub(used)
    }

    fn push(&mut self, channel: usize, copies: &[Copy], post: Option<u32>, context: u32) -> bool {
        assert!((1..=16).contains(&copies.len()), "a list of {} copies", copies.len());
        assert!(copies.iter().all(|copy| (1..=abi::dma::MAX_LENGTH).contains(&copy.length)));
        if self.room(channel) < copies.len() {
            return false;
        }
        let moves = self.now + 1 + self.rng.next_u64() % self.setup.slow;
        let due = moves + self.rng.next_u64() % self.setup.slow;
        self.channels[channel].jobs.push_back(Job {
            copies: copies.to_vec(),
            post,
            context,
            moves,
            due,
            outcome: None,
        });
        true
    }

    fn step(&mut self, channel: usize) {
        for index in 0..self.channels[channel].jobs.len() {
            let job = &self.channels[channel].jobs[index];
            if job.moves <= self.now && job.outcome.is_none() {
                let copies = job.copies.clone();
                let outcome = self.copy(channel, &copies);
                self.channels[channel].jobs[index].outcome = Some(outcome);
            }
        }
        let last = if self.setup.in_order { 1 } else { usize::MAX };
        let now = self.now;
        let is_due = |job: &Job| job.due <= now && job.outcome.is_some();
        while let Some(index) = self.channels[channel].jobs.iter().take(last).position(is_due) {
            let Some(job) = self.channels[channel].jobs.remove(index) else { break };
            let Some(outcome) = job.outcome else { break };
            if let Some(mfa) = job.post.filter(|_| outcome.is_ok()) {
                self.post(channel, mfa);
            }
            self.lists += 1;
            self.channels[channel].reports.push_back((job.context, outcome));
        }
    }

    fn post(&mut self, channel: usize, mfa: u32) {
        if channel == self.setup.processors {
            self.sides[(mfa >> 24) as usize].in_post.push_back(mfa);
            return;
        }
        let number = self.frame_number(mfa);
        let holder = std::mem::replace(&mut self.holders[number], Holder::Posted);
        assert_eq!(holder, Holder::Processor(channel), "frame {number} is posted by processor {channel}");
        self.out_post.push_back(mfa);
    }

    fn copy(&mut self, channel: usize, copies: &[Copy]) -> Outcome {
        let mut outcome = Outcome { bytes: 0, status: Some(DmaStatus::Ok) };
        for copy in copies {
            let fails = self.rng.next_u32() % 1000 < self.setup.faults;
            let bytes = if fails { Err(DmaStatus::CompleterAbort) } else { self.fetch(channel, copy) };
            match bytes.and_then(|bytes| self.put(channel, copy, &bytes)) {
                Ok(()) => outcome.bytes += copy.length,
                Err(status) if outcome.is_ok() => outcome.status = Some(status),
                Err(_) => {}
            }
        }
        self.copied += u64::from(outcome.bytes);
        outcome
    }

    fn host_range(&self, address: u64, length: u32) -> Result<std::ops::Range<usize>, DmaStatus> {
        let end = address.checked_add(u64::from(length)).ok_or(DmaStatus::Refused)?;
        let is_inside = address >= HOST_BASE && end <= HOST_BASE + HOST_BYTES as u64;
        let is_closed = self.closed.iter().any(|range| range.start < end && address < range.end);
        if !is_inside || is_closed {
            return Err(DmaStatus::Refused);
        }
        Ok((address - HOST_BASE) as usize..(end - HOST_BASE) as usize)
    }

    /// What is copied from or to a processor's memory must be a frame, or alive.
    fn card_range(&self, channel: usize, address: u32, length: u32) -> (usize, std::ops::Range<usize>) {
        let (processor, start) = ((address >> 24) as usize, address & 0xFF_FFFF);
        let end = start + length;
        let is_host = channel == self.setup.processors;
        let is_frame = is_host && start >= FRAMES_AT && end <= FRAMES_AT + self.setup.inbound * FRAME;
        assert!(is_host || channel == processor, "processor {channel} copies in the memory of {processor}");
        let around = self.sides[processor].live.range(..=start).next_back();
        let is_live = around.is_some_and(|(&first, &bytes)| end <= first + bytes);
        assert!(is_frame || is_live, "a copy touches {start:#x}..{end:#x} of processor {processor}, which nobody has");
        (processor, start as usize..end as usize)
    }

    fn fetch(&self, channel: usize, copy: &Copy) -> Result<Vec<u8>, DmaStatus> {
        match copy.source {
            Endpoint::Host(address) => self.host_range(address, copy.length).map(|range| self.host[range].to_vec()),
            Endpoint::Card(address) => {
                let (processor, range) = self.card_range(channel, address, copy.length);
                Ok(self.sides[processor].memory[range].to_vec())
            }
        }
    }

    fn put(&mut self, channel: usize, copy: &Copy, bytes: &[u8]) -> Result<(), DmaStatus> {
        match copy.destination {
            Endpoint::Host(address) => {
                let range = self.host_range(address, copy.length)?;
                self.host[range].copy_from_slice(bytes);
            }
            Endpoint::Card(address) => {
                let (processor, range) = self.card_range(channel, address, copy.length);
                self.sides[processor].memory[range].copy_from_slice(bytes);
            }
        }
        Ok(())
    }
}

/// The card as one processor sees it.
pub struct ModelCard {
    bench: Bench,
    processor: usize,
}

impl Card for ModelCard {
    fn take_request(&mut self) -> Option<u32> {
        Some(self.bench.inside().sides[self.processor].in_post.pop_front()? & !3)
    }

    fn read_request(&mut self, mfa: u32, bytes: &mut [u8]) -> Result<(), OutsideMemory> {
        let inside = self.bench.inside();
        let start = (mfa & 0xFF_FFFF) as usize;
        let source = inside.sides[self.processor].memory.get(start..start + bytes.len()).ok_or(OutsideMemory)?;
        bytes.copy_from_slice(source);
        Ok(())
    }

    fn return_request(&mut self, mfa: u32) {
        let mut inside = self.bench.inside();
        let side = &mut inside.sides[self.processor];
        assert!(!side.in_free.contains(&mfa), "frame {mfa:#x} is given back twice");
        side.in_free.push_back(mfa);
    }

    fn take_frame(&mut self) -> Option<u32> {
        let mut inside = self.bench.inside();
        let mfa = inside.out_free.pop_front()?;
        let number = inside.frame_number(mfa);
        inside.holders[number] = Holder::Processor(self.processor);
        Some(mfa)
    }

    fn frame_address(&self, mfa: u32) -> u64 {
        self.bench.inside().out_base & !0xFFFF_FFFF | u64::from(mfa)
    }

    fn store(&mut self, address: u32, bytes: &[u8]) -> Result<(), OutsideMemory> {
        self.bench.poke(self.processor, address, bytes);
        Ok(())
    }

    fn push(&mut self, list: &[Copy], post: Option<u32>, context: u32) -> bool {
        self.bench.inside().push(self.processor, list, post, context)
    }

    fn report(&mut self) -> Option<(u32, Outcome)> {
        self.bench.inside().channels[self.processor].reports.pop_front()
    }
}
