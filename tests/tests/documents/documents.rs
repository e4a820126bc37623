//! What the documents say of the sources is so.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test reports by panicking"
)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use jail::door::refusal::Code;
use login_jail_tests::documents::{Typed, follow, machine, typed};
use login_jail_tests::{Sandbox, roots, skipped};

const README: &str = include_str!("../../../README.md");
const SECURITY: &str = include_str!("../../../docs/security.md");
const QUICK_START: &str = include_str!("../../../docs/quick-start.md");
const AUDIT: &str = include_str!("../../../docs/audit.md");
const COMING_FROM: &str = include_str!("../../../docs/coming-from.md");
const MANY_MACHINES: &str = include_str!("../../../docs/many-machines.md");
const ROOTS: &str = include_str!("../../../docs/roots.md");
const CONTRIBUTING: &str = include_str!("../../../CONTRIBUTING.md");
const TROUBLESHOOTING: &str = include_str!("../../../docs/troubleshooting.md");

/// Types all commands of a section of a document into root's shell of a fresh machine, and gives that.
#[track_caller]
fn type_in(document: &str, heading: &str) -> Sandbox {
    let start = format!("\n## {heading}\n");
    let (_, section) = document.split_once(&start).unwrap();
    let sandbox = machine();
    follow(&sandbox, section.split("\n## ").next().unwrap());
    sandbox
}

/// Types in a set-up, and insists that `jailctl check` finds nothing but what the document accepts.
#[track_caller]
fn set_up(document: &str, heading: &str) {
    let report = type_in(document, heading).run(&["jailctl", "check"]);
    assert_eq!(report.code(), Some(0), "{report}");
}

/// Runs commands in their order; before some of them happens what the reader's machine has, or what time does.
#[track_caller]
fn type_with(sandbox: &Sandbox, part: &str, before: &[(&str, &str)]) {
    let commands = typed(part);
    assert!(commands.len() > 3, "{commands:?}");
    for Typed { command, .. } in &commands {
        for (_, script) in before
            .iter()
            .filter(|(start, _)| command.starts_with(start))
        {
            sandbox.must(script);
        }
        let outcome = sandbox.run(&["bash", "-c", &format!("cd /root; {command}")]);
        let findings = ["jailctl check", "jailctl update"];
        let may_find = findings.iter().any(|start| command.starts_with(start));
        let fine = outcome.code() == Some(0) || (may_find && outcome.code() == Some(1));
        assert!(fine, "{command}: {outcome}");
    }
    for (start, _) in before {
        assert!(
            commands.iter().any(|it| it.command.starts_with(start)),
            "{start}"
        );
    }
}

#[test]
fn readme_leads_from_nothing_to_a_jailed_user() {
    let (_, part) = README
        .split_once("\n## From nothing to a jailed user\n")
        .unwrap();
    let machine = machine().with("cp /root/key.pub /root/ann.pub; echo text >/home/you/letter.txt");
    follow(&machine, part.split("\n## ").next().unwrap());
}

#[test]
fn readmes_first_screen_is_one() {
    let (screen, _) = README.split_once("\nNow she can log in").unwrap();
    assert!(screen.lines().count() < 40, "{screen}");
    let commands = typed(screen);
    let [set_up] = commands.as_slice() else {
        panic!("one command after the package: {commands:?}");
    };
    assert!(set_up.command.starts_with("jailctl setup "), "{commands:?}");
}

#[test]
fn commands_for_roots_work() {
    let (_, part) = ROOTS.split_once("\n## Build, import, update\n").unwrap();
    let sandbox = Sandbox::new().plain_user("ann");
    type_with(
        &sandbox,
        part.split("\n## ").next().unwrap(),
        &[
            (
                "jailctl import debian.tar",
                "mkdir -p /root/debian/bin && cp /bin/busybox /root/debian/bin/sh && tar -cf /root/debian.tar -C /root/debian .",
            ),
            (
                "jailctl update",
                "echo changed >>/srv/jails/ann/usr/bin/git",
            ),
        ],
    );
    assert_eq!(
        sandbox.must("chroot /srv/jails/bob /bin/sh -c 'echo here'"),
        "here"
    );
}

#[test]
fn the_refusals_that_readme_shows_are_the_logs() {
    let without_uid = |line: &str| {
        let (before, behind) = line.split_once(" uid=").unwrap();
        let (_, behind) = behind.split_once(' ').unwrap();
        format!("{before} {behind}")
    };
    let mut shown = README
        .lines()
        .filter(|line| line.starts_with("refused code="));
    for sandbox in [
        Sandbox::new()
            .user("ann")
            .root(roots::dynamic())
            .with("chmod 777 /srv/jails"),
        Sandbox::new().user("ann").root(roots::missing_library()),
    ] {
        assert!(!sandbox.ssh("ann", "true").status.success());
        let line = sandbox.logged(&["refused", "reason="]);
        let (_, line) = line.split_once("refused ").unwrap();
        let line = without_uid(&format!("refused {line}"));
        assert_eq!(without_uid(shown.next().unwrap()), line);
    }
    assert_eq!(shown.next(), None);
}

#[test]
fn the_quick_start_to_a_drop_box_works() {
    set_up(QUICK_START, "An SFTP drop box");
}

#[test]
fn the_quick_start_to_a_shared_host_works() {
    set_up(QUICK_START, "A shared host");
}

#[test]
fn the_quick_start_to_a_class_room_works() {
    set_up(QUICK_START, "A class room");
}

#[test]
fn the_quick_start_to_contractors_works() {
    set_up(QUICK_START, "Contractors");
}

#[test]
fn the_quick_start_to_a_jump_host_works() {
    set_up(QUICK_START, "A jump host");
}

#[test]
fn the_quick_start_to_a_build_host_works() {
    set_up(QUICK_START, "A build host");
}

#[test]
fn the_way_from_jailkit_works() {
    if Path::new("/usr/sbin/jk_init").exists() {
        drop(type_in(COMING_FROM, "From jailkit"));
    } else {
        skipped("the way from jailkit", "it is not installed");
    }
}

#[test]
fn the_way_from_sshd_works() {
    set_up(COMING_FROM, "From sshd's ChrootDirectory");
}

#[test]
fn the_way_from_pam_chroot_works() {
    drop(type_in(COMING_FROM, "From pam_chroot"));
}

#[test]
fn what_two_migrations_print_is_joined_as_it_is_said() {
    drop(type_in(COMING_FROM, "From more than one"));
}

#[test]
fn groups_as_rules_work() {
    drop(type_in(MANY_MACHINES, "Groups as rules"));
}

#[test]
fn what_is_said_of_a_directory_service_works() {
    drop(type_in(MANY_MACHINES, "Users of a directory service"));
}

#[test]
fn a_config_for_every_machine_works() {
    drop(type_in(MANY_MACHINES, "The same config everywhere"));
}

#[test]
fn a_declared_state_works() {
    drop(type_in(MANY_MACHINES, "A declared state"));
}

#[test]
fn every_part_with_commands_is_tried() {
    let tests = include_str!("documents.rs");
    for (name, document) in [
        ("QUICK_START", QUICK_START),
        ("COMING_FROM", COMING_FROM),
        ("MANY_MACHINES", MANY_MACHINES),
    ] {
        let (preface, parts) = document.split_once("\n## ").unwrap();
        assert!(
            typed(preface).is_empty(),
            "what is not in a part is not run"
        );
        for part in parts.split("\n## ") {
            let heading = part.lines().next().unwrap();
            assert!(
                ["type_in", "set_up"]
                    .iter()
                    .any(|how| tests.contains(&format!("{how}({name}, \"{heading}\")"))),
                "{heading}"
            );
        }
    }
    for (name, document, run) in [
        ("README", README, &["From nothing to a jailed user"][..]),
        ("ROOTS", ROOTS, &["Build, import, update"]),
    ] {
        for part in document.split("\n## ") {
            let heading = part.lines().next().unwrap();
            let is_run = run.contains(&heading) || typed(part).is_empty();
            assert!(is_run, "{name}: {heading}");
        }
    }
    for document in [AUDIT, SECURITY, TROUBLESHOOTING, CONTRIBUTING] {
        let commands = typed(document);
        assert!(commands.is_empty(), "{commands:?} are not run");
    }
}

#[test]
fn every_code_of_a_refusal_is_explained_and_no_other() {
    let codes = Code::ALL.map(|code| format!("{code} ({})", code.status()));
    assert_eq!(headings("By code"), codes);
}

/// Gives the headings below one of the parts of the page on troubles.
fn headings(part: &str) -> Vec<&'static str> {
    let (_, rest) = TROUBLESHOOTING
        .split_once(&format!("\n## {part}\n"))
        .unwrap();
    let part = rest.split("\n## ").next().unwrap();
    part.lines()
        .filter_map(|line| line.strip_prefix("### "))
        .collect()
}

/// Asks `jailctl check` which kinds of findings it has.
fn kinds() -> Vec<String> {
    let help = Command::new(repository().join("target/tool/jailctl"))
        .args(["check", "--help"])
        .output()
        .unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let (_, behind) = help.split_once("Kinds of findings").unwrap();
    let (kinds, _) = behind.split_once("Exit status:").unwrap();
    let mut kinds: Vec<String> = kinds
        .lines()
        .filter_map(|line| line.strip_prefix("  ")?.split([' ', ':']).next())
        .map(str::to_owned)
        .collect();
    kinds.sort();
    kinds
}

#[test]
fn every_kind_of_a_finding_is_explained_and_no_other() {
    let codes = Code::ALL.map(|code| code.name());
    let explained = headings("By kind of finding");
    let kinds = kinds();
    assert!(kinds.len() > 100, "{kinds:?}");
    for kind in &kinds {
        let there = explained.contains(&kind.as_str()) || codes.contains(&kind.as_str());
        assert!(there, "{kind} is not in docs/troubleshooting.md");
    }
    for heading in explained {
        assert!(
            kinds.iter().any(|kind| kind == heading),
            "{heading} is no kind"
        );
    }
}

/// And so its command is looked at: see `refuse_unsafe_commands`, by which every `jailctl check` of a test comes.
#[test]
fn every_kind_of_a_finding_is_planted_by_a_test() {
    let tests = tests();
    for kind in kinds() {
        let is_named = |(_, text): &(PathBuf, String)| {
            text.contains(&format!("\"{kind}\"")) || text.contains(&format!("[{kind}]"))
        };
        assert!(tests.iter().any(is_named), "{kind}");
    }
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Gives the path and the text of each file of tests: those in the directories below `tests/tests/`.
fn tests() -> Vec<(PathBuf, String)> {
    let directories = fs::read_dir(repository().join("tests/tests")).unwrap();
    let files = directories.flat_map(|entry| fs::read_dir(entry.unwrap().path()).unwrap());
    files
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|it| it == "rs"))
        .map(|path| (path.clone(), fs::read_to_string(path).unwrap()))
        .collect()
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
    let tests = tests();
    for (suite, test) in named {
        let file = format!("{suite}.rs");
        let mut sources = tests.iter().filter(|(path, _)| path.ends_with(&file));
        let is_there = sources.any(|(_, text)| text.contains(&format!("fn {test}()")));
        assert!(is_there, "{suite}::{test}");
    }
}

/// Phrases that readers had to read twice, each with plainer words for it.
#[test]
fn documents_say_it_in_plain_words() {
    let riddles = [
        ("can't be had", "is not available"),
        ("could not be had", "was not available"),
        ("hom no rule", "users without a rule"),
        ("is not there", "is missing"),
        ("are not there", "are missing"),
        ("unjailed", "without a jail"),
        ("ask no login shell", "do not start a login shell"),
        ("for want of", "because something is missing"),
        ("lest ", "so that not"),
    ];
    let directories = ["", "docs", "docs/how-to"].map(|it| repository().join(it));
    let files = directories.iter().flat_map(|it| fs::read_dir(it).unwrap());
    let pages: Vec<PathBuf> = files
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|it| it == "md"))
        .collect();
    assert!(pages.len() > 8, "{pages:?}");
    for page in pages {
        let text = fs::read_to_string(&page).unwrap().replace('\n', " ");
        for (riddle, plain) in riddles {
            assert!(!text.contains(riddle), "{page:?}: {riddle}: say {plain}");
        }
    }
}

#[test]
fn every_file_that_a_document_names_is_there() {
    let mut seen = 0;
    let names = [
        "README.md",
        "docs/security.md",
        "docs/audit.md",
        "docs/quick-start.md",
        "docs/coming-from.md",
        "docs/many-machines.md",
        "docs/troubleshooting.md",
        "docs/roots.md",
        "docs/other-systems.md",
        "docs/compared.md",
        "docs/clients.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "CHANGELOG.md",
    ];
    let names = names.map(str::to_owned).into_iter();
    let pages = fs::read_dir(repository().join("docs/how-to")).unwrap();
    let pages = pages.map(|it| format!("docs/how-to/{}", it.unwrap().file_name().display()));
    for name in names.chain(pages) {
        let text = fs::read_to_string(repository().join(&name)).unwrap();
        let parts = [
            "config/",
            "jail/",
            "jail-shell/",
            "pam-module/",
            "roots/",
            "jailctl/",
            "roots/",
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
            if link.starts_with("https://") {
                continue;
            }
            let link = link.split('#').next().unwrap();
            let beside = repository().join(&name).with_file_name(link);
            assert!(link.is_empty() || beside.exists(), "{name}: {link}");
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
