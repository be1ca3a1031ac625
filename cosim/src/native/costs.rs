//! What software takes of a native processor's time: cycles for each [`Event`] that the net kernel charges, and for each call of its
//! platform beyond the bus cycle itself.

use soft_cores::platform::Event;

/// Cycles of work on some bytes: so many for each call, and for each word of four bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PerWord {
    /// For the call.
    pub call: u64,
    /// For each word begun.
    pub word: u64,
}

impl PerWord {
    const FREE: Self = Self { call: 0, word: 0 };

    /// Cycles for so many bytes.
    pub fn cycles(self, bytes: usize) -> u64 {
        self.call + self.word * bytes.div_ceil(4) as u64
    }
}

/// See the module's page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Costs {
    /// [`Event::Interrupt`].
    pub interrupt: u64,
    /// [`Event::ContextSwitch`].
    pub context_switch: u64,
    /// [`Event::Copy`].
    pub copy: PerWord,
    /// [`Event::Checksum`].
    pub checksum: PerWord,
    /// [`Event::Packet`].
    pub packet: u64,
    /// The instructions around a register access.
    pub access: u64,
    /// To read the 64 bits of `TIME`.
    pub time: u64,
    /// To enable or disable interrupts.
    pub interrupts: u64,
}

impl Costs {
    /// Software takes no time, only the bus does.
    pub const FREE: Self = Self {
        interrupt: 0,
        context_switch: 0,
        copy: PerWord::FREE,
        checksum: PerWord::FREE,
        packet: 0,
        access: 0,
        time: 0,
        interrupts: 0,
    };

    /// An estimate for RV32IMC in order, five stages, at the card's clock: an instruction takes 1 cycle, a load from block RAM 2, a
    /// taken jump 3. To be measured on the core itself once there is one.
    pub const ESTIMATE: Self = Self {
        // 16 caller-saved registers stored (16) and loaded (32), trap and return (2 x 4), to find the handler and call it (12).
        interrupt: 68,
        // 13 callee-saved registers stored (13) and loaded (26), the two stack pointers (4), call and return (6), and the choice of who
        // runs: a walk over three queues (about 30).
        context_switch: 79,
        // Aligned, unrolled by eight: load 2, store 1, an eighth of the loop's 5 (add, add, compare, jump).
        copy: PerWord { call: 20, word: 4 },
        // Load 2, add 1, carry 2 (sltu, add), an eighth of the loop's 5.
        checksum: PerWord { call: 25, word: 6 },
        // Ethernet and IPv4 input and output together read or write some 40 fields, each about 6 instructions with its checks, behind
        // about 30 calls of 8: rustc's code for smoltcp's formats has 450 to 600 instructions on this way.
        packet: 550,
        // Address into a register, and the wait for the bus to be free again.
        access: 2,
        // Two accesses of 6 cycles, which the simulation does not make.
        time: 12,
        // One access to a CSR, which empties the pipeline.
        interrupts: 4,
    };

    /// Cycles of an event.
    pub fn of(&self, event: Event) -> u64 {
        match event {
            Event::Interrupt => self.interrupt,
            Event::ContextSwitch => self.context_switch,
            Event::Copy(bytes) => self.copy.cycles(bytes),
            Event::Checksum(bytes) => self.checksum.cycles(bytes),
            Event::Packet(_) => self.packet,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_is_begun_counts_and_nothing_is_charged_for_nothing() {
        let costs = Costs { copy: PerWord { call: 7, word: 3 }, ..Costs::FREE };
        assert_eq!([0, 1, 4, 5].map(|bytes| costs.of(Event::Copy(bytes))), [7, 10, 10, 13]);
        assert_eq!(costs.of(Event::Checksum(100)) + costs.of(Event::Packet(1500)), 0);
    }
}
