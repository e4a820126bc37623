//! The core of login-jail. One line, the same for every door:
//!
//! ```text
//! Identity + Request --config--> Decision --> Plan --> prepare, enter --> exec
//! ```
//!
//! [`start`] makes the process sane, [`privilege`] checks that it is one that can jail, [`identity`] says who logs in,
//! [`request`] what for, [`decision`] asks the config, [`plan`] says what will be done, [`enter`] does it. [`refusal`]
//! is every way in which that ends early. Nothing here prints, and only the caller logs.
//!
//! Behind PAM the process is another program's, which goes on in the jail as root: [`host_files`] looks at what it will
//! read there, [`services`] at whether all facts about the account are in, [`lockout`] is where a failure leaves it, and
//! by the [`mark`] that is left, jail-shell finds itself [`inside`].

pub mod decision;
mod elf;
pub mod enter;
pub mod environment;
mod etc;
pub mod host_files;
pub mod identity;
pub mod inside;
mod landlock;
pub mod lockout;
pub mod log;
pub mod mark;
pub mod plan;
pub mod privilege;
pub mod program;
mod records;
pub mod refusal;
pub mod request;
mod rootfs;
mod seccomp;
pub mod services;
pub mod session;
pub mod start;
#[allow(unsafe_code, reason = "the only place of the core that may")]
mod sys;
mod terminal;
pub mod trust;
