//! Captures into pcapng files (draft-ietf-opsawg-pcapng): several interfaces, nanoseconds, directions, frames whose FCS is wrong.

use std::io::{self, Write};

use super::{ENHANCED_PACKET, ETHERNET, INTERFACE_DESCRIPTION, SECTION_HEADER};

/// Says in which byte order a section is written.
const BYTE_ORDER: u32 = 0x1A2B_3C4D;
/// A section whose length is not told.
const UNKNOWN_LENGTH: u64 = u64::MAX;

const OPTION_END: u16 = 0;
const INTERFACE_NAME: u16 = 2;
const TIME_RESOLUTION: u16 = 9;
const PACKET_FLAGS: u16 = 2;

/// Bits of the packet's flags.
const INBOUND: u32 = 1;
const OUTBOUND: u32 = 2;
const BAD_FCS: u32 = 1 << 24;

/// An interface that was described.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interface(u32);

/// A frame to be written.
#[derive(Clone, Copy, Debug)]
pub struct Captured<'a> {
    /// Nanoseconds since the run began.
    pub nanoseconds: u64,
    /// It came in at the interface; otherwise it went out.
    pub inbound: bool,
    /// Its FCS is wrong.
    pub bad: bool,
    /// Its bytes, without FCS.
    pub bytes: &'a [u8],
}

/// A capture being written.
pub struct CaptureWriter<W: Write> {
    writer: W,
    interfaces: u32,
    frames: u64,
}

impl<W: Write> CaptureWriter<W> {
    /// A capture without interfaces.
    ///
    /// # Errors
    /// The writer's.
    pub fn new(writer: W) -> io::Result<Self> {
        let mut capture = Self { writer, interfaces: 0, frames: 0 };
        let version = [1u16.to_le_bytes(), 0u16.to_le_bytes()].concat();
        capture.block(SECTION_HEADER, &[&BYTE_ORDER.to_le_bytes(), &version, &UNKNOWN_LENGTH.to_le_bytes()])?;
        Ok(capture)
    }

    /// Describes one more interface: Ethernet, times in nanoseconds.
    ///
    /// # Errors
    /// The writer's.
    pub fn interface(&mut self, name: &str) -> io::Result<Interface> {
        let link_type = [(ETHERNET as u16).to_le_bytes(), [0; 2]].concat();
        // No frame is cut.
        let snap_length = 0u32.to_le_bytes();
        let options =
            [option(INTERFACE_NAME, name.as_bytes()), option(TIME_RESOLUTION, &[9]), option(OPTION_END, &[])].concat();
        self.block(INTERFACE_DESCRIPTION, &[&link_type, &snap_length, &options])?;
        self.interfaces += 1;
        Ok(Interface(self.interfaces - 1))
    }

    /// Writes a frame.
    ///
    /// # Errors
    /// The writer's.
    pub fn frame(&mut self, interface: Interface, frame: Captured) -> io::Result<()> {
        let time = [(frame.nanoseconds >> 32) as u32, frame.nanoseconds as u32].map(u32::to_le_bytes).concat();
        let length = (frame.bytes.len() as u32).to_le_bytes();
        let flags = if frame.inbound { INBOUND } else { OUTBOUND } | if frame.bad { BAD_FCS } else { 0 };
        let options = [option(PACKET_FLAGS, &flags.to_le_bytes()), option(OPTION_END, &[])].concat();
        let bytes = padded(frame.bytes);
        self.block(ENHANCED_PACKET, &[&interface.0.to_le_bytes(), &time, &length, &length, &bytes, &options])?;
        self.frames += 1;
        Ok(())
    }

    /// Frames written so far.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Has the writer write everything.
    ///
    /// # Errors
    /// The writer's.
    pub fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }

    /// The writer, all of the capture in it.
    ///
    /// # Errors
    /// The writer's.
    pub fn finish(mut self) -> io::Result<W> {
        self.writer.flush()?;
        Ok(self.writer)
    }

    /// Type and length, the parts, and the length once more.
    fn block(&mut self, kind: u32, parts: &[&[u8]]) -> io::Result<()> {
        let length = 12 + parts.iter().map(|part| part.len() as u32).sum::<u32>();
        self.writer.write_all(&kind.to_le_bytes())?;
        self.writer.write_all(&length.to_le_bytes())?;
        parts.iter().try_for_each(|part| self.writer.write_all(part))?;
        self.writer.write_all(&length.to_le_bytes())
    }
}

/// Filled up to a multiple of four bytes.
fn padded(bytes: &[u8]) -> Vec<u8> {
    let mut padded = bytes.to_vec();
    padded.resize(bytes.len().next_multiple_of(4), 0);
    padded
}

fn option(code: u16, value: &[u8]) -> Vec<u8> {
    [&code.to_le_bytes()[..], &(value.len() as u16).to_le_bytes(), &padded(value)].concat()
}

#[cfg(test)]
mod tests {
    use super::super::{Capture, Frame};
    use super::*;

    fn frame(bytes: &[u8], nanoseconds: u64) -> Captured<'_> {
        Captured { nanoseconds, inbound: true, bad: false, bytes }
    }

    #[test]
    fn a_capture_is_these_bytes() {
        let mut capture = CaptureWriter::new(Vec::new()).unwrap();
        let interface = capture.interface("mac").unwrap();
        let bad = Captured { inbound: false, bad: true, ..frame(&[1, 2, 3, 4, 5], 0x1_0000_0002) };
        capture.frame(interface, bad).unwrap();
        assert_eq!(capture.frames(), 1);
        // By hand from the draft: 4.1, 4.2 with if_name and if_tsresol, 4.3 with epb_flags.
        let section = "0a0d0d0a 1c000000 4d3c2b1a 01000000 ffffffffffffffff 1c000000";
        let interface = "01000000 28000000 01000000 00000000 02000300 6d616300 09000100 09000000 00000000 28000000";
        let packet = "06000000 34000000 00000000 01000000 02000000 05000000 05000000 0102030405000000 \
                      02000400 02000001 00000000 34000000";
        let expected: String = [section, interface, packet].concat().split_whitespace().collect();
        let written: String = capture.finish().unwrap().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(written, expected);
    }

    #[test]
    fn what_is_written_is_read_again() {
        let mut capture = CaptureWriter::new(Vec::new()).unwrap();
        let interfaces = [capture.interface("first").unwrap(), capture.interface("second, longer").unwrap()];
        let frames: Vec<(u64, Vec<u8>)> =
            (0..50).map(|k| (8 * k * k * 1_000_003, vec![k as u8; 14 + 31 * k as usize])).collect();
        for (k, (nanoseconds, bytes)) in frames.iter().enumerate() {
            capture.frame(interfaces[k % 2], frame(bytes, *nanoseconds)).unwrap();
        }
        let bytes = capture.finish().unwrap();
        let read = Capture::from_reader("written", io::Cursor::new(bytes)).unwrap();
        let read: Vec<Frame> = read.map(Result::unwrap).collect();
        assert_eq!(read.len(), 50);
        for (frame, (nanoseconds, bytes)) in read.iter().zip(&frames) {
            assert_eq!((frame.timestamp, &frame.bytes, frame.is_cut()), (*nanoseconds, bytes, false));
        }
    }
}
