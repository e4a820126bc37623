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

pub mod account;
pub mod code;
pub mod door;
pub mod fault;
pub mod log;
pub mod plan;
pub mod process;
mod served;
pub mod session;
#[allow(unsafe_code, reason = "the only place of the core that may")]
mod sys;
pub mod trust;
pub mod world;

pub use account::{identity, services};
pub use door::{decision, enter, inside, lockout, refusal};
pub use plan::{environment, request};
pub use process::{landlock, privilege, program, start};
pub use world::{host_files, mark};
