//! Bytes written as hexadecimal digits.

/// Text that is not a row of bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HexError {
    /// A character that is no hexadecimal digit.
    #[error("`{character}` at position {position} is no hexadecimal digit")]
    Digit {
        /// The character.
        character: char,
        /// Its position in the text, from 1.
        position: usize,
    },
    /// A digit without a partner.
    #[error("there is an odd number of hexadecimal digits ({0})")]
    Odd(usize),
}

/// Reads bytes from hexadecimal digits; white space between them is free.
///
/// # Errors
/// A character is no digit, or the last byte lacks one.
pub fn parse_hex(text: &str) -> Result<Vec<u8>, HexError> {
    let mut digits = Vec::new();
    for (index, character) in text.chars().enumerate() {
        match character.to_digit(16) {
            Some(digit) => digits.push(digit as u8),
            None if character.is_whitespace() => {}
            None => return Err(HexError::Digit { character, position: index + 1 }),
        }
    }
    if digits.len() % 2 == 1 {
        return Err(HexError::Odd(digits.len()));
    }
    Ok(digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_may_be_set_apart() {
        assert_eq!(parse_hex("00ff 1A\n2b"), Ok(vec![0x00, 0xff, 0x1a, 0x2b]));
        assert_eq!(parse_hex(""), Ok(vec![]));
    }

    #[test]
    fn what_is_no_byte_is_pointed_at() {
        assert_eq!(parse_hex("00 fg"), Err(HexError::Digit { character: 'g', position: 5 }));
        assert_eq!(parse_hex("0x10"), Err(HexError::Digit { character: 'x', position: 2 }));
        assert_eq!(parse_hex("123"), Err(HexError::Odd(3)));
    }
}
