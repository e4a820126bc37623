//! Files that are lists: keys, and who may not use cron or at.

/// Adds the lines that a list does not have, at its end.
pub(crate) fn with(text: &str, lines: &[String]) -> String {
    let mut new = text.to_owned();
    for line in lines {
        if new.lines().any(|it| it.trim() == line) {
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
    let is_other = |line: &&str| !lines.iter().any(|it| it == line.trim());
    text.split_inclusive('\n').filter(is_other).collect()
}

#[cfg(test)]
mod tests {
    use super::{with, without};

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
