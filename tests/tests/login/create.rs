//! `create`: root directory and home appear at the first login.
#![allow(
    clippy::panic,
    clippy::expect_used,
    reason = "a test reports by panicking"
)]

use login_jail_tests::{JAIL_SHELL, Outcome, Sandbox, skipped, stall::has_fuse};

/// What has the rights of a skeleton's files, and some that are not copied.
const SKELETON: &str = "
    rm -rf /srv/skel; mkdir -p /srv/skel/.config/deep /srv/skel/empty
    echo '# profile' >/srv/skel/.profile
    echo deep >/srv/skel/.config/deep/file
    ln -s .profile /srv/skel/link; ln -s /etc/shadow /srv/skel/outside
    printf '#!/bin/sh\n' >/srv/skel/tool; chmod 6755 /srv/skel/tool
    chmod 700 /srv/skel/.config; chmod 640 /srv/skel/.config/deep/file; chmod 2750 /srv/skel/empty";

/// The home as that skeleton leaves it.
const HOME: &str = ". directory 700 ann:ann
./.config directory 700 ann:ann
./.config/deep directory 755 ann:ann
./.config/deep/file regular file 640 ann:ann
./.profile regular file 644 ann:ann
./empty directory 750 ann:ann
./link symbolic link 777 ann:ann
./outside symbolic link 777 ann:ann
./tool regular file 755 ann:ann";

/// ann with the host's system, a root directory of her own and a home in it, none of which are there.
fn host(keys: &str) -> Sandbox {
    Sandbox::new()
        .user("ann")
        .user("bob")
        .password("ann", "secret")
        .config(&format!(
            "[users]\nann = \"web\"\nbob = \"web\"\n[jails.web]\nroot = \"/srv/jails/{{user}}\"\nbase = \"host\"\nshell = \"/bin/bash\"\n{keys}\n"
        ))
        .with("mkdir -p /srv/jails")
        .with(SKELETON)
}

const KEYS: &str = "create = { skel = \"/srv/skel\" }";

/// Lists a directory and all that is in it, with kind, mode and owner.
fn listed(sandbox: &Sandbox, directory: &str) -> String {
    sandbox.must(&format!(
        "cd {directory}; find . | LC_ALL=C sort | xargs stat -c '%n %F %a %U:%G'"
    ))
}

/// Nothing that was only there on the way is left.
#[track_caller]
fn assert_nothing_left(sandbox: &Sandbox) {
    assert_eq!(sandbox.must("find /srv /home -name '.login-jail*'"), "");
}

fn ann(sandbox: &Sandbox, command: &str) -> Outcome {
    sandbox.run_as("ann", &[JAIL_SHELL, "-c", command])
}

#[track_caller]
fn refused(sandbox: &Sandbox, reason: &str) {
    let listed = || sandbox.must("find /srv /home /etc -xdev | sort | xargs stat -c '%n %F %a %U'");
    let before = listed();
    let outcome = ann(sandbox, "echo in");
    assert_ne!(outcome.code(), Some(0), "{outcome}");
    assert_eq!(outcome.stdout, "");
    sandbox.logged(&["refused code=", reason]);
    assert!(listed() == before, "{reason}");
}

#[test]
fn a_first_login_makes_root_and_home_at_every_door() {
    let sandbox = host(KEYS);
    let made = |door: &str| {
        assert_eq!(listed(&sandbox, "/srv/jails/ann/home/ann"), HOME, "{door}");
        let above = "cd /srv/jails; stat -c '%n %a %U:%G' ann ann/home";
        assert_eq!(
            sandbox.must(above),
            "ann 755 root:root\nann/home 755 root:root"
        );
        assert_nothing_left(&sandbox);
        sandbox.must("rm -rf /srv/jails/ann");
    };
    assert_eq!(
        sandbox.ssh("ann", "pwd; cat .profile").ok(),
        "/home/ann\n# profile"
    );
    made("ssh");
    assert!(sandbox.sftp("ann", "pwd").ok().contains("/home/ann"));
    made("sftp");
    assert_eq!(sandbox.su_dash_c("ann", "pwd").ok(), "/home/ann");
    made("su");
    let mut login = sandbox.login("ann", "secret");
    login.expect("$ ");
    login.line("unset HISTFILE; echo got-$((40 + 2)); exit");
    login.expect("got-42");
    drop(login.finish());
    made("login");
}

#[test]
fn a_first_login_by_force_command_makes_root_and_home() {
    let sandbox = host(KEYS)
        .sshd("Match User ann\n ForceCommand /usr/bin/jail-shell")
        .with("usermod -s /bin/bash ann");
    assert_eq!(
        sandbox.ssh("ann", "cat .profile; pwd").ok(),
        "# profile\n/home/ann"
    );
    assert_eq!(listed(&sandbox, "/srv/jails/ann/home/ann"), HOME);
    assert_nothing_left(&sandbox);
}

/// automount(8) with a map of homes that are bound to their places: what it mounts is used as it is, and nothing is made over it.
#[test]
fn a_home_that_autofs_mounts_is_used_as_it_is() {
    let keys = format!(
        "{KEYS}\nmounts = [{{ source = \"/export/{{user}}\", target = \"/home/{{user}}\", mode = \"rw\" }}]"
    );
    let sandbox = host(&keys);
    if sandbox.sh("command -v automount").code() != Some(0) {
        skipped("homes by autofs", "automount is not installed");
        return;
    }
    sandbox.must(
        "mkdir -p /srv/real/ann /export; chown ann: /srv/real/ann; echo mine >/srv/real/ann/file
         [ -e /dev/autofs ] || mknod /dev/autofs c 10 235
         echo 'ann -fstype=bind :/srv/real/ann' >/etc/auto.homes",
    );
    // With the second, the map's names are there before anybody asks for them.
    for option in ["nobrowse", "browse"] {
        sandbox.must(&format!(
            "echo '/export /etc/auto.homes {option}' >/etc/auto.master
             automount; until grep -q ' /export autofs' /proc/mounts; do sleep 0.05; done"
        ));
        assert_eq!(
            ann(&sandbox, "cat file; ls -A").ok(),
            "mine\nfile",
            "{option:?}"
        );
        // One that the map does not have is not made: the map would hide it.
        let bob = sandbox.run_as("bob", &[JAIL_SHELL, "-c", "echo in"]);
        assert_eq!(bob.code(), Some(123), "{bob}");
        sandbox.logged(&["/export/bob is missing, and not made, because an automounter (autofs) has what is in /export"]);
        sandbox.must("pkill automount; while pgrep automount; do sleep 0.05; done");
    }
}

#[test]
fn a_login_changes_nothing_that_is_there() {
    let sandbox = host(KEYS);
    ann(
        &sandbox,
        "rm -rf .profile link; echo mine >tool; chmod 711 .",
    )
    .ok();
    let before = listed(&sandbox, "/srv/jails/ann");
    assert!(before.contains("./home/ann directory 711"), "{before}");
    assert_eq!(ann(&sandbox, "cat tool").ok(), "mine");
    assert_eq!(listed(&sandbox, "/srv/jails/ann"), before);
    // A home that was made by hand is one.
    sandbox.must("mkdir -p /srv/jails/bob/home/bob; chown bob: /srv/jails/bob/home/bob");
    sandbox.run_as("bob", &[JAIL_SHELL, "-c", "true"]).ok();
    assert_eq!(
        listed(&sandbox, "/srv/jails/bob/home/bob"),
        ". directory 755 bob:bob"
    );
}

#[test]
fn mode_group_and_an_empty_home_are_as_written() {
    let sandbox = host("create = { skel = \"none\", mode = \"2750\", group = \"www-data\" }");
    ann(&sandbox, "true").ok();
    assert_eq!(
        listed(&sandbox, "/srv/jails/ann/home"),
        ". directory 755 root:root\n./ann directory 2750 ann:www-data"
    );
    let sandbox = host("create = { group = \"no-such-group\" }");
    refused(&sandbox, "create.group names no group of the host");
}

#[test]
fn the_usual_skeleton_may_be_missing_and_one_that_is_named_may_not() {
    let sandbox = host("create = true").with("rm -rf /etc/skel");
    assert_eq!(ann(&sandbox, "ls -A; pwd").ok(), "/home/ann");
    let sandbox = host(KEYS).with("rm -rf /srv/skel");
    refused(&sandbox, "the skeleton /srv/skel: /srv/skel does not exist");
    assert_nothing_left(&sandbox);
}

#[test]
fn refuses_whatever_is_in_the_way_and_leaves_it_as_it_is() {
    for (there, reason) in [
        (
            "mkdir -p /srv/jails/ann/home; ln -s /etc /srv/jails/ann/home/ann",
            "the home: /srv/jails/ann/home/ann is a symbolic link, not a directory; remove it, or choose another home",
        ),
        (
            "mkdir -p /srv/jails/ann; ln -s /home /srv/jails/ann/home",
            "/srv/jails/ann/home is a symbolic link",
        ),
        (
            "mkdir -p /srv/jails/ann/home; echo x >/srv/jails/ann/home/ann",
            "/srv/jails/ann/home/ann is a regular file, not a directory",
        ),
        (
            "mkdir -p /srv/jails/ann/home/ann; chown bob: /srv/jails/ann/home/ann",
            "who is not the user; give it to the user, or choose another home",
        ),
        (
            "mkdir -p /srv/jails/ann/home; chown bob: /srv/jails/ann/home",
            "because /srv/jails/ann/home belongs to uid",
        ),
        (
            "mkdir -p /srv/jails/ann/home; chmod 777 /srv/jails/ann/home",
            "because /srv/jails/ann/home is mode 0777, so that others could exchange it",
        ),
        (
            "ln -s /srv/elsewhere /srv/jails/ann; mkdir /srv/elsewhere",
            "open root /srv/jails/ann: /srv/jails/ann is a symbolic link",
        ),
        (
            "chmod 777 /srv/jails",
            "open root /srv/jails: /srv/jails is mode 0777",
        ),
        (
            "mkdir -p /srv/jails/.login-jail; chown bob: /srv/jails/.login-jail",
            "a directory .login-jail, where new directories are prepared, belongs to uid",
        ),
    ] {
        let sandbox = host(KEYS).with(there);
        refused(&sandbox, reason);
    }
}

#[test]
fn refuses_a_skeleton_that_others_than_root_could_change() {
    for (there, reason) in [
        (
            "chown bob: /srv/skel",
            "the skeleton /srv/skel: /srv/skel belongs to uid",
        ),
        (
            "chmod 777 /srv/skel/.config",
            "/srv/skel/.config is mode 0777",
        ),
        ("chown bob: /srv/skel/tool", "/srv/skel/tool belongs to uid"),
        (
            "chmod 666 /srv/skel/.profile",
            "/srv/skel/.profile is mode 0666",
        ),
        (
            "mkfifo /srv/skel/pipe",
            "the skeleton: /srv/skel/pipe is a FIFO; remove it",
        ),
        (
            "truncate -s 17M /srv/skel/large",
            "/srv/skel/large is more than is copied",
        ),
        (
            "cd /srv/skel; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17; do mkdir d; cd d; done",
            "is more than is copied: at most 1000 files, 16 directories deep",
        ),
        (
            "cd /srv/skel; seq 1000 | xargs touch",
            "is more than is copied: at most 1000 files",
        ),
    ] {
        let sandbox = host(KEYS).with(there);
        refused(&sandbox, reason);
        assert_nothing_left(&sandbox);
    }
}

#[test]
fn the_home_is_made_in_a_mount_and_in_a_root_of_the_users() {
    let sandbox = host(
        "create = { skel = \"/srv/skel\" }\nmounts = [{ source = \"/home/{user}\", target = \"/home/{user}\", mode = \"rw\" }]",
    );
    sandbox.must("rm -rf /home/ann");
    assert_eq!(ann(&sandbox, "cat .profile").ok(), "# profile");
    assert_eq!(listed(&sandbox, "/home/ann"), HOME);
    assert_nothing_left(&sandbox);
    // A root directory that is the user's, with the home at its top.
    let sandbox = host("create = { skel = \"/srv/skel\" }\nroot_owner = \"user\"\nhome = \"/\"");
    assert_eq!(ann(&sandbox, "cat .profile; pwd").ok(), "# profile\n/");
    assert_eq!(listed(&sandbox, "/srv/jails/ann"), HOME);
    // What is the user's own gets no more than a directory: nothing is copied by root there.
    let sandbox = host("create = { skel = \"/srv/skel\", mode = \"750\" }\nroot_owner = \"user\"")
        .with("mkdir -p /srv/jails/ann; chown ann: /srv/jails/ann");
    assert_eq!(ann(&sandbox, "ls -A; pwd").ok(), "/home/ann");
    assert_eq!(
        listed(&sandbox, "/srv/jails/ann"),
        ". directory 755 ann:ann\n./home directory 755 ann:ann\n./home/ann directory 750 ann:ann"
    );
}

#[test]
fn a_root_that_many_share_gets_a_home_for_each_and_a_root_without_a_system_is_not_made() {
    let sandbox = Sandbox::new()
        .user("ann")
        .root(login_jail_tests::roots::busybox())
        .user("bob")
        .config("[users]\nann = \"all\"\nbob = \"all\"\n[jails.all]\nroot = \"/srv/jails/ann\"\ncreate = { skel = \"/srv/skel\" }\n")
        .with(SKELETON)
        .with("rm -rf /srv/jails/ann/home; echo bob:x:$(id -u bob):$(id -g bob)::/home/bob:/bin/sh >>/srv/jails/ann/etc/passwd");
    let both = sandbox.must(
        "for user in ann bob ann bob; do setpriv --reuid $user --regid $user --clear-groups jail-shell -c 'cat .profile' & done; wait",
    );
    assert_eq!(both, "# profile\n# profile\n# profile\n# profile");
    assert_eq!(listed(&sandbox, "/srv/jails/ann/home/ann"), HOME);
    assert_eq!(
        listed(&sandbox, "/srv/jails/ann/home/bob"),
        HOME.replace("ann", "bob")
    );
    assert_nothing_left(&sandbox);
    sandbox.must("mv /srv/jails/ann /srv/jails/gone");
    refused(
        &sandbox,
        "open root /srv/jails/ann: /srv/jails/ann does not exist",
    );
}

#[test]
fn an_image_whose_directory_would_be_hidden_is_refused() {
    let sandbox = Sandbox::new()
        .user("ann")
        .root(login_jail_tests::roots::busybox())
        .with("mv /srv/jails/ann /srv/image; rmdir /srv/image/home/ann; mkdir -p /srv/image/var/spool")
        .with(SKELETON);
    let config = |home: &str| {
        sandbox.write(
            "/etc/login-jail/config.toml",
            format!("[users]\nann = \"web\"\n[jails.web]\nroot = \"/srv/jails/{{user}}\"\nbase = \"/srv/image\"\nhome = \"{home}\"\n{KEYS}\n"),
        );
    };
    config("/var/ann");
    refused(
        &sandbox,
        "/var of the base is not empty, and a home made in the root directory would hide what is in it",
    );
    config("/home/ann");
    assert_eq!(ann(&sandbox, "cat .profile").ok(), "# profile");
    assert_eq!(listed(&sandbox, "/srv/jails/ann/home/ann"), HOME);
}

#[test]
fn of_many_first_logins_at_once_all_use_the_home_that_one_has_made() {
    let sandbox = host(KEYS);
    for _ in 0..3 {
        let said = sandbox.must(
            "rm -rf /srv/jails/ann
             for i in $(seq 12); do
                 setpriv --reuid ann --regid ann --clear-groups jail-shell -c \"cat .profile; touch by-$i\" &
             done
             wait",
        );
        assert_eq!(said, ["# profile"; 12].join("\n"));
        assert_eq!(
            sandbox.must("ls /srv/jails/ann/home/ann | grep -c by-"),
            "12"
        );
        assert_nothing_left(&sandbox);
    }
}

#[test]
fn homes_are_made_on_a_file_system_that_can_not_rename_without_replacing() {
    let what = "create on a file system in user space";
    // A server of SFTP gives away what a link leads to: it has no lchown(2).
    let sandbox = host(KEYS).with("ln -sfn /srv/victim /srv/skel/link; touch /srv/victim");
    if sandbox.sh("command -v sshfs").code() != Some(0) {
        return skipped(what, "sshfs is not installed");
    }
    if !has_fuse(&sandbox, what) {
        return;
    }
    // The program of ssh is the server itself.
    sandbox.must("mkdir /srv/real; printf '#!/bin/sh\nexec /usr/lib/openssh/sftp-server\n' >/srv/serve; chmod 755 /srv/serve
        sshfs -o ssh_command=/srv/serve,allow_other,default_permissions here:/srv/real /srv/jails
        findmnt -n -o FSTYPE /srv/jails | grep -x fuse.sshfs");
    assert_eq!(
        ann(&sandbox, "cat .profile; pwd").ok(),
        "# profile\n/home/ann"
    );
    assert_eq!(
        listed(&sandbox, "/srv/jails/ann/home/ann"),
        HOME.replace("link 777 ann:ann", "link 777 root:root")
    );
    assert_eq!(
        sandbox.must("stat -c %U /srv/victim /etc/shadow"),
        "root\nroot"
    );
    // What is there is used as it is.
    ann(&sandbox, "mkdir mine").ok();
    ann(&sandbox, "[ -d mine ] && [ -e .profile ]").ok();
    assert_nothing_left(&sandbox);
}

#[test]
fn a_home_needs_no_room_in_run() {
    let sandbox = host(KEYS);
    sandbox.must("mount -t tmpfs -o size=4k,nr_inodes=3,mode=755 none /run/login-jail 2>/dev/null || {
        mkdir -p /run/login-jail; mount -t tmpfs -o size=4k,nr_inodes=3,mode=755 none /run/login-jail; }
        head -c 4096 /dev/zero >/run/login-jail/full; touch /run/login-jail/more");
    assert_eq!(ann(&sandbox, "cat .profile").ok(), "# profile");
    assert_eq!(listed(&sandbox, "/srv/jails/ann/home/ann"), HOME);
    assert_nothing_left(&sandbox);
}

#[test]
fn a_full_disk_leaves_nothing_half_made_and_the_next_login_with_room_makes_it() {
    let sandbox = host(KEYS);
    sandbox.must(
        "head -c 3M /dev/zero >/srv/skel/large; mount -t tmpfs -o size=2m,mode=755 none /srv/jails",
    );
    let outcome = ann(&sandbox, "echo in");
    assert_eq!(outcome.code(), Some(123), "{outcome}");
    sandbox.logged(&[
        "refused code=step",
        "step create: copy a file into a new home: No space left on device",
    ]);
    assert_eq!(sandbox.must("ls -A /srv/jails"), "");
    sandbox.must("mount -o remount,nr_inodes=6,size=20m /srv/jails");
    assert_eq!(ann(&sandbox, "echo in").code(), Some(123));
    assert_eq!(sandbox.must("ls -A /srv/jails"), "");
    sandbox.must("mount -o remount,nr_inodes=100 /srv/jails");
    assert_eq!(ann(&sandbox, "stat -c %s large").ok(), "3145728");
}

#[test]
fn what_was_left_is_removed_and_what_another_login_is_at_work_in_is_not() {
    let sandbox = host(KEYS);
    let left = sandbox.must(
        "mkdir -m 700 /srv/jails/.login-jail; cd /srv/jails/.login-jail
         mkdir -p 1000.0/home/ann/d 4242.7; ln -s /etc 4242.7/etc; touch 1000.0/home/ann/d/f
         mkdir 4242.8; exec 7<4242.8; flock 7
         setpriv --reuid ann --regid ann --clear-groups jail-shell -c true 7<&-
         find /srv/jails/.login-jail | sort; ls /etc/passwd",
    );
    let live = "/srv/jails/.login-jail\n/srv/jails/.login-jail/4242.8\n/etc/passwd";
    assert_eq!(left, live);
    ann(&sandbox, "true").ok();
    assert_nothing_left(&sandbox);
}

#[test]
fn a_limit_of_the_disk_that_can_not_be_set_refuses_the_login_and_is_found() {
    let sandbox = host("create = { skel = \"/srv/skel\" }\ndisk = { bytes = \"5M\" }")
        .with("mount -t tmpfs -o mode=755 none /srv/jails");
    refused(&sandbox, "disk: the file system of the home has no quotas");
    assert_nothing_left(&sandbox);
    sandbox.must("mkdir -p /srv/jails/ann/home/ann; chown ann: /srv/jails/ann/home/ann");
    let check = sandbox.run(&["jailctl", "check", "ann"]);
    let says = "disk allows 5M bytes, and the home /srv/jails/ann/home/ann may take more: no quota limits it; disk: the file system";
    assert!(check.stdout.contains(says), "{check}");
    // What can't mend it is not advised.
    assert!(!check.stdout.contains("mend disk-unlimited"), "{check}");
    let status = sandbox.run(&["jailctl", "status"]);
    let says = "disk 5M, which no quota enforces: see jailctl check";
    assert!(status.stdout.contains(says), "{status}");
    for words in [
        &["jailctl", "mend", "disk-unlimited", "ann"][..],
        &["jailctl", "add", "ann"],
        &["jailctl", "add", "ann", "bob"],
    ] {
        let mended = sandbox.run(words);
        assert_ne!(mended.code(), Some(0), "{mended}");
        let says =
            "disk: the file system of the home has no quotas; mount it with the option prjquota";
        assert!(mended.stderr.contains(says), "{mended}");
    }
    // What a home that is there may not do, all the same.
    let tried = ann(
        &sandbox,
        "chattr +d . 2>&1; lsattr -d . >/dev/null && echo seen",
    );
    assert!(tried.stdout.contains("Operation not permitted"), "{tried}");
}
