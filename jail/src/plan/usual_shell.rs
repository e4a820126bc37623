//! Which shells are known to keep SFTP from nobody who has it.

use std::{ffi::OsStr, path::Path};

/// Shells that do nothing with a server and its options but start it, or keep it from nobody who has SFTP. Another one may be
/// there to refuse sftp.
const USUAL_SHELLS: [&str; 23] = [
    "ash", "bash", "busybox", "csh", "dash", "elvish", "fish", "ksh", "loksh", "lksh", "mksh",
    "nu", "oksh", "pdksh", "posh", "pwsh", "rc", "sh", "tcsh", "toysh", "xonsh", "yash", "zsh",
];

/// Programs that are many, by the name they are called by: one of them is `nologin`.
const MANY_IN_ONE: [&str; 2] = ["busybox", "toybox"];

/// Tells whether a shell is one of the usual ones, by its name, or by the name of what it leads to as a link.
pub(super) fn is_usual_shell(shell: &Path, leads_to: &Path) -> bool {
    let name = |path: &Path| {
        let name = path.file_name().and_then(OsStr::to_str);
        name.map(str::to_owned).unwrap_or_default()
    };
    // The name it is called by says which of the many it is.
    let target = name(leads_to);
    let is_many = MANY_IN_ONE.contains(&without_version(&target));
    is_usual_name(&name(shell)) || !is_many && is_usual_name(&target)
}

/// Tells whether a name is a usual shell's, whatever its version and build: of a login shell, or of a restricted one too.
fn is_usual_name(name: &str) -> bool {
    let name = without_version(name.strip_prefix('-').unwrap_or(name));
    let unrestricted = name.strip_prefix('r').unwrap_or(name);
    USUAL_SHELLS.contains(&name) || USUAL_SHELLS.contains(&unrestricted)
}

/// Takes a version, and what marks a build or a program that was put aside, off a program's name.
fn without_version(name: &str) -> &str {
    let is_version = |letter: char| letter.is_ascii_digit() || letter == '.' || letter == '-';
    let mut name = name;
    loop {
        let shorter = name.trim_end_matches(is_version);
        let shorter = ["-static", ".static", ".real"]
            .iter()
            .find_map(|end| shorter.strip_suffix(end))
            .unwrap_or(shorter);
        if shorter == name {
            return name;
        }
        name = shorter;
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::is_usual_shell;

    #[test]
    fn shells_are_known_by_any_version() {
        for shell in [
            "/bin/sh",
            "/usr/local/bin/bash5",
            "/bin/bash-static",
            "/bin/zsh-5.9",
            "/bin/ksh93",
            "/bin/rbash",
            "/bin/rksh",
            "/bin/rzsh",
            "/bin/rdash",
            "/bin/mksh-static",
            "/bin/zsh-static",
            "/bin/zsh5-static",
            "/bin/lksh",
            "/bin/yash",
            "/bin/busybox",
            "/bin/bash.real",
            "/bin/-bash",
            "/usr/bin/rc",
        ] {
            assert!(
                is_usual_shell(Path::new(shell), Path::new(shell)),
                "{shell}"
            );
        }
        for shell in [
            "/usr/bin/git-shell",
            "/usr/bin/rssh",
            "/bin/bash-menu",
            "/bin/2",
        ] {
            assert!(
                !is_usual_shell(Path::new(shell), Path::new(shell)),
                "{shell}"
            );
        }
    }

    #[test]
    fn a_link_is_the_shell_that_it_leads_to() {
        let is_usual = |shell: &str, to: &str| is_usual_shell(Path::new(shell), Path::new(to));
        assert!(is_usual("/usr/local/bin/shell", "/usr/bin/bash"));
        assert!(is_usual("/bin/sh", "/bin/busybox"));
        assert!(is_usual("/bin/sh", "/opt/ours"));
        assert!(!is_usual("/sbin/nologin", "/bin/busybox"));
        assert!(!is_usual("/bin/shell", "/usr/bin/git-shell"));
    }
}
