//! glob(3).

use std::{
    ffi::{CStr, CString, OsStr, OsString},
    mem::MaybeUninit,
    os::unix::ffi::{OsStrExt, OsStringExt},
    ptr, slice,
};

/// Lists the paths that fit a pattern, in the order of the locale "C". Nothing where none does, the pattern has a NUL, or there is
/// not enough memory.
pub(crate) fn glob(pattern: &OsStr) -> Option<Vec<OsString>> {
    let pattern = CString::new(pattern.as_bytes()).ok()?;
    let mut found = MaybeUninit::<libc::glob_t>::zeroed();
    // SAFETY: the pattern is a C string, no function is called for errors, and the result is a zeroed glob_t, which glob(3)
    // fills without reading what is in it, because neither GLOB_APPEND nor GLOB_DOOFFS is given.
    let result = unsafe { libc::glob(pattern.as_ptr(), 0, None, found.as_mut_ptr()) };
    // SAFETY: all-zero bytes are a glob_t of no paths, and glob(3) leaves a valid one, even where it fails.
    let mut found = unsafe { found.assume_init() };
    let paths = (result == 0).then(|| paths(&found));
    // SAFETY: the glob_t is one that glob(3) has filled, and nothing points into it any more.
    unsafe { libc::globfree(&raw mut found) };
    paths
}

fn paths(found: &libc::glob_t) -> Vec<OsString> {
    if ptr::eq(found.gl_pathv, ptr::null()) {
        return Vec::new();
    }
    // SAFETY: glob(3) has put gl_pathc pointers there, which stay until globfree(3).
    let pointers = unsafe { slice::from_raw_parts(found.gl_pathv, found.gl_pathc) };
    let path = |pointer: &*mut libc::c_char| {
        // SAFETY: each is a C string that stays until globfree(3).
        let path = unsafe { CStr::from_ptr(*pointer) };
        OsString::from_vec(path.to_bytes().to_vec())
    };
    pointers.iter().map(path).collect()
}
