//! The card's parameters, as one validated record.

use core::fmt;
use core::str::FromStr;

use crate::csr::host::parameters;
use crate::limits::{MAX_PROCESSORS, MFA_QUEUE_DEPTH, MIN_PROCESSORS};

/// What a card is built with. Travels whole; every derived size is computed here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NicParams {
    processors: usize,
    width: usize,
    mfa_depth: usize,
}

/// Why a preset name or a pair of numbers is no card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParamsError {
    /// The name has another form than `nXwY`.
    Name,
    /// N outside 2 to 16.
    Processors(usize),
    /// W other than 64, 128, 256 or 512.
    Width(usize),
    /// A depth of the MFA queues that is not a power of two from 16 to 1024.
    MfaDepth(usize),
}

impl fmt::Display for ParamsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name => f.write_str("write nXwY, for example n4w64, for X processors and a frame stream of Y bits"),
            Self::Processors(n) => write!(f, "{n} processors: a card has {MIN_PROCESSORS} to {MAX_PROCESSORS}"),
            Self::Width(w) => write!(f, "a frame stream of {w} bits: choose 64, 128, 256 or 512"),
            Self::MfaDepth(d) => write!(f, "MFA queues of {d} entries: choose a power of two from 16 to 1024"),
        }
    }
}

impl core::error::Error for ParamsError {}

impl NicParams {
    /// Widths the packet path can have, in bits.
    pub const WIDTHS: [usize; 4] = [64, 128, 256, 512];

    /// The presets that cosimulation builds in; the first is the default of every command.
    pub const PRESETS: [&'static str; 7] = ["n4w64", "n2w64", "n8w64", "n16w64", "n4w128", "n4w256", "n16w512"];

    /// A card with `processors` (2 to 16) soft processors and a frame stream of `width` (64, 128, 256, 512) bits.
    pub fn new(processors: usize, width: usize) -> Result<Self, ParamsError> {
        if !(MIN_PROCESSORS..=MAX_PROCESSORS).contains(&processors) {
            return Err(ParamsError::Processors(processors));
        }
        if !Self::WIDTHS.contains(&width) {
            return Err(ParamsError::Width(width));
        }
        Ok(Self { processors, width, mfa_depth: MFA_QUEUE_DEPTH })
    }

    /// The same card with MFA queues of `depth` entries: a power of two, 16 to 1024.
    pub fn with_mfa_depth(self, depth: usize) -> Result<Self, ParamsError> {
        if !depth.is_power_of_two() || !(16..=1024).contains(&depth) {
            return Err(ParamsError::MfaDepth(depth));
        }
        Ok(Self { mfa_depth: depth, ..self })
    }

    /// Number of soft processors, N.
    pub fn processors(&self) -> usize {
        self.processors
    }

    /// Bits of the frame stream, W.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Entries of each MFA queue.
    pub fn mfa_depth(&self) -> usize {
        self.mfa_depth
    }

    /// The register PARAMETERS.
    pub fn register(&self) -> u32 {
        parameters::PROCESSORS.put(self.processors as u32)
            | parameters::MFA_DEPTH.put(self.mfa_depth.trailing_zeros())
            | parameters::WIDTH.put(self.width as u32)
    }

    /// Bytes a beat carries, W / 8.
    pub fn beat_bytes(&self) -> usize {
        self.width / 8
    }

    /// Bits that number the processors, ceil(log2 N): the reset value of the hash's chunk width (¶68).
    pub fn processor_bits(&self) -> usize {
        self.processors.next_power_of_two().trailing_zeros() as usize
    }
}

impl FromStr for NicParams {
    type Err = ParamsError;

    fn from_str(name: &str) -> Result<Self, ParamsError> {
        let number =
            |text: &str| if text.bytes().all(|b| b.is_ascii_digit()) { text.parse::<usize>().ok() } else { None };
        let (processors, width) = name
            .strip_prefix('n')
            .and_then(|rest| rest.split_once('w'))
            .and_then(|(n, w)| Some((number(n)?, number(w)?)))
            .ok_or(ParamsError::Name)?;
        Self::new(processors, width)
    }
}

impl fmt::Display for NicParams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "n{}w{}", self.processors, self.width)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::string::ToString;

    #[test]
    fn preset_names_round_trip() {
        for name in NicParams::PRESETS {
            assert_eq!(name.parse::<NicParams>().unwrap().to_string(), name);
        }
    }

    #[test]
    fn names_that_are_no_card_are_refused_with_the_reason() {
        use ParamsError::*;
        for name in ["", "n4", "4w64", "n4w64x", "n+4w64", "N4W64", "n99999999999999999999w64"] {
            assert_eq!(name.parse::<NicParams>(), Err(Name));
        }
        assert_eq!("n1w64".parse::<NicParams>(), Err(Processors(1)));
        assert_eq!("n17w64".parse::<NicParams>(), Err(Processors(17)));
        let card = NicParams::new(4, 64).unwrap();
        for depth in [0, 8, 100, 2048] {
            assert_eq!(card.with_mfa_depth(depth), Err(MfaDepth(depth)));
        }
        assert_eq!(card.with_mfa_depth(16).unwrap().register(), 0x0040_0404);
        assert_eq!("n4w96".parse::<NicParams>(), Err(Width(96)));
    }
}
