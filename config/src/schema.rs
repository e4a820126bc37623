//! The keys a config knows. To build the effect of a key, change its one line here.

/// How far a key's effect is built. What is not is refused: a config that asks for a wall must not
/// load where there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Support {
    /// With every value.
    Built,
    /// With some values.
    Only {
        built: &'static [&'static str],
        later: &'static [&'static str],
    },
    /// Not yet.
    Later,
}

/// A key of some table.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) support: Support,
    /// A line that uses it, for messages.
    pub(crate) example: &'static str,
}

const fn built(name: &'static str, example: &'static str) -> Key {
    Key {
        name,
        support: Support::Built,
        example,
    }
}

const fn later(name: &'static str) -> Key {
    Key {
        name,
        support: Support::Later,
        example: "",
    }
}

/// The keys above the first table, and the tables.
pub(crate) const TOP: &[Key] = &[
    built("unlisted", r#"unlisted = "refuse""#),
    built("exempt", r#"exempt = ["root", "@sudo"]"#),
    built("users", r#"alice = "web" below [users]"#),
    built("groups", r#"sftponly = "dropbox" below [groups]"#),
    built("defaults", r#"isolation = "chroot" below [defaults]"#),
    built("jails", r#"root = "/srv/jails/{user}" below [jails.web]"#),
];

/// The keys of a jail, of `[defaults]` and of a file in `users.d`.
pub(crate) const JAIL: &[Key] = &[
    built("root", r#"root = "/srv/jails/{user}""#),
    Key {
        name: "base",
        support: Support::Only {
            built: &["none"],
            later: &["host"],
        },
        example: r#"base = "none""#,
    },
    built("shell", r#"shell = "/bin/sh""#),
    built("home", r#"home = "/home/{user}""#),
    Key {
        name: "isolation",
        support: Support::Only {
            built: &["chroot"],
            later: &["full"],
        },
        example: r#"isolation = "chroot""#,
    },
    later("landlock"),
    later("seccomp"),
    later("network"),
    later("proc"),
    later("dev"),
    later("tmp"),
    later("mounts"),
    later("commands"),
    built(
        "env",
        r#"env = { pass = ["TERM", "LC_*"], set = { EDITOR = "vi" } }"#,
    ),
    built("groups", r#"groups = "primary""#),
    built("umask", r#"umask = "022""#),
    built("limits", r#"limits = { nproc = 100, core = 0 }"#),
    later("scope"),
    later("linger"),
    later("root_owner"),
];

/// The key that only a file in `users.d` has.
pub(crate) const USER_FILE: &[Key] = &[built("jail", r#"jail = "web""#)];

/// The keys of `env`.
pub(crate) const ENV: &[Key] = &[
    built("pass", r#"pass = ["TERM", "LC_*"]"#),
    built("set", r#"set = { EDITOR = "vi" }"#),
];

/// The keys of `limits`.
pub(crate) const LIMITS: &[Key] = &[
    built("nofile", "nofile = 1024"),
    built("nproc", "nproc = 100"),
    built("fsize", "fsize = 1_000_000_000"),
    built("as", "as = 4_000_000_000"),
    built("core", "core = 0"),
    built("cpu", "cpu = 600"),
    later("sessions"),
];

pub(crate) fn find(keys: &'static [Key], name: &str) -> Option<&'static Key> {
    keys.iter().find(|key| key.name == name)
}
