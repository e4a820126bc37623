//! `jailctl mend`: does what mends a finding of `jailctl check`, and looks again before it does.
//!
//! [`repair`] has the values, which findings carry and the command line names. Each file beside it mends one kind of thing;
//! [`reach`] is how they get there: what lies in a root may be its user's, so nothing is done by path, and nothing is
//! followed. A mount's source is data and is never changed: [`data`].

mod accounts;
mod beside;
mod copy;
mod data;
mod files;
mod home;
mod host_home;
mod keys;
mod link;
mod lists;
mod mounted;
mod null;
mod own;
mod pasted;
mod reach;
mod repair;
mod way;
mod word;

use std::{
    ffi::{OsStr, OsString},
    path::Path,
};

use jail::door::decision::Config;
use serde_json::json;

use crate::{
    accounts::{
        account::{Accounts, Jailed, did_you_mean},
        trial::supposed_user,
    },
    failure::{Failure, Verdict, need_root},
    output::{Output, print_json, say},
    shell::shown,
};

pub(crate) use data::Data;
pub(crate) use own::installing_again;
pub(crate) use pasted::Pasted;
pub(crate) use repair::{Extent, Kind, Object, Repair};
pub(crate) use way::{is_only_of_jail, keeps_its_owner};
pub(crate) use word::KindParser;

/// What is asked of one fix.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) kind: Kind,
    /// The path or user that check names; some kinds take none.
    pub(crate) what: Option<&'a OsStr>,
    /// `what` is escaped as check prints it.
    pub(crate) escaped: bool,
    pub(crate) sshd_config: &'a Path,
    /// A rule that the config is taken to have, as `USER=JAIL`.
    pub(crate) rule: Option<&'a str>,
    pub(crate) dry_run: bool,
    pub(crate) output: Output,
}

/// Does one fix, and says what it has changed.
pub(crate) fn run(config: &Path, asked: &Asked) -> Result<Verdict, Failure> {
    need_root("change what users can't")?;
    let is_host = asked.kind.object() == Object::Host;
    let what = match asked.what {
        Some(_) if is_host => Err("this kind takes no WHAT"),
        None if !is_host => Err("name WHAT: the path or user that check names"),
        None => Ok(OsString::new()),
        Some(what) if asked.escaped => {
            repair::unescaped(what).ok_or("--escaped: a backslash takes three octal digits")
        }
        Some(what) => Ok(what.to_owned()),
    };
    let what = what.map_err(|why| Failure::Usage(why.to_owned()))?;
    let extent = if asked.dry_run {
        Extent::DryRun
    } else {
        Extent::Whole
    };
    let repair = Repair::new(asked.kind, &what)
        .with_sshd_config(asked.sshd_config)
        .with_rule(asked.rule);
    let changes = execute(&repair, config, extent)?;
    if asked.output.json {
        let report = json!({
            "kind": repair.kind.name(),
            "what": repair.what.to_string_lossy(),
            "dry_run": asked.dry_run,
            "changes": changes,
        });
        print_json(&report)?;
        return Ok(Verdict::Fine);
    }
    if changes.is_empty() {
        say(format_args!(
            "nothing to mend: check would not find {} there",
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
    let changes = match repair.kind.object() {
        Object::Host => host(repair.kind, config, extent),
        Object::Path => path(repair, config, extent),
        Object::User => user(repair, config, extent),
    };
    changes.map_err(|failure| match failure {
        Failure::Usage(what) => Failure::Usage(what),
        other => Failure::Failed(format!("mend {}: {other}", repair.kind.name())),
    })
}

fn host(kind: Kind, config: &Path, extent: Extent) -> Result<Vec<String>, Failure> {
    match kind {
        Kind::ConfigMissing => way::empty_config(config, extent),
        Kind::ConfigUnsafe => way::config(config, extent),
        Kind::Shells => lists::shells(extent),
        _ => own::jail_shell(extent),
    }
}

fn path(repair: &Repair, config: &Path, extent: Extent) -> Result<Vec<String>, Failure> {
    let (kind, path) = (repair.kind, Path::new(&repair.what));
    if kind == Kind::PamModule {
        return own::pam_module(path, extent);
    }
    let all = jailed(config, repair.rule())?;
    match kind {
        Kind::Root | Kind::Base => way::mend(kind, path, &all, extent),
        Kind::HardLink => link::mend(path, &all, extent),
        Kind::HostFiles => way::host_files(path, &all, extent),
        Kind::MountInRoot => mounted::mend(path, &all, extent),
        Kind::ProgramBroken => copy::program(path, &all, config, extent),
        _ => files::mend(kind, path, &all, extent),
    }
}

fn user(repair: &Repair, config: &Path, extent: Extent) -> Result<Vec<String>, Failure> {
    let all = jailed(config, repair.rule())?;
    let jailed = named(&all, &repair.what)?;
    let kind = repair.kind;
    match kind {
        Kind::HomeMissing | Kind::HomeNotWritable => home::mend(jailed, &all, extent),
        Kind::HomeInReach => keys::away(jailed, &all, extent),
        Kind::SshdKeys => keys::to_roots_file(jailed, repair.sshd_config(), extent),
        Kind::SshdKeysIgnored => host_home::close(jailed, repair.sshd_config(), extent),
        Kind::SshdKeysInside => host_home::take_keys(jailed, &all, repair.sshd_config(), extent),
        Kind::NullMissing => null::mend(jailed, &all, extent),
        Kind::Exec => way::executable(jailed, &all, extent),
        Kind::RootUnsearchable => way::searchable(jailed, &all, extent),
        Kind::GroupDisagrees
        | Kind::NssLibraryMissing
        | Kind::PasswdDisagrees
        | Kind::PasswdLineMissing
        | Kind::SecondRoot => accounts::mend(kind, jailed, &all, config, extent),
        Kind::At | Kind::AtJobs | Kind::Cron | Kind::Crontab | Kind::Linger | Kind::UserManager => {
            lists::mend(kind, jailed, extent)
        }
        _ => copy::mend(kind, jailed, &all, extent),
    }
}

/// Gives all jailed users of a config, and the one of a rule that is not in it yet.
fn jailed(config: &Path, rule: Option<&str>) -> Result<Vec<Jailed>, Failure> {
    let mut all = Accounts::all(&Config::read(config)?, config)?.jailed;
    if let Some(rule) = rule {
        let supposed = supposed_user(config, rule)?;
        all.retain(|one| one.identity.name != supposed.identity.name);
        all.push(supposed);
    }
    Ok(all)
}

/// Finds a jailed user.
fn named<'a>(all: &'a [Jailed], name: &OsStr) -> Result<&'a Jailed, Failure> {
    let found = all.iter().find(|one| one.identity.name == name);
    found.ok_or_else(|| {
        let names = all.iter().filter_map(|one| one.identity.name.to_str());
        let meant = did_you_mean(&name.to_string_lossy(), names);
        Failure::Failed(format!(
            "no rule of this config jails {}{meant}",
            shown(name)
        ))
    })
}
