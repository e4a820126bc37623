//! Settings that hide files from logins, or let nobody write or execute them.

use std::path::{Path, PathBuf};

use super::{
    effect::{Effect, Harm, Needs, both},
    unit::Unit,
};

/// What is missing, read-only or not executable in the unit's own view of the file system, which the jail is made of.
pub(super) fn files(unit: &Unit<'_>, needs: &Needs) -> Vec<Effect> {
    let mut found = Vec::new();
    for property in ["RootDirectory", "RootImage"] {
        if unit.is_on(property) {
            let why = format!(
                "unless config and roots are below it: {}",
                unit.get(property)
            );
            found.push(both(
                Harm::Refuses("config-missing", why),
                format!("{property}={}", unit.get(property)),
                None,
            ));
        }
    }
    let below = |paths: &[&Path], of: &[PathBuf]| -> Option<String> {
        let shut = |it: &&PathBuf| paths.iter().any(|path| it.starts_with(path));
        of.iter().find(shut).map(|it| it.display().to_string())
    };
    for property in ["InaccessiblePaths", "TemporaryFileSystem"] {
        let paths: Vec<&Path> = unit.paths(property).collect();
        if let Some(path) = below(&paths, &needs.read) {
            let why = format!("because {path} is not to be seen");
            let written = format!("{property}={}", unit.get(property));
            found.push(both(
                Harm::Refuses("root-missing", why),
                written,
                format!("{property}="),
            ));
        }
    }
    let (written, paths) = read_only(unit);
    let exceptions: Vec<&Path> = unit.paths("ReadWritePaths").collect();
    let shut = |it: &&PathBuf| {
        let deepest = |list: &[&Path]| {
            let above = list.iter().filter(|path| it.starts_with(path));
            above.map(|path| path.components().count()).max()
        };
        deepest(&paths) > deepest(&exceptions)
    };
    if let Some(path) = needs.written.iter().find(shut) {
        let what = format!(
            "what users write to is read-only, without a word: {}",
            path.display()
        );
        let remedy = match unit.get("ProtectSystem") {
            "strict" => "ProtectSystem=full",
            _ => "ReadOnlyPaths=",
        };
        found.push(both(Harm::Lessens(what), written, remedy.to_owned()));
    }
    let (denied, allowed): (Vec<&Path>, Vec<&Path>) = (
        unit.paths("NoExecPaths").collect(),
        unit.paths("ExecPaths").collect(),
    );
    let runs_not = |it: &&PathBuf| {
        below(&denied, std::slice::from_ref(*it)).is_some()
            && below(&allowed, std::slice::from_ref(*it)).is_none()
    };
    if let Some(path) = needs.executed.iter().find(runs_not) {
        let why = format!("because no program in {} can be started", path.display());
        let written = format!("NoExecPaths={}", unit.get("NoExecPaths"));
        found.push(both(
            Harm::Refuses("exec", why),
            written,
            "NoExecPaths=".to_owned(),
        ));
    }
    if unit.get("MountFlags") == "private" {
        let what = "what is mounted on the host after the unit was started is not seen".to_owned();
        found.push(both(
            Harm::Lessens(what),
            "MountFlags=private".to_owned(),
            "MountFlags=slave".to_owned(),
        ));
    }
    found
}

/// Gives the paths that are read-only in a unit, and the setting that makes them so.
fn read_only<'a>(unit: &Unit<'a>) -> (String, Vec<&'a Path>) {
    let listed: Vec<&Path> = unit.paths("ReadOnlyPaths").collect();
    let system: &[&str] = match unit.get("ProtectSystem") {
        "strict" => &["/"],
        "full" => &["/usr", "/boot", "/efi", "/etc"],
        "yes" => &["/usr", "/boot", "/efi"],
        _ => &[],
    };
    let written = match unit.get("ProtectSystem") {
        "" | "no" => format!("ReadOnlyPaths={}", unit.get("ReadOnlyPaths")),
        how => format!("ProtectSystem={how}"),
    };
    (
        written,
        system.iter().map(Path::new).chain(listed).collect(),
    )
}

pub(super) fn homes(unit: &Unit<'_>, is_sshd: bool, needs: &Needs) -> Vec<Effect> {
    const HOMES: [&str; 3] = ["/home", "/root", "/run/user"];
    let how = unit.get("ProtectHome");
    let is_home = |it: &&PathBuf| HOMES.iter().any(|home| it.starts_with(home));
    let written = format!("ProtectHome={how}");
    let effect = |harm| both(harm, written.clone(), "ProtectHome=no".to_owned());
    if how == "read-only" {
        let path = needs.written.iter().find(is_home);
        let what = |path: &PathBuf| {
            format!(
                "what users write to is read-only, without a word: {}",
                path.display()
            )
        };
        return path
            .map(|path| effect(Harm::Lessens(what(path))))
            .into_iter()
            .collect();
    }
    if !matches!(how, "yes" | "tmpfs") {
        return Vec::new();
    }
    let mut found = Vec::new();
    if let Some(path) = needs.read.iter().find(is_home) {
        let why = format!("because {} is not to be seen", path.display());
        found.push(effect(Harm::Refuses("root-missing", why)));
    }
    if let Some(home) = needs.homes.iter().find(is_home).filter(|_| is_sshd) {
        let what = format!("sshd sees no keys in {}", home.display());
        found.push(effect(Harm::Lessens(what)));
    }
    found
}
