//! Bytes of streams, to and from host buffers.

use abi::socket::{Answer, Function, Status};

use super::card::Card;
use super::copies::{Direction, Purpose, cut};
use super::session::{Chunk, REPLY_LISTS, Session, Work, copying};
use super::transport::{Socket, Transport};
use crate::kernel::dma::Copy;

/// While copies are under way, less than this is not worth another one.
const WORTH_A_COPY: u32 = 1460;

impl Session {
    /// Commits what has arrived, in order; answers sends that are done, and all of them if there is nobody to send to.
    pub(super) fn settle_stream_sends<C: Card, T: Transport>(&mut self, work: &mut Work<'_, C, T>) {
        while let Some(Some(result)) = self.outgoing_chunks.front().map(|chunk| chunk.ended) {
            let Some(chunk) = self.outgoing_chunks.pop_front() else { break };
            if let Err(status) = result {
                // The stream would have a hole here, so it ends.
                self.broken.get_or_insert(status);
            }
            let is_alive = self.failure(work.transport).is_none();
            if let Some(socket) = self.socket.filter(|_| is_alive) {
                work.transport.commit(socket, chunk.length);
                if let Some(send) = self.outgoing.iter_mut().find(|send| send.done < send.total) {
                    send.done += chunk.length;
                }
            }
            self.answer_sends(work);
        }
        self.answer_sends(work);
        if !self.outgoing_chunks.is_empty() {
            return;
        }
        if let Some(status) = self.failure(work.transport) {
            while let Some(send) = self.outgoing.pop_front() {
                let answer = Answer::Sent { length: send.done };
                self.answer(work, send.transaction, Function::Send, (status, answer));
            }
        }
    }

    fn answer_sends<C: Card, T: Transport>(&mut self, work: &mut Work<'_, C, T>) {
        if self.failure(work.transport).is_some() {
            return;
        }
        while self.outgoing.front().is_some_and(|send| send.done == send.total) {
            let Some(send) = self.outgoing.pop_front() else { break };
            let answer = Answer::Sent { length: send.done };
            self.answer(work, send.transaction, Function::Send, (send.cut.unwrap_or(Status::Ok), answer));
        }
    }

    /// Starts copies from host buffers into the socket's buffer.
    pub(super) fn start_stream_sends<C: Card, T: Transport>(&mut self, work: &mut Work<'_, C, T>) {
        if self.failure(work.transport).is_some() {
            return;
        }
        let Some(socket) = self.socket else { return };
        while let Some(send) = self.outgoing.iter_mut().find(|send| send.pushed < send.total) {
            let spans = work.transport.writable(socket, copying(&self.outgoing_chunks));
            let (room, want) = (spans.length(), send.total - send.pushed);
            let length = room.min(want);
            let is_too_little = length < want.min(WORTH_A_COPY) && !self.outgoing_chunks.is_empty();
            if length == 0 || is_too_little {
                return;
            }
            let list = cut(&send.list, send.pushed, &spans, length, work.processor, Direction::Outgoing);
            let Some(context) = work.push(&list, Purpose::Outgoing(self.tag)) else { return };
            send.pushed += length;
            self.outgoing_chunks.push_back(Chunk::pushed(context, length));
        }
    }

    /// Consumes what the host has, in order, and answers its receives.
    pub(super) fn settle_stream_receives<C: Card, T: Transport>(&mut self, work: &mut Work<'_, C, T>) {
        while let Some(Some(result)) = self.incoming_chunks.front().map(|chunk| chunk.ended) {
            let (Some(chunk), Some(receive)) = (self.incoming_chunks.pop_front(), self.incoming.pop_front()) else {
                break;
            };
            let result = if self.incoming_failed { Err(Status::Copy) } else { result };
            let answer = match (result, self.socket) {
                (Ok(()), Some(socket)) => {
                    work.transport.consume(socket, chunk.length);
                    let (length, end, truncated, remote) = (chunk.length, false, false, None);
                    (Status::Ok, Answer::Received { length, end, truncated, remote })
                }
                _ => {
                    self.incoming_failed = true;
                    (result.err().unwrap_or(Status::Closed), Answer::None)
                }
            };
            self.answer(work, receive.transaction, Function::Receive, answer);
        }
        self.incoming_failed &= !self.incoming_chunks.is_empty();
    }

    /// Starts copies from the socket's buffer to the host; answers receives that nothing will come for.
    pub(super) fn start_stream_receives<C: Card, T: Transport>(&mut self, work: &mut Work<'_, C, T>) {
        if self.incoming_failed {
            return;
        }
        if let Some(socket) = self.socket.filter(|_| self.no_more_receives) {
            self.discard(work, socket);
        }
        while let Some(receive) = self.incoming.get(self.incoming_chunks.len()) {
            let failure = self.failure(work.transport);
            let skip = copying(&self.incoming_chunks);
            let spans = self.socket.map(|socket| work.transport.readable(socket, skip)).unwrap_or_default();
            let length = spans.length().min(receive.list.length());
            if length == 0 || failure.is_some() || self.no_more_receives {
                let at_end = self.socket.is_some_and(|socket| work.transport.at_end(socket));
                let end = Answer::Received { length: 0, end: true, truncated: false, remote: None };
                let answer = match failure {
                    Some(status) => (status, Answer::None),
                    None if at_end || self.no_more_receives => (Status::Ok, end),
                    None => return,
                };
                if !self.incoming_chunks.is_empty() {
                    return;
                }
                let Some(receive) = self.incoming.pop_front() else { return };
                self.answer(work, receive.transaction, Function::Receive, answer);
                continue;
            }
            let list = cut(&receive.list, 0, &spans, length, work.processor, Direction::Incoming);
            let Some(context) = work.push(&list, Purpose::Incoming(self.tag)) else { return };
            self.incoming_chunks.push_back(Chunk::pushed(context, length));
        }
    }

    /// Nobody will receive it, so it must not stop the other end from sending.
    fn discard<C: Card, T: Transport>(&mut self, work: &mut Work<'_, C, T>, socket: Socket) {
        if self.incoming_chunks.is_empty() {
            let length = work.transport.readable(socket, 0).length();
            if length > 0 {
                work.transport.consume(socket, length);
            }
        }
    }
}

impl<C: Card, T> Work<'_, C, T> {
    /// Pushes a list of data copies; its context. `None`: the session is to be called again.
    pub(super) fn push(&mut self, list: &[Copy], purpose: Purpose) -> Option<u32> {
        let context = self.copies.next_context();
        let is_pushed = self.copies.has_room(REPLY_LISTS) && self.copies.push(self.card, list, None, purpose);
        self.starved |= !is_pushed;
        context.filter(|_| is_pushed)
    }
}
