//! The second wall, Landlock: from here on a process opens what is below its root, and nothing else, whatever
//! descriptor, working directory or link leads there; and its signals and abstract sockets stay in the session.
//!
//! A root, changed by chroot(2) or pivot_root(2), is where paths start. It does not bind a directory descriptor from
//! outside, which an accomplice can send over a socket. Landlock asks where a file *is* when it is opened.
//!
//! What it does not stop, on any kernel so far: by way of a leaked directory descriptor, to look at metadata (stat,
//! readlink, access) and to change what the owner of a file may change of it (mode, times, extended attributes); before
//! ABI 9, also to connect to a socket in the file system. Lists of ports do not bind UDP, and a listener that asks for
//! no port gets a random one.

mod grade;

use std::{
    error::Error,
    io,
    os::fd::{BorrowedFd, OwnedFd},
};

use jail_config::{Landlock, Network};
use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, NetPort, PathBeneath, RestrictionStatus, Ruleset,
    RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
};
use nix::errno::Errno;
use rustix::{
    fs::{CWD, FileType, Mode, OFlags, fcntl_getfl, fstat, openat},
    stdio,
};

use crate::{
    fault::{StepFault, failed},
    plan::{Plan, process::SecondWall, world::Executables},
    process::program::Root,
    sys,
};

pub(crate) use grade::Standing;
use grade::judge;
pub use grade::{Kernel, Openings, Way};

/// The newest interface whose file rights we ask for: with all of them allowed below the root, a right more closes a
/// way out and no way inside.
const NEWEST: ABI = ABI::V9;

/// Asks the kernel at hand what it has.
#[must_use]
pub fn kernel() -> Kernel {
    match sys::landlock::abi() {
        Ok(abi) => Kernel::Abi(abi),
        Err(Errno::EOPNOTSUPP) => Kernel::NotEnabled,
        Err(_) => Kernel::Nothing,
    }
}

/// Says what of the second wall would stay open in a login by this plan, on the kernel at hand, and restricts nothing.
///
/// # Errors
/// The kernel lacks what the jail must have.
pub fn foresee(plan: &Plan) -> Result<Option<Openings>, StepFault> {
    match plan.landlock() {
        Some(wanted) => judge(wanted, kernel()).map(|standing| standing.open),
        None => Ok(None),
    }
}

/// Restricts this process and all it will start to what is below `/`, for good.
///
/// No mount can be changed after it. no_new_privs must be set, and the process must have one thread. Lists of ports
/// hold only together with [`install_ports`](crate::process::seccomp::install_ports).
///
/// # Errors
/// The kernel lacks what the jail must have, or it has it and refuses.
pub(crate) fn restrict(wanted: SecondWall<'_>) -> Result<Standing, StepFault> {
    if wanted.mode == Landlock::Off {
        return match wanted.network {
            Network::Host | Network::None => Ok(Standing {
                files: false,
                open: None,
            }),
            Network::Ports { .. } => Err(StepFault::Unfit(
                "a list of ports needs landlock".to_owned(),
            )),
        };
    }
    let ports = Ports::from(wanted.network);
    let inherited = [stdio::stdin(), stdio::stdout(), stdio::stderr()];
    let executable = wanted.executables.map(executed).transpose()?;
    let status = enforce(&open_root()?, executable.as_deref(), &inherited, &ports)
        .map_err(|error| StepFault::Failed(call(&error), errno(&error)))?;
    let standing = judge(wanted, Kernel::from(status.landlock))?;
    if standing.files && !in_force(&status) {
        return Err(StepFault::Unfit(
            "the Landlock rules did not come into force".to_owned(),
        ));
    }
    Ok(standing)
}

/// Opens what alone may be executed. Libraries need no right: they are mapped, which Landlock leaves to the mounts.
fn executed(wanted: &Executables) -> Result<Vec<OwnedFd>, StepFault> {
    let root = Root::current(None).map_err(|fault| StepFault::Unfit(fault.to_string()))?;
    let needed = root.needed(wanted)?.into_iter();
    let executed = needed.filter(|needed| needed.how.is_executed());
    Ok(executed.map(|needed| needed.file.into()).collect())
}

/// The ports of a jail's network, as Landlock's rules want them.
#[derive(Clone, Copy, Debug)]
struct Ports<'a> {
    connect: Option<&'a [u16]>,
    bind: Option<&'a [u16]>,
}

impl<'a> From<&'a Network> for Ports<'a> {
    fn from(network: &'a Network) -> Ports<'a> {
        let (connect, bind) = match network {
            Network::Host | Network::None => (None, None),
            Network::Ports { connect, bind } => (connect.as_deref(), bind.as_deref()),
        };
        Ports { connect, bind }
    }
}

impl Ports<'_> {
    fn lists(&self) -> impl Iterator<Item = (AccessNet, &[u16])> {
        let connect = self.connect.map(|ports| (AccessNet::ConnectTcp, ports));
        let bind = self.bind.map(|ports| (AccessNet::BindTcp, ports));
        connect.into_iter().chain(bind)
    }
}

/// Enforces what the kernel can do of it, and says what that was.
fn enforce(
    root: &OwnedFd,
    executable: Option<&[OwnedFd]>,
    inherited: &[BorrowedFd<'_>],
    ports: &Ports<'_>,
) -> Result<RestrictionStatus, RulesetError> {
    let all = AccessFs::from_all(NEWEST);
    let mut ruleset = Ruleset::default()
        .handle_access(all)?
        .scope(Scope::from_all(NEWEST))?;
    for (access, _) in ports.lists() {
        ruleset = ruleset.handle_access(access)?;
    }
    let mut ruleset = ruleset.create()?;
    let below_root = match executable {
        Some(_) => all & !BitFlags::from(AccessFs::Execute),
        None => all,
    };
    ruleset = ruleset.add_rule(PathBeneath::new(root, below_root))?;
    for file in executable.unwrap_or_default() {
        ruleset = ruleset.add_rule(PathBeneath::new(file, AccessFs::Execute))?;
    }
    for descriptor in inherited {
        allow_reopening(&mut ruleset, *descriptor)?;
    }
    for (access, list) in ports.lists() {
        for port in list {
            ruleset = ruleset.add_rule(NetPort::new(*port, access))?;
        }
    }
    ruleset.restrict_self()
}

/// Lets /dev/stdin, /dev/stdout and /dev/stderr be opened, as without a jail: the terminal or file that they are came
/// from outside and is not below the root. Each only the way it is open already, so nothing is gained by it.
fn allow_reopening(
    ruleset: &mut RulesetCreated,
    descriptor: BorrowedFd<'_>,
) -> Result<(), RulesetError> {
    let (Ok(stat), Ok(flags)) = (fstat(descriptor), fcntl_getfl(descriptor)) else {
        return Ok(());
    };
    let device = match FileType::from_raw_mode(stat.st_mode) {
        FileType::CharacterDevice => AccessFs::IoctlDev.into(),
        FileType::RegularFile => BitFlags::EMPTY,
        // Pipes and sockets are free to be opened anyway, directories are not accepted as descriptors 0 to 2.
        _ => return Ok(()),
    };
    let reading = AccessFs::ReadFile.into();
    // A file open for appending only may be a log: opened again it could be written over.
    let writing = match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile if flags.contains(OFlags::APPEND) => BitFlags::EMPTY,
        _ => AccessFs::WriteFile | AccessFs::Truncate,
    };
    let access = device
        | match flags & OFlags::RWMODE {
            OFlags::WRONLY => writing,
            OFlags::RDWR => reading | writing,
            _ => reading,
        };
    if access.is_empty() {
        return Ok(());
    }
    match ruleset.add_rule(PathBeneath::new(descriptor, access)) {
        Ok(_) => Ok(()),
        // A memfd: on no file system that a path could lead to, and free to be opened.
        Err(error) if errno(&error) == Errno::EBADFD => Ok(()),
        Err(error) => Err(error),
    }
}

fn in_force(status: &RestrictionStatus) -> bool {
    status.no_new_privs && status.ruleset != RulesetStatus::NotEnforced
}

fn open_root() -> Result<OwnedFd, StepFault> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat(CWD, "/", flags, Mode::empty()).map_err(failed("open /"))
}

/// Names the system call that failed.
fn call(error: &RulesetError) -> &'static str {
    match error {
        RulesetError::CreateRuleset(_) => "landlock_create_ruleset",
        RulesetError::AddRules(_) => "landlock_add_rule",
        RulesetError::RestrictSelf(_) => "landlock_restrict_self",
        _ => "landlock",
    }
}

/// Digs the errno out of the nested errors; EINVAL for one that no system call made.
fn errno(error: &RulesetError) -> Errno {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(number) = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::raw_os_error)
        {
            return Errno::from_raw(number);
        }
        cause = error.source();
    }
    Errno::EINVAL
}

#[cfg(test)]
mod tests;
