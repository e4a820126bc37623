//! Patterns of paths, as presets write them: `*` and `?` within one component, and nothing else.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::ffi::OsStrExt,
    path::{Component, Path, PathBuf},
};

/// Whether a name fits a pattern of one component.
#[must_use]
pub fn fits(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut from) = (0, 0);
    // Where the last asterisk stands, and up to where in the name it has been taken to reach.
    let mut asterisk: Option<(usize, usize)> = None;
    while from < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                asterisk = Some((at, from));
                at += 1;
            }
            Some(byte) if *byte == b'?' || name.get(from) == Some(byte) => {
                at += 1;
                from += 1;
            }
            _ => {
                let Some((star, reached)) = asterisk else {
                    return false;
                };
                asterisk = Some((star, reached + 1));
                at = star + 1;
                from = reached + 1;
            }
        }
    }
    pattern.iter().skip(at).all(|byte| *byte == b'*')
}

/// Whether a path fits a pattern of a whole path, or is below what does.
#[must_use]
pub fn covers(pattern: &str, path: &Path) -> bool {
    let mut components = path.components();
    Path::new(pattern).components().all(|wanted| {
        let found = components.next();
        found.is_some_and(|found| fits(wanted.as_os_str().as_bytes(), found.as_os_str().as_bytes()))
    })
}

/// Gives the paths of the host that fit a pattern, sorted. Names that start with a dot are matched by a dot only.
#[must_use]
pub fn expand(pattern: &str) -> Vec<PathBuf> {
    let mut found = BTreeSet::from([PathBuf::from("/")]);
    for component in Path::new(pattern).components() {
        let Component::Normal(wanted) = component else {
            continue;
        };
        let wanted = wanted.as_bytes();
        let plain = !wanted.iter().any(|byte| b"*?".contains(byte));
        let next = found.iter().flat_map(|directory| {
            if plain {
                let path = directory.join(component);
                return if path.symlink_metadata().is_ok() {
                    vec![path]
                } else {
                    Vec::new()
                };
            }
            let entries = fs::read_dir(directory).into_iter().flatten().flatten();
            entries
                .filter(|entry| {
                    let name = entry.file_name();
                    let name = name.as_bytes();
                    name.starts_with(b".") == wanted.starts_with(b".") && fits(wanted, name)
                })
                .map(|entry| entry.path())
                .collect()
        });
        found = next.collect();
    }
    found.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{covers, expand, fits};

    #[test]
    fn asterisks_and_question_marks_fit_what_they_should() {
        for (pattern, name, expected) in [
            ("*", "", true),
            ("xterm*", "xterm-256color", true),
            ("*.so.?", "libc.so.6", true),
            ("*a*b", "xaxxab", true),
            ("a?c", "ac", false),
            ("a*", "ba", false),
            ("", "a", false),
        ] {
            let fit = fits(pattern.as_bytes(), name.as_bytes());
            assert_eq!(fit, expected, "{pattern} {name}");
        }
    }

    #[test]
    fn a_pattern_covers_what_is_below_it() {
        let pattern = "/usr/lib/python3*/test";
        assert!(covers(pattern, Path::new("/usr/lib/python3.11/test/a/b")));
        assert!(!covers(pattern, Path::new("/usr/lib/python3.11")));
        assert!(!covers(pattern, Path::new("/usr/lib/python3.11/tests")));
    }

    #[test]
    fn expands_to_what_the_host_has() {
        assert_eq!(expand("/etc/passw?"), [Path::new("/etc/passwd")]);
        assert!(expand("/etc/no such thing/*").is_empty());
    }
}
