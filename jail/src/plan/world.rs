//! What a session sees: all that can be built without knowing what will run in it.

use std::path::{Path, PathBuf};

use jail_config::{
    Allowed, Base, Content, Create, Device, Disk, Isolation, Jail, Mount, Network, RootOwner,
    Scope, Service, Until,
};

use crate::plan::{allowed, request::Request};

/// What a session sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct World {
    /// The directory that becomes the root.
    pub root: PathBuf,
    /// Who may own that directory.
    pub root_owner: RootOwner,
    /// How root directory and home are made where they are missing; nothing where a login is refused then.
    pub create: Option<Create>,
    /// How much the user's files may take; nothing where that is not limited.
    pub disk: Option<Disk>,
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
    /// Services of the host that are reached by their sockets.
    pub services: Vec<Service>,
    /// Device nodes of the host in a private /dev.
    pub devices: Vec<Device>,
    /// Further entries of the host's /etc that `base = "host"` shows.
    pub etc: Vec<String>,
    /// Which logins share it.
    pub scope: Scope,
    /// When what lingers ends in a world that several logins share.
    pub until: Option<Until>,
    /// Whether processes may outlive the session's main process; of several sessions, that of the last.
    pub linger: bool,
    /// Whose processes /proc shows.
    pub processes: Processes,
    /// What alone may be executed; nothing where a shell is allowed, and so everything is.
    pub executables: Option<Executables>,
}

/// What alone may be executed in a session: these programs, their interpreters and loaders, and as libraries what they need.
/// Everything else is on mounts that are noexec, and Landlock refuses to execute it.
///
/// Without that, a program starts others by what the user has written: git by the hooks and the config of a repository, the
/// loader by its own argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Executables {
    /// Where they come from.
    pub from: From,
    /// Paths in the jail. Of each list the first that is there counts; none need be there.
    pub programs: Vec<Vec<PathBuf>>,
}

/// Where the programs of a list of commands come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// The root directory and its base.
    View,
    /// The host: the root need hold nothing but files. It has no system directories then, whose loader, preloaded libraries
    /// or name services would run in the server.
    Host,
}

impl Executables {
    /// Gives the sftp-server of the jail alone.
    pub(super) fn of_sftp() -> Executables {
        Executables {
            from: From::View,
            programs: allowed::programs(&Allowed::Sftp),
        }
    }

    /// Finds what a list takes; of it, only what this request takes, where one is known. `door_inside` is jail-shell's path where
    /// that is started inside.
    ///
    /// Otherwise a program that starts others, such as git, would start those of the other entries, with arguments that the
    /// list does not have.
    pub(super) fn of(
        list: &[Allowed],
        base: &Base,
        request: Option<&Request>,
        door_inside: Option<&Path>,
    ) -> Executables {
        let is_sftp = |entry: &Allowed| matches!(entry, Allowed::Sftp | Allowed::Scp);
        let from = match base {
            Base::None if list.iter().all(is_sftp) => From::Host,
            _ => From::View,
        };
        let door = door_inside.map(|path| vec![path.to_owned()]);
        let started = request.and_then(Request::starts_directly);
        let wanted = |programs: &Vec<Vec<PathBuf>>| {
            started
                .as_ref()
                .is_none_or(|paths| programs.contains(paths))
        };
        let entries = list.iter().map(allowed::programs).filter(wanted);
        let programs = entries.flatten().chain(door);
        Executables {
            from,
            programs: programs.collect(),
        }
    }
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
    pub(super) fn of(jail: Jail, processes: Processes, executables: Option<Executables>) -> World {
        let view = match jail.isolation {
            Isolation::Chroot => None,
            Isolation::Full => Some(View {
                base: jail.base,
                proc: jail.proc,
                dev: jail.dev,
                tmp: jail.tmp,
                mounts: jail.mounts,
                services: jail.services,
                devices: jail.devices,
                etc: jail.etc,
                scope: match (processes, &executables) {
                    (Processes::Own, None) => jail.scope,
                    // A program that starts others would start those of another session's list.
                    _ => Scope::Session,
                },
                until: jail.until,
                linger: jail.linger,
                processes,
                executables,
            }),
        };
        World {
            root: jail.root,
            root_owner: jail.root_owner,
            create: jail.create,
            disk: jail.disk,
            view,
            network: jail.network,
        }
    }

    /// Gives what alone may be executed; nothing where everything may be.
    #[must_use]
    pub fn executables(&self) -> Option<&Executables> {
        self.view.as_ref()?.executables.as_ref()
    }

    /// Tells whether the session has a pid namespace of its own, in which no number means a process outside.
    #[must_use]
    pub fn has_pid_namespace(&self) -> bool {
        let view = self.view.as_ref();
        view.is_some_and(|view| view.processes == Processes::Own)
    }
}
