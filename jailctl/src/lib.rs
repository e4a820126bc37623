//! What jailctl is made of: roots of jails made from the host's files or from archives, kept up to date and rolled back.
//!
//! [`elf`] and [`loader`] say what a program needs, [`presets`] what people mean by a name, [`closure`] puts both
//! together; [`tree`] writes into a root by descriptor only; [`build`], [`update`] and [`import`] are the commands.
#![allow(
    clippy::print_stderr,
    reason = "an administrator's tool, which talks to whoever runs it"
)]

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
pub mod stdout;
pub mod tape;
pub mod terminal;
pub mod tree;
pub mod update;
