//! Whether the set-user-ID bit had its effect, and if not, why: user ID 0 alone proves nothing.

use std::fmt;

use jail_config::{Content, Network};
use nix::{
    errno::Errno,
    unistd::{
        Gid, Uid, getegid, geteuid, getgid, getresgid, getresuid, seteuid, setfsgid, setfsuid,
        setgroups, setresgid, setresuid,
    },
};
use rustix::{
    fs::{CWD, Mode, OFlags, StatVfsMountFlags, fstat, fstatvfs, open, openat},
    process::{
        DumpableBehavior, Signal, parent_process_death_signal, set_dumpable_behavior,
        set_parent_process_death_signal,
    },
    thread::{CapabilitySet, capabilities, no_new_privs, set_capabilities},
};

use crate::{
    code::Code,
    fault::{self, StepFault, errno_of, expect_in_force},
    plan::Plan,
    process::{capabilities::NO_CAPABILITIES, withheld::unit_of_caller},
};

/// What entering a jail by chroot(2) takes: capabilities(7).
const NEEDED: CapabilitySet = CapabilitySet::SYS_CHROOT
    .union(CapabilitySet::SETUID)
    .union(CapabilitySet::SETGID)
    .union(CapabilitySet::SETPCAP);

/// Why a start is none that can jail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PrivilegeFault {
    /// Root called.
    CalledByRoot,
    /// The set-user-ID bit had no effect.
    Missing(Missing),
    /// A system call failed.
    Step(StepFault),
}

/// Why the privilege is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// The binary is not set-user-ID root; its owner and mode.
    Setuid(u32, u32),
    /// The binary is on a file system mounted `nosuid`.
    Nosuid,
    /// The caller set no_new_privs; the service unit that it came from, if that is known.
    NoNewPrivs(Option<String>),
    /// This is a user namespace of its own, where the bit has no effect.
    UserNamespace,
    /// These capabilities are missing, though others came with the set-user-ID bit or the file; the service unit as above.
    Capabilities(CapabilitySet, Option<String>),
    /// None of these: the caller traces the program or shares its working directory with it (CLONE_FS).
    Unsafe,
}

impl Missing {
    /// Gives the code the user is told.
    pub(crate) fn code(&self) -> Code {
        match self {
            Missing::Setuid(..) => Code::NoSetuid,
            Missing::Nosuid => Code::Nosuid,
            Missing::NoNewPrivs(_) => Code::NoNewPrivs,
            Missing::UserNamespace | Missing::Capabilities(..) | Missing::Unsafe => {
                Code::Capabilities
            }
        }
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const NO_EFFECT: &str = "the set-user-ID bit, or file capabilities, had no effect";
        match self {
            Missing::Setuid(owner, mode) => write!(
                f,
                "{NO_EFFECT}: this binary belongs to uid {owner} and is mode {mode:04o}; the installed one must be root's and mode \
                 4755, or have file capabilities (make install PRIVILEGE=caps): install it again"
            ),
            Missing::Nosuid => write!(
                f,
                "{NO_EFFECT}: this binary is on a file system mounted nosuid; install it on another or remount with suid"
            ),
            Missing::NoNewPrivs(unit) => write!(
                f,
                "{NO_EFFECT}: the caller set no_new_privs; set NoNewPrivileges=no for {}",
                unit.as_deref()
                    .unwrap_or("the service unit that it came from")
            ),
            Missing::UserNamespace => write!(
                f,
                "{NO_EFFECT}: it was started in a user namespace other than the host's; log in outside of it"
            ),
            Missing::Capabilities(missing, unit) => write!(
                f,
                "missing capabilities: {}; the caller's bounding set lacks them, or this binary's file capabilities do; \
                 see CapabilityBoundingSet={} of {}",
                names(*missing),
                if missing.contains(CapabilitySet::MKNOD) {
                    " and PrivateDevices="
                } else {
                    ""
                },
                unit.as_deref()
                    .unwrap_or("the service unit that it came from")
            ),
            Missing::Unsafe => write!(
                f,
                "{NO_EFFECT}: the caller traces this program or shares its file system state with it (CLONE_FS)"
            ),
        }
    }
}

fn names(capabilities: CapabilitySet) -> String {
    let names: Vec<String> = capabilities
        .iter_names()
        .map(|(name, _)| format!("CAP_{name}"))
        .collect();
    names.join(", ")
}

/// Makes sure that this is a start by an ordinary user with the capabilities really there, by the set-user-ID bit or by
/// file capabilities.
///
/// # Errors
/// [`PrivilegeFault::CalledByRoot`] when the real user ID is 0, otherwise what is missing.
pub fn check() -> Result<(), PrivilegeFault> {
    let ids = getresuid().map_err(|errno| failed("getresuid", errno))?;
    if ids.real.is_root() {
        return Err(PrivilegeFault::CalledByRoot);
    }
    let effective = capabilities(None)
        .map_err(|errno| failed("capget", errno_of(errno)))?
        .effective;
    if effective.contains(CapabilitySet::SETUID) {
        become_root(ids.real)?;
    }
    if effective.contains(NEEDED) {
        return Ok(());
    }
    Err(PrivilegeFault::Missing(diagnose(
        ids.effective.is_root(),
        NEEDED.difference(effective),
    )))
}

/// Has what is made be root's, where the file has capabilities in place of the set-user-ID bit: the ids are from here on as with that bit.
/// It is no more than the capabilities that are there already, which an effective ID of 0 does not add to.
fn become_root(user: Uid) -> Result<(), PrivilegeFault> {
    let (root, ids) = (Uid::from_raw(0), getresuid());
    if ids.is_ok_and(|ids| ids.effective == root && ids.saved == root) {
        return Ok(());
    }
    let become_it = || {
        let set = setresuid(user, root, root);
        set.map_err(fault::failed("setresuid"))?;
        expect_in_force("root's effective ID", geteuid() == root)
    };
    still_dying_with_parent(become_it).map_err(PrivilegeFault::Step)
}

/// Makes sure of what a plan takes besides: a view of its own takes more than a root directory.
///
/// # Errors
/// The capabilities that are missing.
pub fn check_for(plan: &Plan) -> Result<(), PrivilegeFault> {
    let effective = capabilities(None)
        .map_err(|errno| failed("capget", errno_of(errno)))?
        .effective;
    let missing = needed_for(plan).difference(effective);
    if missing.is_empty() {
        return Ok(());
    }
    Err(PrivilegeFault::Missing(Missing::Capabilities(
        missing,
        unit_of_caller(),
    )))
}

fn needed_for(plan: &Plan) -> CapabilitySet {
    let mut needed = NEEDED;
    if plan.world.create.is_some() {
        needed |= CapabilitySet::CHOWN;
    }
    let Some(view) = &plan.world.view else {
        return needed;
    };
    needed |= CapabilitySet::SYS_ADMIN;
    if view.dev == Content::Private {
        needed |= CapabilitySet::MKNOD;
    }
    if plan.world.network == Network::None {
        needed |= CapabilitySet::NET_ADMIN;
    }
    needed
}

/// Finds out why. What can't be examined is passed over: nothing here lets anybody in.
fn diagnose(effective_root: bool, missing: CapabilitySet) -> Missing {
    if effective_root {
        return Missing::Capabilities(missing, unit_of_caller());
    }
    if no_new_privs().unwrap_or(false) {
        return Missing::NoNewPrivs(unit_of_caller());
    }
    if in_user_namespace() {
        return Missing::UserNamespace;
    }
    // Following is wanted here: /proc/self/exe is the kernel's link to the very file that runs.
    let own = open(
        "/proc/self/exe",
        OFlags::PATH | OFlags::CLOEXEC,
        Mode::empty(),
    );
    let Ok(own) = own else {
        return Missing::Unsafe;
    };
    if let Ok(stat) = fstat(&own) {
        if stat.st_uid != 0 || stat.st_mode & 0o4000 == 0 {
            return Missing::Setuid(stat.st_uid, stat.st_mode & 0o7777);
        }
    }
    match fstatvfs(&own) {
        Ok(file_system) if file_system.f_flag.contains(StatVfsMountFlags::NOSUID) => {
            Missing::Nosuid
        }
        _ => Missing::Unsafe,
    }
}

/// Tells whether the user namespace is one made by somebody: the first one maps every id to itself.
fn in_user_namespace() -> bool {
    let mut text = [0_u8; 128];
    let map = openat(
        CWD,
        "/proc/self/uid_map",
        OFlags::RDONLY | OFlags::CLOEXEC,
        Mode::empty(),
    );
    let Ok(length) = map.and_then(|map| rustix::io::read(map, &mut text)) else {
        return false;
    };
    let words = text
        .get(..length)
        .unwrap_or_default()
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty());
    !words.eq([b"0".as_slice(), b"0", b"4294967295"])
}

fn failed(call: &'static str, errno: Errno) -> PrivilegeFault {
    PrivilegeFault::Step(StepFault::Failed(call, errno))
}
/// Makes files as if the user made them: setfsuid(2), setfsgid(2). What `make` makes is the user's from the first
/// moment on, so that nothing has to be given away by a name that the user could have moved.
///
/// # Errors
/// Those of `make`, or the ids did not change.
pub(crate) fn as_user<T>(
    uid: u32,
    gid: u32,
    make: impl FnOnce() -> Result<T, StepFault>,
) -> Result<T, StepFault> {
    let kept = Kept::now()?;
    set_file_ids(Uid::from_raw(uid), Gid::from_raw(gid))?;
    kept.set_again()?;
    let made = make();
    set_file_ids(geteuid(), getegid())?;
    kept.set_again()?;
    made
}

/// Makes something that the kernel counts against the effective user ID, such as a namespace (ucounts, Linux 4.9), with
/// the user's: what they keep of it takes away from nobody else's. The real and the saved ID stay root's, so that the
/// user can't send signals meanwhile.
///
/// # Errors
/// Those of `make`, or the ID did not change.
pub(crate) fn charged_to<T>(
    uid: u32,
    make: impl FnOnce() -> Result<T, StepFault>,
) -> Result<T, StepFault> {
    let (user, root) = (Uid::from_raw(uid), Uid::from_raw(0));
    let become_effective = |uid| seteuid(uid).map_err(fault::failed("seteuid"));
    let kept = Kept::now()?;
    become_effective(user)?;
    expect_in_force("the user's effective ID", geteuid() == user)?;
    kept.set_again()?;
    let made = make();
    become_effective(root)?;
    expect_in_force("root's effective ID", geteuid() == root)?;
    kept.set_again()?;
    made
}

/// Changes ids of a process that stays root's, and gives it back what the kernel takes away with that: its parent may be killed at
/// any moment, and nobody but root could end it then.
///
/// # Errors
/// Those of `change`, or prctl(2) failed.
pub(crate) fn still_dying_with_parent(
    change: impl FnOnce() -> Result<(), StepFault>,
) -> Result<(), StepFault> {
    let kept = Kept::now()?;
    change()?;
    kept.set_again()
}

/// What the kernel takes away at each change of ids: that the process can't be dumped, for which it sets what
/// `fs.suid_dumpable` says, and the parent-death signal.
struct Kept(Option<Signal>);

impl Kept {
    fn now() -> Result<Kept, StepFault> {
        parent_process_death_signal()
            .map(Kept)
            .map_err(fault::failed("prctl PR_GET_PDEATHSIG"))
    }

    fn set_again(&self) -> Result<(), StepFault> {
        set_dumpable_behavior(DumpableBehavior::NotDumpable)
            .map_err(fault::failed("prctl PR_SET_DUMPABLE"))?;
        if self.0.is_none() {
            return Ok(());
        }
        set_death_signal(self.0)
    }
}

/// Has the kernel kill this process with its parent.
///
/// # Errors
/// prctl(2) failed.
pub(crate) fn die_with_parent() -> Result<(), StepFault> {
    set_death_signal(Some(Signal::KILL))
}

/// Sets what the kernel sends this process at the end of its parent.
///
/// # Errors
/// As [`die_with_parent`].
pub(crate) fn set_death_signal(signal: Option<Signal>) -> Result<(), StepFault> {
    set_parent_process_death_signal(signal).map_err(fault::failed("prctl PR_SET_PDEATHSIG"))
}

/// Gives up for good whatever is left of root's: before a refusal is told, because the caller's standard error can
/// block for as long as the caller likes. What waits there is then theirs: to count against their limits, and to kill.
///
/// `uid` is the real user ID of the caller.
///
/// # Errors
/// The ids did not change. Nothing may be told then.
pub fn give_up(uid: u32) -> Result<(), Errno> {
    let (uid, gid) = (Uid::from_raw(uid), getgid());
    match setgroups(&[]) {
        // A process that has dropped its privileges has its groups already.
        Ok(()) | Err(_) => {}
    }
    // What it has already it need not be able to set: ids may be without a number in a user namespace.
    let gids = getresgid()?;
    if (gids.real, gids.effective, gids.saved) != (gid, gid, gid) {
        setresgid(gid, gid, gid)?;
    }
    let uids = getresuid()?;
    if (uids.real, uids.effective, uids.saved) != (uid, uid, uid) {
        setresuid(uid, uid, uid)?;
    }
    // What it has read of the config is not the user's.
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(errno_of)?;
    set_capabilities(None, NO_CAPABILITIES).map_err(errno_of)?;
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(errno_of)
}

/// Sets the ids that files are made with. The calls report no failure, so each is asked for what it has set: both
/// return the id from before.
fn set_file_ids(uid: Uid, gid: Gid) -> Result<(), StepFault> {
    setfsgid(gid);
    expect_in_force("the group ID for files", setfsgid(gid) == gid)?;
    setfsuid(uid);
    expect_in_force("the user ID for files", setfsuid(uid) == uid)
}
