//! A socket's buffer in the processor's memory.

use super::super::transport::{Span, Spans};

/// Bytes in their order, in a block that they go around in.
#[derive(Clone, Copy, Debug)]
pub struct Ring {
    pub address: u32,
    pub size: u32,
    head: u32,
    pub length: u32,
}

impl Ring {
    /// An empty one in this block.
    pub const fn new(address: u32, size: u32) -> Self {
        Self { address, size, head: 0, length: 0 }
    }

    fn part(&self, from: u32, length: u32) -> Spans {
        let start = (self.head + from) % self.size;
        let first = length.min(self.size - start);
        let piece = |address, length| Span { address, length };
        Spans([piece(self.address + start, first), piece(self.address, length - first)])
    }

    /// What is in it, behind the first bytes.
    pub fn filled(&self, skip: u32) -> Spans {
        let skip = skip.min(self.length);
        self.part(skip, self.length - skip)
    }

    /// What is free, behind the first bytes of that.
    pub fn free(&self, skip: u32) -> Spans {
        let from = self.length.saturating_add(skip).min(self.size);
        self.part(from, self.size - from)
    }

    /// The first free bytes hold something now.
    pub fn fill(&mut self, bytes: u32) {
        self.length += bytes.min(self.size - self.length);
    }

    /// Drops the first bytes.
    pub fn drop_first(&mut self, bytes: u32) {
        let bytes = bytes.min(self.length);
        self.head = (self.head + bytes) % self.size;
        self.length -= bytes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(spans: Spans) -> [(u32, u32); 2] {
        spans.0.map(|span| (span.address, span.length))
    }

    #[test]
    fn a_ring_goes_around_its_block() {
        let mut ring = Ring::new(100, 10);
        assert_eq!(pieces(ring.free(0)), [(100, 10), (100, 0)]);
        ring.fill(8);
        ring.drop_first(6);
        assert_eq!((pieces(ring.filled(0)), pieces(ring.free(0))), ([(106, 2), (100, 0)], [(108, 2), (100, 6)]));
        assert_eq!((pieces(ring.filled(1))[0], pieces(ring.free(3))[0]), ((107, 1), (101, 5)));
        ring.fill(8);
        assert_eq!((pieces(ring.filled(0)), ring.free(0).length()), ([(106, 4), (100, 6)], 0));
        ring.fill(1);
        ring.drop_first(11);
        assert_eq!((ring.length, ring.free(0).length(), ring.filled(7).length()), (0, 10, 0));
    }
}
