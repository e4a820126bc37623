//! `disk` on file systems that have quotas: what a home may take, and that nobody gets out of the count.
#![allow(
    clippy::panic,
    clippy::expect_used,
    reason = "a test reports by panicking"
)]

use login_jail_tests::vm::{Release, Vm};

const CONFIG: &str = r#"exempt = ["root"]
[users]
ann = "web"
[jails.web]
root = "/srv/jails/{user}"
base = "host"
shell = "/bin/bash"
create = true
disk = { bytes = "4M", files = 20 }
"#;

/// Starts a machine, and mounts a file system of this kind where the roots are.
fn host(make: &str, options: &str) -> Vm {
    let mut vm = Vm::boot(Release::Trixie).expect("a machine");
    vm.install();
    vm.user("ann", "/usr/bin/jail-shell");
    vm.sh_with("cat >/etc/login-jail/config.toml", CONFIG.as_bytes())
        .ok();
    vm.must(&format!(
        "truncate -s 400M /disk; {make} /disk; mkdir -p /srv/jails; mount -o loop,{options} /disk /srv/jails"
    ));
    vm
}

/// Whatever counts: so much and so many, not more, and what is removed can be made again.
fn is_limited(vm: &Vm) {
    let full = vm.ssh("ann", "head -c 8M /dev/zero >big; stat -c %s big; rm big");
    assert!(
        full.stdout.trim().parse::<u64>().expect("a size") <= 4 << 20,
        "{full}"
    );
    let many = vm.ssh(
        "ann",
        "for i in $(seq 40); do : >f$i || break; done; ls f* | wc -l; rm f*",
    );
    assert!(
        many.stdout.trim().parse::<u64>().expect("a number") < 20,
        "{many}"
    );
    assert_eq!(
        vm.ssh("ann", "head -c 1M /dev/zero >again; stat -c %s again")
            .ok(),
        "1048576"
    );
    let check = vm.sh("jailctl check ann");
    assert!(!check.stdout.contains("disk-unlimited"), "{check}");
}

#[test]
#[ignore = "long: make test-long"]
fn on_ext4_the_home_is_a_project_that_its_owner_can_not_leave() {
    let vm = host(
        "mkfs.ext4 -q -O quota,project -E quotatype=usrquota:prjquota",
        "prjquota",
    );
    is_limited(&vm);
    let uid = vm.must("id -u ann");
    let project = vm.must("lsattr -pd /srv/jails/ann/home/ann");
    assert!(project.trim_start().starts_with(&uid), "{project}");
    for out in ["chattr -p 0 .", "chattr -P .", "chattr +d again"] {
        let tried = vm.ssh("ann", out);
        assert!(tried.stderr.contains("Operation not permitted"), "{tried}");
    }
    // Somebody who raises it is found.
    vm.must(&format!(
        "setquota -P {uid} 0 0 0 0 /srv/jails || xfs_quota -x -c true"
    ));
    let check = vm.sh("jailctl check ann");
    assert!(check.stdout.contains("disk-unlimited"), "{check}");
}

#[test]
#[ignore = "long: make test-long"]
fn on_xfs_the_home_is_a_project() {
    is_limited(&host("mkfs.xfs -q", "prjquota"));
}

#[test]
#[ignore = "long: make test-long"]
fn where_there_are_no_projects_the_user_is_counted() {
    let vm = host("mkfs.ext4 -q -O quota -E quotatype=usrquota", "usrquota");
    is_limited(&vm);
}

#[test]
#[ignore = "long: make test-long"]
fn refuses_a_file_system_without_quotas() {
    let vm = host("mkfs.ext4 -q", "defaults");
    let login = vm.ssh("ann", "echo in");
    assert!(!login.stdout.contains("in"), "{login}");
    assert_eq!(vm.must("ls -A /srv/jails | grep -v lost"), "");
}
