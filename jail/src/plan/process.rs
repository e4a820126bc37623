//! What runs in a world: who becomes what, with which rights, and behind which walls.

use std::{
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
    time::Duration,
};

use jail_config::{
    AccountLimits, Allowed, Groups, Home, Jail, Landlock, Limits, Network, Record, Seccomp, Until,
    has_shell,
};

use crate::{
    account::identity::Identity,
    plan::{
        environment::{self, Variable},
        request::{Request, Start, What},
        world::{Executables, Processes},
    },
};

/// The program of a session, and what it is started with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Who goes on once all is done.
    pub hand_over: HandOver,
    /// The ids inside.
    pub ids: Ids,
    /// The groups inside that have a name.
    pub group_names: Vec<(u32, OsString)>,
    /// The resource limits that the config sets; the others are as the caller had them.
    pub limits: Limits,
    /// How many sessions the user may have open at a time; nothing where that is not limited.
    pub sessions: Option<u64>,
    /// What all processes of the account may use together; nothing where that is not limited.
    pub account: Option<AccountLimits>,
    /// Up to when it is let in, and may stay.
    pub until: Option<Until>,
    /// How much of the second wall there must be.
    pub landlock: Landlock,
    /// The filter of system calls.
    pub seccomp: Seccomp,
    /// The file mode creation mask.
    pub umask: u32,
    /// The environment, all but HOME.
    pub environment: Vec<Variable>,
    /// The working directory inside.
    pub home: Home,
    /// The shell, a path in the jail.
    pub shell: PathBuf,
    /// What alone may be started; nothing where a shell is allowed, and so anything is.
    pub commands: Option<Vec<Allowed>>,
    /// What is written about the session outside.
    pub record: Record,
    /// How long its terminal may be without input and output.
    pub idle: Option<Duration>,
    /// The program is an sftp-server, whose standard error is the record of its transfers.
    pub sftp_is_logged: bool,
}

/// Who goes on inside once all is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HandOver {
    /// This process becomes the jail's shell, with what it is to do.
    Shell(Request),
    /// The program that opened a PAM session goes on, as root still. Ids, groups, capabilities and environment are its
    /// own to set, and it stays outside of any new pid namespace. It may start the account's shell, a path of the host.
    HostProgram {
        /// pw_shell.
        login_shell: PathBuf,
        /// pw_dir, where it goes, or to `/`.
        home: PathBuf,
    },
}

/// User, group and supplementary groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ids {
    /// Real, effective and saved user ID.
    pub uid: u32,
    /// Real, effective and saved group ID.
    pub gid: u32,
    /// Supplementary groups, ascending, each once.
    pub groups: Vec<u32>,
}

impl Ids {
    /// Takes those of an account, with all its groups.
    #[must_use]
    pub fn of(identity: &Identity) -> Ids {
        Ids::with_groups(identity, identity.groups.clone())
    }

    fn with_groups(identity: &Identity, mut groups: Vec<u32>) -> Ids {
        groups.sort_unstable();
        groups.dedup();
        Ids {
            uid: identity.uid,
            gid: identity.gid,
            groups,
        }
    }

    /// Tells whether a group is the primary or one of the supplementary ones.
    #[must_use]
    pub fn has_group(&self, gid: u32) -> bool {
        self.gid == gid || self.groups.contains(&gid)
    }
}

/// What a jail asks of Landlock, and which walls stand beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecondWall<'a> {
    /// How much of it there must be.
    pub mode: Landlock,
    /// The network inside, whose lists of ports it enforces.
    pub network: &'a Network,
    /// Whose processes the session sees; nothing with chroot(2), which leaves that to the root.
    pub processes: Option<Processes>,
    /// What alone may be executed.
    pub executables: Option<&'a Executables>,
}

/// Gives the list of commands of a jail that allows no shell.
#[must_use]
pub fn only(jail: &Jail) -> Option<&[Allowed]> {
    let list = jail.commands.as_deref();
    list.filter(|list| !has_shell(Some(list)))
}

impl Process {
    /// Takes what a jail says of it. `inherited` is the caller's environment.
    pub(super) fn of(
        jail: &Jail,
        identity: &Identity,
        hand_over: HandOver,
        inherited: impl IntoIterator<Item = Variable>,
    ) -> Process {
        let ids = match jail.groups {
            Groups::Keep => Ids::of(identity),
            Groups::Primary => Ids::with_groups(identity, vec![identity.gid]),
        };
        let mut group_names = identity.named_groups();
        group_names.retain(|(gid, _)| ids.groups.contains(gid));
        let mut environment = environment::build(&jail.env, identity, &jail.shell, inherited);
        if let HandOver::Shell(Request {
            what: What::Direct(direct),
            ..
        }) = &hand_over
        {
            environment.retain(|(name, _)| direct.environment.iter().all(|(own, _)| own != name));
            environment.extend_from_slice(&direct.environment);
        }
        Process {
            hand_over,
            ids,
            group_names,
            limits: jail.limits,
            sessions: jail.limits.sessions(),
            account: jail.limits.of_account(),
            until: jail.until,
            landlock: jail.landlock,
            seccomp: jail.seccomp,
            umask: jail.umask,
            environment,
            home: jail.home.clone(),
            shell: jail.shell.clone(),
            commands: only(jail).map(<[Allowed]>::to_vec),
            record: jail.record,
            idle: jail.idle,
            sftp_is_logged: false,
        }
    }

    /// Says whose processes it sees in a view of its own.
    pub(super) fn sees(&self) -> Processes {
        match self.hand_over {
            HandOver::Shell(_) => Processes::Own,
            HandOver::HostProgram { .. } => Processes::Traceable,
        }
    }

    /// Gives what the shell is asked for, where the jail's shell is who goes on.
    #[must_use]
    pub fn request(&self) -> Option<&Request> {
        match &self.hand_over {
            HandOver::Shell(request) => Some(request),
            HandOver::HostProgram { .. } => None,
        }
    }

    /// Tells whether a session without a terminal would escape the recording: whatever reads commands.
    #[must_use]
    pub fn needs_terminal(&self) -> bool {
        let what = self.request().map(|request| &request.what);
        let reads = matches!(what, Some(What::Shell | What::Command { .. }));
        reads && self.record.recording().is_some()
    }

    /// Says what is started where no sftp-server is asked for; nothing behind PAM.
    #[must_use]
    pub fn start(&self) -> Option<Start> {
        let request = self.request()?;
        Some(request.start(&self.shell, &self.shell, None))
    }

    /// Gives the directory in the jail that the session starts in. A host program goes to the account's own home, unless it starts
    /// jail-shell there.
    #[must_use]
    pub fn starts_in(&self) -> &Path {
        match (&self.hand_over, &self.home) {
            (HandOver::HostProgram { home, .. }, _) if self.door_inside().is_none() => home,
            (_, Home::Set(home) | Home::Default(home)) => home,
        }
    }

    /// Gives the path of jail-shell where that is the account's login shell, and so will be started in the jail.
    pub(crate) fn door_inside(&self) -> Option<&Path> {
        match &self.hand_over {
            HandOver::HostProgram { login_shell, .. } => Some(login_shell.as_path())
                .filter(|shell| shell.file_name() == Some(OsStr::new("jail-shell"))),
            HandOver::Shell(_) => None,
        }
    }
}
