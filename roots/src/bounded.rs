//! A bound on what is read of somebody else's bytes.

use std::io::{self, Read};

/// A reader that fails, and does not end, where more follows than is allowed.
#[derive(Debug)]
pub(crate) struct Bounded<Source> {
    source: Source,
    left: u64,
}

impl<Source: Read> Bounded<Source> {
    /// Allows as many bytes.
    pub(crate) fn new(source: Source, left: u64) -> Bounded<Source> {
        Bounded { source, left }
    }
}

impl<Source: Read> Read for Bounded<Source> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 && self.source.read(&mut [0])? > 0 {
            return Err(io::Error::other(
                "it has more than may come out of it; --max-size allows more",
            ));
        }
        let count = (&mut self.source).take(self.left).read(buffer)?;
        self.left = self.left.saturating_sub(u64::try_from(count).unwrap_or(0));
        Ok(count)
    }
}
