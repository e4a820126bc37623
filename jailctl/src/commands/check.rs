//! `jailctl check`: its arguments.

use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};

use crate::{
    doctor::{check, kinds},
    failure::{Failure, Verdict},
    manual::{self, Manual},
    output::Output,
};

/// Find what is wrong with the config, the jails and the doors
///
/// Each finding names the thing, its state, and the command that mends it. Every jail is entered as a login would enter it,
/// as the user and behind every wall, up to the last step before the shell is started; nothing of the user's runs.
///
/// Errors come first, then warnings. What is the same for several users of a group or a jail is one finding, with {user} where
/// the name stands. Behind "fix:" stands a command that only takes something away from a jail, and --fix runs it. Behind
/// "by hand:" stands a command to be read first. The key accept in [check] of the config accepts findings.
///
/// Needs root. Notes and accepted findings leave the exit status at 0; incomplete checks are listed, and make it 1.
#[derive(Debug, Args)]
#[command(after_long_help = format!("{WALLS}\n\n{}\n\n{MANUAL}", kinds::listed()))]
pub(crate) struct Arguments {
    /// The accounts; by default all whom a rule puts into a jail
    #[arg(value_hint = ValueHint::Username)]
    pub(crate) users: Vec<String>,
    /// Run the fixes that only take something away, and only from a jail and its user; show each change, and check again
    #[arg(long)]
    pub(crate) fix: bool,
    /// Show notes and accepted findings, too: they are counted only
    #[arg(long)]
    pub(crate) notes: bool,
    /// Name all users whom a finding is about, and show accepted findings
    #[arg(long)]
    pub(crate) verbose: bool,
    /// Try to get out of each jail, as its user, and say which wall stopped each try
    ///
    /// The probes are this program's own, change nothing and leave nothing; some 100 for each jail, in less than a second.
    /// One that gets through a wall that the config raises is an error. One that gets through where the config has taken
    /// its walls down says which line did, and is none.
    #[arg(long)]
    pub(crate) attack: bool,
    /// sshd's config, for hosts that start it with another one
    #[arg(long, value_name = "FILE", default_value = "/etc/ssh/sshd_config", value_hint = ValueHint::FilePath)]
    pub(crate) sshd_config: PathBuf,
    #[command(flatten)]
    pub(crate) output: Output,
}

const EXAMPLES: &str = "\
Examples:
  jailctl check                                              every jailed user, every root and every door
  jailctl check ann bob                                      these two, and the doors as they find them
  jailctl check --fix                                        mend what only takes something away, then check again
  jailctl check --notes                                      show what is only counted otherwise
  jailctl check --verbose                                    name each user whom a finding is about
  jailctl check --attack ann                                 and which wall stops each known way out
  jailctl check --sshd-config /etc/ssh/sshd_sftp.conf ann    where an sshd has a config of its own
  jailctl check --json                                       for a program; exit status 1 says that something was found";

/// What stands behind the help, and in the man page.
const MANUAL: Manual = Manual {
    fine: "nothing was found, or only notes and what the config accepts",
    found: Some("an error or a warning was found, or something could not be checked"),
    files: &[
        manual::CONFIG,
        manual::USERS_D,
        manual::SSHD_CONFIG,
        manual::PAM_D,
        (
            "/etc/shells, cron.allow, at.allow, sudoers and others",
            "whatever may lead a jailed user past the doors",
        ),
    ],
    examples: EXAMPLES,
};

/// The names of walls, which stay the same from release to release.
const WALLS: &str = "\
The walls that --attack names: bounding-set (with the locked securebits), closed-descriptors, ipc-namespace, landlock, \
landlock-ports, mount-flags (nosuid and nodev), network-namespace, no-new-privs, own-proc, pid-namespace, privileges (the \
user's ids, no capabilities), root (no path leads out), seccomp, session-keyring. \"No wall of the jail\" is the kernel, or a \
setting of it that is the host's own.";

/// Checks, and reports.
pub(crate) fn run(config: &Path, arguments: &Arguments) -> Result<Verdict, Failure> {
    let asked = check::Asked {
        users: &arguments.users,
        fix: arguments.fix,
        notes: arguments.notes,
        verbose: arguments.verbose,
        attack: arguments.attack,
        sshd_config: &arguments.sshd_config,
        output: arguments.output,
    };
    check::run(config, &asked)
}

#[cfg(test)]
mod tests {
    use super::WALLS;

    #[test]
    fn the_help_lists_every_wall() {
        for wall in crate::attack::wall_names() {
            let listed = WALLS.split([' ', ',', '.']).any(|word| word == wall);
            assert!(listed, "{wall}");
        }
    }
}
