//! Which processor a new session belongs to: the card's indirection table (RETA) and its hash registers.
//!
//! The host changes them while sessions live. Software and hardware learn of it at different times, and so do the
//! processors, so every table has a generation, and what one processor sends to another says by which it was decided.

use abi::limits::{KEY_BYTES, RETA_ENTRIES};

use super::hash::{Function, Registers};
use crate::net::session::Session;

/// The number of a table; a later one is greater.
pub type Generation = u16;

/// Whether `this` table came after `that` one, less than half of all numbers ago.
pub const fn is_newer(this: Generation, that: Generation) -> bool {
    this.wrapping_sub(that).cast_signed() > 0
}

/// The hash and what its result means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Its number.
    pub generation: Generation,
    /// How the card hashes.
    pub registers: Registers,
    /// `RETA`: the processor of each value of the hash's low seven bits.
    pub entries: [u8; RETA_ENTRIES],
}

/// Bytes of a table where it is written down.
pub const ENCODED: usize = 2 + 3 + KEY_BYTES + RETA_ENTRIES;

impl Table {
    /// What a card of so many processors has after reset. Generation 0.
    pub fn reset(processors: usize) -> Self {
        let entries = core::array::from_fn(|entry| (entry % processors.max(1)) as u8);
        Self { generation: 0, registers: Registers::reset(processors), entries }
    }

    /// The processor that the card gives the segments of a session to.
    pub fn target(&self, session: &Session) -> usize {
        let hash = self.registers.tcp(session.remote, session.local);
        usize::from(self.entries[hash as usize % RETA_ENTRIES])
    }

    /// Generation, function, chunk bits, fields, key, entries.
    pub fn encode(&self) -> [u8; ENCODED] {
        let mut bytes = [0; ENCODED];
        let (generation, rest) = bytes.split_at_mut(2);
        let (registers, rest) = rest.split_at_mut(3);
        let (key, entries) = rest.split_at_mut(KEY_BYTES);
        let Registers { function, chunk_bits, fields, .. } = self.registers;
        generation.copy_from_slice(&self.generation.to_be_bytes());
        registers.copy_from_slice(&[u8::from(function == Function::Toeplitz), chunk_bits, fields]);
        key.copy_from_slice(&self.registers.key);
        entries.copy_from_slice(&self.entries);
        bytes
    }

    /// Reads what [`encode`](Self::encode) wrote; `None` if it cannot have.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (generation, rest) = bytes.split_first_chunk::<2>()?;
        let (&[function, chunk_bits, fields], rest) = rest.split_first_chunk::<3>()?;
        let (&key, entries) = rest.split_first_chunk::<KEY_BYTES>()?;
        let function = match function {
            0 => Function::Xor,
            1 => Function::Toeplitz,
            _ => return None,
        };
        if chunk_bits > 7 {
            return None;
        }
        let registers = Registers { function, chunk_bits, fields, key };
        Some(Self { generation: u16::from_be_bytes(*generation), registers, entries: entries.try_into().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::session::End;

    #[test]
    fn row_67_5_the_table_names_the_processor_of_a_session_by_its_remote_end() {
        let mut table = Table::reset(4);
        let local = End::new("10.0.0.1".parse().unwrap(), 80);
        let remote = End::new("10.1.2.3".parse().unwrap(), 4660);
        // `tests/vectors/xor.json`: its hash is 1.
        let session = Session { local, remote };
        assert_eq!(table.target(&session), 1);
        table.entries[1] = 3;
        assert_eq!(table.target(&session), 3);
        table.entries = [2; RETA_ENTRIES];
        assert_eq!(table.target(&session), 2);
    }

    #[test]
    fn tables_are_written_as_documented() {
        let mut table = Table::reset(3);
        table.generation = 0x0102;
        table.registers.function = Function::Toeplitz;
        let bytes = table.encode();
        assert_eq!(bytes[..9], [1, 2, 1, 2, 0b11_0101, 0x6d, 0x5a, 0x56, 0xda]);
        assert_eq!(bytes[45..49], [0, 1, 2, 0]);
        assert_eq!(Table::decode(&bytes), Some(table));
    }

    #[test]
    fn generations_go_round() {
        assert!(is_newer(1, 0) && is_newer(0, u16::MAX));
        assert!(!is_newer(0, 0) && !is_newer(0, 1) && !is_newer(u16::MAX, 0));
    }

    #[test]
    fn what_is_no_table_is_refused() {
        let good = Table::reset(4).encode();
        assert!(Table::decode(&good).is_some());
        assert!(Table::decode(&good[1..]).is_none());
        assert!(Table::decode(&[&good[..], &[0]].concat()).is_none());
        for (byte, value) in [(2, 2), (3, 8)] {
            let mut bad = good;
            bad[byte] = value;
            assert!(Table::decode(&bad).is_none(), "byte {byte}");
        }
    }
}
