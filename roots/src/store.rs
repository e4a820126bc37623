//! Where the parts of an image are: in an archive, which is read only once, or in a directory.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::FileExt,
    path::{Component, Path, PathBuf},
};

use rustix::fs::{CWD, Mode, OFlags, openat};
use serde_json::Value;
use tar::EntryType;

use crate::{fault::Fault, tree::Tree};

/// The most that a JSON document of an image may have, in bytes.
const LARGEST_DOCUMENT: u64 = 4 * 1024 * 1024;
/// The most parts that an archive of images may have.
const MOST_PARTS: usize = 100_000;
/// How many names a part may have that lead to each other.
const MOST_ALIASES: usize = 4;

/// Where an image's parts are.
#[derive(Debug)]
pub enum Store {
    /// In an archive: where each begins, and its length.
    Archive(File, HashMap<PathBuf, Part>),
    /// In a directory.
    Directory(Tree),
}

/// A member of an archive.
#[derive(Clone, Debug)]
pub enum Part {
    /// Its bytes: where they begin, and how many they are.
    Bytes(u64, u64),
    /// Another name of one.
    Alias(PathBuf),
}

impl Store {
    /// Takes the parts of an archive, which is written to a file that nobody sees if it is compressed.
    ///
    /// # Errors
    /// It can't be read, or has more than `most` bytes.
    pub fn of_archive(mut from: impl Read, directory: &Path, most: u64) -> Result<Store, Fault> {
        let flags = OFlags::RDWR | OFlags::TMPFILE | OFlags::CLOEXEC;
        let file = openat(CWD, directory, flags, Mode::RUSR | Mode::WUSR);
        let mut file = File::from(file.map_err(Fault::io("make a file in", directory))?);
        let copied = io::copy(&mut (&mut from).take(most), &mut file);
        let copied = copied.map_err(|error| Fault::Failed(format!("read the archive: {error}")))?;
        if copied == most {
            return Err(Fault::Failed(format!(
                "read the archive: more than {most} bytes; --max-size allows more"
            )));
        }
        file.flush().map_err(Fault::io("write in", directory))?;
        Store::of_file(file)
    }

    /// Takes the parts of an archive that is not compressed.
    ///
    /// # Errors
    /// It can't be read.
    pub fn of_file(file: File) -> Result<Store, Fault> {
        let damaged = |error: io::Error| Fault::Failed(format!("read the archive: {error}"));
        let mut parts = HashMap::new();
        let whole = Section {
            file: &file,
            at: 0,
            left: u64::MAX,
        };
        let mut archive = tar::Archive::new(whole);
        // Raw: the names in question fit a header, and no other is wanted.
        // What is between them is not read, however long it is.
        for entry in archive.entries_with_seek().map_err(damaged)?.raw(true) {
            let entry = entry.map_err(damaged)?;
            let header = entry.header();
            let Ok(name) = header.path().map(|name| plain(&name)) else {
                continue;
            };
            let part = match header.entry_type() {
                EntryType::Regular => {
                    let size = header.entry_size().map_err(damaged)?;
                    Part::Bytes(entry.raw_file_position(), size)
                }
                EntryType::Symlink | EntryType::Link => {
                    let Ok(Some(to)) = header.link_name() else {
                        continue;
                    };
                    // Links of older versions of Docker lead to a layer that another image has, too.
                    let above = name.parent().unwrap_or(Path::new(""));
                    Part::Alias(plain(&if header.entry_type() == EntryType::Symlink {
                        above.join(to)
                    } else {
                        to.into_owned()
                    }))
                }
                _ => continue,
            };
            parts.insert(name, part);
            if parts.len() > MOST_PARTS {
                return Err(Fault::Failed(format!(
                    "read the archive: an image has no more than {MOST_PARTS} parts"
                )));
            }
        }
        Ok(Store::Archive(file, parts))
    }

    /// Whether there is a part of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        match self {
            Store::Archive(_, parts) => parts.contains_key(Path::new(name)),
            Store::Directory(tree) => tree.stat(Path::new(name)).is_ok_and(|stat| stat.is_some()),
        }
    }

    /// Opens a part.
    pub(crate) fn open<'store>(&'store self, name: &Path) -> Result<Box<dyn Read + 'store>, Fault> {
        match self {
            Store::Archive(file, parts) => {
                let mut part = parts.get(name);
                for _ in 0..MOST_ALIASES {
                    match part {
                        Some(Part::Alias(to)) => part = parts.get(to),
                        Some(Part::Bytes(at, left)) => {
                            return Ok(Box::new(Section {
                                file,
                                at: *at,
                                left: *left,
                            }));
                        }
                        None => break,
                    }
                }
                Err(Fault::Failed(format!(
                    "read the image: it has no {}",
                    name.display()
                )))
            }
            Store::Directory(tree) => Ok(Box::new(tree.open_file(name)?)),
        }
    }

    /// Reads a document.
    pub(crate) fn text(&self, name: &Path) -> Result<Vec<u8>, Fault> {
        let mut text = Vec::new();
        let read = self
            .open(name)?
            .take(LARGEST_DOCUMENT)
            .read_to_end(&mut text);
        read.map_err(|error| {
            Fault::Failed(format!("read {} of the image: {error}", name.display()))
        })?;
        Ok(text)
    }

    pub(crate) fn document(&self, name: &Path) -> Result<Value, Fault> {
        parsed(&self.text(name)?, name)
    }
}

/// Takes a document apart.
pub(crate) fn parsed(text: &[u8], name: &Path) -> Result<Value, Fault> {
    serde_json::from_slice(text)
        .map_err(|error| Fault::Failed(format!("read {} of the image: {error}", name.display())))
}

/// Takes `.` and `..` out of a name within a store. It is looked up in a table or below a descriptor, never opened.
pub(crate) fn plain(name: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in name.components() {
        match component {
            Component::Normal(name) => plain.push(name),
            Component::ParentDir => drop(plain.pop()),
            _ => {}
        }
    }
    plain
}

/// A part of a file, read from the file's own beginning whatever others have read.
#[derive(Debug)]
struct Section<'file> {
    file: &'file File,
    at: u64,
    left: u64,
}

impl Read for Section<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let count = self
            .file
            .read_at(buffer.get_mut(..most).unwrap_or_default(), self.at)?;
        let advanced = u64::try_from(count).unwrap_or(0);
        self.at = self.at.saturating_add(advanced);
        self.left = self.left.saturating_sub(advanced);
        Ok(count)
    }
}

impl Seek for Section<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(_) => None,
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}
