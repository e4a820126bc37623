//! The environment inside a jail: which of the caller's variables pass, and which are set.

use crate::fault::Complaint;
use crate::glob::{Glob, is_forbidden};

/// What passes where a config does not say.
const DEFAULT_PASS: &[&str] = &[
    "TERM",
    "COLORTERM",
    "LANG",
    "LANGUAGE",
    "LC_*",
    "TZ",
    "SSH_CLIENT",
    "SSH_CONNECTION",
    "SSH_TTY",
    "SSH_ORIGINAL_COMMAND",
];

/// What reaches the environment of a jail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Env {
    /// The caller's variables that pass, if their value is safe as well: ask [`Env::passes`].
    pub pass: Vec<Glob>,
    /// The variables that are set, sorted by name.
    pub set: Vec<(String, String)>,
}

impl Env {
    /// Tells if a variable of the caller's reaches the jail: a pattern lets its name in, the name
    /// is not forbidden, and the value is safe for what the name is used for.
    pub fn passes(&self, name: &[u8], value: &[u8]) -> bool {
        is_name(name)
            && self.pass.iter().any(|glob| glob.matches(name))
            && !is_forbidden(name)
            && is_safe(name, value)
    }

    pub(crate) fn default_pass() -> Vec<Glob> {
        Glob::built_in(DEFAULT_PASS)
    }
}

fn is_name(name: &[u8]) -> bool {
    let word = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_';
    name.first().is_some_and(|first| !first.is_ascii_digit()) && name.iter().all(word)
}

/// Tells if a value can do no harm. The C library makes paths of locales, terminal types and time
/// zones, and terminals act on control characters.
fn is_safe(name: &[u8], value: &[u8]) -> bool {
    let printable = || value.iter().all(|b| (b' '..=b'~').contains(b));
    match name {
        b"LANG" | b"LANGUAGE" | b"TERM" | b"COLORTERM" => printable() && is_plain(value),
        _ if name.starts_with(b"LC_") => printable() && is_plain(value),
        b"TZ" => printable() && is_zone(value),
        _ => !value.contains(&0),
    }
}

/// No path, and no format string (some programs print messages of a locale's with printf).
fn is_plain(value: &[u8]) -> bool {
    !value.starts_with(b".") && !value.iter().any(|b| matches!(b, b'/' | b'%'))
}

/// A zone such as `Europe/Berlin` or `CET-1CEST`, never a path that leads elsewhere.
fn is_zone(value: &[u8]) -> bool {
    !value.starts_with(b"/")
        && !value.starts_with(b":")
        && !value
            .split(|b| *b == b'/')
            .any(|component| matches!(component, b"." | b".."))
}

/// Checks a variable of `env.set`.
pub(crate) fn check_set(name: &str, value: &str) -> Result<(), Complaint> {
    let hint = match name {
        "HOME" => Some("the key home sets it"),
        "SHELL" => Some("the key shell sets it"),
        "USER" | "LOGNAME" => Some("it is always the name of the account"),
        _ => None,
    };
    if let Some(hint) = hint {
        return Err(Complaint::new(format!("{name} can't be set here")).help(hint));
    }
    if !is_name(name.as_bytes()) {
        let complaint = Complaint::new(format!("{name:?} is not the name of a variable"));
        return Err(complaint.help("a name has letters, digits and _, and begins with no digit"));
    }
    if value.contains('\0') {
        return Err(Complaint::new(format!("the value of {name} has a NUL")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(patterns: &[&str], name: &str, value: &[u8]) -> bool {
        let env = Env {
            pass: Glob::built_in(patterns),
            set: Vec::new(),
        };
        env.passes(name.as_bytes(), value)
    }

    fn default_passes(name: &str, value: &[u8]) -> bool {
        passes(DEFAULT_PASS, name, value)
    }

    #[test]
    fn the_default_is_what_the_parser_would_take() {
        for pattern in DEFAULT_PASS {
            assert_eq!(Glob::parse(pattern).unwrap().as_str(), *pattern);
        }
    }

    #[test]
    fn passes_ordinary_variables_by_default() {
        for (name, value) in [
            ("TERM", "xterm-256color"),
            ("COLORTERM", "truecolor"),
            ("LANG", "de_DE.UTF-8@euro"),
            ("LANGUAGE", "de:en"),
            ("LC_ALL", "C"),
            ("LC_TIME", ""),
            ("TZ", "Europe/Berlin"),
            ("TZ", "<+0330>-3:30"),
            ("SSH_CONNECTION", "10.0.0.1 50000 10.0.0.2 22"),
            ("SSH_TTY", "/dev/pts/3"),
            ("SSH_ORIGINAL_COMMAND", "printf 'a\nb' /x"),
        ] {
            assert!(default_passes(name, value.as_bytes()), "{name}={value}");
        }
    }

    #[test]
    fn refuses_a_name_no_pattern_matches() {
        for name in ["EDITOR", "SSH_AUTH_SOCK", "DISPLAY", "TERMX", "term"] {
            assert!(!default_passes(name, b"x"), "{name}");
        }
        assert!(!passes(&[], "TERM", b"xterm"));
    }

    #[test]
    fn refuses_a_forbidden_name_even_if_a_pattern_got_through() {
        for name in ["LD_PRELOAD", "BASH_ENV", "PATH", "HOME", "TERMINFO_DIRS"] {
            assert!(!passes(&["*"], name, b"x"), "{name}");
        }
    }

    #[test]
    fn refuses_a_malformed_name() {
        for name in ["", "1A", "A-B", "A B", "A\n", "BASH_FUNC_x%%", "É"] {
            assert!(!passes(&["*"], name, b"x"), "{name}");
        }
        assert!(!passes(&["*"], "A\0", b"x"));
    }

    #[test]
    fn refuses_paths_and_control_characters_in_locales_and_terminals() {
        for name in ["LANG", "LANGUAGE", "LC_ALL", "TERM", "COLORTERM"] {
            let values: [&[u8]; 9] = [
                b"../x",
                b"/x",
                b"a/b",
                b"..",
                b"a\nb",
                b"a\x1b[2J",
                b"a\x7f",
                b"a\xc2\x9b",
                b"%n",
            ];
            for value in values {
                assert!(!default_passes(name, value), "{name} {value:?}");
            }
        }
    }

    #[test]
    fn refuses_paths_and_control_characters_in_time_zones() {
        let values: [&[u8]; 8] = [
            b"/etc/shadow",
            b":/etc/shadow",
            b":Europe/Berlin",
            b"../x",
            b"Europe/../x",
            b"Europe/.",
            b"UTC\n",
            b"UTC\x1b",
        ];
        for value in values {
            assert!(!default_passes("TZ", value), "{value:?}");
        }
    }

    #[test]
    fn refuses_a_nul_in_any_value() {
        for name in ["SSH_TTY", "TERM", "TZ", "LANG"] {
            assert!(!default_passes(name, b"a\0b"), "{name}");
        }
    }

    #[test]
    fn sets_no_variable_that_a_key_sets() {
        for (name, hint) in [
            ("HOME", "the key home sets it"),
            ("SHELL", "the key shell sets it"),
            ("USER", "it is always the name of the account"),
            ("LOGNAME", "it is always the name of the account"),
        ] {
            let complaint = check_set(name, "x").unwrap_err();
            assert_eq!(complaint.message, format!("{name} can't be set here"));
            assert_eq!(complaint.help.as_deref(), Some(hint));
        }
        assert_eq!(check_set("PATH", "/usr/bin:/bin"), Ok(()));
    }

    #[test]
    fn sets_no_malformed_variable() {
        for name in ["", "1A", "A-B", "A=B", "É"] {
            assert!(check_set(name, "x").is_err(), "{name}");
        }
        assert!(check_set("A", "x\0").is_err());
    }
}
