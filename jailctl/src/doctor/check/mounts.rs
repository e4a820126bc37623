//! What is mounted below a root. A login shows it as part of the jail, whoever mounted it and whatever it is.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use jail_config::{Content, Isolation, Mount, MountMode};

use crate::{
    accounts::account::Jailed,
    doctor::{
        check::{Finding, FindingKind, Report, config::edit},
        mend::{Kind, Repair},
    },
    failure::Failure,
    mountinfo::Mounted,
    shell::shown,
};

/// What is the host's own, and is in no jail: accounts and secrets, the homes of others, sockets of services. All of it,
/// where a part may be meant.
const OWN: [&str; 6] = ["/boot", "/etc", "/home", "/root", "/run", "/var"];

/// What everybody on the host shares.
const SHARED: [&str; 4] = ["/dev", "/dev/shm", "/tmp", "/var/tmp"];

/// What the kernel says of itself and of all processes.
const KERNEL: [&str; 2] = ["/proc", "/sys"];

/// Sockets by which whoever may connect can have what they like done as root, below /run.
const COMMANDING: [&str; 9] = [
    "containerd/containerd.sock",
    "crio/crio.sock",
    "dbus/system_bus_socket",
    "docker.sock",
    "incus/unix.socket",
    "libvirt/libvirt-sock",
    "podman/podman.sock",
    "snapd.socket",
    "systemd/private",
];

/// How much of the host a directory of its is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Own,
    Shared,
    /// A directory that may be there for the jail.
    Other,
}

/// Checks every root, once for all who share it, and what the config mounts into it.
pub(crate) fn check(report: &mut Report, jailed: &[Jailed]) {
    jailed.iter().for_each(|one| report.extend(configured(one)));
    match below_roots(jailed) {
        Ok(findings) => report.extend(findings),
        Err(failure) => report.leave_unchecked(failure.to_string()),
    }
}

/// Makes findings of what is mounted below roots.
pub(crate) fn below_roots(jailed: &[Jailed]) -> Result<Vec<Finding>, Failure> {
    let all = Mounted::all()?;
    let mut findings = Vec::new();
    let mut roots: BTreeMap<&Path, Vec<&Jailed>> = BTreeMap::new();
    for one in jailed {
        roots.entry(&one.jail.root).or_default().push(one);
    }
    let (inside, host): (Vec<&Mounted>, Vec<&Mounted>) = all
        .iter()
        .partition(|mount| roots.keys().any(|root| mount.is_below(root)));
    for (root, users) in roots {
        let below = inside
            .iter()
            .filter(|it| it.is_below(root) && !is_covered(it, root, &users));
        findings.extend(
            judge(below.copied(), root, &host).map(|finding| match users.as_slice() {
                [only] => finding.of(only),
                _ => finding,
            }),
        );
    }
    Ok(findings)
}

/// Tells whether a program of somebody's serves the file system that a path is on: one that does not answer is not waited for.
pub(super) fn is_served_by_a_program(path: &Path) -> bool {
    let all = Mounted::all().unwrap_or_default();
    all.iter()
        .any(|it| it.kind.starts_with("fuse") && path.starts_with(&it.point))
}

/// Tells whether a session has something of its own in the place, whoever of these users it is of.
fn is_covered(mount: &Mounted, root: &Path, users: &[&Jailed]) -> bool {
    let is_below = |name: &str| mount.point.starts_with(root.join(name));
    users.iter().all(|one| {
        let jail = &one.jail;
        let private = [("proc", jail.proc), ("dev", jail.dev), ("tmp", jail.tmp)];
        let mut hidden = private
            .into_iter()
            .filter(|(_, content)| *content == Content::Private);
        jail.isolation == Isolation::Full && hidden.any(|(name, _)| is_below(name))
    })
}

/// Tells how much of the host is reached by a directory of its.
fn part(path: &Path, root: &Path) -> Part {
    let is = |one: &str| path == Path::new(one);
    // With what is above the root come the roots of others; root's home is shut by its own mode alone.
    if root.starts_with(path) || path.starts_with("/root") || OWN.into_iter().any(is) {
        Part::Own
    } else if SHARED.into_iter().any(is) {
        Part::Shared
    } else {
        Part::Other
    }
}

/// Makes a finding of each mount below a root, but for those below one that is wrong itself.
fn judge<'a>(
    below: impl Iterator<Item = &'a Mounted>,
    root: &Path,
    host: &[&Mounted],
) -> impl Iterator<Item = Finding> {
    let judged: Vec<(&Mounted, Option<PathBuf>)> =
        below.map(|mount| (mount, mount.on_host(host))).collect();
    let part_of = |path: &Option<PathBuf>| match path {
        Some(path) => part(path, root),
        None => Part::Other,
    };
    let is_above = |one: &Mounted, other: &Mounted| other.is_below(&one.point);
    let mut findings = Vec::new();
    for (mount, path) in &judged {
        let mut wrong = judged.iter().filter(|(_, path)| part_of(path) == Part::Own);
        if wrong.any(|(above, _)| is_above(above, mount)) {
            continue;
        }
        let what = mount.words(path.as_deref());
        let unmount = Repair::of_path(Kind::MountInRoot, &mount.point);
        findings.push(match part_of(path) {
            Part::Own => Finding::error(
                FindingKind::MountInRoot,
                format!("{what}: whoever is jailed there reaches it as far as its modes let them"),
            )
            .mended(unmount),
            Part::Shared => Finding::warning(
                FindingKind::MountInRoot,
                format!("{what}: everybody on the host shares it"),
            )
            .mended(unmount),
            Part::Other => Finding::note(
                FindingKind::MountInRoot,
                format!("{what}: it is part of the jail, and was not searched for dangerous files"),
            ),
        });
    }
    findings.into_iter()
}

/// Tells whether a path is a socket by which the host is commanded.
fn commands_host(source: &Path) -> bool {
    let below = source
        .strip_prefix("/run")
        .or_else(|_| source.strip_prefix("/var/run"));
    below.is_ok_and(|below| COMMANDING.iter().any(|one| below == Path::new(one)))
}

/// Warns of what the config itself shows of the host's own.
fn configured(jailed: &Jailed) -> impl Iterator<Item = Finding> {
    let jail = &jailed.jail;
    let of_services = jail.services.iter().flat_map(|service| {
        service.shown.iter().map(|it| Mount {
            source: it.source.clone(),
            target: it.targets.first().unwrap_or(&it.source).clone(),
            mode: MountMode::ReadOnly,
        })
    });
    let of_services = of_services.filter(|mount| {
        commands_host(&mount.source) || part(&mount.source, &jail.root) != Part::Other
    });
    let all = jail.mounts.iter().cloned().map(|mount| ("mounts", mount));
    let all = all.chain(of_services.map(|mount| ("services", mount)));
    all.filter_map(|(key, mount)| {
        let what = too_much(&mount, &jail.root)?;
        let what = format!("{}: {key} shows {what}", shown(&jail.name));
        let finding = Finding::warning(FindingKind::MountInRoot, what);
        Some(finding.mended_by(edit(&jail.rule.file, jail.rule.line)))
    })
}

/// Says what a mount shows that no jail is meant to have.
fn too_much(mount: &Mount, root: &Path) -> Option<String> {
    let source = &mount.source;
    let (shown, target) = (source.display(), mount.target.display());
    let is_kernels = KERNEL.into_iter().any(|one| source == Path::new(one));
    if commands_host(source) {
        Some(format!(
            "the socket {shown} at {target}: whoever may connect to it can have the host do as they like"
        ))
    } else if is_kernels || part(source, root) != Part::Other {
        let mode = match mount.mode {
            MountMode::ReadOnly => "read-only",
            MountMode::ReadWrite => "read-write",
        };
        Some(format!(
            "{shown} of the host at {target}, {mode}: whoever is jailed there reaches it as far as its modes let them"
        ))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Part, part};

    #[test]
    fn what_is_above_the_root_is_the_hosts_own() {
        let root = Path::new("/srv/jails/ann");
        for (path, is) in [
            ("/", Part::Own),
            ("/srv", Part::Own),
            ("/etc", Part::Own),
            ("/root/x", Part::Own),
            ("/dev", Part::Shared),
            ("/srv/data", Part::Other),
            ("/home/ann", Part::Other),
            ("/srv/jails/ann/data", Part::Other),
        ] {
            assert_eq!(part(Path::new(path), root), is, "{path}");
        }
    }
}
