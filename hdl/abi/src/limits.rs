//! Sizes that hardware and software share.

/// Fewest processors a card can have.
pub const MIN_PROCESSORS: usize = 2;
/// Most processors a card can have.
pub const MAX_PROCESSORS: usize = 16;

/// Entries of the indirection table (RETA); the low seven bits of the hash pick one.
pub const RETA_ENTRIES: usize = 128;

/// Bytes of the Toeplitz key: 320 bits, enough for two IPv6 addresses and two ports plus 32 bits.
pub const KEY_BYTES: usize = 40;

/// Shortest frame that holds an Ethernet header, in bytes, without FCS (IEEE 802.3: 6 + 6 + 2).
pub const MIN_FRAME: usize = 14;
/// Longest frame the receive path takes, in bytes, without FCS.
pub const MAX_FRAME: usize = 9216;

/// Bytes from the start of a frame within which all its headers must lie.
///
/// The parser works on 32-bit words that start two bytes before the frame, so that every header behind the 14 bytes of Ethernet is
/// word-aligned; 49 such words end at byte 4 × 49 − 2 = 194. Two tags and an IPv6 header leave room for 132 bytes of extension headers.
pub const HEADER_DEPTH: usize = 194;

/// Receive buffers start on a multiple of this many bytes, the widest memory port; the low address bits are ignored.
pub const BUFFER_ALIGNMENT: usize = 64;

/// Entries of each receive free queue and each receive post queue.
pub const RECEIVE_QUEUE_DEPTH: usize = 256;

/// Frames each processor may have given to the card to send and not taken back.
pub const SEND_QUEUE_DEPTH: usize = 64;

/// Messages that wait at most in the queue from one processor to another.
pub const MESSAGE_QUEUE_DEPTH: usize = 16;

/// Entries of each MFA queue unless a card is built with another number.
pub const MFA_QUEUE_DEPTH: usize = 256;

/// Bytes of memory that each processor may have: 24 bits of a card address.
pub const MEMORY_BYTES: usize = 1 << 24;

/// Cycles from a request on a memory port to its data.
pub const MEMORY_LATENCY: usize = 2;

/// Cycles that the card's synchronous reset must be held: in this time the tables in RAM fill and the counters clear.
pub const RESET_CYCLES: usize = 256;
