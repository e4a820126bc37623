//! The keys of users, which go where root alone can write.

use std::{fs, path::Path};

use crate::{
    accounts::traces::KEYS,
    doctor::mend::keys_in_home,
    failure::Failure,
    setup::{
        command::Command,
        file::{Purpose, Written},
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
        let is_there = file.exists();
        let text = match (key, &target.identity) {
            (Some(key), _) if is_asked(target, key) => {
                Some(of_file(Path::new(&key.replace("{user}", &target.name)))?)
            }
            // Those that sshd read in the home until now.
            (_, Some(identity)) if !is_there => keys_in_home(identity)?,
            _ => None,
        };
        let lines = text.as_deref().unwrap_or_default().lines();
        let is_key = |line: &&str| !line.trim().is_empty() && !line.trim().starts_with('#');
        let lines: Vec<String> = lines
            .filter(is_key)
            .map(|it| it.trim().to_owned())
            .collect();
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

/// Reads a file of public keys.
fn of_file(file: &Path) -> Result<String, Failure> {
    let text = fs::read_to_string(file).map_err(|error| Failure::io("read", file, &error))?;
    let wrong = |why: &str| Failure::Usage(format!("--key {}: {why}", shown(file)));
    if text.contains("PRIVATE KEY") {
        return Err(wrong("this is a private key; give the public one (.pub)"));
    }
    let path = file.to_string_lossy();
    let asked = Command::of(&["ssh-keygen", "-l", "-f", &path]).run();
    asked.map_err(|_| wrong("ssh-keygen finds no public key in it"))?;
    Ok(text)
}
