//! The subcommands: one file for each, with its `Arguments` and what it does, or what asks another folder to do it.

pub(crate) mod add;
pub(crate) mod build;
pub(crate) mod check;
pub(crate) mod complete;
pub(crate) mod completions;
pub(crate) mod enter;
pub(crate) mod explain;
pub(crate) mod import;
pub(crate) mod kick;
pub(crate) mod list;
pub(crate) mod man;
pub(crate) mod membership;
pub(crate) mod mend;
pub(crate) mod metrics;
pub(crate) mod migrate;
pub(crate) mod presets;
pub(crate) mod release;
pub(crate) mod replay;
pub(crate) mod rollback;
pub(crate) mod sessions;
pub(crate) mod setup;
pub(crate) mod status;
pub(crate) mod supposed;
pub(crate) mod undo;
pub(crate) mod update;
pub(crate) mod versions;
