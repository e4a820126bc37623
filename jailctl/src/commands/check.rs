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
/// Each finding names the object, its state, and the command that corrects it. Check enters every jail as a login does: as
/// the user, behind every wall, up to the last step before the shell starts. No program of the user runs.
///
/// Errors come first, then warnings. If several users of a group or a jail have the same problem, it is shown once, with {user}
/// in place of the name. A command after "fix:" only takes something away from a jail; --fix runs these commands. Read a
/// command after "by hand:" before you run it. The key accept in [check] of the config accepts findings.
///
/// Needs root. Notes and accepted findings leave the exit status at 0. Incomplete checks are listed, and the exit status is
/// then 1.
#[derive(Debug, Args)]
#[command(after_long_help = format!("{WALLS}\n\n{}\n\n{MANUAL}", kinds::listed()))]
pub(crate) struct Arguments {
    /// The accounts; by default all users that a rule puts into a jail
    #[arg(value_hint = ValueHint::Username)]
    pub(crate) users: Vec<String>,
    /// Run the fixes that only take something away from a jail or its user; show each change, and check again
    #[arg(long)]
    pub(crate) fix: bool,
    /// Show notes and accepted findings; without this option they are only counted
    #[arg(long)]
    pub(crate) notes: bool,
    /// Name all users of each finding, and show accepted findings
    #[arg(long)]
    pub(crate) verbose: bool,
    /// Try to get out of each jail, as its user, and say which wall stopped each try
    ///
    /// The probes are part of this program. They change nothing and leave nothing behind. Each jail gets some 100 probes, in
    /// less than a second. A probe that gets through a wall of the jail is an error. If the config switches off the walls
    /// that would stop a probe, that is no error, and the line of the config is named.
    #[arg(long)]
    pub(crate) attack: bool,
    /// The config of sshd, if sshd is started with another file
    #[arg(long, value_name = "FILE", default_value = "/etc/ssh/sshd_config", value_hint = ValueHint::FilePath)]
    pub(crate) sshd_config: PathBuf,
    #[command(flatten)]
    pub(crate) output: Output,
}

const EXAMPLES: &str = "\
Examples:
  jailctl check                                              every jailed user, every root and every door
  jailctl check ann bob                                      only these two users, and the doors for them
  jailctl check --fix                                        run the fixes that only take something away, then check again
  jailctl check --notes                                      show also notes and accepted findings
  jailctl check --verbose                                    name each user of a finding
  jailctl check --attack ann                                 try each known way out, and name the wall that stops it
  jailctl check --sshd-config /etc/ssh/sshd_sftp.conf ann    for an sshd that has a config of its own
  jailctl check --json                                       for a program; exit status 1 means that something was found";

/// What stands behind the help, and in the man page.
const MANUAL: Manual = Manual {
    fine: "nothing was found, or only notes and accepted findings",
    found: Some("an error or a warning was found, or something could not be checked"),
    differs: None,
    files: &[
        manual::CONFIG,
        manual::USERS_D,
        manual::SSHD_CONFIG,
        manual::PAM_D,
        (
            "/etc/shells, cron.allow, at.allow, sudoers and others",
            "other ways to log in or run jobs, past the doors",
        ),
    ],
    examples: EXAMPLES,
};

/// The names of walls, which stay the same from release to release.
const WALLS: &str = "\
The walls that --attack names: bounding-set (with the locked securebits), closed-descriptors, ipc-namespace, landlock, \
landlock-ports, mount-flags (nosuid and nodev), network-namespace, no-new-privs, own-proc, pid-namespace, privileges (the \
user's ids, no capabilities), root (no path leads out), seccomp, session-keyring. \"No wall of the jail\" means the \
kernel itself, or a kernel setting of the host.";

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
