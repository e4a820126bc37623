//! `disk` on file systems that have quotas: what a home may take, and that nobody gets out of the count.

use login_jail_tests::vm::Vm;

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

/// Makes a file system of this kind, and mounts it where the roots are, in place of the one before.
#[track_caller]
fn mount(vm: &Vm, make: &str, options: &str) {
    vm.must(&format!(
        "modprobe loop; mkdir -p /srv/jails; ! mountpoint -q /srv/jails || umount /srv/jails
        rm -f /disk; truncate -s 400M /disk; {make} /disk; mount -o loop,{options} /disk /srv/jails"
    ));
}

/// Whatever counts: so much and so many, not more, and what is removed can be made again.
#[track_caller]
fn is_limited(vm: &Vm) {
    let full = vm.ssh(
        "ann",
        "head -c 8M /dev/zero >big; stat -c %s big; rm big
        for i in $(seq 40); do : >f$i || break; done; ls f* | wc -l; rm f*
        head -c 1M /dev/zero >again; stat -c %s again",
    );
    let sizes: Vec<u64> = full
        .stdout
        .lines()
        .map(|line| line.trim().parse().unwrap())
        .collect();
    assert_eq!(sizes.len(), 3, "{full}");
    assert!((1 << 20..=4 << 20).contains(&sizes[0]), "{full}");
    assert!((5..20).contains(&sizes[1]), "{full}");
    assert_eq!(sizes[2], 1 << 20, "{full}");
    let check = vm.sh("jailctl check ann");
    assert!(!check.stdout.contains("disk-unlimited"), "{check}");
}

pub(crate) fn a_home_takes_what_it_may_by_project_or_by_user(vm: &mut Vm) {
    vm.user("ann", "/usr/bin/jail-shell");
    vm.sh_with("cat >/etc/login-jail/config.toml", CONFIG.as_bytes())
        .ok();
    let uid = vm.must("id -u ann");

    mount(
        vm,
        "mkfs.ext4 -q -O quota,project -E quotatype=usrquota:prjquota",
        "prjquota",
    );
    is_limited(vm);
    let project = vm.must("lsattr -pd /srv/jails/ann/home/ann");
    assert!(project.trim_start().starts_with(&uid), "{project}");
    // Its owner can't leave the project.
    let out = vm.ssh(
        "ann",
        "chattr -p 0 . && echo out; chattr -P . && echo out; chattr -p 0 again && echo out; lsattr -pd . again",
    );
    assert!(!out.stdout.contains("out"), "{out}");
    assert_eq!(out.stdout.matches(&uid).count(), 2, "{out}");
    assert_eq!(
        out.stderr.matches("Operation not permitted").count(),
        3,
        "{out}"
    );
    // Somebody who raises it is found.
    vm.must(&format!("setquota -P {uid} 0 0 0 0 /srv/jails"));
    let check = vm.sh("jailctl check ann");
    assert!(check.stdout.contains("disk-unlimited"), "{check}");

    mount(vm, "mkfs.xfs -q", "prjquota");
    is_limited(vm);
    let project = vm.must("lsattr -pd /srv/jails/ann/home/ann");
    assert!(project.trim_start().starts_with(&uid), "{project}");

    mount(
        vm,
        "mkfs.ext4 -q -O quota -E quotatype=usrquota",
        "usrquota",
    );
    is_limited(vm);
    let quota = vm.must("repquota -u /srv/jails");
    assert!(quota.contains("4096"), "{quota}");

    mount(vm, "mkfs.ext4 -q", "defaults");
    let login = vm.ssh("ann", "echo in");
    assert!(!login.stdout.contains("in"), "{login}");
    assert_eq!(vm.must("ls -A /srv/jails | grep -v lost || :"), "");
}
