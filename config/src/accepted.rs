//! Findings of `jailctl check` that the administrator has accepted. No login asks for them.

/// One of `accept` in `[check]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The word for the kind of finding. This crate does not know which kinds there are.
    pub kind: String,
    /// Whose findings are accepted.
    pub whose: Whose,
    /// Why, in the administrator's words.
    pub why: String,
}

/// Whom an acceptance is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    /// Everybody, and the host itself: `"*"`.
    Everybody,
    /// The users whom the rule of a group jails: `"@students"`.
    Group(String),
    /// One user.
    User(String),
}

impl Whose {
    /// Reads what stands in a config; `None` if it is no name.
    pub(crate) fn parse(text: &str) -> Option<Whose> {
        let name = text.strip_prefix('@').unwrap_or(text);
        let is_name = !name.is_empty() && !name.contains(|c: char| c.is_control() || c == '/');
        is_name.then(|| match text {
            "*" => Whose::Everybody,
            _ if text.starts_with('@') => Whose::Group(name.to_owned()),
            _ => Whose::User(name.to_owned()),
        })
    }
}

impl std::fmt::Display for Whose {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Whose::Everybody => f.write_str("*"),
            Whose::Group(group) => write!(f, "@{group}"),
            Whose::User(user) => f.write_str(user),
        }
    }
}
