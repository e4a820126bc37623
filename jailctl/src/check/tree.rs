//! The files in the root directories: what a login never looks at.
//!
//! Whoever may write in a root may change it while it is read, so it is walked by descriptor, following nothing and leaving
//! neither root nor file system. Only what is said about it could be wrong then.

use std::{
    collections::{BTreeMap, HashMap},
    ffi::OsStr,
    os::{
        fd::{AsFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::{Path, PathBuf},
};

use jail_config::RootOwner;
use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Mode, OFlags, ResolveFlags, Stat, StatVfsMountFlags, fstat,
    fstatvfs, lgetxattr, major, minor, openat2, statat,
};

use crate::{
    account::Jailed,
    check::{Finding, Mend, Report},
    shell::{quoted, shown},
};

/// Where programs, libraries and accounts are: nobody who is jailed may write there.
const SYSTEM: [&str; 8] = [
    "bin", "sbin", "lib", "lib32", "lib64", "libx32", "usr", "etc",
];

/// The devices that a /dev may have: null, zero, full, random, urandom, tty, console, ptmx.
const DEVICES: [(u32, u32); 8] = [
    (1, 3),
    (1, 5),
    (1, 7),
    (1, 8),
    (1, 9),
    (5, 0),
    (5, 1),
    (5, 2),
];

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
            roots: true,
            is_shut: is_shut(root, &opened),
        };
        walk.directory(&opened, &mut PathBuf::new(), 0, true);
        walk.judge_links();
        walk.count_the_rest();
        for path in walk.unread {
            report.leave_unchecked(format!("{}: can't be read or is too deep", shown(path)));
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

/// Tells whether more than owner, group and others have a say: acl(5).
fn has_access_list(path: &Path) -> bool {
    lgetxattr(path, "system.posix_acl_access", &mut [0_u8; 0]).is_ok()
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
    counts: HashMap<(&'static str, bool), usize>,
    unread: Vec<PathBuf>,
    /// Whether the directory of what is judged, and all above it, are root's alone.
    roots: bool,
    /// Whether nobody else of the host could run a set-user-ID program in the root.
    is_shut: bool,
}

struct Linked {
    links: u64,
    met: u64,
    path: PathBuf,
    set_id: bool,
    /// Whether its directory is root's alone.
    roots: bool,
}

impl Walk<'_> {
    /// Judges what a directory holds. `roots` tells whether it and all above it are root's alone.
    fn directory(&mut self, opened: &OwnedFd, path: &mut PathBuf, depth: usize, roots: bool) {
        let roots =
            roots && fstat(opened).is_ok_and(|it| it.st_uid == 0 && it.st_mode & 0o022 == 0);
        let Ok(entries) = Dir::read_from(opened) else {
            self.unread.push(self.root.join(&*path));
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
            // Gone since it was listed, if it can't be examined.
            if let Ok(stat) = statat(opened, name, AtFlags::SYMLINK_NOFOLLOW) {
                self.roots = roots;
                self.judge(path, &stat);
                if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
                    self.descend(opened, Path::new(name), path, depth, roots);
                }
            }
            path.pop();
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
            self.unread.push(self.root.join(&*path));
            return;
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_XDEV | ResolveFlags::NO_SYMLINKS;
        match openat2(opened.as_fd(), name, flags, Mode::empty(), resolve) {
            Ok(next) => self.directory(&next, path, depth + 1, roots),
            // A mount, such as /proc: no part of what the root holds.
            Err(rustix::io::Errno::XDEV) => {}
            Err(_) => self.unread.push(self.root.join(&*path)),
        }
    }

    fn judge(&mut self, path: &Path, stat: &Stat) {
        let full = self.root.join(path);
        let mode = stat.st_mode & 0o7777;
        let kind = FileType::from_raw_mode(stat.st_mode);
        match kind {
            FileType::RegularFile => self.judge_file(path, stat),
            FileType::CharacterDevice | FileType::BlockDevice => {
                let device = (major(stat.st_rdev), minor(stat.st_rdev));
                let usual = kind == FileType::CharacterDevice
                    && path.starts_with("dev")
                    && DEVICES.contains(&device);
                if !usual {
                    let (major, minor) = device;
                    self.add(
                        Finding::error(
                            "device",
                            format!(
                                "{} is a device ({major}, {minor}) that no jail needs",
                                full.display()
                            ),
                        )
                        .and_mended(Mend {
                            safe: false,
                            ..self.change("rm", &full, stat)
                        }),
                    );
                }
                return;
            }
            _ => {}
        }
        if matches!(kind, FileType::RegularFile | FileType::Directory) {
            self.judge_writers(path, stat, mode, kind);
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
                    "set-id",
                    format!("{what}: of no effect inside, but the host's users may run it from outside, and nobody updates it"),
                ),
                (true, false) => Finding::warning(
                    "set-id",
                    format!("{what}, who is jailed there: whoever of the host can run it has that user's rights outside of the jail"),
                ),
                (true, true) => Finding::note(
                    "set-id",
                    format!("{what}, who is jailed there: nobody else of the host can run it, as things are"),
                ),
            }
            .and_mended(self.change("chmod u-s,g-s", &full, stat));
            self.add_of(finding, users_own);
        }
        if lgetxattr(&full, "security.capability", &mut [0_u8; 64]).is_ok() {
            self.add(
                Finding::warning(
                    "file-capabilities",
                    format!(
                        "{} has file capabilities: of no effect inside, but outside",
                        full.display()
                    ),
                )
                .and_mended(self.change("setcap -r", &full, stat)),
            );
        }
        #[allow(
            clippy::useless_conversion,
            reason = "the widths differ by architecture"
        )]
        let links = u64::from(stat.st_nlink);
        let roots = self.roots;
        if links > 1 && !users_own {
            let linked = self
                .linked
                .entry((stat.st_dev, stat.st_ino))
                .or_insert_with(|| Linked {
                    links,
                    met: 0,
                    path: full,
                    set_id,
                    roots,
                });
            linked.met += 1;
        }
    }

    fn judge_writers(&mut self, path: &Path, stat: &Stat, mode: u32, kind: FileType) {
        let full = self.root.join(path);
        let shown = full.display();
        let system = path
            .components()
            .next()
            .is_some_and(|first| SYSTEM.iter().any(|name| first.as_os_str() == *name));
        let sticky = kind == FileType::Directory && mode & 0o1000 != 0;
        let users_own = self.is_users(stat.st_uid);
        let may_own = |one: &&Jailed| one.jail.root_owner == RootOwner::User;
        if system && users_own && !self.users.iter().any(may_own) {
            self.add(
                Finding::error(
                    "system-owner",
                    format!(
                        "{shown} belongs to uid {}, who is jailed there: programs, libraries and accounts are root's",
                        stat.st_uid
                    ),
                )
                .and_mended(Mend { safe: false, ..self.change("chown root", &full, stat) }),
            );
        } else if system && mode & 0o020 != 0 && has_access_list(&full) {
            // The group's bits are the mask of the list then: acl(5).
            self.add(
                Finding::error(
                    "system-writable",
                    format!("{shown} is mode {mode:04o}, and an access control list may let the user write it"),
                )
                .and_mended(self.change("chmod g-w", &full, stat)),
            );
        } else if system && !users_own && mode & 0o020 != 0 && self.is_users_group(stat.st_gid) {
            self.add(
                Finding::error(
                    "system-writable",
                    format!(
                        "{shown} is mode {mode:04o}, and a group of the user (gid {}) may write it",
                        stat.st_gid
                    ),
                )
                .and_mended(self.change("chmod g-w", &full, stat)),
            );
        }
        if mode & 0o002 != 0 && !sticky && !users_own {
            let what = format!("{shown} is mode {mode:04o}: everybody may write it");
            let finding = if system {
                Finding::error("system-writable", what)
            } else {
                Finding::warning("world-writable", what)
            };
            self.add(finding.and_mended(self.change("chmod o-w", &full, stat)));
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
            let path = quoted(&linked.path);
            let what = format!(
                "{} has {} links, {} of them outside of the root: it is the same file there",
                linked.path.display(),
                linked.links,
                linked.links - linked.met
            );
            let finding = if linked.set_id {
                Finding::error("hard-link", what)
            } else {
                Finding::note("hard-link", what)
            };
            self.add(if linked.roots && !path.contains('\n') {
                finding.mended_by(format!("cp -p {path} {path}.copy && mv {path}.copy {path}"))
            } else {
                finding
            });
        }
    }

    /// Gives the command that changes a file. Where a user may put a link in its place meanwhile, it is found by its
    /// number, in its own directory, and left to the administrator. One whose name would not stand on one line is found by
    /// its number, too: of a command that is copied in part, the name is another file's.
    fn change(&self, command: &str, full: &Path, stat: &Stat) -> Mend {
        let name = quoted(full);
        if self.roots && !name.contains('\n') {
            return Mend {
                command: format!("{command} {name}"),
                safe: true,
            };
        }
        let (root, number) = (quoted(self.root), stat.st_ino);
        Mend {
            command: format!(
                "find {root} -xdev -inum {number} ! -type l -execdir {command} {{}} \\;"
            ),
            safe: self.roots,
        }
    }

    fn is_users(&self, uid: u32) -> bool {
        uid != 0 && self.users.iter().any(|one| one.identity.uid == uid)
    }

    fn is_users_group(&self, gid: u32) -> bool {
        self.users
            .iter()
            .any(|one| one.identity.groups.contains(&gid))
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
        let mut more: Vec<(&str, usize)> = self
            .counts
            .iter()
            .filter(|(_, count)| **count > LISTED)
            .map(|((kind, _), count)| (*kind, count - LISTED))
            .collect();
        more.sort_unstable();
        for (kind, count) in more {
            self.found.push(Finding::note(
                "more",
                format!("{}: {count} more of {kind}", self.root.display()),
            ));
        }
    }
}
