//! DMA: descriptors, completion entries, and the windows of host memory that a processor's channel may touch.
//!
//! There is a channel for each processor and one for the host. A channel takes descriptors in order, may work on several at a time, and
//! reports them in order. Its credit is [`DEPTH`]: descriptors pushed, not yet reported and taken.
//!
//! An endpoint is a 64-bit host address or a card address: bits 27:24 the processor, bits 23:0 the byte in its memory, all above 0.

/// Descriptors that a channel holds: pushed, and their completion entry not yet taken.
pub const DEPTH: usize = 16;

/// Requests to the host that may be under way, over all channels.
pub const TAGS: usize = 32;

/// Windows of each processor.
pub const WINDOWS: usize = 4;

/// Longest copy of one descriptor, in bytes.
pub const MAX_LENGTH: u32 = 1 << 16;

/// Words of a descriptor.
pub const DESCRIPTOR_WORDS: usize = 7;

/// Words of a window.
pub const WINDOW_WORDS: usize = 4;

/// Bits of the control word. Bits 16:0 are the length; all others are 0.
pub mod control {
    /// Where the length ends.
    pub const LENGTH_BITS: u32 = 17;
    /// The source is a host address.
    pub const SOURCE_HOST: u32 = 1 << 20;
    /// The destination is a host address; not both.
    pub const DESTINATION_HOST: u32 = 1 << 21;
    /// The scatter-gather list goes on: this element is not reported, its bytes and its error count towards the list's report.
    pub const MORE: u32 = 1 << 22;
    /// After a copy without error, and before the report, post the MFA: into a processor's inbound post queue if the host's channel copies to
    /// a card address, into the outbound post queue if a processor's channel copies to a host address. Not in other copies, nor with `MORE`.
    pub const POST: u32 = 1 << 23;
    /// Start only after all earlier descriptors of the channel have ended.
    pub const FENCE: u32 = 1 << 24;
}

/// What a channel is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// Where to copy from.
    pub source: u64,
    /// Where to copy to.
    pub destination: u64,
    /// Bytes: 1 to [`MAX_LENGTH`].
    pub length: u32,
    /// Of [`control`].
    pub flags: u32,
    /// The message frame to post, with [`control::POST`].
    pub mfa: u32,
    /// Comes back in the completion entry.
    pub context: u32,
}

impl Descriptor {
    /// The descriptor as it is written to the card, first word first.
    pub const fn words(&self) -> [u32; DESCRIPTOR_WORDS] {
        [
            self.source as u32,
            (self.source >> 32) as u32,
            self.destination as u32,
            (self.destination >> 32) as u32,
            self.length & ((1 << control::LENGTH_BITS) - 1) | self.flags,
            self.mfa,
            self.context,
        ]
    }
}

/// How a copy ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Status {
    /// Every byte is where it belongs.
    Ok = 0,
    /// The host answered a read with Unsupported Request.
    UnsupportedRequest = 1,
    /// The host answered a read with Completer Abort.
    CompleterAbort = 2,
    /// The host marked data as bad.
    Poisoned = 3,
    /// The host's answer has not the length or the place that was asked for.
    Length = 4,
    /// The host did not answer a read in time.
    Timeout = 5,
    /// The host memory is outside the windows that are open to this processor in this direction.
    Refused = 6,
    /// The descriptor makes no sense.
    Invalid = 7,
    /// The copy is done, but the MFA was not accepted.
    MfaRefused = 8,
}

impl Status {
    /// All of them, in the order of their numbers.
    pub const ALL: [Status; 9] = [
        Status::Ok,
        Status::UnsupportedRequest,
        Status::CompleterAbort,
        Status::Poisoned,
        Status::Length,
        Status::Timeout,
        Status::Refused,
        Status::Invalid,
        Status::MfaRefused,
    ];
}

/// A completion entry: the end of a descriptor, or of a scatter-gather list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Completion(pub u64);

impl Completion {
    /// Bit position of the status.
    pub const STATUS_LSB: u32 = 20;
    /// Bit position of the context.
    pub const CONTEXT_LSB: u32 = 32;
    /// Where the count of bytes stops, if a list has copied more.
    pub const MAX_BYTES: u32 = (1 << Self::STATUS_LSB) - 1;

    /// Bytes of the elements that were copied whole; 0 for a single descriptor that failed.
    pub const fn bytes(self) -> u32 {
        self.0 as u32 & Self::MAX_BYTES
    }

    /// How it ended; of a list, the first error in the order of its elements. `None` is a number that no card reports.
    pub const fn status(self) -> Option<Status> {
        let number = (self.0 >> Self::STATUS_LSB & 0xF) as usize;
        if number < Status::ALL.len() { Some(Status::ALL[number]) } else { None }
    }

    /// The descriptor's context; of a list, that of its last element.
    pub const fn context(self) -> u32 {
        (self.0 >> Self::CONTEXT_LSB) as u32
    }
}

/// Pages of host memory that a processor's channel may touch. All zeros is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Address of the first page, a multiple of 4,096.
    pub first_page: u64,
    /// Address of the last page, a multiple of 4,096.
    pub last_page: u64,
    /// The card may read here.
    pub readable: bool,
    /// The card may write here.
    pub writable: bool,
}

impl Window {
    /// Bit in the first word: the card may read here.
    pub const READABLE: u32 = 1;
    /// Bit in the first word: the card may write here.
    pub const WRITABLE: u32 = 2;

    /// The window as it is written to the card, first word first.
    pub const fn words(&self) -> [u32; WINDOW_WORDS] {
        let flags = (self.readable as u32 * Self::READABLE) | (self.writable as u32 * Self::WRITABLE);
        [
            (self.first_page as u32 & !0xFFF) | flags,
            (self.first_page >> 32) as u32,
            self.last_page as u32 & !0xFFF,
            (self.last_page >> 32) as u32,
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptor_is_laid_out_as_documented() {
        // By hand: 300 bytes from host 0x1_2345_6789 to byte 0x42 of processor 3, posted.
        let descriptor = Descriptor {
            source: 0x1_2345_6789,
            destination: 0x0300_0042,
            length: 300,
            flags: control::SOURCE_HOST | control::POST,
            mfa: 0x0300_0040,
            context: 0xC0FF_EE00,
        };
        let words = [0x2345_6789, 0x1, 0x0300_0042, 0x0, 0x0090_012C, 0x0300_0040, 0xC0FF_EE00];
        assert_eq!(descriptor.words(), words);
    }

    #[test]
    fn completion_is_laid_out_as_documented() {
        let completion = Completion(0xC0FF_EE00_0050_012C);
        assert_eq!(completion.bytes(), 300);
        assert_eq!(completion.status(), Some(Status::Timeout));
        assert_eq!(completion.context(), 0xC0FF_EE00);
        assert_eq!(Completion(0x0090_0000).status(), None);
        assert_eq!(Completion(0x0010_0000 - 1).bytes(), Completion::MAX_BYTES);
    }

    #[test]
    fn window_is_laid_out_as_documented() {
        let window = Window { first_page: 0x1_2345_6000, last_page: 0x1_2345_7000, readable: true, writable: true };
        assert_eq!(window.words(), [0x2345_6003, 0x1, 0x2345_7000, 0x1]);
    }

    #[test]
    fn status_numbers_index_the_list() {
        for (number, status) in Status::ALL.into_iter().enumerate() {
            assert_eq!(status as usize, number);
        }
    }
}
