//! A unit, as `systemctl show` prints it.

use std::{collections::BTreeMap, path::Path};

/// What systemd is asked for.
pub(in crate::doctor::check) const PROPERTIES: [&str; 27] = [
    "Id",
    "LoadState",
    "ActiveState",
    "UnitFileState",
    "NoNewPrivileges",
    "RestrictNamespaces",
    "RestrictSUIDSGID",
    "RestrictAddressFamilies",
    "SystemCallFilter",
    "CapabilityBoundingSet",
    "SecureBits",
    "PrivateDevices",
    "PrivateUsers",
    "PrivateNetwork",
    "ProtectSystem",
    "ProtectHome",
    "ReadWritePaths",
    "ReadOnlyPaths",
    "InaccessiblePaths",
    "TemporaryFileSystem",
    "NoExecPaths",
    "ExecPaths",
    "RootDirectory",
    "RootImage",
    "MountFlags",
    "PrivateMounts",
    "DevicePolicy",
];

/// A unit that is loaded, with its properties as they were printed.
#[derive(Debug)]
pub(in crate::doctor::check) struct Unit<'a> {
    pub(super) properties: BTreeMap<&'a str, &'a str>,
}

/// Reads what `systemctl show` has printed: a block for each unit. Left out is what is not there, or can't run, and the
/// second name of a unit.
pub(in crate::doctor::check) fn parse(text: &str) -> Vec<Unit<'_>> {
    let mut units: Vec<Unit<'_>> = Vec::new();
    for block in text.split("\n\n") {
        let unit = Unit {
            properties: block
                .lines()
                .filter_map(|line| line.split_once('='))
                .collect(),
        };
        let runs = unit.get("ActiveState") == "active"
            || !matches!(unit.get("UnitFileState"), "disabled" | "masked");
        let is_known = units.iter().any(|other| other.name() == unit.name());
        if unit.get("LoadState") == "loaded" && runs && !is_known {
            units.push(unit);
        }
    }
    units
}

impl<'a> Unit<'a> {
    pub(in crate::doctor::check) fn name(&self) -> &'a str {
        self.get("Id")
    }

    /// Gives a property; nothing is like an empty one, which an older systemd does not know.
    pub(super) fn get(&self, property: &str) -> &'a str {
        self.properties.get(property).copied().unwrap_or_default()
    }

    pub(super) fn is_on(&self, property: &str) -> bool {
        !matches!(self.get(property), "" | "no" | "off")
    }

    /// Gives the paths of a list, without what stands before and behind them.
    pub(super) fn paths(&self, property: &str) -> impl Iterator<Item = &'a Path> {
        self.get(property).split_whitespace().map(|word| {
            let word = word.trim_matches('"').trim_start_matches(['-', '+']);
            Path::new(word.split(':').next().unwrap_or_default())
        })
    }

    /// Tells which of these are not in a list that allows, or are in one that denies (`~`).
    pub(super) fn denied<'b>(
        &self,
        property: &str,
        wanted: impl IntoIterator<Item = &'b str>,
    ) -> Vec<&'b str> {
        let written = self.get(property);
        let (denies, list) = match written.strip_prefix('~') {
            Some(list) => (true, list),
            None => (written.is_empty(), written),
        };
        let has = |name: &str| {
            list.split_whitespace()
                .any(|word| word.split(':').next() == Some(name))
        };
        wanted
            .into_iter()
            .filter(|name| has(name) == denies)
            .collect()
    }
}
