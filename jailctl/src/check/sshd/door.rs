//! Whether sshd leads a user to the door at all.

use std::path::Path;

use jail::identity::Identity;

use super::{
    lines::{globally, in_match},
    resolved::Resolved,
};
use crate::{
    account::Jailed,
    check::{Finding, pam},
    door::has_jail_shell,
    shell::{self, quoted, shown},
};

/// Checks that neither sshd's own chroot nor its way to PAM keeps the door shut.
pub(super) fn door(jailed: &Jailed, resolved: &Resolved, config: &Path) -> Vec<Finding> {
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
