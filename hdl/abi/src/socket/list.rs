//! Scatter-gather lists of host buffers: I2O simple address elements with 64-bit addresses, three words each.

use super::frame::{Frame, View};
use crate::dma::MAX_LENGTH;

/// Elements of a list, at most: what a frame of 128 bytes holds behind the longest request.
pub const MAX_ELEMENTS: usize = 7;
/// Words of an element.
pub const ELEMENT_WORDS: usize = 3;

/// Bits of an element's first word. Bits 23:0 are its length.
pub mod flags {
    /// The last element.
    pub const LAST: u32 = 0x8000_0000;
    /// The last element of its buffer.
    pub const END_OF_BUFFER: u32 = 0x4000_0000;
    /// A simple address element.
    pub const SIMPLE: u32 = 0x1000_0000;
    /// The card reads the buffer.
    pub const OUT: u32 = 0x0400_0000;
    /// The address has 64 bits.
    pub const WIDE: u32 = 0x0200_0000;
    /// Where the length ends.
    pub const LENGTH: u32 = 0x00FF_FFFF;
}

/// A piece of host memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Element {
    /// Its first byte.
    pub address: u64,
    /// Bytes: 1 to [`MAX_LENGTH`].
    pub length: u32,
}

/// The elements of a list, in their order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct List {
    elements: [Element; MAX_ELEMENTS],
    count: usize,
}

/// An element has no or too many bytes, ends beyond the last address, or is not marked as it must be; or there are too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadList;

impl List {
    /// Appends an element.
    ///
    /// # Errors
    /// The list is full, or the element is nothing that can be copied.
    pub fn push(&mut self, element: Element) -> Result<(), BadList> {
        let fits = (1..=MAX_LENGTH).contains(&element.length)
            && element.address.checked_add(u64::from(element.length) - 1).is_some();
        let free = self.elements.get_mut(self.count).filter(|_| fits).ok_or(BadList)?;
        *free = element;
        self.count += 1;
        Ok(())
    }

    /// A list of one element.
    ///
    /// # Errors
    /// The element is nothing that can be copied.
    pub fn single(address: u64, length: u32) -> Result<Self, BadList> {
        let mut list = Self::default();
        list.push(Element { address, length })?;
        Ok(list)
    }

    /// Its elements.
    pub fn elements(&self) -> &[Element] {
        &self.elements[..self.count]
    }

    /// Bytes of all.
    pub fn length(&self) -> u32 {
        self.elements().iter().map(|element| element.length).sum()
    }

    pub(super) fn write(&self, frame: &mut Frame, start: usize, direction: u32) {
        for (index, element) in self.elements().iter().enumerate() {
            let last = if index + 1 == self.count { flags::LAST | flags::END_OF_BUFFER } else { 0 };
            let word = start + index * ELEMENT_WORDS;
            frame.set_word(word, flags::SIMPLE | flags::WIDE | direction | last | element.length);
            frame.set_word(word + 1, element.address as u32);
            frame.set_word(word + 2, (element.address >> 32) as u32);
        }
    }

    /// The list in words `start` to `end` of a message; `start` 0 is an empty one.
    pub(super) fn read(view: View<'_>, start: usize, end: usize, direction: u32) -> Result<Self, BadList> {
        let mut list = Self::default();
        if start == 0 {
            return Ok(list);
        }
        let mut word = start;
        loop {
            let next = word + ELEMENT_WORDS;
            if next > end {
                return Err(BadList);
            }
            let first = view.word(word);
            let kind = first & !(flags::LENGTH | flags::LAST | flags::END_OF_BUFFER);
            if kind != flags::SIMPLE | flags::WIDE | direction {
                return Err(BadList);
            }
            let address = u64::from(view.word(word + 2)) << 32 | u64::from(view.word(word + 1));
            list.push(Element { address, length: first & flags::LENGTH })?;
            if first & flags::LAST != 0 {
                return Ok(list);
            }
            word = next;
        }
    }
}
