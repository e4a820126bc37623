//! What a session sees: the root that is put together for it, and whether root code may read what is in there.

pub(crate) mod etc;
pub mod host_files;
pub mod mark;
pub(crate) mod records;
pub(crate) mod rootfs;
