//! How the host behaves.

use std::ops::{Range, RangeInclusive};

/// How the host behaves. One seed decides everything.
#[derive(Clone, Debug)]
pub struct Config {
    /// Bytes of a beat of the card's streams.
    pub beat_bytes: usize,
    /// Seed of whatever is random.
    pub seed: u64,
    /// Bus, device and function of the host's own requests and completions.
    pub host_id: u16,
    /// Bus, device and function of the card.
    pub card_id: u16,
    /// Address of each of the card's BARs.
    pub bars: [u64; 6],
    /// Cycles from the last beat of a read to the first of its completions.
    pub latency: RangeInclusive<u64>,
    /// Whether completions of different reads come in any order and interleaved, or in the order of the reads.
    pub reorder: bool,
    /// Read completion boundary, 64 or 128 bytes.
    pub boundary: usize,
    /// Chance in a hundred to end a completion at a boundary where it could go on.
    pub split: u32,
    /// Max_Payload_Size, of both sides.
    pub max_payload: usize,
    /// Max_Read_Request_Size, of both sides.
    pub max_read: usize,
    /// Tags that the card may use: those below.
    pub card_tags: u16,
    /// Reads of the host that may be under way.
    pub host_tags: u16,
    /// Cycles after which an unanswered read of the host is a breach.
    pub patience: u64,
    /// Chance in a hundred that nothing is offered to the card in a cycle, within TLPs too.
    pub rx_pause: u32,
    /// Chance in a hundred that nothing is taken from the card in a cycle.
    pub tx_pause: u32,
    /// What goes wrong.
    pub faults: Faults,
}

impl Default for Config {
    /// A host in good order, 500 ns away at 125 MHz.
    fn default() -> Self {
        Self {
            beat_bytes: 8,
            seed: 1,
            host_id: 0x0000,
            card_id: 0x0100,
            bars: [0xf000_0000, 0, 0x40_0000_0000, 0, 0, 0],
            latency: 63..=63,
            reorder: false,
            boundary: 64,
            split: 0,
            max_payload: 256,
            max_read: 512,
            card_tags: 32,
            host_tags: 32,
            patience: 100_000,
            rx_pause: 0,
            tx_pause: 0,
            faults: Faults::default(),
        }
    }
}

/// What can go wrong with a read by the card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// It is answered with UR.
    Unsupported,
    /// It, or what is left of it, is answered with CA.
    Aborted,
    /// One of its completions is poisoned.
    Poisoned,
    /// One of its completions has more or fewer beats than its header says.
    WrongLength,
    /// One of its completions has a wrong byte count, a wrong lower address, or lacks a DW.
    WrongCount,
    /// A completion for a tag that is not in use, or for another requester, comes before its own.
    Stray,
    /// It is never answered.
    Dropped,
    /// It is answered late, see [`Faults::delay`].
    Delayed,
    /// Its last completion comes twice.
    Duplicated,
}

impl Fault {
    /// All of them.
    pub const ALL: [Fault; 9] = [
        Fault::Unsupported,
        Fault::Aborted,
        Fault::Poisoned,
        Fault::WrongLength,
        Fault::WrongCount,
        Fault::Stray,
        Fault::Dropped,
        Fault::Delayed,
        Fault::Duplicated,
    ];
}

/// What can go wrong with a read by the host: something between it and the card fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerFault {
    /// It is answered with UR.
    Refused,
    /// The answer is lost.
    Lost,
}

/// When something goes wrong.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// Faults of every read by the host that starts in a range of addresses.
    pub answers: Vec<(Range<u64>, AnswerFault)>,
    /// Faults by chance, in so many of 10,000 reads each.
    pub rates: Vec<(Fault, u32)>,
    /// Faults of every read that touches a range; the first that fits counts, before those by chance.
    pub places: Vec<(Range<u64>, Fault)>,
    /// Cycles that [`Fault::Delayed`] adds.
    pub delay: u64,
}
