//! The host's memory: bytes at 64-bit addresses, none of them real until it is written, and a record of what the card wrote.
//!
//! The host itself reads and writes what it likes. The card may write only the ranges that were opened to it: a write to anything else
//! changes nothing and is a [`Stray`].

use std::collections::BTreeMap;
use std::ops::Range;

const PAGE: usize = 4096;

/// A write by the card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// When.
    pub cycle: u64,
    /// First byte.
    pub address: u64,
    /// How many bytes.
    pub length: usize,
}

/// The card wrote where it must not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cycle {cycle}: the card wrote {length} bytes at {address:#x}, and byte {first:#x} is not open to it")]
pub struct Stray {
    /// When.
    pub cycle: u64,
    /// First byte of the write.
    pub address: u64,
    /// Its length.
    pub length: usize,
    /// The first byte of it that is not open.
    pub first: u64,
}

/// Sparse bytes. What was never written reads as 0.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    pages: BTreeMap<u64, Box<[u8; PAGE]>>,
    /// Ranges open to the card: start and the last byte, apart from each other.
    open: BTreeMap<u64, u64>,
    log: Vec<Written>,
}

impl Memory {
    /// Fills `bytes` from `address` on; behind the last address follows 0.
    pub fn read(&self, address: u64, bytes: &mut [u8]) {
        let mut at = address;
        let mut rest = bytes;
        while !rest.is_empty() {
            let offset = (at % PAGE as u64) as usize;
            let (now, later) = rest.split_at_mut((PAGE - offset).min(rest.len()));
            match self.pages.get(&(at / PAGE as u64)) {
                Some(page) => now.copy_from_slice(&page[offset..offset + now.len()]),
                None => now.fill(0),
            }
            at = at.wrapping_add(now.len() as u64);
            rest = later;
        }
    }

    /// `length` bytes from `address` on.
    pub fn bytes(&self, address: u64, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.read(address, &mut bytes);
        bytes
    }

    /// The little-endian word at `address`.
    pub fn word(&self, address: u64) -> u32 {
        let mut bytes = [0; 4];
        self.read(address, &mut bytes);
        u32::from_le_bytes(bytes)
    }

    /// Writes as the host.
    pub fn write(&mut self, address: u64, bytes: &[u8]) {
        let mut at = address;
        let mut rest = bytes;
        while !rest.is_empty() {
            let offset = (at % PAGE as u64) as usize;
            let (now, later) = rest.split_at((PAGE - offset).min(rest.len()));
            let page = self.pages.entry(at / PAGE as u64).or_insert_with(|| Box::new([0; PAGE]));
            page[offset..offset + now.len()].copy_from_slice(now);
            at = at.wrapping_add(now.len() as u64);
            rest = later;
        }
    }

    /// Lets the card write this range from now on.
    pub fn open(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        let (mut start, mut last) = (range.start, range.end - 1);
        // Those that overlap or touch it become one with it.
        let near = |(s, l): (&u64, &u64)| *s <= last.saturating_add(1) && l.saturating_add(1) >= start;
        let merged: Vec<(u64, u64)> = self.open.iter().filter(|(s, l)| near((s, l))).map(|(s, l)| (*s, *l)).collect();
        for (s, l) in merged {
            self.open.remove(&s);
            start = start.min(s);
            last = last.max(l);
        }
        self.open.insert(start, last);
    }

    /// Lets the card write this range no more.
    pub fn close(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        let (start, last) = (range.start, range.end - 1);
        let hit: Vec<(u64, u64)> =
            self.open.iter().filter(|(s, l)| **s <= last && **l >= start).map(|(s, l)| (*s, *l)).collect();
        for (s, l) in hit {
            self.open.remove(&s);
            if s < start {
                self.open.insert(s, start - 1);
            }
            if l > last {
                self.open.insert(last + 1, l);
            }
        }
    }

    /// The first byte of a range that is not open to the card.
    pub fn first_closed(&self, address: u64, length: usize) -> Option<u64> {
        let mut at = address;
        let mut left = length as u64;
        while left > 0 {
            let last = match self.open.range(..=at).next_back() {
                Some((_, last)) if *last >= at => *last,
                _ => return Some(at),
            };
            let covered = (last - at).saturating_add(1);
            if covered >= left {
                return None;
            }
            left -= covered;
            at = last.wrapping_add(1);
        }
        None
    }

    /// Writes as the card, and records it.
    ///
    /// # Errors
    /// Some byte is not open to the card; nothing was written.
    pub fn device_write(&mut self, cycle: u64, address: u64, bytes: &[u8]) -> Result<(), Stray> {
        let length = bytes.len();
        if let Some(first) = self.first_closed(address, length) {
            return Err(Stray { cycle, address, length, first });
        }
        self.write(address, bytes);
        self.log.push(Written { cycle, address, length });
        Ok(())
    }

    /// What the card wrote, the oldest first.
    pub fn log(&self) -> &[Written] {
        &self.log
    }

    /// Forgets what the card wrote so far, and gives it.
    pub fn take_log(&mut self) -> Vec<Written> {
        std::mem::take(&mut self.log)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_stay_where_they_were_written_across_pages_and_at_the_end_of_the_address_space() {
        let mut memory = Memory::default();
        let bytes: Vec<u8> = (0..10_000).map(|b| (b % 251) as u8).collect();
        memory.write(0x12_3456_7ffe, &bytes);
        assert_eq!(memory.bytes(0x12_3456_7ffe, 10_000), bytes);
        assert_eq!(memory.bytes(0x12_3456_7ffc, 4), [0, 0, 0, 1]);
        assert_eq!(memory.word(0x12_3456_7ffe), 0x0302_0100);
        memory.write(u64::MAX - 1, &[1, 2, 3]);
        assert_eq!((memory.bytes(u64::MAX - 1, 3), memory.bytes(0, 1)), (vec![1, 2, 3], vec![3]));
        assert_eq!(memory.log(), []);
    }

    #[test]
    fn the_card_writes_only_what_is_open_to_it() {
        let mut memory = Memory::default();
        memory.open(0x1000..0x1100);
        memory.open(0x1100..0x1180);
        memory.open(0x2000..0x2001);
        assert_eq!(memory.device_write(5, 0x10f0, &[7; 0x90]), Ok(()));
        assert_eq!(memory.log(), [Written { cycle: 5, address: 0x10f0, length: 0x90 }]);
        for (address, length, first) in
            [(0xfff, 2, 0xfff), (0x117f, 2, 0x1180), (0x2000, 2, 0x2001), (0x3000, 1, 0x3000), (u64::MAX, 2, u64::MAX)]
        {
            let stray = Stray { cycle: 6, address, length, first };
            assert_eq!(memory.device_write(6, address, &vec![9; length]), Err(stray));
        }
        assert_eq!(memory.bytes(0xfff, 1), [0]);
        assert_eq!(memory.device_write(7, 0x5000, &[]), Ok(()));
    }

    #[test]
    fn what_is_closed_again_leaves_what_is_beside_it_open() {
        let mut memory = Memory::default();
        memory.open(0x1000..0x2000);
        memory.close(0x1400..0x1800);
        for (address, length, closed) in
            [(0x1000, 0x400, None), (0x13ff, 2, Some(0x1400)), (0x17ff, 1, Some(0x17ff)), (0x1800, 0x800, None)]
        {
            assert_eq!(memory.first_closed(address, length), closed);
        }
        memory.open(0x1000..0x2000);
        assert_eq!(memory.first_closed(0x1000, 0x1000), None);
    }

    #[test]
    fn random_ranges_are_open_as_a_map_of_single_bytes_says() {
        let (mut memory, mut model) = (Memory::default(), [false; 256]);
        let (mut state, mut compared) = (0x1357_9bdfu32, 0);
        for _ in 0..2000 {
            // xorshift32.
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            let (start, length) = (state as usize >> 3 & 0xff, state as usize >> 12 & 0x1f);
            let end = (start + length).min(256);
            match state >> 20 & 3 {
                0 => {
                    memory.open(start as u64..end as u64);
                    model[start..end].fill(true);
                }
                1 => {
                    memory.close(start as u64..end as u64);
                    model[start..end].fill(false);
                }
                _ => {
                    let closed = (start..end).find(|b| !model[*b]).map(|b| b as u64);
                    assert_eq!(memory.first_closed(start as u64, end - start), closed);
                    compared += 1;
                }
            }
        }
        assert!(compared > 800, "{compared}");
    }
}
