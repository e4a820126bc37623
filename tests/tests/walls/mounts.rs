//! The sources of mounts: what is shown is data, whoever owns it; only the path above it must be root's.
#![allow(clippy::panic, reason = "a test reports by panicking")]

use login_jail_tests::{JAIL_SHELL, Outcome, Sandbox, roots};

/// Says what a jail mounts: source, target and mode of each.
fn mounts(all: &[(&str, &str, &str)]) -> String {
    let all: Vec<String> = all
        .iter()
        .map(|(source, target, mode)| {
            format!("{{ source = \"{source}\", target = \"{target}\", mode = \"{mode}\" }}")
        })
        .collect();
    format!("mounts = [{}]", all.join(", "))
}

fn config(keys: &str) -> String {
    format!(
        "[users]\nann = \"web\"\n[jails.web]\nroot = \"/srv/jails/{{user}}\"\nshell = \"/bin/bash\"\n{keys}\n"
    )
}

/// ann in a jail with the host's programs and these mounts; bob, somebody else.
fn ann_with(all: &[(&str, &str, &str)]) -> Sandbox {
    Sandbox::new()
        .plain_user("bob")
        .user("ann")
        .root(roots::home())
        .config(&config(&format!("base = \"host\"\n{}", mounts(all))))
}

/// The same, with pam_jail.so in the stack of su.
fn behind_pam(all: &[(&str, &str, &str)]) -> Sandbox {
    let keys = format!("base = \"host\"\nshell = \"/bin/bash\"\n{}", mounts(all));
    Sandbox::with_ann_behind_pam(roots::home(), &keys)
}

/// Runs a command in ann's jail, by the door that is there.
#[track_caller]
fn ann(sandbox: &Sandbox, command: &str) -> Outcome {
    sandbox.su_c("ann", command)
}

/// Insists that a login is refused because of a source, and gives the reason. It names nothing to be done to a source.
#[track_caller]
fn refused(sandbox: &Sandbox, code: &str, part: &str) {
    let seen = ann(sandbox, "echo GOTIN");
    assert_ne!(seen.code(), Some(0), "{seen}");
    assert!(!seen.stdout.contains("GOTIN"), "{seen}");
    let line = sandbox.logged_last(&[&format!("code={code}"), part]);
    for word in ["chown", "chmod", "install "] {
        assert!(!line.contains(word), "{line}");
    }
}

const DATA: [(&str, &str, &str); 2] = [("/srv/site", "/site", "rw"), ("/srv/team", "/team", "rw")];

const SHARED: &str = "groupadd friends; usermod -aG friends ann
    install -d -m 2775 -o www-data -g www-data /srv/site; echo page >/srv/site/index; setfacl -m u:ann:rwx /srv/site
    install -d -m 2770 -g friends /srv/team; setfacl -d -m g:friends:rwX /srv/team";

#[test]
fn shows_a_directory_of_a_service_and_of_a_team() {
    let ways = [ann_with(&DATA).with(SHARED), behind_pam(&DATA).with(SHARED)];
    for sandbox in &ways {
        let command = "cat /site/index; echo mine >/site/new; umask 007; echo ours >/team/new; stat -c %G /team/new";
        assert_eq!(ann(sandbox, command).ok(), "page\nfriends");
        assert_eq!(
            sandbox.must("cat /srv/site/new /srv/team/new; stat -c %U:%G /srv/site/new"),
            "mine\nours\nann:www-data"
        );
        // With all its owner may do to it.
        sandbox.must("chown bin /srv/site; chmod 7777 /srv/site");
        assert_eq!(ann(sandbox, "cat /site/new").ok(), "mine");
    }
}

#[test]
fn opening_their_home_to_others_locks_nobody_out() {
    let home = [("/home/ann", "/home/ann", "rw")];
    for sandbox in [ann_with(&home), behind_pam(&home)] {
        for mode in ["g+w", "g+ws", "o+w", "o+t"] {
            ann(&sandbox, &format!("chmod {mode} ~ && echo in >~/file")).ok();
        }
        assert_eq!(
            sandbox.must("stat -c %a /home/ann; cat /home/ann/file"),
            "3777\nin"
        );
    }
}

#[test]
fn refuses_a_source_that_others_than_root_could_exchange() {
    let sandbox = ann_with(&[("/srv/x/y/data", "/data", "ro")]);
    let make = "rm -rf /srv/x; mkdir -p /srv/x/y/data";
    for (plant, part) in [
        ("chown ann /srv/x/y", "/srv/x/y belongs to uid"),
        ("chown bob /srv/x/y", "/srv/x/y belongs to uid"),
        ("chown www-data /srv/x/y", "make /srv/x/y the source"),
        (
            "chown ann /srv/x; chown ann /srv/x/y",
            "/srv/x belongs to uid",
        ),
        ("chown ann /srv/x", "make /srv/x the source"),
        (
            "chgrp games /srv/x/y; chmod g+w /srv/x/y",
            "/srv/x/y is mode 0775",
        ),
        ("setfacl -m u:ann:rwx /srv/x/y", "/srv/x/y is mode 0775"),
        ("chmod 1777 /srv/x/y", "/srv/x/y is mode 1777"),
        (
            "mv /srv/x/y /srv/x/z; ln -s z /srv/x/y",
            "/srv/x/y is a symbolic link",
        ),
        (
            "mv /srv/x/y/data /srv/x/z; ln -s ../z /srv/x/y/data",
            "data is a symbolic link",
        ),
        (
            "rmdir /srv/x/y/data; mkfifo /srv/x/y/data",
            "data is a FIFO",
        ),
        (
            "rmdir /srv/x/y/data; mknod /srv/x/y/data c 1 3",
            "data is a character device",
        ),
        (
            "rmdir /srv/x/y/data; mknod /srv/x/y/data b 7 0",
            "data is a block device",
        ),
        // A file is none of the sockets that a service may have in a directory of its own.
        (
            "rmdir /srv/x/y/data; chown bin /srv/x/y; touch /srv/x/y/data; chown bin /srv/x/y/data",
            "/srv/x/y belongs to uid",
        ),
        (
            "chown bin /srv/x/y /srv/x/y/data",
            "/srv/x/y belongs to uid",
        ),
        (
            "mount --bind / /srv/x/y/data",
            "the host's own root directory",
        ),
    ] {
        sandbox.must(&format!(
            "umount /srv/x/y/data 2>/dev/null || :; {make}; {plant}"
        ));
        refused(&sandbox, "root-unsafe", part);
    }
    sandbox.must(&format!(
        "umount /srv/x/y/data; {make}; rmdir /srv/x/y/data"
    ));
    refused(&sandbox, "root-missing", "/srv/x/y/data does not exist");
    sandbox.must(&format!("{make}; chown ann /srv/x/y/data"));
    ann(&sandbox, "ls /data").ok();
}

#[test]
fn shows_a_single_file_found_anew_at_each_login() {
    let all = [
        ("/srv/one", "/deep/down/one", "ro"),
        ("/srv/two", "/home/ann/two", "rw"),
    ];
    for sandbox in [ann_with(&all), behind_pam(&all)] {
        sandbox.must("echo old >/srv/one; echo second >/srv/two; chown ann /srv/one /srv/two; chmod 4711 /srv/one");
        // The session that is there keeps the file that it began with.
        let script = "cat /deep/down/one; echo new-two >>~/two
            echo x >>/deep/down/one; chmod 777 ~/two; mv ~/two ~/away; rm ~/two
            echo >/tmp/ready; cat ~/two";
        let seen = ann(&sandbox, script);
        assert_eq!(seen.stdout, "old\nsecond\nnew-two\n", "{seen}");
        assert!(seen.stderr.contains("Read-only file system"), "{seen}");
        assert_eq!(
            sandbox.must("cat /srv/one /srv/two"),
            "old\nsecond\nnew-two"
        );
        sandbox.must("echo other >/srv/new; mv /srv/new /srv/one");
        assert_eq!(ann(&sandbox, "cat /deep/down/one").ok(), "other");
        sandbox.must("rm /srv/one; mkdir /srv/one; rm -f /srv/one/x");
        assert_eq!(
            ann(&sandbox, "test -d /deep/down/one && echo a directory").ok(),
            "a directory"
        );
        // What is below the top of a jail is on disk: a file was made there to mount on.
        assert_eq!(
            sandbox.must("stat -c '%F %U' /srv/jails/ann/home/ann/two"),
            "regular empty file ann"
        );
    }
}

#[test]
fn a_session_keeps_the_file_that_it_began_with() {
    let sandbox = ann_with(&[("/srv/one", "/one", "ro")]).with("echo old >/srv/one");
    let mut pty = sandbox.ssh_tty("ann", None);
    pty.line("cat /one; echo READY$((1+1))");
    pty.expect("READY2");
    sandbox.must("echo new >/srv/two; mv /srv/two /srv/one");
    pty.line("echo now-$(cat /one); exit");
    let seen = pty.finish();
    assert!(seen.stdout.contains("now-old"), "{seen}");
    assert_eq!(ann(&sandbox, "cat /one").ok(), "new");
}

#[test]
fn refuses_a_place_that_a_file_can_not_be_mounted_on() {
    for (keys, owner) in [("", "root"), ("root_owner = \"user\"", "ann")] {
        let sandbox = Sandbox::new()
            .user("ann")
            .root(roots::busybox())
            .config(
                &config(&format!(
                    "{keys}\n{}",
                    mounts(&[("/srv/one", "/a/one", "rw")])
                ))
                .replace("/bin/bash", "/bin/sh"),
            )
            .with(&format!(
                "echo text >/srv/one; chown {owner} /srv/jails/ann"
            ));
        let root = "/srv/jails/ann";
        ann(&sandbox, "test \"$(cat /a/one)\" = text").ok();
        // Made once, as whoever owns the directory, and used again.
        let made = format!("stat -c '%n %U %s' {root}/a {root}/a/one");
        let there = sandbox.must(&made);
        assert!(there.contains(&format!("one {owner} 0")), "{there}");
        ann(&sandbox, "cat /a/one").ok();
        for (plant, part) in [
            ("mkdir a/one", "/a/one in the jail is a directory"),
            (
                "ln -s /srv/two a/one",
                "/a/one in the jail is a symbolic link",
            ),
            (
                "ln -s /etc/passwd a/one",
                "/a/one in the jail is a symbolic link",
            ),
            ("mkfifo a/one", "/a/one in the jail is a FIFO"),
            ("rmdir a; ln -s /srv a", "/a in the jail is a symbolic link"),
        ] {
            sandbox.must(&format!(
                "cd {root}; rm -rf a; mkdir a; chown {owner} a; {plant}"
            ));
            refused(&sandbox, "step", part);
        }
        assert_eq!(sandbox.sh("ls /srv/two").code(), Some(2));
    }
}

/// Answers each connection with a word, as a service that owns the directory of its socket.
const SERVE: &str = r#"
    install -d -m 2755 -o bin -g bin /run/service
    cat >/run/serve.py <<'END'
import os, socket, sys
os.setuid(2)
s = socket.socket(socket.AF_UNIX)
s.bind('/run/service/sock'); os.chmod('/run/service/sock', 0o777); s.listen()
while True:
    c, _ = s.accept()
    c.sendall(sys.argv[1].encode() + b'\n'); c.close()
END
    serve() {
        [ ! -e /run/pid ] || kill $(cat /run/pid)
        rm -f /run/service/sock
        setsid /usr/bin/python3 /run/serve.py $1 </dev/null >/dev/null 2>&1 & echo $! >/run/pid
        until [ -e /run/service/sock ]; do sleep 0.05; done
    }
"#;

const ASK: &str = "/usr/bin/python3 -c 'import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); print(s.recv(99).decode().strip())'";

#[test]
fn a_service_is_reached_by_its_socket_also_after_a_restart() {
    let all = [
        ("/run/service/sock", "/home/ann/service.sock", "ro"),
        ("/run/service", "/service", "ro"),
    ];
    for sandbox in [ann_with(&all), behind_pam(&all)] {
        for name in ["one", "two"] {
            sandbox.must(&format!("{SERVE} serve {name}"));
            let both = format!("{ASK} /home/ann/service.sock; {ASK} /service/sock");
            assert_eq!(ann(&sandbox, &both).ok(), format!("{name}\n{name}"));
        }
        // What its owner could put there instead is not shown.
        for plant in [
            "ln -s /run/other /run/service/sock",
            "echo text >/run/service/sock; chown bin /run/service/sock",
            "mkdir /run/service/sock; chown bin /run/service/sock",
        ] {
            sandbox.must(&format!("rm -rf /run/service/sock; {plant}"));
            assert_ne!(ann(&sandbox, "echo in").code(), Some(0), "{plant}");
        }
    }
}

#[test]
fn refuses_a_socket_that_its_user_or_others_could_exchange() {
    let sandbox = ann_with(&[("/run/service/sock", "/sock", "ro")]);
    let socket = "/usr/bin/python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"/run/service/sock\")'";
    for (plant, fine) in [
        ("chown bin /run/service /run/service/sock", true),
        ("chown -R root /run/service", true),
        ("chown -R bin /run/service; chmod g+w /run/service", true),
        ("chown -R ann /run/service", false),
        ("chown bin /run/service", false),
        ("chown bin /run/service; chown bob /run/service/sock", false),
        ("chown -R bin /run/service; chmod o+w /run/service", false),
        ("chown -R bin /run/service; chmod 1777 /run/service", false),
        ("chgrp games /run/service; chmod g+w /run/service", false),
    ] {
        sandbox.must(&format!(
            "rm -rf /run/service; mkdir /run/service; {socket}; {plant}"
        ));
        if fine {
            ann(&sandbox, "test -S /sock").ok();
        } else {
            refused(&sandbox, "root-unsafe", "/run/service");
        }
    }
}

#[test]
fn a_mount_gives_no_right_that_its_files_do_not() {
    let sandbox = ann_with(&[("/srv/linked", "/linked", "rw"), ("/srv/data", "/data", "rw")]).with(
        "echo secret >/srv/secret; chmod 600 /srv/secret; ln /srv/secret /srv/linked
         install -d -m 777 -o bob /srv/data; install -m 4755 /usr/bin/id /srv/data/id; mknod -m 666 /srv/data/null c 1 3",
    );
    for command in [
        "cat /linked",
        "echo x >>/linked",
        "rm -f /linked",
        "echo >/data/null",
    ] {
        assert_ne!(ann(&sandbox, command).code(), Some(0), "{command}");
    }
    assert_eq!(ann(&sandbox, "/data/id -u").ok(), sandbox.must("id -u ann"));
    assert_eq!(sandbox.read("/srv/secret"), "secret");
}

#[test]
fn a_source_that_holds_the_jail_itself_is_no_way_out_of_it() {
    let sandbox = ann_with(&[("/srv", "/all", "rw")])
        .with("echo secret >/srv/jails/file; mkdir -m 777 /srv/open");
    let script = "cd /all/jails/ann/home/ann && mkdir -p a/b && cd a/b && mv /all/jails/ann/home/ann/a /all/open/ && ls ../../.. && cd ../../../.. && pwd -P && ls /home";
    let seen = ann(&sandbox, script).ok().to_owned();
    assert!(seen.ends_with("/\nann"), "{seen}");
    // Two logins have one view each of the same.
    ann(&sandbox, "test -d /all/open/a/b").ok();
    let refused = sandbox.run_as(
        "ann",
        &[
            JAIL_SHELL,
            "-c",
            "ls /all/jails/ann/home/../../../../../etc/shadow",
        ],
    );
    assert_ne!(refused.code(), Some(0), "{refused}");
}

#[test]
fn behind_pam_no_mount_covers_what_root_code_reads_not_even_by_a_link() {
    let root = roots::programs(&["/usr/bin/id", "/bin/ls"]);
    let keys = format!(
        "shell = \"/bin/bash\"\n{}",
        mounts(&[("/srv/data", "/data", "ro")])
    );
    let sandbox = Sandbox::with_ann_behind_pam(root, &keys).with(
        "mkdir /srv/jails/ann/data; mv /srv/jails/ann/etc /srv/jails/ann/data/etc; ln -s data/etc /srv/jails/ann/etc
         install -d -m 777 -o www-data /srv/data",
    );
    let seen = ann(&sandbox, "echo GOTIN");
    assert!(!seen.stdout.contains("GOTIN"), "{seen}");
    sandbox.module_logged(&["refused code=root-unsafe", "mounts has the target /data"]);
    sandbox.must("rm /srv/jails/ann/etc; mv /srv/jails/ann/data/etc /srv/jails/ann/etc");
    assert_eq!(ann(&sandbox, "echo GOTIN").ok(), "GOTIN");
}
