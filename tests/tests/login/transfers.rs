//! The record of transfers, and what programs inside say to their /dev/log.

use login_jail_tests::{Sandbox, roots};

const ROOT: &str = "/srv/jails/ann";

/// Ann, who has SFTP alone and a home in an otherwise empty root.
fn ann(keys: &str) -> Sandbox {
    Sandbox::new()
        .user("ann")
        .config(&format!(
            "[users]\nann = \"drop\"\n[jails.drop]\nroot = \"{ROOT}\"\ncommands = [\"sftp\"]\n{keys}\n"
        ))
        .sshd("")
        .with(&format!(
            "install -d -o ann -g ann {ROOT}/home/ann; echo text >/tmp/letter"
        ))
}

/// Gives what the log has of transfers, without what every line begins with.
fn transfers(sandbox: &Sandbox) -> Vec<String> {
    let log = sandbox.log();
    let marked = log.iter().filter_map(|line| line.split_once(": transfer "));
    marked
        .map(|(_, line)| {
            let (_, rest) = line.split_once(" what=").expect("what");
            assert!(line.starts_with("user=\"ann\" uid="), "{line}");
            assert!(line.contains(" jail=\"drop\" "), "{line}");
            rest.to_owned()
        })
        .collect()
}

#[test]
fn each_transfer_and_each_change_is_one_line() {
    let sandbox = ann("sftp = { log = true }");
    let seen = sandbox.sftp(
        "ann",
        "put /tmp/letter letter\nget letter /tmp/back\n-get none\nrename letter new\nmkdir d\nrmdir d\nln -s new s\nchmod 600 new\nrm s\n-rm none\nrm new\n",
    );
    println!("{seen}\n{}", sandbox.syslog());
    seen.ok();
    println!("{:#?}", transfers(&sandbox));
}
