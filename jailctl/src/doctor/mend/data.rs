//! What is shown to a jail and is not its own: the sources of mounts, and bases. It is data of somebody else's, or many
//! jails' programs, and no fix of one jail changes it.
//!
//! A path may lead into it in two ways: the source lies below a root, or the root is itself a bind mount of a part of the
//! source. So places are compared, and not paths: the file system, and the path in it.

use std::{
    collections::BTreeSet,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use jail_config::Base;

use crate::{accounts::account::Jailed, failure::Failure, mountinfo::Mounted, shell::shown};

/// The sources and bases of all jails.
#[derive(Debug)]
pub(crate) struct Data {
    mounted: Vec<Mounted>,
    sources: Vec<(PathBuf, Place)>,
    bases: Vec<PathBuf>,
}

/// The numbers of a file system, and a path in it.
type Place = (OsString, PathBuf);

impl Data {
    /// Finds out what the jails of these users are shown.
    pub(crate) fn of(all: &[Jailed]) -> Result<Data, Failure> {
        let mounted = Mounted::all()?;
        // Of what all users of a group have in common, each is looked at once.
        let (mut shown, mut bases) = (BTreeSet::new(), BTreeSet::new());
        for one in all {
            shown.extend(one.jail.mounts.iter().map(|mount| mount.source.as_path()));
            if let Base::Directory(base) = &one.jail.base {
                bases.insert(base.as_path());
            }
        }
        shown.extend(&bases);
        let placed = shown.into_iter().filter_map(|source| {
            // It may be reached by a link.
            let found = fs::canonicalize(source).unwrap_or_else(|_| source.to_owned());
            Some((source.to_owned(), place(&mounted, &found)?))
        });
        let sources = placed.collect();
        let bases = bases.into_iter().map(Path::to_owned).collect();
        Ok(Data {
            mounted,
            sources,
            bases,
        })
    }

    /// Gives the source that a path is in. The path must have no links.
    pub(crate) fn shows(&self, path: &Path) -> Option<&Path> {
        let (device, inside) = place(&self.mounted, path)?;
        self.sources
            .iter()
            .find(|(_, (other, top))| device == *other && inside.starts_with(top))
            .map(|(source, _)| source.as_path())
    }

    /// Refuses a path that is in a source. The path must have no links.
    pub(crate) fn refuse(&self, path: &Path) -> Result<(), Failure> {
        match self.shows(path) {
            None => Ok(()),
            Some(source) => Err(Failure::Failed(format!(
                "{} is in {}, which the config mounts: that is data, and is not changed",
                shown(path),
                shown(source)
            ))),
        }
    }

    /// Gives the source that a path is in or is, but for bases, whose own way may be mended.
    pub(crate) fn source_at(&self, path: &Path) -> Option<&Path> {
        self.shows(path)
            .filter(|source| !self.bases.iter().any(|base| base == source))
    }
}

/// Finds out where the file system has what a path leads to.
fn place(mounted: &[Mounted], path: &Path) -> Option<Place> {
    // Of two at one point, the later one covers the other.
    let mount = mounted
        .iter()
        .filter(|mount| path.starts_with(&mount.point))
        .max_by_key(|mount| mount.point.components().count())?;
    let below = path.strip_prefix(&mount.point).ok()?;
    Some((mount.device.clone(), mount.top.join(below)))
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::{Data, Mounted, place};

    fn mounted(lines: &[&str]) -> Vec<Mounted> {
        let parse = |line: &&str| Mounted::parse(line.as_bytes()).unwrap();
        lines.iter().map(parse).collect()
    }

    #[test]
    fn a_source_is_found_however_it_is_reached() {
        let mounted = mounted(&[
            "1 0 8:1 / / rw - ext4 d rw",
            "2 1 8:1 /srv/team/x /srv/jails/bob rw - ext4 d rw",
            "3 1 8:1 /srv/jails/ann/shared /srv/alias rw - ext4 d rw",
            "4 1 8:2 / /srv/other rw - ext4 d rw",
        ]);
        let sources = ["/srv/team", "/srv/alias"].map(|source| {
            let found = place(&mounted, Path::new(source)).unwrap();
            (PathBuf::from(source), found)
        });
        let data = Data {
            mounted,
            sources: sources.into(),
            bases: Vec::new(),
        };
        for (path, source) in [
            ("/srv/jails/bob/bin/su", Some("/srv/team")),
            ("/srv/team/file", Some("/srv/team")),
            ("/srv/jails/ann/shared/a", Some("/srv/alias")),
            ("/srv/jails/ann/bin/su", None),
            ("/srv/teams", None),
            ("/srv/other/srv/team", None),
        ] {
            assert_eq!(data.shows(Path::new(path)), source.map(Path::new), "{path}");
        }
    }
}
