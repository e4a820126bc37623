//! What a session sees: all that can be built without knowing what will run in it.

use std::path::PathBuf;

use jail_config::{Base, Content, Isolation, Jail, Mount, Network, RootOwner};

/// What a session sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct World {
    /// The directory that becomes the root.
    pub root: PathBuf,
    /// Who may own that directory.
    pub root_owner: RootOwner,
    /// The session's own view of the machine; without one, the root is changed by chroot(2) and nothing else is.
    pub view: Option<View>,
    /// The network inside.
    pub network: Network,
}

/// What a fully isolated session sees: private mount, pid, ipc and uts namespaces, and a root put together for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// Where the system directories come from.
    pub base: Base,
    /// What /proc is.
    pub proc: Content,
    /// What /dev is.
    pub dev: Content,
    /// What /tmp is.
    pub tmp: Content,
    /// Further directories, files and sockets of the host.
    pub mounts: Vec<Mount>,
    /// Further entries of the host's /etc that `base = "host"` shows.
    pub etc: Vec<String>,
    /// Whether processes may outlive the session's main process.
    pub linger: bool,
    /// Whose processes /proc shows.
    pub processes: Processes,
}

/// Whose processes /proc shows, and whose ids the files of a new root get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Processes {
    /// The session's own: it has a pid namespace.
    Own,
    /// Those of the host that the session may trace. Behind Landlock that is its own again.
    Traceable,
}

impl World {
    /// Takes what a jail says of it.
    pub(super) fn of(jail: Jail, processes: Processes) -> World {
        let view = match jail.isolation {
            Isolation::Chroot => None,
            Isolation::Full => Some(View {
                base: jail.base,
                proc: jail.proc,
                dev: jail.dev,
                tmp: jail.tmp,
                mounts: jail.mounts,
                etc: jail.etc,
                linger: jail.linger,
                processes,
            }),
        };
        World {
            root: jail.root,
            root_owner: jail.root_owner,
            view,
            network: jail.network,
        }
    }

    /// Tells whether the session has a pid namespace of its own, in which no number means a process outside.
    #[must_use]
    pub fn has_pid_namespace(&self) -> bool {
        let view = self.view.as_ref();
        view.is_some_and(|view| view.processes == Processes::Own)
    }
}
