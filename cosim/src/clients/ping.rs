//! Echo requests, and their answers held against what was asked.

use std::net::IpAddr;

use smoltcp::iface::{Interface, SocketHandle, SocketSet};
use smoltcp::phy::ChecksumCapabilities;
use smoltcp::socket::icmp::{Endpoint, PacketBuffer, PacketMetadata, Socket};
use smoltcp::wire::{Icmpv4Packet, Icmpv4Repr, Icmpv6Packet, Icmpv6Repr};

use super::{Micros, pattern};

/// Bytes of messages that wait in the socket, each way.
const ROOM: usize = 1 << 14;
/// Messages that wait.
const MESSAGES: usize = 32;

/// What to ask.
#[derive(Clone, Debug)]
pub struct PingScript {
    /// Whom.
    pub target: IpAddr,
    /// How often.
    pub count: u16,
    /// Bytes of each request behind its header.
    pub payload: usize,
    /// When the first goes out.
    pub start: Micros,
    /// Time from one to the next.
    pub interval: Micros,
    /// How long the last one is waited for.
    pub patience: Micros,
}

/// A series of echo requests.
#[derive(Debug)]
pub struct Ping {
    script: PingScript,
    identifier: u16,
    socket: SocketHandle,
    asked: u16,
    /// Answers to each request.
    answers: Vec<u32>,
    wrong: u32,
    now: Micros,
}

impl Ping {
    pub(super) fn new(script: PingScript, identifier: u16, sockets: &mut SocketSet<'static>) -> Self {
        let buffer = || PacketBuffer::new(vec![PacketMetadata::EMPTY; MESSAGES], vec![0; ROOM]);
        let mut socket = Socket::new(buffer(), buffer());
        // The identifier is specified, so this is an endpoint.
        let _ = socket.bind(Endpoint::Ident(identifier));
        let answers = vec![0; script.count.into()];
        Self { script, identifier, socket: sockets.add(socket), asked: 0, answers, wrong: 0, now: 0 }
    }

    /// Requests sent.
    pub fn asked(&self) -> u16 {
        self.asked
    }

    /// How often each request was answered.
    pub fn answers(&self) -> &[u32] {
        &self.answers
    }

    /// Answers that are not what was asked.
    pub fn wrong(&self) -> u32 {
        self.wrong
    }

    /// The number that its requests bear.
    pub fn identifier(&self) -> u16 {
        self.identifier
    }

    /// Whether all requests are out, and the last one was waited for.
    pub fn is_done(&self) -> bool {
        self.due().is_none()
    }

    pub(super) fn due(&self) -> Option<Micros> {
        let next = self.script.start + u64::from(self.asked) * self.script.interval;
        if self.asked < self.script.count {
            return Some(next);
        }
        let end = next + self.script.patience;
        (self.now < end).then_some(end)
    }

    /// The request's bytes behind the header.
    fn payload(&self, sequence: u16) -> Vec<u8> {
        let seed = u64::from(self.identifier) << 16 | u64::from(sequence);
        (0..self.script.payload as u64).map(|position| pattern(seed, position)).collect()
    }

    pub(super) fn step(&mut self, now: Micros, sockets: &mut SocketSet, interface: &Interface) -> bool {
        self.now = now;
        let socket = sockets.get_mut::<Socket>(self.socket);
        let mut moved = false;
        while let Ok((message, from)) = socket.recv() {
            moved = true;
            let answer = if IpAddr::from(from) == self.script.target { read(message) } else { None };
            let known = answer.filter(|(identifier, sequence, data)| {
                *identifier == self.identifier && *sequence < self.asked && *data == self.payload(*sequence)
            });
            match known {
                Some((_, sequence, _)) => self.answers[usize::from(sequence)] += 1,
                None => self.wrong += 1,
            }
        }
        while self.asked < self.script.count && self.due().is_some_and(|due| due <= now) && socket.can_send() {
            let message = self.request(interface);
            if socket.send_slice(&message, self.script.target.into()).is_err() {
                break;
            }
            self.asked += 1;
            moved = true;
        }
        moved
    }

    fn request(&self, interface: &Interface) -> Vec<u8> {
        let (ident, seq_no, data) = (self.identifier, self.asked, self.payload(self.asked));
        let checksums = ChecksumCapabilities::default();
        match self.script.target {
            IpAddr::V4(_) => {
                let request = Icmpv4Repr::EchoRequest { ident, seq_no, data: &data };
                let mut message = vec![0; request.buffer_len()];
                request.emit(&mut Icmpv4Packet::new_unchecked(&mut message), &checksums);
                message
            }
            IpAddr::V6(target) => {
                let request = Icmpv6Repr::EchoRequest { ident, seq_no, data: &data };
                let mut message = vec![0; request.buffer_len()];
                let source = interface.get_source_address_ipv6(&target);
                request.emit(&source, &target, &mut Icmpv6Packet::new_unchecked(&mut message), &checksums);
                message
            }
        }
    }
}

/// Identifier, sequence number and data of an echo reply (RFC 792, RFC 4443, 4.2: the same layout).
fn read(message: &[u8]) -> Option<(u16, u16, Vec<u8>)> {
    let [0 | 129, 0, _, _, i0, i1, s0, s1, data @ ..] = message else { return None };
    Some((u16::from_be_bytes([*i0, *i1]), u16::from_be_bytes([*s0, *s1]), data.to_vec()))
}
