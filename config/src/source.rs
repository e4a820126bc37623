//! The text of a config file, and where in it things are.

use std::borrow::Cow;
use std::ops::Range;

/// A place in a file, in bytes. All places are equal: two policies that say the same are the same
/// policy, wherever their lines stand.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place(pub(crate) usize);

impl PartialEq for Place {
    fn eq(&self, _: &Place) -> bool {
        true
    }
}

impl Eq for Place {}

/// Where each line of a text begins.
#[derive(Debug, Clone)]
pub(crate) struct Lines(Vec<usize>);

impl Lines {
    pub(crate) fn of(text: &str) -> Lines {
        let begins = text.match_indices('\n').map(|(newline, _)| newline + 1);
        Lines(std::iter::once(0).chain(begins).collect())
    }

    /// Gives the line of a place, from 1.
    pub(crate) fn number(&self, place: Place) -> usize {
        self.0.partition_point(|begin| *begin <= place.0)
    }
}

/// Gives the bytes of the line around a place, without its end.
pub(crate) fn line_around(text: &str, place: usize) -> Range<usize> {
    let place = place.min(text.len());
    let bytes = text.as_bytes();
    let (before, after) = bytes.split_at_checked(place).unwrap_or((bytes, &[]));
    let begin = before
        .iter()
        .rposition(|b| *b == b'\n')
        .map_or(0, |n| n + 1);
    let length = after
        .iter()
        .position(|b| *b == b'\n')
        .unwrap_or(after.len());
    begin..place + length
}

/// Turns bytes into text; where they are not UTF-8 the text has U+FFFD, and the place is listed.
pub(crate) fn decode(bytes: &[u8]) -> (Cow<'_, str>, Vec<usize>) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return (Cow::Borrowed(text), Vec::new());
    }
    let mut text = String::with_capacity(bytes.len());
    let mut invalid = Vec::new();
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            invalid.push(text.len());
            text.push(char::REPLACEMENT_CHARACTER);
        }
    }
    (Cow::Owned(text), invalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_lines_from_one() {
        let lines = Lines::of("ab\n\nc\n");
        let number = |place| lines.number(Place(place));
        assert_eq!([0, 2, 3, 4, 5, 6, 99].map(number), [1, 1, 2, 3, 3, 4, 4]);
    }

    #[test]
    fn finds_the_line_around_a_place() {
        let text = "ab\n\nc";
        let around = |place| &text[line_around(text, place)];
        assert_eq!(
            [0, 1, 2, 3, 4, 5, 99].map(around),
            ["ab", "ab", "ab", "", "c", "c", "c"]
        );
    }

    #[test]
    fn lists_the_places_that_are_not_utf_8() {
        let (text, invalid) = decode(b"a\xffb\xc3");
        assert_eq!(text, "a\u{fffd}b\u{fffd}");
        assert_eq!(invalid, [1, 5]);
    }
}
