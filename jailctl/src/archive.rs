//! Unpacks what somebody else has packed, into a directory and nowhere else.
//!
//! An archive is taken to be hostile. Every write is by a descriptor that openat2(2) gave for a place inside the root;
//! links of the archive's own are followed as they would be inside. What can't be put there is left out and reported;
//! what is too much ends the import.

use std::{
    collections::HashSet,
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, Read, Write},
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Component, Path, PathBuf},
};

use rustix::{
    fs::{FileType, Mode, fchmod},
    io::Errno,
};
use serde::Serialize;
use tar::{EntryType, PaxExtensions};

use crate::{
    fault::Fault,
    manifest::CONTROL,
    progress::Progress,
    tree::{Place, Tree, set_times},
};

/// The longest name or set of pax records that an entry may have, in bytes.
const LONGEST_NAMES: u64 = 1024 * 1024;
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

/// Something of an archive that was not put into the root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// Its path, as the archive has it.
    pub path: PathBuf,
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
    /// What no honest archive has.
    pub refused: Vec<Refused>,
}

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
    /// A device node, FIFO or the like.
    Device,
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

/// Puts entries into a root.
#[derive(Debug)]
pub struct Unpacker<'tree> {
    root: &'tree Tree,
    policy: Policy,
    unpacked: Unpacked,
    seen: u64,
    /// What the layer at hand has brought, which its own whiteouts don't take away.
    layer: HashSet<PathBuf>,
    progress: Progress,
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

impl<'tree> Unpacker<'tree> {
    /// Starts with an empty root.
    #[must_use]
    pub fn new(root: &'tree Tree, policy: Policy) -> Unpacker<'tree> {
        Unpacker {
            root,
            policy,
            unpacked: Unpacked::default(),
            seen: 0,
            layer: HashSet::new(),
            progress: Progress::new(0),
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
        self.layer.clear();
        // What is skipped costs time, too: no more is read than what may be unpacked, and its headers.
        let headers = self.policy.most_entries.saturating_mul(LARGEST_HEADER);
        let most = self.policy.most_bytes.saturating_add(headers);
        let mut archive = tar::Archive::new(archive.take(most));
        // Raw: the library would take a name of any length into memory.
        let entries = archive.entries().map_err(damaged)?.raw(true);
        let mut names = Names::default();
        for entry in entries {
            let mut entry = entry.map_err(damaged)?;
            self.count()?;
            let kind = entry.header().entry_type();
            let names_next = match kind {
                EntryType::GNULongName => &mut names.path,
                EntryType::GNULongLink => &mut names.link,
                EntryType::XHeader => &mut names.pax,
                EntryType::XGlobalHeader => continue,
                _ => {
                    let item = std::mem::take(&mut names).item(&entry)?;
                    self.place(&item, layer, &mut entry)?;
                    continue;
                }
            };
            let mut text = Vec::new();
            let length = entry.header().entry_size().map_err(damaged)?;
            if length > LONGEST_NAMES {
                return Err(Fault::Failed(format!(
                    "read the archive: a name of {length} bytes"
                )));
            }
            entry.read_to_end(&mut text).map_err(damaged)?;
            *names_next = Some(text);
        }
        Ok(())
    }

    /// Puts one entry in place, or notes why not.
    ///
    /// # Errors
    /// There are too many or too large ones, or a write failed.
    pub fn put(&mut self, item: &Item, bytes: &mut dyn Read) -> Result<(), Fault> {
        self.count()?;
        self.place(item, false, bytes)
    }

    fn count(&mut self) -> Result<(), Fault> {
        self.seen += 1;
        self.progress.add(1);
        if self.seen > self.policy.most_entries {
            let most = self.policy.most_entries;
            return Err(Fault::Failed(format!(
                "unpack: more than {most} entries; --max-entries allows more"
            )));
        }
        Ok(())
    }

    fn place(&mut self, item: &Item, layer: bool, bytes: &mut dyn Read) -> Result<(), Fault> {
        match self.try_place(item, layer, bytes) {
            Ok(()) => Ok(()),
            Err(Stop::Refuse(why)) => {
                let path = item.path.clone();
                self.unpacked.refused.push(Refused { path, why });
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
        if matches!(item.content, Content::Device) {
            self.unpacked.devices += 1;
            return Ok(());
        }
        let place = self.root.place_through_links(&path)?;
        match &item.content {
            Content::Directory => self.directory(item, &place)?,
            Content::File => self.file(item, &place, bytes)?,
            Content::Symlink(to) => {
                place.remove()?;
                place.symlink(to)?;
                self.own(item, &place)?;
            }
            Content::HardLink(to) => self.hard_link(to, &place)?,
            Content::Device => {}
        }
        self.unpacked.entries += 1;
        if layer {
            self.layer.insert(path);
        }
        Ok(())
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

    fn file(&mut self, item: &Item, place: &Place, bytes: &mut dyn Read) -> Result<(), Stop> {
        place.remove()?;
        let mut file = place.create()?;
        self.copy(bytes, &mut file)?;
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
            self.unpacked.bytes += u64::try_from(count).unwrap_or(u64::MAX);
            if self.unpacked.bytes > self.policy.most_bytes {
                let most = self.policy.most_bytes;
                let what = format!("unpack: more than {most} bytes; --max-size allows more");
                return Err(Stop::Fault(Fault::Failed(what)));
            }
            file.write_all(buffer.get(..count).unwrap_or_default())
                .map_err(damaged)?;
        }
    }

    fn hard_link(&mut self, to: &Path, place: &Place) -> Result<(), Stop> {
        let target = self.root.place_through_links(&inside(to)?)?;
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
        let place = self.root.place_through_links(path)?;
        if name.as_bytes() == OPAQUE {
            return self.clear(directory);
        }
        let gone = OsStr::from_bytes(name.as_bytes().strip_prefix(WHITEOUT).unwrap_or_default());
        let path = directory.join(gone);
        if inside(&path)? != path || self.layer.contains(&path) {
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
            let kept = self.layer.contains(&path);
            let above = || self.layer.iter().any(|known| known.starts_with(&path));
            if kind == FileType::Directory && (kept || above()) {
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

/// What comes before an entry and says more of it than its header can.
#[derive(Debug, Default)]
struct Names {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    pax: Option<Vec<u8>>,
}

impl Names {
    /// Puts an entry's description together.
    fn item<Source: Read>(self, entry: &tar::Entry<'_, Source>) -> Result<Item, Fault> {
        let damaged = |error: io::Error| Fault::Failed(format!("read the archive: {error}"));
        let header = entry.header();
        let mut path = self
            .path
            .map(end_at_nul)
            .unwrap_or_else(|| header.path_bytes().into_owned());
        let own_link = || header.link_name_bytes().map(std::borrow::Cow::into_owned);
        let mut link = self
            .link
            .map(end_at_nul)
            .or_else(own_link)
            .unwrap_or_default();
        let (mut uid, mut gid) = (
            header.uid().map_err(damaged)?,
            header.gid().map_err(damaged)?,
        );
        let size = header.entry_size().map_err(damaged)?;
        let mut kind = header.entry_type();
        for record in PaxExtensions::new(self.pax.as_deref().unwrap_or_default()) {
            let record = record.map_err(damaged)?;
            let value = record.value_bytes();
            let number = || {
                std::str::from_utf8(value)
                    .ok()
                    .and_then(|text| text.parse::<u64>().ok())
            };
            match record.key_bytes() {
                b"path" => path = value.to_vec(),
                b"linkpath" => link = value.to_vec(),
                b"uid" => uid = number().unwrap_or(uid),
                b"gid" => gid = number().unwrap_or(gid),
                b"size" if number() != Some(size) => {
                    return Err(Fault::Failed(
                        "read the archive: an entry of two sizes".to_owned(),
                    ));
                }
                key if key.starts_with(b"GNU.sparse.") => kind = EntryType::GNUSparse,
                _ => {}
            }
        }
        let link = PathBuf::from(OsString::from_vec(link));
        let content = match kind {
            EntryType::Regular | EntryType::Continuous => Content::File,
            EntryType::Directory => Content::Directory,
            EntryType::Symlink => Content::Symlink(link),
            EntryType::Link => Content::HardLink(link),
            EntryType::GNUSparse => {
                let path = String::from_utf8_lossy(&path).into_owned();
                return Err(Fault::Failed(format!(
                    "read the archive: {path} is a sparse file; pack it anew without --sparse"
                )));
            }
            _ => Content::Device,
        };
        Ok(Item {
            path: PathBuf::from(OsString::from_vec(path)),
            content,
            mode: header.mode().map_err(damaged)?,
            // No account has the number that chown(2) takes for "leave it".
            uid: u32::try_from(uid).unwrap_or(0).min(u32::MAX - 1),
            gid: u32::try_from(gid).unwrap_or(0).min(u32::MAX - 1),
            modified: header
                .mtime()
                .ok()
                .and_then(|at| i64::try_from(at).ok())
                .unwrap_or(0),
        })
    }
}

fn end_at_nul(mut text: Vec<u8>) -> Vec<u8> {
    let end = text.iter().position(|byte| *byte == 0);
    text.truncate(end.unwrap_or(text.len()));
    text
}
