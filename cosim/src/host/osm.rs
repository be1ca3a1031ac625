//! The host's socket module (OSM, ¶67 and ¶69): sessions with their tags, their requests under way, their buffers. Nothing here touches the
//! card: messages are queued, `driver` carries them.
//!
//! Every session has its tag from here before its processor hears of it (67.2), and every request of it goes to the processor that the
//! tag names (67.1). A stream has one session; a listener and a datagram socket have one on each processor, a [`Group`].

use std::cell::{RefCell, RefMut};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;

use abi::socket::{Answer, Call, Frame, Function, List, Reply, Request, Status, Tag};

use super::driver::Flight;
use super::executor::Waiters;
use super::interrupts::Signals;
use super::port::Port;
use super::start::Ready;
use super::steering::{Policy, Steering};

mod replies;

/// Requests that a session may have under way at a processor that has not said how many.
pub(super) const FIRST_CREDITS: usize = 4;

/// What the module is made with.
#[derive(Clone, Debug)]
pub struct Config {
    /// Start of the host memory that it uses, a multiple of 4,096.
    pub memory: u64,
    /// Outbound message frames.
    pub frames: u32,
    /// Bytes of a buffer, at most 65,536.
    pub buffer_bytes: u32,
    /// Buffers.
    pub buffers: u32,
    /// Sessions at most.
    pub sessions: u16,
    /// Connections that are awaited at a time, per listener and processor.
    pub accepts: usize,
    /// Buffers that a session may receive into at a time.
    pub receives: usize,
    /// Which processor sessions go to that the host opens.
    pub policy: Policy,
    /// The card's addresses.
    pub addresses: Vec<IpAddr>,
}

/// What happens when a request is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pending {
    /// Nothing but that somebody may wait for it.
    Asked,
    /// The buffer is free.
    Send(u64),
    /// The buffer is filled.
    Receive(u64),
    /// The session is connected.
    Accept(Tag),
    /// The session is over.
    Close,
}

/// Bytes that were received and not read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    pub buffer: u64,
    pub offset: u32,
    pub length: u32,
    pub remote: Option<SocketAddr>,
    /// Whose buffer it is.
    pub tag: Tag,
}

#[derive(Debug)]
pub(super) struct Session {
    pub tag: Tag,
    pub group: Option<u32>,
    pub pending: BTreeMap<u32, Pending>,
    /// Requests that wait for credits.
    deferred: VecDeque<(u32, Call, Pending)>,
    /// Of those that need a credit.
    under_way: usize,
    pub sends: usize,
    /// Receives in their order, with the answers that overtook others: a copy of an answer that failed is made again.
    posted: VecDeque<(u32, Option<(u64, Reply)>)>,
    /// Buffers to receive into that are not posted; how many it has in all.
    spare: Vec<u64>,
    owned: usize,
    pub received: VecDeque<Piece>,
    pub end: bool,
    pub error: Option<Status>,
    pub addresses: Option<(SocketAddr, SocketAddr)>,
    /// Receives are posted.
    pub receives: bool,
    pub closing: bool,
    /// Its end was answered; answers that it overtook are to come.
    closed: bool,
}

/// A socket that has a session on every processor.
#[derive(Debug, Default)]
pub struct Group {
    pub(super) members: Vec<Tag>,
    /// Connections that were accepted.
    pub(super) ready: VecDeque<Tag>,
    pub(super) datagrams: VecDeque<Piece>,
    pub(super) error: Option<Status>,
    pub(super) listens: bool,
    pub(super) closing: bool,
}

/// A message on its way to a processor.
#[derive(Debug)]
pub(super) struct Message {
    pub tag: Tag,
    pub transaction: u32,
    pub frame: Frame,
    pub function: Function,
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Requests queued for the card.
    pub requests: u64,
    /// Replies that a request was waiting for.
    pub replies: u64,
    /// Replies that nothing was waiting for, and frames that are no reply.
    pub strays: u64,
    /// Messages whose copy to the card failed and was made again.
    pub retried: u64,
    /// Frames given back unused.
    pub unused: u64,
    /// Interrupts of the card.
    pub interrupts: u64,
}

/// All that the module keeps.
pub(super) struct State {
    pub config: Config,
    pub processors: usize,
    pub steering: Option<Steering>,
    sessions: BTreeMap<u16, Session>,
    generations: BTreeMap<u16, u32>,
    /// Of sessions that were not used before.
    pub first_generation: u32,
    free_indexes: VecDeque<u16>,
    pub groups: BTreeMap<u32, Group>,
    next_group: u32,
    pub next_transaction: u32,
    pub next_port: u16,
    /// Answers that somebody waits for, and those of them that are there.
    asked: BTreeMap<u32, Option<Reply>>,
    /// Requests that a session may have under way, by processor.
    pub credits: Vec<usize>,
    pub queues: Vec<VecDeque<Message>>,
    pub buffers: Vec<u64>,
    pub staging: Vec<u64>,
    pub flights: BTreeMap<u32, Flight>,
    /// Sessions with a message in the air: the next one waits, so that they keep their order.
    pub busy: BTreeSet<Tag>,
    pub next_flight: u32,
    /// Processors that have answered their Reset.
    pub ready: Vec<Ready>,
    pub signals: Signals,
    pub counters: Counters,
}

struct Inner {
    port: Rc<dyn Port>,
    state: RefCell<State>,
    waiters: Waiters,
}

/// See the module's page. A handle: its copies are the same.
#[derive(Clone)]
pub struct Osm(Rc<Inner>);

impl std::fmt::Debug for Osm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Osm").field("sessions", &self.sessions()).finish_non_exhaustive()
    }
}

impl Osm {
    /// A module that is not [started](Self::start).
    pub fn new(port: Rc<dyn Port>, config: Config) -> Self {
        let state = RefCell::new(State::new(config));
        Self(Rc::new(Inner { port, state, waiters: Waiters::default() }))
    }

    pub(super) fn port(&self) -> &dyn Port {
        &*self.0.port
    }

    pub(super) fn state(&self) -> RefMut<'_, State> {
        self.0.state.borrow_mut()
    }

    pub(super) fn waiters(&self) -> &Waiters {
        &self.0.waiters
    }

    /// Cycles of the card's clock.
    pub(super) fn now(&self) -> u64 {
        self.port().now()
    }

    /// What was counted.
    pub fn counters(&self) -> Counters {
        self.state().counters
    }

    /// Sessions that there are.
    pub fn sessions(&self) -> usize {
        self.state().sessions.len()
    }

    /// Buffers that are free.
    pub fn free_buffers(&self) -> usize {
        self.state().buffers.len()
    }

    /// The tags of all sessions.
    pub fn tags(&self) -> Vec<Tag> {
        self.state().sessions.values().map(|session| session.tag).collect()
    }

    /// The card has something to answer, or will have.
    pub fn awaits_answers(&self) -> bool {
        let state = self.state();
        let is_asked =
            state.counters.requests != state.counters.replies || state.ready.iter().any(|r| *r != Ready::Yes);
        is_asked || !state.flights.is_empty()
    }

    /// No message is on its way, nothing is waited for.
    pub fn is_idle(&self) -> bool {
        let state = self.state();
        state.flights.is_empty() && state.queues.iter().all(VecDeque::is_empty) && self.0.waiters.is_empty()
    }

    /// Queues a request that somebody will wait for; its transaction.
    pub(super) fn ask(&self, tag: Tag, call: Call) -> u32 {
        self.state().ask(tag, call, Pending::Asked)
    }

    /// The answer, once it is there.
    pub(super) fn answer(&self, transaction: u32) -> Option<Result<Answer, Status>> {
        let mut state = self.state();
        // Of a session that is over there will be none.
        let Some(place) = state.asked.get(&transaction) else { return Some(Err(Status::Closed)) };
        let reply = (*place)?;
        state.asked.remove(&transaction);
        Some(if reply.status == Status::Ok { Ok(reply.answer) } else { Err(reply.status) })
    }

    /// Nobody waits for it any more.
    pub(super) fn forget(&self, transaction: u32) {
        self.state().asked.remove(&transaction);
    }

    /// A reply of the card.
    pub(super) fn replied(&self, reply: &Reply) {
        let keys = self.state().replied(reply);
        for key in keys {
            self.0.waiters.wake(key);
        }
    }
}

impl State {
    /// Of a card without processors: it is not known yet.
    pub fn new(config: Config) -> Self {
        Self {
            free_indexes: (0..config.sessions).collect(),
            config,
            processors: 0,
            steering: None,
            sessions: BTreeMap::new(),
            generations: BTreeMap::new(),
            first_generation: 0,
            groups: BTreeMap::new(),
            next_group: 0,
            next_transaction: 0,
            next_port: 49_152,
            asked: BTreeMap::new(),
            credits: Vec::new(),
            queues: Vec::new(),
            buffers: Vec::new(),
            staging: Vec::new(),
            flights: BTreeMap::new(),
            busy: BTreeSet::new(),
            next_flight: 0,
            ready: Vec::new(),
            signals: Signals::default(),
            counters: Counters::default(),
        }
    }

    pub fn session(&mut self, tag: Tag) -> Option<&mut Session> {
        self.sessions.get_mut(&tag.index()).filter(|session| session.tag == tag)
    }

    /// How many sessions a processor has.
    pub fn load(&self, processor: usize) -> usize {
        self.sessions.values().filter(|session| session.tag.processor() == processor).count()
    }

    /// A new session at a processor, with a buffer to receive into if it will receive. `None`: there is no room.
    pub fn open(&mut self, processor: usize, group: Option<u32>, with_buffer: bool) -> Option<Tag> {
        if with_buffer && self.buffers.is_empty() {
            return None;
        }
        let index = self.free_indexes.pop_front()?;
        let generation = *self.generations.get(&index).unwrap_or(&self.first_generation);
        let tag = Tag::new(processor, index, generation);
        let spare: Vec<_> = if with_buffer { self.buffers.pop().into_iter().collect() } else { Vec::new() };
        let session = Session {
            tag,
            group,
            pending: BTreeMap::new(),
            deferred: VecDeque::new(),
            under_way: 0,
            sends: 0,
            posted: VecDeque::new(),
            owned: spare.len(),
            spare,
            received: VecDeque::new(),
            end: false,
            error: None,
            addresses: None,
            receives: false,
            closing: false,
            closed: false,
        };
        self.sessions.insert(index, session);
        Some(tag)
    }

    pub fn new_group(&mut self) -> u32 {
        self.next_group += 1;
        self.groups.insert(self.next_group, Group::default());
        self.next_group
    }

    /// Queues a request; its transaction.
    pub fn issue(&mut self, tag: Tag, call: Call, pending: Pending) -> u32 {
        self.next_transaction = self.next_transaction.wrapping_add(1);
        let transaction = self.next_transaction;
        if let Some(session) = self.session(tag) {
            session.deferred.push_back((transaction, call, pending));
            self.pump(tag);
        }
        transaction
    }

    /// As [`issue`](Self::issue), and keeps the answer for whoever asks for it.
    pub fn ask(&mut self, tag: Tag, call: Call, pending: Pending) -> u32 {
        let is_there = self.session(tag).is_some();
        let transaction = self.next_transaction.wrapping_add(1);
        if is_there {
            self.asked.insert(transaction, None);
        }
        self.issue(tag, call, pending)
    }

    /// Hands over what the session has credits for.
    fn pump(&mut self, tag: Tag) {
        let credits = self.credits[tag.processor()];
        loop {
            let Some(session) = self.session(tag) else { return };
            let Some((_, call, _)) = session.deferred.front() else { return };
            if needs_credit(call.function()) && session.under_way >= credits {
                return;
            }
            let Some((transaction, call, pending)) = session.deferred.pop_front() else { return };
            let function = call.function();
            session.under_way += usize::from(needs_credit(function));
            session.pending.insert(transaction, pending);
            let frame = Request { tag, transaction, call }.encode();
            self.counters.requests += 1;
            self.queues[tag.processor()].push_back(Message { tag, transaction, frame, function });
        }
    }

    /// Posts buffers to receive into.
    pub fn post_receives(&mut self, tag: Tag) {
        let (most, bytes) = (self.config.receives, self.config.buffer_bytes);
        loop {
            let pool_has_many = self.buffers.len() > self.sessions.len();
            let Some(session) = self.sessions.get_mut(&tag.index()).filter(|session| session.tag == tag) else {
                return;
            };
            let may = session.receives && !session.closing && !session.end && session.error.is_none();
            if !may || session.posted.len() >= most {
                return;
            }
            if session.spare.is_empty() && session.owned < most && pool_has_many {
                session.owned += self.buffers.last().map_or(0, |_| 1);
                session.spare.extend(self.buffers.pop());
            }
            let Some(buffer) = session.spare.pop() else { return };
            let list = List::single(buffer, bytes).unwrap_or_default();
            let next = self.next_transaction.wrapping_add(1);
            if let Some(session) = self.session(tag) {
                session.posted.push_back((next, None));
            }
            self.issue(tag, Call::Receive { list }, Pending::Receive(buffer));
        }
    }

    /// Posts requests for connections at a listener's processors.
    pub fn post_accepts(&mut self, group: u32) {
        let Some(listener) = self.groups.get(&group).filter(|group| group.listens && !group.closing) else { return };
        let room = self.config.accepts;
        // What is accepted and not taken counts, so that a listener nobody serves does not take all sessions.
        let ready = listener.ready.clone();
        for tag in listener.members.clone() {
            let here = ready.iter().filter(|ready| ready.processor() == tag.processor()).count();
            let is_accept = |pending: &Pending| matches!(pending, Pending::Accept(_));
            let posted = self.session(tag).map_or(0, |s| s.pending.values().filter(|p| is_accept(p)).count());
            let deferred = self.session(tag).map_or(0, |session| session.deferred.len());
            let most = room.min(self.credits[tag.processor()]);
            for _ in posted + deferred + here..most {
                let Some(connection) = self.open(tag.processor(), None, true) else { return };
                self.issue(tag, Call::Accept { tag: connection }, Pending::Accept(connection));
            }
        }
    }

    /// A buffer that was read is free to receive into.
    pub fn give_back(&mut self, tag: Tag, buffer: u64) {
        match self.session(tag) {
            Some(session) => {
                session.spare.push(buffer);
                self.post_receives(tag);
            }
            None => self.buffers.push(buffer),
        }
    }

    /// Ends a session: in good order, or at once.
    pub fn close(&mut self, tag: Tag, abort: bool) {
        let Some(session) = self.session(tag).filter(|session| !session.closing) else { return };
        session.closing = true;
        let unread: Vec<_> = session.received.drain(..).collect();
        session.spare.extend(unread.iter().map(|piece| piece.buffer));
        if abort {
            let dropped = std::mem::take(&mut session.deferred);
            for (transaction, _, pending) in dropped {
                self.dropped(tag, transaction, pending);
            }
        }
        self.issue(tag, Call::Close { abort }, Pending::Close);
    }

    /// A send never reached the card: those behind it must not either, and the stream ends.
    pub fn cut_off(&mut self, tag: Tag) -> Vec<Message> {
        let queue = &mut self.queues[tag.processor()];
        let (cut, kept) = std::mem::take(queue)
            .into_iter()
            .partition(|message: &Message| message.tag == tag && message.function == Function::Send);
        *queue = kept;
        Vec::from_iter::<VecDeque<Message>>(cut)
    }

    /// A request that will not be made.
    fn dropped(&mut self, tag: Tag, transaction: u32, pending: Pending) {
        self.asked.remove(&transaction);
        match pending {
            Pending::Send(buffer) => {
                self.buffers.push(buffer);
                if let Some(session) = self.session(tag) {
                    session.sends -= 1;
                }
            }
            Pending::Receive(buffer) => {
                if let Some(session) = self.session(tag) {
                    session.posted.retain(|(posted, _)| *posted != transaction);
                    session.spare.push(buffer);
                }
            }
            Pending::Accept(connection) => self.remove(connection),
            Pending::Asked | Pending::Close => {}
        }
    }

    pub fn close_group(&mut self, group: u32, abort: bool) {
        let Some(closing) = self.groups.get_mut(&group) else { return };
        closing.closing = true;
        let (members, ready) = (closing.members.clone(), std::mem::take(&mut closing.ready));
        let unread = std::mem::take(&mut closing.datagrams);
        if members.is_empty() {
            self.groups.remove(&group);
        }
        unread.into_iter().for_each(|piece| self.give_back(piece.tag, piece.buffer));
        // Nobody has taken them, so nobody will read.
        ready.into_iter().for_each(|tag| self.close(tag, true));
        members.into_iter().for_each(|tag| self.close(tag, abort));
    }

    /// A session is over.
    fn remove(&mut self, tag: Tag) {
        if self.session(tag).is_none() {
            return;
        }
        let Some(session) = self.sessions.remove(&tag.index()) else { return };
        self.buffers.extend(session.spare);
        self.buffers.extend(session.received.iter().map(|piece| piece.buffer));
        self.generations.insert(tag.index(), (tag.generation() + 1) % Tag::GENERATIONS);
        self.free_indexes.push_back(tag.index());
        if let Some(number) = session.group
            && let Some(group) = self.groups.get_mut(&number)
        {
            group.members.retain(|member| *member != tag);
            if group.members.is_empty() && group.closing {
                self.groups.remove(&number);
            }
        }
    }
}

fn needs_credit(function: Function) -> bool {
    use Function::{Accept, Connect, Receive, Send, Shutdown, Watch};
    matches!(function, Accept | Connect | Receive | Send | Shutdown | Watch)
}
