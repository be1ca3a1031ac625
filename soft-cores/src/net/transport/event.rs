//! Readiness: what can be done with a socket, told by a queue that holds every socket once at most.

use alloc::collections::{BTreeSet, VecDeque};

use super::SocketId;

/// What can be done with a socket now, or has happened to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Readiness {
    /// A connection waits to be accepted.
    pub acceptable: bool,
    /// There is something to receive, or its end.
    pub readable: bool,
    /// There is room to send.
    pub writable: bool,
    /// The connection is there: the handshake has ended.
    pub connected: bool,
    /// Neither direction is open any more. [`Status::failure`](super::Status::failure) says why, if it was not in order.
    pub closed: bool,
}

/// Something happened to a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// To which one.
    pub socket: SocketId,
    /// How it is when the event is taken.
    pub readiness: Readiness,
}

/// Sockets to which something happened, in the order in which it did. No longer than there are sockets.
#[derive(Clone, Debug, Default)]
pub struct Queue {
    order: VecDeque<SocketId>,
    members: BTreeSet<SocketId>,
}

impl Queue {
    /// Something happened to a socket.
    pub fn push(&mut self, socket: SocketId) {
        if self.members.insert(socket) {
            self.order.push_back(socket);
        }
    }

    /// Takes the one that has waited longest.
    pub fn pop(&mut self) -> Option<SocketId> {
        let socket = self.order.pop_front()?;
        self.members.remove(&socket);
        Some(socket)
    }

    /// A socket is gone.
    pub fn forget(&mut self, socket: SocketId) {
        if self.members.remove(&socket) {
            self.order.retain(|&other| other != socket);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_in_the_queue_once() {
        let mut queue = Queue::default();
        for number in [1, 2, 1, 3, 2] {
            queue.push(SocketId(number));
        }
        queue.forget(SocketId(2));
        assert_eq!([queue.pop(), queue.pop(), queue.pop()], [Some(SocketId(1)), Some(SocketId(3)), None]);
        queue.push(SocketId(1));
        assert_eq!(queue.pop(), Some(SocketId(1)));
    }
}
