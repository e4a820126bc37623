//! The files in the root directories: what a login never looks at.
//!
//! Whoever may write in a root may change it while it is read, so it is walked by descriptor, following nothing and leaving
//! neither root nor file system. Only what is said about it could be wrong then.

mod rules;

use std::{
    collections::{BTreeMap, HashMap},
    ffi::OsStr,
    os::{
        fd::{AsFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::{Path, PathBuf},
};

use jail::resolve::openat2;
use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Mode, OFlags, ResolveFlags, Stat, StatVfsMountFlags, fstat,
    fstatvfs, lgetxattr, major, minor, statat,
};
use rustix::io::Errno;

use crate::{
    accounts::account::Jailed,
    doctor::{
        check::{Finding, FindingKind, Report},
        mend::{Data, Kind, Repair},
    },
    shell::shown,
};

pub(crate) use rules::{excess, is_misowned, is_strange_device};
use rules::{has_access_list, is_system, is_users};

/// How many findings of one kind are listed for one root.
const LISTED: usize = 20;

/// How deep directories may lie.
const DEEPEST: usize = 100;

/// Checks every root, once for all who share it.
pub(crate) fn check(report: &mut Report, jailed: &[Jailed]) {
    let mut roots: BTreeMap<&Path, Vec<&Jailed>> = BTreeMap::new();
    for one in jailed {
        roots.entry(&one.jail.root).or_default().push(one);
    }
    let mounts = jailed.iter().flat_map(|one| &one.jail.mounts);
    let sources: Vec<&Path> = mounts.map(|mount| mount.source.as_path()).collect();
    let data = match Data::of(jailed) {
        Ok(data) => Some(data),
        Err(failure) => {
            report.leave_unchecked(failure.to_string());
            None
        }
    };
    for (root, users) in roots {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let resolve = ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_SYMLINKS;
        // That it can't be opened has been said already, with the reason of the login.
        let Ok(opened) = openat2(CWD, root, flags, Mode::empty(), resolve) else {
            continue;
        };
        let mut walk = Walk {
            root,
            users: &users,
            sources: &sources,
            linked: HashMap::new(),
            found: Vec::new(),
            counts: HashMap::new(),
            unread: Vec::new(),
            more_unread: 0,
            roots: true,
            is_shut: is_shut(root, &opened),
            data: data.as_ref(),
        };
        walk.directory(&opened, &mut PathBuf::new(), 0, true);
        walk.judge_links();
        walk.count_the_rest();
        for path in walk.unread {
            report.leave_unchecked(format!("{}: can't be read or is too deep", shown(path)));
        }
        if walk.more_unread > 0 {
            report.leave_unchecked(format!(
                "{}: {} more directories can't be read or are too deep",
                shown(root),
                walk.more_unread
            ));
        }
        report.extend(walk.found);
    }
}

/// Tells whether a root is on a file system without set-user-ID programs, or a directory of root's above it lets nobody else
/// through.
fn is_shut(root: &Path, opened: &OwnedFd) -> bool {
    let is_closed = |directory: &Path| {
        statat(CWD, directory, AtFlags::SYMLINK_NOFOLLOW).is_ok_and(|it| {
            let through = if it.st_gid == 0 { 0o001 } else { 0o011 };
            it.st_uid == 0 && it.st_mode & through == 0 && !has_access_list(directory)
        })
    };
    fstatvfs(opened).is_ok_and(|it| it.f_flag.contains(StatVfsMountFlags::NOSUID))
        || root.ancestors().skip(1).any(is_closed)
}

/// A walk through one root.
struct Walk<'a> {
    root: &'a Path,
    users: &'a [&'a Jailed],
    /// What mounts show: data, whose owners and modes are somebody's own affair.
    sources: &'a [&'a Path],
    /// Files with more than one link, by device and number: how many links there are and how many were met.
    linked: HashMap<(u64, u64), Linked>,
    found: Vec<Finding>,
    /// How many there are of each kind, and what users can make apart: it must not hide the others.
    counts: HashMap<(FindingKind, bool), usize>,
    unread: Vec<PathBuf>,
    /// How many more there are: users make as many as they like.
    more_unread: usize,
    /// Whether the directory of what is judged, and all above it, are root's alone.
    roots: bool,
    /// Whether nobody else of the host could run a set-user-ID program in the root.
    is_shut: bool,
    /// What is shown to jails, and not theirs.
    data: Option<&'a Data>,
}

struct Linked {
    links: u64,
    met: u64,
    path: PathBuf,
    set_id: bool,
}

impl Walk<'_> {
    /// Judges what a directory holds. `roots` tells whether it and all above it are root's alone.
    fn directory(&mut self, opened: &OwnedFd, path: &mut PathBuf, depth: usize, roots: bool) {
        let roots =
            roots && fstat(opened).is_ok_and(|it| it.st_uid == 0 && it.st_mode & 0o022 == 0);
        let Ok(entries) = Dir::read_from(opened) else {
            self.leave_unread(path);
            return;
        };
        for entry in entries.flatten() {
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name == "." || name == ".." {
                continue;
            }
            path.push(name);
            let full = self.root.join(&*path);
            if self.sources.contains(&full.as_path()) {
                path.pop();
                continue;
            }
            match statat(opened, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => {
                    self.roots = roots;
                    self.judge(path, &stat);
                    if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
                        self.descend(opened, Path::new(name), path, depth, roots);
                    }
                }
                // Gone since it was listed.
                Err(Errno::NOENT) => {}
                Err(_) => self.leave_unread(path),
            }
            path.pop();
        }
    }

    /// Keeps in mind what could not be looked at, the first few of it by name.
    fn leave_unread(&mut self, path: &Path) {
        if self.unread.len() < LISTED {
            self.unread.push(self.root.join(path));
        } else {
            self.more_unread += 1;
        }
    }

    fn descend(
        &mut self,
        opened: &OwnedFd,
        name: &Path,
        path: &mut PathBuf,
        depth: usize,
        roots: bool,
    ) {
        if depth == DEEPEST {
            self.leave_unread(path);
            return;
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_XDEV | ResolveFlags::NO_SYMLINKS;
        match openat2(opened.as_fd(), name, flags, Mode::empty(), resolve) {
            Ok(next) => self.directory(&next, path, depth + 1, roots),
            // A mount, such as /proc: no part of what the root holds.
            Err(Errno::XDEV) => {}
            Err(_) => self.leave_unread(path),
        }
    }

    fn judge(&mut self, path: &Path, stat: &Stat) {
        let full = self.root.join(path);
        let mode = stat.st_mode & 0o7777;
        let kind = FileType::from_raw_mode(stat.st_mode);
        match kind {
            FileType::RegularFile => self.judge_file(path, stat),
            FileType::CharacterDevice | FileType::BlockDevice => {
                if is_strange_device(path, stat) {
                    let (major, minor) = (major(stat.st_rdev), minor(stat.st_rdev));
                    self.add(
                        Finding::error(
                            FindingKind::Device,
                            format!(
                                "{} is a device ({major}, {minor}) that no jail needs",
                                full.display()
                            ),
                        )
                        .mended(self.change(Kind::Device, &full, stat)),
                    );
                }
                return;
            }
            _ => {}
        }
        if matches!(kind, FileType::RegularFile | FileType::Directory) {
            self.judge_writers(path, stat, mode);
        }
    }

    fn judge_file(&mut self, path: &Path, stat: &Stat) {
        let full = self.root.join(path);
        let mode = stat.st_mode & 0o7777;
        let users_own = self.is_users(stat.st_uid);
        let set_id = mode & 0o6000 != 0;
        if set_id {
            let what = format!("{} is mode {mode:04o}, uid {}", full.display(), stat.st_uid);
            let finding = match (users_own, self.is_shut) {
                (false, _) => Finding::warning(
                    FindingKind::SetId,
                    format!("{what}: of no effect inside, but the host's users may run it from outside, and nobody updates it"),
                ),
                (true, false) => Finding::warning(
                    FindingKind::SetId,
                    format!("{what}, who is jailed there: whoever of the host can run it has that user's rights outside of the jail"),
                ),
                (true, true) => Finding::note(
                    FindingKind::SetId,
                    format!("{what}, who is jailed there: nobody else of the host can run it, as things are"),
                ),
            }
            .mended(self.change(Kind::SetId, &full, stat));
            self.add_of(finding, users_own);
        }
        if lgetxattr(&full, "security.capability", &mut [0_u8; 64]).is_ok() {
            self.add(
                Finding::warning(
                    FindingKind::FileCapabilities,
                    format!(
                        "{} has file capabilities: of no effect inside, but outside",
                        full.display()
                    ),
                )
                .mended(self.change(Kind::FileCapabilities, &full, stat)),
            );
        }
        #[allow(
            clippy::useless_conversion,
            reason = "the widths differ by architecture"
        )]
        let links = u64::from(stat.st_nlink);
        if links > 1 && !users_own {
            let linked = self
                .linked
                .entry((stat.st_dev, stat.st_ino))
                .or_insert_with(|| Linked {
                    links,
                    met: 0,
                    path: full,
                    set_id,
                });
            linked.met += 1;
        }
    }

    fn judge_writers(&mut self, path: &Path, stat: &Stat, mode: u32) {
        let full = self.root.join(path);
        let shown = full.display();
        let system = is_system(path);
        let has_list = system && mode & 0o020 != 0 && has_access_list(&full);
        let excess = excess(self.users, path, stat, has_list);
        if is_misowned(self.users, path, stat) {
            self.add(
                Finding::error(
                    FindingKind::SystemOwner,
                    format!(
                        "{shown} belongs to uid {}, who is jailed there: programs, libraries and accounts are root's",
                        stat.st_uid
                    ),
                )
                .mended(self.change(Kind::SystemOwner, &full, stat)),
            );
        } else if excess & 0o020 != 0 {
            let who = if has_list {
                "an access control list may let the user write it".to_owned()
            } else {
                format!("a group of the user (gid {}) may write it", stat.st_gid)
            };
            self.add(
                Finding::error(
                    FindingKind::SystemWritable,
                    format!("{shown} is mode {mode:04o}, and {who}"),
                )
                .mended(self.change(Kind::SystemWritable, &full, stat)),
            );
        }
        if excess & 0o002 != 0 {
            let what = format!("{shown} is mode {mode:04o}: everybody may write it");
            let (finding, kind) = if system {
                (
                    Finding::error(FindingKind::SystemWritable, what),
                    Kind::SystemWritable,
                )
            } else {
                (
                    Finding::warning(FindingKind::WorldWritable, what),
                    Kind::WorldWritable,
                )
            };
            self.add(finding.mended(self.change(kind, &full, stat)));
        }
    }

    /// Finds files that have links outside of the root: what is changed there is changed here, and the other way round.
    fn judge_links(&mut self) {
        let mut outside: Vec<Linked> = std::mem::take(&mut self.linked)
            .into_values()
            .filter(|linked| linked.links > linked.met)
            .collect();
        outside.sort_by(|a, b| a.path.cmp(&b.path));
        for linked in outside {
            let what = format!(
                "{} has {} links, {} of them outside of the root: it is the same file there",
                linked.path.display(),
                linked.links,
                linked.links - linked.met
            );
            let finding = if linked.set_id {
                Finding::error(FindingKind::HardLink, what)
            } else {
                Finding::note(FindingKind::HardLink, what)
            };
            self.add(finding.mended(Repair::of_path(Kind::HardLink, &linked.path)));
        }
    }

    /// Gives what mends a file. With further names it may be the host's as well, and is to be the root's own first. What a
    /// user could exchange is left to the administrator; a mount's data is never changed.
    fn change(&self, kind: Kind, full: &Path, stat: &Stat) -> Option<Repair> {
        let is_file = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
        let kind = if is_file && stat.st_nlink > 1 {
            Kind::HardLink
        } else {
            kind
        };
        let is_data = self.data.is_none_or(|data| data.shows(full).is_some());
        (!is_data).then(|| Repair::of_path(kind, full).not_only_of_jail(!self.roots))
    }

    fn is_users(&self, uid: u32) -> bool {
        is_users(self.users, uid)
    }

    fn add(&mut self, finding: Finding) {
        self.add_of(finding, false);
    }

    fn add_of(&mut self, finding: Finding, users_own: bool) {
        let count = self.counts.entry((finding.kind, users_own)).or_default();
        *count += 1;
        if *count <= LISTED {
            let finding = match self.users {
                [only] => finding.of(only),
                _ => finding,
            };
            self.found.push(finding);
        }
    }

    /// Says how many findings of a kind were not listed.
    fn count_the_rest(&mut self) {
        let mut more: Vec<(String, usize)> = self
            .counts
            .iter()
            .filter(|(_, count)| **count > LISTED)
            .map(|((kind, _), count)| (kind.name(), count - LISTED))
            .collect();
        more.sort_unstable();
        for (kind, count) in more {
            self.found.push(Finding::note(
                FindingKind::More,
                format!("{}: {count} more of {kind}", self.root.display()),
            ));
        }
    }
}
