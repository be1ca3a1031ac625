//! The driver of the Ethernet port: receive buffers from a pool, received frames to who handles them, frames to send, and their
//! buffers back.
//!
//! Addresses that the card hands over are looked up among those it was given: any other is counted and left alone.

use alloc::boxed::Box;
use alloc::collections::{BTreeSet, VecDeque};

use abi::csr::core as csr;
use abi::limits::{MAX_FRAME, MIN_FRAME};
use abi::receive::{EMPTY, Status};
use abi::transmit::{Done, PLACE_LIMIT, Send};

use super::Kernel;
use super::pool::{FreeError, PoolId, Pools};
use super::startup::Found;
use crate::platform::Platform;

/// A received frame. Whoever gets it gives its buffer back with [`Kernel::release`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Where it lies in the processor's memory.
    pub address: u32,
    /// Its length and what the card says of it.
    pub status: Status,
    /// Its hash; 0 if it has no flow.
    pub hash: u32,
}

/// A frame whose buffer comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Its first byte, as it was given.
    pub address: u32,
    /// Its sender's word.
    pub context: u32,
    /// The card did not send it.
    pub refused: bool,
}

/// Why a frame was not taken to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransmitError {
    /// The send queue is full; buffers that come back make room.
    Full,
    /// It has no length of a frame, lies outside the memory, or a place in it is odd or beyond what the card takes.
    Invalid,
}

/// Frames, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Received.
    pub received: u64,
    /// Of these, how many nobody handles.
    pub unclaimed: u64,
    /// Taken to be sent.
    pub sent: u64,
    /// Of these, how many came back.
    pub returned: u64,
    /// And how many of those the card did not send.
    pub refused: u64,
    /// Addresses from the card that it was not given, and frames of no frame's length.
    pub foreign: u64,
    /// Requests for a receive buffer that found none.
    pub starved: u64,
}

/// The port's state.
#[derive(Debug)]
pub(super) struct Mac {
    /// Receive buffers come from here, and this many are with the card.
    pool: Option<(PoolId, usize)>,
    /// Receive buffers that the card has.
    given: BTreeSet<u32>,
    /// Receive buffers that still fit, at least: only the card takes some out.
    room: u32,
    depth: u32,
    /// Frames that the card has, oldest first: address and context.
    sending: VecDeque<(u32, u32)>,
    send_depth: usize,
    counters: Counters,
}

impl Mac {
    pub fn new(found: &Found) -> Self {
        Self {
            pool: None,
            given: BTreeSet::new(),
            room: 0,
            depth: found.receive_depth,
            sending: VecDeque::new(),
            send_depth: found.send_depth as usize,
            counters: Counters::default(),
        }
    }

    /// The card has what starts at this address.
    pub fn has(&self, address: u32) -> bool {
        self.given.contains(&address) || self.sending.iter().any(|&(sending, _)| sending == address)
    }

    fn has_room(&mut self, platform: &impl Platform) -> bool {
        if self.room == 0 {
            self.room = platform.read(csr::RX_FREE.offset).min(self.depth);
        }
        self.room > 0
    }

    fn give(&mut self, platform: &impl Platform, address: u32) {
        self.room -= 1;
        self.given.insert(address);
        platform.write(csr::RX_FREE.offset, address);
    }

    /// The oldest frame; `Some(None)` is something that is no frame of ours. A buffer with a length that no frame has goes
    /// back to its pool.
    fn take(&mut self, platform: &impl Platform, pools: &mut Pools) -> Option<Option<Frame>> {
        let address = platform.read(csr::RX_POST.offset);
        if address == EMPTY {
            return None;
        }
        if !self.given.remove(&address) {
            self.counters.foreign += 1;
            return Some(None);
        }
        let status = Status(platform.read(csr::RX_STATUS.offset));
        let hash = platform.read(csr::RX_HASH.offset);
        if !(MIN_FRAME..=MAX_FRAME).contains(&status.length()) {
            self.counters.foreign += 1;
            // It was given out from there, so that it can go back.
            let _ = pools.give_back(address);
            return Some(None);
        }
        self.counters.received += 1;
        Some(Some(Frame { address, status, hash }))
    }

    fn take_back(&mut self, platform: &impl Platform) -> Option<Option<Sent>> {
        let word = platform.read(csr::TX_DONE.offset);
        if word == EMPTY {
            return None;
        }
        let (address, refused) = (Done(word).address(), Done(word).refused());
        let Some(place) = self.sending.iter().position(|&(sending, _)| sending == address) else {
            self.counters.foreign += 1;
            return Some(None);
        };
        let context = self.sending.remove(place).map_or(0, |(_, context)| context);
        self.counters.returned += 1;
        self.counters.refused += u64::from(refused);
        Some(Some(Sent { address, context, refused }))
    }
}

/// The card takes a frame like this.
fn is_valid(frame: &Send, memory: core::ops::Range<u32>) -> bool {
    let fits = |place: u8| place.is_multiple_of(2) && usize::from(place) < PLACE_LIMIT;
    let end = frame.address.checked_add(u32::from(frame.length));
    (MIN_FRAME..=MAX_FRAME).contains(&usize::from(frame.length))
        && frame.address >= memory.start
        && end.is_some_and(|end| end <= memory.end)
        && frame.ip.is_none_or(fits)
        && frame.transport.is_none_or(|transport| fits(transport.start) && fits(transport.field))
}

impl<P: Platform + 'static> Kernel<P> {
    /// From now on the card has up to `buffers` blocks of this pool to receive frames in: of [`MAX_FRAME`] bytes, aligned to
    /// [`abi::limits::BUFFER_ALIGNMENT`]. Says how many it has.
    pub fn receive_into(&self, pool: PoolId, buffers: usize) -> usize {
        self.critical(|| self.mac.borrow_mut().pool = Some((pool, buffers)));
        self.supply()
    }

    /// Hands receive buffers in as long as the pool has some and the card has room. Says how many the card has.
    pub fn supply(&self) -> usize {
        self.critical(|| {
            let mut mac = self.mac.borrow_mut();
            let Some((pool, buffers)) = mac.pool else { return 0 };
            while mac.given.len() < buffers && mac.has_room(&self.platform) {
                match self.pools.borrow_mut().take(pool) {
                    Ok(address) => mac.give(&self.platform, address),
                    Err(_) => {
                        mac.counters.starved += 1;
                        break;
                    }
                }
            }
            mac.given.len()
        })
    }

    /// Gives back the buffer of a received frame, to the pool and from there to the card.
    ///
    /// # Errors
    /// It is no buffer that was given out.
    pub fn release(&self, address: u32) -> Result<(), FreeError> {
        self.free(address)?;
        self.supply();
        Ok(())
    }

    /// Who handles received frames.
    pub fn on_frame(&self, function: impl FnMut(&Self, Frame) + 'static) {
        self.services.frames.set(self, Box::new(function));
    }

    /// Who is told that the buffer of a frame that was sent is free. Without it the buffer goes back to its pool.
    pub fn on_sent(&self, function: impl FnMut(&Self, Sent) + 'static) {
        self.services.sent.set(self, Box::new(function));
    }

    /// Takes the oldest received frame. At any level; who has the MAC served needs it not.
    pub fn take_frame(&self) -> Option<Frame> {
        self.critical(|| {
            let mut mac = self.mac.borrow_mut();
            // What is not ours does not hide what is behind it, but a card that hands over nothing else ends the search.
            let mut pools = self.pools.borrow_mut();
            (0..mac.depth).map_while(|_| mac.take(&self.platform, &mut pools)).flatten().next()
        })
    }

    /// Gives the card a frame to send. Its bytes stay as they are until it [comes back](Self::on_sent), with `context`. At any
    /// level.
    ///
    /// # Errors
    /// The card does not take it.
    pub fn transmit(&self, frame: Send, context: u32) -> Result<(), TransmitError> {
        if !is_valid(&frame, self.found.memory()) {
            return Err(TransmitError::Invalid);
        }
        self.critical(|| {
            let mut mac = self.mac.borrow_mut();
            // A frame counts until its buffer is taken back: its place in this list is its place in the card's.
            if mac.sending.len() >= mac.send_depth {
                return Err(TransmitError::Full);
            }
            mac.sending.push_back((frame.address, context));
            mac.counters.sent += 1;
            let [first, second] = frame.words();
            self.platform.write(csr::TX_LENGTH.offset, second);
            self.platform.write(csr::TX_POST.offset, first);
            Ok(())
        })
    }

    /// Takes back the oldest frame that was sent. At any level; who has the MAC served needs it not.
    pub fn take_sent(&self) -> Option<Sent> {
        self.critical(|| {
            let mut mac = self.mac.borrow_mut();
            (0..mac.send_depth).map_while(|_| mac.take_back(&self.platform)).flatten().next()
        })
    }

    /// Takes frames and buffers, each up to the budget. What is no frame of ours counts as an item too.
    pub(super) fn serve_mac(&self, budget: u32) -> u32 {
        let returned = self.serve_sent(budget);
        let mut items = 0;
        while items < budget {
            let taken = self.critical(|| self.mac.borrow_mut().take(&self.platform, &mut self.pools.borrow_mut()));
            let Some(frame) = taken else { break };
            items += 1;
            if let Some(frame) = frame
                && self.services.frames.call(self, frame).is_err()
            {
                self.critical(|| self.mac.borrow_mut().counters.unclaimed += 1);
                // The card had it from the pool, so that it can go back there.
                let _ = self.free(frame.address);
            }
        }
        self.supply();
        items.max(returned)
    }

    fn serve_sent(&self, budget: u32) -> u32 {
        let mut items = 0;
        while items < budget {
            let taken = self.critical(|| self.mac.borrow_mut().take_back(&self.platform));
            let Some(sent) = taken else { break };
            items += 1;
            if let Some(sent) = sent
                && self.services.sent.call(self, sent).is_err()
            {
                // One that is of no pool is its sender's to find again.
                let _ = self.free(sent.address);
            }
        }
        items
    }

    /// Frames that may be given to the card now.
    pub fn send_room(&self) -> usize {
        self.critical(|| {
            let mac = self.mac.borrow();
            mac.send_depth - mac.sending.len()
        })
    }

    /// Frames, counted.
    pub fn mac_counters(&self) -> Counters {
        self.critical(|| self.mac.borrow().counters)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use abi::transmit::Transport;

    #[test]
    fn only_what_the_card_takes_is_valid() {
        let good = Send { address: 100, length: 60, ip: Some(14), transport: Some(Transport { start: 34, field: 16 }) };
        assert!(is_valid(&good, 100..160));
        assert!(is_valid(&Send { length: 14, ..good }, 100..160) && !is_valid(&Send { length: 13, ..good }, 100..160));
        assert!(is_valid(&Send { length: 9216, ..good }, 0..10_000));
        assert!(!is_valid(&Send { length: 9217, ..good }, 0..10_000));
        assert!(!is_valid(&good, 101..160) && !is_valid(&good, 100..159));
        assert!(!is_valid(&Send { address: u32::MAX, ..good }, 0..u32::MAX));
        assert!(!is_valid(&Send { ip: Some(15), ..good }, 100..160));
        assert!(!is_valid(&Send { transport: Some(Transport { start: 33, field: 16 }), ..good }, 100..160));
        assert!(!is_valid(&Send { transport: Some(Transport { start: 34, field: 5 }), ..good }, 100..160));
    }
}
