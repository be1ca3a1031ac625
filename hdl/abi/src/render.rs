//! Prints a register space as Markdown and as a C header.

use core::fmt::{Display, Formatter, Result};

use crate::csr::{Register, Reset, Space};

/// A register space as a Markdown chapter.
pub struct Markdown<'a>(pub &'a Space);

/// A register space as C macros: `POINTSMAN_<SPACE>_<REGISTER>`, and `_LSB` and `_MASK` for each field.
pub struct CHeader<'a>(pub &'a Space);

impl Display for Reset {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Reset::Value(value) => write!(f, "0x{value:08x}"),
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

impl Display for Markdown<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let space = self.0;
        writeln!(
            f,
            "## {} registers\n\n{} Read data follows a request after {} cycles.\n",
            space.name, space.doc, space.read_latency
        )?;
        writeln!(f, "| offset | name | bits | access | reset | meaning |\n|---|---|---|---|---|---|")?;
        for r in space.registers {
            writeln!(
                f,
                "| {} | `{}` | {}:0 | {} | {} | {} |",
                Offset(r),
                r.name,
                r.width - 1,
                r.access.abbreviation(),
                r.reset,
                r.doc
            )?;
            for field in r.fields {
                let msb = field.lsb + field.width - 1;
                writeln!(f, "| | `.{}` | {}:{} | | | {} |", field.name, msb, field.lsb, field.doc)?;
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
                let mask = ((1u64 << field.width) - 1) << field.lsb;
                writeln!(
                    f,
                    "#define {name}_{}_LSB {}u\n#define {name}_{}_MASK 0x{mask:08x}u",
                    field.name, field.lsb, field.name
                )?;
            }
        }
        Ok(())
    }
}
