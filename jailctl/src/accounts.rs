//! The accounts of the host and what the config says of them, and what jailctl writes about both.

pub(crate) mod account;
pub(crate) mod administrators;
pub(crate) mod disk_limit;
pub(crate) mod edit;
pub(crate) mod host_text;
pub(crate) mod listed;
pub(crate) mod login_defs;
pub(crate) mod manager;
pub(crate) mod open_until;
pub(crate) mod services;
pub(crate) mod shells;
pub(crate) mod traces;
pub(crate) mod trial;
pub(crate) mod used_account;
pub(crate) mod used_disk;
pub(crate) mod used_sessions;
