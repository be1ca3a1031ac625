//! The register port's model, written from the register table: queues, causes, timer, and an agenda of what the world does.

use std::collections::{BTreeMap, VecDeque};

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

const EMPTY: u32 = 0xFFFF_FFFF;

/// What happens at some cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum World {
    /// A frame of this length and hash comes; it needs a free buffer and room.
    Frame(u32, u32),
    /// A message from a processor: kind, and a word that its others are made of.
    Message(usize, u32, u32),
    /// A message of the host, by its MFA with the kind bits.
    Host(u32),
    /// The frame sent first is on the wire.
    Sent,
    /// The list pushed first is done, with this status.
    Copied(u32),
    /// Another processor has taken a message from us.
    Taken(usize),
    /// Who is busy.
    Busy(u32),
}

/// Cycles until what was handed in is done; 0: the test says when.
#[derive(Clone, Copy, Debug, Default)]
pub struct Delays {
    pub send: u64,
    pub copy: u64,
    pub take: u64,
}

/// See the module's page. All fields with what the kernel did are for the tests to read.
pub struct Card {
    time: u64,
    number: usize,
    processors: usize,
    agenda: BTreeMap<(u64, u64), World>,
    planned: u64,
    pub delays: Delays,
    // Receive.
    free: VecDeque<u32>,
    posted: VecDeque<(u32, u32, u32)>,
    taken_frame: (u32, u32),
    pub dropped: Vec<u32>,
    // Send.
    tx_length: u32,
    sending: VecDeque<u32>,
    done: VecDeque<u32>,
    pub frames_sent: Vec<(u32, u32)>,
    // Interrupts.
    status: u32,
    mask: u32,
    compare: u64,
    error: bool,
    pub acknowledged: Vec<u32>,
    pub compares: Vec<u64>,
    // Messages.
    outgoing: [u32; 3],
    to: Vec<VecDeque<[u32; 4]>>,
    from: Vec<VecDeque<[u32; 4]>>,
    taken_message: [u32; 4],
    pub messages_sent: Vec<(usize, [u32; 4])>,
    pub messages_taken: Vec<(usize, [u32; 4])>,
    pub busy: u32,
    pub busy_writes: Vec<u32>,
    busy_all: u32,
    // DMA.
    descriptor: [u32; 6],
    channel: VecDeque<[u32; 7]>,
    room: u32,
    reports: VecDeque<(u32, u32, u32)>,
    taken_context: u32,
    pub descriptors: Vec<[u32; 7]>,
    // Host.
    host: VecDeque<u32>,
    /// RX, TX, MFA, DMA, messages.
    pub refused: [u32; 5],
    /// Registers that read something else.
    pub overrides: BTreeMap<u32, u32>,
    /// Causes that stand for nothing.
    pub stuck: u32,
    /// All registers read anything.
    hostile: Option<ChaCha8Rng>,
    pub reads: BTreeMap<u32, u64>,
}

impl Card {
    pub fn new(number: usize, processors: usize) -> Self {
        Self {
            time: 0,
            number,
            processors,
            agenda: BTreeMap::new(),
            planned: 0,
            delays: Delays::default(),
            free: VecDeque::new(),
            posted: VecDeque::new(),
            taken_frame: (0, 0),
            dropped: Vec::new(),
            tx_length: 0,
            sending: VecDeque::new(),
            done: VecDeque::new(),
            frames_sent: Vec::new(),
            status: 0,
            mask: 0xFF,
            compare: u64::MAX,
            error: false,
            acknowledged: Vec::new(),
            compares: Vec::new(),
            outgoing: [0; 3],
            to: vec![VecDeque::new(); processors],
            from: vec![VecDeque::new(); processors],
            taken_message: [0; 4],
            messages_sent: Vec::new(),
            messages_taken: Vec::new(),
            busy: 0,
            busy_writes: Vec::new(),
            busy_all: 0,
            descriptor: [0; 6],
            channel: VecDeque::new(),
            room: 16,
            reports: VecDeque::new(),
            taken_context: 0,
            descriptors: Vec::new(),
            host: VecDeque::new(),
            refused: [0; 5],
            overrides: BTreeMap::new(),
            stuck: 0,
            hostile: None,
            reads: BTreeMap::new(),
        }
    }

    /// From now on every register reads anything.
    pub fn turn_hostile(&mut self, seed: u64) {
        self.hostile = Some(ChaCha8Rng::seed_from_u64(seed));
    }

    pub fn plan(&mut self, cycle: u64, what: World) {
        self.planned += 1;
        self.agenda.insert((cycle, self.planned), what);
    }

    pub fn time(&self) -> u64 {
        self.time
    }

    /// TIME, as the processor reads it.
    pub fn now(&mut self) -> u64 {
        let Some(rng) = &mut self.hostile else { return self.time };
        if rng.next_u32() % 4 == 0 { rng.next_u64() } else { self.time }
    }

    pub fn advance(&mut self, cycles: u64) {
        let until = self.time + cycles;
        while let Some(entry) = self.agenda.first_entry() {
            if entry.key().0 > until {
                break;
            }
            let ((cycle, _), what) = entry.remove_entry();
            self.time = self.time.max(cycle);
            self.happen(what);
        }
        self.time = until;
        self.raise();
    }

    /// Time goes on until something happens; `None` if nothing ever will.
    pub fn sleep(&mut self) -> Option<u64> {
        self.raise();
        if self.line() {
            return Some(self.time);
        }
        let timer = (self.mask & 1 == 0 && self.compare != u64::MAX).then_some(self.compare);
        let planned = self.agenda.first_key_value().map(|((cycle, _), _)| *cycle);
        let next = [timer, planned].into_iter().flatten().min()?;
        self.advance(next.saturating_sub(self.time));
        Some(self.time)
    }

    pub fn line(&mut self) -> bool {
        match &mut self.hostile {
            Some(rng) => rng.next_u32() % 8 == 0,
            None => self.status & !self.mask != 0,
        }
    }

    pub fn mask(&self) -> u32 {
        self.mask
    }

    fn happen(&mut self, what: World) {
        match what {
            World::Frame(length, hash) => match self.free.pop_front() {
                Some(address) => self.posted.push_back((address, length, hash)),
                None => self.dropped.push(hash),
            },
            World::Message(from, kind, word) => {
                self.from[from].push_back([kind, word, word ^ 0x5555_5555, !word]);
            }
            World::Host(mfa) => self.host.push_back(mfa),
            World::Sent => self.done.extend(self.sending.pop_front()),
            World::Copied(status) => self.report(status),
            World::Taken(by) => drop(self.to[by].pop_front()),
            World::Busy(flags) => self.busy_all = flags,
        }
        self.raise();
    }

    fn report(&mut self, status: u32) {
        let mut bytes = 0;
        while let Some(descriptor) = self.channel.pop_front() {
            bytes += descriptor[4] & 0x1_FFFF;
            if descriptor[4] >> 22 & 1 == 0 {
                let bytes = if status == 0 { bytes.min(0xF_FFFF) } else { 0 };
                self.reports.push_back((status << 20 | bytes, descriptor[6], 1));
                break;
            }
            // An element of a list is not reported, and gives its place back by itself.
            self.room += 1;
        }
    }

    /// The causes whose reason stands.
    fn causes(&self) -> u32 {
        self.stuck
            | u32::from(self.time >= self.compare)
            | u32::from(self.host.front().is_some_and(|mfa| mfa & 1 == 1)) << 1
            | u32::from(self.host.front().is_some_and(|mfa| mfa & 2 == 2)) << 2
            | u32::from(self.from.iter().any(|queue| !queue.is_empty())) << 3
            | u32::from(!self.posted.is_empty()) << 4
            | u32::from(!self.done.is_empty()) << 5
            | u32::from(!self.reports.is_empty()) << 6
            | u32::from(self.error) << 7
    }

    fn raise(&mut self) {
        self.status |= self.causes();
        self.error = false;
    }

    fn refuse(&mut self, which: usize) {
        self.refused[which] = (self.refused[which] + 1) & 0xFFFF;
        self.error = true;
    }

    pub fn read(&mut self, offset: u32) -> u32 {
        *self.reads.entry(offset).or_default() += 1;
        let value = self.true_read(offset);
        self.raise();
        match &mut self.hostile {
            // Small numbers and all ones lie near the limits.
            Some(rng) => match rng.next_u32() % 8 {
                0 => EMPTY,
                1 => rng.next_u32() % 20,
                2 | 3 => value,
                _ => rng.next_u32(),
            },
            None => self.overrides.get(&offset).copied().unwrap_or(value),
        }
    }

    fn true_read(&mut self, offset: u32) -> u32 {
        match offset {
            0x000 => 0x504E_5443,
            0x004 => (self.processors << 8 | self.number) as u32,
            0x010 => 256 - self.free.len() as u32,
            0x014 => match self.posted.pop_front() {
                Some((address, length, hash)) => {
                    self.taken_frame = (length | 3 << 16, hash);
                    address
                }
                None => EMPTY,
            },
            0x018 => self.taken_frame.0,
            0x01C => self.taken_frame.1,
            0x024 => self.refused[0],
            0x034 => 64 - (self.sending.len() + self.done.len()) as u32,
            0x038 => self.done.pop_front().unwrap_or(EMPTY),
            0x03C => self.refused[1],
            0x050 => self.status,
            0x054 => self.mask,
            0x090 => self.host.pop_front().unwrap_or(EMPTY),
            0x098 => self.refused[2],
            0x0D8 => self.room,
            0x0DC => match self.reports.pop_front() {
                Some((word, context, places)) => {
                    self.taken_context = context;
                    self.room += places;
                    word
                }
                None => EMPTY,
            },
            0x0E0 => self.taken_context,
            0x0E4 => self.refused[3],
            0x104 => self.busy_all,
            0x108 => (0..self.processors).map(|i| u32::from(!self.from[i].is_empty()) << i).sum(),
            0x120 | 0x124 | 0x128 => self.taken_message[1 + (offset as usize - 0x120) / 4],
            0x12C => self.refused[4],
            0x140..0x240 => self.read_peer((offset as usize - 0x140) / 16, offset & 0xF),
            _ => 0,
        }
    }

    fn read_peer(&mut self, peer: usize, which: u32) -> u32 {
        if peer >= self.processors {
            return 0;
        }
        match which {
            0 => 16 - self.to[peer].len() as u32,
            4 => match self.from[peer].pop_front() {
                Some(message) => {
                    self.taken_message = message;
                    self.messages_taken.push((peer, message));
                    message[0]
                }
                None => EMPTY,
            },
            _ => self.from[peer].len() as u32,
        }
    }

    pub fn write(&mut self, offset: u32, value: u32) {
        match offset {
            0x010 if self.free.len() < 256 => {
                assert!(!self.free.contains(&value), "{value:#x} is handed in twice");
                assert!(self.posted.iter().all(|frame| frame.0 != value), "{value:#x} holds a frame");
                assert_eq!(value % 64, 0, "a buffer that is not aligned");
                self.free.push_back(value);
            }
            0x010 => self.refuse(0),
            0x030 => self.tx_length = value,
            0x034 if self.sending.len() + self.done.len() < 64 => {
                self.frames_sent.push((value, self.tx_length));
                self.sending.push_back(value & 0xFF_FFFF);
                self.later(self.delays.send, World::Sent);
            }
            0x034 => self.refuse(1),
            0x050 => {
                self.acknowledged.push(value);
                self.status &= !value;
            }
            0x054 => self.mask = value,
            0x060 => self.set_compare(self.compare & !0xFFFF_FFFF | u64::from(value)),
            0x064 => self.set_compare(self.compare & 0xFFFF_FFFF | u64::from(value) << 32),
            0x0C0 | 0x0C4 | 0x0C8 | 0x0CC | 0x0D0 | 0x0D4 => self.descriptor[(offset as usize - 0xC0) / 4] = value,
            0x0D8 if self.room > 0 => {
                let [a, b, c, d, e, f] = self.descriptor;
                self.channel.push_back([a, b, c, d, e, f, value]);
                self.descriptors.push([a, b, c, d, e, f, value]);
                self.room -= 1;
                if e >> 22 & 1 == 0 {
                    self.later(self.delays.copy, World::Copied(0));
                }
            }
            0x0D8 => self.refuse(3),
            0x100 => {
                self.busy = value;
                self.busy_writes.push(value);
            }
            0x110 | 0x114 | 0x118 => self.outgoing[(offset as usize - 0x110) / 4] = value,
            0x140..0x240 if offset & 0xF == 0 => self.send_message((offset as usize - 0x140) / 16, value),
            _ => {}
        }
        self.raise();
    }

    fn send_message(&mut self, to: usize, kind: u32) {
        assert!(to < self.processors && to != self.number, "a message to processor {to}");
        if self.to[to].len() == 16 {
            return self.refuse(4);
        }
        let [a, b, c] = self.outgoing;
        self.to[to].push_back([kind, a, b, c]);
        self.messages_sent.push((to, [kind, a, b, c]));
        self.later(self.delays.take, World::Taken(to));
    }

    fn set_compare(&mut self, compare: u64) {
        self.compare = compare;
        self.compares.push(compare);
    }

    fn later(&mut self, delay: u64, what: World) {
        if delay > 0 {
            self.plan(self.time + delay, what);
        }
    }

    /// What nobody has taken: frames, buffers, reports, messages, host messages.
    pub fn left_over(&self) -> usize {
        let messages: usize = self.from.iter().map(VecDeque::len).sum();
        self.posted.len() + self.done.len() + self.reports.len() + messages + self.host.len()
    }

    /// Buffers that the card holds empty.
    pub fn free_buffers(&self) -> usize {
        self.free.len()
    }

    /// Says that something was refused, as a write of somebody else's might.
    pub fn refuse_message(&mut self) {
        self.refuse(4);
        self.raise();
    }
}
