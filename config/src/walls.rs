//! What a config says about the walls of a jail and the view inside them.

use std::path::PathBuf;

/// How an account is kept inside its root.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Isolation {
    /// Private namespaces and pivot_root(2).
    #[default]
    Full,
    /// chroot(2), for hosts that allow no namespaces.
    Chroot,
}

/// Where the system directories of a jail come from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Base {
    /// The root directory is the whole system.
    #[default]
    None,
    /// The host, with an /etc made for the account alone.
    Host,
    /// The tree in this directory of the host.
    Directory(PathBuf),
}

/// How much of the second wall there must be, see landlock(7).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Landlock {
    /// Files outside can't be opened and lists of ports hold, or the login is refused; the rest as far as the kernel can.
    #[default]
    Files,
    /// All of it, or the login is refused.
    Require,
    /// What the kernel can do, which may be nothing.
    BestEffort,
    /// Nothing.
    Off,
}

/// The filter of system calls, see seccomp(2).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Seccomp {
    /// The built-in list.
    #[default]
    Default,
    /// No filter.
    Off,
}

/// The network inside a jail.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Network {
    /// The host's.
    #[default]
    Host,
    /// An empty one.
    None,
    /// The host's, with some TCP ports only. `None` restricts nothing, an empty list allows nothing.
    /// The lists are sorted.
    Ports {
        /// The ports of others that may be connected to.
        connect: Option<Vec<u16>>,
        /// The ports that may be listened on.
        bind: Option<Vec<u16>>,
    },
}

/// What /proc, /dev or /tmp is inside a jail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// One that is made for the session.
    Private,
    /// Whatever the root directory has there.
    Root,
}

impl Content {
    /// Gives the default: chroot(2) can make nothing of its own.
    pub(crate) fn default_in(isolation: Isolation) -> Content {
        match isolation {
            Isolation::Full => Content::Private,
            Isolation::Chroot => Content::Root,
        }
    }
}

/// A directory, file or socket of the host that appears in a jail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// The directory, file or socket of the host.
    pub source: PathBuf,
    /// Where it appears, a path in the jail. Never `/` and never in `/proc` or `/dev`.
    pub target: PathBuf,
    /// What may be done in it.
    pub mode: MountMode,
}

/// What may be done in what is mounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MountMode {
    /// Reading.
    ReadOnly,
    /// Reading and writing.
    ReadWrite,
}

/// Which logins share one world: its processes, its /tmp, its sockets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Scope {
    /// Each login has one of its own.
    #[default]
    Session,
    /// All logins of a user share one.
    User,
}

/// Who may own a root directory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RootOwner {
    /// root alone.
    #[default]
    Root,
    /// The jailed user, too.
    User,
}
