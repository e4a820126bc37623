//! A directory: accounts and groups of a real LDAP server, by SSSD and by nslcd.
use std::time::Instant;
use login_jail_tests::{Sandbox, directory::Client, JAIL_SHELL};

#[test]
fn explore() {
    let client = match std::env::var("CLIENT").as_deref() { Ok("nslcd") => Client::Nslcd, _ => Client::Sssd };
    let Some(s) = Sandbox::new().plain_user("ann").plain_user("bob").plain_user("carl").pam().directory(client, 200, 20, "") else { return };
    let s = s.config("exempt=['root', 'carl']\n[users]\nann = 'home'\nu00010='home'\n[groups]\ng002 = 'web'\n[jails.web]\nroot='/srv/jails/{user}'\nbase='host'\nshell='/bin/bash'\n[jails.home]\nroot='/srv/jails/{user}'\nbase='host'\nshell='/bin/bash'\n");
    s.must("for u in ann u00001 u00021 u00010; do install -d /srv/jails/$u/home; install -d -o $u -m 700 /srv/jails/$u/home/$u; done; usermod -s /usr/bin/jail-shell ann
    printf 'account required pam_jail.so\\nsession required pam_jail.so\\n' >/etc/pam.d/jailtest
    id ann; id u00001; cat /etc/nsswitch.conf | head -3");
    let t = |what: &str, argv: &[&str]| {
        let b = Instant::now();
        let o = s.run(argv);
        println!("{what}: {:?} code={:?} {} {}", b.elapsed(), o.code(), o.stdout.trim(), o.stderr.trim());
    };
    let ssh = |user: &str| { let b = Instant::now(); let o = s.ssh(user, "id"); println!("ssh {user}: {:?} code={:?} {} {}", b.elapsed(), o.code(), o.stdout.trim(), o.stderr.trim()); };
    let all = |what: &str| {
        println!("== {what}");
        ssh("ann"); ssh("bob"); ssh("u00001");
        t("shell u00021", &["setpriv","--reuid","20021","--regid","20000","--groups","20000,30002","--",JAIL_SHELL,"-c","id"]);
        t("pam u00021", &["pamtester","jailtest","u00021","acct_mgmt"]);
        t("pam ann", &["pamtester","jailtest","ann","acct_mgmt","open_session"]);
        t("pam carl", &["pamtester","jailtest","carl","acct_mgmt","open_session"]);
        t("id bob", &["id", "bob"]);
    };
    all("up");
    s.signal("STOP", "slapd");
    all("slapd stopped");
    s.signal("CONT", "slapd");
    s.must("sleep 1");
    s.signal("STOP", client.daemon());
    all("daemon stopped");
    s.signal("CONT", client.daemon());
    s.signal("KILL", "slapd");
    all("slapd dead");
    s.signal("KILL", client.daemon());
    all("daemon dead");
    println!("{}", s.syslog());
}
