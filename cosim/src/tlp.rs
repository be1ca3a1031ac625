//! Transaction layer packets: typed, as header and payload, and as beats of the card's streams.
//!
//! Nothing here panics, whatever the words and bytes are: what is no sound TLP is a [`TlpError`].
//! Section numbers are those of the PCI Express Base Specification, revision 4.0.

#[cfg(test)]
mod tests;

/// The four DWs of a header; bits 31:24 of a DW are its byte 0. A header of three DWs leaves the last one 0.
pub type Header = [u32; 4];

/// Bytes of a DW.
pub const DW: usize = 4;

/// The most DWs a TLP can carry.
pub const MAX_DWS: usize = 1024;

/// What a TLP says besides what it is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// Traffic class, 0 to 7.
    pub traffic_class: u8,
    /// Attribute bits 2:0: ID-based ordering, relaxed ordering, no snoop.
    pub bits: u8,
    /// The payload is known to be bad (EP, 2.7.2).
    pub poisoned: bool,
}

/// How a request ended (2.2.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// SC.
    Successful,
    /// UR.
    Unsupported,
    /// CRS; only for configuration requests.
    Retry,
    /// CA.
    Aborted,
}

impl Status {
    const fn code(self) -> u32 {
        match self {
            Status::Successful => 0b000,
            Status::Unsupported => 0b001,
            Status::Retry => 0b010,
            Status::Aborted => 0b100,
        }
    }

    /// Receivers take codes that are reserved for UR (2.2.9).
    const fn of(code: u32) -> Self {
        match code {
            0b000 => Status::Successful,
            0b010 => Status::Retry,
            0b100 => Status::Aborted,
            _ => Status::Unsupported,
        }
    }
}

/// A memory request: where, which bytes, and who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Bus, device and function of who asks.
    pub requester: u16,
    /// Names the request among those of its requester, 10 bits.
    pub tag: u16,
    /// Byte address, a multiple of 4.
    pub address: u64,
    /// Length in DWs, 1 to 1024.
    pub dws: usize,
    /// Byte enables of the first DW.
    pub first: u8,
    /// Byte enables of the last DW; 0 if there is only one.
    pub last: u8,
}

impl Request {
    /// The request for `length` bytes from `address` on; `length` is cut to what one request can name, and none is the zero-length
    /// request (2.2.5).
    pub fn of(requester: u16, tag: u16, address: u64, length: usize) -> Self {
        let skipped = (address % DW as u64) as usize;
        let length = length.min(DW * MAX_DWS - skipped);
        let dws = (skipped + length).div_ceil(DW).max(1);
        let unused = dws * DW - skipped - length;
        let (first, last) = (0xf << skipped & 0xf, 0xf >> unused.min(DW));
        let (first, last) = if dws == 1 { (first & last, 0) } else { (first, last) };
        Self { requester, tag, address: address & !(DW as u64 - 1), dws, first, last }
    }

    /// Byte enables of DW `d`.
    pub fn enables(&self, d: usize) -> u8 {
        match d {
            0 => self.first,
            _ if d + 1 == self.dws => self.last,
            _ => 0xf,
        }
    }

    /// Offset from `address` of the first byte that is asked for.
    pub fn skipped(&self) -> usize {
        (self.first.trailing_zeros() as usize).min(DW) % DW
    }

    /// Bytes from the first to the last one that is asked for, 1 to 4096: the byte count of its first completion (2.2.9).
    pub fn bytes(&self) -> usize {
        let end = if self.dws == 1 { self.first } else { self.last };
        let used = (8 - end.leading_zeros() as usize).clamp(1, DW);
        (self.dws * DW - DW + used).saturating_sub(self.skipped()).max(1)
    }

    /// Whether its byte enables are such as 2.2.5 allows.
    pub fn enables_are_legal(&self) -> bool {
        let contiguous = |enables: u8| {
            let run = enables >> enables.trailing_zeros().min(7);
            run & (run + 1) == 0
        };
        let short = self.dws == 1 || self.dws == 2 && self.address.is_multiple_of(8);
        match self.dws {
            1 => self.last == 0,
            _ => {
                let to_the_edges = self.first & 8 != 0 && self.last & 1 != 0;
                self.first != 0
                    && self.last != 0
                    && (short || to_the_edges && contiguous(self.first) && contiguous(self.last))
            }
        }
    }
}

/// The answer to a request, or a part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// Who answers.
    pub completer: u16,
    /// Who asked.
    pub requester: u16,
    /// What was asked, 10 bits.
    pub tag: u16,
    /// How it ended.
    pub status: Status,
    /// Bytes that are still to come, those of this completion included: 1 to 4096.
    pub bytes: usize,
    /// Low 7 bits of the address of its first byte.
    pub lower: u8,
    /// It answers a locked read.
    pub locked: bool,
    /// Whole DWs; none if it has no payload.
    pub data: Vec<u8>,
}

/// What a TLP is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// MRd.
    Read(Request),
    /// MWr, with whole DWs of payload.
    Write(Request, Vec<u8>),
    /// Cpl, CplD, CplLk, CplDLk.
    Completion(Completion),
    /// Any other: its header and payload as they are.
    Other(Header, Vec<u8>),
}

/// A TLP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tlp {
    /// Traffic class, attributes, poison; of [`Kind::Other`] they count as the header has them.
    pub attributes: Attributes,
    /// What it is.
    pub kind: Kind,
}

/// Why words and bytes are no sound TLP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlpError {
    /// The header's length and the payload differ.
    #[error("the header says {header} DWs of payload, there are {payload} bytes")]
    Length {
        /// DWs by the header.
        header: usize,
        /// Bytes that there are.
        payload: usize,
    },
    /// A header of four DWs for an address below 4 GiB (2.2.4.1).
    #[error("a header of four DWs for the address {0:#x}, which fits into three")]
    Wide(u64),
    /// Bits that must be 0 (2.2.1).
    #[error("bits that are reserved are set in the header {0:08x?}")]
    Reserved(Header),
    /// A prefix, or a format that does not exist.
    #[error("byte 0 of the header, {0:#04x}, is no format and type")]
    Format(u8),
    /// The header is not the same on all beats of a TLP.
    #[error("the header changes within a TLP from {0:08x?} to {1:08x?}")]
    Changes(Header, Header),
}

const HAS_DATA: u32 = 1 << 30;
const FOUR_DWS: u32 = 1 << 29;

impl Tlp {
    /// A TLP of traffic class 0 without attributes.
    pub fn plain(kind: Kind) -> Self {
        Self { attributes: Attributes::default(), kind }
    }

    /// Its header and payload.
    pub fn encode(&self) -> (Header, Vec<u8>) {
        let common = u32::from(self.attributes.traffic_class & 7) << 20
            | u32::from(self.attributes.bits >> 2 & 1) << 18
            | u32::from(self.attributes.bits & 3) << 12
            | u32::from(self.attributes.poisoned) << 14;
        let memory = |r: &Request, has_data: u32| {
            let (high, low) = ((r.address >> 32) as u32, r.address as u32 & !3);
            let dw0 = has_data | common | tag_high(r.tag) | length_field(r.dws);
            let dw1 = u32::from(r.requester) << 16
                | u32::from(r.tag & 0xff) << 8
                | u32::from(r.last & 0xf) << 4
                | u32::from(r.first & 0xf);
            match high {
                0 => [dw0, dw1, low, 0],
                _ => [dw0 | FOUR_DWS, dw1, high, low],
            }
        };
        match &self.kind {
            Kind::Read(request) => (memory(request, 0), Vec::new()),
            Kind::Write(request, data) => (memory(request, HAS_DATA), data.clone()),
            Kind::Completion(c) => {
                let has_data = if c.data.is_empty() { 0 } else { HAS_DATA };
                let kind = 0b0_1010 | u32::from(c.locked);
                let length = if c.data.is_empty() { 0 } else { length_field(c.data.len().div_ceil(DW)) };
                let header = [
                    has_data | kind << 24 | common | tag_high(c.tag) | length,
                    u32::from(c.completer) << 16 | c.status.code() << 13 | c.bytes as u32 & 0xfff,
                    u32::from(c.requester) << 16 | u32::from(c.tag & 0xff) << 8 | u32::from(c.lower & 0x7f),
                    0,
                ];
                (header, c.data.clone())
            }
            Kind::Other(header, data) => (*header, data.clone()),
        }
    }

    /// Understands a header and its payload; lanes behind the payload must be gone, see [`payload_bytes`].
    ///
    /// # Errors
    /// They are no sound TLP.
    pub fn decode(header: &Header, payload: &[u8]) -> Result<Self, TlpError> {
        let [dw0, dw1, dw2, dw3] = *header;
        if dw0 >> 31 != 0 {
            return Err(TlpError::Format((dw0 >> 24) as u8));
        }
        if payload.len() != payload_bytes(header) {
            return Err(TlpError::Length { header: payload_bytes(header) / DW, payload: payload.len() });
        }
        let attributes = Attributes {
            traffic_class: (dw0 >> 20 & 7) as u8,
            bits: ((dw0 >> 18 & 1) << 2 | dw0 >> 12 & 3) as u8,
            poisoned: dw0 >> 14 & 1 == 1,
        };
        let tag = |low: u32| (low & 0xff | (dw0 >> 19 & 1) << 8 | (dw0 >> 23 & 1) << 9) as u16;
        let has_data = dw0 & HAS_DATA != 0;
        let kind = match dw0 >> 24 & 0x1f {
            0b0_0000 => {
                let wide = dw0 & FOUR_DWS != 0;
                let address = if wide { u64::from(dw2) << 32 | u64::from(dw3) } else { u64::from(dw2) };
                if address & 3 != 0 || !wide && dw3 != 0 {
                    return Err(TlpError::Reserved(*header));
                }
                if wide && dw2 == 0 {
                    return Err(TlpError::Wide(address));
                }
                let request = Request {
                    requester: (dw1 >> 16) as u16,
                    tag: tag(dw1 >> 8),
                    address,
                    dws: length_dws(dw0),
                    first: (dw1 & 0xf) as u8,
                    last: (dw1 >> 4 & 0xf) as u8,
                };
                if has_data { Kind::Write(request, payload.to_vec()) } else { Kind::Read(request) }
            }
            kind @ (0b0_1010 | 0b0_1011) if dw0 & FOUR_DWS == 0 => {
                // The byte count was changed (BCM, PCI-X only), bit 7 above the lower address, a length without payload.
                if dw1 >> 12 & 1 != 0 || dw2 & 0x80 != 0 || dw3 != 0 || !has_data && dw0 & 0x3ff != 0 {
                    return Err(TlpError::Reserved(*header));
                }
                Kind::Completion(Completion {
                    completer: (dw1 >> 16) as u16,
                    requester: (dw2 >> 16) as u16,
                    tag: tag(dw2 >> 8),
                    status: Status::of(dw1 >> 13 & 7),
                    bytes: match dw1 as usize & 0xfff {
                        0 => 4096,
                        bytes => bytes,
                    },
                    lower: (dw2 & 0x7f) as u8,
                    locked: kind & 1 == 1,
                    data: payload.to_vec(),
                })
            }
            _ => Kind::Other(*header, payload.to_vec()),
        };
        Ok(Self { attributes, kind })
    }
}

fn tag_high(tag: u16) -> u32 {
    u32::from(tag >> 8 & 1) << 19 | u32::from(tag >> 9 & 1) << 23
}

/// 1024 is written as 0.
fn length_field(dws: usize) -> u32 {
    (dws % MAX_DWS) as u32
}

fn length_dws(dw0: u32) -> usize {
    match dw0 as usize & 0x3ff {
        0 => MAX_DWS,
        dws => dws,
    }
}

/// Bytes of payload that a header promises.
pub fn payload_bytes(header: &Header) -> usize {
    if header[0] & HAS_DATA == 0 { 0 } else { DW * length_dws(header[0]) }
}

/// One beat of a stream of TLPs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Beat {
    /// Payload, the first byte in the lowest bits of the first word; as many bytes count as the stream is wide.
    pub data: [u64; 8],
    /// The TLP's header.
    pub header: Header,
    /// The BAR that a request from the host hit.
    pub bar: u8,
    /// Last beat of the TLP.
    pub last: bool,
}

/// The beats of a TLP on a stream of `beat_bytes` bytes: as many as the payload needs, whatever the header says, and at least one.
pub fn beats(header: &Header, payload: &[u8], bar: u8, beat_bytes: usize) -> Vec<Beat> {
    let beat = |bytes: &[u8], last| {
        let mut lanes = [0; 64];
        lanes[..bytes.len()].copy_from_slice(bytes);
        let mut data = [0; 8];
        for (word, lanes) in data.iter_mut().zip(lanes.chunks_exact(8)) {
            *word = lanes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
        }
        Beat { data, header: *header, bar, last }
    };
    let beat_bytes = beat_bytes.clamp(DW, 64);
    let count = payload.len().div_ceil(beat_bytes).max(1);
    let parts = (0..count).map(|b| &payload[b * beat_bytes..payload.len().min((b + 1) * beat_bytes)]);
    parts.enumerate().map(|(b, bytes)| beat(bytes, b + 1 == count)).collect()
}

/// Puts beats together again.
#[derive(Clone, Debug)]
pub struct Assembler {
    beat_bytes: usize,
    header: Option<Header>,
    payload: Vec<u8>,
}

impl Assembler {
    /// For a stream of `beat_bytes` bytes.
    pub fn new(beat_bytes: usize) -> Self {
        Self { beat_bytes: beat_bytes.clamp(DW, 64), header: None, payload: Vec::new() }
    }

    /// Whether a TLP has begun and not ended.
    pub fn in_tlp(&self) -> bool {
        self.header.is_some()
    }

    /// Takes a beat; gives header and payload of the TLP that it ends. A payload that does not fill its last beat is cut to what the
    /// header says; one that is beats too long or too short stays so, and [`Tlp::decode`] will find out.
    ///
    /// # Errors
    /// The header changed within the TLP. What was gathered of it is gone.
    pub fn push(&mut self, beat: &Beat) -> Result<Option<(Header, Vec<u8>)>, TlpError> {
        let header = *self.header.get_or_insert(beat.header);
        if header != beat.header {
            self.header = None;
            self.payload.clear();
            return Err(TlpError::Changes(header, beat.header));
        }
        let bytes = beat.data.iter().flat_map(|word| word.to_le_bytes()).take(self.beat_bytes);
        self.payload.extend(bytes);
        if !beat.last {
            return Ok(None);
        }
        self.header = None;
        let mut payload = std::mem::take(&mut self.payload);
        let promised = payload_bytes(&header);
        // A TLP without payload still has its one beat.
        if payload.len() - promised.min(payload.len()) < self.beat_bytes || payload.len() == self.beat_bytes {
            payload.truncate(promised);
        }
        Ok(Some((header, payload)))
    }
}
