//! `jailctl migrate`: the config that does what jailkit, sshd or pam_chroot does now, printed and nothing else.
//!
//! What can't be said in a config is a comment with the line that says it there. The draft is read by the parser of the
//! doors before it is printed, and every account of this machine is decided by it once: who would come elsewhere than now
//! gets a rule of their own.

mod draft;
pub(crate) mod jailkit;
pub(crate) mod pam_chroot;
pub(crate) mod sshd;

pub(crate) use draft::parse;
