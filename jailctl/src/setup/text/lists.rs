//! Files that are lists: keys, who may not use cron or at, and whose mail goes to root.

use std::collections::BTreeSet;

/// Adds the lines that a list does not have, at its end.
pub(crate) fn with(text: &str, lines: &[String]) -> String {
    let mut known: BTreeSet<&str> = text.lines().map(str::trim).collect();
    let mut new = text.to_owned();
    for line in lines {
        if !known.insert(line) {
            continue;
        }
        if !new.is_empty() && !new.ends_with('\n') {
            new.push('\n');
        }
        new.push_str(&format!("{line}\n"));
    }
    new
}

/// Takes lines out of a list.
pub(crate) fn without(text: &str, lines: &[String]) -> String {
    let gone: BTreeSet<&str> = lines.iter().map(String::as_str).collect();
    let is_other = |line: &&str| !gone.contains(line.trim());
    text.split_inclusive('\n').filter(is_other).collect()
}

/// Sends the mail of users to root: aliases(5).
pub(crate) fn with_aliases(text: &str, users: &[String]) -> String {
    let is_other = |line: &&str| {
        let name = line.split(':').next().unwrap_or_default().trim();
        !users.iter().any(|user| user.eq_ignore_ascii_case(name))
    };
    let text: String = text.split_inclusive('\n').filter(is_other).collect();
    let lines: Vec<String> = users.iter().map(|user| format!("{user}: root")).collect();
    with(&text, &lines)
}

#[cfg(test)]
mod tests {
    use super::{with, with_aliases, without};

    #[test]
    fn mail_goes_to_root_and_nowhere_else() {
        let text = with_aliases("root: x\nAnn : ann\n# ann: y", &["ann".to_owned()]);
        assert_eq!(text, "root: x\n# ann: y\nann: root\n");
    }

    #[test]
    fn a_list_gets_what_it_lacks_at_its_end_and_once() {
        let names = ["ann".to_owned(), "bob".to_owned()];
        assert_eq!(with("", &names), "ann\nbob\n");
        assert_eq!(
            with("annette\n bob \nx", &names),
            "annette\n bob \nx\nann\n"
        );
        assert_eq!(with("ann\nbob\n", &names), "ann\nbob\n");
        assert_eq!(without("ann\nannette\nbob", &names), "annette\n");
    }
}
