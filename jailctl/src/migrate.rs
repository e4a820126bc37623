//! `jailctl migrate`: the config that does what jailkit, sshd or pam_chroot does now, printed and nothing else.
//!
//! What can't be said in a config is a comment with the line that says it there. The draft is read by the parser of the
//! doors before it is printed, and every account of this machine is decided by it once: who would come elsewhere than now
//! gets a rule of their own.

mod draft;
mod jailkit;
mod pam_chroot;
mod sshd;

use crate::{
    cli::{Migrate, Source},
    failure::{Failure, Verdict},
    output::say,
};

/// Prints the config.
pub(crate) fn run(arguments: &Migrate) -> Result<Verdict, Failure> {
    let draft = match &arguments.from {
        Source::Jailkit(from) => jailkit::draft(from)?,
        Source::Sshd(from) => sshd::draft(from)?,
        Source::PamChroot(from) => pam_chroot::draft(from)?,
    };
    let text = draft.text();
    draft::parse(&text)?;
    say(text.trim_end());
    Ok(Verdict::of(draft.lost_something()))
}
