//! Where software writes its DMA descriptors: keeps the words of the next one, and gives them to the engine one by one.
//!
//! The words stay from descriptor to descriptor. Once one is pushed, a word may be written again as soon as the engine has fetched it.
//!
//! | port         | dir | width | meaning                                                                              |
//! |--------------|-----|-------|--------------------------------------------------------------------------------------|
//! | `valid`      | in  | 1     | a request comes to the register file                                                 |
//! | `write`      | in  | 1     | it writes                                                                            |
//! | `addr`       | in  | A     | its byte offset                                                                      |
//! | `held`       | in  | 1     | it stays where it is                                                                 |
//! | `asked`      | in  | 1     | the register file has a request on show                                              |
//! | `writes`     | in  | 1     | it writes                                                                            |
//! | `place`      | in  | A     | its byte offset                                                                      |
//! | `data`       | in  | 32    | what it writes                                                                       |
//! | `hold`       | out | 1     | it cannot be carried out yet: it writes a word that the engine has still to fetch; a register, reset value 0 |
//! | `room`       | in  | 5     | descriptors that the channel may push                                                |
//! | `room_left`  | out | 5     | as many, without the one that waits                                                  |
//! | `refused`    | out | 1     | the request on show pushes a descriptor for which there is no room                   |
//! | `push`       | out | 1     | a descriptor waits; until it is granted; reset value 0                               |
//! | `take`       | in  | 1     | the engine fetches a word of it                                                      |
//! | `word`       | in  | 3     | which one; they are fetched in order                                                 |
//! | `grant`      | in  | 1     | with `take`: the last one                                                            |
//! | `word_data`  | out | 32    | one cycle later: the word                                                            |
//!
//! Latency: `push` a cycle after the write of DMA_PUSH. Throughput: one write per cycle. The words read 0 after [`RESET_CYCLES`] of reset.

use abi::dma::DESCRIPTOR_WORDS;
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

use crate::memory::{Collision, Memory};

/// Reset must last this long: a word a cycle.
pub const RESET_CYCLES: usize = 8;

/// See the module's page. `A` is the number of bits of a byte offset.
#[derive(LogicBlock)]
pub struct DescriptorPort<const A: usize> {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub valid: Signal<In, Bit>,
    pub write: Signal<In, Bit>,
    pub addr: Signal<In, Bits<A>>,
    pub held: Signal<In, Bit>,
    pub asked: Signal<In, Bit>,
    pub writes: Signal<In, Bit>,
    pub place: Signal<In, Bits<A>>,
    pub data: Signal<In, Bits<32>>,
    pub hold: Signal<Out, Bit>,
    pub room: Signal<In, Bits<5>>,
    pub room_left: Signal<Out, Bits<5>>,
    pub refused: Signal<Out, Bit>,
    pub push: Signal<Out, Bit>,
    pub take: Signal<In, Bit>,
    pub word: Signal<In, Bits<3>>,
    pub grant: Signal<In, Bit>,
    pub word_data: Signal<Out, Bits<32>>,
    /// The request on show is to one of the words.
    here: DFF<Bit>,
    here_next: Signal<Local, Bit>,
    /// Which one.
    index: Signal<Local, Bits<3>>,
    /// Of the request that will be on show.
    index_next: Signal<Local, Bits<3>>,
    writes_next: Signal<Local, Bit>,
    waits: DFF<Bit>,
    stores: Signal<Local, Bit>,
    pushes: Signal<Local, Bit>,
    pushed: DFF<Bit>,
    pushed_next: Signal<Local, Bit>,
    /// Words of the descriptor that waits which the engine has, as of a cycle ago.
    fetched: DFF<Bits<3>>,
    clearing: DFF<Bits<3>>,
    kept: Memory<32, 3>,
    block: Constant<Bits<A>>,
    last: Constant<Bits<3>>,
}

impl<const A: usize> DescriptorPort<A> {
    /// For a register space that has the first word, DMA_SOURCE, at `offset`, and the others behind it, DMA_PUSH last.
    pub fn new(offset: u32) -> Self {
        assert!(offset.is_multiple_of(32) && DESCRIPTOR_WORDS == 7);
        block! {
            Self {
                kept: Memory::new(8, Collision::OldData),
                block: Constant::new((u64::from(offset) >> 5).to_bits()),
                last: Constant::new((DESCRIPTOR_WORDS as u64 - 1).to_bits()),
            },
            clock, reset, valid, write, addr, held, asked, writes, place, data, hold, room, room_left, refused, push,
            take, word, grant, word_data, here, here_next, index, index_next, writes_next, waits, stores, pushes,
            pushed, pushed_next, fetched, clearing
        }
    }
}

impl<const A: usize> Logic for DescriptorPort<A> {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, here, waits, pushed, fetched, clearing);
        self.kept.clock.next = self.clock.val();

        // The request on show.
        self.index.next = self.place.val().get_bits::<3>(2);
        self.hold.next = self.waits.q.val();
        self.stores.next = self.asked.val() & self.writes.val() & self.here.q.val() & !self.waits.q.val();
        self.pushes.next = self.stores.val() & (self.index.val() == self.last.val());
        self.refused.next = self.pushes.val() & !self.room.val().any();
        self.pushed_next.next = (self.pushed.q.val() & !self.grant.val()) | (self.pushes.val() & self.room.val().any());
        self.pushed.d.next = self.pushed_next.val();
        self.push.next = self.pushed.q.val();

        // Whether the next one will have to wait.
        self.fetched.d.next = 0.into();
        if self.take.val() & !self.grant.val() {
            self.fetched.d.next = self.word.val();
        }
        self.here_next.next = self.here.q.val();
        self.index_next.next = self.index.val();
        self.writes_next.next = self.asked.val() & self.writes.val();
        if !self.held.val() {
            self.here_next.next = (self.addr.val() >> 5) == self.block.val();
            self.index_next.next = self.addr.val().get_bits::<3>(2);
            self.writes_next.next = self.valid.val() & self.write.val();
        }
        self.here.d.next = self.here_next.val();
        self.waits.d.next = self.here_next.val()
            & self.writes_next.val()
            & self.pushed_next.val()
            & (self.index_next.val() >= self.fetched.q.val())
            & !self.reset.val();
        self.room_left.next = self.room.val();
        if self.pushed.q.val() {
            self.room_left.next = self.room.val() - 1;
        }

        self.clearing.d.next = self.clearing.q.val() + 1;
        self.kept.write_enable.next = self.stores.val() | self.reset.val();
        self.kept.write_address.next = self.index.val();
        self.kept.write_data.next = self.data.val();
        if self.reset.val() {
            self.kept.write_address.next = self.clearing.q.val();
            self.kept.write_data.next = 0.into();
            self.pushed.d.next = false;
        }
        self.kept.read_address.next = self.word.val();
        self.word_data.next = self.kept.read_data.val();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emit::emit;
    use crate::random::Random;
    use abi::csr::core::{DMA_DONE, DMA_PUSH, DMA_SOURCE};

    type Dut = DescriptorPort<12>;

    fn edge(dut: &mut Dut) {
        for level in [true, false] {
            dut.clock.next = level.into();
            assert!(simulate(dut, 10));
        }
    }

    fn dut() -> Dut {
        let mut dut = Dut::new(DMA_SOURCE.offset);
        dut.connect_all();
        dut.room.next = 16.into();
        dut.reset.next = true;
        for _ in 0..RESET_CYCLES {
            edge(&mut dut);
        }
        dut.reset.next = false;
        edge(&mut dut);
        dut
    }

    /// Random writes, in any order, to the words and elsewhere, against an engine that fetches when it likes.
    #[test]
    fn every_descriptor_has_the_words_that_were_written_before_its_push() {
        let mut dut = dut();
        let mut random = Random::seeded(11);
        let (mut words, mut pushed, mut fetched) = ([0u64; 7], vec![], vec![]);
        let (mut shown, mut fetch): (Option<(u64, u64)>, Option<u64>) = (None, None);
        // What was fetched in the two cycles before, of a descriptor that still waited.
        let mut before = [None; 2];
        let (mut held, mut refused, mut room) = (0, 0, 16u64);
        for _ in 0..20_000 {
            let waiting = pushed.len() > fetched.len() / 7;
            if !waiting {
                room = if random.below(4) == 0 { 0 } else { 1 + random.below(16) };
            }
            dut.room.next = room.to_bits();
            // The engine: a word a cycle once it has begun.
            fetch = match fetch {
                Some(6) | None => (dut.push.val() && random.below(4) == 0).then_some(0),
                Some(word) => Some(word + 1),
            };
            dut.take.next = fetch.is_some();
            dut.word.next = fetch.unwrap_or(random.below(8)).to_bits();
            dut.grant.next = fetch == Some(6);
            // The register file: a request on show, another one behind it.
            let next = (random.below(3) > 0).then(|| {
                let offset = match random.below(8) {
                    0 => u64::from(DMA_PUSH.offset) + 0x20,
                    1 => u64::from(DMA_DONE.offset),
                    _ => u64::from(DMA_SOURCE.offset) + 4 * random.below(7),
                };
                (offset, random.below(1 << 32))
            });
            dut.valid.next = next.is_some();
            dut.write.next = true;
            dut.addr.next = next.unwrap_or_default().0.to_bits();
            dut.asked.next = shown.is_some();
            dut.writes.next = true;
            dut.place.next = shown.unwrap_or_default().0.to_bits();
            dut.data.next = shown.unwrap_or_default().1.to_bits();
            dut.held.next = false;
            assert!(simulate(&mut dut, 10));
            assert_eq!(dut.push.val(), waiting);
            assert_eq!(dut.room_left.val().to_u64(), room - u64::from(waiting));
            let hold = dut.hold.val();
            dut.held.next = hold;
            let own = shown.filter(|(offset, _)| (0xC0..0xDC).contains(offset));
            if let Some((offset, value)) = own {
                let index = (offset - 0xC0) as usize / 4;
                let fetched_by = |fetch: Option<u64>| fetch.is_some_and(|word| index < word as usize);
                assert_eq!(hold, waiting && !fetched_by(before[1]), "word {index}");
                assert!(hold || !waiting || fetched_by(fetch), "word {index} is still to be fetched");
                if !hold {
                    words[index] = value;
                    if index == 6 && room > 0 {
                        pushed.push(words);
                    }
                    assert_eq!(dut.refused.val(), index == 6 && room == 0);
                    refused += usize::from(dut.refused.val());
                }
            }
            held += usize::from(hold);
            before = [fetch.filter(|word| *word < 6), before[0]];
            edge(&mut dut);
            if fetch.is_some() {
                fetched.push(dut.word_data.val().to_u64());
            }
            shown = if hold { shown } else { next };
        }
        assert!(held > 1000 && refused > 100 && pushed.len() > 500, "{held} {refused} {}", pushed.len());
        let whole = fetched.len() / 7;
        assert!(pushed.len() - whole <= 1);
        assert_eq!(fetched[..whole * 7].chunks(7).collect::<Vec<_>>(), pushed[..whole]);
    }

    #[test]
    fn words_that_were_never_written_are_zero() {
        let mut dut = dut();
        dut.asked.next = true;
        dut.writes.next = true;
        dut.valid.next = true;
        dut.write.next = true;
        dut.addr.next = u64::from(DMA_PUSH.offset).to_bits();
        edge(&mut dut);
        dut.place.next = u64::from(DMA_PUSH.offset).to_bits();
        dut.data.next = 5.into();
        edge(&mut dut);
        dut.asked.next = false;
        assert!(dut.push.val());
        for word in 0..7u64 {
            dut.word.next = word.to_bits();
            edge(&mut dut);
            assert_eq!(dut.word_data.val().to_u64(), if word == 6 { 5 } else { 0 });
        }
    }

    #[test]
    fn it_can_be_printed() {
        emit(&mut DescriptorPort::<20>::new(0x1_00C0), "descriptor_port").expect("printed");
    }
}
