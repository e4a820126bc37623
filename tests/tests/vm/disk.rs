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

/// Whatever counts: so much and so many, not more, and what is removed can be made again. xfs takes a removed file off the count in the
/// background.
#[track_caller]
fn is_limited(vm: &Vm) {
    let full = vm.ssh(
        "ann",
        "head -c 8M /dev/zero >big; stat -c %s big; rm big
        for i in $(seq 40); do : >f$i || break; done; ls f* | wc -l; rm f*
        for i in $(seq 50); do head -c 1M /dev/zero >again && break; sleep 0.2; done; stat -c %s again",
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

/// What says how much ann may take: the bytes in KiB, the files, and the project of her home and of what is in it.
fn allowed(vm: &Vm, kind: &str) -> String {
    vm.must(&format!(
        "repquota -v -{kind} -n -O csv /srv/jails | awk -F, -v id=\"#$(id -u ann)\" '$1 == id {{ print $6, $10 }}'
        lsattr -pd /srv/jails/ann/home/ann /srv/jails/ann/home/ann/deep /srv/jails/ann/home/ann/deep/big | awk '{{ print $1 }}'"
    ))
}

pub(crate) fn undo_puts_back_what_limited_a_home_before(vm: &mut Vm) {
    vm.user("ann", "/bin/bash");
    vm.user("bob", "/bin/bash");
    let config = CONFIG.replace("[users]\nann = \"web\"\n", "");
    vm.sh_with("cat >/etc/login-jail/config.toml", config.as_bytes())
        .ok();
    for (make, options, kind) in [
        (
            "mkfs.ext4 -q -O quota,project -E quotatype=usrquota:prjquota",
            "prjquota",
            "P",
        ),
        ("mkfs.xfs -q", "prjquota", "P"),
        (
            "mkfs.ext4 -q -O quota -E quotatype=usrquota",
            "usrquota",
            "u",
        ),
    ] {
        mount(vm, make, options);
        vm.must(&format!(
            "for user in ann bob; do home=/srv/jails/$user/home/$user; mkdir -p $home/deep; head -c 2M /dev/zero >$home/deep/big; chown -R $user: $home; done
             setquota -{kind} $(id -u ann) 0 9000 0 90 /srv/jails"
        ));
        let before = allowed(vm, kind);
        assert!(before.starts_with("9000 90\n"), "{before}");
        vm.must("jailctl add --jail web ann bob");
        let limited = allowed(vm, kind);
        assert!(limited.starts_with("4096 20\n"), "{limited}");
        let dry = vm.must("jailctl undo --dry-run");
        assert!(dry.contains("limited to 4M bytes, 20 files"), "{dry}");
        assert_eq!(allowed(vm, kind), limited);
        let undone = vm.must("jailctl undo");
        assert!(undone.contains("limits of 2 homes: as before"), "{undone}");
        assert_eq!(allowed(vm, kind), before);
        // What somebody has changed since stays.
        vm.must(&format!(
            "jailctl add --jail web ann bob; setquota -{kind} $(id -u ann) 0 5000 0 50 /srv/jails"
        ));
        let undone = vm.must("jailctl undo");
        assert!(undone.contains("limits of 1 home: as before"), "{undone}");
        assert!(undone.contains("kept: "), "{undone}");
        assert!(allowed(vm, kind).starts_with("5000 50\n"), "{undone}");
    }
}

/// Homes that are there before their limit, with files in them, and the commands that limit them.
pub(crate) fn a_home_that_is_there_gets_its_limit_and_what_is_in_it_counts(vm: &mut Vm) {
    vm.user("ann", "/usr/bin/jail-shell");
    vm.sh_with("cat >/etc/login-jail/config.toml", CONFIG.as_bytes())
        .ok();
    for (make, options) in [
        (
            "mkfs.ext4 -q -O quota,project -E quotatype=usrquota:prjquota",
            "prjquota",
        ),
        ("mkfs.xfs -q", "prjquota"),
        ("mkfs.ext4 -q -O quota -E quotatype=usrquota", "usrquota"),
    ] {
        mount(vm, make, options);
        // The directory itself, two in it, a file, a FIFO and a link.
        vm.must(
            "home=/srv/jails/ann/home/ann; mkdir -p $home/deep/deeper; head -c 2M /dev/zero >$home/deep/deeper/big
             mkfifo $home/pipe; ln -s /etc/passwd $home/link; chown -Rh ann: $home",
        );
        let check = vm.sh("jailctl check ann");
        assert!(check.stdout.contains("disk-unlimited"), "{check}");
        let mended = vm.must("jailctl mend disk-unlimited ann");
        let limited = "/srv/jails/ann/home/ann: limited to 4M bytes, 20 files\n";
        assert!(mended.starts_with(limited), "{mended}");
        assert!(mended.contains("before: unlimited KiB"), "{mended}");
        let again = vm.must("jailctl mend disk-unlimited ann");
        assert!(again.starts_with("nothing to mend"), "{again}");
        let status = vm.must("jailctl status");
        let of_ann = status.lines().find(|line| line.starts_with("ann "));
        let of_ann = of_ann.unwrap_or_default();
        assert!(of_ann.contains("of 4M, files "), "{status}");
        assert!(of_ann.contains(" of 20 by a "), "{status}");
        // With 2M taken, 3M more is too much.
        let more = vm.ssh(
            "ann",
            "head -c 3M /dev/zero >more; stat -c %s more; rm -r more deep pipe link",
        );
        let size: u64 = more.stdout.trim().parse().unwrap();
        assert!(size <= 2 << 20, "{more}");
        is_limited(vm);
    }
    // Where not all is counted, there is no limit that looks as if it were: nothing but the limit is looked at.
    mount(vm, "mkfs.xfs -q", "prjquota");
    vm.must(
        "home=/srv/jails/ann/home/ann; deep=$home; for n in $(seq 300); do deep=$deep/d; done; mkdir -p $deep; chown -R ann: $home",
    );
    let too_deep = vm.sh("jailctl mend disk-unlimited ann");
    assert_eq!(too_deep.code(), Some(3), "{too_deep}");
    assert!(
        too_deep.stderr.contains("more than 256 directories"),
        "{too_deep}"
    );
    let check = vm.sh("jailctl check ann");
    assert!(check.stdout.contains("disk-unlimited"), "{check}");
    // The commands that make a home, or a rule for one.
    mount(vm, "mkfs.xfs -q", "prjquota");
    let project = || vm.must("lsattr -pd /srv/jails/ann/home/ann | awk '{ print $1 }'");
    vm.must("mkdir -p /srv/jails/ann/home/ann; chown ann: /srv/jails/ann/home/ann");
    vm.must("jailctl add ann");
    assert_eq!(project(), vm.must("id -u ann"));
    vm.must("rm -r /srv/jails/ann; jailctl build --with sftp --user ann /srv/jails/ann");
    assert_eq!(project(), vm.must("id -u ann"));
}
