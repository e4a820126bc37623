//! What a state says, in TOML and in JSON.

use super::{parse, toml_of};

const STATE: &str = r#"
create = true
[jails.class]
root = "/srv/class/{user}"
base = "host"
limits = { nproc = 100 }
mounts = [
  # all see it
  { mode = "ro", source = "/srv/all", target = "/all" },
]
[groups.pupils]
jail = "class"
[users.ann]
groups = ["pupils"]
keys = ["ssh-ed25519 AAAA ann"]
until = 2099-01-01
[users.bob]
jail = "class"
limits = { nproc = 5 }
create = false
"#;

#[test]
fn toml_and_json_say_the_same() {
    let mut faults = Vec::new();
    let toml = parse(STATE, "s.toml", true, &mut faults).unwrap();
    assert_eq!(faults, Vec::<String>::new());
    assert_eq!(toml.users[0].until.as_deref(), Some("2099-01-01"));
    assert_eq!(toml.users[1].place.as_deref(), Some("s.toml:17"));
    assert!(toml.users[0].create && !toml.users[1].create && !toml.prunes);
    let mounts = &toml.jails[0].keys[3].1;
    assert_eq!(
        mounts,
        r#"[{ mode = "ro", source = "/srv/all", target = "/all" }]"#
    );
    let json = serde_json::json!({
        "create": true,
        "jails": { "class": { "root": "/srv/class/{user}", "base": "host", "limits": { "nproc": 100 },
            "mounts": [{ "source": "/srv/all", "target": "/all", "mode": "ro" }] } },
        "groups": { "pupils": { "jail": "class" } },
        "users": {
            "ann": { "groups": ["pupils"], "keys": ["ssh-ed25519 AAAA ann"], "until": "2099-01-01" },
            "bob": { "jail": "class", "limits": { "nproc": 5 }, "create": false },
        },
    });
    let text = toml_of(&json).unwrap();
    let mut json = parse(&text, "s.json", false, &mut faults).unwrap();
    assert_eq!(json.users[1].place.as_deref(), Some("s.json: users.bob"));
    for (one, other) in json.users.iter_mut().zip(&toml.users) {
        one.place.clone_from(&other.place);
    }
    json.groups[0].place.clone_from(&toml.groups[0].place);
    json.jails[0].keys.sort();
    let mut toml = toml;
    toml.jails[0].keys.sort();
    assert_eq!(json, toml);
}

#[test]
fn all_that_is_wrong_is_said_with_its_line() {
    let mut faults = Vec::new();
    let text = "prnue = true\n[users.ann]\nkey = \"x\"\njail = 1\nkeys = [1]\n[jails.x]\nroott = \"/\"\n[groups]\na = \"b\"\n[roots.\"/srv/x\"]\n";
    parse(text, "s.toml", true, &mut faults).unwrap();
    let said = faults.join("\n");
    for part in [
        "s.toml:1: unknown key \"prnue\"; did you mean \"prune\"?",
        "s.toml:3: unknown key \"key\"; did you mean \"keys\"?",
        "s.toml:4: jail: give a text",
        "s.toml:5: keys: give a list",
        "s.toml:7: unknown key \"roott\" of a jail",
        "s.toml:9: groups.a: give a table",
        "s.toml:10: say what is in the root",
    ] {
        assert!(said.contains(part), "{part} is not in\n{said}");
    }
}
