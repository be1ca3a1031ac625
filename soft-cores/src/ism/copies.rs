//! The lists of copies that the module has under way, and the cutting of host buffers against spans of sockets' buffers.

use alloc::vec::Vec;

use abi::socket::{List, Tag};

use super::card::Card;
use super::outbox::Letter;
use super::transport::Spans;
use crate::kernel::dma::{Copy, Endpoint, Outcome};

/// What a list is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A reply.
    Reply(Letter),
    /// From host buffers to a session's socket.
    Outgoing(Tag),
    /// From a session's socket to host buffers.
    Incoming(Tag),
}

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the host.
    Outgoing,
    /// To the host.
    Incoming,
}

/// Contexts hold the place in 8 bits, the number of its use above.
const PLACE_BITS: u32 = 8;

/// See the module's page.
#[derive(Debug)]
pub struct Copies {
    places: Vec<Option<Purpose>>,
    uses: Vec<u32>,
    under_way: usize,
    /// Reports of nothing that is under way.
    pub foreign: u64,
}

impl Copies {
    /// Room for so many lists, at most 256.
    pub fn new(lists: usize) -> Self {
        let lists = lists.clamp(1, 1 << PLACE_BITS);
        Self { places: alloc::vec![None; lists], uses: alloc::vec![0; lists], under_way: 0, foreign: 0 }
    }

    /// Lists under way.
    pub fn under_way(&self) -> usize {
        self.under_way
    }

    /// There is room for a list and `spare` more.
    pub fn has_room(&self, spare: usize) -> bool {
        self.under_way + spare < self.places.len()
    }

    /// The context that the next list will have.
    pub fn next_context(&self) -> Option<u32> {
        let place = self.places.iter().position(Option::is_none)?;
        Some(self.uses[place] << PLACE_BITS | place as u32)
    }

    /// Pushes a list; `false`: there is no room now.
    pub fn push<C: Card>(&mut self, card: &mut C, list: &[Copy], post: Option<u32>, purpose: Purpose) -> bool {
        let Some(context) = self.next_context() else { return false };
        if !card.push(list, post, context) {
            return false;
        }
        self.places[(context & ((1 << PLACE_BITS) - 1)) as usize] = Some(purpose);
        self.under_way += 1;
        true
    }

    /// The next report: what it was for, its context and how it ended.
    pub fn report<C: Card>(&mut self, card: &mut C) -> Option<Option<(Purpose, u32, Outcome)>> {
        let (context, outcome) = card.report()?;
        let place = (context & ((1 << PLACE_BITS) - 1)) as usize;
        let is_its_use = self.uses.get(place) == Some(&(context >> PLACE_BITS));
        let purpose = self.places.get_mut(place).filter(|_| is_its_use).and_then(Option::take);
        let Some(purpose) = purpose else {
            self.foreign += 1;
            return Some(None);
        };
        self.uses[place] = (self.uses[place] + 1) % (1 << (32 - PLACE_BITS));
        self.under_way -= 1;
        Some(Some((purpose, context, outcome)))
    }
}

/// The copies of `length` bytes between a list of host buffers, from its byte `offset` on, and spans of the processor's memory.
pub fn cut(list: &List, offset: u32, spans: &Spans, length: u32, processor: usize, direction: Direction) -> Vec<Copy> {
    let mut copies = Vec::new();
    let (mut skip, mut left) = (offset, length);
    let mut spans = spans.0.into_iter().filter(|span| span.length > 0);
    let mut span = spans.next().unwrap_or_default();
    for element in list.elements() {
        if skip >= element.length {
            skip -= element.length;
            continue;
        }
        let (mut host, mut rest) = (element.address + u64::from(skip), element.length - skip);
        skip = 0;
        while rest > 0 && left > 0 && span.length > 0 {
            let length = rest.min(left).min(span.length);
            let (at_host, here) = (Endpoint::Host(host), Endpoint::Card((processor as u32) << 24 | span.address));
            let (source, destination) = match direction {
                Direction::Outgoing => (at_host, here),
                Direction::Incoming => (here, at_host),
            };
            copies.push(Copy { source, destination, length, fence: false });
            (host, rest, left) = (host + u64::from(length), rest - length, left - length);
            span.address += length;
            span.length -= length;
            if span.length == 0 {
                span = spans.next().unwrap_or_default();
            }
        }
    }
    copies
}

#[cfg(test)]
mod tests {
    use super::super::transport::Span;
    use super::*;

    fn list(elements: &[(u64, u32)]) -> List {
        let mut list = List::default();
        for &(address, length) in elements {
            list.push(abi::socket::Element { address, length }).unwrap();
        }
        list
    }

    fn spans(first: (u32, u32), second: (u32, u32)) -> Spans {
        Spans([first, second].map(|(address, length)| Span { address, length }))
    }

    #[test]
    fn host_buffers_and_a_ring_are_cut_where_either_ends() {
        let buffers = list(&[(0x1000, 10), (0x2000, 20), (0x3000, 5)]);
        let copies = cut(&buffers, 4, &spans((0x80, 10), (0x40, 100)), 28, 2, Direction::Outgoing);
        let plain: Vec<_> = copies.iter().map(|c| (c.source, c.destination, c.length)).collect();
        // By hand: 6 left of the first buffer; 4 until the ring ends, 16 behind it; 2 of the last.
        let card = |address: u32| Endpoint::Card(0x0200_0000 + address);
        let expected = [
            (Endpoint::Host(0x1004), card(0x80), 6),
            (Endpoint::Host(0x2000), card(0x86), 4),
            (Endpoint::Host(0x2004), card(0x40), 16),
            (Endpoint::Host(0x3000), card(0x50), 2),
        ];
        assert_eq!(plain, expected);
        let back = cut(&buffers, 4, &spans((0x80, 10), (0x40, 100)), 28, 2, Direction::Incoming);
        assert!(back.iter().zip(&copies).all(|(b, c)| b.source == c.destination && b.destination == c.source));
        assert_eq!(back.len(), 4);
    }

    #[test]
    fn a_first_span_that_is_empty_is_passed_over_and_a_list_never_runs_over_its_end() {
        let buffers = list(&[(0x1000, 10)]);
        let copies = cut(&buffers, 8, &spans((0, 0), (0x40, 100)), 50, 0, Direction::Outgoing);
        assert_eq!(copies.len(), 1);
        assert_eq!((copies[0].source, copies[0].length), (Endpoint::Host(0x1008), 2));
        assert!(cut(&buffers, 0, &Spans::default(), 5, 0, Direction::Outgoing).is_empty());
    }
}
