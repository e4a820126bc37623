//! `jailctl check`: its arguments.

use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};

use crate::{
    doctor::{check, kinds::KINDS},
    failure::{Failure, Verdict},
    manual::{self, Manual},
    output::Output,
};

/// Find what is wrong with the config, the jails and the doors
///
/// Each finding names the thing, its state, and the command that mends it. Every jail is entered as a login would enter it,
/// as the user and behind every wall, up to the last step before the shell is started; nothing of the user's runs.
/// Needs root. Notes alone leave the exit status at 0; what could not be checked is said, and makes it 1.
#[derive(Debug, Args)]
#[command(after_long_help = format!("{WALLS}\n\n{KINDS}\n\n{MANUAL}"))]
pub(crate) struct Arguments {
    /// The accounts; by default all whom a rule puts into a jail
    #[arg(value_hint = ValueHint::Username)]
    pub(crate) users: Vec<String>,
    /// Run the fixes that only take something away, and only from a jail and its user; show each change, and check again
    #[arg(long)]
    pub(crate) fix: bool,
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
  jailctl check --attack ann                                 and which wall stops each known way out
  jailctl check --sshd-config /etc/ssh/sshd_sftp.conf ann    where an sshd has a config of its own
  jailctl check --json                                       for a program; exit status 1 says that something was found";

/// What stands behind the help, and in the man page.
const MANUAL: Manual = Manual {
    fine: "nothing was found, or notes only",
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
        attack: arguments.attack,
        sshd_config: &arguments.sshd_config,
        output: arguments.output,
    };
    check::run(config, &asked)
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use clap::ValueEnum;

    use super::{KINDS, WALLS};
    use crate::doctor::mend;

    /// Lists the files below a directory.
    fn files(directory: &Path) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(directory).unwrap();
        entries
            .map(|entry| entry.unwrap().path())
            .flat_map(|path| {
                if path.is_dir() {
                    files(&path)
                } else {
                    vec![path]
                }
            })
            .collect()
    }

    /// Gives the words that the sources of `check` call findings by.
    fn kinds() -> Vec<String> {
        let sources = concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctor/check");
        let mut kinds = Vec::new();
        for file in files(Path::new(sources)) {
            let text = std::fs::read_to_string(file).unwrap();
            for call in ["::error(", "::warning(", "::note(", "::refused("] {
                let arguments = text.split(call).skip(1).map(str::trim_start);
                let words = arguments.filter_map(|it| it.strip_prefix('"')?.split('"').next());
                kinds.extend(words.map(str::to_owned));
            }
        }
        kinds
    }

    #[test]
    fn the_help_lists_every_kind_of_finding() {
        assert!(kinds().len() > 50);
        for kind in kinds() {
            let listed = KINDS
                .split([' ', ',', '.', ';', '\n'])
                .any(|word| word == kind);
            assert!(listed, "{kind}");
        }
    }

    #[test]
    fn what_is_mended_is_a_kind_of_finding() {
        for kind in mend::Kind::value_variants() {
            let name = kind.name();
            let listed = KINDS
                .split([' ', ',', '.', ';', '\n'])
                .any(|word| word == name);
            // The jail's group file is a part of what host-files is about.
            assert!(listed || name == "group-disagrees", "{name}");
        }
    }

    #[test]
    fn the_help_lists_every_wall() {
        for wall in crate::attack::wall_names() {
            let listed = WALLS.split([' ', ',', '.']).any(|word| word == wall);
            assert!(listed, "{wall}");
        }
    }
}
