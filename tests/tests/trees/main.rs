//! How roots are made and kept: `jailctl build`, `import`, `update` and `migrate`.

mod image_versions;
mod jailctl_build;
mod jailctl_import;
mod jailctl_migrate;
mod jailctl_update;
mod jailkit;
