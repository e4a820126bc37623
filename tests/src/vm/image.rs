//! What a machine starts from: a directory that `tests/vm/image` has made, and the package that is tested on it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// A release of Debian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Release {
    /// Debian 12, Linux 6.1.
    Bookworm,
    /// Debian 13, Linux 6.12.
    Trixie,
}

impl Release {
    /// Gives the name that mirrors have it by.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bookworm => "bookworm",
            Self::Trixie => "trixie",
        }
    }

    /// Finds a release by its name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Bookworm, Self::Trixie]
            .into_iter()
            .find(|release| release.name() == name)
    }
}

/// A directory with `disk`, `kernel`, `early.gz` and `key`.
#[derive(Debug)]
pub(super) struct Image {
    pub(super) release: Release,
    directory: PathBuf,
}

impl Image {
    /// Finds the image of a release, or makes it.
    pub(super) fn of(release: Release) -> Result<Self, String> {
        let made = Command::new(Path::new(REPOSITORY).join("tests/vm/image"))
            .arg(release.name())
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("start tests/vm/image: {error}"))?;
        if !made.status.success() {
            let said = String::from_utf8_lossy(&made.stderr);
            let last = said.trim_end().lines().last().unwrap_or("no reason given");
            return Err(last.trim_start_matches("vm: ").to_owned());
        }
        let directory = String::from_utf8_lossy(&made.stdout);
        Ok(Self {
            release,
            directory: PathBuf::from(directory.trim_end()),
        })
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

/// Makes the package of what is built, and gives its path.
pub(super) fn package() -> PathBuf {
    let made = Command::new("packaging/deb")
        .current_dir(REPOSITORY)
        // It is unpacked once: small is worth less than soon.
        .env("DPKG_DEB_COMPRESSOR_LEVEL", "0")
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("start packaging/deb: {error}"));
    let said = String::from_utf8_lossy(&made.stderr);
    assert!(made.status.success(), "packaging/deb: {said}");
    let path = String::from_utf8_lossy(&made.stdout);
    Path::new(REPOSITORY).join(path.trim_end())
}
