//! Services of the host that act on files of a user's home, on the host: what is not PAM's, sshd's or systemd's.

use std::path::Path;

use crate::{
    accounts::{account::Jailed, host_text},
    doctor::check::{Finding, FindingKind, reach},
    guest::home,
    shell::{pattern, quoted, shown},
};

/// Programs that deliver mail to users of this host.
const DELIVERING: [&str; 8] = [
    "/usr/sbin/exim",
    "/usr/sbin/exim4",
    "/usr/sbin/postfix",
    "/usr/sbin/smtpd",
    "/usr/lib/sm.bin/sendmail",
    "/usr/libexec/sendmail/sendmail",
    "/usr/bin/procmail",
    "/usr/bin/maildrop",
];

/// Files by which a user has them run programs.
const OBEYED: [&str; 3] = [".forward", ".procmailrc", ".mailfilter"];

/// Where mail for users is sent elsewhere: aliases(5).
pub(crate) const ALIASES: &str = "/etc/aliases";

/// Finds users who can write from inside what a service of the host obeys.
pub(super) fn check(jailed: &[Jailed]) -> Vec<Finding> {
    let Some(program) = DELIVERING.into_iter().find(|it| Path::new(it).exists()) else {
        return Vec::new();
    };
    let aliases = host_text::read(Path::new(ALIASES)).unwrap_or_default();
    jailed
        .iter()
        .filter(|one| !mail_goes_elsewhere(&aliases, &one.identity.name.to_string_lossy()))
        .filter_map(|one| forwarding(one, program))
        .collect()
}

/// Tells whether a program of the host delivers a user's mail to the home, and would obey files there.
pub(crate) fn mail_comes_home(name: &str) -> bool {
    let aliases = host_text::read(Path::new(ALIASES)).unwrap_or_default();
    DELIVERING.iter().any(|it| Path::new(it).exists()) && !mail_goes_elsewhere(&aliases, name)
}

/// Finds a user who can write one of the files that name programs for mail.
fn forwarding(jailed: &Jailed, program: &str) -> Option<Finding> {
    let home = home(&jailed.identity);
    let is_writable = |file: &&&str| reach::writes(jailed, &home.join(file));
    if home == Path::new("/") {
        return None;
    }
    let files: Vec<&str> = OBEYED.iter().filter(is_writable).copied().collect();
    if files.is_empty() {
        return None;
    }
    let what = format!(
        "{program} delivers mail, and {} of the host's home {} can be written from inside the jail: what they name runs on the host",
        files.join(", "),
        shown(home)
    );
    let name = jailed.identity.name.to_string_lossy();
    let line = quoted(format!("{name}: root"));
    let finding = Finding::error(FindingKind::MailForward, what).of(jailed);
    Some(match pattern(&name) {
        Some(pattern) => finding.mended_by(format!(
            "touch {ALIASES} && sed -i -e '/^{pattern}[[:space:]]*:/Id' -e '$a\\' {ALIASES} && echo {line} >>{ALIASES} && \
             {{ ! command -v newaliases >/dev/null || newaliases; }}"
        )),
        None => finding,
    })
}

/// Tells whether an alias takes the mail of a user, before a file of theirs is asked: aliases(5).
fn mail_goes_elsewhere(aliases: &str, name: &str) -> bool {
    let is_user = |word: &str| {
        let word = word.trim().trim_matches('"').trim_start_matches('\\');
        let word = word.split_once('@').map_or(word, |(local, _)| local);
        word.eq_ignore_ascii_case(name)
    };
    let line = aliases.lines().find_map(|line| {
        let (alias, targets) = line.split_once(':')?;
        (!line.starts_with(char::is_whitespace) && is_user(alias)).then_some(targets)
    });
    line.is_some_and(|targets| !targets.trim().is_empty() && !targets.split(',').any(is_user))
}

#[cfg(test)]
mod tests {
    use super::mail_goes_elsewhere;

    #[test]
    fn an_alias_takes_mail_unless_it_gives_it_back() {
        for (aliases, elsewhere) in [
            ("root: ann\nann: root\n", true),
            ("Ann : root", true),
            ("ann: bob, \\ann", false),
            ("ann: ann@localhost", false),
            ("# ann: root\nanna: root\nroot: ann", false),
            ("ann:\n", false),
            ("", false),
        ] {
            assert_eq!(mail_goes_elsewhere(aliases, "ann"), elsewhere, "{aliases}");
        }
    }
}
