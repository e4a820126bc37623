//! Archives that are compressed, by what their first bytes say.

use std::io::{self, BufRead, BufReader, Chain, Cursor, Read};

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};

const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// Undoes gzip or zstd, or nothing, as the first bytes say.
///
/// # Errors
/// It can't be read, or is compressed by something else.
pub fn decompress<'read>(from: impl Read + 'read) -> io::Result<Box<dyn Read + 'read>> {
    let mut from = BufReader::with_capacity(256 * 1024, from);
    let start = from.fill_buf()?;
    for (magic, name) in [
        (&b"BZh"[..], "bzip2"),
        (b"\xfd7zXZ", "xz"),
        (b"PK\x03\x04", "zip"),
    ] {
        if start.starts_with(magic) {
            let what =
                format!("it is compressed with {name}; gzip, zstd and plain tar can be read");
            return Err(io::Error::new(io::ErrorKind::Unsupported, what));
        }
    }
    if start.starts_with(GZIP) {
        Ok(Box::new(MultiGzDecoder::new(from)))
    } else if start.starts_with(ZSTD) || is_skippable(start) {
        Ok(Box::new(Frames {
            source: Some(from),
            decoder: None,
        }))
    } else {
        Ok(Box::new(from))
    }
}

/// The frames of a zstd file, one after the other, without those that are to be skipped: RFC 8878, 3.
struct Frames<Source: Read> {
    source: Option<BufReader<Source>>,
    decoder: Option<Frame<Source>>,
}

/// A frame that is being read: its magic number, which was read before, and what follows.
type Frame<Source> = StreamingDecoder<Chain<Cursor<[u8; 4]>, BufReader<Source>>, FrameDecoder>;

impl<Source: Read> Read for Frames<Source> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(decoder) = &mut self.decoder {
                let count = decoder.read(buffer)?;
                if count > 0 || buffer.is_empty() {
                    return Ok(count);
                }
                let source = self.decoder.take().map(StreamingDecoder::into_inner);
                self.source = source.map(|source| source.into_inner().1);
            }
            let Some(mut source) = self.source.take() else {
                return Ok(0);
            };
            if source.fill_buf()?.is_empty() {
                return Ok(0);
            }
            let mut magic = [0; 4];
            source.read_exact(&mut magic)?;
            if is_skippable(&magic) {
                let mut length = [0; 4];
                source.read_exact(&mut length)?;
                let length = u64::from(u32::from_le_bytes(length));
                if io::copy(&mut source.by_ref().take(length), &mut io::sink())? < length {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                self.source = Some(source);
                continue;
            }
            let decoder = StreamingDecoder::new(Cursor::new(magic).chain(source));
            self.decoder =
                Some(decoder.map_err(|error| {
                    io::Error::new(io::ErrorKind::InvalidData, error.to_string())
                })?);
        }
    }
}

/// Whether a frame of zstd begins that is no part of what was compressed.
fn is_skippable(start: &[u8]) -> bool {
    matches!(start, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
}
