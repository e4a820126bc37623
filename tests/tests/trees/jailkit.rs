//! jailkit's presets and ours, side by side: what works in a root of each. jailkit is installed by `packaging/setup`.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::time::Duration;

use login_jail_tests::{Sandbox, skipped};

/// What both know, by the same names.
const PRESETS: &str = "basicshell interactiveshell netutils editors git rsync sftp scp";

/// ann's root, built with those presets.
fn ours() -> Sandbox {
    let sandbox = Sandbox::new().user("ann");
    let with = PRESETS.replace(' ', ",");
    sandbox.must("mkdir -p /srv/jails");
    let built = sandbox.jailctl(&["build", "/srv/jails/ann", "--with", &with, "--user", "ann"]);
    assert_eq!(built.code(), Some(0), "{built}");
    sandbox
}

/// Starts every program, as ann, and prints those that can't be started.
const START_ALL: &str = r#"
    for program in /usr/bin/* /usr/sbin/* /usr/lib/openssh/sftp-server; do
        [ -f "$program" ] && [ -x "$program" ] || continue
        echo "$program" >>/tmp/started
        said=$(timeout 5 "$program" --version </dev/null 2>&1); status=$?
        case $status:$said in
            126:* | 127:* | *"while loading shared libraries"* | *"bad interpreter"*) echo "$program: $status $said" ;;
        esac
    done
    [ "$(wc -l </tmp/started)" -gt 80 ] || echo "only $(wc -l </tmp/started) programs"
"#;

#[test]
fn every_program_of_the_presets_starts_inside() {
    let sandbox = ours();
    sandbox.write("/srv/jails/ann/start-all", START_ALL);
    assert_eq!(sandbox.ssh("ann", "bash /start-all").ok(), "");
}

/// What a user does, how it is seen to work, and whether it works in jailkit's root on this release of Debian.
const USES: [(&str, &str, &str, bool); 9] = [
    ("names", "id -un", "ann", false),
    (
        "the user's name, by the shell",
        r"echo \\u; bash -c 'echo ~ann'",
        "/home/ann",
        true,
    ),
    (
        "a locale",
        "LC_ALL=C.UTF-8; export LC_ALL; bash -c 'x=$(printf \"\\303\\251\"); echo ${#x}'",
        "\n1",
        false,
    ),
    (
        "the locale by name",
        "LC_ALL=C.UTF-8 locale charmap",
        "UTF-8",
        false,
    ),
    ("terminfo", "TERM=xterm-256color tput colors", "256", false),
    ("time zones", "TZ=Asia/Tokyo date +%Z", "JST", false),
    ("host names", "getent hosts localhost", "localhost", false),
    ("DNS", "getent hosts name.example", "192.0.2.53", false),
    ("a temporary directory", "mktemp", "/tmp/", false),
];

/// A name server that has one answer.
const NAME_SERVER: &str = r#"
import socket
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 53))
while True:
    asked, client = server.recvfrom(512)
    end = asked.index(b"\0", 12) + 5
    kind = asked[end - 4 : end - 2]
    answer = b"\xc0\x0c\0\1\0\1\0\0\0\1\0\4" + bytes([192, 0, 2, 53]) if kind == b"\0\1" else b""
    count = b"\0\1" if answer else b"\0\0"
    server.sendto(asked[:2] + b"\x81\x80\0\1" + count + b"\0\0\0\0" + asked[12:end] + answer, client)
"#;

#[test]
fn names_locales_terminals_time_zones_and_dns_work_where_jailkits_fail() {
    let sandbox = ours();
    sandbox.write("/run/name-server.py", NAME_SERVER);
    sandbox.must("setsid python3 /run/name-server.py >/dev/null 2>&1 </dev/null &");
    let jailkit = sandbox.sh("command -v jk_init").status.success();
    if jailkit {
        // Some twenty seconds: longer than the sandbox gives one command on a slow machine.
        let made = sandbox
            .command(&["sh", "-c", &format!("jk_init -j /srv/jailkit {PRESETS}")])
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        sandbox.must("grep ann: /etc/passwd >>/srv/jailkit/etc/passwd; grep ann: /etc/group >>/srv/jailkit/etc/group");
    } else {
        skipped("jk_init's root beside ours", "jailkit is not installed");
    }
    sandbox.must("rm -f /etc/resolv.conf; echo nameserver 127.0.0.1 >/etc/resolv.conf; sed -i 's/^hosts:.*/hosts: files dns/' /etc/nsswitch.conf");
    for root in ["/srv/jails/ann", "/srv/jailkit"] {
        sandbox.must(&format!(
            "mkdir -p {root}/etc; cp /etc/resolv.conf /etc/nsswitch.conf {root}/etc"
        ));
    }
    std::thread::sleep(Duration::from_millis(300));
    for (what, command, expected, in_jailkits) in USES {
        let here = sandbox.ssh("ann", command);
        let said = format!("\n{}\n", here.stdout);
        assert!(said.contains(expected), "{what}: {here}");
        if jailkit {
            let there = sandbox.run(&[
                "chroot",
                "--userspec=ann",
                "/srv/jailkit",
                "/bin/bash",
                "-c",
                command,
            ]);
            let said = format!("\n{}\n", there.stdout);
            assert_eq!(said.contains(expected), in_jailkits, "{what}: {there}");
        }
    }
}

#[test]
fn a_root_of_hard_links_takes_no_room_and_a_view_of_the_host_none_at_all() {
    let sandbox = Sandbox::new().user("ann").config("[users]\nann = \"ann\"\n[jails.ann]\nroot = \"/srv/jails/ann\"\nbase = \"host\"\nshell = \"/bin/bash\"\n");
    let with = PRESETS.replace(' ', ",");
    for (root, how) in [("/srv/copied", "--copy"), ("/srv/linked", "--hardlink")] {
        let built = sandbox.jailctl(&["build", root, "--with", &with, how]);
        assert_eq!(built.code(), Some(0), "{built}");
    }
    // What has a name outside of the root takes no room in it.
    let own = |root: &str| -> u64 {
        let sizes = sandbox.must(&format!(
            "find {root} -type f -links 1 -printf '%k\\n' | awk '{{ sum += $1 }} END {{ print sum + 0 }}'"
        ));
        sizes.parse().unwrap()
    };
    let (copied, linked) = (own("/srv/copied"), own("/srv/linked"));
    assert!(copied > 20 * 1024, "{copied} KiB");
    assert!(linked * 20 < copied, "{linked} of {copied} KiB");
    sandbox.must("install -d -o ann /srv/jails/ann/home/ann");
    assert_eq!(
        sandbox
            .ssh("ann", "git --version | cut -c 1-3; id -un")
            .ok(),
        "git\nann"
    );
    let view = own("/srv/jails/ann");
    assert!(view < 64, "{view} KiB");
}
