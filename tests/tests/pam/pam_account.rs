//! Who is meant: by which account facts the module decides, and that it does not decide by half of them.

use std::path::Path;

use login_jail_tests::{Sandbox, fault::probe, roots, skipped};

/// Whoever is in the group `remote`, which only a service of NSS knows, is jailed; all others pass.
fn by_a_remote_group() -> Sandbox {
    let module = probe("libnss_dead.so.2");
    Sandbox::new()
        .user_with_shell("ann", "/bin/bash")
        .jailed("ann")
        .root(roots::home())
        .config("unlisted = \"exempt\"\n[groups]\nremote = \"web\"\n[jails.web]\nroot = \"/srv/jails/{user}\"\nbase = \"host\"\nshell = \"/bin/bash\"\n")
        .behind_pam("required", "")
        .with(&format!(
            "cp {module} /lib/$(gcc -print-multiarch)/; sed -i 's/^group:.*/group: dead files/' /etc/nsswitch.conf"
        ))
}

#[test]
fn a_group_of_a_service_that_answers_decides() {
    let sandbox = by_a_remote_group();
    assert!(sandbox.must("id -G ann").contains("4242"));
    let seen = sandbox.su_c("ann", "id -G; ls -d /srv");
    assert!(seen.stdout.contains("4242"), "{seen}");
    assert!(!seen.stdout.contains("/srv"), "{seen}");
}

#[test]
fn a_service_that_is_down_lets_nobody_in_unjailed() {
    let (down, none) = ("Connection refused", "has no module");
    for (line, more, reason) in [
        ("dead files", "", down),
        ("files [SUCCESS=merge] dead", "", down),
        ("files nothere", "", none),
        // As the C library reads them, too: no space around an action, any byte in a comment, the last of two lines.
        ("files [NOTFOUND=continue]dead", "", down),
        (
            "dead files",
            "printf '# f\\374r\\n' >>/etc/nsswitch.conf",
            down,
        ),
        (
            "files",
            "echo 'group: files dead' >>/etc/nsswitch.conf",
            down,
        ),
    ] {
        let sandbox = by_a_remote_group().with(&format!(
            "touch /run/nss-is-down; sed -i 's/^group:.*/group: {line}/' /etc/nsswitch.conf\n{more}"
        ));
        assert!(!sandbox.must("id -G ann").contains("4242"), "the premise");
        let seen = sandbox.su_c("ann", "echo GOTIN; ls -d /srv");
        assert_eq!(seen.stdout, "", "{seen}");
        let log = sandbox.module_logged(&["refused code=account", "look up the user's groups"]);
        assert!(log.contains(reason), "{log}");
    }
}

/// nss-systemd(8) is the client of whoever has a socket in this directory.
#[test]
fn a_service_of_userdb_that_is_down_lets_nobody_in_unjailed() {
    if !Path::new("/lib/x86_64-linux-gnu/libnss_systemd.so.2").exists() {
        return skipped("a service of userdb", "libnss-systemd is not installed");
    }
    let userdb = || {
        by_a_remote_group().with("sed -i 's/^group:.*/group: files systemd/' /etc/nsswitch.conf")
    };
    let nobody_there = userdb().with("rm -rf /run/systemd/userdb");
    assert_eq!(nobody_there.su_c("ann", "echo in").ok(), "in");
    let down = userdb().with(
        "mkdir -p /run/systemd/userdb; python3 -c \"import socket; socket.socket(socket.AF_UNIX).bind('/run/systemd/userdb/io.example.Groups')\"",
    );
    let seen = down.su_c("ann", "echo GOTIN");
    assert_eq!(seen.stdout, "", "{seen}");
    down.module_logged(&["refused code=account", "systemd", "Connection refused"]);
}

#[test]
fn a_user_who_is_named_needs_no_service() {
    let sandbox = by_a_remote_group().with("touch /run/nss-is-down");
    let config = sandbox.read("/etc/login-jail/config.toml");
    let config = config.replace(
        "[groups]",
        "exempt = [\"root\"]\n[users]\nann = \"web\"\n[groups]",
    );
    sandbox.write("/etc/login-jail/config.toml", config);
    let seen = sandbox.su_c("ann", "ls -d /usr /srv");
    assert_eq!(seen.stdout, "/usr\n", "{seen}");
    assert_eq!(
        sandbox.run(&["sudo", "-u", "root", "echo", "root"]).ok(),
        "root"
    );
}

#[test]
fn uid_0_is_never_jailed_and_passes_only_where_the_config_exempts_it() {
    let jail = "[jails.web]\nroot = \"/srv/jails/ann\"\nbase = \"host\"\n";
    for (config, code) in [
        ("exempt = [\"root\"]\n", None),
        ("unlisted = \"exempt\"\n", None),
        ("", Some("no-rule")),
        ("users = { root = \"web\" }\n", Some("uid-zero")),
        ("users = {\n", Some("config-wrong")),
    ] {
        let sandbox =
            by_a_remote_group().with("sed -i 's/^group:.*/group: files/' /etc/nsswitch.conf");
        sandbox.write("/etc/login-jail/config.toml", format!("{config}{jail}"));
        let seen = sandbox.su_c("root", "echo GOTIN; ls -d /srv");
        match code {
            None => assert_eq!(seen.ok(), "GOTIN\n/srv", "{config}"),
            Some(code) => {
                assert!(!seen.stdout.contains("GOTIN"), "{config}: {seen}");
                sandbox.module_logged(&[&format!("refused code={code}")]);
            }
        }
    }
}

/// The session would be refused for it, after the user has logged in.
#[test]
fn a_place_to_mount_on_that_does_not_fit_is_refused_before_there_is_a_session() {
    let sandbox = Sandbox::with_ann_behind_pam(
        roots::home(),
        "base = \"host\"\nmounts = [{ source = \"/srv/team\", target = \"/data/team\", mode = \"rw\" }, \
         { source = \"/srv/file\", target = \"/one\", mode = \"ro\" }, { source = \"/srv/file\", target = \"/data/team/in/it\", mode = \"ro\" }]",
    );
    sandbox.must("mkdir -p /srv/team/in; touch /srv/team/in/it; echo text >/srv/file");
    let root = "/srv/jails/ann";
    let (good, made) = ("cat /one /data/team/in/it", "text\ntext");
    assert_eq!(sandbox.su_c("ann", good).ok(), made);
    sandbox.must(&format!("cd {root}; mkdir -p data/team; touch one"));
    assert_eq!(
        sandbox.su_c("ann", good).ok(),
        made,
        "where the places are there"
    );
    sandbox.must(&format!("cd {root}; rm -r data one"));
    for (plant, part) in [
        ("touch data", "/data in the jail is a regular file"),
        (
            "mkdir data; ln -s /etc data/team",
            "/data/team in the jail is a symbolic link",
        ),
        (
            "mkdir data; touch data/team",
            "/data/team in the jail is a regular file",
        ),
        (
            "mkdir one",
            "/one in the jail is a directory, and the source is a file",
        ),
    ] {
        sandbox.must(&format!("cd {root}; {plant}"));
        let refused = sandbox.su_c("ann", "id");
        assert_ne!(refused.code(), Some(0), "{plant}: {refused}");
        sandbox.module_logged(&["pam_jail(su:account)", "refused code=step", part]);
        let log = sandbox.module_log();
        let is_late = |line: &String| line.contains("(su:session)") && line.contains("refused");
        assert!(!log.iter().any(is_late), "{plant}: {log:?}");
        let explained = sandbox.run(&["jailctl", "explain", "--door", "pam", "ann"]);
        assert!(explained.words().contains(part), "{plant}: {explained}");
        sandbox.must(&format!("cd {root}; rm -rf data one"));
    }
    assert_eq!(sandbox.su_c("ann", good).ok(), made);
}
