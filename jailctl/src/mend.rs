//! `jailctl mend`: does what mends a finding of `jailctl check`, and looks again before it does.
//!
//! [`repair`] has the values, which findings carry and the command line names. Each file beside it mends one kind of thing;
//! [`reach`] is how they get there: what lies in a root may be its user's, so nothing is done by path, and nothing is
//! followed. A mount's source is data and is never changed: [`data`].

mod data;
mod files;
mod home;
mod link;
mod reach;
mod repair;

use std::{ffi::OsStr, path::Path};

use jail::decision::Config;
use serde_json::json;

use crate::{
    account::{Accounts, Jailed},
    cli,
    enter::need_root,
    failure::{Failure, Verdict},
    output::{print_json, say},
    shell::shown,
};

pub(crate) use data::Data;
pub(crate) use repair::{Kind, Object, Repair};

/// How far a fix goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// It is done.
    Whole,
    /// It is looked what would be done.
    DryRun,
}

/// Does one fix, and says what it has changed.
pub(crate) fn run(config: &Path, arguments: &cli::Mend) -> Result<Verdict, Failure> {
    need_root("change what users can't")?;
    let unescaped = if arguments.escaped {
        repair::unescaped(&arguments.what).ok_or_else(|| {
            Failure::Usage("--escaped: a backslash takes three octal digits".to_owned())
        })?
    } else {
        arguments.what.clone()
    };
    let extent = if arguments.dry_run {
        Extent::DryRun
    } else {
        Extent::Whole
    };
    let repair = Repair::new(arguments.kind, &unescaped);
    let changes = execute(&repair, config, extent)?;
    if arguments.output.json {
        let report = json!({
            "kind": repair.kind.name(),
            "what": repair.what.to_string_lossy(),
            "dry_run": arguments.dry_run,
            "changes": changes,
        });
        print_json(&report)?;
        return Ok(Verdict::Fine);
    }
    if changes.is_empty() {
        say(format_args!(
            "{}: nothing to mend: {} is not, or is no longer, what check finds there",
            shown(&repair.what),
            repair.kind.name()
        ));
    }
    changes.iter().for_each(say);
    Ok(Verdict::Fine)
}

/// Looks at what a fix is for, and changes what is still wrong. Gives what was changed, in words.
pub(crate) fn execute(
    repair: &Repair,
    config: &Path,
    extent: Extent,
) -> Result<Vec<String>, Failure> {
    let Repair { kind, what, .. } = repair;
    let all = Accounts::all(&Config::read(config)?, config)?.jailed;
    let changes = match kind.object() {
        Object::File if *kind == Kind::HardLink => link::mend(Path::new(what), &all, extent),
        Object::File => files::mend(*kind, Path::new(what), &all, extent),
        Object::User => named(&all, what).and_then(|jailed| home::mend(jailed, &all, extent)),
    };
    changes.map_err(|failure| Failure::Failed(format!("mend {}: {failure}", kind.name())))
}

/// Finds a jailed user.
fn named<'a>(all: &'a [Jailed], name: &OsStr) -> Result<&'a Jailed, Failure> {
    let found = all.iter().find(|one| one.identity.name == name);
    found.ok_or_else(|| Failure::Failed(format!("no rule of this config jails {}", shown(name))))
}
