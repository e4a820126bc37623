//! `jailctl presets`: what `jailctl build --with` knows.

use clap::Args;
use jail_roots::presets::Presets;
use serde_json::json as object;

use crate::{
    failure::{Failure, Verdict},
    manual::{self, Manual},
    stdout::{say, say_json},
    terminal::shown,
};

/// List the sets of programs that build knows
///
/// Prints a line for each preset that `jailctl build --with` takes: its name, what it is for, and whether this machine
/// has its programs; if not, the package that has them. Your own presets in /etc/login-jail/presets.d are listed as
/// well.
#[derive(Debug, Args)]
#[command(after_long_help = MANUAL.to_string())]
pub(crate) struct List {
    /// Report as JSON
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  jailctl presets           what --with knows
  jailctl presets --json    the same for a program";

/// What stands behind the help, and in the man page.
const MANUAL: Manual = Manual {
    fine: "the list was printed",
    found: None,
    differs: None,
    files: &[manual::PRESETS_D],
    examples: EXAMPLES,
};

impl List {
    /// Prints the presets by name.
    ///
    /// # Errors
    /// A file of the administrator's can't be read or understood.
    pub(crate) fn run(&self) -> Result<Verdict, Failure> {
        let presets = Presets::load()?;
        let mut reports = Vec::new();
        for (name, preset) in presets.iter() {
            let there = preset.is_installed();
            if self.json {
                reports.push(object!({
                    "name": name,
                    "about": preset.about,
                    "presets": preset.presets,
                    "package": preset.package,
                    "installed": there,
                }));
                continue;
            }
            let mark = match (&preset.package, there) {
                (_, true) => String::new(),
                (Some(package), _) => format!(" (not on this host: apt-get install {package})"),
                (None, _) => " (not on this host)".to_owned(),
            };
            say(format_args!(
                "{name:<18} {}{}",
                shown(&preset.about),
                shown(mark)
            ));
        }
        if self.json {
            say_json(&object!({ "presets": reports }));
        }
        Ok(Verdict::Fine)
    }
}
