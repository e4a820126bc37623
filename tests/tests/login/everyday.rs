//! What people do all day works in a jail: ping, screen, a transfer that reaches a limit, a shell that an administrator has
//! limited; and where something can't work, the reason that is logged is the true one.

use login_jail_tests::fault::probe;
use login_jail_tests::{JAIL_SHELL, Sandbox, roots};

/// The line that has everybody use ICMP without a privilege, in the network namespace of the sandbox.
const ALLOW_PING: &str = "echo 0 2147483647 >/proc/sys/net/ipv4/ping_group_range";

/// ann behind jail-shell with the host's system, and these keys.
fn with_host_system(keys: &str) -> Sandbox {
    Sandbox::new()
        .user("ann")
        .root(roots::home())
        .config(&format!(
            "[users]\nann = \"web\"\n[jails.web]\nroot = \"/srv/jails/{{user}}\"\nbase = \"host\"\nshell = \"/bin/bash\"\n{keys}\n"
        ))
}

// ---- ping

#[test]
fn ping_works_where_the_kernel_lets_anybody() {
    let sandbox = with_host_system("").with(ALLOW_PING);
    let pinged = sandbox.ssh("ann", "ping -c 1 -w 5 127.0.0.1");
    assert!(pinged.ok().contains("1 received"), "{pinged}");
    let behind_pam =
        Sandbox::with_ann_behind_pam(roots::home(), "base = \"host\"\nshell = \"/bin/bash\"")
            .with(ALLOW_PING);
    let pinged = behind_pam.ssh("ann", "ping -c 1 -w 5 127.0.0.1");
    assert!(pinged.ok().contains("1 received"), "{pinged}");
}

// ---- screen

/// A session of screen is started, reattached to and ended, as a user would within one login.
const SCREEN: &str = "export TERM=xterm; screen -dmS work sh -c 'echo in-screen >screen.out; sleep 30'; \
                      for i in 1 2 3 4 5 6 7 8 9 10; do [ -s screen.out ] && break; sleep 0.2; done; \
                      screen -ls | grep work; cat screen.out; screen -S work -X quit";

#[test]
fn screen_works_at_both_doors() {
    for sandbox in [
        with_host_system(""),
        Sandbox::with_ann_behind_pam(roots::home(), "base = \"host\"\nshell = \"/bin/bash\""),
    ] {
        let seen = sandbox.ssh("ann", SCREEN);
        let shown = seen.ok();
        assert!(
            shown.contains(".work") && shown.ends_with("in-screen"),
            "{seen}"
        );
    }
}

#[test]
fn screen_works_in_a_root_built_with_it() {
    let sandbox = Sandbox::new().user("ann").config(
        "[users]\nann = \"web\"\n[jails.web]\nroot = \"/srv/jails/{user}\"\nshell = \"/bin/bash\"\n",
    );
    sandbox.must(
        "jailctl build /srv/jails/ann --with screen,basicshell --user ann >/dev/null; install -d -o ann /srv/jails/ann/home/ann",
    );
    let seen = sandbox.ssh("ann", SCREEN);
    let shown = seen.ok();
    assert!(
        shown.contains(".work") && shown.ends_with("in-screen"),
        "{seen}"
    );
}

// ---- a file over `fsize`

#[test]
fn a_transfer_over_the_file_limit_fails_with_a_reason() {
    // What sftp sends at once: the next piece begins at the limit.
    let sandbox = with_host_system("limits = { fsize = 261_120 }");
    sandbox.must("head -c 900000 /dev/zero >/tmp/large");
    let sent = sandbox.sftp("ann", "put /tmp/large large");
    assert!(!sent.status.success(), "{sent}");
    assert!(sent.stderr.contains("write remote"), "{sent}");
    assert!(!sent.stderr.contains("closed"), "{sent}");
    let copied = sandbox.scp(&["-O", "/tmp/large", "ann@127.0.0.1:other"]);
    assert!(copied.stderr.contains("File too large"), "{copied}");
    let written = sandbox.ssh("ann", "head -c 900000 /dev/zero >third; echo $?");
    assert!(written.stderr.contains("File too large"), "{written}");
    assert_eq!(written.ok(), "1");
    // Without the limit the signal is as the caller left it.
    let plain = with_host_system("").ssh("ann", "grep SigIgn /proc/self/status");
    assert!(plain.ok().ends_with("0000000000000000"), "{plain}");
}

#[test]
fn the_sftp_server_reports_a_file_over_a_limit_that_the_host_has_set() {
    let sandbox = with_host_system("").pam();
    sandbox.must(
        "echo 'ann hard fsize 255' >>/etc/security/limits.conf; head -c 900000 /dev/zero >/tmp/large",
    );
    let sent = sandbox.sftp("ann", "put /tmp/large large");
    assert!(sent.stderr.contains("write remote"), "{sent}");
    assert!(!sent.stderr.contains("closed"), "{sent}");
}

// ---- few descriptors

#[test]
fn few_descriptors_are_no_missing_shell() {
    let sandbox = with_host_system("");
    let limited = |limit: &str| {
        let ids = ["setpriv", "--reuid=ann", "--regid=ann", "--init-groups"];
        let words = [
            &["prlimit", limit],
            &ids[..],
            &[JAIL_SHELL, "-c", "ulimit -Sn; ulimit -Hn"],
        ];
        sandbox.run(&words.concat())
    };
    assert_eq!(limited("--nofile=5:200").ok(), "5\n200");
    let refused = limited("--nofile=5:5");
    // CAP_SYS_RESOURCE raises the hard limit for as long as it takes.
    if refused.code() != Some(0) {
        refused.refused(123, "step");
        sandbox.logged_last(&["the caller may have 5 open files"]);
    }
    let configured = with_host_system("limits = { nofile = 5 }");
    assert_eq!(configured.ssh("ann", "ulimit -Hn").ok(), "5");
}

#[test]
fn few_descriptors_behind_pam_are_no_missing_shell() {
    let sandbox = Sandbox::new()
        .user_with_shell("ann", "/bin/bash")
        .jailed("ann")
        .root(roots::home())
        .config(
            "[users]\nann = \"web\"\n[jails.web]\nroot = \"/srv/jails/{user}\"\nbase = \"host\"\nshell = \"/bin/bash\"\n",
        )
        .pam()
        .behind_pam("required", "");
    let limited = |limit: &str| {
        sandbox.sh(&format!(
            "su ann -c 'ulimit {limit}; exec {JAIL_SHELL} -c \"ulimit -Sn\"'"
        ))
    };
    assert_eq!(limited("-Sn 5").ok(), "5");
    let refused = limited("-n 5");
    refused.refused(123, "step");
}

// ---- the library path

/// A shell whose library is where only LD_LIBRARY_PATH says.
#[test]
fn jail_shell_behind_pam_looks_for_libraries_where_the_shell_will() {
    let sandbox = Sandbox::new()
        .user_with_shell("ann", "/bin/bash")
        .jailed("ann")
        .root(roots::home())
        .config(
            "[users]\nann = \"web\"\n[jails.web]\nroot = \"/srv/jails/{user}\"\nbase = \"host\"\nshell = \"/usr/local/bin/own\"\n",
        )
        .pam()
        .behind_pam("required", "");
    sandbox.must(
        "mkdir /usr/local/own; cd /usr/local/own; echo 'int f(void) { return 7; }' >f.c; gcc -shared -fPIC -o libown.so f.c
         echo 'int f(void); int main(void) { return f(); }' >m.c; gcc -o /usr/local/bin/own m.c -L. -lown",
    );
    let status = |path: &str| {
        sandbox
            .sh(&format!("su ann -c '{path} {JAIL_SHELL} -c true'"))
            .code()
    };
    assert_eq!(status("LD_LIBRARY_PATH=/usr/local/own"), Some(7));
    assert_eq!(status(""), Some(115));
}

// ---- the account stage

#[test]
fn the_account_stage_refuses_more_top_level_entries_than_a_session_can_have() {
    let sandbox =
        Sandbox::with_ann_behind_pam(roots::home(), "base = \"host\"\nshell = \"/bin/bash\"");
    let service = "account required pam_permit.so\naccount required pam_jail.so\n";
    sandbox.write("/etc/pam.d/only-account", service);
    let account = || sandbox.run(&[&probe("cycles"), "only-account", "ann", "1", "a"]);
    assert!(account().stdout.contains("codes=0,"), "{}", account());
    sandbox.must("for i in $(seq 129); do mkdir /srv/jails/ann/entry$i; done");
    // PAM_PERM_DENIED
    assert!(account().stdout.contains("codes=6,"), "{}", account());
    sandbox.module_logged(&["refused code=step", "more than 128 entries at their top"]);
}
