//! `jailctl setup` and `jailctl undo`: a host brought from nothing to a working set-up, and back.
//!
//! [`recipe`] has the recipes as data. [`plan`] makes a list of changes of a recipe, of what is [`asked`] for, and of what the
//! host has; [`change`] has the kinds of changes, each of which can be shown, made and taken back. [`engine`] makes them, each
//! after [`journal`] has written down how things were. [`text`] decides what a file becomes; nothing there reads or writes.
//! [`guard`] has who is never jailed.

pub(crate) mod asked;
pub(crate) mod change;
pub(crate) mod engine;
pub(crate) mod guard;
pub(crate) mod journal;
pub(crate) mod many;
pub(crate) mod plan;
pub(crate) mod recipe;

mod accounts;
mod command;
mod directory;
mod file;
mod sshd;
mod targets;
mod text;
mod undone;
