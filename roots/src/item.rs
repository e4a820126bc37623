//! What an archive, or a directory that is taken for one, has in it.

use std::path::PathBuf;

/// What kind of thing an entry is.
#[derive(Clone, Debug)]
pub enum Content {
    /// A regular file; the bytes come by a reader.
    File,
    /// A directory.
    Directory,
    /// A symbolic link and its text.
    Symlink(PathBuf),
    /// Another name of an entry.
    HardLink(PathBuf),
    /// A regular file with holes: its pieces, whose bytes come by a reader, and its length.
    Sparse(Vec<Piece>, u64),
    /// A device node, FIFO or the like.
    Device,
    /// What its type, a byte, does not tell.
    Unknown(u8),
}

/// A part of a file that is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Where in the file it begins.
    pub at: u64,
    /// How many bytes it has.
    pub length: u64,
}

/// An entry of an archive, without its bytes.
#[derive(Clone, Debug)]
pub struct Item {
    /// Where it says that it belongs.
    pub path: PathBuf,
    /// What it is.
    pub content: Content,
    /// Its permissions, set-id bits and all.
    pub mode: u32,
    /// Its owner's number.
    pub uid: u32,
    /// Its group's number.
    pub gid: u32,
    /// When it was changed, in seconds since 1970.
    pub modified: i64,
}
