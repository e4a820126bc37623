//! The file of a set-up for sshd.

use super::diff::{Step, steps};

/// What every set-up switches off: sshd does these by itself, outside of a jail.
const COMMON: [&str; 4] = [
    "AllowAgentForwarding no",
    "X11Forwarding no",
    "PermitTunnel no",
    "PermitUserRC no",
];

/// Writes the file for a group; `own` are the lines of the recipe.
pub(crate) fn drop_in(recipe: &str, group: &str, keys: &str, own: &[String]) -> String {
    let own: Vec<&str> = own.iter().map(String::as_str).collect();
    let block = block(&format!("Group {group}"), Some(keys), &own);
    whole(&format!("jailctl setup {recipe}"), &[block])
}

/// Gives the recipe that a file was written for; nothing for a file of somebody else's.
pub(crate) fn recipe_of(text: &str) -> Option<&str> {
    let made = text.strip_prefix("# Made by: jailctl setup ")?;
    made.split_once(". ").map(|(recipe, _)| recipe)
}

/// Writes a file of blocks; `command` is what has made it.
pub(crate) fn whole(command: &str, blocks: &[String]) -> String {
    format!(
        "# Made by: {command}. Taken back by: jailctl undo.\nPermitUserEnvironment no\n{}Match all\n",
        blocks.concat()
    )
}

/// Writes a block for those of whom a criterion is true; `keys` is where their keys are, if not where they were.
pub(crate) fn block(criterion: &str, keys: Option<&str>, own: &[&str]) -> String {
    let mut text = format!("Match {criterion}\n");
    if let Some(keys) = keys {
        text.push_str(&format!("    AuthorizedKeysFile {keys}/%u\n"));
    }
    for line in COMMON.iter().chain(own) {
        text.push_str(&format!("    {line}\n"));
    }
    text
}

/// Takes the lines of a set-up out of a file that was changed since. What somebody else has written into a block for the
/// group stays in that block: outside of it, it would hold for everybody.
pub(crate) fn without(after: &str, now: &str) -> String {
    let steps = steps(after, now);
    let is_setting = |line: &str| {
        let line = line.trim();
        !line.is_empty() && !line.starts_with('#')
    };
    let others = steps
        .iter()
        .any(|step| matches!(step, Step::New(line) if is_setting(line)));
    let is_block = |line: &str| {
        let word = line.split_whitespace().next().unwrap_or_default();
        word.eq_ignore_ascii_case("match")
    };
    let mut text = String::new();
    for step in steps {
        match step {
            Step::New(line) => text.push_str(line),
            Step::Both(line) if others && is_block(line) => text.push_str(line),
            Step::Both(_) | Step::Old(_) => {}
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{drop_in, recipe_of, without};

    #[test]
    fn a_file_says_which_recipe_it_is_of() {
        let text = drop_in("jump-host", "jump", "/etc/ssh/keys", &[]);
        assert_eq!(recipe_of(&text), Some("jump-host"));
        assert_eq!(recipe_of("PermitUserEnvironment no\n"), None);
    }

    #[test]
    fn what_somebody_else_has_written_stays_in_its_block() {
        let text = drop_in("sftp", "sftponly", "/etc/ssh/keys", &["A no".to_owned()]);
        assert_eq!(without(&text, &text), "");
        let inside = text.replace("    A no\n", "    A no\n    Banner /etc/b\n");
        assert_eq!(
            without(&text, &inside),
            "Match Group sftponly\n    Banner /etc/b\nMatch all\n"
        );
        assert_eq!(without(&text, &format!("# mine\n{text}")), "# mine\n");
    }
}
