//! BAR0 as the host sees it.
//!
//! Offsets below 0x1_0000 are the I2O pages, 4 KiB for each processor; the outbound pair is the same in all of them.

use super::{Access, Register, Reset, registers};
use crate::limits::{KEY_BYTES, MAX_FRAME, MAX_PROCESSORS, RETA_ENTRIES};
use crate::receive::EMPTY;
use Access::{PopAndPush, ReadOnly, ReadToPop, ReadWrite, WriteOneToClear, WriteOnly, WriteToPush};
use Reset::{Derived, Value, Values};

/// `ID`: "PNTH".
pub const HOST_ID: u32 = 0x504E_5448;
/// Version of this register table: major in the high half, minor in the low half.
pub const TABLE_VERSION: u32 = 0x0000_0002;

/// `HASH_CONTROL.FUNCTION`: XOR fold of the chosen fields.
pub const FUNCTION_XOR: u32 = 0;
/// `HASH_CONTROL.FUNCTION`: Toeplitz.
pub const FUNCTION_TOEPLITZ: u32 = 1;

/// The key of the Microsoft RSS verification suite, the value of `HASH_KEY` after reset.
pub const HASH_KEY_RESET: [u32; KEY_BYTES / 4] = [
    0x6d5a_56da,
    0x255b_0ec2,
    0x4167_253d,
    0x43a3_8fb0,
    0xd0ca_2bcb,
    0xae7b_30b4,
    0x77cb_2da3,
    0x8030_f20c,
    0x6a42_b73b,
    0xbeac_01fa,
];

/// Byte distance of the I2O pages.
pub const PAGE: u32 = 0x1000;
/// First counter.
const STATISTICS: u32 = 0x1_1000;

const fn counter(index: usize) -> Register {
    Register::memory(STATISTICS + 8 * index as u32, ReadOnly, Value(0)).wide()
}

const fn processor_counter(index: usize) -> Register {
    counter(counters::FIRST_PROCESSOR + index).array(MAX_PROCESSORS).every(8 * counters::PER_PROCESSOR as u32)
}

const fn page(offset: u32, access: Access, reset: Reset) -> Register {
    Register::memory(offset, access, reset).array(MAX_PROCESSORS).every(PAGE)
}

/// Index of each counter behind the first, in units of 8 bytes.
pub mod counters {
    /// Frames that arrived.
    pub const FRAMES: usize = 0;
    /// Bytes of all frames that arrived.
    pub const BYTES: usize = 1;
    /// Frames delivered to at least one processor.
    pub const DELIVERED: usize = 2;
    /// First of the drop causes, which follow in the order of [`DROP_NAMES`].
    pub const FIRST_DROP: usize = 3;
    /// Names of the drop causes.
    pub const DROP_NAMES: [&str; 6] = ["runt", "oversize", "bad", "no_processor", "no_buffer", "post_full"];
    /// TLPs that broke off or ran on, or of an unknown format.
    pub const TLP_MALFORMED: usize = 9;
    /// Requests that were answered with UR.
    pub const TLP_UNSUPPORTED: usize = 10;
    /// Completions that nothing waits for.
    pub const TLP_UNEXPECTED: usize = 11;
    /// Read requests of the card that were not completed in time.
    pub const DMA_TIMEOUT: usize = 12;
    /// DMA descriptors that ended with an error.
    pub const DMA_FAILED: usize = 13;
    /// MFAs of the host that were refused.
    pub const MFA_REFUSED: usize = 14;
    /// MSI-X messages that were sent.
    pub const INTERRUPTS: usize = 15;
    /// First of the eight class counters, in the order of [`crate::receive::Class`].
    pub const FIRST_CLASS: usize = 16;
    /// Writes to where nothing is, or to a closed memory.
    pub const WRITE_DROPPED: usize = 24;
    /// Poisoned writes.
    pub const WRITE_POISONED: usize = 25;
    /// Register words that were not written, as only some of their bytes were enabled.
    pub const WRITE_PARTIAL: usize = 26;
    /// Processor 0's first counter.
    pub const FIRST_PROCESSOR: usize = 32;
    /// Counters of each processor.
    pub const PER_PROCESSOR: usize = 8;
    /// Frames delivered to this processor.
    pub const PROCESSOR_FRAMES: usize = 0;
    /// Bytes delivered to this processor.
    pub const PROCESSOR_BYTES: usize = 1;
    /// Frames this processor missed because it had no free buffer.
    pub const PROCESSOR_NO_BUFFER: usize = 2;
    /// Frames this processor missed because its post queue was full.
    pub const PROCESSOR_POST_FULL: usize = 3;
    /// Frames this processor sent.
    pub const PROCESSOR_SENT: usize = 4;
    /// Bytes this processor sent.
    pub const PROCESSOR_SENT_BYTES: usize = 5;
    /// What this processor wrote and was refused, whatever it was.
    pub const PROCESSOR_REFUSED: usize = 6;

    /// Byte offset of a counter.
    pub const fn offset(index: usize) -> u32 {
        super::STATISTICS + 8 * index as u32
    }
}

registers! {
    "HOST", address_bits: 20, read_latency: 4,
    "BAR0, seen by the host.";

    "I2O outbound interrupt status of page i; the same in all pages."
    I2O_STATUS = page(0x30, ReadOnly, Value(0)); i2o_status {
        "The outbound post queue is not empty." OUTBOUND_POST: 3, 1;
    }
    "I2O outbound interrupt mask of page i; the same in all pages."
    I2O_MASK = page(0x34, ReadWrite, Value(0xFFFF_FFFF))
    "I2O inbound port of processor i. Read: takes an empty frame from its inbound free queue: the MFA, or 0xFFFFFFFF. Write: posts an MFA (bit 0 command, bit 1 data) on its inbound post queue."
    I2O_INBOUND = page(0x40, PopAndPush, Value(EMPTY as u64))
    "I2O outbound port; the same in all pages. Read: takes the oldest message from the outbound post queue: the MFA, or 0xFFFFFFFF. Write: gives an empty frame to the outbound free queue."
    I2O_OUTBOUND = page(0x44, PopAndPush, Value(EMPTY as u64))

    "Reads \"PNTH\"; identifies the card."
    ID = Register::constant(0x1_0000, Value(HOST_ID as u64))
    "Version of the register table."
    VERSION = Register::constant(0x1_0004, Value(TABLE_VERSION as u64)); version {
        "Raised by compatible additions." MINOR: 0, 16;
        "Raised by incompatible changes." MAJOR: 16, 16;
    }
    "What the card was built with."
    PARAMETERS = Register::constant(0x1_0008, Derived("the card's preset")); parameters {
        "Number of processors N." PROCESSORS: 0, 8;
        "log2 of the depth of the MFA queues." MFA_DEPTH: 8, 8;
        "Bits of the frame stream W." WIDTH: 16, 16;
    }
    "Chooses the hash function; may change while traffic flows, a frame in flight sees the old or the new value."
    HASH_CONTROL = Register::read_write(0x1_0020, Derived("FUNCTION 0, FRAGMENT_ADDRESSES 0, CHUNK_BITS ceil(log2 N)")); hash_control {
        "0: XOR fold (¶68); 1: Toeplitz." FUNCTION: 0, 1;
        "1: the fragment fold includes both IP addresses." FRAGMENT_ADDRESSES: 1, 1;
        "Chunk width w of the XOR and fragment folds, 1 to 7; 0 gives hash 0." CHUNK_BITS: 8, 3;
    }
    "Fields the hash functions take in; after reset XOR over source address and source port (¶68), Toeplitz with ports for TCP and UDP."
    HASH_FIELDS = Register::read_write(0x1_0024, Value(0b11_0101)); hash_fields {
        "XOR: source address." SOURCE_ADDRESS: 0, 1;
        "XOR: destination address." DESTINATION_ADDRESS: 1, 1;
        "XOR: source port." SOURCE_PORT: 2, 1;
        "XOR: destination port." DESTINATION_PORT: 3, 1;
        "Toeplitz: ports of TCP segments (RSS types TCP_IPV4 and TCP_IPV6)." TOEPLITZ_TCP: 4, 1;
        "Toeplitz: ports of UDP datagrams (RSS types UDP_IPV4 and UDP_IPV6)." TOEPLITZ_UDP: 5, 1;
    }
    "Classes that go to every processor."
    FLOOD = Register::read_write(0x1_0028, Value(0b11)); flood {
        "ARP; if 0 it goes to DEFAULT_PROCESSOR." ARP: 0, 1;
        "IPv6 neighbour discovery; if 0 it is dispatched by hash." ND: 1, 1;
    }
    "Processor for frames without a flow: classes other and malformed."
    DEFAULT_PROCESSOR = Register::read_write(0x1_002C, Value(0)); default_processor {
        "A number that does not exist drops them." NUMBER: 0, 4;
    }
    "Longest frame accepted, and so the size of a receive buffer; a larger value is stored as 9216."
    MAX_FRAME_LENGTH = Register::read_write(0x1_0030, Value(MAX_FRAME as u64)).at_most(MAX_FRAME as u32); max_frame_length {
        "Bytes." LENGTH: 0, 14;
    }
    "Toeplitz key; word 0 holds the first four bytes, the first byte in the highest bits; after reset that of the Microsoft RSS verification suite."
    HASH_KEY = Register::read_write(0x1_0040, Values(&HASH_KEY_RESET)).array(KEY_BYTES / 4)

    "What the configuration space of the PCIe function says, written by the driver."
    PCIE_CONTROL = Register::read_write(0x1_0080, Value(0)); pcie_control {
        "Largest payload of a TLP: 0 128 bytes, 1 256, 2 and 3 512." MAX_PAYLOAD: 0, 2;
        "Largest read request: 0 128 bytes, doubled with each step, 5 and above 4096." MAX_READ: 4, 3;
    }
    "The card's bus, device and function number, as requester and completer."
    PCIE_ID = Register::read_write(0x1_0084, Value(0)); pcie_id {
        "Requester ID." ID: 0, 16;
    }
    "Cycles after which a read request of the card that was not completed is given up; 0: never. The default is 10 ms at 125 MHz."
    DMA_TIMEOUT = Register::read_write(0x1_0088, Value(1_250_000))
    "BAR2: which processors' memory the host may reach."
    MEMORY_WINDOW = Register::read_write(0x1_008C, Value(0xFFFF)); memory_window {
        "One bit for each processor, 1: open." OPEN: 0, 16;
    }
    "Start of the outbound message frames in host memory; set it before the first frame is given."
    OUT_BASE = Register::read_write(0x1_0090, Value(0)).wide(); out_base {
        "Host address, 64-byte aligned; the frames must not cross a multiple of 4 GiB." ADDRESS: 6, 58;
    }
    "Size of an outbound frame, as the power of two; below 6 counts as 6 (64 bytes, I2O's minimum), above 16 as 16."
    OUT_FRAME_SIZE = Register::read_write(0x1_0098, Value(7)); out_frame_size {
        "log2 of the bytes." LOG2: 0, 5;
    }
    "Number of outbound frames, at most the depth of the queues; an MFA beyond them is refused."
    OUT_FRAMES = Register::read_write(0x1_009C, Value(0)).at_most(1024); out_frames {
        "Frames." COUNT: 0, 11;
    }
    "Frames in the outbound queues."
    OUT_LEVELS = Register::read_only(0x1_00A0, Value(0)); out_levels {
        "Empty frames processors may take." FREE: 0, 11;
        "Messages waiting for the host." POSTED: 16, 11;
    }
    "What went wrong; each bit stays until a one is written to it."
    ERROR_STATUS = Register::driven(0x1_00A4, WriteOneToClear, Value(0)); error_status {
        "An MFA of the host was refused: see REFUSED_MFA." MFA_REFUSED: 0, 1;
        "A TLP broke off, ran on, or had an unknown format." TLP_MALFORMED: 1, 1;
        "A request that nothing answers to." TLP_UNSUPPORTED: 2, 1;
        "A completion that nothing waits for." TLP_UNEXPECTED: 3, 1;
        "A read request of the card was not completed in time." DMA_TIMEOUT: 4, 1;
        "A DMA descriptor ended with an error." DMA_FAILED: 5, 1;
        "A descriptor of the host was refused: its channel was full." DMA_REFUSED: 6, 1;
        "A write to where nothing is, or to a closed memory, was dropped." WRITE_DROPPED: 7, 1;
        "A poisoned write was dropped." WRITE_POISONED: 8, 1;
        "A register was not written, as only some of its bytes were enabled." WRITE_PARTIAL: 9, 1;
    }
    "The MFA of the host that was refused last."
    REFUSED_MFA = Register::read_only(0x1_00A8, Value(0))
    "Bit i: processor i rang."
    RINGS = Register::driven(0x1_00AC, WriteOneToClear, Value(0)); rings {
        "One bit for each processor." PROCESSORS: 0, 16;
    }

    "Source of the next DMA descriptor: a host address, or a card address (processor in bits 27:24, as in BAR2)."
    DMA_SOURCE = Register::memory(0x1_00C0, WriteOnly, Value(0)).wide()
    "Destination of the next DMA descriptor, likewise."
    DMA_DESTINATION = Register::memory(0x1_00C8, WriteOnly, Value(0)).wide()
    "Length and flags of the next DMA descriptor."
    DMA_CONTROL = Register::memory(0x1_00D0, WriteOnly, Value(0)); dma_control {
        "Bytes, 1 to 65536." LENGTH: 0, 17;
        "1: the source is in host memory." SOURCE_HOST: 20, 1;
        "1: the destination is in host memory." DESTINATION_HOST: 21, 1;
        "1: more elements of this scatter-gather list follow; the last one reports." MORE: 22, 1;
        "1: post DMA_MFA when the copy is complete." POST: 23, 1;
        "1: start when all earlier descriptors of this channel have been reported." FENCE: 24, 1;
    }
    "The MFA that a descriptor with POST posts, kind bits included."
    DMA_MFA = Register::memory(0x1_00D4, WriteOnly, Value(0))
    "Write: gives the descriptor to the engine; the value is its context. Read: how many more fit; one counts until its report is taken."
    DMA_PUSH = Register::driven(0x1_00D8, WriteToPush, Value(16))
    "Takes the oldest report of the host's channel, or 0xFFFFFFFF if there is none."
    DMA_DONE = Register::driven(0x1_00DC, ReadToPop, Value(EMPTY as u64)); dma_done {
        "Bytes of the elements that were copied whole; no more than 20 bits hold." LENGTH: 0, 20;
        "0 ok, 1 unsupported request, 2 completer abort, 3 poisoned, 4 wrong length, 5 timeout, 6 refused, 7 invalid, 8 MFA refused." STATUS: 20, 4;
    }
    "Context of the report last taken from DMA_DONE."
    DMA_CONTEXT = Register::read_only(0x1_00E0, Value(0))

    "MSI-X, as the capability in configuration space says, written by the driver."
    MSIX_CONTROL = Register::read_write(0x1_00F0, Value(0)); msix_control {
        "1: messages are sent." ENABLE: 0, 1;
        "1: all vectors are masked." FUNCTION_MASK: 1, 1;
    }
    "Holds an interrupt back until enough has happened or enough time has passed; both 0: sent at once."
    MODERATION = Register::read_write(0x1_00F4, Value(0)); moderation {
        "Time since the first event, in units of 64 cycles." TIME: 0, 16;
        "Events." COUNT: 16, 8;
    }
    "Frames in the inbound queues of processor i."
    IN_LEVELS = Register::read_only(0x1_0140, Value(0)).array(MAX_PROCESSORS); in_levels {
        "Empty frames the host may take." FREE: 0, 11;
        "Messages waiting for the processor." POSTED: 16, 11;
    }

    "Indirection table: bits 6:0 of the hash pick the entry, its four bits name the processor; one that does not exist drops the frame."
    RETA = Register::memory(0x1_0200, ReadWrite, Derived("entry i = i mod N")).array(RETA_ENTRIES); reta {
        "Number of the processor." PROCESSOR: 0, 4;
    }

    "Frames that arrived."
    FRAMES = counter(counters::FRAMES)
    "Bytes of all frames that arrived."
    BYTES = counter(counters::BYTES)
    "Frames delivered to at least one processor."
    DELIVERED = counter(counters::DELIVERED)
    "Frames dropped: too short for an Ethernet header."
    DROP_RUNT = counter(counters::FIRST_DROP)
    "Frames dropped: longer than MAX_FRAME_LENGTH."
    DROP_OVERSIZE = counter(counters::FIRST_DROP + 1)
    "Frames dropped: marked bad by the MAC (tuser at tlast)."
    DROP_BAD = counter(counters::FIRST_DROP + 2)
    "Frames dropped: the table names a processor that does not exist."
    DROP_NO_PROCESSOR = counter(counters::FIRST_DROP + 3)
    "Frames dropped: no processor they were meant for had a free buffer."
    DROP_NO_BUFFER = counter(counters::FIRST_DROP + 4)
    "Frames dropped: a buffer was free but the post queue was full."
    DROP_POST_FULL = counter(counters::FIRST_DROP + 5)
    "TLPs that broke off, ran on, or had an unknown format."
    TLP_MALFORMED = counter(counters::TLP_MALFORMED)
    "Requests of the host that were answered with UR."
    TLP_UNSUPPORTED = counter(counters::TLP_UNSUPPORTED)
    "Completions that nothing waits for."
    TLP_UNEXPECTED = counter(counters::TLP_UNEXPECTED)
    "Read requests of the card that were not completed in time."
    DMA_TIMEOUTS = counter(counters::DMA_TIMEOUT)
    "DMA descriptors that ended with an error."
    DMA_FAILURES = counter(counters::DMA_FAILED)
    "MFAs of the host that were refused."
    MFA_REFUSED = counter(counters::MFA_REFUSED)
    "MSI-X messages that were sent."
    INTERRUPTS = counter(counters::INTERRUPTS)
    "Frames that arrived, by class (other arp ip tcp udp frag nd malformed)."
    CLASS = counter(counters::FIRST_CLASS).array(8)
    "Writes of the host that were dropped: to where nothing is, or to a closed memory."
    WRITES_DROPPED = counter(counters::WRITE_DROPPED)
    "Writes of the host that were dropped: poisoned."
    WRITES_POISONED = counter(counters::WRITE_POISONED)
    "Register words that the host did not write: only some of their bytes were enabled."
    WRITES_PARTIAL = counter(counters::WRITE_PARTIAL)
    "Frames delivered to processor i."
    PROCESSOR_FRAMES = processor_counter(counters::PROCESSOR_FRAMES)
    "Bytes delivered to processor i."
    PROCESSOR_BYTES = processor_counter(counters::PROCESSOR_BYTES)
    "Frames processor i missed for want of a free buffer."
    PROCESSOR_NO_BUFFER = processor_counter(counters::PROCESSOR_NO_BUFFER)
    "Frames processor i missed because its post queue was full."
    PROCESSOR_POST_FULL = processor_counter(counters::PROCESSOR_POST_FULL)
    "Frames processor i sent."
    PROCESSOR_SENT = processor_counter(counters::PROCESSOR_SENT)
    "Bytes processor i sent, without padding."
    PROCESSOR_SENT_BYTES = processor_counter(counters::PROCESSOR_SENT_BYTES)
    "What processor i wrote and was refused: buffers, frames, descriptors, messages, MFAs."
    PROCESSOR_REFUSED = processor_counter(counters::PROCESSOR_REFUSED)

    "Host memory that processor i's DMA channel may touch: four windows of four words: first page's address with flags (bit 0 readable, bit 1 writable), its high word, last page's address, its high word."
    DMA_WINDOW = Register::memory(0x1_2000, ReadWrite, Value(0)).array(16 * MAX_PROCESSORS)
    "MSI-X table (PCI 3.0, 6.8.2): four words a vector: address, its high word, data, control (bit 0: masked). 0 outbound post, 1 errors, 2 host DMA, 4 + 2 i processor i rang, 5 + 2 i inbound free queue of i not empty."
    MSIX_TABLE = Register::memory(0x1_4000, ReadWrite, Derived("masked")).array(4 * (4 + 2 * MAX_PROCESSORS))
    "MSI-X pending bits, one for each vector."
    MSIX_PENDING = Register::memory(0x1_4800, ReadOnly, Value(0)).array(2)
}
