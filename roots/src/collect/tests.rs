use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use super::Collector;
use crate::{
    closure::{Closure, Entry},
    note::Note,
};

fn of(program: &str) -> Closure {
    let mut collector = Collector::new();
    collector.program(program).unwrap();
    collector.finish()
}

#[test]
fn a_program_brings_its_loader_and_every_link_on_the_way() {
    let closure = of("sh");
    let real = fs::canonicalize("/bin/sh").unwrap();
    assert_eq!(closure.entries.get(&real), Some(&Entry::File(0o755)));
    let libc =
        |path: &&std::path::PathBuf| path.file_name().is_some_and(|name| name == "libc.so.6");
    assert_eq!(closure.entries.keys().filter(libc).count(), 1);
    for (path, entry) in &closure.entries {
        let parent = path.parent().unwrap();
        let parent = closure.entries.get(parent);
        assert!(
            path.parent() == Some(Path::new("/")) || parent == Some(&Entry::Directory),
            "{path:?}"
        );
        if let Entry::Link(target) = entry {
            assert_eq!(&fs::read_link(path).unwrap(), target);
        }
    }
}

#[test]
fn a_script_brings_what_runs_it() {
    let closure = of("ldd");
    let bash = fs::canonicalize("/bin/bash").unwrap();
    assert!(closure.entries.contains_key(&bash));
}

#[test]
fn takes_nothing_that_not_everybody_may_read() {
    let fault = Collector::new().program("/etc/shadow").unwrap_err();
    assert_eq!(
        fault.to_string(),
        "program /etc/shadow: /etc/shadow is not for everybody to read; left out"
    );
}

#[test]
fn takes_nothing_that_a_root_has_of_its_own() {
    let version = Path::new("/proc/version");
    let mut collector = Collector::new();
    assert!(!collector.add(version, super::Role::Part));
    let closure = collector.finish();
    assert!(closure.notes.contains(&Note::Own {
        path: version.into()
    }));
    assert!(!closure.entries.contains_key(version));
}

#[test]
fn takes_no_whole_system() {
    let mut collector = Collector::new();
    collector.add(Path::new("/usr"), super::Role::Part);
    collector.add(Path::new("/usr/share/.."), super::Role::Part);
    let closure = collector.finish();
    assert!(
        !closure
            .entries
            .keys()
            .any(|path| path.starts_with("/usr/share/doc"))
    );
}

#[test]
fn modes_lose_set_id_bits_and_write_permission_for_others() {
    let closure = of("su");
    let su = fs::canonicalize("/bin/su").unwrap();
    assert_eq!(
        fs::metadata(&su).unwrap().permissions().mode() & 0o7777,
        0o4755
    );
    assert_eq!(closure.entries.get(&su), Some(&Entry::File(0o755)));
}
