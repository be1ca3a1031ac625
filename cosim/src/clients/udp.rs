//! UDP datagrams at a steady pace, and what comes back.

use std::net::SocketAddr;

use smoltcp::iface::{SocketHandle, SocketSet};
use smoltcp::socket::udp::{PacketBuffer, PacketMetadata, Socket};

use super::{Micros, pattern};

/// Bytes of datagrams that wait in the socket, each way.
const ROOM: usize = 1 << 16;
/// Datagrams that wait.
const DATAGRAMS: usize = 64;

/// What to send.
#[derive(Clone, Debug)]
pub struct DatagramScript {
    /// Where to.
    pub target: SocketAddr,
    /// From which port.
    pub local_port: u16,
    /// How many.
    pub count: u32,
    /// Bytes of each, at least 4: the first four are its number.
    pub bytes: usize,
    /// When the first goes out.
    pub start: Micros,
    /// Time from one to the next.
    pub interval: Micros,
    /// How long the last one's answer is waited for.
    pub patience: Micros,
    /// What their bytes are made of.
    pub seed: u64,
}

/// A sender of datagrams.
pub struct Datagrams {
    script: DatagramScript,
    socket: SocketHandle,
    sent: u32,
    /// How often each came back.
    answers: Vec<u32>,
    wrong: u32,
    now: Micros,
}

impl Datagrams {
    pub(super) fn new(script: DatagramScript, sockets: &mut SocketSet<'static>) -> Self {
        let buffer = || PacketBuffer::new(vec![PacketMetadata::EMPTY; DATAGRAMS], vec![0; ROOM]);
        let mut socket = Socket::new(buffer(), buffer());
        // A port that is not 0 and a socket that is not open.
        let _ = socket.bind(script.local_port);
        let answers = vec![0; script.count as usize];
        Self { script, socket: sockets.add(socket), sent: 0, answers, wrong: 0, now: 0 }
    }

    /// Datagrams sent.
    pub fn sent(&self) -> u32 {
        self.sent
    }

    /// How often each came back as it was.
    pub fn answers(&self) -> &[u32] {
        &self.answers
    }

    /// Datagrams that came and were none of those.
    pub fn wrong(&self) -> u32 {
        self.wrong
    }

    /// Whether all are out, and the last one's answer was waited for.
    pub fn is_done(&self) -> bool {
        self.due().is_none()
    }

    pub(super) fn due(&self) -> Option<Micros> {
        let next = self.script.start + u64::from(self.sent) * self.script.interval;
        if self.sent < self.script.count {
            return Some(next);
        }
        let end = next + self.script.patience;
        (self.now < end).then_some(end)
    }

    fn datagram(&self, number: u32) -> Vec<u8> {
        let seed = self.script.seed ^ u64::from(number) << 32;
        let rest = (4..self.script.bytes as u64).map(|position| pattern(seed, position));
        number.to_be_bytes().into_iter().chain(rest).collect()
    }

    pub(super) fn step(&mut self, now: Micros, sockets: &mut SocketSet) -> bool {
        self.now = now;
        let socket = sockets.get_mut::<Socket>(self.socket);
        let mut moved = false;
        while let Ok((bytes, _)) = socket.recv() {
            moved = true;
            let number = bytes.first_chunk().map(|number| u32::from_be_bytes(*number));
            match number.filter(|&number| number < self.sent && bytes == self.datagram(number)) {
                Some(number) => self.answers[number as usize] += 1,
                None => self.wrong += 1,
            }
        }
        while self.sent < self.script.count && self.due().is_some_and(|due| due <= now) && socket.can_send() {
            if socket.send_slice(&self.datagram(self.sent), self.script.target).is_err() {
                break;
            }
            self.sent += 1;
            moved = true;
        }
        moved
    }
}
