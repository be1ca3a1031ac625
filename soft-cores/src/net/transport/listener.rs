//! Listening sockets and their backlog.
//!
//! A SYN gets a connection of its own, so none is refused while there is room. **When there is no room:** while `backlog`
//! connections wait to be accepted further SYNs are dropped without an answer, and the peer asks again. Of connections
//! whose handshake is not over there are at most [`HALF_OPEN`], which may still complete; then the oldest goes, without a
//! word. So under a flood of SYNs a peer still gets through that answers before as many others have come; if instead new SYNs
//! were dropped, it would have to wait until the flood's time out.

use alloc::collections::VecDeque;

use super::{Options, SocketId};
use crate::net::session::End;

/// Half-open connections of one listener. A burst of as many peers loses nobody.
pub const HALF_OPEN: usize = 64;

/// A listening socket.
#[derive(Clone, Debug)]
pub struct Listener {
    /// Where; an unspecified address stands for all.
    pub local: End,
    /// As long as so many connections wait to be accepted, no other begins.
    pub backlog: usize,
    /// Of the connections that it makes.
    pub options: Options,
    /// The oldest first.
    half_open: VecDeque<SocketId>,
    ready: VecDeque<SocketId>,
}

/// What to do with a SYN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Take it.
    Admit,
    /// Take it, and forget this half-open connection.
    Replace(SocketId),
    /// Drop it.
    Full,
}

impl Listener {
    /// With an empty backlog; one connection can always wait.
    pub fn new(local: End, backlog: usize, options: Options) -> Self {
        let (half_open, ready) = Default::default();
        Self { local, backlog: backlog.max(1), options, half_open, ready }
    }

    /// Whether there is room for one more.
    pub fn admission(&self) -> Admission {
        if self.ready.len() >= self.backlog {
            return Admission::Full;
        }
        match self.half_open.front() {
            Some(&oldest) if self.half_open.len() >= HALF_OPEN => Admission::Replace(oldest),
            _ => Admission::Admit,
        }
    }

    /// A connection has begun.
    pub fn begin(&mut self, connection: SocketId) {
        self.half_open.push_back(connection);
    }

    /// Its handshake is over.
    pub fn complete(&mut self, connection: SocketId) {
        self.half_open.retain(|&other| other != connection);
        self.ready.push_back(connection);
    }

    /// It is gone.
    pub fn forget(&mut self, connection: SocketId) {
        self.half_open.retain(|&other| other != connection);
        self.ready.retain(|&other| other != connection);
    }

    /// The connection that has waited longest.
    pub fn accept(&mut self) -> Option<SocketId> {
        self.ready.pop_front()
    }

    /// Whether [`accept`](Self::accept) has one.
    pub fn is_acceptable(&self) -> bool {
        !self.ready.is_empty()
    }

    /// How many are half open, and how many wait to be accepted.
    pub fn waiting(&self) -> (usize, usize) {
        (self.half_open.len(), self.ready.len())
    }

    /// All that would be lost with it.
    pub fn connections(&self) -> impl Iterator<Item = SocketId> + '_ {
        self.half_open.iter().chain(&self.ready).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_open_connections_go_the_oldest_first_and_whole_ones_never() {
        let mut listener = Listener::new(End::new("0.0.0.0".parse().unwrap(), 80), 2, Options::default());
        let ids: alloc::vec::Vec<_> = (1..=HALF_OPEN as u32).map(SocketId).collect();
        for &connection in &ids {
            assert_eq!(listener.admission(), Admission::Admit);
            listener.begin(connection);
        }
        assert_eq!(listener.admission(), Admission::Replace(ids[0]));
        listener.complete(ids[1]);
        assert_eq!(listener.admission(), Admission::Admit);
        listener.complete(ids[0]);
        assert_eq!((listener.admission(), listener.waiting()), (Admission::Full, (HALF_OPEN - 2, 2)));
        assert_eq!(listener.accept(), Some(ids[1]));
        assert_eq!(listener.admission(), Admission::Admit);
        listener.forget(ids[0]);
        ids[3..].iter().for_each(|&connection| listener.forget(connection));
        assert_eq!(listener.connections().collect::<alloc::vec::Vec<_>>(), [ids[2]]);
    }
}
