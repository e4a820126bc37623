//! The keys that sshd takes for a user, before there is any jail: whether it finds them, and whether it obeys them.
//!
//! What is looked at may be the user's own: it is reached by descriptors without following links, and never opened.

use std::{
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use jail::{account::identity::Identity, plan::process::Ids, trust};
use jail_config::Home;
use rustix::{
    fs::{AtFlags, CWD, FileType, Mode, OFlags, Statx, StatxFlags, openat, statx},
    io::Errno,
};
use serde::Serialize;

use super::{keys::expanded, resolved::Resolved};
use crate::{
    accounts::account::Jailed,
    doctor::{
        check::{Finding, FindingKind, account_state::has_password, mounts, reach::writes},
        mend::{Kind, Repair},
        rights::{mode_grants, stat_of},
    },
    shell::{self, quoted, shown},
};

/// What only Debian and what is made of it have: there, sshd minds no group that has only the owner as member.
const DEBIAN: &str = "/etc/debian_version";

/// Where keys are in a home.
const KEYS: &str = ".ssh/authorized_keys";

/// What became of looking at one file of keys.
enum Keys {
    /// sshd takes them.
    Good,
    /// There are none.
    Missing,
    /// sshd does not take them: what is wrong with which part of the path.
    Ignored(PathBuf, String),
    /// It can't be looked at, and why.
    Unknown(String),
}

/// A file in which sshd looks for keys.
#[derive(Debug, Serialize)]
pub(crate) struct KeyFile {
    /// Its path on the host.
    pub(crate) file: String,
    /// `accepted`, `missing`, `ignored` or `unknown`.
    pub(crate) state: &'static str,
    /// Why it is ignored, or could not be looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) why: Option<String>,
    /// Whether the user can write it from inside the jail.
    pub(crate) is_written_inside: bool,
}

/// Checks the keys of one account. Gives what is wrong, and what could not be looked at.
pub(super) fn check(
    jailed: &Jailed,
    resolved: &Resolved,
    config: &Path,
) -> (Vec<Finding>, Vec<String>) {
    let identity = &jailed.identity;
    let mut found: Vec<Finding> = missing_home(identity).into_iter().collect();
    let mut unknown = Vec::new();
    let looked = look_at_all(jailed, resolved);
    let is_good = looked.iter().any(|(_, keys)| matches!(keys, Keys::Good));
    for (file, keys) in &looked {
        match keys {
            Keys::Good | Keys::Missing => {}
            Keys::Unknown(why) => unknown.push(format!(
                "{}: whether sshd takes the keys of {}: {why}",
                shown(file),
                jailed.name()
            )),
            Keys::Ignored(at, why) => {
                let what = format!("sshd takes no key of {}: {why}", shown(file));
                let finding = if is_good || has_password(identity) {
                    Finding::warning(FindingKind::SshdKeysIgnored, what)
                } else {
                    Finding::error(FindingKind::SshdKeysIgnored, what)
                };
                found.push(mended(finding, at, identity, config));
            }
        }
    }
    found.extend(keys_inside(jailed, &looked, config));
    (found, unknown)
}

/// Gives the parts of paths for which sshd takes no keys, where they belong to the user and are in the home.
pub(super) fn users_own_ignored(jailed: &Jailed, resolved: &Resolved) -> Vec<PathBuf> {
    let looked = look_at_all(jailed, resolved).into_iter();
    looked
        .filter_map(|(_, keys)| match keys {
            Keys::Ignored(at, _) => Some(at).filter(|at| is_users_to_mend(at, &jailed.identity)),
            _ => None,
        })
        .collect()
}

/// Gives the file of keys in the jail's home, where sshd finds no other and looks for one in the home on the host.
pub(super) fn only_inside(jailed: &Jailed, resolved: &Resolved) -> Option<PathBuf> {
    let looked = look_at_all(jailed, resolved);
    inside(jailed, &looked).filter(|_| looks_in_home(jailed, &looked))
}

/// Tells whether sshd finds no key for an account.
pub(super) fn are_missing(jailed: &Jailed, resolved: &Resolved) -> bool {
    all_missing(&look_at_all(jailed, resolved))
}

fn all_missing(looked: &[(PathBuf, Keys)]) -> bool {
    looked.iter().all(|(_, keys)| matches!(keys, Keys::Missing))
}

/// Says what becomes of each file in which sshd looks for keys.
pub(super) fn states(jailed: &Jailed, resolved: &Resolved) -> Vec<KeyFile> {
    let looked = look_at_all(jailed, resolved).into_iter();
    looked
        .map(|(file, keys)| {
            let (state, why) = match keys {
                Keys::Good => ("accepted", None),
                Keys::Missing => ("missing", None),
                Keys::Ignored(_, why) => ("ignored", Some(why)),
                Keys::Unknown(why) => ("unknown", Some(why)),
            };
            KeyFile {
                is_written_inside: writes(jailed, &file),
                file: shown(&file),
                state,
                why,
            }
        })
        .collect()
}

/// Looks at each file that AuthorizedKeysFile names.
fn look_at_all(jailed: &Jailed, resolved: &Resolved) -> Vec<(PathBuf, Keys)> {
    let strict = resolved.value("StrictModes") != "no";
    let files = resolved.value("AuthorizedKeysFile").split_whitespace();
    files
        .filter(|pattern| *pattern != "none")
        .map(|pattern| expanded(pattern, &jailed.identity))
        .map(|file| {
            let keys = look(&file, &jailed.identity, strict);
            (file, keys)
        })
        .collect()
}

/// Finds an account whose home is not there.
fn missing_home(identity: &Identity) -> Option<Finding> {
    let home = &identity.home;
    if mounts::is_served_by_a_program(home)
        || look_at(home, AtFlags::empty()).err() != Some(Errno::NOENT)
    {
        return None;
    }
    let what = format!(
        "the home {} of the account is not there on the host: sshd finds no keys in it, and sshd, su and login print that they can't \
         chdir to it, before the jail is entered",
        shown(home)
    );
    let finding = Finding::warning(FindingKind::HostHomeMissing, what);
    let is_roots = home
        .parent()
        .is_some_and(|it| trust::open_directory(it).is_ok());
    Some(if is_roots {
        finding.mended_by(format!("mkhomedir_helper {}", quoted(&identity.name)))
    } else {
        finding
    })
}

/// Finds keys in the jail's home, which sshd never looks at.
fn keys_inside(jailed: &Jailed, looked: &[(PathBuf, Keys)], config: &Path) -> Option<Finding> {
    let inside = inside(jailed, looked)?;
    let files: Vec<String> = looked.iter().map(|(file, _)| shown(file)).collect();
    let what = format!(
        "{} has keys, and sshd does not look there: it looks on the host, before there is a jail, at {}, and finds none",
        shown(&inside),
        files.join(" and ")
    );
    let finding = if has_password(&jailed.identity) {
        Finding::warning(FindingKind::SshdKeysInside, what)
    } else {
        Finding::error(FindingKind::SshdKeysInside, what)
    };
    let repair = Repair::of_user(Kind::SshdKeysInside, &jailed.identity.name);
    Some(finding.mended(looks_in_home(jailed, looked).then(|| repair.with_sshd_config(config))))
}

/// Gives the file of keys in the jail's home, where sshd finds none at all.
fn inside(jailed: &Jailed, looked: &[(PathBuf, Keys)]) -> Option<PathBuf> {
    if looked.is_empty() || !all_missing(looked) {
        return None;
    }
    let (Home::Set(home) | Home::Default(home)) = &jailed.jail.home;
    let inside = on_host(jailed, &home.join(KEYS));
    let is_other = looked.iter().all(|(file, _)| *file != inside);
    (is_other && has_keys(&inside)).then_some(inside)
}

/// Tells whether a file has something in it. Whether the user could reach it from outside of the jail does not matter.
fn has_keys(file: &Path) -> bool {
    let way = way_to(file, Path::new("/")).unwrap_or_default();
    !mounts::is_served_by_a_program(file)
        && way.last().is_some_and(|(_, last)| {
            let kind = FileType::from_raw_mode(u32::from(last.stx_mode));
            kind == FileType::RegularFile && last.stx_size > 0
        })
}

/// Tells whether sshd looks for keys at the usual place in the home on the host.
fn looks_in_home(jailed: &Jailed, looked: &[(PathBuf, Keys)]) -> bool {
    let usual = jailed.identity.home.join(KEYS);
    looked.iter().any(|(file, _)| *file == usual)
}

/// Gives the place on the host of a path in the jail.
fn on_host(jailed: &Jailed, path: &Path) -> PathBuf {
    let mounts = jailed.jail.mounts.iter();
    let shown = mounts.filter_map(|mount| Some((mount, path.strip_prefix(&mount.target).ok()?)));
    match shown.max_by_key(|(mount, _)| mount.target.as_os_str().len()) {
        Some((mount, below)) => mount.source.join(below),
        None => jailed
            .jail
            .root
            .join(path.strip_prefix("/").unwrap_or(path)),
    }
}

/// Adds what mends one part of a path. No command names a path in a home: what is somebody else's there is given away by hand.
fn mended(mut finding: Finding, at: &Path, identity: &Identity, config: &Path) -> Finding {
    if !is_users_to_mend(at, identity) {
        if is_somebody_elses_in_home(at, identity) {
            finding.what.push_str("; give it to the user (chown)");
        }
        return finding;
    }
    let repair = Repair::of_user(Kind::SshdKeysIgnored, &identity.name);
    finding.mended(repair.with_sshd_config(config))
}

/// Tells whether a part of a path is the home or below it, belongs to the user, and has another mode than it should.
fn is_users_to_mend(at: &Path, identity: &Identity) -> bool {
    let Ok(found) = look_at(at, AtFlags::SYMLINK_NOFOLLOW) else {
        return false;
    };
    let mode = u32::from(found.stx_mode);
    at.starts_with(&identity.home) && found.stx_uid == identity.uid && obeyed(mode) != mode
}

fn is_somebody_elses_in_home(at: &Path, identity: &Identity) -> bool {
    let found = look_at(at, AtFlags::SYMLINK_NOFOLLOW);
    at.starts_with(&identity.home) && found.is_ok_and(|it| it.stx_uid != identity.uid)
}

/// Gives the mode with which sshd obeys what belongs to the user: `chmod u+rX,go-w`.
pub(crate) fn obeyed(mode: u32) -> u32 {
    let is_searched = FileType::from_raw_mode(mode) == FileType::Directory || mode & 0o111 != 0;
    let search = if is_searched { 0o100 } else { 0 };
    (mode | 0o400 | search) & !0o022
}

/// Looks at a file of keys as sshd does: safe_path of OpenSSH, which goes up to the home, or to `/`.
fn look(file: &Path, identity: &Identity, strict: bool) -> Keys {
    if mounts::is_served_by_a_program(file) {
        return Keys::Unknown("its file system is served by a program".to_owned());
    }
    let way = match way_to(file, &identity.home) {
        Ok(way) => way,
        Err(Errno::NOENT | Errno::NOTDIR) => return Keys::Missing,
        Err(Errno::LOOP) => return Keys::Unknown("a part of the path is a link".to_owned()),
        Err(errno) => return Keys::Unknown(errno.to_string()),
    };
    let Some((_, last)) = way.last() else {
        return Keys::Missing;
    };
    if FileType::from_raw_mode(u32::from(last.stx_mode)) != FileType::RegularFile {
        return Keys::Ignored(file.to_owned(), format!("{} is no file", shown(file)));
    }
    if last.stx_size == 0 {
        return Keys::Missing;
    }
    let ids = Ids::of(identity);
    for (index, (path, found)) in way.iter().enumerate() {
        let is_last = index + 1 == way.len();
        // It is read with the user's rights.
        if !mode_grants(found, &ids, if is_last { 4 } else { 1 }) {
            let verb = if is_last { "read" } else { "enter" };
            let why = format!("{}, and the user can't {verb} it", state(path, found));
            return Keys::Ignored(path.clone(), why);
        }
        if strict && let Some(why) = too_open(found, identity) {
            let why = format!("StrictModes: {}, {why}", state(path, found));
            return Keys::Ignored(path.clone(), why);
        }
    }
    Keys::Good
}

/// Goes to a file and gives what is on the way: from the home, where it is below, else from `/`.
fn way_to(file: &Path, home: &Path) -> Result<Vec<(PathBuf, Statx)>, Errno> {
    let (start, below) = match file.strip_prefix(home) {
        // Root has made the links to a home.
        Ok(below) => (home, below),
        Err(_) => (Path::new("/"), file.strip_prefix("/").unwrap_or(file)),
    };
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let mut held: OwnedFd = openat(CWD, start, flags | OFlags::DIRECTORY, Mode::empty())?;
    let mut path = start.to_owned();
    let mut way = vec![(path.clone(), stat_of(&held)?)];
    for name in below {
        held = openat(&held, name, flags | OFlags::NOFOLLOW, Mode::empty())?;
        path.push(name);
        let found = stat_of(&held)?;
        if FileType::from_raw_mode(u32::from(found.stx_mode)) == FileType::Symlink {
            return Err(Errno::LOOP);
        }
        way.push((path.clone(), found));
    }
    Ok(way)
}

fn look_at(path: &Path, follow: AtFlags) -> Result<Statx, Errno> {
    let flags = follow | AtFlags::STATX_DONT_SYNC | AtFlags::NO_AUTOMOUNT;
    statx(CWD, path, flags, StatxFlags::BASIC_STATS)
}

/// Says why StrictModes does not take a part of the path.
fn too_open(found: &Statx, identity: &Identity) -> Option<&'static str> {
    let mode = found.stx_mode;
    if found.stx_uid != 0 && found.stx_uid != identity.uid {
        return Some("and it is neither root's nor the user's");
    }
    let by_group = mode & 0o020 != 0 && !is_private_group(found.stx_gid, identity);
    (mode & 0o002 != 0 || by_group).then_some("and others can write it")
}

/// Tells whether a group has the user as its only member, where sshd asks that.
fn is_private_group(gid: u32, identity: &Identity) -> bool {
    if !Path::new(DEBIAN).exists() || gid != identity.gid {
        return false;
    }
    let Ok(Some(answer)) = shell::ask("getent", &["group", &gid.to_string()]) else {
        return false;
    };
    let text = String::from_utf8_lossy(&answer.stdout).into_owned();
    let members = text.trim_end().split(':').nth(3).unwrap_or_default();
    let own = identity.name.to_string_lossy();
    members.split(',').all(|it| it.is_empty() || it == own)
}

fn state(path: &Path, found: &Statx) -> String {
    format!(
        "{} is mode {:04o} and belongs to uid {}",
        shown(path),
        found.stx_mode & 0o7777,
        found.stx_uid
    )
}
