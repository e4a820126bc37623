//! unsetenv(3).

use std::ffi::OsStr;

/// Takes a variable out of this process's environment.
pub(crate) fn unset(name: impl AsRef<OsStr>) {
    // SAFETY: this program has one thread, so that nobody reads the environment meanwhile.
    unsafe { std::env::remove_var(name) }
}
