//! What the documents say of the sources is so.

use std::{
    fs,
    path::{Path, PathBuf},
};

const SECURITY: &str = include_str!("../../docs/security.md");

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Gives what stands between backquotes.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn every_test_that_the_security_model_names_is_there() {
    let named: Vec<_> = quoted(SECURITY)
        .filter_map(|word| word.split_once("::"))
        .filter(|(suite, _)| *suite != "suite")
        .collect();
    assert!(named.len() > 15, "{named:?}");
    for (suite, test) in named {
        let file = repository().join(format!("tests/tests/{suite}.rs"));
        let source = fs::read_to_string(&file).unwrap_or_default();
        assert!(source.contains(&format!("fn {test}()")), "{suite}::{test}");
    }
}

#[test]
fn every_file_that_a_document_names_is_there() {
    let mut seen = 0;
    for name in ["README.md", "docs/security.md", "docs/audit.md"] {
        let text = fs::read_to_string(repository().join(name)).unwrap();
        let parts = [
            "config/",
            "jail/",
            "jail-shell/",
            "pam-module/",
            "jailctl/",
            "tests/",
            "fuzz/",
            "packaging/",
            "docs/",
        ];
        for word in quoted(&text).filter(|word| parts.iter().any(|part| word.starts_with(part))) {
            seen += 1;
            assert!(repository().join(word).exists(), "{name}: {word}");
        }
        for link in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            seen += 1;
            let beside = repository().join(name).with_file_name(link);
            assert!(beside.exists(), "{name}: {link}");
        }
    }
    assert!(seen > 20, "{seen}");
}

/// Counts the lines of all Rust sources below a directory.
fn lines_below(directory: &Path) -> usize {
    fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| match path.extension() {
            _ if path.is_dir() => lines_below(&path),
            Some(kind) if kind == "rs" => fs::read_to_string(&path).unwrap().lines().count(),
            _ => 0,
        })
        .sum()
}

#[test]
fn the_security_model_has_the_size_of_what_is_privileged() {
    for directories in [
        &["config/src"][..],
        &["jail/src"],
        &["jail-shell/src", "pam-module/src"],
    ] {
        let counted: usize = directories
            .iter()
            .map(|directory| lines_below(&repository().join(directory)))
            .sum();
        let names: Vec<String> = directories.iter().map(|it| format!("`{it}`")).collect();
        let names = names.join(" and ");
        let row = format!("| {names} | {},000 |", (counted + 500) / 1000);
        assert!(SECURITY.contains(&row), "{row} is not in docs/security.md");
    }
}
