//! The way to a root, a base or the config: what the trusted walk refuses, put right one component after the other.
//!
//! Above a root other things live: homes, services, teams. What belongs to one of them is left as it is, and the answer is
//! another place for the root.

use std::{
    os::{fd::OwnedFd, unix::fs::MetadataExt},
    path::{Path, PathBuf},
};

use jail::{
    door::{decision::Config, look::look, refusal::Refusal},
    trust::{self, Flaw, Untrusted},
    world::host_files::HostFilesFault,
};
use jail_config::{Base, RootOwner};
use jail_roots::tree::Tree;
use rustix::fs::{FileType, Gid, Mode, OFlags, Stat, Uid, fchmod, fchown, fstat, openat};

use crate::{
    accounts::{
        account::{self, Accounts, Jailed},
        login_defs,
    },
    doctor::mend::{
        Data, Extent, Kind,
        reach::{Root, failed, mode_words, open_entry},
    },
    door::Door,
    failure::Failure,
    shell::shown,
};

/// Mends the way to a root or a base, however many components of it are wrong.
pub(crate) fn mend(
    kind: Kind,
    path: &Path,
    all: &[Jailed],
    extent: Extent,
) -> Result<Vec<String>, Failure> {
    let is_base = |one: &&Jailed| one.jail.base == Base::Directory(path.to_owned());
    let users: Vec<&Jailed> = match kind {
        Kind::Base => all.iter().filter(is_base).collect(),
        _ => all.iter().filter(|one| one.jail.root == path).collect(),
    };
    let what = if kind == Kind::Base { "base" } else { "root" };
    let [first, ..] = users.as_slice() else {
        return Err(Failure::Failed(format!(
            "{} is the {what} of no jail of this config",
            shown(path)
        )));
    };
    let may_own = users.len() == 1 && first.jail.root_owner == RootOwner::User;
    let owner = (may_own && kind == Kind::Root).then_some(first.identity.uid);
    let data = Data::of(all)?;
    let is_missing = path.symlink_metadata().is_err();
    let look = || trust::open_directory_of(path, owner).map(drop);
    let mut changes = repeat(&look, path, &data, extent)?;
    if let (Some(uid), true, Extent::Whole) = (owner, is_missing, extent) {
        // It was just made, in a directory of root's.
        let made = trust::open_directory_of(path, owner);
        let made = made.map_err(|untrusted| Failure::Failed(format!("open root {untrusted}")))?;
        give(&made, path, uid, first.identity.gid)?;
        changes.push(format!("{}: belongs to {}", shown(path), first.name()));
    }
    Ok(changes)
}

fn give(directory: &OwnedFd, path: &Path, uid: u32, gid: u32) -> Result<(), Failure> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat(directory, ".", flags, Mode::empty())
        .and_then(|opened| fchown(opened, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid))))
        .map_err(failed("chown", path))
}

/// Mends the way to the config, and its files.
pub(crate) fn config(directory: &Path, extent: Extent) -> Result<Vec<String>, Failure> {
    let look = || match Config::read(directory) {
        Err(Refusal::ConfigUnsafe(untrusted)) => Err(untrusted),
        Err(_) => Ok(()),
        Ok(config) => match Accounts::all(&config, directory) {
            Ok(all) => {
                let refused = all
                    .undecided
                    .into_iter()
                    .find_map(|(_, refusal)| match refusal {
                        Refusal::ConfigUnsafe(untrusted) => Some(untrusted),
                        _ => None,
                    });
                refused.map_or(Ok(()), Err)
            }
            Err(_) => Ok(()),
        },
    };
    let data = Data::of(&[])?;
    repeat(&look, directory, &data, extent)
}

/// Writes an empty config, which serves nobody, where there is none.
pub(crate) fn empty_config(directory: &Path, extent: Extent) -> Result<Vec<String>, Failure> {
    let path = directory.join("config.toml");
    if !matches!(Config::read(directory), Err(Refusal::ConfigMissing(_))) {
        return Ok(Vec::new());
    }
    if extent == Extent::Whole {
        let above = Tree::make_above(&path, &mut Vec::new())?;
        drop(above.create(Path::new("config.toml"), 0o644)?);
    }
    Ok(vec![format!(
        "{}: made, and empty: it serves nobody",
        shown(&path)
    )])
}

/// Mends what root code of host programs must not read in a jail.
pub(crate) fn host_files(
    path: &Path,
    all: &[Jailed],
    extent: Extent,
) -> Result<Vec<String>, Failure> {
    let root = Root::above(all, path)?;
    let refused = root
        .users
        .iter()
        .find_map(|one| match untrusted_inside(one) {
            Some(untrusted) if untrusted.component == path => Some(untrusted),
            _ => None,
        });
    let Some(untrusted) = refused else {
        return Ok(Vec::new());
    };
    let reached = root.reach(path)?;
    Data::of(all)?.refuse(&reached.shown)?;
    reached.insist_on_one_link()?;
    let opened = reached.open()?;
    change(&opened, &reached.stat, &untrusted, extent)
}

/// Gives what a login behind PAM would refuse of a user's jail.
fn untrusted_inside(jailed: &Jailed) -> Option<Untrusted> {
    let plan = Door::Pam.plan(jailed.jail.clone(), None, &jailed.identity, []);
    match plan.and_then(|plan| look(&plan)) {
        Err(Refusal::HostFiles(HostFilesFault::Untrusted(untrusted))) => Some(untrusted),
        _ => None,
    }
}

/// Mends one component after the other, until the walk comes to the end or nothing more can be done.
fn repeat(
    look: &dyn Fn() -> Result<(), Untrusted>,
    end: &Path,
    data: &Data,
    extent: Extent,
) -> Result<Vec<String>, Failure> {
    let mut changes: Vec<String> = Vec::new();
    loop {
        let Err(untrusted) = look() else {
            return Ok(changes);
        };
        let changed = component(&untrusted, end, data, extent)?;
        // What has not come into force would come again for ever.
        if changed.is_empty() || changes.iter().any(|it| changed.contains(it)) {
            return Err(Failure::Failed(untrusted.to_string()));
        }
        changes.extend(changed);
        if extent == Extent::DryRun {
            return Ok(changes);
        }
    }
}

/// Mends one component. All above it has been found to be root's alone.
fn component(
    untrusted: &Untrusted,
    end: &Path,
    data: &Data,
    extent: Extent,
) -> Result<Vec<String>, Failure> {
    let path = &untrusted.component;
    if let Some(why) = left_alone(untrusted, end, data)? {
        return Err(Failure::Failed(format!("{untrusted}: {why}")));
    }
    if untrusted.flaw == Flaw::Missing {
        if extent == Extent::Whole {
            let name = Path::new(path.file_name().unwrap_or_default());
            Tree::open_above(path)?.make_directory(name, 0o755)?;
        }
        return Ok(vec![format!("{}: directory made, mode 0755", shown(path))]);
    }
    let (above, name) = (
        path.parent().unwrap_or(path),
        path.file_name().unwrap_or_default(),
    );
    let above = if above == Path::new("/") {
        trust::open_host_root()
    } else {
        trust::open_directory(above)
    };
    let above = above.map_err(|untrusted| Failure::Failed(format!("open {untrusted}")))?;
    let entry = open_entry(&above, name).map_err(failed("open", path))?;
    let stat = fstat(&entry).map_err(failed("examine", path))?;
    let kind = FileType::from_raw_mode(stat.st_mode);
    if !matches!(kind, FileType::RegularFile | FileType::Directory)
        || kind == FileType::RegularFile && stat.st_nlink != 1
    {
        return Err(Failure::Failed(untrusted.to_string()));
    }
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let opened = openat(&above, name, flags, Mode::empty()).map_err(failed("open", path))?;
    let same = fstat(&opened).map_err(failed("examine", path))?;
    if (same.st_dev, same.st_ino) != (stat.st_dev, stat.st_ino) {
        return Err(Failure::Failed(format!(
            "{} has become something else meanwhile",
            shown(path)
        )));
    }
    change(&opened, &stat, untrusted, extent)
}

/// Gives something to root, or takes the write permission of others away, whichever it was refused for.
fn change(
    opened: &OwnedFd,
    stat: &Stat,
    untrusted: &Untrusted,
    extent: Extent,
) -> Result<Vec<String>, Failure> {
    let (path, whole) = (&untrusted.component, extent == Extent::Whole);
    let mode = stat.st_mode & 0o7777;
    match untrusted.flaw {
        Flaw::Owner(uid) if uid == stat.st_uid => {
            if let Some(why) = keeps_its_owner(uid) {
                return Err(Failure::Failed(format!("{untrusted}: {why}")));
            }
            if whole {
                fchown(opened, Some(Uid::ROOT), None).map_err(failed("chown", path))?;
            }
            let words = format!("{}: belongs to root, was uid {uid}", shown(path));
            let is_file = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
            let hint = if is_file {
                "; read what that account has written there"
            } else {
                ""
            };
            Ok(vec![format!("{words}{hint}")])
        }
        Flaw::Writable(_) if mode & 0o022 != 0 => {
            let new = mode & !0o022;
            if whole {
                fchmod(opened, Mode::from_raw_mode(new)).map_err(failed("chmod", path))?;
            }
            Ok(vec![mode_words(path, new, mode)])
        }
        _ => Ok(Vec::new()),
    }
}

/// Says why a component must stay as it is; nothing where it may be changed.
fn left_alone(untrusted: &Untrusted, end: &Path, data: &Data) -> Result<Option<String>, Failure> {
    let path = &untrusted.component;
    if let Some(source) = data.source_at(path) {
        return Ok(Some(format!(
            "it is in {}, which the config mounts: that is data, and is not changed",
            shown(source)
        )));
    }
    Ok(match untrusted.flaw {
        Flaw::Missing => None,
        Flaw::Owner(_) if path != end && account::is_home(path) => {
            Some(format!("it is the home of an account; {ELSEWHERE}"))
        }
        Flaw::Owner(uid) => keeps_its_owner(uid),
        Flaw::Writable(mode) if mode & 0o1000 != 0 => {
            Some(format!("others need it so; {ELSEWHERE}"))
        }
        Flaw::Writable(_) => keeps_its_group(path, end)?,
        _ => Some(ELSEWHERE.to_owned()),
    })
}

const ELSEWHERE: &str = "choose another place, and name it in the config";

/// Says why something stays with its owner; nothing where it may be given to root.
pub(crate) fn keeps_its_owner(uid: u32) -> Option<String> {
    login_defs::is_of_system(uid)
        .then(|| format!("that is an account of the system, whose service needs it; {ELSEWHERE}"))
}

/// Says which group needs to write to a directory above the end of the way.
fn keeps_its_group(path: &Path, end: &Path) -> Result<Option<String>, Failure> {
    if path == end {
        return Ok(None);
    }
    let found = path.symlink_metadata();
    let found = found.map_err(|error| Failure::io("examine", path, &error))?;
    let (gid, mode) = (found.gid(), found.mode());
    let is_shared =
        mode & 0o020 != 0 && gid != 0 && (mode & 0o2000 != 0 || login_defs::is_of_system(gid));
    Ok(is_shared.then(|| format!("the group {gid} writes there; {ELSEWHERE}")))
}

/// Lets a user search the root directory.
pub(crate) fn searchable(
    jailed: &Jailed,
    all: &[Jailed],
    extent: Extent,
) -> Result<Vec<String>, Failure> {
    let root = Root::open(all, &jailed.jail.root)?;
    let directory = root.directory()?;
    let stat = fstat(&directory).map_err(failed("examine", root.path))?;
    let mode = stat.st_mode & 0o7777;
    let new = mode | 0o011;
    if new == mode {
        return Ok(Vec::new());
    }
    Data::of(all)?.refuse(root.path)?;
    if extent == Extent::Whole {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        openat(&directory, ".", flags, Mode::empty())
            .and_then(|opened| fchmod(opened, Mode::from_raw_mode(new)))
            .map_err(failed("chmod", root.path))?;
    }
    Ok(vec![mode_words(root.path, new, mode)])
}

/// Tells whether a fix on the way concerns the jail alone: the write permission of its root directory, or of its config.
pub(crate) fn is_only_of_jail(kind: Kind, untrusted: &Untrusted) -> bool {
    let is_own = match kind {
        Kind::Root => untrusted.component == untrusted.path,
        Kind::ConfigUnsafe => untrusted
            .component
            .extension()
            .is_some_and(|it| it == "toml"),
        _ => false,
    };
    is_own && matches!(untrusted.flaw, Flaw::Writable(mode) if mode & 0o1000 == 0)
}

/// Lets everybody execute the shell in the root of a user.
pub(crate) fn executable(
    jailed: &Jailed,
    all: &[Jailed],
    extent: Extent,
) -> Result<Vec<String>, Failure> {
    let root = Root::open(all, &jailed.jail.root)?;
    let shell = &jailed.jail.shell;
    let path: PathBuf = jailed
        .jail
        .root
        .join(shell.strip_prefix("/").unwrap_or(shell));
    let reached = root.reach(&path)?;
    Data::of(all)?.refuse(&reached.shown)?;
    let (mode, new) = (reached.mode(), reached.mode() | 0o555);
    if reached.file_type() != FileType::RegularFile || mode == new {
        return Ok(Vec::new());
    }
    reached.insist_on_one_link()?;
    let opened = reached.open()?;
    if extent == Extent::Whole {
        reached
            .alone(|| fchmod(&opened, Mode::from_raw_mode(new)).map_err(failed("chmod", &path)))?;
    }
    Ok(vec![mode_words(&path, new, mode)])
}
