//! Text of the host's files, whatever bytes are in it: the name of an account may be in any encoding, and a user can write one by chfn(1).
//! A byte that is no UTF-8 stands in the text as a letter of its own, and becomes the same byte again.

use std::{borrow::Cow, fs, io, path::Path};

/// The letter of the byte 0; those of the others follow. They are the last letters for private use, and no text has any that could
/// not be written as bytes as well.
const FIRST: u32 = 0x10_ff00;

/// Reads a file.
///
/// # Errors
/// It can't be read.
pub(crate) fn read(path: &Path) -> io::Result<String> {
    Ok(text_of(&fs::read(path)?))
}

/// Gives the text of bytes.
pub(crate) fn text_of(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for part in bytes.utf8_chunks() {
        for letter in part.valid().chars() {
            match byte_of(letter) {
                None => text.push(letter),
                Some(_) => text.extend(
                    letter
                        .encode_utf8(&mut [0; 4])
                        .bytes()
                        .filter_map(letter_of),
                ),
            }
        }
        text.extend(part.invalid().iter().copied().filter_map(letter_of));
    }
    text
}

/// Gives the bytes of a text.
pub(crate) fn bytes_of(text: &str) -> Cow<'_, [u8]> {
    if !text.contains(|letter| byte_of(letter).is_some()) {
        return Cow::Borrowed(text.as_bytes());
    }
    let mut bytes = Vec::with_capacity(text.len());
    for letter in text.chars() {
        match byte_of(letter) {
            Some(byte) => bytes.push(byte),
            None => bytes.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    Cow::Owned(bytes)
}

fn letter_of(byte: u8) -> Option<char> {
    char::from_u32(FIRST + u32::from(byte))
}

fn byte_of(letter: char) -> Option<u8> {
    u32::from(letter).checked_sub(FIRST)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::{bytes_of, text_of};

    #[test]
    fn bytes_are_the_same_after_they_were_a_text() {
        let all: Vec<u8> = (0..=255).collect();
        for bytes in [
            b"ann:x:1000:1000:J\xfcrgen \xc3\xbc \xe2\x82:/home/ann:/bin/sh\n".as_slice(),
            &all,
            "\u{10ff00}\u{10ffff}\u{10feff}".as_bytes(),
            b"",
        ] {
            let text = text_of(bytes);
            assert_eq!(bytes_of(&text), bytes);
            // The letters of bytes come out of bytes alone.
            assert_eq!(text_of(&bytes_of(&text)), text);
        }
        assert_eq!(text_of("Jürgen".as_bytes()), "Jürgen");
    }
}
