//! Captures: frames out of pcap and pcapng files, and into them ([`writer`]).
//!
//! Both byte orders, micro- and nanoseconds, several interfaces and sections. `pcap-parser` reads
//! records and blocks; what is decided here is which of them are frames, what a hostile file may
//! cost (a few megabytes of memory, whatever it claims), and how an error reads.
//!
//! Contract: any bytes give frames or an error; nothing here panics.

mod source;
pub mod writer;

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use pcap_parser::nom::{self, IResult};
use pcap_parser::pcapng::{Block, InterfaceDescriptionBlock, OptionCode};
use pcap_parser::{
    LegacyPcapBlock, PcapError, parse_block_be, parse_block_le, parse_pcap_frame, parse_pcap_frame_be,
    parse_pcap_frame_modified, parse_pcap_header,
};

use source::Source;

/// The longest record that is read, in bytes: twice the 262,144 that capture tools allow a packet.
pub const MAX_RECORD: usize = 512 * 1024;

/// Interfaces one section may describe.
const MAX_INTERFACES: usize = 1 << 16;

/// The link-layer type of Ethernet in pcap and pcapng.
const ETHERNET: u32 = 1;

const PCAP_HEADER: usize = 24;

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION: u32 = 1;
const OBSOLETE_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;

/// One captured frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// When it was captured, in nanoseconds since 1970; 0 where the capture does not say.
    pub timestamp: u64,
    /// Its length on the wire, in bytes, without FCS.
    pub original_length: u32,
    /// The bytes that were captured, without FCS.
    pub bytes: Vec<u8>,
}

impl Frame {
    /// Whether the capture holds only the beginning of the frame.
    pub fn is_cut(&self) -> bool {
        self.bytes.len() < self.original_length as usize
    }

    /// Takes captured bytes of which the last `fcs` on the wire were the checksum.
    fn new(timestamp: u64, original_length: u32, captured: &[u8], fcs: u32) -> Self {
        let original_length = original_length.saturating_sub(fcs);
        let kept = if fcs == 0 { captured.len() } else { captured.len().min(original_length as usize) };
        Self { timestamp, original_length, bytes: captured[..kept].to_vec() }
    }
}

/// What is wrong with a capture.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// The file cannot be opened or read.
    #[error("cannot be read: {0}; check the path and its permissions")]
    Unreadable(#[from] io::Error),
    /// The file has no bytes.
    #[error("the file is empty; give a pcap or pcapng capture")]
    Empty,
    /// The file is something else.
    #[error("not a capture: it starts with {start}; give a pcap or pcapng file")]
    NotACapture {
        /// The first bytes, in hexadecimal.
        start: String,
    },
    /// The file is compressed.
    #[error("compressed with {format}; unpack it first, with `{command}`")]
    Compressed {
        /// The compression's name.
        format: &'static str,
        /// The command that unpacks it.
        command: &'static str,
    },
    /// The file ends inside a record.
    #[error(
        "truncated after frame {frames}: the file ends at byte {end}, inside the record that starts at byte {offset}; \
         capture it again, or keep the whole frames with `tcpdump -r FILE -w NEW`"
    )]
    Truncated {
        /// How many whole frames precede the record.
        frames: u64,
        /// Where the record starts, in bytes from the start of the file.
        offset: u64,
        /// The file's length in bytes.
        end: u64,
    },
    /// The frames are not Ethernet frames.
    #[error("frame {frame} has link type {link_type}, not Ethernet; capture on an Ethernet interface")]
    LinkType {
        /// The number of the first such frame, from 1.
        frame: u64,
        /// Its link type.
        link_type: LinkType,
    },
    /// A record contradicts itself or the format.
    #[error("damaged after frame {frames}, at byte {offset}: {what}; capture it again")]
    Damaged {
        /// How many frames precede the damage.
        frames: u64,
        /// Where the record starts, in bytes from the start of the file.
        offset: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// A pcapng file of before 2009.
    #[error("it has packet blocks of an obsolete kind; rewrite it with `editcap FILE NEW`")]
    Obsolete,
    /// A sound capture without frames.
    #[error("the capture holds no frames; give one with at least one frame")]
    NoFrames,
}

/// A capture that cannot be used, and why.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", file.display())]
pub struct CaptureError {
    /// The file, as it was named.
    pub file: PathBuf,
    /// What is wrong with it.
    pub problem: Problem,
}

/// A link-layer header type, <https://www.tcpdump.org/linktypes.html>.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkType(pub u32);

impl fmt::Display for LinkType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.0 {
            0 => "BSD loopback",
            1 => "Ethernet",
            9 => "PPP",
            12 | 14 | 101 => "raw IP",
            105 => "IEEE 802.11",
            108 => "OpenBSD loopback",
            113 => "Linux cooked capture, from the `any` interface",
            127 => "IEEE 802.11 with radiotap",
            189 | 220 => "USB",
            228 => "raw IPv4",
            229 => "raw IPv6",
            239 => "Linux NFLOG",
            253 => "Linux netlink",
            276 => "Linux cooked capture v2, from the `any` interface",
            _ => return write!(f, "{}", self.0),
        };
        write!(f, "{} ({name})", self.0)
    }
}

type RecordParser = for<'a> fn(&'a [u8]) -> IResult<&'a [u8], LegacyPcapBlock<'a>, PcapError<&'a [u8]>>;

/// What is known of the file so far.
enum Format {
    Pcap {
        parse: RecordParser,
        /// Bytes of a record before its frame.
        header: usize,
        nanoseconds_per_unit: u64,
        fcs: u32,
    },
    Pcapng {
        big_endian: bool,
        interfaces: Vec<Interface>,
    },
}

/// What pcapng says of an interface.
struct Interface {
    link_type: LinkType,
    snap_length: u32,
    clock: Clock,
    fcs: u32,
}

/// How an interface counts time.
struct Clock {
    /// `if_tsresol`: a negative power of ten, or of two if the top bit is set.
    resolution: u8,
    /// `if_tsoffset`, in seconds.
    offset: i64,
}

impl Clock {
    fn nanoseconds(&self, units: u64) -> u64 {
        let exponent = u32::from(self.resolution & 0x7f);
        let since_offset = if self.resolution & 0x80 != 0 {
            (u128::from(units) * 1_000_000_000) >> exponent
        } else if exponent <= 9 {
            u128::from(units) * 10u128.pow(9 - exponent)
        } else {
            10u128.checked_pow(exponent - 9).map_or(0, |divisor| u128::from(units) / divisor)
        };
        // Under 2^94 and 2^93: neither the casts nor the sum can overflow.
        let nanoseconds = since_offset as i128 + i128::from(self.offset) * 1_000_000_000;
        nanoseconds.clamp(0, u64::MAX.into()) as u64
    }
}

/// A capture being read; an iterator over its frames.
///
/// The first error ends the iteration. A capture without frames gives [`Problem::NoFrames`].
pub struct Capture {
    file: PathBuf,
    source: Source,
    format: Format,
    frames: u64,
    cut_frames: u64,
    ended: bool,
}

impl Capture {
    /// Opens a file and reads its header.
    ///
    /// # Errors
    /// The file cannot be read, is empty, or is no pcap or pcapng capture of Ethernet frames.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, CaptureError> {
        let path = path.as_ref();
        match File::open(path) {
            Ok(file) => Self::from_reader(path, file),
            Err(error) => Err(CaptureError { file: path.to_owned(), problem: error.into() }),
        }
    }

    /// Reads a capture from anywhere; errors call it `name`.
    ///
    /// # Errors
    /// As [`Capture::open`].
    pub fn from_reader(name: impl Into<PathBuf>, reader: impl Read + Send + 'static) -> Result<Self, CaptureError> {
        let mut source = Source::new(Box::new(reader));
        let file = name.into();
        match recognise(&mut source) {
            Ok(format) => Ok(Self { file, source, format, frames: 0, cut_frames: 0, ended: false }),
            Err(problem) => Err(CaptureError { file, problem }),
        }
    }

    /// Frames read so far.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Frames read so far of which the capture holds only the beginning.
    pub fn cut_frames(&self) -> u64 {
        self.cut_frames
    }

    fn next_frame(&mut self) -> Result<Option<Frame>, Problem> {
        let frame = match self.format {
            Format::Pcap { .. } => self.next_record()?,
            Format::Pcapng { .. } => self.next_packet_block()?,
        };
        match &frame {
            Some(frame) => {
                self.frames += 1;
                self.cut_frames += u64::from(frame.is_cut());
            }
            None if self.frames == 0 => return Err(Problem::NoFrames),
            None => {}
        }
        Ok(frame)
    }

    fn next_record(&mut self) -> Result<Option<Frame>, Problem> {
        let Format::Pcap { parse, header, nanoseconds_per_unit, fcs } = self.format else { return Ok(None) };
        let mut wanted = header;
        loop {
            let bytes = self.source.peek(wanted)?;
            let there = bytes.len();
            if there == 0 {
                return Ok(None);
            }
            match parse(bytes) {
                Ok((rest, record)) => {
                    let nanoseconds = u64::from(record.ts_usec) * nanoseconds_per_unit;
                    let timestamp = u64::from(record.ts_sec) * 1_000_000_000 + nanoseconds;
                    let frame = Frame::new(timestamp, record.origlen, record.data, fcs);
                    let consumed = there - rest.len();
                    self.source.consume(consumed);
                    return Ok(Some(frame));
                }
                Err(nom::Err::Incomplete(nom::Needed::Size(missing))) if there == wanted => {
                    wanted = wanted.saturating_add(missing.get());
                    if wanted > MAX_RECORD {
                        return Err(self.damaged("a record claims more bytes than any frame has"));
                    }
                }
                Err(nom::Err::Incomplete(_)) => return Err(self.truncated(there as u64)),
                Err(_) => return Err(self.damaged("a record cannot be read")),
            }
        }
    }

    fn next_packet_block(&mut self) -> Result<Option<Frame>, Problem> {
        loop {
            let Some((kind, length)) = self.block_header()? else { return Ok(None) };
            match kind {
                OBSOLETE_PACKET => return Err(Problem::Obsolete),
                SECTION_HEADER | INTERFACE_DESCRIPTION | SIMPLE_PACKET | ENHANCED_PACKET => {
                    if let Some(frame) = self.block(length as usize)? {
                        return Ok(Some(frame));
                    }
                }
                // Statistics, names, secrets, vendors' own: nothing of them is a frame.
                _ => {
                    let skipped = self.source.skip(length.into())?;
                    if skipped < length.into() {
                        let offset = self.source.offset() - skipped;
                        let end = self.source.offset();
                        return Err(Problem::Truncated { frames: self.frames, offset, end });
                    }
                }
            }
        }
    }

    /// Type and total length of the block ahead; `None` at the end of the file. A section header
    /// says in which byte order it and its section are written.
    fn block_header(&mut self) -> Result<Option<(u32, u32)>, Problem> {
        const BYTES: usize = 12;
        let bytes = self.source.peek(BYTES)?;
        let there = bytes.len();
        let Some(&[t0, t1, t2, t3, l0, l1, l2, l3, o0, o1, o2, o3]) = bytes.first_chunk::<BYTES>() else {
            return if there == 0 { Ok(None) } else { Err(self.truncated(there as u64)) };
        };
        let Format::Pcapng { big_endian, interfaces } = &mut self.format else { return Ok(None) };
        // The type of a section header reads the same in both byte orders.
        if u32::from_le_bytes([t0, t1, t2, t3]) == SECTION_HEADER {
            *big_endian = match [o0, o1, o2, o3] {
                [0x1a, 0x2b, 0x3c, 0x4d] => true,
                [0x4d, 0x3c, 0x2b, 0x1a] => false,
                _ => return Err(self.damaged("a section header has no byte order")),
            };
            interfaces.clear();
        }
        let word = if *big_endian { u32::from_be_bytes } else { u32::from_le_bytes };
        let (kind, length) = (word([t0, t1, t2, t3]), word([l0, l1, l2, l3]));
        if (length as usize) < BYTES {
            return Err(self.damaged("a block is shorter than its own header"));
        }
        Ok(Some((kind, length)))
    }

    /// Reads the block ahead, of `length` bytes; a frame if it holds one.
    fn block(&mut self, length: usize) -> Result<Option<Frame>, Problem> {
        if length > MAX_RECORD {
            return Err(self.damaged("a block claims more bytes than any frame has"));
        }
        let (frames, offset) = (self.frames, self.source.offset());
        let damaged = |what| Problem::Damaged { frames, offset, what };
        let bytes = self.source.peek(length)?;
        let there = bytes.len();
        if there < length {
            return Err(self.truncated(there as u64));
        }
        let Format::Pcapng { big_endian, interfaces } = &mut self.format else { return Ok(None) };
        let parse = if *big_endian { parse_block_be } else { parse_block_le };
        // The whole block is there, so a parser that wants more was lied to.
        let Ok((_, block)) = parse(bytes) else { return Err(damaged("a block cannot be read")) };
        let frame = match block {
            Block::InterfaceDescription(description) => {
                if interfaces.len() == MAX_INTERFACES {
                    return Err(damaged("there are more interfaces than can be"));
                }
                interfaces.push(interface(&description, *big_endian));
                None
            }
            Block::EnhancedPacket(packet) => {
                let Some(interface) = interfaces.get(packet.if_id as usize) else {
                    return Err(damaged("a packet names an interface that is not described"));
                };
                check_ethernet(interface.link_type, frames)?;
                // `data` ends with padding; the parser has checked that it holds `caplen` bytes.
                let captured = &packet.data[..packet.data.len().min(packet.caplen as usize)];
                let units = u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low);
                let timestamp = interface.clock.nanoseconds(units);
                Some(Frame::new(timestamp, packet.origlen, captured, interface.fcs))
            }
            Block::SimplePacket(packet) => {
                let Some(interface) = interfaces.first() else {
                    return Err(damaged("a packet stands before any interface"));
                };
                check_ethernet(interface.link_type, frames)?;
                let limit = if interface.snap_length == 0 { u32::MAX } else { interface.snap_length };
                let captured = packet.origlen.min(limit) as usize;
                let Some(captured) = packet.data.get(..captured) else {
                    return Err(damaged("a packet is longer than its block"));
                };
                Some(Frame::new(0, packet.origlen, captured, interface.fcs))
            }
            _ => None,
        };
        self.source.consume(length);
        Ok(frame)
    }

    /// The error for a record of which only `there` bytes exist.
    fn truncated(&self, there: u64) -> Problem {
        let offset = self.source.offset();
        Problem::Truncated { frames: self.frames, offset, end: offset + there }
    }

    fn damaged(&self, what: &'static str) -> Problem {
        Problem::Damaged { frames: self.frames, offset: self.source.offset(), what }
    }
}

impl Iterator for Capture {
    type Item = Result<Frame, CaptureError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = self.next_frame();
        self.ended = !matches!(next, Ok(Some(_)));
        next.map_err(|problem| CaptureError { file: self.file.clone(), problem }).transpose()
    }
}

/// Reads what stands before the first record.
fn recognise(source: &mut Source) -> Result<Format, Problem> {
    let start = source.peek(PCAP_HEADER)?;
    let there = start.len();
    if there == 0 {
        return Err(Problem::Empty);
    }
    if start.starts_with(&SECTION_HEADER.to_le_bytes()) {
        return Ok(Format::Pcapng { big_endian: false, interfaces: Vec::new() });
    }
    for (magic, format, command) in [
        (&[0x1f, 0x8b][..], "gzip", "gunzip --keep FILE"),
        (&[0x28, 0xb5, 0x2f, 0xfd], "zstd", "unzstd FILE"),
        (&[0xfd, b'7', b'z', b'X', b'Z'], "xz", "unxz --keep FILE"),
        (b"BZh", "bzip2", "bunzip2 --keep FILE"),
        (&[0x04, 0x22, 0x4d, 0x18], "lz4", "unlz4 FILE"),
    ] {
        if start.starts_with(magic) {
            return Err(Problem::Compressed { format, command });
        }
    }
    let header = match parse_pcap_header(start) {
        Ok((_, header)) => header,
        Err(nom::Err::Incomplete(_)) if there >= 4 => {
            return Err(Problem::Truncated { frames: 0, offset: 0, end: there as u64 });
        }
        Err(_) => {
            let bytes: Vec<String> = start.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
            return Err(Problem::NotACapture { start: bytes.join(" ") });
        }
    };
    let (parse, record_header): (RecordParser, usize) = if header.is_modified_format() {
        (parse_pcap_frame_modified, 24)
    } else if header.is_bigendian() {
        (parse_pcap_frame_be, 16)
    } else {
        (parse_pcap_frame, 16)
    };
    // draft-ietf-opsawg-pcap, section 4: the type is in the low bits; bit 26 says that frames end
    // with their FCS, whose length in 16-bit units is in bits 28 to 31.
    let network = header.network.0 as u32;
    let link_type = LinkType(network & 0x03ff_ffff);
    let fcs = if network >> 26 & 1 == 1 { (network >> 28) * 2 } else { 0 };
    let nanoseconds_per_unit = if header.is_nanosecond_precision() { 1 } else { 1000 };
    check_ethernet(link_type, 0)?;
    source.consume(PCAP_HEADER);
    Ok(Format::Pcap { parse, header: record_header, nanoseconds_per_unit, fcs })
}

/// Reads the options by hand where `pcap-parser` does not heed the byte order.
fn interface(description: &InterfaceDescriptionBlock<'_>, big_endian: bool) -> Interface {
    const FCS_LENGTH: OptionCode = OptionCode(13);
    let option = |code| {
        let option = description.options.iter().find(|option| option.code == code);
        option.and_then(|option| option.as_bytes().ok())
    };
    let offset = option(OptionCode::IfTsoffset)
        .and_then(|value| value.first_chunk::<8>())
        .map_or(0, |value| if big_endian { i64::from_be_bytes(*value) } else { i64::from_le_bytes(*value) });
    let fcs = match option(FCS_LENGTH) {
        // The drafts have counted it in bits and in bytes; Ethernet's is 32 bits long.
        Some([4 | 32]) => 4,
        _ => 0,
    };
    Interface {
        link_type: LinkType(description.linktype.0 as u32),
        snap_length: description.snaplen,
        clock: Clock { resolution: description.if_tsresol, offset },
        fcs,
    }
}

fn check_ethernet(link_type: LinkType, frames_before: u64) -> Result<(), Problem> {
    if link_type == LinkType(ETHERNET) {
        Ok(())
    } else {
        Err(Problem::LinkType { frame: frames_before + 1, link_type })
    }
}

#[cfg(test)]
mod tests;
