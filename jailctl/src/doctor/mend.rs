//! `jailctl mend`: does what mends a finding of `jailctl check`, and looks again before it does.
//!
//! [`kind`] and [`repair`] have the values, which findings carry and the command line names; [`wanted`] reads what is asked. Each
//! file beside it mends one kind of thing; [`reach`] is how they get there: what lies in a root may be its user's, so nothing is
//! done by path, and nothing is followed. A mount's source is data and is never changed: [`data`].

mod accounts;
mod beside;
mod copy;
mod data;
mod disk;
mod files;
mod home;
mod host_home;
mod keys;
mod kind;
mod link;
mod lists;
mod manager;
mod mounted;
mod null;
mod own;
mod pasted;
mod reach;
mod repair;
mod wanted;
mod way;
mod word;

use std::{ffi::OsStr, path::Path};

use serde_json::json;

use crate::{
    accounts::account::{Jailed, did_you_mean},
    failure::{Failure, Verdict, need_root},
    output::{print_json, say},
    shell::shown,
    terminal::shown_lines,
};

pub(crate) use data::Data;
pub(crate) use disk::{
    foresee as foresee_disk, limit as limit_disk, set_all as limit_disks,
    unlimited as unlimited_disks,
};
pub(crate) use keys::in_home as keys_in_home;
pub(crate) use kind::{Kind, Object};
pub(crate) use own::installing_again;
pub(crate) use pasted::Pasted;
pub(crate) use repair::{Extent, Repair};
pub(crate) use wanted::{Asked, Everyone};
pub(crate) use way::{is_only_of_jail, keeps_its_owner};
pub(crate) use word::KindParser;

/// Does what is asked for, and says what it has changed. One that can't be mended does not keep the others from it.
pub(crate) fn run(config: &Path, asked: &Asked) -> Result<Verdict, Failure> {
    need_root("change what users can't")?;
    let everyone = Everyone::of(config, asked.rule);
    let repairs = wanted::repairs(&everyone, asked)?;
    let extent = if asked.dry_run {
        Extent::DryRun
    } else {
        Extent::Whole
    };
    let (mut changes, mut failures) = (Vec::new(), Vec::new());
    for repair in &repairs {
        match execute(repair, &everyone, extent) {
            Ok(done) if asked.output.json => changes.extend(done),
            Ok(done) if done.is_empty() && repairs.len() == 1 => say(format_args!(
                "nothing to mend: check would not find {} there",
                repair.kind.name()
            )),
            Ok(done) => done.iter().for_each(say),
            Err(failure) => failures.push((repair, failure)),
        }
    }
    if asked.output.json && (failures.is_empty() || repairs.len() > 1) {
        print_json(&report(asked, &repairs, &changes, &failures))?;
    }
    match failures.len() {
        0 => return Ok(Verdict::Fine),
        1 if repairs.len() == 1 => {}
        number => {
            for (_, failure) in &failures {
                eprintln!("jailctl: {}", shown_lines(&failure.to_string()));
            }
            let all = repairs.len();
            return Err(Failure::Failed(format!(
                "{number} of {all} could not be mended"
            )));
        }
    }
    failures
        .pop()
        .map_or(Ok(Verdict::Fine), |(_, failure)| Err(failure))
}

/// Says what was done, for a program.
fn report(
    asked: &Asked,
    repairs: &[Repair],
    changes: &[String],
    failures: &[(&Repair, Failure)],
) -> serde_json::Value {
    let whats: Vec<_> = repairs.iter().map(|it| it.what.to_string_lossy()).collect();
    let what = match whats.as_slice() {
        [only] => json!(only),
        several => json!(several),
    };
    let failed: Vec<_> = failures
        .iter()
        .map(|(repair, failure)| {
            json!({ "what": repair.what.to_string_lossy(), "why": failure.to_string() })
        })
        .collect();
    json!({
        "kind": asked.kind.name(),
        "what": what,
        "dry_run": asked.dry_run,
        "changes": changes,
        "failed": failed,
    })
}

/// Looks at what a fix is for, and changes what is still wrong. Gives what was changed, in words.
pub(crate) fn execute(
    repair: &Repair,
    everyone: &Everyone,
    extent: Extent,
) -> Result<Vec<String>, Failure> {
    let changes = match repair.kind.object() {
        Object::Host => host(repair.kind, everyone.config, extent),
        Object::Path => path(repair, everyone, extent),
        Object::User => user(repair, everyone, extent),
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

fn path(repair: &Repair, everyone: &Everyone, extent: Extent) -> Result<Vec<String>, Failure> {
    let (kind, path) = (repair.kind, Path::new(&repair.what));
    if kind == Kind::PamModule {
        return own::pam_module(path, extent);
    }
    let (all, config) = (everyone.jailed()?, everyone.config);
    match kind {
        Kind::Root | Kind::Base => way::mend(kind, path, all, extent),
        Kind::HardLink => link::mend(path, all, extent),
        Kind::HostFiles => way::host_files(path, all, extent),
        Kind::MountInRoot => mounted::mend(path, all, extent),
        Kind::ProgramBroken => copy::program(path, all, config, extent),
        _ => files::mend(kind, path, all, extent),
    }
}

fn user(repair: &Repair, everyone: &Everyone, extent: Extent) -> Result<Vec<String>, Failure> {
    let (all, config) = (everyone.jailed()?, everyone.config);
    let kind = repair.kind;
    if let Some((group, condition)) = repair.of_group() {
        return manager::refuse(group, &condition, all, extent);
    }
    let jailed = named(all, &repair.what)?;
    match kind {
        Kind::HomeMissing | Kind::HomeNotWritable => home::mend(jailed, all, extent),
        Kind::HomeInReach => keys::away(jailed, all, extent),
        Kind::SshdKeys => keys::to_roots_file(jailed, repair.sshd_config(), extent),
        Kind::SshdKeysIgnored => host_home::close(jailed, repair.sshd_config(), extent),
        Kind::SshdKeysInside => host_home::take_keys(jailed, all, repair.sshd_config(), extent),
        Kind::DiskUnlimited => disk::mend(jailed, extent),
        Kind::NullMissing => null::mend(jailed, all, extent),
        Kind::Exec => way::executable(jailed, all, extent),
        Kind::RootUnsearchable => way::searchable(jailed, all, extent),
        Kind::GroupDisagrees
        | Kind::NssLibraryMissing
        | Kind::PasswdDisagrees
        | Kind::PasswdLineMissing
        | Kind::SecondRoot => accounts::mend(kind, jailed, all, config, extent),
        Kind::At | Kind::AtJobs | Kind::Cron | Kind::Crontab | Kind::Linger => {
            lists::mend(kind, jailed, extent)
        }
        Kind::UserManager => manager::mask(jailed, extent),
        _ => copy::mend(kind, jailed, all, extent),
    }
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
