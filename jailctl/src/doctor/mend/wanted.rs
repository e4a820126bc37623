//! What `jailctl mend` is asked to do: one thing, several, or the same for all users of a group.

use std::{
    cell::OnceCell,
    ffi::{OsStr, OsString},
    path::Path,
};

use jail::door::decision::Config;
use jail_config::RuleKind;

use super::{
    kind::{Kind, Object},
    repair::{self, Repair},
};
use crate::{
    accounts::{
        account::{Accounts, Jailed, did_you_mean},
        trial::supposed_user,
    },
    doctor::check::is_ruled_by,
    failure::Failure,
    output::Output,
    shell::shown,
};

/// What is asked of mend.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) kind: Kind,
    /// The paths or users that check names; some kinds take none. For users, `@GROUP` stands for several.
    pub(crate) what: &'a [OsString],
    /// The group whose users are meant by `{user}` in a path.
    pub(crate) each: Option<&'a str>,
    /// `what` is escaped as check prints it.
    pub(crate) escaped: bool,
    pub(crate) sshd_config: &'a Path,
    /// A rule that the config is taken to have, as `USER=JAIL`.
    pub(crate) rule: Option<&'a str>,
    pub(crate) dry_run: bool,
    pub(crate) output: Output,
}

/// Makes a fix of each thing that is named.
pub(super) fn repairs(everyone: &Everyone, asked: &Asked) -> Result<Vec<Repair>, Failure> {
    let kind = asked.kind;
    let usage = |why: &str| Err(Failure::Usage(why.to_owned()));
    match (kind.object(), asked.what.is_empty(), asked.each) {
        (Object::Host, false, _) => return usage("this kind takes no WHAT"),
        (Object::Path | Object::User, true, _) => {
            return usage("name WHAT: the path or user that check names");
        }
        (Object::Host | Object::User, _, Some(_)) => {
            return usage("--for is for kinds whose WHAT is a path; name a group as WHAT: @GROUP");
        }
        _ => {}
    }
    let mut whats: Vec<OsString> = Vec::new();
    for what in asked.what {
        let what = match asked.escaped {
            false => what.clone(),
            true => match repair::unescaped(what) {
                Some(what) => what,
                None => return usage("--escaped: a backslash takes three octal digits"),
            },
        };
        let group = what.to_str().and_then(|what| what.strip_prefix('@'));
        match (group, asked.each) {
            (Some(group), _) if kind.object() == Object::User => {
                let members = members(everyone, group)?;
                // One fix for the whole group holds for those who join later, too.
                match Repair::new(kind, &what).of_group() {
                    Some(_) => whats.push(what),
                    None => whats.extend(members),
                }
            }
            (_, Some(group)) => whats.extend(paths(everyone, group, &what)?),
            (_, None) => whats.push(what),
        }
    }
    if kind.object() == Object::Host {
        whats.push(OsString::new());
    }
    let repair = |what: &OsString| {
        let repair = Repair::new(kind, what);
        let repair = repair.with_sshd_config(asked.sshd_config);
        repair.with_rule(asked.rule)
    };
    Ok(whats.iter().map(repair).collect())
}

/// Gives a path for each user of a group.
fn paths(everyone: &Everyone, group: &str, path: &OsStr) -> Result<Vec<OsString>, Failure> {
    let Some(general) = path.to_str().filter(|path| path.contains("{user}")) else {
        let why = "--for: WHAT is a path with {user} in the place of each name";
        return Err(Failure::Usage(why.to_owned()));
    };
    let group = group.strip_prefix('@').unwrap_or(group);
    let names = members(everyone, group)?.into_iter();
    // What is no text has no place in such a path: its user is named by itself.
    let names = names.filter_map(|name| name.into_string().ok());
    Ok(names
        .map(|name| general.replace("{user}", &name).into())
        .collect())
}

/// Lists the users whom the rule of a group jails.
fn members(everyone: &Everyone, group: &str) -> Result<Vec<OsString>, Failure> {
    let all = everyone.jailed()?;
    let of_group = all.iter().filter(|one| is_ruled_by(one, group));
    let names: Vec<OsString> = of_group.map(|one| one.identity.name.clone()).collect();
    if names.is_empty() {
        let group_of = |one: &Jailed| match &one.jail.rule.kind {
            RuleKind::Group(group) => Some(group.clone()),
            _ => None,
        };
        let groups: Vec<String> = all.iter().filter_map(group_of).collect();
        let meant = did_you_mean(group, groups.iter().map(String::as_str));
        return Err(Failure::Failed(format!(
            "no rule of [groups] {} jails anybody{meant}",
            shown(group)
        )));
    }
    Ok(names)
}

/// All whom a config jails, read once for whatever is to be mended: for each of 10,000 users it would read 10,000.
#[derive(Debug)]
pub(crate) struct Everyone<'a> {
    pub(super) config: &'a Path,
    /// A rule that it is taken to have.
    rule: Option<&'a str>,
    jailed: OnceCell<Vec<Jailed>>,
}

impl<'a> Everyone<'a> {
    /// Takes a config, which is not read before it is needed.
    pub(crate) fn of(config: &'a Path, rule: Option<&'a str>) -> Everyone<'a> {
        Everyone {
            config,
            rule,
            jailed: OnceCell::new(),
        }
    }

    /// Gives all jailed users, and the one of a rule that is not in the config yet.
    pub(super) fn jailed(&self) -> Result<&[Jailed], Failure> {
        if let Some(all) = self.jailed.get() {
            return Ok(all);
        }
        let mut all = Accounts::all(&Config::read(self.config)?, self.config)?.jailed;
        if let Some(rule) = self.rule {
            let supposed = supposed_user(self.config, rule)?;
            all.retain(|one| one.identity.name != supposed.identity.name);
            all.push(supposed);
        }
        Ok(self.jailed.get_or_init(|| all))
    }
}
