//! The files of each crate form layers: no file imports, directly or through others, a file that imports it. The `use`
//! lines and the paths in the code of all crates are read, and each is followed to the file that defines what it names.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a test reports by panicking"
)]

mod modules;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fs,
    path::{Path, PathBuf},
};

use modules::{Imports, Sources, imports};

/// The shortest way along imports, from a file to another, with the line of each import.
fn way(imports: &Imports, from: &Path, to: &Path) -> Option<Vec<String>> {
    let mut before: BTreeMap<&Path, (&Path, usize)> = BTreeMap::new();
    let mut next = VecDeque::from([from]);
    while let Some(file) = next.pop_front() {
        for (imported, line) in imports.get(file).into_iter().flatten() {
            if before.contains_key(imported.as_path()) {
                continue;
            }
            before.insert(imported, (file, *line));
            if imported != to {
                next.push_back(imported);
                continue;
            }
            let mut steps = vec![to.display().to_string()];
            let mut at = to;
            loop {
                let (earlier, line) = before[at];
                steps.push(format!("{}:{line}", earlier.display()));
                at = earlier;
                if at == from {
                    steps.reverse();
                    return Some(steps);
                }
            }
        }
    }
    None
}

/// The shortest circle through each file that is in one and in no circle that was found before.
fn circles(imports: &Imports) -> Vec<String> {
    let mut shown = BTreeSet::new();
    let mut circles = Vec::new();
    for file in imports.keys() {
        if shown.contains(file) {
            continue;
        }
        if let Some(steps) = way(imports, file, file) {
            shown.extend(steps.iter().map(|step| {
                PathBuf::from(step.split_once(':').map_or(step.as_str(), |(file, _)| file))
            }));
            circles.push(steps.join(" -> "));
        }
    }
    circles
}

/// Reads all files of Rust of the workspace's packages.
fn workspace() -> Sources {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut sources = Sources::new();
    let mut directories: Vec<PathBuf> = entries(top)
        .into_iter()
        .filter(|package| package.join("Cargo.toml").exists())
        .collect();
    while let Some(directory) = directories.pop() {
        for entry in entries(&directory) {
            if entry.is_dir() && !entry.ends_with("target") {
                directories.push(entry);
            } else if entry.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&entry).unwrap();
                sources.insert(entry.strip_prefix(top).unwrap().to_owned(), text);
            }
        }
    }
    sources
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// The parts of a crate: a file uses its own part and those behind it in the list, and none before it.
struct Layers {
    /// Where its files are.
    sources: &'static str,
    parts: &'static [&'static [&'static str]],
}

const LAYERS: [Layers; 3] = [CORE, ROOTS, TOOL];

/// The parts of the core, which tests/pictures/layers.py draws.
const PARTS: [&[&str]; 14] = [
    &["lib.rs"],
    &["serve.rs"],
    &["door"],
    &["session"],
    // Some of its files are made as the user.
    &["world"],
    // Its lines name what was planned, and how a process ended.
    &["log"],
    &["process"],
    &["plan"],
    &["account"],
    &["own.rs"],
    &["trust.rs", "untrusted.rs", "served.rs", "marked.rs"],
    &["channel.rs", "lock.rs", "packed.rs"],
    &["fault.rs", "code.rs", "resolve.rs"],
    &["sys"],
];

const CORE: Layers = Layers {
    sources: "jail/src",
    parts: &PARTS,
};

const ROOTS: Layers = Layers {
    sources: "roots/src",
    parts: &[
        &["lib.rs"],
        // What an administrator asks for.
        &[
            "build.rs",
            "foreseen.rs",
            "import.rs",
            "untouched.rs",
            "update.rs",
        ],
        &[
            "change.rs",
            "existing.rs",
            "new_root.rs",
            "registry.rs",
            "versions.rs",
        ],
        // A generation, and what takes the place of what.
        &["generation.rs"],
        &["journal.rs", "populate.rs", "skeleton.rs", "strangers.rs"],
        // What somebody else has packed.
        &["archive.rs", "image.rs"],
        &[
            "bounded.rs",
            "brought.rs",
            "compression.rs",
            "item.rs",
            "store.rs",
            "tape.rs",
        ],
        // Which of the host's files it takes.
        &["collect.rs"],
        &[
            "etc.rs",
            "library_cache.rs",
            "library_directories.rs",
            "loader.rs",
            "presets.rs",
        ],
        &["manifest.rs"],
        &["closure.rs", "note.rs"],
        &["host.rs", "pattern.rs", "shebang.rs"],
        // How it is written.
        &["lock.rs", "trusted.rs"],
        &["tree.rs"],
        &["directory.rs", "place.rs"],
        &["fault.rs", "progress.rs"],
        &["terminal.rs"],
    ],
};

const TOOL: Layers = Layers {
    sources: "jailctl/src",
    parts: &[
        &["bin", "lib.rs", "main.rs"],
        &["cli.rs", "stand_in.rs"],
        &["commands", "commands.rs"],
        &["manual.rs", "page.rs"],
        &["migrate", "migrate.rs"],
        &["setup", "setup.rs"],
        &["doctor", "doctor.rs"],
        &["attack", "attack.rs"],
        &["command_lines.rs", "guest.rs"],
        // Processes that stand in for a user.
        &["watch.rs"],
        &["libexec.rs"],
        &["accounts", "accounts.rs"],
        // What there is on the host.
        &["counts.rs", "last_check.rs", "record.rs"],
        &["process.rs"],
        &["door.rs"],
        &["mountinfo.rs", "pam", "pam.rs", "sshd_config.rs"],
        // What is said.
        &["kept.rs", "output.rs", "progress.rs", "style.rs"],
        &["clock.rs", "shell.rs", "stdout.rs"],
        &["failure.rs", "terminal.rs"],
    ],
};

/// Says which crate's layers a file belongs to, and which of their parts it is in.
fn part(file: &Path) -> Option<(&'static str, usize)> {
    let within = |it: &&Layers| file.starts_with(it.sources);
    let layers = LAYERS.iter().find(within)?;
    let below = file.strip_prefix(layers.sources).unwrap();
    let place = |name: &&str| below.starts_with(name);
    let part = layers
        .parts
        .iter()
        .position(|names| names.iter().any(place));
    let part = part.unwrap_or_else(|| panic!("{}: of which part is this?", file.display()));
    Some((layers.sources, part))
}

/// The imports of a crate that lead to a part before the file's own.
fn upward(imports: &Imports) -> Vec<String> {
    let mut found = Vec::new();
    for (file, imported) in imports {
        for (other, line) in imported {
            let up = |((own, from), (its, to))| own == its && to < from;
            if part(file).zip(part(other)).is_some_and(up) {
                found.push(format!("{}:{line} -> {}", file.display(), other.display()));
            }
        }
    }
    found
}

#[test]
fn no_file_imports_a_file_that_imports_it() {
    let circles = circles(&imports(&workspace()));
    assert!(circles.is_empty(), "{}", circles.join("\n"));
}

#[test]
fn the_core_the_roots_and_the_tool_import_downwards_only() {
    let upward = upward(&imports(&workspace()));
    assert!(upward.is_empty(), "{}", upward.join("\n"));
}

fn made_up(files: &[(&str, &str)]) -> Imports {
    let files = files.iter();
    imports(
        &files
            .map(|(file, text)| (PathBuf::from(file), (*text).to_owned()))
            .collect(),
    )
}

#[test]
fn a_circle_is_found_through_re_exports_and_children_and_shown_with_its_lines() {
    let found = made_up(&[
        (
            "x/src/lib.rs",
            "pub mod a;\nmod b;\npub use b::inner::Inner as Other;",
        ),
        (
            "x/src/a.rs",
            "use std::fmt;\nuse crate::Other;\npub fn a() {}",
        ),
        ("x/src/b/mod.rs", "pub mod inner;"),
        (
            "x/src/b/inner.rs",
            "pub struct Inner;\nfn f() {\n  println!(\"{:?}\", super::super::a::a());\n}",
        ),
    ]);
    assert_eq!(
        circles(&found),
        ["x/src/a.rs:2 -> x/src/b/inner.rs:3 -> x/src/a.rs"]
    );
}

#[test]
fn a_parent_that_uses_its_child_and_is_used_by_it_is_a_circle() {
    let parent = "mod child;\npub struct Own;\nfn f() { child::g() }";
    let circle = made_up(&[
        ("x/src/main.rs", parent),
        ("x/src/child.rs", "pub fn g() -> super::Own { super::Own }"),
    ]);
    assert_eq!(
        circles(&circle),
        ["x/src/child.rs:1 -> x/src/main.rs:3 -> x/src/child.rs"]
    );
    let none = made_up(&[
        ("x/src/main.rs", parent),
        (
            "x/src/child.rs",
            "pub(super) fn g() {}\n#[cfg(test)]\nmod tests { use super::super::Own; }",
        ),
    ]);
    assert!(circles(&none).is_empty());
}

#[test]
fn an_import_from_a_part_above_is_found() {
    let found = made_up(&[
        ("jail/src/lib.rs", "mod plan;\nmod world;"),
        (
            "jail/src/plan/mod.rs",
            "\nuse crate::world::World;\npub struct Plan(World);",
        ),
        ("jail/src/world/mod.rs", "pub struct World;"),
    ]);
    assert!(circles(&found).is_empty());
    assert_eq!(
        upward(&found),
        ["jail/src/plan/mod.rs:2 -> jail/src/world/mod.rs"]
    );
    let found = made_up(&[
        ("jailctl/src/lib.rs", "mod attack;\nmod doctor;"),
        (
            "jailctl/src/attack.rs",
            "use crate::doctor::Finding;\npub struct Attack(Finding);",
        ),
        ("jailctl/src/doctor.rs", "pub struct Finding;"),
    ]);
    assert_eq!(
        upward(&found),
        ["jailctl/src/attack.rs:1 -> jailctl/src/doctor.rs"]
    );
}
