//! A root from an archive, an image of a container, a directory, or debootstrap(8).

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs::File,
    io::{self, Cursor, Read},
    os::fd::AsFd,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use rustix::fs::{CWD, FileType, Mode, OFlags, fstat, openat};

use crate::{
    archive::{Policy, Unpacked, Unpacker},
    bounded::Bounded,
    build::accounts,
    compression::decompress,
    etc::{self, Account},
    fault::Fault,
    generation,
    image::is_image,
    item::{Content, Item},
    manifest::{CONTROL, FILE, Manifest, Recipe},
    new_root::{absolute, new_root},
    progress::Progress,
    skeleton::{make_homes, make_skeleton},
    store::Store,
    tree::Tree,
    versions::{Versions, check_name},
};

/// How many lines of debootstrap's are quoted where it failed.
const MOST_QUOTED: usize = 20;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// An archive, `-` for standard input, an OCI layout, a directory, or `debootstrap:SUITE`.
    pub source: PathBuf,
    /// The root directory, which is not there yet.
    pub root: PathBuf,
    /// Which image, where an archive has several.
    pub image: Option<String>,
    /// Accounts that the root's passwd and group know and that have homes in it.
    pub users: Vec<String>,
    /// Where debootstrap fetches from, if not from where it does by itself.
    pub mirror: Option<String>,
    /// What may come in.
    pub policy: Policy,
    /// The name of the version, where the root is a base that has several.
    pub version: Option<String>,
}

/// What a source is.
pub(crate) enum Source<'request> {
    /// The name of a suite.
    Debootstrap(&'request str),
    Directory(Tree),
    Archive(Box<dyn Read>),
    Images(Store),
}

/// What was imported.
#[derive(Debug)]
pub struct Imported {
    /// Where it is.
    pub root: PathBuf,
    /// The digest of the image's manifest, where it was an image that has one.
    pub digest: Option<String>,
    /// What became of the source.
    pub unpacked: Unpacked,
}

/// Makes a root.
///
/// # Errors
/// The root is there, or the source is not, or is damaged or too large. Nothing is left then.
pub fn import(request: &Request, progress: Progress<'_>) -> Result<Imported, Fault> {
    let root = absolute(&request.root)?;
    let (mut recipe, accounts) = request.recipe(&root)?;
    let (digest, unpacked) = new_root(&root, |tree| {
        // The directory of the manifest is made after it: what is not there can't be led to.
        let (digest, unpacked) = request.unpack(tree, progress)?;
        recipe.digest.clone_from(&digest);
        make_skeleton(tree)?;
        if !accounts.is_empty() {
            etc::add_accounts(tree, &accounts)?;
            make_homes(tree, &accounts)?;
        }
        let manifest = Manifest::new(recipe, BTreeMap::new());
        tree.replace(Path::new(FILE), &manifest.text()?, 0o600)?;
        Ok((digest, unpacked))
    })?;
    Ok(Imported {
        root,
        digest,
        unpacked,
    })
}

/// Adds accounts of the host to a root that was imported: their lines and their homes.
///
/// # Errors
/// It was not imported, there is no such account, or a system call failed.
pub fn add_users(root: &Path, users: &[String]) -> Result<(), Fault> {
    let tree = Tree::open(root)?;
    let _held = generation::hold(&tree)?;
    let Some(mut manifest) = Manifest::read(&tree)?.filter(|it| it.recipe.imported.is_some())
    else {
        return Err(Fault::Failed(format!(
            "add accounts to {}: it was not imported",
            root.display()
        )));
    };
    let known = &mut manifest.recipe.users;
    known.extend(users.iter().cloned());
    known.sort_unstable();
    known.dedup();
    let named = Recipe {
        users: users.to_vec(),
        ..Recipe::default()
    };
    let accounts = accounts(&named, &named)?;
    etc::add_accounts(&tree, &accounts)?;
    make_homes(&tree, &accounts)?;
    tree.replace(Path::new(FILE), &manifest.text()?, 0o600)
}

/// Makes a version of a base. The first one is in use at once; a further one is not, unless it is to be.
///
/// # Errors
/// As [`import`]; there is a version of this name; what is in use was not imported.
pub fn import_version(
    request: &Request,
    name: &str,
    into_use: bool,
    progress: Progress<'_>,
) -> Result<(Imported, bool), Fault> {
    check_name(name)?;
    let root = absolute(&request.root)?;
    let versions = Versions::open(&root)?;
    let place = versions.place_for(name)?;
    let imported = import(
        &Request {
            root: place.clone(),
            version: Some(name.to_owned()),
            ..request.clone()
        },
        progress,
    )?;
    let is_first = place == root;
    if into_use && !is_first {
        versions.put_into_use(name)?;
    }
    Ok((imported, into_use || is_first))
}

impl Request {
    /// Puts down what a root is made from, and finds its accounts.
    ///
    /// # Errors
    /// The root is there, or there is no such account.
    pub(crate) fn recipe(&self, root: &Path) -> Result<(Recipe, Vec<Account>), Fault> {
        if root.symlink_metadata().is_ok() {
            return Err(Fault::Failed(format!(
                "import to {}: it is there already",
                root.display()
            )));
        }
        let recipe = Recipe {
            users: self.users.clone(),
            imported: Some(self.source.display().to_string()),
            version: self.version.clone(),
            ..Recipe::default()
        };
        let accounts = accounts(&recipe, &recipe)?;
        Ok((recipe, accounts))
    }

    /// Unpacks the source, and gives the digest of an image that has one.
    fn unpack(
        &self,
        root: &Tree,
        progress: Progress<'_>,
    ) -> Result<(Option<String>, Unpacked), Fault> {
        let mut unpacker = Unpacker::new(root, self.policy, progress);
        match self.opened(root.shown())? {
            Source::Debootstrap(suite) => {
                let made = Path::new(CONTROL);
                root.make_directory(made, 0o700)?;
                self.debootstrap(suite, &root.show(made))?;
                unpack_directory(&mut unpacker, &root.subtree(made)?, root)?;
                root.remove(made)?;
                Ok((None, unpacker.finish()))
            }
            Source::Directory(tree) => {
                unpack_directory(&mut unpacker, &tree, root)?;
                Ok((None, unpacker.finish()))
            }
            Source::Archive(mut archive) => {
                unpacker.tar(&mut archive, false)?;
                finish_some(unpacker).map(|unpacked| (None, unpacked))
            }
            Source::Images(store) => {
                let digest = self.unpack_image(&mut unpacker, &store)?;
                Ok((digest, unpacker.finish()))
            }
        }
    }

    /// Opens the source. What of it has to be written down is in a file that nobody sees, in this directory.
    pub(crate) fn opened(&self, directory: &Path) -> Result<Source<'_>, Fault> {
        let suite = self.source.to_str();
        if let Some(suite) = suite.and_then(|it| it.strip_prefix("debootstrap:")) {
            return Ok(Source::Debootstrap(suite));
        }
        let source = open(&self.source)?;
        let metadata = source.metadata().map_err(Fault::io("stat", &self.source))?;
        if metadata.is_dir() {
            let tree = Tree::new(source.into(), &self.source);
            if tree.stat(Path::new("oci-layout"))?.is_some() {
                return Ok(Source::Images(Store::Directory(tree)));
            }
            self.refuse_image_name()?;
            return Ok(Source::Directory(tree));
        }
        let failed = |error| Fault::io("read", &self.source)(error);
        let again = source.try_clone().map_err(failed)?;
        // Compressed, it can have parts of any length of which nothing comes out.
        let stored = Bounded::new(source, self.policy.most_read());
        let mut archive = decompress(stored).map_err(failed)?;
        let (image, start) = is_image(&mut archive).map_err(failed)?;
        let archive = Cursor::new(start.clone()).chain(archive);
        if !image {
            self.refuse_image_name()?;
            return Ok(Source::Archive(Box::new(archive)));
        }
        let mut own = [0; 512];
        // Nothing, of a pipe.
        let seen = std::os::unix::fs::FileExt::read_at(&again, &mut own, 0).unwrap_or(0);
        // Not compressed: it is there already, and need not be written once more.
        let store = if own.get(..seen) == Some(start.as_slice()) {
            Store::of_file(again)?
        } else {
            Store::of_archive(archive, directory, self.policy.most_bytes)?
        };
        Ok(Source::Images(store))
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

    fn unpack_image(
        &self,
        unpacker: &mut Unpacker<'_, '_>,
        store: &Store,
    ) -> Result<Option<String>, Fault> {
        let image = store.image(self.image.as_deref())?;
        for layer in image.layers {
            store.with_layer(&layer, self.policy.most_read(), |archive| {
                unpacker.tar(archive, true)
            })?;
        }
        Ok(image.digest)
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
        let said: Vec<&str> = said.take(MOST_QUOTED).collect();
        Err(Fault::Failed(format!(
            "debootstrap {suite}: {}: {}; where it is missing: apt-get install debootstrap",
            ended.status,
            said.join("; ")
        )))
    }
}

/// Gives what became of an archive that has something in it.
fn finish_some(unpacker: Unpacker<'_, '_>) -> Result<Unpacked, Fault> {
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
fn unpack_directory(
    unpacker: &mut Unpacker<'_, '_>,
    source: &Tree,
    root: &Tree,
) -> Result<(), Fault> {
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
