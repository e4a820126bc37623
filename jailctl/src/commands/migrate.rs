//! `jailctl migrate`: prints the config that does what jailkit, sshd or pam_chroot does now.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

use crate::{
    failure::{Failure, Verdict},
    manual::{self, Manual},
    migrate::{self, jailkit, pam_chroot, sshd},
    output::say,
};

/// Print the config that replaces jailkit, sshd's ChrootDirectory or pam_chroot
///
/// Reads the configuration of the other program and the accounts of this machine, and prints a config.toml for
/// login-jail. Each account gets the root that it has now. Nothing is changed.
///
/// A line that can't be translated is printed as a comment, and the exit status is then 1. A user whom such a line
/// jails or refuses now is refused by the new config, or stays where sshd keeps the user; nobody is let in unjailed,
/// except root, who is never jailed. The printed file ends with the steps that remain, in an order that never lets
/// anybody in unjailed.
#[derive(Debug, Args)]
#[command(after_long_help = MANUAL.to_string())]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) from: Source,
}

const EXAMPLES: &str = "\
Examples:
  jailctl migrate sshd >config.toml; jailctl --config . explain ann    what it would do with ann, before it is installed
  jailctl migrate sshd --file /etc/ssh/sshd_sftp.conf                  where an sshd has a config of its own
  jailctl migrate jailkit --passwd passwd --directory jailkit          from files of another machine
  jailctl migrate pam_chroot --file chroot.conf --pam pam.d            the same";

/// What stands behind the help, and in the man page.
const MANUAL: Manual = Manual {
    fine: "everything was translated",
    found: Some("some lines could not be translated; they are comments in what was printed"),
    differs: None,
    files: &[
        manual::SSHD_CONFIG,
        ("/etc/jailkit", "what jailkit is configured to do"),
        (
            "/etc/security/chroot.conf",
            "what pam_chroot is configured to do",
        ),
        manual::PAM_D,
    ],
    examples: EXAMPLES,
};

/// Where users are put into roots until now.
#[derive(Debug, Subcommand)]
pub(crate) enum Source {
    Jailkit(FromJailkit),
    Sshd(FromSshd),
    #[command(name = "pam_chroot")]
    PamChroot(FromPamChroot),
}

/// Print the config that replaces jailkit
///
/// Takes the accounts whose login shell is jk_chrootsh, the roots that their homes name, and jailkit's own files for
/// the limits of jk_lsh.
///
/// Nothing is changed. A line that can't be translated is printed as a comment: see jailctl-migrate(8).
#[derive(Debug, Args)]
#[command(after_long_help = FROM_JAILKIT.to_string())]
pub(crate) struct FromJailkit {
    /// The directory with jailkit's files
    #[arg(long, value_name = "DIR", default_value = "/etc/jailkit", value_hint = ValueHint::DirPath)]
    pub(crate) directory: PathBuf,
    /// Take the accounts from a file like /etc/passwd, not from this machine
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) passwd: Option<PathBuf>,
}

const FROM_JAILKIT: Manual = Manual {
    files: &[
        (
            "/etc/jailkit/jk_chrootsh.ini, jk_lsh.ini and others",
            "what jailkit is configured to do",
        ),
        ("/etc/passwd", "the accounts, with login shell and home"),
    ],
    examples: "\
Examples:
  jailctl migrate jailkit                                        from the files of this machine
  jailctl migrate jailkit --passwd passwd --directory jailkit    from files of another machine",
    ..MANUAL
};

/// Print the config that replaces sshd's ChrootDirectory and internal-sftp
///
/// Takes each ChrootDirectory of sshd_config(5) with the users and groups of its Match block. Files that it includes
/// are read too.
///
/// Nothing is changed. A line that can't be translated is printed as a comment: see jailctl-migrate(8).
#[derive(Debug, Args)]
#[command(after_long_help = FROM_SSHD.to_string())]
pub(crate) struct FromSshd {
    /// sshd's config
    #[arg(long, value_name = "FILE", default_value = "/etc/ssh/sshd_config", value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,
}

const FROM_SSHD: Manual = Manual {
    files: &[(
        "/etc/ssh/sshd_config",
        "what sshd is configured to do; --file names another file",
    )],
    examples: "\
Examples:
  jailctl migrate sshd                                   from the config of this machine's sshd
  jailctl migrate sshd --file /etc/ssh/sshd_sftp.conf    from the config of a second sshd",
    ..MANUAL
};

/// Print the config that replaces pam_chroot
///
/// Takes the lines of chroot.conf, and the options of pam_chroot.so in the PAM stacks, which decide how the lines are
/// read.
///
/// Nothing is changed. A line that can't be translated is printed as a comment: see jailctl-migrate(8).
#[derive(Debug, Args)]
#[command(after_long_help = FROM_PAM_CHROOT.to_string())]
pub(crate) struct FromPamChroot {
    /// pam_chroot's file
    #[arg(long, value_name = "FILE", default_value = "/etc/security/chroot.conf", value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,
    /// The directory of the PAM stacks, for the module's options
    #[arg(long, value_name = "DIR", default_value = "/etc/pam.d", value_hint = ValueHint::DirPath)]
    pub(crate) pam: PathBuf,
}

const FROM_PAM_CHROOT: Manual = Manual {
    files: &[
        (
            "/etc/security/chroot.conf",
            "who is put into which directory",
        ),
        (
            "/etc/pam.d",
            "the stacks with pam_chroot.so and its options",
        ),
    ],
    examples: "\
Examples:
  jailctl migrate pam_chroot                                      from the files of this machine
  jailctl migrate pam_chroot --file chroot.conf --pam pam.d       from files of another machine",
    ..MANUAL
};

/// Prints the config.
pub(crate) fn run(arguments: &Arguments) -> Result<Verdict, Failure> {
    let draft = match &arguments.from {
        Source::Jailkit(from) => jailkit::draft(&from.directory, from.passwd.as_deref())?,
        Source::Sshd(from) => sshd::draft(&from.file)?,
        Source::PamChroot(from) => pam_chroot::draft(&from.file, &from.pam)?,
    };
    let text = draft.text();
    migrate::parse(&text)?;
    say(text.trim_end());
    Ok(Verdict::of(draft.lost_something()))
}
