//! Programs and files of the host, brought into a root: a root that `jailctl build` made is built anew with them, any other
//! gets copies at their own paths.
//!
//! Each copy is made beside its place and renamed, so that a link or a hard link that is in the way goes, and nothing is
//! written through it. Links of the root are followed as they lead inside, and never onto a mount.

use std::{
    ffi::OsStr,
    fs,
    io::Read,
    os::fd::{AsRawFd, OwnedFd},
    path::{Path, PathBuf},
};

use jail::resolve::openat2;
use jail_config::Base;
use jail_roots::{
    build, closure::Entry, collect::Collector, host, manifest::Manifest, progress::Progress,
    tree::Tree,
};
use rustix::{
    fs::{
        AtFlags, FileType, Mode, OFlags, ResolveFlags, mkdirat, openat, readlinkat, renameat,
        statat, symlinkat, unlinkat,
    },
    io::Errno,
};

use crate::{
    accounts::account::Jailed,
    doctor::{
        mend::{
            Data, Extent, Kind, beside,
            reach::{Root, failed, name_beside},
        },
        rehearsal::{self, Seen},
        used,
    },
    failure::Failure,
    progress::show_progress,
    shell::shown,
};

/// Where sftp-server is: in Debian, in Red Hat's and in SUSE's systems.
const SFTP_SERVERS: [&str; 4] = [
    "/usr/lib/openssh/sftp-server",
    "/usr/libexec/openssh/sftp-server",
    "/usr/lib/ssh/sftp-server",
    "/usr/libexec/ssh/sftp-server",
];

/// Brings what a finding misses into the root of a user.
pub(crate) fn mend(
    kind: Kind,
    jailed: &Jailed,
    all: &[Jailed],
    extent: Extent,
) -> Result<Vec<String>, Failure> {
    if jailed.jail.base != Base::None {
        return Err(Failure::Failed(format!(
            "the system of {}'s jail comes from its base, and what is missing there is not mended in the root",
            jailed.name()
        )));
    }
    let there = |paths: &[&str]| -> Vec<PathBuf> {
        let paths = paths.iter().map(PathBuf::from);
        paths.filter(|path| path.exists()).collect()
    };
    let wanted = match kind {
        Kind::LoginShell => vec![jailed.identity.shell.as_path().to_owned()],
        Kind::SftpServerMissing | Kind::SftpServerBroken => {
            there(&SFTP_SERVERS).into_iter().take(1).collect()
        }
        Kind::TerminfoMissing => there(&["/lib/terminfo", "/usr/share/terminfo"]),
        Kind::LocaleMissing => there(&["/usr/lib/locale"]),
        Kind::TimeZoneMissing => there(&["/etc/localtime"]),
        Kind::ResolverMissing => there(&["/etc/resolv.conf"]),
        _ => vec![jailed.jail.shell.clone()],
    };
    if wanted.is_empty() {
        return Err(Failure::Failed(
            "the host has nothing that could be copied".to_owned(),
        ));
    }
    let root = Root::open(all, &jailed.jail.root)?;
    bring(&root, &wanted, all, extent)
}

/// Copies a program that can't start once more, or removes one that the host has not.
pub(crate) fn program(
    path: &Path,
    all: &[Jailed],
    config: &Path,
    extent: Extent,
) -> Result<Vec<String>, Failure> {
    let root = Root::above(all, path)?;
    let inside = Path::new("/").join(path.strip_prefix(root.path).unwrap_or(path));
    let mut is_broken = false;
    for one in root.users.iter().filter(|one| one.jail.base == Base::None) {
        let name = one.identity.name.to_string_lossy();
        let seen = rehearsal::of(&name, used::of(&one.identity), config)?;
        is_broken |= seen
            .iter()
            .any(|it| matches!(it, Seen::Program(program, _) if *program == inside));
    }
    if !is_broken {
        return Ok(Vec::new());
    }
    if inside.exists() {
        return bring(&root, &[inside], all, extent);
    }
    let reached = root.reach(path)?;
    Data::of(all)?.refuse(&reached.shown)?;
    if extent == Extent::Whole {
        let now = statat(&reached.directory, &reached.name, AtFlags::SYMLINK_NOFOLLOW);
        reached.insist_on_same(&now.map_err(failed("examine", path))?)?;
        unlinkat(&reached.directory, &reached.name, AtFlags::empty())
            .map_err(failed("remove", path))?;
    }
    Ok(vec![format!("{}: removed", shown(path))])
}

/// Brings files of the host, with all that programs among them need, into a root.
pub(crate) fn bring(
    root: &Root<'_>,
    wanted: &[PathBuf],
    all: &[Jailed],
    extent: Extent,
) -> Result<Vec<String>, Failure> {
    let data = Data::of(all)?;
    data.refuse(root.path)?;
    let tree = Tree::new(root.directory()?, root.path);
    let manifest = Manifest::read(&tree)?;
    let is_built = manifest.is_some_and(|it| it.recipe.imported.is_none());
    if is_built {
        let words: Vec<String> = wanted.iter().map(|it| it.display().to_string()).collect();
        if extent == Extent::Whole {
            let request = build::Request {
                root: root.path.to_owned(),
                programs: words.clone(),
                ..build::Request::default()
            };
            build::build(&request, &mut Progress::to(&mut show_progress()))?;
        }
        return Ok(vec![format!(
            "{}: built anew, with {}",
            shown(root.path),
            words.join(", ")
        )]);
    }
    let mut copy = Copy {
        root: root.directory()?,
        path: root.path,
        aliases: Vec::new(),
        data: &data,
        extent,
        changes: Vec::new(),
    };
    for path in wanted {
        copy.whole(path)?;
    }
    Ok(copy.changes)
}

/// Copies into one root.
struct Copy<'a> {
    root: OwnedFd,
    path: &'a Path,
    /// Directories that the root has where the host has links, and where these lead.
    aliases: Vec<(PathBuf, PathBuf)>,
    data: &'a Data,
    extent: Extent,
    changes: Vec<String>,
}

impl Copy<'_> {
    /// Copies one file, directory or program with all that it needs.
    fn whole(&mut self, path: &Path) -> Result<(), Failure> {
        // What a service of the host makes anew at each start is copied as it is now.
        let found = fs::canonicalize(path).map_err(|error| Failure::io("find", path, &error))?;
        if path.starts_with("/etc") && found.is_file() {
            return self.file(path, &found, 0o644);
        }
        let mut collector = Collector::new();
        collector.program(&path.display().to_string())?;
        for (from, entry) in collector.finish().entries {
            match entry {
                Entry::Directory => {
                    for place in self.places(&from, path) {
                        drop(self.directory(&place)?);
                    }
                }
                Entry::Link(to) => {
                    for place in self.places(&from, path) {
                        self.link(&place, &from, &to)?;
                    }
                }
                Entry::File(mode) => {
                    for place in self.places(&from, path) {
                        self.file(&place, &from, mode)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Says where the root is to have something. Where the host has one directory under two names, the root may have two; the
    /// other one counts as well if it is what was asked for.
    fn places(&self, path: &Path, wanted: &Path) -> Vec<PathBuf> {
        let mut places = Vec::new();
        let mut is_named = true;
        for (from, to) in &self.aliases {
            if let Ok(below) = path.strip_prefix(to) {
                places.push(from.join(below));
                is_named &= wanted.starts_with(to);
            }
        }
        if is_named {
            places.push(path.to_owned());
        }
        places
    }

    /// Opens a directory of the root, and makes what is missing of it. Nothing where that is left undone.
    fn directory(&self, path: &Path) -> Result<Option<OwnedFd>, Failure> {
        let full = self.path.join(path.strip_prefix("/").unwrap_or(path));
        self.data.refuse(&full)?;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_XDEV;
        let open = |below: &Path| {
            let below = if below == Path::new("") {
                Path::new(".")
            } else {
                below
            };
            openat2(&self.root, below, flags, Mode::empty(), resolve)
        };
        let below = path.strip_prefix("/").unwrap_or(path);
        let mut walked = PathBuf::new();
        let mut above = open(&walked).map_err(failed("open", &full))?;
        self.data.refuse(&place_of(&above))?;
        for component in below.components() {
            walked.push(component);
            let shown = self.path.join(&walked);
            above = match open(&walked) {
                Err(Errno::NOENT) if self.extent == Extent::DryRun => return Ok(None),
                Err(Errno::NOENT) => {
                    let mode = Mode::from_raw_mode(0o755);
                    mkdirat(&above, component.as_os_str(), mode).map_err(failed("make", &shown))?;
                    open(&walked).map_err(failed("open", &shown))?
                }
                opened => opened.map_err(failed("open", &shown))?,
            };
            // A link inside may have led there.
            self.data.refuse(&place_of(&above))?;
        }
        Ok(Some(above))
    }

    /// Makes a link that the host has, if the root has nothing of its own there.
    fn link(&mut self, path: &Path, from: &Path, to: &Path) -> Result<(), Failure> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Ok(());
        };
        let shown = self.path.join(path.strip_prefix("/").unwrap_or(path));
        let Some(directory) = self.directory(parent)? else {
            return Ok(());
        };
        let is_directory = from.is_dir();
        match statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => {}
            Err(errno) => return Err(failed("examine", &shown)(errno)),
            Ok(stat) => match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory => {
                    let found = fs::canonicalize(from).unwrap_or_else(|_| from.to_owned());
                    self.aliases.push((path.to_owned(), found));
                    return Ok(());
                }
                FileType::Symlink => {
                    let there = readlinkat(&directory, name, Vec::new());
                    let there = there.map_err(failed("read link", &shown))?;
                    if is_directory || there.as_bytes() == to.as_os_str().as_encoded_bytes() {
                        return Ok(());
                    }
                }
                _ => {}
            },
        }
        if self.extent == Extent::Whole {
            let beside = name_beside();
            symlinkat(to, &directory, &beside).map_err(failed("make", &shown))?;
            renameat(&directory, &beside, &directory, name).map_err(failed("replace", &shown))?;
        }
        self.changes
            .push(format!("{}: link made", crate::shell::shown(&shown)));
        Ok(())
    }

    /// Copies one file, unless it is there with the same bytes.
    fn file(&mut self, path: &Path, from: &Path, mode: u32) -> Result<(), Failure> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Ok(());
        };
        let full = self.path.join(path.strip_prefix("/").unwrap_or(path));
        let mut bytes = Vec::new();
        // Who else can write there on the host could put a link to what nobody may read.
        let read = host::open(from)?.read_to_end(&mut bytes);
        read.map_err(|error| Failure::io("read", from, &error))?;
        let directory = self.directory(parent)?;
        if directory
            .as_ref()
            .is_some_and(|it| has(it, name, &bytes, mode))
        {
            return Ok(());
        }
        if let (Extent::Whole, Some(directory)) = (self.extent, directory) {
            beside::put(&directory, name, &full, &bytes, None, mode)?;
        }
        self.changes.push(format!("{}: copied", shown(&full)));
        Ok(())
    }
}

/// Tells whether a directory has a file of root's with these bytes, and one name only.
fn has(directory: &OwnedFd, name: &OsStr, bytes: &[u8], mode: u32) -> bool {
    let is_same = |stat: &rustix::fs::Stat| {
        FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
            && stat.st_uid == 0
            && stat.st_mode & 0o7777 == mode
            && u64::try_from(stat.st_size).is_ok_and(|size| size == bytes.len() as u64)
    };
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let found = statat(directory, name, AtFlags::SYMLINK_NOFOLLOW);
    if !found.is_ok_and(|stat| is_same(&stat)) {
        return false;
    }
    let mut there = Vec::new();
    let opened = openat(directory, name, flags, Mode::empty()).map(fs::File::from);
    let read = opened.map(|file| file.take(bytes.len() as u64 + 1).read_to_end(&mut there));
    matches!(read, Ok(Ok(_))) && there == bytes
}

/// Gives the path of an open directory: proc_pid_fd(5).
fn place_of(directory: &OwnedFd) -> PathBuf {
    let link = format!("/proc/self/fd/{}", directory.as_raw_fd());
    fs::read_link(link).unwrap_or_default()
}
