//! Socket messages at their decoders: what is read is what would be written, and nothing behind a message counts.

use abi::socket::frame::{Header, UTIL_NOP};
use abi::socket::{Decoded, FUNCTIONS, Function, MAX_ELEMENTS, MAX_WORDS, Refused, Reply, Request};

use crate::corpus::Corpus;
use crate::draw::{Draw, Hex};
use crate::engine::{self, Kinds};

/// Values where a decoder changes its mind.
const EDGES: [u32; 12] =
    [0, 1, 4, 6, 17, 0xffff, 0x1_0000, 0x00ff_ffff, 0x7fff_ffff, 0x8000_0000, 0xd200_0001, u32::MAX];

pub struct Target;

impl engine::Target for Target {
    type Step = Hex;
    const NAME: &'static str = "messages";
    const CASES: u64 = 2000;
    const KINDS: usize = 34;

    fn draw(draw: &mut Draw, _: &Corpus) -> Vec<Hex> {
        let mut step = || {
            let is_request = draw.once_in(2);
            Hex(message(draw, is_request))
        };
        (0..50).map(|_| step()).collect()
    }

    fn run(steps: &[Hex], kinds: &mut Kinds) {
        for Hex(bytes) in steps {
            kinds.insert(read_request(bytes));
            kinds.extend(read_reply(bytes));
        }
    }
}

/// A request or a reply, whose header says so, with fields drawn at their places, then bent a little.
pub fn message(draw: &mut Draw, is_request: bool) -> Vec<u8> {
    let message = draw.pick(FUNCTIONS);
    let processor = draw.below(3) as u32;
    let elements = if is_request && message.has_list { draw.below(MAX_ELEMENTS + 1) } else { 0 };
    let (places, fixed) =
        if is_request { (message.request, message.request_words()) } else { (message.reply, message.reply_words()) };
    let words = (fixed + 3 * elements).min(MAX_WORDS);
    let list = if elements > 0 { fixed as u32 } else { 0 };
    let flags = if is_request { 0 } else { 0xc0 };
    let mut content = [0; MAX_WORDS];
    content[0] = (words as u32) << 16 | flags << 8 | list << 4 | 1;
    content[1] = 0xff00_1010 + processor;
    content[2] = processor << 28 | draw.below(6) as u32;
    content[3] = draw.word();
    let function = message.function as u32;
    (content[4], content[5]) = if is_request { (0x504e_0000 | function, 0) } else { (draw.below(23) as u32, function) };
    if !is_request && draw.once_in(2) {
        content[4] = 0;
    }
    for place in places {
        let value = if draw.once_in(3) { draw.word() } else { draw.below(20) as u32 };
        if place.width == abi::socket::Place::ENDPOINT {
            let family = *draw.pick(&[0, 4, 4, 6]);
            content[place.word] = family << 16 | value & 0xffff;
            content[place.word + 1..place.word + 5].fill_with(|| draw.word());
        } else {
            content[place.word] |= value << place.lsb & place.mask();
        }
    }
    for element in 0..elements {
        let direction = if message.function == Function::Send { 0x0400_0000 } else { 0 };
        let last = if element + 1 == elements { 0xc000_0000 } else { 0 };
        let at = fixed + 3 * element;
        content[at] = 0x1200_0000 | direction | last | (1 + draw.below(70_000) as u32);
        (content[at + 1], content[at + 2]) = (draw.word(), draw.below(3) as u32);
    }
    for _ in 0..draw.below(4) {
        let word = draw.below(words);
        match draw.below(4) {
            0 => content[word] = *draw.pick(&EDGES),
            1 => content[word] = draw.word(),
            _ => content[word] ^= 1 << draw.below(32),
        }
    }
    let mut bytes: Vec<u8> = content.iter().flat_map(|word| word.to_le_bytes()).collect();
    if draw.once_in(6) {
        bytes.truncate(draw.below(129));
    }
    bytes
}

/// What a message says of its length, unless it lies.
fn stated(bytes: &[u8]) -> &[u8] {
    let length = usize::from(Header::read(bytes).words) * 4;
    bytes.get(..length).unwrap_or(bytes)
}

fn read_request(bytes: &[u8]) -> String {
    let processor = (Header::read(bytes).context >> 28) as usize;
    let read = Request::decode(bytes, processor);
    assert!(!matches!(Request::decode(bytes, processor ^ 1), Ok(Decoded::Request(_))), "it is another processor's");
    match read {
        Ok(Decoded::Nop) => {
            assert_eq!(Header::read(bytes).function, UTIL_NOP);
            "Nop".to_owned()
        }
        Ok(Decoded::Request(request)) => {
            assert_eq!(Request::decode(stated(bytes), processor), read, "what is behind the message counts");
            let written = request.encode();
            assert!(written.bytes().len() <= MAX_WORDS * 4);
            assert_eq!(Request::decode(written.bytes(), processor), read);
            assert_eq!(request.tag.processor(), processor);
            format!("{:?}", request.call.function())
        }
        Err(Refused { transaction, status, .. }) => {
            assert_eq!(transaction, Header::read(bytes).transaction);
            format!("refused {status:?}")
        }
    }
}

fn read_reply(bytes: &[u8]) -> Option<String> {
    let reply = Reply::decode(bytes).ok()?;
    assert_eq!(Reply::decode(stated(bytes)), Ok(reply), "what is behind the message counts");
    let written = reply.encode();
    assert!(written.bytes().len() <= MAX_WORDS * 4);
    assert_eq!(Reply::decode(written.bytes()), Ok(reply));
    Some(format!("answer {:?}", Function::of(reply.function)))
}
