//! What a session sees: the host's system or another's around a home directory, and what the config adds and takes away.

use login_jail_tests::{Outcome, Sandbox, roots, skipped};

/// A config for one jail that the users named share.
fn config(users: &[&str], keys: &str) -> String {
    let users: String = users
        .iter()
        .map(|user| format!("{user} = \"view\"\n"))
        .collect();
    format!(
        "[users]\n{users}\n[jails.view]\nroot = \"/srv/jails/{{user}}\"\nshell = \"/bin/bash\"\n{keys}\n"
    )
}

/// ann, with nothing but a home directory on disk, in a jail with these keys; bob, whom she should not see.
fn jail(keys: &str) -> Sandbox {
    Sandbox::new()
        .plain_user("bob")
        .user("ann")
        .root(roots::home())
        .config(&config(&["ann"], keys))
}

fn host_view() -> Sandbox {
    jail("base = \"host\"")
}

/// The user owns their root, and it has no base.
fn owned(keys: &str) -> Sandbox {
    Sandbox::new()
        .plain_user("bob")
        .user("ann")
        .root(roots::busybox())
        .with("chown ann: /srv/jails/ann; usermod --append --groups games ann")
        .config(
            &config(&["ann"], &format!("root_owner = \"user\"\n{keys}")).replace("/bash", "/sh"),
        )
}

/// Runs a command in ann's jail, without sshd around it.
#[track_caller]
fn ann(sandbox: &Sandbox, command: &str) -> Outcome {
    sandbox.run_as("ann", &[login_jail_tests::JAIL_SHELL, "-c", command])
}

/// A program that the machine may lack, what to run of it, and what that prints.
type Work = (&'static str, &'static str, &'static str);

#[track_caller]
fn each_works(sandbox: &Sandbox, works: &[Work], run: impl Fn(&str) -> Outcome) {
    for (program, command, expected) in works {
        if sandbox.sh(&format!("command -v {program}")).code() != Some(0) {
            skipped(command, format!("{program} is not installed"));
            continue;
        }
        let outcome = run(command);
        assert!(outcome.stdout.contains(expected), "{command}: {outcome}");
        assert_eq!(outcome.code(), Some(0), "{command}: {outcome}");
    }
}

const SYSTEM: [Work; 17] = [
    ("bash", "bash --version", "GNU bash"),
    ("ls", "ls -d /usr /bin/ls && cat --version", "coreutils"),
    (
        "python3",
        "/usr/bin/python3 -c 'import ssl, sqlite3; print(6 * 7)'",
        "42",
    ),
    ("git", "git --version", "git version"),
    ("perl", "perl -MPOSIX -e 'print 6 * 7'", "42"),
    ("gcc", "gcc --version", "gcc"),
    ("make", "make --version", "GNU Make"),
    ("vim", "vim --version", "VIM"),
    ("tmux", "tmux -V", "tmux"),
    (
        "tput",
        "TERM=xterm tput cols && TERM=xterm clear && echo done",
        "done",
    ),
    ("locale", "LC_ALL=C.UTF-8 locale charmap", "UTF-8"),
    (
        "date",
        "test -e /etc/localtime && TZ=Asia/Tokyo date +%Z",
        "JST",
    ),
    (
        "openssl",
        "openssl x509 -noout -subject -in $(ls -d /etc/ssl/certs/*.pem | head -n 1)",
        "subject",
    ),
    (
        "id",
        "whoami; id -gn; echo ~ann; ls -ld /home/ann",
        "ann\nann\n/home/ann\ndrwxr-xr-x",
    ),
    (
        "getent",
        "getent hosts localhost && getent services ssh",
        "22/tcp",
    ),
    // Without its config it complains and fails, and so does man(1).
    ("manpath", "manpath 2>&1", "/usr/share/man"),
    (
        "df",
        "df / && bash -c 'cat <(echo substituted)'",
        "substituted",
    ),
];

#[test]
fn a_home_directory_on_disk_is_enough_for_the_hosts_system() {
    let sandbox =
        host_view().with("rm -f /etc/resolv.conf; echo nameserver 192.0.2.1 >/etc/resolv.conf");
    let before = sandbox.must("cd /srv/jails; find . | sort; du -s .");
    each_works(&sandbox, &SYSTEM, |command| ann(&sandbox, command));
    for file in ["/etc/resolv.conf", "/etc/hosts", "/etc/ld.so.cache"] {
        let sum = format!("md5sum <{file}");
        assert_eq!(ann(&sandbox, &sum).ok(), sandbox.must(&sum), "{file}");
    }
    assert_eq!(
        sandbox.must("cd /srv/jails; find . | sort; du -s ."),
        before
    );
    assert!(
        sandbox
            .sftp("ann", "pwd\nls /usr/bin/env\n")
            .ok()
            .contains("/home/ann")
    );
}

#[test]
fn the_hosts_system_is_read_only() {
    let sandbox = host_view();
    // By root's own rights nothing would be: a directory of the host that everybody may write shows it.
    sandbox.must("mkdir -m 1777 /usr/open; install -m 666 /dev/null /usr/open/file");
    for command in [
        "touch /usr/open/new",
        "echo x >/usr/open/file",
        "chmod 700 /usr/open",
        "touch /new",
        "touch /etc/new",
        "touch /run/new",
        "mkdir /etc/ssl/certs/new",
    ] {
        assert_ne!(ann(&sandbox, command).code(), Some(0), "{command}");
    }
    ann(&sandbox, "touch ~/mine /tmp/mine /dev/shm/mine").ok();
    assert_eq!(sandbox.must("ls -A /usr/open; cat /usr/open/file"), "file");
}

#[test]
fn what_the_host_replaces_is_there_at_the_next_login() {
    let sandbox = host_view();
    for version in ["1.0", "2.0"] {
        sandbox.must(&format!(
            "printf '#!/bin/sh\\necho {version}\\n' >/usr/bin/tool.new
             chmod 755 /usr/bin/tool.new; mv /usr/bin/tool.new /usr/bin/tool"
        ));
        assert_eq!(ann(&sandbox, "tool").ok(), version);
    }
    // As a file written anew, as one renamed into place, and as systemd-resolved does it.
    for (script, expected) in [
        ("rm -f /etc/resolv.conf; echo a >/etc/resolv.conf", "a"),
        ("echo b >/etc/new; mv /etc/new /etc/resolv.conf", "b"),
        (
            "mkdir /run/resolve; echo c >/run/resolve/stub; ln -sf ../run/resolve/stub /etc/resolv.conf",
            "c",
        ),
        ("echo d >/run/new; mv /run/new /run/resolve/stub", "d"),
    ] {
        sandbox.must(script);
        assert_eq!(
            ann(&sandbox, "cat /etc/resolv.conf").ok(),
            expected,
            "{script}"
        );
    }
}

#[test]
fn a_link_out_of_etc_leads_to_no_secret() {
    let sandbox = host_view().with(
        "mkdir /run/daemon; chown bob /run/daemon
         ln -sf /run/daemon/resolv.conf /etc/resolv.conf
         mkdir -m 700 /root/private; echo secret >/root/private/file; chmod 644 /root/private/file",
    );
    let inside = "cat /etc/resolv.conf";
    for plant in [
        "ln -s /etc/shadow /run/daemon/resolv.conf",
        "ln -s /root/private/file /run/daemon/resolv.conf",
        "mkfifo /run/daemon/resolv.conf",
        "mkdir /run/daemon/resolv.conf",
        "ln -s resolv.conf /run/daemon/resolv.conf",
    ] {
        sandbox.run_as("bob", &["sh", "-c", plant]).ok();
        let seen = ann(&sandbox, inside);
        assert_eq!(seen.stdout, "", "{plant}: {seen}");
        assert_eq!(ann(&sandbox, "echo in").ok(), "in", "{plant}");
        sandbox.must("rm -rf /run/daemon/resolv.conf");
    }
    sandbox.must("install -m 600 /etc/hosts /run/daemon/resolv.conf");
    assert_eq!(ann(&sandbox, inside).stdout, "");
    sandbox.must("chmod 644 /run/daemon/resolv.conf");
    assert_eq!(ann(&sandbox, inside).ok(), sandbox.read("/etc/hosts"));
}

#[test]
fn etc_is_an_allow_list() {
    let sandbox = host_view()
        .with("usermod --append --groups games ann; echo x >/etc/sudoers; mkdir -p /etc/cron.d /etc/ssl/private");
    let names = ann(&sandbox, "cd /etc; ls -A . ssl").ok().to_owned();
    for secret in [
        "shadow",
        "gshadow",
        "passwd-",
        "sudoers",
        "cron.d",
        "ssh",
        "pam.d",
        "login-jail",
        "machine-id",
        "private",
        "security",
        "default",
        "hostname",
    ] {
        assert!(
            !names.lines().any(|name| name == secret),
            "{secret} in {names}"
        );
    }
    let ids = sandbox.must("echo $(id -u ann):$(id -g ann)");
    let passwd = format!(
        "ann:x:{ids}::/home/ann:/bin/bash\nroot:x:0:0:root:/root:/usr/sbin/nologin\n\
         nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin"
    );
    assert_eq!(ann(&sandbox, "cat /etc/passwd").ok(), passwd);
    let mut groups: Vec<String> = ann(&sandbox, "cut -d: -f1,4 /etc/group")
        .ok()
        .lines()
        .map(str::to_owned)
        .collect();
    groups.sort();
    assert_eq!(groups, ["ann:ann", "games:ann", "nogroup:", "root:"]);
    assert_eq!(ann(&sandbox, "cat /etc/* | grep -c bob").stdout.trim(), "0");
    let ways = "ls -A /root /home/bob /srv /work /boot /var/spool/cron 2>&1 | grep -vc 'No such'";
    assert_eq!(ann(&sandbox, ways).stdout.trim(), "0");
}

/// The same session behind PAM: su opens it.
fn behind_pam(keys: &str) -> Sandbox {
    Sandbox::with_ann_behind_pam(roots::home(), &format!("shell = \"/bin/bash\"\n{keys}"))
}

/// Programs that find part of themselves by their settings in /etc, and what shows that they do.
const WITH_SETTINGS: [(&str, &str); 9] = [
    (
        "php",
        "php -m; php -r 'echo php_ini_loaded_file(), count(explode(\",\", php_ini_scanned_files()));'",
    ),
    (
        "perl",
        "perl -MXML::SAX -e 'print map { \"$_->{Name}\\n\" } @{XML::SAX->parsers}'",
    ),
    ("mvn", "mvn -version | head -n 1"),
    (
        "python3",
        "/usr/bin/python3 -c 'import mimetypes, sitecustomize; print(mimetypes.guess_type(\"a.rst\"), sitecustomize.__file__)'",
    ),
    ("git", "git config --system --list"),
    ("vim", "vim --version | grep vimrc"),
    ("fc-list", "fc-list : family | sort"),
    (
        "java",
        "java -XshowSettings:security -version 2>&1 | grep -i provider | sort",
    ),
    ("file", "file --mime-type /usr/bin/env"),
];

#[test]
fn programs_have_the_settings_that_they_have_on_the_host() {
    for sandbox in [host_view(), behind_pam("base = \"host\"")] {
        for (program, command) in WITH_SETTINGS {
            let here = sandbox.sh(&format!("command -v {program} >/dev/null && {command}"));
            if here.code() != Some(0) {
                skipped(
                    command,
                    format!("{program} does not do that on this machine: {here}"),
                );
                continue;
            }
            let inside = sandbox.su_c("ann", command);
            assert_eq!(inside.ok(), here.ok(), "{command}");
        }
    }
}

/// Settings as packages put them, which this machine may lack: of R, ImageMagick, chromium, several versions of PHP and
/// Java, and of the server that runs PHP.
const PLANTED: &str = "
    mkdir -p /etc/R /etc/ImageMagick-9 /etc/chromium.d /etc/php/9.9/cli/conf.d /etc/php/9.9/mods-available \\
             /etc/php/9.9/fpm/pool.d /etc/java-99-openjdk/security /etc/perl/XML/SAX /usr/lib/R/etc
    echo R >/etc/R/Renviron; ln -sf /etc/R/Renviron /usr/lib/R/etc/Renviron
    echo policy >/etc/ImageMagick-9/policy.xml; echo flags >/etc/chromium.d/flags
    echo ini >/etc/php/9.9/cli/php.ini; echo module >/etc/php/9.9/mods-available/xml.ini
    ln -sf /etc/php/9.9/mods-available/xml.ini /etc/php/9.9/cli/conf.d/20-xml.ini
    echo 'env[PASSWORD] = secret' >/etc/php/9.9/fpm/pool.d/www.conf
    echo java >/etc/java-99-openjdk/security/java.security; echo npm >/etc/npmrc";

#[test]
fn what_packages_of_developers_read_is_shown_and_what_servers_read_is_not() {
    for sandbox in [host_view(), behind_pam("base = \"host\"")] {
        sandbox.must(PLANTED);
        let files = "/usr/lib/R/etc/Renviron /etc/ImageMagick-9/policy.xml /etc/chromium.d/flags /etc/php/9.9/cli/php.ini \
                     /etc/php/9.9/cli/conf.d/20-xml.ini /etc/java-99-openjdk/security/java.security /etc/npmrc";
        let seen = sandbox.su_c("ann", &format!("cat {files}"));
        assert_eq!(seen.ok(), "R\npolicy\nflags\nini\nmodule\njava\nnpm");
        let shut = sandbox.su_c(
            "ann",
            "ls /etc/php/9.9; cat /etc/php/9.9/fpm/pool.d/www.conf",
        );
        assert_eq!(shut.stdout, "cli\nmods-available\n", "{shut}");
        assert_ne!(
            sandbox.su_c("ann", "echo x >/etc/R/Renviron").code(),
            Some(0)
        );
    }
}

#[test]
fn further_entries_of_etc_are_shown_as_far_as_everybody_may_read_them() {
    let keys = "base = \"host\"\n\
                etc = [\"tool\", \"one.conf\", \"link.conf\", \"long\", \"php\", \"none\", \"theirs\", \"shut\", \"shut.conf\", \"node\"]";
    for sandbox in [jail(keys), behind_pam(keys)] {
        sandbox.must(PLANTED);
        sandbox.must(
            "mkdir -p /etc/tool/below /etc/theirs; mkdir -m 700 /etc/shut; echo tool >/etc/tool/below/file; echo one >/etc/one.conf
             echo secret >/etc/tool/key; chmod 600 /etc/tool/key; install -m 4755 /usr/bin/id /etc/tool/id
             mkdir /opt/l; echo link >/opt/l/file; ln -s ../opt/l/file /etc/link.conf; seq 9999 >/etc/long
             echo x >/etc/theirs/file; chown -R www-data /etc/theirs; echo x >/etc/shut/file; chmod 644 /etc/shut/file
             install -m 640 /etc/hosts /etc/shut.conf; mknod -m 666 /etc/node c 1 3",
        );
        let command = "cat /etc/tool/below/file /etc/one.conf /etc/link.conf; wc -l </etc/long; cat /etc/php/9.9/fpm/pool.d/www.conf /etc/php/9.9/cli/php.ini";
        assert_eq!(
            sandbox.su_c("ann", command).ok(),
            "tool\none\nlink\n9999\nenv[PASSWORD] = secret\nini"
        );
        for command in [
            "cat /etc/tool/key",
            "ls -d /etc/theirs",
            "ls -d /etc/shut",
            "ls -d /etc/shut.conf",
            "ls -d /etc/node",
            "ls -d /etc/none",
            "touch /etc/tool/new",
            "echo x >/etc/one.conf",
        ] {
            assert_ne!(sandbox.su_c("ann", command).code(), Some(0), "{command}");
        }
        let uid = sandbox.must("id -u ann");
        assert_eq!(sandbox.su_c("ann", "/etc/tool/id -u").ok(), uid);
    }
}

#[test]
fn a_name_that_passwd_cannot_hold_is_refused() {
    let sandbox = jail("base = \"host\"\nhome = \"/home/a:b\"");
    assert_ne!(ann(&sandbox, "echo in").code(), Some(0));
    sandbox.logged(&["code=step", "/home/a:b", "has a colon"]);
}

#[test]
fn set_user_id_programs_of_the_host_have_no_effect() {
    let sandbox = host_view().with("install -m 4755 /usr/bin/id /usr/bin/id-as-root; install -m 2755 -g shadow /usr/bin/id /usr/bin/id-as-shadow");
    let bob = sandbox.run_as("bob", &["id-as-root", "-u"]);
    assert_eq!(bob.ok(), "0", "it has an effect outside");
    let uid = sandbox.must("id -u ann");
    assert_eq!(ann(&sandbox, "id-as-root -u").ok(), uid);
    assert!(!ann(&sandbox, "id-as-shadow").ok().contains("egid"));
    for command in [
        "su -c id",
        "passwd -l ann",
        "mount -t tmpfs x /tmp",
        "unshare -rm true",
    ] {
        assert_ne!(ann(&sandbox, command).code(), Some(0), "{command}");
    }
}

const WORK: [Work; 13] = [
    (
        "bash",
        "bash -ic 'sleep 0.1 & fg; echo job done'",
        "job done",
    ),
    (
        "vim",
        "vim -u NONE -c 'normal iwritten' -c 'wq' ~/text && cat ~/text",
        "written",
    ),
    (
        "tmux",
        "tmux new -d 'tty >~/tty; echo tmux >>~/tty; tmux wait -S over' ';' wait over && cat ~/tty",
        "/dev/pts/",
    ),
    (
        "git",
        "cd $(mktemp -d) && git init -q && echo a >a && git add a && git -c user.name=a -c user.email=a@b commit -qm m && git log --oneline | wc -l && git clone -q . b && ls b",
        "a",
    ),
    (
        "python3",
        "/usr/bin/python3 -c 'import subprocess; print(subprocess.check_output([\"echo\", \"child\"]))'",
        "child",
    ),
    (
        "python3",
        "/usr/bin/python3 -c 'import multiprocessing as m; p = m.Pool(2); print(\"sum\", sum(p.map(abs, range(5)))); m.Semaphore(); q = m.Queue(); q.put(1); q.get()'",
        "sum 10",
    ),
    (
        "python3",
        "/usr/bin/python3 -c 'import asyncio; print(asyncio.run(asyncio.sleep(0.01, \"slept\")))'",
        "slept",
    ),
    (
        "gcc",
        "cd /tmp && echo 'int main(void) { return 6 * 7; }' >a.c && printf 'a: a.c\\n\\tgcc -g -o a a.c\\n' >Makefile && make && { ./a; echo status $?; }",
        "status 42",
    ),
    (
        "gdb",
        "cd /tmp && echo 'int main(void) { return 6 * 7; }' >b.c && gcc -g -o b b.c && gdb -nx -batch -ex 'break main' -ex run -ex continue ./b",
        "exited with code 052",
    ),
    (
        "node",
        "node -e 'setTimeout(() => console.log(6 * 7), 10)'",
        "42",
    ),
    (
        "node",
        "node -e 'console.log(require(\"child_process\").execSync(\"echo child\").toString())'",
        "child",
    ),
    ("java", "java -version 2>&1", "Runtime"),
    (
        "script",
        "script -qc 'tty' /dev/null && tty",
        "/dev/console",
    ),
];

#[test]
fn ordinary_work_notices_nothing() {
    let sandbox = host_view();
    each_works(&sandbox, &WORK, |command| {
        sandbox.ssh_tty("ann", Some(command)).finish()
    });
}

/// openat2(2) gives a path with `..` up while anything on the machine is renamed, and the host's /etc is full of such links.
#[test]
fn renames_elsewhere_on_the_machine_refuse_nobody() {
    let sandbox = host_view();
    sandbox.must("cd /usr/share && mkdir -p renamed/a && ln -s ../usr/share/renamed /etc/php");
    let script = "cd /tmp; for n in 1 2; do
                      perl -e 'open F, \">a$$\"; for (;;) { rename \"a$$\", \"b$$\"; rename \"b$$\", \"a$$\" }' & all=\"$all $!\"
                  done
                  n=0; while [ $n -lt 40 ]; do su ann -c true || echo refused; n=$((n + 1)); done; kill $all";
    assert_eq!(sandbox.sh(script).stdout, "", "{}", sandbox.syslog());
}

#[test]
fn java_compiles_and_runs() {
    let sandbox = host_view();
    let program = "class A { public static void main(String[] a) throws Exception { Thread t = new Thread(() -> System.out.println(6 * 7)); t.start(); t.join(); } }";
    sandbox.write("/srv/jails/ann/home/ann/A.java", program);
    each_works(&sandbox, &[("javac", "java ~/A.java", "42")], |command| {
        sandbox.ssh_tty("ann", Some(command)).finish()
    });
}

#[test]
fn another_system_serves_any_number_of_users() {
    let debian = match roots::debian() {
        Ok(root) => root,
        Err(reason) => return skipped("a Debian base", reason),
    };
    let sandbox = Sandbox::new()
        .user("image")
        .root(debian)
        .with("rm -rf /srv/jails/image/etc/resolv.conf; echo old >/srv/jails/image/etc/resolv.conf; echo of the image >/srv/jails/image/etc/mark; echo >/usr/bin/only-on-the-host")
        .user("ann")
        .root(roots::home())
        .user("bea")
        .root(roots::home())
        .config(&config(&["ann", "bea"], "base = \"/srv/jails/image\""));
    let before = sandbox.must("cd /srv/jails; find ann bea | sort");
    for user in ["ann", "bea"] {
        let run = |command| sandbox.ssh(user, command);
        assert_eq!(
            run("whoami; id -gn; pwd").ok(),
            format!("{user}\n{user}\n/home/{user}")
        );
        assert_eq!(
            run("cat /etc/mark; ls /home").ok(),
            format!("of the image\n{user}")
        );
        assert!(run("dpkg --list").ok().contains("base-files"));
        assert_eq!(run("touch /usr/x /etc/x /var/x").code(), Some(1));
        assert_eq!(run("cat /usr/bin/only-on-the-host").code(), Some(1));
        assert_eq!(
            run("cat /etc/resolv.conf").ok(),
            sandbox.must("cat /etc/resolv.conf")
        );
    }
    assert_eq!(sandbox.must("cd /srv/jails; find ann bea | sort"), before);
}

#[test]
fn what_the_root_has_hides_what_the_base_has() {
    let sandbox = host_view().with(
        "cd /srv/jails/ann; mkdir etc opt; echo mine >etc/mine; echo text >file; ln -s home/ann here; ln -s /nowhere sbin
         ln -s opt run; mkfifo pipe",
    );
    assert_eq!(ann(&sandbox, "ls /etc").ok(), "mine");
    assert_eq!(
        ann(&sandbox, "readlink /here /sbin /run").ok(),
        "home/ann\n/nowhere\nopt"
    );
    assert_eq!(ann(&sandbox, "cat /file; ls -d /pipe").stdout, "text\n");
    let links = "for name in bin lib lib64; do readlink /$name; done";
    assert_eq!(ann(&sandbox, links).ok(), sandbox.must(links));
    assert!(ann(&sandbox, "readlink /bin").ok().starts_with("usr"));
}

#[test]
fn more_entries_than_a_view_can_have_are_refused() {
    let sandbox = host_view().with("cd /srv/jails/ann; for i in $(seq 200); do mkfifo $i; done");
    let refused = ann(&sandbox, "echo in");
    assert_ne!(refused.code(), Some(0), "{refused}");
    sandbox.logged(&[
        "code=step",
        "more than 128 entries",
        "move some below a directory",
    ]);
    sandbox.must("cd /srv/jails/ann; for i in $(seq 60 200); do rm $i; done");
    assert_eq!(ann(&sandbox, "echo in").ok(), "in");
}

#[test]
fn mounts_show_what_the_config_says_as_it_says() {
    let sandbox = jail(
        "base = \"host\"
         mounts = [
            { source = \"/srv/data\", target = \"/data\", mode = \"ro\" },
            { source = \"/srv/data\", target = \"/home/ann/deep/er\", mode = \"ro\" },
            { source = \"/srv/share\", target = \"/home/ann/share\", mode = \"rw\" },
         ]",
    )
    .with(
        "mkdir -p /srv/data/sub /srv/share; echo a >/srv/data/a
         mount -t tmpfs -o mode=1777 tmpfs /srv/data/sub; echo b >/srv/data/sub/b; chmod 666 /srv/data/sub/b
         install -m 4755 /usr/bin/id /srv/data/sub/id; mkdir -m 777 /srv/share/open; mknod -m 666 /srv/share/null c 1 3",
    );
    assert_eq!(
        ann(&sandbox, "cat /data/a /data/sub/b ~/deep/er/sub/b").ok(),
        "a\nb\nb"
    );
    for command in [
        "touch /data/sub/new",
        "echo x >/data/sub/b",
        "touch ~/deep/er/sub/new",
        "touch /data/new",
        "cat ~/share/null",
    ] {
        assert_ne!(ann(&sandbox, command).code(), Some(0), "{command}");
    }
    assert_eq!(
        ann(&sandbox, "/data/sub/id -u").ok(),
        sandbox.must("id -u ann")
    );
    ann(&sandbox, "echo new >~/share/open/new").ok();
    assert_eq!(sandbox.read("/srv/share/open/new"), "new");
    sandbox.must("rm -rf /srv/jails/ann/home/ann/deep; ln -s /etc /srv/jails/ann/home/ann/deep");
    assert_ne!(ann(&sandbox, "echo in").code(), Some(0));
    sandbox.logged(&["code=step", "/home/ann/deep in the jail is a symbolic link"]);
}

#[test]
fn without_a_network_nothing_is_reachable_but_oneself() {
    let listening = "/usr/bin/python3 -c 'import socket; s = socket.create_server((\"127.0.0.1\", 0)); socket.create_connection(s.getsockname(), 1); print(\"own\")'";
    let outside = "timeout 2 bash -c '</dev/tcp/127.0.0.1/22' && echo reached";
    for (network, reached) in [
        ("\"none\"", false),
        ("\"host\"", true),
        ("{ connect = [1] }", false),
        ("{ connect = [22] }", true),
    ] {
        let sandbox = jail(&format!("base = \"host\"\nnetwork = {network}"));
        sandbox.must("ip link set lo up; setsid /usr/bin/python3 -c 'import socket, time; s = socket.create_server((\"127.0.0.1\", 22)); time.sleep(60)' >/dev/null 2>&1 & sleep 0.5");
        let seen = ann(&sandbox, outside);
        assert_eq!(seen.stdout == "reached\n", reached, "{network}: {seen}");
        if network == "\"none\"" {
            assert_eq!(ann(&sandbox, listening).ok(), "own");
            let names = ann(
                &sandbox,
                "cut -d: -sf1 /proc/net/dev | tr -d ' '; cat /proc/net/route | wc -l",
            );
            assert_eq!(names.ok(), "lo\n1");
        }
    }
}

#[test]
fn proc_dev_and_tmp_are_the_sessions_own() {
    let sandbox = host_view()
        .with("echo host >/tmp/host; echo host >/dev/shm/host; sleep 1000 >/dev/null 2>&1 & sleep 1000 >/dev/null 2>&1 &");
    assert_eq!(
        ann(&sandbox, "ls -A /tmp /dev/shm").ok(),
        "/dev/shm:\n\n/tmp:"
    );
    let own = ann(&sandbox, "ls -d /proc/[0-9]* | wc -l; true");
    // The shell, ls and wc, of which one may be on its way.
    assert!(
        own.ok().parse::<u32>().is_ok_and(|count| count <= 4),
        "{own}"
    );
    assert_ne!(
        ann(&sandbox, "ls -d /proc/1").code(),
        Some(0),
        "init is hidden"
    );
    assert_ne!(
        ann(&sandbox, "echo 1 >/proc/sys/kernel/ns_last_pid").code(),
        Some(0)
    );

    let nodes =
        "console core fd full log null ptmx pts random shm stderr stdin stdout tty urandom zero";
    let listed = sandbox.ssh_tty("ann", Some("echo $(ls /dev); ls -A /dev/pts; tty; stat -Lc %F /dev/null; echo x >/dev/null; echo y >/dev/tty")).finish();
    assert_eq!(
        listed.ok().replace('\r', ""),
        format!(
            "{}\nptmx\n/dev/console\ncharacter special file\ny",
            nodes.replace("core ", "")
        )
    );
    let pair = "/usr/bin/python3 -c 'import os, pty; m, s = pty.openpty(); print(os.ttyname(s)); os.write(m, b\"typed\\n\"); print(os.read(s, 9))'";
    assert_eq!(ann(&sandbox, pair).ok(), "/dev/pts/0\nb'typed\\n'");
    assert_eq!(
        ann(&sandbox, "stat -c %a:%u:%g /tmp /dev/shm /dev/null /dev").ok(),
        "1777:0:0\n1777:0:0\n666:0:0\n755:0:0"
    );
}

#[test]
fn no_mount_of_the_session_gives_privileges_or_names_the_hosts() {
    let sandbox = host_view().with("mkdir /mnt/other; mount -t tmpfs other /mnt/other");
    let mounts = ann(&sandbox, "cat /proc/self/mountinfo").ok().to_owned();
    for line in mounts.lines() {
        let fields: Vec<&str> = line.split(' ').collect();
        let (point, options) = (fields[4], fields[5]);
        assert!(
            options.split(',').any(|option| option == "nosuid"),
            "{line}"
        );
        let nodev = options.split(',').any(|option| option == "nodev");
        assert!(
            nodev || point == "/dev" || point == "/dev/pts" || point == "/dev/console",
            "{line}"
        );
        assert!(
            !line.contains("shared:") && !line.contains("master:"),
            "{line}"
        );
        assert!(
            !point.starts_with("/mnt") && !point.starts_with("/srv"),
            "{line}"
        );
        if point.starts_with("/usr") || point.starts_with("/etc") || point == "/" {
            assert!(options.starts_with("ro,"), "{line}");
        }
    }
    assert!(mounts.lines().count() < 24, "{mounts}");
}

#[test]
fn proc_dev_and_tmp_of_the_root_are_what_the_root_has() {
    for base in ["none", "host"] {
        let sandbox = Sandbox::new().user("ann").root(roots::busybox()).config(
            &config(
                &["ann"],
                &format!("base = \"{base}\"\nproc = \"root\"\ndev = \"root\"\ntmp = \"root\""),
            )
            .replace("/bash", "/sh"),
        );
        sandbox.must("echo t >/srv/jails/ann/tmp/t; mkdir /srv/jails/ann/proc; echo p >/srv/jails/ann/proc/p; mknod -m 666 /srv/jails/ann/home/null c 1 3");
        let seen = ann(
            &sandbox,
            "cat /tmp/t /proc/p; echo x >/dev/null && echo works; echo $(ls /dev); cat /home/null || echo dead",
        );
        assert_eq!(seen.ok(), "t\np\nworks\nnull tty zero\ndead", "{base}");
    }
    let sandbox = jail("base = \"host\"\nproc = \"root\"\ndev = \"root\"\ntmp = \"root\"");
    assert_eq!(
        ann(
            &sandbox,
            "ls /proc /dev /tmp | wc -l; touch /tmp/x || echo none"
        )
        .ok(),
        "5\nnone"
    );
}

/// Everything that a user could want changed, written or mounted on: as it was before the user tried.
const HOST_STATE: &str = "stat -c '%n %i %U %a' /proc /dev /tmp /etc /home /home/bob /root /srv
    for tree in /etc /home/bob; do ls -laR $tree | md5sum; done
    cat /etc/passwd /etc/shadow | md5sum; cut -d' ' -f3-10 /proc/self/mountinfo";

#[test]
fn whatever_an_owner_plants_redirects_nothing() {
    let mounts = "mounts = [{ source = \"/srv/data\", target = \"/at/it\", mode = \"rw\" }]";
    for base in ["none", "host"] {
        let sandbox = owned(&format!("base = \"{base}\"\n{mounts}"))
            .with("mkdir /srv/data; cd /srv/jails/ann; mkdir -p at/it; chown -R ann: at");
        let before = sandbox.must(HOST_STATE);
        assert_eq!(ann(&sandbox, "echo in; ls -d /at/it").ok(), "in\n/at/it");
        for place in ["proc", "dev", "tmp", "at", "at/it", "etc", "home", "run"] {
            for (plant, what) in [
                ("ln -s /etc", "symbolic link"),
                ("ln -s /home/bob", "symbolic link"),
                ("ln -s ../../../etc", "symbolic link"),
                ("ln -s /proc/self/root/etc", "symbolic link"),
                ("mkfifo", "FIFO"),
                ("cp /etc/hosts", "regular file"),
                (
                    "python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])'",
                    "socket",
                ),
            ] {
                let plant = plant.replace("python3", "/usr/bin/python3");
                let script = format!(
                    "cd /srv/jails/ann && mkdir -p at && mv -T {place} saved; {plant} {place}"
                );
                sandbox.run_as("ann", &["sh", "-c", &script]).ok();
                let seen = ann(
                    &sandbox,
                    "echo in; cat /etc/shadow /home/bob/secret /etc/login-jail/config.toml 2>/dev/null",
                );
                let context = format!("base {base}, {plant} {place}: {seen}");
                match seen.code() {
                    Some(0 | 1) => assert_eq!(seen.stdout, "in\n", "{context}"),
                    _ => {
                        assert_eq!(seen.stdout, "", "{context}");
                        if ["proc", "dev", "tmp", "at", "at/it"].contains(&place) {
                            let named = format!("/{place} in the jail is a {what}");
                            sandbox.logged_last(&["code=step", &named]);
                        }
                    }
                }
                let undo = format!(
                    "cd /srv/jails/ann && rm -rf {place}; mv -T saved {place} 2>/dev/null; true"
                );
                sandbox.run_as("ann", &["sh", "-c", &undo]).ok();
            }
        }
        assert_eq!(sandbox.must(HOST_STATE), before, "base {base}");
        assert_eq!(ann(&sandbox, "echo in").ok(), "in");
    }
}

#[test]
fn a_huge_tree_in_the_root_is_hidden_and_no_hindrance() {
    let sandbox = owned("");
    sandbox.must("cd /srv/jails/ann; mkdir -p proc tmp; seq -f proc/%g 20000 | xargs mkdir; seq -f tmp/%g 20000 | xargs touch; chown -R ann: proc tmp");
    let start = std::time::Instant::now();
    assert_eq!(
        ann(&sandbox, "echo $(ls /tmp)in; ls /proc | grep -c 20000").stdout,
        "in\n0\n"
    );
    assert!(start.elapsed().as_secs() < 5, "{:?}", start.elapsed());
}

#[test]
fn an_owner_who_swaps_entries_during_logins_redirects_nothing() {
    if !std::path::Path::new("/usr/bin/python3").exists() {
        return skipped("swaps during logins", "no python3");
    }
    let swap = "
import ctypes, os
libc = ctypes.CDLL(None)
root = b'/srv/jails/ann/'
names = [b'proc', b'tmp', b'home', b'at', b'at/it', b'dev', b'etc']
for name in names:
    link = root + b'link-' + name.replace(b'/', b'-')
    try: os.symlink(b'/', link)
    except FileExistsError: pass
while True:
    for name in names:
        link = root + b'link-' + name.replace(b'/', b'-')
        for _ in range(2): libc.renameat2(-100, link, -100, root + name, 2)
";
    for base in ["none", "host"] {
        let sandbox = owned(&format!(
            "base = \"{base}\"\nmounts = [{{ source = \"/srv/data\", target = \"/at/it\", mode = \"rw\" }}]"
        ))
        .with("mkdir /srv/data; cd /srv/jails/ann; mkdir -p at/it proc; chown -R ann: at proc tmp home etc; echo host >/mark");
        let before = sandbox.must(HOST_STATE);
        sandbox.write("/usr/share/swap.py", swap);
        let login = "echo in; cat /mark /srv/mark /home/bob/.profile /proc/1/root/mark 2>/dev/null; ls -d /srv/jails 2>/dev/null; echo x >/etc/x 2>/dev/null; true";
        let argv = [
            "sh",
            "-c",
            &format!(
                "/usr/bin/python3 /usr/share/swap.py & swap=$!
             for i in $(seq 200); do {} -c '{login}' 2>/dev/null; echo $?; done; kill $swap",
                login_jail_tests::JAIL_SHELL
            ),
        ];
        let seen = sandbox.run_as("ann", &argv);
        let entered = seen.stdout.lines().filter(|line| *line == "in").count();
        let others: Vec<&str> = seen
            .stdout
            .lines()
            .filter(|line| *line != "in" && line.parse::<u8>().is_err())
            .collect();
        assert_eq!(others, Vec::<&str>::new(), "base {base}");
        assert!(entered > 0, "base {base}: some logins must get in: {seen}");
        assert_eq!(sandbox.must(HOST_STATE), before, "base {base}");
        println!("base {base}: {entered} of 200 logins entered");
    }
}
