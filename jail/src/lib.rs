//! The core of login-jail. One line, the same for every door:
//!
//! ```text
//! Identity + Request --config--> Decision --> Plan --> enter --> exec
//! ```
//!
//! It is made of layers, and a file uses only its own and those below it: [`serve`] is what the doors of our own programs do
//! with a plan; [`door`] decides, looks and enters, and its refusals are every way in which that ends early; [`session`] is
//! the processes around the user's; [`world`] puts together what a session sees, some of it as the user; [`log`] has one type
//! for everything that is logged, and writes it; [`process`] makes the process sane, gives it its ids, limits and walls, and finds the program;
//! [`plan`] says beforehand what all of them will do, in plain values; [`account`] looks up whose login it is; [`trust`]
//! opens what only root can have changed, [`resolve`] what must stay below a directory;
//! `channel` carries messages between processes of our own, `packed` is what they are made of; [`fault`] and [`code`] are the words for what fails; `sys` is the system calls,
//! and the only unsafe code. Nothing here prints. [`serve`], the supervisor of a session and the PAM module log.

pub mod account;
mod channel;
pub mod code;
pub mod door;
pub mod fault;
mod lock;
pub mod log;
mod marked;
mod own;
mod packed;
pub mod plan;
pub mod process;
pub mod resolve;
pub mod serve;
pub mod served;
pub mod session;
#[allow(unsafe_code, reason = "the only place of the core that may")]
mod sys;
pub mod trust;
mod untrusted;
pub mod world;
