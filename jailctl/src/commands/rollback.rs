//! `jailctl rollback`: the generation of a root before the one in use.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use jail_roots::{new_root::absolute, update::roll_back};

use crate::{
    failure::{Failure, Verdict},
    stdout::say,
    terminal::shown,
};

/// Put the generation of a root before the last update or build into use again
///
/// Only what jailctl put there changes back; users' files stay as they are. The generation that was in use is kept, so
/// that a second call undoes the first. One generation is kept, not more; see jailctl-update(8).
///
/// The next `jailctl update`, and the package's trigger with it, brings the root forward again: to stay with the old
/// programs, take the root's line out of /var/lib/login-jail/roots.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Rollback {
    /// The root; a second call undoes the first
    #[arg(value_hint = ValueHint::DirPath)]
    root: PathBuf,
}

const EXAMPLES: &str = "\
Examples:
  jailctl rollback /srv/jails/ann    the generation before; once more, and it is the newer one again";

impl Rollback {
    /// Exchanges the two generations of a root.
    ///
    /// # Errors
    /// There is only one, or a system call failed.
    pub(crate) fn run(&self) -> Result<Verdict, Failure> {
        let path = absolute(&self.root)?;
        let manifest = roll_back(&path)?;
        let with = manifest.recipe.with.join(",");
        say(format_args!(
            "{}: rolled back to what was built with {}",
            shown(&path),
            shown(with)
        ));
        Ok(Verdict::Fine)
    }
}
