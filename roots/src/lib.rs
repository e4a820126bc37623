//! Roots of jails: made from the host's files or from archives, kept up to date and rolled back.
//!
//! [`build`], [`import`] and [`update`] are what an administrator asks for: each takes plain values, tells whoever waits how
//! far it is, and gives back what it did; nothing here reads arguments or prints. Below them, [`presets`] and [`closure`]
//! say what belongs into a root, [`archive`] and [`image`] unpack what somebody else has packed, [`generation`] puts it in
//! place at once, and [`tree`] writes, by descriptor only. A file imports only files that come after it in this order, and
//! none here imports jailctl, which imports all of this.

pub mod archive;
pub mod build;
pub mod change;
pub mod closure;
pub mod etc;
pub mod fault;
pub mod generation;
pub mod host;
pub mod image;
pub mod import;
pub mod item;
pub mod loader;
pub mod lock;
pub mod manifest;
pub mod pattern;
pub mod presets;
pub mod progress;
pub mod registry;
pub mod shebang;
pub mod tape;
pub mod terminal;
pub mod tree;
pub mod update;
