//! Who logs in: the frozen facts of an account.
//!
//! All look-ups through NSS happen here, before the root changes: a look-up after it would load the jail's
//! nsswitch.conf and libraries as root (CVE-2025-32463).

use std::{
    error,
    ffi::{CString, OsStr, OsString},
    fmt,
    os::unix::ffi::OsStrExt,
    path::PathBuf,
};

use jail_config::Account;
use nix::{
    errno::Errno,
    unistd::{Gid, Uid, User, getgroups, getuid},
};

use super::{
    names,
    services::{self, Unanswered},
};

/// The facts of one account, as the account database had them when they were asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// pw_name.
    pub name: OsString,
    /// pw_uid.
    pub uid: u32,
    /// pw_gid.
    pub gid: u32,
    /// The name of the primary group; empty where it has none.
    pub group: OsString,
    /// All groups, the primary one included.
    pub groups: Vec<u32>,
    /// The names of those groups that have one.
    pub group_names: Vec<OsString>,
    /// The ids of the groups in `group_names`, in the same order.
    pub group_ids: Vec<u32>,
    /// A group that has none: it has no entry, or asking for it failed, which glibc does not always tell apart.
    pub unnamed_group: Option<u32>,
    /// A service of NSS that was not to be had, and may know of more groups.
    pub unanswered: Option<Unanswered>,
    /// pw_dir, a path of the host.
    pub home: PathBuf,
    /// pw_shell, a path of the host; `/bin/sh` where the field is empty, as passwd(5) has it.
    pub shell: PathBuf,
}

/// Why an account's facts could not be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdentityError {
    /// The database answered, and has no such account.
    Unknown(String),
    /// The database did not answer: not the same as "unknown".
    LookUp(&'static str, Errno),
    /// The name is not UTF-8 or has a NUL; no rule could name it.
    Name(String),
    /// Another account has the same uid, and the caller is known by its name.
    SharedUid(String),
    /// A service that may know of more groups was not to be had, and no other rule than one by group could decide.
    Unanswered(Unanswered),
    /// A group has no name, and no other rule than one by group could decide.
    UnnamedGroup(u32),
}

impl fmt::Display for IdentityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            IdentityError::Unknown(who) => {
                write!(
                    f,
                    "look up {who}: there is no such account; see getent passwd"
                )
            }
            IdentityError::LookUp(what, errno) => write!(
                f,
                "look up {what}: {}; see nsswitch.conf and its services",
                errno.desc()
            ),
            IdentityError::Name(name) => write!(f, "the account name {name:?} is not UTF-8"),
            IdentityError::SharedUid(other) => write!(
                f,
                "the account {other:?} has the same uid, and the kernel can't tell them apart; give each a uid of its own"
            ),
            IdentityError::Unanswered(service) => write!(
                f,
                "look up the user's groups: {service}, and a rule may be for a group that it knows; \
                 mend it, or name the user in [users] or exempt"
            ),
            IdentityError::UnnamedGroup(gid) => write!(
                f,
                "group {gid} of the user has no name, or its look-up failed, and a rule may be for it; \
                 see getent group {gid}, or name the user in [users]"
            ),
        }
    }
}

impl error::Error for IdentityError {}

impl Identity {
    /// Looks up the account of the real user ID. Of the caller's process it believes that ID and the supplementary
    /// groups, which nobody but root can have set, and nothing else.
    ///
    /// The groups are the kernel's, not getgrouplist(3)'s: the login program has just set them, from the same
    /// database and whatever else PAM adds (pam_group), and asking for them again loads every NSS module that the
    /// host has, at a quarter of the whole login's cost. Some may be missing: see [`Identity::with_listed_groups`].
    ///
    /// Where accounts share a uid, the first one getpwuid(3) finds is meant: the kernel knows no other name. See
    /// [`Identity::refuse_shared_uid`].
    ///
    /// # Errors
    /// No such account, or the database did not answer.
    pub fn caller() -> Result<Identity, IdentityError> {
        let uid = getuid();
        let user = names::user_of(uid)
            .map_err(|errno| IdentityError::LookUp("the caller's uid", errno))?
            .ok_or_else(|| IdentityError::Unknown(format!("uid {uid}")))?;
        let groups =
            getgroups().map_err(|errno| IdentityError::LookUp("the caller's groups", errno))?;
        Identity::of(user, groups)
    }

    /// Looks up an account by a name that PAM has, in bytes.
    ///
    /// # Errors
    /// As [`Identity::named`], or the name is not UTF-8.
    pub fn of_name(name: &OsStr) -> Result<Identity, IdentityError> {
        let text = name
            .to_str()
            .ok_or_else(|| IdentityError::Name(name.to_string_lossy().into_owned()))?;
        Identity::named(text)
    }

    /// Looks up an account by name, for PAM and for the administrator.
    ///
    /// # Errors
    /// No such account, or the database did not answer.
    pub fn named(name: &str) -> Result<Identity, IdentityError> {
        let user = names::user(name)
            .map_err(|errno| IdentityError::LookUp("the user's name", errno))?
            .ok_or_else(|| IdentityError::Unknown(format!("user {name:?}")))?;
        let name = CString::new(user.name.as_bytes())
            .map_err(|_| IdentityError::Name(user.name.clone()))?;
        let groups = names::groups(&name, user.gid)
            .map_err(|errno| IdentityError::LookUp("the user's groups", errno))?;
        let mut identity = Identity::of(user, groups)?;
        identity.unanswered = services::unanswered(&name);
        Ok(identity)
    }

    /// Makes an account up, for tests: nothing is looked up. Its one group has its own name and number.
    #[cfg(any(test, feature = "example"))]
    #[must_use]
    pub fn example(name: &str, id: u32) -> Identity {
        Identity {
            name: name.into(),
            uid: id,
            gid: id,
            group: name.into(),
            groups: vec![id],
            group_names: vec![name.into()],
            group_ids: vec![id],
            unnamed_group: None,
            unanswered: None,
            home: format!("/home/{name}").into(),
            shell: "/bin/sh".into(),
        }
    }

    /// Adds the groups that the account database lists. The kernel's alone can be too few to decide by: `su` asks for them
    /// with the environment of whoever called it, and a service that is down gives none.
    ///
    /// # Errors
    /// The database did not answer.
    pub fn with_listed_groups(&self) -> Result<Identity, IdentityError> {
        let name = CString::new(self.name.as_bytes())
            .map_err(|_| IdentityError::Name(self.name.to_string_lossy().into_owned()))?;
        let listed = names::groups(&name, Gid::from_raw(self.gid))
            .map_err(|errno| IdentityError::LookUp("the user's groups", errno))?;
        let mut identity = self.clone();
        for gid in listed {
            if identity.groups.contains(&gid.as_raw()) {
                continue;
            }
            identity.groups.push(gid.as_raw());
            match group_name(gid)? {
                Some(group) => {
                    identity.group_names.push(group);
                    identity.group_ids.push(gid.as_raw());
                }
                None => identity.unnamed_group = Some(gid.as_raw()),
            }
        }
        identity.unanswered = services::unanswered(&name);
        Ok(identity)
    }

    /// Refuses a caller whom the login program calls by the name of another account with the same uid: a rule for that
    /// name would be without effect. `called` is USER or LOGNAME, believed for a refusal only.
    ///
    /// # Errors
    /// [`IdentityError::SharedUid`], or the database did not answer.
    pub fn refuse_shared_uid(&self, called: Option<&OsStr>) -> Result<(), IdentityError> {
        let Some(name) = called
            .and_then(OsStr::to_str)
            .filter(|name| self.name != *name)
        else {
            return Ok(());
        };
        match names::user(name).map_err(|errno| IdentityError::LookUp("USER", errno))? {
            Some(other) if other.uid.as_raw() == self.uid => {
                Err(IdentityError::SharedUid(other.name))
            }
            _ => Ok(()),
        }
    }

    fn of(user: User, mut groups: Vec<Gid>) -> Result<Identity, IdentityError> {
        // nix replaces what is not UTF-8; a rule for the replaced name would be a rule for somebody else.
        if user.name.contains(char::REPLACEMENT_CHARACTER) {
            return Err(IdentityError::Name(user.name));
        }
        if !groups.contains(&user.gid) {
            groups.push(user.gid);
        }
        let mut group_names = Vec::with_capacity(groups.len());
        let mut group_ids = Vec::with_capacity(groups.len());
        let mut primary = OsString::new();
        let mut unnamed_group = None;
        for gid in &groups {
            let Some(group) = group_name(*gid)? else {
                unnamed_group = Some(gid.as_raw());
                continue;
            };
            if *gid == user.gid {
                primary.clone_from(&group);
            }
            group_names.push(group);
            group_ids.push(gid.as_raw());
        }
        Ok(Identity {
            name: user.name.into(),
            uid: user.uid.as_raw(),
            gid: user.gid.as_raw(),
            group: primary,
            groups: groups.into_iter().map(Gid::as_raw).collect(),
            group_names,
            group_ids,
            unnamed_group,
            unanswered: None,
            home: user.dir,
            shell: shell_of(user.shell),
        })
    }

    /// Gives the facts that the config decides by.
    #[must_use]
    pub fn account(&self) -> Account<'_> {
        Account {
            name: &self.name,
            uid: self.uid,
            gid: self.gid,
            group: &self.group,
            groups: &self.group_names,
            home: &self.home,
        }
    }

    /// Gives the groups that have a name, with it.
    pub(crate) fn named_groups(&self) -> Vec<(u32, OsString)> {
        self.group_ids
            .iter()
            .copied()
            .zip(self.group_names.iter().cloned())
            .collect()
    }

    /// Tells whether the account is uid 0, which is never jailed.
    #[must_use]
    pub fn is_root(&self) -> bool {
        Uid::from_raw(self.uid).is_root()
    }
}

/// Gives the program that login programs start for a shell field.
fn shell_of(field: PathBuf) -> PathBuf {
    if field.as_os_str().is_empty() {
        PathBuf::from("/bin/sh")
    } else {
        field
    }
}

/// Looks a group's name up; a group without an entry is no error, and no rule can name it.
fn group_name(gid: Gid) -> Result<Option<OsString>, IdentityError> {
    let group =
        names::group_of(gid).map_err(|errno| IdentityError::LookUp("a group's name", errno))?;
    Ok(group
        .map(|group| group.name)
        .filter(|name| !name.contains(char::REPLACEMENT_CHARACTER))
        .map(OsString::from))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Identity, IdentityError, shell_of};

    #[test]
    fn an_empty_shell_field_is_bin_sh() {
        assert_eq!(shell_of("".into()), Path::new("/bin/sh"));
        assert_eq!(shell_of("/bin/bash".into()), Path::new("/bin/bash"));
    }

    #[test]
    fn finds_root_by_name() {
        let root = Identity::named("root").unwrap();
        assert!(root.is_root());
        assert_eq!(root.group, "root");
        assert!(root.groups.contains(&0));
    }

    #[test]
    fn tells_an_unknown_account_from_a_failed_look_up() {
        assert!(matches!(
            Identity::named("no-such-user-here"),
            Err(IdentityError::Unknown(_))
        ));
    }
}
