//! The edge to libpam: the entry points, and one safe function for each thing that is asked of it.
//!
//! libpam calls the entry points by name; only those that are implemented exist, so that a line of the stack that wants
//! another fails. No panic crosses: [`guard`] catches it, and answers as for any failure.

use std::{
    env,
    ffi::{CStr, CString, OsStr, OsString, c_char, c_int, c_void},
    marker::PhantomData,
    os::unix::ffi::OsStrExt,
    panic::{self, AssertUnwindSafe},
    ptr,
};

use jail::door::lockout::LockedOut;
use libpam_sys::{
    PAM_ABORT, PAM_ERROR_MSG, PAM_IGNORE, PAM_PERM_DENIED, PAM_RHOST, PAM_SERVICE, PAM_SERVICE_ERR,
    PAM_SILENT, PAM_SUCCESS, PAM_SYSTEM_ERR, PAM_TTY, PAM_USER, pam_get_data, pam_get_item,
    pam_getenv, pam_handle, pam_prompt, pam_putenv, pam_set_data,
};

use crate::{
    door::{self, Host, Open, Verdict},
    options::OptionError,
};

/// More words than any line of a stack has; libpam takes a line of 1,024 bytes.
const MOST_WORDS: usize = 1024;

impl Verdict {
    fn code(self) -> c_int {
        match self {
            Verdict::Success => PAM_SUCCESS,
            Verdict::Ignore => PAM_IGNORE,
            Verdict::Service => PAM_SERVICE_ERR,
            Verdict::Denied => PAM_PERM_DENIED,
            Verdict::Abort => PAM_ABORT,
            Verdict::System => PAM_SYSTEM_ERR,
        }
    }
}

/// A PAM transaction, for as long as libpam's call of an entry point lasts.
struct Transaction<'a> {
    handle: *mut pam_handle,
    silent: bool,
    call: PhantomData<&'a pam_handle>,
}

impl Transaction<'_> {
    /// Takes what an entry point was called with; nothing where there is no handle.
    fn new(handle: *mut pam_handle, flags: c_int) -> Option<Self> {
        (!handle.is_null()).then_some(Transaction {
            handle,
            silent: flags & PAM_SILENT != 0,
            call: PhantomData,
        })
    }

    /// Copies an item that is a string: pam_get_item(3).
    fn item(&self, kind: c_int) -> Option<OsString> {
        let mut item: *const c_void = ptr::null();
        // SAFETY: the handle is the one libpam has called us with, and `item` is valid for writing one pointer.
        let result = unsafe { pam_get_item(self.handle, kind, &raw mut item) };
        if result != PAM_SUCCESS || item.is_null() {
            return None;
        }
        // SAFETY: the items that are asked for are strings that end in NUL; libpam keeps them until they are set anew,
        // which nobody does before they are copied here.
        let text = unsafe { CStr::from_ptr(item.cast()) };
        Some(OsStr::from_bytes(text.to_bytes()).to_owned())
    }
}

impl Host for Transaction<'_> {
    fn user(&self) -> Option<OsString> {
        self.item(PAM_USER).filter(|name| !name.is_empty())
    }

    fn terminal(&self) -> Option<OsString> {
        self.item(PAM_TTY)
    }

    fn service(&self) -> Option<OsString> {
        self.item(PAM_SERVICE)
    }

    fn remote(&self) -> Option<OsString> {
        self.item(PAM_RHOST)
    }

    fn unset(&self, name: &str) {
        let Ok(variable) = CString::new(name) else {
            return;
        };
        // SAFETY: the handle is libpam's own, and the name ends in NUL.
        let is_set = !unsafe { pam_getenv(self.handle, variable.as_ptr()) }.is_null();
        // To libpam it is an error, which it logs, to remove a variable that is not set.
        if is_set {
            // SAFETY: as above. A name without "=" removes the variable: pam_putenv(3).
            unsafe { pam_putenv(self.handle, variable.as_ptr()) };
        }
        // SAFETY: a program with threads was refused before, so that nobody reads the environment meanwhile.
        unsafe { env::remove_var(name) };
    }

    fn end_after(&self, seconds: u64) -> bool {
        let Ok(text) = CString::new(seconds.to_string()) else {
            return false;
        };
        let data = text.into_raw().cast();
        // SAFETY: the handle is libpam's own, the name ends in NUL, and `free_text` takes what is handed over here.
        let result = unsafe { pam_set_data(self.handle, RUNTIME_MAX.as_ptr(), data, free_text) };
        if result != PAM_SUCCESS {
            // SAFETY: libpam has not taken it, and nobody else has the pointer.
            drop(unsafe { CString::from_raw(data.cast()) });
        }
        result == PAM_SUCCESS
    }

    fn keep(&self, open: Box<Open>) -> Result<(), Box<Open>> {
        let open = Box::into_raw(open);
        // SAFETY: the handle is libpam's own and the name ends in NUL; libpam keeps the pointer, and gives it to `forget` once.
        let kept = unsafe {
            pam_set_data(
                self.handle,
                KEPT.as_ptr().cast_mut(),
                open.cast(),
                forget_kept,
            )
        };
        if kept != PAM_SUCCESS {
            // SAFETY: libpam has not taken the pointer, which is of the box above.
            return Err(unsafe { Box::from_raw(open) });
        }
        Ok(())
    }

    fn with_kept(&self, then: impl FnOnce(&mut Open)) {
        let mut kept: *const c_void = ptr::null();
        // SAFETY: the handle is libpam's own, the name ends in NUL, and `kept` is valid for writing one pointer.
        let result = unsafe { pam_get_data(self.handle, KEPT.as_ptr(), &raw mut kept) };
        if result != PAM_SUCCESS {
            return;
        }
        // SAFETY: what is kept under this name is the box of `keep`, which lives until libpam forgets it; a transaction is
        // used by one thread, in one call at a time, and `then` can't ask for it again.
        if let Some(open) = unsafe { kept.cast::<Open>().cast_mut().as_mut() } {
            then(open);
        }
    }

    fn say(&self, sentence: &str) {
        let Ok(sentence) = CString::new(sentence) else {
            return;
        };
        if self.silent {
            return;
        }
        // SAFETY: the handle is libpam's own, no answer is asked for, the format takes one string, and both strings end
        // in NUL. A program without a conversation makes this an error, about which nothing could be done.
        unsafe {
            pam_prompt(
                self.handle,
                PAM_ERROR_MSG,
                ptr::null_mut(),
                c"%s".as_ptr(),
                sentence.as_ptr(),
            );
        }
    }
}

/// The name under which pam_systemd(8) looks for the longest time of a session.
const RUNTIME_MAX: &CStr = c"systemd.runtime_max_sec";

/// Frees what [`Transaction::end_after`] has handed over.
unsafe extern "C" fn free_text(_handle: *mut pam_handle, data: *mut c_void, _status: c_int) {
    if !data.is_null() {
        // SAFETY: what is not null under this name comes from `end_after`, and libpam hands it over once.
        drop(unsafe { CString::from_raw(data.cast()) });
    }
}

/// The name under which libpam keeps a session.
const KEPT: &CStr = c"login-jail";

/// Frees a session that libpam has kept: at the end of the transaction, or when another takes its place.
unsafe extern "C" fn forget_kept(_handle: *mut pam_handle, kept: *mut c_void, _status: c_int) {
    if kept.is_null() {
        return;
    }
    // SAFETY: libpam gives back what `keep` has given it, once.
    let open = unsafe { Box::from_raw(kept.cast::<Open>()) };
    guard(
        || {
            drop(open);
            Verdict::Success
        },
        || Verdict::Success,
    );
}

/// Copies the words of the stack's line.
fn words(argc: c_int, argv: *const *const c_char) -> Result<Vec<OsString>, OptionError> {
    let count = usize::try_from(argc).map_err(|_| OptionError::Missing)?;
    if count > MOST_WORDS || (count > 0 && argv.is_null()) {
        return Err(OptionError::Missing);
    }
    let mut all = Vec::with_capacity(count);
    for index in 0..count {
        // SAFETY: libpam hands over `argc` pointers at `argv`, which is not null, and `index` is below `argc`.
        let word = unsafe { argv.add(index) };
        // SAFETY: as above: it is valid for reading one pointer.
        let word = unsafe { word.read() };
        if word.is_null() {
            return Err(OptionError::Missing);
        }
        // SAFETY: a pointer of `argv` that is not null is a string that ends in NUL, and lives as long as the call.
        let word = unsafe { CStr::from_ptr(word) };
        all.push(OsStr::from_bytes(word.to_bytes()).to_owned());
    }
    Ok(all)
}

/// Runs a stage and lets no panic out. `failed` sees to what must hold after one.
fn guard(stage: impl FnOnce() -> Verdict, failed: impl FnOnce() -> Verdict) -> c_int {
    // This hook is the module's own: the library has its own copy of Rust's runtime. Without it a panic would be
    // printed to the host program's standard error.
    panic::set_hook(Box::new(|_| {}));
    panic::catch_unwind(AssertUnwindSafe(stage))
        .or_else(|_| panic::catch_unwind(AssertUnwindSafe(failed)))
        .unwrap_or(Verdict::Abort)
        .code()
}

/// The account stage: pam_sm_acct_mgmt(3).
#[unsafe(no_mangle)]
extern "C" fn pam_sm_acct_mgmt(
    handle: *mut pam_handle,
    flags: c_int,
    argc: c_int,
    argv: *const *const c_char,
) -> c_int {
    guard(
        || match Transaction::new(handle, flags) {
            Some(transaction) => door::account(&transaction, words(argc, argv)),
            None => Verdict::System,
        },
        || Verdict::Denied,
    )
}

/// The session stage: pam_sm_open_session(3).
#[unsafe(no_mangle)]
extern "C" fn pam_sm_open_session(
    handle: *mut pam_handle,
    flags: c_int,
    argc: c_int,
    argv: *const *const c_char,
) -> c_int {
    guard(
        || match Transaction::new(handle, flags) {
            Some(transaction) => door::open_session(&transaction, words(argc, argv)),
            None => Verdict::System,
        },
        || {
            // Not logged: what panicked may have been the log.
            match jail::door::lockout::lock_out() {
                LockedOut::Nothing => Verdict::System,
                _ => Verdict::Abort,
            }
        },
    )
}

/// The end of a session: pam_sm_close_session(3). Namespaces and mounts end with the processes in them: it is logged, and
/// nothing of that can make it fail.
#[unsafe(no_mangle)]
extern "C" fn pam_sm_close_session(
    handle: *mut pam_handle,
    flags: c_int,
    _argc: c_int,
    _argv: *const *const c_char,
) -> c_int {
    guard(
        || {
            if let Some(transaction) = Transaction::new(handle, flags) {
                door::close_session(&transaction);
            }
            Verdict::Success
        },
        || Verdict::Success,
    )
}

#[cfg(test)]
mod tests {
    use std::{ffi::c_char, ptr};

    use libpam_sys::{PAM_ABORT, PAM_PERM_DENIED, PAM_SUCCESS, PAM_SYSTEM_ERR};

    use super::{guard, pam_sm_acct_mgmt, pam_sm_close_session, words};
    use crate::{door::Verdict, options::OptionError};

    #[test]
    fn no_panic_crosses_the_edge() {
        let failed = || Verdict::Denied;
        assert_eq!(guard(|| panic!("a test"), failed), PAM_PERM_DENIED);
        assert_eq!(guard(|| Verdict::Success, failed), PAM_SUCCESS);
        // Not even out of what is done about one.
        assert_eq!(guard(|| panic!("a test"), || panic!("again")), PAM_ABORT);
    }

    #[test]
    fn arguments_that_are_not_there_are_an_error() {
        let one: [*const c_char; 2] = [c"debug".as_ptr(), ptr::null()];
        assert_eq!(words(1, one.as_ptr()), Ok(vec!["debug".into()]));
        assert_eq!(words(0, ptr::null()), Ok(Vec::new()));
        for (argc, argv) in [
            (-1, one.as_ptr()),
            (1, ptr::null()),
            (2, one.as_ptr()),
            (i32::MAX, one.as_ptr()),
        ] {
            assert_eq!(words(argc, argv), Err(OptionError::Missing), "{argc}");
        }
    }

    #[test]
    fn a_call_without_a_handle_is_answered() {
        let account = pam_sm_acct_mgmt(ptr::null_mut(), 0, 0, ptr::null());
        assert_eq!(account, PAM_SYSTEM_ERR);
        let closed = pam_sm_close_session(ptr::null_mut(), -1, -1, ptr::null());
        assert_eq!(closed, PAM_SUCCESS);
    }
}
