//! `jailctl update` and `rollback`: what differs is found and mended, what is somebody's own stays.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::process::{Child, Stdio};

use login_jail_tests::{Outcome, Sandbox, skipped};

const ROOT: &str = "/srv/jails/ann";

fn built() -> Sandbox {
    let sandbox = Sandbox::new().user("ann");
    sandbox.must("mkdir -p /srv/jails");
    let outcome = sandbox.jailctl(&[
        "build",
        ROOT,
        "--with",
        "basicshell",
        "--program",
        "tac",
        "--user",
        "ann",
    ]);
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    sandbox
}

/// The differences that a run reports, sorted, without the root's name.
fn differences(outcome: &Outcome) -> Vec<String> {
    let prefix = format!("{ROOT}: ");
    let lines = outcome
        .stdout
        .lines()
        .filter_map(|line| line.strip_prefix(&prefix));
    let mut lines: Vec<String> = lines
        .filter(|line| line.contains(": /"))
        .map(str::to_owned)
        .collect();
    lines.sort();
    lines
}

#[test]
fn a_root_that_was_just_built_differs_in_nothing() {
    let sandbox = built();
    let outcome = sandbox.jailctl(&["update", ROOT, "--dry-run"]);
    assert_eq!(
        (outcome.code(), differences(&outcome)),
        (Some(0), vec![]),
        "{outcome}"
    );
}

#[test]
fn every_kind_of_difference_is_found_and_mended_and_nothing_before() {
    let sandbox = built();
    sandbox.must(&format!(
        "rm {ROOT}/usr/bin/sed
         echo bad >>{ROOT}/usr/bin/ls
         chmod 4755 {ROOT}/usr/bin/cat
         chown ann {ROOT}/usr/bin/cp
         ln -sf /tmp/evil {ROOT}/bin/sh
         echo '# new' >>/etc/bash.bashrc
         rm -f /usr/bin/egrep"
    ));
    let expected = [
        "changed inside: /usr/bin/cat",
        "changed inside: /usr/bin/cp",
        "changed inside: /usr/bin/ls",
        "changed inside: /usr/bin/sh",
        "missing: /usr/bin/sed",
        "orphaned: /usr/bin/egrep",
        "stale: /etc/bash.bashrc",
    ];
    // Twice: looking changes nothing. Without a name it is all roots that were built here.
    for arguments in [
        &["update", ROOT, "--dry-run"][..],
        &["update", "--dry-run"],
        &["update"],
    ] {
        let outcome = sandbox.jailctl(arguments);
        assert_eq!(differences(&outcome), expected, "{outcome}");
        let status = if arguments.contains(&"--dry-run") {
            1
        } else {
            0
        };
        assert_eq!(outcome.code(), Some(status), "{outcome}");
    }
    assert_eq!(sandbox.jailctl(&["update", "--dry-run"]).code(), Some(0));
    let stat = format!(
        "stat -c '%a %U' {ROOT}/usr/bin/cat {ROOT}/usr/bin/cp; cmp /bin/ls {ROOT}/bin/ls; tail -1 {ROOT}/etc/bash.bashrc"
    );
    assert_eq!(sandbox.must(&stat), "755 root\n755 root\n# new");
    assert_eq!(
        sandbox
            .ssh("ann", "echo text | sed s/t/T/; ls -d /usr")
            .ok(),
        "Text\n/usr"
    );
}

#[test]
fn what_is_somebodys_own_stays() {
    let sandbox = built();
    sandbox.must(&format!(
        "cd {ROOT}; echo mine >home/ann/file; mkdir -p usr/local/own; echo own >usr/local/own/file; chmod 700 usr/local/own
         chown ann usr/local/own; ln -s own usr/local/link; echo local >etc/local.conf
         echo 'bea:x:4000:4000::/home/bea:/bin/sh' >>etc/passwd
         echo '# new' >>/etc/bash.bashrc"
    ));
    let outcome = sandbox.jailctl(&["update", ROOT]);
    assert_eq!(
        differences(&outcome),
        ["stale: /etc/bash.bashrc"],
        "{outcome}"
    );
    let script = format!(
        "cd {ROOT}; cat home/ann/file usr/local/link/file etc/local.conf; grep bea etc/passwd; stat -c '%a %U' usr/local/own"
    );
    assert_eq!(
        sandbox.must(&script),
        "mine\nown\nlocal\nbea:x:4000:4000::/home/bea:/bin/sh\n700 ann"
    );
}

#[test]
fn a_user_who_is_gone_stops_no_update() {
    let sandbox = built();
    sandbox.must("userdel ann; echo '# new' >>/etc/bash.bashrc");
    let outcome = sandbox.jailctl(&["update", ROOT]);
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    // The order of the lines changes, and no more.
    let found = differences(&outcome);
    assert!(
        found.contains(&"stale: /etc/bash.bashrc".to_owned()),
        "{outcome}"
    );
    assert!(
        sandbox
            .must(&format!("grep -c ^ann: {ROOT}/etc/passwd"))
            .starts_with('1')
    );
}

#[test]
fn rolling_back_gives_the_generation_before_and_again_the_newer_one() {
    let sandbox = built();
    let outcome = sandbox.jailctl(&["rollback", ROOT]);
    assert_eq!(outcome.code(), Some(3), "{outcome}");
    assert!(
        outcome
            .stderr
            .contains("no generation before this one is kept"),
        "{outcome}"
    );
    sandbox.must("rm -f /usr/bin/tac; cp /usr/bin/sort /usr/bin/tac; echo x >>/usr/bin/tac");
    sandbox.jailctl(&["update", ROOT]).ok();
    let stale = format!("cmp -s /usr/bin/tac {ROOT}/usr/bin/tac && echo same || echo different");
    assert_eq!(sandbox.must(&stale), "same");
    for expected in ["different", "same"] {
        sandbox.jailctl(&["rollback", ROOT]).ok();
        assert_eq!(sandbox.must(&stale), expected);
        assert_eq!(sandbox.ssh("ann", "id -un").ok(), "ann");
    }
}

#[test]
fn an_open_session_goes_on_and_sees_the_new_files() {
    let sandbox = built();
    let mut pty = sandbox.ssh_tty("ann", None);
    pty.line("echo read'y'");
    pty.expect("ready");
    sandbox.must("echo 'echo fresh' >>/etc/bash.bashrc");
    sandbox.jailctl(&["update", ROOT]).ok();
    pty.line("tail -n 1 /etc/bash.bashrc; pwd; touch file && ls fil*");
    pty.expect("echo fresh");
    pty.expect("/home/ann");
    pty.line("exit");
    assert_eq!(pty.finish().code(), Some(0));
}

#[test]
fn refuses_a_manifest_that_somebody_else_could_have_written() {
    let sandbox = built();
    sandbox.must(&format!("chmod 755 {ROOT}/.login-jail"));
    let outcome = sandbox.jailctl(&["update", ROOT]);
    assert_eq!(outcome.code(), Some(3), "{outcome}");
    assert!(
        outcome.stderr.contains("must be root's and mode 0700"),
        "{outcome}"
    );
}

#[test]
fn two_runs_at_once_do_not_mix() {
    let sandbox = built();
    let script = format!(
        "exec 9<{ROOT}/.login-jail; flock -n 9 && {} update {ROOT}",
        login_jail_tests::jailctl()
    );
    let outcome = sandbox.sh(&script);
    assert_eq!(outcome.code(), Some(3), "{outcome}");
    assert!(
        outcome.stderr.contains("another jailctl is at work"),
        "{outcome}"
    );
}

/// The package's trigger: whatever a package brings or takes away is in the roots once dpkg is done.
#[test]
fn a_dpkg_trigger_brings_roots_up_to_date() {
    let sandbox = built();
    if sandbox.sh("command -v dpkg-deb").code() != Some(0) {
        return skipped("the dpkg trigger", "this machine has no dpkg");
    }
    let files = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/dpkg");
    let control = "Version: 1\\nArchitecture: all\\nMaintainer: nobody <a@b>\\nDescription: a test";
    let script = format!(
        "cp {jailctl} /usr/sbin/jailctl
         mkdir -p /root/own/DEBIAN /root/other/DEBIAN /root/other/usr/bin
         printf 'Package: login-jail\\n{control}\\n' >/root/own/DEBIAN/control
         printf 'Package: other\\n{control}\\n' >/root/other/DEBIAN/control
         cp {files}/triggers {files}/postinst /root/own/DEBIAN/
         chmod 755 /root/own/DEBIAN/postinst
         printf '#!/bin/sh\\necho new\\n' >/root/other/usr/bin/tac.new
         printf '#!/bin/sh\\nmv /usr/bin/tac.new /usr/bin/tac\\n' >/root/other/DEBIAN/postinst
         chmod 755 /root/other/DEBIAN/postinst /root/other/usr/bin/tac.new
         for package in own other; do dpkg-deb -b /root/$package /root/$package.deb; done
         dpkg -i /root/own.deb
         dpkg -i /root/other.deb",
        jailctl = login_jail_tests::jailctl(),
        files = files.display(),
    );
    sandbox.must(&script);
    assert_eq!(sandbox.ssh("ann", "tac").ok(), "new");
}

/// A lock that a user can take is one that a user can hold.
#[test]
fn nobody_inside_holds_an_update_up() {
    let sandbox = built();
    sandbox.must("echo '# new' >>/etc/bash.bashrc");
    let script = format!("echo held; exec flock {ROOT} sh -c 'echo locked; sleep 15'");
    let mut holder = sandbox.command(&[
        "setpriv",
        "--reuid",
        "ann",
        "--clear-groups",
        "sh",
        "-c",
        &script,
    ]);
    let mut holder = holder
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_eq!(
        sandbox.sh(&format!("flock -n {ROOT} true")).code(),
        Some(1),
        "it is held"
    );
    let outcome = sandbox.jailctl(&["update", ROOT]);
    holder.kill().unwrap();
    holder.wait().unwrap();
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    assert_eq!(
        differences(&outcome),
        ["stale: /etc/bash.bashrc"],
        "{outcome}"
    );
}

#[test]
fn rolling_back_keeps_what_somebody_has_put_there_since() {
    let sandbox = built();
    sandbox.must(&format!(
        "mkdir -p {ROOT}/usr/local/own; cd {ROOT}/usr/local/own; echo old >changed; echo old >deleted; chown -R ann .
         echo '# new' >>/etc/bash.bashrc"
    ));
    sandbox.jailctl(&["update", ROOT]).ok();
    sandbox.must(&format!(
        "cd {ROOT}/usr/local/own; echo new >n && mv n changed; rm deleted; mkdir -m 700 made; echo new >made/file
         mkfifo pipe; ln -s made link; chown -R -h ann ."
    ));
    let state = format!(
        "cd {ROOT}/usr/local/own; find . -printf '%p %M %u %l\\n' | sort; cat changed made/file"
    );
    let before = sandbox.must(&state);
    for _ in 0..3 {
        sandbox.jailctl(&["rollback", ROOT]).ok();
        assert_eq!(sandbox.must(&state), before);
    }
    assert_ne!(
        sandbox.must(&format!("tail -1 {ROOT}/etc/bash.bashrc")),
        "# new"
    );
    sandbox.jailctl(&["update", ROOT]).ok();
    assert_eq!(sandbox.must(&state), before);
}

/// A hard link shows the host's change at once: there is nothing that somebody inside has done.
#[test]
fn what_is_as_the_host_has_it_is_not_said_to_be_changed_inside() {
    let sandbox = Sandbox::bare();
    sandbox.must("mkdir -p /srv/jails; cp /bin/ls /opt/tool; cp /bin/ls /opt/other");
    let build = ["build", ROOT, "--program", "/opt/tool,/opt/other", "--copy"];
    sandbox.jailctl(&build).ok();
    sandbox.must(&format!(
        "echo x >>/opt/tool; cp /opt/tool {ROOT}/opt/tool; echo x >>{ROOT}/opt/other"
    ));
    let outcome = sandbox.jailctl(&["update", ROOT]);
    assert_eq!(
        differences(&outcome),
        ["changed inside: /opt/other", "stale: /opt/tool"],
        "{outcome}"
    );
    assert_eq!(
        sandbox.jailctl(&["update", ROOT, "--dry-run"]).code(),
        Some(0)
    );
}

/// The owner of a directory of the host's swaps a file for a link to what nobody may read.
#[test]
fn a_file_that_is_swapped_while_it_is_read_leaks_nothing() {
    let sandbox = Sandbox::bare().plain_user("bob");
    if sandbox.sh("command -v python3").code() != Some(0) {
        return skipped("swapping files", "python3 is not on this machine");
    }
    let swap = "import ctypes, os\nc = ctypes.CDLL(None)\nos.chdir('/opt/bob')\nwhile True: c.renameat2(-100, b'tool', -100, b'trap', 2)\n";
    sandbox.must("mkdir -p /srv/jails /opt/bob; cp /bin/true /opt/bob/tool; ln -s /etc/shadow /opt/bob/trap; chown -R -h bob /opt/bob");
    let mut swapper = sandbox.command(&[
        "setpriv",
        "--reuid",
        "bob",
        "--clear-groups",
        "python3",
        "-c",
        swap,
    ]);
    let mut swapper = swapper.stdin(Stdio::null()).spawn().unwrap();
    let script = format!(
        "set +e; for i in $(seq 60); do
             {} build {ROOT} --program /opt/bob/tool >/dev/null 2>&1
             grep -s ^root: {ROOT}/opt/bob/* && echo leaked
             rm -rf {ROOT}
         done; true",
        login_jail_tests::jailctl()
    );
    let leaked = sandbox.must(&script);
    swapper.kill().unwrap();
    swapper.wait().unwrap();
    assert_eq!(leaked, "");
}

/// A program may ask for a library in a directory where somebody can put anything.
#[test]
fn a_library_that_is_a_pipe_keeps_nobody_waiting() {
    let sandbox = Sandbox::bare();
    let compiled = sandbox.sh(
        "mkdir -p /srv/jails /opt/lib; cd /opt/lib; echo 'int f(void) { return 0; }' >f.c; echo 'int f(void); int main(void) { return f(); }' >m.c
         cc -shared -o libf.so f.c && cc -o ../tool m.c -L. -lf -Wl,-rpath,/opt/lib && rm libf.so && mkfifo libf.so",
    );
    if compiled.code() != Some(0) {
        return skipped("a library that is a pipe", "there is no C compiler");
    }
    let outcome = sandbox.jailctl(&["build", ROOT, "--program", "/opt/tool"]);
    assert_eq!(outcome.code(), Some(1), "{outcome}");
    assert!(outcome.stderr.contains("asks for libf.so"), "{outcome}");
}

#[test]
fn a_list_of_roots_with_names_that_are_no_text_is_read() {
    let sandbox = built();
    sandbox.must(
        "printf '/srv/\\377\\n' >>/var/lib/login-jail/roots; mkdir \"$(printf '/srv/\\377')\"",
    );
    let outcome = sandbox.jailctl(&["update", "--dry-run"]);
    assert!(
        outcome.stdout.contains(&format!("{ROOT}: up to date")),
        "{outcome}"
    );
    let outcome = sandbox.jailctl(&["build", "/srv/jails/new\nline", "--program", "ls"]);
    assert_eq!(outcome.code(), Some(2), "{outcome}");
}

/// Starts something of a user's that goes on until it is killed.
fn start_as(sandbox: &Sandbox, user: &str, argv: &[&str]) -> Child {
    let argv = [&["setpriv", "--reuid", user, "--clear-groups"], argv].concat();
    let mut command = sandbox.command(&argv);
    let command = command.stdin(Stdio::null()).stdout(Stdio::null());
    command.stderr(Stdio::null()).spawn().unwrap()
}

/// A user who has a directory between the system's files makes of it what they like while root works on it.
#[test]
fn what_is_swapped_during_an_update_neither_leads_out_nor_stops_it() {
    let sandbox = built();
    if sandbox.sh("command -v python3").code() != Some(0) {
        return skipped("swapping directories", "python3 is not on this machine");
    }
    sandbox.must(&format!(
        "mkdir -p {ROOT}/usr/local/own; cd {ROOT}/usr/local/own
         for n in $(seq 100); do
             mkdir -p dir$n/below; echo text >dir$n/below/file; mkfifo pipe$n
             [ $((n % 2)) = 0 ] && ln -s /etc link$n || ln -s ../../../../../../etc link$n
         done
         chown -R -h ann ."
    ));
    let swap = format!(
        "import ctypes, os\nc = ctypes.CDLL(None)\nos.chdir('{ROOT}/usr/local/own')\nwhile True:\n\
         \x20for n in range(1, 101):\n\
         \x20 for a, b in (b'dir%d', b'link%d'), (b'link%d', b'pipe%d'): c.renameat2(-100, a % n, -100, b % n, 2)\n"
    );
    let state = format!(
        "stat -c '%n %a %U %i' /etc /etc/passwd; stat -c '%n %a %U' {ROOT}/etc {ROOT}/etc/* {ROOT}/usr/local"
    );
    let before = sandbox.must(&state);
    let mut swapper = start_as(&sandbox, "ann", &["python3", "-c", &swap]);
    let script = format!(
        "set +e; for i in $(seq 25); do
             [ -e {ROOT}/usr/bin/rev ] && with= || with=,rev
             {} build {ROOT} --only --with basicshell --program tac$with --user ann 2>&1 >/dev/null || echo failed
         done",
        login_jail_tests::jailctl()
    );
    let said = sandbox.sh(&script).stdout;
    swapper.kill().unwrap();
    swapper.wait().unwrap();
    assert!(!said.contains("failed"), "{said}");
    assert_eq!(sandbox.must(&state), before);
    assert_eq!(sandbox.must(&format!("find {ROOT} ! -path '{ROOT}/.login-jail*' -user ann ! -path '{ROOT}/usr/local/own*' ! -path '{ROOT}/home/*'")), "");
}

#[test]
fn a_file_of_any_length_in_place_of_one_of_the_hosts_is_not_read() {
    let sandbox = built();
    sandbox.must(&format!("truncate -s 4T {ROOT}/usr/bin/sed"));
    let outcome = sandbox.jailctl(&["update", ROOT, "--dry-run"]);
    assert!(
        differences(&outcome).contains(&"changed inside: /usr/bin/sed".to_owned()),
        "{outcome}"
    );
}

#[test]
fn what_is_mounted_between_the_systems_files_stops_an_update_and_stays() {
    let sandbox = built();
    sandbox.must(&format!(
        "mkdir -p {ROOT}/usr/data {ROOT}/srv/data; mount -t tmpfs none {ROOT}/usr/data; mount -t tmpfs none {ROOT}/srv/data
         echo '# new' >>/etc/bash.bashrc"
    ));
    let outcome = sandbox.jailctl(&["update", ROOT]);
    assert_eq!(outcome.code(), Some(3), "{outcome}");
    assert!(
        outcome
            .stderr
            .contains(&format!("{ROOT}/usr/data: something is mounted on it")),
        "{outcome}"
    );
    assert_eq!(
        sandbox.must(&format!(
            "ls {ROOT}/.login-jail; mountpoint -q {ROOT}/usr/data && echo mounted"
        )),
        "manifest.json\nmounted"
    );
    sandbox.must(&format!("umount {ROOT}/usr/data"));
    sandbox.jailctl(&["update", ROOT]).ok();
    sandbox.must(&format!("mountpoint -q {ROOT}/srv/data"));
    // Nor is what is mounted in the generation before removed with it.
    let before = format!("{ROOT}/.login-jail/previous/root/usr/local");
    sandbox.must(&format!("mkdir -p {before}; mount -t tmpfs none {before}; echo text >{before}/file; echo '# newer' >>/etc/bash.bashrc"));
    let outcome = sandbox.jailctl(&["update", ROOT]);
    assert_eq!(outcome.code(), Some(3), "{outcome}");
    assert_eq!(sandbox.read(&format!("{before}/file")), "text");
    sandbox.must(&format!("umount {before}"));
    sandbox.jailctl(&["update", ROOT]).ok();
    assert_eq!(
        sandbox.jailctl(&["update", ROOT, "--dry-run"]).code(),
        Some(0)
    );
}

#[test]
fn a_full_disk_leaves_the_root_as_it_was() {
    let sandbox = Sandbox::bare();
    sandbox.must("mkdir -p /srv/small; mount -t tmpfs -o mode=755,size=8M none /srv/small; cp /bin/ls /opt/tool");
    let build = ["build", "/srv/small/root", "--program", "/opt/tool,cat"];
    sandbox.jailctl(&build).ok();
    sandbox.must("head -c 9M /dev/urandom >>/opt/tool");
    let state = "cd /srv/small; find . -printf '%p %M %s\\n' | sort; sha256sum root/opt/tool";
    let before = sandbox.must(state);
    let outcome = sandbox.jailctl(&["update", "/srv/small/root"]);
    assert_eq!(outcome.code(), Some(3), "{outcome}");
    assert!(outcome.stderr.contains("No space left"), "{outcome}");
    assert_eq!(sandbox.must(state), before);
    let outcome = sandbox.jailctl(&["build", "/srv/small/other", "--program", "/opt/tool"]);
    assert_eq!(outcome.code(), Some(3), "{outcome}");
    assert_eq!(sandbox.must(state), before);
}

/// Stops a rollback just before each of its renames and removals, by strace's fault injection.
#[test]
fn a_rollback_that_is_killed_leaves_one_generation_or_the_other() {
    let sandbox = built();
    if sandbox.sh("command -v strace").code() != Some(0) {
        return skipped("killing a rollback", "strace is not on this machine");
    }
    sandbox.must(&format!("mkdir -p {ROOT}/usr/local/own; echo mine >{ROOT}/usr/local/own/file; echo '# new' >>/etc/bash.bashrc"));
    sandbox.jailctl(&["update", ROOT]).ok();
    let script = format!(
        "set +e; ended=0
         for call in renameat2 unlinkat linkat; do
             n=0; status=137
             while [ $status = 137 ] && [ $n -lt 15 ]; do
                 n=$((n + 1))
                 strace -f -o /dev/null -e trace=$call -e inject=$call:signal=KILL:when=$n {jailctl} rollback {ROOT} >/dev/null 2>&1
                 status=$?
                 chroot {ROOT} /bin/bash -c 'ls / && id ann && cat /usr/local/own/file' >/dev/null 2>&1 || echo broken at $call $n
                 {jailctl} update {ROOT} --dry-run | grep -vE 'bash.bashrc|up to date|differences' && echo neither at $call $n
             done
             [ $n -gt 1 ] || echo $call is never called
         done
         {jailctl} rollback {ROOT} >/dev/null || echo no rollback
         {jailctl} update {ROOT} >/dev/null || echo no update
         cat {ROOT}/usr/local/own/file; tail -1 {ROOT}/etc/bash.bashrc; ls {ROOT}/.login-jail",
        jailctl = login_jail_tests::jailctl()
    );
    assert_eq!(
        sandbox.must(&script),
        "mine\n# new\nmanifest.json\nprevious"
    );
}

#[test]
fn a_program_that_the_host_has_no_more_keeps_no_other_from_being_updated() {
    let sandbox = built();
    sandbox.must("rm -f /usr/bin/tac; echo '# new' >>/etc/bash.bashrc");
    let outcome = sandbox.jailctl(&["update", ROOT]);
    assert_eq!(outcome.code(), Some(1), "{outcome}");
    assert!(
        outcome
            .stderr
            .contains("finding: tac is not on this host any more"),
        "{outcome}"
    );
    assert_eq!(
        differences(&outcome),
        ["orphaned: /usr/bin/tac", "stale: /etc/bash.bashrc"],
        "{outcome}"
    );
    // To build it anew is to ask for it anew.
    let outcome = sandbox.jailctl(&["build", ROOT, "--program", "tac"]);
    assert_eq!(outcome.code(), Some(3), "{outcome}");
}

#[test]
fn a_library_that_nothing_needs_any_more_is_orphaned() {
    let sandbox = Sandbox::bare();
    let compiled = sandbox.sh(
        "mkdir -p /srv/jails /opt/lib; cd /opt/lib; echo 'int f(void) { return 0; }' >f.c; echo 'int f(void); int main(void) { return f(); }' >m.c
         echo 'int main(void) { return 0; }' >n.c; cc -shared -o libf.so f.c && cc -o ../tool m.c -L. -lf -Wl,-rpath,/opt/lib && cc -o ../new n.c",
    );
    if compiled.code() != Some(0) {
        return skipped("an orphaned library", "there is no C compiler");
    }
    sandbox
        .jailctl(&["build", ROOT, "--program", "/opt/tool"])
        .ok();
    sandbox.must(&format!(
        "test -e {ROOT}/opt/lib/libf.so; mv /opt/new /opt/tool"
    ));
    let outcome = sandbox.jailctl(&["update", ROOT]);
    assert_eq!(
        differences(&outcome),
        [
            "orphaned: /opt/lib",
            "orphaned: /opt/lib/libf.so",
            "stale: /opt/tool"
        ],
        "{outcome}"
    );
    sandbox.must(&format!(
        "test ! -e {ROOT}/opt/lib; chroot {ROOT} /opt/tool"
    ));
}

/// What may have got into a root that only some may read on the host: lines of the secrets that `planted` makes.
fn leaked(sandbox: &Sandbox, root: &str) -> String {
    sandbox.must(&format!(
        "grep -rsl SECRET {root} || find {root} -name 'hidden*' || true"
    ))
}

/// A directory of dev's, and others that each are shut to everybody in a way of its own.
fn planted() -> Sandbox {
    let sandbox = Sandbox::bare().plain_user("dev").plain_user("eve");
    sandbox.must(
        "mkdir -p /srv/jails; install -d -o dev -g dev /opt/report; echo tool >/opt/report/tool
         mkdir -m 700 /opt/priv; mkdir -m 701 /opt/unlisted; mkdir /opt/priv/hidden-below
         install -d -m 700 -o eve /opt/eve
         for shut in priv unlisted priv/hidden-below eve; do
             echo SECRET >/opt/$shut/hidden; chmod 644 /opt/$shut/hidden
         done
         mkdir -m 710 /opt/almost; mkdir /opt/almost/hidden; echo SECRET >/opt/almost/hidden/file",
    );
    sandbox
}

#[test]
fn what_the_owner_of_a_taken_directory_links_to_brings_nothing_private() {
    let sandbox = planted();
    let build = ["build", ROOT, "--program", "/opt/report"];
    sandbox.jailctl(&build).ok();
    let links = "cd /opt/report; ln -s /opt/priv l1; ln -s /opt/eve l2; ln -s /opt/priv/hidden-below l3; ln -s ../unlisted l4
                 ln -s /opt/almost/hidden l5; ln -s /opt/priv/hidden l6; ln -s l1 l7; ln -s l7/hidden l8; ln -s /root l9
                 ln -s /etc/hostname open; ln -s tool inside";
    sandbox.run_as("dev", &["sh", "-e", "-c", links]).ok();
    let outcome = sandbox.jailctl(&["update"]);
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    assert_eq!(leaked(&sandbox, ROOT), "");
    for link in (1..=8).map(|n| format!("/opt/report/l{n}")) {
        let note = format!("note: {link} is not for everybody to read; left out");
        assert!(outcome.stderr.contains(&note), "{outcome}");
    }
    let state =
        format!("cd {ROOT}; ls opt opt/report; cmp etc/hostname /etc/hostname; test ! -e root");
    assert_eq!(
        sandbox.must(&state),
        "opt:\nreport\n\nopt/report:\ninside\nopen\ntool"
    );
}

#[test]
fn a_directory_that_is_shut_is_neither_taken_nor_made() {
    let sandbox = planted();
    sandbox.must(
        "mkdir -p /opt/report/shut /opt/report/open /opt/report/dark; chmod 700 /opt/report/shut; chmod 711 /opt/report/dark
         for directory in shut dark; do echo SECRET >/opt/report/$directory/hidden; done; echo text >/opt/report/open/file
         mkdir -m 711 /opt/narrow; echo text >/opt/narrow/file
         rm -f /etc/resolv.conf; echo SECRET >/etc/resolv.conf; chmod 600 /etc/resolv.conf",
    );
    sandbox.write(
        "/etc/login-jail/presets.d/own.toml",
        "[own]\npaths = [\"/opt/priv\", \"/opt/eve\", \"/opt/unlisted\", \"/opt/a*/hidden\", \"/opt/report\", \"/opt/narrow/file\"]\n",
    );
    for shut in ["/opt/priv", "/opt/unlisted", "/opt/priv/hidden-below"] {
        let outcome = sandbox.jailctl(&["build", ROOT, "--program", shut]);
        assert_eq!(outcome.code(), Some(3), "{outcome}");
        let said = format!("{shut} is not for everybody to read; left out");
        assert!(outcome.stderr.contains(&said), "{outcome}");
        assert_eq!(sandbox.must("ls -A /srv/jails"), "");
    }
    let outcome = sandbox.jailctl(&["build", ROOT, "--with", "own"]);
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    assert_eq!(leaked(&sandbox, ROOT), "");
    for shut in [
        "priv",
        "eve",
        "unlisted",
        "almost/hidden",
        "report/shut",
        "report/dark",
    ] {
        let note = format!("note: /opt/{shut} is not for everybody to read; left out");
        assert!(outcome.stderr.contains(&note), "{outcome}");
    }
    assert_eq!(
        sandbox.must(&format!("cd {ROOT}/opt; find * | sort")),
        "narrow\nnarrow/file\nreport\nreport/open\nreport/open/file\nreport/tool"
    );
}

/// What was asked for when the root was built, by an older jailctl or when it was still open.
#[test]
fn a_directory_that_is_shut_since_is_taken_away_and_stops_no_update() {
    let sandbox = built();
    sandbox.must("mkdir /opt/own; echo SECRET >/opt/own/file");
    let build = [
        "build",
        ROOT,
        "--with",
        "basicshell",
        "--program",
        "/opt/own",
        "--user",
        "ann",
    ];
    sandbox.jailctl(&build).ok();
    sandbox.must("chmod 700 /opt/own; echo '# new' >>/etc/bash.bashrc");
    let outcome = sandbox.jailctl(&["update", ROOT]);
    assert_eq!(outcome.code(), Some(1), "{outcome}");
    assert!(
        outcome.stderr.contains(
            "finding: /opt/own was asked for and is left out; the root is without it now"
        ),
        "{outcome}"
    );
    assert_eq!(
        differences(&outcome),
        [
            "orphaned: /opt",
            "orphaned: /opt/own",
            "orphaned: /opt/own/file",
            "stale: /etc/bash.bashrc"
        ],
        "{outcome}"
    );
    sandbox.must(&format!("test ! -e {ROOT}/opt/own"));
}

/// What root links to is root's choice, as /usr/lib/ssl/certs is. What somebody else does can fill a disk.
#[test]
fn only_roots_links_bring_directories_from_elsewhere() {
    let sandbox = planted();
    sandbox.must(
        "mkdir -p /opt/shared/below /opt/large /opt/report/own; echo text >/opt/shared/below/file; echo text >/opt/large/file; echo text >/opt/large/more
         ln -s /opt/shared /opt/report/shared; ln -s ../large /opt/report/large; ln -s large /opt/report/again
         ln -s own /opt/report/inside; ln -s /opt/large/file /opt/report/single; ln -s shared/below /opt/report/through
         chown -h dev /opt/report/large /opt/report/again /opt/report/inside /opt/report/single /opt/report/own /opt/report/through",
    );
    let outcome = sandbox.jailctl(&["build", ROOT, "--program", "/opt/report"]);
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    sandbox.must(&format!(
        "cd {ROOT}/opt; cat report/shared/below/file; readlink report/large; test -d report/inside; cat report/single"
    ));
    let note = |link: &str| {
        format!("note: /opt/report/{link} leads to /opt/large, which is not taken along")
    };
    assert!(outcome.stderr.contains(&note("large")), "{outcome}");
    assert!(outcome.stderr.contains(&note("again")), "{outcome}");
    assert_eq!(outcome.stderr.matches("note: ").count(), 2, "{outcome}");
    assert_eq!(
        sandbox.must(&format!(
            "cd {ROOT}/opt; ls -A large; ls -A report/through/"
        )),
        "file\nfile"
    );
    // Asked for, it is.
    let both = "/opt/report,/opt/large";
    let outcome = sandbox.jailctl(&["build", ROOT, "--program", both]);
    assert!(!outcome.stderr.contains("note: "), "{outcome}");
    sandbox.must(&format!("cat {ROOT}/opt/report/large/more"));
}

/// The owner of a directory swaps one in it for a link to what is shut.
#[test]
fn a_directory_that_is_swapped_while_it_is_listed_leaks_nothing() {
    let sandbox = planted();
    if sandbox.sh("command -v python3").code() != Some(0) {
        return skipped("swapping directories", "python3 is not on this machine");
    }
    sandbox.must(
        "cd /opt/report; mkdir list; ln -s /opt/priv trap; ln -s list/hidden-below link; chown -R -h dev .",
    );
    let swap = "import ctypes, os\nc = ctypes.CDLL(None)\nos.chdir('/opt/report')\nwhile True: c.renameat2(-100, b'list', -100, b'trap', 2)\n";
    let mut swapper = start_as(&sandbox, "dev", &["python3", "-c", swap]);
    let script = format!(
        "set +e; for i in $(seq 60); do
             {} build {ROOT} --program /opt/report >/dev/null 2>&1
             grep -rsl SECRET {ROOT}; find {ROOT} -name 'hidden*' 2>/dev/null
             rm -rf {ROOT}
         done; true",
        login_jail_tests::jailctl()
    );
    let leaked = sandbox.must(&script);
    swapper.kill().unwrap();
    swapper.wait().unwrap();
    assert_eq!(leaked, "");
}

#[test]
fn an_update_takes_root_and_says_which_roots_are_gone() {
    let sandbox = built();
    let jailctl = login_jail_tests::jailctl();
    sandbox.must(&format!("cp {jailctl} /usr/bin/jailctl"));
    for arguments in [
        &["jailctl", "update"][..],
        &["jailctl", "update", "--dry-run"],
    ] {
        let refused = sandbox.run_as("ann", arguments);
        assert_eq!(refused.code(), Some(3), "{refused}");
        assert!(refused.stderr.contains("takes root"), "{refused}");
    }
    sandbox.must("echo /srv/gone >>/var/lib/login-jail/roots; echo '# new' >>/etc/bash.bashrc");
    let outcome = sandbox.jailctl(&["update"]);
    assert_eq!(outcome.code(), Some(1), "{outcome}");
    assert!(
        outcome.stderr.contains(
            "finding: /srv/gone is not there; bring it back, or take its line out of /var/lib/login-jail/roots"
        ),
        "{outcome}"
    );
    assert_eq!(
        differences(&outcome),
        ["stale: /etc/bash.bashrc"],
        "{outcome}"
    );
    let outcome = sandbox.jailctl(&["update", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(outcome.code(), Some(1), "{outcome}");
    assert_eq!(report["gone"], serde_json::json!(["/srv/gone"]), "{report}");
    // What builds another root does not forget it: it may be on a file system that is not mounted now.
    sandbox
        .jailctl(&["build", "/srv/jails/bob", "--program", "ls"])
        .ok();
    assert_eq!(sandbox.jailctl(&["update"]).code(), Some(1));
}
