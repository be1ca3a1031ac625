//! Sockets over I2O private messages (¶69): what the host's OSM asks a processor's ISM, and what it answers.
//!
//! I2O has no socket class, so every request is a private message (function 0xFF) to the processor's own target, with
//! [`ORGANIZATION`] and the [`Function`] in word 4. Words are little-endian. [`FUNCTIONS`] is the table of all messages; encoder and
//! decoder use the places written there.
//!
//! | word | request | reply |
//! |---|---|---|
//! | 0 | version, offset of the scatter-gather list; flags; size in words | likewise, with REPLY and LAST |
//! | 1 | target, initiator, function 0xFF | likewise |
//! | 2 | initiator context: the session's [`Tag`] (67.2) | the same |
//! | 3 | transaction context: whatever the host likes | the same |
//! | 4 | function 15:0, organization 31:16 | detailed status 15:0, request status 31:24 |
//! | 5 | the function's own | function 15:0, credits 31:16 |
//! | 6.. | the function's own | the function's own |
//!
//! # Who may speak
//! A processor speaks only when it was asked, and answers every request exactly once, so a request is the host's credit for one
//! outbound frame, and the buffers of a [`Function::Receive`] its credit for as many bytes. Towards the processor every reply says how
//! many more requests the session may have under way; beyond them a request is refused with [`Status::NoCredit`]. Events are the
//! replies to [`Function::Watch`]. The one message without a reply is I2O's UtilNOP, with which a host gives back a frame
//! that it cannot use.
//!
//! # Sessions
//! The host names every session, those of connections that will be accepted too, before the processor hears of it. So both sides have
//! one name for it, and the name says which processor it is at.

pub mod endpoint;
pub mod frame;
pub mod list;
pub mod reply;
pub mod request;
pub mod status;
mod table;
#[cfg(test)]
mod tests;

pub use frame::Frame;
pub use list::{Element, List, MAX_ELEMENTS};
pub use reply::{Answer, Reply, State};
pub use request::{Call, Decoded, Family, Opt, Protocol, Refused, Request};
pub use status::Status;
pub use table::{FUNCTIONS, Function, Message, Place, calls};

/// `OrganizationID` of every message: "PN".
pub const ORGANIZATION: u16 = 0x504E;

/// I2O's target of the host.
pub const HOST_TARGET: u16 = 1;

/// I2O's target of the socket module of a processor.
pub const fn target(processor: usize) -> u16 {
    0x010 + (processor & 0xF) as u16
}

/// Words of the longest message. A frame of the default size, 128 bytes, holds any.
pub const MAX_WORDS: usize = 32;

/// The name of a session (67.2): which processor, which of the host's sessions, and which use of that one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tag(pub u32);

impl Tag {
    /// What a generation is counted modulo.
    pub const GENERATIONS: u32 = 1 << 12;

    /// The tag of session `index` in its use number `generation`, at a processor.
    pub const fn new(processor: usize, index: u16, generation: u32) -> Self {
        Self(((processor as u32) & 0xF) << 28 | (generation % Self::GENERATIONS) << 16 | index as u32)
    }

    /// The processor that the session is at.
    pub const fn processor(self) -> usize {
        (self.0 >> 28) as usize
    }

    /// Which use of the session it is.
    pub const fn generation(self) -> u32 {
        self.0 >> 16 & (Self::GENERATIONS - 1)
    }

    /// The host's number of the session.
    pub const fn index(self) -> u16 {
        self.0 as u16
    }
}

/// What a session is ready for, as a set; the mask of [`Function::Watch`] and its answer.
pub mod ready {
    /// Bytes or a datagram can be received, or the end of the stream was.
    pub const READ: u32 = 1;
    /// Bytes can be sent.
    pub const WRITE: u32 = 2;
    /// A connection can be accepted.
    pub const ACCEPT: u32 = 4;
    /// The connection is there.
    pub const CONNECTED: u32 = 8;
    /// The session is over: reset, refused, or timed out. Always in the mask.
    pub const ERROR: u32 = 16;
    /// All of them.
    pub const ALL: u32 = 31;
}
