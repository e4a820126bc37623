//! The rule for the group and its jail.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use jail::process::landlock::{self, Kernel};

use crate::{
    failure::Failure,
    setup::{
        accounts::HOMES,
        asked::Asked,
        file::{Purpose, Written, read},
        recipe::{Home, Shape},
        text::config::{self, Rule},
    },
    shell::shown,
};

/// Where the roots are, where nothing else is asked for.
const ROOTS: &str = "/srv/jails";

/// Gives the change of the config, if it takes one, and the directory with the roots.
pub(super) fn of(
    asked: &Asked,
    group: &str,
    shape: &Shape,
    file: &Path,
) -> Result<(Option<Written>, PathBuf), Failure> {
    let text = read(file)?.unwrap_or_default();
    let wrong = |error| Failure::Failed(format!("{}: {error}", file.display()));
    let there = config::jail_of(&text, group).map_err(wrong)?.map_err(|elsewhere| {
        Failure::Failed(format!(
            "nothing was changed, because {} has a rule of its own for {group}: {}; give another --group",
            file.display(),
            shown(elsewhere)
        ))
    })?;
    let roots = match (asked.root, &there) {
        (Some(root), _) => root.to_owned(),
        (None, Some(jail)) => roots_of(jail).ok_or_else(|| other(group, file, "root"))?,
        (None, None) => PathBuf::from(ROOTS),
    };
    let keys = keys(asked, shape, &roots)?;
    if let Some(jail) = &there {
        refuse_other(asked, jail, &keys, group, file)?;
    }
    let rule = Rule {
        recipe: asked.recipe.name().to_owned(),
        group: group.to_owned(),
        keys,
        accepts: shape
            .accepts
            .iter()
            .map(|(kind, why)| ((*kind).to_owned(), (*why).to_owned()))
            .collect(),
    };
    let purpose = Purpose::Config(rule.clone());
    let written = Written::new(file, purpose, |text| {
        config::with(text, &rule).map_err(wrong)
    })?;
    Ok((written, roots))
}

/// Gives the keys of the jail, each with its value in TOML.
fn keys(asked: &Asked, shape: &Shape, roots: &Path) -> Result<Vec<(String, String)>, Failure> {
    let root = format!("{:?}", format!("{}/{{user}}", roots.display()));
    let mut keys = vec![("root".to_owned(), root)];
    for (key, value) in shape.keys {
        // Lists of ports take Landlock of Linux 6.7.
        let lists_ports = *key == "network" && value.starts_with('{');
        let value = match landlock::kernel() {
            Kernel::Abi(4..) => value,
            _ if lists_ports => r#""host""#,
            _ => value,
        };
        keys.push(((*key).to_owned(), value.to_owned()));
    }
    keys.extend(
        asked
            .until
            .map(|until| ("until".to_owned(), format!("{until:?}"))),
    );
    let limits = limits(asked, shape)?;
    if !limits.is_empty() {
        let limits: Vec<String> = limits.iter().map(|(k, v)| format!("{k} = {v}")).collect();
        keys.push(("limits".to_owned(), format!("{{ {} }}", limits.join(", "))));
    }
    let home = format!("{HOMES}/{{user}}");
    let home = (shape.home == Home::OfHost).then(|| mount(&home, &home, "rw"));
    let shared = asked
        .shared
        .map(|shared| mount(&shared.to_string_lossy(), "/shared", shape.shared));
    let mounts: Vec<String> = home.into_iter().chain(shared).collect();
    if !mounts.is_empty() {
        keys.push(("mounts".to_owned(), format!("[\n{}]", mounts.concat())));
    }
    Ok(keys)
}

fn mount(source: &str, target: &str, mode: &str) -> String {
    format!("  {{ source = {source:?}, target = {target:?}, mode = {mode:?} }},\n")
}

/// Puts the limits that are asked for in the place of those of the recipe. Which there are is the config's business.
fn limits<'a>(asked: &'a Asked, shape: &Shape) -> Result<Vec<(&'a str, String)>, Failure> {
    let own = shape.limits.iter();
    let mut limits: Vec<(&str, String)> = own.map(|(k, v)| (*k, (*v).to_owned())).collect();
    for limit in asked.limits {
        let wrong = || {
            Failure::Usage(format!(
                "--limits {}: give KEY=VALUE, as in nproc=100",
                shown(limit)
            ))
        };
        let (key, value) = limit.split_once('=').ok_or_else(wrong)?;
        let is_word = |text: &str| {
            let is_plain = |it: char| it.is_ascii_alphanumeric() || "_-%./: ".contains(it);
            !text.is_empty() && text.chars().all(is_plain)
        };
        if !is_word(key) || key.contains([' ', '.', '/', ':', '%']) || !is_word(value) {
            return Err(wrong());
        }
        let value = match value.parse::<u64>() {
            Ok(number) => number.to_string(),
            Err(_) => format!("{value:?}"),
        };
        limits.retain(|(known, _)| *known != key);
        limits.push((key, value));
    }
    Ok(limits)
}

/// Refuses to take a jail for one of this recipe that is another one, or that differs in what is asked for.
fn refuse_other(
    asked: &Asked,
    jail: &BTreeMap<String, String>,
    keys: &[(String, String)],
    group: &str,
    file: &Path,
) -> Result<(), Failure> {
    for (key, value) in keys {
        let is_left_out = match key.as_str() {
            "root" => asked.root.is_none(),
            "limits" => asked.limits.is_empty(),
            "mounts" => asked.shared.is_none(),
            _ => false,
        };
        let is_same = jail.get(key) == config::meaning_of(value).as_ref();
        if !is_left_out && !is_same {
            return Err(other(group, file, key));
        }
    }
    Ok(())
}

fn other(group: &str, file: &Path, key: &str) -> Failure {
    Failure::Failed(format!(
        "nothing was changed, because [jails.{group}] in {} has another {key}; change it there, or give another --group",
        file.display()
    ))
}

/// Gives the directory with the roots of a jail.
fn roots_of(jail: &BTreeMap<String, String>) -> Option<PathBuf> {
    let root = jail
        .get("root")?
        .strip_prefix('"')?
        .strip_suffix("/{user}\"")?;
    Some(PathBuf::from(root))
}
