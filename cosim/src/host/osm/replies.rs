//! What a reply of the card changes.

use abi::socket::{Answer, Function, Reply, Status, Tag};

use super::super::executor::Key;
use super::{Pending, Piece, Session, State, needs_credit};

impl State {
    /// Takes a reply; says whom to wake.
    pub(super) fn replied(&mut self, reply: &Reply) -> Vec<Key> {
        if self.was_reset(reply) {
            return Vec::new();
        }
        let (tag, transaction) = (reply.tag, reply.transaction);
        let Some(pending) = self.session(tag).and_then(|session| session.pending.remove(&transaction)) else {
            self.counters.strays += 1;
            return Vec::new();
        };
        self.counters.replies += 1;
        let function = Function::of(reply.function);
        if function == Some(Function::Create) && reply.status == Status::Ok {
            self.credits[tag.processor()] = usize::from(reply.credits).max(1);
        }
        if let Some(session) = self.session(tag) {
            session.under_way -= usize::from(function.is_some_and(needs_credit));
        }
        let group = self.session(tag).and_then(|session| session.group);
        let mut keys = vec![Key::Session(tag.index()), Key::Buffer];
        keys.extend(group.map(Key::Group));
        if let Some(place) = self.asked.get_mut(&transaction) {
            *place = Some(*reply);
            keys.push(Key::Reply(transaction));
        }
        match pending {
            Pending::Asked => {}
            Pending::Send(buffer) => {
                self.buffers.push(buffer);
                if let Some(session) = self.session(tag) {
                    session.sends -= 1;
                    // A datagram fails alone.
                    session.failed(if group.is_none() { reply.status } else { Status::Ok });
                }
            }
            Pending::Receive(buffer) => self.received_in_order(tag, buffer, reply),
            Pending::Accept(connection) => self.accepted(group, connection, reply),
            Pending::Close => {
                if let Some(session) = self.session(tag) {
                    session.closed = true;
                }
            }
        }
        if self.session(tag).is_some_and(|session| session.closed && session.pending.is_empty()) {
            self.remove(tag);
            // There may be room now for what others await.
            let listeners: Vec<_> = self.groups.keys().copied().collect();
            listeners.into_iter().for_each(|group| self.post_accepts(group));
        }
        self.pump(tag);
        keys
    }

    fn received_in_order(&mut self, tag: Tag, buffer: u64, reply: &Reply) {
        let Some(session) = self.session(tag) else { return };
        if let Some(place) = session.posted.iter_mut().find(|(posted, _)| *posted == reply.transaction) {
            place.1 = Some((buffer, *reply));
        }
        while let Some(session) = self.session(tag)
            && let Some(&(_, Some((buffer, reply)))) = session.posted.front()
        {
            session.posted.pop_front();
            self.received(tag, buffer, &reply);
        }
        self.post_receives(tag);
    }

    fn received(&mut self, tag: Tag, buffer: u64, reply: &Reply) {
        let Some(session) = self.session(tag) else { return };
        let group = session.group;
        match reply.answer {
            Answer::Received { length, remote, .. } if length > 0 || remote.is_some() => {
                let piece = Piece { buffer, offset: 0, length, remote, tag };
                if session.closing {
                    session.spare.push(buffer);
                } else if let Some(group) = group.and_then(|group| self.groups.get_mut(&group)) {
                    group.datagrams.push_back(piece);
                } else if let Some(session) = self.session(tag) {
                    session.received.push_back(piece);
                }
            }
            Answer::Received { .. } => {
                session.end = true;
                session.spare.push(buffer);
            }
            _ => {
                session.spare.push(buffer);
                session.failed(reply.status);
                if let Some(group) = group.and_then(|group| self.groups.get_mut(&group)) {
                    group.error = Some(reply.status).filter(|_| !group.closing);
                }
            }
        }
    }

    fn accepted(&mut self, group: Option<u32>, connection: Tag, reply: &Reply) {
        let Answer::Accepted { remote, local, .. } = reply.answer else {
            self.remove(connection);
            return;
        };
        if let Some(session) = self.session(connection) {
            session.addresses = Some((local, remote));
            session.receives = true;
        }
        self.post_receives(connection);
        let open = group.and_then(|group| self.groups.get_mut(&group)).filter(|group| !group.closing);
        match open {
            Some(listener) => listener.ready.push_back(connection),
            None => self.close(connection, true),
        }
    }
}

impl Session {
    /// Something could not be done; what the host itself ended is no error.
    fn failed(&mut self, status: Status) {
        if !matches!(status, Status::Ok | Status::Cancelled | Status::Closed) {
            self.error.get_or_insert(status);
        }
    }
}
