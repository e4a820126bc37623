//! What a rule can ask for of an account.

use std::ffi::{OsStr, OsString};
use std::path::Path;

/// The facts about an account that a rule can ask for.
#[derive(Debug, Clone, Copy)]
pub struct Account<'a> {
    /// The login name.
    pub name: &'a OsStr,
    /// The user id.
    pub uid: u32,
    /// The primary group's id.
    pub gid: u32,
    /// The primary group's name.
    pub group: &'a OsStr,
    /// The names of all groups, the primary one included.
    pub groups: &'a [OsString],
    /// The home directory of the account (`pw_dir`), used for `{home}` only.
    pub home: &'a Path,
}
