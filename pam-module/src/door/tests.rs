use std::{cell::Cell, env, ffi::OsString};

use super::{Host, Open, Verdict, account};

/// A program with variables of its caller's, which counts those that are seen.
#[derive(Default)]
struct Counting {
    looking: Cell<Option<usize>>,
    saying: Cell<Option<usize>>,
}

fn variables() -> Option<usize> {
    Some(env::vars_os().count())
}

impl Host for Counting {
    fn user(&self) -> Option<OsString> {
        self.looking.set(variables());
        Some("no-such-user-here".into())
    }
    fn terminal(&self) -> Option<OsString> {
        None
    }
    fn unset(&self, _: &str) {}
    fn end_after(&self, _: u64) -> bool {
        true
    }
    fn remote(&self) -> Option<OsString> {
        None
    }
    fn service(&self) -> Option<OsString> {
        None
    }
    fn keep(&self, _: Box<Open>) -> Result<(), Box<Open>> {
        Ok(())
    }
    fn with_kept(&self, _: impl FnOnce(&mut Open)) {}
    fn say(&self, _: &str) {
        self.saying.set(variables());
    }
}

#[test]
fn no_variable_of_the_host_programs_reaches_what_decides() {
    let host = Counting::default();
    assert_eq!(account(&host, Ok(Vec::new())), Verdict::Denied);
    assert_eq!(host.looking.get(), Some(0), "RUST_BACKTRACE and its like");
    // The conversation is the program's own.
    assert!(host.saying.get() > Some(0));
}
