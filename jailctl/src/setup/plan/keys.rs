//! The keys of users, which go where root alone can write.

use std::path::Path;

use crate::{
    accounts::traces::KEYS,
    doctor::mend::keys_in_home,
    failure::Failure,
    setup::{
        file::{Purpose, Written},
        many::key,
        targets::Target,
        text::lists,
    },
    shell::shown,
};

/// Gives the files to be written, and says who has no key.
pub(super) fn of(
    targets: &[Target],
    key: Option<&str>,
) -> Result<(Vec<Written>, Vec<String>), Failure> {
    let (mut files, mut notes) = (Vec::new(), Vec::new());
    for target in targets {
        let file = Path::new(KEYS).join(&target.name);
        let is_there = file.symlink_metadata().is_ok();
        if target.identity.is_none() {
            key::refuse_left(&file)
                .map_err(|why| Failure::Failed(format!("nothing was changed, because {why}")))?;
        }
        let lines = match (key, &target.identity) {
            (Some(key), _) if is_asked(target, key) => {
                let keys = key::of_file(Path::new(&key.replace("{user}", &target.name)));
                keys.map_err(|why| Failure::Usage(format!("--key: {why}")))?
            }
            // Those that sshd read in the home until now.
            (_, Some(identity)) if !is_there => match keys_in_home(identity) {
                Ok(text) => lines_of(&text.unwrap_or_default()),
                Err(why) => {
                    notes.push(not_taken(&target.name, &why));
                    Vec::new()
                }
            },
            _ => Vec::new(),
        };
        if lines.is_empty() {
            if !is_there {
                let (user, file) = (shown(&target.name), shown(&file));
                notes.push(match &target.identity {
                    None => format!(
                        "{user} can't log in yet: there is no key, and a new account has no password; give --key FILE, or put the \
                         public key into {file}"
                    ),
                    Some(_) => format!("{user} has no key; put it into {file}"),
                });
            }
            continue;
        }
        let written = Written::new(&file, Purpose::Keys, |text| Ok(lists::with(text, &lines)))?;
        files.extend(written);
    }
    Ok((files, notes))
}

/// Tells whether a file of keys is for a user. Members whom nobody has named have theirs only by a file of their name.
fn is_asked(target: &Target, key: &str) -> bool {
    target.is_named
        || key.contains("{user}") && Path::new(&key.replace("{user}", &target.name)).exists()
}

/// Gives the lines of a file of keys that have one.
fn lines_of(text: &str) -> Vec<String> {
    let lines = text.lines().map(str::trim);
    let is_key = |line: &&str| !line.is_empty() && !line.starts_with('#');
    lines.filter(is_key).map(str::to_owned).collect()
}

/// Says that a user's own keys stay where they are. What one user has in a home keeps nobody else from a set-up.
pub(in crate::setup) fn not_taken(user: &str, why: &Failure) -> String {
    format!(
        "the keys that {} has in the home are not taken along: {why}",
        shown(user)
    )
}
