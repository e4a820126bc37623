//! What makes sshd refuse an account, or take none of its keys. See sshd(8) and sshd_config(5).

use std::path::Path;

use super::{
    host_keys,
    lines::{MatchLines, reload},
    lists::{Lists, Verdict},
    resolved::Resolved,
};
use crate::{
    accounts::account::Jailed,
    doctor::check::{
        Finding, FindingKind,
        account_state::{has_password, is_locked, no_login_without_pam},
    },
    door::{has_jail_shell, has_no_shell},
    shell::{quoted, shown},
};

/// Checks one account with what sshd resolves for it. Gives what is wrong, and what could not be looked at.
pub(super) fn check(
    jailed: &Jailed,
    resolved: &Resolved,
    config: &Path,
) -> (Vec<Finding>, Vec<String>) {
    if jailed.identity.is_root() || has_no_shell(&jailed.identity) {
        return (Vec::new(), Vec::new());
    }
    let (mut found, unknown) = host_keys::check(jailed, resolved, config);
    found.extend(refused_by_list(jailed, resolved, config));
    if resolved.value("MaxSessions") == "0" {
        let what = "sshd: MaxSessions is 0: sshd opens no shell, no command and no SFTP";
        let command = MatchLines::of(jailed, ["MaxSessions 10"], config);
        found.push(Finding::error(FindingKind::SshdDenied, what).mended_by_lines(command));
    }
    if resolved.value("UsePAM") != "yes" {
        found.extend(no_login_without_pam());
        found.extend(locked(jailed));
    }
    found.extend(unopened(jailed, resolved));
    (found, unknown)
}

/// Finds an account that neither a password nor a key opens, as useradd(8) leaves it; and, as a note, one that has been made to be
/// opened by a key alone, as a set-up does, and has none.
fn unopened(jailed: &Jailed, resolved: &Resolved) -> Option<Finding> {
    let is_locked = is_locked(&jailed.identity);
    // Without PAM, no key opens it either, which is another finding.
    if is_locked && resolved.value("UsePAM") != "yes" {
        return None;
    }
    // The accounts of daemons have no password either, and no need to log in.
    if !is_locked && (has_password(&jailed.identity) || !has_jail_shell(&jailed.identity)) {
        return None;
    }
    let others = ["AuthorizedKeysCommand", "TrustedUserCAKeys"];
    let is_unset = |keyword: &&str| ["", "none"].contains(&resolved.value(keyword));
    if !others.iter().all(is_unset) || !host_keys::are_missing(jailed, resolved) {
        return None;
    }
    let states = host_keys::states(jailed, resolved);
    let file = states.iter().find(|it| !it.is_written_inside);
    let file = file.map(|it| format!("; put a public key into {}", it.file));
    let what = |state: &str| {
        format!(
            "{state}, and sshd finds no key: nobody can log in as this user, except by su as root{}",
            file.unwrap_or_default()
        )
    };
    let finding = match is_locked {
        true => Finding::warning(
            FindingKind::AccountLocked,
            what("the password is locked (! in /etc/shadow)"),
        ),
        false => Finding::note(
            FindingKind::AccountLocked,
            what("the account has no password (* in /etc/shadow)"),
        ),
    };
    Some(finding.mended_by(format!("passwd {}", quoted(&jailed.identity.name))))
}

/// Finds an account that an sshd without PAM takes for locked: LOCKED_PASSWD_PREFIX of OpenSSH on Linux. With PAM, pam_unix
/// lets keys open it.
fn locked(jailed: &Jailed) -> Option<Finding> {
    if !is_locked(&jailed.identity) {
        return None;
    }
    let what = "sshd: UsePAM is no, and the account's password is locked (! in /etc/shadow): sshd refuses every login, by key too";
    let command = format!("usermod -p '*' {}", quoted(&jailed.identity.name));
    Some(Finding::error(FindingKind::SshdLocked, what).mended_by(command))
}

/// Finds out whether one of sshd's lists keeps the user out.
fn refused_by_list(jailed: &Jailed, resolved: &Resolved, config: &Path) -> Option<Finding> {
    let words = |keyword: &str| -> Vec<String> {
        let values = resolved.all(keyword).flat_map(str::split_whitespace);
        values.map(str::to_owned).collect()
    };
    let lists = Lists {
        deny_users: words("DenyUsers"),
        allow_users: words("AllowUsers"),
        deny_groups: words("DenyGroups"),
        allow_groups: words("AllowGroups"),
    };
    let user = jailed.identity.name.to_string_lossy();
    // sshd joins the lists of all files: no line that is added takes a word out of them.
    let own = Path::new("/etc/ssh/sshd_config.d");
    let more = if own.is_dir() {
        " /etc/ssh/sshd_config.d"
    } else {
        ""
    };
    let config_file = quoted(config);
    let shown_lines =
        |keyword: &str| format!("grep -rni '^[[:space:]]*{keyword}' {config_file}{more}");
    Some(match lists.judge(&jailed.identity) {
        Verdict::Allowed => return None,
        Verdict::Denied(keyword, pattern) => {
            let what = format!(
                "sshd: {keyword} {} names the user: sshd refuses every login; take the word out, then: sshd -t{}",
                shown(pattern),
                reload()
            );
            Finding::error(FindingKind::SshdDenied, what).mended_by(shown_lines(keyword))
        }
        Verdict::NotAllowed("AllowUsers") => {
            let what = "sshd: AllowUsers does not name the user: sshd refuses every login";
            let command = MatchLines::of(jailed, [format!("AllowUsers {user}")], config);
            Finding::error(FindingKind::SshdDenied, what).mended_by_lines(command)
        }
        Verdict::NotAllowed(keyword) => {
            let what = format!(
                "sshd: {keyword} ({}) has no group of the user: sshd refuses every login",
                shown(lists.allow_groups.join(" "))
            );
            let plain = |group: &&String| !group.contains(['*', '?', '!']);
            let finding = Finding::error(FindingKind::SshdDenied, what);
            match lists.allow_groups.iter().find(plain) {
                Some(group) => finding.mended_by(format!(
                    "usermod -aG {} {}",
                    quoted(group),
                    quoted(&jailed.identity.name)
                )),
                None => finding.mended_by(shown_lines(keyword)),
            }
        }
        Verdict::ByAddress(keyword) => {
            let what = format!(
                "sshd: {keyword} names the user with addresses: logins from some addresses are refused"
            );
            Finding::note(FindingKind::SshdDenied, what).mended_by(shown_lines(keyword))
        }
    })
}
