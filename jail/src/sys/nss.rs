//! The modules of NSS, asked one by one.
//!
//! getgrouplist(3) leaves a service out that does not answer, and says nothing of it. Which services did can only be
//! learnt from the modules themselves, by the functions that the C library calls: see "NSS Module Function Internals"
//! in the manual of the GNU C Library.

use std::{
    ffi::{CStr, CString, c_char, c_int, c_long},
    mem, ptr,
};

use nix::errno::Errno;

/// What a service says to a question for a user's groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It knows the user, or knows that it does not.
    Answered,
    /// It could not be asked: its daemon or server is down.
    Unavailable(Errno),
    /// It has no module on this machine.
    NoModule,
}

/// `_nss_SERVICE_initgroups_dyn`, which every service for groups has had since glibc 2.4.
type InitGroups = unsafe extern "C" fn(
    user: *const c_char,
    group: libc::gid_t,
    start: *mut c_long,
    size: *mut c_long,
    groups: *mut *mut libc::gid_t,
    limit: c_long,
    errnop: *mut c_int,
) -> c_int;

/// enum nss_status: TRYAGAIN and UNAVAIL are below, SUCCESS and RETURN above.
const NSS_STATUS_NOTFOUND: c_int = 0;

/// How many groups there is room for at first; a module that finds more makes room itself.
const ROOM: usize = 64;

/// Asks one service for the groups of a user. What it finds is not kept: the C library has asked as well.
pub(crate) fn ask_for_groups(service: &str, user: &CStr) -> Answer {
    let library = CString::new(format!("libnss_{service}.so.2"));
    let function = CString::new(format!("_nss_{service}_initgroups_dyn"));
    let (Ok(library), Ok(function)) = (library, function) else {
        return Answer::NoModule;
    };
    // SAFETY: the name ends in NUL. The C library has loaded the same module for the same question already, so that
    // nothing of it runs for the first time.
    let module = unsafe { libc::dlopen(library.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
    if module.is_null() {
        return Answer::NoModule;
    }
    // SAFETY: `module` is open, the name ends in NUL.
    let found = unsafe { libc::dlsym(module, function.as_ptr()) };
    let answer = if found.is_null() {
        Answer::NoModule
    } else {
        // SAFETY: a symbol of this name in a module of NSS has this type: it is what the C library calls it by.
        let function = unsafe { mem::transmute::<*mut libc::c_void, InitGroups>(found) };
        call(function, user)
    };
    // SAFETY: `module` is open, and nothing of it is used after this.
    unsafe { libc::dlclose(module) };
    answer
}

fn call(function: InitGroups, user: &CStr) -> Answer {
    let (mut start, mut size) = (0, c_long::try_from(ROOM).unwrap_or(0));
    let mut errno = 0;
    // SAFETY: any size may be asked for; a failure gives null.
    let mut groups: *mut libc::gid_t =
        unsafe { libc::calloc(ROOM, size_of::<libc::gid_t>()) }.cast();
    if groups.is_null() {
        return Answer::Unavailable(Errno::ENOMEM);
    }
    // SAFETY: the name ends in NUL; `groups` comes from malloc and has room for `size` numbers, of which `start` are
    // used, as the module wants it to be able to reallocate; all four are valid for writes. No limit is set.
    let status = unsafe {
        function(
            user.as_ptr(),
            libc::gid_t::MAX,
            ptr::from_mut(&mut start),
            ptr::from_mut(&mut size),
            ptr::from_mut(&mut groups),
            -1,
            ptr::from_mut(&mut errno),
        )
    };
    // SAFETY: it comes from malloc, or from the module's realloc of it.
    unsafe { libc::free(groups.cast()) };
    if status >= NSS_STATUS_NOTFOUND {
        Answer::Answered
    } else {
        Answer::Unavailable(Errno::from_raw(errno))
    }
}

/// The longest entry of shadow(5) that is read, in bytes.
const LONGEST_SHADOW: usize = 64 * 1024;

/// Gives when an account's password was changed, and for how long it may be kept, both in days: getspnam_r(3). Nothing where
/// there is no entry; a field that is empty is -1.
pub(crate) fn shadow_days(user: &CStr) -> Option<(c_long, c_long)> {
    let mut text: Vec<c_char> = vec![0; LONGEST_SHADOW];
    let mut entry = mem::MaybeUninit::<libc::spwd>::uninit();
    let mut found: *mut libc::spwd = ptr::null_mut();
    // SAFETY: the name ends in NUL; `entry`, `found` and the bytes of `text`, whose number is given, are valid for writes.
    let result = unsafe {
        libc::getspnam_r(
            user.as_ptr(),
            entry.as_mut_ptr(),
            text.as_mut_ptr(),
            text.len(),
            &raw mut found,
        )
    };
    if result != 0 || found.is_null() {
        return None;
    }
    // SAFETY: where it is found, `found` points to `entry`, which is filled in.
    let entry = unsafe { entry.assume_init() };
    Some((entry.sp_lstchg, entry.sp_max))
}
