//! What the host's administrator has put on it, and no test may depend on: people and their homes, data, jobs, and settings of
//! the programs that tests start. The sandbox starts without all of that.
//!
//! Directories are emptied in the overlay's upper layer, before it is mounted, so that nobody has to go through what they
//! hold. Single files are replaced in the copy afterwards. Installed programs stay: tests need them.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;

use rustix::fs::{XattrFlags, setxattr};

/// Directories that every system has, and their modes.
const PLACES: [(&str, u32); 7] = [
    ("home", 0o755),
    ("media", 0o755),
    ("mnt", 0o755),
    ("opt", 0o755),
    ("root", 0o700),
    ("srv", 0o755),
    ("var/tmp", 0o1777),
];

/// Directories that are emptied where the host has them. Owner and mode stay: programs insist on theirs.
const SETTINGS: [&str; 21] = [
    "etc/cron.d",
    "etc/login-jail",
    "etc/profile.d",
    "etc/security/limits.d",
    "etc/security/namespace.d",
    "etc/ssh/ssh_config.d",
    "etc/ssh/sshd_config.d",
    "etc/sudoers.d",
    "etc/update-motd.d",
    "etc/userdb",
    "var/lib/extrausers",
    "var/lib/login-jail",
    "var/lib/systemd/linger",
    "var/lib/systemd/coredump",
    "var/mail",
    "var/spool/at",
    "var/spool/cron/atjobs",
    "var/spool/cron/atspool",
    "var/spool/cron/crontabs",
    "var/spool/mail",
    "var/log/login-jail",
];

/// Files that are removed.
const REMOVED: [&str; 9] = [
    "etc/at.allow",
    "etc/cron.allow",
    "etc/cron.deny",
    "etc/ld.so.preload",
    "etc/nologin",
    "etc/ssh/sshrc",
    "etc/systemd/system/user@.service",
    "etc/systemd/system/user@1000.service",
    "etc/systemd/user.conf",
];

/// Files that have this text, where the host has them at all.
const WRITTEN: [(&str, &str); 14] = [
    ("etc/default/useradd", "SHELL=/bin/sh\n"),
    ("etc/environment", ""),
    ("etc/hosts.allow", ""),
    ("etc/hosts.deny", ""),
    ("etc/nsswitch.conf", NSSWITCH),
    ("etc/pam.d/common-account", COMMON_ACCOUNT),
    ("etc/pam.d/common-auth", COMMON_AUTH),
    ("etc/pam.d/common-password", COMMON_PASSWORD),
    ("etc/pam.d/common-session-noninteractive", COMMON_SESSION),
    ("etc/security/access.conf", ""),
    ("etc/security/limits.conf", ""),
    ("etc/subgid", ""),
    ("etc/subuid", ""),
    ("etc/sudoers", SUDOERS),
];

const NSSWITCH: &str = "passwd: files systemd\ngroup: files systemd\nshadow: files systemd\ngshadow: files systemd\n\
                        hosts: files dns\nnetworks: files\nprotocols: db files\nservices: db files\nethers: db files\n\
                        rpc: db files\nnetgroup: nis\n";
const COMMON_ACCOUNT: &str = "account [success=1 new_authtok_reqd=done default=ignore] pam_unix.so\n\
                              account requisite pam_deny.so\naccount required pam_permit.so\n";
const COMMON_AUTH: &str = "auth [success=1 default=ignore] pam_unix.so nullok\nauth requisite pam_deny.so\n\
                           auth required pam_permit.so\nauth optional pam_cap.so\n";
const COMMON_PASSWORD: &str = "password [success=1 default=ignore] pam_unix.so obscure yescrypt\n\
                               password requisite pam_deny.so\npassword required pam_permit.so\n";
const COMMON_SESSION: &str = "session [default=1] pam_permit.so\nsession requisite pam_deny.so\n\
                              session required pam_permit.so\nsession required pam_unix.so\n";
const SUDOERS: &str = "Defaults env_reset\nDefaults mail_badpass\n\
                       Defaults secure_path=\"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\"\n\
                       Defaults use_pty\nroot ALL=(ALL:ALL) ALL\n%sudo ALL=(ALL:ALL) ALL\n\
                       @includedir /etc/sudoers.d\n";

/// The settings of login.defs(5) that decide what a new account is like.
const LOGIN_DEFS: [(&str, Option<&str>); 9] = [
    ("UMASK", Some("022")),
    ("HOME_MODE", None),
    ("UID_MIN", Some("1000")),
    ("UID_MAX", Some("60000")),
    ("GID_MIN", Some("1000")),
    ("GID_MAX", Some("60000")),
    ("PASS_MAX_DAYS", Some("99999")),
    ("PASS_MIN_DAYS", Some("0")),
    ("USERGROUPS_ENAB", Some("yes")),
];

/// The ids below this are the system's own, and `nobody`'s is fixed: login.defs(5).
const FIRST_PERSON: u32 = 1000;
const NOBODY: u32 = 65534;

/// Prepares the upper layer of the overlay: what is emptied here hides what the host has there.
pub(crate) fn empty_directories(upper: &Path) -> Result<(), String> {
    for (name, mode) in PLACES {
        empty(upper, Path::new(name))?;
        set_mode(&upper.join(name), mode)?;
    }
    for name in SETTINGS {
        let there = Path::new("/").join(name);
        if let Ok(stat) = fs::symlink_metadata(&there)
            && stat.is_dir()
        {
            empty(upper, Path::new(name))?;
            like(&upper.join(name), &there)?;
        }
    }
    // at(1) does not begin its count by itself.
    let count = Path::new("var/spool/cron/atjobs/.SEQ");
    let (there, made) = (Path::new("/").join(count), upper.join(count));
    if there.exists() {
        fs::write(&made, "00000").map_err(|error| failed("write", &made, &error))?;
        like(&made, &there)?;
    }
    Ok(())
}

/// Makes a directory that shows nothing of what is below it in the overlay: "Opaque directories" in the kernel's
/// Documentation/filesystems/overlayfs.rst. The directories above it show everything, with the attributes they have.
fn empty(upper: &Path, name: &Path) -> Result<(), String> {
    let mut above: Vec<&Path> = name.ancestors().skip(1).collect();
    above.reverse();
    for directory in above.into_iter().filter(|it| *it != Path::new("")) {
        let made = upper.join(directory);
        if !made.exists() {
            let host = Path::new("/").join(directory);
            fs::create_dir(&made).map_err(|error| failed("make", &made, &error))?;
            // What the host lacks, or has as a link, is a plain directory in the copy.
            match fs::symlink_metadata(&host) {
                Ok(stat) if stat.is_dir() => like(&made, &host)?,
                _ => set_mode(&made, 0o755)?,
            }
        }
    }
    let made = upper.join(name);
    fs::create_dir(&made).map_err(|error| failed("make", &made, &error))?;
    setxattr(&made, "trusted.overlay.opaque", b"y", XattrFlags::CREATE)
        .map_err(|error| failed("set an attribute of", &made, &error.into()))
}

/// Replaces the files of the copy at `root` that say what the host's administrator wants.
pub(crate) fn replace_files(root: &Path) -> Result<(), String> {
    for name in REMOVED {
        let path = root.join(name);
        if fs::symlink_metadata(&path).is_ok() {
            fs::remove_file(&path).map_err(|error| failed("remove", &path, &error))?;
        }
    }
    for (name, text) in WRITTEN {
        replace(&root.join(name), |_| text.to_owned())?;
    }
    let systemd = |text: &str| {
        let asks = text
            .lines()
            .any(|line| line.starts_with("session") && line.contains("pam_systemd.so"));
        let line = if asks {
            "session optional pam_systemd.so\n"
        } else {
            ""
        };
        format!("{COMMON_SESSION}{line}")
    };
    replace(&root.join("etc/pam.d/common-session"), systemd)?;
    // The copy that Debian's package keeps of its own.
    if let Ok(text) = fs::read_to_string(root.join("usr/share/openssh/sshd_config")) {
        replace(&root.join("etc/ssh/sshd_config"), |_| text)?;
    }
    replace(&root.join("etc/login.defs"), login_defs)?;
    forget_people(&root.join("etc"))?;
    without_login_jail(&root.join("etc/pam.d"))
}

/// Takes the people out of the accounts of a system, and the groups that only they have.
fn forget_people(etc: &Path) -> Result<(), String> {
    let passwd = read(&etc.join("passwd"))?;
    let group = read(&etc.join("group"))?;
    let users: Vec<&str> = passwd.lines().filter(|it| is_systems(it)).collect();
    let main_groups: Vec<&str> = users.iter().filter_map(|line| field(line, 3)).collect();
    let stays = |line: &&str| {
        is_systems(line) || field(line, 2).is_some_and(|gid| main_groups.contains(&gid))
    };
    let groups: Vec<&str> = group.lines().filter(stays).collect();
    let names = |lines: &[&str]| -> Vec<String> {
        let names = lines.iter().filter_map(|line| field(line, 0));
        names.map(str::to_owned).collect()
    };
    let (user_names, group_names) = (names(&users), names(&groups));
    let named = |text: &str, names: &[String]| -> String {
        let known = |line: &&str| {
            field(line, 0).is_some_and(|name| names.iter().any(|known| known == name))
        };
        lines(text.lines().filter(known).map(str::to_owned))
    };
    replace(&etc.join("passwd"), |_| {
        lines(users.iter().map(|line| (*line).to_owned()))
    })?;
    replace(&etc.join("shadow"), |text| named(text, &user_names))?;
    replace(&etc.join("group"), |_| {
        lines(groups.iter().map(|line| with_members(line, &user_names)))
    })?;
    replace(&etc.join("gshadow"), |text| {
        let text = named(text, &group_names);
        lines(text.lines().map(|line| with_members(line, &user_names)))
    })
}

/// Tells whether a line of passwd(5) or group(5) is of the system itself.
fn is_systems(line: &str) -> bool {
    let id = field(line, 2).and_then(|id| id.parse().ok());
    id.is_some_and(|id: u32| id < FIRST_PERSON || id == NOBODY)
}

/// Leaves those members of a group, the last field, whose names are known.
fn with_members(line: &str, known: &[String]) -> String {
    let Some((rest, members)) = line.rsplit_once(':') else {
        return line.to_owned();
    };
    let members = members.split(',');
    let members: Vec<&str> = members
        .filter(|name| known.iter().any(|known| known == name))
        .collect();
    format!("{rest}:{}", members.join(","))
}

fn field(line: &str, number: usize) -> Option<&str> {
    line.split(':').nth(number)
}

fn lines(all: impl Iterator<Item = String>) -> String {
    all.map(|line| line + "\n").collect()
}

fn login_defs(text: &str) -> String {
    let is_ours = |line: &&str| {
        let key = line.split_whitespace().next().unwrap_or_default();
        LOGIN_DEFS.iter().any(|(name, _)| *name == key)
    };
    let rest = text
        .lines()
        .filter(|line| !is_ours(line))
        .map(str::to_owned);
    let own = LOGIN_DEFS
        .iter()
        .filter_map(|(name, value)| Some(format!("{name} {}", (*value)?)));
    lines(rest.chain(own))
}

/// Takes login-jail's own lines out of the PAM stacks: on a machine that uses it, tests make their own.
fn without_login_jail(directory: &Path) -> Result<(), String> {
    let Ok(entries) = fs::read_dir(directory) else {
        return Ok(());
    };
    for entry in entries.flatten() {
        let path = entry.path();
        let text = fs::read_to_string(&path).unwrap_or_default();
        if text.contains("pam_jail") || text.contains("login-jail") {
            let is_ours = |line: &&str| line.contains("pam_jail") || line.contains("login-jail");
            replace(&path, |text| {
                lines(
                    text.lines()
                        .filter(|line| !is_ours(line))
                        .map(str::to_owned),
                )
            })?;
        }
    }
    Ok(())
}

/// Writes a file anew, if there is one, from what it has. Owner and mode stay.
fn replace(path: &Path, text: impl FnOnce(&str) -> String) -> Result<(), String> {
    if !path.is_file() {
        return Ok(());
    }
    let text = text(&read(path)?);
    fs::write(path, text).map_err(|error| failed("write", path, &error))
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| failed("read", path, &error))
}

/// Gives a directory the owner and mode of another one.
fn like(made: &Path, other: &Path) -> Result<(), String> {
    let stat = fs::symlink_metadata(other).map_err(|error| failed("examine", other, &error))?;
    chown(made, Some(stat.uid()), Some(stat.gid()))
        .map_err(|error| failed("chown", made, &error))?;
    set_mode(made, stat.mode() & 0o7777)
}

fn set_mode(path: &Path, mode: u32) -> Result<(), String> {
    fs::set_permissions(path, Permissions::from_mode(mode))
        .map_err(|error| failed("chmod", path, &error))
}

fn failed(what: &str, path: &Path, error: &std::io::Error) -> String {
    format!("{what} {}: {error}", path.display())
}
