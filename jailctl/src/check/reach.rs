//! What a user can write of the host from inside the jail, by whatever links a path leads there.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Component, Path, PathBuf},
};

use jail_config::MountMode;

use crate::{account::Jailed, guest::home};

/// As the kernel: path_resolution(7).
const MOST_LINKS: usize = 40;

/// Tells whether the host's home of a user is in a directory that the jail shows writable.
pub(crate) fn reaches_home(jailed: &Jailed) -> bool {
    let home = home(&jailed.identity);
    let ways = ways(home);
    let reached = |directory: &Path| ways.iter().any(|way| way.starts_with(directory));
    home != Path::new("/") && shown_writable(jailed).any(reached)
}

/// Tells whether a user can write a file of the host from inside, or put it there.
pub(crate) fn writes(jailed: &Jailed, file: &Path) -> bool {
    let Jailed { identity, .. } = jailed;
    let may_write = |path: &Path| {
        fs::metadata(path).is_ok_and(|it| {
            let mode = it.permissions().mode();
            let groups = &identity.groups;
            it.uid() == identity.uid
                || mode & 0o002 != 0
                || mode & 0o020 != 0 && (it.gid() == identity.gid || groups.contains(&it.gid()))
        })
    };
    let ways = ways(file);
    shown_writable(jailed).any(|directory| {
        // Whoever writes a directory above puts another file there.
        let inside = |path: &&Path| path.starts_with(directory);
        ways.iter()
            .filter(|way| way.starts_with(directory))
            .any(|way| way.ancestors().take_while(inside).any(may_write))
    })
}

/// Lists the host's directories that the jail does not show read-only.
fn shown_writable(jailed: &Jailed) -> impl Iterator<Item = &Path> {
    let writable = jailed
        .jail
        .mounts
        .iter()
        .filter(|mount| mount.mode == MountMode::ReadWrite)
        .map(|mount| mount.source.as_path());
    std::iter::once(jailed.jail.root.as_path()).chain(writable)
}

/// Gives a path, and what it is after each link in it: whoever can change one of these changes where it leads.
fn ways(path: &Path) -> Vec<PathBuf> {
    let mut ways = vec![path.to_owned()];
    let mut last = path.to_owned();
    for _ in 0..MOST_LINKS {
        let mut above: Vec<&Path> = last.ancestors().collect();
        above.reverse();
        let Some(link) = above.into_iter().find(|it| it.is_symlink()) else {
            break;
        };
        let (Ok(to), Ok(rest)) = (fs::read_link(link), last.strip_prefix(link)) else {
            break;
        };
        let from = link.parent().unwrap_or(link);
        last = without_dots(&from.join(to).join(rest));
        ways.push(last.clone());
    }
    ways
}

/// Takes `.` and `..` out of a path.
fn without_dots(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => {}
            other => plain.push(other),
        }
    }
    plain
}
