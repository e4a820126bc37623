//! The root that a fully isolated session sees, put together in a mount namespace of its own. The old root is left behind.
//!
//! Every target is a descriptor reached without following a link.

use std::{ffi::CStr, os::fd::OwnedFd, path::Path};

use jail_config::Content;
use nix::unistd::{Gid, setegid};
use rustix::{
    fs::{AtFlags, CWD, FileType, Mode, mkdirat, symlinkat, unlinkat},
    mount::{MountAttrFlags, UnmountFlags, unmount},
    process::{chdir, fchdir, pivot_root, umask},
};

use crate::{
    fault::{StepFault, expect_in_force, failed},
    plan::world::{Processes, View},
    process::privilege::still_dying_with_parent,
    sys::mount::{NODEV, NOSUID, RDONLY, mount_setattr},
    world::{
        dev::{attach_proc, fill_dev, new_dev, new_log},
        devices::attach_nodes,
        etc::Etc,
        executables::leave_executable,
        host_etc::Item,
        mark::{self, Mark},
        mounts::{
            attach, copy_tree, hold_attributes, make_private, mount_id, new_shared_tmpfs,
            new_tmpfs, seal,
        },
        services,
        targets::{
            attach_at, attach_source, file_type, make_directory, new_file, open_entry, write_text,
        },
        top::{Entry, OwnEtc, Shown, Top, Trees},
        view,
    },
};

/// Size and number of files of a top directory, for the short files of its /etc. Nobody can write to it once it is done.
const TOP_BOUNDS: (&CStr, &CStr) = (c"16m", c"1k");

/// Size and number of files of a directory for sockets.
const SCREEN_BOUNDS: (&CStr, &CStr) = (c"64k", c"128");

/// Makes the new root in this mount namespace, which must be a private one, and leaves the old root behind. Gives the socket
/// /dev/log, where a supervisor will read it.
///
/// Runs as pid 1 of the new pid namespace: /proc shows the namespace of whoever mounts it.
pub(crate) fn assemble(trees: Trees, view: &View) -> Result<Option<OwnedFd>, StepFault> {
    make_private()?;
    // Modes are as asked for here; the session's own mask comes with a step of its own.
    umask(Mode::empty());
    // What is made here is root's and root's group's; the user's group comes with a step of its own. The ids of a host
    // program are its own: what is made has its group then, which may write to none of it.
    if view.processes == Processes::Own {
        still_dying_with_parent(|| setegid(Gid::from_raw(0)).map_err(failed("setegid")))?;
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
        attach_proc(&root, view)?;
    }
    if let Some(devices) = trees.devices {
        attach_at(&devices, &root, Path::new("dev"))?;
    }
    let mut log = None;
    if view.dev == Content::Private {
        let dev = new_dev()?;
        attach_at(&dev, &root, Path::new("dev"))?;
        fill_dev(&dev, trees.terminal)?;
        attach_nodes(&trees.nodes, &dev)?;
        if view::has_log(view) {
            log = Some(new_log(&dev)?);
        }
    }
    if view.tmp == Content::Private {
        let tmp = new_shared_tmpfs()?;
        attach_at(&tmp, &root, Path::new("tmp"))?;
    }
    if has_screen_directory(&root)? {
        let sockets = new_tmpfs(c"1777", SCREEN_BOUNDS, MountAttrFlags::MOUNT_ATTR_NODEV)?;
        attach_at(&sockets, &root, Path::new("run/screen"))?;
    }
    for (tree, mount) in trees.mounts.iter().zip(&view.mounts) {
        let target = mount.target.strip_prefix("/").unwrap_or(&mount.target);
        attach_source(tree, &root, target)?;
    }
    if let Some((mark, records)) = trees.guest {
        attach_mark(&root, &mark)?;
        if sealed && open_entry(&root, Path::new("var"))?.is_none() {
            records.attach(&root)?;
        }
    }
    services::attach(&trees.services, &root)?;
    if let Some(executables) = &view.executables {
        leave_executable(&root, executables, trees.carried)?;
    }
    if sealed {
        seal(&root)?;
    }
    enter(&root)?;
    Ok(log)
}

/// Tells whether there is a directory for the sockets of screen(1), which has no other place for them that it makes itself.
fn has_screen_directory(root: &OwnedFd) -> Result<bool, StepFault> {
    let below = |directory: &OwnedFd, name| -> Result<_, StepFault> {
        match open_entry(directory, Path::new(name))? {
            Some(entry) if file_type(&entry)? == FileType::Directory => Ok(Some(entry)),
            _ => Ok(None),
        }
    };
    Ok(match below(root, "run")? {
        Some(run) => below(&run, "screen")?.is_some(),
        None => false,
    })
}

/// Mounts the mark of a session behind PAM, read-only.
fn attach_mark(root: &OwnedFd, mark: &Mark) -> Result<(), StepFault> {
    let made = new_tmpfs(c"0755", (c"32k", c"8"), MountAttrFlags::MOUNT_ATTR_NODEV)?;
    write_text(new_file(&made, Path::new(mark::FILE))?, &mark.encode())?;
    mount_setattr(&made, RDONLY | NOSUID | NODEV).map_err(failed("mount_setattr of the mark"))?;
    hold_attributes(&made, RDONLY | NOSUID | NODEV)?;
    let target = Path::new(mark::DIRECTORY);
    attach_at(&made, root, target.strip_prefix("/").unwrap_or(target))
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
            Ok(()) if name == "run" => drop(make_directory(root, Path::new("run/screen"))?),
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
            Item::Folder => drop(make_directory(directory, name)?),
            Item::Directory(tree) => attach_at(&tree, directory, name)?,
            Item::File(tree) => attach(&tree, new_file(directory, name)?, c"")?,
        }
    }
    Ok(())
}

/// Mounts files over those that the base's /etc has. What it has not, or has as something else, stays as it is: it is
/// the administrator's.
fn cover_etc(root: &OwnedFd, etc: Etc) -> Result<(), StepFault> {
    let directory = match open_entry(root, Path::new("etc"))? {
        Some(directory) if file_type(&directory)? == FileType::Directory => directory,
        _ => return Ok(()),
    };
    for (name, item) in etc.0 {
        let target = match open_entry(&directory, &name)? {
            Some(target) if file_type(&target)? == FileType::RegularFile => target,
            _ => continue,
        };
        match item {
            Item::Text(text) => {
                let file = new_file(root, &name)?;
                let tree = copy_tree(&file, NOSUID | NODEV | RDONLY)?;
                write_text(file, &text)?;
                attach(&tree, target, c"")?;
                // From here on only the mount keeps it.
                unlinkat(root, &name, AtFlags::empty()).map_err(failed("unlinkat in /etc"))?;
            }
            Item::File(tree) => attach(&tree, target, c"")?,
            Item::Link(_) | Item::Folder | Item::Directory(_) => {}
        }
    }
    Ok(())
}

/// Makes the attached tree the root and lets go of the old one, so that no path, `..` or mount leads to the host.
fn enter(root: &OwnedFd) -> Result<(), StepFault> {
    fchdir(root).map_err(failed("fchdir to the new root"))?;
    // The old root ends up on top of the new one, and is what "." names for a moment: pivot_root(2).
    pivot_root(".", ".").map_err(failed("pivot_root"))?;
    let new = mount_id(root, c"")?;
    expect_in_force("the new root", mount_id(CWD, c"/")? == new)?;
    unmount(".", UnmountFlags::DETACH).map_err(failed("umount2 the old root"))?;
    // A mount on top of "/" is where ".." leads to: path_resolution(7) says nothing of it, the kernel does it.
    expect_in_force("the loss of the old root", mount_id(CWD, c"/..")? == new)?;
    chdir("/").map_err(failed("chdir to the new root"))
}
