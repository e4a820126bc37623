//! `jailctl presets`: what `jailctl build --with` knows.

use clap::Args;
use jail_roots::presets::Presets;
use serde_json::json as object;

use crate::{
    failure::{Failure, Verdict},
    stdout::{say, say_json},
    terminal::shown,
};

/// List what `jailctl build --with` knows, and which of it this machine has the programs for.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct List {
    /// Report as JSON
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  jailctl presets           what --with knows
  jailctl presets --json    the same for a program";

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
