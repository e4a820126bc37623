//! What a session sees: the root that is put together for it, and whether root code may read what is in there.

pub mod agreement;
pub(crate) mod assemble;
pub mod create;
pub mod dev;
pub mod devices;
pub mod etc;
pub(crate) mod executables;
pub mod host_etc;
pub mod host_files;
pub(crate) mod keep;
pub mod mark;
pub(crate) mod mounts;
pub(crate) mod namespaces;
pub mod quota;
pub(crate) mod records;
pub(crate) mod run;
pub(crate) mod services;
pub mod sight;
pub(crate) mod targets;
pub mod terminal;
pub(crate) mod top;
pub mod view;
