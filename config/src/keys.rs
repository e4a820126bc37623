//! The keys of a jail as they are written, before any account is known.

use std::path::Path;
use std::time::Duration;

use crate::commands::{Allowed, SftpKeys};
use crate::create::CreateKey;
use crate::devices::Device;
use crate::disk::Disk;
use crate::glob::Glob;
use crate::limits::{Groups, Limits};
use crate::record::RecordKeys;
use crate::services::Service;
use crate::template::Template;
use crate::until::Until;
use crate::walls::{Content, Isolation, Landlock, MountMode, Network, RootOwner, Scope, Seccomp};

/// The keys of a jail, as far as they are written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Keys {
    pub(crate) root: Option<Template>,
    pub(crate) base: Option<BaseKey>,
    pub(crate) shell: Option<String>,
    pub(crate) home: Option<Template>,
    pub(crate) isolation: Option<Isolation>,
    pub(crate) landlock: Option<Landlock>,
    pub(crate) seccomp: Option<Seccomp>,
    pub(crate) network: Option<Network>,
    pub(crate) proc: Option<Content>,
    pub(crate) dev: Option<Content>,
    pub(crate) tmp: Option<Content>,
    /// In the order of the file.
    pub(crate) mounts: Option<Vec<MountKey>>,
    /// In the order of the file, each once.
    pub(crate) etc: Option<Vec<String>>,
    /// In the order of the file, each once.
    pub(crate) services: Option<Vec<Service>>,
    /// In the order of the file, each once.
    pub(crate) devices: Option<Vec<Device>>,
    pub(crate) commands: Option<Vec<Allowed>>,
    pub(crate) sftp: Option<SftpKeys>,
    pub(crate) create: Option<CreateKey>,
    pub(crate) disk: Option<Disk>,
    pub(crate) idle: Option<Duration>,
    pub(crate) record: Option<RecordKeys>,
    pub(crate) pass: Option<Vec<Glob>>,
    /// Sorted by name.
    pub(crate) set: Vec<(String, String)>,
    pub(crate) groups: Option<Groups>,
    pub(crate) umask: Option<u32>,
    pub(crate) limits: Limits,
    pub(crate) until: Option<Until>,
    pub(crate) scope: Option<Scope>,
    pub(crate) linger: Option<bool>,
    pub(crate) root_owner: Option<RootOwner>,
}

/// What `base` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum BaseKey {
    None,
    Host,
    Directory(Template),
}

impl BaseKey {
    /// Gives what is written.
    pub(crate) fn as_str(&self) -> &str {
        match self {
            BaseKey::None => "none",
            BaseKey::Host => "host",
            BaseKey::Directory(directory) => directory.as_str(),
        }
    }
}

/// One of `mounts`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MountKey {
    pub(crate) source: Template,
    pub(crate) target: Template,
    pub(crate) mode: MountMode,
}

impl MountKey {
    /// Tells whether this mount would lie over another one.
    pub(crate) fn covers(&self, earlier: &MountKey) -> bool {
        Path::new(earlier.target.as_str()).starts_with(self.target.as_str())
    }
}

impl Keys {
    /// Takes from `defaults` what is not written here.
    pub(crate) fn over(&self, defaults: &Keys) -> Keys {
        Keys {
            root: first(&self.root, &defaults.root),
            base: first(&self.base, &defaults.base),
            shell: first(&self.shell, &defaults.shell),
            home: first(&self.home, &defaults.home),
            isolation: self.isolation.or(defaults.isolation),
            landlock: self.landlock.or(defaults.landlock),
            seccomp: self.seccomp.or(defaults.seccomp),
            network: first(&self.network, &defaults.network),
            proc: self.proc.or(defaults.proc),
            dev: self.dev.or(defaults.dev),
            tmp: self.tmp.or(defaults.tmp),
            mounts: first(&self.mounts, &defaults.mounts),
            etc: first(&self.etc, &defaults.etc),
            services: first(&self.services, &defaults.services),
            devices: first(&self.devices, &defaults.devices),
            commands: first(&self.commands, &defaults.commands),
            sftp: first(&self.sftp, &defaults.sftp),
            create: first(&self.create, &defaults.create),
            disk: self.disk.or(defaults.disk),
            idle: self.idle.or(defaults.idle),
            record: self.record.or(defaults.record),
            pass: first(&self.pass, &defaults.pass),
            set: merge(&self.set, &defaults.set),
            groups: self.groups.or(defaults.groups),
            umask: self.umask.or(defaults.umask),
            limits: self.limits.or(defaults.limits),
            until: self.until.or(defaults.until),
            scope: self.scope.or(defaults.scope),
            linger: self.linger.or(defaults.linger),
            root_owner: self.root_owner.or(defaults.root_owner),
        }
    }
}

fn first<T: Clone>(own: &Option<T>, default: &Option<T>) -> Option<T> {
    own.as_ref().or(default.as_ref()).cloned()
}

/// Merges two lists of variables that are sorted by name; the first wins.
fn merge(first: &[(String, String)], second: &[(String, String)]) -> Vec<(String, String)> {
    let mut merged = first.to_vec();
    for variable in second {
        if let Err(at) = merged.binary_search_by(|known| known.0.cmp(&variable.0)) {
            merged.insert(at, variable.clone());
        }
    }
    merged
}
