//! The sandbox of the end-to-end tests: a throw-away copy of the machine with real users, a real
//! sshd, su and login, and jail-shell installed the way an administrator installs it.
//!
//! ```no_run
//! use login_jail_tests::{Sandbox, roots};
//!
//! let sandbox = Sandbox::new().user("ann").root(roots::busybox());
//! assert_eq!(sandbox.ssh("ann", "id -un").ok(), "ann");
//! ```
//!
//! Everything dies with the [`Sandbox`] value, or with the test's process. What goes wrong in the
//! sandbox itself panics with a reason; what goes wrong in the command under test is an [`Outcome`].
//! Nothing in here writes to the host, apart from `target/`: a cached Debian root, and what `make install` installs.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test reports by panicking, a skipped one by printing its reason"
)]

use std::io::Write;

pub mod directory;
pub mod documents;
mod doors;
pub mod escape;
pub mod fault;
mod findings;
mod installed;
mod jailctl;
mod outcome;
pub mod pam;
mod pty;
pub mod roots;
mod sandbox;
pub mod stall;
pub mod vm;

pub use findings::{Found, findings, of_kind};
pub use jailctl::jailctl;
pub use outcome::Outcome;
pub use pty::Pty;
pub use sandbox::{JAIL_SHELL, Sandbox};

/// Makes three tests of each function named, one for each isolation, which the function takes: the third is full, in a world that
/// another session has made and stays in, see [`Sandbox::opened`].
#[macro_export]
macro_rules! under_every_isolation {
    ($($test:ident)*) => {
        mod full {
            $(#[test] fn $test() { super::$test("full"); })*
        }
        mod chroot {
            $(#[test] fn $test() { super::$test("chroot"); })*
        }
        mod joined {
            $(#[test] fn $test() { super::$test("joined"); })*
        }
    };
}

/// Says that something can't be tested here, and why: past the capture of a test's output, which
/// would show it for a failed test only.
pub fn skipped(what: &str, reason: impl std::fmt::Display) {
    let line = format!("skipped: {what}: {reason}\n");
    std::io::stderr().write_all(line.as_bytes()).ok();
}
