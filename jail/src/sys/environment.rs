//! environ(7): the environment of this process, set aside for a while.

use std::{
    ffi::c_char,
    mem, ptr,
    sync::{Mutex, PoisonError},
};

unsafe extern "C" {
    static mut environ: *mut *mut c_char;
}

/// An environment without variables. It is never freed: another thread may still hold it.
static mut EMPTY: [*mut c_char; 1] = [ptr::null_mut()];

/// What is set aside. A host program may have several threads in here at once: the first one takes the environment, the
/// last one gives it back.
static ASIDE: Mutex<Aside> = Mutex::new(Aside {
    users: 0,
    all: ptr::null_mut(),
    copy: Vec::new(),
});

struct Aside {
    /// How many pieces of work want the environment empty at the moment.
    users: usize,
    /// The process's own environment.
    all: *mut *mut c_char,
    /// The same strings: setenv(3) in between may move or free an array that it made itself.
    copy: Vec<*mut c_char>,
}

// SAFETY: the pointers are not bound to a thread: the environment is the process's.
unsafe impl Send for Aside {}

/// Gives the environment back when it is dropped.
struct Guard;

/// Does something in an empty environment, and gives the process its own back, also where that panics.
///
/// Only the pointer to the environment is changed: its strings and their order stay what they were. A variable that is set
/// in between is lost. Another thread finds no variables meanwhile.
pub fn in_empty_environment<T>(work: impl FnOnce() -> T) -> T {
    let _guard = Guard::take();
    work()
}

/// Takes every variable out of this process's environment for good.
pub(crate) fn clear() {
    mem::forget(Guard::take());
}

impl Guard {
    fn take() -> Guard {
        let mut aside = ASIDE.lock().unwrap_or_else(PoisonError::into_inner);
        if aside.users == 0 {
            // SAFETY: the C library keeps the pointer valid. A program that changes its environment in one thread must not
            // use it in another: setenv(3).
            aside.all = unsafe { environ };
            aside.copy = entries(aside.all);
            let empty = (&raw mut EMPTY).cast();
            // SAFETY: as above; the new array ends in a null pointer and is never freed.
            unsafe { environ = empty };
        }
        aside.users += 1;
        Guard
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let mut aside = ASIDE.lock().unwrap_or_else(PoisonError::into_inner);
        aside.users -= 1;
        if aside.users > 0 {
            return;
        }
        let copy = mem::take(&mut aside.copy);
        // SAFETY: as in `take`.
        let now = unsafe { environ };
        let back = if ptr::eq(now, (&raw const EMPTY).cast()) {
            aside.all
        } else {
            // A variable was set, which is rare. Who gets this copy keeps it for good, so it is not freed.
            Box::leak(copy.into_boxed_slice()).as_mut_ptr()
        };
        // SAFETY: as in `take`; `back` is null as it was, or an array of strings that ends in a null pointer.
        unsafe { environ = back };
    }
}

/// Copies the pointers of an array of strings, and the null pointer at its end.
fn entries(all: *mut *mut c_char) -> Vec<*mut c_char> {
    let mut copy = Vec::new();
    if !all.is_null() {
        for index in 0.. {
            // SAFETY: no entry before this one is null, so the array goes on.
            let entry = unsafe { all.add(index) };
            // SAFETY: as above; every entry may be read.
            let entry = unsafe { entry.read() };
            if entry.is_null() {
                break;
            }
            copy.push(entry);
        }
    }
    copy.push(ptr::null_mut());
    copy
}

#[cfg(test)]
mod tests {
    use std::{env, ffi::CStr, panic, thread};

    use super::{environ, in_empty_environment};

    unsafe extern "C" {
        fn setenv(name: *const libc::c_char, value: *const libc::c_char, replace: i32) -> i32;
    }

    fn set(name: &CStr) {
        // SAFETY: both strings end in NUL.
        assert_eq!(unsafe { setenv(name.as_ptr(), c"1".as_ptr(), 1) }, 0);
    }

    /// One test, because there is one environment: other tests of this process only empty it, too.
    #[test]
    fn nothing_of_the_environment_is_seen_and_all_of_it_comes_back() {
        // Until no other test has it set aside.
        let all = || loop {
            let all: Vec<_> = env::vars_os().collect();
            if !all.is_empty() {
                return all;
            }
            thread::yield_now();
        };
        let before = all();
        in_empty_environment(|| {
            assert_eq!(env::vars_os().count(), 0);
            assert_eq!(in_empty_environment(|| env::vars_os().count()), 0);
            assert_eq!(env::vars_os().count(), 0);
        });
        assert_eq!(all(), before);
        // Also past a panic, which the PAM module catches at its edge.
        panic::catch_unwind(|| in_empty_environment(|| panic!("a test"))).unwrap_err();
        assert_eq!(all(), before);
        // And where a module sets a variable: the C library then moves the array that it made for an earlier one.
        set(c"LOGIN_JAIL_FIRST");
        let before = all();
        in_empty_environment(|| {
            for name in [c"LOGIN_JAIL_A", c"LOGIN_JAIL_B", c"LOGIN_JAIL_C"] {
                set(name);
            }
        });
        assert_eq!(all(), before);
        // SAFETY: reading the pointer only.
        assert!(!unsafe { environ }.is_null());
        set(c"LOGIN_JAIL_LAST");
        assert_eq!(all().len(), before.len() + 1);
        let threads: Vec<_> = (0..8)
            .map(|_| {
                thread::spawn(|| (0..500).for_each(|_| in_empty_environment(thread::yield_now)))
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(all().len(), before.len() + 1);
    }
}
