//! One session: a socket of the transport, and the requests that wait on it.
//!
//! Requests of a kind are answered in their order. Several copies of a session may be under way; they may end in any order, and take
//! effect in that of the requests. A session, and with it the socket's memory, outlives its copies.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::SocketAddr;

use abi::socket::{Answer, Function, List, Protocol, Reply, State, Status, Tag, ready};

use super::Config;
use super::card::Card;
use super::copies::Copies;
use super::outbox::Outbox;
use super::transport::{Condition, Socket, Transport};
use crate::kernel::dma::Copy;

/// Lists that data leaves for replies.
pub const REPLY_LISTS: usize = 2;

/// What a session works with.
pub struct Work<'a, C, T> {
    pub card: &'a mut C,
    pub transport: &'a mut T,
    pub outbox: &'a mut Outbox,
    pub copies: &'a mut Copies,
    pub processor: usize,
    /// Requests of a session.
    pub credits: usize,
    /// There was no room for a copy: the session is to be called again.
    pub starved: bool,
}

impl<'a, C, T> Work<'a, C, T> {
    pub fn new(
        card: &'a mut C,
        transport: &'a mut T,
        outbox: &'a mut Outbox,
        copies: &'a mut Copies,
        config: &Config,
    ) -> Self {
        let (processor, credits) = (config.processor, config.credits.into());
        Self { card, transport, outbox, copies, processor, credits, starved: false }
    }
}

/// A send that is not answered.
#[derive(Debug)]
pub struct Outgoing {
    pub transaction: u32,
    pub remote: Option<SocketAddr>,
    pub list: List,
    /// Bytes that it is to send: all, or those that were under way when it was cut short.
    pub total: u32,
    /// Bytes whose copies are under way or have ended.
    pub pushed: u32,
    /// Bytes that are committed.
    pub done: u32,
    /// Why it was cut short.
    pub cut: Option<Status>,
}

/// A receive that is not answered.
#[derive(Debug)]
pub struct Incoming {
    pub transaction: u32,
    pub list: List,
}

/// A copy that has not taken effect.
#[derive(Debug)]
pub struct Chunk {
    /// Its context; none needs no copy.
    pub context: Option<u32>,
    pub length: u32,
    /// How it ended.
    pub ended: Option<Result<(), Status>>,
    /// Of a datagram.
    pub remote: Option<SocketAddr>,
    /// A datagram that is longer than its buffers; or the place of one to send is reserved.
    pub marked: bool,
    /// Copies that are not pushed.
    pub unpushed: Vec<Copy>,
}

impl Chunk {
    /// A copy under way.
    pub fn pushed(context: u32, length: u32) -> Self {
        Self { context: Some(context), length, ended: None, remote: None, marked: false, unpushed: [].into() }
    }

    /// What needs no copy.
    pub fn ended(result: Result<(), Status>) -> Self {
        Self { context: None, ended: Some(result), ..Self::pushed(0, 0) }
    }
}

/// The end of a session, asked for and not reached.
#[derive(Debug, Default)]
pub struct Closing {
    /// Who asked; nobody, if all sessions are reset.
    pub transactions: VecDeque<u32>,
    pub abort: bool,
}

/// See the module's page.
#[derive(Debug)]
pub struct Session {
    pub tag: Tag,
    pub protocol: Protocol,
    /// None once it was given up.
    pub socket: Option<Socket>,
    pub state: State,
    /// The one peer of a datagram socket.
    pub peer: Option<SocketAddr>,
    pub outgoing: VecDeque<Outgoing>,
    pub outgoing_chunks: VecDeque<Chunk>,
    pub incoming: VecDeque<Incoming>,
    pub incoming_chunks: VecDeque<Chunk>,
    /// A copy to the host failed: those behind it fail too, so that nothing is skipped.
    pub incoming_failed: bool,
    pub accepts: VecDeque<(u32, Tag)>,
    pub watches: VecDeque<(u32, u32)>,
    pub connecting: Option<u32>,
    /// A shutdown that waits for the sends before it.
    pub shutting: Option<u32>,
    pub no_more_sends: bool,
    pub no_more_receives: bool,
    pub closing: Option<Closing>,
    /// The module itself gave the socket up.
    pub broken: Option<Status>,
    /// It waits in the queue of sessions to be looked at.
    pub is_queued: bool,
    /// All sessions are being reset, this one too.
    pub is_reset: bool,
}

impl Session {
    /// A session with nothing under way.
    pub fn new(tag: Tag, protocol: Protocol, socket: Socket, state: State) -> Self {
        Self {
            tag,
            protocol,
            socket: Some(socket),
            state,
            peer: None,
            outgoing: VecDeque::new(),
            outgoing_chunks: VecDeque::new(),
            incoming: VecDeque::new(),
            incoming_chunks: VecDeque::new(),
            incoming_failed: false,
            accepts: VecDeque::new(),
            watches: VecDeque::new(),
            connecting: None,
            shutting: None,
            no_more_sends: false,
            no_more_receives: false,
            closing: None,
            broken: None,
            is_queued: false,
            is_reset: false,
        }
    }

    /// Requests that use a credit.
    pub fn under_way(&self) -> usize {
        let queued = self.outgoing.len() + self.incoming.len() + self.accepts.len() + self.watches.len();
        queued + usize::from(self.connecting.is_some()) + usize::from(self.shutting.is_some())
    }

    /// Answers a request.
    pub fn answer<C, T>(
        &self,
        work: &mut Work<'_, C, T>,
        transaction: u32,
        function: Function,
        result: (Status, Answer),
    ) {
        let (status, answer) = result;
        let credits = work.credits.saturating_sub(self.under_way()) as u16;
        let (processor, tag, function) = (work.processor, self.tag, function as u16);
        work.outbox.put(Reply { processor, tag, transaction, function, status, credits, answer });
    }

    /// Why nothing can be sent or received any more.
    pub fn failure<T: Transport>(&self, transport: &T) -> Option<Status> {
        match self.socket.map(|socket| transport.condition(socket)) {
            _ if self.broken.is_some() => self.broken,
            Some(Condition::Over(status)) => Some(status),
            Some(_) => None,
            None => Some(Status::Closed),
        }
    }

    /// Copies of the session are under way or wait to take effect.
    pub fn has_copies(&self) -> bool {
        !(self.outgoing_chunks.is_empty() && self.incoming_chunks.is_empty())
    }

    /// A copy has been reported.
    pub fn reported(&mut self, context: u32, result: Result<(), Status>) {
        let mut chunks = self.outgoing_chunks.iter_mut().chain(&mut self.incoming_chunks);
        if let Some(chunk) = chunks.find(|chunk| chunk.context == Some(context) && chunk.ended.is_none()) {
            chunk.ended = Some(result);
        }
    }

    /// Does what can be done now, but accept.
    pub fn advance<C: Card, T: Transport>(&mut self, work: &mut Work<'_, C, T>) {
        self.connect(work);
        match self.protocol {
            Protocol::Tcp => {
                self.settle_stream_sends(work);
                self.start_stream_sends(work);
                self.settle_stream_receives(work);
                self.start_stream_receives(work);
            }
            Protocol::Udp => {
                self.send_datagrams(work);
                self.receive_datagrams(work);
            }
        }
        self.shut_down(work);
        self.look(work);
        self.give_up(work);
    }

    fn connect<C, T: Transport>(&mut self, work: &mut Work<'_, C, T>) {
        let (Some(transaction), Some(socket)) = (self.connecting, self.socket) else { return };
        let result = match (work.transport.condition(socket), work.transport.local(socket)) {
            (Condition::Connected, Some(local)) => {
                self.state = State::Connected;
                (Status::Ok, Answer::Connected { local })
            }
            (Condition::Over(status), _) => {
                self.state = State::Over;
                (status, Answer::None)
            }
            _ => return,
        };
        self.connecting = None;
        self.answer(work, transaction, Function::Connect, result);
    }

    fn shut_down<C, T: Transport>(&mut self, work: &mut Work<'_, C, T>) {
        let Some(transaction) = self.shutting.filter(|_| self.outgoing.is_empty()) else { return };
        self.shutting = None;
        let failure = self.failure(work.transport);
        if let (None, Some(socket)) = (failure, self.socket) {
            work.transport.shut_down(socket);
        }
        let status = failure.unwrap_or(Status::Ok);
        self.answer(work, transaction, Function::Shutdown, (status, Answer::None));
    }

    /// What it is ready for.
    pub fn readiness<T: Transport>(&self, transport: &T) -> u32 {
        let Some(socket) = self.socket else { return ready::ERROR };
        let bit = |is: bool, bit: u32| if is { bit } else { 0 };
        let failed = self.failure(transport).is_some();
        let connected = transport.condition(socket) == Condition::Connected;
        let (readable, writable) = match self.protocol {
            Protocol::Tcp => {
                let readable = transport.readable(socket, copying(&self.incoming_chunks)).length() > 0;
                let room = transport.writable(socket, copying(&self.outgoing_chunks)).length() > 0;
                let ended = connected && (self.no_more_receives || transport.at_end(socket));
                (readable || ended, connected && room && !self.no_more_sends)
            }
            Protocol::Udp => (transport.datagram(socket, self.incoming_chunks.len()).is_some(), true),
        };
        bit(readable, ready::READ)
            | bit(writable, ready::WRITE)
            | bit(self.state == State::Listening && transport.waiting(socket) > 0, ready::ACCEPT)
            | bit(connected, ready::CONNECTED)
            | bit(failed, ready::ERROR)
    }

    fn look<C, T: Transport>(&mut self, work: &mut Work<'_, C, T>) {
        if self.watches.is_empty() {
            return;
        }
        let ready = self.readiness(work.transport);
        for _ in 0..self.watches.len() {
            let Some((transaction, mask)) = self.watches.pop_front() else { break };
            if ready & (mask | ready::ERROR) == 0 {
                self.watches.push_back((transaction, mask));
            } else {
                let answer = Answer::Ready { ready: ready & (mask | ready::ERROR) };
                self.answer(work, transaction, Function::Watch, (Status::Ok, answer));
            }
        }
    }

    /// Gives up a socket that the module cannot go on with, once nothing copies from or to it.
    fn give_up<C, T: Transport>(&mut self, work: &mut Work<'_, C, T>) {
        if self.broken.is_some() && !self.has_copies() {
            if let Some(socket) = self.socket.take() {
                work.transport.abort(socket);
            }
            self.state = State::Over;
        }
    }

    /// Starts to end it. What waits for something to happen is answered now; copies go on to their end.
    pub fn close<C, T>(&mut self, work: &mut Work<'_, C, T>, transaction: Option<u32>, abort: bool) {
        let closing = self.closing.get_or_insert_default();
        closing.abort |= abort;
        closing.transactions.extend(transaction);
        let closed = (Status::Closed, Answer::None);
        while let Some((transaction, _)) = self.accepts.pop_front() {
            self.answer(work, transaction, Function::Accept, closed);
        }
        while let Some((transaction, _)) = self.watches.pop_front() {
            self.answer(work, transaction, Function::Watch, closed);
        }
        if let Some(transaction) = self.connecting.take() {
            self.answer(work, transaction, Function::Connect, closed);
        }
        while self.incoming.len() > self.incoming_chunks.len() {
            let Some(receive) = self.incoming.pop_back() else { break };
            self.answer(work, receive.transaction, Function::Receive, closed);
        }
        if abort {
            for index in (0..self.outgoing.len()).rev() {
                self.cut(work, index, Status::Closed);
            }
        }
    }

    /// Cuts a send short: what is not under way will not be sent. Says whether there was such.
    pub fn cut<C, T>(&mut self, work: &mut Work<'_, C, T>, index: usize, status: Status) -> bool {
        let has_chunk = match self.protocol {
            Protocol::Tcp => self.outgoing.get(index).is_some_and(|send| send.pushed > 0),
            Protocol::Udp => index < self.outgoing_chunks.len(),
        };
        if !has_chunk {
            let Some(send) = self.outgoing.remove(index) else { return false };
            self.answer(work, send.transaction, Function::Send, (status, Answer::Sent { length: 0 }));
            return true;
        }
        let Some(send) = self.outgoing.get_mut(index).filter(|send| send.pushed < send.total) else { return false };
        send.cut = Some(status);
        send.total = send.pushed;
        true
    }

    /// Ends it if nothing is in the way any more; says whether it did.
    pub fn end<C, T: Transport>(&mut self, work: &mut Work<'_, C, T>) -> bool {
        let is_done = self.outgoing.is_empty() && self.incoming.is_empty() && self.shutting.is_none();
        if !is_done || self.has_copies() {
            return false;
        }
        let Some(closing) = self.closing.take() else { return false };
        match self.socket.take() {
            Some(socket) if closing.abort => work.transport.abort(socket),
            Some(socket) => work.transport.close(socket),
            None => {}
        }
        for transaction in closing.transactions {
            let (processor, tag, function) = (work.processor, self.tag, Function::Close as u16);
            let (status, answer) = (Status::Ok, Answer::None);
            work.outbox.put(Reply { processor, tag, transaction, function, status, credits: 0, answer });
        }
        true
    }
}

/// Bytes whose copies have not taken effect.
pub fn copying(chunks: &VecDeque<Chunk>) -> u32 {
    chunks.iter().fold(0, |sum, chunk| sum.saturating_add(chunk.length))
}
