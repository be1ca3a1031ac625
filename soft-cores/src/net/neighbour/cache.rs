//! Which Ethernet address a neighbour has, and whether it is still there (RFC 4861, 7.3; used for IPv4 too, as RFC
//! 1122, 2.3.2.1 asks for unicast polls).
//!
//! Bounded in entries, in packets waiting for each, and in bytes waiting for all. When it is full an entry that was
//! only heard of goes first, then one that was never resolved (RFC 6583, 7: what is proven is kept from what is
//! scanned), then the one touched least recently.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::net::IpAddr;

use smoltcp::wire::EthernetAddress;

use crate::net::random::Random;
use crate::net::tally::Tally;
use crate::net::{Micros, SECOND};

/// Time between solicitations (RFC 4861, 10: RETRANS_TIMER).
pub const RETRANSMIT: Micros = SECOND;
/// Solicitations before a neighbour is given up (RFC 4861, 10: MAX_MULTICAST_SOLICIT, MAX_UNICAST_SOLICIT).
pub const MAX_SOLICITATIONS: u8 = 3;
/// Mean time for which an answer is believed (RFC 4861, 10: REACHABLE_TIME).
const REACHABLE: Micros = 30 * SECOND;
/// Time for an upper layer to confirm a neighbour before it is probed (RFC 4861, 10: DELAY_FIRST_PROBE_TIME).
const DELAY: Micros = 5 * SECOND;

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Neighbours.
    pub entries: usize,
    /// Packets that wait for one neighbour; of more, the oldest goes (RFC 4861, 7.2.2).
    pub waiting: usize,
    /// Bytes of all packets that wait.
    pub waiting_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { entries: 256, waiting: 3, waiting_bytes: 64 << 10 }
    }
}

/// What is known of a neighbour (RFC 4861, 7.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It was asked for so many times.
    Incomplete(u8),
    /// It was there not long ago; until then.
    Reachable(Micros),
    /// It was there once.
    Stale,
    /// It is used again, and somebody may say that it is there.
    Delay,
    /// It was asked so many times whether it still is.
    Probe(u8),
}

/// What to do for a neighbour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Ask for it: all, or itself if its address is known.
    Solicit {
        /// Whom.
        target: IpAddr,
        /// Where, if that is known.
        to: Option<EthernetAddress>,
    },
    /// Send a packet to it.
    Send {
        /// Where.
        to: EthernetAddress,
        /// What.
        packet: Vec<u8>,
    },
    /// It did not answer, and this waited for it.
    Unreachable {
        /// What waited.
        packet: Vec<u8>,
    },
}

/// Why a waiting packet is dropped without a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dropped {
    /// Newer ones wait for the same neighbour.
    Newer,
    /// Too many bytes wait.
    Room,
    /// Its neighbour's entry made room for another.
    Evicted,
}

/// What an answer says (RFC 4861, 4.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advertised {
    /// The neighbour's Ethernet address, if it is told.
    pub address: Option<EthernetAddress>,
    /// It answers a question of this card.
    pub solicited: bool,
    /// It replaces what is known.
    pub overrides: bool,
}

#[derive(Clone, Debug)]
struct Entry {
    address: Option<EthernetAddress>,
    state: State,
    /// When something is to be done.
    timer: Option<Micros>,
    touched: Micros,
    /// A packet was sent or waits.
    is_used: bool,
    waiting: VecDeque<Vec<u8>>,
}

impl Entry {
    /// Lower goes first.
    const fn rank(&self) -> u8 {
        match self.state {
            _ if !self.is_used => 0,
            State::Incomplete(_) => 1,
            _ => 2,
        }
    }

    fn waiting_bytes(&self) -> usize {
        self.waiting.iter().map(Vec::len).sum()
    }
}

/// The neighbours that are known or asked for.
#[derive(Clone, Debug)]
pub struct Cache {
    limits: Limits,
    entries: BTreeMap<IpAddr, Entry>,
    waiting_bytes: usize,
    random: Random,
    dropped: Tally<Dropped>,
}

impl Cache {
    /// Empty. The generator spreads the times at which neighbours are asked again.
    pub fn new(limits: Limits, random: Random) -> Self {
        Self { limits, entries: BTreeMap::new(), waiting_bytes: 0, random, dropped: Tally::default() }
    }

    /// Sends a packet to a neighbour, now or when its address is known.
    pub fn send(&mut self, now: Micros, neighbour: IpAddr, packet: Vec<u8>) -> Vec<Action> {
        let Some(entry) = self.entries.get_mut(&neighbour) else {
            let entry = self.insert(now, neighbour, None, State::Incomplete(1));
            entry.timer = Some(now + RETRANSMIT);
            self.wait(neighbour, packet);
            return [Action::Solicit { target: neighbour, to: None }].into();
        };
        entry.touched = now;
        entry.is_used = true;
        let Some(to) = entry.address else {
            self.wait(neighbour, packet);
            return Vec::new();
        };
        let is_old = match entry.state {
            State::Stale => true,
            State::Reachable(until) => until <= now,
            _ => false,
        };
        if is_old {
            entry.state = State::Delay;
            entry.timer = Some(now + DELAY);
        }
        [Action::Send { to, packet }].into()
    }

    /// Puts a packet behind those that wait for a neighbour without address.
    fn wait(&mut self, neighbour: IpAddr, packet: Vec<u8>) {
        let Some(entry) = self.entries.get_mut(&neighbour) else { return };
        entry.is_used = true;
        if entry.waiting.len() >= self.limits.waiting
            && let Some(oldest) = entry.waiting.pop_front()
        {
            self.waiting_bytes -= oldest.len();
            self.dropped.count(Dropped::Newer);
        }
        if self.waiting_bytes + packet.len() > self.limits.waiting_bytes {
            self.dropped.count(Dropped::Room);
            return;
        }
        self.waiting_bytes += packet.len();
        entry.waiting.push_back(packet);
    }

    fn insert(&mut self, now: Micros, neighbour: IpAddr, address: Option<EthernetAddress>, state: State) -> &mut Entry {
        if !self.entries.contains_key(&neighbour) && self.entries.len() >= self.limits.entries {
            self.evict();
        }
        let (timer, touched) = (None, now);
        let entry = Entry { address, state, timer, touched, is_used: false, waiting: VecDeque::new() };
        self.entries.entry(neighbour).insert_entry(entry).into_mut()
    }

    fn evict(&mut self) {
        let first = self.entries.iter().min_by_key(|(_, entry)| (entry.rank(), entry.touched));
        let Some(entry) = first.map(|(&neighbour, _)| neighbour).and_then(|neighbour| self.remove(neighbour)) else {
            return;
        };
        self.dropped.add(Dropped::Evicted, entry.waiting.len() as u64);
    }

    fn remove(&mut self, neighbour: IpAddr) -> Option<Entry> {
        let entry = self.entries.remove(&neighbour)?;
        self.waiting_bytes -= entry.waiting_bytes();
        Some(entry)
    }

    /// A neighbour told its address while it wanted something (RFC 826; RFC 4861, 7.2.3). A new one is only kept if it
    /// wants something of this card: `may_create`.
    pub fn heard(&mut self, now: Micros, neighbour: IpAddr, address: EthernetAddress, may_create: bool) -> Vec<Action> {
        match self.entries.get_mut(&neighbour) {
            Some(entry) if entry.address == Some(address) => Vec::new(),
            Some(entry) => {
                entry.touched = now;
                self.resolved(neighbour, address, State::Stale)
            }
            None => {
                if may_create {
                    self.insert(now, neighbour, Some(address), State::Stale);
                }
                Vec::new()
            }
        }
    }

    /// A neighbour answered, or announced a change (RFC 4861, 7.2.5). An answer that nobody here waits for was to
    /// another processor's question; it is kept as stale, so that all caches learn alike.
    pub fn advertised(&mut self, now: Micros, neighbour: IpAddr, what: Advertised) -> Vec<Action> {
        let reachable = self.reachable(now);
        let Some(entry) = self.entries.get_mut(&neighbour) else {
            if let (Some(address), true) = (what.address, what.solicited) {
                self.insert(now, neighbour, Some(address), State::Stale);
            }
            return Vec::new();
        };
        entry.touched = now;
        let state = if what.solicited { reachable } else { State::Stale };
        let is_change = what.address.is_some() && what.address != entry.address;
        match what.address {
            Some(address) if entry.address.is_none() || is_change && what.overrides => {
                self.resolved(neighbour, address, state)
            }
            _ => {
                if is_change {
                    // RFC 4861, 7.2.5 I: another address that does not override is a reason to ask, no more.
                    if let State::Reachable(_) = entry.state {
                        entry.state = State::Stale;
                    }
                } else if what.solicited && entry.address.is_some() {
                    (entry.state, entry.timer) = (reachable, None);
                }
                Vec::new()
            }
        }
    }

    /// Sets the address, and sends what waited for it.
    fn resolved(&mut self, neighbour: IpAddr, to: EthernetAddress, state: State) -> Vec<Action> {
        let Some(entry) = self.entries.get_mut(&neighbour) else { return Vec::new() };
        (entry.address, entry.state, entry.timer) = (Some(to), state, None);
        self.waiting_bytes -= entry.waiting_bytes();
        entry.waiting.drain(..).map(|packet| Action::Send { to, packet }).collect()
    }

    /// A transport has made progress with a neighbour: it is there (RFC 4861, 7.3.1).
    pub fn confirm(&mut self, now: Micros, neighbour: IpAddr) {
        let reachable = self.reachable(now);
        if let Some(entry) = self.entries.get_mut(&neighbour).filter(|entry| entry.address.is_some()) {
            (entry.state, entry.timer, entry.touched) = (reachable, None, now);
        }
    }

    /// RFC 4861, 6.3.2: half to one and a half times the mean, or all neighbours would be asked at once.
    fn reachable(&mut self, now: Micros) -> State {
        State::Reachable(now + REACHABLE / 2 + self.random.within(REACHABLE))
    }

    /// Asks again, gives up.
    pub fn poll(&mut self, now: Micros) -> Vec<Action> {
        let is_due = |entry: &Entry| entry.timer.is_some_and(|at| at <= now);
        let due: Vec<_> = self.entries.iter().filter(|(_, entry)| is_due(entry)).map(|(key, _)| *key).collect();
        due.into_iter().flat_map(|neighbour| self.time_out(now, neighbour)).collect()
    }

    fn time_out(&mut self, now: Micros, neighbour: IpAddr) -> Vec<Action> {
        let Some(entry) = self.entries.get_mut(&neighbour) else { return Vec::new() };
        let next = match entry.state {
            State::Incomplete(sent) if sent < MAX_SOLICITATIONS => Some(State::Incomplete(sent + 1)),
            State::Delay => Some(State::Probe(1)),
            State::Probe(sent) if sent < MAX_SOLICITATIONS => Some(State::Probe(sent + 1)),
            _ => None,
        };
        if let Some(state) = next {
            (entry.state, entry.timer) = (state, Some(now + RETRANSMIT));
            return [Action::Solicit { target: neighbour, to: entry.address }].into();
        }
        // RFC 4861, 7.3.3: forgotten, so that the next packet chooses its next hop anew.
        let waiting = self.remove(neighbour).map(|entry| entry.waiting).unwrap_or_default();
        waiting.into_iter().map(|packet| Action::Unreachable { packet }).collect()
    }

    /// When [`poll`](Self::poll) has something to do next.
    pub fn next_deadline(&self) -> Option<Micros> {
        self.entries.values().filter_map(|entry| entry.timer).min()
    }

    /// What is known of a neighbour.
    pub fn state(&self, neighbour: IpAddr) -> Option<State> {
        self.entries.get(&neighbour).map(|entry| entry.state)
    }

    /// A neighbour's address.
    pub fn address(&self, neighbour: IpAddr) -> Option<EthernetAddress> {
        self.entries.get(&neighbour).and_then(|entry| entry.address)
    }

    /// Neighbours that are known or asked for.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// None is.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes of packets that wait.
    pub const fn waiting_bytes(&self) -> usize {
        self.waiting_bytes
    }

    /// Packets that waited and were dropped.
    pub const fn dropped(&self) -> &Tally<Dropped> {
        &self.dropped
    }
}
