//! Prints a register space as Markdown, as a C header and as CMSIS-SVD.

use core::fmt::{Display, Formatter, Result};

use crate::csr::{Access, Field, Hardware, Register, Reset, Space};

/// A register space as a Markdown chapter.
pub struct Markdown<'a>(pub &'a Space);

/// A register space as C macros: `POINTSMAN_<SPACE>_<REGISTER>`, and `_LSB` and `_MASK` for each field.
pub struct CHeader<'a>(pub &'a Space);

/// Register spaces as the peripherals of a CMSIS-SVD 1.3.9 device, each at address 0 of its own bus.
pub struct Svd<'a>(pub &'a [Space]);

impl Display for Reset {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Reset::Value(value) => write!(f, "0x{value:08x}"),
            Reset::Values(values) => {
                for (i, value) in values.iter().enumerate() {
                    write!(f, "{}0x{value:08x}", if i > 0 { " " } else { "" })?;
                }
                Ok(())
            }
            Reset::Derived(text) => f.write_str(text),
        }
    }
}

/// `0x10040 + 4 i, i < 10` for an array, the bare offset otherwise.
struct Offset<'a>(&'a Register);

impl Display for Offset<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let r = self.0;
        write!(f, "0x{:05x}", r.offset)?;
        if r.count > 1 {
            write!(f, " + {} i, i < {}", r.stride, r.count)?;
        }
        Ok(())
    }
}

impl Hardware {
    /// One word for the register documentation.
    const fn word(self) -> &'static str {
        match self {
            Hardware::Constant => "constant",
            Hardware::Reads => "reads",
            Hardware::Drives => "drives",
            Hardware::Memory => "memory",
        }
    }
}

impl Display for Markdown<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let space = self.0;
        writeln!(
            f,
            "## {} registers\n\n{} Read data follows an accepted request after {} cycles.\n",
            space.name, space.doc, space.read_latency
        )?;
        writeln!(f, "| offset | name | bits | software | hardware | reset | meaning |\n|---|---|---|---|---|---|---|")?;
        for r in space.registers {
            writeln!(
                f,
                "| {} | `{}` | {}:0 | {} | {} | {} | {} |",
                Offset(r),
                r.name,
                r.width - 1,
                r.access.abbreviation(),
                r.hardware.word(),
                r.reset,
                r.doc
            )?;
            for field in r.fields {
                let msb = field.lsb + field.width - 1;
                writeln!(f, "| | `.{}` | {}:{} | | | | {} |", field.name, msb, field.lsb, field.doc)?;
            }
        }
        Ok(())
    }
}

impl Display for CHeader<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let space = self.0;
        writeln!(f, "/* {} */", space.doc)?;
        for r in space.registers {
            let name = format_args!("POINTSMAN_{}_{}", space.name, r.name);
            writeln!(f, "\n/* {} {}. Reset: {}. */", r.access.abbreviation(), r.doc.trim_end_matches('.'), r.reset)?;
            if r.count > 1 {
                writeln!(
                    f,
                    "#define {name}(i) (0x{:05x}u + {}u * (i))\n#define {name}_COUNT {}u",
                    r.offset, r.stride, r.count
                )?;
            } else {
                writeln!(f, "#define {name} 0x{:05x}u", r.offset)?;
            }
            for field in r.fields {
                // A constant as wide as the register.
                let (digits, suffix) = if r.width == 64 { (16, "ull") } else { (8, "u") };
                writeln!(
                    f,
                    "#define {name}_{}_LSB {}u\n#define {name}_{}_MASK 0x{:0digits$x}{suffix}",
                    field.name,
                    field.lsb,
                    field.name,
                    field.mask(),
                )?;
            }
        }
        Ok(())
    }
}

/// Text within XML.
struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                c => write!(f, "{c}")?,
            }
        }
        Ok(())
    }
}

impl Display for Svd<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(
            "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n\
             <device schemaVersion=\"1.3\" xmlns:xs=\"http://www.w3.org/2001/XMLSchema-instance\" \
             xs:noNamespaceSchemaLocation=\"CMSIS-SVD.xsd\">\n  <name>Pointsman</name>\n  <version>1.0</version>\n  \
             <description>Pointsman network card</description>\n  <addressUnitBits>8</addressUnitBits>\n  \
             <width>32</width>\n  <size>32</size>\n  <peripherals>\n",
        )?;
        for space in self.0 {
            writeln!(
                f,
                "    <peripheral>\n      <name>{}</name>\n      <description>{}</description>\n      \
                 <baseAddress>0x0</baseAddress>\n      <addressBlock>\n        <offset>0x0</offset>\n        \
                 <size>0x{:x}</size>\n        <usage>registers</usage>\n      </addressBlock>\n      <registers>",
                space.name,
                Escaped(space.doc),
                1u32 << space.address_bits
            )?;
            for r in space.registers {
                svd_register(f, r)?;
            }
            writeln!(f, "      </registers>\n    </peripheral>")?;
        }
        writeln!(f, "  </peripherals>\n</device>")
    }
}

fn svd_register(f: &mut Formatter<'_>, r: &Register) -> Result {
    writeln!(f, "        <register>")?;
    let index = if r.count > 1 { "[%s]" } else { "" };
    if r.count > 1 {
        writeln!(f, "          <dim>{}</dim>\n          <dimIncrement>0x{:x}</dimIncrement>", r.count, r.stride)?;
    }
    writeln!(
        f,
        "          <name>{}{index}</name>\n          <description>{}</description>\n          \
         <addressOffset>0x{:x}</addressOffset>\n          <size>{}</size>",
        r.name,
        Escaped(r.doc),
        r.offset,
        r.width
    )?;
    let (access, write, read) = match r.access {
        Access::ReadOnly => ("read-only", "", ""),
        Access::ReadWrite => ("read-write", "", ""),
        Access::WriteOneToClear => ("read-write", "oneToClear", ""),
        Access::WriteOnly => ("write-only", "", ""),
        Access::ReadToPop => ("read-only", "", "modify"),
        Access::WriteToPush => ("read-write", "modify", ""),
        Access::PopAndPush => ("read-write", "modify", "modify"),
    };
    writeln!(f, "          <access>{access}</access>")?;
    if let Reset::Value(value) = r.reset {
        writeln!(f, "          <resetValue>0x{value:x}</resetValue>")?;
    }
    if !write.is_empty() {
        writeln!(f, "          <modifiedWriteValues>{write}</modifiedWriteValues>")?;
    }
    if !read.is_empty() {
        writeln!(f, "          <readAction>{read}</readAction>")?;
    }
    if !r.fields.is_empty() {
        writeln!(f, "          <fields>")?;
        for Field { name, lsb, width, doc } in r.fields {
            writeln!(
                f,
                "            <field>\n              <name>{name}</name>\n              \
                 <description>{}</description>\n              <bitRange>[{}:{lsb}]</bitRange>\n            </field>",
                Escaped(doc),
                lsb + width - 1
            )?;
        }
        writeln!(f, "          </fields>")?;
    }
    writeln!(f, "        </register>")
}
