use std::ffi::OsStr;

use super::{Reading, may_be_wanted_by, read};

#[test]
fn a_server_is_one_however_it_is_spelt() {
    for (line, asked, options) in [
        (
            "/usr/lib/openssh/sftp-server",
            "/usr/lib/openssh/sftp-server",
            &[][..],
        ),
        (
            "/usr/lib/openssh/sftp-server\t-l\tINFO",
            "/usr/lib/openssh/sftp-server",
            &["-l", "INFO"],
        ),
        (
            "/usr/lib//openssh/./sftp-server",
            "/usr/lib//openssh/./sftp-server",
            &[],
        ),
        (
            "  exec /usr/lib/openssh/sftp-server -e",
            "/usr/lib/openssh/sftp-server",
            &["-e"],
        ),
        (
            "exec -- /usr/lib/ssh/sftp-server",
            "/usr/lib/ssh/sftp-server",
            &[],
        ),
        (
            "'/usr/lib/openssh/sftp-server' -d \"/a b\"",
            "/usr/lib/openssh/sftp-server",
            &["-d", "/a b"],
        ),
        (
            "/usr/lib/openssh/sftp\\-server",
            "/usr/lib/openssh/sftp-server",
            &[],
        ),
        (
            "/opt/ssh/libexec/\"sftp-\"server",
            "/opt/ssh/libexec/sftp-server",
            &[],
        ),
        ("sftp-server -u 027", "sftp-server", &["-u", "027"]),
        ("internal-sftp  -l INFO", "internal-sftp", &["-l", "INFO"]),
        ("\nsftp-server\n", "sftp-server", &[]),
        (
            "/usr/lib/openssh/sftp-\\\nserver",
            "/usr/lib/openssh/sftp-server",
            &[],
        ),
    ] {
        let expected = Reading::Server {
            asked: asked.into(),
            options: options.iter().map(Into::into).collect(),
        };
        assert_eq!(read(OsStr::new(line)), expected, "{line:?}");
    }
}

#[test]
fn a_server_that_only_a_shell_could_start_is_seen() {
    for line in [
        "umask 027; exec /usr/lib/openssh/sftp-server",
        "/usr/lib/openssh/sftp-server -d $HOME",
        "/usr/lib/openssh/sftp-server -d ~",
        "/usr/lib/openssh/sftp-server 2>/dev/null",
        "/usr/lib/openssh/sftp-server &",
        "/usr/lib/openssh/sftp-server # the server",
        "/usr/lib*/openssh/sftp-server",
        "'/usr/lib/openssh/sftp-server",
        "LC_ALL=C /usr/lib/openssh/sftp-server",
        "A='b c' exec sftp-server",
        "nice -n 10 /usr/lib/openssh/sftp-server",
        "/usr/bin/env A=b sftp-server",
        "exec -a x /usr/lib/openssh/sftp-server",
        "command -p sftp-server",
        "exec nice sftp-server",
        "sh -c 'exec /usr/lib/openssh/sftp-server'",
        "/bin/bash5 -c \"/usr/lib/openssh/sftp-server\"",
        "busybox sh -c sftp-server",
        "eval '/usr/lib/openssh/sftp-server'",
        "S=/usr/lib/openssh/sftp-server; $S",
        "S=/usr/lib/openssh/sftp-server; \"$S\" -e",
        "$(command -v sftp-server)",
        "`which sftp-server`",
        "echo \"$(/usr/lib/openssh/sftp-server)\"",
        "true && (sftp-server)",
        "true|sftp-server",
        "{ sftp-server; }",
        "if true; then sftp-server; fi",
        "! sftp-server",
        "time -p sftp-server",
        "</dev/null sftp-server",
        "cd /tmp\nsftp-server",
        "python3 -c 'import os; os.execv(\"/usr/lib/openssh/sftp-server\", [\"x\"])'",
        "/lib64/ld-linux-x86-64.so.2 /usr/lib/openssh/sftp-server",
        "internal-sftp; id",
        "2>/dev/null /usr/lib/openssh/sftp-server",
        "2>/dev/null 3<&1 /usr/lib/openssh/sftp-server -e",
        "{log}>/dev/null /usr/lib/openssh/sftp-server",
        "exec 2>/dev/null /usr/lib/openssh/sftp-server -l INFO",
        "echo 2>/dev/null; 2>&1 internal-sftp",
        "function f { /usr/lib/openssh/sftp-server; }; f",
        "function echo { /usr/lib/openssh/sftp-server; }; echo",
        "function echo\n{ sftp-server; }\necho",
        "f() { sftp-server; }; f",
        "/usr/lib/openssh/sftp-serve[r]",
        "/usr/lib/openssh/sftp-serve?",
        "exec /usr/lib/openssh/sftp*",
        "/usr/lib/openssh/s*",
        "/usr/lib/openssh/*-server -l INFO",
        "/usr/lib/openssh/sftp-${S} -e",
        "/usr/lib/openssh/sftp-$S",
        "\"/usr/lib/openssh/sftp-$S\"",
        "/usr/lib/openssh/sftp{-,}server",
        "/usr/lib/openssh/sftp-$(echo server)",
        "internal-sft[p]",
        "S=x; our-starter /usr/lib/openssh/sftp-serve[r]",
        "our-starter /usr/lib/openssh/sftp-server",
        "begin; and sftp-server; end",
        "alias x=sftp-server; x",
        "for s in sftp-server; do $s; done",
        &format!("echo {} ; sftp-server", "$(".repeat(60_000)),
        &format!("echo {} sftp-server", "`\"`\"$(".repeat(20_000)),
    ] {
        let seen = read(OsStr::new(line));
        assert!(matches!(seen, Reading::Hidden(_)), "{line:?}: {seen:?}");
    }
}

#[test]
fn what_only_mentions_a_server_is_something_else() {
    for line in [
        "",
        "id",
        "ls -l /usr/lib/openssh/sftp-server",
        "grep sftp-server /etc/ssh/sshd_config | wc -l",
        "pgrep -x sftp-server && echo yes",
        "kill $(pgrep sftp-server)",
        "echo \"$(pgrep -c sftp-server) servers\"",
        "command -v sftp-server",
        "cd src; make sftp-server",
        "echo done # sftp-server",
        "echo x >sftp-server",
        "git commit -m 'nice: sftp-server; env'",
        "/usr/lib/openssh/sftp-server.sh",
        "/usr/lib/openssh/internal-sftpd",
        "sftp ann@other",
        "sh -c 'exec id' \"a b",
        "nice ls $HOME",
        "ls -l /usr/lib/openssh/sftp-serve[r] 2>/dev/null",
        "2>/dev/null ls /usr/lib/openssh/sftp-server",
        "[ -x /usr/lib/openssh/sftp-server ] && echo yes",
        "test -x /usr/lib/openssh/sftp-server || echo no",
        "S=/usr/lib/openssh/sftp-server; ls $S",
        "for f in *; do tar cf \"$f.tar\" $f; done",
        "case $1 in a) b;; s*) c;; *) d;; esac",
        "tar cf x.tar sftp-*.log 'sftp-serve[r]'",
        "curl http://internal-$HOST/",
        "$SHELL -c id",
        "~/bin/tool 2>&1 | tail",
        "function f { id; }; f",
    ] {
        assert_eq!(read(OsStr::new(line)), Reading::Other, "{line:?}");
    }
}

#[test]
fn a_client_that_asked_for_a_wrapper_may_want_sftp() {
    for line in [
        "/usr/local/bin/our-sftp -x",
        "gesftpserver",
        "internal-sftp",
    ] {
        assert!(may_be_wanted_by(OsStr::new(line)), "{line}");
    }
    for line in ["ls sftp", "scp -t /sftp", "rsync --server . sftp/", "", "'"] {
        assert!(!may_be_wanted_by(OsStr::new(line)), "{line}");
    }
}
