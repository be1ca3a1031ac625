//! The JSON schema, and the way from it to a [`Vector`].

use serde::Deserialize;

use crate::reference::{
    Class, DispatchConfig, HashFields, HashFunction, HashTypes, KEY_BYTES, MAX_FRAME, MAX_PROCESSORS, MIN_FRAME,
    Processors,
};

use super::hex::parse_hex;
use super::packet::Packet;
use super::{Vector, VectorProblem};

/// Processors of a vector that does not say.
const DEFAULT_PROCESSORS: u8 = 4;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    /// What the vectors are and where they come from: for people.
    #[serde(default, rename = "about")]
    _about: Vec<String>,
    pub(super) vectors: Vec<RawVector>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawVector {
    pub(super) name: String,
    #[serde(default)]
    comment: Vec<String>,
    function: HashFunction,
    #[serde(default)]
    config: Overrides,
    frame: Frame,
    expect: Expect,
}

/// Registers that differ from reset.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Overrides {
    processors: Option<u8>,
    chunk_bits: Option<u8>,
    key: Option<String>,
    fields: Option<Vec<Field>>,
    types: Option<Vec<Type>>,
    fragment_addresses: Option<bool>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Field {
    SourceAddress,
    DestinationAddress,
    SourcePort,
    DestinationPort,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Type {
    Tcp,
    Udp,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Frame {
    Bytes(String),
    Packet(Box<Packet>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    class: Class,
    hash: String,
    processors: Vec<u8>,
}

impl RawVector {
    pub(super) fn resolve(self) -> Result<Vector, VectorProblem> {
        let config = self.config.resolve(self.function)?;
        let frame = match self.frame {
            Frame::Packet(packet) => packet.to_frame()?,
            Frame::Bytes(text) => {
                parse_hex(&text).map_err(|problem| VectorProblem::Hex { field: "frame.bytes", problem })?
            }
        };
        if !(MIN_FRAME..=MAX_FRAME).contains(&frame.len()) {
            return Err(VectorProblem::Length(frame.len()));
        }
        let Expect { class, hash, processors } = self.expect;
        let last = config.processors - 1;
        if processors.is_empty() || processors.iter().any(|processor| *processor > last) {
            return Err(VectorProblem::Expected { given: processors, last });
        }
        Ok(Vector {
            name: self.name,
            comment: self.comment,
            frame,
            class,
            hash: number(&hash).ok_or(VectorProblem::Hash(hash))?,
            processors: Processors::from_iter(processors),
            config,
        })
    }
}

impl Overrides {
    fn resolve(self, function: HashFunction) -> Result<DispatchConfig, VectorProblem> {
        let processors = self.processors.unwrap_or(DEFAULT_PROCESSORS);
        if !(2..=MAX_PROCESSORS).contains(&processors) {
            return Err(VectorProblem::Processors(processors));
        }
        let mut config = DispatchConfig::reset(processors);
        let hash = &mut config.hash;
        hash.function = function;
        if let Some(chunk_bits) = self.chunk_bits {
            if !(1..=7).contains(&chunk_bits) {
                return Err(VectorProblem::ChunkBits(chunk_bits));
            }
            hash.chunk_bits = chunk_bits;
        }
        if let Some(text) = self.key {
            let key = parse_hex(&text).map_err(|problem| VectorProblem::Hex { field: "config.key", problem })?;
            hash.key = <[u8; KEY_BYTES]>::try_from(key).map_err(|key| VectorProblem::Key(key.len()))?;
        }
        if let Some(fields) = self.fields {
            hash.fields = fields.into_iter().fold(HashFields(0), |fields, field| {
                fields.union(match field {
                    Field::SourceAddress => HashFields::SOURCE_ADDRESS,
                    Field::DestinationAddress => HashFields::DESTINATION_ADDRESS,
                    Field::SourcePort => HashFields::SOURCE_PORT,
                    Field::DestinationPort => HashFields::DESTINATION_PORT,
                })
            });
        }
        if let Some(types) = self.types {
            hash.types = types.into_iter().fold(HashTypes(0), |types, one| {
                types.union(match one {
                    Type::Tcp => HashTypes::TCP,
                    Type::Udp => HashTypes::UDP,
                })
            });
        }
        if let Some(fragment_addresses) = self.fragment_addresses {
            hash.fragment_addresses = fragment_addresses;
        }
        Ok(config)
    }
}

/// A hash as it is written in the files.
fn number(text: &str) -> Option<u32> {
    let digits = text.strip_prefix("0x")?;
    // `from_str_radix` would let a sign pass.
    let sound = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    sound.then(|| u32::from_str_radix(digits, 16).ok())?
}
