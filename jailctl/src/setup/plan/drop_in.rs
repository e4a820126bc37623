//! sshd's file for the group. It is for all members, so a later set-up adds users to it and never changes what it says.

use std::path::Path;

use crate::{
    accounts::traces::KEYS,
    failure::Failure,
    setup::{
        asked::Asked,
        file::{Purpose, Written},
        recipe::Shape,
        sshd::DROP_INS,
        text::sshd::{drop_in, recipe_of},
    },
    shell::shown,
};

/// Gives the change of the file, if it takes one.
///
/// # Errors
/// The file is of another recipe, or lets the members reach other machines than those that are asked for.
pub(super) fn of(asked: &Asked, group: &str, shape: &Shape) -> Result<Option<Written>, Failure> {
    let file = Path::new(DROP_INS).join(format!("10-login-jail-{group}.conf"));
    let recipe = asked.recipe.name();
    Written::new(&file, Purpose::Sshd, |text| {
        if let Some(other) = recipe_of(text).filter(|it| *it != recipe) {
            return Err(Failure::Failed(format!(
                "nothing was changed, because the group {group} has the recipe {} already ({}); give another --group",
                shown(other),
                file.display()
            )));
        }
        let mut own: Vec<String> = shape.sshd.iter().map(|it| (*it).to_owned()).collect();
        if shape.forwards {
            own.insert(1, targets(asked, group, text, &file)?);
        }
        let new = drop_in(recipe, group, KEYS, &own);
        let has = |line: &str| text.lines().any(|it| it.trim() == line.trim());
        // What somebody has added stays.
        Ok(match new.lines().all(has) {
            true => text.to_owned(),
            false => new,
        })
    })
}

/// Gives the line with the machines that the members may reach.
fn targets(asked: &Asked, group: &str, text: &str, file: &Path) -> Result<String, Failure> {
    let there = text.lines().map(str::trim);
    let there = there.filter_map(|it| it.strip_prefix("PermitOpen "));
    let there: Vec<&str> = there.flat_map(str::split_whitespace).collect();
    let asked: Vec<&str> = asked.machines.iter().map(String::as_str).collect();
    let is_same = || asked.len() == there.len() && asked.iter().all(|it| there.contains(it));
    match (asked.as_slice(), there.as_slice()) {
        ([], []) => Err(Failure::Usage(
            "jump-host: name the machines that users may reach: --target HOST:PORT".to_owned(),
        )),
        (targets, []) => Ok(format!("PermitOpen {}", targets.join(" "))),
        (asked, there) if asked.is_empty() || is_same() => {
            Ok(format!("PermitOpen {}", there.join(" ")))
        }
        (_, there) => Err(Failure::Failed(format!(
            "nothing was changed, because all users of the group {group} may reach {} (PermitOpen in {}), and other targets would \
             be for all of them; give another --group, or change that line and leave --target out",
            shown(there.join(" ")),
            file.display()
        ))),
    }
}
