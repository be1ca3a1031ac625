//! A processor's register port.

use super::{Access, Register, Reset, registers};
use crate::limits::{MAX_PROCESSORS, MESSAGE_QUEUE_DEPTH, RECEIVE_QUEUE_DEPTH, SEND_QUEUE_DEPTH};
use crate::receive::EMPTY;
use Access::{ReadOnly, ReadToPop, WriteOneToClear, WriteOnly, WriteToPush};
use Reset::{Derived, Value};

/// `ID`: "PNTC".
pub const CORE_ID: u32 = 0x504E_5443;

const NOTHING: Reset = Value(EMPTY as u64);

/// One of the registers towards each processor.
const fn peer(offset: u32, access: Access, reset: Reset) -> Register {
    Register::driven(offset, access, reset).array(MAX_PROCESSORS).every(16)
}

registers! {
    "CORE", address_bits: 12, read_latency: 2,
    "The register port of each processor.";

    "Reads \"PNTC\"."
    ID = Register::constant(0x000, Value(CORE_ID as u64))
    "Which processor this is."
    INDEX = Register::read_only(0x004, Derived("the processor's number and N")); index {
        "This processor's number, from 0." NUMBER: 0, 8;
        "Number of processors N." PROCESSORS: 8, 8;
    }

    "Write: hands in a receive buffer of MAX_FRAME_LENGTH bytes, 64-byte aligned (low six bits ignored). Read: how many more fit."
    RX_FREE = Register::driven(0x010, WriteToPush, Value(RECEIVE_QUEUE_DEPTH as u64))
    "Takes the oldest received frame: its buffer's address, or 0xFFFFFFFF if there is none."
    RX_POST = Register::driven(0x014, ReadToPop, NOTHING)
    "Describes the frame last taken from RX_POST."
    RX_STATUS = Register::read_only(0x018, Value(0)); rx_status {
        "Bytes, without FCS." LENGTH: 0, 14;
        "0 other, 1 arp, 2 ip, 3 tcp, 4 udp, 5 frag, 6 nd, 7 malformed." CLASS: 16, 3;
        "1: every processor got the frame." FLOODED: 19, 1;
        "IPv4 header checksum: 0 not checked, 1 good, 2 bad." IP_CHECKSUM: 20, 2;
        "TCP or UDP checksum: 0 not checked, 1 good, 2 bad." TRANSPORT_CHECKSUM: 22, 2;
    }
    "Hash of the frame last taken from RX_POST; 0 if it has no flow."
    RX_HASH = Register::read_only(0x01C, Value(0))
    "Frames waiting in the receive post queue."
    RX_LEVEL = Register::read_only(0x020, Value(0))
    "Buffers refused because the receive free queue was full; wraps at 2^16."
    RX_REFUSED = Register::read_only(0x024, Value(0))

    "Length of the next frame to send, and its TCP or UDP checksum. Places are even and given as halves."
    TX_LENGTH = Register::read_write(0x030, Value(0)); tx_length {
        "Bytes, 14 to 9216, without FCS; shorter than 60 is filled up with zeros." LENGTH: 0, 14;
        "Half the place of the first byte of the TCP or UDP header; the sum runs to the frame's end." TRANSPORT_START: 14, 7;
        "Half the place of the checksum behind TRANSPORT_START: 8 in TCP, 3 in UDP; it holds the pseudo-header's sum." TRANSPORT_FIELD: 21, 7;
        "1: insert the TCP or UDP checksum." TRANSPORT_INSERT: 28, 1;
    }
    "Write: sends a frame of TX_LENGTH. Read: how many more fit; a frame counts until its buffer is taken from TX_DONE."
    TX_POST = Register::driven(0x034, WriteToPush, Value(SEND_QUEUE_DEPTH as u64)); tx_post {
        "Byte address of the frame in this processor's memory; any alignment." ADDRESS: 0, 24;
        "Half the place of the IPv4 header." IP_PLACE: 24, 7;
        "1: insert its checksum; the field holds 0." IP_INSERT: 31, 1;
    }
    "Takes the oldest buffer that comes back, or 0xFFFFFFFF if there is none."
    TX_DONE = Register::driven(0x038, ReadToPop, NOTHING); tx_done {
        "Byte address, as it was posted." ADDRESS: 0, 24;
        "1: the length was refused, nothing was sent." REFUSED: 31, 1;
    }
    "Frames that were not taken because the send queue was full; wraps at 2^16."
    TX_REFUSED = Register::read_only(0x03C, Value(0))

    "Causes of an interrupt. A cause is set while its reason stands, and stays until a one is written to it when it does not (¶66)."
    IRQ_STATUS = Register::driven(0x050, WriteOneToClear, Value(0)); irq_status {
        "TIME has reached COMPARE." TIMER: 0, 1;
        "A message with a command waits in the inbound post queue: a socket call of the host." COMMAND: 1, 1;
        "A message with data waits in the inbound post queue: an outgoing packet of the host." DATA: 2, 1;
        "A message from another processor waits." MESSAGE: 3, 1;
        "A received frame waits in the receive post queue." RECEIVE: 4, 1;
        "A buffer waits in TX_DONE." TRANSMIT: 5, 1;
        "A completion waits in DMA_DONE." DMA: 6, 1;
        "Something that this processor wrote was refused: see the REFUSED registers." ERROR: 7, 1;
    }
    "1: this cause does not interrupt."
    IRQ_MASK = Register::read_write(0x054, Value(0xFF)); irq_mask {
        "One bit for each cause, as in IRQ_STATUS." CAUSES: 0, 8;
    }
    "Cycles since reset; the read of the low word holds the high word."
    TIME = Register::read_only(0x058, Derived("counts from 0")).wide()
    "The timer's cause stands while TIME is at or beyond this."
    COMPARE = Register::read_write(0x060, Value(u64::MAX)).wide()

    "Start of this processor's inbound message frames in its memory; set it before the first frame is handed in."
    IN_BASE = Register::read_write(0x080, Value(0)); in_base {
        "Byte address, 64-byte aligned." ADDRESS: 6, 18;
    }
    "Size of an inbound frame, as the power of two; below 6 counts as 6 (64 bytes, I2O's minimum), above 16 as 16."
    IN_FRAME_SIZE = Register::read_write(0x084, Value(7)); in_frame_size {
        "log2 of the bytes." LOG2: 0, 5;
    }
    "Number of inbound frames, at most the depth of the queues; an MFA beyond them is refused."
    IN_FRAMES = Register::read_write(0x088, Value(0)).at_most(1024); in_frames {
        "Frames." COUNT: 0, 11;
    }
    "Hands an empty frame to the host: pushes its MFA on the inbound free queue. Reads 0."
    IN_FREE = Register::driven(0x08C, WriteOnly, Value(0))
    "Takes the oldest message of the host from the inbound post queue: its MFA, bit 0 command, bit 1 data; 0xFFFFFFFF if there is none."
    IN_POST = Register::driven(0x090, ReadToPop, NOTHING)
    "Frames in the inbound queues."
    IN_LEVELS = Register::read_only(0x094, Value(0)); in_levels {
        "Empty frames the host may take." FREE: 0, 11;
        "Messages waiting." POSTED: 16, 11;
    }
    "MFAs of this processor that were refused (not aligned, outside the region, not its own to give); wraps at 2^16."
    MFA_REFUSED = Register::read_only(0x098, Value(0))
    "The MFA that was refused last."
    REFUSED_MFA = Register::read_only(0x09C, Value(0))

    "Takes an empty outbound frame: its MFA, the low word of a host address; 0xFFFFFFFF if there is none."
    OUT_FREE = Register::driven(0x0A0, ReadToPop, NOTHING)
    "Posts a filled outbound frame to the host: pushes its MFA on the outbound post queue. Reads 0."
    OUT_POST = Register::driven(0x0A4, WriteOnly, Value(0))
    "Frames in the outbound queues."
    OUT_LEVELS = Register::read_only(0x0A8, Value(0)); out_levels {
        "Empty frames processors may take." FREE: 0, 11;
        "Messages waiting for the host." POSTED: 16, 11;
    }
    "High word of the host address of every outbound frame, as the host set it."
    OUT_BASE_HIGH = Register::read_only(0x0AC, Value(0))
    "Size of an outbound frame, as the power of two, as the host set it."
    OUT_FRAME_SIZE = Register::read_only(0x0B0, Value(7)); out_frame_size {
        "log2 of the bytes." LOG2: 0, 5;
    }
    "A write rings the host: sets this processor's bit in RINGS. Reads 0."
    HOST_RING = Register::driven(0x0B4, WriteOnly, Value(0))

    "Source of the next DMA descriptor: a host address, or a card address (processor in bits 27:24)."
    DMA_SOURCE = Register::memory(0x0C0, WriteOnly, Value(0)).wide()
    "Destination of the next DMA descriptor, likewise."
    DMA_DESTINATION = Register::memory(0x0C8, WriteOnly, Value(0)).wide()
    "Length and flags of the next DMA descriptor."
    DMA_CONTROL = Register::memory(0x0D0, WriteOnly, Value(0)); dma_control {
        "Bytes, 1 to 65536." LENGTH: 0, 17;
        "1: the source is in host memory." SOURCE_HOST: 20, 1;
        "1: the destination is in host memory." DESTINATION_HOST: 21, 1;
        "1: more elements of this scatter-gather list follow; the last one reports." MORE: 22, 1;
        "1: post DMA_MFA when the copy is complete." POST: 23, 1;
        "1: start when all earlier descriptors of this channel have been reported." FENCE: 24, 1;
    }
    "The MFA that a descriptor with POST posts."
    DMA_MFA = Register::memory(0x0D4, WriteOnly, Value(0))
    "Write: gives the descriptor to the engine; the value is its context. Read: how many more fit; one counts until its report is taken."
    DMA_PUSH = Register::driven(0x0D8, WriteToPush, Value(16))
    "Takes the oldest report of this channel, or 0xFFFFFFFF if there is none."
    DMA_DONE = Register::driven(0x0DC, ReadToPop, NOTHING); dma_done {
        "Bytes of the elements that were copied whole; no more than 20 bits hold." LENGTH: 0, 20;
        "0 ok, 1 unsupported request, 2 completer abort, 3 poisoned, 4 wrong length, 5 timeout, 6 refused, 7 invalid, 8 MFA refused." STATUS: 20, 4;
    }
    "Context of the report last taken from DMA_DONE."
    DMA_CONTEXT = Register::read_only(0x0E0, Value(0))
    "Descriptors refused because the channel was full; wraps at 2^16."
    DMA_REFUSED = Register::read_only(0x0E4, Value(0))

    "Whether this processor says it is busy (¶68)."
    BUSY = Register::read_write(0x100, Value(0)); busy {
        "1: do not send me work." FLAG: 0, 1;
    }
    "Bit i: processor i says it is busy."
    BUSY_ALL = Register::read_only(0x104, Value(0)); busy_all {
        "One bit for each processor." FLAGS: 0, 16;
    }
    "Bit i: a message from processor i waits for this one."
    MESSAGE_PENDING = Register::read_only(0x108, Value(0)); message_pending {
        "One bit for each sender." SENDERS: 0, 16;
    }
    "Second word of the next message to send."
    MESSAGE_ADDRESS = Register::memory(0x110, WriteOnly, Value(0))
    "Third word of the next message to send."
    MESSAGE_LENGTH = Register::memory(0x114, WriteOnly, Value(0))
    "Fourth word of the next message to send."
    MESSAGE_CONTEXT = Register::memory(0x118, WriteOnly, Value(0))
    "Second word of the message last taken."
    TAKEN_ADDRESS = Register::read_only(0x120, Value(0))
    "Third word of the message last taken."
    TAKEN_LENGTH = Register::read_only(0x124, Value(0))
    "Fourth word of the message last taken."
    TAKEN_CONTEXT = Register::read_only(0x128, Value(0))
    "Messages refused because the queue to their receiver was full; wraps at 2^16."
    MESSAGE_REFUSED = Register::read_only(0x12C, Value(0))
    "Write: sends a message to processor i, the value is its kind. Read: how many more fit. Where there is no processor i, reads 0 and a write is ignored."
    MESSAGE_SEND = peer(0x140, WriteToPush, Value(MESSAGE_QUEUE_DEPTH as u64))
    "Takes the oldest message from processor i: its kind, or 0xFFFFFFFF if there is none. Where there is no processor i, reads 0."
    MESSAGE_TAKE = peer(0x144, ReadToPop, NOTHING)
    "Messages from processor i that wait for this one."
    MESSAGE_LEVEL = peer(0x148, ReadOnly, Value(0))
}
