//! Values as bytes, for another process of our own: each ends with a NUL, which none of them has in it.

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::{OsStrExt, OsStringExt},
    str::FromStr,
};

/// Values, one after the other.
#[derive(Debug, Default)]
pub(crate) struct Packed(Vec<u8>);

impl Packed {
    pub(crate) fn put(&mut self, value: impl AsRef<OsStr>) {
        self.0.extend_from_slice(value.as_ref().as_bytes());
        self.0.push(0);
    }

    pub(crate) fn put_number(&mut self, number: impl ToString) {
        self.put(number.to_string());
    }

    /// Puts a word, or nothing in its place.
    pub(crate) fn put_if(&mut self, is_so: bool, word: &str) {
        self.put(if is_so { word } else { "" });
    }

    pub(crate) fn put_all(&mut self, values: &[impl AsRef<OsStr>]) {
        self.put_number(values.len());
        values.iter().for_each(|value| self.put(value));
    }

    pub(crate) fn put_numbers(&mut self, numbers: &[u32]) {
        self.put_number(numbers.len());
        numbers.iter().for_each(|number| self.put_number(number));
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// Takes values out again, in the same order. Nothing comes of one that is not there, or makes no sense.
#[derive(Debug)]
pub(crate) struct Unpacked<'a>(&'a [u8]);

impl<'a> Unpacked<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Unpacked<'a> {
        Unpacked(bytes)
    }

    pub(crate) fn take(&mut self) -> Option<OsString> {
        let end = self.0.iter().position(|byte| *byte == 0)?;
        let (value, rest) = self.0.split_at(end);
        self.0 = rest.get(1..)?;
        Some(OsString::from_vec(value.to_vec()))
    }

    pub(crate) fn word(&mut self) -> Option<String> {
        self.take()?.into_string().ok()
    }

    pub(crate) fn number<N: FromStr>(&mut self) -> Option<N> {
        self.word()?.parse().ok()
    }

    /// Tells whether a word is there, in whose place there may be none.
    pub(crate) fn is(&mut self, word: &str) -> Option<bool> {
        match self.word()?.as_str() {
            "" => Some(false),
            found => (found == word).then_some(true),
        }
    }

    /// Takes a count, and so many times what is wanted.
    pub(crate) fn all<T>(
        &mut self,
        mut each: impl FnMut(&mut Self) -> Option<T>,
    ) -> Option<Vec<T>> {
        let count: usize = self.number()?;
        (0..count).map(|_| each(self)).collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
