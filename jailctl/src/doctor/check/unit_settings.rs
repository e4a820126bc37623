//! What each setting of a unit does to a login, as a pure function of what `systemctl show` has printed.

mod effect;
mod files;
mod unit;

use effect::both;
pub(super) use effect::{Effect, Harm, Needs};
use files::{files, homes};
pub(super) use unit::{PROPERTIES, Unit, parse};

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
