//! The keys that let a user in: sshd reads them before there is a session.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
};

use jail::{account::identity::Identity, plan::request::program_of};

use super::{
    acts,
    key_file::{self, Entry},
    lines::MatchLines,
    resolved::{INTERNAL_SFTP, Resolved, SFTP_SERVER, is_internal_sftp},
};
use crate::{
    accounts::account::Jailed,
    doctor::{
        check::{Finding, FindingKind, reach::writes},
        mend::{Kind, Repair},
    },
    door::{JAIL_SHELL_PATH, has_jail_shell, is_jail_shell},
    guest::home,
    shell::shown,
};

/// How many keys one finding names.
const MOST_NAMED: usize = 5;

/// What there is of keys and certificates for one user.
struct Known {
    /// Files that sshd reads and the user can write from inside.
    written: Vec<PathBuf>,
    /// Lines of the other files, each with its file.
    entries: Vec<(PathBuf, Entry)>,
    /// Where else keys and certificates come from, whose options can't be seen here.
    unseen: Vec<String>,
    /// Files that could not be read, and why.
    unread: Vec<String>,
}

/// Finds keys and certificates that sshd obeys before it asks the login shell. Gives that, and what could not be read.
pub(super) fn check(
    jailed: &Jailed,
    resolved: &Resolved,
    config: &Path,
) -> (Vec<Finding>, Vec<String>) {
    if resolved.is_no("PubkeyAuthentication") {
        return (Vec::new(), Vec::new());
    }
    let known = Known::of(jailed, resolved);
    let mut found: Vec<Finding> = known
        .within_reach(jailed, resolved, config)
        .into_iter()
        .collect();
    match resolved.forced() {
        Some(forced) => {
            found.extend(known.overridden(jailed, resolved, forced, config));
            found.extend(known.overridden_unseen());
        }
        // In the jail, sshd's own SFTP is as good as another.
        None if resolved.session_is_jailed() => {}
        None => {
            found.extend(known.internal());
            found.extend(known.unseen(jailed, config));
        }
    }
    (found, known.unread)
}

impl Known {
    fn of(jailed: &Jailed, resolved: &Resolved) -> Known {
        let set = |keyword: &str| {
            let value = resolved.value(keyword);
            (!["", "none"].contains(&value)).then(|| value.to_owned())
        };
        let authorities = set("TrustedUserCAKeys");
        let files = |keyword: &str| -> Vec<PathBuf> {
            let value = set(keyword).unwrap_or_default();
            let patterns = value.split_whitespace();
            patterns
                .map(|pattern| expanded(pattern, &jailed.identity))
                .collect()
        };
        let keys = files("AuthorizedKeysFile");
        let principals = match authorities {
            Some(_) => files("AuthorizedPrincipalsFile"),
            None => Vec::new(),
        };
        let mut known = Known {
            written: Vec::new(),
            entries: Vec::new(),
            unseen: Vec::new(),
            unread: Vec::new(),
        };
        for file in keys {
            known.look_at(jailed, file, true);
        }
        for file in principals {
            known.look_at(jailed, file, false);
        }
        let mut sources = vec![
            ("AuthorizedKeysCommand", set("AuthorizedKeysCommand")),
            ("TrustedUserCAKeys", authorities.clone()),
        ];
        if authorities.is_some() {
            let command = set("AuthorizedPrincipalsCommand");
            sources.push(("AuthorizedPrincipalsCommand", command));
        }
        for (keyword, value) in sources {
            let value = value.map(|value| format!("{keyword} {}", shown(value)));
            known.unseen.extend(value);
        }
        let signed = known
            .entries
            .iter()
            // With a command of its own, a certificate must have the same: sshd(8).
            .filter(|(_, entry)| entry.is_authority() && entry.command().is_none())
            .map(|(file, entry)| format!("cert-authority in {}:{}", shown(file), entry.line));
        known.unseen.extend(signed);
        known
    }

    fn look_at(&mut self, jailed: &Jailed, file: PathBuf, are_keys: bool) {
        let read = match are_keys {
            true => key_file::keys,
            false => key_file::principals,
        };
        if writes(jailed, &file) {
            self.written.push(file);
            return;
        }
        match key_file::read(&file) {
            Ok(Some(text)) => {
                let strange = key_file::not_understood(&text);
                if let (true, [line, ..]) = (are_keys, strange.as_slice()) {
                    self.unread.push(format!(
                        "sshd: {}:{line} could not be read as a key; sshd may read it as one",
                        shown(&file)
                    ));
                }
                let entries = read(&text).into_iter();
                self.entries
                    .extend(entries.map(|entry| (file.clone(), entry)));
            }
            Ok(None) => {}
            Err(error) => self
                .unread
                .push(format!("sshd: the keys in {}: {error}", shown(&file))),
        }
    }

    /// Finds keys that the user can write from inside.
    fn within_reach(&self, jailed: &Jailed, resolved: &Resolved, config: &Path) -> Option<Finding> {
        let file = shown(self.written.first()?);
        let said = shown(resolved.value("AuthorizedKeysFile"));
        let what = format!(
            "sshd: the user can write {file} from inside the jail, where sshd looks for keys (AuthorizedKeysFile {said})"
        );
        let finding = if resolved.forced().is_none() && !resolved.session_is_jailed() {
            let what = format!(
                "{what}: with command=\"{INTERNAL_SFTP}\" before a key there, sshd serves the whole host by SFTP and never starts \
                 jail-shell"
            );
            Finding::error(FindingKind::SshdKeys, what)
        } else {
            let what = format!("{what}: options there, such as command=, restrict nobody");
            Finding::note(FindingKind::SshdKeys, what)
        };
        let repair =
            Repair::of_user(Kind::SshdKeys, &jailed.identity.name).with_sshd_config(config);
        let lines = ["AuthorizedKeysFile /etc/ssh/authorized_keys.d/%u"];
        let lines = MatchLines::of(jailed, lines, config);
        Some(finding.mended_by_lines(lines.after(repair)))
    }

    /// Finds keys for which sshd serves the host by SFTP.
    fn internal(&self) -> Vec<Finding> {
        let is_internal = |entry: &Entry| entry.command().is_some_and(is_internal_sftp);
        let lines = self.entries.iter().filter(|(_, entry)| is_internal(entry));
        lines
            .map(|(file, entry)| {
                let what = format!(
                    "sshd: {}:{} has command=\"{INTERNAL_SFTP}\": whoever has that key gets the whole host by SFTP, and sshd never \
                     starts jail-shell; write command=\"{SFTP_SERVER}\" there, which the jail serves",
                    shown(file),
                    entry.line
                );
                Finding::error(FindingKind::SshdSftp, what)
            })
            .collect()
    }

    /// Finds keys and certificates that may do the same and can't be seen.
    fn unseen(&self, jailed: &Jailed, config: &Path) -> Option<Finding> {
        if self.unseen.is_empty() {
            return None;
        }
        let what = format!(
            "sshd: {}: a key with command=\"{INTERNAL_SFTP}\" or a certificate with force-command={INTERNAL_SFTP} serves the whole \
             host by SFTP, and check can't see whether there is one; a ForceCommand rules it out",
            self.unseen.join(", ")
        );
        let command = MatchLines::of(jailed, [format!("ForceCommand {JAIL_SHELL_PATH}")], config);
        Some(Finding::warning(FindingKind::SshdUnseenKeys, what).mended_by_lines(command))
    }

    /// Finds keys whose own command ForceCommand replaces.
    fn overridden(
        &self,
        jailed: &Jailed,
        resolved: &Resolved,
        forced: &str,
        config: &Path,
    ) -> Option<Finding> {
        let replaced: Vec<String> = self
            .entries
            .iter()
            .filter_map(|(file, entry)| Some((file, entry, entry.command()?)))
            .filter(|(_, _, command)| !is_same(command, forced))
            .map(|(file, entry, command)| {
                format!("{}:{}{}", shown(file), entry.line, program(command))
            })
            .collect();
        let named = replaced.get(..MOST_NAMED).unwrap_or(&replaced);
        let more = match replaced.len() - named.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        if named.is_empty() {
            return None;
        }
        let gets = if is_jail_shell(Path::new(forced)) {
            "whoever has such a key gets a whole shell in the jail"
        } else {
            "whoever has such a key gets that instead"
        };
        let what = format!(
            "sshd: ForceCommand {} replaces the command= of keys: {}{more}; {gets}; with jail-shell as login shell and without \
             ForceCommand, the key's command runs in the jail",
            shown(forced),
            named.join(", "),
        );
        let finding = Finding::warning(FindingKind::SshdKeyCommand, what);
        let safe = is_jail_shell(Path::new(forced))
            && self.is_jailed_without_force(jailed, resolved, config);
        Some(if safe {
            finding.mended_by_lines(MatchLines::of(jailed, ["ForceCommand none"], config))
        } else {
            finding
        })
    }

    /// Tells whether the user stays in the jail where sshd forces nothing.
    fn is_jailed_without_force(&self, jailed: &Jailed, resolved: &Resolved, config: &Path) -> bool {
        let free = resolved.without("ForceCommand");
        let opens = || {
            !self.written.is_empty()
                || !self.internal().is_empty()
                || !self.unseen.is_empty()
                || acts::sftp(&free, config).is_some()
                || !acts::own_code(jailed, &free, config).is_empty()
        };
        free.session_is_jailed() || has_jail_shell(&jailed.identity) && !opens()
    }

    fn overridden_unseen(&self) -> Option<Finding> {
        if self.unseen.is_empty() {
            return None;
        }
        let what = format!(
            "sshd: {}: ForceCommand replaces the command= of keys and the force-command of certificates, and check can't see \
             whether one of these has any",
            self.unseen.join(", ")
        );
        Some(Finding::note(FindingKind::SshdUnseenKeys, what))
    }
}

/// Names the program of a key's command, and nothing else of it: there may be a secret.
fn program(command: &str) -> String {
    let first = command.split_whitespace().next().map(Path::new);
    let name = first.and_then(Path::file_name).and_then(OsStr::to_str);
    match name.filter(|name| !name.contains(['=', '"', '\'', '$'])) {
        Some(name) => format!(" ({})", shown(name)),
        None => String::new(),
    }
}

/// Tells whether a key's command and a forced one come to the same.
fn is_same(command: &str, forced: &str) -> bool {
    let is_server = |command: &str| {
        let program = program_of(OsStr::new(command));
        is_internal_sftp(command) || program.is_some_and(|program| program.ends_with("sftp-server"))
    };
    command == forced || is_server(command) && is_server(forced)
}

/// Lists the files in which sshd looks for a user's keys and which the user can write from inside.
pub(super) fn written(jailed: &Jailed, resolved: &Resolved) -> Vec<PathBuf> {
    Known::of(jailed, resolved).written
}

/// Gives the file that a pattern means for a user: TOKENS in sshd_config(5).
pub(super) fn expanded(pattern: &str, identity: &Identity) -> PathBuf {
    let mut path = String::new();
    let mut letters = pattern.chars();
    while let Some(letter) = letters.next() {
        match (letter, if letter == '%' { letters.next() } else { None }) {
            ('%', Some('h')) => path.push_str(&home(identity).to_string_lossy()),
            ('%', Some('u')) => path.push_str(&identity.name.to_string_lossy()),
            ('%', Some('U')) => path.push_str(&identity.uid.to_string()),
            ('%', Some(other)) => path.push(other),
            (other, _) => path.push(other),
        }
    }
    home(identity).join(path)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use jail::account::identity::Identity;

    use super::expanded;

    #[test]
    fn fills_the_tokens_of_a_path() {
        let identity = Identity::example("ann", 1001);
        for (pattern, path) in [
            (".ssh/authorized_keys", "/home/ann/.ssh/authorized_keys"),
            ("/etc/keys/%u.%U", "/etc/keys/ann.1001"),
            ("%h/100%%", "/home/ann/100%"),
        ] {
            assert_eq!(expanded(pattern, &identity), Path::new(path));
        }
    }
}
