//! How the host's socket module comes to a card: what it finds, what it clears, and what it sets up.
//!
//! A card may have had another host before, one that was killed in the middle of what it did. What that one left is cleared: its reports
//! and answers are taken and dropped, and the first message to each processor is a Reset, which ends all sessions. No other message goes
//! to a processor before it has answered that, so applications may start at once: their calls wait. Two things cannot be cleared from
//! here. Outbound frames are where they were, so they must be the same ones; and an inbound frame that the other host had taken and
//! not posted stays with it.

use std::rc::Rc;

use abi::csr::host as csr;
use abi::dma::{DEPTH, Window};
use abi::limits::{MAX_PROCESSORS, MIN_PROCESSORS};
use abi::receive::EMPTY;
use abi::socket::{Call, Function, Reply, Request, Status, Tag};

use super::driver::FRAME;
use super::osm::{Config, Message, Osm, State};
use super::port::Port;
use super::steering::Steering;

const PAGE: u64 = 4096;
/// How often it is looked whether the channel of a host before has come to rest. A look takes 20 cycles or more, and the card gives
/// reads up after 1,250,000 of them.
const LOOKS: u32 = 200_000;
/// Session number of a message that is of no session.
const NO_SESSION: u16 = u16::MAX;

/// Why a socket module does not start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// It is made with something that makes no sense.
    #[error("the configuration makes no sense: {0}")]
    Config(&'static str),
    /// There is no such card.
    #[error("no card: its ID reads {id:#010x}, it has {processors} processors")]
    NoCard {
        /// What ID reads.
        id: u32,
        /// Processors that it says it has.
        processors: usize,
    },
    /// Its registers are of another version.
    #[error("the card's registers are of version {major}, not {}", csr::TABLE_VERSION >> 16)]
    Version {
        /// Which.
        major: u32,
    },
    /// Outbound frames are elsewhere, or others, than this module has them: another host has given them to the card.
    #[error("the card has outbound frames of another host; it must be reset")]
    Frames,
    /// The host's DMA channel does not come to rest.
    #[error("the card's DMA channel is busy, and nothing of it is heard")]
    Channel,
}

/// What became of a processor's Reset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Ready {
    /// This transaction is under way.
    Resetting(u32),
    /// It must be asked.
    #[default]
    Unknown,
    /// It has answered.
    Yes,
}

impl Osm {
    /// A module on a card, [started](Self::start).
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn on(port: Rc<dyn Port>, config: Config) -> Result<Self, StartError> {
        let osm = Self::new(port, config);
        osm.start()?;
        Ok(osm)
    }

    /// Clears what was there before, sets the card up, reads how it steers, and queues a Reset to each processor. Called once,
    /// before anything else that touches the card.
    ///
    /// # Errors
    /// The card is not what it should be, or does not come to rest.
    pub fn start(&self) -> Result<(), StartError> {
        let config = self.state().config.clone();
        check(&config)?;
        let port = self.port();
        let id = port.read(csr::ID.offset);
        let parameters = port.read(csr::PARAMETERS.offset);
        let processors = csr::parameters::PROCESSORS.get(parameters) as usize;
        if id != csr::HOST_ID || !(MIN_PROCESSORS..=MAX_PROCESSORS).contains(&processors) {
            return Err(StartError::NoCard { id, processors });
        }
        let major = csr::version::MAJOR.get(port.read(csr::VERSION.offset));
        if major != csr::TABLE_VERSION >> 16 {
            return Err(StartError::Version { major });
        }
        if config.frames > 1 << csr::parameters::MFA_DEPTH.get(parameters).min(16) {
            return Err(StartError::Config("the card has no room for so many outbound frames"));
        }
        // Nobody is interrupted before it is wanted.
        port.write(csr::MSIX_CONTROL.offset, 0);
        let layout = Layout::of(&config);
        drain_channel(port)?;
        layout.open_windows(port, processors);
        hand_in_frames(port, &config)?;
        port.write(csr::I2O_MASK.at(0), 0);
        let steering = Steering::read(port);
        let begun = port.now();
        self.state().begin(processors, &layout, steering, begun);
        Ok(())
    }

    /// Every processor is there: it has answered its Reset.
    pub fn is_ready(&self) -> bool {
        let state = self.state();
        state.processors > 0 && state.ready.iter().all(|ready| *ready == Ready::Yes)
    }

    /// The processors that are not there.
    pub fn missing(&self) -> Vec<usize> {
        let state = self.state();
        (0..state.processors).filter(|&p| state.ready[p] != Ready::Yes).collect()
    }
}

fn check(config: &Config) -> Result<(), StartError> {
    let end = config.memory.checked_add(Layout::of(config).bytes());
    let frames_end = (config.memory & 0xFFFF_FFFF) + u64::from(config.frames) * u64::from(FRAME);
    let rules = [
        (config.memory.is_multiple_of(PAGE), "its memory does not start on a page"),
        (end.is_some(), "its memory goes beyond the last address"),
        (frames_end <= 1 << 32, "its outbound frames cross 4 GiB"),
        ((1..=1024).contains(&config.frames), "1 to 1,024 outbound frames are wanted"),
        ((1..=65_536).contains(&config.buffer_bytes), "1 to 65,536 bytes in a buffer are wanted"),
        (config.buffers > 0 && config.receives > 0 && config.accepts > 0, "there is nothing to receive into"),
        ((1..NO_SESSION).contains(&config.sessions), "1 to 65,534 sessions are wanted"),
    ];
    match rules.into_iter().find(|(is_kept, _)| !is_kept) {
        Some((_, rule)) => Err(StartError::Config(rule)),
        None => Ok(()),
    }
}

/// Where things are in the memory that both reach: outbound frames, then messages on their way to the card, then buffers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    start: u64,
    /// Behind the start, as the next ones.
    staging: u64,
    buffers: u64,
    count: u64,
    each: u64,
}

impl Layout {
    pub fn of(config: &Config) -> Self {
        let staging = u64::from(config.frames) * u64::from(FRAME);
        let buffers = (staging + DEPTH as u64 * u64::from(FRAME)).next_multiple_of(PAGE);
        let (count, each) = (config.buffers.into(), config.buffer_bytes.into());
        Self { start: config.memory, staging, buffers, count, each }
    }

    /// Bytes in all.
    pub const fn bytes(&self) -> u64 {
        self.buffers + self.count * self.each
    }

    /// Where messages are copied from.
    fn staging(&self) -> Vec<u64> {
        (0..DEPTH as u64).map(|slot| self.start + self.staging + slot * u64::from(FRAME)).collect()
    }

    /// Every buffer, the first one last.
    fn buffers(&self) -> Vec<u64> {
        (0..self.count).rev().map(|buffer| self.start + self.buffers + buffer * self.each).collect()
    }

    /// Opens it to all processors, and closes all else.
    fn open_windows(&self, port: &dyn Port, processors: usize) {
        let last_page = (self.start + self.bytes() - 1) / PAGE * PAGE;
        let window = Window { first_page: self.start, last_page, readable: true, writable: true };
        for processor in 0..processors {
            for word in 0..16 {
                let value = window.words().get(word).copied().unwrap_or(0);
                port.write(csr::DMA_WINDOW.at(16 * processor + word), value);
            }
        }
    }
}

/// Waits until all that a host before gave to the channel is reported.
fn drain_channel(port: &dyn Port) -> Result<(), StartError> {
    for _ in 0..LOOKS {
        if port.read(csr::DMA_DONE.offset) == EMPTY && port.read(csr::DMA_PUSH.offset) == DEPTH as u32 {
            return Ok(());
        }
    }
    Err(StartError::Channel)
}

/// Gives the card all outbound frames. Those that it has already are refused; what is posted is a message to somebody who is gone.
fn hand_in_frames(port: &dyn Port, config: &Config) -> Result<(), StartError> {
    let (low, high) = (config.memory as u32, (config.memory >> 32) as u32);
    let wanted = [
        (csr::OUT_BASE.offset, low),
        (csr::OUT_BASE.offset + 4, high),
        (csr::OUT_FRAME_SIZE.offset, FRAME.ilog2()),
        (csr::OUT_FRAMES.offset, config.frames),
    ];
    if port.read(csr::OUT_FRAMES.offset) != 0 {
        if wanted.into_iter().any(|(offset, value)| port.read(offset) != value) {
            return Err(StartError::Frames);
        }
        for _ in 0..=config.frames {
            if port.read(csr::I2O_OUTBOUND.at(0)) == EMPTY {
                break;
            }
        }
    }
    for (offset, value) in wanted {
        port.write(offset, value);
    }
    for frame in 0..config.frames {
        port.write(csr::I2O_OUTBOUND.at(0), low + frame * FRAME);
    }
    // What was refused, and whatever went wrong before, is nobody's business any more.
    let errors = port.read(csr::ERROR_STATUS.offset);
    port.write(csr::ERROR_STATUS.offset, errors);
    Ok(())
}

impl State {
    fn begin(&mut self, processors: usize, layout: &Layout, steering: Steering, begun: u64) {
        self.processors = processors;
        self.buffers = layout.buffers();
        self.staging = layout.staging();
        self.steering = Some(steering);
        self.credits = vec![super::osm::FIRST_CREDITS; processors];
        self.queues = (0..processors).map(|_| Default::default()).collect();
        self.ready = vec![Ready::Unknown; processors];
        self.signals.begin(processors);
        // Names that a host before this one has used are another time's.
        self.next_transaction = begun as u32;
        self.first_generation = (begun >> 4) as u32 % Tag::GENERATIONS;
        (0..processors).for_each(|processor| self.reset(processor));
    }

    /// Queues a Reset, before all else.
    fn reset(&mut self, processor: usize) {
        self.next_transaction = self.next_transaction.wrapping_add(1);
        let (transaction, tag) = (self.next_transaction, Tag::new(processor, NO_SESSION, self.first_generation));
        self.ready[processor] = Ready::Resetting(transaction);
        let frame = Request { tag, transaction, call: Call::Reset }.encode();
        self.queues[processor].push_front(Message { tag, transaction, frame, function: Function::Reset });
    }

    /// Whether this is the answer to a Reset, or its end in place of an answer.
    pub fn was_reset(&mut self, reply: &Reply) -> bool {
        let processor = reply.tag.processor();
        if self.ready.get(processor) != Some(&Ready::Resetting(reply.transaction)) || reply.tag.index() != NO_SESSION {
            return false;
        }
        if reply.status == Status::Ok {
            self.ready[processor] = Ready::Yes;
        } else {
            // The Reset of a host before is under way, or the message did not get there.
            self.reset(processor);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::collections::BTreeMap;

    use super::super::steering::Policy;
    use super::*;

    /// Registers that are what was written to them, but for those that the card itself sets.
    struct Card {
        fixed: BTreeMap<u32, u32>,
        written: RefCell<Vec<(u32, u32)>>,
        /// Reports of another host's copies, and how many of these are still under way.
        reports: Cell<u32>,
        under_way: Cell<u32>,
    }

    impl Card {
        fn new() -> Self {
            // By hand: "PNTH", version 0, four processors, queues of 256.
            let fixed = [(0x1_0000, 0x504E_5448), (0x1_0004, 2), (0x1_0008, 0x0040_0804)].into();
            Self { fixed, written: RefCell::default(), reports: Cell::new(0), under_way: Cell::new(0) }
        }

        fn last(&self, offset: u32) -> Option<u32> {
            self.written.borrow().iter().rev().find(|(written, _)| *written == offset).map(|(_, value)| *value)
        }

        fn start(self) -> (Rc<Self>, Result<Osm, StartError>) {
            let card = Rc::new(self);
            (card.clone(), Osm::on(card, config()))
        }
    }

    impl Port for Card {
        fn read(&self, offset: u32) -> u32 {
            match offset {
                // DMA_DONE, DMA_PUSH: a copy that is under way is reported some reads later.
                0x1_00DC if self.reports.get() > 0 => {
                    self.reports.set(self.reports.get() - 1);
                    0
                }
                0x1_00D8 => {
                    let under_way = self.under_way.replace(self.under_way.get().saturating_sub(1));
                    self.reports.set(self.reports.get() + u32::from(under_way > 0));
                    16 - under_way.min(1) - self.reports.get()
                }
                0x44 | 0x1_00DC => u32::MAX,
                _ => self.fixed.get(&offset).copied().or(self.last(offset)).unwrap_or(0),
            }
        }

        fn write(&self, offset: u32, value: u32) {
            self.written.borrow_mut().push((offset, value));
        }

        fn write_card(&self, _: u32, _: u32) {}

        fn load(&self, _: u64, _: &mut [u8]) {}

        fn store(&self, _: u64, _: &[u8]) {}

        fn now(&self) -> u64 {
            0
        }
    }

    fn config() -> Config {
        Config {
            memory: 0x7_0001_0000,
            frames: 3,
            buffer_bytes: 1000,
            buffers: 10,
            sessions: 5,
            accepts: 1,
            receives: 1,
            policy: Policy::Replies,
            addresses: Vec::new(),
        }
    }

    #[test]
    fn the_card_is_told_where_frames_are_and_what_it_may_reach() {
        let (card, osm) = Card::new().start();
        let osm = osm.unwrap();
        let frames: Vec<_> = card.written.borrow().iter().filter(|(o, _)| *o == 0x44).map(|(_, v)| *v).collect();
        assert_eq!(frames, [0x1_0000, 0x1_0080, 0x1_0100]);
        // OUT_BASE with its high word, OUT_FRAME_SIZE, OUT_FRAMES.
        assert_eq!([0x1_0090, 0x1_0094, 0x1_0098, 0x1_009C].map(|o| card.last(o)), [0x1_0000, 7, 7, 3].map(Some));
        // Frames and 16 messages on their way in the first page, 10,000 bytes of buffers in three more.
        for processor in 0..4 {
            let window: Vec<_> =
                (0..16).map(|word| card.last(0x1_2000 + 4 * (16 * processor + word)).unwrap()).collect();
            assert_eq!(window[..4], [0x1_0003, 7, 0x1_3000, 7]);
            assert_eq!(window[4..], [0; 12]);
        }
        assert_eq!((osm.free_buffers(), osm.missing()), (10, vec![0, 1, 2, 3]));
    }

    #[test]
    fn what_a_host_before_had_under_way_is_waited_for() {
        let card = Card::new();
        card.reports.set(2);
        card.under_way.set(5);
        let (card, osm) = card.start();
        assert!(osm.is_ok());
        assert_eq!((card.reports.get(), card.under_way.get()), (0, 0));
        let busy = Card::new();
        busy.under_way.set(u32::MAX);
        assert_eq!(busy.start().1.err(), Some(StartError::Channel));
    }

    #[test]
    fn a_card_that_is_none_or_has_other_frames_is_refused() {
        let with = |offset, value| {
            let mut card = Card::new();
            card.fixed.insert(offset, value);
            card.start().1.err()
        };
        let (id, processors) = (u32::MAX, 4);
        assert_eq!(with(0x1_0000, id), Some(StartError::NoCard { id, processors }));
        assert_eq!(with(0x1_0008, 0x11), Some(StartError::NoCard { id: 0x504E_5448, processors: 17 }));
        assert_eq!(with(0x1_0004, 0x1_0000), Some(StartError::Version { major: 1 }));
        assert_eq!(with(0x1_009C, 4), Some(StartError::Frames));
        // The same ones as this module has them.
        let mut card = Card::new();
        card.fixed = card.fixed.into_iter().chain([(0x1_009C, 3)]).collect();
        card.written.borrow_mut().extend([(0x1_0090, 0x1_0000), (0x1_0094, 7), (0x1_0098, 7)]);
        assert!(card.start().1.is_ok());
    }

    #[test]
    fn a_reset_that_is_not_done_is_asked_again() {
        let (_, osm) = Card::new().start();
        let osm = osm.unwrap();
        let answer = |status| {
            let message = osm.state().queues[2].pop_front().unwrap();
            let (tag, transaction) = (message.tag, message.transaction);
            let answer = abi::socket::Answer::Reset { sessions: 0 };
            let reply = Reply { processor: 2, tag, transaction, function: 15, status, credits: 8, answer };
            osm.replied(&reply);
            reply
        };
        answer(Status::WrongState);
        assert_eq!(osm.missing(), [0, 1, 2, 3]);
        let done = answer(Status::Ok);
        assert_eq!((osm.missing(), osm.counters().strays), (vec![0, 1, 3], 0));
        // Once more is once too often.
        osm.replied(&done);
        assert_eq!((osm.state().queues[2].len(), osm.counters().strays), (0, 1));
    }
}
