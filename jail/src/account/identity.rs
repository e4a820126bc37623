//! Who logs in: the frozen facts of an account.
//!
//! All look-ups through NSS happen here, before the root changes: a look-up after it would load the jail's
//! nsswitch.conf and libraries as root (CVE-2025-32463).

use std::{
    ffi::{CString, OsStr, OsString},
    os::unix::ffi::OsStrExt,
    path::PathBuf,
};

use jail_config::Account;
use nix::{
    errno::Errno,
    unistd::{Gid, Uid, User, getgroups, getuid},
};

pub use super::identity_error::IdentityError;

use super::{
    local::{Contradiction, Local},
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

impl Identity {
    /// Looks up the account of the real user ID. Of the caller's process it believes that ID and the supplementary
    /// groups, which nobody but root can have set, and nothing else.
    ///
    /// The groups are the kernel's, not getgrouplist(3)'s: the login program has just set them, from the same
    /// database and whatever else PAM adds (pam_group), and asking for them again loads every NSS module that the
    /// host has, at a quarter of the whole login's cost. Some may be missing: see [`Identity::with_listed_groups`].
    /// Names have only those of /etc/group and the primary one: see [`Identity::with_names`].
    ///
    /// Where accounts share a uid, the first one getpwuid(3) finds is meant: the kernel knows no other name. See
    /// [`Identity::refuse_shared_uid`].
    ///
    /// # Errors
    /// No such account, the database did not answer, or it contradicts /etc/passwd.
    pub fn caller() -> Result<Identity, IdentityError> {
        let uid = getuid();
        let user = names::user_of(uid)
            .map_err(|errno| IdentityError::LookUp("the caller's uid", errno))?
            .ok_or_else(|| IdentityError::Unknown(format!("uid {uid}")))?;
        let groups =
            getgroups().map_err(|errno| IdentityError::LookUp("the caller's groups", errno))?;
        Identity::of(user, groups, &local()?)
    }

    /// Looks up an account by a name that PAM has, in bytes, and of its groups the primary one alone.
    ///
    /// # Errors
    /// As [`Identity::named`], or the name is not UTF-8.
    pub fn of_name(name: &OsStr) -> Result<Identity, IdentityError> {
        let text = name
            .to_str()
            .ok_or_else(|| IdentityError::Name(name.to_string_lossy().into_owned()))?;
        Identity::of_name_in(text, &local()?)
    }

    fn of_name_in(text: &str, local: &Local) -> Result<Identity, IdentityError> {
        let user = names::user(text)
            .map_err(|errno| IdentityError::LookUp("the user's name", errno))?
            .ok_or_else(|| IdentityError::Unknown(format!("user {text:?}")))?;
        // A service may answer with the name as it spells it.
        if user.name != text && local.uid_of(text).is_some() {
            return Err(IdentityError::Renamed(text.to_owned(), user.name));
        }
        Identity::of(user, Vec::new(), local)
    }

    /// Looks up an account by name with all its groups, for the administrator.
    ///
    /// # Errors
    /// No such account, the database did not answer, or it contradicts /etc/passwd.
    pub fn named(name: &str) -> Result<Identity, IdentityError> {
        Identity::of_name(OsStr::new(name))?.with_listed_groups()
    }

    /// Does the same as [`Identity::named`] for one of many, without asking whether each service has said which groups.
    ///
    /// # Errors
    /// As there.
    pub fn one_of_many(name: &str, local: &Local) -> Result<Identity, IdentityError> {
        Identity::of_name_in(name, local)?.with_groups_in(local)
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

    /// Adds the groups that the account database lists, and asks whether each service has said which. The kernel's alone can be
    /// too few to decide by: `su` asks for them with the environment of whoever called it, and a service that is down gives none.
    ///
    /// # Errors
    /// The database did not answer.
    pub fn with_listed_groups(&self) -> Result<Identity, IdentityError> {
        let mut identity = self.with_groups()?;
        identity.unanswered = services::unanswered(&c_string(&self.name)?);
        Ok(identity)
    }

    /// Adds the groups that the account database lists. A service that does not answer is left out without a word.
    ///
    /// # Errors
    /// The database did not answer.
    pub fn with_groups(&self) -> Result<Identity, IdentityError> {
        self.with_groups_in(&local()?)
    }

    fn with_groups_in(&self, local: &Local) -> Result<Identity, IdentityError> {
        let listed = names::groups(&c_string(&self.name)?, Gid::from_raw(self.gid))
            .map_err(|errno| IdentityError::LookUp("the user's groups", errno))?;
        let mut identity = self.clone();
        for gid in listed.into_iter().map(Gid::as_raw) {
            if !identity.groups.contains(&gid) {
                identity.groups.push(gid);
            }
        }
        identity.with_names_in(local)
    }

    /// Looks up the names of the groups that have none yet.
    ///
    /// # Errors
    /// The database did not answer.
    pub fn with_names(self) -> Result<Identity, IdentityError> {
        self.with_names_in(&local()?)
    }

    fn with_names_in(mut self, local: &Local) -> Result<Identity, IdentityError> {
        self.unnamed_group = None;
        for gid in self.groups.clone() {
            if !self.group_ids.contains(&gid) {
                self.name_group(gid, group_name(gid, local)?);
            }
        }
        Ok(self)
    }

    /// Adds the groups of /etc/group, for which no service is asked. Nothing where the account is not one of /etc/passwd: more of
    /// its groups are elsewhere.
    ///
    /// # Errors
    /// A file can't be read.
    pub fn with_local_groups(&self) -> Result<Option<Identity>, IdentityError> {
        let local = local()?;
        let name = self.name.to_str().unwrap_or_default();
        if local.uid_of(name) != Some(self.uid) {
            return Ok(None);
        }
        let mut identity = self.clone();
        for gid in local.groups_with(name) {
            if !identity.groups.contains(&gid) {
                identity.groups.push(gid);
                identity.name_group(gid, local.group_of(gid).map(OsString::from));
            }
        }
        Ok(Some(identity))
    }

    /// Keeps the groups that another has of the same account.
    pub(crate) fn with_groups_of(mut self, other: &Identity) -> Identity {
        let named = self.named_groups();
        let kept = named
            .into_iter()
            .filter(|(gid, _)| other.groups.contains(gid));
        (self.group_ids, self.group_names) = kept.unzip();
        self.groups.clone_from(&other.groups);
        self
    }

    fn name_group(&mut self, gid: u32, name: Option<OsString>) {
        match name {
            Some(name) => {
                self.group_names.push(name);
                self.group_ids.push(gid);
            }
            None => self.unnamed_group = Some(gid),
        }
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

    /// Takes an account and ids of groups. A name has the primary group, and each that /etc/group names.
    fn of(user: User, groups: Vec<Gid>, local: &Local) -> Result<Identity, IdentityError> {
        if !is_fit(&user.name) {
            return Err(IdentityError::Name(user.name));
        }
        let (uid, gid) = (user.uid.as_raw(), user.gid.as_raw());
        match local.contradicts(&user.name, uid) {
            None => {}
            Some(Contradiction::Name(own)) => {
                return Err(IdentityError::OtherUid(user.name, uid, own));
            }
            Some(Contradiction::Uid(owner)) => {
                return Err(IdentityError::TakenUid(user.name, uid, owner));
            }
        }
        let mut identity = Identity {
            name: user.name.into(),
            uid,
            gid,
            group: OsString::new(),
            groups: groups.into_iter().map(Gid::as_raw).collect(),
            group_names: Vec::new(),
            group_ids: Vec::new(),
            unnamed_group: None,
            unanswered: None,
            home: user.dir,
            shell: shell_of(user.shell),
        };
        if !identity.groups.contains(&gid) {
            identity.groups.push(gid);
        }
        for one in identity.groups.clone() {
            let name = if one == gid {
                group_name(one, local)?
            } else {
                local.group_of(one).map(OsString::from)
            };
            if let (true, Some(name)) = (one == gid, &name) {
                identity.group.clone_from(name);
            }
            identity.name_group(one, name);
        }
        Ok(identity)
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

    /// Gives the groups that have a name, with it, in the order of their ids: each way in lists them in its own.
    pub(crate) fn named_groups(&self) -> Vec<(u32, OsString)> {
        let ids = self.group_ids.iter().copied();
        let mut named: Vec<_> = ids.zip(self.group_names.iter().cloned()).collect();
        named.sort();
        named
    }

    /// Tells whether the account is one of /etc/passwd, and of no directory.
    ///
    /// # Errors
    /// The file can't be read.
    pub fn is_local(&self) -> Result<bool, IdentityError> {
        let name = self.name.to_str().unwrap_or_default();
        Ok(local()?.uid_of(name) == Some(self.uid))
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

/// Looks a group's name up, in /etc/group first; a group without an entry is no error, and no rule can name it. The same goes for
/// one that has the name of another group of this machine.
fn group_name(gid: u32, local: &Local) -> Result<Option<OsString>, IdentityError> {
    if let Some(name) = local.group_of(gid) {
        return Ok(Some(name.into()));
    }
    if let Some(heard) = local.heard.borrow().get(&gid) {
        return Ok(heard.clone());
    }
    let group = names::group_of(Gid::from_raw(gid)).map_err(|errno| match errno {
        Errno::ERANGE => IdentityError::LongGroup(gid),
        other => IdentityError::LookUp("a group's name", other),
    })?;
    let name = group
        .map(|group| group.name)
        .filter(|name| is_fit(name) && !local.has_other_group(name, gid))
        .map(OsString::from);
    local.heard.borrow_mut().insert(gid, name.clone());
    Ok(name)
}

/// Tells whether a name can stand in a file of accounts. nix replaces what is not UTF-8: a rule for the replaced name would be a
/// rule for somebody else.
fn is_fit(name: &str) -> bool {
    let is_unfit =
        |one: char| one.is_control() || [':', '/', char::REPLACEMENT_CHARACTER].contains(&one);
    !name.is_empty() && !name.contains(is_unfit)
}

fn local() -> Result<Local, IdentityError> {
    Local::read()
        .map_err(|errno| IdentityError::LookUp("the files passwd and group of /etc", errno))
}

fn c_string(name: &OsStr) -> Result<CString, IdentityError> {
    CString::new(name.as_bytes())
        .map_err(|_| IdentityError::Name(name.to_string_lossy().into_owned()))
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
