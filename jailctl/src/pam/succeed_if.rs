//! pam_succeed_if(8): what a line of it returns for an account, so far as that is known before a login.
//!
//! It stays for conditions on the user, a group of the user's and the uid, because the documents tell administrators to
//! write such lines before pam_systemd, and stock stacks have them. All other conditions are not understood: the caller
//! then takes either result to be possible.

use jail::account::identity::Identity;

use crate::pam::stack::Line;

/// Tells whether a line succeeds for an account; nothing where it is another module's, or where it is not understood.
pub(crate) fn succeeds(line: &Line, identity: &Identity) -> Option<bool> {
    let conditions = line.conditions().filter(|words| !words.is_empty())?;
    // The first that does not hold ends it.
    for condition in conditions.chunks(3) {
        let [field, test, value] = condition else {
            return None;
        };
        if !holds(field, test, value, identity)? {
            return Some(false);
        }
    }
    Some(true)
}

/// Judges one condition.
fn holds(field: &str, test: &str, value: &str, identity: &Identity) -> Option<bool> {
    let is_in_group = || {
        let named = |group: &str| identity.group_names.iter().any(|it| it == group);
        value.split(':').any(named)
    };
    let test = test.to_ascii_lowercase();
    match (field, test.as_str()) {
        // Whether somebody is in a group that no service answers for is not known.
        ("user", "ingroup" | "notingroup") if identity.unanswered.is_some() => return None,
        ("user", "ingroup") => return Some(is_in_group()),
        ("user", "notingroup") => return Some(!is_in_group()),
        _ => {}
    }
    let text = match field {
        "user" => identity.name.to_str()?.to_owned(),
        "uid" => identity.uid.to_string(),
        _ => return None,
    };
    let is_in_list = || value.split(':').any(|it| it == text);
    let numbers = || Some((text.parse::<u64>().ok()?, value.parse::<u64>().ok()?));
    let compare = |wanted: fn(u64, u64) -> bool| numbers().map(|(one, other)| wanted(one, other));
    match test.as_str() {
        "=" => Some(text == value),
        "!=" => Some(text != value),
        "in" => Some(is_in_list()),
        "notin" => Some(!is_in_list()),
        "eq" => compare(|one, other| one == other),
        "ne" => compare(|one, other| one != other),
        "<" | "lt" => compare(|one, other| one < other),
        "<=" | "le" => compare(|one, other| one <= other),
        ">" | "gt" => compare(|one, other| one > other),
        ">=" | "ge" => compare(|one, other| one >= other),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use jail::account::identity::Identity;

    use super::succeeds;
    use crate::pam::stack::parse;

    fn ann() -> Identity {
        Identity {
            groups: vec![1001, 2000],
            group_names: vec!["ann".into(), "class".into()],
            group_ids: vec![1001, 2000],
            ..Identity::example("ann", 1001)
        }
    }

    #[test]
    fn judges_conditions_as_the_module_does() {
        for (words, expected) in [
            ("quiet user = ann", Some(true)),
            ("quiet user = bob", Some(false)),
            ("user in bob:ann", Some(true)),
            ("user notin bob:ann", Some(false)),
            ("quiet user ingroup class", Some(true)),
            ("user ingroup games:class", Some(true)),
            ("user INGROUP games", Some(false)),
            ("user notingroup class", Some(false)),
            ("uid >= 1000 uid < 2000", Some(true)),
            ("uid >= 1000 user = bob", Some(false)),
            ("user = bob tty = x", Some(false)),
            // What is not understood, or an error.
            ("service in sshd:su", None),
            ("shell = /usr/bin/jail-shell", None),
            ("tty = x user = bob", None),
            ("user =~ a*", None),
            ("use_uid user = ann", None),
            ("user = ann uid", None),
            ("quiet", None),
        ] {
            let text = format!("session required pam_succeed_if.so {words}");
            let line = parse(Path::new("f"), 1, &text);
            assert_eq!(succeeds(&line, &ann()), expected, "{words}");
        }
        let other = parse(Path::new("f"), 1, "session required pam_env.so user = ann");
        assert_eq!(succeeds(&other, &ann()), None);
    }
}
