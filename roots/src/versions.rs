//! Several versions of an imported base side by side. The one in use has the name that the config knows; the others are beside
//! it, in `ROOT.versions`, by their own names.
//!
//! Another one comes into use by one renameat2(2) that exchanges two directories: at each moment a whole version has the name.
//! Sessions that are open go on with the files of theirs, wherever that version is by then.

use std::{
    ffi::OsString,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use rustix::fs::{FileType, RenameFlags, fstat, syncfs};
use serde::Serialize;

use crate::{fault::Fault, manifest::Manifest, tree::Tree};

/// What an imported root is called that was given no name.
const UNNAMED: &str = "unnamed";

/// Which version was in use before: a file beside the versions.
const PREVIOUS: &str = ".previous";

/// The longest name of a version, in bytes.
const LONGEST: usize = 100;

/// A version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Version {
    /// Its name.
    pub name: String,
    /// Whether it is the one that logins get.
    pub in_use: bool,
    /// Where it is.
    pub path: PathBuf,
    /// What it was imported from.
    pub source: String,
    /// The digest of the image's manifest, where it was an image that has one.
    pub digest: Option<String>,
    /// When it was imported, in seconds since 1970.
    pub imported: u64,
}

/// A base and its versions, held against other runs of this program.
#[derive(Debug)]
pub struct Versions {
    root: PathBuf,
    /// The directory that both are in.
    parent: Tree,
    /// The name of the other versions' directory in it.
    beside: OsString,
    _held: OwnedFd,
}

/// Insists on a name that is one component of a path and that no shell and no terminal changes.
///
/// # Errors
/// It is another.
pub fn check_name(name: &str) -> Result<(), Fault> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._+~-".contains(&byte);
    let begins = name
        .bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_alphanumeric());
    if begins && name.len() <= LONGEST && name.bytes().all(fits) {
        return Ok(());
    }
    Err(Fault::Usage(format!(
        "{name:?} is no name of a version; take letters, digits and . _ + ~ - behind the first, at most {LONGEST}"
    )))
}

/// Gives the directory of a root's other versions.
fn beside(root: &Path) -> PathBuf {
    let mut path = root.as_os_str().to_owned();
    path.push(".versions");
    path.into()
}

/// Tells whether a root has versions.
#[must_use]
pub fn has_versions(root: &Path) -> bool {
    beside(root).is_dir()
}

impl Versions {
    /// Opens the versions of a base, and makes their directory where it is missing.
    ///
    /// # Errors
    /// The path is not root's alone, another run is at work there, or a system call failed.
    pub fn open(root: &Path) -> Result<Versions, Fault> {
        let parent = Tree::make_above(root, &mut Vec::new())?;
        let path = beside(root);
        let beside = path.file_name().unwrap_or_default().to_owned();
        parent.make_directory(Path::new(&beside), 0o700)?;
        let directory = Tree::open(&path)?;
        let stat = fstat(&directory).map_err(Fault::io("stat", &path))?;
        // Whoever can open it can lock it.
        if stat.st_mode & 0o077 != 0 {
            return Err(Fault::Failed(format!(
                "open {0}: it has mode {1:04o}; run: chmod 700 {0}",
                path.display(),
                stat.st_mode & 0o7777
            )));
        }
        let versions = Versions {
            root: root.to_owned(),
            parent,
            beside,
            _held: directory.lock()?,
        };
        versions.recover()?;
        Ok(versions)
    }

    /// Gives the directory for a version to be imported into: the name in use where there is none yet.
    ///
    /// # Errors
    /// There is one of this name, or what is in use was not imported.
    pub fn place_for(&self, name: &str) -> Result<PathBuf, Fault> {
        place_among(&self.list()?, &self.root, name)
    }

    /// Lists the versions, by their names.
    ///
    /// # Errors
    /// One can't be examined, or was not imported.
    pub fn list(&self) -> Result<Vec<Version>, Fault> {
        let mut all = Vec::new();
        if self.parent.stat(&self.own_name())?.is_some() {
            all.push(version(&self.root, true)?);
        }
        for name in self.others()? {
            all.push(version(&self.path_of(&name), false)?);
        }
        all.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(all)
    }

    /// Puts a version into use, and gives the name of the one that was. Sessions that are open keep theirs.
    ///
    /// # Errors
    /// There is none of this name, or it is in use already; a system call failed, and the version before is in use then.
    pub fn put_into_use(&self, name: &str) -> Result<String, Fault> {
        let known = self.list()?;
        let failed = |what: &str| {
            let names: Vec<&str> = known.iter().map(|version| version.name.as_str()).collect();
            Fault::Failed(format!(
                "use version {name} of {}: {what}; it has: {}",
                self.root.display(),
                names.join(" ")
            ))
        };
        let Some(wanted) = known.iter().find(|version| version.name == name) else {
            return Err(failed("there is no such version"));
        };
        if wanted.in_use {
            return Err(failed("it is in use already"));
        }
        let Some(before) = known.iter().find(|version| version.in_use) else {
            return Err(failed("no version is in use"));
        };
        let (new, old) = (self.within(name), self.within(&before.name));
        // Before anybody is given it, it is on the disk.
        let file = self.parent.open_file(&new.join(crate::manifest::FILE))?;
        syncfs(&file).map_err(Fault::io("sync", &self.root))?;
        self.parent
            .rename(&new, &self.own_name(), RenameFlags::EXCHANGE)?;
        self.parent.rename(&new, &old, RenameFlags::NOREPLACE)?;
        let text = format!("{}\n", before.name);
        self.parent
            .replace(&self.within(PREVIOUS), text.as_bytes(), 0o600)?;
        Ok(before.name.clone())
    }

    /// Gives the name of the version that was in use before.
    ///
    /// # Errors
    /// It is not known.
    pub fn previous(&self) -> Result<String, Fault> {
        let text = self.parent.read(&self.within(PREVIOUS), 4096)?;
        let name = text.map(|text| String::from_utf8_lossy(&text).trim_end().to_owned());
        name.ok_or_else(|| {
            let root = self.root.display();
            Fault::Failed(format!(
                "roll back {root}: no other version was in use before"
            ))
        })
    }

    /// Removes a version that is not in use. `is_free` is asked for its path before.
    ///
    /// # Errors
    /// There is none of this name, it is in use, or a system call failed.
    pub fn remove(
        &self,
        name: &str,
        is_free: impl FnOnce(&Path) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let known = self.list()?;
        let failed = |what: &str| {
            Fault::Failed(format!(
                "remove version {name} of {}: {what}",
                self.root.display()
            ))
        };
        match known.iter().find(|version| version.name == name) {
            None => Err(failed("there is no such version")),
            Some(version) if version.in_use => {
                Err(failed("it is in use; put another one into use first"))
            }
            Some(version) => {
                is_free(&version.path)?;
                self.parent.remove(&self.within(name))
            }
        }
    }

    /// Gives each version its own name again: a run may have been killed when it had exchanged two and had not renamed the other.
    fn recover(&self) -> Result<(), Fault> {
        for name in self.others()? {
            let own = version(&self.path_of(&name), false)?.name;
            if own != name {
                self.parent.rename(
                    &self.within(&name),
                    &self.within(&own),
                    RenameFlags::NOREPLACE,
                )?;
            }
        }
        Ok(())
    }

    /// Lists the names of the versions that are not in use. What is still being imported has a name with a dot before it.
    fn others(&self) -> Result<Vec<String>, Fault> {
        let listed = self.parent.list(Path::new(&self.beside))?.into_iter();
        let names = listed.filter(|(_, kind)| *kind == FileType::Directory);
        let names = names.filter_map(|(name, _)| name.into_string().ok());
        Ok(names.filter(|name| check_name(name).is_ok()).collect())
    }

    fn own_name(&self) -> PathBuf {
        self.root.file_name().unwrap_or_default().into()
    }

    fn within(&self, name: &str) -> PathBuf {
        Path::new(&self.beside).join(name)
    }

    fn path_of(&self, name: &str) -> PathBuf {
        beside(&self.root).join(name)
    }
}

/// Gives what [`Versions::place_for`] would give, and makes nothing.
///
/// # Errors
/// As [`Versions::open`] and [`Versions::place_for`].
pub fn place_foreseen(root: &Path, name: &str) -> Result<PathBuf, Fault> {
    check_name(name)?;
    if has_versions(root) {
        return Versions::open(root)?.place_for(name);
    }
    let is_there = root.symlink_metadata().is_ok();
    let only = is_there.then(|| version(root, true)).transpose()?;
    place_among(only.as_slice(), root, name)
}

/// Gives the place of a new version beside those that are known.
fn place_among(known: &[Version], root: &Path, name: &str) -> Result<PathBuf, Fault> {
    if known.iter().any(|version| version.name == name) {
        return Err(Fault::Failed(format!(
            "import {name}: {} has a version of this name; take another, or remove that one: jailctl versions --remove {name}",
            root.display()
        )));
    }
    Ok(match known.iter().any(|version| version.in_use) {
        true => beside(root).join(name),
        false => root.to_owned(),
    })
}

/// Describes a version by its manifest.
fn version(path: &Path, in_use: bool) -> Result<Version, Fault> {
    let manifest = Manifest::read(&Tree::open(path)?)?;
    let imported = manifest.and_then(|it| {
        Some((
            it.recipe.imported?,
            it.recipe.version,
            it.recipe.digest,
            it.built,
        ))
    });
    let Some((source, name, digest, imported)) = imported else {
        return Err(Fault::Failed(format!(
            "open {}: it was not made by jailctl import, and can't be a version of a base",
            path.display()
        )));
    };
    Ok(Version {
        name: name.unwrap_or_else(|| UNNAMED.to_owned()),
        in_use,
        path: path.to_owned(),
        source,
        digest,
        imported,
    })
}

#[cfg(test)]
mod tests {
    use super::check_name;

    #[test]
    fn a_name_of_a_version_is_one_plain_word() {
        for name in ["12", "12.5-slim", "2026-11-30", "v1+b2~rc1"] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        for name in [
            "",
            ".",
            "..",
            ".previous",
            "a/b",
            "-a",
            "a b",
            "a\n",
            "ä",
            &"a".repeat(101),
        ] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }
}
