//! A block of memory with one write port and one read port on one clock.
//!
//! | port            | dir | width     | meaning                                                   |
//! |-----------------|-----|-----------|-----------------------------------------------------------|
//! | `write_enable`  | in  | 1         | store `write_data` at this edge                           |
//! | `write_address` | in  | `ADDRESS` | word to store                                             |
//! | `write_data`    | in  | `WIDTH`   | what to store                                             |
//! | `read_address`  | in  | `ADDRESS` | word to fetch                                             |
//! | `read_data`     | out | `WIDTH`   | the word at the last edge's `read_address`; not reset     |
//!
//! Latency: [`LATENCY`] cycle. Throughput: one read and one write per cycle. Never stalls.
//! A read and a write of one word at the same edge: the read gives the old word, or nothing certain on an FPGA when the
//! block was made with [`Collision::Discarded`]. All words and `read_data` power up as 0, and no reset clears them.
//! Address bits above the number of words are ignored; an address that then still lies beyond the last word reads 0 in
//! the simulator and nothing certain in hardware, and a write there is lost.

use rust_hdl_core::prelude::*;

/// Cycles from `read_address` to `read_data`.
pub const LATENCY: usize = 1;

/// What a read of the word that is written at the same edge may give.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Collision {
    /// The reader throws the value away, so the synthesiser need not build logic that keeps the old word readable.
    Discarded,
    /// The old word.
    OldData,
}

/// See the [module's page](self).
#[derive(LogicBlock)]
pub struct Memory<const WIDTH: usize, const ADDRESS: usize> {
    pub clock: Signal<In, Clock>,
    pub write_enable: Signal<In, Bit>,
    pub write_address: Signal<In, Bits<ADDRESS>>,
    pub write_data: Signal<In, Bits<WIDTH>>,
    pub read_address: Signal<In, Bits<ADDRESS>>,
    pub read_data: Signal<Out, Bits<WIDTH>>,
    _words: Vec<Bits<WIDTH>>,
    _collision: Collision,
}

impl<const WIDTH: usize, const ADDRESS: usize> Memory<WIDTH, ADDRESS> {
    /// A memory of `words` words; at least 2 and at most what the address reaches.
    pub fn new(words: usize, collision: Collision) -> Self {
        Memory {
            clock: Default::default(),
            write_enable: Default::default(),
            write_address: Default::default(),
            write_data: Default::default(),
            read_address: Default::default(),
            read_data: Default::default(),
            _words: vec![Default::default(); words.clamp(2, 1 << ADDRESS)],
            _collision: collision,
        }
    }

    fn index_bits(&self) -> usize {
        clog2(self._words.len())
    }

    fn index(&self, address: Bits<ADDRESS>) -> usize {
        address.index() & ((1 << self.index_bits()) - 1)
    }
}

impl<const WIDTH: usize, const ADDRESS: usize> Logic for Memory<WIDTH, ADDRESS> {
    fn update(&mut self) {
        if self.clock.pos_edge() {
            let read = self.index(self.read_address.val());
            self.read_data.next = self._words.get(read).copied().unwrap_or_default();
            let write = self.index(self.write_address.val());
            if self.write_enable.val()
                && let Some(word) = self._words.get_mut(write)
            {
                *word = self.write_data.val();
            }
        }
    }

    fn connect(&mut self) {
        self.read_data.connect();
    }

    fn hdl(&self) -> Verilog {
        let attribute = match self._collision {
            Collision::Discarded => "(* no_rw_check *) ",
            Collision::OldData => "",
        };
        let (last, bits) = (self._words.len() - 1, self.index_bits());
        let address = |name: &str| match bits == ADDRESS {
            true => name.to_string(),
            false => format!("{name}[{}:0]", bits - 1),
        };
        let ignored = match ADDRESS - bits {
            0 => String::new(),
            _ => format!(
                "\nwire unused = &{{1'b0, write_address[{top}:{bits}], read_address[{top}:{bits}]}};\n",
                top = ADDRESS - 1
            ),
        };
        let range = match WIDTH {
            1 => String::new(),
            _ => format!("[{}:0] ", WIDTH - 1),
        };
        Verilog::Custom(format!(
            "\
{attribute}reg {range}words [0:{last}];
{ignored}
integer word;
initial begin
    for (word = 0; word <= {last}; word = word + 1) begin
        words[word] = {WIDTH}'d0;
    end
    read_data = {WIDTH}'d0;
end

always @(posedge clock) begin
    if (write_enable) begin
        words[{write}] <= write_data;
    end
    read_data <= words[{read}];
end",
            write = address("write_address"),
            read = address("read_address"),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emit::emit;

    type Dut = Memory<8, 3>;

    /// One clock cycle; what `read_data` gives after its edge.
    fn cycle(dut: &mut Dut, write: Option<(u64, u64)>, read: u64) -> u64 {
        dut.write_enable.next = write.is_some();
        let (address, data) = write.unwrap_or_default();
        dut.write_address.next = address.into();
        dut.write_data.next = data.into();
        dut.read_address.next = read.into();
        for level in [false, true] {
            dut.clock.next = level.into();
            assert!(simulate(dut, 10));
        }
        dut.read_data.val().to_u64()
    }

    #[test]
    fn a_word_is_read_back_and_a_colliding_read_gives_the_old_one() {
        let mut dut = Dut::new(8, Collision::OldData);
        assert_eq!(cycle(&mut dut, Some((5, 0xA1)), 5), 0);
        assert_eq!(cycle(&mut dut, Some((5, 0xB2)), 5), 0xA1);
        assert_eq!(cycle(&mut dut, None, 5), 0xB2);
        assert_eq!(cycle(&mut dut, None, 4), 0);
    }

    #[test]
    fn address_bits_above_the_last_word_are_ignored() {
        let mut dut = Dut::new(3, Collision::OldData);
        cycle(&mut dut, Some((6, 0xC3)), 0);
        assert_eq!(cycle(&mut dut, None, 2), 0xC3);
        cycle(&mut dut, Some((3, 0xD4)), 0);
        assert_eq!(cycle(&mut dut, None, 7), 0, "beyond the last word");
    }

    #[test]
    fn only_a_memory_whose_collisions_are_discarded_says_so_to_the_synthesiser() {
        for (collision, marked) in [(Collision::Discarded, true), (Collision::OldData, false)] {
            let verilog = emit(&mut Dut::new(8, collision), "memory").expect("a memory can be printed").verilog;
            assert_eq!(verilog.contains("(* no_rw_check *) reg [7:0] words [0:7];"), marked);
            assert!(verilog.contains("reg [7:0] words [0:7];"));
        }
    }
}
