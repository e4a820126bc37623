//! The core of login-jail. One line, the same for every door:
//!
//! ```text
//! Identity + Request --config--> Decision --> Plan --> prepare, enter --> exec
//! ```
//!
//! [`start`] makes the process sane, [`privilege`] checks that it is one that can jail, [`identity`] says who logs in,
//! [`request`] what for, [`decision`] asks the config, [`plan`] says what will be done, [`enter`] does it. [`refusal`]
//! is every way in which that ends early. Nothing here prints, and only the caller logs.

pub mod decision;
mod elf;
pub mod enter;
pub mod environment;
mod etc;
pub mod identity;
mod landlock;
pub mod log;
pub mod plan;
pub mod privilege;
pub mod program;
pub mod refusal;
pub mod request;
mod rootfs;
mod seccomp;
pub mod session;
pub mod start;
#[allow(unsafe_code, reason = "the only place of the core that may")]
mod sys;
mod terminal;
pub mod trust;
