//! Requests of the host: decoded, checked, and carried out or queued with their session.

use abi::socket::{
    Answer, Call, Decoded, Function, MAX_WORDS, Opt, Protocol, Refused, Reply, Request, State, Status, Tag,
};

use super::card::Card;
use super::session::{Incoming, Outgoing, Session, Work};
use super::transport::{Condition, Transport};
use super::{Ism, Resetting};

/// Ends of a session that may be asked for: one in good order, and one that does not wait for it.
const CLOSES: usize = 2;

/// What a request leads to.
enum Outcome {
    /// It is answered with this.
    Done(Answer),
    /// It is queued with its session.
    Queued,
}

impl Ism {
    /// Takes the oldest message of the host; says whether there was one.
    pub(super) fn take_request<C: Card, T: Transport>(&mut self, card: &mut C, transport: &mut T) -> bool {
        let Some(mfa) = card.take_request() else { return false };
        self.counters.messages += 1;
        let mut bytes = [0; MAX_WORDS * 4];
        let is_read = card.read_request(mfa, &mut bytes).is_ok();
        card.return_request(mfa);
        if !is_read {
            self.counters.unreadable += 1;
            return true;
        }
        match Request::decode(&bytes, self.config.processor) {
            Ok(Decoded::Nop) => self.counters.unused += 1,
            Ok(Decoded::Request(request)) => {
                self.counters.requests.count(request.call.function());
                let function = request.call.function() as u16;
                match self.carry_out(card, transport, request) {
                    Ok(Outcome::Queued) => {}
                    Ok(Outcome::Done(answer)) => {
                        self.reply(request.tag, request.transaction, function, (Status::Ok, answer));
                    }
                    Err(status) => {
                        self.refuse(Refused { tag: request.tag, transaction: request.transaction, function, status })
                    }
                }
                self.enqueue(request.tag);
            }
            Err(refused) => self.refuse(refused),
        }
        true
    }

    fn refuse(&mut self, refused: Refused) {
        self.counters.refused.count(refused.status);
        let Refused { tag, transaction, function, status } = refused;
        self.reply(tag, transaction, function, (status, Answer::None));
    }

    pub(super) fn reply(&mut self, tag: Tag, transaction: u32, function: u16, result: (Status, Answer)) {
        let under_way = self.sessions.get(&tag).map_or(usize::MAX, Session::under_way);
        let credits = usize::from(self.config.credits).saturating_sub(under_way) as u16;
        let (processor, (status, answer)) = (self.config.processor, result);
        self.outbox.put(Reply { processor, tag, transaction, function, status, credits, answer });
    }

    fn is_taken(&self, tag: Tag) -> bool {
        self.sessions.contains_key(&tag) || self.awaited.contains(&tag)
    }

    fn carry_out<C: Card, T: Transport>(
        &mut self,
        card: &mut C,
        transport: &mut T,
        request: Request,
    ) -> Result<Outcome, Status> {
        let is_full = self.sessions() >= self.config.sessions;
        match request.call {
            Call::Create { .. } if self.is_taken(request.tag) => return Err(Status::TagInUse),
            Call::Create { .. } if is_full => return Err(Status::NoRoom),
            Call::Create { protocol, family } => {
                let socket = transport.open(protocol, family)?;
                self.add(Session::new(request.tag, protocol, socket, State::New));
                return Ok(Outcome::Done(Answer::None));
            }
            Call::Reset => return self.reset(card, transport, request),
            Call::Accept { tag } => {
                self.check_session(request.tag)?;
                if tag.processor() != self.config.processor {
                    return Err(Status::WrongProcessor);
                }
                if self.is_taken(tag) {
                    return Err(Status::TagInUse);
                }
                if is_full {
                    return Err(Status::NoRoom);
                }
            }
            _ => {}
        }
        let awaited = &mut self.awaited;
        let session = self.sessions.get_mut(&request.tag).ok_or(Status::NoSession)?;
        let mut work = Work::new(card, transport, &mut self.outbox, &mut self.copies, &self.config);
        let outcome = session.call(&mut work, request.transaction, request.call)?;
        if let Call::Accept { tag } = request.call {
            awaited.insert(tag);
        }
        // What a close or a cancel has answered is awaited no more.
        if matches!(request.call, Call::Close { .. } | Call::Cancel { .. }) {
            self.forget_awaited();
        }
        Ok(outcome)
    }

    fn check_session(&self, tag: Tag) -> Result<(), Status> {
        if self.sessions.contains_key(&tag) { Ok(()) } else { Err(Status::NoSession) }
    }

    fn forget_awaited(&mut self) {
        let listeners = self.sessions.values();
        self.awaited = listeners.flat_map(|session| session.accepts.iter().map(|&(_, tag)| tag)).collect();
    }

    fn reset<C: Card, T: Transport>(
        &mut self,
        card: &mut C,
        transport: &mut T,
        request: Request,
    ) -> Result<Outcome, Status> {
        if self.resetting.is_some() {
            return Err(Status::WrongState);
        }
        let mut work = Work::new(card, transport, &mut self.outbox, &mut self.copies, &self.config);
        for session in self.sessions.values_mut() {
            session.close(&mut work, None, true);
            session.is_reset = true;
        }
        self.awaited.clear();
        let left = self.sessions.len();
        let (tag, transaction, sessions) = (request.tag, request.transaction, left as u32);
        self.resetting = Some(Resetting { tag, transaction, left, sessions });
        for tag in self.tags() {
            self.enqueue(tag);
        }
        self.answer_reset();
        Ok(Outcome::Queued)
    }
}

impl Session {
    /// A request of the session itself.
    fn call<C: Card, T: Transport>(
        &mut self,
        work: &mut Work<'_, C, T>,
        transaction: u32,
        call: Call,
    ) -> Result<Outcome, Status> {
        if let Call::Close { abort } = call {
            return self.call_close(work, transaction, abort);
        }
        if let Call::Cancel { transaction } = call {
            return Ok(Outcome::Done(Answer::Cancelled { found: self.cancel(work, transaction) }));
        }
        if self.closing.is_some() {
            return Err(Status::Closed);
        }
        let socket = self.socket.ok_or(self.broken.unwrap_or(Status::Closed))?;
        let is_stream = self.protocol == Protocol::Tcp;
        let transport = &mut *work.transport;
        let done = match call {
            Call::Bind { .. } if self.state != State::New => return Err(Status::WrongState),
            Call::Bind { local } => {
                let local = transport.bind(socket, local)?;
                self.state = State::Bound;
                Answer::Bound { local }
            }
            Call::Listen { .. } if !is_stream => return Err(Status::Unsupported),
            Call::Listen { .. } if self.state != State::Bound => return Err(Status::WrongState),
            Call::Listen { backlog } => {
                transport.listen(socket, backlog)?;
                self.state = State::Listening;
                Answer::None
            }
            Call::Connect { remote } => return self.call_connect(work, transaction, remote),
            Call::SetOption { option: Opt::Join | Opt::Leave, .. } if is_stream => return Err(Status::Unsupported),
            Call::SetOption { option, group: Some(group), .. } => {
                transport.membership(socket, group, option == Opt::Join)?;
                Answer::None
            }
            Call::SetOption { option, value, group: None } => {
                transport.set_option(socket, option, value)?;
                Answer::None
            }
            Call::GetOption { option } if option.is_group() => return Err(Status::Unsupported),
            Call::GetOption { option } => Answer::Value { value: transport.option(socket, option)? },
            Call::Status => self.status(transport),
            Call::Shutdown { receive, send: false } => {
                self.no_more_receives |= receive;
                Answer::None
            }
            _ => {
                if self.under_way() >= work.credits {
                    return Err(Status::NoCredit);
                }
                return self.queue(transport, transaction, call).map(|()| Outcome::Queued);
            }
        };
        Ok(Outcome::Done(done))
    }

    fn call_close<C, T>(
        &mut self,
        work: &mut Work<'_, C, T>,
        transaction: u32,
        abort: bool,
    ) -> Result<Outcome, Status> {
        if self.closing.as_ref().is_some_and(|closing| closing.transactions.len() >= CLOSES) {
            return Err(Status::WrongState);
        }
        self.close(work, Some(transaction), abort);
        Ok(Outcome::Queued)
    }

    fn call_connect<C, T: Transport>(
        &mut self,
        work: &mut Work<'_, C, T>,
        transaction: u32,
        remote: core::net::SocketAddr,
    ) -> Result<Outcome, Status> {
        let socket = self.socket.ok_or(Status::Closed)?;
        if self.protocol == Protocol::Udp {
            self.peer = Some(remote);
            self.state = State::Connected;
            let local = work.transport.local(socket).ok_or(Status::WrongState)?;
            return Ok(Outcome::Done(Answer::Connected { local }));
        }
        if !matches!(self.state, State::New | State::Bound) {
            return Err(Status::WrongState);
        }
        work.transport.connect(socket, remote)?;
        self.state = State::Connecting;
        self.connecting = Some(transaction);
        Ok(Outcome::Queued)
    }

    /// Queues what may have to wait.
    fn queue<T: Transport>(&mut self, transport: &T, transaction: u32, call: Call) -> Result<(), Status> {
        let can_carry_data = self.protocol == Protocol::Udp || self.state == State::Connected;
        let dead = self.failure(transport);
        match call {
            Call::Accept { .. } if self.state != State::Listening => return Err(Status::WrongState),
            Call::Accept { tag } => self.accepts.push_back((transaction, tag)),
            Call::Watch { mask } => self.watches.push_back((transaction, mask)),
            _ if dead.is_some() => return dead.map_or(Ok(()), Err),
            _ if !can_carry_data => return Err(Status::NotConnected),
            Call::Send { .. } | Call::Shutdown { send: true, .. } if self.no_more_sends => {
                return Err(Status::ShutDown);
            }
            Call::Send { remote, list } => {
                let (total, pushed, done, cut) = (list.length(), 0, 0, None);
                self.outgoing.push_back(Outgoing { transaction, remote, list, total, pushed, done, cut });
            }
            Call::Receive { list } if list.elements().is_empty() => return Err(Status::Malformed),
            Call::Receive { list } => self.incoming.push_back(Incoming { transaction, list }),
            Call::Shutdown { receive, .. } => {
                self.no_more_receives |= receive;
                self.no_more_sends = true;
                self.shutting = Some(transaction);
            }
            _ => return Err(Status::Unsupported),
        }
        Ok(())
    }

    fn status<T: Transport>(&self, transport: &T) -> Answer {
        let Some(socket) = self.socket else { return Answer::None };
        let (readable, writable) = match self.protocol {
            Protocol::Tcp => (transport.readable(socket, 0).length(), transport.writable(socket, 0).length()),
            Protocol::Udp => (u32::from(transport.datagram(socket, 0).is_some()), 0),
        };
        let state = match transport.condition(socket) {
            Condition::Over(_) => State::Over,
            _ => self.state,
        };
        let (local, remote) = (transport.local(socket), transport.remote(socket).or(self.peer));
        Answer::Status { state, readable, writable, local, remote }
    }

    /// Ends a request that waits, if it is one of those that can be ended.
    fn cancel<C, T>(&mut self, work: &mut Work<'_, C, T>, transaction: u32) -> bool {
        let cancelled = (Status::Cancelled, Answer::None);
        if let Some(index) = self.accepts.iter().position(|&(t, _)| t == transaction) {
            self.accepts.remove(index);
            self.answer(work, transaction, Function::Accept, cancelled);
            return true;
        }
        if let Some(index) = self.watches.iter().position(|&(t, _)| t == transaction) {
            self.watches.remove(index);
            self.answer(work, transaction, Function::Watch, cancelled);
            return true;
        }
        if self.connecting == Some(transaction) {
            self.connecting = None;
            self.broken = Some(Status::Cancelled);
            self.answer(work, transaction, Function::Connect, cancelled);
            return true;
        }
        let copying = self.incoming_chunks.len();
        if let Some(index) = self.incoming.iter().skip(copying).position(|receive| receive.transaction == transaction) {
            self.incoming.remove(copying + index);
            self.answer(work, transaction, Function::Receive, cancelled);
            return true;
        }
        match self.outgoing.iter().position(|send| send.transaction == transaction) {
            Some(index) => self.cut(work, index, Status::Cancelled),
            None => false,
        }
    }
}
