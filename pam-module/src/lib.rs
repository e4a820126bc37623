//! `pam_jail.so`: the door for every program that opens a PAM session (sshd, login, su, cron, atd, vsftpd).
//!
//! It is a guest in somebody else's process: it neither prints nor exits, sets no ids and handles no signals, and no
//! panic leaves it. The account stage looks at whether a session could be opened and changes nothing. The session stage
//! puts the host program itself into the jail; ids, groups and environment stay that program's to set.
//!
//! A session that can't be opened ends in an empty root before the failure is returned, because some programs go on
//! after a failure: `optional` in the stack, and sudo after PAM_SESSION_ERR.

#![deny(clippy::print_stdout, clippy::print_stderr, clippy::exit)]

mod door;
#[allow(unsafe_code, reason = "the edge to libpam, the only place that may")]
mod ffi;
mod options;
