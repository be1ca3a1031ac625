//! Several processors and the card between them, as far as net kernels use it: frames, messages, copies from memory to memory, the timer.
//! Interrupts are taken where a test says. Written from the register table.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::ops::Range;
use std::rc::Rc;

use soft_cores::platform::{Context, Event, OutsideMemory, Platform};

const EMPTY: u32 = 0xFFFF_FFFF;
/// Messages of a pair, and descriptors of a channel.
const DEPTH: usize = 16;
pub const MEMORY: Range<u32> = 0x1000..0x8_0000;

/// One processor's side of the card.
#[derive(Default)]
pub struct Core {
    pub memory: Vec<u8>,
    free: VecDeque<u32>,
    posted: VecDeque<(u32, u32)>,
    taken_length: u32,
    tx_length: u32,
    done: VecDeque<u32>,
    /// Frames that it sent.
    pub sent: Vec<Vec<u8>>,
    mask: u32,
    compare: u64,
    outgoing: [u32; 3],
    /// Messages for it, by sender.
    pub messages: Vec<VecDeque<[u32; 4]>>,
    taken: [u32; 4],
    /// What it wrote to BUSY.
    pub busy: Vec<u32>,
    descriptor: [u32; 6],
    channel: VecDeque<[u32; 7]>,
    reports: VecDeque<(u32, u32)>,
    taken_context: u32,
    enabled: bool,
    handler: Option<Rc<dyn Fn()>>,
}

/// The card.
pub struct Card {
    pub time: u64,
    pub cores: Vec<Core>,
    /// Copies fail with this status.
    pub failing: Option<u32>,
    /// Messages refused because their queue was full.
    pub refused: u32,
}

impl Card {
    pub fn new(processors: usize) -> Rc<RefCell<Self>> {
        let core = || Core {
            memory: vec![0; MEMORY.end as usize],
            mask: 0xFF,
            compare: u64::MAX,
            messages: vec![VecDeque::new(); processors],
            ..Core::default()
        };
        let cores = (0..processors).map(|_| core()).collect();
        Rc::new(RefCell::new(Self { time: 0, cores, failing: None, refused: 0 }))
    }

    /// A frame comes for a processor; says whether there was a buffer.
    pub fn receive(&mut self, processor: usize, frame: &[u8]) -> bool {
        let core = &mut self.cores[processor];
        let Some(buffer) = core.free.pop_front() else { return false };
        core.memory[buffer as usize..][..frame.len()].copy_from_slice(frame);
        core.posted.push_back((buffer, frame.len() as u32));
        true
    }

    pub fn posted(&self, processor: usize) -> usize {
        self.cores[processor].posted.len()
    }

    /// Makes the oldest copy of a processor's channel; says whether there was one.
    pub fn copy(&mut self, processor: usize) -> bool {
        let Some([from, _, to, _, control, _, context]) = self.cores[processor].channel.pop_front() else {
            return false;
        };
        let length = control & 0x1_FFFF;
        assert_eq!(control >> 17, 0, "a copy between processors, of one element");
        if let Some(status) = self.failing {
            self.cores[processor].reports.push_back((status << 20, context));
            return true;
        }
        let (source, destination) = ((from >> 24) as usize, (to >> 24) as usize);
        let place = |address: u32| (address & 0xFF_FFFF) as usize;
        let bytes: Vec<u8> =
            (0..length as usize).map(|k| *self.cores[source].memory.get(place(from) + k).unwrap_or(&0)).collect();
        self.cores[destination].memory[place(to)..][..bytes.len()].copy_from_slice(&bytes);
        self.cores[processor].reports.push_back((length, context));
        true
    }

    fn causes(&self, processor: usize) -> u32 {
        let core = &self.cores[processor];
        u32::from(self.time >= core.compare)
            | u32::from(core.messages.iter().any(|queue| !queue.is_empty())) << 3
            | u32::from(!core.posted.is_empty()) << 4
            | u32::from(!core.done.is_empty()) << 5
            | u32::from(!core.reports.is_empty()) << 6
    }

    pub fn line(&self, processor: usize) -> bool {
        self.causes(processor) & !self.cores[processor].mask != 0
    }

    pub fn handler(&self, processor: usize) -> Rc<dyn Fn()> {
        self.cores[processor].handler.clone().expect("a kernel that has started")
    }

    /// When the first timer of these processors is due.
    pub fn next(&self, processors: impl Iterator<Item = usize>) -> u64 {
        processors.map(|processor| self.cores[processor].compare).min().unwrap_or(u64::MAX)
    }

    fn read(&mut self, me: usize, offset: u32) -> u32 {
        let processors = self.cores.len();
        let causes = self.causes(me);
        let busy = self.cores.iter().enumerate().map(|(i, it)| it.busy.last().copied().unwrap_or(0) << i).sum();
        let core = &mut self.cores[me];
        match offset {
            0x000 => 0x504E_5443,
            0x004 => (processors << 8 | me) as u32,
            0x010 => 256 - core.free.len() as u32,
            0x014 => core.posted.pop_front().map_or(EMPTY, |(address, length)| {
                core.taken_length = length;
                address
            }),
            0x018 => core.taken_length,
            0x020 => core.posted.len() as u32,
            0x034 => 64 - core.done.len() as u32,
            0x038 => core.done.pop_front().unwrap_or(EMPTY),
            0x050 => causes,
            0x0D8 => (DEPTH - core.channel.len() - core.reports.len()) as u32,
            0x0DC => core.reports.pop_front().map_or(EMPTY, |(word, context)| {
                core.taken_context = context;
                word
            }),
            0x0E0 => core.taken_context,
            0x104 => busy,
            0x108 => (0..processors).map(|i| u32::from(!core.messages[i].is_empty()) << i).sum(),
            0x120 | 0x124 | 0x128 => core.taken[1 + (offset as usize - 0x120) / 4],
            0x140..0x240 => {
                let peer = (offset as usize - 0x140) / 16;
                match offset & 0xF {
                    _ if peer >= processors => 0,
                    0 => (DEPTH - self.cores[peer].messages[me].len()) as u32,
                    4 => core.messages[peer].pop_front().map_or(EMPTY, |message| {
                        core.taken = message;
                        message[0]
                    }),
                    _ => core.messages[peer].len() as u32,
                }
            }
            _ => 0,
        }
    }

    fn write(&mut self, me: usize, offset: u32, value: u32) {
        let core = &mut self.cores[me];
        match offset {
            0x010 => {
                assert!(core.free.len() < 256 && !core.free.contains(&value), "{value:#x}");
                core.free.push_back(value);
            }
            0x030 => core.tx_length = value,
            0x034 => {
                let address = value & 0xFF_FFFF;
                let frame = core.memory[address as usize..][..core.tx_length as usize].to_vec();
                core.sent.push(frame);
                core.done.push_back(address);
            }
            0x054 => core.mask = value,
            0x060 => core.compare = core.compare & !0xFFFF_FFFF | u64::from(value),
            0x064 => core.compare = core.compare & 0xFFFF_FFFF | u64::from(value) << 32,
            0x0C0..0x0D8 => core.descriptor[(offset as usize - 0xC0) / 4] = value,
            0x0D8 => {
                assert!(core.channel.len() + core.reports.len() < DEPTH, "the channel of {me} is full");
                let [a, b, c, d, e, f] = core.descriptor;
                core.channel.push_back([a, b, c, d, e, f, value]);
            }
            0x100 => core.busy.push(value),
            0x110 | 0x114 | 0x118 => core.outgoing[(offset as usize - 0x110) / 4] = value,
            0x140..0x240 => {
                let [a, b, c] = core.outgoing;
                let queue = &mut self.cores[(offset as usize - 0x140) / 16].messages[me];
                if queue.len() == DEPTH {
                    self.refused += 1;
                } else {
                    queue.push_back([value, a, b, c]);
                }
            }
            _ => {}
        }
    }
}

/// A processor, as its kernel sees it.
#[derive(Clone)]
pub struct Port {
    pub number: usize,
    pub card: Rc<RefCell<Card>>,
}

impl Platform for Port {
    fn read(&self, offset: u32) -> u32 {
        self.card.borrow_mut().read(self.number, offset)
    }

    fn write(&self, offset: u32, value: u32) {
        self.card.borrow_mut().write(self.number, offset, value);
    }

    fn memory(&self) -> Range<u32> {
        MEMORY
    }

    fn load(&self, address: u32, bytes: &mut [u8]) -> Result<(), OutsideMemory> {
        let card = self.card.borrow();
        let memory = &card.cores[self.number].memory;
        let from = memory.get(address as usize..).and_then(|rest| rest.get(..bytes.len())).ok_or(OutsideMemory)?;
        bytes.copy_from_slice(from);
        Ok(())
    }

    fn store(&self, address: u32, bytes: &[u8]) -> Result<(), OutsideMemory> {
        let mut card = self.card.borrow_mut();
        let memory = &mut card.cores[self.number].memory;
        let to = memory.get_mut(address as usize..).and_then(|rest| rest.get_mut(..bytes.len()));
        to.ok_or(OutsideMemory)?.copy_from_slice(bytes);
        Ok(())
    }

    fn now(&self) -> u64 {
        self.card.borrow().time
    }

    fn wait_for_interrupt(&self) {
        unreachable!("the test is what waits");
    }

    fn interrupts(&self, enabled: bool) -> bool {
        std::mem::replace(&mut self.card.borrow_mut().cores[self.number].enabled, enabled)
    }

    fn on_interrupt(&self, handler: Box<dyn Fn()>) {
        self.card.borrow_mut().cores[self.number].handler = Some(handler.into());
    }

    fn charge(&self, _: Event) {}

    fn spawn(&self, _: Box<dyn FnOnce() -> Context>) -> Option<Context> {
        None
    }

    fn switch(&self, _: Context) {
        unreachable!("no thread was made");
    }
}
