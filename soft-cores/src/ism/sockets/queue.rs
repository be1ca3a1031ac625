//! Sockets in the order in which something happened to them, each once.

use alloc::collections::{BTreeSet, VecDeque};

use super::super::transport::Socket;

/// No longer than there are sockets.
#[derive(Clone, Debug, Default)]
pub struct Queue {
    order: VecDeque<Socket>,
    members: BTreeSet<Socket>,
}

impl Queue {
    /// Puts one at the end, if it is not there.
    pub fn push(&mut self, socket: Socket) {
        if self.members.insert(socket) {
            self.order.push_back(socket);
        }
    }

    /// Takes the first.
    pub fn pop(&mut self) -> Option<Socket> {
        let socket = self.order.pop_front()?;
        self.members.remove(&socket);
        Some(socket)
    }

    /// Takes one out.
    pub fn forget(&mut self, socket: Socket) {
        if self.members.remove(&socket) {
            self.order.retain(|&other| other != socket);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_in_it_once_and_keeps_its_place() {
        let mut queue = Queue::default();
        [3, 1, 3, 2, 1].into_iter().for_each(|number| queue.push(Socket(number)));
        queue.forget(Socket(1));
        queue.forget(Socket(7));
        assert_eq!([queue.pop(), queue.pop(), queue.pop()], [Some(Socket(3)), Some(Socket(2)), None]);
        queue.push(Socket(3));
        assert_eq!(queue.pop(), Some(Socket(3)));
    }
}
