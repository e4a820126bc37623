//! Patterns for the names of environment variables, and the names that no pattern may let in.

use std::fmt;

use crate::fault::Complaint;

/// A pattern for a variable's name: letters, digits, `_`, and `*` for any run of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob(String);

/// Names that change what a program does before its own code decides, or that the jail sets
/// itself. The second column is a well-known name among them, for messages.
const FORBIDDEN: &[(&str, &str)] = &[
    // Set by the jail.
    ("HOME", "HOME"),
    ("LOGNAME", "LOGNAME"),
    ("PATH", "PATH"),
    ("SHELL", "SHELL"),
    ("USER", "USER"),
    // The dynamic linker and the C library: what glibc itself takes from set-user-id programs.
    ("GCONV_PATH", "GCONV_PATH"),
    ("GETCONF_DIR", "GETCONF_DIR"),
    ("GLIBC_TUNABLES", "GLIBC_TUNABLES"),
    ("HOSTALIASES", "HOSTALIASES"),
    ("LD_*", "LD_PRELOAD"),
    ("LOCALDOMAIN", "LOCALDOMAIN"),
    ("LOCPATH", "LOCPATH"),
    ("MALLOC_*", "MALLOC_CHECK_"),
    ("NIS_PATH", "NIS_PATH"),
    ("NLSPATH", "NLSPATH"),
    ("RESOLV_HOST_CONF", "RESOLV_HOST_CONF"),
    ("RES_OPTIONS", "RES_OPTIONS"),
    ("TMPDIR", "TMPDIR"),
    ("TZDIR", "TZDIR"),
    // Shells.
    ("BASHOPTS", "BASHOPTS"),
    ("BASH_ENV", "BASH_ENV"),
    ("BASH_FUNC_*", "BASH_FUNC_x"),
    ("BASH_LOADABLES_PATH", "BASH_LOADABLES_PATH"),
    ("BASH_XTRACEFD", "BASH_XTRACEFD"),
    ("CDPATH", "CDPATH"),
    ("ENV", "ENV"),
    ("FPATH", "FPATH"),
    ("GLOBIGNORE", "GLOBIGNORE"),
    ("IFS", "IFS"),
    ("PROMPT_COMMAND", "PROMPT_COMMAND"),
    ("PS4", "PS4"),
    ("SHELLOPTS", "SHELLOPTS"),
    ("ZDOTDIR", "ZDOTDIR"),
    // Terminals.
    ("TERMCAP", "TERMCAP"),
    ("TERMINFO*", "TERMINFO"),
    ("TERMPATH", "TERMPATH"),
    // Languages and tools that load or run what a variable says.
    ("GIT_CONFIG*", "GIT_CONFIG_COUNT"),
    ("GIT_EXEC_PATH", "GIT_EXEC_PATH"),
    ("GIT_SSH*", "GIT_SSH_COMMAND"),
    ("JAVA_TOOL_OPTIONS", "JAVA_TOOL_OPTIONS"),
    ("LESSCLOSE", "LESSCLOSE"),
    ("LESSOPEN", "LESSOPEN"),
    ("LUA_INIT*", "LUA_INIT"),
    ("NODE_OPTIONS", "NODE_OPTIONS"),
    ("PERL5*", "PERL5LIB"),
    ("PERLIO_DEBUG", "PERLIO_DEBUG"),
    ("PERLLIB", "PERLLIB"),
    ("PYTHON*", "PYTHONPATH"),
    ("RUBYLIB", "RUBYLIB"),
    ("RUBYOPT", "RUBYOPT"),
];

/// Tells if a variable may never come from the caller.
pub(crate) fn is_forbidden(name: &[u8]) -> bool {
    FORBIDDEN
        .iter()
        .any(|(pattern, _)| matches(pattern.as_bytes(), name))
}

impl Glob {
    /// Checks a pattern and refuses one that would let a forbidden name in.
    pub(crate) fn parse(pattern: &str) -> Result<Glob, Complaint> {
        let known = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'*';
        if pattern.is_empty() || !pattern.bytes().all(known) {
            return Err(
                Complaint::new(format!("{pattern:?} is not a pattern for variables"))
                    .help("a pattern has letters, digits and _, and * for any run of them"),
            );
        }
        if let Some(name) = forbidden_name(pattern) {
            let complaint = Complaint::new(format!("{pattern:?} would let {name} in"));
            return Err(complaint.help("that variable never comes from the caller"));
        }
        Ok(Glob(pattern.to_owned()))
    }

    /// Makes patterns that are known to be good.
    pub(crate) fn built_in(patterns: &[&str]) -> Vec<Glob> {
        patterns.iter().map(|&p| Glob(p.to_owned())).collect()
    }

    /// Tells if a name fits the pattern.
    pub(crate) fn matches(&self, name: &[u8]) -> bool {
        matches(self.0.as_bytes(), name)
    }

    /// Gives the pattern as it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Finds a forbidden name that a pattern lets in: if possible one that people know.
fn forbidden_name(pattern: &str) -> Option<&str> {
    let letters = pattern.as_bytes();
    let known = FORBIDDEN.iter().map(|(_, known)| *known);
    if let Some(name) = known
        .into_iter()
        .find(|name| matches(letters, name.as_bytes()))
    {
        return Some(name);
    }
    let mut forbidden = FORBIDDEN.iter().map(|(forbidden, _)| *forbidden);
    let shared = forbidden.find(|forbidden| intersect(letters, forbidden.as_bytes()))?;
    Some(if pattern.contains('*') {
        shared
    } else {
        pattern
    })
}

/// Tells if a name fits a pattern. Goes back to the last star only, so it takes at most the
/// product of both lengths.
pub(crate) fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (pattern, name);
    let mut last_star: Option<(&[u8], &[u8])> = None;
    loop {
        match (p, n) {
            ([b'*', after @ ..], _) => {
                last_star = Some((after, n));
                p = after;
                continue;
            }
            ([], []) => return true,
            ([want, p_rest @ ..], [have, n_rest @ ..]) if want == have => {
                (p, n) = (p_rest, n_rest);
                continue;
            }
            _ => {}
        }
        let Some((after, [_, shorter @ ..])) = last_star else {
            return false;
        };
        last_star = Some((after, shorter));
        (p, n) = (after, shorter);
    }
}

/// Tells if some name fits both patterns.
fn intersect(a: &[u8], b: &[u8]) -> bool {
    // reachable[j]: what was read of `a` and the first j of `b` can stand for the same name.
    let mut reachable = vec![false; b.len() + 1];
    if let Some(first) = reachable.first_mut() {
        *first = true;
    }
    skip_stars(&mut reachable, b);
    for &letter in a {
        let old = reachable;
        reachable = vec![false; b.len() + 1];
        for (j, _) in old.iter().enumerate().filter(|(_, was)| **was) {
            if letter == b'*' {
                // The star stands for nothing, or for whatever `b` still has.
                reachable.iter_mut().skip(j).for_each(|entry| *entry = true);
                break;
            }
            match b.get(j) {
                Some(b'*') => set(&mut reachable, j),
                Some(other) if *other == letter => set(&mut reachable, j + 1),
                _ => {}
            }
        }
        skip_stars(&mut reachable, b);
    }
    reachable.last().copied().unwrap_or(false)
}

fn skip_stars(reachable: &mut [bool], b: &[u8]) {
    for (j, &letter) in b.iter().enumerate() {
        if letter == b'*' && reachable.get(j) == Some(&true) {
            set(reachable, j + 1);
        }
    }
}

fn set(reachable: &mut [bool], j: usize) {
    if let Some(entry) = reachable.get_mut(j) {
        *entry = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint(pattern: &str) -> Option<String> {
        Glob::parse(pattern).err().map(|c| c.message)
    }

    #[test]
    fn matches_whole_names() {
        for (pattern, name, fits) in [
            ("TERM", "TERM", true),
            ("TERM", "TERMX", false),
            ("TERM", "ATERM", false),
            ("TERM", "term", false),
            ("LC_*", "LC_", true),
            ("LC_*", "LC_ALL", true),
            ("LC_*", "LANG", false),
            ("*_X", "A_X_X", true),
            ("A*B*C", "AxBxBxC", true),
            ("A*B*C", "AxBxBx", false),
            ("**", "", true),
        ] {
            let fit = matches(pattern.as_bytes(), name.as_bytes());
            assert_eq!(fit, fits, "{pattern} {name}");
        }
    }

    #[test]
    fn finds_out_if_two_patterns_share_a_name() {
        for (a, b, share) in [
            ("LD_*", "LD_*", true),
            ("L*", "LD_*", true),
            ("*D", "LD_*", true),
            ("*D*", "LD_*", true),
            ("L*X", "*Y", false),
            ("A*", "B*", false),
            ("*A", "*B", false),
            ("A*C", "AB*", true),
            ("TERM", "TERMINFO*", false),
            ("TERM*", "TERMINFO*", true),
            ("", "*", true),
            ("", "A", false),
        ] {
            assert_eq!(intersect(a.as_bytes(), b.as_bytes()), share, "{a} {b}");
            assert_eq!(intersect(b.as_bytes(), a.as_bytes()), share, "{b} {a}");
        }
    }

    #[test]
    fn agrees_with_a_search_through_all_short_names() {
        let letters = |length: u32| {
            (0..3_u32.pow(length)).map(move |n| {
                (0..length)
                    .map(|i| b"ab*"[(n / 3_u32.pow(i) % 3) as usize])
                    .collect::<Vec<u8>>()
            })
        };
        let patterns: Vec<Vec<u8>> = (0..=3).flat_map(letters).collect();
        let names: Vec<Vec<u8>> = (0..=6)
            .flat_map(letters)
            .filter(|name| !name.contains(&b'*'))
            .collect();
        for a in &patterns {
            for b in &patterns {
                let share = names
                    .iter()
                    .any(|name| matches(a, name) && matches(b, name));
                assert_eq!(intersect(a, b), share, "{a:?} {b:?}");
            }
        }
    }

    #[test]
    fn refuses_a_pattern_that_lets_a_forbidden_name_in() {
        for (pattern, name) in [
            ("*", "HOME"),
            ("L*", "LOGNAME"),
            ("LD_*", "LD_PRELOAD"),
            ("LD_AUDIT", "LD_AUDIT"),
            ("LD*AUDIT", "LD_*"),
            ("*_PRELOAD", "LD_PRELOAD"),
            ("BASH*", "BASHOPTS"),
            ("*ENV", "BASH_ENV"),
            ("ENV", "ENV"),
            ("IFS", "IFS"),
            ("TERM*", "TERMCAP"),
            ("TERMINFO_DIRS", "TERMINFO_DIRS"),
            ("PYTHONSTARTUP", "PYTHONSTARTUP"),
            ("TMPDIR", "TMPDIR"),
        ] {
            let expected = format!("{pattern:?} would let {name} in");
            assert_eq!(complaint(pattern), Some(expected));
        }
    }

    #[test]
    fn every_forbidden_name_is_refused_and_its_known_name_fits() {
        for (forbidden, known) in FORBIDDEN {
            assert!(complaint(forbidden).is_some(), "{forbidden}");
            assert!(is_forbidden(known.as_bytes()), "{known}");
        }
    }

    #[test]
    fn refuses_what_is_not_a_pattern() {
        for pattern in ["", "A-B", "A?", "[A]", "A B", "É", "A=B"] {
            let expected = format!("{pattern:?} is not a pattern for variables");
            assert_eq!(complaint(pattern), Some(expected));
        }
    }

    #[test]
    fn takes_time_in_proportion_to_the_product_of_the_lengths() {
        let pattern = "A*".repeat(2_000);
        assert!(!matches(pattern.as_bytes(), "A".repeat(1_999).as_bytes()));
        assert!(!intersect(pattern.as_bytes(), "B*".repeat(500).as_bytes()));
    }
}
