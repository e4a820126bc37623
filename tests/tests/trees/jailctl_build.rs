//! `jailctl build`: what it makes is a jail that people can work in, and what it is killed in the middle of is none less.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use jail_roots::{loader::Loader, presets::Presets};
use login_jail_tests::{Sandbox, fault::install_probe, jailctl, skipped};

const ROOT: &str = "/srv/jails/ann";

/// ann's root, built with these presets, and entered through jail-shell.
fn built(with: &str) -> Sandbox {
    let sandbox = Sandbox::new().user("ann");
    sandbox.must("mkdir -p /srv/jails");
    let outcome = sandbox.jailctl(&["build", ROOT, "--with", with, "--user", "ann"]);
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    sandbox
}

fn has(program: &str) -> bool {
    let there = ["/usr/bin", "/bin"]
        .iter()
        .any(|directory| Path::new(directory).join(program).exists());
    if !there {
        skipped(program, "it is not on this machine");
    }
    there
}

#[test]
fn a_shell_has_names_locales_terminals_time_zones_and_hosts() {
    let sandbox = built("shell");
    assert_eq!(sandbox.ssh("ann", "id -un; pwd").ok(), "ann\n/home/ann");
    assert_eq!(sandbox.ssh("ann", "id -gn").ok(), "ann");
    assert_eq!(
        sandbox
            .ssh("ann", "LC_ALL=C.UTF-8 locale charmap 2>&1")
            .ok(),
        "UTF-8"
    );
    assert_eq!(
        sandbox.ssh("ann", "TERM=xterm-256color tput colors").ok(),
        "256"
    );
    assert_eq!(sandbox.ssh("ann", "TZ=Asia/Tokyo date +%Z").ok(), "JST");
    assert_eq!(
        sandbox
            .ssh("ann", "iconv -f ISO8859-15 -t UTF-8 </dev/null && echo ok")
            .ok(),
        "ok"
    );
    assert!(
        sandbox
            .ssh("ann", "getent hosts localhost")
            .ok()
            .contains("localhost")
    );
    assert_eq!(
        sandbox
            .ssh("ann", "echo text >file; cat file; rm file")
            .ok(),
        "text"
    );
}

#[test]
fn every_program_of_the_shell_finds_its_libraries_inside() {
    let sandbox = built("shell,netutils,git");
    // Run by the loader in there, as nobody's program, on the files that were just brought.
    let script = format!(
        "cd {ROOT} && find usr/bin usr/sbin -type f -perm -1 | while read -r program; do
             chroot {ROOT} /lib64/ld-linux-x86-64.so.2 --list /$program 2>&1 |
                 grep -E 'not found|cannot open' | sed \"s|^|$program|\"
         done; true"
    );
    assert_eq!(sandbox.must(&script), "");
}

#[test]
fn sftp_scp_and_rsync_move_files_both_ways() {
    let sandbox = built("sftp,rsync,basicshell");
    sandbox.must("echo text >/root/file");
    let batch = "put /root/file sent\nget sent /root/back\nls";
    assert!(sandbox.sftp("ann", batch).ok().contains("sent"));
    assert_eq!(sandbox.read("/root/back"), "text");
    sandbox.scp(&["/root/file", "ann@127.0.0.1:copied"]).ok();
    assert_eq!(sandbox.ssh("ann", "cat copied").ok(), "text");
    if has("rsync") {
        let ssh = "ssh -F /dev/null -i /etc/ssh/sandbox/client -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR";
        let rsync = format!(
            "rsync -e '{ssh}' /root/file ann@127.0.0.1:synced && rsync -e '{ssh}' ann@127.0.0.1:synced /root/synced"
        );
        sandbox.must(&rsync);
        assert_eq!(sandbox.read("/root/synced"), "text");
    }
}

/// Where nothing else is asked for: the jail's shell starts what serves each of them.
#[test]
fn a_root_for_sftp_or_rsync_alone_is_one_that_can_be_logged_in_to() {
    let sandbox = built("sftp");
    sandbox.must("echo text >/root/file");
    let batch = "put /root/file sent\nget sent /root/back\nls";
    assert!(sandbox.sftp("ann", batch).ok().contains("sent"));
    assert_eq!(sandbox.read("/root/back"), "text");
    let programs = sandbox.must(&format!("ls {ROOT}/usr/bin"));
    assert!(programs.lines().all(|it| it.contains("sh")), "{programs}");
    for (with, script) in [
        ("scp", "scp -O $SSH /root/file ann@127.0.0.1:copied"),
        (
            "rsync",
            "rsync -e \"ssh $SSH\" /root/file ann@127.0.0.1:synced",
        ),
    ] {
        if !has(with) {
            continue;
        }
        let sandbox = built(with);
        sandbox.ssh("ann", "echo in").ok();
        sandbox.must("echo text >/root/file");
        sandbox.must(&format!(
            "SSH='-F /dev/null -i /etc/ssh/sandbox/client -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR'
             {script}; cmp /root/file {ROOT}/home/ann/*ed"
        ));
    }
}

#[test]
fn a_root_for_somebody_in_which_nobody_can_log_in_is_noted() {
    let sandbox = Sandbox::new().user("ann");
    sandbox.must("mkdir -p /srv/jails");
    let build = ["build", ROOT, "--program", "cat"];
    let note = "no /bin/sh is brought along";
    let nobody = sandbox.jailctl(&build);
    nobody.ok();
    assert!(!nobody.stderr.contains(note), "{nobody}");
    let ann = sandbox.jailctl(&[&build[..], &["--user", "ann"]].concat());
    ann.ok();
    assert!(ann.stderr.contains(note), "{ann}");
    let mended = sandbox.jailctl(&["build", ROOT, "--with", "login"]);
    mended.ok();
    assert!(!mended.stderr.contains(note), "{mended}");
    assert_eq!(sandbox.ssh("ann", "echo in | cat").ok(), "in");
}

#[test]
fn git_commits_and_is_cloned_from() {
    if !has("git") {
        return;
    }
    let sandbox = built("git");
    let script = "git init -q r && cd r && git config user.email a@b && git config user.name ann && \
                  echo text >file && git add file && git commit -q -m 'a file' && git log --oneline | wc -l";
    assert_eq!(sandbox.ssh("ann", script).ok(), "1");
    let ssh = "ssh -F /dev/null -i /etc/ssh/sandbox/client -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR";
    let clone = format!(
        "GIT_SSH_COMMAND='{ssh}' git clone -q ann@127.0.0.1:r /root/clone && cat /root/clone/file"
    );
    assert_eq!(sandbox.must(&clone), "text");
}

#[test]
fn python_vim_and_tmux_start_and_work() {
    let wanted: Vec<&str> = ["python3", "vim", "tmux"]
        .into_iter()
        .filter(|name| has(name))
        .collect();
    if !Path::new("/usr/bin/python3").exists() || wanted.len() < 3 {
        skipped(
            "python, vim and tmux in a built root",
            "not all of them are on this machine",
        );
        return;
    }
    let sandbox = built("shell,python,vim,tmux");
    let script =
        "python3 -c 'import ssl, json, ctypes, zoneinfo; print(zoneinfo.ZoneInfo(\"Asia/Tokyo\"))'";
    assert_eq!(sandbox.ssh("ann", script).ok(), "Asia/Tokyo");
    let script = "vim -es -u NONE -c 'call writefile([\"written\"], \"v\")' -c q; cat v";
    assert_eq!(sandbox.ssh("ann", script).ok(), "written");
    let mut pty = sandbox.ssh_tty("ann", Some("tmux new 'tput colors; read x'"));
    pty.expect("256");
    pty.line("");
    assert_eq!(pty.finish().code(), Some(0));
}

#[test]
fn a_single_program_brings_all_that_it_needs() {
    let sandbox = Sandbox::bare();
    sandbox.must("mkdir -p /srv/jails");
    let outcome = sandbox.jailctl(&["build", ROOT, "--program", "ls"]);
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    assert!(
        sandbox
            .must(&format!("chroot {ROOT} /bin/ls /"))
            .contains("usr")
    );
    assert_eq!(
        sandbox.sh(&format!("chroot {ROOT} /bin/cat")).code(),
        Some(127)
    );
}

#[test]
fn the_manifest_tells_package_and_digest_and_nobody_inside_reads_it() {
    let sandbox = built("basicshell");
    let manifest = sandbox.read(&format!("{ROOT}/.login-jail/manifest.json"));
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    let bash = &manifest["entries"]["/usr/bin/bash"];
    assert_eq!(bash["package"], "bash");
    let digest = sandbox.must("sha256sum </usr/bin/bash | cut -c-64");
    assert_eq!(bash["sha256"], digest.as_str());
    let libc = &manifest["entries"]["/usr/lib/x86_64-linux-gnu/libc.so.6"];
    if cfg!(target_arch = "x86_64") {
        assert_eq!(libc["package"], "libc6:amd64");
    }
    assert_ne!(sandbox.ssh("ann", "ls /.login-jail").code(), Some(0));
    assert_ne!(
        sandbox.ssh("ann", "cat /.login-jail/manifest.json").code(),
        Some(0)
    );
}

#[test]
fn nothing_in_a_built_root_is_set_id_or_writable_by_others() {
    let sandbox = built("shell,netutils,git");
    let script = format!(
        "find {ROOT} -xdev \\( -perm /6000 -o -perm /022 \\) ! -type l ! -path '{ROOT}/dev/*' \
              ! -path {ROOT}/tmp ! -path {ROOT}/var/tmp"
    );
    assert_eq!(sandbox.must(&script), "");
    let script = format!("find {ROOT} -xdev ! -uid 0 ! -path '{ROOT}/home/*'");
    assert_eq!(sandbox.must(&script), "");
}

#[test]
fn hard_links_take_no_disk_and_say_so_where_they_cannot_be() {
    let sandbox = Sandbox::bare();
    // In the sandbox only what was made there is on one file system with the root: the rest shows through an overlay.
    sandbox.must("mkdir -p /srv/jails /opt/tool; cp /bin/ls /opt/tool/list; cp /bin/ls /opt/tool/open; chmod 775 /opt/tool/open");
    let tools = ["--program", "/opt/tool/list", "--program", "/opt/tool/open"];
    let outcome = sandbox.jailctl(
        &[
            &["build", ROOT, "--with", "basicshell", "--hardlink"],
            &tools[..],
        ]
        .concat(),
    );
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    let same = format!("[ {ROOT}/opt/tool/list -ef /opt/tool/list ] && echo same");
    assert_eq!(sandbox.must(&same), "same");
    // What others may write to on the host is a copy, which they may not.
    assert_eq!(
        sandbox.must(&format!("stat -c '%a %h' {ROOT}/opt/tool/open")),
        "755 1"
    );

    sandbox.must("mount -t tmpfs -o mode=755 none /mnt");
    let outcome = sandbox.jailctl(&["build", "/mnt/root", "--with", "basicshell", "--hardlink"]);
    assert_eq!(outcome.code(), Some(3), "{outcome}");
    assert!(
        outcome.stderr.contains("--copy works anywhere"),
        "{outcome}"
    );
    assert_eq!(sandbox.must("ls -A /mnt"), "");
}

#[test]
fn what_is_not_there_is_named_with_its_package() {
    let sandbox = Sandbox::bare();
    sandbox.must("mkdir -p /srv/jails; rm -f /usr/bin/rsync");
    let outcome = sandbox.jailctl(&["build", ROOT, "--with", "rsync"]);
    assert_eq!(outcome.code(), Some(3), "{outcome}");
    assert!(
        outcome.stderr.contains("apt-get install rsync"),
        "{outcome}"
    );
    let outcome = sandbox.jailctl(&["build", ROOT, "--with", "rsink"]);
    assert_eq!(outcome.code(), Some(2), "{outcome}");
    assert_eq!(sandbox.must("ls -A /srv/jails"), "");
}

#[test]
fn a_program_that_was_found_is_not_left_out_elsewhere_as_well() {
    let sandbox = Sandbox::bare();
    sandbox.must(
        "mkdir -p /srv/jails
         [ -e /usr/lib/openssh/sftp-server ] || { mkdir -p /usr/lib/openssh; cp /bin/true /usr/lib/openssh/sftp-server; }",
    );
    let both = "[one]\nprograms = [\"cat\", \"nowhere\"]\n[two]\nprograms = [\"nowhere\"]\npresets = [\"one\"]\n[three]\npresets = [\"two\"]\n";
    sandbox.write("/etc/login-jail/presets.d/own.toml", both);
    let outcome = sandbox.jailctl(&["build", ROOT, "--with", "sftp,three"]);
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    assert!(!outcome.stderr.contains("sftp-server"), "{outcome}");
    assert_eq!(outcome.stderr.matches("nowhere").count(), 1, "{outcome}");

    sandbox.must("find /usr/lib* -name 'sftp-server*' -exec rm {} +");
    let outcome = sandbox.jailctl(&["build", ROOT, "--only", "--with", "netutils"]);
    let named = outcome.stderr.matches("sftp-server").count();
    assert_eq!(named, 1, "{outcome}");
    let outcome = sandbox.jailctl(&["build", ROOT, "--only", "--with", "sftp"]);
    assert_eq!(outcome.code(), Some(3), "{outcome}");
    let expected = "the host has no sftp-server; apt-get install openssh-sftp-server";
    assert!(outcome.stderr.contains(expected), "{outcome}");
}

#[test]
fn the_presets_are_listed_for_people_and_for_programs() {
    let sandbox = Sandbox::bare();
    sandbox.must("rm -f /usr/bin/rsync");
    let listed = sandbox.jailctl(&["presets"]);
    let rsync = listed.ok().lines().find(|line| line.starts_with("rsync "));
    assert!(
        rsync.unwrap().ends_with("apt-get install rsync)"),
        "{listed}"
    );
    let listed = sandbox.jailctl(&["presets", "--json"]);
    let listed: serde_json::Value = serde_json::from_str(listed.ok()).unwrap();
    assert!(listed["presets"].as_array().unwrap().len() > 30);
}

#[test]
fn a_preset_of_the_administrators_is_known() {
    let sandbox = Sandbox::bare();
    sandbox.must("mkdir -p /srv/jails");
    sandbox.write(
        "/etc/login-jail/presets.d/own.toml",
        "[own]\nabout = \"ours\"\nprograms = [\"cat\"]\n",
    );
    let outcome = sandbox.jailctl(&["build", ROOT, "--with", "own"]);
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    assert_eq!(
        sandbox.must(&format!(
            "chroot {ROOT} /bin/cat /etc/nsswitch.conf | head -1"
        )),
        "passwd: files"
    );
}

#[test]
fn presets_that_others_could_have_written_are_refused() {
    let sandbox = Sandbox::bare();
    sandbox.must("mkdir -p /srv/jails");
    sandbox.write(
        "/etc/login-jail/presets.d/own.toml",
        "[own]\nprograms = [\"cat\"]\n",
    );
    sandbox.must("chmod 777 /etc/login-jail/presets.d");
    let outcome = sandbox.jailctl(&["build", ROOT, "--with", "own"]);
    assert_eq!(outcome.code(), Some(3), "{outcome}");
    assert!(
        outcome
            .stderr
            .contains("/etc/login-jail/presets.d is mode 0777; let only root write it"),
        "{outcome}"
    );
    assert_eq!(sandbox.must("ls -A /srv/jails"), "");
}

#[test]
fn a_disk_that_can_share_no_blocks_is_said_and_one_that_can_is_used() {
    let sandbox = Sandbox::bare();
    sandbox.must("mkdir -p /srv/jails; cp /bin/ls /opt/tool");
    let outcome = sandbox.jailctl(&["build", ROOT, "--program", "/opt/tool", "--reflink"]);
    // The sandbox's own file system is of the machine's choice.
    match outcome.code() {
        Some(0) => {
            sandbox.must(&format!(
                "cmp /opt/tool {ROOT}/opt/tool && [ ! {ROOT}/opt/tool -ef /opt/tool ]"
            ));
        }
        _ => {
            assert_eq!(outcome.code(), Some(3), "{outcome}");
            assert!(
                outcome.stderr.contains("--copy works anywhere"),
                "{outcome}"
            );
            assert_eq!(sandbox.must("ls -A /srv/jails"), "");
            skipped("sharing the disk's blocks", "this machine's disk can't");
        }
    }
    let both = sandbox.jailctl(&["build", ROOT, "--program", "cat", "--copy", "--hardlink"]);
    assert_eq!(both.code(), Some(2), "{both}");
}

/// What these do at work, not only that they start.
#[test]
fn node_php_composer_mosh_and_what_vs_code_needs_do_their_work() {
    let wanted = [
        "node",
        "php",
        "composer",
        "mosh-server",
        "flock",
        "wget",
        "curl",
    ];
    if !wanted.into_iter().all(has) {
        return;
    }
    let sandbox = built("node,php,composer,mosh,vscode-remote");
    for (command, expected) in [
        (
            "node -e 'console.log(require(\"zlib\").gunzipSync(require(\"zlib\").gzipSync(\"text\")).toString())'",
            "text",
        ),
        (
            "node -e 'console.log(require(\"tls\").rootCertificates.length > 50)'",
            "true",
        ),
        (
            "php -r 'echo json_encode([1, \"a\" => 2]);'",
            "{\"0\":1,\"a\":2}",
        ),
        (
            "php -r 'echo extension_loaded(\"openssl\") && is_readable(openssl_get_cert_locations()[\"default_cert_file\"]) ? 1 : 0;'",
            "1",
        ),
        (
            "composer --no-ansi --no-interaction --version 2>/dev/null | grep -c ^Composer",
            "1",
        ),
        (
            "mkdir p && cd p && echo '{\"name\": \"a/b\"}' >composer.json && composer --no-ansi -q validate --no-check-publish --no-check-lock 2>&1; echo $?",
            "0",
        ),
        (
            "LC_ALL=C.UTF-8 mosh-server new -i 127.0.0.1 -- /bin/true 2>/dev/null | grep -c '^MOSH CONNECT'",
            "1",
        ),
        ("flock lock ps -o comm= | grep -x ps", "ps"),
        ("tar -czf t.tgz lock && tar -tzf t.tgz", "lock"),
        (
            "getconf GNU_LIBC_VERSION | cut -d' ' -f1; ldd /bin/sh | grep -c libc.so; /sbin/ldconfig -p | grep -c 'libstdc++.so.6 ' ",
            "glibc\n1\n1",
        ),
    ] {
        assert_eq!(sandbox.ssh("ann", command).ok(), expected, "{command}");
    }
}

#[test]
fn a_link_to_what_a_root_has_of_its_own_is_left_out_and_said() {
    let sandbox = Sandbox::bare();
    // A minimal Debian has no /etc/mtab.
    sandbox.must("mkdir -p /srv/jails; ln -sfn /proc/mounts /etc/mtab");
    sandbox.write(
        "/etc/login-jail/presets.d/own.toml",
        "[own]\nabout = \"ours\"\nprograms = [\"cat\"]\npaths = [\"/etc/mtab\"]\n",
    );
    let outcome = sandbox.jailctl(&["build", ROOT, "--with", "own"]);
    let said = format!("{}{}", outcome.stdout, outcome.stderr);
    let note = "/etc/mtab leads to what a root has of its own; left out";
    assert!(said.contains(note), "{outcome}");
    sandbox.must(&format!(
        "test -e {ROOT}/bin/cat; test ! -L {ROOT}/etc/mtab"
    ));
}

#[test]
fn refuses_to_build_where_others_can_write_and_over_what_it_did_not_make() {
    let sandbox = Sandbox::bare();
    sandbox.must("mkdir -m 777 /srv/open; mkdir -p /srv/jails/other/usr/bin; touch /srv/jails/other/usr/bin/x");
    let outcome = sandbox.jailctl(&["build", "/srv/open/root", "--with", "basicshell"]);
    assert_eq!(outcome.code(), Some(3), "{outcome}");
    assert!(
        outcome
            .stderr
            .contains("/srv/open is mode 0777; let only root write it"),
        "{outcome}"
    );
    let outcome = sandbox.jailctl(&["build", "/srv/jails/other", "--with", "basicshell"]);
    assert_eq!(outcome.code(), Some(3), "{outcome}");
    assert_eq!(
        sandbox
            .must("ls -A /srv/jails/other /srv/jails/other/usr/bin")
            .lines()
            .count(),
        5
    );
}

#[test]
fn the_manuals_first_example_works_on_a_fresh_machine() {
    let page = include_str!("../../../packaging/man/jailctl-build.8").replace("\\-", "-");
    let (_, examples) = page.split_once(".SH \"EXAMPLES\"").unwrap();
    let first = examples.lines().find_map(|line| line.strip_prefix("\\fB"));
    let first = first.unwrap().trim_end_matches("\\fR");
    let words: Vec<&str> = first.split(' ').collect();
    assert_eq!(words.last(), Some(&ROOT), "{first}");
    let sandbox = Sandbox::new().user("ann");
    sandbox.must("rm -rf /srv/jails");
    let outcome = sandbox.jailctl(words.get(1..).unwrap());
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    assert_eq!(sandbox.ssh("ann", "id -un").ok(), "ann");
}

#[test]
fn what_is_missing_above_a_root_is_made_and_roots_alone() {
    let sandbox = Sandbox::bare();
    sandbox.must("mkdir -p /srv/x /root/tree/bin; cp /bin/busybox /root/tree/bin/sh");
    let jailctl = jailctl();
    for (umask, made) in [
        ("000", "build /srv/x/a/b/one --program cat"),
        ("077", "build /srv/x/c/d/two --program cat"),
        ("077", "import /root/tree /srv/x/e/f/three"),
    ] {
        sandbox.must(&format!("umask {umask}; {jailctl} {made}"));
    }
    let stat = "cd /srv/x; stat -c '%a %u:%g' a a/b a/b/one c c/d c/d/two e e/f e/f/three | uniq";
    assert_eq!(sandbox.must(stat), "755 0:0");
}

#[test]
fn nothing_is_left_above_a_root_that_could_not_be_built() {
    let sandbox = Sandbox::bare().plain_user("ann");
    sandbox.must(
        "mkdir -p /srv/x /srv/x/open; chmod 777 /srv/x/open; ln -s / /srv/x/link; touch /srv/x/file
         mkdir -m 755 /srv/x/small; mount -t tmpfs -o size=1M,mode=755 none /srv/x/small",
    );
    let state = "cd /srv/x; find . -printf '%p %M\\n' | sort";
    let before = sandbox.must(state);
    for (root, reason) in [
        (
            "open/a/b/root",
            "/srv/x/open is mode 0777; let only root write it",
        ),
        ("link/srv/a/root", "/srv/x/link is a symbolic link"),
        ("file/a/root", "/srv/x/file is a regular file"),
        ("small/a/b/root", "No space left"),
    ] {
        let root = format!("/srv/x/{root}");
        let outcome = sandbox.jailctl(&["build", &root, "--program", "bash"]);
        assert_eq!(outcome.code(), Some(3), "{outcome}");
        assert!(outcome.stderr.contains(reason), "{outcome}");
        assert!(!outcome.stderr.contains("config"), "{outcome}");
        assert_eq!(sandbox.must(state), before, "{outcome}");
    }
    assert_eq!(sandbox.must("ls -d /srv/a 2>/dev/null || true"), "");
}

#[test]
fn a_home_that_is_there_already_stays() {
    let sandbox = Sandbox::new().user("ann");
    sandbox.must(&format!("mkdir -p {ROOT}/home && install -d -m 700 -o ann {ROOT}/home/ann && echo mine >{ROOT}/home/ann/file"));
    let outcome = sandbox.jailctl(&["build", ROOT, "--with", "basicshell", "--user", "ann"]);
    assert_eq!(outcome.code(), Some(0), "{outcome}");
    assert_eq!(sandbox.ssh("ann", "cat /home/ann/file ").code(), Some(0));
}

/// What the manifest says that the root was asked for.
fn asked(sandbox: &Sandbox) -> Option<serde_json::Value> {
    let manifest = sandbox.read(&format!("{ROOT}/.login-jail/manifest.json"));
    let manifest: serde_json::Value = serde_json::from_str(&manifest).ok()?;
    manifest.get("recipe").cloned()
}

/// ann's root, asked for these, as copies.
fn recipe(with: &[&str], programs: &[&str], users: &[&str]) -> Option<serde_json::Value> {
    Some(
        serde_json::json!({ "with": with, "programs": programs, "users": users, "method": "copy" }),
    )
}

#[test]
fn what_is_named_now_comes_to_what_was_asked_for_before() {
    let sandbox = Sandbox::new().user("ann");
    sandbox.must("mkdir -p /srv/jails");
    let build = |arguments: &[&str]| sandbox.jailctl(&[&["build", ROOT], arguments].concat());
    let first = build(&["--with", "basicshell", "--program", "tac", "--user", "ann"]);
    assert!(!first.ok().contains("before"), "{first}");

    let added = build(&["--with", "sftp", "--program", "rev"]);
    let kept = format!("{ROOT}: kept from before: basicshell, tac; the accounts ann\n");
    assert_eq!(added.code(), Some(0), "{added}");
    assert!(added.stdout.contains(&kept), "{added}");
    assert_eq!(
        asked(&sandbox),
        recipe(&["basicshell", "sftp"], &["tac", "rev"], &["ann"])
    );
    let works = "echo ab >f; tac f; rev f; id -un";
    assert_eq!(sandbox.ssh("ann", works).ok(), "ab\nba\nann");
    assert!(sandbox.sftp("ann", "ls").ok().contains('f'));

    // Nothing named: as it was asked for, and what was changed in it is mended.
    sandbox.must(&format!("rm {ROOT}/usr/bin/rev"));
    let anew = build(&[]);
    assert_eq!(anew.code(), Some(0), "{anew}");
    assert_eq!(
        asked(&sandbox),
        recipe(&["basicshell", "sftp"], &["tac", "rev"], &["ann"])
    );
    let same = sandbox.jailctl(&["update", "--dry-run", ROOT]);
    assert_eq!(same.code(), Some(0), "{same}");

    // What is named a second time is no news.
    let twice = build(&["--json", "--with", "sftp,basicshell", "--program", "tac"]);
    let report: serde_json::Value = serde_json::from_str(twice.ok()).unwrap();
    let change = serde_json::json!({ "kept": { "with": [], "programs": ["rev"], "users": ["ann"] }, "dropped": [] });
    assert_eq!(report["change"], change, "{twice}");
    assert_eq!(
        asked(&sandbox),
        recipe(&["basicshell", "sftp"], &["tac", "rev"], &["ann"])
    );
}

#[test]
fn only_lets_go_of_presets_and_programs_and_of_nobody() {
    let sandbox = built("extendedshell");
    let build = |arguments: &[&str]| sandbox.jailctl(&[&["build", ROOT], arguments].concat());
    let nothing = build(&["--only"]);
    assert_eq!(nothing.code(), Some(2), "{nothing}");
    let only = build(&["--only", "--with", "basicshell"]);
    assert_eq!(only.code(), Some(0), "{only}");
    for line in [
        "kept from before: the accounts ann\n",
        "gone: extendedshell\n",
    ] {
        assert!(
            only.stdout.contains(&format!("{ROOT}: {line}")),
            "{line}: {only}"
        );
    }
    assert_eq!(asked(&sandbox), recipe(&["basicshell"], &[], &["ann"]));
    assert_eq!(sandbox.ssh("ann", "type watch >&2 || id -un").ok(), "ann");
    assert_eq!(sandbox.jailctl(&["rollback", ROOT]).code(), Some(0));
    assert_eq!(sandbox.ssh("ann", "type watch >/dev/null").code(), Some(0));
}

#[test]
fn files_come_in_as_before_unless_another_way_is_named() {
    let sandbox = Sandbox::bare();
    sandbox.must("mkdir -p /srv/jails; cp /bin/ls /opt/one; cp /bin/cat /opt/two");
    let build = |arguments: &[&str]| {
        let outcome = sandbox.jailctl(&[&["build", ROOT], arguments].concat());
        assert_eq!(outcome.code(), Some(0), "{outcome}");
        outcome.stdout
    };
    let same = |name: &str| {
        let script = format!("[ {ROOT}/opt/{name} -ef /opt/{name} ]");
        sandbox.sh(&script).code() == Some(0)
    };
    build(&["--program", "/opt/one", "--hardlink"]);
    let said = build(&["--program", "/opt/two"]);
    assert!(!said.contains("from now on"), "{said}");
    assert!(same("one") && same("two"));
    let said = build(&["--copy"]);
    let expected = format!("{ROOT}: all files copied from now on, and not hard-linked as before\n");
    assert!(said.contains(&expected), "{said}");
    assert!(!same("one") && !same("two"));
}

#[test]
fn what_the_host_has_no_more_keeps_nobody_from_adding() {
    let sandbox = Sandbox::new().user("ann");
    sandbox.must("mkdir -p /srv/jails; cp /bin/ls /opt/gone; useradd bob");
    let first = ["--with", "basicshell", "--program", "/opt/gone"];
    let first = [&["build", ROOT, "--user", "ann,bob"], &first[..]].concat();
    assert_eq!(sandbox.jailctl(&first).code(), Some(0));
    sandbox.must("rm /opt/gone; userdel bob");
    let added = sandbox.jailctl(&["build", ROOT, "--program", "tac"]);
    assert_eq!(added.code(), Some(1), "{added}");
    let finding = "/opt/gone is not on this host any more";
    assert!(added.stderr.contains(finding), "{added}");
    assert_eq!(
        asked(&sandbox),
        recipe(&["basicshell"], &["/opt/gone", "tac"], &["ann", "bob"])
    );
    assert_eq!(sandbox.ssh("ann", "echo a | tac").ok(), "a");
    // Asked for by name now, they are missed.
    for arguments in [["--program", "/opt/gone"], ["--user", "bob"]] {
        let refused = sandbox.jailctl(&[&["build", ROOT], &arguments[..]].concat());
        assert_eq!(refused.code(), Some(3), "{refused}");
    }
}

#[test]
fn a_directory_that_can_not_be_built_in_is_left_as_it_was() {
    let sandbox = Sandbox::bare();
    sandbox.must(&format!("mkdir -p {ROOT}"));
    let refused = sandbox.jailctl(&["build", ROOT, "--with", "rsink"]);
    assert_eq!(refused.code(), Some(2), "{refused}");
    assert_eq!(sandbox.must(&format!("ls -A {ROOT}")), "");
    let built = sandbox.jailctl(&["build", ROOT, "--with", "basicshell"]);
    assert!(!built.ok().contains("before"), "{built}");
}

/// Kills jailctl after ever longer times while it makes a root anew, and looks whether the root still works.
#[test]
fn killed_at_any_moment_the_root_still_works() {
    let sandbox = built("basicshell");
    sandbox.must(&format!("echo mine >{ROOT}/home/ann/file"));
    let jailctl = jailctl();
    let script = format!(
        "set +e; broken=0; kills=0; i=0
         while [ $i -lt 60 ]; do
             i=$((i + 1))
             with=basicshell; [ $((i % 2)) = 0 ] || with=basicshell,extendedshell
             timeout -s KILL 0.$(printf %03d $((i * 7))) {jailctl} build {ROOT} --only --with $with --user ann >/dev/null 2>&1
             [ $? = 137 ] && kills=$((kills + 1))
             chroot {ROOT} /bin/bash -c 'ls / && cat /home/ann/file && id ann' >/dev/null 2>&1 || broken=$((broken + 1))
         done
         echo broken $broken
         [ $kills -gt 5 ] || echo only $kills kills
         {jailctl} build {ROOT} --only --with basicshell --user ann >/dev/null 2>&1 || echo not mended
         ls -A {ROOT}/.login-jail"
    );
    assert_eq!(sandbox.must(&script), "broken 0\nmanifest.json\nprevious");
    assert_eq!(
        sandbox.jailctl(&["update", ROOT, "--dry-run"]).code(),
        Some(0)
    );
    assert_eq!(sandbox.ssh("ann", "cat file").ok(), "mine");
}

/// Stops jailctl just before and after each of its renames, by strace's fault injection.
#[test]
fn killed_at_each_rename_the_root_still_works() {
    let sandbox = built("basicshell");
    let jailctl = jailctl();
    let script = format!(
        "set +e; n=1
         while [ $n -le 12 ]; do
             {jailctl} build {ROOT} --with basicshell,extendedshell --user ann >/dev/null 2>&1
             strace -f -o /dev/null -e trace=renameat2 -e inject=renameat2:signal=KILL:when=$n \
                 {jailctl} build {ROOT} --only --with basicshell --user ann >/dev/null 2>&1
             status=$?
             chroot {ROOT} /bin/bash -c 'ls / && id ann' >/dev/null 2>&1 || echo broken at $n
             {jailctl} update {ROOT} --dry-run >/dev/null || echo neither generation at $n
             [ $status = 0 ] && break
             n=$((n + 1))
         done
         [ $n -gt 3 ] || echo only $n renames
         {jailctl} update {ROOT} --dry-run >/dev/null || echo drift"
    );
    assert_eq!(sandbox.must(&script), "");
}

/// The resolver against the loader itself, for all that the machine has.
#[test]
fn the_resolver_agrees_with_the_loader_for_every_program_of_the_machine() {
    let loader = Path::new("/lib64/ld-linux-x86-64.so.2");
    if !loader.exists() {
        skipped(
            "the resolver against the loader",
            "this machine's loader has another name",
        );
        return;
    }
    let sandbox = Sandbox::bare();
    let script = "for program in /usr/bin/* /usr/sbin/*; do
                      [ -f \"$program\" ] || continue
                      [ \"$(head -c 4 \"$program\" | tr -d '\\177')\" = ELF ] || continue
                      program=$(readlink -f \"$program\")
                      echo \"= $program\"
                      /lib64/ld-linux-x86-64.so.2 --list \"$program\" 2>&1
                  done";
    sandbox.must(&format!(
        "cat >/root/list <<'END'\n{script}\nEND\nsh /root/list >/root/listed 2>&1; true"
    ));
    let listed = sandbox.read("/root/listed");
    let mut programs: BTreeMap<PathBuf, BTreeSet<PathBuf>> = BTreeMap::new();
    let mut skip = BTreeSet::new();
    let mut program = PathBuf::new();
    for line in listed.lines() {
        if let Some(path) = line.strip_prefix("= ") {
            program = PathBuf::from(path);
            programs.entry(program.clone()).or_default();
        } else if let Some(path) = line
            .split_whitespace()
            .find(|word| word.starts_with('/') && word.contains(".so"))
        {
            programs
                .entry(program.clone())
                .or_default()
                .insert(fs::canonicalize(path.trim_end_matches(':')).unwrap_or_default());
        } else if !line.contains("linux-vdso") && !line.contains("statically linked") {
            skip.insert((program.clone(), line.to_owned()));
        }
    }
    for (program, why) in &skip {
        if !why.contains("not found") {
            programs.remove(program);
            skipped(&program.display().to_string(), why.trim());
        }
    }
    assert!(programs.len() > 200, "{}", programs.len());
    let mut resolver = Loader::of_host();
    let mut different = Vec::new();
    for (program, expected) in programs {
        let loads = resolver.loads(&program);
        let found: BTreeSet<PathBuf> = loads
            .libraries
            .iter()
            .map(|path| fs::canonicalize(path).unwrap())
            .collect();
        // The loader says nothing of itself for a static program.
        if found != expected {
            different.push((program, found, expected));
        }
    }
    assert!(different.is_empty(), "{different:#?}");
}

/// What jailkit's presets and ours bring, started inside: each program whose preset the machine has.
#[test]
fn every_program_of_every_preset_starts_inside() {
    // What starts something else, waits for more than its version, or says so by another status.
    const OTHERWISE: [&str; 4] = ["sftp-server", "jk_lsh", "editor", "pager"];
    let sandbox = Sandbox::bare();
    sandbox.must("mkdir -p /srv/jails");
    let presets = Presets::built_in().unwrap();
    let mut built = 0;
    let mut bad = Vec::new();
    for (name, preset) in presets.iter() {
        let outcome = sandbox.jailctl(&["build", ROOT, "--with", name]);
        if outcome.code() == Some(3) && outcome.stderr.contains("the host has no") {
            skipped(
                &format!("preset {name}"),
                "its package is not on this machine",
            );
            continue;
        }
        if outcome.code() != Some(0) {
            bad.push((name.to_owned(), outcome.to_string()));
        }
        built += 1;
        for program in &preset.programs {
            let name = Path::new(program).file_name().unwrap().to_str().unwrap();
            if OTHERWISE.contains(&name) {
                continue;
            }
            let script = format!(
                "found=$(PATH=/usr/bin:/usr/sbin:/bin; command -v {program}) && [ -e {ROOT}$found ] || exit 0
                 cd {ROOT}; timeout 5 env -i PATH=/usr/bin:/bin HOME=/ TERM=dumb /usr/sbin/chroot {ROOT} $found --version </dev/null 2>&1
                 case $? in 126|127|132|134|139) echo cannot start; esac"
            );
            let said = sandbox.sh(&script).stdout;
            let broken = [
                "cannot start",
                "shared librar",
                "No such file or directory",
                "Can't locate",
                "Cannot find module",
            ];
            if broken.iter().any(|sign| said.contains(sign)) {
                bad.push((name.to_owned(), said));
            }
        }
        sandbox.must(&format!("rm -rf {ROOT}"));
    }
    assert!(bad.is_empty(), "{bad:#?}");
    assert!(built > 15, "{built}");
}

/// The list of the roots that jailctl has built.
const ROOTS: &str = "/var/lib/login-jail/roots";

#[test]
fn builds_at_once_all_come_into_the_list_of_roots() {
    let sandbox = Sandbox::new();
    let jailctl = jailctl();
    sandbox.must(&format!(
        "mkdir -p /srv/jails
         for n in 1 2 3 4 5 6 7 8; do {jailctl} build --program true /srv/jails/r$n >/srv/$n.out 2>&1 || echo failed >>/srv/failed & done
         wait"
    ));
    assert_eq!(sandbox.must("cat /srv/failed 2>/dev/null || true"), "");
    let wanted: Vec<String> = (1..=8).map(|n| format!("/srv/jails/r{n}")).collect();
    assert_eq!(sandbox.read(ROOTS), wanted.join("\n"));
    // Nobody writes the list while another does.
    let while_held = format!(
        "{jailctl} build --program true /srv/jails/last >/srv/last.out 2>&1 &
         until [ -e /srv/jails/last ]; do sleep 0.05; done; sleep 1; grep -c last {ROOTS} || true"
    );
    let held = sandbox.run(&[
        "flock",
        // The build must not have it from flock(1) itself.
        "--close",
        "/run/login-jail-roots.lock",
        "sh",
        "-c",
        &while_held,
    ]);
    assert_eq!(held.ok(), "0");
    let listed = sandbox.wait_until(|| sandbox.read(ROOTS).contains("last").then_some(()));
    assert!(listed.is_some(), "{}", sandbox.read(ROOTS));
    // Whoever could keep the lock would keep every build from its end.
    let mode = sandbox.must("stat -c '%a %U' /run/login-jail-roots.lock");
    assert_eq!(mode, "600 root");
}

#[test]
fn a_root_that_is_not_mounted_stays_in_the_list() {
    let sandbox = Sandbox::new();
    sandbox.must("mkdir -p /srv/disk /srv/jails; mount -t tmpfs -o mode=755 none /srv/disk");
    for root in ["/srv/disk/ann", "/srv/jails/bob"] {
        sandbox.jailctl(&["build", root, "--program", "true"]).ok();
        sandbox.must("umount -l /srv/disk || true");
    }
    assert_eq!(sandbox.read(ROOTS), "/srv/disk/ann\n/srv/jails/bob");
    let update = sandbox.jailctl(&["update"]);
    assert!(
        update.stderr.contains("/srv/disk/ann is not there"),
        "{update}"
    );
}

#[test]
fn build_and_update_change_owner_and_mode_by_descriptor_only() {
    let sandbox = Sandbox::new().plain_user("ann");
    let (inject, jailctl) = (install_probe(&sandbox, "inject"), jailctl());
    sandbox.must("mkdir -p /srv/jails");
    // 452 is fchmodat2(2), which has the same number everywhere.
    for call in [nix::libc::SYS_fchmodat, 452] {
        let number = call.to_string();
        let root = format!("/srv/jails/{number}");
        for words in [
            &["build", &root, "--program", "true", "--user", "ann"][..],
            &["update", &root],
        ] {
            let first = [
                inject.as_str(),
                "0:0",
                "errno",
                &number,
                "5",
                &jailctl,
                "jailctl",
            ];
            let outcome = sandbox.run(&[&first, words].concat());
            assert_eq!(outcome.code(), Some(0), "call {call}, {words:?}: {outcome}");
            let made = sandbox.must(&format!(
                "cd {root}; stat -c '%a %U' dev/null dev/tty home/ann; rm -rf dev home/ann"
            ));
            assert_eq!(
                made, "666 root\n666 root\n700 ann",
                "call {call}, {words:?}"
            );
            sandbox.must(&format!("echo >>{root}/etc/passwd"));
        }
    }
}
