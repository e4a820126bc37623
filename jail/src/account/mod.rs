//! Who logs in: the account as the name services give it, looked up before the root changes. Never after.

pub mod identity;
mod identity_error;
pub mod local;
pub mod names;
pub(crate) mod passed;
pub mod password;
pub mod services;
