//! Whom sshd lets in by its own lists: AllowUsers, DenyUsers, AllowGroups and DenyGroups of sshd_config(5).

use std::{ffi::OsString, os::unix::ffi::OsStrExt};

use jail::account::identity::Identity;
use jail_roots::pattern::fits;

/// The four lists as sshd has them for a user.
#[derive(Debug, Default)]
pub(super) struct Lists {
    pub(super) deny_users: Vec<String>,
    pub(super) allow_users: Vec<String>,
    pub(super) deny_groups: Vec<String>,
    pub(super) allow_groups: Vec<String>,
}

/// What the lists come to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Allowed,
    /// By this keyword and pattern.
    Denied(&'static str, String),
    /// This keyword is set, and none of its patterns names the user or a group of theirs.
    NotAllowed(&'static str),
    /// By this keyword the client's address decides.
    ByAddress(&'static str),
}

/// Whether a pattern is for a user.
#[derive(PartialEq, Eq)]
enum Fit {
    No,
    Yes,
    FromSomeAddresses,
}

impl Lists {
    /// Asks the lists in the order in which sshd does.
    pub(super) fn judge(&self, identity: &Identity) -> Verdict {
        let user = |pattern: &String| fit_of(pattern, identity);
        let group = |pattern: &&String| {
            let named = |name: &OsString| fits(pattern.as_bytes(), name.as_bytes());
            identity.group_names.iter().any(named)
        };
        if let Some(pattern) = self.deny_users.iter().find(|it| user(it) == Fit::Yes) {
            return Verdict::Denied("DenyUsers", pattern.clone());
        }
        if !self.allow_users.is_empty() && self.allow_users.iter().all(|it| user(it) == Fit::No) {
            return Verdict::NotAllowed("AllowUsers");
        }
        if let Some(pattern) = self.deny_groups.iter().find(group) {
            return Verdict::Denied("DenyGroups", pattern.clone());
        }
        if !self.allow_groups.is_empty() && !self.allow_groups.iter().any(|it| group(&it)) {
            return Verdict::NotAllowed("AllowGroups");
        }
        let by_address = |list: &[String]| list.iter().any(|it| user(it) == Fit::FromSomeAddresses);
        if by_address(&self.deny_users) {
            return Verdict::ByAddress("DenyUsers");
        }
        let anywhere = self.allow_users.iter().any(|it| user(it) == Fit::Yes);
        if by_address(&self.allow_users) && !anywhere {
            return Verdict::ByAddress("AllowUsers");
        }
        Verdict::Allowed
    }
}

fn fit_of(pattern: &str, identity: &Identity) -> Fit {
    let name = identity.name.as_bytes();
    match pattern.rsplit_once('@') {
        Some((user, "*")) if fits(user.as_bytes(), name) => Fit::Yes,
        Some((user, _)) if fits(user.as_bytes(), name) => Fit::FromSomeAddresses,
        None if fits(pattern.as_bytes(), name) => Fit::Yes,
        _ => Fit::No,
    }
}

#[cfg(test)]
mod tests {
    use jail::account::identity::Identity;

    use super::{Lists, Verdict};

    fn judge(text: &str) -> Verdict {
        let ann = Identity {
            groups: vec![1001, 2000],
            group_names: vec!["ann".into(), "class".into()],
            group_ids: vec![1001, 2000],
            ..Identity::example("ann", 1001)
        };
        let mut lists = Lists::default();
        for line in text.split("; ").filter(|line| !line.is_empty()) {
            let (keyword, pattern) = line.split_once(' ').unwrap();
            let list = match keyword {
                "du" => &mut lists.deny_users,
                "au" => &mut lists.allow_users,
                "dg" => &mut lists.deny_groups,
                _ => &mut lists.allow_groups,
            };
            list.push(pattern.to_owned());
        }
        lists.judge(&ann)
    }

    #[test]
    fn judges_the_lists_as_sshd_does() {
        let denied = |keyword, pattern: &str| Verdict::Denied(keyword, pattern.to_owned());
        for (text, verdict) in [
            ("", Verdict::Allowed),
            ("du bob", Verdict::Allowed),
            ("du bob; du a?n", denied("DenyUsers", "a?n")),
            ("du ann@*", denied("DenyUsers", "ann@*")),
            ("du ann@10.*", Verdict::ByAddress("DenyUsers")),
            ("au bob; au ann", Verdict::Allowed),
            ("au bob", Verdict::NotAllowed("AllowUsers")),
            ("au Ann", Verdict::NotAllowed("AllowUsers")),
            ("au ann@10.*", Verdict::ByAddress("AllowUsers")),
            ("au ann@10.*; au a*", Verdict::Allowed),
            ("dg cl*", denied("DenyGroups", "cl*")),
            ("ag wheel", Verdict::NotAllowed("AllowGroups")),
            ("ag wheel; ag class", Verdict::Allowed),
            ("du ann; au ann", denied("DenyUsers", "ann")),
            ("au ann; ag wheel", Verdict::NotAllowed("AllowGroups")),
        ] {
            assert_eq!(judge(text), verdict, "{text}");
        }
    }
}
