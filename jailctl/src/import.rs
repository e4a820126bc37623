//! `jailctl import`: a root from an archive, an image of a container, a directory, or debootstrap(8).

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs::File,
    io::{self, Cursor, Read},
    os::fd::AsFd,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use clap::{Args, ValueEnum, ValueHint};
use rustix::fs::{CWD, FileType, Mode, OFlags, fstat, openat};
use serde_json::json as object;

use crate::{
    archive::{Policy, Unpacked, Unpacker},
    build::{absolute, accounts, make_homes, new_root},
    etc,
    fault::{Fault, Verdict},
    generation,
    image::{Store, decompress, is_image},
    item::{Content, Item},
    manifest::{CONTROL, FILE, Manifest, Recipe},
    stdout::{say, say_json},
    terminal::shown,
    tree::Tree,
};

/// How many refused entries are shown one by one.
const MOST_SHOWN: usize = 20;

/// Make a root directory of what docker export, docker save, an OCI tool or tar has packed, of a directory, or of
/// debootstrap:SUITE
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct Import {
    /// An archive (tar, plain or compressed with gzip or zstd; - for standard input), an OCI layout, a directory, or
    /// debootstrap:SUITE
    source: PathBuf,
    /// The root directory, which must not be there yet; made with those above it, root's and mode 0755
    #[arg(value_hint = ValueHint::DirPath)]
    root: PathBuf,
    /// Which image, where an archive has several
    #[arg(long, value_name = "NAME", value_hint = ValueHint::Other)]
    image: Option<String>,
    /// Whose the files are: of the numbers that the source has, or all of root
    #[arg(long, value_enum, default_value = "keep")]
    owner: Owner,
    /// What becomes of set-user-ID and set-group-ID bits, which nothing inside a jail can use
    #[arg(long, value_enum, default_value = "drop")]
    set_id: SetId,
    /// An account that the root's passwd and group know and that has a home in it; several with commas between
    #[arg(long = "user", value_delimiter = ',', value_name = "NAME", value_hint = ValueHint::Username)]
    users: Vec<String>,
    /// The most bytes that its files may have together; K, M, G and T are understood
    #[arg(long, default_value = "16G", value_parser = size, value_hint = ValueHint::Other)]
    max_size: u64,
    /// The most entries
    #[arg(long, default_value_t = 2_000_000, value_hint = ValueHint::Other)]
    max_entries: u64,
    /// Where debootstrap fetches from, if not from where it does by itself
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url)]
    mirror: Option<String>,
    /// Report as JSON
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  jailctl import debian.tar /srv/jails/bob                      what docker export has written, or tar
  docker export web | jailctl import - /srv/jails/web           the same, without a file between
  jailctl import --image debian:12 images.tar /srv/jails/bob    one of several of docker save
  jailctl import --owner root --set-id keep tree /srv/jails/bob    a directory
  jailctl import --max-size 500M --max-entries 20000 debian.tar /srv/jails/bob    refuse what is larger
  jailctl import --mirror http://deb.debian.org/debian debootstrap:bookworm /srv/jails/cid    made by debootstrap(8)
  jailctl import --user bob --json debian.tar /srv/jails/bob    with an account and a home; a report for a program";

/// Whose imported files are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Owner {
    /// Of the numbers that the source has.
    Keep,
    /// Root's.
    Root,
}

/// What becomes of set-id bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum SetId {
    /// They stay.
    Keep,
    /// They go.
    Drop,
}

impl Import {
    /// Makes the root and reports.
    ///
    /// # Errors
    /// The root is there, or the source is not, or is damaged or too large. Nothing is left then.
    pub fn run(self) -> Result<Verdict, Fault> {
        let root = absolute(&self.root)?;
        if root.symlink_metadata().is_ok() {
            return Err(Fault::Failed(format!(
                "import to {}: it is there already",
                root.display()
            )));
        }
        let recipe = Recipe {
            users: self.users.clone(),
            imported: Some(self.source.display().to_string()),
            ..Recipe::default()
        };
        let accounts = accounts(&recipe, &recipe)?;
        let unpacked = new_root(&root, |tree| {
            // The directory of the manifest is made after it: what is not there can't be led to.
            let unpacked = self.unpack(tree)?;
            generation::make_skeleton(tree)?;
            if !accounts.is_empty() {
                etc::add_accounts(tree, &accounts)?;
                make_homes(tree, &accounts)?;
            }
            let manifest = Manifest::new(recipe, BTreeMap::new());
            tree.replace(Path::new(FILE), &manifest.text()?, 0o600)?;
            Ok(unpacked)
        })?;
        if self.json {
            let report = object!({ "root": root.to_string_lossy(), "unpacked": unpacked });
            say_json(&report);
        } else {
            print(&root, &unpacked);
        }
        Ok(Verdict::of(!unpacked.refused.is_empty()))
    }

    fn unpack(&self, root: &Tree) -> Result<Unpacked, Fault> {
        let mut unpacker = Unpacker::new(
            root,
            Policy {
                keep_owners: self.owner == Owner::Keep,
                keep_set_ids: self.set_id == SetId::Keep,
                most_bytes: self.max_size,
                most_entries: self.max_entries,
            },
        );
        if let Some(suite) = self
            .source
            .to_str()
            .and_then(|source| source.strip_prefix("debootstrap:"))
        {
            let made = Path::new(CONTROL);
            root.make_directory(made, 0o700)?;
            self.debootstrap(suite, &root.show(made))?;
            unpack_directory(&mut unpacker, &root.subtree(made)?, root)?;
            root.remove(made)?;
            return Ok(unpacker.finish());
        }
        let source = open(&self.source)?;
        let metadata = source.metadata().map_err(Fault::io("stat", &self.source))?;
        if metadata.is_dir() {
            let tree = Tree::new(source.into(), &self.source);
            if tree.stat(Path::new("oci-layout"))?.is_some() {
                self.unpack_image(&mut unpacker, &Store::Directory(tree))?;
            } else {
                self.refuse_image_name()?;
                unpack_directory(&mut unpacker, &tree, root)?;
            }
            return Ok(unpacker.finish());
        }
        let failed = |error| Fault::io("read", &self.source)(error);
        let again = source.try_clone().map_err(failed)?;
        let mut archive = decompress(source).map_err(failed)?;
        let (image, start) = is_image(&mut archive).map_err(failed)?;
        let mut archive = Cursor::new(start.clone()).chain(archive);
        if !image {
            self.refuse_image_name()?;
            unpacker.tar(&mut archive, false)?;
            return finish_some(unpacker);
        }
        let mut own = [0; 512];
        // Nothing, of a pipe.
        let seen = std::os::unix::fs::FileExt::read_at(&again, &mut own, 0).unwrap_or(0);
        // Not compressed: it is there already, and need not be written once more.
        let store = if own.get(..seen) == Some(start.as_slice()) {
            Store::of_file(again)?
        } else {
            Store::of_archive(archive, root.shown(), self.max_size)?
        };
        self.unpack_image(&mut unpacker, &store)?;
        Ok(unpacker.finish())
    }

    /// Refuses a name of an image where there are no images.
    fn refuse_image_name(&self) -> Result<(), Fault> {
        match &self.image {
            None => Ok(()),
            Some(_) => Err(Fault::Usage(format!(
                "--image: {} is no archive or directory of images; leave it out",
                self.source.display()
            ))),
        }
    }

    fn unpack_image(&self, unpacker: &mut Unpacker<'_>, store: &Store) -> Result<(), Fault> {
        for layer in store.layers(self.image.as_deref())? {
            // What is more than that is too much for a root as well.
            let most = self.max_size.saturating_mul(2);
            unpacker.tar(store.open_layer(&layer, most)?, true)?;
        }
        Ok(())
    }

    fn debootstrap(&self, suite: &str, target: &Path) -> Result<(), Fault> {
        if suite.is_empty()
            || !suite
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
            || suite.starts_with('-')
        {
            return Err(Fault::Usage(format!("{suite:?} is no name of a suite")));
        }
        // It mounts, and may leave what it mounted: it gets namespaces of its own.
        let mut command = Command::new("unshare");
        command
            .args([
                "--mount",
                "--pid",
                "--fork",
                "--kill-child",
                "debootstrap",
                "--variant=minbase",
                suite,
            ])
            .arg(target)
            .args(&self.mirror)
            .stdin(Stdio::null());
        let ended = command.output();
        let ended = ended.map_err(Fault::io("start", Path::new("unshare")))?;
        if ended.status.success() {
            return Ok(());
        }
        // It says on either what went wrong, and much before that.
        let said = [ended.stderr, ended.stdout].concat();
        let said = String::from_utf8_lossy(&said);
        let said = said.lines().filter(|line| !line.starts_with("I: "));
        let said: Vec<&str> = said.take(MOST_SHOWN).collect();
        Err(Fault::Failed(format!(
            "debootstrap {suite}: {}: {}; where it is missing: apt-get install debootstrap",
            ended.status,
            said.join("; ")
        )))
    }
}

/// Gives what became of an archive that has something in it.
fn finish_some(unpacker: Unpacker<'_>) -> Result<Unpacked, Fault> {
    let unpacked = unpacker.finish();
    if unpacked == Unpacked::default() {
        return Err(Fault::Failed(
            "read the archive: there is nothing in it".to_owned(),
        ));
    }
    Ok(unpacked)
}

/// Opens a source for reading, without waiting for a FIFO.
fn open(source: &Path) -> Result<File, Fault> {
    if source == Path::new("-") {
        let input = io::stdin().as_fd().try_clone_to_owned();
        return input.map(File::from).map_err(Fault::io("open", source));
    }
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let opened = openat(CWD, source, flags, Mode::empty());
    opened.map(File::from).map_err(Fault::io("open", source))
}

/// Copies a directory with all that is below it, but for what is mounted there, and for the root that it is copied to.
fn unpack_directory(unpacker: &mut Unpacker<'_>, source: &Tree, root: &Tree) -> Result<(), Fault> {
    let own = fstat(root).map_err(Fault::io("stat", root.shown()))?;
    let mut open = vec![PathBuf::new()];
    while let Some(directory) = open.pop() {
        for (name, _) in source.list(&directory)? {
            let path = directory.join(name);
            if path == OsStr::new(CONTROL) {
                continue;
            }
            let Some(stat) = source.stat(&path)? else {
                continue;
            };
            if (stat.st_dev, stat.st_ino) == (own.st_dev, own.st_ino) {
                continue;
            }
            let mut bytes: Box<dyn Read> = Box::new(io::empty());
            let content = match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory => {
                    if source.is_mount_point(&path)? {
                        unpacker.leave_mount();
                    } else {
                        open.push(path.clone());
                    }
                    Content::Directory
                }
                FileType::RegularFile => {
                    bytes = Box::new(source.open_file(&path)?);
                    Content::File
                }
                FileType::Symlink => Content::Symlink(source.read_link(&path)?),
                _ => Content::Device,
            };
            let item = Item {
                path,
                content,
                mode: stat.st_mode & 0o7777,
                uid: stat.st_uid,
                gid: stat.st_gid,
                modified: stat.st_mtime,
            };
            unpacker.put(&item, &mut bytes)?;
        }
    }
    Ok(())
}

fn size(text: &str) -> Result<u64, String> {
    let (number, unit) = match text.find(|letter: char| !letter.is_ascii_digit()) {
        Some(end) => text.split_at(end),
        None => (text, ""),
    };
    let shift = match unit {
        "" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        "T" => 40,
        _ => return Err(format!("{unit:?} is no unit; K, M, G and T are")),
    };
    let number: u64 = number
        .parse()
        .map_err(|_| "a number is wanted".to_owned())?;
    number
        .checked_mul(1 << shift)
        .ok_or_else(|| "too large".to_owned())
}

fn print(root: &Path, unpacked: &Unpacked) {
    for refused in unpacked.refused.iter().take(MOST_SHOWN) {
        eprintln!(
            "finding: refused {:?}: {}",
            refused.path,
            shown(&refused.why)
        );
    }
    let more = unpacked.refused.len().saturating_sub(MOST_SHOWN);
    let more = unpacked.refused_more.saturating_add(more as u64);
    if more > 0 {
        eprintln!("finding: and {more} more were refused");
    }
    if unpacked.mounts > 0 {
        eprintln!("note: {} mount points were left empty", unpacked.mounts);
    }
    if unpacked.devices > 0 {
        eprintln!(
            "note: {} device nodes and the like were left out",
            unpacked.devices
        );
    }
    if unpacked.set_ids > 0 {
        eprintln!(
            "note: {} files lost their set-id bits; --set-id keep leaves them",
            unpacked.set_ids
        );
    }
    let mib = unpacked.bytes.div_ceil(1 << 20);
    say(format_args!(
        "{}: {} entries, {mib} MiB",
        shown(root),
        unpacked.entries
    ));
}
