//! Unpacks what somebody else has packed, into a directory and nowhere else.
//!
//! An archive is taken to be hostile. Every write is by a descriptor that openat2(2) gave for a place inside the root;
//! links of the archive's own are followed as they would be inside. What can't be put there is left out and reported;
//! what is too much ends the import.

use std::{
    ffi::OsStr,
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::ffi::OsStrExt,
    path::{Component, Path, PathBuf},
};

use rustix::{
    fs::{FileType, Mode, fchmod},
    io::Errno,
};
use serde::Serialize;

use crate::{
    bounded::Bounded,
    brought::Brought,
    fault::Fault,
    item::{Content, Item, Piece},
    manifest::CONTROL,
    place::{Place, set_times},
    progress::Progress,
    tape::Tape,
    tree::Tree,
};

/// How many refused entries are reported one by one.
const MOST_REFUSED: usize = 1000;
/// What an entry takes in an archive beside its bytes, with what fills its last block, on average at most.
const LARGEST_HEADER: u64 = 2048;
/// What marks an entry as the absence of another: the OCI image specification's layer format.
const WHITEOUT: &[u8] = b".wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";

/// What may come out of an archive.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// Whether files keep their owners' numbers; else all is root's.
    pub keep_owners: bool,
    /// Whether files keep their set-id bits.
    pub keep_set_ids: bool,
    /// The most bytes that files may have together.
    pub most_bytes: u64,
    /// The most entries.
    pub most_entries: u64,
}

impl Default for Policy {
    /// All is root's and has no set-id bits; 16 GiB in two million entries at the most.
    fn default() -> Policy {
        Policy {
            keep_owners: false,
            keep_set_ids: false,
            most_bytes: 16 << 30,
            most_entries: 2_000_000,
        }
    }
}

impl Policy {
    /// The most bytes that are read of an archive. What is skipped costs time, too: that is what may be unpacked, and its headers.
    pub(crate) fn most_read(&self) -> u64 {
        let headers = self.most_entries.saturating_mul(LARGEST_HEADER);
        self.most_bytes.saturating_add(headers)
    }
}

/// Something of an archive that was not put into the root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// Its path as the archive has it, as far as it is text.
    pub path: String,
    /// Why.
    pub why: String,
}

/// What became of an archive.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Unpacked {
    /// How many entries were put in place.
    pub entries: u64,
    /// How many bytes their files have.
    pub bytes: u64,
    /// How many device nodes, FIFOs and sockets were left out.
    pub devices: u64,
    /// How many files lost their set-id bits.
    pub set_ids: u64,
    /// What no honest archive has: the first thousand.
    pub refused: Vec<Refused>,
    /// How many more there are.
    pub refused_more: u64,
    /// How many directories of a source were left empty because something else is mounted there.
    pub mounts: u64,
}

/// Puts entries into a root.
#[derive(Debug)]
pub struct Unpacker<'tree, 'listener> {
    root: &'tree Tree,
    policy: Policy,
    unpacked: Unpacked,
    seen: u64,
    /// What the layer at hand has brought, which its own whiteouts don't take away.
    layer: Brought,
    progress: Progress<'listener>,
}

/// Why an entry could not be put in place: the archive's fault, or ours.
enum Stop {
    Refuse(String),
    Fault(Fault),
}

impl From<Errno> for Stop {
    fn from(errno: Errno) -> Stop {
        match errno {
            Errno::NOSPC
            | Errno::DQUOT
            | Errno::IO
            | Errno::ROFS
            | Errno::NOMEM
            | Errno::MFILE
            | Errno::NFILE => {
                Stop::Fault(Fault::Failed(format!("unpack: {}", io::Error::from(errno))))
            }
            _ => Stop::Refuse(io::Error::from(errno).to_string()),
        }
    }
}

impl<'tree, 'listener> Unpacker<'tree, 'listener> {
    /// Starts with an empty root.
    #[must_use]
    pub fn new(root: &'tree Tree, policy: Policy, mut progress: Progress<'listener>) -> Self {
        progress.begin(0);
        Unpacker {
            root,
            policy,
            unpacked: Unpacked::default(),
            seen: 0,
            layer: Brought::default(),
            progress,
        }
    }

    /// Gives what became of it all.
    #[must_use]
    pub fn finish(self) -> Unpacked {
        self.unpacked
    }

    /// Unpacks a tar archive. In a layer of an image some names mean that others are gone.
    ///
    /// # Errors
    /// It is no tar archive, or damaged, or too large; or a write failed.
    pub fn tar(&mut self, archive: impl Read, layer: bool) -> Result<(), Fault> {
        let damaged = |error: io::Error| Fault::Failed(format!("read the archive: {error}"));
        self.layer = Brought::default();
        let mut tape = Tape::new(Bounded::new(archive, self.policy.most_read()));
        while let Some(item) = tape.forward().map_err(damaged)? {
            self.count(1)?;
            self.place(&item, layer, &mut tape)?;
        }
        Ok(())
    }

    /// Puts one entry in place, or notes why not.
    ///
    /// # Errors
    /// There are too many or too large ones, or a write failed.
    pub fn put(&mut self, item: &Item, bytes: &mut dyn Read) -> Result<(), Fault> {
        self.count(1)?;
        self.place(item, false, bytes)
    }

    /// Notes a directory of a source that is made without what is mounted on it.
    pub fn leave_mount(&mut self) {
        self.unpacked.mounts += 1;
    }

    fn count(&mut self, entries: u64) -> Result<(), Fault> {
        self.seen = self.seen.saturating_add(entries);
        self.progress.add(entries);
        if self.seen > self.policy.most_entries {
            return Err(self.too_many());
        }
        Ok(())
    }

    fn too_many(&self) -> Fault {
        let most = self.policy.most_entries;
        Fault::Failed(format!(
            "unpack: more than {most} entries; --max-entries allows more"
        ))
    }

    fn place(&mut self, item: &Item, layer: bool, bytes: &mut dyn Read) -> Result<(), Fault> {
        match self.try_place(item, layer, bytes) {
            Ok(()) => Ok(()),
            Err(Stop::Refuse(why)) => {
                if self.unpacked.refused.len() < MOST_REFUSED {
                    let path = item.path.to_string_lossy().into_owned();
                    self.unpacked.refused.push(Refused { path, why });
                } else {
                    self.unpacked.refused_more += 1;
                }
                Ok(())
            }
            Err(Stop::Fault(fault)) => Err(fault),
        }
    }

    fn try_place(&mut self, item: &Item, layer: bool, bytes: &mut dyn Read) -> Result<(), Stop> {
        let path = inside(&item.path)?;
        let Some(name) = path.file_name() else {
            // The root itself, which is made as a jail's must be.
            return Ok(());
        };
        if layer && name.as_bytes().starts_with(WHITEOUT) {
            return self.white_out(&path, name);
        }
        match item.content {
            Content::Device => {
                self.unpacked.devices += 1;
                return Ok(());
            }
            Content::Unknown(kind) => {
                let kind = char::from(kind);
                return Err(Stop::Refuse(format!(
                    "its type is {kind:?}, which is not known"
                )));
            }
            _ => {}
        }
        let place = self.reach(&path)?;
        match &item.content {
            Content::Directory => self.directory(item, &place)?,
            Content::File => {
                self.file(item, &place, |unpacker, file| unpacker.copy(bytes, file))?
            }
            Content::Sparse(pieces, length) => self.file(item, &place, |unpacker, file| {
                unpacker.copy_pieces(pieces, *length, bytes, file)
            })?,
            Content::Symlink(to) => {
                place.remove()?;
                place.symlink(to)?;
                self.own(item, &place)?;
            }
            Content::HardLink(to) => self.hard_link(to, &place)?,
            Content::Device | Content::Unknown(_) => {}
        }
        self.unpacked.entries += 1;
        if layer {
            self.layer.insert(&path);
            // Links can make more of them than there are directories.
            if self.layer.above() > self.policy.most_entries.saturating_mul(2) {
                return Err(Stop::Fault(self.too_many()));
            }
        }
        Ok(())
    }

    /// Goes to where a path leads. Directories that are made on the way count as entries: a short name may take many.
    fn reach(&mut self, path: &Path) -> Result<Place, Stop> {
        let mut made = 0;
        let place = self.root.place_through_links(path, &mut made);
        self.count(made).map_err(Stop::Fault)?;
        Ok(place?)
    }

    fn directory(&mut self, item: &Item, place: &Place) -> Result<(), Stop> {
        let there = place
            .stat()
            .map(|stat| FileType::from_raw_mode(stat.st_mode));
        if there != Ok(FileType::Directory) {
            place.remove()?;
            place.make_directory()?;
        }
        self.own(item, place)?;
        // Set-gid on a directory only says which group new files are of; sticky protects them.
        fchmod(
            place.open_directory()?,
            Mode::from_raw_mode(item.mode & 0o3777),
        )?;
        Ok(())
    }

    fn file(
        &mut self,
        item: &Item,
        place: &Place,
        write: impl FnOnce(&mut Self, &mut File) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        place.remove()?;
        let mut file = place.create()?;
        write(self, &mut file)?;
        self.own(item, place)?;
        let mut mode = item.mode & 0o7777;
        if mode & 0o6000 != 0 && !self.policy.keep_set_ids {
            mode &= 0o1777;
            self.unpacked.set_ids += 1;
        }
        fchmod(&file, Mode::from_raw_mode(mode))?;
        set_times(&file, item.modified)?;
        Ok(())
    }

    fn copy(&mut self, bytes: &mut dyn Read, file: &mut File) -> Result<(), Stop> {
        let damaged = |error| Stop::Fault(Fault::Failed(format!("unpack: {error}")));
        let mut buffer = vec![0; 128 * 1024];
        loop {
            let count = match bytes.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(damaged(error)),
            };
            self.charge(u64::try_from(count).unwrap_or(u64::MAX))?;
            file.write_all(buffer.get(..count).unwrap_or_default())
                .map_err(damaged)?;
        }
    }

    /// Writes the pieces of a file where they belong. Holes count like bytes: whoever copies the root may fill them.
    fn copy_pieces(
        &mut self,
        pieces: &[Piece],
        length: u64,
        mut bytes: &mut dyn Read,
        file: &mut File,
    ) -> Result<(), Stop> {
        let damaged = |error| Stop::Fault(Fault::Failed(format!("unpack: {error}")));
        let stored: u64 = pieces.iter().map(|piece| piece.length).sum();
        self.charge(length.saturating_sub(stored))?;
        file.set_len(length).map_err(damaged)?;
        for piece in pieces {
            file.seek(SeekFrom::Start(piece.at)).map_err(damaged)?;
            self.copy(&mut (&mut bytes).take(piece.length), file)?;
        }
        Ok(())
    }

    /// Counts what files have, before it is written.
    fn charge(&mut self, bytes: u64) -> Result<(), Stop> {
        let bytes = self.unpacked.bytes.saturating_add(bytes);
        let most = self.policy.most_bytes;
        if bytes > most {
            let what = format!("unpack: more than {most} bytes; --max-size allows more");
            return Err(Stop::Fault(Fault::Failed(what)));
        }
        self.unpacked.bytes = bytes;
        Ok(())
    }

    fn hard_link(&mut self, to: &Path, place: &Place) -> Result<(), Stop> {
        let target = self.reach(&inside(to)?)?;
        let stat = target.stat()?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        if !matches!(kind, FileType::RegularFile | FileType::Symlink) {
            return Err(Stop::Refuse("a hard link to what is no file".to_owned()));
        }
        if place
            .stat()
            .is_ok_and(|own| (own.st_dev, own.st_ino) == (stat.st_dev, stat.st_ino))
        {
            return Ok(());
        }
        place.remove()?;
        target.link_to(place)?;
        Ok(())
    }

    fn own(&self, item: &Item, place: &Place) -> Result<(), Stop> {
        if self.policy.keep_owners {
            place.chown(item.uid, item.gid)?;
        }
        Ok(())
    }

    /// Takes away what earlier layers have brought.
    fn white_out(&mut self, path: &Path, name: &OsStr) -> Result<(), Stop> {
        let directory = path.parent().unwrap_or(Path::new(""));
        if name.as_bytes() == OPAQUE {
            return self.clear(directory);
        }
        let place = self.reach(path)?;
        let gone = OsStr::from_bytes(name.as_bytes().strip_prefix(WHITEOUT).unwrap_or_default());
        let path = directory.join(gone);
        if inside(&path)? != path || self.layer.has(&path) {
            return Err(Stop::Refuse(
                "a whiteout of what it does not concern".to_owned(),
            ));
        }
        place.beside(gone)?.remove()?;
        Ok(())
    }

    /// Removes what is in a directory, but for what this layer has put there.
    fn clear(&self, directory: &Path) -> Result<(), Stop> {
        let listed = match self.root.list(directory) {
            Ok(listed) => listed,
            Err(fault) => return Err(Stop::Refuse(fault.to_string())),
        };
        for (name, kind) in listed {
            let path = directory.join(name);
            let kept = self.layer.has(&path);
            if kind == FileType::Directory && (kept || self.layer.has_below(&path)) {
                self.clear(&path)?;
            } else if !kept {
                self.root.place(&path)?.remove()?;
            }
        }
        Ok(())
    }
}

/// Says where a path of an archive leads below the root, without a leading `/`. An archive that has `..` in a name has
/// no honest reason for it.
fn inside(path: &Path) -> Result<PathBuf, Stop> {
    let mut inside = PathBuf::new();
    for component in path.components() {
        match component {
            // Wherever it is: a link may lead to the top. While nothing can make this name, none can lead to it either.
            Component::Normal(name) if name == CONTROL => {
                return Err(Stop::Refuse(format!("{CONTROL} is the root's own")));
            }
            Component::Normal(name) => inside.push(name),
            Component::ParentDir => return Err(Stop::Refuse("its path has .. in it".to_owned())),
            _ => {}
        }
    }
    Ok(inside)
}
