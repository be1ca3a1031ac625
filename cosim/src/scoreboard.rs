//! The laws of the card's queues, held against what is seen at its ports: nothing is taken twice or made up, nothing is lost, the order is
//! kept, no queue is falsely empty, a full one refuses.
//!
//! When the card does what it was asked for is not seen, only that it was after the question and before an answer. So every push and every
//! take has a window of cycles, and a law is broken if no choice of cycles within the windows keeps it.

use std::collections::VecDeque;

use abi::limits::MESSAGE_QUEUE_DEPTH;

/// Cycles from the end of a push's window to the cycle from which a take must find it.
pub const VISIBLE: u64 = 24;

/// A law that was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Law {
    /// Something was taken that is not in the queue: made up, or taken before.
    NotThere,
    /// Something older of the same queue was passed over.
    Order,
    /// Something was taken before it was pushed.
    Early,
    /// The queue seemed empty and was not.
    FalselyEmpty,
    /// Something that was pushed never came.
    Lost,
    /// It was refused, and there was room.
    RefusedWithRoom,
    /// It was accepted, and there was no room.
    AcceptedWithoutRoom,
}

/// When something happened: not before the first of these cycles, not behind the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// It was asked for in this cycle.
    pub from: u64,
    /// It was done by this cycle.
    pub to: u64,
}

/// Something that was pushed.
#[derive(Clone, Copy, Debug)]
struct Entry<T> {
    item: T,
    /// Number of the push among all that its source does.
    number: u64,
    window: Window,
}

/// What one source pushed and nobody took.
#[derive(Clone, Debug)]
struct Lane<T>(VecDeque<Entry<T>>);

impl<T> Default for Lane<T> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<T> Lane<T> {
    fn push(&mut self, item: T, number: u64, from: u64) {
        self.0.push_back(Entry { item, number, window: Window { from, to: u64::MAX } });
    }

    /// All pushes before this number are done by this cycle.
    fn settle(&mut self, number: u64, cycle: u64) {
        let recent = self.0.iter_mut().rev().skip_while(|entry| entry.number >= number);
        for entry in recent.take_while(|entry| entry.window.to == u64::MAX) {
            entry.window.to = cycle;
        }
    }
}

/// A queue that never refuses, with as many sources as may push.
#[derive(Clone, Debug)]
pub struct QueueBoard {
    lanes: Vec<Lane<u32>>,
}

impl QueueBoard {
    /// An empty queue.
    pub fn new(sources: usize) -> Self {
        Self { lanes: vec![Lane::default(); sources] }
    }

    /// Entries that were pushed and not taken.
    pub fn level(&self) -> usize {
        self.lanes.iter().map(|lane| lane.0.len()).sum()
    }

    /// A source asked in cycle `from` to push; `number` rises with all that it asks for.
    pub fn push(&mut self, source: usize, item: u32, number: u64, from: u64) {
        self.lanes[source].push(item, number, from);
    }

    /// What the source asked for before `number` is done.
    pub fn settle(&mut self, source: usize, number: u64, cycle: u64) {
        self.lanes[source].settle(number, cycle);
    }

    /// Somebody took this, or found the queue empty. Takes are told in the order in which they were done.
    ///
    /// # Errors
    /// The law that was broken.
    pub fn take(&mut self, item: Option<u32>, window: Window) -> Result<(), Law> {
        let Some(item) = item else {
            let there = |lane: &Lane<u32>| {
                lane.0.front().is_some_and(|entry| entry.window.to.saturating_add(VISIBLE) <= window.from)
            };
            return if self.lanes.iter().any(there) { Err(Law::FalselyEmpty) } else { Ok(()) };
        };
        let is_front = |lane: &Lane<u32>| lane.0.front().is_some_and(|entry| entry.item == item);
        let Some(place) = self.lanes.iter().position(is_front) else {
            let behind = self.lanes.iter().any(|lane| lane.0.iter().any(|entry| entry.item == item));
            return Err(if behind { Law::Order } else { Law::NotThere });
        };
        let pushed = self.lanes[place].0.pop_front().ok_or(Law::NotThere)?.window;
        if window.to < pushed.from {
            return Err(Law::Early);
        }
        let older = |lane: &Lane<u32>| lane.0.front().is_some_and(|entry| entry.window.to < pushed.from);
        if self.lanes.iter().any(older) { Err(Law::Order) } else { Ok(()) }
    }

    /// All was taken.
    ///
    /// # Errors
    /// It was not.
    pub fn end(&self) -> Result<(), Law> {
        if self.level() == 0 { Ok(()) } else { Err(Law::Lost) }
    }
}

/// The ring of messages from one processor to another: it refuses when it is full, and says so only by a count.
#[derive(Clone, Debug, Default)]
pub struct RingBoard {
    sent: Lane<[u32; 4]>,
    accepted: usize,
    refused: u64,
    takes: Vec<Window>,
}

impl RingBoard {
    /// The sender asked in cycle `from` to send; no message is sent twice.
    pub fn send(&mut self, message: [u32; 4], number: u64, from: u64) {
        self.sent.push(message, number, from);
    }

    /// What the sender asked for before `number` is done.
    pub fn settle(&mut self, number: u64, cycle: u64) {
        self.sent.settle(number, cycle);
    }

    /// Messages that were refused, as far as is known.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// Whether the ring may have been full in this window.
    fn may_be_full(&self, window: Window) -> bool {
        let gone = self.takes.partition_point(|take| take.to <= window.from);
        self.accepted - gone >= MESSAGE_QUEUE_DEPTH
    }

    /// Whether the ring may have had room in this window.
    fn may_have_room(&self, window: Window) -> bool {
        let gone = self.takes.partition_point(|take| take.from < window.to);
        self.accepted - gone < MESSAGE_QUEUE_DEPTH
    }

    /// The receiver took this message, or found none.
    ///
    /// # Errors
    /// The law that was broken.
    pub fn take(&mut self, message: Option<[u32; 4]>, window: Window) -> Result<(), Law> {
        let Some(message) = message else {
            let old = self.sent.0.iter().filter(|entry| entry.window.to.saturating_add(VISIBLE) <= window.from);
            return match old.map(|entry| entry.window).find(|sent| !self.may_be_full(*sent)) {
                Some(_) => Err(Law::FalselyEmpty),
                None => Ok(()),
            };
        };
        if !self.sent.0.iter().any(|entry| entry.item == message) {
            return Err(Law::NotThere);
        }
        while let Some(entry) = self.sent.0.pop_front() {
            if entry.item == message {
                if window.to < entry.window.from {
                    return Err(Law::Early);
                }
                if !self.may_have_room(entry.window) {
                    return Err(Law::AcceptedWithoutRoom);
                }
                self.accepted += 1;
                self.takes.push(window);
                return Ok(());
            }
            self.refuse(entry.window)?;
        }
        Err(Law::NotThere)
    }

    fn refuse(&mut self, window: Window) -> Result<(), Law> {
        self.refused += 1;
        if self.may_be_full(window) { Ok(()) } else { Err(Law::RefusedWithRoom) }
    }

    /// Nothing waits any more: what was not taken was refused.
    ///
    /// # Errors
    /// It need not have been.
    pub fn end(&mut self) -> Result<(), Law> {
        while let Some(entry) = self.sent.0.pop_front() {
            self.refuse(entry.window)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(from: u64, to: u64) -> Window {
        Window { from, to }
    }

    /// 1 and 2 from source 0, done by cycle 20, then 3 from source 1.
    fn three() -> QueueBoard {
        let mut board = QueueBoard::new(2);
        board.push(0, 1, 0, 10);
        board.push(0, 2, 1, 11);
        board.settle(0, 2, 20);
        board.push(1, 3, 0, 21);
        board
    }

    #[test]
    fn a_queue_in_order_breaks_no_law() {
        let mut board = three();
        for item in 1..=3 {
            assert_eq!(board.take(Some(item), at(40, 50)), Ok(()));
        }
        assert_eq!((board.take(None, at(60, 70)), board.end()), (Ok(()), Ok(())));
    }

    #[test]
    fn each_broken_law_is_noticed() {
        assert_eq!(three().take(Some(4), at(40, 50)), Err(Law::NotThere));
        assert_eq!(three().take(Some(2), at(40, 50)), Err(Law::Order));
        assert_eq!(three().take(Some(3), at(40, 50)), Err(Law::Order), "the other source was done before");
        assert_eq!(three().take(Some(1), at(5, 9)), Err(Law::Early));
        assert_eq!(three().take(Some(1), at(5, 10)), Ok(()));
        assert_eq!(three().take(None, at(20 + VISIBLE, 90)), Err(Law::FalselyEmpty));
        assert_eq!(three().take(None, at(19 + VISIBLE, 90)), Ok(()), "it may not be visible yet");
        assert_eq!(three().end(), Err(Law::Lost));
        let mut board = three();
        assert_eq!((board.take(Some(1), at(40, 50)), board.take(Some(1), at(40, 50))), (Ok(()), Err(Law::NotThere)));
    }

    #[test]
    fn sources_whose_windows_meet_may_come_in_any_order() {
        let mut board = QueueBoard::new(2);
        board.push(0, 1, 0, 10);
        board.push(1, 2, 0, 12);
        board.settle(0, 1, 12);
        assert_eq!((board.take(Some(2), at(40, 50)), board.take(Some(1), at(40, 50))), (Ok(()), Ok(())));
    }

    #[test]
    fn a_ring_refuses_when_it_is_full_and_only_then() {
        let full = |messages: u32| {
            let mut ring = RingBoard::default();
            for number in 0..messages {
                ring.send([number; 4], number.into(), 10);
            }
            ring.settle(u64::from(messages), 20);
            ring
        };
        let depth = MESSAGE_QUEUE_DEPTH as u32;
        let mut ring = full(depth + 2);
        assert!((0..depth).all(|number| ring.take(Some([number; 4]), at(60, 70)).is_ok()));
        assert_eq!((ring.end(), ring.refused()), (Ok(()), 2));
        let mut ring = full(depth + 1);
        let taken: Vec<_> = (0..=depth).map(|number| ring.take(Some([number; 4]), at(60, 70))).collect();
        assert_eq!(taken[depth as usize], Err(Law::AcceptedWithoutRoom));
        assert_eq!(full(3).take(Some([1; 4]), at(60, 70)), Err(Law::RefusedWithRoom));
        assert_eq!(full(3).take(None, at(60, 70)), Err(Law::FalselyEmpty));
        assert_eq!(full(3).take(None, at(40, 70)), Ok(()));
        assert_eq!(full(3).take(Some([9; 4]), at(60, 70)), Err(Law::NotThere));
        assert_eq!(full(3).end(), Err(Law::RefusedWithRoom));
    }
}
