//! The entries of a tar archive, one after the other, from a source that can only be read on: tar(5), pax in POSIX.1-2001.
//!
//! The tar crate reads each header and record. Which bytes belong to what is told here, because the crate takes names of any
//! length into memory, and sparse files only together with that.

use std::{
    ffi::OsString,
    io::{self, Read},
    os::unix::ffi::OsStringExt,
    path::PathBuf,
};

use tar::{EntryType, GnuExtSparseHeader, GnuSparseHeader, Header, PaxExtensions};

use crate::item::{Content, Item, Piece};

const BLOCK: u64 = 512;
/// The longest path that a file can have, in bytes, and its NUL: PATH_MAX in path_resolution(7).
const LONGEST_NAME: u64 = 4097;
/// The most that the pax records of an entry may have, in bytes.
const LONGEST_RECORDS: u64 = 1024 * 1024;
/// The most pieces that a sparse file may have.
const MOST_PIECES: usize = 1 << 20;

/// An archive that is being read. As a reader it gives the bytes of the entry that [`Tape::forward`] gave last.
#[derive(Debug)]
pub struct Tape<Source> {
    source: Source,
    /// The bytes of the entry that are still to come.
    left: u64,
    /// What fills its last block.
    padding: u64,
}

impl<Source: Read> Read for Tape<Source> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = (&mut self.source).take(self.left).read(buffer)?;
        if count == 0 && self.left > 0 && !buffer.is_empty() {
            return Err(cut_off());
        }
        self.left = self.left.saturating_sub(u64::try_from(count).unwrap_or(0));
        Ok(count)
    }
}

impl<Source: Read> Tape<Source> {
    /// Starts with the first entry.
    pub fn new(source: Source) -> Tape<Source> {
        Tape {
            source,
            left: 0,
            padding: 0,
        }
    }

    /// Goes on to the next entry, whatever is left of the one before. `None` at the end.
    ///
    /// # Errors
    /// It is no tar archive, or damaged, or says what makes no sense.
    pub fn forward(&mut self) -> io::Result<Option<Item>> {
        let mut names = Names::default();
        while let Some(header) = self.header()? {
            let size = header.entry_size()?;
            match header.entry_type() {
                EntryType::GNULongName => {
                    names.path = Some(end_at_nul(self.text(size, LONGEST_NAME)?))
                }
                EntryType::GNULongLink => {
                    names.link = Some(end_at_nul(self.text(size, LONGEST_NAME)?))
                }
                EntryType::XHeader => names.read(&self.text(size, LONGEST_RECORDS)?)?,
                EntryType::XGlobalHeader => self.begin(size),
                _ => return self.item(&header, names).map(Some),
            }
        }
        Ok(None)
    }

    /// Reads a header, from behind the entry before. `None` at the end of the archive or of what there is of it.
    fn header(&mut self) -> io::Result<Option<Header>> {
        let rest = self.left.saturating_add(self.padding);
        let skipped = io::copy(&mut (&mut self.source).take(rest), &mut io::sink())?;
        if skipped < rest {
            return Err(cut_off());
        }
        (self.left, self.padding) = (0, 0);
        let mut header = Header::new_old();
        if !self.block(header.as_mut_bytes())? || header.as_bytes().iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        // The field of the sum counts as blanks.
        let sum: u32 = header
            .as_bytes()
            .iter()
            .enumerate()
            .map(|(at, byte)| {
                if (148..156).contains(&at) {
                    32
                } else {
                    u32::from(*byte)
                }
            })
            .sum();
        if header.cksum().ok() != Some(sum) {
            return Err(damaged(
                "it is no tar archive, or damaged: the checksum of a header is wrong",
            ));
        }
        Ok(Some(header))
    }

    /// Reads a whole block. Nothing at all is the end; a part of one is not.
    fn block(&mut self, block: &mut [u8; 512]) -> io::Result<bool> {
        let mut filled = 0;
        while let Some(rest) = block.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.source.read(rest) {
                Ok(0) if filled == 0 => return Ok(false),
                Ok(0) => return Err(cut_off()),
                Ok(count) => filled = filled.saturating_add(count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Says how many bytes come next.
    fn begin(&mut self, size: u64) {
        self.left = size;
        self.padding = (BLOCK - size % BLOCK) % BLOCK;
    }

    /// Reads what is a name and no file.
    fn text(&mut self, size: u64, most: u64) -> io::Result<Vec<u8>> {
        if size > most {
            return Err(too_long(size));
        }
        self.begin(size);
        let mut text = Vec::new();
        self.read_to_end(&mut text)?;
        Ok(text)
    }

    /// Puts an entry's description together.
    fn item(&mut self, header: &Header, names: Names) -> io::Result<Item> {
        let stored = header.entry_size()?;
        let path = names
            .path
            .unwrap_or_else(|| header.path_bytes().into_owned());
        let own_link = || header.link_name_bytes().map(std::borrow::Cow::into_owned);
        let link = PathBuf::from(OsString::from_vec(
            names.link.or_else(own_link).unwrap_or_default(),
        ));
        let kind = header.entry_type();
        let content = match kind {
            EntryType::Regular | EntryType::Continuous if names.sparse.is_some() => {
                self.begin(names.size.unwrap_or(stored));
                self.sparse(names.sparse.unwrap_or_default())?
            }
            EntryType::GNUSparse => {
                let content = self.gnu_sparse(header)?;
                self.begin(names.size.unwrap_or(stored));
                content
            }
            // Archives older than the type for directories.
            EntryType::Regular if path.ends_with(b"/") => Content::Directory,
            EntryType::Regular | EntryType::Continuous => {
                self.begin(names.size.unwrap_or(stored));
                Content::File
            }
            // What has no bytes, whatever its header says of them: so GNU tar and Go's archive/tar.
            EntryType::Directory => Content::Directory,
            EntryType::Symlink => Content::Symlink(link),
            EntryType::Link => Content::HardLink(link),
            EntryType::Char | EntryType::Block | EntryType::Fifo => Content::Device,
            other => {
                self.begin(stored);
                Content::Unknown(other.as_byte())
            }
        };
        Ok(Item {
            path: PathBuf::from(OsString::from_vec(path)),
            content,
            mode: header.mode()?,
            uid: account(names.uid.unwrap_or(header.uid()?)),
            gid: account(names.gid.unwrap_or(header.gid()?)),
            modified: header
                .mtime()
                .ok()
                .and_then(|at| i64::try_from(at).ok())
                .unwrap_or(0),
        })
    }

    /// Reads where the pieces of a file of GNU's own kind are: in its header, and in the blocks behind it.
    fn gnu_sparse(&mut self, header: &Header) -> io::Result<Content> {
        let gnu = header
            .as_gnu()
            .ok_or_else(|| damaged("a sparse file has no header of GNU's"))?;
        let mut pieces = Vec::new();
        let mut add = |listed: &[GnuSparseHeader]| {
            for piece in listed.iter().filter(|piece| !piece.is_empty()) {
                pieces.push(Piece {
                    at: piece.offset()?,
                    length: piece.length()?,
                });
            }
            if pieces.len() > MOST_PIECES {
                return Err(damaged("a sparse file has too many pieces"));
            }
            Ok(())
        };
        add(&gnu.sparse)?;
        let mut more = gnu.is_extended();
        while more {
            let mut further = GnuExtSparseHeader::new();
            if !self.block(further.as_mut_bytes())? {
                return Err(cut_off());
            }
            add(further.sparse())?;
            more = further.is_extended();
        }
        checked(pieces, gnu.real_size()?, header.entry_size()?)
    }

    /// Reads where the pieces of a file of a pax archive are: in its records, or, since version 1.0, before its bytes.
    fn sparse(&mut self, sparse: Sparse) -> io::Result<Content> {
        let real = sparse
            .real
            .ok_or_else(|| damaged("a sparse file has no size"))?;
        if !sparse.before_bytes {
            return checked(sparse.pieces, real, self.left);
        }
        let before = self.left;
        let count = usize::try_from(self.line()?).unwrap_or(usize::MAX);
        if count > MOST_PIECES {
            return Err(damaged("a sparse file has too many pieces"));
        }
        let mut pieces = Vec::new();
        for _ in 0..count {
            pieces.push(Piece {
                at: self.line()?,
                length: self.line()?,
            });
        }
        let read = before.saturating_sub(self.left);
        let filled = (BLOCK - read % BLOCK) % BLOCK;
        let skipped = io::copy(&mut self.take(filled), &mut io::sink())?;
        if skipped < filled {
            return Err(cut_off());
        }
        checked(pieces, real, self.left)
    }

    /// Reads a number that ends with a newline.
    fn line(&mut self) -> io::Result<u64> {
        let mut number = 0_u64;
        loop {
            let mut byte = [0];
            if self.read(&mut byte)? == 0 {
                return Err(damaged("a sparse file's map does not end"));
            }
            match byte {
                [b'\n'] => return Ok(number),
                [digit @ b'0'..=b'9'] => {
                    let next = number.checked_mul(10);
                    number = next
                        .and_then(|number| number.checked_add(u64::from(digit - b'0')))
                        .ok_or_else(|| damaged("a sparse file's map has too large a number"))?;
                }
                _ => return Err(damaged("a sparse file's map is no list of numbers")),
            }
        }
    }
}

/// What comes before an entry and says more of it than its header can.
#[derive(Debug, Default)]
struct Names {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    uid: Option<u64>,
    gid: Option<u64>,
    sparse: Option<Sparse>,
}

/// What pax records say of a sparse file.
#[derive(Debug, Default)]
struct Sparse {
    pieces: Vec<Piece>,
    real: Option<u64>,
    before_bytes: bool,
}

impl Names {
    /// Takes in pax records.
    fn read(&mut self, records: &[u8]) -> io::Result<()> {
        // The name that GNU tar gives a sparse file goes before the one that other programs are to see.
        let mut name = None;
        for record in PaxExtensions::new(records) {
            let record = record?;
            let value = record.value_bytes();
            match record.key_bytes() {
                b"path" => self.path = Some(named(value)?),
                b"linkpath" => self.link = Some(named(value)?),
                b"size" => self.size = Some(number(value)?),
                b"uid" => self.uid = Some(number(value)?),
                b"gid" => self.gid = Some(number(value)?),
                b"GNU.sparse.name" => name = Some(named(value)?),
                key => {
                    if let Some(key) = key.strip_prefix(b"GNU.sparse.") {
                        self.sparse.get_or_insert_default().read(key, value)?;
                    }
                }
            }
        }
        self.path = name.or(self.path.take());
        Ok(())
    }
}

impl Sparse {
    /// Takes in a record of version 0.0, 0.1 or 1.0, by the end of its name.
    fn read(&mut self, key: &[u8], value: &[u8]) -> io::Result<()> {
        match key {
            b"major" => self.before_bytes = number(value)? == 1,
            b"size" | b"realsize" => self.real = Some(number(value)?),
            b"offset" => self.pieces.push(Piece {
                at: number(value)?,
                length: 0,
            }),
            b"numbytes" => {
                let last = self.pieces.last_mut();
                let last = last.ok_or_else(|| damaged("a sparse file's piece begins nowhere"))?;
                last.length = number(value)?;
            }
            b"map" => {
                let mut numbers = value.split(|byte| *byte == b',').map(number);
                while let Some(at) = numbers.next() {
                    let length = numbers.next();
                    let length =
                        length.ok_or_else(|| damaged("a sparse file's piece has no length"))?;
                    self.pieces.push(Piece {
                        at: at?,
                        length: length?,
                    });
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// Makes sure that pieces follow each other within the file, and are as long together as what is stored of it.
fn checked(mut pieces: Vec<Piece>, real: u64, stored: u64) -> io::Result<Content> {
    pieces.retain(|piece| piece.length > 0);
    let (mut end, mut sum) = (0_u64, 0_u64);
    for Piece { at, length } in &pieces {
        if *at < end {
            return Err(damaged("pieces of a sparse file overlap"));
        }
        end = at
            .checked_add(*length)
            .ok_or_else(|| damaged("a sparse file is too large"))?;
        sum = sum.saturating_add(*length);
    }
    if end > real || sum != stored {
        return Err(damaged("a sparse file's pieces and its size do not fit"));
    }
    Ok(Content::Sparse(pieces, real))
}

/// No account has the number that chown(2) takes for "leave it".
fn account(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(0).min(u32::MAX - 1)
}

fn named(name: &[u8]) -> io::Result<Vec<u8>> {
    match u64::try_from(name.len()) {
        Ok(length) if length < LONGEST_NAME => Ok(name.to_vec()),
        length => Err(too_long(length.unwrap_or(u64::MAX))),
    }
}

fn number(text: &[u8]) -> io::Result<u64> {
    let number = std::str::from_utf8(text)
        .ok()
        .and_then(|text| text.parse().ok());
    number.ok_or_else(|| damaged("a pax record wants a number"))
}

fn too_long(length: u64) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("a name of {length} bytes"),
    )
}

fn damaged(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

fn cut_off() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "it ends too early")
}

fn end_at_nul(mut text: Vec<u8>) -> Vec<u8> {
    let end = text.iter().position(|byte| *byte == 0);
    text.truncate(end.unwrap_or(text.len()));
    text
}
