//! A message frame: the standard I2O header (I2O 1.5, 3.4.1), words and fields behind it. Nothing panics on any bytes.

use core::net::SocketAddr;

use super::{MAX_WORDS, Place, endpoint};

/// Words of the header of a private request.
pub const REQUEST_WORDS: usize = 5;
/// Words of the header of a reply to one.
pub const REPLY_WORDS: usize = 6;
/// The version of the header: I2O 1.5.
pub const VERSION: u32 = 1;
/// `Function`: a private message.
pub const PRIVATE: u8 = 0xFF;
/// `Function`: the frame is given back unused.
pub const UTIL_NOP: u8 = 0x00;

/// Bits of `MsgFlags`.
pub mod flags {
    /// Contexts have 64 bits; not used here.
    pub const WIDE_CONTEXT: u8 = 0x02;
    /// The message was refused before anybody looked at what it asks.
    pub const FAIL: u8 = 0x20;
    /// The last reply to its request.
    pub const LAST: u8 = 0x40;
    /// It is a reply.
    pub const REPLY: u8 = 0x80;
}

/// Words 0 to 3 of every message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// `VersionOffset`, bits 2:0.
    pub version: u8,
    /// `VersionOffset`, bits 7:4: the word where the scatter-gather list starts, or 0.
    pub list_offset: u8,
    /// `MsgFlags`.
    pub flags: u8,
    /// `MessageSize`: words of the message, header included.
    pub words: u16,
    /// `TargetAddress`, 12 bits.
    pub target: u16,
    /// `InitiatorAddress`, 12 bits.
    pub initiator: u16,
    /// `Function`.
    pub function: u8,
    /// `InitiatorContext`.
    pub context: u32,
    /// `TransactionContext`.
    pub transaction: u32,
}

impl Header {
    /// The header as words.
    pub const fn to_words(self) -> [u32; 4] {
        let version = (self.list_offset as u32 & 0xF) << 4 | self.version as u32 & 7;
        [
            (self.words as u32) << 16 | (self.flags as u32) << 8 | version,
            (self.function as u32) << 24 | (self.initiator as u32 & 0xFFF) << 12 | self.target as u32 & 0xFFF,
            self.context,
            self.transaction,
        ]
    }

    /// The header that words are.
    pub const fn of(words: [u32; 4]) -> Self {
        Self {
            version: (words[0] & 7) as u8,
            list_offset: (words[0] >> 4 & 0xF) as u8,
            flags: (words[0] >> 8) as u8,
            words: (words[0] >> 16) as u16,
            target: (words[1] & 0xFFF) as u16,
            initiator: (words[1] >> 12 & 0xFFF) as u16,
            function: (words[1] >> 24) as u8,
            context: words[2],
            transaction: words[3],
        }
    }

    /// The header of a frame's bytes; words that are not there are 0.
    pub fn read(bytes: &[u8]) -> Self {
        let view = View(bytes);
        Self::of([view.word(0), view.word(1), view.word(2), view.word(3)])
    }
}

/// A message that was received: words of bytes.
#[derive(Clone, Copy, Debug)]
pub struct View<'a>(pub &'a [u8]);

impl View<'_> {
    /// A word; 0 where there is none.
    pub fn word(&self, index: usize) -> u32 {
        let start = index.saturating_mul(4);
        let four = self.0.get(start..).and_then(|rest| rest.first_chunk::<4>());
        four.map_or(0, |&bytes| u32::from_le_bytes(bytes))
    }

    /// A field of up to 32 bits.
    pub fn get(&self, place: &Place) -> u32 {
        (self.word(place.word) & place.mask()) >> place.lsb
    }

    /// An address.
    ///
    /// # Errors
    /// It is of no family that there is.
    pub fn endpoint(&self, place: &Place) -> Result<Option<SocketAddr>, endpoint::NoSuchFamily> {
        endpoint::read(core::array::from_fn(|i| self.word(place.word + i)))
    }
}

/// A message that is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    bytes: [u8; MAX_WORDS * 4],
    words: usize,
}

impl Frame {
    /// A message with this header, zeros behind it; its size is at most [`MAX_WORDS`].
    pub fn new(header: Header) -> Self {
        let words = (header.words as usize).min(MAX_WORDS);
        let mut frame = Self { bytes: [0; MAX_WORDS * 4], words };
        for (index, word) in header.to_words().into_iter().enumerate() {
            frame.set_word(index, word);
        }
        frame
    }

    /// UtilNOP: the frame is given back unused.
    pub fn nop(target: u16) -> Self {
        let version = VERSION as u8;
        Self::new(Header {
            version,
            words: 4,
            target,
            initiator: super::HOST_TARGET,
            function: UTIL_NOP,
            ..Header::default()
        })
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.words * 4]
    }

    /// Writes a word; nothing where the message has none.
    pub fn set_word(&mut self, index: usize, word: u32) {
        let start = index.saturating_mul(4);
        if let Some(four) = self.bytes.get_mut(start..start.saturating_add(4)) {
            four.copy_from_slice(&word.to_le_bytes());
        }
    }

    /// Writes a field of up to 32 bits; bits that do not fit are dropped.
    pub fn set(&mut self, place: &Place, value: u32) {
        let old = View(&self.bytes).word(place.word);
        self.set_word(place.word, old & !place.mask() | value << place.lsb & place.mask());
    }

    /// Writes an address.
    pub fn set_endpoint(&mut self, place: &Place, address: Option<SocketAddr>) {
        for (index, word) in endpoint::words(address).into_iter().enumerate() {
            self.set_word(place.word + index, word);
        }
    }
}
