//! `scope = "user"` beside systemd: all logins of a user in one world, each in the cgroup of its own login.

use std::process::Stdio;

use login_jail_tests::vm::Vm;

use crate::machine::{behind_pam, jailed};

pub(crate) fn logins_of_a_user_share_a_world_and_keep_their_cgroups(vm: &mut Vm) {
    jailed(
        vm,
        "ann",
        "/usr/bin/jail-shell",
        "scope = \"user\"\nlimits = { memory = \"96M\", tasks = 40 }",
    );
    behind_pam(vm, &["cron"]);
    vm.must("echo '* * * * * ann touch $HOME/cron /var/tmp/cron' >/etc/cron.d/ann");
    let mut first = vm
        .client("ann")
        .args(["--", "vm", "cat /proc/self/cgroup >/tmp/first; sleep 300"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    vm.must("for _ in $(seq 60); do pgrep -u ann -x sleep && exit; sleep 1; done; exit 1");
    // A process of the first login's, its cgroup, and that of this login.
    let look = "pgrep -x sleep; cat /tmp/first /proc/self/cgroup";
    let slice = format!("0::/user.slice/user-{}.slice/", vm.must("id -u ann"));
    let mut groups = Vec::new();
    for seen in [vm.ssh("ann", look), vm.sh(&format!("su - ann -c '{look}'"))] {
        let lines: Vec<&str> = seen.ok().lines().collect();
        let [_, of_first, own] = lines[..] else {
            panic!("{seen}")
        };
        assert!(of_first.starts_with(&slice), "{seen}");
        assert!(own.starts_with(&slice), "{seen}");
        groups.extend([of_first.to_owned(), own.to_owned()]);
    }
    groups.sort();
    groups.dedup();
    assert_eq!(groups.len(), 3, "{groups:?}");
    // Behind PAM there is no way into that world, and none past it.
    vm.must(
        "for _ in $(seq 90); do journalctl -q -o cat -g 'pam_jail\\(cron:' | grep -F 'scope = ' && break; sleep 1; done
        rm /etc/cron.d/ann; ! ls /var/tmp/cron /home/ann/cron /srv/jails/ann/home/ann/cron",
    );
    first.kill().ok();
    first.wait().unwrap();
}
