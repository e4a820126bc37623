//! `jailctl mend`: its arguments.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use clap::{Args, ValueHint};

use crate::{
    doctor::mend,
    failure::{Failure, Verdict},
    output::Output,
};

/// Mend what check has found, one thing at a time
///
/// `jailctl check` prints these commands. KIND is the word in brackets behind the finding, WHAT is the file, directory or
/// user that it is about. The state is looked at again first: where it is in order by now, nothing is done.
///
/// A jail's user may be at work in it at the same time, so everything is done by descriptor, from the root down: no symbolic
/// link is followed, no mount is entered, and what was looked at is what is changed. A file that has further hard links is
/// not changed, because one of them may be the host's. What a mount of the config shows is data, and is never changed.
/// Each change is printed. Needs root. Exit status 0 also when there was nothing to mend, 3 when it was refused.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// What is wrong, by the word that check calls it by
    #[arg(value_parser = mend::KindParser)]
    pub(crate) kind: mend::Kind,
    /// The path or user that check names
    #[arg(value_hint = ValueHint::AnyPath)]
    pub(crate) what: Option<OsString>,
    /// WHAT has a backslash and three octal digits for each byte that a terminal can't show
    #[arg(long)]
    pub(crate) escaped: bool,
    /// sshd's config, as it was given to check
    #[arg(long, value_name = "FILE", default_value = "/etc/ssh/sshd_config", value_hint = ValueHint::FilePath)]
    pub(crate) sshd_config: PathBuf,
    /// Go by this rule as if the config had it already; JAIL is the name of a jail or a root directory
    ///
    /// jailctl add prints it where what it needs is missing.
    #[arg(long, value_name = "USER=JAIL")]
    pub(crate) rule: Option<String>,
    /// Show what would change, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

const EXAMPLES: &str = "\
Examples:
  jailctl mend home-missing ann                             make her home in the jail
  jailctl mend set-id /srv/jails/ann/usr/bin/su             take the set-user-ID bit away
  jailctl mend --dry-run home-missing ann                   only show what would change
  jailctl mend --rule bob=web root /srv/jails/bob           make a root for bob, whom jailctl add is to put into the jail web
  jailctl mend --json set-id /srv/jails/ann/bin/su          what was changed, for a program
  jailctl mend --escaped set-id '/srv/jails/ann/a\\012b'     a name with a line break, as check prints it
  jailctl mend --sshd-config /root/sshd_config set-id /srv/jails/ann/bin/su     with another config of sshd's";

/// Does one fix, and says what it has changed.
pub(crate) fn run(config: &Path, arguments: &Arguments) -> Result<Verdict, Failure> {
    let asked = mend::Asked {
        kind: arguments.kind,
        what: arguments.what.as_deref(),
        escaped: arguments.escaped,
        sshd_config: &arguments.sshd_config,
        rule: arguments.rule.as_deref(),
        dry_run: arguments.dry_run,
        output: arguments.output,
    };
    mend::run(config, &asked)
}
