//! What files become, and what they are without the lines of a set-up: text in, text out.

pub(super) mod applied;
pub(super) mod config;
pub(super) mod diff;
pub(super) mod lists;
pub(super) mod pam;
pub(super) mod sshd;
