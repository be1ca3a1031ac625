//! The message queue manager (¶66, ¶68): four words from any processor to any other, in a queue for each pair (68.4).
//!
//! **Sending.** A full queue is the caller's to see: [`Kernel::send`] refuses. [`Kernel::post`] keeps the message in a bounded
//! backlog instead and sends it when there is room; the card does not say when, so the kernel looks with every message
//! that moves and every [`Config::backlog_retry`] cycles. Messages to one processor keep their order either way.
//!
//! **Receiving.** Senders take turns, a message each, so none waits for more than one of each other sender.
//!
//! Credit towards a receiver is kept here and read only when it is used up: nobody else sends into this queue, so it is never
//! less than what is known.

use alloc::boxed::Box;
use alloc::collections::VecDeque;

use abi::csr::core as csr;
use abi::limits::{MAX_PROCESSORS, MESSAGE_QUEUE_DEPTH};
use abi::receive::EMPTY;

use super::Kernel;
use super::busy::Busy;
use super::deadlines::Target;
use super::startup::{Config, Found};
use crate::platform::Platform;

/// What a message is about. Numbers up to 15 are the net kernel's, those from 16 on the socket ISM's; 0 is what the card reads
/// where there is no processor, and never a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Kind {
    /// Process this packet, I am too busy (68.3): its place in the sender's memory and its length.
    Packet = 1,
    /// This packet belongs to a connection of yours (67.5).
    Transport = 2,
    /// I have done with what you sent: the buffer is yours again.
    Returned = 3,
    /// What other processors are to know: groups joined, whose sessions are, the card's table.
    Notice = 4,
    /// I have read your notice: the buffer is yours again.
    Read = 5,
}

impl Kind {
    /// All of them, in the order of their numbers.
    pub const ALL: [Kind; 5] = [Kind::Packet, Kind::Transport, Kind::Returned, Kind::Notice, Kind::Read];

    /// `None`: a number that no message has.
    pub fn of(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|&kind| kind as u32 == number)
    }

    const fn index(self) -> usize {
        self as usize - 1
    }

    /// Whoever gets one owes the sender a [`Kind::Returned`].
    const fn is_work(self) -> bool {
        matches!(self, Kind::Packet | Kind::Transport)
    }
}

/// A message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    /// What it is about.
    pub kind: Kind,
    /// Second word.
    pub address: u32,
    /// Third word.
    pub length: u32,
    /// Fourth word.
    pub context: u32,
}

/// A message that was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Incoming {
    /// The processor that sent it.
    pub from: usize,
    /// What it sent.
    pub message: Message,
}

/// Why a message was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendError {
    /// There is no such processor, or it is this one.
    NoSuchProcessor,
    /// The queue, and the backlog if it was posted, is full.
    Full,
}

/// Messages, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Written to the card.
    pub sent: u64,
    /// Of these, how many waited in the backlog.
    pub deferred: u64,
    /// Refused to the caller.
    pub refused: u64,
    /// Taken from the card.
    pub received: u64,
    /// Of these, how many had a kind that there is not.
    pub unknown: u64,
    /// And how many nobody here handles.
    pub unclaimed: u64,
}

/// Towards one processor.
#[derive(Debug, Default)]
struct Peer {
    /// Messages that fit, at least.
    credit: u32,
    backlog: VecDeque<Message>,
    /// Work that it was sent and has not returned.
    owes: u32,
}

/// The queues of one processor.
#[derive(Debug)]
pub(super) struct Messages {
    me: usize,
    peers: [Peer; MAX_PROCESSORS],
    processors: usize,
    backlog: usize,
    retry: u64,
    retry_is_due: bool,
    /// Senders whose turn is still to come, and who had the last one.
    lap: u32,
    last: usize,
    pub busy: Busy,
    counters: Counters,
}

impl Messages {
    pub fn new(found: &Found, config: &Config) -> Self {
        Self {
            me: found.number,
            peers: Default::default(),
            processors: found.processors,
            backlog: config.backlog,
            retry: config.backlog_retry,
            retry_is_due: false,
            lap: 0,
            last: found.number,
            busy: Busy::new(config.busy),
            counters: Counters::default(),
        }
    }

    fn check(&self, to: usize) -> Result<(), SendError> {
        if to >= self.processors || to == self.me { Err(SendError::NoSuchProcessor) } else { Ok(()) }
    }

    /// Whether the card has room for a message behind those that wait.
    fn has_room(&mut self, platform: &impl Platform, to: usize) -> bool {
        self.flush(platform, to) && self.credit(platform, to) > 0
    }

    fn credit(&mut self, platform: &impl Platform, to: usize) -> u32 {
        let credit = &mut self.peers[to].credit;
        if *credit == 0 {
            *credit = platform.read(csr::MESSAGE_SEND.at(to)).min(MESSAGE_QUEUE_DEPTH as u32);
        }
        *credit
    }

    /// Writes a message to the card if it has room.
    fn push(&mut self, platform: &impl Platform, to: usize, message: Message) -> bool {
        if self.credit(platform, to) == 0 {
            return false;
        }
        self.peers[to].credit -= 1;
        platform.write(csr::MESSAGE_ADDRESS.offset, message.address);
        platform.write(csr::MESSAGE_LENGTH.offset, message.length);
        platform.write(csr::MESSAGE_CONTEXT.offset, message.context);
        platform.write(csr::MESSAGE_SEND.at(to), message.kind as u32);
        self.counters.sent += 1;
        true
    }

    /// Sends what waits for a processor, as far as there is room. Says whether nothing waits any more.
    fn flush(&mut self, platform: &impl Platform, to: usize) -> bool {
        while let Some(&message) = self.peers[to].backlog.front() {
            if !self.push(platform, to, message) {
                return false;
            }
            self.peers[to].backlog.pop_front();
            self.counters.deferred += 1;
        }
        true
    }

    fn flush_all(&mut self, platform: &impl Platform) {
        for to in 0..self.processors {
            self.flush(platform, to);
        }
    }

    fn send(&mut self, platform: &impl Platform, to: usize, message: Message) -> bool {
        let sent = self.flush(platform, to) && self.push(platform, to, message);
        if sent {
            self.accept(to, message);
        }
        sent
    }

    fn post(&mut self, platform: &impl Platform, to: usize, message: Message) -> bool {
        if self.send(platform, to, message) {
            return true;
        }
        let room = self.peers[to].backlog.len() < self.backlog;
        if room {
            self.peers[to].backlog.push_back(message);
            self.accept(to, message);
        }
        room
    }

    fn accept(&mut self, to: usize, message: Message) {
        self.peers[to].owes = self.peers[to].owes.saturating_add(u32::from(message.kind.is_work()));
    }

    /// The next sender in turn that says it has something.
    fn next_sender(&mut self, platform: &impl Platform) -> Option<usize> {
        if self.lap == 0 {
            self.lap = platform.read(csr::MESSAGE_PENDING.offset) & ((1 << self.processors) - 1);
        }
        let turn = (1..=self.processors).map(|step| (self.last + step) % self.processors);
        let next = turn.into_iter().find(|&sender| self.lap >> sender & 1 == 1)?;
        self.lap &= !(1 << next);
        self.last = next;
        Some(next)
    }

    /// Takes the next message, of whatever kind.
    fn take(&mut self, platform: &impl Platform) -> Option<(usize, Option<Message>)> {
        // What was pending when the lap began may be gone, but not for two laps.
        for _ in 0..2 * self.processors {
            let from = self.next_sender(platform)?;
            let number = platform.read(csr::MESSAGE_TAKE.at(from));
            if number != EMPTY {
                return Some((from, self.taken(platform, from, number)));
            }
        }
        None
    }

    fn taken(&mut self, platform: &impl Platform, from: usize, number: u32) -> Option<Message> {
        let [address, length, context] =
            [csr::TAKEN_ADDRESS, csr::TAKEN_LENGTH, csr::TAKEN_CONTEXT].map(|register| platform.read(register.offset));
        self.counters.received += 1;
        let Some(kind) = Kind::of(number) else {
            self.counters.unknown += 1;
            return None;
        };
        if kind == Kind::Returned {
            self.peers[from].owes = self.peers[from].owes.saturating_sub(1);
        }
        Some(Message { kind, address, length, context })
    }

    /// The processor to ask for help: of those that are not in `busy` the one that owes the least, in turn among equals.
    pub fn least_busy(&self, busy: u32) -> Option<usize> {
        let turn = (1..self.processors).map(|step| (self.me + step) % self.processors);
        turn.filter(|&peer| busy >> peer & 1 == 0 && self.peers[peer].backlog.is_empty())
            .min_by_key(|&peer| self.peers[peer].owes)
    }
}

impl<P: Platform + 'static> Kernel<P> {
    /// Sends a message. At any level.
    ///
    /// # Errors
    /// Its queue is full, or there is no such processor.
    pub fn send(&self, to: usize, message: Message) -> Result<(), SendError> {
        self.critical(|| {
            let mut messages = self.messages.borrow_mut();
            messages.check(to)?;
            let sent = messages.send(&self.platform, to, message);
            messages.counters.refused += u64::from(!sent);
            if sent { Ok(()) } else { Err(SendError::Full) }
        })
    }

    /// Whether a message to a processor would be sent at once. At any level.
    pub fn has_room(&self, to: usize) -> bool {
        self.critical(|| {
            let mut messages = self.messages.borrow_mut();
            messages.check(to).is_ok() && messages.has_room(&self.platform, to)
        })
    }

    /// Sends a message, later if its queue is full now. At any level.
    ///
    /// # Errors
    /// The backlog is full too, or there is no such processor.
    pub fn post(&self, to: usize, message: Message) -> Result<(), SendError> {
        self.critical(|| {
            let mut messages = self.messages.borrow_mut();
            messages.check(to)?;
            let posted = messages.post(&self.platform, to, message);
            messages.counters.refused += u64::from(!posted);
            drop(messages);
            self.see_to_backlog();
            if posted { Ok(()) } else { Err(SendError::Full) }
        })
    }

    /// Has the timer look after the backlog, if there is one.
    fn see_to_backlog(&self) {
        let mut messages = self.messages.borrow_mut();
        let waits = messages.peers.iter().any(|peer| !peer.backlog.is_empty());
        if waits && !messages.retry_is_due {
            messages.retry_is_due = true;
            self.set_deadline(self.platform.now().saturating_add(messages.retry), Target::Backlog);
        }
    }

    pub(super) fn retry_backlog(&self) {
        let mut messages = self.messages.borrow_mut();
        messages.retry_is_due = false;
        messages.flush_all(&self.platform);
        drop(messages);
        self.see_to_backlog();
    }

    /// Messages that wait for room in their queues.
    pub fn backlog(&self) -> usize {
        self.critical(|| self.messages.borrow().peers.iter().map(|peer| peer.backlog.len()).sum())
    }

    /// Who handles the messages of a kind.
    pub fn on_message(&self, kind: Kind, function: impl FnMut(&Self, Incoming) + 'static) {
        self.services.messages[kind.index()].set(self, Box::new(function));
    }

    /// Takes messages and hands them to who handles their kind.
    pub(super) fn serve_messages(&self, budget: u32) -> u32 {
        let mut items = 0;
        while items < budget {
            let taken = self.critical(|| self.messages.borrow_mut().take(&self.platform));
            let Some((from, message)) = taken else { break };
            items += 1;
            let Some(message) = message else { continue };
            if self.services.messages[message.kind.index()].call(self, Incoming { from, message }).is_err() {
                self.critical(|| self.messages.borrow_mut().counters.unclaimed += 1);
            }
        }
        // The others move too: there may be room now.
        self.critical(|| self.messages.borrow_mut().flush_all(&self.platform));
        items
    }

    /// Messages, counted.
    pub fn message_counters(&self) -> Counters {
        self.critical(|| self.messages.borrow().counters)
    }
}
