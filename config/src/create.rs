//! `create`: root directory and home are made at the first login.

use std::path::{Path, PathBuf};

use crate::template::Template;

/// The skeleton where the config names none; the only one that may be missing.
const USUAL_SKELETON: &str = "/etc/skel";

/// The mode of a home where the config has none.
const USUAL_MODE: u32 = 0o700;

/// How a home is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Create {
    /// What is copied into it.
    pub skeleton: Skeleton,
    /// Its mode.
    pub mode: u32,
    /// The group of it and of what is copied into it; nothing for the account's primary group.
    pub group: Option<String>,
}

/// What a new home begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Skeleton {
    /// Nothing.
    None,
    /// A copy of /etc/skel, where the host has it.
    Usual,
    /// A copy of this directory.
    Directory(PathBuf),
}

impl Skeleton {
    /// Gives the directory that is copied.
    #[must_use]
    pub fn directory(&self) -> Option<&Path> {
        match self {
            Skeleton::None => None,
            Skeleton::Usual => Some(Path::new(USUAL_SKELETON)),
            Skeleton::Directory(path) => Some(path),
        }
    }
}

/// `create` as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CreateKey {
    /// `true` or `false`.
    Word(bool),
    Table(CreateKeys),
}

/// The table of `create`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct CreateKeys {
    pub(crate) skel: Option<SkelKey>,
    pub(crate) mode: Option<u32>,
    pub(crate) group: Option<String>,
}

/// What `skel` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SkelKey {
    None,
    Directory(Template),
}

impl SkelKey {
    /// Gives what is written.
    pub(crate) fn as_str(&self) -> &str {
        match self {
            SkelKey::None => "none",
            SkelKey::Directory(directory) => directory.as_str(),
        }
    }
}

impl CreateKey {
    /// Fills in what is not written; `path` fills the template of a directory in.
    pub(crate) fn fill<E>(
        &self,
        path: impl FnOnce(&Template) -> Result<PathBuf, E>,
    ) -> Result<Option<Create>, E> {
        let usual = CreateKeys::default();
        let keys = match self {
            CreateKey::Word(false) => return Ok(None),
            CreateKey::Word(true) => &usual,
            CreateKey::Table(keys) => keys,
        };
        Ok(Some(Create {
            skeleton: match &keys.skel {
                None => Skeleton::Usual,
                Some(SkelKey::None) => Skeleton::None,
                Some(SkelKey::Directory(template)) => Skeleton::Directory(path(template)?),
            },
            mode: keys.mode.unwrap_or(USUAL_MODE),
            group: keys.group.clone(),
        }))
    }
}
