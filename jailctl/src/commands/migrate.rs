//! `jailctl migrate`: prints the config that does what jailkit, sshd or pam_chroot does now.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

use crate::{
    failure::{Failure, Verdict},
    migrate::{self, jailkit, pam_chroot, sshd},
    output::say,
};

/// Print the config that does what jailkit, sshd or pam_chroot does now
///
/// Reads their configuration and the accounts, and writes nothing: what is printed is a config.toml that login-jail takes,
/// by which every account of this machine comes into the root that it comes into now. Lines that could not be carried over
/// stand in it as comments, and make the exit status 1: whom they jail or refuse now is refused, or stays where sshd keeps
/// them, and is never let in unjailed; only root is never jailed. What remains to be done stands at its end, in an order in
/// which nobody is let in unjailed in between.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
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

/// Where users are put into roots until now.
#[derive(Debug, Subcommand)]
pub(crate) enum Source {
    Jailkit(FromJailkit),
    Sshd(FromSshd),
    #[command(name = "pam_chroot")]
    PamChroot(FromPamChroot),
}

/// Users of jk_chrootsh
#[derive(Debug, Args)]
pub(crate) struct FromJailkit {
    /// Where jailkit's files are
    #[arg(long, value_name = "DIR", default_value = "/etc/jailkit", value_hint = ValueHint::DirPath)]
    pub(crate) directory: PathBuf,
    /// Accounts from a file like /etc/passwd, in place of those of this machine
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) passwd: Option<PathBuf>,
}

/// ChrootDirectory and ForceCommand internal-sftp of sshd_config(5)
#[derive(Debug, Args)]
pub(crate) struct FromSshd {
    /// sshd's config; what it includes is read, too
    #[arg(long, value_name = "FILE", default_value = "/etc/ssh/sshd_config", value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,
}

/// Lines of pam_chroot's chroot.conf
#[derive(Debug, Args)]
pub(crate) struct FromPamChroot {
    /// pam_chroot's file
    #[arg(long, value_name = "FILE", default_value = "/etc/security/chroot.conf", value_hint = ValueHint::FilePath)]
    pub(crate) file: PathBuf,
    /// The PAM stacks, for the module's options
    #[arg(long, value_name = "DIR", default_value = "/etc/pam.d", value_hint = ValueHint::DirPath)]
    pub(crate) pam: PathBuf,
}

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
