//! What of `disk` the files in a home take, and by what they are limited.

use std::fmt;

use jail::{plan::Plan, world::create};
use serde::Serialize;

use super::used_account::{Used, rounded};

/// What the files in a home take, where the config limits it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct UsedDisk {
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<Used>,
    #[serde(skip_serializing_if = "Option::is_none")]
    files: Option<Used>,
    /// The kind of quota; nothing where there is none.
    quota: Option<&'static str>,
}

impl UsedDisk {
    /// Finds what a user's files take; nothing where the jail has no such limit, or there is no home yet.
    pub(crate) fn of(plan: &Plan) -> Option<UsedDisk> {
        let disk = plan.world.disk?;
        // What keeps it from being known is a finding of check's.
        let (_, counted) = create::counted(plan).ok().flatten()?;
        // A quota that allows more is not what limits the home.
        let counted = counted.filter(|it| it.holds(disk));
        let used = |limit: Option<u64>, used| limit.map(|limit| Used { used, limit });
        Some(UsedDisk {
            bytes: used(disk.bytes, counted.map(|it| it.used.0)),
            files: used(disk.files, counted.map(|it| it.used.1)),
            quota: counted.map(|it| match it.is_project {
                true => "project",
                false => "user",
            }),
        })
    }
}

impl fmt::Display for UsedDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.bytes.map(|it| format!("disk {}", it.shown(rounded)));
        let files = self
            .files
            .map(|it| format!("files {}", it.shown(|it| it.to_string())));
        let parts: Vec<String> = bytes.into_iter().chain(files).collect();
        let parts = parts.join(", ");
        match self.quota {
            Some(quota) => write!(f, "{parts} by a {quota} quota"),
            None => write!(f, "{parts}, which no quota enforces: see jailctl check"),
        }
    }
}
