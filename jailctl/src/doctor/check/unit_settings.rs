//! What each setting of a unit does to a login, as a pure function of what `systemctl show` has printed.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

use jail_config::{Base, Content, Isolation, MountMode, Network};

use crate::{accounts::account::Jailed, doctor::check::Severity};

/// What systemd is asked for.
pub(super) const PROPERTIES: [&str; 27] = [
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
pub(super) struct Unit<'a> {
    properties: BTreeMap<&'a str, &'a str>,
}

/// Reads what `systemctl show` has printed: a block for each unit. Left out is what is not there, or can't run, and the
/// second name of a unit.
pub(super) fn parse(text: &str) -> Vec<Unit<'_>> {
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
    pub(super) fn name(&self) -> &'a str {
        self.get("Id")
    }

    /// Gives a property; nothing is like an empty one, which an older systemd does not know.
    fn get(&self, property: &str) -> &'a str {
        self.properties.get(property).copied().unwrap_or_default()
    }

    fn is_on(&self, property: &str) -> bool {
        !matches!(self.get(property), "" | "no" | "off")
    }

    /// Gives the paths of a list, without what stands before and behind them.
    fn paths(&self, property: &str) -> impl Iterator<Item = &'a Path> {
        self.get(property).split_whitespace().map(|word| {
            let word = word.trim_matches('"').trim_start_matches(['-', '+']);
            Path::new(word.split(':').next().unwrap_or_default())
        })
    }

    /// Tells which of these are not in a list that allows, or are in one that denies (`~`).
    fn denied<'b>(
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

/// What logins of the jailed users take.
#[derive(Debug, Default)]
pub(super) struct Needs {
    pub(super) namespaces: bool,
    pub(super) chroot: bool,
    pub(super) empty_network: bool,
    pub(super) own_dev: bool,
    /// What has to be there: the config, roots, bases and sources of mounts.
    pub(super) read: Vec<PathBuf>,
    /// What users write to: roots and sources of mounts.
    pub(super) written: Vec<PathBuf>,
    /// Roots whose programs are their own.
    pub(super) executed: Vec<PathBuf>,
    /// The homes of the accounts, where sshd looks for keys.
    pub(super) homes: Vec<PathBuf>,
}

impl Needs {
    pub(super) fn of(jailed: &[Jailed]) -> Needs {
        let mut needs = Needs {
            read: vec!["/etc/login-jail".into()],
            ..Needs::default()
        };
        for Jailed { identity, jail } in jailed {
            match jail.isolation {
                Isolation::Full => needs.namespaces = true,
                Isolation::Chroot => needs.chroot = true,
            }
            needs.empty_network |= jail.network == Network::None;
            needs.own_dev |= jail.dev == Content::Private;
            needs.read.push(jail.root.clone());
            needs.written.push(jail.root.clone());
            match &jail.base {
                Base::None => needs.executed.push(jail.root.clone()),
                Base::Host => needs.executed.push("/usr".into()),
                Base::Directory(base) => {
                    needs.read.push(base.clone());
                    needs.executed.push(base.clone());
                }
            }
            for mount in &jail.mounts {
                needs.read.push(mount.source.clone());
                if mount.mode == MountMode::ReadWrite {
                    needs.written.push(mount.source.clone());
                }
            }
            needs.homes.push(identity.home.clone());
        }
        needs
    }
}

/// What a setting does to one door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Harm {
    Nothing,
    /// Logins go on, with something missing.
    Lessens(String),
    /// Every login that needs it is refused, with this code.
    Refuses(&'static str, String),
}

impl Harm {
    pub(super) fn harms(&self) -> bool {
        *self != Harm::Nothing
    }

    /// Says how bad it is where the door is used, or is not.
    pub(super) fn severity(&self, is_used: bool) -> Severity {
        match (self, is_used) {
            (Harm::Refuses(..), true) => Severity::Error,
            (Harm::Lessens(_), true) => Severity::Warning,
            _ => Severity::Note,
        }
    }
}

impl fmt::Display for Harm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Harm::Nothing => f.write_str("no effect"),
            Harm::Lessens(what) => f.write_str(what),
            Harm::Refuses(code, why) => write!(f, "logins are refused ({code}), {why}"),
        }
    }
}

/// What a setting does to both doors, and the line that takes it back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Effect {
    /// As it stands in the unit.
    pub(super) written: String,
    pub(super) jail_shell: Harm,
    pub(super) pam: Harm,
    pub(super) remedy: Option<String>,
}

/// Lists the settings of a unit that do something to a login.
pub(super) fn effects(unit: &Unit<'_>, is_sshd: bool, needs: &Needs) -> Vec<Effect> {
    let mut found = Vec::new();
    found.extend(privileges(unit));
    found.extend(namespaces(unit, needs));
    found.extend(capabilities(unit, needs));
    found.extend(devices(unit, needs));
    found.extend(calls(unit, needs));
    found.extend(families(unit, needs));
    found.extend(network(unit));
    found.extend(files(unit, needs));
    found.extend(homes(unit, is_sshd, needs));
    found
}

fn both(harm: Harm, written: String, remedy: impl Into<Option<String>>) -> Effect {
    Effect {
        written,
        jail_shell: harm.clone(),
        pam: harm,
        remedy: remedy.into(),
    }
}

/// What takes the effect of the set-user-ID bit.
fn privileges(unit: &Unit<'_>) -> Vec<Effect> {
    let mut found = Vec::new();
    if unit.is_on("NoNewPrivileges") {
        let why = "because set-user-ID programs have no effect".to_owned();
        found.push(Effect {
            written: "NoNewPrivileges=yes".to_owned(),
            jail_shell: Harm::Refuses("no-new-privs", why),
            pam: Harm::Nothing,
            remedy: Some("NoNewPrivileges=no".to_owned()),
        });
    }
    // SECBIT_NOROOT: capabilities(7).
    if unit
        .get("SecureBits")
        .parse::<u32>()
        .is_ok_and(|bits| bits & 1 == 1)
    {
        let why = "because user ID 0 has no capabilities".to_owned();
        found.push(Effect {
            written: "SecureBits=noroot".to_owned(),
            jail_shell: Harm::Refuses("capabilities", why),
            pam: Harm::Nothing,
            remedy: Some("SecureBits=".to_owned()),
        });
    }
    if unit.is_on("PrivateUsers") {
        let why = "because the user namespace is not the host's".to_owned();
        let written = format!("PrivateUsers={}", unit.get("PrivateUsers"));
        let remedy = "PrivateUsers=no".to_owned();
        found.push(both(Harm::Refuses("capabilities", why), written, remedy));
    }
    found
}

fn namespaces(unit: &Unit<'_>, needs: &Needs) -> Option<Effect> {
    const WANTED: [&str; 5] = ["ipc", "mnt", "net", "pid", "uts"];
    let allowed = unit.get("RestrictNamespaces");
    let missing = |name: &&&str| match allowed {
        "" | "no" => false,
        list => !list.split_whitespace().any(|word| word == **name),
    };
    let refuses = |wanted: &[&str]| {
        let missing: Vec<&str> = wanted.iter().filter(missing).copied().collect();
        let why = format!("because namespaces are not allowed: {}", missing.join(", "));
        if needs.namespaces && !missing.is_empty() {
            Harm::Refuses("step", why)
        } else {
            Harm::Nothing
        }
    };
    let net = needs.empty_network.then_some("net");
    let of_pam: Vec<&str> = ["ipc", "mnt", "uts"].into_iter().chain(net).collect();
    let of_shell: Vec<&str> = of_pam.iter().copied().chain(["pid"]).collect();
    Some(Effect {
        written: format!("RestrictNamespaces={allowed}"),
        jail_shell: refuses(&of_shell),
        pam: refuses(&of_pam),
        remedy: Some(format!("RestrictNamespaces={}", WANTED.join(" "))),
    })
    .filter(|effect| effect.jail_shell.harms())
}

/// What each door takes of the bounding set, beyond what its host program itself can't do without.
fn capabilities(unit: &Unit<'_>, needs: &Needs) -> Option<Effect> {
    const OF_SHELL: [&str; 4] = ["setuid", "setgid", "setpcap", "sys_chroot"];
    let set = unit.get("CapabilityBoundingSet");
    if !unit.properties.contains_key("CapabilityBoundingSet") {
        return None;
    }
    let lacks = |name: &&str| {
        !set.split_whitespace()
            .any(|word| word.strip_prefix("cap_") == Some(*name))
    };
    let in_common = [
        needs.namespaces.then_some("sys_admin"),
        // PrivateDevices= takes this one away by itself.
        (needs.own_dev && !unit.is_on("PrivateDevices")).then_some("mknod"),
        needs.empty_network.then_some("net_admin"),
        needs.chroot.then_some("sys_chroot"),
    ];
    let of_pam: Vec<&str> = in_common.into_iter().flatten().filter(lacks).collect();
    let mut of_shell: Vec<&str> = OF_SHELL
        .into_iter()
        .filter(lacks)
        .chain(of_pam.iter().copied())
        .collect();
    of_shell.sort_unstable();
    of_shell.dedup();
    let named = |names: &[&str]| {
        let names: Vec<String> = names
            .iter()
            .map(|name| format!("CAP_{}", name.to_uppercase()))
            .collect();
        names.join(" ")
    };
    let refuses = |names: &[&str], code| match names {
        [] => Harm::Nothing,
        names => Harm::Refuses(code, format!("for want of {}", named(names))),
    };
    let effect = Effect {
        written: format!("a CapabilityBoundingSet= without {}", named(&of_shell)),
        jail_shell: refuses(&of_shell, "capabilities"),
        pam: refuses(&of_pam, "step"),
        remedy: Some(format!("CapabilityBoundingSet={}", named(&of_shell))),
    };
    Some(effect).filter(|effect| effect.jail_shell.harms())
}

fn devices(unit: &Unit<'_>, needs: &Needs) -> Option<Effect> {
    if !needs.own_dev || !unit.is_on("PrivateDevices") {
        return None;
    }
    let why = "because the nodes of the jail's /dev can't be made";
    Some(Effect {
        written: "PrivateDevices=yes".to_owned(),
        jail_shell: Harm::Refuses("capabilities", why.to_owned()),
        pam: Harm::Refuses("step", why.to_owned()),
        remedy: Some("PrivateDevices=no".to_owned()),
    })
}

/// System calls that entering makes at both doors, and those that jail-shell makes besides. They are not looked at that every
/// program makes.
const CALLS: [&str; 12] = [
    "close_range",
    "keyctl",
    "landlock_add_rule",
    "landlock_create_ruleset",
    "landlock_restrict_self",
    "openat2",
    "prctl",
    "prlimit64",
    "seccomp",
    "statx",
    "umask",
    "unshare",
];
const CALLS_OF_MOUNTS: [&str; 9] = [
    "fsconfig",
    "fsmount",
    "fsopen",
    "mount_setattr",
    "move_mount",
    "open_tree",
    "pivot_root",
    "setfsuid",
    "umount2",
];
const CALLS_OF_SHELL: [&str; 9] = [
    "capset",
    "personality",
    "setgroups",
    "setitimer",
    "setresgid",
    "setresuid",
    "signalfd4",
    "socketpair",
    "timer_create",
];

fn calls(unit: &Unit<'_>, needs: &Needs) -> Vec<Effect> {
    let mut found = Vec::new();
    // Its filter can't look into the arguments of openat2(2), and so refuses all of it.
    if unit.is_on("RestrictSUIDSGID") {
        let why = "because openat2(2) is refused, by which config and roots are opened".to_owned();
        let remedy = "RestrictSUIDSGID=no".to_owned();
        found.push(both(
            Harm::Refuses("config-unreadable", why),
            "RestrictSUIDSGID=yes".to_owned(),
            remedy,
        ));
    }
    let mounts = CALLS_OF_MOUNTS.iter().filter(|_| needs.namespaces);
    let chroot = needs.chroot.then_some("chroot");
    let of_pam = CALLS.iter().chain(mounts).copied().chain(chroot);
    let of_pam = unit.denied("SystemCallFilter", of_pam);
    let of_shell = unit.denied("SystemCallFilter", CALLS_OF_SHELL);
    let of_shell: Vec<&str> = of_pam.iter().copied().chain(of_shell).collect();
    let refuses = |names: &[&str], who| match names {
        [] => Harm::Nothing,
        names => {
            let names = names.join(", ");
            Harm::Refuses(
                "step",
                format!("or {who} is killed, at a call that is not allowed: {names}"),
            )
        }
    };
    if !of_shell.is_empty() {
        found.push(Effect {
            written: "a SystemCallFilter=".to_owned(),
            jail_shell: refuses(&of_shell, "jail-shell"),
            pam: refuses(&of_pam, "the program"),
            remedy: Some(format!("SystemCallFilter={}", of_shell.join(" "))),
        });
    }
    found
}

fn families(unit: &Unit<'_>, needs: &Needs) -> Vec<Effect> {
    let mut found = Vec::new();
    let lacks = |family: &'static str| !unit.denied("RestrictAddressFamilies", [family]).is_empty();
    let effect = |harm, family: &str| {
        both(
            harm,
            format!("RestrictAddressFamilies= without {family}"),
            format!("RestrictAddressFamilies={family}"),
        )
    };
    if lacks("AF_UNIX") {
        let what = "nothing is logged, why a login was refused neither";
        found.push(effect(Harm::Lessens(what.to_owned()), "AF_UNIX"));
    }
    if lacks("AF_INET") && needs.empty_network {
        let why = "because the loopback of the empty network can't be set up".to_owned();
        found.push(effect(Harm::Refuses("step", why), "AF_INET"));
    }
    found
}

fn network(unit: &Unit<'_>) -> Option<Effect> {
    let what = "sessions have an empty network, whatever the jail's network says".to_owned();
    let written = "PrivateNetwork=yes".to_owned();
    unit.is_on("PrivateNetwork")
        .then(|| both(Harm::Lessens(what), written, "PrivateNetwork=no".to_owned()))
}

/// What is missing, read-only or not executable in the unit's own view of the file system, which the jail is made of.
fn files(unit: &Unit<'_>, needs: &Needs) -> Vec<Effect> {
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

fn homes(unit: &Unit<'_>, is_sshd: bool, needs: &Needs) -> Vec<Effect> {
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
