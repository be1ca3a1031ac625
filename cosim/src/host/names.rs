//! A responder of names over UDP, in the format of RFC 1035: one question, type A, class IN.

use std::collections::BTreeMap;
use std::io;
use std::net::Ipv4Addr;

use super::datagram::UdpSocket;

/// Addresses by their name, in small letters, without the last dot.
pub type Names = BTreeMap<String, Ipv4Addr>;

/// Seconds that an answer may be kept.
const TTL: u32 = 60;
const HEADER: usize = 12;

/// Answers questions, one after the other.
///
/// # Errors
/// The socket failed.
pub fn serve(socket: &UdpSocket<'_>, names: &Names) -> io::Result<()> {
    let mut bytes = [0; 512];
    loop {
        let (length, remote) = socket.recv_from(&mut bytes)?;
        if let Some(answer) = answer(&bytes[..length], names) {
            // One that cannot be sent is one that is lost: they ask again.
            let _ = socket.send_to(&answer, remote);
        }
    }
}

/// `None`: it is no question, and gets no answer.
pub fn answer(question: &[u8], names: &Names) -> Option<Vec<u8>> {
    let header = question.get(..HEADER)?;
    let is_response = header[2] & 0x80 != 0;
    if is_response {
        return None;
    }
    let opcode = header[2] & 0x78;
    let asked = if opcode == 0 && header[4..6] == [0, 1] { read_name(&question[HEADER..]) } else { None };
    // RFC 1035, 4.1.1: the answer has the question's identification, opcode and RD.
    let mut reply = header[..2].to_vec();
    let code = match asked {
        None if opcode == 0 => 1,
        None => 4,
        Some((ref name, _)) if !names.contains_key(name) => 3,
        Some(_) => 0,
    };
    let address = asked.as_ref().and_then(|(name, _)| names.get(name));
    let rest = asked.as_ref().and_then(|(_, length)| question.get(HEADER + length..HEADER + length + 4));
    let found = address.filter(|_| rest == Some(&[0, 1, 0, 1]));
    reply.extend([0x84 | opcode | header[2] & 1, code]);
    let questions = u8::from(rest.is_some());
    reply.extend([0, questions, 0, u8::from(found.is_some()), 0, 0, 0, 0]);
    if let (Some((_, length)), Some(rest)) = (&asked, rest) {
        reply.extend(&question[HEADER..HEADER + length]);
        reply.extend(rest);
    }
    if let Some(address) = found {
        // The name is where the question has it.
        reply.extend([0xC0, HEADER as u8, 0, 1, 0, 1]);
        reply.extend(TTL.to_be_bytes());
        reply.extend([0, 4]);
        reply.extend(address.octets());
    }
    Some(reply)
}

/// A name of labels, and its bytes with the last, empty one. No pointers: a question has nothing before it.
fn read_name(bytes: &[u8]) -> Option<(String, usize)> {
    let (mut name, mut at) = (String::new(), 0);
    loop {
        let length = usize::from(*bytes.get(at)?);
        at += 1;
        if length == 0 {
            return Some((name, at));
        }
        let label = bytes.get(at..at + length).filter(|_| length < 64 && at + length < 255)?;
        if !name.is_empty() {
            name.push('.');
        }
        name.push_str(&std::str::from_utf8(label).ok()?.to_ascii_lowercase());
        at += length;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A question by hand: identification 0xABCD, RD, one question: `a.Example`, A, IN.
    const QUESTION: &[u8] = b"\xAB\xCD\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x07Example\x00\x00\x01\x00\x01";

    fn names() -> Names {
        [("a.example".to_owned(), Ipv4Addr::new(192, 0, 2, 7))].into()
    }

    #[test]
    fn a_name_that_is_known_is_answered_with_its_address() {
        let mut expected = b"\xAB\xCD\x85\x00\x00\x01\x00\x01\x00\x00\x00\x00".to_vec();
        expected.extend(&QUESTION[12..]);
        expected.extend(b"\xC0\x0C\x00\x01\x00\x01\x00\x00\x00\x3C\x00\x04\xC0\x00\x02\x07");
        assert_eq!(answer(QUESTION, &names()), Some(expected));
    }

    #[test]
    fn other_questions_get_a_code_and_answers_get_nothing() {
        let code = |question: &[u8]| answer(question, &names()).map(|reply| reply[3]);
        let with = |at: usize, byte: u8| {
            let mut question = QUESTION.to_vec();
            question[at] = byte;
            question
        };
        assert_eq!(code(&with(13, b'b')), Some(3));
        assert_eq!(code(&with(2, 0x11)), Some(4));
        assert_eq!(code(&with(5, 2)), Some(1));
        assert_eq!(code(&with(12, 0xC0)), Some(1));
        assert_eq!(code(&with(2, 0x81)), None);
        assert_eq!(code(&QUESTION[..11]), None);
        // Another type: the name is there, this is not.
        let other = answer(&with(24, 28), &names()).unwrap();
        assert_eq!((other[3], other[7]), (0, 0));
        for length in 0..QUESTION.len() {
            answer(&QUESTION[..length], &names());
        }
    }
}
