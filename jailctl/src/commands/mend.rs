//! `jailctl mend`: its arguments.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use clap::{Args, ValueHint};

use crate::{
    doctor::mend,
    failure::{Failure, Verdict},
    manual::{self, Manual},
    output::Output,
};

/// Repair what check has found
///
/// `jailctl check` prints these commands. KIND is the word in brackets behind the finding. WHAT is the file, the
/// directory or the user that the finding is about. With several, one that can't be repaired does not keep the
/// others from it. The command looks again first and does nothing where all is in order by now.
///
/// The user may be at work in the jail at the same time. So every file is opened from the root down, without following
/// a symbolic link and without entering a mount, and exactly what was looked at is changed. A file with more than one
/// hard link is not changed, because another link may be the host's. What the config mounts into a jail is data and is
/// never changed. Each change is printed. Needs root.
#[derive(Debug, Args)]
#[command(after_long_help = MANUAL.to_string())]
pub(crate) struct Arguments {
    /// The kind of finding, as check prints it in brackets
    #[arg(value_parser = mend::KindParser)]
    pub(crate) kind: mend::Kind,
    /// The paths or users that check names; @GROUP stands for all users whom the rule of a group jails
    #[arg(value_hint = ValueHint::AnyPath)]
    pub(crate) what: Vec<OsString>,
    /// WHAT is a path with {user} in it, which stands for each user whom the rule of this group jails
    #[arg(long = "for", value_name = "@GROUP")]
    pub(crate) each: Option<String>,
    /// WHAT is escaped: a backslash and three octal digits for each byte that a terminal can't show
    #[arg(long)]
    pub(crate) escaped: bool,
    /// sshd's config, as it was given to check
    #[arg(long, value_name = "FILE", default_value = "/etc/ssh/sshd_config", value_hint = ValueHint::FilePath)]
    pub(crate) sshd_config: PathBuf,
    /// Act as if the config had this rule; JAIL is the name of a jail or a root directory
    ///
    /// jailctl add prints such commands if something is missing.
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
  jailctl mend cron @students                               forbid crontab to all whom the rule of the group students jails
  jailctl mend --for @students root '/srv/jails/{user}'     mend the way to the root of each of them
  jailctl mend --dry-run home-missing ann                   only show what would change
  jailctl mend --rule bob=web root /srv/jails/bob           make a root for bob, whom jailctl add is to put into the jail web
  jailctl mend --json set-id /srv/jails/ann/bin/su          what was changed, for a program
  jailctl mend --escaped set-id '/srv/jails/ann/a\\012b'     a name with a line break, as check prints it
  jailctl mend --sshd-config /root/sshd_config set-id /srv/jails/ann/bin/su     with another config of sshd's";

/// What stands behind the help, and in the man page.
const MANUAL: Manual = Manual {
    fine: "the thing is in order now; also when there was nothing to repair",
    found: None,
    differs: None,
    files: &[manual::CONFIG, manual::USERS_D, manual::SSHD_CONFIG],
    examples: EXAMPLES,
};

/// Does what is asked for, and says what it has changed.
pub(crate) fn run(config: &Path, arguments: &Arguments) -> Result<Verdict, Failure> {
    let asked = mend::Asked {
        kind: arguments.kind,
        what: &arguments.what,
        each: arguments.each.as_deref(),
        escaped: arguments.escaped,
        sshd_config: &arguments.sshd_config,
        rule: arguments.rule.as_deref(),
        dry_run: arguments.dry_run,
        output: arguments.output,
    };
    mend::run(config, &asked)
}
