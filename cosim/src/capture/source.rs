//! A window onto a reader, for parsers that need whole records in one slice.

use std::io::{self, Read};

/// Bytes fetched at once; a record larger than this is fetched whole.
const CHUNK: usize = 64 * 1024;

/// Bytes of a reader, some of them looked at in advance.
pub(super) struct Source {
    reader: Box<dyn Read + Send>,
    buffer: Vec<u8>,
    /// Where in `buffer` the bytes start that are not consumed.
    start: usize,
    offset: u64,
}

impl Source {
    pub(super) fn new(reader: Box<dyn Read + Send>) -> Self {
        Self { reader, buffer: Vec::new(), start: 0, offset: 0 }
    }

    /// Bytes consumed so far.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// The next `count` bytes; fewer only at the end. Memory never exceeds what was asked for and
    /// is there, however much a record claims.
    pub(super) fn peek(&mut self, count: usize) -> io::Result<&[u8]> {
        let available = self.buffer.len() - self.start;
        if available < count {
            self.buffer.drain(..self.start);
            self.start = 0;
            let missing = (count - available).max(CHUNK) as u64;
            self.reader.by_ref().take(missing).read_to_end(&mut self.buffer)?;
        }
        let rest = &self.buffer[self.start..];
        Ok(&rest[..rest.len().min(count)])
    }

    /// Consumes bytes that were peeked.
    pub(super) fn consume(&mut self, count: usize) {
        self.start = (self.start + count).min(self.buffer.len());
        self.offset += count as u64;
    }

    /// Consumes `count` bytes unseen; returns how many there were.
    pub(super) fn skip(&mut self, count: u64) -> io::Result<u64> {
        let mut left = count;
        while left > 0 {
            let step = self.peek(left.min(CHUNK as u64) as usize)?.len();
            if step == 0 {
                break;
            }
            self.consume(step);
            left -= step as u64;
        }
        Ok(count - left)
    }
}
