//! `jailctl versions`: the versions of a base side by side, and which of them logins get.

use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};
use jail::door::decision::Config;
use jail_roots::{
    fault::Fault,
    new_root::absolute,
    versions::{Version, Versions, has_versions},
};
use serde_json::json as object;

use crate::{
    accounts::account::Accounts,
    clock::{local_time, machine_zone},
    failure::{Failure, Verdict, need_root},
    manual::{self, Manual},
    mountinfo::Mounted,
    output::{Output, counted, print_columns, print_json},
    shell::shown,
    stdout::say,
};

/// How many digits of a digest are shown.
const DIGITS: usize = 12;

/// List the versions of a base, and say which one logins get
///
/// Lists the versions that jailctl import --as has stored: which is in use, what it was imported from, the digest of the
/// image, when it was imported, and how many open sessions have its files.
///
/// With --use, logins get another version from then on. The two directories are exchanged by one rename: at each moment a whole
/// version has the name that the config knows. Open sessions keep the files of theirs. jailctl rollback puts the version before into
/// use again.
///
/// Versions are for the base of jails. A root directory has homes in it, which would be exchanged as well, so a directory that
/// a jail has as its root is refused. Needs root.
#[derive(Debug, Args)]
#[command(after_long_help = MANUAL.to_string())]
pub(crate) struct Arguments {
    /// The base, as the config names it
    #[arg(value_hint = ValueHint::DirPath)]
    root: PathBuf,
    /// Put this version into use
    #[arg(long = "use", value_name = "VERSION", value_hint = ValueHint::Other, conflicts_with = "remove")]
    into_use: Option<String>,
    /// Remove this version; one that is in use, or that an open session has, is refused
    #[arg(long, value_name = "VERSION", value_hint = ValueHint::Other)]
    remove: Option<String>,
    #[command(flatten)]
    output: Output,
}

const EXAMPLES: &str = "\
Examples:
  jailctl versions /srv/images/debian                  the versions, and who has which
  jailctl versions --use 12.6 /srv/images/debian       logins get this one from then on
  jailctl versions --remove 12.5 /srv/images/debian    once no session has it any more
  jailctl versions --json /srv/images/debian           for a program";

/// What stands behind the help, and in the man page.
const MANUAL: Manual = Manual {
    fine: "the versions were listed, or what was asked for is done",
    found: None,
    differs: None,
    files: &[manual::VERSIONS, manual::MANIFEST],
    examples: EXAMPLES,
};

/// Lists, exchanges or removes.
pub(crate) fn run(config: &Path, arguments: &Arguments) -> Result<Verdict, Failure> {
    need_root("change what jails are made of")?;
    let root = absolute(&arguments.root)?;
    if !has_versions(&root) {
        return Err(Failure::Failed(format!(
            "list the versions of {0}: it has none; jailctl import --as VERSION SOURCE {0} makes the first",
            shown(&root)
        )));
    }
    let versions = Versions::open(&root)?;
    if let Some(name) = &arguments.into_use {
        refuse_roots(config, &root)?;
        let before = versions.put_into_use(name)?;
        if !arguments.output.json {
            say(format_args!(
                "{}: version {name} is in use; jailctl rollback puts {before} into use again",
                shown(&root)
            ));
            return Ok(Verdict::Fine);
        }
    }
    if let Some(name) = &arguments.remove {
        versions.remove(name, |path| is_free(path, name))?;
        if !arguments.output.json {
            say(format_args!("{}: version {name} is removed", shown(&root)));
            return Ok(Verdict::Fine);
        }
    }
    let listed = versions.list()?.into_iter();
    let listed = listed.map(|version| Ok((Mounted::namespaces_with(&version.path)?, version)));
    let listed: Vec<(usize, Version)> = listed.collect::<Result<_, Failure>>()?;
    match arguments.output.json {
        true => print_json(&listed.iter().map(as_json).collect::<Vec<_>>())?,
        false => print(&listed),
    }
    Ok(Verdict::Fine)
}

/// Refuses to exchange what some jail has as its root directory: homes are in there.
pub(crate) fn refuse_roots(directory: &Path, root: &Path) -> Result<(), Failure> {
    let root = absolute(root)?;
    // Without a config that can be read nobody is let in.
    let Ok(config) = Config::read(directory) else {
        return Ok(());
    };
    let accounts = Accounts::all(&config, directory)?;
    match accounts.jailed.iter().find(|it| it.jail.root == root) {
        None => Ok(()),
        Some(jailed) => Err(Failure::Failed(format!(
            "put another version of {0} into use: it is the root directory of {1}, whose files are in it; give {1} a root directory of \
             its own, with base = \"{0}\"",
            shown(&root),
            jailed.name()
        ))),
    }
}

/// Makes sure that no session has the files of a version.
fn is_free(path: &Path, name: &str) -> Result<(), Fault> {
    let sessions =
        Mounted::namespaces_with(path).map_err(|failure| Fault::Failed(failure.to_string()))?;
    match sessions {
        0 => Ok(()),
        count => Err(Fault::Failed(format!(
            "remove version {name}: {} with its files; try again when they have ended: jailctl sessions",
            match counted(count, "session") {
                one if count == 1 => format!("{one} is open"),
                more => format!("{more} are open"),
            }
        ))),
    }
}

fn print(listed: &[(usize, Version)]) {
    let zone = machine_zone();
    let mut rows = vec![
        [
            "VERSION", "IN USE", "SESSIONS", "IMPORTED", "DIGEST", "SOURCE",
        ]
        .map(str::to_owned),
    ];
    rows.extend(listed.iter().map(|(sessions, version)| {
        let digest = version
            .digest
            .as_deref()
            .map(|digest| digest.get(..DIGITS).unwrap_or(digest));
        [
            shown(&version.name),
            if version.in_use { "yes" } else { "-" }.to_owned(),
            sessions.to_string(),
            local_time(version.imported, &zone).unwrap_or_else(|| "-".to_owned()),
            shown(digest.unwrap_or("-")),
            shown(&version.source),
        ]
    }));
    print_columns(&rows);
}

fn as_json((sessions, version): &(usize, Version)) -> serde_json::Value {
    let mut object = object!(version);
    if let Some(fields) = object.as_object_mut() {
        fields.insert("sessions".to_owned(), object!(sessions));
    }
    object
}
