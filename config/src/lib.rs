//! The policy: from the text of `config.toml` to a decision about one account.
//!
//! This crate runs inside a setuid program at each login, and it is pure: it opens nothing, asks
//! the system nothing and knows no process. Whoever calls it has read the text from a file that
//! only root can write, and has looked the account up.
//!
//! [`Policy::parse`] reports everything that is wrong with a text, not the first thing only. What
//! it lets through is valid by construction: [`Policy::decide`] can fail for one reason only, an
//! account whose name or home does not fit into a path ([`TemplateError`]).

#![forbid(unsafe_code)]

mod accepted;
mod account;
mod commands;
mod create;
mod decide;
mod devices;
mod disk;
mod duration;
mod env;
mod etc;
mod fault;
mod glob;
mod jail;
mod keys;
mod limits;
mod nearest;
mod parse;
mod policy;
mod print;
mod record;
mod rule;
mod schema;
mod services;
mod size;
mod source;
mod template;
mod until;
mod user_file;
mod walls;
mod words;

pub use accepted::{Accepted, Whose};
pub use account::Account;
pub use commands::{Access, Allowed, Argument, Program, Sftp, has_shell};
pub use create::{Create, Skeleton};
pub use decide::{Decision, Match};
pub use devices::Device;
pub use disk::Disk;
pub use duration::duration;
pub use env::Env;
pub use etc::shows_of_etc;
pub use fault::{Fault, Faults};
pub use glob::Glob;
pub use jail::{Home, Jail};
pub use limits::{AccountLimits, Groups, Limits, MOST_SESSIONS};
pub use nearest::nearest;
pub use policy::{Policy, UserFile};
pub use record::{Record, RecordWhat, Recording};
pub use rule::{Rule, RuleKind};
pub use schema::is_jail_key;
pub use services::{Service, Services, Shown};
pub use size::size;
pub use template::TemplateError;
pub use until::{End, Until};
pub use user_file::{UnsafeName, user_file_name};
pub use walls::{
    Base, Content, Isolation, Landlock, Mount, MountMode, Network, RootOwner, Scope, Seccomp,
};
