//! Why an account's facts could not be had.

use std::{error, fmt};

use nix::errno::Errno;

use super::services::Unanswered;

/// Why an account's facts could not be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdentityError {
    /// The database answered, and has no such account.
    Unknown(String),
    /// The database did not answer: not the same as "unknown".
    LookUp(&'static str, Errno),
    /// The name can't stand in passwd(5), and no rule could name it.
    Name(String),
    /// The database has this name with a uid that is not that of /etc/passwd, the last.
    OtherUid(String, u32, u32),
    /// The database has this name with the uid of another account, which is in /etc/passwd.
    TakenUid(String, u32, String),
    /// The database has, for an account of /etc/passwd, one of another name.
    Renamed(String, String),
    /// A group's list of members is longer than what is read.
    LongGroup(u32),
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
                "look up {what}: a service of /etc/nsswitch.conf does not answer ({}); \
                 mend the directory or its client (sssd, nslcd)",
                errno.desc()
            ),
            IdentityError::Name(name) => write!(
                f,
                "the account name {name:?} is empty, not UTF-8, or has a control character, a colon or a slash; \
                 see getent passwd, and rename the account"
            ),
            IdentityError::OtherUid(name, uid, own) => write!(
                f,
                "a name service says that {name:?} has uid {uid}, and /etc/passwd says {own}; \
                 see getent passwd {own}, and correct the one that is wrong"
            ),
            IdentityError::TakenUid(name, uid, owner) => write!(
                f,
                "a name service says that {name:?} has uid {uid}, which is that of {owner:?} in /etc/passwd; \
                 give the account a uid of its own"
            ),
            IdentityError::Renamed(name, other) => write!(
                f,
                "a name service answers {other:?} for {name:?}, which is an account of /etc/passwd; \
                 put files first in the line passwd of nsswitch.conf"
            ),
            IdentityError::LongGroup(gid) => write!(
                f,
                "group {gid} of the user has more members than are read (1 MiB of names), and a rule may be for it; \
                 have the directory leave the members out (ignore_group_members in sssd.conf), or name the user in [users]"
            ),
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
                "group {gid} of the user has no name, or that of another group of /etc/group, or its look-up failed, and a rule may be for it; \
                 see getent group {gid}, or name the user in [users]"
            ),
        }
    }
}

impl error::Error for IdentityError {}
