//! Somebody with a list of commands, and with the source of this program in hand, tries to start something else: by the environment,
//! by files that programs read, by git, rsync, scp and SFTP. Each trick leaves a file if it works.

use login_jail_tests::{Outcome, Sandbox};

const ROOT: &str = "/srv/jails/ann";
const HOME: &str = "/srv/jails/ann/home/ann";

/// What a trick that works leaves, in the home or in /tmp of the host or of the jail.
const TRAP: &str = "touch /home/ann/trapped /tmp/trapped /mnt/trapped 2>/dev/null";

/// Ann with a list of commands, and in her home a script and a library that leave a trace where they run.
fn ann(keys: &str, sshd: &str) -> Sandbox {
    Sandbox::new()
        .user("ann")
        .config(&format!(
            "[users]\nann = \"narrow\"\n[jails.narrow]\nroot = \"/srv/jails/{{user}}\"\n{keys}\n"
        ))
        .sshd(sshd)
        .with(&format!(
            "install -d -o ann -g ann {HOME} /home/ann; echo text >/tmp/letter; chmod 1777 /mnt
             printf '#!/bin/sh\\n{TRAP}\\n' >{HOME}/trap; chmod 755 {HOME}/trap
             cc -xc -shared -fPIC -o {HOME}/trap.so - <<'CODE'
#include <fcntl.h>
__attribute__((constructor)) static void trap(void) {{
    open(\"/home/ann/trapped\", O_CREAT | O_WRONLY, 0600);
    open(\"/tmp/trapped\", O_CREAT | O_WRONLY, 0600);
    open(\"/mnt/trapped\", O_CREAT | O_WRONLY, 0600);
}}
CODE
             cp {HOME}/trap {HOME}/trap.so /home/ann; chown -R ann: {HOME} /home/ann"
        ))
}

/// Insists that no trick has worked.
#[track_caller]
fn nothing_ran(sandbox: &Sandbox, trick: &str) {
    let left = sandbox.must(
        "ls -d /srv/jails/ann/trapped /srv/jails/ann/home/ann/trapped /srv/jails/ann/tmp/trapped /srv/jails/ann/mnt/trapped \
         /home/ann/trapped /tmp/trapped /mnt/trapped 2>/dev/null || :",
    );
    assert_eq!(left, "", "{trick}");
}

/// Insists that a request is refused before anything of it starts.
#[track_caller]
fn refused(sandbox: &Sandbox, request: &str) {
    let seen = sandbox.ssh("ann", request);
    assert_eq!(seen.code(), Some(1), "{request}: {seen}");
    assert!(seen.stderr.contains("is not allowed"), "{request}: {seen}");
    nothing_ran(sandbox, request);
}

/// The words of the client, for programs that start it.
fn ssh(sandbox: &Sandbox) -> String {
    let words = sandbox.ssh_argv("ann", &[], None);
    words
        .split_last()
        .map(|(_, rest)| rest.join(" "))
        .unwrap_or_default()
}

/// Variables that make a loader, a shell, git, rsync or ssh load or start something.
const VARIABLES: &[&str] = &[
    "LD_PRELOAD=/home/ann/trap.so",
    "LD_AUDIT=/home/ann/trap.so",
    "LD_LIBRARY_PATH=/home/ann",
    "GCONV_PATH=/home/ann",
    "BASH_ENV=/home/ann/trap",
    "ENV=/home/ann/trap",
    "PATH=/home/ann",
    "GIT_EXEC_PATH=/home/ann",
    "GIT_SSH_COMMAND=/home/ann/trap",
    "GIT_CONFIG_GLOBAL=/home/ann/config",
    "GIT_CONFIG_PARAMETERS='core.hooksPath=/home/ann'",
    "GIT_TRACE=/home/ann/trapped",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES=/home/ann",
    "GIT_TEMPLATE_DIR=/home/ann",
    "RSYNC_RSH=/home/ann/trap",
    "RSYNC_CONNECT_PROG=/home/ann/trap",
    "SHELL=/home/ann/trap",
    "PYTHONSTARTUP=/home/ann/trap",
    "HOME=/home/ann/other",
];

#[test]
fn the_environment_starts_nothing() {
    let sandbox = ann(
        "base = \"host\"\ncommands = [\"git\", \"rsync\", { program = \"/usr/bin/env\", arguments = [] }]",
        "AcceptEnv *\nPermitUserEnvironment yes",
    );
    let lines = VARIABLES.join("\n");
    sandbox.must(&format!(
        "mkdir -p /home/ann/.ssh; cat >/home/ann/.ssh/environment <<'END'\n{}\nEND\n",
        // sshd's own children take these, before any door: not what is tried here.
        lines
            .replace("LD_PRELOAD", "XLD_PRELOAD")
            .replace("LD_AUDIT", "XLD_AUDIT")
    ));
    let set: Vec<String> = VARIABLES.iter().map(|it| format!("SetEnv={it}")).collect();
    for set in &set {
        let seen = sandbox.ssh_with("ann", &["-o", set], Some("env"), b"");
        let shown = format!("\n{}\n", seen.ok());
        for variable in VARIABLES {
            let (name, value) = variable.split_once('=').unwrap();
            let set = format!("\n{name}={value}\n");
            assert!(!shown.contains(&set), "{name}: {shown}");
            let own = ["PATH", "SHELL", "HOME"].contains(&name);
            assert!(
                own || !shown.contains(&format!("\n{name}=")),
                "{name}: {shown}"
            );
        }
    }
    let all: Vec<&str> = set.iter().flat_map(|set| ["-o", set]).collect();
    for request in [
        "git-upload-pack /home/ann",
        "rsync --server --sender -e.i . /tmp",
        "env",
    ] {
        sandbox.ssh_with("ann", &all, Some(request), b"");
        nothing_ran(&sandbox, request);
    }
}

#[test]
fn files_that_sshd_and_shells_read_start_nothing() {
    for keys in [
        "commands = [\"sftp\"]",
        "base = \"host\"\ncommands = [\"sftp\", { program = \"/usr/bin/id\", arguments = [] }]",
    ] {
        let sandbox = ann(keys, "PermitUserRC yes");
        for home in [HOME, "/home/ann"] {
            sandbox.must(&format!(
                "cd {home}; mkdir -p .ssh; for file in .ssh/rc .bashrc .profile .bash_profile .bash_login .bash_logout .zshenv .kshrc; do \
                 cp trap $file; done; chown -R ann: ."
            ));
        }
        sandbox.sftp("ann", "pwd\n").ok();
        sandbox.ssh("ann", "id");
        sandbox.ssh_shell("ann", "id\n");
        sandbox.su_dash("ann", "id\n");
        sandbox.su_dash_c("ann", "id");
        nothing_ran(&sandbox, keys);
    }
}

/// A repository whose hooks and config name what may be executed beside git, and what may not.
const REPOSITORY: &str = r#"
git config --global user.email a@example.org; git config --global user.name a; git config --global init.defaultBranch main
git init -q /tmp/w; cd /tmp/w; echo 1 >f; git add f; git commit -qm 1
cd $HOME_OF_ANN; git init -q --bare other.git; git init -q --bare r.git; cd r.git
echo $HOME_OF_ANN/other.git/objects | sed s,/srv/jails/ann,, >objects/info/alternates
for hook in pre-receive update post-receive post-update proc-receive reference-transaction push-to-checkout post-index-change pre-auto-gc; do
    ln -s $HOOK hooks/$hook
done
git config core.fsmonitor $HOOK
git config core.sshCommand $HOOK
git config core.alternateRefsCommand $HOOK
git config core.gitProxy $HOOK
git config core.pager $HOOK
git config uploadpack.packObjectsHook $HOOK
git config receive.procReceiveRefs refs/
git config receive.autogc true
git config gc.auto 1
git config gc.recentObjectsHook $HOOK
git config tar.trap.command $HOOK
git config tar.trap.remote true
git config protocol.ext.allow always
git config --file $HOME_OF_ANN/.gitconfig uploadpack.packObjectsHook $HOOK
git config --file $HOME_OF_ANN/.gitconfig core.hooksPath /home/ann/r.git/hooks
git config --file $HOME_OF_ANN/.gitconfig alias.upload-pack "!$HOOK"
mkdir -p $HOME_OF_ANN/.config/git; cp $HOME_OF_ANN/.gitconfig $HOME_OF_ANN/.config/git/config
chown -R ann: $HOME_OF_ANN
"#;

#[test]
fn git_starts_nothing_of_hooks_and_config() {
    // Of its arguments touch makes files, so that it shows who has started it. It may be executed: it is on the list.
    for hook in [
        "/home/ann/trap",
        "/bin/sh",
        "/lib64/ld-linux-x86-64.so.2",
        "/usr/bin/touch",
    ] {
        let sandbox = ann(
            "base = \"host\"\ncommands = [\"git\", { program = \"/usr/bin/touch\", arguments = [\"/home/ann/mine\"] }]",
            "",
        );
        sandbox.must(&format!("HOOK={hook} HOME_OF_ANN={HOME}\n{REPOSITORY}"));
        let ssh = ssh(&sandbox);
        let git = |arguments: &str| {
            sandbox.sh(&format!(
                "cd /tmp/w; GIT_SSH_COMMAND='{ssh}' git {arguments}"
            ))
        };
        // A reference that the repository leaves to its proc-receive hook is not taken, because there is no such hook.
        git("push -q ann@127.0.0.1:r.git HEAD:refs/heads/main");
        nothing_ran(&sandbox, hook);
        sandbox.must(&format!(
            "git config --file {HOME}/r.git/config --unset receive.procReceiveRefs"
        ));
        git("push -q ann@127.0.0.1:r.git HEAD:refs/heads/main").ok();
        // Her own config names a program for packing. It is not started, and git ends.
        git("clone -q ann@127.0.0.1:r.git /tmp/cloned");
        nothing_ran(&sandbox, hook);
        sandbox.must(&format!("rm -r {HOME}/.gitconfig {HOME}/.config"));
        git("clone -q ann@127.0.0.1:r.git /tmp/cloned").ok();
        git("archive --remote=ann@127.0.0.1:r.git --format=trap main");
        git("archive --remote=ann@127.0.0.1:r.git --format=tar.gz main");
        sandbox.ssh("ann", "git-upload-pack 'ext::/home/ann/trap'");
        sandbox.ssh("ann", "git-receive-pack 'ext::sh -c /home/ann/trap'");
        nothing_ran(&sandbox, hook);
        // The arguments of hooks: names of references, and the sums of what they name.
        let made = sandbox.must(&format!(
            "cd {HOME}; find . -maxdepth 2 -name '[0-9a-f]*' -size 0 | grep -E '/[0-9a-f]{{40}}$' || :; find . -name 'pack-objects' -o -name git"
        ));
        assert_eq!(made, "", "{hook}");
    }
    let sandbox = ann("base = \"host\"\ncommands = [\"git\"]", "");
    for request in [
        "git-upload-pack --exec=/home/ann/trap r.git",
        "git upload-pack --template=/home/ann r.git",
        "git -c core.pager=/home/ann/trap upload-pack r.git",
        "git --exec-path=/home/ann upload-pack r.git",
        "git -p upload-pack r.git",
        "git clone ext::/home/ann/trap",
        "git submodule update --init",
        "git-shell -c /home/ann/trap",
        "git-remote-ext x /home/ann/trap",
        "git-upload-pack r.git r.git",
        "GIT_TRACE=/home/ann/trapped git-upload-pack r.git",
    ] {
        refused(&sandbox, request);
    }
}

#[test]
fn a_pushed_repository_with_submodules_starts_nothing() {
    let sandbox = ann("base = \"host\"\ncommands = [\"git\"]", "");
    sandbox.must(&format!(
        "git config --global user.email a@example.org; git config --global user.name a
         git init -q --bare -b main {HOME}/r.git; chown -R ann: {HOME}; git init -q -b main /tmp/w; cd /tmp/w
         printf '[submodule \"x\"]\\n\\tpath = x\\n\\turl = ext::/home/ann/trap\\n\\tupdate = !/home/ann/trap\\n' >.gitmodules
         printf '* filter=trap diff=trap export-subst\\n' >.gitattributes
         git add .; git update-index --add --cacheinfo 160000,1234567890123456789012345678901234567890,x; git commit -qm 1"
    ));
    let ssh = ssh(&sandbox);
    sandbox
        .sh(&format!(
            "cd /tmp/w; GIT_SSH_COMMAND='{ssh}' git push -q ann@127.0.0.1:r.git main"
        ))
        .ok();
    sandbox
        .sh(&format!(
            "cd /tmp/w; GIT_SSH_COMMAND='{ssh}' git archive --remote=ann@127.0.0.1:r.git main"
        ))
        .ok();
    nothing_ran(&sandbox, "submodule");
}

#[test]
fn rsync_starts_nothing_and_writes_nothing_else() {
    let sandbox = ann("base = \"host\"\ncommands = [\"rsync\"]", "");
    // popt's own config, by which an option may stand for others or for a program.
    sandbox.must(&format!(
        "printf 'rsync alias --sender --sender --log-file=/home/ann/trapped\\nrsync exec --times /home/ann/trap\\n' >{HOME}/.popt
         printf '[m]\\npath = /\\npre-xfer exec = /home/ann/trap\\n' >{HOME}/rsyncd.conf; chown -R ann: {HOME}"
    ));
    for request in [
        "rsync --server --daemon .",
        "rsync --daemon --config=/home/ann/rsyncd.conf",
        "rsync --server --daemon --config=/home/ann/rsyncd.conf .",
        "rsync --server -e /home/ann/trap . /tmp",
        "rsync --server -e/home/ann/trap . /tmp",
        "rsync --server -vve./home/ann/trap . /tmp",
        "rsync --server --rsh=/home/ann/trap . /tmp",
        "rsync --server --rsh /home/ann/trap . /tmp",
        "rsync --server --rsync-path=/home/ann/trap . /tmp",
        "rsync --server --log-file=/home/ann/trapped -e.i . /tmp",
        "rsync --server -M--log-file=/home/ann/trapped . /tmp",
        "rsync --server --remote-option=--log-file=/home/ann/trapped . /tmp",
        "rsync --server -e.i . --log-file=/home/ann/trapped",
        "rsync --server -e.i --write-batch=/home/ann/trapped . /tmp",
        "rsync --server -se.i . /tmp",
        "rsync -e /home/ann/trap /tmp x:y",
        "rsync /tmp/letter /home/ann/trapped",
        "rsync",
    ] {
        refused(&sandbox, request);
    }
    let ssh = ssh(&sandbox);
    for options in [
        "--rsync-path=/home/ann/trap",
        "--rsync-path='sh -c /home/ann/trap; rsync'",
        "--rsync-path='rsync --log-file=/home/ann/trapped'",
        "-M--log-file=/home/ann/trapped",
        "--remote-option=--daemon",
    ] {
        let seen = sandbox.sh(&format!(
            "rsync -a -e '{ssh}' {options} /tmp/letter ann@127.0.0.1:up"
        ));
        assert!(seen.stderr.contains("is not allowed"), "{options}: {seen}");
        nothing_ran(&sandbox, options);
    }
    for arguments in ["/tmp/letter ann@127.0.0.1:up", "ann@127.0.0.1:up /tmp/back"] {
        sandbox.sh(&format!("rsync -a -e '{ssh}' {arguments}")).ok();
        nothing_ran(&sandbox, arguments);
    }
}

#[test]
fn scp_starts_nothing() {
    let sandbox = ann("base = \"host\"\ncommands = [\"scp\"]", "");
    for request in [
        "scp -S /home/ann/trap -t x",
        "scp -t -S /home/ann/trap x",
        "scp -tS/home/ann/trap x",
        "scp -o ProxyCommand=/home/ann/trap -t x",
        "scp -D /home/ann/trap -t x",
        "scp -F /home/ann/config -t x",
        "scp /tmp/x other:y",
        "scp -t `/home/ann/trap`",
        "scp -t $(/home/ann/trap)",
        "scp -f x; /home/ann/trap",
    ] {
        refused(&sandbox, request);
    }
    let seen = sandbox.scp(&["-O", "ann@127.0.0.1:`/home/ann/trap`", "/tmp/back"]);
    assert!(seen.stderr.contains("is not allowed"), "{seen}");
    nothing_ran(&sandbox, "scp");
}

/// What somebody does with an SFTP session to have something executed, or to reach what is outside.
const TRICKS: &[&str] = &[
    "put /tmp/letter /proc/self/mem",
    "put /tmp/letter /proc/self/exe",
    "put /tmp/letter /proc/1/mem",
    "put /tmp/letter /proc/thread-self/attr/exec",
    "put /tmp/letter /proc/sys/kernel/core_pattern",
    "put /tmp/letter /usr/lib/openssh/sftp-server",
    "put /tmp/letter /lib64/ld-linux-x86-64.so.2",
    "put /tmp/letter /etc/ld.so.preload",
    "put /tmp/letter /etc/nsswitch.conf",
    "put /tmp/letter /etc/passwd",
    "put /tmp/letter /dev/mem",
    "rm /usr/lib/openssh/sftp-server",
    "rename /usr/lib/openssh /home/ann/openssh",
    "rename /etc /home/ann/etc",
    "mkdir /lib32",
    "get /proc/self/root/mnt/outside /tmp/got",
    "get /proc/1/root/mnt/outside /tmp/got",
    "get /proc/self/cwd/../../mnt/outside /tmp/got",
    "get ../../../../../mnt/outside /tmp/got",
    "get link /tmp/got",
    "get directory/outside /tmp/got",
    "get out-of-root /tmp/got",
    "ln /mnt/outside /home/ann/hard",
    "ln directory/outside /home/ann/hard",
    "put /tmp/letter directory/trapped",
];

#[test]
fn sftp_reaches_nothing_outside_and_replaces_nothing() {
    for keys in [
        "commands = [\"sftp\"]",
        "base = \"host\"\ncommands = [\"sftp\"]",
    ] {
        let sandbox = ann(keys, "");
        sandbox.must("echo secret >/mnt/outside; chmod 644 /mnt/outside");
        let sums = "sha256sum /usr/lib/openssh/sftp-server /lib64/ld-linux-x86-64.so.2 /etc/passwd /etc/nsswitch.conf /mnt/outside; ls -A /mnt /etc";
        let before = sandbox.must(sums);
        sandbox
            .sftp("ann", "cd /home/ann\nln -s /mnt/outside link\nln -s /mnt directory\nln -s ../../../../../../mnt/outside out-of-root\n")
            .ok();
        for trick in TRICKS {
            let seen = sandbox.sftp("ann", &format!("cd /home/ann\n{trick}\n"));
            assert_ne!(seen.code(), Some(0), "{keys}: {trick}: {seen}");
            let got = sandbox.sh("cat /tmp/got");
            assert_ne!(got.stdout, "secret\n", "{keys}: {trick}");
        }
        assert_eq!(sandbox.must(sums), before, "{keys}");
        nothing_ran(&sandbox, keys);
    }
}

#[test]
fn what_is_uploaded_is_neither_executed_nor_loaded() {
    let sandbox = ann(
        "base = \"host\"\ncommands = [\"sftp\", \"rsync\", { program = \"/usr/bin/id\", arguments = [] }]",
        "",
    );
    let upload = "put /home/ann/trap bin/id\nput /home/ann/trap .bashrc\nput /home/ann/trap.so libc.so.6\nput /home/ann/trap.so libselinux.so.1\n\
                  put /home/ann/trap.so libnss_files.so.2\nput /home/ann/trap.so /tmp/trap.so\nchmod 755 bin/id\n";
    sandbox.sftp("ann", &format!("mkdir bin\n{upload}")).ok();
    for request in [
        "id",
        "./bin/id",
        "bin/id",
        "/home/ann/bin/id",
        "/home/ann/trap",
        "~/trap",
    ] {
        sandbox.ssh("ann", request);
        nothing_ran(&sandbox, request);
    }
    sandbox.sftp("ann", "pwd\n").ok();
    nothing_ran(&sandbox, "sftp");
    // A root of the user's own, whose system directories are the user's, too.
    let sandbox = ann("root_owner = \"user\"\ncommands = [\"sftp\"]", "");
    sandbox.must(&format!(
        "cd {ROOT}; mkdir -p etc lib lib64 usr/lib/openssh usr/lib/x86_64-linux-gnu; echo /home/ann/trap.so >etc/ld.so.preload
         echo passwd: trap >etc/nsswitch.conf; cp {HOME}/trap.so lib/libnss_trap.so.2; cp {HOME}/trap.so usr/lib/x86_64-linux-gnu/libc.so.6
         cp {HOME}/trap usr/lib/openssh/sftp-server; chown -R ann: {ROOT}"
    ));
    let listed: Outcome = sandbox.sftp("ann", "ls -1 /etc\nput /tmp/letter /home/ann/letter\n");
    assert!(!listed.ok().contains("preload"), "{listed}");
    nothing_ran(&sandbox, "a root of the user's own");
}

/// The interpreter of a script maps more than its loader names for it, and none of that is the user's.
#[test]
fn a_script_loads_what_the_system_has_and_nothing_of_the_users() {
    let report = |sandbox: &Sandbox, text: &str| {
        sandbox.must(&format!(
            "printf '#!/usr/bin/python3\\n{text}\\n' >/usr/bin/report; chmod 755 /usr/bin/report"
        ));
        sandbox.ssh("ann", "report")
    };
    let sandbox = ann(
        "base = \"host\"\ncommands = [\"git\", { program = \"/usr/bin/report\", arguments = [] }]",
        "",
    );
    let seen = report(&sandbox, "import _ssl, ctypes; print(6 * 7)");
    assert_eq!(seen.ok(), "42");
    let seen = report(
        &sandbox,
        "import ctypes; ctypes.CDLL(\"/home/ann/trap.so\")",
    );
    assert!(
        seen.stderr.contains("/home/ann/trap.so: failed to map"),
        "{seen}"
    );
    let seen = report(
        &sandbox,
        "import os; os.execv(\"/usr/lib/git-core/git\", [\"git\"])",
    );
    assert!(seen.stderr.contains("PermissionError"), "{seen}");
    nothing_ran(&sandbox, "a library of the user's");
}
