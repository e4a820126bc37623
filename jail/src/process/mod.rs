//! What runs in a world: ids, capabilities, limits and the second walls of one process, and the program it becomes.

pub(crate) mod capabilities;
pub mod cgroup;
pub mod client;
pub mod credentials;
pub mod descriptors;
pub mod elf;
pub mod ended;
pub mod home;
pub mod landlock;
pub(crate) mod limits;
pub mod name;
pub mod privilege;
pub mod program;
pub mod script;
pub(crate) mod seccomp;
pub mod start;
pub(crate) mod withheld;
