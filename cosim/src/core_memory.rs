//! A soft processor's memory behind the card's memory port: plain bytes, one access per cycle, reads answered after two cycles.
//!
//! Whoever stands behind it says which bytes the card may write ([`CoreMemory::open`]); any other write is a [`Stray`].

use std::collections::BTreeMap;

use abi::limits::MEMORY_LATENCY;

use crate::bridge::{Inputs, Outputs};

/// What a byte holds that nobody wrote.
pub const UNTOUCHED: u8 = 0xa5;

/// A write to a byte that was not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stray {
    /// The byte address.
    pub address: u32,
}

/// An access that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// A write; the address of the line.
    Write(u32),
    /// A read; the address of the line.
    Read(u32),
}

/// See the module's page.
#[derive(Clone, Debug)]
pub struct CoreMemory {
    number: usize,
    beat_bytes: usize,
    bytes: Vec<u8>,
    /// First byte and first byte behind, of every range that the card may write.
    open: BTreeMap<u32, u32>,
    /// Lines that were read, the latest last.
    pipeline: [Option<u32>; MEMORY_LATENCY],
    pending: bool,
}

impl CoreMemory {
    /// Processor `number`'s, of `size` bytes.
    pub fn new(number: usize, beat_bytes: usize, size: usize) -> Self {
        let bytes = vec![UNTOUCHED; size.next_multiple_of(64)];
        Self { number, beat_bytes, bytes, open: BTreeMap::new(), pipeline: [None; MEMORY_LATENCY], pending: false }
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes, for the processor to write.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    /// The card may write these bytes from now on.
    pub fn open(&mut self, address: u32, length: usize) {
        if length > 0 {
            self.open.insert(address, address + length as u32);
        }
    }

    /// The card may no longer write the range that was opened at this address.
    pub fn close(&mut self, address: u32) {
        self.open.remove(&address);
    }

    /// Whether an answer is due.
    pub fn is_pending(&self) -> bool {
        self.pending
    }

    /// Puts the answer that is due on the port.
    pub fn drive(&mut self, inputs: &mut Inputs) {
        let bit = 1u16 << self.number;
        inputs.mem_rvalid &= !bit;
        if !self.pending {
            return;
        }
        let due = self.pipeline[0];
        self.pipeline.rotate_left(1);
        self.pipeline[MEMORY_LATENCY - 1] = None;
        self.pending = self.pipeline.iter().any(Option::is_some);
        if let Some(address) = due {
            inputs.mem_rvalid |= bit;
            let line = &mut inputs.mem_rdata[self.number].data;
            for (lane, word) in line.iter_mut().take(self.beat_bytes / 8).enumerate() {
                let start = address as usize + 8 * lane;
                // Beyond the memory's end nothing is certain; the card must not depend on it.
                let bytes = self.bytes.get(start..start + 8).map_or([0xee; 8], |b| b.try_into().expect("eight bytes"));
                *word = u64::from_le_bytes(bytes);
            }
        }
    }

    /// Takes the access of this cycle, if there is one.
    ///
    /// # Errors
    /// A byte was written that was not open.
    pub fn sample(&mut self, outputs: &Outputs) -> Result<Option<Access>, Stray> {
        let bit = 1u16 << self.number;
        if outputs.mem_valid & bit == 0 {
            return Ok(None);
        }
        let access = &outputs.mem[self.number];
        if outputs.mem_write & bit == 0 {
            // `drive` of the next cycle moves it one place on.
            self.pipeline[MEMORY_LATENCY - 1] = Some(access.address);
            self.pending = true;
            return Ok(Some(Access::Read(access.address)));
        }
        let bytes = access.data.iter().flat_map(|word| word.to_le_bytes()).take(self.beat_bytes);
        let mut range = (0, 0);
        for (lane, byte) in bytes.enumerate().filter(|(lane, _)| access.strobe >> lane & 1 == 1) {
            let address = access.address + lane as u32;
            if !(range.0..range.1).contains(&address) {
                let (&start, &end) = self
                    .open
                    .range(..=address)
                    .next_back()
                    .filter(|(_, end)| address < **end)
                    .ok_or(Stray { address })?;
                range = (start, end);
            }
            let place = self.bytes.get_mut(address as usize).ok_or(Stray { address })?;
            *place = byte;
        }
        Ok(Some(Access::Write(access.address)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(address: u32, strobe: u64, byte: u8) -> Outputs {
        let mut outputs = Outputs { mem_valid: 2, mem_write: 2, ..Outputs::default() };
        outputs.mem[1].address = address;
        outputs.mem[1].strobe = strobe;
        outputs.mem[1].data = [u64::from_le_bytes([byte; 8]); 8];
        outputs
    }

    #[test]
    fn a_line_is_read_back_two_cycles_later() {
        let mut memory = CoreMemory::new(1, 8, 64);
        memory.open(8, 8);
        assert_eq!(memory.sample(&write(8, 0b110, 7)), Ok(Some(Access::Write(8))));
        let mut inputs = Inputs::default();
        let mut read = Outputs { mem_valid: 2, ..Outputs::default() };
        read.mem[1].address = 8;
        assert_eq!(memory.sample(&read), Ok(Some(Access::Read(8))));
        memory.drive(&mut inputs);
        assert_eq!(inputs.mem_rvalid, 0);
        memory.drive(&mut inputs);
        assert_eq!((inputs.mem_rvalid, inputs.mem_rdata[1].data[0]), (2, 0xa5a5_a5a5_a507_07a5));
        memory.drive(&mut inputs);
        assert_eq!(inputs.mem_rvalid, 0);
    }

    #[test]
    fn a_write_to_a_byte_that_is_not_open_is_a_stray() {
        let mut memory = CoreMemory::new(1, 8, 64);
        memory.open(16, 3);
        assert!(memory.sample(&write(16, 0b111, 1)).is_ok());
        assert_eq!(memory.sample(&write(16, 0b1000, 1)), Err(Stray { address: 19 }));
        memory.open(60, 100);
        assert_eq!(memory.sample(&write(64, 1, 1)), Err(Stray { address: 64 }), "beyond its end");
        memory.close(16);
        assert_eq!(memory.sample(&write(16, 0b111, 1)), Err(Stray { address: 16 }));
    }
}
