//! Replies on their way to the host: from a slot of the processor's memory by DMA into an outbound frame, posted behind the copy (69.6).
//!
//! An outbound frame that was taken is posted or kept. If a reply cannot be copied, it is tried again; if the host's memory stays closed
//! to it, the reply is lost, and counted, and the frame serves the next one.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::ops::Range;

use abi::dma::Status as DmaStatus;
use abi::socket::{MAX_WORDS, Reply};

use super::card::Card;
use super::copies::{Copies, Purpose};
use crate::kernel::dma::{Copy, Endpoint, Outcome};

/// Bytes of a slot.
pub const SLOT_BYTES: u32 = 4 * MAX_WORDS as u32;
/// How often a reply is copied before it is given up.
pub const TRIES: u8 = 4;

/// Replies, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Posted.
    pub posted: u64,
    /// Copies that failed and were done again.
    pub retried: u64,
    /// Lost: the host cannot be told.
    pub lost: u64,
    /// Frames that the card did not let the processor post.
    pub refused: u64,
}

/// A reply in its slot, with the frame that it goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Letter {
    slot: u32,
    words: u32,
    mfa: u32,
    tries: u8,
}

/// See the module's page.
#[derive(Debug)]
pub struct Outbox {
    waiting: VecDeque<Reply>,
    /// Letters whose copy was not pushed, or failed.
    again: VecDeque<Letter>,
    /// Free slots.
    slots: Vec<u32>,
    /// Frames that were taken and not posted.
    spare: Vec<u32>,
    number: usize,
    /// What became of them.
    pub counters: Counters,
}

impl Outbox {
    /// An outbox with slots in a range of the processor's memory.
    pub fn new(memory: Range<u32>) -> Self {
        let count = memory.end.saturating_sub(memory.start) / SLOT_BYTES;
        let slots: Vec<_> = (0..count).rev().map(|slot| memory.start + slot * SLOT_BYTES).collect();
        Self {
            waiting: VecDeque::new(),
            again: VecDeque::new(),
            number: slots.len(),
            slots,
            spare: Vec::new(),
            counters: Counters::default(),
        }
    }

    /// Queues a reply.
    pub fn put(&mut self, reply: Reply) {
        self.waiting.push_back(reply);
    }

    /// Replies that are queued.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Replies that are somewhere on their way, and frames in hand.
    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.slots.len() == self.number
    }

    /// Frames that were taken and are not posted.
    pub fn spare(&self) -> usize {
        self.spare.len()
    }

    /// Pushes what can be pushed; says whether anything was.
    pub fn flush<C: Card>(&mut self, card: &mut C, copies: &mut Copies, processor: usize) -> bool {
        let mut worked = false;
        while copies.has_room(0) {
            let Some(letter) = self.again.pop_front().or_else(|| self.next(card)) else { break };
            let purpose = Purpose::Reply(letter);
            let copy = Copy {
                source: Endpoint::Card((processor as u32) << 24 | letter.slot),
                destination: Endpoint::Host(card.frame_address(letter.mfa)),
                length: letter.words * 4,
                fence: false,
            };
            if !copies.push(card, &[copy], Some(letter.mfa), purpose) {
                self.again.push_front(letter);
                break;
            }
            worked = true;
        }
        worked
    }

    /// The next reply, written into a slot, with a frame.
    fn next<C: Card>(&mut self, card: &mut C) -> Option<Letter> {
        self.waiting.front()?;
        let &slot = self.slots.last()?;
        let mfa = self.spare.pop().or_else(|| card.take_frame())?;
        let frame = self.waiting.pop_front()?.encode();
        self.slots.pop();
        if card.store(slot, frame.bytes()).is_err() {
            // The range that the outbox was made with is not memory: this slot serves no more.
            self.counters.lost += 1;
            self.number -= 1;
            self.spare.push(mfa);
            return None;
        }
        Some(Letter { slot, words: (frame.bytes().len() / 4) as u32, mfa, tries: 1 })
    }

    /// A letter's copy was reported.
    pub fn reported(&mut self, mut letter: Letter, outcome: Outcome) {
        if outcome.is_ok() {
            self.counters.posted += 1;
            self.slots.push(letter.slot);
        } else if outcome.status == Some(DmaStatus::MfaRefused) {
            self.counters.refused += 1;
            self.counters.lost += 1;
            self.slots.push(letter.slot);
        } else if letter.tries < TRIES {
            letter.tries += 1;
            self.counters.retried += 1;
            self.again.push_back(letter);
        } else {
            self.counters.lost += 1;
            self.spare.push(letter.mfa);
            self.slots.push(letter.slot);
        }
    }
}
