//! The socket module (ISM) of a processor (¶69): the host's socket calls, on the sockets of this processor.
//!
//! | module | does |
//! |---|---|
//! | [`card`] | what it needs of the card: message frames, copies |
//! | [`transport`] | what it needs of the sockets below |
//! | `calls` | requests: checked, carried out or queued with their session |
//! | `session` | one session: what is under way on it, how it ends |
//! | `stream`, `datagram` | bytes between the sockets' buffers and the host's |
//! | [`copies`] | lists of copies under way; host buffers cut against spans |
//! | [`outbox`] | replies on their way to the host |
//! | [`kernel_card`] | the card as a processor's kernel offers it |
//! | [`sockets`] | the sockets below, on a processor's network stack |
//!
//! # Rules
//! - **Every request is answered once**, but for UtilNOP. It is taken from the card only when there is room for its answer, so a
//!   host that takes no replies is not listened to, and nothing grows.
//! - **All is bounded**: sessions by [`Config::sessions`], requests under way by [`Config::credits`] each, lists of copies by
//!   [`Config::copies`], requests looked at by the room for answers.
//! - **Memory that is being copied stays.** A session ends, and its socket is given up, when its last copy has been reported.
//! - **Frames are not lost.** An inbound one goes back as soon as it was read, an outbound one is posted or kept for the next reply.
//! - **Nothing that the host writes is believed.** Tags are looked up, lists were checked when they were decoded, addresses are the card's to
//!   check (its windows), and a refusal is a status that is counted.
//!
//! The module waits for nothing: [`Ism::poll`] does what can be done, and is to be called after a message of the host, a report of the
//! DMA channel, or a change below.

mod calls;
pub mod card;
pub mod copies;
mod datagram;
pub mod kernel_card;
pub mod outbox;
mod session;
pub mod sockets;
mod stream;
pub mod transport;

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::ops::Range;

use abi::socket::{Answer, Function, Protocol, State, Status, Tag};

use crate::net::tally::Tally;
use card::Card;
use copies::{Copies, Purpose};
use outbox::Outbox;
use session::{Session, Work};
use transport::{Accepted, Socket, Transport};

/// What a socket module is made with.
#[derive(Clone, Debug)]
pub struct Config {
    /// This processor's number.
    pub processor: usize,
    /// Sessions at most, those included that a connection is awaited for.
    pub sessions: usize,
    /// Requests that a session may have under way.
    pub credits: u16,
    /// Lists of copies that the module may have under way.
    pub copies: usize,
    /// Answers that may wait before no more requests are taken.
    pub answers: usize,
    /// The processor's memory for answers on their way: [`outbox::SLOT_BYTES`] each.
    pub slots: Range<u32>,
}

/// What was counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Messages of the host.
    pub messages: u64,
    /// Of these, frames that were given back unused.
    pub unused: u64,
    /// And frames that the card named and that are not in memory.
    pub unreadable: u64,
    /// Requests that were not even queued, by the status they were answered with.
    pub refused: Tally<Status>,
    /// Requests that were understood, by function.
    pub requests: Tally<Function>,
    /// Bytes copied from host buffers.
    pub bytes_from_host: u64,
    /// Bytes copied to host buffers.
    pub bytes_to_host: u64,
    /// Data copies that the card reported an error of.
    pub copies_failed: u64,
    /// Connections that were accepted.
    pub accepted: u64,
}

/// A reset of all sessions that is not answered.
#[derive(Debug)]
struct Resetting {
    tag: Tag,
    transaction: u32,
    left: usize,
    sessions: u32,
}

/// See the module's page.
#[derive(Debug)]
pub struct Ism {
    config: Config,
    sessions: BTreeMap<Tag, Session>,
    sockets: BTreeMap<Socket, Tag>,
    /// Tags of connections that are awaited.
    awaited: BTreeSet<Tag>,
    /// Sessions that something may be done for.
    queue: VecDeque<Tag>,
    resetting: Option<Resetting>,
    outbox: Outbox,
    copies: Copies,
    counters: Counters,
}

impl Ism {
    /// A module without sessions.
    pub fn new(config: Config) -> Self {
        Self {
            outbox: Outbox::new(config.slots.clone()),
            // Two lists are kept for replies.
            copies: Copies::new(config.copies.max(session::REPLY_LISTS + 1)),
            config,
            sessions: BTreeMap::new(),
            sockets: BTreeMap::new(),
            awaited: BTreeSet::new(),
            queue: VecDeque::new(),
            resetting: None,
            counters: Counters::default(),
        }
    }

    /// Does what can be done, for at most `budget` reports, sessions and requests each; says whether there was anything. Called until
    /// there is not, nothing is left that something else has not to happen for.
    pub fn poll<C: Card, T: Transport>(&mut self, card: &mut C, transport: &mut T, budget: u32) -> bool {
        let mut worked = self.take_reports(card, budget);
        worked |= self.outbox.flush(card, &mut self.copies, self.config.processor);
        for _ in 0..budget {
            let Some(socket) = transport.changed() else { break };
            if let Some(&tag) = self.sockets.get(&socket) {
                self.enqueue(tag);
            }
            worked = true;
        }
        worked |= self.run_sessions(card, transport, budget);
        for _ in 0..budget {
            if self.outbox.waiting() >= self.config.answers || !self.take_request(card, transport) {
                break;
            }
            worked = true;
        }
        worked |= self.run_sessions(card, transport, budget);
        worked | self.outbox.flush(card, &mut self.copies, self.config.processor)
    }

    fn take_reports<C: Card>(&mut self, card: &mut C, budget: u32) -> bool {
        let mut worked = false;
        for _ in 0..budget {
            let Some(report) = self.copies.report(card) else { break };
            worked = true;
            let Some((purpose, context, outcome)) = report else { continue };
            let result = if outcome.is_ok() { Ok(()) } else { Err(Status::Copy) };
            let (tag, bytes) = match purpose {
                Purpose::Reply(letter) => {
                    self.outbox.reported(letter, outcome);
                    continue;
                }
                Purpose::Outgoing(tag) => (tag, &mut self.counters.bytes_from_host),
                Purpose::Incoming(tag) => (tag, &mut self.counters.bytes_to_host),
            };
            *bytes += u64::from(outcome.bytes);
            self.counters.copies_failed += u64::from(result.is_err());
            if let Some(session) = self.sessions.get_mut(&tag) {
                session.reported(context, result);
            }
            self.enqueue(tag);
        }
        worked
    }

    fn enqueue(&mut self, tag: Tag) {
        if let Some(session) = self.sessions.get_mut(&tag)
            && !core::mem::replace(&mut session.is_queued, true)
        {
            self.queue.push_back(tag);
        }
    }

    /// Looks at sessions that something may be done for, each once.
    fn run_sessions<C: Card, T: Transport>(&mut self, card: &mut C, transport: &mut T, budget: u32) -> bool {
        let turns = self.queue.len().min(budget as usize);
        let mut worked = false;
        for _ in 0..turns {
            let Some(tag) = self.queue.pop_front() else { break };
            let is_starved = self.run_session(card, transport, tag);
            worked |= !is_starved;
            if is_starved {
                // Only a report makes room; all sessions behind this one would find none either.
                self.enqueue(tag);
                break;
            }
        }
        worked
    }

    /// Says whether there was no room for a copy.
    fn run_session<C: Card, T: Transport>(&mut self, card: &mut C, transport: &mut T, tag: Tag) -> bool {
        let Some(session) = self.sessions.get_mut(&tag) else { return false };
        session.is_queued = false;
        let mut work = Work::new(card, transport, &mut self.outbox, &mut self.copies, &self.config);
        let socket = session.socket;
        session.advance(&mut work);
        let accepted = accept(session, &mut work);
        let is_starved = work.starved;
        let has_ended = session.closing.is_some() && session.end(&mut work);
        let is_gone = session.socket.is_none();
        if let Some(socket) = socket.filter(|_| is_gone) {
            self.sockets.remove(&socket);
        }
        for (tag, connection) in accepted {
            self.awaited.remove(&tag);
            self.counters.accepted += 1;
            self.add(Session::new(tag, Protocol::Tcp, connection.socket, State::Connected));
        }
        if has_ended {
            self.remove(tag);
        }
        is_starved
    }

    fn add(&mut self, session: Session) {
        let tag = session.tag;
        self.sockets.extend(session.socket.map(|socket| (socket, tag)));
        self.sessions.insert(tag, session);
        self.enqueue(tag);
    }

    fn remove(&mut self, tag: Tag) {
        let was_reset = self.sessions.remove(&tag).is_some_and(|session| session.is_reset);
        if let Some(resetting) = self.resetting.as_mut().filter(|_| was_reset) {
            resetting.left -= 1;
        }
        self.answer_reset();
    }

    fn answer_reset(&mut self) {
        let Some(done) = self.resetting.take_if(|resetting| resetting.left == 0) else { return };
        let answer = Answer::Reset { sessions: done.sessions };
        self.reply(done.tag, done.transaction, Function::Reset as u16, (Status::Ok, answer));
    }

    /// What was counted here.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Replies, counted.
    pub fn replies(&self) -> outbox::Counters {
        self.outbox.counters
    }

    /// Reports of lists that the module has not under way.
    pub fn foreign_reports(&self) -> u64 {
        self.copies.foreign
    }

    /// Sessions, and connections that are awaited.
    pub fn sessions(&self) -> usize {
        self.sessions.len() + self.awaited.len()
    }

    /// The tags of the sessions, in their order.
    pub fn tags(&self) -> Vec<Tag> {
        self.sessions.keys().copied().collect()
    }

    /// Nothing is under way: no copy, no answer.
    pub fn is_idle(&self) -> bool {
        self.copies.under_way() == 0 && self.outbox.is_idle() && self.resetting.is_none()
    }

    /// Outbound frames that were taken and not posted, for they could not be filled.
    pub fn frames_in_hand(&self) -> usize {
        self.outbox.spare()
    }
}

/// Answers accepts with the connections that wait; gives what becomes sessions.
fn accept<C, T: Transport>(session: &mut Session, work: &mut Work<'_, C, T>) -> Vec<(Tag, Accepted)> {
    let mut accepted = Vec::new();
    let Some(socket) = session.socket else { return accepted };
    while let Some(&(transaction, tag)) = session.accepts.front() {
        let Some(connection) = work.transport.accept(socket) else { break };
        session.accepts.pop_front();
        let Accepted { local, remote, .. } = connection;
        let answer = Answer::Accepted { tag, processor: work.processor, remote, local };
        session.answer(work, transaction, Function::Accept, (Status::Ok, answer));
        accepted.push((tag, connection));
    }
    accepted
}
