//! Who logs in: the account as the name services give it, looked up before the root changes. Never after.

pub mod identity;
pub mod names;
pub mod password;
pub mod services;
