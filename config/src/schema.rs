//! The keys a config knows. To build the effect of a key, change its one line here.

/// A key of some table.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    /// A line that uses it, for messages.
    pub(crate) example: &'static str,
}

const fn built(name: &'static str, example: &'static str) -> Key {
    Key { name, example }
}

/// The keys above the first table, and the tables.
pub(crate) const TOP: &[Key] = &[
    built("unlisted", r#"unlisted = "refuse""#),
    built("exempt", r#"exempt = ["root", "@sudo"]"#),
    built("users", r#"alice = "web" below [users]"#),
    built("groups", r#"sftponly = "dropbox" below [groups]"#),
    built("defaults", r#"umask = "027" below [defaults]"#),
    built("jails", r#"root = "/srv/jails/{user}" below [jails.web]"#),
    built(
        "check",
        r#"accept = [{ kind = "cron", for = "@staff", why = "they run jobs" }] below [check]"#,
    ),
];

/// The keys of `[check]`.
pub(crate) const CHECK: &[Key] = &[built(
    "accept",
    r#"accept = [{ kind = "cron", for = "@staff", why = "they run jobs" }]"#,
)];

/// The keys of each of `accept`, all of them required.
pub(crate) const ACCEPT: &[Key] = &[
    built("kind", r#"kind = "cron""#),
    built("for", r#"for = "@staff""#),
    built("why", r#"why = "they run jobs""#),
];

/// The keys of a jail, of `[defaults]` and of a file in `users.d`.
pub(crate) const JAIL: &[Key] = &[
    built("root", r#"root = "/srv/jails/{user}""#),
    built("base", r#"base = "host""#),
    built("shell", r#"shell = "/bin/sh""#),
    built("home", r#"home = "/home/{user}""#),
    built("isolation", r#"isolation = "chroot""#),
    built("landlock", r#"landlock = "require""#),
    built("seccomp", r#"seccomp = "off""#),
    built("network", "network = { connect = [443], bind = [] }"),
    built("proc", r#"proc = "root""#),
    built("dev", r#"dev = "root""#),
    built("tmp", r#"tmp = "root""#),
    built(
        "mounts",
        r#"mounts = [{ source = "/srv/data", target = "/data", mode = "ro" }]"#,
    ),
    built("etc", r#"etc = ["php", "maven"]"#),
    built("services", r#"services = ["mysql", "redis"]"#),
    built(
        "devices",
        r#"devices = ["/dev/dri/renderD128", "/dev/nvidia*"]"#,
    ),
    built(
        "commands",
        r#"commands = ["sftp", "rsync", "/usr/bin/report"]"#,
    ),
    built("sftp", r#"sftp = { access = "read-only" }"#),
    built(
        "env",
        r#"env = { pass = ["TERM", "LC_*"], set = { EDITOR = "vi" } }"#,
    ),
    built("groups", r#"groups = "primary""#),
    built("umask", r#"umask = "022""#),
    built("limits", r#"limits = { nproc = 100, core = 0 }"#),
    built("create", r#"create = { skel = "/etc/skel", mode = "700" }"#),
    built("disk", r#"disk = { bytes = "5G", files = 100000 }"#),
    built("idle", r#"idle = "15m""#),
    built("record", r#"record = { what = "terminal", size = "64M" }"#),
    built("until", r#"until = "2027-03-31""#),
    built("scope", r#"scope = "user""#),
    built("linger", "linger = false"),
    built("root_owner", r#"root_owner = "user""#),
];

/// Tells whether a jail has a key of this name, which a user or group can have, too.
#[must_use]
pub fn is_jail_key(name: &str) -> bool {
    JAIL.iter().any(|key| key.name == name)
}

/// The key that only a file in `users.d` has.
pub(crate) const USER_FILE: &[Key] = &[built("jail", r#"jail = "web""#)];

/// The keys of a jail that can stand beside it, for one user of a jail that others have, too.
pub(crate) const BESIDE_JAIL: [&str; 2] = ["until", "limits"];

/// The keys of `network`, where it is a table.
pub(crate) const NETWORK: &[Key] = &[
    built("connect", "connect = [80, 443]"),
    built("bind", "bind = []"),
];

/// The keys of each of `mounts`, all of them required.
pub(crate) const MOUNT: &[Key] = &[
    built("source", r#"source = "/srv/data""#),
    built("target", r#"target = "/data""#),
    built("mode", r#"mode = "ro""#),
];

/// The keys of a file in `services.d`.
pub(crate) const SERVICE: &[Key] = &[
    built("about", r#"about = "MySQL and MariaDB""#),
    built("needs", r#"needs = "a client in the jail""#),
    built("show", r#"show = [{ source = "/run/mysqld" }]"#),
];

/// The keys of what a service shows.
pub(crate) const SHOWN: &[Key] = &[
    built("source", r#"source = "/run/mysqld""#),
    built("target", r#"target = ["/run/mysqld", "/var/run/mysqld"]"#),
];

/// The keys of a program in `commands`, all of them required.
pub(crate) const PROGRAM: &[Key] = &[
    built("program", r#"program = "/usr/bin/report""#),
    built("arguments", r#"arguments = ["--user", "*"]"#),
];

/// The keys of `sftp`.
pub(crate) const SFTP: &[Key] = &[
    built("access", r#"access = "upload-only""#),
    built("directory", r#"directory = "/upload""#),
    built("umask", r#"umask = "007""#),
    built("log", "log = true"),
];

/// The keys of `create`, where it is a table.
pub(crate) const CREATE: &[Key] = &[
    built("skel", r#"skel = "/etc/skel""#),
    built("mode", r#"mode = "750""#),
    built("group", r#"group = "www-data""#),
];

/// The keys of `disk`.
pub(crate) const DISK: &[Key] = &[
    built("bytes", r#"bytes = "5G""#),
    built("files", "files = 100000"),
];

/// The keys of `record`, where it is a table.
pub(crate) const RECORD: &[Key] = &[
    built("what", r#"what = "terminal""#),
    built("input", "input = true"),
    built("size", r#"size = "64M""#),
    built("total", r#"total = "2G""#),
];

/// The keys of `env`.
pub(crate) const ENV: &[Key] = &[
    built("pass", r#"pass = ["TERM", "LC_*"]"#),
    built("set", r#"set = { EDITOR = "vi" }"#),
];

/// The keys of `limits`.
pub(crate) const LIMITS: &[Key] = &[
    built("nofile", "nofile = 1024"),
    built("nproc", "nproc = 100"),
    built("fsize", r#"fsize = "1G""#),
    built("as", r#"as = "4G""#),
    built("core", "core = 0"),
    built("cpu", r#"cpu = "150%""#),
    built("sessions", "sessions = 3"),
    built("memory", r#"memory = "512M""#),
    built("tasks", "tasks = 100"),
    built("io", "io = 50"),
];

pub(crate) fn find(keys: &'static [Key], name: &str) -> Option<&'static Key> {
    keys.iter().find(|key| key.name == name)
}
