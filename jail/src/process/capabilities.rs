//! What a process has of root's rights besides its ids: capabilities(7), and the session keyring.

use nix::{
    errno::Errno,
    unistd::{Uid, setresuid},
};
use rustix::thread::{
    CapabilitiesSecureBits, CapabilitySet, CapabilitySets, capabilities, capabilities_secure_bits,
    capability_is_in_bounding_set, clear_ambient_capability_set, no_new_privs,
    remove_capability_from_bounding_set, set_capabilities, set_capabilities_secure_bits,
    set_no_new_privs,
};

use crate::{
    fault::{StepFault, errno_of, expect_in_force, failed},
    process::name::name_for_caller,
    sys::keyctl::join_session_keyring,
};

/// What is left to a process that has given everything up.
pub(crate) const NO_CAPABILITIES: CapabilitySets = CapabilitySets {
    effective: CapabilitySet::empty(),
    permitted: CapabilitySet::empty(),
    inheritable: CapabilitySet::empty(),
};

/// No privilege by user ID 0, no change of capabilities by a change of user ID, no ambient capabilities, and no way
/// back: capabilities(7). SECBIT_KEEP_CAPS is not locked: there are no capabilities to keep, and ping fails where it may
/// not ask to keep them.
const SECUREBITS: CapabilitiesSecureBits = CapabilitiesSecureBits::NO_ROOT
    .union(CapabilitiesSecureBits::NO_ROOT_LOCKED)
    .union(CapabilitiesSecureBits::NO_SETUID_FIXUP)
    .union(CapabilitiesSecureBits::NO_SETUID_FIXUP_LOCKED)
    .union(CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE)
    .union(CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE_LOCKED);

/// CAP_CHECKPOINT_RESTORE: every kernel with close_range(2), which we need, has it (Linux 5.9).
const LAST_CAPABILITY: u32 = 40;

/// Joins a new session keyring, as root in every respect: a keyring counts against the key quota of the real user ID,
/// and the user's may be used up. From here on the user can't signal this process either.
///
/// # Errors
/// The call that failed.
pub(crate) fn join_new_session_keyring() -> Result<(), StepFault> {
    name_for_caller()?;
    let root = Uid::from_raw(0);
    setresuid(root, root, root).map_err(failed("setresuid"))?;
    join_keyring()
}

/// Joins a new session keyring, with the ids that the process has.
///
/// # Errors
/// The call that failed. A kernel without keyrings is none: there is nothing to leave behind.
pub(crate) fn join_keyring() -> Result<(), StepFault> {
    match join_session_keyring() {
        Ok(()) | Err(Errno::ENOSYS) => Ok(()),
        Err(errno) => Err(StepFault::Failed(
            "keyctl KEYCTL_JOIN_SESSION_KEYRING",
            errno,
        )),
    }
}

/// Empties the capability bounding set, for this process and all it will start.
///
/// # Errors
/// The call that failed, or a capability is still there.
pub(crate) fn empty_bounding_set() -> Result<(), StepFault> {
    for number in 0..u64::BITS {
        let capability = CapabilitySet::from_bits_retain(1 << number);
        match remove_capability_from_bounding_set(capability).map_err(errno_of) {
            Ok(()) => {}
            // Past the last capability of this kernel.
            Err(Errno::EINVAL) if number > LAST_CAPABILITY => break,
            Err(errno) => return Err(StepFault::Failed("prctl PR_CAPBSET_DROP", errno)),
        }
        let left =
            capability_is_in_bounding_set(capability).map_err(failed("prctl PR_CAPBSET_READ"))?;
        expect_in_force("the empty bounding set", !left)?;
    }
    Ok(())
}

/// Locks the securebits, for this process and all it will start.
///
/// # Errors
/// The call failed.
pub(crate) fn lock_securebits() -> Result<(), StepFault> {
    set_capabilities_secure_bits(SECUREBITS).map_err(failed("prctl PR_SET_SECUREBITS"))
}

/// Empties all capability sets of this process.
///
/// # Errors
/// The call that failed.
pub(crate) fn empty_capabilities() -> Result<(), StepFault> {
    clear_ambient_capability_set().map_err(failed("prctl PR_CAP_AMBIENT_CLEAR_ALL"))?;
    set_capabilities(None, NO_CAPABILITIES).map_err(failed("capset"))
}

/// Sets no_new_privs, for this process and all it will start.
///
/// # Errors
/// The call failed.
pub(crate) fn forbid_new_privileges() -> Result<(), StepFault> {
    set_no_new_privs(true).map_err(failed("prctl PR_SET_NO_NEW_PRIVS"))
}

/// Reads back that no capability is left and none can come back.
///
/// # Errors
/// One is, or could.
pub(crate) fn expect_none() -> Result<(), StepFault> {
    let sets = capabilities(None).map_err(failed("capget"))?;
    expect_in_force("the empty capability sets", sets == NO_CAPABILITIES)?;
    let bits = capabilities_secure_bits().map_err(failed("prctl PR_GET_SECUREBITS"))?;
    expect_in_force("the locked securebits", bits == SECUREBITS)?;
    let no_new_privs = no_new_privs().map_err(failed("prctl PR_GET_NO_NEW_PRIVS"))?;
    expect_in_force("no_new_privs", no_new_privs)
}
