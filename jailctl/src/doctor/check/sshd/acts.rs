//! What sshd does for a user in its own processes, outside of the jail.

use std::{
    ffi::{OsStr, OsString},
    path::Path,
};

use jail::{
    account::identity::Identity,
    door::refusal::Refusal,
    plan::request::{Request, program_of},
};
use jail_config::{Base, Content};

use super::{
    lines::{MatchLines, globally, reload},
    resolved::{Resolved, SFTP_SERVER, is_internal_sftp},
};
use crate::{
    accounts::account::Jailed,
    doctor::check::{Finding, FindingKind},
    door::{JAIL_SHELL, has_jail_shell, is_jail_shell},
    shell::{quoted, shown},
};
/// A keyword that is to be "no" for a jailed user.
pub(super) struct Forwarding {
    pub(super) keyword: &'static str,
    /// Whether it is an error, as what reaches more of the host than its network.
    is_error: bool,
    /// Whether DisableForwarding covers it in every release: tunnels only since 10.4, X11 and the agent since 10.0.
    covered: bool,
    lets: &'static str,
}

static FORWARDINGS: [Forwarding; 5] = [
    Forwarding {
        keyword: "AllowTcpForwarding",
        is_error: false,
        covered: true,
        lets: "-L, -R and -D reach the host's network",
    },
    Forwarding {
        keyword: "AllowStreamLocalForwarding",
        is_error: true,
        covered: true,
        lets: "-L and -R reach and make unix sockets anywhere on the host",
    },
    Forwarding {
        keyword: "AllowAgentForwarding",
        is_error: false,
        covered: false,
        lets: "sshd makes the agent's socket on the host",
    },
    Forwarding {
        keyword: "X11Forwarding",
        is_error: false,
        covered: false,
        lets: "sshd runs xauth for the user on the host",
    },
    Forwarding {
        keyword: "PermitTunnel",
        is_error: true,
        covered: false,
        lets: "-w makes network devices on the host",
    },
];

/// Lists what sshd forwards.
pub(super) fn open_forwardings(resolved: &Resolved) -> impl Iterator<Item = &'static Forwarding> {
    let disabled = resolved.value("DisableForwarding") == "yes";
    let is_closed = move |it: &Forwarding| resolved.is_no(it.keyword) || it.covered && disabled;
    FORWARDINGS.iter().filter(move |it| !is_closed(it))
}

/// Finds what is forwarded: one finding for all, because one block of sshd's config mends them. With sockets or devices of the
/// host among it, it is of another kind: a config that accepts forwarded ports has not accepted these.
pub(super) fn forwardings(jailed: &Jailed, resolved: &Resolved, config: &Path) -> Option<Finding> {
    // In the jail, a tunnel takes the device of the host in its /dev.
    let inside = resolved.session_is_jailed();
    let open: Vec<&Forwarding> = open_forwardings(resolved)
        .filter(|it| !inside || it.keyword == "PermitTunnel" && jailed.jail.dev == Content::Root)
        .collect();
    if open.is_empty() {
        return None;
    }
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
    let finding = match open.iter().any(|it| it.is_error) {
        true => Finding::error(FindingKind::SshdSockets, what),
        false => Finding::warning(FindingKind::SshdForwarding, what),
    };
    let lines: Vec<String> = open.iter().map(|it| format!("{} no", it.keyword)).collect();
    Some(finding.mended_by_lines(MatchLines::of(jailed, lines, config)))
}

/// Finds what runs code of the user's outside of the jail.
pub(super) fn own_code(jailed: &Jailed, resolved: &Resolved, config: &Path) -> Vec<Finding> {
    let mut found = Vec::new();
    if !resolved.is_no("PermitUserRC")
        && resolved.forced().is_none()
        && !has_jail_shell(&jailed.identity)
    {
        let what =
            "sshd: PermitUserRC is yes: ~/.ssh/rc of the host's home runs outside of the jail";
        let command = MatchLines::of(jailed, ["PermitUserRC no"], config);
        found.push(Finding::error(FindingKind::SshdUserRc, what).mended_by_lines(command));
    } else if !resolved.is_no("PermitUserRC") && resolved.forced().is_none() {
        let what = "sshd: PermitUserRC is yes: ~/.ssh/rc is started through /bin/sh of the host before the login shell";
        let command = MatchLines::of(jailed, ["PermitUserRC no"], config);
        found.push(Finding::warning(FindingKind::SshdUserRc, what).mended_by_lines(command));
    }
    if !resolved.is_no("PermitUserEnvironment") {
        let what = format!(
            "sshd: PermitUserEnvironment is {}: ~/.ssh/environment sets variables of programs outside of the jail",
            resolved.value("PermitUserEnvironment")
        );
        let command = globally("PermitUserEnvironment no", config);
        found.push(Finding::error(FindingKind::SshdUserEnvironment, what).mended_by(command));
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
            found.push(Finding::error(FindingKind::SshdAcceptEnv, what).mended_by(command));
        }
    }
    found
}

/// Finds SFTP that sshd serves itself, with the whole host. A Subsystem of any name can be asked for.
pub(super) fn sftp(resolved: &Resolved, config: &Path) -> Option<Finding> {
    if !["", "none"].contains(&resolved.value("ChrootDirectory")) {
        return None;
    }
    let files = format!(
        "{} $(ls /etc/ssh/sshd_config.d/*.conf 2>/dev/null)",
        quoted(config)
    );
    let blank = "[[:space:]=]\\+";
    let (what, before) = match resolved.forced() {
        Some(forced) if is_internal_sftp(forced) => (
            "sshd: ForceCommand internal-sftp: sshd serves the whole host by sftp and never starts jail-shell".to_owned(),
            format!("ForceCommand{blank}"),
        ),
        Some(_) => return None,
        None => {
            let mut subsystems = resolved.all("Subsystem").filter_map(|it| it.split_once(' '));
            let (name, _) = subsystems.find(|(_, command)| is_internal_sftp(command.trim_start()))?;
            (
                format!(
                    "sshd: Subsystem {} internal-sftp without a ForceCommand: sshd serves the whole host by sftp and never starts \
                     jail-shell",
                    shown(name)
                ),
                format!("Subsystem{blank}[^[:space:]]\\+[[:space:]]\\+"),
            )
        }
    };
    let command = format!(
        "sed -i 's,^\\([[:space:]]*{before}\\)internal-sftp,\\1{SFTP_SERVER},I' {files}{}",
        reload()
    );
    Some(Finding::error(FindingKind::SshdSftp, what).mended_by(command))
}

/// Finds a forced jail-shell that sshd, in the jail already, does not find there.
pub(super) fn forced_inside(jailed: &Jailed, resolved: &Resolved) -> Option<Finding> {
    let forced = resolved.forced()?;
    let program = program_of(OsStr::new(forced))?;
    let bases = match &jailed.jail.base {
        Base::Host => return None,
        Base::Directory(base) => Some(base),
        Base::None => None,
    };
    let inside = program.strip_prefix("/").ok()?;
    let mut places = bases.into_iter().chain([&jailed.jail.root]);
    if !is_jail_shell(&program) || places.any(|it| it.join(inside).symlink_metadata().is_ok()) {
        return None;
    }
    let what = format!(
        "sshd: ForceCommand {} is started behind pam_jail.so, in the jail, and is not in the jail: every login fails; copy it to the \
         same path in the root",
        shown(forced)
    );
    Some(Finding::error(FindingKind::SshdForced, what))
}

/// Finds a forced command that the login shell runs outside of the jail.
pub(super) fn forced(jailed: &Jailed, resolved: &Resolved) -> Option<Finding> {
    let forced = resolved.forced()?;
    if let Some(refusal) = refused_by_jail_shell(&jailed.identity, forced) {
        let what = format!(
            "sshd: ForceCommand {} is refused at every login: {}",
            shown(forced),
            shown(refusal.to_string())
        );
        return Some(Finding::error(FindingKind::SshdForced, what));
    }
    let program = program_of(OsStr::new(forced));
    if has_jail_shell(&jailed.identity) || program.is_some_and(|program| is_jail_shell(&program)) {
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
    Some(Finding::error(FindingKind::SshdForced, what).mended_by(command))
}

/// Gives why jail-shell, as login shell, serves nobody who comes with this forced command.
fn refused_by_jail_shell(identity: &Identity, forced: &str) -> Option<Refusal> {
    let arguments = [JAIL_SHELL, "-c", forced].map(OsString::from);
    let fault = Request::parse(&arguments, None, false, identity).err()?;
    has_jail_shell(identity).then_some(fault.into())
}
