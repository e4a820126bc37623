//! The log: one [`Event`](event::Event) type, and what carries events away without making a login wait for more than a moment.
//!
//! Own code, because the `syslog` crate blocks the login while the log daemon stalls and lets newlines through.

pub mod call;
pub mod counts;
pub mod event;
mod fields;
pub mod journal;
mod json;
mod quoted;
pub mod record;
pub mod running;
mod sink;
pub mod syslog;

pub use quoted::{is_hidden, quoted};
pub use sink::{Log, Sent};
