//! That kinds are described, found and mended by the words that they have.

use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::{FindingKind, GROUPS, Severity};
use crate::doctor::mend;

/// Lists the files below a directory.
fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .flat_map(|path| match path.is_dir() {
            true => files(&path),
            false => vec![path],
        })
        .collect()
}

/// Gives the sources that make findings.
fn sources() -> String {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut all = files(&source.join("doctor/check"));
    all.extend(files(&source.join("attack")));
    all.extend([source.join("doctor/check.rs")]);
    let texts = all
        .into_iter()
        .map(|it| std::fs::read_to_string(it).unwrap());
    texts.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_kind_that_always_has_one_severity_is_made_with_no_other() {
    let text = sources();
    let calls = [
        ("Finding::error(", Severity::Error),
        ("Finding::refused(", Severity::Error),
        ("Finding::warning(", Severity::Warning),
        ("Finding::note(", Severity::Note),
    ];
    let mut seen = 0;
    for (call, severity) in calls {
        for arguments in text.split(call).skip(1) {
            let arguments = arguments.trim_start();
            let Some(word) = arguments.strip_prefix("FindingKind::") else {
                continue;
            };
            let word = word
                .split(|letter: char| !letter.is_alphanumeric())
                .next()
                .unwrap();
            let kind = FindingKind::value_variants().iter();
            let kind = kind.copied().find(|it| format!("{it:?}") == word).unwrap();
            assert!(kind.severity().is_none_or(|it| it == severity), "{kind:?}");
            seen += 1;
        }
    }
    assert!(seen > 90, "{seen}");
}

#[test]
fn every_kind_is_found_and_described() {
    let text = sources();
    for kind in FindingKind::value_variants() {
        let is_made = text.contains(&format!("FindingKind::{kind:?}"));
        assert!(is_made, "{kind:?} is never found");
        assert!(kind.about().len() > 10, "{kind:?}");
        assert_eq!(FindingKind::named(&kind.name()), Some(*kind));
    }
    let firsts: Vec<_> = GROUPS.iter().map(|(_, first)| *first).collect();
    assert!(firsts.is_sorted(), "{firsts:?}");
}

#[test]
fn what_is_mended_is_a_kind_of_finding() {
    for kind in mend::Kind::value_variants() {
        let name = kind.name();
        // The jail's group file is a part of what host-files is about.
        let is_kind = FindingKind::named(&name).is_some() || name == "group-disagrees";
        assert!(is_kind, "{name}");
    }
}
