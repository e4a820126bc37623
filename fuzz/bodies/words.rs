//! Any bytes as a command line: what is split without a shell is what a shell splits, and nothing more.
//!
//! The shell has nothing but itself in its root, no network and no rights: what the splitter lets through by mistake does no harm.

use std::{
    ffi::{OsStr, OsString},
    fs,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::Path,
    process::Command,
};

use jail::plan::words::{Word, split, split_with_patterns};

const HOME: &str = "/home/ann";

/// Makes the root that the shell has. `busybox` is a static one.
pub(crate) fn make_root(root: &Path, busybox: &Path) {
    fs::create_dir_all(root).unwrap();
    fs::copy(busybox, root.join("busybox")).unwrap();
}

/// Takes one input.
pub(crate) fn take(bytes: &[u8], root: &Path) {
    if bytes.contains(&0) || bytes.len() > 4096 {
        return;
    }
    let line = OsStr::from_bytes(bytes);
    let with_patterns = split_with_patterns(line);
    if let Ok(plain) = split(line) {
        let same: Vec<Word> = plain.into_iter().map(Word::plain).collect();
        assert_eq!(with_patterns.as_ref(), Ok(&same), "both splitters agree");
    }
    let Ok(words) = with_patterns else { return };
    let expected: Vec<OsString> = words.iter().map(at_home).collect();
    assert_eq!(expected, by_shell(bytes.trim_ascii_start(), root));
}

fn at_home(word: &Word) -> OsString {
    let mut text = word.text.as_bytes().to_vec();
    if word.home {
        text.splice(0..1, HOME.bytes());
    }
    OsString::from_vec(text)
}

/// Asks a shell for the words. Patterns are left as they are.
fn by_shell(line: &[u8], root: &Path) -> Vec<OsString> {
    let mut script =
        b"set -f; show() { for word; do printf '%s\\0' \"$word\"; done; }; show ".to_vec();
    script.extend_from_slice(line);
    let told = Command::new("unshare")
        .args(["--net", "chroot", "--userspec=65534:65534"])
        .arg(root)
        .args(["/busybox", "sh", "-c"])
        .arg(OsStr::from_bytes(&script))
        .env_clear()
        .env("HOME", HOME)
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .output()
        .unwrap();
    assert!(told.status.success(), "{told:?}");
    let mut words: Vec<OsString> = told
        .stdout
        .split(|byte| *byte == 0)
        .map(|word| OsStr::from_bytes(word).to_owned())
        .collect();
    assert_eq!(words.pop(), Some(OsString::new()));
    words
}
