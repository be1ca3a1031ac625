//! What random frames are made of: frames made by hand, the capture that the repository has, and one more if it is named.

/// See the module's page.
pub struct Corpus {
    pub frames: Vec<Vec<u8>>,
}

impl Corpus {
    pub fn new(capture: Option<&[u8]>) -> Self {
        let mut frames = by_hand();
        frames.extend(packets(include_bytes!("../../../tests/data/mixed.pcapng")));
        frames.extend(capture.map(packets).unwrap_or_default());
        frames.retain(|frame| (14..=1514).contains(&frame.len()));
        Self { frames }
    }
}

/// Frames in hexadecimal digits, each behind a line that says what it is.
pub fn by_hand() -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    for line in include_str!("corpus/frames.txt").lines() {
        if line.starts_with('#') {
            frames.push(Vec::new());
        } else if let Some(frame) = frames.last_mut() {
            frame.extend(line.as_bytes().chunks(2).map(|pair| {
                let digits = str::from_utf8(pair).expect("ASCII");
                u8::from_str_radix(digits, 16).expect("hexadecimal digits")
            }));
        }
    }
    frames
}

fn word(bytes: &[u8], at: usize) -> Option<usize> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?) as usize)
}

/// The frames of a capture, pcap or pcapng, written on a little-endian machine; of anything else none.
fn packets(capture: &[u8]) -> Vec<Vec<u8>> {
    const PCAP: usize = 0xa1b2_c3d4;
    const PCAPNG: usize = 0x0a0d_0d0a;
    let mut frames = Vec::new();
    match word(capture, 0) {
        Some(PCAP) => {
            let mut at = 24;
            while let Some(length) = word(capture, at + 8) {
                frames.extend(capture.get(at + 16..at + 16 + length).map(<[u8]>::to_vec));
                at += 16 + length;
            }
        }
        Some(PCAPNG) => {
            const ENHANCED_PACKET: usize = 6;
            let mut at = 0;
            while let (Some(kind), Some(length @ 12..)) = (word(capture, at), word(capture, at + 4)) {
                let captured = word(capture, at + 20).filter(|_| kind == ENHANCED_PACKET).unwrap_or(0);
                frames.extend(capture.get(at + 28..at + 28 + captured).map(<[u8]>::to_vec));
                at += length;
            }
        }
        _ => {}
    }
    frames.retain(|frame| !frame.is_empty());
    frames
}

#[test]
fn the_corpus_has_the_frames_by_hand_and_those_of_the_capture() {
    assert_eq!(by_hand().len(), 67, "66 frames, and the file's own line");
    assert_eq!(packets(include_bytes!("../../../tests/data/mixed.pcapng")).len(), 336);
    assert_eq!(Corpus::new(None).frames.len(), 66 + 336);
    assert_eq!(packets(b"nothing of the kind"), [[0; 0]; 0]);
}
