//! Any bytes as the passwd(5) and group(5) of a jail: where we take them to agree with the host, the C library, which root
//! code of a host program reads them with, takes no other ids from them.

use std::{
    ffi::{CStr, OsStr, c_char, c_int, c_void},
    ptr,
};

use jail::{
    plan::process::Ids,
    world::agreement::{group_agrees, passwd_agrees},
};

const USER: &CStr = c"ann";

/// More than the longest line of an input takes, pointers to the members included.
const ROOM: usize = 1 << 20;

/// Takes one input.
pub(crate) fn take(bytes: &[u8]) {
    if bytes.is_empty() {
        // fmemopen(3) takes no buffer of this size.
        return;
    }
    let ids = Ids {
        uid: 1000,
        gid: 100,
        groups: vec![100, 1001],
    };
    let user = OsStr::new("ann");
    if passwd_agrees(bytes, user, &ids).is_ok() {
        for (uid, gid) in accounts(bytes) {
            assert_eq!(
                (uid, gid),
                (ids.uid, ids.gid),
                "{:?}",
                bytes.escape_ascii().to_string()
            );
        }
    }
    if let Ok(found) = group_agrees(bytes, user, &ids) {
        for gid in groups(bytes) {
            assert!(
                ids.has_group(gid),
                "{gid} in {:?}",
                bytes.escape_ascii().to_string()
            );
            assert!(
                found.contains(&gid),
                "{gid} in {:?}",
                bytes.escape_ascii().to_string()
            );
        }
    }
}

/// Gives the ids of every line that glibc takes for the user's: fgetpwent_r(3) has the parser of its service "files".
fn accounts(bytes: &[u8]) -> Vec<(u32, u32)> {
    let mut found = Vec::new();
    each(bytes, |stream, buffer| {
        let mut entry = Passwd::default();
        let mut result: *mut Passwd = ptr::null_mut();
        // SAFETY: the stream is open, the entry and the buffer are ours and as large as is said.
        let failed = unsafe {
            fgetpwent_r(
                stream,
                &raw mut entry,
                buffer.as_mut_ptr(),
                buffer.len(),
                &raw mut result,
            )
        };
        if failed != 0 || result.is_null() {
            return false;
        }
        // SAFETY: a call that succeeds leaves a string there, in the buffer.
        if unsafe { CStr::from_ptr(entry.name) } == USER {
            found.push((entry.uid, entry.gid));
        }
        true
    });
    found
}

/// Gives every group that glibc takes the user for a member of.
fn groups(bytes: &[u8]) -> Vec<u32> {
    let mut found = Vec::new();
    each(bytes, |stream, buffer| {
        let mut entry = Group::default();
        let mut result: *mut Group = ptr::null_mut();
        // SAFETY: as above.
        let failed = unsafe {
            fgetgrent_r(
                stream,
                &raw mut entry,
                buffer.as_mut_ptr(),
                buffer.len(),
                &raw mut result,
            )
        };
        if failed != 0 || result.is_null() {
            return false;
        }
        let mut member = entry.members;
        // SAFETY: a call that succeeds leaves a list of strings there that ends in a null pointer, all in the buffer.
        while let Some(name) = unsafe { member.as_ref() }.filter(|name| !name.is_null()) {
            // SAFETY: as above.
            if unsafe { CStr::from_ptr(*name) } == USER {
                found.push(entry.gid);
            }
            // SAFETY: as above: the null pointer at the end has not been reached.
            member = unsafe { member.add(1) };
        }
        true
    });
    found
}

fn each(bytes: &[u8], mut next: impl FnMut(*mut c_void, &mut [c_char]) -> bool) {
    let mut buffer = vec![0; ROOM];
    // SAFETY: the bytes outlive the stream, which only reads.
    let stream = unsafe { fmemopen(bytes.as_ptr().cast(), bytes.len(), c"r".as_ptr()) };
    assert!(!stream.is_null());
    while next(stream, &mut buffer) {}
    // SAFETY: the stream is open, and not used again.
    unsafe { fclose(stream) };
}

/// struct passwd of pwd.h.
#[repr(C)]
struct Passwd {
    name: *const c_char,
    password: *const c_char,
    uid: u32,
    gid: u32,
    rest: [*const c_char; 3],
}

/// struct group of grp.h.
#[repr(C)]
struct Group {
    name: *const c_char,
    password: *const c_char,
    gid: u32,
    members: *const *const c_char,
}

impl Default for Passwd {
    fn default() -> Passwd {
        Passwd {
            name: ptr::null(),
            password: ptr::null(),
            uid: 0,
            gid: 0,
            rest: [ptr::null(); 3],
        }
    }
}

impl Default for Group {
    fn default() -> Group {
        Group {
            name: ptr::null(),
            password: ptr::null(),
            gid: 0,
            members: ptr::null(),
        }
    }
}

unsafe extern "C" {
    fn fmemopen(buffer: *const c_void, size: usize, mode: *const c_char) -> *mut c_void;
    fn fclose(stream: *mut c_void) -> c_int;
    fn fgetpwent_r(
        stream: *mut c_void,
        entry: *mut Passwd,
        buffer: *mut c_char,
        size: usize,
        result: *mut *mut Passwd,
    ) -> c_int;
    fn fgetgrent_r(
        stream: *mut c_void,
        entry: *mut Group,
        buffer: *mut c_char,
        size: usize,
        result: *mut *mut Group,
    ) -> c_int;
}
