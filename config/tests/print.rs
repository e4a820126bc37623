//! The canonical form of a policy.

mod common;

use common::policy;

#[test]
fn prints_every_key_and_keeps_the_order_of_groups() {
    let text = r#"
        jails."my web" = { base = "none", root = '/srv/"{user}"', groups = "keep" }
        jails.b.env.set.PATH = "/bin"
        jails.b.limits = { cpu = 0x10, as = 1_000, core = "unlimited" }
        groups = { zeta = "b", alpha = "my web" }
        users = { "john.doe" = "/srv/john", ann = "b" }
        exempt = ["@sudo", "root"]
        [defaults]
        umask = "0007"
        home = "/"
        shell = "/bin/dash"
        root = "/srv/{user}"
        isolation = "chroot"
        groups = "primary"
        env = { set = { B = "2\n", A = "1" }, pass = ["TERM"] }
    "#;
    let expected = r#"unlisted = "refuse"
exempt = ["root", "@sudo"]

[users]
ann = "b"
"john.doe" = "/srv/john"

[groups]
zeta = "b"
alpha = "my web"

[defaults]
root = "/srv/{user}"
shell = "/bin/dash"
home = "/"
isolation = "chroot"
env = { pass = ["TERM"], set = { A = "1", B = "2\n" } }
groups = "primary"
umask = "007"

[jails.b]
env = { set = { PATH = "/bin" } }
limits = { as = 1000, core = "unlimited", cpu = 16 }

[jails."my web"]
root = "/srv/\"{user}\""
groups = "keep"
"#;
    assert_eq!(policy(text).to_string(), expected);
}

#[test]
fn policies_are_equal_if_they_say_the_same() {
    let one = "exempt = [\"root\"]\n[groups]\na = \"/a\"\nb = \"/b\"\n";
    let spaced = "# spaced\n\nexempt = [\n'root' ]\n[groups]\n\na = '/a'\nb = '/b'\n";
    let swapped = "exempt = [\"root\"]\n[groups]\nb = \"/b\"\na = \"/a\"\n";
    let with = |text: &str| policy(&format!("{text}{}", common::CHROOT));
    assert_eq!(with(one), with(spaced));
    assert_ne!(with(one), with(swapped));
}
