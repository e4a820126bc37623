//! The root that a fully isolated session sees, put together from copies of the host's mounts.
//!
//! Two stages, because a descriptor of the host's mount namespace means nothing in another: [`Trees::copy`] makes
//! detached copies while still in the host's, [`assemble`] attaches them in the new one. No mount of the host is
//! changed, and every target is a descriptor reached without following a link.

use std::{
    ffi::{CStr, CString, OsStr},
    fs::File,
    io::Write,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::{Component, Path, PathBuf},
};

use jail_config::{Base, Content, MountMode, RootOwner};
use nix::{
    errno::Errno,
    unistd::{Gid, setegid},
};
use rustix::{
    fs::{
        AtFlags, CWD, Dev, Dir, FileType, Mode, OFlags, ResolveFlags, StatVfsMountFlags,
        StatxFlags, fstat, fstatvfs, makedev, mkdirat, mknodat, openat, openat2, readlinkat, statx,
        symlinkat, unlinkat,
    },
    mount::{
        FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags,
        fsconfig_create, fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, move_mount,
        open_tree, unmount,
    },
    process::{chdir, fchdir, pivot_root, umask},
    system::sysinfo,
};

use crate::{
    fault::{StepFault, failed, hold, number},
    plan::{Plan, Processes, View},
    process::privilege::as_user,
    sys::mount::{NODEV, NOSUID, RDONLY, mount_setattr, mount_setattr_recursive},
    trust::{self, kind},
    world::{
        etc::{Etc, Item},
        host_files,
        mark::{self, Mark},
        records::Records,
    },
};

/// The host's top-level directories that `base = "host"` shows; /etc is made for the session.
pub(crate) const HOST_ENTRIES: [&str; 7] =
    ["usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32"];

/// What a base never contributes: these are the session's own, or hold the host's state.
pub(crate) const NEVER_FROM_BASE: [&str; 5] = ["proc", "dev", "sys", "tmp", "run"];

/// The most entries that root and base may have at their top together: each is a mount.
const MOST_ENTRIES: usize = 128;

/// Size and number of files of a top directory, for the short files of its /etc. Nobody can write to it once it is done.
const TOP_BOUNDS: (&CStr, &CStr) = (c"16m", c"1k");

/// How much of the memory a session's /tmp and /dev/shm may take each: tmpfs(5).
const TMPFS_SIZE: &CStr = c"10%";

/// For how many bytes of that size there may be one file: a file without any takes memory of the kernel's as well,
/// about a kilobyte.
const BYTES_PER_INODE: u64 = 16 * 1024;

/// How many terminals a session may open of those that all of the host share (sysctl kernel.pty.max).
const MOST_TERMINALS: &CStr = c"64";

/// The group `tty`, whose number every Linux distribution has fixed.
const TTY_GID: &CStr = c"5";

/// The device nodes of a private /dev, by null(4), random(4) and tty(4).
const DEVICES: [(&str, u32, u32); 6] = [
    ("null", 1, 3),
    ("zero", 1, 5),
    ("full", 1, 7),
    ("random", 1, 8),
    ("urandom", 1, 9),
    ("tty", 5, 0),
];

/// Links that programs expect in /dev.
const DEVICE_LINKS: [(&str, &str); 5] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("ptmx", "pts/ptmx"),
];

/// The files of /proc that show keys: keyrings(7).
const KEYS: [&str; 2] = ["keys", "key-users"];

/// What the host gives, opened by the trusted walk.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) root: OwnedFd,
    pub(crate) base: Option<OwnedFd>,
    pub(crate) mounts: Vec<OwnedFd>,
}

/// Detached copies of what the host gives.
#[derive(Debug)]
pub(crate) struct Trees {
    top: Top,
    /// The root's own /dev, where the jail uses it: the only part of a root whose device nodes work.
    devices: Option<OwnedFd>,
    mounts: Vec<OwnedFd>,
    terminal: Option<OwnedFd>,
    /// What a host program needs inside, besides.
    guest: Option<(Mark, Records)>,
}

/// What the top of the new root is.
#[derive(Debug)]
enum Top {
    /// The root directory itself.
    Whole(OwnedFd),
    /// A new, empty directory with these entries.
    Entries(Vec<Entry>, OwnEtc),
}

/// What a session has of an /etc made for it.
#[derive(Debug)]
enum OwnEtc {
    None,
    Whole(Etc),
    /// Files that cover those of the base.
    Over(Etc),
}

#[derive(Debug)]
struct Entry {
    name: PathBuf,
    what: Shown,
}

#[derive(Debug)]
enum Shown {
    Directory(OwnedFd),
    File(OwnedFd),
    Link(PathBuf),
}

impl Trees {
    /// Copies the trees that a plan needs. The copies belong to no mount namespace; they end with their descriptors.
    pub(crate) fn copy(
        plan: &Plan,
        view: &View,
        opened: &Opened,
        terminal: Option<BorrowedFd<'_>>,
    ) -> Result<Trees, StepFault> {
        let top = match (&view.base, &opened.base) {
            (Base::None, _) | (_, None) => Top::Whole(copy_tree(&opened.root, NOSUID | NODEV)?),
            (base, Some(directory)) => Top::copy(plan, view, base, &opened.root, directory)?,
        };
        // Whoever owns the root can't make nodes, but may move those that lie about.
        let devices = match (view.dev, plan.root_owner) {
            (Content::Root, RootOwner::Root) => copy_devices(&opened.root)?,
            _ => None,
        };
        let mut mounts = Vec::with_capacity(opened.mounts.len());
        for (source, mount) in opened.mounts.iter().zip(&view.mounts) {
            let attributes = match mount.mode {
                MountMode::ReadOnly => NOSUID | NODEV | RDONLY,
                MountMode::ReadWrite => NOSUID | NODEV,
            };
            mounts.push(copy_tree(source, attributes)?);
        }
        let terminal = terminal.map(copy_file).transpose()?;
        let guest = match plan.request() {
            Some(_) => None,
            None => Some((Mark::of(plan), Records::copy()?)),
        };
        Ok(Trees {
            top,
            devices,
            mounts,
            terminal,
            guest,
        })
    }
}

impl Top {
    /// Copies the entries of the root, then those that only the base has.
    fn copy(
        plan: &Plan,
        view: &View,
        base: &Base,
        root: &OwnedFd,
        directory: &OwnedFd,
    ) -> Result<Top, StepFault> {
        let mut entries = Vec::new();
        // What the session has of its own is not looked at.
        let hidden = [("proc", view.proc), ("dev", view.dev), ("tmp", view.tmp)];
        add_entries(&mut entries, root, NOSUID | NODEV, |name| {
            !hidden.contains(&(name.to_str().unwrap_or_default(), Content::Private))
                && !host_files::hides(plan, name)
        })?;
        let own: Vec<PathBuf> = entries.iter().map(|entry| entry.name.clone()).collect();
        let has = |name: &OsStr| own.iter().any(|known| known.as_os_str() == name);
        let shown = |name: &OsStr| match base {
            Base::Host => HOST_ENTRIES.iter().any(|known| name == *known),
            _ => !NEVER_FROM_BASE.iter().any(|known| name == *known),
        };
        add_entries(&mut entries, directory, NOSUID | NODEV | RDONLY, |name| {
            shown(name) && !has(name)
        })?;
        let etc = match base {
            _ if has(OsStr::new("etc")) => OwnEtc::None,
            Base::Host => OwnEtc::Whole(Etc::of_host(plan, directory)?),
            _ => {
                let host = trust::open_host_root();
                let host = host.map_err(|fault| StepFault::NotInForce(fault.to_string()))?;
                OwnEtc::Over(Etc::over_base(plan, &host)?)
            }
        };
        Ok(Top::Entries(entries, etc))
    }
}

/// Makes the new root in this mount namespace, which must be a private one, and leaves the old root behind.
///
/// Runs as pid 1 of the new pid namespace: /proc shows the namespace of whoever mounts it.
pub(crate) fn assemble(trees: Trees, view: &View) -> Result<(), StepFault> {
    make_private()?;
    // Modes are as asked for here; the session's own mask comes with a step of its own.
    umask(Mode::empty());
    // What is made here is root's and root's group's; the user's group comes with a step of its own. The ids of a host
    // program are its own: what is made has its group then, which may write to none of it.
    if view.processes == Processes::Own {
        setegid(Gid::from_raw(0)).map_err(|errno| StepFault::Failed("setegid", errno))?;
    }
    let (root, entries) = match trees.top {
        Top::Whole(tree) => (tree, None),
        Top::Entries(entries, etc) => (
            new_tmpfs(c"0755", TOP_BOUNDS, MountAttrFlags::MOUNT_ATTR_NODEV)?,
            Some((entries, etc)),
        ),
    };
    // On top of "/": pivot_root wants a mount with a parent, and no path of the host is used for it.
    attach(&root, CWD, c"/")?;
    let sealed = entries.is_some();
    if let Some((entries, etc)) = entries {
        fill(&root, entries, etc)?;
    }
    if view.proc == Content::Private {
        attach_proc(&root, view.processes)?;
    }
    if let Some(devices) = trees.devices {
        attach_at(&devices, &root, Path::new("dev"))?;
    }
    if view.dev == Content::Private {
        let dev = new_dev()?;
        attach_at(&dev, &root, Path::new("dev"))?;
        fill_dev(&dev, trees.terminal)?;
    }
    if view.tmp == Content::Private {
        let tmp = new_shared_tmpfs()?;
        attach_at(&tmp, &root, Path::new("tmp"))?;
    }
    for (tree, mount) in trees.mounts.iter().zip(&view.mounts) {
        let target = mount.target.strip_prefix("/").unwrap_or(&mount.target);
        attach_source(tree, &root, target)?;
    }
    if let Some((mark, records)) = trees.guest {
        attach_mark(&root, &mark)?;
        if sealed
            && matches!(
                open_entry(&root, Path::new("var")),
                Err(rustix::io::Errno::NOENT)
            )
        {
            records.attach(&root)?;
        }
    }
    if sealed {
        seal(&root)?;
    }
    enter(&root)
}

/// Mounts a /proc of the session's own processes. What it would show of the user's keys, which all sessions share, is
/// covered by an empty file.
///
/// Without a pid namespace it is that of the host's processes, of which only those show that may be traced (hidepid=4,
/// Linux 5.8): Landlock lets nobody trace what is outside.
fn attach_proc(root: &OwnedFd, processes: Processes) -> Result<(), StepFault> {
    // Below /proc, where nobody gets to it: a file can be copied as a mount only where it is attached.
    let cover = new_tmpfs(c"0755", (c"4k", c"8"), MountAttrFlags::MOUNT_ATTR_NODEV)?;
    attach_at(&cover, root, Path::new("proc"))?;
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
    let empty = openat(&cover, "empty", flags, Mode::from_raw_mode(0o444))
        .map_err(failed("create a file below /proc"))?;
    let proc = new_file_system(
        c"proc",
        &[(
            c"hidepid",
            Some(match processes {
                Processes::Own => c"invisible",
                Processes::Traceable => c"ptraceable",
            }),
        )],
        MountAttrFlags::MOUNT_ATTR_NODEV | MountAttrFlags::MOUNT_ATTR_NOEXEC,
    )?;
    attach_at(&proc, root, Path::new("proc"))?;
    for name in KEYS {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match openat(&proc, name, flags, Mode::empty()) {
            Ok(shown) => attach(&copy_file(empty.as_fd())?, shown, c"")?,
            // A kernel without keys.
            Err(rustix::io::Errno::NOENT) => {}
            Err(errno) => return Err(failed("open a file of /proc")(errno)),
        }
    }
    Ok(())
}

/// Mounts the mark of a session behind PAM, read-only.
fn attach_mark(root: &OwnedFd, mark: &Mark) -> Result<(), StepFault> {
    let made = new_tmpfs(c"0755", (c"32k", c"8"), MountAttrFlags::MOUNT_ATTR_NODEV)?;
    write_text(new_file(&made, Path::new(mark::FILE))?, &mark.encode())?;
    mount_setattr(&made, RDONLY | NOSUID | NODEV)
        .map_err(|errno| StepFault::Failed("mount_setattr of the mark", errno))?;
    hold_attributes(&made, RDONLY | NOSUID | NODEV)?;
    let target = Path::new(mark::DIRECTORY);
    attach_at(&made, root, target.strip_prefix("/").unwrap_or(target))
}

/// Makes every mount of this namespace private, so that nothing done here reaches another, or the other way round.
fn make_private() -> Result<(), StepFault> {
    let root = openat2(
        CWD,
        "/",
        OFlags::PATH | OFlags::CLOEXEC,
        Mode::empty(),
        ResolveFlags::empty(),
    )
    .map_err(failed("open /"))?;
    mount_setattr_recursive(&root, 0)
        .map_err(|errno| StepFault::Failed("mount_setattr MS_PRIVATE", errno))
}

/// Puts the entries of a new top directory in place.
fn fill(root: &OwnedFd, entries: Vec<Entry>, etc: OwnEtc) -> Result<(), StepFault> {
    // /etc first: the files that cover its own are made at the top, where nothing has their names yet.
    let (base_etc, entries): (Vec<Entry>, Vec<Entry>) = entries
        .into_iter()
        .partition(|entry| entry.name.as_os_str() == "etc");
    place(root, base_etc)?;
    match etc {
        OwnEtc::None => {}
        OwnEtc::Whole(etc) => write_etc(root, etc)?,
        OwnEtc::Over(etc) => cover_etc(root, etc)?,
    }
    place(root, entries)?;
    // Programs expect these, and a base never gives them. The root may have any of them, as whatever it likes.
    for name in ["run", "proc", "dev", "tmp"] {
        match mkdirat(root, name, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => {}
            Err(errno) => return Err(failed("mkdir in the new root")(errno)),
        }
    }
    Ok(())
}

fn place(root: &OwnedFd, entries: Vec<Entry>) -> Result<(), StepFault> {
    for Entry { name, what } in entries {
        match what {
            Shown::Directory(tree) => attach_at(&tree, root, &name)?,
            Shown::File(tree) => attach(&tree, new_file(root, &name)?, c"")?,
            Shown::Link(to) => {
                symlinkat(&to, root, &name).map_err(failed("symlink in the new root"))?;
            }
        }
    }
    Ok(())
}

/// Writes the session's own /etc.
fn write_etc(root: &OwnedFd, etc: Etc) -> Result<(), StepFault> {
    let top = make_directory(root, Path::new("etc"))?;
    for (path, item) in etc.0 {
        let path = Path::new(path);
        let below = match path.parent().filter(|parent| *parent != Path::new("")) {
            Some(parent) => Some(make_directory(&top, parent)?),
            None => None,
        };
        let directory = below.as_ref().unwrap_or(&top);
        let name = Path::new(path.file_name().unwrap_or(path.as_os_str()));
        match item {
            Item::Text(text) => write_text(new_file(directory, name)?, &text)?,
            Item::Link(to) => {
                symlinkat(&to, directory, name).map_err(failed("symlink in /etc"))?;
            }
            Item::Directory(tree) => attach_at(&tree, directory, name)?,
            Item::File(tree) => attach(&tree, new_file(directory, name)?, c"")?,
        }
    }
    Ok(())
}

/// Mounts files over those that the base's /etc has. What it has not, or has as something else, stays as it is: it is
/// the administrator's.
fn cover_etc(root: &OwnedFd, etc: Etc) -> Result<(), StepFault> {
    let directory = match open_entry(root, Path::new("etc")) {
        Ok(directory) if file_type(&directory)? == FileType::Directory => directory,
        _ => return Ok(()),
    };
    for (name, item) in etc.0 {
        let target = match open_entry(&directory, Path::new(name)) {
            Ok(target) if file_type(&target)? == FileType::RegularFile => target,
            _ => continue,
        };
        match item {
            Item::Text(text) => {
                let file = new_file(root, Path::new(name))?;
                let tree = copy_tree(&file, NOSUID | NODEV | RDONLY)?;
                write_text(file, &text)?;
                attach(&tree, target, c"")?;
                // From here on only the mount keeps it.
                unlinkat(root, name, AtFlags::empty()).map_err(failed("unlinkat in /etc"))?;
            }
            Item::File(tree) => attach(&tree, target, c"")?,
            Item::Link(_) | Item::Directory(_) => {}
        }
    }
    Ok(())
}

fn write_text(file: OwnedFd, text: &[u8]) -> Result<(), StepFault> {
    File::from(file)
        .write_all(text)
        .map_err(|error| StepFault::Failed("write in /etc", number(&error)))
}

/// Makes an empty file in a directory that is the session's own.
pub(crate) fn new_file(directory: &OwnedFd, name: &Path) -> Result<OwnedFd, StepFault> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
    openat(directory, name, flags, Mode::from_raw_mode(0o644))
        .map_err(failed("create a file in the new root"))
}

/// Makes a /dev with the usual nodes, a devpts and a shm of its own. Set-user-ID has no effect in it, and nobody
/// inside can make a node, because nobody has CAP_MKNOD.
fn new_dev() -> Result<OwnedFd, StepFault> {
    let dev = new_tmpfs(c"0755", (c"64k", c"64"), MountAttrFlags::MOUNT_ATTR_NOEXEC)?;
    for (name, major, minor) in DEVICES {
        let device: Dev = makedev(major, minor);
        mknodat(
            &dev,
            name,
            FileType::CharacterDevice,
            Mode::from_raw_mode(0o666),
            device,
        )
        .map_err(failed("mknod in /dev"))?;
    }
    for (name, to) in DEVICE_LINKS {
        symlinkat(to, &dev, name).map_err(failed("symlink in /dev"))?;
    }
    for name in ["pts", "shm"] {
        mkdirat(&dev, name, Mode::from_raw_mode(0o755)).map_err(failed("mkdir in /dev"))?;
    }
    Ok(dev)
}

/// Mounts what lies below /dev, and shows a terminal of the host's devpts as /dev/console, so that tty(1) has a name
/// for it.
fn fill_dev(dev: &OwnedFd, terminal: Option<OwnedFd>) -> Result<(), StepFault> {
    let options = [
        (c"newinstance", None),
        (c"ptmxmode", Some(c"0666")),
        (c"mode", Some(c"0620")),
        (c"gid", Some(TTY_GID)),
        (c"max", Some(MOST_TERMINALS)),
    ];
    let pts = new_file_system(c"devpts", &options, MountAttrFlags::MOUNT_ATTR_NOEXEC)?;
    attach_at(&pts, dev, Path::new("pts"))?;
    let shm = new_shared_tmpfs()?;
    attach_at(&shm, dev, Path::new("shm"))?;
    if let Some(terminal) = terminal {
        attach(&terminal, new_file(dev, Path::new("console"))?, c"")?;
    }
    Ok(())
}

/// Closes the new top directory for writing; what is mounted below it keeps its own attributes.
fn seal(root: &OwnedFd) -> Result<(), StepFault> {
    mount_setattr(root, RDONLY | NOSUID | NODEV)
        .map_err(|errno| StepFault::Failed("mount_setattr the new root read-only", errno))?;
    hold_attributes(root, RDONLY | NOSUID | NODEV)
}

/// Makes the attached tree the root and lets go of the old one, so that no path, `..` or mount leads to the host.
fn enter(root: &OwnedFd) -> Result<(), StepFault> {
    fchdir(root).map_err(failed("fchdir to the new root"))?;
    // The old root ends up on top of the new one, and is what "." names for a moment: pivot_root(2).
    pivot_root(".", ".").map_err(failed("pivot_root"))?;
    let new = mount_id(root, c"")?;
    hold("the new root", mount_id(CWD, c"/")? == new)?;
    unmount(".", UnmountFlags::DETACH).map_err(failed("umount2 the old root"))?;
    // A mount on top of "/" is where ".." leads to: path_resolution(7) says nothing of it, the kernel does it.
    hold("the loss of the old root", mount_id(CWD, c"/..")? == new)?;
    chdir("/").map_err(failed("chdir to the new root"))
}

/// Gives the number of the mount that a path, or a descriptor itself, is on. No two that are there have the same.
pub(crate) fn mount_id(directory: impl AsFd, path: &CStr) -> Result<u64, StepFault> {
    let flags = AtFlags::EMPTY_PATH | AtFlags::NO_AUTOMOUNT;
    statx(directory, path, flags, StatxFlags::MNT_ID)
        .map(|stat| stat.stx_mnt_id)
        .map_err(failed("statx"))
}

/// Reads back which attributes a mount has.
fn hold_attributes(mount: &OwnedFd, wanted: u64) -> Result<(), StepFault> {
    let found = fstatvfs(mount).map_err(failed("fstatfs"))?.f_flag;
    let missing = [
        (NOSUID, StatVfsMountFlags::NOSUID),
        (NODEV, StatVfsMountFlags::NODEV),
        (RDONLY, StatVfsMountFlags::RDONLY),
    ]
    .into_iter()
    .any(|(attribute, flag)| wanted & attribute != 0 && !found.contains(flag));
    hold("the attributes of a mount", !missing)
}

/// Copies a directory with all mounts below it.
pub(crate) fn copy_tree(directory: impl AsFd, attributes: u64) -> Result<OwnedFd, StepFault> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_EMPTY_PATH
        | OpenTreeFlags::AT_RECURSIVE;
    let tree = open_tree(directory, c"", flags).map_err(failed("open_tree"))?;
    mount_setattr_recursive(&tree, attributes)
        .map_err(|errno| StepFault::Failed("mount_setattr of a copied tree", errno))?;
    hold_attributes(&tree, attributes)?;
    Ok(tree)
}

/// Copies a directory of the host that is shown read-only.
pub(crate) fn copy_read_only(directory: impl AsFd) -> Result<OwnedFd, StepFault> {
    copy_tree(directory, NOSUID | NODEV | RDONLY)
}

/// Copies a single file, such as a terminal, as a mount.
fn copy_file(file: BorrowedFd<'_>) -> Result<OwnedFd, StepFault> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_EMPTY_PATH;
    open_tree(file, c"", flags).map_err(failed("open_tree of the terminal"))
}

/// Copies the root's own /dev, if it is a directory.
fn copy_devices(root: &OwnedFd) -> Result<Option<OwnedFd>, StepFault> {
    match open_entry(root, Path::new("dev")) {
        Ok(dev) if file_type(&dev)? == FileType::Directory => copy_tree(&dev, NOSUID).map(Some),
        Ok(_) | Err(rustix::io::Errno::NOENT) => Ok(None),
        Err(errno) => Err(failed("openat2 of the root's /dev")(errno)),
    }
}

/// Adds the entries of `directory` that are wanted.
fn add_entries(
    entries: &mut Vec<Entry>,
    directory: &OwnedFd,
    attributes: u64,
    wanted: impl Fn(&OsStr) -> bool,
) -> Result<(), StepFault> {
    let readable = openat(
        directory,
        ".",
        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )
    .map_err(failed("open a directory to list it"))?;
    // Counted before they are looked at: a user's root may have any number of whatever.
    let mut counted = entries.len();
    for entry in Dir::new(readable).map_err(failed("list a directory"))? {
        let entry = entry.map_err(failed("list a directory"))?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if name == "." || name == ".." || !wanted(name) {
            continue;
        }
        counted += 1;
        if counted > MOST_ENTRIES {
            return Err(StepFault::NotInForce(format!(
                "root and base have more than {MOST_ENTRIES} entries at their top; move some below a directory"
            )));
        }
        let opened = match open_entry(directory, Path::new(name)) {
            Ok(opened) => opened,
            // Gone since it was listed.
            Err(rustix::io::Errno::NOENT) => continue,
            Err(errno) => return Err(failed("openat2 of a top entry")(errno)),
        };
        let what = match file_type(&opened)? {
            FileType::Directory => Shown::Directory(copy_tree(&opened, attributes)?),
            FileType::RegularFile => Shown::File(copy_tree(&opened, attributes)?),
            FileType::Symlink => {
                let to = readlinkat(&opened, c"", Vec::new()).map_err(failed("readlink"))?;
                Shown::Link(PathBuf::from(OsStr::from_bytes(to.to_bytes())))
            }
            // A FIFO, socket or device at the top of a root is of no use inside, and is not shown.
            _ => continue,
        };
        entries.push(Entry {
            name: PathBuf::from(name),
            what,
        });
    }
    Ok(())
}

/// Attaches a detached mount at a path below `root`, whose missing directories are made.
pub(crate) fn attach_at(mount: &OwnedFd, root: &OwnedFd, path: &Path) -> Result<(), StepFault> {
    let target = make_directory(root, path)?;
    attach(mount, target, c"")?;
    // A detached mount has nothing above it.
    hold("a mount", mount_id(mount, c"..")? != mount_id(mount, c"")?)
}

/// Attaches what the config mounts: a directory on a directory, a file or socket on a file.
fn attach_source(mount: &OwnedFd, root: &OwnedFd, path: &Path) -> Result<(), StepFault> {
    if file_type(mount)? == FileType::Directory {
        return attach_at(mount, root, path);
    }
    let (Some(above), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(unfit(path, "is no path below the root"));
    };
    let made = match above.as_os_str().is_empty() {
        true => None,
        false => Some(make_directory(root, above)?),
    };
    let directory = made.as_ref().unwrap_or(root);
    let shown = Path::new("/").join(path);
    let target = open_or_make_file(directory, Path::new(name)).map_err(|fault| match fault {
        StepFault::Failed(_, errno) => unfit(&shown, &format!("fails: {}", errno.desc())),
        other => other,
    })?;
    match file_type(&target)? {
        FileType::RegularFile | FileType::Socket => {}
        other => {
            let why = format!("is a {}, and the source is a file or socket", kind(other));
            return Err(unfit(&shown, &format!("{why}; remove it")));
        }
    }
    attach(mount, target, c"")?;
    let reached = open_entry(directory, Path::new(name)).map_err(failed("openat2"))?;
    hold("a mount", mount_id(reached, c"")? == mount_id(mount, c"")?)
}

pub(crate) fn attach(mount: &OwnedFd, directory: impl AsFd, path: &CStr) -> Result<(), StepFault> {
    let flags = if path.is_empty() {
        MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH
    } else {
        MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH
    };
    move_mount(mount, c"", directory, path, flags).map_err(failed("move_mount"))
}

/// Opens a directory below `root` without following anything, and makes the components that are missing.
pub(crate) fn make_directory(root: &OwnedFd, path: &Path) -> Result<OwnedFd, StepFault> {
    let mut reached: Option<OwnedFd> = None;
    let mut shown = PathBuf::from("/");
    for component in path.components() {
        let Component::Normal(name) = component else {
            break;
        };
        shown.push(name);
        let next = open_or_make(reached.as_ref().unwrap_or(root), Path::new(name));
        let next = next.map_err(|fault| match fault {
            StepFault::Failed(_, errno) => unfit(&shown, &format!("fails: {}", errno.desc())),
            other => other,
        })?;
        match file_type(&next)? {
            FileType::Directory => reached = Some(next),
            other => return Err(unfit(&shown, &format!("is a {}; remove it", kind(other)))),
        }
    }
    reached.ok_or_else(|| unfit(path, "is no path below the root"))
}

/// Refuses a component of a mount's target by its path in the jail.
fn unfit(path: &Path, why: &str) -> StepFault {
    StepFault::NotInForce(format!(
        "a place to mount on: {} in the jail {why}",
        path.display()
    ))
}

/// Opens a directory, or makes it.
fn open_or_make(directory: &OwnedFd, name: &Path) -> Result<OwnedFd, StepFault> {
    open_or(directory, name, || {
        mkdirat(directory, name, Mode::from_raw_mode(0o755)).map_err(failed("mkdirat"))
    })
}

/// Opens a file, whatever it is, or makes an empty one.
fn open_or_make_file(directory: &OwnedFd, name: &Path) -> Result<OwnedFd, StepFault> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
    open_or(directory, name, || {
        openat(directory, name, flags, Mode::from_raw_mode(0o644))
            .map(drop)
            .map_err(failed("create a file to mount on"))
    })
}

/// Opens an entry, or makes it: it is then of whoever owns the directory, so that no root-owned entry appears in a
/// user-owned root.
fn open_or(
    directory: &OwnedFd,
    name: &Path,
    make: impl FnOnce() -> Result<(), StepFault>,
) -> Result<OwnedFd, StepFault> {
    let open = || open_entry(directory, name);
    match open() {
        Err(rustix::io::Errno::NOENT) => {}
        other => return other.map_err(failed("openat2")),
    }
    let above = fstat(directory).map_err(failed("fstat in the new root"))?;
    let make = || match make() {
        Err(StepFault::Failed(_, Errno::EEXIST)) => Ok(()),
        made => made,
    };
    if above.st_uid == 0 {
        make()?;
    } else {
        as_user(above.st_uid, above.st_gid, make)?;
    }
    open().map_err(failed("openat2"))
}

/// Opens one entry of a directory, whatever it is; a link is opened itself. The descriptor is O_PATH.
fn open_entry(directory: &OwnedFd, name: &Path) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    openat2(directory, name, flags, Mode::empty(), resolve)
}

fn file_type(fd: &OwnedFd) -> Result<FileType, StepFault> {
    let stat = fstat(fd).map_err(failed("fstat in the new root"))?;
    Ok(FileType::from_raw_mode(stat.st_mode))
}

/// Makes a tmpfs that everybody in the session may write to.
fn new_shared_tmpfs() -> Result<OwnedFd, StepFault> {
    let memory = sysinfo();
    let bytes = u64::from(memory.mem_unit).saturating_mul(memory.totalram);
    let files = CString::new((bytes / 10 / BYTES_PER_INODE).max(1024).to_string());
    let files = files.map_err(|_| StepFault::Failed("sysinfo", Errno::EINVAL))?;
    let bounds = (TMPFS_SIZE, files.as_c_str());
    new_tmpfs(c"1777", bounds, MountAttrFlags::MOUNT_ATTR_NODEV)
}

/// Makes a tmpfs. `size` is in bytes or per cent of the memory, `files` a number: tmpfs(5).
pub(crate) fn new_tmpfs(
    mode: &CStr,
    (size, files): (&CStr, &CStr),
    attributes: MountAttrFlags,
) -> Result<OwnedFd, StepFault> {
    let options = [
        (c"mode", Some(mode)),
        (c"size", Some(size)),
        (c"nr_inodes", Some(files)),
    ];
    let made = new_file_system(c"tmpfs", &options, attributes)?;
    let stat = fstat(&made).map_err(failed("fstat of a tmpfs"))?;
    let wanted = mode.to_str().map(|mode| u32::from_str_radix(mode, 8));
    hold(
        "the mode of a tmpfs",
        wanted == Ok(Ok(stat.st_mode & 0o7777)),
    )?;
    Ok(made)
}

/// Makes a file system of its own, set-user-ID without effect in it.
fn new_file_system(
    kind: &'static CStr,
    options: &[(&CStr, Option<&CStr>)],
    attributes: MountAttrFlags,
) -> Result<OwnedFd, StepFault> {
    let context = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC).map_err(failed("fsopen"))?;
    for (key, value) in options {
        match value {
            Some(value) => fsconfig_set_string(&context, *key, *value),
            None => fsconfig_set_flag(&context, *key),
        }
        .map_err(failed("fsconfig"))?;
    }
    fsconfig_create(&context).map_err(failed("fsconfig create"))?;
    let attributes = attributes | MountAttrFlags::MOUNT_ATTR_NOSUID;
    fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes).map_err(failed("fsmount"))
}
