//! What tutorials of chroot(1) do by hand is one command each: a root out of an exported tree or out of programs, a command
//! in it, a shell in it.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test reports by panicking"
)]

use login_jail_tests::{Outcome, Pty, Sandbox, roots, skipped};
use serde_json::Value;

/// A host with `docker export`'s kind of archive of a busybox tree, and nothing unpacked.
fn busybox_tar() -> Sandbox {
    Sandbox::new().user("bea").root(roots::busybox()).with(
        "rm -rf /srv/jails/bea/home/bea
         tar -C /srv/jails/bea -cf /srv/busybox.tar . && rm -rf /srv/jails/bea",
    )
}

fn jailctl(sandbox: &Sandbox, arguments: &[&str]) -> Outcome {
    sandbox.run(&[&["jailctl"], arguments].concat())
}

/// Starts a shell in a root without naming one, as somebody whose $SHELL this is.
fn enter(sandbox: &Sandbox, shell: &str, root: &str) -> Pty {
    let variable = format!("SHELL={shell}");
    sandbox.terminal(&["env", &variable, "PS1=> ", "jailctl", "enter", root])
}

/// The regular files of a root that the host's programs brought, not those that are made for every root.
fn brought(sandbox: &Sandbox, root: &str) -> String {
    sandbox.must(&format!(
        "cd {root}; find . -type f ! -path './.login-jail/*' ! -path './etc/*' | sort"
    ))
}

#[test]
fn an_exported_busybox_tree_is_a_root_that_runs_a_command() {
    let sandbox = busybox_tar();
    let nothing = jailctl(&sandbox, &["enter", "/srv/box", "--", "ls", "/"]);
    assert_eq!(nothing.code(), Some(3), "{nothing}");
    jailctl(&sandbox, &["import", "/srv/busybox.tar", "/srv/box"]).ok();
    let listed = jailctl(&sandbox, &["enter", "/srv/box", "--", "ls", "/"]);
    assert_eq!(
        listed.ok(),
        "bin\ndev\netc\nhome\nproc\nrun\nsys\ntmp\nusr\nvar",
        "the root's own, without the host's: {listed}"
    );
    let read = jailctl(&sandbox, &["enter", "/srv/box", "--", "cat", "/etc/issue"]);
    assert_eq!(read.ok(), "a jail of busybox");
}

#[test]
fn an_exported_debian_tree_is_a_root_that_runs_a_command_and_a_shell() {
    let debian = match roots::debian() {
        Ok(root) => root,
        Err(reason) => return skipped("a Debian tree from an exported tar", reason),
    };
    let sandbox = Sandbox::new().user("bea").root(debian);
    sandbox.must("tar -C /srv/jails/bea -cf /srv/debian.tar .");
    jailctl(&sandbox, &["import", "/srv/debian.tar", "/srv/debian"]).ok();
    sandbox.must("umount /srv/jails/bea");
    let version = jailctl(
        &sandbox,
        &["enter", "/srv/debian", "--", "cat", "/etc/debian_version"],
    );
    assert_eq!(
        version.ok(),
        sandbox.read("/srv/debian/etc/debian_version").trim_end()
    );
    let listed = jailctl(
        &sandbox,
        &["enter", "/srv/debian", "--", "dpkg", "-l", "bash"],
    );
    assert!(listed.ok().contains("ii  bash"), "{listed}");
    let mut pty = enter(&sandbox, "/bin/bash", "/srv/debian");
    pty.line("echo is $((40 + 2)) $BASH; ls -d /srv/*");
    pty.expect("is 42 /");
    pty.expect("bash");
    pty.expect("No such file");
    pty.line("exit 5");
    assert_eq!(pty.finish().code(), Some(5));
}

#[test]
fn a_shell_in_an_exported_tree_has_a_terminal_and_job_control() {
    let sandbox = busybox_tar();
    jailctl(&sandbox, &["import", "/srv/busybox.tar", "/srv/box"]).ok();
    let mut pty = enter(&sandbox, "/bin/sh", "/srv/box");
    pty.expect("> ");
    pty.line("cat /etc/issue; test -t 0 && echo ter'mi'nal; stty size");
    pty.expect("a jail of busybox");
    pty.expect("terminal");
    pty.expect("24 80");
    // Ctrl-C ends what runs in it and not the shell.
    pty.line("sh -c 'echo $0; exec cat' begun; echo no't re'ached");
    pty.expect("begun\r\n");
    pty.send("\x03");
    let before = pty.expect("> ");
    assert!(!before.contains("not reached"), "{before}");
    pty.line("echo still' he're; exit 4").expect("still here");
    assert_eq!(pty.finish().code(), Some(4));
}

/// Lists the names in a directory with opendir(3), as the smallest `ls` that there can be.
const LS: &str = r#"#include <dirent.h>
#include <stdio.h>
int main(int count, char **words) {
    DIR *directory = opendir(count > 1 ? words[1] : ".");
    if (!directory) return 2;
    for (struct dirent *entry; (entry = readdir(directory));)
        if (entry->d_name[0] != '.') puts(entry->d_name);
    return 0;
}
"#;

#[test]
fn a_root_with_a_single_static_program_has_no_other_file() {
    let sandbox = Sandbox::new();
    sandbox.write("/srv/ls.c", LS);
    let compiled = sandbox.sh("cc -static -o /usr/local/bin/ls /srv/ls.c");
    if compiled.code() != Some(0) {
        return skipped("a root with a static ls", "cc -static does not work here");
    }
    jailctl(
        &sandbox,
        &["build", "/srv/one", "--program", "/usr/local/bin/ls"],
    )
    .ok();
    assert_eq!(brought(&sandbox, "/srv/one"), "./usr/local/bin/ls");
    let listed = jailctl(&sandbox, &["enter", "/srv/one", "--", "ls", "/usr/local"]);
    assert_eq!(listed.ok(), "bin");
    let other = jailctl(&sandbox, &["enter", "/srv/one", "--", "cat", "/etc/passwd"]);
    assert_eq!(other.code(), Some(3), "{other}");
    assert!(other.stderr.contains("find cat in /srv/one"), "{other}");
}

#[test]
fn a_root_with_five_programs_has_them_and_what_they_load() {
    let sandbox = Sandbox::new();
    let built = jailctl(
        &sandbox,
        &["build", "/srv/few", "--program", "sh,ls,echo,cat,mkdir"],
    );
    assert_eq!(built.code(), Some(0), "{built}");
    let script = "mkdir -p a/b && ls a && echo text >a/file && cat a/file && echo *";
    let entered = jailctl(&sandbox, &["enter", "/srv/few", "--", "sh", "-c", script]);
    assert_eq!(
        entered.ok(),
        "b\ntext\na bin dev etc home lib lib64 proc run sbin sys tmp usr var",
        "{entered}"
    );
    let programs = "cd /srv/few/usr/bin; find . -type f -perm /111 | sort | tr '\\n' ' '";
    let shell = sandbox.must("basename $(readlink -f /bin/sh)");
    assert_eq!(
        sandbox.must(programs),
        format!("./cat ./{shell} ./echo ./ls ./mkdir ")
    );
    // Each of them is needed: without its libraries none would have started.
    for program in ["ls", "echo", "cat", "mkdir"] {
        let started = jailctl(&sandbox, &["enter", "/srv/few", "--", program, "--version"]);
        assert!(started.ok().contains("coreutils"), "{started}");
    }
}

/// Gives what `check` finds wrong with the programs of a user's root, and the commands that it says mend it.
fn mends(checked: &Outcome) -> Vec<String> {
    let report: Value = serde_json::from_str(&checked.stdout).unwrap();
    let findings = report["findings"].as_array().unwrap();
    findings
        .iter()
        .filter(|finding| finding["severity"] == "error")
        .map(|finding| finding["mend"]["command"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_bash_without_its_libraries_is_mended_by_what_check_says() {
    let sandbox = Sandbox::new()
        .user("ann")
        .root(roots::dynamic().then("find $root -name '*.so*' -exec rm {} +"));
    let bash = [
        "enter",
        "/srv/jails/ann",
        "--",
        "/bin/bash",
        "-c",
        "echo in",
    ];
    let broken = jailctl(&sandbox, &bash);
    assert_eq!(broken.code(), Some(3), "{broken}");
    let mut rounds = 0;
    loop {
        let checked = jailctl(&sandbox, &["check", "ann", "--json"]);
        let mends = mends(&checked);
        if mends.is_empty() {
            break;
        }
        rounds += 1;
        assert!(rounds < 4, "{checked}");
        for command in mends {
            sandbox.must(&command);
        }
    }
    assert!(rounds > 0, "nothing was found");
    assert_eq!(jailctl(&sandbox, &bash).ok(), "in");
    assert_eq!(
        sandbox.ssh("ann", "echo $BASH; pwd").ok(),
        "/bin/bash\n/home/ann"
    );
}

#[test]
fn proc_is_there_for_a_command_that_asks_for_it_and_for_nobody_else() {
    let sandbox = busybox_tar();
    jailctl(&sandbox, &["import", "/srv/busybox.tar", "/srv/box"]).ok();
    let script = "ls -d /proc/1; ps >/dev/null && cat /proc/self/comm";
    let without = jailctl(
        &sandbox,
        &["enter", "/srv/box", "--", "sh", "-c", "ls /proc"],
    );
    assert_eq!(without.ok(), "");
    let with = jailctl(
        &sandbox,
        &["enter", "--mount", "/srv/box", "--", "sh", "-c", script],
    );
    assert_eq!(with.ok(), "/proc/1\ncat");
    assert_eq!(
        sandbox.must("ls /srv/box/proc; grep -c /srv/box /proc/mounts || true"),
        "0"
    );
}

#[test]
fn a_given_command_in_a_given_root_keeps_its_words_its_streams_and_its_end() {
    let sandbox = busybox_tar();
    sandbox.write(
        "/srv/demo",
        "#!/bin/sh\nroot=$1\nshift\nexec jailctl enter \"$root\" -- \"$@\"\n",
    );
    for root in ["/srv/one", "/srv/two"] {
        jailctl(&sandbox, &["import", "/srv/busybox.tar", root]).ok();
        sandbox.must(&format!("echo {root} >{root}/etc/issue"));
        let demo = |words: &[&str], input: &str| {
            sandbox.run_with(
                &[&["sh", "/srv/demo", root], words].concat(),
                input.as_bytes(),
            )
        };
        assert_eq!(demo(&["cat", "/etc/issue"], "").ok(), root);
        let words = ["printf", "[%s]", "a  b", "", "$HOME", "--mount", "*", "-i"];
        assert_eq!(demo(&words, "").ok(), "[a  b][][$HOME][--mount][*][-i]");
        assert_eq!(demo(&["tr", "a-z", "A-Z"], "text").ok(), "TEXT");
        let failed = demo(&["sh", "-c", "echo out; echo err >&2; exit 7"], "");
        assert_eq!(
            (
                failed.code(),
                failed.stdout.as_str(),
                failed.stderr.as_str()
            ),
            (Some(7), "out\n", "err\n")
        );
        let killed = demo(&["sh", "-c", "kill -TERM $$"], "");
        assert_eq!(killed.signal(), Some(15), "{killed}");
    }
}

#[test]
fn without_a_command_it_is_the_shell_that_shell_names_or_sh_and_interactive() {
    let sandbox = Sandbox::new();
    let built = jailctl(&sandbox, &["build", "/srv/few", "--program", "bash,sh"]);
    assert_eq!(built.code(), Some(0), "{built}");
    for (shell, started) in [
        ("/usr/bin/bash", "bash"),
        // Elsewhere on the host than in the root.
        ("/opt/own/bin/bash", "bash"),
        ("/bin/zsh", "sh"),
        ("", "sh"),
    ] {
        let mut pty = enter(&sandbox, shell, "/srv/few");
        pty.line("echo name'='${0##*/}. flags'='$-.");
        pty.expect(&format!("name={started}. flags="));
        let flags = pty.expect(".");
        assert!(flags.contains('i'), "{shell}: {flags}");
        pty.line("exit 3");
        assert_eq!(pty.finish().code(), Some(3), "{shell}");
    }
}
