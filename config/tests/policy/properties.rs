//! What holds for every text: no panic, and a printed policy is the policy.

#![allow(
    clippy::indexing_slicing,
    reason = "clippy allows it in tests, and these are parts of tests"
)]

use std::path::Path;

use crate::common::{Person, parse};
use jail_config::{Faults, Policy};
use proptest::prelude::*;

const VALID: &str = include_str!("../../../fuzz/corpus/config/design.toml");
const EVERY_KEY: &str = include_str!("../../../fuzz/corpus/config/every-key.toml");

fn name() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z][a-z0-9_-]{0,8}", "[^@/\\p{C}{][^/\\p{C}]{0,8}"]
}

fn path() -> impl Strategy<Value = String> {
    let component = prop_oneof!["[a-z0-9 \"\\\\é-]{1,6}", Just("{user}".to_owned())];
    prop::collection::vec(component, 1..4).prop_map(|parts| format!("/{}", parts.join("/")))
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// One of a few words.
fn word(words: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::sample::select(words).prop_map(quoted)
}

fn ports() -> impl Strategy<Value = String> {
    let list =
        |key| prop::collection::vec(any::<u16>(), 0..4).prop_map(move |p| format!("{key} = {p:?}"));
    let one = prop_oneof![list("connect"), list("bind")];
    let both = (list("connect"), list("bind")).prop_map(|(c, b)| format!("{b}, {c}"));
    prop_oneof![one, both].prop_map(|lists| format!("{{ {lists} }}"))
}

fn mounts() -> impl Strategy<Value = String> {
    let mount = (path(), path(), word(&["ro", "rw"]));
    prop::collection::vec(mount, 0..3).prop_map(|mounts| {
        let mounts = mounts
            .iter()
            .enumerate()
            .map(|(n, (source, target, mode))| {
                let (source, target) = (quoted(source), quoted(&format!("/mnt/{n}{target}")));
                format!("{{ source = {source}, target = {target}, mode = {mode} }}")
            });
        format!("[{}]", mounts.collect::<Vec<_>>().join(", "))
    })
}

/// A key that needs namespaces.
fn full_line() -> impl Strategy<Value = (&'static str, String)> {
    const CONTENTS: &[&str] = &["private", "root"];
    prop_oneof![
        word(&["none", "host"]).prop_map(|base| ("base", base)),
        path().prop_map(|base| ("base", quoted(&base))),
        Just(("base", "\"host\"\netc = [\"php\"]".to_owned())),
        Just(("services", "[\"mysql\", \"mail\"]".to_owned())),
        word(&["host", "none"]).prop_map(|network| ("network", network)),
        word(CONTENTS).prop_map(|proc| ("proc", proc)),
        word(CONTENTS).prop_map(|dev| ("dev", dev)),
        word(CONTENTS).prop_map(|tmp| ("tmp", tmp)),
        mounts().prop_map(|mounts| ("mounts", mounts)),
        word(&["sftp", "/usr/bin/x"]).prop_map(|one| ("commands", format!("[{one}, \"git\"]"))),
        any::<bool>().prop_map(|it| (
            "record",
            format!("{{ what = \"terminal\", input = {it}, size = \"1M\", total = \"3M\" }}")
        )),
        (1..10_000_u64).prop_map(|it| ("idle", format!("\"{it}m\""))),
        word(&["session", "user"]).prop_map(|scope| ("scope", scope)),
        any::<bool>().prop_map(|linger| ("linger", linger.to_string())),
        word(&["root", "user"]).prop_map(|owner| ("root_owner", owner)),
    ]
}

fn jail_line() -> impl Strategy<Value = (&'static str, String)> {
    prop_oneof![
        word(&["files", "require"]).prop_map(|landlock| ("landlock", landlock)),
        word(&["default", "off"]).prop_map(|seccomp| ("seccomp", seccomp)),
        ports().prop_map(|ports| ("network", ports)),
        path().prop_map(|p| ("home", quoted(&p))),
        Just(("shell", quoted("/bin/dash"))),
        word(&["keep", "primary"]).prop_map(|groups| ("groups", groups)),
        any::<bool>().prop_map(|it| ("create", it.to_string())),
        path().prop_map(|it| (
            "create",
            format!("{{ skel = {}, mode = \"750\" }}", quoted(&it))
        )),
        (0..0o1000_u32).prop_map(|mask| ("umask", format!("\"{mask:04o}\""))),
        any::<u64>().prop_map(|n| (
            "limits",
            format!(
                "{{ nproc = {n}, cpu = \"{}%\", fsize = {n}, memory = {}, io = {} }}",
                n % 100_000 + 1,
                (n >> 1).max(16 << 20),
                n % 10_000 + 1
            )
        )),
        (any::<String>(), "[A-Z_][A-Z0-9_]{0,5}").prop_filter_map(
            "a variable a key sets, or a NUL",
            |(value, name)| {
                let plain: String = value.chars().filter(|c| !c.is_control()).collect();
                let free = !["HOME", "USER", "SHELL", "LOGNAME"].contains(&name.as_str());
                let set = format!(
                    "{{ pass = [\"X_*\"], set = {{ {name} = {} }} }}",
                    quoted(&plain)
                );
                free.then_some(("env", set))
            }
        ),
    ]
}

/// The lines of a valid jail, but for its root.
fn jail() -> impl Strategy<Value = Vec<(&'static str, String)>> {
    let lines = || prop::collection::vec(jail_line(), 0..4);
    let full = prop::collection::vec(full_line(), 0..5);
    let full = (lines(), full).prop_map(|(lines, full)| [lines, full].concat());
    let chroot = lines().prop_map(|lines| {
        let isolation = ("isolation", quoted("chroot"));
        [lines, vec![isolation]].concat()
    });
    prop_oneof![full, chroot]
}

/// A valid config with whatever users, groups and jails.
fn config() -> impl Strategy<Value = String> {
    let jails = prop::collection::btree_map(name(), jail(), 1..4);
    let rules =
        || prop::collection::btree_map(name(), (any::<prop::sample::Index>(), path()), 0..5);
    (jails, rules(), rules(), prop::collection::vec(name(), 0..3)).prop_map(
        |(jails, users, groups, exempt)| {
            let names: Vec<&String> = jails.keys().collect();
            let exempt: Vec<String> = exempt.iter().map(|name| quoted(name)).collect();
            let mut text = format!("exempt = [{}]\n", exempt.join(", "));
            for (table, rules) in [("users", &users), ("groups", &groups)] {
                text += &format!("[{table}]\n");
                // Backwards, so that the order of the file is not that of the names.
                for (name, (choice, path)) in rules.iter().rev() {
                    let target = match choice.index(names.len() + 1) {
                        0 => path,
                        n => names[n - 1],
                    };
                    text += &format!("{} = {}\n", quoted(name), quoted(target));
                }
            }
            for (name, lines) in &jails {
                text += &format!("[jails.{}]\nroot = \"/srv/{{user}}\"\n", quoted(name));
                let lines: std::collections::BTreeMap<_, _> = lines.iter().cloned().collect();
                for (key, value) in lines {
                    text += &format!("{key} = {value}\n");
                }
            }
            text
        },
    )
}

/// Deletes, doubles or replaces some bytes of a valid config.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let edit = (any::<prop::sample::Index>(), 0..4_u8, any::<u8>());
    let edits = prop::collection::vec(edit, 1..8);
    (prop_oneof![Just(VALID), Just(EVERY_KEY)], edits).prop_map(|(text, edits)| {
        let mut bytes = text.as_bytes().to_vec();
        for (place, kind, byte) in edits {
            let at = place.index(bytes.len());
            match kind {
                0 => drop(bytes.remove(at)),
                1 => bytes.insert(at, b"[]{}=.,\"'\n#"[usize::from(byte) % 11]),
                2 => bytes[at] = byte,
                _ => bytes.insert(at, bytes[at]),
            }
        }
        bytes
    })
}

fn check(text: &[u8]) -> Result<(), TestCaseError> {
    let file = Path::new("config.toml");
    let presentable = |faults: Faults| {
        let shown = faults.to_string();
        let lines: Vec<usize> = faults.iter().map(|fault| fault.line).collect();
        !shown.is_empty()
            && lines.is_sorted()
            && !shown.contains(|c: char| c.is_control() && c != '\n')
            && faults
                .iter()
                .all(|fault| !fault.one_line().contains(char::is_control))
    };
    match Policy::parse(file, text) {
        Err(faults) => prop_assert!(presentable(faults)),
        Ok(policy) => {
            let printed = policy.to_string();
            prop_assert_eq!(&parse(&printed), &Ok(policy.clone()), "{}", printed);
            let person = Person::new("alice", &["users", "web"]);
            let own = policy.parse_user_file(file, text).ok();
            drop(policy.decide(&person.account(), own.as_ref()));
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn a_printed_policy_parses_to_itself(text in config()) {
        let policy = parse(&text);
        prop_assert!(policy.is_ok(), "{}\n{}", text, policy.unwrap_err());
        let policy = policy.unwrap();
        prop_assert_eq!(parse(&policy.to_string()), Ok(policy), "{}", text);
    }

    #[test]
    fn survives_arbitrary_bytes(text in prop::collection::vec(any::<u8>(), 0..300)) {
        check(&text)?;
    }

    #[test]
    fn survives_arbitrary_text(text in "[a-c\\[\\]{}=.,\"'\n #@/é\u{1b}-]{0,120}") {
        check(text.as_bytes())?;
    }

    #[test]
    fn survives_a_valid_config_with_mistakes(text in mutated()) {
        check(&text)?;
    }

    #[test]
    fn survives_a_user_file_with_mistakes(text in mutated()) {
        let policy = crate::common::policy(VALID);
        if let Err(faults) = policy.parse_user_file(Path::new("ann.toml"), &text) {
            prop_assert!(!faults.to_string().is_empty());
        }
    }
}
