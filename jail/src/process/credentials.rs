//! The ids and groups of a process: set, read back, and tried to be regained. One place for whoever becomes a user.

use nix::{
    errno::Errno,
    unistd::{Gid, Uid, getgroups, getresgid, getresuid, setgroups, setresgid, setresuid},
};
use rustix::process::{DumpableBehavior, chroot, set_dumpable_behavior};

use crate::{
    fault::{StepFault, errno_of, expect_in_force, failed},
    plan::process::Ids,
    process::{name::name_as_program, privilege::still_dying_with_parent},
};

/// The saved group ID of a process that stands around a session: the one of no group, or the next where the user's is that.
const NO_GROUP: u32 = 65534;

/// Gives the saved group ID of a process that stands around a session of a user with this group ID. prlimit(2) asks for all three
/// group IDs of a process, so that neither the session nor another process of the user's can set limits of the one around it, by
/// which that could not go on. No program that the user starts has it: execve(2) sets it to the effective one.
#[must_use]
pub fn saved_gid_around(gid: u32) -> u32 {
    match gid {
        NO_GROUP => NO_GROUP - 1,
        _ => NO_GROUP,
    }
}

impl Ids {
    /// Becomes the user: groups first, for they take the rights of uid 0, which comes last. Then all is read back, and
    /// tried to be regained.
    ///
    /// The capabilities go with the ids unless securebits say otherwise: capabilities(7).
    ///
    /// # Errors
    /// A call that failed, or ids that did not come into force or could be regained.
    pub fn assume(&self) -> Result<(), StepFault> {
        set_groups(&self.groups)?;
        set_gid(self.gid)?;
        set_uid(self.uid)?;
        self.expect()
    }

    /// Insists that this process has these ids and groups and no others, and no way back to root.
    ///
    /// # Errors
    /// It has others, or could be root again.
    pub fn expect(&self) -> Result<(), StepFault> {
        self.expect_with(self.gid)
    }

    /// Insists on the same of a process that stands around a session.
    ///
    /// # Errors
    /// As [`Ids::expect`].
    pub(crate) fn expect_around(&self) -> Result<(), StepFault> {
        self.expect_with(saved_gid_around(self.gid))
    }

    fn expect_with(&self, saved_gid: u32) -> Result<(), StepFault> {
        let (uid, gid) = (Uid::from_raw(self.uid), Gid::from_raw(self.gid));
        let saved = Gid::from_raw(saved_gid);
        let uids = getresuid().map_err(failed("getresuid"))?;
        expect_in_force(
            "the user IDs",
            (uids.real, uids.effective, uids.saved) == (uid, uid, uid),
        )?;
        let gids = getresgid().map_err(failed("getresgid"))?;
        expect_in_force(
            "the group IDs",
            (gids.real, gids.effective, gids.saved) == (gid, gid, saved),
        )?;
        let mut groups: Vec<u32> = getgroups()
            .map_err(failed("getgroups"))?
            .into_iter()
            .map(Gid::as_raw)
            .collect();
        groups.sort_unstable();
        expect_in_force("the supplementary groups", groups == self.groups)?;
        expect_no_way_back()
    }
}

fn expect_no_way_back() -> Result<(), StepFault> {
    let root = Uid::from_raw(0);
    expect_in_force(
        "the loss of root",
        setresuid(root, root, root) == Err(Errno::EPERM),
    )?;
    expect_in_force("the loss of setgroups", setgroups(&[]) == Err(Errno::EPERM))?;
    // EACCES: the user may not even search the root directory; `go_home` says so.
    let refused = matches!(
        chroot("/").map_err(errno_of),
        Err(Errno::EPERM | Errno::EACCES)
    );
    expect_in_force("the loss of chroot", refused)
}

/// Sets the supplementary groups.
///
/// # Errors
/// setgroups(2) failed.
pub(crate) fn set_groups(groups: &[u32]) -> Result<(), StepFault> {
    let groups: Vec<Gid> = groups.iter().copied().map(Gid::from_raw).collect();
    setgroups(&groups).map_err(failed("setgroups"))
}

/// Sets real, effective and saved group ID.
///
/// # Errors
/// setresgid(2) failed.
pub(crate) fn set_gid(gid: u32) -> Result<(), StepFault> {
    set_gids(gid, gid)
}

/// Sets the group IDs of a process that stands around a session.
///
/// # Errors
/// As [`set_gid`].
pub(crate) fn set_gid_around(gid: u32) -> Result<(), StepFault> {
    set_gids(gid, saved_gid_around(gid))
}

fn set_gids(gid: u32, saved: u32) -> Result<(), StepFault> {
    let (gid, saved) = (Gid::from_raw(gid), Gid::from_raw(saved));
    still_dying_with_parent(|| setresgid(gid, gid, saved).map_err(failed("setresgid")))
}

/// Sets real, effective and saved user ID, and stays out of the user's reach: at each change of ids the kernel lets a process be
/// traced and dumped as `fs.suid_dumpable` says, and a supervisor remains for the session. execve(2) ends it.
///
/// # Errors
/// setresuid(2) or prctl(2) failed.
pub(crate) fn set_uid(uid: u32) -> Result<(), StepFault> {
    let uid = Uid::from_raw(uid);
    setresuid(uid, uid, uid).map_err(failed("setresuid"))?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
        .map_err(failed("prctl PR_SET_DUMPABLE"))?;
    name_as_program()
}

#[cfg(test)]
mod tests {
    use rustix::process::{DumpableBehavior, dumpable_behavior, geteuid, set_dumpable_behavior};

    use super::set_uid;

    #[test]
    fn who_becomes_a_user_can_not_be_traced_by_them_whatever_the_kernel_is_set_to() {
        // The kernel changes nothing where the ids stay what they are.
        set_dumpable_behavior(DumpableBehavior::Dumpable).unwrap();
        set_uid(geteuid().as_raw()).unwrap();
        let behavior = dumpable_behavior().unwrap();
        set_dumpable_behavior(DumpableBehavior::Dumpable).unwrap();
        assert_eq!(behavior, DumpableBehavior::NotDumpable);
    }
}
