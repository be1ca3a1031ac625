//! Golden vectors: frames, and what the card must say about them, from JSON files.
//!
//! `tests/vectors/README.md` documents the schema for those who write files of their own.

mod hex;
mod packet;
mod schema;

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::reference::{Class, DispatchConfig, KEY_BYTES, MAX_FRAME, MAX_PROCESSORS, MIN_FRAME, Processors};

pub use hex::{HexError, parse_hex};
pub use packet::{Extension, ExtensionKind, Fragment, Packet, PacketError, Ports, Protocol, Tag, TagKind};

/// The vectors that come with the project, by file name.
pub const SHIPPED: [(&str, &str); 4] = [
    ("rss-microsoft.json", include_str!("../../tests/vectors/rss-microsoft.json")),
    ("xor.json", include_str!("../../tests/vectors/xor.json")),
    ("fragments.json", include_str!("../../tests/vectors/fragments.json")),
    ("vlan.json", include_str!("../../tests/vectors/vlan.json")),
];

/// A frame and what the card must say about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vector {
    /// Its name, which no other vector of the file has.
    pub name: String,
    /// Where its values come from, line by line.
    pub comment: Vec<String>,
    /// The card's registers.
    pub config: DispatchConfig,
    /// The Ethernet frame without FCS.
    pub frame: Vec<u8>,
    /// The class it must get.
    pub class: Class,
    /// The hash it must get.
    pub hash: u32,
    /// The processors that must get it.
    pub processors: Processors,
}

/// What is wrong with one vector.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VectorProblem {
    /// Another vector has the name.
    #[error("the name is given twice")]
    Name,
    /// Hexadecimal digits that are none.
    #[error("{field}: {problem}")]
    Hex {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        problem: HexError,
    },
    /// A key of another length.
    #[error("config.key: {0} bytes; the Toeplitz key has {KEY_BYTES}")]
    Key(usize),
    /// A card that cannot be built.
    #[error("config.processors: {0}; a card has 2 to {MAX_PROCESSORS}")]
    Processors(u8),
    /// A chunk width that the card does not have.
    #[error("config.chunk_bits: {0}; the card folds to 1 to 7 bits")]
    ChunkBits(u8),
    /// A description that no frame fits.
    #[error("frame.packet: {0}")]
    Packet(#[from] PacketError),
    /// A frame that the card would drop.
    #[error("frame: {0} bytes; a frame that is delivered has {MIN_FRAME} to {MAX_FRAME}")]
    Length(usize),
    /// A hash that is no number of 32 bits.
    #[error("expect.hash: `{0}`; write it as 0x and up to eight hexadecimal digits")]
    Hash(String),
    /// No processor, or one that the card lacks.
    #[error("expect.processors: {given:?}; name one or more of the processors 0 to {last}")]
    Expected {
        /// The list as given.
        given: Vec<u8>,
        /// The card's last processor.
        last: u8,
    },
}

/// A vector file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum VectorError {
    /// The file cannot be read.
    #[error("{}: cannot be read: {problem}; check the path and its permissions", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// The reason.
        problem: io::Error,
    },
    /// The file is no JSON, or not of the schema.
    #[error("{}:{line}:{column}: {problem}", file.display())]
    Malformed {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// What is wrong there.
        problem: String,
    },
    /// The file has no vectors.
    #[error("{}: the list of vectors is empty; give at least one", file.display())]
    Empty {
        /// The file.
        file: PathBuf,
    },
    /// One of the vectors makes no sense.
    #[error("{}: vector `{name}`: {problem}", file.display())]
    Vector {
        /// The file.
        file: PathBuf,
        /// The vector.
        name: String,
        /// What is wrong with it.
        problem: VectorProblem,
    },
}

/// Reads a vector file.
///
/// # Errors
/// The file cannot be read, is not of the schema, or holds a vector that makes no sense.
pub fn load(file: impl AsRef<Path>) -> Result<Vec<Vector>, VectorError> {
    let file = file.as_ref();
    match fs::read(file) {
        Ok(json) => read(file, &json),
        Err(problem) => Err(VectorError::Unreadable { file: file.to_owned(), problem }),
    }
}

/// Reads vectors from JSON; errors call it `name`.
///
/// # Errors
/// As [`load`].
pub fn read(name: impl Into<PathBuf>, json: &[u8]) -> Result<Vec<Vector>, VectorError> {
    let file = name.into();
    let parsed: schema::File = match serde_json::from_slice(json) {
        Ok(parsed) => parsed,
        Err(error) => {
            let (line, column) = (error.line(), error.column());
            // serde_json ends its message with the place, which stands in front of ours.
            let text = error.to_string();
            let place = format!(" at line {line} column {column}");
            let problem = text.strip_suffix(&place).unwrap_or(&text).to_owned();
            return Err(VectorError::Malformed { file, line, column, problem });
        }
    };
    if parsed.vectors.is_empty() {
        return Err(VectorError::Empty { file });
    }
    let mut names = BTreeSet::new();
    let mut vectors = Vec::with_capacity(parsed.vectors.len());
    for vector in parsed.vectors {
        let name = vector.name.clone();
        let unique = names.insert(name.clone());
        let resolved = if unique { vector.resolve() } else { Err(VectorProblem::Name) };
        match resolved {
            Ok(vector) => vectors.push(vector),
            Err(problem) => return Err(VectorError::Vector { file, name, problem }),
        }
    }
    Ok(vectors)
}

impl fmt::Display for Vector {
    /// The name and what is expected.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} {:#010x} to {}", self.name, self.class, self.hash, self.processors)
    }
}

#[cfg(test)]
mod tests;
