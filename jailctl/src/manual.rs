//! What the long help of a command and its man page say besides its arguments: exit status, files and examples.

use std::fmt;

/// A file that a command reads or writes, and what it is for.
pub(crate) type File = (&'static str, &'static str);

/// The config.
pub(crate) const CONFIG: File = (
    "/etc/login-jail/config.toml",
    "the rules and the jails; see login-jail.toml(5)",
);
/// What single users have of the config.
pub(crate) const USERS_D: File = (
    "/etc/login-jail/users.d/NAME.toml",
    "the jail of one user, in a file of its own",
);
/// What sshd reads.
pub(crate) const SSHD_CONFIG: File = (
    "/etc/ssh/sshd_config",
    "sshd is asked what it does with each user",
);
/// PAM's stacks.
pub(crate) const PAM_D: File = ("/etc/pam.d", "the PAM stacks that may have pam_jail.so");
/// The login shells from before `jailctl add`.
pub(crate) const SHELLS: File = (
    "/var/lib/login-jail/shells",
    "the login shells that users had before jailctl add",
);
/// The keys of users whom `jailctl setup`, `add` or `apply` has jailed.
pub(crate) const KEYS: File = (
    "/etc/ssh/authorized_keys.d/USER",
    "the keys of a user, which root alone can write",
);
/// What can be taken back.
pub(crate) const JOURNALS: File = (
    "/var/lib/login-jail/setup",
    "the journals of set-ups, with the files from before, for jailctl undo",
);
/// The roots that `jailctl update` takes.
pub(crate) const ROOTS: File = (
    "/var/lib/login-jail/roots",
    "the roots that jailctl update brings up to date, one in a line",
);
/// What jailctl has put into a root.
pub(crate) const MANIFEST: File = (
    "ROOT/.login-jail/manifest.json",
    "what jailctl has put into the root, with a digest of each file",
);
/// The generation before.
pub(crate) const PREVIOUS: File = (
    "ROOT/.login-jail/previous",
    "the generation before, for jailctl rollback",
);
/// The other versions of a base.
pub(crate) const VERSIONS: File = (
    "ROOT.versions",
    "the versions of the base ROOT that are not in use",
);
/// Presets of the administrator's own.
pub(crate) const PRESETS_D: File = (
    "/etc/login-jail/presets.d",
    "presets of your own; see jailctl-presets(8)",
);

/// What a command's help and page end with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manual {
    /// What exit status 0 means.
    pub(crate) fine: &'static str,
    /// What exit status 1 means, where the command has it.
    pub(crate) found: Option<&'static str>,
    /// What exit status 4 means, where the command has it.
    pub(crate) differs: Option<&'static str>,
    /// The files that it reads or writes.
    pub(crate) files: &'static [File],
    /// A line for each example, with its words behind some spaces.
    pub(crate) examples: &'static str,
}

impl Manual {
    /// What the exit statuses mean that every command has.
    const WRONG: &'static str = "the arguments are wrong; nothing was done";
    const FAILED: &'static str = "the command failed; the message says what and why";
}

impl fmt::Display for Manual {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Exit status:\n  0   {}", self.fine)?;
        if let Some(found) = self.found {
            writeln!(f, "  1   {found}")?;
        }
        writeln!(f, "  2   {}\n  3   {}", Self::WRONG, Self::FAILED)?;
        if let Some(differs) = self.differs {
            writeln!(f, "  4   {differs}")?;
        }
        writeln!(f, "\nFiles:")?;
        let width = self.files.iter().map(|(path, _)| path.len()).max();
        let width = width.unwrap_or_default();
        for (path, words) in self.files {
            writeln!(f, "  {path:width$}   {words}")?;
        }
        write!(f, "\n{}", self.examples)
    }
}
