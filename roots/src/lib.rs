//! Roots of jails: made from the host's files or from archives, kept up to date and rolled back.
//!
//! [`build`], [`import`] and [`update`] are what an administrator asks for. Each takes plain values, reports its progress to
//! a function of the caller's, and returns what it did. Nothing here reads arguments or prints. They stand on four parts:
//! [`presets`], [`collect`] and [`loader`] say which of the host's files a root needs; [`archive`], [`image`] and [`tape`]
//! unpack what somebody else has packed; `populate`, `journal` and `generation` make a new generation and exchange it for
//! the old one; [`tree`] and [`place`] write, by descriptor only. Imports go from the first of these to the last, and this
//! crate imports the core and the config's. It never imports jailctl, which is the one that uses it.

pub mod archive;
mod bounded;
mod brought;
pub mod build;
pub mod change;
pub mod closure;
pub mod collect;
pub mod compression;
mod directory;
pub mod etc;
mod existing;
pub mod fault;
pub mod foreseen;
mod generation;
pub mod host;
pub mod image;
pub mod import;
pub mod item;
mod journal;
mod library_cache;
mod library_directories;
pub mod loader;
pub mod lock;
pub mod manifest;
pub mod new_root;
pub mod note;
pub mod pattern;
pub mod place;
mod populate;
pub mod presets;
pub mod progress;
pub mod registry;
pub mod shebang;
mod skeleton;
pub mod store;
mod strangers;
pub mod tape;
pub mod terminal;
pub mod tree;
mod trusted;
pub mod untouched;
pub mod update;
pub mod versions;
