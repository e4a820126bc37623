//! The two processes that stand around a fully isolated session.
//!
//! *Outside*, the supervisor is the process that sshd or su started. It gives its privileges up, passes signals on, and
//! ends as the jailed shell ended. *Inside*, init is pid 1: it reaps, and leaves when `linger` lets it. Neither holds
//! the session's standard descriptors, so that a client sees the end of the output when the session's own processes
//! have closed it.
//!
//! They talk over a socket: init says when the world stands and it has nothing left to give up; one byte lets it go on once the
//! supervisor has given up everything as well; further ones are orders, and init reports how the main process stopped and ended.
//! Each sees by it that the other is gone.

pub(crate) mod arrival;
pub(crate) mod cast;
pub(crate) mod close;
pub mod cut;
pub(crate) mod ending;
pub(crate) mod idle;
pub(crate) mod init;
pub(crate) mod inside;
pub(crate) mod joining;
pub(crate) mod keeper;
pub(crate) mod link;
pub(crate) mod messages;
pub(crate) mod orders;
pub(crate) mod place;
pub(crate) mod recorder;
pub(crate) mod relay;
pub mod sftp_line;
pub(crate) mod sftp_log;
pub mod slot;
pub(crate) mod standard;
pub mod supervisor;
pub mod terminal;
pub(crate) mod to_log;
pub mod transfers;
pub(crate) mod waiting;

pub use crate::process::ended::Ended;
