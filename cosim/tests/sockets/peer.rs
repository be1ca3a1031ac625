//! Peers outside, in the model network.

use std::net::SocketAddr;

use super::network::Network;

pub fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// A peer outside that sends something, and keeps what it gets.
pub struct Peer {
    pub id: u32,
    to_send: Vec<u8>,
    sent: usize,
    /// Ends its direction when all is sent.
    shuts: bool,
    pub got: Vec<u8>,
}

impl Peer {
    pub fn new(id: u32, to_send: &[u8], shuts: bool) -> Self {
        Self { id, to_send: to_send.to_vec(), sent: 0, shuts, got: Vec::new() }
    }

    pub fn step(&mut self, network: &Network) {
        self.sent += network.peer_writes(self.id, &self.to_send[self.sent..]);
        if self.shuts && self.sent == self.to_send.len() {
            network.peer_shuts(self.id);
            self.shuts = false;
        }
        self.got.extend(network.peer_reads(self.id));
    }
}
