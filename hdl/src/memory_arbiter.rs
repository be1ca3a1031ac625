//! Joins everything that touches the processors' memories to their ports: received frames, three readers and three writers.
//!
//! Received frames go first, as receive never stalls. The others share what is left: each memory is one client's turn, which is known a
//! cycle ahead; of the others that want the memory, the one that was granted longest ago is next. A turn that is not used passes on.
//! Whether a client is granted depends only on who wants the same memory.
//!
//! | port                 | dir | width | meaning                                                                       |
//! |----------------------|-----|-------|-------------------------------------------------------------------------------|
//! | `receive_valid_i`    | in  | 1     | write a beat of a received frame to the memory of processor i; never held up  |
//! | `receive_address_i`  | in  | 24    | where                                                                         |
//! | `receive_data`       | in  | W     | bytes, for all processors alike                                               |
//! | `receive_strobe`     | in  | W/8   | lanes to write                                                                |
//! | `reader_valid_k`     | in  | 1     | reader k wants a line; it should go on until it is granted                    |
//! | `reader_processor_k` | in  | 4     | of which processor; N and above: granted, and reads 0                         |
//! | `reader_address_k`   | in  | 24    | byte address, a multiple of W/8                                               |
//! | `reader_grant_k`     | out | 1     | the line will be there in [`READ_LATENCY`] cycles                             |
//! | `reader_data_k`      | out | W     | the line asked for [`READ_LATENCY`] cycles ago; not reset                     |
//! | `writer_valid_k`     | in  | 1     | writer k wants to write; it should go on until it is granted                  |
//! | `writer_processor_k` | in  | 4     | to which processor; N and above: granted, and nothing is written              |
//! | `writer_address_k`   | in  | 24    | byte address, a multiple of W/8                                               |
//! | `writer_data_k`      | in  | W     | bytes                                                                         |
//! | `writer_strobe_k`    | in  | W/8   | lanes to write                                                                |
//! | `writer_grant_k`     | out | 1     | it is written: a read that is granted later sees it                           |
//! | `mem_valid_i`        | out | 1     | access to the memory of processor i; reset value 0                            |
//! | `mem_write_i`        | out | 1     | to write                                                                      |
//! | `mem_addr_i`         | out | 24    | byte address, a multiple of W/8                                               |
//! | `mem_wdata_i`        | out | W     | bytes                                                                         |
//! | `mem_wstrb_i`        | out | W/8   | lanes to write                                                                |
//! | `mem_rdata_i`        | in  | W     | the line asked for [`MEMORY_LATENCY`] cycles ago                              |
//!
//! Latency: [`RECEIVE_LATENCY`] cycles from `receive_valid_i` to `mem_valid_i`, [`WRITE_LATENCY`] from a grant; [`READ_LATENCY`] from a
//! reader's grant to its data. Throughput: one access per memory and cycle, one per client and cycle. A grant comes in the cycle of the
//! request if the turn is the client's already, else a cycle later; a client that goes on asking waits at most for one access of every
//! other client, and for received frames.

use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

use crate::many;

/// Cycles from `mem_valid_i` to `mem_rdata_i`.
pub const MEMORY_LATENCY: usize = 2;

/// Cycles from a request that is granted to `mem_valid_i`: one register behind the arbitration, one behind the choice of the port.
pub const WRITE_LATENCY: usize = 2;

/// Cycles from `receive_valid_i` to `mem_valid_i`: two registers, one behind the choice of the port.
pub const RECEIVE_LATENCY: usize = WRITE_LATENCY + 1;

/// Cycles from a reader's grant to its data: the way to the memory, the memory, one register behind the choice among the memories.
pub const READ_LATENCY: usize = WRITE_LATENCY + MEMORY_LATENCY + 1;

/// Number of readers.
pub const READERS: usize = 3;

/// Number of writers.
pub const WRITERS: usize = 3;

/// See the module's page. `KEEP` is W / 8.
#[derive(LogicBlock)]
pub struct MemoryArbiter<const W: usize, const KEEP: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub receive_valid: Vec<Signal<In, Bit>>,
    pub receive_address: Vec<Signal<In, Bits<24>>>,
    pub receive_data: Signal<In, Bits<W>>,
    pub receive_strobe: Signal<In, Bits<KEEP>>,
    pub reader_valid: Vec<Signal<In, Bit>>,
    pub reader_processor: Vec<Signal<In, Bits<4>>>,
    pub reader_address: Vec<Signal<In, Bits<24>>>,
    pub reader_grant: Vec<Signal<Out, Bit>>,
    pub reader_data: Vec<Signal<Out, Bits<W>>>,
    pub writer_valid: Vec<Signal<In, Bit>>,
    pub writer_processor: Vec<Signal<In, Bits<4>>>,
    pub writer_address: Vec<Signal<In, Bits<24>>>,
    pub writer_data: Vec<Signal<In, Bits<W>>>,
    pub writer_strobe: Vec<Signal<In, Bits<KEEP>>>,
    pub writer_grant: Vec<Signal<Out, Bit>>,
    pub mem_valid: Vec<Signal<Out, Bit>>,
    pub mem_write: Vec<Signal<Out, Bit>>,
    pub mem_addr: Vec<Signal<Out, Bits<24>>>,
    pub mem_wdata: Vec<Signal<Out, Bits<W>>>,
    pub mem_wstrb: Vec<Signal<Out, Bits<KEEP>>>,
    pub mem_rdata: Vec<Signal<In, Bits<W>>>,
    // The six clients, readers first.
    wants: Vec<Signal<Local, Bit>>,
    processor: Vec<Signal<Local, Bits<4>>>,
    address: Vec<Signal<Local, Bits<24>>>,
    nowhere: Vec<Signal<Local, Bit>>,
    grant: Vec<Signal<Local, Bit>>,
    /// Whose turn it is. Element 6 i + k: at the memory of processor i, client k's.
    turn: Vec<DFF<Bit>>,
    /// The same numbering: client k wants that memory, and it is not its turn.
    waits: Vec<Signal<Local, Bit>>,
    any_waits: Vec<Signal<Local, Bit>>,
    beaten: Vec<Signal<Local, Bit>>,
    /// Element 6 k + j: client j was granted longer ago than k, so it goes first.
    goes_first: Vec<DFF<Bit>>,
    // Granted.
    granted: Vec<DFF<Bit>>,
    granted_processor: Vec<DFF<Bits<4>>>,
    granted_address: Vec<DFF<Bits<24>>>,
    granted_data: Vec<DFF<Bits<W>>>,
    granted_strobe: Vec<DFF<Bits<KEEP>>>,
    // Beats of received frames: as they come, when they hold up who wants the same memory, and beside what was granted.
    receives: Vec<DFF<Bit>>,
    receiving_address: Vec<DFF<Bits<24>>>,
    receiving_data: DFF<Bits<W>>,
    receiving_strobe: DFF<Bits<KEEP>>,
    received: Vec<DFF<Bit>>,
    received_address: Vec<DFF<Bits<24>>>,
    received_data: DFF<Bits<W>>,
    received_strobe: DFF<Bits<KEEP>>,
    // At the port of a memory. Element 6 i + k: client k.
    here: Vec<Signal<Local, Bit>>,
    address_here: Vec<Signal<Local, Bits<24>>>,
    port_valid: Vec<Signal<Local, Bit>>,
    port_write: Vec<Signal<Local, Bit>>,
    port_address: Vec<Signal<Local, Bits<24>>>,
    port_data: Vec<Signal<Local, Bits<W>>>,
    port_strobe: Vec<Signal<Local, Bits<KEEP>>>,
    valid: Vec<DFF<Bit>>,
    write: Vec<DFF<Bit>>,
    addr: Vec<DFF<Bits<24>>>,
    wdata: Vec<DFF<Bits<W>>>,
    wstrb: Vec<DFF<Bits<KEEP>>>,
    /// Whose memory a reader's line comes from, on its way there and back. Element 3 s + k: stage s, reader k.
    underway: Vec<DFF<Bits<4>>>,
    line_here: Vec<Signal<Local, Bits<W>>>,
    answer: Vec<Signal<Local, Bits<W>>>,
    rdata: Vec<DFF<Bits<W>>>,
    initially: Vec<Constant<Bit>>,
    initial_turn: Vec<Constant<Bit>>,
    _processors: usize,
}

impl<const W: usize, const KEEP: usize> MemoryArbiter<W, KEEP> {
    /// In front of the memories of `processors` processors.
    pub fn new(processors: usize) -> Self {
        assert!(KEEP * 8 == W && processors <= 16);
        // Literals below, as the HDL has no named bounds.
        assert_eq!((READERS, WRITERS, MEMORY_LATENCY, READ_LATENCY), (3, 3, 2, 5));
        block! {
            Self {
                receive_valid: many(processors),
                receive_address: many(processors),
                reader_valid: many(3),
                reader_processor: many(3),
                reader_address: many(3),
                reader_grant: many(3),
                reader_data: many(3),
                writer_valid: many(3),
                writer_processor: many(3),
                writer_address: many(3),
                writer_data: many(3),
                writer_strobe: many(3),
                writer_grant: many(3),
                mem_valid: many(processors),
                mem_write: many(processors),
                mem_addr: many(processors),
                mem_wdata: many(processors),
                mem_wstrb: many(processors),
                mem_rdata: many(processors),
                wants: many(6),
                processor: many(6),
                address: many(6),
                nowhere: many(6),
                grant: many(6),
                turn: many(6 * processors),
                waits: many(6 * processors),
                any_waits: many(processors),
                beaten: many(6 * processors),
                goes_first: many(36),
                granted: many(6),
                granted_processor: many(6),
                granted_address: many(6),
                granted_data: many(3),
                granted_strobe: many(3),
                receives: many(processors),
                receiving_address: many(processors),
                received: many(processors),
                received_address: many(processors),
                here: many(6 * processors),
                address_here: many(6 * processors),
                port_valid: many(processors),
                port_write: many(processors),
                port_address: many(processors),
                port_data: many(processors),
                port_strobe: many(processors),
                valid: many(processors),
                write: many(processors),
                addr: many(processors),
                wdata: many(processors),
                wstrb: many(processors),
                underway: many(9),
                line_here: many(3 * processors),
                answer: many(3),
                rdata: many(3),
                initially: (0..36).map(|at| Constant::new(at % 6 < at / 6)).collect(),
                initial_turn: (0..6).map(|k| Constant::new(k == 0)).collect(),
                _processors: processors,
            },
            clock, reset, receive_data, receive_strobe, receiving_data, receiving_strobe, received_data, received_strobe
        }
    }
}

impl<const W: usize, const KEEP: usize> Logic for MemoryArbiter<W, KEEP> {
    #[hdl_gen]
    fn update(&mut self) {
        // Who wants what.
        for k in 0..3 {
            self.wants[k].next = self.reader_valid[k].val();
            self.processor[k].next = self.reader_processor[k].val();
            self.address[k].next = self.reader_address[k].val();
            self.wants[k + 3].next = self.writer_valid[k].val();
            self.processor[k + 3].next = self.writer_processor[k].val();
            self.address[k + 3].next = self.writer_address[k].val();
        }

        // Who gets it: whose turn it is. What is wanted of no memory is granted at once.
        for k in 0..6 {
            self.nowhere[k].next = true;
            self.grant[k].next = false;
            for i in 0..self._processors {
                self.waits[6 * i + k].next = false;
                if self.processor[k].val() == i.to_bits() {
                    self.nowhere[k].next = false;
                    self.grant[k].next = self.wants[k].val() & self.turn[6 * i + k].q.val() & !self.receives[i].q.val();
                    self.waits[6 * i + k].next = self.wants[k].val() & !self.turn[6 * i + k].q.val();
                }
            }
            if self.nowhere[k].val() {
                self.grant[k].next = self.wants[k].val();
            }
        }

        // Whose turn is next. `goes_first` is a total order at all times, so of those that wait exactly one is not beaten. Received
        // frames leave the turn where it is, or they could keep a client from ever using its own.
        for i in 0..self._processors {
            self.any_waits[i].next = false;
            for k in 0..6 {
                self.any_waits[i].next = self.any_waits[i].val() | self.waits[6 * i + k].val();
                self.beaten[6 * i + k].next = false;
                for j in 0..6 {
                    if self.waits[6 * i + j].val() & self.goes_first[6 * k + j].q.val() {
                        self.beaten[6 * i + k].next = true;
                    }
                }
            }
            for k in 0..6 {
                self.turn[6 * i + k].clock.next = self.clock.val();
                self.turn[6 * i + k].d.next = self.turn[6 * i + k].q.val();
                if self.any_waits[i].val() & !self.receives[i].q.val() {
                    self.turn[6 * i + k].d.next = self.waits[6 * i + k].val() & !self.beaten[6 * i + k].val();
                }
                if self.reset.val() {
                    self.turn[6 * i + k].d.next = self.initial_turn[k].val();
                }
            }
        }
        for k in 0..3 {
            self.reader_grant[k].next = self.grant[k].val();
            self.writer_grant[k].next = self.grant[k + 3].val();
        }
        for k in 0..6 {
            for j in 0..6 {
                self.goes_first[6 * k + j].clock.next = self.clock.val();
                self.goes_first[6 * k + j].d.next = self.goes_first[6 * k + j].q.val();
                if self.grant[j].val() & !self.grant[k].val() {
                    self.goes_first[6 * k + j].d.next = false;
                }
                if self.grant[k].val() & !self.grant[j].val() {
                    self.goes_first[6 * k + j].d.next = true;
                }
                if self.reset.val() {
                    self.goes_first[6 * k + j].d.next = self.initially[6 * k + j].val();
                }
            }
        }

        // What was granted, and the received beat beside it.
        for k in 0..6 {
            self.granted[k].clock.next = self.clock.val();
            self.granted[k].d.next = self.grant[k].val() & !self.reset.val();
            self.granted_processor[k].clock.next = self.clock.val();
            self.granted_processor[k].d.next = self.processor[k].val();
            self.granted_address[k].clock.next = self.clock.val();
            self.granted_address[k].d.next = self.address[k].val();
        }
        for k in 0..3 {
            self.granted_data[k].clock.next = self.clock.val();
            self.granted_data[k].d.next = self.writer_data[k].val();
            self.granted_strobe[k].clock.next = self.clock.val();
            self.granted_strobe[k].d.next = self.writer_strobe[k].val();
        }
        dff_setup!(self, clock, receiving_data, receiving_strobe, received_data, received_strobe);
        self.receiving_data.d.next = self.receive_data.val();
        self.receiving_strobe.d.next = self.receive_strobe.val();
        self.received_data.d.next = self.receiving_data.q.val();
        self.received_strobe.d.next = self.receiving_strobe.q.val();

        // At most one of a memory's seven possible accesses is there, so they are joined by OR.
        for i in 0..self._processors {
            self.receives[i].clock.next = self.clock.val();
            self.receives[i].d.next = self.receive_valid[i].val() & !self.reset.val();
            self.receiving_address[i].clock.next = self.clock.val();
            self.receiving_address[i].d.next = self.receive_address[i].val();
            self.received[i].clock.next = self.clock.val();
            self.received[i].d.next = self.receives[i].q.val() & !self.reset.val();
            self.received_address[i].clock.next = self.clock.val();
            self.received_address[i].d.next = self.receiving_address[i].q.val();
            self.port_valid[i].next = self.received[i].q.val();
            self.port_write[i].next = self.received[i].q.val();
            self.port_address[i].next = 0.into();
            if self.received[i].q.val() {
                self.port_address[i].next = self.received_address[i].q.val();
            }
            for k in 0..6 {
                self.here[6 * i + k].next =
                    self.granted[k].q.val() & (self.granted_processor[k].q.val() == i.to_bits());
                self.address_here[6 * i + k].next = 0.into();
                if self.here[6 * i + k].val() {
                    self.port_valid[i].next = true;
                    self.address_here[6 * i + k].next = self.granted_address[k].q.val();
                }
                self.port_address[i].next = self.port_address[i].val() | self.address_here[6 * i + k].val();
            }
            // A read's data and strobe are of no matter.
            self.port_data[i].next = self.received_data.q.val();
            self.port_strobe[i].next = self.received_strobe.q.val();
            for k in 0..3 {
                if self.here[6 * i + k + 3].val() {
                    self.port_write[i].next = true;
                    self.port_data[i].next = self.granted_data[k].q.val();
                    self.port_strobe[i].next = self.granted_strobe[k].q.val();
                }
            }
            self.valid[i].clock.next = self.clock.val();
            self.valid[i].d.next = self.port_valid[i].val() & !self.reset.val();
            self.write[i].clock.next = self.clock.val();
            self.write[i].d.next = self.port_write[i].val();
            self.addr[i].clock.next = self.clock.val();
            self.addr[i].d.next = self.port_address[i].val();
            self.wdata[i].clock.next = self.clock.val();
            self.wdata[i].d.next = self.port_data[i].val();
            self.wstrb[i].clock.next = self.clock.val();
            self.wstrb[i].d.next = self.port_strobe[i].val();
            self.mem_valid[i].next = self.valid[i].q.val();
            self.mem_write[i].next = self.write[i].q.val();
            self.mem_addr[i].next = self.addr[i].q.val();
            self.mem_wdata[i].next = self.wdata[i].q.val();
            self.mem_wstrb[i].next = self.wstrb[i].q.val();
        }

        // The way back.
        for k in 0..3 {
            for s in 0..3 {
                self.underway[3 * s + k].clock.next = self.clock.val();
            }
            self.underway[k].d.next = self.granted_processor[k].q.val();
            for s in 1..3 {
                self.underway[3 * s + k].d.next = self.underway[3 * s + k - 3].q.val();
            }
            self.answer[k].next = 0.into();
            for i in 0..self._processors {
                self.line_here[3 * i + k].next = 0.into();
                if self.underway[k + 6].q.val() == i.to_bits() {
                    self.line_here[3 * i + k].next = self.mem_rdata[i].val();
                }
                self.answer[k].next = self.answer[k].val() | self.line_here[3 * i + k].val();
            }
            self.rdata[k].clock.next = self.clock.val();
            self.rdata[k].d.next = self.answer[k].val();
            self.reader_data[k].next = self.rdata[k].q.val();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emit::emit;
    use crate::random::Random;
    use std::collections::{BTreeMap, VecDeque};

    const N: usize = 3;
    /// What a client asks for: processor, address and, from a writer, the line's value in all bytes with the lanes to write.
    type Request = (u64, u64, Option<(u8, u64)>);
    type Line = [u8; 8];

    /// The arbiter with memories of the promised latency behind it.
    struct Bench {
        dut: MemoryArbiter<64, 8>,
        memory: BTreeMap<(u64, u64), Line>,
        answers: Vec<VecDeque<Line>>,
        /// What a reader must find: per reader, the cycle and the line.
        due: Vec<VecDeque<(usize, Line)>>,
        /// The memories as they will be when all that was granted has arrived.
        promised: BTreeMap<(u64, u64), Line>,
        /// Beats of the last cycle.
        received: [Option<(u64, u8, u64)>; N],
        cycle: usize,
        compared: usize,
    }

    fn number(line: Line) -> Bits<64> {
        u64::from_le_bytes(line).to_bits()
    }

    fn written(old: Line, value: u8, lanes: u64) -> Line {
        std::array::from_fn(|i| if lanes >> i & 1 == 1 { value } else { old[i] })
    }

    impl Bench {
        fn new() -> Self {
            let mut dut = MemoryArbiter::new(N);
            dut.connect_all();
            let mut bench = Bench {
                dut,
                memory: BTreeMap::new(),
                answers: vec![[Line::default(); MEMORY_LATENCY - 1].into(); N],
                due: vec![VecDeque::new(); READERS],
                promised: BTreeMap::new(),
                received: [None; N],
                cycle: 0,
                compared: 0,
            };
            bench.dut.reset.next = true;
            bench.cycle(&[None; N], &[None; 6]);
            bench.dut.reset.next = false;
            bench
        }

        /// One cycle; who was granted. A beat holds up who asks in the next cycle.
        fn cycle(&mut self, received: &[Option<(u64, u8, u64)>; N], requests: &[Option<Request>; 6]) -> [bool; 6] {
            let dut = &mut self.dut;
            for (i, beat) in received.iter().enumerate() {
                dut.receive_valid[i].next = beat.is_some();
                if let Some((address, value, lanes)) = beat {
                    dut.receive_address[i].next = (*address).to_bits();
                    dut.receive_data.next = number([*value; 8]);
                    dut.receive_strobe.next = (*lanes).to_bits();
                }
            }
            for (k, request) in requests.iter().enumerate() {
                let (valid, (processor, address, data)) = (request.is_some(), request.unwrap_or((0, 0, None)));
                if k < READERS {
                    dut.reader_valid[k].next = valid;
                    dut.reader_processor[k].next = processor.to_bits();
                    dut.reader_address[k].next = address.to_bits();
                } else {
                    let (value, lanes) = data.unwrap_or_default();
                    dut.writer_valid[k - 3].next = valid;
                    dut.writer_processor[k - 3].next = processor.to_bits();
                    dut.writer_address[k - 3].next = address.to_bits();
                    dut.writer_data[k - 3].next = number([value; 8]);
                    dut.writer_strobe[k - 3].next = lanes.to_bits();
                }
            }
            dut.clock.next = false.into();
            assert!(simulate(dut, 20));
            let mut granted = [false; 6];
            for (k, granted) in granted.iter_mut().enumerate() {
                *granted = if k < 3 { dut.reader_grant[k].val() } else { dut.writer_grant[k - 3].val() };
            }

            // Promises: readers see what was granted before, then this cycle's writes happen.
            for k in 0..READERS {
                while let Some((cycle, line)) = self.due[k].front().copied()
                    && cycle <= self.cycle
                {
                    assert_eq!(dut.reader_data[k].val().to_u64(), u64::from_le_bytes(line), "reader {k}");
                    self.due[k].pop_front();
                    self.compared += 1;
                }
                if let (Some((processor, address, _)), true) = (requests[k], granted[k]) {
                    let line = self.promised.get(&(processor, address)).copied().unwrap_or_default();
                    self.due[k].push_back((self.cycle + READ_LATENCY, line));
                }
            }
            let received =
                std::mem::replace(&mut self.received, *received).into_iter().enumerate().filter_map(|(i, beat)| {
                    let (address, value, lanes) = beat?;
                    Some(((i as u64, address), value, lanes))
                });
            let writers = (3..6).filter(|k| granted[*k]).filter_map(|k| {
                let (processor, address, data) = requests[k]?;
                let (value, lanes) = data?;
                (processor < N as u64).then_some(((processor, address), value, lanes))
            });
            if !dut.reset.val() {
                for (place, value, lanes) in received.chain(writers) {
                    let line = self.promised.entry(place).or_default();
                    *line = written(*line, value, lanes);
                }
            }

            // The memories.
            for i in 0..N {
                let place = (i as u64, dut.mem_addr[i].val().to_u64());
                let line = self.memory.get(&place).copied().unwrap_or_default();
                self.answers[i].push_back(line);
                if dut.mem_valid[i].val() && dut.mem_write[i].val() {
                    let data = dut.mem_wdata[i].val().to_u64().to_le_bytes();
                    let lanes = dut.mem_wstrb[i].val().to_u64();
                    let new = std::array::from_fn(|b| if lanes >> b & 1 == 1 { data[b] } else { line[b] });
                    self.memory.insert(place, new);
                }
            }
            dut.clock.next = true.into();
            assert!(simulate(dut, 20));
            for i in 0..N {
                let answer = self.answers[i].pop_front().expect("an answer is under way");
                dut.mem_rdata[i].next = number(answer);
            }
            self.cycle += 1;
            granted
        }
    }

    #[test]
    fn readers_find_what_was_granted_before_them_and_nobody_waits_for_more_than_one_access_of_the_others() {
        let mut random = Random::seeded(7);
        let mut bench = Bench::new();
        let mut requests: [Option<Request>; 6] = [None; 6];
        let mut waited = [0; 6];
        let (mut grants, mut most) = ([0; 6], 0);
        let mut idle = [false; N];
        for cycle in 0..20_000 {
            // Quiet and busy spells; few addresses, so that accesses meet.
            let busy = 1 + (cycle / 500) % 8;
            for (k, request) in requests.iter_mut().enumerate() {
                if request.is_none() && random.below(8) < busy {
                    let data = (k >= READERS).then(|| (random.below(256) as u8, random.below(256)));
                    *request = Some((random.below(N as u64 + 1), 8 * random.below(4), data));
                }
            }
            let received: [_; N] = [0, 2, 5].map(|often| {
                (random.below(8) < often).then_some((8 * random.below(4), cycle as u8, 0xFF >> (cycle % 8)))
            });
            let before = bench.received;
            let granted = bench.cycle(&received, &requests);
            let received = before;
            for processor in 0..N {
                let asks = |k: &usize| requests[*k].is_some_and(|request| request.0 == processor as u64);
                let free = received[processor].is_none();
                let wanted = (0..6).any(|k| asks(&k));
                let count = (0..6).filter(asks).filter(|k| granted[*k]).count();
                assert!(count <= usize::from(wanted && free), "a memory is never used twice");
                // The turn passes on in one cycle.
                let now_idle = wanted && free && count == 0;
                assert!(!(now_idle && idle[processor]), "a wanted memory is not left idle");
                idle[processor] = now_idle || (idle[processor] && !free);
            }
            for k in 0..6 {
                let Some((processor, ..)) = requests[k] else { continue };
                let held_up = received.get(processor as usize).is_some_and(|beat| beat.is_some());
                assert!(!(granted[k] && held_up), "received frames go first");
                assert!(granted[k] || processor < N as u64, "what is wanted of no memory is granted at once");
                if granted[k] {
                    most = most.max(waited[k]);
                    (requests[k], waited[k]) = (None, 0);
                    grants[k] += 1;
                } else if !held_up {
                    waited[k] += 1;
                }
            }
        }
        assert!(most <= 6, "waited {most} cycles for five others and the turn");
        assert!(grants.iter().all(|g| *g > 4000), "{grants:?}");
        assert!(bench.compared > 12_000, "{}", bench.compared);
        let memory: BTreeMap<_, _> = bench.memory.iter().filter(|(_, line)| **line != Line::default()).collect();
        assert!(memory.len() >= 10);
    }

    #[test]
    fn clients_of_different_memories_do_not_meet_and_those_of_one_share_it_evenly() {
        let mut bench = Bench::new();
        let apart = [Some((0, 0, None)), Some((1, 0, None)), Some((2, 0, None)), None, None, None];
        bench.cycle(&[None; N], &apart);
        for _ in 0..50 {
            assert_eq!(bench.cycle(&[None; N], &apart), [true, true, true, false, false, false]);
        }
        let write = Some((1, 8, Some((9, 0xFF))));
        let together = [Some((1, 0, None)), Some((1, 0, None)), Some((1, 0, None)), write, write, write];
        let mut grants = [0; 6];
        for _ in 0..60 {
            let granted = bench.cycle(&[None; N], &together);
            assert_eq!(granted.iter().filter(|g| **g).count(), 1, "a wanted memory is never idle");
            for k in 0..6 {
                grants[k] += usize::from(granted[k]);
            }
        }
        assert_eq!(grants, [10; 6]);
    }

    #[test]
    fn it_can_be_printed_for_every_number_of_processors() {
        for n in [2, 5, 16] {
            emit(&mut MemoryArbiter::<64, 8>::new(n), "memory_arbiter").expect("64");
        }
        emit(&mut MemoryArbiter::<512, 64>::new(16), "memory_arbiter").expect("512");
    }
}
