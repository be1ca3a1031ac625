//! What the card must do with a frame, told independently of the card.
//!
//! [`predict`] names class, hash, processors and checks of a frame; [`parse`], [`hash`] and [`checks`] are its parts.
//! The model shares no code with the gateware: headers are read with `etherparse`, hashes are
//! computed bit by bit with `bitvec`. It has no clock, no queues and no memory, so of the causes
//! of a drop it knows only those that follow from the frame and the registers.
//!
//! Contract: any bytes give a prediction; nothing here panics.
//!
//! Implements: ¶67.4, ¶68.1, ¶68.2.

mod checksums;
mod hash;
mod parse;

use std::fmt;

use serde::Serialize;

pub use checksums::{Check, Checks, checks};
pub use hash::{
    Addresses, Flow, HashConfig, HashFields, HashFunction, HashTypes, KEY_BYTES, MICROSOFT_KEY, MixedFamilies,
    UnknownFunction, Upper, fold, hash, toeplitz,
};
pub use parse::{Class, HEADER_DEPTH, Malformed, Packet, parse};

/// Entries of the indirection table.
pub const RETA_ENTRIES: usize = 128;

/// Bytes of the shortest frame that has an Ethernet header.
pub const MIN_FRAME: usize = 14;

/// Bytes of the longest frame that is delivered.
pub const MAX_FRAME: usize = 9216;

/// The most processors a card can have.
pub const MAX_PROCESSORS: u8 = 16;

/// A set of processors, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Processors(u16);

impl Processors {
    /// No processor.
    pub const NONE: Self = Self(0);

    /// The first `count` processors, at most [`MAX_PROCESSORS`].
    pub const fn first(count: u8) -> Self {
        if count >= MAX_PROCESSORS { Self(u16::MAX) } else { Self((1 << count) - 1) }
    }

    /// One processor; none if there can be no such processor.
    pub const fn one(processor: u8) -> Self {
        if processor >= MAX_PROCESSORS { Self::NONE } else { Self(1 << processor) }
    }

    /// The set with bit `i` for processor `i`.
    pub const fn from_bits(bits: u16) -> Self {
        Self(bits)
    }

    /// Bit `i` for processor `i`.
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// Whether `processor` is in the set.
    pub const fn contains(self, processor: u8) -> bool {
        processor < MAX_PROCESSORS && self.0 >> processor & 1 == 1
    }

    /// How many processors are in the set.
    pub const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Whether the set is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The processors in ascending order.
    pub fn iter(self) -> impl Iterator<Item = u8> {
        (0..MAX_PROCESSORS).filter(move |processor| self.contains(*processor))
    }
}

impl FromIterator<u8> for Processors {
    fn from_iter<I: IntoIterator<Item = u8>>(processors: I) -> Self {
        Self(processors.into_iter().fold(0, |bits, processor| bits | Self::one(processor).0))
    }
}

impl Serialize for Processors {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl fmt::Display for Processors {
    /// The numbers, with commas between; `-` for none.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("-");
        }
        for (position, processor) in self.iter().enumerate() {
            let comma = if position == 0 { "" } else { "," };
            write!(f, "{comma}{processor}")?;
        }
        Ok(())
    }
}

/// Why a frame reaches no processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DropCause {
    /// Shorter than an Ethernet header.
    Runt,
    /// Longer than the longest frame.
    Oversize,
    /// Marked bad by the sender at its last beat.
    Bad,
    /// The table names a processor that the card does not have.
    NoProcessor,
    /// The processor has no free buffer.
    NoBuffer,
    /// The processor's post queue is full.
    PostFull,
}

impl DropCause {
    /// Every cause, in the order of the card's counters.
    pub const ALL: [Self; 6] =
        [Self::Runt, Self::Oversize, Self::Bad, Self::NoProcessor, Self::NoBuffer, Self::PostFull];
}

impl fmt::Display for DropCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Runt => "runt",
            Self::Oversize => "oversize",
            Self::Bad => "bad",
            Self::NoBuffer => "no_buffer",
            Self::PostFull => "post_full",
            Self::NoProcessor => "no_processor",
        })
    }
}

/// The receive path's registers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DispatchConfig {
    /// The hash block's registers.
    pub hash: HashConfig,
    /// The indirection table: a processor for each value of the hash's low 7 bits.
    pub reta: [u8; RETA_ENTRIES],
    /// The processor of what is not hashed.
    pub default_processor: u8,
    /// Whether ARP goes to every processor.
    pub flood_arp: bool,
    /// Whether neighbour discovery goes to every processor.
    pub flood_nd: bool,
    /// How many processors the card has.
    pub processors: u8,
    /// Bytes of the longest frame that is delivered.
    pub max_frame: usize,
}

impl DispatchConfig {
    /// The registers after reset, for a card of `processors` processors.
    pub fn reset(processors: u8) -> Self {
        Self {
            hash: HashConfig::reset(processors),
            reta: std::array::from_fn(|entry| (entry % usize::from(processors.max(1))) as u8),
            default_processor: 0,
            flood_arp: true,
            flood_nd: true,
            processors,
            max_frame: MAX_FRAME,
        }
    }

    /// The processors of a frame of this class and hash.
    ///
    /// # Errors
    /// The registers name a processor that the card does not have.
    pub fn steer(&self, class: Class, hash: u32) -> Result<Processors, DropCause> {
        let hashed = self.reta[hash as usize % RETA_ENTRIES];
        let one = match class {
            Class::Arp if self.flood_arp => return Ok(Processors::first(self.processors)),
            Class::Nd if self.flood_nd => return Ok(Processors::first(self.processors)),
            Class::Other | Class::Arp | Class::Malformed => self.default_processor,
            Class::Ip | Class::Tcp | Class::Udp | Class::Fragment | Class::Nd => hashed,
        };
        if one < self.processors { Ok(Processors::one(one)) } else { Err(DropCause::NoProcessor) }
    }
}

/// What the card must say about a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prediction {
    /// The class.
    pub class: Class,
    /// The hash; 0 for what is not hashed.
    pub hash: u32,
    /// Where the frame goes; none if it is dropped.
    pub processors: Processors,
    /// Why it is dropped.
    pub drop: Option<DropCause>,
    /// What its checksums are found to be.
    pub checks: Checks,
}

/// Predicts the card's answer to a frame without FCS that was not marked bad, given buffers and
/// room in the queues.
pub fn predict(frame: &[u8], config: &DispatchConfig) -> Prediction {
    let packet = parse(frame);
    let class = packet.map_or(Class::Malformed, |packet| packet.class());
    let hash = match packet {
        Ok(Packet::Flow(flow)) => hash(&flow, &config.hash),
        _ => 0,
    };
    let steered = if frame.len() < MIN_FRAME {
        Err(DropCause::Runt)
    } else if frame.len() > config.max_frame {
        Err(DropCause::Oversize)
    } else {
        config.steer(class, hash)
    };
    Prediction { class, hash, processors: steered.unwrap_or_default(), drop: steered.err(), checks: checks(frame) }
}

#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests {
    use super::*;

    /// 14 bytes of Ethernet and an IPv4 header from 0.0.0.`last`, protocol 253, no payload.
    fn ip(last: u8) -> Vec<u8> {
        let mut frame = vec![0; 12];
        frame.extend([0x08, 0x00]);
        frame.extend([0x45, 0, 0, 20, 0, 0, 0, 0, 64, 253, 0, 0]);
        frame.extend([0, 0, 0, last]);
        frame.extend([0, 0, 0, 0]);
        frame
    }

    fn ethernet(ether_type: u16, length: usize) -> Vec<u8> {
        let mut frame = vec![0; 12];
        frame.extend(ether_type.to_be_bytes());
        frame.resize(length, 0);
        frame
    }

    /// A neighbour solicitation from ::`last`.
    fn neighbour_solicitation(last: u8) -> Vec<u8> {
        let mut frame = ethernet(0x86dd, 14);
        frame.extend([0x60, 0, 0, 0, 0, 4, 58, 255]);
        frame.extend([0; 15]);
        frame.push(last);
        frame.extend([0; 16]);
        frame.extend([135, 0, 0, 0]);
        frame
    }

    #[test]
    fn after_reset_the_hash_modulo_n_names_the_processor() {
        for processors in 2..=16 {
            let config = DispatchConfig::reset(processors);
            for last in 0..=255 {
                let frame = ip(last);
                let prediction = predict(&frame, &config);
                assert_eq!(prediction.class, Class::Ip);
                assert_eq!(prediction.hash, fold(last.into(), config.hash.chunk_bits));
                let processor = prediction.hash % u32::from(processors);
                assert_eq!(prediction.processors, Processors::one(processor as u8));
                assert_eq!(prediction.drop, None);
            }
        }
    }

    #[test]
    fn only_the_low_seven_bits_of_the_hash_pick_the_entry() {
        let mut config = DispatchConfig::reset(16);
        config.reta[0x7f] = 9;
        config.reta[0x00] = 5;
        let steer = |hash| config.steer(Class::Tcp, hash);
        assert_eq!(steer(0xffff_ffff), Ok(Processors::one(9)));
        assert_eq!(steer(0xffff_ff80), Ok(Processors::one(5)));
    }

    #[test]
    fn arp_and_neighbour_discovery_flood_unless_told_otherwise() {
        let arp = ethernet(0x0806, 60);
        let nd = neighbour_solicitation(3);
        let mut config = DispatchConfig { default_processor: 2, ..DispatchConfig::reset(5) };
        for frame in [&arp, &nd] {
            assert_eq!(predict(frame, &config).processors, Processors::first(5));
        }
        config.flood_arp = false;
        assert_eq!(predict(&arp, &config).processors, Processors::one(2));
        assert_eq!(predict(&nd, &config).processors.len(), 5);
        config.flood_nd = false;
        assert_eq!(predict(&nd, &config).processors, Processors::one(3));
        assert_eq!(predict(&nd, &config).class, Class::Nd);
        // Flooded or not, the hash is the same.
        assert_eq!(predict(&nd, &config).hash, 3);
        assert_eq!(predict(&nd, &DispatchConfig::reset(5)).hash, 3);
    }

    #[test]
    fn what_is_not_hashed_goes_to_the_default_processor() {
        let config = DispatchConfig { default_processor: 3, ..DispatchConfig::reset(4) };
        let malformed = ethernet(0x0800, 20);
        for (frame, class) in [(ethernet(0x88cc, 60), Class::Other), (malformed, Class::Malformed)] {
            let expected =
                Prediction { class, hash: 0, processors: Processors::one(3), drop: None, checks: Checks::default() };
            assert_eq!(predict(&frame, &config), expected);
        }
    }

    #[test]
    fn frames_without_a_header_or_too_long_are_dropped() {
        let config = DispatchConfig::reset(4);
        let drop = |length| predict(&ethernet(0x88cc, 9300)[..length], &config).drop;
        assert_eq!(drop(0), Some(DropCause::Runt));
        assert_eq!(drop(13), Some(DropCause::Runt));
        assert_eq!(drop(14), None);
        assert_eq!(drop(9216), None);
        assert_eq!(drop(9217), Some(DropCause::Oversize));
        let runt = predict(&[0; 13], &config);
        assert_eq!((runt.class, runt.hash), (Class::Malformed, 0));
        assert!(runt.processors.is_empty());
        // A frame that is too long was parsed all the same.
        let mut long = ip(2);
        long.resize(9217, 0);
        let long = predict(&long, &config);
        assert_eq!((long.class, long.hash), (Class::Ip, 2));
        assert!(long.processors.is_empty());
    }

    #[test]
    fn processors_that_the_card_lacks_get_nothing() {
        let mut config = DispatchConfig::reset(3);
        config.reta[1] = 3;
        let dropped = predict(&ip(1), &config);
        assert_eq!(dropped.drop, Some(DropCause::NoProcessor));
        assert!(dropped.processors.is_empty());
        assert_eq!(dropped.class, Class::Ip);
        assert_eq!(predict(&ip(2), &config).drop, None);
        config.default_processor = 200;
        let other = ethernet(0x88cc, 60);
        assert_eq!(predict(&other, &config).drop, Some(DropCause::NoProcessor));
        // A flood names no processor, so none can be missing.
        let arp = ethernet(0x0806, 60);
        assert_eq!(predict(&arp, &config).processors.len(), 3);
    }

    #[test]
    fn sets_of_processors_read_as_numbers() {
        assert_eq!(Processors::NONE.to_string(), "-");
        assert_eq!(Processors::from_iter([15, 0, 3]).to_string(), "0,3,15");
        assert_eq!(Processors::from_iter([16, 255]), Processors::NONE);
        assert_eq!(Processors::first(16).bits(), 0xffff);
        assert_eq!(Processors::first(2).iter().collect::<Vec<_>>(), [0, 1]);
        let json = serde_json::to_string(&Processors::from_bits(0b101)).unwrap();
        assert_eq!(json, "[0,2]");
    }

    #[test]
    fn names_are_the_ones_the_tools_print() {
        let classes = Class::ALL.map(|class| class.to_string()).join(" ");
        assert_eq!(classes, "other arp ip tcp udp frag nd malformed");
        for (number, class) in Class::ALL.into_iter().enumerate() {
            assert_eq!(class as usize, number);
            let json = serde_json::to_string(&class).unwrap();
            assert_eq!(json, format!("\"{class}\""));
        }
        for cause in DropCause::ALL {
            let json = serde_json::to_string(&cause).unwrap();
            assert_eq!(json, format!("\"{cause}\""));
        }
    }
}
