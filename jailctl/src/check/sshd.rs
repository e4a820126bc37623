//! What sshd does for a jailed user by itself: it never asks the login shell for it. See sshd_config(5).

use std::{
    ffi::OsStr,
    fmt::Display,
    path::{Path, PathBuf},
};

use jail::identity::Identity;
use jail_config::Content;
use jailctl::progress::Progress;

use crate::{
    account::Jailed,
    check::{Finding, Report, Severity, doors::writes, pam},
    door::{JAIL_SHELL, has_jail_shell},
    failure::Failure,
    shell::{self, quoted, shown},
};

/// Where the mending lines go: read before the rest of Debian's sshd_config, and the first value of a keyword counts.
const OWN_LINES: &str = "/etc/ssh/sshd_config.d/10-login-jail.conf";

/// What sshd says where its directory below /run is not there, because it has not been started yet.
const NO_DIRECTORY: &str = "Missing privilege separation directory: ";

/// Runs sshd with a /run of its own that has this directory.
const IN_OWN_RUN: &str =
    r#"mount -n -t tmpfs tmpfs "${1%/*}" && mkdir "$1" && shift && exec sshd "$@""#;

/// A keyword that is to be "no" for a jailed user.
struct Forwarding {
    keyword: &'static str,
    severity: Severity,
    /// Whether DisableForwarding covers it in every release: tunnels are only since 10.4, X11 since 10.0.
    covered: bool,
    lets: &'static str,
}

const FORWARDINGS: [Forwarding; 5] = [
    Forwarding {
        keyword: "AllowTcpForwarding",
        severity: Severity::Warning,
        covered: true,
        lets: "-L, -R and -D reach the host's network",
    },
    Forwarding {
        keyword: "AllowStreamLocalForwarding",
        severity: Severity::Error,
        covered: true,
        lets: "-L and -R reach and make unix sockets anywhere on the host",
    },
    Forwarding {
        keyword: "AllowAgentForwarding",
        severity: Severity::Warning,
        covered: true,
        lets: "sshd makes the agent's socket on the host",
    },
    Forwarding {
        keyword: "X11Forwarding",
        severity: Severity::Warning,
        covered: false,
        lets: "sshd runs xauth for the user on the host",
    },
    Forwarding {
        keyword: "PermitTunnel",
        severity: Severity::Error,
        covered: false,
        lets: "-w makes network devices on the host",
    },
];

/// Checks what sshd resolves for each jailed user.
pub(crate) fn check(
    report: &mut Report,
    jailed: &[Jailed],
    config: &Path,
    progress: &mut Progress,
) -> Result<(), Failure> {
    for one in jailed {
        progress.add(1);
        match Resolved::of(&one.identity, config)? {
            Some(Ok(resolved)) => {
                report.extend(
                    of_user(one, &resolved, config)
                        .into_iter()
                        .map(|it| it.of(one)),
                );
            }
            Some(Err(said)) => {
                report.leave_unchecked(format!("sshd: sshd -T says: {said}"));
                return Ok(());
            }
            None => return Ok(()),
        }
    }
    Ok(())
}

/// Tells whether sshd forces jail-shell on a user, as far as sshd can be asked.
pub(crate) fn forces_jail_shell(identity: &Identity, config: &Path) -> bool {
    let Ok(Some(Ok(resolved))) = Resolved::of(identity, config) else {
        return false;
    };
    let forced = resolved
        .forced()
        .and_then(|forced| forced.split_whitespace().next());
    forced.is_some_and(|program| {
        Path::new(program)
            .file_name()
            .is_some_and(|it| it == JAIL_SHELL)
    })
}

/// What `sshd -T` prints: a keyword in lower case and its value on each line.
struct Resolved(String);

impl Resolved {
    /// Asks sshd; nothing where it is not installed, and what it said where it did not answer.
    fn of(identity: &Identity, config: &Path) -> Result<Option<Result<Resolved, String>>, Failure> {
        let user = identity.name.to_string_lossy();
        let criteria = format!("user={user},host=localhost,addr=127.0.0.1");
        let config = config.to_string_lossy();
        let asked = ["-T", "-f", &config, "-C", &criteria];
        let Some(mut answer) = shell::ask("sshd", &asked)? else {
            return Ok(None);
        };
        let said = String::from_utf8_lossy(&answer.stderr).into_owned();
        if let Some((_, directory)) = said.trim().split_once(NO_DIRECTORY) {
            // sshd makes it where it is started. Here it is made where nobody else sees it.
            let own = ["--mount", "sh", "-c", IN_OWN_RUN, "sh", directory];
            if let Some(again) = shell::ask("unshare", &[&own, &asked[..]].concat())? {
                answer = again;
            }
        }
        Ok(Some(if answer.status.success() {
            Ok(Resolved(
                String::from_utf8_lossy(&answer.stdout).into_owned(),
            ))
        } else {
            Err(String::from_utf8_lossy(&answer.stderr).trim().to_owned())
        }))
    }

    fn all<'a>(&'a self, keyword: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.lines().filter_map(move |line| {
            let (name, value) = line.split_once(' ')?;
            name.eq_ignore_ascii_case(keyword).then_some(value.trim())
        })
    }

    fn value(&self, keyword: &str) -> &str {
        let mut values = self.0.lines().filter_map(|line| line.split_once(' '));
        values
            .find(|(name, _)| name.eq_ignore_ascii_case(keyword))
            .map_or("", |(_, value)| value.trim())
    }

    fn is_no(&self, keyword: &str) -> bool {
        self.value(keyword) == "no"
    }

    /// Gives the service whose PAM stack sshd asks: `sshd` before OpenSSH 9.8, which can't be told another.
    fn service(&self) -> &str {
        Some(self.value("PAMServiceName"))
            .filter(|name| !name.is_empty())
            .unwrap_or("sshd")
    }

    /// Tells whether pam_jail.so puts sshd's own process for the connection into the jail.
    fn session_is_jailed(&self) -> bool {
        self.value("UsePAM") == "yes" && pam::jails(self.service())
    }

    /// Gives the forced command, if there is one.
    fn forced(&self) -> Option<&str> {
        Some(self.value("ForceCommand")).filter(|command| !["", "none"].contains(command))
    }
}

fn of_user(jailed: &Jailed, resolved: &Resolved, config: &Path) -> Vec<Finding> {
    let mut found: Vec<Finding> = keys(jailed, resolved, config).into_iter().collect();
    found.extend(door(jailed, resolved, config));
    // Otherwise what sshd does for the user it does in the jail, which the session is in before any of it.
    if !resolved.session_is_jailed() {
        found.extend(own_code(jailed, resolved, config));
        found.extend(sftp(resolved, config));
        found.extend(forced(jailed, resolved));
    }
    found.extend(forwardings(jailed, resolved, config));
    found
}

/// Finds what is forwarded: one finding for all, because one block of sshd's config mends them.
fn forwardings(jailed: &Jailed, resolved: &Resolved, config: &Path) -> Option<Finding> {
    let disabled = resolved.value("DisableForwarding") == "yes";
    // In the jail, a tunnel takes the device of the host in its /dev.
    let inside = resolved.session_is_jailed();
    let open: Vec<&Forwarding> = FORWARDINGS
        .iter()
        .filter(|it| !(resolved.is_no(it.keyword) || it.covered && disabled))
        .filter(|it| !inside || it.keyword == "PermitTunnel" && jailed.jail.dev == Content::Root)
        .collect();
    let worst = open.iter().map(|it| it.severity).min()?;
    let said: Vec<String> = open
        .iter()
        .map(|it| {
            format!(
                "{} {} ({})",
                it.keyword,
                resolved.value(it.keyword),
                it.lets
            )
        })
        .collect();
    let what = format!("sshd asks no login shell for: {}", said.join(", "));
    let finding = match worst {
        Severity::Error => Finding::error("sshd-forwarding", what),
        _ => Finding::warning("sshd-forwarding", what),
    };
    let lines: Vec<String> = open.iter().map(|it| format!("{} no", it.keyword)).collect();
    Some(finding.mended_by(in_match(jailed, &lines, config)))
}

/// Finds what runs code of the user's outside of the jail.
fn own_code(jailed: &Jailed, resolved: &Resolved, config: &Path) -> Vec<Finding> {
    let mut found = Vec::new();
    if !resolved.is_no("PermitUserRC")
        && resolved.forced().is_none()
        && !has_jail_shell(&jailed.identity)
    {
        let what =
            "sshd: PermitUserRC is yes: ~/.ssh/rc of the host's home runs outside of the jail";
        let command = in_match(jailed, &["PermitUserRC no"], config);
        found.push(Finding::error("sshd-user-rc", what).mended_by(command));
    } else if !resolved.is_no("PermitUserRC") && resolved.forced().is_none() {
        let what = "sshd: PermitUserRC is yes: ~/.ssh/rc is started through /bin/sh of the host before the login shell";
        let command = in_match(jailed, &["PermitUserRC no"], config);
        found.push(Finding::warning("sshd-user-rc", what).mended_by(command));
    }
    if !resolved.is_no("PermitUserEnvironment") {
        let what = format!(
            "sshd: PermitUserEnvironment is {}: ~/.ssh/environment sets variables of programs outside of the jail",
            resolved.value("PermitUserEnvironment")
        );
        let command = globally("PermitUserEnvironment no", config);
        found.push(Finding::error("sshd-user-environment", what).mended_by(command));
    }
    for accepted in resolved.all("AcceptEnv").flat_map(str::split_whitespace) {
        let dangerous =
            accepted.starts_with("LD_") || accepted.starts_with('*') || accepted == "BASH_ENV";
        if dangerous {
            let what = format!(
                "sshd: AcceptEnv has {}: the client sets variables that programs outside of the jail obey",
                shown(accepted)
            );
            let word = accepted.replace('*', "\\*");
            let files = format!(
                "{} $(ls /etc/ssh/sshd_config.d/*.conf 2>/dev/null)",
                quoted(config)
            );
            let command = format!(
                "sed -i '/^[[:space:]]*AcceptEnv.*[[:space:]]{word}\\([[:space:]]\\|$\\)/Id' {files}{}",
                reload()
            );
            found.push(Finding::error("sshd-accept-env", what).mended_by(command));
        }
    }
    found
}

/// Finds keys that the user can write from inside: sshd reads them before there is a session.
fn keys(jailed: &Jailed, resolved: &Resolved, config: &Path) -> Option<Finding> {
    let files = resolved.value("AuthorizedKeysFile");
    let written: Vec<PathBuf> = files
        .split_whitespace()
        .map(|pattern| expanded(pattern, &jailed.identity))
        .filter(|file| writes(jailed, file))
        .collect();
    let file = written.first()?;
    let what = format!(
        "sshd: AuthorizedKeysFile {} is within the user's reach from inside the jail ({}): options like command= in it bind \
         nobody",
        shown(files),
        shown(file)
    );
    let place = Path::new("/etc/ssh/authorized_keys.d").join(&jailed.identity.name);
    let command = format!(
        "{}{}",
        keys_to(jailed, &written, &place),
        in_match(
            jailed,
            &["AuthorizedKeysFile /etc/ssh/authorized_keys.d/%u"],
            config,
        )
    );
    Some(Finding::note("sshd-keys", what).mended_by(command))
}

/// Gives the beginning of a command that takes a user's keys along to a file of root's, where that is not there yet; nothing
/// where there are none. They are read as the user: what looks like a file of keys may be a link to anything.
pub(crate) fn keys_to(jailed: &Jailed, from: &[PathBuf], to: &Path) -> String {
    let there: Vec<String> = from.iter().filter(|it| it.is_file()).map(quoted).collect();
    let (false, Some(directory)) = (there.is_empty(), to.parent()) else {
        return String::new();
    };
    let Identity { uid, gid, .. } = jailed.identity;
    format!(
        "install -d -m 755 {} && {{ [ -e {to} ] || setpriv --reuid {uid} --regid {gid} --clear-groups cat {} >{to}; }} && ",
        quoted(directory),
        there.join(" "),
        to = quoted(to)
    )
}

/// Gives the file that a pattern means for a user: TOKENS in sshd_config(5).
fn expanded(pattern: &str, identity: &Identity) -> PathBuf {
    let mut path = String::new();
    let mut letters = pattern.chars();
    while let Some(letter) = letters.next() {
        match (letter, if letter == '%' { letters.next() } else { None }) {
            ('%', Some('h')) => path.push_str(&identity.home.to_string_lossy()),
            ('%', Some('u')) => path.push_str(&identity.name.to_string_lossy()),
            ('%', Some('U')) => path.push_str(&identity.uid.to_string()),
            ('%', Some(other)) => path.push(other),
            (other, _) => path.push(other),
        }
    }
    identity.home.join(path)
}

/// Finds sftp that sshd serves itself, with the whole host.
fn sftp(resolved: &Resolved, config: &Path) -> Option<Finding> {
    let internal = |text: &str| text.split_whitespace().next() == Some("internal-sftp");
    let chrooted = !["", "none"].contains(&resolved.value("ChrootDirectory"));
    let files = format!(
        "{} $(ls /etc/ssh/sshd_config.d/*.conf 2>/dev/null)",
        quoted(config)
    );
    let server = "/usr/lib/openssh/sftp-server";
    match resolved.forced() {
        Some(forced) if internal(forced) && !chrooted => {
            let what = "sshd: ForceCommand internal-sftp: sshd serves the whole host by sftp and never starts jail-shell";
            let command = format!(
                "sed -i 's,^\\([[:space:]]*ForceCommand[[:space:]=]\\+\\)internal-sftp,\\1{server},I' {files}{}",
                reload()
            );
            Some(Finding::error("sshd-sftp", what).mended_by(command))
        }
        Some(_) => None,
        None if !chrooted
            && resolved
                .all("Subsystem")
                .any(|subsystem| subsystem.strip_prefix("sftp ").is_some_and(internal)) =>
        {
            let what = "sshd: Subsystem sftp internal-sftp without a ForceCommand: sshd serves the whole host by sftp and never starts jail-shell";
            let command = format!(
                "sed -i 's,^\\([[:space:]]*Subsystem[[:space:]=]\\+sftp[[:space:]]\\+\\)internal-sftp,\\1{server},I' {files}{}",
                reload()
            );
            Some(Finding::error("sshd-sftp", what).mended_by(command))
        }
        None => None,
    }
}

/// Finds a forced command that the login shell runs outside of the jail.
fn forced(jailed: &Jailed, resolved: &Resolved) -> Option<Finding> {
    let forced = resolved.forced()?;
    let program = forced.split_whitespace().next().unwrap_or_default();
    let is_jail_shell = Path::new(program).file_name() == Some(OsStr::new(JAIL_SHELL));
    if has_jail_shell(&jailed.identity) || is_jail_shell {
        return None;
    }
    let what = format!(
        "sshd: ForceCommand {} runs outside of any jail, because the login shell is {}",
        shown(forced),
        shown(&jailed.identity.shell)
    );
    let command = format!(
        "usermod -s /usr/bin/jail-shell {}",
        quoted(&jailed.identity.name)
    );
    Some(Finding::error("sshd-forced", what).mended_by(command))
}

/// Checks that neither sshd's own chroot nor its way to PAM keeps the door shut.
fn door(jailed: &Jailed, resolved: &Resolved, config: &Path) -> Vec<Finding> {
    let mut found = Vec::new();
    let chroot = resolved.value("ChrootDirectory");
    if !["", "none"].contains(&chroot) && has_jail_shell(&jailed.identity) {
        let what = format!(
            "sshd: ChrootDirectory {} hides jail-shell and the config from the login: it fails",
            shown(chroot)
        );
        let command = in_match(jailed, &["ChrootDirectory none"], config);
        found.push(Finding::error("sshd-chroot", what).mended_by(command));
    }
    let service = resolved.service();
    let is_asked = resolved.value("UsePAM") == "yes";
    if pam::jails(service) && !has_jail_shell(&jailed.identity) && !is_asked {
        let what = format!(
            "sshd: UsePAM is no: pam_jail.so in /etc/pam.d/{} is never asked",
            shown(service)
        );
        let command = globally("UsePAM yes", config);
        found.push(Finding::error("sshd-pam", what).mended_by(command));
    }
    if is_asked && !pam::jails(service) && pam::jails("sshd") && !has_jail_shell(&jailed.identity) {
        let what = format!(
            "sshd: PAMServiceName is {}: pam_jail.so in /etc/pam.d/sshd is never asked",
            shown(service)
        );
        found.push(Finding::error("sshd-pam", what).mended_by(pam::opening(service)));
    }
    // LOCKED_PASSWD_PREFIX of OpenSSH on Linux. With PAM, pam_unix lets keys open a locked account.
    if !is_asked && has_locked_password(&jailed.identity) {
        let what = "sshd: UsePAM is no, and the account's password is locked (! in /etc/shadow): sshd refuses every login, by key too";
        let command = format!("usermod -p '*' {}", quoted(&jailed.identity.name));
        found.push(Finding::error("sshd-locked", what).mended_by(command));
    }
    found
}

/// Tells whether passwd(1) has locked an account, or useradd(8) given it no password: shadow(5).
fn has_locked_password(identity: &Identity) -> bool {
    let name = identity.name.to_string_lossy();
    let Ok(Some(answer)) = shell::ask("getent", &["shadow", "--", &name]) else {
        return false;
    };
    let entry = String::from_utf8_lossy(&answer.stdout);
    entry
        .split(':')
        .nth(1)
        .is_some_and(|password| password.starts_with('!'))
}

/// Gives the command that sets keywords for one user.
fn in_match(jailed: &Jailed, keywords: &[impl Display], config: &Path) -> String {
    let user = jailed.identity.name.to_string_lossy();
    let lines: Vec<String> = std::iter::once(format!("Match User {user}"))
        .chain(keywords.iter().map(|line| format!("  {line}")))
        .collect();
    appended(&lines, OWN_LINES, config)
}

/// Gives the command that sets a keyword for all: what stands behind a Match is for that only.
fn globally(line: &str, config: &Path) -> String {
    let file = "/etc/ssh/sshd_config.d/00-login-jail.conf";
    appended(&[line.to_owned()], file, config)
}

fn appended(lines: &[String], file: &str, config: &Path) -> String {
    let config = quoted(config);
    let lines = lines.iter().map(quoted).collect::<Vec<_>>().join(" ");
    // A last line that does not end would take the first one in.
    format!(
        "install -d /etc/ssh/sshd_config.d && {{ grep -qi '^Include /etc/ssh/sshd_config.d/\\*.conf' {config} || \
         sed -i '1i Include /etc/ssh/sshd_config.d/*.conf' {config}; }} && {{ [ ! -e {file} ] || sed -i '$a\\' {file}; }} && \
         printf '%s\\n' {lines} >>{file}{}",
        reload()
    )
}

/// Gives the end of a command that changes sshd's config: until it is reloaded, sshd goes by the old one.
fn reload() -> &'static str {
    if Path::new("/run/systemd/system").exists() {
        " && sshd -t && systemctl reload ssh"
    } else if Path::new("/etc/init.d/ssh").exists() {
        " && { [ ! -e /run/sshd.pid ] || service ssh reload; }"
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use jail::identity::Identity;

    use super::{Resolved, expanded};

    #[test]
    fn fills_the_tokens_of_a_path() {
        let identity = Identity {
            name: "ann".into(),
            uid: 1001,
            gid: 1001,
            group: "ann".into(),
            groups: vec![1001],
            group_names: vec!["ann".into()],
            group_ids: vec![1001],
            unnamed_group: None,
            unanswered: None,
            home: "/home/ann".into(),
            shell: "/bin/sh".into(),
        };
        for (pattern, path) in [
            (".ssh/authorized_keys", "/home/ann/.ssh/authorized_keys"),
            ("/etc/keys/%u.%U", "/etc/keys/ann.1001"),
            ("%h/100%%", "/home/ann/100%"),
        ] {
            assert_eq!(expanded(pattern, &identity), Path::new(path));
        }
    }

    #[test]
    fn reads_keywords_whatever_their_case() {
        let resolved = Resolved(
            "allowtcpforwarding yes\nforcecommand none\nacceptenv LANG\nacceptenv LC_*\n".into(),
        );
        assert_eq!(resolved.value("AllowTcpForwarding"), "yes");
        assert_eq!(resolved.forced(), None);
        assert_eq!(
            resolved.all("AcceptEnv").collect::<Vec<_>>(),
            ["LANG", "LC_*"]
        );
    }
}
