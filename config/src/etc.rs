//! The names that `etc` may have: entries of the host's /etc that a jail can show besides those that every session has.

use crate::fault::Complaint;

/// What is made for each session, and not the host's.
const MADE: [&str; 4] = ["group", "mtab", "nsswitch.conf", "passwd"];

/// What decides who may do what on the host, holds its secrets, or is obeyed by root's programs: it is in no jail. A name
/// with a `*` at its end stands for all that begin so.
const NEVER: [&str; 46] = [
    ".pwd.lock",
    "NetworkManager",
    "aliases*",
    "anacrontab",
    "apt",
    "at.*",
    "bindresvport.blacklist",
    "cron*",
    "crypttab",
    "default",
    "docker",
    "environment",
    "exports*",
    "fstab",
    "group*",
    "gshadow*",
    "hosts.allow",
    "hosts.deny",
    "ipsec*",
    "krb5.keytab",
    "kubernetes",
    "ld.so.preload",
    "letsencrypt",
    "login-jail",
    "login.defs",
    "machine-id",
    "nslcd*",
    "openvpn",
    "pam.conf",
    "pam.d",
    "passwd*",
    "pki",
    "ppp",
    "securetty",
    "security",
    "selinux",
    "shadow*",
    "ssh",
    "ssl",
    "sssd",
    "subgid*",
    "subuid*",
    "sudo*",
    "systemd",
    "update-motd.d",
    "wireguard",
];

/// Checks a name of `etc`.
pub(crate) fn check_name(name: &str) -> Result<(), Complaint> {
    let quoted = format!("{name:?}");
    if let Some(below) = name.strip_prefix("/etc/").filter(|below| !below.is_empty()) {
        let first = below.split('/').next().unwrap_or(below);
        let complaint = Complaint::new(format!("{quoted} is a path, and etc has names"));
        return Err(complaint.help(format!("write {first:?}")));
    }
    if let Some((first, _)) = name.split_once('/') {
        let complaint = Complaint::new(format!("{quoted} has a slash, and etc has names"));
        return Err(if first.is_empty() {
            complaint.help("what is elsewhere on the host can be shown by mounts")
        } else {
            complaint.help(format!("write {first:?}: all of it is shown"))
        });
    }
    if name.is_empty() || name == "." || name == ".." || name.contains(char::is_control) {
        let complaint = Complaint::new(format!("{quoted} is no name of an entry of /etc"));
        return Err(complaint.help("for example: etc = [\"php\"]"));
    }
    if MADE.contains(&name) {
        let complaint = Complaint::new(format!("{quoted} can't be the host's"));
        return Err(complaint.help(format!("remove it: each session has a {name} of its own")));
    }
    if NEVER.iter().any(|known| stands_for(known, name)) {
        let complaint = Complaint::new(format!("{quoted} of the host is shown in no jail"));
        let help = "remove it: it has the host's secrets, or root's programs act on it";
        return Err(complaint.help(help));
    }
    Ok(())
}

/// Tells whether an entry of the host's /etc can be one of `etc`.
#[must_use]
pub fn shows_of_etc(name: &str) -> bool {
    check_name(name).is_ok()
}

fn stands_for(known: &str, name: &str) -> bool {
    match known.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == known,
    }
}
