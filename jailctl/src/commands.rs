//! The subcommands that are no look at a jail: one file for each, or for two that undo each other.

pub(crate) mod build;
pub(crate) mod enter;
pub(crate) mod generate;
pub(crate) mod import;
pub(crate) mod kick;
pub(crate) mod list;
pub(crate) mod membership;
pub(crate) mod presets;
pub(crate) mod release;
pub(crate) mod rollback;
pub(crate) mod sessions;
pub(crate) mod status;
pub(crate) mod supposed;
pub(crate) mod update;
