//! Any bytes as a config and as a file of `users.d`: no panic, presentable faults, a printed policy
//! that parses to itself, and no root that leads elsewhere.

use std::ffi::{OsStr, OsString};
use std::path::{Component, Path};

use jail_config::{Account, Base, Decision, Faults, Jail, Policy, UserFile};

const DESIGN: &[u8] = include_bytes!("../corpus/config/design.toml");

/// Takes one input.
pub(crate) fn take(text: &[u8]) {
    let file = Path::new("config.toml");
    match Policy::parse(file, text) {
        Ok(policy) => {
            let printed = policy.to_string();
            let again = Policy::parse(file, printed.as_bytes());
            assert_eq!(again.as_ref(), Ok(&policy), "{printed}");
            decide(&policy, None);
        }
        Err(faults) => present(&faults),
    }

    let design = Policy::parse(file, DESIGN).expect("the seed is valid");
    match design.parse_user_file(Path::new("alice.toml"), text) {
        Ok(user_file) => decide(&design, Some(&user_file)),
        Err(faults) => present(&faults),
    }
}

fn present(faults: &Faults) {
    assert!(faults.iter().len() > 0);
    let shown = faults.to_string();
    assert!(
        !shown.contains(|c: char| c.is_control() && c != '\n'),
        "{shown:?}"
    );
    for line in faults.iter().map(|fault| fault.one_line()) {
        assert!(!line.contains(char::is_control), "{line:?}");
    }
}

fn decide(policy: &Policy, user_file: Option<&UserFile>) {
    let groups = [OsString::from("users"), OsString::from("web")];
    for (name, home) in [("alice", "/home/alice"), ("a/../b", "/../x"), ("..", "/")] {
        let account = Account {
            name: OsStr::new(name),
            uid: 1000,
            gid: 100,
            group: OsStr::new("users"),
            groups: &groups,
            home: Path::new(home),
        };
        let Ok(Decision::Jail(jail)) = policy.decide(&account, user_file) else {
            continue;
        };
        check(&jail);
    }
}

/// No path of a jail leads elsewhere, nothing shows the whole host, and no two mounts have one
/// target.
fn check(jail: &Jail) {
    let mut shown = vec![&jail.root];
    if let Base::Directory(base) = &jail.base {
        shown.push(base);
    }
    let mut targets = Vec::new();
    for mount in &jail.mounts {
        shown.push(&mount.source);
        assert!(!mount.target.starts_with("/proc") && !mount.target.starts_with("/dev"));
        assert!(!targets.contains(&&mount.target), "{:?}", mount.target);
        targets.push(&mount.target);
    }
    for path in shown.into_iter().chain(targets) {
        assert!(path.is_absolute() && path != Path::new("/"), "{path:?}");
        assert!(
            !path.components().any(|part| part == Component::ParentDir),
            "{path:?}"
        );
    }
}
