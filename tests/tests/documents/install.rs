//! `make install` puts everything where the documentation says, with the modes that the product
//! itself insists on.

use login_jail_tests::{JAIL_SHELL, Outcome, Sandbox, skipped};

#[test]
fn installs_a_setuid_binary_and_a_config_that_only_root_writes() {
    let sandbox = Sandbox::new();
    let stat = "stat -c '%A %U %G' /usr/bin/jail-shell /etc/login-jail /etc/login-jail/config.toml";
    assert_eq!(
        sandbox.must(stat),
        "-rwsr-xr-x root root\ndrwxr-xr-x root root\n-rw-r--r-- root root"
    );
}

#[test]
fn installs_the_same_modes_under_any_umask() {
    let sandbox = Sandbox::new();
    for umask in ["000", "077"] {
        sandbox.must("rm -rf /etc/login-jail /usr/bin/jail-shell");
        sandbox.must(&format!("umask {umask}; make -s -C {REPOSITORY} install"));
        let stat = "stat -c %a /usr/bin/jail-shell /etc/login-jail /etc/login-jail/config.toml";
        assert_eq!(sandbox.must(stat), "4755\n755\n644", "umask {umask}");
    }
}

#[test]
fn installs_the_manual() {
    let sandbox = Sandbox::new();
    let pages = sandbox.must("find /usr/share/man -name 'jail-shell.*'");
    assert_eq!(pages.lines().count(), 1, "{pages}");
}

#[test]
fn installs_the_administrators_tool_without_privileges_of_its_own() {
    let sandbox = Sandbox::new();
    let stat = "stat -c '%a %U' /usr/sbin/jailctl; getcap /usr/sbin/jailctl";
    assert_eq!(sandbox.must(stat), "755 root");
    let pages = sandbox.must("ls /usr/share/man/man8 | grep -c '^jailctl'");
    assert_eq!(pages, "27");
}

/// What bash completes the last of these words to, as readline asks for it.
fn completed(sandbox: &Sandbox, words: &str) -> String {
    let script = format!(
        "cd /root; . /usr/share/bash-completion/completions/jailctl; compopt() {{ :; }}
         COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
         _jailctl jailctl \"${{COMP_WORDS[COMP_CWORD]}}\" \"${{COMP_WORDS[COMP_CWORD - 1]}}\"; echo ${{COMPREPLY[*]}}"
    );
    sandbox.run(&["bash", "-c", &script]).ok().to_owned()
}

/// zoe and zora, of whom only zoe is jailed, by a config with two jails, and a preset of the administrator's own.
fn with_names() -> Sandbox {
    let sandbox = Sandbox::new()
        .plain_user("zoe")
        .plain_user("zora")
        .config("[users]\nzoe = \"sftponly\"\n[jails.sftponly]\nroot = \"/srv/{user}\"\n[jails.web]\nroot = \"/srv/{user}\"\n");
    // The names of files are what nothing else is completed by.
    sandbox.must("touch /root/zofile /root/sftfile /root/W");
    sandbox.must(
        "mkdir /etc/login-jail/presets.d; echo '[sftours]\nabout = \"ours\"\nprograms = [\"ls\"]' >/etc/login-jail/presets.d/ours.toml;
         cp -r /etc/login-jail /root/new; sed -i 's/zoe/zora/; s/sftponly/sftnew/' /root/new/config.toml",
    );
    sandbox
}

/// What is typed, and what it is completed to in each shell.
const COMPLETED: [(&str, &str); 10] = [
    ("jailctl exp", "explain"),
    ("jailctl explain zo", "zoe"),
    ("jailctl check zo", "zoe"),
    ("jailctl release zo", "zoe"),
    ("jailctl kick zo", "zoe"),
    ("jailctl enter --user zo", "zoe"),
    ("jailctl add zo", "zoe zora"),
    ("jailctl add --jail sft", "sftponly"),
    ("jailctl --config /root/new add --jail sft", "sftnew"),
    ("jailctl build --with sft", "sftours sftp"),
];

#[test]
fn bash_completes_commands_jails_users_kinds_and_presets() {
    let sandbox = with_names();
    let more = [
        ("jailctl unr", ""),
        ("jailctl build --with shell,sftp", "shell,sftp"),
        ("jailctl build --only", "--only"),
        ("jailctl build --user ann,zoe,zor", "ann,zoe,zora"),
        ("jailctl explain --js", "--json"),
        ("jailctl --config = /root/new explain zo", "zora"),
        ("jailctl mend home-mis", "home-missing"),
        ("jailctl mend home-missing zo", "zoe"),
        ("jailctl mend home-missing W", ""),
        ("jailctl help expl", "explain"),
        ("jailctl completions z", "zsh"),
    ];
    for (words, expected) in COMPLETED.into_iter().chain(more) {
        assert_eq!(completed(&sandbox, words), expected, "{words}");
    }
    let commands = completed(&sandbox, "jailctl ''");
    for hidden in ["complete", "man", "rehearse", "accomplice", "kill-all"] {
        assert!(!commands.split(' ').any(|it| it == hidden), "{commands}");
    }
    assert!(commands.contains("completions"), "{commands}");
}

/// compgen runs what it reads as words, and fish and zsh take them as they are.
#[test]
fn the_name_of_an_account_is_never_run_by_bash() {
    let sandbox = with_names();
    let name = "zok$(touch${IFS}/run/pwned)";
    sandbox.must(&format!(
        "echo '{name}:x:4000:4000::/:/bin/sh' >>/etc/passwd; echo 'zo*:x:4001:4001::/:/bin/sh' >>/etc/passwd"
    ));
    assert_eq!(completed(&sandbox, "jailctl add zo"), "zoe zora");
    assert_eq!(
        completed(&sandbox, "jailctl build --user ann,zo"),
        "ann,zoe ann,zora"
    );
    sandbox.must("! [ -e /run/pwned ]");
}

#[test]
fn fish_completes_commands_jails_users_kinds_and_presets() {
    let sandbox = with_names();
    if sandbox.sh("command -v fish").code() != Some(0) {
        return skipped("completions for fish", "it is not installed");
    }
    let fish = |typed: &str| {
        let script =
            format!("cd /root; complete --do-complete '{typed}' | cut -f1 | sort | paste -sd' '");
        sandbox.run(&["fish", "-c", &script]).ok().to_owned()
    };
    for (typed, expected) in COMPLETED {
        assert_eq!(fish(typed), expected, "{typed}");
    }
    assert_eq!(
        fish("jailctl build --with shell,sft"),
        "shell,sftours shell,sftp"
    );
    assert_eq!(fish("jailctl mend home-mis"), "home-missing");
    assert_eq!(fish("jailctl add --jail /et"), "");
}

#[test]
fn zsh_completes_commands_jails_users_kinds_and_presets() {
    let sandbox = with_names();
    if sandbox.sh("command -v zsh").code() != Some(0) {
        return skipped("completions for zsh", "it is not installed");
    }
    // A line is typed in a terminal, and what is listed for it is what compadd gets.
    sandbox.write(
        "/root/ask",
        r#"zmodload zsh/zpty
zpty z zsh -f -i
zpty -w z 'PS1=; PS2=; cd /root; autoload -Uz compinit; compinit -u -d /tmp/dump'
zpty -w z 'compadd() { [[ "$*" == *-O* ]] && { builtin compadd "$@"; return }; local -a got; builtin compadd -A got "$@"; (( $#got )) && print -rl -- "${(@)got/#/GOT:}"; builtin compadd "$@" }'
zpty -w z 'bindkey "^I" list-choices; print READY'
zpty -r z out '*READY*READY*'
zpty -w -n z "$1"$'\t'
sleep 3
zpty -r -t z out
while zpty -r -t z more; do out+=$more; done
print -r -- "$out"
zpty -d z
"#,
    );
    for (typed, expected) in COMPLETED {
        let said = sandbox.run(&["zsh", "/root/ask", typed]);
        let mut got: Vec<&str> = said
            .stdout
            .split("GOT:")
            .skip(1)
            .filter_map(|it| it.split_whitespace().next())
            .collect();
        got.sort_unstable();
        got.dedup();
        assert_eq!(got.join(" "), expected, "{typed}: {said}");
    }
}

#[test]
fn nothing_is_offered_or_printed_where_the_config_may_not_be_read() {
    let sandbox = with_names();
    let ask = |names: &str| {
        sandbox.run(&[
            "runuser",
            "-u",
            "zora",
            "--",
            "/usr/sbin/jailctl",
            "complete",
            names,
        ])
    };
    assert_eq!(ask("jails").ok(), "sftponly\nweb");
    assert_eq!(ask("jailed").ok(), "zoe");
    sandbox.must("chmod 600 /etc/login-jail/config.toml");
    for names in ["jails", "jailed"] {
        let said = ask(names);
        assert_eq!((said.ok(), said.stderr.as_str()), ("", ""), "{said}");
    }
    sandbox.must("echo '[' >/etc/login-jail/config.toml");
    let said = sandbox.run(&["jailctl", "complete", "jailed"]);
    assert_eq!((said.ok(), said.stderr.as_str()), ("", ""), "{said}");
}

#[test]
fn no_shell_is_offered_what_is_hidden() {
    let sandbox = Sandbox::new();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = sandbox.run(&["jailctl", "completions", shell]);
        let script = script.ok();
        // By name, and by what is said of each.
        for hidden in ["accomplice", "kill-all", "man pages", "seen inside"] {
            assert!(!script.contains(hidden), "{shell}: {hidden}");
        }
        assert!(script.contains("sessions"), "{shell}");
    }
}

#[test]
fn help_of_a_command_is_the_long_one() {
    let sandbox = Sandbox::new();
    let tool = sandbox.run(&["jailctl", "help"]);
    assert!(
        tool.ok().contains("Change who is jailed:\n  setup "),
        "{tool}"
    );
    for command in ["check", "explain", "add"] {
        let said = sandbox.run(&["jailctl", "help", command]);
        let long = sandbox.run(&["jailctl", command, "--help"]);
        assert_eq!(said.ok(), long.ok());
        assert!(said.ok().contains("\nExamples:\n"), "{said}");
    }
    let nested = sandbox.run(&["jailctl", "help", "migrate", "sshd"]);
    assert!(nested.ok().contains("--file"), "{nested}");
}

const STAT: &str = "stat -c '%a %U' /lib/*/security/pam_jail.so";

/// Runs `make uninstall` with these words, and insists that it takes away all or nothing.
#[track_caller]
fn uninstall(sandbox: &Sandbox, words: &str, removes: bool) -> Outcome {
    let said = sandbox.sh(&format!("make -s -C {REPOSITORY} uninstall {words}"));
    assert_eq!(said.code() == Some(0), removes, "{said}");
    let there = sandbox.sh("ls /usr/bin/jail-shell /usr/sbin/jailctl /lib/*/security/pam_jail.so");
    let left = if removes { 0 } else { 3 };
    assert_eq!(there.stdout.lines().count(), left, "{there}");
    said
}

#[test]
fn installs_the_module_and_takes_it_away_only_after_it_has_said_whom_that_shuts_out() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.must(STAT), "644 root");
    sandbox.must(
        "test -e /usr/share/man/man8/pam_jail.8; test -e /usr/share/doc/login-jail/pam.d/sshd",
    );
    sandbox.must("echo 'session required pam_jail.so' >>/etc/pam.d/su");
    let refused = uninstall(&sandbox, "", false);
    assert!(refused.stderr.contains("/etc/pam.d/su"), "{refused}");
    let said = uninstall(&sandbox, "LOGIN_JAIL_REMOVE=lock-out", true);
    let before = "without pam_jail.so the lines that name it lock everybody out";
    assert!(said.stderr.contains(before), "{said}");
    sandbox.must(&format!(
        "make -s -C {REPOSITORY} install DESTDIR=/tmp/stage LIBDIR=/usr/lib64"
    ));
    sandbox.must("test -e /tmp/stage/usr/lib64/security/pam_jail.so");
}

#[test]
fn is_never_uninstalled_where_that_would_let_users_in_unjailed() {
    let sandbox = Sandbox::new();
    sandbox.must("echo 'session optional pam_jail.so' >>/etc/pam.d/su");
    let refused = uninstall(&sandbox, "LOGIN_JAIL_REMOVE=lock-out", false);
    let said = "let users in without a jail";
    assert!(refused.stderr.contains(said), "{refused}");
}

#[test]
fn what_is_said_before_it_is_uninstalled_can_not_write_to_the_terminal() {
    let sandbox = Sandbox::new().user("ann");
    sandbox.must("printf 'zoe\\033[31m:x:4000:4000::/:/usr/bin/jail-shell\\n' >>/etc/passwd");
    let refused = uninstall(&sandbox, "", false);
    assert!(
        refused.stderr.contains("is missing: ann zoe?[31m\n"),
        "{refused}"
    );
}

#[test]
fn is_not_uninstalled_while_accounts_need_it_unless_it_is_told_to() {
    // ann has jail-shell, bob a rule and an ordinary shell.
    let sandbox = Sandbox::new().user("ann").plain_user("bob").jailed("bob");
    let refused = uninstall(&sandbox, "", false);
    for said in [
        "login shell jail-shell is missing: ann\n",
        "not jailed without login-jail: lock them (usermod -L -e 1 NAME): bob\n",
        "nothing is removed yet",
    ] {
        assert!(refused.stderr.contains(said), "{said}: {refused}");
    }
    uninstall(&sandbox, "LOGIN_JAIL_REMOVE=lock-out", true);
    assert_ne!(sandbox.su_dash_c("ann", "true").code(), Some(0));

    // Who can't log in anyway is not concerned.
    sandbox.must(&format!("make -s -C {REPOSITORY} install"));
    sandbox.must("usermod -e 1 ann; usermod -e 1 bob");
    uninstall(&sandbox, "", true);
}

#[test]
fn names_the_lines_of_sshd_that_shut_users_out_once_it_is_uninstalled() {
    let sandbox = Sandbox::new();
    let copied = "/etc/ssh/sshd_config.d/login-jail.conf";
    sandbox.must(&format!(
        "mkdir -p /etc/ssh/sshd_config.d; cp /usr/share/doc/login-jail/sshd_config.d/login-jail.conf {copied}"
    ));
    let said = uninstall(&sandbox, "", true);
    for part in [
        "these lines of sshd's config",
        copied,
        "ForceCommand /usr/bin/jail-shell",
    ] {
        assert!(said.stderr.contains(part), "{part}: {said}");
    }
    // The line alone, not the comments about it.
    assert_eq!(said.stderr.matches(copied).count(), 1, "{said}");
}

#[test]
fn is_uninstalled_at_once_where_nobody_needs_it() {
    uninstall(&Sandbox::new(), "", true);
}

#[test]
fn keeps_a_config_that_is_there() {
    let sandbox = Sandbox::new().config("# mine\n");
    sandbox.must(&format!("make -s -C {REPOSITORY} install"));
    assert_eq!(sandbox.read("/etc/login-jail/config.toml"), "# mine");
}

#[test]
fn the_sample_config_parses_and_jails_nobody() {
    let sandbox = Sandbox::new().user_with_shell("ann", JAIL_SHELL);
    sandbox.ssh("ann", "id").refused(102, "no-rule");
}

#[test]
fn installs_below_destdir_only() {
    let sandbox = Sandbox::bare();
    sandbox.must("rm -rf /etc/login-jail /usr/bin/jail-shell");
    sandbox.must(&format!(
        "make -s -C {REPOSITORY} install DESTDIR=/tmp/stage"
    ));
    let stat = "cd /tmp/stage; stat -c %a usr/bin/jail-shell etc/login-jail/config.toml";
    assert_eq!(sandbox.must(stat), "4755\n644");
    let outside = sandbox.must("ls -d /etc/login-jail /usr/bin/jail-shell 2>/dev/null || true");
    assert_eq!(outside, "");
}

#[test]
fn is_no_shell_that_users_may_choose() {
    // Listed in /etc/shells, `su -s` and chsh would be ways around it.
    let sandbox = Sandbox::new();
    assert!(!sandbox.read("/etc/shells").contains("jail-shell"));
}

const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
