//! What all doors have in common: from the config's decision to the last thing before execve(2), or to a refusal.

pub(crate) mod arriving;
pub(crate) mod child;
pub(crate) mod count;
pub mod decision;
pub mod enter;
pub mod entered;
pub mod host_program;
pub mod inside;
pub mod lockout;
pub mod look;
pub mod lookups;
pub mod phases;
pub mod recording;
pub mod refusal;
pub(crate) mod shared;
pub mod until;
mod user;
pub(crate) mod walls;
