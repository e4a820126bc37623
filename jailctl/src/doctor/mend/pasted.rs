//! A command for an administrator to paste into a shell.
//!
//! A shell goes by paths, so whoever can change a component of one decides what the command changes. A text is therefore a
//! command only if each path that it names is of the host's system and root's alone from `/` on. What lies in a root, a home, a
//! spool or a mount's source is mended by [`super::Repair`], which `jailctl mend` executes by descriptor.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Component, Path},
};

/// Where the host's own system is. Neither roots nor homes of users nor what is shared lies there.
const SYSTEM: [&str; 9] = [
    "/bin",
    "/etc",
    "/lib",
    "/lib32",
    "/lib64",
    "/root",
    "/run/systemd",
    "/sbin",
    "/usr",
];

/// What else is root's alone on any host.
const FIXED: [&str; 3] = ["/dev/null", "/run/nologin", "/run/sshd.pid"];

/// A command in which nothing but root's own paths are named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pasted(String);

impl Pasted {
    /// Takes a text, if all paths in it are root's alone.
    pub(crate) fn of(text: &str) -> Option<Pasted> {
        let is_safe = |word: &Word| word.is_jailctls || is_safe(&word.text);
        (!text.contains('\n') && words(text).iter().all(is_safe)).then(|| Pasted(text.to_owned()))
    }

    pub(crate) fn text(&self) -> &str {
        &self.0
    }
}

/// A word of a command.
#[derive(Debug, Default, PartialEq, Eq)]
struct Word {
    text: String,
    /// Whether it is an argument of jailctl's, which reaches what it names by the trusted walk.
    is_jailctls: bool,
}

/// Parts a text into the words that sh(1) would find in it; also those within `$(...)`, and within double quotes.
fn words(text: &str) -> Vec<Word> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut is_first = true;
    let mut is_jailctls = false;
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        let is_break = " \t;&|(){}<>\"`".contains(letter);
        if !is_break {
            let word = word.get_or_insert_default();
            match letter {
                '\'' => word.extend(letters.by_ref().take_while(|it| *it != '\'')),
                '\\' => word.extend(letters.next()),
                letter => word.push(letter),
            }
            continue;
        }
        if let Some(text) = word.take() {
            is_jailctls |= is_first && text == "jailctl";
            is_first = false;
            words.push(Word { text, is_jailctls });
        }
        if ";&|(){}`".contains(letter) {
            (is_first, is_jailctls) = (true, false);
        }
        // A file that a shell opens is nobody's argument.
        if "<>".contains(letter) {
            is_jailctls = false;
        }
    }
    words.extend(word.map(|text| Word { text, is_jailctls }));
    words
}

/// Tells whether a word names no path, or one of root's. One that was quoted may be a script: so what is between its blanks
/// is looked at as well, but for the end of a pattern of sed(1).
fn is_safe(word: &str) -> bool {
    let mut parts = word.split_whitespace().filter(|part| *part != "/");
    names_no_users_path(word) && parts.all(names_no_users_path)
}

/// A pattern of sed(1) begins with a slash as well, but no name follows.
fn names_no_users_path(word: &str) -> bool {
    let value = match word.split_once('=') {
        Some((name, value)) if !name.starts_with('/') => value,
        _ => word,
    };
    [word, value].into_iter().all(|it| {
        let names = it.strip_prefix('/').map(|rest| rest.chars().next());
        let is_path = names.is_some_and(|next| {
            next.is_none_or(|next| next.is_alphanumeric() || "._-+@ *?".contains(next))
        });
        let elsewhere = it.starts_with('~') || it.contains("../") || it.contains("$HOME");
        !elsewhere && (!is_path || FIXED.contains(&it) || is_roots_alone(Path::new(it)))
    })
}

/// Tells whether a path is of the host's system, and nobody but root can change where it leads to.
pub(crate) fn is_roots_alone(path: &Path) -> bool {
    let mut parts = path.components();
    let is_plain = parts.all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
    let is_systems = |path: &Path| SYSTEM.iter().any(|top| path.starts_with(top));
    if !is_plain || !is_systems(path) {
        return false;
    }
    // What is missing is made in the last directory that there is. Root's links lead on, as /lib does into /usr.
    let there = path.ancestors().find(|it| it.symlink_metadata().is_ok());
    let Some((there, found)) = there.and_then(|it| Some((it, fs::canonicalize(it).ok()?))) else {
        return false;
    };
    let is_roots = |path: &Path| {
        path.symlink_metadata().is_ok_and(|it| {
            it.uid() == 0 && (it.is_symlink() || it.permissions().mode() & 0o022 == 0)
        })
    };
    is_systems(&found) && there.ancestors().chain(found.ancestors()).all(is_roots)
}

#[cfg(test)]
mod tests {
    use super::Pasted;

    #[test]
    fn a_command_names_roots_own_paths_only() {
        for text in [
            "usermod -s /usr/bin/jail-shell ann",
            "editor +3 /etc/no-such/config.toml",
            "sed -i '/^[[:space:]]*ann[[:space:]]*$/d' /etc/passwd",
            "sed -i 's,/home/ann,x,' /etc/passwd && echo a >>/etc/passwd",
            "sed -i '/^session_support=/d' /etc/passwd && echo session_support=YES >>/etc/passwd",
            "sed -i 's/^exempt[[:space:]]*=[[:space:]]*\\[/&\"root\", /' /etc/passwd",
            "cat $(ls /etc/*.conf 2>/dev/null)",
            "[ ! -e /etc/passwd ] || systemctl reload ssh",
            "jailctl --config /srv/x add --root /srv/jails/zoe -- zoe",
        ] {
            assert!(Pasted::of(text).is_some(), "{text}");
        }
        for text in [
            "install -d -o ann /srv/jails/ann/home/ann/work",
            "chmod go-w '/srv/a b'",
            "chmod go-w /sr\\v/x",
            "rm \"$(printf '/srv/\\033')\"",
            "cat a >/srv/x",
            "cat a>/home/ann/x",
            "x=/home/ann/.ssh; rm $x",
            "cd /tmp && rm x",
            "rm ~ann/x",
            "setpriv --reuid 1000 sh -c 'cd ~ann && chmod go-w .ssh'",
            "sh -c 'cat /srv/x'",
            "rm /etc/../home/ann/x",
            "rm /*",
            "rm /",
            "mv /var/spool/cron/crontabs/ann x",
            "jailctl list >/srv/x",
            "jailctl list; rm /srv/x",
            "true $(rm /srv/x)",
            "a\nb",
        ] {
            assert_eq!(Pasted::of(text), None, "{text}");
        }
    }
}
