//! The decode of a register space, made from the register table: what is stored is stored here, the rest is passed on.
//!
//! A word of the table is one of three kinds, numbered by rising offset: *constant*, *stored* (written by software, read by it and by
//! hardware) and *driven* (supplied by hardware, which hears when it is read or written). Registers that live
//! in a memory of their own are left to the block around: it sees each request as `asked`, `place`, `data`.
//!
//! | port       | dir | width | meaning                                                                              |
//! |------------|-----|-------|--------------------------------------------------------------------------------------|
//! | `valid`    | in  | 1     | a request                                                                            |
//! | `write`    | in  | 1     | to write                                                                             |
//! | `addr`     | in  | `A`   | byte offset; the low two bits are ignored                                            |
//! | `wdata`    | in  | 32    | what to write                                                                        |
//! | `hold`     | in  | 1     | the request that is on show cannot be carried out yet                                |
//! | `ready`    | out | 1     | a request is taken in this cycle: not `hold`                                         |
//! | `asked`    | out | 1     | a request is on show; reset value 0                                                  |
//! | `writes`   | out | 1     | it writes                                                                            |
//! | `place`    | out | `A`   | its byte offset                                                                      |
//! | `data`     | out | 32    | what it writes                                                                       |
//! | `value_s`  | out | 32    | stored word s; reset value from the table                                            |
//! | `changing_s` | out | 1     | the request on show writes stored word s                                           |
//! | `driven_d` | in  | 32    | what driven word d reads                                                             |
//! | `read_d`   | out | 1     | the request on show reads driven word d                                              |
//! | `wrote_d`  | out | 1     | the request on show writes driven word d                                             |
//! | `also`     | in  | 32    | what the request on show reads beside that: the two are or-ed                        |
//! | `rvalid`   | out | 1     | answer to a read; reset value 0                                                      |
//! | `rdata`    | out | 32    | what it reads; 0 where there is no word                                              |
//!
//! Latency: a request is on show a cycle after it was taken, and as long as `hold` is high; a read answers a cycle after the last of
//! them: [`LATENCY`] cycles in all without `hold`. Throughput: one request per cycle.

use abi::csr::{Access, Hardware, Reset, Space};
use abi::limits::MAX_PROCESSORS;
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

use crate::many;

/// Cycles from a read request to its answer.
pub const LATENCY: usize = 2;

/// A 32-bit word of the table.
struct Word {
    /// The register's name; `NAME high` for the upper word of 64 bits, `NAME i` for an element of an array.
    name: String,
    access: Access,
    hardware: Hardware,
    offset: u64,
    mask: u64,
    reset: Option<u64>,
    at_most: u64,
}

/// The words of a space of a card with `processors` processors. Arrays with an element for each processor have that many.
fn words(space: &Space, processors: usize) -> Vec<Word> {
    let mut words = Vec::new();
    for r in space.registers.iter().filter(|r| r.hardware != Hardware::Memory) {
        let count = if r.count as usize == MAX_PROCESSORS { processors } else { r.count as usize };
        for i in 0..count {
            for half in 0..r.width as usize / 32 {
                let part = |value: u64| value >> (32 * half) & 0xffff_ffff;
                words.push(Word {
                    name: match (r.count, half) {
                        (1, 0) => r.name.to_string(),
                        (1, _) => format!("{} high", r.name),
                        _ => format!("{} {i}", r.name),
                    },
                    access: r.access,
                    hardware: r.hardware,
                    offset: u64::from(r.at(i)) + 4 * half as u64,
                    mask: part(r.mask()),
                    reset: match r.reset {
                        Reset::Value(value) => Some(part(value)),
                        Reset::Values(values) => Some(values[i].into()),
                        Reset::Derived(_) => None,
                    },
                    // Out of a word's reach: no limit.
                    at_most: if r.at_most == u32::MAX { 1 << 32 } else { r.at_most.into() },
                });
            }
        }
    }
    words.sort_by_key(|w| w.offset);
    words
}

/// See the module's page.
#[derive(LogicBlock)]
pub struct RegisterFile<const A: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub valid: Signal<In, Bit>,
    pub write: Signal<In, Bit>,
    pub addr: Signal<In, Bits<A>>,
    pub wdata: Signal<In, Bits<32>>,
    pub hold: Signal<In, Bit>,
    pub ready: Signal<Out, Bit>,
    pub asked: Signal<Out, Bit>,
    pub writes: Signal<Out, Bit>,
    pub place: Signal<Out, Bits<A>>,
    pub data: Signal<Out, Bits<32>>,
    pub value: Vec<Signal<Out, Bits<32>>>,
    pub changing: Vec<Signal<Out, Bit>>,
    pub driven: Vec<Signal<In, Bits<32>>>,
    pub read: Vec<Signal<Out, Bit>>,
    pub wrote: Vec<Signal<Out, Bit>>,
    pub also: Signal<In, Bits<32>>,
    pub rvalid: Signal<Out, Bit>,
    pub rdata: Signal<Out, Bits<32>>,
    // The request on show. Its word is decoded a cycle early.
    request: DFF<Bit>,
    request_writes: DFF<Bit>,
    request_place: DFF<Bits<A>>,
    request_data: DFF<Bits<32>>,
    word_addr: Signal<Local, Bits<A>>,
    constant_chosen: Vec<DFF<Bit>>,
    stored_chosen: Vec<DFF<Bit>>,
    driven_chosen: Vec<DFF<Bit>>,
    stored: Vec<DFF<Bits<32>>>,
    arriving: Signal<Local, Bits<33>>,
    // The sum of what each word contributes, for it is chosen or zero.
    constant_part: Vec<Signal<Local, Bits<32>>>,
    stored_part: Vec<Signal<Local, Bits<32>>>,
    driven_part: Vec<Signal<Local, Bits<32>>>,
    constant_sum: Vec<Signal<Local, Bits<32>>>,
    stored_sum: Vec<Signal<Local, Bits<32>>>,
    driven_sum: Vec<Signal<Local, Bits<32>>>,
    answer_valid: DFF<Bit>,
    answer: DFF<Bits<32>>,
    word_mask: Constant<Bits<A>>,
    // Where each word is: its bit among the 16 words of a row, the row's among 16, and the page of rows.
    low_one: Signal<Local, Bits<16>>,
    middle_one: Signal<Local, Bits<16>>,
    constant_low: Vec<Constant<Bits<16>>>,
    constant_middle: Vec<Constant<Bits<16>>>,
    constant_high: Vec<Constant<Bits<A>>>,
    stored_low: Vec<Constant<Bits<16>>>,
    stored_middle: Vec<Constant<Bits<16>>>,
    stored_high: Vec<Constant<Bits<A>>>,
    driven_low: Vec<Constant<Bits<16>>>,
    driven_middle: Vec<Constant<Bits<16>>>,
    driven_high: Vec<Constant<Bits<A>>>,
    constant_value: Vec<Constant<Bits<32>>>,
    stored_reset: Vec<Constant<Bits<32>>>,
    stored_mask: Vec<Constant<Bits<32>>>,
    stored_limit: Vec<Constant<Bits<33>>>,
    _constants: usize,
    _stored: usize,
    _driven: usize,
}

impl<const A: usize> RegisterFile<A> {
    /// The registers of `space` on a card with `processors` processors. `derived` has the value of every constant and the reset value
    /// of every stored word that the table leaves to the card's parameters.
    pub fn new(space: &Space, processors: usize, derived: &[(&str, u32)]) -> Self {
        assert_eq!(space.address_bits as usize, A);
        let words = words(space, processors);
        let of = |kind: Hardware| words.iter().filter(move |w| w.hardware == kind);
        assert!(of(Hardware::Reads).all(|w| w.access == Access::ReadWrite), "what is stored can be read");
        let low = |w: &Word| Constant::new((1u64 << (w.offset >> 2 & 15)).to_bits());
        let middle = |w: &Word| Constant::new((1u64 << (w.offset >> 6 & 15)).to_bits());
        let high = |w: &Word| Constant::new((w.offset >> 10).to_bits());
        let derived = |name: &str| {
            let found = derived.iter().find(|(n, _)| *n == name);
            found.unwrap_or_else(|| panic!("{name} wants a value")).1.into()
        };
        let value = |w: &Word| Constant::new(w.reset.unwrap_or_else(|| derived(&w.name)).to_bits());
        let [constants, stored, driven] =
            [Hardware::Constant, Hardware::Reads, Hardware::Drives].map(|kind| of(kind).count());
        block! {
            Self {
                value: many(stored),
                changing: many(stored),
                driven: many(driven),
                read: many(driven),
                wrote: many(driven),
                constant_chosen: many(constants),
                stored_chosen: many(stored),
                driven_chosen: many(driven),
                stored: many(stored),
                constant_part: many(constants),
                stored_part: many(stored),
                driven_part: many(driven),
                constant_sum: many(constants + 1),
                stored_sum: many(stored + 1),
                driven_sum: many(driven + 1),
                word_mask: Constant::new(((1u64 << A) - 4).to_bits()),
                constant_low: of(Hardware::Constant).map(low).collect(),
                constant_middle: of(Hardware::Constant).map(middle).collect(),
                constant_high: of(Hardware::Constant).map(high).collect(),
                stored_low: of(Hardware::Reads).map(low).collect(),
                stored_middle: of(Hardware::Reads).map(middle).collect(),
                stored_high: of(Hardware::Reads).map(high).collect(),
                driven_low: of(Hardware::Drives).map(low).collect(),
                driven_middle: of(Hardware::Drives).map(middle).collect(),
                driven_high: of(Hardware::Drives).map(high).collect(),
                constant_value: of(Hardware::Constant).map(value).collect(),
                stored_reset: of(Hardware::Reads).map(value).collect(),
                stored_mask: of(Hardware::Reads).map(|w| Constant::new(w.mask.to_bits())).collect(),
                stored_limit: of(Hardware::Reads).map(|w| Constant::new(w.at_most.to_bits())).collect(),
                _constants: constants,
                _stored: stored,
                _driven: driven,
            },
            clock, reset, valid, write, addr, wdata, hold, ready, asked, writes, place, data, also, rvalid, rdata,
            request, request_writes, request_place, request_data, word_addr, arriving, answer_valid, answer, low_one,
            middle_one
        }
    }

    /// Names of the words of a kind by number; for a block to state which number is which.
    pub fn names(space: &Space, processors: usize, kind: Hardware) -> Vec<String> {
        words(space, processors).into_iter().filter(|w| w.hardware == kind).map(|w| w.name).collect()
    }
}

impl<const A: usize> Logic for RegisterFile<A> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, request, request_writes, request_place, request_data, answer_valid, answer);

        // Take a request and decode it.
        self.ready.next = !self.hold.val();
        self.word_addr.next = self.addr.val() & self.word_mask.val();
        self.low_one.next = bits::<16>(1) << self.addr.val().get_bits::<4>(2);
        self.middle_one.next = bits::<16>(1) << self.addr.val().get_bits::<4>(6);
        if !self.hold.val() {
            self.request.d.next = self.valid.val() & !self.reset.val();
            self.request_writes.d.next = self.write.val();
            self.request_place.d.next = self.word_addr.val();
            self.request_data.d.next = self.wdata.val();
        }
        if self.reset.val() {
            self.request.d.next = false;
        }
        self.asked.next = self.request.q.val();
        self.writes.next = self.request_writes.q.val();
        self.place.next = self.request_place.q.val();
        self.data.next = self.request_data.q.val();

        self.constant_sum[0].next = 0.into();
        self.stored_sum[0].next = 0.into();
        self.driven_sum[0].next = 0.into();
        self.answer.d.next = 0.into();
        for c in 0..self._constants {
            self.constant_chosen[c].clock.next = self.clock.val();
            self.constant_chosen[c].d.next = self.constant_chosen[c].q.val();
            if !self.hold.val() {
                self.constant_chosen[c].d.next = (self.low_one.val() & self.constant_low[c].val()).any()
                    & (self.middle_one.val() & self.constant_middle[c].val()).any()
                    & ((self.addr.val() >> 10) == self.constant_high[c].val());
            }
            self.constant_part[c].next = 0.into();
            if self.constant_chosen[c].q.val() {
                self.constant_part[c].next = self.constant_value[c].val();
            }
            self.constant_sum[c + 1].next = self.constant_sum[c].val() | self.constant_part[c].val();
            // The last one has the last word; so below.
            self.stored_sum[0].next = self.constant_sum[c + 1].val();
        }

        self.arriving.next = bit_cast::<33, 32>(self.request_data.q.val());
        for s in 0..self._stored {
            self.stored_chosen[s].clock.next = self.clock.val();
            self.stored_chosen[s].d.next = self.stored_chosen[s].q.val();
            if !self.hold.val() {
                self.stored_chosen[s].d.next = (self.low_one.val() & self.stored_low[s].val()).any()
                    & (self.middle_one.val() & self.stored_middle[s].val()).any()
                    & ((self.addr.val() >> 10) == self.stored_high[s].val());
            }
            self.stored[s].clock.next = self.clock.val();
            self.stored[s].d.next = self.stored[s].q.val();
            self.changing[s].next = self.request.q.val() & self.request_writes.q.val() & self.stored_chosen[s].q.val();
            if self.request.q.val() & self.request_writes.q.val() & self.stored_chosen[s].q.val() {
                self.stored[s].d.next = self.request_data.q.val() & self.stored_mask[s].val();
                if self.arriving.val() > self.stored_limit[s].val() {
                    self.stored[s].d.next = self.stored_limit[s].val().get_bits::<32>(0);
                }
            }
            if self.reset.val() {
                self.stored[s].d.next = self.stored_reset[s].val();
            }
            self.value[s].next = self.stored[s].q.val();
            self.stored_part[s].next = 0.into();
            if self.stored_chosen[s].q.val() {
                self.stored_part[s].next = self.stored[s].q.val();
            }
            self.stored_sum[s + 1].next = self.stored_sum[s].val() | self.stored_part[s].val();
            self.driven_sum[0].next = self.stored_sum[s + 1].val();
        }

        for d in 0..self._driven {
            self.driven_chosen[d].clock.next = self.clock.val();
            self.driven_chosen[d].d.next = self.driven_chosen[d].q.val();
            if !self.hold.val() {
                self.driven_chosen[d].d.next = (self.low_one.val() & self.driven_low[d].val()).any()
                    & (self.middle_one.val() & self.driven_middle[d].val()).any()
                    & ((self.addr.val() >> 10) == self.driven_high[d].val());
            }
            self.read[d].next = self.request.q.val() & !self.request_writes.q.val() & self.driven_chosen[d].q.val();
            self.wrote[d].next = self.request.q.val() & self.request_writes.q.val() & self.driven_chosen[d].q.val();
            self.driven_part[d].next = 0.into();
            if self.driven_chosen[d].q.val() {
                self.driven_part[d].next = self.driven[d].val();
            }
            self.driven_sum[d + 1].next = self.driven_sum[d].val() | self.driven_part[d].val();
            self.answer.d.next = self.driven_sum[d + 1].val() | self.also.val();
        }

        // Answer.
        self.answer_valid.d.next =
            self.request.q.val() & !self.request_writes.q.val() & !self.hold.val() & !self.reset.val();
        self.rvalid.next = self.answer_valid.q.val();
        self.rdata.next = self.answer.q.val();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emit::emit;
    use abi::csr::{CORE, HOST};

    type Dut = RegisterFile<12>;

    fn dut() -> Dut {
        Dut::new(&CORE, 4, &[])
    }

    /// One clock cycle with a request: (write, offset, data); the answer on show at its end.
    fn cycle(dut: &mut Dut, request: Option<(bool, u64, u64)>) -> Option<u64> {
        let (write, offset, data) = request.unwrap_or_default();
        dut.valid.next = request.is_some();
        dut.write.next = write;
        dut.addr.next = offset.to_bits();
        dut.wdata.next = data.to_bits();
        dut.clock.next = false.into();
        assert!(simulate(dut, 10));
        let answer = dut.rvalid.val().then(|| dut.rdata.val().to_u64());
        dut.clock.next = true.into();
        assert!(simulate(dut, 10));
        answer
    }

    fn read(dut: &mut Dut, offset: u64) -> u64 {
        assert_eq!(cycle(dut, Some((false, offset, 0))), None);
        for _ in 1..LATENCY {
            assert_eq!(cycle(dut, None), None);
        }
        cycle(dut, None).expect("an answer after LATENCY cycles")
    }

    fn reset(dut: &mut Dut) {
        dut.reset.next = true;
        for _ in 0..3 {
            cycle(dut, None);
        }
        dut.reset.next = false;
    }

    #[test]
    fn every_stored_word_resets_and_keeps_the_bits_it_has() {
        let mut dut = dut();
        reset(&mut dut);
        let mut seen = 0;
        for word in words(&CORE, 4).into_iter().filter(|w| w.hardware == Hardware::Reads) {
            let kept = if word.at_most < 1 << 32 { word.at_most } else { word.mask };
            for (written, value) in [(None, word.reset.unwrap()), (Some(0xffff_ffff), kept), (Some(0), 0)] {
                if let Some(written) = written {
                    cycle(&mut dut, Some((true, word.offset, written)));
                }
                assert_eq!(read(&mut dut, word.offset + 3), value, "{} after {written:x?}", word.name);
                assert_eq!(dut.value[seen].val().to_u64(), value, "{} after {written:x?}", word.name);
            }
            seen += 1;
        }
        assert_eq!(seen, 8);
        assert_eq!((read(&mut dut, 0x000), read(&mut dut, 0xFFC)), (0x504E_5443, 0));
    }

    #[test]
    fn a_driven_word_hears_of_reads_and_writes_and_is_held_until_it_can_serve() {
        let mut dut = dut();
        reset(&mut dut);
        let names = Dut::names(&CORE, 4, Hardware::Drives);
        let out_free = names.iter().position(|n| n == "OUT_FREE").unwrap();
        dut.driven[out_free].next = 0x1234u64.to_bits();
        cycle(&mut dut, Some((false, 0x0A0, 0)));
        dut.hold.next = true;
        for _ in 0..3 {
            // The next request stands at the door.
            assert_eq!(cycle(&mut dut, Some((true, 0x0A4, 9))), None);
            assert!(dut.read[out_free].val() && !dut.wrote[out_free + 1].val() && !dut.ready.val());
        }
        dut.hold.next = false;
        assert_eq!(cycle(&mut dut, Some((true, 0x0A4, 9))), None);
        assert_eq!((dut.wrote[out_free + 1].val(), dut.data.val().to_u64()), (true, 9));
        assert_eq!(cycle(&mut dut, None), Some(0x1234));
        assert_eq!(cycle(&mut dut, None), None);
    }

    #[test]
    fn the_hosts_space_is_a_register_file_too() {
        let derived = [("PARAMETERS", 0x0040_0808), ("HASH_CONTROL", 0x300)];
        let host = emit(&mut RegisterFile::<20>::new(&HOST, 8, &derived), "registers").unwrap();
        let values = host.ports.iter().filter(|p| p.name.starts_with("value_")).count();
        assert_eq!(values, RegisterFile::<20>::names(&HOST, 8, Hardware::Reads).len());
    }
}
