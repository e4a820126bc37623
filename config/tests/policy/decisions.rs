//! Which rule decides about an account, and what its jail is then.

use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use crate::common::{Person, decide, decided, jail, policy, say, user_file};
use jail_config::{
    Base, Content, Decision, Groups, Home, Isolation, Landlock, Limits, Mount, MountMode, Network,
    RootOwner, RuleKind, Scope, Seccomp,
};

const EVERY_RULE: &str = r#"unlisted = "exempt"
exempt = ["root", "@sudo"]

[users]
alice = "web"
bob = "/srv/jails/bob"
root = "web"

[groups]
zeta = "web"
alpha = "/srv/alpha/{user}"

[jails.web]
root = "/srv/web/{user}"
"#;

#[test]
fn names_the_rule_that_decided() {
    let policy = policy(EVERY_RULE);
    for (user, groups, expected) in [
        ("root", &["root"][..], "exempt, config.toml:2 exempt root"),
        ("alice", &["users"], "jail web, config.toml:5 [users] alice"),
        (
            "bob",
            &["users"],
            "jail /srv/jails/bob, config.toml:6 [users] bob",
        ),
        ("dora", &["sudo"], "exempt, config.toml:2 exempt @sudo"),
        (
            "dora",
            &["x", "zeta"],
            "jail web, config.toml:10 [groups] zeta",
        ),
        ("dora", &["x"], "exempt, config.toml:1 unlisted"),
    ] {
        assert_eq!(decided(&policy, user, groups), expected);
    }
}

#[test]
fn an_exempt_user_comes_before_all_else() {
    let policy = policy(EVERY_RULE);
    let own = user_file(&policy, "jail = \"web\"").unwrap();
    let root = Person::new("root", &["zeta"]);
    let decision = policy.decide(&root.account(), Some(&own)).unwrap();
    assert_eq!(say(&decision), "exempt, config.toml:2 exempt root");
}

#[test]
fn a_user_has_an_end_and_limits_of_their_own_in_a_jail_that_others_share() {
    let policy = policy(
        "[defaults]\nlimits = { core = 0 }\n[jails.web]\nroot = \"/srv/{user}\"\nuntil = \"2027-01-01\"\nlimits = { nproc = 5, nofile = 9 }",
    );
    let own = user_file(
        &policy,
        "jail = \"web\"\nuntil = 2026-05-31\nlimits = { nproc = 7 }",
    )
    .unwrap();
    let ann = Person::new("ann", &[]);
    let Decision::Jail(jail) = policy.decide(&ann.account(), Some(&own)).unwrap() else {
        panic!("no jail");
    };
    assert_eq!(jail.name, "web");
    assert_eq!(jail.until.unwrap().to_string(), "2026-05-31");
    let limits = jail.limits;
    assert_eq!(
        (limits.nproc, limits.nofile, limits.core),
        (Some(7), Some(9), Some(0))
    );
}

#[test]
fn a_file_of_the_users_own_comes_before_users() {
    let policy = policy(EVERY_RULE);
    let own = user_file(&policy, "\nroot = \"/srv/own\"").unwrap();
    let alice = Person::new("alice", &["sudo"]);
    let decision = policy.decide(&alice.account(), Some(&own)).unwrap();
    assert_eq!(say(&decision), "jail /srv/own, users.d/ann.toml:2");
}

#[test]
fn a_user_comes_before_an_exempt_group() {
    let policy = policy(EVERY_RULE);
    let expected = "jail web, config.toml:5 [users] alice";
    assert_eq!(decided(&policy, "alice", &["sudo"]), expected);
}

#[test]
fn an_exempt_group_comes_before_groups() {
    let policy = policy(EVERY_RULE);
    let expected = "exempt, config.toml:2 exempt @sudo";
    assert_eq!(decided(&policy, "dora", &["zeta", "sudo"]), expected);
}

#[test]
fn the_first_group_in_the_order_of_the_file_decides() {
    let policy = policy(EVERY_RULE);
    for groups in [["alpha", "zeta"], ["zeta", "alpha"]] {
        let expected = "jail web, config.toml:10 [groups] zeta";
        assert_eq!(decided(&policy, "dora", &groups), expected);
    }
}

#[test]
fn the_primary_group_counts_even_if_the_list_lacks_it() {
    let policy = policy(EVERY_RULE);
    let person = Person::new("dora", &["zeta"]);
    let account = jail_config::Account {
        groups: &[],
        ..person.account()
    };
    let decision = policy.decide(&account, None).unwrap();
    assert_eq!(say(&decision), "jail web, config.toml:10 [groups] zeta");
}

#[test]
fn whom_no_rule_names_is_refused_by_default() {
    let unlisted = decide(&policy(""), "alice", &["users"]);
    assert_eq!(say(&unlisted), "unlisted, built-in default unlisted");
    let Decision::Unlisted(rule) = unlisted else {
        panic!("{unlisted:?}");
    };
    assert_eq!((rule.line, rule.kind), (0, RuleKind::Unlisted));

    let written = policy("unlisted = \"refuse\"");
    let expected = "unlisted, config.toml:1 unlisted";
    assert_eq!(decided(&written, "alice", &["users"]), expected);
}

#[test]
fn a_name_is_compared_whole_and_with_its_case() {
    let policy = policy(EVERY_RULE);
    for name in ["Alice", "alic", "alice2", "@sudo", "", "sudo"] {
        let expected = "exempt, config.toml:1 unlisted";
        assert_eq!(decided(&policy, name, &["Sudo", "zet"]), expected);
    }
}

#[test]
fn a_name_that_is_not_utf_8_is_named_by_no_user_rule() {
    let policy = policy(EVERY_RULE);
    let name = std::ffi::OsString::from_vec(b"alice\xff".to_vec());
    let person = Person::new(name, &["zeta"]);
    let Decision::Jail(jail) = policy.decide(&person.account(), None).unwrap() else {
        panic!("no jail");
    };
    let root = PathBuf::from(std::ffi::OsString::from_vec(b"/srv/web/alice\xff".to_vec()));
    assert_eq!(jail.root, root);
}

#[test]
fn a_users_own_file_chooses_a_jail_of_the_config() {
    let policy = policy(EVERY_RULE);
    let own = user_file(&policy, "# moved\njail = \"web\"").unwrap();
    let dora = Person::new("dora", &["x"]);
    let decision = policy.decide(&dora.account(), Some(&own)).unwrap();
    assert_eq!(say(&decision), "jail web, users.d/ann.toml:2");
}

#[test]
fn a_jail_has_the_defaults_where_it_says_nothing() {
    let policy = policy("[users]\nann = \"/srv/ann\"\n");
    let jail = jail(&policy, "ann", &["users"]);
    assert_eq!(jail.name, "/srv/ann");
    assert_eq!(jail.root, Path::new("/srv/ann"));
    assert_eq!(jail.shell, Path::new("/bin/sh"));
    assert_eq!(jail.home, Home::Default("/home/ann".into()));
    assert_eq!(jail.base, Base::None);
    assert_eq!(jail.isolation, Isolation::Full);
    assert_eq!(jail.landlock, Landlock::Files);
    assert_eq!(jail.seccomp, Seccomp::Default);
    assert_eq!(jail.network, Network::Host);
    assert_eq!([jail.proc, jail.dev, jail.tmp], [Content::Private; 3]);
    assert_eq!(jail.mounts, []);
    assert_eq!(jail.scope, Scope::Session);
    assert!(jail.linger);
    assert_eq!(jail.root_owner, RootOwner::Root);
    assert_eq!(jail.groups, Groups::Keep);
    assert_eq!(jail.umask, 0o022);
    assert_eq!(jail.limits, Limits::default());
    assert_eq!(jail.env.set, []);
    let pass: Vec<&str> = jail.env.pass.iter().map(|glob| glob.as_str()).collect();
    let expected = "TERM COLORTERM LANG LANGUAGE LC_* TZ \
                    SSH_CLIENT SSH_CONNECTION SSH_TTY SSH_ORIGINAL_COMMAND";
    assert_eq!(pass.join(" "), expected);
}

#[test]
fn a_jail_by_chroot_has_what_its_root_has() {
    let text = "[users]\nann = \"/a\"\n[defaults]\nisolation = \"chroot\"";
    let jail = jail(&policy(text), "ann", &[]);
    assert_eq!(jail.isolation, Isolation::Chroot);
    assert_eq!([jail.proc, jail.dev, jail.tmp], [Content::Root; 3]);
    assert_eq!(jail.landlock, Landlock::Files);
    assert_eq!(jail.seccomp, Seccomp::Default);
}

#[test]
fn a_jail_may_take_back_what_its_isolation_can_not_have() {
    let text = r#"
        [users]
        ann = "old"
        [defaults]
        base = "host"
        network = "none"
        proc = "private"
        mounts = [{ source = "/srv/data", target = "/data", mode = "rw" }]
        [jails.old]
        root = "/srv/old"
        isolation = "chroot"
        base = "none"
        network = "host"
        proc = "root"
        mounts = []
    "#;
    let jail = jail(&policy(text), "ann", &[]);
    assert_eq!(jail.base, Base::None);
    assert_eq!(jail.network, Network::Host);
    assert_eq!(jail.proc, Content::Root);
    assert_eq!(jail.mounts, []);
}

#[test]
fn a_list_of_ports_that_is_not_there_restricts_nothing() {
    let with = |network: &str| {
        let text = format!("[users]\nann = \"/a\"\n[defaults]\nnetwork = {network}");
        jail(&policy(&text), "ann", &[]).network
    };
    let connect = Some(vec![0, 65535]);
    let expected = Network::Ports {
        connect,
        bind: None,
    };
    assert_eq!(with("{ connect = [0xffff, 0] }"), expected);
    let expected = Network::Ports {
        connect: None,
        bind: Some(Vec::new()),
    };
    assert_eq!(with("{ bind = [] }"), expected);
}

const OVERRIDES: &str = r#"
[users]
ann = "own"
bob = "plain"
cleo = "/srv/cleo"

[defaults]
root = "/srv/{user}"
shell = "/bin/dash"
home = "/home/{uid}"
base = "host"
landlock = "require"
seccomp = "off"
network = { connect = [443, 80, 443], bind = [] }
proc = "root"
mounts = [{ source = "/srv/data", target = "/data", mode = "ro" }]
etc = ["php"]
linger = false
root_owner = "user"
env = { pass = ["TERM", "LC_*"], set = { EDITOR = "vi", PAGER = "more" } }
groups = "primary"
umask = "0077"
limits = { nproc = 100, core = 0, cpu = "unlimited", memory = "1G", tasks = 50 }

[jails.plain]

[jails.own]
root = "/own/{user}"
base = "/srv/images/{group}"
landlock = "best-effort"
seccomp = "default"
network = "none"
proc = "private"
dev = "root"
tmp = "root"
mounts = [
    { source = "{home}/in", target = "/in", mode = "ro" },
    { source = "/srv/out/{uid}", target = "/home/{user}/out", mode = "rw" },
]
etc = []
linger = true
root_owner = "root"
shell = "/bin/bash"
home = "/h"
env = { pass = ["TZ"], set = { PAGER = "less", PATH = "/bin" } }
groups = "keep"
umask = "022"
limits = { nproc = 5, fsize = "1000K", as = 0x10, nofile = 3, sessions = 2, memory = "512M", io = 20 }
"#;

#[test]
fn a_jail_and_a_root_directory_have_the_configured_defaults() {
    let policy = policy(OVERRIDES);
    for (user, root) in [("bob", "/srv/bob"), ("cleo", "/srv/cleo")] {
        let jail = jail(&policy, user, &["users"]);
        assert_eq!(jail.root, Path::new(root));
        assert_eq!(jail.shell, Path::new("/bin/dash"));
        assert_eq!(jail.home, Home::Set("/home/1000".into()));
        assert_eq!(jail.base, Base::Host);
        assert_eq!(jail.landlock, Landlock::Require);
        assert_eq!(jail.seccomp, Seccomp::Off);
        let network = Network::Ports {
            connect: Some(vec![80, 443]),
            bind: Some(Vec::new()),
        };
        assert_eq!(jail.network, network);
        assert_eq!([jail.proc, jail.dev], [Content::Root, Content::Private]);
        let data = mount("/srv/data", "/data", MountMode::ReadOnly);
        assert_eq!(jail.mounts, [data]);
        assert_eq!(jail.etc, ["php"]);
        assert!(!jail.linger);
        assert_eq!(jail.root_owner, RootOwner::User);
        assert_eq!(jail.groups, Groups::Primary);
        assert_eq!(jail.umask, 0o077);
        assert!(jail.env.passes(b"TERM", b"xterm") && !jail.env.passes(b"TZ", b"UTC"));
        let limits = Limits {
            nproc: Some(100),
            core: Some(0),
            cpu: Some(u64::MAX),
            memory: Some(1 << 30),
            tasks: Some(50),
            ..Limits::default()
        };
        assert_eq!(jail.limits, limits);
    }
}

#[test]
fn a_jails_own_keys_come_before_the_defaults() {
    let jail = jail(&policy(OVERRIDES), "ann", &["users"]);
    assert_eq!(jail.root, Path::new("/own/ann"));
    assert_eq!(jail.shell, Path::new("/bin/bash"));
    assert_eq!(jail.home, Home::Set("/h".into()));
    assert_eq!(jail.base, Base::Directory("/srv/images/users".into()));
    assert_eq!(jail.landlock, Landlock::BestEffort);
    assert_eq!(jail.seccomp, Seccomp::Default);
    assert_eq!(jail.network, Network::None);
    assert_eq!(jail.proc, Content::Private);
    assert_eq!([jail.dev, jail.tmp], [Content::Root; 2]);
    let mounts = [
        mount("/home/ann/in", "/in", MountMode::ReadOnly),
        mount("/srv/out/1000", "/home/ann/out", MountMode::ReadWrite),
    ];
    assert_eq!(jail.mounts, mounts);
    assert!(jail.linger);
    assert_eq!(jail.root_owner, RootOwner::Root);
    assert_eq!(jail.groups, Groups::Keep);
    assert_eq!(jail.umask, 0o022);
}

#[test]
fn pass_is_replaced_while_set_and_limits_are_merged() {
    let jail = jail(&policy(OVERRIDES), "ann", &["users"]);
    assert!(jail.env.passes(b"TZ", b"UTC") && !jail.env.passes(b"TERM", b"xterm"));
    let set: Vec<String> = jail
        .env
        .set
        .iter()
        .map(|(n, v)| format!("{n}={v}"))
        .collect();
    assert_eq!(set, ["EDITOR=vi", "PAGER=less", "PATH=/bin"]);
    let limits = Limits {
        nofile: Some(3),
        sessions: Some(2),
        nproc: Some(5),
        fsize: Some(1_024_000),
        as_: Some(16),
        core: Some(0),
        cpu: Some(u64::MAX),
        quota: None,
        memory: Some(512 << 20),
        tasks: Some(50),
        io: Some(20),
    };
    assert_eq!(jail.limits, limits);
}

#[test]
fn a_share_of_the_processors_and_seconds_are_one_key() {
    let limits = |defaults: &str, own: &str| {
        let text = format!(
            "[users]\nann = \"web\"\n[defaults]\nlimits.cpu = {defaults}\n[jails.web]\nroot = \"/srv\"\n{own}"
        );
        jail(&policy(&text), "ann", &[]).limits
    };
    let share = limits("600", "limits.cpu = \"150%\"");
    assert_eq!((share.cpu, share.quota), (None, Some(150)));
    assert_eq!(share.of_account().unwrap().cpu, Some(150));
    let seconds = limits("\"50%\"", "limits.cpu = 600");
    assert_eq!((seconds.cpu, seconds.quota), (Some(600), None));
    assert_eq!(seconds.of_account(), None);
    assert_eq!(limits("\"50%\"", "").quota, Some(50));
    let none = limits(
        "\"50%\"",
        "limits = { cpu = \"unlimited\", memory = \"unlimited\" }",
    );
    assert_eq!(none.of_account(), None);
}

#[test]
fn an_empty_pass_lets_nothing_in() {
    let text = "[users]\nann = \"/a\"\n[defaults]\nenv = { pass = [] }";
    assert!(
        !jail(&policy(text), "ann", &[])
            .env
            .passes(b"TERM", b"xterm")
    );
}

#[test]
fn a_users_own_jail_has_the_defaults_too() {
    let policy = policy(OVERRIDES);
    let own = user_file(&policy, "shell = \"/bin/zsh\"\nenv.set.EDITOR = \"ed\"").unwrap();
    let ann = Person::new("ann", &[]);
    let Decision::Jail(jail) = policy.decide(&ann.account(), Some(&own)).unwrap() else {
        panic!("no jail");
    };
    assert_eq!(jail.root, Path::new("/srv/ann"));
    assert_eq!(jail.name, "/srv/ann");
    assert_eq!(jail.shell, Path::new("/bin/zsh"));
    assert_eq!(jail.env.set[0], ("EDITOR".to_owned(), "ed".to_owned()));
    assert_eq!(jail.env.set[1], ("PAGER".to_owned(), "more".to_owned()));
}

#[test]
fn refuses_the_login_where_a_name_fits_into_no_path() {
    let policy = policy("[groups]\nstaff = \"/srv/{user}\"\n");
    let person = Person::new("a/../b", &["staff"]);
    let error = policy.decide(&person.account(), None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "config.toml:2 [groups] staff: root \"/srv/{user}\": {user} is \"a/../b\", \
         which could lead to another directory"
    );
}

#[test]
fn refuses_the_login_where_the_default_home_is_no_path() {
    let policy = policy("[groups]\nstaff = \"/srv/{uid}\"\n");
    let person = Person::new("a/b", &["staff"]);
    let error = policy.decide(&person.account(), None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "config.toml:2 [groups] staff: home \"/home/{user}\": {user} is \"a/b\", which has a slash"
    );
}

#[test]
fn refuses_the_login_where_a_home_makes_the_host_the_root() {
    let policy = policy("[groups]\nstaff = \"{home}\"\n");
    let person = Person::new("ann", &["staff"]);
    let account = jail_config::Account {
        home: Path::new("/"),
        ..person.account()
    };
    let error = policy.decide(&account, None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "config.toml:2 [groups] staff: root \"{home}\": it becomes \"/\", \
         which is the host's own root"
    );
}

fn mount(source: &str, target: &str, mode: MountMode) -> Mount {
    Mount {
        source: source.into(),
        target: target.into(),
        mode,
    }
}

#[test]
fn refuses_the_login_where_a_name_makes_the_host_visible_or_moves_a_mount() {
    let from = |source: &str| format!("{{ source = {source:?}, target = \"/x\", mode = \"ro\" }}");
    let to = |target: &str| format!("{{ source = \"/x\", target = {target:?}, mode = \"ro\" }}");
    for (line, expected) in [
        (
            "base = \"{home}\"".to_owned(),
            "base \"{home}\": it becomes \"/\", which is the host's own root",
        ),
        (
            format!("mounts = [{}]", from("{home}")),
            "source \"{home}\": it becomes \"/\", which is the host's own root",
        ),
        (
            format!("mounts = [{}]", to("{home}")),
            "target \"{home}\": it becomes \"/\", which is the jail's root, \
             where no mount is made",
        ),
        (
            format!("mounts = [{}]", to("/{group}/x")),
            "target \"/{group}/x\": it becomes \"/proc/x\", which is in /proc, \
             where no mount is made",
        ),
        (
            format!("mounts = [{}, {}]", to("/srv/ann"), to("/srv/{user}")),
            "target \"/srv/{user}\": it becomes \"/srv/ann\", \
             which is the target of another mount",
        ),
        (
            format!("mounts = [{}, {}]", to("/srv/ann/keys"), to("/srv/{user}")),
            "target \"/srv/{user}\": it becomes \"/srv/ann\", \
             which hides the mount of an earlier line; write this one first",
        ),
    ] {
        let policy = policy(&format!("[users]\nann = \"/a\"\n[defaults]\n{line}"));
        let person = Person::new("ann", &["proc"]);
        let account = jail_config::Account {
            home: Path::new("/"),
            ..person.account()
        };
        let error = policy.decide(&account, None).unwrap_err();
        let expected = format!("config.toml:2 [users] ann: {expected}");
        assert_eq!(error.to_string(), expected, "{line}");
    }
}

#[test]
fn lists_all_rules_that_name_an_account_and_decides_by_the_first() {
    let policy = policy(
        "exempt = [\"ann\", \"@adm\"]\nunlisted = \"exempt\"\n[users]\nann = \"/a\"\nbob = \"/b\"\n\
         [groups]\nweb = \"/w\"\ngames = \"box\"\nnobody = \"box\"\n[jails.box]\nroot = \"/x\"\n",
    );
    let file = user_file(&policy, "root = \"/u\"").unwrap();
    let person = Person::new("ann", &["games", "web", "adm"]);
    let account = person.account();
    let named = |file| -> Vec<String> {
        let matches = policy.matches(&account, file);
        matches
            .map(|it| format!("{} -> {}", it.rule, it.leads_to()))
            .collect()
    };
    let expected = [
        "config.toml:1 exempt ann -> exempt",
        "users.d/ann.toml:1 -> /u",
        "config.toml:4 [users] ann -> /a",
        "config.toml:1 exempt @adm -> exempt",
        "config.toml:7 [groups] web -> /w",
        "config.toml:8 [groups] games -> box",
        "config.toml:2 unlisted -> exempt",
    ];
    assert_eq!(named(Some(&file)), expected);
    let Ok(Decision::Exempt(rule)) = policy.decide(&account, Some(&file)) else {
        unreachable!("ann is exempt");
    };
    assert!(expected[0].starts_with(&rule.to_string()));
}

#[test]
fn lists_every_rule_for_a_user_or_group() {
    let policy = policy(
        "exempt = [\"root\", \"@adm\"]\n[users]\nbob = \"/b\"\nann = \"/a\"\n[groups]\nweb = \"/w\"\n",
    );
    let listed: Vec<String> = policy.rules().map(|it| it.rule.to_string()).collect();
    let expected = [
        "config.toml:1 exempt root",
        "config.toml:1 exempt @adm",
        "config.toml:4 [users] ann",
        "config.toml:3 [users] bob",
        "config.toml:6 [groups] web",
    ];
    assert_eq!(listed, expected);
}
