//! `create` behind PAM: the session stage makes root directory and home, and the account stage makes nothing.
#![allow(
    clippy::panic,
    clippy::expect_used,
    reason = "a test reports by panicking"
)]

use login_jail_tests::{Sandbox, roots};

/// ann behind every stack, with neither root directory nor home.
fn ann(keys: &str) -> Sandbox {
    let keys = format!(
        "base = \"host\"\nshell = \"/bin/bash\"\ncreate = {{ skel = \"/srv/skel\" }}\n{keys}"
    );
    Sandbox::with_ann_behind_pam(roots::home(), &keys).with(
        "rm -rf /srv/jails/ann; mkdir -p /srv/skel /home/ann; echo '# profile' >/srv/skel/.profile",
    )
}

#[test]
fn a_first_session_of_every_service_makes_root_and_home() {
    let sandbox = ann("");
    let made = |service: &str| {
        let stat = "stat -c '%n %a %U:%G' ann ann/home ann/home/ann ann/home/ann/.profile";
        assert_eq!(
            sandbox.must(&format!("cd /srv/jails; {stat}; ls -A; rm -rf ann")),
            "ann 755 root:root\nann/home 755 root:root\nann/home/ann 700 ann:ann\nann/home/ann/.profile 644 ann:ann\nann",
            "{service}"
        );
    };
    assert_eq!(
        sandbox.su_dash_c("ann", "pwd; cat .profile").ok(),
        "/home/ann\n# profile"
    );
    made("su");
    assert_eq!(
        sandbox.ssh("ann", "pwd; cat .profile").ok(),
        "/home/ann\n# profile"
    );
    made("sshd");
    let mut login = sandbox.login("ann", "secret");
    login.expect("$ ");
    login.line("unset HISTFILE; echo got-$((40 + 2)); exit");
    login.expect("got-42");
    drop(login.finish());
    made("login");
    let home = "/srv/jails/ann/home/ann";
    let job = sandbox.cron("ann", "pwd; cat .profile", home);
    assert_eq!(job.as_deref(), Some("/home/ann\n# profile"));
    sandbox.must("pkill -x cron");
    made("cron");
    let job = sandbox.at("ann", "cd /home/ann; pwd; cat .profile", home);
    assert_eq!(job.as_deref(), Some("/home/ann\n# profile"));
    made("atd");
    let sudo = sandbox.sh("sudo -u ann cat /home/ann/.profile");
    assert_eq!(sudo.ok(), "# profile");
    made("sudo");
    let sandbox = sandbox.vsftpd();
    assert_eq!(sandbox.ftp("ann", ".profile", &[]).ok(), "# profile");
    let stat = "stat -c '%n %a %U:%G' ann/home/ann ann/home/ann/.profile";
    assert_eq!(
        sandbox.must(&format!("cd /srv/jails; {stat}; ls -A")),
        "ann/home/ann 700 ann:ann\nann/home/ann/.profile 644 ann:ann\nann"
    );
}

#[test]
fn the_account_stage_accepts_what_is_missing_and_makes_nothing() {
    let sandbox = ann("").with("sed -i '/^session.*pam_jail/d' /etc/pam.d/*");
    assert_eq!(sandbox.su_c("ann", "echo in").ok(), "in");
    assert_eq!(sandbox.must("ls -A /srv/jails"), "");
    // It refuses what the session stage would refuse.
    sandbox.must("mkdir -p /srv/jails/ann/home; ln -s /etc /srv/jails/ann/home/ann");
    let su = sandbox.su_c("ann", "echo in");
    assert_ne!(su.code(), Some(0), "{su}");
    sandbox.module_logged(&[
        "(su:account)",
        "refused code=step",
        "the home: /srv/jails/ann/home/ann is a symbolic link",
    ]);
}

#[test]
fn a_home_that_pam_mkhomedir_has_made_is_used_as_it_is() {
    let mount =
        "mounts = [{ source = \"/home/{user}\", target = \"/home/{user}\", mode = \"rw\" }]";
    let sandbox = ann(mount).with(
        "rm -rf /home/ann; mkdir /srv/other; echo '# other' >/srv/other/.profile
         sed -i '0,/^session.*pam_jail/s//session required pam_mkhomedir.so skel=\\/srv\\/other umask=0027\\n&/' /etc/pam.d/su",
    );
    sandbox.must("grep -q mkhomedir /etc/pam.d/su");
    assert_eq!(
        sandbox.su_c("ann", "cat /home/ann/.profile").ok(),
        "# other"
    );
    assert_eq!(
        sandbox.must("stat -c '%a %U' /home/ann; ls -A /home"),
        "750 ann\nann"
    );
    // Without it, the jail makes it.
    sandbox.must("rm -rf /home/ann; sed -i /mkhomedir/d /etc/pam.d/su");
    assert_eq!(
        sandbox.su_c("ann", "cat /home/ann/.profile").ok(),
        "# profile"
    );
    assert_eq!(
        sandbox.must("stat -c '%a %U' /home/ann; ls -A /home"),
        "700 ann\nann"
    );
}
