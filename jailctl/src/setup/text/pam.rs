//! PAM's stacks, so that nothing of a group's homes is obeyed on the host: no user manager of systemd, and no variables.

/// What stands before the groups whose sessions skip pam_systemd. The module takes several groups with colons between them,
/// so one line does for all: with two lines the first would skip the second.
const SKIP: &str = "session [success=1 default=ignore] pam_succeed_if.so quiet user ingroup ";

/// What lets pam_env read variables from a home.
const FROM_HOME: &str = "user_readenv=1";

/// Lets the members of a group skip pam_systemd in a stack.
pub(crate) fn with_skip(text: &str, group: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in text.split_inclusive('\n') {
        if starts_manager(line) {
            match lines.last_mut().filter(|it| groups(it).is_some()) {
                Some(skip) => {
                    let mut all = groups(skip).unwrap_or_default();
                    if !all.contains(&group) {
                        all.push(group);
                        *skip = format!("{SKIP}{}\n", all.join(":"));
                    }
                }
                None => lines.push(format!("{SKIP}{group}\n")),
            }
        }
        lines.push(line.to_owned());
    }
    lines.concat()
}

/// Takes a group out of the lines that [`with_skip`] writes.
pub(crate) fn without_skip(text: &str, group: &str) -> String {
    let mut new = String::new();
    for line in text.split_inclusive('\n') {
        match groups(line) {
            Some(all) if all.contains(&group) => {
                let others: Vec<&str> = all.into_iter().filter(|it| *it != group).collect();
                if !others.is_empty() {
                    new.push_str(&format!("{SKIP}{}\n", others.join(":")));
                }
            }
            _ => new.push_str(line),
        }
    }
    new
}

/// Keeps pam_env from reading variables from homes.
pub(crate) fn without_variables(text: &str) -> String {
    let changed = |line: &str| {
        let is_comment = line.trim_start().starts_with('#');
        match line.contains("pam_env.so") && !is_comment {
            true => line.replace(&format!(" {FROM_HOME}"), ""),
            false => line.to_owned(),
        }
    };
    text.split_inclusive('\n').map(changed).collect()
}

/// Gives the groups of a line that [`with_skip`] has written.
fn groups(line: &str) -> Option<Vec<&str>> {
    let groups = line.strip_prefix(SKIP)?.trim_end();
    Some(groups.split(':').collect())
}

fn starts_manager(line: &str) -> bool {
    let mut words = line.split_whitespace();
    let is_session = matches!(words.next(), Some("session" | "-session"));
    is_session && words.any(|word| word.rsplit('/').next() == Some("pam_systemd.so"))
}

#[cfg(test)]
mod tests {
    use super::{with_skip, without_skip, without_variables};

    const STACK: &str = "auth required pam_unix.so\n-session optional pam_systemd.so\nsession required pam_unix.so\n";

    #[test]
    fn one_line_before_pam_systemd_does_for_all_groups() {
        let one = with_skip(STACK, "class");
        let line = "session [success=1 default=ignore] pam_succeed_if.so quiet user ingroup class";
        assert_eq!(one, STACK.replace("-session", &format!("{line}\n-session")));
        assert_eq!(with_skip(&one, "class"), one);
        let two = with_skip(&one, "pupils");
        assert_eq!(two, one.replace("ingroup class", "ingroup class:pupils"));
        assert_eq!(without_skip(&two, "class"), with_skip(STACK, "pupils"));
        assert_eq!(without_skip(&one, "class"), STACK);
        assert_eq!(without_skip(STACK, "class"), STACK);
    }

    #[test]
    fn variables_are_not_read_from_homes() {
        let text = "session required pam_env.so user_readenv=1 envfile=/etc/default/locale\n# pam_env.so user_readenv=1\n";
        let without = "session required pam_env.so envfile=/etc/default/locale\n# pam_env.so user_readenv=1\n";
        assert_eq!(without_variables(text), without);
    }
}
