//! The register table: every register of the card, its offset, its fields, who may do what with it, and one sentence each.
//!
//! Two spaces: [`host`] is BAR0 as the host sees it, [`mod@core`] is what each processor sees on its own register port. All registers are
//! little-endian words of 32 bits; one of 64 bits is two words, low word first. Where it says so, the read of the low word holds the
//! high word for the next read of it, so that the two belong together.
//!
//! The gateware decodes from this table (`hdl::register_file`), the documents are printed from it ([`crate::render`]), firmware and host
//! go through the accessors here. The compiler sees to it that there is one truth.

pub mod core;
pub mod host;

pub use self::core::SPACE as CORE;
pub use self::host::SPACE as HOST;

/// What software may do with a register, and what that does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Read only; writes are ignored.
    ReadOnly,
    /// Read and write.
    ReadWrite,
    /// A read tells what happened; a one that is written takes that bit back, a zero leaves it.
    WriteOneToClear,
    /// A write does something; reads 0.
    WriteOnly,
    /// A read takes the entry at the head of a queue; writes are ignored.
    ReadToPop,
    /// A write appends an entry to a queue; a read tells how many more entries fit.
    WriteToPush,
    /// A read takes from one queue, a write appends to another (the I2O ports).
    PopAndPush,
}

impl Access {
    /// The abbreviation used in the register documentation.
    pub const fn abbreviation(self) -> &'static str {
        match self {
            Access::ReadOnly => "RO",
            Access::ReadWrite => "RW",
            Access::WriteOneToClear => "RW1C",
            Access::WriteOnly => "WO",
            Access::ReadToPop => "R pop",
            Access::WriteToPush => "W push",
            Access::PopAndPush => "R pop, W push",
        }
    }
}

/// What the hardware does with a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hardware {
    /// Nothing: it is a constant of the card.
    Constant,
    /// Reads what software wrote.
    Reads,
    /// Supplies what software reads, and hears of reads and writes where they do something.
    Drives,
    /// Keeps it in a memory of its own, next to others of its kind.
    Memory,
}

/// A register's value after reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reset {
    /// The same on every card.
    Value(u64),
    /// Each element of an array has its own.
    Values(&'static [u32]),
    /// Follows from the card's parameters, as the text says.
    Derived(&'static str),
}

/// Some bits of a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Name, in capitals.
    pub name: &'static str,
    /// Lowest bit.
    pub lsb: u32,
    /// Number of bits.
    pub width: u32,
    /// One sentence.
    pub doc: &'static str,
}

impl Field {
    /// Its bits within the register.
    pub const fn mask(&self) -> u64 {
        (u64::MAX >> (64 - self.width)) << self.lsb
    }

    /// Its value in a register's value.
    pub const fn get(&self, register: u32) -> u32 {
        ((register as u64 & self.mask()) >> self.lsb) as u32
    }

    /// A register's value with only this field set; bits of `value` that do not fit are dropped.
    pub const fn put(&self, value: u32) -> u32 {
        (((value as u64) << self.lsb) & self.mask()) as u32
    }
}

/// One register, or an array of like ones.
#[derive(Clone, Copy, Debug)]
pub struct Register {
    /// Name, in capitals.
    pub name: &'static str,
    /// Byte offset in its space.
    pub offset: u32,
    /// How many there are.
    pub count: u32,
    /// Bytes from one to the next.
    pub stride: u32,
    /// Width of each in bits: 32 or 64.
    pub width: u32,
    /// What software may do.
    pub access: Access,
    /// What the hardware does.
    pub hardware: Hardware,
    /// Value after reset.
    pub reset: Reset,
    /// A larger value that is written is stored as this.
    pub at_most: u32,
    /// Its fields; empty if it is one number.
    pub fields: &'static [Field],
    /// One sentence.
    pub doc: &'static str,
}

impl Register {
    const fn new(offset: u32, access: Access, hardware: Hardware, reset: Reset) -> Self {
        Self {
            name: "",
            offset,
            count: 1,
            stride: 4,
            width: 32,
            access,
            hardware,
            reset,
            at_most: u32::MAX,
            fields: &[],
            doc: "",
        }
    }

    const fn constant(offset: u32, reset: Reset) -> Self {
        Self::new(offset, Access::ReadOnly, Hardware::Constant, reset)
    }

    const fn read_only(offset: u32, reset: Reset) -> Self {
        Self::new(offset, Access::ReadOnly, Hardware::Drives, reset)
    }

    const fn read_write(offset: u32, reset: Reset) -> Self {
        Self::new(offset, Access::ReadWrite, Hardware::Reads, reset)
    }

    const fn driven(offset: u32, access: Access, reset: Reset) -> Self {
        Self::new(offset, access, Hardware::Drives, reset)
    }

    const fn memory(offset: u32, access: Access, reset: Reset) -> Self {
        Self::new(offset, access, Hardware::Memory, reset)
    }

    const fn array(mut self, count: usize) -> Self {
        self.count = count as u32;
        self
    }

    const fn every(mut self, stride: u32) -> Self {
        self.stride = stride;
        self
    }

    const fn wide(mut self) -> Self {
        self.width = 64;
        self.stride = 8;
        self
    }

    const fn at_most(mut self, value: u32) -> Self {
        self.at_most = value;
        self
    }

    /// Byte offset of element `i`.
    pub const fn at(&self, i: usize) -> u32 {
        assert!(i < self.count as usize, "an element beyond the array's end");
        self.offset + self.stride * i as u32
    }

    /// Bits that exist, of all its fields.
    pub const fn mask(&self) -> u64 {
        if self.fields.is_empty() {
            return u64::MAX >> (64 - self.width);
        }
        let (mut mask, mut f) = (0, 0);
        while f < self.fields.len() {
            mask |= self.fields[f].mask();
            f += 1;
        }
        mask
    }

    /// Reads it.
    ///
    /// # Errors
    /// The bus'.
    pub fn read<B: Bus>(&self, bus: &mut B) -> Result<u32, B::Error> {
        bus.read(self.offset)
    }

    /// Reads both words of a 64-bit register, low word first.
    ///
    /// # Errors
    /// The bus'.
    pub fn read_wide<B: Bus>(&self, bus: &mut B) -> Result<u64, B::Error> {
        debug_assert_eq!(self.width, 64);
        let low = bus.read(self.offset)?;
        Ok(u64::from(bus.read(self.offset + 4)?) << 32 | u64::from(low))
    }

    /// Writes it.
    ///
    /// # Errors
    /// The bus'.
    pub fn write<B: Bus>(&self, bus: &mut B, value: u32) -> Result<(), B::Error> {
        bus.write(self.offset, value)
    }

    /// Writes both words of a 64-bit register, low word first.
    ///
    /// # Errors
    /// The bus'.
    pub fn write_wide<B: Bus>(&self, bus: &mut B, value: u64) -> Result<(), B::Error> {
        debug_assert_eq!(self.width, 64);
        bus.write(self.offset, value as u32)?;
        bus.write(self.offset + 4, (value >> 32) as u32)
    }
}

/// Whatever reaches a register space: a processor's own port, or the host's mapping of BAR0.
pub trait Bus {
    /// Why an access failed; `Infallible` on a processor.
    type Error;

    /// Reads the word at this byte offset.
    ///
    /// # Errors
    /// The access failed.
    fn read(&mut self, offset: u32) -> Result<u32, Self::Error>;

    /// Writes the word at this byte offset.
    ///
    /// # Errors
    /// The access failed.
    fn write(&mut self, offset: u32, value: u32) -> Result<(), Self::Error>;
}

/// A register space: one port of the card.
#[derive(Clone, Copy, Debug)]
pub struct Space {
    /// Name, in capitals, the prefix of every C macro.
    pub name: &'static str,
    /// Bits of a byte address.
    pub address_bits: u32,
    /// Cycles from an accepted read request to its data; requests may follow each other every cycle.
    pub read_latency: usize,
    /// One sentence.
    pub doc: &'static str,
    /// The registers by rising offset.
    pub registers: &'static [Register],
}

/// Declares the registers of a space as constants, their fields as constants in a module each, and the table of them all.
macro_rules! registers {
    (
        $space:literal, address_bits: $bits:literal, read_latency: $latency:literal, $about:literal;
        $($doc:literal $name:ident = $register:expr $(; $module:ident {
            $($field_doc:literal $field:ident: $lsb:literal, $width:literal;)+
        })?)+
    ) => {
        $(
            #[doc = $doc]
            pub const $name: $crate::csr::Register = $crate::csr::Register {
                name: stringify!($name),
                doc: $doc,
                fields: &[$($($module::$field),+)?],
                ..$register
            };
            $(
                #[doc = concat!("Fields of `", stringify!($name), "`.")]
                pub mod $module {
                    $(
                        #[doc = $field_doc]
                        pub const $field: $crate::csr::Field = $crate::csr::Field {
                            name: stringify!($field), lsb: $lsb, width: $width, doc: $field_doc,
                        };
                    )+
                }
            )?
        )+

        #[doc = $about]
        pub const SPACE: $crate::csr::Space = $crate::csr::Space {
            name: $space,
            address_bits: $bits,
            read_latency: $latency,
            doc: $about,
            registers: &[$($name),+],
        };
    };
}
use registers;

#[cfg(test)]
mod tests;
