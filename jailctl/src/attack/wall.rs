//! The walls of a jail: which of them a plan raises, and how each answers.

use std::path::Path;

use jail::plan::{Plan, process::HandOver, steps::Step};
use jail_config::{Content, Landlock, Network, Seccomp};
use nix::errno::Errno;

/// What stops a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wall {
    /// The root directory: no path leads out of it.
    Root,
    /// The same, for a directory of the host's that `mounts` may show.
    Place(&'static str),
    /// Descriptors are closed before anything else is done.
    Descriptors,
    /// A pid namespace: no number means a process outside.
    Pids,
    /// A /proc of the session's own.
    Proc,
    /// An ipc namespace.
    Ipc,
    /// A network namespace.
    NetworkNamespace,
    /// Landlock's rules for TCP ports.
    Ports,
    /// Landlock: rules for files, and no tracing of processes outside.
    Landlock,
    /// Landlock's scope for signals.
    Signals,
    /// Landlock's scope for abstract sockets.
    AbstractSockets,
    /// The filter of system calls.
    Seccomp,
    /// The part of the filter that a host program behind PAM does not get.
    SeccompOfShell,
    /// The part of the filter that stands for a pid namespace where there is none.
    SeccompAmongOthers,
    /// The user's ids and the empty sets of capabilities.
    Privileges,
    /// The empty bounding set and the locked securebits.
    Bounds,
    /// no_new_privs.
    NoNewPrivs,
    /// nosuid and nodev on every mount.
    MountFlags,
    /// A session keyring of its own.
    Keyring,
}

impl Wall {
    /// Gives the name, which stays the same from release to release.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Wall::Root | Wall::Place(_) => "root",
            Wall::Descriptors => "closed-descriptors",
            Wall::Pids => "pid-namespace",
            Wall::Proc => "own-proc",
            Wall::Ipc => "ipc-namespace",
            Wall::NetworkNamespace => "network-namespace",
            Wall::Ports => "landlock-ports",
            Wall::Landlock | Wall::Signals | Wall::AbstractSockets => "landlock",
            Wall::Seccomp | Wall::SeccompOfShell | Wall::SeccompAmongOthers => "seccomp",
            Wall::Privileges => "privileges",
            Wall::Bounds => "bounding-set",
            Wall::NoNewPrivs => "no-new-privs",
            Wall::MountFlags => "mount-flags",
            Wall::Keyring => "session-keyring",
        }
    }

    /// Tells whether this is how the wall answers. No errno: what was found was not the host's.
    pub(crate) fn answers(self, errno: Option<Errno>) -> bool {
        let Some(errno) = errno else {
            return true;
        };
        let known: &[Errno] = match self {
            Wall::Root | Wall::Place(_) | Wall::Ipc => &[Errno::ENOENT, Errno::ENOTDIR],
            Wall::Proc => &[Errno::ENOENT, Errno::EROFS, Errno::ENOTDIR],
            Wall::Descriptors => &[Errno::EBADF],
            // EINVAL: pidfd_send_signal(2) for a process of no descendant namespace.
            Wall::Pids => &[Errno::ESRCH, Errno::ENOENT, Errno::EINVAL],
            Wall::NetworkNamespace => &[Errno::ECONNREFUSED, Errno::ENETUNREACH],
            Wall::Landlock | Wall::Signals | Wall::AbstractSockets => {
                &[Errno::EACCES, Errno::EPERM]
            }
            Wall::Ports => &[Errno::EACCES],
            Wall::Seccomp | Wall::SeccompOfShell | Wall::SeccompAmongOthers => &[
                Errno::EPERM,
                Errno::ENOSYS,
                Errno::EAFNOSUPPORT,
                Errno::EPROTONOSUPPORT,
            ],
            Wall::Privileges | Wall::Bounds | Wall::NoNewPrivs => &[Errno::EPERM, Errno::EACCES],
            Wall::MountFlags => &[Errno::EROFS, Errno::EACCES, Errno::EPERM],
            Wall::Keyring => &[Errno::ENOKEY],
        };
        known.contains(&errno)
    }

    /// Says why the wall does not stand in a jail of this plan; nothing where it does. `port` is what is connected to.
    pub(crate) fn lowered(self, plan: &Plan, port: u16) -> Option<String> {
        let behind_pam = || format!("behind PAM: no {}", self.name());
        let isolation = || "isolation = \"chroot\"".to_owned();
        let full = plan.world.view.is_some();
        let takes = |wanted: fn(&Step<'_>) -> bool| plan.steps().iter().any(wanted);
        let shell = matches!(plan.process.hand_over, HandOver::Shell(_));
        match self {
            Wall::Root | Wall::Privileges | Wall::Keyring => None,
            Wall::Place(path) => {
                let mut mounts = plan.world.view.iter().flat_map(|view| &view.mounts);
                let shown = mounts.find(|mount| Path::new(path).starts_with(&mount.source))?;
                Some(format!("mounts shows {}", shown.source.display()))
            }
            Wall::Descriptors => (!shell).then(|| {
                "behind PAM: the host program's own are closed when it starts another program"
                    .to_owned()
            }),
            Wall::Pids => match &plan.world.view {
                None => Some(isolation()),
                Some(_) => (!plan.world.has_pid_namespace()).then(behind_pam),
            },
            Wall::Proc => match &plan.world.view {
                None => Some(isolation()),
                Some(view) => (view.proc != Content::Private).then(|| "proc = \"root\"".to_owned()),
            },
            Wall::Ipc | Wall::MountFlags => (!full).then(isolation),
            Wall::NetworkNamespace => (plan.world.network != Network::None)
                .then(|| network(&plan.world.network).to_owned()),
            Wall::Ports => match &plan.world.network {
                Network::Ports {
                    connect: Some(ports),
                    ..
                } if !ports.contains(&port) => None,
                other => Some(network(other).to_owned()),
            },
            Wall::Landlock | Wall::Signals | Wall::AbstractSockets => {
                (plan.process.landlock == Landlock::Off).then(|| "landlock = \"off\"".to_owned())
            }
            Wall::Seccomp => {
                (plan.process.seccomp == Seccomp::Off).then(|| "seccomp = \"off\"".to_owned())
            }
            Wall::SeccompOfShell => match plan.process.seccomp {
                Seccomp::Off => Some("seccomp = \"off\"".to_owned()),
                Seccomp::Default => {
                    (!shell).then(|| "behind PAM: host programs call it".to_owned())
                }
            },
            Wall::SeccompAmongOthers => match plan.process.seccomp {
                Seccomp::Off => Some("seccomp = \"off\"".to_owned()),
                Seccomp::Default => plan
                    .world
                    .has_pid_namespace()
                    .then(|| "a pid namespace in its place".to_owned()),
            },
            Wall::Bounds => (!takes(|step| matches!(step, Step::BoundingSet))).then(behind_pam),
            Wall::NoNewPrivs => (!takes(|step| matches!(step, Step::NoNewPrivs))).then(behind_pam),
        }
    }
}

/// Gives what the config says of the network.
fn network(network: &Network) -> &'static str {
    match network {
        Network::Host => "network = \"host\"",
        Network::None => "network = \"none\"",
        Network::Ports { .. } => "network lists the port, or restricts no connections",
    }
}
