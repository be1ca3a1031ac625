//! What the card must not do.

use crate::memory::Stray;
use crate::tlp::{Header, Request, TlpError};

/// The card broke a rule of PCIe, or of the host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cycle {cycle}: {breach}")]
pub struct Violation {
    /// When it was seen.
    pub cycle: u64,
    /// What it was.
    pub breach: Breach,
}

/// A rule that the card broke. Section numbers are those of the PCI Express Base Specification, revision 4.0.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Breach {
    /// No sound TLP.
    #[error("malformed TLP: {0}")]
    Malformed(#[from] TlpError),
    /// A beat went away or changed before it was taken.
    #[error("tlp_tx took back or changed a beat that was not taken")]
    Unstable,
    /// A TLP that a card of ours never sends.
    #[error("a TLP of another type, header {0:08x?}")]
    Type(Header),
    /// The requester is not the card.
    #[error("requester {found:#06x}, the card is {card:#06x}")]
    Requester {
        /// As sent.
        found: u16,
        /// As it should be.
        card: u16,
    },
    /// A traffic class that is not enabled.
    #[error("traffic class {0}, only 0 is enabled")]
    TrafficClass(u8),
    /// A request crosses a 4 KiB boundary (2.2.7).
    #[error("crosses a 4 KiB boundary: {0:x?}")]
    Page(Request),
    /// Byte enables that are not allowed (2.2.5).
    #[error("illegal byte enables: {0:x?}")]
    Enables(Request),
    /// Longer than Max_Payload_Size (2.2.2).
    #[error("{length} bytes of payload, at most {most} are allowed")]
    Payload {
        /// Bytes.
        length: usize,
        /// Most.
        most: usize,
    },
    /// Longer than Max_Read_Request_Size (2.2.7).
    #[error("reads {length} bytes, at most {most} are allowed: {request:x?}")]
    Read {
        /// Bytes.
        length: usize,
        /// Most.
        most: usize,
        /// The request.
        request: Request,
    },
    /// A tag is used for two reads at a time, or is out of range (2.2.6.2).
    #[error("tag {0:#x} is in use, or is none of the card's")]
    Tag(u16),
    /// It sends what it says is bad.
    #[error("a poisoned TLP")]
    Poisoned,
    /// A write to where the host did not open its memory.
    #[error(transparent)]
    Stray(#[from] Stray),
    /// An interrupt that is not one whole DW.
    #[error("a write to the interrupt range that is not one whole DW: {0:x?}")]
    Interrupt(Request),
    /// A completion that answers nothing.
    #[error("a completion with tag {tag:#x} for requester {requester:#06x}, which asked nothing")]
    Unasked {
        /// Its tag.
        tag: u16,
        /// Its requester.
        requester: u16,
    },
    /// A field of a completion is wrong (2.2.9, 2.3.1.1).
    #[error("completion with tag {tag:#x}: {field} is {found:#x}, not {expected:#x}")]
    Completion {
        /// Its tag.
        tag: u16,
        /// Which field.
        field: &'static str,
        /// As sent.
        found: u64,
        /// As it should be.
        expected: u64,
    },
    /// A read of the host is not answered.
    #[error("the host's read with tag {tag:#x}, sent in cycle {sent}, is not answered: {request:x?}")]
    Unanswered {
        /// Its tag.
        tag: u16,
        /// When it was sent.
        sent: u64,
        /// The request.
        request: Request,
    },
}
