//! Transports of some processors and peers outside, joined by a network that loses nothing: a model of what is below the socket
//! module, with buffers of sockets in the processors' memories. How much moves at a time is drawn.

use std::cell::{RefCell, RefMut};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;

use abi::socket::{Opt, Protocol, Status};

use super::bench::{Bench, MEMORY, SOCKETS_AT};

#[path = "below.rs"]
mod below;

/// Bytes of a buffer, and of the longest datagram.
pub const BUFFER: u32 = 4096;
/// Datagrams that wait, at most.
const INBOX: usize = 8;

/// A ring in a processor's memory, or a peer's.
struct Ring {
    /// Processor and address; a peer's has none.
    place: Option<(usize, u32)>,
    head: u32,
    bytes: VecDeque<u8>,
    length: u32,
}

struct Stream {
    receive: Ring,
    send: Ring,
    other: Option<u32>,
    local: Option<SocketAddr>,
    remote: Option<SocketAddr>,
    connected: bool,
    /// No more will be committed; the other end has been told so; the other end sends no more.
    shut: bool,
    end_sent: bool,
    end_received: bool,
    over: Option<Status>,
    /// Nobody names it any more.
    detached: bool,
    options: BTreeMap<Opt, u32>,
}

struct Listener {
    local: SocketAddr,
    backlog: usize,
    waiting: VecDeque<u32>,
}

struct Mailbox {
    local: Option<SocketAddr>,
    /// Who sent it, where it is, its length.
    inbox: VecDeque<(SocketAddr, u32, u32)>,
    reserved: VecDeque<(u32, u32)>,
    groups: BTreeSet<IpAddr>,
}

enum Kind {
    New(Protocol, Option<SocketAddr>),
    Stream(Stream),
    Listener(Listener),
    Datagram(Mailbox),
}

struct Entry {
    /// None: a peer's.
    processor: Option<usize>,
    kind: Kind,
}

struct Inside {
    bench: Bench,
    entries: BTreeMap<u32, Entry>,
    next: u32,
    port: u16,
    /// Free buffers of each processor.
    free: Vec<Vec<u32>>,
    changed: Vec<VecDeque<u32>>,
    /// Where peers outside wait: their connections, and datagrams.
    peer_ports: BTreeMap<SocketAddr, VecDeque<u32>>,
    peer_boxes: BTreeMap<SocketAddr, VecDeque<(SocketAddr, Vec<u8>)>>,
    limit: usize,
}

/// See the module's page.
#[derive(Clone)]
pub struct Network(Rc<RefCell<Inside>>);

/// One processor's transport.
pub struct Below {
    network: Network,
    processor: usize,
}

impl Network {
    /// Processors with room for so many sockets each.
    pub fn new(bench: &Bench, processors: usize, limit: usize) -> Self {
        let blocks = (MEMORY as u32 - SOCKETS_AT) / BUFFER;
        let free = || (0..blocks).rev().map(|block| SOCKETS_AT + block * BUFFER).collect();
        Self(Rc::new(RefCell::new(Inside {
            bench: bench.clone(),
            entries: BTreeMap::new(),
            next: 1,
            port: 49_152,
            free: (0..processors).map(|_| free()).collect(),
            changed: vec![VecDeque::new(); processors],
            peer_ports: BTreeMap::new(),
            peer_boxes: BTreeMap::new(),
            limit,
        })))
    }

    fn inside(&self) -> RefMut<'_, Inside> {
        self.0.borrow_mut()
    }

    pub fn below(&self, processor: usize) -> Below {
        Below { network: self.clone(), processor }
    }

    /// Moves some of what is to be moved.
    pub fn tick(&self) {
        self.inside().tick();
    }

    /// A peer connects to a listening socket of the card; `None`: it was refused.
    pub fn dial(&self, from: SocketAddr, to: SocketAddr) -> Option<u32> {
        let mut inside = self.inside();
        let peer = inside.add_stream(None, Some(from), Some(to));
        if inside.join(peer, from, to) {
            return Some(peer);
        }
        inside.entries.remove(&peer);
        None
    }

    /// Peers wait for connections, or for datagrams, at an address outside.
    pub fn peer_listens(&self, at: SocketAddr) {
        self.inside().peer_ports.insert(at, VecDeque::new());
    }

    pub fn peer_accepts(&self, at: SocketAddr) -> Option<u32> {
        self.inside().peer_ports.get_mut(&at)?.pop_front()
    }

    pub fn peer_has_box(&self, at: SocketAddr) {
        self.inside().peer_boxes.insert(at, VecDeque::new());
    }

    pub fn peer_datagram(&self, at: SocketAddr) -> Option<(SocketAddr, Vec<u8>)> {
        self.inside().peer_boxes.get_mut(&at)?.pop_front()
    }

    /// A peer sends a datagram; says whether a processor took it.
    pub fn peer_sends_to(&self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) -> bool {
        self.inside().deliver(from, to, bytes)
    }

    /// Hands a peer's stream bytes to send; says how many fit.
    pub fn peer_writes(&self, peer: u32, bytes: &[u8]) -> usize {
        let mut inside = self.inside();
        let Some(stream) = inside.stream_mut(peer) else { return 0 };
        let room = (BUFFER as usize).saturating_sub(stream.send.bytes.len()).min(bytes.len());
        stream.send.bytes.extend(&bytes[..room]);
        stream.send.length += room as u32;
        room
    }

    /// What a peer's stream has received.
    pub fn peer_reads(&self, peer: u32) -> Vec<u8> {
        let mut inside = self.inside();
        let Some(stream) = inside.stream_mut(peer) else { return Vec::new() };
        stream.receive.length = 0;
        stream.receive.bytes.drain(..).collect()
    }

    /// Whether a peer's stream was ended in good order, or why it is over.
    pub fn peer_end(&self, peer: u32) -> Option<Result<(), Status>> {
        let mut inside = self.inside();
        let stream = inside.stream_mut(peer)?;
        match stream.over {
            Some(status) => Some(Err(status)),
            None => (stream.end_received && stream.receive.length == 0).then_some(Ok(())),
        }
    }

    pub fn peer_shuts(&self, peer: u32) {
        if let Some(stream) = self.inside().stream_mut(peer) {
            stream.shut = true;
        }
    }

    pub fn peer_leaves(&self, peer: u32) {
        let mut inside = self.inside();
        if let Some(stream) = inside.stream_mut(peer) {
            stream.shut = true;
            stream.detached = true;
        }
    }

    pub fn peer_resets(&self, peer: u32) {
        self.inside().abort(peer);
    }

    /// Sockets that there are, those of peers not counted.
    pub fn sockets(&self) -> usize {
        self.inside().entries.values().filter(|entry| entry.processor.is_some()).count()
    }

    pub fn groups(&self) -> usize {
        let inside = self.inside();
        let boxes = inside.entries.values().filter_map(|entry| match &entry.kind {
            Kind::Datagram(mailbox) => Some(mailbox.groups.len()),
            _ => None,
        });
        boxes.sum()
    }

    /// Every buffer is free.
    pub fn assert_no_buffer_is_missing(&self) {
        let inside = self.inside();
        let blocks = ((MEMORY as u32 - SOCKETS_AT) / BUFFER) as usize;
        for (processor, free) in inside.free.iter().enumerate() {
            assert_eq!(free.len(), blocks, "buffers of processor {processor}");
        }
    }
}

impl Inside {
    fn stream_mut(&mut self, id: u32) -> Option<&mut Stream> {
        match &mut self.entries.get_mut(&id)?.kind {
            Kind::Stream(stream) => Some(stream),
            _ => None,
        }
    }

    fn stream(&self, id: u32) -> Option<&Stream> {
        match &self.entries.get(&id)?.kind {
            Kind::Stream(stream) => Some(stream),
            _ => None,
        }
    }

    fn take_buffer(&mut self, processor: usize) -> Option<u32> {
        let address = self.free[processor].pop()?;
        self.bench.set_live(processor, address, BUFFER, true);
        Some(address)
    }

    fn free_buffer(&mut self, processor: usize, address: u32) {
        // What still copies from it copies this.
        self.bench.poke(processor, address, &[0xDD; BUFFER as usize]);
        self.free[processor].push(address);
    }

    fn kill_buffer(&mut self, processor: usize, address: u32) {
        self.bench.set_live(processor, address, BUFFER, false);
    }

    fn ring(&mut self, processor: Option<usize>) -> Option<Ring> {
        let place = match processor {
            Some(processor) => Some((processor, self.take_buffer(processor)?)),
            None => None,
        };
        Some(Ring { place, head: 0, bytes: VecDeque::new(), length: 0 })
    }

    fn add(&mut self, processor: Option<usize>, kind: Kind) -> u32 {
        let id = self.next;
        self.next += 1;
        self.entries.insert(id, Entry { processor, kind });
        id
    }

    fn new_stream(&mut self, processor: Option<usize>) -> Option<Stream> {
        let receive = self.ring(processor)?;
        let send = self.ring(processor)?;
        let (other, local, remote, over) = (None, None, None, None);
        let options = BTreeMap::new();
        let (connected, shut, end_sent, end_received, detached) = (false, false, false, false, false);
        Some(Stream {
            receive,
            send,
            other,
            local,
            remote,
            connected,
            shut,
            end_sent,
            end_received,
            over,
            detached,
            options,
        })
    }

    fn add_stream(&mut self, processor: Option<usize>, local: Option<SocketAddr>, remote: Option<SocketAddr>) -> u32 {
        let stream = self.new_stream(processor).expect("the test has room for it");
        self.add(processor, Kind::Stream(Stream { local, remote, ..stream }))
    }

    fn listener_for(&self, from: SocketAddr, to: SocketAddr) -> Option<u32> {
        let listeners = self.entries.iter().filter_map(|(&id, entry)| match &entry.kind {
            Kind::Listener(listener) if listener.local.port() == to.port() => Some((id, listener)),
            _ => None,
        });
        let listeners: Vec<_> = listeners.collect();
        // Some hash of where it comes from picks the processor.
        let hash = usize::from(from.port()) ^ usize::from(from.port()) >> 5;
        let chosen = listeners.get(hash % listeners.len().max(1))?;
        (chosen.1.waiting.len() < chosen.1.backlog).then_some(chosen.0)
    }

    /// Joins a stream with a new one at the other end.
    fn join(&mut self, id: u32, from: SocketAddr, to: SocketAddr) -> bool {
        let other = if self.peer_ports.contains_key(&to) {
            let other = self.add_stream(None, Some(to), Some(from));
            self.peer_ports.entry(to).or_default().push_back(other);
            other
        } else {
            let Some(listener) = self.listener_for(from, to) else { return false };
            let processor = self.entries[&listener].processor;
            if self.sockets_of(processor) >= self.limit {
                return false;
            }
            let other = self.add_stream(processor, Some(to), Some(from));
            if let Some(Kind::Listener(waits)) = self.entries.get_mut(&listener).map(|entry| &mut entry.kind) {
                waits.waiting.push_back(other);
            }
            self.note(listener);
            other
        };
        for (this, that) in [(id, other), (other, id)] {
            if let Some(stream) = self.stream_mut(this) {
                stream.other = Some(that);
                stream.connected = true;
            }
            self.note(this);
        }
        true
    }

    fn sockets_of(&self, processor: Option<usize>) -> usize {
        self.entries.values().filter(|entry| entry.processor == processor).count()
    }

    fn note(&mut self, id: u32) {
        if let Some(processor) = self.entries.get(&id).and_then(|entry| entry.processor) {
            self.changed[processor].push_back(id);
        }
    }

    fn port(&mut self) -> u16 {
        self.port = self.port.checked_add(1).unwrap_or(49_152);
        self.port
    }

    fn pull(&mut self, id: u32, most: u32) -> Vec<u8> {
        let bench = self.bench.clone();
        let Some(stream) = self.stream_mut(id) else { return Vec::new() };
        let ring = &mut stream.send;
        let length = most.min(ring.length);
        ring.length -= length;
        let Some((processor, address)) = ring.place else { return ring.bytes.drain(..length as usize).collect() };
        let bytes = (0..length).map(|i| bench.peek(processor, address + (ring.head + i) % BUFFER, 1)[0]).collect();
        ring.head = (ring.head + length) % BUFFER;
        bytes
    }

    fn push(&mut self, id: u32, bytes: &[u8]) {
        let bench = self.bench.clone();
        let Some(stream) = self.stream_mut(id) else { return };
        if stream.detached {
            return;
        }
        let ring = &mut stream.receive;
        match ring.place {
            None => ring.bytes.extend(bytes),
            Some((processor, address)) => {
                for (i, &byte) in bytes.iter().enumerate() {
                    bench.poke(processor, address + (ring.head + ring.length + i as u32) % BUFFER, &[byte]);
                }
            }
        }
        ring.length += bytes.len() as u32;
        self.note(id);
    }

    fn tick(&mut self) {
        let ids: Vec<_> = self.entries.keys().copied().collect();
        for id in ids {
            let Some(stream) = self.stream(id) else { continue };
            let Some(other) = stream.other else { continue };
            let Some(there) = self.stream(other) else {
                self.left_alone(id);
                continue;
            };
            let room = if there.detached { BUFFER } else { BUFFER - there.receive.length };
            let most = room.min(stream.send.length);
            let (shut, end_sent) = (stream.shut, stream.end_sent);
            let moved = if most == 0 { 0 } else { self.bench.draw(u64::from(most) + 1) as u32 };
            if moved > 0 {
                let bytes = self.pull(id, moved);
                self.push(other, &bytes);
                self.note(id);
            }
            let is_empty = self.stream(id).is_some_and(|stream| stream.send.length == 0);
            if shut && !end_sent && is_empty {
                if let Some(stream) = self.stream_mut(id) {
                    stream.end_sent = true;
                }
                if let Some(there) = self.stream_mut(other) {
                    there.end_received = true;
                }
                self.note(other);
            }
            if self.stream(id).is_some_and(|stream| stream.detached && stream.end_sent) {
                self.free_stream(id);
            }
        }
    }

    /// The other end is gone, and has taken what it wanted: what is sent to it is answered with a reset.
    fn left_alone(&mut self, id: u32) {
        let Some(stream) = self.stream_mut(id) else { return };
        if stream.detached {
            self.free_stream(id);
        } else if stream.send.length > 0 && stream.over.is_none() {
            stream.over = Some(Status::Reset);
            self.note(id);
        }
    }

    /// Its buffers have nobody any more who may copy.
    fn detach(&mut self, id: u32) {
        let Some(stream) = self.stream_mut(id) else { return };
        if std::mem::replace(&mut stream.detached, true) {
            return;
        }
        stream.shut = true;
        for (processor, address) in [stream.receive.place, stream.send.place].into_iter().flatten() {
            self.kill_buffer(processor, address);
        }
    }

    fn free_stream(&mut self, id: u32) {
        let Some(Entry { kind: Kind::Stream(stream), .. }) = self.entries.remove(&id) else { return };
        for (processor, address) in [stream.receive.place, stream.send.place].into_iter().flatten() {
            self.free_buffer(processor, address);
        }
    }

    fn abort(&mut self, id: u32) {
        let other = self.stream(id).and_then(|stream| stream.other);
        if let Some(there) = other.and_then(|other| self.stream_mut(other)) {
            there.over = Some(Status::Reset);
            if let Some(other) = other {
                let gone = self.stream(other).is_some_and(|stream| stream.detached);
                self.note(other);
                if gone {
                    self.free_stream(other);
                }
            }
        }
        self.detach(id);
        self.free_stream(id);
    }

    fn end(&mut self, id: u32, abort: bool) {
        match self.entries.get_mut(&id).map(|entry| &mut entry.kind) {
            Some(Kind::Stream(stream)) => {
                let is_alone = stream.other.is_none() || stream.over.is_some();
                if abort || is_alone {
                    self.abort(id);
                } else {
                    self.detach(id);
                }
            }
            Some(Kind::Listener(listener)) => {
                let waiting = std::mem::take(&mut listener.waiting);
                waiting.into_iter().for_each(|id| self.abort(id));
                self.entries.remove(&id);
            }
            Some(Kind::Datagram(mailbox)) => {
                let mut blocks: Vec<_> = mailbox.inbox.drain(..).map(|(_, address, _)| address).collect();
                blocks.extend(mailbox.reserved.drain(..).map(|(address, _)| address));
                let processor = self.entries.remove(&id).and_then(|entry| entry.processor).unwrap_or(0);
                for address in blocks {
                    self.kill_buffer(processor, address);
                    self.free_buffer(processor, address);
                }
            }
            Some(Kind::New(..)) => {
                self.entries.remove(&id);
            }
            None => panic!("socket {id} is ended twice"),
        }
    }

    fn deliver(&mut self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) -> bool {
        if let Some(mailbox) = self.peer_boxes.get_mut(&to) {
            mailbox.push_back((from, bytes.to_vec()));
            return true;
        }
        let takers = self.entries.iter().filter_map(|(&id, entry)| match &entry.kind {
            Kind::Datagram(b) if b.local.is_some_and(|l| l.port() == to.port()) && b.inbox.len() < INBOX => {
                Some((id, entry.processor?))
            }
            _ => None,
        });
        let takers: Vec<_> = takers.collect();
        if takers.is_empty() {
            return false;
        }
        let (id, processor) = takers[self.bench.draw(takers.len() as u64) as usize];
        let Some(address) = self.take_buffer(processor) else { return false };
        self.bench.poke(processor, address, bytes);
        if let Some(mailbox) = self.mailbox(id) {
            mailbox.inbox.push_back((from, address, bytes.len() as u32));
        }
        self.note(id);
        true
    }

    fn mailbox(&mut self, id: u32) -> Option<&mut Mailbox> {
        match &mut self.entries.get_mut(&id)?.kind {
            Kind::Datagram(mailbox) => Some(mailbox),
            _ => None,
        }
    }

    fn bind(&mut self, id: u32, processor: usize, local: SocketAddr) -> Result<SocketAddr, Status> {
        let port = if local.port() == 0 { self.port() } else { local.port() };
        let local = SocketAddr::new(local.ip(), port);
        let is_same = |entry: &Entry, is_stream: bool| {
            entry.processor == Some(processor)
                && match &entry.kind {
                    Kind::New(Protocol::Tcp, Some(other)) => is_stream && other.port() == port,
                    Kind::Listener(other) => is_stream && other.local.port() == port,
                    Kind::Datagram(other) => !is_stream && other.local.is_some_and(|l| l.port() == port),
                    _ => false,
                }
        };
        let is_stream = matches!(self.entries.get(&id).map(|entry| &entry.kind), Some(Kind::New(Protocol::Tcp, _)));
        if self.entries.values().any(|entry| is_same(entry, is_stream)) {
            return Err(Status::AddressInUse);
        }
        let kind = match &mut self.entries.get_mut(&id).ok_or(Status::NoSession)?.kind {
            Kind::New(Protocol::Tcp, bound) => {
                *bound = Some(local);
                return Ok(local);
            }
            kind @ Kind::New(Protocol::Udp, _) => kind,
            _ => return Err(Status::WrongState),
        };
        let (inbox, reserved, groups) = (VecDeque::new(), VecDeque::new(), BTreeSet::new());
        *kind = Kind::Datagram(Mailbox { local: Some(local), inbox, reserved, groups });
        Ok(local)
    }
}
