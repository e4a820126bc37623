//! What sshd says that it would do for a user: `sshd -T`.

use std::{
    path::{Path, PathBuf},
    rc::Rc,
};

use jail::account::identity::Identity;

use super::criteria::Connection;
use crate::{failure::Failure, kept::Kept, pam, shell};

/// The SFTP server within sshd.
pub(super) const INTERNAL_SFTP: &str = "internal-sftp";

/// One that is started by the login shell.
pub(super) const SFTP_SERVER: &str = "/usr/lib/openssh/sftp-server";

/// Tells whether sshd takes a command for its own server, as it does: the name, and a blank or nothing behind it. No shell is
/// started then.
pub(super) fn is_internal_sftp(command: &str) -> bool {
    let behind = command.strip_prefix(INTERNAL_SFTP);
    behind.is_some_and(|behind| behind.is_empty() || behind.starts_with([' ', '\t']))
}

/// What sshd says where its directory below /run is not there, because it has not been started yet.
const NO_DIRECTORY: &str = "Missing privilege separation directory: ";

/// Runs sshd with a /run of its own that has this directory.
const IN_OWN_RUN: &str =
    r#"mount -n -t tmpfs tmpfs "${1%/*}" && mkdir "$1" && shift && exec sshd "$@""#;

/// What `sshd -T` prints: a keyword in lower case and its value on each line.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Resolved(Rc<str>);

/// What became of asking sshd: nothing where it is not installed, and what it said where it did not answer.
type Answer = Option<Result<Resolved, String>>;

thread_local! {
    /// What it has said, by its config, the connection and who comes by it.
    static SAID: Kept<(PathBuf, String), Result<Answer, String>> = const { Kept::new() };
}

impl Resolved {
    /// Asks sshd; nothing where it is not installed, and what it said where it did not answer.
    pub(super) fn of(
        identity: &Identity,
        config: &Path,
        connection: &Connection,
    ) -> Result<Answer, Failure> {
        let question = (config.to_owned(), connection.as_sshd_sees(identity));
        let ask = |_: &_| {
            let criteria = connection.criteria(&identity.name.to_string_lossy());
            Resolved::asked(config, &criteria).map_err(|failure| failure.to_string())
        };
        let said = SAID.with(|said| said.get(question, ask));
        said.map_err(Failure::Failed)
    }

    fn asked(config: &Path, criteria: &str) -> Result<Answer, Failure> {
        let config = config.to_string_lossy();
        let asked = ["-T", "-f", &config, "-C", criteria];
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
            Ok(Resolved(String::from_utf8_lossy(&answer.stdout).into()))
        } else {
            Err(String::from_utf8_lossy(&answer.stderr).trim().to_owned())
        }))
    }

    pub(super) fn all<'a>(&'a self, keyword: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.lines().filter_map(move |line| {
            let (name, value) = line.split_once(' ')?;
            name.eq_ignore_ascii_case(keyword).then_some(value.trim())
        })
    }

    pub(super) fn value(&self, keyword: &str) -> &str {
        let mut values = self.0.lines().filter_map(|line| line.split_once(' '));
        values
            .find(|(name, _)| name.eq_ignore_ascii_case(keyword))
            .map_or("", |(_, value)| value.trim())
    }

    pub(super) fn is_no(&self, keyword: &str) -> bool {
        self.value(keyword) == "no"
    }

    /// Gives the service whose PAM stack sshd asks: `sshd` before OpenSSH 9.8, which can't be told another.
    pub(super) fn service(&self) -> &str {
        Some(self.value("PAMServiceName"))
            .filter(|name| !name.is_empty())
            .unwrap_or("sshd")
    }

    /// Tells whether pam_jail.so puts sshd's own process for the connection into the jail.
    pub(super) fn session_is_jailed(&self) -> bool {
        self.value("UsePAM") == "yes" && pam::jails(self.service())
    }

    /// Gives the same without a keyword.
    pub(super) fn without(&self, keyword: &str) -> Resolved {
        let is_other = |line: &&str| {
            let name = line.split(' ').next().unwrap_or_default();
            !name.eq_ignore_ascii_case(keyword)
        };
        let lines: Vec<&str> = self.0.lines().filter(is_other).collect();
        Resolved(lines.join("\n").into())
    }

    /// Gives the forced command, if there is one.
    pub(super) fn forced(&self) -> Option<&str> {
        Some(self.value("ForceCommand")).filter(|command| !["", "none"].contains(command))
    }
}

#[cfg(test)]
mod tests {
    use super::Resolved;

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
