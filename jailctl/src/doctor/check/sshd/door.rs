//! Whether sshd leads a user to the door at all.

use std::path::Path;

use super::{
    lines::{MatchLines, globally},
    resolved::Resolved,
};
use crate::{
    accounts::account::Jailed,
    doctor::check::{Finding, FindingKind},
    door::has_jail_shell,
    pam,
    shell::shown,
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
        let command = MatchLines::of(jailed, ["ChrootDirectory none"], config);
        found.push(Finding::error(FindingKind::SshdChroot, what).mended_by_lines(command));
    }
    let service = resolved.service();
    let is_asked = resolved.value("UsePAM") == "yes";
    if pam::jails(service) && !has_jail_shell(&jailed.identity) && !is_asked {
        let what = format!(
            "sshd: UsePAM is no: pam_jail.so in /etc/pam.d/{} is never asked",
            shown(service)
        );
        let command = globally("UsePAM yes", config);
        found.push(Finding::error(FindingKind::SshdPam, what).mended_by(command));
    }
    if is_asked && !pam::jails(service) && pam::jails("sshd") && !has_jail_shell(&jailed.identity) {
        let what = format!(
            "sshd: PAMServiceName is {}: pam_jail.so in /etc/pam.d/sshd is never asked",
            shown(service)
        );
        found.push(Finding::error(FindingKind::SshdPam, what).mended_by(pam::opening(service)));
    }
    found
}
