//! `commands`: what may be started is started directly, and nothing else can be executed, whatever is asked for or lies about.

use login_jail_tests::{JAIL_SHELL, Outcome, Sandbox, roots};

const ROOT: &str = "/srv/jails/ann";

/// Ann in a jail with these keys. `root` is made as it is written.
fn ann(root: &str, keys: &str) -> Sandbox {
    Sandbox::new()
        .user("ann")
        .config(&format!(
            "[users]\nann = \"narrow\"\n[jails.narrow]\nroot = \"/srv/jails/{{user}}\"\n{keys}\n"
        ))
        .sshd("")
        .with(&format!("mkdir -p {ROOT}; {root}; echo text >/tmp/letter"))
}

/// A home of hers in the root.
const HOME: &str = "install -d -o ann -g ann /srv/jails/ann/home/ann";

#[track_caller]
fn told(seen: &Outcome, sentence: &str) {
    assert_eq!(seen.code(), Some(1), "{seen}");
    let said = format!("jail-shell: {sentence}\n");
    assert_eq!(
        (seen.stdout.as_str(), seen.stderr.as_str()),
        ("", said.as_str())
    );
}

#[test]
fn an_empty_root_serves_sftp_and_scp() {
    let sandbox = ann("true", "commands = [\"sftp\"]");
    let seen = sandbox.sftp(
        "ann",
        "pwd\nls -l /\nput /tmp/letter /tmp/letter\nls /tmp\n",
    );
    assert!(seen.ok().contains("/tmp/letter"), "{seen}");
    assert!(
        seen.stdout.contains("Remote working directory: /"),
        "{seen}"
    );
    sandbox
        .scp(&["/tmp/letter", "ann@127.0.0.1:/tmp/copy"])
        .ok();
    assert_eq!(
        sandbox.must(&format!("ls -A {ROOT}")),
        "",
        "nothing is left in the root"
    );
}

#[test]
fn whoever_has_sftp_alone_is_told_so_at_once() {
    let sandbox = ann(HOME, "commands = [\"sftp\"]");
    let told = |seen: &Outcome| {
        assert_eq!(seen.code(), Some(1), "{seen}");
        assert_eq!(
            (seen.stdout.as_str(), seen.stderr.as_str()),
            ("", "This account is for SFTP only.\n")
        );
    };
    told(&sandbox.ssh("ann", "id"));
    told(&sandbox.ssh_shell("ann", "id\n"));
    told(&sandbox.su_dash("ann", "id\n"));
    told(&sandbox.ssh("ann", "rsync --server -e.i . /"));
    told(&sandbox.ssh("ann", "echo $HOME"));
    let scp = sandbox.scp(&["-O", "/tmp/letter", "ann@127.0.0.1:x"]);
    assert!(scp.stderr.contains("for SFTP only"), "{scp}");
    for why in [
        "commands: the command \\\"id\\\" is not allowed; allowed: sftp",
        "commands: a shell is not allowed; allowed: sftp",
        "a shell would act on the $ in ",
    ] {
        sandbox.logged(&["refused", "code=usage ", r#"user="ann""#, why]);
    }
}

#[test]
fn what_lies_in_a_root_is_neither_executed_nor_loaded_for_sftp() {
    let sandbox = ann(
        &format!(
            "{HOME}; mkdir -p {ROOT}/etc {ROOT}/usr/lib/openssh {ROOT}/lib/x86_64-linux-gnu; \
             printf '#!/bin/sh\\ntouch /tmp/ran\\n' >{ROOT}/usr/lib/openssh/sftp-server; \
             chmod 755 {ROOT}/usr/lib/openssh/sftp-server; echo /home/ann/evil.so >{ROOT}/etc/ld.so.preload; \
             cp {ROOT}/etc/ld.so.preload {ROOT}/home/ann/evil.so; echo junk >{ROOT}/lib/x86_64-linux-gnu/libc.so.6"
        ),
        "commands = [\"sftp\"]",
    );
    let seen = sandbox.sftp("ann", "ls -1 /\nls -1 /etc\nls -1 /tmp\n");
    let shown = seen.ok();
    assert!(
        !shown.contains("ran") && !shown.contains("preload"),
        "{shown}"
    );
    assert!(!seen.stderr.contains("preload"), "{seen}");
}

#[test]
fn a_list_starts_what_it_names_and_nothing_else() {
    let sandbox = ann(
        HOME,
        "base = \"host\"\ncommands = [\"rsync\", \"git\", \"/usr/bin/id\", { program = \"/bin/echo\", arguments = [\"say\", \"*\"] }]",
    );
    assert!(sandbox.ssh("ann", "id -u").ok().parse::<u32>().is_ok());
    assert_eq!(sandbox.ssh("ann", "/usr/bin/id -un").ok(), "ann");
    assert_eq!(sandbox.ssh("ann", "echo say 'a  b'").ok(), "say a  b");
    for command in [
        "echo",
        "echo other x",
        "/bin/sh -c id",
        "bash",
        "env id",
        "/usr/bin/env",
        "id; id",
        "id $(id)",
    ] {
        assert_eq!(sandbox.ssh("ann", command).code(), Some(1), "{command}");
    }
    assert_eq!(sandbox.su_c("ann", "id -un").ok(), "ann");
    told(
        &sandbox.run_as("ann", &[JAIL_SHELL, "-c", "id", "x"]),
        "a shell is not allowed; allowed: rsync, git, /usr/bin/id, /bin/echo say *",
    );
    told(
        &sandbox.ssh("ann", "echo other x"),
        "\"echo\" is not allowed with these arguments; allowed: rsync, git, /usr/bin/id, /bin/echo say *",
    );
    told(
        &sandbox.ssh("ann", "id; id"),
        "a command that needs a shell is not allowed: a shell would act on the ; in \"id;\"; quote it; \
         allowed: rsync, git, /usr/bin/id, /bin/echo say *",
    );
}

#[test]
fn rsync_sends_and_fetches_by_pattern_and_from_home() {
    let sandbox = ann(HOME, "base = \"host\"\ncommands = [\"rsync\"]");
    let ssh = sandbox.ssh_argv("ann", &[], None);
    let ssh = ssh[..ssh.len() - 1].join(" ");
    let rsync = |arguments: &str| sandbox.sh(&format!("rsync -e '{ssh}' {arguments}"));
    sandbox.must("mkdir /tmp/out /tmp/in; echo 1 >/tmp/out/a.txt; echo 2 >/tmp/out/b.txt; echo 3 >'/tmp/out/c d.log'");
    rsync("-a /tmp/out/ ann@127.0.0.1:up/").ok();
    rsync("-a --old-args 'ann@127.0.0.1:up/*.txt' /tmp/in/").ok();
    assert_eq!(sandbox.must("ls /tmp/in"), "a.txt\nb.txt");
    rsync("-a --old-args 'ann@127.0.0.1:~/up/c\\ d.log' /tmp/in/").ok();
    rsync("-a 'ann@127.0.0.1:up/c d.log' /tmp/in/again").ok();
    assert_eq!(sandbox.must("cat '/tmp/in/c d.log' /tmp/in/again"), "3\n3");
    let hidden = rsync("-as /tmp/out/ ann@127.0.0.1:up/");
    assert!(hidden.stderr.contains("--no-secluded-args"), "{hidden}");
    let other = rsync("--rsync-path='sh -c id; rsync' /tmp/letter ann@127.0.0.1:up/");
    assert!(other.stderr.contains("not allowed"), "{other}");
}

#[test]
fn scp_has_both_protocols() {
    let sandbox = ann("true", "commands = [\"scp\"]");
    for protocol in [&[][..], &["-O"]] {
        let to = [protocol, &["/tmp/letter", "ann@127.0.0.1:/tmp/letter"]].concat();
        sandbox.scp(&to).ok();
    }
    let sandbox = ann(HOME, "commands = [\"scp\"]");
    sandbox.must("mkdir /tmp/in");
    sandbox
        .scp(&["-O", "/tmp/letter", "ann@127.0.0.1:a.txt"])
        .ok();
    sandbox.scp(&["/tmp/letter", "ann@127.0.0.1:b.txt"]).ok();
    sandbox.scp(&["-O", "ann@127.0.0.1:*.txt", "/tmp/in"]).ok();
    assert_eq!(sandbox.must("ls /tmp/in"), "a.txt\nb.txt");
}

/// A repository with a hook, a config and links that would start something.
const TRAPS: &str = "cd /srv/jails/ann/home/ann; git init -q --bare -b main r.git; cd r.git; \
     printf '#!/bin/sh\\ntouch /tmp/hook /home/ann/hook\\n' >hooks/pre-receive; chmod 755 hooks/pre-receive; \
     cp hooks/pre-receive hooks/post-update; ln -s /lib64/ld-linux-x86-64.so.2 hooks/update; \
     git config core.fsmonitor 'touch /home/ann/fsmonitor'; git config uploadpack.packObjectsHook 'touch /home/ann/pack'; \
     git config receive.procReceiveRefs refs/; git config core.pager 'touch /home/ann/pager'; \
     chown -R ann:ann /srv/jails/ann/home/ann";

#[test]
fn git_is_served_and_starts_nothing_of_a_repository() {
    let sandbox = ann(
        &format!("{HOME}; {TRAPS}"),
        "base = \"host\"\ncommands = [\"git\"]",
    );
    sandbox.must("git config --global user.email a@example.org; git config --global user.name a; git init -q /tmp/w; cd /tmp/w; echo 1 >f; git add f; git commit -qm 1");
    let ssh = sandbox.ssh_argv("ann", &[], None);
    let ssh = ssh[..ssh.len() - 1].join(" ");
    let git = |arguments: &str| {
        sandbox.sh(&format!(
            "cd /tmp/w; GIT_SSH_COMMAND='{ssh}' git {arguments}"
        ))
    };
    // With hooks that can't be executed, git refuses the push or leaves the hook out; the hook does not run either way.
    git("push -q ann@127.0.0.1:r.git HEAD:refs/heads/main");
    sandbox.must("rm -f /srv/jails/ann/home/ann/r.git/hooks/*; git -C /srv/jails/ann/home/ann/r.git -c safe.directory='*' config --unset receive.procReceiveRefs");
    git("push -q ann@127.0.0.1:r.git HEAD:refs/heads/main").ok();
    git("clone -q ann@127.0.0.1:r.git /tmp/cloned").ok();
    git("clone -q 'ann@127.0.0.1:~/r.git' /tmp/again").ok();
    assert_eq!(sandbox.must("cat /tmp/cloned/f /tmp/again/f"), "1\n1");
    git("archive --remote=ann@127.0.0.1:r.git main").ok();
    assert_eq!(sandbox.must(&format!("ls {ROOT}/home/ann")), "r.git");
}

#[test]
fn git_serves_a_repository_of_somebody_else() {
    let sandbox = ann(HOME, "base = \"host\"\ncommands = [\"git\"]");
    sandbox.must("git config --global user.email a@example.org; git config --global user.name a; cd /srv/jails/ann; git init -q repo; cd repo; echo 1 >f; git add f; git commit -qm 1");
    let ssh = sandbox.ssh_argv("ann", &[], None);
    let ssh = ssh[..ssh.len() - 1].join(" ");
    sandbox
        .sh(&format!(
            "GIT_SSH_COMMAND='{ssh}' git clone -q ann@127.0.0.1:/repo /tmp/cloned"
        ))
        .ok();
}

/// Everything but the programs of the list is on a mount that is noexec, so that a loader that may be executed loads nothing else.
#[test]
fn a_loader_that_may_be_executed_runs_no_other_program() {
    let loader = "/lib64/ld-linux-x86-64.so.2";
    for base in ["base = \"host\"", ""] {
        let root = match base {
            "" => format!(
                "{HOME}; rm -rf {ROOT}; jailctl build {ROOT} --with basicshell --with rsync >/dev/null; {HOME}"
            ),
            _ => HOME.to_owned(),
        };
        let keys = format!("{base}\ncommands = [\"/usr/bin/id\", \"{loader}\"]");
        let sandbox = ann(&root, &keys);
        sandbox.must(&format!(
            "cp /bin/true {ROOT}/home/ann/mine; chmod 755 {ROOT}/home/ann/mine"
        ));
        for program in ["/bin/sh", "/usr/bin/id", "/home/ann/mine", "/tmp/x"] {
            let seen = sandbox.ssh("ann", &format!("{loader} {program}"));
            assert!(!matches!(seen.code(), Some(0)), "{program}: {seen}");
            assert!(
                seen.stderr.contains("failed to map") || seen.stderr.contains("cannot open"),
                "{program}: {seen}"
            );
        }
        if !base.is_empty() {
            sandbox.ssh("ann", &format!("{loader} --version")).ok();
        }
    }
}

#[test]
fn a_program_that_others_than_root_can_write_is_refused() {
    let sandbox = ann(
        &format!(
            "{HOME}; install -d {ROOT}/opt; cp /bin/busybox {ROOT}/opt/busybox; chown ann {ROOT}/opt/busybox"
        ),
        "base = \"host\"\ncommands = [\"/opt/busybox\"]",
    );
    sandbox.ssh("ann", "/opt/busybox true").refused(123, "step");
    sandbox.logged(&[
        "refused",
        "/opt/busybox in the jail: others than root can write it",
    ]);
    sandbox.must(&format!("chown root {ROOT}/opt/busybox"));
    sandbox.ssh("ann", "busybox true").ok();
    assert_eq!(
        sandbox.ssh("ann", "busybox sh -c :").code(),
        Some(0),
        "busybox has its shell in itself"
    );
}

#[test]
fn sftp_serves_as_the_config_says() {
    let upload = "install -d -o ann -g ann -m 2770 /srv/jails/ann/upload; echo old >/srv/jails/ann/upload/old; chmod 666 /srv/jails/ann/upload/old";
    let keys = |access: &str| {
        format!(
            "commands = [\"sftp\"]\nsftp = {{ access = \"{access}\", directory = \"/upload\", umask = \"007\" }}"
        )
    };
    let sandbox = ann(upload, &keys("read-only"));
    assert!(
        sandbox
            .sftp("ann", "pwd\nget old /tmp/old\n")
            .ok()
            .contains("/upload")
    );
    for batch in [
        "put /tmp/letter new\n",
        "rm old\n",
        "mkdir x\n",
        "chmod 600 old\n",
    ] {
        assert_ne!(sandbox.sftp("ann", batch).code(), Some(0), "{batch}");
    }
    let sandbox = ann(upload, &keys("upload-only"));
    sandbox.must("chmod 666 /tmp/letter");
    sandbox
        .sftp(
            "ann",
            "put /tmp/letter new\nmkdir sub\nput -p /tmp/letter sub/new\n",
        )
        .ok();
    for batch in ["get old /tmp/old\n", "rm old\n", "symlink old x\n"] {
        assert_ne!(sandbox.sftp("ann", batch).code(), Some(0), "{batch}");
    }
    let listed = sandbox.sftp("ann", "ls\n");
    assert!(!listed.stdout.contains("old"), "{listed}");
    let modes = sandbox.must(
        "stat -c '%a %n' /srv/jails/ann/upload/new /srv/jails/ann/upload/sub | sed s,/srv.*/,,",
    );
    assert_eq!(modes, "660 new\n2770 sub");
}

#[test]
fn behind_pam_nothing_but_the_list_can_be_executed() {
    let sandbox = Sandbox::with_ann_behind_pam(
        roots::home(),
        "base = \"host\"\ncommands = [\"/usr/bin/id\", \"/bin/dash\"]",
    );
    // sshd starts the account's shell, which is not on the list.
    let seen = sandbox.ssh("ann", "echo shell");
    assert_ne!(seen.code(), Some(0), "{seen}");
    // And jail-shell as that shell goes by the list.
    sandbox.must("usermod -s /usr/bin/jail-shell ann");
    assert_eq!(sandbox.ssh("ann", "id -un").ok(), "ann");
    told(
        &sandbox.ssh("ann", "ls"),
        "the command \"ls\" is not allowed; allowed: /usr/bin/id, /bin/dash",
    );
    sandbox.must("usermod -s /bin/dash ann");
    assert_eq!(sandbox.ssh("ann", "id -un").ok(), "ann");
    for command in [
        "/bin/ls",
        "/bin/bash -c :",
        "cp /usr/bin/id /tmp/id; /tmp/id",
        "/lib64/ld-linux-x86-64.so.2 /bin/ls",
    ] {
        let seen = sandbox.ssh("ann", command);
        assert!(matches!(seen.code(), Some(126 | 127)), "{command}: {seen}");
    }
}
