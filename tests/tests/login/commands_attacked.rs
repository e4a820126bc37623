//! `commands`, attacked: by whoever may put files into the jail and knows how the list is enforced.

use login_jail_tests::{Sandbox, roots};

const ROOT: &str = "/srv/jails/ann";
const HOME: &str = "install -d -o ann -g ann /srv/jails/ann/home/ann";

/// Ann in a jail with these keys, and with files of hers in it.
fn ann(files: &str, keys: &str) -> Sandbox {
    Sandbox::new()
        .user("ann")
        .config(&format!(
            "[users]\nann = \"narrow\"\n[jails.narrow]\nroot = \"/srv/jails/{{user}}\"\n{keys}\n"
        ))
        .sshd("")
        .with(&format!(
            "mkdir -p {ROOT}; {HOME}; {files}; echo text >/tmp/letter"
        ))
}

#[test]
fn refuses_a_program_in_a_directory_that_others_can_write() {
    // The file is root's; whoever owns the directory puts a link to another one of root's in its place.
    let swap = format!("ln -s /usr/bin/dash {ROOT}/home/ann/tool");
    let swapped = |list: &str| format!("base = \"host\"\ncommands = [\"{list}\"]");
    let sandbox = ann(&swap, &swapped("/home/ann/tool"));
    let seen = sandbox.ssh("ann", "tool -c 'echo a shell'");
    seen.refused(123, "step");
    sandbox.logged(&[
        "refused",
        "/home/ann/tool in the jail: others than root can write a directory on the way to it",
    ]);
    // A link of root's leads through such a directory.
    let through = format!("{swap}; mkdir {ROOT}/opt; ln -s ../home/ann/tool {ROOT}/opt/tool");
    let sandbox = ann(&through, &swapped("/opt/tool"));
    let seen = sandbox.ssh("ann", "tool -c 'echo a shell'");
    seen.refused(123, "step");
    // A library of root's does, too.
    let sandbox = ann(
        "true",
        &format!("{}\nroot_owner = \"user\"", swapped("/usr/bin/id")),
    );
    sandbox.must(&format!("chown ann {ROOT}; ln -s {ROOT}/home {ROOT}/opt"));
    sandbox.ssh("ann", "id -un").ok();
    sandbox.must(&format!("install -d -o ann {ROOT}/usr"));
    assert_ne!(sandbox.ssh("ann", "id -un").code(), Some(0));
}

/// A repository whose settings start dash, with a script of ann's; see githooks(5) and uploadpack.packObjectsHook.
const DASH: &str = "cd /srv/jails/ann/home/ann; git init -q --bare -b main r.git; cd r.git; \
     for hook in pre-receive update post-update reference-transaction; do ln -s /usr/bin/dash hooks/$hook; done; \
     echo 'echo ran >/home/ann/ran' >git; git config -f ../.gitconfig uploadpack.packObjectsHook /usr/bin/dash; \
     chown -R ann:ann /srv/jails/ann/home/ann";

#[test]
fn git_starts_no_other_program_of_the_list() {
    let sandbox = ann(
        DASH,
        "base = \"host\"\ncommands = [\"git\", { program = \"/usr/bin/dash\", arguments = [\"/opt/report\"] }]",
    );
    sandbox.must(
        "git config --global user.email a@example.org; git config --global user.name a; \
         git init -q /tmp/w; cd /tmp/w; echo 1 >f; git add f; git commit -qm 1",
    );
    let git = |arguments: &str| {
        let ssh = sandbox.ssh_argv("ann", &[], None);
        let ssh = ssh[..ssh.len() - 1].join(" ");
        sandbox.sh(&format!(
            "cd /tmp/w; GIT_SSH_COMMAND='{ssh}' git {arguments}"
        ))
    };
    let pushed = git("push -q ann@127.0.0.1:r.git HEAD:refs/heads/main");
    assert_eq!(pushed.ok(), "");
    assert_eq!(pushed.stderr, "", "a hook ran: {pushed}");
    assert_ne!(git("clone -q ann@127.0.0.1:r.git /tmp/c").code(), Some(0));
    sandbox.must(&format!("rm {ROOT}/home/ann/.gitconfig"));
    git("clone -q ann@127.0.0.1:r.git /tmp/c").ok();
    let left = sandbox.must(&format!("ls -A {ROOT}/home/ann"));
    assert_eq!(left, "r.git", "dash ran");
}

#[test]
fn a_pattern_brings_no_option() {
    let sandbox = ann(
        "cd /srv/jails/ann/home/ann; touch -- --log-file=out file; chown ann -- * .",
        "base = \"host\"\ncommands = [\"rsync\"]",
    );
    let command = "rsync --server --sender -e.iLsfx [-]* . file";
    sandbox.ssh_with("ann", &[], Some(command), b"");
    let left = sandbox.must(&format!("ls -A {ROOT}/home/ann"));
    assert_eq!(left, "--log-file=out\nfile");
}

/// What serves files would serve /proc/PID/mem, too.
#[test]
fn nothing_of_proc_can_be_written() {
    let keys = "base = \"host\"\ncommands = [\"scp\", \"/usr/bin/dash\"]";
    let write = "exec 3>/proc/self/comm && echo open; exec 3>/proc/self/mem && echo open";
    let sandbox = ann("true", keys);
    for options in [&["-O"][..], &[]] {
        let to = [options, &["/tmp/letter", "ann@127.0.0.1:/proc/self/comm"]].concat();
        assert_ne!(sandbox.scp(&to).code(), Some(0), "{options:?}");
    }
    let seen = sandbox.ssh("ann", &format!("dash -c '{write}'"));
    assert!(!seen.stdout.contains("open"), "{seen}");
    let sandbox = Sandbox::with_ann_behind_pam(roots::home(), keys);
    sandbox.must("usermod -s /usr/bin/dash ann");
    assert_eq!(sandbox.ssh("ann", "echo in").ok(), "in");
    let seen = sandbox.ssh("ann", write);
    assert!(!seen.stdout.contains("open"), "{seen}");
}

/// The mounts let libraries be mapped; that none of them is a program is said by Landlock.
#[test]
fn a_library_is_loaded_and_not_executed() {
    let library = "/lib/x86_64-linux-gnu/libc.so.6";
    let sandbox = ann("true", "base = \"host\"\ncommands = [\"/usr/bin/dash\"]");
    let seen = sandbox.ssh("ann", &format!("dash -c {library}"));
    assert_eq!(seen.code(), Some(126), "{seen}");
    assert!(seen.stderr.contains("Permission denied"), "{seen}");
}

/// Behind PAM, jail-shell starts git as it does at its own doors.
#[test]
fn git_behind_pam_runs_no_hook() {
    let sandbox = Sandbox::with_ann_behind_pam(
        roots::home(),
        "base = \"host\"\ncommands = [\"git\", \"/usr/bin/dash\"]",
    );
    sandbox.must("usermod -s /usr/bin/jail-shell ann");
    sandbox.must(DASH);
    sandbox.must("rm /srv/jails/ann/home/ann/.gitconfig");
    sandbox.must(
        "git config --global user.email a@example.org; git config --global user.name a; \
         git init -q /tmp/w; cd /tmp/w; echo 1 >f; git add f; git commit -qm 1",
    );
    let ssh = sandbox.ssh_argv("ann", &[], None);
    let ssh = ssh[..ssh.len() - 1].join(" ");
    let pushed = sandbox.sh(&format!(
        "cd /tmp/w; GIT_SSH_COMMAND='{ssh}' git push -q ann@127.0.0.1:r.git HEAD:refs/heads/main"
    ));
    pushed.ok();
    assert_eq!(pushed.stderr, "", "a hook ran: {pushed}");
}
