//! What all processes of an account may use together: memory, tasks, processors and disks, by cgroups of version 2.
//!
//! With systemd the account's slice has the limits, whatever of it is a session or not. A process that is not in the slice, as one
//! of cron's or of `su` by root, is moved into a scope there. Without systemd the account has a cgroup of login-jail's own. Either
//! way the kernel is asked afterwards what is in force: nobody is let in by what somebody has answered.

mod bus;
pub mod kills;
pub mod message;
pub mod read;
mod systemd;
mod tree;

use std::{
    fmt, fs,
    io::{self, Read, Seek, Write},
    os::fd::OwnedFd,
    thread::sleep,
    time::{Duration, Instant},
};

use jail_config::AccountLimits;
use nix::unistd::getpid;
use rustix::{
    fs::{Mode, OFlags, open},
    io::Errno,
};

use crate::{
    fault::{StepFault, errno_of_io, expect_in_force, failed},
    process::cgroup::{kills::Kills, read::InForce, tree::Tree},
};

/// How long systemd may take for it.
const LONGEST: Duration = Duration::from_secs(5);

/// How often to look whether it is done.
const PAUSE: Duration = Duration::from_millis(1);

/// The cgroup of an account, which has all its processes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cgroup {
    /// The account's slice, which systemd has.
    Slice(String),
    /// A cgroup of login-jail's own, by its path in the hierarchy.
    Own(String),
}

impl Cgroup {
    /// Gives the one of an account, whether it exists or not.
    #[must_use]
    pub fn of(uid: u32) -> Cgroup {
        match systemd::is_init() {
            true => Cgroup::Slice(format!("user-{uid}.slice")),
            false => Cgroup::Own(format!("/login-jail/user-{uid}")),
        }
    }

    /// Gives its path in the hierarchy.
    fn path(&self) -> String {
        match self {
            Cgroup::Slice(slice) => format!("/user.slice/{slice}"),
            Cgroup::Own(path) => path.clone(),
        }
    }

    /// Tells whether a path is its own or one below it.
    fn has(&self, path: &str) -> bool {
        let below = path.strip_prefix(self.path().as_str());
        below.is_some_and(|below| below.is_empty() || below.starts_with('/'))
    }
}

impl fmt::Display for Cgroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cgroup::Slice(slice) => write!(f, "systemd's {slice}"),
            Cgroup::Own(path) => write!(f, "the cgroup {}{path}", tree::MOUNT),
        }
    }
}

/// What the processes of an account use now. Nothing is known of what is not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Memory, in bytes.
    pub memory: Option<u64>,
    /// Processes and threads.
    pub tasks: Option<u64>,
}

/// Reads what an account uses.
///
/// # Errors
/// There are no cgroups of version 2.
pub fn usage(uid: u32) -> Result<Usage, StepFault> {
    let (tree, group) = (Tree::open()?, Cgroup::of(uid).path());
    let number =
        |name| Ok::<_, StepFault>(tree.text(&group, name)?.as_deref().and_then(read::limit));
    Ok(Usage {
        memory: number("memory.current")?,
        tasks: number("pids.current")?,
    })
}

/// Looks whether this machine can limit what is wanted, and changes nothing.
///
/// # Errors
/// It can't: what is missing, and what mends it.
pub fn foresee(limits: &AccountLimits) -> Result<(), StepFault> {
    Tree::open()?.expect_controllers(limits)
}

/// Puts this process among those of an account, all of which are limited together from then on.
///
/// # Errors
/// A limit is not in force; which, and where.
pub(crate) fn limit(uid: u32, limits: &AccountLimits) -> Result<Kills, StepFault> {
    let tree = Tree::open()?;
    tree.expect_controllers(limits)?;
    let wanted = InForce::wanted(limits);
    let group = Cgroup::of(uid);
    let deadline = Instant::now() + LONGEST;
    let is_inside = group.has(&expect_own_path()?);
    match &group {
        Cgroup::Slice(slice) => {
            if !is_inside || !tree.own(&group.path())?.is(&wanted) {
                systemd::set(slice, &wanted, !is_inside, deadline)?;
            }
        }
        Cgroup::Own(path) => {
            for (end, _) in path.match_indices('/').skip(1) {
                tree.make(path.get(..end).unwrap_or_default(), limits)?;
            }
            tree.make(path, limits)?;
            tree.set(path, &wanted)?;
            tree.enter(path)?;
        }
    }
    loop {
        let own = expect_own_path()?;
        let Some(why) = why_not(&tree, &group, &own, &wanted)? else {
            return Kills::watch(&tree, &own);
        };
        if Instant::now() >= deadline {
            return Err(StepFault::Unfit(why));
        }
        sleep(PAUSE);
    }
}

/// Says which limit is not in force; nothing where all are.
fn why_not(
    tree: &Tree,
    group: &Cgroup,
    own: &str,
    wanted: &InForce,
) -> Result<Option<String>, StepFault> {
    if !group.has(own) {
        return Ok(Some(format!(
            "this process is in the cgroup {own} and could not be moved below {group}"
        )));
    }
    let found = tree.in_force(&group.path())?;
    Ok(found
        .looser_than(wanted)
        .map(|looser| format!("{looser} in {group}, which is looser than limits in the config")))
}

/// Opens the file by which a process enters this one's cgroup, for one that may not open it and uses [`enter`]; nothing where there is no
/// hierarchy of version 2. The kernel asks who has opened it, not who writes: cgroups(7).
///
/// # Errors
/// A call that failed.
pub(crate) fn open_own_procs() -> Result<Option<OwnedFd>, StepFault> {
    let Some(own) = own_path()? else {
        return Ok(None);
    };
    let file = format!("{}{own}/cgroup.procs", tree::MOUNT);
    match open(file, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()) {
        Ok(file) => Ok(Some(file)),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(failed("open cgroup.procs")(errno)),
    }
}

/// Moves this process into the cgroup of who has opened this file, and looks whether it is there.
///
/// # Errors
/// A call that failed, or the kernel does not list this process.
pub(crate) fn enter(procs: OwnedFd) -> Result<(), StepFault> {
    let mut procs = fs::File::from(procs);
    procs
        .write_all(b"0")
        .map_err(failed("write to cgroup.procs"))?;
    let mut listed = String::new();
    procs
        .rewind()
        .and_then(|()| procs.read_to_string(&mut listed))
        .map_err(failed("read cgroup.procs"))?;
    let own = getpid().to_string();
    expect_in_force(
        "the cgroup of the login",
        listed.lines().any(|it| it == own),
    )
}

/// Finds the cgroup of this process; nothing where there is no hierarchy of version 2.
fn own_path() -> Result<Option<String>, StepFault> {
    match fs::read_to_string("/proc/self/cgroup") {
        Ok(text) => Ok(read::path(&text).map(str::to_owned)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StepFault::Failed(
            "read /proc/self/cgroup",
            errno_of_io(&error),
        )),
    }
}

fn expect_own_path() -> Result<String, StepFault> {
    let none = "/proc/self/cgroup has no cgroup of version 2";
    own_path()?.ok_or_else(|| StepFault::Unfit(none.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::Cgroup;

    #[test]
    fn a_process_is_in_a_group_or_below_it_and_not_in_one_that_is_called_alike() {
        let slice = Cgroup::Slice("user-10.slice".to_owned());
        for path in [
            "/user.slice/user-10.slice",
            "/user.slice/user-10.slice/session-1.scope",
        ] {
            assert!(slice.has(path), "{path}");
        }
        for path in [
            "/",
            "/user.slice",
            "/user.slice/user-10.slice2",
            "/user.slice/user-100.slice/session-1.scope",
            "/x/user.slice/user-10.slice",
            "/user.slice/user-0.slice/user.slice/user-10.slice",
        ] {
            assert!(!slice.has(path), "{path}");
        }
    }
}
