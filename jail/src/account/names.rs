//! The account database: the only place of the whole project that asks the name services.
//!
//! Their modules read variables of whoever asks (SYSTEMD_ONLY_USERDB, for one, hides the groups of systemd-userdbd), and
//! `su` keeps those of its caller. So every look-up is made with an empty environment. Lint settings of the workspace
//! forbid the look-ups of `nix` everywhere else.
#![allow(
    clippy::disallowed_methods,
    reason = "this is the place they are allowed in"
)]

use std::ffi::CStr;

use nix::{
    errno::Errno,
    unistd::{Gid, Group, Uid, User, getgrouplist},
};

use crate::sys::{environment::in_empty_environment, nss};

pub(crate) use crate::sys::nss::Answer;

/// Looks an account up by its name: getpwnam_r(3).
///
/// # Errors
/// The database did not answer.
pub fn user(name: &str) -> Result<Option<User>, Errno> {
    in_empty_environment(|| User::from_name(name))
}

/// Looks an account up by its id, which several may have: getpwuid_r(3) gives the first.
///
/// # Errors
/// The database did not answer.
pub fn user_of(uid: Uid) -> Result<Option<User>, Errno> {
    in_empty_environment(|| User::from_uid(uid))
}

/// Looks a group up by its id: getgrgid_r(3).
///
/// # Errors
/// The database did not answer.
pub fn group_of(gid: Gid) -> Result<Option<Group>, Errno> {
    in_empty_environment(|| Group::from_gid(gid))
}

/// Looks a group up by its name: getgrnam_r(3).
///
/// # Errors
/// The database did not answer.
pub fn group(name: &str) -> Result<Option<Group>, Errno> {
    in_empty_environment(|| Group::from_name(name))
}

/// Lists the groups of an account, the primary one included: getgrouplist(3).
///
/// # Errors
/// There is no room for the list.
pub fn groups(user: &CStr, primary: Gid) -> Result<Vec<Gid>, Errno> {
    in_empty_environment(|| getgrouplist(user, primary))
}

/// Asks one service of nsswitch.conf(5) for the groups of an account.
pub(crate) fn ask_for_groups(service: &str, user: &CStr) -> Answer {
    in_empty_environment(|| nss::ask_for_groups(service, user))
}

/// Gives the day when an account's password was changed, and the days that it may be kept. The outer `None` is an account
/// without an entry in shadow(5), the inner ones are fields that are empty.
#[allow(clippy::useless_conversion, reason = "c_long has 32 bits elsewhere")]
pub(crate) fn shadow_days(user: &CStr) -> Option<(Option<i64>, Option<i64>)> {
    let field = |days| Some(i64::from(days)).filter(|days| *days != -1);
    let (changed, longest) = in_empty_environment(|| nss::shadow_days(user))?;
    Some((field(changed), field(longest)))
}
