//! What a person is told about a config that is wrong.

mod common;

use std::path::Path;

use common::{CHROOT, faults, one_lines, parse, policy, user_file};
use jail_config::Policy;

/// A jail that is right but for the lines added below it.
fn in_jail(lines: &str) -> Vec<String> {
    let jail = "[jails.web]\nroot = \"/srv/web\"\n";
    let isolation = if lines.contains("isolation") {
        ""
    } else {
        CHROOT
    };
    faults(&format!("{jail}{lines}\n{isolation}"))
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
    policy(&format!("{CHROOT}[jails.web]\nroot = \"/srv\"\n"));
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
             a config has unlisted, exempt, users, groups, defaults, jails",
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
            "nofile = 3",
            "1: unknown key \"nofile\"; \"nofile\" belongs in limits",
        ),
        (
            "pass = []",
            "1: unknown key \"pass\"; \"pass\" belongs in env",
        ),
        (
            "zzz = 1",
            "1: unknown key \"zzz\"; a jail has root, base, shell, home, isolation, env, groups, \
             umask, limits",
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
            "limits = { memory = 1 }",
            "12: unknown key \"memory\"; limits has nofile, nproc, fsize, as, core, cpu",
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
            "8: \"base\" wants a string, found a table; for example: base = \"none\"",
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
            "limits = 1",
            "10: \"limits\" wants a table, found an integer; \
             for example: limits = { nproc = 100, core = 0 }",
        ),
        (
            "limits.cpu = 1.5",
            "14: \"cpu\" wants a whole number from 0 up, or \"unlimited\", found a float; \
             for example: cpu = 600",
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
            "13: \"isolation\" can't be \"vm\"; it is \"chroot\"",
        ),
        (
            "base = \"hots\"",
            "8: \"base\" can't be \"hots\"; did you mean \"host\"?",
        ),
        (
            "base = \"all\"",
            "8: \"base\" can't be \"all\"; it is \"none\"",
        ),
        (
            "limits.nofile = -1",
            "17: \"nofile\" wants a whole number from 0 up, or \"unlimited\", not -1; \
             for example: nofile = 1024",
        ),
        (
            "limits.as = \"10M\"",
            "13: \"as\" wants a whole number from 0 up, or \"unlimited\", not \"10M\"; \
             for example: as = 4_000_000_000",
        ),
        (
            "limits.core = 99999999999999999999",
            "15: \"core\" wants a whole number from 0 up, or \"unlimited\", \
             not 99999999999999999999; for example: core = 0",
        ),
    ]);
}

#[test]
fn refuses_what_is_not_built() {
    for key in [
        "landlock",
        "seccomp",
        "network",
        "proc",
        "dev",
        "tmp",
        "mounts",
        "commands",
        "scope",
        "linger",
        "root_owner",
    ] {
        let expected = format!("3:1: {key:?} is not supported yet; remove it");
        assert_eq!(in_jail(&format!("{key} = \"off\"")), [expected]);
        let expected = format!("2:1: {key:?} is not supported yet; remove it");
        assert_eq!(faults(&format!("[defaults]\n{key} = true")), [expected]);
    }
    assert_in_jail(&[
        (
            "limits = { sessions = 3 }",
            "12: \"limits.sessions\" is not supported yet; remove it",
        ),
        (
            "base = \"host\"",
            "8: base = \"host\" is not supported yet; write base = \"none\"",
        ),
        (
            "base = \"/srv/base\"",
            "8: base = \"/srv/base\" is not supported yet; write base = \"none\"",
        ),
        (
            "isolation = \"full\"",
            "13: isolation = \"full\" is not supported yet; write isolation = \"chroot\"",
        ),
    ]);
}

#[test]
fn refuses_a_jail_whose_isolation_is_the_default() {
    assert_faults(&[
        (
            "[jails.web]\nroot = \"/srv\"",
            "1:8: isolation = \"full\", the default, is not supported yet; \
             write isolation = \"chroot\" here or in [defaults]",
        ),
        (
            "[users]\nbob = \"/srv/bob\"\nann = \"/srv/ann\"\n[groups]\nx = \"/srv/x\"",
            "2:7: isolation = \"full\", the default, is not supported yet; \
             write isolation = \"chroot\" in [defaults]",
        ),
    ]);
}

#[test]
fn says_once_that_a_written_isolation_is_wrong() {
    let text =
        "[users]\nann = \"/a\"\n[defaults]\nisolation = \"full\"\n[jails.web]\nroot = \"/x\"";
    let expected = "4:13: isolation = \"full\" is not supported yet; write isolation = \"chroot\"";
    assert_eq!(faults(text), [expected]);
}

#[test]
fn refuses_a_jail_without_a_root() {
    let help = "write root = \"/srv/jails/{user}\" or another directory";
    let expected = format!("3:8: jail \"web\" has no root; {help}");
    assert_eq!(faults(&format!("{CHROOT}[jails.web]\n")), [expected]);
}

#[test]
fn refuses_a_jail_that_is_not_defined() {
    let jails = "[jails.web]\nroot = \"/x\"\nisolation = \"chroot\"\n";
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
            assert_eq!(faults(&text), [format!("5:7: {help}")]);
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
    let text = "[users]\nann = \"web\"\n[jails.web]\nroot = \"x\"\nisolation = \"chroot\"";
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
    let policy = policy(&format!("{CHROOT}[users]\n\"john.doe\" = \"/srv/john\"\n"));
    let expected = "jail /srv/john, config.toml:4 [users] john.doe";
    assert_eq!(common::decided(&policy, "john.doe", &[]), expected);
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
        ("[users]\n\"\" = \"/x\"", "4:1: the name is empty"),
        (
            "[users]\n\"a\\u0000\" = \"/x\"",
            "4:1: \"a\\0\" has a control character",
        ),
        (
            "[users]\n\"/srv\" = \"/x\"",
            "4:1: \"/srv\" has a slash, which no name has",
        ),
        (
            "[users]\n\"@web\" = \"/x\"",
            "4:1: \"@web\" begins with @; a group belongs in [groups], as \"web\"",
        ),
        (
            "[groups]\n\"@web\" = \"/x\"",
            "4:1: \"@web\" begins with @; write \"web\": all names here are groups",
        ),
        ("[jails.\"\"]\nroot = \"/x\"", "3:8: a jail's name is empty"),
        (
            "[jails.\"/srv\"]\nroot = \"/x\"",
            "3:8: \"/srv\" is a path, not the name of a jail; \
             give the jail a name, and write the path as its root",
        ),
        (
            "[jails.\"a\\n\"]\nroot = \"/x\"",
            "3:8: \"a\\n\" has a control character",
        ),
    ] {
        assert_eq!(faults(&format!("{CHROOT}{line}")), [expected], "{line}");
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
        let users = format!("{CHROOT}[users]\nann = \"{root}\"\n");
        assert_eq!(faults(&users), [format!("4:7: {expected}")]);
        let jail = format!("{CHROOT}[jails.web]\nroot = \"{root}\"\n");
        assert_eq!(faults(&jail), [format!("4:8: {expected}")]);
    }
    policy(&format!("{CHROOT}[users]\nann = \"{{home}}/jail\"\n"));
    policy(&format!("{CHROOT}home = \"/\"\n"));
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
    let text = format!("{CHROOT}[users]\nann = \"/a\"\nbob = \"/b\"\nann = \"/c\"\n");
    assert_eq!(faults(&text), ["6:1: ann is there twice"]);
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
    let policy = policy("[jails.web]\nroot = \"/x\"\nisolation = \"chroot\"\n");
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
             name a jail of config.toml, or write the keys of one, not both",
        ),
        (
            "isolation = \"chroot\"",
            "1:1: the jail has no root; \
             write root = \"/srv/jails/{user}\" or another directory",
        ),
        (
            "root = \"/x\"",
            "1:1: isolation = \"full\", the default, is not supported yet; \
             write isolation = \"chroot\" here or in [defaults]",
        ),
        (
            "jial = \"web\"\nroot = \"/x\"\nisolation = \"chroot\"",
            "1:1: unknown key \"jial\"; did you mean \"jail\"?",
        ),
        (
            "[users]\nroot = \"/x\"\n",
            "1:2: unknown key \"users\"; a file in users.d has root, base, shell, home, \
             isolation, env, groups, umask, limits, jail",
        ),
    ] {
        let faults = user_file(&policy, text).unwrap_err();
        let lines = one_lines(&faults);
        let expected = format!("users.d/ann.toml:{expected}");
        assert!(lines.contains(&expected), "{text}\n{lines:#?}");
    }
}
