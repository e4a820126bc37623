//! What a root was made of: `ROOT/.login-jail/manifest.json`, which nobody inside can reach.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    fs,
    io::{self, Read},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{closure::top, fault::Fault, tree::Tree};

/// The directory in a root that is root's alone.
pub const CONTROL: &str = ".login-jail";
/// The manifest in it.
pub const FILE: &str = ".login-jail/manifest.json";

const VERSION: u32 = 1;
/// More than a manifest of a hundred thousand files.
const LARGEST: u64 = 256 * 1024 * 1024;

/// How the host's files come into a root.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// As copies.
    #[default]
    Copy,
    /// As further names of the same files.
    Hardlink,
    /// As copies that share the disk's blocks, where the file system can.
    Reflink,
}

/// What a root was asked to have: enough to make it again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipe {
    /// Presets.
    pub with: Vec<String>,
    /// Further programs and paths.
    #[serde(default)]
    pub programs: Vec<String>,
    /// Accounts of the host that its passwd knows.
    #[serde(default)]
    pub users: Vec<String>,
    /// How files came in.
    pub method: Method,
    /// What it was imported from, if it was not built.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imported: Option<String>,
    /// What this version of a base is called, where it has a name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The digest of the manifest of the image that it was imported from: SHA-256, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

/// What is at a path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Record {
    /// A directory.
    Directory,
    /// A symbolic link.
    Link {
        /// Its text.
        to: PathBuf,
    },
    /// A file of the host.
    File {
        /// The digest of its contents, in hexadecimal.
        sha256: String,
        /// Permissions, in decimal as JSON has it.
        mode: u32,
        /// Its length in bytes.
        size: u64,
        /// The Debian package that it is of.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        package: Option<String>,
    },
    /// A file made for this root.
    Made {
        /// The digest of its contents, in hexadecimal.
        sha256: String,
        /// Permissions.
        mode: u32,
    },
}

/// A manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    version: u32,
    /// The program and version that made it.
    pub made_by: String,
    /// When, in seconds since 1970.
    pub built: u64,
    /// What was asked for.
    pub recipe: Recipe,
    /// What there is, by path inside.
    pub entries: BTreeMap<PathBuf, Record>,
}

impl Manifest {
    /// Starts one.
    #[must_use]
    pub fn new(recipe: Recipe, entries: BTreeMap<PathBuf, Record>) -> Manifest {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        Manifest {
            version: VERSION,
            made_by: concat!("jailctl ", env!("CARGO_PKG_VERSION")).to_owned(),
            built: since.map_or(0, |since| since.as_secs()),
            recipe,
            entries,
        }
    }

    /// Reads the manifest of a root, if it has one.
    ///
    /// # Errors
    /// It can't be read or understood, or somebody else than root could have written it.
    pub fn read(root: &Tree) -> Result<Option<Manifest>, Fault> {
        check_control(root)?;
        let path = Path::new(FILE);
        let Some(text) = root.read(path, LARGEST)? else {
            return Ok(None);
        };
        let manifest: Manifest = serde_json::from_slice(&text).map_err(|error| {
            Fault::Failed(format!("read {}: {error}", root.show(path).display()))
        })?;
        if manifest.version != VERSION {
            return Err(Fault::Failed(format!(
                "read {}: it is of version {}, and this program knows {VERSION}",
                root.show(path).display(),
                manifest.version
            )));
        }
        Ok(Some(manifest))
    }

    /// Gives its text.
    ///
    /// # Errors
    /// A path in it is no UTF-8, which JSON can't hold.
    pub fn text(&self) -> Result<Vec<u8>, Fault> {
        let text = serde_json::to_vec_pretty(self);
        text.map_err(|error| Fault::Failed(format!("write the manifest: {error}")))
    }

    /// Gives the top-level names that it has files or links below, or as.
    pub(crate) fn tops(&self) -> BTreeSet<PathBuf> {
        let files = self.entries.iter();
        let files = files.filter(|(_, record)| **record != Record::Directory);
        files.filter_map(|(path, _)| top(path)).collect()
    }

    /// Fills in which package each file is of.
    pub fn name_packages(&mut self) {
        let wanted = self.entries.iter();
        let wanted = wanted.filter(|(_, record)| matches!(record, Record::File { .. }));
        let mut packages = packages_of(&wanted.map(|(path, _)| path.as_path()).collect());
        for (path, record) in &mut self.entries {
            if let Record::File { package, .. } = record {
                *package = packages.remove(path);
            }
        }
    }
}

/// Makes sure that the directory with the manifest, if there is one, is out of everybody else's reach.
///
/// # Errors
/// It is not, and the commands that mend it.
pub fn check_control(root: &Tree) -> Result<(), Fault> {
    let path = Path::new(CONTROL);
    match root.stat(path)? {
        Some(stat) if stat.st_uid != 0 || stat.st_mode & 0o077 != 0 => Err(Fault::Failed(format!(
            "open {}: it must be root's and mode 0700; others may have written what is in it: remove it, and build the root anew",
            root.show(path).display()
        ))),
        _ => Ok(()),
    }
}

/// Finds the packages of files in dpkg's lists. Those name files as the package has them, before /usr was merged.
fn packages_of(wanted: &HashSet<&Path>) -> HashMap<PathBuf, String> {
    let mut found = HashMap::new();
    let lists = fs::read_dir("/var/lib/dpkg/info")
        .into_iter()
        .flatten()
        .flatten();
    for list in lists {
        let name = list.file_name();
        let Some(package) = name.to_str().and_then(|name| name.strip_suffix(".list")) else {
            continue;
        };
        let Ok(text) = fs::read(list.path()) else {
            continue;
        };
        for line in text.split(|byte| *byte == b'\n') {
            let path = Path::new(std::ffi::OsStr::from_bytes(line));
            let merged = || Path::new("/usr").join(path.strip_prefix("/").unwrap_or(path));
            let known = if wanted.contains(path) {
                path.to_owned()
            } else if line.starts_with(b"/usr/") || !wanted.contains(merged().as_path()) {
                continue;
            } else {
                merged()
            };
            found.insert(known, package.to_owned());
        }
    }
    found
}

/// Digests what a reader gives; each piece is handed to `also` as well. Gives the digest and the length.
///
/// # Errors
/// Reading, or what `also` says.
pub fn digest(
    mut from: impl Read,
    mut also: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<(String, u64)> {
    let mut hash = Sha256::new();
    let mut bytes = vec![0; 256 * 1024];
    let mut length = 0;
    loop {
        let count = match from.read(&mut bytes) {
            Ok(0) => return Ok((hexadecimal(&hash.finalize()), length)),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let part = bytes.get(..count).unwrap_or_default();
        hash.update(part);
        also(part)?;
        length += u64::try_from(count).unwrap_or(0);
    }
}

/// Digests a text.
#[must_use]
pub fn digest_text(text: &[u8]) -> String {
    hexadecimal(&Sha256::digest(text))
}

pub(crate) fn hexadecimal(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
