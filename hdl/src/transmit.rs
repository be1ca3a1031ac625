//! The transmit path: takes frames from the processors in fair turns, fetches them from their memories, checksums them, sends them.
//!
//! A frame is stored whole before its first beat leaves, so the line never sees a gap inside a frame. While one leaves, the next ones are
//! fetched. A buffer comes back through the done queue when the last beat of its frame has left, or at once if its length is not that of
//! a frame. A processor has [`QUEUE_DEPTH`] credits: one per frame from handing it in to taking it back, so no queue here overflows.
//!
//! | port             | dir | width | meaning                                                                         |
//! |------------------|-----|-------|---------------------------------------------------------------------------------|
//! | `send_push_i`    | in  | 1     | processor i hands a frame in                                                    |
//! | `send_entry_i`   | in  | 61    | its words, see [`abi::transmit::Send`]: word 0, then 29 bits of word 1          |
//! | `send_room_i`    | out | 7     | credits left; a push without credit is refused; reset value 64                  |
//! | `done_valid_i`   | out | 1     | a buffer came back; reset value 0                                               |
//! | `done_entry_i`   | out | 32    | which, see [`abi::transmit::Done`]                                              |
//! | `done_take_i`    | in  | 1     | processor i takes it                                                            |
//! | `read_valid`     | out | 1     | wants a line of a memory; goes on until it is granted; reset value 0            |
//! | `read_processor` | out | 4     | of which processor                                                              |
//! | `read_address`   | out | 24    | byte address, a multiple of W/8                                                 |
//! | `read_grant`     | in  | 1     | with `read_valid`: the line will come                                           |
//! | `read_data`      | in  | W     | the line granted [`crate::memory_arbiter::READ_LATENCY`] cycles ago             |
//! | `tx_tdata`       | out | W     | frames, AXI4-Stream; zeros in lanes not in use; not reset                       |
//! | `tx_tkeep`       | out | W/8   | lanes in use                                                                    |
//! | `tx_tvalid`      | out | 1     | a beat is present; it stays until it is taken; reset value 0                    |
//! | `tx_tready`      | in  | 1     | it is taken in this cycle                                                       |
//! | `tx_tlast`       | out | 1     | last beat of a frame                                                            |
//! | `sent_i`         | out | 1     | a frame of processor i has left                                                 |
//! | `sent_bytes_i`   | out | 15    | its length as it was handed in; 0 in other cycles                               |
//! | `no_credit_i`    | out | 1     | processor i pushed without credit; the frame is lost                            |
//! | `bad_length_i`   | out | 1     | a frame of processor i came back unsent, as its length is not that of a frame   |
//!
//! Latency: [`latency`] cycles from `send_push_i` to `tx_tvalid` if the memory grants at once and the frame starts with a line, one more if
//! not. Throughput: one beat per cycle, no gap between frames, if they start with a line and have two beats or more (the scheduler takes
//! 2 cycles per frame); a frame that starts inside a line takes a cycle more to fetch. Stalls while the memory does not grant and while
//! `tx_tready` is low.
//! Implements: ¶66 (the processors send through one transmit path).

use abi::limits::MAX_FRAME;
use abi::transmit::{Done, QUEUE_DEPTH, Send};
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

use crate::many;
use crate::memory::{Collision, Memory};
use crate::memory_stream::{self, MemoryStream};
use crate::queue::{self, Queue};
use crate::transmit_sums::{self, TransmitSums};
use crate::tx_drain::{self, Frame, TxDrain};
use crate::tx_scheduler::TxScheduler;

/// Bytes of the buffer: two frames of the longest kind, and what is left to a power of two: so a word's bits come from as many memory
/// blocks as they need and are not chosen among others behind them.
pub const BUFFER_BYTES: usize = 32 * 1024;
const _: () = assert!(BUFFER_BYTES >= 2 * MAX_FRAME);

/// Cycles from `send_push_i` to `tx_tvalid` for a frame of `lines` lines: queue, choice of the processor, fetch, sums, queue, drain.
pub const fn latency(lines: usize) -> usize {
    (queue::LATENCY + 3)
        + (memory_stream::LATENCY + lines - 1)
        + transmit_sums::LATENCY
        + queue::LATENCY
        + tx_drain::LATENCY
}

/// The two places where a frame's sums start.
#[derive(LogicStruct, Debug, Copy, Clone, PartialEq, Default)]
struct Places {
    ip: Bits<7>,
    rest: Bits<7>,
}

/// The checksums of a frame.
#[derive(LogicStruct, Debug, Copy, Clone, PartialEq, Default)]
struct Sums {
    ip: Bits<16>,
    rest: Bits<16>,
}

/// Whose a frame in the transmit path is.
#[derive(LogicStruct, Debug, Copy, Clone, PartialEq, Default)]
struct Owner {
    processor: Bits<4>,
    address: Bits<24>,
    length: Bits<14>,
}

/// A buffer that goes back.
#[derive(LogicStruct, Debug, Copy, Clone, PartialEq, Default)]
struct Returned {
    address: Bits<24>,
    bad: Bit,
}

/// See the module's page. `KEEP` is W / 8.
#[derive(LogicBlock)]
pub struct Transmit<const W: usize, const KEEP: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub send_push: Vec<Signal<In, Bit>>,
    pub send_entry: Vec<Signal<In, Bits<61>>>,
    pub send_room: Vec<Signal<Out, Bits<7>>>,
    pub done_valid: Vec<Signal<Out, Bit>>,
    pub done_entry: Vec<Signal<Out, Bits<32>>>,
    pub done_take: Vec<Signal<In, Bit>>,
    pub read_valid: Signal<Out, Bit>,
    pub read_processor: Signal<Out, Bits<4>>,
    pub read_address: Signal<Out, Bits<24>>,
    pub read_grant: Signal<In, Bit>,
    pub read_data: Signal<In, Bits<W>>,
    pub tx_tdata: Signal<Out, Bits<W>>,
    pub tx_tkeep: Signal<Out, Bits<KEEP>>,
    pub tx_tvalid: Signal<Out, Bit>,
    pub tx_tready: Signal<In, Bit>,
    pub tx_tlast: Signal<Out, Bit>,
    pub sent: Vec<Signal<Out, Bit>>,
    pub sent_bytes: Vec<Signal<Out, Bits<15>>>,
    pub no_credit: Vec<Signal<Out, Bit>>,
    pub bad_length: Vec<Signal<Out, Bit>>,
    // The processors' side.
    room: Vec<DFF<Bits<7>>>,
    accepted: Vec<Signal<Local, Bit>>,
    returned: Vec<Signal<Local, Bit>>,
    send: Vec<Queue<61, 6, 7>>,
    scheduler: TxScheduler,
    // The frame that is next to be fetched.
    waits: DFF<Bit>,
    processor: DFF<Bits<4>>,
    entry: DFF<Bits<61>>,
    words: DFF<Bits<14>>,
    may_start: Signal<Local, Bit>,
    starts: Signal<Local, Bit>,
    frame: Signal<Local, Frame>,
    places: Signal<Local, Places>,
    owner: Signal<Local, Owner>,
    // Fetching it: words free in the buffer, frames between fetching and sending.
    room_in_buffer: DFF<Bits<14>>,
    room_left: Signal<Local, Bits<14>>,
    under_way: DFF<Bits<6>>,
    stream: MemoryStream<W, KEEP>,
    write_place: DFF<Bits<12>>,
    buffer: Memory<W, 12>,
    places_of: Queue<14, 5, 6>,
    sums: TransmitSums<W, KEEP>,
    sums_of: Queue<32, 5, 6>,
    sums_now: Signal<Local, Sums>,
    frames: Queue<33, 5, 6>,
    owners: Queue<42, 5, 6>,
    drain: TxDrain<W, KEEP>,
    // Giving buffers back.
    leaves: Signal<Local, Bit>,
    done: DFF<Bit>,
    done_processor: DFF<Bits<4>>,
    done_address: DFF<Bits<24>>,
    done_length: DFF<Bits<14>>,
    done_bad: DFF<Bit>,
    done_here: Vec<Signal<Local, Bit>>,
    done_entry_now: Signal<Local, Returned>,
    done_of: Vec<Queue<25, 6, 7>>,
    done_address_of: Vec<Signal<Local, Bits<24>>>,
    done_bad_of: Vec<Signal<Local, Bit>>,
    credits: Constant<Bits<7>>,
    all_but_one: Constant<Bits<14>>,
    /// log2(W / 8).
    line_scale: Constant<Bits<3>>,
    buffer_words: Constant<Bits<14>>,
    last_word: Constant<Bits<12>>,
    udp_field: Constant<Bits<7>>,
    ip_field: Constant<Bits<8>>,
    refused: Constant<Bits<32>>,
    _processors: usize,
}

impl<const W: usize, const KEEP: usize> Transmit<W, KEEP> {
    /// For `processors` processors.
    pub fn new(processors: usize) -> Self {
        Self::with_buffer(processors, BUFFER_BYTES)
    }

    /// The same with another buffer, in bytes. A frame that does not fit would wait for ever.
    fn with_buffer(processors: usize, bytes: usize) -> Self {
        // The places of the fields are literals below.
        assert_eq!((Send::IP_LSB, Send::IP_INSERT, Send::START_LSB), (24, 31, 46 - 32));
        assert_eq!((Send::FIELD_LSB, Send::TRANSPORT_INSERT), (53 - 32, 60 - 32));
        let words = bytes / KEEP;
        block! {
            Self {
                stream: MemoryStream::new(1, abi::limits::MAX_FRAME),
                send_push: many(processors),
                send_entry: many(processors),
                send_room: many(processors),
                done_valid: many(processors),
                done_entry: many(processors),
                done_take: many(processors),
                sent: many(processors),
                sent_bytes: many(processors),
                no_credit: many(processors),
                bad_length: many(processors),
                room: many(processors),
                accepted: many(processors),
                returned: many(processors),
                send: many(processors),
                scheduler: TxScheduler::new(processors),
                owners: Queue::with_late_pop(32),
                buffer: Memory::new(words, Collision::Discarded),
                drain: TxDrain::new(words),
                done_here: many(processors),
                done_of: many(processors),
                done_address_of: many(processors),
                done_bad_of: many(processors),
                credits: Constant::new((QUEUE_DEPTH as u64).to_bits()),
                all_but_one: Constant::new((KEEP as u64 - 1).to_bits()),
                line_scale: Constant::new((clog2(KEEP) as u64).to_bits()),
                buffer_words: Constant::new((words as u64).to_bits()),
                last_word: Constant::new((words as u64 - 1).to_bits()),
                udp_field: Constant::new(3u64.to_bits()),
                ip_field: Constant::new(5u64.to_bits()),
                refused: Constant::new((1u64 << Done::REFUSED).to_bits()),
                _processors: processors,
            },
            clock, reset, read_valid, read_processor, read_address, read_grant, read_data, tx_tdata, tx_tkeep,
            tx_tvalid, tx_tready, tx_tlast, waits, processor, entry, words, may_start, starts, frame, places, owner,
            room_in_buffer, room_left, under_way, write_place, places_of, sums, sums_of, sums_now, frames, leaves, done,
            done_processor, done_address, done_length, done_bad, done_entry_now
        }
    }
}

impl<const W: usize, const KEEP: usize> Logic for Transmit<W, KEEP> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, waits, processor, entry, words, room_in_buffer, under_way, write_place);
        dff_setup!(self, clock, done, done_processor, done_address, done_length, done_bad);
        self.scheduler.clock.next = self.clock.val();
        self.scheduler.reset.next = self.reset.val();
        self.stream.clock.next = self.clock.val();
        self.stream.reset.next = self.reset.val();
        self.places_of.clock.next = self.clock.val();
        self.places_of.reset.next = self.reset.val();
        self.sums.clock.next = self.clock.val();
        self.sums.reset.next = self.reset.val();
        self.sums_of.clock.next = self.clock.val();
        self.sums_of.reset.next = self.reset.val();
        self.frames.clock.next = self.clock.val();
        self.frames.reset.next = self.reset.val();
        self.owners.clock.next = self.clock.val();
        self.owners.reset.next = self.reset.val();
        self.drain.clock.next = self.clock.val();
        self.drain.reset.next = self.reset.val();
        self.buffer.clock.next = self.clock.val();

        // Frames come in against credit, and their buffers go out.
        for i in 0..self._processors {
            self.send[i].clock.next = self.clock.val();
            self.send[i].reset.next = self.reset.val();
            self.done_of[i].clock.next = self.clock.val();
            self.done_of[i].reset.next = self.reset.val();
            self.room[i].clock.next = self.clock.val();
            self.room[i].d.next = self.room[i].q.val();
            self.accepted[i].next = self.send_push[i].val() & self.room[i].q.val().any();
            self.no_credit[i].next = self.send_push[i].val() & !self.room[i].q.val().any();
            self.returned[i].next = self.done_take[i].val() & self.done_of[i].head_valid.val();
            if self.accepted[i].val() & !self.returned[i].val() {
                self.room[i].d.next = self.room[i].q.val() - 1;
            }
            if self.returned[i].val() & !self.accepted[i].val() {
                self.room[i].d.next = self.room[i].q.val() + 1;
            }
            if self.reset.val() {
                self.room[i].d.next = self.credits.val();
            }
            self.send_room[i].next = self.room[i].q.val();
            self.send[i].push.next = self.accepted[i].val();
            self.send[i].push_data.next = self.send_entry[i].val();
            self.scheduler.entry_valid[i].next = self.send[i].head_valid.val();
            self.scheduler.entry[i].next = self.send[i].head_data.val();
            self.send[i].pop.next = self.scheduler.take[i].val();
        }

        // One of them is next.
        self.scheduler.job_ready.next = !self.waits.q.val();
        if !self.waits.q.val() {
            self.waits.d.next = self.scheduler.job_valid.val();
            self.processor.d.next = self.scheduler.job_processor.val();
            self.entry.d.next = self.scheduler.job_entry.val();
            self.words.d.next =
                (self.scheduler.job_entry.val().get_bits::<14>(32) + self.all_but_one.val()) >> self.line_scale.val();
        }
        self.owner.next.processor = self.processor.q.val();
        self.owner.next.address = self.entry.q.val().get_bits::<24>(0);
        self.owner.next.length = self.entry.q.val().get_bits::<14>(32);
        self.places.next.ip = self.entry.q.val().get_bits::<7>(24);
        self.places.next.rest = self.entry.q.val().get_bits::<7>(46);
        self.frame.next.length = self.entry.q.val().get_bits::<14>(32);
        self.frame.next.ip_insert = self.entry.q.val().get_bit(31);
        self.frame.next.ip_place = bit_cast::<8, 7>(self.entry.q.val().get_bits::<7>(24)) + self.ip_field.val();
        self.frame.next.rest_insert = self.entry.q.val().get_bit(60);
        self.frame.next.rest_place = bit_cast::<8, 7>(self.entry.q.val().get_bits::<7>(46))
            + bit_cast::<8, 7>(self.entry.q.val().get_bits::<7>(53));
        self.frame.next.never_zero = self.entry.q.val().get_bits::<7>(53) == self.udp_field.val();

        // Fetch it when there is room for all of it.
        self.may_start.next = self.waits.q.val()
            & (self.words.q.val() <= self.room_in_buffer.q.val())
            & !self.under_way.q.val().get_bit(5);
        self.stream.job_valid.next = self.may_start.val();
        self.stream.job_processor.next = self.processor.q.val();
        self.stream.job_address.next = self.entry.q.val().get_bits::<24>(0);
        self.stream.job_bytes.next = bit_cast::<17, 14>(self.entry.q.val().get_bits::<14>(32));
        self.stream.job_lane.next = 0.into();
        self.starts.next = self.may_start.val() & self.stream.job_ready.val();
        if self.starts.val() {
            self.waits.d.next = false;
        }
        self.places_of.push.next = self.starts.val();
        self.places_of.push_data.next = self.places.val().into();
        self.frames.push.next = self.starts.val();
        self.frames.push_data.next = self.frame.val().into();
        self.owners.push.next = self.starts.val();
        self.owners.push_data.next = self.owner.val().into();
        self.read_valid.next = self.stream.read_valid.val();
        self.read_processor.next = self.stream.read_processor.val();
        self.read_address.next = self.stream.read_address.val();
        self.stream.read_grant.next = self.read_grant.val();
        self.stream.read_data.next = self.read_data.val();

        // Store it, sum it.
        self.stream.beat_ready.next = true;
        self.buffer.write_enable.next = self.stream.beat_valid.val();
        self.buffer.write_address.next = self.write_place.q.val();
        self.buffer.write_data.next = self.stream.beat_data.val();
        if self.stream.beat_valid.val() {
            self.write_place.d.next = self.write_place.q.val() + 1;
            if self.write_place.q.val() == self.last_word.val() {
                self.write_place.d.next = 0.into();
            }
        }
        self.sums.beat_valid.next = self.stream.beat_valid.val();
        self.sums.beat_data.next = self.stream.beat_data.val();
        self.sums.beat_keep.next = self.stream.beat_keep.val();
        self.sums.beat_last.next = self.stream.beat_last.val();
        self.sums.ip_place.next = self.places_of.head_data.val().get_bits::<7>(0);
        self.sums.start_place.next = self.places_of.head_data.val().get_bits::<7>(7);
        self.places_of.pop.next = self.stream.beat_valid.val() & self.stream.beat_last.val();
        self.sums_now.next.ip = self.sums.ip_sum.val();
        self.sums_now.next.rest = self.sums.rest_sum.val();
        self.sums_of.push.next = self.sums.sums_valid.val();
        self.sums_of.push_data.next = self.sums_now.val().into();

        // Send it.
        self.drain.frame_valid.next = self.frames.head_valid.val() & self.sums_of.head_valid.val();
        self.drain.frame.next = self.frames.head_data.val();
        self.drain.ip_sum.next = self.sums_of.head_data.val().get_bits::<16>(0);
        self.drain.rest_sum.next = self.sums_of.head_data.val().get_bits::<16>(16);
        self.frames.pop.next = self.drain.frame_take.val();
        self.sums_of.pop.next = self.drain.frame_take.val();
        self.buffer.read_address.next = self.drain.read_address.val();
        self.drain.read_data.next = self.buffer.read_data.val();
        self.drain.tx_tready.next = self.tx_tready.val();
        self.tx_tdata.next = self.drain.tx_tdata.val();
        self.tx_tkeep.next = self.drain.tx_tkeep.val();
        self.tx_tvalid.next = self.drain.tx_tvalid.val();
        self.tx_tlast.next = self.drain.tx_tlast.val();
        self.leaves.next = self.drain.tx_tvalid.val() & self.drain.tx_tlast.val() & self.tx_tready.val();
        self.room_left.next = self.room_in_buffer.q.val();
        if self.starts.val() {
            self.room_left.next = self.room_in_buffer.q.val() - self.words.q.val();
        }
        self.room_in_buffer.d.next = self.room_left.val() + self.drain.freed.val();
        if self.starts.val() & !self.leaves.val() {
            self.under_way.d.next = self.under_way.q.val() + 1;
        }
        if self.leaves.val() & !self.starts.val() {
            self.under_way.d.next = self.under_way.q.val() - 1;
        }

        // Give its buffer back. Only one can go back in a cycle; one that was not sent waits.
        self.owners.pop.next = self.leaves.val();
        self.scheduler.bad_ready.next = !self.leaves.val();
        self.done.d.next = self.leaves.val() | self.scheduler.bad_valid.val();
        self.done_bad.d.next = !self.leaves.val();
        self.done_processor.d.next = self.scheduler.job_processor.val();
        self.done_address.d.next = self.scheduler.job_entry.val().get_bits::<24>(0);
        if self.leaves.val() {
            self.done_processor.d.next = self.owners.head_data.val().get_bits::<4>(0);
            self.done_address.d.next = self.owners.head_data.val().get_bits::<24>(4);
        }
        self.done_length.d.next = self.owners.head_data.val().get_bits::<14>(28);
        self.done_entry_now.next.address = self.done_address.q.val();
        self.done_entry_now.next.bad = self.done_bad.q.val();
        for i in 0..self._processors {
            self.done_here[i].next = self.done.q.val() & (self.done_processor.q.val() == i.to_bits());
            self.sent[i].next = self.done_here[i].val() & !self.done_bad.q.val();
            self.sent_bytes[i].next = 0.into();
            if self.done_here[i].val() & !self.done_bad.q.val() {
                self.sent_bytes[i].next = bit_cast::<15, 14>(self.done_length.q.val());
            }
            self.bad_length[i].next = self.done_here[i].val() & self.done_bad.q.val();
            self.done_of[i].push.next = self.done_here[i].val();
            self.done_of[i].push_data.next = self.done_entry_now.val().into();
            self.done_of[i].pop.next = self.done_take[i].val();
            self.done_valid[i].next = self.done_of[i].head_valid.val();
            self.done_address_of[i].next = self.done_of[i].head_data.val().get_bits::<24>(0);
            self.done_bad_of[i].next = self.done_of[i].head_data.val().get_bit(24);
            self.done_entry[i].next = self.done_address_of[i].val().get_bits::<32>(0);
            if self.done_bad_of[i].val() {
                self.done_entry[i].next = self.done_address_of[i].val().get_bits::<32>(0) | self.refused.val();
            }
        }

        if self.reset.val() {
            self.waits.d.next = false;
            self.room_in_buffer.d.next = self.buffer_words.val();
            self.under_way.d.next = 0.into();
            self.write_place.d.next = 0.into();
            self.done.d.next = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory_arbiter::READ_LATENCY;
    use crate::random::Random;
    use abi::transmit::Transport;
    use std::collections::VecDeque;

    /// What must leave for a frame, by hand.
    fn on_the_wire(mut bytes: Vec<u8>, send: &Send) -> Vec<u8> {
        let checksum = |bytes: &[u8]| {
            let mut sum: u64 = bytes.chunks(2).map(|p| (p[0] as u64) << 8 | *p.get(1).unwrap_or(&0) as u64).sum();
            while sum > 0xFFFF {
                sum = (sum & 0xFFFF) + (sum >> 16);
            }
            !sum as u16
        };
        let put = |bytes: &mut Vec<u8>, place: usize, value: u16| {
            for (i, byte) in value.to_be_bytes().into_iter().enumerate() {
                if let Some(old) = bytes.get_mut(place + i) {
                    *old = byte;
                }
            }
        };
        let original = bytes.clone();
        let from = |place: u8| original.get(place as usize..).unwrap_or_default();
        if let Some(place) = send.ip {
            let header = from(place);
            let length = header.first().map_or(0, |b| 4 * (b & 15) as usize);
            put(&mut bytes, place as usize + 10, checksum(&header[..length.min(header.len())]));
        }
        if let Some(Transport { start, field }) = send.transport {
            let sum = checksum(from(start));
            let sum = if sum == 0 && field == 6 { 0xFFFF } else { sum };
            put(&mut bytes, start as usize + field as usize, sum);
        }
        bytes.resize(bytes.len().max(60), 0);
        bytes
    }

    struct Bench<const W: usize, const KEEP: usize> {
        dut: Transmit<W, KEEP>,
        random: Random,
        memories: Vec<Vec<u8>>,
        lines: VecDeque<Bits<W>>,
        /// Per processor: frames that must leave, and entries that must come back.
        expected: Vec<VecDeque<Vec<u8>>>,
        due: Vec<VecDeque<u32>>,
        refused: Vec<VecDeque<u32>>,
        to_push: Vec<VecDeque<Send>>,
        frame: Vec<u8>,
        /// Of 8 cycles: without grant, without ready.
        idle: [u64; 2],
        takes_done: bool,
        cycle: usize,
        /// Per frame that left: cycles of its first and last beat.
        left: Vec<(usize, usize)>,
        began: usize,
        bad: usize,
        no_credit: usize,
        sent: usize,
    }

    impl<const W: usize, const KEEP: usize> Bench<W, KEEP> {
        fn new(processors: usize, seed: u64, buffer: usize) -> Self {
            let mut dut = Transmit::with_buffer(processors, buffer);
            dut.connect_all();
            dut.reset.next = true;
            let mut bench = Bench {
                dut,
                random: Random::seeded(seed),
                memories: vec![vec![]; processors],
                lines: vec![Bits::<W>::default(); READ_LATENCY - 1].into(),
                expected: vec![VecDeque::new(); processors],
                due: vec![VecDeque::new(); processors],
                refused: vec![VecDeque::new(); processors],
                to_push: vec![VecDeque::new(); processors],
                frame: vec![],
                idle: [0; 2],
                takes_done: true,
                cycle: 0,
                left: vec![],
                began: 0,
                bad: 0,
                no_credit: 0,
                sent: 0,
            };
            bench.step();
            bench.dut.reset.next = false;
            bench
        }

        /// Lays a frame of random bytes into a processor's memory, `offset` bytes into a line, and plans to send it.
        fn send(&mut self, processor: usize, length: usize, offset: usize, plan: Send) {
            let memory = &mut self.memories[processor];
            let address = memory.len().next_multiple_of(64) + offset;
            memory.resize(address, 0xEE);
            memory.extend((0..length).map(|_| self.random.below(256) as u8));
            let send = Send { address: address as u32, length: length as u16, ..plan };
            if (14..=9216).contains(&length) {
                self.expected[processor].push_back(on_the_wire(memory[address..].to_vec(), &send));
                self.due[processor].push_back(address as u32);
            } else {
                self.refused[processor].push_back(address as u32 | 1 << 31);
            }
            self.to_push[processor].push_back(send);
        }

        fn line(&self, processor: usize, address: usize) -> Bits<W> {
            let byte = |i: usize| *self.memories[processor].get(address + i).unwrap_or(&0xDD) as u64;
            (0..KEEP).rev().fold(Bits::<W>::default(), |all, i| (all << 8) | bit_cast::<W, 8>(byte(i).to_bits()))
        }

        fn step(&mut self) {
            let running = self.cycle > 0;
            for (i, queue) in self.to_push.iter().enumerate() {
                let room = running && (self.dut.send_room[i].val().to_u64() > 0 || !self.takes_done);
                self.dut.send_push[i].next = room && !queue.is_empty();
                let [zero, one] = queue.front().copied().unwrap_or_default().words();
                self.dut.send_entry[i].next = ((one as u64) << 32 | zero as u64).to_bits();
                self.dut.done_take[i].next = self.takes_done && self.random.below(2) == 0;
            }
            let grants = self.random.below(8) >= self.idle[0];
            self.dut.read_grant.next = grants;
            self.dut.tx_tready.next = self.random.below(8) >= self.idle[1];
            self.dut.clock.next = false.into();
            assert!(simulate(&mut self.dut, 40));
            self.answer(grants && running);
            if running {
                self.watch();
            }
            self.dut.clock.next = true.into();
            assert!(simulate(&mut self.dut, 40));
            if let Some(line) = self.lines.pop_front() {
                self.dut.read_data.next = line;
            }
            self.cycle += 1;
        }

        /// The memories' side of a cycle.
        fn answer(&mut self, grants: bool) {
            let mut line = Bits::<W>::default();
            if grants && self.dut.read_valid.val() {
                let processor = self.dut.read_processor.val().to_u64() as usize;
                line = self.line(processor, self.dut.read_address.val().to_u64() as usize);
            }
            self.lines.push_back(line);
        }

        fn watch(&mut self) {
            for i in 0..self.to_push.len() {
                if self.dut.send_push[i].val() {
                    self.to_push[i].pop_front();
                }
                let entry = self.dut.done_entry[i].val().to_u64() as u32;
                if self.dut.done_valid[i].val() && self.dut.done_take[i].val() {
                    let queue = if entry >> 31 == 1 { &mut self.refused[i] } else { &mut self.due[i] };
                    assert_eq!(queue.pop_front(), Some(entry));
                }
                self.bad += usize::from(self.dut.bad_length[i].val());
                self.no_credit += usize::from(self.dut.no_credit[i].val());
                self.sent += usize::from(self.dut.sent[i].val());
            }
            assert!(self.frame.is_empty() || self.dut.tx_tvalid.val(), "a gap inside a frame");
            if self.dut.tx_tvalid.val() && self.dut.tx_tready.val() {
                if self.frame.is_empty() {
                    self.began = self.cycle;
                }
                let (data, keep) = (self.dut.tx_tdata.val(), self.dut.tx_tkeep.val());
                let count = (0..KEEP).take_while(|i| keep.get_bit(*i)).count();
                assert!((0..KEEP).all(|i| keep.get_bit(i) == (i < count)) && count > 0);
                let byte = |i| data.get_bits::<8>(8 * i).to_u64() as u8;
                assert!((count..KEEP).all(|i| byte(i) == 0), "zeros in lanes not in use");
                self.frame.extend((0..count).map(byte));
                if self.dut.tx_tlast.val() {
                    let frame = std::mem::take(&mut self.frame);
                    let owner = self.expected.iter_mut().find(|queue| queue.front() == Some(&frame));
                    let owner = owner.unwrap_or_else(|| panic!("nobody's next frame, of {} bytes", frame.len()));
                    owner.pop_front();
                    self.left.push((self.began, self.cycle));
                } else {
                    assert_eq!(count, KEEP, "only the last beat is not full");
                }
            }
        }

        fn run_until_idle(&mut self, limit: usize) {
            let waiting = |b: &Self| {
                let frames = b.expected.iter().any(|q| !q.is_empty());
                frames || b.due.iter().chain(&b.refused).any(|q| !q.is_empty())
            };
            while waiting(self) {
                assert!(self.cycle < limit, "stuck after {} frames", self.left.len());
                self.step();
            }
        }
    }

    /// Frames of all kinds from all processors, checksums anywhere.
    fn soak<const W: usize, const KEEP: usize>(processors: usize, frames: usize, longest: usize, idle: [u64; 2]) {
        let mut bench = Bench::<W, KEEP>::new(processors, 0x7E57 + W as u64, 2048);
        bench.idle = idle;
        let mut bad = 0;
        for number in 0..frames {
            let mut below = |n: usize| bench.random.below(n as u64) as usize;
            let length = match below(8) {
                0 => 14 + below(50),
                1 => longest - below(40),
                2 => [0, 13, 9217, 16383][below(4)],
                _ => 14 + below(300),
            };
            let ip = (below(2) == 0).then(|| if below(2) == 0 { 14 } else { 2 * below(96) as u8 });
            let start = if below(2) == 0 { 34 } else { 2 * below(96) as u8 };
            let field = [6, 16, 2, 2 * below(100) as u8][below(4)];
            let transport = (below(2) == 0).then_some(Transport { start, field });
            // Where both would be written to one place, the result is nobody's business.
            let apart =
                ip.is_none_or(|ip| transport.is_none_or(|t| t.start as usize + t.field as usize != ip as usize + 10));
            let offset = if below(3) == 0 { 0 } else { below(64) };
            bad += usize::from(!(14..=9216).contains(&length));
            let plan = Send { ip, transport: transport.filter(|_| apart), ..Send::default() };
            bench.send(number % processors, length, offset, plan);
        }
        bench.run_until_idle(400_000);
        assert_eq!((bench.left.len(), bench.bad, bench.sent), (frames - bad, bad, frames - bad));
        assert!(bad > 0 && bench.no_credit == 0, "{bad} bad frames");
    }

    #[test]
    fn frames_leave_whole_checksummed_and_padded_and_every_buffer_comes_back() {
        // The buffer is small, so that frames wait for room and go round its end.
        soak::<64, 8>(3, 40, 300, [0, 0]);
        soak::<64, 8>(2, 20, 200, [4, 3]);
        soak::<128, 16>(2, 20, 300, [1, 1]);
        soak::<512, 64>(2, 16, 400, [1, 1]);
    }

    #[test]
    fn a_frame_of_9216_bytes_is_sent() {
        let mut bench = Bench::<64, 8>::new(2, 5, BUFFER_BYTES);
        bench.send(1, 9216, 3, Send { transport: Some(Transport { start: 34, field: 16 }), ..Send::default() });
        bench.run_until_idle(3000);
        assert_eq!(bench.left.len(), 1);
    }

    #[test]
    fn a_udp_checksum_of_zero_is_sent_as_all_ones_and_another_stays_zero() {
        for (field, expected) in [(6, [0xFF, 0xFF]), (16, [0, 0])] {
            let mut bench = Bench::<64, 8>::new(2, 9, BUFFER_BYTES);
            bench.send(0, 64, 0, Send { transport: Some(Transport { start: 34, field }), ..Send::default() });
            // Everything summed adds up to 0xFFFF.
            let at = bench.to_push[0][0].address as usize;
            bench.memories[0][at + 34..at + 64].fill(0);
            bench.memories[0][at + 40..at + 42].fill(0xFF);
            let frame = bench.memories[0][at..at + 64].to_vec();
            let mut wire = frame.clone();
            wire[34 + field as usize..][..2].copy_from_slice(&expected);
            bench.expected[0][0] = wire;
            bench.run_until_idle(300);
        }
    }

    #[test]
    fn a_push_without_credit_is_refused_and_credits_return_with_the_buffers() {
        let mut bench = Bench::<64, 8>::new(2, 10, BUFFER_BYTES);
        bench.takes_done = false;
        for number in 0..QUEUE_DEPTH + 3 {
            bench.send(1, 60 + number, 0, Send::default());
        }
        bench.expected[1].truncate(QUEUE_DEPTH);
        bench.due[1].truncate(QUEUE_DEPTH);
        for _ in 0..1500 {
            bench.step();
        }
        assert_eq!((bench.no_credit, bench.left.len(), bench.dut.send_room[1].val().to_u64()), (3, QUEUE_DEPTH, 0));
        bench.takes_done = true;
        bench.run_until_idle(3000);
        bench.step();
        assert_eq!(bench.dut.send_room[1].val().to_u64(), QUEUE_DEPTH as u64);
    }

    /// Cycles from push to first beat, and per frame on average, for equal frames of one processor.
    fn pace<const W: usize, const KEEP: usize>(length: usize, offset: usize, frames: usize) -> (usize, f64) {
        let mut bench = Bench::<W, KEEP>::new(2, 11, BUFFER_BYTES);
        for _ in 0..frames {
            bench.send(0, length, offset, Send { ip: Some(14), ..Send::default() });
        }
        let pushed = bench.cycle;
        bench.run_until_idle(60_000);
        let last = bench.left.len() - 1;
        // The first frames fill the pipeline.
        let cycles = bench.left[last].1 - bench.left[2].1;
        (bench.left[0].0 - pushed, cycles as f64 / (last - 2) as f64)
    }

    #[test]
    fn full_frames_leave_back_to_back_at_every_width_and_small_ones_at_the_stated_pace() {
        assert_eq!(pace::<64, 8>(1514, 0, 5), (latency(190), 190.0));
        // A frame that starts inside a line takes a cycle more to fetch.
        assert_eq!(pace::<64, 8>(300, 2, 6), (latency(38) + 1, 39.0));
        assert_eq!(pace::<64, 8>(60, 0, 20), (latency(8), 8.0));
        let (_, cycles) = pace::<512, 64>(60, 0, 16);
        assert!(cycles < 2.2, "{cycles}");
    }
}
