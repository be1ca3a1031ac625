//! The pages of host memory that the host has opened to each processor's DMA channel, and the check that a range lies within one of them.
//!
//! While `reset` is high the memory fills itself with closed windows, one a cycle, so reset must last [`RESET_CYCLES`] cycles.
//!
//! | port              | dir | width | meaning                                                                            |
//! |-------------------|-----|-------|------------------------------------------------------------------------------------|
//! | `window_write`    | in  | 1     | the host writes a word                                                             |
//! | `window_read`     | in  | 1     | the host reads a word; not with `window_write`                                     |
//! | `window_index`    | in  | 8     | which: processor, window, word of [`abi::dma::Window::words`], lowest last         |
//! | `window_wdata`    | in  | 32    | its new value; bits without a meaning are not stored                               |
//! | `window_rdata`    | out | 32    | [`READ_LATENCY`] cycles after `window_read`: its value                             |
//! | `check`           | in  | 1     | check a range                                                                      |
//! | `check_processor` | in  | 4     | in the windows of this processor; stable until `checked`                           |
//! | `check_write`     | in  | 1     | it will be written, not read; stable until `checked`                               |
//! | `check_first`     | in  | 52    | its first page; from two cycles after `check` until `checked`                      |
//! | `check_last`      | in  | 52    | its last page; the same                                                            |
//! | `checked`         | out | 1     | the answer is there; reset value 0                                                 |
//! | `allowed`         | out | 1     | with `checked`: all pages lie within one open window                               |
//!
//! Latency: [`CHECK_LATENCY`] cycles from `check` to `checked`, one more for each `window_read` in between. Throughput: one check at a time.

use abi::dma::{WINDOW_WORDS, WINDOWS, Window};
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;

use crate::memory::{Collision, Memory};

/// Cycles from `window_read` to `window_rdata`: read, register.
pub const READ_LATENCY: usize = 2;

/// Cycles from `check` to `checked`: read, register, compare; four windows.
pub const CHECK_LATENCY: usize = 6;

/// Cycles that `reset` must be held for all windows to close.
pub const RESET_CYCLES: usize = 16 * WINDOWS;

/// See the module's page.
#[derive(LogicBlock)]
pub struct DmaWindows {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub window_write: Signal<In, Bit>,
    pub window_read: Signal<In, Bit>,
    pub window_index: Signal<In, Bits<8>>,
    pub window_wdata: Signal<In, Bits<32>>,
    pub window_rdata: Signal<Out, Bits<32>>,
    pub check: Signal<In, Bit>,
    pub check_processor: Signal<In, Bits<4>>,
    pub check_write: Signal<In, Bit>,
    pub check_first: Signal<In, Bits<52>>,
    pub check_last: Signal<In, Bits<52>>,
    pub checked: Signal<Out, Bit>,
    pub allowed: Signal<Out, Bit>,
    // A memory for each word. The low word of the first page has the flags below its 20 bits.
    first_low: Memory<22, 6>,
    first_high: Memory<32, 6>,
    last_low: Memory<20, 6>,
    last_high: Memory<32, 6>,
    clear_place: DFF<Bits<6>>,
    write_place: Signal<Local, Bits<6>>,
    read_place: Signal<Local, Bits<6>>,
    word: Signal<Local, Bits<2>>,
    low_word: Signal<Local, Bits<22>>,
    // The host's reads.
    reads: DFF<Bit>,
    read_word: DFF<Bits<2>>,
    rdata: DFF<Bits<32>>,
    // The window under inspection, step by step: asked for, at the memories' output, in registers, compared.
    asking: DFF<Bit>,
    ask: DFF<Bits<2>>,
    asks: Signal<Local, Bit>,
    asked: Signal<Local, Bits<2>>,
    fetched: DFF<Bit>,
    fetched_last: DFF<Bit>,
    held: DFF<Bit>,
    held_last: DFF<Bit>,
    first_page: DFF<Bits<52>>,
    last_page: DFF<Bits<52>>,
    readable: DFF<Bit>,
    writable: DFF<Bit>,
    open: Signal<Local, Bit>,
    matched: DFF<Bit>,
    done: DFF<Bit>,
}

impl Default for DmaWindows {
    fn default() -> Self {
        assert_eq!((WINDOWS, WINDOW_WORDS, Window::READABLE, Window::WRITABLE), (4, 4, 1, 2));
        block! {
            Self {
                // A window that changes while it is checked is the old one or the new one, word by word.
                first_low: Memory::new(16 * WINDOWS, Collision::OldData),
                first_high: Memory::new(16 * WINDOWS, Collision::OldData),
                last_low: Memory::new(16 * WINDOWS, Collision::OldData),
                last_high: Memory::new(16 * WINDOWS, Collision::OldData),
            },
            clock, reset, window_write, window_read, window_index, window_wdata, window_rdata, check, check_processor,
            check_write, check_first, check_last, checked, allowed, clear_place, write_place, read_place, word,
            low_word, reads, read_word, rdata, asking, ask, asks, asked, fetched, fetched_last, held, held_last,
            first_page, last_page, readable, writable, open, matched, done
        }
    }
}

impl Logic for DmaWindows {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, clear_place, reads, read_word, rdata, asking, ask, fetched, fetched_last);
        dff_setup!(self, clock, held, held_last, first_page, last_page, readable, writable, matched, done);
        self.first_low.clock.next = self.clock.val();
        self.first_high.clock.next = self.clock.val();
        self.last_low.clock.next = self.clock.val();
        self.last_high.clock.next = self.clock.val();

        // Write. In reset every word of every window.
        self.clear_place.d.next = self.clear_place.q.val() + self.reset.val();
        self.word.next = self.window_index.val().get_bits::<2>(0);
        self.write_place.next = self.window_index.val().get_bits::<6>(2);
        self.low_word.next = (self.window_wdata.val().get_bits::<22>(12) << 2)
            | bit_cast::<22, 2>(self.window_wdata.val().get_bits::<2>(0));
        self.first_low.write_enable.next = (self.window_write.val() & (self.word.val() == 0)) | self.reset.val();
        self.first_high.write_enable.next = (self.window_write.val() & (self.word.val() == 1)) | self.reset.val();
        self.last_low.write_enable.next = (self.window_write.val() & (self.word.val() == 2)) | self.reset.val();
        self.last_high.write_enable.next = (self.window_write.val() & (self.word.val() == 3)) | self.reset.val();
        self.first_low.write_address.next = self.write_place.val();
        self.first_high.write_address.next = self.write_place.val();
        self.last_low.write_address.next = self.write_place.val();
        self.last_high.write_address.next = self.write_place.val();
        self.first_low.write_data.next = self.low_word.val();
        self.first_high.write_data.next = self.window_wdata.val();
        self.last_low.write_data.next = self.window_wdata.val().get_bits::<20>(12);
        self.last_high.write_data.next = self.window_wdata.val();
        if self.reset.val() {
            self.first_low.write_address.next = self.clear_place.q.val();
            self.first_high.write_address.next = self.clear_place.q.val();
            self.last_low.write_address.next = self.clear_place.q.val();
            self.last_high.write_address.next = self.clear_place.q.val();
            self.first_low.write_data.next = 0.into();
            self.first_high.write_data.next = 0.into();
            self.last_low.write_data.next = 0.into();
            self.last_high.write_data.next = 0.into();
        }

        // Read: the host first, else the window under inspection.
        self.asks.next = (self.check.val() | self.asking.q.val()) & !self.window_read.val();
        self.asked.next = self.ask.q.val();
        if self.check.val() {
            self.asked.next = 0.into();
        }
        self.ask.d.next = self.asked.val() + self.asks.val();
        self.asking.d.next =
            (self.check.val() | self.asking.q.val()) & !(self.asks.val() & (self.asked.val() == 3)) & !self.reset.val();
        self.read_place.next = (bit_cast::<6, 4>(self.check_processor.val()) << 2) | bit_cast::<6, 2>(self.asked.val());
        if self.window_read.val() {
            self.read_place.next = self.window_index.val().get_bits::<6>(2);
        }
        self.first_low.read_address.next = self.read_place.val();
        self.first_high.read_address.next = self.read_place.val();
        self.last_low.read_address.next = self.read_place.val();
        self.last_high.read_address.next = self.read_place.val();

        // The host's word.
        self.read_word.d.next = self.word.val();
        self.rdata.d.next = bit_cast::<32, 22>(self.first_low.read_data.val() >> 2) << 12
            | bit_cast::<32, 2>(self.first_low.read_data.val().get_bits::<2>(0));
        if self.read_word.q.val() == 1 {
            self.rdata.d.next = self.first_high.read_data.val();
        }
        if self.read_word.q.val() == 2 {
            self.rdata.d.next = bit_cast::<32, 20>(self.last_low.read_data.val()) << 12;
        }
        if self.read_word.q.val() == 3 {
            self.rdata.d.next = self.last_high.read_data.val();
        }
        self.window_rdata.next = self.rdata.q.val();

        // Compare.
        self.fetched.d.next = self.asks.val() & !self.reset.val();
        self.fetched_last.d.next = self.asked.val() == 3;
        self.held.d.next = self.fetched.q.val() & !self.reset.val();
        self.held_last.d.next = self.fetched_last.q.val();
        self.first_page.d.next = (bit_cast::<52, 32>(self.first_high.read_data.val()) << 20)
            | bit_cast::<52, 22>(self.first_low.read_data.val() >> 2);
        self.last_page.d.next = (bit_cast::<52, 32>(self.last_high.read_data.val()) << 20)
            | bit_cast::<52, 20>(self.last_low.read_data.val());
        self.readable.d.next = self.first_low.read_data.val().get_bit(0);
        self.writable.d.next = self.first_low.read_data.val().get_bit(1);
        self.open.next =
            (self.readable.q.val() & !self.check_write.val()) | (self.writable.q.val() & self.check_write.val());
        if self.held.q.val()
            & self.open.val()
            & (self.check_first.val() >= self.first_page.q.val())
            & (self.check_last.val() <= self.last_page.q.val())
        {
            self.matched.d.next = true;
        }
        if self.check.val() {
            self.matched.d.next = false;
        }
        self.done.d.next = self.held.q.val() & self.held_last.q.val() & !self.reset.val();
        self.checked.next = self.done.q.val();
        self.allowed.next = self.matched.q.val();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emit::emit;
    use crate::random::Random;

    fn edge(dut: &mut DmaWindows) {
        for level in [true, false] {
            dut.clock.next = level.into();
            assert!(simulate(dut, 10));
        }
    }

    fn new() -> DmaWindows {
        let mut dut = DmaWindows::default();
        dut.connect_all();
        dut.reset.next = true;
        for _ in 0..RESET_CYCLES {
            edge(&mut dut);
        }
        dut.reset.next = false;
        dut
    }

    fn write(dut: &mut DmaWindows, index: u64, word: u32) {
        dut.window_write.next = true;
        dut.window_index.next = index.to_bits();
        dut.window_wdata.next = (word as u64).to_bits();
        edge(dut);
        dut.window_write.next = false;
    }

    fn read(dut: &mut DmaWindows, index: u64) -> u32 {
        dut.window_read.next = true;
        dut.window_index.next = index.to_bits();
        edge(dut);
        dut.window_read.next = false;
        for _ in 1..READ_LATENCY {
            edge(dut);
        }
        dut.window_rdata.val().to_u64() as u32
    }

    /// Whether the range is allowed, and after how many cycles; `reads` says in which cycles the host reads.
    fn check(dut: &mut DmaWindows, processor: u64, writes: bool, pages: (u64, u64), reads: u32) -> (bool, usize) {
        dut.check_processor.next = processor.to_bits();
        dut.check_write.next = writes;
        for cycle in 0..40 {
            dut.check.next = cycle == 0;
            // Not valid before the second cycle.
            let (first, last) = if cycle < 2 { (0, 0) } else { pages };
            dut.check_first.next = first.to_bits();
            dut.check_last.next = last.to_bits();
            dut.window_read.next = reads >> cycle & 1 == 1;
            assert!(simulate(dut, 10));
            if dut.checked.val() {
                dut.window_read.next = false;
                let allowed = dut.allowed.val();
                edge(dut);
                return (allowed, cycle);
            }
            edge(dut);
        }
        panic!("no answer");
    }

    #[test]
    fn after_reset_all_is_closed_and_words_read_back_without_their_meaningless_bits() {
        let mut dut = new();
        for index in [0, 7, 255] {
            assert_eq!(read(&mut dut, index), 0);
        }
        for processor in 0..16 {
            assert_eq!(check(&mut dut, processor, false, (0, 0), 0), (false, CHECK_LATENCY));
        }
        for index in 0..256 {
            write(&mut dut, index, !(index as u32));
        }
        let masks = [0xFFFF_F003, 0xFFFF_FFFF, 0xFFFF_F000, 0xFFFF_FFFF];
        for index in 0..256 {
            assert_eq!(read(&mut dut, index), !(index as u32) & masks[index as usize % 4]);
        }
    }

    #[test]
    fn a_range_is_allowed_if_one_window_of_its_processor_holds_all_of_it() {
        let mut dut = new();
        let mut random = Random::seeded(7);
        let top = (1 << 52) - 8;
        let page = |random: &mut Random| random.below(2) * top + random.below(8);
        let (mut allowed, mut checks) = (0, 0);
        for _ in 0..40 {
            let processor = random.below(16);
            let mut windows = vec![];
            for window in 0..4 {
                let (a, b, flags) = (page(&mut random), page(&mut random), random.below(4));
                let words = Window {
                    first_page: a << 12,
                    last_page: b << 12,
                    readable: flags & 1 == 1,
                    writable: flags & 2 == 2,
                }
                .words();
                for (word, value) in words.into_iter().enumerate() {
                    write(&mut dut, processor << 4 | window << 2 | word as u64, value);
                }
                windows.push((a, b, flags));
            }
            for _ in 0..20 {
                let (a, b, writes) = (page(&mut random), page(&mut random), random.below(2));
                let (a, b) = (a.min(b), a.max(b));
                let expected =
                    windows.iter().any(|(first, last, flags)| *first <= a && b <= *last && flags >> writes & 1 == 1);
                let reads = random.below(2) as u32 * random.below(64) as u32;
                let (found, cycles) = check(&mut dut, processor, writes == 1, (a, b), reads);
                assert_eq!(found, expected, "{a:#x}..={b:#x} {writes} in {windows:x?}");
                assert!((CHECK_LATENCY..CHECK_LATENCY + 7).contains(&cycles));
                allowed += usize::from(found);
                checks += 1;
            }
        }
        assert!(checks == 800 && (100..700).contains(&allowed), "{allowed} of {checks}");
    }

    #[test]
    fn it_can_be_printed() {
        emit(&mut DmaWindows::default(), "dma_windows").expect("printed");
    }
}
