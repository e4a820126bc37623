//! What the config says of a jail is what a user finds in it.

use login_jail_tests::{JAIL_SHELL, Sandbox, roots, skipped};

/// A user in a jail of busybox with these keys besides its root.
fn with_keys(keys: &str) -> Sandbox {
    Sandbox::new()
        .user("ann")
        .root(roots::busybox())
        .config(&format!(
            "[users]\nann = \"web\"\n\n{}{keys}\n",
            jail("web")
        ))
}

fn jail(name: &str) -> String {
    format!("[jails.{name}]\nroot = \"/srv/jails/{{user}}\"\n")
}

/// Runs a command in ann's jail, called as the words before it call it.
fn called_by(sandbox: &Sandbox, caller: &[&str], command: &str) -> String {
    let argv = [caller, &[JAIL_SHELL, "-c", command]].concat();
    sandbox.run(&argv).ok().to_owned()
}

#[test]
fn the_primary_group_is_the_accounts_and_the_others_those_the_login_gave() {
    let sandbox = with_keys("");
    let caller = ["setpriv", "--reuid=ann", "--regid=disk", "--groups=shadow"];
    let [own, given] =
        ["id -g ann", "getent group shadow | cut -d: -f3"].map(|ask| sandbox.must(ask));
    let expected = format!("{own}\n{own} {given}");
    assert_eq!(called_by(&sandbox, &caller, "id -g; id -G"), expected);
}

#[test]
fn groups_can_be_the_primary_one_alone() {
    let sandbox = with_keys("groups = \"primary\"").with("usermod --append --groups games ann");
    assert_eq!(sandbox.ssh("ann", "id -G").ok(), sandbox.must("id -g ann"));
}

#[test]
fn umask_is_the_configs_and_not_the_callers() {
    let caller = ["setpriv", "--reuid=ann", "--regid=ann", "--init-groups"];
    for (key, wanted) in [("", "0022"), ("umask = \"027\"", "0027")] {
        let sandbox = with_keys(key);
        let words = [&["sh", "-c", "umask 0; exec \"$@\"", "sh"], &caller[..]].concat();
        assert_eq!(called_by(&sandbox, &words, "umask"), wanted);
    }
}

#[test]
fn limits_are_the_configs_or_else_the_callers() {
    let caller = [
        "prlimit",
        "--nofile=100:200",
        "--core=1024:2048",
        "--fsize=4096:8192",
        "setpriv",
        "--reuid=ann",
        "--regid=ann",
        "--init-groups",
    ];
    let ask = "ulimit -Sn; ulimit -Hn; ulimit -Sc; ulimit -Hc; ulimit -Sf; ulimit -Hf";
    let sandbox = with_keys("");
    // ulimit counts cores and files in blocks of 512 bytes.
    assert_eq!(called_by(&sandbox, &caller, ask), "100\n200\n2\n4\n8\n16");
    let sandbox = with_keys("limits = { nofile = 64, core = 0, fsize = 2048 }");
    assert_eq!(called_by(&sandbox, &caller, ask), "64\n64\n0\n0\n4\n4");
}

#[test]
fn a_limit_is_raised_above_the_callers_or_the_login_refused() {
    let sandbox = with_keys("limits = { fsize = \"unlimited\" }");
    let call = |bounding: &str| {
        let ids = ["--reuid=ann", "--regid=ann", "--init-groups", bounding];
        let shell = [JAIL_SHELL, "-c", "ulimit -Hf"];
        let argv = [
            &["prlimit", "--fsize=4096:8192", "setpriv"],
            &ids[..],
            &shell[..],
        ]
        .concat();
        sandbox.run(&argv)
    };
    call("--bounding-set=-sys_resource").refused(123, "step");
    sandbox.logged(&["refused", "step limits"]);
    if sandbox
        .sh("setpriv --dump | grep -q '^Capability bounding set:.*sys_resource'")
        .status
        .success()
    {
        assert_eq!(call("--bounding-set=+all").ok(), "unlimited");
    } else {
        skipped("raising a limit", "root has no CAP_SYS_RESOURCE here");
    }
}

#[test]
fn environment_is_what_the_config_passes_and_sets() {
    let sandbox = with_keys(
        "env = { pass = [\"EDITOR\", \"MY_*\"], set = { PATH = \"/bin\", SITE = \"web\" } }",
    );
    let caller = [
        "setpriv",
        "--reuid=ann",
        "--regid=ann",
        "--init-groups",
        "env",
        "EDITOR=vi",
        "MY_A=1",
        "YOUR_A=1",
        "SITE=mine",
        "TERM=vt100",
    ];
    let seen = called_by(&sandbox, &caller, "env");
    let seen: Vec<_> = seen.lines().collect();
    for there in ["EDITOR=vi", "MY_A=1", "PATH=/bin", "SITE=web"] {
        assert!(seen.contains(&there), "{there} in {seen:?}");
    }
    for absent in ["YOUR_A", "TERM"] {
        assert!(
            !seen.iter().any(|line| line.starts_with(absent)),
            "{absent} in {seen:?}"
        );
    }
}

#[test]
fn linger_decides_whether_anything_outlives_the_main_process() {
    let command = "sleep 4321 >/dev/null 2>&1 </dev/null & echo ran";
    for (key, left) in [("", 1), ("linger = true", 1), ("linger = false", 0)] {
        let sandbox = with_keys(key);
        let shown = sandbox.run_as("ann", &[JAIL_SHELL, "-c", command]);
        assert_eq!(shown.ok(), "ran");
        let found = sandbox.sh("pgrep -u ann -f '^sleep 4321'");
        assert_eq!(found.stdout.lines().count(), left, "{key:?}");
    }
}

#[test]
fn home_is_filled_in_for_the_user() {
    let sandbox = with_keys("home = \"/data/{user}\"").with("mkdir -p /srv/jails/ann/data/ann");
    assert_eq!(
        sandbox.ssh("ann", "pwd; echo $HOME").ok(),
        "/data/ann\n/data/ann"
    );
}

#[test]
fn shell_is_the_configs() {
    let sandbox =
        with_keys("shell = \"/bin/other\"").with("ln -s busybox /srv/jails/ann/bin/other");
    // busybox is what its name says, and knows no applet "other".
    let said = sandbox.ssh("ann", "id");
    assert!(said.stderr.contains("other: applet not found"), "{said}");
}

#[test]
fn a_file_of_users_d_comes_before_the_map() {
    let sandbox = with_keys("umask = \"022\"");
    assert_eq!(sandbox.ssh("ann", "umask").ok(), "0022");
    let file = "root = \"/srv/jails/{user}\"\numask = \"077\"\n";
    sandbox.write("/etc/login-jail/users.d/ann.toml", file);
    assert_eq!(sandbox.ssh("ann", "umask").ok(), "0077");
    sandbox.logged(&["enter", r#"rule="/etc/login-jail/users.d/ann.toml:"#]);
}

#[test]
fn a_group_leads_into_its_jail() {
    let sandbox = Sandbox::new()
        .user("ann")
        .root(roots::busybox())
        .with("usermod --append --groups games ann")
        .config(&format!("[groups]\ngames = \"play\"\n\n{}", jail("play")));
    assert_eq!(
        sandbox.ssh("ann", "echo /*").ok(),
        "/bin /dev /etc /home /proc /tmp /usr"
    );
    sandbox.logged(&["enter", r#"jail="play""#, "[groups] games"]);
}

#[test]
fn an_absolute_root_is_a_jail_of_its_own() {
    let sandbox = Sandbox::new()
        .user("ann")
        .root(roots::busybox())
        .config("[users]\nann = \"/srv/jails/ann\"\n");
    assert_eq!(
        sandbox.ssh("ann", "echo /*").ok(),
        "/bin /dev /etc /home /proc /tmp /usr"
    );
}

#[test]
fn a_change_of_the_config_counts_at_the_next_login() {
    let sandbox = with_keys("");
    assert_eq!(sandbox.ssh("ann", "echo ran").ok(), "ran");
    let sandbox = sandbox.config("[users]\n");
    sandbox.ssh("ann", "echo ran").refused(102, "no-rule");
}
