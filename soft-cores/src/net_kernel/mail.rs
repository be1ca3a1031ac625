//! Parcels between processors, as they are kept: those that wait to be sent, those that others have, those that have come.
//!
//! A parcel's body lies in a block of the sender's memory; a message tells the receiver, which copies it by DMA and says when it has done
//! with the parcel. Then the block is the sender's again. A parcel without a body rides in its message.
//!
//! **Order.** Each pair of processors has one line on either side: what cannot be sent, or has not been copied, stops what is behind it.
//!
//! **Bounds.** So many parcels of one sender are with one receiver at most: the window. What is beyond it, or finds no block or no room in
//! the message queue, waits. Packets wait in a short line: of those that are lost, who sent them first hears by itself. What is
//! [vital](crate::net::parcel::Parcel::is_vital) has a long one, and the last blocks.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use abi::limits::MAX_PROCESSORS;

use crate::kernel::message::Message;
use crate::kernel::pool::PoolId;
use crate::kernel::timer::TimerId;
use crate::net::parcel::Encoded;
use crate::net::tally::Tally;

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Bytes of a block: no less than the MTU.
    pub block_bytes: u32,
    /// Blocks for parcels that others have.
    pub blocks: u32,
    /// Of these, so many are for what is vital.
    pub reserve: u32,
    /// Blocks that parcels are copied into.
    pub landing: u32,
    /// Parcels that one receiver has and has not done with.
    pub window: usize,
    /// Packets to one receiver that wait.
    pub packets: usize,
    /// Parcels to one receiver that wait, when they are vital.
    pub vital: usize,
    /// Cycles after which it is tried again to send or copy what waits.
    pub retry: u64,
}

impl Default for Config {
    fn default() -> Self {
        // A notice of sessions is at most 40 of 36 bytes. A thousand notices are a change of the table that moves 40,000 sessions.
        Self { block_bytes: 1536, blocks: 32, reserve: 8, landing: 8, window: 24, packets: 32, vital: 1024, retry: 500 }
    }
}

/// Why a parcel was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// A packet that is longer than a block.
    TooLong,
    /// The line to its receiver is full.
    Line,
    /// It was vital, and the line was full. What processors know of each other's sessions is not right any more.
    Vital,
    /// There is no such processor.
    NoProcessor,
}

/// Parcels, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Sent.
    pub sent: u64,
    /// Of these, how many had to wait.
    pub waited: u64,
    /// That were to be sent and were not.
    pub dropped: Tally<Cause>,
    /// Of these, datagrams that were handled here instead.
    pub kept: u64,
    /// Sent, and done with.
    pub returned: u64,
    /// Received.
    pub received: u64,
    /// Of these, how many were no parcel.
    pub unreadable: u64,
    /// Messages about a parcel that could not be copied: where nothing lies, or the card would not.
    pub unfetched: u64,
    /// Messages beyond the window, and answers to what was not sent.
    pub foreign: u64,
    /// Answers that could not be sent.
    pub unanswered: u64,
}

/// How far a parcel is that has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// To be copied.
    Waiting,
    /// Being copied.
    Fetching,
    /// Here; `None` if it could not be copied.
    Here(Option<Vec<u8>>),
}

/// A parcel that has come.
#[derive(Clone, Debug)]
pub(super) struct Arrival {
    pub serial: u64,
    pub message: Message,
    pub stage: Stage,
}

/// Another processor.
#[derive(Debug, Default)]
pub(super) struct Peer {
    /// To be sent.
    pub line: VecDeque<Encoded>,
    /// Sent, and not done with.
    pub outstanding: usize,
    /// Came from there, in order.
    pub arrivals: VecDeque<Arrival>,
}

/// See the module's page.
pub(super) struct Mail {
    pub config: Config,
    pub blocks: PoolId,
    pub landing: PoolId,
    pub peers: [Peer; MAX_PROCESSORS],
    /// Who has which block.
    pub lent: BTreeMap<u32, usize>,
    /// The number of the next parcel that comes.
    pub serial: u64,
    /// Whose parcels are copied next.
    pub turn: usize,
    pub retry: Option<TimerId>,
    pub counters: Counters,
}

impl Mail {
    pub fn new(config: Config, blocks: PoolId, landing: PoolId) -> Self {
        Self {
            config,
            blocks,
            landing,
            peers: Default::default(),
            lent: BTreeMap::new(),
            serial: 0,
            turn: 0,
            retry: None,
            counters: Counters::default(),
        }
    }

    /// Parcels that have come and are not done with.
    pub fn waiting_here(&self) -> u32 {
        self.peers.iter().map(|peer| peer.arrivals.len() as u32).sum()
    }

    /// Something waits for what nobody tells: room in the card's queues, a block.
    pub fn has_waiting(&self) -> bool {
        let is_waiting = |arrival: &Arrival| arrival.stage == Stage::Waiting;
        self.peers.iter().any(|peer| !peer.line.is_empty() || peer.arrivals.iter().any(is_waiting))
    }

    /// Whether a block may be taken for a parcel.
    pub fn may_take_block(&self, is_vital: bool) -> bool {
        let reserve = if is_vital { 0 } else { self.config.reserve };
        (self.lent.len() as u32) < self.config.blocks.saturating_sub(reserve)
    }

    /// To whom a packet could go at once, as far as is known here, a bit each.
    pub fn takes_packets(&self) -> u32 {
        if !self.may_take_block(false) {
            return 0;
        }
        let is_open = |peer: &Peer| peer.line.is_empty() && peer.outstanding < self.config.window;
        self.peers.iter().enumerate().map(|(number, peer)| u32::from(is_open(peer)) << number).sum()
    }

    /// The oldest parcel of the next sender in turn that is to be copied.
    pub fn next_to_copy(&self) -> Option<(usize, u64, Message)> {
        let turn = (0..MAX_PROCESSORS).map(|step| (self.turn + step) % MAX_PROCESSORS);
        turn.into_iter().find_map(|from| {
            let arrival = self.peers[from].arrivals.iter().find(|arrival| arrival.stage == Stage::Waiting)?;
            Some((from, arrival.serial, arrival.message))
        })
    }

    /// A parcel from there.
    pub fn arrival(&mut self, from: usize, serial: u64) -> Option<&mut Arrival> {
        self.peers[from].arrivals.iter_mut().find(|arrival| arrival.serial == serial)
    }

    /// The oldest parcel from there, if nothing is to be waited for.
    pub fn take_arrival(&mut self, from: usize) -> Option<(Message, Option<Vec<u8>>)> {
        let arrivals = &mut self.peers[from].arrivals;
        arrivals.pop_front_if(|first| matches!(first.stage, Stage::Here(_))).map(|first| match first.stage {
            Stage::Here(body) => (first.message, body),
            Stage::Waiting | Stage::Fetching => (first.message, None),
        })
    }
}
