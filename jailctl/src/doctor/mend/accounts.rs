//! The files of accounts in a root: passwd(5) and nsswitch.conf(5). Each is read and replaced by descriptor, in a directory
//! that is root's alone.

use std::{ffi::OsStr, fs::File, io::Read, os::fd::OwnedFd, path::Path};

use jail::trust;
use jail_config::{Base, Home};
use rustix::{
    fs::{AtFlags, FileType, Mode, OFlags, fstat, openat, statat},
    io::Errno,
};

use crate::{
    accounts::{
        account::Jailed,
        host_text::{bytes_of, text_of},
    },
    doctor::{
        mend::{
            Data, Extent, Kind, beside,
            reach::{Root, failed, is_roots_alone},
        },
        rehearsal::{self, Seen},
        used,
    },
    failure::Failure,
    shell::shown,
};

/// The longest file that is read, in bytes.
const LONGEST: u64 = 4 * 1024 * 1024;

/// Mends the accounts that a user's jail knows.
pub(crate) fn mend(
    kind: Kind,
    jailed: &Jailed,
    all: &[Jailed],
    config: &Path,
    extent: Extent,
) -> Result<Vec<String>, Failure> {
    if jailed.jail.base != Base::None {
        return Err(Failure::Failed(format!(
            "the accounts of {}'s jail come from its base, and are not mended in the root",
            jailed.name()
        )));
    }
    let seen = match kind {
        Kind::NssLibraryMissing => {
            let name = jailed.identity.name.to_string_lossy();
            rehearsal::of(&name, used::of(&jailed.identity), config)?
        }
        _ => Vec::new(),
    };
    let (file, edited): (&str, &dyn Fn(&str) -> String) = match kind {
        Kind::NssLibraryMissing => ("etc/nsswitch.conf", &|text| {
            let missing = seen.iter().filter_map(|seen| match seen {
                Seen::NoNssLibrary(service) => Some(service.as_str()),
                _ => None,
            });
            missing.fold(text.to_owned(), |text, service| {
                without_service(&text, service)
            })
        }),
        Kind::GroupDisagrees => ("etc/group", &|text| with_groups(text, jailed)),
        Kind::SecondRoot => ("etc/passwd", &|text| without_second_roots(text)),
        _ => ("etc/passwd", &|text| with_user(text, jailed)),
    };
    let root = Root::open(all, &jailed.jail.root)?;
    replace(&root, &jailed.jail.root.join(file), all, extent, edited)
}

/// Gives passwd(5) one line for the user, that of the host with the home and shell of the jail.
fn with_user(text: &str, jailed: &Jailed) -> String {
    let jail = &jailed.jail;
    let (Home::Set(home) | Home::Default(home)) = &jail.home;
    let name = jailed.identity.name.to_string_lossy();
    let line = format!(
        "{name}:x:{}:{}::{}:{}",
        jailed.identity.uid,
        jailed.identity.gid,
        home.display(),
        jail.shell.display()
    );
    let others = text
        .lines()
        .filter(|it| it.split(':').next() != Some(&*name));
    joined(others.chain([line.as_str()]))
}

/// Gives group(5) the groups of the user, as the host has them.
fn with_groups(text: &str, jailed: &Jailed) -> String {
    let identity = &jailed.identity;
    let name = identity.name.to_string_lossy();
    let named = identity.groups.iter().zip(&identity.group_names);
    let groups: Vec<(u32, String)> = named
        .map(|(gid, name)| (*gid, name.to_string_lossy().into_owned()))
        .collect();
    with_member(text, &name, identity.gid, &groups)
}

/// Makes somebody a member of these groups, and of no others. That of passwd(5) needs no word here.
fn with_member(text: &str, user: &str, own: u32, groups: &[(u32, String)]) -> String {
    let mut missing: Vec<&(u32, String)> = groups.iter().filter(|(gid, _)| *gid != own).collect();
    let line = |line: &str| {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, password, gid, members] = fields.as_slice() else {
            return line.to_owned();
        };
        let mut members: Vec<&str> = members.split(',').filter(|it| !it.is_empty()).collect();
        let is_member = members.contains(&user);
        let is_wanted = gid
            .parse()
            .is_ok_and(|gid: u32| groups.iter().any(|(it, _)| *it == gid));
        missing.retain(|(it, _)| it.to_string() != *gid);
        if is_member == is_wanted {
            return line.to_owned();
        }
        members.retain(|it| *it != user);
        if is_wanted {
            members.push(user);
        }
        format!("{name}:{password}:{gid}:{}", members.join(","))
    };
    let mut lines: Vec<String> = text.lines().map(line).collect();
    lines.extend(
        missing
            .into_iter()
            .map(|(gid, name)| format!("{name}:x:{gid}:{user}")),
    );
    joined(lines.iter().map(String::as_str))
}

/// Takes out the accounts with uid 0 besides root.
fn without_second_roots(text: &str) -> String {
    let is_second = |line: &&str| {
        let mut fields = line.split(':');
        let name = fields.next();
        let uid = fields.nth(1).unwrap_or_default();
        name != Some("root") && !uid.is_empty() && uid.trim_start_matches('0').is_empty()
    };
    joined(text.lines().filter(|line| !is_second(line)))
}

/// Takes a service out of each line of nsswitch.conf(5), but for comments.
fn without_service(text: &str, service: &str) -> String {
    let line = |line: &str| {
        let (code, comment) = line.split_at(line.find('#').unwrap_or(line.len()));
        let Some((database, services)) = code.split_once(':') else {
            return line.to_owned();
        };
        if !services.split_whitespace().any(|word| word == service) {
            return line.to_owned();
        }
        let kept: Vec<&str> = services
            .split_whitespace()
            .filter(|word| *word != service)
            .collect();
        let gap = if comment.is_empty() { "" } else { " " };
        format!("{database}: {}{gap}{comment}", kept.join(" "))
    };
    let lines: Vec<String> = text.lines().map(line).collect();
    joined(lines.iter().map(String::as_str))
}

fn joined<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    lines.map(|line| format!("{line}\n")).collect()
}

/// Replaces a file of a root by what is made of its text, at once, with the same owner and mode.
pub(crate) fn replace(
    root: &Root<'_>,
    path: &Path,
    all: &[Jailed],
    extent: Extent,
    edited: &dyn Fn(&str) -> String,
) -> Result<Vec<String>, Failure> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Ok(Vec::new());
    };
    let above = root.reach(parent)?;
    Data::of(all)?.refuse(&above.shown)?;
    if !root.is_roots() || !is_roots_alone(&above.stat) {
        return Err(Failure::Failed(format!(
            "{}: others than root can write this directory, and could replace what is put there",
            shown(parent)
        )));
    }
    let directory = above.open()?;
    let (text, (owner, mode)) = read(&directory, name, path)?;
    let new = edited(&text);
    if new == text {
        return Ok(Vec::new());
    }
    if extent == Extent::Whole {
        beside::put(&directory, name, path, &bytes_of(&new), Some(owner), mode)?;
    }
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<String>>();
    let (old, new) = (lines(&text), lines(&new));
    let gone = old
        .iter()
        .filter(|line| !new.contains(line))
        .map(|line| format!("- {line}"));
    let come = new
        .iter()
        .filter(|line| !old.contains(line))
        .map(|line| format!("+ {line}"));
    Ok(gone
        .chain(come)
        .map(|line| format!("{}: {line}", shown(path)))
        .collect())
}

/// Owner and group of a file, and its mode.
type Like = ((u32, u32), u32);

/// Reads a file, and says how it is to be written again. One that is missing is empty.
fn read(directory: &OwnedFd, name: &OsStr, path: &Path) -> Result<(String, Like), Failure> {
    let kind = match statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => return Ok((String::new(), ((0, 0), 0o644))),
        stat => FileType::from_raw_mode(stat.map_err(failed("examine", path))?.st_mode),
    };
    if kind != FileType::RegularFile {
        let kind = trust::kind(kind);
        return Err(Failure::Failed(format!(
            "{} is a {kind}, not a file",
            shown(path)
        )));
    }
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let opened = openat(directory, name, flags, Mode::empty()).map_err(failed("open", path))?;
    let stat = fstat(&opened).map_err(failed("examine", path))?;
    let mut bytes = Vec::new();
    let read = File::from(opened).take(LONGEST).read_to_end(&mut bytes);
    read.map_err(|error| Failure::io("read", path, &error))?;
    let owner = (stat.st_uid, stat.st_gid);
    Ok((text_of(&bytes), (owner, stat.st_mode & 0o7777)))
}

#[cfg(test)]
mod tests {
    use super::{with_member, without_second_roots, without_service};

    #[test]
    fn only_the_service_goes() {
        let text = "# oracle: old\npasswd: files oracle oracle2 # oracle\ngroup: oracle\nhosts:  files dns\n";
        assert_eq!(
            without_service(text, "oracle"),
            "# oracle: old\npasswd: files oracle2 # oracle\ngroup: \nhosts:  files dns\n"
        );
    }

    #[test]
    fn a_user_has_the_groups_of_the_host_and_no_others() {
        let text = "root:x:0:ann\nweb:x:50:bob\nann:x:1000:\nodd\n";
        let groups =
            [(1000, "ann"), (50, "web"), (60, "games")].map(|(gid, name)| (gid, name.to_owned()));
        assert_eq!(
            with_member(text, "ann", 1000, &groups),
            "root:x:0:\nweb:x:50:bob,ann\nann:x:1000:ann\nodd\ngames:x:60:ann\n"
        );
    }

    #[test]
    fn only_second_roots_go() {
        let text = "root:x:0:0::/:/bin/sh\ntoor:x:0:0::/:\nx:x:00:1:::\nann:x:1000:0:::\nodd\nempty:x::0:::\n";
        assert_eq!(
            without_second_roots(text),
            "root:x:0:0::/:/bin/sh\nann:x:1000:0:::\nodd\nempty:x::0:::\n"
        );
    }
}
