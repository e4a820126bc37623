//! `jailctl rollback`: the generation of a root before the one in use.

use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};
use jail_roots::{
    new_root::absolute,
    update::roll_back,
    versions::{Versions, has_versions},
};

use crate::{
    commands::versions::refuse_roots,
    failure::{Failure, Verdict},
    manual::{self, Manual},
    stdout::say,
    terminal::shown,
};

/// Put the previous generation of a root back into use
///
/// Only what jailctl put there changes back; the users' files stay as they are. The generation that was in use is kept,
/// so a second call undoes the first. One previous generation is kept, not more; see jailctl-update(8).
///
/// Of an imported base with several versions, the version that was in use before comes into use again; see
/// jailctl-versions(8).
///
/// The next `jailctl update` brings the root forward again, also when the package's trigger calls it. To stay with the
/// old programs, delete the root's line in /var/lib/login-jail/roots. Needs root.
#[derive(Debug, Args)]
#[command(after_long_help = MANUAL.to_string())]
pub(crate) struct Rollback {
    /// The root; a second call undoes the first
    #[arg(value_hint = ValueHint::DirPath)]
    root: PathBuf,
}

const EXAMPLES: &str = "\
Examples:
  jailctl rollback /srv/jails/ann       the generation before; once more, and it is the newer one again
  jailctl rollback /srv/images/debian   the version of a base that was in use before";

/// What stands behind the help, and in the man page.
const MANUAL: Manual = Manual {
    fine: "the previous generation is in use",
    found: None,
    differs: None,
    files: &[
        manual::MANIFEST,
        manual::ROOTS,
        manual::PREVIOUS,
        manual::VERSIONS,
    ],
    examples: EXAMPLES,
};

impl Rollback {
    /// Exchanges the two generations of a root.
    ///
    /// # Errors
    /// There is only one, or a system call failed.
    pub(crate) fn run(&self, config: &Path) -> Result<Verdict, Failure> {
        let path = absolute(&self.root)?;
        if has_versions(&path) {
            refuse_roots(config, &path)?;
            let versions = Versions::open(&path)?;
            let name = versions.previous()?;
            let before = versions.put_into_use(&name)?;
            say(format_args!(
                "{}: rolled back from version {before} to {name}",
                shown(&path)
            ));
            return Ok(Verdict::Fine);
        }
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
