//! What the host has of the card: its registers, and the memory that both reach.

/// Register accesses may take time, in which other things of the host go on; the memory is the host's own.
pub trait Port {
    /// Reads a register of BAR0, see [`mod@abi::csr::host`].
    fn read(&self, offset: u32) -> u32;

    /// Writes a register of BAR0.
    fn write(&self, offset: u32, value: u32);

    /// Writes a word of a processor's memory, through BAR2.
    fn write_card(&self, address: u32, word: u32);

    /// Reads the host's memory.
    fn load(&self, address: u64, bytes: &mut [u8]);

    /// Writes the host's memory.
    fn store(&self, address: u64, bytes: &[u8]);

    /// Cycles of the card's clock.
    fn now(&self) -> u64;
}
