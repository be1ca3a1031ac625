//! Reassembly of IPv4 (RFC 791, 815) and IPv6 (RFC 8200, 4.5) datagrams up to 65,535 bytes, in bounded memory.
//!
//! The dispatch brings all fragments of a datagram to one processor (¶68), so each processor reassembles alone.
//!
//! **Overlaps.** RFC 8200 (after RFC 5722) wants a datagram with overlapping fragments discarded; IPv4 is treated
//! alike, because no honest sender overlaps and every other policy lets somebody choose which bytes are seen. A
//! fragment with the same range *and* the same bytes as an earlier one is a duplicate that the network made, and is
//! dropped alone. So what is kept never overlaps, and a sum of lengths says what RFC 815's list of holes would: the
//! datagram is whole when it has as many bytes as its end says. In IPv6 later fragments of a discarded datagram are
//! refused until its time is over; in IPv4, where the 16-bit identification is soon used again, they begin a new one.
//!
//! **Bounds.** Everything kept is charged, with an allowance for its bookkeeping, to the whole and to its source. Where
//! a limit would be exceeded the oldest datagrams go, first those of the same source; a datagram too big for its
//! source's share goes itself.
//!
//! Every fragment is counted once: merged into a delivered datagram, dropped by cause, or still
//! [`held`](Reassembly::held).

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::IpAddr;

use smoltcp::wire::{IPV6_HEADER_LEN, Ipv4Packet, Ipv6Packet};

use super::tally::Tally;
use super::{Micros, SECOND};

#[cfg(test)]
mod tests;

/// How long an IPv4 datagram is waited for; RFC 791, 3.2 suggests 15 seconds, hosts in use wait 30.
pub const IPV4_TIMEOUT: Micros = 30 * SECOND;
/// How long an IPv6 datagram is waited for (RFC 8200, 4.5).
pub const IPV6_TIMEOUT: Micros = 60 * SECOND;

/// Longest datagram: the length fields of both versions have 16 bits. IPv6's does not count the fixed header.
const LONGEST: usize = u16::MAX as usize;
/// Bytes of the IPv6 fragment header.
pub(super) const FRAGMENT_HEADER: usize = 8;
/// What a datagram is charged beside its bytes, for its key, its state and its place in the tree.
pub const DATAGRAM_CHARGE: usize = 192;
/// What a fragment is charged beside its bytes, for its place in the tree and the allocation.
pub const FRAGMENT_CHARGE: usize = 64;

/// How much may be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes in all, allowances included.
    pub bytes: usize,
    /// Bytes of one source. The longest datagram in frames of 1,500 bytes takes about 70,000.
    pub source_bytes: usize,
    /// Datagrams that are waited for at a time.
    pub datagrams: usize,
    /// Fragments of one datagram; 65,535 bytes over a path with an MTU of 576 take 119.
    pub fragments: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 256 << 10, source_bytes: 96 << 10, datagrams: 64, fragments: 128 }
    }
}

/// Why a fragment is not kept, or not any longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// It carries no bytes.
    Empty,
    /// It is not the last, and not a multiple of eight bytes long.
    Unaligned,
    /// The datagram would be longer than 65,535 bytes.
    TooLong,
    /// A TCP header is cut so that a filter would not see its flags (RFC 1858, RFC 3128).
    Tiny,
    /// The same bytes again.
    Duplicate,
    /// Its datagram has overlapping fragments.
    Overlap,
    /// Its datagram has bytes behind its end, or two ends.
    Inconsistent,
    /// Its datagram was discarded before (IPv6).
    Discarded,
    /// Its datagram has too many fragments.
    Fragments,
    /// Its datagram is larger than what is left for its source.
    Room,
    /// Its datagram was the oldest when another one needed the room.
    Evicted,
    /// The rest of its datagram did not come in time.
    Expired,
}

/// What fragments of one datagram have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    /// Who sent it.
    pub source: IpAddr,
    /// To whom.
    pub destination: IpAddr,
    /// Part of the key in IPv4 alone (RFC 791, 2.3); 0 in IPv6, where only the first fragment's counts (RFC 8200, 4.5).
    pub protocol: u8,
    /// 16 bits in IPv4, 32 in IPv6.
    pub identification: u32,
}

impl Key {
    const fn timeout(&self) -> Micros {
        match self.source {
            IpAddr::V4(_) => IPV4_TIMEOUT,
            IpAddr::V6(_) => IPV6_TIMEOUT,
        }
    }
}

/// A received fragment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fragment<'a> {
    /// Its datagram.
    pub key: Key,
    /// Where its bytes stand in the datagram's payload: a multiple of eight, at most 65,528.
    pub offset: u16,
    /// It is not the last.
    pub more: bool,
    /// The packet up to the payload: the IPv4 header, or all IPv6 headers to the fragment header, at least their fixed
    /// parts.
    pub head: &'a [u8],
    /// Where in `head` the number stands that says what follows.
    pub next_header_at: usize,
    /// What follows.
    pub next_header: u8,
    /// Its bytes.
    pub payload: &'a [u8],
}

impl Fragment<'_> {
    const fn end(&self) -> usize {
        self.offset as usize + self.payload.len()
    }

    /// What is wrong with the fragment, whatever came before.
    ///
    /// # Errors
    /// The first four causes.
    fn check(&self) -> Result<(), Cause> {
        const TCP: u8 = 6;
        let is_ipv4_tcp = matches!(self.key.source, IpAddr::V4(_)) && self.next_header == TCP;
        if self.payload.is_empty() {
            return Err(Cause::Empty);
        }
        if self.more && !self.payload.len().is_multiple_of(8) {
            return Err(Cause::Unaligned);
        }
        if datagram_length(self.key.source, self.head.len(), self.end()) > LONGEST {
            return Err(Cause::TooLong);
        }
        // RFC 1858, 3.1: the flags of TCP are within 16 bytes. RFC 1858, 3.2.2 and RFC 3128: nothing begins at eight.
        if is_ipv4_tcp && (self.offset == 8 || self.offset == 0 && self.payload.len() < 16) {
            return Err(Cause::Tiny);
        }
        Ok(())
    }
}

/// What the reassembled packet's length field would say.
const fn datagram_length(source: IpAddr, head: usize, payload: usize) -> usize {
    match source {
        IpAddr::V4(_) => head + payload,
        IpAddr::V6(_) => (head + payload).saturating_sub(IPV6_HEADER_LEN + FRAGMENT_HEADER),
    }
}

/// What became of a fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// It waits for the others.
    Held,
    /// It was the last one missing.
    Complete {
        /// The datagram, as if it had never been fragmented.
        packet: Vec<u8>,
        /// How many fragments it was made of.
        fragments: usize,
    },
    /// It is dropped, perhaps with its whole datagram.
    Dropped(Cause),
}

/// The headers of the first fragment, as they were received.
#[derive(Clone, Debug)]
struct Head {
    bytes: Vec<u8>,
    next_header_at: usize,
    next_header: u8,
}

#[derive(Clone, Debug)]
struct Datagram {
    began: Micros,
    /// Rises from datagram to datagram: the oldest has the lowest.
    order: u64,
    head: Option<Head>,
    /// By offset; no two overlap.
    pieces: BTreeMap<u16, Vec<u8>>,
    /// Sum of the pieces' lengths.
    received: usize,
    /// Length of the payload, once the last fragment has come.
    end: Option<usize>,
    charge: usize,
    discarded: bool,
}

impl Datagram {
    const fn new(began: Micros, order: u64) -> Self {
        Self {
            began,
            order,
            head: None,
            pieces: BTreeMap::new(),
            received: 0,
            end: None,
            charge: DATAGRAM_CHARGE,
            discarded: false,
        }
    }

    /// Whether the fragment goes with those that are there.
    fn fits(&self, fragment: &Fragment) -> Result<(), Cause> {
        if self.discarded {
            return Err(Cause::Discarded);
        }
        let end = fragment.end();
        let before = self.pieces.range(..=fragment.offset).next_back();
        let after = self.pieces.range(fragment.offset..).next();
        let is_known = self.pieces.get(&fragment.offset).is_some_and(|piece| piece == fragment.payload);
        if is_known && fragment.more == (self.end != Some(end)) {
            // RFC 8200, 4.5: an exact duplicate may be dropped without harm to the others.
            return Err(Cause::Duplicate);
        }
        let overlaps = before.is_some_and(|(&at, piece)| at as usize + piece.len() > fragment.offset as usize)
            || after.is_some_and(|(&at, _)| end > at as usize);
        if overlaps {
            return Err(Cause::Overlap);
        }
        // An end is the last piece's: another end, without overlap, has a piece behind it or lies beyond the known one.
        let is_beyond_the_end = self.end.is_some_and(|known| end > known);
        let has_more_behind = !fragment.more && after.is_some();
        if is_beyond_the_end || has_more_behind { Err(Cause::Inconsistent) } else { Ok(()) }
    }

    fn insert(&mut self, fragment: &Fragment) {
        if fragment.offset == 0 {
            let bytes = fragment.head.to_vec();
            self.head =
                Some(Head { bytes, next_header_at: fragment.next_header_at, next_header: fragment.next_header });
        }
        if !fragment.more {
            self.end = Some(fragment.end());
        }
        self.received += fragment.payload.len();
        self.charge += charge(fragment);
        self.pieces.insert(fragment.offset, fragment.payload.to_vec());
    }

    fn is_complete(&self) -> bool {
        self.end == Some(self.received)
    }

    /// The first fragment as it was received, for the error message that quotes it.
    fn first_fragment(self) -> Option<Vec<u8>> {
        let mut packet = self.head?.bytes;
        packet.extend_from_slice(self.pieces.get(&0)?);
        Some(packet)
    }

    fn assemble(self, source: IpAddr) -> Result<Vec<u8>, Cause> {
        let Some(head) = self.head else { return Err(Cause::Inconsistent) };
        // The first fragment's headers count, and they can be longer than those of the fragment that passed the check.
        let length = datagram_length(source, head.bytes.len(), self.received);
        let length = u16::try_from(length).map_err(|_| Cause::TooLong)?;
        let mut packet = Vec::with_capacity(head.bytes.len() + self.received);
        packet.extend_from_slice(&head.bytes);
        match source {
            IpAddr::V4(_) => restore_ipv4(&mut packet, length),
            IpAddr::V6(_) => restore_ipv6(&mut packet, length, &head),
        }
        for piece in self.pieces.values() {
            packet.extend_from_slice(piece);
        }
        Ok(packet)
    }
}

/// What a fragment costs.
const fn charge(fragment: &Fragment) -> usize {
    let head = if fragment.offset == 0 { fragment.head.len() } else { 0 };
    fragment.payload.len() + FRAGMENT_CHARGE + head
}

fn restore_ipv4(head: &mut [u8], length: u16) {
    let mut packet = Ipv4Packet::new_unchecked(head);
    packet.set_total_len(length);
    packet.set_more_frags(false);
    packet.set_frag_offset(0);
    packet.fill_checksum();
}

fn restore_ipv6(packet: &mut Vec<u8>, length: u16, head: &Head) {
    packet.truncate(head.bytes.len().saturating_sub(FRAGMENT_HEADER));
    if let Some(number) = packet.get_mut(head.next_header_at) {
        *number = head.next_header;
    }
    Ipv6Packet::new_unchecked(packet).set_payload_len(length);
}

/// The datagrams that are not yet whole.
#[derive(Clone, Debug)]
pub struct Reassembly {
    limits: Limits,
    datagrams: BTreeMap<Key, Datagram>,
    bytes: usize,
    order: u64,
    drops: Tally<Cause>,
}

impl Reassembly {
    /// Nothing is held.
    pub fn new(limits: Limits) -> Self {
        Self { limits, datagrams: BTreeMap::new(), bytes: 0, order: 0, drops: Tally::default() }
    }

    /// Takes a fragment. Call [`expire`](Self::expire) first, or one may join a datagram whose time is over.
    pub(super) fn accept(&mut self, now: Micros, fragment: &Fragment) -> Taken {
        if let Err(cause) = fragment.check() {
            return self.drop_one(cause);
        }
        match self.datagrams.get(&fragment.key).map_or(Ok(()), |datagram| datagram.fits(fragment)) {
            Ok(()) => self.keep(now, fragment),
            Err(cause @ (Cause::Duplicate | Cause::Discarded)) => self.drop_one(cause),
            Err(cause) => self.discard(&fragment.key, cause),
        }
    }

    fn keep(&mut self, now: Micros, fragment: &Fragment) -> Taken {
        let key = fragment.key;
        if self.datagrams.get(&key).is_some_and(|datagram| datagram.pieces.len() >= self.limits.fragments) {
            return self.discard(&key, Cause::Fragments);
        }
        if !self.make_room(fragment) {
            return self.discard(&key, Cause::Room);
        }
        let order = self.order;
        self.order += 1;
        let mut datagram = match self.take_out(&key) {
            Some(datagram) => datagram,
            None => Datagram::new(now, order),
        };
        datagram.insert(fragment);
        if !datagram.is_complete() {
            self.put_in(key, datagram);
            return Taken::Held;
        }
        let fragments = datagram.pieces.len();
        match datagram.assemble(key.source) {
            Ok(packet) => Taken::Complete { packet, fragments },
            Err(cause) => {
                self.drops.add(cause, fragments as u64);
                Taken::Dropped(cause)
            }
        }
    }

    fn drop_one(&mut self, cause: Cause) -> Taken {
        self.drops.count(cause);
        Taken::Dropped(cause)
    }

    /// Drops a fragment and all that its datagram has.
    fn discard(&mut self, key: &Key, cause: Cause) -> Taken {
        if let Some(datagram) = self.take_out(key) {
            self.drops.add(cause, datagram.pieces.len() as u64);
            if matches!(key.source, IpAddr::V6(_)) {
                // RFC 5722, 4: nor is any later fragment of it taken.
                self.put_in(*key, Datagram { discarded: true, ..Datagram::new(datagram.began, datagram.order) });
            }
        }
        self.drop_one(cause)
    }

    fn take_out(&mut self, key: &Key) -> Option<Datagram> {
        let datagram = self.datagrams.remove(key)?;
        self.bytes -= datagram.charge;
        Some(datagram)
    }

    fn put_in(&mut self, key: Key, datagram: Datagram) {
        self.bytes += datagram.charge;
        self.datagrams.insert(key, datagram);
    }

    /// Evicts until the fragment can be kept, but not its own datagram. Says whether it can.
    fn make_room(&mut self, fragment: &Fragment) -> bool {
        let key = &fragment.key;
        let is_new = !self.datagrams.contains_key(key);
        let needed = charge(fragment) + if is_new { DATAGRAM_CHARGE } else { 0 };
        while self.bytes_of(key.source) + needed > self.limits.source_bytes {
            if !self.evict(key, Some(key.source)) {
                return false;
            }
        }
        while self.bytes + needed > self.limits.bytes || is_new && self.datagrams.len() >= self.limits.datagrams {
            if !self.evict(key, None) {
                return false;
            }
        }
        true
    }

    /// What a source is charged.
    pub fn bytes_of(&self, source: IpAddr) -> usize {
        self.datagrams.iter().filter(|(key, _)| key.source == source).map(|(_, datagram)| datagram.charge).sum()
    }

    /// Evicts the oldest datagram, of one source if it is named, but not `spared`. Says whether there was one.
    fn evict(&mut self, spared: &Key, source: Option<IpAddr>) -> bool {
        let may_go = |key: &Key| key != spared && source.is_none_or(|source| key.source == source);
        let oldest = self.datagrams.iter().filter(|(key, _)| may_go(key)).min_by_key(|(_, datagram)| datagram.order);
        let Some(key) = oldest.map(|(key, _)| *key) else { return false };
        if let Some(datagram) = self.take_out(&key) {
            self.drops.add(Cause::Evicted, datagram.pieces.len() as u64);
        }
        true
    }

    /// Gives up the datagrams whose time is over. Returns the first fragments of those that had one: their senders are
    /// to be told (RFC 792; RFC 8200, 4.5), the others' are not.
    pub fn expire(&mut self, now: Micros) -> Vec<Vec<u8>> {
        let over = |(key, datagram): (&Key, &Datagram)| (now >= datagram.began + key.timeout()).then_some(*key);
        let keys: Vec<_> = self.datagrams.iter().filter_map(over).collect();
        let mut first_fragments = Vec::new();
        for key in keys {
            if let Some(datagram) = self.take_out(&key) {
                self.drops.add(Cause::Expired, datagram.pieces.len() as u64);
                first_fragments.extend(datagram.first_fragment());
            }
        }
        first_fragments
    }

    /// When [`expire`](Self::expire) has something to do next.
    pub fn next_deadline(&self) -> Option<Micros> {
        self.datagrams.iter().map(|(key, datagram)| datagram.began + key.timeout()).min()
    }

    /// Fragments that wait.
    pub fn held(&self) -> u64 {
        self.datagrams.values().map(|datagram| datagram.pieces.len() as u64).sum()
    }

    /// What everything that is held is charged, at most [`Limits::bytes`].
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Fragments that were dropped, by cause.
    pub const fn drops(&self) -> &Tally<Cause> {
        &self.drops
    }
}
