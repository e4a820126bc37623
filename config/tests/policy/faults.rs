//! What a person is told about a config that is wrong.

use std::path::Path;

use crate::common::{faults, one_lines, parse, policy, user_file};
use jail_config::Policy;

/// A jail that is right but for the lines added below it.
fn in_jail(lines: &str) -> Vec<String> {
    faults(&format!("[jails.web]\nroot = \"/srv/web\"\n{lines}\n"))
}

#[track_caller]
fn assert_in_jail(cases: &[(&str, &str)]) {
    for (line, expected) in cases {
        assert_eq!(in_jail(line), [format!("3:{expected}")], "{line}");
    }
}

#[track_caller]
fn assert_faults(cases: &[(&str, &str)]) {
    for (text, expected) in cases {
        assert_eq!(faults(text), [*expected], "{text}");
    }
}

#[test]
fn an_empty_config_and_an_unused_jail_are_right() {
    policy("");
    policy("[jails.web]\nroot = \"/srv\"\n");
    policy("[users]\n[groups]\n[defaults]\n[jails]\n");
}

#[test]
fn shows_all_faults_with_their_lines() {
    let text = "unlisted = \"deny\"\n\n[users]\nann = \"wbe\"\n\n[jails.web]\nroot = \"/srv\"\n\
                isolation = \"chroot\"\nshel = 'x'\n";
    let expected = r#"config.toml:1:12: "unlisted" can't be "deny"
  |
1 | unlisted = "deny"
  |            ^^^^^^
  = it is "refuse" or "exempt"

config.toml:4:7: jail "wbe" is not defined
  |
4 | ann = "wbe"
  |       ^^^^^
  = did you mean "web"?

config.toml:9:1: unknown key "shel"
  |
9 | shel = 'x'
  | ^^^^
  = did you mean "shell"?
"#;
    assert_eq!(parse(text).unwrap_err().to_string(), expected);
}

#[test]
fn refuses_unknown_keys_at_the_top() {
    assert_faults(&[
        (
            "[user]",
            "1:2: unknown key \"user\"; did you mean \"users\"?",
        ),
        (
            "shell = \"/bin/sh\"",
            "1:1: unknown key \"shell\"; \"shell\" belongs in [defaults] or in a jail",
        ),
        (
            "something = 1",
            "1:1: unknown key \"something\"; \
             a config has unlisted, exempt, users, groups, defaults, jails, check",
        ),
    ]);
}

#[test]
fn refuses_unknown_keys_of_a_jail() {
    assert_in_jail(&[
        (
            "shel = 1",
            "1: unknown key \"shel\"; did you mean \"shell\"?",
        ),
        (
            "exempt = []",
            "1: unknown key \"exempt\"; \"exempt\" belongs above the first table, \
             or is one of its own",
        ),
        (
            "connect = [1]",
            "1: unknown key \"connect\"; \"connect\" belongs in network",
        ),
        (
            "source = \"/\"",
            "1: unknown key \"source\"; \"source\" belongs in mounts",
        ),
        (
            "network = { connct = [1] }",
            "13: unknown key \"connct\"; did you mean \"connect\"?",
        ),
        (
            "network = { listen = [1] }",
            "13: unknown key \"listen\"; network has connect, bind",
        ),
        (
            "nofile = 3",
            "1: unknown key \"nofile\"; \"nofile\" belongs in limits",
        ),
        (
            "pass = []",
            "1: unknown key \"pass\"; \"pass\" belongs in env",
        ),
        (
            "zzz = 1",
            "1: unknown key \"zzz\"; a jail has root, base, shell, home, isolation, landlock, seccomp, \
             network, proc, dev, tmp, mounts, etc, services, devices, commands, sftp, env, groups, umask, limits, create, disk, idle, record, until, scope, linger, root_owner",
        ),
        (
            "[jails.web.site]",
            "12: unknown key \"site\"; a name with a dot needs quotes: [jails.\"web.site\"]",
        ),
        (
            "env = { pas = [] }",
            "9: unknown key \"pas\"; did you mean \"pass\"?",
        ),
        (
            "limits = { memorie = 1 }",
            "12: unknown key \"memorie\"; did you mean \"memory\"?",
        ),
        (
            "limits = { swap = 1 }",
            "12: unknown key \"swap\"; limits has nofile, nproc, fsize, as, core, cpu, sessions, memory, tasks, io",
        ),
    ]);
    assert_faults(&[(
        "[defaults]\nshel = 1",
        "2:1: unknown key \"shel\"; did you mean \"shell\"?",
    )]);
}

#[test]
fn refuses_wrong_types_at_the_top() {
    assert_faults(&[
        (
            "unlisted = true",
            "1:12: \"unlisted\" wants a string, found a boolean; \
             for example: unlisted = \"refuse\"",
        ),
        (
            "exempt = \"root\"",
            "1:10: \"exempt\" wants an array of names, found a string; \
             for example: exempt = [\"root\", \"@sudo\"]",
        ),
        (
            "exempt = [\"root\", 0]",
            "1:19: \"exempt\" wants an array of names, found an integer; \
             for example: exempt = [\"root\", \"@sudo\"]",
        ),
        (
            "users = 1.5",
            "1:9: \"users\" wants a table, found a float; \
             for example: alice = \"web\" below [users]",
        ),
        (
            "[[users]]",
            "1:3: \"users\" is a table, not a list of tables; write [users], not [[users]]",
        ),
        (
            "jails = 2020-01-01",
            "1:9: \"jails\" wants a table, found a date; \
             for example: root = \"/srv/jails/{user}\" below [jails.web]",
        ),
        (
            "[jails]\nweb = \"/srv\"",
            "2:1: jail \"web\" wants a table of its keys; \
             write [jails.web], and below it root = \"/srv/…\"",
        ),
        (
            "[users]\nann = 3",
            "2:7: \"ann\" wants the name of a jail or a root directory, found an integer; \
             for example: alice = \"web\"",
        ),
        (
            "[users]\nexempt = [\"root\"]",
            "2:10: \"exempt\" wants the name of a jail or a root directory, found an array; \
             the key \"exempt\" belongs above the first table",
        ),
        (
            "[users]\nlimits = { nproc = 5 }",
            "2:10: \"limits\" wants the name of a jail or a root directory, found a table; \
             the key \"limits\" of a jail belongs below the header of the jail, or of [defaults]",
        ),
        (
            "[users]\nlandlock = \"off\"\n[jails.web]\nroot = \"/srv\"",
            "2:12: jail \"off\" is not defined; \
             the key \"landlock\" of a jail belongs below the header of the jail, or of [defaults]",
        ),
        (
            "[users]\nhome = \"wbe\"\n[jails.web]\nroot = \"/srv\"",
            "2:8: jail \"wbe\" is not defined; did you mean \"web\"?",
        ),
        (
            "[users.ann]\nroot = \"/srv\"",
            "1:1: \"ann\" wants the name of a jail or a root directory, found a table; \
             for example: alice = \"web\"",
        ),
    ]);
}

#[test]
fn refuses_wrong_types_in_a_jail() {
    assert_in_jail(&[
        (
            "shell = 1",
            "9: \"shell\" wants a string, found an integer; for example: shell = \"/bin/sh\"",
        ),
        (
            "home = [\"/\"]",
            "8: \"home\" wants a string, found an array; for example: home = \"/home/{user}\"",
        ),
        (
            "isolation = false",
            "13: \"isolation\" wants a string, found a boolean; \
             for example: isolation = \"chroot\"",
        ),
        (
            "base = {}",
            "8: \"base\" wants a string, found a table; for example: base = \"host\"",
        ),
        (
            "umask = 22",
            "9: \"umask\" wants a string, found an integer; quote it: umask = \"022\"",
        ),
        (
            "env = [\"TERM\"]",
            "7: \"env\" wants a table, found an array; for example: \
             env = { pass = [\"TERM\", \"LC_*\"], set = { EDITOR = \"vi\" } }",
        ),
        (
            "env.pass = \"TERM\"",
            "12: \"pass\" wants an array of patterns, found a string; \
             for example: pass = [\"TERM\", \"LC_*\"]",
        ),
        (
            "env.pass = [1]",
            "13: \"pass\" wants an array of patterns, found an integer; \
             for example: pass = [\"TERM\", \"LC_*\"]",
        ),
        (
            "env.set = { A = 1 }",
            "17: \"A\" wants a string, found an integer; for example: set = { EDITOR = \"vi\" }",
        ),
        (
            "network = [80]",
            "11: \"network\" wants \"host\", \"none\" or a table of ports, found an array; \
             for example: network = { connect = [443], bind = [] }",
        ),
        (
            "network.connect = 80",
            "19: \"connect\" wants an array of ports, found an integer; \
             for example: connect = [80, 443]",
        ),
        (
            "network.bind = [80, \"81-90\"]",
            "21: \"bind\" wants an array of ports, found a string; for example: bind = []",
        ),
        (
            "mounts = \"/srv/data\"",
            "10: \"mounts\" wants an array of tables, found a string; for example: \
             mounts = [{ source = \"/srv/data\", target = \"/data\", mode = \"ro\" }]",
        ),
        (
            "mounts = [\"/srv/data\"]",
            "11: \"mounts\" wants an array of tables, found a string; for example: \
             mounts = [{ source = \"/srv/data\", target = \"/data\", mode = \"ro\" }]",
        ),
        (
            "linger = \"no\"",
            "10: \"linger\" wants true or false, found a string; for example: linger = false",
        ),
        (
            "limits = 1",
            "10: \"limits\" wants a table, found an integer; \
             for example: limits = { nproc = 100, core = 0 }",
        ),
        (
            "limits.cpu = 1.5",
            "14: \"cpu\" wants a number of seconds, a share of the processors such as \"150%\", or \"unlimited\", found a float; \
             for example: cpu = \"150%\"",
        ),
    ]);
}

#[test]
fn refuses_values_a_key_does_not_have() {
    assert_in_jail(&[
        (
            "groups = \"kepe\"",
            "10: \"groups\" can't be \"kepe\"; did you mean \"keep\"?",
        ),
        (
            "groups = \"none\"",
            "10: \"groups\" can't be \"none\"; it is \"keep\" or \"primary\"",
        ),
        (
            "isolation = \"chrot\"",
            "13: \"isolation\" can't be \"chrot\"; did you mean \"chroot\"?",
        ),
        (
            "isolation = \"vm\"",
            "13: \"isolation\" can't be \"vm\"; it is \"full\" or \"chroot\"",
        ),
        (
            "base = \"hots\"",
            "8: \"base\" can't be \"hots\"; did you mean \"host\"?",
        ),
        (
            "base = \"all\"",
            "8: \"base\" can't be \"all\"; \
             it is \"none\", \"host\" or the absolute path of a directory",
        ),
        (
            "landlock = \"besteffort\"",
            "12: \"landlock\" can't be \"besteffort\"; did you mean \"best-effort\"?",
        ),
        (
            "landlock = \"no\"",
            "12: \"landlock\" can't be \"no\"; \
             it is \"files\", \"require\", \"best-effort\" or \"off\"",
        ),
        (
            "seccomp = \"strict\"",
            "11: \"seccomp\" can't be \"strict\"; it is \"default\" or \"off\"",
        ),
        (
            "network = \"nnoe\"",
            "11: \"network\" can't be \"nnoe\"; did you mean \"none\"?",
        ),
        (
            "network = \"private\"",
            "11: \"network\" can't be \"private\"; \
             it is \"host\", \"none\" or a table of ports",
        ),
        (
            "proc = \"host\"",
            "8: \"proc\" can't be \"host\"; it is \"private\" or \"root\"",
        ),
        (
            "dev = \"none\"",
            "7: \"dev\" can't be \"none\"; it is \"private\" or \"root\"",
        ),
        (
            "tmp = \"rot\"",
            "7: \"tmp\" can't be \"rot\"; did you mean \"root\"?",
        ),
        (
            "root_owner = \"ann\"",
            "14: \"root_owner\" can't be \"ann\"; it is \"root\" or \"user\"",
        ),
        (
            "limits.nofile = -1",
            "17: \"nofile\" wants a whole number from 1 up, or \"unlimited\", not -1; \
             for example: nofile = 1024",
        ),
        (
            "limits.nproc = 0",
            "16: \"nproc\" = 0 lets nobody in: a session is a process itself; for example: nproc = 100",
        ),
        (
            "limits.cpu = 0",
            "14: \"cpu\" = 0 lets nobody in: the kernel kills the session at once; for example: cpu = \"150%\"",
        ),
        (
            "limits.cpu = \"0%\"",
            "14: \"0%\" is not a share of the processors: it is a whole number from 1 to 100000 and %; \
             100% is one whole processor; for example: cpu = \"150%\"",
        ),
        (
            "limits.cpu = \"1.5%\"",
            "14: \"1.5%\" is not a share of the processors: it is a whole number from 1 to 100000 and %; \
             100% is one whole processor; for example: cpu = \"150%\"",
        ),
        (
            "limits.cpu = \"+5%\"",
            "14: \"+5%\" is not a share of the processors: it is a whole number from 1 to 100000 and %; \
             100% is one whole processor; for example: cpu = \"150%\"",
        ),
        (
            "limits.cpu = \"100001%\"",
            "14: \"100001%\" is not a share of the processors: it is a whole number from 1 to 100000 and %; \
             100% is one whole processor; for example: cpu = \"150%\"",
        ),
        (
            "limits.cpu = \"half\"",
            "14: \"cpu\" wants a number of seconds, a share of the processors such as \"150%\", or \"unlimited\", \
             not \"half\"; for example: cpu = \"150%\"",
        ),
        (
            "limits.memory = 0",
            "17: \"memory\" = 0 lets nobody in: no program fits in no memory; for example: memory = \"512M\"",
        ),
        (
            "limits.memory = 512",
            "17: \"memory\" wants at least \"16M\", not 512; \
             a number without a unit is one of bytes; write for example: memory = \"512M\"",
        ),
        (
            "limits.memory = \"50%\"",
            "17: \"50%\" is not a size; write a whole number and K, M, G or T: \"512M\"",
        ),
        (
            "limits.tasks = 7",
            "16: \"tasks\" wants at least 8, not 7; \
             each session has two processes of login-jail's beside its own; for example: tasks = 100",
        ),
        (
            "limits.io = 0",
            "13: \"io\" wants a weight from 1 to 10000, not 0; 100 is what others have; for example: io = 50",
        ),
        (
            "limits.io = \"unlimited\"",
            "13: \"io\" wants a weight from 1 to 10000, not \"unlimited\"; 100 is what others have; for example: io = 50",
        ),
        (
            "limits.as = \"0K\"",
            "13: \"as\" = 0 lets nobody in: no program fits in no memory; for example: as = \"4G\"",
        ),
        (
            "limits.nofile = 0",
            "17: \"nofile\" = 0 lets nobody in: a program has to open its libraries; for example: nofile = 1024",
        ),
        (
            "limits.sessions = 0",
            "19: \"sessions\" = 0 lets nobody in: to close an account, use usermod -e 1; for example: sessions = 3",
        ),
        (
            "limits.sessions = 1001",
            "19: \"sessions\" wants a number from 1 to 1000, not 1001; for no limit: sessions = \"unlimited\"",
        ),
        (
            "limits.sessions = -1",
            "19: \"sessions\" wants a number from 1 to 1000, or \"unlimited\", not -1; for example: sessions = 3",
        ),
        (
            "limits.nproc = \"10M\"",
            "16: \"nproc\" wants a whole number from 1 up, or \"unlimited\", not \"10M\"; \
             for example: nproc = 100",
        ),
        (
            "limits.as = \"10m\"",
            "13: \"10m\" is not a size; did you mean \"10M\"?",
        ),
        (
            "limits.fsize = \"2 GiB\"",
            "16: \"2 GiB\" is not a size; did you mean \"2G\"?",
        ),
        (
            "limits.fsize = \"1.5G\"",
            "16: \"1.5G\" is not a size; write a whole number and K, M, G or T: \"512M\"",
        ),
        (
            "limits.fsize = \"99999999T\"",
            "16: \"99999999T\" is more than there can be; write \"unlimited\" for no limit",
        ),
        (
            "limits.memory = \"512\"",
            "17: \"512\" is not a size; write 512 for so many bytes, or a unit behind it: \"512M\"",
        ),
        (
            "limits.tasks = \"100\"",
            "16: \"tasks\" wants at least 8, or \"unlimited\", not \"100\"; for example: tasks = 100",
        ),
        (
            "limits.mem = 4",
            "8: unknown key \"mem\"; did you mean \"memory\"?",
        ),
        (
            "limits.core = \"0\"",
            "15: \"0\" is not a size; did you mean 0?",
        ),
        (
            "limits.core = 99999999999999999999",
            "15: \"core\" wants a number of bytes, a size such as \"512M\" or \"2G\", or \"unlimited\", \
             not 99999999999999999999; for example: core = 0",
        ),
    ]);
}

#[test]
fn refuses_names_of_etc_that_are_paths_made_or_the_hosts_own() {
    let host = |names: &str| in_jail(&format!("base = \"host\"\netc = {names}"));
    for (names, expected) in [
        (
            "[\"php/8.2\"]",
            "4:8: \"php/8.2\" has a slash, and etc has names; write \"php\": all of it is shown",
        ),
        (
            "[\"/etc/php/8.2\"]",
            "4:8: \"/etc/php/8.2\" is a path, and etc has names; write \"php\"",
        ),
        (
            "[\"php\", \"/opt/x\"]",
            "4:15: \"/opt/x\" has a slash, and etc has names; what is elsewhere on the host can be shown by mounts",
        ),
        (
            "[\"\"]",
            "4:8: \"\" is no name of an entry of /etc; for example: etc = [\"php\"]",
        ),
        (
            "[\"..\"]",
            "4:8: \"..\" is no name of an entry of /etc; for example: etc = [\"php\"]",
        ),
        (
            "[\"a\\u0007\"]",
            "4:8: \"a\\u{7}\" is no name of an entry of /etc; for example: etc = [\"php\"]",
        ),
        (
            "\"php\"",
            "4:7: \"etc\" wants an array of names, found a string; for example: etc = [\"php\", \"maven\"]",
        ),
        (
            "[1]",
            "4:8: \"etc\" wants an array of names, found an integer; for example: etc = [\"php\", \"maven\"]",
        ),
    ] {
        assert_eq!(host(names), [expected], "{names}");
    }
    for name in ["passwd", "group", "nsswitch.conf", "mtab"] {
        let expected = format!(
            "4:8: {name:?} can't be the host's; remove it: each session has a {name} of its own"
        );
        assert_eq!(host(&format!("[{name:?}]")), [expected]);
    }
    for name in [
        "shadow",
        "shadow-",
        "gshadow",
        "passwd-",
        "group-",
        "ld.so.preload",
        "security",
        "pam.d",
        "ssh",
        "sudoers",
        "sudoers.d",
        "cron.d",
        "crontab",
        "at.allow",
        "default",
        "environment",
        "login-jail",
        "login.defs",
        "ssl",
        "pki",
        "machine-id",
        "krb5.keytab",
        "subuid",
        "apt",
        "update-motd.d",
        "systemd",
        "selinux",
    ] {
        let expected = format!(
            "4:8: {name:?} of the host is shown in no jail; remove it: it has the host's secrets, or root's programs act on it"
        );
        assert_eq!(host(&format!("[{name:?}]")), [expected]);
    }
    policy("[jails.web]\nroot = \"/srv\"\nbase = \"host\"\netc = [\"php\", \"a.b-c d\", \"php\"]");
}

#[test]
fn refuses_a_list_for_etc_where_nothing_of_the_hosts_is_shown() {
    let help = "a list for etc needs base = \"host\"; write base = \"host\", or remove etc";
    assert_eq!(in_jail("etc = [\"php\"]"), [format!("3:1: {help}")]);
    assert_eq!(
        in_jail("base = \"/srv/x\"\netc = [\"php\"]"),
        [format!("4:1: {help}")]
    );
    let inherited =
        "a list for etc, from [defaults], needs base = \"host\"; write etc = [] in this jail";
    let text = "[defaults]\netc = [\"php\"]\n[jails.web]\nroot = \"/srv\"\n";
    assert_eq!(faults(text), [format!("3:8: {inherited}")]);
    assert_eq!(
        faults(&format!("{text}base = \"/srv/x\"")),
        [format!("5:1: {inherited}")]
    );
    policy(&format!("{text}etc = []"));
    policy(&format!("{text}base = \"host\""));
    // The error is told once.
    assert_eq!(in_jail("base = \"hots\"\netc = [\"php\"]").len(), 1);
}

#[test]
fn refuses_a_record_of_transfers_where_no_supervisor_writes_it() {
    let needs = "sftp.log = true needs isolation = \"full\"";
    assert_eq!(
        in_jail("isolation = \"chroot\"\nsftp = { log = true }"),
        [format!(
            "4:1: {needs}; write isolation = \"full\", or sftp.log = false"
        )]
    );
    let chroot = "[jails.web]\nroot = \"/srv\"\nisolation = \"chroot\"";
    assert_eq!(
        faults(&format!("[defaults]\nsftp.log = true\n{chroot}")),
        [
            "5:1: sftp.log = true, from [defaults], needs isolation = \"full\"; write sftp.log = false in this jail"
        ]
    );
    policy(&format!(
        "[defaults]\nsftp.log = true\n{chroot}\nsftp.log = false"
    ));
    policy("[jails.web]\nroot = \"/srv\"\nsftp.log = true");
    assert_in_jail(&[(
        "sftp = { log = \"yes\" }",
        "16: \"log\" wants true or false, found a string; for example: log = true",
    )]);
}

#[test]
fn refuses_a_number_of_sessions_that_nobody_counts() {
    let needs = "needs isolation = \"full\"; write isolation = \"full\", or";
    let own = format!("limits.sessions {needs} remove sessions");
    assert_eq!(
        in_jail("isolation = \"chroot\"\nlimits = { sessions = 3 }"),
        [format!("4:1: {own}")]
    );
    assert_eq!(
        faults(
            "[defaults]\nisolation = \"chroot\"\nlimits.sessions = 3\n[jails.web]\nroot = \"/srv\""
        ),
        [format!("3:1: {own}")]
    );
    assert_eq!(
        faults(
            "[defaults]\nisolation = \"chroot\"\n[jails.web]\nroot = \"/srv\"\nlimits.sessions = 3"
        ),
        [format!("5:1: {own}")]
    );
    let inherited = format!(
        "limits.sessions, from [defaults], {needs} limits = {{ sessions = \"unlimited\" }} in this jail"
    );
    let text =
        "[defaults]\nlimits.sessions = 3\n[jails.web]\nroot = \"/srv\"\nisolation = \"chroot\"\n";
    assert_eq!(faults(text), [format!("5:1: {inherited}")]);
    // Others of the jail's own are merged with it.
    assert_eq!(
        faults(&format!("{text}limits = {{ nproc = 100 }}")),
        [format!("6:1: {inherited}")]
    );
    policy(&format!("{text}limits = {{ sessions = \"unlimited\" }}"));
}

#[test]
fn refuses_wrong_commands() {
    assert_in_jail(&[
        (
            "commands = \"sftp\"",
            "12: \"commands\" wants an array of words, paths and tables, found a string; for example: commands = [\"sftp\", \"rsync\", \"/usr/bin/report\"]",
        ),
        (
            "commands = []",
            "12: commands = [] lets nobody start anything; for example: commands = [\"sftp\", \"rsync\", \"/usr/bin/report\"]",
        ),
        (
            "commands = [\"sfpt\"]",
            "13: \"commands\" can't have \"sfpt\"; did you mean \"sftp\"?",
        ),
        (
            "commands = [\"bin/report\"]",
            "13: \"commands\" can't have \"bin/report\"; write \"shell\", \"sftp\", \"scp\", \"rsync\", \"git\" or the absolute path of a program",
        ),
        (
            "commands = [\"/bin/../sh\"]",
            "13: \"/bin/../sh\" has a \"..\" component; write the path without it",
        ),
        (
            "commands = [\"/home/{user}/x\"]",
            "13: \"/home/{user}/x\" has braces, and commands no variables; only root, base, home, mounts and sftp.directory have variables",
        ),
        (
            "commands = [{ program = \"/bin/x\" }]",
            "13: \"arguments\" is missing in this table of commands; for example: arguments = [\"--user\", \"*\"]",
        ),
        (
            "commands = [{ program = \"/bin/x\", arguments = [\"**\", \"a\"] }]",
            "48: \"**\" stands for all further arguments; write it last, or \"*\" for one argument",
        ),
        (
            "commands = [{ program = \"x\", arguments = [] }]",
            "25: \"x\" is not the absolute path of a program; for example: \"/usr/bin/report\"",
        ),
        (
            "commands = [{ program = \"/x\", arguments = [], args = [] }]",
            "47: unknown key \"args\"; a command has program, arguments",
        ),
        (
            "sftp = { acces = \"read-only\" }",
            "10: unknown key \"acces\"; did you mean \"access\"?",
        ),
        (
            "sftp = { access = \"readonly\" }",
            "19: \"access\" can't be \"readonly\"; did you mean \"read-only\"?",
        ),
    ]);
}

#[test]
fn refuses_a_record_and_an_idle_that_make_no_sense() {
    assert_in_jail(&[
        (
            "record = { what = \"sessions\", input = true }",
            "31: input, size and total need what = \"terminal\"; write what = \"terminal\", or remove this",
        ),
        (
            "record = { size = \"64M\" }",
            "10: \"what\" is missing in this table of record; for example: what = \"terminal\"",
        ),
        (
            "record = { what = \"terminal\", size = \"1K\" }",
            "38: this size is too small for a recording; the smallest is \"64K\"",
        ),
        (
            "record = { what = \"terminal\", size = \"2G\", total = \"1G\" }",
            "52: total is less than size: no session could begin; make it several times size",
        ),
        (
            "record = { what = \"sessions\", total = \"1G\" }",
            "31: input, size and total need what = \"terminal\"; write what = \"terminal\", or remove this",
        ),
        (
            "record = { what = \"terminal\", sise = \"1M\" }",
            "31: unknown key \"sise\"; did you mean \"size\"?",
        ),
        (
            "idle = \"15\"",
            "8: \"15\" is not a duration; write a whole number and s, m, h or d: \"15m\"",
        ),
        ("idle = 0", "8: 0 is no duration; for example: \"15m\""),
        (
            "idle = true",
            "8: \"idle\" wants a duration such as \"15m\" or \"8h\", or a number of seconds, found a boolean; for example: idle = \"15m\"",
        ),
        (
            "size = \"64M\"",
            "1: unknown key \"size\"; \"size\" belongs in record",
        ),
    ]);
    let wrong = in_jail("record = \"terminals\"");
    assert!(
        wrong.len() == 1
            && wrong
                .iter()
                .all(|it| it.contains("did you mean \"terminal\"?")),
        "{wrong:?}"
    );
    policy(
        "[jails.web]\nroot = \"/srv\"\nrecord = { what = \"terminal\", input = true, size = 100000 }\nidle = 900",
    );
}

#[test]
fn refuses_a_create_that_would_make_a_home_of_no_use_or_open_to_all() {
    assert_in_jail(&[
        (
            "create = \"yes\"",
            "10: \"create\" wants true, false or a table, found a string; for example: create = { skel = \"/etc/skel\", mode = \"700\" }",
        ),
        (
            "create = { mode = 700 }",
            "19: \"mode\" wants a string, found an integer; quote it: mode = \"700\"",
        ),
        (
            "create = { mode = \"70\" }",
            "19: \"70\" is not a mode; write three octal digits: \"700\"",
        ),
        (
            "create = { mode = \"500\" }",
            "19: with mode \"500\" the user can't use the home; begin it with 7: \"700\"",
        ),
        (
            "create = { mode = \"777\" }",
            "19: with mode \"777\" everybody can write to the home; for example \"700\", or \"750\" for the group to read",
        ),
        (
            "create = { mode = \"4755\" }",
            "19: mode \"4755\" has a bit that a home has no use for; of the first of four digits, only 2 is allowed: \"2770\"",
        ),
        (
            "create = { skel = \"/\" }",
            "19: \"/\" is the host's own root, which jails nobody",
        ),
        (
            "create = { skel = \"nane\" }",
            "19: \"skel\" can't be \"nane\"; did you mean \"none\"?",
        ),
        (
            "create = { group = \"a:b\" }",
            "20: \"a:b\" is not the name of a group; for example: group = \"www-data\"",
        ),
        (
            "create = { skell = \"none\" }",
            "12: unknown key \"skell\"; did you mean \"skel\"?",
        ),
    ]);
    policy(
        "[jails.web]\nroot = \"/srv\"\ncreate = { skel = \"none\", mode = \"2770\", group = \"www-data\" }",
    );
}

#[test]
fn refuses_a_disk_that_limits_nothing_or_too_much() {
    assert_in_jail(&[
        (
            "disk = {}",
            "8: \"disk\" limits nothing; for example: disk = { bytes = \"5G\", files = 100000 }",
        ),
        (
            "disk = \"5G\"",
            "8: \"disk\" wants a table, or \"unlimited\", found a string; for example: disk = { bytes = \"5G\", files = 100000 }",
        ),
        (
            "disk = { bytes = 0 }",
            "18: bytes = 0 leaves no room for a home",
        ),
        (
            "disk = { files = \"1K\" }",
            "18: \"1K\" is not a number of files; write it without quotes: files = 100000",
        ),
        (
            "disk = { byte = 5 }",
            "10: unknown key \"byte\"; did you mean \"bytes\"?",
        ),
    ]);
    policy(
        "[jails.web]\nroot = \"/srv\"\ncreate = true\ndisk = { bytes = \"5G\", files = 10 }\n[jails.b]\nroot = \"/srv\"\ndisk = \"unlimited\"",
    );
}

#[test]
fn a_recording_and_a_limit_of_idleness_need_a_supervisor() {
    for (key, help) in [
        (
            "record = \"terminal\"",
            "write isolation = \"full\", or record = \"sessions\"",
        ),
        (
            "idle = \"15m\"",
            "write isolation = \"full\", or remove idle",
        ),
    ] {
        let text = format!("[jails.web]\nroot = \"/srv\"\nisolation = \"chroot\"\n{key}");
        assert_eq!(
            faults(&text),
            [format!("4:1: {key} needs isolation = \"full\"; {help}")]
        );
    }
    policy("[jails.web]\nroot = \"/srv\"\nisolation = \"chroot\"\nrecord = \"off\"");
}

#[test]
fn refuses_a_restricted_sftp_beside_other_ways_to_the_files() {
    let restricted = "sftp = { access = \"read-only\" }";
    for (commands, needs) in [
        ("", "without \"shell\""),
        ("commands = [\"sftp\", \"shell\"]\n", "without \"shell\""),
        (
            "commands = [\"sftp\", \"scp\"]\n",
            "without \"scp\", whose old protocol access does not restrict",
        ),
        (
            "commands = [\"sftp\", \"rsync\"]\n",
            "without \"rsync\", which access does not restrict",
        ),
    ] {
        let found = in_jail(&format!("{commands}{restricted}"));
        let expected = format!(
            "sftp.access = \"read-only\" needs a list of commands {needs}; write commands = [\"sftp\"], or remove access"
        );
        assert!(
            found.len() == 1 && found[0].ends_with(&expected),
            "{found:?}"
        );
    }
    policy(&format!(
        "[jails.web]\nroot = \"/srv\"\ncommands = [\"sftp\"]\n{restricted}"
    ));
    policy("[jails.web]\nroot = \"/srv\"\nsftp = { umask = \"007\" }");
}

#[test]
fn refuses_a_base_that_is_no_directory_of_a_system() {
    assert_in_jail(&[
        (
            "base = \"/\"",
            "8: \"/\" is the whole host; \
             base = \"host\" has the system directories of the host",
        ),
        (
            "base = \"/srv/../x\"",
            "8: \"/srv/../x\" has a \"..\" component; write the path without it",
        ),
        (
            "base = \"/srv/{usr}\"",
            "8: unknown variable {usr}; did you mean {user}?",
        ),
        (
            "base = \"srv/image\"",
            "8: \"base\" can't be \"srv/image\"; \
             it is \"none\", \"host\" or the absolute path of a directory",
        ),
    ]);
}

#[test]
fn refuses_a_network_that_is_no_list_of_ports() {
    let help = "a port is a number from 0 to 65535";
    for port in ["65536", "-1", "99999999999999999999"] {
        let expected = format!("3:24: {port} is not a port; {help}");
        assert_eq!(
            in_jail(&format!("network = {{ connect = [{port}] }}")),
            [expected]
        );
    }
    assert_in_jail(&[(
        "network = {}",
        "1: \"network\" has no list of ports; \
         write connect = [443] or bind = [] in it, or network = \"host\"",
    )]);
}

/// A mount that is right but for what is replaced in it.
fn mounts(part: &str, replacement: &str) -> String {
    let mount = "{ source = \"/s\", target = \"/t\", mode = \"ro\" }";
    format!("mounts = [{}]", mount.replace(part, replacement))
}

#[test]
fn refuses_a_mount_that_lacks_a_part() {
    for (part, expected) in [
        (
            "source = \"/s\", ",
            "a mount has no source; for example: source = \"/srv/data\"",
        ),
        (
            "target = \"/t\", ",
            "a mount has no target; for example: target = \"/data\"",
        ),
        (
            ", mode = \"ro\"",
            "a mount has no mode; for example: mode = \"ro\"",
        ),
    ] {
        assert_eq!(in_jail(&mounts(part, "")), [format!("3:11: {expected}")]);
    }
    let three = in_jail("mounts = [{}]").len();
    assert_eq!(three, 3);
}

#[test]
fn refuses_a_mount_that_is_wrong() {
    for (part, replacement, expected) in [
        (
            "/s",
            "/",
            "22: \"/\" is the host's own root, which jails nobody",
        ),
        (
            "/s",
            "s",
            "22: \"s\" is not an absolute path; begin it with / or {home}",
        ),
        (
            "/t",
            "/",
            "37: \"/\" is the jail's root, where no mount is made",
        ),
        (
            "/t",
            "/../t",
            "37: \"/../t\" has a \"..\" component; write the path without it",
        ),
        (
            "/t",
            "/proc",
            "37: \"/proc\" is in /proc, where no mount is made",
        ),
        (
            "/t",
            "/proc/{user}",
            "37: \"/proc/{user}\" is in /proc, where no mount is made",
        ),
        (
            "/t",
            "/dev/shm",
            "37: \"/dev/shm\" is in /dev, where no mount is made",
        ),
        (
            "ro",
            "wr",
            "50: \"mode\" can't be \"wr\"; it is \"ro\" or \"rw\"",
        ),
        (
            "mode",
            "opts",
            "43: unknown key \"opts\"; a mount has source, target, mode",
        ),
    ] {
        let faults = in_jail(&mounts(part, replacement));
        let expected = format!("3:{expected}");
        assert!(faults.contains(&expected), "{expected}\n{faults:#?}");
    }
    for target in ["/process", "/devices/x", "/x/proc"] {
        let mounts = mounts("/t", target);
        policy(&format!("[jails.web]\nroot = \"/srv\"\n{mounts}"));
    }
}

#[test]
fn refuses_two_mounts_with_one_target() {
    let text = r#"
[[jails.web.mounts]]
source = "/a"
target = "/t/{user}"
mode = "ro"
[[jails.web.mounts]]
source = "/b"
target = "/t/{user}"
mode = "rw"
[jails.web]
root = "/srv"
"#;
    let expected = "8:10: \"/t/{user}\" is the target of two mounts";
    assert_eq!(faults(text), [expected]);
}

#[test]
fn refuses_a_mount_that_hides_an_earlier_one() {
    let text = r#"
[[jails.web.mounts]]
source = "/srv/data/keys"
target = "/data/{user}/keys"
mode = "ro"
[[jails.web.mounts]]
source = "/srv/data"
target = "/data/{user}"
mode = "rw"
[jails.web]
root = "/srv"
"#;
    let expected = "8:10: the mount at \"/data/{user}\" hides the one at \"/data/{user}/keys\", which is made before it; \
                    write the mount at \"/data/{user}\" first";
    assert_eq!(faults(text), [expected]);
    let mount =
        |target: &str| format!("{{ source = \"/a\", target = \"{target}\", mode = \"ro\" }}");
    for targets in [["/data", "/data/keys"], ["/data/keys", "/dat"]] {
        let [first, second] = targets.map(mount);
        policy(&format!(
            "[jails.web]\nroot = \"/srv\"\nmounts = [{first}, {second}]"
        ));
    }
}

/// Each key that needs namespaces, as a config has it and as a message names it.
const NEED_FULL: [(&str, &str, &str); 11] = [
    ("base = \"host\"", "base = \"host\"", "base = \"none\""),
    (
        "base = \"/srv/image\"",
        "base = \"/srv/image\"",
        "base = \"none\"",
    ),
    (
        "network = \"none\"",
        "network = \"none\"",
        "network = \"host\"",
    ),
    (
        "proc = \"private\"",
        "proc = \"private\"",
        "proc = \"root\"",
    ),
    ("dev = \"private\"", "dev = \"private\"", "dev = \"root\""),
    ("tmp = \"private\"", "tmp = \"private\"", "tmp = \"root\""),
    (
        "mounts = [{ source = \"/s\", target = \"/t\", mode = \"ro\" }]",
        "a list of mounts",
        "mounts = []",
    ),
    (
        "root_owner = \"user\"",
        "root_owner = \"user\"",
        "root_owner = \"root\"",
    ),
    (
        "scope = \"user\"",
        "scope = \"user\"",
        "scope = \"session\"",
    ),
    ("linger = true", "linger = true", ""),
    (
        "commands = [\"sftp\"]",
        "a list of commands without \"shell\"",
        "",
    ),
];

fn key_of(line: &str) -> &str {
    line.split(' ').next().unwrap_or_default()
}

#[test]
fn refuses_what_needs_namespaces_in_a_jail_by_chroot() {
    for (line, written, instead) in NEED_FULL {
        let needs = format!("{written} needs isolation = \"full\"");
        let own = match instead {
            "" => format!("write isolation = \"full\", or remove {}", key_of(line)),
            instead => format!("write isolation = \"full\", or {instead}"),
        };
        let inherited = match instead {
            "" => format!("move {} to the jails that can have it", key_of(line)),
            instead => format!("write {instead} in this jail"),
        };
        let jail = "[jails.web]\nroot = \"/srv\"";
        let chroot = "isolation = \"chroot\"";

        let both = faults(&format!("{jail}\n{chroot}\n{line}"));
        assert_eq!(both, [format!("4:1: {needs}; {own}")]);

        let key = faults(&format!("{jail}\n{line}\n[defaults]\n{chroot}"));
        let has = "and [defaults] has isolation = \"chroot\"";
        assert_eq!(key, [format!("3:1: {needs}, {has}; {own}")]);

        let isolation = faults(&format!("{jail}\n{chroot}\n[defaults]\n{line}"));
        let from = format!("{written}, from [defaults], needs isolation = \"full\"");
        assert_eq!(isolation, [format!("3:1: {from}; {inherited}")]);

        // Once, and not once more for each jail.
        let neither = faults(&format!("{jail}\n[defaults]\n{chroot}\n{line}"));
        assert_eq!(neither, [format!("5:1: {needs}; {own}")]);

        policy(&format!("{jail}\n{line}"));
        policy(&format!("{jail}\nisolation = \"full\"\n{line}"));
        if !instead.is_empty() {
            policy(&format!("{jail}\n{chroot}\n{instead}\n[defaults]\n{line}"));
        }
    }
}

#[test]
fn refuses_lists_of_ports_without_landlock() {
    assert_faults(&[
        (
            "[jails.web]\nroot = \"/srv\"\nlandlock = \"off\"\nnetwork = { bind = [] }",
            "4:1: a network with lists of ports needs landlock = \"files\"; \
             write landlock = \"files\", or network = \"host\"",
        ),
        (
            "[defaults]\nlandlock = \"off\"\n[jails.web]\nroot = \"/srv\"\nnetwork.bind = []",
            "5:1: a network with lists of ports needs landlock = \"files\", \
             and [defaults] has landlock = \"off\"; \
             write landlock = \"files\", or network = \"host\"",
        ),
        (
            "[defaults]\nnetwork.bind = []\n[jails.web]\nroot = \"/srv\"\nlandlock = \"off\"",
            "5:1: a network with lists of ports, from [defaults], needs landlock = \"files\"; \
             write network = \"host\" in this jail",
        ),
    ]);
    policy("[defaults]\nlandlock = \"off\"\nnetwork = \"none\"\n");
    policy("[defaults]\nlandlock = \"best-effort\"\nnetwork = \"none\"\n");
    policy("[defaults]\nlandlock = \"files\"\nnetwork.bind = []\n");
    policy("[defaults]\nlandlock = \"require\"\nnetwork.bind = []\n");
    policy("[defaults]\nlandlock = \"off\"\nseccomp = \"off\"\nroot_owner = \"user\"\n");
    policy("[defaults]\nisolation = \"chroot\"\nnetwork.bind = []\n");
}

#[test]
fn refuses_lists_of_ports_where_an_old_kernel_may_leave_them_out() {
    assert_faults(&[
        (
            "[jails.web]\nroot = \"/srv\"\nlandlock = \"best-effort\"\nnetwork = { connect = [443] }",
            "4:1: a network with lists of ports needs landlock = \"files\"; \
             write landlock = \"files\", or network = \"host\"",
        ),
        (
            "[defaults]\nlandlock = \"best-effort\"\n[jails.web]\nroot = \"/srv\"\nnetwork.bind = []",
            "5:1: a network with lists of ports needs landlock = \"files\", \
             and [defaults] has landlock = \"best-effort\"; \
             write landlock = \"files\", or network = \"host\"",
        ),
        (
            "[defaults]\nnetwork.bind = []\n[jails.web]\nroot = \"/srv\"\nlandlock = \"best-effort\"",
            "5:1: a network with lists of ports, from [defaults], needs landlock = \"files\"; \
             write network = \"host\" in this jail",
        ),
        (
            "[defaults]\nlandlock = \"best-effort\"\nnetwork.bind = []",
            "3:1: a network with lists of ports needs landlock = \"files\"; \
             write landlock = \"files\", or network = \"host\"",
        ),
    ]);
    policy(
        "[defaults]\nlandlock = \"best-effort\"\n[jails.web]\nroot = \"/srv\"\nlandlock = \"files\"\nnetwork.bind = []",
    );
}

#[test]
fn does_not_hold_a_wrong_key_against_another_one() {
    for (text, expected) in [
        (
            "[defaults]\nbase = \"host\"\n[jails.web]\nroot = \"/x\"\n\
             isolation = \"chroot\"\nbase = \"nnoe\"",
            "6:8: \"base\" can't be \"nnoe\"; did you mean \"none\"?",
        ),
        (
            "[defaults]\nisolation = \"chroot\"\n[jails.web]\nroot = \"/x\"\n\
             isolation = \"ful\"\nbase = \"host\"",
            "5:13: \"isolation\" can't be \"ful\"; did you mean \"full\"?",
        ),
        (
            "[defaults]\nbase = \"host\"\n[jails.web]\nroot = \"/x\"\n\
             isolation = \"chroot\"\nbase\n",
            "6:5: key with no value, expected `=`",
        ),
    ] {
        assert_eq!(faults(text), [expected], "{text}");
    }
}

#[test]
fn refuses_a_jail_without_a_root() {
    let help = "write root = \"/srv/jails/{user}\" or another directory";
    let expected = format!("1:8: jail \"web\" has no root; {help}");
    assert_eq!(faults("[jails.web]\n"), [expected]);
}

#[test]
fn refuses_a_jail_that_is_not_defined() {
    let jails = "[jails.web]\nroot = \"/x\"\n";
    for (rule, help) in [
        (
            "ann = \"wbe\"",
            "jail \"wbe\" is not defined; did you mean \"web\"?",
        ),
        (
            "ann = \"mail\"",
            "jail \"mail\" is not defined; defined are \"web\"",
        ),
        (
            "ann = \"srv/x\"",
            "jail \"srv/x\" is not defined; a root directory begins with /",
        ),
        ("ann = \"\"", "the name of the jail is empty"),
    ] {
        for table in ["users", "groups"] {
            let text = format!("{jails}[{table}]\n{rule}");
            assert_eq!(faults(&text), [format!("4:7: {help}")]);
        }
    }
    assert_faults(&[
        (
            "[users]\nann = \"web\"",
            "2:7: jail \"web\" is not defined; \
             no jail is defined: write [jails.NAME], and below it its root",
        ),
        (
            "[users]\nunlisted = \"refuse\"",
            "2:12: jail \"refuse\" is not defined; \
             the key \"unlisted\" belongs above the first table",
        ),
    ]);
}

#[test]
fn does_not_call_a_wrong_jail_undefined() {
    let text = "[users]\nann = \"web\"\n[jails.web]\nroot = \"x\"";
    let expected = "4:8: \"x\" is not an absolute path; begin it with / or {home}";
    assert_eq!(faults(text), [expected]);
}

#[test]
fn explains_a_dot_without_quotes() {
    let text = "[users]\njohn.doe = \"web\"\n  john.smith = \"/srv\"\na.b.c = 1\n";
    assert_eq!(
        faults(text),
        [
            "2:1: a name with a dot needs quotes; quote it: \"john.doe\" = \"web\"",
            "3:3: a name with a dot needs quotes; quote it: \"john.smith\" = \"/srv\"",
            "4:1: a name with a dot needs quotes; quote it: \"a.b.c\" = \"web\"",
        ]
    );
    let fault = parse(text).unwrap_err().iter().next().unwrap().clone();
    assert_eq!(fault.width, "john.doe".len());
    assert_faults(&[(
        "[groups]\nweb.dev = \"web\"",
        "2:1: a name with a dot needs quotes; quote it: \"web.dev\" = \"web\"",
    )]);
}

#[test]
fn takes_a_dot_in_quotes() {
    let policy = policy("[users]\n\"john.doe\" = \"/srv/john\"\n");
    let expected = "jail /srv/john, config.toml:2 [users] john.doe";
    assert_eq!(crate::common::decided(&policy, "john.doe", &[]), expected);
}

#[test]
fn refuses_names_that_no_account_has() {
    assert_faults(&[
        ("exempt = [\"\"]", "1:11: the name is empty"),
        ("exempt = [\"@\"]", "1:11: the name is empty"),
        (
            "exempt = [\"a\\n\"]",
            "1:11: \"a\\n\" has a control character",
        ),
    ]);
    for (line, expected) in [
        ("[users]\n\"\" = \"/x\"", "2:1: the name is empty"),
        (
            "[users]\n\"a\\u0000\" = \"/x\"",
            "2:1: \"a\\0\" has a control character",
        ),
        (
            "[users]\n\"/srv\" = \"/x\"",
            "2:1: \"/srv\" has a slash, which no name has",
        ),
        (
            "[users]\n\"@web\" = \"/x\"",
            "2:1: \"@web\" begins with @; a group belongs in [groups], as \"web\"",
        ),
        (
            "[groups]\n\"@web\" = \"/x\"",
            "2:1: \"@web\" begins with @; write \"web\": all names here are groups",
        ),
        ("[jails.\"\"]\nroot = \"/x\"", "1:8: a jail's name is empty"),
        (
            "[jails.\"/srv\"]\nroot = \"/x\"",
            "1:8: \"/srv\" is a path, not the name of a jail; \
             give the jail a name, and write the path as its root",
        ),
        (
            "[jails.\"a\\n\"]\nroot = \"/x\"",
            "1:8: \"a\\n\" has a control character",
        ),
    ] {
        assert_eq!(faults(line), [expected], "{line}");
    }
}

#[test]
fn refuses_a_root_directory_that_is_no_template() {
    for (root, expected) in [
        ("/srv/{usr}", "unknown variable {usr}; did you mean {user}?"),
        (
            "/srv/../x",
            "\"/srv/../x\" has a \"..\" component; write the path without it",
        ),
        ("/", "\"/\" is the host's own root, which jails nobody"),
        (
            "{user}/x",
            "\"{user}/x\" is not an absolute path; begin it with / or {home}",
        ),
    ] {
        let users = format!("[users]\nann = \"{root}\"\n");
        assert_eq!(faults(&users), [format!("2:7: {expected}")]);
        let jail = format!("[jails.web]\nroot = \"{root}\"\n");
        assert_eq!(faults(&jail), [format!("2:8: {expected}")]);
    }
    policy("[users]\nann = \"{home}/jail\"\n");
    policy("[defaults]\nhome = \"/\"\n");
}

#[test]
fn refuses_a_shell_that_is_no_path() {
    assert_in_jail(&[
        (
            "shell = \"bash\"",
            "9: \"bash\" is not the absolute path of a shell; for example: shell = \"/bin/sh\"",
        ),
        (
            "shell = \"/\"",
            "9: \"/\" is not the absolute path of a shell; for example: shell = \"/bin/sh\"",
        ),
        (
            "shell = \"/bin/../x\"",
            "9: \"/bin/../x\" has a \"..\" component; write the path without it",
        ),
        (
            "shell = \"/{user}/sh\"",
            "9: \"/{user}/sh\" has braces, and shell no variables; \
             only root and home have variables",
        ),
    ]);
}

#[test]
fn refuses_a_umask_that_is_not_octal() {
    for umask in [
        "22", "", "888", "1777", "0o022", "+22", "00022", "02２", "abc", "-022",
    ] {
        let expected = format!("3:9: {umask:?} is not a umask; write three octal digits: \"022\"");
        assert_eq!(in_jail(&format!("umask = {umask:?}")), [expected]);
    }
    let octal = "3:9: unexpected leading zero, expected nothing; \
                 an octal number is a string: umask = \"022\"";
    assert_eq!(in_jail("umask = 022"), [octal]);
}

#[test]
fn refuses_what_may_not_be_in_the_environment() {
    assert_in_jail(&[
        (
            "env.pass = [\"TERM\", \"LD_*\"]",
            "21: \"LD_*\" would let LD_PRELOAD in; that variable never comes from the caller",
        ),
        (
            "env.pass = [\"A-B\"]",
            "13: \"A-B\" is not a pattern for variables; \
             a pattern has letters, digits and _, and * for any run of them",
        ),
        (
            "env.set.HOME = \"/\"",
            "9: HOME can't be set here; the key home sets it",
        ),
        (
            "env.set.\"A B\" = \"/\"",
            "9: \"A B\" is not the name of a variable; \
             a name has letters, digits and _, and begins with no digit",
        ),
        ("env.set.A = \"\\u0000\"", "9: the value of A has a NUL"),
    ]);
}

#[test]
fn refuses_a_user_that_is_there_twice() {
    let text = "[users]\nann = \"/a\"\nbob = \"/b\"\nann = \"/c\"\n";
    assert_eq!(faults(text), ["4:1: ann is there twice"]);
}

#[test]
fn reports_every_syntax_error_and_what_else_is_wrong() {
    let text = "[users]\nann = web\nbob = \n[defaults]\nshel = 1\ncleo \"web\"\n";
    assert_eq!(
        faults(text),
        [
            "2:7: string values must be quoted, expected literal string; quote it: \"web\"",
            "3:7: string values must be quoted, expected literal string",
            "5:1: unknown key \"shel\"; did you mean \"shell\"?",
            "6:6: key with no value, expected `=`",
        ]
    );
}

#[test]
fn does_not_report_the_consequences_of_a_syntax_error() {
    for (text, expected) in [
        // The keys below a broken header are in another table.
        (
            "[users]\n[jails.web\nroot = \"/x\"\n",
            "2:11: unclosed table, expected `]`",
        ),
        (
            "jails.web]\nroot = \"/x\"\n",
            "1:10: key with no value, expected `=`",
        ),
        // The jail may be defined in the part that was not read.
        (
            "[users]\nann = \"web\"\n[jails]\nweb\n",
            "4:4: key with no value, expected `=`",
        ),
        // The value is not what was meant.
        (
            "[defaults]\nhome = home/ann\n",
            "2:8: string values must be quoted, expected literal string; quote it: \"home/ann\"",
        ),
        (
            "[defaults]\nnetwork = offline\n",
            "2:11: string values must be quoted, expected literal string; quote it: \"offline\"",
        ),
        (
            "[defaults]\nnetwork.bind = [8_]\n",
            "2:18: `_` may only go between digits, expected nothing",
        ),
        (
            "[defaults]\nlinger = fals\n",
            "2:10: invalid boolean, expected `false`",
        ),
    ] {
        assert_eq!(faults(text), [expected], "{text}");
    }
}

#[test]
fn reports_text_that_is_not_utf_8_and_what_else_is_wrong() {
    let text = b"[defaults]\nshell = \"/b\xffn\"\nshel = 1\n# \xfe\n";
    let faults = Policy::parse(Path::new("config.toml"), text).unwrap_err();
    assert_eq!(
        one_lines(&faults),
        [
            "2:12: this is not UTF-8; save the file as UTF-8",
            "3:1: unknown key \"shel\"; did you mean \"shell\"?",
            "4:3: this is not UTF-8; save the file as UTF-8",
        ]
    );
}

#[test]
fn escapes_what_it_repeats_of_the_file() {
    for text in [
        "[jails.web]\n\"a\\u001b\".b = 1",
        "[jails]\n\"a\\n\" = 1",
        "[defaults]\nenv.set.\"a\\n\" = 1",
        "[defaults]\nlimits.cpu = \"\"\"1\n2\"\"\"",
        "[defaults]\n\"a\\n\" = 1",
        "[users]\na.\"b\\n\" = 1",
        "[users]\na = \"b\\n\"",
        "[defaults]\nhome = \"/{\\n}\"",
        "unlisted = \"\\n\"",
        "a\x1bb = 1\nc\x1bd = x\x1by",
    ] {
        for line in faults(text) {
            assert!(!line.contains(char::is_control), "{line:?}");
        }
    }
}

#[test]
fn counts_faults_beyond_the_hundredth() {
    let users: String = (0..250).map(|n| format!("u{n} = {n}\n")).collect();
    let faults = parse(&format!("[users]\n{users}")).unwrap_err();
    assert_eq!((faults.iter().count(), faults.omitted()), (100, 150));
    assert!(faults.to_string().ends_with("\nand 150 more\n"));
}

#[test]
fn refuses_what_is_nested_too_deeply() {
    for text in [
        format!("exempt = {}{}", "[".repeat(100_000), "]".repeat(100_000)),
        format!("exempt = {}", "{a=".repeat(100_000)),
        format!("[users]\n{}b = 1", "a.".repeat(100_000)),
        format!("[users{}]", ".a".repeat(100_000)),
    ] {
        assert!(parse(&text).is_err(), "{}", &text[..20]);
    }
}

#[test]
fn refuses_a_user_file_that_is_wrong() {
    let policy =
        policy("[defaults]\nbase = \"host\"\nlandlock = \"off\"\n[jails.web]\nroot = \"/x\"\n");
    for (text, expected) in [
        (
            "",
            "1:1: the file names no jail; \
             write jail = \"web\", or root = \"/srv/…\" for a jail of its own",
        ),
        (
            "jail = \"wbe\"",
            "1:8: jail \"wbe\" is not defined; did you mean \"web\"?",
        ),
        (
            "jail = 1",
            "1:8: \"jail\" wants a string, found an integer; for example: jail = \"web\"",
        ),
        (
            "jail = \"/srv\"",
            "1:8: jail \"/srv\" is not defined; write root = \"/srv\" for a jail of its own",
        ),
        (
            "shell = \"/bin/sh\"\njail = \"web\"",
            "2:1: the file has both \"jail\" and keys of a jail; \
             beside jail only until and limits can stand; write all keys of a jail without it",
        ),
        (
            "jail = \"web\"\nuntil = \"soon\"",
            "2:9: \"soon\" is not a date; write \"2027-03-31\", \"2027-03-31 18:00\", \"2027-03-31 18:00+02:00\" or \"never\"",
        ),
        (
            "jail = \"web\"\nuntil = \"2027-02-30\"",
            "2:9: \"2027-02-30\" is not a date: there is no such day, or it is not written as YYYY-MM-DD; write \"2027-03-31\", \
             \"2027-03-31 18:00\", \"2027-03-31 18:00+02:00\" or \"never\"",
        ),
        (
            "jail = \"web\"\nuntil = \"2027-02-03 25:00\"",
            "2:9: \"2027-02-03 25:00\" is not a date: \"25:00\" is no time of a day; write \"2027-03-31\", \
             \"2027-03-31 18:00\", \"2027-03-31 18:00+02:00\" or \"never\"",
        ),
        (
            "shell = \"/bin/sh\"",
            "1:1: the jail has no root; \
             write root = \"/srv/jails/{user}\" or another directory",
        ),
        (
            "root = \"/x\"\nisolation = \"chroot\"",
            "2:1: base = \"host\", from [defaults], needs isolation = \"full\"; \
             write base = \"none\" in this jail",
        ),
        (
            "root = \"/x\"\nnetwork.bind = []",
            "2:1: a network with lists of ports needs landlock = \"files\", \
             and [defaults] has landlock = \"off\"; \
             write landlock = \"files\", or network = \"host\"",
        ),
        (
            "jial = \"web\"\nroot = \"/x\"",
            "1:1: unknown key \"jial\"; did you mean \"jail\"?",
        ),
        (
            "[users]\nroot = \"/x\"\n",
            "1:2: unknown key \"users\"; a file in users.d has root, base, shell, home, isolation, landlock, seccomp, \
             network, proc, dev, tmp, mounts, etc, services, devices, commands, sftp, env, groups, umask, limits, create, disk, idle, record, until, scope, linger, root_owner, jail",
        ),
    ] {
        let faults = user_file(&policy, text).unwrap_err();
        let lines = one_lines(&faults);
        let expected = format!("users.d/ann.toml:{expected}");
        assert!(lines.contains(&expected), "{text}\n{lines:#?}");
    }
}

#[test]
fn refuses_a_check_table_that_says_something_else_than_what_is_accepted_and_why() {
    let in_check = |lines: &str| faults(&format!("[check]\n{lines}\n"));
    for (lines, expected) in [
        (
            "accpet = []",
            r#"2:1: unknown key "accpet"; did you mean "accept"?"#,
        ),
        (
            "accept = \"cron\"",
            "2:10: \"accept\" wants an array of tables, found a string; for example: \
             accept = [{ kind = \"cron\", for = \"@staff\", why = \"they run jobs\" }]",
        ),
        (
            "accept = [{ kind = \"cron\", for = \"ann\" }]",
            r#"2:11: an acceptance has no why; for example: why = "they run jobs""#,
        ),
        (
            "accept = [{ kind = \"cron\", for = \"ann\", why = \" \" }]",
            r#"2:47: "why" is empty; for example: why = "they run jobs""#,
        ),
        (
            "accept = [{ kind = \"\", for = \"ann\", why = \"x\" }]",
            r#"2:20: "kind" is empty; for example: kind = "cron""#,
        ),
        (
            "accept = [{ kind = \"cron\", for = \"@\", why = \"x\" }]",
            r#"2:34: "@" is no user or group; write a user, a group as "@students", or "*" for all"#,
        ),
        (
            "accept = [{ kind = \"cron\", for = \"ann\", why = \"x\", until = \"y\" }]",
            r#"2:52: unknown key "until"; an acceptance has kind, for, why"#,
        ),
    ] {
        assert_eq!(in_check(lines), [expected], "{lines}");
    }
    assert_faults(&[(
        "accept = []",
        r#"1:1: unknown key "accept"; "accept" belongs in [check]"#,
    )]);
}

#[test]
fn accepts_findings_of_a_user_a_group_and_all_with_their_lines() {
    let policy = policy(
        "[check]\naccept = [\n  { kind = \"cron\", for = \"@staff\", why = \"jobs\" },\n\
         { kind = \"of a later release\", for = \"*\", why = \"x\" },\n  { kind = \"at\", for = \"ann\", why = \"y\" }]\n",
    );
    let told: Vec<(String, usize)> = policy
        .accepted()
        .map(|(one, line)| (format!("{} {}", one.kind, one.whose), line))
        .collect();
    let expected = [
        ("cron @staff", 3),
        ("of a later release *", 4),
        ("at ann", 5),
    ];
    assert_eq!(told, expected.map(|(what, line)| (what.to_owned(), line)));
}

#[test]
fn refuses_services_that_nobody_knows() {
    assert_in_jail(&[
        (
            "services = [\"mysq\"]",
            "13: there is no service \"mysq\"; did you mean \"mysql\"?",
        ),
        (
            "services = [\"ledger\"]",
            "13: there is no service \"ledger\"; there are \"mail\", \"memcached\", \"mysql\", \"postgresql\", \"redis\"; \
             a file services.d/ledger.toml makes another",
        ),
        (
            "services = \"mysql\"",
            "12: \"services\" wants an array of names, found a string; for example: services = [\"mysql\", \"redis\"]",
        ),
        (
            "services = [1]",
            "13: \"services\" wants an array of names, found an integer; for example: services = [\"mysql\", \"redis\"]",
        ),
    ]);
    policy("[jails.web]\nroot = \"/srv\"\nservices = [\"mysql\", \"redis\", \"mysql\"]");
}

#[test]
fn refuses_devices_that_are_no_paths_below_dev() {
    let example = "for example: devices = [\"/dev/dri/renderD128\", \"/dev/nvidia*\"]";
    assert_in_jail(&[
        (
            "devices = [\"/sys/x\"]",
            &format!("12: \"/sys/x\" is not a path below /dev; {example}"),
        ),
        (
            "devices = [\"/dev/\"]",
            &format!("12: \"/dev/\" is not a path below /dev; {example}"),
        ),
        (
            "devices = [\"/dev/../etc/x\"]",
            "12: \"/dev/../etc/x\" has a \"..\" component; write the path without it",
        ),
        (
            "devices = [\"/dev/d*/card0\"]",
            "12: \"/dev/d*/card0\" has a * in a directory's name; only the last component can have a *",
        ),
        (
            "devices = [\"/dev/nvidia[01]\"]",
            "12: \"/dev/nvidia[01]\" has a '['; a pattern has * for any run of letters, and nothing else",
        ),
        (
            "devices = 1",
            &format!(
                "11: \"devices\" wants an array of paths below /dev, found an integer; {example}"
            ),
        ),
    ]);
    let needs =
        "a list of devices needs dev = \"private\"; write dev = \"private\", or devices = []";
    assert_eq!(
        in_jail("dev = \"root\"\ndevices = [\"/dev/kvm\"]"),
        [format!("4:1: {needs}")]
    );
    policy("[jails.web]\nroot = \"/srv\"\ndev = \"root\"\ndevices = []");
}

#[test]
fn refuses_services_and_devices_without_full_isolation() {
    for (key, written) in [
        ("services = [\"mysql\"]", "a list of services"),
        ("devices = [\"/dev/kvm\"]", "a list of devices"),
    ] {
        let name = key.split(' ').next().unwrap();
        let text = format!("isolation = \"chroot\"\n{key}");
        let help = format!("write isolation = \"full\", or {name} = []");
        let expected = format!("4:1: {written} needs isolation = \"full\"; {help}");
        assert_eq!(in_jail(&text), [expected]);
    }
}

/// What a person reads about a wrong file of services.d, one fault a line.
fn in_service(text: &str) -> Vec<String> {
    let mut services = jail_config::Services::default();
    let file = std::path::Path::new("config.toml");
    match services.add("own", file, text.as_bytes()) {
        Ok(()) => Vec::new(),
        Err(faults) => crate::common::one_lines(&faults),
    }
}

#[test]
fn refuses_a_service_that_is_not_understood() {
    let about = "about = \"x\"\n";
    for (text, expected) in [
        (
            "",
            "1:1: the service has no about; for example: about = \"MySQL and MariaDB\"",
        ),
        (
            "about = \"x\"",
            "1:1: the service has no show; for example: show = [{ source = \"/run/mysqld\" }]",
        ),
        (
            &format!("{about}show = []"),
            "2:1: the service shows nothing; for example: show = [{ source = \"/run/mysqld\" }]",
        ),
        (
            &format!("{about}[[show]]\nsorce = \"/run/x\""),
            "2:1: what a service shows has no source; for example: source = \"/run/mysqld\"",
        ),
        (
            &format!("{about}[[show]]\nsource = \"run/x\""),
            "3:10: \"run/x\" is no path of a directory or socket; for example: source = \"/run/mysqld\"",
        ),
        (
            &format!("{about}[[show]]\nsource = \"/srv/x\""),
            "3:10: \"/srv/x\" is not below /run, /var/run, /var/lib or /var/spool",
        ),
        (
            &format!("{about}[[show]]\nsource = \"/run/dbus\""),
            "3:10: \"/run/dbus\" is in a place of the system's own",
        ),
        (
            &format!("{about}[[show]]\nsource = \"/srv/x\"\ntarget = [\"/etc/x\"]"),
            "4:11: \"/etc/x\" is not below /run, /var/run, /var/lib or /var/spool",
        ),
        (
            &format!("{about}[[show]]\nsource = \"/srv/x\"\ntarget = []"),
            "4:1: \"target\" has no path; remove it: the source is the target then",
        ),
        (
            &format!("{about}[[show]]\nsource = \"/run/x\"\n[[show]]\nsource = \"/run/x/y\""),
            "4:1: \"/run/x\" and another target are in one place",
        ),
        (
            &format!("{about}mode = \"rw\"\n[[show]]\nsource = \"/run/x\""),
            "2:1: unknown key \"mode\"; a service has about, needs, show",
        ),
    ] {
        let told = in_service(text);
        assert_eq!(told.first().map(String::as_str), Some(expected), "{text}");
    }
    assert!(in_service(&format!("{about}[[show]]\nsource = \"/run/x\"")).is_empty());
}

#[test]
fn a_service_of_the_administrators_takes_the_place_of_a_known_one() {
    let mut services = jail_config::Services::default();
    let text = b"about = 'x'\n[[show]]\nsource = '/run/own'";
    for name in ["mysql", "ledger"] {
        services.add(name, std::path::Path::new("x"), text).unwrap();
    }
    let config = b"users = { ann = 'web' }\n[jails.web]\nroot = '/srv'\nservices = ['ledger', 'mysql', 'redis']";
    let file = std::path::Path::new("config.toml");
    let policy = jail_config::Policy::parse_knowing(file, config, services).unwrap();
    let person = crate::common::Person::new("ann", &[]);
    let Ok(jail_config::Decision::Jail(jail)) = policy.decide(&person.account(), None) else {
        panic!("ann has a rule");
    };
    let sources: Vec<_> = jail
        .services
        .iter()
        .map(|it| it.shown[0].source.to_str())
        .collect();
    assert_eq!(
        sources,
        [Some("/run/own"), Some("/run/own"), Some("/run/redis")]
    );
    let own = policy.parse_user_file(file, b"root = '/srv'\nservices = ['ledger']");
    assert!(own.is_ok(), "{own:?}");
}
