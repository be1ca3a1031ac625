//! Datagrams to and from host buffers: one is one send or one receive.

use abi::socket::{Answer, Function, Status};

use super::card::Card;
use super::copies::{Direction, Purpose, cut};
use super::session::{Chunk, Session, Work};
use super::transport::{Socket, Transport};

impl Session {
    pub(super) fn send_datagrams<C: Card, T: Transport>(&mut self, work: &mut Work<'_, C, T>) {
        loop {
            self.settle_datagram_sends(work);
            if !self.start_datagram_send(work) {
                return;
            }
        }
    }

    fn settle_datagram_sends<C: Card, T: Transport>(&mut self, work: &mut Work<'_, C, T>) {
        while let Some(Some(result)) = self.outgoing_chunks.front().map(|chunk| chunk.ended) {
            let (Some(chunk), Some(send)) = (self.outgoing_chunks.pop_front(), self.outgoing.pop_front()) else {
                return;
            };
            let result = match (result, chunk.remote, self.socket.filter(|_| chunk.marked)) {
                (Ok(()), Some(remote), Some(socket)) => work.transport.send(socket, remote),
                (Ok(()), _, _) => Err(Status::Closed),
                (Err(status), _, Some(socket)) => {
                    work.transport.release(socket);
                    Err(status)
                }
                (Err(status), _, None) => Err(status),
            };
            let length = if result.is_ok() { chunk.length } else { 0 };
            let status = result.err().unwrap_or(Status::Ok);
            self.answer(work, send.transaction, Function::Send, (status, Answer::Sent { length }));
        }
    }

    /// Starts one; says whether it got further.
    fn start_datagram_send<C: Card, T: Transport>(&mut self, work: &mut Work<'_, C, T>) -> bool {
        if let Some(chunk) = self.outgoing_chunks.back_mut().filter(|chunk| !chunk.unpushed.is_empty()) {
            let Some(context) = work.push(&chunk.unpushed, Purpose::Outgoing(self.tag)) else { return false };
            chunk.context = Some(context);
            chunk.unpushed.clear();
            return true;
        }
        let Some(send) = self.outgoing.get_mut(self.outgoing_chunks.len()) else { return false };
        let (Some(remote), Some(socket)) = (send.remote.or(self.peer), self.socket) else {
            self.outgoing_chunks.push_back(Chunk::ended(Err(Status::NotConnected)));
            return true;
        };
        let length = send.list.length();
        let spans = match work.transport.reserve(socket, length) {
            Ok(Some(spans)) => spans,
            Ok(None) => return false,
            Err(status) => {
                self.outgoing_chunks.push_back(Chunk::ended(Err(status)));
                return true;
            }
        };
        send.pushed = send.total;
        let unpushed = cut(&send.list, 0, &spans, length, work.processor, Direction::Outgoing);
        let ended = unpushed.is_empty().then_some(Ok(()));
        let remote = Some(remote);
        self.outgoing_chunks.push_back(Chunk { context: None, length, ended, remote, marked: true, unpushed });
        true
    }

    pub(super) fn receive_datagrams<C: Card, T: Transport>(&mut self, work: &mut Work<'_, C, T>) {
        loop {
            self.settle_datagram_receives(work);
            if !self.start_datagram_receive(work) {
                return;
            }
        }
    }

    fn settle_datagram_receives<C: Card, T: Transport>(&mut self, work: &mut Work<'_, C, T>) {
        while let Some(Some(result)) = self.incoming_chunks.front().map(|chunk| chunk.ended) {
            let (Some(chunk), Some(receive)) = (self.incoming_chunks.pop_front(), self.incoming.pop_front()) else {
                break;
            };
            let result = if self.incoming_failed { Err(Status::Copy) } else { result };
            let answer = match result {
                Ok(()) => {
                    if let Some(socket) = self.socket {
                        work.transport.drop_datagram(socket);
                    }
                    let (length, truncated, remote) = (chunk.length, chunk.marked, chunk.remote);
                    (Status::Ok, Answer::Received { length, end: false, truncated, remote })
                }
                Err(status) => {
                    self.incoming_failed = true;
                    (status, Answer::None)
                }
            };
            self.answer(work, receive.transaction, Function::Receive, answer);
        }
        self.incoming_failed &= !self.incoming_chunks.is_empty();
    }

    /// Starts one; says whether it got further.
    fn start_datagram_receive<C: Card, T: Transport>(&mut self, work: &mut Work<'_, C, T>) -> bool {
        let Some(socket) = self.socket else { return false };
        if self.no_more_receives {
            return self.discard_datagram(work, socket);
        }
        let index = self.incoming_chunks.len();
        let Some(receive) = self.incoming.get(index).filter(|_| !self.incoming_failed) else { return false };
        let Some(datagram) = work.transport.datagram(socket, index) else { return false };
        let (whole, room) = (datagram.bytes.length(), receive.list.length());
        let length = whole.min(room);
        let (remote, marked) = (Some(datagram.remote), whole > room);
        let chunk = if length == 0 {
            Chunk { remote, marked, ..Chunk::ended(Ok(())) }
        } else {
            let list = cut(&receive.list, 0, &datagram.bytes, length, work.processor, Direction::Incoming);
            let Some(context) = work.push(&list, Purpose::Incoming(self.tag)) else { return false };
            Chunk { remote, marked, ..Chunk::pushed(context, length) }
        };
        self.incoming_chunks.push_back(chunk);
        true
    }

    /// No more is received: what waits is answered, what comes is dropped.
    fn discard_datagram<C: Card, T: Transport>(&mut self, work: &mut Work<'_, C, T>, socket: Socket) -> bool {
        if !self.incoming_chunks.is_empty() {
            return false;
        }
        if let Some(receive) = self.incoming.pop_front() {
            let end = Answer::Received { length: 0, end: true, truncated: false, remote: None };
            self.answer(work, receive.transaction, Function::Receive, (Status::Ok, end));
            return true;
        }
        let is_there = work.transport.datagram(socket, 0).is_some();
        if is_there {
            work.transport.drop_datagram(socket);
        }
        is_there
    }
}
