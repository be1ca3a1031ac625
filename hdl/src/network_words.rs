//! Cuts a beat into 32-bit words in network byte order, shifted so that IP headers are word-aligned.
//!
//! Ethernet's 14 bytes put every later header two bytes off. Word j of a beat is therefore bytes 4j − 2 to 4j + 1, with the first two
//! taken from the previous beat; byte lane 0 holds the first byte (AXI4-Stream), a word holds the first byte in its highest bits.
//!
//! | port       | dir | width | meaning                                              |
//! |------------|-----|-------|------------------------------------------------------|
//! | `previous` | in  | 16    | last two bytes of the previous beat, as they lay     |
//! | `beat`     | in  | W     | the beat                                             |
//! | `word_j`   | out | 32    | word j, j in 0..W/32                                 |
//! | `last`     | out | 16    | last two bytes of this beat, the next `previous`     |
//!
//! Combinational.

use rust_hdl_core::prelude::*;

use crate::many;

/// See the module's page.
#[derive(LogicBlock)]
pub struct NetworkWords<const W: usize> {
    pub previous: Signal<In, Bits<16>>,
    pub beat: Signal<In, Bits<W>>,
    pub word: Vec<Signal<Out, Bits<32>>>,
    pub last: Signal<Out, Bits<16>>,
}

impl<const W: usize> Default for NetworkWords<W> {
    fn default() -> Self {
        Self { previous: Default::default(), beat: Default::default(), word: many(W / 32), last: Default::default() }
    }
}

impl<const W: usize> Logic for NetworkWords<W> {
    fn update(&mut self) {
        let previous = self.previous.val().to_u64();
        let beat = self.beat.val();
        // Byte `index` of the frame relative to this beat; −2 and −1 belong to the previous one.
        let byte = |index: isize| match index {
            -2 => previous & 0xff,
            -1 => previous >> 8,
            _ => beat.get_bits::<8>(8 * index as usize).to_u64(),
        };
        for (j, word) in self.word.iter_mut().enumerate() {
            let first = 4 * j as isize - 2;
            word.next = (0..4).fold(0, |w, k| w << 8 | byte(first + k)).to_bits();
        }
        self.last.next = beat.get_bits::<16>(W - 16);
    }

    fn connect(&mut self) {
        self.word.iter_mut().for_each(|w| w.connect());
        self.last.connect();
    }

    fn hdl(&self) -> Verilog {
        let lane = |byte: usize| format!("beat[{}:{}]", 8 * byte + 7, 8 * byte);
        let mut code = format!("assign word$0 = {{previous[7:0], previous[15:8], {}, {}}};\n", lane(0), lane(1));
        for j in 1..W / 32 {
            let bytes: Vec<_> = (4 * j - 2..4 * j + 2).map(lane).collect();
            code += &format!("assign word${j} = {{{}}};\n", bytes.join(", "));
        }
        code += &format!("assign last = beat[{}:{}];\n", W - 1, W - 16);
        Verilog::Custom(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_start_two_bytes_before_the_beat() {
        let mut x = NetworkWords::<64>::default();
        x.previous.next = 0xBBAA.into(); // bytes AA, BB
        x.beat.next = 0x8877_6655_4433_2211u64.to_bits(); // bytes 11 22 .. 88
        x.connect_all();
        simulate(&mut x, 10);
        assert_eq!(x.word[0].val().to_u64(), 0xAABB_1122);
        assert_eq!(x.word[1].val().to_u64(), 0x3344_5566);
        assert_eq!(x.last.val().to_u64(), 0x8877);
    }
}
