//! The register table: every register of the card, its offset, its fields and one sentence each.
//!
//! Two spaces: [`HOST`] is BAR0 as the host sees it, [`CORE`] is what each processor sees on its own register port. All registers are
//! 32 bits wide and little-endian; a 64-bit counter is read low word first, and that read holds the high word for the next read.
//! The first 64 KiB of the host space are kept for the I2O windows, one 4 KiB page per processor.

/// What software may do with a register, and what the hardware does in answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Read only; writes are ignored.
    ReadOnly,
    /// Read and write.
    ReadWrite,
    /// A read takes the entry at the head of a queue; writes are ignored.
    ReadToPop,
    /// A write appends an entry to a queue; a read tells how many more entries fit.
    WriteToPush,
}

impl Access {
    /// The abbreviation used in the register documentation.
    pub const fn abbreviation(self) -> &'static str {
        match self {
            Access::ReadOnly => "RO",
            Access::ReadWrite => "RW",
            Access::ReadToPop => "R pop",
            Access::WriteToPush => "W push",
        }
    }
}

/// A register's value after reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reset {
    /// The same on every card.
    Value(u32),
    /// Follows from the card's parameters, as the text says.
    Derived(&'static str),
}

/// Some bits of a register.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Name, in capitals.
    pub name: &'static str,
    /// Lowest bit.
    pub lsb: u32,
    /// Number of bits.
    pub width: u32,
    /// One sentence.
    pub doc: &'static str,
}

/// One register, or an array of like ones.
#[derive(Clone, Copy, Debug)]
pub struct Register {
    /// Name, in capitals.
    pub name: &'static str,
    /// Byte offset in its space.
    pub offset: u32,
    /// How many there are.
    pub count: u32,
    /// Bytes from one to the next.
    pub stride: u32,
    /// Width of each in bits: 32, or 64 for counters.
    pub width: u32,
    /// What software may do.
    pub access: Access,
    /// Value after reset.
    pub reset: Reset,
    /// Its fields; empty if it is one number.
    pub fields: &'static [Field],
    /// One sentence.
    pub doc: &'static str,
}

/// A register space: one port of the card.
#[derive(Clone, Copy, Debug)]
pub struct Space {
    /// Name, in capitals, the prefix of every C macro.
    pub name: &'static str,
    /// Bits of a byte address.
    pub address_bits: u32,
    /// Cycles from a read request to its data; requests may follow each other every cycle.
    pub read_latency: usize,
    /// One sentence.
    pub doc: &'static str,
    /// The registers by rising offset.
    pub registers: &'static [Register],
}

const fn register(name: &'static str, offset: u32, access: Access, reset: Reset, doc: &'static str) -> Register {
    Register { name, offset, count: 1, stride: 4, width: 32, access, reset, fields: &[], doc }
}

const fn array(mut r: Register, count: usize) -> Register {
    r.count = count as u32;
    r
}

const fn counter(name: &'static str, index: usize, doc: &'static str) -> Register {
    Register {
        name,
        offset: STATISTICS + 8 * index as u32,
        count: 1,
        stride: 8,
        width: 64,
        access: Access::ReadOnly,
        reset: Reset::Value(0),
        fields: &[],
        doc,
    }
}

const fn processor_counter(name: &'static str, index: usize, doc: &'static str) -> Register {
    let mut r = counter(name, FIRST_PROCESSOR_COUNTER + index, doc);
    r.count = MAX_PROCESSORS as u32;
    r.stride = 8 * COUNTERS_PER_PROCESSOR as u32;
    r
}

const fn with(mut r: Register, fields: &'static [Field]) -> Register {
    r.fields = fields;
    r
}

const fn field(name: &'static str, lsb: u32, width: u32, doc: &'static str) -> Field {
    Field { name, lsb, width, doc }
}

use crate::limits::{KEY_BYTES, MAX_FRAME, MAX_PROCESSORS, RETA_ENTRIES};
use Access::{ReadOnly, ReadToPop, ReadWrite, WriteToPush};

/// `ID` of the host space: "PNTH".
pub const HOST_ID: u32 = 0x504E_5448;
/// `ID` of a processor's space: "PNTC".
pub const CORE_ID: u32 = 0x504E_5443;
/// Version of this register table: major in the high half, minor in the low half.
pub const VERSION: u32 = 0x0000_0001;

// Host space, from `GLOBAL` up; below it lie the I2O pages.
/// First global register.
pub const GLOBAL: u32 = 0x1_0000;
/// Identifies the card.
pub const ID: u32 = GLOBAL;
/// Version of the register table.
pub const HOST_VERSION: u32 = GLOBAL + 0x04;
/// The card's parameters.
pub const PARAMETERS: u32 = GLOBAL + 0x08;
/// Hash function and its options.
pub const HASH_CONTROL: u32 = GLOBAL + 0x20;
/// Fields the hash functions use.
pub const HASH_FIELDS: u32 = GLOBAL + 0x24;
/// Frames sent to every processor.
pub const FLOOD: u32 = GLOBAL + 0x28;
/// Processor for frames without a flow.
pub const DEFAULT_PROCESSOR: u32 = GLOBAL + 0x2C;
/// Longest frame accepted.
pub const MAX_FRAME_LENGTH: u32 = GLOBAL + 0x30;
/// First word of the Toeplitz key.
pub const HASH_KEY: u32 = GLOBAL + 0x40;
/// First entry of the indirection table.
pub const RETA: u32 = GLOBAL + 0x200;
/// First counter.
pub const STATISTICS: u32 = GLOBAL + 0x1000;

/// `HASH_CONTROL.FUNCTION`: XOR fold of the chosen fields.
pub const FUNCTION_XOR: u32 = 0;
/// `HASH_CONTROL.FUNCTION`: Toeplitz.
pub const FUNCTION_TOEPLITZ: u32 = 1;
/// Bit position of `HASH_CONTROL.FRAGMENT_ADDRESSES`.
pub const FRAGMENT_ADDRESSES_LSB: u32 = 1;
/// Bit position of `HASH_CONTROL.CHUNK_BITS`.
pub const CHUNK_BITS_LSB: u32 = 8;
/// `HASH_FIELDS` after reset: XOR over source address and source port (¶68), Toeplitz with ports for TCP and UDP.
pub const HASH_FIELDS_RESET: u32 = 0b11_0101;
/// `FLOOD` after reset: ARP and neighbour discovery.
pub const FLOOD_RESET: u32 = 0b11;

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

/// Index of each counter behind `STATISTICS`, in units of 8 bytes.
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
    /// First of the eight class counters, in the order of [`crate::receive::Class`].
    pub const FIRST_CLASS: usize = 16;
    /// Frames delivered to this processor.
    pub const PROCESSOR_FRAMES: usize = 0;
    /// Bytes delivered to this processor.
    pub const PROCESSOR_BYTES: usize = 1;
    /// Frames this processor missed because it had no free buffer.
    pub const PROCESSOR_NO_BUFFER: usize = 2;
    /// Frames this processor missed because its post queue was full.
    pub const PROCESSOR_POST_FULL: usize = 3;
}

/// Index of processor 0's first counter.
pub const FIRST_PROCESSOR_COUNTER: usize = 32;
/// Counters of each processor.
pub const COUNTERS_PER_PROCESSOR: usize = 4;

/// BAR0 as the host sees it.
pub const HOST: Space = Space {
    name: "HOST",
    address_bits: 20,
    read_latency: 4,
    doc: "BAR0, seen by the host. Offsets below 0x10000 are kept for the I2O windows.",
    registers: &[
        register("ID", ID, ReadOnly, Reset::Value(HOST_ID), "Reads \"PNTH\"; identifies the card."),
        with(
            register("VERSION", HOST_VERSION, ReadOnly, Reset::Value(VERSION), "Version of the register table."),
            &[
                field("MINOR", 0, 16, "Raised by compatible additions."),
                field("MAJOR", 16, 16, "Raised by incompatible changes."),
            ],
        ),
        with(
            register(
                "PARAMETERS",
                PARAMETERS,
                ReadOnly,
                Reset::Derived("the card's preset"),
                "What the card was built with.",
            ),
            &[
                field("PROCESSORS", 0, 8, "Number of processors N."),
                field("WIDTH", 16, 16, "Bits of the frame stream W."),
            ],
        ),
        with(
            register(
                "HASH_CONTROL",
                HASH_CONTROL,
                ReadWrite,
                Reset::Derived("FUNCTION 0, FRAGMENT_ADDRESSES 0, CHUNK_BITS ceil(log2 N)"),
                "Chooses the hash function; may change while traffic flows, a frame in flight sees the old or the new value.",
            ),
            &[
                field("FUNCTION", 0, 1, "0: XOR fold (¶68); 1: Toeplitz."),
                field(
                    "FRAGMENT_ADDRESSES",
                    FRAGMENT_ADDRESSES_LSB,
                    1,
                    "1: the fragment fold includes both IP addresses.",
                ),
                field(
                    "CHUNK_BITS",
                    CHUNK_BITS_LSB,
                    3,
                    "Chunk width w of the XOR and fragment folds, 1 to 7; 0 gives hash 0.",
                ),
            ],
        ),
        with(
            register(
                "HASH_FIELDS",
                HASH_FIELDS,
                ReadWrite,
                Reset::Value(HASH_FIELDS_RESET),
                "Fields the hash functions take in.",
            ),
            &[
                field("SOURCE_ADDRESS", 0, 1, "XOR: source address."),
                field("DESTINATION_ADDRESS", 1, 1, "XOR: destination address."),
                field("SOURCE_PORT", 2, 1, "XOR: source port."),
                field("DESTINATION_PORT", 3, 1, "XOR: destination port."),
                field("TOEPLITZ_TCP", 4, 1, "Toeplitz: ports of TCP segments (RSS types TCP_IPV4 and TCP_IPV6)."),
                field("TOEPLITZ_UDP", 5, 1, "Toeplitz: ports of UDP datagrams (RSS types UDP_IPV4 and UDP_IPV6)."),
            ],
        ),
        with(
            register("FLOOD", FLOOD, ReadWrite, Reset::Value(FLOOD_RESET), "Classes that go to every processor."),
            &[
                field("ARP", 0, 1, "ARP; if 0 it goes to DEFAULT_PROCESSOR."),
                field("ND", 1, 1, "IPv6 neighbour discovery; if 0 it is dispatched by hash."),
            ],
        ),
        register(
            "DEFAULT_PROCESSOR",
            DEFAULT_PROCESSOR,
            ReadWrite,
            Reset::Value(0),
            "Processor for frames without a flow: classes other and malformed. Four bits; a number that does not exist drops them.",
        ),
        register(
            "MAX_FRAME_LENGTH",
            MAX_FRAME_LENGTH,
            ReadWrite,
            Reset::Value(MAX_FRAME as u32),
            "Longest frame accepted, in bytes, and so the size of a receive buffer; a larger value is stored as 9216.",
        ),
        array(
            register(
                "HASH_KEY",
                HASH_KEY,
                ReadWrite,
                Reset::Derived("the key of the Microsoft RSS verification suite"),
                "Toeplitz key; word 0 holds the first four bytes, the first byte in the highest bits.",
            ),
            KEY_BYTES / 4,
        ),
        array(
            register(
                "RETA",
                RETA,
                ReadWrite,
                Reset::Derived("entry i = i mod N"),
                "Indirection table: hash[6:0] picks the entry, its four bits name the processor; one that does not exist drops the frame.",
            ),
            RETA_ENTRIES,
        ),
        counter("FRAMES", counters::FRAMES, "Frames that arrived."),
        counter("BYTES", counters::BYTES, "Bytes of all frames that arrived."),
        counter("DELIVERED", counters::DELIVERED, "Frames delivered to at least one processor."),
        counter("DROP_RUNT", counters::FIRST_DROP, "Frames dropped: too short for an Ethernet header."),
        counter("DROP_OVERSIZE", counters::FIRST_DROP + 1, "Frames dropped: longer than MAX_FRAME_LENGTH."),
        counter("DROP_BAD", counters::FIRST_DROP + 2, "Frames dropped: marked bad by the MAC (tuser at tlast)."),
        counter(
            "DROP_NO_PROCESSOR",
            counters::FIRST_DROP + 3,
            "Frames dropped: the table names a processor that does not exist.",
        ),
        counter(
            "DROP_NO_BUFFER",
            counters::FIRST_DROP + 4,
            "Frames dropped: no processor they were meant for had a free buffer.",
        ),
        counter(
            "DROP_POST_FULL",
            counters::FIRST_DROP + 5,
            "Frames dropped: a buffer was free but the post queue was full.",
        ),
        {
            let mut r = counter(
                "CLASS",
                counters::FIRST_CLASS,
                "Frames that arrived, by class (other arp ip tcp udp frag nd malformed).",
            );
            r.count = 8;
            r
        },
        processor_counter("PROCESSOR_FRAMES", counters::PROCESSOR_FRAMES, "Frames delivered to processor i."),
        processor_counter("PROCESSOR_BYTES", counters::PROCESSOR_BYTES, "Bytes delivered to processor i."),
        processor_counter(
            "PROCESSOR_NO_BUFFER",
            counters::PROCESSOR_NO_BUFFER,
            "Frames processor i missed for want of a free buffer.",
        ),
        processor_counter(
            "PROCESSOR_POST_FULL",
            counters::PROCESSOR_POST_FULL,
            "Frames processor i missed because its post queue was full.",
        ),
    ],
};

/// `ID` on a processor's port.
pub const CORE_ID_OFFSET: u32 = 0x000;
/// The processor's own number.
pub const CORE_INDEX: u32 = 0x004;
/// Receive free queue.
pub const RX_FREE: u32 = 0x010;
/// Receive post queue.
pub const RX_POST: u32 = 0x014;
/// Length, class and flags of the entry last taken.
pub const RX_STATUS: u32 = 0x018;
/// Hash of the entry last taken.
pub const RX_HASH: u32 = 0x01C;
/// Entries waiting in the receive post queue.
pub const RX_LEVEL: u32 = 0x020;
/// Buffers refused by a full free queue.
pub const RX_REFUSED: u32 = 0x024;

/// A processor's register port.
pub const CORE: Space = Space {
    name: "CORE",
    address_bits: 12,
    read_latency: 2,
    doc: "The register port of each processor.",
    registers: &[
        register("ID", CORE_ID_OFFSET, ReadOnly, Reset::Value(CORE_ID), "Reads \"PNTC\"."),
        with(
            register(
                "INDEX",
                CORE_INDEX,
                ReadOnly,
                Reset::Derived("the processor's number and N"),
                "Which processor this is.",
            ),
            &[
                field("NUMBER", 0, 8, "This processor's number, from 0."),
                field("PROCESSORS", 8, 8, "Number of processors N."),
            ],
        ),
        register(
            "RX_FREE",
            RX_FREE,
            WriteToPush,
            Reset::Value(crate::limits::RECEIVE_QUEUE_DEPTH as u32),
            "Write: hands in a receive buffer of MAX_FRAME_LENGTH bytes, 64-byte aligned (low six bits ignored). Read: how many more fit.",
        ),
        register(
            "RX_POST",
            RX_POST,
            ReadToPop,
            Reset::Value(crate::receive::EMPTY),
            "Takes the oldest received frame: its buffer's address, or 0xFFFFFFFF if there is none.",
        ),
        with(
            register("RX_STATUS", RX_STATUS, ReadOnly, Reset::Value(0), "Describes the frame last taken from RX_POST."),
            &[
                field("LENGTH", 0, 14, "Bytes, without FCS."),
                field(
                    "CLASS",
                    crate::receive::Status::CLASS_LSB,
                    3,
                    "0 other, 1 arp, 2 ip, 3 tcp, 4 udp, 5 frag, 6 nd, 7 malformed.",
                ),
                field("FLOODED", crate::receive::Status::FLOODED_LSB, 1, "1: every processor got the frame."),
            ],
        ),
        register(
            "RX_HASH",
            RX_HASH,
            ReadOnly,
            Reset::Value(0),
            "Hash of the frame last taken from RX_POST; 0 if it has no flow.",
        ),
        register("RX_LEVEL", RX_LEVEL, ReadOnly, Reset::Value(0), "Frames waiting in the receive post queue."),
        register(
            "RX_REFUSED",
            RX_REFUSED,
            ReadOnly,
            Reset::Value(0),
            "Buffers refused because the receive free queue was full; wraps at 2^32.",
        ),
    ],
};

#[cfg(test)]
mod tests {
    use super::*;

    fn check(space: &Space) {
        let mut end = 0;
        for r in space.registers {
            // Per-processor counters interleave, so only plain registers and dense arrays have an exclusive range.
            if r.stride <= 8 {
                assert!(r.offset >= end, "{} overlaps its predecessor", r.name);
                end = r.offset + r.count * r.stride;
            }
            assert_eq!(r.offset % (r.width / 8), 0, "{} is misaligned", r.name);
            assert!(r.offset + r.count * r.stride <= 1 << space.address_bits, "{} is outside {}", r.name, space.name);
            let mut used = 0u64;
            for f in r.fields {
                let mask = ((1u64 << f.width) - 1) << f.lsb;
                assert!(f.lsb + f.width <= r.width && used & mask == 0, "{}.{} overlaps", r.name, f.name);
                used |= mask;
            }
        }
    }

    #[test]
    fn registers_and_fields_do_not_overlap() {
        check(&HOST);
        check(&CORE);
        assert_eq!((HOST.registers.len(), CORE.registers.len()), (24, 8));
    }

    #[test]
    fn host_layout_is_what_drivers_were_promised() {
        // By hand, from the published map.
        assert_eq!(HASH_CONTROL, 0x1_0020);
        assert_eq!(RETA, 0x1_0200);
        let post_full = HOST.registers.last().unwrap();
        assert_eq!((post_full.name, post_full.offset, post_full.stride), ("PROCESSOR_POST_FULL", 0x1_1118, 0x20));
    }
}
